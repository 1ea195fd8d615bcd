//! What the symbol holds, and how the closing of each position stands.

use crate::exit;
use market::order::Legs;
use market::{Contract, Date, Instrument, Timestamp};
use portfolio::notes::PositionNote;
use portfolio::proposal::ProposalId;

/// How the closing of a position stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// Nothing is asked.
    Idle,
    /// Proposed under this id; its end is awaited.
    Proposed(ProposalId),
    /// Not to be proposed again before then.
    Waiting(Timestamp),
}

/// One open position.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// What risk told of it.
    pub note: PositionNote,
    /// The legs that close one unit.
    pub closing_legs: Legs,
    /// The first day on which legs of it cease to trade.
    pub last_day: Option<Date>,
    /// How its closing stands.
    pub closing: Closing,
    /// When the last day's rule must be looked at, tick or no tick; taken when it was.
    pub alarm: Option<Timestamp>,
    /// That a leg has no price is not told again before then.
    pub unpriced_told_until: Timestamp,
}

/// All open positions of the symbol.
#[derive(Clone, Debug, Default)]
pub struct Positions(Vec<Held>);

impl Positions {
    /// None; with room for what a symbol usually has.
    pub fn new() -> Self {
        Self(Vec::with_capacity(16))
    }

    /// Takes what risk told: a new position, a changed one, or (without units) a closed one.
    pub fn take(&mut self, note: &PositionNote, settings: &exit::Settings) {
        let place = self.0.iter().position(|held| held.note.id == note.id);
        match (place, note.units) {
            (Some(i), 0) => {
                self.0.remove(i);
            }
            (None, 0) => {}
            (Some(i), _) => {
                let held = &mut self.0[i];
                held.closing_legs = exit::closing_legs(&note.legs);
                held.last_day = exit::first_last_day(note);
                held.note = note.clone();
            }
            (None, _) => self.0.push(Held {
                closing_legs: exit::closing_legs(&note.legs),
                closing: Closing::Idle,
                last_day: exit::first_last_day(note),
                alarm: exit::first_last_day(note).map(|day| exit::last_day_from(day, settings)),
                unpriced_told_until: Timestamp::MIN,
                note: note.clone(),
            }),
        }
    }

    /// Positions held.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when nothing is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Held> {
        self.0.iter()
    }

    /// The position at a place.
    pub fn get_mut(&mut self, place: usize) -> Option<&mut Held> {
        self.0.get_mut(place)
    }

    /// The position whose closing was proposed under that id.
    pub fn closed_by(&mut self, proposal: &ProposalId) -> Option<&mut Held> {
        self.0.iter_mut().find(|held| held.closing == Closing::Proposed(*proposal))
    }

    /// True when a closing of ours waits for its end.
    pub fn is_closing(&self) -> bool {
        self.0.iter().any(|held| matches!(held.closing, Closing::Proposed(_)))
    }

    /// True when a position has a leg in that contract.
    #[inline]
    pub fn has(&self, contract: &Contract) -> bool {
        let wanted = Instrument::Option(*contract);
        self.0.iter().any(|held| held.note.legs.iter().any(|leg| leg.instrument == wanted))
    }

    /// The earliest time something must be looked at without a tick.
    pub fn deadline(&self) -> Option<Timestamp> {
        let of = |held: &Held| {
            let waiting = match held.closing {
                Closing::Waiting(until) => Some(until),
                Closing::Idle | Closing::Proposed(_) => None,
            };
            [waiting, held.alarm].into_iter().flatten().min()
        };
        self.0.iter().filter_map(of).min()
    }
}

impl Held {
    /// True when a closing may be proposed now. Takes alarms and waits that are over.
    pub fn may_close(&mut self, now: Timestamp) -> bool {
        if self.alarm.is_some_and(|at| at <= now) {
            self.alarm = None;
        }
        if matches!(self.closing, Closing::Waiting(until) if until <= now) {
            self.closing = Closing::Idle;
        }
        // While risk closes it (the operator's wish, or leftovers) we keep out of the way.
        self.closing == Closing::Idle && self.note.closing.is_none()
    }
}
