//! What every indicator costs a finished bar, against TA-Lib's C loops timed in the same run, and what the default
//! feature set costs a tick. Writes `docs/indicators-measured.csv` when `WINGSPREAD_BLESS` is set.

use criterion::{Criterion, criterion_group, criterion_main};
use indicators::candle::Candle;
use indicators::declaration::{Built, Column, Declaration};
use indicators::features::{self, ChainSigns};
use indicators::indicator::Columns;
use indicators::scaling::Scaling;
use indicators::set::IndicatorSet;
use indicators::table::{self, periods};
use market::quote::Timeframe;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::process::Command;

const BARS: usize = 1_000_000;
/// Bars that fit the first caches, columns and answers together.
const NEAR: usize = 500;

/// Times TA-Lib's C functions over the columns in the folder named; prints name and ns of its thread a bar, the best of twenty.
const PYTHON: &str = r#"
import sys, time, numpy as np
try:
    import talib as t
except ImportError:
    sys.exit(3)
d = sys.argv[1] + '/'
o, h, l, c, v, s = (np.fromfile(d + n) for n in ('open', 'high', 'low', 'close', 'volume', 'second'))
calls = {
 'sma': lambda: t.SMA(c, 20), 'ema': lambda: t.EMA(c, 20), 'wma': lambda: t.WMA(c, 20), 'dema': lambda: t.DEMA(c, 20),
 'tema': lambda: t.TEMA(c, 20), 'kama': lambda: t.KAMA(c, 10), 'ht_trendline': lambda: t.HT_TRENDLINE(c),
 'rsi': lambda: t.RSI(c, 14), 'cmo': lambda: t.CMO(c, 14), 'roc': lambda: t.ROC(c, 10), 'mom': lambda: t.MOM(c, 10),
 'trix': lambda: t.TRIX(c, 15), 'macd': lambda: t.MACD(c, 12, 26, 9), 'ppo': lambda: t.PPO(c, 12, 26, 1),
 'stoch': lambda: t.STOCH(h, l, c, 14, 3, 0, 3, 0), 'stochf': lambda: t.STOCHF(h, l, c, 14, 3, 0),
 'stochrsi': lambda: t.STOCHRSI(c, 14, 14, 3, 0), 'willr': lambda: t.WILLR(h, l, c, 14),
 'ultosc': lambda: t.ULTOSC(h, l, c, 7, 14, 28), 'cci': lambda: t.CCI(h, l, c, 20), 'trange': lambda: t.TRANGE(h, l, c),
 'atr': lambda: t.ATR(h, l, c, 14), 'natr': lambda: t.NATR(h, l, c, 14),
 'adx': lambda: (t.PLUS_DI(h, l, c, 14), t.MINUS_DI(h, l, c, 14), t.ADX(h, l, c, 14)),
 'aroon': lambda: t.AROON(h, l, 14), 'sar': lambda: t.SAR(h, l, 0.02, 0.2),
 'linearreg_slope': lambda: t.LINEARREG_SLOPE(c, 14), 'bollinger': lambda: t.BBANDS(c, 20, 2.0, 2.0, 0),
 'stddev': lambda: t.STDDEV(c, 20, 1.0), 'var': lambda: t.VAR(c, 20, 1.0), 'correl': lambda: t.CORREL(c, s, 30),
 'beta': lambda: t.BETA(s, c, 5), 'obv': lambda: t.OBV(c, v), 'ad': lambda: t.AD(h, l, c, v),
 'adosc': lambda: t.ADOSC(h, l, c, v, 3, 10), 'mfi': lambda: t.MFI(h, l, c, v, 14),
}
if hasattr(t, 'SUPERTREND'):
    calls['supertrend'] = lambda: t.SUPERTREND(h, l, c, 10, 3.0)
for name, call in calls.items():
    try:
        best = 1e9
        for _ in range(20):
            start = time.thread_time(); call(); best = min(best, time.thread_time() - start)
        print(name, best / len(c) * 1e9)
    except Exception as fault:
        print(name, 'nan', fault, file=sys.stderr)
"#;

/// A walk of cents, by column.
struct Market {
    prices: [Vec<f64>; 4],
    volume: Vec<f64>,
    turnover: Vec<f64>,
    second: Vec<f64>,
    session: Vec<i32>,
}

impl Market {
    fn new(bars: usize) -> Self {
        let mut state = 9u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / (1u64 << 31) as f64
        };
        let mut market = Self {
            prices: std::array::from_fn(|_| Vec::with_capacity(bars)),
            volume: Vec::new(),
            turnover: Vec::new(),
            second: Vec::new(),
            session: Vec::new(),
        };
        let (mut price, mut second) = (500.0f64, 100.0f64);
        for bar in 0..bars {
            let open = price;
            let close = open + (random() - 0.5) * 0.8 + (500.0 - open) * 0.001;
            let (high, low) = (open.max(close) + random() * 0.2, open.min(close) - random() * 0.2);
            second += random() - 0.5 + (100.0 - second) * 0.001;
            let volume = (random() * 10_000.0).floor() + 1.0;
            for (column, x) in market.prices.iter_mut().zip([open, high, low, close]) {
                column.push(x);
            }
            market.volume.push(volume);
            market.turnover.push(volume * (high + low + close) / 3.0);
            market.second.push(second);
            market.session.push((bar / 390) as i32);
            price = close;
        }
        market
    }

    fn columns(&self, bars: usize) -> Columns<'_> {
        let [open, high, low, close] = &self.prices;
        Columns {
            open: &open[..bars],
            high: &high[..bars],
            low: &low[..bars],
            close: &close[..bars],
            volume: &self.volume[..bars],
            turnover: &self.turnover[..bars],
            session: &self.session[..bars],
            second: &self.second[..bars],
        }
    }

    fn candle(&self, at: usize) -> Candle {
        let [open, high, low, close] = [0, 1, 2, 3].map(|i| self.prices[i][at]);
        Candle {
            open,
            high,
            low,
            close,
            volume: self.volume[at],
            turnover: self.turnover[at],
            session: self.session[at],
            second: Some(self.second[at]),
        }
    }
}

/// Time this thread has had a processor, ns: what others take from it on a busy machine does not count.
fn thread_ns() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The best of `runs` of `work`, ns for each of `bars`.
fn best(runs: usize, bars: usize, mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..runs {
        let start = thread_ns();
        work();
        best = best.min(thread_ns() - start);
    }
    best / bars as f64
}

/// TA-Lib's ns a bar by indicator; empty with a word when Python or TA-Lib is not there.
fn talib(market: &Market) -> BTreeMap<String, f64> {
    let folder = std::env::temp_dir().join(format!("wingspread-talib-{}", std::process::id()));
    let write = |name: &str, column: &[f64]| -> std::io::Result<()> {
        let bytes: Vec<u8> = column.iter().flat_map(|x| x.to_le_bytes()).collect();
        std::fs::File::create(folder.join(name))?.write_all(&bytes)
    };
    let written = std::fs::create_dir_all(&folder).and_then(|()| {
        for (name, column) in ["open", "high", "low", "close"].into_iter().zip(&market.prices) {
            write(name, column)?;
        }
        write("volume", &market.volume)?;
        write("second", &market.second)
    });
    let output = written.and_then(|()| Command::new("python3").arg("-c").arg(PYTHON).arg(&folder).output());
    let _ = std::fs::remove_dir_all(&folder);
    match output {
        Ok(output) if output.status.success() => {
            let of_line = |line: &str| {
                let (name, ns) = line.split_once(' ')?;
                Some((name.to_string(), ns.parse().ok()?))
            };
            String::from_utf8_lossy(&output.stdout).lines().filter_map(of_line).collect()
        }
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            println!("skipped: TA-Lib is not measured ({}; pip install TA-Lib numpy) {why}", output.status);
            BTreeMap::new()
        }
        Err(why) => {
            println!("skipped: TA-Lib is not measured: {why}");
            BTreeMap::new()
        }
    }
}

struct Measured {
    name: &'static str,
    update: f64,
    batch: f64,
    talib: Option<f64>,
}

fn fresh(declaration: &'static Declaration) -> Built {
    declaration.of(vec![]).expect("defaults are within bounds")
}

fn measure(market: &Market) -> Vec<Measured> {
    let reference = talib(market);
    let (near, far) = (market.columns(NEAR), market.columns(BARS));
    let mut out: Vec<Column> = Vec::new();
    let of_one = |declaration: &'static Declaration| {
        let mut warm = fresh(declaration);
        let repeats = 40;
        // Many short runs: on a busy machine some of them have it to themselves.
        let update = best(60, NEAR * repeats, || {
            for _ in 0..repeats {
                warm.one_by_one(&near, &mut out);
                black_box(&out);
            }
        });
        let batch = best(20, BARS, || {
            let mut built = fresh(declaration);
            built.batch(&far, &mut out);
            black_box(&out);
        });
        Measured { name: declaration.name, update, batch, talib: reference.get(declaration.name).copied() }
    };
    // One alone: for a profiler.
    let only = std::env::var("WINGSPREAD_ONLY").ok();
    table::all().filter(|d| only.as_ref().is_none_or(|only| only == d.name)).map(of_one).collect()
}

fn report(measured: &[Measured]) {
    let mut text = String::from("indicator,ns_update,ns_batch,ns_talib,batch_over_talib\n");
    for m in measured {
        let talib = m.talib.map_or(String::new(), |ns| format!("{ns:.2}"));
        let ratio = m.talib.map_or(String::new(), |ns| format!("{:.2}", m.batch / ns));
        let _ = writeln!(text, "{},{:.1},{:.1},{talib},{ratio}", m.name, m.update, m.batch);
    }
    print!("{text}");
    let mut updates: Vec<f64> = measured.iter().map(|m| m.update).collect();
    updates.sort_by(f64::total_cmp);
    println!(
        "finished bar: median {:.2} ns, worst {:.1} ns",
        updates[updates.len() / 2],
        updates[updates.len() - 1]
    );
    let ratios: Vec<f64> = measured.iter().filter_map(|m| Some(m.batch / m.talib?)).collect();
    let faster = ratios.iter().filter(|r| **r < 1.0).count();
    let slow = ratios.iter().filter(|r| **r > 1.5).count();
    println!("against TA-Lib: {} compared, {faster} faster, {slow} more than 1.5 times slower", ratios.len());
    if std::env::var_os("WINGSPREAD_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/indicators-measured.csv");
        std::fs::write(path, text).expect("the folder is there");
    }
}

fn benches(c: &mut Criterion) {
    let market = Market::new(BARS);
    report(&measure(&market));
    let mut sets: Vec<IndicatorSet> = Timeframe::ALL.iter().map(|t| IndicatorSet::new(periods(*t))).collect();
    for bar in 0..500 {
        sets.iter_mut().for_each(|set| set.update(&market.candle(bar)));
    }
    let chain = ChainSigns::default();
    let mut at = 0;
    let quiet = best(400, 20, || {
        for _ in 0..20 {
            at = (at + 1) % 1_000;
            let candle = market.candle(500 + at);
            for (timeframe, set) in Timeframe::ALL.iter().zip(&sets) {
                black_box(features::fill(*timeframe, set, &candle, 0.25, &chain));
            }
        }
    });
    println!("forming rows of ten timeframes, quietest run: {quiet:.0} ns a tick");
    c.bench_function("features/forming_rows_of_ten_timeframes", |b| {
        b.iter(|| {
            at = (at + 1) % 1_000;
            let candle = market.candle(500 + at);
            let row_of = |(timeframe, set): (&Timeframe, &IndicatorSet)| {
                features::fill(*timeframe, set, &candle, 0.25, &chain).row[8]
            };
            Timeframe::ALL.iter().zip(&sets).map(row_of).sum::<f32>()
        });
    });
    let candle = market.candle(900);
    let rows: Vec<features::Row> =
        sets.iter().map(|set| features::fill(Timeframe::Min1, set, &candle, 0.25, &chain).row).collect();
    let scaling = Scaling::fit(rows.iter().map(|row| (row, features::Missing::NONE)));
    c.bench_function("features/row_scaled_for_inference", |b| b.iter(|| scaling.apply(black_box(&rows[3]))));
    c.bench_function("set/finished_bar_of_one_timeframe", |b| {
        b.iter(|| {
            at = (at + 1) % 1_000;
            sets[0].update(black_box(&market.candle(500 + at)));
        });
    });
}

criterion_group!(all, benches);
criterion_main!(all);
