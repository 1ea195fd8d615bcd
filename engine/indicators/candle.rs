//! A bar as the indicators see it: plain `f64`, dollars and shares.

use market::Money;
use market::quote::Bar;

/// Open, high, low, close in dollars, volume in shares; of a finished bar or of one that is still forming.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
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
    pub fn typical(&self) -> f64 {
        (self.high + self.low + self.close) / 3.0
    }
}
