//! Arithmetic of any set of legs, in dollars: what it costs between natural and mid, what it is worth at any date and
//! spot, its extremes and breakevens at expiry, its odds under a law of the spot, its Greeks, and its margin under
//! Regulation T. (Exact money for sets of one expiry, and the broker's own rule, are in [`crate::legs`].)

use crate::elementary::normal;
use crate::european::{Greeks, Terms, greeks, sign_of};
use crate::surface::Slice;
use market::Right;

/// What a leg is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Shares.
    Stock,
    /// An option.
    Option {
        /// Call or put.
        right: Right,
        /// Dollars per share.
        strike: f64,
        /// Time to expiry now.
        years: f64,
        /// Volatility at which it is valued before expiry.
        vol: f64,
    },
}

/// One leg.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StructureLeg {
    /// Shares or option.
    pub kind: Kind,
    /// Shares controlled, signed: contracts times multiplier; negative when sold.
    pub shares: f64,
    /// Dollars per share.
    pub bid: f64,
    /// Dollars per share.
    pub ask: f64,
}

/// An amount that may be without limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Extreme {
    /// Dollars.
    Limited(f64),
    /// No limit.
    Unlimited,
}

/// A law of the spot at expiry.
pub trait Law {
    /// Probability that the spot ends above a price.
    fn above(&self, spot: f64) -> f64;
    /// Expectation of what a call struck there pays: `E[max(S - strike, 0)]`; at 0 the mean.
    fn call(&self, strike: f64) -> f64;
}

/// The lognormal law.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lognormal {
    /// Mean of the spot at expiry.
    pub forward: f64,
    /// Volatility times the root of time.
    pub deviation: f64,
}

impl Lognormal {
    /// The risk-neutral one of these terms.
    pub fn of(terms: &Terms, vol: f64) -> Self {
        Self { forward: terms.forward(), deviation: vol * terms.root }
    }
}

impl Law for Lognormal {
    fn above(&self, spot: f64) -> f64 {
        if spot <= 0.0 {
            return 1.0;
        }
        let x = libm::log(self.forward / spot);
        if self.deviation <= 0.0 {
            return f64::from(u8::from(x > 0.0));
        }
        normal(x / self.deviation - 0.5 * self.deviation)
    }

    fn call(&self, strike: f64) -> f64 {
        if strike <= 0.0 {
            return self.forward - strike;
        }
        // A year at the deviation as volatility, without interest.
        let terms = Terms::new(self.forward, 1.0, 0.0, 0.0);
        greeks(Right::Call, &terms, strike, self.deviation).price
    }
}

impl Law for Slice {
    fn above(&self, spot: f64) -> f64 {
        self.probability_above(spot)
    }

    fn call(&self, strike: f64) -> f64 {
        if strike <= 0.0 {
            return self.terms.forward() - strike;
        }
        greeks(Right::Call, &self.terms, strike, self.vol(strike)).price / self.terms.discount
    }
}

/// A forecast's law: outcomes with probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcomes(pub Vec<(f64, f64)>);

impl Law for Outcomes {
    fn above(&self, spot: f64) -> f64 {
        self.0.iter().filter(|(s, _)| *s > spot).map(|(_, p)| p).sum()
    }

    fn call(&self, strike: f64) -> f64 {
        self.0.iter().map(|(s, p)| p * (s - strike).max(0.0)).sum()
    }
}

/// Net price of the set in dollars: above zero a debit, below a credit. `share` is the way from mid (0) to natural (1,
/// buying at the ask and selling at the bid).
pub fn net(legs: &[StructureLeg], share: f64) -> f64 {
    let price = |l: &StructureLeg| {
        let (mid, half) = (0.5 * (l.bid + l.ask), 0.5 * (l.ask - l.bid));
        l.shares * (mid + share * half * l.shares.signum())
    };
    legs.iter().map(price).sum()
}

/// Dollars the set is worth `elapsed` years from now with the underlying at `spot`: intrinsic value of what has expired
/// (as if it expired at this spot), Black and Scholes of the rest at its own volatility.
pub fn value_at(legs: &[StructureLeg], spot: f64, elapsed: f64, rate: f64, dividend_yield: f64) -> f64 {
    legs.iter().map(|l| l.shares * leg_value(&l.kind, spot, elapsed, rate, dividend_yield)).sum()
}

fn leg_value(kind: &Kind, spot: f64, elapsed: f64, rate: f64, dividend_yield: f64) -> f64 {
    match *kind {
        Kind::Stock => spot,
        Kind::Option { right, strike, years, vol } => {
            let left = years - elapsed;
            let payoff = (sign_of(right) * (spot - strike)).max(0.0);
            if left <= 1e-12 || spot <= 0.0 {
                let discount = libm::exp(-rate * left.max(0.0));
                return if spot <= 0.0 && right == Right::Put { strike * discount } else { payoff };
            }
            greeks(right, &Terms::new(spot, left, rate, dividend_yield), strike, vol).price
        }
    }
}

/// What the set is worth at the best spot of its first expiry, dollars: options that expire later at their own
/// volatilities. `None` without options. Over one expiry [`Profile`] says it exactly.
pub fn best_at_first_expiry(
    legs: &[StructureLeg],
    spot: f64,
    rate: f64,
    dividend_yield: f64,
) -> Option<Extreme> {
    let (first, vol) = first_expiry(legs)?;
    if right_slope(legs) > 0.0 {
        return Some(Extreme::Unlimited);
    }
    let worth = |spot: f64| value_at(legs, spot, first, rate, dividend_yield);
    let strikes = legs.iter().filter_map(|l| l.strike());
    // Between the kinks at the strikes that expire the curve is smooth: a grid of a quarter of a deviation, then closer.
    let step = (0.25 * vol * first.sqrt()).max(1e-4);
    let grid = (-16..=16).map(|i| spot * libm::exp(f64::from(i) * step));
    let better = |best: (f64, f64), at: f64| {
        let found = worth(at);
        if found > best.1 { (at, found) } else { best }
    };
    // The very bottom counts as well: there a long put is worth the most.
    let best = strikes.chain(grid).chain([0.0]).fold((spot, worth(spot)), better);
    let closer = (-7..=7).map(|i| best.0 * libm::exp(f64::from(i) * step / 8.0));
    Some(Extreme::Limited(closer.fold(best, better).1))
}

/// Years to the first expiry of the set, and the largest volatility of its options.
fn first_expiry(legs: &[StructureLeg]) -> Option<(f64, f64)> {
    let options = legs.iter().filter_map(|l| match l.kind {
        Kind::Option { years, vol, .. } => Some((years, vol)),
        Kind::Stock => None,
    });
    options.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// Shares held once the underlying is above every strike.
fn right_slope(legs: &[StructureLeg]) -> f64 {
    let is_call = |l: &&StructureLeg| !matches!(l.kind, Kind::Option { right: Right::Put, .. });
    legs.iter().filter(is_call).map(|l| l.shares).sum()
}

impl StructureLeg {
    /// The strike of an option.
    pub fn strike(&self) -> Option<f64> {
        match self.kind {
            Kind::Option { strike, .. } => Some(strike),
            Kind::Stock => None,
        }
    }
}

/// The Greeks of the set in dollars now.
pub fn structure_greeks(legs: &[StructureLeg], spot: f64, rate: f64, dividend_yield: f64) -> Greeks {
    let mut sum = Greeks::default();
    for l in legs {
        let g = match l.kind {
            Kind::Stock => Greeks { price: spot, delta: 1.0, ..Greeks::default() },
            Kind::Option { right, strike, years, vol } => {
                greeks(right, &Terms::new(spot, years, rate, dividend_yield), strike, vol)
            }
        };
        sum.price += l.shares * g.price;
        sum.delta += l.shares * g.delta;
        sum.gamma += l.shares * g.gamma;
        sum.vega += l.shares * g.vega;
        sum.theta += l.shares * g.theta;
        sum.rho += l.shares * g.rho;
        sum.vanna += l.shares * g.vanna;
        sum.volga += l.shares * g.volga;
        sum.charm += l.shares * g.charm;
        sum.speed += l.shares * g.speed;
    }
    sum
}

/// Points of the curve on the first of several expiries.
const CURVE_POINTS: i32 = 1_024;

/// Profit and loss at the one expiry of a set, `cost` dollars paid for it: a broken line over the spot.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Corners `(spot, profit)`, rising from spot 0.
    corners: Vec<(f64, f64)>,
    /// Shares held right of the last corner.
    slope: f64,
    /// Amounts below this are rounding.
    zero: f64,
}

impl Profile {
    /// `None` when the options expire on different days: then no single expiry says it.
    pub fn new(legs: &[StructureLeg], cost: f64) -> Option<Self> {
        let mut expiries = legs.iter().filter_map(|l| match l.kind {
            Kind::Option { years, .. } => Some(years),
            Kind::Stock => None,
        });
        let first = expiries.next();
        if !expiries.all(|y| first.is_some_and(|f| (y - f).abs() < 1e-9)) {
            return None;
        }
        let mut spots: Vec<f64> = legs.iter().filter_map(StructureLeg::strike).chain([0.0]).collect();
        spots.sort_by(f64::total_cmp);
        spots.dedup();
        let payoff = |spot: f64| -> f64 {
            let of = |l: &StructureLeg| match l.kind {
                Kind::Stock => spot,
                Kind::Option { right, strike, .. } => (sign_of(right) * (spot - strike)).max(0.0),
            };
            legs.iter().map(|l| l.shares * of(l)).sum()
        };
        let slope = right_slope(legs);
        let size = |l: &StructureLeg| l.shares.abs() * l.strike().unwrap_or(l.ask.abs());
        let zero = 1e-12 * (legs.iter().map(size).sum::<f64>() + cost.abs());
        let corners = spots.iter().map(|s| (*s, payoff(*s) - cost)).collect();
        Some(Self { corners, slope, zero })
    }

    /// Profit and loss on the first of several expiries: options that expire later are valued at their own volatilities.
    /// The smooth curve is joined from [`CURVE_POINTS`] points over eight deviations either way, and the strikes; between
    /// them it is off by less than a thousandth of the straddle at the money. Without options `None`.
    pub fn at_first_expiry(
        legs: &[StructureLeg],
        cost: f64,
        spot: f64,
        rate: f64,
        dividend_yield: f64,
    ) -> Option<Self> {
        let (first, vol) = first_expiry(legs)?;
        let worth = |at: f64| value_at(legs, at, first, rate, dividend_yield);
        let step = 16.0 * (vol * first.sqrt()).max(1e-3) / f64::from(CURVE_POINTS);
        let grid = (0..=CURVE_POINTS)
            .map(|i| spot * libm::exp((f64::from(i) - f64::from(CURVE_POINTS) / 2.0) * step));
        let mut spots: Vec<f64> =
            legs.iter().filter_map(StructureLeg::strike).chain(grid).chain([0.0]).collect();
        spots.sort_by(f64::total_cmp);
        spots.dedup();
        let size = |l: &StructureLeg| l.shares.abs() * l.strike().unwrap_or(l.ask.abs());
        let zero = 1e-12 * (legs.iter().map(size).sum::<f64>() + cost.abs());
        let corners = spots.iter().map(|s| (*s, worth(*s) - cost)).collect();
        Some(Self { corners, slope: right_slope(legs), zero })
    }

    /// Profit at a spot, dollars.
    pub fn at(&self, spot: f64) -> f64 {
        let i = self.corners.partition_point(|c| c.0 <= spot).max(1) - 1;
        let (from, profit) = self.corners[i];
        let slope = match self.corners.get(i + 1) {
            Some((to, there)) => (there - profit) / (to - from),
            None => self.slope,
        };
        profit + slope * (spot - from)
    }

    /// The most that can be gained.
    pub fn max_profit(&self) -> Extreme {
        if self.slope > 0.0 {
            return Extreme::Unlimited;
        }
        Extreme::Limited(self.corners.iter().map(|c| c.1).fold(f64::NEG_INFINITY, f64::max))
    }

    /// The most that can be lost, above zero for a loss; below zero when every outcome wins.
    pub fn max_loss(&self) -> Extreme {
        if self.slope < 0.0 {
            return Extreme::Unlimited;
        }
        Extreme::Limited(-self.corners.iter().map(|c| c.1).fold(f64::INFINITY, f64::min))
    }

    /// Stretches of the spot with a profit, rising; the last may end at infinity. Zero is no profit.
    pub fn profit_intervals(&self) -> Vec<(f64, f64)> {
        let mut found: Vec<(f64, f64)> = Vec::new();
        let mut add = |from: f64, to: f64| match found.last_mut() {
            Some(last) if from <= last.1 => last.1 = to,
            _ if to > from => found.push((from, to)),
            _ => {}
        };
        let level = |p: f64| if p.abs() <= self.zero { 0.0 } else { p };
        for (i, (from, raw)) in self.corners.iter().enumerate() {
            let here = level(*raw);
            let (to, there) = match self.corners.get(i + 1) {
                Some((to, there)) => (*to, level(*there)),
                None => (f64::INFINITY, self.slope * f64::INFINITY),
            };
            let cross = match self.corners.get(i + 1) {
                Some(_) => from + (to - from) * here / (here - there),
                None => from - here / self.slope,
            };
            let there = if there.is_nan() { here } else { there };
            match (here > 0.0, there > 0.0) {
                (true, true) => add(*from, to),
                (true, false) => add(*from, if there < 0.0 { cross } else { to }),
                (false, true) => add(if here < 0.0 { cross } else { *from }, to),
                (false, false) => {}
            }
        }
        found
    }

    /// The spot of the largest profit; the first of several. `None` when it has no limit.
    pub fn best_spot(&self) -> Option<f64> {
        let best = self.corners.iter().copied().reduce(|a, b| if b.1 > a.1 + self.zero { b } else { a });
        best.filter(|_| self.slope <= 0.0).map(|(spot, _)| spot)
    }

    /// The spots at which gain turns to loss or back, rising.
    pub fn breakevens(&self) -> Vec<f64> {
        let intervals = self.profit_intervals();
        let ends = intervals.iter().flat_map(|(from, to)| [(*from, -1.0), (*to, 1.0)]);
        let inner = ends.filter(|(s, _)| *s > 0.0 && s.is_finite());
        // An end is a breakeven when loss, not a stretch of zero, lies on its other side.
        let step = |s: f64| 1e-7 * s.max(1.0);
        inner.filter(|(s, side)| self.at(s + side * step(*s)) < -self.zero).map(|(s, _)| s).collect()
    }

    /// Probability of a profit under a law.
    pub fn probability_of_profit(&self, law: &dyn Law) -> f64 {
        let beyond = |s: f64| if s.is_finite() { law.above(s) } else { 0.0 };
        let all = |from: f64| if from <= 0.0 { 1.0 } else { beyond(from) };
        self.profit_intervals().iter().map(|(from, to)| all(*from) - beyond(*to)).sum()
    }

    /// Expected profit under a law, dollars at expiry; premiums are not carried.
    pub fn expected(&self, law: &dyn Law) -> f64 {
        // The line as calls: its value at zero, its first slope, and the change of slope at each strike.
        let mut sum = self.corners[0].1;
        let mut before = 0.0;
        for (i, (spot, profit)) in self.corners.iter().enumerate() {
            let slope = match self.corners.get(i + 1) {
                Some((to, there)) => (there - profit) / (to - spot),
                None => self.slope,
            };
            sum += (slope - before) * law.call(*spot);
            before = slope;
        }
        sum
    }
}

/// Shares of the underlying's price that a naked short option asks under Regulation T.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NakedRates {
    /// Of the underlying, before the out-of-the-money amount: 20 %, of a broad index 15 %.
    pub usual: f64,
    /// At least this: 10 %, of the underlying for calls and of the strike for puts.
    pub least: f64,
}

impl NakedRates {
    /// Stocks and funds.
    pub const STOCK: Self = Self { usual: 0.20, least: 0.10 };
    /// Broad indices.
    pub const BROAD_INDEX: Self = Self { usual: 0.15, least: 0.10 };
}

/// The requirement of Regulation T's strategy rules in dollars, before any credit is applied (market-facts section 4.1):
/// the worst intrinsic loss of covered sets of one expiry; spreads leg by leg otherwise, where a long leg covers a short
/// one only when it expires on the same day or later; what is not covered is naked. Shares cover short calls and
/// ask half of their price.
pub fn reg_t_margin(legs: &[StructureLeg], spot: f64, rates: NakedRates) -> f64 {
    let shares: f64 = legs.iter().filter(|l| l.kind == Kind::Stock).map(|l| l.shares).sum();
    let stock = 0.5 * shares.abs() * spot;
    if shares == 0.0
        && let Some(profile) = Profile::new(legs, 0.0)
        && let Extreme::Limited(loss) = profile.max_loss()
        && naked_shares(legs, Right::Put, 0.0) == 0.0
    {
        return loss.max(0.0);
    }
    let calls = side(legs, Right::Call, spot, rates, shares.max(0.0));
    let puts = side(legs, Right::Put, spot, rates, (-shares).max(0.0));
    let options = match (calls.naked > 0.0, puts.naked > 0.0) {
        // A short straddle or strangle: the greater side, and the premium of the other.
        (true, true) if calls.naked >= puts.naked => calls.naked + puts.premium,
        (true, true) => puts.naked + calls.premium,
        _ => calls.naked + puts.naked,
    };
    stock + options + calls.spread.max(puts.spread)
}

/// What one right asks: for naked shorts, their premium, and for spreads.
struct Side {
    naked: f64,
    premium: f64,
    spread: f64,
}

/// Shares short beyond all longs of a right, whatever their expiry.
fn naked_shares(legs: &[StructureLeg], wanted: Right, covered: f64) -> f64 {
    let of = |l: &&StructureLeg| matches!(l.kind, Kind::Option { right, .. } if right == wanted);
    (-legs.iter().filter(of).map(|l| l.shares).sum::<f64>() - covered).max(0.0)
}

fn side(legs: &[StructureLeg], wanted: Right, spot: f64, rates: NakedRates, mut cover: f64) -> Side {
    // (strike, years, shares, mid), dearest right first.
    let mut all: Vec<(f64, f64, f64, f64)> = legs
        .iter()
        .filter_map(|l| match l.kind {
            Kind::Option { right, strike, years, .. } if right == wanted => {
                Some((strike, years, l.shares, 0.5 * (l.bid + l.ask)))
            }
            _ => None,
        })
        .collect();
    let sign = sign_of(wanted);
    all.sort_by(|a, b| (sign * a.0).total_cmp(&(sign * b.0)).then(a.1.total_cmp(&b.1)));
    let mut longs: Vec<(f64, f64, f64)> = all.iter().filter(|l| l.2 > 0.0).map(|l| (l.0, l.1, l.2)).collect();
    let mut found = Side { naked: 0.0, premium: 0.0, spread: 0.0 };
    for (strike, years, shares, mid) in all.iter().filter(|l| l.2 < 0.0) {
        let mut short = -shares;
        for long in longs.iter_mut().filter(|l| l.1 >= years - 1e-9) {
            let paired = short.min(long.2);
            found.spread += paired * (sign * (long.0 - strike)).max(0.0);
            long.2 -= paired;
            short -= paired;
        }
        let by_stock = short.min(cover);
        cover -= by_stock;
        short -= by_stock;
        let out = (sign * (strike - spot)).max(0.0);
        let base = if wanted == Right::Call { spot } else { *strike };
        found.naked += short * (mid + (rates.usual * spot - out).max(rates.least * base));
        found.premium += short * mid;
    }
    found
}
