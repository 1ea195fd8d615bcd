//! Moving-average convergence and divergence (Gerald Appel), seeded as TA-Lib does.

use crate::average::Ema;
use crate::candle::Candle;

/// The three outputs, in dollars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Convergence {
    /// Fast less slow average.
    pub line: f64,
    /// Average of the line.
    pub signal: f64,
    /// Line less signal.
    pub histogram: f64,
}

/// MACD of the close. The fast average starts late, so that both are seeded with bars that end at bar
/// `slow - 1`; first answered with bar `slow + signal - 2`.
#[derive(Clone, Debug)]
pub struct Macd {
    /// Bars the fast average still sits out.
    waits: usize,
    fast: Ema,
    slow: Ema,
    signal: Ema,
}

impl Macd {
    /// With the periods of the fast average, the slow one, and the signal. `fast` must be below `slow`.
    pub fn new(fast: usize, slow: usize, signal: usize) -> Self {
        assert!(fast < slow, "the fast average must be shorter than the slow one");
        Self { waits: slow - fast, fast: Ema::new(fast), slow: Ema::new(slow), signal: Ema::new(signal) }
    }

    /// The outputs if `candle` were the next bar.
    #[inline]
    pub fn forming(&self, candle: &Candle) -> Option<Convergence> {
        let line = self.line(candle.close)?;
        let signal = self.signal.forming(line)?;
        Some(Convergence { line, signal, histogram: line - signal })
    }

    /// Takes a finished bar; answers as [`Macd::forming`] would have.
    pub fn update(&mut self, candle: &Candle) -> Option<Convergence> {
        let (value, line) = (self.forming(candle), self.line(candle.close));
        if self.waits > 0 {
            self.waits -= 1;
        } else {
            self.fast.update(candle.close);
        }
        self.slow.update(candle.close);
        if let Some(line) = line {
            self.signal.update(line);
        }
        value
    }

    fn line(&self, close: f64) -> Option<f64> {
        if self.waits > 0 {
            return None;
        }
        Some(self.fast.forming(close)? - self.slow.forming(close)?)
    }
}
