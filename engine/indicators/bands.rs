//! Bands round the price: Bollinger's, Keltner's and Donchian's, and Ichimoku's lines.

use crate::average::Ema;
use crate::candle::{Candle, Source};
use crate::indicator::{Indicator, Series};
use crate::moments::{Moments, Spreads};
use crate::sweep::{Scratch, Stretch, each};
use crate::true_range::Atr;
use crate::window::{Highest, Lowest, Ring};

state! {
    /// Bollinger bands (population deviation): upper, middle, lower, dollars.
    pub struct Bollinger {
        above: f64,
        below: f64,
        moments: Moments,
    }
}

impl Bollinger {
    /// Over `period` bars, `above` deviations up and `below` down.
    pub fn new(period: usize, above: f64, below: f64) -> Self {
        Self { above, below, moments: Moments::new(period) }
    }

    /// Place of `close` between the bands (0 at the lower, 1 at the upper; `None` when they touch), their distance
    /// in dollars, and the middle.
    #[inline(always)]
    pub fn place(&self, close: f64) -> Option<(Option<f64>, f64, f64)> {
        let spread = self.moments.forming(close)?;
        let deviation = spread.population();
        let width = (self.above + self.below) * deviation;
        let place = (width > 0.0).then(|| (spread.away + self.below * deviation) / width);
        Some((place, width, spread.mean))
    }
}

impl Indicator for Bollinger {
    type Output = [f64; 3];

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<[f64; 3]> {
        let spread = self.moments.forming(candle.close)?;
        let deviation = spread.population();
        Some([spread.mean + self.above * deviation, spread.mean, spread.mean - self.below * deviation])
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.moments.take(candle.close);
    }

    #[inline(always)]
    fn sweep(&mut self, bars: &Stretch<'_>, [upper, middle, lower]: &mut [Scratch; 3]) -> bool {
        let mut spreads = Spreads::new();
        let is_swept = self.moments.sweep::<true>(bars.close, &mut spreads);
        let per_count = self.moments.per_count();
        let deviations = each(|i| (spreads.squares[i] * per_count).sqrt());
        *upper = each(|i| spreads.mean[i] + self.above * deviations[i]);
        *lower = each(|i| spreads.mean[i] - self.below * deviations[i]);
        *middle = spreads.mean;
        is_swept
    }
}

state! {
    /// Bollinger's %B: 0 at the lower band, 1 at the upper; unknown when they touch.
    pub struct PercentB {
        bands: Bollinger,
    }
}

impl PercentB {
    /// Over `period` bars, `width` deviations to each side.
    pub fn new(period: usize, width: f64) -> Self {
        Self { bands: Bollinger::new(period, width, width) }
    }
}

impl Series for PercentB {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        self.bands.place(x)?.0
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.bands.moments.take(x);
    }
}

state! {
    /// Bollinger's band width: distance of the bands over the middle; unknown where the middle is 0.
    pub struct BandWidth {
        bands: Bollinger,
    }
}

impl BandWidth {
    /// Over `period` bars, `width` deviations to each side.
    pub fn new(period: usize, width: f64) -> Self {
        Self { bands: Bollinger::new(period, width, width) }
    }
}

impl Series for BandWidth {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        let (_, width, middle) = self.bands.place(x)?;
        (middle != 0.0).then(|| width / middle)
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.bands.moments.take(x);
    }
}

state! {
    /// Richard Donchian's channel: highest high, middle and lowest low, the current bar included.
    pub struct Donchian {
        high: Highest,
        low: Lowest,
    }
}

impl Donchian {
    /// Over `period` bars.
    pub fn new(period: usize) -> Self {
        Self { high: Highest::new(period), low: Lowest::new(period) }
    }

    #[inline(always)]
    fn middle(&self, candle: &Candle) -> Option<f64> {
        self.forming(candle).map(|[_, middle, _]| middle)
    }
}

impl Indicator for Donchian {
    type Output = [f64; 3];

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<[f64; 3]> {
        let (high, low) = (self.high.forming(candle.high)?, self.low.forming(candle.low)?);
        Some([high, (high + low) / 2.0, low])
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.high.take(candle.high);
        self.low.take(candle.low);
    }
}

state! {
    /// Keltner's channel (Linda Raschke's form): an exponential average and average true ranges round it: upper,
    /// middle, lower.
    pub struct Keltner {
        source: Source,
        reach: f64,
        middle: Ema,
        atr: Atr,
    }
}

impl Keltner {
    /// Average of `source` over `period` bars, `reach` ranges of `atr` bars to each side.
    pub fn new(period: usize, atr: usize, reach: f64, source: Source) -> Self {
        Self { source, reach, middle: Ema::new(period), atr: Atr::new(atr) }
    }
}

impl Indicator for Keltner {
    type Output = [f64; 3];

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<[f64; 3]> {
        let middle = self.middle.forming(self.source.of(candle)?)?;
        let reach = self.reach * self.atr.forming(candle)?;
        Some([middle + reach, middle, middle - reach])
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some(x) = self.source.of(candle) {
            self.middle.take(x);
        }
        self.atr.take(candle);
    }
}

state! {
    /// Goichi Hosoda's Ichimoku lines: tenkan, kijun, both spans where they are computed and where a chart shows
    /// them. The chikou line is the close some bars later and never known in time: it is left out.
    pub struct Ichimoku {
        tenkan: Donchian,
        kijun: Donchian,
        slow: Donchian,
        span_a: Ring,
        span_b: Ring,
    }
}

impl Ichimoku {
    /// Bars of tenkan, kijun and span B, and how many bars later a chart shows the spans.
    pub fn new(tenkan: usize, kijun: usize, slow: usize, shift: usize) -> Self {
        Self {
            tenkan: Donchian::new(tenkan),
            kijun: Donchian::new(kijun),
            slow: Donchian::new(slow),
            span_a: Ring::new(shift),
            span_b: Ring::new(shift),
        }
    }

    #[inline(always)]
    fn spans(&self, candle: &Candle) -> (Option<f64>, Option<f64>) {
        let middle = |t: f64, k: f64| (t + k) / 2.0;
        let span_a = self.tenkan.middle(candle).zip(self.kijun.middle(candle)).map(|(t, k)| middle(t, k));
        (span_a, self.slow.middle(candle))
    }
}

impl Indicator for Ichimoku {
    type Output = [Option<f64>; 6];

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<[Option<f64>; 6]> {
        let (span_a, span_b) = self.spans(candle);
        let lines = [self.tenkan.middle(candle), self.kijun.middle(candle)];
        Some([lines[0], lines[1], span_a, span_b, self.span_a.oldest(), self.span_b.oldest()])
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        let (span_a, span_b) = self.spans(candle);
        if let Some(span) = span_a {
            self.span_a.take(span);
        }
        if let Some(span) = span_b {
            self.span_b.take(span);
        }
        self.tenkan.take(candle);
        self.kijun.take(candle);
        self.slow.take(candle);
    }
}
