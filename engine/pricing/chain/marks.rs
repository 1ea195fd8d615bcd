//! What a quote means: volatility and Greeks of each row.
//!
//! The premium of early exercise is a smooth, small part of an option. Each row keeps it with its first and second
//! slope in the spot and its slope in volatility ([`Early`]), from the last time it was computed in full. Near there
//! the American value is the European one plus that expansion: a quote costs two European inversions, a move of the
//! underlying one batch over the chain. Rows that have gone further are computed in full, one by one as they are quoted
//! and all of them as [`Chain::settle`] comes by.

use super::{Chain, Expiry};
use crate::american::Exercise;
use crate::batch::{Columns, greeks_into};
use crate::european::{Greeks, Terms, greeks, sign_of};
use crate::implied::{NoVolatility, implied};
use market::quote::Quote;
use market::{Contract, Right, Timestamp};

/// The premium of early exercise of one row and how it changes, as of a spot and a volatility.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Early {
    spot: f64,
    vol: f64,
    value: f64,
    slope: f64,
    bend: f64,
    vega: f64,
    theta: f64,
}

/// The relative move of the spot, and of the volatility, within which the expansion stands for the premium.
const SPOT_NEAR: f64 = 2e-3;
const VOL_NEAR: f64 = 1e-2;
/// The relative change of a volatility at which its search ends.
const VOL_LAST: f64 = 1e-7;
const ROUNDS: usize = 6;
/// The premium may answer a change of volatility with at most this share of the European value's answer: beyond, the
/// row is almost exercised and is computed in full.
const VEGA_SHARE_MAX: f64 = 0.25;

impl Early {
    pub(super) const NONE: Self =
        Self { spot: 1.0, vol: f64::NAN, value: 0.0, slope: 0.0, bend: 0.0, vega: 0.0, theta: 0.0 };

    /// Computes it in full.
    fn of(exercise: &Exercise, right: Right, terms: &Terms, strike: f64, vol: f64) -> Self {
        if exercise.is_never() {
            return Self { spot: terms.spot, vol, ..Self::NONE };
        }
        let (full, plain) = (exercise.greeks(terms, strike, vol), greeks(right, terms, strike, vol));
        Self {
            spot: terms.spot,
            vol,
            value: full.price - plain.price,
            slope: full.delta - plain.delta,
            bend: full.gamma - plain.gamma,
            vega: full.vega - plain.vega,
            theta: full.theta - plain.theta,
        }
    }

    /// The premium at another spot.
    #[inline(always)]
    fn at(&self, spot: f64) -> f64 {
        let by = spot - self.spot;
        self.value + by * (self.slope + 0.5 * by * self.bend)
    }

    /// The premium at a spot; none where it was never computed.
    pub(super) fn at_or_none(&self, spot: f64) -> f64 {
        if self.vol.is_nan() { 0.0 } else { self.at(spot) }
    }

    #[inline(always)]
    fn is_near(&self, spot: f64) -> bool {
        (spot - self.spot).abs() <= SPOT_NEAR * self.spot
    }

    /// Adds the premium to a European mark. What would be worth less than its exercise is exercised.
    #[inline(always)]
    fn add_to(&self, sign: f64, strike: f64, spot: f64, g: &mut Greeks) {
        let by = spot - self.spot;
        g.price += self.at(spot);
        g.delta += self.slope + by * self.bend;
        g.gamma += self.bend;
        g.vega += self.vega;
        g.theta += self.theta;
        let intrinsic = sign * (spot - strike);
        if g.price <= intrinsic {
            *g = Greeks { price: intrinsic, delta: sign, ..Greeks::default() };
        } else if g.delta.abs() > 1.0 {
            g.delta = sign;
        }
    }
}

/// The price a quote names, or why it names none.
fn mid_of(quote: &Quote) -> Result<f64, NoVolatility> {
    match (quote.bid, quote.ask) {
        (Some(bid), Some(ask)) if bid.price > ask.price => Err(NoVolatility::Crossed),
        (Some(bid), Some(ask)) => Ok(0.5 * (bid.price.dollars() + ask.price.dollars())),
        _ => Err(NoVolatility::OneSided),
    }
}

impl Chain {
    /// The volatility of a contract's mid, a year.
    pub fn vol(&self, contract: &Contract) -> Option<f64> {
        self.vol_of(self.row_of(contract)?).ok()
    }

    /// The delta of a contract, signed.
    pub fn delta(&self, contract: &Contract) -> Option<f64> {
        Some(self.marks.delta[self.row_of(contract)?]).filter(|d| !d.is_nan())
    }

    /// The volatility of a row's mid, a year.
    ///
    /// # Errors
    /// Why there is none.
    pub fn vol_of(&self, row: usize) -> Result<f64, NoVolatility> {
        self.why[row].map_or(Ok(self.vols[row]), Err)
    }

    /// Value and Greeks of a row at its volatility.
    ///
    /// # Errors
    /// Why the row has no volatility.
    pub fn greeks_of(&self, row: usize) -> Result<Greeks, NoVolatility> {
        self.why[row].map_or_else(|| Ok(self.marks.row(row)), Err)
    }

    /// The spot when a row was quoted; `None` when none was known.
    pub fn quoted_spot(&self, row: usize) -> Option<f64> {
        Some(self.quoted_spot[row]).filter(|s| !s.is_nan())
    }

    /// The columns of marks, one row a contract, NaN where missing.
    pub fn marks(&self) -> &Columns {
        &self.marks
    }

    /// The underlying is there now: rows quoted from here on are marked at it; the others when [`Self::remark`] is called.
    #[inline]
    pub fn hear_spot(&mut self, spot: f64) {
        self.spot = spot;
    }

    /// Marks every row anew at the spot, the time and the volatilities held. Allocates nothing.
    pub fn remark(&mut self, now: Timestamp) {
        self.now = now;
        for i in 0..self.expiries.len() {
            let was_known = self.expiries[i].terms.is_valid();
            self.expiries[i].terms = self.terms_of(&self.expiries[i], self.spot);
            if was_known {
                self.mark_expiry(i);
            } else {
                self.settle(i);
            }
        }
    }

    /// Computes the rows of an expiry in full at the spot each was quoted at, then marks them: after the terms of
    /// the expiry have changed, and now and then for rows that wait long for a quote.
    pub fn settle(&mut self, expiry: usize) {
        for row in self.expiries[expiry].rows() {
            let Some((quote, _)) = self.rows[row].quote else { continue };
            let at = self.quoted_spot[row];
            let spot = if at.is_nan() { self.spot } else { at };
            let terms = self.expiries[expiry].terms.at_spot(spot);
            self.early[row].vol = f64::NAN;
            let found = mid_of(&quote).and_then(|mid| self.invert(row, expiry, &terms, mid));
            self.keep_vol(row, found);
            if self.vols[row] > 0.0 {
                self.anchor(row, expiry, self.vols[row]);
            }
        }
        self.mark_expiry(expiry);
    }

    /// A quote came: the row's volatility and Greeks.
    #[inline]
    pub(super) fn mark_quoted(&mut self, row: usize) {
        let Some((quote, _)) = self.rows[row].quote else { return };
        let expiry = self.expiry_of(row);
        let terms = self.expiries[expiry].terms.at_spot(self.spot);
        self.quoted_spot[row] = self.spot;
        let found = mid_of(&quote).and_then(|mid| self.invert(row, expiry, &terms, mid));
        self.keep_vol(row, found);
        let (right, strike) = (self.rights[row], self.strikes[row]);
        let mut marked = greeks(right, &terms, strike, self.vols[row]);
        if self.method.is_some() {
            self.early[row].add_to(sign_of(right), strike, self.spot, &mut marked);
        }
        self.marks.set(row, &marked);
    }

    fn keep_vol(&mut self, row: usize, found: Result<f64, NoVolatility>) {
        self.vols[row] = found.unwrap_or(f64::NAN);
        self.why[row] = found.err();
    }

    /// The volatility of a price, warm from the one held.
    fn invert(&mut self, row: usize, expiry: usize, terms: &Terms, mid: f64) -> Result<f64, NoVolatility> {
        let (right, strike) = (self.rights[row], self.strikes[row]);
        let held = Some(self.vols[row]).filter(|v| !v.is_nan());
        let Some(exercise) = self.expiries[expiry].exercise.as_ref().map(|e| &e[right as usize]) else {
            return implied(right, terms, strike, mid, held);
        };
        if exercise.is_never() {
            self.early[row] = Early::NONE;
            return implied(right, terms, strike, mid, held);
        }
        if let Some(found) = near_vol(&self.early[row], right, terms, strike, mid, held) {
            return Ok(found);
        }
        let found = exercise.implied(terms, strike, mid, held)?;
        self.early[row] = Early::of(exercise, right, terms, strike, found);
        Ok(found)
    }

    /// Computes a row's premium in full at the spot of now.
    fn anchor(&mut self, row: usize, expiry: usize, vol: f64) {
        let Expiry { exercise: Some(exercise), terms, .. } = &self.expiries[expiry] else { return };
        if terms.is_valid() && !self.early[row].is_near(terms.spot) {
            let (right, strike) = (self.rights[row], self.strikes[row]);
            self.early[row] = Early::of(&exercise[right as usize], right, terms, strike, vol);
        }
    }

    fn mark_expiry(&mut self, expiry: usize) {
        let Expiry { terms, .. } = self.expiries[expiry];
        let rows = self.expiries[expiry].rows();
        let (rights, strikes) = (&self.rights[rows.clone()], &self.strikes[rows.clone()]);
        greeks_into(&terms, rights, strikes, &self.vols[rows.clone()], &mut self.marks, rows.start);
        if self.expiries[expiry].exercise.is_none() {
            return;
        }
        for row in rows {
            let early = &self.early[row];
            if early.vol.is_nan() {
                continue;
            }
            let mut marked = self.marks.row(row);
            early.add_to(sign_of(self.rights[row]), self.strikes[row], terms.spot, &mut marked);
            self.marks.set(row, &marked);
        }
    }
}

/// The volatility by the expansion of the premium; `None` where it does not reach.
#[inline]
fn near_vol(
    early: &Early,
    right: Right,
    terms: &Terms,
    strike: f64,
    mid: f64,
    held: Option<f64>,
) -> Option<f64> {
    if early.vol.is_nan() || !early.is_near(terms.spot) {
        return None;
    }
    let premium = early.at(terms.spot);
    let mut vol = held.unwrap_or(early.vol);
    for _ in 0..ROUNDS {
        let target = mid - premium - early.vega * (vol - early.vol);
        let found = implied(right, terms, strike, target, Some(vol)).ok()?;
        let moved = (found - vol).abs();
        vol = found;
        if moved <= VOL_LAST * vol {
            let is_near = (vol - early.vol).abs() <= VOL_NEAR * early.vol;
            let plain = crate::european::greeks(right, terms, strike, vol).vega;
            return (is_near && early.vega.abs() <= VEGA_SHARE_MAX * plain).then_some(vol);
        }
    }
    None
}
