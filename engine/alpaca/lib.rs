//! The broker's wire protocol, for client and server alike, and the client that speaks it.
//!
//! Four layers, each usable without the next. **Frames**: [`decode`] and [`encode`] turn the market-data
//! streams into `market` events and back, in JSON and MessagePack; [`control`] holds the words about a session.
//! **Bodies**: [`orders`], [`account`], [`trading`] and [`data`] are the REST bodies and the trade updates,
//! with the ways to and from `market::order`. **Sessions**: [`session`] decides (log in, subscribe, ping, notice
//! silence, back off) and does nothing; [`order_session`] is its twin for the trading stream. **Drivers**: [`socket`]
//! and [`rest`] do, and decide nothing.

pub mod account;
pub mod backoff;
pub mod bucket;
mod conditions;
pub mod control;
pub mod data;
pub mod decimal;
pub mod decode;
pub mod encode;
mod heartbeat;
pub mod ids;
mod json;
pub mod keys;
pub mod msgpack;
pub mod order_session;
pub mod orders;
pub mod rest;
pub mod session;
pub mod socket;
mod tap;
pub mod trading;
pub mod updates;
pub mod wire;
pub mod words;

pub use decimal::Decimal;
pub use keys::Keys;

#[cfg(test)]
mod examples;
#[cfg(test)]
mod tls_test;
