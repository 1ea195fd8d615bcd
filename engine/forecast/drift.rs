//! Whether things still are as they were: the spread of the features a model is asked about against what training saw,
//! and its losses against its own past.

use crate::notes::Drift;
use crate::reference::{BINS, Reference};
use indicators::features::{Missing, NAMES};
use market::Label;

/// Rows that are compared with training at a time.
pub const WINDOW_ROWS: u32 = 500;
/// A feature has moved when both its stability index and its distance are beyond these: the first alone rises with rows
/// that resemble their neighbours, as those of a market do.
pub const PSI_MAX: f64 = 0.25;
/// See [`PSI_MAX`].
pub const KS_MAX: f64 = 0.2;

/// Counts the features of a model's rows and compares a window of them with training.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureDrift {
    counts: Vec<[u32; BINS]>,
    rows: u32,
}

impl FeatureDrift {
    /// Nothing counted yet.
    pub fn new(reference: &Reference) -> Self {
        Self { counts: vec![[0; BINS]; reference.features.len()], rows: 0 }
    }

    /// Takes a row; at the end of each window, what moved, if anything did.
    pub fn take(&mut self, reference: &Reference, row: &[f32], missing: Missing) -> Option<Drift> {
        let features = reference.features.iter().zip(&mut self.counts).zip(row).enumerate();
        for (at, ((spread, counts), value)) in features {
            if !missing.has(at) {
                counts[spread.bin(*value)] += 1;
            }
        }
        self.rows += 1;
        if self.rows < WINDOW_ROWS {
            return None;
        }
        let found = self.compare(reference);
        self.counts.iter_mut().for_each(|counts| *counts = [0; BINS]);
        self.rows = 0;
        found
    }

    /// What moved in the rows counted so far.
    pub fn compare(&self, reference: &Reference) -> Option<Drift> {
        let mut moved = 0;
        let mut most: Option<(usize, f64, f64)> = None;
        for (at, (spread, counts)) in reference.features.iter().zip(&self.counts).enumerate() {
            // What training never knew cannot be compared with it.
            let (true, Some(psi), Some(ks)) = (spread.missing < 1.0, spread.psi(counts), spread.ks(counts))
            else {
                continue;
            };
            if psi > PSI_MAX && ks > KS_MAX {
                moved += 1;
                most = most.filter(|(_, largest, _)| *largest >= psi).or(Some((at, psi, ks)));
            }
        }
        let (at, psi, ks) = most?;
        let feature = match NAMES.get(at) {
            Some(name) => Label::format(format_args!("{name}")),
            None => Label::format(format_args!("feature_{at}")),
        };
        Some(Drift::Features { feature, psi, ks, moved })
    }
}

/// A rise of the mean that is not counted against a model, in Brier score.
const TOLERATED: f64 = 0.05;
/// How far the sum of what is beyond may rise above its lowest. A Brier score scatters by about 0.3, so that a series
/// that does not change comes this far about once in `exp(2 * 0.05 * 15 / 0.09)`, twenty million, predictions.
const ALARM: f64 = 15.0;
/// Predictions before anything is said: the mean is not known yet.
const FIRST: u32 = 30;

/// The Page-Hinkley test on a model's losses: has their mean risen for good? (Page, "Continuous inspection schemes",
/// 1954.) It starts anew after each alarm.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PageHinkley {
    count: u32,
    sum: f64,
    excess: f64,
    lowest: f64,
    /// Count and sum when the excess was lowest: the rise began there.
    turned: (u32, f64),
}

impl PageHinkley {
    /// Takes the next loss; what it found, and in how many losses the rise shows.
    pub fn take(&mut self, loss: f64) -> Option<(Drift, u32)> {
        self.count += 1;
        self.sum += loss;
        self.excess += loss - self.sum / f64::from(self.count) - TOLERATED;
        if self.excess < self.lowest {
            (self.lowest, self.turned) = (self.excess, (self.count, self.sum));
        }
        if self.count < FIRST || self.excess - self.lowest <= ALARM {
            return None;
        }
        let (before, sum_before) = self.turned;
        let rows = self.count - before;
        let found = Drift::Loss {
            before: sum_before / f64::from(before.max(1)),
            since: (self.sum - sum_before) / f64::from(rows.max(1)),
        };
        *self = Self::default();
        Some((found, rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers between 0 and 1, the same for the same seed (splitmix64).
    struct Dice(u64);

    impl Dice {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }

        /// The Brier score of odds 0.5, 0.3, 0.2 for an outcome of these odds.
        fn loss(&mut self, first: f64, second: f64) -> f64 {
            let at = self.next();
            if at < first {
                0.38
            } else if at < first + second {
                0.78
            } else {
                0.98
            }
        }
    }

    #[test]
    fn a_planted_change_is_found_and_none_where_there_is_none() {
        for seed in 0..20 {
            let mut dice = Dice(seed);
            let mut test = PageHinkley::default();
            for i in 0..20_000 {
                assert_eq!(test.take(dice.loss(0.5, 0.3)), None, "seed {seed}, loss {i}");
            }
            let found = (0..2_000).find_map(|i| test.take(dice.loss(0.1, 0.3)).map(|found| (i, found)));
            let (after, (Drift::Loss { before, since }, rows)) = found.expect("the change") else {
                unreachable!("losses drift")
            };
            // The mean rises from 0.62 to 0.86: 15 is reached at 0.19 a prediction.
            assert!((50..140).contains(&after), "seed {seed}: after {after}");
            assert!((before - 0.62).abs() < 0.02 && since > 0.75, "seed {seed}: {before} {since}");
            // The lowest point lies before the change when losses happened to rise just then.
            assert!(rows.abs_diff(after + 1) < 150, "seed {seed}: {rows} of {after}");
        }
    }

    #[test]
    fn a_sharp_model_is_watched_as_well() {
        for seed in 20..40 {
            let mut dice = Dice(seed);
            // Odds of 0.9: a Brier score of 0.015 mostly, 1.7 now and then; its scatter is the widest there is.
            let mut loss = |right: f64| if dice.next() < right { 0.015 } else { 1.7 };
            let mut test = PageHinkley::default();
            assert!((0..2_000).all(|_| test.take(loss(0.98)).is_none()), "seed {seed}");
            assert!((0..200).any(|_| test.take(loss(0.5)).is_some()), "seed {seed}");
        }
    }

    fn rows(count: usize, seed: u64) -> Vec<[f32; 3]> {
        let mut dice = Dice(seed);
        (0..count).map(|_| std::array::from_fn(|_| dice.next() as f32)).collect()
    }

    #[test]
    fn a_moved_feature_is_named_once_a_window() {
        let known = rows(2_000, 1);
        let reference =
            Reference::fit(known.iter().map(|row| (row.as_slice(), Missing::NONE))).expect("rows");
        let mut drift = FeatureDrift::new(&reference);
        let fresh = rows(1_500, 2);
        let mut told = Vec::new();
        for (i, row) in fresh.iter().enumerate() {
            let mut row = *row;
            // Calm at first, then the second moves a little and the third much.
            if i >= 1_000 {
                (row[1], row[2]) = (row[1] + 0.3, row[2] + 0.6);
            }
            told.extend(drift.take(&reference, &row, Missing::NONE));
        }
        let [Drift::Features { feature, psi, ks, moved }] = told.as_slice() else {
            unreachable!("one window moved: {told:?}")
        };
        assert_eq!((feature.as_str(), *moved), (NAMES[2], 2));
        assert!(*psi > 1.0 && (*ks - 0.6).abs() < 0.05, "{psi} {ks}");
        let missing = Missing::from_bits(0b110);
        let far =
            fresh.iter().take(500).find_map(|row| drift.take(&reference, &row.map(|x| x + 9.0), missing));
        assert!(matches!(far, Some(Drift::Features { moved: 1, .. })), "what is missing is not counted");
    }
}
