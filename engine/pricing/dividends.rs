//! American options on an underlying that pays known cash dividends: the spot follows a lognormal walk and falls by the
//! cash amount at each payment (the "spot" model). Solved on a grid in the logarithm of spot over strike, backwards in
//! time: Crank and Nicolson's scheme with R. Rannacher's four implicit half-steps after every kink, and the early
//! exercise by M. Brennan and E. Schwartz (1977), which solves the complementarity exactly for a one-sided region.

use crate::american::AmericanGreeks;
use crate::european::sign_of;
use market::Right;

/// One cash payment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dividend {
    /// Years until the spot falls by it.
    pub years: f64,
    /// Dollars per share.
    pub amount: f64,
}

/// An American option under cash dividends.
#[derive(Clone, Copy, Debug)]
pub struct CashOption<'a> {
    /// Call or put.
    pub right: Right,
    /// Dollars per share.
    pub spot: f64,
    /// Dollars per share.
    pub strike: f64,
    /// Time to expiry.
    pub years: f64,
    /// Interest rate, a year.
    pub rate: f64,
    /// Continuous yield besides the cash, a year: borrow cost.
    pub dividend_yield: f64,
    /// Volatility, a year.
    pub vol: f64,
    /// Payments to come, earliest first; those after expiry do nothing.
    pub dividends: &'a [Dividend],
}

/// Cells of the grid in space and steps in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Cells across the domain.
    pub cells: usize,
    /// Time steps from now to expiry.
    pub steps: usize,
}

impl Resolution {
    /// For marking: errors in docs/options.md.
    pub const FAST: Self = Self { cells: 600, steps: 160 };
    /// For the offline check.
    pub const REFERENCE: Self = Self { cells: 1600, steps: 600 };
}

/// Half the width of the domain in standard deviations.
const WIDTH: f64 = 5.5;
/// Relative bump of volatility for vega.
const VEGA_BUMP: f64 = 5e-3;

/// Price and Greeks; the limits of zero time or volatility are the intrinsic value. `None` when an input is no market.
pub fn cash_greeks(option: &CashOption, resolution: Resolution) -> Option<AmericanGreeks> {
    Some(CashCurve::solve(option, resolution)?.read(option.spot))
}

/// A contract solved for every spot of its grid: after a move of the underlying it is read anew, not solved anew.
#[derive(Clone, Debug)]
pub struct CashCurve {
    sign: f64,
    strike: f64,
    rate: f64,
    dividend_yield: f64,
    vol: f64,
    /// The solution at the full and at half the resolution, whose errors cancel in the second order (Richardson);
    /// none where time or volatility is zero.
    levels: Option<[Level; 2]>,
}

/// Values and vegas of one grid, per unit of strike.
#[derive(Clone, Debug)]
struct Level {
    low: f64,
    dx: f64,
    values: Vec<f64>,
    vegas: Vec<f64>,
}

impl CashCurve {
    /// Solves the contract. `None` when an input is no market.
    pub fn solve(option: &CashOption, resolution: Resolution) -> Option<Self> {
        let positive = option.spot > 0.0 && option.strike > 0.0 && option.years >= 0.0 && option.vol >= 0.0;
        let finite = option.spot.is_finite() && option.strike.is_finite() && option.rate.is_finite();
        if !(positive && finite && option.vol.is_finite() && option.years.is_finite()) {
            return None;
        }
        let half = Resolution { cells: resolution.cells / 2, steps: resolution.steps / 2 };
        let lives = option.vol * option.years.sqrt() >= 1e-6;
        let levels = lives.then(|| [Level::solve(option, resolution), Level::solve(option, half)]);
        let CashOption { strike, rate, dividend_yield, vol, .. } = *option;
        Some(Self { sign: sign_of(option.right), strike, rate, dividend_yield, vol, levels })
    }

    /// Price and Greeks at a spot within the grid's reach (five deviations around the solved one).
    pub fn read(&self, spot: f64) -> AmericanGreeks {
        let (k, s) = (self.strike, spot);
        let intrinsic = (self.sign * (s - k)).max(0.0);
        let exercised = |price| AmericanGreeks {
            price,
            delta: if intrinsic > 0.0 { self.sign } else { 0.0 },
            ..Default::default()
        };
        let Some([fine, coarse]) = &self.levels else { return exercised(intrinsic) };
        let x = libm::log(s / k);
        let (f, c) = (fine.read(x), coarse.read(x));
        let better = |i: usize| (4.0 * f[i] - c[i]) / 3.0;
        let [value, slope, bend, vega] = [better(0), better(1), better(2), better(3)];
        // The floor binds in the exercise region exactly.
        if intrinsic > 0.0 && f[0] * k <= intrinsic * (1.0 + 1e-13) {
            return exercised(intrinsic);
        }
        let (price, delta) = ((value * k).max(intrinsic), slope * k / s);
        let gamma = (bend - slope) * k / (s * s);
        let carry = self.rate * price - (self.rate - self.dividend_yield) * s * delta;
        let theta = carry - 0.5 * self.vol * self.vol * s * s * gamma;
        AmericanGreeks { price, delta, gamma, vega: vega * k, theta }
    }
}

impl Level {
    fn solve(option: &CashOption, resolution: Resolution) -> Self {
        let reach = WIDTH * option.vol * option.years.sqrt();
        let bumped = |by: f64| {
            let vol = option.vol * (1.0 + by);
            Walk::new(CashOption { vol, ..*option }, resolution, reach).solve()
        };
        let (up, down) = (bumped(VEGA_BUMP), bumped(-VEGA_BUMP));
        let width = 2.0 * VEGA_BUMP * option.vol;
        let vegas = up.values.iter().zip(&down.values).map(|(u, d)| (u - d) / width).collect();
        let walk = Walk::new(*option, resolution, reach).solve();
        Self { low: walk.low, dx: walk.dx, values: walk.values, vegas }
    }

    /// Value, its slope and bend in `ln spot`, and vega.
    fn read(&self, x: f64) -> [f64; 4] {
        let place = (x - self.low) / self.dx;
        let (value, slope, bend) = quintic(&self.values, place);
        [value, slope / self.dx, bend / (self.dx * self.dx), quintic(&self.vegas, place).0]
    }
}

/// The backward walk over the grid, per unit of strike.
struct Walk<'a> {
    option: CashOption<'a>,
    sign: f64,
    /// Lowest point and distance of points in `ln(spot / strike)`; the strike lies on a point.
    low: f64,
    dx: f64,
    payoff: Vec<f64>,
    values: Vec<f64>,
    /// Time to expiry already walked.
    walked: f64,
    dt: f64,
    scratch: Vec<f64>,
}

impl<'a> Walk<'a> {
    fn new(option: CashOption<'a>, resolution: Resolution, reach: f64) -> Self {
        let sign = sign_of(option.right);
        let here = libm::log(option.spot / option.strike);
        let paid: f64 = option.dividends.iter().filter(|d| d.years < option.years).map(|d| d.amount).sum();
        let fall = libm::log((option.spot - paid).max(0.05 * option.spot) / option.strike);
        let (low, high) = (here.min(fall).min(0.0) - reach, here.max(0.0) + reach);
        let dx = (high - low) / resolution.cells as f64;
        let low = -(-low / dx).ceil() * dx;
        let points = resolution.cells + 2;
        let payoff: Vec<f64> =
            (0..points).map(|i| (sign * (libm::exp(low + dx * i as f64) - 1.0)).max(0.0)).collect();
        let dt = option.years / resolution.steps as f64;
        let scratch = vec![0.0; points];
        Self { option, sign, low, dx, values: payoff.clone(), payoff, walked: 0.0, dt, scratch }
    }

    fn solve(mut self) -> Self {
        let years = self.option.years;
        let dividends = self.option.dividends;
        for dividend in dividends.iter().rev().filter(|d| d.years < years && d.years > 0.0) {
            self.run_to(years - dividend.years);
            self.pay(dividend.amount / self.option.strike);
        }
        self.run_to(years);
        self
    }

    /// Walks until `time` to expiry.
    fn run_to(&mut self, time: f64) {
        let span = time - self.walked;
        if span <= 0.0 {
            return;
        }
        let steps = (span / self.dt).ceil().max(4.0) as usize;
        let dt = span / steps as f64;
        for _ in 0..4 {
            self.step(0.5 * dt, 1.0);
        }
        for _ in 2..steps {
            self.step(dt, 0.5);
        }
    }

    /// The spot falls by `amount` (per unit of strike): just before, holders choose between exercise and the value
    /// after the fall.
    fn pay(&mut self, amount: f64) {
        self.scratch.copy_from_slice(&self.values);
        for i in 0..self.values.len() {
            let spot = libm::exp(self.low + self.dx * i as f64);
            let after = spot - amount;
            let held = if after <= 0.0 || libm::log(after) <= self.low {
                // Below the grid: worthless calls, puts worth their strike less what is left of the spot.
                if self.sign > 0.0 { 0.0 } else { 1.0 - after.max(0.0) }
            } else {
                quintic(&self.scratch, (libm::log(after) - self.low) / self.dx).0
            };
            self.values[i] = held.max(self.payoff[i]);
        }
    }

    /// One step of length `dt`; `theta` is 1 for the implicit and 1/2 for Crank and Nicolson's scheme.
    fn step(&mut self, dt: f64, theta: f64) {
        let o = self.option;
        let half_variance = 0.5 * o.vol * o.vol / (self.dx * self.dx);
        let drift = (o.rate - o.dividend_yield - 0.5 * o.vol * o.vol) / (2.0 * self.dx);
        let (down, up) = (dt * (half_variance - drift), dt * (half_variance + drift));
        let middle = -(down + up) - dt * o.rate;
        let n = self.values.len();
        let explicit = 1.0 - theta;
        self.scratch.copy_from_slice(&self.values);
        for i in 1..n - 1 {
            let v = &self.values[i - 1..=i + 1];
            self.scratch[i] = v[1] + explicit * (down * v[0] + middle * v[1] + up * v[2]);
        }
        self.walked += dt;
        (self.scratch[0], self.scratch[n - 1]) = self.edges();
        let (down, diagonal, up) = (-theta * down, 1.0 - theta * middle, -theta * up);
        if self.sign < 0.0 {
            self.sweep(down, diagonal, up, |i| i);
        } else {
            let last = n - 1;
            self.sweep(up, diagonal, down, move |i| last - i);
        }
    }

    /// Brennan and Schwartz: elimination toward the exercise region, substitution out of it with the payoff as floor.
    /// `place` counts points from the side where exercise pays.
    #[inline(always)]
    fn sweep(&mut self, toward: f64, diagonal: f64, away: f64, place: impl Fn(usize) -> usize) {
        let n = self.values.len();
        // Elimination from the far side; the pivots are kept in `values`, which the substitution overwrites.
        let far = place(n - 1);
        let mut pivot = diagonal;
        let mut rest = self.scratch[far];
        let mut coupling = 0.0;
        self.values[far] = 1.0;
        for i in (1..n - 1).rev() {
            let p = place(i);
            let (right, factor) = if i == n - 2 { (rest, away) } else { (rest, away / pivot) };
            let d = if i == n - 2 { diagonal } else { diagonal - factor * coupling };
            rest = self.scratch[p] - factor * right;
            self.scratch[p] = rest;
            pivot = d;
            coupling = toward;
            self.values[p] = pivot;
        }
        let near = place(0);
        let mut before = self.scratch[near];
        self.values[near] = before;
        for i in 1..n - 1 {
            let p = place(i);
            let free = (self.scratch[p] - toward * before) / self.values[p];
            before = free.max(self.payoff[p]);
            self.values[p] = before;
        }
        self.values[far] = self.scratch[far];
    }

    /// Values at the two ends of the grid: the greater of exercise and the forward's discounted value.
    fn edges(&self) -> (f64, f64) {
        let o = self.option;
        let now = o.years - self.walked;
        let strike = libm::exp(-o.rate * self.walked);
        let coming = o.dividends.iter().filter(|d| d.years > now && d.years < o.years);
        let paid: f64 = coming.map(|d| d.amount / o.strike * libm::exp(-o.rate * (d.years - now))).sum();
        let grown = libm::exp(-o.dividend_yield * self.walked);
        let n = self.values.len();
        let at = |i: usize| {
            let spot = libm::exp(self.low + self.dx * i as f64);
            let held = self.sign * ((spot * grown - paid).max(0.0) - strike);
            held.max(self.payoff[i])
        };
        (at(0), at(n - 1))
    }
}

/// The polynomial through six points around `place` (in cells): value, slope and bend, by Newton's differences.
fn quintic(values: &[f64], place: f64) -> (f64, f64, f64) {
    const POINTS: usize = 6;
    let first = (place.floor() as isize - 2).clamp(0, values.len() as isize - POINTS as isize) as usize;
    let mut table = [0.0; POINTS];
    table.copy_from_slice(&values[first..first + POINTS]);
    for order in 1..POINTS {
        for i in (order..POINTS).rev() {
            table[i] = (table[i] - table[i - 1]) / order as f64;
        }
    }
    let x = place - first as f64;
    let (mut value, mut slope, mut bend) = (table[POINTS - 1], 0.0, 0.0);
    for i in (0..POINTS - 1).rev() {
        let at = x - i as f64;
        bend = bend * at + 2.0 * slope;
        slope = slope * at + value;
        value = value * at + table[i];
    }
    (value, slope, bend)
}
