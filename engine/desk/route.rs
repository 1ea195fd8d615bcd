//! The wiring between seats, written once: what a core says becomes letters with addresses.

use crate::letter::{Address, Letter};
use crate::seat::Outbox;

/// What a symbol's core says.
pub fn from_strategy(said: strategy::Said) -> (Address, Letter) {
    match said {
        strategy::Said::Propose(proposal) => (Address::Risk, Letter::Propose(proposal)),
        strategy::Said::Forecast(note) => (Address::Record, Letter::Forecast(note)),
        strategy::Said::Mark(note) => (Address::Risk, Letter::Mark(note)),
        strategy::Said::Alert(note) => (Address::Operator, Letter::Alert(note)),
        strategy::Said::Predicted(prediction) => (Address::Record, Letter::Predicted(prediction)),
        strategy::Said::Scored(scored) => (Address::Shelf, Letter::Scored(scored)),
        strategy::Said::Combined(note) => (Address::Record, Letter::Combined(note)),
        strategy::Said::Drift(note) => (Address::Record, Letter::Drift(note)),
    }
}

/// What risk says.
pub fn from_risk(said: risk::Said, out: &mut Outbox) {
    match said {
        risk::Said::Decided { to, decision } => {
            out.push((Address::Underlying(to), Letter::Decided(decision)));
        }
        risk::Said::Cleared(cleared) => out.push((Address::Execution, Letter::Cleared(cleared))),
        risk::Said::Position(note) => {
            out.push((Address::Underlying(note.underlying), Letter::Position(note)));
        }
        risk::Said::Halt(note) => out.push((Address::Execution, Letter::Halt(note))),
        risk::Said::Alert(note) => out.push((Address::Operator, Letter::Alert(note))),
    }
}

/// What execution says. The end of an order concerns both the book and the symbol that proposed it.
pub fn from_execution(said: execution::Said, out: &mut Outbox) {
    match said {
        execution::Said::Request(request) => out.push((Address::Venue, Letter::Request(request))),
        execution::Said::Fill(note) => out.push((Address::Risk, Letter::Fill(note))),
        execution::Said::Done(note) => {
            out.push((Address::Risk, Letter::Done(note)));
            out.push((Address::Underlying(note.underlying), Letter::Done(note)));
        }
        execution::Said::Alert(note) => out.push((Address::Operator, Letter::Alert(note))),
    }
}
