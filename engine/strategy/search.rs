//! From structures, a chain and a spot to concrete legs with prices and worst case. Pure: the same chain gives the same
//! candidates.
//!
//! A [`Finder`] looks at one chain at one moment ([`Finder::begin`]) for any number of structures. What they share is
//! computed once: the strikes of an expiry that may be traded, their deltas, the expected move. Its tables are kept from
//! one round to the next, so that a search allocates nothing once they have grown.
//!
//! Deltas are the chain's own: of each contract's mid, early exercise included.

mod judge;
mod strikes;

pub use judge::judged;

use crate::chain::{Chain, Listed};
use crate::exit::last_day;
use crate::structures::{Days, Expiry, Holds, LegTemplate, Pick, Structure, Width};
use arrayvec::ArrayVec;
use market::contract::MULTIPLIER;
use market::order::{Effect, LEGS_MAX, Leg, Legs};
use market::session::year_fraction;
use market::{Contract, Date, Instrument, Money, Price, Right, Symbol, Timestamp};
use pricing::carry::Carry;
use pricing::european::Terms;
use strikes::{Strike, Tables};

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
    /// The most one unit can gain from a fill at `mid`, without fees; `Money::MAX` when there is no limit. Over several
    /// expiries an estimate: the best spot on the first expiry, later options at today's volatilities.
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
    /// A leg's price has no volatility, and what the set is worth on its first expiry depends on it.
    NoVolatility,
    /// Prices that would win in every case, or lose in every case: a quote is wrong.
    Nonsense,
    /// It gains too little for what it risks.
    Reward,
}

/// One leg found, with its quote.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// The leg; shares come in hundreds.
    pub leg: Leg,
    /// Best bid, dollars per share.
    pub bid: Price,
    /// Best ask, dollars per share.
    pub ask: Price,
    /// Volatility of its mid; `None` for shares, and where the price has none or none was asked for.
    pub vol: Option<f64>,
    /// Years to expiry; 0 for shares.
    pub years: f64,
}

/// The legs of one unit, with their quotes.
pub type Picked = ArrayVec<Found, LEGS_MAX>;

/// Most expiries tried for one leg, nearest to the target first.
pub const EXPIRIES_MAX: usize = 3;
/// Ten thousand basis points are the whole.
const BPS: i64 = 10_000;

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

/// Finds candidates. One a symbol, used again and again.
#[derive(Clone, Debug, Default)]
pub struct Finder {
    tables: Tables,
}

impl Finder {
    /// One with empty tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a round: what is found from here on is of this chain at this moment. Expiries with fewer than `days_floor`
    /// days left are passed over: the exit rules would close at once what is opened there.
    pub fn begin<'a>(
        &'a mut self,
        chain: &'a Chain,
        symbol: Symbol,
        spot: Price,
        now: Timestamp,
        days_floor: i32,
        settings: &'a Settings,
    ) -> Round<'a> {
        self.tables.clear();
        Round {
            tables: &mut self.tables,
            chain,
            symbol,
            spot,
            now,
            today: now.new_york().0,
            days_floor,
            settings,
        }
    }
}

/// One chain at one moment, looked at for structures.
pub struct Round<'a> {
    tables: &'a mut Tables,
    chain: &'a Chain,
    symbol: Symbol,
    spot: Price,
    now: Timestamp,
    today: Date,
    days_floor: i32,
    settings: &'a Settings,
}

impl Round<'_> {
    /// The first candidate of a structure, over the expiries nearest to its target.
    ///
    /// # Errors
    /// What was missing.
    pub fn candidate(&mut self, structure: &Structure) -> Result<Candidate, Shortfall> {
        let mut shortfall = Shortfall::NoExpiry;
        for expiry in self.expiries(structure) {
            let picked = self.legs(structure, expiry);
            match picked.and_then(|picked| judged(&picked, structure.reward_min, &self.carry(&picked))) {
                Ok(found) => return Ok(found),
                Err(missing) => shortfall = shortfall.max(missing),
            }
        }
        Err(shortfall)
    }

    /// What the market's forwards say of a set's expiries; what is configured where the chain knows none.
    pub fn carry(&self, picked: &Picked) -> Carry {
        let dates = || picked.iter().filter_map(|f| f.leg.instrument.contract()).map(|c| c.expiry);
        let of = |date: Date| {
            let held = self.held(date)?;
            let years = year_fraction(self.now, held.ends).max(0.0);
            let terms = Terms::new(self.spot.dollars(), years, held.curve.rate, held.curve.dividend_yield);
            terms.is_valid().then_some(terms)
        };
        let Some(first) = dates().min().and_then(of) else {
            let Settings { rate, dividend_yield, .. } = *self.settings;
            return Carry { spot: self.spot.dollars(), rate, dividend_yield };
        };
        let all: ArrayVec<Terms, LEGS_MAX> = dates().filter_map(of).collect();
        Carry::over(&first, all.iter())
    }

    fn held(&self, date: Date) -> Option<&pricing::chain::Expiry> {
        let all = self.chain.expiry_terms();
        all.binary_search_by_key(&date, |e| e.date).ok().map(|i| &all[i])
    }

    /// The expiries that a structure's `days` choose, nearest to the target first; today alone for shares only.
    pub fn expiries(&self, structure: &Structure) -> ArrayVec<Date, EXPIRIES_MAX> {
        self.nearest_expiries(self.today, structure.days)
    }

    /// The legs of a structure whose shared expiry is given.
    ///
    /// # Errors
    /// The leg that found nothing.
    pub fn legs(&mut self, structure: &Structure, expiry: Date) -> Result<Picked, Shortfall> {
        let mut picked = Picked::new();
        for (i, template) in structure.legs.iter().enumerate().take(LEGS_MAX) {
            let found = match template.holds {
                Holds::Shares => Some(self.shares(template)),
                Holds::Option { right, expiry: which, pick } => {
                    let wanted = Wanted { structure, template, right, pick };
                    let expiries = self.expiries_of(structure, which, expiry, &picked);
                    expiries.into_iter().find_map(|date| self.option(&wanted, date, &picked))
                }
            };
            picked.push(found.ok_or(Shortfall::NoLeg(i as u8))?);
        }
        Ok(picked)
    }

    fn shares(&self, template: &LegTemplate) -> Found {
        let leg = Leg {
            instrument: Instrument::Stock(self.symbol),
            side: template.side,
            effect: Effect::Open,
            ratio: template.ratio * MULTIPLIER as u32,
        };
        Found { leg, bid: self.spot, ask: self.spot, vol: None, years: 0.0 }
    }

    fn expiries_of(
        &self,
        structure: &Structure,
        which: Expiry,
        shared: Date,
        picked: &Picked,
    ) -> ArrayVec<Date, EXPIRIES_MAX> {
        let of = |name| contract_of(structure, name, picked).map(|contract| contract.expiry);
        match which {
            Expiry::Shared => ArrayVec::from_iter([shared]),
            Expiry::Own(days) => self.nearest_expiries(self.today, days),
            Expiry::Same(name) => of(&name).into_iter().collect(),
            Expiry::After { leg, days } => {
                of(&leg).map(|base| self.nearest_expiries(base, days)).unwrap_or_default()
            }
        }
    }

    fn nearest_expiries(&self, from: Date, days: Days) -> ArrayVec<Date, EXPIRIES_MAX> {
        let off = |expiry: Date| (expiry.days_since(from) - days.target).abs();
        let mut nearest = ArrayVec::<Date, EXPIRIES_MAX>::new();
        for expiry in self.chain.expiries() {
            let away = expiry.days_since(from);
            if away < days.min || away > days.max {
                continue;
            }
            if last_day(&self.chain.symbol(), expiry).days_since(self.today) < self.days_floor {
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

    fn option(&mut self, wanted: &Wanted<'_>, expiry: Date, picked: &Picked) -> Option<Found> {
        let row = self.strike(wanted, expiry, picked)?;
        let leg = Leg {
            instrument: Instrument::Option(row.contract),
            side: wanted.template.side,
            effect: Effect::Open,
            ratio: wanted.template.ratio,
        };
        // Two legs in one contract would be no structure.
        if picked.iter().any(|f| f.leg.instrument == leg.instrument) {
            return None;
        }
        let years = self.held(expiry).map_or(0.0, |e| year_fraction(self.now, e.ends).max(0.0));
        Some(Found { leg, bid: row.bid, ask: row.ask, vol: Some(row.vol).filter(|v| *v > 0.0), years })
    }

    fn strike(&mut self, wanted: &Wanted<'_>, expiry: Date, picked: &Picked) -> Option<Strike> {
        let (right, spot) = (wanted.right, self.spot.dollars());
        let out = if right == Right::Call { 1.0 } else { -1.0 };
        let near = |strike: f64, tolerance: f64| {
            Some(Aim { strike: Price::nearest(strike)?, tolerance: Price::nearest(tolerance)?, beyond: None })
        };
        let base = |name| contract_of(wanted.structure, name, picked).map(|contract| contract.strike());
        let aim = match wanted.pick {
            Pick::Delta { target, tolerance } => {
                return self.table(expiry).by_delta(right, target, tolerance);
            }
            Pick::Moneyness { percent, tolerance } => {
                near(spot * (1.0 + out * percent / 100.0), spot * tolerance / 100.0)
            }
            Pick::Moves { out: moves, tolerance } => {
                let one = self.table(expiry).expected_move(spot)?;
                near(spot + out * moves * one, tolerance * one)
            }
            Pick::SameStrike(name) => {
                Some(Aim { strike: base(&name)?, tolerance: Price::ZERO, beyond: None })
            }
            Pick::Width { from, by } => self.beside(base(&from)?, by, expiry, right),
        }?;
        self.table(expiry).by_strike(right, &aim)
    }

    /// What a width aims at, from the strike it is measured from.
    fn beside(&self, base: Price, by: Width, expiry: Date, right: Right) -> Option<Aim> {
        let share = |percent: f64| Price::nearest(self.spot.dollars() * percent / 100.0);
        let from_base = |distance: Price, tolerance: Price| Aim {
            strike: base + distance,
            tolerance,
            beyond: Some((base, distance.units().signum())),
        };
        Some(match by {
            Width::Dollars { dollars, tolerance } => from_base(dollars, tolerance),
            Width::Percent { percent, tolerance } => from_base(share(percent)?, share(tolerance)?),
            Width::Strikes(n) => {
                let rows = self.chain.strikes(expiry, right);
                let steps = n.unsigned_abs() as usize - 1;
                let row = if n > 0 {
                    rows.get(rows.partition_point(|row| row.contract.strike() <= base) + steps)
                } else {
                    let below = rows.partition_point(|row| row.contract.strike() < base);
                    below.checked_sub(steps + 1).and_then(|i| rows.get(i))
                };
                Aim { strike: row?.contract.strike(), tolerance: Price::ZERO, beyond: None }
            }
        })
    }

    fn table(&mut self, expiry: Date) -> strikes::Table<'_> {
        self.tables.of(self.chain, expiry, self.now, self.settings)
    }
}

/// A leg to be found.
struct Wanted<'a> {
    structure: &'a Structure,
    template: &'a LegTemplate,
    right: Right,
    pick: Pick,
}

/// A strike aimed at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aim {
    /// Where.
    strike: Price,
    /// How far off the listed one may be.
    tolerance: Price,
    /// Only on that side (1 above, -1 below) of that strike.
    beyond: Option<(Price, i64)>,
}

impl Aim {
    /// How far off a strike is; `None` when it does not fit.
    fn off(&self, strike: Price) -> Option<Price> {
        let off = (strike - self.strike).abs();
        let right_side = self.beyond.is_none_or(|(base, side)| (strike - base).units().signum() == side);
        (right_side && off <= self.tolerance).then_some(off)
    }
}

fn contract_of(structure: &Structure, name: &market::Label, picked: &Picked) -> Option<Contract> {
    picked.get(structure.place(name)?)?.leg.instrument.contract()
}
