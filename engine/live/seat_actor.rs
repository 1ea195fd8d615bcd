//! One actor around any seat. It takes letters from other actors and market words from its post, lets the seat
//! hear them, and survives a seat that panics: the letter is named in an alert, and the seat is made anew when it
//! can be.

use crate::bell::{Bell, Ring};
use crate::floor::{Deliver, Floor};
use crate::look::Look;
use crate::post::Post;
use crate::stages::Stage;
use actix::{Actor, Context, Handler, Message, StreamHandler};
use desk::letter::{Address, Envelope, Letter};
use desk::seat::{Outbox, Seat};
use market::alert::{AlertNote, Severity};
use market::feed::{FeedNote, FeedState};
use market::order::ReasonText;
use market::quote::MarketEvent;
use market::{Label, Timestamp};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// Look at your deadline.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Tick;

/// A compiled model for this seat, to be seated by the letter that names it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Install {
    /// What is announced.
    pub note: forecast::notes::ModelNote,
    /// The plan, spawned for this seat alone; `None` when its bundle is gone and no plan of it is wanted any more.
    pub plan: Option<Box<dyn forecast::Plan>>,
    /// True when that letter comes with it: no shelf decides about this model.
    pub is_announced: bool,
}

/// A seat that can be given models. Seats without models keep the default.
pub trait TakesModels {
    /// Leaves a plan for the letter that announces it.
    fn offer(&mut self, _note: &forecast::notes::ModelNote, _plan: Box<dyn forecast::Plan>) {}
    /// Keeps no plan of a model, as soon as nothing asks it any more.
    fn withdraw(&mut self, _note: &forecast::notes::ModelNote) {}
}

impl TakesModels for desk::seat::UnderlyingSeat {
    fn offer(&mut self, note: &forecast::notes::ModelNote, plan: Box<dyn forecast::Plan>) {
        Self::offer(self, note, plan);
    }

    fn withdraw(&mut self, note: &forecast::notes::ModelNote) {
        Self::withdraw(self, note);
    }
}
impl TakesModels for desk::seat::RiskSeat {}
impl TakesModels for desk::seat::ExecutionSeat {}
impl TakesModels for desk::ShelfSeat {}

/// Most words heard at one ring of the doorbell before other actors get their turn.
const WORDS_PER_RING: usize = 32;

/// Makes a seat anew after a panic, to go on where the given one failed.
pub type Rebuild<S> = Box<dyn Fn(&S) -> S>;

/// The actor.
pub struct SeatActor<S: Seat> {
    seat: S,
    address: Address,
    floor: Rc<Floor>,
    post: Rc<RefCell<Post>>,
    bell: Bell,
    out: Outbox,
    /// When the seat last heard something: its time never runs backwards.
    heard_at: Timestamp,
    rebuild: Option<Rebuild<S>>,
    /// Called when the seat panicked and cannot be made anew: the engine must stop and recover.
    fatal: Rc<dyn Fn(&str)>,
}

impl<S: Seat> SeatActor<S> {
    /// An actor around `seat`.
    pub fn new(
        seat: S,
        floor: Rc<Floor>,
        post: Rc<RefCell<Post>>,
        rebuild: Option<Rebuild<S>>,
        fatal: Rc<dyn Fn(&str)>,
    ) -> Self {
        let address = seat.address();
        Self {
            seat,
            address,
            floor,
            post,
            bell: Bell::default(),
            out: Outbox::with_capacity(desk::seat::SAID_MAX),
            heard_at: Timestamp::MIN,
            rebuild,
            fatal,
        }
    }

    /// Rung when words wait in this seat's post.
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    fn hear(&mut self, envelope: &Envelope, origin_ns: u64) {
        self.heard_at = self.heard_at.max(envelope.at);
        let (floor, seat, out) = (&self.floor, &mut self.seat, &mut self.out);
        let heard = catch_unwind(AssertUnwindSafe(|| floor.hear(seat, envelope, origin_ns, out)));
        if heard.is_err() {
            self.panicked(envelope);
        }
        if self.floor.take_record_broken() {
            (self.fatal)("the journal has no room for what must be on record");
        }
    }

    /// Hears the next word of the post; false when it is empty.
    fn hear_next_word(&mut self) -> bool {
        let Some(received) = self.post.borrow_mut().pop() else { return false };
        let now = self.floor.clock.heard_at(received.event.at(), self.heard_at);
        let heard_ns = crate::clock::monotonic_ns();
        {
            let mut stages = self.floor.stages.borrow_mut();
            stages.record(Stage::Queue, heard_ns.saturating_sub(received.decoded_ns));
            if matches!(received.event, MarketEvent::Quote(..)) {
                let age = heard_ns.saturating_sub(received.read_ns);
                stages.counters.oldest_quote_ns = stages.counters.oldest_quote_ns.max(age);
            }
        }
        let letter = Letter::Market(received.event);
        let envelope = Envelope { from: Address::Venue, to: self.address, at: now, letter };
        self.hear(&envelope, received.read_ns);
        true
    }

    /// A panic is a fault of ours. What was half said is thrown away; the operator learns the letter.
    fn panicked(&mut self, envelope: &Envelope) {
        self.out.clear();
        let name = format!("{:?}", self.address);
        let alert = AlertNote {
            severity: Severity::Critical,
            what: Label::literal("seat_panicked"),
            detail: ReasonText::format(format_args!(
                "{name} at {} hearing {:?}",
                envelope.at, envelope.letter
            )),
            at: envelope.at,
        };
        self.out.push((Address::Operator, Letter::Alert(alert)));
        self.floor.carry_out(self.address, envelope.at, &mut self.out, 0);
        match &self.rebuild {
            Some(rebuild) => self.seat = rebuild(&self.seat),
            None => (self.fatal)(&format!("{name} panicked and holds what cannot be made anew")),
        }
    }

    /// Wakes the seat when its deadline came. By a led clock words that wait are heard at their own stamps, which lie
    /// before now: then they come first.
    fn wake_if_due(&mut self) {
        if !self.floor.clock.is_wall() && !self.post.borrow().is_empty() {
            return;
        }
        let now = self.floor.clock.now().max(self.heard_at);
        if self.seat.deadline().is_some_and(|due| due <= now) {
            let envelope = Envelope { from: self.address, to: self.address, at: now, letter: Letter::Wake };
            self.hear(&envelope, 0);
        }
    }
}

impl<S: Seat + Unpin + 'static> Actor for SeatActor<S> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // Internal letters are few (each proposal makes a handful); market words wait in the post instead.
        context.set_mailbox_capacity(1024);
        Self::add_stream(self.bell.rings(), context);
    }
}

impl<S: Seat + Unpin + 'static> Handler<Deliver> for SeatActor<S> {
    type Result = ();
    fn handle(&mut self, message: Deliver, _: &mut Self::Context) {
        let mut envelope = message.envelope;
        if let Letter::Feed(FeedNote { state: FeedState::Down | FeedState::Mute, .. }) = envelope.letter {
            // What the feed said before it was lost is heard before the loss.
            while self.hear_next_word() {}
        }
        envelope.at = envelope.at.max(self.heard_at);
        self.hear(&envelope, message.origin_ns);
    }
}

impl<S: Seat + Unpin + 'static> Handler<Tick> for SeatActor<S> {
    type Result = ();
    fn handle(&mut self, _: Tick, _: &mut Self::Context) {
        self.wake_if_due();
    }
}

impl<S: Seat + Unpin + TakesModels + 'static> Handler<Install> for SeatActor<S> {
    type Result = ();
    fn handle(&mut self, message: Install, _: &mut Self::Context) {
        let now = self.floor.clock.now().max(self.heard_at);
        match message.plan {
            Some(plan) => self.seat.offer(&message.note, plan),
            None => self.seat.withdraw(&message.note),
        }
        if !message.is_announced {
            return;
        }
        let letter = Letter::Model(message.note);
        self.hear(&Envelope { from: Address::Operator, to: self.address, at: now, letter }, 0);
    }
}

impl Handler<Look> for SeatActor<desk::seat::UnderlyingSeat> {
    type Result = ();
    fn handle(&mut self, message: Look, _: &mut Self::Context) {
        let Look { spare: mut seen, reply } = message;
        seen.fill(&self.seat, self.floor.clock.now().max(self.heard_at));
        // The control room may have given up waiting.
        let _ = reply.send(seen);
    }
}

impl<S: Seat + Unpin + 'static> StreamHandler<Ring> for SeatActor<S> {
    fn handle(&mut self, _: Ring, _: &mut Self::Context) {
        for _ in 0..WORDS_PER_RING {
            if !self.hear_next_word() {
                break;
            }
        }
        if !self.post.borrow().is_empty() {
            self.bell.ring();
        }
        self.wake_if_due();
    }
}
