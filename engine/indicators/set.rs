//! The indicators of one timeframe.

use crate::average::{Ema, Sma};
use crate::candle::Candle;
use crate::deviation::{Bollinger, ZScore};
use crate::lag::Lag;
use crate::macd::Macd;
use crate::stochastic::Stochastic;
use crate::strength::Rsi;
use crate::table::{BAND_WIDTH, Periods};
use crate::trend::Adx;
use crate::true_range::Atr;
use crate::volatility::{CloseVariance, RangeVariance};
use crate::volume::{Obv, SignedVolume, VolumeScore};
use crate::vwap::SessionVwap;

/// One of each, updated together when a bar of the timeframe closes.
#[derive(Clone, Debug)]
pub struct IndicatorSet {
    /// Finished bars taken.
    pub bars: u64,
    /// The last finished close, dollars.
    pub last_close: Option<f64>,
    /// Score of the last finished bar's volume: a forming bar's volume says how old the bar is.
    pub volume_score: Option<f64>,
    /// Change of the close, short.
    pub change_short: Lag,
    /// Change of the close, long.
    pub change_long: Lag,
    /// Simple average of the close.
    pub sma: Sma,
    /// Fast exponential average of the close.
    pub ema_fast: Ema,
    /// Slow exponential average of the close.
    pub ema_slow: Ema,
    /// Relative strength.
    pub rsi: Rsi,
    /// Moving-average convergence.
    pub macd: Macd,
    /// Average true range.
    pub atr: Atr,
    /// Bollinger bands.
    pub bands: Bollinger,
    /// Z-score of the close.
    pub zscore: ZScore,
    /// Stochastic oscillator.
    pub stochastic: Stochastic,
    /// Directional movement.
    pub adx: Adx,
    /// Fast realised variance of closes.
    pub variance_fast: CloseVariance,
    /// Slow realised variance of closes.
    pub variance_slow: CloseVariance,
    /// Fast variance from ranges.
    pub range_variance: RangeVariance,
    /// Signed share of volume.
    pub signed_volume: SignedVolume,
    /// Volume score, of finished bars.
    pub volumes: VolumeScore,
    /// The session's average price.
    pub vwap: SessionVwap,
    /// On-balance volume.
    pub obv: Obv,
}

impl IndicatorSet {
    /// Fresh indicators of these periods.
    pub fn new(p: &Periods) -> Self {
        Self {
            bars: 0,
            last_close: None,
            volume_score: None,
            change_short: Lag::new(p.change_short),
            change_long: Lag::new(p.change_long),
            sma: Sma::new(p.sma),
            ema_fast: Ema::new(p.ema_fast),
            ema_slow: Ema::new(p.ema_slow),
            rsi: Rsi::new(p.rsi),
            macd: Macd::new(p.macd[0], p.macd[1], p.macd[2]),
            atr: Atr::new(p.atr),
            bands: Bollinger::new(p.bands, BAND_WIDTH),
            zscore: ZScore::new(p.zscore),
            stochastic: Stochastic::new(p.stochastic[0], p.stochastic[1], p.stochastic[2]),
            adx: Adx::new(p.adx),
            variance_fast: CloseVariance::new(p.volatility_fast),
            variance_slow: CloseVariance::new(p.volatility_slow),
            range_variance: RangeVariance::new(p.volatility_fast),
            signed_volume: SignedVolume::new(p.volume),
            volumes: VolumeScore::new(p.volume),
            vwap: SessionVwap::new(),
            obv: Obv::new(),
        }
    }

    /// Takes a finished bar into every indicator.
    pub fn update(&mut self, candle: &Candle) {
        let close = candle.close;
        self.bars += 1;
        self.change_short.update(candle);
        self.change_long.update(candle);
        self.sma.update(close);
        self.ema_fast.update(close);
        self.ema_slow.update(close);
        self.rsi.update(candle);
        self.macd.update(candle);
        self.atr.update(candle);
        self.bands.update(candle);
        self.zscore.update(candle);
        self.stochastic.update(candle);
        self.adx.update(candle);
        self.variance_fast.update(candle);
        self.variance_slow.update(candle);
        self.range_variance.update(candle);
        self.signed_volume.update(candle);
        self.volume_score = self.volumes.update(candle);
        self.vwap.update(candle);
        self.obv.update(candle);
        self.last_close = Some(close);
    }
}
