//! The one face of every core. A shell (live or backtest) knows seats only: it hands letters in with the
//! time, and carries out what comes back.

use crate::letter::{Address, Letter};
use crate::route;
use execution::Blotter;
use forecast::Plan;
use forecast::notes::ModelNote;
use forecast::papers::Reads;
use forecast::shelf::notes::ShelfLetter;
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

/// Plans a seat has room for without asking for more. Whoever offers them bounds their number.
const OFFERED: usize = 128;

/// The seat of one underlying.
pub struct UnderlyingSeat {
    symbol: Symbol,
    core: Underlying,
    said: Vec<strategy::Said>,
    /// Plans handed over by the shell, each with its model, taken when the letter that names them is heard. What
    /// is not asked any more comes back here.
    offered: Vec<(ModelNote, Box<dyn Plan>)>,
    /// Models whose bundle is gone while they are still asked: their plans are not kept.
    withdrawn: Vec<ModelNote>,
}

impl UnderlyingSeat {
    /// Puts a core in its seat.
    pub fn new(symbol: Symbol, core: Underlying) -> Self {
        let (offered, withdrawn) = (Vec::with_capacity(OFFERED), Vec::new());
        Self { symbol, core, said: Vec::with_capacity(SAID_MAX), offered, withdrawn }
    }

    /// Leaves a compiled model for the letter that will name it. A plan cannot be written into a letter; the letter names
    /// it, so that a replay can offer the same one. None makes way for another: a letter may name any of them.
    pub fn offer(&mut self, note: &ModelNote, plan: Box<dyn Plan>) {
        self.withdrawn.retain(|withdrawn| withdrawn != note);
        self.keep(note, plan);
    }

    /// Keeps no plan of a model whose bundle is gone: at once, or as soon as nothing asks it any more.
    pub fn withdraw(&mut self, note: &ModelNote) {
        let is_seated = self.core.panel().note(note.timeframe) == Some(note);
        if is_seated || self.core.forecasts().shadows().has(note) {
            self.withdrawn.push(*note);
        } else {
            self.offered.retain(|(offered, _)| offered != note);
        }
    }

    /// Keeps a plan at hand, unless it was withdrawn.
    fn keep(&mut self, note: &ModelNote, plan: Box<dyn Plan>) {
        if let Some(at) = self.withdrawn.iter().position(|withdrawn| withdrawn == note) {
            self.withdrawn.remove(at);
            return;
        }
        self.offered.retain(|(offered, _)| offered != note);
        self.offered.push((*note, plan));
    }

    /// Plans that wait.
    pub fn offered(&self) -> usize {
        self.offered.len()
    }

    fn take_offered(&mut self, note: &ModelNote) -> Option<Box<dyn Plan>> {
        let at = self.offered.iter().position(|(offered, _)| offered == note)?;
        Some(self.offered.remove(at).1)
    }

    /// A model speaks for its timeframe from now on: one that was asked beside it steps forward, and whoever spoke stays
    /// at hand.
    fn install(&mut self, now: Timestamp, note: &ModelNote) {
        if self.core.panel().note(note.timeframe) == Some(note) {
            return;
        }
        let plan = self.core.dismiss(note).or_else(|| self.take_offered(note));
        let papers = plan.as_ref().and_then(|plan| plan.papers());
        // An ensemble's rule takes nobody's place.
        let is_rule = papers.is_some_and(|papers| papers.reads == Reads::Members);
        if !is_rule && let Some((before, plan)) = self.core.take_out(note.timeframe) {
            self.keep(&before, plan);
        }
        self.core.install(now, note.timeframe, plan, *note);
    }

    fn hear_of_models(&mut self, letter: &ShelfLetter) {
        match letter {
            ShelfLetter::Shadow(note) if !self.core.forecasts().shadows().has(note) => {
                let plan = self.take_offered(note);
                if let Some(plan) = plan.and_then(|plan| self.core.shadow(*note, plan)) {
                    self.keep(note, plan);
                }
            }
            ShelfLetter::Dismiss(note) => {
                let is_seated = self.core.panel().note(note.timeframe) == Some(note);
                let seated = if is_seated { self.core.take_out(note.timeframe) } else { None };
                if let Some(plan) = self.core.dismiss(note).or(seated.map(|(_, plan)| plan)) {
                    self.keep(note, plan);
                }
            }
            _ => {}
        }
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
        match letter {
            Letter::Model(note) => return self.install(now, note),
            Letter::Shelf(letter) => return self.hear_of_models(letter),
            _ => {}
        }
        let said = &mut self.said;
        match letter {
            Letter::Market(event) => self.core.on_market_staged(now, event, said, stages),
            Letter::Position(note) => self.core.on_position(now, note, said),
            Letter::Done(note) => self.core.on_done(now, note, said),
            Letter::Decided(decision) => self.core.on_decided(now, decision.proposal, decision.units, said),
            Letter::Feed(note) => self.core.on_feed(now, note, said),
            Letter::Command(command) => self.core.on_command(now, *command, said),
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
