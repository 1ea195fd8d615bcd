//! The option chain of one underlying as it is heard: every contract with its newest quote, when it was heard,
//! and its open interest. Once a contract is listed an update is a lookup and allocates nothing.

use market::quote::Quote;
use market::{Contract, Date, Price, Right, Symbol, Timestamp};

/// One listed contract.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Listed {
    /// The contract.
    pub contract: Contract,
    /// The newest quote, and the engine's time when it was heard.
    pub quote: Option<(Quote, Timestamp)>,
    /// Contracts open at the last session's end; `None` when nobody told.
    pub open_interest: Option<u32>,
}

/// All contracts of one underlying, by expiry, right and strike.
#[derive(Clone, Debug)]
pub struct Chain {
    symbol: Symbol,
    /// Sort keys of `rows`, apart so that a search touches few cache lines.
    keys: Vec<u64>,
    rows: Vec<Listed>,
    /// Quotes heard before this are stale: the feed has been lost since.
    stale_until: Timestamp,
}

/// What to make room for at first: a busy fund lists some 30 expiries of 60 strikes. More only costs a move.
const ROOM: usize = 4096;
/// Most contracts kept: a guard against a feed that lists nonsense.
const CONTRACTS_MAX: usize = 32_768;

impl Chain {
    /// An empty chain. Allocates its room once.
    pub fn new(symbol: Symbol) -> Self {
        Self {
            symbol,
            keys: Vec::with_capacity(ROOM),
            rows: Vec::with_capacity(ROOM),
            stale_until: Timestamp::MIN,
        }
    }

    /// Contracts listed.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The contract's row.
    #[inline]
    pub fn get(&self, contract: &Contract) -> Option<&Listed> {
        if contract.root != self.symbol {
            return None;
        }
        self.keys.binary_search(&key(contract)).ok().map(|i| &self.rows[i])
    }

    /// Takes a quote; false when it was left out: an adjusted or foreign contract, or older than the one held.
    #[inline]
    pub fn quote(&mut self, now: Timestamp, contract: &Contract, quote: &Quote) -> bool {
        let Some(i) = self.place(contract) else { return false };
        let row = &mut self.rows[i];
        if row.quote.is_some_and(|(held, _)| held.at > quote.at) {
            return false;
        }
        row.quote = Some((sane(quote), now));
        true
    }

    /// Takes a figure of open interest.
    pub fn open_interest(&mut self, contract: &Contract, contracts: u32) {
        if let Some(i) = self.place(contract) {
            self.rows[i].open_interest = Some(contracts);
        }
    }

    /// Everything heard so far is stale: the feed was lost at `now`.
    pub fn lose_quotes(&mut self, now: Timestamp) {
        self.stale_until = now + 1;
    }

    /// Drops contracts that expired before `today`.
    pub fn drop_expired(&mut self, today: Date) {
        let gone = self.rows.partition_point(|row| row.contract.expiry < today);
        self.keys.drain(..gone);
        self.rows.drain(..gone);
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
        let mut from = 0;
        std::iter::from_fn(move || {
            let expiry = self.rows.get(from)?.contract.expiry;
            from += self.rows[from..].partition_point(|row| row.contract.expiry == expiry);
            Some(expiry)
        })
    }

    /// The contracts of one expiry and right, lowest strike first.
    pub fn strikes(&self, expiry: Date, right: Right) -> &[Listed] {
        let lowest = Contract { root: self.symbol, expiry, strike_mils: 0, right };
        let highest = Contract { strike_mils: u32::MAX, ..lowest };
        let from = self.keys.partition_point(|k| *k < key(&lowest));
        let to = self.keys.partition_point(|k| *k <= key(&highest));
        &self.rows[from..to]
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
        self.keys.insert(i, key(contract));
        self.rows.insert(i, Listed { contract: *contract, quote: None, open_interest: None });
        Some(i)
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
    let side = |level: Option<market::quote::Level>| level.filter(|l| l.price > Price::ZERO && l.size > 0);
    Quote { bid: side(quote.bid), ask: side(quote.ask), at: quote.at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::quote::Level;
    use market::time::SECOND;

    fn contract(text: &str) -> Contract {
        text.parse().expect("OCC")
    }

    fn quote(bid: i64, ask: i64, at: Timestamp) -> Quote {
        let level = |cents| Some(Level { price: Price::from_cents(cents), size: 1 });
        Quote { bid: level(bid), ask: level(ask), at }
    }

    #[test]
    fn lists_updates_and_forgets() {
        let mut chain = Chain::new(Symbol::literal("SPY"));
        let t = Timestamp::from_seconds(1_773_671_400);
        let (far, near) = (contract("SPY260417P00560000"), contract("SPY260320C00570000"));
        assert!(chain.quote(t, &far, &quote(100, 110, t)));
        assert!(chain.quote(t, &near, &quote(0, 5, t)));
        assert!(!chain.quote(t, &contract("SPY1260417P00560000"), &quote(1, 2, t)), "adjusted");
        assert!(!chain.quote(t, &contract("QQQ260417P00560000"), &quote(1, 2, t)), "not ours");
        assert!(!chain.quote(t, &far, &quote(1, 2, t - 1)), "older than what is held");
        chain.open_interest(&far, 500);
        let row = chain.get(&far).expect("listed");
        assert_eq!((row.open_interest, row.quote), (Some(500), Some((quote(100, 110, t), t))));
        assert_eq!(chain.fresh(&near, t, 0).expect("fresh").bid, None, "a bid of zero is no bid");
        assert_eq!(chain.expiries().collect::<Vec<_>>(), vec![near.expiry, far.expiry]);
        assert_eq!(chain.strikes(far.expiry, Right::Put).len(), 1);
        assert_eq!(chain.strikes(far.expiry, Right::Call).len(), 0);
        chain.drop_expired(near.expiry.plus(1));
        assert_eq!((chain.len(), chain.get(&near)), (1, None));
        assert!(chain.get(&far).is_some());
    }

    #[test]
    fn age_and_a_lost_feed_make_stale() {
        let mut chain = Chain::new(Symbol::literal("SPY"));
        let t = Timestamp::from_seconds(1_773_671_400);
        let c = contract("SPY260417P00560000");
        chain.quote(t, &c, &quote(100, 110, t));
        assert!(chain.fresh(&c, t + 5 * SECOND, 5 * SECOND).is_some());
        assert!(chain.fresh(&c, t + 5 * SECOND + 1, 5 * SECOND).is_none());
        chain.lose_quotes(t);
        assert!(chain.fresh(&c, t, SECOND).is_none());
        chain.quote(t + 1, &c, &quote(100, 110, t + 1));
        assert!(chain.fresh(&c, t + 1, SECOND).is_some());
    }
}
