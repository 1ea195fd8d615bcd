//! One actor a thread that keeps the floor's house: it wakes seats whose deadline came, and hands over the
//! histograms.

use crate::control::TakeStages;
use crate::floor::Floor;
use crate::seat_actor::Tick;
use actix::{Actor, AsyncContext, Context, Handler};
use std::rc::Rc;
use std::time::Duration;

/// How often deadlines are looked at, in wall time. Walk steps and waits are seconds; letters and words look at
/// their seat's deadline too.
const ROUND: Duration = Duration::from_millis(2);

/// The actor.
pub struct FloorActor {
    floor: Rc<Floor>,
    seats: Vec<actix::Recipient<Tick>>,
}

impl FloorActor {
    /// Keeps `floor` and wakes `seats`.
    pub fn new(floor: Rc<Floor>, seats: Vec<actix::Recipient<Tick>>) -> Self {
        Self { floor, seats }
    }
}

impl Actor for FloorActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(ROUND, |keeper, _| {
            for seat in &keeper.seats {
                seat.do_send(Tick);
            }
        });
    }
}

impl Handler<TakeStages> for FloorActor {
    type Result = ();
    fn handle(&mut self, message: TakeStages, _: &mut Self::Context) {
        let full = std::mem::replace(&mut *self.floor.stages.borrow_mut(), message.spare);
        // The control room may have given up waiting; what it misses is then gone with it.
        let _ = message.reply.send(full);
    }
}
