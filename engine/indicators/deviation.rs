//! How far values stray: standard deviation, variance, z-scores, CCI, and two series against each other.

use crate::candle::{Candle, Source};
use crate::indicator::{Indicator, Series};
use crate::moments::{Moments, Pairs, Spreads};
use crate::sweep::{SCRATCH, STRETCH, Scratch, Stretch, each, one_earlier};
use crate::window::Ring;

state! {
    /// Population standard deviation times a factor.
    pub struct Deviation {
        factor: f64,
        moments: Moments,
    }
}

impl Deviation {
    /// `factor` deviations of `period` values.
    pub fn new(period: usize, factor: f64) -> Self {
        Self { factor, moments: Moments::new(period) }
    }
}

impl Series for Deviation {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        self.moments.forming(x).map(|spread| self.factor * spread.population())
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.moments.take(x);
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        let mut spreads = Spreads::new();
        let is_swept = self.moments.sweep::<false>(xs, &mut spreads);
        let per_count = self.moments.per_count();
        *line = each(|i| self.factor * (spreads.squares[i] * per_count).sqrt());
        is_swept
    }
}

state! {
    /// Population variance.
    pub struct Variance {
        moments: Moments,
    }
}

impl Variance {
    /// Of `period` values.
    pub fn new(period: usize) -> Self {
        Self { moments: Moments::new(period) }
    }
}

impl Series for Variance {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        self.moments.forming(x).map(|spread| spread.variance())
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.moments.take(x);
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        let mut spreads = Spreads::new();
        let is_swept = self.moments.sweep::<false>(xs, &mut spreads);
        let per_count = self.moments.per_count();
        *line = each(|i| spreads.squares[i] * per_count);
        is_swept
    }
}

state! {
    /// How many deviations a value lies from the mean; unknown when nothing deviates.
    pub struct ZScore {
        is_sample: bool,
        moments: Moments,
    }
}

impl ZScore {
    /// Over `period` values; deviations with divisor n - 1 when `is_sample`, else n.
    pub fn new(period: usize, is_sample: bool) -> Self {
        Self { is_sample, moments: Moments::new(period) }
    }
}

impl Series for ZScore {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        let spread = self.moments.forming(x)?;
        if self.is_sample {
            (spread.squares > 0.0).then(|| spread.away / spread.sample_variance().sqrt())
        } else {
            spread.score()
        }
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.moments.take(x);
    }
}

/// Typical prices closer than this, relative to themselves, are the same price on a decimal grid.
pub(crate) const SAME: f64 = 1e-14;

state! {
    /// Donald Lambert's commodity channel index: distance of the typical price from its mean over 0.015 mean absolute
    /// deviations; 0 when it is on its mean. Walks its window: no running sum gives absolute deviations.
    pub struct Cci {
        ring: Ring,
        moments: Moments,
    }
}

impl Cci {
    /// Over `period` bars.
    pub fn new(period: usize) -> Self {
        Self { ring: Ring::new(period), moments: Moments::new(period) }
    }
}

/// Sum of the distances from the mean, in four lanes; the mean is told as the newest value and how far that is from
/// it, which keeps the digits of small distances at a high price.
#[inline(always)]
fn distances(values: &[f64], newest: f64, away: f64) -> f64 {
    let (fours, rest) = values.as_chunks::<4>();
    let mut lanes = [0.0; 4];
    for four in fours {
        for (lane, x) in lanes.iter_mut().zip(four) {
            *lane += ((x - newest) + away).abs();
        }
    }
    let rest: f64 = rest.iter().map(|x| ((x - newest) + away).abs()).sum();
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + rest
}

impl Indicator for Cci {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        let x = candle.typical();
        let spread = self.moments.forming(x)?;
        let (earlier, later) = self.ring.others();
        let sum = distances(earlier, x, spread.away) + distances(later, x, spread.away) + spread.away.abs();
        let is_same = spread.away.abs() <= SAME * x.abs() || sum == 0.0;
        Some(if is_same { 0.0 } else { spread.away / (0.015 * (sum / spread.count)) })
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        let x = candle.typical();
        self.ring.take(x);
        self.moments.take(x);
    }
}

state! {
    /// Pearson's correlation of two numbers of the bar, -1 to 1; 0 when one does not vary.
    pub struct Correlation {
        sources: (Source, Source),
        pairs: Pairs,
    }
}

impl Correlation {
    /// Over `period` bars.
    pub fn new(period: usize, first: Source, second: Source) -> Self {
        Self { sources: (first, second), pairs: Pairs::new(period) }
    }
}

impl Indicator for Correlation {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        let (x, y) = (self.sources.0.of(candle)?, self.sources.1.of(candle)?);
        self.pairs.forming(x, y).map(|together| together.correlation().unwrap_or(0.0))
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let (Some(x), Some(y)) = (self.sources.0.of(candle), self.sources.1.of(candle)) {
            self.pairs.take(x, y);
        }
    }

    #[inline(always)]
    fn sweep(&mut self, bars: &Stretch<'_>, [line]: &mut [Scratch; 1]) -> bool {
        let columns = (bars.column(self.sources.0), bars.column(self.sources.1));
        let (Some(xs), Some(ys)) = columns else { return false };
        let (mut first, mut second, mut products) = (Spreads::new(), Spreads::new(), SCRATCH);
        if !self.pairs.sweep((xs, ys), (&mut first, &mut second), &mut products) {
            return false;
        }
        *line = each(|i| {
            let root = first.squares[i].sqrt() * second.squares[i].sqrt();
            if root > 0.0 { (products[i] / root).clamp(-1.0, 1.0) } else { 0.0 }
        });
        true
    }
}

state! {
    /// Slope of the second number's simple returns on the first's; 0 when the first does not vary.
    pub struct Beta {
        sources: (Source, Source),
        last: Option<(f64, f64)>,
        pairs: Pairs,
    }
}

impl Beta {
    /// Over `period` returns.
    pub fn new(period: usize, first: Source, second: Source) -> Self {
        Self { sources: (first, second), last: None, pairs: Pairs::new(period) }
    }

    #[inline(always)]
    fn returns(&self, candle: &Candle) -> Option<(f64, f64)> {
        let (x, y) = (self.sources.0.of(candle)?, self.sources.1.of(candle)?);
        let (last_x, last_y) = self.last?;
        Some((change(x, last_x), change(y, last_y)))
    }
}

/// A simple return.
#[inline(always)]
fn change(new: f64, old: f64) -> f64 {
    if old == 0.0 { 0.0 } else { (new - old) / old }
}

impl Indicator for Beta {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        let (x, y) = self.returns(candle)?;
        self.pairs.forming(x, y).map(|together| together.slope().unwrap_or(0.0))
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some((x, y)) = self.returns(candle) {
            self.pairs.take(x, y);
        }
        if let (Some(x), Some(y)) = (self.sources.0.of(candle), self.sources.1.of(candle)) {
            self.last = Some((x, y));
        }
    }

    #[inline(always)]
    fn sweep(&mut self, bars: &Stretch<'_>, [line]: &mut [Scratch; 1]) -> bool {
        let columns = (bars.column(self.sources.0), bars.column(self.sources.1));
        let ((Some(xs), Some(ys)), Some(last)) = (columns, self.last) else { return false };
        let lasts = (one_earlier(last.0, xs), one_earlier(last.1, ys));
        let changes_x = each(|i| change(xs[i], lasts.0[i]));
        let changes_y = each(|i| change(ys[i], lasts.1[i]));
        let (mut first, mut second, mut products) = (Spreads::new(), Spreads::new(), SCRATCH);
        if !self.pairs.sweep((&changes_x, &changes_y), (&mut first, &mut second), &mut products) {
            return false;
        }
        *line = each(|i| if first.squares[i] > 0.0 { products[i] / first.squares[i] } else { 0.0 });
        self.last = Some((xs[STRETCH - 1], ys[STRETCH - 1]));
        true
    }
}
