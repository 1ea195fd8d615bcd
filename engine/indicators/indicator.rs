//! The one face of every indicator: [`Indicator`] on bars, [`Series`] on plain values, and [`Columns`] for many bars
//! at once.
//!
//! What runs for every bar is marked `inline(always)`: left to itself the compiler keeps calls that hand answers over
//! through memory, which costs more than the arithmetic.

use crate::candle::Candle;
use crate::declaration::Column;

/// What an indicator answers: one value or several, some of which may come later than others.
pub trait Values: Copy + PartialEq + std::fmt::Debug {
    /// How many.
    const COUNT: usize;
    /// Puts them into the first [`Values::COUNT`] places.
    fn put(self, out: &mut [Option<f64>]);
    /// Takes all bars into the indicator and puts its answers into their columns, which are as long as the bars.
    fn fill<I: Indicator<Output = Self>>(indicator: I, bars: &Columns<'_>, columns: &mut [Column]) -> I;
}

/// A column's places.
struct Places<'a> {
    values: &'a mut [f64],
    known: &'a mut [bool],
}

impl<'a> Places<'a> {
    fn of(column: &'a mut Column) -> Self {
        Self { values: &mut column.values, known: &mut column.known }
    }

    #[inline(always)]
    fn put(&mut self, at: usize, value: f64) {
        if value.is_finite() {
            self.values[at] = value;
            self.known[at] = true;
        }
    }
}

/// One place for each output; columns that are not there are empty.
fn places<const N: usize>(columns: &mut [Column]) -> [Places<'_>; N] {
    let mut columns = columns.iter_mut();
    std::array::from_fn(|_| columns.next().map_or(Places { values: &mut [], known: &mut [] }, Places::of))
}

impl Values for f64 {
    const COUNT: usize = 1;

    #[inline(always)]
    fn put(self, out: &mut [Option<f64>]) {
        out[0] = Some(self);
    }

    fn fill<I: Indicator<Output = Self>>(mut indicator: I, bars: &Columns<'_>, columns: &mut [Column]) -> I {
        let [mut place] = places(columns);
        batch(&mut indicator, bars, |at, value| place.put(at, value));
        indicator
    }
}

impl<const N: usize> Values for [f64; N] {
    const COUNT: usize = N;

    #[inline(always)]
    fn put(self, out: &mut [Option<f64>]) {
        for (out, value) in out.iter_mut().zip(self) {
            *out = Some(value);
        }
    }

    fn fill<I: Indicator<Output = Self>>(mut indicator: I, bars: &Columns<'_>, columns: &mut [Column]) -> I {
        let mut places: [Places<'_>; N] = places(columns);
        batch(&mut indicator, bars, |at, values| {
            for (place, value) in places.iter_mut().zip(values) {
                place.put(at, value);
            }
        });
        indicator
    }
}

impl<const N: usize> Values for [Option<f64>; N] {
    const COUNT: usize = N;

    #[inline(always)]
    fn put(self, out: &mut [Option<f64>]) {
        out[..N].copy_from_slice(&self);
    }

    fn fill<I: Indicator<Output = Self>>(mut indicator: I, bars: &Columns<'_>, columns: &mut [Column]) -> I {
        let mut places: [Places<'_>; N] = places(columns);
        batch(&mut indicator, bars, |at, values| {
            for (place, value) in places.iter_mut().zip(values) {
                if let Some(value) = value {
                    place.put(at, value);
                }
            }
        });
        indicator
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

/// Takes all bars in one go, as [`Indicator::update`] would one by one; `take` hears every known answer with the
/// index of its bar.
#[inline(always)]
pub fn batch<I: Indicator>(indicator: &mut I, bars: &Columns<'_>, mut take: impl FnMut(usize, I::Output)) {
    let count = bars.len();
    let cut = |column: &'_ [f64]| column.len() >= count;
    debug_assert!([bars.open, bars.high, bars.low, bars.close].into_iter().all(cut));
    let (open, high, low, close) =
        (&bars.open[..count], &bars.high[..count], &bars.low[..count], &bars.close[..count]);
    let (volume, turnover, session) =
        (&bars.volume[..count], &bars.turnover[..count], &bars.session[..count]);
    for i in 0..count {
        let candle = Candle {
            open: open[i],
            high: high[i],
            low: low[i],
            close: close[i],
            volume: volume[i],
            turnover: turnover[i],
            session: session[i],
            second: bars.second.get(i).copied(),
        };
        if let Some(output) = indicator.update(&candle) {
            take(i, output);
        }
    }
}
