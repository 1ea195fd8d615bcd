//! Structures against exact rationals, calendars against sixty digits, margins against the rule book.

use crate::european::{Terms, greeks};
use crate::golden_test::file;
use crate::structure::*;
use crate::touch::probability_of_touch;
use market::Right;
use serde_json::Value;

fn number(v: &Value) -> f64 {
    match v.as_str() {
        Some("inf") => f64::INFINITY,
        _ => v.as_f64().expect("a number"),
    }
}

fn legs(v: &Value, vol: &Value, years: f64) -> Vec<StructureLeg> {
    let read = |l: &Value| {
        let shares = number(&l["qty"]) * l["multiplier"].as_f64().unwrap_or(1.0);
        let price = number(&l["price"]);
        let right = if l["kind"] == "call" { Right::Call } else { Right::Put };
        let kind = match l["strike"].as_f64() {
            Some(strike) => Kind::Option { right, strike, years, vol: vol.as_f64().unwrap_or(0.2) },
            None => Kind::Stock,
        };
        StructureLeg { kind, shares, bid: price, ask: price }
    };
    v.as_array().expect("legs").iter().map(read).collect()
}

fn extreme(e: Extreme) -> f64 {
    match e {
        Extreme::Limited(x) => x,
        Extreme::Unlimited => f64::INFINITY,
    }
}

fn same(a: f64, b: f64, allowed: f64) -> bool {
    a == b || (a - b).abs() <= allowed
}

#[test]
fn agrees_with_exact_rationals() {
    let all: Value = serde_json::from_slice(&file("payoffs/payoffs.json.gz")).expect("JSON");
    let mut seen = 0;
    for v in all["structures"].as_array().expect("a list") {
        let market = &v["market"];
        let [s, t, r, q, vol] = ["S0", "T", "r", "q", "sigma"].map(|n| number(&market[n]));
        let set = legs(&v["legs"], &market["sigma"], t);
        let name = format!("{} {}", v["id"], v["family"]);
        let strike = |l: &StructureLeg| if let Kind::Option { strike, .. } = l.kind { strike } else { s };
        let gross: f64 = set.iter().map(|l| l.shares.abs() * strike(l)).sum();
        let allowed = 1e-9 * gross;
        let cost = net(&set, 0.0);
        assert!(same(cost, number(&v["net_cost"]), allowed), "{name}");
        let profile = Profile::new(&set, cost).expect("one expiry");
        assert!(same(extreme(profile.max_profit()), number(&v["max_profit"]), allowed), "{name}");
        assert!(same(extreme(profile.max_loss()), number(&v["max_loss"]), allowed), "{name}");
        let known: Vec<f64> = v["breakevens"].as_array().expect("list").iter().map(number).collect();
        let found = profile.breakevens();
        assert_eq!(found.len(), known.len(), "{name}: {found:?} {known:?}");
        assert!(found.iter().zip(&known).all(|(f, k)| same(*f, *k, 1e-9 * k.max(1.0))), "{name}");
        for pair in v["payoff"].as_array().expect("pairs") {
            assert!(same(profile.at(number(&pair[0])), number(&pair[1]), allowed), "{name} {pair}");
        }
        let law = Lognormal::of(&Terms::new(s, t, r, q), vol);
        let odds = profile.probability_of_profit(&law);
        assert!(same(odds, number(&v["prob_profit"]), 1e-12), "{name}: {odds} {}", v["prob_profit"]);
        assert!(same(profile.expected(&law), number(&v["expected_pnl"]), allowed), "{name}");
        if let Some(worst) = v["margin"]["spread_requirement_excl_premium"].as_f64()
            && v["margin"]["defined_risk"] == true
            && extreme(profile.max_loss()).is_finite()
            && set
                .iter()
                .filter(|l| matches!(l.kind, Kind::Option { right: Right::Put, .. }))
                .map(|l| l.shares)
                .sum::<f64>()
                >= 0.0
        {
            assert!(same(reg_t_margin(&set, s, NakedRates::STOCK), worst, allowed), "{name}");
        }
        seen += 1;
    }
    assert_eq!(seen, 500);
}

#[test]
fn calendars_at_the_front_expiry_agree() {
    let all: Value = serde_json::from_slice(&file("payoffs/calendars.json")).expect("JSON");
    let list = all["structures"].as_array().expect("a list");
    assert_eq!(list.len(), 50);
    list.iter().for_each(calendar);
}

fn calendar(v: &Value) {
    let right = if v["kind"] == "call" { Right::Call } else { Right::Put };
    let front = number(&v["front"]["days"]) / 365.0;
    let leg = |part: &Value, years, vol| StructureLeg {
        kind: Kind::Option { right, strike: number(&part["strike"]), years, vol },
        shares: number(&part["qty"]) * number(&v["multiplier"]),
        bid: number(&part["price"]),
        ask: number(&part["price"]),
    };
    let later = front + number(&v["back"]["T_remaining"]);
    let vol = number(&v["back"]["sigma_at_front_expiry"]);
    let set = [leg(&v["front"], front, vol), leg(&v["back"], later, vol)];
    assert!(Profile::new(&set, 0.0).is_none(), "two expiries have no single profile");
    let cost = net(&set, 0.0);
    for pair in v["pnl_at_front_expiry"].as_array().expect("pairs") {
        let spot = number(&pair[0]);
        let found = value_at(&set, spot, front, number(&v["r"]), number(&v["q"])) - cost;
        let notional = 100.0 * number(&v["qty"]).abs() * number(&v["S0"]);
        assert!(same(found, number(&pair[1]), 1e-9 * notional), "{} at {spot}: {found} {}", v["id"], pair[1]);
    }
}

#[test]
fn margins_of_the_rule_book() {
    let option = |right, strike, years, contracts: f64, price| StructureLeg {
        kind: Kind::Option { right, strike, years, vol: 0.2 },
        shares: 100.0 * contracts,
        bid: price,
        ask: price,
    };
    let stock = StructureLeg { kind: Kind::Stock, shares: 100.0, bid: 100.0, ask: 100.0 };
    let (call, put) = (Right::Call, Right::Put);
    let table: [(&str, Vec<StructureLeg>, f64); 9] = [
        ("naked call", vec![option(call, 105.0, 0.1, -1.0, 1.5)], 150.0 + 1500.0),
        ("naked put far out", vec![option(put, 80.0, 0.1, -1.0, 0.2)], 20.0 + 800.0),
        (
            "strangle: the greater side and the other premium",
            vec![option(call, 105.0, 0.1, -1.0, 1.5), option(put, 95.0, 0.1, -1.0, 1.2)],
            1650.0 + 120.0,
        ),
        ("vertical", vec![option(put, 95.0, 0.1, -1.0, 2.0), option(put, 90.0, 0.1, 1.0, 1.0)], 500.0),
        (
            "iron condor: the wider side",
            vec![
                option(put, 95.0, 0.1, -1.0, 2.0),
                option(put, 90.0, 0.1, 1.0, 1.0),
                option(call, 105.0, 0.1, -1.0, 2.0),
                option(call, 108.0, 0.1, 1.0, 1.0),
            ],
            500.0,
        ),
        ("calendar", vec![option(call, 100.0, 0.1, -1.0, 2.0), option(call, 100.0, 0.2, 1.0, 3.0)], 0.0),
        (
            "long leg expires first: naked",
            vec![option(call, 100.0, 0.1, 1.0, 2.0), option(call, 100.0, 0.2, -1.0, 3.0)],
            300.0 + 2000.0,
        ),
        ("diagonal", vec![option(call, 100.0, 0.1, -1.0, 2.0), option(call, 104.0, 0.2, 1.0, 2.0)], 400.0),
        ("covered call", vec![stock, option(call, 105.0, 0.1, -1.0, 1.5)], 5000.0),
    ];
    for (name, set, wanted) in table {
        let found = reg_t_margin(&set, 100.0, NakedRates::STOCK);
        assert!((found - wanted).abs() < 1e-9, "{name}: {found}, not {wanted}");
    }
}

#[test]
fn prices_odds_and_greeks() {
    let option = |right, strike, shares, bid, ask| StructureLeg {
        kind: Kind::Option { right, strike, years: 0.1, vol: 0.2 },
        shares,
        bid,
        ask,
    };
    let set = [option(Right::Put, 95.0, -100.0, 1.0, 1.2), option(Right::Put, 90.0, 100.0, 0.4, 0.5)];
    assert!((net(&set, 0.0) + 65.0).abs() < 1e-9 && (net(&set, 1.0) + 50.0).abs() < 1e-9);
    assert!((net(&set, 0.5) + 57.5).abs() < 1e-9);
    let terms = Terms::new(100.0, 0.1, 0.03, 0.0);
    let one = |k| greeks(Right::Put, &terms, k, 0.2);
    let g = structure_greeks(&set, 100.0, 0.03, 0.0);
    assert!((g.vega - 100.0 * (one(90.0).vega - one(95.0).vega)).abs() < 1e-9);
    assert!((g.price - value_at(&set, 100.0, 0.0, 0.03, 0.0)).abs() < 1e-9);
    assert!((value_at(&set, 92.0, 0.1, 0.03, 0.0) + 300.0).abs() < 1e-9);
    let touch = probability_of_touch(&terms, 95.0, 0.2);
    let beyond = 1.0 - Lognormal::of(&terms, 0.2).above(95.0);
    assert!(touch > 1.8 * beyond && touch < 2.3 * beyond, "{touch} {beyond}");
    assert_eq!(probability_of_touch(&terms, 100.0, 0.2), 1.0);
    let profile = Profile::new(&set, net(&set, 0.0)).expect("one expiry");
    let forecast = Outcomes(vec![(100.0, 0.7), (85.0, 0.3)]);
    assert!((profile.probability_of_profit(&forecast) - 0.7).abs() < 1e-12);
    assert!((profile.expected(&forecast) - (0.7 * 65.0 - 0.3 * 435.0)).abs() < 1e-9);
}

proptest::proptest! {
    /// A covered set of one expiry asks under Regulation T what it can lose when nothing was paid for it, whatever its
    /// strikes; with the longs of the next expiry it never asks less than nothing, and never more than naked.
    #[test]
    fn reg_t_is_the_worst_loss_of_what_is_covered(
        strikes in proptest::collection::vec(50u32..150, 2..5),
        calls in proptest::collection::vec(proptest::bool::ANY, 4),
        later in proptest::bool::ANY,
    ) {
        // Every short has a long of its right.
        let set: Vec<StructureLeg> = strikes
            .chunks_exact(2)
            .zip(&calls)
            .flat_map(|(pair, call)| {
                let right = if *call { Right::Call } else { Right::Put };
                [(pair[0], -100.0, 0.1), (pair[1], 100.0, if later { 0.2 } else { 0.1 })].map(|(k, shares, years)| {
                    let kind = Kind::Option { right, strike: f64::from(k), years, vol: 0.2 };
                    StructureLeg { kind, shares, bid: 1.0, ask: 1.0 }
                })
            })
            .collect();
        let asked = reg_t_margin(&set, 100.0, NakedRates::STOCK);
        if later {
            let apart: f64 = strikes.chunks_exact(2).zip(&calls).map(|(pair, call)| {
                let up = f64::from(pair[1]) - f64::from(pair[0]);
                100.0 * (if *call { up } else { -up }).max(0.0)
            }).sum();
            proptest::prop_assert!(asked >= 0.0 && asked <= apart + 1e-9, "{} {}", asked, apart);
        } else {
            let worst = extreme(Profile::new(&set, 0.0).expect("one expiry").max_loss()).max(0.0);
            proptest::prop_assert!((asked - worst).abs() < 1e-9, "{} {}", asked, worst);
        }
    }
}

#[test]
fn the_best_spot_of_several_expiries_may_be_none_at_all() {
    use crate::structure::{Extreme, best_at_first_expiry};
    let put = |strike, shares, years| StructureLeg {
        kind: Kind::Option { right: Right::Put, strike, years, vol: 0.2 },
        shares,
        bid: 0.0,
        ask: 0.0,
    };
    // Two later puts for one near one: worth the most when nothing is left of the underlying.
    let set = [put(90.0, -100.0, 0.1), put(80.0, 200.0, 0.2)];
    let Some(Extreme::Limited(most)) = best_at_first_expiry(&set, 100.0, 0.05, 0.0) else {
        panic!("limited")
    };
    let known = 200.0 * 80.0 * libm::exp(-0.05 * 0.1) - 100.0 * 90.0;
    assert!((most - known).abs() < 1e-9 * known, "{most} {known}");
}
