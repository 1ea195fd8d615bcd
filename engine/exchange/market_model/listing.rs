//! Which contracts are listed, and what is known of each besides its quote: open interest and volume.

use super::chance::hash_unit;
use super::parameters::Parameters;
use market::quote::{Quote, SaleRule, Trade};
use market::{Contract, Date, Price, Right, Symbol, Timestamp, session};
use std::collections::{BTreeMap, BTreeSet};

/// Weekly expiries ahead, the month's among them.
const WEEKLIES: i32 = 7;
/// Monthly expiries ahead.
const MONTHLIES: u32 = 5;
/// Strikes on each side of the money, per expiry and right.
const STRIKES_A_SIDE: i64 = 20;

/// What is known of a contract besides its quote.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Facts {
    /// Contracts open at the end of the previous session.
    pub open_interest: u32,
    /// Contracts traded today so far.
    pub volume: u32,
    /// The middle at the previous close.
    pub previous_close: Option<Price>,
}

/// The listed contracts of all underlyings.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Listing {
    seed: u64,
    of: BTreeMap<Symbol, BTreeSet<Contract>>,
}

impl Listing {
    /// Nothing is listed yet.
    pub fn new(seed: u64, symbols: &[Symbol]) -> Self {
        Self { seed, of: symbols.iter().map(|s| (*s, BTreeSet::new())).collect() }
    }

    /// True when the contract can be traded.
    pub fn is_listed(&self, contract: &Contract) -> bool {
        self.of.get(&contract.root).is_some_and(|set| set.contains(contract))
    }

    /// The contracts of an underlying.
    pub fn of(&self, underlying: Symbol) -> impl Iterator<Item = Contract> + '_ {
        self.of.get(&underlying).into_iter().flatten().copied()
    }

    /// Drops what expired before `today`, and lists new expiries and strikes around `spot`.
    pub fn refresh(&mut self, underlying: Symbol, today: Date, spot: f64, vol: f64) {
        let set = self.of.entry(underlying).or_default();
        set.retain(|contract| contract.expiry >= today);
        for expiry in expiries(today) {
            let years = f64::from(expiry.days_since(today).max(1)) / 365.0;
            let step = strike_step_mils(spot, vol, years);
            let centre = (spot * 1000.0 / step as f64).round() as i64;
            for n in -STRIKES_A_SIDE..=STRIKES_A_SIDE {
                let Ok(strike_mils) = u32::try_from((centre + n) * step) else { continue };
                if strike_mils == 0 {
                    continue;
                }
                for right in [Right::Call, Right::Put] {
                    set.insert(Contract { root: underlying, expiry, strike_mils, right });
                }
            }
        }
    }

    /// Open interest (monthlies, round strikes and the money have more), and the day's volume so far.
    pub fn facts(
        &self,
        contract: &Contract,
        p: &Parameters,
        today: Date,
        day_part: f64,
        previous_close: Option<Price>,
    ) -> Facts {
        let luck = hash_unit(self.seed, contract, 1);
        let today_luck = hash_unit(self.seed, contract, today.days() as u64);
        let days = f64::from(contract.expiry.days_since(today).max(0)) + 1.0;
        let width = p.vol * (days / 365.0).sqrt();
        let away = (contract.strike().dollars() / p.level).ln() / width;
        let round = if contract.strike_mils.is_multiple_of(5_000) { 2.0 } else { 1.0 };
        let monthly = if is_monthly(contract.expiry) { 2.5 } else { 1.0 };
        let near = (-0.25 * away * away).exp() + 0.02;
        let open_interest =
            p.open_interest * near * round * monthly * (0.3 + 1.4 * luck) * (0.9 + 0.2 * today_luck);
        let turnover = 0.08 + 1.2 / days;
        let volume = open_interest * turnover * (0.4 + 1.2 * today_luck) * day_part;
        Facts { open_interest: open_interest as u32, volume: volume as u32, previous_close }
    }
}

/// The coming weekly and monthly expiries from `today` on, each on a session.
fn expiries(today: Date) -> BTreeSet<Date> {
    let mut found = BTreeSet::new();
    let to_friday = (4 - today.weekday() as i32).rem_euclid(7);
    for week in 0..WEEKLIES {
        let friday = today.plus(to_friday + 7 * week);
        let held = session::session(friday).or_else(|| session::previous_session(friday));
        found.extend(held.map(|s| s.date));
    }
    let (year, month, _) = today.ymd();
    for ahead in 0..=MONTHLIES {
        let months = month - 1 + ahead;
        let monthly = session::monthly_expiration(year + (months / 12) as i32, months % 12 + 1);
        found.extend(monthly.map(|m| m.last_session.date));
    }
    found.retain(|date| *date >= today);
    found
}

fn is_monthly(date: Date) -> bool {
    let (year, month, _) = date.ymd();
    session::monthly_expiration(year, month).is_some_and(|m| m.last_session.date == date)
}

/// The strike interval, in thousandths: the listed one nearest to six standard deviations over forty strikes.
fn strike_step_mils(spot: f64, vol: f64, years: f64) -> i64 {
    let wanted = 6.0 * vol * years.sqrt() * spot / 40.0;
    [500, 1_000, 2_500, 5_000, 10_000, 25_000]
        .into_iter()
        .find(|step| *step as f64 / 1000.0 >= wanted / 1.3)
        .unwrap_or(50_000)
}

/// A small print at bid or ask, when there are both.
pub fn print_of(quote: &Quote, luck: f64, at: Timestamp) -> Option<Trade> {
    let (bid, ask) = (quote.bid?, quote.ask?);
    let buyer = luck < 0.01;
    let price = if buyer { ask.price } else { bid.price };
    let size = 1 + (luck * 1_000.0) as u32 % 10;
    Some(Trade { price, size, at, id: 0, rule: SaleRule::Regular })
}
