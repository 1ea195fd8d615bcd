//! At what price a package can trade against the quotes of its legs. Exact integer arithmetic, no state.
//!
//! A package's **mid** is the sum of its legs' mids, its **half-spread** the sum of their half-spreads; buying
//! it costs at best `mid + k x half-spread` with `k` from the fill model, rounded up to the tick. Real packages
//! rarely trade at mid and rarely need the far side of every leg; `k` says where between. Never at mid: `k` is
//! above zero, and the rounding goes against the trader.

use crate::settings::FillModel;
use arrayvec::ArrayVec;
use market::Price;
use market::order::LEGS_MAX;
use market::quote::Level;

/// One leg and the two sides of its quote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuotedLeg {
    /// Contracts or shares in a unit, signed: positive bought.
    pub signed_ratio: i64,
    pub bid: Level,
    pub ask: Level,
    /// What nobody has taken yet of the side this leg needs.
    pub left: u32,
}

/// Legs with good quotes.
pub(crate) type QuotedLegs = ArrayVec<QuotedLeg, LEGS_MAX>;

impl QuotedLeg {
    const fn ratio(&self) -> i64 {
        self.signed_ratio.abs()
    }
    /// Twice the mid, in price units.
    const fn mid2(&self) -> i64 {
        self.bid.price.units() + self.ask.price.units()
    }
    /// Twice the half-spread, in price units.
    const fn half2(&self) -> i64 {
        self.ask.price.units() - self.bid.price.units()
    }
    const fn needed_side(&self) -> Level {
        if self.signed_ratio > 0 { self.ask } else { self.bid }
    }
}

/// Twice the package's mid, in price units per unit.
fn mid2(legs: &[QuotedLeg]) -> i64 {
    legs.iter().map(|leg| leg.signed_ratio * leg.mid2()).sum()
}

/// Twice the package's half-spread, in price units per unit; never negative for uncrossed quotes.
fn half2(legs: &[QuotedLeg]) -> i64 {
    legs.iter().map(|leg| leg.ratio() * leg.half2()).sum()
}

/// The net price at the far side of every leg: what a package costs at once.
pub(crate) fn natural(legs: &[QuotedLeg]) -> Price {
    legs.iter().map(|leg| leg.needed_side().price * leg.signed_ratio).sum()
}

/// Whole units still shown: what the scarcest leg allows.
pub(crate) fn units_left(legs: &[QuotedLeg]) -> u32 {
    legs.iter().map(|leg| i64::from(leg.left) / leg.ratio().max(1)).min().unwrap_or(0) as u32
}

/// Whole units shown when the quotes were made.
fn units_shown(legs: &[QuotedLeg]) -> i64 {
    legs.iter().map(|leg| i64::from(leg.needed_side().size) / leg.ratio().max(1)).min().unwrap_or(0)
}

/// `k` of an order that wants `units` and has worked for `rested_ns`, in basis points of the half-spread.
pub(crate) fn k_bps(model: FillModel, legs: &[QuotedLeg], units: u32, rested_ns: i64) -> i64 {
    let FillModel::HalfSpread { near_bps, far_bps, relief_bps, relief_after_ns } = model else {
        return 10_000;
    };
    let share_bps = (i64::from(units) * 10_000 / units_shown(legs).max(1)).min(10_000);
    let patience_ns = i128::from(rested_ns.clamp(0, relief_after_ns.max(1)));
    let relief = i128::from(relief_bps) * patience_ns / i128::from(relief_after_ns.max(1));
    let k = near_bps + (far_bps - near_bps) * share_bps / 10_000 - relief as i64;
    k.clamp(near_bps, far_bps)
}

/// The best net price per unit the model grants at `k`: rounded up to `tick`, never beyond the far side.
pub(crate) fn model_price(legs: &[QuotedLeg], k_bps: i64, tick: Price) -> Price {
    let twice = i128::from(mid2(legs)) * 10_000 + i128::from(half2(legs)) * i128::from(k_bps);
    let step = i128::from(tick.units()) * 20_000;
    let rounded_up = -(-twice).div_euclid(step) * i128::from(tick.units());
    Price::from_units(rounded_up as i64).min(natural(legs))
}

/// A price for each leg so that they add up to `net` exactly: each as far from its mid as the package is, in
/// cents, and what rounding leaves over on the legs that can bear it. `None` when no such prices without a
/// negative one are found; then the package does not trade.
pub(crate) fn leg_prices(legs: &[QuotedLeg], net: Price) -> Option<ArrayVec<Price, LEGS_MAX>> {
    let (mid2, half2) = (mid2(legs), half2(legs));
    let off2 = i128::from(2 * net.units() - mid2);
    let mut prices: ArrayVec<i64, LEGS_MAX> = legs
        .iter()
        .map(|leg| {
            let own = i128::from(leg.half2() * leg.signed_ratio.signum());
            let shift2 = if half2 == 0 { 0 } else { own * off2 / i128::from(half2) };
            let price = (i128::from(leg.mid2()) + shift2) / 2;
            ((price + 50).div_euclid(100) * 100).max(0) as i64
        })
        .collect();
    spread_residual(legs, &mut prices, net)?;
    Some(prices.into_iter().map(Price::from_units).collect())
}

fn residual(legs: &[QuotedLeg], prices: &[i64], net: Price) -> i64 {
    net.units() - legs.iter().zip(prices).map(|(leg, price)| leg.signed_ratio * price).sum::<i64>()
}

/// Puts what is missing to `net` on the legs, the smallest ratios first.
fn spread_residual(legs: &[QuotedLeg], prices: &mut [i64], net: Price) -> Option<()> {
    let mut order: ArrayVec<usize, LEGS_MAX> = (0..legs.len()).collect();
    order.sort_by_key(|i| (legs[*i].ratio(), -legs[*i].half2()));
    for i in &order {
        let step = residual(legs, prices, net) / legs[*i].signed_ratio;
        prices[*i] = (prices[*i] + step).max(0);
    }
    if residual(legs, prices, net) == 0 {
        return Some(());
    }
    // No leg of ratio 1 could take the rest: two legs with coprime ratios can, by a few units each.
    for i in 0..legs.len() {
        for j in 0..legs.len() {
            if i != j && share_residual(legs, prices, net, i, j) {
                return Some(());
            }
        }
    }
    None
}

fn share_residual(legs: &[QuotedLeg], prices: &mut [i64], net: Price, i: usize, j: usize) -> bool {
    let rest = residual(legs, prices, net);
    for step in 0..legs[j].ratio() {
        let left = rest - step * legs[i].signed_ratio;
        if left % legs[j].signed_ratio == 0 {
            let other = prices[j] + left / legs[j].signed_ratio;
            if other >= 0 {
                prices[i] += step;
                prices[j] = other;
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leg(signed_ratio: i64, bid_cents: i64, ask_cents: i64, size: u32) -> QuotedLeg {
        let level = |cents| Level { price: Price::from_cents(cents), size };
        QuotedLeg { signed_ratio, bid: level(bid_cents), ask: level(ask_cents), left: size }
    }

    #[test]
    fn a_bull_put_spread() {
        // Sell at 4.10/4.20, buy at 2.90/3.00: mid -1.20, half-spread 0.10, natural -1.10.
        let legs = [leg(-1, 410, 420, 10), leg(1, 290, 300, 10)];
        assert_eq!(natural(&legs), Price::from_cents(-110));
        let model = FillModel::ordinary();
        assert_eq!(k_bps(model, &legs, 10, 0), 7_500);
        assert_eq!(k_bps(model, &legs, 1, 0), 4_350);
        assert_eq!(k_bps(model, &legs, 10, i64::MAX), 6_000);
        assert_eq!(k_bps(model, &legs, 1, i64::MAX), 4_000);
        assert_eq!(k_bps(FillModel::Stress, &legs, 1, i64::MAX), 10_000);
        // -1.20 + 0.40 x 0.10 = -1.16; 0.435 x 0.10 = 0.0435 is rounded up to the cent: -1.15.
        assert_eq!(model_price(&legs, 4_000, Price::CENT), Price::from_cents(-116));
        assert_eq!(model_price(&legs, 4_350, Price::CENT), Price::from_cents(-115));
        assert_eq!(model_price(&legs, 10_000, Price::CENT), Price::from_cents(-110));
        let prices = leg_prices(&legs, Price::from_cents(-116)).expect("prices");
        assert_eq!(prices[1] - prices[0], Price::from_cents(-116));
    }

    #[test]
    fn the_scarcest_leg_limits_the_units() {
        let legs = [leg(-2, 410, 420, 9), leg(1, 290, 300, 10)];
        assert_eq!(units_left(&legs), 4);
    }

    prop_compose! {
        fn any_leg()(ratio in prop::sample::select(vec![-3i64, -2, -1, 1, 2, 3]), bid in 1i64..3000,
                     spread in 0i64..80, size in 1u32..50) -> QuotedLeg {
            leg(ratio, bid, bid + spread, size)
        }
    }

    proptest! {
        #[test]
        fn between_mid_and_far_and_exact(legs in prop::collection::vec(any_leg(), 1..=4), units in 1u32..60, rested in 0i64..100_000_000_000) {
            let k = k_bps(FillModel::ordinary(), &legs, units, rested);
            let price = model_price(&legs, k, Price::CENT);
            prop_assert!(price <= natural(&legs));
            if half2(&legs) > 0 {
                prop_assert!(2 * price.units() > mid2(&legs), "at or better than mid");
            }
            if let Some(prices) = leg_prices(&legs, price) {
                let sum: Price = legs.iter().zip(&prices).map(|(l, p)| *p * l.signed_ratio).sum();
                prop_assert_eq!(sum, price);
                prop_assert!(prices.iter().all(|p| *p >= Price::ZERO));
            } else {
                // Only possible without a common divisor of 1, which no accepted order has.
                let gcd = legs.iter().fold(0, |g, l| gcd(g, l.ratio()));
                prop_assert!(gcd > 1 || legs.len() > 2, "no prices found");
            }
        }
    }

    fn gcd(a: i64, b: i64) -> i64 {
        if b == 0 { a } else { gcd(b, a % b) }
    }
}
