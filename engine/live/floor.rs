//! What all actors of one thread share: the clock, the pen of the journal, the histograms, the list of seats and
//! the line to the views. It carries out what seats say: records it, then delivers it.

use crate::clock::{Clock, monotonic_ns};
use crate::stages::{Stage, Stages, TickClock};
use crossbeam::queue::ArrayQueue;
use desk::letter::{Address, Envelope, Letter};
use desk::seat::{Outbox, Seat};
use journal::{LetterKind, Pen};
use market::alert::{AlertNote, Severity};
use market::order::{Outcome, ReasonText, Report, Request};
use market::quote::MarketEvent;
use market::{Label, Symbol, Timestamp};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A letter on its way to an actor, with the moment the bytes that caused it were read (0: no tick did).
#[derive(Debug, Clone, actix::Message)]
#[rtype(result = "()")]
pub struct Deliver {
    /// The letter and its way.
    pub envelope: Envelope,
    /// Monotonic nanoseconds when the causing bytes were read.
    pub origin_ns: u64,
}

/// One thread's floor.
pub struct Floor {
    /// The engine's clock.
    pub clock: Clock,
    /// Latencies and counters of this thread.
    pub stages: RefCell<Box<Stages>>,
    pen: RefCell<Pen>,
    views: Arc<ArrayQueue<Envelope>>,
    seats: RefCell<BTreeMap<Symbol, actix::Recipient<Deliver>>>,
    risk: RefCell<Option<actix::Recipient<Deliver>>>,
    execution: RefCell<Option<actix::Recipient<Deliver>>>,
    venue: RefCell<Option<actix::Recipient<Deliver>>>,
    shelf: RefCell<Option<actix::Recipient<Deliver>>>,
    /// Whether market words go on record; without them a run cannot be fed again.
    keep_inputs: bool,
    /// Set when a letter that must not be missing from the record found the journal's ring full.
    record_broken: Cell<bool>,
}

impl Floor {
    /// A floor without seats.
    pub fn new(clock: Clock, pen: Pen, keep_inputs: bool, views: Arc<ArrayQueue<Envelope>>) -> Self {
        Self {
            clock,
            stages: RefCell::new(Stages::empty()),
            pen: RefCell::new(pen),
            views,
            seats: RefCell::default(),
            risk: RefCell::default(),
            execution: RefCell::default(),
            venue: RefCell::default(),
            shelf: RefCell::default(),
            keep_inputs,
            record_broken: Cell::new(false),
        }
    }

    /// Says where letters to `address` go from now on.
    pub fn seat_at(&self, address: Address, recipient: actix::Recipient<Deliver>) {
        match address {
            Address::Underlying(symbol) => {
                self.seats.borrow_mut().insert(symbol, recipient);
            }
            Address::Risk => *self.risk.borrow_mut() = Some(recipient),
            Address::Execution => *self.execution.borrow_mut() = Some(recipient),
            Address::Venue => *self.venue.borrow_mut() = Some(recipient),
            Address::Shelf => *self.shelf.borrow_mut() = Some(recipient),
            Address::Record | Address::Operator => {}
        }
    }

    /// Lets `seat` hear a letter: on record first, then heard, then what it says is recorded and delivered.
    /// `read_ns` is when the causing bytes were read, 0 when no tick caused it. `out` is the seat's own,
    /// reused box.
    pub fn hear(&self, seat: &mut dyn Seat, envelope: &Envelope, read_ns: u64, out: &mut Outbox) {
        let heard_ns = monotonic_ns();
        let is_market = matches!(envelope.letter, Letter::Market(_));
        let recorded = is_market && !self.keep_inputs || self.pen.borrow_mut().heard(envelope);
        if !recorded && !LetterKind::of(&envelope.letter).is_telemetry() {
            // From here on the record does not tell what the seats know: the engine has to stop and recover. A
            // clearance without a record would become an order that nobody knows after a kill.
            self.record_broken.set(true);
            if matches!(envelope.letter, Letter::Cleared(_)) {
                return;
            }
        }
        if !recorded && matches!(envelope.letter, Letter::Scored(_)) {
            // What moves models must be on record; one score less decides nothing.
            return;
        }
        {
            let mut stages = self.stages.borrow_mut();
            let mut tick = TickClock::start(&mut stages, heard_ns);
            seat.hear_staged(envelope.at, &envelope.letter, out, &mut tick);
            let done_ns = monotonic_ns();
            match &envelope.letter {
                Letter::Market(event @ (MarketEvent::Quote(..) | MarketEvent::Trade(..))) if read_ns > 0 => {
                    stages.record(Stage::Tick, done_ns.saturating_sub(read_ns));
                    if let (true, Some(stamp)) = (self.clock.is_wall(), event.at()) {
                        let since = envelope.at.since(stamp) + (done_ns - heard_ns) as i64;
                        stages.record(Stage::SinceStamp, since.max(0) as u64);
                    }
                }
                Letter::Propose(_) => stages.record(Stage::Risk, done_ns.saturating_sub(heard_ns)),
                _ => {}
            }
        }
        if !is_market {
            self.show(envelope);
        }
        self.carry_out(seat.address(), envelope.at, out, read_ns);
    }

    /// Records and delivers everything a seat said.
    pub fn carry_out(&self, from: Address, at: Timestamp, out: &mut Outbox, origin_ns: u64) {
        for (to, letter) in out.drain(..) {
            let envelope = Envelope { from, to, at, letter };
            let recorded = self.pen.borrow_mut().said(&envelope);
            if recorded {
                self.deliver(envelope, origin_ns);
            } else {
                self.not_recorded(envelope);
            }
        }
    }

    /// Delivers a letter to whoever it is addressed to. Letters to nobody here only reach record and views.
    pub fn deliver(&self, envelope: Envelope, origin_ns: u64) {
        let missing = match envelope.to {
            Address::Underlying(symbol) => match self.seats.borrow().get(&symbol) {
                Some(seat) => return seat.do_send(Deliver { envelope, origin_ns }),
                None => envelope,
            },
            Address::Risk => match &*self.risk.borrow() {
                Some(seat) => return seat.do_send(Deliver { envelope, origin_ns }),
                None => envelope,
            },
            Address::Execution => match &*self.execution.borrow() {
                Some(seat) => return seat.do_send(Deliver { envelope, origin_ns }),
                None => envelope,
            },
            Address::Venue => match &*self.venue.borrow() {
                Some(venue) => {
                    self.show(&envelope);
                    return venue.do_send(Deliver { envelope, origin_ns });
                }
                None => envelope,
            },
            Address::Shelf => match &*self.shelf.borrow() {
                Some(shelf) => return shelf.do_send(Deliver { envelope, origin_ns }),
                None => envelope,
            },
            Address::Record | Address::Operator => envelope,
        };
        self.show(&missing);
    }

    /// Leaves a copy for the views' thread, which comes by on its own time: waking it would cost this thread 10 us. What does not fit is counted.
    fn show(&self, envelope: &Envelope) {
        if self.views.push(envelope.clone()).is_err() {
            self.stages.borrow_mut().counters.view_dropped += 1;
        }
    }

    /// The ring is full: nothing that opens risk leaves unrecorded. An order and a proposal are answered as refused,
    /// so that their lives end cleanly and whoever waits for them goes on; reports and endings still travel, since
    /// the venue's truth is fetched again at the next reconciliation.
    fn not_recorded(&self, envelope: Envelope) {
        match &envelope.letter {
            Letter::Request(Request::Submit(ticket)) => {
                let report = Report {
                    id: ticket.id,
                    outcome: Outcome::Rejected {
                        code: 0,
                        reason: ReasonText::format(format_args!("not sent: the journal's ring is full")),
                    },
                    at: envelope.at,
                };
                self.deliver(
                    Envelope {
                        from: Address::Venue,
                        to: Address::Execution,
                        letter: Letter::Report(report),
                        ..envelope
                    },
                    0,
                );
            }
            Letter::Propose(proposal) => {
                let decision = risk::Decision::unrecorded(proposal.id);
                let to = Address::Underlying(proposal.underlying);
                let letter = Letter::Decided(decision);
                self.deliver(Envelope { from: Address::Risk, to, at: envelope.at, letter }, 0);
            }
            Letter::Forecast(_)
            | Letter::Mark(_)
            | Letter::Predicted(_)
            | Letter::Scored(_)
            | Letter::Combined(_)
            | Letter::Drift(_) => {}
            _ => self.deliver(envelope, 0),
        }
    }

    /// Tells the operator something that no seat says: on record, then to the views.
    pub fn alert(&self, severity: Severity, what: &'static str, detail: std::fmt::Arguments<'_>) {
        let at = self.clock.now();
        let detail = ReasonText::format(detail);
        let letter = Letter::Alert(AlertNote { severity, what: Label::literal(what), detail, at });
        let envelope = Envelope { from: Address::Venue, to: Address::Operator, at, letter };
        // Not recorded is not told: the views still are.
        let _ = self.pen.borrow_mut().said(&envelope);
        self.show(&envelope);
    }

    /// True once the record misses something it must have; reading clears it.
    pub fn take_record_broken(&self) -> bool {
        self.record_broken.replace(false)
    }

    /// The journal's pen, for closing it.
    pub fn pen(&self) -> &RefCell<Pen> {
        &self.pen
    }
}
