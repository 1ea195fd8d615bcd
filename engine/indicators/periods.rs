//! The periods of the feature set's indicators, by timeframe. Slow timeframes use shorter ones: fourteen years of
//! yearly bars are nowhere to be had.

use market::quote::Timeframe;

/// Periods in bars of every indicator in one timeframe's set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periods {
    /// Bars of the short change of the close.
    pub change_short: usize,
    /// Bars of the long change of the close (ROC).
    pub change_long: usize,
    /// Simple average.
    pub sma: usize,
    /// Fast exponential average.
    pub ema_fast: usize,
    /// Slow exponential average.
    pub ema_slow: usize,
    /// Relative strength.
    pub rsi: usize,
    /// MACD: fast, slow, signal.
    pub macd: [usize; 3],
    /// Average true range.
    pub atr: usize,
    /// Bollinger bands.
    pub bands: usize,
    /// Z-score of the close.
    pub zscore: usize,
    /// Stochastic: range, %K average, %D average.
    pub stochastic: [usize; 3],
    /// Directional movement.
    pub adx: usize,
    /// Fast realised volatility (closes, and ranges).
    pub volatility_fast: usize,
    /// Slow realised volatility (closes).
    pub volatility_slow: usize,
    /// Volume score and signed volume.
    pub volume: usize,
    /// Aroon.
    pub aroon: usize,
    /// Regression line.
    pub trend: usize,
    /// Money flow.
    pub flow: usize,
}

/// Deviations between the middle and either Bollinger band.
pub const BAND_WIDTH: f64 = 2.0;

const STANDARD: Periods = Periods {
    change_short: 3,
    change_long: 10,
    sma: 20,
    ema_fast: 9,
    ema_slow: 20,
    rsi: 14,
    macd: [12, 26, 9],
    atr: 14,
    bands: 20,
    zscore: 50,
    stochastic: [14, 3, 3],
    adx: 14,
    volatility_fast: 10,
    volatility_slow: 60,
    volume: 20,
    aroon: 14,
    trend: 14,
    flow: 14,
};

const MONTHS: Periods = Periods {
    change_short: 3,
    change_long: 6,
    sma: 10,
    ema_fast: 4,
    ema_slow: 10,
    rsi: 9,
    macd: [6, 13, 5],
    atr: 6,
    bands: 12,
    zscore: 18,
    stochastic: [9, 3, 3],
    adx: 6,
    volatility_fast: 6,
    volatility_slow: 18,
    volume: 12,
    aroon: 9,
    trend: 9,
    flow: 9,
};

const YEARS: Periods = Periods {
    change_short: 2,
    change_long: 4,
    sma: 4,
    ema_fast: 2,
    ema_slow: 4,
    rsi: 4,
    macd: [2, 4, 2],
    atr: 3,
    bands: 4,
    zscore: 6,
    stochastic: [4, 2, 2],
    adx: 3,
    volatility_fast: 3,
    volatility_slow: 6,
    volume: 4,
    aroon: 4,
    trend: 4,
    flow: 4,
};

/// The periods of a timeframe.
pub const fn periods(timeframe: Timeframe) -> &'static Periods {
    match timeframe {
        Timeframe::Min1
        | Timeframe::Min5
        | Timeframe::Min15
        | Timeframe::Min30
        | Timeframe::Hour1
        | Timeframe::Hour4
        | Timeframe::Day1
        | Timeframe::Week1 => &STANDARD,
        Timeframe::Month1 => &MONTHS,
        Timeframe::Year1 => &YEARS,
    }
}
