//! Orders that were cleared and are not done: what they may still add to the book counts as if it were there.

use market::order::{Leg, Legs};
use market::{Instrument, Money, Symbol, Timestamp};
use portfolio::proposal::ProposalId;
use portfolio::{Proposal, Purpose};
use std::collections::BTreeMap;

/// One cleared order.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// What was cleared.
    pub proposal: Proposal,
    /// Units filled so far.
    pub filled: u32,
    /// When it was cleared.
    pub cleared: Timestamp,
}

impl Order {
    /// Units that may still fill.
    pub fn remaining(&self) -> u32 {
        self.proposal.units.saturating_sub(self.filled)
    }
    /// True when it opens a trade.
    pub fn opens(&self) -> bool {
        matches!(self.proposal.purpose, Purpose::Open { .. })
    }
    /// The most its unfilled part may lose.
    pub fn max_loss(&self) -> Money {
        self.proposal.max_loss.saturating_mul(i64::from(self.remaining()))
    }
    /// What its unfilled part asks of the buying power.
    pub fn requirement(&self) -> Money {
        requirement(&self.proposal, self.remaining())
    }
}

/// Margin less credit (or plus debit) at the worst price asked for.
pub fn requirement(proposal: &Proposal, units: u32) -> Money {
    let paid = proposal.natural.times(multiplier(&proposal.legs));
    proposal.margin.saturating_add(paid).saturating_mul(i64::from(units))
}

/// Dollars per dollar of net price of one unit.
pub fn multiplier(legs: &Legs) -> i64 {
    legs.first().map_or(1, |leg| leg.instrument.multiplier())
}

/// All cleared orders that are not done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pending {
    orders: BTreeMap<ProposalId, Order>,
}

impl Pending {
    /// An order was cleared.
    pub fn add(&mut self, proposal: &Proposal, now: Timestamp) {
        self.orders.insert(proposal.id, Order { proposal: proposal.clone(), filled: 0, cleared: now });
    }
    /// Some of it filled.
    pub fn fill(&mut self, id: &ProposalId, units: u32) {
        if let Some(order) = self.orders.get_mut(id) {
            order.filled = order.filled.saturating_add(units);
        }
    }
    /// It is done.
    pub fn remove(&mut self, id: &ProposalId) -> Option<Order> {
        self.orders.remove(id)
    }
    /// True while the order of that proposal is not done.
    pub fn holds(&self, id: &ProposalId) -> bool {
        self.orders.contains_key(id)
    }
    /// Orders that open.
    pub fn openings(&self) -> impl Iterator<Item = &Order> {
        self.orders.values().filter(|order| order.opens())
    }
    /// The orders that open, close or clean up a trade.
    pub fn of_trade<'a>(&'a self, trade: &'a ProposalId) -> impl Iterator<Item = &'a Order> {
        self.orders.values().filter(move |order| match order.proposal.purpose {
            Purpose::Open { .. } => order.proposal.id == *trade,
            Purpose::Close { position, .. } => position == *trade,
        })
    }
    /// True when an order trades the instrument on the other side: the broker calls that a wash trade.
    pub fn crosses(&self, leg: &Leg) -> bool {
        let legs = self.orders.values().flat_map(|order| &order.proposal.legs);
        legs.into_iter().any(|other| other.instrument == leg.instrument && other.side != leg.side)
    }
    /// Signed quantity that orders closing `trade` will still take of an instrument.
    pub fn closing(&self, trade: &ProposalId, instrument: &Instrument) -> i64 {
        let of_order = |order: &Order| -> i64 {
            let legs = order.proposal.legs.iter().filter(|leg| leg.instrument == *instrument);
            legs.map(|leg| leg.signed_ratio() * i64::from(order.remaining())).sum()
        };
        self.of_trade(trade).filter(|order| !order.opens()).map(of_order).sum()
    }
    /// New trades of an underlying that are on their way and hold nothing yet.
    pub fn unopened<'a>(&'a self, of: Option<&'a Symbol>) -> impl Iterator<Item = &'a Order> {
        self.openings().filter(move |o| o.filled == 0 && of.is_none_or(|of| *of == o.proposal.underlying))
    }
}
