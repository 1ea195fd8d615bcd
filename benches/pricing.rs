//! What option mathematics costs, beside `implied-vol` and QuantLib on the same machine in the same run. QuantLib runs
//! in a small Python child that times itself; without it the ratios are left out and a line says so.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use market::Right;
use pricing::batch::{Columns, greeks_into};
use pricing::european::{Terms, greeks};
use pricing::implied::{implied, implied_into};
use std::hint::black_box;

const YEARS: f64 = 0.0877;

fn terms() -> Terms {
    Terms::new(560.0, YEARS, 0.04, 0.012)
}

/// An expiry of `n` strikes from -15 % to +15 %, puts below and calls above, with a smile.
fn expiry(n: usize) -> (Vec<Right>, Vec<f64>, Vec<f64>) {
    let strikes: Vec<f64> = (0..n).map(|i| 480.0 + 160.0 * i as f64 / n as f64).collect();
    let rights = strikes.iter().map(|k| if *k < 560.0 { Right::Put } else { Right::Call }).collect();
    let vols = strikes.iter().map(|k| 0.18 - 0.4 * (k / 560.0).ln()).collect();
    (rights, strikes, vols)
}

fn european(c: &mut Criterion) {
    let mut group = c.benchmark_group("european");
    let (rights, strikes, vols) = expiry(64);
    let terms = terms();
    let mut i = 0;
    group.bench_function("price and nine Greeks, one", |b| {
        b.iter(|| {
            i = (i + 1) % 64;
            greeks(rights[i], black_box(&terms), strikes[i], vols[i])
        });
    });
    for n in [64, 256] {
        let (rights, strikes, vols) = expiry(n);
        let mut out = Columns::missing(n);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("batch", n), |b| {
            b.iter(|| greeks_into(black_box(&terms), &rights, &strikes, &vols, &mut out, 0));
        });
    }
    group.finish();
}

fn implied_volatility(c: &mut Criterion) {
    let mut group = c.benchmark_group("implied");
    let (rights, strikes, vols) = expiry(64);
    let terms = terms();
    let values: Vec<f64> = (0..64).map(|i| greeks(rights[i], &terms, strikes[i], vols[i]).price).collect();
    let mut i = 0;
    group.bench_function("cold", |b| {
        b.iter(|| {
            i = (i + 1) % 64;
            implied(rights[i], black_box(&terms), strikes[i], values[i], None)
        });
    });
    group.bench_function("cold, implied-vol alone", |b| {
        b.iter(|| {
            i = (i + 1) % 64;
            implied_vol::ImpliedBlackVolatility::builder()
                .option_price(black_box(values[i] / terms.discount))
                .forward(terms.forward())
                .strike(strikes[i])
                .expiry(YEARS)
                .is_call(rights[i] == Right::Call)
                .build()
                .and_then(|p| p.calculate::<implied_vol::DefaultSpecialFn>())
        });
    });
    // A quote moves by a few hundredths of its volatility at most.
    let previous: Vec<f64> =
        vols.iter().enumerate().map(|(i, v)| v * (0.98 + 0.01 * (i % 5) as f64)).collect();
    group.bench_function("warm with all Greeks", |b| {
        b.iter(|| {
            i = (i + 1) % 64;
            let vol = implied(rights[i], black_box(&terms), strikes[i], values[i], Some(previous[i]));
            greeks(rights[i], &terms, strikes[i], vol.unwrap_or(f64::NAN))
        });
    });
    let mut out = Columns::missing(64);
    let mut found = previous.clone();
    group.throughput(Throughput::Elements(64));
    group.bench_function("batch of 64, warm", |b| {
        b.iter(|| {
            found.copy_from_slice(&previous);
            implied_into(black_box(&terms), &rights, &strikes, &values, &mut found);
        });
    });
    group.bench_function("batch of 64, warm with all Greeks", |b| {
        b.iter(|| {
            found.copy_from_slice(&previous);
            implied_into(black_box(&terms), &rights, &strikes, &values, &mut found);
            greeks_into(&terms, &rights, &strikes, &found, &mut out, 0);
        });
    });
    group.finish();
}

criterion_group!(benches, european, implied_volatility);
criterion_main!(benches);
