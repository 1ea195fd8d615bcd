//! Recorded LEAN days as a source: merged in order of the moment each event became known.

use super::{ContractFacts, SourceError};
use crate::settings::Recording;
use history::Stamped;
use history::lean::{Day, equity_daily};
use market::quote::{Bar, MarketEvent, OpenInterest, Quote, Timeframe};
use market::time::SECOND;
use market::{Contract, Date, Instrument, Symbol, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Recorded events and what they have said so far.
pub struct Recorded {
    /// Seed of the exchange's ids.
    pub seed: u64,
    name: String,
    events: Vec<Stamped>,
    next: usize,
    symbols: BTreeSet<Symbol>,
    contracts: BTreeSet<Contract>,
    quotes: BTreeMap<Instrument, Quote>,
    open_interest: BTreeMap<Contract, OpenInterest>,
    daily: BTreeMap<Symbol, Vec<Bar>>,
}

impl Recorded {
    /// Reads all days into memory.
    pub fn open(recording: &Recording) -> Result<Self, SourceError> {
        let mut events = Vec::new();
        let mut symbols = BTreeSet::new();
        let mut daily = BTreeMap::new();
        for (symbol, date, what) in &recording.days {
            events.extend(Day::load(&recording.root, *symbol, *date, *what)?.events);
            if symbols.insert(*symbol) {
                // Many symbols have no daily file; the replay does not need one.
                daily.insert(*symbol, equity_daily(&recording.root, *symbol).unwrap_or_default());
            }
        }
        events.sort_by_key(|stamped| stamped.at);
        let contracts = events.iter().filter_map(|stamped| contract_of(&stamped.event)).collect();
        if events.is_empty() {
            return Err(SourceError::Empty);
        }
        let mut recorded = Self {
            seed: recording.seed,
            name: super::name_of(recording),
            events,
            next: 0,
            symbols,
            contracts,
            quotes: BTreeMap::new(),
            open_interest: BTreeMap::new(),
            daily,
        };
        let start = recorded.starts_at();
        for bars in recorded.daily.values_mut() {
            bars.retain(|bar| bar.start.new_york().0 < start.new_york().0);
        }
        Ok(recorded)
    }

    /// What is replayed, in words.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many events are behind.
    pub fn position(&self) -> usize {
        self.next
    }

    /// Goes on after so many events, knowing what they said.
    pub fn skip(&mut self, count: usize) {
        self.advance(Timestamp::MAX, count, &mut Vec::with_capacity(count));
    }

    /// A second before the first event, or before the first day's open when that is earlier.
    pub fn starts_at(&self) -> Timestamp {
        let first = self.events[0].at;
        let open = market::session::session(first.new_york().0).map_or(first, |s| s.open);
        first.min(open) - SECOND
    }

    /// When the next event is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.events.get(self.next).map(|stamped| stamped.at)
    }

    /// Pushes at most `most` events until `to`.
    pub fn advance(&mut self, to: Timestamp, most: usize, out: &mut Vec<Stamped>) {
        let rest = &self.events[self.next..];
        let due = rest.iter().take(most).take_while(|stamped| stamped.at <= to).count();
        for stamped in &rest[..due] {
            match stamped.event {
                MarketEvent::Quote(instrument, quote) => drop(self.quotes.insert(instrument, quote)),
                MarketEvent::OpenInterest(figure) => {
                    self.open_interest.insert(figure.contract, figure);
                }
                _ => {}
            }
            out.push(*stamped);
        }
        self.next += due;
    }

    /// The recorded symbols.
    pub fn symbols(&self) -> Vec<Symbol> {
        self.symbols.iter().copied().collect()
    }

    /// The recorded contracts of an underlying that have not expired before `today`.
    pub fn contracts(&self, underlying: Symbol, today: Date) -> Vec<Contract> {
        self.contracts.iter().filter(|c| c.root == underlying && c.expiry >= today).copied().collect()
    }

    /// True when the recordings mention the contract.
    pub fn is_listed(&self, contract: &Contract) -> bool {
        self.contracts.contains(contract)
    }

    /// The last quote of a contract.
    pub fn option_quote(&self, contract: &Contract) -> Option<Quote> {
        self.quotes.get(&Instrument::Option(*contract)).copied()
    }

    /// The last quote of a share.
    pub fn stock_quote(&self, symbol: Symbol) -> Option<Quote> {
        self.quotes.get(&Instrument::Stock(symbol)).copied()
    }

    /// The last open interest heard of.
    pub fn facts(&self, contract: &Contract) -> ContractFacts {
        let open_interest = self.open_interest.get(contract).map(|figure| (figure.contracts, figure.as_of));
        ContractFacts { open_interest, previous_close: None }
    }

    /// Daily bars before the first replayed day.
    pub fn history(&self, symbol: Symbol, timeframe: Timeframe) -> Vec<Bar> {
        match timeframe {
            Timeframe::Day1 => self.daily.get(&symbol).cloned().unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

fn contract_of(event: &MarketEvent) -> Option<Contract> {
    match event {
        MarketEvent::Quote(Instrument::Option(c), _) | MarketEvent::Trade(Instrument::Option(c), _) => {
            Some(*c)
        }
        MarketEvent::OpenInterest(figure) => Some(figure.contract),
        _ => None,
    }
}
