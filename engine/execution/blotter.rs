//! The blotter: every order being worked, found by its ids. It turns what risk cleared into requests, and what
//! the venue reports into fills and endings.

use crate::order::{Acting, Order};
use crate::settings::Settings;
use market::alert::{AlertNote, Severity};
use market::feed::{FeedName, FeedNote, FeedState};
use market::order::{Outcome, Report, Request};
use market::{OrderId, RunId, Timestamp};
use portfolio::notes::{DoneNote, Ending, FillNote};
use portfolio::proposal::{ProposalId, Purpose};
use risk::{Cleared, HaltNote};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Finished orders kept, so that a late report still finds its order.
pub const DONE_KEPT: usize = 1_000;
/// Ended orders looked up again when the connection comes back.
const RECENT: usize = 32;
/// Unknown ids remembered, so that each is told of once.
const UNKNOWN_KEPT: usize = 256;

/// What execution says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// To the venue; on record before it leaves.
    Request(Request),
    /// To risk: what an order did to the book.
    Fill(FillNote),
    /// To risk and the symbol's seat: an order's life ended.
    Done(DoneNote),
    /// To the operator.
    Alert(AlertNote),
}

/// Every order being worked.
#[derive(Clone, Debug, PartialEq)]
pub struct Blotter {
    settings: Settings,
    run: RunId,
    orders: BTreeMap<ProposalId, Order>,
    ids: BTreeMap<OrderId, ProposalId>,
    live: BTreeSet<ProposalId>,
    done: VecDeque<ProposalId>,
    /// Ids nobody knows, with when they were last taken back.
    unknown: VecDeque<(OrderId, Option<Timestamp>)>,
    linked: bool,
    /// Market feeds that are lost: stocks, options.
    blind: [bool; 2],
}

impl Blotter {
    /// No orders yet. `run` is this start of the engine: by it an order of ours that is not on record is told from
    /// anybody else's.
    pub fn new(settings: Settings, run: impl Into<RunId>) -> Self {
        Self {
            settings,
            run: run.into(),
            orders: BTreeMap::new(),
            ids: BTreeMap::new(),
            live: BTreeSet::new(),
            done: VecDeque::new(),
            unknown: VecDeque::new(),
            linked: true,
            blind: [false; 2],
        }
    }

    /// Orders being worked, and the last finished ones.
    pub fn orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.values()
    }
    /// The order of a proposal.
    pub fn order(&self, id: &ProposalId) -> Option<&Order> {
        self.orders.get(id)
    }
    /// How many are being worked.
    pub fn working(&self) -> usize {
        self.live.len()
    }

    /// Risk cleared a proposal: it becomes one order, once.
    pub fn on_cleared(&mut self, now: Timestamp, cleared: &Cleared, out: &mut Vec<Said>) {
        let proposal = cleared.proposal();
        let mut act = Acting { now, settings: &self.settings, linked: self.linked, out };
        if let Some(order) = self.orders.get(&proposal.id) {
            act.alert(Severity::Critical, "cleared_twice", format_args!("{}", proposal.id));
            // The end of a live order is told when it comes; an ended one must not leave risk waiting.
            if order.is_done() {
                act.out.push(Said::Done(DoneNote::unsent(proposal, now)));
            }
            return;
        }
        if self.blind.contains(&true) && matches!(proposal.purpose, Purpose::Open { .. }) {
            // The word that a feed is lost came here before this clearance did.
            act.alert(Severity::Warning, "not_sent", format_args!("{}: a feed is lost", proposal.id));
            act.out.push(Said::Done(DoneNote::unsent(proposal, now)));
            return;
        }
        let order = Order::begin(proposal, &mut act);
        self.orders.insert(proposal.id, order);
        self.live.insert(proposal.id);
        self.file(proposal.id);
    }

    /// The venue reports.
    pub fn on_report(&mut self, now: Timestamp, report: &Report, out: &mut Vec<Said>) {
        match self.ids.get(&report.id).copied() {
            Some(proposal) => self.act_on(proposal, now, out, |order, act| order.on_report(report, act)),
            None => self.unknown(now, report, out),
        }
    }

    /// Risk takes orders back.
    pub fn on_halt(&mut self, now: Timestamp, note: HaltNote, out: &mut Vec<Said>) {
        for id in self.live_ids() {
            self.act_on(id, now, out, |order, act| {
                if note == HaltNote::Everything || order.opens() {
                    order.cancel(Ending::Canceled, act);
                }
            });
        }
    }

    /// A connection's state changed. Without order reports nothing new is sent; when they are back every order
    /// is looked up. Without quotes no order may open.
    pub fn on_feed(&mut self, now: Timestamp, note: &FeedNote, out: &mut Vec<Said>) {
        let lost = match note.state {
            FeedState::Down | FeedState::Mute => true,
            FeedState::Up => false,
            FeedState::Repaired => return,
        };
        match note.feed {
            FeedName::Orders => {
                self.linked = !lost;
                if !lost {
                    self.relink(now, out);
                }
            }
            FeedName::Stocks | FeedName::Options => {
                self.blind[usize::from(note.feed == FeedName::Options)] = lost;
                if lost {
                    self.on_halt(now, HaltNote::Opening, out);
                }
            }
            // What cannot be recorded is not sent; risk refuses what would open.
            FeedName::Journal => {}
        }
    }

    /// After a restart, with everything heard before it heard again: asks about every order not known to be
    /// finished. Nothing is submitted a second time.
    pub fn resume(&mut self, now: Timestamp, out: &mut Vec<Said>) {
        self.each(now, out, |order, act| order.resumed(act));
    }

    /// When to be woken.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.live.iter().filter_map(|id| self.orders.get(id)?.deadline()).min()
    }

    /// A deadline came.
    pub fn wake(&mut self, now: Timestamp, out: &mut Vec<Said>) {
        self.each(now, out, |order, act| {
            if order.deadline().is_some_and(|at| at <= act.now) {
                order.wake(act);
            }
        });
    }

    /// Reports were missed: of orders being worked, and perhaps of those that ended a moment ago.
    fn relink(&mut self, now: Timestamp, out: &mut Vec<Said>) {
        let recent: Vec<ProposalId> = self.done.iter().rev().take(RECENT).copied().collect();
        self.each(now, out, |order, act| order.relinked(act));
        for id in recent {
            self.act_on(id, now, out, |order, act| order.relinked(act));
        }
    }

    fn live_ids(&self) -> Vec<ProposalId> {
        self.live.iter().copied().collect()
    }

    fn each(&mut self, now: Timestamp, out: &mut Vec<Said>, does: impl Fn(&mut Order, &mut Acting<'_>)) {
        for id in self.live_ids() {
            self.act_on(id, now, out, &does);
        }
    }

    fn act_on(
        &mut self,
        id: ProposalId,
        now: Timestamp,
        out: &mut Vec<Said>,
        does: impl FnOnce(&mut Order, &mut Acting<'_>),
    ) {
        let Some(order) = self.orders.get_mut(&id) else { return };
        does(order, &mut Acting { now, settings: &self.settings, linked: self.linked, out });
        self.file(id);
    }

    /// Finds the order by its newest ids, and lets the oldest finished ones go.
    fn file(&mut self, id: ProposalId) {
        let Some(order) = self.orders.get(&id) else { return };
        for attempt in order.attempts().iter().rev() {
            if self.ids.insert(attempt.id, id).is_some() {
                break;
            }
        }
        if order.is_done() && self.live.remove(&id) {
            self.done.push_back(id);
        } else if !order.is_done() && self.live.insert(id) {
            self.done.retain(|done| *done != id); // It came back to life.
        }
        if self.done.len() > DONE_KEPT
            && let Some(oldest) = self.done.pop_front()
            && let Some(order) = self.orders.remove(&oldest)
        {
            order.attempts().iter().for_each(|a| {
                self.ids.remove(&a.id);
            });
        }
    }

    /// An order nobody here knows: told once. One of our own that works (its record was lost with a torn ring or a
    /// power cut) is taken back, again whenever it turns up after the time a cancel may take.
    fn unknown(&mut self, now: Timestamp, report: &Report, out: &mut Vec<Said>) {
        let lives = matches!(report.outcome, Outcome::Accepted | Outcome::Working);
        let is_ours = self.run.owns(&report.id);
        let known = self.unknown.iter_mut().find(|(id, _)| *id == report.id);
        let taken_back = known.as_ref().and_then(|(_, at)| *at);
        let is_due = taken_back.is_none_or(|at| now.since(at) >= self.settings.request_timeout_ns);
        let take_back = (lives && is_ours && is_due).then_some(now);
        if take_back.is_some() {
            out.push(Said::Request(Request::Cancel { id: report.id }));
        }
        if let Some((_, at)) = known {
            *at = take_back.or(*at);
            return;
        }
        self.unknown.push_back((report.id, take_back));
        if self.unknown.len() > UNKNOWN_KEPT {
            self.unknown.pop_front();
        }
        let severity = match report.outcome {
            Outcome::Filled(_) => Severity::Critical,
            _ if take_back.is_some() => Severity::Critical,
            _ => Severity::Warning,
        };
        let mut act = Acting { now, settings: &self.settings, linked: self.linked, out };
        let (id, run) = (report.id, self.run);
        let done = if take_back.is_some() { ": taken back" } else { "" };
        act.alert(severity, "unknown_order", format_args!("{id} is no order of {run}{done}"));
    }
}
