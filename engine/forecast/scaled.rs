//! A plan behind its scaling: rows are brought to the size the model was trained on by the very function training
//! used, then asked.

use crate::{Plan, PlanFault};
use indicators::features::Row;
use indicators::scaling::Scaling;

/// A plan that reads scaled rows.
pub struct Scaled {
    plan: Box<dyn Plan>,
    scaling: Scaling,
}

impl Scaled {
    /// Puts `scaling` before `plan`.
    pub fn new(plan: Box<dyn Plan>, scaling: Scaling) -> Self {
        Self { plan, scaling }
    }
}

impl Plan for Scaled {
    fn predict(&mut self, features: &[f32], out: &mut [f32; 3]) -> Result<(), PlanFault> {
        let width = PlanFault::Width { found: features.len(), wanted: indicators::FEATURES };
        let row: &Row = features.try_into().map_err(|_| width)?;
        self.plan.predict(&self.scaling.apply(row), out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicators::FEATURES;
    use indicators::features::Missing;

    /// Answers with what it was shown first.
    struct Echo;

    impl Plan for Echo {
        fn predict(&mut self, features: &[f32], out: &mut [f32; 3]) -> Result<(), PlanFault> {
            *out = [features[0], features[1], features[2]];
            Ok(())
        }
    }

    #[test]
    fn the_plan_reads_what_training_read() {
        let rows: Vec<Row> = (0..50u8).map(|i| [f32::from(i) * 0.1; FEATURES]).collect();
        let scaling = Scaling::fit(rows.iter().map(|row| (row, Missing::NONE)));
        let mut plan = Scaled::new(Box::new(Echo), scaling.clone());
        let mut out = [0.0; 3];
        plan.predict(&rows[7], &mut out).expect("as wide as a row");
        assert_eq!(out, scaling.apply(&rows[7])[..3]);
        let narrow = plan.predict(&rows[7][1..], &mut out);
        assert_eq!(narrow, Err(PlanFault::Width { found: FEATURES - 1, wanted: FEATURES }));
    }
}
