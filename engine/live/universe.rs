//! Which option contracts to listen to. A plan allows only so many quotes, a chain has thousands: near the money,
//! near the days to expiry that the structures ask for, and always what is held.

use market::{Contract, Date, Price, Symbol};
use std::collections::{BTreeMap, BTreeSet};

/// What to listen to for one underlying.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// Fewest days to expiry.
    pub dte_min: i32,
    /// Most days to expiry.
    pub dte_max: i32,
    /// Days to expiry aimed at: nearer expiries are taken first.
    pub dte_target: i32,
    /// Days to the later expiry of structures over two, when there are any: expiries near to it are taken too.
    pub dte_later: Option<i32>,
    /// Most expiries.
    pub expiries_max: usize,
    /// Most contracts, held ones included.
    pub contracts_max: usize,
}

/// Chooses from `listed`: what is `held` first, then of the expiries nearest to the target the strikes nearest to
/// `spot`, calls and puts in pairs. Adjusted contracts are left out unless held. The answer is sorted.
pub fn choose(
    spot: Price,
    today: Date,
    listed: &[Contract],
    held: &[Contract],
    wish: &Wish,
) -> Vec<Contract> {
    let mut chosen: BTreeSet<Contract> = held.iter().copied().take(wish.contracts_max).collect();
    let mut by_expiry: BTreeMap<Date, Vec<Contract>> = BTreeMap::new();
    for contract in listed.iter().filter(|c| !c.is_adjusted()) {
        let days = contract.expiry.days_since(today);
        if (wish.dte_min..=wish.dte_max).contains(&days) {
            by_expiry.entry(contract.expiry).or_default().push(*contract);
        }
    }
    let expiries = nearest(&by_expiry, today, wish);
    let room = wish.contracts_max.saturating_sub(chosen.len());
    let each = room.checked_div(expiries.len()).unwrap_or(0);
    for expiry in expiries {
        let Some(strikes) = by_expiry.get_mut(&expiry) else { continue };
        strikes.sort_by_key(|c| ((c.strike() - spot).abs(), *c));
        chosen.extend(strikes.iter().take(each));
    }
    chosen.into_iter().collect()
}

/// The expiries nearest to the days asked for; where two are asked for, each gets its turn.
fn nearest(by_expiry: &BTreeMap<Date, Vec<Contract>>, today: Date, wish: &Wish) -> Vec<Date> {
    let ranked = |target: i32| {
        let mut all: Vec<Date> = by_expiry.keys().copied().collect();
        all.sort_by_key(|expiry| ((expiry.days_since(today) - target).abs(), *expiry));
        all
    };
    let lists: Vec<Vec<Date>> =
        [Some(wish.dte_target), wish.dte_later].into_iter().flatten().map(ranked).collect();
    let mut taken = Vec::new();
    for place in 0..by_expiry.len() {
        for list in &lists {
            if taken.len() < wish.expiries_max && !taken.contains(&list[place]) {
                taken.push(list[place]);
            }
        }
    }
    taken
}

/// One underlying to choose for.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// The underlying.
    pub symbol: Symbol,
    /// Its price, when it is known.
    pub spot: Option<Price>,
    /// What is listed.
    pub listed: &'a [Contract],
}

/// Chooses for every underlying. What is `kept` (held, or in a working order) is always in; where no price is known,
/// the choice `before` stays as it was. The answer is sorted.
pub fn choose_all<'a>(
    choices: impl Iterator<Item = Choice<'a>>,
    today: Date,
    kept: &[Contract],
    before: &[Contract],
    wish: &Wish,
) -> Vec<Contract> {
    let mut chosen = BTreeSet::new();
    for Choice { symbol, spot, listed } in choices {
        let of = |all: &[Contract]| -> Vec<Contract> {
            all.iter().filter(|c| c.root == symbol).copied().collect()
        };
        let mine = of(kept);
        match spot {
            Some(spot) => chosen.extend(choose(spot, today, listed, &mine, wish)),
            None => {
                chosen.extend(of(before).into_iter().filter(|c| c.expiry >= today));
                chosen.extend(mine);
            }
        }
    }
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::Right;

    fn listed(today: Date) -> Vec<Contract> {
        let mut all = Vec::new();
        for days in [1, 7, 14, 30, 45, 90] {
            for strike in (80..=120).map(|s| s * 1000) {
                for right in [Right::Call, Right::Put] {
                    let root = "SPY".parse().unwrap();
                    all.push(Contract { root, expiry: today.plus(days), strike_mils: strike, right });
                }
            }
        }
        all
    }

    #[test]
    fn near_the_money_near_the_target_and_what_is_held() {
        let today = Date::literal(2026, 3, 16);
        let wish = Wish {
            dte_min: 5,
            dte_max: 60,
            dte_target: 30,
            dte_later: None,
            expiries_max: 2,
            contracts_max: 41,
        };
        let all = listed(today);
        let held = *all.iter().find(|c| c.expiry == today.plus(1)).unwrap();
        let chosen = choose(Price::from_cents(10_000), today, &all, &[held], &wish);
        assert!(chosen.len() <= 41);
        assert!(chosen.contains(&held));
        let expiries: BTreeSet<i32> =
            chosen.iter().filter(|c| **c != held).map(|c| c.expiry.days_since(today)).collect();
        assert_eq!(expiries, BTreeSet::from([30, 45]));
        assert!(
            chosen
                .iter()
                .filter(|c| **c != held)
                .all(|c| (c.strike() - Price::from_cents(10_000)).abs() <= Price::from_cents(500))
        );
    }

    #[test]
    fn the_later_expiry_of_calendars_is_listened_to() {
        let today = Date::literal(2026, 3, 16);
        let wish = Wish {
            dte_min: 5,
            dte_max: 100,
            dte_target: 14,
            dte_later: Some(80),
            expiries_max: 2,
            contracts_max: 40,
        };
        let chosen = choose(Price::from_cents(10_000), today, &listed(today), &[], &wish);
        let expiries: BTreeSet<i32> = chosen.iter().map(|c| c.expiry.days_since(today)).collect();
        assert_eq!(expiries, BTreeSet::from([14, 90]));
    }

    #[test]
    fn without_a_price_the_choice_stays_and_what_is_worked_is_kept() {
        let today = Date::literal(2026, 3, 16);
        let wish = Wish {
            dte_min: 5,
            dte_max: 60,
            dte_target: 30,
            dte_later: None,
            expiries_max: 2,
            contracts_max: 41,
        };
        let all = listed(today);
        let choice = |spot| Choice { symbol: Symbol::literal("SPY"), spot, listed: &all };
        let before =
            choose_all([choice(Some(Price::from_cents(10_000)))].into_iter(), today, &[], &[], &wish);
        assert_eq!(before.len(), 40);
        let far = *all.iter().find(|c| c.expiry == today.plus(90)).unwrap();
        let unheard = choose_all([choice(None)].into_iter(), today, &[far], &before, &wish);
        assert!(before.iter().all(|c| unheard.contains(c)), "one answer without it loses nothing");
        assert!(unheard.contains(&far) && unheard.len() == 41);
        let later = choose_all([choice(None)].into_iter(), today.plus(40), &[], &before, &wish);
        assert!(later.iter().all(|c| c.expiry >= today.plus(40)) && !later.is_empty());
    }

    #[test]
    fn nothing_listed_nothing_chosen() {
        let wish = Wish {
            dte_min: 0,
            dte_max: 60,
            dte_target: 30,
            dte_later: None,
            expiries_max: 2,
            contracts_max: 10,
        };
        assert!(choose(Price::from_cents(100), Date::literal(2026, 1, 2), &[], &[], &wish).is_empty());
    }
}
