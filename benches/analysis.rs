//! What a tick costs in bars, indicators and the feature rows of all ten timeframes, against computing every
//! indicator again from its history.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use indicators::analysis::Analysis;
use indicators::candle::Candle;
use indicators::features;
use indicators::set::IndicatorSet;
use indicators::table::periods;
use market::quote::{Bar, Level, Quote, SaleRule, Timeframe, Trade};
use market::time::{MINUTE, MS};
use market::{Date, Price, Timestamp, session};
use std::hint::black_box;

const TODAY: Date = Date::literal(2025, 6, 18);
/// Bars of history a naive computation starts from: the warm-up of the slowest indicator.
const HISTORY: usize = 61;
const TICKS: i64 = 1_000;

fn bar(start: Timestamp, n: i64) -> Bar {
    let price = Price::from_cents(50_000 + (n * 37 % 211) - (n * 11 % 97));
    Bar {
        start,
        open: price,
        high: price + Price::from_cents(9),
        low: price - Price::from_cents(12),
        close: price + Price::from_cents(3),
        volume: 1_000 + (n as u64 * 7 % 400),
        trades: 10,
        turnover: price.times(1_000),
        repaired: false,
    }
}

/// Ten years of days, five sessions of minutes and today's first hour.
fn seeded() -> (Analysis, Timestamp) {
    let mut analysis = Analysis::new();
    for n in 0..2_520 {
        let date = session::offset(TODAY, n - 2_520).map(|s| s.date).expect("in the calendar");
        analysis.seed(Timeframe::Day1, &bar(date.midnight_utc(), i64::from(n)));
    }
    for day in -5..=0 {
        let open = session::offset(TODAY, day).expect("in the calendar").open;
        for minute in 0..if day == 0 { 60 } else { 390 } {
            analysis.seed(Timeframe::Min1, &bar(open + minute * MINUTE, minute));
        }
    }
    (analysis, session::session(TODAY).expect("a session").open + 60 * MINUTE)
}

fn trade(at: Timestamp, i: i64) -> Trade {
    Trade {
        price: Price::from_cents(50_000 + (i * 37 % 41)),
        size: 10,
        at,
        id: i as u64 + 1,
        rule: SaleRule::Regular,
    }
}

fn quote(at: Timestamp, i: i64) -> Quote {
    let level =
        |cents: i64| Some(Level { price: Price::from_cents(50_000 + (i * 37 % 41) + cents), size: 3 });
    Quote { bid: level(-1), ask: level(1), at }
}

fn rows(analysis: &mut Analysis) -> f32 {
    Timeframe::ALL.iter().map(|timeframe| analysis.features(*timeframe)[8]).sum()
}

fn naive_rows(histories: &[Vec<Candle>], forming: &[Candle]) -> f32 {
    let mut sum = 0.0;
    for timeframe in Timeframe::ALL {
        let mut set = IndicatorSet::new(periods(timeframe));
        histories[timeframe.index()].iter().for_each(|candle| set.update(candle));
        sum += features::row(timeframe, &set, &forming[timeframe.index()], 0.0).0[8];
    }
    sum
}

fn benches(c: &mut Criterion) {
    let (ready, start) = seeded();
    let mut group = c.benchmark_group("analysis");
    group.throughput(Throughput::Elements(TICKS as u64));
    let per_tick = |tick: fn(&mut Analysis, Timestamp, i64) -> f32| {
        let ready = ready.clone();
        move |b: &mut criterion::Bencher| {
            b.iter_batched_ref(
                || ready.clone(),
                |analysis| (0..TICKS).map(|i| tick(analysis, start + i * 50 * MS, i)).sum::<f32>(),
                BatchSize::LargeInput,
            );
        }
    };
    group.bench_function(
        "1000_trades_bars_only",
        per_tick(|a, at, i| f32::from(a.on_trade(at, &trade(at, i)).0)),
    );
    group.bench_function(
        "1000_trades_ten_rows_each",
        per_tick(|a, at, i| {
            a.on_trade(at, &trade(at, i));
            rows(a)
        }),
    );
    group.bench_function(
        "1000_quotes_ten_rows_each",
        per_tick(|a, at, i| {
            a.on_quote(at, &quote(at, i));
            rows(a)
        }),
    );
    group.finish();
    naive(c, &ready);
}

fn naive(c: &mut Criterion, ready: &Analysis) {
    let day = TODAY.days();
    let histories: Vec<Vec<Candle>> = Timeframe::ALL
        .iter()
        .map(|_| (0..HISTORY).map(|n| Candle::from_bar(&bar(TODAY.midnight_utc(), n as i64), day)).collect())
        .collect();
    let candle = |t: &Timeframe| {
        let last = ready.last_closed(*t).copied();
        Candle::from_bar(&ready.bar(*t).or(last).expect("seeded"), day)
    };
    let forming: Vec<Candle> = Timeframe::ALL.iter().map(candle).collect();
    c.bench_function("naive/1_tick_ten_rows", |b| b.iter(|| naive_rows(black_box(&histories), &forming)));
}

criterion_group!(all, benches);
criterion_main!(all);
