//! The slow stochastic oscillator (George Lane), as TA-Lib's STOCH with simple averages.

use crate::average::Sma;
use crate::candle::Candle;
use crate::window::Window;

/// Both lines, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lines {
    /// Slow %K: average of the position in the range.
    pub k: f64,
    /// Slow %D: average of %K.
    pub d: f64,
}

/// Position of the close in the range of `period` bars, averaged twice; first answered with bar
/// `period + k + d - 3`. A range of zero counts as position 0.
#[derive(Clone, Debug)]
pub struct Stochastic {
    tail_high: f64,
    tail_low: f64,
    k: Sma,
    d: Sma,
    highs: Window,
    lows: Window,
}

impl Stochastic {
    /// Over `period` bars, averaged over `k` and again over `d`.
    pub fn new(period: usize, k: usize, d: usize) -> Self {
        Self {
            tail_high: f64::NEG_INFINITY,
            tail_low: f64::INFINITY,
            k: Sma::new(k),
            d: Sma::new(d),
            highs: Window::new(period),
            lows: Window::new(period),
        }
    }

    /// The lines if `candle` were the next bar.
    #[inline]
    pub fn forming(&self, candle: &Candle) -> Option<Lines> {
        let k = self.k.forming(self.position(candle)?)?;
        Some(Lines { k, d: self.d.forming(k)? })
    }

    /// Takes a finished bar; answers as [`Stochastic::forming`] would have.
    pub fn update(&mut self, candle: &Candle) -> Option<Lines> {
        let value = self.forming(candle);
        if let Some(k) = self.position(candle).and_then(|position| self.k.update(position)) {
            self.d.update(k);
        }
        self.highs.push(candle.high);
        self.lows.push(candle.low);
        self.tail_high = self.highs.tail().fold(f64::NEG_INFINITY, f64::max);
        self.tail_low = self.lows.tail().fold(f64::INFINITY, f64::min);
        value
    }

    /// Fast %K.
    fn position(&self, candle: &Candle) -> Option<f64> {
        if !self.highs.nearly_full() {
            return None;
        }
        let (high, low) = (self.tail_high.max(candle.high), self.tail_low.min(candle.low));
        Some(if high > low { (candle.close - low) / (high - low) * 100.0 } else { 0.0 })
    }
}
