//! The option chain of one underlying: every contract with its newest quote and what that quote means, as structure of
//! arrays by expiry, right and strike. A quote is a lookup and touches one row: its volatility, warm from the last
//! one, and its Greeks. A move of the underlying re-marks all rows at the volatilities they hold, in vector code. Once a
//! contract is listed neither allocates.
//!
//! Contracts that can be exercised early are marked by the American value: volatility and Greeks are those of the
//! European formula plus a premium that each row keeps with its slopes ([`marks`]), so that a move costs the chain no more
//! than the European one. Forward and rate of an expiry come from parity ([`terms`]); [`points`] reads smiles,
//! ratios and gamma off the chain. A Greek that is not known is NaN in its column and `None` when asked for.

pub mod marks;
pub mod points;
pub mod terms;

use crate::american::Exercise;
use crate::batch::Columns;
use crate::boundary::Method;
use crate::european::Terms;
use crate::forward::Source;
use crate::implied::NoVolatility;
use market::quote::{Level, Quote};
use market::{Contract, Date, Price, Right, Symbol, Timestamp, product};
use marks::Early;

/// One listed contract.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Listed {
    /// The contract.
    pub contract: Contract,
    /// The newest quote, and the engine's time when it was heard.
    pub quote: Option<(Quote, Timestamp)>,
    /// Contracts open at the last session's end; `None` when nobody told.
    pub open_interest: Option<u32>,
    /// Contracts traded today as far as it was heard.
    pub volume: u32,
}

/// What is believed of money and dividends where the quotes do not say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Curve {
    /// Interest rate, decimal a year, continuously compounded.
    pub rate: f64,
    /// Dividend yield, decimal a year, continuously compounded.
    pub dividend_yield: f64,
}

/// One expiry of the chain.
#[derive(Clone, Debug)]
pub struct Expiry {
    /// The date.
    pub date: Date,
    /// When its contracts are worth what they are worth: the close, or the open where that settles them.
    pub ends: Timestamp,
    /// Spot, rate, yield and time its contracts were last marked with.
    pub terms: Terms,
    /// Rate and yield in use.
    pub curve: Curve,
    /// Where they come from.
    pub source: Source,
    /// Strikes that agreed on them.
    pub pairs_used: usize,
    /// Its first call, its first put, and the row after its last put.
    rows: [usize; 3],
    /// Exercise boundaries of calls and puts, where there is early exercise.
    exercise: Option<Box<[Exercise; 2]>>,
}

impl Expiry {
    /// Its rows: the calls by strike, then the puts by strike.
    pub fn rows(&self) -> std::ops::Range<usize> {
        self.rows[0]..self.rows[2]
    }

    /// The rows of one right, lowest strike first.
    pub fn rows_of(&self, right: Right) -> std::ops::Range<usize> {
        match right {
            Right::Call => self.rows[0]..self.rows[1],
            Right::Put => self.rows[1]..self.rows[2],
        }
    }
}

/// All contracts of one underlying.
#[derive(Clone, Debug)]
pub struct Chain {
    symbol: Symbol,
    curve: Curve,
    method: Option<Method>,
    /// Sort keys of `rows`, apart so that a search touches few cache lines.
    keys: Vec<u64>,
    rows: Vec<Listed>,
    expiries: Vec<Expiry>,
    rights: Vec<Right>,
    strikes: Vec<f64>,
    /// Volatility of the mid; NaN when there is none.
    vols: Vec<f64>,
    why: Vec<Option<NoVolatility>>,
    /// The spot when the row was quoted; NaN when none was known.
    quoted_spot: Vec<f64>,
    early: Vec<Early>,
    marks: Columns,
    /// NaN before it is known.
    spot: f64,
    /// The engine's time, as last told.
    now: Timestamp,
    /// Quotes heard before this are stale: the feed has been lost since.
    stale_until: Timestamp,
    /// The day volumes are counted for.
    day: Option<Date>,
}

/// What to make room for at first: a busy fund lists some 30 expiries of 60 strikes. More only costs a move.
const ROOM: usize = 4096;
const EXPIRIES_ROOM: usize = 64;
/// Most contracts kept: a guard against a feed that lists nonsense.
const CONTRACTS_MAX: usize = 32_768;

impl Chain {
    /// An empty chain without rates: for underlyings that pay nothing. Allocates its room once.
    pub fn new(symbol: Symbol) -> Self {
        Self::with_curve(symbol, Curve::default())
    }

    /// An empty chain with the rates to be used where quotes do not say. Allocates its room once.
    pub fn with_curve(symbol: Symbol, curve: Curve) -> Self {
        Self {
            symbol,
            curve,
            method: product::is_american(&symbol).then(Method::fast),
            keys: Vec::with_capacity(ROOM),
            rows: Vec::with_capacity(ROOM),
            expiries: Vec::with_capacity(EXPIRIES_ROOM),
            rights: Vec::with_capacity(ROOM),
            strikes: Vec::with_capacity(ROOM),
            vols: Vec::with_capacity(ROOM),
            why: Vec::with_capacity(ROOM),
            quoted_spot: Vec::with_capacity(ROOM),
            early: Vec::with_capacity(ROOM),
            marks: Columns::with_room(ROOM),
            spot: f64::NAN,
            now: Timestamp::MIN,
            stale_until: Timestamp::MIN,
            day: None,
        }
    }

    // ---- what can be read ----

    /// The underlying.
    pub const fn symbol(&self) -> Symbol {
        self.symbol
    }

    /// Contracts listed.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// True when its contracts are marked with early exercise.
    pub const fn is_american(&self) -> bool {
        self.method.is_some()
    }

    /// The spot it is marked at, dollars per share.
    pub fn spot(&self) -> Option<f64> {
        Some(self.spot).filter(|s| s.is_finite())
    }

    /// The place of a contract.
    #[inline]
    pub fn row_of(&self, contract: &Contract) -> Option<usize> {
        if contract.root != self.symbol {
            return None;
        }
        self.keys.binary_search(&key(contract)).ok()
    }

    /// The contract's row.
    #[inline]
    pub fn get(&self, contract: &Contract) -> Option<&Listed> {
        self.row_of(contract).map(|i| &self.rows[i])
    }

    /// All rows, by expiry, right and strike.
    pub fn listed(&self) -> &[Listed] {
        &self.rows
    }

    /// The newest quote of a contract when it was heard at most `age_max_ns` ago and not before the feed was lost.
    #[inline]
    pub fn fresh(&self, contract: &Contract, now: Timestamp, age_max_ns: i64) -> Option<Quote> {
        self.fresh_of(self.get(contract)?, now, age_max_ns)
    }

    /// The row's quote under the same conditions.
    #[inline]
    pub fn fresh_of(&self, row: &Listed, now: Timestamp, age_max_ns: i64) -> Option<Quote> {
        let (quote, heard) = row.quote?;
        (heard >= self.stale_until && now.since(heard) <= age_max_ns).then_some(quote)
    }

    /// The distinct expiries, nearest first.
    pub fn expiries(&self) -> impl Iterator<Item = Date> {
        self.expiries.iter().map(|e| e.date)
    }

    /// The expiries with what they are marked with, nearest first.
    pub fn expiry_terms(&self) -> &[Expiry] {
        &self.expiries
    }

    /// The contracts of one expiry and right, lowest strike first.
    pub fn strikes(&self, expiry: Date, right: Right) -> &[Listed] {
        &self.rows[self.rows_of(expiry, right)]
    }

    /// Their rows.
    pub fn rows_of(&self, expiry: Date, right: Right) -> std::ops::Range<usize> {
        let found = self.expiries.binary_search_by_key(&expiry, |e| e.date);
        found.map_or(0..0, |i| self.expiries[i].rows_of(right))
    }

    // ---- what is heard ----

    /// Takes a quote and marks its row; false when it was left out: an adjusted or foreign contract, or older than
    /// the one held.
    #[inline]
    pub fn quote(&mut self, now: Timestamp, contract: &Contract, quote: &Quote) -> bool {
        self.now = now;
        let Some(i) = self.place(contract) else { return false };
        let row = &mut self.rows[i];
        if row.quote.is_some_and(|(held, _)| held.at > quote.at) {
            return false;
        }
        row.quote = Some((sane(quote), now));
        self.mark_quoted(i);
        true
    }

    /// Takes a figure of open interest.
    pub fn open_interest(&mut self, contract: &Contract, contracts: u32) {
        if let Some(i) = self.place(contract) {
            self.rows[i].open_interest = Some(contracts);
        }
    }

    /// Takes a trade: contracts that changed hands.
    #[inline]
    pub fn traded(&mut self, contract: &Contract, contracts: u32) {
        if let Some(i) = self.place(contract) {
            self.rows[i].volume = self.rows[i].volume.saturating_add(contracts);
        }
    }

    /// Everything heard so far is stale: the feed was lost at `now`.
    pub fn lose_quotes(&mut self, now: Timestamp) {
        self.stale_until = now + 1;
    }

    /// Drops contracts that expired before `today`, and yesterday's volumes.
    pub fn drop_expired(&mut self, today: Date) {
        if self.day != Some(today) {
            self.day = Some(today);
            self.rows.iter_mut().for_each(|row| row.volume = 0);
        }
        let gone = self.rows.partition_point(|row| row.contract.expiry < today);
        if gone == 0 {
            return;
        }
        self.keys.drain(..gone);
        self.rows.drain(..gone);
        self.rights.drain(..gone);
        self.strikes.drain(..gone);
        self.vols.drain(..gone);
        self.why.drain(..gone);
        self.quoted_spot.drain(..gone);
        self.early.drain(..gone);
        self.marks.drop_first(gone);
        self.expiries.retain(|e| e.date >= today);
        self.expiries.iter_mut().for_each(|e| e.rows = e.rows.map(|row| row - gone));
    }

    /// The contract's place, listing it when it is new. `None` for what is never listed here.
    #[inline]
    fn place(&mut self, contract: &Contract) -> Option<usize> {
        if contract.root != self.symbol {
            return None;
        }
        match self.keys.binary_search(&key(contract)) {
            Ok(i) => Some(i),
            Err(i) => self.list(i, contract),
        }
    }

    #[cold]
    fn list(&mut self, i: usize, contract: &Contract) -> Option<usize> {
        if self.rows.len() >= CONTRACTS_MAX || contract.is_adjusted() {
            return None;
        }
        let found = self.expiries.binary_search_by_key(&contract.expiry, |e| e.date);
        let at = found.unwrap_or_else(|at| {
            let made = self.new_expiry(contract.expiry, i);
            self.expiries.insert(at, made);
            at
        });
        let first = if contract.right == Right::Call { 1 } else { 2 };
        self.expiries[at].rows[first..].iter_mut().for_each(|row| *row += 1);
        self.expiries[at + 1..].iter_mut().for_each(|e| e.rows = e.rows.map(|row| row + 1));
        self.keys.insert(i, key(contract));
        self.rows.insert(i, Listed { contract: *contract, quote: None, open_interest: None, volume: 0 });
        self.rights.insert(i, contract.right);
        self.strikes.insert(i, contract.strike().dollars());
        self.vols.insert(i, f64::NAN);
        self.why.insert(i, Some(NoVolatility::OneSided));
        self.quoted_spot.insert(i, f64::NAN);
        self.early.insert(i, Early::NONE);
        self.marks.insert_missing(i);
        Some(i)
    }

    fn expiry_of(&self, row: usize) -> usize {
        self.expiries.partition_point(|e| e.rows[2] <= row)
    }
}

/// Expiry, right, strike in one number that sorts like them. Days fit 31 bits for five million years.
#[inline]
fn key(contract: &Contract) -> u64 {
    let days = contract.expiry.days().max(0) as u64;
    let put = u64::from(contract.right == Right::Put);
    days << 33 | put << 32 | u64::from(contract.strike_mils)
}

/// A side without a positive price or without size is no side.
fn sane(quote: &Quote) -> Quote {
    let side = |level: Option<Level>| level.filter(|l| l.price > Price::ZERO && l.size > 0);
    Quote { bid: side(quote.bid), ask: side(quote.ask), at: quote.at }
}
