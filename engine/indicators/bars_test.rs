//! What enters a bar, when bars close, and what history and repairs do.

use crate::analysis::{Analysis, Closed};
use crate::bars::CLOSE_GRACE_NS;
use market::quote::{Bar, Level, Quote, SaleRule, Timeframe, Trade};
use market::session;
use market::time::{MINUTE, MS, SECOND};
use market::{Date, Money, Price, Timestamp};

const DATE: Date = Date::literal(2025, 3, 12);

fn open_of(date: Date) -> Timestamp {
    session::session(date).expect("a session").open
}

fn trade(at: Timestamp, cents: i64, size: u32) -> Trade {
    Trade { price: Price::from_cents(cents), size, at, id: 0, rule: SaleRule::Regular }
}

fn quote(at: Timestamp, cents: i64) -> Quote {
    let level = |c: i64| Some(Level { price: Price::from_cents(c), size: 1 });
    Quote { bid: level(cents - 1), ask: level(cents + 1), at }
}

/// Open, high, low, close in cents and volume.
fn shape(bar: &Bar) -> (i64, i64, i64, i64, u64) {
    let cents = |p: Price| p.units() / 100;
    (cents(bar.open), cents(bar.high), cents(bar.low), cents(bar.close), bar.volume)
}

fn heard(ticks: &[Trade]) -> Analysis {
    let mut analysis = Analysis::new();
    for tick in ticks {
        analysis.on_trade(tick.at, tick);
    }
    analysis
}

fn minute_bar(start: Timestamp, cents: i64, volume: u64) -> Bar {
    let price = Price::from_cents(cents);
    Bar {
        start,
        open: price,
        high: price + Price::from_cents(5),
        low: price - Price::from_cents(5),
        close: price + Price::from_cents(1),
        volume,
        trades: 1,
        turnover: price.times(volume as i64),
        repaired: false,
    }
}

#[test]
fn one_trade_forms_all_ten() {
    let open = open_of(DATE);
    let analysis =
        heard(&[trade(open + 7 * MINUTE, 10_000, 5), trade(open + 7 * MINUTE + SECOND, 10_010, 5)]);
    for timeframe in Timeframe::ALL {
        let bar = analysis.bar(timeframe).expect("forming");
        assert_eq!(shape(&bar), (10_000, 10_010, 10_000, 10_010, 10), "{timeframe}");
        assert_eq!((bar.trades, bar.turnover), (2, Money::from_dollars(1000) + Money::from_cents(50)));
    }
    let start = |timeframe| analysis.bar(timeframe).expect("forming").start;
    assert_eq!(start(Timeframe::Min5), open + 5 * MINUTE);
    assert_eq!(start(Timeframe::Day1), open);
    assert_eq!(start(Timeframe::Week1), open_of(Date::literal(2025, 3, 10)));
    assert_eq!(start(Timeframe::Year1), open_of(Date::literal(2025, 1, 2)));
}

#[test]
fn sale_conditions_decide_what_a_trade_changes() {
    let open = open_of(DATE);
    let with = |rule, cents| Trade { rule, ..trade(open + SECOND, cents, 100) };
    let analysis = heard(&[
        trade(open, 10_000, 100),
        with(SaleRule::VolumeOnly, 20_000),
        with(SaleRule::NoLast, 10_050),
        with(SaleRule::NoLast, 9_950),
        with(SaleRule::Ignored, 1),
        with(SaleRule::Regular, 0),
    ]);
    let bar = analysis.bar(Timeframe::Min1).expect("forming");
    assert_eq!(shape(&bar), (10_000, 10_050, 9_950, 10_000, 400));
    let counts = analysis.counts();
    assert_eq!((counts.trades, counts.ignored, counts.nonsense), (4, 1, 1));
    assert_eq!(analysis.spot(), Some(Price::from_cents(10_000)));
}

#[test]
fn minutes_close_with_the_next_trade_or_after_the_grace() {
    let open = open_of(DATE);
    let mut analysis = heard(&[trade(open, 10_000, 1)]);
    let end = open + MINUTE;
    assert_eq!(analysis.deadline(), Some(end + CLOSE_GRACE_NS));
    assert_eq!(analysis.advance(end + CLOSE_GRACE_NS - 1), Closed::NONE);
    // A trade of the old minute overtaken by a quote of the new one still counts.
    assert_eq!(analysis.on_quote(end + MS, &quote(end + MS, 10_100)), Closed::NONE);
    analysis.on_trade(end + 2 * MS, &trade(end - MS, 9_900, 1));
    assert!(analysis.advance(end + CLOSE_GRACE_NS).has(Timeframe::Min1));
    let closed = analysis.last_closed(Timeframe::Min1).expect("closed");
    assert_eq!(shape(closed), (10_000, 10_000, 9_900, 9_900, 2));
    // The waiting mid opened the next minute.
    assert_eq!(analysis.bar(Timeframe::Min1).map(|b| shape(&b)), Some((10_100, 10_100, 10_100, 10_100, 0)));
    // Now the old minute is over: it hears a straggler, and its bars are made again within a second.
    analysis.on_trade(end + 2 * SECOND, &trade(end - 3 * MS, 5_000, 1));
    assert_eq!((analysis.counts().entered_late, analysis.deadline()), (1, Some(end + 3 * SECOND)));
    assert_eq!(analysis.last_closed(Timeframe::Min1).map(shape), Some((10_000, 10_000, 9_900, 9_900, 2)));
    assert_eq!(analysis.advance(end + 3 * SECOND), Closed::NONE, "what closed again is not news");
    let closed = *analysis.last_closed(Timeframe::Min1).expect("closed");
    assert_eq!((shape(&closed), closed.repaired), ((10_000, 10_000, 5_000, 9_900, 3), true));
    assert_eq!(
        analysis.bar(Timeframe::Day1).map(|b| (b.low, b.repaired)),
        Some((Price::from_cents(5_000), true))
    );
    let closed = analysis.on_trade(open + 5 * MINUTE, &trade(open + 5 * MINUTE, 10_000, 1));
    assert_eq!(closed.timeframes().collect::<Vec<_>>(), [Timeframe::Min1, Timeframe::Min5]);
}

#[test]
fn quotes_make_a_bar_where_no_trade_does() {
    let open = open_of(DATE);
    let mut analysis = Analysis::new();
    for (second, cents) in [(1, 100), (20, 130), (40, 90), (59, 110)] {
        let at = open + second * SECOND;
        analysis.on_quote(at, &quote(at, cents));
    }
    let crossed = Quote { bid: quote(open, 500).bid, ask: quote(open, 400).ask, at: open + 59 * SECOND };
    analysis.on_quote(open + 59 * SECOND, &crossed);
    assert_eq!(analysis.bar(Timeframe::Hour1).map(|b| shape(&b)), Some((100, 130, 90, 110, 0)));
    let at = open + 2 * MINUTE;
    assert!(analysis.on_trade(at, &trade(at, 105, 7)).has(Timeframe::Min1));
    assert_eq!(analysis.last_closed(Timeframe::Min1).map(shape), Some((100, 130, 90, 110, 0)));
    assert_eq!(analysis.bar(Timeframe::Hour1).map(|b| shape(&b)), Some((105, 105, 105, 105, 7)));
}

#[test]
fn nothing_outside_the_session_enters_and_the_last_bell_closes_all() {
    // The last session of 2024 is a Tuesday: day, month and year end; the week goes on.
    let date = Date::literal(2024, 12, 31);
    let day = session::session(date).expect("a session");
    let mut analysis = Analysis::new();
    let ticks = [day.open - SECOND, day.open, day.close - SECOND];
    ticks.iter().for_each(|at| _ = analysis.on_trade(*at, &trade(*at, 10_000, 1)));
    let closed = analysis.on_trade(day.close, &trade(day.close, 50_000, 1));
    assert_eq!(
        Timeframe::ALL.into_iter().filter(|t| !closed.has(*t)).collect::<Vec<_>>(),
        [Timeframe::Week1]
    );
    assert_eq!(analysis.counts().outside, 2);
    assert_eq!(analysis.last_closed(Timeframe::Year1).map(shape), Some((10_000, 10_000, 10_000, 10_000, 2)));
    assert_eq!(analysis.bar(Timeframe::Day1), None);
    assert_eq!(analysis.bar(Timeframe::Week1).map(|b| b.volume), Some(2));
    // Thursday goes on with the week of Monday.
    let next = open_of(Date::literal(2025, 1, 2));
    analysis.on_trade(next, &trade(next, 10_000, 1));
    assert_eq!(analysis.bar(Timeframe::Week1).map(|b| b.volume), Some(3));
    assert_eq!(analysis.bar(Timeframe::Year1).map(|b| (b.start, b.volume)), Some((next, 1)));
}

#[test]
fn repeats_and_future_stamps_are_dropped() {
    let open = open_of(DATE);
    let named = Trade { id: 77, ..trade(open, 10_000, 1) };
    let mut analysis = heard(&[named, named]);
    let future = trade(open + 3600 * SECOND, 99_000, 1);
    assert_eq!(analysis.on_trade(open + SECOND, &future), Closed::NONE);
    assert_eq!(analysis.bar(Timeframe::Day1).map(|b| shape(&b)), Some((10_000, 10_000, 10_000, 10_000, 1)));
    assert_eq!((analysis.counts().repeated, analysis.counts().nonsense), (1, 1));
    // A straggler of a quiet minute does not open a closed five minutes again.
    analysis.advance(open + 6 * MINUTE);
    analysis.on_trade(open + 6 * MINUTE, &trade(open + 4 * MINUTE, 10_000, 1));
    assert_eq!((analysis.counts().entered_late, analysis.bar(Timeframe::Min5)), (1, None));
    analysis.advance(open + 7 * MINUTE);
    assert_eq!(analysis.bar(Timeframe::Min5), None);
    let closed = analysis.last_closed(Timeframe::Min5).expect("closed");
    assert_eq!((closed.volume, closed.repaired), (2, true));
}

#[test]
fn days_of_history_are_not_counted_twice() {
    let mut analysis = Analysis::new();
    let dates: Vec<Date> =
        (1..12).map(|d| Date::literal(2025, 3, d)).filter(|d| session::session(*d).is_some()).collect();
    for date in &dates {
        let closed = analysis.seed(Timeframe::Day1, &minute_bar(date.midnight_utc(), 10_000, 390));
        assert!(closed.has(Timeframe::Day1));
    }
    for date in &dates {
        for minute in 0..390 {
            analysis.seed(Timeframe::Min1, &minute_bar(open_of(*date) + minute * MINUTE, 10_000, 1));
        }
    }
    assert_eq!(analysis.bars_taken(Timeframe::Day1), 7);
    assert_eq!(analysis.bars_taken(Timeframe::Min1), 7 * 390);
    assert_eq!(analysis.bars_taken(Timeframe::Hour4), 14);
    assert_eq!(analysis.bars_taken(Timeframe::Week1), 1);
    // Today from minutes: all ten go on.
    for minute in 0..30 {
        analysis.seed(Timeframe::Min1, &minute_bar(open_of(DATE) + minute * MINUTE, 10_000, 1));
    }
    let volume = |timeframe| analysis.bar(timeframe).map(|bar| bar.volume);
    assert_eq!(volume(Timeframe::Min30), None, "just closed");
    assert_eq!(volume(Timeframe::Day1), Some(30));
    assert_eq!(volume(Timeframe::Week1), Some(2 * 390 + 30), "Monday and Tuesday from history");
    assert_eq!(volume(Timeframe::Month1), Some(7 * 390 + 30));
    assert_eq!(analysis.counts().late, 0);
    analysis.seed(Timeframe::Day1, &minute_bar(DATE.midnight_utc(), 10_000, 390));
    assert_eq!((analysis.counts().late, analysis.bars_taken(Timeframe::Day1)), (1, 7));
}

#[test]
fn a_week_left_open_by_history_closes_before_the_next_begins() {
    let mut analysis = Analysis::new();
    for day in [3, 4, 5] {
        analysis.seed(Timeframe::Day1, &minute_bar(Date::literal(2025, 3, day).midnight_utc(), 10_000, 390));
    }
    let monday = open_of(Date::literal(2025, 3, 10));
    let closed = analysis.on_trade(monday, &trade(monday, 10_000, 1));
    assert!(closed.has(Timeframe::Week1) && !closed.has(Timeframe::Month1));
    assert_eq!(analysis.bar(Timeframe::Week1).map(|b| (b.start, b.volume)), Some((monday, 1)));
}

#[test]
fn a_repaired_gap_leaves_everything_as_if_it_had_not_been() {
    let open = open_of(DATE);
    let minute = |m: i64| minute_bar(open + m * MINUTE, 10_000 + (m * 13 % 29), 100 + m as u64);
    let (mut whole, mut torn) = (Analysis::new(), Analysis::new());
    for day in 1..=100 {
        let date = session::offset(DATE, day - 101).expect("in range").date;
        for analysis in [&mut whole, &mut torn] {
            analysis.seed(Timeframe::Day1, &minute_bar(date.midnight_utc(), 10_000 + i64::from(day), 1_000));
        }
    }
    for m in 0..100 {
        whole.seed(Timeframe::Min1, &Bar { repaired: (40..47).contains(&m), ..minute(m) });
        if m == 40 {
            let partial = Bar { close: Price::from_cents(9_990), volume: 3, ..minute(m) };
            torn.seed(Timeframe::Min1, &partial);
        } else if !(41..47).contains(&m) {
            torn.seed(Timeframe::Min1, &minute(m));
        }
    }
    let now = open + 100 * MINUTE;
    for analysis in [&mut whole, &mut torn] {
        analysis.on_trade(now + SECOND, &trade(now + SECOND, 10_020, 9));
    }
    assert_ne!(torn.features(Timeframe::Min1), whole.features(Timeframe::Min1));
    (40..47).for_each(|m| torn.repair(&minute(m)));
    for timeframe in Timeframe::ALL {
        assert_eq!(torn.features(timeframe), whole.features(timeframe), "{timeframe}");
        assert_eq!(torn.bar(timeframe), whole.bar(timeframe), "{timeframe}");
        assert_eq!(torn.last_closed(timeframe), whole.last_closed(timeframe), "{timeframe}");
    }
    assert!(torn.bar(Timeframe::Day1).is_some_and(|bar| bar.repaired));
    assert_eq!(torn.counts().repaired, 7);
    // The forming minute is replaced at once and goes on forming.
    torn.repair(&minute(100));
    torn.on_trade(now + 2 * SECOND, &trade(now + 2 * SECOND, 10_000, 1));
    assert_eq!(torn.bar(Timeframe::Min1).map(|b| (b.volume, b.repaired)), Some((201, true)));
}

#[test]
fn rows_after_a_close_are_rows_just_before_it() {
    let open = open_of(DATE);
    let mut analysis = Analysis::new();
    for m in 0..80 {
        analysis
            .seed(Timeframe::Min1, &minute_bar(open + m * MINUTE, 10_000 + (m * 7 % 23), 50 + m as u64 % 9));
    }
    let at = open + 80 * MINUTE + SECOND;
    analysis.on_trade(at, &trade(at, 10_033, 70));
    let before = *analysis.features(Timeframe::Min1);
    analysis.advance(at + 2 * MINUTE);
    let after = *analysis.features(Timeframe::Min1);
    assert_eq!(before, after);
    assert_eq!(analysis.missing(Timeframe::Min1), 1, "the first session has no gap");
}
