//! All that is said of a set of legs at one price: what it gains and loses, where it turns, its odds under the surface's
//! law and under a forecast's, its Greeks and its margin under Regulation T.
//!
//! Over several expiries everything is of the first one, with the later options at today's volatilities; that is when
//! the engine is out at the latest.

use crate::european::{Greeks, Terms};
use crate::structure::{
    Extreme, Kind, Law, NakedRates, Profile, StructureLeg, net, reg_t_margin, structure_greeks,
};
use crate::tilt::Tilted;
use crate::touch::{probability_of_either, probability_of_touch};

/// The market a set is looked at in.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// Price of the underlying, dollars.
    pub spot: f64,
    /// Risk-free rate, decimal a year.
    pub rate: f64,
    /// Dividend yield, decimal a year.
    pub dividend_yield: f64,
    /// The law of the spot on the set's first expiry.
    pub law: &'a dyn Law,
    /// A forecast's odds of down, flat and up, when there is one.
    pub odds: Option<[f64; 3]>,
    /// What naked shorts ask.
    pub naked: NakedRates,
}

/// Probability of profit and expected profit under one law.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Odds {
    /// Probability of a profit, 0 to 1.
    pub profit: f64,
    /// Expected profit, dollars.
    pub expected: f64,
}

/// What is said of a set. Dollars of one unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// What it costs at mid; below zero is a credit.
    pub mid: f64,
    /// What it costs at the far side of every leg.
    pub natural: f64,
    /// The price looked at, between the two.
    pub cost: f64,
    /// Years to its first expiry.
    pub years: f64,
    /// Profit and loss on that day, from the price asked for.
    pub profile: Profile,
    /// The most it gains.
    pub max_profit: Extreme,
    /// The most it loses on that day.
    pub max_loss: Extreme,
    /// Where gain turns to loss or back, rising.
    pub breakevens: Vec<f64>,
    /// Under the surface's law.
    pub odds: Odds,
    /// Under the forecast's law; `None` without a forecast.
    pub forecast: Option<Odds>,
    /// Probability that the spot touches a short strike (without one: a breakeven) before the first expiry, the nearest
    /// on either side; `None` when there is neither.
    pub touch: Option<f64>,
    /// Its Greeks now, in dollars.
    pub greeks: Greeks,
    /// What Regulation T asks before any credit, dollars.
    pub reg_t: f64,
}

/// The outlook of a set bought (or sold) at `share` of the way from mid (0) to natural (1). `None` without options.
pub fn outlook(legs: &[StructureLeg], share: f64, scene: &Scene<'_>) -> Option<Outlook> {
    let Scene { spot, rate, dividend_yield, law, .. } = *scene;
    let years = legs.iter().filter_map(|l| l.years()).reduce(f64::min)?;
    let cost = net(legs, share);
    let curve = || Profile::at_first_expiry(legs, cost, spot, rate, dividend_yield);
    let profile = Profile::new(legs, cost).or_else(curve)?;
    let under =
        |law: &dyn Law| Odds { profit: profile.probability_of_profit(law), expected: profile.expected(law) };
    let breakevens = profile.breakevens();
    let forecast = scene.odds.and_then(|odds| Tilted::new(law, odds)).map(|law| under(&law));
    let terms = Terms::new(spot, years, rate, dividend_yield);
    Some(Outlook {
        mid: net(legs, 0.0),
        natural: net(legs, 1.0),
        cost,
        years,
        max_profit: profile.max_profit(),
        max_loss: profile.max_loss(),
        odds: under(law),
        forecast,
        touch: touch(legs, &breakevens, &terms),
        greeks: structure_greeks(legs, spot, rate, dividend_yield),
        reg_t: reg_t_margin(legs, spot, scene.naked),
        breakevens,
        profile,
    })
}

/// The probability of touching the nearest short strike on either side, else the nearest breakeven.
fn touch(legs: &[StructureLeg], breakevens: &[f64], terms: &Terms) -> Option<f64> {
    let vols = || legs.iter().filter_map(|l| Some((l.strike()?, l.vol()?)));
    let shorts: Vec<f64> = legs.iter().filter(|l| l.shares < 0.0).filter_map(StructureLeg::strike).collect();
    let barriers = if shorts.is_empty() { breakevens } else { &shorts };
    // The volatility of the option struck nearest to the barrier.
    let vol_at = |barrier: f64| {
        let nearest = vols().min_by(|a, b| (a.0 - barrier).abs().total_cmp(&(b.0 - barrier).abs()));
        nearest.map(|(_, vol)| vol)
    };
    let below = barriers.iter().copied().filter(|k| *k <= terms.spot).reduce(f64::max);
    let above = barriers.iter().copied().filter(|k| *k >= terms.spot).reduce(f64::min);
    match (below, above) {
        (Some(low), Some(high)) => {
            let vol = 0.5 * (vol_at(low)? + vol_at(high)?);
            Some(probability_of_either(terms, low, high, vol))
        }
        (Some(one), None) | (None, Some(one)) => Some(probability_of_touch(terms, one, vol_at(one)?)),
        (None, None) => None,
    }
}

impl StructureLeg {
    /// Years to an option's expiry.
    pub fn years(&self) -> Option<f64> {
        match self.kind {
            Kind::Option { years, .. } => Some(years),
            Kind::Stock => None,
        }
    }

    /// An option's volatility.
    pub fn vol(&self) -> Option<f64> {
        match self.kind {
            Kind::Option { vol, .. } => Some(vol),
            Kind::Stock => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::european::greeks;
    use crate::structure::{Lognormal, best_at_first_expiry, value_at};
    use market::Right::{Call, Put};

    const SPOT: f64 = 100.0;

    fn leg(right: market::Right, strike: f64, years: f64, contracts: f64) -> StructureLeg {
        let vol = 0.2;
        let price = greeks(right, &Terms::new(SPOT, years, 0.03, 0.0), strike, vol).price;
        let kind = Kind::Option { right, strike, years, vol };
        StructureLeg { kind, shares: 100.0 * contracts, bid: price - 0.02, ask: price + 0.02 }
    }

    fn look(legs: &[StructureLeg], odds: Option<[f64; 3]>) -> Outlook {
        let years = legs.iter().filter_map(StructureLeg::years).fold(f64::INFINITY, f64::min);
        let law = Lognormal::of(&Terms::new(SPOT, years, 0.03, 0.0), 0.2);
        let naked = NakedRates::STOCK;
        let scene = Scene { spot: SPOT, rate: 0.03, dividend_yield: 0.0, law: &law, odds, naked };
        outlook(legs, 0.0, &scene).expect("has options")
    }

    fn condor() -> [StructureLeg; 4] {
        [
            leg(Put, 90.0, 0.1, 1.0),
            leg(Put, 95.0, 0.1, -1.0),
            leg(Call, 105.0, 0.1, -1.0),
            leg(Call, 110.0, 0.1, 1.0),
        ]
    }

    #[test]
    fn a_condor_is_worth_nothing_on_average_and_loses_its_width_at_most() {
        let seen = look(&condor(), None);
        assert!((seen.natural - seen.mid - 8.0).abs() < 1e-9, "two cents a leg and share");
        let credit = -seen.mid;
        assert_eq!(seen.max_profit, Extreme::Limited(credit));
        let Extreme::Limited(loss) = seen.max_loss else { panic!("limited") };
        assert!((loss - (500.0 - credit)).abs() < 1e-9 && (seen.reg_t - 500.0).abs() < 1e-9);
        // Sold at its value under its own law: what is left is the interest on the credit, which is not carried.
        assert!(seen.odds.expected.abs() < 0.01 * credit, "{:?} {credit}", seen.odds);
        let [low, high] = seen.breakevens[..] else { panic!("two breakevens") };
        assert!(
            (low - (95.0 - credit / 100.0)).abs() < 1e-9 && (high - (105.0 + credit / 100.0)).abs() < 1e-9
        );
        let touch = seen.touch.expect("short strikes");
        assert!(touch > 1.0 - seen.odds.profit && touch < 1.0, "{touch}");
        assert!(seen.greeks.theta > 0.0 && seen.greeks.vega < 0.0);
    }

    #[test]
    fn a_forecast_moves_the_odds_its_way() {
        let of = |odds| look(&condor(), Some(odds)).forecast.expect("odds");
        let plain = look(&condor(), None).odds;
        let same = of([1.0, 1.0, 1.0]);
        assert!((same.profit - plain.profit).abs() < 1e-9 && (same.expected - plain.expected).abs() < 1e-6);
        assert!(of([0.1, 0.8, 0.1]).expected > plain.expected + 10.0, "a condor likes flat");
        let bull = [leg(Put, 95.0, 0.1, -1.0), leg(Put, 90.0, 0.1, 1.0)];
        let at = |odds| look(&bull, Some(odds)).forecast.expect("odds");
        assert!(at([0.1, 0.3, 0.6]).profit > at([0.6, 0.3, 0.1]).profit);
        assert!(look(&bull, Some([-1.0, 0.0, 0.0])).forecast.is_none(), "no odds, no forecast");
    }

    #[test]
    fn a_calendar_is_judged_on_its_first_expiry() {
        let set = [leg(Call, 100.0, 0.1, -1.0), leg(Call, 100.0, 0.2, 1.0)];
        let seen = look(&set, None);
        assert_eq!((seen.years, seen.reg_t), (0.1, 0.0));
        let Extreme::Limited(best) = seen.max_profit else { panic!("limited") };
        let exact = value_at(&set, 100.0, 0.1, 0.03, 0.0) - seen.mid;
        assert!((best - exact).abs() < 1e-9, "at the strike: {best} {exact}");
        assert_eq!(seen.profile.best_spot(), Some(100.0));
        assert_eq!(best_at_first_expiry(&set, SPOT, 0.03, 0.0), Some(Extreme::Limited(best + seen.mid)));
        let [low, high] = seen.breakevens[..] else { panic!("two breakevens: {:?}", seen.breakevens) };
        for at in [low, high] {
            let there = value_at(&set, at, 0.1, 0.03, 0.0) - seen.mid;
            assert!(there.abs() < 0.05, "the curve is near enough at {at}: {there}");
        }
        assert!(seen.odds.profit > 0.3 && seen.odds.profit < 0.7, "{:?}", seen.odds);
        assert!(seen.odds.expected.abs() < 5.0, "fair under its own law: {:?}", seen.odds);
        // The other way round the short leg outlives its cover.
        let naked = [leg(Call, 100.0, 0.1, 1.0), leg(Call, 100.0, 0.2, -1.0)];
        assert!(look(&naked, None).reg_t > 2000.0);
    }

    #[test]
    fn what_has_no_limit_says_so() {
        let straddle = [leg(Put, 100.0, 0.1, 1.0), leg(Call, 100.0, 0.1, 1.0)];
        let seen = look(&straddle, None);
        assert_eq!(seen.max_profit, Extreme::Unlimited);
        assert_eq!((seen.profile.best_spot(), seen.breakevens.len()), (None, 2));
        let sold = [leg(Put, 100.0, 0.1, -1.0), leg(Call, 100.0, 0.1, -1.0)];
        assert_eq!((look(&sold, None).max_loss, look(&sold, None).touch), (Extreme::Unlimited, Some(1.0)));
    }
}
