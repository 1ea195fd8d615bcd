//! A proposal is a wished change of the book: concrete legs, worst case, and why. Strategies make them, risk
//! judges them, execution works what risk cleared.

use market::order::Legs;
use market::{Label, Money, Price, Symbol, Timestamp};

/// Identifies a proposal, and with it the position it opens: `w3.SPY.17` (run, symbol, count).
pub type ProposalId = Label;

/// What the proposal is for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub enum Purpose {
    /// Opens a new position.
    Open {
        /// The structure's name: `bull_put_spread`.
        structure: Label,
    },
    /// Closes an open position, wholly.
    Close {
        /// The proposal that opened it.
        position: ProposalId,
        /// Why.
        reason: ExitReason,
    },
}

/// Why a position is closed.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ExitReason {
    /// The profit target was reached.
    ProfitTarget,
    /// The loss limit was reached.
    StopLoss,
    /// Too few days to expiry are left.
    DaysToExpiry,
    /// The forecast turned against it.
    SignalReversal,
    /// The operator asked.
    Operator,
    /// What is left after an assignment or a broken spread is cleared away.
    CleanUp,
}

/// A wished change of the book.
#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize)]
pub struct Proposal {
    /// Its id.
    pub id: ProposalId,
    /// The underlying all legs belong to.
    pub underlying: Symbol,
    /// What it is for.
    pub purpose: Purpose,
    /// The legs of one unit.
    pub legs: Legs,
    /// Units wished; risk may grant fewer when opening.
    pub units: u32,
    /// Signed net of one unit per share with every leg at its mid (positive pays).
    pub mid: Price,
    /// Signed net of one unit per share at the far side of every leg: the worst fill worth asking for.
    pub natural: Price,
    /// The most one unit can lose from a fill at `natural`, without fees; zero when closing.
    pub max_loss: Money,
    /// The most one unit can gain from a fill at `mid`, without fees; zero when closing.
    pub max_profit: Money,
    /// What exchange and broker rules ask for one unit before any credit is applied; zero when closing.
    pub margin: Money,
    /// Probability, 0-1, of the forecast's favoured side; 0 when no forecast spoke.
    pub confidence: f32,
    /// Price of the underlying when it was made.
    pub spot: Price,
    /// When it was made.
    pub at: Timestamp,
}
