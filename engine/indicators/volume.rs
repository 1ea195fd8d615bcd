//! What volume says: on-balance volume (Joseph Granville), the signed share of a window's volume, and how unusual a
//! bar's volume is.

use crate::average::Sma;
use crate::candle::Candle;
use crate::deviation::{Moments, score};

/// On-balance volume: volume added when the close rises and taken away when it falls; starts at the first bar's.
#[derive(Clone, Debug, Default)]
pub struct Obv {
    last: Option<f64>,
    total: f64,
}

impl Obv {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { last: None, total: 0.0 }
    }

    /// Shares, if `candle` were the next bar.
    pub fn forming(&self, candle: &Candle) -> f64 {
        self.total + sign(candle.close, self.last.unwrap_or(f64::NEG_INFINITY)) * candle.volume
    }

    /// Takes a finished bar; answers as [`Obv::forming`] would have.
    pub fn update(&mut self, candle: &Candle) -> f64 {
        self.total = self.forming(candle);
        self.last = Some(candle.close);
        self.total
    }
}

/// The slope of on-balance volume without its unit: signed volume over total volume of `period` bars, -1 to 1.
#[derive(Clone, Debug)]
pub struct SignedVolume {
    last: Option<f64>,
    signed: Sma,
    total: Sma,
}

impl SignedVolume {
    /// Over `period` bars.
    pub fn new(period: usize) -> Self {
        Self { last: None, signed: Sma::new(period), total: Sma::new(period) }
    }

    /// The share if `candle` were the next bar; `None` also when nothing traded.
    #[inline]
    pub fn forming(&self, candle: &Candle) -> Option<f64> {
        let signed = self.signed.forming(sign(candle.close, self.last?) * candle.volume)?;
        let total = self.total.forming(candle.volume)?;
        (total > 0.0).then(|| signed / total)
    }

    /// Takes a finished bar; answers as [`SignedVolume::forming`] would have.
    pub fn update(&mut self, candle: &Candle) -> Option<f64> {
        let value = self.forming(candle);
        if let Some(last) = self.last.replace(candle.close) {
            self.signed.update(sign(candle.close, last) * candle.volume);
            self.total.update(candle.volume);
        }
        value
    }
}

/// How many population deviations a bar's volume lies from the mean of `period` bars.
#[derive(Clone, Debug)]
pub struct VolumeScore {
    moments: Moments,
}

impl VolumeScore {
    /// Over `period` bars.
    pub fn new(period: usize) -> Self {
        Self { moments: Moments::new(period) }
    }

    /// The score if `candle` were the next bar; `None` also when volume does not vary.
    pub fn forming(&self, candle: &Candle) -> Option<f64> {
        self.moments.forming(candle.volume).and_then(|spread| score(candle.volume, &spread))
    }

    /// Takes a finished bar; answers as [`VolumeScore::forming`] would have.
    pub fn update(&mut self, candle: &Candle) -> Option<f64> {
        self.moments.update(candle.volume).and_then(|spread| score(candle.volume, &spread))
    }
}

fn sign(close: f64, last: f64) -> f64 {
    if close > last {
        1.0
    } else if close < last {
        -1.0
    } else {
        0.0
    }
}
