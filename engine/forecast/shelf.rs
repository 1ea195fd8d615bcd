//! The shelf: which model speaks for each timeframe, which are tried beside it, and when one takes the other's place.
//! A pure state machine: what it decides follows from the letters it heard, so a record of them brings it back.
//!
//! A sound bundle comes as a [`BundleNote`]. Where nobody speaks it is seated at once; else, when it is newer or of
//! another name, it shadows the incumbent: both answer at the same closes, and their [`Scored`] predictions are
//! compared ([`duel`]). Better with [`evidence`]: promoted, and the incumbent goes on as its predecessor, watched and
//! ready to come back. Seats are told by [`Said::Seat`], the record by [`Said::Note`].
//!
//! Who is not there cannot speak, and loses nothing by it: another stands in for an incumbent whose bundle is away
//! ([`place::Away`]), a predecessor stays one, a shadow keeps what was found so far.

pub mod duel;
pub mod evidence;
mod judging;
pub mod notes;
mod place;
pub mod settings;
#[cfg(test)]
mod tests;
mod trial;

use crate::Scored;
use crate::notes::ModelNote;
use duel::Watch;
use market::quote::Timeframe;
use market::{Label, Timestamp};
use notes::{BundleNote, Figures, Role, ShelfCommand, ShelfNote, Step};
use place::{Away, Place};
use settings::Settings;
use std::collections::BTreeMap;
use trial::Trial;

/// What the shelf says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Said {
    /// To every symbol's seat: this model has this role there.
    Seat(ModelNote, Role),
    /// To the record.
    Note(ShelfNote),
}

/// What tells a model from all others: two versions may hold the same file with other papers.
type Id = (Label, Label, u64);

fn id_of(model: &ModelNote) -> Id {
    (model.name, model.version, model.digest)
}

/// A model on the shelf.
#[derive(Clone, Debug)]
struct Entry {
    note: BundleNote,
    role: Role,
    /// True when its bundle was seen in this run, so that its plans are with the seats.
    is_here: bool,
    scored: u32,
    brier: f64,
    log_loss: f64,
    /// As a shadow: beside the incumbent.
    trial: Option<Trial>,
}

impl Entry {
    fn horizon(&self) -> u32 {
        self.note.horizon_bars
    }

    /// What is known of it alone.
    fn figures(&self) -> Figures {
        Figures { scored: self.scored, ..Figures::default() }
    }
}

/// What is known of a model, for listings.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The bundle.
    pub bundle: BundleNote,
    /// What it is there for.
    pub role: Role,
    /// True when the operator keeps it in place.
    pub is_pinned: bool,
    /// Predictions with an outcome.
    pub scored: u32,
    /// Mean squared error over the classes; 0 when nothing is scored.
    pub brier: f64,
    /// Mean logarithmic loss.
    pub log_loss: f64,
    /// Predictions compared with the incumbent's so far, as a shadow.
    pub compared: u32,
}

/// The shelf.
#[derive(Clone, Debug)]
pub struct Shelf {
    settings: Settings,
    entries: BTreeMap<Id, Entry>,
    places: [Place; Timeframe::COUNT],
    /// Bundles first seen before the shelf opened in this run.
    newcomers: Vec<Id>,
    is_open: bool,
}

impl Shelf {
    /// An empty shelf.
    pub fn new(settings: Settings) -> Self {
        let (entries, newcomers) = (BTreeMap::new(), Vec::new());
        Self { settings, entries, places: Default::default(), newcomers, is_open: false }
    }

    /// Everything on it, by timeframe, role and name.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.entries.values().map(|entry| self.row(entry)).collect();
        rows.sort_by_key(|row| {
            let model = row.bundle.model;
            (model.timeframe.index(), row.role, model.name, model.version)
        });
        rows
    }

    fn row(&self, entry: &Entry) -> Row {
        let mean = |sum: f64| if entry.scored == 0 { 0.0 } else { sum / f64::from(entry.scored) };
        let place = &self.places[entry.note.model.timeframe.index()];
        Row {
            bundle: entry.note,
            role: entry.role,
            is_pinned: place.pinned == Some(id_of(&entry.note.model)),
            scored: entry.scored,
            brier: mean(entry.brier),
            log_loss: mean(entry.log_loss),
            compared: entry.trial.as_ref().map_or(0, |trial| trial.duel.scored()),
        }
    }

    // ---- what is heard ----

    /// A run begins: seats are fresh, and no bundle has been seen in it.
    pub fn begin_run(&mut self) {
        self.is_open = false;
        // Brought to a run that died before it opened: never welcomed, so the next one sees them for the first time.
        for id in std::mem::take(&mut self.newcomers) {
            if self.entries.get(&id).is_some_and(|entry| entry.role == Role::Idle) {
                self.entries.remove(&id);
            }
        }
        self.entries.values_mut().for_each(|entry| entry.is_here = false);
        self.places.iter_mut().for_each(|place| place.pairs.clear());
    }

    /// A sound bundle is there, its plans with the seats.
    pub fn on_bundle(&mut self, now: Timestamp, bundle: &BundleNote, out: &mut Vec<Said>) {
        let id = id_of(&bundle.model);
        if let Some(entry) = self.entries.get_mut(&id) {
            let was_here = std::mem::replace(&mut entry.is_here, true);
            entry.note = *bundle;
            if self.is_open && !was_here {
                self.come_back(now, bundle.model.timeframe, out);
            }
            return;
        }
        let entry = Entry {
            note: *bundle,
            role: Role::Idle,
            is_here: true,
            scored: 0,
            brier: 0.0,
            log_loss: 0.0,
            trial: None,
        };
        self.entries.insert(id, entry);
        if self.is_open {
            self.welcome(now, id, out);
        } else {
            self.newcomers.push(id);
        }
    }

    /// Every bundle of the folder has been told: whoever has a place takes it.
    pub fn open(&mut self, now: Timestamp, out: &mut Vec<Said>) {
        self.is_open = true;
        for timeframe in Timeframe::ALL {
            let absent: Vec<Id> = self.of(timeframe, |e| !e.is_here);
            for id in absent {
                self.leave(now, id, out);
            }
            self.take_back(now, timeframe, out);
            self.say_seats(timeframe, out);
        }
        let mut newcomers = std::mem::take(&mut self.newcomers);
        // The newest first, so that the best of a first start speaks at once and the older ones stay on the shelf.
        newcomers.sort_by(|a, b| self.version_order(*b, *a));
        for id in newcomers {
            self.welcome(now, id, out);
        }
        for timeframe in Timeframe::ALL {
            self.settle(now, timeframe, out);
        }
    }

    /// A symbol's seat was made anew: who has a place is told again, to all, which changes nothing for the others.
    pub fn tell_again(&self, out: &mut Vec<Said>) {
        if self.is_open {
            Timeframe::ALL.into_iter().for_each(|timeframe| self.say_seats(timeframe, out));
        }
    }

    /// A bundle is not in the folder any more.
    pub fn on_gone(&mut self, now: Timestamp, model: &ModelNote, out: &mut Vec<Said>) {
        self.leave(now, id_of(model), out);
        self.settle(now, model.timeframe, out);
    }

    /// A prediction's outcome is known.
    pub fn on_scored(&mut self, now: Timestamp, scored: &Scored, out: &mut Vec<Said>) {
        let Some(entry) = self.entries.get_mut(&id_of(&scored.model)) else { return };
        let timeframe = entry.note.model.timeframe;
        entry.scored += 1;
        entry.brier += scored.brier();
        entry.log_loss += scored.log_loss();
        self.take(timeframe, scored);
        self.judge(now, timeframe, out);
    }

    /// The operator asks.
    pub fn on_command(&mut self, now: Timestamp, command: &ShelfCommand, out: &mut Vec<Said>) {
        match *command {
            ShelfCommand::Promote { name, version } => {
                let wanted =
                    |e: &&Entry| e.note.model.name == name && e.note.model.version == version && e.is_here;
                match self.entries.values().find(wanted).map(|e| e.note.model) {
                    None => {
                        let model = ModelNote { timeframe: Timeframe::Min1, name, version, digest: 0 };
                        note(now, model, Step::Unknown, Figures::default(), out);
                    }
                    Some(model) if self.place(model.timeframe).incumbent == Some(id_of(&model)) => {
                        note(now, model, Step::Already, Figures::default(), out);
                    }
                    Some(model) => {
                        self.promote(now, id_of(&model), Step::PromotedByHand, Figures::default(), out)
                    }
                }
            }
            ShelfCommand::Rollback(timeframe) => match self.predecessor(timeframe) {
                Some(_) => self.roll_back(now, timeframe, Step::RolledBackByHand, Figures::default(), out),
                None => self.answer(now, timeframe, Step::NoPredecessor, out),
            },
            ShelfCommand::Pin(timeframe) => self.pin(now, timeframe, true, out),
            ShelfCommand::Unpin(timeframe) => self.pin(now, timeframe, false, out),
        }
    }

    /// Pins whoever speaks. Who stands in is then nobody's stand-in any more.
    fn pin(&mut self, now: Timestamp, timeframe: Timeframe, is_pinned: bool, out: &mut Vec<Said>) {
        let place = &mut self.places[timeframe.index()];
        if is_pinned && place.incumbent.is_none() {
            return self.answer(now, timeframe, Step::Nobody, out);
        }
        let wanted = place.incumbent.filter(|_| is_pinned);
        let step = match (place.pinned == wanted, is_pinned) {
            (true, _) => Step::Already,
            (false, true) => Step::Pinned,
            (false, false) => Step::Unpinned,
        };
        place.pinned = wanted;
        if step == Step::Pinned {
            self.give_up_the_right(timeframe);
        }
        self.answer(now, timeframe, step, out);
    }

    /// An answer about whoever speaks for a timeframe.
    fn answer(&self, now: Timestamp, timeframe: Timeframe, step: Step, out: &mut Vec<Said>) {
        let nobody =
            ModelNote { timeframe, name: Default::default(), version: Default::default(), digest: 0 };
        let incumbent = self.place(timeframe).incumbent.and_then(|id| self.entries.get(&id));
        note(now, incumbent.map_or(nobody, |entry| entry.note.model), step, Figures::default(), out);
    }

    // ---- who sits where ----

    fn place(&self, timeframe: Timeframe) -> &Place {
        &self.places[timeframe.index()]
    }

    fn of(&self, timeframe: Timeframe, wanted: impl Fn(&Entry) -> bool) -> Vec<Id> {
        let of = |e: &&Entry| e.note.model.timeframe == timeframe && wanted(e);
        self.entries.values().filter(of).map(|e| id_of(&e.note.model)).collect()
    }

    fn version_order(&self, a: Id, b: Id) -> std::cmp::Ordering {
        let version = |id| self.entries.get(&id).map(|e: &Entry| e.note.model.version);
        let parts = |id| version(id).map(|v| version_parts(v.as_str()));
        parts(a).cmp(&parts(b)).then(a.cmp(&b))
    }

    /// A bundle nobody knew: it speaks where nobody does, shadows when it is newer or of another name, and lies on the
    /// shelf otherwise.
    fn welcome(&mut self, now: Timestamp, id: Id, out: &mut Vec<Said>) {
        let Some(entry) = self.entries.get(&id) else { return };
        let model = entry.note.model;
        let Some(incumbent) = self.place(model.timeframe).incumbent else {
            return self.seat(now, id, Step::Seated, Figures::default(), None, out);
        };
        if !self.is_candidate(id, incumbent) {
            return;
        }
        if entry.note.rule.is_none() {
            // Nothing would ever be known of it: there is nothing to ask it for.
            return note(now, model, Step::NotComparable, Figures::default(), out);
        }
        self.set_role(id, Role::Waiting);
        self.settle(now, model.timeframe, out);
    }

    /// Newer, or of another name: worth a trial beside the other.
    fn is_candidate(&self, id: Id, beside: Id) -> bool {
        let model = |id: Id| self.entries.get(&id).map(|entry| entry.note.model);
        let (Some(model), Some(other)) = (model(id), model(beside)) else { return false };
        model.name != other.name || is_newer(model.version.as_str(), other.version.as_str())
    }

    /// Fills the incumbent's place when it is empty, and the shadows' places in the order of versions.
    fn settle(&mut self, now: Timestamp, timeframe: Timeframe, out: &mut Vec<Said>) {
        if !self.is_open {
            return;
        }
        if self.place(timeframe).incumbent.is_none() {
            let mut here = self.of(timeframe, |e| e.is_here);
            here.sort_by(|a, b| self.version_order(*b, *a));
            let Some(best) = here.first() else { return };
            self.seat(now, *best, Step::Seated, Figures::default(), None, out);
        }
        let seated = self.of(timeframe, |e| e.role == Role::Shadow).len();
        let mut waiting = self.of(timeframe, |e| e.role == Role::Waiting && e.is_here);
        waiting.sort_by(|a, b| self.version_order(*b, *a));
        for id in waiting.into_iter().take(self.settings.shadows_max.saturating_sub(seated)) {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            entry.role = Role::Shadow;
            let horizon = entry.horizon();
            // One that was away goes on where it was.
            entry.trial.get_or_insert_with(|| Trial::new(horizon));
            let model = entry.note.model;
            out.push(Said::Seat(model, Role::Shadow));
            note(now, model, Step::Shadowed, Figures::default(), out);
        }
    }

    fn say_seats(&self, timeframe: Timeframe, out: &mut Vec<Said>) {
        for role in [Role::Incumbent, Role::Predecessor, Role::Shadow] {
            for id in self.of(timeframe, |e| e.role == role && e.is_here) {
                if let Some(entry) = self.entries.get(&id) {
                    out.push(Said::Seat(entry.note.model, role));
                }
            }
        }
    }

    /// The predecessor, when it could speak.
    fn predecessor(&self, timeframe: Timeframe) -> Option<Id> {
        self.place(timeframe).predecessor.filter(|id| self.is_here(*id))
    }

    fn is_here(&self, id: Id) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.is_here)
    }

    fn set_role(&mut self, id: Id, role: Role) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.role = role;
            entry.trial = None;
        }
    }

    /// Makes a model the incumbent. The one before becomes its predecessor, and the predecessor before retires.
    fn seat(
        &mut self,
        now: Timestamp,
        id: Id,
        step: Step,
        figures: Figures,
        baseline: Option<evidence::Spread>,
        out: &mut Vec<Said>,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        (entry.role, entry.trial) = (Role::Incumbent, None);
        let (model, horizon) = (entry.note.model, entry.horizon());
        let timeframe = model.timeframe;
        let place = &mut self.places[timeframe.index()];
        place.watch = Some(Watch::new(horizon, baseline));
        place.has_fallen = false;
        let before = place.incumbent.replace(id).filter(|b| *b != id);
        let retired = std::mem::replace(&mut place.predecessor, before).filter(|r| *r != id);
        out.push(Said::Seat(model, Role::Incumbent));
        note(now, model, step, figures, out);
        if step.is_change() {
            // Whoever was away has been replaced for good, and so has its pin.
            self.give_up_the_right(timeframe);
            let place = &mut self.places[timeframe.index()];
            place.pinned = place.pinned.map(|_| id);
        }
        if let Some(before) = before {
            self.set_role(before, Role::Predecessor);
            self.say_seat(before, Role::Predecessor, out);
        }
        if let Some(retired) = retired.filter(|r| Some(*r) != before) {
            self.retire(now, retired, Step::Retired, Figures::default(), out);
        }
        self.begin_trials(timeframe);
    }

    /// Shadows are compared with whoever speaks: another incumbent is another trial.
    fn begin_trials(&mut self, timeframe: Timeframe) {
        for shadow in self.of(timeframe, |e| e.trial.is_some()) {
            if let Some(entry) = self.entries.get_mut(&shadow) {
                entry.trial = Some(Trial::new(entry.horizon()));
            }
        }
    }

    fn say_seat(&self, id: Id, role: Role, out: &mut Vec<Said>) {
        if let Some(entry) = self.entries.get(&id) {
            out.push(Said::Seat(entry.note.model, role));
        }
    }

    fn retire(&mut self, now: Timestamp, id: Id, step: Step, figures: Figures, out: &mut Vec<Said>) {
        self.set_role(id, Role::Idle);
        self.say_seat(id, Role::Idle, out);
        if let Some(entry) = self.entries.get(&id) {
            note(now, entry.note.model, step, figures, out);
        }
    }

    fn promote(&mut self, now: Timestamp, id: Id, step: Step, figures: Figures, out: &mut Vec<Said>) {
        let baseline = self.entries.get(&id).and_then(|e| e.trial.as_ref()).map(|trial| *trial.duel.own());
        // A record of a few blocks says too little to be held against anybody.
        let baseline = baseline.filter(|own| own.count() >= evidence::BLOCKS_MIN);
        let timeframe = self.entries.get(&id).map(|e| e.note.model.timeframe);
        self.seat(now, id, step, figures, baseline, out);
        if let Some(timeframe) = timeframe {
            self.settle(now, timeframe, out);
        }
    }

    /// The predecessor speaks again; who spoke lies on the shelf and is not tried again by itself.
    fn roll_back(
        &mut self,
        now: Timestamp,
        timeframe: Timeframe,
        step: Step,
        figures: Figures,
        out: &mut Vec<Said>,
    ) {
        let Some(before) = self.predecessor(timeframe) else { return };
        let place = &mut self.places[timeframe.index()];
        let Some(fallen) = place.incumbent.take() else { return };
        place.predecessor = None;
        place.pinned = place.pinned.map(|_| before);
        self.seat(now, before, Step::Restored, Figures::default(), None, out);
        self.retire(now, fallen, step, figures, out);
        self.settle(now, timeframe, out);
    }

    // ---- who is away ----

    /// A model that cannot be asked any more. What it was is kept for when it comes back.
    fn leave(&mut self, now: Timestamp, id: Id, out: &mut Vec<Said>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.is_here = false;
        let (model, role) = (entry.note.model, entry.role);
        match role {
            Role::Idle | Role::Waiting | Role::Away => return,
            Role::Shadow => entry.role = Role::Waiting,
            Role::Predecessor => {}
            Role::Incumbent => entry.role = Role::Away,
        }
        self.say_seat(id, Role::Idle, out);
        note(now, model, Step::Gone, Figures::default(), out);
        if role == Role::Incumbent {
            self.stand_in(now, model, out);
        }
    }

    /// The incumbent's bundle is away: the predecessor stands in for it, or whoever else is there, or nobody. One
    /// that stood in itself has nothing to come back to.
    fn stand_in(&mut self, now: Timestamp, model: ModelNote, out: &mut Vec<Said>) {
        let (id, timeframe) = (id_of(&model), model.timeframe);
        let next = self.predecessor(timeframe);
        let place = &mut self.places[timeframe.index()];
        let (watch, predecessor) = (place.watch.take(), place.predecessor.take());
        (place.incumbent, place.has_fallen) = (None, false);
        match &place.away {
            // It only stood in; it is the predecessor of whoever it stood in for, when it was.
            Some(away) if away.predecessor == Some(id) => self.set_role(id, Role::Predecessor),
            Some(_) => self.set_role(id, Role::Waiting),
            None => place.away = Some(Away { id, predecessor, watch }),
        }
        if let Some(next) = next {
            self.seat(now, next, Step::Restored, Figures::default(), None, out);
        }
    }

    /// A bundle that was away is back: it takes what was its own.
    fn come_back(&mut self, now: Timestamp, timeframe: Timeframe, out: &mut Vec<Said>) {
        self.take_back(now, timeframe, out);
        self.say_seats(timeframe, out);
        self.settle(now, timeframe, out);
    }

    /// The incumbent that was away speaks again, with what was known of it; who stood in for it is again what it was.
    fn take_back(&mut self, now: Timestamp, timeframe: Timeframe, out: &mut Vec<Said>) {
        let is_back = |away: &mut Away| self.entries.get(&away.id).is_some_and(|entry| entry.is_here);
        let place = &mut self.places[timeframe.index()];
        let Some(away) = place.away.take_if(is_back) else { return };
        let stood_in = place.incumbent.replace(away.id);
        (place.predecessor, place.watch, place.has_fallen) = (away.predecessor, away.watch, false);
        self.set_role(away.id, Role::Incumbent);
        let model = self.entries.get(&away.id).map(|entry| entry.note.model);
        if let Some(stood_in) = stood_in {
            let is_predecessor = away.predecessor == Some(stood_in);
            self.set_role(stood_in, if is_predecessor { Role::Predecessor } else { Role::Idle });
            if !is_predecessor && self.is_candidate(stood_in, away.id) {
                self.set_role(stood_in, Role::Waiting);
            }
            self.say_seat(stood_in, Role::Idle, out);
        }
        self.begin_trials(timeframe);
        if let Some(model) = model {
            note(now, model, Step::Returned, Figures::default(), out);
        }
    }

    /// Another has taken the place for good: who was away is a candidate like any other when it comes back.
    fn give_up_the_right(&mut self, timeframe: Timeframe) {
        let Some(away) = self.places[timeframe.index()].away.take() else { return };
        for id in std::iter::once(away.id).chain(away.predecessor) {
            let has_none = |entry: &Entry| matches!(entry.role, Role::Away | Role::Predecessor);
            let is_seated = self.place(timeframe).predecessor == Some(id);
            if !is_seated && self.entries.get(&id).is_some_and(has_none) {
                self.set_role(id, Role::Waiting);
            }
        }
    }
}

fn note(at: Timestamp, model: ModelNote, step: Step, figures: Figures, out: &mut Vec<Said>) {
    out.push(Said::Note(ShelfNote { model, step, figures, at }));
}

/// Compares versions part by part, numbers as numbers: `1.10` is newer than `1.9`.
pub fn is_newer(version: &str, than: &str) -> bool {
    version_parts(version) > version_parts(than)
}

/// What versions are ordered by: part by part, numbers as numbers.
pub fn version_parts(version: &str) -> Vec<(u64, String)> {
    version.split(['.', '-']).map(|part| (part.parse().unwrap_or(0), part.to_string())).collect()
}
