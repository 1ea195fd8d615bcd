//! The closed enum of everything that travels between seats, venue, operator and journal, and of where it goes.

use forecast::notes::{CombinedNote, DriftNote, ForecastNote, ModelNote};
use forecast::shelf::notes::ShelfLetter;
use forecast::{Prediction, Scored};
use market::alert::AlertNote;
use market::feed::FeedNote;
use market::order::{Account, ActivityNote, Holding, Report, Request};
use market::quote::MarketEvent;
use market::{Symbol, Timestamp};
use portfolio::Proposal;
use portfolio::notes::{DoneNote, FillNote, MarkNote, PositionNote};
use risk::command::{Command, HaltNote};
use risk::{Cleared, Decision};

/// Where a letter goes, and where it came from.
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
pub enum Address {
    /// The seat of one underlying.
    Underlying(Symbol),
    /// The one owner of the book.
    Risk,
    /// The one owner of orders.
    Execution,
    /// The venue, through its client.
    Venue,
    /// Only the record (and whoever reads along).
    Record,
    /// The operator, by whatever interface.
    Operator,
    /// The one owner of the shelf of models.
    Shelf,
}

/// Everything that can be said.
#[expect(
    clippy::large_enum_variant,
    reason = "letters are copied, never boxed: nothing on the tick path allocates"
)]
#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize)]
pub enum Letter {
    /// From a feed to a symbol's seat.
    Market(MarketEvent),
    /// A feed's state changed: to every seat that depends on it.
    Feed(FeedNote),
    /// A model was put in a seat (or taken out).
    Model(ModelNote),
    /// What the ensemble said when a bar closed or a proposal was made: for the record and for scoring.
    Forecast(ForecastNote),
    /// Symbol seat to risk.
    Propose(Proposal),
    /// Risk's answer with every check, to the record and to the symbol's seat.
    Decided(Decision),
    /// Risk to execution.
    Cleared(Cleared),
    /// Execution to the venue: on record before the bytes leave.
    Request(Request),
    /// Venue to execution.
    Report(Report),
    /// Execution to risk: what an order did to the book.
    Fill(FillNote),
    /// Execution to risk and to the symbol's seat: an order's life ended.
    Done(DoneNote),
    /// Risk to the symbol's seat: what it holds now.
    Position(PositionNote),
    /// Venue to risk: what happened besides trading.
    Activity(ActivityNote),
    /// Venue to risk: the account.
    Account(Account),
    /// Venue to risk, at start and after each reconnect, one a holding; `of` tells how many make the set.
    Holding {
        /// The holding.
        holding: Holding,
        /// Position in the set, from 0.
        index: u32,
        /// Size of the set.
        of: u32,
    },
    /// Venue to risk: the set of holdings is empty.
    NoHoldings,
    /// Risk to execution: orders to take back.
    Halt(HaltNote),
    /// To execution, once after a restart: ask the venue what became of every order that may live. To risk, when a
    /// symbol's seat was made anew: tell every position again.
    Resume,
    /// Symbol seat to risk: what a position is worth.
    Mark(MarkNote),
    /// Operator to risk.
    Command(Command),
    /// Anyone to the operator.
    Alert(AlertNote),
    /// A seat's own deadline came.
    Wake,
    /// The shell to everybody: this run is about to end, nothing new begins. Unlike an operator's command it is
    /// forgotten when the next run starts.
    Stopping,
    /// A model's prediction as its bar closed: for the record, and at the next start back to the symbol's seat, which
    /// waits on for its outcome.
    Predicted(Prediction),
    /// A prediction with what then happened: for the record, and at the next start back to the symbol's seat, which
    /// weighs its models by it.
    Scored(Scored),
    /// What an ensemble said when a bar closed.
    Combined(CombinedNote),
    /// Features or scores of a model are no longer as they were.
    Drift(DriftNote),
    /// A bundle came or went, a model shadows or is dismissed, or a step of its life is told.
    Shelf(ShelfLetter),
}

/// A letter with its way.
#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize)]
pub struct Envelope {
    /// Who says it.
    pub from: Address,
    /// Who hears it.
    pub to: Address,
    /// The engine's time when it was handed over.
    pub at: Timestamp,
    /// What is said.
    pub letter: Letter,
}
