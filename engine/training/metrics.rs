//! How good forecasts are, beside what the base rates alone would have scored.

use crate::labels::Example;
use crate::network::CLASSES;

/// Probabilities are cut here before their logarithm is taken.
const SMALLEST: f64 = 1e-15;

/// Scores over a set of forecasts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// Forecasts scored.
    pub count: usize,
    /// Share in which the likeliest class was right.
    pub accuracy: f64,
    /// Mean of -ln(odds of what happened).
    pub log_loss: f64,
    /// Mean over forecasts of the squared errors summed over the classes, 0 to 2.
    pub brier: f64,
}

/// Scores pairs of odds and what happened (0 down, 1 flat, 2 up); `None` when there are none.
pub fn score(pairs: impl Iterator<Item = ([f32; CLASSES], usize)>) -> Option<Scores> {
    let mut sum = Scores::default();
    for (said, class) in pairs {
        let odds = said.map(f64::from);
        let favourite = (0..CLASSES).fold(0, |best, c| if odds[c] > odds[best] { c } else { best });
        sum.count += 1;
        sum.accuracy += f64::from(u8::from(favourite == class));
        sum.log_loss -= odds[class].max(SMALLEST).ln();
        sum.brier += brier(&said, class);
    }
    let count = sum.count as f64;
    (sum.count > 0).then(|| Scores {
        count: sum.count,
        accuracy: sum.accuracy / count,
        log_loss: sum.log_loss / count,
        brier: sum.brier / count,
    })
}

/// The squared errors of one forecast summed over the classes, 0 to 2.
pub fn brier(odds: &[f32; CLASSES], class: usize) -> f64 {
    let error = |c: usize| f64::from(odds[c]) - f64::from(u8::from(c == class));
    (0..CLASSES).map(|c| error(c).powi(2)).sum()
}

/// Scores to odds.
pub fn softmax(mut scores: [f64; CLASSES]) -> [f64; CLASSES] {
    let highest = scores.iter().copied().fold(f64::MIN, f64::max);
    scores.iter_mut().for_each(|x| *x = (*x - highest).exp());
    let sum: f64 = scores.iter().sum();
    scores.map(|x| x / sum)
}

/// How often each class occurs by the weights of the examples, drawn toward a third each as if `PRIOR` more had been
/// seen of every one.
pub fn base_rates<'a>(examples: impl Iterator<Item = &'a Example>) -> [f64; CLASSES] {
    const PRIOR: f64 = 10.0;
    let mut counts = [PRIOR; CLASSES];
    examples.for_each(|example| counts[example.class] += f64::from(example.weight));
    let sum: f64 = counts.iter().sum();
    counts.map(|count| count / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_the_textbook_ones() {
        let forecasts = [([0.2f32, 0.5, 0.3], 1usize), ([0.7, 0.2, 0.1], 2)];
        let scores = score(forecasts.into_iter()).expect("two");
        assert_eq!(scores.accuracy, 0.5);
        let log_loss = -(0.5f64.ln() + f64::from(0.1f32).ln()) / 2.0;
        assert!((scores.log_loss - log_loss).abs() < 1e-9);
        // (0.04 + 0.25 + 0.09 + 0.49 + 0.04 + 0.81) / 2
        assert!((scores.brier - 0.86).abs() < 1e-6);
        assert_eq!(score(std::iter::empty()), None);
        assert_eq!(base_rates(std::iter::empty()), [1.0 / 3.0; 3]);
    }
}
