//! The book: positions, lots, cash and P&L, exact to the cent; proposals (a wished change of the book);
//! margin. Pure: no I/O, no clock.

pub mod notes;
pub mod proposal;

pub use proposal::{ExitReason, Proposal, Purpose};
