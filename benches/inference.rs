//! What one plan and ten plans of one model cost, batch one, on one thread: our kernels, and tract as the baseline of
//! the same run. (Ten models of different weights: `kernels.rs`.)

use criterion::{Criterion, criterion_group, criterion_main};
use forecast::Plan;
use std::hint::black_box;

fn plans(c: &mut Criterion) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/onnx/good/mlp_32_64_32_3.onnx");
    let bytes = std::fs::read(path).expect("golden file in the repository");
    let compiled = onnx::compile(&bytes, 32, &onnx::Limits::TABULAR).expect("a good model");
    let mut ten: Vec<Box<dyn Plan>> = (0..10).map(|_| compiled.spawn()).collect();
    let row: Vec<f32> = (0..32).map(|i| i as f32 / 16.0 - 1.0).collect();
    let mut out = [0.0; 3];
    // The kernels count more operations of this model than tract does: between the two only tract takes it.
    let only_tract = onnx::Limits { operations_max: 4_500, ..onnx::Limits::TABULAR };
    let mut tract = onnx::compile(&bytes, 32, &only_tract).expect("a good model").spawn();
    let mut group = c.benchmark_group("mlp 32-64-32-3");
    group.bench_function("tract", |b| b.iter(|| tract.predict(black_box(&row), &mut out)));
    group.bench_function("one plan", |b| b.iter(|| ten[0].predict(black_box(&row), &mut out)));
    group.bench_function("ten plans", |b| {
        b.iter(|| {
            for plan in &mut ten {
                // A fault would show in the tests; here only the time matters.
                let _ = plan.predict(black_box(&row), &mut out);
            }
        });
    });
    group.bench_function("load", |b| {
        b.iter(|| onnx::compile(black_box(&bytes), 32, &onnx::Limits::TABULAR));
    });
    group.finish();
}

criterion_group!(benches, plans);
criterion_main!(benches);
