//! What was trained and what it is worth.

use crate::explain::Bin;
use crate::learner::Params;
use crate::metrics::Scores;
use crate::network::CLASSES;
use crate::search::Tried;
use crate::skill::Skill;
use indicators::FEATURES;
use market::Date;
use market::quote::Timeframe;
use std::fmt;
use std::path::PathBuf;

/// What was trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// One a timeframe, shortest first.
    pub models: Vec<TimeframeReport>,
}

/// What became of one timeframe.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeframeReport {
    /// The timeframe.
    pub timeframe: Timeframe,
    /// Bars it looks ahead.
    pub horizon_bars: u32,
    /// Where its model is; absent when it was not written.
    pub folder: Option<PathBuf>,
    /// The parameters that did best on the folds.
    pub params: Params,
    /// Examples trained on, stopped by, tested on.
    pub rows: [usize; 3],
    /// Passes or rounds after which the best model stood; 0: it says the base rates.
    pub rounds: u32,
    /// Share of down, flat and up in training.
    pub base_rates: [f64; CLASSES],
    /// All candidates, each learner's best first.
    pub tried: Vec<Tried>,
    /// The folds of the best.
    pub folds: Vec<FoldReport>,
    /// What its forecasts out of fold were worth together; the model learnt only when this is proven.
    pub out_of_fold: Option<Skill>,
    /// How its odds are bent.
    pub calibration: &'static str,
    /// The last test; absent when there was nothing to test on.
    pub test: Option<TestReport>,
}

/// One fold of the best candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldReport {
    /// First and last session it was taught with; absent when there were none.
    pub taught: Option<(Date, Date)>,
    /// First and last session it was tested on.
    pub tested: Option<(Date, Date)>,
    /// Examples trained on, stopped by, tested on.
    pub rows: [usize; 3],
    /// Its scores and those of the base rates; absent when nothing was tested.
    pub scores: Option<(Scores, Scores)>,
    /// Its skill.
    pub skill: Option<Skill>,
}

/// The newest stretch, which nothing was chosen by.
#[derive(Clone, Debug, PartialEq)]
pub struct TestReport {
    /// First and last session.
    pub tested: (Date, Date),
    /// The model's scores, calibrated.
    pub scores: Scores,
    /// Its skill over the base rates.
    pub skill: Skill,
    /// Naive forecasters by name, with scores and skill; the base rates first.
    pub baselines: Vec<(String, Scores, Option<Skill>)>,
    /// Reliability of each class as the model says it, and calibrated, with their calibration errors.
    pub reliability: [[(Vec<Bin>, f64); 2]; CLASSES],
    /// What splits on each feature gained in training, as a share of all; absent for networks.
    pub gains: Option<[f64; FEATURES]>,
    /// How much worse the Brier score is without each feature.
    pub permutation: [f64; FEATURES],
}

impl TimeframeReport {
    /// True when what the model said out of fold is better than the base rates beyond doubt. This decides what is
    /// written; the last test decides nothing, or it would be none.
    pub fn is_proven(&self) -> bool {
        self.rounds > 0 && self.out_of_fold.as_ref().is_some_and(Skill::is_proven)
    }

    /// True when the last test bears that out, beyond doubt too.
    pub fn has_skill(&self) -> bool {
        self.is_proven() && self.test.as_ref().is_some_and(|test| test.skill.is_proven())
    }

    /// Scores on the last test, and of the base rates there.
    pub fn scores(&self) -> Option<(Scores, Scores)> {
        let test = self.test.as_ref()?;
        Some((test.scores, test.baselines.first()?.1))
    }
}

impl fmt::Display for Skill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+.4}", self.value)?;
        self.interval.map_or(Ok(()), |(low, high)| write!(f, " [{low:+.4}, {high:+.4}]"))
    }
}

impl fmt::Display for Report {
    /// A table a person can read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<8}{:<9}{:>8}{:>8}{:>8}{:>7}{:>10}{:>10}{:>10}{:>10}   Brier skill [95 %]",
            "", "learner", "train", "stop", "test", "rounds", "log loss", "of base", "accuracy", "of base"
        )?;
        for model in &self.models {
            let [train, stop, test] = model.rows;
            let learner = if model.rounds == 0 { "none".into() } else { model.params.learner().to_string() };
            write!(f, "{:<8}{learner:<9}{train:>8}{stop:>8}{test:>8}{:>7}", model.timeframe, model.rounds)?;
            match (model.scores(), &model.test) {
                (Some((own, base)), Some(test)) => writeln!(
                    f,
                    "{:>10.4}{:>10.4}{:>10.4}{:>10.4}   {}",
                    own.log_loss, base.log_loss, own.accuracy, base.accuracy, test.skill
                )?,
                _ => writeln!(f, "  not enough history to measure: says its base rates")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learner::tests::TREES;

    fn skill(low: f64) -> Skill {
        Skill { value: low + 0.01, interval: Some((low, low + 0.02)) }
    }

    /// What `--only-skilled` writes is chosen by the folds; a test that chose would be none.
    #[test]
    fn the_last_test_decides_nothing_about_what_is_written() {
        let scores = Scores { count: 200, log_loss: 1.0, brier: 0.6, accuracy: 0.4 };
        let test = |low: f64| TestReport {
            tested: (Date::from_days(0), Date::from_days(9)),
            scores,
            skill: skill(low),
            baselines: vec![],
            reliability: Default::default(),
            gains: None,
            permutation: [0.0; FEATURES],
        };
        let report = |folds: f64, last: f64| TimeframeReport {
            timeframe: Timeframe::Min5,
            horizon_bars: 3,
            folder: None,
            params: Params::Trees(TREES),
            rows: [900, 100, 200],
            rounds: 5,
            base_rates: [0.3, 0.4, 0.3],
            tried: vec![],
            folds: vec![],
            out_of_fold: Some(skill(folds)),
            calibration: "none",
            test: Some(test(last)),
        };
        for (folds, last, is_proven, has_skill) in
            [(0.01, 0.01, true, true), (0.01, -0.01, true, false), (-0.01, 0.01, false, false)]
        {
            let report = report(folds, last);
            assert_eq!((report.is_proven(), report.has_skill()), (is_proven, has_skill));
        }
    }
}
