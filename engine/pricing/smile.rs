//! One expiry's smile: J. Gatheral's SVI, total variance `w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2))` over
//! `k = ln(strike / forward)`, fitted to quotes and kept free of arbitrage: Durrleman's function `g` not negative (no
//! butterfly, J. Gatheral and A. Jacquier 2014) and never below the smile of the expiry before (no calendar).
//!
//! The fit is Levenberg and Marquardt's, from the last smile when there is one, with both kinds of arbitrage as
//! penalties; what the penalties leave is then repaired, and the repair always ends in a free smile.

/// A smile in total variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Svi {
    /// Level.
    pub a: f64,
    /// Slope of the wings, above zero.
    pub b: f64,
    /// Tilt, between -1 and 1.
    pub rho: f64,
    /// Place of the bend.
    pub m: f64,
    /// Width of the bend, above zero.
    pub sigma: f64,
}

/// One quote's volatility at its log-moneyness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmilePoint {
    /// `ln(strike / forward)`.
    pub k: f64,
    /// Volatility of the mid, a year.
    pub vol: f64,
    /// Half the distance of bid and ask volatility, above zero: the residual counts in units of it.
    pub half_spread: f64,
    /// Further weight, as the root of the size shown; 1 is neutral.
    pub weight: f64,
}

/// What a fit made of the quotes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// The smile, free of arbitrage on the grid checked.
    pub svi: Svi,
    /// Root of the mean squared miss in volatility, weighted.
    pub rms_vol: f64,
    /// True when the penalties did not suffice and the smile was changed to be free of arbitrage.
    pub repaired: bool,
}

/// Fewest quotes for five parameters.
pub const POINTS_MIN: usize = 5;
const GRID: usize = 25;
const DENSE: usize = 161;
/// Most quotes used of an expiry.
pub const POINTS_MAX: usize = 512;
const STEPS_WARM: u32 = 8;
const STEPS_COLD: u32 = 60;
const PARAMETERS: usize = 5;
/// `g` is held above this in the fit, and above zero in the check.
const G_MARGIN: f64 = 2e-3;
/// What `g` of a new smile, and its share above the smile before, are left with at least, so that finer grids than ours find none below zero either.
pub(crate) const G_LEFT: f64 = 2e-5;
const PENALTY: f64 = 1000.0;
/// Times the penalties are made twentyfold.
const HARDER: u32 = 4;
/// What options are quoted over at least, in log-moneyness.
const QUOTED_LEAST: f64 = 0.055;
/// The mean miss of variance, as a share, beyond which a smile is fitted anew.
const DRIFT_MAX: f64 = 0.02;
/// Furthest place of the bend, in log-moneyness.
const PLACE_MAX: f64 = 1.0;
/// Largest slope of a wing (R. Lee's moment formula allows 2).
const SLOPE_MAX: f64 = 1.95;

impl Svi {
    /// A smile without shape.
    pub fn flat(vol: f64, years: f64) -> Self {
        Self { a: vol * vol * years, b: 1e-9, rho: 0.0, m: 0.0, sigma: 0.1 }
    }

    /// Total variance, and its first and second derivative in `k`.
    #[inline(always)]
    pub fn shape(&self, k: f64) -> (f64, f64, f64) {
        let x = k - self.m;
        let square = x * x + self.sigma * self.sigma;
        let root = square.sqrt();
        let w = self.a + self.b * (self.rho * x + root);
        (w, self.b * (self.rho + x / root), self.b * self.sigma * self.sigma / (square * root))
    }

    /// Total variance at `k`.
    #[inline(always)]
    pub fn variance(&self, k: f64) -> f64 {
        self.shape(k).0
    }

    /// Volatility a year at `k`.
    pub fn vol(&self, k: f64, years: f64) -> f64 {
        (self.variance(k).max(0.0) / years).sqrt()
    }

    /// Durrleman's function: the density of the forward at `k` is this times a positive factor.
    #[inline(always)]
    pub fn durrleman(&self, k: f64) -> f64 {
        durrleman(k, self.shape(k))
    }

    /// True when no butterfly is seen on dense grids (wide, over six deviations, around the bend) and in the wings, and no
    /// calendar arbitrage against the earlier smile where that has options worth quoting: from six of its deviations
    /// below the forward to five above, and a twentieth either way at least. Beyond, the order of two extrapolations is not held.
    pub fn is_free(&self, before: Option<&Svi>) -> bool {
        self.is_free_by(before, 0.0)
    }

    /// The same with `g`, and the share above the smile before, at least `margin`.
    fn is_free_by(&self, before: Option<&Svi>, margin: f64) -> bool {
        let numbers = self.a.is_finite() && self.b >= 0.0 && self.rho.abs() < 1.0 && self.sigma > 0.0;
        let wings = self.b * (1.0 + self.rho.abs()) <= 2.0;
        let holds = |k: f64| self.variance(k) > 0.0 && self.durrleman(k) >= margin;
        let above = |k: f64, s: &Svi| self.variance(k) >= s.variance(k) * (1.0 + margin) - 1e-12;
        let later = before.is_none_or(|s| self.meetings(s).all(|k| above(k, s)));
        numbers && wings && later && self.places().all(holds)
    }

    /// Where it is compared with the smile before.
    pub(crate) fn meetings(&self, before: &Svi) -> impl Iterator<Item = f64> + use<> {
        let range = before.quoted();
        let all = self.places().chain(before.places()).chain(Self::even(range));
        all.filter(move |k| *k >= range.0 && *k <= range.1)
    }

    /// Evenly from one end to the other.
    pub(crate) fn even((low, high): (f64, f64)) -> impl Iterator<Item = f64> {
        grid(0.5 * (high - low), DENSE).map(move |u| u + 0.5 * (low + high))
    }

    /// Log-moneyness between which options are worth quoting.
    pub(crate) fn quoted(&self) -> (f64, f64) {
        let deviation = self.variance(0.0).max(1e-12).sqrt();
        (-(6.0 * deviation).max(QUOTED_LEAST), (5.0 * deviation).max(QUOTED_LEAST))
    }

    /// Where arbitrage is looked for.
    pub(crate) fn places(&self) -> impl Iterator<Item = f64> + use<> {
        let deviation = self.variance(0.0).max(1e-12).sqrt();
        // Dense in the middle, out to three: a twentieth and twenty times the forward.
        let wide = grid(1.0, DENSE).map(move |u| 3.0 * spread(u));
        wide.chain(grid(6.0 * deviation, DENSE)).chain(self.bend_places())
    }

    /// Places over the bend, wide ones among them.
    pub(crate) fn bend_places(&self) -> impl Iterator<Item = f64> + use<> {
        let (m, sigma) = (self.m, self.sigma);
        grid(1.0, DENSE).map(move |u| m + 30.0 * sigma * spread(u))
    }

    /// The same shape of a share of its variance.
    pub(crate) fn times(&self, share: f64) -> Self {
        Self { a: self.a * share, b: self.b * share, ..*self }
    }

    /// True when quotes lie about it as closely as they do about a new fit: what they have moved by is left to the
    /// spline. Each of them counts alike.
    pub(crate) fn still_fits(&self, points: &[SmilePoint], years: f64) -> bool {
        let (mut sum, mut size) = (0.0, 0.0);
        for p in points {
            let level = self.variance(p.k);
            let miss = (p.vol * p.vol * years - level) / level;
            sum += miss;
            size += miss.abs();
        }
        let count = points.len() as f64;
        points.len() >= POINTS_MIN && sum.abs() <= DRIFT_MAX * count && size <= 3.0 * DRIFT_MAX * count
    }

    /// The same level at the money with the shape faded: at 0 it is flat.
    fn faded(&self, share: f64) -> Self {
        let w = self.variance(0.0);
        let b = self.b * share;
        let a = w - b * (-self.rho * self.m + (self.m * self.m + self.sigma * self.sigma).sqrt());
        Self { a, b, ..*self }
    }

    /// Parameters without bounds, for the fit.
    fn free(&self) -> [f64; PARAMETERS] {
        let rho = self.rho.clamp(-0.999, 0.999);
        [self.a, libm::log(self.b.max(1e-9)), libm::atanh(rho), self.m, libm::log(self.sigma)]
    }

    fn from_free(p: &[f64; PARAMETERS]) -> Self {
        let rho = libm::tanh(p[2]).clamp(-0.9995, 0.9995);
        let sigma = libm::exp(p[4].clamp(-9.0, 2.0));
        let b = libm::exp(p[1].clamp(-25.0, 3.0)).min(SLOPE_MAX / (1.0 + rho.abs()));
        Self { a: p[0], b, rho, m: p[3].clamp(-PLACE_MAX, PLACE_MAX), sigma }
    }

    /// Slopes of `w` in the free parameters.
    #[inline(always)]
    fn slopes(&self, k: f64) -> [f64; PARAMETERS] {
        let x = k - self.m;
        let root = (x * x + self.sigma * self.sigma).sqrt();
        [
            1.0,
            self.b * (self.rho * x + root),
            self.b * x * (1.0 - self.rho * self.rho),
            -self.b * (self.rho + x / root),
            self.b * self.sigma * self.sigma / root,
        ]
    }
}

/// Durrleman's function of a total variance and its first two derivatives at `k`.
#[inline(always)]
pub(crate) fn durrleman(k: f64, (w, slope, bend): (f64, f64, f64)) -> f64 {
    let share = 1.0 - 0.5 * k * slope / w;
    share * share - 0.25 * slope * slope * (1.0 / w + 0.25) + 0.5 * bend
}

/// A hyperbolic sine's first terms: from -1 to 1, seven times as dense in the middle.
#[inline(always)]
fn spread(u: f64) -> f64 {
    let square = u * u;
    u * (0.146 + square * (0.39 + square * (0.313 + square * 0.151)))
}

fn grid(reach: f64, points: usize) -> impl Iterator<Item = f64> {
    (0..points).map(move |i| reach * (2.0 * i as f64 / (points - 1) as f64 - 1.0))
}

/// How far out the smile is kept free of arbitrage: past the quotes, and five deviations.
pub fn reach(points: &[SmilePoint], years: f64) -> f64 {
    let widest = points.iter().map(|p| p.k.abs()).fold(0.0, f64::max);
    let nearest = points.iter().min_by(|a, b| a.k.abs().total_cmp(&b.k.abs()));
    let deviation = nearest.map_or(0.2, |p| p.vol) * years.sqrt();
    (1.3 * widest).max(5.0 * deviation)
}

/// Fits a smile. `last` is the smile of the previous fit of this expiry, `before` that of the expiry before. `None`
/// with fewer than [`POINTS_MIN`] usable points. Allocates nothing.
pub fn fit(points: &[SmilePoint], years: f64, last: Option<&Svi>, before: Option<&Svi>) -> Option<Fit> {
    let usable = |p: &SmilePoint| {
        p.k.is_finite() && p.vol > 0.0 && p.vol < 10.0 && p.half_spread > 0.0 && p.weight > 0.0
    };
    let points: arrayvec::ArrayVec<SmilePoint, POINTS_MAX> =
        points.iter().copied().filter(usable).take(POINTS_MAX).collect();
    if points.len() < POINTS_MIN || years.is_nan() || years <= 0.0 {
        return None;
    }
    let reach = reach(&points, years);
    let mut task = Task { points: &points, years, before, reach, penalty: PENALTY };
    let found = match last {
        Some(last) => task.descend(last.free(), STEPS_WARM),
        None => task.cold(),
    };
    let mut svi = Svi::from_free(&found.0);
    // What is left of arbitrage is weighed ever harder before anything is forced.
    for _ in 0..HARDER {
        if svi.is_free_by(before, G_LEFT) {
            break;
        }
        task.penalty *= 20.0;
        svi = Svi::from_free(&task.descend(svi.free(), STEPS_WARM).0);
    }
    let repaired = !svi.is_free_by(before, G_LEFT);
    let svi = if repaired { task.repair(svi) } else { svi };
    Some(Fit { svi, rms_vol: task.rms(&svi), repaired })
}

struct Task<'a> {
    points: &'a [SmilePoint],
    years: f64,
    before: Option<&'a Svi>,
    reach: f64,
    penalty: f64,
}

/// Normal equations of one step.
struct Normal {
    matrix: [[f64; PARAMETERS]; PARAMETERS],
    right: [f64; PARAMETERS],
    cost: f64,
}

impl Normal {
    #[inline(always)]
    fn add(&mut self, miss: f64, slopes: &[f64; PARAMETERS]) {
        self.cost += miss * miss;
        for i in 0..PARAMETERS {
            self.right[i] -= slopes[i] * miss;
            for j in 0..=i {
                self.matrix[i][j] += slopes[i] * slopes[j];
            }
        }
    }
}

impl Task<'_> {
    /// A few starts, the best of which is followed.
    fn cold(&self) -> ([f64; PARAMETERS], f64) {
        let nearest = self.points.iter().min_by(|a, b| a.k.abs().total_cmp(&b.k.abs()));
        let vol = nearest.map_or(0.2, |p| p.vol);
        let w = vol * vol * self.years;
        let deviation = w.sqrt();
        let mut best: Option<([f64; PARAMETERS], f64)> = None;
        for (rho, width) in [(-0.5, 0.5), (-0.5, 1.5), (0.0, 1.0), (-0.8, 2.5)] {
            let sigma = width * deviation;
            let b = 0.4 * w / sigma;
            let start = Svi { a: 0.6 * w, b, rho, m: 0.0, sigma };
            let found = self.descend(start.free(), STEPS_COLD);
            if best.is_none_or(|(_, cost)| found.1 < cost) {
                best = Some(found);
            }
        }
        best.unwrap_or((Svi::flat(vol, self.years).free(), f64::INFINITY))
    }

    fn descend(&self, start: [f64; PARAMETERS], steps: u32) -> ([f64; PARAMETERS], f64) {
        let mut at = start;
        let mut normal = self.normal(&at);
        let mut damping = 1e-3;
        for _ in 0..steps {
            let Some(step) = solve(&normal, damping) else { break };
            let next: [f64; PARAMETERS] = std::array::from_fn(|i| at[i] + step[i]);
            let tried = self.normal(&next);
            if tried.cost < normal.cost {
                let gained = normal.cost - tried.cost;
                let done = gained < 1e-5 * normal.cost;
                (at, normal) = (next, tried);
                damping = (damping * 0.2).max(1e-9);
                if done {
                    break;
                }
            } else {
                damping *= 8.0;
                if damping > 1e8 {
                    break;
                }
            }
        }
        (at, normal.cost)
    }

    fn normal(&self, free: &[f64; PARAMETERS]) -> Normal {
        let svi = Svi::from_free(free);
        let zero = [0.0; PARAMETERS];
        let mut normal = Normal { matrix: [zero; PARAMETERS], right: zero, cost: 0.0 };
        for p in self.points {
            // A miss of variance becomes one of volatility, in half spreads.
            let scale = p.weight / (2.0 * p.vol * self.years * (p.half_spread + 2e-4));
            let miss = (svi.variance(p.k) - p.vol * p.vol * self.years) * scale;
            normal.add(miss, &svi.slopes(p.k).map(|s| s * scale));
        }
        let deviation = svi.variance(0.0).max(1e-12).sqrt();
        for k in grid(self.reach, GRID).chain(grid(8.0 * deviation, GRID)) {
            self.penalise_butterfly(&svi, free, k, &mut normal);
        }
        if let Some(before) = self.before {
            let (low, high) = before.quoted();
            for u in grid(1.0, GRID) {
                let k = low + 0.5 * (1.0 + u) * (high - low);
                penalise_calendar(&svi, before, k, self.penalty, &mut normal);
            }
        }
        normal
    }

    /// The penalty at one place; the slopes of `g` are differences, since few places need them.
    fn penalise_butterfly(&self, svi: &Svi, free: &[f64; PARAMETERS], k: f64, normal: &mut Normal) {
        let w = svi.variance(k);
        let g = if w > 0.0 { svi.durrleman(k) } else { -1.0 };
        if g < G_MARGIN {
            let slopes = std::array::from_fn(|i| {
                let mut bumped = *free;
                let by = if i == 0 { 1e-6 * w.abs().max(1e-6) } else { 1e-6 };
                bumped[i] += by;
                -self.penalty * (Svi::from_free(&bumped).durrleman(k) - g) / by
            });
            normal.add(self.penalty * (G_MARGIN - g), &slopes);
        }
    }

    /// The least lift of the whole smile that leaves no arbitrage, when a lift does at all: it weakens butterflies (they
    /// sit where variance is low) and cures calendars.
    fn lifted(&self, svi: &Svi) -> Option<Svi> {
        let by = |lift: f64| Svi { a: svi.a + lift, ..*svi };
        let most = 0.25 * svi.variance(0.0);
        if !(most > 0.0 && by(most).is_free_by(self.before, G_LEFT)) {
            return None;
        }
        let (mut low, mut high) = (0.0, most);
        for _ in 0..16 {
            let lift = 0.5 * (low + high);
            if by(lift).is_free_by(self.before, G_LEFT) { high = lift } else { low = lift }
        }
        Some(by(high))
    }

    /// Lifts the smile a little; where that does not do, fades its shape until no butterfly is left and lifts it over the
    /// smile before; and in the last resort takes the smile before, lifted to the quotes.
    fn repair(&self, svi: Svi) -> Svi {
        if let Some(lifted) = self.lifted(&svi) {
            return lifted;
        }
        let mut base = svi;
        if self.variance_low(&base) <= 0.0 || !base.a.is_finite() {
            base = Svi::flat(self.mean_vol(), self.years);
        }
        let (mut low, mut high) = (0.0, 1.0);
        if !base.is_free_by(None, G_LEFT) {
            for _ in 0..24 {
                let share = 0.5 * (low + high);
                if base.faded(share).is_free_by(None, G_LEFT) { low = share } else { high = share }
            }
            base = base.faded(low);
        }
        let Some(before) = self.before else { return base };
        let short = base
            .places()
            .chain(before.places())
            .map(|k| before.variance(k) * (1.0 + 2.0 * G_LEFT) - base.variance(k))
            .fold(0.0, f64::max);
        base.a += short * (1.0 + 1e-9);
        if base.is_free_by(self.before, G_LEFT) {
            return base;
        }
        let (mut lift, mut weights) = (0.0, 0.0);
        for p in self.points {
            let weight = p.weight / (p.half_spread + 2e-4);
            lift += weight * (p.vol * p.vol * self.years - before.variance(p.k));
            weights += weight;
        }
        // Raising the level only weakens what butterflies the finer grid may still see.
        let mut lift = (lift / weights).max(0.0);
        for _ in 0..60 {
            let lifted = Svi { a: before.a + lift, ..*before };
            if lifted.is_free_by(self.before, G_LEFT) {
                return lifted;
            }
            lift = 1.5 * lift + 1e-3 * before.variance(0.0);
        }
        Svi { a: before.a + lift, ..*before }
    }

    fn variance_low(&self, svi: &Svi) -> f64 {
        svi.variance(0.0)
    }

    fn mean_vol(&self) -> f64 {
        self.points.iter().map(|p| p.vol).sum::<f64>() / self.points.len() as f64
    }

    fn rms(&self, svi: &Svi) -> f64 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for p in self.points {
            let weight = p.weight / (p.half_spread + 2e-4);
            let miss = svi.vol(p.k, self.years) - p.vol;
            sum += weight * miss * miss;
            weights += weight;
        }
        (sum / weights).sqrt()
    }
}

/// The penalty of lying below the smile before at one place.
fn penalise_calendar(svi: &Svi, before: &Svi, k: f64, penalty: f64, normal: &mut Normal) {
    let level = before.variance(k);
    let short = 1.0005 * level - svi.variance(k);
    if short > 0.0 {
        let scale = penalty / level.max(1e-9);
        normal.add(short * scale, &svi.slopes(k).map(|s| -s * scale));
    }
}

/// Cholesky of the damped normal equations.
fn solve(normal: &Normal, damping: f64) -> Option<[f64; PARAMETERS]> {
    let mut l = [[0.0; PARAMETERS]; PARAMETERS];
    for i in 0..PARAMETERS {
        for j in 0..=i {
            let mut sum = normal.matrix[i][j];
            if i == j {
                sum += damping * normal.matrix[i][i] + 1e-14;
            }
            for (x, y) in l[i][..j].iter().zip(&l[j][..j]) {
                sum -= x * y;
            }
            l[i][j] = if i == j { if sum > 0.0 { sum.sqrt() } else { return None } } else { sum / l[j][j] };
        }
    }
    let mut x = normal.right;
    for i in 0..PARAMETERS {
        for j in 0..i {
            x[i] -= l[i][j] * x[j];
        }
        x[i] /= l[i][i];
    }
    for i in (0..PARAMETERS).rev() {
        for j in i + 1..PARAMETERS {
            x[i] -= l[j][i] * x[j];
        }
        x[i] /= l[i][i];
    }
    x.iter().all(|v| v.is_finite()).then_some(x)
}
