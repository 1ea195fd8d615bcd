//! American values with a continuous dividend yield, as fast as a chain needs them: the exercise boundary of an expiry is
//! solved once for a few volatilities ([`Exercise`]) and interpolated for each contract, whose premium of early
//! exercise is then one short integral. The boundary scales with the strike and does not know the spot, so a
//! move of the underlying re-marks every contract without solving anything anew.
//!
//! Units as in [`crate::european`]. Errors, measured against the golden set, are in docs/options.md.

use crate::boundary::{Grid, Method, Premium, PutTerms};
use crate::dispatch::vectorised;
use crate::european::{Terms, sign_of, tails, value};
use crate::implied::NoVolatility;
use market::Right;

/// An American price and its Greeks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AmericanGreeks {
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
}

/// Relative bump of volatility for vega.
const VEGA_BUMP: f64 = 2e-3;
/// Steps of the search for a volatility, and the change at which it stops.
const STEPS_MAX: u32 = 40;
const STEP_LAST: f64 = 1e-7;

/// A price this near to intrinsic value, as a share of the strike, is intrinsic value.
const TIE: f64 = 1e-9;
/// How far beyond its volatilities, as a factor, one is looked for.
const REACH_LOW: f64 = 0.2;
const REACH_HIGH: f64 = 5.0;

/// The exercise boundaries of one expiry and right for a range of volatilities.
#[derive(Clone, Debug)]
pub struct Exercise {
    right: Right,
    /// Rate and yield as the put sees them: exchanged for calls.
    put: PutTerms,
    /// Volatilities the boundary was solved at: Chebyshev points in the logarithm.
    ln_vols: Vec<f64>,
    /// Barycentric weights of those points.
    weights: Vec<f64>,
    /// `ln boundary` at the pricing points, one row a volatility.
    rows: Vec<f64>,
    grid: Grid,
    /// True when early exercise never pays: the value is the European one.
    never: bool,
}

impl Exercise {
    /// Solves for volatilities from `vols.0` to `vols.1` at `count` points, 2 to 16: five serve a range of one to three,
    /// seven one of one to twenty. A volatility asked for beyond the range uses the boundary of its end. One point
    /// serves the price at that volatility alone (vega needs the boundary's change).
    pub fn solve(method: &Method, right: Right, terms: &Terms, vols: (f64, f64), count: usize) -> Self {
        let mut made = Self::unsolved(method, right, count);
        made.again(method, terms, vols);
        made
    }

    /// Room for so many volatilities, with nothing in it: until [`Self::again`] early exercise counts for nothing.
    pub fn unsolved(method: &Method, right: Right, count: usize) -> Self {
        Self {
            right,
            put: PutTerms { years: 0.0, rate: 0.0, dividend_yield: 0.0, vol: 0.0 },
            ln_vols: vec![0.0; count],
            weights: chebyshev_weights(count),
            rows: Vec::with_capacity(count * (method.price_points.len() + 1)),
            grid: Grid::new(method, 0.0, 0.0, 0.0),
            never: true,
        }
    }

    /// Solves anew for other terms and volatilities, with the same method and number of points. Allocates nothing.
    pub fn again(&mut self, method: &Method, terms: &Terms, vols: (f64, f64)) {
        let (rate, dividend_yield) = match self.right {
            Right::Put => (terms.rate, terms.dividend_yield),
            Right::Call => (terms.dividend_yield, terms.rate),
        };
        self.put = PutTerms { years: terms.years, rate, dividend_yield, vol: vols.0 };
        let (low, high) = (libm::log(vols.0), libm::log(vols.1));
        let count = self.ln_vols.len();
        let place = |i: usize| (std::f64::consts::PI * (i as f64 + 0.5) / count as f64).cos();
        self.rows.clear();
        for (i, ln_vol) in self.ln_vols.iter_mut().enumerate() {
            *ln_vol = if count == 1 { low } else { 0.5 * (low + high) + 0.5 * (high - low) * place(i) };
            method.solve(&PutTerms { vol: libm::exp(*ln_vol), ..self.put }, &mut self.rows);
        }
        self.never = self.rows.is_empty();
        self.grid.retime(method, terms.years, rate, dividend_yield);
    }

    /// What it was solved for: years, and rate and yield as the terms had them.
    pub fn solved_for(&self) -> (f64, f64, f64) {
        let PutTerms { years, rate, dividend_yield, .. } = self.put;
        match self.right {
            Right::Put => (years, rate, dividend_yield),
            Right::Call => (years, dividend_yield, rate),
        }
    }

    /// The volatilities between which its boundaries are interpolated.
    pub fn vols(&self) -> (f64, f64) {
        let (first, last) = (self.ln_vols[0], self.ln_vols[self.ln_vols.len() - 1]);
        (libm::exp(first.min(last)), libm::exp(first.max(last)))
    }

    /// True when early exercise never pays before expiry.
    pub fn is_never(&self) -> bool {
        self.never
    }

    /// The spot at or beyond which immediate exercise is best: below it for puts, above it for calls.
    pub fn boundary(&self, strike: f64, vol: f64) -> Option<f64> {
        if self.never {
            return None;
        }
        let mut ln_b = [0.0; POINTS_MAX];
        let today = libm::exp(self.interpolate(vol, &mut ln_b));
        Some(if self.right == Right::Put { strike * today } else { strike / today })
    }

    /// Fills `ln b` at the pricing points for a volatility; today's boundary is returned.
    #[inline(always)]
    fn interpolate(&self, vol: f64, ln_b: &mut [f64; POINTS_MAX]) -> f64 {
        let n = self.rows.len() / self.ln_vols.len();
        let count = self.ln_vols.len();
        let at =
            crate::elementary::ln(vol).clamp(self.ln_vols[count - 1].min(self.ln_vols[0]), self.ln_vols[0]);
        let mut weights = [0.0; VOLS_MAX];
        barycentric(&self.ln_vols, &self.weights, at, &mut weights);
        ln_b[..n].fill(0.0);
        for (row, weight) in self.rows.chunks_exact(n).zip(weights) {
            for (to, from) in ln_b[..n].iter_mut().zip(row) {
                *to += weight * from;
            }
        }
        ln_b[n - 1]
    }

    /// The value alone.
    pub fn price(&self, terms: &Terms, strike: f64, vol: f64) -> f64 {
        vectorised!(self.parts(terms, strike, vol).price)
    }

    /// Price, delta, gamma, vega and theta. `terms` are those the boundary was solved for; only the spot may differ.
    pub fn greeks(&self, terms: &Terms, strike: f64, vol: f64) -> AmericanGreeks {
        if !(terms.is_valid() && strike > 0.0 && vol >= 0.0 && strike.is_finite() && vol.is_finite()) {
            let n = f64::NAN;
            return AmericanGreeks { price: n, delta: n, gamma: n, vega: n, theta: n };
        }
        vectorised!(self.greeks_here(terms, strike, vol))
    }

    #[inline(always)]
    fn greeks_here(&self, terms: &Terms, strike: f64, vol: f64) -> AmericanGreeks {
        let mut found = self.parts(terms, strike, vol);
        if found.exercised {
            return AmericanGreeks { price: found.price, delta: found.delta, ..Default::default() };
        }
        let bump = VEGA_BUMP * vol;
        if !self.never && vol > 0.0 {
            let up = self.parts(terms, strike, vol + bump).price;
            let down = self.parts(terms, strike, vol - bump).price;
            found.vega = (up - down) / (2.0 * bump);
        }
        let carry = terms.rate * found.price - (terms.rate - terms.dividend_yield) * terms.spot * found.delta;
        let theta = carry - 0.5 * vol * vol * terms.spot * terms.spot * found.gamma;
        let AmericanParts { price, delta, gamma, vega, .. } = found;
        AmericanGreeks { price, delta, gamma, vega, theta }
    }

    /// Value, delta and gamma; vega of the European part only.
    #[inline(always)]
    fn parts(&self, terms: &Terms, strike: f64, vol: f64) -> AmericanParts {
        let sign = sign_of(self.right);
        let intrinsic = sign * (terms.spot - strike);
        let t = tails(terms, strike, vol);
        let yielded = terms.spot_leg / terms.spot;
        let european = AmericanParts {
            price: value(sign, terms, strike, &t),
            delta: sign * yielded * if sign > 0.0 { t.up1 } else { t.down1 },
            gamma: yielded * t.density / (terms.spot * t.divisor),
            vega: terms.spot_leg * t.density * terms.root,
            exercised: false,
        };
        if self.never || t.deviation == 0.0 {
            return european.at_least(intrinsic);
        }
        let mut ln_b = [0.0; POINTS_MAX];
        let today = self.interpolate(vol, &mut ln_b);
        let ln_m = -sign * crate::elementary::ln(terms.spot / strike);
        if ln_m <= today {
            let (price, delta) = (intrinsic, sign);
            return AmericanParts { price, delta, gamma: 0.0, vega: 0.0, exercised: true };
        }
        let put = PutTerms { vol, ..self.put };
        let p = self.grid.premium(&put, ln_m, &ln_b);
        european.with(&p, sign, terms.spot, strike).at_least(intrinsic)
    }

    /// The volatility at which the value is `price`, starting from `previous` when there is one.
    ///
    /// # Errors
    /// Why there is none. An American price at its intrinsic value has no time value.
    pub fn implied(
        &self,
        terms: &Terms,
        strike: f64,
        price: f64,
        previous: Option<f64>,
    ) -> Result<f64, NoVolatility> {
        let sign = sign_of(self.right);
        if !(terms.is_valid() && terms.years > 0.0 && strike > 0.0 && price.is_finite()) {
            return Err(NoVolatility::NoMarket);
        }
        let intrinsic = (sign * (terms.spot - strike)).max(0.0);
        // Quotes are in cents and strikes in dollars: their difference is exact only to the last digits.
        let tie = TIE * strike;
        if price < intrinsic - tie {
            return Err(NoVolatility::BelowIntrinsic);
        }
        if price <= intrinsic + tie {
            return Err(NoVolatility::NoTimeValue);
        }
        if price >= if sign > 0.0 { terms.spot } else { strike } {
            return Err(NoVolatility::AboveBound);
        }
        let (low, high) = self.vols();
        // Beyond them the boundary of their ends serves.
        let (low, high) = (REACH_LOW * low, REACH_HIGH * high);
        let start = previous.filter(|v| *v > 0.0).unwrap_or(0.25).clamp(low, high);
        vectorised!(self.search(terms, strike, price, start, (low, high)))
    }

    /// Newton's steps with the slope of the last two values, held in a bracket.
    #[inline(always)]
    fn search(
        &self,
        terms: &Terms,
        strike: f64,
        price: f64,
        start: f64,
        bounds: (f64, f64),
    ) -> Result<f64, NoVolatility> {
        let (mut low, mut high) = bounds;
        let mut vol = start;
        let mut before: Option<(f64, f64)> = None;
        for _ in 0..STEPS_MAX {
            let found = self.parts(terms, strike, vol);
            let miss = found.price - price;
            if miss > 0.0 {
                high = high.min(vol)
            } else {
                low = low.max(vol)
            }
            let slope = match before {
                Some((v, m)) if (v - vol).abs() > 1e-12 => (miss - m) / (vol - v),
                // The European vega is within a few hundredths of the American one outside the exercise region.
                _ => found.vega,
            };
            let newton = vol - miss / slope;
            let inside = newton > low && newton < high;
            let next = if inside { newton } else { 0.5 * (low + high) };
            before = Some((vol, miss));
            let moved = (next - vol).abs();
            vol = next;
            if moved <= STEP_LAST * vol {
                break;
            }
        }
        let edge = |bound: f64| (vol / bound - 1.0).abs() < 1e-5;
        if edge(bounds.0) {
            return Err(NoVolatility::NoTimeValue);
        }
        if edge(bounds.1) { Err(NoVolatility::AboveBound) } else { Ok(vol) }
    }
}

/// Most pricing points and volatilities of a table: room on the stack.
const POINTS_MAX: usize = 192;
const VOLS_MAX: usize = 16;

struct AmericanParts {
    price: f64,
    delta: f64,
    gamma: f64,
    vega: f64,
    /// At or beyond the boundary.
    exercised: bool,
}

impl AmericanParts {
    /// Adds the premium, which is per unit of strike for a put and of spot for a call.
    #[inline(always)]
    fn with(mut self, p: &Premium, sign: f64, spot: f64, strike: f64) -> Self {
        if sign < 0.0 {
            self.price += strike * p.value;
            self.delta += p.slope;
            self.gamma += p.bend / strike;
        } else {
            let m = strike / spot;
            self.price += spot * p.value;
            self.delta += p.value - m * p.slope;
            self.gamma += m * m * p.bend / spot;
        }
        self
    }

    #[inline(always)]
    fn at_least(mut self, intrinsic: f64) -> Self {
        if self.price < intrinsic {
            self.price = intrinsic;
        }
        self
    }
}

/// Barycentric weights of Chebyshev points of the first kind.
fn chebyshev_weights(count: usize) -> Vec<f64> {
    let sign = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
    let angle = |i: usize| std::f64::consts::PI * (i as f64 + 0.5) / count as f64;
    (0..count).map(|i| sign(i) * libm::sin(angle(i))).collect()
}

/// Weights of the values at `points` for the interpolant at `x`.
#[inline(always)]
fn barycentric(points: &[f64], fixed: &[f64], x: f64, weights: &mut [f64; VOLS_MAX]) {
    let mut total = 0.0;
    for (i, (p, w)) in points.iter().zip(fixed).enumerate() {
        if (x - p).abs() < 1e-13 {
            weights.fill(0.0);
            weights[i] = 1.0;
            return;
        }
        weights[i] = w / (x - p);
        total += weights[i];
    }
    weights[..points.len()].iter_mut().for_each(|w| *w /= total);
}
