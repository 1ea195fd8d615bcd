//! Wilder's smoothing (J. Welles Wilder, New Concepts in Technical Trading Systems, 1978), in its two forms.

/// Wilder's average: the mean of the first `period` values, then `(old * (period - 1) + new) / period`.
#[derive(Clone, Debug)]
pub struct Wilder {
    period: usize,
    seen: usize,
    /// The average, or while seeding the sum so far.
    held: f64,
}

impl Wilder {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        assert!(period > 0, "an average needs a period");
        Self { period, seen: 0, held: 0.0 }
    }

    /// The average if `x` were the next value; `None` while there are fewer than `period`.
    #[inline]
    pub fn forming(&self, x: f64) -> Option<f64> {
        let n = self.period as f64;
        if self.seen >= self.period {
            Some((self.held * (n - 1.0) + x) / n)
        } else if self.seen + 1 == self.period {
            Some((self.held + x) / n)
        } else {
            None
        }
    }

    /// Takes a finished value; answers as [`Wilder::forming`] would have.
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

/// Wilder's running sum as TA-Lib starts it: the plain sum of the first `period - 1` values, then
/// `old - old / period + new`, first answered with the `period`-th value.
#[derive(Clone, Debug)]
pub struct WilderSum {
    period: usize,
    seen: usize,
    held: f64,
}

impl WilderSum {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        assert!(period > 0, "a sum needs a period");
        Self { period, seen: 0, held: 0.0 }
    }

    /// The sum if `x` were the next value; `None` while there are fewer than `period`.
    #[inline]
    pub fn forming(&self, x: f64) -> Option<f64> {
        (self.seen + 1 >= self.period).then(|| self.held - self.held / self.period as f64 + x)
    }

    /// Takes a finished value; answers as [`WilderSum::forming`] would have.
    pub fn update(&mut self, x: f64) -> Option<f64> {
        let value = self.forming(x);
        self.held = value.unwrap_or(self.held + x);
        self.seen += 1;
        value
    }
}
