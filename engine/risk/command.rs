//! What an operator may ask of the desk, and what risk makes execution take back.

pub use market::command::Command;

/// What risk tells execution to take back.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum HaltNote {
    /// Cancel every order that opens; closing orders work on.
    Opening,
    /// Cancel every order.
    Everything,
}
