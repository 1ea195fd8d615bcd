//! The market in the middle of its story as something that can be stored and taken up again. What follows from
//! the seed (history, characters) is made anew; the path of prices goes on from its stored generators.

use super::calendar::Session;
use super::listing::Listing;
use super::stock_ticks::StockTicks;
use super::world::World;
use super::{BadSettings, Due, MarketModel, Settings, Watched};
use market::{Contract, Date, Symbol, Timestamp};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Where a market stands; borrowed to be written, owned after reading. For binary formats: keys of maps are
/// structures.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct State<'a> {
    seed: u64,
    symbols: Cow<'a, [Symbol]>,
    first_session: Date,
    world: Cow<'a, World>,
    ticks: Cow<'a, [StockTicks]>,
    listing: Cow<'a, Listing>,
    watched: Cow<'a, BTreeMap<Contract, Watched>>,
    queue: Cow<'a, BinaryHeap<Reverse<(Timestamp, Due)>>>,
    session: Session,
    next_session: Option<Session>,
    now: Timestamp,
}

/// Why a market cannot go on from a stored state.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BadState {
    /// The settings themselves are bad.
    #[error(transparent)]
    Settings(#[from] BadSettings),
    /// Another market was stored.
    #[error("the stored market has {name} {stored}, the settings say {given}")]
    Other {
        /// The setting.
        name: &'static str,
        /// What was stored.
        stored: String,
        /// What the settings say.
        given: String,
    },
}

fn same<T: PartialEq + ?Sized>(
    name: &'static str,
    stored: &T,
    given: &T,
    text: impl Fn(&T) -> String,
) -> Result<(), BadState> {
    if stored == given {
        return Ok(());
    }
    Err(BadState::Other { name, stored: text(stored), given: text(given) })
}

fn names(symbols: &[Symbol]) -> String {
    symbols.iter().map(Symbol::as_str).collect::<Vec<_>>().join(" ")
}

impl State<'_> {
    /// Says whether a market of these settings can go on from here: what makes the path must be the same,
    /// rates may differ.
    ///
    /// # Errors
    /// Names the first setting that makes it another market.
    pub fn check(&self, settings: &Settings) -> Result<(), BadState> {
        same("seed", &self.seed, &settings.seed, u64::to_string)?;
        same("symbols", self.symbols.as_ref(), settings.symbols.as_slice(), names)?;
        same("first session", &self.first_session, &settings.first_session, Date::to_string)?;
        // Of one length each, or the state is not one of ours: then it is another market in any case.
        let count = settings.symbols.len();
        same("paths", &self.world.len(), &count, usize::to_string)?;
        same("tapes", &self.ticks.len(), &count, usize::to_string)
    }
}

impl MarketModel {
    /// Where the market stands, to be stored.
    pub fn state(&self) -> State<'_> {
        State {
            seed: self.settings.seed,
            symbols: Cow::Borrowed(&self.settings.symbols),
            first_session: self.settings.first_session,
            world: Cow::Borrowed(&self.world),
            ticks: Cow::Borrowed(&self.ticks),
            listing: Cow::Borrowed(&self.listing),
            watched: Cow::Borrowed(&self.watched),
            queue: Cow::Borrowed(&self.queue),
            session: self.session,
            next_session: self.next_session,
            now: self.now,
        }
    }

    /// A market that goes on where `state` was taken, watchers included.
    ///
    /// # Errors
    /// When the settings are bad, or make another market than the stored one.
    pub fn restore(settings: Settings, state: State<'_>) -> Result<Self, BadState> {
        state.check(&settings)?;
        let mut market = Self::new(settings)?;
        market.world = state.world.into_owned();
        market.listing = state.listing.into_owned();
        market.watched = state.watched.into_owned();
        market.queue = state.queue.into_owned();
        market.session = state.session;
        market.next_session = state.next_session;
        market.now = state.now;
        for (ticks, stored) in market.ticks.iter_mut().zip(state.ticks.into_owned()) {
            ticks.resume(stored);
        }
        Ok(market)
    }

    /// Takes back every [`MarketModel::watch`] at once: those who asked are gone.
    pub fn unwatch_all(&mut self) {
        for watched in self.watched.values_mut() {
            watched.watchers = 0;
        }
    }
}
