//! Recorded data of other programs read into market words. The embedded venue replays it, backtests and
//! trainers run on it. [`lean`] reads the LEAN data layout, [`eod_chain`] option chains of a session's end; [`prints`] makes trades of a bar for readers that want to
//! form their own bars.
//!
//! Every event carries the moment it became known ([`Stamped::at`]): a bar at its end, never at its start, so
//! that nothing played back in this order can see the future.

pub mod bar_text;
pub mod columns;
pub mod eod_chain;
pub mod lean;
pub mod prints;
pub mod recording;

use market::Timestamp;
use market::quote::MarketEvent;

/// An event and the moment it became known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stamped {
    /// When it became known: a quote's or trade's own time, a bar's end, the moment a figure was published.
    pub at: Timestamp,
    /// What was said.
    pub event: MarketEvent,
}

#[cfg(test)]
mod tests;
