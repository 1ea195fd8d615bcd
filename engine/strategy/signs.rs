//! What a chain says about its underlying, for the feature rows: skew, slope of the term structure, puts over calls, and
//! implied over realised volatility. What cannot be known is left out; the rank of volatility in its year is, since no
//! year of it is kept yet.

use crate::chain::Chain;
use indicators::features::ChainSigns;
use pricing::surface::{Slice, Surface};

/// A month: what implied volatility is read at.
const MONTH: f64 = 30.0 / 365.0;
/// Nearer expiries say more about their last days than about the underlying.
const NEAR_MIN: f64 = 5.0 / 365.0;
/// What the far end of the term structure should be, and its least distance from the near one.
const FAR: f64 = 90.0 / 365.0;
const APART_MIN: f64 = 14.0 / 365.0;

/// The signs of a chain and its surface. `realised` is the underlying's own volatility, a year.
pub fn signs(chain: &Chain, surface: &Surface, realised: Option<f64>) -> ChainSigns {
    let slices = || surface.slices().iter().filter(|s| s.terms.years >= NEAR_MIN);
    let nearest_to = |years: f64| {
        let off = move |s: &&Slice| (s.terms.years - years).abs();
        move |a: &&Slice, b: &&Slice| off(a).total_cmp(&off(b))
    };
    let month = slices().min_by(nearest_to(MONTH));
    let skew = month.and_then(Slice::summary).map(|s| -s.risk_reversal_25 / s.atm_vol);
    let near = slices().next();
    let far = near.and_then(|near| {
        let apart = move |s: &&Slice| s.terms.years - near.terms.years >= APART_MIN;
        slices().filter(apart).min_by(nearest_to(FAR))
    });
    let atm = |s: &Slice| s.smile.vol(0.0, s.terms.years);
    let implied = month.and_then(|_| surface.vol(0.0, MONTH));
    ChainSigns {
        iv_rank: None,
        skew_25d: skew,
        term_ratio: near.zip(far).map(|(near, far)| atm(far) / atm(near)),
        put_call_volume: chain.put_call_ratios().volume,
        implied_over_realised: implied.zip(realised.filter(|r| *r > 0.0)).map(|(i, r)| i / r),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search_test::SPY;
    use market::Right;
    use pricing::european::Terms;
    use pricing::smile::SmilePoint;

    /// A surface whose volatility falls with the strike, and with time.
    fn surface(days: &[u32]) -> Surface {
        let mut surface = Surface::new();
        for days in days {
            let years = f64::from(*days) / 365.0;
            let level = 0.20 - 0.02 * years;
            let point = |i: i32| {
                let k = f64::from(i) / 50.0 * years.sqrt();
                SmilePoint { k, vol: level - 0.1 * k / years.sqrt(), half_spread: 0.002, weight: 1.0 }
            };
            let points: Vec<SmilePoint> = (-20..=20).map(point).collect();
            surface.refit(&Terms::new(100.0, years, 0.04, 0.01), &points).expect("fits");
        }
        surface
    }

    #[test]
    fn a_falling_smile_and_term_structure_are_seen() {
        let mut chain = Chain::new(SPY);
        let mut count = |right, contracts| {
            let c = market::Contract {
                root: SPY,
                expiry: crate::search_test::EXPIRY,
                strike_mils: 560_000,
                right,
            };
            chain.traded(&c, contracts);
        };
        count(Right::Call, 100);
        count(Right::Put, 250);
        let found = signs(&chain, &surface(&[2, 9, 30, 93, 300]), Some(0.1));
        assert_eq!((found.iv_rank, found.put_call_volume), (None, Some(2.5)));
        // A quarter of delta lies two thirds of a deviation out: 2 x 0.1 x 0.67 x 0.2 over 0.2.
        assert!((0.125..0.145).contains(&found.skew_25d.expect("a month is there")), "{found:?}");
        let slope = found.term_ratio.expect("far and near are there");
        assert!((0.95..0.999).contains(&slope), "{found:?}");
        assert!((found.implied_over_realised.expect("both known") - 2.0).abs() < 0.05, "{found:?}");
    }

    #[test]
    fn silence_is_missing() {
        let chain = Chain::new(SPY);
        assert_eq!(signs(&chain, &Surface::new(), Some(0.1)), ChainSigns::default());
        let one = signs(&chain, &surface(&[30]), None);
        assert!(one.skew_25d.is_some() && one.term_ratio.is_none() && one.implied_over_realised.is_none());
        let last_days = signs(&chain, &surface(&[2]), Some(0.1));
        assert_eq!(last_days, ChainSigns::default(), "two days say nothing about a month");
    }
}
