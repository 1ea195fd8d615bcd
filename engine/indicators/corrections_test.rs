//! Late trades, trades taken back and corrected, through the door of the room: rows and indicators follow.

use crate::analysis::Analysis;
use crate::bars::{REBUILD_WAIT_NS, TakenBack};
use crate::ledger::LEDGER_TRADES;
use market::quote::{Bar, Level, Quote, SaleRule, Timeframe, Trade};
use market::time::{MINUTE, MS, SECOND};
use market::{Date, Price, Timestamp, session};

fn open() -> Timestamp {
    session::session(Date::literal(2025, 3, 12)).expect("a session").open
}

fn trade(at: Timestamp, cents: i64, id: u64) -> Trade {
    Trade { price: Price::from_cents(cents), size: 10, at, id, rule: SaleRule::Regular }
}

fn day_of_trades() -> Vec<Trade> {
    (0..900i64)
        .map(|n| trade(open() + n * 7 * SECOND, 10_000 + n * 37 % 211 - n * 11 % 97, n as u64 + 1))
        .collect()
}

fn heard<'a>(trades: impl IntoIterator<Item = &'a Trade>) -> Analysis {
    let mut analysis = Analysis::new();
    trades.into_iter().for_each(|trade| _ = analysis.on_trade(trade.at, trade));
    analysis
}

fn plain(bar: Bar) -> Bar {
    Bar { repaired: false, ..bar }
}

fn assert_same(a: &mut Analysis, b: &mut Analysis) {
    for timeframe in Timeframe::ALL {
        assert_eq!(a.bar(timeframe).map(plain), b.bar(timeframe).map(plain), "{timeframe}");
        assert_eq!(
            a.last_closed(timeframe).copied().map(plain),
            b.last_closed(timeframe).copied().map(plain),
            "{timeframe}"
        );
        assert_eq!(a.features(timeframe), b.features(timeframe), "{timeframe}");
    }
}

#[test]
fn late_wrong_and_corrected_trades_leave_the_rows_of_a_clean_day() {
    let trades = day_of_trades();
    let mut clean = heard(&trades);
    // One trade in fifty comes two minutes late, another comes wrong and is corrected, a third never was.
    let mut late: Vec<Trade> = Vec::new();
    let mut torn = Analysis::new();
    for trade in &trades {
        let now = trade.at;
        late.retain(|waiting| {
            let is_due = now.since(waiting.at) > 2 * MINUTE;
            is_due.then(|| torn.on_trade(now, waiting));
            !is_due
        });
        match trade.id % 50 {
            1 => late.push(*trade),
            2 => {
                torn.on_trade(
                    now,
                    &Trade { price: Price::from_cents(50_000), id: trade.id + 5_000, ..*trade },
                );
            }
            3 => {
                torn.on_trade(now, &Trade { price: Price::from_cents(1), id: trade.id + 5_000, ..*trade });
                torn.on_trade(now, trade);
            }
            _ => _ = torn.on_trade(now, trade),
        }
        if trade.id % 50 == 30 {
            let (second, third) = (trade.id - 28, trade.id - 27);
            let right = Trade { at: now, ..trades[second as usize - 1] };
            assert_eq!(torn.correct(now, second + 5_000, &right), TakenBack::Exactly);
            assert_eq!(torn.cancel(now, third + 5_000), TakenBack::Exactly);
        }
    }
    let now = trades[trades.len() - 1].at + 10 * MINUTE;
    late.iter().for_each(|trade| _ = torn.on_trade(now, trade));
    for analysis in [&mut clean, &mut torn] {
        analysis.advance(now + REBUILD_WAIT_NS);
    }
    let counts = torn.counts();
    assert_eq!((counts.entered_late, counts.corrected, counts.taken_back, counts.late), (18, 18, 18, 0));
    assert_same(&mut torn, &mut clean);
    assert!(
        torn.bar(Timeframe::Day1).is_some_and(|bar| bar.repaired),
        "and the bars say that they were changed"
    );
}

#[test]
fn the_forming_minute_is_right_at_once() {
    let at = |second: i64| open() + second * SECOND;
    let mut analysis = heard(&[trade(at(1), 100, 1), trade(at(2), 300, 2), trade(at(3), 200, 3)]);
    assert_eq!(analysis.cancel(at(4), 2), TakenBack::Exactly);
    let bar = analysis.bar(Timeframe::Year1).expect("forming");
    assert_eq!((bar.high, bar.volume, bar.trades, bar.repaired), (Price::from_cents(200), 20, 2, false));
    assert_eq!(analysis.cancel(at(4), 2), TakenBack::Unknown, "only once");
    let dearer = Trade { size: 4, ..trade(at(4), 250, 9) };
    assert_eq!(analysis.correct(at(4), 3, &dearer), TakenBack::Exactly);
    let bar = analysis.bar(Timeframe::Min1).expect("forming");
    assert_eq!((bar.close, bar.volume), (Price::from_cents(250), 14));
    // A correction to nothing takes back; without trades the minute is its quotes again, and without those nothing.
    assert_eq!(analysis.correct(at(5), 9, &Trade { size: 0, ..dearer }), TakenBack::Exactly);
    let level = |cents: i64| Some(Level { price: Price::from_cents(cents), size: 1 });
    analysis.on_quote(at(6), &Quote { bid: level(149), ask: level(151), at: at(6) });
    analysis.cancel(at(7), 1);
    let bar = analysis.bar(Timeframe::Min1).expect("quoted");
    assert_eq!((bar.close, bar.volume, bar.trades), (Price::from_cents(150), 0, 0));
    let mut analysis = heard(&[trade(at(1), 100, 1)]);
    analysis.cancel(at(2), 1);
    assert!(Timeframe::ALL.iter().all(|timeframe| analysis.bar(*timeframe).is_none()));
    assert_eq!(analysis.deadline(), None);
    analysis.on_trade(at(3), &trade(at(3), 120, 2));
    assert_eq!(analysis.bar(Timeframe::Day1).map(|bar| bar.open), Some(Price::from_cents(120)));
}

#[test]
fn mids_that_waited_go_on_when_the_minute_before_them_vanishes() {
    let end = open() + MINUTE;
    let mut analysis = heard(&[trade(end - MS, 100, 1)]);
    let level = |cents: i64| Some(Level { price: Price::from_cents(cents), size: 1 });
    analysis.on_quote(end + MS, &Quote { bid: level(149), ask: level(151), at: end + MS });
    analysis.cancel(end + 2 * MS, 1);
    let bar = analysis.bar(Timeframe::Min1).expect("quoted");
    assert_eq!((bar.start, bar.close), (end, Price::from_cents(150)));
}

#[test]
fn what_the_ledger_has_forgotten_is_left_to_the_venue() {
    let minute = |m: i64| open() + m * MINUTE;
    // More trades in the first minute than the ledger holds, prices going up; then a quiet one.
    let step = MINUTE / (LEDGER_TRADES as i64 + 100);
    let mut analysis = Analysis::new();
    for n in 0..LEDGER_TRADES as i64 + 50 {
        analysis.on_trade(minute(0) + n * step, &trade(minute(0) + n * step, 10_000 + n, n as u64 + 1));
    }
    let now = minute(1) + SECOND;
    analysis.on_trade(now, &trade(now, 10_500, 9_999));
    assert_eq!(analysis.cancel(now, 3), TakenBack::Unknown, "too old");
    // One from the middle set no price: gone exactly. The highest may have been it.
    assert_eq!(analysis.cancel(now, 500), TakenBack::Exactly);
    let highest = LEDGER_TRADES as u64 + 50;
    assert_eq!(analysis.cancel(now, highest), TakenBack::InDoubt);
    assert_eq!(analysis.counts().unmatched, 1);
    analysis.advance(now + REBUILD_WAIT_NS);
    let bar = *analysis.last_closed(Timeframe::Min1).expect("closed");
    assert_eq!(bar.trades, LEDGER_TRADES as u32 + 48);
    // The venue's bar settles it; what comes late for that minute afterwards is in it already.
    let right = Bar { high: bar.high - Price::from_cents(1), close: bar.close - Price::from_cents(1), ..bar };
    analysis.repair(&right);
    analysis.on_trade(now + SECOND, &trade(minute(1) - MS, 1, 7_777));
    analysis.settle();
    assert_eq!(analysis.last_closed(Timeframe::Min1), Some(&Bar { repaired: true, ..right }));
    assert_eq!((analysis.counts().late, analysis.counts().entered_late), (1, 0));
    assert_eq!(analysis.cancel(now, 600), TakenBack::Unknown, "of a minute the venue made");
}
