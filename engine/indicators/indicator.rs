//! The one face of every indicator: [`Indicator`] on bars, [`Series`] on plain values, and [`Columns`] for many bars
//! at once ([`crate::sweep`] takes them).
//!
//! What runs for every bar is marked `inline(always)`: left to itself the compiler keeps calls that hand answers over
//! through memory, which costs more than the arithmetic.

use crate::candle::Candle;
use crate::sweep::{SCRATCH, Scratch, Stretch};

/// What an indicator answers: one value or several, some of which may come later than others.
pub trait Values: Copy + PartialEq + std::fmt::Debug {
    /// How many.
    const COUNT: usize;
    /// Room for a stretch of answers, one line for each.
    type Lines: AsMut<[Scratch]>;
    /// Such room.
    const LINES: Self::Lines;
    /// One of them; NaN where it is not known.
    fn value(&self, output: usize) -> f64;
}

impl Values for f64 {
    const COUNT: usize = 1;
    type Lines = [Scratch; 1];
    const LINES: [Scratch; 1] = [SCRATCH; 1];

    #[inline(always)]
    fn value(&self, _: usize) -> f64 {
        *self
    }
}

impl<const N: usize> Values for [f64; N] {
    const COUNT: usize = N;
    type Lines = [Scratch; N];
    const LINES: [Scratch; N] = [SCRATCH; N];

    #[inline(always)]
    fn value(&self, output: usize) -> f64 {
        self[output]
    }
}

impl<const N: usize> Values for [Option<f64>; N] {
    const COUNT: usize = N;
    type Lines = [Scratch; N];
    const LINES: [Scratch; N] = [SCRATCH; N];

    #[inline(always)]
    fn value(&self, output: usize) -> f64 {
        self[output].unwrap_or(f64::NAN)
    }
}

/// An indicator of bars. A forming bar may be asked about as often as one likes; only [`Indicator::take`] and
/// [`Indicator::update`] change anything.
pub trait Indicator {
    /// What it answers.
    type Output: Values;

    /// The answer if `candle` were the next finished bar; `None` while it cannot be known.
    fn forming(&self, candle: &Candle) -> Option<Self::Output>;

    /// Takes a finished bar.
    fn take(&mut self, candle: &Candle);

    /// Takes a finished bar; answers as [`Indicator::forming`] would have.
    #[inline(always)]
    fn update(&mut self, candle: &Candle) -> Option<Self::Output> {
        let value = self.forming(candle);
        self.take(candle);
        value
    }

    /// Takes a stretch of finished bars column by column, which is faster, and writes the answers into a line for
    /// each output, NaN where there is none. False, and nothing is taken, when it has no such way or is not warm: then
    /// the bars are to be taken one by one. Answers may differ from those of [`Indicator::update`] by rounding: less
    /// than 1e-12 of the prices they were made from.
    #[inline(always)]
    fn sweep(&mut self, _bars: &Stretch<'_>, _lines: &mut <Self::Output as Values>::Lines) -> bool {
        false
    }
}

/// The same for a series of plain values.
pub trait Series {
    /// The answer if `x` were the next value; `None` while it cannot be known.
    fn forming(&self, x: f64) -> Option<f64>;

    /// Takes a finished value.
    fn take(&mut self, x: f64);

    /// Takes a finished value; answers as [`Series::forming`] would have.
    #[inline(always)]
    fn update(&mut self, x: f64) -> Option<f64> {
        let value = self.forming(x);
        self.take(x);
        value
    }

    /// Takes a stretch of finished values: [`Indicator::sweep`] for a series.
    #[inline(always)]
    fn sweep(&mut self, _xs: &Scratch, _line: &mut Scratch) -> bool {
        false
    }
}

/// A series' indicator on the close of bars.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct OnClose<S>(pub S);

impl<S: Clone> Clone for OnClose<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }

    fn clone_from(&mut self, other: &Self) {
        self.0.clone_from(&other.0);
    }
}

impl<S: Series> Indicator for OnClose<S> {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        self.0.forming(candle.close)
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.0.take(candle.close);
    }

    #[inline(always)]
    fn sweep(&mut self, bars: &Stretch<'_>, [line]: &mut [Scratch; 1]) -> bool {
        self.0.sweep(bars.close, line)
    }
}

/// Finished bars by column: an indicator touches only the columns it reads.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// Opens, dollars.
    pub open: &'a [f64],
    /// Highs, dollars.
    pub high: &'a [f64],
    /// Lows, dollars.
    pub low: &'a [f64],
    /// Closes, dollars.
    pub close: &'a [f64],
    /// Shares.
    pub volume: &'a [f64],
    /// Dollars traded.
    pub turnover: &'a [f64],
    /// Sessions, days since 1970.
    pub session: &'a [i32],
    /// Values of the second series; empty when there is none.
    pub second: &'a [f64],
}

impl Columns<'_> {
    /// Bars in all columns.
    pub fn len(&self) -> usize {
        let columns = [self.open, self.high, self.low, self.close, self.volume, self.turnover];
        columns.iter().map(|column| column.len()).min().unwrap_or(0).min(self.session.len())
    }

    /// True when there is no bar.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
