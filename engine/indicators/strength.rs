//! Relative strength index (Wilder 1978).

use crate::candle::Candle;
use crate::wilder::Wilder;

/// Wilder-smoothed gains and losses of the close.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strength {
    /// Average gain a bar, dollars.
    pub gain: f64,
    /// Average loss a bar, dollars, not negative.
    pub loss: f64,
}

impl Strength {
    /// The index, 0 to 100; 0 when nothing moved (TA-Lib's convention).
    pub fn rsi(&self) -> f64 {
        let sum = self.gain + self.loss;
        if sum > 0.0 { 100.0 * self.gain / sum } else { 0.0 }
    }

    /// RSI / 100 - 0.5, and 0 when nothing moved: what a feature row takes, where a flat market is neutral.
    #[inline]
    pub fn balance(&self) -> f64 {
        let sum = self.gain + self.loss;
        if sum > 0.0 { self.gain / sum - 0.5 } else { 0.0 }
    }
}

/// The index over `period` changes; first answered with bar `period` (counting from 0).
#[derive(Clone, Debug)]
pub struct Rsi {
    last: Option<f64>,
    gain: Wilder,
    loss: Wilder,
}

impl Rsi {
    /// Over `period` changes.
    pub fn new(period: usize) -> Self {
        Self { last: None, gain: Wilder::new(period), loss: Wilder::new(period) }
    }

    /// Gains and losses if `candle` were the next bar.
    #[inline]
    pub fn forming(&self, candle: &Candle) -> Option<Strength> {
        let change = candle.close - self.last?;
        Some(Strength {
            gain: self.gain.forming(change.max(0.0))?,
            loss: self.loss.forming((-change).max(0.0))?,
        })
    }

    /// Takes a finished bar; answers as [`Rsi::forming`] would have.
    pub fn update(&mut self, candle: &Candle) -> Option<Strength> {
        let value = self.forming(candle);
        if let Some(last) = self.last.replace(candle.close) {
            let change = candle.close - last;
            self.gain.update(change.max(0.0));
            self.loss.update((-change).max(0.0));
        }
        value
    }
}
