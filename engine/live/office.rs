//! The office: one thread for the broker's slow answers. It asks for account, holdings and activities, fetches
//! history, repairs gaps and re-centres the option subscription as prices move. What it
//! learns goes to the seats as letters; the trading thread never waits for it.

use crate::clock::Clock;
use crate::feed::Gap;
use crate::floor::Deliver;
use crate::inquiry::{Inquiry, Unanswered};
use crate::keeper::Word;
use crate::repair::{self, Repairs};
use crate::trading::{Addresses, Switch};
use crate::universe::{self, Choice, Wish};
use crossbeam::queue::ArrayQueue;
use desk::letter::{Address, Envelope, Letter};
use market::alert::{AlertNote, Severity};
use market::feed::{FeedName, FeedNote, FeedState};
use market::order::{Account, Holding, ReasonText};
use market::quote::{Bar, MarketEvent, OpenInterest, Timeframe};
use market::time::{DAY, MINUTE};
use market::{Contract, Date, Label, Price, RunId, Symbol, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// How often the broker may be asked for account and activities, in wall time: well inside 200 requests a minute.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Engine time after which account and activities are asked again.
const ASK_EVERY_ENGINE_NS: i64 = MINUTE;
/// Engine time after which the option subscription is looked at again.
const RECENTRE_EVERY_NS: i64 = 30 * MINUTE;
/// How far back beyond the last one recorded activities are asked for: expiry rows of paper accounts come a day late, over a long weekend four.
const ACTIVITIES_DAYS: i32 = 5;

/// Wall time left for the answers of look-ups before holdings are compared.
const LOOK_UPS_FIRST: Duration = Duration::from_millis(700);

/// What the office is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Compare with the broker now: activities, account, holdings.
    Reconcile,
    /// A symbol's seat was made anew: it needs its past, its models and its positions.
    Introduce(Symbol),
}

/// What the office works with.
pub struct Parts {
    /// The broker's REST side.
    pub rest: Inquiry,
    /// The engine's clock.
    pub clock: Clock,
    /// Everyone's addresses.
    pub addresses: Addresses,
    /// The line to the feeds.
    pub switch: UnboundedSender<Switch>,
    /// Gaps to repair.
    pub gaps: UnboundedReceiver<Gap>,
    /// Requests.
    pub asks: UnboundedReceiver<Ask>,
    /// Letters for the views, for what concerns only the operator.
    pub letters: Arc<ArrayQueue<Envelope>>,
    /// The line to the keeper of the models.
    pub keeper: crossbeam::channel::Sender<Word>,
    /// How often holdings and open orders are asked for.
    pub reconcile_every: Duration,
    /// Whose orders are ours.
    pub run: RunId,
    /// The newest date of which activities are on record: what came after is asked for.
    pub activities_since: Date,
    /// What to listen to, the same for each underlying.
    pub wish: Wish,
    /// Contracts listed, by underlying.
    pub listed: BTreeMap<Symbol, Vec<Contract>>,
    /// How much history a seat is given.
    pub history: HistoryWish,
}

/// What is known of one underlying before the feeds start.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Contracts that may be traded, with their open interest.
    pub listed: Vec<(Contract, Option<OpenInterest>)>,
    /// History, oldest first.
    pub bars: Vec<(Timeframe, Bar)>,
    /// The last close known.
    pub spot: Option<Price>,
}

/// How much history is fetched.
#[derive(Clone, Copy, Debug)]
pub struct HistoryWish {
    /// Calendar days of minute bars.
    pub minute_days: i32,
    /// Calendar days of daily bars.
    pub daily_days: i32,
}

/// Fetches contracts and history of every symbol.
///
/// # Errors
/// The first request that fails, by its kind.
pub async fn know(
    rest: &Inquiry,
    now: Timestamp,
    symbols: &[Symbol],
    wish: &Wish,
    history: HistoryWish,
) -> Result<BTreeMap<Symbol, Known>, Unanswered> {
    let (today, _) = now.new_york();
    let mut all: BTreeMap<Symbol, Known> = symbols.iter().map(|s| (*s, Known::default())).collect();
    let spans = [(Timeframe::Day1, history.daily_days), (Timeframe::Min1, history.minute_days)];
    for (timeframe, days) in spans {
        let from = now - i64::from(days) * DAY;
        for (symbol, mut bar) in rest.bars(symbols, timeframe, from, now).await? {
            let Some(known) = all.get_mut(&symbol) else { continue };
            // The bar that is still forming comes again as trades.
            if timeframe == Timeframe::Min1 && bar.start + MINUTE > now
                || timeframe == Timeframe::Day1 && bar.start.new_york().0 >= today
            {
                continue;
            }
            // History is no repair of ours.
            bar.repaired = false;
            known.spot = Some(bar.close);
            known.bars.push((timeframe, bar));
        }
    }
    for symbol in symbols {
        let from = today.plus(wish.dte_min);
        let to = today.plus(wish.dte_max + 30);
        let listed = rest.contracts(*symbol, from, to).await?;
        if let Some(known) = all.get_mut(symbol) {
            known.listed = listed;
        }
    }
    Ok(all)
}

/// Letters that make a fresh seat know its past: history, then the contracts it may use with their open interest.
pub fn introduce(symbol: Symbol, known: &Known, chosen: &[Contract], at: Timestamp) -> Vec<Envelope> {
    let to = Address::Underlying(symbol);
    let envelope = |event| Envelope { from: Address::Venue, to, at, letter: Letter::Market(event) };
    let bars = known.bars.iter().map(|(timeframe, bar)| MarketEvent::Bar {
        symbol,
        timeframe: *timeframe,
        bar: *bar,
        updated: false,
    });
    let interest =
        known.listed.iter().filter(|(contract, _)| chosen.contains(contract)).map(|(contract, oi)| {
            let none = OpenInterest { contract: *contract, contracts: 0, as_of: at.new_york().0.plus(-1) };
            MarketEvent::OpenInterest(oi.unwrap_or(none))
        });
    bars.chain(interest).map(envelope).collect()
}

/// The office at work.
pub struct Office {
    parts: Parts,
    /// Activities told in this run.
    told: BTreeSet<u64>,
    asked: Timestamp,
    asked_date: Date,
    centred: Timestamp,
    centred_on: Vec<Contract>,
    /// The date activities are known up to.
    activities_since: Date,
    /// What the broker told last, to ask again when it tells something else.
    holdings: Option<Vec<Holding>>,
    is_second_due: bool,
    repairs: Repairs,
}

impl Office {
    /// Opens the office.
    pub fn new(parts: Parts, chosen: Vec<Contract>) -> Self {
        let now = parts.clock.now();
        Self {
            activities_since: parts.activities_since,
            holdings: None,
            is_second_due: false,
            repairs: Repairs::default(),
            parts,
            told: BTreeSet::new(),
            asked: now,
            asked_date: now.new_york().0,
            centred: now,
            centred_on: chosen,
        }
    }

    /// Works until every line to it is closed.
    pub async fn work(mut self) {
        let mut asks = tokio::time::interval(ASK_EVERY);
        let mut holdings = tokio::time::interval(self.parts.reconcile_every);
        // One question takes its time; what was missed meanwhile is not made up for.
        for clock in [&mut asks, &mut holdings] {
            clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        }
        // The start asks by itself.
        holdings.reset();
        loop {
            tokio::select! {
                gap = self.parts.gaps.recv() => match gap {
                    Some(gap) => self.repair_all(gap).await,
                    None => return,
                },
                ask = self.parts.asks.recv() => match ask {
                    Some(Ask::Reconcile) => self.reconcile().await,
                    Some(Ask::Introduce(symbol)) => self.introduce(symbol).await,
                    None => return,
                },
                _ = asks.tick() => self.routine().await,
                _ = holdings.tick() => self.ask_holdings_and_orders().await,
            }
        }
    }

    /// Account and activities when engine time has passed; holdings too when a new day began; the option
    /// subscription when prices may have moved.
    async fn routine(&mut self) {
        let now = self.parts.clock.now();
        let (date, _) = now.new_york();
        if std::mem::take(&mut self.is_second_due) {
            // Before a difference is called one, and before the account: the first answer may have crossed a fill, and
            // cash is compared while they differ, though it holds fees that are told much later.
            self.ask_activities().await;
            self.ask_holdings().await;
            self.is_second_due = false;
        }
        if date != self.asked_date {
            self.asked_date = date;
            self.asked = now;
            self.relist(date).await;
            self.reconcile().await;
        } else if now.since(self.asked) >= ASK_EVERY_ENGINE_NS {
            self.asked = now;
            self.ask_account().await;
        }
        for gap in self.repairs.due(now) {
            self.repair(gap).await;
        }
        if now.since(self.centred) >= RECENTRE_EVERY_NS {
            self.centred = now;
            self.recentre(date).await;
        }
    }

    async fn ask_account(&mut self) {
        if !self.ask_activities().await {
            // The first account opens a book: what happened before must have been told by then.
            return;
        }
        match self.parts.rest.account(self.parts.clock.now()).await {
            Ok(account) => self.to_risk(Letter::Account(account)),
            Err(fault) => self.trouble("account", &fault),
        }
    }

    /// True when they were told.
    async fn ask_activities(&mut self) -> bool {
        let after = self.activities_since.min(self.asked_date).plus(-ACTIVITIES_DAYS);
        match self.parts.rest.activities(after).await {
            Ok(notes) => {
                for note in notes {
                    // Once a run is enough; risk knows those of earlier runs by their ids.
                    if self.told.insert(note.id) {
                        self.to_risk(Letter::Activity(note));
                    }
                }
                self.activities_since = self.asked_date;
                true
            }
            Err(fault) => {
                self.trouble("activities", &fault);
                false
            }
        }
    }

    /// Between two full comparisons: without the account, whose cash holds fees before they are told.
    async fn ask_holdings_and_orders(&mut self) {
        self.ask_open_orders().await;
        self.ask_activities().await;
        self.ask_holdings().await;
    }

    /// Tells execution of every open order of ours: one it does not know is taken back.
    async fn ask_open_orders(&mut self) -> Option<Vec<Contract>> {
        match self.parts.rest.open_orders().await {
            Ok(orders) => {
                let ours = orders.iter().filter_map(|order| order.report.as_ref());
                for report in ours.filter(|report| self.parts.run.owns(&report.id)) {
                    let at = self.parts.clock.now();
                    let letter = Letter::Report(report.clone());
                    let envelope = Envelope { from: Address::Venue, to: Address::Execution, at, letter };
                    self.parts.addresses.execution.do_send(Deliver { envelope, origin_ns: 0 });
                }
                Some(orders.into_iter().flat_map(|order| order.contracts).collect())
            }
            Err(fault) => {
                self.trouble("open orders", &fault);
                None
            }
        }
    }

    /// Activities first, so that an expiry is booked before holdings are compared.
    async fn reconcile(&mut self) {
        // Look-ups of orders that were under way bring their fills first; else book and broker differ by them.
        tokio::time::sleep(LOOK_UPS_FIRST).await;
        self.ask_open_orders().await;
        self.ask_account().await;
        self.ask_holdings().await;
    }

    /// Holdings to risk. When they are not what they were, they are asked for once more soon.
    async fn ask_holdings(&mut self) {
        match self.parts.rest.holdings().await {
            Ok(holdings) => {
                self.is_second_due = self.holdings.as_ref() != Some(&holdings);
                self.holdings = Some(holdings.clone());
                if holdings.is_empty() {
                    self.to_risk(Letter::NoHoldings);
                }
                let of = holdings.len() as u32;
                for (index, holding) in holdings.into_iter().enumerate() {
                    self.to_risk(Letter::Holding { holding, index: index as u32, of });
                }
            }
            Err(fault) => self.trouble("positions", &fault),
        }
    }

    /// A new day lists new contracts.
    async fn relist(&mut self, today: Date) {
        let (from, to) = (today.plus(self.parts.wish.dte_min), today.plus(self.parts.wish.dte_max + 30));
        let symbols: Vec<Symbol> = self.parts.listed.keys().copied().collect();
        for symbol in symbols {
            match self.parts.rest.contracts(symbol, from, to).await {
                Ok(listed) => {
                    for (_, oi) in &listed {
                        if let Some(oi) = oi {
                            self.to_symbol(symbol, Letter::Market(MarketEvent::OpenInterest(*oi)));
                        }
                    }
                    self.parts.listed.insert(symbol, listed.into_iter().map(|(c, _)| c).collect());
                }
                Err(fault) => return self.trouble("contracts", &fault),
            }
        }
        self.recentre(today).await;
    }

    /// Chooses contracts anew around the prices of now, and changes the subscription when the choice changed.
    async fn recentre(&mut self, today: Date) {
        let symbols: Vec<Symbol> = self.parts.listed.keys().copied().collect();
        let spots: BTreeMap<Symbol, Price> = match self.parts.rest.last_prices(&symbols).await {
            Ok(spots) => spots.into_iter().collect(),
            Err(fault) => return self.trouble("latest trades", &fault),
        };
        let mut kept: Vec<Contract> = match self.parts.rest.holdings().await {
            Ok(holdings) => holdings.iter().filter_map(|h| h.instrument.contract()).collect(),
            Err(fault) => return self.trouble("positions", &fault),
        };
        let Some(worked) = self.ask_open_orders().await else { return };
        kept.extend(worked);
        let choices = self.parts.listed.iter().map(|(symbol, listed)| Choice {
            symbol: *symbol,
            spot: spots.get(symbol).copied(),
            listed,
        });
        let chosen = universe::choose_all(choices, today, &kept, &self.centred_on, &self.parts.wish);
        if !chosen.is_empty() && chosen != self.centred_on {
            self.centred_on.clone_from(&chosen);
            // The trading thread may be ending.
            let _ = self.parts.switch.send(Switch::Options(chosen));
        }
    }

    /// Repairs a gap and everything that came in behind it; however many gaps the order feed told of, the broker is
    /// asked once.
    async fn repair_all(&mut self, first: Gap) {
        let mut gaps = vec![first];
        while let Ok(more) = self.parts.gaps.try_recv() {
            gaps.push(more);
        }
        for gap in coalesced(gaps) {
            if gap.feed == FeedName::Orders {
                self.reconcile().await;
            } else {
                self.repairs.plan(gap, self.parts.clock.now());
                self.repair(gap).await;
            }
        }
    }

    /// Fetches what a feed missed and marks the bars it fell into.
    async fn repair(&mut self, gap: Gap) {
        if gap.feed == FeedName::Stocks {
            let symbols: Vec<Symbol> = self.parts.addresses.symbols.iter().map(|(s, _)| *s).collect();
            let from = repair::minute_of(gap.from);
            match self.parts.rest.bars(&symbols, Timeframe::Min1, from, gap.to).await {
                Ok(bars) => {
                    let now = self.parts.clock.now();
                    // What is still forming would overwrite the trades heard since.
                    for (symbol, mut bar) in
                        bars.into_iter().filter(|(_, b)| repair::is_finished(b.start, now))
                    {
                        bar.repaired = true;
                        let event =
                            MarketEvent::Bar { symbol, timeframe: Timeframe::Min1, bar, updated: true };
                        self.to_symbol(symbol, Letter::Market(event));
                    }
                }
                Err(fault) => {
                    let now = self.parts.clock.now();
                    self.repairs.again(gap, now + MINUTE);
                    return self.trouble("bars of the gap", &fault);
                }
            }
        }
        let at = self.parts.clock.now();
        let note = FeedNote { feed: gap.feed, state: FeedState::Repaired, at };
        for (symbol, _) in self.parts.addresses.symbols.clone() {
            self.to_symbol(symbol, Letter::Feed(note));
        }
    }

    /// A fresh seat of a symbol learns its past, gets its models, and is told by risk what it holds.
    async fn introduce(&mut self, symbol: Symbol) {
        let addresses = self.parts.addresses.clone();
        let Some(place) = addresses.symbols.iter().position(|(s, _)| *s == symbol) else { return };
        let Parts { rest, clock, wish, history, .. } = &self.parts;
        match know(rest, clock.now(), &[symbol], wish, *history).await {
            Ok(known) => {
                let known = known.get(&symbol).into_iter();
                for envelope in known.flat_map(|k| introduce(symbol, k, &self.centred_on, clock.now())) {
                    addresses.symbols[place].1.do_send(Deliver { envelope, origin_ns: 0 });
                }
            }
            // Without its past it cannot forecast, but it can look after what it holds.
            Err(fault) => self.trouble("history for a seat made anew", &fault),
        }
        // A full line means that the keeper hangs: the seat then has no models, which the views show.
        let _ = self.parts.keeper.try_send(Word::Introduce(symbol));
        self.to_risk(Letter::Resume);
    }

    fn to_risk(&self, letter: Letter) {
        let at = self.parts.clock.now();
        let envelope = Envelope { from: Address::Venue, to: Address::Risk, at, letter };
        self.parts.addresses.risk.do_send(Deliver { envelope, origin_ns: 0 });
    }

    fn to_symbol(&self, symbol: Symbol, letter: Letter) {
        let at = self.parts.clock.now();
        let to = Address::Underlying(symbol);
        if let Some((_, seat)) = self.parts.addresses.symbols.iter().find(|(s, _)| *s == symbol) {
            seat.do_send(Deliver {
                envelope: Envelope { from: Address::Venue, to, at, letter },
                origin_ns: 0,
            });
        }
    }

    fn trouble(&self, what: &'static str, fault: &Unanswered) {
        self.alert(Severity::Warning, "broker_not_answering", &format!("{what}: {fault}"));
    }

    fn alert(&self, severity: Severity, what: &'static str, text: &str) {
        let at = self.parts.clock.now();
        let note = AlertNote {
            severity,
            what: Label::literal(what),
            detail: ReasonText::format(format_args!("{text}")),
            at,
        };
        let envelope =
            Envelope { from: Address::Record, to: Address::Operator, at, letter: Letter::Alert(note) };
        // A full queue drops an alert of the office; it comes again at the next round.
        let _ = self.parts.letters.push(envelope);
    }
}

/// Gaps without repeats: one of the order feed is as good as many, since all of them ask for everything.
fn coalesced(gaps: Vec<Gap>) -> Vec<Gap> {
    let mut kept: Vec<Gap> = Vec::new();
    for gap in gaps {
        let told = |k: &Gap| *k == gap || (k.feed == FeedName::Orders && gap.feed == FeedName::Orders);
        if !kept.iter().any(told) {
            kept.push(gap);
        }
    }
    kept
}

/// What the broker says of the account before anything starts, and the time there.
#[derive(Clone, Copy, Debug)]
pub struct Greeting {
    /// The account.
    pub account: Account,
    /// The venue's time.
    pub now: Timestamp,
}

/// Asks clock and account: is anybody there, and are the keys right?
///
/// # Errors
/// What the venue answered instead.
pub async fn greet(rest: &Inquiry) -> Result<Greeting, Unanswered> {
    let now = rest.time().await?;
    let account = rest.account(now).await?;
    Ok(Greeting { account, now })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_gaps_of_the_order_feed_are_one_question() {
        let gap =
            |feed, s| Gap { feed, from: Timestamp::from_seconds(s), to: Timestamp::from_seconds(s + 1) };
        let (stocks, orders) = (gap(FeedName::Stocks, 1), gap(FeedName::Orders, 1));
        let mut gaps = vec![orders, stocks];
        gaps.extend((2..500).map(|s| gap(FeedName::Orders, s)));
        gaps.push(gap(FeedName::Stocks, 9));
        assert_eq!(coalesced(gaps), [orders, stocks, gap(FeedName::Stocks, 9)]);
    }
}
