//! The feature schema a model must have been trained on: the names of a row's columns and their digest.

use crate::manifest::{CLASSES, hex, sha256};
use indicators::features;
use market::quote::Timeframe;

/// Names and digest of a feature row's columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The columns' names in order.
    pub features: Vec<String>,
    /// SHA-256 of the schema, 64 hexadecimal digits, as manifests carry it.
    pub digest: String,
}

impl Schema {
    /// The schema this program computes. Whoever trains writes both into the manifest.
    pub fn ours() -> Self {
        Self {
            features: features::NAMES.map(String::from).to_vec(),
            digest: hex(&sha256(features::schema().as_bytes())),
        }
    }

    /// The schema of a model that is an ensemble's rule: the odds of each timeframe's model, `1min_down`, `1min_flat`,
    /// `1min_up`, `5min_down` and so on; a third each for the silent.
    pub fn of_members() -> Self {
        let names = |timeframe: Timeframe| CLASSES.map(|class| format!("{timeframe}_{class}"));
        let features: Vec<String> = Timeframe::ALL.into_iter().flat_map(names).collect();
        let digest = hex(&sha256(format!("wingspread-members 1\n{}\n", features.join("\n")).as_bytes()));
        Self { features, digest }
    }
}
