//! The ten models of one symbol: who sits where, and what each said last.

use forecast::notes::ModelNote;
use forecast::{Odds, Plan, PlanFault};
use indicators::Analysis;
use market::quote::Timeframe;

/// Failures in a row after which a model is not asked any more: it only costs time.
const FAULTS_MAX: u32 = 10;

/// A model in its place.
struct Place {
    plan: Box<dyn Plan>,
    note: ModelNote,
    faults: u32,
}

/// Ten places and the last answers.
#[derive(Default)]
pub struct Panel {
    places: [Option<Place>; Timeframe::COUNT],
    odds: [Option<Odds>; Timeframe::COUNT],
}

/// A model that failed, told when it first fails and when it is given up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failure {
    /// The model.
    pub note: ModelNote,
    /// What it did.
    pub fault: PlanFault,
    /// True when it is not asked any more.
    pub given_up: bool,
}

impl Panel {
    /// Puts a model in a place, or empties it. Its earlier answer is forgotten.
    pub fn install(&mut self, timeframe: Timeframe, plan: Option<Box<dyn Plan>>, note: ModelNote) {
        let index = timeframe.index();
        self.places[index] = plan.map(|plan| Place { plan, note, faults: 0 });
        self.odds[index] = None;
    }

    /// The model of a timeframe.
    pub fn note(&self, timeframe: Timeframe) -> Option<&ModelNote> {
        self.places[timeframe.index()].as_ref().map(|place| &place.note)
    }

    /// What each said last, `None` for the silent.
    pub const fn odds(&self) -> &[Option<Odds>; Timeframe::COUNT] {
        &self.odds
    }

    /// Asks every model about its timeframe's row. A model whose row lacks more than `missing_max` values, or that
    /// fails, is silent; the last failure worth telling is returned.
    pub fn ask(&mut self, analysis: &mut Analysis, missing_max: u32) -> Option<Failure> {
        let mut told = None;
        for timeframe in Timeframe::ALL {
            let index = timeframe.index();
            let Some(place) = &mut self.places[index] else { continue };
            if place.faults >= FAULTS_MAX {
                continue;
            }
            self.odds[index] = None;
            let row = analysis.features(timeframe);
            let mut answer = [0.0; 3];
            let said = place.plan.predict(row, &mut answer);
            if analysis.missing(timeframe) > missing_max {
                continue;
            }
            match said {
                Ok(()) => {
                    place.faults = 0;
                    self.odds[index] = Some(Odds::from_row(answer));
                }
                Err(fault) => {
                    place.faults += 1;
                    let given_up = place.faults == FAULTS_MAX;
                    if place.faults == 1 || given_up {
                        told = Some(Failure { note: place.note, fault, given_up });
                    }
                }
            }
        }
        told
    }
}
