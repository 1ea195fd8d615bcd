//! What the record adds up to: proposals, refusals by check, orders, fills, positions, settlements, cash and fees.

use crate::report::dollars;
use anyhow::Context;
use desk::letter::{Address, Letter};
use journal::export::{Filter, select};
use journal::summary::{Summary, summarise};
use journal::{Kind, LetterKind, Reader, RunEvent};
use market::order::{Account, Activity};
use market::{Label, Money, Symbol};
use portfolio::proposal::Purpose;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The page.
pub(super) fn text(reader: &Reader) -> anyhow::Result<String> {
    // Telemetry is most of the record and adds nothing here.
    let letters = vec![
        LetterKind::Run,
        LetterKind::Propose,
        LetterKind::Decided,
        LetterKind::Request,
        LetterKind::Report,
        LetterKind::Fill,
        LetterKind::Activity,
    ];
    let summary = summarise(reader, &Filter { letters, ..Filter::default() })
        .context("the record cannot be summed up")?;
    let venue = Venue::read(reader)?;
    let mut text = String::new();
    runs(&mut text, &summary, reader);
    proposals(&mut text, &summary);
    orders(&mut text, &summary);
    positions(&mut text, &summary);
    money(&mut text, &summary, &venue);
    if let Some((seq, why)) = summary.damaged.first() {
        let _ =
            writeln!(text, "\n{} damaged records left out, the first is {seq}: {why}", summary.damaged.len());
    }
    Ok(text)
}

/// What the venue told besides trading.
#[derive(Default)]
struct Venue {
    account: Option<Account>,
    settlements: BTreeMap<&'static str, u64>,
    fees: BTreeMap<Label, Money>,
    seen: BTreeSet<u64>,
}

impl Venue {
    fn read(reader: &Reader) -> anyhow::Result<Self> {
        let mut venue = Self::default();
        let letters = vec![LetterKind::Account, LetterKind::Activity];
        let filter = Filter { kind: Some(Kind::Heard), letters, ..Filter::default() };
        // Damaged records are told by the summary's own pass.
        let mut damaged = Vec::new();
        select(reader, &filter, &mut damaged, |record| {
            match record.envelope().map(|e| (&e.letter, e.to)) {
                Some((Letter::Account(account), Address::Risk)) => venue.account = Some(*account),
                Some((Letter::Activity(note), Address::Risk)) if venue.seen.insert(note.id) => {
                    venue.count(&note.activity)
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(venue)
    }

    fn count(&mut self, activity: &Activity) {
        let name = match activity {
            Activity::Expired { .. } => "expired",
            Activity::Assigned { .. } => "assigned",
            Activity::Exercised { .. } => "exercised",
            Activity::CashSettled { .. } => "settled in cash",
            Activity::Delivered { .. } => "deliveries of shares",
            Activity::Fee { kind, amount } => {
                *self.fees.entry(*kind).or_default() += *amount;
                return;
            }
            Activity::Cash { .. } => return,
        };
        *self.settlements.entry(name).or_default() += 1;
    }
}

fn runs(text: &mut String, summary: &Summary, reader: &Reader) {
    let count = |like: fn(&RunEvent) -> bool| summary.runs.iter().filter(|note| like(&note.event)).count();
    let begun = count(|e| matches!(e, RunEvent::Started));
    let dead = count(|e| matches!(e, RunEvent::FoundDead { .. }));
    let _ = writeln!(text, "Journal {}: {begun} runs, {dead} of them killed", reader.dir().display());
}

fn proposals(text: &mut String, summary: &Summary) {
    let is_open = |row: &&journal::summary::ProposalRow| matches!(row.proposal.purpose, Purpose::Open { .. });
    let (opening, closing): (Vec<_>, Vec<_>) = summary.proposals.iter().partition(is_open);
    for (name, rows) in [("to open", opening), ("to close", closing)] {
        let cleared = rows.iter().filter(|row| row.cleared_units.is_some_and(|units| units > 0)).count();
        let refused = rows.iter().filter(|row| row.cleared_units == Some(0)).count();
        let _ = writeln!(text, "proposals {name}: {} ({cleared} cleared, {refused} refused)", rows.len());
    }
    let mut by_check: BTreeMap<Label, u64> = BTreeMap::new();
    for row in &summary.refusals {
        *by_check.entry(row.check).or_default() += 1;
    }
    for (check, count) in by_check {
        let _ = writeln!(text, "  refused by {check}: {count}");
    }
}

fn orders(text: &mut String, summary: &Summary) {
    let replacements = summary.orders.iter().filter(|row| row.replaces.is_some()).count();
    let submitted = summary.orders.len() - replacements;
    let _ = writeln!(text, "orders: {submitted} submitted, {replacements} replacements");
    let mut by_state: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &summary.orders {
        let state = if row.state.starts_with("replaced") { "replaced" } else { row.state.as_str() };
        *by_state.entry(state).or_default() += 1;
    }
    for (state, count) in by_state {
        let _ = writeln!(text, "  {state}: {count}");
    }
    let units: u64 = summary.fills.iter().map(|row| u64::from(row.units)).sum();
    let cash: Money = summary.fills.iter().map(|row| row.cash).sum();
    let _ = writeln!(text, "fills: {} of {units} units, {} in cash", summary.fills.len(), signed(cash));
}

fn positions(text: &mut String, summary: &Summary) {
    let closed = summary.positions.values().filter(|row| row.closed).count();
    let open = summary.positions.len() - closed;
    let _ = writeln!(text, "positions: {open} open, {closed} closed");
    for (id, row) in &summary.positions {
        let state = if row.closed { "closed" } else { "open" };
        let _ = writeln!(text, "  {id} {} {state}: {} in cash", row.structure, signed(row.cash));
    }
}

fn money(text: &mut String, summary: &Summary, venue: &Venue) {
    let settled: u64 = venue.settlements.values().sum();
    let _ = writeln!(text, "settlements: {settled}");
    for (name, count) in &venue.settlements {
        let _ = writeln!(text, "  {name}: {count}");
    }
    let deliveries: &BTreeMap<Symbol, Money> = &summary.deliveries;
    for (symbol, cash) in deliveries {
        let _ = writeln!(text, "  shares of {symbol}: {} in cash", signed(*cash));
    }
    let _ = writeln!(text, "fees: {}", signed(summary.fees));
    for (kind, amount) in &venue.fees {
        let _ = writeln!(text, "  {kind}: {}", signed(*amount));
    }
    if summary.other_cash != Money::ZERO {
        let _ = writeln!(text, "other cash: {}", signed(summary.other_cash));
    }
    let _ = writeln!(text, "cash in all: {}", signed(summary.total_cash()));
    if let Some(account) = venue.account {
        let _ = writeln!(
            text,
            "account as last told: cash ${}, equity ${} at {}",
            dollars(account.cash),
            dollars(account.equity),
            super::words::new_york(account.at)
        );
    }
}

/// `+12.50 USD`: what came in is positive.
fn signed(amount: Money) -> String {
    let plus = if amount > Money::ZERO { "+" } else { "" };
    format!("{plus}{} USD", dollars(amount))
}
