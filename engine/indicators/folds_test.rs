//! Properties of bars on random days: each is the plain fold of the trades of its interval, whatever the order they
//! came in, what was taken back, and where in between the state was written and read back.

use crate::bars::{Bars, Closings, Late};
use crate::grid::Day;
use market::quote::{Bar, SaleRule, Timeframe, Trade};
use market::session::{self, Session};
use market::time::{MINUTE, MS, SECOND};
use market::{Date, Price, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// First sessions of runs that are anything but ordinary.
const RUNS: [Date; 6] = [
    Date::literal(2025, 3, 6),   // clocks go forward on Sunday the 9th
    Date::literal(2025, 10, 31), // clocks go back on Sunday, a month ends
    Date::literal(2024, 11, 27), // Thanksgiving, then an early close
    Date::literal(2025, 7, 2),   // an early close, Independence Day, a weekend
    Date::literal(2024, 12, 30), // a year ends in the middle of a week
    Date::literal(2015, 12, 23), // Christmas Eve closes early, a holiday, a weekend
];
const SESSIONS: i32 = 4;

/// Every bar that closed, in order.
#[derive(Clone, Default)]
struct Heard(Vec<(Timeframe, Bar, Date)>);

impl Closings for Heard {
    fn closed(&mut self, timeframe: Timeframe, bar: &Bar, day: &Day) {
        self.0.push((timeframe, *bar, day.session.date));
    }
}

/// Bars and what closed, with the rules a caller of [`Bars`] keeps.
#[derive(Clone)]
struct Desk {
    bars: Bars,
    heard: Heard,
    /// How many had closed when the session began.
    morning: usize,
}

impl Desk {
    fn new(late: Late) -> Self {
        Self { bars: Bars::new().with_late(late), heard: Heard::default(), morning: 0 }
    }

    fn settle(&mut self) {
        self.heard.0.truncate(self.morning);
        self.bars.rebuild(&mut self.heard);
    }

    fn pass(&mut self, now: Timestamp) {
        if self.bars.is_rebuild_due(now) {
            self.settle();
        }
        self.bars.advance(now, &mut self.heard);
    }

    fn trade(&mut self, now: Timestamp, trade: &Trade) {
        self.pass(now);
        if self.bars.begins_session(now, trade.at) {
            if self.bars.is_torn() {
                self.settle();
            }
            self.bars.begin_session(trade.at, &mut self.heard);
            self.morning = self.heard.0.len();
        }
        self.bars.trade(now, trade, &mut self.heard);
    }

    /// Every closed bar and every forming one, by timeframe and start, without the mark of a repair.
    fn all(&self) -> BTreeMap<(Timeframe, Timestamp), Bar> {
        let closed = self.heard.0.iter().map(|(timeframe, bar, _)| (*timeframe, *bar));
        let forming = Timeframe::ALL.into_iter().filter_map(|t| Some((t, self.bars.forming(t)?)));
        let plain = |bar: Bar| Bar { repaired: false, ..bar };
        closed.chain(forming).map(|(t, bar)| ((t, bar.start), plain(bar))).collect()
    }
}

/// What names the interval a trade belongs to.
fn interval(timeframe: Timeframe, session: &Session, at: Timestamp) -> (i64, i64) {
    let date = session.date;
    let (year, month, _) = date.ymd();
    match timeframe {
        Timeframe::Week1 => (i64::from(date.days() - date.weekday() as i32), 0),
        Timeframe::Month1 => (i64::from(year), i64::from(month)),
        Timeframe::Year1 => (i64::from(year), 0),
        Timeframe::Day1 => (i64::from(date.days()), 0),
        intraday => {
            let minute = at.since(session.open) / MINUTE;
            (i64::from(date.days()), minute / intraday.minutes().expect("intraday"))
        }
    }
}

/// Prices (open, high, low, close), volume and number of trades by interval.
type Folds = BTreeMap<(Timeframe, (i64, i64)), (Option<[Price; 4]>, u64, u32)>;

/// The plain way: sort by stamp, group, fold.
fn folds(trades: &[Trade]) -> Folds {
    let mut sorted: Vec<Trade> = trades.to_vec();
    sorted.sort_by_key(|trade| trade.at);
    let mut folds = Folds::new();
    for trade in &sorted {
        let Some(session) = session::session_at(trade.at) else { continue };
        for timeframe in Timeframe::ALL {
            let fold = folds.entry((timeframe, interval(timeframe, &session, trade.at))).or_default();
            fold.1 += u64::from(trade.size);
            fold.2 += 1;
            let prices = fold.0.get_or_insert([trade.price; 4]);
            prices[1] = prices[1].max(trade.price);
            prices[2] = prices[2].min(trade.price);
            prices[3] = trade.price;
        }
    }
    folds
}

fn folds_of(desk: &Desk) -> Folds {
    let of = |((timeframe, start), bar): ((Timeframe, Timestamp), Bar)| {
        let session = session::session_at(start).expect("bars start in sessions");
        let prices = [bar.open, bar.high, bar.low, bar.close];
        ((timeframe, interval(timeframe, &session, start)), (Some(prices), bar.volume, bar.trades))
    };
    desk.all().into_iter().map(of).collect()
}

/// A tick of a random day: seconds from the bell, price in cents, size, how late it is heard, what becomes of it.
type Draw = (i64, i64, u32, u8, u8);

fn draws() -> impl Strategy<Value = Vec<Draw>> {
    let second = prop_oneof![1 => -600i64..0, 8 => 0i64..23_400, 4 => 0i64..1_200, 2 => 12_000i64..13_500];
    proptest::collection::vec((second, 9_000i64..11_000, 1u32..500, any::<u8>(), any::<u8>()), 1..120)
}

/// The trades of a run of sessions with the moment each is heard; ids are unique.
fn run(first: Date, draws: &[Draw]) -> Vec<(Timestamp, Trade, u8)> {
    let mut run = Vec::new();
    for (n, (second, cents, size, late, fate)) in draws.iter().enumerate() {
        let session = session::offset(first, n as i32 % SESSIONS).expect("in the calendar");
        let at = session.open + *second * SECOND + (n as i64 % 7) * MS;
        let trade = Trade {
            price: Price::from_cents(*cents),
            size: *size,
            at,
            id: n as u64 + 1,
            rule: SaleRule::Regular,
        };
        // One in eight is late by up to five minutes.
        let delay = if late % 8 == 0 { i64::from(*late) * SECOND } else { 0 };
        run.push((at + delay, trade, *fate));
    }
    run.sort_by_key(|(now, ..)| *now);
    run
}

/// Which trades belong into bars: late ones too, as long as something of their session was heard before it was over.
#[derive(Default)]
struct Door(Option<Session>);

impl Door {
    fn takes(&mut self, now: Timestamp, trade: &Trade) -> bool {
        let Some(session) = session::session_at(trade.at) else { return false };
        let has_begun = self.0.is_some_and(|begun| begun.date == session.date);
        if !has_begun && now - SECOND < session.close {
            self.0 = Some(session);
        }
        self.0.is_some_and(|begun| begun.date == session.date)
    }
}

/// The trades that belong into bars when none is taken back.
fn entering(run: &[(Timestamp, Trade, u8)]) -> Vec<Trade> {
    let mut door = Door::default();
    run.iter().filter(|(now, trade, _)| door.takes(*now, trade)).map(|(_, trade, _)| *trade).collect()
}

fn settled(mut desk: Desk, now: Timestamp) -> Desk {
    desk.pass(now + 2 * SECOND);
    desk.pass(now + 4 * SECOND);
    desk
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// In order or late, over changes of clocks, early closes, holidays and ends of weeks, months and years: every
    /// bar is the fold of the trades of its interval, and none holds trades of two sessions (the interval of a
    /// shorter one names its date).
    #[test]
    fn bars_are_folds_of_their_trades(first in 0usize..RUNS.len(), draws in draws()) {
        let run = run(RUNS[first], &draws);
        let mut desk = Desk::new(Late::Enter);
        for (now, trade, _) in &run {
            desk.trade(*now, trade);
        }
        let last = run.last().expect("some").0;
        let desk = settled(desk, last);
        prop_assert_eq!(desk.bars.counts().late, 0);
        prop_assert_eq!(folds_of(&desk), folds(&entering(&run)));
        for (timeframe, bar, date) in &desk.heard.0 {
            if *timeframe <= Timeframe::Day1 {
                prop_assert_eq!(bar.start.new_york().0, *date, "{} of two sessions", timeframe);
            }
        }
    }

    /// Longer bars are the fold of the minutes in them.
    #[test]
    fn longer_bars_are_folds_of_minutes(first in 0usize..RUNS.len(), draws in draws()) {
        let run = run(RUNS[first], &draws);
        let mut desk = Desk::new(Late::LeaveOut);
        run.iter().for_each(|(now, trade, _)| desk.trade(*now, trade));
        let all = desk.all();
        let minutes: Vec<&Bar> =
            all.iter().filter(|((t, _), _)| *t == Timeframe::Min1).map(|(_, bar)| bar).collect();
        for ((timeframe, start), bar) in &all {
            let session = session::session_at(*start).expect("in a session");
            let name = interval(*timeframe, &session, *start);
            let inside: Vec<&&Bar> = minutes
                .iter()
                .filter(|m| {
                    let session = session::session_at(m.start).expect("in a session");
                    interval(*timeframe, &session, m.start) == name
                })
                .collect();
            prop_assert_eq!(bar.volume, inside.iter().map(|m| m.volume).sum::<u64>());
            prop_assert_eq!(bar.turnover.micros(), inside.iter().map(|m| m.turnover.micros()).sum::<i64>());
            prop_assert_eq!(Some(bar.open), inside.first().map(|m| m.open));
            prop_assert_eq!(Some(bar.close), inside.last().map(|m| m.close));
            prop_assert_eq!(Some(bar.high), inside.iter().map(|m| m.high).max());
            prop_assert_eq!(Some(bar.low), inside.iter().map(|m| m.low).min());
        }
    }

    /// Trades taken back and corrected at any moment leave the bars that a feed without the mistakes would have
    /// made; and writing the state and reading it back, anywhere in between, changes nothing.
    #[test]
    fn corrections_equal_the_batch(first in 0usize..RUNS.len(), draws in draws(), cut in 0usize..120) {
        let run = run(RUNS[first], &draws);
        let (desk, right) = lived(&run, None);
        prop_assert_eq!(desk.bars.doubtful(), None, "all of it is in the ledger");
        prop_assert_eq!(folds_of(&desk), folds(&right));
        let (torn, _) = lived(&run, Some(cut));
        let bytes = |desk: &Desk| postcard::to_stdvec(&desk.bars).expect("written");
        prop_assert!(bytes(&torn) == bytes(&desk), "the state is the same to the last bit");
        prop_assert_eq!(torn.heard.0, desk.heard.0);
    }
}

/// Lives through a run in which one trade in four is taken back and another corrected, once a later one makes the
/// mistakes known; the state is written and read before trade `cut`. Answers the trades that were right too.
fn lived(run: &[(Timestamp, Trade, u8)], cut: Option<usize>) -> (Desk, Vec<Trade>) {
    let mut desk = Desk::new(Late::Enter);
    let mut right: Vec<Trade> = Vec::new();
    let mut wrong: Vec<(u8, Trade)> = Vec::new();
    let mut door = Door::default();
    for (n, (now, trade, fate)) in run.iter().enumerate() {
        if Some(n) == cut {
            let bytes = postcard::to_stdvec(&desk.bars).expect("written");
            desk.bars = postcard::from_bytes(&bytes).expect("read");
        }
        desk.trade(*now, trade);
        if !door.takes(*now, trade) {
            continue;
        }
        right.push(*trade);
        match fate % 4 {
            0 | 1 => wrong.push((fate % 4, *trade)),
            2 => wrong
                .drain(..)
                .for_each(|(kind, mistake)| repent(&mut desk, &mut right, *now, kind, &mistake)),
            _ => {}
        }
    }
    (settled(desk, run.last().expect("some").0), right)
}

/// Takes a trade back, or corrects it, where its session still runs.
fn repent(desk: &mut Desk, right: &mut Vec<Trade>, now: Timestamp, kind: u8, mistake: &Trade) {
    let is_today = desk.bars.day().is_some_and(|day| day.session.holds(mistake.at));
    if kind == 0 {
        desk.bars.cancel(now, mistake.id);
        if is_today {
            right.retain(|trade| trade.id != mistake.id);
        }
        return;
    }
    let price = mistake.price + Price::from_cents(i64::from(mistake.size));
    let corrected = Trade { price, size: mistake.size + 7, at: now, id: mistake.id + 1_000, ..*mistake };
    desk.bars.correct(now, mistake.id, &corrected);
    if let Some(trade) = right.iter_mut().find(|trade| trade.id == mistake.id && is_today) {
        *trade = Trade { at: mistake.at, ..corrected };
    }
}

/// A week that time has closed stays closed, though the first trade of its last session comes after the bell.
#[test]
fn a_session_nothing_was_heard_of_is_not_begun_after_its_end() {
    let first = RUNS[2];
    let last = session::offset(first, 1).expect("in the calendar");
    let trade = |id, at| Trade { price: Price::from_cents(9_000), size: 1, at, id, rule: SaleRule::Regular };
    let opening = session::session(first).expect("a session").open;
    let mut desk = Desk::new(Late::Enter);
    desk.trade(opening, &trade(1, opening));
    desk.trade(last.close + SECOND, &trade(2, last.close - 4 * MINUTE));
    let desk = settled(desk, last.close + SECOND);
    assert_eq!((desk.bars.counts().trades, desk.bars.counts().outside), (1, 1));
    let weeks = desk.heard.0.iter().filter(|(timeframe, ..)| *timeframe == Timeframe::Week1).count();
    assert_eq!((weeks, desk.bars.forming(Timeframe::Week1)), (1, None));
}
