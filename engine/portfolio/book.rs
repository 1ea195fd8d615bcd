//! The book: cash, positions and trades, exact. It hears what was cleared, filled and reported by the venue,
//! each event once by its id, and is a function of what it heard: rebuilt from the journal it compares equal.
//!
//! Two views of the same facts are kept, and [`Book::audit`] holds them together: *positions* by instrument
//! with lots first in, first out, and *shares* of them, one a trade (or nobody's), which follow a trade
//! through assignment to the sale of the last share.

use crate::deliveries::{Deliveries, Parcel, shares_of};
use crate::flows::{Flows, is_transfer};
use crate::notes::{FillNote, MarkNote};
use crate::position::{Mark, Position};
use crate::proposal::ProposalId;
use crate::seen::Seen;
use crate::trade::{Share, Trade};
use crate::{ExitReason, Proposal, Purpose};
use market::fees::{Exact, Fill, Schedule};
use market::order::{Account, Activity, ActivityNote, Effect, LegFill, Side};
use market::{Contract, Date, Instrument, Money, OrderId, Price, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// Closed trades kept in memory for views; older ones live in the journal and in the totals.
pub const CLOSED_KEPT: usize = 500;

/// Cleared proposals remembered, so that a fill that comes late is still known.
pub const INTENTS_KEPT: usize = 4_096;

/// What the book needs to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The broker's fees over time, for estimates a trade.
    pub fees: Schedule,
}

/// What booking an event did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Booked {
    /// It was booked before; nothing changed.
    Repeat,
    /// It changed these trades.
    Trades(Vec<ProposalId>),
    /// Some or all of it belongs to no trade we know: positions and cash are right, but nobody owns it.
    Stray(Vec<ProposalId>),
}

/// A proposal that was cleared and may fill.
#[derive(Clone, Debug, PartialEq)]
struct Intent {
    /// The proposal that opened, or will open, the trade.
    trade: ProposalId,
    /// What an opening fill makes a trade of.
    opens: Option<Proposal>,
}

/// The book.
#[derive(Clone, Debug, PartialEq)]
pub struct Book {
    settings: Settings,
    opening: Option<Money>,
    /// New York date of the account that opened the book.
    opened_on: Option<Date>,
    /// Date of the newest activity heard.
    newest_activity: Option<Date>,
    flows: Flows,
    realised: Money,
    positions: BTreeMap<Instrument, Position>,
    value: Money,
    trades: BTreeMap<ProposalId, Trade>,
    closed: VecDeque<ProposalId>,
    archived: Money,
    nobody: Share,
    intents: BTreeMap<ProposalId, Intent>,
    intents_by_age: VecDeque<ProposalId>,
    deliveries: Deliveries,
    executions: Seen<(OrderId, u64)>,
    activities: Seen<u64>,
    day: Option<Date>,
    day_start: Option<Money>,
    high_water: Option<Money>,
}

impl Book {
    /// An empty book. Its opening cash is the first account's.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            opening: None,
            opened_on: None,
            newest_activity: None,
            flows: Flows::default(),
            realised: Money::ZERO,
            positions: BTreeMap::new(),
            value: Money::ZERO,
            trades: BTreeMap::new(),
            closed: VecDeque::new(),
            archived: Money::ZERO,
            nobody: Share::default(),
            intents: BTreeMap::new(),
            intents_by_age: VecDeque::new(),
            deliveries: Deliveries::default(),
            executions: Seen::new(),
            activities: Seen::new(),
            day: None,
            day_start: None,
            high_water: None,
        }
    }

    // ---- what it hears ----

    /// The account. The first one gives the opening cash; true when this was it.
    pub fn apply_account(&mut self, account: &Account) -> bool {
        if self.opening.is_some() {
            return false;
        }
        self.opening = Some(account.cash - self.flows.total());
        self.opened_on = Some(account.at.new_york().0);
        self.day_start = Some(self.equity());
        self.high_water = Some(self.equity());
        true
    }

    /// A new day begins when New York's date changes: its loss is measured against the equity of now.
    pub fn roll(&mut self, now: Timestamp) {
        let today = now.new_york().0;
        if self.day.is_none_or(|day| today > day) {
            self.day = Some(today);
            if self.opening.is_some() {
                self.day_start = Some(self.equity());
            }
        }
    }

    /// A proposal was cleared: fills of its order will be known by it.
    pub fn apply_cleared(&mut self, proposal: &Proposal) {
        let (trade, opens) = match proposal.purpose {
            Purpose::Open { .. } => (proposal.id, Some(proposal.clone())),
            Purpose::Close { position, reason } => {
                self.set_closing(&position, Some(reason));
                (position, None)
            }
        };
        if self.intents.insert(proposal.id, Intent { trade, opens }).is_none() {
            self.intents_by_age.push_back(proposal.id);
        }
        self.forget_old_intents();
    }

    /// Says why a trade is being closed, or (`None`) that it no longer is.
    pub fn set_closing(&mut self, trade: &ProposalId, reason: Option<ExitReason>) {
        if let Some(trade) = self.trades.get_mut(trade).filter(|t| t.closed.is_none()) {
            trade.closing = reason;
        }
    }

    /// A fill, once by order and execution id.
    pub fn apply_fill(&mut self, note: &FillNote) -> Booked {
        if !self.executions.is_new((note.order, note.execution.id)) {
            return Booked::Repeat;
        }
        let owner = self.owner_of(note);
        let mut cash = Money::ZERO;
        for leg in &note.execution.legs {
            cash += self.fill_leg(owner, leg, note.at);
        }
        self.flows.trading += cash;
        self.note_high();
        let Some(id) = owner else { return Booked::Stray(Vec::new()) };
        let opening = self.intents.get(&note.proposal).is_some_and(|intent| intent.opens.is_some());
        if opening && let Some(trade) = self.trades.get_mut(&id) {
            trade.entered += cash;
            trade.opened_units += note.execution.units;
        }
        self.close_if_flat(id, note.at);
        Booked::Trades(vec![id])
    }

    /// What happened besides trading, once by its id. What happened before the book was opened is in the opening
    /// cash already, and was never held here: it changes nothing.
    pub fn apply_activity(&mut self, note: &ActivityNote, now: Timestamp) -> Booked {
        if !self.activities.is_new(note.id) {
            return Booked::Repeat;
        }
        self.newest_activity = self.newest_activity.max(Some(note.date));
        if self.opened_on.is_none_or(|opened| note.date < opened) {
            return Booked::Repeat;
        }
        let owners = match note.activity {
            Activity::Expired { contract, quantity } => self.flatten(contract, quantity, Money::ZERO),
            Activity::CashSettled { contract, quantity, amount } => self.flatten(contract, quantity, amount),
            Activity::Assigned { contract, quantity } | Activity::Exercised { contract, quantity } => {
                self.exercise(contract, quantity, note.date)
            }
            Activity::Delivered { symbol, shares, price } => self.deliver(Parcel { symbol, price, shares }),
            Activity::Fee { amount, .. } => {
                self.flows.fees += amount;
                Vec::new()
            }
            Activity::Cash { kind, amount } => {
                self.receive(is_transfer(&kind), amount);
                Vec::new()
            }
        };
        self.note_high();
        self.touched(owners, now)
    }

    /// A mark of something held. Marks of anything else are not kept.
    pub fn apply_mark(&mut self, note: &MarkNote) {
        if let Some(position) = self.positions.get_mut(&note.instrument) {
            self.value += position.mark_to(Mark { mid: note.mid, at: note.at });
            self.note_high();
        }
    }

    // ---- what it says ----

    /// Cash: the opening cash and everything since.
    pub fn cash(&self) -> Money {
        self.opening.unwrap_or(Money::ZERO) + self.flows.total()
    }
    /// Cash when the book was opened, once an account was heard.
    pub fn opening(&self) -> Option<Money> {
        self.opening
    }
    /// The date from which activities may be missing here: that of the newest one heard, at least the opening's.
    /// `None` before the book was opened.
    pub fn activities_since(&self) -> Option<Date> {
        self.opened_on.map(|opened| self.newest_activity.map_or(opened, |newest| newest.max(opened)))
    }
    /// Why cash changed since.
    pub fn flows(&self) -> Flows {
        self.flows
    }
    /// Cash and the value of every position at its mark (at the last fill while it has none).
    pub fn equity(&self) -> Money {
        self.cash() + self.value
    }
    /// Equity when the New York day began, once known.
    pub fn day_start(&self) -> Option<Money> {
        self.day_start
    }
    /// Profit of the day so far, realised and not, after fees and without transfers.
    pub fn day_profit(&self) -> Money {
        self.day_start.map_or(Money::ZERO, |start| self.equity() - start)
    }
    /// The highest equity so far.
    pub fn high_water(&self) -> Option<Money> {
        self.high_water
    }
    /// Profit realised by lots, first in, first out, before fees.
    pub fn realised(&self) -> Money {
        self.realised
    }
    /// Profit not yet realised, at marks.
    pub fn unrealised(&self) -> Money {
        self.positions.values().map(|p| p.value() - p.cost()).sum()
    }
    /// Positions, by instrument.
    pub fn positions(&self) -> impl Iterator<Item = &Position> {
        self.positions.values()
    }
    /// One position.
    pub fn position(&self, instrument: &Instrument) -> Option<&Position> {
        self.positions.get(instrument)
    }
    /// Signed quantity held of an instrument.
    pub fn held(&self, instrument: &Instrument) -> i64 {
        self.positions.get(instrument).map_or(0, Position::quantity)
    }
    /// The last mark of something held.
    pub fn mark(&self, instrument: &Instrument) -> Option<Mark> {
        self.positions.get(instrument).and_then(Position::mark)
    }
    /// Trades of which something is left.
    pub fn open_trades(&self) -> impl Iterator<Item = &Trade> {
        self.trades.values().filter(|trade| trade.closed.is_none())
    }
    /// Open trades and the last [`CLOSED_KEPT`] closed ones.
    pub fn trades(&self) -> impl Iterator<Item = &Trade> {
        self.trades.values()
    }
    /// One trade.
    pub fn trade(&self, id: &ProposalId) -> Option<&Trade> {
        self.trades.get(id)
    }
    /// What belongs to no trade.
    pub fn nobody(&self) -> &Share {
        &self.nobody
    }
    /// What a trade gained so far, realised and not, before fees.
    pub fn profit(&self, trade: &Trade) -> Money {
        self.profit_of(&trade.share)
    }
    /// What all trades and the strays gained so far, before fees. With fees, income and adjustments this is
    /// the change of equity.
    pub fn profit_of_trades(&self) -> Money {
        let trades: Money = self.trades.values().map(|t| self.profit_of(&t.share)).sum();
        trades + self.profit_of(&self.nobody) + self.archived
    }
    /// Signed quantities by instrument, as a broker would list them.
    pub fn holdings(&self) -> BTreeMap<Instrument, i64> {
        self.positions.iter().map(|(i, p)| (*i, p.quantity())).collect()
    }

    // ---- settling with the broker ----

    /// Takes over the broker's cash and holdings as they are. Differences go to the trades that held the
    /// instrument, oldest first, then to nobody; taken-over quantities cost their mark, or nothing.
    pub fn adjust_to(
        &mut self,
        cash: Money,
        holdings: &BTreeMap<Instrument, i64>,
        now: Timestamp,
    ) -> Vec<ProposalId> {
        let mut instruments: Vec<Instrument> = self.positions.keys().copied().collect();
        instruments.extend(holdings.keys().filter(|i| !self.positions.contains_key(i)));
        let mut owners = Vec::new();
        for instrument in instruments {
            let change = holdings.get(&instrument).copied().unwrap_or(0) - self.held(&instrument);
            if change != 0 {
                let price = self.mark(&instrument).map_or(Price::ZERO, |mark| mark.mid);
                self.trade_position(instrument, change, price);
                for (owner, part) in self.split(&instrument, change) {
                    self.share_mut(owner).add(instrument, part, Money::ZERO);
                    owners.push(owner);
                }
            }
        }
        self.flows.adjustments += cash - self.cash();
        self.deliveries.clear();
        owners.extend(self.open_trades().map(|trade| Some(trade.id)).collect::<Vec<_>>());
        self.day_start = Some(self.equity());
        self.high_water = Some(self.equity());
        match self.touched(owners, now) {
            Booked::Trades(ids) | Booked::Stray(ids) => ids,
            Booked::Repeat => Vec::new(),
        }
    }

    /// Checks that both views say the same: every position is the sum of its shares, and the cash of the
    /// shares is what trading brought. The error names the first imbalance.
    pub fn audit(&self) -> Result<(), Imbalance> {
        let mut sums: BTreeMap<Instrument, i64> = BTreeMap::new();
        let mut cash = self.archived;
        for share in self.trades.values().map(|t| &t.share).chain([&self.nobody]) {
            cash += share.cash;
            share.holds.iter().for_each(|(i, q)| *sums.entry(*i).or_insert(0) += q);
        }
        sums.retain(|_, quantity| *quantity != 0);
        let held = self.holdings();
        if let Some((i, q)) = sums.iter().find(|(i, q)| held.get(i) != Some(q)) {
            return Err(Imbalance::Quantity { instrument: *i, positions: self.held(i), shares: *q });
        }
        if let Some((i, q)) = held.iter().find(|(i, _)| !sums.contains_key(i)) {
            return Err(Imbalance::Quantity { instrument: *i, positions: *q, shares: 0 });
        }
        let marked: Money = self.positions.values().map(Position::value).sum();
        if cash != self.flows.trading || marked != self.value {
            return Err(Imbalance::Cash { flows: self.flows.trading, shares: cash });
        }
        Ok(())
    }

    // ---- inside ----

    /// The trade a fill belongs to; made on the first fill of an opening proposal.
    fn owner_of(&mut self, note: &FillNote) -> Option<ProposalId> {
        let intent = self.intents.get(&note.proposal)?;
        let id = intent.trade;
        if let Some(proposal) = &intent.opens
            && let Purpose::Open { structure } = proposal.purpose
        {
            self.trades.entry(id).or_insert_with(|| Trade::of(proposal, structure, note.at));
        }
        self.trades.contains_key(&id).then_some(id)
    }

    /// Drops the oldest intents beyond the bound, but none whose trade is open.
    fn forget_old_intents(&mut self) {
        for _ in INTENTS_KEPT..self.intents_by_age.len() {
            let Some(oldest) = self.intents_by_age.pop_front() else { return };
            let trade = self.intents.get(&oldest).and_then(|intent| self.trades.get(&intent.trade));
            if trade.is_some_and(|trade| trade.closed.is_none()) {
                self.intents_by_age.push_back(oldest);
            } else {
                self.intents.remove(&oldest);
            }
        }
    }

    /// Books one leg of a fill; answers its cash.
    fn fill_leg(&mut self, owner: Option<ProposalId>, leg: &LegFill, at: Timestamp) -> Money {
        let side = if leg.quantity > 0 { Side::Buy } else { Side::Sell };
        let held = self.share_mut(owner).held(&leg.instrument);
        let effect = if held.signum() * leg.quantity.signum() < 0 { Effect::Close } else { Effect::Open };
        let fill = Fill::trade(&leg.instrument, side, effect, leg.quantity.abs(), leg.price);
        self.estimate_fees(owner, at.new_york().0, &fill);
        let cash = -leg.price.times(leg.quantity * leg.instrument.multiplier());
        self.trade_position(leg.instrument, leg.quantity, leg.price);
        self.share_mut(owner).add(leg.instrument, leg.quantity, cash);
        cash
    }

    fn estimate_fees(&mut self, owner: Option<ProposalId>, date: Date, fill: &Fill) {
        let charges = self.settings.fees.charges(date, fill);
        let sum = charges.iter().fold(Exact::ZERO, |sum, charge| sum + charge.amount);
        if let Some(trade) = owner.and_then(|id| self.trades.get_mut(&id)) {
            trade.fees_estimated += sum;
        }
    }

    /// An option leaves the book by expiry or cash settlement of `amount` in all.
    fn flatten(&mut self, contract: Contract, quantity: i64, amount: Money) -> Vec<Option<ProposalId>> {
        let instrument = Instrument::Option(contract);
        self.trade_position(instrument, quantity, Price::ZERO);
        self.realised += amount;
        self.flows.trading += amount;
        let parts = self.split(&instrument, quantity);
        let mut left = amount;
        let last = parts.len().saturating_sub(1);
        for (i, (owner, part)) in parts.iter().enumerate() {
            // The last owner takes the rest, so that rounding loses nothing.
            let cash = if i == last { left } else { portion(amount, *part, quantity) };
            left -= cash;
            self.share_mut(*owner).add(instrument, *part, cash);
        }
        parts.into_iter().map(|(owner, _)| owner).collect()
    }

    /// An option leaves the book and promises shares.
    fn exercise(&mut self, contract: Contract, quantity: i64, date: Date) -> Vec<Option<ProposalId>> {
        let instrument = Instrument::Option(contract);
        self.trade_position(instrument, quantity, Price::ZERO);
        let parts = self.split(&instrument, quantity);
        for (owner, part) in &parts {
            self.share_mut(*owner).add(instrument, *part, Money::ZERO);
            let shares = shares_of(&contract, *part);
            let parcel = Parcel { symbol: contract.root, price: contract.strike(), shares };
            let side = if shares > 0 { Side::Buy } else { Side::Sell };
            let fill = Fill::delivery(side, Effect::Open, shares.abs(), parcel.price);
            self.estimate_fees(*owner, date, &fill);
            let here = self.deliveries.promise(parcel, *owner);
            self.move_stock(Parcel { shares: here, ..parcel }, *owner);
        }
        parts.into_iter().map(|(owner, _)| owner).collect()
    }

    /// Shares arrive or leave at the strike.
    fn deliver(&mut self, parcel: Parcel) -> Vec<Option<ProposalId>> {
        let instrument = Instrument::Stock(parcel.symbol);
        self.trade_position(instrument, parcel.shares, parcel.price);
        self.flows.trading -= parcel.price.times(parcel.shares);
        let owners = self.deliveries.arrive(parcel);
        for (owner, shares) in &owners {
            self.share_mut(*owner).add(instrument, *shares, -parcel.price.times(*shares));
        }
        owners.into_iter().map(|(owner, _)| owner).collect()
    }

    /// Gives shares that were booked to nobody to the trade whose assignment brought them.
    fn move_stock(&mut self, parcel: Parcel, owner: Option<ProposalId>) {
        let instrument = Instrument::Stock(parcel.symbol);
        let cash = parcel.price.times(parcel.shares);
        self.nobody.add(instrument, -parcel.shares, cash);
        self.share_mut(owner).add(instrument, parcel.shares, -cash);
    }

    fn receive(&mut self, transfer: bool, amount: Money) {
        if transfer {
            self.flows.transfers += amount;
            self.day_start = self.day_start.map(|start| start + amount);
            self.high_water = self.high_water.map(|high| high + amount);
        } else {
            self.flows.income += amount;
        }
    }

    /// Books a quantity in the position, with lots and value; a flat position is dropped with its mark.
    fn trade_position(&mut self, instrument: Instrument, quantity: i64, price: Price) {
        let position = self.positions.entry(instrument).or_insert_with(|| Position::flat(instrument));
        let before = position.value();
        self.realised += position.trade(quantity, price);
        self.value += position.value() - before;
        if position.quantity() == 0 {
            self.positions.remove(&instrument);
        }
    }

    /// Who a change of an instrument falls on: trades that hold the other sign, oldest first, the rest nobody.
    fn split(&self, instrument: &Instrument, quantity: i64) -> Vec<(Option<ProposalId>, i64)> {
        let held = |trade: &Trade| trade.share.held(instrument);
        let mut holders: Vec<&Trade> =
            self.open_trades().filter(|t| held(t).signum() * quantity.signum() < 0).collect();
        holders.sort_by_key(|trade| (trade.opened, trade.id));
        let mut left = quantity;
        let mut parts = Vec::new();
        for trade in holders {
            let part = held(trade).abs().min(left.abs()) * quantity.signum();
            if part != 0 {
                parts.push((Some(trade.id), part));
                left -= part;
            }
        }
        if left != 0 {
            parts.push((None, left));
        }
        parts
    }

    fn share_mut(&mut self, owner: Option<ProposalId>) -> &mut Share {
        match owner.and_then(|id| self.trades.get_mut(&id)) {
            Some(trade) => &mut trade.share,
            None => &mut self.nobody,
        }
    }

    fn profit_of(&self, share: &Share) -> Money {
        let value = |(instrument, quantity): (&Instrument, &i64)| {
            let price = self.positions.get(instrument).map_or(Price::ZERO, Position::price);
            price.times(quantity * instrument.multiplier())
        };
        share.cash + share.holds.iter().map(value).sum()
    }

    fn touched(&mut self, owners: Vec<Option<ProposalId>>, now: Timestamp) -> Booked {
        let stray = owners.contains(&None);
        let mut ids: Vec<ProposalId> = owners.into_iter().flatten().collect();
        ids.sort_unstable();
        ids.dedup();
        ids.iter().for_each(|id| self.close_if_flat(*id, now));
        if stray { Booked::Stray(ids) } else { Booked::Trades(ids) }
    }

    /// A trade is closed when nothing of it is left and no shares are on their way to it; a late fill or
    /// delivery opens it again.
    fn close_if_flat(&mut self, id: ProposalId, at: Timestamp) {
        let owed = self.deliveries.owes(&id);
        let Some(trade) = self.trades.get_mut(&id) else { return };
        let done = trade.is_flat() && !owed;
        if done == trade.closed.is_some() {
            return;
        }
        self.closed.retain(|closed| *closed != id);
        if !done {
            trade.closed = None;
            return;
        }
        trade.closed = Some(at);
        self.closed.push_back(id);
        if self.closed.len() > CLOSED_KEPT
            && let Some(oldest) = self.closed.pop_front()
            && let Some(trade) = self.trades.remove(&oldest)
        {
            self.archived += trade.share.cash;
        }
    }

    fn note_high(&mut self) {
        let equity = self.equity();
        if self.high_water.is_some_and(|high| equity > high) {
            self.high_water = Some(equity);
        }
    }
}

/// `amount` times `part / whole`, toward zero.
fn portion(amount: Money, part: i64, whole: i64) -> Money {
    if whole == 0 {
        return Money::ZERO;
    }
    let micros = i128::from(amount.micros()) * i128::from(part) / i128::from(whole);
    Money::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// The two views of the book differ: an error of ours, never of the venue's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Imbalance {
    /// A position is not the sum of its shares.
    #[error(
        "{instrument}: the position says {positions}, its owners {shares}; rebuild the book from the journal"
    )]
    Quantity {
        /// Where.
        instrument: Instrument,
        /// By position.
        positions: i64,
        /// By owners.
        shares: i64,
    },
    /// The cash of the shares is not what trading brought, or the marked value drifted.
    #[error("trading brought {flows}, its owners have {shares}; rebuild the book from the journal")]
    Cash {
        /// By flows.
        flows: Money,
        /// By owners.
        shares: Money,
    },
}
