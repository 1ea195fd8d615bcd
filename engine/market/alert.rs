//! What a person should know.

use crate::{Label, Timestamp, order::ReasonText};

/// Something a person should know.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct AlertNote {
    /// How bad.
    pub severity: Severity,
    /// A name that stays the same: `book_differs`.
    pub what: Label,
    /// Details, cut.
    pub detail: ReasonText,
    /// When.
    pub at: Timestamp,
}

/// How bad something is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For information.
    Info,
    /// Something does not work as it should.
    Warning,
    /// Trading is affected.
    Critical,
}
