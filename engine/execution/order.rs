//! One order's life: Wanted, Requested, Working, (Replacing or Canceling), Done, and Doubting whenever the
//! venue's answer is missing. Answers and events come unordered and repeated, so each is applied only when it
//! moves an attempt forward; what follows is decided from where the attempts stand, never from the order of
//! arrival.

use crate::blotter::Said;
use crate::fills::{Fills, Unclear};
use crate::settings::Settings;
use crate::walk::Walk;
use market::alert::{AlertNote, Severity};
use market::order::{Execution, Outcome, Pricing, ReasonText, Report, Request, Ticket};
use market::time::DAY;
use market::{Label, OrderId, Price, Timestamp};
use portfolio::notes::{DoneNote, Ending, FillNote};
use portfolio::{Proposal, Purpose};

/// Look-ups that must answer "not found" before it is believed.
const MISSES_MAX: u32 = 2;
/// The same for an order that the venue had taken: one that vanishes is rather an error of the answer.
const VANISHED_MAX: u32 = 6;
/// Look-ups in a row after executions that did not add up.
const UNCLEAR_MAX: u32 = 3;
/// The longest wait between look-ups, in multiples of the first.
const SLOWEST: u32 = 10;
/// Every so many look-ups of an order, all its attempts are looked up.
const LOOK_OVER_EVERY: u32 = 4;
/// Look-ups of an order after which a lost one is no longer repeated at once.
const LOOK_AGAIN_MAX: u32 = 24;

/// Where one submission or replacement stands at the venue, as far as we know. Only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Life {
    /// The venue surely does not know it (a report proves otherwise: then it lives).
    Missing,
    /// Asked for; no answer yet.
    Requested,
    /// Taken, perhaps not working yet.
    Accepted,
    /// Working.
    Working,
    /// Another took its place.
    Replaced,
    /// Refused.
    Rejected,
    /// Canceled.
    Canceled,
    /// Its day ended.
    Expired,
}

impl Life {
    /// True while it may execute.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Requested | Self::Accepted | Self::Working)
    }
    const fn is_over(self) -> bool {
        matches!(self, Self::Replaced | Self::Rejected | Self::Canceled | Self::Expired)
    }
}

/// One id of the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The id the venue knows it by.
    pub id: OrderId,
    /// Its limit, signed.
    pub limit: Price,
    /// Where it stands.
    pub life: Life,
    fills: Fills,
    /// The attempt whose place it was to take.
    of: Option<usize>,
}

/// An order's life. Instants are those at which waiting ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Cleared, not sent: the connection is down.
    Wanted {
        /// When it is given up.
        until: Timestamp,
    },
    /// Sent; no answer yet.
    Requested {
        /// When the venue is asked.
        until: Timestamp,
    },
    /// Working at the venue.
    Working,
    /// A replacement was asked for.
    Replacing {
        /// When the venue is asked.
        until: Timestamp,
    },
    /// A cancel was asked for.
    Canceling {
        /// When the venue is asked.
        until: Timestamp,
    },
    /// An answer is missing: the venue is being asked.
    Doubting {
        /// When to ask (again).
        ask: Timestamp,
        /// True while an answer is awaited.
        asked: bool,
        /// "Not found" so far.
        misses: u32,
        /// Look-ups so far.
        tries: u32,
    },
    /// Over.
    Done(Ending),
}

/// What an order needs from the blotter to act.
pub struct Acting<'a> {
    /// When.
    pub now: Timestamp,
    /// The settings.
    pub settings: &'a Settings,
    /// False while order reports cannot be heard.
    pub linked: bool,
    /// Where to say it.
    pub out: &'a mut Vec<Said>,
}

impl Acting<'_> {
    fn timeout(&self) -> Timestamp {
        self.now + self.settings.request_timeout_ns
    }
    fn request(&mut self, request: Request) {
        self.out.push(Said::Request(request));
    }
    pub(crate) fn alert(&mut self, severity: Severity, what: &'static str, detail: std::fmt::Arguments<'_>) {
        let detail = ReasonText::format(detail);
        self.out.push(Said::Alert(AlertNote { severity, what: Label::literal(what), detail, at: self.now }));
    }
}

/// One cleared proposal being worked.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    proposal: Proposal,
    walk: Walk,
    step: u32,
    next_step: Timestamp,
    stage: Stage,
    attempts: Vec<Attempt>,
    fills: Fills,
    filled: u32,
    /// Why it is to end, once it is.
    ending: Option<Ending>,
    submissions: u32,
    /// Look-ups in its whole life.
    asks: u32,
    /// True once its end was told.
    told: bool,
    /// True once reports were missed: what ended may have filled unheard.
    missed: bool,
    /// True after a restart: nothing is submitted again.
    stale: bool,
    /// True once the venue proved that it has, or had, some of it: nothing is submitted again.
    arrived: bool,
    /// Executions in a row that did not add up.
    unclear: u32,
    /// When its end was told.
    over_at: Option<Timestamp>,
}

impl Order {
    /// Begins to work a cleared proposal.
    pub fn begin(proposal: &Proposal, act: &mut Acting<'_>) -> Self {
        let walk = Walk::of(act.settings, proposal);
        let patience = walk.step_ns().saturating_mul(i64::from(walk.steps()) + 1);
        let mut order = Self {
            proposal: proposal.clone(),
            walk,
            step: 0,
            next_step: act.now,
            stage: Stage::Wanted { until: act.now + patience },
            attempts: Vec::new(),
            fills: Fills::default(),
            filled: 0,
            ending: None,
            submissions: 0,
            asks: 0,
            told: false,
            missed: false,
            stale: false,
            arrived: false,
            unclear: 0,
            over_at: None,
        };
        if act.linked {
            order.submit(act);
        }
        order
    }

    /// What is worked.
    pub fn proposal(&self) -> &Proposal {
        &self.proposal
    }
    /// Where its life stands.
    pub fn stage(&self) -> Stage {
        self.stage
    }
    /// Every id it had at the venue, oldest first.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }
    /// Units filled.
    pub fn filled(&self) -> u32 {
        self.filled
    }
    /// True when its life is over.
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done(_))
    }
    /// True when it opens a position.
    pub fn opens(&self) -> bool {
        matches!(self.proposal.purpose, Purpose::Open { .. })
    }

    /// When to be woken.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Wanted { until }
            | Stage::Requested { until }
            | Stage::Replacing { until }
            | Stage::Canceling { until } => Some(until),
            Stage::Working => Some(self.next_step),
            Stage::Doubting { ask, .. } => Some(ask),
            Stage::Done(_) => None,
        }
    }

    /// The deadline came.
    pub fn wake(&mut self, act: &mut Acting<'_>) {
        match self.stage {
            Stage::Wanted { .. } => self.finish(Ending::Canceled, act),
            Stage::Requested { .. } | Stage::Replacing { .. } | Stage::Canceling { .. } => self.ask(act),
            Stage::Doubting { .. } => self.ask(act),
            Stage::Working => self.take_step(act),
            Stage::Done(_) => {}
        }
    }

    /// Ends the order's life as soon as the venue lets it.
    pub fn cancel(&mut self, why: Ending, act: &mut Acting<'_>) {
        self.ending = self.ending.or(Some(why));
        match self.stage {
            Stage::Wanted { .. } => self.finish(why, act),
            Stage::Working => self.settle(act),
            // First it must be known what is there to be canceled.
            Stage::Requested { .. } | Stage::Replacing { .. } | Stage::Doubting { .. } => {}
            Stage::Canceling { .. } | Stage::Done(_) => {}
        }
    }

    /// The connection is back: reports may have been missed.
    pub fn relinked(&mut self, act: &mut Acting<'_>) {
        self.missed = true;
        match self.stage {
            Stage::Wanted { .. } => self.submit(act),
            Stage::Done(_) if self.filled >= self.proposal.units => {}
            // Orders live for a day: what is older was settled by the comparison of holdings.
            Stage::Done(_) if self.over_at.is_some_and(|at| act.now.since(at) > DAY) => {}
            Stage::Done(_) => self.look_over(act),
            Stage::Requested { .. }
            | Stage::Working
            | Stage::Replacing { .. }
            | Stage::Canceling { .. }
            | Stage::Doubting { .. } => self.ask_afresh(act),
        }
    }

    /// The engine was restarted: whether the last request left is not known.
    pub fn resumed(&mut self, act: &mut Acting<'_>) {
        self.stale = true;
        if let Stage::Wanted { .. } = self.stage {
            self.finish(Ending::Canceled, act);
        } else {
            self.relinked(act);
        }
    }

    /// The venue reports about one of its ids.
    pub fn on_report(&mut self, report: &Report, act: &mut Acting<'_>) {
        let Some(index) = self.attempts.iter().position(|a| a.id == report.id) else { return };
        match &report.outcome {
            Outcome::Accepted => self.advance(index, Life::Accepted, act),
            Outcome::Working => self.advance(index, Life::Working, act),
            Outcome::Filled(execution) => {
                self.advance(index, Life::Working, act);
                self.fill(index, execution, report.at, act);
            }
            Outcome::Canceled => self.advance(index, Life::Canceled, act),
            Outcome::Expired => self.advance(index, Life::Expired, act),
            Outcome::Rejected { .. } => self.advance(index, Life::Rejected, act),
            Outcome::Replaced { by } => self.replaced(index, *by, act),
            Outcome::ReplaceRejected { .. } => self.replace_rejected(index),
            Outcome::CancelRejected { .. } => return self.cancel_rejected(act),
            Outcome::NotFound if !self.not_found(index, act) => return,
            Outcome::NotFound => {}
            Outcome::Unknown => {
                if self.attempts[index].life.is_live() && !self.is_done() {
                    self.doubt(act);
                }
                return self.look_again(index, act);
            }
        }
        self.settle(act);
    }

    // ---- what reports do ----

    /// Moves an attempt forward, never back. One that works proves that its predecessors were replaced.
    fn advance(&mut self, index: usize, life: Life, act: &mut Acting<'_>) {
        let attempt = &mut self.attempts[index];
        if attempt.life.is_over() || life <= attempt.life {
            return;
        }
        let revived = attempt.life == Life::Missing && life.is_live();
        attempt.life = life;
        self.arrived |= life != Life::Rejected;
        let attempt = &self.attempts[index];
        let id = attempt.id;
        if life == Life::Working {
            let earlier = self.attempts[..index].iter_mut().filter(|a| a.life.is_live());
            earlier.for_each(|a| a.life = Life::Replaced);
        }
        if revived && self.is_done() {
            // Its end was told already: now it is only killed, and that is not told again.
            act.alert(Severity::Warning, "zombie_order", format_args!("{id} works after it was given up"));
            self.ending = self.ending.or(Some(Ending::Canceled));
            self.stage = Stage::Canceling { until: act.timeout() };
            act.request(Request::Cancel { id });
        }
    }

    fn fill(&mut self, index: usize, execution: &Execution, at: Timestamp, act: &mut Acting<'_>) {
        let carry = act.settings.fills_carry_over;
        let fills = if carry { &mut self.fills } else { &mut self.attempts[index].fills };
        let execution = match fills.book(execution, &self.proposal.legs) {
            Ok(Some(execution)) => execution,
            Ok(None) => return,
            Err(why) => return self.unclear(index, why, act),
        };
        self.unclear = 0;
        self.arrived = true;
        self.filled += execution.units;
        let order = self.attempts[index].id;
        if self.told {
            act.alert(
                Severity::Warning,
                "late_fill",
                format_args!("{order} filled {} after its end", execution.units),
            );
        }
        if self.filled > self.proposal.units {
            let (filled, wanted) = (self.filled, self.proposal.units);
            act.alert(Severity::Critical, "overfilled", format_args!("{order} filled {filled} of {wanted}"));
        }
        let (proposal, arrival_mid) = (self.proposal.id, self.proposal.mid);
        act.out.push(Said::Fill(FillNote { proposal, order, execution, arrival_mid, at }));
    }

    /// An execution that does not add up is not booked; the venue is asked for the sum of all.
    fn unclear(&mut self, index: usize, why: Unclear, act: &mut Acting<'_>) {
        let id = self.attempts[index].id;
        act.alert(Severity::Critical, "fill_unclear", format_args!("{id}: {why}"));
        if why == Unclear::Stranger {
            // The venue has something else under our id, and would have refused ours.
            return self.advance(index, Life::Rejected, act);
        }
        self.unclear += 1;
        if self.unclear <= UNCLEAR_MAX {
            act.request(Request::LookUp { id });
        }
    }

    fn replaced(&mut self, index: usize, by: OrderId, act: &mut Acting<'_>) {
        let known = self.attempts.iter().position(|a| a.id == by);
        // A venue that does not name it means the one we asked for last.
        let nameless = || by.is_empty().then(|| self.attempts.len() - 1).filter(|last| *last > index);
        let successor = match known.or_else(nameless) {
            Some(successor) => successor,
            None => {
                // Somebody else replaced it: it is still ours to finish, if it has a name to be asked by.
                act.alert(Severity::Warning, "foreign_replace", format_args!("`{by}` replaces our order"));
                if by.is_empty() {
                    return self.advance(index, Life::Replaced, act);
                }
                let limit = self.attempts[index].limit;
                let (life, fills) = (Life::Requested, Fills::default());
                self.attempts.push(Attempt { id: by, limit, life, fills, of: Some(index) });
                self.attempts.len() - 1
            }
        };
        self.advance(index, Life::Replaced, act);
        self.advance(successor, Life::Accepted, act);
    }

    /// The replacement last asked for in place of this order is dead; the order works on. An old repeat looks the
    /// same: a report of the new one brings it back to life.
    fn replace_rejected(&mut self, index: usize) {
        let waits =
            |a: &&mut Attempt| a.of == Some(index) && matches!(a.life, Life::Requested | Life::Accepted);
        if let Some(refused) = self.attempts.iter_mut().rev().find(waits) {
            refused.life = Life::Missing;
        }
    }

    /// Usually the order is finished already and the report of it is on its way.
    fn cancel_rejected(&mut self, act: &mut Acting<'_>) {
        if let Stage::Canceling { .. } = self.stage {
            let ask = act.now + act.settings.look_up_delay_ns;
            self.stage = Stage::Doubting { ask, asked: false, misses: 0, tries: 0 };
        }
    }

    /// Counts only as the answer to a look-up of the newest attempt, one a look-up. True when it is believed.
    fn not_found(&mut self, index: usize, act: &mut Acting<'_>) -> bool {
        if self.is_done() || self.newest_live() != Some(index) {
            return false;
        }
        let ask = act.now + act.settings.look_up_delay_ns;
        let (asked, misses, tries) = match self.stage {
            Stage::Doubting { asked, misses, tries, .. } => (asked, misses, tries),
            _ => (false, 0, 0),
        };
        let misses = misses + u32::from(asked);
        let was_there = self.attempts[index].life > Life::Requested;
        let believed = misses >= if was_there { VANISHED_MAX } else { MISSES_MAX };
        if believed {
            self.attempts[index].life = Life::Missing;
        }
        if believed && was_there {
            let id = self.attempts[index].id;
            act.alert(Severity::Critical, "order_vanished", format_args!("the venue no longer knows {id}"));
        }
        if asked || tries == 0 {
            let misses = if believed { 0 } else { misses };
            self.stage = Stage::Doubting { ask, asked: false, misses, tries };
        }
        believed
    }

    // ---- what follows ----

    /// Decides from where the attempts stand.
    fn settle(&mut self, act: &mut Acting<'_>) {
        if self.is_done() {
            return;
        }
        if self.filled >= self.proposal.units {
            return self.finish(Ending::Filled, act);
        }
        let Some(newest) = self.newest_live() else { return self.conclude(act) };
        let alone = !self.attempts[..newest].iter().any(|a| a.life.is_live());
        if !alone || self.attempts[newest].life == Life::Requested {
            return; // A replacement or an answer is on its way.
        }
        match (self.ending, self.stage) {
            (Some(_), Stage::Canceling { .. }) => {}
            (Some(_), _) => {
                self.stage = Stage::Canceling { until: act.timeout() };
                act.request(Request::Cancel { id: self.attempts[newest].id });
            }
            (None, Stage::Working) => {}
            (None, _) => {
                self.stage = Stage::Working;
                self.next_step = self.next_step.max(act.now);
            }
        }
    }

    /// Nothing of it lives at the venue any more.
    fn conclude(&mut self, act: &mut Acting<'_>) {
        let has = |life| self.attempts.iter().any(|a| a.life == life);
        let never_there = self.attempts.iter().all(|a| a.life == Life::Missing);
        let again = self.ending.is_none()
            && !self.stale
            && !self.arrived
            && self.submissions < act.settings.submissions_max;
        if never_there && again && act.linked {
            return self.submit(act);
        }
        let ending = if has(Life::Expired) {
            Ending::Expired
        } else if has(Life::Rejected) && !has(Life::Canceled) && self.ending.is_none() {
            Ending::Rejected
        } else {
            self.ending.unwrap_or(Ending::Canceled)
        };
        self.finish(ending, act);
    }

    fn finish(&mut self, ending: Ending, act: &mut Acting<'_>) {
        self.stage = Stage::Done(ending);
        self.over_at = self.over_at.or(Some(act.now));
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        act.out.push(Said::Done(DoneNote {
            proposal: self.proposal.id,
            underlying: self.proposal.underlying,
            filled_units: self.filled,
            wanted_units: self.proposal.units,
            ending,
            at: act.now,
        }));
    }

    /// Sends the order. Sent again, it keeps its id: should the first one turn up after all, the venue refuses
    /// the second.
    fn submit(&mut self, act: &mut Acting<'_>) {
        let limit = self.walk.price(self.step);
        if self.attempts.is_empty() {
            self.attempts.push(self.attempt(None, limit));
        }
        let attempt = &mut self.attempts[0];
        attempt.life = Life::Requested;
        let ticket = Ticket {
            id: attempt.id,
            underlying: self.proposal.underlying,
            legs: self.proposal.legs.clone(),
            units: self.proposal.units,
            pricing: Pricing::Limit(attempt.limit),
        };
        self.submissions += 1;
        self.stage = Stage::Requested { until: act.timeout() };
        self.next_step = act.now + self.walk.step_ns();
        act.request(Request::Submit(ticket));
    }

    /// The next price, or the end of patience.
    fn take_step(&mut self, act: &mut Acting<'_>) {
        self.next_step = act.now + self.walk.step_ns();
        if !act.linked {
            return;
        }
        if self.step >= self.walk.steps() {
            return self.cancel(Ending::GaveUp, act);
        }
        self.step += 1;
        let limit = self.walk.price(self.step);
        let Some(index) = self.newest_live() else { return };
        let working = &self.attempts[index];
        // What is accepted but does not work yet cannot be replaced.
        if working.life != Life::Working || working.limit == limit {
            return;
        }
        let (id, new) = (working.id, self.attempt(Some(index), limit));
        act.request(Request::Replace { id, new_id: new.id, limit });
        self.attempts.push(new);
        self.stage = Stage::Replacing { until: act.timeout() };
    }

    /// Asks what became of the newest attempt that may live.
    fn ask(&mut self, act: &mut Acting<'_>) {
        if self.is_done() {
            return;
        }
        let (misses, tries) = match self.stage {
            Stage::Doubting { misses, tries, .. } => (misses, tries + 1),
            _ => (0, 1),
        };
        let Some(index) = self.newest_live() else { return self.conclude(act) };
        let id = self.attempts[index].id;
        if tries == act.settings.look_ups_before_alert {
            act.alert(Severity::Critical, "order_in_doubt", format_args!("no answer about {id}"));
        }
        // Ever slower: a venue that does not answer is not helped by questions.
        let wait = act.settings.request_timeout_ns.saturating_mul(i64::from(tries.min(SLOWEST)));
        self.stage = Stage::Doubting { ask: act.now + wait, asked: true, misses, tries };
        act.request(Request::LookUp { id });
        // Doubt that comes again and again has another cause: a fill that was never heard.
        self.asks = self.asks.wrapping_add(1);
        if self.asks.is_multiple_of(LOOK_OVER_EVERY) {
            self.look_over(act);
        }
    }

    /// A request got no clear answer: asks at once, but not at once again.
    fn doubt(&mut self, act: &mut Acting<'_>) {
        if let Stage::Doubting { misses, tries, .. } = self.stage {
            let wait = act.settings.look_up_delay_ns.saturating_mul(i64::from(tries.clamp(1, SLOWEST)));
            self.stage = Stage::Doubting { ask: act.now + wait, asked: false, misses, tries };
        } else {
            self.ask(act);
        }
    }

    /// Reports were missed: asks about every attempt, since a finished one may have filled unheard.
    fn ask_afresh(&mut self, act: &mut Acting<'_>) {
        if let Stage::Doubting { .. } = self.stage {
            self.stage = Stage::Requested { until: act.now };
        }
        self.look_over(act);
        self.ask(act);
    }

    /// Asks about every attempt but the newest live one, which has its own look-up.
    fn look_over(&mut self, act: &mut Acting<'_>) {
        let newest = if self.is_done() { None } else { self.newest_live() };
        for (_, attempt) in self.attempts.iter().enumerate().filter(|(i, _)| Some(*i) != newest) {
            act.request(Request::LookUp { id: attempt.id });
        }
    }

    /// A request about an order with missed reports was lost, perhaps the look-up that would have told them. A few
    /// more tries; then the comparison of holdings must tell.
    fn look_again(&mut self, index: usize, act: &mut Acting<'_>) {
        if self.missed && self.filled < self.proposal.units && self.asks < LOOK_AGAIN_MAX {
            self.asks += 1;
            act.request(Request::LookUp { id: self.attempts[index].id });
        }
    }

    fn newest_live(&self) -> Option<usize> {
        self.attempts.iter().rposition(|a| a.life.is_live())
    }

    fn attempt(&self, of: Option<usize>, limit: Price) -> Attempt {
        let id = OrderId::fold(format_args!("{}.{}", self.proposal.id, self.attempts.len()));
        Attempt { id, limit, life: Life::Requested, fills: Fills::default(), of }
    }
}
