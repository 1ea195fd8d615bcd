//! What a search costs: thirty structures against one chain of two thousand contracts; and beside it the same strikes picked
//! the plain way, each leg by itself looking at every contract of its expiry. Once with the deltas the chain holds, as the
//! search has them too, and once with a volatility and a delta computed for each contract looked at, as it would be
//! without a marked chain. Neither prices or judges what it finds; the search does.

use criterion::{Criterion, criterion_group, criterion_main};
use market::order::Side;
use market::quote::{Level, Quote};
use market::session::{session, year_fraction};
use market::time::SECOND;
use market::{Contract, Date, Label, Price, Right, Symbol, Timestamp};
use pricing::chain::Curve;
use std::hint::black_box;
use strategy::Chain;
use strategy::search::{Finder, Settings, liquid_mid};
use strategy::structures::{Days, Expiry, Holds, LegTemplate, Pick, Structure, View, Width};

const SPY: Symbol = Symbol::literal("SPY");
const SPOT: f64 = 560.0;
const DAY: Date = Date::literal(2026, 3, 16);
/// Ten expiries of a hundred strikes, both rights: two thousand contracts.
const EXPIRIES: [Date; 10] = [
    Date::literal(2026, 3, 20),
    Date::literal(2026, 3, 27),
    Date::literal(2026, 4, 2),
    Date::literal(2026, 4, 10),
    Date::literal(2026, 4, 17),
    Date::literal(2026, 4, 24),
    Date::literal(2026, 5, 1),
    Date::literal(2026, 5, 15),
    Date::literal(2026, 5, 22),
    Date::literal(2026, 6, 18),
];

fn now() -> Timestamp {
    DAY.at_new_york(11 * 3600)
}

fn years(expiry: Date) -> f64 {
    year_fraction(now(), session(expiry).expect("a session").close)
}

fn chain() -> Chain {
    let mut chain = Chain::with_curve(SPY, Curve { rate: 0.04, dividend_yield: 0.012 });
    chain.hear_spot(SPOT);
    for expiry in EXPIRIES {
        for strike in (0..100).map(|i| 510_000 + 1_000 * i) {
            for right in [Right::Call, Right::Put] {
                let contract = Contract { root: SPY, expiry, strike_mils: strike, right };
                let k = contract.strike().dollars();
                let vol = 0.18 - 0.4 * (k / SPOT).ln();
                let value = pricing::price(right, SPOT, k, years(expiry), vol, 0.04, 0.012);
                let half = (value * 0.01).max(0.01);
                let level = |dollars: f64| {
                    let price = Price::from_cents((dollars * 100.0).round() as i64);
                    (price > Price::ZERO).then_some(Level { price, size: 20 })
                };
                let quote = Quote { bid: level(value - half), ask: level(value + half), at: now() };
                chain.quote(now(), &contract, &quote);
                chain.open_interest(&contract, 500);
            }
        }
    }
    chain
}

fn leg(name: &str, side: Side, right: Right, pick: Pick) -> LegTemplate {
    let holds = Holds::Option { right, expiry: Expiry::Shared, pick };
    LegTemplate { name: Label::literal(name), side, ratio: 1, holds }
}

fn delta(target: f64) -> Pick {
    Pick::Delta { target, tolerance: 0.1 }
}

fn width(from: &str, dollars: i64) -> Pick {
    let by = Width::Dollars { dollars: Price::from_cents(dollars * 100), tolerance: Price::from_cents(200) };
    Pick::Width { from: Label::literal(from), by }
}

/// Six kinds, five times each with other deltas. `reward_min` is out of reach: every search goes all the way through
/// every expiry.
fn structures() -> Vec<Structure> {
    use {Right::*, Side::*};
    let kinds = |d: f64| {
        let later = Days { min: 14, target: 28, max: 42 };
        let far = LegTemplate {
            holds: Holds::Option {
                right: Call,
                expiry: Expiry::After { leg: Label::literal("near"), days: later },
                pick: Pick::SameStrike(Label::literal("near")),
            },
            ..leg("far", Buy, Call, delta(d))
        };
        [
            vec![leg("a", Sell, Put, delta(d)), leg("b", Buy, Put, width("a", -5))],
            vec![leg("a", Sell, Call, delta(d)), leg("b", Buy, Call, width("a", 5))],
            vec![
                leg("a", Sell, Put, delta(d)),
                leg("b", Buy, Put, width("a", -5)),
                leg("c", Sell, Call, delta(d)),
                leg("d", Buy, Call, width("c", 5)),
            ],
            vec![leg("a", Buy, Call, delta(0.5)), leg("b", Sell, Call, delta(d))],
            vec![leg("a", Buy, Put, delta(0.5)), leg("b", Sell, Put, delta(d))],
            vec![leg("near", Sell, Call, delta(d)), far],
        ]
    };
    let name = Label::literal("x");
    let days = Days { min: 20, target: 32, max: 50 };
    let of = |legs| Structure {
        name,
        description: String::new(),
        view: View::Neutral,
        days,
        reward_min: 1e9,
        legs,
    };
    [0.15, 0.2, 0.25, 0.3, 0.35].into_iter().flat_map(kinds).map(of).collect()
}

fn settings() -> Settings {
    Settings {
        spread_max_bps: 1000,
        spread_floor: Price::from_cents(5),
        age_max_ns: 30 * SECOND,
        open_interest_min: 100,
        rate: 0.04,
        dividend_yield: 0.012,
    }
}

/// Where the plain way has its deltas from.
#[derive(Clone, Copy)]
enum Deltas {
    Marked,
    Inverted,
}

impl Deltas {
    fn of(self, chain: &Chain, row: &strategy::chain::Listed, mid: f64) -> Option<f64> {
        let Contract { right, expiry, .. } = row.contract;
        match self {
            Self::Marked => chain.delta(&row.contract),
            Self::Inverted => {
                let (k, t) = (row.contract.strike().dollars(), years(expiry));
                let vol = pricing::implied_volatility(right, mid, SPOT, k, t, 0.04, 0.012).ok()?;
                Some(pricing::delta(right, SPOT, k, t, vol, 0.04, 0.012))
            }
        }
    }
}

/// The strikes of one structure on one expiry, each leg by itself; nothing is priced or judged.
fn plainly(structure: &Structure, chain: &Chain, expiry: Date, settings: &Settings, deltas: Deltas) -> usize {
    let mut strikes: Vec<Option<Price>> = Vec::new();
    for template in &structure.legs {
        let Holds::Option { right, pick, .. } = template.holds else { continue };
        let rows = || chain.strikes(expiry, right).iter();
        let tradeable = |row: &&strategy::chain::Listed| liquid_mid(chain, row, now(), settings).is_some();
        let nearest = |wanted: Price| {
            let off = |row: &&strategy::chain::Listed| (row.contract.strike() - wanted).abs();
            rows().filter(tradeable).min_by_key(off).map(|row| row.contract.strike())
        };
        let base = |from: &Label| structure.place(from).and_then(|i| strikes[i]);
        let found = match pick {
            Pick::Delta { target, .. } => {
                let off = |row: &strategy::chain::Listed| {
                    let mid = liquid_mid(chain, row, now(), settings)?.dollars();
                    Some((deltas.of(chain, row, mid)?.abs() - target).abs())
                };
                let all = rows().filter_map(|row| off(row).map(|off| (off, row.contract.strike())));
                all.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, strike)| strike)
            }
            Pick::Width { from, by: Width::Dollars { dollars, .. } } => {
                base(&from).and_then(|base| nearest(base + dollars))
            }
            Pick::SameStrike(from) => base(&from).and_then(nearest),
            _ => None,
        };
        strikes.push(found);
    }
    strikes.iter().flatten().count()
}

fn searches(c: &mut Criterion) {
    let (chain, structures, settings) = (chain(), structures(), settings());
    assert_eq!((chain.len(), structures.len()), (2000, 30));
    let spot = Price::nearest(SPOT).expect("in range");
    let mut finder = Finder::new();
    let mut group = c.benchmark_group("search");
    group.bench_function("30 structures, 2,000 contracts", |b| {
        b.iter(|| {
            let mut round = finder.begin(black_box(&chain), SPY, spot, now(), 1, &settings);
            structures.iter().filter(|s| round.candidate(s).is_ok()).count()
        });
    });
    group.bench_function("one structure, 2,000 contracts", |b| {
        b.iter(|| {
            let mut round = finder.begin(black_box(&chain), SPY, spot, now(), 1, &settings);
            round.candidate(&structures[2]).is_ok()
        });
    });
    // Three expiries, as above; the legs are found and nothing is done with them.
    let expiries = [Date::literal(2026, 4, 10), Date::literal(2026, 4, 17), Date::literal(2026, 4, 24)];
    for (name, deltas) in [
        ("the same strikes the plain way, deltas of the chain", Deltas::Marked),
        ("the same strikes the plain way, each contract inverted", Deltas::Inverted),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let of = |s: &Structure| -> usize {
                    expiries.iter().map(|e| plainly(s, black_box(&chain), *e, &settings, deltas)).sum()
                };
                structures.iter().map(of).sum::<usize>()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, searches);
criterion_main!(benches);
