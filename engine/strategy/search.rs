//! From a structure, a chain and a spot to concrete legs with prices and worst case. Pure: the same chain gives
//! the same candidate.
//!
//! Deltas are the chain's own: of each contract's mid, early exercise included.

use crate::chain::{Chain, Listed};
use crate::structures::{LegTemplate, Pick, Structure};
use arrayvec::ArrayVec;
use market::contract::MULTIPLIER;
use market::order::{Effect, LEGS_MAX, Leg, Legs};
use market::quote::Quote;
use market::{Date, Instrument, Money, Price, Right, Timestamp};
use pricing::legs::{self, holding_of};

/// What a contract must be like to be traded, and what the chain is marked with where quotes do not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Widest spread as a share of the mid, in basis points.
    pub spread_max_bps: i64,
    /// A spread up to this passes whatever share of a cheap option it is, in dollars per share.
    pub spread_floor: Price,
    /// Oldest quote, in nanoseconds since it was heard.
    pub age_max_ns: i64,
    /// Least open interest, in contracts. When above 0 an unknown figure does not pass.
    pub open_interest_min: u32,
    /// Risk-free rate, decimal a year, continuously compounded.
    pub rate: f64,
    /// Dividend yield of the underlying, decimal a year, continuously compounded.
    pub dividend_yield: f64,
}

/// Concrete legs of one unit with what they cost and risk.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The legs.
    pub legs: Legs,
    /// Signed net per share at mid (positive pays).
    pub mid: Price,
    /// Signed net per share at the far side of every leg.
    pub natural: Price,
    /// The most one unit can lose from a fill at `natural`, without fees.
    pub max_loss: Money,
    /// The most one unit can gain from a fill at `mid`, without fees; `Money::MAX` when there is no limit.
    pub max_profit: Money,
    /// What exchange and broker rules ask for one unit before any credit.
    pub margin: Money,
}

/// Why a structure found no candidate, from the expiry that came nearest to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shortfall {
    /// No listed expiry lies in the range of days.
    NoExpiry,
    /// No contract fits the template of the leg at this position, or none that fits is liquid.
    NoLeg(u8),
    /// The loss has no limit.
    Unlimited,
    /// Prices that would win in every case, or lose in every case: a quote is wrong.
    Nonsense,
    /// It gains too little for what it risks.
    Reward,
}

/// Most expiries tried, nearest to the target first.
const EXPIRIES_MAX: usize = 3;
/// Ten thousand basis points are the whole.
const BPS: i64 = 10_000;

/// The first candidate of a structure, over the expiries nearest to its target. Expiries with fewer than `days_floor`
/// days left are passed over: the exit rules would close at once what is opened there.
///
/// # Errors
/// What was missing.
pub fn candidate(
    structure: &Structure,
    chain: &Chain,
    spot: Price,
    now: Timestamp,
    days_floor: i32,
    settings: &Settings,
) -> Result<Candidate, Shortfall> {
    let today = now.new_york().0;
    let mut shortfall = Shortfall::NoExpiry;
    for expiry in nearest_expiries(structure, chain, today, days_floor) {
        match in_expiry(structure, chain, spot, now, expiry, settings) {
            Ok(found) => return Ok(found),
            Err(missing) => shortfall = shortfall.max(missing),
        }
    }
    Err(shortfall)
}

/// The mid of a quote when its contract may be traded.
pub fn liquid_mid(chain: &Chain, row: &Listed, now: Timestamp, settings: &Settings) -> Option<Price> {
    let quote = chain.fresh_of(row, now, settings.age_max_ns)?;
    let mid = quote.mid()?;
    let spread = quote.spread()?;
    let narrow =
        spread <= settings.spread_floor || spread.units() * BPS <= mid.units() * settings.spread_max_bps;
    let open = settings.open_interest_min == 0
        || row.open_interest.is_some_and(|open| open >= settings.open_interest_min);
    (narrow && open).then_some(mid)
}

fn nearest_expiries(
    structure: &Structure,
    chain: &Chain,
    today: Date,
    days_floor: i32,
) -> ArrayVec<Date, EXPIRIES_MAX> {
    let days = structure.days;
    let off = |expiry: Date| (expiry.days_since(today) - days.target).abs();
    let mut nearest = ArrayVec::<Date, EXPIRIES_MAX>::new();
    for expiry in chain.expiries() {
        let left = expiry.days_since(today);
        if left < days.min.max(days_floor) || left > days.max {
            continue;
        }
        let place = nearest.iter().position(|held| off(expiry) < off(*held)).unwrap_or(nearest.len());
        if place < EXPIRIES_MAX {
            if nearest.is_full() {
                nearest.pop();
            }
            nearest.insert(place, expiry);
        }
    }
    nearest
}

/// One leg found, with its quote.
struct Found {
    leg: Leg,
    quote: Quote,
}

fn in_expiry(
    structure: &Structure,
    chain: &Chain,
    spot: Price,
    now: Timestamp,
    expiry: Date,
    settings: &Settings,
) -> Result<Candidate, Shortfall> {
    let market = Market { chain, spot: spot.dollars(), now, settings };
    let mut found = ArrayVec::<Found, LEGS_MAX>::new();
    for (i, template) in structure.legs.iter().enumerate().take(LEGS_MAX) {
        let row = match template.pick {
            Pick::Delta { target, tolerance } => market.by_delta(expiry, template, target, tolerance),
            Pick::Width { from, dollars, tolerance } => {
                let base = structure.legs.iter().position(|l| l.name == from).and_then(|b| found.get(b));
                base.and_then(|b| b.leg.instrument.contract())
                    .and_then(|b| market.by_width(expiry, template, b.strike(), dollars, tolerance))
            }
        };
        let found_leg = row.and_then(|row| {
            let leg = Leg {
                instrument: Instrument::Option(row.contract),
                side: template.side,
                effect: Effect::Open,
                ratio: template.ratio,
            };
            // Two legs in one contract would be no structure.
            let taken = found.iter().any(|f| f.leg.instrument == leg.instrument);
            Some(Found { leg, quote: row.quote?.0 }).filter(|_| !taken)
        });
        found.push(found_leg.ok_or(Shortfall::NoLeg(i as u8))?);
    }
    judged(&found, structure.reward_min)
}

/// Which way to walk along the strikes, from the money.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    /// Out of the money.
    Out,
    /// Into the money.
    In,
}

impl Walk {
    fn over(self, rows: &[Listed], right: Right, spot: f64) -> impl Iterator<Item = &Listed> {
        let at = rows.partition_point(|row| row.contract.strike().dollars() < spot);
        let is_up = (right == Right::Call) == (self == Self::Out);
        let count = if is_up { rows.len() - at } else { at };
        (0..count).map(move |i| if is_up { &rows[at + i] } else { &rows[at - 1 - i] })
    }
}

struct Market<'a> {
    chain: &'a Chain,
    spot: f64,
    now: Timestamp,
    settings: &'a Settings,
}

impl<'a> Market<'a> {
    /// The nearest delta. Delta falls on the way out of the money and rises on the way in, so the side on which the
    /// target should lie is walked first, and only until it is past: most of a chain is never inverted. The
    /// other side is for chains of which only a part may be traded.
    fn by_delta(
        &self,
        expiry: Date,
        template: &LegTemplate,
        target: f64,
        tolerance: f64,
    ) -> Option<&'a Listed> {
        let rows = self.chain.strikes(expiry, template.right);
        let outward = |walk: Walk| walk.over(rows, template.right, self.spot);
        let nearest = outward(Walk::Out).chain(outward(Walk::In)).find_map(|row| self.delta(row))?;
        let walks = if nearest >= target { [Walk::Out, Walk::In] } else { [Walk::In, Walk::Out] };
        walks.into_iter().find_map(|walk| {
            let limit = match walk {
                Walk::Out => target - tolerance,
                Walk::In => target + tolerance,
            };
            self.nearest_delta(outward(walk), target, tolerance, |delta| match walk {
                Walk::Out => delta < limit,
                Walk::In => delta > limit,
            })
        })
    }

    fn nearest_delta(
        &self,
        rows: impl Iterator<Item = &'a Listed>,
        target: f64,
        tolerance: f64,
        is_past: impl Fn(f64) -> bool,
    ) -> Option<&'a Listed> {
        let mut best: Option<(f64, &Listed)> = None;
        for row in rows {
            let Some(delta) = self.delta(row) else { continue };
            let off = (delta - target).abs();
            if off <= tolerance && best.is_none_or(|(least, _)| off < least) {
                best = Some((off, row));
            }
            if is_past(delta) {
                break;
            }
        }
        best.map(|(_, row)| row)
    }

    /// Delta without sign as the chain marks it, of a contract that may be traded.
    fn delta(&self, row: &Listed) -> Option<f64> {
        liquid_mid(self.chain, row, self.now, self.settings)?;
        self.chain.delta(&row.contract).map(f64::abs)
    }

    fn by_width(
        &self,
        expiry: Date,
        template: &LegTemplate,
        base: Price,
        dollars: Price,
        tolerance: Price,
    ) -> Option<&'a Listed> {
        let wanted = base + dollars;
        let mut best: Option<(Price, &Listed)> = None;
        for row in self.chain.strikes(expiry, template.right) {
            let strike = row.contract.strike();
            let off = (strike - wanted).abs();
            let right_side = (strike - base).units().signum() == dollars.units().signum();
            let nearer = best.is_none_or(|(least, _)| off < least);
            let fits = right_side && off <= tolerance && nearer;
            if fits && liquid_mid(self.chain, row, self.now, self.settings).is_some() {
                best = Some((off, row));
            }
        }
        best.map(|(_, row)| row)
    }
}

/// Prices the legs and says what they risk.
fn judged(found: &[Found], reward_min: f64) -> Result<Candidate, Shortfall> {
    let (mut doubled_mid, mut natural) = (0i64, Price::ZERO);
    let mut legs = Legs::new();
    for Found { leg, quote } in found {
        let (Some(bid), Some(ask)) = (quote.bid, quote.ask) else { return Err(Shortfall::Nonsense) };
        doubled_mid += leg.signed_ratio() * (bid.price.units() + ask.price.units());
        natural += if leg.signed_ratio() > 0 { ask.price } else { bid.price } * leg.signed_ratio();
        legs.push(*leg);
    }
    let mid = Price::from_units(doubled_mid.div_euclid(2));
    let set: ArrayVec<_, LEGS_MAX> = legs.iter().map(|leg| holding_of(leg, 1)).collect();
    let at = |price: Price| price.times(MULTIPLIER);
    let max_loss = legs::max_loss(&set, at(natural)).and_then(legs::Bound::limited);
    let margin = legs::margin(&set).limited();
    let (Some(max_loss), Some(margin)) = (max_loss, margin) else { return Err(Shortfall::Unlimited) };
    let max_profit = legs::max_profit(&set, at(mid)).map_or(Money::ZERO, legs::Bound::money);
    if max_loss <= Money::ZERO || max_profit <= Money::ZERO {
        return Err(Shortfall::Nonsense);
    }
    if max_profit.dollars() < reward_min * max_loss.dollars() {
        return Err(Shortfall::Reward);
    }
    Ok(Candidate { legs, mid, natural, max_loss, max_profit, margin })
}
