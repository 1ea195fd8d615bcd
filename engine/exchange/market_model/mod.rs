//! A simulated market: correlated underlyings with stochastic volatility, intraday seasonality, jumps and
//! mild regimes, and for each a full option chain. Everything follows from one seed; time is handed in.
//!
//! The path of prices lives on a one-second grid ([`world`]) that depends on nothing but the seed. What is
//! seen of it (quotes, trades, option quotes of the watched contracts) is sampled from that path, so
//! neither the tick rates nor the subscriptions change where prices go.

mod calendar;
mod chance;
mod kept;
mod listing;
pub mod parameters;
mod past;
mod smile;
mod stock_ticks;
mod trend;
mod world;

pub use calendar::Session;
pub use kept::{BadState, State};
pub use listing::Facts;
pub use past::gather;

use listing::Listing;
use market::quote::{Bar, MarketEvent, Quote, Timeframe};
use market::time::SECOND;
use market::{Contract, Date, Instrument, Price, Symbol, Timestamp};
use past::Past;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use stock_ticks::StockTicks;
use world::World;

/// What the simulated market is made from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The seed of everything.
    pub seed: u64,
    /// The underlyings; known ones have parameters of their own, others plausible defaults.
    pub symbols: Vec<Symbol>,
    /// The first simulated session (or the first session after it); history lies before.
    pub first_session: Date,
    /// Mean quotes per virtual second and underlying over a session (more at open and close).
    pub stock_quotes_per_second: f64,
    /// Mean trades per virtual second and underlying over a session.
    pub stock_trades_per_second: f64,
    /// How often a watched contract is looked at, per virtual second; it is quoted when its price moved.
    pub option_checks_per_second: f64,
    /// A watched contract is quoted again after this many virtual seconds even when nothing moved.
    pub option_quote_age_max_seconds: f64,
}

/// Why a market cannot be made from its settings.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BadSettings {
    /// There is nothing to trade.
    #[error("market model: `symbols` is empty; name at least one underlying")]
    NoSymbols,
    /// A rate is not a positive number.
    #[error("market model: `{0}` is {1}, but must be between 0.0001 and 1,000,000")]
    BadRate(&'static str, f64),
    /// The calendar knows no session there.
    #[error("market model: no session on or after {0} is in the calendar")]
    NoSession(Date),
}

/// What falls due at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
enum Due {
    Quote(usize),
    Trade(usize),
    Cross(usize),
    Check(Contract),
}

/// A contract somebody wants quotes of.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
struct Watched {
    watchers: u32,
    last: Option<Quote>,
}

/// The simulated market in the middle of its story.
#[derive(Debug)]
pub struct MarketModel {
    settings: Settings,
    past: Past,
    world: World,
    ticks: Vec<StockTicks>,
    listing: Listing,
    watched: BTreeMap<Contract, Watched>,
    queue: BinaryHeap<Reverse<(Timestamp, Due)>>,
    session: Session,
    next_session: Option<Session>,
    now: Timestamp,
}

impl MarketModel {
    /// A market on the eve of its first session, with its history made.
    pub fn new(settings: Settings) -> Result<Self, BadSettings> {
        check(&settings)?;
        let session = calendar::on_or_after(settings.first_session)
            .ok_or(BadSettings::NoSession(settings.first_session))?;
        let mut world = World::new(settings.seed, &settings.symbols);
        let past = Past::make(&mut world, session.date);
        let listing = Listing::new(settings.seed, &settings.symbols);
        let ticks =
            (0..settings.symbols.len()).map(|i| StockTicks::new(&settings, world.parameters(i))).collect();
        let eve = session.open - 60 * SECOND;
        let mut model = Self {
            settings,
            past,
            world,
            ticks,
            listing,
            watched: BTreeMap::new(),
            queue: BinaryHeap::new(),
            next_session: Some(session),
            session,
            now: eve,
        };
        model.list_contracts(session.date);
        Ok(model)
    }

    /// The seed everything follows from.
    pub fn seed(&self) -> u64 {
        self.settings.seed
    }

    /// The underlyings.
    pub fn symbols(&self) -> &[Symbol] {
        &self.settings.symbols
    }

    /// Virtual time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The session that is running, or about to, or (after its close) was the last.
    pub fn session(&self) -> Session {
        self.session
    }

    /// When the next thing happens: within a session the next tick, after it the next open. `None` when the
    /// calendar has no further session.
    pub fn next_due(&self) -> Option<Timestamp> {
        match self.queue.peek() {
            Some(Reverse((at, _))) => Some(*at),
            None => self.next_session.map(|s| s.open),
        }
    }

    /// Lets the market go on until `to`, pushing what it says. Crosses session boundaries when `to` does.
    pub fn advance(&mut self, to: Timestamp, out: &mut Vec<MarketEvent>) {
        while let Some(at) = self.next_due().filter(|at| *at <= to) {
            self.now = self.now.max(at);
            match self.queue.pop() {
                Some(Reverse((at, due))) => self.happen(at, due, out),
                None => self.open_session(),
            }
        }
        self.now = self.now.max(to);
    }

    /// The next thing the market says, moving time to it; `None` when the calendar ends.
    pub fn next_event(&mut self) -> Option<MarketEvent> {
        let mut out = Vec::with_capacity(1);
        while out.is_empty() {
            let at = self.next_due()?;
            self.now = self.now.max(at);
            match self.queue.pop() {
                Some(Reverse((at, due))) => self.happen(at, due, &mut out),
                None => self.open_session(),
            }
        }
        out.pop()
    }

    /// Asks for quotes of a contract; counted, so that two watchers need two [`MarketModel::unwatch`].
    /// The first quote follows at once. Returns false when the contract is not listed.
    pub fn watch(&mut self, contract: Contract) -> bool {
        if !self.listing.is_listed(&contract) {
            return false;
        }
        match self.watched.get_mut(&contract) {
            Some(watched) => watched.watchers += 1,
            None => {
                self.watched.insert(contract, Watched { watchers: 1, last: None });
                if self.in_session() {
                    self.queue.push(Reverse((self.now, Due::Check(contract))));
                }
            }
        }
        true
    }

    /// Takes back one [`MarketModel::watch`].
    pub fn unwatch(&mut self, contract: Contract) {
        if let Some(watched) = self.watched.get_mut(&contract) {
            watched.watchers = watched.watchers.saturating_sub(1);
        }
    }

    /// The last quote of an underlying; before the first open one is made from history's last close.
    pub fn stock_quote(&self, symbol: Symbol) -> Option<Quote> {
        let i = self.index(symbol)?;
        self.ticks[i].last().or_else(|| self.ticks[i].opening(self.world.mid(i, self.now), self.now))
    }

    /// The unrounded middle of an underlying at this moment.
    pub fn spot(&self, symbol: Symbol) -> Option<f64> {
        self.index(symbol).map(|i| self.world.mid(i, self.now))
    }

    /// The official close of an underlying's last finished session.
    pub fn official_close(&self, symbol: Symbol) -> Option<Price> {
        let i = self.index(symbol)?;
        self.ticks[i].official_close().or_else(|| self.past.last_close(i))
    }

    /// A contract's quote at this moment, watched or not; `None` when it is not listed.
    pub fn option_quote(&self, contract: Contract) -> Option<Quote> {
        self.listing.is_listed(&contract).then_some(())?;
        let i = self.index(contract.root)?;
        Some(self.quote_contract(i, &contract, self.now))
    }

    /// The listed contracts of an underlying, by expiry, right and strike.
    pub fn contracts(&self, underlying: Symbol) -> impl Iterator<Item = Contract> + '_ {
        self.listing.of(underlying)
    }

    /// Open interest, today's volume so far and the previous close of a contract.
    pub fn facts(&self, contract: Contract) -> Option<Facts> {
        self.listing.is_listed(&contract).then_some(())?;
        let i = self.index(contract.root)?;
        let day_part = self.session.part_elapsed(self.now);
        let before = self.past_close_quote(i, &contract);
        Some(self.listing.facts(&contract, self.world.parameters(i), self.session.date, day_part, before))
    }

    /// Bars before the first session: ten years of days, twenty sessions of minutes, or what follows from them.
    pub fn history(&self, symbol: Symbol, timeframe: Timeframe) -> Vec<Bar> {
        self.index(symbol).map(|i| self.past.bars(i, timeframe)).unwrap_or_default()
    }

    /// True while ticks are made.
    pub fn in_session(&self) -> bool {
        self.next_session.is_none_or(|next| next.date != self.session.date)
            && self.now >= self.session.open
            && self.now < self.session.options_close
    }

    fn index(&self, symbol: Symbol) -> Option<usize> {
        self.settings.symbols.iter().position(|s| *s == symbol)
    }

    fn ends_at(&self, i: usize) -> Timestamp {
        if market::product::closes_late(&self.settings.symbols[i]) {
            self.session.options_close
        } else {
            self.session.close
        }
    }

    fn list_contracts(&mut self, today: Date) {
        for i in 0..self.settings.symbols.len() {
            let (spot, vol) = (self.world.mid(i, self.now), self.world.parameters(i).vol);
            self.listing.refresh(self.settings.symbols[i], today, spot, vol);
        }
    }

    /// Starts the session that is due.
    fn open_session(&mut self) {
        let Some(session) = self.next_session else { return };
        self.session = session;
        self.next_session = calendar::on_or_after(session.date.plus(1));
        self.world.open(&session);
        self.list_contracts(session.date);
        for i in 0..self.ticks.len() {
            self.ticks[i].open_day();
            self.queue.push(Reverse((session.open + 1_000_000 * (i as i64 + 1), Due::Quote(i))));
            let trade = session.open + self.ticks[i].trade_gap_ns(0.0);
            self.queue.push(Reverse((trade, Due::Trade(i))));
            self.queue.push(Reverse((session.close, Due::Cross(i))));
        }
        let listing = &self.listing;
        self.watched.retain(|contract, w| w.watchers > 0 && listing.is_listed(contract));
        for (n, (contract, watched)) in self.watched.iter_mut().enumerate() {
            watched.last = None;
            self.queue.push(Reverse((session.open + SECOND + 1_000_000 * n as i64, Due::Check(*contract))));
        }
    }

    fn happen(&mut self, at: Timestamp, due: Due, out: &mut Vec<MarketEvent>) {
        self.world.reach(at, &self.session);
        match due {
            Due::Quote(i) => self.quote_stock(i, at, out),
            Due::Trade(i) => self.trade_stock(i, at, out),
            Due::Cross(i) => {
                let trade = self.ticks[i].closing_cross(self.world.mid(i, at), at);
                out.push(MarketEvent::Trade(Instrument::Stock(self.settings.symbols[i]), trade));
            }
            Due::Check(contract) => self.check_contract(contract, at, out),
        }
    }

    fn quote_stock(&mut self, i: usize, at: Timestamp, out: &mut Vec<MarketEvent>) {
        let stress = self.world.stress(i);
        let quote = self.ticks[i].quote(self.world.mid(i, at), stress, self.session.since_open(at), at);
        out.push(MarketEvent::Quote(Instrument::Stock(self.settings.symbols[i]), quote));
        let next = at + self.ticks[i].quote_gap_ns(self.session.part_elapsed(at));
        if next < self.ends_at(i) {
            self.queue.push(Reverse((next, Due::Quote(i))));
        }
    }

    fn trade_stock(&mut self, i: usize, at: Timestamp, out: &mut Vec<MarketEvent>) {
        let lean = self.world.lean(i);
        if let Some(trade) = self.ticks[i].trade(lean, at) {
            out.push(MarketEvent::Trade(Instrument::Stock(self.settings.symbols[i]), trade));
        }
        let next = at + self.ticks[i].trade_gap_ns(self.session.part_elapsed(at));
        if next < self.session.close {
            self.queue.push(Reverse((next, Due::Trade(i))));
        }
    }

    fn check_contract(&mut self, contract: Contract, at: Timestamp, out: &mut Vec<MarketEvent>) {
        let Some(i) = self.index(contract.root) else { return };
        let Some(watched) = self.watched.get(&contract).copied().filter(|w| w.watchers > 0) else {
            self.watched.remove(&contract);
            return;
        };
        let quote = self.quote_contract(i, &contract, at);
        let age_max_ns = (self.settings.option_quote_age_max_seconds * 1e9) as i64;
        let worth_saying = watched.last.is_none_or(|last| {
            last.bid.map(|l| l.price) != quote.bid.map(|l| l.price)
                || last.ask.map(|l| l.price) != quote.ask.map(|l| l.price)
                || at.since(last.at) >= age_max_ns
        });
        let luck = chance::hash_unit(self.settings.seed, &contract, at.ns() as u64);
        if worth_saying {
            out.push(MarketEvent::Quote(Instrument::Option(contract), quote));
            self.watched.insert(contract, Watched { last: Some(quote), ..watched });
        }
        if luck < 0.02
            && let Some(trade) = listing::print_of(&quote, luck, at)
        {
            out.push(MarketEvent::Trade(Instrument::Option(contract), trade));
        }
        let gap = 1e9 / self.settings.option_checks_per_second * (0.75 + 0.5 * luck);
        let next = at + gap as i64;
        let end = if contract.expiry == self.session.date { self.session.close } else { self.ends_at(i) };
        if next < end {
            self.queue.push(Reverse((next, Due::Check(contract))));
        }
    }

    fn quote_contract(&self, i: usize, contract: &Contract, at: Timestamp) -> Quote {
        let state = smile::State {
            spot: self.world.mid(i, at),
            log_vol: self.world.log_vol(i),
            since_open_ns: self.session.since_open(at),
        };
        smile::quote(self.settings.seed, self.world.parameters(i), &state, contract, at)
    }

    /// The contract as it stood at the previous close, for its `close_price`.
    fn past_close_quote(&self, i: usize, contract: &Contract) -> Option<Price> {
        let spot = self.official_close(self.settings.symbols[i])?.dollars();
        let state = smile::State { spot, log_vol: self.world.log_vol(i), since_open_ns: i64::MAX };
        smile::quote(self.settings.seed, self.world.parameters(i), &state, contract, self.session.open).mid()
    }
}

fn check(settings: &Settings) -> Result<(), BadSettings> {
    if settings.symbols.is_empty() {
        return Err(BadSettings::NoSymbols);
    }
    let rates = [
        ("stock_quotes_per_second", settings.stock_quotes_per_second),
        ("stock_trades_per_second", settings.stock_trades_per_second),
        ("option_checks_per_second", settings.option_checks_per_second),
        ("option_quote_age_max_seconds", settings.option_quote_age_max_seconds),
    ];
    match rates.into_iter().find(|(_, rate)| !(1e-4..=1e6).contains(rate)) {
        Some((name, rate)) => Err(BadSettings::BadRate(name, rate)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
