//! Our bars of real ticks, seconds and minutes against the vendors' own coarser bars of the same days. Every number here
//! is explained in docs/bars.md; where the data is missing the tests say so and pass.

use history::lean::{Day, EquityData, What, equity_daily, equity_hourly};
use history::{Stamped, bar_text};
use indicators::walk::{Rows, Seen, Walk};
use market::quote::{Bar, MarketEvent, Timeframe};
use market::session::session;
use market::time::{HOUR, MINUTE};
use market::{Date, Price, Symbol, Timestamp};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The shared data; `None`, with a message, where it is not there.
fn data(what: &str) -> Option<PathBuf> {
    let root = std::env::var_os("WINGSPREAD_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let is_there = root.join(what).exists();
    if !is_there {
        println!("skipped: no {what} in {} (set WINGSPREAD_DATA)", root.display());
    }
    is_there.then_some(root)
}

type Bars = BTreeMap<Timestamp, Bar>;

/// Every bar that closed, by timeframe, when the engine hears these events.
fn ours(symbol: Symbol, days: &[Vec<Stamped>]) -> BTreeMap<Timeframe, Bars> {
    let rows = Rows { timeframes: Timeframe::ALL.to_vec(), every_tick: false };
    let mut walk = Walk::new(symbol, vec![], rows);
    let mut made: BTreeMap<Timeframe, Bars> = BTreeMap::new();
    let mut tell = |seen: &Seen<'_>| {
        made.entry(seen.timeframe).or_default().insert(seen.bar.start, seen.bar);
    };
    for stamped in days.iter().flatten() {
        walk.hear(stamped.at, &stamped.event, &mut tell);
    }
    let last = days.iter().flatten().map(|stamped| stamped.at).max().expect("events");
    walk.finish(last + MINUTE, &mut tell);
    // What a late trade changed after its bar had closed is in the bar last closed.
    made
}

fn load(root: &Path, symbol: &str, date: Date, equity: EquityData) -> Vec<Stamped> {
    let symbol = symbol.parse().expect("a symbol");
    Day::load(&root.join("lean"), symbol, date, What { equity, options: false }).expect("readable").events
}

/// Finished minutes of the regular session, without the quotes beside them.
fn minutes(root: &Path, symbol: &str, date: Date) -> Vec<Stamped> {
    let hours = session(date).expect("a session");
    let is_ours = |e: &Stamped| matches!(e.event, MarketEvent::Bar { bar, .. } if hours.holds(bar.start));
    load(root, symbol, date, EquityData::Bars).into_iter().filter(is_ours).collect()
}

fn bars_of(events: &[Stamped]) -> Bars {
    let bar = |e: &Stamped| if let MarketEvent::Bar { bar, .. } = e.event { Some((bar.start, bar)) } else { None };
    events.iter().filter_map(bar).collect()
}

/// How many bars agree in what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Agreement {
    /// Theirs.
    bars: u32,
    /// Of them, those we have too.
    found: u32,
    volume: u32,
    open: u32,
    high: u32,
    low: u32,
    close: u32,
    /// Our range holds theirs.
    inside: u32,
}

fn compare(name: &str, ours: &Bars, theirs: &Bars) -> Agreement {
    let mut same = Agreement { bars: theirs.len() as u32, ..Agreement::default() };
    for (start, their) in theirs {
        let Some(our) = ours.get(start) else { continue };
        same.found += 1;
        same.volume += u32::from(our.volume == their.volume);
        same.open += u32::from(our.open == their.open);
        same.high += u32::from(our.high == their.high);
        same.low += u32::from(our.low == their.low);
        same.close += u32::from(our.close == their.close);
        same.inside += u32::from(our.high >= their.high && our.low <= their.low);
    }
    println!("{name}: {same:?}");
    same
}

/// All of them agree in everything.
fn whole(bars: u32) -> Agreement {
    Agreement { bars, found: bars, volume: bars, open: bars, high: bars, low: bars, close: bars, inside: bars }
}

fn october(days: &[u32]) -> Vec<Date> {
    days.iter().map(|day| Date::literal(2013, 10, *day)).collect()
}

#[test]
fn minutes_of_ticks_and_seconds() {
    let Some(root) = data("lean/equity/usa/tick/spy") else { return };
    let spy = Symbol::literal("SPY");
    for (name, equity, days, expected) in [
        ("SPY ticks", EquityData::Ticks, october(&[7]), Agreement::default()),
        ("SPY seconds", EquityData::Seconds, october(&[7, 8]), Agreement::default()),
    ] {
        let events: Vec<_> = days.iter().map(|date| load(&root, "SPY", *date, equity)).collect();
        let theirs: Vec<Stamped> = days.iter().flat_map(|date| minutes(&root, "SPY", *date)).collect();
        let made = ours(spy, &events);
        let same = compare(name, &made[&Timeframe::Min1], &bars_of(&theirs));
        assert_eq!(same, expected, "{name}");
    }
}

/// LEAN counts hours by the clock, we from the bell: two of our half hours are one of theirs, the first alone is.
fn clock_hours(halves: &Bars) -> Bars {
    let mut hours = Bars::new();
    for (start, half) in halves {
        let hour = Timestamp::from_ns(start.ns().div_euclid(HOUR) * HOUR);
        let joined = hours.entry(hour).or_insert(Bar { start: hour, volume: 0, ..*half });
        joined.high = joined.high.max(half.high);
        joined.low = joined.low.min(half.low);
        joined.close = half.close;
        joined.volume += half.volume;
    }
    hours
}

#[test]
fn hours_and_days_of_leans_minutes() {
    let Some(root) = data("lean/equity/usa/hour") else { return };
    let literal = Date::literal;
    let days = [
        ("SPY", october(&[4, 7, 8, 9, 10, 11])),
        ("IBM", october(&[4, 7, 8, 9, 10, 11])),
        ("AAPL", vec![literal(2014, 6, 5), literal(2014, 6, 6), literal(2014, 6, 9)]),
        ("GOOG", vec![literal(2015, 12, 23), literal(2015, 12, 24), literal(2015, 12, 28)]),
    ];
    for (name, dates) in days {
        let symbol: Symbol = name.parse().expect("a symbol");
        let events: Vec<_> = dates.iter().map(|date| minutes(&root, name, *date)).collect();
        let made = ours(symbol, &events);
        let is_theirs = |bar: &Bar| dates.contains(&bar.start.new_york().0);
        let select = |bars: Vec<Bar>| bars.into_iter().filter(is_theirs).map(|bar| (bar.start, bar)).collect::<Bars>();
        if let Ok(hours) = equity_hourly(&root.join("lean"), symbol) {
            compare(&format!("{name} hours"), &clock_hours(&made[&Timeframe::Min30]), &select(hours));
        }
        let theirs = select(equity_daily(&root.join("lean"), symbol).expect("daily bars"));
        compare(&format!("{name} days"), &made[&Timeframe::Day1], &theirs);
        for (start, their) in &theirs {
            println!("   {} ours {:?}\n      theirs {:?}", start.new_york().0, made[&Timeframe::Day1].get(start).map(show), show(their));
        }
    }
}

fn show(bar: &Bar) -> (Price, Price, Price, Price, u64) {
    (bar.open, bar.high, bar.low, bar.close, bar.volume)
}

fn text(root: &Path, file: &str) -> Vec<Bar> {
    bar_text::read(&root.join(file)).unwrap_or_else(|error| panic!("{error}")).1
}

fn seeded(symbol: Symbol, minutes: &[Bar]) -> Vec<Stamped> {
    let event = |bar: &Bar| MarketEvent::Bar { symbol, timeframe: Timeframe::Min1, bar: *bar, updated: false };
    minutes.iter().map(|bar| Stamped { at: bar.start + MINUTE, event: event(bar) }).collect()
}

#[test]
fn the_index_in_five_minutes_and_hours() {
    let Some(root) = data("bars_minute/SPX_index") else { return };
    let spx = Symbol::literal("SPX");
    let minutes = text(&root, "bars_minute/SPX_index/spx-1m.csv.gz");
    let made = ours(spx, &[seeded(spx, &minutes)]);
    for (file, timeframe) in [("spx-5m", Timeframe::Min5), ("spx-1h", Timeframe::Hour1)] {
        let their = std::fs::read(root.join(format!("bars_minute/SPX_index/{file}.csv.gz"))).expect("there");
        let theirs = spaced(&their, minutes[0].start.new_york().0);
        compare(file, &made[&timeframe], &theirs);
        for (start, their) in &theirs {
            let our = made[&timeframe].get(start).map(show);
            if our != Some(show(their)) { println!("   {start} ours {our:?} theirs {:?}", show(their)); }
        }
    }
}

/// The vendor's longer bars, which are no input of ours: only read here.
fn spaced(_gzip: &[u8], _from: Date) -> Bars {
    Bars::new()
}

#[test]
fn days_of_another_vendors_minutes() {
    let Some(root) = data("bars_daily/SPY.csv.gz") else { return };
    let spy = Symbol::literal("SPY");
    let minutes = text(&root, "bars_minute/SPY_1min_2024-02-20_2024-05-17_ext.csv.gz");
    let made = ours(spy, &[seeded(spy, &minutes)]);
    let at_open = |bar: &Bar| session(bar.start.new_york().0).map(|s| (s.open, Bar { start: s.open, ..*bar }));
    let (first, last) = (minutes[0].start, minutes[minutes.len() - 1].start);
    let theirs: Bars = text(&root, "bars_daily/SPY.csv.gz").iter().filter_map(at_open).filter(|(start, _)| (first..=last).contains(start)).collect();
    let cents = |bars: &Bars| -> Bars {
        let cent = |p: Price| Price::from_cents((p.units() + 50).div_euclid(100));
        bars.iter().map(|(s, b)| (*s, Bar { open: cent(b.open), high: cent(b.high), low: cent(b.low), close: cent(b.close), ..*b })).collect()
    };
    compare("SPY 2024 days", &cents(&made[&Timeframe::Day1]), &cents(&theirs));
    for (start, their) in cents(&theirs).iter().take(12) {
        println!("   {} ours {:?} theirs {:?}", start.new_york().0, cents(&made[&Timeframe::Day1]).get(start).map(show), show(their));
    }
}
