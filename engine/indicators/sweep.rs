//! Many finished bars at once: by whole stretches, column by column, where an indicator knows such a way
//! ([`Indicator::sweep`]), else one by one.
//!
//! A stretch is short enough for its columns, its answers and what stands between them to stay in the first cache. Its
//! loops run over arrays: what does not hang on the bar before is done for two bars in one instruction, and what does
//! hang on it (an average's recursion, a running sum) waits for nothing else.

use crate::candle::{Candle, Source};
use crate::declaration::Column;
use crate::indicator::{Columns, Indicator, Values};

/// Bars of a stretch.
pub const STRETCH: usize = 128;

/// Room for one number of every bar of a stretch.
pub type Scratch = [f64; STRETCH];
/// Such room, not yet used.
pub const SCRATCH: Scratch = [0.0; STRETCH];

/// A stretch of finished bars by column.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// Opens, dollars.
    pub open: &'a Scratch,
    /// Highs, dollars.
    pub high: &'a Scratch,
    /// Lows, dollars.
    pub low: &'a Scratch,
    /// Closes, dollars.
    pub close: &'a Scratch,
    /// Shares.
    pub volume: &'a Scratch,
    /// Values of the second series.
    pub second: Option<&'a Scratch>,
}

impl<'a> Stretch<'a> {
    /// The stretch that begins with bar `from`; `None` when fewer bars are left.
    fn of(bars: &Columns<'a>, from: usize) -> Option<Self> {
        let cut = |column: &'a [f64]| column.get(from..)?.first_chunk::<STRETCH>();
        Some(Self {
            open: cut(bars.open)?,
            high: cut(bars.high)?,
            low: cut(bars.low)?,
            close: cut(bars.close)?,
            volume: cut(bars.volume)?,
            second: cut(bars.second),
        })
    }

    /// That number of every bar; `None` where there is no second series, and for what is not a column.
    pub(crate) const fn column(&self, source: Source) -> Option<&'a Scratch> {
        match source {
            Source::Open => Some(self.open),
            Source::High => Some(self.high),
            Source::Low => Some(self.low),
            Source::Close => Some(self.close),
            Source::Volume => Some(self.volume),
            Source::Second => self.second,
            Source::Typical | Source::Middle => None,
        }
    }

    /// The typical prices.
    #[inline(always)]
    pub(crate) fn typical(&self) -> Scratch {
        each(|i| (self.high[i] + self.low[i] + self.close[i]) / 3.0)
    }
}

/// A number for every bar of a stretch. (`array::from_fn` does not become a plain loop.)
#[inline(always)]
pub(crate) fn each(number: impl Fn(usize) -> f64) -> Scratch {
    let mut line = SCRATCH;
    for (at, place) in line.iter_mut().enumerate() {
        *place = number(at);
    }
    line
}

/// The values one bar earlier: `first`, then all of `xs` but the last.
#[inline(always)]
pub(crate) fn one_earlier(first: f64, xs: &Scratch) -> Scratch {
    let mut earlier = SCRATCH;
    earlier[0] = first;
    earlier[1..].copy_from_slice(&xs[..STRETCH - 1]);
    earlier
}

/// The longest window that is gone through value by value, beside those of other bars: as long as this it costs less
/// than what is carried from bar to bar.
pub(crate) const DIRECT_MAX: usize = 32;
/// For windows of `period` values (at most [`DIRECT_MAX`]) that lie in the stretch: the places where `LANES` of them
/// end, one after another; every window is in it, some of them twice.
#[inline(always)]
pub(crate) fn ends_of_windows<const LANES: usize>(period: usize) -> impl Iterator<Item = usize> {
    (period - 1..STRETCH).step_by(LANES).map(
        #[inline(always)]
        |from| from.min(STRETCH - LANES),
    )
}

/// The values `ago` before those of some places.
#[inline(always)]
pub(crate) fn lanes<const LANES: usize>(xs: &Scratch, from: usize, ago: usize) -> &[f64; LANES] {
    xs[from - ago..].first_chunk().unwrap_or(&[0.0; LANES])
}

/// Takes all bars; `out` has a column for each output and becomes as long as the bars. One by one unless `by_column`.
pub(crate) fn take_all<I: Indicator>(
    mut indicator: I,
    bars: &Columns<'_>,
    out: &mut [Column],
    by_column: bool,
) -> I {
    let count = bars.len();
    for column in &mut *out {
        column.values.resize(count, 0.0);
        column.known.resize(count, false);
    }
    let arch = registers();
    let mut lines = I::Output::LINES;
    for from in (0..count).step_by(STRETCH) {
        let stretch = if by_column { Stretch::of(bars, from) } else { None };
        let is_swept = stretch.is_some_and(|stretch| {
            arch.dispatch(Sweep { indicator: &mut indicator, stretch, lines: &mut lines })
        });
        let end = (from + STRETCH).min(count);
        if !is_swept {
            indicator = one_by_one(indicator, bars, (from, end), &mut lines);
        }
        for (column, line) in out.iter_mut().zip(lines.as_mut()) {
            let (values, known) = (&mut column.values[from..end], &mut column.known[from..end]);
            arch.dispatch(Settle { line: &line[..end - from], values, known });
        }
    }
    indicator
}

/// By value: what the loop changes then lives in registers.
#[inline(never)]
fn one_by_one<I: Indicator>(
    mut indicator: I,
    bars: &Columns<'_>,
    (from, end): (usize, usize),
    lines: &mut <I::Output as Values>::Lines,
) -> I {
    let count = end - from;
    let (open, high, low, close) =
        (&bars.open[from..end], &bars.high[from..end], &bars.low[from..end], &bars.close[from..end]);
    let (volume, turnover, session) =
        (&bars.volume[from..end], &bars.turnover[from..end], &bars.session[from..end]);
    for at in 0..count {
        let candle = Candle {
            open: open[at],
            high: high[at],
            low: low[at],
            close: close[at],
            volume: volume[at],
            turnover: turnover[at],
            session: session[at],
            second: bars.second.get(from + at).copied(),
        };
        let answer = indicator.update(&candle);
        let lines = lines.as_mut().iter_mut();
        match answer {
            Some(values) => {
                lines.zip(0..).for_each(|(line, output)| line[at % STRETCH] = values.value(output))
            }
            None => lines.for_each(|line| line[at % STRETCH] = f64::NAN),
        }
    }
    indicator
}

/// AVX2 where there is such. Not wider: windows begin anywhere, and every other load of 64 bytes would span two lines of
/// the cache.
fn registers() -> pulp::Arch {
    #[cfg(target_arch = "x86_64")]
    return pulp::x86::V3::try_new().map_or(pulp::Arch::Scalar, pulp::Arch::V3);
    #[cfg(not(target_arch = "x86_64"))]
    pulp::Arch::Scalar
}

/// An indicator's sweep, compiled for the widest registers the machine has. The same bits come out of all: only what
/// is done side by side differs.
struct Sweep<'a, I: Indicator> {
    indicator: &'a mut I,
    stretch: Stretch<'a>,
    lines: &'a mut <I::Output as Values>::Lines,
}

impl<I: Indicator> pulp::NullaryFnOnce for Sweep<'_, I> {
    type Output = bool;

    #[inline(always)]
    fn call(self) -> bool {
        self.indicator.sweep(&self.stretch, self.lines)
    }
}

/// Hands a line over to its column: what is no number is not known, and stands at 0.
struct Settle<'a> {
    line: &'a [f64],
    values: &'a mut [f64],
    known: &'a mut [bool],
}

impl pulp::NullaryFnOnce for Settle<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let mut bits = 0;
        for (value, number) in self.values.iter_mut().zip(self.line) {
            *value = *number;
            // Nothing times a number is 0, all its bits; what is none is no number still.
            bits |= (number * 0.0).abs().to_bits();
        }
        self.known.fill(true);
        if bits != 0 {
            not_known(self.values, self.known);
        }
    }
}

#[cold]
fn not_known(values: &mut [f64], known: &mut [bool]) {
    for (value, known) in values.iter_mut().zip(known) {
        *known = value.is_finite();
        if !*known {
            *value = 0.0;
        }
    }
}
