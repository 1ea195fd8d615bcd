//! Every indicator against TA-Lib and long-double references (`tests/golden/indicators`), made by name from the table.

use crate::candle::{Candle, Source};
use crate::declaration::Built;
use crate::table;
use std::collections::BTreeMap;
use std::io::Read;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/indicators/");
pub(crate) const SERIES: [&str; 12] = [
    "sp500_daily",
    "synth_minute",
    "adv_alternate",
    "adv_const",
    "adv_huge",
    "adv_huge_cents",
    "adv_ramp",
    "adv_short5",
    "adv_spike",
    "adv_spike1e12",
    "adv_tiny",
    "adv_zerovol",
];

/// Worst error of an indicator, as a share of the tolerance.
#[derive(Clone, Copy, Default)]
struct Worst {
    share: f64,
    values: usize,
}

#[test]
fn values_agree_with_the_references() {
    let tolerances = tolerances();
    let mut worst: BTreeMap<&'static str, Worst> = BTreeMap::new();
    let mut faults = Vec::new();
    for series in SERIES {
        let candles = candles(series);
        let mut made: BTreeMap<String, Vec<[Option<f64>; 6]>> = BTreeMap::new();
        for (column, rows) in expected(series) {
            let (built, output) = of_column(series, &column);
            let name = built.declaration().name;
            let ours = made.entry(built.label()).or_insert_with(|| run(built, &candles));
            let median = median(&rows);
            let key = (series.to_string(), column.clone());
            let (relative, absolute) = *tolerances.get(&key).unwrap_or(&(1e-9, 1e-9 * median.max(1e-3)));
            let worst = worst.entry(name).or_default();
            for (bar, wanted) in rows {
                let found = ours[bar][output];
                let error = match (found, wanted.is_nan()) {
                    (None, true) => continue,
                    (Some(found), false) => (found - wanted).abs(),
                    _ => f64::INFINITY,
                };
                let tolerance = relative * wanted.abs() + absolute;
                if error > tolerance {
                    faults.push(format!("{series} {column} bar {bar}: {found:?} is not {wanted}"));
                }
                worst.values += 1;
                if error > 0.0 {
                    worst.share = worst.share.max(error / tolerance);
                }
            }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    let firsts: Vec<&String> = faults.iter().filter(|f| seen.insert(f.split(" bar").next())).collect();
    assert!(faults.is_empty(), "{} faults, the first of each column:\n{firsts:#?}", faults.len());
    written(&worst);
}

/// Writes the errors with `WINGSPREAD_BLESS=1`; otherwise they must not be much worse than written.
fn written(worst: &BTreeMap<&'static str, Worst>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/indicators-golden.csv");
    if std::env::var_os("WINGSPREAD_BLESS").is_some() {
        let mut text = String::from("indicator,values,worst_share_of_tolerance\n");
        for (name, worst) in worst {
            text.push_str(&format!("{name},{},{:.0e}\n", worst.values, worst.share));
        }
        std::fs::write(path, text).expect("written");
    }
    let text = std::fs::read_to_string(path).expect("WINGSPREAD_BLESS=1 writes it");
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let share: f64 = cells[2].parse().expect("a number");
        let worst = worst[cells[0]];
        assert!(worst.share <= 3.0 * share + 1e-6, "{}: {} was {share}", cells[0], worst.share);
        assert_eq!(worst.values.to_string(), cells[1], "{}", cells[0]);
    }
}

fn run(mut built: Built, candles: &[Candle]) -> Vec<[Option<f64>; 6]> {
    candles.iter().map(|candle| built.update(candle)).collect()
}

fn median(rows: &[(usize, f64)]) -> f64 {
    let mut sizes: Vec<f64> = rows.iter().map(|(_, x)| x.abs()).filter(|x| x.is_finite()).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.get(sizes.len() / 2).copied().unwrap_or(0.0)
}

/// The indicator and output of a golden column: its words are the name, its numbers the parameters.
fn of_column(series: &str, column: &str) -> (Built, usize) {
    let (mut words, mut numbers) = (Vec::new(), Vec::new());
    for part in column.split('_') {
        match part.parse::<f64>() {
            Ok(number) => numbers.push(number),
            Err(_) => words.push(part),
        }
    }
    let per_year = if series == "synth_minute" { 98_280.0 } else { 252.0 };
    let [open, high, low, close, volume] =
        [Source::Open, Source::High, Source::Low, Source::Close, Source::Volume].map(|s| s as usize as f64);
    let (typical, middle) = (Source::Typical as usize as f64, Source::Middle as usize as f64);
    let (name, output, more): (&str, usize, &[f64]) = match words.join("_").as_str() {
        "bb_upper" => ("bollinger", 0, &[]),
        "bb_mid" => ("bollinger", 1, &[]),
        "bb_lower" => ("bollinger", 2, &[]),
        "macd" => ("macd", 0, &[]),
        "macd_signal" => ("macd", 1, &[]),
        "macd_hist" => ("macd", 2, &[]),
        "plus_di" => ("adx", 0, &[]),
        "minus_di" => ("adx", 1, &[]),
        "adx" => ("adx", 2, &[]),
        "stoch_slowk" => ("stoch", 0, &[]),
        "stoch_slowd" => ("stoch", 1, &[]),
        "stochf_fastk" => ("stochf", 0, &[]),
        "stochf_fastd" => ("stochf", 1, &[]),
        "stochrsi_fastk" => ("stochrsi", 0, &[]),
        "stochrsi_fastd" => ("stochrsi", 1, &[]),
        "aroon_down" => ("aroon", 0, &[]),
        "aroon_up" => ("aroon", 1, &[]),
        "ppo_ema" => ("ppo", 0, &[1.0]),
        "ppo_sma" => ("ppo", 0, &[0.0]),
        "slope" => ("linearreg_slope", 0, &[]),
        "correl_hl" => ("correl", 0, &[high, low]),
        "correl_cv" => ("correl", 0, &[close, volume]),
        "beta_hl" => ("beta", 0, &[high, low]),
        "ht_trendline" => ("ht_trendline", 0, &[close]),
        "ht_trendline_hl2" => ("ht_trendline", 0, &[middle]),
        "vwap_session" | "vwap_all" => ("vwap", 0, &[]),
        "donchian_upper" => ("donchian", 0, &[]),
        "donchian_mid" => ("donchian", 1, &[]),
        "donchian_lower" => ("donchian", 2, &[]),
        "keltner_upper" => ("keltner", 0, &[close]),
        "keltner_mid" => ("keltner", 1, &[close]),
        "keltner_lower" => ("keltner", 2, &[close]),
        "keltner_tp_upper" => ("keltner", 0, &[typical]),
        "keltner_tp_mid" => ("keltner", 1, &[typical]),
        "keltner_tp_lower" => ("keltner", 2, &[typical]),
        "rv_cc" => ("rv_close", 0, &[per_year]),
        "rv_park" => ("rv_parkinson", 0, &[per_year]),
        "rv_gk" => ("rv_garman_klass", 0, &[per_year]),
        "rv_rs" => ("rv_rogers_satchell", 0, &[per_year]),
        "rv_yz" => ("rv_yang_zhang", 0, &[per_year]),
        "ewma_vol" => ("rv_ewma", 0, &[per_year]),
        "ewma_corr_co" => ("ewma_correl", 0, &[close, open]),
        "zscore_pop" => ("zscore", 0, &[0.0]),
        "zscore_smp" => ("zscore", 0, &[1.0]),
        "vr" => ("variance_ratio", 0, &[]),
        words if words.starts_with("ichi") => ("ichimoku", chart_line(words), &[]),
        words if words.starts_with("supertrend") => ("supertrend", chart_line(words), &[]),
        _ => (words[0], 0, &[]),
    };
    numbers.extend(more);
    let built = table::find(name).and_then(|declaration| declaration.of(numbers));
    (built.unwrap_or_else(|fault| panic!("{column}: {fault}")), output)
}

/// The output of a chart's line.
fn chart_line(words: &str) -> usize {
    match words {
        "ichi_kijun" | "supertrend_dir" => 1,
        "ichi_spanA_raw" | "supertrend_upper" => 2,
        "ichi_spanB_raw" | "supertrend_lower" => 3,
        "ichi_spanA_shifted" => 4,
        "ichi_spanB_shifted" => 5,
        _ => 0,
    }
}

fn unpacked(file: &str) -> String {
    let packed = std::fs::read(format!("{FOLDER}{file}")).expect("committed");
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).expect("gzip");
    text
}

/// The bars of a golden series.
pub(crate) fn candles(series: &str) -> Vec<Candle> {
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
            second: None,
        };
        candle.turnover = candle.typical() * candle.volume;
        candle
    };
    unpacked(&format!("{series}.input.csv.gz")).lines().skip(1).map(&mut of_line).collect()
}

fn expected(series: &str) -> BTreeMap<String, Vec<(usize, f64)>> {
    let text = unpacked(&format!("{series}.expected.csv.gz"));
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
    let of_line = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |i: usize| cells[i].parse::<f64>().expect("a number");
        ((cells[0].to_string(), cells[1].to_string()), (number(3), number(4)))
    };
    unpacked("tolerances.csv.gz").lines().skip(1).map(of_line).collect()
}
