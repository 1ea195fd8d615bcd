//! One actor a thread that keeps the floor's house: it wakes seats whose deadline came, and hands over the
//! histograms.

use crate::control::{TakeStages, Tell};
use crate::floor::Floor;
use crate::seat_actor::Tick;
use actix::{Actor, AsyncContext, Context, Handler};
use std::rc::Rc;
use std::time::Duration;

/// How often deadlines are looked at, in wall time. Walk steps and waits are seconds; letters and words look at
/// their seat's deadline too.
const ROUND: Duration = Duration::from_millis(2);

/// Rounds between two looks at the computer's clock.
const ROUNDS_A_LOOK: u32 = 500;

/// The actor.
pub struct FloorActor {
    floor: Rc<Floor>,
    seats: Vec<actix::Recipient<Tick>>,
    rounds: u32,
}

impl FloorActor {
    /// Keeps `floor` and wakes `seats`.
    pub fn new(floor: Rc<Floor>, seats: Vec<actix::Recipient<Tick>>) -> Self {
        Self { floor, seats, rounds: 0 }
    }
}

impl Actor for FloorActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(ROUND, |keeper, _| {
            keeper.rounds = (keeper.rounds + 1) % ROUNDS_A_LOOK;
            if keeper.rounds == 0 {
                keeper.floor.clock.look_at_the_wall();
            }
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

impl Handler<Tell> for FloorActor {
    type Result = ();
    fn handle(&mut self, message: Tell, _: &mut Self::Context) {
        self.floor.alert(message.severity, message.what, format_args!("{}", message.detail));
    }
}
