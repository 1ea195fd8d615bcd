//! Predictions waiting for what then happens. A prediction goes in as its bar closes, the bars that follow go in one
//! by one, and when the horizon of its label ends a [`Scored`] comes out. Bounded, and allocates nothing once made.

use crate::label::{Course, LabelRule};
use crate::notes::ModelNote;
use crate::{Odds, Scored};
use market::quote::{Bar, Timeframe};
use market::{Symbol, Timestamp};

/// A prediction made at the close of a bar.
#[derive(
    Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct Prediction {
    /// Who makes it; its timeframe is that of the bars that follow.
    pub model: ModelNote,
    /// Of which symbol.
    pub symbol: Symbol,
    /// When it was made.
    pub at: Timestamp,
    /// Start of the bar at whose close it was made: later bars decide its outcome.
    pub bar: Timestamp,
    /// The close of that bar, dollars.
    pub close: f64,
    /// Average true range of the finished bars, dollars.
    pub atr: f64,
    /// What was said.
    pub odds: Odds,
    /// How its outcome is decided.
    pub rule: LabelRule,
    /// How many bars ahead it looks.
    pub horizon_bars: u32,
}

struct Waiting {
    prediction: Prediction,
    course: Course,
    /// Start of the newest bar its course has taken.
    seen: Timestamp,
}

/// Predictions that wait for their outcome.
pub struct Outcomes {
    waiting: Vec<Waiting>,
    most: usize,
    dropped: u64,
}

impl Outcomes {
    /// Room for `most` predictions; when there are more, the oldest is dropped and counted.
    pub fn new(most: usize) -> Self {
        Self { waiting: Vec::with_capacity(most), most, dropped: 0 }
    }

    /// Takes a prediction. One whose range is not known cannot be judged and is left out.
    pub fn predict(&mut self, prediction: Prediction) {
        let Prediction { rule, horizon_bars, close, atr, .. } = prediction;
        let course = Course::new(&rule, horizon_bars, close, atr);
        let Some(course) = course.filter(|_| self.most > 0) else { return };
        if self.waiting.len() == self.most {
            self.waiting.remove(0);
            self.dropped += 1;
        }
        self.waiting.push(Waiting { prediction, course, seen: prediction.bar });
    }

    /// Takes a bar that closed at `now`; tells every prediction whose outcome it decides, oldest first. A bar that is not
    /// newer than those a prediction has seen says nothing about it, so bars may be given twice.
    pub fn closed(
        &mut self,
        symbol: &Symbol,
        timeframe: Timeframe,
        bar: &Bar,
        now: Timestamp,
        mut tell: impl FnMut(Scored),
    ) {
        self.waiting.retain_mut(|one| {
            let prediction = &one.prediction;
            if prediction.model.timeframe != timeframe
                || prediction.symbol != *symbol
                || bar.start <= one.seen
            {
                return true;
            }
            one.seen = bar.start;
            let Some(outcome) = one.course.follow(bar) else { return true };
            let Prediction { model, symbol, at, odds, .. } = *prediction;
            tell(Scored { model, symbol, at, due: now, odds, outcome });
            false
        });
    }

    /// How many wait.
    pub const fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many were dropped because there were too many.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Class;
    use crate::notes::tests::model;
    use market::{Money, Price};
    use proptest::prelude::*;

    fn bar(minute: i64, cents: i64) -> Bar {
        let price = Price::from_cents(cents);
        Bar {
            start: Timestamp::from_seconds(60 * minute),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 1,
            trades: 1,
            turnover: Money::ZERO,
            repaired: false,
        }
    }

    fn prediction(name: &str, minute: i64, cents: i64, horizon_bars: u32) -> Prediction {
        let close = cents as f64 / 100.0;
        Prediction {
            model: model(name),
            symbol: Symbol::literal("SPY"),
            at: Timestamp::from_seconds(60 * (minute + 1)),
            bar: Timestamp::from_seconds(60 * minute),
            close,
            atr: 1.0,
            odds: Odds { down: 0.2, flat: 0.3, up: 0.5 },
            rule: LabelRule::Horizon { threshold_atr: 0.5 },
            horizon_bars,
        }
    }

    fn close(outcomes: &mut Outcomes, bar: &Bar) -> Vec<Scored> {
        let mut told = Vec::new();
        let timeframe = model("m").timeframe;
        let now = bar.start + 60_000_000_000;
        outcomes.closed(&Symbol::literal("SPY"), timeframe, bar, now, |one| told.push(one));
        told
    }

    #[test]
    fn an_outcome_comes_when_the_horizon_ends() {
        let mut outcomes = Outcomes::new(8);
        outcomes.predict(prediction("m", 5, 10_000, 2));
        assert!(close(&mut outcomes, &bar(5, 20_000)).is_empty(), "its own bar");
        assert!(close(&mut outcomes, &bar(6, 20_000)).is_empty());
        assert!(close(&mut outcomes, &bar(6, 20_000)).is_empty(), "the same again");
        let other = Symbol::literal("QQQ");
        outcomes.closed(&other, model("m").timeframe, &bar(7, 0), Timestamp::MIN, |_| unreachable!());
        outcomes.closed(
            &Symbol::literal("SPY"),
            Timeframe::Year1,
            &bar(7, 0),
            Timestamp::MIN,
            |_| unreachable!(),
        );
        let told = close(&mut outcomes, &bar(7, 10_100));
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].outcome, told[0].model), (Class::Up, model("m")));
        assert_eq!((told[0].at, told[0].due), (Timestamp::from_seconds(360), Timestamp::from_seconds(480)));
        assert_eq!((outcomes.waiting(), outcomes.dropped()), (0, 0));
    }

    #[test]
    fn it_is_bounded() {
        let mut outcomes = Outcomes::new(2);
        for minute in 0..5 {
            outcomes.predict(prediction("m", minute, 10_000, 9));
        }
        assert_eq!((outcomes.waiting(), outcomes.dropped()), (2, 3));
        let capacity = outcomes.waiting.capacity();
        assert_eq!(capacity, 2, "no room was added");
        outcomes.predict(Prediction { atr: 0.0, ..prediction("m", 9, 1, 9) });
        assert_eq!(outcomes.dropped(), 3, "what cannot be judged drives nobody out");
    }

    proptest! {
        /// Against the definition: the class by the close `horizon` bars later, told at that bar, once.
        #[test]
        fn each_prediction_is_told_once_in_time(
            cents in proptest::collection::vec(9_000i64..11_000, 1..60), horizon in 1u32..7,
        ) {
            let mut outcomes = Outcomes::new(16);
            let mut told = Vec::new();
            for (minute, now) in cents.iter().enumerate() {
                told.extend(close(&mut outcomes, &bar(minute as i64, *now)));
                outcomes.predict(prediction("m", minute as i64, *now, horizon));
            }
            let ahead = horizon as usize;
            prop_assert_eq!(told.len(), cents.len().saturating_sub(ahead));
            for (i, one) in told.iter().enumerate() {
                let moved = (cents[i + ahead] - cents[i]) as f64 / 100.0;
                let bound = 0.5 * f64::from(horizon).sqrt();
                if (moved.abs() - bound).abs() > 1e-9 {
                    let wanted = if moved > bound { Class::Up } else if moved < -bound { Class::Down } else { Class::Flat };
                    prop_assert_eq!(one.outcome, wanted);
                }
                prop_assert_eq!(one.at, Timestamp::from_seconds(60 * (i as i64 + 1)));
            }
        }
    }
}
