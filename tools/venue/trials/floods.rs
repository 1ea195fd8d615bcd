//! The flood: every quote arrives, stamped with the moment it was meant to leave.

use super::client::Client;
use super::{settings, symbols};
use crate::{Flood, Hold, OptionFlood, Settings, SourceSettings, Speed, pace, source, start};
use alpaca::control::Channels;
use alpaca::wire::Encoding::{Json, MsgPack};
use exchange::market_model::MarketModel;
use history::Stamped;
use market::quote::MarketEvent;
use market::{Contract, Date, Instrument, Timestamp};
use std::collections::BTreeSet;

#[test]
fn every_quote_arrives_with_its_intended_time() {
    let flood = Flood {
        shift_ns: 0,
        quotes_per_second: 5_000,
        symbols: symbols(&["SPY", "QQQ"]),
        seconds: 1,
        trade_every: 0,
        seed: 3,
        options: None,
    };
    let hold = Hold { stocks: true, ..Hold::default() };
    let source = SourceSettings::Flood(flood);
    let venue = start(Settings { source, hold, ..settings(Speed::Times(1.0)) }).expect("starts");
    let mut client = Client::logged_in(&venue.stock_ws_url, Json);
    let began = pace::wall_clock();
    client.subscribe(Channels { quotes: vec!["*".into()], ..Channels::default() });
    let mut times = Vec::new();
    while times.len() < 5_000 {
        let heard = client.hear();
        let now = pace::wall_clock();
        for message in heard {
            let text = message["t"].as_str().expect("a time");
            let at = Timestamp::parse_rfc3339(text.as_bytes()).expect("a time");
            assert!(at <= now, "a quote from the future");
            times.push(at);
        }
    }
    assert!(times[0] >= began && times.is_sorted());
    let gaps: Vec<i64> = times.windows(2).map(|w| w[1].since(w[0])).collect();
    assert!(gaps.iter().all(|gap| *gap == 200_000), "the schedule does not bend");
    venue.stop();
}

#[test]
fn subscribed_contracts_are_quoted_in_turn_beside_the_shares() {
    let market = super::market(Date::literal(2026, 11, 20), 2.0);
    let chain = MarketModel::new(market.clone()).expect("a market");
    let wanted: Vec<Contract> = chain.contracts("SPY".parse().expect("a ticker")).take(50).collect();
    let flood = with_options(market);
    let hold = Hold { stocks: true, options: true, ..Hold::default() };
    let source = SourceSettings::Flood(flood);
    let venue = start(Settings { source, hold, ..settings(Speed::Times(1.0)) }).expect("starts");
    let mut options = Client::logged_in(&venue.option_ws_url, MsgPack);
    let names: Vec<String> = wanted.iter().map(Contract::to_string).collect();
    options.subscribe(Channels { quotes: names.clone(), ..Channels::default() });
    let mut stocks = Client::logged_in(&venue.stock_ws_url, Json);
    stocks.subscribe(Channels { quotes: vec!["*".into()], ..Channels::default() });
    let mut heard: Vec<String> = Vec::new();
    while heard.len() < 500 {
        for quote in options.hear() {
            assert!(quote["ap"].as_f64() > quote["bp"].as_f64(), "{quote}");
            heard.push(quote["S"].as_str().expect("a name").to_owned());
        }
    }
    let first: BTreeSet<&String> = heard[..50].iter().collect();
    assert_eq!(first, names.iter().collect(), "each once before one comes again");
    assert_eq!(heard[0], heard[50]);
    let price = stocks.hear()[0]["bp"].as_f64().expect("a price");
    let spot = chain.spot("SPY".parse().expect("a ticker")).expect("a price");
    let of_aapl = chain.spot("AAPL".parse().expect("a ticker")).expect("a price");
    assert!(
        (price - spot).abs().min((price - of_aapl).abs()) < 0.2,
        "shares stand where the chains are priced"
    );
    venue.stop();
}

fn with_options(market: exchange::market_model::Settings) -> Flood {
    Flood {
        shift_ns: 0,
        quotes_per_second: 100,
        symbols: symbols(&["SPY", "AAPL"]),
        seconds: 1,
        trade_every: 0,
        seed: 3,
        options: Some(OptionFlood { quotes_per_second: 2_000, market }),
    }
}

#[test]
fn both_schedules_are_kept_and_end_together() {
    let market = super::market(Date::literal(2026, 11, 20), 2.0);
    let mut flood = source::flood::Flood::new(&with_options(market)).expect("right");
    let contract = flood.market().and_then(|m| m.contracts("SPY".parse().ok()?).next()).expect("listed");
    let now = Timestamp::from_seconds(1_000);
    flood.start(now);
    flood.watch(contract);
    let mut out = Vec::new();
    let mut to = now;
    while flood.next_due().is_some() {
        // A sender that wakes when it likes.
        to = to + 7_300_000;
        flood.advance(to, 100, &mut out);
    }
    assert!(out.windows(2).all(|w| w[0].at <= w[1].at), "in order");
    let is_option = |s: &Stamped| matches!(s.event, MarketEvent::Quote(Instrument::Option(_), _));
    let (options, stocks): (Vec<Stamped>, Vec<Stamped>) = out.iter().partition(|s| is_option(s));
    assert!(options.windows(2).all(|w| w[1].at.since(w[0].at) == 500_000), "from the first listener on");
    assert!(stocks.windows(2).all(|w| w[1].at.since(w[0].at) == 10_000_000));
    assert_eq!((stocks.len(), options.len()), (100, 1_986));
    flood.unwatch(contract);
    assert!(flood.next_due().is_none());
}
