//! A chain as structure of arrays: quotes, volatilities and Greeks of all contracts of one underlying, by expiry, strike
//! and right. A quote touches one row; a move of the underlying re-marks all rows from the volatilities held, by
//! vector code and without allocating. A Greek that is not known is NaN in its column and `None` when asked for.
//!
//! Marks are European on the expiry's forward; `vols` are therefore the volatilities that reproduce the quoted prices in
//! that model. Early exercise is priced by [`crate::american`] for the contracts that a decision is about.

use crate::batch::{Columns, greeks_into};
use crate::european::{Greeks, Terms, greeks};
use crate::forward::Pair;
use crate::implied::{NoVolatility, implied};
use crate::smile::SmilePoint;
use market::{Contract, Date, Right};

/// One expiry of the chain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expiry {
    /// The date.
    pub date: Date,
    /// Spot, rate, yield and time its contracts are marked with.
    pub terms: Terms,
    /// Its first row and the one after its last.
    pub rows: (usize, usize),
}

/// What a row was last told; absent sides are `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowQuote {
    /// Dollars per share.
    pub bid: Option<f64>,
    /// Dollars per share.
    pub ask: Option<f64>,
    /// Contracts shown.
    pub bid_size: u32,
    /// Contracts shown.
    pub ask_size: u32,
    /// When it was made, nanoseconds.
    pub at_ns: i64,
}

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
    /// Oldest quote used, nanoseconds.
    pub age_max_ns: i64,
}

/// Put over call counts of a chain; `None` without calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PutCallRatios {
    /// By contracts traded today.
    pub volume: Option<f64>,
    /// By contracts open.
    pub open_interest: Option<f64>,
}

/// The chain.
#[derive(Clone, Debug)]
pub struct Chain {
    contracts: Vec<Contract>,
    expiries: Vec<Expiry>,
    rights: Vec<Right>,
    strikes: Vec<f64>,
    quotes: Vec<RowQuote>,
    volume: Vec<u32>,
    open_interest: Vec<Option<u32>>,
    /// Volatility of the mid; NaN when there is none.
    vols: Vec<f64>,
    why: Vec<Option<NoVolatility>>,
    marks: Columns,
}

const UNHEARD: RowQuote = RowQuote { bid: None, ask: None, bid_size: 0, ask_size: 0, at_ns: i64::MIN };

impl Chain {
    /// A chain of these contracts, with the terms of each expiry by `terms_of`. Allocates; nothing later does.
    pub fn new(mut contracts: Vec<Contract>, terms_of: impl Fn(Date) -> Terms) -> Self {
        contracts.sort_by_key(|c| (c.expiry, c.strike_mils, c.right));
        contracts.dedup();
        let n = contracts.len();
        let mut expiries: Vec<Expiry> = Vec::new();
        for (i, c) in contracts.iter().enumerate() {
            match expiries.last_mut() {
                Some(last) if last.date == c.expiry => last.rows.1 = i + 1,
                _ => expiries.push(Expiry { date: c.expiry, terms: terms_of(c.expiry), rows: (i, i + 1) }),
            }
        }
        Self {
            rights: contracts.iter().map(|c| c.right).collect(),
            strikes: contracts.iter().map(|c| c.strike().dollars()).collect(),
            contracts,
            expiries,
            quotes: vec![UNHEARD; n],
            volume: vec![0; n],
            open_interest: vec![None; n],
            vols: vec![f64::NAN; n],
            why: vec![Some(NoVolatility::OneSided); n],
            marks: Columns::missing(n),
        }
    }

    /// Contracts.
    pub fn len(&self) -> usize {
        self.contracts.len()
    }

    /// True without contracts.
    pub fn is_empty(&self) -> bool {
        self.contracts.is_empty()
    }

    /// The expiries, nearest first.
    pub fn expiries(&self) -> &[Expiry] {
        &self.expiries
    }

    /// The row of a contract.
    pub fn row_of(&self, contract: &Contract) -> Option<usize> {
        let key = |c: &Contract| (c.expiry, c.strike_mils, c.right);
        self.contracts.binary_search_by(|c| key(c).cmp(&key(contract))).ok()
    }

    /// The contract of a row.
    pub fn contract(&self, row: usize) -> Contract {
        self.contracts[row]
    }

    /// The last quote of a row.
    pub fn quote(&self, row: usize) -> &RowQuote {
        &self.quotes[row]
    }

    fn expiry_of(&self, row: usize) -> &Expiry {
        let i = self.expiries.partition_point(|e| e.rows.1 <= row);
        &self.expiries[i]
    }

    /// Takes a quote: this row's volatility, warm from its last one, and Greeks are found anew. An older quote than the
    /// one held is left out, false.
    pub fn update(&mut self, row: usize, quote: RowQuote) -> bool {
        if quote.at_ns < self.quotes[row].at_ns {
            return false;
        }
        self.quotes[row] = quote;
        let terms = self.expiry_of(row).terms;
        let mid = match (quote.bid, quote.ask) {
            (Some(bid), Some(ask)) if bid > ask => Err(NoVolatility::Crossed),
            (Some(bid), Some(ask)) => Ok(0.5 * (bid + ask)),
            _ => Err(NoVolatility::OneSided),
        };
        let (right, strike, held) = (self.rights[row], self.strikes[row], self.vols[row]);
        let found = mid.and_then(|m| implied(right, &terms, strike, m, Some(held).filter(|v| !v.is_nan())));
        self.vols[row] = found.unwrap_or(f64::NAN);
        self.why[row] = found.err();
        self.marks.set(row, &greeks(right, &terms, strike, self.vols[row]));
        true
    }

    /// Takes what was traded today and what is open.
    pub fn set_activity(&mut self, row: usize, volume: u32, open_interest: Option<u32>) {
        self.volume[row] = volume;
        self.open_interest[row] = open_interest;
    }

    /// Sets the terms of an expiry (a new forward, time passing) and re-marks its rows.
    pub fn set_terms(&mut self, expiry: usize, terms: Terms) {
        self.expiries[expiry].terms = terms;
        self.mark(expiry);
    }

    /// The underlying has moved: all rows are marked anew at the volatilities held. Allocates nothing.
    pub fn move_spot(&mut self, spot: f64) {
        for i in 0..self.expiries.len() {
            self.expiries[i].terms = self.expiries[i].terms.at_spot(spot);
            self.mark(i);
        }
    }

    fn mark(&mut self, expiry: usize) {
        let Expiry { terms, rows: (from, to), .. } = self.expiries[expiry];
        let (rights, strikes) = (&self.rights[from..to], &self.strikes[from..to]);
        greeks_into(&terms, rights, strikes, &self.vols[from..to], &mut self.marks, from);
    }

    /// Price and Greeks of a row at its volatility, or why there are none.
    ///
    /// # Errors
    /// Why the row has no volatility.
    pub fn greeks(&self, row: usize) -> Result<Greeks, NoVolatility> {
        match self.why[row] {
            Some(why) => Err(why),
            None => Ok(self.marks.row(row)),
        }
    }

    /// The volatility of a row's mid, a year.
    pub fn vol(&self, row: usize) -> Option<f64> {
        Some(self.vols[row]).filter(|v| !v.is_nan())
    }

    /// The columns of marks, one row a contract, NaN where missing.
    pub fn marks(&self) -> &Columns {
        &self.marks
    }

    /// True when a row passes every filter at `now_ns`.
    pub fn is_liquid(&self, row: usize, now_ns: i64, filter: &Liquidity) -> bool {
        let q = &self.quotes[row];
        let (Some(bid), Some(ask)) = (q.bid, q.ask) else { return false };
        let open =
            self.open_interest[row].map_or(filter.open_interest_min == 0, |n| n >= filter.open_interest_min);
        bid > 0.0
            && bid <= ask
            && ask - bid <= filter.relative_spread_max * 0.5 * (bid + ask)
            && q.bid_size.min(q.ask_size) >= filter.size_min
            && open
            && self.volume[row] >= filter.volume_min
            && now_ns.saturating_sub(q.at_ns) <= filter.age_max_ns
    }

    /// Put-call pairs of an expiry's liquid strikes, for [`crate::forward::imply`], into `out`.
    pub fn pairs(&self, expiry: usize, now_ns: i64, filter: &Liquidity, out: &mut Vec<Pair>) {
        out.clear();
        let (from, to) = self.expiries[expiry].rows;
        for row in from..to.saturating_sub(1) {
            let both = self.strikes[row] == self.strikes[row + 1];
            if !(both && self.is_liquid(row, now_ns, filter) && self.is_liquid(row + 1, now_ns, filter)) {
                continue;
            }
            let price = |row: usize| {
                let (bid, ask) =
                    (self.quotes[row].bid.unwrap_or(f64::NAN), self.quotes[row].ask.unwrap_or(f64::NAN));
                (0.5 * (bid + ask), 0.5 * (ask - bid))
            };
            // Calls sort before puts.
            let ((call, a), (put, b)) = (price(row), price(row + 1));
            out.push(Pair {
                strike: self.strikes[row],
                difference: call - put,
                uncertainty: (a + b).max(0.005),
            });
        }
    }

    /// Smile points of an expiry from its liquid out-of-the-money rows, for [`crate::surface::Surface::refit`], into
    /// `out`: half spreads in volatility by vega, weights by the root of the size shown.
    pub fn smile_points(&self, expiry: usize, now_ns: i64, filter: &Liquidity, out: &mut Vec<SmilePoint>) {
        out.clear();
        let Expiry { terms, rows: (from, to), .. } = self.expiries[expiry];
        let forward = terms.forward();
        for row in from..to {
            let is_out = (self.rights[row] == Right::Call) == (self.strikes[row] >= forward);
            let vega = self.marks.vega[row];
            if !(is_out && vega > 0.0 && self.is_liquid(row, now_ns, filter)) {
                continue;
            }
            let q = &self.quotes[row];
            let spread = q.ask.unwrap_or(f64::NAN) - q.bid.unwrap_or(f64::NAN);
            out.push(SmilePoint {
                k: libm::log(self.strikes[row] / forward),
                vol: self.vols[row],
                half_spread: (0.5 * spread / vega).max(1e-4),
                weight: f64::from(q.bid_size.min(q.ask_size).clamp(1, 400)).sqrt() / 10.0,
            });
        }
    }

    /// Puts over calls.
    pub fn put_call_ratios(&self) -> PutCallRatios {
        let sum = |right: Right, of: &dyn Fn(usize) -> f64| -> f64 {
            (0..self.len()).filter(|i| self.rights[*i] == right).map(of).sum()
        };
        let ratio = |of: &dyn Fn(usize) -> f64| {
            let calls = sum(Right::Call, of);
            (calls > 0.0).then(|| sum(Right::Put, of) / calls)
        };
        PutCallRatios {
            volume: ratio(&|i| f64::from(self.volume[i])),
            open_interest: ratio(&|i| f64::from(self.open_interest[i].unwrap_or(0))),
        }
    }

    /// Gamma times open interest by strike over an expiry's rows, in shares per dollar of spot: what dealers short all
    /// open contracts would have to trade. Calls and puts count alike; strikes rise.
    pub fn gamma_by_strike(&self, expiry: usize) -> Vec<(f64, f64)> {
        let (from, to) = self.expiries[expiry].rows;
        let mut found: Vec<(f64, f64)> = Vec::new();
        for row in from..to {
            let open = self.open_interest[row].map_or(0.0, f64::from);
            let gamma = self.marks.gamma[row];
            let amount =
                if gamma.is_nan() { 0.0 } else { gamma * open * market::contract::MULTIPLIER as f64 };
            match found.last_mut() {
                Some(last) if last.0 == self.strikes[row] => last.1 += amount,
                _ => found.push((self.strikes[row], amount)),
            }
        }
        found
    }
}
