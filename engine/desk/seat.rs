//! The one face of every core. A shell (live or backtest) knows seats only: it hands letters in with the
//! time, and carries out what comes back.

use crate::letter::{Address, Letter};
use crate::route;
use execution::Blotter;
use forecast::Plan;
use market::quote::Timeframe;
use market::{Symbol, Timestamp};
use risk::Gate;
use strategy::{NoStages, StageClock, Underlying};

/// Most things a symbol says at once: at the close of a day every timeframe's bar closes, with predictions, forecasts and
/// the outcomes of what was predicted some bars before.
pub const SAID_MAX: usize = 256;

/// What a seat wants delivered, in the order it was said. Cleared, not freed, between letters.
pub type Outbox = Vec<(Address, Letter)>;

/// One core behind the one face.
pub trait Seat {
    /// Where letters to this seat are sent.
    fn address(&self) -> Address;

    /// Hears one letter at `now` and says what should follow. Letters that do not concern the seat are ignored.
    fn hear(&mut self, now: Timestamp, letter: &Letter, out: &mut Outbox) {
        self.hear_staged(now, letter, out, &mut NoStages);
    }

    /// As [`Seat::hear`], telling `stages` when each part of the work is done. The stamps never influence
    /// what is said.
    fn hear_staged(&mut self, now: Timestamp, letter: &Letter, out: &mut Outbox, stages: &mut dyn StageClock);

    /// When the seat wants [`Letter::Wake`], if nothing else happens.
    fn deadline(&self) -> Option<Timestamp>;
}

/// The seat of one underlying.
pub struct UnderlyingSeat {
    symbol: Symbol,
    core: Underlying,
    said: Vec<strategy::Said>,
    /// Plans handed over by the shell, taken when the letter that announces them is heard.
    offered: [Option<Box<dyn Plan>>; Timeframe::COUNT],
}

impl UnderlyingSeat {
    /// Puts a core in its seat.
    pub fn new(symbol: Symbol, core: Underlying) -> Self {
        Self { symbol, core, said: Vec::with_capacity(SAID_MAX), offered: Default::default() }
    }

    /// Leaves a compiled model for the next [`Letter::Model`] of this timeframe. A plan cannot be written
    /// into a letter; the letter names it, so that a replay can offer the same one.
    pub fn offer(&mut self, timeframe: Timeframe, plan: Box<dyn Plan>) {
        self.offered[timeframe.index()] = Some(plan);
    }

    /// The core, for reading.
    pub fn core(&self) -> &Underlying {
        &self.core
    }
}

impl Seat for UnderlyingSeat {
    fn address(&self) -> Address {
        Address::Underlying(self.symbol)
    }

    fn hear_staged(
        &mut self,
        now: Timestamp,
        letter: &Letter,
        out: &mut Outbox,
        stages: &mut dyn StageClock,
    ) {
        let said = &mut self.said;
        match letter {
            Letter::Market(event) => self.core.on_market_staged(now, event, said, stages),
            Letter::Position(note) => self.core.on_position(now, note, said),
            Letter::Done(note) => self.core.on_done(now, note, said),
            Letter::Decided(decision) => self.core.on_decided(now, decision.proposal, decision.units, said),
            Letter::Feed(note) => self.core.on_feed(now, note, said),
            Letter::Command(command) => self.core.on_command(now, *command, said),
            Letter::Model(note) => {
                let plan = self.offered[note.timeframe.index()].take();
                self.core.install(now, note.timeframe, plan, *note);
            }
            Letter::Predicted(prediction) => self.core.on_predicted(prediction),
            Letter::Scored(scored) => self.core.on_scored(scored),
            Letter::Stopping => self.core.stopping(),
            Letter::Wake => self.core.wake(now, said),
            _ => {}
        }
        out.extend(said.drain(..).map(route::from_strategy));
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.core.deadline()
    }
}

/// The seat of risk, the one owner of the book.
pub struct RiskSeat {
    core: Gate,
    said: Vec<risk::Said>,
}

impl RiskSeat {
    /// Puts a core in its seat.
    pub fn new(core: Gate) -> Self {
        Self { core, said: Vec::with_capacity(64) }
    }

    /// A run of the program begins: what belonged to the one before is forgotten, the book is not.
    pub fn begin_run(&mut self) {
        self.core.begin_run();
    }

    /// The core, for reading.
    pub fn core(&self) -> &Gate {
        &self.core
    }
}

impl Seat for RiskSeat {
    fn address(&self) -> Address {
        Address::Risk
    }

    fn hear_staged(&mut self, now: Timestamp, letter: &Letter, out: &mut Outbox, _: &mut dyn StageClock) {
        let said = &mut self.said;
        match letter {
            Letter::Propose(proposal) => self.core.on_proposal(now, proposal, said),
            Letter::Fill(note) => self.core.on_fill(now, note, said),
            Letter::Done(note) => self.core.on_done(now, note, said),
            Letter::Activity(note) => self.core.on_activity(now, note, said),
            Letter::Account(account) => self.core.on_account(now, account, said),
            Letter::Holding { holding, index, of } => self.core.on_holding(now, *holding, *index, *of, said),
            Letter::NoHoldings => self.core.on_no_holdings(now, said),
            Letter::Mark(note) => self.core.on_mark(now, note),
            Letter::Command(command) => self.core.on_command(now, *command, said),
            Letter::Feed(note) => self.core.on_feed(now, note, said),
            Letter::Stopping => self.core.stopping(said),
            Letter::Resume => self.core.tell_again(said),
            Letter::Wake => self.core.wake(now, said),
            _ => {}
        }
        for one in said.drain(..) {
            route::from_risk(one, out);
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.core.deadline()
    }
}

/// The seat of execution, the one owner of orders.
pub struct ExecutionSeat {
    core: Blotter,
    said: Vec<execution::Said>,
}

impl ExecutionSeat {
    /// Puts a core in its seat.
    pub fn new(core: Blotter) -> Self {
        Self { core, said: Vec::with_capacity(64) }
    }

    /// The core, for reading.
    pub fn core(&self) -> &Blotter {
        &self.core
    }
}

impl Seat for ExecutionSeat {
    fn address(&self) -> Address {
        Address::Execution
    }

    fn hear_staged(&mut self, now: Timestamp, letter: &Letter, out: &mut Outbox, _: &mut dyn StageClock) {
        let said = &mut self.said;
        match letter {
            Letter::Cleared(cleared) => self.core.on_cleared(now, cleared, said),
            Letter::Report(report) => self.core.on_report(now, report, said),
            Letter::Halt(note) => self.core.on_halt(now, *note, said),
            Letter::Feed(note) => self.core.on_feed(now, note, said),
            Letter::Resume => self.core.resume(now, said),
            Letter::Wake => self.core.wake(now, said),
            _ => {}
        }
        for one in said.drain(..) {
            route::from_execution(one, out);
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.core.deadline()
    }
}
