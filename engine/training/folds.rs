//! Cutting examples by time: train on the past, stop by the middle, test on the newest. An example whose class was
//! decided after a cut is purged from before it, and the first horizon after a cut is left out (embargo), since its
//! rows still describe bars the earlier part was taught with.

use crate::labels::Example;
use market::{Date, Timestamp};

/// Examples of three stretches of time that do not touch.
#[derive(Clone, Debug, Default)]
pub struct Split<'a> {
    /// The oldest: what weights are fitted to.
    pub train: Vec<&'a Example>,
    /// What decides when to stop.
    pub validation: Vec<&'a Example>,
    /// The newest: what the metrics are measured on.
    pub test: Vec<&'a Example>,
}

impl Split<'_> {
    /// First and last session of the training examples.
    pub fn window(&self) -> Option<(Date, Date)> {
        let dates = || self.train.iter().map(|example| example.date);
        Some((dates().min()?, dates().max()?))
    }
}

/// Cuts examples that are in order of time. Shares are of the distinct times, so that all symbols are cut at
/// the same moment.
pub fn split<'a>(
    examples: &'a [Example],
    validation_share: f64,
    test_share: f64,
    horizon: usize,
) -> Split<'a> {
    let mut times: Vec<Timestamp> = examples.iter().map(|example| example.at).collect();
    times.dedup();
    let count = times.len();
    let part = |share: f64| (count as f64 * share).round() as usize;
    let test_from = count.saturating_sub(part(test_share));
    let validation_from = test_from.saturating_sub(part(validation_share));
    let time = |index: usize| times.get(index).copied().unwrap_or(Timestamp::MAX);
    let between = |from: usize, until: usize| {
        let (from, until) = (time(from), time(until));
        let inside = move |e: &&Example| e.at >= from && e.until < until;
        examples.iter().filter(inside).collect::<Vec<_>>()
    };
    Split {
        train: between(0, validation_from),
        validation: between(validation_from + horizon, test_from),
        test: between(test_from + horizon, count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_of_a_later_part_is_known_in_an_earlier_one(
            count in 0i64..200, symbols in 1usize..4, horizon in 1usize..9,
            validation in 0.05..0.4f64, test in 0.05..0.4f64,
        ) {
            let examples: Vec<Example> = (0..count)
                .flat_map(|i| (0..symbols).map(move |class| Example {
                    at: Timestamp::from_seconds(i),
                    until: Timestamp::from_seconds(i + horizon as i64),
                    date: Date::from_days(i as i32),
                    row: [0.0; indicators::FEATURES],
                    missing: indicators::features::Missing::NONE,
                    class: class % 3,
                }))
                .collect();
            let split = split(&examples, validation, test, horizon);
            for (earlier, later) in
                [(&split.train, &split.validation), (&split.validation, &split.test), (&split.train, &split.test)]
            {
                let last = earlier.iter().map(|e| e.until).max();
                let first = later.iter().map(|e| e.at).min();
                if let (Some(last), Some(first)) = (last, first) {
                    prop_assert!(last < first);
                }
            }
            let kept = split.train.len() + split.validation.len() + split.test.len();
            prop_assert!(kept + 5 * horizon * symbols >= examples.len(), "{kept} of {}", examples.len());
        }
    }
}
