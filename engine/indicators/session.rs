//! What starts again with every session: average price, range, and the gap it opened with.

use crate::candle::Candle;
use crate::indicator::Indicator;
use crate::window::{Total, larger, smaller};

state! {
    /// Volume-weighted average price since the session's first bar, dollars; unknown while nothing traded.
    pub struct SessionVwap {
        session: i32,
        turnover: Total,
        volume: Total,
    }
}

impl SessionVwap {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { session: i32::MIN, turnover: Total::new(0.0), volume: Total::new(0.0) }
    }
}

impl Default for SessionVwap {
    fn default() -> Self {
        Self::new()
    }
}

impl Indicator for SessionVwap {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        let (turnover, volume) = if candle.session == self.session {
            (self.turnover.with(candle.turnover), self.volume.with(candle.volume))
        } else {
            (candle.turnover, candle.volume)
        };
        (volume > 0.0).then(|| turnover / volume)
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if candle.session != self.session {
            *self = Self { session: candle.session, ..Self::new() };
        }
        self.turnover.take(candle.turnover);
        self.volume.take(candle.volume);
    }
}

state! {
    /// The session so far: high, low, and where the close lies between them, 0 to 1 (a half without a range).
    pub struct SessionRange {
        session: i32,
        high: f64,
        low: f64,
    }
}

impl SessionRange {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { session: i32::MIN, high: 0.0, low: 0.0 }
    }

    #[inline(always)]
    fn range(&self, candle: &Candle) -> (f64, f64) {
        if candle.session == self.session {
            (larger(self.high, candle.high), smaller(self.low, candle.low))
        } else {
            (candle.high, candle.low)
        }
    }
}

impl Default for SessionRange {
    fn default() -> Self {
        Self::new()
    }
}

impl Indicator for SessionRange {
    type Output = [f64; 3];

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<[f64; 3]> {
        let (high, low) = self.range(candle);
        let place = if high > low { (candle.close - low) / (high - low) } else { 0.5 };
        Some([high, low, place])
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        (self.high, self.low) = self.range(candle);
        self.session = candle.session;
    }
}

state! {
    /// The session's first price less the last close of the session before: in dollars and in percent of that close.
    /// Stays the same all session; unknown in the first, and in percent where that close is 0.
    pub struct Gap {
        session: Option<i32>,
        last: f64,
        /// Close before the session, and its first price.
        ends: Option<(f64, f64)>,
    }
}

impl Gap {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { session: None, last: 0.0, ends: None }
    }

    #[inline(always)]
    fn ends(&self, candle: &Candle) -> Option<(f64, f64)> {
        match self.session {
            None => None,
            Some(session) if session == candle.session => self.ends,
            Some(_) => Some((self.last, candle.open)),
        }
    }

    /// The gap in dollars if `candle` were the next bar.
    #[inline(always)]
    pub fn dollars(&self, candle: &Candle) -> Option<f64> {
        self.ends(candle).map(|(before, first)| first - before)
    }
}

impl Default for Gap {
    fn default() -> Self {
        Self::new()
    }
}

impl Indicator for Gap {
    type Output = [Option<f64>; 2];

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<[Option<f64>; 2]> {
        let (before, first) = self.ends(candle)?;
        let percent = (before != 0.0).then(|| (first / before - 1.0) * 100.0);
        Some([Some(first - before), percent])
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.ends = self.ends(candle);
        self.session = Some(candle.session);
        self.last = candle.close;
    }
}
