//! One actor a connection. A market feed puts what it hears into the symbols' posts and rings their doorbells once
//! the socket is drained; the order feed passes reports to execution. State changes go to every seat that depends
//! on the feed, and a gap is handed to the office for repair.

use crate::bell::Bell;
use crate::clock::monotonic_ns;
use crate::floor::Floor;
use crate::post::{Post, Received};
use crate::stages::Stage;
use alpaca::ids::VenueIds;
use desk::letter::{Address, Envelope, Letter};
use market::alert::Severity;
use market::feed::{FeedName, FeedNote, FeedState};
use market::order::Outcome;
use market::quote::MarketEvent;
use market::{Instrument, Symbol, Timestamp};
use std::cell::RefCell;
use std::rc::Rc;

/// Where one symbol's words go.
#[derive(Clone)]
pub struct Door {
    /// The symbol.
    pub symbol: Symbol,
    /// Its post on this thread.
    pub post: Rc<RefCell<Post>>,
    /// Its seat's bell (or, for a seat on a shard, the shard's carrier).
    pub bell: Bell,
}

/// A stretch of time a feed did not cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The feed.
    pub feed: FeedName,
    /// Newest stamp before it.
    pub from: Timestamp,
    /// First stamp after it.
    pub to: Timestamp,
}

/// A market feed's hands: what the socket driver calls.
pub struct MarketHands {
    feed: FeedName,
    floor: Rc<Floor>,
    doors: Rc<Vec<Door>>,
    /// Seats that must know the feed's state.
    dependents: Vec<Address>,
    gaps: tokio::sync::mpsc::UnboundedSender<Gap>,
    read_ns: u64,
    /// Newest stamp of a quote or trade.
    newest: Option<Timestamp>,
}

impl MarketHands {
    /// Hands for one feed.
    pub fn new(
        feed: FeedName,
        floor: Rc<Floor>,
        doors: Rc<Vec<Door>>,
        dependents: Vec<Address>,
        gaps: tokio::sync::mpsc::UnboundedSender<Gap>,
    ) -> Self {
        Self { feed, floor, doors, dependents, gaps, read_ns: 0, newest: None }
    }

    fn door(&self, symbol: Symbol) -> Option<&Door> {
        // A dozen symbols: a scan over eight-byte names beats any map.
        self.doors.iter().find(|door| door.symbol == symbol)
    }

    /// Takes one decoded word.
    pub fn event(&mut self, read_ns: u64, event: MarketEvent) {
        self.read_ns = read_ns;
        let mut stages = self.floor.stages.borrow_mut();
        let counters = &mut stages.counters;
        match event {
            MarketEvent::Quote(..) => counters.quotes_in += 1,
            MarketEvent::Trade(..) => counters.trades_in += 1,
            _ => counters.others_in += 1,
        }
        if let Some(stamp) = event.at()
            && !matches!(event, MarketEvent::Bar { .. })
        {
            if !self.floor.clock.observe(stamp) {
                counters.future_stamps += 1;
                let count = counters.future_stamps;
                drop(stages);
                self.tell_future_stamp(count, &event);
                return;
            }
            self.newest = self.newest.max(Some(stamp));
        }
        let Some(door) = self.door(underlying_of(&event)) else {
            counters.unknown_symbols += 1;
            return;
        };
        let received = Received { event, read_ns, decoded_ns: monotonic_ns() };
        counters.quotes_conflated += door.post.borrow_mut().push(received);
    }

    /// The socket is drained: rings every symbol that has mail.
    pub fn flush(&mut self) {
        if self.read_ns > 0 {
            let spent = monotonic_ns().saturating_sub(self.read_ns);
            self.floor.stages.borrow_mut().record(Stage::Decode, spent);
            self.read_ns = 0;
        }
        for door in self.doors.iter() {
            if !door.post.borrow().is_empty() {
                door.bell.ring();
            }
        }
    }

    /// True while a post is full of what must not drop: the socket is not read until it has room.
    pub fn must_wait(&self) -> bool {
        let full = self.doors.iter().any(|door| door.post.borrow().is_full());
        if full {
            self.floor.stages.borrow_mut().counters.back_pressure += 1;
        }
        full
    }

    /// The feed's state changed.
    pub fn state(&mut self, state: FeedState, gap: Option<(Timestamp, Timestamp)>) {
        tell_state(&self.floor, self.feed, state, &self.dependents);
        if let Some((from, to)) = gap {
            // The office may be gone during an orderly stop.
            let _ = self.gaps.send(Gap { feed: self.feed, from, to });
        }
    }

    /// A word from the far future was left out: the first of each hundred is told.
    #[cold]
    fn tell_future_stamp(&self, count: u64, event: &MarketEvent) {
        if count % 100 == 1 {
            let (feed, at) = (self.feed, event.at().unwrap_or(Timestamp::MAX));
            let what = underlying_of(event);
            let text = format_args!("{feed:?}: a word about {what} stamped {at} was left out");
            self.floor.alert(Severity::Warning, "stamp_in_the_future", text);
        }
    }

    /// A frame, or part of one, could not be decoded: counted, and the first of each hundred told.
    pub fn fault(&mut self, fault: &alpaca::wire::WireFault) {
        let count = {
            let counters = &mut self.floor.stages.borrow_mut().counters;
            counters.wire_faults += 1;
            counters.wire_faults
        };
        if count % 100 == 1 {
            let feed = self.feed;
            self.floor.alert(Severity::Warning, "frame_unreadable", format_args!("{feed:?}: {fault}"));
        }
    }

    /// Newest stamp this feed carried.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// Which feed.
    pub fn feed(&self) -> FeedName {
        self.feed
    }

    /// The floor.
    pub fn floor(&self) -> &Floor {
        &self.floor
    }
}

/// Tells every dependent seat what became of a feed.
pub fn tell_state(floor: &Floor, feed: FeedName, state: FeedState, dependents: &[Address]) {
    let at = floor.clock.now();
    for to in dependents {
        let letter = Letter::Feed(FeedNote { feed, state, at });
        floor.deliver(Envelope { from: Address::Venue, to: *to, at, letter }, 0);
    }
}

/// The underlying whose seat hears an event. For options it is the root: adjusted and index roots are not followed.
fn underlying_of(event: &MarketEvent) -> Symbol {
    let of = |instrument: &Instrument| match instrument {
        Instrument::Stock(symbol) => *symbol,
        Instrument::Option(contract) => contract.root,
    };
    match event {
        MarketEvent::Quote(i, _) | MarketEvent::Trade(i, _) | MarketEvent::Status(i, _) => of(i),
        MarketEvent::Cancel(symbol, ..) | MarketEvent::Bar { symbol, .. } => *symbol,
        MarketEvent::OpenInterest(oi) => oi.contract.root,
    }
}

/// The order feed's hands: reports to execution, states to everyone.
pub struct OrderHands {
    floor: Rc<Floor>,
    dependents: Vec<Address>,
    gaps: tokio::sync::mpsc::UnboundedSender<Gap>,
    /// Which order of ours is which of the venue's.
    ids: Rc<RefCell<VenueIds>>,
    missed: Rc<RefCell<Missed>>,
}

/// Looking everything up again, but not for every unreadable update of a storm of them. Times are monotonic.
#[derive(Debug, Default)]
pub struct Missed {
    last_ns: Option<u64>,
    is_planned: bool,
}

/// Wall nanoseconds between two rounds of looking up.
const MISSED_EVERY_NS: u64 = 2_000_000_000;

impl Missed {
    /// Something was missed: how long to wait before it is asked for, `None` when that is planned already.
    pub fn plan(&mut self, now_ns: u64) -> Option<u64> {
        if std::mem::replace(&mut self.is_planned, true) {
            return None;
        }
        Some(self.last_ns.map_or(0, |last| (last + MISSED_EVERY_NS).saturating_sub(now_ns)))
    }

    /// The question was put at this time; the next one has to wait.
    pub fn asked(&mut self, now_ns: u64) {
        (self.last_ns, self.is_planned) = (Some(now_ns), false);
    }
}

impl OrderHands {
    /// Hands for the order feed.
    pub fn new(
        floor: Rc<Floor>,
        dependents: Vec<Address>,
        gaps: tokio::sync::mpsc::UnboundedSender<Gap>,
        ids: Rc<RefCell<VenueIds>>,
    ) -> Self {
        Self { floor, dependents, gaps, ids, missed: Rc::default() }
    }

    /// The floor.
    pub fn floor(&self) -> &Floor {
        &self.floor
    }

    /// One update of the stream: to execution as a report.
    pub fn update(&mut self, received_ns: u64, update: &alpaca::orders::TradeUpdate) {
        let told = self.ids.borrow_mut().report(update);
        match told {
            Ok(Some(report)) => {
                // A fill of an order that this run did not send: perhaps nobody knows it, and holdings will tell.
                let is_strange =
                    matches!(report.outcome, Outcome::Filled(_)) && !self.ids.borrow().was_sent(report.id);
                self.floor.clock.observe(report.at);
                let at = self.floor.clock.now();
                let letter = Letter::Report(report);
                let envelope = Envelope { from: Address::Venue, to: Address::Execution, at, letter };
                self.floor.deliver(envelope, received_ns);
                if is_strange {
                    self.ask_again();
                }
            }
            Ok(None) => {}
            Err(fault) => {
                let alert = format_args!("{fault}; asking the broker for all orders");
                self.floor.alert(Severity::Warning, "order_update_unreadable", alert);
                self.missed_some();
            }
        }
    }

    /// The stream's state. It replays nothing, so after every `Up` holdings are compared.
    pub fn state(&mut self, state: FeedState) {
        tell_state(&self.floor, FeedName::Orders, state, &self.dependents);
        if state == FeedState::Up {
            self.ask_again();
        }
    }

    /// An update could not be read: it may have been a fill. Execution looks every order up, as after a reconnect,
    /// and the office compares holdings.
    pub fn missed_some(&self) {
        let Some(wait_ns) = self.missed.borrow_mut().plan(monotonic_ns()) else { return };
        let (missed, floor, gaps) = (self.missed.clone(), self.floor.clone(), self.gaps.clone());
        actix_rt::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_nanos(wait_ns)).await;
            missed.borrow_mut().asked(monotonic_ns());
            tell_state(&floor, FeedName::Orders, FeedState::Up, &[Address::Execution]);
            ask_office(&floor, &gaps);
        });
    }

    fn ask_again(&self) {
        ask_office(&self.floor, &self.gaps);
    }
}

fn ask_office(floor: &Floor, gaps: &tokio::sync::mpsc::UnboundedSender<Gap>) {
    let now = floor.clock.now();
    // The office may be gone during an orderly stop.
    let _ = gaps.send(Gap { feed: FeedName::Orders, from: now, to: now });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_of_unreadable_updates_is_one_round_of_questions() {
        let mut missed = Missed::default();
        assert_eq!(missed.plan(5), Some(0), "at once");
        assert_eq!(missed.plan(6), None);
        missed.asked(7);
        assert_eq!(missed.plan(8), Some(MISSED_EVERY_NS - 1), "what came after is asked for too");
        assert!((0..100).all(|n| missed.plan(9 + n).is_none()));
        missed.asked(7 + MISSED_EVERY_NS);
        assert_eq!(missed.plan(9 * MISSED_EVERY_NS), Some(0));
    }
}
