//! Execution: what risk cleared becomes an order whose price walks from mid toward natural, until it is
//! filled or patience ends, whatever order the venue's answers come in.
//!
//! Start with [`blotter`] (what is heard and said), then [`order`] (one order's life). [`walk`] is the price,
//! [`fills`] tells new units from repeated ones.

pub mod blotter;
pub mod fills;
pub mod order;
pub mod settings;
pub mod walk;

#[cfg(test)]
mod tests;

pub use blotter::{Blotter, Said};
pub use settings::{Pace, Settings};
