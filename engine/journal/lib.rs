//! The journal: what every seat heard and said, on record before anything leaves the process.
//!
//! A trading thread writes through its [`Pen`] into a memory-mapped [`ring`]; the journal thread ([`writer`]) moves
//! records in groups from the rings into the LMDB [`store`]; the next start drains what a killed run left in its
//! rings before anything else, and hands the letters of risk and execution back for recovery ([`rebuild`]).
//! [`export`] and [`summary`] are for people. [`record`] is the stored layout.
//!
//! ```text
//! let opened = Journal::open(dir, &settings, &start)?;   // lock, check, drain, bump the run, start the thread
//! for letter in opened.recovered.letters(Address::Risk)? { let (at, envelope) = letter?; .. }
//! opened.pens[0].said(&envelope);                        // false: no room, take no new risk
//! opened.journal.close(now)?;                            // drain, sync, note the end
//! ```

mod environment;
pub mod export;
mod fault;
mod lock;
mod pages;
pub mod rebuild;
pub mod record;
mod resident;
pub mod ring;
#[cfg(test)]
mod samples;
pub mod settings;
pub mod store;
pub mod summary;
pub mod tables;
#[cfg(test)]
mod tests;
pub mod writer;

pub use fault::Fault;
pub use rebuild::{Letters, Recovered};
pub use record::{Body, Kind, LetterKind, Record, RunEvent, RunNote};
pub use settings::{Durability, Settings};
pub use store::Reader;
pub use writer::{Counters, Health, Journal, Monitor, Opened, Pen, RunStart};
