//! The vocabulary every room speaks: time, money, symbols, contracts, what a feed may say, the session
//! calendar, and the words to and from a venue. No I/O, no clock, no floating-point money.
//!
//! Start with [`time`] and [`money`] (the two newtypes nobody may mix up), then [`contract`] (what is
//! traded), [`quote`] (what a feed says about it) and [`order`] (what we say to a venue, and it to us).

pub mod alert;
pub mod command;
pub mod contract;
pub mod feed;
pub mod fees;
pub mod money;
pub mod order;
pub mod product;
pub mod quote;
pub mod run_id;
pub mod session;
pub mod split;
pub mod text;
pub mod time;

pub use contract::{Contract, Instrument, Right};
pub use money::{Money, Price};
pub use run_id::RunId;
pub use text::{Label, OrderId, Symbol};
pub use time::{Date, Timestamp};
