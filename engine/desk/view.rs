//! The read model: folds letters into what people read, in the terminal now and on the dashboard later. It
//! counts and remembers; it decides nothing, and nothing that decides reads it.

use crate::letter::{Address, Envelope, Letter};
use forecast::Scored;
use forecast::notes::{Drift, DriftNote};
use forecast::shelf::notes::{ShelfLetter, ShelfNote, Step};
use market::alert::{AlertNote, Severity};
use market::feed::FeedState;
use market::order::{Activity, Outcome, Request};
use market::quote::{MarketEvent, Timeframe};
use market::{Label, Money, Price, Symbol, Timestamp};
use portfolio::notes::{FillNote, PositionNote};
use portfolio::proposal::{ProposalId, Purpose};
use risk::Verdict;
use std::collections::BTreeMap;

/// How many of the latest notable events are kept.
const NOTABLE_MAX: usize = 200;

/// Counts of everything that passed by.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Counts {
    /// Quotes heard by symbol seats.
    pub quotes: u64,
    /// Trades heard by symbol seats.
    pub trades: u64,
    /// Bars heard (history and repairs).
    pub bars: u64,
    /// Forecasts put on record.
    pub forecasts: u64,
    /// Predictions of models and ensembles whose outcome is known.
    pub scored: u64,
    /// Those whose likeliest class was right.
    pub right: u64,
    /// Times features or scores of a model were found to have drifted.
    pub drifts: u64,
    /// Proposals to open.
    pub proposals: u64,
    /// Proposals to close.
    pub exits: u64,
    /// Proposals refused.
    pub refused: u64,
    /// Orders submitted.
    pub orders: u64,
    /// Replacements sent.
    pub replaced: u64,
    /// Executions.
    pub fills: u64,
    /// Orders the venue refused.
    pub rejected: u64,
    /// Expiries, exercises and assignments.
    pub settled: u64,
    /// Times a feed was lost or mute.
    pub feed_losses: u64,
}

/// One line worth showing.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Notable {
    /// The engine's time.
    pub at: Timestamp,
    /// What happened, in words.
    pub text: String,
    /// How much it matters.
    pub severity: Severity,
}

/// The read model.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// What passed by.
    pub counts: Counts,
    /// Refusals by the first check that refused.
    pub refusals: BTreeMap<Label, u64>,
    /// Open positions.
    pub positions: BTreeMap<ProposalId, PositionNote>,
    /// Orders being worked: what was cleared and has not ended, and whether it opens a position.
    pub working: BTreeMap<ProposalId, bool>,
    /// Fees charged so far (positive: paid).
    pub fees: Money,
    /// The account as the venue last told.
    pub account: Option<market::order::Account>,
    /// The last price of each underlying's latest forecast.
    pub spots: BTreeMap<Symbol, Price>,
    /// The newest engine time heard.
    pub now: Timestamp,
    /// Brier scores, summed.
    losses: f64,
    models: std::collections::BTreeSet<(Timeframe, Label, u64)>,
    activities: std::collections::BTreeSet<u64>,
    notable: std::collections::VecDeque<Notable>,
    told: u64,
}

impl View {
    /// The mean Brier score of the predictions whose outcome is known; `None` before the first.
    pub fn brier(&self) -> Option<f64> {
        (self.counts.scored > 0).then(|| self.losses / self.counts.scored as f64)
    }

    /// Folds one letter in. Each letter is folded once, where it is heard (or, when nobody of ours hears it,
    /// where it is said).
    pub fn fold(&mut self, envelope: &Envelope) {
        self.now = self.now.max(envelope.at);
        let at = envelope.at;
        match &envelope.letter {
            Letter::Market(event) => self.count_market(event),
            Letter::Forecast(note) => {
                self.counts.forecasts += 1;
                self.spots.insert(note.symbol, note.spot);
            }
            Letter::Scored(scored) => self.fold_scored(envelope.to, scored),
            Letter::Drift(note) => self.fold_drift(at, note),
            Letter::Propose(proposal) => self.fold_proposal(at, proposal),
            Letter::Decided(decision) => self.fold_decision(at, decision),
            Letter::Request(request) => self.fold_request(at, request),
            Letter::Report(report) => {
                if let Outcome::Rejected { code, reason } = &report.outcome {
                    self.counts.rejected += 1;
                    self.tell(
                        at,
                        Severity::Warning,
                        format!("venue refused {} ({code}): {reason}", report.id),
                    );
                }
            }
            Letter::Cleared(cleared) => {
                let proposal = cleared.proposal();
                self.working.insert(proposal.id, matches!(proposal.purpose, Purpose::Open { .. }));
            }
            Letter::Done(note) => {
                self.working.remove(&note.proposal);
            }
            Letter::Fill(note) => self.fold_fill(at, note),
            Letter::Position(note) => {
                if note.units == 0 {
                    self.positions.remove(&note.id);
                } else {
                    self.positions.insert(note.id, note.clone());
                }
            }
            Letter::Activity(note) if self.activities.insert(note.id) => {
                self.fold_activity(at, &note.activity)
            }
            Letter::Account(account) => self.account = Some(*account),
            // Feeds, commands and models are told to many seats: shown once.
            Letter::Feed(note) if envelope.to == Address::Risk => {
                let severity = match note.state {
                    FeedState::Down | FeedState::Mute => {
                        self.counts.feed_losses += 1;
                        Severity::Warning
                    }
                    FeedState::Up | FeedState::Repaired => Severity::Info,
                };
                self.tell(at, severity, format!("feed    {:?} is {:?}", note.feed, note.state));
            }
            Letter::Model(note) if self.models.insert((note.timeframe, note.version, note.digest)) => {
                self.tell(
                    at,
                    Severity::Info,
                    format!("model   {} {} for {}", note.name, note.version, note.timeframe),
                );
            }
            Letter::Shelf(ShelfLetter::Step(note)) => self.fold_step(at, note),
            Letter::Command(command) if envelope.to == Address::Risk => {
                self.tell(at, Severity::Warning, format!("command {command:?}"))
            }
            Letter::Alert(note) => self.fold_alert(note),
            _ => {}
        }
    }

    /// Notable events since `seen` (0 at first), and the count to ask with next time.
    pub fn notable_since(&self, seen: u64) -> (impl Iterator<Item = &Notable>, u64) {
        let fresh = (self.told - seen).min(self.notable.len() as u64) as usize;
        (self.notable.iter().skip(self.notable.len() - fresh), self.told)
    }

    fn count_market(&mut self, event: &MarketEvent) {
        match event {
            MarketEvent::Quote(..) => self.counts.quotes += 1,
            MarketEvent::Trade(..) => self.counts.trades += 1,
            MarketEvent::Bar { .. } => self.counts.bars += 1,
            _ => {}
        }
    }

    /// What a seat is told again at a start was counted when it was new.
    fn fold_scored(&mut self, to: Address, scored: &Scored) {
        if !matches!(to, Address::Shelf | Address::Record) {
            return;
        }
        self.counts.scored += 1;
        self.counts.right += u64::from(scored.is_right());
        self.losses += scored.brier();
    }

    fn fold_drift(&mut self, at: Timestamp, note: &DriftNote) {
        self.counts.drifts += 1;
        let what = match note.drift {
            Drift::Features { feature, moved, .. } => format!("{moved} features moved, most {feature}"),
            Drift::Loss { before, since } => format!("Brier rose from {before:.2} to {since:.2}"),
        };
        let text = format!("{} {} on {}: {what}", note.model.name, note.model.version, note.symbol);
        self.tell(at, Severity::Warning, text);
    }

    fn fold_proposal(&mut self, at: Timestamp, proposal: &portfolio::Proposal) {
        match proposal.purpose {
            Purpose::Open { structure } => {
                self.counts.proposals += 1;
                self.tell(
                    at,
                    Severity::Info,
                    format!(
                        "propose {} {structure} {} x{} mid {}",
                        proposal.id, proposal.underlying, proposal.units, proposal.mid
                    ),
                );
            }
            Purpose::Close { position, reason } => {
                self.counts.exits += 1;
                self.tell(
                    at,
                    Severity::Info,
                    format!("exit    {position} for {reason:?} mid {}", proposal.mid),
                );
            }
        }
    }

    fn fold_decision(&mut self, at: Timestamp, decision: &risk::Decision) {
        if decision.units > 0 {
            return;
        }
        self.counts.refused += 1;
        let Some(row) = decision.checks.iter().find(|row| row.verdict == Verdict::Refuse) else { return };
        *self.refusals.entry(row.check).or_default() += 1;
        self.tell(
            at,
            Severity::Info,
            format!(
                "refused {} by {}: {} against a limit of {}",
                decision.proposal, row.check, row.measured, row.limit
            ),
        );
    }

    fn fold_request(&mut self, at: Timestamp, request: &Request) {
        match request {
            Request::Submit(ticket) => {
                self.counts.orders += 1;
                self.tell(
                    at,
                    Severity::Info,
                    format!("order   {} x{} {:?}", ticket.id, ticket.units, ticket.pricing),
                );
            }
            Request::Replace { .. } => self.counts.replaced += 1,
            Request::Cancel { .. } | Request::LookUp { .. } => {}
        }
    }

    fn fold_fill(&mut self, at: Timestamp, note: &FillNote) {
        self.counts.fills += 1;
        let legs = note.execution.legs.iter();
        let legs: Vec<String> =
            legs.map(|l| format!("{:+} {} @ {}", l.quantity, l.instrument, l.price)).collect();
        self.tell(at, Severity::Info, format!("fill    {} {}", note.order, legs.join(", ")));
    }

    fn fold_activity(&mut self, at: Timestamp, activity: &Activity) {
        match activity {
            Activity::Fee { amount, .. } => self.fees -= *amount,
            Activity::Cash { .. } => {}
            other => {
                self.counts.settled += 1;
                self.tell(at, Severity::Info, format!("settle  {other:?}"));
            }
        }
    }

    fn fold_step(&mut self, at: Timestamp, note: &ShelfNote) {
        let severity = match note.step {
            Step::RolledBack | Step::Fell | Step::Gone => Severity::Warning,
            _ => Severity::Info,
        };
        self.tell(at, severity, format!("shelf   {note}"));
    }

    fn fold_alert(&mut self, note: &AlertNote) {
        self.tell(note.at, note.severity, format!("alert   {}: {}", note.what, note.detail));
    }

    fn tell(&mut self, at: Timestamp, severity: Severity, text: String) {
        if self.notable.len() == NOTABLE_MAX {
            self.notable.pop_front();
        }
        self.notable.push_back(Notable { at, text, severity });
        self.told += 1;
    }
}
