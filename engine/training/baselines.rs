//! What anybody could say without learning much: every model is held against these.

use crate::labels::Example;
use crate::metrics::{base_rates, softmax};
use crate::network::CLASSES;
use indicators::FEATURES;
use indicators::features::{NAMES, Row};

/// Most rows the logistic is fitted to, spread evenly.
const ROWS_MAX: usize = 20_000;
/// Steps down the slope: two numbers a class on one standardised column are there by then.
const STEPS: usize = 300;
const STEP: f64 = 0.5;

/// A naive forecaster.
#[derive(Clone, Debug, PartialEq)]
pub enum Baseline {
    /// The share of each class.
    BaseRates([f32; CLASSES]),
    /// Flat, always, and sure of it.
    AlwaysFlat,
    /// The shares of each class after a fall, no move and a rise of the last bar.
    LastDirection([[f32; CLASSES]; 3]),
    /// Softmax of a line each in the one column that tells the classes apart best.
    Logistic {
        /// The column.
        feature: usize,
        /// Its mean and deviation.
        centre: (f64, f64),
        /// Offset and slope of each class.
        lines: [(f64, f64); CLASSES],
    },
}

/// The column whose sign is the last bar's direction.
const LAST_CHANGE: usize = 0;

/// All of them, fitted to examples.
pub fn baselines(train: &[&Example]) -> Vec<Baseline> {
    let rates = |of: &dyn Fn(&Example) -> bool| {
        base_rates(train.iter().copied().filter(|e| of(e))).map(|rate| rate as f32)
    };
    let after = |direction: usize| rates(&|e| self::direction(&e.row) == direction);
    let mut made = vec![
        Baseline::BaseRates(rates(&|_| true)),
        Baseline::AlwaysFlat,
        Baseline::LastDirection([after(0), after(1), after(2)]),
    ];
    made.extend(logistic(train));
    made
}

impl Baseline {
    /// What it is called.
    pub fn name(&self) -> String {
        match self {
            Self::BaseRates(_) => "base rates".into(),
            Self::AlwaysFlat => "always flat".into(),
            Self::LastDirection(_) => "last direction".into(),
            Self::Logistic { feature, .. } => format!("logistic on {}", NAMES[*feature]),
        }
    }

    /// What it says of a row.
    pub fn odds(&self, row: &Row) -> [f32; CLASSES] {
        match self {
            Self::BaseRates(rates) => *rates,
            Self::AlwaysFlat => [0.0, 1.0, 0.0],
            Self::LastDirection(rates) => rates[direction(row)],
            Self::Logistic { feature, centre: (mean, deviation), lines } => {
                line_odds(lines, (f64::from(row[*feature]) - mean) / deviation).map(|p| p as f32)
            }
        }
    }
}

/// 0 after a fall of the last bar, 1 after none, 2 after a rise.
fn direction(row: &Row) -> usize {
    match row[LAST_CHANGE] {
        x if x < 0.0 => 0,
        x if x > 0.0 => 2,
        _ => 1,
    }
}

fn line_odds(lines: &[(f64, f64); CLASSES], x: f64) -> [f64; CLASSES] {
    softmax(lines.map(|(offset, slope)| offset + slope * x))
}

fn logistic(train: &[&Example]) -> Option<Baseline> {
    let (feature, mean, deviation) = clearest(train)?;
    let step = train.len().div_ceil(ROWS_MAX).max(1);
    let points: Vec<(f64, usize, f64)> = train
        .iter()
        .step_by(step)
        .map(|e| ((f64::from(e.row[feature]) - mean) / deviation, e.class, f64::from(e.weight)))
        .collect();
    let weight: f64 = points.iter().map(|point| point.2).sum();
    let mut lines = base_rates(train.iter().copied()).map(|rate| (rate.ln(), 0.0));
    for _ in 0..STEPS {
        let mut slopes = [(0.0, 0.0); CLASSES];
        for (x, class, w) in &points {
            let odds = line_odds(&lines, *x);
            for c in 0..CLASSES {
                let error = w * (odds[c] - f64::from(u8::from(c == *class))) / weight;
                slopes[c] = (slopes[c].0 + error, slopes[c].1 + error * x);
            }
        }
        for (line, slope) in lines.iter_mut().zip(slopes) {
            *line = (line.0 - STEP * slope.0, line.1 - STEP * slope.1);
        }
    }
    Some(Baseline::Logistic { feature, centre: (mean, deviation), lines })
}

/// The column with the largest variance between the classes' means over its whole variance, its mean and deviation;
/// `None` where no column varies.
fn clearest(train: &[&Example]) -> Option<(usize, f64, f64)> {
    let weight = |e: &&Example| f64::from(e.weight);
    let total: f64 = train.iter().map(weight).sum();
    let of = |feature: usize| {
        let mut sums = [(0.0, 0.0); CLASSES];
        let mut squares = 0.0;
        for e in train {
            let (x, w) = (f64::from(e.row[feature]), weight(e));
            sums[e.class] = (sums[e.class].0 + w * x, sums[e.class].1 + w);
            squares += w * x * x;
        }
        let mean = sums.iter().map(|sum| sum.0).sum::<f64>() / total;
        let variance = squares / total - mean * mean;
        let between: f64 =
            sums.iter().filter(|sum| sum.1 > 0.0).map(|(x, w)| w * (x / w - mean).powi(2)).sum::<f64>()
                / total;
        (variance > 1e-9).then(|| (between / variance, feature, mean, variance.sqrt()))
    };
    let best = (0..FEATURES).filter_map(of).max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some((best.1, best.2, best.3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learner::tests::example;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn each_says_what_it_is() {
        let mut chance = ChaCha8Rng::seed_from_u64(4);
        let mut luck = ChaCha8Rng::seed_from_u64(5);
        let mut toss = || luck.random_range(0.0..1.0);
        // The ninth column moves the odds of up by a logistic line of slope 1.5 a unit.
        let examples: Vec<Example> = (0..8_000)
            .map(|i| {
                let drawn = example(i, &mut chance, |_| 0);
                let up = 1.0 / (1.0 + f64::from(-1.5 * drawn.row[8]).exp());
                Example { class: if toss() < up { 2 } else { 0 }, ..drawn }
            })
            .collect();
        let made = baselines(&examples.iter().collect::<Vec<_>>());
        assert_eq!(
            made.iter().map(Baseline::name).collect::<Vec<_>>(),
            ["base rates", "always flat", "last direction", "logistic on rsi"]
        );
        let mut row = [0.0; FEATURES];
        row[8] = 1.0;
        let said: Vec<[f32; 3]> = made.iter().map(|b| b.odds(&row)).collect();
        assert!((said[0][2] - 0.5).abs() < 0.02 && said[1] == [0.0, 1.0, 0.0]);
        let wanted = 1.0 / (1.0 + (-1.5f32).exp());
        assert!((said[3][2] - wanted).abs() < 0.03, "{:?} is not {wanted}", said[3]);
        assert!(said.iter().all(|odds| (odds.iter().sum::<f32>() - 1.0).abs() < 1e-5));
        let same: Vec<Example> = examples.iter().map(|e| Example { row: [1.0; FEATURES], ..*e }).collect();
        assert_eq!(baselines(&same.iter().collect::<Vec<_>>()).len(), 3, "no column varies");
    }
}
