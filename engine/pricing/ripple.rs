//! What SVI's five parameters cannot follow: a cubic spline of total variance added to them, on even knots in
//! `asinh(k / deviation)`, so that they are dense where options trade. It fades to nothing beyond the quotes, where the
//! smile is SVI's own.
//!
//! The spline is a penalised least squares fit of what the quotes leave over, in half spreads. Smoothness is asked for ever
//! harder until the smile shows neither butterfly nor calendar arbitrage on the dense grids of [`crate::smile`]; in the last
//! resort nothing is added. SVI alone is free, so the search always ends.

use crate::smile::{G_LEFT, SmilePoint, Svi, durrleman};

/// Coefficients of the spline.
pub const KNOTS: usize = 24;
/// Penalties of roughness that are tried, the least first; without unit.
const ROUGHNESS: [f64; 6] = [1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0];
/// Shares of the roughest that are tried when none of them is free.
const SHARES: [f64; 4] = [0.7, 0.45, 0.25, 0.1];
/// Times that quotes still outside their spread are given more weight.
const ROUNDS: usize = 5;
const HEAVIER: f64 = 4.0;
/// Places where the smile before is looked at, how far above it the spline is pushed (a share), and how hard at first, beside
/// a quote.
const FLOORS: usize = 64;
const FLOOR_OVER: f64 = 2e-3;
const PUSH: f64 = 10.0;
/// Lifts of SVI that are tried, as shares of its level.
const LIFTS: [f64; 5] = [0.0, 3e-3, 1e-2, 3e-2, 0.1];

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
        self.is_free_by(before, 0.0)
    }

    fn is_free_by(&self, before: Option<&Self>, margin: f64) -> bool {
        let holds = |k: f64| {
            let shape = self.shape(k);
            shape.0 > 0.0 && durrleman(k, shape) >= margin
        };
        let above = |k: f64, s: &Self| self.variance(k) >= s.variance(k) * (1.0 + margin) - 1e-12;
        before.is_none_or(|s| self.svi.meetings(&s.svi).all(|k| above(k, s))) && self.svi.places().all(holds)
    }

    /// The smile of `points` over an SVI that was fitted without the smile before; `None` when no spline makes it free.
    /// Allocates nothing.
    pub fn rippled(svi: Svi, points: &[SmilePoint], years: f64, before: Option<&Self>) -> Option<Self> {
        let level = svi.variance(0.0);
        LIFTS.iter().find_map(|lift| {
            // Between the quotes the spline takes a lift back; beyond them it carries the wings over those before.
            let svi = Svi { a: svi.a + lift * level, ..svi };
            let with = |ripple: &Ripple| Self { svi, ripple: *ripple };
            let task = Task { points, svi: &svi, years, before };
            let found = Ripple::fit(&task, |r| with(r).is_free_by(before, 0.5 * G_LEFT));
            Some(with(&found)).filter(|s| found != Ripple::NONE || s.is_free_by(before, 0.5 * G_LEFT))
        })
    }

    /// The smile before, lifted to the quotes: free whatever they say, since a lift only weakens butterflies.
    pub fn lifted(&self, points: &[SmilePoint], years: f64) -> Self {
        let (mut sum, mut weights) = (0.0, 0.0);
        for p in points {
            let weight = 1.0 / (p.half_spread + 2e-4);
            sum += weight * (p.vol * p.vol * years - self.variance(p.k));
            weights += weight;
        }
        let by = |lift: f64| Self { svi: Svi { a: self.svi.a + lift, ..self.svi }, ..*self };
        let mut lift = (sum / weights).max(1e-4 * self.variance(0.0));
        for _ in 0..60 {
            if by(lift).is_free_by(Some(self), 0.5 * G_LEFT) {
                break;
            }
            lift = 1.5 * lift + 1e-3 * self.variance(0.0);
        }
        by(lift)
    }

    /// The smile of `points` over an SVI that was fitted above the smile before; `None` when not even a lift of SVI keeps
    /// it there. Allocates nothing.
    pub fn over(svi: Svi, points: &[SmilePoint], years: f64, before: Option<&Self>) -> Option<Self> {
        let level = svi.variance(0.0);
        let plain = |lift: &f64| Self { svi: Svi { a: svi.a + lift * level, ..svi }, ripple: Ripple::NONE };
        let base = LIFTS.iter().map(plain).find(|s| s.is_free_by(before, 0.5 * G_LEFT))?;
        let with = |ripple: &Ripple| Self { ripple: *ripple, ..base };
        let task = Task { points, svi: &base.svi, years, before };
        let ripple = Ripple::fit(&task, |r| with(r).is_free_by(before, 0.5 * G_LEFT));
        Some(with(&ripple))
    }
}

/// What a ripple is fitted to.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The quotes; the first [`crate::smile::POINTS_MAX`] count.
    pub points: &'a [SmilePoint],
    /// What the spline is added to.
    pub svi: &'a Svi,
    /// Time to expiry.
    pub years: f64,
    /// The smile of the expiry before.
    pub before: Option<&'a Smile>,
}

impl Task<'_> {
    /// From where to where the smile is compared with the one before.
    fn met(&self) -> Option<(f64, f64)> {
        self.before.map(|before| before.svi.quoted())
    }

    fn floors(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let grid = |before: &Smile, i: usize| {
            let (low, high) = before.svi.quoted();
            let k = low + (high - low) * i as f64 / (FLOORS - 1) as f64;
            (k, before.variance(k))
        };
        self.before.into_iter().flat_map(move |before| (0..FLOORS).map(move |i| grid(before, i)))
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
    #[inline]
    pub fn shape(&self, k: f64) -> (f64, f64, f64) {
        let (at, basis, slopes, bends) = self.basis(k);
        let (mut value, mut slope, mut bend) = (0.0, 0.0, 0.0);
        for j in 0..4 {
            let Some(c) = (at + j as isize).try_into().ok().and_then(|i: usize| self.coefficients.get(i))
            else {
                continue;
            };
            value += c * basis[j];
            slope += c * slopes[j];
            bend += c * bends[j];
        }
        let square = k * k + self.unit * self.unit;
        let du = 1.0 / square.sqrt();
        let ddu = -k * du / square;
        (value, slope * du, bend * du * du + slope * ddu)
    }

    /// Its value.
    pub fn value(&self, k: f64) -> f64 {
        let (at, basis, ..) = self.basis(k);
        let coefficient = |j: usize| {
            usize::try_from(at + j as isize)
                .ok()
                .and_then(|i| self.coefficients.get(i))
                .copied()
                .unwrap_or(0.0)
        };
        (0..4).map(|j| basis[j] * coefficient(j)).sum()
    }

    /// The first coefficient that counts at `k`, the weights of four, and their first and second derivatives.
    #[inline]
    fn basis(&self, k: f64) -> (isize, [f64; 4], [f64; 4], [f64; 4]) {
        let u = (libm::asinh(k / self.unit) - self.first) / self.step;
        let cell = u.floor().clamp(-8.0, KNOTS as f64 + 8.0);
        let t = u - cell;
        if !(0.0..=1.0).contains(&t) {
            return (KNOTS as isize + 8, [0.0; 4], [0.0; 4], [0.0; 4]);
        }
        let (s, h) = (1.0 - t, 1.0 / self.step);
        let value =
            [s * s * s, 3.0 * t * t * t - 6.0 * t * t + 4.0, 3.0 * s * s * s - 6.0 * s * s + 4.0, t * t * t];
        let slope = [-3.0 * s * s, 9.0 * t * t - 12.0 * t, -9.0 * s * s + 12.0 * s, 3.0 * t * t];
        let bend = [6.0 * s, 18.0 * t - 12.0, 18.0 * s - 12.0, 6.0 * t];
        let sixth = |of: [f64; 4], by: f64| of.map(|x| x * by / 6.0);
        (cell as isize - 1, sixth(value, 1.0), sixth(slope, h), sixth(bend, h * h))
    }

    /// The same in proportion.
    pub(crate) fn times(&self, share: f64) -> Self {
        Self { coefficients: self.coefficients.map(|c| c * share), ..*self }
    }

    /// The spline of what the quotes leave over SVI, as rough as `is_free` lets it be. Allocates nothing.
    pub fn fit(task: &Task<'_>, is_free: impl Fn(&Self) -> bool) -> Self {
        let Some(empty) = Self::over(task) else { return Self::NONE };
        let mut roughest = Self::NONE;
        for (i, roughness) in ROUGHNESS.iter().enumerate() {
            let Some(found) = empty.solved(task, *roughness) else { continue };
            if is_free(&found) {
                return found;
            }
            if i == ROUGHNESS.len() / 2 {
                roughest = found;
            }
        }
        let shares = SHARES.iter().map(|share| roughest.times(*share));
        shares.into_iter().find(|r| is_free(r)).unwrap_or(Self::NONE)
    }

    /// The knots over the range of the quotes and of what the smile before asks for.
    fn over(task: &Task<'_>) -> Option<Self> {
        let unit = task.svi.variance(0.0).max(1e-12).sqrt();
        let all = task.points.iter().map(|p| (p.k, p.k)).chain(task.met());
        let (low, high) = all.fold((f64::MAX, f64::MIN), |(l, h), (from, to)| (l.min(from), h.max(to)));
        let (low, high) = (libm::asinh(low / unit), libm::asinh(high / unit));
        // The outermost two splines on either side fade beyond the quotes.
        let step = (high - low) / (KNOTS as f64 - 3.0);
        let knots = Self { unit, first: low - step, step, coefficients: [0.0; KNOTS] };
        (task.points.len() >= 8 && step > 1e-9).then_some(knots)
    }

    /// The penalised fit; quotes that stay outside their spread are pulled harder, and places that stay below the smile
    /// before are pushed up.
    fn solved(&self, task: &Task<'_>, roughness: f64) -> Option<Self> {
        let mut found = *self;
        let mut heavy = [1.0f64; crate::smile::POINTS_MAX];
        let mut pushes = [0.0f64; FLOORS];
        for _ in 0..=ROUNDS {
            found = self.solve_once(task, roughness, &heavy, &pushes)?;
            let total = |k: f64| task.svi.variance(k) + found.value(k);
            for (p, weight) in task.points.iter().zip(&mut heavy) {
                let off = ((total(p.k).max(0.0) / task.years).sqrt() - p.vol).abs();
                if off > 0.8 * p.half_spread {
                    *weight *= HEAVIER;
                }
            }
            for ((k, floor), push) in task.floors().zip(&mut pushes) {
                if total(k) < floor * (1.0 + FLOOR_OVER / 3.0) {
                    *push = if *push == 0.0 { PUSH } else { *push * HEAVIER };
                }
            }
        }
        Some(found)
    }

    fn solve_once(&self, task: &Task<'_>, roughness: f64, heavy: &[f64], pushes: &[f64]) -> Option<Self> {
        let mut matrix = [[0.0; KNOTS]; KNOTS];
        let mut right = [0.0; KNOTS];
        let (mut scales, mut count) = (0.0, 0.0);
        for (p, heavy) in task.points.iter().zip(heavy) {
            // A miss of variance in half spreads of volatility.
            let scale = 1.0 / (2.0 * p.vol * task.years * p.half_spread.max(1e-4));
            let left = p.vol * p.vol * task.years - task.svi.variance(p.k);
            scales += scale;
            count += 1.0;
            self.add(p.k, left, heavy * scale * scale, &mut matrix, &mut right);
        }
        let scale = scales / count;
        for ((k, floor), push) in task.floors().zip(pushes).filter(|(_, push)| **push > 0.0) {
            let left = floor * (1.0 + FLOOR_OVER) - task.svi.variance(k);
            self.add(k, left, push * scale * scale, &mut matrix, &mut right);
        }
        let penalty = roughness * scale * scale * count / KNOTS as f64;
        // Second differences, zeros beyond both ends counted.
        let difference = [1.0, -2.0, 1.0];
        for start in -2..KNOTS as isize {
            for i in 0..3 {
                for j in 0..3 {
                    let (row, column) = (start + i as isize, start + j as isize);
                    if let (Ok(row), Ok(column)) = (usize::try_from(row), usize::try_from(column))
                        && row < KNOTS
                        && column < KNOTS
                    {
                        matrix[row][column] += penalty * difference[i] * difference[j];
                    }
                }
            }
        }
        Some(Self { coefficients: cholesky(matrix, right)?, ..*self })
    }

    /// One equation: the spline at `k` should be `left`.
    #[inline]
    fn add(
        &self,
        k: f64,
        left: f64,
        weight: f64,
        matrix: &mut [[f64; KNOTS]; KNOTS],
        right: &mut [f64; KNOTS],
    ) {
        let (at, basis, ..) = self.basis(k);
        let place = |i: usize| usize::try_from(at + i as isize).ok().filter(|r| *r < KNOTS);
        for (i, row) in (0..4).filter_map(|i| Some((i, place(i)?))) {
            right[row] += weight * basis[i] * left;
            for (j, column) in (0..4).filter_map(|j| Some((j, place(j)?))) {
                matrix[row][column] += weight * basis[i] * basis[j];
            }
        }
    }
}

/// Solves a positive definite system.
fn cholesky(mut l: [[f64; KNOTS]; KNOTS], mut x: [f64; KNOTS]) -> Option<[f64; KNOTS]> {
    // Bandwidth four: what lies further left is zero.
    for i in 0..KNOTS {
        for j in i.saturating_sub(3)..=i {
            let mut sum = l[i][j];
            let before = i.saturating_sub(3)..j;
            for (x, y) in l[i][before.clone()].iter().zip(&l[j][before]) {
                sum -= x * y;
            }
            if i == j {
                if sum.is_nan() || sum <= 0.0 {
                    return None;
                }
                l[i][i] = sum.sqrt();
            } else {
                l[i][j] = sum / l[j][j];
            }
        }
    }
    for i in 0..KNOTS {
        for k in i.saturating_sub(3)..i {
            x[i] -= l[i][k] * x[k];
        }
        x[i] /= l[i][i];
    }
    for i in (0..KNOTS).rev() {
        for k in i + 1..(i + 4).min(KNOTS) {
            x[i] -= l[k][i] * x[k];
        }
        x[i] /= l[i][i];
    }
    x.iter().all(|v| v.is_finite()).then_some(x)
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
        let task = Task { points: &points, svi: &svi, years, before: None };
        let found = Ripple::fit(&task, |_| true);
        assert!(points.iter().all(|p| (found.value(p.k) - bump(p.k)).abs() < 4e-6));
        assert_eq!(Ripple::fit(&task, |r| *r == Ripple::NONE), Ripple::NONE, "never free: nothing");
    }
}
