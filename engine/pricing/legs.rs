//! What a set of options (and shares) of one underlying is worth at expiry: payoff, most that can be gained
//! and lost, breakevens, and the margin of the exchanges' universal spread rule. Exact: integers only.
//!
//! Below, `cost` is what was paid for the whole set (negative when received), without fees. A payoff is a
//! straight line between neighbouring strikes, so its extremes lie at zero, at a strike, or to the right
//! of the last one.

use market::contract::MULTIPLIER;
use market::order::{Holding, Leg};
use market::{Contract, Date, Instrument, Money, Price, Right, product};

/// An amount that may have no limit, as the loss of a naked short call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// At most this.
    Limited(Money),
    /// No limit.
    Unlimited,
}

impl Bound {
    /// The amount; `Money::MAX` stands for no limit.
    pub const fn money(self) -> Money {
        match self {
            Self::Limited(money) => money,
            Self::Unlimited => Money::MAX,
        }
    }
    /// The amount, when there is a limit.
    pub const fn limited(self) -> Option<Money> {
        match self {
            Self::Limited(money) => Some(money),
            Self::Unlimited => None,
        }
    }
}

/// What `units` of an order's legs hold once filled.
pub fn holding_of(leg: &Leg, units: i64) -> Holding {
    Holding { instrument: leg.instrument, quantity: leg.signed_ratio() * units }
}

/// What the set is worth when every option in it expires with the underlying at `spot`.
pub fn payoff(set: &[Holding], spot: Price) -> Money {
    set.iter().map(|h| worth(h, spot)).fold(Money::ZERO, Money::saturating_add)
}

/// The most the set can gain over its cost at expiry. `None` when its options expire on different days: then
/// no payoff at one expiry says it.
pub fn max_profit(set: &[Holding], cost: Money) -> Option<Bound> {
    single_expiry(set)?;
    if right_slope(set) > 0 {
        return Some(Bound::Unlimited);
    }
    let most = corner_payoffs(set).max().unwrap_or(Money::ZERO);
    Some(Bound::Limited(most - cost))
}

/// The most the set can lose at expiry, its cost included; negative when every outcome wins. `None` when its
/// options expire on different days.
pub fn max_loss(set: &[Holding], cost: Money) -> Option<Bound> {
    single_expiry(set)?;
    if right_slope(set) < 0 {
        return Some(Bound::Unlimited);
    }
    let least = corner_payoffs(set).min().unwrap_or(Money::ZERO);
    Some(Bound::Limited(cost - least))
}

/// The prices at which gain turns to loss or back at expiry, rising, each to the nearest ten-thousandth. Where
/// the result is zero over a whole stretch there is no breakeven. Empty when the expiries differ.
pub fn breakevens(set: &[Holding], cost: Money) -> Vec<Price> {
    if single_expiry(set).is_none() {
        return Vec::new();
    }
    let mut corners: Vec<Price> = corners(set).collect();
    corners.sort();
    corners.dedup();
    let result = |spot: Price| (payoff(set, spot) - cost).micros();
    let mut found = Vec::new();
    for (i, corner) in corners.iter().enumerate() {
        let here = result(*corner);
        let Some(next) = corners.get(i + 1) else {
            // Right of the last strike: a ray of known slope.
            let slope = right_slope(set);
            if here.signum() * slope.signum() < 0 {
                found.push(*corner + along(here, slope));
            }
            break;
        };
        let there = result(*next);
        if here.signum() * there.signum() < 0 {
            let width = i128::from(next.units() - corner.units());
            let share = i128::from(here) * width * 2 / i128::from(here - there);
            found.push(*corner + Price::from_units(halved(share)));
        }
        if there == 0 {
            let beyond = match corners.get(i + 2) {
                Some(after) => result(*after).signum(),
                None => right_slope(set).signum(),
            };
            if here.signum() * beyond < 0 {
                found.push(*next);
            }
        }
    }
    found
}

/// The most the set can lose, its cost included, whatever day it is closed on up to its first expiry; negative when
/// every outcome wins. For one expiry this is [`max_loss`] (at that expiry).
///
/// Over several expiries a short option counts as covered only by a long one of its right that expires with it or later;
/// it can then cost no more than the strikes lie apart, since a long option that can be exercised at any time is worth
/// its intrinsic value at least. Shares cover short calls. A short put that nothing covers can cost its strike, a short
/// call that nothing covers has no limit: a calendar whose long leg expires first is naked. European options over several
/// expiries are taken as without limit: a later put deep in the money is worth less than its intrinsic value, by how much
/// only a rate tells.
pub fn worst_loss(set: &[Holding], cost: Money) -> Bound {
    if let Some(bound) = max_loss(set, cost) {
        return bound;
    }
    if set.iter().any(|h| h.instrument.contract().is_some_and(|c| !product::is_american(&c.root))) {
        return Bound::Unlimited;
    }
    let shares: i64 = set.iter().filter(|h| h.instrument.contract().is_none()).map(|h| h.quantity).sum();
    let first = expiries(set).min();
    let shorts_go_first =
        set.iter().all(|h| h.quantity >= 0 || expiries(std::slice::from_ref(h)).min() == first);
    // All that outlives the first expiry is long: worth its intrinsic value at least, at the one spot of that day.
    if shorts_go_first && shares >= 0 {
        if right_slope(set) < 0 {
            return Bound::Unlimited;
        }
        let least = corner_payoffs(set).min().unwrap_or(Money::ZERO);
        return Bound::Limited(cost - least);
    }
    let calls = paired(set, Right::Call, shares.max(0) / MULTIPLIER);
    if calls.naked > 0 || shares < 0 {
        return Bound::Unlimited;
    }
    let puts = paired(set, Right::Put, 0);
    Bound::Limited(cost.saturating_add(calls.apart).saturating_add(puts.apart))
}

/// What pairing the short options of one right with long ones leaves.
struct Paired {
    /// What the pairs can cost: strikes apart, adversely. A put without a partner costs its strike.
    apart: Money,
    /// Short contracts without a partner.
    naked: i64,
}

/// Most holdings of a set that are paired; sets are the legs of one order.
const PAIRED_MAX: usize = 16;

/// Pairs each short option with longs that expire with it or later, the latest short first and for each the long that
/// expires soonest, so that no long is spent where a later one would do.
fn paired(set: &[Holding], right: Right, mut cover: i64) -> Paired {
    let option = |h: &Holding| h.instrument.contract().filter(|c| c.right == right);
    let mut left: arrayvec::ArrayVec<i64, PAIRED_MAX> =
        set.iter().take(PAIRED_MAX).map(|h| h.quantity).collect();
    let mut found = Paired { apart: Money::ZERO, naked: 0 };
    loop {
        let shorts = (0..left.len()).filter(|i| left[*i] < 0 && option(&set[*i]).is_some());
        let Some(short) = shorts.max_by_key(|i| option(&set[*i]).map(|c| c.expiry)) else { break };
        let Some(sold) = option(&set[short]) else { break };
        let longs = (0..left.len()).filter(|i| left[*i] > 0);
        let adverse = |bought: Contract| match right {
            Right::Call => bought.strike() - sold.strike(),
            Right::Put => sold.strike() - bought.strike(),
        };
        let fitting = longs.filter_map(|i| {
            let bought = option(&set[i]).filter(|c| c.expiry >= sold.expiry)?;
            Some((bought.expiry, adverse(bought).max(Price::ZERO), i))
        });
        let Some((_, apart, long)) = fitting.min() else {
            let by_shares = (-left[short]).min(cover);
            cover -= by_shares;
            left[short] += by_shares;
            found.naked -= left[short];
            if right == Right::Put {
                found.apart += sold.strike().times(-left[short] * MULTIPLIER);
            }
            left[short] = 0;
            continue;
        };
        let contracts = left[long].min(-left[short]);
        found.apart += apart.times(contracts * MULTIPLIER);
        left[long] -= contracts;
        left[short] += contracts;
    }
    found
}

/// What exchange and broker rules ask for the set before any credit is applied: the larger of the broker's documented
/// rule and, for sets over several expiries, what the pairs of [`worst_loss`] can cost.
///
/// The broker's rule (Cboe's universal spread rule as `alpaca` documents it): premiums ignored, the worst intrinsic loss
/// of the options of each expiry, and of these the largest. Long calls that expire later cover short ones, then shares
/// do, a hundred a contract; a short call that nothing covers has no limit.
pub fn margin(set: &[Holding]) -> Bound {
    let broker = broker_margin(set);
    match (broker, single_expiry(set)) {
        (Bound::Limited(_), None) => broker.max(worst_loss(set, Money::ZERO)),
        _ => broker,
    }
}

/// The broker's documented rule alone, as [`margin`] describes it. Over several expiries it understates what can be lost.
pub fn broker_margin(set: &[Holding]) -> Bound {
    let mut free_shares: i64 = set
        .iter()
        .filter_map(|h| matches!(h.instrument, Instrument::Stock(_)).then_some(h.quantity.max(0)))
        .sum();
    let mut largest = Bound::Limited(Money::ZERO);
    // Latest expiry first: what is long there covers what is short before it.
    let mut spare = 0;
    let mut before = Date::from_days(i32::MAX);
    while let Some(expiry) = expiries(set).filter(|e| *e < before).max() {
        let of_expiry = || set.iter().filter(|h| expires_on(h, expiry));
        spare += of_expiry().map(slope).sum::<i64>();
        let uncovered = (-spare).max(0);
        if uncovered > free_shares {
            return Bound::Unlimited;
        }
        free_shares -= uncovered;
        spare = spare.max(0);
        // A covering share is worth its price: a call struck at zero.
        let worst = of_expiry()
            .filter_map(|h| h.instrument.contract().map(|c| c.strike()))
            .chain([Price::ZERO])
            .map(|spot| of_expiry().map(|h| worth(h, spot)).sum::<Money>() + spot.times(uncovered))
            .min()
            .unwrap_or(Money::ZERO);
        largest = largest.max(Bound::Limited((-worst).max(Money::ZERO)));
        before = expiry;
    }
    largest
}

fn worth(holding: &Holding, spot: Price) -> Money {
    match holding.instrument {
        Instrument::Stock(_) => spot.times(holding.quantity),
        Instrument::Option(contract) => contract.intrinsic(spot).times(MULTIPLIER * holding.quantity),
    }
}

/// Shares the holding is worth once the underlying is above every strike.
fn slope(holding: &Holding) -> i64 {
    match holding.instrument {
        Instrument::Stock(_) => holding.quantity,
        Instrument::Option(c) if c.right == Right::Call => MULTIPLIER * holding.quantity,
        Instrument::Option(_) => 0,
    }
}

fn right_slope(set: &[Holding]) -> i64 {
    set.iter().map(slope).sum()
}

fn corners(set: &[Holding]) -> impl Iterator<Item = Price> {
    let strikes = set.iter().filter_map(|h| h.instrument.contract().map(|c| c.strike()));
    strikes.chain([Price::ZERO])
}

fn corner_payoffs(set: &[Holding]) -> impl Iterator<Item = Money> {
    corners(set).map(|spot| payoff(set, spot))
}

fn expiries(set: &[Holding]) -> impl Iterator<Item = Date> {
    set.iter().filter_map(|h| h.instrument.contract().map(|c| c.expiry))
}

fn expires_on(holding: &Holding, expiry: Date) -> bool {
    holding.instrument.contract().is_some_and(|c| c.expiry == expiry)
}

/// `Some` when all options expire on one day (or there are none).
fn single_expiry(set: &[Holding]) -> Option<()> {
    let mut all = expiries(set);
    let first = all.next();
    all.all(|e| Some(e) == first).then_some(())
}

/// How far a ray of `slope` shares must go to make up for `result` micros.
fn along(result: i64, slope: i64) -> Price {
    // A ten-thousandth of a dollar on one share is 100 micros.
    Price::from_units(halved(-i128::from(result) * 2 / (i128::from(slope) * 100)))
}

/// Half of a doubled number, rounded to the nearest, ties up.
fn halved(doubled: i128) -> i64 {
    (doubled + 1).div_euclid(2) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::Symbol;
    use proptest::prelude::*;

    fn option(right: Right, strike_cents: i64, quantity: i64) -> Holding {
        let contract = Contract {
            root: Symbol::literal("XYZ"),
            expiry: Date::literal(2026, 4, 17),
            strike_mils: (strike_cents * 10) as u32,
            right,
        };
        Holding { instrument: Instrument::Option(contract), quantity }
    }

    fn later(mut holding: Holding) -> Holding {
        if let Instrument::Option(c) = &mut holding.instrument {
            c.expiry = c.expiry.plus(28);
        }
        holding
    }

    fn shares(quantity: i64) -> Holding {
        Holding { instrument: Instrument::Stock(Symbol::literal("XYZ")), quantity }
    }

    #[test]
    fn margin_as_the_broker_documents_it() {
        use Right::{Call, Put};
        let dollars = |d: i64| Bound::Limited(Money::from_dollars(d));
        let table = [
            (vec![option(Put, 56_000, -2), option(Put, 55_500, 2)], dollars(1000)),
            (vec![option(Call, 58_500, -1), option(Call, 59_000, 1)], dollars(500)),
            (
                vec![
                    option(Put, 54_500, 1),
                    option(Put, 55_000, -1),
                    option(Call, 58_500, -1),
                    option(Call, 59_000, 1),
                ],
                dollars(500),
            ),
            (vec![option(Call, 56_500, 1), option(Call, 57_000, -1)], dollars(0)),
            (vec![option(Call, 56_500, 1), option(Put, 56_500, 1)], dollars(0)),
            (
                vec![
                    option(Call, 10_000, 1),
                    option(Call, 11_000, -1),
                    option(Call, 19_000, -1),
                    option(Call, 20_000, 1),
                ],
                dollars(0),
            ),
            (vec![shares(100), option(Call, 19_000, -1)], dollars(0)),
            (vec![shares(99), option(Call, 19_000, -1)], Bound::Unlimited),
            (vec![shares(100), option(Call, 19_000, -1), later(option(Call, 19_000, -1))], Bound::Unlimited),
            (vec![option(Put, 56_000, -1)], dollars(56_000)),
            (vec![option(Call, 56_000, -1)], Bound::Unlimited),
            // A later long call covers; the broker's rule does not see that it is struck higher.
            (vec![option(Call, 10_000, -1), later(option(Call, 11_000, 1))], dollars(0)),
            (vec![option(Call, 10_000, 1), later(option(Call, 10_000, -1))], Bound::Unlimited),
            // A later long put does not.
            (vec![option(Put, 56_000, -1), later(option(Put, 56_000, 1))], dollars(56_000)),
            // Each expiry on its own, then the largest.
            (
                vec![
                    option(Put, 56_000, -1),
                    option(Put, 55_000, 1),
                    later(option(Put, 56_000, -1)),
                    later(option(Put, 55_500, 1)),
                ],
                dollars(1000),
            ),
            (vec![], dollars(0)),
        ];
        for (set, wanted) in table {
            assert_eq!(broker_margin(&set), wanted, "{set:?}");
        }
    }

    #[test]
    fn over_several_expiries_only_later_longs_cover() {
        use Right::{Call, Put};
        let dollars = |d: i64| Bound::Limited(Money::from_dollars(d));
        let table = [
            (
                "calendar: the debit",
                vec![option(Call, 10_000, -1), later(option(Call, 10_000, 1))],
                dollars(300),
            ),
            (
                "diagonal: and the strikes apart",
                vec![option(Call, 10_000, -1), later(option(Call, 10_400, 1))],
                dollars(700),
            ),
            ("put diagonal", vec![option(Put, 10_000, -1), later(option(Put, 9_500, 1))], dollars(800)),
            (
                "double diagonal: one side can lose",
                vec![
                    option(Put, 9_500, -1),
                    option(Call, 10_500, -1),
                    later(option(Put, 9_000, 1)),
                    later(option(Call, 11_000, 1)),
                ],
                dollars(800),
            ),
            (
                "long leg expires first: naked",
                vec![option(Call, 10_000, 1), later(option(Call, 10_000, -1))],
                Bound::Unlimited,
            ),
            (
                "long put expires first: the strike",
                vec![option(Put, 10_000, 1), later(option(Put, 10_000, -1))],
                dollars(10_300),
            ),
            (
                "two spreads: both",
                vec![
                    option(Put, 56_000, -1),
                    option(Put, 55_000, 1),
                    later(option(Put, 56_000, -1)),
                    later(option(Put, 55_500, 1)),
                ],
                dollars(1800),
            ),
        ];
        for (name, set, wanted) in table {
            assert_eq!(worst_loss(&set, Money::from_dollars(300)), wanted, "{name}");
        }
    }

    #[test]
    fn one_long_leg_covers_once() {
        use Right::Call;
        let dollars = |d: i64| Bound::Limited(Money::from_dollars(d));
        let table = [
            (
                "short calls of two days under one late long call",
                vec![
                    option(Call, 10_000, -1),
                    later(option(Call, 10_000, -1)),
                    later(option(Call, 10_100, 1)),
                ],
                Bound::Unlimited,
            ),
            (
                "shares cover the one left over",
                vec![
                    shares(100),
                    option(Call, 10_000, -1),
                    later(option(Call, 10_000, -1)),
                    later(option(Call, 10_100, 1)),
                ],
                dollars(400),
            ),
        ];
        for (name, set, wanted) in table {
            assert_eq!(worst_loss(&set, Money::from_dollars(300)), wanted, "{name}");
        }
        let diagonal = [option(Call, 10_000, -1), later(option(Call, 10_400, 1))];
        assert_eq!(margin(&diagonal), dollars(400), "the broker's rule says nothing, the strikes do");
    }

    #[test]
    fn expiries_that_differ_have_no_single_payoff() {
        let calendar = [option(Right::Call, 10_000, -1), later(option(Right::Call, 10_000, 1))];
        assert_eq!(max_loss(&calendar, Money::ZERO), None);
        assert_eq!(max_profit(&calendar, Money::ZERO), None);
        assert!(breakevens(&calendar, Money::ZERO).is_empty());
    }

    /// A golden structure in hundredfold size, so that every multiplier becomes whole contracts.
    fn read(line: &str) -> (serde_json::Value, Vec<Holding>, Money) {
        let v: serde_json::Value = serde_json::from_str(line).expect("golden JSON");
        let mut set = Vec::new();
        let mut cost = Money::ZERO;
        for leg in v["legs"].as_array().expect("legs") {
            let number = |name: &str| leg[name].as_f64().expect("a number");
            let quantity = (number("qty") * number("multiplier")) as i64;
            let price = Price::nearest(number("price")).expect("in range");
            cost += price.times(quantity * 100);
            let strike = leg["strike"].as_f64().map(|k| (k * 100.0).round() as i64);
            set.push(match (leg["kind"].as_str(), strike) {
                (Some("call"), Some(k)) => option(Right::Call, k, quantity),
                (Some("put"), Some(k)) => option(Right::Put, k, quantity),
                _ => shares(quantity * 100),
            });
        }
        (v, set, cost)
    }

    fn bound(v: &serde_json::Value) -> Option<Money> {
        v.as_f64().map(|dollars| Money::nearest((dollars * 1e4).round() / 100.0).expect("in range"))
    }

    #[test]
    fn agrees_with_exact_rationals() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/payoffs/payoffs_subset.jsonl");
        let text = std::fs::read_to_string(path).expect("golden file in the repository");
        let mut seen = 0;
        for line in text.lines() {
            let (v, set, cost) = read(line);
            let name = format!("{} {}", v["id"], v["family"]);
            assert_eq!(max_profit(&set, cost).map(Bound::limited), Some(bound(&v["max_profit"])), "{name}");
            assert_eq!(max_loss(&set, cost).map(Bound::limited), Some(bound(&v["max_loss"])), "{name}");
            if v["requirement"].is_number() {
                assert_eq!(margin(&set).limited(), bound(&v["requirement"]), "{name}");
            }
            for pair in v["payoff"].as_array().expect("pairs") {
                let spot = Price::nearest(pair[0].as_f64().expect("spot")).expect("in range");
                assert_eq!(Some(payoff(&set, spot) - cost), bound(&pair[1]), "{name} at {spot}");
            }
            let known: Vec<f64> =
                v["breakevens"].as_array().expect("list").iter().filter_map(|b| b.as_f64()).collect();
            let found = breakevens(&set, cost);
            assert_eq!(found.len(), known.len(), "{name}: {found:?} {known:?}");
            for (f, k) in found.iter().zip(known) {
                assert!((f.dollars() - k).abs() <= 1.01e-4, "{name}: {f} {k}");
            }
            seen += 1;
        }
        assert!(seen >= 250, "{seen}");
    }

    proptest! {
        /// A set of defined risk of one expiry asks for margin what it can lose when nothing was paid for it.
        #[test]
        fn margin_is_the_worst_loss_of_defined_risk(
            legs in proptest::collection::vec((any::<bool>(), 1i64..400, -3i64..=3), 1..5),
        ) {
            let set: Vec<Holding> = legs.iter()
                .map(|(call, k, q)| option(if *call { Right::Call } else { Right::Put }, k * 100, *q))
                .collect();
            let worst = worst_loss(&set, Money::ZERO);
            prop_assert_eq!(margin(&set).max(Bound::Limited(Money::ZERO)), worst.max(Bound::Limited(Money::ZERO)));
        }

        /// Over two expiries: whatever the spot is on the first day, with the later options worth their intrinsic value at
        /// least, nothing worse than the worst loss happens; and putting all on one day never makes it worse.
        #[test]
        fn nothing_is_worse_than_the_worst_loss(
            legs in proptest::collection::vec((any::<bool>(), 1i64..400, -3i64..=3, any::<bool>()), 1..5),
            spot in 0i64..600,
        ) {
            let set: Vec<Holding> = legs.iter()
                .map(|(call, k, q, late)| {
                    let leg = option(if *call { Right::Call } else { Right::Put }, k * 100, *q);
                    if *late { later(leg) } else { leg }
                })
                .collect();
            if let Bound::Limited(worst) = worst_loss(&set, Money::ZERO) {
                // Each expiry settles at a spot of its own; a later long option may have been exercised on the first day.
                let day = |h: &Holding| h.instrument.contract().map(|c| c.expiry);
                let first = set.iter().filter_map(day).min();
                let near: Vec<Holding> = set.iter().filter(|h| day(h) == first).copied().collect();
                let lates: Vec<Holding> = set.iter().filter(|h| day(h) != first).copied().collect();
                let now = payoff(&near, Price::from_cents(spot * 100)) + payoff(&lates, Price::from_cents(spot * 100));
                prop_assert!(-now <= worst, "{:?}", set);
            }
        }

        /// No spot ever gives more or less than the extremes say.
        #[test]
        fn extremes_bound_every_outcome(
            legs in proptest::collection::vec((any::<bool>(), 1i64..400, -3i64..=3), 1..5),
            cost in -100_000i64..100_000, spot in 0i64..600,
        ) {
            let set: Vec<Holding> = legs.iter()
                .map(|(call, k, q)| option(if *call { Right::Call } else { Right::Put }, k * 100, *q))
                .collect();
            let cost = Money::from_cents(cost);
            let result = payoff(&set, Price::from_cents(spot * 100)) - cost;
            if let Some(Bound::Limited(most)) = max_profit(&set, cost) { prop_assert!(result <= most); }
            if let Some(Bound::Limited(most)) = max_loss(&set, cost) { prop_assert!(-result <= most); }
        }
    }

    #[test]
    fn european_options_over_several_expiries_have_no_known_worst_loss() {
        let put = |root: &str, days: i32, quantity: i64| Holding {
            instrument: Instrument::Option(Contract {
                root: root.parse().expect("a root"),
                expiry: Date::literal(2026, 3, 16).plus(days),
                strike_mils: 6_000_000,
                right: Right::Put,
            }),
            quantity,
        };
        let calendar = |root| [put(root, 36, -1), put(root, 64, 1)];
        assert_eq!(worst_loss(&calendar("SPXW"), Money::from_dollars(4_335)), Bound::Unlimited);
        let limited = Bound::Limited(Money::from_dollars(4_335));
        assert_eq!(worst_loss(&calendar("SPY"), Money::from_dollars(4_335)), limited);
    }
}
