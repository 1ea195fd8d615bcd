//! European values with all their Greeks in one pass: Black, Scholes and Merton on a spot with a dividend yield,
//! and Black (1976) on a forward. One branch-free kernel serves the single contract here and, run over
//! blocks of strikes, the batches in [`crate::batch`].
//!
//! Units: rates, yields and volatilities are decimals a year, continuously compounded; time is in years (near
//! expiry say [`years_from_seconds`]); everything is per one share. Vega, vanna and volga are per 1.00 of
//! volatility, rho per 1.00 of rate, theta and charm per year of calendar time passing.
//!
//! At zero time or zero volatility every value is the limit: the price is the discounted intrinsic value of the
//! forward, the Greeks of curvature are 0. Exactly at that kink delta is half its step and gamma, which has no
//! limit, is given as 0. Inputs that are no market (NaN, spot or strike not above zero, negative time or
//! volatility) give NaN, never a panic. Greeks are as in E. G. Haug, The Complete Guide to Option Pricing Formulas.

use crate::elementary::{exp, ln, mills};
use market::Right;

/// Seconds of a year of 365 days: the day count of all option times here.
pub const SECONDS_PER_YEAR: f64 = 31_536_000.0;
/// Distances beyond which the normal tail is below the smallest number.
const FAR: f64 = 39.0;
const DENSITY_AT_ZERO: f64 = 0.398_942_280_401_432_7;

/// Time in years of a span in seconds (fractions allowed), zero when it is over.
pub fn years_from_seconds(seconds: f64) -> f64 {
    seconds.max(0.0) / SECONDS_PER_YEAR
}

/// What all contracts of one expiry share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Dollars per share.
    pub spot: f64,
    /// Time to expiry.
    pub years: f64,
    /// Continuously compounded interest rate, a year.
    pub rate: f64,
    /// Continuous dividend yield, a year; borrow cost is part of it.
    pub dividend_yield: f64,
    /// `e^(-rate * years)`.
    pub discount: f64,
    /// `spot * e^(-yield * years)`: the forward, discounted.
    pub spot_leg: f64,
    /// `sqrt(years)`.
    pub root: f64,
}

impl Terms {
    /// Terms of a spot with a dividend yield.
    pub fn new(spot: f64, years: f64, rate: f64, dividend_yield: f64) -> Self {
        let discount = libm::exp(-rate * years);
        let spot_leg = spot * libm::exp(-dividend_yield * years);
        Self { spot, years, rate, dividend_yield, discount, spot_leg, root: years.sqrt() }
    }

    /// Terms on a forward and a discount factor, as parity gives them; the yield is what makes the two agree. At no
    /// time left spot takes the forward's place.
    pub fn on_forward(spot: f64, forward: f64, discount: f64, years: f64) -> Self {
        if years <= 0.0 {
            return Self::new(forward, 0.0, 0.0, 0.0);
        }
        let rate = -libm::log(discount) / years;
        let dividend_yield = rate - libm::log(forward / spot) / years;
        let (spot_leg, root) = (forward * discount, years.sqrt());
        Self { spot, years, rate, dividend_yield, discount, spot_leg, root }
    }

    /// The forward price.
    pub fn forward(&self) -> f64 {
        self.spot_leg / self.discount
    }

    /// The same with the underlying elsewhere: rate and yield stay, the forward moves along.
    pub fn at_spot(&self, spot: f64) -> Self {
        Self { spot, spot_leg: self.spot_leg / self.spot * spot, ..*self }
    }

    /// True when the numbers describe a market.
    pub fn is_valid(&self) -> bool {
        let finite = self.spot_leg.is_finite() && self.discount.is_finite() && self.years.is_finite();
        finite && self.spot > 0.0 && self.spot_leg > 0.0 && self.discount > 0.0 && self.years >= 0.0
    }
}

/// A price and its sensitivities; the units are the module's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Greeks {
    /// The value, dollars per share.
    pub price: f64,
    /// Per dollar of spot.
    pub delta: f64,
    /// Delta per dollar of spot.
    pub gamma: f64,
    /// Value per 1.00 of volatility.
    pub vega: f64,
    /// Value per year of time passing.
    pub theta: f64,
    /// Value per 1.00 of rate.
    pub rho: f64,
    /// Delta per 1.00 of volatility.
    pub vanna: f64,
    /// Vega per 1.00 of volatility.
    pub volga: f64,
    /// Delta per year of time passing.
    pub charm: f64,
    /// Gamma per dollar of spot.
    pub speed: f64,
}

/// Price and Greeks of one European option.
///
/// ```
/// use market::Right;
/// use pricing::european::{Terms, greeks};
/// let month = Terms::new(560.0, 30.0 / 365.0, 0.04, 0.012);
/// let put = greeks(Right::Put, &month, 550.0, 0.18);
/// assert!((put.price - 6.7).abs() < 0.2 && put.delta < 0.0 && put.theta < 0.0);
/// ```
pub fn greeks(right: Right, terms: &Terms, strike: f64, vol: f64) -> Greeks {
    if !(terms.is_valid() && strike > 0.0 && vol >= 0.0 && strike.is_finite() && vol.is_finite()) {
        let n = f64::NAN;
        return Greeks {
            price: n,
            delta: n,
            gamma: n,
            vega: n,
            theta: n,
            rho: n,
            vanna: n,
            volga: n,
            charm: n,
            speed: n,
        };
    }
    kernel(sign_of(right), terms, strike, vol)
}

/// Price and Greeks of an option on a forward: delta, gamma, vanna, charm and speed are per dollar of the forward,
/// and rho holds the forward still.
pub fn black76(right: Right, forward: f64, strike: f64, years: f64, vol: f64, rate: f64) -> Greeks {
    let mut found = greeks(right, &Terms::new(forward, years, rate, rate), strike, vol);
    found.rho = -years * found.price;
    found
}

/// +1 for a call, -1 for a put.
#[inline(always)]
pub(crate) fn sign_of(right: Right) -> f64 {
    if right == Right::Call { 1.0 } else { -1.0 }
}

/// The distances and tails from which every value follows.
pub(crate) struct Tails {
    /// `ln(forward / strike)`.
    pub x: f64,
    /// Volatility times the root of time; 0 in the limits.
    pub deviation: f64,
    /// `deviation`, or 1 where it is zero: a safe divisor.
    pub divisor: f64,
    pub d1: f64,
    pub d2: f64,
    /// The density at `d1`; 0 in the limits.
    pub density: f64,
    /// Probabilities `N(d1)`, `N(-d1)`, `N(d2)`, `N(-d2)`.
    pub up1: f64,
    pub down1: f64,
    pub up2: f64,
    pub down2: f64,
}

/// Everything branch-free: both sides of each choice are computed and one is selected.
#[inline(always)]
pub(crate) fn tails(terms: &Terms, strike: f64, vol: f64) -> Tails {
    let strike_leg = strike * terms.discount;
    let x = ln(terms.spot / strike) + (terms.rate - terms.dividend_yield) * terms.years;
    let deviation = vol * terms.root;
    let lives = deviation > 0.0;
    let divisor = if lives { deviation } else { 1.0 };
    let side = if x == 0.0 { 0.0 } else { FAR.copysign(x) };
    let ratio = x / divisor;
    let d1 = if lives { ratio + 0.5 * deviation } else { side };
    let d2 = if lives { ratio - 0.5 * deviation } else { side };
    let (size1, size2) = (d1.abs(), d2.abs());
    let near1 = if size1 > FAR { FAR } else { size1 };
    let near2 = if size2 > FAR { FAR } else { size2 };
    let raw = DENSITY_AT_ZERO * exp(-0.5 * (size1 * size1));
    // n(d2) = n(d1) * forward / strike, exactly.
    let tail1 = raw * mills(near1);
    let raw2 = if lives { raw * (terms.spot_leg / strike_leg) } else { raw };
    let tail2 = raw2 * mills(near2);
    let (below1, below2) = (d1 < 0.0, d2 < 0.0);
    Tails {
        x,
        deviation,
        divisor,
        d1,
        d2,
        density: if lives { raw } else { 0.0 },
        up1: if below1 { tail1 } else { 1.0 - tail1 },
        down1: if below1 { 1.0 - tail1 } else { tail1 },
        up2: if below2 { tail2 } else { 1.0 - tail2 },
        down2: if below2 { 1.0 - tail2 } else { tail2 },
    }
}

/// The value from its tails: the out-of-the-money side, and by parity the other, so that the small time value of
/// a deep option is not lost.
#[inline(always)]
pub(crate) fn value(sign: f64, terms: &Terms, strike: f64, t: &Tails) -> f64 {
    let strike_leg = strike * terms.discount;
    let call_is_out = t.x <= 0.0;
    let call = terms.spot_leg * t.up1 - strike_leg * t.up2;
    let put = strike_leg * t.down2 - terms.spot_leg * t.down1;
    let raw = if call_is_out { call } else { put };
    let raw = if t.deviation > 0.0 { raw } else { 0.0 };
    let out = if raw > 0.0 { raw } else { 0.0 };
    let intrinsic = sign * (terms.spot_leg - strike_leg);
    let is_out = (sign > 0.0) == call_is_out;
    if is_out { out } else { out + intrinsic }
}

/// All ten values of one contract; without branches, so that a loop over it becomes vector code.
#[inline(always)]
pub(crate) fn kernel(sign: f64, terms: &Terms, strike: f64, vol: f64) -> Greeks {
    let t = tails(terms, strike, vol);
    let yielded = terms.spot_leg / terms.spot;
    let strike_leg = strike * terms.discount;
    let call = sign > 0.0;
    let toward1 = if call { t.up1 } else { t.down1 };
    let toward2 = if call { t.up2 } else { t.down2 };
    let per_deviation = 1.0 / t.divisor;
    let per_spot = 1.0 / terms.spot;
    let safe_years = if terms.years > 0.0 { terms.years } else { 1.0 };
    let safe_vol = if vol > 0.0 { vol } else { 1.0 };
    let weight = yielded * t.density;
    let gamma = weight * per_spot * per_deviation;
    let vega = terms.spot_leg * t.density * terms.root;
    let carry = terms.dividend_yield * terms.spot_leg * toward1 - terms.rate * strike_leg * toward2;
    // S e^-qT n(d1) sigma / (2 sqrt T) = vega sigma / (2 T).
    let decay = vega * vol * (0.5 / safe_years);
    let drift = (terms.rate - terms.dividend_yield) * per_deviation - t.d2 * (0.5 / safe_years);
    Greeks {
        price: value(sign, terms, strike, &t),
        delta: sign * yielded * toward1,
        gamma,
        vega,
        theta: sign * carry - decay,
        rho: sign * terms.years * strike_leg * toward2,
        vanna: -(weight * t.d2) / safe_vol,
        volga: vega * t.d1 * t.d2 / safe_vol,
        charm: sign * terms.dividend_yield * yielded * toward1 - weight * drift,
        speed: -gamma * per_spot * (t.d1 * per_deviation + 1.0),
    }
}
