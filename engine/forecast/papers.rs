//! What a seat must know of a model besides how to ask it: what it reads, how its predictions are judged, what its odds
//! are bent by, and which rows it was taught. A plan carries its papers, so that both always come together.

use crate::label::LabelRule;
use crate::reference::{Hull, Reference};
use crate::{Calibration, Manifest, Odds, Plan, PlanFault, Schema};
use std::sync::Arc;

/// What a model's input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// The feature row of its timeframe.
    Row,
    /// What the members of an ensemble say: it is the ensemble's rule.
    Members,
}

/// The part of a manifest that is needed while the model runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Papers {
    /// What it reads.
    pub reads: Reads,
    /// How its predictions are judged; without it they are not.
    pub label: Option<LabelRule>,
    /// How many bars of its timeframe ahead it looks.
    pub horizon_bars: u32,
    /// What its odds are bent by.
    pub calibration: Option<Calibration>,
    /// What training saw.
    pub reference: Option<Reference>,
    /// The region training saw.
    pub hull: Option<Hull>,
}

impl Papers {
    /// Out of a manifest.
    pub fn of(manifest: &Manifest) -> Self {
        let reads = if manifest.schema == Schema::of_members().digest { Reads::Members } else { Reads::Row };
        Self {
            reads,
            label: manifest.label_rule(),
            horizon_bars: manifest.horizon_bars,
            calibration: manifest.calibration.clone(),
            reference: manifest.reference.clone(),
            hull: manifest.reference.as_ref().map(Reference::hull),
        }
    }
}

/// A plan with its papers; its odds are calibrated before anybody sees them.
pub struct Documented {
    plan: Box<dyn Plan>,
    papers: Arc<Papers>,
}

impl Documented {
    /// Puts papers to a plan.
    pub fn new(plan: Box<dyn Plan>, papers: Arc<Papers>) -> Self {
        Self { plan, papers }
    }
}

impl Plan for Documented {
    fn predict(&mut self, features: &[f32], out: &mut [f32; 3]) -> Result<(), PlanFault> {
        self.plan.predict(features, out)?;
        if let Some(calibration) = &self.papers.calibration {
            *out = calibration.apply(Odds::from_row(*out)).row();
        }
        Ok(())
    }

    fn papers(&self) -> Option<&Arc<Papers>> {
        Some(&self.papers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always([f32; 3]);

    impl Plan for Always {
        fn predict(&mut self, _: &[f32], out: &mut [f32; 3]) -> Result<(), PlanFault> {
            *out = self.0;
            Ok(())
        }
    }

    #[test]
    fn a_documented_plan_answers_calibrated() {
        let calibration = Calibration::Platt { slope: [1.0; 3], offset: [0.0, 0.0, 1.0] };
        let papers = Papers {
            reads: Reads::Row,
            label: None,
            horizon_bars: 1,
            calibration: Some(calibration.clone()),
            reference: None,
            hull: None,
        };
        let mut plan = Documented::new(Box::new(Always([0.2, 0.3, 0.5])), Arc::new(papers));
        let mut out = [0.0; 3];
        plan.predict(&[], &mut out).expect("always");
        assert_eq!(out, calibration.apply(Odds::from_row([0.2, 0.3, 0.5])).row());
        assert!(out[2] > 0.55);
        assert_eq!(plan.papers().map(|papers| papers.horizon_bars), Some(1));
        assert!(Always([0.0; 3]).papers().is_none());
    }
}
