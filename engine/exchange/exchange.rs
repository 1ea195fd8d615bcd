//! The exchange itself: its state, its timers, and what can be read from it. What it does is written in the
//! files around: `submit` and `checks` (orders in), `amend` (cancel, replace), `closing` (positions out),
//! `fill` (executions), `expiry` (the end of contracts and of the day).
//!
//! Time is handed in and never goes back; [`Exchange::deadline`] says when something is due, and every call
//! that takes `now` first does whatever was due before it, in order.

use crate::account::{Account, AccountId, AccountView, Configuration, Opening, PositionView};
use crate::activity::{Activity, ActivityDetail, ActivityFilter, activity_id};
use crate::event::{Event, Execution, OrderEvent, OrderEventKind, SocketFault};
use crate::faults::Dice;
use crate::identity::{IdMaker, Uuid};
use crate::listing::{ContractTerms, Listing, StockTerms};
use crate::order::{Order, OrderStatus};
use crate::orders_asked::OrderFilter;
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::tape::Tape;
use market::quote::{MarketEvent, Quote, Timeframe};
use market::{Contract, Date, Instrument, Money, Price, Symbol, Timestamp, session};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Something due at a time.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) enum Timer {
    /// A routed order is acknowledged.
    Acknowledge(usize),
    /// A queued order meets the opening bell.
    Open(usize),
    /// An order has worked long enough to fill.
    Eligible(usize),
    /// A cancel request arrives.
    Cancel(usize),
    /// A replace request for this order arrives.
    Replace(usize),
    /// An order's time in force ends.
    Expire(usize),
    /// Positions on their last day are looked at; true: those that close late.
    Evaluate(Date, bool),
    /// The day is settled.
    Settle(Date),
    /// A delayed event is delivered.
    Deliver(Box<Event>),
}

impl Timer {
    /// The order it is about.
    pub(crate) fn order(&self) -> Option<usize> {
        match self {
            Self::Acknowledge(order)
            | Self::Open(order)
            | Self::Eligible(order)
            | Self::Cancel(order)
            | Self::Replace(order)
            | Self::Expire(order) => Some(*order),
            Self::Evaluate(..) | Self::Settle(_) | Self::Deliver(_) => None,
        }
    }
}

/// The simulated exchange: a deterministic function of its settings, its seed, and what it is told.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub(crate) settings: Settings,
    pub(crate) ids: IdMaker,
    pub(crate) dice: Dice,
    pub(crate) listing: Listing,
    pub(crate) tape: Tape,
    pub(crate) accounts: Vec<Account>,
    pub(crate) orders: Vec<Order>,
    pub(crate) by_id: HashMap<Uuid, usize>,
    pub(crate) by_client_id: HashMap<(AccountId, String), usize>,
    /// Indexes of the orders that can execute, by the instruments of their legs, oldest first.
    pub(crate) working: BTreeMap<Instrument, Vec<usize>>,
    pub(crate) timers: BTreeMap<(Timestamp, u64), Timer>,
    pub(crate) timers_set: u64,
    pub(crate) events_told: u64,
    pub(crate) now: Timestamp,
}

impl Exchange {
    /// An exchange without accounts that starts at `start`. One seed gives the same ids and faults every time.
    pub fn new(settings: Settings, start: Timestamp, seed: u64) -> Self {
        let mut new = Self {
            settings,
            ids: IdMaker::new(seed),
            dice: Dice::new(seed),
            listing: Listing::default(),
            tape: Tape::default(),
            accounts: Vec::new(),
            orders: Vec::new(),
            by_id: HashMap::new(),
            by_client_id: HashMap::new(),
            working: BTreeMap::new(),
            timers: BTreeMap::new(),
            timers_set: 0,
            events_told: 0,
            now: start,
        };
        let today = session::session_or_next(start.new_york().0);
        let first = today.filter(|s| s.close + new.settings.expiry.settle_after_ns >= start);
        if let Some(day) = first.or_else(|| session::next_session(start.new_york().0)) {
            new.plan_day(day);
        }
        new
    }

    /// Opens an account with its opening balance.
    pub fn open_account(&mut self, now: Timestamp, opening: Opening, out: &mut Vec<Event>) -> AccountId {
        let id = AccountId(self.accounts.len() as u32);
        self.accounts.push(Account {
            id,
            created_at: now,
            cash: opening.cash,
            realized: Money::ZERO,
            last_equity: opening.cash,
            options_level: opening.options_level.min(3),
            configuration: Configuration::default(),
            positions: BTreeMap::new(),
            last_day_prices: BTreeMap::new(),
            open: BTreeSet::new(),
            orders: Vec::new(),
            activities: Vec::new(),
            accrued: BTreeMap::new(),
            do_not_exercise: BTreeSet::new(),
        });
        self.log(id, now, ActivityDetail::Opening, opening.cash, None, out);
        id
    }

    /// Lists a contract. Contracts that a feed mentions are listed by themselves, with the terms their root
    /// tells ([`ContractTerms::of`]).
    pub fn list_contract(&mut self, contract: Contract, terms: ContractTerms) {
        self.listing.contracts.insert(contract, terms);
    }

    /// Lists a share; those a feed mentions are listed by themselves as tradable and shortable.
    pub fn list_stock(&mut self, symbol: Symbol, terms: StockTerms) {
        self.listing.stocks.insert(symbol, terms);
    }

    /// Takes one word of the market feed: remembers it and fills what can be filled by it.
    pub fn market(&mut self, now: Timestamp, event: &MarketEvent, out: &mut Vec<Event>) {
        self.wake(now, out);
        match event {
            MarketEvent::Quote(instrument, quote) => {
                self.notice(instrument);
                self.tape.quote(*instrument, *quote);
                self.match_instrument(now, instrument, out);
            }
            MarketEvent::Trade(instrument, trade) => {
                self.notice(instrument);
                self.tape.trade(*instrument, *trade);
            }
            MarketEvent::Bar { symbol, timeframe: Timeframe::Min1, bar, updated: false } => {
                let instrument = Instrument::Stock(*symbol);
                self.notice(&instrument);
                self.tape.bar(instrument, 1, bar);
            }
            MarketEvent::Status(instrument, status) => self.tape.halt(*instrument, status.halted),
            MarketEvent::Bar { .. } | MarketEvent::Cancel(..) | MarketEvent::OpenInterest(_) => {}
        }
    }

    /// When something is due next.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }

    /// Does everything due up to `now`, each at its own time.
    pub fn wake(&mut self, now: Timestamp, out: &mut Vec<Event>) {
        while let Some(entry) = self.timers.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let ((at, _), timer) = entry.remove_entry();
            self.now = self.now.max(at);
            self.fire(self.now, timer, out);
        }
        self.now = self.now.max(now);
    }

    fn fire(&mut self, at: Timestamp, timer: Timer, out: &mut Vec<Event>) {
        match timer {
            Timer::Acknowledge(order) => self.acknowledge(at, order, out),
            Timer::Open(order) => self.open_queued(at, order, out),
            Timer::Eligible(order) => self.try_fill(at, order, out),
            Timer::Cancel(order) => self.finish_cancel(at, order, out),
            Timer::Replace(order) => self.finish_replace(at, order, out),
            Timer::Expire(order) => self.expire_order(at, order, out),
            Timer::Evaluate(date, late) => self.sell_unaffordable(at, date, late, out),
            Timer::Settle(date) => self.settle_day(at, date, out),
            Timer::Deliver(event) => out.push(*event),
        }
    }

    /// The owner's settings of an account.
    pub fn configure(&mut self, account: AccountId, configuration: Configuration) -> Result<(), Refusal> {
        let held = self.accounts.get_mut(account.0 as usize).ok_or_else(Refusal::no_account)?;
        held.configuration = configuration;
        Ok(())
    }

    /// An account as clients see it.
    pub fn account_view(&self, account: AccountId) -> Option<AccountView> {
        self.accounts.get(account.0 as usize).map(|held| self.view(held))
    }

    /// All accounts, in the order they were opened.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> + '_ {
        self.accounts.iter().map(|account| account.id)
    }

    /// Positions of an account, ordered by instrument.
    pub fn positions(&self, account: AccountId) -> Vec<PositionView> {
        let Some(held) = self.accounts.get(account.0 as usize) else { return Vec::new() };
        held.positions.keys().filter_map(|instrument| self.position_view(held, instrument)).collect()
    }

    /// One position; `None` when flat.
    pub fn position(&self, account: AccountId, instrument: Instrument) -> Option<PositionView> {
        self.position_view(self.accounts.get(account.0 as usize)?, &instrument)
    }

    /// An order by its id (a leg's id finds its parent).
    pub fn order(&self, account: AccountId, id: Uuid) -> Option<&Order> {
        self.find(account, id).map(|index| &self.orders[index])
    }

    /// An order by the client's id.
    pub fn order_by_client_id(&self, account: AccountId, client_order_id: &str) -> Option<&Order> {
        let index = *self.by_client_id.get(&(account, client_order_id.to_owned()))?;
        Some(&self.orders[index])
    }

    /// The orders that pass a filter, in the filter's direction and at most its number.
    pub fn orders(&self, account: AccountId, filter: &OrderFilter) -> Vec<&Order> {
        let Some(held) = self.accounts.get(account.0 as usize) else { return Vec::new() };
        filter.pick(held.orders.iter().map(|index| &self.orders[*index]), &self.listing)
    }

    /// The entries of an account's log that pass a filter and may be shown by `now`.
    pub fn activities(&self, account: AccountId, now: Timestamp, filter: &ActivityFilter) -> Vec<&Activity> {
        let Some(held) = self.accounts.get(account.0 as usize) else { return Vec::new() };
        let taken = held.activities.iter().filter(|activity| filter.takes(activity, now));
        let mut found: Vec<&Activity> = taken.collect();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        if !filter.ascending {
            found.reverse();
        }
        let from = filter.page_token.as_ref().and_then(|token| found.iter().position(|a| a.id == *token));
        let size = if filter.page_size == 0 { 100 } else { filter.page_size };
        found.into_iter().skip(from.map_or(0, |i| i + 1)).take(size).collect()
    }

    /// The newest quote of an instrument.
    pub fn quote(&self, instrument: &Instrument) -> Option<Quote> {
        self.tape.ticker(instrument)?.quote
    }

    /// The last trade or mid of an instrument.
    pub fn last_price(&self, instrument: &Instrument) -> Option<Price> {
        self.tape.last(instrument)
    }

    /// The listed contracts in the order of root, expiry, strike and right.
    pub fn contracts(&self) -> impl Iterator<Item = (&Contract, &ContractTerms)> {
        self.listing.contracts.iter()
    }

    /// The listed shares by symbol.
    pub fn stocks(&self) -> impl Iterator<Item = (&Symbol, &StockTerms)> {
        self.listing.stocks.iter()
    }

    /// How the exchange was set up.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    // From here on: what the other files of this room share.

    pub(crate) fn find(&self, account: AccountId, id: Uuid) -> Option<usize> {
        self.by_id.get(&id).copied().filter(|index| self.orders[*index].account == account)
    }

    pub(crate) fn knows_client_id(&self, account: AccountId, client_order_id: &str) -> bool {
        self.by_client_id.contains_key(&(account, client_order_id.to_owned()))
    }

    pub(crate) fn account_mut(&mut self, id: AccountId) -> &mut Account {
        &mut self.accounts[id.0 as usize]
    }

    pub(crate) fn account(&self, id: AccountId) -> &Account {
        &self.accounts[id.0 as usize]
    }

    fn notice(&mut self, instrument: &Instrument) {
        if self.tape.ticker(instrument).is_none() {
            self.listing.notice(instrument);
        }
    }

    /// Registers a new order and returns its index.
    pub(crate) fn enter(&mut self, order: Order) -> usize {
        let index = self.orders.len();
        let account = order.account;
        self.index(&order, index);
        let books = self.account_mut(account);
        books.orders.push(index);
        books.open.insert(index);
        self.orders.push(order);
        index
    }

    /// Makes an order findable by its ids.
    pub(crate) fn index(&mut self, order: &Order, index: usize) {
        self.by_id.insert(order.id, index);
        for leg in &order.legs {
            self.by_id.insert(leg.id, index);
        }
        self.by_client_id.insert((order.account, order.client_order_id.clone()), index);
    }

    pub(crate) fn set_timer(&mut self, at: Timestamp, timer: Timer) {
        self.timers_set += 1;
        self.timers.insert((at, self.timers_set), timer);
    }

    /// Ends an order in a terminal state and forgets it as open.
    pub(crate) fn finish(&mut self, at: Timestamp, index: usize, status: OrderStatus) {
        let order = &mut self.orders[index];
        order.status = status;
        order.updated_at = at;
        let stamp = match status {
            OrderStatus::Filled => &mut order.filled_at,
            OrderStatus::Expired => &mut order.expired_at,
            OrderStatus::Replaced => &mut order.replaced_at,
            OrderStatus::Rejected => &mut order.failed_at,
            _ => &mut order.canceled_at,
        };
        *stamp = Some(at);
        let (account, legs) = (order.account, order.legs.len());
        for leg in 0..legs {
            let instrument = self.orders[index].legs[leg].instrument;
            if let Some(list) = self.working.get_mut(&instrument) {
                list.retain(|other| *other != index);
            }
        }
        self.account_mut(account).open.remove(&index);
    }

    /// Tells of an order, with whatever faults strike.
    pub(crate) fn tell(&mut self, at: Timestamp, index: usize, told: Told, out: &mut Vec<Event>) {
        self.events_told += 1;
        let order = self.orders[index].clone();
        let event = Event::Order(Box::new(OrderEvent {
            number: self.events_told,
            account: order.account,
            kind: told.kind,
            at,
            order,
            execution: told.execution,
            reason: told.reason,
        }));
        let faults = self.settings.faults;
        if self.dice.strikes(faults.duplicate_event_ppm) {
            out.push(event.clone());
        }
        if self.dice.strikes(faults.late_event_ppm) {
            self.set_timer(at + faults.late_by_ns, Timer::Deliver(Box::new(event)));
        } else {
            out.push(event);
        }
        if self.dice.strikes(faults.drop_sockets_ppm) {
            out.push(Event::Socket(SocketFault::Drop));
        }
        if self.dice.strikes(faults.mute_ppm) {
            out.push(Event::Socket(SocketFault::Mute { for_ns: faults.mute_for_ns }));
        }
    }

    /// Writes an entry into an account's log. The cash must have been moved already.
    pub(crate) fn log(
        &mut self,
        account: AccountId,
        at: Timestamp,
        detail: ActivityDetail,
        net_amount: Money,
        group: Option<Uuid>,
        out: &mut Vec<Event>,
    ) {
        let date = at.new_york().0;
        let at_once = matches!(detail, ActivityDetail::Fill { .. } | ActivityDetail::Opening);
        let next_day = self.settings.activities_next_day && !at_once;
        let visible_from = if next_day { date.plus(1).at_new_york(0) } else { at };
        let id = activity_id(at, self.ids.next());
        let activity = Activity { id, account, at, date, visible_from, detail, net_amount, group };
        out.push(Event::Activity(Box::new(activity.clone())));
        self.account_mut(account).activities.push(activity);
    }

    /// Sets the timers of one session.
    pub(crate) fn plan_day(&mut self, day: session::Session) {
        let rules = self.settings.expiry;
        let before = 15 * market::time::MINUTE;
        let evaluations = [(rules.cutoff_ns, false), (rules.cutoff_late_close_ns, true)];
        if rules.sell_unaffordable {
            for (cutoff, late) in evaluations {
                let at = day.close - (cutoff - before).max(0);
                self.set_timer(at, Timer::Evaluate(day.date, late));
            }
        }
        self.set_timer(day.close + rules.settle_after_ns, Timer::Settle(day.date));
    }
}

/// What is told of an order.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    kind: OrderEventKind,
    execution: Option<Execution>,
    reason: Option<String>,
}

impl From<OrderEventKind> for Told {
    fn from(kind: OrderEventKind) -> Self {
        Self { kind, execution: None, reason: None }
    }
}

impl Told {
    pub(crate) fn filled(kind: OrderEventKind, execution: Execution) -> Self {
        Self { kind, execution: Some(execution), reason: None }
    }
    pub(crate) fn because(kind: OrderEventKind, reason: &str) -> Self {
        Self { kind, execution: None, reason: Some(reason.to_owned()) }
    }
}
