//! What one option value, delta and implied volatility cost.

use criterion::{Criterion, criterion_group, criterion_main};
use market::Right;
use std::hint::black_box;

fn options(c: &mut Criterion) {
    let mut group = c.benchmark_group("option");
    let strikes: Vec<f64> = (0..64).map(|i| 480.0 + 2.5 * f64::from(i)).collect();
    let mut i = 0;
    let mut next = move || {
        i = (i + 1) % 64;
        i
    };
    let ks = strikes.clone();
    group.bench_function("price", |b| {
        b.iter(|| pricing::price(Right::Put, black_box(560.0), ks[next()], 0.0877, 0.18, 0.04, 0.012));
    });
    let ks = strikes.clone();
    group.bench_function("delta", |b| {
        b.iter(|| pricing::delta(Right::Put, black_box(560.0), ks[next()], 0.0877, 0.18, 0.04, 0.012));
    });
    let values: Vec<f64> =
        strikes.iter().map(|k| pricing::price(Right::Put, 560.0, *k, 0.0877, 0.18, 0.04, 0.012)).collect();
    group.bench_function("implied_volatility", |b| {
        b.iter(|| {
            let i = next();
            pricing::implied_volatility(
                Right::Put,
                values[i],
                black_box(560.0),
                strikes[i],
                0.0877,
                0.04,
                0.012,
            )
        });
    });
    group.finish();
}

criterion_group!(benches, options);
criterion_main!(benches);
