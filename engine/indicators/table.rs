//! The one table of indicators: name, parameters with bounds, warm-up, outputs, memory, where the formula is from,
//! where we differ from libraries on purpose, and how one is made. Documentation, construction by name, feature schema
//! and the property tests are read from it; a new indicator is one entry here.

use crate::average::{Dema, Ema, Hull, Kama, Sma, Tema, Trix, Wma};
use crate::bands::{BandWidth, Bollinger, Donchian, Ichimoku, Keltner, PercentB};
use crate::candle::Source;
use crate::declaration::{Built, Core, Declaration, MakeFault, Memory, Output, Parameter, Rule, Unit};
use crate::deviation::{Beta, Cci, Correlation, Deviation, Variance, ZScore};
use crate::hilbert::HilbertTrend;
use crate::indicator::{Indicator, OnClose, Series};
use crate::macd::{Macd, Ppo};
use crate::momentum::{Cmo, Mom, Roc, Rsi, Ultimate, WilliamsR};
use crate::session::{Gap, SessionRange, SessionVwap};
use crate::stochastic::{FastStochastic, StochRsi, Stochastic};
use crate::trend::{Adx, Aroon, Fit, Sar, Slope, Supertrend};
use crate::true_range::{Atr, Natr, TrueRange};
use crate::volatility::{
    Annual, CloseVariance, EwmaCorrelation, EwmaVariance, GarmanKlass, Parkinson, RangeVariance,
    RogersSatchell, VarianceRatio, YangZhang,
};
use crate::volume::{Ad, AdOsc, Mfi, Obv, ProfileRatio, SignedVolume, VolumeScore};
use crate::window::LONGEST;
use std::fmt::Debug;

pub use crate::periods::{BAND_WIDTH, Periods, periods};
use market::quote::Timeframe;

/// A count of bars.
const fn bars(name: &'static str, default: usize, least: usize) -> Parameter {
    Parameter {
        name,
        default: default as f64,
        least: least as f64,
        most: LONGEST as f64,
        is_whole: true,
        choices: &[],
    }
}

/// Any number.
const fn number(name: &'static str, default: f64, least: f64, most: f64) -> Parameter {
    Parameter { name, default, least, most, is_whole: false, choices: &[] }
}

/// One of several names.
const fn choice(name: &'static str, default: usize, choices: &'static [&'static str]) -> Parameter {
    Parameter {
        name,
        default: default as f64,
        least: 0.0,
        most: (choices.len() - 1) as f64,
        is_whole: true,
        choices,
    }
}

const fn source(name: &'static str, default: Source) -> Parameter {
    choice(name, default as usize, &Source::NAMES)
}

const fn out(name: &'static str, unit: Unit) -> Output {
    Output { name, unit }
}

const fn per_year() -> Parameter {
    number("bars_per_year", 252.0, 1.0, 1e9)
}

/// A parameter as a count.
const fn n(p: &[f64], at: usize) -> usize {
    p[at] as usize
}

/// Bars until what decays by `1 - factor` a bar is below 1e-9, with a margin for where it starts.
fn fades(factor: f64) -> usize {
    ((1e-9f64).ln() / (1.0 - factor).ln() * 1.3).ceil().max(1.0) as usize
}

/// The same of an exponential average, of Wilder's, and of `depth` averages of each other.
fn ema_fades(period: f64) -> usize {
    period as usize + fades(2.0 / (period + 1.0))
}

fn wilder_fades(period: f64) -> usize {
    1 + period as usize + fades(1.0 / period)
}

fn chain_fades(period: f64, depth: usize) -> usize {
    depth * period as usize + fades(2.0 / (period + 1.0)) * (3 + depth) / 3
}

fn most(p: &[f64]) -> f64 {
    p.iter().copied().fold(0.0, f64::max)
}

fn on_close<S>(series: S) -> Box<dyn Core>
where
    S: Series + Clone + Debug + Send + Sync + serde::Serialize + serde::de::DeserializeOwned + 'static,
{
    Box::new(OnClose(series))
}

fn annual<V>(variance: V, bars_per_year: f64) -> Box<dyn Core>
where
    V: Indicator<Output = f64>
        + Clone
        + Debug
        + Send
        + Sync
        + serde::Serialize
        + serde::de::DeserializeOwned
        + 'static,
{
    Box::new(Annual::new(variance, bars_per_year))
}

const NO_RULE: Option<Rule> = None;
const LIB_FLAT: &str = "0 where nothing moves, as TA-Lib; other platforms say 50 or nothing";

/// Averages of the close.
static AVERAGES: [Declaration; 8] = [
    Declaration {
        name: "sma",
        title: "Simple moving average",
        parameters: &[bars("period", 20, 1)],
        outputs: &[out("sma", Unit::Dollars)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "arithmetic mean of closes (TA-Lib SMA)",
        differences: "each window summed afresh: no running-sum drift",
        rule: NO_RULE,
        make: |p| on_close(Sma::new(n(p, 0))),
    },
    Declaration {
        name: "ema",
        title: "Exponential moving average",
        parameters: &[bars("period", 20, 1)],
        outputs: &[out("ema", Unit::Dollars)],
        warm_up: |p| n(p, 0),
        memory: Memory::Fading(|p| ema_fades(p[0])),
        source: "factor 2/(n+1), seeded with the mean of the first n (TA-Lib EMA)",
        differences: "",
        rule: NO_RULE,
        make: |p| on_close(Ema::new(n(p, 0))),
    },
    Declaration {
        name: "wma",
        title: "Weighted moving average",
        parameters: &[bars("period", 20, 1)],
        outputs: &[out("wma", Unit::Dollars)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "weights 1 to n, newest most (TA-Lib WMA)",
        differences: "each window summed afresh",
        rule: NO_RULE,
        make: |p| on_close(Wma::new(n(p, 0))),
    },
    Declaration {
        name: "dema",
        title: "Double exponential moving average",
        parameters: &[bars("period", 20, 1)],
        outputs: &[out("dema", Unit::Dollars)],
        warm_up: |p| 2 * n(p, 0) - 1,
        memory: Memory::Fading(|p| chain_fades(p[0], 2)),
        source: "Mulloy 1994 (TA-Lib DEMA)",
        differences: "",
        rule: NO_RULE,
        make: |p| on_close(Dema::new(n(p, 0))),
    },
    Declaration {
        name: "tema",
        title: "Triple exponential moving average",
        parameters: &[bars("period", 20, 1)],
        outputs: &[out("tema", Unit::Dollars)],
        warm_up: |p| 3 * n(p, 0) - 2,
        memory: Memory::Fading(|p| chain_fades(p[0], 3)),
        source: "Mulloy 1994 (TA-Lib TEMA)",
        differences: "",
        rule: NO_RULE,
        make: |p| on_close(Tema::new(n(p, 0))),
    },
    Declaration {
        name: "kama",
        title: "Kaufman's adaptive moving average",
        parameters: &[bars("period", 10, 2)],
        outputs: &[out("kama", Unit::Dollars)],
        warm_up: |p| n(p, 0) + 1,
        memory: Memory::Fading(|p| n(p, 0) + fades(4.0 / 961.0)),
        source: "Kaufman 1995, averages 2 and 30, starts from the close before (TA-Lib KAMA)",
        differences: "path summed afresh; no fixed epsilon for a path of zero",
        rule: NO_RULE,
        make: |p| on_close(Kama::new(n(p, 0))),
    },
    Declaration {
        name: "hull",
        title: "Hull moving average",
        parameters: &[bars("period", 16, 2)],
        outputs: &[out("hull", Unit::Dollars)],
        warm_up: |p| n(p, 0) + n(p, 0).isqrt() - 1,
        memory: Memory::Window(|p| n(p, 0) + n(p, 0).isqrt() - 1),
        source: "Hull 2005: WMA(2 WMA(n/2) - WMA(n), root of n)",
        differences: "half and root are rounded down; some platforms round to nearest",
        rule: NO_RULE,
        make: |p| on_close(Hull::new(n(p, 0))),
    },
    Declaration {
        name: "ht_trendline",
        title: "Hilbert transform instantaneous trend line",
        parameters: &[source("source", Source::Close)],
        outputs: &[out("trend", Unit::Dollars)],
        warm_up: |_| 64,
        memory: Memory::Fading(|_| 400),
        source: "Ehlers 2001 (TA-Lib HT_TRENDLINE)",
        differences: "",
        rule: NO_RULE,
        make: |p| Box::new(HilbertTrend::new(Source::at(n(p, 0)))),
    },
];

/// Momentum and oscillators.
static OSCILLATORS: [Declaration; 13] = [
    Declaration {
        name: "rsi",
        title: "Relative strength index",
        parameters: &[bars("period", 14, 2)],
        outputs: &[out("rsi", Unit::Percent)],
        warm_up: |p| n(p, 0) + 1,
        memory: Memory::Fading(|p| wilder_fades(p[0])),
        source: "Wilder 1978 (TA-Lib RSI)",
        differences: LIB_FLAT,
        rule: NO_RULE,
        make: |p| on_close(Rsi::new(n(p, 0))),
    },
    Declaration {
        name: "cmo",
        title: "Chande momentum oscillator",
        parameters: &[bars("period", 14, 2)],
        outputs: &[out("cmo", Unit::Percent)],
        warm_up: |p| n(p, 0) + 1,
        memory: Memory::Fading(|p| wilder_fades(p[0])),
        source: "Chande & Kroll 1994, Wilder-smoothed (TA-Lib CMO)",
        differences: "Wilder-smoothed as in TA-Lib, not Chande's rolling sums; 0 where nothing moves",
        rule: NO_RULE,
        make: |p| on_close(Cmo::new(n(p, 0))),
    },
    Declaration {
        name: "roc",
        title: "Rate of change",
        parameters: &[bars("bars", 10, 1)],
        outputs: &[out("roc", Unit::Percent)],
        warm_up: |p| n(p, 0) + 1,
        memory: Memory::Window(|p| n(p, 0) + 1),
        source: "change of the close in percent (TA-Lib ROC)",
        differences: "",
        rule: NO_RULE,
        make: |p| on_close(Roc::new(n(p, 0))),
    },
    Declaration {
        name: "mom",
        title: "Momentum",
        parameters: &[bars("bars", 10, 1)],
        outputs: &[out("mom", Unit::Dollars)],
        warm_up: |p| n(p, 0) + 1,
        memory: Memory::Window(|p| n(p, 0) + 1),
        source: "change of the close (TA-Lib MOM)",
        differences: "",
        rule: NO_RULE,
        make: |p| on_close(Mom::new(n(p, 0))),
    },
    Declaration {
        name: "trix",
        title: "Change of the triple exponential average",
        parameters: &[bars("period", 15, 1)],
        outputs: &[out("trix", Unit::Percent)],
        warm_up: |p| 3 * n(p, 0) - 1,
        memory: Memory::Fading(|p| chain_fades(p[0], 4)),
        source: "Hutson 1983 (TA-Lib TRIX)",
        differences: "",
        rule: NO_RULE,
        make: |p| on_close(Trix::new(n(p, 0))),
    },
    Declaration {
        name: "macd",
        title: "Moving-average convergence and divergence",
        parameters: &[bars("fast", 12, 1), bars("slow", 26, 2), bars("signal", 9, 1)],
        outputs: &[out("line", Unit::Dollars), out("signal", Unit::Dollars), out("histogram", Unit::Dollars)],
        warm_up: |p| n(p, 0).max(n(p, 1)) + n(p, 2) - 1,
        memory: Memory::Fading(|p| chain_fades(most(p), 3)),
        source: "Appel 1979; fast average starts late (TA-Lib MACD)",
        differences: "",
        rule: NO_RULE,
        make: |p| Box::new(Macd::new(n(p, 0), n(p, 1), n(p, 2))),
    },
    Declaration {
        name: "ppo",
        title: "Percentage price oscillator",
        parameters: &[
            bars("fast", 12, 1),
            bars("slow", 26, 2),
            choice("average", 1, &["simple", "exponential"]),
        ],
        outputs: &[out("ppo", Unit::Percent)],
        warm_up: |p| n(p, 0).max(n(p, 1)),
        memory: Memory::Fading(|p| chain_fades(most(p), 2)),
        source: "Appel; each average seeded with its own first bars (TA-Lib PPO)",
        differences: "",
        rule: NO_RULE,
        make: |p| on_close(Ppo::new(n(p, 0), n(p, 1), p[2] == 1.0)),
    },
    Declaration {
        name: "stoch",
        title: "Slow stochastic",
        parameters: &[bars("period", 14, 1), bars("k", 3, 1), bars("d", 3, 1)],
        outputs: &[out("k", Unit::Percent), out("d", Unit::Percent)],
        warm_up: |p| n(p, 0) + n(p, 1) + n(p, 2) - 2,
        memory: Memory::Window(|p| n(p, 0) + n(p, 1) + n(p, 2) - 2),
        source: "Lane, simple averages (TA-Lib STOCH)",
        differences: LIB_FLAT,
        rule: NO_RULE,
        make: |p| Box::new(Stochastic::new(n(p, 0), n(p, 1), n(p, 2))),
    },
    Declaration {
        name: "stochf",
        title: "Fast stochastic",
        parameters: &[bars("period", 14, 1), bars("d", 3, 1)],
        outputs: &[out("k", Unit::Percent), out("d", Unit::Percent)],
        warm_up: |p| n(p, 0) + n(p, 1) - 1,
        memory: Memory::Window(|p| n(p, 0) + n(p, 1) - 1),
        source: "Lane (TA-Lib STOCHF); %K is held back until there is a %D",
        differences: LIB_FLAT,
        rule: NO_RULE,
        make: |p| Box::new(FastStochastic::new(n(p, 0), n(p, 1))),
    },
    Declaration {
        name: "stochrsi",
        title: "Stochastic of the relative strength",
        parameters: &[bars("period", 14, 2), bars("k", 14, 1), bars("d", 3, 1)],
        outputs: &[out("k", Unit::Percent), out("d", Unit::Percent)],
        warm_up: |p| n(p, 0) + n(p, 1) + n(p, 2) - 1,
        memory: Memory::Fading(|p| wilder_fades(p[0]) + n(p, 1) + n(p, 2)),
        source: "Chande & Kroll 1994, %K not smoothed (TA-Lib STOCHRSI)",
        differences: "a range of RSI up to 1e-10 is none, as TA-Lib 0.8",
        rule: NO_RULE,
        make: |p| Box::new(StochRsi::new(n(p, 0), n(p, 1), n(p, 2))),
    },
    Declaration {
        name: "willr",
        title: "Williams %R",
        parameters: &[bars("period", 14, 1)],
        outputs: &[out("willr", Unit::Percent)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "Williams 1973 (TA-Lib WILLR)",
        differences: LIB_FLAT,
        rule: NO_RULE,
        make: |p| Box::new(WilliamsR::new(n(p, 0))),
    },
    Declaration {
        name: "ultosc",
        title: "Ultimate oscillator",
        parameters: &[bars("short", 7, 1), bars("middle", 14, 1), bars("long", 28, 1)],
        outputs: &[out("ultosc", Unit::Percent)],
        warm_up: |p| most(p) as usize + 1,
        memory: Memory::Window(|p| most(p) as usize + 1),
        source: "Williams 1985, weights 4, 2, 1 (TA-Lib ULTOSC)",
        differences: "windows summed afresh",
        rule: NO_RULE,
        make: |p| Box::new(Ultimate::new([n(p, 0), n(p, 1), n(p, 2)])),
    },
    Declaration {
        name: "cci",
        title: "Commodity channel index",
        parameters: &[bars("period", 20, 2)],
        outputs: &[out("cci", Unit::Percent)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "Lambert 1980, mean absolute deviation (TA-Lib CCI)",
        differences: "typical prices equal to 1e-14 are equal: decimal ties do not turn into noise",
        rule: NO_RULE,
        make: |p| Box::new(Cci::new(n(p, 0))),
    },
];

/// Ranges, trends and bands.
static TRENDS: [Declaration; 14] = [
    Declaration {
        name: "trange",
        title: "True range",
        parameters: &[],
        outputs: &[out("trange", Unit::Dollars)],
        warm_up: |_| 2,
        memory: Memory::Window(|_| 2),
        source: "Wilder 1978 (TA-Lib TRANGE)",
        differences: "",
        rule: NO_RULE,
        make: |_| Box::new(TrueRange::new()),
    },
    Declaration {
        name: "atr",
        title: "Average true range",
        parameters: &[bars("period", 14, 1)],
        outputs: &[out("atr", Unit::Dollars)],
        warm_up: |p| n(p, 0) + 1,
        memory: Memory::Fading(|p| wilder_fades(p[0])),
        source: "Wilder 1978 (TA-Lib ATR)",
        differences: "",
        rule: NO_RULE,
        make: |p| Box::new(Atr::new(n(p, 0))),
    },
    Declaration {
        name: "natr",
        title: "Average true range in percent of the close",
        parameters: &[bars("period", 14, 1)],
        outputs: &[out("natr", Unit::Percent)],
        warm_up: |p| n(p, 0) + 1,
        memory: Memory::Fading(|p| wilder_fades(p[0])),
        source: "Forman 2006 (TA-Lib NATR)",
        differences: "",
        rule: NO_RULE,
        make: |p| Box::new(Natr::new(n(p, 0))),
    },
    Declaration {
        name: "adx",
        title: "Directional movement: +DI, -DI, ADX",
        parameters: &[bars("period", 14, 2)],
        outputs: &[out("plus_di", Unit::Percent), out("minus_di", Unit::Percent), out("adx", Unit::Percent)],
        warm_up: |p| 2 * n(p, 0),
        memory: Memory::Fading(|p| 2 * wilder_fades(p[0])),
        source: "Wilder 1978 (TA-Lib PLUS_DI, MINUS_DI, ADX)",
        differences: LIB_FLAT,
        rule: NO_RULE,
        make: |p| Box::new(Adx::new(n(p, 0))),
    },
    Declaration {
        name: "aroon",
        title: "Aroon",
        parameters: &[bars("period", 14, 2)],
        outputs: &[out("down", Unit::Percent), out("up", Unit::Percent)],
        warm_up: |p| n(p, 0) + 1,
        memory: Memory::Window(|p| n(p, 0) + 1),
        source: "Chande 1995, ties count as latest (TA-Lib AROON)",
        differences: "",
        rule: Some(("the period must be below 1000: it looks one bar further", |p| p[0] < LONGEST as f64)),
        make: |p| Box::new(Aroon::new(n(p, 0))),
    },
    Declaration {
        name: "sar",
        title: "Parabolic stop and reverse",
        parameters: &[number("acceleration", 0.02, 0.0, 1.0), number("maximum", 0.2, 0.0, 1.0)],
        outputs: &[out("sar", Unit::Dollars)],
        warm_up: |_| 2,
        memory: Memory::Fading(|_| 250),
        source: "Wilder 1978 (TA-Lib SAR)",
        differences: "",
        rule: NO_RULE,
        make: |p| Box::new(Sar::new(p[0], p[1])),
    },
    Declaration {
        name: "supertrend",
        title: "Supertrend",
        parameters: &[bars("period", 10, 1), number("reach", 3.0, 0.0, 100.0)],
        outputs: &[
            out("line", Unit::Dollars),
            out("direction", Unit::Ratio),
            out("upper", Unit::Dollars),
            out("lower", Unit::Dollars),
        ],
        warm_up: |p| n(p, 0) + 1,
        memory: Memory::Fading(|p| 2 * wilder_fades(p[0]) + 100),
        source: "Seban; bands from the average true range (TA-Lib SUPERTREND)",
        differences: "",
        rule: NO_RULE,
        make: |p| Box::new(Supertrend::new(n(p, 0), p[1])),
    },
    Declaration {
        name: "linearreg_slope",
        title: "Slope of the regression line",
        parameters: &[bars("period", 14, 2)],
        outputs: &[out("slope", Unit::Dollars)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "least squares, dollars a bar (TA-Lib LINEARREG_SLOPE)",
        differences: "summed from an anchor in the window: no cancellation at high prices",
        rule: NO_RULE,
        make: |p| on_close(Slope::new(n(p, 0))),
    },
    Declaration {
        name: "linearreg_r2",
        title: "Fit of the regression line",
        parameters: &[bars("period", 14, 2)],
        outputs: &[out("r2", Unit::Ratio)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "least squares: explained share of the variance",
        differences: "0 where nothing varies",
        rule: NO_RULE,
        make: |p| on_close(Fit::new(n(p, 0))),
    },
    Declaration {
        name: "bollinger",
        title: "Bollinger bands",
        parameters: &[
            bars("period", 20, 2),
            number("above", 2.0, 0.0, 100.0),
            number("below", 2.0, 0.0, 100.0),
        ],
        outputs: &[out("upper", Unit::Dollars), out("middle", Unit::Dollars), out("lower", Unit::Dollars)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "Bollinger, population deviation (TA-Lib BBANDS)",
        differences: "deviation from an anchor in the window: exactly 0 on a flat one",
        rule: NO_RULE,
        make: |p| Box::new(Bollinger::new(n(p, 0), p[1], p[2])),
    },
    Declaration {
        name: "percent_b",
        title: "Place between the Bollinger bands",
        parameters: &[bars("period", 20, 2), number("width", 2.0, 0.001, 100.0)],
        outputs: &[out("percent_b", Unit::Ratio)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "Bollinger: 0 at the lower band, 1 at the upper",
        differences: "missing where the bands touch",
        rule: NO_RULE,
        make: |p| on_close(PercentB::new(n(p, 0), p[1])),
    },
    Declaration {
        name: "band_width",
        title: "Bollinger band width",
        parameters: &[bars("period", 20, 2), number("width", 2.0, 0.001, 100.0)],
        outputs: &[out("band_width", Unit::Ratio)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "Bollinger: distance of the bands over the middle",
        differences: "",
        rule: NO_RULE,
        make: |p| on_close(BandWidth::new(n(p, 0), p[1])),
    },
    Declaration {
        name: "donchian",
        title: "Donchian channel",
        parameters: &[bars("period", 20, 1)],
        outputs: &[out("upper", Unit::Dollars), out("middle", Unit::Dollars), out("lower", Unit::Dollars)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "Donchian; the current bar included",
        differences: "",
        rule: NO_RULE,
        make: |p| Box::new(Donchian::new(n(p, 0))),
    },
    Declaration {
        name: "keltner",
        title: "Keltner channel",
        parameters: &[
            bars("period", 20, 1),
            bars("atr", 10, 1),
            number("reach", 2.0, 0.0, 100.0),
            source("source", Source::Close),
        ],
        outputs: &[out("upper", Unit::Dollars), out("middle", Unit::Dollars), out("lower", Unit::Dollars)],
        warm_up: |p| n(p, 0).max(n(p, 1) + 1),
        memory: Memory::Fading(|p| ema_fades(p[0]).max(wilder_fades(p[1]))),
        source: "Keltner 1960, Raschke's form: EMA and average true range",
        differences: "TA-Lib's KC starts its ATR later and differs by up to 1 % in the first bars",
        rule: NO_RULE,
        make: |p| Box::new(Keltner::new(n(p, 0), n(p, 1), p[2], Source::at(n(p, 3)))),
    },
];

/// Ichimoku, deviations and the second series.
static DEVIATIONS: [Declaration; 7] = [
    Declaration {
        name: "ichimoku",
        title: "Ichimoku lines",
        parameters: &[bars("tenkan", 9, 1), bars("kijun", 26, 1), bars("slow", 52, 1), bars("shift", 26, 1)],
        outputs: &[
            out("tenkan", Unit::Dollars),
            out("kijun", Unit::Dollars),
            out("span_a_raw", Unit::Dollars),
            out("span_b_raw", Unit::Dollars),
            out("span_a", Unit::Dollars),
            out("span_b", Unit::Dollars),
        ],
        warm_up: |p| most(&p[..3]) as usize + n(p, 3),
        memory: Memory::Window(|p| most(&p[..3]) as usize + n(p, 3)),
        source: "Hosoda 1969; raw spans where computed, spans where a chart shows them",
        differences: "no chikou line: it is the future close",
        rule: NO_RULE,
        make: |p| Box::new(Ichimoku::new(n(p, 0), n(p, 1), n(p, 2), n(p, 3))),
    },
    Declaration {
        name: "stddev",
        title: "Standard deviation",
        parameters: &[bars("period", 20, 1), number("factor", 1.0, 0.0, 100.0)],
        outputs: &[out("stddev", Unit::Dollars)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "population deviation of closes (TA-Lib STDDEV)",
        differences: "exactly 0 on a flat window, no fixed epsilon",
        rule: NO_RULE,
        make: |p| on_close(Deviation::new(n(p, 0), p[1])),
    },
    Declaration {
        name: "var",
        title: "Variance",
        parameters: &[bars("period", 20, 1)],
        outputs: &[out("var", Unit::DollarsSquared)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "population variance of closes (TA-Lib VAR)",
        differences: "exactly 0 on a flat window",
        rule: NO_RULE,
        make: |p| on_close(Variance::new(n(p, 0))),
    },
    Declaration {
        name: "zscore",
        title: "Z-score of the close",
        parameters: &[bars("period", 20, 2), choice("deviation", 0, &["population", "sample"])],
        outputs: &[out("zscore", Unit::Ratio)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "(close - mean) / deviation",
        differences: "missing where nothing deviates",
        rule: NO_RULE,
        make: |p| on_close(ZScore::new(n(p, 0), p[1] == 1.0)),
    },
    Declaration {
        name: "correl",
        title: "Correlation to a second series",
        parameters: &[
            bars("period", 30, 2),
            source("first", Source::Close),
            source("second", Source::Second),
        ],
        outputs: &[out("correl", Unit::Ratio)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "Pearson, on levels (TA-Lib CORREL)",
        differences: "always within -1 and 1; 0 where one series does not vary",
        rule: NO_RULE,
        make: |p| Box::new(Correlation::new(n(p, 0), Source::at(n(p, 1)), Source::at(n(p, 2)))),
    },
    Declaration {
        name: "beta",
        title: "Beta to a second series",
        parameters: &[bars("period", 5, 2), source("first", Source::Second), source("second", Source::Close)],
        outputs: &[out("beta", Unit::Ratio)],
        warm_up: |p| n(p, 0) + 1,
        memory: Memory::Window(|p| n(p, 0) + 1),
        source: "slope of the second's simple returns on the first's (TA-Lib BETA)",
        differences: "windows summed afresh, from an anchor",
        rule: NO_RULE,
        make: |p| Box::new(Beta::new(n(p, 0), Source::at(n(p, 1)), Source::at(n(p, 2)))),
    },
    Declaration {
        name: "variance_ratio",
        title: "Variance ratio",
        parameters: &[bars("period", 128, 4), bars("lag", 4, 2)],
        outputs: &[out("variance_ratio", Unit::Ratio)],
        warm_up: |p| n(p, 0) + 1,
        memory: Memory::Window(|p| n(p, 0) + 1),
        source: "Lo & MacKinlay 1988, overlapping, bias-corrected",
        differences: "missing where returns do not vary",
        rule: Some(("the lag must be below the period", |p| p[1] < p[0])),
        make: |p| Box::new(VarianceRatio::new(n(p, 0), n(p, 1))),
    },
];

/// Realised volatility.
static VOLATILITIES: [Declaration; 7] = [
    Declaration {
        name: "rv_close",
        title: "Realised volatility of closes",
        parameters: &[bars("period", 20, 2), per_year()],
        outputs: &[out("volatility", Unit::Ratio)],
        warm_up: |p| n(p, 0) + 1,
        memory: Memory::Window(|p| n(p, 0) + 1),
        source: "sample deviation of log returns, annualised",
        differences: "",
        rule: NO_RULE,
        make: |p| annual(CloseVariance::new(n(p, 0)), p[1]),
    },
    Declaration {
        name: "rv_parkinson",
        title: "Realised volatility of ranges",
        parameters: &[bars("period", 20, 1), per_year()],
        outputs: &[out("volatility", Unit::Ratio)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "Parkinson 1980, annualised",
        differences: "",
        rule: NO_RULE,
        make: |p| annual(RangeVariance::<Parkinson>::new(n(p, 0)), p[1]),
    },
    Declaration {
        name: "rv_garman_klass",
        title: "Realised volatility of ranges and bodies",
        parameters: &[bars("period", 20, 1), per_year()],
        outputs: &[out("volatility", Unit::Ratio)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "Garman & Klass 1980, annualised",
        differences: "0 where the estimate falls below zero",
        rule: NO_RULE,
        make: |p| annual(RangeVariance::<GarmanKlass>::new(n(p, 0)), p[1]),
    },
    Declaration {
        name: "rv_rogers_satchell",
        title: "Realised volatility free of drift",
        parameters: &[bars("period", 20, 1), per_year()],
        outputs: &[out("volatility", Unit::Ratio)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "Rogers & Satchell 1991, annualised",
        differences: "",
        rule: NO_RULE,
        make: |p| annual(RangeVariance::<RogersSatchell>::new(n(p, 0)), p[1]),
    },
    Declaration {
        name: "rv_yang_zhang",
        title: "Realised volatility with overnight gaps",
        parameters: &[bars("period", 20, 2), per_year()],
        outputs: &[out("volatility", Unit::Ratio)],
        warm_up: |p| n(p, 0) + 1,
        memory: Memory::Window(|p| n(p, 0) + 1),
        source: "Yang & Zhang 2000, annualised",
        differences: "",
        rule: NO_RULE,
        make: |p| annual(YangZhang::new(n(p, 0)), p[1]),
    },
    Declaration {
        name: "rv_ewma",
        title: "Exponentially weighted volatility",
        parameters: &[number("decay", 0.94, 0.0, 0.9999), per_year()],
        outputs: &[out("volatility", Unit::Ratio)],
        warm_up: |_| 2,
        memory: Memory::Fading(|p| 2 + fades(1.0 - p[0])),
        source: "RiskMetrics 1996, current return included, no mean, annualised",
        differences: "",
        rule: NO_RULE,
        make: |p| annual(EwmaVariance::new(p[0]), p[1]),
    },
    Declaration {
        name: "ewma_correl",
        title: "Exponentially weighted correlation of returns",
        parameters: &[
            number("decay", 0.94, 0.0, 0.9999),
            source("first", Source::Close),
            source("second", Source::Second),
        ],
        outputs: &[out("correl", Unit::Ratio)],
        warm_up: |_| 2,
        memory: Memory::Fading(|p| 2 + fades(1.0 - p[0]) * 5 / 4),
        source: "RiskMetrics 1996, log returns, no mean",
        differences: "missing while one does not vary",
        rule: NO_RULE,
        make: |p| Box::new(EwmaCorrelation::new(p[0], Source::at(n(p, 1)), Source::at(n(p, 2)))),
    },
];

/// Volume and sessions.
static VOLUMES: [Declaration; 10] = [
    Declaration {
        name: "vwap",
        title: "Volume-weighted average price of the session",
        parameters: &[],
        outputs: &[out("vwap", Unit::Dollars)],
        warm_up: |_| 1,
        memory: Memory::Session,
        source: "turnover over volume since the session's first bar",
        differences: "missing while nothing traded; turnover is typical price times volume only where the feed has none",
        rule: NO_RULE,
        make: |_| Box::new(SessionVwap::new()),
    },
    Declaration {
        name: "gap",
        title: "Gap the session opened with",
        parameters: &[],
        outputs: &[out("dollars", Unit::Dollars), out("percent", Unit::Percent)],
        warm_up: |_| 2,
        memory: Memory::Session,
        source: "first price less the last close of the session before",
        differences: "missing in the first session",
        rule: NO_RULE,
        make: |_| Box::new(Gap::new()),
    },
    Declaration {
        name: "session_range",
        title: "Range of the session so far",
        parameters: &[],
        outputs: &[out("high", Unit::Dollars), out("low", Unit::Dollars), out("place", Unit::Ratio)],
        warm_up: |_| 1,
        memory: Memory::Session,
        source: "high and low since the session's first bar, and the close between them",
        differences: "",
        rule: NO_RULE,
        make: |_| Box::new(SessionRange::new()),
    },
    Declaration {
        name: "obv",
        title: "On-balance volume",
        parameters: &[],
        outputs: &[out("obv", Unit::Shares)],
        warm_up: |_| 1,
        memory: Memory::Forever,
        source: "Granville 1963, starts at the first volume (TA-Lib OBV)",
        differences: "compensated total",
        rule: NO_RULE,
        make: |_| Box::new(Obv::new()),
    },
    Declaration {
        name: "ad",
        title: "Accumulation and distribution",
        parameters: &[],
        outputs: &[out("ad", Unit::Shares)],
        warm_up: |_| 1,
        memory: Memory::Forever,
        source: "Chaikin (TA-Lib AD)",
        differences: "compensated total",
        rule: NO_RULE,
        make: |_| Box::new(Ad::new()),
    },
    Declaration {
        name: "adosc",
        title: "Chaikin oscillator",
        parameters: &[bars("fast", 3, 2), bars("slow", 10, 2)],
        outputs: &[out("adosc", Unit::Shares)],
        warm_up: |p| most(p) as usize,
        memory: Memory::Fading(|p| chain_fades(most(p), 2)),
        source: "Chaikin; both averages start at the first value (TA-Lib ADOSC)",
        differences: "",
        rule: NO_RULE,
        make: |p| Box::new(AdOsc::new(n(p, 0), n(p, 1))),
    },
    Declaration {
        name: "mfi",
        title: "Money flow index",
        parameters: &[bars("period", 14, 2)],
        outputs: &[out("mfi", Unit::Percent)],
        warm_up: |p| n(p, 0) + 1,
        memory: Memory::Window(|p| n(p, 0) + 1),
        source: "Quong & Soudack 1989 (TA-Lib MFI)",
        differences: "typical prices equal to 1e-14 do not flow, as TA-Lib 0.8",
        rule: NO_RULE,
        make: |p| Box::new(Mfi::new(n(p, 0))),
    },
    Declaration {
        name: "signed_volume",
        title: "Signed share of volume",
        parameters: &[bars("period", 20, 1)],
        outputs: &[out("signed_volume", Unit::Ratio)],
        warm_up: |p| n(p, 0) + 1,
        memory: Memory::Window(|p| n(p, 0) + 1),
        source: "change of on-balance volume over total volume",
        differences: "missing where nothing traded",
        rule: NO_RULE,
        make: |p| Box::new(SignedVolume::new(n(p, 0))),
    },
    Declaration {
        name: "volume_score",
        title: "Z-score of volume",
        parameters: &[bars("period", 20, 2)],
        outputs: &[out("volume_score", Unit::Ratio)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "(volume - mean) / population deviation",
        differences: "missing where volume does not vary",
        rule: NO_RULE,
        make: |p| Box::new(VolumeScore::new(n(p, 0))),
    },
    Declaration {
        name: "volume_profile_ratio",
        title: "Volume profile ratio",
        parameters: &[bars("period", 20, 1)],
        outputs: &[out("ratio", Unit::Ratio)],
        warm_up: |p| n(p, 0),
        memory: Memory::Window(|p| n(p, 0)),
        source: "volume at typical prices below the close less above it, over all volume",
        differences: "our own definition; missing where nothing traded",
        rule: NO_RULE,
        make: |p| Box::new(ProfileRatio::new(n(p, 0))),
    },
];

/// Every indicator there is.
pub fn all() -> impl Iterator<Item = &'static Declaration> {
    [&AVERAGES[..], &OSCILLATORS, &TRENDS, &DEVIATIONS, &VOLATILITIES, &VOLUMES].into_iter().flatten()
}

/// The indicator of that name.
///
/// # Errors
/// There is none.
pub fn find(name: &str) -> Result<&'static Declaration, MakeFault> {
    all().find(|declaration| declaration.name == name).ok_or_else(|| MakeFault::Name(name.to_string()))
}

/// One by name, with these parameters and defaults for the others.
///
/// # Errors
/// No such indicator or parameter, or a value out of bounds.
pub fn make(name: &str, parameters: &[(&str, f64)]) -> Result<Built, MakeFault> {
    find(name)?.with(parameters)
}

/// Bars after which every indicator of the timeframe's feature set answers: how much history to seed.
pub fn warm_up(timeframe: Timeframe) -> usize {
    crate::features::used(periods(timeframe)).iter().map(|(d, p)| (d.warm_up)(p)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_enough_and_names_are_distinct() {
        let mut names: Vec<&str> = all().map(|d| d.name).collect();
        assert!(names.len() >= 45, "{}", names.len());
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().count());
        for d in all() {
            assert!(!d.source.is_empty() && !d.title.is_empty(), "{}", d.name);
            assert!(!d.outputs.is_empty() && d.outputs.len() <= crate::declaration::OUTPUTS_MAX);
            let built = d.of(vec![]).unwrap();
            assert!(built.warm_up() >= 1, "{}", d.name);
        }
    }

    #[test]
    fn faults_name_the_parameter_and_its_bounds() {
        let said = |name, given: &[(&str, f64)]| make(name, given).unwrap_err().to_string();
        assert_eq!(
            said("rsi", &[("period", 1.0)]),
            "parameter `period` of indicator `rsi` is 1: it must be a whole number from 2 to 1000"
        );
        assert_eq!(
            said("sma", &[("period", 2.5)]),
            "parameter `period` of indicator `sma` is 2.5: it must be a whole number from 1 to 1000"
        );
        assert!(said("sma", &[("period", f64::NAN)]).contains("is NaN"));
        assert_eq!(said("sma", &[("len", 5.0)]), "indicator `sma` has no parameter `len`: it has period");
        assert_eq!(said("smma", &[]), "there is no indicator `smma`: docs/indicators.md lists all of them");
        assert!(
            said("variance_ratio", &[("period", 8.0), ("lag", 8.0)])
                .ends_with("the lag must be below the period")
        );
        let one = make("bollinger", &[("period", 10.0), ("below", 2.5)]).unwrap();
        assert_eq!(one.label(), "bollinger(10,2,2.5)");
        assert!(find("obv").unwrap().of(vec![1.0]).is_err());
    }

    #[test]
    fn bounds_hold_at_both_ends() {
        for d in all() {
            for (at, parameter) in d.parameters.iter().enumerate() {
                for value in [parameter.least, parameter.most] {
                    let mut parameters = d.defaults();
                    parameters[at] = value;
                    match d.of(parameters) {
                        Ok(_) | Err(MakeFault::Rule { .. }) => {}
                        Err(fault) => panic!("{fault}"),
                    }
                }
            }
        }
    }
}
