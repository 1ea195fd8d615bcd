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
    /// First 8 bytes of a SHA-256 over the file and its manifest.
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

/// Whether a forecast is what the members say now.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The quorum spoke.
    Full,
    /// Less than the quorum spoke, and its odds were drawn toward even ones.
    Degraded,
    /// Less than the quorum spoke, and this is the last forecast before that.
    Held,
}

/// What an ensemble said as a bar closed, with everything that can be asked of it later.
#[derive(
    Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct CombinedNote {
    /// Of which symbol.
    pub symbol: Symbol,
    /// The ensemble.
    pub ensemble: Label,
    /// The odds, who spoke, confidence and agreement.
    pub forecast: Forecast,
    /// Whether that is what the members say now.
    pub standing: Standing,
    /// The timeframe of its horizon: that of its heaviest member.
    pub timeframe: Timeframe,
    /// How many bars of it ahead the forecast looks; 0 when no model sits there.
    pub horizon_bars: u32,
    /// The models that spoke, by [`ModelNote::digest`], in the order of the timeframes; 0 for the silent.
    pub models: [u64; Timeframe::COUNT],
    /// When.
    pub at: Timestamp,
}

/// What no longer is as it was when a model was trained, or when it began to speak.
#[derive(
    Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Drift {
    /// The rows it is asked are spread otherwise than those of its training.
    Features {
        /// The feature that moved most.
        feature: Label,
        /// Its population stability index.
        psi: f64,
        /// Its Kolmogorov-Smirnov distance.
        ks: f64,
        /// How many features moved beyond the bound.
        moved: u32,
    },
    /// Its loss rose for good.
    Loss {
        /// Mean Brier score over everything before.
        before: f64,
        /// Mean since the rise began.
        since: f64,
    },
}

/// A drift that was found.
#[derive(
    Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct DriftNote {
    /// Of which model.
    pub model: ModelNote,
    /// On which symbol.
    pub symbol: Symbol,
    /// What drifted.
    pub drift: Drift,
    /// Rows or predictions it was found in.
    pub rows: u32,
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
