//! True range and its Wilder average, plain and in percent (Wilder 1978).

use crate::candle::Candle;
use crate::indicator::{Indicator, Series};
use crate::sweep::{SCRATCH, STRETCH, Scratch, Stretch, each, one_earlier};
use crate::wilder::Wilder;
use crate::window::larger;

/// The largest of high less low, and the distances of high and low from the previous close.
#[inline(always)]
pub fn true_range(candle: &Candle, previous_close: f64) -> f64 {
    true_range_of(candle.high, candle.low, previous_close)
}

#[inline(always)]
fn true_range_of(high: f64, low: f64, previous_close: f64) -> f64 {
    larger(high - low, larger((high - previous_close).abs(), (low - previous_close).abs()))
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

    #[inline(always)]
    fn sweep(&mut self, bars: &Stretch<'_>, [line]: &mut [Scratch; 1]) -> bool {
        let Some(last) = self.last.replace(bars.close[STRETCH - 1]) else {
            self.last = None;
            return false;
        };
        let lasts = one_earlier(last, bars.close);
        *line = each(|i| true_range_of(bars.high[i], bars.low[i], lasts[i]));
        true
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

    #[inline(always)]
    fn sweep(&mut self, bars: &Stretch<'_>, [line]: &mut [Scratch; 1]) -> bool {
        let mut ranges = [SCRATCH];
        self.value().is_some() && self.range.sweep(bars, &mut ranges) && self.average.sweep(&ranges[0], line)
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

    #[inline(always)]
    fn sweep(&mut self, bars: &Stretch<'_>, lines: &mut [Scratch; 1]) -> bool {
        let is_swept = self.atr.sweep(bars, lines);
        for (line, close) in lines[0].iter_mut().zip(bars.close) {
            *line = if *close == 0.0 { 0.0 } else { *line / close * 100.0 };
        }
        is_swept
    }
}
