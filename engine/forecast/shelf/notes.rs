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
    /// It speaks for its timeframe as soon as its bundle is back; another stands in for it.
    Away,
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
    /// Its bundle is back, and so it speaks again: the place was its own.
    Returned,
    /// What the operator asked cannot be done: nobody speaks there.
    Nobody,
    /// It is judged by another rule or horizon than the incumbent, or by none; it is not asked (any more).
    NotComparable,
    /// It hardly ever answered where the incumbent did; it is not asked any more.
    Silent,
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

/// Everything that is said to the shelf and by it.
#[derive(
    Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ShelfLetter {
    /// To the shelf: a sound bundle is there, and its plans are with the seats.
    Brought(BundleNote),
    /// To the shelf: a bundle is not there any more.
    Taken(ModelNote),
    /// To the shelf, for the record: a bundle was refused.
    Refused(RefusedNote),
    /// To the shelf: every bundle of the folder was told.
    Open,
    /// To the shelf: a symbol's seat was made anew.
    TellAgain,
    /// The operator to the shelf.
    Asked(ShelfCommand),
    /// To a symbol's seat: ask this model at each close, beside the incumbent.
    Shadow(ModelNote),
    /// To a symbol's seat: do not ask this model any more.
    Dismiss(ModelNote),
    /// To the record: a step in a model's life.
    Step(ShelfNote),
}

impl ShelfCommand {
    /// Out of words: `promote NAME/VERSION`, `rollback`, `pin` or `unpin` and a timeframe.
    ///
    /// # Errors
    /// What is wrong with them, and what to write.
    pub fn parse(words: &str) -> Result<Self, String> {
        let (verb, what) = words.split_once(' ').unwrap_or((words, ""));
        let timeframe = || {
            let names = Timeframe::ALL.map(Timeframe::name).join(", ");
            let none = format!("`{what}` is no timeframe: write one of {names}");
            Timeframe::from_name(what).ok_or(none)
        };
        match verb {
            "promote" => {
                let wrong = || format!("`{what}` is no model: write NAME/VERSION, such as sim-5min/3");
                let (name, version) = what.split_once('/').ok_or_else(wrong)?;
                let part = |text: &str| text.parse().map_err(|_| wrong());
                Ok(Self::Promote { name: part(name)?, version: part(version)? })
            }
            "rollback" => timeframe().map(Self::Rollback),
            "pin" => timeframe().map(Self::Pin),
            "unpin" => timeframe().map(Self::Unpin),
            _ => Err(format!("`{verb}` is not known here: promote, rollback, pin, unpin")),
        }
    }
}

impl std::fmt::Display for ShelfCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Promote { name, version } => write!(f, "promote {name}/{version}"),
            Self::Rollback(timeframe) => write!(f, "rollback {timeframe}"),
            Self::Pin(timeframe) => write!(f, "pin {timeframe}"),
            Self::Unpin(timeframe) => write!(f, "unpin {timeframe}"),
        }
    }
}

impl Step {
    /// True for what answers an operator's wish, whatever the answer is.
    pub const fn is_answer(self) -> bool {
        self.is_refusal()
            || matches!(self, Self::PromotedByHand | Self::RolledBackByHand | Self::Pinned | Self::Unpinned)
    }

    /// True for an answer that nothing was done.
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::Unknown | Self::Already | Self::NoPredecessor | Self::Nobody)
    }

    /// True when it puts a model into a place for good; others only stand in for one that is away.
    pub(super) const fn is_change(self) -> bool {
        matches!(self, Self::Promoted | Self::PromotedByHand)
    }

    /// What became of the model, as the end of a sentence about it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Seated => "speaks at once: nobody did",
            Self::Shadowed => "shadows the incumbent",
            Self::Promoted => "is promoted",
            Self::NotBetter => "is no better than the incumbent, and not asked any more",
            Self::Worse => "is worse than the incumbent, and not asked any more",
            Self::RolledBack => "is rolled back",
            Self::Restored => "speaks again",
            Self::Fell => "fell below its own record, and nobody better is there",
            Self::Retired => "retires",
            Self::Gone => "is not there any more; it takes its place again when it is",
            Self::PromotedByHand => "is promoted by the operator",
            Self::RolledBackByHand => "is rolled back by the operator",
            Self::Pinned => "is pinned",
            Self::Unpinned => "is unpinned",
            Self::Unknown => "is not on the shelf: `wingspread models list` names what is",
            Self::Already => "is that already",
            Self::NoPredecessor => "has nobody before it to go back to",
            Self::Returned => "is back in the folder, and speaks again",
            Self::Nobody => "has nobody who speaks",
            Self::NotComparable => {
                "cannot be compared with the incumbent (another label rule or horizon, or none), and is not asked"
            }
            Self::Silent => "hardly answered where the incumbent did, and is not asked any more",
        }
    }
}

impl std::fmt::Display for ShelfNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ModelNote { timeframe, name, version, .. } = &self.model;
        if !name.is_empty() {
            write!(f, "{name}/{version} ")?;
        }
        write!(f, "({timeframe}) {}", self.step.words())?;
        let Figures { scored, blocks, loss, other, p, against } = self.figures;
        if against == 0 && scored > 0 {
            return write!(f, ": {scored} predictions of its own were scored");
        }
        if against == 0 {
            return Ok(());
        }
        let other_is = if against == self.model.digest { "its own record" } else { "the other" };
        write!(
            f,
            ": loss {loss:.4}, {other_is} {other:.4}, over {scored} predictions in {blocks} blocks, by chance {p:.1e}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_as_they_are_written() {
        for words in ["promote sim-5min/3", "rollback 5min", "pin 1day", "unpin 1year"] {
            assert_eq!(ShelfCommand::parse(words).expect(words).to_string(), words);
        }
        for (words, remedy) in [
            ("promote sim-5min", "NAME/VERSION"),
            ("promote /", "NAME/VERSION"),
            ("pin 7min", "1min, 5min"),
            ("rollback", "1min, 5min"),
            ("", "promote, rollback"),
        ] {
            let said = ShelfCommand::parse(words).expect_err(words);
            assert!(said.contains(remedy), "{words}: {said}");
        }
    }
}
