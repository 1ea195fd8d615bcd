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

#[cfg(test)]
mod tests {
    use super::*;
    use forecast::papers::Reads;
    use forecast::{Documented, LabelRule, Papers, PlanFault};
    use market::quote::Timeframe;
    use market::{Label, Symbol, Timestamp};
    use std::sync::Arc;

    /// Answers with the row's first number, or not at all when that is negative.
    struct First;

    impl Plan for First {
        fn predict(&mut self, row: &[f32], out: &mut [f32; 3]) -> Result<(), PlanFault> {
            *out = [row[0], 1.0 - row[0], 0.0];
            if row[0] < 0.0 { Err(PlanFault::Run) } else { Ok(()) }
        }
    }

    const RULE: LabelRule = LabelRule::Horizon { threshold_atr: 0.3 };

    fn note(name: &str, timeframe: Timeframe) -> ModelNote {
        let (name, version) = (name.parse().expect("a name"), Label::literal("1"));
        ModelNote { timeframe, name, version, digest: 3 }
    }

    fn plan() -> Box<dyn Plan> {
        let papers = Papers {
            reads: Reads::Row,
            label: Some(RULE),
            horizon_bars: 7,
            calibration: None,
            reference: None,
            hull: None,
        };
        Box::new(Documented::new(Box::new(First), Arc::new(papers)))
    }

    fn incumbent(timeframe: Timeframe) -> Prediction {
        let at = Timestamp::from_seconds(60);
        Prediction {
            model: note("incumbent", timeframe),
            symbol: Symbol::literal("SPY"),
            at,
            bar: Timestamp::from_seconds(0),
            close: 500.0,
            atr: 1.5,
            odds: Odds::EVEN,
            rule: RULE,
            horizon_bars: 7,
        }
    }

    fn asked(shadows: &mut Shadows) -> Vec<Prediction> {
        let mut told = Vec::new();
        shadows.ask(|prediction| told.push(prediction));
        told
    }

    #[test]
    fn a_shadow_answers_once_at_a_close_about_the_incumbents_row() {
        let mut shadows = Shadows::default();
        let (one, other) = (note("one", Timeframe::Min1), note("other", Timeframe::Min5));
        assert!(shadows.add(one, plan()).is_none() && shadows.add(other, plan()).is_none());
        assert!(shadows.has(&one) && asked(&mut shadows).is_empty(), "no close yet");
        let mut row = [0.0; FEATURES];
        row[0] = 0.25;
        shadows.bar_closed(&incumbent(Timeframe::Min1), &row);
        let told = asked(&mut shadows);
        let wanted =
            Prediction { model: one, odds: Odds::from_row([0.25, 0.75, 0.0]), ..incumbent(Timeframe::Min1) };
        assert_eq!(told, [wanted]);
        assert!(asked(&mut shadows).is_empty(), "once");
        assert!(shadows.remove(&one).is_some() && shadows.remove(&one).is_none());
        shadows.bar_closed(&incumbent(Timeframe::Min1), &row);
        assert!(asked(&mut shadows).is_empty(), "dismissed");
    }

    #[test]
    fn one_that_fails_again_and_again_is_not_asked_and_there_is_room_for_so_many() {
        let mut shadows = Shadows::default();
        for n in 0..SHADOWS_MAX {
            assert!(shadows.add(note(&format!("m{n}"), Timeframe::Min1), plan()).is_none());
        }
        assert!(shadows.add(note("late", Timeframe::Min1), plan()).is_some(), "given back");
        let mut row = [0.0; FEATURES];
        row[0] = -1.0;
        for _ in 0..FAULTS_MAX {
            shadows.bar_closed(&incumbent(Timeframe::Min1), &row);
            assert!(asked(&mut shadows).is_empty());
        }
        row[0] = 0.5;
        shadows.bar_closed(&incumbent(Timeframe::Min1), &row);
        assert!(asked(&mut shadows).is_empty(), "given up");
    }
}
