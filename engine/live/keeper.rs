//! The keeper of the models folder: a thread that looks at it in its own time, hands plans to the seats, and tells the
//! shelf what is there. What speaks is the shelf's affair. The office and the trading thread never wait for it.

use crate::clock::Clock;
use crate::control::Tell;
use crate::floor::Deliver;
use crate::models::{Bundle, Looked, Refusal, Watch};
use crate::seat_actor::Install;
use crate::trading::Addresses;
use crossbeam::channel::{Receiver, RecvTimeoutError};
use desk::letter::{Address, Envelope, Letter};
use forecast::notes::ModelNote;
use forecast::shelf::notes::{RefusedNote, ShelfLetter};
use market::alert::Severity;
use market::order::ReasonText;
use market::{Label, Symbol};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
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
}

/// The keeper.
pub struct Keeper {
    parts: Parts,
    /// Sound bundles, by place.
    bundles: BTreeMap<PathBuf, Bundle>,
}

impl Keeper {
    /// A keeper of an empty shelf.
    pub fn new(parts: Parts) -> Self {
        Self { parts, bundles: BTreeMap::new() }
    }

    /// The sound bundles.
    pub fn bundles(&self) -> impl Iterator<Item = &Bundle> {
        self.bundles.values()
    }

    /// Set when no more looks are wanted, it ends a child at work: an orderly stop waits for no model.
    pub fn ended(&self) -> Arc<AtomicBool> {
        self.parts.watch.vetting().ended.clone()
    }

    /// Works until every line to it is closed.
    pub fn work(mut self, words: &Receiver<Word>, every: Duration) {
        loop {
            match words.recv_timeout(every) {
                Ok(Word::Introduce(symbol)) => self.introduce(symbol),
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// The first look at the folder: every bundle is told, then that these are all.
    pub fn open(&mut self) -> Looked {
        let mut looked = self.parts.watch.look();
        self.take_in(&mut looked);
        self.to_shelf(ShelfLetter::Open);
        looked
    }

    fn look(&mut self) {
        let mut looked = self.parts.watch.look();
        self.take_in(&mut looked);
        for refused in &looked.unfinished {
            self.alert("model_not_whole", refused.reason.clone());
        }
        for refusal in &looked.refused {
            self.alert("model_refused", refusal.to_string());
        }
    }

    /// Plans to the seats first, then the word that they are there.
    fn take_in(&mut self, looked: &mut Looked) {
        for place in &looked.gone {
            if let Some(bundle) = self.bundles.remove(place) {
                self.to_shelf(ShelfLetter::Taken(bundle.note));
                self.withdraw(bundle.note);
            }
        }
        for refusal in &looked.refused {
            self.to_shelf(ShelfLetter::Refused(self.refused_note(refusal)));
        }
        for bundle in looked.sound.drain(..) {
            offer(&bundle, &self.parts.addresses.installs);
            if !bundle.reads_members() {
                self.to_shelf(ShelfLetter::Brought(bundle.told(self.parts.clock.now())));
            }
            self.bundles.insert(bundle.place.clone(), bundle);
        }
    }

    fn introduce(&self, symbol: Symbol) {
        let addresses = &self.parts.addresses;
        let Some(place) = addresses.symbols.iter().position(|(s, _)| *s == symbol) else { return };
        if let Some(seat) = addresses.installs.get(place) {
            self.bundles.values().for_each(|bundle| offer(bundle, std::slice::from_ref(seat)));
        }
        self.to_shelf(ShelfLetter::TellAgain);
    }

    fn refused_note(&self, refusal: &Refusal) -> RefusedNote {
        let part = |path: Option<&Path>| {
            let name = path.and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned());
            Label::fold(format_args!("{}", name.unwrap_or_default()))
        };
        RefusedNote {
            name: part(refusal.place.parent()),
            version: part(Some(&refusal.place)),
            reason: ReasonText::format(format_args!("{}", refusal.brief())),
            at: self.parts.clock.now(),
        }
    }

    fn to_shelf(&self, letter: ShelfLetter) {
        let (at, letter) = (self.parts.clock.now(), Letter::Shelf(letter));
        let envelope = Envelope { from: Address::Operator, to: Address::Shelf, at, letter };
        self.parts.addresses.shelf.do_send(Deliver { envelope, origin_ns: 0 });
    }

    /// On record, like any other.
    fn alert(&self, what: &'static str, detail: String) {
        self.parts.addresses.alerts.do_send(Tell { severity: Severity::Warning, what, detail });
    }

    /// The seats keep no plan of a bundle that is gone.
    fn withdraw(&self, note: ModelNote) {
        for seat in &self.parts.addresses.installs {
            seat.do_send(Install { note, plan: None, is_announced: false });
        }
    }
}

/// A plan of its own to each seat. A model that is an ensemble's rule is seated at once, by the ensemble that names it.
fn offer(bundle: &Bundle, seats: &[actix::Recipient<Install>]) {
    for seat in seats {
        let (note, plan) = (bundle.note, Some(bundle.compiled.spawn()));
        seat.do_send(Install { note, plan, is_announced: bundle.reads_members() });
    }
}
