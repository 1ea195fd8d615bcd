//! The indicators of one timeframe's feature row.

use crate::average::{Ema, Sma};
use crate::bands::Bollinger;
use crate::candle::Candle;
use crate::deviation::ZScore;
use crate::indicator::{Indicator, Series};
use crate::macd::Macd;
use crate::moments::Trend;
use crate::momentum::{Mom, Strength};
use crate::periods::{BAND_WIDTH, Periods};
use crate::session::{Gap, SessionRange, SessionVwap};
use crate::stochastic::Stochastic;
use crate::trend::{Adx, Aroon};
use crate::true_range::Atr;
use crate::volatility::{CloseVariance, Parkinson, RangeVariance};
use crate::volume::{Mfi, SignedVolume, VolumeScore};

state! {
    /// One of each, updated together when a bar of the timeframe closes. Copies without allocating.
    pub struct IndicatorSet {
        /// Finished bars taken.
        pub bars: u64,
        /// The last finished close, dollars.
        pub last_close: Option<f64>,
        /// Score of the last finished bar's volume: a forming bar's volume says how old the bar is.
        pub volume_score: Option<f64>,
        /// Change of the close, short.
        pub change_short: Mom,
        /// Change of the close, long.
        pub change_long: Mom,
        /// Simple average of the close.
        pub sma: Sma,
        /// Fast exponential average of the close.
        pub ema_fast: Ema,
        /// Slow exponential average of the close.
        pub ema_slow: Ema,
        /// Relative strength.
        pub strength: Strength,
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
        /// Freshness of extremes.
        pub aroon: Aroon,
        /// The line through the closes.
        pub trend: Trend,
        /// Money flow.
        pub flow: Mfi,
        /// Fast realised variance of closes.
        pub variance_fast: CloseVariance,
        /// Slow realised variance of closes.
        pub variance_slow: CloseVariance,
        /// Fast variance from ranges.
        pub range_variance: RangeVariance<Parkinson>,
        /// Signed share of volume.
        pub signed_volume: SignedVolume,
        /// Volume score, of finished bars.
        pub volumes: VolumeScore,
        /// The session's average price.
        pub vwap: SessionVwap,
        /// The session's range.
        pub range: SessionRange,
        /// The session's gap.
        pub gap: Gap,
    }
}

impl IndicatorSet {
    /// Fresh indicators of these periods.
    pub fn new(p: &Periods) -> Self {
        Self {
            bars: 0,
            last_close: None,
            volume_score: None,
            change_short: Mom::new(p.change_short),
            change_long: Mom::new(p.change_long),
            sma: Sma::new(p.sma),
            ema_fast: Ema::new(p.ema_fast),
            ema_slow: Ema::new(p.ema_slow),
            strength: Strength::new(p.rsi),
            macd: Macd::new(p.macd[0], p.macd[1], p.macd[2]),
            atr: Atr::new(p.atr),
            bands: Bollinger::new(p.bands, BAND_WIDTH, BAND_WIDTH),
            zscore: ZScore::new(p.zscore, false),
            stochastic: Stochastic::new(p.stochastic[0], p.stochastic[1], p.stochastic[2]),
            adx: Adx::new(p.adx),
            aroon: Aroon::new(p.aroon),
            trend: Trend::new(p.trend),
            flow: Mfi::new(p.flow),
            variance_fast: CloseVariance::new(p.volatility_fast),
            variance_slow: CloseVariance::new(p.volatility_slow),
            range_variance: RangeVariance::new(p.volatility_fast),
            signed_volume: SignedVolume::new(p.volume),
            volumes: VolumeScore::new(p.volume),
            vwap: SessionVwap::new(),
            range: SessionRange::new(),
            gap: Gap::new(),
        }
    }

    /// Takes a finished bar into every indicator.
    pub fn update(&mut self, candle: &Candle) {
        let close = candle.close;
        self.bars += 1;
        self.change_short.take(close);
        self.change_long.take(close);
        self.sma.take(close);
        self.ema_fast.take(close);
        self.ema_slow.take(close);
        self.strength.take(close);
        self.macd.take(candle);
        self.atr.take(candle);
        self.bands.take(candle);
        self.zscore.take(close);
        self.stochastic.take(candle);
        self.adx.take(candle);
        self.aroon.take(candle);
        self.trend.take(close);
        self.flow.take(candle);
        self.variance_fast.take(candle);
        self.variance_slow.take(candle);
        self.range_variance.take(candle);
        self.signed_volume.take(candle);
        self.volume_score = self.volumes.update(candle);
        self.vwap.take(candle);
        self.range.take(candle);
        self.gap.take(candle);
        self.last_close = Some(close);
    }
}
