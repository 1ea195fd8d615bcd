//! The class of every past moment, by the rule that also judges live forecasts ([`forecast::label`]), and how much
//! each may teach.
//!
//! Labels of neighbouring bars are decided by the same later bars: ten examples of one rally are not ten pieces of
//! evidence. An example's weight is the average uniqueness of the bars that decide it (Lopez de Prado, Advances in
//! Financial Machine Learning, 2018, chapter 4): the mean over those bars of one over the labels that run through
//! them. Whoever fits brings them to a mean of one over what it is taught, and nothing else.

use crate::dataset::{MISSING_MAX, Moment, Moments};
use forecast::label::{Course, LabelRule};
use indicators::features::{Missing, Row};
use market::{Date, Timestamp};

/// A feature row with the class that followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Example {
    /// Start of the bar whose close the row describes.
    pub at: Timestamp,
    /// Its session.
    pub date: Date,
    /// Start of the bar that decided the class: nothing before its close may be learnt from this example in time.
    pub until: Timestamp,
    /// The feature row.
    pub row: Row,
    /// Which of its values could not be known.
    pub missing: Missing,
    /// 0 down, 1 flat, 2 up.
    pub class: usize,
    /// How much it teaches: its average uniqueness, above 0 and at most 1.
    pub weight: f32,
}

/// The examples of one timeframe, of all symbols together, in order of time.
pub fn examples(moments: &Moments, rule: &LabelRule, horizon_bars: u32) -> Vec<Example> {
    let mut found: Vec<Example> =
        moments.iter().flat_map(|series| of_series(series, rule, horizon_bars)).collect();
    // Stable, so that symbols stay in their order within a time.
    found.sort_by_key(|example| example.at);
    found
}

fn of_series(series: &[Moment], rule: &LabelRule, horizon_bars: u32) -> Vec<Example> {
    let mut found = Vec::new();
    let mut spans = Vec::new();
    for (place, now) in series.iter().enumerate() {
        if now.missing.of_market() > MISSING_MAX {
            continue;
        }
        let Some((class, end)) = outcome(series, place, rule, horizon_bars) else { continue };
        spans.push((place + 1, end + 1));
        found.push(Example {
            at: now.at,
            date: now.date,
            until: series[end].at,
            row: now.row,
            missing: now.missing,
            class,
            weight: 1.0,
        });
    }
    for (example, unique) in found.iter_mut().zip(uniqueness(&spans, series.len())) {
        example.weight = unique;
    }
    found
}

/// The class of a moment and the place of the bar that decided it; `None` when that lies beyond the series, or the
/// range is not known.
fn outcome(series: &[Moment], place: usize, rule: &LabelRule, horizon_bars: u32) -> Option<(usize, usize)> {
    let now = &series[place];
    let mut course = Course::new(rule, horizon_bars, now.bar.close.dollars(), now.atr?)?;
    let ahead = series.iter().enumerate().skip(place + 1).take(horizon_bars as usize);
    ahead.into_iter().find_map(|(end, then)| course.follow(&then.bar).map(|class| (class as usize, end)))
}

/// Of each span of bars (from, and after its last) the mean over its bars of one over the spans that hold the bar.
pub fn uniqueness(spans: &[(usize, usize)], bars: usize) -> Vec<f32> {
    let mut running = vec![0i64; bars + 1];
    for (from, to) in spans {
        running[*from] += 1;
        running[*to] -= 1;
    }
    // Sums of one over the number of labels that run, up to each bar: a mean is then one difference.
    let mut sums = Vec::with_capacity(bars + 1);
    let (mut now, mut sum) = (0, 0.0);
    sums.push(sum);
    for change in running.iter().take(bars) {
        now += change;
        sum += if now > 0 { 1.0 / now as f64 } else { 0.0 };
        sums.push(sum);
    }
    let mean = |(from, to): &(usize, usize)| ((sums[*to] - sums[*from]) / (to - from).max(1) as f64) as f32;
    spans.iter().map(mean).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use market::quote::Bar;
    use market::{Money, Price};
    use proptest::prelude::*;

    /// Bars of a minute that open where the last closed, with a range of one dollar.
    pub(crate) fn walk(closes: &[f64]) -> Vec<Moment> {
        let mut open = closes.first().copied().unwrap_or(0.0);
        let made = closes.iter().enumerate().map(|(minute, close)| {
            let price = |x: f64| Price::nearest(x).expect("in range");
            let at = Timestamp::from_seconds(60 * minute as i64);
            let bar = Bar {
                start: at,
                open: price(open),
                high: price(open.max(*close)),
                low: price(open.min(*close)),
                close: price(*close),
                volume: 1,
                trades: 1,
                turnover: Money::ZERO,
                repaired: false,
            };
            open = *close;
            Moment {
                at,
                date: Date::from_days(0),
                bar,
                atr: Some(1.0),
                row: [minute as f32; indicators::FEATURES],
                missing: Missing::NONE,
            }
        });
        made.collect()
    }

    const HORIZON: LabelRule = LabelRule::Horizon { threshold_atr: 0.5 };
    const BARRIERS: LabelRule = LabelRule::TripleBarrier { up_atr: 0.5, down_atr: 0.5 };

    #[test]
    fn classes_come_from_the_move_over_the_horizon() {
        let mut series = walk(&[10.0, 10.0, 10.0, 11.0, 10.0, 10.1, 9.0]);
        series[0].atr = None;
        series[1].missing = Missing::ALL;
        let found = examples(&vec![series], &HORIZON, 1);
        // The first has no range, the second too many unknown values, the last no future.
        assert_eq!(found.iter().map(|e| e.class).collect::<Vec<_>>(), [2, 0, 1, 0]);
        assert!(found.iter().all(|e| e.until.since(e.at) == 60_000_000_000 && e.weight == 1.0));
    }

    #[test]
    fn a_barrier_ends_a_label_early_and_time_ends_it_late() {
        // Four bars, barriers a dollar away.
        let found = examples(&vec![walk(&[10.0, 10.5, 11.5, 11.0, 11.0, 11.0, 11.0])], &BARRIERS, 4);
        let told: Vec<(usize, i64)> =
            found.iter().map(|e| (e.class, e.until.since(e.at) / 60_000_000_000)).collect();
        // Up by the second bar; a dollar is not beyond the barrier; then nothing until time is up.
        assert_eq!(told, [(2, 2), (1, 4), (1, 4)]);
    }

    #[test]
    fn uniqueness_is_the_textbook_one() {
        // Bars 1-2, 2-4 and 4: alone, shared, shared, shared.
        let weights = uniqueness(&[(0, 2), (1, 4), (3, 4)], 4);
        assert_eq!(weights, [0.75, (0.5 + 1.0 + 0.5) / 3.0, 0.5]);
        assert_eq!(uniqueness(&[], 3), Vec::<f32>::new());
    }

    proptest! {
        /// Every bar that any label runs through is handed out once: weights times lengths sum to their number.
        #[test]
        fn bars_are_shared_out_once(spans in proptest::collection::vec((0usize..40, 1usize..9), 1..30)) {
            let spans: Vec<(usize, usize)> = spans.into_iter().map(|(from, long)| (from, from + long)).collect();
            let weights = uniqueness(&spans, 50);
            let handed: f64 =
                spans.iter().zip(&weights).map(|((from, to), w)| (to - from) as f64 * f64::from(*w)).sum();
            let covered = (0..50).filter(|bar| spans.iter().any(|(from, to)| (from..to).contains(&bar))).count();
            prop_assert!((handed - covered as f64).abs() < 1e-3, "{handed} of {covered}");
            prop_assert!(weights.iter().all(|w| *w > 0.0 && *w <= 1.0));
        }

        /// How much a label teaches is known as soon as all is decided that runs beside it.
        #[test]
        fn a_weight_does_not_know_the_future(
            steps in proptest::collection::vec(-1.0f64..1.0, 20..60), cut in 10usize..60, horizon in 1u32..6,
        ) {
            let closes: Vec<f64> = steps.iter().scan(100.0, |price, step| { *price += step; Some(*price) }).collect();
            let cut = cut % closes.len();
            for rule in [HORIZON, BARRIERS] {
                // What begins after the cut overlaps otherwise than what began before it.
                let weights = |closes: &[f64]| -> Vec<f32> {
                    let whole = examples(&vec![walk(closes)], &rule, horizon);
                    let last = Timestamp::from_seconds(60 * (cut as i64 - 2 * i64::from(horizon)));
                    whole.iter().filter(|e| e.until < last).map(|e| e.weight).collect()
                };
                prop_assert_eq!(weights(&closes[..cut]), weights(&closes));
            }
        }

        /// What happens after a label is decided changes nothing about it.
        #[test]
        fn a_decided_label_does_not_know_the_future(
            steps in proptest::collection::vec(-1.0f64..1.0, 8..60), cut in 1usize..60, shift in -5.0f64..5.0,
            horizon in 1u32..6,
        ) {
            let walked = |shift_from: usize, by: f64| {
                let mut price = 100.0;
                let closes = steps.iter().enumerate().map(|(i, step)| {
                    price += step;
                    price + if i >= shift_from { by } else { 0.0 }
                });
                walk(&closes.collect::<Vec<_>>())
            };
            let cut = cut % steps.len();
            let moved = Timestamp::from_seconds(60 * cut as i64);
            for rule in [HORIZON, BARRIERS] {
                let decided = |series: &[Moment]| -> Vec<(Timestamp, Timestamp, usize)> {
                    let found = of_series(series, &rule, horizon).into_iter().filter(|e| e.until < moved);
                    found.map(|e| (e.at, e.until, e.class)).collect()
                };
                prop_assert_eq!(decided(&walked(cut, 0.0)), decided(&walked(cut, shift)));
            }
        }
    }
}
