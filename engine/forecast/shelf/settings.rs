//! What the shelf is told.

use crate::Scored;

/// What a prediction is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Squared errors over the three classes: bounded, forgiving to one wild answer.
    Brier,
    /// Minus the logarithm of the odds of what happened: severe to misplaced certainty.
    LogLoss,
}

impl Measure {
    /// The loss of a prediction: less is better.
    pub fn loss(self, scored: &Scored) -> f64 {
        match self {
            Self::Brier => scored.brier(),
            Self::LogLoss => scored.log_loss(),
        }
    }
}

/// When a model is promoted and when it is rolled back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// What predictions are judged by.
    pub measure: Measure,
    /// Predictions of both on the same moments before a look is taken, and between two looks.
    pub scored_min: u32,
    /// Looks at a shadow before it is given up.
    pub looks: u32,
    /// Chance of promoting a model that is no better, over all looks together.
    pub alpha: f64,
    /// Least gain of mean loss.
    pub margin: f64,
    /// Predictions of the incumbent in a window of its watch.
    pub window: u32,
    /// Chance, each window, of calling a model fallen that is as good as ever.
    pub fall_alpha: f64,
    /// Least loss of mean loss.
    pub fall_margin: f64,
    /// Most shadows of a timeframe asked at a time; the others wait.
    pub shadows_max: usize,
}

impl Settings {
    /// What ships.
    pub const SHIPPED: Self = Self {
        measure: Measure::Brier,
        scored_min: 2_000,
        looks: 4,
        alpha: 0.01,
        margin: 0.002,
        window: 2_000,
        fall_alpha: 0.005,
        fall_margin: 0.01,
        shadows_max: 2,
    };
}
