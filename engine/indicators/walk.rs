//! Events in, rows out: what the engine would have seen. The calls are those the engine makes on the same events, in
//! the same order, so a row written here is the row a model would have read.

use crate::analysis::{Analysis, Closed};
use crate::features::{Missing, Row};
use crate::grid::session_date;
use crate::splits::{Past, adjusted};
use market::quote::{Bar, MarketEvent, Timeframe};
use market::split::Split;
use market::{Date, Instrument, Symbol, Timestamp};

/// A row and the bar it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// When it was known: never earlier than anything in it.
    pub at: Timestamp,
    /// Of which timeframe.
    pub timeframe: Timeframe,
    /// The bar: closed, or as it would be if it closed now.
    pub bar: Bar,
    /// True when the bar has closed.
    pub is_closed: bool,
    /// The feature row.
    pub row: &'a Row,
    /// Which values of the row could not be known.
    pub missing: Missing,
    /// Average true range of the timeframe's finished bars, dollars: what labels are measured in.
    pub atr: Option<f64>,
}

/// Which rows are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Of these timeframes.
    pub timeframes: Vec<Timeframe>,
    /// After every trade and quote that changed a bar, beside those of closed bars.
    pub every_tick: bool,
}

/// One symbol's way through recorded events.
pub struct Walk {
    symbol: Symbol,
    analysis: Analysis,
    past: Past,
    /// The session of what was heard last.
    today: Option<Date>,
    rows: Rows,
}

impl Walk {
    /// A walk that has seen nothing. Events of other symbols, and of options, are passed over.
    pub fn new(symbol: Symbol, splits: Vec<Split>, rows: Rows) -> Self {
        let (analysis, past) = (Analysis::new(), Past::new(splits));
        Self { symbol, analysis, past, today: None, rows }
    }

    /// Bars, indicators and counts as they stand.
    pub const fn analysis(&self) -> &Analysis {
        &self.analysis
    }

    /// Takes an event that became known at `at`, in order of time; tells the rows that follow from it.
    pub fn hear(&mut self, at: Timestamp, event: &MarketEvent, tell: &mut impl FnMut(&Seen<'_>)) {
        let is_ours = match event {
            MarketEvent::Quote(Instrument::Stock(symbol), _)
            | MarketEvent::Trade(Instrument::Stock(symbol), _)
            | MarketEvent::Cancel(symbol, ..)
            | MarketEvent::Bar { symbol, .. } => *symbol == self.symbol,
            _ => false,
        };
        if !is_ours {
            return;
        }
        let stamp = event.at().unwrap_or(at);
        self.pass(at.min(stamp.max(Timestamp::MIN)), tell);
        self.begin(if matches!(event, MarketEvent::Bar { .. }) {
            session_date(stamp)
        } else {
            at.new_york().0
        });
        let before = self.analysis.revision();
        let closed = match event {
            MarketEvent::Quote(_, quote) => self.analysis.on_quote(at, quote),
            MarketEvent::Trade(_, trade) => self.analysis.on_trade(at, trade),
            MarketEvent::Cancel(_, id, _) => {
                self.analysis.cancel(at, *id);
                Closed::NONE
            }
            MarketEvent::Bar { timeframe: Timeframe::Min1, bar, updated: true, .. } => {
                self.analysis.repair(bar);
                self.analysis.settle();
                Closed::NONE
            }
            MarketEvent::Bar { timeframe, bar, .. } => self.seed(*timeframe, bar),
            _ => Closed::NONE,
        };
        let is_tick = matches!(event, MarketEvent::Quote(..) | MarketEvent::Trade(..));
        self.tell_closed(at, closed, tell);
        if is_tick && self.rows.every_tick && self.analysis.revision() != before {
            self.tell_forming(at, tell);
        }
    }

    /// Closes what is left when nothing more is to come, as far as its time had run by `until`.
    pub fn finish(&mut self, until: Timestamp, tell: &mut impl FnMut(&Seen<'_>)) {
        self.pass(until, tell);
    }

    /// Lets time pass as the engine's timer does.
    fn pass(&mut self, now: Timestamp, tell: &mut impl FnMut(&Seen<'_>)) {
        while let Some(due) = self.analysis.deadline().filter(|due| *due <= now) {
            let closed = self.analysis.advance(due);
            self.tell_closed(due, closed, tell);
            if self.analysis.deadline() == Some(due) {
                return;
            }
        }
    }

    fn seed(&mut self, timeframe: Timeframe, bar: &Bar) -> Closed {
        if !self.past.splits().is_empty() {
            self.past.keep(timeframe, bar);
        }
        let date = session_date(bar.start);
        let today = self.today.unwrap_or(date);
        self.analysis.seed(timeframe, &adjusted(bar, date, today, self.past.splits()))
    }

    /// Goes over to another session: on the morning of a split everything before it is computed again.
    fn begin(&mut self, date: Date) {
        let Some(last) = self.today.replace(date).filter(|last| *last < date) else {
            return;
        };
        if !self.past.splits().is_empty() {
            let past = &mut self.past;
            self.analysis.heard_minutes().for_each(|minute| past.keep(Timeframe::Min1, &minute));
        }
        if self.past.changes_scale(last, date) {
            self.analysis = self.past.analysis(date);
        }
    }

    fn tell_closed(&self, at: Timestamp, closed: Closed, tell: &mut impl FnMut(&Seen<'_>)) {
        for timeframe in closed.timeframes() {
            let Some(bar) = self.analysis.last_closed(timeframe).copied() else { continue };
            if self.rows.timeframes.contains(&timeframe) {
                let (row, missing) = self.analysis.closed_features(timeframe);
                let atr = self.analysis.atr(timeframe);
                tell(&Seen { at, timeframe, bar, is_closed: true, row, missing, atr });
            }
        }
    }

    fn tell_forming(&mut self, at: Timestamp, tell: &mut impl FnMut(&Seen<'_>)) {
        for index in 0..self.rows.timeframes.len() {
            let timeframe = self.rows.timeframes[index];
            let Some(bar) = self.analysis.bar(timeframe) else { continue };
            self.analysis.features(timeframe);
            let missing = self.analysis.missing_values(timeframe);
            tell(&Seen {
                at,
                timeframe,
                bar,
                is_closed: false,
                atr: self.analysis.atr(timeframe),
                row: self.analysis.features(timeframe),
                missing,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::Price;
    use market::quote::{SaleRule, Trade};
    use market::session;
    use market::time::SECOND;

    const SPY: Symbol = Symbol::literal("SPY");
    const EX: Date = Date::literal(2025, 3, 10);

    /// What a row said, to compare and keep.
    #[derive(Clone, Debug, PartialEq)]
    struct Told {
        at: Timestamp,
        timeframe: Timeframe,
        bar: Bar,
        is_closed: bool,
        row: Row,
        missing: Missing,
    }

    fn rows(every_tick: bool) -> Rows {
        Rows { timeframes: Timeframe::ALL.to_vec(), every_tick }
    }

    fn walked(events: &[(Timestamp, MarketEvent)], splits: Vec<Split>, rows: Rows) -> (Vec<Told>, Walk) {
        let mut told = Vec::new();
        let mut walk = Walk::new(SPY, splits, rows);
        for (at, event) in events {
            walk.hear(*at, event, &mut |seen| {
                let Seen { at, timeframe, bar, is_closed, row, missing, .. } = *seen;
                told.push(Told { at, timeframe, bar, is_closed, row: *row, missing });
            });
        }
        (told, walk)
    }

    fn trade(at: Timestamp, cents: i64, id: u64) -> (Timestamp, MarketEvent) {
        let trade = Trade { price: Price::from_cents(cents), size: 100, at, id, rule: SaleRule::Regular };
        (at, MarketEvent::Trade(Instrument::Stock(SPY), trade))
    }

    /// Trades every 40 seconds of three sessions, the last two after a split of four for one.
    fn ticks(scale: impl Fn(Date) -> i64) -> Vec<(Timestamp, MarketEvent)> {
        let mut events = Vec::new();
        for n in -1..2 {
            let session = session::offset(EX, n).expect("in the calendar");
            for step in 0..585i64 {
                let cents = 10_000 + (step * 37 + i64::from(n) * 13) % 89 * 4;
                let id = (step + 1 + 1_000 * i64::from(n + 1)) as u64;
                events.push(trade(session.open + step * 40 * SECOND, cents / scale(session.date), id));
            }
        }
        events
    }

    #[test]
    fn no_row_knows_the_future() {
        let events = ticks(|_| 1);
        let (all, _) = walked(&events, vec![], rows(true));
        assert!(all.len() > 10_000 && all.windows(2).all(|pair| pair[0].at <= pair[1].at));
        for told in &all {
            let day = crate::grid::Day::of(told.bar.start.new_york().0).expect("a session");
            let end = day.span(told.timeframe, told.bar.start).end;
            assert!(!told.is_closed || told.at >= end, "{told:?}");
        }
        for cut in [1, 2, 100, 584, 585, 586, 900, 1_754] {
            let (some, _) = walked(&events[..cut], vec![], rows(true));
            assert_eq!(some, all[..some.len()], "cut at {cut}");
        }
    }

    #[test]
    fn closed_rows_of_ticks_are_those_the_engine_sees() {
        let events = ticks(|_| 1);
        let (told, walk) = walked(&events, vec![], rows(false));
        let mut analysis = Analysis::new();
        let mut count = 0;
        let mut seen = |analysis: &Analysis, closed: Closed| {
            for timeframe in closed.timeframes() {
                let same = &told[count];
                assert_eq!((same.timeframe, Some(&same.bar)), (timeframe, analysis.last_closed(timeframe)));
                assert_eq!((&same.row, same.missing), analysis.closed_features(timeframe));
                count += 1;
            }
        };
        for (at, event) in &events {
            while let Some(due) = analysis.deadline().filter(|due| due <= at) {
                let closed = analysis.advance(due);
                seen(&analysis, closed);
            }
            let MarketEvent::Trade(_, trade) = event else { continue };
            let closed = analysis.on_trade(*at, trade);
            seen(&analysis, closed);
        }
        assert_eq!(count, told.len());
        assert_eq!(walk.analysis().counts(), analysis.counts());
    }

    #[test]
    fn the_morning_of_a_split_puts_the_past_on_its_scale() {
        let split = Split::new(EX, 4, 1).expect("a ratio");
        let printed = ticks(|date| if date < EX { 1 } else { 4 });
        let (told, _) = walked(&printed, vec![split], rows(false));
        let (right, _) = walked(&ticks(|_| 4), vec![], rows(false));
        assert_eq!(told.len(), right.len());
        let (mut same, mut all) = (0, 0);
        for (told, right) in told.iter().zip(&right) {
            if told.at.new_york().0 < EX {
                assert_eq!(told.bar.open.units(), right.bar.open.units() * 4, "as it was printed then");
                continue;
            }
            // Shares of the day before are four times as many; ours were not scaled in the other run.
            let plain = |bar: &Bar| (bar.start, bar.open, bar.high, bar.low, bar.close);
            assert_eq!((told.timeframe, plain(&told.bar)), (right.timeframe, plain(&right.bar)));
            for (a, b) in told.row.iter().zip(&right.row) {
                same += u32::from((a - b).abs() < 1e-4);
                all += 1;
            }
        }
        // What counts shares or dollars of the day before may differ by the rounding of a quarter of a share.
        assert!(all > 10_000 && same * 100 > all * 97, "{same} of {all}");
    }

    #[test]
    fn other_symbols_say_nothing() {
        let at = session::session(EX).expect("a session").open;
        let (_, event) = trade(at, 100, 1);
        let MarketEvent::Trade(_, other) = event else { unreachable!() };
        let other = MarketEvent::Trade(Instrument::Stock(Symbol::literal("QQQ")), other);
        let (told, walk) = walked(&[(at, other)], vec![], rows(true));
        assert!(told.is_empty() && walk.analysis().counts().trades == 0);
    }
}
