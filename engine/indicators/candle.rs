//! A bar as the indicators see it: plain `f64`, dollars and shares.

use market::Money;
use market::quote::Bar;

/// Open, high, low, close in dollars, volume in shares; of a finished bar or of one that is still forming.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Candle {
    /// First price, dollars.
    pub open: f64,
    /// Highest price, dollars.
    pub high: f64,
    /// Lowest price, dollars.
    pub low: f64,
    /// Last price, dollars.
    pub close: f64,
    /// Shares.
    pub volume: f64,
    /// Dollars traded; the typical price times volume where the source does not say.
    pub turnover: f64,
    /// The session the bar (or its last part) belongs to, as days since 1970: the VWAP starts again with it.
    pub session: i32,
    /// The value of a second series at the same time, for correlations and betas; `None` without one.
    pub second: Option<f64>,
}

impl Candle {
    /// From a bar of the vocabulary and the session it belongs to (days since 1970).
    pub fn from_bar(bar: &Bar, session: i32) -> Self {
        let mut candle = Self {
            open: bar.open.dollars(),
            high: bar.high.dollars(),
            low: bar.low.dollars(),
            close: bar.close.dollars(),
            volume: bar.volume as f64,
            turnover: 0.0,
            session,
            second: None,
        };
        // A turnover at the type's bound was cut there (a year of SPY is beyond it).
        candle.turnover = if bar.turnover > Money::ZERO && bar.turnover < Money::MAX {
            bar.turnover.dollars()
        } else {
            candle.typical() * candle.volume
        };
        candle
    }

    /// The typical price: mean of high, low and close.
    #[inline]
    pub fn typical(&self) -> f64 {
        (self.high + self.low + self.close) / 3.0
    }
}

/// Which number of a bar an indicator reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Source {
    /// First price.
    Open,
    /// Highest price.
    High,
    /// Lowest price.
    Low,
    /// Last price.
    Close,
    /// Shares.
    Volume,
    /// Mean of high, low and close.
    Typical,
    /// Mean of high and low.
    Middle,
    /// The second series.
    Second,
}

impl Source {
    /// All, in the order of their numbers in parameter lists.
    pub const ALL: [Self; 8] = [
        Self::Open,
        Self::High,
        Self::Low,
        Self::Close,
        Self::Volume,
        Self::Typical,
        Self::Middle,
        Self::Second,
    ];
    /// Their names, in the same order.
    pub const NAMES: [&str; 8] = ["open", "high", "low", "close", "volume", "typical", "middle", "second"];

    /// The source with this number; the close beyond the last.
    pub const fn at(index: usize) -> Self {
        if index < Self::ALL.len() { Self::ALL[index] } else { Self::Close }
    }

    /// That number of the bar; `None` where there is no second series.
    #[inline]
    pub fn of(self, candle: &Candle) -> Option<f64> {
        Some(match self {
            Self::Open => candle.open,
            Self::High => candle.high,
            Self::Low => candle.low,
            Self::Close => candle.close,
            Self::Volume => candle.volume,
            Self::Typical => candle.typical(),
            Self::Middle => (candle.high + candle.low) / 2.0,
            Self::Second => return candle.second,
        })
    }
}
