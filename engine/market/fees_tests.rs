//! Fees against amounts worked out by hand from the published rates.

use super::*;
use crate::Symbol;
use proptest::prelude::*;

fn rate(kind: FeeKind, on: &[Class], from: &str, basis: Basis, nanos: i64) -> Rate {
    let on = on.iter().copied().collect();
    let from = from.parse().expect("a date");
    Rate { kind, on, side: None, effect: None, from, basis, nanos, cap_nanos: None }
}

/// The rates of market-facts.md, section 3.2, as far as the tests need them.
fn schedule() -> Schedule {
    use Class::{Delivery, Option, Stock};
    let sells = |r: Rate| Rate { side: Some(Side::Sell), ..r };
    let capped = |r: Rate, cap| Rate { cap_nanos: Some(cap), ..r };
    let rates = vec![
        rate(FeeKind::Orf, &[Option], "2025-01-01", Basis::Unit, 25_000_000),
        capped(rate(FeeKind::Occ, &[Option], "2013-01-01", Basis::Unit, 20_000_000), 55_000_000_000),
        rate(FeeKind::Occ, &[Option], "2025-12-01", Basis::Unit, 0),
        rate(FeeKind::Occ, &[Option], "2026-01-01", Basis::Unit, 25_000_000),
        sells(rate(FeeKind::Section31, &[Stock, Delivery, Option], "2024-05-22", Basis::Dollar, 27_800)),
        sells(rate(FeeKind::Section31, &[Stock, Delivery, Option], "2025-05-14", Basis::Dollar, 0)),
        sells(rate(FeeKind::Section31, &[Stock, Delivery, Option], "2026-04-04", Basis::Dollar, 20_600)),
        sells(rate(FeeKind::Taf, &[Option], "2026-01-01", Basis::Unit, 3_290_000)),
        sells(capped(rate(FeeKind::Taf, &[Stock], "2026-01-01", Basis::Unit, 195_000), 9_790_000_000)),
        sells(rate(FeeKind::Taf, &[Option, Stock], "2026-10-01", Basis::Unit, 0)),
    ];
    Schedule { broker: "test".into(), rates }
}

fn option(side: Side, quantity: i64, cents: i64) -> Fill {
    let spy = Instrument::Option("SPY261120P00600000".parse().expect("a symbol"));
    Fill::trade(&spy, side, Effect::Open, quantity, Price::from_cents(cents))
}

fn day(text: &str) -> Date {
    text.parse().expect("a date")
}

#[test]
fn the_worked_round_trip_costs_twenty_one_cents() {
    // market-facts.md 3.4: one vertical opened and closed, late 2026.
    let (schedule, date) = (schedule(), day("2026-11-20"));
    let mut fees = Day::default();
    let legs = [(Side::Sell, 150), (Side::Buy, 60), (Side::Buy, 75), (Side::Sell, 30)];
    for (side, cents) in legs {
        fees.add(&schedule.charges(date, &option(side, 1, cents)));
    }
    let settled: Vec<_> = fees.settle().map(|(kind, amount)| (kind.code(), amount)).collect();
    let cents = Money::from_cents;
    // Section 31: 180 dollars sold x 20.60 per million = 0.003708, a cent when rounded up once.
    assert_eq!(settled, vec![("ORF", cents(10)), ("OCC", cents(10)), ("REG", cents(1))]);
    assert_eq!(fees.total(), cents(21));
    assert_eq!(fees.sum(FeeKind::Section31).units(), 180_000_000 * 20_600);
}

#[test]
fn rates_change_on_their_date() {
    let schedule = schedule();
    let occ = |date: &str| {
        let charges = schedule.charges(day(date), &option(Side::Buy, 1, 100));
        charges.iter().find(|c| c.kind == FeeKind::Occ).map(|c| c.amount.units() / 1_000_000)
    };
    assert_eq!(occ("2012-12-31"), None);
    assert_eq!(occ("2025-11-30"), Some(20_000_000));
    assert_eq!(occ("2025-12-31"), None);
    assert_eq!(occ("2026-01-01"), Some(25_000_000));
}

#[test]
fn only_sellers_pay_taf_and_section_31_and_caps_hold() {
    let schedule = schedule();
    let spy = Instrument::Stock(Symbol::literal("SPY"));
    let shares = |side, n| Fill::trade(&spy, side, Effect::Close, n, Price::from_cents(60_000));
    let at = day("2026-05-01");
    assert!(schedule.charges(at, &shares(Side::Buy, 100)).is_empty());
    let sold = schedule.charges(at, &shares(Side::Sell, 1_000_000));
    let found: Vec<_> = sold.iter().map(|c| (c.kind, c.amount.ceil_to_cent())).collect();
    // 600 million dollars x 20.60 per million; 195 dollars of TAF are capped at 9.79.
    let expected =
        vec![(FeeKind::Taf, Money::from_cents(979)), (FeeKind::Section31, Money::from_dollars(12_360))];
    assert_eq!(found, expected);
    let delivered = Fill::delivery(Side::Sell, Effect::Close, 100, Price::from_cents(60_000));
    let kinds: Vec<_> = schedule.charges(at, &delivered).iter().map(|c| c.kind).collect();
    assert_eq!(kinds, vec![FeeKind::Section31]);
}

#[test]
fn index_options_are_told_by_their_root() {
    let spxw = Instrument::Option("SPXW261120P06000000".parse().expect("a symbol"));
    let fill = Fill::trade(&spxw, Side::Sell, Effect::Open, 1, Price::from_cents(500));
    assert_eq!(fill.class, Class::IndexOption);
    assert!(schedule().charges(day("2026-11-20"), &fill).is_empty());
}

#[test]
fn every_fault_of_a_schedule_is_named() {
    let mut bad = schedule();
    bad.rates[0].nanos = -1;
    bad.rates[1].on.clear();
    let twin = bad.rates[4].clone();
    bad.rates.push(Rate { side: None, ..twin });
    let rows: Vec<usize> = bad.faults().into_iter().map(|(row, _)| row).collect();
    assert_eq!(rows, vec![0, 1, 10]);
    assert!(schedule().faults().is_empty());
}

proptest! {
    /// However a day's contracts are split into fills, the sum is the same, and never below the exact sum.
    #[test]
    fn splitting_fills_costs_nothing(parts in proptest::collection::vec(1i64..50, 1..20), cents in 1i64..5_000) {
        let (schedule, date) = (schedule(), day("2026-05-01"));
        let mut split = Day::default();
        for part in &parts {
            split.add(&schedule.charges(date, &option(Side::Sell, *part, cents)));
        }
        let mut whole = Day::default();
        whole.add(&schedule.charges(date, &option(Side::Sell, parts.iter().sum(), cents)));
        prop_assert_eq!(split, whole);
        for (kind, amount) in whole.settle() {
            let exact = whole.sum(kind).units();
            let charged = i128::from(amount.micros()) * 1_000_000_000;
            prop_assert!(charged >= exact && charged - exact < Exact::PER_CENT);
        }
    }
}
