//! What option mathematics costs, beside `implied-vol` and QuantLib on the same machine in the same run. QuantLib runs
//! in a small Python child that times itself; without it the ratios are left out and a line says so.

use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use market::quote::{Level, Quote};
use market::{Contract, Date, Price, Right, Symbol, Timestamp};
use pricing::american::Exercise;
use pricing::batch::{Columns, greeks_into};
use pricing::boundary::Method;
use pricing::chain::terms::{Liquidity, ParityRoom};
use pricing::chain::{Chain, Curve};
use pricing::dividends::{CashCurve, CashOption, Dividend, Resolution};
use pricing::european::{Terms, greeks};
use pricing::implied::{implied, implied_into};
use pricing::smile::{SmilePoint, fit};
use pricing::surface::Surface;
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
    // The next quote of a calm second: a thousandth.
    let near: Vec<f64> = vols.iter().map(|v| v * 1.001).collect();
    group.bench_function("warm from a thousandth away, with all Greeks", |b| {
        b.iter(|| {
            i = (i + 1) % 64;
            let vol = implied(rights[i], black_box(&terms), strikes[i], values[i], Some(near[i]));
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

fn american(c: &mut Criterion) {
    let mut group = c.benchmark_group("american");
    let method = Method::fast();
    let terms = terms();
    let (_, strikes, vols) = expiry(100);
    group.sample_size(30);
    group.bench_function("boundaries of an expiry, five volatilities", |b| {
        b.iter(|| Exercise::solve(&method, Right::Put, black_box(&terms), (0.1, 0.35), 5));
    });
    let puts = Exercise::solve(&method, Right::Put, &terms, (0.1, 0.35), 5);
    group.throughput(Throughput::Elements(100));
    group.bench_function("100 contracts, price and four Greeks, boundaries kept", |b| {
        b.iter(|| {
            strikes.iter().zip(&vols).map(|(k, v)| puts.greeks(black_box(&terms), *k, *v).vega).sum::<f64>()
        });
    });
    group.bench_function("100 contracts, price and four Greeks, boundaries solved", |b| {
        b.iter(|| {
            let puts = Exercise::solve(&method, Right::Put, black_box(&terms), (0.1, 0.35), 5);
            strikes.iter().zip(&vols).map(|(k, v)| puts.greeks(&terms, *k, *v).vega).sum::<f64>()
        });
    });
    let priced = strikes.iter().zip(&vols).map(|(k, v)| (*k, *v, puts.price(&terms, *k, *v)));
    let quotes: Vec<(f64, f64, f64)> = priced.filter(|(k, _, p)| *p > (k - 560.0).max(0.0) + 0.02).collect();
    group.throughput(Throughput::Elements(quotes.len() as u64));
    group.bench_function("implied volatility, warm", |b| {
        let found = |q: &(f64, f64, f64)| puts.implied(black_box(&terms), q.0, q.2, Some(q.1 * 1.01));
        b.iter(|| quotes.iter().filter_map(|q| found(q).ok()).sum::<f64>());
    });
    group.throughput(Throughput::Elements(1));
    let paid = [Dividend { years: 0.05, amount: 1.7 }];
    let option = CashOption {
        right: Right::Put,
        spot: 560.0,
        strike: 565.0,
        years: YEARS,
        rate: 0.04,
        dividend_yield: 0.0,
        vol: 0.18,
        dividends: &paid,
    };
    group.bench_function("cash dividend, solved", |b| {
        b.iter(|| CashCurve::solve(black_box(&option), Resolution::FAST));
    });
    if let Some(curve) = CashCurve::solve(&option, Resolution::FAST) {
        group
            .bench_function("cash dividend, read at a new spot", |b| b.iter(|| curve.read(black_box(561.0))));
    }
    group.finish();
}

const FILTER: Liquidity = Liquidity {
    relative_spread_max: 0.5,
    size_min: 1,
    open_interest_min: 0,
    volume_min: 0,
    age_max_ns: i64::MAX,
};

fn mid_quote(value: f64, at: Timestamp) -> Quote {
    let level = |dollars: f64| {
        let price = Price::nearest(dollars).filter(|p| *p > Price::ZERO)?;
        Some(Level { price, size: 20 })
    };
    Quote { bid: level(value - 0.02), ask: level(value + 0.02), at }
}

/// 2,000 contracts in ten expiries, all quoted, forwards and boundaries found.
fn full_chain(root: Symbol, now: Timestamp) -> (Chain, Vec<(Contract, Quote)>) {
    let today = now.new_york().0;
    let mut chain = Chain::with_curve(root, Curve { rate: 0.04, dividend_yield: 0.012 });
    chain.hear_spot(560.0);
    let mut quotes = Vec::new();
    for (week, i, right) in (1..=10)
        .flat_map(|w| (0..100u32).flat_map(move |i| [Right::Call, Right::Put].map(|right| (w, i, right))))
    {
        let expiry = today.plus(14 * week);
        let c = Contract { root, expiry, strike_mils: (460 + 2 * i) * 1000, right };
        let years = f64::from(expiry.days_since(today)) / 365.0;
        let strike = c.strike().dollars();
        let vol = 0.18 - 0.3 * (strike / 560.0f64).ln();
        let value = greeks(right, &Terms::new(560.0, years, 0.04, 0.012), strike, vol).price;
        // What is worth less than its exercise is nobody's quote.
        let sign = if right == Right::Call { 1.0 } else { -1.0 };
        let value = value.max(sign * (560.0 - strike) + 0.05);
        chain.quote(now, &c, &mid_quote(value, now));
        quotes.push((c, mid_quote(value, now)));
    }
    let mut room = ParityRoom::default();
    for expiry in (0..10).cycle().take(30) {
        chain.imply_terms(expiry, now, &FILTER, &mut room);
        for right in [Right::Call, Right::Put] {
            chain.solve_boundaries(expiry, right);
        }
        chain.settle(expiry);
    }
    (chain, quotes)
}

fn chain_and_surface(c: &mut Criterion) {
    let mut group = c.benchmark_group("chain");
    let now = Date::literal(2026, 3, 3).at_new_york(11 * 3600);
    for (name, root) in [("European", Symbol::literal("SPXW")), ("American", Symbol::literal("SPY"))] {
        let (mut chain, quotes) = full_chain(root, now);
        let mut up = false;
        group.bench_function(format!("2,000 {name} contracts re-marked after a move"), |b| {
            b.iter(|| {
                up = !up;
                chain.hear_spot(black_box(if up { 560.4 } else { 560.0 }));
                chain.remark(now);
            });
        });
        chain.hear_spot(560.0);
        chain.remark(now);
        let mut at = 0;
        group.bench_function(format!("one {name} quote"), |b| {
            b.iter(|| {
                at = (at + 7) % quotes.len();
                chain.quote(now, &quotes[at].0, black_box(&quotes[at].1))
            });
        });
        let mut room = ParityRoom::default();
        group.bench_function(format!("terms of an expiry, 200 {name} rows settled"), |b| {
            b.iter(|| chain.imply_terms(3, now, &FILTER, &mut room));
        });
    }
    // The baseline: every contract of the chain inverted and valued one by one, cold.
    let (chain, quotes) = full_chain(Symbol::literal("SPXW"), now);
    group.bench_function("2,000 contracts, implied-vol and Greeks one by one", |b| {
        b.iter(|| {
            let one = |(c, q): &(Contract, Quote)| {
                let e = chain.expiry_terms().iter().find(|e| e.date == c.expiry)?;
                let vol = implied(c.right, &e.terms, c.strike().dollars(), q.mid()?.dollars(), None).ok()?;
                Some(greeks(c.right, &e.terms, c.strike().dollars(), vol).delta)
            };
            black_box(&quotes).iter().filter_map(one).sum::<f64>()
        });
    });
    smiles(&mut group, &chain, now);
    group.finish();
}

fn smiles(group: &mut BenchmarkGroup<'_, WallTime>, chain: &Chain, now: Timestamp) {
    let terms = |expiry: usize| chain.expiry_terms()[expiry].terms;
    let (mut points, mut before) = (Vec::new(), Vec::new());
    chain.smile_points(3, now, &FILTER, &mut points);
    chain.smile_points(2, now, &FILTER, &mut before);
    let years = terms(3).years;
    let moved = |by: f64| -> Vec<SmilePoint> {
        let move_one = |(i, p): (usize, &SmilePoint)| p.vol + by * (1.0 + 0.5 * ((i % 7) as f64 - 3.0) / 3.0);
        points.iter().enumerate().map(|p| SmilePoint { vol: move_one(p), ..*p.1 }).collect()
    };
    // The next quotes lie a tenth of a volatility point up or down, give or take half of that.
    let quotes = [moved(0.0005), moved(-0.0005)];
    let mut i = 0;
    if let Some(last) = fit(&points, years, None, None) {
        group.bench_function(BenchmarkId::new("SVI refit, points", points.len()), |b| {
            b.iter(|| {
                i += 1;
                fit(black_box(&quotes[i % 2]), years, Some(&last.svi), None)
            });
        });
        group.bench_function(BenchmarkId::new("SVI from nothing, points", points.len()), |b| {
            b.iter(|| fit(black_box(&points), years, None, None));
        });
        let mut surface = Surface::new();
        surface.refit(&terms(2), &before);
        group.bench_function(
            BenchmarkId::new("expiry from nothing, above the one before, points", points.len()),
            |b| {
                b.iter_batched_ref(
                    || surface.clone(),
                    |s| s.refit(&terms(3), &points),
                    BatchSize::SmallInput,
                );
            },
        );
        surface.refit(&terms(3), &points);
        group.bench_function(
            BenchmarkId::new("expiry refit, above the one before, points", points.len()),
            |b| {
                b.iter(|| {
                    i += 1;
                    surface.refit(&terms(3), black_box(&quotes[i % 2]))
                });
            },
        );
    }
}

/// QuantLib on the same contracts: nanoseconds each of its closed form with five Greeks, its implied volatility, its
/// fast and its high-precision American price.
const QUANTLIB: &str = r#"
import time, QuantLib as ql
def best(f, n):
    t = 1e9
    for _ in range(5):
        s = time.perf_counter_ns()
        for _ in range(n): f()
        t = min(t, (time.perf_counter_ns() - s) / n)
    return t
day = ql.Date(2, 3, 2026); ql.Settings.instance().evaluationDate = day
dc = ql.Actual365Fixed(); flat = lambda x: ql.YieldTermStructureHandle(ql.FlatForward(day, x, dc))
process = ql.BlackScholesMertonProcess(ql.QuoteHandle(ql.SimpleQuote(560.0)), flat(0.012), flat(0.04),
    ql.BlackVolTermStructureHandle(ql.BlackConstantVol(day, ql.NullCalendar(), 0.18, dc)))
payoff = ql.PlainVanillaPayoff(ql.Option.Put, 565.0)
def european():
    c = ql.BlackCalculator(payoff, 561.4, 0.0533, 0.9965)
    return c.value(), c.delta(560.0), c.gamma(560.0), c.vega(0.0877), c.theta(560.0, 0.0877), c.rho(0.0877)
print("european price and five Greeks (Python calls included)", best(european, 2000))
print("implied volatility (Python call included)",
    best(lambda: ql.blackFormulaImpliedStdDev(ql.Option.Put, 565.0, 561.4, 14.0, 0.9965), 2000))
option = ql.VanillaOption(payoff, ql.AmericanExercise(day, day + 32))
for name, scheme in (("fast", ql.QdFpAmericanEngine.fastScheme()), ("high precision", ql.QdFpAmericanEngine.highPrecisionScheme())):
    option.setPricingEngine(ql.QdFpAmericanEngine(process, scheme))
    def price():
        option.recalculate(); return option.NPV()
    print("american price, QdFp " + name, best(price, 100 if name == "fast" else 20))
"#;

fn quantlib(_: &mut Criterion) {
    let child = std::process::Command::new("python3").args(["-c", QUANTLIB]).output();
    match child {
        Ok(out) if out.status.success() => {
            println!("QuantLib, nanoseconds each, same run:\n{}", String::from_utf8_lossy(&out.stdout));
        }
        _ => println!("QuantLib is missing (pip install QuantLib): no ratios to it"),
    }
}

criterion_group!(benches, quantlib, european, implied_volatility, american, chain_and_surface);
criterion_main!(benches);
