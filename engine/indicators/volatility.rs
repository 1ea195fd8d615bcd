//! Realised volatility a bar: from closes, and from ranges (Parkinson 1980).

use crate::average::Sma;
use crate::candle::Candle;
use crate::deviation::Moments;

/// Sample variance of the last `period` log returns of the close; first answered with bar `period`.
#[derive(Clone, Debug)]
pub struct CloseVariance {
    last: Option<f64>,
    moments: Moments,
}

impl CloseVariance {
    /// Over `period` returns.
    pub fn new(period: usize) -> Self {
        Self { last: None, moments: Moments::new(period) }
    }

    /// The variance a bar if the next log return were `log_return` (see [`CloseVariance::log_return`]).
    #[inline]
    pub fn forming_return(&self, log_return: f64) -> Option<f64> {
        self.moments.forming(log_return).map(|spread| spread.sample_variance())
    }

    /// The variance a bar if `candle` were the next bar.
    pub fn forming(&self, candle: &Candle) -> Option<f64> {
        self.forming_return(self.log_return(candle)?)
    }

    /// The candle's log return; `None` for the first bar and for closes that are not positive.
    #[inline]
    pub fn log_return(&self, candle: &Candle) -> Option<f64> {
        let last = self.last?;
        (last > 0.0 && candle.close > 0.0).then(|| (candle.close / last).ln())
    }

    /// Takes a finished bar; answers as [`CloseVariance::forming`] would have.
    pub fn update(&mut self, candle: &Candle) -> Option<f64> {
        let log_return = self.log_return(candle);
        self.last = Some(candle.close);
        self.moments.update(log_return?).map(|spread| spread.sample_variance())
    }
}

/// Parkinson's variance a bar: mean of ln(high / low)^2 over `period` bars, divided by 4 ln 2.
#[derive(Clone, Debug)]
pub struct RangeVariance {
    squares: Sma,
}

impl RangeVariance {
    /// Over `period` bars.
    pub fn new(period: usize) -> Self {
        Self { squares: Sma::new(period) }
    }

    /// The variance if `candle` were the next bar.
    #[inline]
    pub fn forming(&self, candle: &Candle) -> Option<f64> {
        self.squares.forming(square_of_range(candle)).map(scaled)
    }

    /// Takes a finished bar; answers as [`RangeVariance::forming`] would have.
    pub fn update(&mut self, candle: &Candle) -> Option<f64> {
        self.squares.update(square_of_range(candle)).map(scaled)
    }
}

fn square_of_range(candle: &Candle) -> f64 {
    if candle.low > 0.0 && candle.high > candle.low {
        let range = (candle.high / candle.low).ln();
        range * range
    } else {
        0.0
    }
}

fn scaled(mean_square: f64) -> f64 {
    mean_square / (4.0 * std::f64::consts::LN_2)
}
