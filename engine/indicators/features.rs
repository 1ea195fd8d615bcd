//! The feature row of one timeframe: what every model reads, live, in backtests and in training.
//!
//! All values are without unit and roughly within +-3, cut at +-[`BOUND`]. Distances in price are divided by the
//! average true range, so that a row means the same for a share at 20 and one at 600 dollars, in a minute and in a
//! month. A value that cannot be known (an indicator still warming up, a session without volume) is 0, which is
//! neutral for all of them, and counted.
//!
//! Values come from the forming bar "if it closed now". The exception is `volume_score`, of the last finished
//! bar: half a bar's volume would only say that the bar is half over.

use crate::candle::Candle;
use crate::set::IndicatorSet;
use crate::table::{Periods, periods};
use market::quote::Timeframe;

/// Values in a row.
pub const FEATURES: usize = 24;
/// No value is beyond this, either side.
pub const BOUND: f64 = 10.0;
/// Raised when a formula changes while its name stays.
pub const SCHEMA_VERSION: u32 = 1;

/// Names of the values, in order.
pub const NAMES: [&str; FEATURES] = [
    "change_1",         // close less the last finished close, in ATR
    "change_short",     // close less the close some bars ago, in ATR and root of bars
    "change_long",      // the same over more bars
    "body",             // close less open, in ATR
    "range_position",   // where the close lies between low and high, -0.5 to 0.5
    "sma_gap",          // close less simple average, in ATR
    "ema_gap",          // close less fast exponential average, in ATR
    "ema_slope",        // what this bar moves the slow exponential average, in ATR, times 10
    "rsi",              // RSI / 100 - 0.5
    "macd",             // MACD line, in ATR
    "macd_histogram",   // MACD histogram, in ATR
    "percent_b",        // place between the Bollinger bands - 0.5
    "band_width",       // half the distance of the bands, in ATR, less 1
    "zscore",           // deviations of the close from a long mean
    "stochastic_k",     // slow %K / 100 - 0.5
    "stochastic_d",     // slow %D / 100 - 0.5
    "adx",              // ADX / 100 - 0.25
    "direction",        // (+DI - -DI) / 100
    "volatility_ratio", // ln of fast over slow close volatility
    "range_ratio",      // ln of close volatility over range volatility: trending against churning
    "volume_score",     // deviations of the last finished volume from its mean
    "signed_volume",    // signed share of volume, -1 to 1
    "vwap_gap",         // close less VWAP of the session (of the bar, from a day on), in ATR
    "session_clock",    // start of the bar within the session, -0.5 to 0.5; 0 from a day on
];

/// A row.
pub type Row = [f32; FEATURES];

/// The row of one timeframe if `candle` closed now, and how many of its values could not be known.
/// `clock` is where the bar starts within its session, -0.5 to 0.5.
pub fn row(timeframe: Timeframe, set: &IndicatorSet, candle: &Candle, clock: f64) -> (Row, u32) {
    let p = periods(timeframe);
    let atr = set.atr.forming(candle).filter(|atr| *atr > 0.0);
    let mut filled = Filled { values: [0.0; FEATURES], next: 0, missing: 0, per_atr: atr.map(f64::recip) };
    momentum(&mut filled, p, set, candle);
    averages(&mut filled, set, candle);
    position(&mut filled, set, candle);
    let average_price = if timeframe.minutes().is_some() {
        set.vwap.forming(candle)
    } else {
        (candle.volume > 0.0).then(|| candle.turnover / candle.volume)
    };
    circumstances(&mut filled, set, candle);
    filled.in_atr(average_price.map(|vwap| candle.close - vwap));
    filled.push(Some(clock));
    debug_assert_eq!(filled.next, FEATURES);
    (filled.values, filled.missing)
}

fn momentum(filled: &mut Filled, p: &Periods, set: &IndicatorSet, candle: &Candle) {
    let root = |bars: usize| 1.0 / (bars as f64).sqrt();
    filled.in_atr(set.last_close.map(|last| candle.close - last));
    filled.in_atr(set.change_short.change(candle).map(|c| c * root(p.change_short)));
    filled.in_atr(set.change_long.change(candle).map(|c| c * root(p.change_long)));
    filled.in_atr(Some(candle.close - candle.open));
    let range = candle.high - candle.low;
    filled.push(Some(if range > 0.0 { (candle.close - candle.low) / range - 0.5 } else { 0.0 }));
}

fn averages(filled: &mut Filled, set: &IndicatorSet, candle: &Candle) {
    let close = candle.close;
    filled.in_atr(set.sma.forming(close).map(|sma| close - sma));
    filled.in_atr(set.ema_fast.forming(close).map(|ema| close - ema));
    let slope = set.ema_slow.value().and_then(|old| Some(set.ema_slow.forming(close)? - old));
    filled.in_atr(slope.map(|slope| slope * 10.0));
    filled.push(set.rsi.forming(candle).map(|strength| strength.balance()));
    let macd = set.macd.forming(candle);
    filled.in_atr(macd.map(|macd| macd.line));
    filled.in_atr(macd.map(|macd| macd.histogram));
}

fn position(filled: &mut Filled, set: &IndicatorSet, candle: &Candle) {
    let bands = set.bands.forming(candle);
    filled.push(bands.and_then(|bands| bands.percent_b(candle.close)).map(|b| b - 0.5));
    let width = bands.and_then(|bands| Some((bands.upper - bands.middle) * filled.per_atr? - 1.0));
    filled.push(width);
    filled.push(set.zscore.forming(candle));
    let lines = set.stochastic.forming(candle);
    filled.push(lines.map(|lines| lines.k / 100.0 - 0.5));
    filled.push(lines.map(|lines| lines.d / 100.0 - 0.5));
}

fn circumstances(filled: &mut Filled, set: &IndicatorSet, candle: &Candle) {
    let direction = set.adx.forming(candle);
    filled.push(direction.and_then(|d| d.adx).map(|adx| adx / 100.0 - 0.25));
    filled.push(direction.map(|d| (d.plus - d.minus) / 100.0));
    let log_return = set.variance_fast.log_return(candle);
    let fast = log_return.and_then(|r| set.variance_fast.forming_return(r));
    let slow = log_return.and_then(|r| set.variance_slow.forming_return(r));
    filled.push(half_log_ratio(fast, slow));
    filled.push(half_log_ratio(fast, set.range_variance.forming(candle)));
    filled.push(set.volume_score);
    filled.push(set.signed_volume.forming(candle));
}

/// ln of the ratio of two deviations, from their variances; `None` when one is missing or zero.
fn half_log_ratio(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    let (a, b) = (a.filter(|a| *a > 0.0)?, b.filter(|b| *b > 0.0)?);
    Some(0.5 * (a / b).ln())
}

/// A row being filled from the left.
struct Filled {
    values: Row,
    next: usize,
    missing: u32,
    per_atr: Option<f64>,
}

impl Filled {
    #[inline]
    fn push(&mut self, value: Option<f64>) {
        match value.filter(|v| v.is_finite()) {
            Some(value) => self.values[self.next] = value.clamp(-BOUND, BOUND) as f32,
            None => self.missing += 1,
        }
        self.next += 1;
    }

    #[inline]
    fn in_atr(&mut self, dollars: Option<f64>) {
        let per_atr = self.per_atr;
        self.push(dollars.and_then(|dollars| Some(dollars * per_atr?)));
    }
}

/// The schema as text: version, bound, names, and every timeframe's periods. Whoever trains writes its SHA-256
/// into the manifest; whoever loads a model compares.
pub fn schema() -> String {
    let mut text = format!("version {SCHEMA_VERSION} bound {BOUND}\n{}\n", NAMES.join(" "));
    for timeframe in Timeframe::ALL {
        text.push_str(&format!("{timeframe} {:?}\n", periods(timeframe)));
    }
    text
}

/// 64 bits that change whenever [`schema`] does (FNV-1a).
pub fn schema_digest() -> u64 {
    schema()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_the_digest_is_pinned() {
        let mut names = NAMES.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FEATURES);
        // A change here means that every model must be trained again: raise SCHEMA_VERSION knowingly.
        assert_eq!(schema_digest(), PINNED, "schema changed: {:#x}", schema_digest());
    }

    const PINNED: u64 = 0x83f5_5a30_f13d_d133;

    #[test]
    fn an_empty_set_is_neutral_and_says_so() {
        let set = IndicatorSet::new(periods(Timeframe::Min1));
        let candle = Candle { open: 5.0, high: 5.0, low: 5.0, close: 5.0, ..Candle::default() };
        let (row, missing) = row(Timeframe::Min1, &set, &candle, 0.0);
        assert_eq!(row, [0.0; FEATURES]);
        assert_eq!(missing as usize, FEATURES - 2, "all but range position and clock");
    }
}
