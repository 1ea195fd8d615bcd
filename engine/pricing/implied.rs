//! The volatility at which the formula gives a price. The in-the-money side is first turned into the
//! out-of-the-money one by parity, since only that price is all time value; then Newton's method, held
//! inside a bracket that shrinks with each step and falls back to halving when a step leaves it.

use crate::black_scholes::{normal_cdf, normal_density};
use market::Right;

/// Most steps of the search; a plain halving needs 60.
const STEPS_MAX: u32 = 100;
/// The largest `volatility x sqrt(time)` searched: at 30 a price equals its upper bound in `f64`.
const DEVIATION_MAX: f64 = 30.0;

/// Why a price has no implied volatility.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoVolatility {
    /// Spot, strike or time not above zero, or something not finite.
    #[error("spot, strike and time must be above zero and everything finite")]
    NoMarket,
    /// Below what the option is worth without any volatility: an arbitrage, or a stale quote.
    #[error("the price is below the discounted intrinsic value")]
    BelowIntrinsic,
    /// At that bound, to rounding: any small volatility would do.
    #[error("the price has no time value")]
    NoTimeValue,
    /// At or above what the option can ever be worth.
    #[error("the price is not below its upper bound (the spot for a call, the strike for a put)")]
    AboveBound,
}

/// The volatility, a year, at which [`crate::price`] gives `value` dollars per share.
///
/// # Errors
/// Why there is none.
pub fn implied_volatility(
    right: Right,
    value: f64,
    spot: f64,
    strike: f64,
    years: f64,
    rate: f64,
    dividend_yield: f64,
) -> Result<f64, NoVolatility> {
    let finite = value.is_finite() && rate.is_finite() && dividend_yield.is_finite();
    if !(finite && spot > 0.0 && strike > 0.0 && years > 0.0) {
        return Err(NoVolatility::NoMarket);
    }
    let spot_leg = spot * libm::exp(-dividend_yield * years);
    let strike_leg = strike * libm::exp(-rate * years);
    let log_moneyness = libm::log(spot / strike) + (rate - dividend_yield) * years;
    let finite = spot_leg.is_finite() && strike_leg.is_finite() && log_moneyness.is_finite();
    if !finite || years.is_infinite() {
        return Err(NoVolatility::NoMarket);
    }
    let (forward_value, upper) = match right {
        Right::Call => (spot_leg - strike_leg, spot_leg),
        Right::Put => (strike_leg - spot_leg, strike_leg),
    };
    if value < forward_value.max(0.0) {
        return Err(NoVolatility::BelowIntrinsic);
    }
    if value >= upper {
        return Err(NoVolatility::AboveBound);
    }
    let time_value = value - forward_value.max(0.0);
    if time_value <= 0.0 {
        return Err(NoVolatility::NoTimeValue);
    }
    // In units of the geometric mean of both legs the price depends on moneyness and deviation alone.
    let unit = (spot_leg * strike_leg).sqrt();
    let deviation = search(time_value / unit, -log_moneyness.abs())?;
    Ok(deviation / years.sqrt())
}

/// The out-of-the-money call of log-moneyness `x <= 0` in units of `sqrt(spot leg x strike leg)`.
struct NormalisedCall {
    x: f64,
    /// `e^(x/2)`: the spot leg, and the price's upper bound.
    spot: f64,
    /// `e^(-x/2)`: the strike leg.
    strike: f64,
}

impl NormalisedCall {
    /// Price and its slope at a deviation (volatility times the root of time).
    fn at(&self, deviation: f64) -> (f64, f64) {
        let half = 0.5 * deviation;
        let (d1, d2) = (self.x / deviation + half, self.x / deviation - half);
        let value = (self.spot * normal_cdf(d1) - self.strike * normal_cdf(d2)).max(0.0);
        (value, self.spot * normal_density(d1))
    }
}

fn search(target: f64, x: f64) -> Result<f64, NoVolatility> {
    let call = NormalisedCall { x, spot: libm::exp(0.5 * x), strike: libm::exp(-0.5 * x) };
    if target >= call.spot {
        return Err(NoVolatility::AboveBound);
    }
    let (mut low, mut high) = (0.0, DEVIATION_MAX);
    // The price curve bends at this deviation; from there Newton's steps approach from one side.
    // At the money it bends at zero, where the price is target = 2 N(s/2) - 1, nearly s / sqrt(2 pi).
    let bend = (2.0 * x.abs()).sqrt();
    let mut s = bend.max(target * (2.0 * std::f64::consts::PI).sqrt()).clamp(1e-12, DEVIATION_MAX);
    for _ in 0..STEPS_MAX {
        let (value, slope) = call.at(s);
        if value > target {
            high = s
        } else {
            low = s
        }
        if value == target {
            break;
        }
        // Below the bend the price falls like exp(-1/s^2): its logarithm is nearer to a line.
        let step = if value > 0.0 && s < bend.max(1e-3) {
            libm::log(value / target) * value / slope
        } else {
            (value - target) / slope
        };
        let newton = s - step;
        // Written so that a NaN step halves too.
        let inside = newton > low && newton < high;
        let next = if inside { newton } else { 0.5 * (low + high) };
        let moved = (next - s).abs();
        s = next;
        // A step this small leaves an error of its square; a halving leaves half of itself.
        let enough = if inside { 1e-8 } else { f64::EPSILON };
        if moved <= enough * s {
            break;
        }
    }
    Ok(s)
}

#[cfg(test)]
pub(crate) mod golden {
    //! Reads the reference tables in `tests/golden/european`.
    use market::Right;

    #[derive(Debug)]
    pub struct Row(Vec<(String, String)>);

    impl Row {
        pub fn text(&self, name: &str) -> &str {
            &self.0.iter().find(|(n, _)| n == name).expect("a column of that name").1
        }
        pub fn number(&self, name: &str) -> f64 {
            self.text(name).parse().expect("a number")
        }
        pub fn right(&self) -> Right {
            if self.text("cp") == "c" { Right::Call } else { Right::Put }
        }
    }

    pub fn read(file: &str) -> Vec<Row> {
        let path = format!("{}/../../tests/golden/european/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).expect("golden file in the repository");
        let mut lines = text.lines().map(|l| l.split(',').map(String::from).collect::<Vec<_>>());
        let names = lines.next().expect("a header");
        lines.map(|cells| Row(names.iter().cloned().zip(cells).collect())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every row whose price determines a volatility is found as closely as the price's and the inputs'
    /// own rounding allow, with a floor for the formula's.
    fn check(row: &golden::Row, value: f64) {
        let [s, k, t, r, q] = ["S", "K", "T", "r", "q"].map(|name| row.number(name));
        let found = implied_volatility(row.right(), value, s, k, t, r, q);
        match row.text("iv_status") {
            "ok" => {
                let known = row.number("iv");
                // Below a trillionth of the spot the formula itself is the difference of nearly equal tails.
                let floor = if value > 1e-12 * s { 1e-13 + 1e-12 * known } else { 1e-8 * known };
                let allowed = floor + 16.0 * (row.number("iv_cond_price") + row.number("iv_cond_inputs"));
                let found = found.unwrap_or(f64::NAN);
                assert!((found - known).abs() <= allowed, "{row:?}: {found} allowed {allowed}");
            }
            "below_intrinsic" => assert_eq!(found, Err(NoVolatility::BelowIntrinsic), "{row:?}"),
            "above_bound" => assert_eq!(found, Err(NoVolatility::AboveBound), "{row:?}"),
            "invalid_input" => assert_eq!(found, Err(NoVolatility::NoMarket), "{row:?}"),
            // At a bound the last bit decides between "none" and a volatility without meaning.
            _ => {}
        }
    }

    #[test]
    fn agrees_with_sixty_digits() {
        for row in golden::read("european_subset.csv") {
            check(&row, row.number("price"));
        }
        for row in golden::read("implied_vol_subset.csv") {
            check(&row, row.number("price"));
        }
    }

    proptest! {
        #[test]
        fn inverts_the_price(
            s in 5.0f64..1000.0, moneyness in 0.7f64..1.4, t in 0.01f64..2.0, v in 0.1f64..1.5, call: bool,
        ) {
            let right = if call { Right::Call } else { Right::Put };
            let k = s * moneyness;
            let value = crate::price(right, s, k, t, v, 0.04, 0.01);
            let sensitive = crate::vega(s, k, t, v, 0.04, 0.01) > 1e-4 * s;
            if sensitive {
                let back = implied_volatility(right, value, s, k, t, 0.04, 0.01);
                prop_assert!((back.expect("has time value") - v).abs() < 1e-10);
            }
        }
    }
}
