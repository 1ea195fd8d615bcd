//! The gate: the one owner of the book. It judges every proposal against the table of checks, books what the
//! venue reports, holds book and broker together, and closes on its own what the operator or an assignment
//! leaves to be closed.

use crate::checks::{Case, Links, Operator, judge};
use crate::cleared::{Cleared, Decision};
use crate::closing::{self, Reason};
use crate::command::{Command, HaltNote};
use crate::pending::{Order, Pending};
use crate::reconcile::{Reconcile, Standing};
use crate::settings::Settings;
use market::alert::{AlertNote, Severity};
use market::feed::{FeedName, FeedNote, FeedState};
use market::order::{Account, Activity, ActivityNote, Holding, ReasonText};
use market::session::{is_open, next_open};
use market::{Instrument, Label, Money, Price, Right, Symbol, Timestamp};
use portfolio::book::Booked;
use portfolio::compare::{differences, explained_by_expiry, in_words};
use portfolio::notes::{DoneNote, FillNote, MarkNote, PositionNote};
use portfolio::proposal::ProposalId;
use portfolio::{Book, ExitReason, Proposal};
use std::collections::{BTreeMap, BTreeSet};

/// Age at which the broker's buying power is taken to know of an order, nanoseconds: younger ones may have
/// been on their way when it was asked.
const KNOWN_TO_BROKER_NS: i64 = 2 * market::time::SECOND;

/// What the gate says.
#[expect(clippy::large_enum_variant, reason = "a few a minute, moved once: a box would cost more to read")]
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The answer to a proposal with every check: to the record and the symbol's seat.
    Decided {
        /// The underlying whose seat is told.
        to: Symbol,
        /// The answer.
        decision: Decision,
    },
    /// May be traded: to execution.
    Cleared(Cleared),
    /// What the symbol's seat holds now.
    Position(PositionNote),
    /// To the operator.
    Alert(AlertNote),
    /// Orders to take back: to execution.
    Halt(HaltNote),
}

/// The gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    settings: Settings,
    book: Book,
    pending: Pending,
    reconcile: Reconcile,
    operator: Operator,
    /// True from the letter that the program is about to end until the next start.
    stopping: bool,
    links: Links,
    account: Option<Account>,
    cash_at_account: Money,
    /// Opened since the account was told: the broker's buying power does not know of them.
    since_account: BTreeSet<ProposalId>,
    spots: BTreeMap<Symbol, Price>,
    /// Trades with leftovers, and the notes told of each.
    leftovers: BTreeMap<(ProposalId, Instrument), PositionNote>,
    /// How often the gate closed something of a trade itself.
    closings: BTreeMap<ProposalId, u32>,
    chores_at: Option<Timestamp>,
}

impl Gate {
    /// A gate over an empty book.
    pub fn new(settings: Settings) -> Self {
        Self {
            book: Book::new(settings.book.clone()),
            pending: Pending::default(),
            reconcile: Reconcile::new(settings.reconcile_grace_ns),
            operator: Operator::Trading,
            stopping: false,
            links: Links::default(),
            account: None,
            cash_at_account: Money::ZERO,
            since_account: BTreeSet::new(),
            spots: BTreeMap::new(),
            leftovers: BTreeMap::new(),
            closings: BTreeMap::new(),
            chores_at: None,
            settings,
        }
    }

    /// The book.
    pub fn book(&self) -> &Book {
        &self.book
    }
    /// What the operator allows; nothing while the program stops.
    pub fn operator(&self) -> Operator {
        if self.stopping { Operator::Stopping } else { self.operator }
    }

    /// A run of the program begins: connections are unheard of, and the stop of the run before is over. What the
    /// operator said stays said.
    pub fn begin_run(&mut self) {
        self.stopping = false;
        self.links = Links::default();
        self.reconcile.lost();
    }

    /// The program is about to end: nothing new is cleared, what opens is taken back.
    pub fn stopping(&mut self, out: &mut Vec<Said>) {
        self.stopping = true;
        out.push(Said::Halt(HaltNote::Opening));
    }
    /// How book and broker stand to each other.
    pub fn standing(&self) -> Standing {
        self.reconcile.standing()
    }
    /// What was cleared and is not done.
    pub fn pending(&self) -> &Pending {
        &self.pending
    }
    /// What all open trades and pending orders may lose.
    pub fn heat(&self, now: Timestamp, like: &Proposal) -> Money {
        self.case(like, now).heat()
    }

    /// A strategy proposes.
    pub fn on_proposal(&mut self, now: Timestamp, proposal: &Proposal, out: &mut Vec<Said>) {
        self.book.roll(now);
        self.spots.insert(proposal.underlying, proposal.spot);
        self.decide(now, proposal, out);
    }

    /// An order filled.
    pub fn on_fill(&mut self, now: Timestamp, note: &FillNote, out: &mut Vec<Said>) {
        self.book.roll(now);
        let booked = self.book.apply_fill(note);
        if booked == Booked::Repeat {
            return;
        }
        self.pending.fill(&note.proposal, note.execution.units);
        if matches!(booked, Booked::Stray(_)) {
            let text = format_args!("order {} fills but no trade of ours knows it", note.order);
            self.alert(now, Severity::Critical, "stray_fill", text, out);
        }
        self.booked(now, booked, out);
    }

    /// An order's life ended.
    pub fn on_done(&mut self, now: Timestamp, note: &DoneNote, out: &mut Vec<Said>) {
        self.book.roll(now);
        let Some(order) = self.pending.remove(&note.proposal) else { return };
        if note.filled_units == 0 {
            self.since_account.remove(&note.proposal);
        }
        if let portfolio::Purpose::Close { position, .. } = order.proposal.purpose {
            self.no_longer_closing(position, out);
        }
        self.plan_chores(now, self.settings.retry_ns);
    }

    /// Something happened at the venue besides trading.
    pub fn on_activity(&mut self, now: Timestamp, note: &ActivityNote, out: &mut Vec<Said>) {
        self.book.roll(now);
        let booked = self.book.apply_activity(note, now);
        if booked == Booked::Repeat {
            return;
        }
        if let Activity::Assigned { contract, quantity } = note.activity {
            let text = format_args!("{quantity} of {contract} assigned");
            self.alert(now, Severity::Warning, "assigned", text, out);
        }
        let owned = matches!(note.activity, Activity::Fee { .. } | Activity::Cash { .. });
        if matches!(booked, Booked::Stray(_)) && !owned {
            let text = format_args!("{:?} belongs to no trade (yet)", note.activity);
            self.alert(now, Severity::Info, "stray_activity", text, out);
        }
        self.booked(now, booked, out);
    }

    /// The account as the venue sees it.
    pub fn on_account(&mut self, now: Timestamp, account: &Account, out: &mut Vec<Said>) {
        self.book.roll(now);
        if self.account.is_none_or(|before| before.may_trade) && !account.may_trade {
            let text = format_args!("the venue takes no orders from this account");
            self.alert(now, Severity::Critical, "account_blocked", text, out);
        }
        self.account = Some(*account);
        self.book.apply_account(account);
        self.cash_at_account = self.book.cash();
        let recent = |o: &Order| o.cleared + KNOWN_TO_BROKER_NS > account.at;
        self.since_account = self.pending.openings().filter(|o| recent(o)).map(|o| o.proposal.id).collect();
        self.reconcile.hear_cash(account.cash);
        self.compare(now, out);
    }

    /// One of `of` holdings.
    pub fn on_holding(&mut self, now: Timestamp, holding: Holding, index: u32, of: u32, out: &mut Vec<Said>) {
        self.reconcile.hear_holding(holding, index, of);
        self.compare(now, out);
    }

    /// The account holds nothing.
    pub fn on_no_holdings(&mut self, now: Timestamp, out: &mut Vec<Said>) {
        self.reconcile.hear_none();
        self.compare(now, out);
    }

    /// What a position is worth. On the tick path: nothing here allocates.
    pub fn on_mark(&mut self, now: Timestamp, note: &MarkNote) {
        self.book.roll(now);
        self.book.apply_mark(note);
    }

    /// The operator asks.
    pub fn on_command(&mut self, now: Timestamp, command: Command, out: &mut Vec<Said>) {
        self.book.roll(now);
        match command {
            Command::Pause if self.operator == Operator::Trading => self.operator = Operator::Paused,
            Command::Pause => {}
            Command::Resume => self.resume(now, out),
            Command::Flatten if self.operator != Operator::Killed => {
                self.operator = Operator::Flattening;
                out.push(Said::Halt(HaltNote::Opening));
                self.plan_chores(now, 0);
            }
            Command::Flatten => {}
            Command::Kill => {
                self.operator = Operator::Killed;
                out.push(Said::Halt(HaltNote::Everything));
            }
        }
        let text = format_args!("{command:?}: now {:?}", self.operator);
        self.alert(now, Severity::Info, "command", text, out);
    }

    /// A connection's state changed.
    pub fn on_feed(&mut self, now: Timestamp, note: &FeedNote, out: &mut Vec<Said>) {
        let link = match note.feed {
            FeedName::Stocks => &mut self.links.stocks,
            FeedName::Options => &mut self.links.options,
            FeedName::Orders => &mut self.links.orders,
            FeedName::Journal => &mut self.links.journal,
        };
        *link = Some(note.state);
        // What was told before the stream came (back) says nothing about what it did not hear.
        if note.feed == FeedName::Orders && note.state != FeedState::Repaired {
            self.reconcile.lost();
        }
        self.compare(now, out);
    }

    /// When to be woken.
    pub fn deadline(&self) -> Option<Timestamp> {
        [self.reconcile.deadline(), self.chores_at].into_iter().flatten().min()
    }

    /// A deadline came.
    pub fn wake(&mut self, now: Timestamp, out: &mut Vec<Said>) {
        self.book.roll(now);
        if self.reconcile.deadline().is_some_and(|at| at <= now) {
            self.compare(now, out);
        }
        if self.chores_at.is_some_and(|at| at <= now) {
            self.chores_at = None;
            self.do_chores(now, out);
        }
    }

    // ---- judging ----

    fn case<'a>(&'a self, proposal: &'a Proposal, now: Timestamp) -> Case<'a> {
        Case {
            proposal,
            units: proposal.units,
            now,
            limits: &self.settings.limits,
            book: &self.book,
            pending: &self.pending,
            account: self.account.as_ref(),
            buying_power: self.buying_power(),
            standing: self.reconcile.standing(),
            operator: self.operator(),
            links: self.links,
        }
    }

    /// The broker's figure, moved by what happened since: cash that came and went, margin of trades opened,
    /// and what pending orders may ask.
    fn buying_power(&self) -> Money {
        let Some(account) = self.account else { return Money::ZERO };
        let unknown = |o: &&Order| self.since_account.contains(&o.proposal.id);
        let pending: Money = self.pending.openings().filter(unknown).map(Order::requirement).sum();
        let new_trades = self.since_account.iter().filter_map(|id| self.book.trade(id));
        let margin: Money = new_trades.map(|t| t.margin.saturating_mul(i64::from(t.units()))).sum();
        account.options_buying_power + (self.book.cash() - self.cash_at_account) - margin - pending
    }

    fn decide(&mut self, now: Timestamp, proposal: &Proposal, out: &mut Vec<Said>) {
        let decision = judge(self.case(proposal, now));
        let units = decision.units;
        out.push(Said::Decided { to: proposal.underlying, decision });
        if units == 0 {
            return;
        }
        let granted = Proposal { units, ..proposal.clone() };
        self.book.apply_cleared(&granted);
        self.pending.add(&granted, now);
        match granted.purpose {
            portfolio::Purpose::Open { .. } => {
                self.since_account.insert(granted.id);
            }
            portfolio::Purpose::Close { position, .. } => self.tell(position, out),
        }
        out.push(Said::Cleared(Cleared::new(granted)));
    }

    // ---- booking ----

    /// After the book changed: tells the seats, compares, and plans what is to be cleared away.
    fn booked(&mut self, now: Timestamp, booked: Booked, out: &mut Vec<Said>) {
        let (Booked::Trades(trades) | Booked::Stray(trades)) = booked else { return };
        for trade in trades {
            self.tell(trade, out);
            if self.book.trade(&trade).is_some_and(|t| !t.leftovers().is_empty()) {
                self.plan_chores(now, self.settings.clean_up_delay_ns);
            }
        }
        self.compare(now, out);
    }

    /// Tells the seat what a trade holds: its whole units, and each leftover by a note of its own.
    fn tell(&mut self, id: ProposalId, out: &mut Vec<Said>) {
        let Some(trade) = self.book.trade(&id) else { return };
        out.push(Said::Position(trade.note()));
        let rests: BTreeMap<Instrument, i64> = trade.leftovers().into_iter().collect();
        let opening = self.pending.of_trade(&id).any(Order::opens);
        for (instrument, quantity) in &rests {
            let note = leftover_note(trade, *instrument, *quantity);
            if !opening && self.leftovers.insert((id, *instrument), note.clone()).as_ref() != Some(&note) {
                out.push(Said::Position(note));
            }
        }
        let range = (id, Instrument::Stock(Symbol::EMPTY))..;
        let of_trade = self.leftovers.range(range).take_while(|((trade, _), _)| *trade == id);
        let gone: Vec<_> =
            of_trade.map(|(key, _)| *key).filter(|(_, instrument)| !rests.contains_key(instrument)).collect();
        for key in gone {
            if let Some(note) = self.leftovers.remove(&key) {
                out.push(Said::Position(PositionNote { units: 0, ..note }));
            }
        }
        if trade.closed.is_some() {
            self.since_account.remove(&id);
        }
    }

    /// Tells every open position again, for a seat that was made anew.
    pub fn tell_again(&mut self, out: &mut Vec<Said>) {
        let open: Vec<ProposalId> = self.book.open_trades().map(|trade| trade.id).collect();
        for trade in open {
            self.tell(trade, out);
        }
        // After that: telling may change them.
        out.extend(self.leftovers.values().cloned().map(Said::Position));
    }

    fn no_longer_closing(&mut self, position: ProposalId, out: &mut Vec<Said>) {
        let open = self.book.trade(&position).is_some_and(|trade| trade.closed.is_none());
        if open && self.pending.of_trade(&position).next().is_none() {
            self.book.set_closing(&position, None);
            self.tell(position, out);
        }
    }

    // ---- holding book and broker together ----

    fn compare(&mut self, now: Timestamp, out: &mut Vec<Said>) {
        if self.reconcile.standing() == Standing::Agreed && self.reconcile.told().is_none() {
            return;
        }
        self.reconcile.remember(&self.book, now);
        let Some((cash, told)) = self.reconcile.told() else { return };
        let differ = differences(&self.book.holdings(), told);
        let words = in_words(&self.book, cash, &differ);
        let explained = explained_by_expiry(&differ, now.new_york().0);
        if !self.reconcile.judge(explained, now) {
            return;
        }
        match self.reconcile.standing() {
            Standing::Differs => {
                self.alert(now, Severity::Critical, "book_differs", format_args!("{words}"), out)
            }
            Standing::Settling => {
                self.alert(now, Severity::Warning, "expiry_settling", format_args!("{words}"), out)
            }
            Standing::Agreed => {
                self.alert(now, Severity::Info, "book_agrees", format_args!("book and broker agree"), out)
            }
            Standing::Waiting | Standing::Grace { .. } => {}
        }
    }

    /// Takes new risk again; when book and broker differ, the operator says that the broker is right.
    fn resume(&mut self, now: Timestamp, out: &mut Vec<Said>) {
        self.operator = Operator::Trading;
        self.plan_chores(now, self.settings.clean_up_delay_ns);
        let Some((cash, holdings)) = self.reconcile.told() else { return };
        if self.reconcile.standing() == Standing::Agreed {
            return;
        }
        let differ = differences(&self.book.holdings(), holdings);
        let words = in_words(&self.book, cash, &differ);
        let holdings = holdings.clone();
        let changed = self.book.adjust_to(cash, &holdings, now);
        self.cash_at_account = cash;
        self.reconcile.settled();
        self.alert(now, Severity::Warning, "book_settled", format_args!("{words}"), out);
        self.booked(now, Booked::Trades(changed), out);
    }

    // ---- closing on its own ----

    fn plan_chores(&mut self, now: Timestamp, wait_ns: i64) {
        let at = now + wait_ns;
        self.chores_at = Some(self.chores_at.map_or(at, |planned| planned.min(at)));
    }

    /// Closes what the operator wants closed and clears leftovers away, one order a trade at a time.
    fn do_chores(&mut self, now: Timestamp, out: &mut Vec<Said>) {
        let flattening = self.operator == Operator::Flattening;
        let mut todo = Vec::new();
        for trade in self.book.open_trades() {
            let leftover = closing::first_leftover(trade).map(|rest| (rest, ExitReason::CleanUp));
            let whole = || closing::whole_units(trade).filter(|_| flattening);
            let job = leftover.or_else(|| whole().map(|rest| (rest, ExitReason::Operator)));
            if let Some((rest, reason)) = job
                && self.pending.of_trade(&trade.id).next().is_none()
            {
                todo.push((trade.id, rest, reason));
            }
        }
        if todo.is_empty() || matches!(self.operator(), Operator::Killed | Operator::Stopping) {
            return;
        }
        if !is_open(now) {
            let open = next_open(now).map(|session| session.open.since(now));
            self.plan_chores(now, open.unwrap_or(market::time::DAY) + self.settings.clean_up_delay_ns);
            return;
        }
        self.plan_chores(now, self.settings.retry_ns);
        for (id, rest, reason) in todo {
            self.close(now, id, rest, reason, out);
        }
    }

    fn close(
        &mut self,
        now: Timestamp,
        id: ProposalId,
        rest: closing::Rest,
        reason: ExitReason,
        out: &mut Vec<Said>,
    ) {
        let Some(trade) = self.book.trade(&id) else { return };
        let count = self.closings.get(&id).copied().unwrap_or(0) + 1;
        let why = Reason {
            id: closing::name(&id, count),
            reason,
            slack_bps: self.settings.closing_slack_bps,
            spot: self.spots.get(&trade.underlying).copied(),
            now,
        };
        match closing::proposal(trade, rest, &self.book, why) {
            Some(proposal) => {
                self.closings.insert(id, count);
                self.decide(now, &proposal, out);
            }
            None if count == 1 => {
                self.closings.insert(id, count);
                let text = format_args!("{id} cannot be closed yet: one of its legs has no mark");
                self.alert(now, Severity::Warning, "no_mark", text, out);
            }
            None => {}
        }
    }

    fn alert(
        &self,
        at: Timestamp,
        severity: Severity,
        what: &str,
        detail: std::fmt::Arguments<'_>,
        out: &mut Vec<Said>,
    ) {
        let what = Label::format(format_args!("{what}"));
        out.push(Said::Alert(AlertNote { severity, what, detail: ReasonText::format(detail), at }));
    }
}

/// A leftover as a position of its own: it is being closed from the start, so no strategy touches it, but its
/// seat marks it.
fn leftover_note(trade: &portfolio::Trade, instrument: Instrument, quantity: i64) -> PositionNote {
    use market::order::{Effect, Leg, Legs, Side};
    let side = if quantity > 0 { Side::Buy } else { Side::Sell };
    PositionNote {
        id: Label::fold(format_args!("{}+{}", trade.id, short_name(&instrument))),
        underlying: trade.underlying,
        structure: Label::literal("leftover"),
        legs: Legs::from_iter([Leg { instrument, side, effect: Effect::Open, ratio: 1 }]),
        units: u32::try_from(quantity.unsigned_abs()).unwrap_or(u32::MAX),
        entry: Price::ZERO,
        max_profit: Money::ZERO,
        max_loss: Money::ZERO,
        opened: trade.opened,
        closing: Some(ExitReason::CleanUp),
    }
}

/// `stock`, or right and strike: enough to tell the leftovers of one trade apart within a label.
fn short_name(instrument: &Instrument) -> Label {
    match instrument.contract() {
        None => Label::literal("stock"),
        Some(c) if c.right == Right::Call => Label::format(format_args!("C{}", c.strike())),
        Some(c) => Label::format(format_args!("P{}", c.strike())),
    }
}
