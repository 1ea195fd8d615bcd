//! How fast the close moves: momentum, rate of change, relative strength, Chande's oscillator, Williams' two.

use crate::candle::Candle;
use crate::indicator::{Indicator, Series};
use crate::sweep::{SCRATCH, STRETCH, Scratch, Stretch, each, one_earlier};
use crate::wilder::Wilder;
use crate::window::{Highest, Lowest, Ring, Sum, larger, smaller};

state! {
    /// Close less the close `bars` bars before, dollars.
    pub struct Mom {
        ring: Ring,
    }
}

impl Mom {
    /// Over `bars` bars.
    pub fn new(bars: usize) -> Self {
        Self { ring: Ring::new(bars) }
    }
}

impl Series for Mom {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        Some(x - self.ring.oldest()?)
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.ring.take(x);
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        self.ring.sweep(xs, line, |x, old| x - old)
    }
}

state! {
    /// The same in percent; 0 where the old close is 0.
    pub struct Roc {
        ring: Ring,
    }
}

impl Roc {
    /// Over `bars` bars.
    pub fn new(bars: usize) -> Self {
        Self { ring: Ring::new(bars) }
    }
}

impl Series for Roc {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        self.ring.oldest().map(|old| change(x, old))
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.ring.take(x);
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        self.ring.sweep(xs, line, change)
    }
}

/// Percent.
#[inline(always)]
fn change(x: f64, old: f64) -> f64 {
    if old == 0.0 { 0.0 } else { (x / old - 1.0) * 100.0 }
}

state! {
    /// Wilder-smoothed gains and losses.
    pub struct Strength {
        last: Option<f64>,
        gain: Wilder,
        loss: Wilder,
    }
}

/// A change as gain and loss, exactly, without a branch on its sign: that is a coin's toss to the processor.
#[inline(always)]
fn sides(change: f64) -> (f64, f64) {
    let size = change.abs();
    ((size + change) * 0.5, (size - change) * 0.5)
}

impl Strength {
    /// Over `period` changes.
    pub fn new(period: usize) -> Self {
        Self { last: None, gain: Wilder::new(period), loss: Wilder::new(period) }
    }

    /// Average gain and loss if `x` were the next value; neither is negative.
    #[inline(always)]
    pub fn forming(&self, x: f64) -> Option<(f64, f64)> {
        let (gain, loss) = sides(x - self.last?);
        Some((self.gain.forming(gain)?, self.loss.forming(loss)?))
    }

    /// Gain as a share of both less a half, and 0 when nothing moved: what a feature row takes, where a flat market
    /// is neutral.
    #[inline(always)]
    pub fn balance(&self, x: f64) -> Option<f64> {
        let (gain, loss) = self.forming(x)?;
        let sum = gain + loss;
        Some(if sum > 0.0 { gain / sum - 0.5 } else { 0.0 })
    }

    /// Takes a finished value.
    #[inline(always)]
    pub fn take(&mut self, x: f64) {
        if let Some(last) = self.last {
            let (gain, loss) = sides(x - last);
            self.gain.take(gain);
            self.loss.take(loss);
        }
        self.last = Some(x);
    }

    /// Takes a stretch; `line` becomes what `answer` makes of average gain and loss, 0 where nothing moved. False,
    /// and nothing is taken, while seeding.
    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch, answer: impl Fn(f64, f64) -> f64) -> bool {
        let (Some(last), Some(gain), Some(loss)) = (self.last, self.gain.glide(), self.loss.glide()) else {
            return false;
        };
        let lasts = one_earlier(last, xs);
        let ups = each(|i| sides(xs[i] - lasts[i]).0);
        let downs = each(|i| sides(xs[i] - lasts[i]).1);
        let (mut gains, mut losses) = (SCRATCH, SCRATCH);
        let (mut gain_after, mut loss_after) = (gain, loss);
        let amounts = ups.as_chunks().0.iter().zip(downs.as_chunks().0);
        let averages = gains.as_chunks_mut().0.iter_mut().zip(losses.as_chunks_mut().0);
        for ((ups, downs), (gains, losses)) in amounts.zip(averages) {
            (*gains, *losses) = (gain_after.take(*ups), loss_after.take(*downs));
        }
        self.gain.land(gain, gain_after, &ups, &mut gains);
        self.loss.land(loss, loss_after, &downs, &mut losses);
        *line = each(|i| if gains[i] + losses[i] > 0.0 { answer(gains[i], losses[i]) } else { 0.0 });
        self.last = Some(xs[STRETCH - 1]);
        true
    }
}

state! {
    /// Relative strength index (Wilder 1978), 0 to 100; 0 when nothing moved.
    pub struct Rsi {
        strength: Strength,
    }
}

impl Rsi {
    /// Over `period` changes.
    pub fn new(period: usize) -> Self {
        Self { strength: Strength::new(period) }
    }
}

impl Series for Rsi {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        let (gain, loss) = self.strength.forming(x)?;
        let sum = gain + loss;
        Some(if sum > 0.0 { 100.0 * (gain / sum) } else { 0.0 })
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.strength.take(x);
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        self.strength.sweep(xs, line, |gain, loss| 100.0 * (gain / (gain + loss)))
    }
}

state! {
    /// Chande's momentum oscillator, Wilder-smoothed as in TA-Lib, -100 to 100; 0 when nothing moved.
    pub struct Cmo {
        strength: Strength,
    }
}

impl Cmo {
    /// Over `period` changes.
    pub fn new(period: usize) -> Self {
        Self { strength: Strength::new(period) }
    }
}

impl Series for Cmo {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        let (gain, loss) = self.strength.forming(x)?;
        let sum = gain + loss;
        Some(if sum > 0.0 { 100.0 * ((gain - loss) / sum) } else { 0.0 })
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.strength.take(x);
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        self.strength.sweep(xs, line, |gain, loss| 100.0 * ((gain - loss) / (gain + loss)))
    }
}

state! {
    /// Larry Williams' %R: the close below the highest high in percent of the range, -100 to 0; 0 without a range.
    pub struct WilliamsR {
        high: Highest,
        low: Lowest,
    }
}

impl WilliamsR {
    /// Over `period` bars.
    pub fn new(period: usize) -> Self {
        Self { high: Highest::new(period), low: Lowest::new(period) }
    }
}

impl Indicator for WilliamsR {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        let (high, low) = (self.high.forming(candle.high)?, self.low.forming(candle.low)?);
        Some(if high > low { (high - candle.close) / (high - low) * -100.0 } else { 0.0 })
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.high.take(candle.high);
        self.low.take(candle.low);
    }

    #[inline(always)]
    fn sweep(&mut self, bars: &Stretch<'_>, [line]: &mut [Scratch; 1]) -> bool {
        let (mut highs, mut lows) = (SCRATCH, SCRATCH);
        if !(self.high.sweep(bars.high, &mut highs) && self.low.sweep(bars.low, &mut lows)) {
            return false;
        }
        *line = each(|i| {
            let range = highs[i] - lows[i];
            if range > 0.0 { (highs[i] - bars.close[i]) / range * -100.0 } else { 0.0 }
        });
        true
    }
}

state! {
    /// Larry Williams' ultimate oscillator: buying pressure over true range, in three periods weighted 4, 2 and 1.
    pub struct Ultimate {
        last: Option<f64>,
        pressure: [Sum; 3],
        range: [Sum; 3],
    }
}

impl Ultimate {
    /// Over three numbers of bars; the shortest weighs most, in whatever order they come.
    pub fn new(mut periods: [usize; 3]) -> Self {
        periods.sort_unstable();
        let sums = periods.map(Sum::new);
        Self { last: None, pressure: sums.clone(), range: sums }
    }

    #[inline(always)]
    fn parts(&self, candle: &Candle) -> Option<(f64, f64)> {
        let last = self.last?;
        let low = smaller(candle.low, last);
        Some((candle.close - low, larger(candle.high, last) - low))
    }
}

impl Indicator for Ultimate {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        let (pressure, range) = self.parts(candle)?;
        let mut score = 0.0;
        for (at, weight) in [4.0, 2.0, 1.0].into_iter().enumerate() {
            let (pressure, range) = (self.pressure[at].forming(pressure)?, self.range[at].forming(range)?);
            if range > 0.0 {
                score += weight * (pressure / range);
            }
        }
        Some(100.0 * (score / 7.0))
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some((pressure, range)) = self.parts(candle) {
            for (at, sum) in self.pressure.iter_mut().enumerate() {
                sum.take(pressure);
                self.range[at].take(range);
            }
        }
        self.last = Some(candle.close);
    }

    #[inline(always)]
    fn sweep(&mut self, bars: &Stretch<'_>, [line]: &mut [Scratch; 1]) -> bool {
        let (Some(last), true) = (self.last, self.range.iter().all(Sum::is_warm)) else { return false };
        let lasts = one_earlier(last, bars.close);
        let lows: Scratch = each(|i| smaller(bars.low[i], lasts[i]));
        let pressures = each(|i| bars.close[i] - lows[i]);
        let ranges = each(|i| larger(bars.high[i], lasts[i]) - lows[i]);
        let (mut pressure_sums, mut range_sums) = ([SCRATCH; 3], [SCRATCH; 3]);
        for at in 0..3 {
            self.pressure[at].sweep(&pressures, &mut pressure_sums[at]);
            self.range[at].sweep(&ranges, &mut range_sums[at]);
        }
        *line = each(|i| {
            // Three shares on one denominator: a division takes longer than all the rest. No range, no share.
            let share = |at: usize| {
                let (pressure, range) = (pressure_sums[at][i], range_sums[at][i]);
                if range > 0.0 { (pressure, range) } else { (0.0, 1.0) }
            };
            let ((p, r), (p2, r2), (p3, r3)) = (share(0), share(1), share(2));
            let (first, all) = ((4.0 * p * r2 + 2.0 * p2 * r) * r3 + p3 * (r * r2), r * r2 * r3);
            first / all * (100.0 / 7.0)
        });
        self.last = Some(bars.close[STRETCH - 1]);
        true
    }
}
