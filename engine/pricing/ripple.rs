//! What SVI's five parameters cannot follow: a cubic spline of total variance added to them, on even knots in
//! `asinh(k / deviation)`, so that they are dense where options trade. It fades to nothing beyond the quotes, where the
//! smile is SVI's own.
//!
//! The spline is a penalised least squares fit of what the quotes leave over, in half spreads. Smoothness is asked for ever
//! harder until the smile shows neither butterfly nor calendar arbitrage on the dense grids of [`crate::smile`]; in the last
//! resort nothing is added. SVI alone is free, so the search always ends.

mod pull;

use crate::elementary::{exp, ln};
use crate::smile::{G_LEFT, SmilePoint, Svi, durrleman};
pub use pull::Task;

/// Coefficients of the spline.
pub const KNOTS: usize = 32;
/// Lifts of SVI that are tried, as shares of its level.
const LIFTS: [f64; 5] = [0.0, 3e-3, 1e-2, 3e-2, 0.1];
/// How far the knots go beyond what they are asked for, in `asinh(k / deviation)`.
const BEYOND: f64 = 0.03;
/// Fewest quotes for a spline.
const POINTS_MIN: usize = 8;

/// A smile: SVI with its ripple.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smile {
    /// What holds it up, and all of it beyond the quotes.
    pub svi: Svi,
    /// What is added between the quotes.
    pub ripple: Ripple,
}

impl Smile {
    /// Total variance, and its first and second derivative in `k`.
    #[inline]
    pub fn shape(&self, k: f64) -> (f64, f64, f64) {
        let ((w, slope, bend), (by, tilt, curl)) = (self.svi.shape(k), self.ripple.shape(k));
        (w + by, slope + tilt, bend + curl)
    }

    /// Total variance at `k`.
    #[inline]
    pub fn variance(&self, k: f64) -> f64 {
        self.svi.variance(k) + self.ripple.value(k)
    }

    /// Volatility a year at `k`.
    pub fn vol(&self, k: f64, years: f64) -> f64 {
        (self.variance(k).max(0.0) / years).sqrt()
    }

    /// True when neither butterfly nor calendar arbitrage is seen where [`Svi::is_free`] looks.
    pub fn is_free(&self, before: Option<&Self>) -> bool {
        let holds = |k: f64| {
            let shape = self.shape(k);
            shape.0 > 0.0 && durrleman(k, shape) >= 0.0
        };
        let above = |k: f64, s: &Self| self.variance(k) >= s.variance(k) - 1e-12;
        before.is_none_or(|s| self.svi.meetings(&s.svi).all(|k| above(k, s))) && self.svi.places().all(holds)
    }

    /// The place of the worst butterfly, or else of the worst calendar, that leaves less than `margin`.
    fn fault(&self, before: Option<&Self>, margin: f64) -> Option<f64> {
        self.fault_within((f64::MIN, f64::MAX), before, margin)
    }

    /// The same, with butterflies looked for between two places only: beyond a spline's knots SVI was seen to be free.
    fn fault_within(&self, (first, last): (f64, f64), before: Option<&Self>, margin: f64) -> Option<f64> {
        let met = before.map_or((0.0, 0.0), |s| s.svi.quoted());
        let (mut bent, mut under) = ((margin, None), (margin, None));
        let mut compare = |k: f64, w: f64| {
            let Some(s) = before.filter(|_| k >= met.0 && k <= met.1) else { return };
            let level = s.variance(k);
            let short = w + 1e-12 - level;
            if short < under.0 * level {
                under = (short / level, Some(k));
            }
        };
        for k in self.svi.places().filter(|k| (first..=last).contains(k)) {
            let shape = self.shape(k);
            let left = if shape.0 > 0.0 { durrleman(k, shape) } else { f64::MIN };
            if left < bent.0 {
                bent = (left, Some(k));
            }
            compare(k, shape.0);
        }
        if let Some(s) = before {
            for k in s.svi.bend_places().chain(Svi::even(met)) {
                compare(k, self.variance(k));
            }
        }
        bent.1.or(under.1)
    }

    /// The smile of `points` over an SVI that is free of butterflies and was fitted without the smile before; `last` is the
    /// expiry's last smile. `None` when no spline makes it free. Allocates nothing.
    pub fn rippled(
        svi: Svi,
        points: &[SmilePoint],
        years: f64,
        last: Option<&Self>,
        before: Option<&Self>,
    ) -> Option<Self> {
        let level = svi.variance(0.0);
        LIFTS.iter().find_map(|lift| {
            // Between the quotes the spline takes a lift back; beyond them it carries the wings over those before.
            let svi = Svi { a: svi.a + lift * level, ..svi };
            let last = last.filter(|last| last.svi == svi).map(|last| &last.ripple);
            let task = Task { points, svi: &svi, years, before, last };
            let again = Task { last: None, ..task };
            let found = Ripple::fit(&task).or_else(|| last.and_then(|_| Ripple::fit(&again)));
            let plain = || Some(Ripple::NONE).filter(|_| points.len() < POINTS_MIN);
            let smile = Self { svi, ripple: found.or_else(plain)? };
            Some(smile).filter(|s| found.is_some() || s.fault(before, 0.5 * G_LEFT).is_none())
        })
    }

    /// The smile before, lifted to the quotes; flat above all of it where that leaves a butterfly: free whatever the quotes say.
    pub fn lifted(&self, points: &[SmilePoint], years: f64) -> Self {
        let (mut sum, mut weights) = (0.0, 0.0);
        for p in points {
            let weight = 1.0 / (p.half_spread + 2e-4);
            sum += weight * (p.vol * p.vol * years - self.variance(p.k));
            weights += weight;
        }
        let by = |lift: f64| Self { svi: Svi { a: self.svi.a + lift, ..self.svi }, ..*self };
        let least = (sum / weights).max(1e-4 * self.variance(0.0));
        let lifts = (0..12).map(|i| least + 1e-3 * self.variance(0.0) * (f64::from(1 << i) - 1.0));
        let found = lifts.map(by).find(|s| s.fault(Some(self), 0.5 * G_LEFT).is_none());
        found.unwrap_or_else(|| {
            let levels = self.svi.meetings(&self.svi).map(|k| self.variance(k));
            let highest = levels.fold(least, f64::max);
            let flat = |times: f64| Self {
                svi: Svi::flat((times * highest / years).sqrt(), years),
                ripple: Ripple::NONE,
            };
            let tried = [1.001, 1.1, 1.5].map(flat);
            tried
                .into_iter()
                .find(|s| s.fault(Some(self), 0.5 * G_LEFT).is_none())
                .unwrap_or_else(|| flat(3.0))
        })
    }

    /// The smile of `points` over an SVI that was fitted above the smile before; `None` when not even a lift of SVI keeps
    /// it there. Allocates nothing.
    pub fn over(svi: Svi, points: &[SmilePoint], years: f64, before: Option<&Self>) -> Option<Self> {
        let level = svi.variance(0.0);
        let plain = |lift: &f64| Self { svi: Svi { a: svi.a + lift * level, ..svi }, ripple: Ripple::NONE };
        let base = LIFTS.iter().map(plain).find(|s| s.fault(before, 0.5 * G_LEFT).is_none())?;
        let task = Task { points, svi: &base.svi, years, before, last: None };
        Some(Self { ripple: Ripple::fit(&task).unwrap_or(Ripple::NONE), ..base })
    }
}

/// The spline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ripple {
    /// Unit of log-moneyness.
    unit: f64,
    /// Place of the first knot, and the distance of knots, in `asinh(k / unit)`.
    first: f64,
    step: f64,
    coefficients: [f64; KNOTS],
}

impl Ripple {
    /// Nothing added.
    pub const NONE: Self = Self { unit: 1.0, first: 0.0, step: 1.0, coefficients: [0.0; KNOTS] };

    /// Its value and first two derivatives in `k`.
    #[inline(always)]
    pub fn shape(&self, k: f64) -> (f64, f64, f64) {
        let (at, (values, slopes, bends)) = self.basis(k);
        let c = self.four(at);
        let sum = |of: [f64; 4]| c[0] * of[0] + c[1] * of[1] + c[2] * of[2] + c[3] * of[3];
        let square = k * k + self.unit * self.unit;
        let du = 1.0 / square.sqrt();
        let slope = sum(slopes);
        (sum(values), slope * du, sum(bends) * du * du - slope * k * du / square)
    }

    /// Its value.
    #[inline(always)]
    pub fn value(&self, k: f64) -> f64 {
        let (at, (values, ..)) = self.basis(k);
        let c = self.four(at);
        c[0] * values[0] + c[1] * values[1] + c[2] * values[2] + c[3] * values[3]
    }

    /// Four coefficients from one on; those beyond the ends are zero.
    #[inline(always)]
    fn four(&self, at: isize) -> [f64; 4] {
        let one = |i: isize| usize::try_from(i).ok().and_then(|i| self.coefficients.get(i)).copied();
        std::array::from_fn(|j| one(at + j as isize).unwrap_or(0.0))
    }

    /// The first coefficient that counts at `k`, and the weights of four.
    #[inline(always)]
    fn basis(&self, k: f64) -> (isize, Weights) {
        let u = (asinh(k / self.unit) - self.first) / self.step;
        if !(-3.0..=KNOTS as f64 + 2.0).contains(&u) {
            return (KNOTS as isize + 8, ([0.0; 4], [0.0; 4], [0.0; 4]));
        }
        // Cut towards zero after a shift is the floor, without a call.
        let cell = (u + 8.0) as isize - 8;
        (cell - 1, self.weights(u - cell as f64))
    }

    /// The weights of the four splines that count in a cell, `t` of the way through it, with their slopes and bends in
    /// `asinh(k / unit)`.
    #[inline(always)]
    fn weights(&self, t: f64) -> Weights {
        let (s, h) = (1.0 - t, 1.0 / self.step);
        let [sixth, half] = [1.0 / 6.0, 0.5];
        let value = [
            sixth * s * s * s,
            half * t * t * t - t * t + 4.0 * sixth,
            half * s * s * s - s * s + 4.0 * sixth,
            sixth * t * t * t,
        ];
        let (slope, bend) = (half * h, h * h);
        let slopes =
            [-slope * s * s, slope * (3.0 * t * t - 4.0 * t), slope * (4.0 * s - 3.0 * s * s), slope * t * t];
        (value, slopes, [bend * s, bend * (3.0 * t - 2.0), bend * (3.0 * s - 2.0), bend * t])
    }

    /// The same in proportion.
    pub(crate) fn times(&self, share: f64) -> Self {
        Self { coefficients: self.coefficients.map(|c| c * share), ..*self }
    }

    /// The spline that takes SVI to the quotes, as smooth as they and arbitrage let it be; `None` with few quotes, or when none
    /// is found that leaves the smile free. Allocates nothing.
    pub fn fit(task: &Task<'_>) -> Option<Self> {
        pull::pulled(task)
    }

    /// The knots over the range of the quotes and of what the smile before asks for.
    fn over(task: &Task<'_>) -> Option<Self> {
        let unit = task.svi.variance(0.0).max(1e-12).sqrt();
        let (low, high) = Self::asked(task);
        // A little further, so that quotes at other strikes find the same knots.
        let (low, high) = (asinh(low / unit) - BEYOND, asinh(high / unit) + BEYOND);
        // The outermost two splines on either side fade beyond the quotes.
        let step = (high - low) / (KNOTS as f64 - 3.0);
        let knots = Self { unit, first: low - step, step, coefficients: [0.0; KNOTS] };
        (task.points.len() >= POINTS_MIN && step > 1e-9).then_some(knots)
    }

    /// True when its knots are about those that [`Self::over`] would take.
    fn covers(&self, task: &Task<'_>) -> bool {
        let (low, high) = Self::asked(task);
        let (low, high) = (asinh(low / self.unit), asinh(high / self.unit));
        let (first, last) = (self.first + self.step, self.first + self.step * (KNOTS as f64 - 2.0));
        let fits = |inner: f64| (0.0..=3.0 * BEYOND).contains(&inner);
        *self != Self::NONE && task.points.len() >= POINTS_MIN && fits(low - first) && fits(last - high)
    }

    /// The log-moneyness beyond which it is zero.
    fn ends(&self) -> (f64, f64) {
        let k = |u: f64| self.unit * libm::sinh(self.first + u * self.step);
        (k(-2.0), k(KNOTS as f64 + 1.0))
    }

    /// The log-moneyness between which the spline has work.
    fn asked(task: &Task<'_>) -> (f64, f64) {
        let met = task.before.map(|before| before.svi.quoted());
        let all = task.points.iter().map(|p| (p.k, p.k)).chain(met);
        all.fold((f64::MAX, f64::MIN), |(l, h), (from, to)| (l.min(from), h.max(to)))
    }

    /// Goes over all places where it is not zero, so many a cell.
    #[inline(always)]
    fn walk(&self, places: usize, mut each: impl FnMut(f64, Place)) {
        // Between exponentials of even steps lies one multiplication.
        let part = 1.0 / places as f64;
        let by = exp(part * self.step);
        let mut up = exp(self.first - 2.0 * self.step);
        for i in 0..(KNOTS + 3) * places {
            let (cell, phase) = (i / places, i % places);
            let (sinh, cosh) = (0.5 * (up - 1.0 / up), 0.5 * (up + 1.0 / up));
            let du = 1.0 / (self.unit * cosh);
            let k = self.unit * sinh;
            if i > 0 {
                each(k, Place::new(cell, &self.weights(part * phase as f64), du, -k * du * du * du));
            }
            up *= by;
        }
    }

    /// The splines that count at `k`.
    fn place(&self, k: f64) -> Place {
        let (at, weights) = self.basis(k);
        let square = k * k + self.unit * self.unit;
        let du = 1.0 / square.sqrt();
        // Counted from three before the first, where zeros are kept; beyond them nothing counts.
        match usize::try_from(at + 3) {
            Ok(at) if at < KNOTS + 3 => Place::new(at, &weights, du, -k * du / square),
            _ => Place { at: 0, value: [0.0; 4], slope: [0.0; 4], bend: [0.0; 4] },
        }
    }
}

impl Place {
    #[inline(always)]
    fn new(at: usize, (value, slope, bend): &Weights, du: f64, ddu: f64) -> Self {
        let bent = std::array::from_fn(|i| bend[i] * du * du + slope[i] * ddu);
        Self { at, value: *value, slope: slope.map(|s| s * du), bend: bent }
    }
}

/// Four splines' values, slopes and bends.
type Weights = ([f64; 4], [f64; 4], [f64; 4]);

/// The inverse of the hyperbolic sine. Near zero its error is that of 1.
#[inline(always)]
fn asinh(x: f64) -> f64 {
    ln(x.abs() + (x * x + 1.0).sqrt()).copysign(x)
}

/// The four splines that count at a place, the first of them, and their slopes and bends in `k`.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: usize,
    value: [f64; 4],
    slope: [f64; 4],
    bend: [f64; 4],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_the_value() {
        let mut ripple = Ripple { unit: 0.1, first: -3.0, step: 0.3, coefficients: [0.0; KNOTS] };
        for (i, c) in ripple.coefficients.iter_mut().enumerate() {
            *c = ((i * 7919) % 13) as f64 / 13.0 - 0.5;
        }
        let h = 1e-5;
        for i in 0..200 {
            let k = -1.2 + 0.012 * f64::from(i);
            let (value, slope, bend) = ripple.shape(k);
            let (up, down) = (ripple.value(k + h), ripple.value(k - h));
            assert!((value - ripple.value(k)).abs() < 1e-14);
            assert!((slope - (up - down) / (2.0 * h)).abs() < 1e-6 * (1.0 + slope.abs()), "{k}");
            assert!((bend - (up - 2.0 * value + down) / (h * h)).abs() < 2e-3 * (1.0 + bend.abs()), "{k}");
        }
        assert_eq!(ripple.shape(50.0), (0.0, 0.0, 0.0), "nothing far out");
    }

    #[test]
    fn a_bump_that_svi_has_not_is_followed() {
        let svi = Svi { a: 0.002, b: 0.02, rho: -0.4, m: 0.0, sigma: 0.05 };
        let years = 0.1;
        let bump = |k: f64| 4e-5 * libm::exp(-(k - 0.02) * (k - 0.02) / 2e-3);
        let points: Vec<SmilePoint> = (-40..=30)
            .map(|i| {
                let k = 0.005 * f64::from(i);
                let vol = ((svi.variance(k) + bump(k)) / years).sqrt();
                SmilePoint { k, vol, half_spread: 5e-4, weight: 1.0 }
            })
            .collect();
        let task = Task { points: &points, svi: &svi, years, before: None, last: None };
        let found = Ripple::fit(&task).expect("points enough");
        assert!(points.iter().all(|p| (found.value(p.k) - bump(p.k)).abs() < 4e-6));
        let few = Task { points: &points[..7], ..task };
        assert_eq!(Ripple::fit(&few), None, "too few");
    }
}
