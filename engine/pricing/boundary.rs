//! The early-exercise boundary of an American put per unit of strike, by L. Andersen, M. Lake and D. Offengenden, "High
//! performance American option pricing" (2016): the fixed point of the exercise integral equation on
//! Chebyshev nodes in the root of time, started from the boundary of G. Barone-Adesi and R. Whaley (1987).
//!
//! A call is a put with spot and strike, rate and yield exchanged, so this file knows puts only. The boundary scales
//! with the strike: one solution serves every strike of an expiry.

use crate::dispatch::vectorised;
use crate::elementary::{density, exp, ln, mills, normal};

/// What a put's boundary depends on; a call's with rate and yield exchanged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PutTerms {
    /// Time to expiry, years.
    pub years: f64,
    /// Interest rate of the put.
    pub rate: f64,
    /// Dividend yield of the put.
    pub dividend_yield: f64,
    /// Volatility, a year.
    pub vol: f64,
}

impl PutTerms {
    /// Where the boundary starts at expiry, per unit of strike; `None` when exercise before expiry never pays. With
    /// rate and yield both negative the region has two sides, which is not followed: such a put is
    /// valued as European (a yield below a negative rate does not occur in these markets).
    pub fn start(&self) -> Option<f64> {
        let (r, q) = (self.rate, self.dividend_yield);
        if r < 0.0 || (r == 0.0 && q >= 0.0) || self.years <= 0.0 || self.vol <= 0.0 {
            return None;
        }
        Some(if q > r { r / q } else { 1.0 })
    }
}

/// Most nodes and points of a method: room on the stack.
const NODES_MAX: usize = 40;
const LEVELS_MAX: usize = 256;

/// Nodes, weights and interpolation rows of a method: built once, used for every boundary.
#[derive(Clone, Debug)]
pub struct Method {
    /// Collocation nodes in `sqrt(time / years)`, falling from 1; the node at 0 is left out.
    nodes: Vec<f64>,
    /// Gauss-Legendre points in `w = sqrt(1 - u/t)` and weights on (0, 1), for the equation.
    points: Vec<(f64, f64)>,
    /// Row `(i, j)`: weights of the nodes' values at node `i`'s point `j`.
    rows: Vec<f64>,
    /// Points and weights of the pricing integral, and their rows.
    pub(crate) price_points: Vec<(f64, f64)>,
    price_rows: Vec<f64>,
    iterations: usize,
}

impl Method {
    /// The method of the hot path: errors in docs/options.md.
    pub fn fast() -> Self {
        Self::new(8, 16, 5, 32)
    }

    /// The method of the offline check: orders slower, errors near 1e-9 of the strike.
    pub fn reference() -> Self {
        Self::new(16, 64, 40, 128)
    }

    /// A method with so many collocation nodes, points of the equation's integrals, iterations, and points of the
    /// pricing integral.
    ///
    /// # Panics
    /// When the numbers of points are no multiples of 16, or beyond the room of the stack (40 nodes, 256 points).
    pub fn new(nodes: usize, points: usize, iterations: usize, price_points: usize) -> Self {
        assert!(nodes <= NODES_MAX && points <= LEVELS_MAX, "at most {NODES_MAX} nodes, {LEVELS_MAX} points");
        assert!(
            points.is_multiple_of(LANES) && price_points.is_multiple_of(LANES),
            "points in multiples of {LANES}"
        );
        let cosine = |i: usize| (std::f64::consts::PI * i as f64 / nodes as f64).cos();
        let all: Vec<f64> = (0..=nodes).map(|i| 0.5 * (1.0 + cosine(i))).collect();
        let points = legendre(points);
        let price_points = legendre(price_points);
        let mut rows = Vec::new();
        for node in &all[..nodes] {
            for (w, _) in &points {
                rows.extend(interpolation_row(&all, node * (1.0 - w * w).sqrt()));
            }
        }
        let price_rows =
            price_points.iter().flat_map(|(w, _)| interpolation_row(&all, (1.0 - w * w).sqrt())).collect();
        Self { nodes: all[..nodes].to_vec(), points, rows, price_points, price_rows, iterations }
    }

    /// Appends the boundary at the pricing points as `ln(boundary / strike)`, and last the one of today; `None`, and
    /// nothing is appended, when early exercise never pays. Allocates nothing when `out` has the room.
    pub fn solve(&self, terms: &PutTerms, out: &mut Vec<f64>) -> Option<()> {
        let start = terms.start()?;
        vectorised!(self.solve_here(terms, start, out));
        Some(())
    }

    #[inline(always)]
    fn solve_here(&self, terms: &PutTerms, start: f64, out: &mut Vec<f64>) {
        let ln_start = ln(start);
        let n = self.nodes.len();
        let (mut heights, mut next, mut levels) = ([0.0; NODES_MAX], [0.0; NODES_MAX], [0.0; LEVELS_MAX]);
        let levels = &mut levels[..self.points.len()];
        // The interpolated quantity: ln(b / start)^2, smooth in the root of time.
        for (height, x) in heights.iter_mut().zip(&self.nodes) {
            let depth = ln(whaley(terms, start, terms.years * x * x) / start);
            *height = depth * depth;
        }
        for round in 0..self.iterations {
            for (i, x) in self.nodes.iter().enumerate() {
                self.levels_of(i, &heights[..n], ln_start, levels);
                let t = terms.years * x * x;
                let here = ln_start - heights[i].sqrt();
                let b = self.improved(terms, t, here, levels, round == 0);
                let depth = ln(b.clamp(1e-300, start)) - ln_start;
                next[i] = depth * depth;
            }
            std::mem::swap(&mut heights, &mut next);
        }
        let height = |row: &[f64]| dot(row, &heights[..n]).max(0.0);
        out.extend(self.price_rows.chunks_exact(n).map(|row| ln_start - height(row).sqrt()));
        out.push(ln_start - heights[0].sqrt());
    }

    /// `ln b` at the points of node `i`'s integral.
    #[inline(always)]
    fn levels_of(&self, i: usize, heights: &[f64], ln_start: f64, levels: &mut [f64]) {
        let n = heights.len();
        let rows = &self.rows[i * n * levels.len()..(i + 1) * n * levels.len()];
        for (level, row) in levels.iter_mut().zip(rows.chunks_exact(n)) {
            *level = ln_start - dot(row, heights).max(0.0).sqrt();
        }
    }

    /// The fixed point's right side at time `t` to expiry (form B of the paper: stable at every volatility); in the
    /// first round one Newton step on its direct part.
    #[inline(always)]
    fn improved(&self, terms: &PutTerms, t: f64, ln_b: f64, levels: &[f64], newton: bool) -> f64 {
        let (r, q, v) = (terms.rate, terms.dividend_yield, terms.vol);
        let drift = r - q;
        let spread = v * t.sqrt();
        let (mut above, mut below) = (0.0, 0.0);
        for (points, levels) in self.points.chunks_exact(LANES).zip(levels.chunks_exact(LANES)) {
            // Whole blocks into arrays first: a running sum would keep the loop from becoming vector code.
            let (mut a, mut b) = ([0.0; LANES], [0.0; LANES]);
            let (mut ws, mut weights, mut at) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
            for l in 0..LANES {
                (ws[l], weights[l], at[l]) = (points[l].0, points[l].1, levels[l]);
            }
            for l in 0..LANES {
                let gap = t * ws[l] * ws[l];
                let sw = spread * ws[l];
                let d2 = (ln_b - at[l] + drift * gap) / sw - 0.5 * sw;
                let d1 = d2 + sw;
                let jacobian = 2.0 * t * ws[l] * weights[l];
                let u = t - gap;
                a[l] = jacobian * exp(r * u) * normal(d2);
                b[l] = jacobian * exp(q * u) * normal(d1);
            }
            above += total(&a);
            below += total(&b);
        }
        let d2 = (ln_b + drift * t) / spread - 0.5 * spread;
        let d1 = d2 + spread;
        let numerator = normal(d2) + r * above;
        let denominator = normal(d1) + q * below;
        let scale = exp(-drift * t);
        let found = scale * numerator / denominator;
        if !newton {
            return found;
        }
        let b = exp(ln_b);
        let slope =
            scale * (density(d2) - density(d1) * numerator / denominator) / (denominator * b * spread);
        let better = b - (b - found) / (1.0 - slope);
        if better > 0.0 && better.is_finite() { better } else { found }
    }
}

#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut four = [0.0; 4];
    for (i, (x, y)) in a.iter().zip(b).enumerate() {
        four[i % 4] += x * y;
    }
    (four[0] + four[1]) + (four[2] + four[3])
}

/// The critical price of the quadratic approximation, per unit of strike, by bracketed Newton.
fn whaley(terms: &PutTerms, start: f64, t: f64) -> f64 {
    let (r, q, v) = (terms.rate, terms.dividend_yield, terms.vol);
    let variance = v * v;
    let n1 = 2.0 * (r - q) / variance - 1.0;
    let faded = -libm::expm1(-r * t);
    let m_over_h = if r * t < 1e-12 { 2.0 / (variance * t) } else { 2.0 * r / (variance * faded) };
    let power = -0.5 * (n1 + (n1 * n1 + 4.0 * m_over_h).sqrt());
    let spread = v * t.sqrt();
    let (discount, yielded) = (exp(-r * t), exp(-q * t));
    // The gap between holding and exercising at `s`; falls through zero at the critical price.
    let gap = |s: f64| {
        let d1 = (ln(s) + (r - q) * t) / spread + 0.5 * spread;
        let put = discount * normal(spread - d1) - s * yielded * normal(-d1);
        (1.0 - yielded * normal(-d1)) * s + power * (1.0 - s - put)
    };
    let (mut low, mut high) = (0.0, start);
    let mut s = start * exp(-0.8 * spread.min(3.0));
    let mut before = (start, gap(start));
    for _ in 0..40 {
        let here = gap(s);
        if here > 0.0 {
            high = s
        } else {
            low = s
        }
        let secant = s - here * (s - before.0) / (here - before.1);
        before = (s, here);
        let next = if secant > low && secant < high { secant } else { 0.5 * (low + high) };
        let moved = (next - s).abs();
        s = next;
        if moved < 1e-4 * s {
            break;
        }
    }
    s.max(1e-12 * start)
}

/// Gauss-Legendre points and weights on (0, 1).
pub(crate) fn legendre(n: usize) -> Vec<(f64, f64)> {
    let mut found = Vec::with_capacity(n);
    for i in 0..n {
        let mut x = -(std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..50 {
            let (mut p, mut before) = (1.0, 0.0);
            for k in 0..n {
                let k = k as f64;
                (p, before) = (((2.0 * k + 1.0) * x * p - k * before) / (k + 1.0), p);
            }
            slope = n as f64 * (x * p - before) / (x * x - 1.0);
            let step = p / slope;
            x -= step;
            if step.abs() < 1e-15 {
                break;
            }
        }
        found.push((0.5 * (1.0 + x), 1.0 / ((1.0 - x * x) * slope * slope)));
    }
    found
}

/// Weights of the values at Chebyshev points `all` (the last is 0, where the value is 0 and left out) at `x`.
fn interpolation_row(all: &[f64], x: f64) -> Vec<f64> {
    let n = all.len() - 1;
    if let Some(hit) = all.iter().position(|p| (p - x).abs() < 1e-14) {
        return (0..n).map(|k| f64::from(u8::from(k == hit))).collect();
    }
    let term = |k: usize| {
        let end = if k == 0 || k == n { 0.5 } else { 1.0 };
        let sign = if k.is_multiple_of(2) { 1.0 } else { -1.0 };
        sign * end / (x - all[k])
    };
    let total: f64 = (0..=n).map(term).sum();
    (0..n).map(|k| term(k) / total).collect()
}

/// Premium of early exercise per unit of strike at `ln(spot / strike)`, with its first and second derivative in
/// `spot / strike`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Premium {
    pub value: f64,
    pub slope: f64,
    pub bend: f64,
}

/// Pricing points of one expiry with what depends on time only.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    /// `w`, `2 T w weight`, `e^(-rate u)`, `e^(-yield u)`, `(rate - yield) u`.
    w: Vec<f64>,
    weight: Vec<f64>,
    discount: Vec<f64>,
    yielded: Vec<f64>,
    drift: Vec<f64>,
}

impl Grid {
    /// The points of one expiry: `years` to it, rates as decimals a year.
    pub fn new(method: &Method, years: f64, rate: f64, dividend_yield: f64) -> Self {
        let zeros = || vec![0.0; method.price_points.len()];
        let w = method.price_points.iter().map(|(w, _)| *w).collect();
        let (weight, discount, yielded, drift) = (zeros(), zeros(), zeros(), zeros());
        let mut grid = Self { w, weight, discount, yielded, drift };
        grid.retime(method, years, rate, dividend_yield);
        grid
    }

    /// The same points for another time and other rates. Allocates nothing.
    pub fn retime(&mut self, method: &Method, years: f64, rate: f64, dividend_yield: f64) {
        for (i, (w, share)) in method.price_points.iter().enumerate() {
            let u = years * w * w;
            self.weight[i] = 2.0 * years * w * share;
            self.discount[i] = libm::exp(-rate * u);
            self.yielded[i] = libm::exp(-dividend_yield * u);
            self.drift[i] = (rate - dividend_yield) * u;
        }
    }

    /// The premium integral over the boundary `ln_b` (the points', then today's).
    #[inline(always)]
    pub fn premium(&self, terms: &PutTerms, ln_m: f64, ln_b: &[f64]) -> Premium {
        let (r, q) = (terms.rate, terms.dividend_yield);
        let spread = terms.vol * terms.years.sqrt();
        let m = exp(ln_m);
        let per_m = 1.0 / m;
        let n = self.w.len();
        let (w, weight, discount, yielded) =
            (&self.w[..n], &self.weight[..n], &self.discount[..n], &self.yielded[..n]);
        let (drift, ln_b) = (&self.drift[..n], &ln_b[..n]);
        let mut sums = [0.0; 3];
        for start in (0..n).step_by(LANES) {
            let part = |of: &[f64]| -> [f64; LANES] { std::array::from_fn(|l| of[start + l]) };
            let (w, weight, discount) = (part(w), part(weight), part(discount));
            let (yielded, drift, ln_b) = (part(yielded), part(drift), part(ln_b));
            let mut terms = [[0.0; LANES]; 3];
            let [values, slopes, bends] = &mut terms;
            for l in 0..LANES {
                let sw = spread * w[l];
                let per_sw = 1.0 / sw;
                let d2 = (ln_m - ln_b[l] + drift[l]) * per_sw - 0.5 * sw;
                let d1 = d2 + sw;
                let b = exp(ln_b[l]);
                let n2 = density(d2);
                let n1 = n2 * b * per_m * discount[l] / yielded[l];
                let down2 = tail_below(d2, n2);
                let down1 = tail_below(d1, n1);
                let rush = discount[l] * n2 * per_m * per_sw;
                let lost = q * b - r;
                values[l] = weight[l] * (r * discount[l] * down2 - q * m * yielded[l] * down1);
                slopes[l] = weight[l] * (rush * lost - q * yielded[l] * down1);
                bends[l] = weight[l] * rush * per_m * (q * b - lost * (1.0 + d2 * per_sw));
            }
            for (sum, term) in sums.iter_mut().zip(&terms) {
                *sum += total(term);
            }
        }
        let [value, slope, bend] = sums;
        Premium { value, slope, bend }
    }
}

/// Points worked on together; the numbers of points of a method are multiples of it.
const LANES: usize = 16;

/// The sum of a block, in a fixed order that needs no long chain of additions.
#[inline(always)]
fn total(block: &[f64; LANES]) -> f64 {
    let mut four = [0.0; 4];
    for (l, value) in block.iter().enumerate() {
        four[l % 4] += value;
    }
    (four[0] + four[1]) + (four[2] + four[3])
}

/// `N(-d)` from the density at `d`.
#[inline(always)]
fn tail_below(d: f64, density: f64) -> f64 {
    let size = d.abs();
    let size = if size > 39.0 { 39.0 } else { size };
    let tail = density * mills(size);
    if d > 0.0 { tail } else { 1.0 - tail }
}
