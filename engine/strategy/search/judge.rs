//! What a set of legs costs and risks, and whether it is worth proposing.

use super::{Candidate, Found, Picked, Shortfall};
use arrayvec::ArrayVec;
use market::contract::MULTIPLIER;
use market::order::{LEGS_MAX, Legs};
use market::{Instrument, Money, Price};
use pricing::carry::Carry;
use pricing::legs::{self, Bound, holding_of};
use pricing::structure::{Extreme, Kind, StructureLeg, best_at_first_expiry};

/// Prices the legs and says what they risk. Options that outlive the first expiry are valued on it with `carry`.
///
/// # Errors
/// Why it is not worth proposing.
pub fn judged(picked: &Picked, reward_min: f64, carry: &Carry) -> Result<Candidate, Shortfall> {
    let (mut doubled_mid, mut natural) = (0i64, Price::ZERO);
    let mut legs = Legs::new();
    for Found { leg, bid, ask, .. } in picked {
        // Shares come in hundreds: one such lot counts like one contract.
        let ratio = leg.signed_ratio() * leg.instrument.multiplier() / MULTIPLIER;
        doubled_mid += ratio * (bid.units() + ask.units());
        natural += if ratio > 0 { *ask } else { *bid } * ratio;
        legs.push(*leg);
    }
    let mid = Price::from_units(doubled_mid.div_euclid(2));
    let set: ArrayVec<_, LEGS_MAX> = legs.iter().map(|leg| holding_of(leg, 1)).collect();
    let at = |price: Price| price.times(MULTIPLIER);
    let max_loss = legs::worst_loss(&set, at(natural)).limited();
    let margin = legs::margin(&set).limited();
    let (Some(max_loss), Some(margin)) = (max_loss, margin) else { return Err(Shortfall::Unlimited) };
    let max_profit = match legs::max_profit(&set, at(mid)) {
        Some(Bound::Limited(most)) => most,
        Some(Bound::Unlimited) => Money::MAX,
        None => best_then(picked, at(mid), carry)?,
    };
    if max_loss <= Money::ZERO || max_profit <= Money::ZERO {
        return Err(Shortfall::Nonsense);
    }
    if max_profit.dollars() < reward_min * max_loss.dollars() {
        return Err(Shortfall::Reward);
    }
    Ok(Candidate { legs, mid, natural, max_loss, max_profit, margin })
}

/// The legs for the arithmetic of [`pricing::structure`]. `None` when a leg has no volatility.
fn arithmetic_legs(picked: &Picked) -> Option<ArrayVec<StructureLeg, LEGS_MAX>> {
    let of = |found: &Found| {
        let kind = match found.leg.instrument {
            Instrument::Stock(_) => Kind::Stock,
            Instrument::Option(contract) => Kind::Option {
                right: contract.right,
                strike: contract.strike().dollars(),
                years: found.years,
                vol: found.vol?,
            },
        };
        let shares = (found.leg.signed_ratio() * found.leg.instrument.multiplier()) as f64;
        Some(StructureLeg { kind, shares, bid: found.bid.dollars(), ask: found.ask.dollars() })
    };
    picked.iter().map(of).collect()
}

/// The most a set over several expiries gains at the best spot of its first one.
fn best_then(picked: &Picked, cost: Money, carry: &Carry) -> Result<Money, Shortfall> {
    let legs = arithmetic_legs(picked).ok_or(Shortfall::NoVolatility)?;
    Ok(match best_at_first_expiry(&legs, carry.spot, carry.rate, carry.dividend_yield) {
        Some(Extreme::Limited(worth)) => Money::nearest(worth).map_or(Money::ZERO, |worth| worth - cost),
        Some(Extreme::Unlimited) => Money::MAX,
        None => Money::ZERO,
    })
}
