//! What an ensemble takes to combine ten members, on one thread: each rule, what a council adds to its arithmetic, how long
//! it takes to see that a row is unlike any a model was taught, and a calibration. The baseline is the arithmetic alone, as
//! it was before there were councils.

use criterion::{Criterion, criterion_group, criterion_main};
use forecast::council::Answers;
use forecast::ensemble::Rule;
use forecast::{Calibration, Council, Ensemble, Odds, Reference};
use indicators::FEATURES;
use indicators::features::{Missing, Row};
use market::Timestamp;
use market::quote::Timeframe;
use std::hint::black_box;

const ROWS: usize = 1024;

/// Numbers between 0 and 1, the same for the same seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }

    fn odds(&mut self) -> Odds {
        let row: [f32; 3] = std::array::from_fn(|_| 0.05 + self.next());
        let sum: f32 = row.iter().sum();
        Odds::from_row(row.map(|p| p / sum))
    }
}

fn members() -> Vec<[Option<Odds>; Timeframe::COUNT]> {
    let mut dice = Dice(1);
    (0..ROWS).map(|_| std::array::from_fn(|_| Some(dice.odds()))).collect()
}

fn full(rule: Rule) -> Ensemble {
    Ensemble { rule, ..Ensemble::shipped("full").expect("shipped") }
}

fn combining(c: &mut Criterion) {
    let members = members();
    let mut at = 0;
    let mut group = c.benchmark_group("ten members combined");
    for (name, rule) in [("mean of odds", Rule::WeightedMean), ("mean of logits", Rule::MeanOfLogits)] {
        let ensemble = full(rule);
        group.bench_function(format!("{name}, arithmetic alone"), |b| {
            b.iter(|| {
                at = (at + 1) % ROWS;
                ensemble.combine(black_box(&members[at]))
            });
        });
    }
    let calibration = Calibration::Platt { slope: [0.9; 3], offset: [0.1, 0.0, -0.1] };
    let stale = {
        let mut ensemble = full(Rule::WeightedMean);
        ensemble.members.iter_mut().for_each(|member| member.stale_ns = Some(1_000_000_000));
        ensemble
    };
    let calibrated = Ensemble { calibration: Some(calibration), ..full(Rule::WeightedMean) };
    for (name, ensemble) in [
        ("mean of odds, council", full(Rule::WeightedMean)),
        ("mean of logits, council", full(Rule::MeanOfLogits)),
        ("by skill, council", full(Rule::BySkill)),
        ("majority, council", full(Rule::Majority)),
        ("mean of odds, council with staleness limits", stale),
        ("mean of odds, council, calibrated", calibrated),
    ] {
        let mut council = Council::new(ensemble);
        let (now, times) = (Timestamp::from_seconds(1), [Timestamp::from_seconds(1); Timeframe::COUNT]);
        group.bench_function(name, |b| {
            b.iter(|| {
                at = (at + 1) % ROWS;
                council.combine(now, Answers { odds: black_box(&members[at]), at: &times })
            });
        });
    }
    group.finish();
}

fn distance(c: &mut Criterion) {
    let mut dice = Dice(2);
    let rows: Vec<Row> =
        (0..ROWS).map(|_| std::array::from_fn::<f32, FEATURES, _>(|_| dice.next())).collect();
    let known = rows.iter().map(|row| (row.as_slice(), Missing::NONE));
    let hull = Reference::fit(known).expect("rows").hull();
    let mut at = 0;
    let mut group = c.benchmark_group("is a row unlike training");
    for (name, missing) in
        [("nothing missing", Missing::NONE), ("three missing", Missing::from_bits(0b1_0100_1000))]
    {
        group.bench_function(name, |b| {
            b.iter(|| {
                at = (at + 1) % ROWS;
                hull.is_outside(black_box(&rows[at]), missing)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, combining, distance);
criterion_main!(benches);
