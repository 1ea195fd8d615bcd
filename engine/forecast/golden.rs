//! Golden rows: inputs with the answers their model gave where it was trained, shipped beside it as
//! `golden.json`, so that whoever loads the file can see that it computes the same here.

/// Fewest rows that prove anything.
pub const ROWS_MIN: usize = 3;
/// Most rows that are read.
pub const ROWS_MAX: usize = 10_000;
/// How far an answer may be from the golden one, in probability.
pub const TOLERANCE: f32 = 1e-5;

/// One input with its answer.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenRow {
    /// The input, in the manifest's order of features.
    pub features: Vec<f32>,
    /// The answer: down, flat, up.
    pub odds: [f32; 3],
}

/// What `golden.json` holds.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// The rows.
    pub rows: Vec<GoldenRow>,
}

/// Why golden rows were not taken. The reader adds the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GoldenFault {
    /// Not JSON of this layout.
    #[error(
        "is not a list of golden rows: {0}; it reads {{\"rows\": [{{\"features\": [..], \"odds\": [d, f, u]}}]}}"
    )]
    Unreadable(String),
    /// Too few or too many rows.
    #[error("holds {0} rows, not {ROWS_MIN} to {ROWS_MAX}; let the trainer write it again")]
    Count(usize),
    /// A row that does not fit.
    #[error("row {row}: {found}; let the trainer write it again")]
    Row {
        /// Its position, from 0.
        row: usize,
        /// What is wrong with it.
        found: String,
    },
}

impl Golden {
    /// Reads `golden.json` for a model of `width` features.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(json: &[u8], width: usize) -> Result<Self, GoldenFault> {
        let golden: Self =
            serde_json::from_slice(json).map_err(|e| GoldenFault::Unreadable(e.to_string()))?;
        golden.check(width)?;
        Ok(golden)
    }

    /// The text of `golden.json`.
    ///
    /// # Errors
    /// What reading it back would say.
    pub fn to_json(&self, width: usize) -> Result<String, GoldenFault> {
        self.check(width)?;
        serde_json::to_string(self).map_err(|e| GoldenFault::Unreadable(e.to_string()))
    }

    fn check(&self, width: usize) -> Result<(), GoldenFault> {
        if !(ROWS_MIN..=ROWS_MAX).contains(&self.rows.len()) {
            return Err(GoldenFault::Count(self.rows.len()));
        }
        for (row, r) in self.rows.iter().enumerate() {
            let fault = |found: String| Err(GoldenFault::Row { row, found });
            if r.features.len() != width {
                return fault(format!("{} features where the manifest names {width}", r.features.len()));
            }
            if !r.features.iter().all(|x| x.is_finite()) {
                return fault("a feature is not finite".into());
            }
            if let Err(fault_of_odds) = crate::plan::check_odds(&r.odds) {
                return fault(fault_of_odds.to_string());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_refuses() {
        let row = GoldenRow { features: vec![0.1, -3.25e-8], odds: [0.2, 0.5, 0.3] };
        let golden = Golden { rows: vec![row; 3] };
        let json = golden.to_json(2).expect("right");
        assert_eq!(Golden::parse(json.as_bytes(), 2), Ok(golden.clone()));
        assert!(matches!(Golden::parse(json.as_bytes(), 3), Err(GoldenFault::Row { row: 0, .. })));
        assert!(matches!(Golden::parse(b"{\"rows\":[]}", 3), Err(GoldenFault::Count(0))));
        assert!(matches!(Golden::parse(b"{\"rows\":[{\"x\":1}]}", 3), Err(GoldenFault::Unreadable(_))));
        let mut bad = golden;
        bad.rows[2].odds[0] = 0.9;
        assert!(matches!(bad.to_json(2), Err(GoldenFault::Row { row: 2, .. })));
    }
}
