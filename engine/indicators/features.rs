//! The feature row of one timeframe: what every model reads, live, in backtests and in training.
//!
//! All values are without unit and roughly within +-3, cut at +-[`BOUND`]. Distances in price are divided by the
//! average true range, so that a row means the same for a share at 20 and one at 600 dollars, in a minute and in a
//! month. A value that cannot be known (an indicator still warming up, a session without volume, a chain that is
//! silent) is 0, which is neutral for all of them, and marked in [`Missing`]: a row never holds a NaN, so nothing
//! downstream can be poisoned by one, and what is missing stays visible.
//!
//! Values come from the forming bar "if it closed now". The exception is `volume_score`, of the last finished
//! bar: half a bar's volume would only say that the bar is half over.

use crate::candle::Candle;
use crate::declaration::Declaration;
use crate::indicator::{Indicator, Series};
use crate::periods::{BAND_WIDTH, Periods, periods};
use crate::set::IndicatorSet;
use crate::state::digest;
use crate::table;
use market::quote::Timeframe;

/// Values in a row.
pub const FEATURES: usize = 35;
/// The first of them come from the underlying's bars.
pub const MARKET_FEATURES: usize = 30;
/// No value is beyond this, either side.
pub const BOUND: f64 = 10.0;
/// Raised when a formula changes while its name stays.
pub const SCHEMA_VERSION: u32 = 2;
/// What the schemas are called; a timeframe and the version follow.
pub const SCHEMA_NAME: &str = "wingspread-features";

/// One value of a row: its name, the indicators it is made of, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// Names of the indicators in [`crate::table`] it reads.
    pub from: &'static [&'static str],
    /// What is done with them.
    pub transform: &'static str,
}

const fn feature(name: &'static str, from: &'static [&'static str], transform: &'static str) -> Feature {
    Feature { name, from, transform }
}

/// The values, in order.
pub const TABLE: [Feature; FEATURES] = [
    feature("change_1", &["atr"], "close less the last finished close, in ATR"),
    feature("change_short", &["mom", "atr"], "close less the close some bars ago, in ATR and root of bars"),
    feature("change_long", &["mom", "atr"], "the same over more bars"),
    feature("body", &["atr"], "close less open, in ATR"),
    feature("range_position", &[], "where the close lies between low and high, -0.5 to 0.5"),
    feature("sma_gap", &["sma", "atr"], "close less simple average, in ATR"),
    feature("ema_gap", &["ema", "atr"], "close less fast exponential average, in ATR"),
    feature("ema_slope", &["ema", "atr"], "what this bar moves the slow average, in ATR, times 10"),
    feature("rsi", &["rsi"], "RSI / 100 - 0.5; 0 where nothing moves"),
    feature("macd", &["macd", "atr"], "MACD line, in ATR"),
    feature("macd_histogram", &["macd", "atr"], "MACD histogram, in ATR"),
    feature("percent_b", &["percent_b"], "place between the Bollinger bands - 0.5"),
    feature("band_width", &["bollinger", "atr"], "half the distance of the bands, in ATR, less 1"),
    feature("zscore", &["zscore"], "deviations of the close from a long mean"),
    feature("stochastic_k", &["stoch"], "slow %K / 100 - 0.5"),
    feature("stochastic_d", &["stoch"], "slow %D / 100 - 0.5"),
    feature("adx", &["adx"], "ADX / 100 - 0.25"),
    feature("direction", &["adx"], "(+DI - -DI) / 100"),
    feature("aroon", &["aroon"], "(up - down) / 100"),
    feature(
        "trend_slope",
        &["linearreg_slope", "atr"],
        "slope of the regression line, in ATR times root of bars",
    ),
    feature("trend_fit", &["linearreg_r2"], "explained share of the variance - 0.5"),
    feature("volatility_ratio", &["rv_close"], "ln of fast over slow close volatility"),
    feature(
        "range_ratio",
        &["rv_close", "rv_parkinson"],
        "ln of close over range volatility: trending or churning",
    ),
    feature("volume_score", &["volume_score"], "deviations of the last finished volume from its mean"),
    feature("signed_volume", &["signed_volume"], "signed share of volume, -1 to 1"),
    feature("money_flow", &["mfi"], "MFI / 100 - 0.5"),
    feature(
        "vwap_gap",
        &["vwap", "atr"],
        "close less VWAP of the session (of the bar, from a day on), in ATR",
    ),
    feature("session_place", &["session_range"], "place in the session's range - 0.5; 0 from a day on"),
    feature(
        "gap",
        &["gap", "atr"],
        "first price of the session (of the bar, from a day on) less the close before, in ATR",
    ),
    feature("session_clock", &[], "start of the bar within the session, -0.5 to 0.5; 0 from a day on"),
    feature("iv_rank", &[], "chain: place of implied volatility in its year's range - 0.5"),
    feature("skew_25d", &[], "chain: (25-delta put less call volatility) / at the money, times 5"),
    feature("term_slope", &[], "chain: ln of far over near implied volatility, times 5"),
    feature("put_call_volume", &[], "chain: ln of put over call volume"),
    feature("implied_ratio", &[], "chain: ln of implied over realised volatility"),
];

/// Names of the values, in order.
pub const NAMES: [&str; FEATURES] = {
    let mut names = [""; FEATURES];
    let mut at = 0;
    while at < FEATURES {
        names[at] = TABLE[at].name;
        at += 1;
    }
    names
};

/// A row.
pub type Row = [f32; FEATURES];

/// Which values of a row could not be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Missing(u64);

impl Missing {
    /// None is missing.
    pub const NONE: Self = Self(0);
    /// All are missing.
    pub const ALL: Self = Self((1 << FEATURES) - 1);

    /// True when the value at this place of the row is missing.
    pub const fn has(self, at: usize) -> bool {
        at < FEATURES && self.0 >> at & 1 == 1
    }

    /// One bit a value, the first lowest.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// From [`Missing::bits`].
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// How many are missing.
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// How many of those made of bars are missing: a silent chain does not silence a model.
    pub const fn of_market(self) -> u32 {
        (self.0 & ((1 << MARKET_FEATURES) - 1)).count_ones()
    }
}

/// A row with what is missing of it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "(Vec<f32>, Missing)", into = "(Vec<f32>, Missing)")]
pub struct Made {
    /// The values.
    pub row: Row,
    /// Which of them could not be known.
    pub missing: Missing,
}

impl Made {
    /// Nothing known yet.
    pub const NOTHING: Self = Self { row: [0.0; FEATURES], missing: Missing::ALL };
}

impl From<Made> for (Vec<f32>, Missing) {
    fn from(made: Made) -> Self {
        (made.row.to_vec(), made.missing)
    }
}

impl TryFrom<(Vec<f32>, Missing)> for Made {
    type Error = String;

    fn try_from((row, missing): (Vec<f32>, Missing)) -> Result<Self, String> {
        let found = row.len();
        let row =
            Row::try_from(row.as_slice()).map_err(|_| format!("a row of {found} values, not {FEATURES}"))?;
        Ok(Self { row, missing })
    }
}

/// What the option chain says about its underlying; `None` where it does not. Numbers that are not finite or, in a
/// ratio, not positive, count as missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ChainSigns {
    /// Place of at-the-money implied volatility in its range of a year, 0 to 1.
    pub iv_rank: Option<f64>,
    /// Implied volatility of the 25-delta put less the call's, over at the money.
    pub skew_25d: Option<f64>,
    /// Implied volatility at the money, far expiry over near.
    pub term_ratio: Option<f64>,
    /// Volume of puts over volume of calls.
    pub put_call_volume: Option<f64>,
    /// Implied over realised volatility.
    pub implied_over_realised: Option<f64>,
}

/// The row of one timeframe if `candle` closed now, and how many of its market values could not be known.
/// `clock` is where the bar starts within its session, -0.5 to 0.5. The chain's values are missing.
pub fn row(timeframe: Timeframe, set: &IndicatorSet, candle: &Candle, clock: f64) -> (Row, u32) {
    let made = fill(timeframe, set, candle, clock, &ChainSigns::default());
    (made.row, made.missing.of_market())
}

/// The row of one timeframe if `candle` closed now, and which of its values could not be known.
pub fn fill(
    timeframe: Timeframe,
    set: &IndicatorSet,
    candle: &Candle,
    clock: f64,
    chain: &ChainSigns,
) -> Made {
    let p = periods(timeframe);
    let atr = set.atr.forming(candle).filter(|atr| *atr > 0.0);
    let mut filled = Filled { values: [0.0; FEATURES], next: 0, missing: 0, per_atr: atr.map(f64::recip) };
    momentum(&mut filled, p, set, candle);
    averages(&mut filled, set, candle);
    position(&mut filled, set, candle);
    direction(&mut filled, p, set, candle);
    circumstances(&mut filled, set, candle);
    session(&mut filled, timeframe.minutes().is_some(), set, candle);
    filled.push(Some(clock));
    debug_assert_eq!(filled.next, MARKET_FEATURES);
    options(&mut filled, chain);
    debug_assert_eq!(filled.next, FEATURES);
    Made { row: filled.values, missing: Missing(filled.missing) }
}

#[inline]
fn momentum(filled: &mut Filled, p: &Periods, set: &IndicatorSet, candle: &Candle) {
    let root = |bars: usize| 1.0 / (bars as f64).sqrt();
    filled.in_atr(set.last_close.map(|last| candle.close - last));
    filled.in_atr(set.change_short.forming(candle.close).map(|c| c * root(p.change_short)));
    filled.in_atr(set.change_long.forming(candle.close).map(|c| c * root(p.change_long)));
    filled.in_atr(Some(candle.close - candle.open));
    let range = candle.high - candle.low;
    filled.push(Some(if range > 0.0 { (candle.close - candle.low) / range - 0.5 } else { 0.0 }));
}

#[inline]
fn averages(filled: &mut Filled, set: &IndicatorSet, candle: &Candle) {
    let close = candle.close;
    filled.in_atr(set.sma.forming(close).map(|sma| close - sma));
    filled.in_atr(set.ema_fast.forming(close).map(|ema| close - ema));
    let slope = set.ema_slow.value().and_then(|old| Some(set.ema_slow.forming(close)? - old));
    filled.in_atr(slope.map(|slope| slope * 10.0));
    filled.push(set.strength.balance(close));
    let macd = set.macd.forming(candle);
    filled.in_atr(macd.map(|[line, _, _]| line));
    filled.in_atr(macd.map(|[_, _, histogram]| histogram));
}

#[inline]
fn position(filled: &mut Filled, set: &IndicatorSet, candle: &Candle) {
    let bands = set.bands.place(candle.close);
    filled.push(bands.and_then(|(place, _, _)| place).map(|b| b - 0.5));
    filled.push(bands.and_then(|(_, width, _)| Some(0.5 * width * filled.per_atr? - 1.0)));
    filled.push(set.zscore.forming(candle.close));
    let lines = set.stochastic.forming(candle);
    filled.push(lines.map(|[k, _]| k / 100.0 - 0.5));
    filled.push(lines.map(|[_, d]| d / 100.0 - 0.5));
}

#[inline]
fn direction(filled: &mut Filled, p: &Periods, set: &IndicatorSet, candle: &Candle) {
    let direction = set.adx.direction(candle);
    filled.push(direction.and_then(|d| d.adx).map(|adx| adx / 100.0 - 0.25));
    filled.push(direction.map(|d| (d.plus - d.minus) / 100.0));
    filled.push(set.aroon.forming(candle).map(|[down, up]| (up - down) / 100.0));
    let line = set.trend.forming(candle.close);
    filled.in_atr(line.map(|line| line.slope * (p.trend as f64).sqrt()));
    filled.push(line.map(|line| line.fit - 0.5));
}

#[inline]
fn circumstances(filled: &mut Filled, set: &IndicatorSet, candle: &Candle) {
    let log_return = set.variance_fast.log_return(candle);
    let fast = log_return.and_then(|r| set.variance_fast.forming_return(r));
    let slow = log_return.and_then(|r| set.variance_slow.forming_return(r));
    filled.push(half_log_ratio(fast, slow));
    filled.push(half_log_ratio(fast, set.range_variance.forming(candle)));
    filled.push(set.volume_score);
    filled.push(set.signed_volume.forming(candle));
    filled.push(set.flow.forming(candle).map(|flow| flow / 100.0 - 0.5));
}

#[inline]
fn session(filled: &mut Filled, is_intraday: bool, set: &IndicatorSet, candle: &Candle) {
    if is_intraday {
        filled.in_atr(set.vwap.forming(candle).map(|vwap| candle.close - vwap));
        filled.push(set.range.forming(candle).map(|[_, _, place]| place - 0.5));
        filled.in_atr(set.gap.dollars(candle));
    } else {
        let average = (candle.volume > 0.0).then(|| candle.turnover / candle.volume);
        filled.in_atr(average.map(|vwap| candle.close - vwap));
        filled.push(Some(0.0));
        filled.in_atr(set.last_close.map(|last| candle.open - last));
    }
}

#[inline]
fn options(filled: &mut Filled, chain: &ChainSigns) {
    let ln = |ratio: Option<f64>| ratio.filter(|ratio| *ratio > 0.0).map(f64::ln);
    filled.push(chain.iv_rank.map(|rank| rank - 0.5));
    filled.push(chain.skew_25d.map(|skew| skew * 5.0));
    filled.push(ln(chain.term_ratio).map(|slope| slope * 5.0));
    filled.push(ln(chain.put_call_volume));
    filled.push(ln(chain.implied_over_realised));
}

/// ln of the ratio of two deviations, from their variances; `None` when one is missing or zero.
#[inline]
fn half_log_ratio(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    let (a, b) = (a.filter(|a| *a > 0.0)?, b.filter(|b| *b > 0.0)?);
    Some(0.5 * (a / b).ln())
}

/// A row being filled from the left.
struct Filled {
    values: Row,
    next: usize,
    missing: u64,
    per_atr: Option<f64>,
}

impl Filled {
    // Always: then every place in the row is a constant.
    #[inline(always)]
    fn push(&mut self, value: Option<f64>) {
        match value.filter(|v| v.is_finite()) {
            Some(value) => self.values[self.next] = value.clamp(-BOUND, BOUND) as f32,
            None => self.missing |= 1 << self.next,
        }
        self.next += 1;
    }

    #[inline(always)]
    fn in_atr(&mut self, dollars: Option<f64>) {
        let per_atr = self.per_atr;
        self.push(dollars.and_then(|dollars| Some(dollars * per_atr?)));
    }
}

/// The indicators a timeframe's set holds, with their parameters.
pub fn used(p: &Periods) -> Vec<(&'static Declaration, Vec<f64>)> {
    let n = |bars: usize| bars as f64;
    let list: [(&str, Vec<f64>); 25] = [
        ("mom", vec![n(p.change_short)]),
        ("mom", vec![n(p.change_long)]),
        ("sma", vec![n(p.sma)]),
        ("ema", vec![n(p.ema_fast)]),
        ("ema", vec![n(p.ema_slow)]),
        ("rsi", vec![n(p.rsi)]),
        ("macd", p.macd.map(n).to_vec()),
        ("atr", vec![n(p.atr)]),
        ("bollinger", vec![n(p.bands), BAND_WIDTH, BAND_WIDTH]),
        ("percent_b", vec![n(p.bands), BAND_WIDTH]),
        ("zscore", vec![n(p.zscore), 0.0]),
        ("stoch", p.stochastic.map(n).to_vec()),
        ("adx", vec![n(p.adx)]),
        ("aroon", vec![n(p.aroon)]),
        ("linearreg_slope", vec![n(p.trend)]),
        ("linearreg_r2", vec![n(p.trend)]),
        ("mfi", vec![n(p.flow)]),
        ("rv_close", vec![n(p.volatility_fast), 1.0]),
        ("rv_close", vec![n(p.volatility_slow), 1.0]),
        ("rv_parkinson", vec![n(p.volatility_fast), 1.0]),
        ("signed_volume", vec![n(p.volume)]),
        ("volume_score", vec![n(p.volume)]),
        ("vwap", vec![]),
        ("session_range", vec![]),
        ("gap", vec![]),
    ];
    list.into_iter().filter_map(|(name, p)| table::find(name).ok().map(|found| (found, p))).collect()
}

/// The schema of one timeframe as text: name, version and bound, then a line a value with its indicators, their
/// parameters in this timeframe, and its transform.
pub fn schema_of(timeframe: Timeframe) -> String {
    let used = used(periods(timeframe));
    let mut text =
        format!("{SCHEMA_NAME}/{timeframe} version {SCHEMA_VERSION} bound {BOUND} missing 0+mask\n");
    for feature in TABLE {
        let from: Vec<String> = used
            .iter()
            .filter(|(declaration, _)| feature.from.contains(&declaration.name))
            .map(|(declaration, parameters)| declaration.label(parameters))
            .collect();
        text.push_str(&format!("{} [{}] {}\n", feature.name, from.join(" "), feature.transform));
    }
    text
}

/// 64 bits that change whenever [`schema_of`] does (FNV-1a).
pub fn digest_of(timeframe: Timeframe) -> u64 {
    digest(schema_of(timeframe).as_bytes())
}

/// The schemas of all timeframes as text. Whoever trains writes its SHA-256 into the manifest; whoever loads a
/// model compares.
pub fn schema() -> String {
    Timeframe::ALL.map(schema_of).concat()
}

/// 64 bits that change whenever [`schema`] does (FNV-1a).
pub fn schema_digest() -> u64 {
    digest(schema().as_bytes())
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

    const PINNED: u64 = 0xb2cb_b27b_41e0_c50d;

    #[test]
    fn every_value_reads_declared_indicators_and_every_indicator_is_read() {
        for timeframe in Timeframe::ALL {
            let used = used(periods(timeframe));
            assert_eq!(used.len(), 25, "each name is in the table");
            for (declaration, parameters) in &used {
                declaration.of(parameters.clone()).unwrap();
                assert!(TABLE.iter().any(|f| f.from.contains(&declaration.name)), "{}", declaration.name);
            }
            for name in TABLE.iter().flat_map(|f| f.from) {
                assert!(used.iter().any(|(declaration, _)| declaration.name == *name), "{name}");
            }
        }
    }

    #[test]
    fn an_empty_set_is_neutral_and_says_so() {
        let set = IndicatorSet::new(periods(Timeframe::Min1));
        let candle = Candle { open: 5.0, high: 5.0, low: 5.0, close: 5.0, ..Candle::default() };
        let (values, missing) = row(Timeframe::Min1, &set, &candle, 0.0);
        assert_eq!(values, [0.0; FEATURES]);
        assert_eq!(missing as usize, MARKET_FEATURES - 3, "all but range position, session place and clock");
    }

    #[test]
    fn the_chain_fills_its_places() {
        let set = IndicatorSet::new(periods(Timeframe::Day1));
        let candle = Candle { open: 5.0, high: 5.0, low: 5.0, close: 5.0, ..Candle::default() };
        let chain = ChainSigns { iv_rank: Some(0.9), put_call_volume: Some(0.0), ..ChainSigns::default() };
        let Made { row, missing } = fill(Timeframe::Day1, &set, &candle, 0.0, &chain);
        assert!((row[MARKET_FEATURES] - 0.4).abs() < 1e-6);
        let known: Vec<bool> = (MARKET_FEATURES..FEATURES).map(|at| !missing.has(at)).collect();
        assert_eq!(known, [true, false, false, false, false], "no ratio of zero");
        assert_eq!(missing.count() - missing.of_market(), 4);
        assert_eq!(Missing::from_bits(u64::MAX), Missing::ALL);
    }
}
