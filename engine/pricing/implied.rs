//! The volatility at which the formula gives a price. The in-the-money side is first turned into the
//! out-of-the-money one by parity, since only that price is all time value.
//!
//! Without a guess the `implied-vol` crate (P. Jaeckel, Let's Be Rational) finds it to the last digit. With the
//! volatility of the previous quote one or two third-order Householder steps do, on the price or, below the bend of
//! the price curve, on its logarithm; a start that proves bad falls back to the cold one.

use crate::batch::BLOCK;
use crate::dispatch::vectorised;
use crate::elementary::{exp, ln, mills};
use crate::european::{Terms, sign_of};
use implied_vol::{DefaultSpecialFn, ImpliedBlackVolatilityNormalised};
use market::Right;
use market::quote::Quote;

/// A Householder step this small (relative) leaves an error of its fourth power.
const STEP_LAST: f64 = 1e-3;
/// Warm steps before the cold search takes over.
const WARM_STEPS: u32 = 3;
/// A second batch step this small (relative) has converged.
const STEP_CONVERGED: f64 = 2e-3;
const ROOT_TWO_PI: f64 = 2.506_628_274_631_000_7;
/// `ln sqrt(2 pi)`.
const LN_ROOT_TWO_PI: f64 = 0.918_938_533_204_672_8;
const FAR: f64 = 39.0;

/// Why a price or a quote has no implied volatility.
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
    /// Bid or ask is missing.
    #[error("the quote lacks a side: no price to invert")]
    OneSided,
    /// Older than the caller allows.
    #[error("the quote is older than allowed: wait for a new one")]
    Stale,
    /// The bid is above the ask.
    #[error("the quote is crossed: the bid is above the ask")]
    Crossed,
}

/// The volatility, a year, at which [`crate::price`] gives `value` dollars per share: the cold search.
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
    implied(right, &Terms::new(spot, years, rate, dividend_yield), strike, value, None)
}

/// The same on shared terms, starting from the volatility of the previous quote when there is one.
///
/// # Errors
/// Why there is none.
pub fn implied(
    right: Right,
    terms: &Terms,
    strike: f64,
    value: f64,
    previous: Option<f64>,
) -> Result<f64, NoVolatility> {
    let problem = Problem::new(sign_of(right), terms, strike, value);
    check(&problem, terms, strike, value)?;
    if let Some(vol) = previous.filter(|v| *v > 0.0 && v.is_finite()) {
        let mut s = vol * terms.root;
        for _ in 0..WARM_STEPS {
            let step = problem.step(s);
            s += step;
            if step.abs() <= STEP_LAST * s {
                return Ok(s / terms.root);
            }
            if !(s > 0.0 && s.is_finite()) {
                break;
            }
        }
    }
    cold(&problem).map(|s| s / terms.root)
}

/// An option's price without units: the out-of-the-money call of log-moneyness `x <= 0` in units of
/// `sqrt(spot leg x strike leg)`.
struct Problem {
    /// `-|ln(forward / strike)|`.
    x: f64,
    /// `e^(x/2)`: the price's upper bound.
    bound: f64,
    per_bound: f64,
    /// The price to be matched.
    target: f64,
    /// Its logarithm, less that of the slope's constant part `bound / sqrt(2 pi)`.
    ln_target: f64,
    /// The deviation at which the price curve bends: `sqrt(2 |x|)`.
    bend: f64,
    /// Discounted intrinsic value of the forward and upper bound, dollars.
    intrinsic: f64,
    upper: f64,
}

impl Problem {
    #[inline(always)]
    fn new(sign: f64, terms: &Terms, strike: f64, value: f64) -> Self {
        let strike_leg = strike * terms.discount;
        let x = ln(terms.spot / strike) + (terms.rate - terms.dividend_yield) * terms.years;
        let x = -x.abs();
        let forward_value = sign * (terms.spot_leg - strike_leg);
        let intrinsic = if forward_value > 0.0 { forward_value } else { 0.0 };
        let unit = (terms.spot_leg * strike_leg).sqrt();
        let target = (value - intrinsic) / unit;
        let upper = if sign > 0.0 { terms.spot_leg } else { strike_leg };
        let bound = exp(0.5 * x);
        let ln_target = ln(target) - 0.5 * x + LN_ROOT_TWO_PI;
        let per_bound = 1.0 / bound;
        Self { x, bound, per_bound, target, ln_target, bend: (-2.0 * x).sqrt(), intrinsic, upper }
    }

    /// One Householder step of third order from the deviation `s`; with its ratios as in Jaeckel's paper. Free of
    /// branches.
    #[inline(always)]
    fn step(&self, s: f64) -> f64 {
        let per_s = 1.0 / s;
        let ratio = self.x * per_s;
        let (d1, d2) = (ratio + 0.5 * s, ratio - 0.5 * s);
        let size1 = d1.abs();
        let size1 = if size1 > FAR { FAR } else { size1 };
        let size2 = if -d2 > FAR { FAR } else { -d2 };
        let half_square = 0.5 * (size1 * size1);
        // One over the density. Exponential and logarithm do not wait for each other.
        let inverse = ROOT_TWO_PI * exp(half_square);
        let tail = mills(size1);
        let up = if d1 < 0.0 { tail } else { inverse - tail };
        // Price over its slope.
        let over_slope = up - mills(size2);
        let (a, b) = (ratio * ratio * per_s, 0.25 * s);
        let second = a - b;
        let third = second * second - 3.0 * a * per_s - 0.25;
        let plain = self.target * inverse * self.per_bound - over_slope;
        let gap = self.ln_target + half_square - ln(over_slope);
        let by_price = 1.0 / over_slope;
        let low = s < self.bend;
        let newton = if low { gap * over_slope } else { plain };
        let h2 = if low { second - by_price } else { second };
        let h3 = if low { third - 3.0 * second * by_price + 2.0 * by_price * by_price } else { third };
        newton * (1.0 + 0.5 * h2 * newton) / (1.0 + newton * (h2 + h3 * newton * (1.0 / 6.0)))
    }
}

#[inline]
fn check(problem: &Problem, terms: &Terms, strike: f64, value: f64) -> Result<(), NoVolatility> {
    let numbers = value.is_finite() && strike.is_finite() && strike > 0.0;
    if !(numbers && terms.is_valid() && terms.years > 0.0 && problem.x.is_finite()) {
        return Err(NoVolatility::NoMarket);
    }
    if value < problem.intrinsic {
        return Err(NoVolatility::BelowIntrinsic);
    }
    if value >= problem.upper || problem.target >= problem.bound {
        return Err(NoVolatility::AboveBound);
    }
    if problem.target <= 0.0 {
        return Err(NoVolatility::NoTimeValue);
    }
    Ok(())
}

fn cold(problem: &Problem) -> Result<f64, NoVolatility> {
    ImpliedBlackVolatilityNormalised::builder()
        .log_moneyness(problem.x)
        .normalised_price(problem.target)
        .build()
        .and_then(|p| p.calculate::<DefaultSpecialFn>())
        .filter(|s| *s > 0.0)
        .ok_or(NoVolatility::NoTimeValue)
}

/// Volatilities of the three prices of a quote.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuoteVolatility {
    /// Of the bid. Often [`NoVolatility::BelowIntrinsic`] deep in the money, where the mid still has one.
    pub bid: Result<f64, NoVolatility>,
    /// Of the mid.
    pub mid: Result<f64, NoVolatility>,
    /// Of the ask.
    pub ask: Result<f64, NoVolatility>,
}

/// Bid, mid and ask volatility of a quote that is `age_ns` old, warm from the previous mid volatility.
pub fn quote_volatility(
    right: Right,
    terms: &Terms,
    strike: f64,
    quote: &Quote,
    age_ns: i64,
    age_max_ns: i64,
    previous: Option<f64>,
) -> QuoteVolatility {
    let none = |why| QuoteVolatility { bid: Err(why), mid: Err(why), ask: Err(why) };
    if age_ns > age_max_ns {
        return none(NoVolatility::Stale);
    }
    if quote.is_crossed() {
        return none(NoVolatility::Crossed);
    }
    let side = |dollars: Option<f64>, from| match dollars {
        Some(value) => implied(right, terms, strike, value, from),
        None => Err(NoVolatility::OneSided),
    };
    let (bid, ask) = (quote.bid.map(|l| l.price.dollars()), quote.ask.map(|l| l.price.dollars()));
    let mid = side(bid.zip(ask).map(|(b, a)| 0.5 * (b + a)), previous);
    let from = mid.ok().or(previous);
    QuoteVolatility { bid: side(bid, from), mid, ask: side(ask, from) }
}

/// Volatilities of many prices of one expiry, warm from `vols`, which holds the previous ones (NaN where there is
/// none) and receives the new: NaN where there is none, and [`implied`] says why. Allocates nothing.
///
/// # Panics
/// When the slices differ in length: a fault of the caller.
pub fn implied_into(terms: &Terms, rights: &[Right], strikes: &[f64], values: &[f64], vols: &mut [f64]) {
    let n = strikes.len();
    assert!(rights.len() == n && values.len() == n && vols.len() == n, "columns of one length");
    let (mut s, mut last) = ([0.0; BLOCK], [0.0; BLOCK]);
    for start in (0..n).step_by(BLOCK) {
        let end = (start + BLOCK).min(n);
        let mut block =
            crate::batch::Block::load(&rights[start..end], &strikes[start..end], &vols[start..end]);
        let mut value = [0.5; BLOCK];
        value[..end - start].copy_from_slice(&values[start..end]);
        for (v, right) in block.vol.iter_mut().zip(&block.sign) {
            *v = if *v > 0.0 && right.abs() == 1.0 { *v } else { 0.3 };
        }
        let (to, steps) = (&mut s, &mut last);
        vectorised!(two_steps(terms, &block, &value, to, steps));
        for i in start..end {
            let (found, step) = (s[i - start], last[i - start].abs());
            vols[i] = if found > 0.0 && step <= STEP_CONVERGED * found && found.is_finite() {
                found / terms.root
            } else {
                implied(rights[i], terms, strikes[i], values[i], None).unwrap_or(f64::NAN)
            };
        }
    }
}

#[inline(always)]
fn two_steps(
    terms: &Terms,
    block: &crate::batch::Block,
    value: &[f64; BLOCK],
    s: &mut [f64; BLOCK],
    last: &mut [f64; BLOCK],
) {
    for i in 0..BLOCK {
        let problem = Problem::new(block.sign[i], terms, block.strike[i], value[i]);
        let start = block.vol[i] * terms.root;
        let once = start + problem.step(start);
        let step = problem.step(once);
        let inside = problem.target > 0.0 && problem.target < problem.bound;
        s[i] = if inside { once + step } else { f64::NAN };
        last[i] = step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden_test::{Row, table};
    use market::quote::Level;
    use market::{Price, Timestamp};
    use proptest::prelude::*;

    /// A solver under test: right, terms, strike, price.
    type Solver = fn(Right, &Terms, f64, f64, f64) -> Result<f64, NoVolatility>;

    fn cold(right: Right, terms: &Terms, k: f64, value: f64, _: f64) -> Result<f64, NoVolatility> {
        implied(right, terms, k, value, None)
    }

    fn warm(right: Right, terms: &Terms, k: f64, value: f64, known: f64) -> Result<f64, NoVolatility> {
        implied(right, terms, k, value, Some(known * 1.05))
    }

    fn batched(right: Right, terms: &Terms, k: f64, value: f64, known: f64) -> Result<f64, NoVolatility> {
        let mut vols = [known * 0.97];
        implied_into(terms, &[right], &[k], &[value], &mut vols);
        if vols[0].is_nan() { implied(right, terms, k, value, None) } else { Ok(vols[0]) }
    }

    /// Every row whose price determines a volatility is found as closely as the price's and the inputs' own
    /// rounding allow.
    fn check(row: &Row, solver: Solver) {
        let [s, k, t, r, q, value] = ["S", "K", "T", "r", "q", "price"].map(|name| row.number(name));
        let known = row.maybe("iv").unwrap_or(0.2);
        let found = solver(row.right(), &Terms::new(s, t, r, q), k, value, known);
        match row.text("iv_status") {
            "ok" => {
                let conditioning = row.number("iv_cond_price") + row.number("iv_cond_inputs");
                let allowed = 1e-14 + 8.0 * conditioning;
                let error = (found.unwrap_or(f64::NAN) - known).abs();
                assert!(error <= allowed, "{row:?}: {found:?} off by {error:e}, allowed {allowed:e}");
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
        let mut rows = table("european/european.csv.gz");
        rows.extend(table("european/implied_vol.csv.gz"));
        for row in &rows {
            for solver in [cold as Solver, warm, batched] {
                check(row, solver);
            }
        }
    }

    #[test]
    fn a_quote_without_volatility_says_why() {
        let level = |cents| Some(Level { price: Price::from_cents(cents), size: 10 });
        let quote = |bid, ask| Quote { bid, ask, at: Timestamp::MIN };
        let terms = Terms::new(100.0, 0.1, 0.03, 0.0);
        let of = |q: Quote, age| quote_volatility(Right::Call, &terms, 100.0, &q, age, 1000, Some(0.2));
        let good = of(quote(level(250), level(260)), 1000);
        let (bid, mid, ask) = (good.bid.expect("vol"), good.mid.expect("vol"), good.ask.expect("vol"));
        assert!(bid < mid && mid < ask);
        assert_eq!(of(quote(level(250), level(260)), 1001).mid, Err(NoVolatility::Stale));
        assert_eq!(of(quote(level(270), level(260)), 0).bid, Err(NoVolatility::Crossed));
        let single = of(quote(None, level(260)), 0);
        assert_eq!((single.bid, single.mid), (Err(NoVolatility::OneSided), Err(NoVolatility::OneSided)));
        assert!(single.ask.is_ok());
        assert_eq!(of(quote(level(1), level(260)), 0).bid, Err(NoVolatility::BelowIntrinsic));
        assert_eq!(of(quote(level(1), level(26_000)), 0).ask, Err(NoVolatility::AboveBound));
    }

    proptest! {
        #[test]
        fn inverts_the_price_from_any_start(
            s in 5.0f64..1000.0, moneyness in 0.7f64..1.4, t in 0.01f64..2.0, v in 0.1f64..1.5, call: bool,
            start in 0.01f64..4.0,
        ) {
            let right = if call { Right::Call } else { Right::Put };
            let k = s * moneyness;
            let value = crate::price(right, s, k, t, v, 0.04, 0.01);
            let sensitive = crate::vega(s, k, t, v, 0.04, 0.01) > 1e-4 * s;
            if sensitive {
                let terms = Terms::new(s, t, 0.04, 0.01);
                for found in [cold(right, &terms, k, value, v), implied(right, &terms, k, value, Some(start))] {
                    prop_assert!((found.expect("has time value") - v).abs() < 1e-10);
                }
                let mut vols = [start];
                implied_into(&terms, &[right], &[k], &[value], &mut vols);
                prop_assert!((vols[0] - v).abs() < 1e-10);
            }
        }
    }
}
