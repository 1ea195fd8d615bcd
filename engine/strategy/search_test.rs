//! Searching in synthetic chains: what is found, and what each thing missing is called.

use crate::chain::Chain;
use crate::search::{Settings, Shortfall, candidate};
use crate::structures::tests::shipped;
use market::contract::MULTIPLIER;
use market::quote::{Level, Quote};
use market::session::{session, year_fraction};
use market::time::{MINUTE, SECOND};
use market::{Contract, Date, Instrument, Money, Price, Right, Symbol, Timestamp};

pub const SPY: Symbol = Symbol::literal("SPY");
pub const DAY: Date = Date::literal(2026, 3, 16);
/// 32 days away, the third Friday of April.
pub const EXPIRY: Date = Date::literal(2026, 4, 17);
pub const SPOT: f64 = 560.0;
const VOL: f64 = 0.18;

/// Eleven in the morning of [`DAY`].
pub fn eleven() -> Timestamp {
    DAY.at_new_york(11 * 3600)
}

pub fn settings() -> Settings {
    Settings {
        spread_max_bps: 1000,
        spread_floor: Price::from_cents(5),
        age_max_ns: 30 * SECOND,
        open_interest_min: 100,
        rate: 0.04,
        dividend_yield: 0.012,
    }
}

/// A two-sided quote around the model price: cents wide by price.
pub fn model_quote(contract: &Contract, spot: f64, at: Timestamp) -> Quote {
    let close = session(contract.expiry).expect("a session").close;
    let years = year_fraction(at, close).max(0.0);
    let strike = contract.strike().dollars();
    let value = pricing::price(contract.right, spot, strike, years, VOL, 0.04, 0.012);
    let half = (value * 0.02).max(0.01);
    let level = |dollars: f64| {
        let price = Price::from_cents((dollars * 100.0).round() as i64);
        Some(Level { price, size: 20 }).filter(|l| l.price > Price::ZERO)
    };
    Quote { bid: level(value - half), ask: level(value + half), at }
}

/// Every dollar from 500 to 620, calls and puts.
pub fn contracts(expiry: Date) -> impl Iterator<Item = Contract> {
    (500..=620).flat_map(move |k| {
        [Right::Call, Right::Put].map(|right| Contract { root: SPY, expiry, strike_mils: k * 1000, right })
    })
}

pub fn chain_of(expiries: &[Date], spot: f64, at: Timestamp) -> Chain {
    let mut chain = Chain::with_curve(SPY, pricing::chain::Curve { rate: 0.04, dividend_yield: 0.012 });
    chain.hear_spot(spot);
    for contract in expiries.iter().flat_map(|e| contracts(*e)) {
        chain.quote(at, &contract, &model_quote(&contract, spot, at));
        chain.open_interest(&contract, 500);
    }
    chain
}

fn spot() -> Price {
    Price::nearest(SPOT).expect("in range")
}

fn strikes(found: &crate::search::Candidate) -> Vec<i64> {
    found.legs.iter().filter_map(|l| l.instrument.contract()).map(|c| c.strike().units() / 10_000).collect()
}

#[test]
fn bull_put_and_condor_are_found() {
    let chain = chain_of(&[EXPIRY], SPOT, eleven());
    let [put, condor] = &shipped()[..] else { panic!("two structures") };
    let found = candidate(put, &chain, spot(), eleven(), 1, &settings()).expect("bull put");
    let k = strikes(&found);
    assert_eq!(k[1], k[0] - 5);
    assert!((530..556).contains(&k[0]), "{k:?}");
    assert!(found.mid < Price::ZERO && found.natural > found.mid, "a credit, worse at the far side");
    assert_eq!(found.max_loss, Money::from_dollars(500) + found.natural.times(MULTIPLIER));
    assert_eq!(found.max_profit, Money::ZERO - found.mid.times(MULTIPLIER));
    assert_eq!(found.margin, Money::from_dollars(500));

    let found = candidate(condor, &chain, spot(), eleven(), 1, &settings()).expect("condor");
    let k = strikes(&found);
    assert!(k[1] == k[0] - 5 && k[3] == k[2] + 5 && k[0] < 560 && 560 < k[2], "{k:?}");
    assert_eq!(found.margin, Money::from_dollars(500), "one side can lose");
}

#[test]
fn the_expiry_nearest_to_the_target_goes_first() {
    let (near, far) = (DAY.plus(21), DAY.plus(42));
    let chain = chain_of(&[DAY.plus(2), near, EXPIRY, far], SPOT, eleven());
    let put = &shipped()[0];
    let found = candidate(put, &chain, spot(), eleven(), 1, &settings()).expect("bull put");
    assert_eq!(found.legs[0].instrument.contract().map(|c| c.expiry), Some(EXPIRY));
    let found = candidate(put, &chain, spot(), eleven(), 40, &settings()).expect("bull put");
    assert_eq!(found.legs[0].instrument.contract().map(|c| c.expiry), Some(far), "the floor rules");
    let said = candidate(put, &chain, spot(), eleven(), 60, &settings());
    assert_eq!(said, Err(Shortfall::NoExpiry));
}

#[test]
fn what_is_not_liquid_is_not_taken() {
    let t = eleven();
    let put = shipped().remove(0);
    let fresh = || chain_of(&[EXPIRY], SPOT, t);
    let try_in = |chain: &Chain, now, settings: &Settings| candidate(&put, chain, spot(), now, 1, settings);
    assert!(try_in(&fresh(), t, &settings()).is_ok());
    assert_eq!(try_in(&fresh(), t + MINUTE, &settings()), Err(Shortfall::NoLeg(0)), "stale");
    let thin = Settings { open_interest_min: 501, ..settings() };
    assert_eq!(try_in(&fresh(), t, &thin), Err(Shortfall::NoLeg(0)), "too little open interest");
    let narrow = Settings { spread_max_bps: 10, spread_floor: Price::ZERO, ..settings() };
    assert_eq!(try_in(&fresh(), t, &narrow), Err(Shortfall::NoLeg(0)), "too wide");
    let mut lost = fresh();
    lost.lose_quotes(t);
    assert_eq!(try_in(&lost, t, &settings()), Err(Shortfall::NoLeg(0)), "the feed was lost");

    // The whole wing crossed or one-sided: the short leg is there, the long one is not.
    let short = try_in(&fresh(), t, &settings()).expect("found").legs[0].instrument;
    type Spoil = fn(&mut Quote);
    let spoils: [Spoil; 3] = [|q| std::mem::swap(&mut q.bid, &mut q.ask), |q| q.bid = None, |q| q.ask = None];
    for spoil in spoils {
        let mut chain = fresh();
        for contract in contracts(EXPIRY).filter(|c| Instrument::Option(*c) != short) {
            let mut quote = model_quote(&contract, SPOT, t + 1);
            spoil(&mut quote);
            chain.quote(t + 1, &contract, &quote);
        }
        assert_eq!(try_in(&chain, t + 1, &settings()), Err(Shortfall::NoLeg(1)));
    }
}

#[test]
fn prices_that_make_no_sense_and_poor_rewards_are_left() {
    let t = eleven();
    let mut put = shipped().remove(0);
    put.reward_min = 5.0;
    let chain = chain_of(&[EXPIRY], SPOT, t);
    assert_eq!(candidate(&put, &chain, spot(), t, 1, &settings()), Err(Shortfall::Reward));
    // A naked short call has no limit.
    let mut call = shipped().remove(1);
    call.legs.drain(..2);
    call.legs.truncate(1);
    assert_eq!(candidate(&call, &chain, spot(), t, 1, &settings()), Err(Shortfall::Unlimited));
    // The long leg quoted dearer than the short one: paying to sell a credit spread wins never.
    let mut chain = chain_of(&[EXPIRY], SPOT, t);
    let found = candidate(&shipped()[0], &chain, spot(), t, 1, &settings()).expect("found");
    let long = found.legs[1].instrument.contract().expect("an option");
    let level = |cents| Some(Level { price: Price::from_cents(cents), size: 1 });
    chain.quote(t + 1, &long, &Quote { bid: level(2000), ask: level(2010), at: t + 1 });
    assert_eq!(candidate(&shipped()[0], &chain, spot(), t, 1, &settings()), Err(Shortfall::Nonsense));
}
