//! Moving averages: simple and exponential.

use crate::window::Window;

/// Simple moving average: the mean of the last `period` values.
#[derive(Clone, Debug)]
pub struct Sma {
    tail_sum: f64,
    window: Window,
}

impl Sma {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        Self { tail_sum: 0.0, window: Window::new(period) }
    }

    /// The average if `x` were the next value; `None` while there are fewer than `period`.
    #[inline]
    pub fn forming(&self, x: f64) -> Option<f64> {
        self.window.nearly_full().then(|| (self.tail_sum + x) / self.window.period() as f64)
    }

    /// Takes a finished value; answers as [`Sma::forming`] would have.
    pub fn update(&mut self, x: f64) -> Option<f64> {
        let value = self.forming(x);
        self.window.push(x);
        self.tail_sum = self.window.tail().sum();
        value
    }
}

/// Exponential moving average with factor 2 / (period + 1), seeded with the mean of its first `period` values.
#[derive(Clone, Debug)]
pub struct Ema {
    period: usize,
    factor: f64,
    seen: usize,
    /// The average, or while seeding the sum so far.
    held: f64,
}

impl Ema {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        assert!(period > 0, "an average needs a period");
        Self { period, factor: 2.0 / (period as f64 + 1.0), seen: 0, held: 0.0 }
    }

    /// The average if `x` were the next value; `None` while there are fewer than `period`.
    #[inline]
    pub fn forming(&self, x: f64) -> Option<f64> {
        if self.seen >= self.period {
            Some((x - self.held) * self.factor + self.held)
        } else if self.seen + 1 == self.period {
            Some((self.held + x) / self.period as f64)
        } else {
            None
        }
    }

    /// Takes a finished value; answers as [`Ema::forming`] would have.
    pub fn update(&mut self, x: f64) -> Option<f64> {
        let value = self.forming(x);
        self.held = value.unwrap_or(self.held + x);
        self.seen += 1;
        value
    }

    /// The average of the finished values.
    #[inline]
    pub fn value(&self) -> Option<f64> {
        (self.seen >= self.period).then_some(self.held)
    }
}
