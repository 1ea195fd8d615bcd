//! Which way and how firmly: directional movement, Aroon, parabolic SAR, Supertrend, and the line through a window.

use crate::candle::Candle;
use crate::indicator::{Indicator, Series};
use crate::moments::{Rise, Trend};
use crate::sweep::Scratch;
use crate::true_range::{Atr, true_range};
use crate::wilder::{Wilder, WilderSum};
use crate::window::{HighestAgo, larger, smaller};

/// Directional indicators, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Direction {
    /// +DI: upward movement as a share of the range.
    pub plus: f64,
    /// -DI: downward movement as a share of the range.
    pub minus: f64,
    /// ADX: average of how one-sided the two are; absent until bar `2 * period - 1`.
    pub adx: Option<f64>,
}

state! {
    /// Directional movement (Wilder 1978) over `period` bars, started as TA-Lib does: +DI, -DI, ADX. The DIs are
    /// first answered with bar `period`.
    pub struct Adx {
        /// High, low and close of the last bar.
        last: Option<(f64, f64, f64)>,
        plus: WilderSum,
        minus: WilderSum,
        range: WilderSum,
        average: Wilder,
    }
}

impl Adx {
    /// Over `period` bars.
    pub fn new(period: usize) -> Self {
        let sum = WilderSum::new(period);
        Self { last: None, plus: sum.clone(), minus: sum.clone(), range: sum, average: Wilder::new(period) }
    }

    /// The three if `candle` were the next bar.
    #[inline(always)]
    pub fn direction(&self, candle: &Candle) -> Option<Direction> {
        let (plus, minus, range) = self.movement(candle)?;
        let (plus, minus) = self.indicators(plus, minus, range)?;
        Some(Direction { plus, minus, adx: self.adx(plus, minus) })
    }

    /// Directional movement and true range of the bar.
    #[inline(always)]
    fn movement(&self, candle: &Candle) -> Option<(f64, f64, f64)> {
        let (high, low, close) = self.last?;
        let (up, down) = (candle.high - high, low - candle.low);
        let plus = if up > 0.0 && up > down { up } else { 0.0 };
        let minus = if down > 0.0 && down > up { down } else { 0.0 };
        Some((plus, minus, true_range(candle, close)))
    }

    #[inline(always)]
    fn indicators(&self, plus: f64, minus: f64, range: f64) -> Option<(f64, f64)> {
        let range = self.range.forming(range)?;
        let (plus, minus) = (self.plus.forming(plus)?, self.minus.forming(minus)?);
        Some(if range > 0.0 { (100.0 * (plus / range), 100.0 * (minus / range)) } else { (0.0, 0.0) })
    }

    #[inline(always)]
    fn adx(&self, plus: f64, minus: f64) -> Option<f64> {
        match one_sidedness(plus, minus) {
            Some(dx) => self.average.forming(dx),
            // Nothing moved: it counts as zero while seeding and changes nothing afterwards (TA-Lib).
            None => self.average.value().or_else(|| self.average.forming(0.0)),
        }
    }
}

impl Indicator for Adx {
    type Output = [Option<f64>; 3];

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<[Option<f64>; 3]> {
        self.direction(candle).map(|d| [Some(d.plus), Some(d.minus), d.adx])
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some((plus, minus, range)) = self.movement(candle) {
            if let Some((plus, minus)) = self.indicators(plus, minus, range) {
                match one_sidedness(plus, minus) {
                    Some(dx) => self.average.take(dx),
                    None if self.average.value().is_none() => self.average.take(0.0),
                    None => {}
                }
            }
            self.plus.take(plus);
            self.minus.take(minus);
            self.range.take(range);
        }
        self.last = Some((candle.high, candle.low, candle.close));
    }
}

#[inline(always)]
fn one_sidedness(plus: f64, minus: f64) -> Option<f64> {
    let sum = plus + minus;
    (sum > 0.0).then(|| 100.0 * ((plus - minus).abs() / sum))
}

state! {
    /// Tushar Chande's Aroon: how fresh the lowest low and the highest high of `period + 1` bars are, 0 to 100
    /// (down, up); of equal extremes the latest counts.
    pub struct Aroon {
        high: HighestAgo,
        /// Of the negated lows.
        low: HighestAgo,
        period: f64,
    }
}

impl Aroon {
    /// Looks `period` bars back.
    pub fn new(period: usize) -> Self {
        Self { high: HighestAgo::new(period + 1), low: HighestAgo::new(period + 1), period: period as f64 }
    }
}

impl Indicator for Aroon {
    type Output = [f64; 2];

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<[f64; 2]> {
        let freshness = |ago: usize| 100.0 * ((self.period - ago as f64) / self.period);
        Some([freshness(self.low.forming(-candle.low)?), freshness(self.high.forming(candle.high)?)])
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.high.take(candle.high);
        self.low.take(-candle.low);
    }
}

state! {
    /// Wilder's parabolic stop and reverse, dollars. Starts long unless the second bar moves down more than up.
    pub struct Sar {
        step: f64,
        most: f64,
        run: SarRun,
    }
}

/// Where the parabola stands.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
enum SarRun {
    /// No bar yet.
    Empty,
    /// One bar: its high and low.
    One { high: f64, low: f64 },
    /// Under way.
    Run { is_long: bool, sar: f64, extreme: f64, speed: f64, high: f64, low: f64 },
}

impl Sar {
    /// Speeds up by `step` with every new extreme, up to `most`.
    pub fn new(step: f64, most: f64) -> Self {
        Self { step: smaller(step, most), most, run: SarRun::Empty }
    }

    /// The state after a bar, and its answer.
    #[inline(always)]
    fn next(&self, candle: &Candle) -> (SarRun, Option<f64>) {
        let (high, low) = (candle.high, candle.low);
        match self.run {
            SarRun::Empty => (SarRun::One { high, low }, None),
            SarRun::One { high: last_high, low: last_low } => {
                let (down, up) = (last_low - low, high - last_high);
                let is_long = !(down > 0.0 && down > up);
                let (sar, extreme) = if is_long { (last_low, high) } else { (last_high, low) };
                self.follow(is_long, sar, extreme, self.step, (high, low), (high, low))
            }
            SarRun::Run { is_long, sar, extreme, speed, high: last_high, low: last_low } => {
                self.follow(is_long, sar, extreme, speed, (last_high, last_low), (high, low))
            }
        }
    }

    #[inline(always)]
    fn follow(
        &self,
        is_long: bool,
        sar: f64,
        extreme: f64,
        speed: f64,
        last: (f64, f64),
        (high, low): (f64, f64),
    ) -> (SarRun, Option<f64>) {
        // The stop stays outside the last two bars.
        let below = |sar: f64| smaller(smaller(sar, last.1), low);
        let above = |sar: f64| larger(larger(sar, last.0), high);
        let turns = if is_long { low <= sar } else { high >= sar };
        let is_long = is_long != turns;
        let answer = if !turns {
            sar
        } else if is_long {
            below(extreme)
        } else {
            above(extreme)
        };
        let end = if is_long { high } else { low };
        // Without a branch on whether there is a new extreme: that is a coin's toss to the processor.
        let reached = if is_long { larger(end, extreme) } else { smaller(end, extreme) };
        let faster = smaller(speed + if reached == extreme { 0.0 } else { self.step }, self.most);
        let (extreme, speed) = if turns { (end, self.step) } else { (reached, faster) };
        let next = answer + speed * (extreme - answer);
        let sar = if is_long { below(next) } else { above(next) };
        (SarRun::Run { is_long, sar, extreme, speed, high, low }, Some(answer))
    }
}

impl Indicator for Sar {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        self.next(candle).1
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.run = self.next(candle).0;
    }

    #[inline(always)]
    fn update(&mut self, candle: &Candle) -> Option<f64> {
        let (run, answer) = self.next(candle);
        self.run = run;
        answer
    }
}

state! {
    /// Olivier Seban's Supertrend: line, direction (1 or -1), upper and lower band.
    pub struct Supertrend {
        reach: f64,
        atr: Atr,
        last: Option<Bands>,
    }
}

/// Where Supertrend stood at the last bar.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Bands {
    upper: f64,
    lower: f64,
    close: f64,
    is_up: bool,
}

impl Supertrend {
    /// Bands `reach` average true ranges of `period` bars from the middle of the bar.
    pub fn new(period: usize, reach: f64) -> Self {
        Self { reach, atr: Atr::new(period), last: None }
    }

    #[inline(always)]
    fn next(&self, candle: &Candle) -> Option<Bands> {
        let reach = self.reach * self.atr.forming(candle)?;
        let (middle, close) = ((candle.high + candle.low) / 2.0, candle.close);
        let (mut upper, mut lower, mut is_up) = (middle + reach, middle - reach, true);
        if let Some(last) = self.last {
            if !(upper < last.upper || last.close > last.upper) {
                upper = last.upper;
            }
            if !(lower > last.lower || last.close < last.lower) {
                lower = last.lower;
            }
            is_up = last.is_up;
        }
        is_up = if close > upper { true } else { is_up && close >= lower };
        Some(Bands { upper, lower, close, is_up })
    }
}

impl Indicator for Supertrend {
    type Output = [f64; 4];

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<[f64; 4]> {
        let bands = self.next(candle)?;
        let (line, direction) = if bands.is_up { (bands.lower, 1.0) } else { (bands.upper, -1.0) };
        Some([line, direction, bands.upper, bands.lower])
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.last = self.next(candle);
        self.atr.take(candle);
    }
}

state! {
    /// Slope of the least-squares line through the last `period` values, dollars a bar.
    pub struct Slope {
        rise: Rise,
    }
}

impl Slope {
    /// Over `period` values, at least 2.
    pub fn new(period: usize) -> Self {
        Self { rise: Rise::new(period) }
    }
}

impl Series for Slope {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        self.rise.forming(x)
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.rise.take(x);
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        self.rise.sweep(xs, line)
    }
}

state! {
    /// How much of the variance of the last `period` values that line explains, 0 to 1; 0 when nothing varies.
    pub struct Fit {
        trend: Trend,
    }
}

impl Fit {
    /// Over `period` values, at least 2.
    pub fn new(period: usize) -> Self {
        Self { trend: Trend::new(period) }
    }
}

impl Series for Fit {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        self.trend.forming(x).map(|line| line.fit)
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.trend.take(x);
    }
}
