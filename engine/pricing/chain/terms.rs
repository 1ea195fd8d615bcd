//! Forward, rate and yield of each expiry by put-call parity, and the exercise boundaries that follow from them. All of
//! it is work between quotes: a caller comes by one expiry at a time.

use super::{Chain, Curve, Expiry};
use crate::american::Exercise;
use crate::european::Terms;
use crate::forward::{Configured, Pair, Source, imply};
use market::session::{session, year_fraction};
use market::{Date, Right, Timestamp, product};

/// When a row is liquid enough to be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Liquidity {
    /// Largest spread as a share of the mid.
    pub relative_spread_max: f64,
    /// Fewest contracts on either side.
    pub size_min: u32,
    /// Fewest contracts open; rows whose figure is not known fail unless this is 0.
    pub open_interest_min: u32,
    /// Fewest contracts traded today.
    pub volume_min: u32,
    /// Oldest quote used, nanoseconds since it was heard.
    pub age_max_ns: i64,
}

/// Room for parity's pairs and medians, kept by the caller.
#[derive(Clone, Debug)]
pub struct ParityRoom {
    pairs: Vec<Pair>,
    medians: Vec<(f64, f64)>,
}

impl Default for ParityRoom {
    fn default() -> Self {
        // The medians are over pairs of the forty strikes used.
        Self { pairs: Vec::with_capacity(512), medians: Vec::with_capacity(1024) }
    }
}

/// Volatilities the boundaries of an expiry are solved at.
const BOUNDARY_VOLS: usize = 7;
/// Changes of rate or yield over the life of the option, and of the time left (relative), that ask for new boundaries. The
/// first bounds what a premium of old boundaries is off by, as a share of the strike.
const RATE_MOVED: f64 = 2e-5;
const YEARS_MOVED: f64 = 0.02;
/// An hour: with less to live early exercise is worth nothing.
const YEARS_EARLY_MIN: f64 = 1.0 / (365.0 * 24.0);
/// The range of volatilities before any is known.
const VOLS_UNKNOWN: (f64, f64) = (0.08, 0.8);
/// Deltas that count for the range, and how far beyond the quoted volatilities it goes.
const DELTA_COUNTS: f64 = 0.02;
const RANGE_BEYOND: f64 = 1.3;
/// The share of a new rate taken at once: an American premium depends on the rate that parity takes it out with, so rate
/// and premium approach each other in steps.
const RATE_STEP: f64 = 1.0;
/// Rates of an American chain stay this close to the configured one.
const RATE_AWAY_MAX: f64 = 0.03;

impl Chain {
    pub(super) fn new_expiry(&self, date: Date, row: usize) -> Expiry {
        let open = product::is_am_settled(&self.symbol);
        // A day without session is priced to 16:00: a fault of the listing, or a calendar to come.
        let ends = session(date)
            .map_or_else(|| date.at_new_york(16 * 3600), |s| if open { s.open } else { s.close });
        let exercise = self.method.as_ref().map(|method| {
            Box::new([Right::Call, Right::Put].map(|right| Exercise::unsolved(method, right, BOUNDARY_VOLS)))
        });
        let mut made = Expiry {
            date,
            ends,
            terms: Terms::new(f64::NAN, 0.0, 0.0, 0.0),
            curve: self.curve,
            source: Source::Configured,
            pairs_used: 0,
            rows: [row; 3],
            exercise,
        };
        made.terms = self.terms_of(&made, self.spot);
        made
    }

    /// An expiry's terms now at a spot.
    pub(super) fn terms_of(&self, expiry: &Expiry, spot: f64) -> Terms {
        let years = year_fraction(self.now, expiry.ends).clamp(0.0, 100.0);
        Terms::new(spot, years, expiry.curve.rate, expiry.curve.dividend_yield)
    }

    /// Says where rate and yield of an expiry come from, when they are known from elsewhere.
    pub fn set_curve(&mut self, expiry: usize, curve: Curve) {
        self.expiries[expiry].curve = curve;
        self.expiries[expiry].terms = self.terms_of(&self.expiries[expiry], self.spot);
        self.settle(expiry);
    }

    /// Finds forward and rate of an expiry from its liquid strikes and settles its rows on them.
    pub fn imply_terms(&mut self, expiry: usize, now: Timestamp, filter: &Liquidity, room: &mut ParityRoom) {
        self.now = now;
        let terms = self.terms_of(&self.expiries[expiry], self.spot);
        self.expiries[expiry].terms = terms;
        if !terms.is_valid() || terms.years <= 0.0 {
            return;
        }
        self.pairs(expiry, now, filter, &mut room.pairs);
        let configured = Configured {
            spot: self.spot,
            years: terms.years,
            rate: self.curve.rate,
            dividend_yield: self.curve.dividend_yield,
            dividends_present: 0.0,
        };
        let found = imply(&room.pairs, &configured, &mut room.medians);
        let implied = found.terms(self.spot, terms.years);
        let (mut rate, held) = (implied.rate, self.expiries[expiry].curve.rate);
        if self.is_american() && found.source == Source::Parity {
            let near = (self.curve.rate - RATE_AWAY_MAX, self.curve.rate + RATE_AWAY_MAX);
            rate = (held + RATE_STEP * (rate - held)).clamp(near.0, near.1);
        }
        // The forward stands; the yield is what makes the rate agree with it.
        let dividend_yield = implied.dividend_yield + rate - implied.rate;
        let e = &mut self.expiries[expiry];
        (e.source, e.pairs_used) = (found.source, found.pairs_used);
        self.set_curve(expiry, Curve { rate, dividend_yield });
    }

    /// Solves the exercise boundaries of an expiry and right anew when they no longer fit; false when they do.
    pub fn solve_boundaries(&mut self, expiry: usize, right: Right) -> bool {
        let Some(method) = &self.method else { return false };
        let vols = self.vol_range(expiry, right);
        let Expiry { terms, exercise: Some(exercise), .. } = &mut self.expiries[expiry] else { return false };
        let table = &mut exercise[right as usize];
        let (years, rate, dividend_yield) = table.solved_for();
        let (low, high) = table.vols();
        let fits = (terms.years - years).abs() <= YEARS_MOVED * years
            && (terms.rate * terms.years - rate * years).abs() <= RATE_MOVED
            && (terms.dividend_yield * terms.years - dividend_yield * years).abs() <= RATE_MOVED
            && vols.is_none_or(|(least, most)| least >= low && most <= high);
        if fits || !terms.is_valid() || terms.years < YEARS_EARLY_MIN {
            return false;
        }
        let beyond = |(least, most): (f64, f64)| (least / RANGE_BEYOND, most * RANGE_BEYOND);
        table.again(method, terms, vols.map_or(VOLS_UNKNOWN, beyond));
        true
    }

    /// The least and greatest volatility of the rows that matter.
    fn vol_range(&self, expiry: usize, right: Right) -> Option<(f64, f64)> {
        let mut range: Option<(f64, f64)> = None;
        for row in self.expiries[expiry].rows_of(right) {
            let (vol, delta) = (self.vols[row], self.marks.delta[row].abs());
            if vol > 0.0 && (DELTA_COUNTS..=1.0 - DELTA_COUNTS).contains(&delta) {
                let (least, most) = range.unwrap_or((vol, vol));
                range = Some((least.min(vol), most.max(vol)));
            }
        }
        range.map(|(least, most)| (least.clamp(0.02, 4.0), most.clamp(0.02, 4.0)))
    }

    /// True when a row passes every filter at `now`.
    pub fn is_liquid(&self, row: usize, now: Timestamp, filter: &Liquidity) -> bool {
        let listed = &self.rows[row];
        let Some(quote) = self.fresh_of(listed, now, filter.age_max_ns) else { return false };
        let (Some(bid), Some(ask)) = (quote.bid, quote.ask) else { return false };
        let (low, high) = (bid.price.dollars(), ask.price.dollars());
        let open =
            listed.open_interest.map_or(filter.open_interest_min == 0, |n| n >= filter.open_interest_min);
        low <= high
            && high - low <= filter.relative_spread_max * 0.5 * (low + high)
            && bid.size.min(ask.size) >= filter.size_min
            && open
            && listed.volume >= filter.volume_min
    }

    /// Put-call pairs of an expiry's liquid strikes, for [`crate::forward::imply`], into `out`: each price is carried from
    /// the spot it was quoted at to the spot of now, and early exercise is taken out of it.
    pub fn pairs(&self, expiry: usize, now: Timestamp, filter: &Liquidity, out: &mut Vec<Pair>) {
        out.clear();
        let e = &self.expiries[expiry];
        let (mut call, mut put) = (e.rows[0], e.rows[1]);
        while call < e.rows[1] && put < e.rows[2] {
            let (a, b) = (self.strikes[call], self.strikes[put]);
            if a == b && self.is_liquid(call, now, filter) && self.is_liquid(put, now, filter) {
                let ((c, c_half), (p, p_half)) = (self.european_mid(call), self.european_mid(put));
                let uncertainty = (c_half + p_half).max(0.005);
                out.push(Pair { strike: a, difference: c - p, uncertainty });
            }
            call += usize::from(a <= b);
            put += usize::from(b <= a);
        }
    }

    /// What a row's mid would be at the spot of now without early exercise, and half its spread.
    fn european_mid(&self, row: usize) -> (f64, f64) {
        let Some((quote, _)) = self.rows[row].quote else { return (f64::NAN, f64::NAN) };
        let side = |level: Option<market::quote::Level>| level.map_or(f64::NAN, |l| l.price.dollars());
        let (bid, ask) = (side(quote.bid), side(quote.ask));
        let delta = self.marks.delta[row];
        let by = self.spot - self.quoted_spot[row];
        let moved = if delta.is_nan() || by.is_nan() { 0.0 } else { delta * by };
        (0.5 * (bid + ask) + moved - self.early[row].at_or_none(self.spot), 0.5 * (ask - bid))
    }
}
