//! True range and its Wilder average, plain and in percent (Wilder 1978).

use crate::candle::Candle;
use crate::indicator::{Indicator, Series};
use crate::wilder::Wilder;
use crate::window::larger;

/// The largest of high less low, and the distances of high and low from the previous close.
#[inline(always)]
pub fn true_range(candle: &Candle, previous_close: f64) -> f64 {
    larger(
        candle.high - candle.low,
        larger((candle.high - previous_close).abs(), (candle.low - previous_close).abs()),
    )
}

state! {
    /// True range, dollars. The first bar has none: there is no close before it.
    pub struct TrueRange {
        last: Option<f64>,
    }
}

impl TrueRange {
    /// No bar yet.
    pub const fn new() -> Self {
        Self { last: None }
    }
}

impl Default for TrueRange {
    fn default() -> Self {
        Self::new()
    }
}

impl Indicator for TrueRange {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        Some(true_range(candle, self.last?))
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.last = Some(candle.close);
    }
}

state! {
    /// Average true range over `period` bars, dollars; first answered with bar `period`.
    pub struct Atr {
        range: TrueRange,
        average: Wilder,
    }
}

impl Atr {
    /// Over `period` bars.
    pub fn new(period: usize) -> Self {
        Self { range: TrueRange::new(), average: Wilder::new(period) }
    }

    /// The average of the finished bars.
    pub fn value(&self) -> Option<f64> {
        self.average.value()
    }
}

impl Indicator for Atr {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        self.average.forming(self.range.forming(candle)?)
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some(range) = self.range.update(candle) {
            self.average.take(range);
        }
    }
}

state! {
    /// The same in percent of the close.
    pub struct Natr {
        atr: Atr,
    }
}

impl Natr {
    /// Over `period` bars.
    pub fn new(period: usize) -> Self {
        Self { atr: Atr::new(period) }
    }
}

impl Indicator for Natr {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        let atr = self.atr.forming(candle)?;
        Some(if candle.close == 0.0 { 0.0 } else { atr / candle.close * 100.0 })
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.atr.take(candle);
    }
}
