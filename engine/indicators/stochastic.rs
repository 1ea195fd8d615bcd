//! Stochastic oscillators (George Lane): where a value lies in its range, fast, slow, and of the relative strength.

use crate::average::Sma;
use crate::candle::Candle;
use crate::indicator::{Indicator, Series};
use crate::momentum::Rsi;
use crate::window::{Highest, Lowest};

state! {
    /// Position of the close in the range of `period` bars, averaged twice: slow %K and %D, 0 to 100; first answered
    /// with bar `period + k + d - 3`. A range of zero counts as position 0.
    pub struct Stochastic {
        high: Highest,
        low: Lowest,
        k: Sma,
        d: Sma,
    }
}

impl Stochastic {
    /// Over `period` bars, averaged over `k` and again over `d`.
    pub fn new(period: usize, k: usize, d: usize) -> Self {
        Self { high: Highest::new(period), low: Lowest::new(period), k: Sma::new(k), d: Sma::new(d) }
    }

    #[inline(always)]
    fn position(&self, candle: &Candle) -> Option<f64> {
        let (high, low) = (self.high.forming(candle.high)?, self.low.forming(candle.low)?);
        Some(if high > low { (candle.close - low) / (high - low) * 100.0 } else { 0.0 })
    }
}

impl Indicator for Stochastic {
    type Output = [f64; 2];

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<[f64; 2]> {
        let k = self.k.forming(self.position(candle)?)?;
        Some([k, self.d.forming(k)?])
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some(position) = self.position(candle) {
            if let Some(k) = self.k.forming(position) {
                self.d.take(k);
            }
            self.k.take(position);
        }
        self.high.take(candle.high);
        self.low.take(candle.low);
    }
}

state! {
    /// The fast form: %K as it is, and its average %D; both from the bar that has a %D.
    pub struct FastStochastic {
        high: Highest,
        low: Lowest,
        d: Sma,
    }
}

impl FastStochastic {
    /// Over `period` bars, averaged over `d`.
    pub fn new(period: usize, d: usize) -> Self {
        Self { high: Highest::new(period), low: Lowest::new(period), d: Sma::new(d) }
    }

    #[inline(always)]
    fn position(&self, candle: &Candle) -> Option<f64> {
        let (high, low) = (self.high.forming(candle.high)?, self.low.forming(candle.low)?);
        Some(if high > low { (candle.close - low) / (high - low) * 100.0 } else { 0.0 })
    }
}

impl Indicator for FastStochastic {
    type Output = [f64; 2];

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<[f64; 2]> {
        let k = self.position(candle)?;
        Some([k, self.d.forming(k)?])
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some(position) = self.position(candle) {
            self.d.take(position);
        }
        self.high.take(candle.high);
        self.low.take(candle.low);
    }
}

/// A range of the relative strength up to this is none: rounding of a flat market (TA-Lib 0.8).
const FLAT: f64 = 1e-10;

state! {
    /// Fast stochastic of the relative strength index (Chande & Kroll 1994, unsmoothed): %K and %D.
    pub struct StochRsi {
        rsi: Rsi,
        high: Highest,
        low: Lowest,
        d: Sma,
    }
}

impl StochRsi {
    /// RSI over `period` changes, its range over `k` bars, averaged over `d`.
    pub fn new(period: usize, k: usize, d: usize) -> Self {
        Self { rsi: Rsi::new(period), high: Highest::new(k), low: Lowest::new(k), d: Sma::new(d) }
    }

    #[inline(always)]
    fn position(&self, rsi: f64) -> Option<f64> {
        let (high, low) = (self.high.forming(rsi)?, self.low.forming(rsi)?);
        Some(if high - low > FLAT { (rsi - low) / (high - low) * 100.0 } else { 0.0 })
    }
}

impl Series for StochRsi {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        self.position(self.rsi.forming(x)?)
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        if let Some(rsi) = self.rsi.forming(x) {
            if let Some(position) = self.position(rsi) {
                self.d.take(position);
            }
            self.high.take(rsi);
            self.low.take(rsi);
        }
        self.rsi.take(x);
    }
}

impl Indicator for StochRsi {
    type Output = [f64; 2];

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<[f64; 2]> {
        let k = Series::forming(self, candle.close)?;
        Some([k, self.d.forming(k)?])
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        Series::take(self, candle.close);
    }
}
