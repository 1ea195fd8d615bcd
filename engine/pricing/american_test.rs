//! American values against the golden sets, and what must hold for all of them.

use crate::american::Exercise;
use crate::boundary::Method;
use crate::dividends::{CashCurve, CashOption, Dividend, Resolution, cash_greeks};
use crate::european::{Terms, greeks};
use crate::golden_test::{Row, table};
use market::Right;
use proptest::prelude::*;

/// The value below which a share of the sorted errors lies.
fn quantile(errors: &mut [f64], share: f64) -> f64 {
    errors.sort_by(f64::total_cmp);
    errors[((errors.len() - 1) as f64 * share) as usize]
}

fn inputs(row: &Row) -> (Terms, f64, f64) {
    let [s, k, t, r, q, v] = ["S", "K", "T", "r", "q", "sigma"].map(|name| row.number(name));
    (Terms::new(s, t, r, q), k, v)
}

/// Errors of price per strike, delta, gamma, vega and theta in their natural scales.
fn errors(row: &Row, table: &Exercise) -> [f64; 5] {
    let (terms, k, v) = inputs(row);
    let g = table.greeks(&terms, k, v);
    let (s, root) = (terms.spot, terms.root);
    [
        (g.price - row.number("price")).abs() / k,
        (g.delta - row.number("delta")).abs(),
        (g.gamma - row.number("gamma")).abs() * s * v * root,
        (g.vega - row.number("vega")).abs() / (s.max(k) * root),
        (g.theta - row.number("theta")).abs()
            / (s.max(k) * (v / root + terms.rate.abs() + terms.dividend_yield)),
    ]
}

/// Price errors hold the bars of the issue; the Greeks have bars of their own (99th percentile and largest), the
/// largest gammas and thetas being those within a fiftieth of a deviation of the boundary, where gamma jumps.
fn hold(all: Vec<[f64; 5]>) {
    let bars = [(1e-5, 1e-4), (5e-5, 5e-4), (5e-4, 0.05), (5e-5, 2e-3), (5e-4, 0.05)];
    for (i, (usual, most)) in bars.into_iter().enumerate() {
        let mut column: Vec<f64> = all.iter().map(|e| e[i]).collect();
        let (q99, max) = (quantile(&mut column, 0.99), quantile(&mut column, 1.0));
        assert!(q99 <= usual && max <= most, "value {i}: 99 % {q99:e}, largest {max:e}");
    }
}

#[test]
fn the_fast_method_is_within_its_bars_at_the_volatility_itself() {
    let method = Method::fast();
    let of = |row: &Row| {
        let (terms, _, v) = inputs(row);
        errors(row, &Exercise::solve(&method, row.right(), &terms, (0.99 * v, 1.01 * v), 3))
    };
    hold(table("american/american.csv.gz").iter().map(of).collect());
}

#[test]
fn and_interpolated_between_volatilities() {
    let method = Method::fast();
    let of = |row: &Row| {
        let (terms, _, v) = inputs(row);
        errors(row, &Exercise::solve(&method, row.right(), &terms, (0.6 * v, 1.9 * v), 5))
    };
    hold(table("american/american.csv.gz").iter().map(of).collect());
}

#[test]
fn the_reference_method_is_far_closer() {
    let method = Method::reference();
    let rows = table("american/american.csv.gz");
    let mut found = Vec::new();
    for row in rows.iter().step_by(20) {
        let (terms, _, v) = inputs(row);
        found.push(errors(row, &Exercise::solve(&method, row.right(), &terms, (v, v), 1))[0]);
    }
    let (q95, max) = (quantile(&mut found, 0.95), quantile(&mut found, 1.0));
    assert!(q95 < 1e-8 && max < 2e-6, "95 % {q95:e}, largest {max:e}");
}

#[test]
fn boundaries_agree() {
    let method = Method::fast();
    let mut off = Vec::new();
    for row in table("american/american.csv.gz") {
        let (terms, k, v) = inputs(&row);
        let found = Exercise::solve(&method, row.right(), &terms, (v, v), 1).boundary(k, v);
        let known = row.number("exercise_boundary");
        match found {
            None => assert!(known == 0.0 || known == f64::INFINITY, "{row:?}"),
            Some(b) => off.push((b / known - 1.0).abs()),
        }
    }
    let (q99, max) = (quantile(&mut off, 0.99), quantile(&mut off, 1.0));
    assert!(q99 < 1e-3 && max < 2e-2, "{q99:e} {max:e}");
}

fn dividends(row: &Row) -> Vec<Dividend> {
    let parts = row.text("dividends_day:amount").split(';').filter(|t| !t.is_empty());
    let read = |t: &str| {
        let (day, amount) = t.split_once(':').expect("day:amount");
        let day: f64 = day.parse().expect("a day");
        Dividend { years: day / 365.0, amount: amount.parse().expect("an amount") }
    };
    parts.map(read).collect()
}

fn cash_option<'a>(row: &Row, dividends: &'a [Dividend]) -> CashOption<'a> {
    let [spot, strike, days, rate, q, vol] =
        ["S", "K", "days", "r", "q", "sigma"].map(|name| row.number(name));
    CashOption {
        right: row.right(),
        spot,
        strike,
        years: days / 365.0,
        rate,
        dividend_yield: q,
        vol,
        dividends,
    }
}

#[test]
fn cash_dividends_agree_with_extrapolated_finite_differences() {
    let rows = table("american/american_discrete_div.csv");
    let (mut prices, mut deltas) = (Vec::new(), Vec::new());
    // Every fourth: the debug build takes its time. All 200 were measured in docs/options.md.
    for row in rows.iter().step_by(4) {
        let paid = dividends(row);
        let g = cash_greeks(&cash_option(row, &paid), Resolution::FAST).expect("a market");
        prices.push((g.price - row.number("price")).abs() / row.number("K"));
        deltas.push((g.delta - row.number("fd_delta")).abs());
    }
    assert!(quantile(&mut prices, 0.98) < 1e-5 && quantile(&mut prices, 1.0) < 2e-5, "{:?}", prices.last());
    assert!(quantile(&mut deltas, 1.0) < 1e-3, "{:?}", deltas.last());
}

#[test]
fn a_cash_curve_is_read_at_other_spots_as_if_solved_there() {
    let paid = [Dividend { years: 0.1, amount: 1.5 }];
    let at = |spot, right| CashOption {
        right,
        spot,
        strike: 100.0,
        years: 0.3,
        rate: 0.05,
        dividend_yield: 0.0,
        vol: 0.25,
        dividends: &paid,
    };
    for right in [Right::Call, Right::Put] {
        let curve = CashCurve::solve(&at(100.0, right), Resolution::FAST).expect("a market");
        for spot in [85.0, 98.0, 103.0, 118.0] {
            let (read, solved) =
                (curve.read(spot), cash_greeks(&at(spot, right), Resolution::FAST).expect("a market"));
            assert!((read.price - solved.price).abs() < 2e-3, "{spot} {read:?} {solved:?}");
            assert!((read.delta - solved.delta).abs() < 2e-3, "{spot}");
        }
    }
}

#[test]
fn limits_and_nonsense() {
    let method = Method::fast();
    let terms = Terms::new(90.0, 0.0, 0.05, 0.0);
    let expired = Exercise::solve(&method, Right::Put, &terms, (0.1, 0.5), 4);
    assert_eq!(expired.greeks(&terms, 100.0, 0.2).price, 10.0);
    let terms = Terms::new(90.0, 0.5, 0.05, 0.0);
    let puts = Exercise::solve(&method, Right::Put, &terms, (0.1, 0.5), 5);
    assert!(puts.greeks(&terms, f64::NAN, 0.2).price.is_nan());
    assert_eq!(puts.greeks(&terms, 200.0, 0.2).price, 110.0, "deep in the money: exercised");
    assert_eq!(puts.greeks(&terms, 200.0, 0.2).delta, -1.0);
    assert!(puts.greeks(&terms, 100.0, 0.0).price == 10.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn american_values_are_consistent(
        m in 0.7f64..1.4, t in 0.02f64..2.0, v in 0.1f64..0.8, r in 0.0f64..0.08, q in 0.0f64..0.06, call: bool,
    ) {
        let right = if call { Right::Call } else { Right::Put };
        let terms = Terms::new(100.0 * m, t, r, q);
        let exercise = Exercise::solve(&Method::fast(), right, &terms, (0.06, 1.2), 7);
        let value = |k: f64, v: f64| exercise.price(&terms, k, v);
        let g = exercise.greeks(&terms, 100.0, v);
        prop_assert!(g.price >= greeks(right, &terms, 100.0, v).price - 1e-3);
        let intrinsic = if call { terms.spot - 100.0 } else { 100.0 - terms.spot };
        prop_assert!(g.price >= intrinsic);
        prop_assert!(value(100.0, v + 0.02) >= g.price - 1e-3);
        prop_assert!(value(98.0, v) - 2.0 * g.price + value(102.0, v) >= -4e-3, "convex in strike");
        let up = exercise.price(&terms.at_spot(terms.spot * 1.0005), 100.0, v);
        let down = exercise.price(&terms.at_spot(terms.spot * 0.9995), 100.0, v);
        prop_assert!((g.delta - (up - down) / (0.001 * terms.spot)).abs() < 5e-3, "{} {}", g.delta, up - down);
        if g.vega > 1.0 {
            for previous in [None, Some(v * 1.04)] {
                let back = exercise.implied(&terms, 100.0, g.price, previous).expect("has time value");
                prop_assert!((back - v).abs() < 1e-5, "{back} {v}");
            }
        }
    }
}
