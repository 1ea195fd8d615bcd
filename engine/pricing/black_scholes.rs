//! European option values with a continuous dividend yield: F. Black and M. Scholes 1973, R. Merton 1973.
//!
//! Rates, yields and volatilities are decimals a year, continuously compounded; time is in years; values are
//! per one share. Where volatility or time is zero the limit is given: the discounted intrinsic value of
//! the forward. Inputs that are no market (NaN, spot or strike not above zero) give NaN, never a panic.

use market::Right;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// The standard normal distribution function, accurate in both tails.
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// The standard normal density.
pub fn normal_density(x: f64) -> f64 {
    libm::exp(-0.5 * x * x) / (2.0 * PI).sqrt()
}

/// The parts every formula shares.
struct Parts {
    /// Spot discounted by the dividend yield: `S e^-qT`.
    spot_leg: f64,
    /// Strike discounted by the rate: `K e^-rT`.
    strike_leg: f64,
    /// `ln(forward / strike)`.
    log_moneyness: f64,
    /// Volatility times the root of time; 0 in the limits.
    deviation: f64,
}

impl Parts {
    fn new(spot: f64, strike: f64, years: f64, vol: f64, rate: f64, dividend_yield: f64) -> Option<Self> {
        // Written so that NaN fails.
        if !(spot > 0.0 && strike > 0.0 && years >= 0.0 && vol >= 0.0) {
            return None;
        }
        let parts = Self {
            spot_leg: spot * libm::exp(-dividend_yield * years),
            strike_leg: strike * libm::exp(-rate * years),
            log_moneyness: libm::log(spot / strike) + (rate - dividend_yield) * years,
            deviation: vol * years.sqrt(),
        };
        (parts.log_moneyness.is_finite() && parts.deviation.is_finite()).then_some(parts)
    }

    fn d1(&self) -> f64 {
        self.log_moneyness / self.deviation + 0.5 * self.deviation
    }

    fn d2(&self) -> f64 {
        self.log_moneyness / self.deviation - 0.5 * self.deviation
    }
}

/// The value of a European option, dollars per share.
///
/// The in-the-money side is the other side plus the forward's intrinsic value, so put-call parity holds to
/// rounding and the small time value of a deep option is not lost.
pub fn price(
    right: Right,
    spot: f64,
    strike: f64,
    years: f64,
    vol: f64,
    rate: f64,
    dividend_yield: f64,
) -> f64 {
    let Some(p) = Parts::new(spot, strike, years, vol, rate, dividend_yield) else { return f64::NAN };
    let forward_value = match right {
        Right::Call => p.spot_leg - p.strike_leg,
        Right::Put => p.strike_leg - p.spot_leg,
    };
    if p.deviation == 0.0 {
        return forward_value.max(0.0);
    }
    let (d1, d2) = (p.d1(), p.d2());
    let out_of_the_money = if p.log_moneyness <= 0.0 {
        p.spot_leg * normal_cdf(d1) - p.strike_leg * normal_cdf(d2)
    } else {
        p.strike_leg * normal_cdf(-d2) - p.spot_leg * normal_cdf(-d1)
    }
    .max(0.0);
    let is_out = (right == Right::Call) == (p.log_moneyness <= 0.0);
    if is_out { out_of_the_money } else { out_of_the_money + forward_value }
}

/// Change of the value per dollar of spot: 0 to 1 for a call, -1 to 0 for a put. At the kink of an expired
/// option exactly at the money it is half the step.
pub fn delta(
    right: Right,
    spot: f64,
    strike: f64,
    years: f64,
    vol: f64,
    rate: f64,
    dividend_yield: f64,
) -> f64 {
    let Some(p) = Parts::new(spot, strike, years, vol, rate, dividend_yield) else { return f64::NAN };
    let d1 = if p.deviation > 0.0 {
        p.d1()
    } else if p.log_moneyness == 0.0 {
        0.0
    } else {
        p.log_moneyness.signum() * f64::INFINITY
    };
    let discount = p.spot_leg / spot;
    match right {
        Right::Call => discount * normal_cdf(d1),
        Right::Put => -discount * normal_cdf(-d1),
    }
}

/// Change of the value per 1.00 of volatility (divide by 100 for one point); the same for call and put.
pub fn vega(spot: f64, strike: f64, years: f64, vol: f64, rate: f64, dividend_yield: f64) -> f64 {
    let Some(p) = Parts::new(spot, strike, years, vol, rate, dividend_yield) else { return f64::NAN };
    if p.deviation == 0.0 {
        return 0.0;
    }
    p.spot_leg * normal_density(p.d1()) * years.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden_test::table;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_sixty_digits() {
        let rows = table("european/european.csv.gz");
        assert!(rows.len() == 6500);
        for row in rows {
            let [s, k, t, r, q, v] = ["S", "K", "T", "r", "q", "sigma"].map(|name| row.number(name));
            let scale = s.max(k);
            let value = price(row.right(), s, k, t, v, r, q);
            assert!((value - row.number("price")).abs() <= 1e-14 * scale, "{row:?}: {value}");
            assert!((delta(row.right(), s, k, t, v, r, q) - row.number("delta")).abs() <= 1e-9, "{row:?}");
            let vega_scale = s * t.sqrt();
            assert!((vega(s, k, t, v, r, q) - row.number("vega")).abs() <= 1e-9 * vega_scale, "{row:?}");
        }
    }

    #[test]
    fn small_values_keep_their_digits() {
        for row in table("european/european.csv.gz") {
            let [s, k, t, r, q, v] = ["S", "K", "T", "r", "q", "sigma"].map(|name| row.number(name));
            let known = row.number("price");
            // One minute at 1 % volatility: ln(S/K) / deviation itself carries 1e-11, times d.
            if known > 1e-12 * s && v * t.sqrt() >= 0.01 {
                let value = price(row.right(), s, k, t, v, r, q);
                assert!((value / known - 1.0).abs() < 1e-9, "{row:?}: {value}");
            }
        }
    }

    #[test]
    fn limits_and_nonsense() {
        for row in table("european/limits.csv") {
            let [s, k, t, r, q, v] = ["S", "K", "T", "r", "q", "sigma"].map(|name| row.number(name));
            let value = price(row.right(), s, k, t, v, r, q);
            assert!((value - row.number("price_limit")).abs() <= 1e-13 * s.max(k), "{row:?}: {value}");
            if row.text("note") != "kink" {
                let d = delta(row.right(), s, k, t, v, r, q);
                assert!((d - row.number("delta_limit")).abs() <= 1e-12, "{row:?}: {d}");
            }
        }
        for bad in [f64::NAN, -1.0, 0.0] {
            assert!(price(Right::Call, bad, 100.0, 1.0, 0.2, 0.0, 0.0).is_nan());
            assert!(price(Right::Call, 100.0, bad, 1.0, 0.2, 0.0, 0.0).is_nan());
        }
        assert!(delta(Right::Put, 100.0, 100.0, -1.0, 0.2, 0.0, 0.0).is_nan());
    }

    proptest! {
        #[test]
        fn parity_bounds_and_monotony(
            s in 1.0f64..5000.0, moneyness in 0.3f64..3.0, t in 0.0f64..3.0, v in 0.0f64..2.0,
            r in -0.02f64..0.1, q in 0.0f64..0.08,
        ) {
            let k = s * moneyness;
            let (call, put) = (price(Right::Call, s, k, t, v, r, q), price(Right::Put, s, k, t, v, r, q));
            let (a, b) = (s * (-q * t).exp(), k * (-r * t).exp());
            prop_assert!((call - put - (a - b)).abs() <= 1e-12 * s.max(k));
            prop_assert!(call >= (a - b).max(0.0) - 1e-12 * s && call <= a + 1e-12 * s);
            prop_assert!(price(Right::Call, s, k, t, v + 0.01, r, q) >= call - 1e-12 * s);
            let (dc, dp) = (delta(Right::Call, s, k, t, v, r, q), delta(Right::Put, s, k, t, v, r, q));
            prop_assert!((dc - dp - (-q * t).exp()).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&dc));
        }
    }
}
