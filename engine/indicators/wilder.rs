//! Wilder's smoothing (J. Welles Wilder, New Concepts in Technical Trading Systems, 1978), in its two forms.

use crate::average::Ema;
use crate::glide::{Glide, drop_below};
use crate::indicator::Series;
use crate::sweep::Scratch;
use crate::window::checked;

/// A smoothed amount below this is nothing: after ten thousand flat bars it would be slow subnormal noise.
const NOTHING: f64 = 1e-290;

state! {
    /// Wilder's average: the mean of the first `period` values, then a `period`-th of the way to each new one.
    pub struct Wilder {
        average: Ema,
    }
}

impl Wilder {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        Self { average: Ema::with_factor(period, 1.0 / checked(period) as f64) }
    }

    /// The average of the finished values.
    #[inline(always)]
    pub fn value(&self) -> Option<f64> {
        self.average.value()
    }

    /// Sets out over a stretch; `None` while seeding.
    #[inline(always)]
    pub(crate) fn glide(&self) -> Option<Glide> {
        self.average.glide()
    }

    /// Arrives at a stretch's end; what has come to nothing is dropped.
    #[inline(always)]
    pub(crate) fn land(&mut self, before: Glide, mut after: Glide, xs: &Scratch, line: &mut Scratch) {
        drop_below(NOTHING, before, &mut after, xs, line);
        self.average.land(&after);
    }
}

impl Series for Wilder {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        self.average.forming(x)
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.average.take(x);
        self.average.drop_below(NOTHING);
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        let Some(before) = self.glide() else { return false };
        let mut glide = before;
        glide.sweep(xs, line);
        self.land(before, glide, xs, line);
        true
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
