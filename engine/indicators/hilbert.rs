//! John Ehlers' instantaneous trend line (Rocket Science for Traders, 2001), as TA-Lib's HT_TRENDLINE: a Hilbert
//! transform measures the dominant cycle, and the price is averaged over it.

use crate::candle::{Candle, Source};
use crate::indicator::Indicator;

/// Bars of which only the price is smoothed.
const SMOOTHING: u32 = 37;
/// The first bar with an answer.
const FIRST: u32 = 63;
/// Bars whose sums are kept: a power of two above the longest cycle.
const BARS: usize = 64;
/// Bars whose filtered prices are kept: a power of two above the six a filter looks back.
const FILTERED: usize = 8;

/// Ehlers' Hilbert transform of the input two, four and six bars ago, by the cycle's length.
#[inline(always)]
fn transform(input: f64, past: [f64; 3], scale: f64) -> f64 {
    // What is known before the input and the cycle stands by itself: they are waited for.
    let rest = 0.5769 * (past[0] - past[1]) - 0.0962 * past[2];
    (0.0962 * input + rest) * scale
}

/// Sums of a price and those before it: of 1, 2, 4, 8, 16 and 32.
type Sums = [f64; 6];

/// A bar's smoothed price, the same without its trend, and that turned by a quarter cycle, plain and three bars late.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Filtered {
    smooth: f64,
    detrended: f64,
    quadrature: f64,
    in_phase: f64,
}

/// How the cycle stands after a bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Cycle {
    i2: f64,
    q2: f64,
    re: f64,
    im: f64,
    period: f64,
    smooth_period: f64,
}

/// All that one bar adds.
struct Step {
    sums: Sums,
    filtered: Filtered,
    cycle: Cycle,
    /// The mean price of the cycle, and the answer made of the last four such.
    mean: f64,
    trend: f64,
}

state! {
    /// The trend line, dollars.
    pub struct HilbertTrend {
        source: Source,
        bars: u32,
        /// Sums that end with each of the last bars.
        sums: Box<[Sums]>,
        filtered: [Filtered; FILTERED],
        cycle: Cycle,
        means: [f64; 3],
    }
}

impl HilbertTrend {
    /// Of that number of the bar.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            bars: 0,
            sums: vec![[0.0; 6]; BARS].into(),
            filtered: [Filtered::default(); FILTERED],
            cycle: Cycle::default(),
            means: [0.0; 3],
        }
    }

    /// The sums that ended so many bars before the next.
    #[inline(always)]
    fn sums_ago(&self, bars: usize) -> &Sums {
        &self.sums[(self.bars as usize).wrapping_sub(bars) % BARS]
    }

    /// What the filters made so many bars before the next.
    #[inline(always)]
    fn filtered_ago(&self, bars: usize) -> &Filtered {
        &self.filtered[(self.bars as usize).wrapping_sub(bars) % FILTERED]
    }

    /// The sums that end with `x`, each of two halves.
    #[inline(always)]
    fn sums_with(&self, x: f64) -> Sums {
        let two = x + self.sums_ago(1)[0];
        let four = two + self.sums_ago(2)[1];
        let eight = four + self.sums_ago(4)[2];
        let sixteen = eight + self.sums_ago(8)[3];
        [x, two, four, eight, sixteen, sixteen + self.sums_ago(16)[4]]
    }

    /// The sum of the newest price and those before it, `count` in all (at most 63), put together from those that
    /// stand, without a branch: the cycle's length is a surprise at every bar.
    #[inline(always)]
    fn sum(&self, newest: &Sums, count: usize) -> f64 {
        let (mut sum, mut offset) = (0.0, 0);
        for (power, new) in newest.iter().enumerate() {
            let length = 1 << power;
            let taken = if count & length == 0 { 0 } else { u64::MAX };
            let is_newest = if offset == 0 { u64::MAX } else { 0 };
            let old = self.sums_ago(offset)[power].to_bits();
            let part = (new.to_bits() & is_newest) | (old & !is_newest);
            sum += f64::from_bits(part & taken);
            offset += count & length;
        }
        sum
    }

    /// What the next bar adds if its price is `x`.
    #[inline(always)]
    fn next(&self, x: f64) -> Step {
        let last = [1, 2, 3].map(|ago| self.sums_ago(ago)[0]);
        let smooth = (4.0 * x + 3.0 * last[0] + 2.0 * last[1] + last[2]) * 0.1;
        let mut step = Step {
            sums: self.sums_with(x),
            filtered: Filtered::default(),
            cycle: self.cycle,
            mean: 0.0,
            trend: 0.0,
        };
        if self.bars < SMOOTHING {
            return step;
        }
        (step.filtered, step.cycle) = self.measured(smooth);
        // A whole number to 50, and 0 for none.
        let count = (step.cycle.smooth_period + 0.5) as u32 as usize;
        step.mean = self.sum(&step.sums, count) / f64::max(count as f64, 1.0);
        let [one, two, three] = self.means;
        step.trend = (4.0 * step.mean + 3.0 * one + 2.0 * two + three) / 10.0;
        step
    }

    /// The bar's filtered prices, and the dominant cycle measured anew.
    #[inline(always)]
    fn measured(&self, smooth: f64) -> (Filtered, Cycle) {
        let last = &self.cycle;
        let scale = 0.075 * last.period + 0.54;
        let (two, four, six) = (self.filtered_ago(2), self.filtered_ago(4), self.filtered_ago(6));
        let detrended = transform(smooth, [two.smooth, four.smooth, six.smooth], scale);
        let quadrature = transform(detrended, [two.detrended, four.detrended, six.detrended], scale);
        let in_phase = self.filtered_ago(3).detrended;
        let in_phase_turned = transform(in_phase, [two.in_phase, four.in_phase, six.in_phase], scale);
        let quadrature_turned =
            transform(quadrature, [two.quadrature, four.quadrature, six.quadrature], scale);
        let q2 = 0.2 * (quadrature + in_phase_turned) + 0.8 * last.q2;
        let i2 = 0.2 * (in_phase - quadrature_turned) + 0.8 * last.i2;
        let re = 0.2 * (i2 * last.i2 + q2 * last.q2) + 0.8 * last.re;
        let im = 0.2 * (i2 * last.q2 - q2 * last.i2) + 0.8 * last.im;
        let mut period = last.period;
        if im != 0.0 && re != 0.0 {
            period = std::f64::consts::TAU / (im / re).atan();
        }
        // The lower bound goes before the upper one, as in the original: for the first bar both are 0.
        period = period.min(1.5 * last.period).max(0.67 * last.period).clamp(6.0, 50.0);
        let period = 0.2 * period + 0.8 * last.period;
        let smooth_period = 0.33 * period + 0.67 * last.smooth_period;
        (
            Filtered { smooth, detrended, quadrature, in_phase },
            Cycle { i2, q2, re, im, period, smooth_period },
        )
    }
}

impl Indicator for HilbertTrend {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        let x = self.source.of(candle)?;
        (self.bars >= FIRST).then(|| self.next(x).trend)
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.update(candle);
    }

    #[inline(always)]
    fn update(&mut self, candle: &Candle) -> Option<f64> {
        let x = self.source.of(candle)?;
        let step = self.next(x);
        let at = self.bars as usize;
        self.sums[at % BARS] = step.sums;
        self.filtered[at % FILTERED] = step.filtered;
        self.cycle = step.cycle;
        self.means = [step.mean, self.means[0], self.means[1]];
        self.bars = self.next_bar();
        (self.bars > FIRST).then_some(step.trend)
    }
}

impl HilbertTrend {
    /// The count of bars goes on within four billion; what matters of it stays.
    #[inline(always)]
    const fn next_bar(&self) -> u32 {
        if self.bars == u32::MAX { u32::MAX - BARS as u32 + 1 } else { self.bars + 1 }
    }
}
