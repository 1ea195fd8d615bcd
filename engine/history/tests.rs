//! The readers against real LEAN data (skipped with a message where it is not) and against damaged files.

use crate::lean::{Day, EquityData, Error, What, equity_daily, option_daily};
use market::quote::{Bar, MarketEvent, SaleRule, Timeframe, Trade};
use market::session::session;
use market::time::MINUTE;
use market::{Date, Instrument, Price, Symbol, Timestamp};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The LEAN folder of the shared test data; `None`, with a message, where it is not there.
fn lean_root() -> Option<PathBuf> {
    let data = std::env::var("WINGSPREAD_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").into());
    let root = Path::new(&data).join("lean");
    if !root.is_dir() {
        println!("skipped: no market data at {} (set WINGSPREAD_DATA)", root.display());
        return None;
    }
    Some(root)
}

fn load(root: &Path, symbol: &str, date: &str, equity: EquityData, options: bool) -> Day {
    let (symbol, date) = (symbol.parse().expect("a symbol"), date.parse().expect("a date"));
    let day = Day::load(root, symbol, date, What { equity, options }).unwrap_or_else(|e| panic!("{e}"));
    assert!(day.events.is_sorted_by_key(|e| e.at), "sorted by time");
    assert_eq!(day.rows.skipped, 0);
    day
}

#[test]
fn minute_files_have_the_rows_the_table_says() {
    let Some(root) = lean_root() else { return };
    let rows = |symbol, date, options| {
        let r = load(&root, symbol, date, EquityData::Bars, options).rows;
        (r.quotes, r.trades, r.option_quotes, r.option_trades, r.open_interest)
    };
    assert_eq!(rows("GOOG", "2015-12-23", true), (0, 432, 28_932, 581, 118));
    assert_eq!(rows("GOOG", "2015-12-24", true), (260, 227, 275_552, 958, 2_058));
    assert_eq!(rows("GOOG", "2015-12-28", true), (480, 432, 240, 2, 0));
    assert_eq!(rows("SPY", "2023-08-03", true), (961, 947, 1_620, 190, 0));
    assert_eq!(rows("SPY", "2013-10-07", false), (908, 828, 0, 0, 0));
    assert_eq!(rows("SPXW", "2021-01-06", true), (0, 0, 6_305, 1_842, 0));
    assert_eq!(rows("SPX", "2021-01-04", true), (0, 411, 2_428, 348, 6));
}

#[test]
fn minute_events_are_stamped_when_they_are_known() {
    let Some(root) = lean_root() else { return };
    let day = load(&root, "GOOG", "2015-12-24", EquityData::Bars, true);
    assert!(day.missing.is_empty());
    let hours = session(day.date).expect("a session");
    let mut last_quote = None;
    let mut regular_bars = 0;
    for event in &day.events {
        match event.event {
            MarketEvent::Bar { bar, timeframe, .. } => {
                assert_eq!((timeframe, event.at), (Timeframe::Min1, bar.start + MINUTE));
                regular_bars += i32::from(hours.holds(bar.start));
            }
            MarketEvent::Quote(Instrument::Stock(_), quote) if hours.holds(quote.at) => {
                last_quote = Some(quote);
            }
            MarketEvent::OpenInterest(figure) => {
                assert_eq!(figure.as_of, Date::literal(2015, 12, 23));
                assert!(event.at < hours.open);
            }
            _ => {}
        }
    }
    // An early close with 210 minutes at most; the file goes on to 13:16, the session does not.
    assert!((200..=210).contains(&regular_bars), "{regular_bars}");
    let quote = last_quote.expect("quotes");
    assert!(quote.at > hours.close - MINUTE);
    let side = |cents: i64| Price::from_cents(cents);
    assert_eq!(
        (quote.bid.map(|l| l.price), quote.ask.map(|l| l.price)),
        (Some(side(74_810)), Some(side(74_838)))
    );
}

#[test]
fn a_missing_bid_is_absent() {
    let Some(root) = lean_root() else { return };
    let day = load(&root, "GOOG", "2015-12-24", EquityData::Nothing, true);
    let call: Instrument = Instrument::parse("GOOG151224C00750000").expect("a contract");
    let quotes = || {
        day.events.iter().filter_map(|e| match e.event {
            MarketEvent::Quote(i, q) => Some((i, q)),
            _ => None,
        })
    };
    let last = quotes().rfind(|(i, _)| *i == call).expect("quoted").1;
    assert_eq!((last.bid, last.ask.map(|l| l.price)), (None, Some(Price::from_cents(10))));
    assert!(quotes().all(|(_, q)| !q.is_crossed()));
    assert_eq!(quotes().filter(|(_, q)| q.bid.is_none()).count(), 67_766);
}

#[test]
fn chicago_time_of_the_index_meets_new_york_time_of_its_options() {
    let Some(root) = lean_root() else { return };
    let day = load(&root, "SPX", "2021-01-04", EquityData::Bars, true);
    let open = session(day.date).expect("a session").open;
    let first = |pick: fn(&MarketEvent) -> bool| day.events.iter().find(|e| pick(&e.event)).map(|e| e.at);
    assert_eq!(first(|e| matches!(e, MarketEvent::Bar { .. })), Some(open + MINUTE));
    assert_eq!(first(|e| matches!(e, MarketEvent::Quote(..))), Some(open + (MINUTE - 1)));
}

#[test]
fn prints_of_minute_bars_keep_the_volume() {
    let Some(root) = lean_root() else { return };
    let volume = |equity| -> u64 {
        load(&root, "IBM", "2013-10-07", equity, false)
            .events
            .iter()
            .map(|e| match e.event {
                MarketEvent::Bar { bar, .. } => bar.volume,
                MarketEvent::Trade(_, trade) => u64::from(trade.size),
                _ => 0,
            })
            .sum()
    };
    assert_eq!(volume(EquityData::Bars), volume(EquityData::Prints));
    assert_eq!(volume(EquityData::Bars), 3_960_266);
}

/// A minute's open, high, low and close, and its volume.
type Formed = (Option<[Price; 4]>, u64);

/// Minute bars of the regular session formed of trades by their sale rules.
fn bars_of_trades(day: &Day) -> BTreeMap<Timestamp, Formed> {
    let hours = session(day.date).expect("a session");
    let mut bars: BTreeMap<Timestamp, Formed> = BTreeMap::new();
    for event in &day.events {
        let MarketEvent::Trade(_, Trade { price, size, at, rule, .. }) = event.event else { continue };
        if !hours.holds(at) || rule == SaleRule::Ignored {
            continue;
        }
        let bar = bars.entry(hours.open + at.since(hours.open) / MINUTE * MINUTE).or_default();
        bar.1 += u64::from(size);
        if rule == SaleRule::VolumeOnly {
            continue;
        }
        let prices = bar.0.get_or_insert([price; 4]);
        prices[1] = prices[1].max(price);
        prices[2] = prices[2].min(price);
        if rule == SaleRule::Regular {
            prices[3] = price;
        }
    }
    bars
}

fn ticks(root: &Path, date: &str) -> Day {
    let what = What { equity: EquityData::Ticks, options: false };
    let day = Day::load(root, Symbol::literal("IBM"), date.parse().expect("a date"), what);
    let day = day.unwrap_or_else(|e| panic!("{e}"));
    assert!(day.events.is_sorted_by_key(|e| e.at));
    day
}

/// LEAN's minute bars of the regular session.
fn lean_bars(root: &Path, date: &str) -> Vec<Bar> {
    let day = load(root, "IBM", date, EquityData::Bars, false);
    let hours = session(day.date).expect("a session");
    let bars = day.events.into_iter().filter_map(|e| match e.event {
        MarketEvent::Bar { bar, .. } if hours.holds(bar.start) => Some(bar),
        _ => None,
    });
    bars.collect()
}

/// LEAN leaves sweeps and trade-through-exempt trades out of its prices; the tape plans keep them. So volumes
/// are equal, our range holds theirs, and it is wider by cents at most. What is left are LEAN's opens and closes
/// taken from the primary exchange's auction, and late reports (sold out of sequence) in their ranges.
#[test]
fn ibm_ticks_against_leans_own_minute_bars() {
    let Some(root) = lean_root() else { return };
    for (date, quotes, trades) in
        [("2013-10-07", 109_067, 24_293), ("2013-10-08", 125_750, 33_381), ("2013-10-09", 135_492, 27_042)]
    {
        let day = ticks(&root, date);
        assert_eq!((day.rows.quotes, day.rows.trades), (quotes, trades));
        let ours = bars_of_trades(&day);
        let theirs = lean_bars(&root, date);
        let (mut volume, mut prices, mut range) = (0, 0, 0);
        for bar in &theirs {
            let (formed, shares) = ours.get(&bar.start).copied().unwrap_or_default();
            let formed = formed.unwrap_or_default();
            volume += usize::from(shares == bar.volume);
            prices += usize::from(formed == [bar.open, bar.high, bar.low, bar.close]);
            range += usize::from(formed[1] >= bar.high && formed[2] <= bar.low);
            let apart = (formed[1] - bar.high).max(bar.low - formed[2]);
            assert!(apart <= Price::from_cents(50), "{} is apart by {apart}", bar.start);
        }
        let all = theirs.len();
        println!("{date}: of {all} bars volume equal in {volume}, prices in {prices}, range held in {range}");
        assert_eq!(all, 390);
        assert!(volume >= 388 && range >= 385, "{date}");
    }
}

/// The last best bid and ask of each minute are those of LEAN's quote bars, without exception.
#[test]
fn ibm_ticks_make_leans_own_quote_bars() {
    let Some(root) = lean_root() else { return };
    for date in ["2013-10-07", "2013-10-08", "2013-10-09"] {
        let hours = session(date.parse().expect("a date")).expect("a session");
        let last_of_minutes = |day: Day| {
            let mut last = BTreeMap::new();
            for event in day.events {
                let MarketEvent::Quote(_, quote) = event.event else { continue };
                if hours.holds(quote.at) {
                    last.insert(quote.at.since(hours.open) / MINUTE, (quote.bid, quote.ask));
                }
            }
            last
        };
        let day = ticks(&root, date);
        let mut quotes = 0;
        let mut crossed = 0;
        for event in &day.events {
            if let MarketEvent::Quote(_, quote) = event.event {
                quotes += i32::from(hours.holds(quote.at));
                crossed += i32::from(hours.holds(quote.at) && quote.is_crossed());
            }
        }
        println!("{date}: {quotes} best quotes in the session, {crossed} of them crossed");
        assert!(quotes > 50_000 && crossed * 500 < quotes);
        let ours = last_of_minutes(day);
        let theirs = last_of_minutes(load(&root, "IBM", date, EquityData::Bars, false));
        assert_eq!(ours.len(), 390);
        assert_eq!(ours, theirs);
    }
}

#[test]
fn daily_files_have_the_rows_the_table_says() {
    let Some(root) = lean_root() else { return };
    let bars = |symbol: &str| equity_daily(&root, symbol.parse().expect("a symbol")).expect("readable");
    let spy = bars("SPY");
    assert_eq!((spy.len(), bars("QQQ").len(), bars("IWM").len()), (5_849, 3_964, 5_244));
    // Every date the file has is a session of our calendar, none is missing in between.
    let first = spy[0].start.new_york().0;
    let mut expected = session(first);
    for bar in &spy {
        assert_eq!(Some(bar.start), expected.map(|s| s.open));
        expected = market::session::next_session(bar.start.new_york().0);
    }
    let goog = option_daily(&root, Symbol::literal("GOOG"), 2015).expect("readable");
    let count = |has: fn(&crate::lean::OptionDay) -> bool| goog.iter().filter(|d| has(d)).count();
    assert_eq!(
        (count(|d| d.quote.is_some()), count(|d| d.bar.is_some()), count(|d| d.open_interest.is_some())),
        (4_250, 747, 2_616)
    );
}

#[test]
fn all_recorded_days_can_be_read() {
    let Some(root) = lean_root() else { return };
    let what = What { equity: EquityData::Prints, options: true };
    for (symbol, date) in [
        ("AAPL", "2014-06-05"),
        ("AAPL", "2014-06-06"),
        ("AAPL", "2014-06-09"),
        ("SPX", "2021-01-14"),
        ("SPXW", "2021-01-04"),
        ("SPXW", "2021-01-05"),
        ("SPXW", "2021-01-07"),
        ("SPXW", "2021-01-08"),
        ("IBM", "2013-10-04"),
        ("SPY", "2013-10-11"),
    ] {
        let loaded = Day::load(&root, symbol.parse().expect("short"), date.parse().expect("a date"), what);
        let day = loaded.unwrap_or_else(|e| panic!("{e}"));
        assert!(!day.events.is_empty(), "{symbol} {date}");
    }
}

/// A data root with one zip of one member in it.
fn written(path: &str, member: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(path);
    std::fs::create_dir_all(file.parent().expect("inside")).expect("a folder");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&file).expect("a file"));
    zip.start_file(member, zip::write::SimpleFileOptions::default()).expect("a member");
    zip.write_all(text.as_bytes()).expect("written");
    zip.finish().expect("closed");
    (folder, file)
}

fn fault(path: &str, member: &str, text: &str) -> String {
    let (folder, _) = written(path, member, text);
    let what = What { equity: EquityData::Bars, options: true };
    let loaded = Day::load(folder.path(), Symbol::literal("SPY"), Date::literal(2013, 10, 7), what);
    loaded.expect_err("a fault").to_string()
}

#[test]
fn faults_name_file_member_and_line() {
    let trade = "equity/usa/minute/spy/20131007_trade.zip";
    let good = "34200000,10000,10000,10000,10000,5\n";
    let text = fault(trade, "m.csv", &format!("{good}34260000,1,x,1,1,5\n"));
    assert!(
        text.ends_with(
            "20131007_trade.zip: m.csv, line 2: high is `x`, not a price in whole ten-thousandths of a dollar"
        ),
        "{text}"
    );
    let text = fault(trade, "m.csv", &format!("{good}\n{good}34260000,10000"));
    assert!(text.ends_with("line 4: ends before high"), "{text}");
    let text = fault(trade, "m.csv", "34260000,10000,9000,8000,9500,1");
    assert!(text.contains("line 1: open 1.00 or close 0.95 is not between"), "{text}");
    let text = fault(trade, "m.csv", "86400000,1,1,1,1,1");
    assert!(text.contains("not milliseconds of one day"), "{text}");
    let text = fault("option/usa/minute/spy/20131007_quote_american.zip", "huh.csv", "");
    assert!(text.contains("member `huh.csv` does not name a contract"), "{text}");
}

#[test]
fn damaged_and_absent_files_are_told_apart() {
    let (folder, file) = written("equity/usa/minute/spy/20131007_trade.zip", "m.csv", "34200000,1,1,1,1,5");
    let what = What { equity: EquityData::Bars, options: false };
    let load = |date| Day::load(folder.path(), Symbol::literal("SPY"), date, what);
    let day = load(Date::literal(2013, 10, 7)).expect("readable");
    assert_eq!((day.events.len(), day.missing.len()), (1, 1));
    let absent = load(Date::literal(2013, 10, 8)).expect_err("nothing there");
    assert!(matches!(absent, Error::NothingThere { .. }), "{absent}");
    let bytes = std::fs::read(&file).expect("bytes");
    std::fs::write(&file, &bytes[..bytes.len() / 2]).expect("cut");
    let damaged = load(Date::literal(2013, 10, 7)).expect_err("damaged");
    assert!(matches!(damaged, Error::Zip { .. }), "{damaged}");
}

#[test]
fn factor_files_name_the_splits() {
    let Some(root) = lean_root() else { return };
    let splits = |symbol| crate::lean::splits(&root, symbol).expect("readable");
    let split = |y, m, d, new| market::split::Split::new(Date::literal(y, m, d), new, 1);
    let apple: Vec<_> = splits(Symbol::literal("AAPL")).into_iter().map(Some).collect();
    assert_eq!(
        apple,
        [split(2000, 6, 21, 2), split(2005, 2, 28, 2), split(2014, 6, 9, 7), split(2020, 8, 31, 4)]
    );
    assert_eq!(splits(Symbol::literal("SPY")), [], "dividends are no splits");
    assert_eq!(splits(Symbol::literal("XYZ")), []);
}

#[test]
fn a_recorded_day_is_played_as_it_was_heard() {
    let Some(root) = lean_root() else { return };
    let file = root.join("equity/usa/minute/goog/20151223_trade.zip");
    let files = [
        file,
        root.join("equity/usa/minute/goog/20151224_trade.zip"),
        root.join("equity/usa/daily/goog.zip"),
    ];
    let recording = crate::recording::Recording::open(&files, None).expect("playable");
    let parts: Vec<_> = recording.parts().map(|part| part.expect("read")).collect();
    assert_eq!(parts[1].len(), 432);
    // Days first, and only those before the first day that is played.
    let newest = parts[0].last().expect("days").at;
    assert_eq!(newest, session(Date::literal(2015, 12, 22)).expect("a session").close);
    let quotes = parts[2].iter().filter(|e| matches!(e.event, MarketEvent::Quote(..))).count();
    assert_eq!((parts[2].len() - quotes, quotes), (227, 38), "quotes only where no trade made a bar");
    assert!(parts[1..].iter().flatten().collect::<Vec<_>>().windows(2).all(|pair| pair[0].at <= pair[1].at));
}
