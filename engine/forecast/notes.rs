//! What is told about models and their forecasts: for the record, for scoring, for the views.

use crate::{Forecast, Odds};
use market::quote::Timeframe;
use market::{Label, Price, Symbol, Timestamp};

/// The version under which an ensemble's own forecasts are scored; its name is in the note's.
pub const ENSEMBLE: Label = Label::literal("ensemble");

/// A model's place in the seats.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct ModelNote {
    /// The timeframe it speaks for.
    pub timeframe: Timeframe,
    /// Its name; empty when the place was emptied.
    pub name: Label,
    /// Its version.
    pub version: Label,
    /// First 8 bytes of the file's SHA-256.
    pub digest: u64,
}

/// A forecast with its circumstances.
#[derive(
    Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct ForecastNote {
    /// Of which symbol.
    pub symbol: Symbol,
    /// The timeframe whose bar closed.
    pub timeframe: Timeframe,
    /// What that timeframe's own model said.
    pub odds: Odds,
    /// What the ensemble said.
    pub forecast: Forecast,
    /// Price of the underlying.
    pub spot: Price,
    /// When.
    pub at: Timestamp,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn model(name: &str) -> ModelNote {
        let (name, version) = (Label::literal(name), Label::literal("1.0.0"));
        ModelNote { timeframe: Timeframe::Min1, name, version, digest: 1 }
    }
}
