//! The flood: every quote arrives, stamped with the moment it was meant to leave.

use super::client::Client;
use super::{settings, symbols};
use crate::{Flood, Hold, Settings, SourceSettings, Speed, pace, start};
use alpaca::control::Channels;
use alpaca::wire::Encoding::Json;
use market::Timestamp;

#[test]
fn every_quote_arrives_with_its_intended_time() {
    let flood = Flood {
        shift_ns: 0,
        quotes_per_second: 5_000,
        symbols: symbols(&["SPY", "QQQ"]),
        seconds: 1,
        trade_every: 0,
        seed: 3,
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
