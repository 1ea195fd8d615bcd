//! Whole days in virtual time: as fast as a client reads, through close, settlement and the next open.

use super::client::{Client, request};
use super::held;
use crate::start;
use alpaca::control::Channels;
use alpaca::wire::Encoding::Json;
use market::{Contract, Date, Price};
use serde_json::{Value, json};
use std::net::SocketAddr;

fn cents(value: &Value) -> i64 {
    let price: Price = value.as_str().expect("a decimal").parse().expect("a price");
    price.units() / 100
}

/// Reads the stock stream until virtual time is past `until`.
fn read_until(client: &mut Client, until: &str) -> usize {
    let mut count = 0;
    loop {
        for message in client.hear() {
            count += 1;
            let at = message["t"].as_str().expect("a time");
            if message["T"] == "q" && at > until {
                return count;
            }
        }
    }
}

/// A put deep in the money and the farthest call that still has a bid, both expiring on that day.
fn expiring(at: SocketAddr, day: Date) -> (Contract, Contract) {
    let chain = |right: &str| -> Vec<(Contract, f64)> {
        let path = format!("/v1beta1/options/snapshots/SPY?expiration_date={day}&type={right}&limit=1000");
        let page = request(at, "GET", &path, None).body;
        let snapshots = page["snapshots"].as_object().expect("snapshots").iter();
        snapshots
            .map(|(name, s)| (name.parse().expect("OCC"), s["latestQuote"]["bp"].as_f64().expect("a bid")))
            .collect()
    };
    let put = chain("put").into_iter().max_by_key(|(c, _)| c.strike_mils).expect("listed").0;
    let bid = chain("call").into_iter().filter(|(_, bid)| *bid >= 0.05);
    (put, bid.max_by_key(|(c, _)| c.strike_mils).expect("listed").0)
}

#[test]
fn an_expiry_settles_and_the_next_day_opens() {
    let friday = Date::literal(2026, 11, 20);
    let venue = start(held(friday, 0.2)).expect("starts");
    let at = venue.address;
    let clock = request(at, "GET", "/v2/clock", None).body;
    assert_eq!((&clock["is_open"], &clock["timestamp"]), (&json!(false), &json!("2026-11-20T14:29:00Z")));
    let (put, call) = expiring(at, friday);
    // Deep in the money and far out of it; both wait for the open.
    for (contract, limit) in [(put, "60.00"), (call, "1.00")] {
        let order = json!({"symbol": contract.to_string(), "qty": "1", "side": "buy", "type": "limit",
            "limit_price": limit, "time_in_force": "day"});
        let placed = request(at, "POST", "/v2/orders", Some(&order));
        assert_eq!((placed.status, &placed.body["status"]), (200, &json!("accepted")), "{}", placed.body);
    }
    let mut client = Client::logged_in(&venue.stock_ws_url, Json);
    client.subscribe(Channels {
        quotes: vec!["SPY".into()],
        bars: vec!["SPY".into()],
        ..Channels::default()
    });
    let read = read_until(&mut client, "2026-11-23T14:31");
    assert!(read > 3_000, "{read}");
    let rows = request(at, "GET", "/v2/account/activities?direction=asc", None).body;
    let kinds: Vec<&str> =
        rows.as_array().expect("rows").iter().filter_map(|r| r["activity_type"].as_str()).collect();
    assert_eq!(kinds.iter().filter(|k| **k == "FILL").count() % 2, 0, "{rows:#}");
    assert!(kinds.contains(&"OPEXP") && kinds.contains(&"OPEXC") && kinds.contains(&"OPTRD"), "{kinds:?}");
    let held: Vec<Value> = request(at, "GET", "/v2/positions", None).body.as_array().expect("rows").clone();
    assert_eq!((held.len(), &held[0]["symbol"], &held[0]["qty"]), (1, &json!("SPY"), &json!("-100")));
    // Cash: the opening balance, less the premiums, plus the strike for a hundred shares.
    let paid: i64 = rows
        .as_array()
        .expect("rows")
        .iter()
        .filter(|r| r["activity_type"] == "FILL")
        .map(|r| cents(&r["price"]) * 100)
        .sum();
    let account = request(at, "GET", "/v2/account", None).body;
    let strike = i64::from(put.strike_mils) / 10 * 100;
    assert_eq!(cents(&account["cash"]), 10_000_000 - paid + strike);
    let bars = request(at, "GET", "/v2/stocks/bars?symbols=SPY&timeframe=1Day&start=2026-11-18", None).body;
    let days: Vec<&str> =
        bars["bars"]["SPY"].as_array().expect("bars").iter().filter_map(|b| b["t"].as_str()).collect();
    assert_eq!(days[..3], ["2026-11-18T05:00:00Z", "2026-11-19T05:00:00Z", "2026-11-20T05:00:00Z"]);
    venue.stop();
}

#[test]
fn the_same_seed_is_the_same_day_on_the_wire() {
    let run = || {
        let venue = start(held(Date::literal(2026, 11, 20), 0.5)).expect("starts");
        let mut client = Client::logged_in(&venue.stock_ws_url, Json);
        client.subscribe(Channels {
            quotes: vec!["*".into()],
            trades: vec!["*".into()],
            ..Channels::default()
        });
        let mut heard = Vec::new();
        while heard.len() < 2_000 {
            heard.extend(client.hear());
        }
        heard.truncate(2_000);
        venue.stop();
        heard
    };
    assert_eq!(run(), run());
}
