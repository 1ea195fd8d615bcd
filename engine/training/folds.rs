//! Cutting examples by time, the past always before the future: walk-forward folds to search and calibrate with, and
//! after all of them a last stretch that nothing was chosen by.
//!
//! Between two parts lies what neither may know. An example whose class was decided after a cut is purged from before
//! it. The first bars after a cut are left out (embargo): their rows still describe bars that decided the classes
//! before it.

use crate::labels::Example;
use market::{Date, Timestamp};

/// How time is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cuts {
    /// Walk-forward folds; each is taught with all that lies before its test.
    pub folds: usize,
    /// Share of the time kept for the very last test, 0 to 1; the newest.
    pub test_share: f64,
    /// Share of each training stretch, its newest part, that decides when to stop, 0 to 1.
    pub stop_share: f64,
    /// Bars left out after a cut.
    pub embargo_bars: usize,
}

/// Share of the time before the last test that no fold is tested on: the least a fold is taught with.
const FIRST_SHARE: f64 = 0.5;

/// Three stretches of time that follow each other and do not touch.
#[derive(Clone, Debug, Default)]
pub struct Fold<'a> {
    /// The oldest: what a model is fitted to.
    pub train: Vec<&'a Example>,
    /// What decides when to stop.
    pub stop: Vec<&'a Example>,
    /// The newest: what it is measured on.
    pub test: Vec<&'a Example>,
}

impl Fold<'_> {
    /// First and last session of the examples it is taught with.
    pub fn window(&self) -> Option<(Date, Date)> {
        let dates = || self.train.iter().chain(&self.stop).map(|example| example.date);
        Some((dates().min()?, dates().max()?))
    }

    /// First and last session of its test.
    pub fn tested(&self) -> Option<(Date, Date)> {
        Some((self.test.first()?.date, self.test.last()?.date))
    }
}

/// All folds of a timeframe.
#[derive(Clone, Debug, Default)]
pub struct Folds<'a> {
    /// Oldest first; their tests follow each other.
    pub walk: Vec<Fold<'a>>,
    /// Taught with everything before the newest stretch, which none of the others touches.
    pub last: Fold<'a>,
}

/// Cuts examples that are in order of time. Cuts fall between distinct times, so that all symbols are cut at the same
/// moment.
pub fn cut<'a>(examples: &'a [Example], cuts: &Cuts) -> Folds<'a> {
    let mut times: Vec<Timestamp> = examples.iter().map(|example| example.at).collect();
    times.dedup();
    let share = |of: usize, share: f64| (of as f64 * share).round() as usize;
    let last_from = times.len() - share(times.len(), cuts.test_share).min(times.len());
    let first = share(last_from, FIRST_SHARE);
    let edge = |n: usize| first + (last_from - first) * n / cuts.folds.max(1);
    let line = Line { examples, times: &times, cuts };
    Folds {
        walk: (0..cuts.folds).map(|n| line.fold(edge(n), edge(n + 1))).collect(),
        last: line.fold(last_from, times.len()),
    }
}

/// Examples on their line of time.
struct Line<'a, 'b> {
    examples: &'a [Example],
    times: &'b [Timestamp],
    cuts: &'b Cuts,
}

impl<'a> Line<'a, '_> {
    /// The fold tested from one place on the line to another and taught with what lies before.
    fn fold(&self, test_from: usize, test_to: usize) -> Fold<'a> {
        let stop_from = test_from - (test_from as f64 * self.cuts.stop_share).round() as usize;
        Fold {
            train: self.stretch(0, stop_from),
            stop: self.stretch(self.after(stop_from), test_from),
            test: self.stretch(self.after(test_from), test_to),
        }
    }

    fn after(&self, cut: usize) -> usize {
        cut + self.cuts.embargo_bars
    }

    /// The examples of a stretch whose class was known when it ended.
    fn stretch(&self, from: usize, to: usize) -> Vec<&'a Example> {
        let time = |place: usize| self.times.get(place).copied().unwrap_or(Timestamp::MAX);
        let (from, to) = (time(from), time(to));
        let begins = self.examples.partition_point(|e| e.at < from);
        let ends = self.examples.partition_point(|e| e.at < to).max(begins);
        self.examples[begins..ends].iter().filter(|e| e.until < to).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example(at: i64, until: i64, symbol: usize) -> Example {
        Example {
            at: Timestamp::from_seconds(at),
            until: Timestamp::from_seconds(until),
            date: Date::from_days(at as i32),
            row: [0.0; indicators::FEATURES],
            missing: indicators::features::Missing::NONE,
            class: symbol % 3,
            weight: 1.0,
        }
    }

    /// Labels of different lengths, of symbols that do not all trade at every time.
    fn line(count: i64, symbols: usize, horizon: usize) -> Vec<Example> {
        let of = |at: i64| {
            let trades = (0..symbols).filter(move |symbol| symbol % 2 == 0 || at % 3 != 0);
            trades.map(move |symbol| {
                let long = 1 + (at as usize * 7 + symbol) % horizon;
                // Where a symbol paused its label takes longer.
                example(at, at + (long * (1 + symbol % 2)) as i64, symbol)
            })
        };
        (0..count).flat_map(of).collect()
    }

    proptest! {
        #[test]
        fn nothing_of_a_later_part_is_known_in_an_earlier_one(
            count in 0i64..300, symbols in 1usize..4, horizon in 1usize..9, folds in 0usize..5,
            test_share in 0.05..0.4f64, stop_share in 0.05..0.3f64, embargo_bars in 0usize..9,
        ) {
            let examples = line(count, symbols, horizon);
            let cuts = Cuts { folds, test_share, stop_share, embargo_bars };
            let made = cut(&examples, &cuts);
            prop_assert_eq!(made.walk.len(), folds);
            for fold in made.walk.iter().chain([&made.last]) {
                for (earlier, later) in [(&fold.train, &fold.stop), (&fold.stop, &fold.test), (&fold.train, &fold.test)] {
                    let known = earlier.iter().map(|e| e.until).max();
                    let seen = earlier.iter().map(|e| e.at).max();
                    if let (Some(known), Some(seen), Some(first)) = (known, seen, later.iter().map(|e| e.at).min()) {
                        prop_assert!(known < first, "purged");
                        prop_assert!(first.since(seen) > embargo_bars as i64 * 1_000_000_000, "embargoed");
                    }
                }
            }
            // No fold, by any of its parts, has heard of the last test.
            let first = made.last.test.first().map(|e| e.at);
            let heard = made.walk.iter().flat_map(|f| f.train.iter().chain(&f.stop).chain(&f.test));
            prop_assert!(heard.map(|e| e.until).max().zip(first).is_none_or(|(known, first)| known < first));
            // Tests follow each other.
            for pair in made.walk.windows(2) {
                let end = pair[0].test.iter().map(|e| e.until).max();
                let start = pair[1].test.iter().map(|e| e.at).min();
                prop_assert!(end.zip(start).is_none_or(|(end, start)| end < start));
            }
            // Purging and embargo cost a few bars a cut and no more.
            let kept = made.last.train.len() + made.last.stop.len() + made.last.test.len();
            prop_assert!(kept + 3 * (2 * horizon + embargo_bars) * symbols >= examples.len(), "{} of {}", kept, examples.len());
        }
    }

    #[test]
    fn folds_grow_and_name_their_sessions() {
        let examples = line(100, 1, 1);
        let made = cut(&examples, &Cuts { folds: 2, test_share: 0.2, stop_share: 0.25, embargo_bars: 1 });
        let sizes = |f: &Fold<'_>| [f.train.len(), f.stop.len(), f.test.len()];
        // A label ends at the next bar, so the one before each cut is purged; then one is left out.
        assert_eq!(sizes(&made.walk[0]), [29, 8, 18]);
        assert_eq!(sizes(&made.walk[1]), [44, 13, 18]);
        assert_eq!(sizes(&made.last), [59, 18, 19]);
        let days = |n: i32| Date::from_days(n);
        assert_eq!(made.last.window(), Some((days(0), days(78))));
        assert_eq!(made.last.tested(), Some((days(81), days(99))));
        assert_eq!(
            cut(&[], &Cuts { folds: 2, test_share: 0.2, stop_share: 0.2, embargo_bars: 1 }).last.window(),
            None
        );
    }
}
