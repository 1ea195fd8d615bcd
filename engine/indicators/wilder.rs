//! Wilder's smoothing (J. Welles Wilder, New Concepts in Technical Trading Systems, 1978), in its two forms.

use crate::indicator::Series;
use crate::window::checked;

/// A smoothed amount below this is nothing: after ten thousand flat bars it would be slow subnormal noise.
const NOTHING: f64 = 1e-290;

state! {
    /// Wilder's average: the mean of the first `period` values, then a `period`-th of the way to each new one.
    pub struct Wilder {
        /// Values still missing from the seed.
        waits: usize,
        period: f64,
        factor: f64,
        /// The average, or while seeding the sum so far.
        held: f64,
    }
}

impl Wilder {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        let n = checked(period) as f64;
        Self { waits: period, period: n, factor: 1.0 / n, held: 0.0 }
    }

    /// The average of the finished values.
    #[inline(always)]
    pub fn value(&self) -> Option<f64> {
        (self.waits == 0).then_some(self.held)
    }
}

impl Series for Wilder {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        match self.waits {
            0 => Some(self.held + (x - self.held) * self.factor),
            1 => Some((self.held + x) / self.period),
            _ => None,
        }
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        if self.waits == 0 {
            self.held += (x - self.held) * self.factor;
            if self.held.abs() < NOTHING {
                self.held = 0.0;
            }
        } else {
            self.held = self.forming(x).unwrap_or(self.held + x);
            self.waits -= 1;
        }
    }
}

state! {
    /// Wilder's running sum as TA-Lib starts it: the plain sum of the first `period - 1` values, then
    /// `old - old / period + new`, first answered with the `period`-th value.
    pub struct WilderSum {
        waits: usize,
        factor: f64,
        held: f64,
    }
}

impl WilderSum {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        Self { waits: checked(period) - 1, factor: 1.0 / period as f64, held: 0.0 }
    }
}

impl Series for WilderSum {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        (self.waits == 0).then_some(self.held - self.held * self.factor + x)
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        if self.waits == 0 {
            self.held = self.held - self.held * self.factor + x;
            if self.held < NOTHING {
                self.held = 0.0;
            }
        } else {
            self.held += x;
            self.waits -= 1;
        }
    }
}
