//! The one table of indicators and their periods. Slow timeframes use shorter periods: fourteen years of yearly
//! bars are nowhere to be had.

use crate::window::LONGEST;
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

/// What one indicator is.
pub struct Declaration {
    /// Its name.
    pub name: &'static str,
    /// Its periods in a timeframe's set, bars.
    pub parameters: fn(&Periods) -> Vec<usize>,
    /// Bars until its first full answer.
    pub warm_up: fn(&Periods) -> usize,
    /// Where the formula is from.
    pub source: &'static str,
}

/// Every indicator of a set.
pub const TABLE: [Declaration; 16] = [
    Declaration {
        name: "sma",
        parameters: |p| vec![p.sma],
        warm_up: |p| p.sma,
        source: "arithmetic mean of closes (TA-Lib SMA)",
    },
    Declaration {
        name: "ema",
        parameters: |p| vec![p.ema_fast, p.ema_slow],
        warm_up: |p| p.ema_slow,
        source: "factor 2/(n+1), seeded with the mean of the first n (TA-Lib EMA)",
    },
    Declaration {
        name: "rsi",
        parameters: |p| vec![p.rsi],
        warm_up: |p| p.rsi + 1,
        source: "Wilder 1978 (TA-Lib RSI)",
    },
    Declaration {
        name: "macd",
        parameters: |p| p.macd.to_vec(),
        warm_up: |p| p.macd[1] + p.macd[2] - 1,
        source: "Appel; seeded as TA-Lib MACD",
    },
    Declaration {
        name: "atr",
        parameters: |p| vec![p.atr],
        warm_up: |p| p.atr + 1,
        source: "Wilder 1978 (TA-Lib ATR)",
    },
    Declaration {
        name: "bollinger",
        parameters: |p| vec![p.bands],
        warm_up: |p| p.bands,
        source: "Bollinger, population deviation, 2 wide (TA-Lib BBANDS)",
    },
    Declaration {
        name: "zscore",
        parameters: |p| vec![p.zscore],
        warm_up: |p| p.zscore,
        source: "(close - mean) / population deviation",
    },
    Declaration {
        name: "change",
        parameters: |p| vec![p.change_short, p.change_long],
        warm_up: |p| p.change_long + 1,
        source: "close less an earlier close (TA-Lib MOM, ROC)",
    },
    Declaration {
        name: "stochastic",
        parameters: |p| p.stochastic.to_vec(),
        warm_up: |p| p.stochastic[0] + p.stochastic[1] + p.stochastic[2] - 2,
        source: "Lane, slow, simple averages (TA-Lib STOCH)",
    },
    Declaration {
        name: "adx",
        parameters: |p| vec![p.adx],
        warm_up: |p| 2 * p.adx,
        source: "Wilder 1978 (TA-Lib ADX, PLUS_DI, MINUS_DI)",
    },
    Declaration {
        name: "close_variance",
        parameters: |p| vec![p.volatility_fast, p.volatility_slow],
        warm_up: |p| p.volatility_slow + 1,
        source: "sample variance of log returns",
    },
    Declaration {
        name: "range_variance",
        parameters: |p| vec![p.volatility_fast],
        warm_up: |p| p.volatility_fast,
        source: "Parkinson 1980",
    },
    Declaration {
        name: "signed_volume",
        parameters: |p| vec![p.volume],
        warm_up: |p| p.volume + 1,
        source: "change of on-balance volume (Granville) over total volume",
    },
    Declaration {
        name: "volume_score",
        parameters: |p| vec![p.volume],
        warm_up: |p| p.volume,
        source: "(volume - mean) / population deviation",
    },
    Declaration {
        name: "session_vwap",
        parameters: |_| vec![],
        warm_up: |_| 1,
        source: "turnover over volume since the session's first bar",
    },
    Declaration { name: "obv", parameters: |_| vec![], warm_up: |_| 1, source: "Granville (TA-Lib OBV)" },
];

/// Bars after which every indicator of the timeframe's set answers: how much history to seed.
pub fn warm_up(timeframe: Timeframe) -> usize {
    let periods = periods(timeframe);
    TABLE.iter().map(|indicator| (indicator.warm_up)(periods)).max().unwrap_or(0)
}

const _: () = assert!(STANDARD.volatility_slow <= LONGEST && STANDARD.zscore <= LONGEST);
