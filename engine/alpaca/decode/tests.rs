//! Documented frames, bad frames, and frames nobody thought of.

use super::*;
use crate::control::Control;
use crate::encode::{Dressing, FrameWriter};
use market::Timestamp;
use market::quote::SaleRule;
use proptest::prelude::*;

fn read(frame: &[u8], encoding: Encoding, feed: DataFeed) -> (Vec<Decoded>, Result<usize, WireFault>) {
    let mut found = Vec::new();
    let outcome = decode(frame, encoding, feed, &mut |d| found.push(d));
    (found, outcome)
}

fn stocks(text: &str) -> (Vec<Decoded>, Result<usize, WireFault>) {
    read(text.as_bytes(), Encoding::Json, DataFeed::Stocks)
}

fn events(found: Vec<Decoded>) -> Vec<MarketEvent> {
    found.into_iter().filter_map(|d| if let Decoded::Event(e) = d { Some(e) } else { None }).collect()
}

fn spy() -> Symbol {
    Symbol::literal("SPY")
}

#[test]
fn the_documented_frame() {
    let text = r#"[{"T":"q","S":"SPY","bx":"Q","bp":566.31,"bs":300,"ax":"P","ap":566.33,"as":500,"c":["R"],"z":"B","t":"2026-03-16T14:30:00.123456789Z"},
{"T":"t","S":"SPY","i":41207,"x":"D","p":566.32,"s":100,"c":["@"],"z":"B","t":"2026-03-16T14:30:00.130012345Z"}]"#;
    let (found, outcome) = stocks(text);
    assert_eq!(outcome, Ok(2));
    let at = Timestamp::from_ns(1_773_671_400_123_456_789);
    let bid = Some(Level { price: Price::from_cents(56_631), size: 300 });
    let ask = Some(Level { price: Price::from_cents(56_633), size: 500 });
    let quote = MarketEvent::Quote(Instrument::Stock(spy()), Quote { bid, ask, at });
    let trade = Trade {
        price: Price::from_cents(56_632),
        size: 100,
        at: Timestamp::from_ns(1_773_671_400_130_012_345),
        id: 41_207,
        rule: SaleRule::Regular,
    };
    assert_eq!(events(found), [quote, MarketEvent::Trade(Instrument::Stock(spy()), trade)]);
}

#[test]
fn the_other_documented_messages() {
    let bar = r#"[{"T":"b","S":"SPY","o":566.10,"h":566.40,"l":566.02,"c":566.32,"v":49378,"n":461,"vw":566.2217,"t":"2026-03-16T14:29:00Z"}]"#;
    let found = events(stocks(bar).0);
    let [MarketEvent::Bar { bar, updated: false, timeframe: Timeframe::Min1, .. }] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!((bar.volume, bar.trades, bar.high), (49_378, 461, Price::from_cents(56_640)));
    let status = r#"[{"T":"s","S":"SPY","sc":"2","sm":"Trading Halt","rc":"M","rm":"LULD pause","z":"B","t":"2026-03-16T15:02:11Z"}]"#;
    let found = events(stocks(status).0);
    let [MarketEvent::Status(_, status)] = found.as_slice() else { panic!("{found:?}") };
    assert!(status.halted && status.reason.as_str() == "M");
    let luld = r#"[{"T":"l","S":"SPY","u":594.6,"d":538.0,"i":"B","z":"B","t":"2026-03-16T14:30:30Z"}]"#;
    assert_eq!(stocks(luld), (vec![], Ok(0)));
    let (found, _) = stocks(r#"[{"T":"error","code":406,"msg":"connection limit exceeded"}]"#);
    assert_eq!(found, [Decoded::Control(Control::error(406))]);
    let (found, _) = stocks(
        r#"[{"T":"subscription","trades":["SPY"],"quotes":["SPY"],"bars":["*"],"updatedBars":[],"dailyBars":[],"statuses":["*"],"lulds":["SPY"],"corrections":["SPY"],"cancelErrors":["SPY"]}]"#,
    );
    let [Decoded::Control(Control::Subscription(all))] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((all.bars.as_slice(), all.cancel_errors.len()), (&["*".to_string()][..], 1));
    let taken_back = r#"[{"T":"x","S":"SPY","i":7,"x":"D","p":1.5,"s":9,"a":"C","z":"B","t":"2026-03-16T15:02:11Z"},
           {"T":"c","S":"SPY","x":"D","oi":8,"op":1,"os":1,"oc":["@"],"ci":9,"cp":2,"cs":1,"cc":["@"],"z":"B","t":"2026-03-16T15:02:11Z"}]"#;
    let ids: Vec<_> = events(stocks(taken_back).0)
        .iter()
        .map(|e| if let MarketEvent::Cancel(_, id, _) = e { *id } else { 0 })
        .collect();
    assert_eq!(ids, [7, 8]);
}

fn option_quote() -> MarketEvent {
    let contract = Contract::parse_occ(b"SPY260417P00560000").expect("valid");
    let bid = Some(Level { price: Price::from_cents(415), size: 53 });
    let ask = Some(Level { price: Price::from_cents(420), size: 38 });
    let at = Timestamp::from_ns(1_773_671_400_123_456_789);
    MarketEvent::Quote(Instrument::Option(contract), Quote { bid, ask, at })
}

#[test]
fn the_option_quote_vector_byte_for_byte() {
    let vector = concat!(
        "918aa154a171a153b2535059323630343137503030353630303030a174d7ff1d6f345469b813e8a26278a143",
        "a26270cb401099999999999aa2627335a26178a157a26170cb4010cccccccccccda2617326a163a141"
    );
    let dressing = Dressing { ask_exchange: "W", ..Dressing::OPTIONS };
    let mut writer = FrameWriter::new(Encoding::MsgPack, DataFeed::Options).dressed(dressing);
    assert!(writer.push(&option_quote()));
    let frame = writer.frame().to_vec();
    assert_eq!(frame.len(), 85);
    assert_eq!(frame.iter().map(|b| format!("{b:02x}")).collect::<String>(), vector);
    let (found, outcome) = read(&frame, Encoding::MsgPack, DataFeed::Options);
    assert_eq!((events(found), outcome), (vec![option_quote()], Ok(1)));
}

#[test]
fn a_bad_element_does_not_cost_its_neighbours() {
    let good = r#"{"T":"t","S":"SPY","i":1,"p":1.5,"s":1,"c":["@"],"z":"B","t":"2026-03-16T14:30:00Z"}"#;
    let q = |fields: &str| format!(r#"{{"T":"q","S":"SPY","t":"2026-03-16T14:30:00Z",{fields}}}"#);
    let cases = [
        (q(r#""bp":-1,"bs":1,"ap":2,"as":1"#), FaultKind::NotPositive("bp")),
        (q(r#""bp":NaN,"bs":1,"ap":2,"as":1"#), FaultKind::Expected("a number")),
        (q(r#""bp":"1.5","bs":1,"ap":2,"as":1"#), FaultKind::Expected("a number")),
        (q(r#""bp":1,"bs":-5,"ap":2,"as":1"#), FaultKind::OutOfRange),
        (q(r#""bp":1,"bs":99999999999,"ap":2,"as":1"#), FaultKind::OutOfRange),
        (q(r#""bp":1e30,"bs":1,"ap":2,"as":1"#), FaultKind::OutOfRange),
        (q(r#""c":["R"]"#), FaultKind::Missing("bp")),
        (r#"{"T":"q","S":"SPY","bp":1,"ap":2}"#.into(), FaultKind::Missing("t")),
        (r#"{"T":"q","bp":1,"ap":2,"t":"2026-03-16T14:30:00Z"}"#.into(), FaultKind::Missing("S")),
        (r#"{"T":"q","S":"SPY","bp":1,"ap":2,"t":17}"#.into(), FaultKind::Expected("a text")),
        (r#"{"T":"q","S":"SPY","bp":1,"ap":2,"t":"soon"}"#.into(), FaultKind::BadTime),
        (r#"{"T":"q","S":"MUCHTOOLONGNAME","bp":1,"ap":2,"t":"soon"}"#.into(), FaultKind::BadSymbol),
        (good.replace("1.5", "0"), FaultKind::NotPositive("p")),
        (r#"{"T":"t","S":"SPY","p":1.5,"t":"2026-03-16T14:30:00Z"}"#.into(), FaultKind::Missing("s")),
        (r#"{"S":"SPY"}"#.into(), FaultKind::Missing("T")),
        (r#"{"T":5}"#.into(), FaultKind::Expected("a text")),
        ("17".into(), FaultKind::Expected("a map")),
        (r#"{"T":"error"}"#.into(), FaultKind::BadControl),
    ];
    for (bad, kind) in cases {
        let (found, outcome) = stocks(&format!("[{good},{bad},{good}]"));
        assert_eq!(outcome, Ok(2), "{bad}");
        let [_, Decoded::Fault(fault), _] = found.as_slice() else { panic!("{bad}: {found:?}") };
        assert_eq!((fault.kind, fault.element), (kind, 1), "{bad}");
        assert!(fault.at > good.len() && fault.at <= good.len() + 2 + bad.len(), "{bad}: {fault}");
    }
}

#[test]
fn what_is_lost_with_the_rest_of_a_frame() {
    let good = r#"{"T":"t","S":"SPY","i":1,"p":1.5,"s":1,"c":["@"],"z":"B","t":"2026-03-16T14:30:00Z"}"#;
    for (text, events, kind) in [
        (format!("[{good},{}", &good[..40]), 1, FaultKind::Truncated),
        (format!("[{good}"), 1, FaultKind::Truncated),
        (format!("[{good}] x"), 1, FaultKind::Trailing),
        (format!("[{good} {good}]"), 1, FaultKind::Syntax),
        (String::new(), 0, FaultKind::Truncated),
        ("<html>".into(), 0, FaultKind::Expected("a list")),
        (format!("[{}]", "[".repeat(64)), 0, FaultKind::TooDeep),
    ] {
        let (found, outcome) = stocks(&text);
        assert_eq!(outcome.map_err(|f| f.kind), Err(kind), "{text}");
        assert_eq!(self::events(found).len(), events, "{text}");
    }
}

#[test]
fn leniency() {
    // Keys in another order, unknown keys with nested values, unknown messages, a lone object, nulls.
    let text = r#"[{"r":{"T":"x","deep":[1,{"a":"]"}]},"t":"2026-03-16T10:30:00-04:00","as":1,"ap":2.5,"bs":3,"bp":null,"S":"SPY","T":"q"},
           {"T":"n","id":1,"headline":"a, b: {c}"},{"T":"zz"}]"#;
    let (found, outcome) = stocks(text);
    assert_eq!(outcome, Ok(1));
    let [Decoded::Event(MarketEvent::Quote(_, quote))] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((quote.bid, quote.ask.map(|l| l.price)), (None, Some(Price::from_cents(250))));
    let lone = r#"{"T":"success","msg":"connected"}"#;
    assert_eq!(stocks(lone), (vec![Decoded::Control(Control::Connected)], Ok(0)));
    // Crossed quotes are kept; zero is no price.
    let crossed = r#"[{"T":"q","S":"SPY","bp":3,"bs":1,"ap":2,"as":1,"t":"2026-03-16T14:30:00Z"},
           {"T":"q","S":"SPY","bp":0,"bs":0,"ap":2,"as":1,"t":"2026-03-16T14:30:00Z"}]"#;
    let found = self::events(stocks(crossed).0);
    let [MarketEvent::Quote(_, crossed), MarketEvent::Quote(_, half)] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert!(crossed.is_crossed() && half.bid.is_none() && half.ask.is_some());
    assert_eq!(stocks("[]"), (vec![], Ok(0)));
}

#[test]
fn an_underlying_is_no_symbol_of_the_option_stream() {
    let mut writer = FrameWriter::new(Encoding::MsgPack, DataFeed::Stocks);
    let quote = Quote { bid: None, ask: None, at: Timestamp::from_ns(0) };
    assert!(writer.push(&MarketEvent::Quote(Instrument::Stock(spy()), quote)));
    let (found, _) = read(writer.frame(), Encoding::MsgPack, DataFeed::Options);
    let [Decoded::Fault(fault)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(fault.kind, FaultKind::BadSymbol);
}

fn level_strategy() -> impl Strategy<Value = Option<Level>> {
    proptest::option::of(
        (1i64..1_000_000_000, any::<u32>())
            .prop_map(|(units, size)| Level { price: Price::from_units(units), size }),
    )
}

fn instrument_strategy(feed: DataFeed) -> BoxedStrategy<Instrument> {
    match feed {
        DataFeed::Stocks => {
            "[A-Z]{1,5}(\\.[AB])?".prop_map(|s| Instrument::Stock(s.parse().expect("short"))).boxed()
        }
        DataFeed::Options => ("[A-Z]{1,5}", 18_000i32..30_000, 1u32..99_999_999, any::<bool>())
            .prop_map(|(root, days, strike_mils, call)| {
                let right = if call { market::Right::Call } else { market::Right::Put };
                let expiry = market::Date::from_days(days);
                let root = root.parse().expect("short");
                Instrument::Option(Contract { root, expiry, strike_mils, right })
            })
            .boxed(),
    }
}

fn event_strategy(feed: DataFeed) -> impl Strategy<Value = MarketEvent> {
    let at = (0i64..4_000_000_000_000_000_000).prop_map(Timestamp::from_ns);
    let quote = (instrument_strategy(feed), level_strategy(), level_strategy(), at.clone())
        .prop_map(|(i, bid, ask, at)| MarketEvent::Quote(i, Quote { bid, ask, at }));
    let rules = prop_oneof![
        Just(SaleRule::Regular),
        Just(SaleRule::VolumeOnly),
        Just(SaleRule::NoLast),
        Just(SaleRule::Ignored)
    ];
    let ids = if feed == DataFeed::Stocks { 0..u64::MAX } else { 0..1 };
    let trade = (instrument_strategy(feed), 1i64..1_000_000_000, any::<u32>(), at.clone(), ids, rules)
        .prop_map(|(i, units, size, at, id, rule)| {
            MarketEvent::Trade(i, Trade { price: Price::from_units(units), size, at, id, rule })
        });
    match feed {
        DataFeed::Options => prop_oneof![quote, trade].boxed(),
        DataFeed::Stocks => {
            let symbol = || "[A-Z]{1,5}".prop_map(|s| s.parse::<Symbol>().expect("short"));
            let cancel =
                (symbol(), any::<u64>(), at.clone()).prop_map(|(s, id, at)| MarketEvent::Cancel(s, id, at));
            let status = (symbol(), any::<bool>(), at).prop_map(|(s, halted, at)| {
                let reason = Label::literal("LUDP");
                MarketEvent::Status(Instrument::Stock(s), Status { halted, reason, at })
            });
            prop_oneof![quote, trade, cancel, status].boxed()
        }
    }
}

fn batch() -> impl Strategy<Value = (Encoding, DataFeed, Vec<MarketEvent>)> {
    prop_oneof![
        Just((Encoding::Json, DataFeed::Stocks)),
        Just((Encoding::MsgPack, DataFeed::Stocks)),
        Just((Encoding::MsgPack, DataFeed::Options))
    ]
    .prop_flat_map(|(encoding, feed)| {
        proptest::collection::vec(event_strategy(feed), 0..40)
            .prop_map(move |events| (encoding, feed, events))
    })
}

fn written(encoding: Encoding, feed: DataFeed, events: &[MarketEvent]) -> Vec<u8> {
    let mut writer = FrameWriter::new(encoding, feed);
    for event in events {
        assert!(writer.push(event));
    }
    writer.frame().to_vec()
}

proptest! {
    #[test]
    fn what_a_server_writes_is_what_a_client_reads((encoding, feed, sent) in batch()) {
        let frame = written(encoding, feed, &sent);
        let (found, outcome) = read(&frame, encoding, feed);
        prop_assert_eq!(outcome, Ok(sent.len()));
        prop_assert_eq!(events(found), sent);
    }

    #[test]
    fn truncated_and_mutated_frames_never_panic(
        (encoding, feed, sent) in batch(), cut in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut frame = written(encoding, feed, &sent);
        for (place, byte) in changes {
            let place = place.index(frame.len());
            frame[place] = byte;
        }
        let (found, outcome) = read(&frame, encoding, feed);
        if let Ok(count) = outcome {
            prop_assert_eq!(events(found).len(), count);
        }
        frame.truncate(cut.index(frame.len()));
        let _ = read(&frame, encoding, feed);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for (encoding, feed) in [
            (Encoding::Json, DataFeed::Stocks),
            (Encoding::MsgPack, DataFeed::Stocks),
            (Encoding::MsgPack, DataFeed::Options),
        ] {
            let _ = read(&bytes, encoding, feed);
        }
    }

    /// Our scanner against a general parser: a frame both take means the same to both.
    #[test]
    fn agrees_with_serde_json(sent in proptest::collection::vec(event_strategy(DataFeed::Stocks), 1..10)) {
        let frame = written(Encoding::Json, DataFeed::Stocks, &sent);
        let general: serde_json::Value = serde_json::from_slice(&frame).expect("valid JSON");
        prop_assert_eq!(general.as_array().map(Vec::len), Some(sent.len()));
        let spaced = serde_json::to_vec_pretty(&general).expect("writes");
        prop_assert_eq!(events(read(&spaced, Encoding::Json, DataFeed::Stocks).0), sent);
    }
}
