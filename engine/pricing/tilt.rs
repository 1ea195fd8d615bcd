//! A forecast's law of the spot: the surface's law, tilted so that down, flat and up have the forecast's odds.
//!
//! Flat is the middle third of the surface's own law, down what lies below it, up what lies above. Within each of the
//! three the law stays as the surface has it; only their weights become the odds. Of all laws with those odds this is the
//! one nearest to the surface's (least relative entropy; Csiszar 1975), and odds of a third each change nothing: a
//! forecast that knows nothing says what the market says.

use crate::structure::Law;

/// Halvings of the bracket when a quantile is looked for.
const HALVINGS: u32 = 200;

/// The tilted law.
#[derive(Clone, Copy)]
pub struct Tilted<'a> {
    base: &'a dyn Law,
    /// Where flat begins and ends.
    bounds: [f64; 2],
    /// By how much down, flat and up weigh more than the base has them.
    weights: [f64; 3],
}

impl<'a> Tilted<'a> {
    /// The law of `odds` (down, flat, up; made to add up to 1). `None` when they are not odds, or the base has no thirds
    /// (no volatility).
    pub fn new(base: &'a dyn Law, odds: [f64; 3]) -> Option<Self> {
        let sum: f64 = odds.iter().sum();
        if !(odds.iter().all(|p| *p >= 0.0) && sum > 0.0 && sum.is_finite()) {
            return None;
        }
        let bounds = [quantile(base, 1.0 / 3.0)?, quantile(base, 2.0 / 3.0)?];
        let [above_low, above_high] = bounds.map(|bound| base.above(bound));
        let thirds = [1.0 - above_low, above_low - above_high, above_high];
        if thirds.iter().any(|p| p.is_nan() || *p <= 1e-3) {
            return None;
        }
        let weights = [0, 1, 2].map(|i| odds[i] / sum / thirds[i]);
        Some(Self { base, bounds, weights })
    }

    /// Where flat begins and ends, dollars.
    pub const fn flat(&self) -> [f64; 2] {
        self.bounds
    }

    /// The stretches, each with its weight.
    fn stretches(&self) -> [(f64, f64, f64); 3] {
        let ([low, high], [down, flat, up]) = (self.bounds, self.weights);
        [(0.0, low, down), (low, high, flat), (high, f64::INFINITY, up)]
    }

    fn base_above(&self, spot: f64) -> f64 {
        if spot.is_finite() { self.base.above(spot) } else { 0.0 }
    }

    /// `E[max(S - strike, 0); S > from]` under the base, `from` at or above the strike.
    fn beyond(&self, from: f64, strike: f64) -> f64 {
        if !from.is_finite() {
            return 0.0;
        }
        self.base.call(from) + (from - strike) * self.base_above(from)
    }
}

impl Law for Tilted<'_> {
    fn above(&self, spot: f64) -> f64 {
        let of = |(from, to, weight): (f64, f64, f64)| {
            weight * (self.base_above(spot.max(from)) - self.base_above(spot.max(to)))
        };
        self.stretches().into_iter().map(of).sum()
    }

    fn call(&self, strike: f64) -> f64 {
        let of = |(from, to, weight): (f64, f64, f64)| {
            weight * (self.beyond(strike.max(from), strike) - self.beyond(strike.max(to), strike))
        };
        self.stretches().into_iter().map(of).sum()
    }
}

/// The spot below which `share` of a law lies.
fn quantile(law: &dyn Law, share: f64) -> Option<f64> {
    let mean = law.call(0.0);
    if !(mean > 0.0 && mean.is_finite()) {
        return None;
    }
    let (mut low, mut high) = (mean * 1e-3, mean * 1e3);
    for _ in 0..HALVINGS {
        let middle = (low * high).sqrt();
        if 1.0 - law.above(middle) < share { low = middle } else { high = middle }
    }
    Some((low * high).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::structure::Lognormal;
    use proptest::prelude::*;

    const BASE: Lognormal = Lognormal { forward: 101.0, deviation: 0.12 };

    #[test]
    fn a_forecast_that_knows_nothing_changes_nothing() {
        let law = Tilted::new(&BASE, [1.0, 1.0, 1.0]).expect("odds");
        for k in [0.0, 50.0, 90.0, 97.0, 101.0, 105.0, 130.0] {
            assert!((law.above(k) - BASE.above(k)).abs() < 1e-12, "{k}");
            assert!((law.call(k) - BASE.call(k)).abs() < 1e-9, "{k}");
        }
    }

    #[test]
    fn the_thirds_get_the_odds() {
        let law = Tilted::new(&BASE, [0.2, 0.3, 0.5]).expect("odds");
        let [low, high] = law.flat();
        assert!((1.0 - law.above(low) - 0.2).abs() < 1e-9 && (law.above(high) - 0.5).abs() < 1e-9);
        assert!(law.call(0.0) > BASE.call(0.0) + 1.0, "leaning up lifts the mean");
        let down = Tilted::new(&BASE, [1.0, 0.0, 0.0]).expect("odds");
        assert!(down.above(low) < 1e-12 && (down.above(0.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_no_forecast_has_no_law() {
        for odds in [[-0.1, 0.6, 0.5], [0.0; 3], [f64::NAN, 0.5, 0.5], [f64::INFINITY, 0.0, 0.0]] {
            assert!(Tilted::new(&BASE, odds).is_none(), "{odds:?}");
        }
        assert!(Tilted::new(&Lognormal { deviation: 0.0, ..BASE }, [0.3, 0.3, 0.4]).is_none());
    }

    proptest! {
        /// The call is what the tail adds up to: its slope is minus the probability above.
        #[test]
        fn call_and_tail_belong_together(a in 0.01f64..1.0, b in 0.01f64..1.0, c in 0.01f64..1.0, k in 60.0f64..160.0) {
            let law = Tilted::new(&BASE, [a, b, c]).expect("odds");
            // Trapezoids of the tail from the strike up.
            let steps = 4000;
            let h = (400.0 - k) / f64::from(steps);
            let tail: f64 = (0..steps)
                .map(|i| {
                    let x = k + f64::from(i) * h;
                    0.5 * h * (law.above(x) + law.above(x + h))
                })
                .sum();
            prop_assert!((law.call(k) - tail).abs() < 1e-3, "{} {}", law.call(k), tail);
            prop_assert!(law.above(k) >= -1e-12 && law.above(k) <= 1.0 + 1e-12);
        }
    }
}
