//! Marks along the way of a tick, for whoever measures. A stamp cannot be read back, so measuring changes nothing.

/// A part of the work that is now done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Bars and indicators have taken the tick.
    Indicators,
    /// The models were asked, the ensemble combined.
    Inference,
    /// The chain took an option quote, or was re-marked.
    Chain,
    /// Exit and entry were asked.
    Decision,
}

/// Takes note that a stage is done.
pub trait StageClock {
    /// `stage` is done.
    fn stamp(&mut self, stage: Stage);
}

/// Measures nothing: for tests, replay and backtests.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStages;

impl StageClock for NoStages {
    fn stamp(&mut self, _stage: Stage) {}
}
