//! Recorded data over real sockets: nothing lost, contracts listed, the last day settled.

use super::client::{Client, request};
use super::held;
use crate::{Recording, Settings, SourceSettings, start};
use alpaca::control::Channels;
use alpaca::wire::Encoding::Json;
use history::lean::{Day, EquityData, What};
use market::quote::MarketEvent;
use market::{Date, Instrument};
use std::path::PathBuf;

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

#[test]
fn two_recorded_days_arrive_whole() {
    let Some(root) = lean() else { return };
    let goog = "GOOG".parse().expect("a ticker");
    let what = What { equity: EquityData::Prints, options: true };
    let dates = [Date::literal(2015, 12, 23), Date::literal(2015, 12, 24)];
    let mut expected = (0, 0);
    for date in dates {
        for stamped in Day::load(&root, goog, date, what).expect("recorded").events {
            match stamped.event {
                MarketEvent::Quote(Instrument::Stock(_), _) => expected.0 += 1,
                MarketEvent::Trade(Instrument::Stock(_), _) => expected.1 += 1,
                _ => {}
            }
        }
    }
    let days = dates.map(|date| (goog, date, what)).to_vec();
    let source = SourceSettings::Recorded(Recording { root, days, seed: 1 });
    let venue = start(Settings { source, ..held(dates[0], 1.0) }).expect("starts");
    let at = venue.address;
    let listed = request(
        at,
        "GET",
        "/v2/options/contracts?underlying_symbols=GOOG&expiration_date=2015-12-24&limit=1000",
        None,
    );
    assert!(listed.body["option_contracts"].as_array().is_some_and(|all| all.len() > 20));
    let mut client = Client::logged_in(&venue.stock_ws_url, Json);
    client.subscribe(Channels {
        quotes: vec!["GOOG".into()],
        trades: vec!["GOOG".into()],
        ..Channels::default()
    });
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
    let clock = request(at, "GET", "/v2/clock", None).body;
    assert!(clock["timestamp"].as_str().is_some_and(|t| t > "2015-12-24T18"), "{clock}");
    let minutes = request(
        at,
        "GET",
        "/v2/stocks/bars?symbols=GOOG&timeframe=1Min&start=2015-12-24T14:30:00Z&end=2015-12-24T17:59:00Z&limit=1000",
        None,
    );
    assert_eq!(minutes.body["bars"]["GOOG"].as_array().map(Vec::len), Some(210), "an early close");
    venue.stop();
}
