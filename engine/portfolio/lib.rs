//! The book: positions, lots, cash and P&L, exact to the cent; proposals (a wished change of the book);
//! comparison with the broker. Pure: no I/O, no clock.
//!
//! Start with [`proposal`] (what a strategy wishes) and [`book`] (what became of it); [`trade`] follows one
//! proposal's position through assignment to its end, [`notes`] are the words told to other rooms.

pub mod book;
pub mod compare;
pub mod deliveries;
pub mod flows;
pub mod notes;
pub mod position;
pub mod proposal;
mod render;
pub mod seen;
pub mod trade;

#[cfg(test)]
mod tests;

pub use book::{Book, Booked};
pub use proposal::{ExitReason, Proposal, Purpose};
pub use trade::Trade;
