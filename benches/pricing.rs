//! What option mathematics costs, beside `implied-vol` and QuantLib on the same machine in the same run. QuantLib runs
//! in a small Python child that times itself; without it the ratios are left out and a line says so.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use market::{Contract, Date, Right, Symbol};
use pricing::american::Exercise;
use pricing::batch::{Columns, greeks_into};
use pricing::boundary::Method;
use pricing::chain::{Chain, Liquidity, RowQuote};
use pricing::dividends::{CashCurve, CashOption, Dividend, Resolution};
use pricing::european::{Terms, greeks};
use pricing::implied::{implied, implied_into};
use pricing::smile::fit;
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

fn chain_and_surface(c: &mut Criterion) {
    let mut group = c.benchmark_group("chain");
    let today = Date::literal(2026, 3, 2);
    let years = |date: Date| f64::from(date.days_since(today)) / 365.0;
    let contract = |week: i32, i: u32, right| Contract {
        root: Symbol::literal("SPY"),
        expiry: today.plus(14 * week),
        strike_mils: (460 + 2 * i) * 1000,
        right,
    };
    let all = (1..=10).flat_map(|w| (0..100).flat_map(move |i| [Right::Call, Right::Put].map(|r| (w, i, r))));
    let contracts = all.map(|(w, i, r)| contract(w, i, r)).collect();
    let mut chain = Chain::new(contracts, |date| Terms::new(560.0, years(date), 0.04, 0.012));
    let quote = |chain: &Chain, row: usize, at_ns| {
        let c = chain.contract(row);
        let strike = c.strike().dollars();
        let vol = 0.18 - 0.3 * (strike / 560.0).ln();
        let value = greeks(c.right, &Terms::new(560.0, years(c.expiry), 0.04, 0.012), strike, vol).price;
        RowQuote { bid: Some(value - 0.02), ask: Some(value + 0.02), bid_size: 20, ask_size: 20, at_ns }
    };
    for row in 0..chain.len() {
        let first = quote(&chain, row, 0);
        chain.update(row, first);
    }
    let mut up = false;
    group.bench_function("2,000 contracts re-marked after a move", |b| {
        b.iter(|| {
            up = !up;
            chain.move_spot(black_box(if up { 561.0 } else { 560.0 }));
        });
    });
    chain.move_spot(560.0);
    let again = quote(&chain, 500, 1);
    group.bench_function("one quote", |b| b.iter(|| chain.update(500, black_box(again))));
    let filter = Liquidity {
        relative_spread_max: 0.5,
        size_min: 1,
        open_interest_min: 0,
        volume_min: 0,
        age_max_ns: 10,
    };
    let mut points = Vec::new();
    chain.smile_points(3, 1, &filter, &mut points);
    let years = chain.expiries()[3].terms.years;
    if let Some(last) = fit(&points, years, None, None) {
        points.iter_mut().enumerate().for_each(|(i, p)| p.vol += 0.001 * ((i % 7) as f64 - 2.0) / 3.0);
        group.bench_function(BenchmarkId::new("smile refit, points", points.len()), |b| {
            b.iter(|| fit(black_box(&points), years, Some(&last.svi), None));
        });
        group.bench_function(BenchmarkId::new("smile from nothing, points", points.len()), |b| {
            b.iter(|| fit(black_box(&points), years, None, None));
        });
    }
    group.finish();
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
