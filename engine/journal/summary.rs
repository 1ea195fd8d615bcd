//! A fold over the journal for people: what was proposed, what was refused and why, orders, fills, and the cash that
//! each position brought. Each fact is taken from one kind of record only (who said it, or who heard it from
//! the venue), so nothing counts twice.

use crate::export::{Filter, select};
use crate::record::{Body, Kind, Record, RunEvent, RunNote};
use crate::{Fault, Reader};
use desk::{Address, Envelope, Letter};
use market::order::{Activity, Execution, Outcome, Pricing, Report, Request};
use market::{Contract, Instrument, Label, Money, OrderId, Symbol, Timestamp};
use portfolio::notes::FillNote;
use portfolio::proposal::{Proposal, ProposalId, Purpose};
use risk::{Decision, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A proposal and what became of it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ProposalRow {
    /// The proposal.
    pub proposal: Proposal,
    /// Units cleared: `None` while no decision is on record, 0 when refused.
    pub cleared_units: Option<u32>,
}

/// One check that refused a proposal.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct RefusalRow {
    /// The proposal.
    pub proposal: ProposalId,
    /// The check.
    pub check: Label,
    /// What it measured.
    pub measured: Money,
    /// What it allows.
    pub limit: Money,
}

/// An order and where it stands.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct OrderRow {
    /// Its id.
    pub id: OrderId,
    /// The underlying; empty for a replacement whose original is not on record.
    pub underlying: Symbol,
    /// Units ordered.
    pub units: u32,
    /// Limit or market.
    pub pricing: Pricing,
    /// The order it took the place of.
    pub replaces: Option<OrderId>,
    /// Where it stands: `sent`, `working`, `filled`, `rejected (why)`.
    pub state: String,
    /// Units filled.
    pub filled_units: u32,
    /// When it was sent.
    pub at: Timestamp,
}

/// One execution.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct FillRow {
    /// The proposal behind it.
    pub proposal: ProposalId,
    /// The order.
    pub order: OrderId,
    /// Units filled.
    pub units: u32,
    /// Signed cash it brought (negative: paid).
    pub cash: Money,
    /// When.
    pub at: Timestamp,
}

/// What a position brought in cash; once it is closed that is its profit or loss before fees.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct PositionRow {
    /// The structure's name; empty when the proposal is not on record.
    pub structure: Label,
    /// Signed cash of all its fills and settlements.
    pub cash: Money,
    /// True when nothing of it is left.
    pub closed: bool,
    #[serde(skip)]
    open: BTreeMap<Instrument, i64>,
}

/// The whole fold.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Summary {
    /// Runs, as they began and ended.
    pub runs: Vec<RunNote>,
    /// Proposals in the order they were made.
    pub proposals: Vec<ProposalRow>,
    /// Refusing checks in the order they spoke.
    pub refusals: Vec<RefusalRow>,
    /// Orders in the order they were sent.
    pub orders: Vec<OrderRow>,
    /// Fills in the order they came.
    pub fills: Vec<FillRow>,
    /// Positions by the proposal that opened them.
    pub positions: BTreeMap<ProposalId, PositionRow>,
    /// Signed cash of shares delivered by exercise and assignment, by symbol.
    pub deliveries: BTreeMap<Symbol, Money>,
    /// Signed fees.
    pub fees: Money,
    /// Dividends, interest, transfers.
    pub other_cash: Money,
    /// Records that do not read: number and reason.
    pub damaged: Vec<(u64, String)>,
    #[serde(skip)]
    seen_fills: BTreeSet<(OrderId, u64)>,
    #[serde(skip)]
    seen_activities: BTreeSet<u64>,
    #[serde(skip)]
    closes: BTreeMap<ProposalId, ProposalId>,
}

/// Folds what the filter lets through.
pub fn summarise(reader: &Reader, filter: &Filter) -> Result<Summary, Fault> {
    let (mut summary, mut damaged) = (Summary::default(), Vec::new());
    select(reader, filter, &mut damaged, |record| {
        summary.add(record);
        Ok(())
    })?;
    summary.damaged = damaged;
    Ok(summary)
}

impl Summary {
    /// Adds one record.
    pub fn add(&mut self, record: &Record) {
        match &record.body {
            Body::Run(note) => self.runs.push(note.clone()),
            Body::Letter(envelope) if record.kind == Kind::Said => self.add_said(envelope),
            Body::Letter(envelope) => self.add_heard(envelope),
        }
    }

    /// Everything that changed cash: fills, settlements, deliveries, fees and the rest.
    pub fn total_cash(&self) -> Money {
        let positions: Money = self.positions.values().map(|row| row.cash).sum();
        let deliveries: Money = self.deliveries.values().copied().sum();
        positions + deliveries + self.fees + self.other_cash
    }

    fn add_said(&mut self, envelope: &Envelope) {
        match &envelope.letter {
            Letter::Propose(proposal) => self.proposed(proposal),
            Letter::Decided(decision) => self.decided(decision),
            Letter::Request(request) => self.requested(request, envelope.at),
            Letter::Fill(fill) => self.filled(fill),
            _ => {}
        }
    }

    fn add_heard(&mut self, envelope: &Envelope) {
        match (&envelope.letter, envelope.to) {
            (Letter::Report(report), Address::Execution) => self.reported(report),
            (Letter::Activity(note), Address::Risk) if self.seen_activities.insert(note.id) => {
                self.happened(note.activity);
            }
            _ => {}
        }
    }

    fn proposed(&mut self, proposal: &Proposal) {
        if let Purpose::Close { position, .. } = proposal.purpose {
            self.closes.insert(proposal.id, position);
        }
        self.proposals.push(ProposalRow { proposal: proposal.clone(), cleared_units: None });
    }

    fn decided(&mut self, decision: &Decision) {
        let rows = self.proposals.iter_mut().rev();
        if let Some(row) = rows.into_iter().find(|row| row.proposal.id == decision.proposal) {
            // The same decision goes to the record and to the symbol's seat.
            if row.cleared_units.replace(decision.units).is_some() {
                return;
            }
        }
        for check in decision.checks.iter().filter(|check| check.verdict == Verdict::Refuse) {
            self.refusals.push(RefusalRow {
                proposal: decision.proposal,
                check: check.check,
                measured: check.measured,
                limit: check.limit,
            });
        }
    }

    fn requested(&mut self, request: &Request, at: Timestamp) {
        let row = match request {
            Request::Submit(ticket) => OrderRow {
                id: ticket.id,
                underlying: ticket.underlying,
                units: ticket.units,
                pricing: ticket.pricing,
                replaces: None,
                state: "sent".into(),
                filled_units: 0,
                at,
            },
            Request::Replace { id, new_id, limit } => {
                let old = self.orders.iter().rev().find(|row| row.id == *id);
                OrderRow {
                    id: *new_id,
                    underlying: old.map_or(Symbol::EMPTY, |row| row.underlying),
                    units: old.map_or(0, |row| row.units),
                    pricing: Pricing::Limit(*limit),
                    replaces: Some(*id),
                    state: "sent".into(),
                    filled_units: 0,
                    at,
                }
            }
            Request::Cancel { .. } | Request::LookUp { .. } => return,
        };
        self.orders.push(row);
    }

    fn reported(&mut self, report: &Report) {
        let Some(row) = self.orders.iter_mut().rev().find(|row| row.id == report.id) else { return };
        if let Outcome::Filled(execution) = &report.outcome {
            row.filled_units = row.filled_units.max(execution.units_so_far);
        }
        if let Some(state) = state_name(&report.outcome, row.filled_units >= row.units) {
            row.state = state;
        }
    }

    fn filled(&mut self, fill: &FillNote) {
        if !self.seen_fills.insert((fill.order, fill.execution.id)) {
            return;
        }
        let cash = cash_of(&fill.execution);
        let (proposal, order, at) = (fill.proposal, fill.order, fill.at);
        self.fills.push(FillRow { proposal, order, units: fill.execution.units, cash, at });
        let id = self.closes.get(&proposal).copied().unwrap_or(proposal);
        let structure = self.structure_of(id);
        let row = self.positions.entry(id).or_default();
        row.structure = structure;
        row.cash += cash;
        for leg in &fill.execution.legs {
            *row.open.entry(leg.instrument).or_default() += leg.quantity;
        }
        row.closed = row.open.values().all(|quantity| *quantity == 0);
    }

    fn structure_of(&self, id: ProposalId) -> Label {
        let row = self.proposals.iter().rev().find(|row| row.proposal.id == id);
        match row.map(|row| row.proposal.purpose) {
            Some(Purpose::Open { structure }) => structure,
            _ => Label::EMPTY,
        }
    }

    fn happened(&mut self, activity: Activity) {
        match activity {
            Activity::Expired { contract, quantity }
            | Activity::Assigned { contract, quantity }
            | Activity::Exercised { contract, quantity } => self.settled(contract, quantity, Money::ZERO),
            Activity::CashSettled { contract, quantity, amount } => self.settled(contract, quantity, amount),
            Activity::Delivered { symbol, shares, price } => {
                *self.deliveries.entry(symbol).or_default() += -price.times(shares);
            }
            Activity::Fee { amount, .. } => self.fees += amount,
            Activity::Cash { amount, .. } => self.other_cash += amount,
        }
    }

    /// Takes a change of a contract from the positions that hold it, oldest id first.
    fn settled(&mut self, contract: Contract, mut change: i64, amount: Money) {
        let mut amount = Some(amount);
        for row in self.positions.values_mut() {
            let Some(open) = row.open.get_mut(&Instrument::Option(contract)) else { continue };
            if change == 0 || open.signum() != -change.signum() {
                continue;
            }
            let taken = change.abs().min(open.abs()) * change.signum();
            *open += taken;
            change -= taken;
            row.cash += amount.take().unwrap_or_default();
            row.closed = row.open.values().all(|quantity| *quantity == 0);
        }
        self.other_cash += amount.unwrap_or_default();
    }
}

/// Signed cash of an execution: what is bought is paid.
fn cash_of(execution: &Execution) -> Money {
    let legs = execution.legs.iter();
    legs.map(|leg| -leg.price.times(leg.quantity * leg.instrument.multiplier())).sum()
}

/// The state an order is in after a report; `None` when the report does not change it.
fn state_name(outcome: &Outcome, complete: bool) -> Option<String> {
    let name = match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Working => "working",
        Outcome::Filled(_) if complete => "filled",
        Outcome::Filled(_) => "partly filled",
        Outcome::Canceled => "canceled",
        Outcome::Expired => "expired",
        Outcome::Rejected { reason, .. } => return Some(format!("rejected ({reason})")),
        Outcome::Replaced { by } => return Some(format!("replaced by {by}")),
        Outcome::NotFound => "unknown to the venue",
        Outcome::Unknown | Outcome::ReplaceRejected { .. } | Outcome::CancelRejected { .. } => return None,
    };
    Some(name.into())
}

impl fmt::Display for Summary {
    /// A page for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begun = self.runs.iter().filter(|note| note.event == RunEvent::Started).count();
        let (proposals, orders) = (self.proposals.len(), self.orders.len());
        writeln!(f, "runs {begun}, proposals {proposals}, orders {orders}, fills {}", self.fills.len())?;
        let mut refusing: BTreeMap<Label, usize> = BTreeMap::new();
        for row in &self.refusals {
            *refusing.entry(row.check).or_default() += 1;
        }
        for (check, count) in refusing {
            writeln!(f, "  refused by {check}: {count}")?;
        }
        for row in &self.orders {
            let (id, symbol, units) = (row.id, row.underlying, row.units);
            writeln!(f, "  order {id} {symbol} {}/{units} units: {}", row.filled_units, row.state)?;
        }
        for (id, row) in &self.positions {
            let state = if row.closed { "closed" } else { "open" };
            writeln!(f, "  position {id} {} {state}: {} USD", row.structure, row.cash)?;
        }
        for (symbol, cash) in &self.deliveries {
            writeln!(f, "  shares of {symbol} delivered: {cash} USD")?;
        }
        writeln!(f, "fees {} USD, cash in all {} USD", self.fees, self.total_cash())?;
        if !self.damaged.is_empty() {
            writeln!(
                f,
                "{} damaged records skipped, the first is {}",
                self.damaged.len(),
                self.damaged[0].0
            )?;
        }
        Ok(())
    }
}
