//! The simulated exchange: accounts, matching, fees, expiry, and the market it simulates. No I/O, no clock; all
//! randomness comes from one seed.
//!
//! Start with [`Exchange`]: tell it the market with [`Exchange::market`], send it orders with
//! [`Exchange::submit`], wake it when [`Exchange::deadline`] says so, and hear from it through [`Event`]s.
//! [`settings`] says what can be set and how fills are priced, [`Refusal`] how it says no.
//!
//! Deliberately not here: stops, brackets, extended hours, fractional shares, dividends paid, interest, margin
//! calls, corporate actions.

mod account;
mod activity;
mod amend;
mod asked;
mod balances;
mod checks;
mod closing;
mod draft;
mod event;
mod exchange;
mod expiry;
mod faults;
mod fill;
mod hours;
mod identity;
mod kept;
mod listing;
mod margin;
pub mod market_model;
mod matching;
mod order;
mod orders_asked;
mod refusal;
pub mod settings;
mod submit;
mod tape;
mod tickets;

pub use account::{AccountId, AccountView, Configuration, Opening, PositionView};
pub use activity::{Activity, ActivityDetail, ActivityFilter, ActivityType};
pub use asked::{NewLeg, NewOrder, Replacement};
pub use closing::PositionPart;
pub use event::{Event, Execution, LegExecution, OrderEvent, OrderEventKind, SocketFault};
pub use exchange::Exchange;
pub use faults::Faults;
pub use identity::{Uuid, asset_id};
pub use kept::{BadState, State};
pub use listing::{ContractTerms, StockTerms};
pub use order::{Intent, Order, OrderClass, OrderKind, OrderLeg, OrderStatus, TimeInForce};
pub use orders_asked::{OrderFilter, OrderScope};
pub use refusal::Refusal;
pub use settings::{FillModel, Settings};

#[cfg(test)]
mod scripted;
