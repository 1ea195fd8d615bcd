//! The wiring between seats, written once: what a core says becomes letters with addresses.

use crate::letter::{Address, Letter};
use crate::seat::Outbox;
use forecast::notes::ENSEMBLE;

/// What a symbol's core says.
pub fn from_strategy(said: strategy::Said) -> (Address, Letter) {
    match said {
        strategy::Said::Propose(proposal) => (Address::Risk, Letter::Propose(proposal)),
        strategy::Said::Forecast(note) => (Address::Record, Letter::Forecast(note)),
        strategy::Said::Mark(note) => (Address::Risk, Letter::Mark(note)),
        strategy::Said::Alert(note) => (Address::Operator, Letter::Alert(note)),
        strategy::Said::Predicted(prediction) => (Address::Record, Letter::Predicted(prediction)),
        // An ensemble lies on no shelf.
        strategy::Said::Scored(scored) if scored.model.version == ENSEMBLE => {
            (Address::Record, Letter::Scored(scored))
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use forecast::notes::ModelNote;
    use forecast::{Class, Odds, Scored};
    use market::quote::Timeframe;
    use market::{Label, Symbol, Timestamp};

    #[test]
    fn scores_of_models_go_to_the_shelf_and_those_of_ensembles_to_the_record() {
        for (version, address) in [(Label::literal("3"), Address::Shelf), (ENSEMBLE, Address::Record)] {
            let model =
                ModelNote { timeframe: Timeframe::Min1, name: Label::literal("a"), version, digest: 0 };
            let (at, symbol) = (Timestamp::MIN, Symbol::literal("SPY"));
            let scored = Scored { model, symbol, at, due: at, odds: Odds::EVEN, outcome: Class::Flat };
            assert_eq!(from_strategy(strategy::Said::Scored(scored)).0, address);
        }
    }
}
