//! What risk answers: a decision with the result of every check, and, when all pass, the permit that
//! execution asks for. The permit's field is private, so nothing outside this room can make one.

use arrayvec::ArrayVec;
use market::{Label, Money};
use portfolio::Proposal;
use portfolio::proposal::ProposalId;

/// Most checks a decision can list.
pub const CHECKS_MAX: usize = 16;

/// What a check said.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As wished.
    Pass,
    /// Allowed with fewer units.
    Shrink {
        /// Units allowed.
        units: u32,
    },
    /// Not allowed.
    Refuse,
    /// Does not apply, as limits on new risk do not to a closing order.
    Skip,
}

/// One row of the table of checks, as it went.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct CheckResult {
    /// The check's name: `max_loss_per_trade`.
    pub check: Label,
    /// What it said.
    pub verdict: Verdict,
    /// What it measured, in dollars.
    pub measured: Money,
    /// What it allows, in dollars.
    pub limit: Money,
}

/// The whole answer to a proposal, recorded whether it passed or not.
#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize)]
pub struct Decision {
    /// The proposal judged.
    pub proposal: ProposalId,
    /// Units cleared; 0 when refused.
    pub units: u32,
    /// Every check in the table's order.
    pub checks: ArrayVec<CheckResult, CHECKS_MAX>,
}

impl Decision {
    /// The answer to a proposal that the journal had no room for: nothing unrecorded is judged.
    pub fn unrecorded(proposal: ProposalId) -> Self {
        let row = CheckResult {
            check: Label::literal("recorded"),
            verdict: Verdict::Refuse,
            measured: Money::ZERO,
            limit: Money::ZERO,
        };
        Self { proposal, units: 0, checks: ArrayVec::from_iter([row]) }
    }
}

/// A proposal that passed every check, with the units that may be traded.
#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize)]
pub struct Cleared {
    proposal: Proposal,
}

impl Cleared {
    /// The one maker: called after the last check passed. `proposal.units` are the units cleared.
    pub(crate) fn new(proposal: Proposal) -> Self {
        Self { proposal }
    }

    /// What may be traded.
    pub fn proposal(&self) -> &Proposal {
        &self.proposal
    }
}
