//! From forecast and chain to a proposal: structures, entry, exit and the per-symbol core.
//!
//! [`underlying`] is the door: one [`Underlying`] a symbol hears the market and what became of its proposals, and
//! [`Said`] is what it answers. It chains the rooms behind: `indicators::Analysis` makes feature rows, [`panel`]
//! asks ten plans, [`forecasts`] lets the ensembles combine them and follows what was said, [`exit`] looks after what is held ([`held`]), [`entry`] says
//! which view to act on, and [`search`] turns a [`structures`] template and the [`chain`] into concrete legs.

pub mod chain;
pub mod entry;
pub mod exit;
pub mod forecasts;
pub mod held;
pub mod hours;
pub mod marking;
pub mod panel;
pub mod said;
pub mod search;
pub mod shadows;
pub mod signs;
pub mod stages;
pub mod structures;
pub mod underlying;

#[cfg(test)]
mod allocation_test;
#[cfg(test)]
mod scripted_day;
#[cfg(test)]
mod search_test;

pub use chain::Chain;
pub use entry::Blocked;
pub use said::Said;
pub use stages::{NoStages, Stage, StageClock};
pub use structures::Structure;
pub use underlying::{Settings, Underlying};
