//! The session's volume-weighted average price.

use crate::candle::Candle;

/// Turnover over volume since the session's first bar; starts again when the session changes.
#[derive(Clone, Debug, Default)]
pub struct SessionVwap {
    session: i32,
    turnover: f64,
    volume: f64,
}

impl SessionVwap {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { session: i32::MIN, turnover: 0.0, volume: 0.0 }
    }

    /// Dollars, if `candle` were the next bar; `None` while nothing traded in the session.
    #[inline]
    pub fn forming(&self, candle: &Candle) -> Option<f64> {
        let (turnover, volume) = self.with(candle);
        (volume > 0.0).then(|| turnover / volume)
    }

    /// Takes a finished bar; answers as [`SessionVwap::forming`] would have.
    pub fn update(&mut self, candle: &Candle) -> Option<f64> {
        let value = self.forming(candle);
        (self.turnover, self.volume) = self.with(candle);
        self.session = candle.session;
        value
    }

    fn with(&self, candle: &Candle) -> (f64, f64) {
        if candle.session == self.session {
            (self.turnover + candle.turnover, self.volume + candle.volume)
        } else {
            (candle.turnover, candle.volume)
        }
    }
}
