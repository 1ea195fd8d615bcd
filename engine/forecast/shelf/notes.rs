//! What is told to the shelf and what it tells: every step of a model's life, with its reason and its figures.

use crate::LabelRule;
use crate::notes::ModelNote;
use market::quote::Timeframe;
use market::{Label, Timestamp};

/// A bundle that passed the first look: its plans are with the seats already.
#[derive(
    Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct BundleNote {
    /// The model.
    pub model: ModelNote,
    /// How many bars ahead it looks.
    pub horizon_bars: u32,
    /// How its predictions are judged; without it they are not, and it is never promoted by itself.
    pub rule: Option<LabelRule>,
    /// What runs it.
    pub executor: Label,
    /// The middle of the times one answer took at the first look, nanoseconds.
    pub answer_ns: u64,
    /// When it was seen.
    pub at: Timestamp,
}

/// A bundle that did not pass; the reason is in the quarantine and in the alert.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct RefusedNote {
    /// Its folders' names, as far as they are names.
    pub name: Label,
    /// See there.
    pub version: Label,
    /// Why not.
    pub reason: market::order::ReasonText,
    /// When.
    pub at: Timestamp,
}

/// What a model is there for.
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
pub enum Role {
    /// It speaks for its timeframe.
    Incumbent,
    /// It spoke before the incumbent, and is asked at each close to take its place again.
    Predecessor,
    /// It is asked at each close, to be compared with the incumbent.
    Shadow,
    /// It waits for a shadow's place.
    Waiting,
    /// It lies on the shelf and is not asked.
    Idle,
}

/// What became of a model.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Nobody spoke for its timeframe: it does, at once.
    Seated,
    /// It is asked beside the incumbent from now on.
    Shadowed,
    /// It was better with evidence: it speaks from now on.
    Promoted,
    /// It was not better after the last look; it is not asked any more.
    NotBetter,
    /// It was worse with evidence; it is not asked any more.
    Worse,
    /// It fell behind and made way for its predecessor.
    RolledBack,
    /// It speaks again.
    Restored,
    /// Its score fell, and there is nobody better to take its place.
    Fell,
    /// It is not asked any more: another took the place it had.
    Retired,
    /// Its bundle is not in the folder any more.
    Gone,
    /// The operator put it in its place.
    PromotedByHand,
    /// The operator put the one before it back.
    RolledBackByHand,
    /// The operator keeps it where it is: neither promotion nor rollback moves it.
    Pinned,
    /// The operator lets go of it.
    Unpinned,
    /// What the operator asked cannot be done: no such model is on the shelf.
    Unknown,
    /// What the operator asked is so already.
    Already,
    /// What the operator asked cannot be done: nobody spoke before the incumbent.
    NoPredecessor,
}

/// What a step rests on; zeros where nothing was compared.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
)]
pub struct Figures {
    /// Whom it was compared with, by [`ModelNote::digest`]; its own to its record at promotion.
    pub against: u64,
    /// Predictions of both on the same moments.
    pub scored: u32,
    /// Independent blocks they make.
    pub blocks: u32,
    /// Its mean loss.
    pub loss: f64,
    /// The other's.
    pub other: f64,
    /// One-sided chance of as much if there were no difference.
    pub p: f64,
}

/// A step in a model's life.
#[derive(
    Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct ShelfNote {
    /// Whose.
    pub model: ModelNote,
    /// Which.
    pub step: Step,
    /// What it rests on.
    pub figures: Figures,
    /// When.
    pub at: Timestamp,
}

/// What the operator asks of the shelf.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum ShelfCommand {
    /// This model speaks for its timeframe from now on.
    Promote {
        /// Its name.
        name: Label,
        /// Its version.
        version: Label,
    },
    /// The one before the incumbent speaks again.
    Rollback(Timeframe),
    /// The incumbent stays, whatever is found.
    Pin(Timeframe),
    /// It may be replaced again.
    Unpin(Timeframe),
}
