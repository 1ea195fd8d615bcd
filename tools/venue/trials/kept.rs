//! A venue that is killed and started again on its state file is the same venue: account, orders, positions,
//! time and prices.

use super::client::{Answer, Client, request};
use super::{held, settings, symbols};
use crate::{Settings, SourceSettings, Speed, StartError, StateError, Venue, start};
use alpaca::control::Channels;
use alpaca::wire::Encoding::Json;
use market::{Date, Timestamp};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

fn kept(speed: Speed, path: &Path) -> Settings {
    Settings { state_file: Some(path.to_owned()), ..settings(speed) }
}

fn get(venue: &Venue, path: &str) -> Value {
    request(venue.address, "GET", path, None).body
}

fn place(venue: &Venue, id: &str, limit: &str) -> Answer {
    let order = json!({"symbol": "SPY", "qty": "10", "side": "buy", "type": "limit", "limit_price": limit,
        "time_in_force": "day", "client_order_id": id});
    request(venue.address, "POST", "/v2/orders", Some(&order))
}

fn time(venue: &Venue) -> Timestamp {
    let clock = get(venue, "/v2/clock");
    Timestamp::parse_rfc3339(clock["timestamp"].as_str().expect("a time").as_bytes()).expect("RFC 3339")
}

fn bid(venue: &Venue, symbol: &str) -> f64 {
    let quote = get(venue, &format!("/v2/stocks/quotes/latest?symbols={symbol}"));
    quote["quotes"][symbol]["bp"].as_f64().expect("a bid")
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "{what} never happened");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What must be the same before and after.
fn books(venue: &Venue) -> Vec<Value> {
    let mut orders = get(venue, "/v2/orders?status=all&limit=500");
    let mut positions = get(venue, "/v2/positions");
    for row in positions.as_array_mut().expect("rows") {
        // Everything but what follows the price of the moment.
        row.as_object_mut().expect("a row").retain(|name, _| {
            ["symbol", "asset_id", "qty", "side", "avg_entry_price", "cost_basis"].contains(&name.as_str())
        });
    }
    orders.as_array_mut().expect("rows").sort_by_key(|row| row["id"].to_string());
    let account = get(venue, "/v2/account");
    let configuration = get(venue, "/v2/account/configurations");
    let log = get(venue, "/v2/account/activities?direction=asc");
    vec![orders, positions, account["cash"].clone(), account["id"].clone(), configuration, log]
}

#[test]
fn a_killed_venue_comes_back_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deeper").join("venue.state");
    let mut venue = start(kept(Speed::Times(60.0), &path)).expect("starts");
    wait_until("the open", || get(&venue, "/v2/clock")["is_open"] == true);
    assert_eq!(place(&venue, "filled", "900").status, 200);
    assert_eq!(place(&venue, "open", "1.00").status, 200);
    let wish = json!({"no_shorting": true});
    assert_eq!(request(venue.address, "PATCH", "/v2/account/configurations", Some(&wish)).status, 200);
    wait_until("the fill", || {
        get(&venue, "/v2/orders:by_client_order_id?client_order_id=filled")["status"] == "filled"
    });
    wait_until("a minute", || {
        get(&venue, "/v2/stocks/bars?symbols=SPY&timeframe=1Min&start=2026-11-20T14:30:00Z")["bars"]["SPY"][1]
            .is_object()
    });
    let minutes = get(&venue, "/v2/stocks/bars?symbols=SPY&timeframe=1Min&start=2026-11-20T14:30:00Z");
    let before = books(&venue);
    let (bids, told) = ([bid(&venue, "SPY"), bid(&venue, "AAPL")], time(&venue));
    venue.die();

    // Not faster than life now, so that there is time to look.
    let began = Instant::now();
    let mut venue = start(kept(Speed::Times(1.0), &path)).expect("starts again");
    let now = time(&venue);
    let (ahead, slack) = (now.since(told), began.elapsed().as_nanos() as i64 + 30_000_000_000);
    assert!((0..slack).contains(&ahead), "time went from {told} to {now}");
    assert_eq!(books(&venue), before);
    for (symbol, was) in ["SPY", "AAPL"].into_iter().zip(bids) {
        let is = bid(&venue, symbol);
        // Two ticks, and five deviations of a second for each second that passed while we looked.
        let allowed = 0.02 + 0.12 * (ahead as f64 / 1e9).sqrt();
        assert!((is - was).abs() <= allowed, "{symbol} jumped from {was} to {is} in {ahead} ns");
    }
    let again = get(&venue, "/v2/stocks/bars?symbols=SPY&timeframe=1Min&start=2026-11-20T14:30:00Z");
    assert_eq!(again["bars"]["SPY"][0], minutes["bars"]["SPY"][0], "minutes of before");
    assert_eq!(again["bars"]["SPY"][1], minutes["bars"]["SPY"][1], "minutes of before");
    let twice = place(&venue, "filled", "900");
    assert_eq!(twice.status, 422, "a client id is unique for ever: {}", twice.body);
    let fresh = place(&venue, "new", "1.00");
    assert_eq!(fresh.status, 200);
    let ids: Vec<Value> =
        books(&venue)[0].as_array().expect("rows").iter().map(|row| row["id"].clone()).collect();
    assert!(ids.len() == 3 && ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");

    // At once after the answer: what was acknowledged is there.
    assert_eq!(place(&venue, "last words", "1.00").status, 200);
    venue.die();
    let venue = start(kept(Speed::Times(1.0), &path)).expect("starts a third time");
    let last = get(&venue, "/v2/orders:by_client_order_id?client_order_id=last%20words");
    assert_eq!(last["client_order_id"], "last words", "{last}");
    venue.stop();
}

#[test]
fn a_killed_market_goes_on_tick_by_tick() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("venue.state");
    let calm = || held(Date::literal(2026, 11, 20), 0.5);
    let listen = |venue: &Venue| {
        let mut client = Client::logged_in(&venue.stock_ws_url, Json);
        client.subscribe(Channels {
            quotes: vec!["*".into()],
            trades: vec!["*".into()],
            ..Channels::default()
        });
        client
    };
    let hear = |client: &mut Client, count: usize| {
        let mut heard = Vec::new();
        while heard.len() < count {
            heard.extend(client.hear());
        }
        heard
    };
    let whole = start(calm()).expect("starts");
    let reference = hear(&mut listen(&whole), 4_000);
    whole.stop();
    let mut venue = start(Settings { state_file: Some(path.clone()), ..calm() }).expect("starts");
    let before = hear(&mut listen(&venue), 500);
    venue.die();
    let venue = start(Settings { state_file: Some(path), ..calm() }).expect("starts again");
    let after = hear(&mut listen(&venue), 500);
    venue.stop();
    assert_eq!(before[..500], reference[..500]);
    let from = reference.iter().position(|message| *message == after[0]).expect("on the same path");
    assert!(from >= before.len(), "nothing is said twice: {from} of {}", before.len());
    assert_eq!(after[..500], reference[from..from + 500]);
}

#[test]
fn what_cannot_be_taken_up_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("venue.state");
    start(kept(Speed::Times(1.0), &path)).expect("starts").stop();
    let why = |settings: Settings| match start(settings) {
        Err(StartError::State(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    };
    let mut other = kept(Speed::Times(1.0), &path);
    if let SourceSettings::Simulated(market) = &mut other.source {
        market.symbols = symbols(&["SPY", "QQQ"]);
    }
    let said = why(other).to_string();
    assert!(
        said.contains("symbols SPY AAPL, the settings say SPY QQQ") && said.contains("--journal"),
        "{said}"
    );

    let good = std::fs::read(&path).expect("written");
    for at in [0, 9, 13, 17, 40, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        std::fs::write(&path, &bad).expect("written");
        let error = why(kept(Speed::Times(1.0), &path));
        assert!(matches!(error, StateError::Damaged { .. } | StateError::Version { .. }), "{at}: {error}");
        assert!(error.to_string().contains("venue.state"), "{error}");
    }
    std::fs::write(&path, &good[..good.len() / 2]).expect("written");
    assert!(why(kept(Speed::Times(1.0), &path)).to_string().contains("move it aside"));
    std::fs::write(&path, &good).expect("written");
    start(kept(Speed::Times(1.0), &path)).expect("whole again").stop();
}

/// Prints what a snapshot costs with nine underlyings, all of their contracts and a thousand orders:
/// `cargo test --release -p venue snapshot_cost -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn snapshot_cost() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("venue.state");
    let mut wide = kept(Speed::Times(60.0), &path);
    wide.limits.trading_per_minute = 100_000;
    if let SourceSettings::Simulated(market) = &mut wide.source {
        market.symbols = symbols(&["SPY", "QQQ", "IWM", "DIA", "TLT", "GLD", "GDX", "XLF", "AAPL"]);
    }
    let mut venue = start(wide.clone()).expect("starts");
    wait_until("the open", || get(&venue, "/v2/clock")["is_open"] == true);
    for orders in [0, 1_000, 2_000] {
        for n in 0..orders {
            let placed = place(&venue, &format!("{orders} {n}"), if n == 0 { "900" } else { "1.00" });
            assert_eq!(placed.status, 200, "{}", placed.body);
            if n % 50 == 49 {
                request(venue.address, "DELETE", "/v2/orders", None);
            }
        }
        let took = venue.ask(|core| {
            let began = Instant::now();
            (0..100).for_each(|_| core.keep());
            (began.elapsed() / 100, core.exchange.contracts().count())
        });
        let size = std::fs::metadata(&path).expect("written").len();
        println!("{orders} orders more: {took:?} a snapshot (and contracts), {size} bytes");
    }
    venue.die();
    let began = Instant::now();
    let venue = start(wide.clone()).expect("starts again");
    println!("started again in {:?}", began.elapsed());
    venue.stop();
    std::fs::remove_file(&path).expect("there");
    let began = Instant::now();
    let venue = start(wide).expect("starts afresh");
    println!("started afresh in {:?}", began.elapsed());
    venue.stop();
}
