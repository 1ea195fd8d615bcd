//! What options oblige an account to put up: the broker's universal spread rule. Premiums are ignored; of each
//! expiry the intrinsic payoffs of everything on one underlying are added up, and the worst loss is the margin.
//!
//! Source: `reference/alpaca.md` section 7.2. Two readings of ours: a short call counts as covered when as many
//! long calls expire with it or later, or 100 shares stand behind it; and shares cover the calls with the lowest
//! strikes first.

use crate::settings::ExpiryMargin;
use market::{Contract, Date, Money, Right};
use std::collections::BTreeMap;

/// A signed number of contracts.
pub(crate) type Held = (Contract, i64);

/// What a set of options of one underlying demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Requirement {
    /// The margin.
    pub margin: Money,
    /// Short calls nothing covers.
    pub uncovered: i64,
    /// Shares that stand behind short calls.
    pub shares_used: i64,
}

/// The requirement of all options of one underlying, with `shares` free to stand behind short calls.
pub(crate) fn requirement(held: &[Held], shares: i64, rule: ExpiryMargin) -> Requirement {
    let mut expiries: BTreeMap<Date, BTreeMap<Contract, i64>> = BTreeMap::new();
    for (contract, quantity) in held {
        *expiries.entry(contract.expiry).or_default().entry(*contract).or_default() += quantity;
    }
    let (mut spare, mut free) = (0, shares.max(0) / 100);
    let mut out = Requirement::default();
    // Latest expiry first: what is long there covers what is short before it.
    for set in expiries.values_mut().rev() {
        spare += net_calls(set);
        if spare < 0 {
            let covered = (-spare).min(free);
            out.uncovered += -spare - covered;
            out.shares_used += covered * 100;
            free -= covered;
            take_short_calls(set, covered);
            spare = 0;
        }
        let margin = worst_loss(set);
        out.margin = match rule {
            ExpiryMargin::Largest => out.margin.max(margin),
            ExpiryMargin::Sum => out.margin.saturating_add(margin),
        };
    }
    out
}

fn net_calls(set: &BTreeMap<Contract, i64>) -> i64 {
    set.iter().filter(|(c, _)| c.right == Right::Call).map(|(_, n)| n).sum()
}

/// Takes covered short calls out of the payoff, lowest strike first.
fn take_short_calls(set: &mut BTreeMap<Contract, i64>, mut covered: i64) {
    let mut calls: Vec<(u32, &mut i64)> = set
        .iter_mut()
        .filter(|(c, n)| c.right == Right::Call && **n < 0)
        .map(|(c, n)| (c.strike_mils, n))
        .collect();
    calls.sort_by_key(|(strike, _)| *strike);
    for (_, quantity) in calls {
        let taken = covered.min(-*quantity);
        *quantity += taken;
        covered -= taken;
    }
}

/// The worst loss of one expiry's payoff over zero and all strikes (between them it is linear).
fn worst_loss(set: &BTreeMap<Contract, i64>) -> Money {
    let spots = set.keys().map(Contract::strike).chain([market::Price::ZERO]);
    let payoff =
        |spot| set.iter().map(|(c, n)| c.intrinsic(spot).times(n * market::contract::MULTIPLIER)).sum();
    let worst: Money = spots.map(payoff).min().unwrap_or(Money::ZERO);
    (-worst).max(Money::ZERO)
}

/// True when the opening legs of one order cover each other: of each right, as many long as short contracts,
/// and each long one expires with its short or later.
pub(crate) fn covered_within(legs: &[Held]) -> bool {
    [Right::Call, Right::Put].into_iter().all(|right| {
        let mut by_expiry: BTreeMap<Date, i64> = BTreeMap::new();
        for (contract, quantity) in legs.iter().filter(|(c, _)| c.right == right) {
            *by_expiry.entry(contract.expiry).or_default() += quantity;
        }
        let mut spare = 0;
        by_expiry.values().rev().all(|n| {
            spare += n;
            spare >= 0
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(set: &[(&str, i64)]) -> Vec<Held> {
        set.iter().map(|(occ, n)| (occ.parse().expect("an OCC symbol"), *n)).collect()
    }

    fn margin(set: &[(&str, i64)]) -> (i64, i64) {
        let found = requirement(&held(set), 0, ExpiryMargin::Largest);
        (found.margin.micros() / Money::PER_DOLLAR, found.uncovered)
    }

    /// The table of section 7.2.
    #[test]
    fn the_brokers_own_examples() {
        assert_eq!(margin(&[("SPY260417P00560000", -2), ("SPY260417P00555000", 2)]), (1000, 0));
        assert_eq!(margin(&[("SPY260417C00585000", -1), ("SPY260417C00590000", 1)]), (500, 0));
        let condor = [
            ("SPY260417P00545000", 1),
            ("SPY260417P00550000", -1),
            ("SPY260417C00585000", -1),
            ("SPY260417C00590000", 1),
        ];
        assert_eq!(margin(&condor), (500, 0));
        assert_eq!(margin(&[("SPY260417C00565000", 1), ("SPY260417C00570000", -1)]), (0, 0));
        assert_eq!(margin(&[("SPY260417C00565000", 1), ("SPY260417P00565000", 1)]), (0, 0));
        let double = [
            ("SPY260417C00100000", 1),
            ("SPY260417C00110000", -1),
            ("SPY260417C00190000", -1),
            ("SPY260417C00200000", 1),
        ];
        assert_eq!(margin(&double), (0, 0));
        assert_eq!(margin(&[("SPY260417P00560000", -1)]), (56_000, 0));
        assert_eq!(margin(&[("SPY260417C00560000", -3)]).1, 3);
    }

    #[test]
    fn shares_and_later_calls_cover() {
        let two = held(&[("SPY260417C00560000", -1), ("SPY260417C00570000", -1)]);
        let rule = ExpiryMargin::Largest;
        let found = requirement(&two, 250, rule);
        assert_eq!((found.uncovered, found.shares_used, found.margin), (0, 200, Money::ZERO));
        assert_eq!(requirement(&two, 150, rule).uncovered, 1);
        let calendar = held(&[("SPY260417C00560000", -1), ("SPY260515C00560000", 1)]);
        assert_eq!(requirement(&calendar, 0, rule).uncovered, 0);
        let reverse = held(&[("SPY260417C00560000", 1), ("SPY260515C00560000", -1)]);
        assert_eq!(requirement(&reverse, 0, rule).uncovered, 1);
    }

    #[test]
    fn expiries_count_once_or_each() {
        let both = held(&[
            ("SPY260417P00560000", -1),
            ("SPY260417P00555000", 1),
            ("SPY260515P00560000", -1),
            ("SPY260515P00550000", 1),
        ]);
        let dollars = |rule| requirement(&both, 0, rule).margin;
        assert_eq!(dollars(ExpiryMargin::Largest), Money::from_dollars(1000));
        assert_eq!(dollars(ExpiryMargin::Sum), Money::from_dollars(1500));
    }

    #[test]
    fn an_order_must_cover_itself() {
        assert!(!covered_within(&held(&[("SPY260417C00560000", -1), ("SPY260417C00570000", -1)])));
        assert!(!covered_within(&held(&[("SPY260417P00560000", -2), ("SPY260417P00550000", 1)])));
        assert!(covered_within(&held(&[("SPY260417P00560000", -1), ("SPY260417P00550000", 2)])));
        assert!(covered_within(&held(&[("SPY260417P00560000", -1), ("SPY260515P00560000", 1)])));
        assert!(!covered_within(&held(&[("SPY260417C00560000", -1), ("SPY260417P00560000", 1)])));
        assert!(covered_within(&[]));
    }
}
