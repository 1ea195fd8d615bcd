//! What is read off a chain: points for the smile, put-call ratios, gamma by strike.

use super::Chain;
use super::terms::Liquidity;
use crate::smile::SmilePoint;
use market::{Right, Timestamp};

/// Put over call counts of a chain; `None` without calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PutCallRatios {
    /// By contracts traded today.
    pub volume: Option<f64>,
    /// By contracts open.
    pub open_interest: Option<f64>,
}

impl Chain {
    /// Smile points of an expiry from its liquid out-of-the-money rows, for [`crate::surface::Surface::refit`], into
    /// `out`: half spreads in volatility by vega, weights by the root of the size shown.
    pub fn smile_points(&self, expiry: usize, now: Timestamp, filter: &Liquidity, out: &mut Vec<SmilePoint>) {
        out.clear();
        let e = &self.expiries[expiry];
        let forward = e.terms.forward();
        // Puts below the forward, calls from it on: strikes rise.
        let puts = e.rows_of(Right::Put).filter(|row| self.strikes[*row] < forward);
        let calls = e.rows_of(Right::Call).filter(|row| self.strikes[*row] >= forward);
        for row in puts.chain(calls) {
            let vega = self.marks.vega[row];
            let Some((quote, _)) = self.rows[row].quote else { continue };
            let (Some(bid), Some(ask)) = (quote.bid, quote.ask) else { continue };
            if !(vega > 0.0 && self.vols[row] > 0.0 && self.is_liquid(row, now, filter)) {
                continue;
            }
            let spread = ask.price.dollars() - bid.price.dollars();
            out.push(SmilePoint {
                k: libm::log(self.strikes[row] / forward),
                vol: self.vols[row],
                half_spread: (0.5 * spread / vega).max(1e-4),
                weight: f64::from(bid.size.min(ask.size).clamp(1, 400)).sqrt() / 10.0,
            });
        }
    }

    /// Puts over calls.
    pub fn put_call_ratios(&self) -> PutCallRatios {
        let ratio = |of: fn(&super::Listed) -> f64| {
            let (mut calls, mut puts) = (0.0, 0.0);
            for row in &self.rows {
                match row.contract.right {
                    Right::Call => calls += of(row),
                    Right::Put => puts += of(row),
                }
            }
            (calls > 0.0).then(|| puts / calls)
        };
        PutCallRatios {
            volume: ratio(|row| f64::from(row.volume)),
            open_interest: ratio(|row| f64::from(row.open_interest.unwrap_or(0))),
        }
    }

    /// Gamma times open interest by strike over an expiry's rows, in shares per dollar of spot: what dealers short all
    /// open contracts would have to trade. Calls and puts count alike; strikes rise.
    pub fn gamma_by_strike(&self, expiry: usize) -> Vec<(f64, f64)> {
        let mut found: Vec<(f64, f64)> = Vec::new();
        for row in self.expiries[expiry].rows() {
            let open = self.rows[row].open_interest.map_or(0.0, f64::from);
            let gamma = self.marks.gamma[row];
            let amount =
                if gamma.is_nan() { 0.0 } else { gamma * open * market::contract::MULTIPLIER as f64 };
            let strike = self.strikes[row];
            match found.binary_search_by(|(held, _)| held.total_cmp(&strike)) {
                Ok(at) => found[at].1 += amount,
                Err(at) => found.insert(at, (strike, amount)),
            }
        }
        found
    }
}
