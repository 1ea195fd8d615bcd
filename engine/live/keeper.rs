//! The keeper of the shelf: a thread that looks at the models folder in its own time, and hands plans to the seats.
//! The office and the trading thread never wait for it.

use crate::clock::Clock;
use crate::models::{Bundle, Looked, Watch, newer};
use crate::seat_actor::Install;
use crate::trading::Addresses;
use crossbeam::channel::{Receiver, RecvTimeoutError};
use crossbeam::queue::ArrayQueue;
use desk::letter::{Address, Envelope, Letter};
use market::alert::{AlertNote, Severity};
use market::order::ReasonText;
use market::quote::Timeframe;
use market::{Label, Symbol};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What the keeper is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// A symbol's seat was made anew: it needs its models.
    Introduce(Symbol),
}

/// Words that may wait for the keeper; what finds no room is told again by whoever needs it.
pub const WORDS_MAX: usize = 64;

/// What the keeper works with.
pub struct Parts {
    /// The models folder.
    pub watch: Watch,
    /// Everyone's addresses.
    pub addresses: Addresses,
    /// The engine's clock.
    pub clock: Clock,
    /// Letters for the views.
    pub letters: Arc<ArrayQueue<Envelope>>,
}

/// The keeper.
pub struct Keeper {
    parts: Parts,
    /// The model each timeframe has: a dropped file replaces it only when its version is higher.
    incumbents: BTreeMap<Timeframe, Bundle>,
}

impl Keeper {
    /// A keeper of an empty shelf.
    pub fn new(parts: Parts) -> Self {
        Self { parts, incumbents: BTreeMap::new() }
    }

    /// The models in use, one a timeframe.
    pub fn incumbents(&self) -> impl Iterator<Item = &Bundle> {
        self.incumbents.values()
    }

    /// Works until every line to it is closed.
    pub fn work(mut self, words: &Receiver<Word>, every: Duration) {
        loop {
            match words.recv_timeout(every) {
                Ok(Word::Introduce(symbol)) => self.introduce(symbol),
                Err(RecvTimeoutError::Timeout) => {
                    let looked = self.look();
                    self.tell(&looked);
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// One look at the folder; what is new and better goes to every seat.
    pub fn look(&mut self) -> Looked {
        let mut looked = self.parts.watch.look();
        let mut fresh = Vec::new();
        for bundle in looked.sound.drain(..) {
            let note = bundle.note;
            let old = self.incumbents.get(&note.timeframe).map(|b| b.note.version);
            if old.is_none_or(|old| newer(note.version.as_str(), old.as_str())) {
                self.incumbents.insert(note.timeframe, bundle);
                fresh.push(note.timeframe);
            }
        }
        fresh.dedup();
        self.install(&fresh, &self.parts.addresses.installs);
        looked
    }

    fn introduce(&self, symbol: Symbol) {
        let addresses = &self.parts.addresses;
        let Some(place) = addresses.symbols.iter().position(|(s, _)| *s == symbol) else { return };
        let all: Vec<Timeframe> = self.incumbents.keys().copied().collect();
        if let Some(seat) = addresses.installs.get(place) {
            self.install(&all, std::slice::from_ref(seat));
        }
    }

    /// Gives the models of these timeframes to the seats, a plan of its own to each.
    fn install(&self, timeframes: &[Timeframe], seats: &[actix::Recipient<Install>]) {
        for bundle in timeframes.iter().filter_map(|timeframe| self.incumbents.get(timeframe)) {
            for seat in seats {
                seat.do_send(Install { note: bundle.note, plan: bundle.compiled.spawn() });
            }
        }
    }

    fn tell(&self, looked: &Looked) {
        for refusal in &looked.refused {
            self.alert("model_refused", format_args!("{refusal}"));
        }
        for refused in &looked.unfinished {
            self.alert("model_not_whole", format_args!("{}", refused.reason));
        }
    }

    fn alert(&self, what: &'static str, detail: std::fmt::Arguments<'_>) {
        let at = self.parts.clock.now();
        let detail = ReasonText::format(detail);
        let note = AlertNote { severity: Severity::Warning, what: Label::literal(what), detail, at };
        let letter = Letter::Alert(note);
        // A full queue drops what is only shown; the quarantine holds the reason.
        let _ =
            self.parts.letters.push(Envelope { from: Address::Record, to: Address::Operator, at, letter });
    }
}
