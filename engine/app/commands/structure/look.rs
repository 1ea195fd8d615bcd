//! Candidates of a structure in a scene: the legs each expiry gives, and all that the arithmetic says of them.

use super::source::Scene;
use crate::cli;
use market::contract::MULTIPLIER;
use market::order::Holding;
use market::{Date, Instrument, Price, Right};
use pricing::carry::Carry;
use pricing::european::{Greeks, Terms, greeks};
use pricing::forward::Source;
use pricing::implied::implied;
use pricing::legs::{self, Bound, holding_of};
use pricing::outlook::{self, Outlook, outlook};
use pricing::structure::{Kind, Law, Lognormal, NakedRates, StructureLeg};
use pricing::surface::Slice;
use strategy::Structure;
use strategy::search::{Finder, Found, Picked, Shortfall, judged};

/// What one expiry gave.
pub struct Seen {
    /// The expiry the structure's `days` chose.
    pub expiry: Date,
    /// The candidate, or what was missing.
    pub candidate: Result<Candidate, Shortfall>,
}

/// One leg with its numbers.
pub struct LegSeen {
    /// The leg and its quote.
    pub found: Found,
    /// Volatility as the chain marks it, early exercise included; of the surface where its mid has none. `None` for shares.
    pub vol: Option<f64>,
    /// The volatility at which the European formula, that of the arithmetic, gives its mid.
    valued_at: Option<f64>,
    /// Greeks of one share of it, as the chain marks them.
    pub greeks: Greeks,
}

/// A candidate.
pub struct Candidate {
    /// Its legs.
    pub legs: Vec<LegSeen>,
    /// The same for the arithmetic.
    pub set: Vec<StructureLeg>,
    /// Calendar days to its first expiry.
    pub days: i32,
    /// The market of its first expiry.
    pub market: Market,
    /// What its legs are valued with.
    pub carry: Carry,
    /// What the arithmetic says.
    pub outlook: Outlook,
    /// The most it can lose at the price looked at, whatever day it is closed on.
    pub worst: Bound,
    /// What the broker's rule asks before any credit.
    pub broker: Bound,
    /// Why the engine would not propose it, though its legs are there.
    pub poor: Option<Shortfall>,
}

/// One expiry's forward and law.
pub struct Market {
    /// Spot, rate, yield and time.
    pub terms: Terms,
    /// Where the forward is from.
    pub source: Source,
    /// The fitted smile; without one the law is lognormal at `atm_vol`.
    pub slice: Option<Slice>,
    /// Volatility at the forward.
    pub atm_vol: f64,
}

impl Market {
    /// The law of the spot on that expiry.
    pub fn law(&self) -> Box<dyn Law> {
        match self.slice {
            Some(slice) => Box::new(slice),
            None => Box::new(Lognormal::of(&self.terms, self.atm_vol)),
        }
    }

    /// Volatility at a strike.
    fn vol(&self, strike: f64) -> f64 {
        self.slice.map_or(self.atm_vol, |slice| slice.vol(strike))
    }
}

/// Every candidate, one an expiry.
pub fn at(structure: &Structure, scene: &Scene, args: &cli::Structure) -> Vec<Seen> {
    let mut search = scene.search;
    if args.any_spread {
        search.spread_floor = Price::from_units(i64::MAX);
        search.open_interest_min = 0;
    }
    let mut finder = Finder::new();
    let Scene { chain, symbol, spot, now, days_floor, .. } = scene;
    let mut round = finder.begin(chain, *symbol, *spot, *now, *days_floor, &search);
    let expiries = round.expiries(structure);
    let mut see = |expiry| {
        let picked = round.legs(structure, expiry)?;
        candidate(structure, scene, &picked, args).ok_or(Shortfall::NoVolatility)
    };
    expiries.into_iter().map(|expiry| Seen { expiry, candidate: see(expiry) }).collect()
}

fn candidate(
    structure: &Structure,
    scene: &Scene,
    picked: &Picked,
    args: &cli::Structure,
) -> Option<Candidate> {
    let dates = || picked.iter().filter_map(|f| f.leg.instrument.contract()).map(|c| c.expiry);
    let first = dates().min()?;
    let mut markets: Vec<(Date, Market)> = Vec::new();
    for date in dates() {
        if markets.iter().all(|(known, _)| *known != date) {
            markets.push((date, market_of(scene, date)?));
        }
    }
    let of = |date: Date| markets.iter().find(|(known, _)| *known == date).map(|(_, market)| market);
    let legs: Vec<LegSeen> = picked.iter().map(|found| leg_seen(scene, found, of)).collect::<Option<_>>()?;
    let set: Vec<StructureLeg> = legs.iter().map(|leg| arithmetic(leg, of)).collect::<Option<_>>()?;
    let market = markets.iter().position(|(date, _)| *date == first).map(|i| markets.swap_remove(i).1)?;
    let law = market.law();
    let carry = Carry::over(&market.terms, markets.iter().map(|(_, later)| &later.terms));
    let naked =
        if market::product::is_index(&scene.symbol) { NakedRates::BROAD_INDEX } else { NakedRates::STOCK };
    let outlook = outlook(
        &set,
        args.price,
        &outlook::Scene {
            spot: carry.spot,
            rate: carry.rate,
            dividend_yield: carry.dividend_yield,
            law: &*law,
            odds: args.odds.or(scene.odds),
            naked,
        },
    )?;
    let holdings: Vec<Holding> = picked.iter().map(|f| holding_of(&f.leg, 1)).collect();
    Some(Candidate {
        days: first.days_since(scene.now.new_york().0),
        worst: legs::worst_loss(&holdings, market::Money::nearest(outlook.cost)?),
        broker: legs::broker_margin(&holdings),
        poor: judged(picked, structure.reward_min, &carry).err(),
        legs,
        set,
        market,
        carry,
        outlook,
    })
}

fn leg_seen<'m>(scene: &Scene, found: &Found, of: impl Fn(Date) -> Option<&'m Market>) -> Option<LegSeen> {
    let Some(contract) = found.leg.instrument.contract() else {
        let greeks = Greeks { price: found.bid.dollars(), delta: 1.0, ..Greeks::default() };
        return Some(LegSeen { found: *found, vol: None, valued_at: None, greeks });
    };
    let market = of(contract.expiry)?;
    let (strike, terms) = (contract.strike().dollars(), &market.terms);
    let mid = 0.5 * (found.bid.dollars() + found.ask.dollars());
    let valued_at = implied(contract.right, terms, strike, mid, None).unwrap_or_else(|_| market.vol(strike));
    let marked = scene.chain.row_of(&contract).and_then(|row| scene.chain.greeks_of(row).ok());
    let greeks = marked.unwrap_or_else(|| greeks(contract.right, terms, strike, valued_at));
    Some(LegSeen { found: *found, vol: found.vol.or(Some(valued_at)), valued_at: Some(valued_at), greeks })
}

fn arithmetic<'m>(leg: &LegSeen, of: impl Fn(Date) -> Option<&'m Market>) -> Option<StructureLeg> {
    let found = &leg.found;
    let shares = (found.leg.signed_ratio() * found.leg.instrument.multiplier()) as f64;
    let kind = match found.leg.instrument {
        Instrument::Stock(_) => Kind::Stock,
        Instrument::Option(contract) => Kind::Option {
            right: contract.right,
            strike: contract.strike().dollars(),
            years: of(contract.expiry)?.terms.years,
            vol: leg.valued_at?,
        },
    };
    Some(StructureLeg { kind, shares, bid: found.bid.dollars(), ask: found.ask.dollars() })
}

/// What the marked chain and its surface know of one expiry.
fn market_of(scene: &Scene, expiry: Date) -> Option<Market> {
    let held = scene.chain.expiry_terms().iter().find(|e| e.date == expiry)?;
    // On the last minute of its life an option is still worth something: a minute keeps the arithmetic from 0 by 0.
    let years = held.terms.years.max(MINUTE_YEARS);
    let terms = Terms::new(scene.spot.dollars(), years, held.curve.rate, held.curve.dividend_yield);
    let same = |slice: &&Slice| (slice.terms.years - held.terms.years).abs() < MINUTE_YEARS;
    let slice = scene.surface.slices().iter().find(same).copied();
    let forward = terms.forward();
    let vol = |right| {
        let rows = scene.chain.strikes(expiry, right).iter();
        let known =
            rows.filter_map(|row| Some((row.contract.strike().dollars(), scene.chain.vol(&row.contract)?)));
        known.min_by(|a, b| (a.0 - forward).abs().total_cmp(&(b.0 - forward).abs())).map(|(_, vol)| vol)
    };
    let nearest = || vol(Right::Call).or(vol(Right::Put));
    let atm_vol = slice.map(|s| s.vol(forward)).or_else(nearest)?;
    Some(Market { terms, source: held.source, slice, atm_vol })
}

const MINUTE_YEARS: f64 = 1.0 / 525_600.0;

/// Dollars a share of a whole set's dollars.
pub fn a_share(dollars: f64) -> f64 {
    dollars / MULTIPLIER as f64
}
