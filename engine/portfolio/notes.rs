//! What is told about positions: fills, endings, holdings, marks.

use crate::ExitReason;
use crate::proposal::{Proposal, ProposalId};
use market::order::Execution;
use market::{Instrument, Label, Money, OrderId, Price, Symbol, Timestamp};

/// What an order did to the book.
#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize)]
pub struct FillNote {
    /// The proposal behind the order.
    pub proposal: ProposalId,
    /// The order.
    pub order: OrderId,
    /// The execution.
    pub execution: Execution,
    /// Signed net mid per unit when the order was first sent: fill quality is measured against it.
    pub arrival_mid: Price,
    /// When, by the venue's stamp.
    pub at: Timestamp,
}

/// How an order's life ended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct DoneNote {
    /// The proposal behind it.
    pub proposal: ProposalId,
    /// The underlying.
    pub underlying: Symbol,
    /// Units filled in all.
    pub filled_units: u32,
    /// Units that were wanted.
    pub wanted_units: u32,
    /// Why it ended.
    pub ending: Ending,
    /// When.
    pub at: Timestamp,
}

impl DoneNote {
    /// The end of a clearance that never became an order.
    pub fn unsent(proposal: &Proposal, at: Timestamp) -> Self {
        Self {
            proposal: proposal.id,
            underlying: proposal.underlying,
            filled_units: 0,
            wanted_units: proposal.units,
            ending: Ending::Canceled,
            at,
        }
    }
}

/// Why an order ended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Filled completely.
    Filled,
    /// The walk reached its end and the order was canceled.
    GaveUp,
    /// Canceled by us for another reason, or by the venue.
    Canceled,
    /// The venue's day ended.
    Expired,
    /// The venue refused it.
    Rejected,
}

/// What a symbol's seat holds in one position.
#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize)]
pub struct PositionNote {
    /// The proposal that opened it.
    pub id: ProposalId,
    /// The underlying.
    pub underlying: Symbol,
    /// The structure's name.
    pub structure: Label,
    /// The legs as opened; `units` say how many.
    pub legs: market::order::Legs,
    /// Units still open; 0 when it is closed.
    pub units: u32,
    /// Average signed net paid per unit and share when opened (negative: received).
    pub entry: Price,
    /// The most one unit can gain and lose, as proposed.
    pub max_profit: Money,
    /// The most one unit can lose.
    pub max_loss: Money,
    /// When it was first opened.
    pub opened: Timestamp,
    /// Why it is being closed, once it is.
    pub closing: Option<ExitReason>,
}

/// What a position is worth.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct MarkNote {
    /// The instrument marked.
    pub instrument: Instrument,
    /// Mid per share.
    pub mid: Price,
    /// When.
    pub at: Timestamp,
}
