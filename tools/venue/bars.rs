//! Bars made from trades as they happen, and kept for the data REST.

use exchange::market_model::gather;
use market::quote::{Bar, SaleRule, Timeframe, Trade};
use market::time::MINUTE;
use market::{Money, Price, Symbol, Timestamp};
use std::collections::BTreeMap;

/// A bar in the making.
#[derive(Clone, Copy, Debug)]
struct Forming {
    bar: Bar,
    /// False until a trade that may set prices was seen.
    priced: bool,
}

/// The bars of one symbol.
#[derive(Clone, Debug, Default)]
struct Kept {
    /// Days before the venue started.
    past_days: Vec<Bar>,
    /// All finished minutes, before and since.
    minutes: Vec<Bar>,
    /// Where minutes since the start begin.
    live_from: usize,
    forming: Option<Forming>,
}

/// The bars of all symbols.
#[derive(Clone, Debug, Default)]
pub struct Bars {
    of: BTreeMap<Symbol, Kept>,
}

/// Minutes kept per symbol since the start; older ones leave, their days stay.
const LIVE_MINUTES_MAX: usize = 390 * 60;

impl Bars {
    /// Begins with a symbol's history.
    pub fn begin(&mut self, symbol: Symbol, days: Vec<Bar>, minutes: Vec<Bar>) {
        let live_from = minutes.len();
        self.of.insert(symbol, Kept { past_days: days, minutes, live_from, forming: None });
    }

    /// Takes a trade into the minute it falls in; a minute that this ends is pushed to `done`.
    pub fn trade(&mut self, symbol: Symbol, trade: &Trade, done: &mut Vec<(Symbol, Bar)>) {
        if trade.rule == SaleRule::Ignored || trade.price <= Price::ZERO {
            return;
        }
        let start = Timestamp::from_ns(trade.at.ns().div_euclid(MINUTE) * MINUTE);
        let kept = self.of.entry(symbol).or_default();
        if kept.forming.is_some_and(|f| f.bar.start != start) {
            kept.finish(symbol, done);
        }
        kept.take(start, trade);
    }

    /// Takes a bar that the source made itself.
    pub fn ready_made(&mut self, symbol: Symbol, bar: Bar) {
        self.of.entry(symbol).or_default().keep(bar);
    }

    /// The minutes in the making, each with whether a trade has set its prices.
    pub fn forming(&self) -> Vec<(Symbol, Bar, bool)> {
        let made = self.of.iter().filter_map(|(symbol, kept)| Some((*symbol, kept.forming?)));
        made.map(|(symbol, forming)| (symbol, forming.bar, forming.priced)).collect()
    }

    /// Takes minutes in the making up again.
    pub fn resume(&mut self, forming: &[(Symbol, Bar, bool)]) {
        for (symbol, bar, priced) in forming.iter().copied() {
            self.of.entry(symbol).or_default().forming = Some(Forming { bar, priced });
        }
    }

    /// Finishes minutes that ended by `now`.
    pub fn pass(&mut self, now: Timestamp, done: &mut Vec<(Symbol, Bar)>) {
        for (symbol, kept) in &mut self.of {
            if kept.forming.is_some_and(|f| f.bar.start + MINUTE <= now) {
                kept.finish(*symbol, done);
            }
        }
    }

    /// Bars of a timeframe from history up to now, the unfinished minute excluded.
    pub fn of(&self, symbol: Symbol, timeframe: Timeframe) -> Vec<Bar> {
        let Some(kept) = self.of.get(&symbol) else { return Vec::new() };
        if timeframe.minutes().is_some() {
            return gather(&kept.minutes, timeframe);
        }
        let mut days = kept.past_days.clone();
        days.extend(self.live_days(symbol));
        gather(&days, timeframe)
    }

    /// Today's bar so far.
    pub fn today(&self, symbol: Symbol) -> Option<Bar> {
        let kept = self.of.get(&symbol)?;
        let live = &kept.minutes[kept.live_from..];
        let last = kept.forming.filter(|f| f.priced).map(|f| f.bar).or_else(|| live.last().copied())?;
        let midnight = last.start.new_york().0.at_new_york(0);
        let mut minutes = live[live.partition_point(|bar| bar.start < midnight)..].to_vec();
        minutes.extend(kept.forming.filter(|f| f.priced).map(|f| f.bar));
        let day = gather(&minutes, Timeframe::Day1).pop();
        day.map(|bar| Bar { start: midnight, ..bar })
    }

    /// The last finished minute.
    pub fn last_minute(&self, symbol: Symbol) -> Option<Bar> {
        self.of.get(&symbol)?.minutes.last().copied()
    }

    /// The last day before today's.
    pub fn previous_day(&self, symbol: Symbol) -> Option<Bar> {
        let days = self.of(symbol, Timeframe::Day1);
        let live = usize::from(self.today(symbol).is_some());
        days.len().checked_sub(1 + live).map(|i| days[i])
    }

    fn live_days(&self, symbol: Symbol) -> Vec<Bar> {
        let Some(kept) = self.of.get(&symbol) else { return Vec::new() };
        let mut minutes = kept.minutes[kept.live_from..].to_vec();
        minutes.extend(kept.forming.filter(|f| f.priced).map(|f| f.bar));
        let mut days = gather(&minutes, Timeframe::Day1);
        for day in &mut days {
            day.start = day.start.new_york().0.at_new_york(0);
        }
        days
    }
}

impl Kept {
    fn take(&mut self, start: Timestamp, trade: &Trade) {
        let fresh = || {
            let zero = Price::ZERO;
            let (volume, trades, turnover) = (0, 0, Money::ZERO);
            let bar = Bar {
                start,
                open: zero,
                high: zero,
                low: zero,
                close: zero,
                volume,
                trades,
                turnover,
                repaired: false,
            };
            Forming { bar, priced: false }
        };
        let forming = self.forming.get_or_insert_with(fresh);
        let bar = &mut forming.bar;
        bar.volume += u64::from(trade.size);
        bar.trades += 1;
        bar.turnover += trade.price.times(i64::from(trade.size));
        if trade.rule == SaleRule::VolumeOnly {
            return;
        }
        if !forming.priced {
            (bar.open, bar.high, bar.low, bar.close) = (trade.price, trade.price, trade.price, trade.price);
            forming.priced = true;
        }
        bar.high = bar.high.max(trade.price);
        bar.low = bar.low.min(trade.price);
        if trade.rule == SaleRule::Regular {
            bar.close = trade.price;
        }
    }

    fn finish(&mut self, symbol: Symbol, done: &mut Vec<(Symbol, Bar)>) {
        // A minute of odd lots alone sets no price and makes no bar, as on the consolidated tape.
        if let Some(forming) = self.forming.take().filter(|f| f.priced) {
            self.keep(forming.bar);
            done.push((symbol, forming.bar));
        }
    }

    fn keep(&mut self, bar: Bar) {
        self.minutes.push(bar);
        if self.minutes.len() - self.live_from > LIVE_MINUTES_MAX {
            // The oldest day of minutes becomes a daily bar.
            let date = self.minutes[self.live_from].start.new_york().0;
            let end = self.minutes.partition_point(|b| b.start.new_york().0 <= date);
            let mut day = gather(&self.minutes[self.live_from..end], Timeframe::Day1);
            day.iter_mut().for_each(|d| d.start = date.at_new_york(0));
            self.past_days.extend(day);
            self.minutes.drain(..end);
            self.live_from = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trades_make_minutes_and_minutes_make_days() {
        let spy = Symbol::literal("SPY");
        let open = market::Date::literal(2026, 11, 16).at_new_york(9 * 3600 + 1800);
        let mut bars = Bars::default();
        bars.begin(spy, Vec::new(), Vec::new());
        let mut done = Vec::new();
        let trade = |seconds: i64, cents, size, rule| Trade {
            price: Price::from_cents(cents),
            size,
            at: open + seconds * 1_000_000_000,
            id: 0,
            rule,
        };
        bars.trade(spy, &trade(1, 9_000, 50, SaleRule::VolumeOnly), &mut done);
        bars.trade(spy, &trade(2, 10_000, 100, SaleRule::Regular), &mut done);
        bars.trade(spy, &trade(30, 10_100, 100, SaleRule::NoLast), &mut done);
        assert!(done.is_empty());
        bars.trade(spy, &trade(61, 9_900, 100, SaleRule::Regular), &mut done);
        let (_, first) = done[0];
        assert_eq!((first.open, first.high), (Price::from_cents(10_000), Price::from_cents(10_100)));
        assert_eq!((first.close, first.volume, first.trades), (Price::from_cents(10_000), 250, 3));
        bars.pass(open + 120 * 1_000_000_000, &mut done);
        assert_eq!(done.len(), 2);
        let today = bars.today(spy).expect("traded");
        assert_eq!((today.low, today.volume), (Price::from_cents(9_900), 350));
        assert_eq!(bars.of(spy, Timeframe::Min5).len(), 1);
        assert_eq!(bars.previous_day(spy), None);
    }
}
