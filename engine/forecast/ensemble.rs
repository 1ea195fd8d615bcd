//! Ensembles: which timeframes' models speak, in which role and with what weight, how their odds become one
//! forecast, and what happens when too few of them speak. The five configurations are data; combining is arithmetic
//! on ten optional rows. What an ensemble remembers from tick to tick is in [`crate::council`].

use crate::{Calibration, Class, Forecast, Odds};
use market::quote::Timeframe;
use market::{Label, Symbol};

/// How the members' odds are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The weighted arithmetic mean of the odds.
    WeightedMean,
    /// The weighted mean of the logarithms of the odds, normalised: a sure member counts for more.
    MeanOfLogits,
    /// The same with weights that follow each member's recent skill.
    BySkill,
    /// Every member votes for its favourite with its weight; the odds are the shares of the votes.
    Majority,
    /// A model reads the members' odds and answers for them.
    Stacked,
}

/// What a member is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It speaks when it can.
    Voice,
    /// Without it there is no quorum.
    Required,
    /// It is asked and scored but has no voice.
    Observer,
}

/// What is asked of a member besides its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// What it is there for.
    pub role: Role,
    /// A model that takes longer than this to answer, measured when it is loaded, is not seated; nanoseconds.
    pub budget_ns: Option<i64>,
    /// It is asked at most this often, for models too slow for every tick; nanoseconds, 0: on every tick.
    pub every_ns: i64,
    /// An answer older than this is not listened to; nanoseconds.
    pub stale_ns: Option<i64>,
}

impl Member {
    /// A voice that is asked on every tick and is never too slow.
    pub const VOICE: Self = Self { role: Role::Voice, budget_ns: None, every_ns: 0, stale_ns: None };
}

/// What happens when less than the quorum speaks, or a required member does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Below {
    /// There is no forecast.
    Nothing,
    /// The last forecast stands for this long, in nanoseconds; then there is none.
    Hold(i64),
    /// Those who speak make the forecast, and it is drawn toward even odds by the share of the weight that is missing.
    Degrade,
}

/// A named set of timeframe models, their weights and the rule that combines them.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ensemble {
    /// Its name: `intraday`.
    pub name: Label,
    /// Weight of each timeframe in the order of [`Timeframe::ALL`]; 0 leaves it out.
    pub weights: [f32; Timeframe::COUNT],
    /// How they are combined.
    pub rule: Rule,
    /// Share of the total weight, above 0 to 1, that must speak for a forecast to be made.
    pub quorum: f32,
    /// What happens otherwise.
    pub below: Below,
    /// What is asked of each timeframe's model besides.
    pub members: [Member; Timeframe::COUNT],
    /// What the combined odds are bent by.
    pub calibration: Option<Calibration>,
    /// The name of the model that is the rule, when it is [`Rule::Stacked`].
    pub stack: Option<Label>,
    /// The symbols it makes the forecast for, instead of the one chosen for all.
    pub symbols: Vec<Symbol>,
    /// The structures that follow its forecast, instead of their symbol's.
    pub structures: Vec<Label>,
}

/// Why an ensemble's settings cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EnsembleFault {
    /// A weight that is negative, NaN or infinite.
    #[error("ensemble `{name}`: the weight of {timeframe} is {weight}; give a finite number, 0 or more")]
    Weight {
        /// The ensemble.
        name: Label,
        /// The timeframe.
        timeframe: Timeframe,
        /// What was given.
        weight: f32,
    },
    /// No weight at all.
    #[error("ensemble `{0}` gives every timeframe the weight 0; give at least one more than that")]
    Empty(Label),
    /// A quorum outside its range.
    #[error("ensemble `{name}`: the quorum {quorum} is not above 0 and at most 1")]
    Quorum {
        /// The ensemble.
        name: Label,
        /// What was given.
        quorum: f32,
    },
    /// A required member without a voice.
    #[error("ensemble `{name}`: {timeframe} is required but has no weight; give it one, or another role")]
    Silent {
        /// The ensemble.
        name: Label,
        /// The timeframe.
        timeframe: Timeframe,
    },
    /// A member whose answers are always too old.
    #[error("ensemble `{name}`: {timeframe} is asked less often than its answers last; raise `stale_after`")]
    AlwaysStale {
        /// The ensemble.
        name: Label,
        /// The timeframe.
        timeframe: Timeframe,
    },
    /// A stacking model without the rule, or the rule without the model.
    #[error(
        "ensemble `{0}`: the rule `stacked` and the name of its model under `stack` belong together; give both or neither"
    )]
    Stack(Label),
    /// A calibration that cannot be applied.
    #[error("ensemble `{name}`: its calibration cannot be used: {found}; fit it again, or leave it out")]
    Calibration {
        /// The ensemble.
        name: Label,
        /// What is wrong with it.
        found: &'static str,
    },
}

/// Odds below this are taken as this before their logarithm: one member's zero is no veto of all others.
const ODDS_FLOOR: f32 = 1e-6;
/// The odds of one who knows nothing.
const EVEN: f32 = 1.0 / 3.0;

/// One of the shipped configurations: name, weights, rule, quorum, and what happens below it.
pub type Shipped = (&'static str, [f32; Timeframe::COUNT], Rule, f32, Below);

/// The five configurations the product ships: what a short holder listens to, up to everything.
///
/// Weights in the order 1min 5min 15min 30min 1h 4h 1day 1week 1month 1year.
pub const SHIPPED: [Shipped; 5] = [
    ("scalp", [3.0, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], Rule::MeanOfLogits, 0.75, Below::Nothing),
    (
        "intraday",
        [1.0, 2.0, 3.0, 3.0, 2.0, 1.0, 0.5, 0.0, 0.0, 0.0],
        Rule::BySkill,
        0.6,
        Below::Hold(market::time::MINUTE),
    ),
    (
        "swing",
        [0.0, 0.0, 0.5, 1.0, 2.0, 3.0, 3.0, 1.0, 0.0, 0.0],
        Rule::MeanOfLogits,
        0.6,
        Below::Hold(10 * market::time::MINUTE),
    ),
    ("position", [0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 3.0, 3.0, 2.0, 1.0], Rule::WeightedMean, 0.5, Below::Degrade),
    ("full", [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], Rule::WeightedMean, 0.5, Below::Nothing),
];

/// What the members said, put together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// Weight of those who spoke.
    pub spoken: f32,
    /// Bit `i` is set when the model of `Timeframe::ALL[i]` spoke.
    pub members: u16,
}

impl Ensemble {
    /// An ensemble of voices that are asked on every tick; below the quorum it says nothing.
    pub fn new(name: Label, weights: [f32; Timeframe::COUNT], rule: Rule, quorum: f32) -> Self {
        let members = [Member::VOICE; Timeframe::COUNT];
        let (calibration, stack, symbols, structures) = (None, None, Vec::new(), Vec::new());
        let below = Below::Nothing;
        Self { name, weights, rule, quorum, below, members, calibration, stack, symbols, structures }
    }

    /// One of the five shipped configurations by name.
    pub fn shipped(name: &str) -> Option<Self> {
        let (name, weights, rule, quorum, below) = SHIPPED.into_iter().find(|(n, ..)| *n == name)?;
        Some(Self { below, ..Self::new(Label::literal(name), weights, rule, quorum) })
    }

    /// Checks what can be checked without models.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn check(&self) -> Result<(), EnsembleFault> {
        let name = self.name;
        for (timeframe, weight) in Timeframe::ALL.into_iter().zip(self.weights) {
            if !weight.is_finite() || weight < 0.0 {
                return Err(EnsembleFault::Weight { name, timeframe, weight });
            }
        }
        if self.voices().iter().sum::<f32>() <= 0.0 {
            return Err(EnsembleFault::Empty(name));
        }
        if !(self.quorum > 0.0 && self.quorum <= 1.0) {
            return Err(EnsembleFault::Quorum { name, quorum: self.quorum });
        }
        for timeframe in Timeframe::ALL {
            let (member, weight) = (&self.members[timeframe.index()], self.weights[timeframe.index()]);
            if member.role == Role::Required && weight <= 0.0 {
                return Err(EnsembleFault::Silent { name, timeframe });
            }
            if member.stale_ns.is_some_and(|stale_ns| stale_ns < member.every_ns) {
                return Err(EnsembleFault::AlwaysStale { name, timeframe });
            }
        }
        if self.stack.is_some() != (self.rule == Rule::Stacked) {
            return Err(EnsembleFault::Stack(name));
        }
        match self.calibration.as_ref().and_then(Calibration::fault) {
            Some(found) => Err(EnsembleFault::Calibration { name, found }),
            None => Ok(()),
        }
    }

    /// The weights of those who have a voice: an observer's is 0.
    pub fn voices(&self) -> [f32; Timeframe::COUNT] {
        let mut voices = self.weights;
        for (weight, member) in voices.iter_mut().zip(&self.members) {
            if member.role == Role::Observer {
                *weight = 0.0;
            }
        }
        voices
    }

    /// True when the model of that timeframe has a voice.
    pub fn listens_to(&self, timeframe: Timeframe) -> bool {
        self.voices()[timeframe.index()] > 0.0
    }

    /// Bits of the timeframes without which there is no quorum.
    pub fn required(&self) -> u16 {
        let is_required = |at: &usize| self.members[*at].role == Role::Required;
        (0..Timeframe::COUNT).filter(is_required).fold(0, |bits, at| bits | 1 << at)
    }

    /// The timeframe whose horizon the forecast has: that of the heaviest voice, of equal ones the shortest.
    pub fn horizon(&self) -> Timeframe {
        let voices = self.voices();
        let heaviest =
            Timeframe::ALL.into_iter().rev().max_by(|a, b| voices[a.index()].total_cmp(&voices[b.index()]));
        heaviest.unwrap_or(Timeframe::Min1)
    }

    /// Combines what the members said (in the order of [`Timeframe::ALL`], `None` for the silent) into one
    /// forecast by the weights as they are set; `None` when less than the quorum of the weight spoke. A stacked
    /// ensemble, whose rule is a model, is combined by the mean of its members' odds here.
    pub fn combine(&self, members: &[Option<Odds>; Timeframe::COUNT]) -> Option<Forecast> {
        let voices = self.voices();
        let heard = heard(&voices, members);
        let total: f32 = voices.iter().sum();
        let is_quorate = heard.spoken > 0.0 && heard.spoken >= self.quorum * total;
        is_quorate.then(|| forecast(self.rule.mix(&voices, members, &heard), &voices, members, &heard))
    }
}

/// Who spoke, and with what weight.
#[inline]
pub fn heard(weights: &[f32; Timeframe::COUNT], members: &[Option<Odds>; Timeframe::COUNT]) -> Heard {
    let mut heard = Heard { spoken: 0.0, members: 0 };
    for (i, (member, weight)) in members.iter().zip(weights).enumerate() {
        if member.is_some() && *weight > 0.0 {
            heard.spoken += weight;
            heard.members |= 1 << i;
        }
    }
    heard
}

/// Odds with how sure they are and how many of those who spoke agree.
#[inline]
pub fn forecast(
    odds: Odds,
    weights: &[f32; Timeframe::COUNT],
    members: &[Option<Odds>; Timeframe::COUNT],
    heard: &Heard,
) -> Forecast {
    let agreeing = weight_of(weights, members, odds.favourite());
    let confidence = odds.down.max(odds.flat).max(odds.up);
    Forecast { odds, confidence, agreement: agreeing / heard.spoken, members: heard.members }
}

fn weight_of(
    weights: &[f32; Timeframe::COUNT],
    members: &[Option<Odds>; Timeframe::COUNT],
    class: Class,
) -> f32 {
    let pairs = members.iter().zip(weights);
    pairs.filter_map(|(m, w)| m.filter(|m| m.favourite() == class).map(|_| w)).sum()
}

impl Rule {
    /// The members' odds in one; something must have been heard.
    #[inline]
    pub fn mix(
        self,
        weights: &[f32; Timeframe::COUNT],
        members: &[Option<Odds>; Timeframe::COUNT],
        heard: &Heard,
    ) -> Odds {
        match self {
            Self::WeightedMean | Self::Stacked => mean_of_odds(weights, members, heard.spoken),
            Self::MeanOfLogits | Self::BySkill => mean_of_logits(weights, members, heard.spoken),
            Self::Majority => votes(weights, members, heard.spoken),
        }
    }
}

fn mean_of_odds(
    weights: &[f32; Timeframe::COUNT],
    members: &[Option<Odds>; Timeframe::COUNT],
    spoken: f32,
) -> Odds {
    let mut row = [0.0f32; 3];
    for (member, weight) in members.iter().zip(weights) {
        let Some(member) = member else { continue };
        for (sum, p) in row.iter_mut().zip(member.row()) {
            *sum += weight / spoken * p;
        }
    }
    normalised(row)
}

fn mean_of_logits(
    weights: &[f32; Timeframe::COUNT],
    members: &[Option<Odds>; Timeframe::COUNT],
    spoken: f32,
) -> Odds {
    let mut row = [0.0f32; 3];
    for (member, weight) in members.iter().zip(weights) {
        let Some(member) = member else { continue };
        if *weight > 0.0 {
            for (sum, p) in row.iter_mut().zip(member.row()) {
                *sum += weight / spoken * p.max(ODDS_FLOOR).ln();
            }
        }
    }
    normalised(row.map(f32::exp))
}

fn votes(weights: &[f32; Timeframe::COUNT], members: &[Option<Odds>; Timeframe::COUNT], spoken: f32) -> Odds {
    let mut row = [0.0f32; 3];
    for (member, weight) in members.iter().zip(weights) {
        if let Some(member) = member {
            row[member.favourite().index()] += weight / spoken;
        }
    }
    normalised(row)
}

fn normalised(row: [f32; 3]) -> Odds {
    let sum: f32 = row.iter().sum();
    Odds::from_row(row.map(|p| p / sum))
}

impl Odds {
    /// The odds of one who knows nothing.
    pub const EVEN: Self = Self { down: EVEN, flat: EVEN, up: EVEN };

    /// Drawn toward even odds: at a `trust` of 1 as they are, at 0 even.
    #[inline]
    #[must_use]
    pub fn trusted(self, trust: f32) -> Self {
        Self::from_row(self.row().map(|p| trust * p + (1.0 - trust) * EVEN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn odds(down: f32, flat: f32, up: f32) -> Option<Odds> {
        Some(Odds { down, flat, up })
    }

    #[test]
    fn shipped_ones_are_right() {
        for (name, ..) in SHIPPED {
            let ensemble = Ensemble::shipped(name).expect("listed");
            assert_eq!(ensemble.check(), Ok(()));
        }
        assert_eq!(Ensemble::shipped("scalpel"), None);
    }

    #[test]
    fn quorum_and_agreement() {
        let scalp = Ensemble::shipped("scalp").expect("listed");
        let mut members = [None; Timeframe::COUNT];
        members[9] = odds(0.0, 0.0, 1.0);
        members[0] = odds(0.1, 0.2, 0.7);
        assert_eq!(scalp.combine(&members), None, "3 of 9 is below the quorum, and the year has no voice");
        members[1] = odds(0.1, 0.2, 0.7);
        members[2] = odds(0.6, 0.3, 0.1);
        let said = scalp.combine(&members).expect("8 of 9");
        assert_eq!(said.members, 0b111);
        assert_eq!(said.odds.favourite(), Class::Up);
        assert!((said.agreement - 0.75).abs() < 1e-6);
        assert_eq!(said.confidence, said.odds.up);
    }

    #[test]
    fn bad_settings_are_named() {
        let mut e = Ensemble::shipped("full").expect("listed");
        e.weights[4] = f32::NAN;
        assert!(e.check().expect_err("nan").to_string().contains("1h"));
        e.weights = [0.0; 10];
        assert!(e.check().is_err());
        e.weights[0] = 1.0;
        e.quorum = 1.5;
        assert!(e.check().is_err());
        type Spoil = fn(&mut Ensemble);
        let spoils: [(&str, Spoil); 6] = [
            ("1year is required", |e| {
                e.weights[9] = 0.0;
                e.members[9].role = Role::Required;
            }),
            ("gives every timeframe", |e| e.members.iter_mut().for_each(|m| m.role = Role::Observer)),
            ("less often", |e| (e.members[2].every_ns, e.members[2].stale_ns) = (2, Some(1))),
            ("belong together", |e| e.rule = Rule::Stacked),
            ("belong together", |e| e.stack = Some(Label::literal("blend"))),
            ("calibration", |e| {
                e.calibration = Some(Calibration::Platt { slope: [f64::NAN; 3], offset: [0.0; 3] });
            }),
        ];
        for (said, spoil) in spoils {
            let mut e = Ensemble::shipped("full").expect("listed");
            spoil(&mut e);
            let found = e.check().expect_err(said).to_string();
            assert!(found.contains(said), "{found}");
        }
    }

    #[test]
    fn observers_have_no_voice_and_the_heaviest_voice_gives_the_horizon() {
        let mut e = Ensemble::shipped("swing").expect("listed");
        assert_eq!(e.horizon(), Timeframe::Hour4, "of equal ones the shortest");
        e.members[5].role = Role::Observer;
        assert_eq!((e.horizon(), e.listens_to(Timeframe::Hour4)), (Timeframe::Day1, false));
        let mut members = [None; Timeframe::COUNT];
        members[5] = odds(0.0, 0.0, 1.0);
        assert_eq!(e.combine(&members), None);
        e.members[6].role = Role::Required;
        assert_eq!(e.required(), 1 << 6);
    }

    #[test]
    fn the_majority_votes() {
        let full = Ensemble { rule: Rule::Majority, ..Ensemble::shipped("full").expect("listed") };
        let mut members = [odds(0.3, 0.3, 0.4); Timeframe::COUNT];
        members[..4].fill(odds(1.0, 0.0, 0.0));
        let said = full.combine(&members).expect("all");
        assert_eq!(said.odds.favourite(), Class::Up, "six unsure voices outvote four sure ones");
        assert!((said.confidence - 0.6).abs() < 1e-6 && (said.agreement - 0.6).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn a_forecast_is_odds_between_its_members(
            rows in proptest::collection::vec((0.0f32..1.0, 0.0f32..1.0, 0.0f32..1.0, any::<bool>()), 10),
            which in 0usize..5, majority in any::<bool>(),
        ) {
            let mut ensemble = Ensemble::shipped(SHIPPED[which].0).expect("listed");
            if majority {
                ensemble.rule = Rule::Majority;
            }
            let mut members = [None; 10];
            for (slot, (a, b, c, speaks)) in members.iter_mut().zip(rows) {
                *slot = speaks.then(|| normalised([a + 1e-3, b, c]));
            }
            if let Some(said) = ensemble.combine(&members) {
                prop_assert_eq!(crate::plan::check_odds(&said.odds.row()), Ok(()));
                prop_assert!((0.0..=1.0001).contains(&said.agreement));
                prop_assert!(said.confidence >= 0.3333);
                if ensemble.rule == Rule::WeightedMean {
                    let ups = members.iter().enumerate()
                        .filter(|(i, _)| ensemble.weights[*i] > 0.0)
                        .filter_map(|(_, m)| m.map(|m| m.up));
                    let highest = ups.fold(0.0f32, f32::max);
                    prop_assert!(said.odds.up <= highest + 1e-5);
                }
            }
        }
    }
}
