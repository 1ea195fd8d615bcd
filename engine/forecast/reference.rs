//! What training saw of its features, carried in the manifest: how far out a row may lie before its model is silent,
//! and how every feature was spread, so that what comes in live can be compared with it.
//!
//! The distance of a row is the root mean square of its known values, each less its mean and in its deviations: a
//! Mahalanobis distance with the correlations left out, one pass over the row. (The whole matrix would be 35 times as
//! much work on every tick and, fitted to a few hundred bars of a long timeframe, mostly noise.) The limit is what one
//! training row in a thousand exceeded, and a quarter more.

use indicators::features::Missing;

/// Inner edges of the bins of a feature: the deciles of what training saw.
pub const EDGES: usize = 9;
/// Bins of a feature.
pub const BINS: usize = EDGES + 1;
/// No feature is taken to vary less than this: rows lie roughly within +-3, and almost a constant would make any
/// change a monster.
const DEVIATION_MIN: f64 = 0.01;
/// A feature known in fewer rows than this share says nothing about distance.
const KNOWN_MIN: f32 = 0.02;
/// Share of the training rows inside the limit, before its margin.
const INSIDE: f64 = 0.999;
/// How much farther than that a row may be: the newest rows are never quite like the old ones.
const MARGIN: f32 = 1.25;
/// Shares below this are taken as this in the stability index: an empty bin has no logarithm.
const SHARE_MIN: f64 = 1e-4;

/// What training saw.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// How many rows.
    pub rows: u64,
    /// Distance beyond which a row is not like them.
    pub limit: f32,
    /// One a feature, in the manifest's order.
    pub features: Vec<Spread>,
}

/// How one feature was spread.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// Mean of its known values.
    pub mean: f32,
    /// Their standard deviation.
    pub deviation: f32,
    /// Share of the rows in which it was not known, 0 to 1.
    pub missing: f32,
    /// Its deciles, rising; equal ones where many values are equal.
    pub edges: [f32; EDGES],
    /// Shares of the known values up to each edge, the last bin beyond all of them; they sum to 1.
    pub shares: [f32; BINS],
}

impl Spread {
    /// The bin of a value: the first whose edge is not below it.
    #[inline]
    pub fn bin(&self, value: f32) -> usize {
        self.edges.iter().filter(|edge| **edge < value).count()
    }

    /// The population stability index of counted bins against training, 0 for the same spread; below 0.1 is calm, above
    /// 0.25 is a shift. `None` when nothing was counted. (Siddiqi, "Credit Risk Scorecards", 2006.)
    pub fn psi(&self, counts: &[u32; BINS]) -> Option<f64> {
        let total = counted(counts)?;
        let part = |(count, share): (&u32, &f32)| {
            let now = (f64::from(*count) / total).max(SHARE_MIN);
            let then = f64::from(*share).max(SHARE_MIN);
            (now - then) * libm::log(now / then)
        };
        Some(counts.iter().zip(&self.shares).map(part).sum())
    }

    /// The Kolmogorov-Smirnov distance of counted bins from training at the edges: the largest difference of the two
    /// cumulative shares, 0 to 1. Between the edges it may be larger by at most a bin's share.
    pub fn ks(&self, counts: &[u32; BINS]) -> Option<f64> {
        let total = counted(counts)?;
        let (mut now, mut then, mut largest) = (0.0f64, 0.0f64, 0.0f64);
        for (count, share) in counts.iter().zip(&self.shares) {
            now += f64::from(*count) / total;
            then += f64::from(*share);
            largest = largest.max((now - then).abs());
        }
        Some(largest)
    }

    fn fit(mut known: Vec<f32>, rows: usize) -> Self {
        known.sort_by(f32::total_cmp);
        let count = known.len();
        let missing = if rows == 0 { 1.0 } else { 1.0 - count as f32 / rows as f32 };
        if count == 0 {
            let shares = [1.0 / BINS as f32; BINS];
            return Self { mean: 0.0, deviation: 1.0, missing, edges: [0.0; EDGES], shares };
        }
        let values = || known.iter().map(|x| f64::from(*x));
        let mean = values().sum::<f64>() / count as f64;
        let variance = values().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count as f64;
        // The value with a tenth, two tenths and so on of the values at or below it.
        let edges = std::array::from_fn(|i| known[((i + 1) * count).div_ceil(BINS) - 1]);
        let mut spread = Self {
            mean: mean as f32,
            deviation: variance.sqrt() as f32,
            missing,
            edges,
            shares: [0.0; BINS],
        };
        let mut counts = [0u32; BINS];
        known.iter().for_each(|value| counts[spread.bin(*value)] += 1);
        spread.shares = counts.map(|n| (f64::from(n) / count as f64) as f32);
        spread
    }

    fn fault(&self) -> Option<&'static str> {
        let numbers = || self.edges.iter().chain(&self.shares).chain([&self.mean, &self.deviation]);
        if !numbers().all(|x| x.is_finite()) || self.deviation < 0.0 {
            return Some("a number of a feature is not finite, or its deviation is below 0");
        }
        if !(0.0..=1.0).contains(&self.missing) || !self.shares.iter().all(|s| (0.0..=1.0).contains(s)) {
            return Some("a share of a feature lies outside 0 to 1");
        }
        if (self.shares.iter().sum::<f32>() - 1.0).abs() > 1e-3 {
            return Some("the shares of a feature do not sum to 1");
        }
        (!self.edges.windows(2).all(|two| two[0] <= two[1])).then_some("the edges of a feature do not rise")
    }
}

fn counted(counts: &[u32; BINS]) -> Option<f64> {
    let total: f64 = counts.iter().map(|n| f64::from(*n)).sum();
    (total > 0.0).then_some(total)
}

impl Reference {
    /// Of the rows a model is trained on, all as wide as the first; `None` without rows.
    pub fn fit<'a>(rows: impl Iterator<Item = (&'a [f32], Missing)> + Clone) -> Option<Self> {
        let count = rows.clone().count();
        let width = rows.clone().next()?.0.len();
        let known = |at: usize| -> Vec<f32> {
            rows.clone().filter(|(_, missing)| !missing.has(at)).map(|(row, _)| row[at]).collect()
        };
        let features: Vec<Spread> = (0..width).map(|at| Spread::fit(known(at), count)).collect();
        let mut reference = Self { rows: count as u64, limit: f32::MAX, features };
        let hull = reference.hull();
        let mut distances: Vec<f32> = rows.map(|(row, missing)| hull.distance(row, missing)).collect();
        distances.sort_by(f32::total_cmp);
        let inside = ((count as f64 * INSIDE).ceil() as usize).clamp(1, count);
        // A model of rows that never vary still takes such rows.
        reference.limit = (distances[inside - 1] * MARGIN).max(f32::MIN_POSITIVE);
        Some(reference)
    }

    /// What is wrong with the numbers, if anything.
    pub fn fault(&self, width: usize) -> Option<String> {
        if self.features.len() != width {
            return Some(format!("it describes {} features, the model reads {width}", self.features.len()));
        }
        if self.rows == 0 || !(self.limit.is_finite() && self.limit > 0.0) {
            return Some(format!("{} rows, limit {}", self.rows, self.limit));
        }
        self.features.iter().find_map(Spread::fault).map(String::from)
    }

    /// Made ready to measure rows.
    pub fn hull(&self) -> Hull {
        let is_used = |spread: &Spread| 1.0 - spread.missing >= KNOWN_MIN;
        let weight = |spread: &Spread| {
            if is_used(spread) { (1.0 / f64::from(spread.deviation).max(DEVIATION_MIN)) as f32 } else { 0.0 }
        };
        let used = self.features.iter().enumerate().filter(|(_, spread)| is_used(spread));
        Hull {
            centre: self.features.iter().map(|spread| spread.mean).collect(),
            weight: self.features.iter().map(weight).collect(),
            used: used.fold(0, |bits, (at, _)| if at < 64 { bits | 1 << at } else { bits }),
            used_count: self.features.iter().filter(|spread| is_used(spread)).count() as f32,
            limit: self.limit,
        }
    }
}

/// The region training saw, ready to be asked on every tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Hull {
    centre: Vec<f32>,
    /// One over the deviation; 0 for a feature that says nothing.
    weight: Vec<f32>,
    used: u64,
    used_count: f32,
    limit: f32,
}

impl Hull {
    /// How far a row lies from what training saw: the root mean square of its known values in deviations. 0 for a row of
    /// which nothing is known.
    #[inline]
    pub fn distance(&self, row: &[f32], missing: Missing) -> f32 {
        if self.used & missing.bits() == 0 {
            return if self.used_count > 0.0 { (self.squares(row) / self.used_count).sqrt() } else { 0.0 };
        }
        let (mut sum, mut count) = (0.0, 0.0);
        for (at, ((x, centre), weight)) in row.iter().zip(&self.centre).zip(&self.weight).enumerate() {
            if *weight > 0.0 && !missing.has(at) {
                sum += ((x - centre) * weight).powi(2);
                count += 1.0;
            }
        }
        if count > 0.0 { (sum / count).sqrt() } else { 0.0 }
    }

    /// True when the row lies farther out than the model may be asked about.
    #[inline]
    pub fn is_outside(&self, row: &[f32], missing: Missing) -> bool {
        self.distance(row, missing) > self.limit
    }

    /// Eight sums side by side, so that the compiler may use wide registers.
    #[inline]
    fn squares(&self, row: &[f32]) -> f32 {
        const LANES: usize = 8;
        let width = row.len().min(self.centre.len()).min(self.weight.len());
        let whole = width - width % LANES;
        let (row, centre, weight) = (&row[..width], &self.centre[..width], &self.weight[..width]);
        let mut sums = [0.0f32; LANES];
        let eights = row[..whole].chunks_exact(LANES).zip(centre[..whole].chunks_exact(LANES));
        for ((x, c), w) in eights.zip(weight[..whole].chunks_exact(LANES)) {
            for lane in 0..LANES {
                let z = (x[lane] - c[lane]) * w[lane];
                sums[lane] += z * z;
            }
        }
        let rest = (whole..width).map(|at| ((row[at] - centre[at]) * weight[at]).powi(2)).sum::<f32>();
        sums.iter().sum::<f32>() + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WIDTH: usize = 35;

    fn rows(count: usize, seed: u64) -> Vec<[f32; WIDTH]> {
        let mut state = seed;
        let mut next = || {
            // Twelve even numbers summed are about a normal one.
            let sum: f64 = (0..12)
                .map(|_| {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 11) as f64 / (1u64 << 53) as f64
                })
                .sum();
            (sum - 6.0) as f32
        };
        (0..count).map(|_| std::array::from_fn(|_| next())).collect()
    }

    fn fit(rows: &[[f32; WIDTH]]) -> Reference {
        Reference::fit(rows.iter().map(|row| (row.as_slice(), Missing::NONE))).expect("rows")
    }

    fn bins(spread: &Spread, values: impl Iterator<Item = f32>) -> [u32; BINS] {
        let mut counts = [0; BINS];
        values.for_each(|value| counts[spread.bin(value)] += 1);
        counts
    }

    #[test]
    fn its_own_rows_are_inside_and_strangers_are_not() {
        let known = rows(4_000, 3);
        let reference = fit(&known);
        assert_eq!(reference.fault(WIDTH), None);
        let hull = reference.hull();
        let outside = known.iter().filter(|row| hull.is_outside(*row, Missing::NONE)).count();
        assert!(outside <= 4, "{outside}");
        let fresh = rows(4_000, 4);
        assert!(fresh.iter().filter(|row| hull.is_outside(*row, Missing::NONE)).count() <= 4);
        let far = |row: &[f32; WIDTH]| hull.is_outside(&row.map(|x| x + 3.0), Missing::NONE);
        assert!(fresh.iter().all(far));
        let one_wild = |row: &[f32; WIDTH]| {
            let mut row = *row;
            row[7] = 40.0;
            hull.is_outside(&row, Missing::NONE)
        };
        assert!(fresh.iter().all(one_wild));
    }

    #[test]
    fn what_is_missing_has_no_distance() {
        let known = rows(500, 5);
        let never = Missing::from_bits(1 << 33);
        let reference = Reference::fit(known.iter().map(|row| (row.as_slice(), never))).expect("rows");
        assert_eq!(reference.features[33].missing, 1.0);
        let hull = reference.hull();
        let mut row = known[3];
        let near = hull.distance(&row, Missing::NONE);
        row[33] = 1e6;
        assert_eq!(hull.distance(&row, Missing::NONE), near, "training never knew it");
        row[2] = 1e6;
        assert!(hull.is_outside(&row, Missing::NONE));
        assert!(!hull.is_outside(&row, Missing::from_bits(1 << 2)));
        assert_eq!(hull.distance(&row, Missing::ALL), 0.0);
    }

    #[test]
    fn the_same_spread_is_calm_and_a_moved_one_is_not() {
        let reference = fit(&rows(4_000, 6));
        let fresh = rows(1_000, 7);
        for (at, spread) in reference.features.iter().enumerate() {
            let same = bins(spread, fresh.iter().map(|row| row[at]));
            assert!(spread.psi(&same).expect("counted") < 0.06);
            assert!(spread.ks(&same).expect("counted") < 0.08);
            let moved = bins(spread, fresh.iter().map(|row| row[at] + 1.0));
            assert!(spread.psi(&moved).expect("counted") > 0.5);
            // Two normal spreads one deviation apart: 2 * Phi(1/2) - 1 = 0.38.
            assert!((spread.ks(&moved).expect("counted") - 0.38).abs() < 0.05);
        }
        assert_eq!(reference.features[0].psi(&[0; BINS]), None);
    }

    #[test]
    fn equal_values_and_odd_counts_are_fitted() {
        let mut known = rows(37, 8);
        known.iter_mut().for_each(|row| row[4] = 2.0);
        let reference = fit(&known);
        assert_eq!(reference.fault(WIDTH), None);
        let constant = &reference.features[4];
        assert_eq!((constant.edges, constant.shares[0]), ([2.0; EDGES], 1.0));
        let same = bins(constant, [2.0; 50].into_iter());
        assert_eq!((constant.psi(&same), constant.ks(&same)), (Some(0.0), Some(0.0)));
        assert_eq!(fit(&[[1.0; WIDTH]]).fault(WIDTH), None, "one row is a reference of itself");
        assert!(!fit(&[[1.0; WIDTH]]).hull().is_outside(&[1.0; WIDTH], Missing::NONE));
        assert!(reference.fault(WIDTH + 1).is_some());
        for spoil in [
            |r: &mut Reference| r.limit = f32::NAN,
            |r: &mut Reference| r.features[3].edges[0] = 9.0,
            |r: &mut Reference| r.features[3].shares[0] = 0.9,
            |r: &mut Reference| r.features[3].deviation = -1.0,
        ] {
            let mut spoilt = reference.clone();
            spoil(&mut spoilt);
            assert!(spoilt.fault(WIDTH).is_some());
        }
    }

    proptest! {
        #[test]
        fn distance_is_that_of_the_definition(seed in any::<u64>(), missing in any::<u64>(), at in 0usize..50) {
            let known = rows(50, seed);
            let hull = fit(&known).hull();
            let (row, missing) = (known[at], Missing::from_bits(missing));
            let z = |i: usize| (row[i] - hull.centre[i]) * hull.weight[i];
            for missing in [missing, Missing::NONE] {
                let there: Vec<usize> = (0..WIDTH).filter(|i| !missing.has(*i)).collect();
                let mean = there.iter().map(|i| f64::from(z(*i)).powi(2)).sum::<f64>() / there.len().max(1) as f64;
                prop_assert!((f64::from(hull.distance(&row, missing)) - mean.sqrt()).abs() < 1e-4);
            }
        }
    }
}
