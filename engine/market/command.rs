//! What an operator may ask of the desk.

/// What an operator may ask.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Take no new risk; exits go on.
    Pause,
    /// Take new risk again.
    Resume,
    /// Cancel what opens, close every position.
    Flatten,
    /// Cancel everything and send nothing more.
    Kill,
}
