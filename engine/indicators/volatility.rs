//! Realised volatility: from closes, from ranges (Parkinson 1980, Garman & Klass 1980, Rogers & Satchell 1991, Yang &
//! Zhang 2000), exponentially weighted, and the variance ratio (Lo & MacKinlay 1988).
//!
//! Inside, everything is a variance a bar; what is answered is a deviation a year of so many bars.

use crate::candle::{Candle, Source};
use crate::indicator::Indicator;
use crate::indicator::Series;
use crate::moments::Moments;
use crate::window::{Ring, Sum};

/// ln(a / b); 0 where either is not positive.
#[inline(always)]
fn ln_ratio(a: f64, b: f64) -> f64 {
    if a > 0.0 && b > 0.0 { ln_of_ratio(a, b) } else { 0.0 }
}

/// ln(a / b) of two positive numbers. Close ones go through the series of the area hyperbolic tangent of
/// (a - b) / (a + b): the difference is exact where the quotient's rounding would cost the digits of a small move,
/// and it is twice as fast as a logarithm.
#[inline(always)]
fn ln_of_ratio(a: f64, b: f64) -> f64 {
    let s = (a - b) / (a + b);
    if s.abs() < 1.0 / 64.0 {
        let z = s * s;
        2.0 * s * (1.0 + z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0)))))
    } else {
        ln_far(a, b)
    }
}

/// The plain logarithm, out of the way of the usual case.
#[cold]
#[inline(never)]
fn ln_far(a: f64, b: f64) -> f64 {
    (a / b).ln()
}

state! {
    /// The log return of the close.
    pub struct LogReturn {
        last: Option<f64>,
    }
}

impl LogReturn {
    /// The return if `x` were next; `None` for the first value and where a price is not positive.
    #[inline(always)]
    pub fn forming(&self, x: f64) -> Option<f64> {
        let last = self.last?;
        (last > 0.0 && x > 0.0).then(|| ln_of_ratio(x, last))
    }

    /// Takes a finished value.
    #[inline(always)]
    pub fn take(&mut self, x: f64) {
        self.last = Some(x);
    }
}

state! {
    /// Sample variance of the last `period` log returns of the close; first answered with bar `period`.
    pub struct CloseVariance {
        returns: LogReturn,
        moments: Moments,
    }
}

impl CloseVariance {
    /// Over `period` returns.
    pub fn new(period: usize) -> Self {
        Self { returns: LogReturn { last: None }, moments: Moments::new(period) }
    }

    /// The candle's log return.
    #[inline(always)]
    pub fn log_return(&self, candle: &Candle) -> Option<f64> {
        self.returns.forming(candle.close)
    }

    /// The variance a bar if the next log return were `log_return`.
    #[inline(always)]
    pub fn forming_return(&self, log_return: f64) -> Option<f64> {
        self.moments.forming(log_return).map(|spread| spread.sample_variance())
    }
}

impl Indicator for CloseVariance {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        self.forming_return(self.log_return(candle)?)
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some(log_return) = self.log_return(candle) {
            self.moments.take(log_return);
        }
        self.returns.take(candle.close);
    }
}

/// Variance a bar from one bar's range.
pub trait RangeTerm {
    /// The bar's term of the mean.
    fn term(candle: &Candle) -> f64;
}

/// Parkinson's term.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parkinson;

impl RangeTerm for Parkinson {
    #[inline(always)]
    fn term(candle: &Candle) -> f64 {
        let range = ln_ratio(candle.high, candle.low);
        range * range / (4.0 * std::f64::consts::LN_2)
    }
}

/// Garman's and Klass' term.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GarmanKlass;

impl RangeTerm for GarmanKlass {
    #[inline(always)]
    fn term(candle: &Candle) -> f64 {
        let (range, body) = (ln_ratio(candle.high, candle.low), ln_ratio(candle.close, candle.open));
        0.5 * (range * range) - (2.0 * std::f64::consts::LN_2 - 1.0) * (body * body)
    }
}

/// Rogers' and Satchell's term.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RogersSatchell;

impl RangeTerm for RogersSatchell {
    #[inline(always)]
    fn term(candle: &Candle) -> f64 {
        let Candle { open, high, low, close, .. } = *candle;
        ln_ratio(high, close) * ln_ratio(high, open) + ln_ratio(low, close) * ln_ratio(low, open)
    }
}

/// The mean term of `period` bars: a variance a bar.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RangeVariance<T> {
    sum: Sum,
    #[serde(skip)]
    term: std::marker::PhantomData<T>,
}

impl<T> Clone for RangeVariance<T> {
    fn clone(&self) -> Self {
        Self { sum: self.sum.clone(), term: std::marker::PhantomData }
    }

    fn clone_from(&mut self, other: &Self) {
        self.sum.clone_from(&other.sum);
    }
}

impl<T: RangeTerm> RangeVariance<T> {
    /// Over `period` bars.
    pub fn new(period: usize) -> Self {
        Self { sum: Sum::new(period), term: std::marker::PhantomData }
    }
}

impl<T: RangeTerm> Indicator for RangeVariance<T> {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        self.sum.forming(T::term(candle)).map(|sum| sum / self.sum.period() as f64)
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.sum.take(T::term(candle));
    }

    #[inline(always)]
    fn update(&mut self, candle: &Candle) -> Option<f64> {
        let term = T::term(candle);
        let sum = self.sum.forming(term);
        self.sum.take(term);
        sum.map(|sum| sum / self.sum.period() as f64)
    }
}

state! {
    /// Yang's and Zhang's variance a bar: overnight, open to close, and Rogers' and Satchell's. First answered
    /// with bar `period`.
    pub struct YangZhang {
        last: Option<f64>,
        weight: f64,
        overnight: Moments,
        day: Moments,
        range: Sum,
    }
}

impl YangZhang {
    /// Over `period` bars, at least 2.
    pub fn new(period: usize) -> Self {
        let n = period as f64;
        Self {
            last: None,
            weight: 0.34 / (1.34 + (n + 1.0) / (n - 1.0)),
            overnight: Moments::new(period),
            day: Moments::new(period),
            range: Sum::new(period),
        }
    }

    #[inline(always)]
    fn terms(&self, candle: &Candle) -> Option<[f64; 3]> {
        let last = self.last?;
        let (night, day) = (ln_ratio(candle.open, last), ln_ratio(candle.close, candle.open));
        Some([night, day, RogersSatchell::term(candle)])
    }

    #[inline(always)]
    fn answer(&self, [night, day, range]: [f64; 3]) -> Option<f64> {
        let range = self.range.forming(range)? / self.range.period() as f64;
        let (night, day) = (self.overnight.forming(night)?, self.day.forming(day)?);
        let mixed = self.weight * day.sample_variance() + (1.0 - self.weight) * range;
        Some(night.sample_variance() + mixed)
    }

    #[inline(always)]
    fn store(&mut self, [night, day, range]: [f64; 3]) {
        self.overnight.take(night);
        self.day.take(day);
        self.range.take(range);
    }
}

impl Indicator for YangZhang {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        self.answer(self.terms(candle)?)
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some(terms) = self.terms(candle) {
            self.store(terms);
        }
        self.last = Some(candle.close);
    }

    #[inline(always)]
    fn update(&mut self, candle: &Candle) -> Option<f64> {
        let terms = self.terms(candle);
        let value = terms.and_then(|terms| self.answer(terms));
        if let Some(terms) = terms {
            self.store(terms);
        }
        self.last = Some(candle.close);
        value
    }
}

state! {
    /// Exponentially weighted variance of log returns without a mean (RiskMetrics 1996), the newest return
    /// included; starts as the first return squared.
    pub struct EwmaVariance {
        decay: f64,
        returns: LogReturn,
        held: Option<f64>,
    }
}

impl EwmaVariance {
    /// With weight `decay` on the past.
    pub fn new(decay: f64) -> Self {
        Self { decay, returns: LogReturn { last: None }, held: None }
    }

    #[inline(always)]
    fn joined(&self, log_return: f64) -> f64 {
        let square = log_return * log_return;
        self.held.map_or(square, |held| square + (held - square) * self.decay)
    }
}

impl Indicator for EwmaVariance {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        self.returns.forming(candle.close).map(|log_return| self.joined(log_return))
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some(log_return) = self.returns.forming(candle.close) {
            self.held = Some(self.joined(log_return));
        }
        self.returns.take(candle.close);
    }

    #[inline(always)]
    fn update(&mut self, candle: &Candle) -> Option<f64> {
        let value = self.forming(candle);
        self.held = value.or(self.held);
        self.returns.take(candle.close);
        value
    }
}

/// Any of the variances as a deviation a year.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Annual<V> {
    bars_per_year: f64,
    variance: V,
}

impl<V: Clone> Clone for Annual<V> {
    fn clone(&self) -> Self {
        Self { bars_per_year: self.bars_per_year, variance: self.variance.clone() }
    }

    fn clone_from(&mut self, other: &Self) {
        self.bars_per_year = other.bars_per_year;
        self.variance.clone_from(&other.variance);
    }
}

impl<V> Annual<V> {
    /// A year has `bars_per_year` bars.
    pub const fn new(variance: V, bars_per_year: f64) -> Self {
        Self { bars_per_year, variance }
    }
}

impl<V: Indicator<Output = f64>> Annual<V> {
    #[inline(always)]
    fn deviation(&self, variance: f64) -> f64 {
        // Garman & Klass can fall below zero where the body is most of the range.
        if variance > 0.0 { (variance * self.bars_per_year).sqrt() } else { 0.0 }
    }
}

impl<V: Indicator<Output = f64>> Indicator for Annual<V> {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        self.variance.forming(candle).map(|variance| self.deviation(variance))
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.variance.take(candle);
    }

    #[inline(always)]
    fn update(&mut self, candle: &Candle) -> Option<f64> {
        self.variance.update(candle).map(|variance| self.deviation(variance))
    }
}

state! {
    /// Exponentially weighted correlation of the log returns of two numbers of the bar; unknown while either does
    /// not vary.
    pub struct EwmaCorrelation {
        decay: f64,
        sources: (Source, Source),
        returns: (LogReturn, LogReturn),
        /// Variances and covariance.
        held: Option<[f64; 3]>,
    }
}

impl EwmaCorrelation {
    /// With weight `decay` on the past.
    pub fn new(decay: f64, first: Source, second: Source) -> Self {
        let none = LogReturn { last: None };
        Self { decay, sources: (first, second), returns: (none.clone(), none), held: None }
    }

    #[inline(always)]
    fn joined(&self, candle: &Candle) -> Option<[f64; 3]> {
        let first = self.returns.0.forming(self.sources.0.of(candle)?)?;
        let second = self.returns.1.forming(self.sources.1.of(candle)?)?;
        let new = [first * first, second * second, first * second];
        let Some(held) = self.held else { return Some(new) };
        Some(std::array::from_fn(|i| new[i] + (held[i] - new[i]) * self.decay))
    }
}

impl Indicator for EwmaCorrelation {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        let [first, second, product] = self.joined(candle)?;
        let root = first.sqrt() * second.sqrt();
        (root > 0.0).then(|| (product / root).clamp(-1.0, 1.0))
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.held = self.joined(candle).or(self.held);
        if let Some(x) = self.sources.0.of(candle) {
            self.returns.0.take(x);
        }
        if let Some(x) = self.sources.1.of(candle) {
            self.returns.1.take(x);
        }
    }
}

state! {
    /// Lo's and MacKinlay's variance ratio, overlapping and corrected for bias: above 1 the market trends, below it
    /// reverts. Unknown where returns do not vary.
    pub struct VarianceRatio {
        lag: f64,
        returns: LogReturn,
        /// Logarithms of the last `lag` closes.
        ring: Ring,
        singles: Moments,
        sums: Moments,
    }
}

impl VarianceRatio {
    /// Over the last `period` returns, summed over `lag` (below `period`).
    pub fn new(period: usize, lag: usize) -> Self {
        Self {
            lag: lag as f64,
            returns: LogReturn { last: None },
            ring: Ring::new(lag),
            singles: Moments::new(period),
            sums: Moments::new(period - lag + 1),
        }
    }

    /// The single return and the sum of the last `lag`.
    #[inline(always)]
    fn steps(&self, candle: &Candle) -> Option<(f64, Option<f64>)> {
        let single = self.returns.forming(candle.close)?;
        // Ring of closes: their ratio keeps digits that a difference of logarithms loses.
        Some((single, self.ring.oldest().map(|old| ln_ratio(candle.close, old))))
    }
}

impl Indicator for VarianceRatio {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        let (single, sum) = self.steps(candle)?;
        let (singles, sums) = (self.singles.forming(single)?, self.sums.forming(sum?)?);
        let off = sums.mean - self.lag * singles.mean;
        let squares = sums.squares + sums.count * off * off;
        let long = squares / (self.lag * sums.count * (1.0 - self.lag / singles.count));
        let short = singles.sample_variance();
        (short > 0.0).then(|| long / short)
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some((single, sum)) = self.steps(candle) {
            self.singles.take(single);
            if let Some(sum) = sum {
                self.sums.take(sum);
            }
        }
        self.returns.take(candle.close);
        self.ring.take(candle.close);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_ratios_agree_with_the_logarithm() {
        for i in -3_000..3_000 {
            let x = f64::from(i) * 1e-5;
            let (found, wanted) = (ln_ratio(300.0 * (1.0 + x), 300.0), x.ln_1p());
            // 300 (1 + x) is itself rounded.
            assert!((found - wanted).abs() <= 1e-15 * wanted.abs() + 2.3e-16, "{x}: {found} {wanted}");
        }
        assert_eq!(ln_ratio(0.0, 1.0), 0.0);
        assert_eq!(ln_ratio(5.0, 5.0), 0.0);
    }
}
