//! The rules of the data and trading streams: codes, slots, limits, frames.

use super::client::Client;
use super::settings;
use crate::{Limits, Settings, Speed, start};
use alpaca::Keys;
use alpaca::control::{Action, Channels};
use alpaca::wire::Encoding::{Json, MsgPack};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

fn quotes(names: &[&str]) -> Channels {
    Channels { quotes: names.iter().map(ToString::to_string).collect(), ..Channels::default() }
}

fn auth(secret: &str) -> Action {
    Action::Auth(Keys::new("SIMKEY", secret))
}

#[test]
fn stock_sessions_follow_the_rules() {
    let limits = Limits { stock_symbols_max: 2, ..Limits::paid_plan() };
    let venue = start(Settings { limits, ..settings(Speed::Times(60.0)) }).expect("starts");
    let mut one = Client::connect(&venue.stock_ws_url, Json);
    assert_eq!(one.hear(), [json!({"T": "success", "msg": "connected"})]);
    one.act(&Action::Subscribe(quotes(&["SPY"])));
    assert_eq!(one.error(), 401);
    one.say(b"{not json".to_vec());
    assert_eq!(one.error(), 400);
    one.act(&auth("wrong"));
    assert_eq!(one.error(), 402);
    one.act(&auth("SIMSECRET"));
    assert_eq!(one.hear(), [json!({"T": "success", "msg": "authenticated"})]);
    one.act(&auth("SIMSECRET"));
    assert_eq!(one.error(), 403);
    one.act(&Action::Subscribe(quotes(&["SPY", "QQQ", "IWM"])));
    assert_eq!(one.error(), 405);
    let ack = one.subscribe(Channels { trades: vec!["SPY".into()], ..quotes(&["SPY"]) });
    assert_eq!(ack["quotes"], json!(["SPY"]));
    assert_eq!((&ack["corrections"], &ack["bars"]), (&json!(["SPY"]), &json!([])));
    one.act(&Action::Subscribe(quotes(&["not a symbol"])));
    assert_eq!(one.error(), 400);
    let ack = one.subscribe(Channels { bars: vec!["*".into()], ..Channels::default() });
    assert_eq!((&ack["quotes"], &ack["bars"]), (&json!(["SPY"]), &json!(["*"])));
    let data = one.hear();
    assert!(data.iter().all(|m| m["S"] == "SPY" || m["T"] == "b"), "{data:?}");
    // A second connection of the key: refused, but the socket stays usable once the slot is free.
    let mut two = Client::connect(&venue.stock_ws_url, MsgPack);
    assert_eq!(two.hear()[0]["msg"], "connected");
    two.act(&auth("SIMSECRET"));
    assert_eq!(two.error(), 406);
    drop(one);
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        two.act(&auth("SIMSECRET"));
        let heard = two.hear();
        if heard[0]["msg"] == "authenticated" {
            break;
        }
        assert!(Instant::now() < deadline, "the slot was not freed: {heard:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    venue.stop();
}

#[test]
fn option_sessions_follow_the_rules() {
    let limits = Limits { option_quotes_max: 2, ..Limits::paid_plan() };
    let venue = start(Settings { limits, ..settings(Speed::Times(60.0)) }).expect("starts");
    let mut json = Client::connect(&venue.option_ws_url, Json);
    assert_eq!(json.error(), 412);
    let mut client = Client::logged_in(&venue.option_ws_url, MsgPack);
    client.act(&Action::Subscribe(quotes(&["*"])));
    assert_eq!(client.error(), 413);
    client.act(&Action::Subscribe(Channels { bars: vec!["SPY".into()], ..Channels::default() }));
    assert_eq!(client.error(), 410);
    client.act(&Action::Subscribe(quotes(&["SPY"])));
    assert_eq!(client.error(), 400);
    let names = ["SPY261120C00565000", "SPY261120P00565000", "SPY261120P00560000"];
    client.act(&Action::Subscribe(quotes(&names)));
    assert_eq!(client.error(), 405);
    // As the SDK sends it: a message in two frames.
    client.say_in_two(Action::Subscribe(quotes(&names[..2])).encode(MsgPack));
    let ack = client.hear();
    assert_eq!(ack[0], serde_json::json!({"T": "subscription", "trades": [], "quotes": &names[..2]}));
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 2 {
        for message in client.hear() {
            assert!(message["ap"].as_f64().is_some_and(|p| p > 0.0), "{message}");
            assert!(message["c"].is_string());
            seen.insert(message["S"].as_str().expect("a symbol").to_string());
        }
    }
    client.socket.send(Message::Ping(vec![7].into())).expect("open");
    loop {
        if let Message::Pong(bytes) = client.socket.read().expect("open") {
            assert_eq!(bytes.as_ref(), [7]);
            break;
        }
    }
    venue.stop();
}

#[test]
fn who_does_not_log_in_is_sent_away() {
    let limits = Limits { auth_timeout: Duration::from_millis(50), ..Limits::paid_plan() };
    let venue = start(Settings { limits, ..settings(Speed::Times(1.0)) }).expect("starts");
    let mut client = Client::connect(&venue.stock_ws_url, Json);
    assert_eq!(client.hear()[0]["msg"], "connected");
    assert_eq!(client.error(), 404);
    assert!(client.try_hear().is_err(), "closed");
    venue.stop();
}

#[test]
fn who_does_not_read_is_dropped_and_told() {
    let limits = Limits { frames_waiting_max: 4, ..Limits::paid_plan() };
    let mut slow = settings(Speed::Times(600.0));
    if let crate::SourceSettings::Simulated(market) = &mut slow.source {
        market.stock_quotes_per_second = 200.0;
    }
    let venue = start(Settings { limits, ..slow }).expect("starts");
    let mut client = Client::logged_in(&venue.stock_ws_url, Json);
    client.subscribe(quotes(&["*"]));
    let deadline = Instant::now() + Duration::from_secs(30);
    while venue.stats().is_some_and(|s| s.slow_dropped == 0) {
        assert!(Instant::now() < deadline, "never found slow: {:?}", venue.stats());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(client.error(), 407);
    assert!(client.try_hear().is_err(), "closed");
    venue.stop();
}

#[test]
fn the_trading_stream_takes_both_spellings() {
    let venue = start(settings(Speed::Times(1.0))).expect("starts");
    let mut client = Client::connect(&venue.trading_ws_url, Json);
    let mut ask = |text: &str| {
        client.say(text.as_bytes().to_vec());
        client.hear().remove(0)
    };
    let listen = r#"{"action":"listen","data":{"streams":["trade_updates","other"]}}"#;
    let refused = ask(listen);
    assert_eq!(refused["data"], json!({"status": "unauthorized", "action": "listen"}));
    let wrong = ask(r#"{"action":"auth","key":"SIMKEY","secret":"no"}"#);
    assert_eq!(wrong["data"]["status"], "unauthorized");
    let documented = ask(r#"{"action":"auth","key":"SIMKEY","secret":"SIMSECRET"}"#);
    assert_eq!(documented["data"]["status"], "authorized");
    let sdk = ask(r#"{"action":"authenticate","data":{"key_id":"SIMKEY","secret_key":"SIMSECRET"}}"#);
    assert_eq!((&sdk["stream"], &sdk["data"]["status"]), (&json!("authorization"), &json!("authorized")));
    let listening = ask(listen);
    assert_eq!(listening, json!({"stream": "listening", "data": {"streams": ["trade_updates"]}}));
    let silent = ask(r#"{"action":"listen","data":{"streams":[]}}"#);
    assert_eq!(silent["data"]["streams"], json!([]));
    venue.stop();
}

#[test]
fn sockets_can_be_dropped_and_the_venue_can_die() {
    let mut venue = start(settings(Speed::Times(60.0))).expect("starts");
    let mut client = Client::logged_in(&venue.stock_ws_url, Json);
    client.subscribe(quotes(&["SPY"]));
    venue.drop_sockets();
    while client.try_hear().is_ok() {}
    let mut again = Client::logged_in(&venue.stock_ws_url, Json);
    again.subscribe(quotes(&["SPY"]));
    venue.mute();
    again.socket.get_ref().set_read_timeout(Some(Duration::from_millis(300))).expect("a socket");
    while again.try_hear().is_ok() {}
    again.socket.get_ref().set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    venue.unmute();
    again.hear();
    venue.die();
    while again.try_hear().is_ok() {}
    assert!(std::net::TcpStream::connect(venue.address).is_err(), "nobody listens");
    assert_eq!(venue.stats(), None);
}
