//! Option mathematics: price, delta, implied volatility, payoff of legs. Analytics are `f64`; what a
//! position can lose is exact [`market::Money`].
//!
//! [`european`] and [`batch`] give European values with all Greeks ([`black_scholes`] the plain ones), [`implied`] inverts
//! them; [`american`] and [`dividends`] price early exercise, [`assignment`] says when to fear it; [`forward`], [`smile`] and
//! [`surface`] read the market, [`carry`] joins two forwards, [`chain`] holds it; [`legs`] (exact) and [`structure`] (with odds) say what a set of options is
//! worth at expiry, what it can gain and lose, and what margin it asks; [`touch`] and [`tilt`] are odds of a barrier and of a
//! forecast, [`outlook`] says it all at once.

pub mod american;
#[cfg(test)]
mod american_test;
pub mod assignment;
pub mod batch;
pub mod black_scholes;
pub mod boundary;
pub mod carry;
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
pub mod outlook;

#[cfg(test)]
mod real_chains_test;
pub mod ripple;
pub mod smile;
pub mod structure;
#[cfg(test)]
mod structure_test;
pub mod surface;
#[cfg(test)]
mod surface_test;
pub mod tilt;
pub mod touch;
pub mod volatility_history;

pub use black_scholes::{delta, price, vega};
pub use implied::{NoVolatility, implied_volatility};
pub use legs::Bound;
