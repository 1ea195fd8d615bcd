//! Every indicator against TA-Lib and long-double references (`tests/golden/indicators`).

use crate::average::{Ema, Sma};
use crate::candle::Candle;
use crate::deviation::{Bollinger, ZScore};
use crate::lag::Lag;
use crate::macd::Macd;
use crate::stochastic::Stochastic;
use crate::strength::Rsi;
use crate::trend::Adx;
use crate::true_range::Atr;
use crate::volatility::{CloseVariance, RangeVariance};
use crate::volume::Obv;
use crate::vwap::SessionVwap;
use std::collections::BTreeMap;
use std::io::Read;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/indicators/");
const SERIES: [&str; 6] =
    ["sp500_daily", "synth_minute", "adv_spike1e12", "adv_const", "adv_short5", "adv_zerovol"];

#[test]
fn values_agree_with_the_references() {
    let tolerances = tolerances();
    for series in SERIES {
        let candles = candles(series);
        let ours = compute(series, &candles);
        let mut compared = 0;
        for (column, rows) in expected(series) {
            let (relative, absolute) =
                *tolerances.get(&(series.into(), column.clone())).unwrap_or(&(1e-9, 1e-12));
            for (bar, wanted) in rows {
                let found = ours[column.as_str()][bar];
                match (found, wanted.is_nan()) {
                    (None, true) => {}
                    (Some(found), false) => assert!(
                        (found - wanted).abs() <= relative * wanted.abs() + absolute,
                        "{series} {column} bar {bar}: {found} is not {wanted}"
                    ),
                    _ => panic!("{series} {column} bar {bar}: {found:?} where {wanted} is"),
                }
                compared += 1;
            }
        }
        println!("{series}: {compared} values agree");
    }
}

type Outputs = BTreeMap<&'static str, Vec<Option<f64>>>;

fn compute(series: &str, candles: &[Candle]) -> Outputs {
    let per_year: f64 = if series == "synth_minute" { 98_280.0 } else { 252.0 };
    let mut out = Outputs::new();
    let mut one = |name: &'static str, f: &mut dyn FnMut(&Candle) -> Option<f64>| {
        out.insert(name, candles.iter().map(f).collect());
    };
    averages(&mut one);
    oscillators(&mut one);
    let annual = |variance: f64| (variance * per_year).sqrt();
    for (name, period) in [("rv_cc_20", 20), ("rv_cc_60", 60)] {
        let mut x = CloseVariance::new(period);
        one(name, &mut |c| x.update(c).map(annual));
    }
    for (name, period) in [("rv_park_20", 20), ("rv_park_60", 60)] {
        let mut x = RangeVariance::new(period);
        one(name, &mut |c| x.update(c).map(annual));
    }
    for (name, period) in [("zscore_pop_20", 20), ("zscore_pop_50", 50)] {
        let mut x = ZScore::new(period);
        one(name, &mut |c| x.update(c));
    }
    let mut obv = Obv::new();
    one("obv", &mut |c| Some(obv.update(c)));
    for name in ["vwap_session", "vwap_all"] {
        let mut x = SessionVwap::new();
        one(name, &mut |c| x.update(c));
    }
    out
}

type One<'a> = dyn FnMut(&'static str, &mut dyn FnMut(&Candle) -> Option<f64>) + 'a;

fn averages(one: &mut One) {
    for (name, period) in [("sma_20", 20), ("sma_37", 37)] {
        let mut x = Sma::new(period);
        one(name, &mut |c| x.update(c.close));
    }
    for (name, period) in [("ema_20", 20), ("ema_9", 9)] {
        let mut x = Ema::new(period);
        one(name, &mut |c| x.update(c.close));
    }
    let three = [
        (["macd_12_26_9", "macd_12_26_9_signal", "macd_12_26_9_hist"], (12, 26, 9)),
        (["macd_5_35_5", "macd_5_35_5_signal", "macd_5_35_5_hist"], (5, 35, 5)),
    ];
    for (names, (fast, slow, signal)) in three {
        for (which, name) in names.into_iter().enumerate() {
            let mut x = Macd::new(fast, slow, signal);
            one(name, &mut |c| x.update(c).map(|m| [m.line, m.signal, m.histogram][which]));
        }
    }
    for (which, name) in ["bb_20_2_2_upper", "bb_20_2_2_mid", "bb_20_2_2_lower"].into_iter().enumerate() {
        let mut x = Bollinger::new(20, 2.0);
        one(name, &mut |c| x.update(c).map(|b| [b.upper, b.middle, b.lower][which]));
    }
}

fn oscillators(one: &mut One) {
    for (name, period) in [("rsi_14", 14), ("rsi_5", 5)] {
        let mut x = Rsi::new(period);
        one(name, &mut |c| x.update(c).map(|s| s.rsi()));
    }
    for (name, period) in [("atr_14", 14), ("atr_7", 7)] {
        let mut x = Atr::new(period);
        one(name, &mut |c| x.update(c));
    }
    for (names, period) in
        [(["adx_14", "plus_di_14", "minus_di_14"], 14), (["adx_8", "plus_di_8", "minus_di_8"], 8)]
    {
        for (which, name) in names.into_iter().enumerate() {
            let mut x = Adx::new(period);
            one(name, &mut |c| x.update(c).and_then(|d| [d.adx, Some(d.plus), Some(d.minus)][which]));
        }
    }
    let slow = [
        (["stoch_14_3_3_slowk", "stoch_14_3_3_slowd"], (14, 3, 3)),
        (["stoch_21_5_5_slowk", "stoch_21_5_5_slowd"], (21, 5, 5)),
    ];
    for (names, (period, k, d)) in slow {
        for (which, name) in names.into_iter().enumerate() {
            let mut x = Stochastic::new(period, k, d);
            one(name, &mut |c| x.update(c).map(|lines| [lines.k, lines.d][which]));
        }
    }
    for (name, bars) in [("roc_10", 10), ("roc_3", 3)] {
        let mut x = Lag::new(bars);
        one(name, &mut |c| x.update(c));
    }
}

/// The bars of a golden series.
pub(crate) fn candles(series: &str) -> Vec<Candle> {
    let text = std::fs::read_to_string(format!("{FOLDER}{series}.input.csv")).expect("committed");
    let mut days = BTreeMap::new();
    let mut of_line = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |i: usize| cells[i].parse::<f64>().expect("a number");
        let date = if series == "synth_minute" { cells[1][..10].to_string() } else { String::new() };
        let session = days.len() as i32;
        let mut candle = Candle {
            open: number(2),
            high: number(3),
            low: number(4),
            close: number(5),
            volume: number(6),
            turnover: 0.0,
            session: *days.entry(date).or_insert(session),
        };
        candle.turnover = candle.typical() * candle.volume;
        candle
    };
    text.lines().skip(1).map(&mut of_line).collect()
}

fn expected(series: &str) -> BTreeMap<String, Vec<(usize, f64)>> {
    let packed = std::fs::read(format!("{FOLDER}{series}.expected.csv.gz")).expect("committed");
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).expect("gzip");
    let mut lines = text.lines();
    let names: Vec<String> = lines.next().expect("header").split(',').skip(1).map(String::from).collect();
    let mut columns: BTreeMap<String, Vec<(usize, f64)>> = BTreeMap::new();
    for line in lines {
        let mut cells = line.split(',');
        let bar = cells.next().and_then(|i| i.parse().ok()).expect("bar index");
        for (name, cell) in names.iter().zip(cells) {
            columns.entry(name.clone()).or_default().push((bar, cell.parse().expect("a number")));
        }
    }
    columns
}

fn tolerances() -> BTreeMap<(String, String), (f64, f64)> {
    let text = std::fs::read_to_string(format!("{FOLDER}tolerances.csv")).expect("committed");
    let of_line = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |i: usize| cells[i].parse::<f64>().expect("a number");
        ((cells[0].to_string(), cells[1].to_string()), (number(3), number(5)))
    };
    text.lines().skip(1).map(of_line).collect()
}
