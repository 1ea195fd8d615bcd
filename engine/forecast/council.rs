//! An ensemble in session: it weighs its members by what they did lately, listens to fresh answers only, and remembers
//! its last forecast for when too few of them speak. Everything it does follows from what it was told, and when.

use crate::ensemble::{Below, Ensemble, Rule, forecast, heard};
use crate::notes::{ModelNote, Standing};
use crate::{Forecast, Odds, Papers, Plan};
use market::Timestamp;
use market::quote::Timeframe;
use std::sync::Arc;

/// Columns of a stacking model's input.
const COLUMNS: usize = 3 * Timeframe::COUNT;

/// What the members said last, and when; `None` for the silent.
#[derive(Clone, Copy, Debug)]
pub struct Answers<'a> {
    /// The odds.
    pub odds: &'a [Option<Odds>; Timeframe::COUNT],
    /// When each said them.
    pub at: &'a [Timestamp; Timeframe::COUNT],
}

/// A model that is an ensemble's rule.
struct Stack {
    plan: Box<dyn Plan>,
    note: ModelNote,
}

/// An ensemble and what it remembers.
pub struct Council {
    ensemble: Ensemble,
    /// Weights of the voices as set, and as they are now.
    voices: [f32; Timeframe::COUNT],
    weights: [f32; Timeframe::COUNT],
    total: f32,
    required: u16,
    has_stale_limits: bool,
    stack: Option<Stack>,
    /// The last forecast of a full quorum, and when it was made.
    last: Option<(Forecast, Timestamp)>,
    standing: Standing,
}

impl Council {
    /// An ensemble that has heard nothing.
    pub fn new(ensemble: Ensemble) -> Self {
        let voices = ensemble.voices();
        Self {
            voices,
            weights: voices,
            total: voices.iter().sum(),
            required: ensemble.required(),
            has_stale_limits: ensemble.members.iter().any(|member| member.stale_ns.is_some()),
            stack: None,
            last: None,
            standing: Standing::Full,
            ensemble,
        }
    }

    /// Its settings.
    pub const fn ensemble(&self) -> &Ensemble {
        &self.ensemble
    }

    /// Whether its last forecast was what the members said then.
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// The weights as they are now.
    pub const fn weights(&self) -> &[f32; Timeframe::COUNT] {
        &self.weights
    }

    /// The model that is its rule, and its papers.
    pub fn stack(&self) -> Option<(&ModelNote, Option<&Arc<Papers>>)> {
        self.stack.as_ref().map(|stack| (&stack.note, stack.plan.papers()))
    }

    /// True when the model of that name is to be its rule.
    pub fn wants_stack(&self, note: &ModelNote) -> bool {
        self.ensemble.stack == Some(note.name)
    }

    /// Puts the model that is its rule in its place.
    pub fn seat_stack(&mut self, plan: Box<dyn Plan>, note: ModelNote) {
        self.stack = Some(Stack { plan, note });
    }

    /// Weighs the members anew by the factors of their skill, when that is the rule. The sum of the weights stays, so that
    /// a quorum means the same.
    pub fn weigh(&mut self, factors: &[f32; Timeframe::COUNT]) {
        if self.ensemble.rule != Rule::BySkill {
            return;
        }
        let mut weights = self.voices;
        weights.iter_mut().zip(factors).for_each(|(weight, factor)| *weight *= factor);
        let sum: f32 = weights.iter().sum();
        if sum > 0.0 && sum.is_finite() {
            self.weights = weights.map(|weight| weight * self.total / sum);
        }
    }

    /// What the ensemble says now.
    #[inline]
    pub fn combine(&mut self, now: Timestamp, answers: Answers<'_>) -> Option<Forecast> {
        if !self.has_stale_limits {
            return self.combine_fresh(now, answers.odds);
        }
        let mut fresh = *answers.odds;
        for ((odds, at), member) in fresh.iter_mut().zip(answers.at).zip(&self.ensemble.members) {
            if member.stale_ns.is_some_and(|stale_ns| now.since(*at) > stale_ns) {
                *odds = None;
            }
        }
        self.combine_fresh(now, &fresh)
    }

    #[inline]
    fn combine_fresh(
        &mut self,
        now: Timestamp,
        members: &[Option<Odds>; Timeframe::COUNT],
    ) -> Option<Forecast> {
        let heard = heard(&self.weights, members);
        let is_quorate = heard.spoken >= self.ensemble.quorum * self.total
            && heard.members & self.required == self.required;
        let mixed = if heard.spoken > 0.0 { self.mix(members, &heard) } else { None };
        let Some(odds) = mixed.filter(|_| is_quorate || self.ensemble.below == Below::Degrade) else {
            return self.held(now);
        };
        let odds = match &self.ensemble.calibration {
            Some(calibration) => calibration.apply(odds),
            None => odds,
        };
        if is_quorate {
            let said = forecast(odds, &self.weights, members, &heard);
            (self.standing, self.last) = (Standing::Full, Some((said, now)));
            return Some(said);
        }
        self.standing = Standing::Degraded;
        Some(forecast(odds.trusted(heard.spoken / self.total), &self.weights, members, &heard))
    }

    /// By the rule; `None` when that is a model which is not there or gives no odds.
    #[inline]
    fn mix(
        &mut self,
        members: &[Option<Odds>; Timeframe::COUNT],
        heard: &crate::ensemble::Heard,
    ) -> Option<Odds> {
        if self.ensemble.rule != Rule::Stacked {
            return Some(self.ensemble.rule.mix(&self.weights, members, heard));
        }
        let stack = self.stack.as_mut()?;
        let mut row = [0.0f32; COLUMNS];
        for ((columns, member), weight) in row.chunks_exact_mut(3).zip(members).zip(&self.weights) {
            let odds = member.filter(|_| *weight > 0.0).unwrap_or(Odds::EVEN);
            columns.copy_from_slice(&odds.row());
        }
        let mut answer = [0.0; 3];
        let said = stack.plan.predict(&row, &mut answer);
        said.is_ok().then(|| Odds::from_row(answer))
    }

    fn held(&mut self, now: Timestamp) -> Option<Forecast> {
        let Below::Hold(hold_ns) = self.ensemble.below else { return None };
        let (forecast, made) = self.last?;
        if now.since(made) > hold_ns {
            return None;
        }
        self.standing = Standing::Held;
        Some(forecast)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ensemble::{Member, Role, SHIPPED};
    use crate::notes::tests::model;
    use crate::{Class, PlanFault};
    use market::Label;
    use proptest::prelude::*;

    const UP: Odds = Odds { down: 0.1, flat: 0.2, up: 0.7 };
    const DOWN: Odds = Odds { down: 0.6, flat: 0.3, up: 0.1 };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(second)
    }

    fn full(below: Below) -> Ensemble {
        Ensemble { below, ..Ensemble::shipped("full").expect("listed") }
    }

    fn ask(council: &mut Council, second: i64, odds: &[Option<Odds>; 10]) -> Option<Forecast> {
        council.combine(at(second), Answers { odds, at: &[at(second); 10] })
    }

    fn only(speaking: usize, odds: Odds) -> [Option<Odds>; 10] {
        std::array::from_fn(|i| (i < speaking).then_some(odds))
    }

    #[test]
    fn below_the_quorum_there_is_what_was_agreed() {
        let mut nothing = Council::new(full(Below::Nothing));
        assert!(ask(&mut nothing, 0, &only(10, UP)).is_some());
        assert_eq!(ask(&mut nothing, 1, &only(4, UP)), None);

        let mut hold = Council::new(full(Below::Hold(5_000_000_000)));
        assert_eq!(ask(&mut hold, 0, &only(4, UP)), None, "nothing to hold yet");
        let said = ask(&mut hold, 1, &only(5, UP)).expect("half is the quorum");
        assert_eq!((hold.standing(), ask(&mut hold, 6, &only(1, DOWN))), (Standing::Full, Some(said)));
        assert_eq!(hold.standing(), Standing::Held);
        assert_eq!(ask(&mut hold, 7, &only(1, DOWN)), None, "held too long");

        let mut degrade = Council::new(full(Below::Degrade));
        let whole = ask(&mut degrade, 0, &only(10, UP)).expect("all");
        let part = ask(&mut degrade, 1, &only(2, UP)).expect("two");
        assert_eq!((degrade.standing(), part.members), (Standing::Degraded, 0b11));
        assert!((part.odds.up - (0.2 * 0.7 + 0.8 / 3.0)).abs() < 1e-6);
        assert!(part.confidence < whole.confidence);
        assert_eq!(ask(&mut degrade, 2, &[None; 10]), None, "nobody is not a part");
    }

    #[test]
    fn a_required_member_is_missed_and_a_stale_one_is_not_heard() {
        let mut ensemble = full(Below::Nothing);
        ensemble.members[9].role = Role::Required;
        ensemble.members[3].stale_ns = Some(2_000_000_000);
        let mut council = Council::new(ensemble);
        assert_eq!(ask(&mut council, 0, &only(9, UP)), None);
        let mut times = [at(10); 10];
        let all = only(10, UP);
        times[3] = at(8);
        let said = council.combine(at(10), Answers { odds: &all, at: &times }).expect("two seconds");
        assert_eq!(said.members, 0x3ff);
        let said = council.combine(at(11), Answers { odds: &all, at: &times }).expect("nine speak");
        assert_eq!(said.members, 0x3ff & !(1 << 3), "three seconds are too long");
    }

    #[test]
    fn skill_moves_weights_but_not_the_quorum() {
        let ensemble = Ensemble { rule: Rule::BySkill, ..full(Below::Nothing) };
        let mut council = Council::new(ensemble);
        let mut odds = only(10, DOWN);
        odds[0] = Some(UP);
        let even = ask(&mut council, 0, &odds).expect("all");
        assert_eq!(even.odds.favourite(), Class::Down);
        let mut factors = [0.125; 10];
        factors[0] = 8.0;
        council.weigh(&factors);
        assert!((council.weights().iter().sum::<f32>() - 10.0).abs() < 1e-4);
        assert_eq!(ask(&mut council, 1, &odds).expect("all").odds.favourite(), Class::Up);
        odds[0] = None;
        assert_eq!(ask(&mut council, 2, &odds), None, "the one worth listening to is gone");
        let mut plain = Council::new(full(Below::Nothing));
        plain.weigh(&factors);
        assert_eq!(plain.weights(), &[1.0; 10], "no other rule looks at skill");
    }

    /// Says what the first member says.
    struct First;

    impl Plan for First {
        fn predict(&mut self, features: &[f32], out: &mut [f32; 3]) -> Result<(), PlanFault> {
            assert_eq!(features.len(), crate::Schema::of_members().features.len());
            if features[0] > 0.9 {
                return Err(PlanFault::Run);
            }
            out.copy_from_slice(&features[..3]);
            Ok(())
        }
    }

    #[test]
    fn a_stack_is_asked_what_the_members_said() {
        let (rule, stack) = (Rule::Stacked, Some(Label::literal("blend")));
        let mut council = Council::new(Ensemble { rule, stack, ..full(Below::Nothing) });
        let mut odds = only(10, DOWN);
        odds[0] = Some(UP);
        assert_eq!(ask(&mut council, 0, &odds), None, "the rule is not there yet");
        assert!(council.wants_stack(&model("blend")) && !council.wants_stack(&model("other")));
        council.seat_stack(Box::new(First), model("blend"));
        assert_eq!(ask(&mut council, 1, &odds).expect("all").odds, UP);
        odds[0] = None;
        assert_eq!(ask(&mut council, 2, &odds).expect("nine").odds, Odds::EVEN);
        odds[0] = Some(Odds { down: 1.0, flat: 0.0, up: 0.0 });
        assert_eq!(ask(&mut council, 3, &odds), None, "a model that fails makes no forecast");
    }

    #[test]
    fn combined_odds_are_calibrated() {
        let calibration = crate::Calibration::Platt { slope: [1.0; 3], offset: [0.0, 0.0, 2.0] };
        let bent = calibration.apply(DOWN);
        let mut council = Council::new(Ensemble { calibration: Some(calibration), ..full(Below::Nothing) });
        let said = ask(&mut council, 0, &only(10, DOWN)).expect("all");
        assert!((said.odds.up - bent.up).abs() < 1e-6 && said.odds.up > 0.3);
    }

    proptest! {
        /// Goal: a council without anything special says what its ensemble says.
        #[test]
        fn a_plain_council_is_its_ensemble(
            rows in proptest::collection::vec((0.01f32..1.0, 0.0f32..1.0, 0.0f32..1.0, any::<bool>()), 10),
            which in 0usize..5, stale in any::<bool>(),
        ) {
            let mut ensemble = Ensemble { below: Below::Nothing, ..Ensemble::shipped(SHIPPED[which].0).expect("listed") };
            if stale {
                ensemble.members = [Member { stale_ns: Some(1), ..Member::VOICE }; 10];
            }
            let members: [Option<Odds>; 10] = std::array::from_fn(|i| {
                let (a, b, c, speaks) = rows[i];
                let sum = a + b + c;
                speaks.then(|| Odds::from_row([a / sum, b / sum, c / sum]))
            });
            let mut council = Council::new(ensemble.clone());
            prop_assert_eq!(ask(&mut council, 0, &members), ensemble.combine(&members));
        }
    }
}
