//! The connections that feed the desk, and what can become of them.

use crate::Timestamp;

/// The connections a feed can have.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum FeedName {
    /// Stock quotes, trades and bars.
    Stocks,
    /// Option quotes and trades.
    Options,
    /// Order reports.
    Orders,
    /// The journal: no connection, but without it nothing new may begin either.
    Journal,
}

/// A feed's state.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct FeedNote {
    /// Which.
    pub feed: FeedName,
    /// What became of it.
    pub state: FeedState,
    /// When.
    pub at: Timestamp,
}

/// What can become of a feed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum FeedState {
    /// Connected, authenticated and subscribed: every book is stale until its first quote.
    Up,
    /// Lost: what it said is stale from now on.
    Down,
    /// Connected but mute beyond the limit.
    Mute,
    /// The gap it left has been filled from the venue's history.
    Repaired,
}
