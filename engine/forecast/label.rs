//! What a price did after a moment: down, flat or up. One rule for training, which names the class of a past row by
//! it, and for scoring, which names what a live forecast should have said.
//!
//! A [`Course`] is followed bar by bar and ends in a class. Distances are in average true ranges at the moment of
//! the forecast times the root of the horizon, since moves grow with the root of time.

use crate::Class;
use market::quote::Bar;

/// How the class of a moment is decided.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum LabelRule {
    /// By the close at the end of the horizon alone.
    Horizon {
        /// A move beyond this is down or up; in average true ranges times the root of the horizon.
        threshold_atr: f64,
    },
    /// By the barrier that the price touches first; flat when it touches none within the horizon.
    TripleBarrier {
        /// How far above the close the upper barrier lies, in average true ranges times the root of the horizon.
        up_atr: f64,
        /// How far below it the lower one lies, in the same measure.
        down_atr: f64,
    },
}

impl LabelRule {
    /// What is wrong with the rule, if anything.
    pub fn fault(&self) -> Option<String> {
        let named = match *self {
            Self::Horizon { threshold_atr } => [("threshold_atr", threshold_atr); 2],
            Self::TripleBarrier { up_atr, down_atr } => [("up_atr", up_atr), ("down_atr", down_atr)],
        };
        let wrong = named.into_iter().find(|(_, value)| !(value.is_finite() && *value > 0.0));
        wrong.map(|(name, value)| format!("{name} is {value}"))
    }
}

/// A price followed from a moment on, until its class is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Course {
    /// Prices beyond which it is down or up, dollars.
    lower: f64,
    upper: f64,
    /// True when any touch ends it.
    stops_at_touch: bool,
    bars_left: u32,
}

impl Course {
    /// From a bar's close on, for `horizon_bars` bars of the same timeframe. `close` and `atr`, the average true range
    /// of the finished bars, are in dollars. `None` when the range is not above 0 or the horizon is empty: then no
    /// move can be told from no move.
    pub fn new(rule: &LabelRule, horizon_bars: u32, close: f64, atr: f64) -> Option<Self> {
        if !(atr > 0.0 && atr.is_finite() && close.is_finite() && horizon_bars > 0) {
            return None;
        }
        let unit = atr * f64::from(horizon_bars).sqrt();
        let (down, up, stops_at_touch) = match *rule {
            LabelRule::Horizon { threshold_atr } => (threshold_atr, threshold_atr, false),
            LabelRule::TripleBarrier { up_atr, down_atr } => (down_atr, up_atr, true),
        };
        Some(Self {
            lower: close - down * unit,
            upper: close + up * unit,
            stops_at_touch,
            bars_left: horizon_bars,
        })
    }

    /// Takes the next closed bar; its class when that is known now. After that it must not be asked again.
    pub fn follow(&mut self, bar: &Bar) -> Option<Class> {
        let dollars = |price: market::Price| price.dollars();
        self.follow_prices(dollars(bar.open), dollars(bar.high), dollars(bar.low), dollars(bar.close))
    }

    /// As [`Course::follow`], of prices in dollars.
    pub fn follow_prices(&mut self, open: f64, high: f64, low: f64, close: f64) -> Option<Class> {
        self.bars_left = self.bars_left.saturating_sub(1);
        if self.stops_at_touch {
            let touched = self.touched(open, high, low);
            return if touched.is_none() && self.bars_left == 0 { Some(Class::Flat) } else { touched };
        }
        (self.bars_left == 0).then(|| self.side(close))
    }

    fn side(&self, price: f64) -> Class {
        if price < self.lower {
            Class::Down
        } else if price > self.upper {
            Class::Up
        } else {
            Class::Flat
        }
    }

    /// Which barrier the bar touched. When it touched both, which came first is not known: the one nearer to its open
    /// is taken, and neither when both are as near.
    fn touched(&self, open: f64, high: f64, low: f64) -> Option<Class> {
        match (low < self.lower, high > self.upper) {
            (false, false) => None,
            (true, false) => Some(Class::Down),
            (false, true) => Some(Class::Up),
            (true, true) => {
                let (below, above) = (open - self.lower, self.upper - open);
                Some(if below < above {
                    Class::Down
                } else if above < below {
                    Class::Up
                } else {
                    Class::Flat
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HORIZON: LabelRule = LabelRule::Horizon { threshold_atr: 0.5 };
    const BARRIERS: LabelRule = LabelRule::TripleBarrier { up_atr: 1.0, down_atr: 0.5 };

    fn class(rule: &LabelRule, bars: &[[f64; 4]]) -> Option<(usize, Class)> {
        let mut course = Course::new(rule, 4, 100.0, 1.0).expect("a range");
        let mut each = bars.iter().enumerate();
        each.find_map(|(i, [o, h, l, c])| course.follow_prices(*o, *h, *l, *c).map(|class| (i, class)))
    }

    fn closes(closes: [f64; 4]) -> Vec<[f64; 4]> {
        closes.map(|close| [close; 4]).to_vec()
    }

    #[test]
    fn the_horizon_looks_at_its_last_close_alone() {
        // 0.5 ATR times the root of 4 bars is one dollar.
        for (last, wanted) in
            [(98.99, Class::Down), (99.0, Class::Flat), (101.0, Class::Flat), (101.01, Class::Up)]
        {
            assert_eq!(class(&HORIZON, &closes([150.0, 50.0, 100.0, last])), Some((3, wanted)), "{last}");
        }
        assert_eq!(class(&HORIZON, &closes([1.0; 4])[..3]), None);
    }

    #[test]
    fn the_first_barrier_touched_decides() {
        // Barriers at 99 and 102.
        let touch = |bars: &[[f64; 4]]| class(&BARRIERS, bars);
        assert_eq!(touch(&[[100.0, 101.0, 98.9, 101.0]]), Some((0, Class::Down)));
        assert_eq!(touch(&[[100.0, 101.9, 99.1, 101.0], [101.0, 102.1, 100.0, 100.0]]), Some((1, Class::Up)));
        assert_eq!(touch(&closes([101.9, 99.1, 101.9, 99.1])), Some((3, Class::Flat)));
        assert_eq!(touch(&[[100.0, 103.0, 98.0, 103.0]]), Some((0, Class::Down)), "nearer to the open");
        assert_eq!(touch(&[[101.0, 103.0, 98.0, 99.0]]), Some((0, Class::Up)));
        assert_eq!(touch(&[[100.5, 103.0, 98.0, 99.0]]), Some((0, Class::Flat)), "nobody knows");
    }

    #[test]
    fn without_a_range_there_is_no_class() {
        for (horizon, atr) in [(0, 1.0), (1, 0.0), (1, f64::NAN), (1, f64::INFINITY)] {
            assert_eq!(Course::new(&HORIZON, horizon, 100.0, atr), None);
        }
        assert_eq!(HORIZON.fault(), None);
        let bad = LabelRule::TripleBarrier { up_atr: 1.0, down_atr: f64::NAN };
        assert!(bad.fault().expect("named").contains("down_atr"));
    }

    proptest! {
        #[test]
        fn a_mirrored_price_has_the_mirrored_class(
            moves in proptest::collection::vec(-1.0f64..1.0, 5), wide in 0.1f64..1.0,
        ) {
            let same = LabelRule::TripleBarrier { up_atr: wide, down_atr: wide };
            for rule in [LabelRule::Horizon { threshold_atr: wide }, same] {
                let mut course = Course::new(&rule, 5, 0.0, 1.0).expect("a range");
                let mut mirror = course;
                let mut price = 0.0;
                for step in &moves {
                    let open = price;
                    price += step;
                    let (high, low) = (open.max(price) + 0.05, open.min(price) - 0.05);
                    let one = course.follow_prices(open, high, low, price);
                    let two = mirror.follow_prices(-open, -low, -high, -price);
                    let mirrored = one.map(|class| match class {
                        Class::Down => Class::Up,
                        Class::Flat => Class::Flat,
                        Class::Up => Class::Down,
                    });
                    prop_assert_eq!(two, mirrored);
                    if one.is_some() {
                        break;
                    }
                }
            }
        }
    }
}
