//! Risk: one ordered table of checks over the book and what is pending. Every check's result is recorded;
//! only what passes all becomes [`Cleared`], and only this room can make one.
//!
//! Start with [`gate`] (what is heard and said), then [`checks`] (the table). [`reconcile`] holds book and
//! broker together, [`closing`] is what the gate closes on its own.

pub mod checks;
pub mod cleared;
pub mod closing;
pub mod command;
pub mod gate;
pub mod pending;
pub mod reconcile;
pub mod settings;

#[cfg(test)]
mod tests;

pub use cleared::{CheckResult, Cleared, Decision, Verdict};
pub use command::{Command, HaltNote};
pub use gate::{Gate, Said};
pub use settings::{Limits, Settings};
