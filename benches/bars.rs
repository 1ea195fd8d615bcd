//! A trade into all ten forming bars, bars really closing: a session of 6.5 hours with a million trades, against the
//! naive way of updating ten bars on every trade. Indicators are left out; `analysis` measures them.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use indicators::bars::{Bars, Closings};
use indicators::grid::{Day, Span};
use market::quote::{Bar, SaleRule, Timeframe, Trade};
use market::{Date, Money, Price, Timestamp, session};
use std::hint::black_box;

const TRADES: i64 = 1_000_000;
const TODAY: Date = Date::literal(2025, 6, 18);

/// Trades spread over the session, with the prices of a walk and the sizes of a tape.
fn session_of_trades() -> Vec<Trade> {
    let session = session::session(TODAY).expect("a session");
    let step = session.close.since(session.open) / TRADES;
    let (mut cents, mut state) = (50_000i64, 0x9e37_79b9_7f4a_7c15u64);
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    (0..TRADES)
        .map(|n| {
            cents += draw(3) as i64 - 1;
            let at = session.open + n * step + draw(step as u64) as i64;
            let rule = if draw(20) == 0 { SaleRule::VolumeOnly } else { SaleRule::Regular };
            Trade { price: Price::from_cents(cents), size: 1 + draw(400) as u32, at, id: n as u64 + 1, rule }
        })
        .collect()
}

/// Counts what closes; what a caller does with it is its own cost.
struct Count(u64);

impl Closings for Count {
    fn closed(&mut self, _: Timeframe, bar: &Bar, _: &Day) {
        self.0 += bar.volume;
    }
}

fn ours(trades: &[Trade]) -> u64 {
    let mut bars = Bars::new();
    let mut count = Count(0);
    for trade in trades {
        if bars.begins_session(trade.at, trade.at) {
            bars.begin_session(trade.at, &mut count);
        }
        bars.trade(trade.at, trade, &mut count);
    }
    count.0
}

/// One of ten bars, updated with every trade.
#[derive(Clone, Copy)]
struct Naive {
    span: Span,
    bar: Bar,
}

impl Naive {
    fn begin(day: &Day, timeframe: Timeframe, trade: &Trade) -> Self {
        let span = day.span(timeframe, trade.at);
        let price = trade.price;
        let bar = Bar {
            start: span.start,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 0,
            trades: 0,
            turnover: Money::ZERO,
            repaired: false,
        };
        Self { span, bar }
    }

    fn take(&mut self, trade: &Trade) {
        if trade.rule == SaleRule::Regular {
            self.bar.high = self.bar.high.max(trade.price);
            self.bar.low = self.bar.low.min(trade.price);
            self.bar.close = trade.price;
        }
        self.bar.volume += u64::from(trade.size);
        self.bar.trades += 1;
        self.bar.turnover = self.bar.turnover.saturating_add(trade.price.times(i64::from(trade.size)));
    }
}

/// The same work the obvious way: ten bars, each told of every trade. It drops no repeats, knows no late trades and
/// takes nothing back.
fn naive(trades: &[Trade]) -> u64 {
    let day = Day::of(TODAY).expect("a session");
    let mut bars = Timeframe::ALL.map(|timeframe| Naive::begin(&day, timeframe, &trades[0]));
    let mut volume = 0;
    for trade in trades {
        for (bar, timeframe) in bars.iter_mut().zip(Timeframe::ALL) {
            if trade.at >= bar.span.end {
                volume += bar.bar.volume;
                *bar = Naive::begin(&day, timeframe, trade);
            }
            bar.take(trade);
        }
    }
    volume + black_box(bars)[0].bar.volume
}

fn benches(c: &mut Criterion) {
    let trades = session_of_trades();
    let mut group = c.benchmark_group("bars");
    group.throughput(Throughput::Elements(TRADES as u64)).sample_size(20);
    group.bench_function("million_trades_ten_forming_bars", |b| b.iter(|| ours(black_box(&trades))));
    group.bench_function("million_trades_ten_bars_naive", |b| b.iter(|| naive(black_box(&trades))));
    group.finish();
    corrections(c, &trades);
}

/// A late trade and a cancel, and the rebuild of a whole session of minutes they share.
fn corrections(c: &mut Criterion, trades: &[Trade]) {
    let mut bars = Bars::new();
    let mut count = Count(0);
    bars.begin_session(trades[0].at, &mut count);
    trades.iter().for_each(|trade| _ = bars.trade(trade.at, trade, &mut count));
    let now: Timestamp = trades[trades.len() - 1].at;
    let mut group = c.benchmark_group("bars");
    group.bench_function("cancel_in_the_forming_minute", |b| {
        let id = trades[trades.len() - 500].id;
        b.iter_batched_ref(|| bars.clone(), |bars| bars.cancel(now, id), BatchSize::LargeInput);
    });
    group.bench_function("rebuild_of_390_minutes", |b| {
        b.iter_batched_ref(|| bars.clone(), |bars| bars.rebuild(&mut Count(0)), BatchSize::LargeInput);
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
