//! How good forecasts were: accuracy, Brier score, log loss, area under the curve and calibration error, gathered one
//! scored prediction at a time.
//!
//! Brier, "Verification of forecasts expressed in terms of probability" (1950), summed over the classes; Good,
//! "Rational decisions" (1952), in nats; the area by ranks (Mann and Whitney 1947), ties half, one class against the
//! rest, averaged over the classes that occur and do not always; the calibration error with ten bins of the same width
//! over the largest of the odds (Guo and others 2017).

use crate::{Class, Scored};

/// Odds are cut here before their logarithm is taken.
const SMALLEST: f64 = 1e-15;
/// Bins of the calibration error.
pub const BINS: usize = 10;

/// A point of the calibration plot: how sure, and how often right.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Bin {
    /// Predictions in it.
    pub count: u64,
    /// Sum of what was said.
    pub said: f64,
    /// How often it came true.
    pub hits: u64,
}

/// What was said against how often it came true, in bins of the same width.
#[derive(Clone, Debug, PartialEq)]
pub struct Reliability {
    bins: Vec<Bin>,
}

impl Reliability {
    /// With that many bins, at least one.
    pub fn new(bins: usize) -> Self {
        Self { bins: vec![Bin::default(); bins.max(1)] }
    }

    /// Takes a probability and whether it came true.
    pub fn take(&mut self, p: f64, hit: bool) {
        let count = self.bins.len();
        let at = ((p * count as f64).floor().max(0.0) as usize).min(count - 1);
        let bin = &mut self.bins[at];
        bin.count += 1;
        bin.said += p;
        bin.hits += u64::from(hit);
    }

    /// The bins, from 0 to 1.
    pub fn bins(&self) -> &[Bin] {
        &self.bins
    }

    /// The expected calibration error: how far what was said lies from how often it came true, weighted by the
    /// predictions in each bin; `None` without any.
    pub fn error(&self) -> Option<f64> {
        let total: u64 = self.bins.iter().map(|bin| bin.count).sum();
        let far = |bin: &Bin| (bin.said - bin.hits as f64).abs();
        (total > 0).then(|| self.bins.iter().map(far).sum::<f64>() / total as f64)
    }
}

/// The area under the curve: the chance that one that came true was given more than one that did not, ties half. `None`
/// when one kind is missing. Sorts the points.
pub fn auc(points: &mut [(f64, bool)]) -> Option<f64> {
    points.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut hits, mut rank_sum, mut before) = (0u64, 0.0, 0u64);
    for equal in points.chunk_by(|a, b| a.0 == b.0) {
        let count = equal.len() as u64;
        let here = equal.iter().filter(|(_, hit)| *hit).count() as u64;
        // The middle of the ranks they share, counted from 1.
        rank_sum += here as f64 * (before as f64 + (count as f64 + 1.0) / 2.0);
        (hits, before) = (hits + here, before + count);
    }
    let misses = before - hits;
    let least = hits as f64 * (hits as f64 + 1.0) / 2.0;
    (hits > 0 && misses > 0).then(|| (rank_sum - least) / (hits as f64 * misses as f64))
}

/// Scores over a set of predictions.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Measures {
    /// Predictions scored.
    pub count: u64,
    /// Share in which the likeliest class was right.
    pub accuracy: f64,
    /// Mean of the squared errors summed over the classes, 0 to 2.
    pub brier: f64,
    /// Mean of minus the logarithm of the odds of what happened.
    pub log_loss: f64,
    /// What the log loss of the very outcomes' base rates would have been: a model that knows nothing reaches this.
    pub log_loss_of_base: f64,
    /// The area under the curve, one class against the rest, averaged; absent while only one class has occurred.
    pub auc: Option<f64>,
    /// The expected calibration error of the largest of the odds.
    pub calibration_error: f64,
}

/// Gathers scored predictions.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    right: u64,
    brier: f64,
    log_loss: f64,
    outcomes: [u64; 3],
    reliability: Reliability,
    /// Odds and outcome of each, for the ranks.
    points: Vec<([f64; 3], u8)>,
}

impl Default for Tally {
    fn default() -> Self {
        let reliability = Reliability::new(BINS);
        Self { right: 0, brier: 0.0, log_loss: 0.0, outcomes: [0; 3], reliability, points: Vec::new() }
    }
}

impl Tally {
    /// Takes a scored prediction.
    pub fn take(&mut self, scored: &Scored) {
        self.take_row(scored.odds.row().map(f64::from), scored.outcome, scored.is_right());
    }

    /// Takes odds, what happened, and whether the likeliest of them did.
    pub fn take_row(&mut self, odds: [f64; 3], outcome: Class, is_right: bool) {
        let at = outcome.index();
        self.right += u64::from(is_right);
        self.outcomes[at] += 1;
        self.log_loss -= odds[at].clamp(SMALLEST, 1.0 - SMALLEST).ln();
        let error = |class: usize| odds[class] - f64::from(u8::from(class == at));
        self.brier += (0..3).map(|class| error(class).powi(2)).sum::<f64>();
        self.reliability.take(odds.into_iter().fold(0.0, f64::max), is_right);
        self.points.push((odds, at as u8));
    }

    /// What was said against how often it came true.
    pub const fn reliability(&self) -> &Reliability {
        &self.reliability
    }

    /// The scores; `None` without any prediction.
    pub fn measures(&self) -> Option<Measures> {
        let total: u64 = self.outcomes.iter().sum();
        let n = total as f64;
        let entropy = |count: &u64| {
            let share = *count as f64 / n;
            if *count > 0 { -share * share.ln() } else { 0.0 }
        };
        (total > 0).then(|| Measures {
            count: total,
            accuracy: self.right as f64 / n,
            brier: self.brier / n,
            log_loss: self.log_loss / n,
            log_loss_of_base: self.outcomes.iter().map(entropy).sum(),
            auc: self.auc(),
            calibration_error: self.reliability.error().unwrap_or(0.0),
        })
    }

    fn auc(&self) -> Option<f64> {
        let of = |class: usize| {
            let point = |(odds, was): &([f64; 3], u8)| (odds[class], usize::from(*was) == class);
            auc(&mut self.points.iter().map(point).collect::<Vec<_>>())
        };
        let (mut sum, mut classes) = (0.0, 0.0);
        for area in (0..3).filter_map(of) {
            (sum, classes) = (sum + area, classes + 1.0);
        }
        (classes > 0.0).then(|| sum / classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read;

    /// The definition, pair by pair.
    fn naive(points: &[(f64, bool)]) -> Option<f64> {
        let (hits, misses): (Vec<_>, Vec<_>) = points.iter().partition(|(_, hit)| *hit);
        let won = |a: f64, b: f64| {
            if a > b {
                1.0
            } else if a == b {
                0.5
            } else {
                0.0
            }
        };
        let sum: f64 = hits.iter().flat_map(|(a, _)| misses.iter().map(move |(b, _)| won(*a, *b))).sum();
        let pairs = hits.len() * misses.len();
        (pairs > 0).then(|| sum / pairs as f64)
    }

    fn golden() -> Vec<serde_json::Value> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/statistics/forecasts.json.gz");
        let mut text = String::new();
        let file = std::fs::File::open(path).expect("golden file in the repository");
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip");
        serde_json::from_str(&text).expect("json")
    }

    fn near(found: f64, wanted: &serde_json::Value, what: &str) {
        let wanted = wanted.as_f64().expect("a number");
        assert!((found - wanted).abs() <= 1e-10 * wanted.abs() + 1e-12, "{what}: {found}, {wanted}");
    }

    fn numbers(value: &serde_json::Value) -> Vec<f64> {
        value.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect()
    }

    #[test]
    fn binary_reference_sets_score_as_scikit_learn_says() {
        let (mut seen, mut compared) = (0, 0);
        for set in golden().iter().filter(|set| set["id"].as_str().is_some_and(|id| id.starts_with("binary")))
        {
            let id = set["id"].as_str().expect("text");
            let expected = &set["expected"];
            let (y, p) = (numbers(&set["y"]), numbers(&set["p"]));
            let (mut ten, mut fifteen) = (Reliability::new(10), Reliability::new(15));
            let mut tally = Tally::default();
            for (y, p) in y.iter().zip(&p) {
                let hit = *y > 0.5;
                ten.take(*p, hit);
                fifteen.take(*p, hit);
                // The second class never happens and is never expected.
                let outcome = if hit { Class::Up } else { Class::Down };
                tally.take_row([1.0 - p, 0.0, *p], outcome, (*p >= 0.5) == hit);
            }
            near(ten.error().expect("some"), &expected["ece_10"], id);
            near(fifteen.error().expect("some"), &expected["ece_15"], id);
            let measures = tally.measures().expect("some");
            // Both classes' errors are the same, and both are summed.
            near(measures.brier / 2.0, &expected["brier"], id);
            // A sure miss is 1 - (1 - 1e-15) there, which is not 1e-15: those sets say nothing about three classes.
            if p.iter().all(|p| (0.001..=0.999).contains(p)) {
                near(measures.log_loss, &expected["log_loss_clip_1e_15"], id);
                compared += 1;
            }
            near(measures.accuracy, &expected["accuracy_at_0_5"], id);
            let mut points: Vec<_> = y.iter().zip(&p).map(|(y, p)| (*p, *y > 0.5)).collect();
            match auc(&mut points) {
                Some(area) => near(area, &expected["auc"], id),
                None => assert_eq!(expected["auc"], "nan", "{id}"),
            }
            seen += 1;
        }
        assert_eq!((seen, compared >= 4), (14, true), "{compared}");
    }

    #[test]
    fn three_class_reference_sets_score_as_scikit_learn_says() {
        let mut seen = 0;
        for set in golden().iter().filter(|set| set["id"].as_str().is_some_and(|id| id.starts_with("three")))
        {
            let id = set["id"].as_str().expect("text");
            let expected = &set["expected"];
            let mut tally = Tally::default();
            for (y, p) in numbers(&set["y"]).iter().zip(set["p"].as_array().expect("rows")) {
                let odds: [f64; 3] = numbers(p).try_into().expect("three");
                let largest = (0..3).max_by(|a, b| odds[*a].total_cmp(&odds[*b])).expect("three");
                let outcome = Class::ALL[*y as usize];
                tally.take_row(odds, outcome, largest == outcome.index());
            }
            let measures = tally.measures().expect("some");
            near(measures.brier, &expected["brier_sum_over_classes"], id);
            near(measures.log_loss, &expected["log_loss"], id);
            near(measures.calibration_error, &expected["ece_10_top_label"], id);
            near(measures.auc.expect("three classes"), &expected["auc_ovr_macro"], id);
            near(measures.accuracy, &expected["accuracy"], id);
            seen += 1;
        }
        assert_eq!(seen, 8);
    }

    #[test]
    fn a_perfectly_calibrated_forecaster_has_no_calibration_error() {
        let mut tally = Tally::default();
        // Of those said with 0.7, 0.2 and 0.1 exactly so many happen.
        for _ in 0..20 {
            for (outcome, times) in [(Class::Up, 7), (Class::Flat, 2), (Class::Down, 1)] {
                (0..times).for_each(|_| tally.take_row([0.1, 0.2, 0.7], outcome, outcome == Class::Up));
            }
        }
        let measures = tally.measures().expect("some");
        assert!(measures.calibration_error < 1e-12, "{measures:?}");
        assert!((measures.log_loss - measures.log_loss_of_base).abs() < 1e-12, "the base rates, no more");
        assert!((measures.auc.expect("three classes") - 0.5).abs() < 1e-12);
        assert_eq!(Tally::default().measures(), None);
    }

    proptest! {
        #[test]
        fn the_area_is_that_of_the_definition(
            points in proptest::collection::vec((0u8..20, any::<bool>()), 0..200),
        ) {
            let mut points: Vec<(f64, bool)> = points.iter().map(|(p, hit)| (f64::from(*p) / 20.0, *hit)).collect();
            let wanted = naive(&points);
            let found = auc(&mut points);
            prop_assert_eq!(found.is_some(), wanted.is_some());
            if let (Some(found), Some(wanted)) = (found, wanted) {
                prop_assert!((found - wanted).abs() < 1e-12, "{} {}", found, wanted);
            }
        }
    }
}
