//! John Ehlers' instantaneous trend line (Rocket Science for Traders, 2001), as TA-Lib's HT_TRENDLINE: a Hilbert
//! transform measures the dominant cycle, and the price is averaged over it.

use crate::candle::{Candle, Source};
use crate::indicator::Indicator;

/// Longest cycle, bars: what the price is averaged over at most.
const CYCLE: usize = 64;
/// Bars of which only the price is smoothed.
const SMOOTHING: u32 = 37;
/// The first bar with an answer.
const FIRST: u32 = 63;

/// Six bars back of one filter's input.
type Delay = [f64; 6];

/// Ehlers' Hilbert transform of the input two, four and six bars ago, by the cycle's length.
#[inline]
fn transform(input: f64, past: &Delay, scale: f64) -> f64 {
    (0.0962 * input + 0.5769 * past[1] - 0.5769 * past[3] - 0.0962 * past[5]) * scale
}

#[inline]
fn push<const N: usize>(past: &mut [f64; N], x: f64) {
    past.copy_within(..N - 1, 1);
    past[0] = x;
}

/// What one bar hands to the next.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Cycle {
    prices: [f64; 3],
    smooth: Delay,
    detrended: Delay,
    quadrature: Delay,
    in_phase_delayed: Delay,
    i2: f64,
    q2: f64,
    re: f64,
    im: f64,
    period: f64,
    smooth_period: f64,
    trends: [f64; 3],
}

state! {
    /// The trend line, dollars.
    pub struct HilbertTrend {
        source: Source,
        bars: u32,
        next: usize,
        /// The last prices, written twice, so that any stretch of them lies in one piece.
        recent: Box<[f64]>,
        cycle: Cycle,
    }
}

impl HilbertTrend {
    /// Of that number of the bar.
    pub fn new(source: Source) -> Self {
        let none = [0.0; 6];
        let cycle = Cycle {
            prices: [0.0; 3],
            smooth: none,
            detrended: none,
            quadrature: none,
            in_phase_delayed: none,
            i2: 0.0,
            q2: 0.0,
            re: 0.0,
            im: 0.0,
            period: 0.0,
            smooth_period: 0.0,
            trends: [0.0; 3],
        };
        Self { source, bars: 0, next: 0, recent: vec![0.0; 2 * CYCLE].into(), cycle }
    }

    /// The mean of `x` and the prices before it, `count` in all.
    fn mean(&self, x: f64, count: usize) -> f64 {
        let Some(before) = count.checked_sub(1) else { return 0.0 };
        let end = self.next + CYCLE;
        let (fours, rest) = self.recent[end - before..end].as_chunks::<4>();
        let mut lanes = [0.0; 4];
        for four in fours {
            for (lane, x) in lanes.iter_mut().zip(four) {
                *lane += x;
            }
        }
        let rest = rest.iter().fold(x, |sum, x| sum + x);
        ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + rest) / count as f64
    }

    /// The cycle after a bar and the bar's trend.
    fn next(&self, x: f64) -> (Cycle, f64) {
        let mut c = self.cycle;
        let smooth = (4.0 * x + 3.0 * c.prices[0] + 2.0 * c.prices[1] + c.prices[2]) * 0.1;
        push(&mut c.prices, x);
        if self.bars < SMOOTHING {
            return (c, 0.0);
        }
        c.measure(smooth);
        let mean = self.mean(x, (c.smooth_period + 0.5) as usize);
        let trend = (4.0 * mean + 3.0 * c.trends[0] + 2.0 * c.trends[1] + c.trends[2]) / 10.0;
        push(&mut c.trends, mean);
        (c, trend)
    }
}

impl Cycle {
    /// Measures the dominant cycle anew.
    fn measure(&mut self, smooth: f64) {
        let scale = 0.075 * self.period + 0.54;
        let detrended = transform(smooth, &self.smooth, scale);
        let quadrature = transform(detrended, &self.detrended, scale);
        let in_phase = self.detrended[2];
        let in_phase_turned = transform(in_phase, &self.in_phase_delayed, scale);
        let quadrature_turned = transform(quadrature, &self.quadrature, scale);
        push(&mut self.smooth, smooth);
        push(&mut self.detrended, detrended);
        push(&mut self.in_phase_delayed, in_phase);
        push(&mut self.quadrature, quadrature);
        let q2 = 0.2 * (quadrature + in_phase_turned) + 0.8 * self.q2;
        let i2 = 0.2 * (in_phase - quadrature_turned) + 0.8 * self.i2;
        self.re = 0.2 * (i2 * self.i2 + q2 * self.q2) + 0.8 * self.re;
        self.im = 0.2 * (i2 * self.q2 - q2 * self.i2) + 0.8 * self.im;
        (self.q2, self.i2) = (q2, i2);
        let last = self.period;
        let mut period = last;
        if self.im != 0.0 && self.re != 0.0 {
            period = 360.0 / (self.im / self.re).atan().to_degrees();
        }
        // The lower bound goes before the upper one, as in the original: for the first bar both are 0.
        period = period.min(1.5 * last).max(0.67 * last).clamp(6.0, 50.0);
        self.period = 0.2 * period + 0.8 * last;
        self.smooth_period = 0.33 * self.period + 0.67 * self.smooth_period;
    }
}

impl Indicator for HilbertTrend {
    type Output = f64;

    #[inline]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        let x = self.source.of(candle)?;
        (self.bars >= FIRST).then(|| self.next(x).1)
    }

    #[inline]
    fn take(&mut self, candle: &Candle) {
        self.update(candle);
    }

    fn update(&mut self, candle: &Candle) -> Option<f64> {
        let x = self.source.of(candle)?;
        let (cycle, trend) = self.next(x);
        self.cycle = cycle;
        self.recent[self.next] = x;
        self.recent[self.next + CYCLE] = x;
        self.next = (self.next + 1) % CYCLE;
        self.bars = self.bars.saturating_add(1);
        (self.bars > FIRST).then_some(trend)
    }
}
