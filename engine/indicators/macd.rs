//! Two averages against each other: MACD and PPO (Gerald Appel).

use crate::average::{Ema, Sma};
use crate::candle::Candle;
use crate::glide::{TOGETHER, apart};
use crate::indicator::{Indicator, Series};
use crate::sweep::{SCRATCH, Scratch, Stretch, each};

state! {
    /// MACD of the close: line, signal and histogram, dollars. The fast average starts late, so that both are
    /// seeded with bars that end at bar `slow - 1`; first answered with bar `slow + signal - 2` (TA-Lib).
    pub struct Macd {
        /// Bars the fast average still sits out.
        waits: usize,
        fast: Ema,
        slow: Ema,
        signal: Ema,
    }
}

impl Macd {
    /// With the periods of the fast average, the slow one, and the signal; the shorter of the first two is the
    /// fast one.
    pub fn new(fast: usize, slow: usize, signal: usize) -> Self {
        let (fast, slow) = (fast.min(slow), fast.max(slow));
        Self { waits: slow - fast, fast: Ema::new(fast), slow: Ema::new(slow), signal: Ema::new(signal) }
    }

    #[inline(always)]
    fn line(&self, close: f64) -> Option<f64> {
        let slow = self.slow.forming(close)?;
        Some(self.fast.forming(close)? - slow)
    }
}

impl Indicator for Macd {
    type Output = [f64; 3];

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<[f64; 3]> {
        let line = self.line(candle.close)?;
        let signal = self.signal.forming(line)?;
        Some([line, signal, line - signal])
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some(line) = self.line(candle.close) {
            self.signal.take(line);
        }
        if self.waits > 0 {
            self.waits -= 1;
        } else {
            self.fast.take(candle.close);
        }
        self.slow.take(candle.close);
    }

    #[inline(always)]
    fn sweep(&mut self, bars: &Stretch<'_>, [lines, signals, histogram]: &mut [Scratch; 3]) -> bool {
        let glides = (self.fast.glide(), self.slow.glide(), self.signal.glide());
        let (Some(mut fast), Some(mut slow), Some(mut signal)) = glides else { return false };
        let answers = lines.as_chunks_mut::<TOGETHER>().0.iter_mut().zip(signals.as_chunks_mut().0);
        for (closes, (line, signals)) in bars.close.as_chunks().0.iter().zip(answers) {
            let (fast, slow) = (fast.take(*closes), slow.take(*closes));
            *line = apart(fast, slow);
            *signals = signal.take(*line);
        }
        *histogram = each(|i| lines[i] - signals[i]);
        self.fast.land(&fast);
        self.slow.land(&slow);
        self.signal.land(&signal);
        true
    }
}

state! {
    /// Fast less slow average in percent of the slow one; each average is seeded with its own first bars.
    pub struct Ppo {
        is_exponential: bool,
        emas: [Ema; 2],
        smas: [Sma; 2],
    }
}

impl Ppo {
    /// With the periods of the fast and the slow average; exponential or simple ones.
    pub fn new(fast: usize, slow: usize, is_exponential: bool) -> Self {
        let periods = [fast.min(slow), fast.max(slow)];
        Self { is_exponential, emas: periods.map(Ema::new), smas: periods.map(Sma::new) }
    }
}

impl Series for Ppo {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        let (fast, slow) = if self.is_exponential {
            (self.emas[0].forming(x)?, self.emas[1].forming(x)?)
        } else {
            (self.smas[0].forming(x)?, self.smas[1].forming(x)?)
        };
        Some(percent(fast, slow))
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        if self.is_exponential {
            self.emas.iter_mut().for_each(|ema| ema.take(x));
        } else {
            self.smas.iter_mut().for_each(|sma| sma.take(x));
        }
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        let (mut fast, mut slow) = (SCRATCH, SCRATCH);
        // Slow ones are warm last.
        let is_swept = if self.is_exponential {
            self.emas[1].sweep(xs, &mut slow) && self.emas[0].sweep(xs, &mut fast)
        } else {
            self.smas[1].sweep(xs, &mut slow) && self.smas[0].sweep(xs, &mut fast)
        };
        *line = each(|i| percent(fast[i], slow[i]));
        is_swept
    }
}

#[inline(always)]
fn percent(fast: f64, slow: f64) -> f64 {
    if slow == 0.0 { 0.0 } else { (fast - slow) / slow * 100.0 }
}
