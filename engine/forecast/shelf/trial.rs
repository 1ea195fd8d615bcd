//! A shadow's trial: its duel with the incumbent, and whether one will ever come of it.

use super::duel::Duel;
use super::notes::Step;
use super::settings::Settings;

/// A comparable shadow may take this many times the predictions of a whole trial...
const PATIENCE: u32 = 2;
/// ...when it answered at fewer than one in so many of them.
const SILENT: u32 = 2;

/// A shadow's trial.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trial {
    /// Beside the incumbent.
    pub duel: Duel,
    /// Its own predictions scored since it began.
    pub own: u32,
    /// The incumbent's.
    pub beside: u32,
}

impl Trial {
    /// A trial of forecasts that look `horizon` moments ahead.
    pub fn new(horizon: u32) -> Self {
        Self { duel: Duel::new(horizon), own: 0, beside: 0 }
    }

    /// Why it is given up without a verdict, once it had its time: what a comparable shadow needs for all its looks. One
    /// that answers seldom may take longer, unless it hardly answers at all.
    pub fn is_in_vain(&self, settings: &Settings, is_comparable: bool) -> Option<Step> {
        let whole = settings.scored_min.saturating_mul(settings.looks.max(1));
        if !is_comparable {
            return (self.own.max(self.beside) >= whole).then_some(Step::NotComparable);
        }
        let is_over = self.beside >= whole.saturating_mul(PATIENCE);
        (is_over && self.duel.scored() < self.beside / SILENT).then_some(Step::Silent)
    }
}
