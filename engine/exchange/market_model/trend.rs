//! Mild predictability: a price that strays from its own moving average is pushed on in a trending regime
//! and pulled back in a reverting one, and regimes change by chance. Weak enough that a model can find it
//! and a person cannot.

use super::chance::Chance;

/// One horizon of predictability.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Trend {
    /// Time constant of the moving average, in trading years.
    horizon_years: f64,
    /// Mean life of a regime, in trading years.
    regime_years: f64,
    /// Push per unit of deviation and horizon when trending.
    push: f64,
    /// Pull likewise when reverting.
    pull: f64,
    trending: bool,
    deviation: f64,
}

impl Trend {
    /// A horizon of minutes with regimes of an hour or two.
    pub fn intraday() -> Self {
        let minute = 0.75 / 252.0 / 390.0;
        Self::new(30.0 * minute, 90.0 * minute, 0.22, 0.28)
    }
    /// A horizon of ten sessions with regimes of two months.
    pub fn daily() -> Self {
        Self::new(10.0 / 252.0, 40.0 / 252.0, 0.20, 0.25)
    }
    fn new(horizon_years: f64, regime_years: f64, push: f64, pull: f64) -> Self {
        Self { horizon_years, regime_years, push, pull, trending: false, deviation: 0.0 }
    }

    /// The expected log return of the coming `years` that this horizon adds. A step longer than the
    /// horizon forgets it: the fast trend has no say in a daily step.
    pub fn expect(&mut self, years: f64, chance: &mut Chance) -> f64 {
        if chance.unit() < years / self.regime_years {
            self.trending = !self.trending;
        }
        if years > self.horizon_years {
            self.deviation = 0.0;
            return 0.0;
        }
        let strength = if self.trending { self.push } else { -self.pull };
        strength * self.deviation * (1.0 - (-years / self.horizon_years).exp())
    }

    /// Hears what the step became.
    pub fn moved(&mut self, years: f64, log_return: f64) {
        if years <= self.horizon_years {
            self.deviation = self.deviation * (-years / self.horizon_years).exp() + log_return;
        }
    }

    /// The push of the moment as a log return over one horizon, for the side of trades.
    pub fn lean(&self) -> f64 {
        self.deviation * if self.trending { self.push } else { -self.pull }
    }
}
