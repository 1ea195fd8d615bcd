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
    let bar =
        |e: &Stamped| if let MarketEvent::Bar { bar, .. } = e.event { Some((bar.start, bar)) } else { None };
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
    /// The furthest apart any two prices are, in cents, rounded up.
    cents: i64,
}

impl Agreement {
    /// Written short: theirs, ours, volume; open, high, low, close; range, cents.
    const fn of(bars: [u32; 3], prices: [u32; 4], inside: u32, cents: i64) -> Self {
        let [bars, found, volume] = bars;
        let [open, high, low, close] = prices;
        Self { bars, found, volume, open, high, low, close, inside, cents }
    }
}

fn prices(bar: &Bar) -> [Price; 4] {
    [bar.open, bar.high, bar.low, bar.close]
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
        for (our, their) in prices(our).into_iter().zip(prices(their)) {
            same.cents = same.cents.max(((our - their).abs().units() + 99) / 100);
        }
    }
    println!("{name}: {same:?}");
    same
}

fn october(days: &[u32]) -> Vec<Date> {
    days.iter().map(|day| Date::literal(2013, 10, *day)).collect()
}

#[test]
fn minutes_of_ticks_and_seconds() {
    let Some(root) = data("lean/equity/usa/tick/spy") else { return };
    let spy = Symbol::literal("SPY");
    for (name, equity, days, expected) in [
        (
            "SPY ticks",
            EquityData::Ticks,
            october(&[7]),
            Agreement::of([390, 390, 388], [358, 365, 362, 348], 390, 3),
        ),
        (
            "SPY seconds",
            EquityData::Seconds,
            october(&[7, 8]),
            Agreement::of([780, 780, 689], [780, 780, 780, 780], 780, 0),
        ),
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

/// A symbol, its days with minutes, and how its hours (where LEAN has any) and days agree.
type Case = (&'static str, Vec<Date>, Option<Agreement>, Agreement);

fn cases() -> [Case; 4] {
    let of = Agreement::of;
    let literal = Date::literal;
    let apple = vec![literal(2014, 6, 5), literal(2014, 6, 6), literal(2014, 6, 9)];
    let google = vec![literal(2015, 12, 23), literal(2015, 12, 24), literal(2015, 12, 28)];
    let week = [4, 7, 8, 9, 10, 11];
    [
        (
            "SPY",
            october(&week),
            Some(of([42, 42, 42], [31, 36, 36, 35], 42, 126)),
            of([6, 6, 6], [6, 6, 5, 6], 6, 1),
        ),
        ("IBM", october(&week), None, of([6, 6, 1], [6, 3, 5, 6], 6, 7)),
        ("AAPL", apple, Some(of([21, 21, 21], [15, 14, 17, 17], 21, 11)), of([3, 3, 3], [3, 1, 2, 3], 3, 2)),
        ("GOOG", google, None, of([3, 3, 2], [3, 2, 2, 3], 3, 22)),
    ]
}

#[test]
fn hours_and_days_of_leans_minutes() {
    let Some(root) = data("lean/equity/usa/hour") else { return };
    let lean = root.join("lean");
    for (name, dates, hours, days) in cases() {
        let symbol: Symbol = name.parse().expect("a symbol");
        let events: Vec<_> = dates.iter().map(|date| minutes(&root, name, *date)).collect();
        let made = ours(symbol, &events);
        let select = |bars: Vec<Bar>| -> Bars {
            let of_our_days = bars.into_iter().filter(|bar| dates.contains(&bar.start.new_york().0));
            of_our_days.map(|bar| (bar.start, bar)).collect()
        };
        if let Some(expected) = hours {
            let theirs = select(equity_hourly(&lean, symbol).expect("hourly bars"));
            let same = compare(&format!("{name} hours"), &clock_hours(&made[&Timeframe::Min30]), &theirs);
            assert_eq!(same, expected, "{name} hours");
        }
        let theirs = select(equity_daily(&lean, symbol).expect("daily bars"));
        let same = compare(&format!("{name} days"), &made[&Timeframe::Day1], &theirs);
        assert_eq!(same, days, "{name} days");
    }
}

fn text(root: &Path, file: &str) -> Vec<Bar> {
    bar_text::read(&root.join(file)).unwrap_or_else(|error| panic!("{error}")).1
}

fn seeded(symbol: Symbol, minutes: &[Bar]) -> Vec<Stamped> {
    let event =
        |bar: &Bar| MarketEvent::Bar { symbol, timeframe: Timeframe::Min1, bar: *bar, updated: false };
    minutes.iter().map(|bar| Stamped { at: bar.start + MINUTE, event: event(bar) }).collect()
}

#[test]
fn the_index_in_five_minutes_and_hours() {
    let Some(root) = data("bars_minute/SPX_index") else { return };
    let spx = Symbol::literal("SPX");
    let minutes = text(&root, "bars_minute/SPX_index/spx-1m.csv.gz");
    let made = ours(spx, &[seeded(spx, &minutes)]);
    let of = Agreement::of;
    for (file, timeframe, expected) in [
        ("spx-5m", Timeframe::Min5, of([1_638, 1_637, 1_637], [1_636, 1_637, 1_637, 1_637], 1_637, 6)),
        ("spx-1h", Timeframe::Hour1, of([148, 147, 147], [147, 147, 147, 147], 147, 0)),
    ] {
        let theirs = bar_text::read_any(&root.join(format!("bars_minute/SPX_index/{file}.csv.gz")));
        let theirs = theirs.unwrap_or_else(|error| panic!("{error}"));
        let from = minutes[0].start;
        let theirs = theirs.into_iter().filter(|bar| bar.start >= from).map(|bar| (bar.start, bar)).collect();
        assert_eq!(compare(file, &made[&timeframe], &theirs), expected, "{file}");
    }
}

#[test]
fn days_of_another_vendors_minutes() {
    let Some(root) = data("bars_daily/SPY.csv.gz") else { return };
    let spy = Symbol::literal("SPY");
    let minutes = text(&root, "bars_minute/SPY_1min_2024-02-20_2024-05-17_ext.csv.gz");
    let made = ours(spy, &[seeded(spy, &minutes)]);
    let (first, last) = (minutes[0].start, minutes[minutes.len() - 1].start);
    let theirs: Bars = text(&root, "bars_daily/SPY.csv.gz")
        .iter()
        .filter_map(|bar| session(bar.start.new_york().0).map(|session| (session.open, *bar)))
        .filter(|(open, _)| (first..=last).contains(open))
        .collect();
    // Their prices are written with the noise of 32-bit floats, the minutes' with fractions of a cent.
    let same = compare("SPY 2024 days", &in_cents(&made[&Timeframe::Day1]), &in_cents(&theirs));
    assert_eq!(same, Agreement::of([63, 63, 0], [63, 62, 62, 7], 61, 15));
    let weeks = made[&Timeframe::Week1].len();
    assert_eq!(
        (weeks, made[&Timeframe::Month1].len()),
        (13, 3),
        "a change of clocks and Good Friday in between"
    );
}

fn in_cents(bars: &Bars) -> Bars {
    let cents = |price: Price| Price::from_cents((price.units() + 50).div_euclid(100));
    let rounded = |bar: &Bar| {
        let [open, high, low, close] = prices(bar).map(cents);
        Bar { open, high, low, close, ..*bar }
    };
    bars.iter().map(|(start, bar)| (*start, rounded(bar))).collect()
}
