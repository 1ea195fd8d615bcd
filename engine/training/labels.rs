//! What a price did after a moment: down, flat or up, by the move over the horizon in average true ranges.

use crate::dataset::{MISSING_MAX, Moment, Moments};
use indicators::features::{Missing, Row};
use market::{Date, Timestamp};

/// A feature row with the class that followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Example {
    /// Start of the bar whose close the row describes.
    pub at: Timestamp,
    /// Its session.
    pub date: Date,
    /// Start of the bar whose close decided the class: nothing before it may be learnt from this example in time.
    pub until: Timestamp,
    /// The feature row.
    pub row: Row,
    /// Which of its values could not be known.
    pub missing: Missing,
    /// 0 down, 1 flat, 2 up.
    pub class: usize,
}

/// How a move becomes a class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Bars ahead.
    pub horizon: usize,
    /// Average true ranges beyond which a move is no longer flat, for this horizon.
    pub threshold: f64,
}

impl Rule {
    /// Thresholds grow with the root of the horizon, as moves do.
    pub fn new(horizon_bars: u32, threshold_atr: f64) -> Self {
        Self { horizon: horizon_bars as usize, threshold: threshold_atr * f64::from(horizon_bars).sqrt() }
    }

    /// The class of a move of `change` dollars at an average true range of `atr` dollars.
    pub fn class(&self, change: f64, atr: f64) -> usize {
        let moved = change / atr;
        if moved < -self.threshold {
            0
        } else if moved > self.threshold {
            2
        } else {
            1
        }
    }
}

/// The examples of one timeframe, of all symbols together, in order of time.
pub fn examples(moments: &Moments, rule: &Rule) -> Vec<Example> {
    let mut found: Vec<Example> = moments.iter().flat_map(|series| of_series(series, rule)).collect();
    found.sort_by_key(|example| example.at);
    found
}

fn of_series<'a>(series: &'a [Moment], rule: &'a Rule) -> impl Iterator<Item = Example> + 'a {
    series.iter().zip(series.iter().skip(rule.horizon)).filter_map(|(now, then)| {
        let atr = now.atr.filter(|_| now.missing.of_market() <= MISSING_MAX)?;
        Some(Example {
            at: now.at,
            date: now.date,
            until: then.at,
            row: now.row,
            missing: now.missing,
            class: rule.class(then.close - now.close, atr),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(minute: i64, close: f64) -> Moment {
        Moment {
            at: Timestamp::from_seconds(60 * minute),
            date: Date::from_days(0),
            close,
            atr: (minute > 0).then_some(1.0),
            row: [0.0; indicators::FEATURES],
            missing: if minute == 1 { Missing::ALL } else { Missing::NONE },
        }
    }

    #[test]
    fn classes_come_from_the_move_over_the_horizon() {
        let closes = [10.0, 10.0, 10.0, 11.0, 10.0, 10.1, 9.0];
        let series: Vec<Moment> = closes.iter().enumerate().map(|(i, c)| moment(i as i64, *c)).collect();
        let rule = Rule::new(1, 0.5);
        let found = examples(&vec![series], &rule);
        // The first has no range, the second too many unknown values, the last no future.
        assert_eq!(found.iter().map(|e| e.class).collect::<Vec<_>>(), [2, 0, 1, 0]);
        assert!(found.iter().all(|e| e.until.since(e.at) == 60_000_000_000));
        assert_eq!(Rule::new(4, 0.5).threshold, 1.0);
    }
}
