//! The exchange's state as something that can be stored and taken up again: everything but its settings, which
//! come from whoever starts it, and its indexes, which follow from the orders.

use crate::account::Account;
use crate::exchange::{Exchange, Timer};
use crate::faults::Dice;
use crate::identity::IdMaker;
use crate::listing::Listing;
use crate::order::Order;
use crate::settings::Settings;
use crate::tape::Tape;
use market::{Instrument, Timestamp};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// Everything an exchange knows; borrowed to be written, owned after reading. For binary formats: keys of maps
/// are structures.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct State<'a> {
    ids: Cow<'a, IdMaker>,
    dice: Cow<'a, Dice>,
    listing: Cow<'a, Listing>,
    tape: Cow<'a, Tape>,
    accounts: Cow<'a, [Account]>,
    orders: Cow<'a, [Order]>,
    working: Cow<'a, BTreeMap<Instrument, Vec<usize>>>,
    timers: Cow<'a, BTreeMap<(Timestamp, u64), Timer>>,
    timers_set: u64,
    events_told: u64,
    now: Timestamp,
}

/// A state that cannot be one: it names an order or account that it does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("exchange: the stored state names {kind} {number}, but holds only {held}")]
pub struct BadState {
    kind: &'static str,
    number: usize,
    held: usize,
}

impl State<'_> {
    /// Every order and account that is named must be there: the exchange counts on it.
    fn check(&self) -> Result<(), BadState> {
        let orders = self.orders.len();
        let of_accounts = self.accounts.iter().flat_map(|a| a.orders.iter().chain(&a.open));
        let of_timers = self.timers.values().filter_map(Timer::order);
        let successors = self.orders.iter().filter_map(|order| Some(order.successor?.index));
        let working = self.working.values().flatten();
        let mut named = of_accounts.chain(working).copied().chain(of_timers).chain(successors);
        if let Some(number) = named.find(|number| *number >= orders) {
            return Err(BadState { kind: "order", number, held: orders });
        }
        let held = self.accounts.len();
        let mut owners = self.orders.iter().map(|order| order.account.0 as usize);
        match owners.find(|number| *number >= held) {
            Some(number) => Err(BadState { kind: "account", number, held }),
            None => Ok(()),
        }
    }
}

impl Exchange {
    /// Everything the exchange knows, to be stored.
    pub fn state(&self) -> State<'_> {
        State {
            ids: Cow::Borrowed(&self.ids),
            dice: Cow::Borrowed(&self.dice),
            listing: Cow::Borrowed(&self.listing),
            tape: Cow::Borrowed(&self.tape),
            accounts: Cow::Borrowed(&self.accounts),
            orders: Cow::Borrowed(&self.orders),
            working: Cow::Borrowed(&self.working),
            timers: Cow::Borrowed(&self.timers),
            timers_set: self.timers_set,
            events_told: self.events_told,
            now: self.now,
        }
    }

    /// An exchange that goes on where `state` was taken. Settings are this run's: a changed fee schedule counts
    /// from now on.
    ///
    /// # Errors
    /// When the state contradicts itself.
    pub fn restore(settings: Settings, state: State<'_>) -> Result<Self, BadState> {
        state.check()?;
        let mut restored = Self {
            settings,
            ids: state.ids.into_owned(),
            dice: state.dice.into_owned(),
            listing: state.listing.into_owned(),
            tape: state.tape.into_owned(),
            accounts: state.accounts.into_owned(),
            orders: Vec::new(),
            by_id: HashMap::new(),
            by_client_id: HashMap::new(),
            working: state.working.into_owned(),
            timers: state.timers.into_owned(),
            timers_set: state.timers_set,
            events_told: state.events_told,
            now: state.now,
        };
        let orders = state.orders.into_owned();
        for (index, order) in orders.iter().enumerate() {
            restored.index(order, index);
        }
        restored.orders = orders;
        Ok(restored)
    }
}
