//! Finds a ripple: the smoothest spline that takes the smile between every quote's bid and ask and leaves it without
//! butterfly or calendar arbitrage.
//!
//! Quotes inside their band pull next to nothing; those outside pull to its edge, with a force that stops growing far out,
//! so that a bad quote bends nothing. Two floors hold the smile at many places: the smile before, and Durrleman's
//! function, which is linearised where the smile is. They are kept by a primal and dual interior point method (J. Nocedal and
//! S. Wright, Numerical Optimization, chapter 19), whose rounds are one banded Cholesky factorisation each. A fit that follows
//! another starts from its spline, with a barrier almost as low as it ends. Nothing is allocated.

use super::{KNOTS, Place, Ripple, Smile};
use crate::smile::{G_LEFT, POINTS_MAX, SmilePoint, Svi, durrleman};
use arrayvec::ArrayVec;

/// Zeros on either side of the coefficients, so that no place needs bounds checked.
const PAD: usize = 3;
const PADDED: usize = KNOTS + 2 * PAD;
/// Places a cell that are kept free of arbitrage, and room for those found later.
const PLACES: usize = 4;
const LATER: usize = 4;
const GUARDS: usize = (KNOTS + 3) * PLACES + 2 + LATER;
/// The share of half a spread within which a quote counts as met, and the pull to its mid of one that is.
const BAND: f64 = 0.5;
const MET: f64 = 2e-2;
/// Half spreads beyond which the pull of a quote does not grow.
const FORCE_LIMIT: f64 = 1.0;
/// Roughness in units of the quotes' mean pull, how much more it counts where nothing is quoted, and how much more each time.
const ROUGHNESS: f64 = 1e-5;
const UNQUOTED: f64 = 100.0;
const SMOOTHER: f64 = 2.0;
/// What Durrleman's function is kept above, and a unit of it beside a half spread.
const G_FLOOR: f64 = 4e-3;
const G_UNIT: f64 = 0.02;
/// The share of variance the smile is kept above the one before, and what a share is beside a half spread.
const OVER: f64 = 4e-4;
const OVER_UNIT: f64 = 4e-3;
/// The share of SVI's variance that the smile is never below.
const LEAST: f64 = 0.3;
/// The barrier from nothing, from the last spline and where it ends, in squares of half spreads; and the share kept each round.
const BARRIER: f64 = 3.0;
const BARRIER_WARM: f64 = 0.03;
const BARRIER_LAST: f64 = 2e-3;
const BARRIER_KEEP: f64 = 0.25;
/// The share of the way to a floor that a step goes at most, and how far floors may be off in the end.
const NEAR: f64 = 0.98;
const OFF_LAST: f64 = 0.05;
/// Floors further off than this do not count once the barrier is low.
const FAR: f64 = 50.0;
/// Rounds at most, and times that a spline which is not free is asked to be smoother.
const ROUNDS: usize = 30;
const ASKED: usize = 3;

type Padded = [f64; PADDED];

/// What a ripple is fitted to.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The quotes; the first [`POINTS_MAX`] count.
    pub points: &'a [SmilePoint],
    /// What the spline is added to.
    pub svi: &'a Svi,
    /// Time to expiry.
    pub years: f64,
    /// The smile of the expiry before.
    pub before: Option<&'a Smile>,
    /// The spline of the last fit of this expiry over the same SVI.
    pub last: Option<&'a Ripple>,
}

/// A quote: the splines that count, what is left of it over SVI, and one over half its band, all in total variance.
struct Pulled {
    at: usize,
    value: [f64; 4],
    left: f64,
    scale: f64,
}

/// A place kept free of arbitrage: what SVI is there, and where the floors lie.
struct Guard {
    place: Place,
    k: f64,
    base: (f64, f64, f64),
    floor: f64,
    g_floor: f64,
}

/// A floor around the smile of now: how far above it the smile lies, and how that changes with the coefficients.
#[derive(Clone, Copy)]
struct Floor {
    left: f64,
    row: [f64; 4],
}

/// How far above a floor the smile is taken to be, and with what force the floor holds it; and how a step changes both.
#[derive(Clone, Copy)]
struct Slack {
    left: f64,
    force: f64,
    by: f64,
    force_by: f64,
}

/// Normal equations, banded: each row's own column and the three left of it.
struct Equations {
    band: [[f64; 4]; PADDED],
    right: Padded,
}

#[inline(always)]
fn dot(c: &Padded, at: usize, row: &[f64; 4]) -> f64 {
    c[at] * row[0] + c[at + 1] * row[1] + c[at + 2] * row[2] + c[at + 3] * row[3]
}

impl Equations {
    /// Adds `weight * (row . c - target)^2`, the row's four coefficients from `at` on.
    #[inline(always)]
    fn add(&mut self, at: usize, row: &[f64; 4], target: f64, weight: f64) {
        for i in 0..4 {
            let by = weight * row[i];
            self.right[at + i] += by * target;
            for (left, other) in self.band[at + i].iter_mut().zip(row[..=i].iter().rev()) {
                *left += by * other;
            }
        }
    }

    /// The solution by Cholesky, zero in the padding.
    #[inline(always)]
    fn solve(mut self) -> Option<Padded> {
        let (first, last) = (PAD, PAD + KNOTS);
        let mut x = [0.0; PADDED];
        for i in first..last {
            let reach = (i - first).min(3);
            for d in (1..=reach).rev() {
                let j = i - d;
                let mut sum = self.band[i][d];
                for e in d + 1..=reach {
                    sum -= self.band[i][e] * self.band[j][e - d];
                }
                self.band[i][d] = sum * self.band[j][0];
            }
            let (mut sum, mut right) = (self.band[i][0], self.right[i]);
            for d in 1..=reach {
                sum -= self.band[i][d] * self.band[i][d];
                right -= self.band[i][d] * x[i - d];
            }
            if sum.is_nan() || sum <= 0.0 {
                return None;
            }
            self.band[i][0] = 1.0 / sum.sqrt();
            x[i] = right * self.band[i][0];
        }
        for i in (first..last).rev() {
            let mut sum = x[i];
            for d in 1..=3.min(last - 1 - i) {
                sum -= self.band[i + d][d] * x[i + d];
            }
            x[i] = sum * self.band[i][0];
        }
        x.iter().all(|v| v.is_finite()).then_some(x)
    }
}

/// The spline of a task; `None` with few quotes, or when none is found that leaves the smile free.
pub(super) fn pulled(task: &Task<'_>) -> Option<Ripple> {
    let mut programme = Programme::new(task)?;
    for _ in 0..ASKED {
        let found = programme.work()?;
        let smile = Smile { svi: *task.svi, ripple: found };
        let looked = if task.last.is_some() { found.ends() } else { (f64::MIN, f64::MAX) };
        let Some(k) = smile.fault_within(looked, task.before, 0.5 * G_LEFT) else {
            // What follows another fit is like it; a first one is looked at from everywhere.
            return Some(found).filter(|_| task.last.is_some() || smile.is_free(task.before));
        };
        programme.insist(task, k);
    }
    None
}

/// The programme of one expiry.
struct Programme {
    empty: Ripple,
    quotes: ArrayVec<Pulled, POINTS_MAX>,
    guards: ArrayVec<Guard, GUARDS>,
    floors: ArrayVec<[Floor; 2], GUARDS>,
    slacks: ArrayVec<[Slack; 2], GUARDS>,
    /// How much the roughness counts, by coefficient.
    stiff: Padded,
    barrier: f64,
    found: Padded,
}

impl Programme {
    fn new(task: &Task<'_>) -> Option<Self> {
        let kept = task.last.filter(|last| last.covers(task));
        let empty = kept.copied().or_else(|| Ripple::over(task))?;
        let mut made = Self {
            empty,
            quotes: ArrayVec::new(),
            guards: ArrayVec::new(),
            floors: ArrayVec::new(),
            slacks: ArrayVec::new(),
            stiff: [UNQUOTED; PADDED],
            barrier: if kept.is_some() { BARRIER_WARM } else { BARRIER },
            found: [0.0; PADDED],
        };
        if let Some(kept) = kept {
            made.found[PAD..PAD + KNOTS].copy_from_slice(&kept.coefficients);
        }
        made.quote(task);
        let met = task.before.map(|before| before.svi.quoted());
        empty.walk(PLACES, |k, place| made.guard(task, k, place, met));
        for k in met.into_iter().flat_map(|(low, high)| [low, high]) {
            made.guard(task, k, empty.place(k), met);
        }
        Some(made)
    }

    fn quote(&mut self, task: &Task<'_>) {
        let mut scales = 0.0;
        for p in task.points.iter().take(POINTS_MAX) {
            let Place { at, value, .. } = self.empty.place(p.k);
            for (stiff, b) in self.stiff[at..].iter_mut().zip(value) {
                *stiff = if b > 0.1 { 1.0 } else { *stiff };
            }
            let left = p.vol * p.vol * task.years - task.svi.variance(p.k);
            let scale = 1.0 / (2.0 * p.vol * task.years * p.half_spread.max(1e-5));
            self.quotes.push(Pulled { at, value, left, scale });
            scales += scale;
        }
        let unit = scales / self.quotes.len() as f64;
        let weight = ROUGHNESS * unit * unit * self.quotes.len() as f64 / KNOTS as f64;
        self.stiff.iter_mut().for_each(|s| *s *= weight);
    }

    /// Keeps one more place free, while there is room.
    fn guard(&mut self, task: &Task<'_>, k: f64, place: Place, met: Option<(f64, f64)>) {
        let is_met = met.is_some_and(|(low, high)| k >= low && k <= high);
        let over = task.before.filter(|_| is_met).map_or(0.0, |before| before.variance(k) * (1.0 + OVER));
        let base = task.svi.shape(k);
        // Where the spline fades SVI's own distance from a butterfly may be less.
        let bent = durrleman(k, base);
        let g_floor = if bent > 0.0 { G_FLOOR.min(0.6 * bent) } else { G_FLOOR };
        let guard = Guard { place, k, base, floor: over.max(LEAST * base.0), g_floor };
        if self.guards.is_full() {
            return;
        }
        let least = self.barrier.sqrt().min(1.0);
        let slack = |floor: &Floor| {
            let left = floor.left.max(least);
            Slack { left, force: self.barrier / left, by: 0.0, force_by: 0.0 }
        };
        let floors = guard.floors(&self.found);
        self.slacks.push([slack(&floors[0]), slack(&floors[1])]);
        self.floors.push(floors);
        self.guards.push(guard);
    }

    /// Rounds until the barrier is low and the floors are where they are taken to be.
    fn work(&mut self) -> Option<Ripple> {
        for _ in 0..ROUNDS {
            let target = self.equations().solve()?;
            let step: Padded = std::array::from_fn(|i| target[i] - self.found[i]);
            let (far, firm, off) = self.reach(&step);
            self.go(&step, far, firm);
            if self.barrier <= BARRIER_LAST && far > 0.9 && off < OFF_LAST {
                break;
            }
            if far > 0.3 && firm > 0.3 {
                self.barrier = (self.barrier * BARRIER_KEEP).max(BARRIER_LAST);
            }
        }
        let coefficients = std::array::from_fn(|i| self.found[PAD + i]);
        Some(Ripple { coefficients, ..self.empty })
    }

    /// Asks for a smoother spline that is free at `k` as well.
    fn insist(&mut self, task: &Task<'_>, k: f64) {
        self.stiff.iter_mut().for_each(|s| *s *= SMOOTHER);
        let met = task.before.map(|before| before.svi.quoted());
        self.guard(task, k, self.empty.place(k), met);
    }

    /// The normal equations of a round.
    #[inline(always)]
    fn equations(&self) -> Equations {
        let c = &self.found;
        let mut eq = Equations { band: [[0.0; 4]; PADDED], right: [0.0; PADDED] };
        for q in &self.quotes {
            let off = (dot(c, q.at, &q.value) - q.left) * q.scale;
            let beyond = off.abs() - BAND;
            let square = q.scale * q.scale;
            // Huber's: a square near by, its tangent far out.
            let force = if beyond > FORCE_LIMIT { FORCE_LIMIT / beyond } else { 1.0 };
            let force = if beyond > 0.0 { force } else { 0.0 };
            let weight = force + MET;
            let target = q.left + force * BAND.copysign(off) / (weight * q.scale);
            eq.add(q.at, &q.value, target, weight * square);
        }
        let is_low = self.barrier < 0.1;
        for ((g, floors), slacks) in self.guards.iter().zip(&self.floors).zip(&self.slacks) {
            for (floor, slack) in floors.iter().zip(slacks) {
                if is_low && slack.left > FAR {
                    continue;
                }
                let wanted = slack.left + self.barrier / slack.force;
                let target = dot(c, g.place.at, &floor.row) - floor.left + wanted;
                eq.add(g.place.at, &floor.row, target, slack.force / slack.left);
            }
        }
        // Second differences, zeros beyond both ends counted.
        for start in PAD - 2..PAD + KNOTS {
            eq.add(start, &[1.0, -2.0, 1.0, 0.0], 0.0, self.stiff[start + 1]);
        }
        eq
    }

    /// How much of a step the floors allow, and of their forces; and how far the floors are from where they are taken to be.
    #[inline(always)]
    fn reach(&mut self, step: &Padded) -> (f64, f64, f64) {
        let (mut far, mut firm, mut off) = (1.0f64, 1.0f64, 0.0f64);
        for ((g, floors), slacks) in self.guards.iter().zip(&self.floors).zip(&mut self.slacks) {
            for (floor, slack) in floors.iter().zip(slacks) {
                off = off.max(slack.left - floor.left);
                slack.by = dot(step, g.place.at, &floor.row) + floor.left - slack.left;
                slack.force_by = (self.barrier - slack.force * (slack.left + slack.by)) / slack.left;
                // Divisions only where the floor is in reach.
                if slack.left + far * slack.by < (1.0 - NEAR) * slack.left {
                    far = -NEAR * slack.left / slack.by;
                }
                if slack.force + firm * slack.force_by < (1.0 - NEAR) * slack.force {
                    firm = -NEAR * slack.force / slack.force_by;
                }
            }
        }
        (far, firm, off)
    }

    /// Goes so much of the step.
    #[inline(always)]
    fn go(&mut self, step: &Padded, far: f64, firm: f64) {
        for (c, by) in self.found.iter_mut().zip(step) {
            *c += far * by;
        }
        for ((g, floors), slacks) in self.guards.iter().zip(&mut self.floors).zip(&mut self.slacks) {
            for slack in slacks {
                slack.left += far * slack.by;
                slack.force += firm * slack.force_by;
            }
            *floors = g.floors(&self.found);
        }
    }
}

impl Guard {
    /// Its two floors, in units of [`OVER_UNIT`] and [`G_UNIT`]: of variance, and of Durrleman's function.
    #[inline(always)]
    fn floors(&self, c: &Padded) -> [Floor; 2] {
        let (at, p) = (self.place.at, &self.place);
        let w = self.base.0 + dot(c, at, &p.value);
        let slope = self.base.1 + dot(c, at, &p.slope);
        let bend = self.base.2 + dot(c, at, &p.bend);
        let unit = 1.0 / (OVER_UNIT * self.floor);
        let over = Floor { left: (w - self.floor) * unit, row: p.value.map(|b| b * unit) };
        let w = w.max(0.5 * LEAST * self.base.0);
        let part = 1.0 / w;
        let share = 1.0 - 0.5 * self.k * slope * part;
        let by_w = (share * self.k * slope + 0.25 * slope * slope) * part * part;
        let by_slope = -share * self.k * part - 0.5 * slope * (part + 0.25);
        let row = |i: usize| (by_w * p.value[i] + by_slope * p.slope[i] + 0.5 * p.bend[i]) * (1.0 / G_UNIT);
        let left = share * share - 0.25 * slope * slope * (part + 0.25) + 0.5 * bend - self.g_floor;
        [over, Floor { left: left * (1.0 / G_UNIT), row: std::array::from_fn(row) }]
    }
}
