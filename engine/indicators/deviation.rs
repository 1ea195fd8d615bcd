//! Mean and standard deviation of a window, and what is made of them: Bollinger bands and the z-score.

use crate::candle::Candle;
use crate::window::Window;

/// Mean and squared deviations of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Arithmetic mean.
    pub mean: f64,
    /// Sum of squared deviations from the mean, not negative.
    pub squares: f64,
    /// Values in the window.
    pub count: usize,
}

impl Spread {
    /// Standard deviation with divisor n.
    pub fn population(&self) -> f64 {
        (self.squares / self.count as f64).sqrt()
    }

    /// Variance with divisor n - 1; 0 for a single value.
    pub fn sample_variance(&self) -> f64 {
        self.squares / (self.count.max(2) - 1) as f64
    }
}

/// Mean and deviation of the last `period` values. The tail is summed twice when a bar closes (mean first, then
/// deviations), and a forming value is joined by Welford's step: no cancellation, whatever the level.
#[derive(Clone, Debug)]
pub struct Moments {
    tail_mean: f64,
    tail_squares: f64,
    window: Window,
}

impl Moments {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        Self { tail_mean: 0.0, tail_squares: 0.0, window: Window::new(period) }
    }

    /// Mean and deviations if `x` were the next value; `None` while there are fewer than `period`.
    #[inline]
    pub fn forming(&self, x: f64) -> Option<Spread> {
        if !self.window.nearly_full() {
            return None;
        }
        let count = self.window.period();
        let away = x - self.tail_mean;
        let mean = self.tail_mean + away / count as f64;
        Some(Spread { mean, squares: (self.tail_squares + away * (x - mean)).max(0.0), count })
    }

    /// Takes a finished value; answers as [`Moments::forming`] would have.
    pub fn update(&mut self, x: f64) -> Option<Spread> {
        let value = self.forming(x);
        self.window.push(x);
        let count = self.window.tail().count().max(1) as f64;
        self.tail_mean = self.window.tail().sum::<f64>() / count;
        self.tail_squares = self.window.tail().map(|v| (v - self.tail_mean) * (v - self.tail_mean)).sum();
        value
    }
}

/// Bollinger's bands (John Bollinger; population deviation).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bands {
    /// Middle plus `width` deviations, dollars.
    pub upper: f64,
    /// The mean, dollars.
    pub middle: f64,
    /// Middle less `width` deviations, dollars.
    pub lower: f64,
}

impl Bands {
    /// Where `price` lies between the bands: 0 at the lower, 1 at the upper, beyond outside; `None` when they touch.
    #[inline]
    pub fn percent_b(&self, price: f64) -> Option<f64> {
        let width = self.upper - self.lower;
        (width > 0.0).then(|| (price - self.lower) / width)
    }
}

/// Bollinger bands of the close.
#[derive(Clone, Debug)]
pub struct Bollinger {
    width: f64,
    moments: Moments,
}

impl Bollinger {
    /// Over `period` bars, `width` deviations to each side.
    pub fn new(period: usize, width: f64) -> Self {
        Self { width, moments: Moments::new(period) }
    }

    /// The bands if `candle` were the next bar.
    #[inline]
    pub fn forming(&self, candle: &Candle) -> Option<Bands> {
        self.moments.forming(candle.close).map(|spread| self.bands(&spread))
    }

    /// Takes a finished bar; answers as [`Bollinger::forming`] would have.
    pub fn update(&mut self, candle: &Candle) -> Option<Bands> {
        self.moments.update(candle.close).map(|spread| self.bands(&spread))
    }

    fn bands(&self, spread: &Spread) -> Bands {
        let reach = self.width * spread.population();
        Bands { upper: spread.mean + reach, middle: spread.mean, lower: spread.mean - reach }
    }
}

/// How many population deviations the close lies from its mean.
#[derive(Clone, Debug)]
pub struct ZScore {
    moments: Moments,
}

impl ZScore {
    /// Over `period` bars.
    pub fn new(period: usize) -> Self {
        Self { moments: Moments::new(period) }
    }

    /// The score if `candle` were the next bar; `None` also when nothing deviates.
    #[inline]
    pub fn forming(&self, candle: &Candle) -> Option<f64> {
        self.moments.forming(candle.close).and_then(|spread| score(candle.close, &spread))
    }

    /// Takes a finished bar; answers as [`ZScore::forming`] would have.
    pub fn update(&mut self, candle: &Candle) -> Option<f64> {
        self.moments.update(candle.close).and_then(|spread| score(candle.close, &spread))
    }
}

/// Deviations of `x` from the mean of its window; `None` when the window does not vary beyond rounding.
#[inline]
pub fn score(x: f64, spread: &Spread) -> Option<f64> {
    let deviation = spread.population();
    // Rounding of the mean alone can leave a deviation of this size where every value is equal.
    (deviation > 1e-13 * spread.mean.abs()).then(|| (x - spread.mean) / deviation)
}
