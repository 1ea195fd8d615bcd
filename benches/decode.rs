//! Decoding market data: nanoseconds per quote and per trade, in both encodings, one element a frame and a
//! hundred. `serde_json` and `simd-json` read the same JSON in the same run, so that ratios travel between
//! machines better than nanoseconds do.

use alpaca::decode::decode;
use alpaca::encode::FrameWriter;
use alpaca::wire::{DataFeed, Decoded, Encoding};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use market::quote::{Level, MarketEvent, Quote, SaleRule, Trade};
use market::{Contract, Instrument, Price, Symbol, Timestamp};
use serde::Deserialize;
use std::hint::black_box;

/// The quote as general parsers read it; what they cannot do (fixed point, time) is done after them.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(rename = "S")]
    symbol: &'a str,
    bp: f64,
    bs: u32,
    ap: f64,
    #[serde(rename = "as")]
    ask_size: u32,
    t: &'a str,
}

impl Row<'_> {
    fn event(&self) -> Option<MarketEvent> {
        let level = |dollars, size| Some(Level { price: Price::nearest(dollars)?, size });
        let at = Timestamp::parse_rfc3339(self.t.as_bytes())?;
        let quote = Quote { bid: level(self.bp, self.bs), ask: level(self.ap, self.ask_size), at };
        Some(MarketEvent::Quote(Instrument::Stock(self.symbol.parse().ok()?), quote))
    }
}

fn instrument(feed: DataFeed) -> Instrument {
    match feed {
        DataFeed::Stocks => Instrument::Stock(Symbol::literal("SPY")),
        DataFeed::Options => {
            Instrument::Option(Contract::parse_occ(b"SPY260417P00560000").expect("an OCC symbol"))
        }
    }
}

fn quote(feed: DataFeed, n: i64) -> MarketEvent {
    let at = Timestamp::from_ns(1_773_671_400_123_456_789 + n * 1_003);
    let level = |cents, size| Some(Level { price: Price::from_cents(cents), size });
    let quote = Quote { bid: level(56_631 + n % 50, 300), ask: level(56_633 + n % 50, 500), at };
    MarketEvent::Quote(instrument(feed), quote)
}

fn trade(feed: DataFeed, n: i64) -> MarketEvent {
    let at = Timestamp::from_ns(1_773_671_400_123_456_789 + n * 1_003);
    let price = Price::from_cents(56_632 + n % 50);
    let trade = Trade { price, size: 100, at, id: 41_207 + n as u64, rule: SaleRule::Regular };
    MarketEvent::Trade(instrument(feed), trade)
}

/// Makes the n-th event of a feed.
type Make = fn(DataFeed, i64) -> MarketEvent;

fn frame(encoding: Encoding, feed: DataFeed, count: i64, make: Make) -> Vec<u8> {
    let mut writer = FrameWriter::new(encoding, feed);
    (0..count).for_each(|n| assert!(writer.push(&make(feed, n))));
    writer.frame().to_vec()
}

fn ours(frame: &[u8], encoding: Encoding, feed: DataFeed) -> usize {
    let mut sum = 0;
    let count = decode(black_box(frame), encoding, feed, &mut |found| {
        if let Decoded::Event(event) = found {
            sum += usize::from(black_box(event).at().is_some());
        }
    });
    assert_eq!(count, Ok(sum));
    sum
}

fn decoding(criterion: &mut Criterion) {
    let kinds: [(&str, Encoding, DataFeed, Make); 5] = [
        ("stock quote, JSON", Encoding::Json, DataFeed::Stocks, quote),
        ("stock trade, JSON", Encoding::Json, DataFeed::Stocks, trade),
        ("stock quote, MessagePack", Encoding::MsgPack, DataFeed::Stocks, quote),
        ("option quote, MessagePack", Encoding::MsgPack, DataFeed::Options, quote),
        ("option trade, MessagePack", Encoding::MsgPack, DataFeed::Options, trade),
    ];
    for count in [1i64, 100] {
        let mut group = criterion.benchmark_group(format!("decode {count} a frame"));
        group.throughput(Throughput::Elements(count as u64));
        for (name, encoding, feed, make) in kinds {
            let bytes = frame(encoding, feed, count, make);
            group.bench_function(name, |b| b.iter(|| ours(&bytes, encoding, feed)));
        }
        let bytes = frame(Encoding::Json, DataFeed::Stocks, count, quote);
        group.bench_function("stock quote, JSON, serde_json", |b| {
            b.iter(|| {
                let rows: Vec<Row> = serde_json::from_slice(black_box(&bytes)).expect("valid");
                rows.iter().filter_map(|r| black_box(r.event())).count()
            });
        });
        group.bench_function("stock quote, JSON, simd-json", |b| {
            let mut scratch = Vec::new();
            b.iter(|| {
                scratch.clear();
                scratch.extend_from_slice(black_box(&bytes));
                let rows: Vec<Row> = simd_json::from_slice(&mut scratch).expect("valid");
                rows.iter().filter_map(|r| black_box(r.event())).count()
            });
        });
        group.finish();
    }
}

fn encoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode 100 a frame");
    group.throughput(Throughput::Elements(100));
    for (name, encoding) in [("JSON", Encoding::Json), ("MessagePack", Encoding::MsgPack)] {
        let mut writer = FrameWriter::new(encoding, DataFeed::Stocks);
        let events: Vec<MarketEvent> = (0..100).map(|n| quote(DataFeed::Stocks, n)).collect();
        group.bench_function(format!("stock quote, {name}"), |b| {
            b.iter(|| {
                writer.clear();
                for event in &events {
                    writer.push(black_box(event));
                }
                black_box(writer.frame().len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decoding, encoding);
criterion_main!(benches);
