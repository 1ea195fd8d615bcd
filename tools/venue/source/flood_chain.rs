//! The option chains of a flood: listed and priced once by the market model, then quoted in turn at a steady rate of
//! their own, those contracts that somebody subscribed to.

use super::SourceError;
use crate::settings::OptionFlood;
use exchange::market_model::MarketModel;
use history::Stamped;
use market::quote::{Level, MarketEvent, Quote};
use market::{Contract, Instrument, Price, Symbol, Timestamp};
use std::collections::BTreeMap;

/// The chains.
pub struct FloodChain {
    model: MarketModel,
    quotes_per_second: u64,
    /// What is wanted, and how often.
    wanted: BTreeMap<Contract, u32>,
    /// What is quoted in turn, with the quote every other one departs from.
    turns: Vec<(Contract, Quote)>,
    /// True when the turns are not of what is wanted.
    is_stale: bool,
    next: usize,
    /// The first quote's time: when somebody listens.
    started: Option<Timestamp>,
    sent: u64,
    /// When the flood ends.
    until: Timestamp,
}

impl FloodChain {
    /// Lists and prices the chains.
    pub fn new(settings: &OptionFlood) -> Result<Self, SourceError> {
        if !(1..=5_000_000).contains(&settings.quotes_per_second) {
            return Err(SourceError::BadFlood);
        }
        Ok(Self {
            model: MarketModel::new(settings.market.clone())?,
            quotes_per_second: settings.quotes_per_second,
            wanted: BTreeMap::new(),
            turns: Vec::new(),
            is_stale: false,
            next: 0,
            started: None,
            sent: 0,
            until: Timestamp::MAX,
        })
    }

    /// No quote is due after `at`.
    pub fn end_at(&mut self, at: Timestamp) {
        self.until = at;
    }

    /// The market the chains are of.
    pub fn model(&self) -> &MarketModel {
        &self.model
    }

    /// The price around which the share of a chain is quoted.
    pub fn stock_bid(&self, symbol: Symbol) -> Option<Price> {
        self.model.stock_quote(symbol)?.bid.map(|level| level.price)
    }

    /// Quotes the contract from now on.
    pub fn watch(&mut self, contract: Contract) {
        *self.wanted.entry(contract).or_default() += 1;
        self.is_stale = true;
    }

    /// Takes one [`FloodChain::watch`] back.
    pub fn unwatch(&mut self, contract: Contract) {
        if let Some(count) = self.wanted.get_mut(&contract) {
            *count -= 1;
            self.wanted.retain(|_, count| *count > 0);
            self.is_stale = true;
        }
    }

    /// Strike by strike over all chains: neighbours in a burst are of different symbols, as they are at the broker.
    fn take_turns(&mut self) {
        let quoted = |contract: &Contract| Some((*contract, self.model.option_quote(*contract)?));
        self.turns = self.wanted.keys().filter_map(quoted).collect();
        self.turns.sort_by_key(|(contract, _)| (contract.strike_mils % 7_919, *contract));
        self.next = 0;
        self.is_stale = false;
    }

    /// When the next quote is meant to be sent; `None` while nobody listens.
    pub fn next_due(&self) -> Option<Timestamp> {
        let offset = u128::from(self.sent) * 1_000_000_000 / u128::from(self.quotes_per_second);
        let due = self.started? + offset as i64;
        (!self.turns.is_empty() && due <= self.until).then_some(due)
    }

    /// Begins at `now` when there is a listener. A pause without one is not made up for.
    pub fn begin(&mut self, now: Timestamp) {
        if self.is_stale {
            self.take_turns();
        }
        if self.turns.is_empty() {
            (self.started, self.sent) = (None, 0);
        } else {
            self.started.get_or_insert(now);
        }
    }

    /// The quote that is due at `at`; `luck` moves it a tick and changes its sizes.
    pub fn quote(&mut self, at: Timestamp, luck: u64) -> Option<Stamped> {
        let (contract, base) = *self.turns.get(self.next)?;
        self.next = (self.next + 1) % self.turns.len();
        self.sent += 1;
        let moved = |side: Option<Level>| {
            let level = side?;
            let tick = Price::from_cents(if level.price >= Price::from_cents(300) { 5 } else { 1 });
            let price = if luck.is_multiple_of(2) { level.price } else { level.price + tick };
            Some(Level { price, size: 1 + (luck >> 8) as u32 % 200 })
        };
        let quote = Quote { bid: moved(base.bid), ask: moved(base.ask), at };
        Some(Stamped { at, event: MarketEvent::Quote(Instrument::Option(contract), quote) })
    }
}
