//! What a model leans on, and whether its odds mean what they say.

use crate::labels::Example;
use crate::metrics::brier;
use crate::network::CLASSES;
use indicators::FEATURES;
use indicators::features::Row;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Rows that columns are shuffled among, spread evenly.
const ROWS_MAX: usize = 2_000;
/// Bins of a reliability curve.
pub const BINS: usize = 10;

/// How much worse the Brier score gets when one column is dealt out among the rows at random (Breiman 2001), a feature
/// each.
pub fn permutation(
    examples: &[&Example],
    odds: impl Fn(&Row) -> [f32; CLASSES],
    seed: u64,
) -> [f64; FEATURES] {
    let step = examples.len().div_ceil(ROWS_MAX).max(1);
    let rows: Vec<&Example> = examples.iter().step_by(step).copied().collect();
    if rows.is_empty() {
        return [0.0; FEATURES];
    }
    let mean = |row: &dyn Fn(usize) -> Row| {
        let of = |(place, e): (usize, &&Example)| brier(&odds(&row(place)), e.class);
        rows.iter().enumerate().map(of).sum::<f64>() / rows.len() as f64
    };
    let whole = mean(&|place| rows[place].row);
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut deal: Vec<usize> = (0..rows.len()).collect();
    std::array::from_fn(|feature| {
        deal.shuffle(&mut chance);
        mean(&|place| {
            let mut row = rows[place].row;
            row[feature] = rows[deal[place]].row[feature];
            row
        }) - whole
    })
}

/// Forecasts of about the same probability of a class, and how often it then came.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// How many.
    pub count: usize,
    /// Mean of what was said.
    pub said: f64,
    /// Share in which it happened.
    pub happened: f64,
}

/// A class's reliability curve: bins of a tenth each that hold any forecast, and the mean distance of what was said
/// from what happened (expected calibration error).
pub fn reliability(pairs: &[([f32; CLASSES], usize)], class: usize) -> (Vec<Bin>, f64) {
    let mut bins = [Bin::default(); BINS];
    for (odds, was) in pairs {
        let p = f64::from(odds[class]);
        let bin = &mut bins[((p * BINS as f64) as usize).min(BINS - 1)];
        bin.count += 1;
        bin.said += p;
        bin.happened += f64::from(u8::from(*was == class));
    }
    let mut error = 0.0;
    let mut curve = Vec::new();
    for bin in bins.into_iter().filter(|bin| bin.count > 0) {
        let count = bin.count as f64;
        let bin = Bin { said: bin.said / count, happened: bin.happened / count, ..bin };
        error += count * (bin.said - bin.happened).abs() / pairs.len() as f64;
        curve.push(bin);
    }
    (curve, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learner::tests::example;

    #[test]
    fn only_what_is_used_matters() {
        let mut chance = ChaCha8Rng::seed_from_u64(4);
        let rule = |row: &Row| if row[5] < 0.0 { 0 } else { 2 };
        let examples: Vec<Example> = (0..3_000).map(|i| example(i, &mut chance, rule)).collect();
        let odds = |row: &Row| if rule(row) == 0 { [1.0, 0.0, 0.0] } else { [0.0, 0.0, 1.0] };
        let found = permutation(&examples.iter().collect::<Vec<_>>(), odds, 1);
        // Half of the dealt columns have the other sign: those rows are wrong by 2.
        assert!((found[5] - 1.0).abs() < 0.1, "{}", found[5]);
        assert!(found.iter().enumerate().all(|(at, worse)| at == 5 || *worse == 0.0));
        assert_eq!(permutation(&[], odds, 1), [0.0; FEATURES]);
    }

    #[test]
    fn curves_compare_said_with_happened() {
        let pairs = [([0.1, 0.6, 0.3], 1), ([0.1, 0.65, 0.25], 0), ([1.0, 0.0, 0.0], 0)];
        let (curve, error) = reliability(&pairs, 1);
        assert_eq!(curve.len(), 2);
        assert_eq!((curve[0].count, curve[0].happened), (1, 0.0));
        assert!((curve[1].said - 0.625).abs() < 1e-6 && curve[1].happened == 0.5);
        assert!((error - 2.0 * 0.125 / 3.0).abs() < 1e-6);
        assert_eq!(reliability(&[], 0), (vec![], 0.0));
    }
}
