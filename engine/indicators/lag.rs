//! The close some bars ago, and the rate of change.

use crate::candle::Candle;
use crate::window::Window;

/// The close `bars` bars before the next one.
#[derive(Clone, Debug)]
pub struct Lag {
    window: Window,
}

impl Lag {
    /// `bars` bars back.
    pub fn new(bars: usize) -> Self {
        Self { window: Window::new(bars) }
    }

    /// Change of the close against `bars` bars ago, dollars, if `candle` were the next bar.
    #[inline]
    pub fn change(&self, candle: &Candle) -> Option<f64> {
        Some(candle.close - self.window.oldest()?)
    }

    /// The same in percent: TA-Lib's ROC; 0 where the old close is 0.
    pub fn forming(&self, candle: &Candle) -> Option<f64> {
        let old = self.window.oldest()?;
        Some(if old == 0.0 { 0.0 } else { (candle.close / old - 1.0) * 100.0 })
    }

    /// Takes a finished bar; answers as [`Lag::forming`] would have: first with bar `bars`.
    pub fn update(&mut self, candle: &Candle) -> Option<f64> {
        let value = self.forming(candle);
        self.window.push(candle.close);
        value
    }
}
