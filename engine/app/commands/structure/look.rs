//! Candidates of a structure in a scene: the legs each expiry gives, and all that the arithmetic says of them.

use super::source::Scene;
use crate::cli;
use market::contract::MULTIPLIER;
use market::order::Holding;
use market::session::{contract_close, year_fraction};
use market::{Date, Instrument, Price, Right};
use pricing::european::{Greeks, Terms, greeks};
use pricing::forward::{Configured, Forward, Pair, imply};
use pricing::implied::implied;
use pricing::legs::{self, Bound, holding_of};
use pricing::outlook::{self, Outlook, outlook};
use pricing::smile::SmilePoint;
use pricing::structure::{Kind, Law, Lognormal, NakedRates, StructureLeg};
use pricing::surface::{Slice, Surface};
use strategy::Structure;
use strategy::search::{Finder, Found, Picked, Shortfall, judged, liquid_mid};

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
    /// Volatility of its mid; of the surface where the mid has none. `None` for shares.
    pub vol: Option<f64>,
    /// Greeks of one share of it.
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
    pub forward: Forward,
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
        search.spread_max_bps = i64::MAX / Price::PER_DOLLAR / 1_000;
        search.open_interest_min = 0;
    }
    let mut finder = Finder::new();
    let Scene { chain, symbol, spot, now, days_floor, .. } = scene;
    let mut round = finder.begin(chain, *symbol, *spot, *now, *days_floor, &search);
    let expiries = round.expiries(structure);
    let mut see = |expiry| {
        let picked = round.legs(structure, expiry)?;
        candidate(structure, scene, &picked, args).ok_or(Shortfall::Nonsense)
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
            markets.push((date, market_of(scene, date)));
        }
    }
    let of = |date: Date| markets.iter().find(|(known, _)| *known == date).map(|(_, market)| market);
    let legs: Vec<LegSeen> = picked.iter().map(|found| leg_seen(found, of)).collect::<Option<_>>()?;
    let set: Vec<StructureLeg> = legs.iter().map(|leg| arithmetic(leg, of)).collect::<Option<_>>()?;
    let market = markets.iter().position(|(date, _)| *date == first).map(|i| markets.swap_remove(i).1)?;
    let law = market.law();
    let naked =
        if market::product::is_index(&scene.symbol) { NakedRates::BROAD_INDEX } else { NakedRates::STOCK };
    let outlook = outlook(
        &set,
        args.price,
        &outlook::Scene {
            spot: scene.spot.dollars(),
            rate: market.terms.rate,
            dividend_yield: market.terms.dividend_yield,
            law: &*law,
            odds: args.odds.or(scene.odds),
            naked,
        },
    )?;
    let holdings: Vec<Holding> = picked.iter().map(|f| holding_of(&f.leg, 1)).collect();
    let terms = (scene.spot.dollars(), scene.search.rate, scene.search.dividend_yield);
    Some(Candidate {
        days: first.days_since(scene.now.new_york().0),
        worst: legs::worst_loss(&holdings, market::Money::nearest(outlook.cost)?),
        broker: legs::broker_margin(&holdings),
        poor: judged(picked, structure.reward_min, terms).err(),
        legs,
        set,
        market,
        outlook,
    })
}

fn leg_seen<'m>(found: &Found, of: impl Fn(Date) -> Option<&'m Market>) -> Option<LegSeen> {
    let Some(contract) = found.leg.instrument.contract() else {
        let greeks = Greeks { price: found.bid.dollars(), delta: 1.0, ..Greeks::default() };
        return Some(LegSeen { found: *found, vol: None, greeks });
    };
    let market = of(contract.expiry)?;
    let (strike, terms) = (contract.strike().dollars(), &market.terms);
    let mid = 0.5 * (found.bid.dollars() + found.ask.dollars());
    let vol = implied(contract.right, terms, strike, mid, None).unwrap_or_else(|_| market.vol(strike));
    Some(LegSeen { found: *found, vol: Some(vol), greeks: greeks(contract.right, terms, strike, vol) })
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
            vol: leg.vol?,
        },
    };
    Some(StructureLeg { kind, shares, bid: found.bid.dollars(), ask: found.ask.dollars() })
}

/// Forward by parity, smile by fit, from the quotes of one expiry.
fn market_of(scene: &Scene, expiry: Date) -> Market {
    let spot = scene.spot.dollars();
    let some = market::Contract { root: scene.symbol, expiry, strike_mils: 1, right: Right::Call };
    let close = contract_close(&some, expiry).unwrap_or_else(|| expiry.at_new_york(16 * 3600));
    // On the last minute of its life an option is still worth something: a minute keeps the arithmetic from 0 by 0.
    let years = year_fraction(scene.now, close).max(1.0 / 525_600.0);
    let configured = Configured {
        spot,
        years,
        rate: scene.search.rate,
        dividend_yield: scene.search.dividend_yield,
        dividends_present: 0.0,
    };
    let forward = imply(&pairs(scene, expiry), &configured, &mut Vec::new());
    let terms = forward.terms(spot, years);
    let points = points(scene, expiry, &terms);
    let mut surface = Surface::new();
    let slice = surface.refit(&terms, &points).and_then(|_| surface.slices().first().copied());
    let near = points.iter().min_by(|a, b| a.k.abs().total_cmp(&b.k.abs()));
    let atm_vol = slice.map(|s| s.vol(terms.forward())).or(near.map(|p| p.vol)).unwrap_or(0.2);
    Market { terms, forward, slice, atm_vol }
}

/// Strikes near the money at which both options are quoted.
fn pairs(scene: &Scene, expiry: Date) -> Vec<Pair> {
    let Scene { chain, spot, now, search, .. } = scene;
    let puts = chain.strikes(expiry, Right::Put);
    let pair = |call: &strategy::chain::Listed| {
        let at = puts.binary_search_by_key(&call.contract.strike_mils, |p| p.contract.strike_mils).ok()?;
        let put = puts.get(at)?;
        let [call_mid, put_mid] = [call, put].map(|row| liquid_mid(chain, row, *now, search));
        let spread = |row: &strategy::chain::Listed| row.quote.and_then(|(quote, _)| quote.spread());
        let strike = call.contract.strike().dollars();
        let near = (strike / spot.dollars() - 1.0).abs() < 0.1;
        let difference = call_mid?.dollars() - put_mid?.dollars();
        let uncertainty = (0.5 * (spread(call)?.dollars() + spread(put)?.dollars())).max(0.01);
        near.then_some(Pair { strike, difference, uncertainty })
    };
    chain.strikes(expiry, Right::Call).iter().filter_map(pair).collect()
}

/// Volatilities of what is quoted out of the money.
fn points(scene: &Scene, expiry: Date, terms: &Terms) -> Vec<SmilePoint> {
    let Scene { chain, now, search, .. } = scene;
    let forward = terms.forward();
    let mut points = Vec::new();
    for right in [Right::Put, Right::Call] {
        for row in chain.strikes(expiry, right) {
            let strike = row.contract.strike().dollars();
            let is_out = (right == Right::Call) == (strike >= forward);
            let quoted = liquid_mid(chain, row, *now, search).zip(row.quote.and_then(|(q, _)| q.spread()));
            let Some((mid, spread)) = quoted.filter(|_| is_out) else { continue };
            let Ok(vol) = implied(right, terms, strike, mid.dollars(), None) else { continue };
            let vega = greeks(right, terms, strike, vol).vega.max(1e-6);
            let half_spread = (0.5 * spread.dollars() / vega).max(1e-5);
            points.push(SmilePoint { k: (strike / forward).ln(), vol, half_spread, weight: 1.0 });
        }
    }
    points
}

/// Dollars a share of a whole set's dollars.
pub fn a_share(dollars: f64) -> f64 {
    dollars / MULTIPLIER as f64
}
