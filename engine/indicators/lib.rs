//! Bars in ten timeframes, indicators and feature rows.
//!
//! [`analysis`] is the door: one [`Analysis`] a symbol takes trades, quotes, the passing of time and history, and
//! answers with forming bars and feature rows. Behind it stand [`bars`] (one forming minute, cascaded on its close
//! into nine longer bars, aligned to sessions by [`grid`]) and [`set`] (the indicators of one timeframe, declared
//! in [`table`], one file a family). [`features`] turns a set and a candle into the row a model reads; live,
//! backtest and training call the same function.
//!
//! Everything is constant time per tick (but the rebuild of a session after a late, cancelled or repaired bar) and allocates only in its constructor. Values are `f64` inside, `f32` in
//! rows; an indicator that cannot say yet says `None`, and no NaN or infinity ever leaves.

#[macro_use]
pub mod state;

pub mod analysis;
pub mod average;
pub mod bands;
pub mod bars;
pub mod candle;
pub mod declaration;
pub mod deviation;
pub mod features;
mod glide;
pub mod grid;
pub mod hilbert;
pub mod indicator;
pub mod ledger;
pub mod macd;
pub mod memory;
pub mod moments;
pub mod momentum;
pub mod part;
pub mod periods;
pub mod recent;
pub mod scaling;
pub mod session;
pub mod set;
pub mod splits;
pub mod stochastic;
pub mod sweep;
pub mod table;
pub mod trend;
pub mod true_range;
pub mod volatility;
pub mod volume;
pub mod walk;
pub mod wilder;
pub mod window;

#[cfg(test)]
mod allocation_test;
#[cfg(test)]
mod analysis_test;
#[cfg(test)]
mod bars_test;
#[cfg(test)]
mod batch_test;
#[cfg(test)]
mod corrections_test;
#[cfg(test)]
mod docs_test;
#[cfg(test)]
mod folds_test;
#[cfg(test)]
mod golden_test;
#[cfg(test)]
mod naive_test;
#[cfg(test)]
mod property_test;

pub use analysis::{Analysis, Closed};
pub use features::FEATURES;
