//! European values against sixty digits, against finite differences, and against each other.

use crate::batch::{Columns, greeks_into};
use crate::european::{Greeks, Terms, black76, greeks, years_from_seconds};
use crate::golden_test::{Row, table};
use market::Right;
use proptest::prelude::*;

fn inputs(row: &Row) -> (Terms, f64, f64) {
    let [s, k, t, r, q, v] = ["S", "K", "T", "r", "q", "sigma"].map(|name| row.number(name));
    (Terms::new(s, t, r, q), k, v)
}

/// The natural scale of each value, as the golden README gives it.
fn scales(terms: &Terms, k: f64, v: f64) -> [(&'static str, f64); 9] {
    let (s, root) = (terms.spot, terms.root);
    let d1 = ((s / k).ln() + (terms.rate - terms.dividend_yield) * terms.years) / (v * root) + 0.5 * v * root;
    let d2 = d1 - v * root;
    let most = s.max(k);
    [
        ("delta", 1.0),
        ("gamma", 1.0 / (s * v * root)),
        ("vega", s * root),
        ("theta", most * (v / root + terms.rate.abs() + terms.dividend_yield.abs())),
        ("rho", most * terms.years),
        ("vanna", 1.0 + d2.abs() / v),
        ("volga", s * root * (1.0 + (d1 * d2).abs()) / v),
        ("charm", 1.0 / terms.years),
        ("price", most),
    ]
}

fn named(g: &Greeks, name: &str) -> f64 {
    match name {
        "delta" => g.delta,
        "gamma" => g.gamma,
        "vega" => g.vega,
        "theta" => g.theta,
        "rho" => g.rho,
        "vanna" => g.vanna,
        "volga" => g.volga,
        "charm" => g.charm,
        _ => g.price,
    }
}

fn check(row: &Row, found: &Greeks) {
    let (terms, k, v) = inputs(row);
    let deviation = v * terms.root;
    for (name, scale) in scales(&terms, k, v) {
        let error = (named(found, name) - row.number(name)).abs();
        let allowed = match name {
            "price" => 1e-14 * scale,
            _ if deviation >= 0.01 => 1e-12 * scale,
            _ => 1e-9 * scale,
        };
        assert!(error <= allowed, "{name} off by {error:e}, allowed {allowed:e}: {row:?}");
    }
    let known = row.number("price");
    if known > 1e-12 * terms.spot && deviation >= 0.01 {
        assert!((found.price / known - 1.0).abs() < 1e-9, "relative: {row:?} {}", found.price);
    }
}

#[test]
fn scalar_and_batch_agree_with_sixty_digits() {
    let rows = table("european/european.csv.gz");
    assert_eq!(rows.len(), 6500);
    let mut columns = Columns::missing(1);
    for row in &rows {
        let (terms, k, v) = inputs(row);
        let found = greeks(row.right(), &terms, k, v);
        check(row, &found);
        greeks_into(&terms, &[row.right()], &[k], &[v], &mut columns, 0);
        assert_eq!(columns.row(0), found, "a batch gives the same bits");
    }
}

#[test]
fn batches_of_every_length_give_the_scalar_bits() {
    let terms = Terms::new(560.0, 0.1, 0.04, 0.012);
    for n in [0, 1, 7, 63, 64, 65, 200] {
        let strikes: Vec<f64> = (0..n).map(|i| 400.0 + 2.0 * f64::from(i)).collect();
        let vols: Vec<f64> = (0..n).map(|i| 0.1 + 0.003 * f64::from(i)).collect();
        let rights: Vec<Right> = (0..n).map(|i| if i % 3 == 0 { Right::Put } else { Right::Call }).collect();
        let mut columns = Columns::missing(n as usize + 2);
        greeks_into(&terms, &rights, &strikes, &vols, &mut columns, 1);
        for i in 0..n as usize {
            assert_eq!(columns.row(i + 1), greeks(rights[i], &terms, strikes[i], vols[i]));
        }
        assert!(columns.price[0].is_nan() && columns.price[n as usize + 1].is_nan(), "neighbours untouched");
    }
    let mut columns = Columns::missing(3);
    let rights = [Right::Put; 3];
    greeks_into(&terms, &rights, &[-1.0, 500.0, 500.0], &[0.2, f64::NAN, 0.2], &mut columns, 0);
    assert!(columns.price[0].is_nan() && columns.speed[1].is_nan() && columns.price[2] > 0.0);
}

#[test]
fn limits_are_limits() {
    for row in table("european/limits.csv") {
        let (terms, k, v) = inputs(&row);
        let g = greeks(row.right(), &terms, k, v);
        let scale = terms.spot.max(k);
        assert!((g.price - row.number("price_limit")).abs() <= 1e-13 * scale, "{row:?} {g:?}");
        if row.text("note") != "kink" {
            assert!((g.delta - row.number("delta_limit")).abs() <= 1e-12, "{row:?} {g:?}");
        }
        for name in ["delta", "gamma", "vega", "theta", "rho", "vanna", "volga", "charm"] {
            assert!(named(&g, name).is_finite(), "{name} {row:?}");
        }
        assert!(g.speed.is_finite());
    }
    let bad = Terms::new(-1.0, 0.1, 0.0, 0.0);
    assert!(greeks(Right::Call, &bad, 100.0, 0.2).price.is_nan());
    assert!(greeks(Right::Call, &Terms::new(100.0, 0.1, 0.0, 0.0), 100.0, f64::NAN).delta.is_nan());
    assert!(greeks(Right::Call, &Terms::new(100.0, -0.1, 0.0, 0.0), 100.0, 0.2).delta.is_nan());
}

#[test]
fn the_last_second_has_no_nan_and_ends_in_the_payoff() {
    for seconds in [3600.0, 60.0, 1.0, 0.001, 1e-9, 0.0, -5.0] {
        let terms = Terms::new(560.0, years_from_seconds(seconds), 0.04, 0.012);
        for strike in [1.0, 559.99, 560.0, 560.01, 5600.0] {
            for right in [Right::Call, Right::Put] {
                let g = greeks(right, &terms, strike, 0.2);
                let all =
                    [g.price, g.delta, g.gamma, g.vega, g.theta, g.rho, g.vanna, g.volga, g.charm, g.speed];
                assert!(all.iter().all(|v| v.is_finite()), "{seconds} s, {strike}: {g:?}");
                let payoff = (crate::european::sign_of(right) * (560.0 - strike)).max(0.0);
                assert!((g.price - payoff).abs() < 0.5 * seconds.max(0.0).sqrt() + 1e-9, "{seconds} {g:?}");
            }
        }
    }
}

#[test]
fn black76_is_the_formula_on_a_forward() {
    let (f, k, t, v, r) = (102.0, 100.0, 0.5, 0.25, 0.03);
    let g = black76(Right::Call, f, k, t, v, r);
    let up = |f: f64, r: f64| black76(Right::Call, f, k, t, v, r).price;
    assert!((g.delta - (up(f + 1e-3, r) - up(f - 1e-3, r)) / 2e-3).abs() < 1e-8);
    assert!((g.rho - (up(f, r + 1e-5) - up(f, r - 1e-5)) / 2e-5).abs() < 1e-6);
    let spot = Terms::new(f * (-r * t).exp(), t, r, 0.0);
    assert!((g.price - greeks(Right::Call, &spot, k, v).price).abs() < 1e-12);
}

/// A central difference of five points.
fn slope(step: f64, f: impl Fn(f64) -> f64) -> f64 {
    (8.0 * (f(step) - f(-step)) - (f(2.0 * step) - f(-2.0 * step))) / (12.0 * step)
}

proptest! {
    #[test]
    fn greeks_are_the_slopes_of_the_price(
        s in 20.0f64..2000.0, m in -2.0f64..2.0, t in 0.02f64..2.0, v in 0.08f64..1.0,
        r in -0.01f64..0.08, q in 0.0f64..0.06, call: bool,
    ) {
        let right = if call { Right::Call } else { Right::Put };
        let k = s * (m * v * t.sqrt()).exp();
        let at = |s: f64, t: f64, v: f64, r: f64| greeks(right, &Terms::new(s, t, r, q), k, v);
        let g = at(s, t, v, r);
        let (ds, dt, dv) = (1e-3 * s * v * t.sqrt(), 1e-3 * t, 1e-3 * v);
        let near = |found: f64, known: f64, scale: f64| (found - known).abs() <= 1e-7 * scale;
        let gamma_scale = 1.0 / (s * v * t.sqrt());
        prop_assert!(near(g.delta, slope(ds, |e| at(s + e, t, v, r).price), 1.0));
        prop_assert!(near(g.gamma, slope(ds, |e| at(s + e, t, v, r).delta), gamma_scale));
        prop_assert!(near(g.speed, slope(ds, |e| at(s + e, t, v, r).gamma), gamma_scale * gamma_scale));
        prop_assert!(near(g.vega, slope(dv, |e| at(s, t, v + e, r).price), s * t.sqrt()));
        prop_assert!(near(g.theta, -slope(dt, |e| at(s, t + e, v, r).price), s * (v / t.sqrt() + 0.1)));
        prop_assert!(near(g.rho, slope(1e-5, |e| at(s, t, v, r + e).price), 10.0 * s * t));
        prop_assert!(near(g.vanna, slope(dv, |e| at(s, t, v + e, r).delta), 1.0 + 4.0 / v));
        prop_assert!(near(g.volga, slope(dv, |e| at(s, t, v + e, r).vega), 10.0 * s * t.sqrt() / v));
        prop_assert!(near(g.charm, -slope(dt, |e| at(s, t + e, v, r).delta), 3.0 / t));
    }

    #[test]
    fn no_arbitrage_between_contracts(
        s in 20.0f64..2000.0, k in 0.5f64..1.8, t in 0.0f64..2.0, v in 0.0f64..1.5,
        r in -0.01f64..0.08, q in 0.0f64..0.06,
    ) {
        let terms = Terms::new(s, t, r, q);
        let k = s * k;
        let call = |k: f64, v: f64| greeks(Right::Call, &terms, k, v).price;
        let put = |k: f64| greeks(Right::Put, &terms, k, v).price;
        let small = 1e-12 * s;
        prop_assert!((call(k, v) - put(k) - (terms.spot_leg - k * terms.discount)).abs() <= small);
        let h = 0.02 * s;
        prop_assert!(call(k + h, v) <= call(k, v) + small && put(k + h) >= put(k) - small);
        prop_assert!(call(k - h, v) - 2.0 * call(k, v) + call(k + h, v) >= -small, "convex in strike");
        prop_assert!(call(k, v + 0.01) >= call(k, v) - small, "monotone in volatility");
    }
}
