//! Splits adjust history: bars of before are put on today's scale, and what was computed of them is computed again.
//!
//! Indicators keep no bars, so their state cannot be rescaled; it is rebuilt from the bars it was made of, which
//! whoever seeds an [`Analysis`] keeps as a [`Past`]. A split takes effect overnight, so this happens before the
//! session opens and costs what seeding costs.

use crate::analysis::Analysis;
use crate::grid::session_date;
use market::Date;
use market::quote::{Bar, Timeframe};
use market::split::Split;

/// A bar of `date` on the scale of `today`: every split that took effect after `date`, up to and with `today`, is
/// applied.
pub fn adjusted(bar: &Bar, date: Date, today: Date, splits: &[Split]) -> Bar {
    let between = splits.iter().filter(|split| date < split.ex_date && split.ex_date <= today);
    between.fold(*bar, |bar, split| split.bar(&bar))
}

/// The bars an [`Analysis`] was made of, as they were printed, in the order they were seeded: daily bars first.
#[derive(Clone, Debug, Default)]
pub struct Past {
    splits: Vec<Split>,
    bars: Vec<(Timeframe, Bar)>,
}

impl Past {
    /// Nothing yet. `splits` are those of the symbol, in any order; those of the future wait for their day.
    pub fn new(mut splits: Vec<Split>) -> Self {
        splits.sort_by_key(|split| split.ex_date);
        Self { splits, bars: Vec::new() }
    }

    /// The splits, oldest first.
    pub fn splits(&self) -> &[Split] {
        &self.splits
    }

    /// Learns of a split; true when it is new.
    pub fn learn(&mut self, split: Split) -> bool {
        let is_new = !self.splits.contains(&split);
        if is_new {
            let place = self.splits.partition_point(|other| other.ex_date <= split.ex_date);
            self.splits.insert(place, split);
        }
        is_new
    }

    /// Keeps a finished bar as it was printed on its day.
    pub fn keep(&mut self, timeframe: Timeframe, bar: &Bar) {
        self.bars.push((timeframe, *bar));
    }

    /// The bars kept, as printed.
    pub fn bars(&self) -> &[(Timeframe, Bar)] {
        &self.bars
    }

    /// True when a split takes effect after `last` and by `today`: what was computed until `last` is on another scale.
    pub fn changes_scale(&self, last: Date, today: Date) -> bool {
        self.splits.iter().any(|split| last < split.ex_date && split.ex_date <= today)
    }

    /// An analysis of all that is kept, on the scale of `today`.
    pub fn analysis(&self, today: Date) -> Analysis {
        let mut analysis = Analysis::new();
        for (timeframe, bar) in &self.bars {
            let bar = adjusted(bar, session_date(bar.start), today, &self.splits);
            analysis.seed(*timeframe, &bar);
        }
        analysis
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::time::MINUTE;
    use market::{Price, session};

    const EX: Date = Date::literal(2025, 3, 10);

    fn bar(date: Date, minute: i64, cents: i64) -> Bar {
        let session = session::session(date).expect("a session");
        let price = Price::from_cents(cents);
        Bar {
            start: session.open + minute * MINUTE,
            open: price,
            high: price + Price::from_cents(8),
            low: price - Price::from_cents(8),
            close: price + Price::from_cents(4),
            volume: 400,
            trades: 4,
            turnover: price.times(400),
            repaired: false,
        }
    }

    /// Six sessions of minutes, the last two of them after a split of four for one; as printed, and as if the share
    /// had always been what it is now.
    fn printed_and_scaled() -> (Vec<Bar>, Vec<Bar>) {
        let (mut printed, mut scaled) = (Vec::new(), Vec::new());
        for n in -4..2 {
            let date = session::offset(EX, n).expect("in the calendar").date;
            for minute in 0..390 {
                let cents = 10_000 + (minute * 37 + i64::from(n) * 11) % 97 * 4;
                let whole = bar(date, minute, cents);
                let quarter = Split::new(EX, 4, 1).expect("a ratio").bar(&whole);
                printed.push(if date < EX { whole } else { quarter });
                scaled.push(quarter);
            }
        }
        (printed, scaled)
    }

    #[test]
    fn history_is_put_on_todays_scale_and_the_indicators_follow() {
        let (printed, scaled) = printed_and_scaled();
        let mut past = Past::new(vec![]);
        printed.iter().for_each(|bar| past.keep(Timeframe::Min1, bar));
        let last = session::session(EX).expect("a session").date;
        assert!(!past.changes_scale(Date::literal(2025, 3, 7), last));
        let split = Split::new(EX, 4, 1).expect("a ratio");
        assert!(past.learn(split) && !past.learn(split));
        assert!(past.changes_scale(Date::literal(2025, 3, 7), last) && !past.changes_scale(last, last));
        let mut ours = past.analysis(Date::literal(2025, 3, 11));
        let mut right = Analysis::new();
        scaled.iter().for_each(|bar| _ = right.seed(Timeframe::Min1, bar));
        for timeframe in Timeframe::ALL {
            assert_eq!(ours.bar(timeframe), right.bar(timeframe), "{timeframe}");
            assert_eq!(ours.last_closed(timeframe), right.last_closed(timeframe), "{timeframe}");
            assert_eq!(ours.features(timeframe), right.features(timeframe), "{timeframe}");
        }
        // On the day before, the share still was what it was.
        let before = past.analysis(Date::literal(2025, 3, 7));
        let day =
            before.last_closed(Timeframe::Week1).or(before.last_closed(Timeframe::Day1)).expect("closed");
        assert!(day.high > Price::from_cents(10_000));
    }

    #[test]
    fn splits_multiply() {
        let splits =
            [Split::new(EX, 2, 1).expect("a ratio"), Split::new(EX.plus(30), 3, 1).expect("a ratio")];
        let old = bar(Date::literal(2025, 3, 7), 0, 60_000);
        let open = |today: Date| adjusted(&old, Date::literal(2025, 3, 7), today, &splits).open;
        assert_eq!(open(Date::literal(2025, 3, 7)), Price::from_cents(60_000));
        assert_eq!(open(EX), Price::from_cents(30_000));
        assert_eq!(open(EX.plus(60)), Price::from_cents(10_000));
    }
}
