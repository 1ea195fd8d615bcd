//! Implied volatility and Greeks for the snapshots, from a quote's middle: European, as the broker computes
//! them. Theta is per calendar day, vega and rho per percentage point.

use alpaca::data::GreeksRow;
use exchange::market_model::parameters;
use market::{Contract, Timestamp, session};
use pricing::black_scholes::price;

/// Annual rate the Greeks assume.
const RATE: f64 = 0.04;

/// Implied volatility and Greeks; `None` where the broker has none either: no time value to invert, or expiry
/// too near.
pub fn of(contract: &Contract, mid: f64, spot: f64, now: Timestamp) -> Option<(f64, GreeksRow)> {
    let end = session::last_trading_session(contract)?.close;
    let years = session::year_fraction(now, end);
    if years < 1.0 / (365.0 * 24.0) {
        return None;
    }
    let (strike, right) = (contract.strike().dollars(), contract.right);
    let yields = parameters::of(contract.root).dividend_yield;
    let vol = pricing::implied_volatility(right, mid, spot, strike, years, RATE, yields).ok()?;
    let value = |s: f64, t: f64, v: f64, r: f64| price(right, s, strike, t, v, r, yields);
    let (ds, dv, dr, dt) = (spot * 1e-3, 1e-4, 1e-5, (years * 0.01).min(0.25 / 365.0));
    let (up, at, down) = (
        value(spot + ds, years, vol, RATE),
        value(spot, years, vol, RATE),
        value(spot - ds, years, vol, RATE),
    );
    let greeks = GreeksRow {
        delta: (up - down) / (2.0 * ds),
        gamma: (up - 2.0 * at + down) / (ds * ds),
        theta: (value(spot, years - dt, vol, RATE) - at) / (dt * 365.0),
        vega: (value(spot, years, vol + dv, RATE) - value(spot, years, vol - dv, RATE)) / (2.0 * dv) / 100.0,
        rho: (value(spot, years, vol, RATE + dr) - value(spot, years, vol, RATE - dr)) / (2.0 * dr) / 100.0,
    };
    let round = |x: f64| (x * 1e4).round() / 1e4;
    let finite =
        [greeks.delta, greeks.gamma, greeks.theta, greeks.vega, greeks.rho].iter().all(|g| g.is_finite());
    finite.then(|| {
        let rounded = GreeksRow {
            delta: round(greeks.delta),
            gamma: round(greeks.gamma),
            theta: round(greeks.theta),
            vega: round(greeks.vega),
            rho: round(greeks.rho),
        };
        (round(vol), rounded)
    })
}
