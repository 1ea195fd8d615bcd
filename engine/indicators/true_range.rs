//! True range and its Wilder average (Wilder 1978).

use crate::candle::Candle;
use crate::wilder::Wilder;

/// The largest of high less low, and the distances of high and low from the previous close.
#[inline]
pub fn true_range(candle: &Candle, previous_close: f64) -> f64 {
    (candle.high - candle.low)
        .max((candle.high - previous_close).abs())
        .max((candle.low - previous_close).abs())
}

/// Average true range over `period` bars, dollars. The first bar has no range (there is no close before it);
/// first answered with bar `period`.
#[derive(Clone, Debug)]
pub struct Atr {
    last: Option<f64>,
    average: Wilder,
}

impl Atr {
    /// Over `period` bars.
    pub fn new(period: usize) -> Self {
        Self { last: None, average: Wilder::new(period) }
    }

    /// The average if `candle` were the next bar.
    #[inline]
    pub fn forming(&self, candle: &Candle) -> Option<f64> {
        self.average.forming(true_range(candle, self.last?))
    }

    /// Takes a finished bar; answers as [`Atr::forming`] would have.
    pub fn update(&mut self, candle: &Candle) -> Option<f64> {
        let value = self.forming(candle);
        if let Some(last) = self.last.replace(candle.close) {
            self.average.update(true_range(candle, last));
        }
        value
    }

    /// The average of the finished bars.
    pub fn value(&self) -> Option<f64> {
        self.average.value()
    }
}
