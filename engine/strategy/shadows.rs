//! Models that are asked beside the incumbents, to be compared with them: only at the close of a bar, after everything
//! that matters at that tick, and about the very row the incumbent was asked last.

use forecast::notes::ModelNote;
use forecast::{Odds, Plan, Prediction};
use indicators::FEATURES;
use indicators::features::Row;

/// Most models asked beside the incumbents of all timeframes.
pub const SHADOWS_MAX: usize = 48;
/// Failures in a row after which a shadow is not asked any more.
const FAULTS_MAX: u32 = 10;

struct Shadow {
    note: ModelNote,
    plan: Box<dyn Plan>,
    row: Row,
    /// What the incumbent predicted, while this one has not been asked about the same.
    beside: Option<Prediction>,
    faults: u32,
}

/// The shadows of one symbol.
#[derive(Default)]
pub struct Shadows {
    all: Vec<Shadow>,
    is_due: bool,
}

impl Shadows {
    /// True when this model is among them.
    pub fn has(&self, note: &ModelNote) -> bool {
        self.all.iter().any(|shadow| shadow.note == *note)
    }

    /// Takes one more; answers the plan when there is no room.
    pub fn add(&mut self, note: ModelNote, plan: Box<dyn Plan>) -> Option<Box<dyn Plan>> {
        if self.all.len() == SHADOWS_MAX {
            return Some(plan);
        }
        self.all.push(Shadow { note, plan, row: [0.0; FEATURES], beside: None, faults: 0 });
        None
    }

    /// Takes one out.
    pub fn remove(&mut self, note: &ModelNote) -> Option<Box<dyn Plan>> {
        let at = self.all.iter().position(|shadow| shadow.note == *note)?;
        Some(self.all.remove(at).plan)
    }

    /// Notes the row the incumbent was asked last before its bar closed, and what it predicts: where it is silent nobody is
    /// compared with it.
    pub fn bar_closed(&mut self, incumbent: &Prediction, row: &Row) {
        let timeframe = incumbent.model.timeframe;
        for shadow in self.all.iter_mut().filter(|s| s.note.timeframe == timeframe && s.faults < FAULTS_MAX) {
            shadow.row = *row;
            shadow.beside = Some(*incumbent);
            self.is_due = true;
        }
    }

    /// Asks those whose bar closed; tells each prediction, with the moment, the range and the close of the incumbent's.
    pub fn ask(&mut self, mut tell: impl FnMut(Prediction)) {
        if !std::mem::take(&mut self.is_due) {
            return;
        }
        for shadow in &mut self.all {
            let Some(beside) = shadow.beside.take() else { continue };
            let Some((rule, horizon_bars)) = shadow.judged() else { continue };
            let mut answer = [0.0; 3];
            match shadow.plan.predict(&shadow.row, &mut answer) {
                Ok(()) => {
                    shadow.faults = 0;
                    let (model, odds) = (shadow.note, Odds::from_row(answer));
                    tell(Prediction { model, odds, rule, horizon_bars, ..beside });
                }
                Err(_) => shadow.faults += 1,
            }
        }
    }
}

impl Shadow {
    /// How its predictions are judged; `None` when it does not say.
    fn judged(&self) -> Option<(forecast::LabelRule, u32)> {
        let papers = self.plan.papers()?;
        Some((papers.label?, papers.horizon_bars))
    }
}
