//! What an option is worth and how it is quoted: Black-Scholes under a smile with skew and term structure,
//! and a spread that grows with price, distance from the money, stress and the open.

use super::chance::hash_unit;
use super::parameters::Parameters;
use super::world::VOL_REVERSION;
use market::quote::{Level, Quote};
use market::{Contract, Price, Timestamp, session};
use pricing::black_scholes;

/// Annual rate that options are priced with.
pub const RATE: f64 = 0.04;
/// Implied over expected realised volatility: what sellers of options are paid for.
const PREMIUM: f64 = 1.10;
/// How long a contract's own noise stays the same, in nanoseconds.
const NOISE_BUCKET_NS: i64 = 20_000_000_000;

/// What a quote depends on besides the contract.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// The underlying's middle in dollars.
    pub spot: f64,
    /// Log of the present volatility over its long-run level.
    pub log_vol: f64,
    /// Nanoseconds since the open: spreads are wide in the first minutes.
    pub since_open_ns: i64,
}

/// Years to the end of the contract's last session, at least one minute.
pub fn years_left(contract: &Contract, at: Timestamp) -> f64 {
    let end = session::last_trading_session(contract).map_or(at, |s| s.close);
    session::year_fraction(at, end).max(1.0 / (365.0 * 1_440.0))
}

/// Implied volatility: at the money the expected mean of a volatility that returns to its long-run level
/// (`x (1 - e^-kT) / kT` in logs), times a quadratic in standardised moneyness.
pub fn implied(p: &Parameters, state: &State, strike: f64, years: f64) -> f64 {
    let decay = VOL_REVERSION * years;
    let expected = state.log_vol * if decay < 1e-6 { 1.0 } else { (1.0 - (-decay).exp()) / decay };
    let at_money = PREMIUM * p.vol * expected.exp();
    let forward = state.spot * ((RATE - p.dividend_yield) * years).exp();
    let k = ((strike / forward).ln() / (at_money * years.sqrt())).clamp(-6.0, 6.0);
    at_money * (1.0 + p.skew * k + p.curve * k * k).clamp(0.6, 2.5)
}

/// The contract's worth in dollars: European value, but never under what exercise would give.
pub fn worth(p: &Parameters, state: &State, contract: &Contract, years: f64, vol: f64) -> f64 {
    let strike = contract.strike().dollars();
    let european =
        black_scholes::price(contract.right, state.spot, strike, years, vol, RATE, p.dividend_yield);
    let exercise = match contract.right {
        market::Right::Call => state.spot - strike,
        market::Right::Put => strike - state.spot,
    };
    european.max(exercise).max(0.0)
}

/// The option tick at a price.
pub fn tick(p: &Parameters, dollars: f64) -> Price {
    if p.penny || dollars < 3.0 { Price::CENT } else { Price::from_cents(5) }
}

/// The contract's quote. Depends on seed, contract, state and time only, so that a stream and a look-up agree.
pub fn quote(seed: u64, p: &Parameters, state: &State, contract: &Contract, at: Timestamp) -> Quote {
    let years = years_left(contract, at);
    let bucket = at.ns().div_euclid(NOISE_BUCKET_NS) as u64;
    let (noise, depth) = (hash_unit(seed, contract, bucket), hash_unit(seed, contract, !bucket));
    let strike = contract.strike().dollars();
    let vol = implied(p, state, strike, years) * (1.0 + 0.0012 * (noise - 0.5));
    let worth = worth(p, state, contract, years, vol);
    let width = width(p, state, strike, worth) * (0.85 + 0.3 * depth);
    let tick = tick(p, worth);
    let near = |dollars: f64| Price::nearest(dollars).unwrap_or(Price::ZERO);
    let bid = near(worth - 0.5 * width).floor_to(tick);
    let ask = near(worth + 0.5 * width).ceil_to(tick).max(bid + tick).max(tick);
    let size = |luck: f64| (4.0 + 400.0 * luck * luck / (1.0 + 0.2 * worth) / p.option_width) as u32;
    let bid = (bid >= tick).then_some(Level { price: bid, size: size(noise) });
    Quote { bid, ask: Some(Level { price: ask, size: size(depth) }), at }
}

/// The quoted width in dollars before rounding to ticks.
fn width(p: &Parameters, state: &State, strike: f64, worth: f64) -> f64 {
    let away = ((strike / state.spot).ln() / p.vol).abs();
    let minutes = state.since_open_ns as f64 / 60e9;
    let opening = 1.0 + 2.0 * (-minutes / 4.0).exp();
    let stress = (0.6 * state.log_vol).exp().clamp(0.7, 3.0);
    p.option_width * stress * opening * (0.008 + 0.006 * worth * (1.0 + 2.0 * away)).min(0.02 * state.spot)
}
