//! Recorded data over real sockets: nothing lost, contracts listed, the last day settled.

use super::client::{Client, request};
use super::held;
use crate::{Recording, Settings, SourceSettings, Venue, start};
use alpaca::control::Channels;
use alpaca::wire::Encoding::Json;
use history::lean::{Day, EquityData, What};
use market::quote::MarketEvent;
use market::{Date, Instrument, Symbol};
use std::path::{Path, PathBuf};

/// The recorded data; tests that need it skip (and say so) without.
fn lean() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let root =
        PathBuf::from(std::env::var("WINGSPREAD_DATA").unwrap_or_else(|_| default.into())).join("lean");
    if !root.is_dir() {
        println!("skipped: no recorded data at {}", root.display());
        return None;
    }
    Some(root)
}

/// Stock quotes and trades of those days.
fn recorded(root: &Path, symbol: Symbol, dates: &[Date], what: What) -> (usize, usize) {
    let mut count = (0, 0);
    for date in dates {
        for stamped in Day::load(root, symbol, *date, what).expect("recorded").events {
            match stamped.event {
                MarketEvent::Quote(Instrument::Stock(_), _) => count.0 += 1,
                MarketEvent::Trade(Instrument::Stock(_), _) => count.1 += 1,
                _ => {}
            }
        }
    }
    count
}

/// Replays those days over a socket as fast as it is read, until all has arrived and the source is finished.
fn arrives_whole(root: PathBuf, symbol: Symbol, dates: &[Date], what: What) -> Venue {
    let expected = recorded(&root, symbol, dates, what);
    let days = dates.iter().map(|date| (symbol, *date, what)).collect();
    let source = SourceSettings::Recorded(Recording { root, days, seed: 1 });
    let venue = start(Settings { source, ..held(dates[0], 1.0) }).expect("starts");
    let mut client = Client::logged_in(&venue.stock_ws_url, Json);
    let all = vec![symbol.to_string()];
    client.subscribe(Channels { quotes: all.clone(), trades: all, ..Channels::default() });
    let mut heard = (0, 0);
    while heard != expected {
        for message in client.hear() {
            match message["T"].as_str() {
                Some("q") => heard.0 += 1,
                Some("t") => heard.1 += 1,
                _ => {}
            }
        }
        assert!(heard.0 <= expected.0 && heard.1 <= expected.1, "{heard:?} of {expected:?}");
    }
    while venue.stats().is_some_and(|stats| !stats.finished) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    venue
}

#[test]
fn two_recorded_days_with_options_arrive_whole_and_are_settled() {
    let Some(root) = lean() else { return };
    let dates = [Date::literal(2015, 12, 23), Date::literal(2015, 12, 24)];
    let what = What { equity: EquityData::Prints, options: true };
    let venue = arrives_whole(root, Symbol::literal("GOOG"), &dates, what);
    let at = venue.address;
    let clock = request(at, "GET", "/v2/clock", None).body;
    assert_eq!(clock["timestamp"], "2015-12-28T14:29:59Z", "the morning after, when activities show");
    let chain = "/v2/options/contracts?underlying_symbols=GOOG&expiration_date_gte=2015-12-28&limit=1000";
    let listed = request(at, "GET", chain, None).body;
    assert!(listed["option_contracts"].as_array().is_some_and(|all| all.len() > 20));
    let minutes = "/v2/stocks/bars?symbols=GOOG&timeframe=1Min&start=2015-12-24T14:30:00Z\
                   &end=2015-12-24T17:59:00Z&limit=1000";
    let bars = request(at, "GET", minutes, None).body;
    assert_eq!(bars["bars"]["GOOG"].as_array().map(Vec::len), Some(210), "an early close");
    venue.stop();
}

#[test]
fn a_day_of_ticks_arrives_whole() {
    let Some(root) = lean() else { return };
    let what = What { equity: EquityData::Ticks, options: false };
    arrives_whole(root, Symbol::literal("IBM"), &[Date::literal(2013, 10, 7)], what).stop();
}
