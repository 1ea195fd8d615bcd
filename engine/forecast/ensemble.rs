//! Ensembles: which timeframes' models speak, with what weight, and how their odds become one forecast.
//! The five configurations are data; combining them is arithmetic on ten optional rows.

use crate::{Class, Forecast, Odds};
use market::Label;
use market::quote::Timeframe;

/// How the members' odds are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The weighted arithmetic mean of the odds.
    WeightedMean,
    /// The weighted mean of the logarithms of the odds, normalised: a sure member counts for more.
    MeanOfLogits,
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
}

/// Odds below this are taken as this before their logarithm: one member's zero is no veto of all others.
const ODDS_FLOOR: f32 = 1e-6;

/// The five configurations the product ships: what a short holder listens to, up to everything.
///
/// Weights in the order 1min 5min 15min 30min 1h 4h 1day 1week 1month 1year.
pub const SHIPPED: [(&str, [f32; Timeframe::COUNT], Rule, f32); 5] = [
    ("scalp", [3.0, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], Rule::MeanOfLogits, 0.75),
    ("intraday", [1.0, 2.0, 3.0, 3.0, 2.0, 1.0, 0.5, 0.0, 0.0, 0.0], Rule::MeanOfLogits, 0.6),
    ("swing", [0.0, 0.0, 0.5, 1.0, 2.0, 3.0, 3.0, 1.0, 0.0, 0.0], Rule::MeanOfLogits, 0.6),
    ("position", [0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 3.0, 3.0, 2.0, 1.0], Rule::WeightedMean, 0.5),
    ("full", [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], Rule::WeightedMean, 0.5),
];

impl Ensemble {
    /// One of the five shipped configurations by name.
    pub fn shipped(name: &str) -> Option<Self> {
        let (name, weights, rule, quorum) = SHIPPED.into_iter().find(|(n, ..)| *n == name)?;
        Some(Self { name: Label::literal(name), weights, rule, quorum })
    }

    /// Checks weights and quorum.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn check(&self) -> Result<(), EnsembleFault> {
        for (timeframe, weight) in Timeframe::ALL.into_iter().zip(self.weights) {
            if !weight.is_finite() || weight < 0.0 {
                return Err(EnsembleFault::Weight { name: self.name, timeframe, weight });
            }
        }
        if self.weights.iter().sum::<f32>() <= 0.0 {
            return Err(EnsembleFault::Empty(self.name));
        }
        if !(self.quorum > 0.0 && self.quorum <= 1.0) {
            return Err(EnsembleFault::Quorum { name: self.name, quorum: self.quorum });
        }
        Ok(())
    }

    /// True when the model of that timeframe has a voice.
    pub fn listens_to(&self, timeframe: Timeframe) -> bool {
        self.weights[timeframe.index()] > 0.0
    }

    /// Combines what the members said (in the order of [`Timeframe::ALL`], `None` for the silent) into one
    /// forecast; `None` when less than the quorum of the weight spoke.
    pub fn combine(&self, members: &[Option<Odds>; Timeframe::COUNT]) -> Option<Forecast> {
        let total: f32 = self.weights.iter().sum();
        let (spoken, mask) = self.heard(members);
        if spoken <= 0.0 || spoken < self.quorum * total {
            return None;
        }
        let odds = match self.rule {
            Rule::WeightedMean => self.mean_of_odds(members, spoken),
            Rule::MeanOfLogits => self.mean_of_logits(members, spoken),
        };
        let favourite = odds.favourite();
        let agreeing = self.weight_of(members, favourite);
        let confidence = odds.down.max(odds.flat).max(odds.up);
        Some(Forecast { odds, confidence, agreement: agreeing / spoken, members: mask })
    }

    fn heard(&self, members: &[Option<Odds>; Timeframe::COUNT]) -> (f32, u16) {
        let (mut spoken, mut mask) = (0.0, 0);
        for (i, (member, weight)) in members.iter().zip(self.weights).enumerate() {
            if member.is_some() && weight > 0.0 {
                spoken += weight;
                mask |= 1 << i;
            }
        }
        (spoken, mask)
    }

    fn weight_of(&self, members: &[Option<Odds>; Timeframe::COUNT], favourite: Class) -> f32 {
        let pairs = members.iter().zip(self.weights);
        pairs.filter_map(|(m, w)| m.filter(|m| m.favourite() == favourite).map(|_| w)).sum()
    }

    fn mean_of_odds(&self, members: &[Option<Odds>; Timeframe::COUNT], spoken: f32) -> Odds {
        let mut row = [0.0f32; 3];
        for (member, weight) in members.iter().zip(self.weights) {
            let Some(member) = member else { continue };
            for (sum, p) in row.iter_mut().zip(member.row()) {
                *sum += weight / spoken * p;
            }
        }
        normalised(row)
    }

    fn mean_of_logits(&self, members: &[Option<Odds>; Timeframe::COUNT], spoken: f32) -> Odds {
        let mut row = [0.0f32; 3];
        for (member, weight) in members.iter().zip(self.weights) {
            let Some(member) = member else { continue };
            if weight > 0.0 {
                for (sum, p) in row.iter_mut().zip(member.row()) {
                    *sum += weight / spoken * p.max(ODDS_FLOOR).ln();
                }
            }
        }
        normalised(row.map(f32::exp))
    }
}

fn normalised(row: [f32; 3]) -> Odds {
    let sum: f32 = row.iter().sum();
    Odds::from_row(row.map(|p| p / sum))
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
    }

    proptest! {
        #[test]
        fn a_forecast_is_odds_between_its_members(
            rows in proptest::collection::vec((0.0f32..1.0, 0.0f32..1.0, 0.0f32..1.0, any::<bool>()), 10),
            which in 0usize..5,
        ) {
            let ensemble = Ensemble::shipped(SHIPPED[which].0).expect("listed");
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
