//! The feature schema a model must have been trained on: the names of a row's columns and their digest.

use crate::manifest::{hex, sha256};
use indicators::features;

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
}
