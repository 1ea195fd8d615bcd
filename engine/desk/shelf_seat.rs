//! The seat of the shelf, the one owner of which model speaks where. It hears of bundles, of scored predictions and of
//! the operator's wishes, and tells every symbol's seat whom to ask.

use crate::letter::{Address, Letter};
use crate::seat::{Outbox, Seat};
use forecast::shelf::notes::{Role, ShelfLetter};
use forecast::shelf::{Said, Shelf};
use market::{Symbol, Timestamp};
use strategy::StageClock;

/// The seat of the shelf.
#[derive(Clone, Debug)]
pub struct ShelfSeat {
    core: Shelf,
    symbols: Vec<Symbol>,
    said: Vec<Said>,
}

impl ShelfSeat {
    /// Puts a core in its seat; it speaks to the seats of these symbols.
    pub fn new(core: Shelf, symbols: Vec<Symbol>) -> Self {
        Self { core, symbols, said: Vec::with_capacity(64) }
    }

    /// A run of the program begins: seats are fresh, and bundles are told anew.
    pub fn begin_run(&mut self) {
        self.core.begin_run();
    }

    /// The core, for reading.
    pub const fn core(&self) -> &Shelf {
        &self.core
    }

    fn hear_of_models(&mut self, now: Timestamp, letter: &ShelfLetter) {
        let said = &mut self.said;
        match letter {
            ShelfLetter::Brought(bundle) => self.core.on_bundle(now, bundle, said),
            ShelfLetter::Taken(model) => self.core.on_gone(now, model, said),
            ShelfLetter::Open => self.core.open(now, said),
            ShelfLetter::TellAgain => self.core.tell_again(said),
            ShelfLetter::Asked(command) => self.core.on_command(now, command, said),
            ShelfLetter::Refused(_)
            | ShelfLetter::Shadow(_)
            | ShelfLetter::Dismiss(_)
            | ShelfLetter::Step(_) => {}
        }
    }
}

impl Seat for ShelfSeat {
    fn address(&self) -> Address {
        Address::Shelf
    }

    fn hear_staged(&mut self, now: Timestamp, letter: &Letter, out: &mut Outbox, _: &mut dyn StageClock) {
        match letter {
            Letter::Shelf(letter) => self.hear_of_models(now, letter),
            Letter::Scored(scored) => self.core.on_scored(now, scored, &mut self.said),
            _ => {}
        }
        for said in self.said.drain(..) {
            match said {
                Said::Note(note) => out.push((Address::Record, Letter::Shelf(ShelfLetter::Step(note)))),
                Said::Seat(model, role) => {
                    let letter = match role {
                        Role::Incumbent => Letter::Model(model),
                        Role::Predecessor | Role::Shadow => Letter::Shelf(ShelfLetter::Shadow(model)),
                        Role::Waiting | Role::Idle | Role::Away => Letter::Shelf(ShelfLetter::Dismiss(model)),
                    };
                    let everyone = self.symbols.iter().map(|symbol| Address::Underlying(*symbol));
                    out.extend(everyone.map(|to| (to, letter.clone())));
                }
            }
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forecast::LabelRule;
    use forecast::notes::ModelNote;
    use forecast::shelf::notes::{BundleNote, ShelfCommand, Step};
    use forecast::shelf::settings::Settings;
    use market::Label;
    use market::quote::Timeframe;

    fn bundle(version: &str, digest: u64) -> BundleNote {
        let (name, version) = (Label::literal("m"), version.parse().expect("a version"));
        BundleNote {
            model: ModelNote { timeframe: Timeframe::Min5, name, version, digest },
            horizon_bars: 3,
            rule: Some(LabelRule::Horizon { threshold_atr: 0.3 }),
            executor: Label::literal("dense"),
            answer_ns: 1,
            at: Timestamp::MIN,
        }
    }

    fn hear(seat: &mut ShelfSeat, letter: ShelfLetter) -> Outbox {
        let mut out = Outbox::new();
        seat.hear(Timestamp::MIN, &Letter::Shelf(letter), &mut out);
        out
    }

    #[test]
    fn every_symbol_is_told_whom_to_ask_and_the_record_why() {
        let symbols = vec![Symbol::literal("SPY"), Symbol::literal("QQQ")];
        let mut seat = ShelfSeat::new(Shelf::new(Settings::SHIPPED), symbols.clone());
        let (old, new) = (bundle("1", 1), bundle("2", 2));
        assert!(hear(&mut seat, ShelfLetter::Brought(old)).is_empty(), "not before all are told");
        let out = hear(&mut seat, ShelfLetter::Open);
        let told = |letter: &Letter| {
            symbols.iter().all(|s| out.contains(&(Address::Underlying(*s), letter.clone())))
        };
        assert!(told(&Letter::Model(old.model)), "{out:?}");
        assert!(
            matches!(out.last(), Some((Address::Record, Letter::Shelf(ShelfLetter::Step(n)))) if n.step == Step::Seated)
        );
        let out = hear(&mut seat, ShelfLetter::Brought(new));
        assert_eq!(out[0], (Address::Underlying(symbols[0]), Letter::Shelf(ShelfLetter::Shadow(new.model))));
        let (name, version) = (new.model.name, new.model.version);
        let out = hear(&mut seat, ShelfLetter::Asked(ShelfCommand::Promote { name, version }));
        let letters: Vec<&Letter> = out.iter().map(|(_, letter)| letter).collect();
        assert!(letters.contains(&&Letter::Model(new.model)), "{letters:?}");
        assert!(letters.contains(&&Letter::Shelf(ShelfLetter::Shadow(old.model))), "the predecessor goes on");
        let again = hear(&mut seat, ShelfLetter::TellAgain);
        assert_eq!(again.len(), 4, "two models, two symbols: {again:?}");
    }
}
