//! Letters, seats and the routing between them, written once for the live and the backtest shell.

pub mod letter;

pub use letter::{Address, Envelope, Letter};
