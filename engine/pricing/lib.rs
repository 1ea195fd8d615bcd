//! Option mathematics: price, delta, implied volatility, payoff of legs. Analytics are `f64`; what a
//! position can lose is exact [`market::Money`].
//!
//! [`black_scholes`] gives European values, [`implied`] inverts them, [`legs`] says what a set of options is
//! worth at expiry, what it can gain and lose, and what margin it asks.

pub mod american;
#[cfg(test)]
mod american_test;
pub mod assignment;
pub mod batch;
pub mod black_scholes;
pub mod boundary;
pub mod chain;
#[cfg(test)]
mod chain_test;
mod dispatch;
pub mod dividends;
mod elementary;
pub mod european;
#[cfg(test)]
mod european_test;
pub mod forward;
#[cfg(test)]
mod golden_test;
pub mod implied;
pub mod legs;

pub mod smile;
pub mod structure;
#[cfg(test)]
mod structure_test;
pub mod surface;
#[cfg(test)]
mod surface_test;

pub mod volatility_history;

pub use black_scholes::{delta, price, vega};
pub use implied::{NoVolatility, implied_volatility};
pub use legs::Bound;
