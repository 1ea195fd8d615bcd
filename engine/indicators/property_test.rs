//! Properties every indicator of the table must have; a new one is covered as soon as it is declared (and defined once
//! more, plainly, in [`crate::naive_test`]).

use crate::candle::Candle;
use crate::declaration::{Built, Column, Declaration, Memory, Unit};
use crate::indicator::Columns;
use crate::naive_test::naive;
use crate::table;
use proptest::prelude::*;

/// A small generator of series: the same seed gives the same bars.
pub(crate) struct Walk {
    state: u64,
    scale: f64,
    price: f64,
    second: f64,
    bars: u64,
    flat: u32,
    spikes: bool,
}

impl Walk {
    pub(crate) fn new(seed: u64, scale: f64, spikes: bool) -> Self {
        Self { state: seed | 1, scale, price: 100.0, second: 50.0, bars: 0, flat: 0, spikes }
    }

    /// Uniform from 0 to 1.
    fn random(&mut self) -> f64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as f64 / (1u64 << 31) as f64
    }

    /// Steps of cents with gaps, flats, stretches without volume, and now and then a spike.
    pub(crate) fn next(&mut self) -> Candle {
        self.bars += 1;
        if self.flat == 0 && self.random() < 0.02 {
            self.flat = (self.random() * 40.0) as u32;
        }
        let is_flat = self.flat > 0;
        self.flat = self.flat.saturating_sub(1);
        let cents = |x: f64| (x * 100.0).round() / 100.0;
        let gap = if self.random() < 0.02 { (self.random() - 0.5) * 8.0 } else { 0.0 };
        let open = if is_flat { self.price } else { cents((self.price + gap).max(5.0)) };
        let step = if is_flat { 0.0 } else { self.random() - 0.5 + (100.0 - open) * 0.002 };
        let mut close = cents((open + step).max(5.0));
        if self.spikes && self.random() < 0.002 {
            close *= 1e10;
        }
        let (mut high, mut low) = (open.max(close), open.min(close));
        if !is_flat {
            (high, low) = (cents(high + self.random() * 0.3), cents((low - self.random() * 0.3).max(1.0)));
        }
        self.price = if close > 1e6 { open } else { close };
        self.second = (self.second + self.random() - 0.5 + step * 0.5 + (50.0 - self.second) * 0.01).max(5.0);
        let volume = if self.bars / 50 % 7 == 3 { 0.0 } else { (self.random() * 5_000.0).floor() };
        let scaled = |x: f64| x * self.scale;
        let mut candle = Candle {
            open: scaled(open),
            high: scaled(high),
            low: scaled(low),
            close: scaled(close),
            volume,
            turnover: 0.0,
            session: (self.bars / 78) as i32,
            second: Some(self.second),
        };
        candle.turnover = candle.typical() * volume;
        candle
    }

    pub(crate) fn take(&mut self, count: usize) -> Vec<Candle> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// Parameter sets that are tried: the defaults, and odd ones.
pub(crate) fn variants(declaration: &'static Declaration) -> Vec<Built> {
    let odd: &[f64] = match declaration.name {
        "macd" => &[5.0, 17.0, 4.0],
        "ppo" => &[3.0, 11.0, 0.0],
        "stoch" | "stochrsi" => &[6.0, 5.0, 2.0],
        "ultosc" => &[3.0, 5.0, 11.0],
        "sar" => &[0.05, 0.3],
        "keltner" => &[7.0, 13.0, 1.5, 5.0],
        "ichimoku" => &[3.0, 8.0, 15.0, 6.0],
        "variance_ratio" => &[17.0, 3.0],
        "correl" | "beta" => &[9.0, 1.0, 2.0],
        "ht_trendline" => &[6.0],
        "rv_ewma" | "ewma_correl" => &[0.8],
        "zscore" => &[7.0, 1.0],
        _ if declaration.parameters.is_empty() => &[],
        _ => &[7.0],
    };
    let made = [declaration.of(vec![]), declaration.of(odd.to_vec())];
    made.into_iter().map(|built| built.expect("within bounds")).collect()
}

/// What an error of an output is measured against at a bar.
fn scale(unit: Unit, memory: Memory, parameters: &[f64], candles: &[Candle]) -> f64 {
    let reach = match memory {
        Memory::Window(bars) => bars(parameters),
        _ => candles.len(),
    };
    let seen = &candles[candles.len().saturating_sub(reach)..];
    let price = seen.iter().fold(0.0, |most, c| f64::max(most, c.high));
    match unit {
        Unit::Dollars => price,
        Unit::DollarsSquared => price * price,
        Unit::Percent => 100.0,
        Unit::Ratio => 1.0,
        Unit::Shares => candles.iter().map(|c| c.volume).sum(),
    }
}

fn bits(values: &[Option<f64>]) -> Vec<Option<u64>> {
    values.iter().map(|x| x.map(f64::to_bits)).collect()
}

fn compare(mut built: Built, candles: &[Candle]) -> Result<(), TestCaseError> {
    let declaration = built.declaration();
    let parameters = built.parameters().to_vec();
    let wanted = naive(declaration.name, &parameters, candles);
    prop_assert_eq!(wanted.outputs.len(), declaration.outputs.len(), "{}", declaration.name);
    for (i, candle) in candles.iter().enumerate() {
        let forming = built.forming(candle);
        let found = built.update(candle);
        prop_assert_eq!(
            bits(&forming),
            bits(&found),
            "{} forming is not the update, bar {}",
            built.label(),
            i
        );
        for (output, wanted_line) in
            declaration.outputs.iter().zip(&wanted.outputs).enumerate().map(|(o, w)| ((o, w.0), w.1))
        {
            let (at, output) = output;
            let (found, wanted_value) = (found[at], wanted_line[i]);
            let label =
                format!("{} {} bar {i}: {found:?} is not {wanted_value:?}", built.label(), output.name);
            prop_assert_eq!(found.is_some(), wanted_value.is_some(), "{}", &label);
            let Some((found, wanted_value)) = found.zip(wanted_value) else { continue };
            let natural = scale(output.unit, declaration.memory, &parameters, &candles[..=i]);
            let special = wanted.scale.as_ref().and_then(|scale| scale[i]).unwrap_or(0.0);
            let allowed = 1e-12 * wanted_value.abs().max(natural).max(special);
            prop_assert!(
                (found - wanted_value).abs() <= allowed,
                "{label} by {}",
                (found - wanted_value).abs()
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn incremental_equals_the_plain_definition(seed in any::<u64>()) {
        for (scale, spikes) in [(1.0, false), (1.0, true), (1e-8, false), (1e7, false)] {
            let candles = Walk::new(seed, scale, spikes).take(330);
            for declaration in table::all() {
                for built in variants(declaration) {
                    compare(built, &candles)?;
                }
            }
        }
    }

    #[test]
    fn a_state_saved_in_the_middle_goes_on_as_if_nothing_happened(seed in any::<u64>(), cut in 0usize..200) {
        let candles = Walk::new(seed, 1.0, true).take(260);
        for declaration in table::all() {
            for mut built in variants(declaration) {
                candles[..cut].iter().for_each(|candle| built.take(candle));
                built.forming(&candles[cut]);
                let bytes = built.save();
                let mut other = declaration.of(built.parameters().to_vec()).expect("as before");
                other.restore(&bytes).expect("just saved");
                prop_assert_eq!(&other.save(), &bytes, "{}", built.label());
                for candle in &candles[cut..] {
                    prop_assert_eq!(bits(&built.update(candle)), bits(&other.update(candle)), "{}", built.label());
                }
            }
        }
    }
}

#[test]
fn a_state_of_another_indicator_is_refused() {
    let saved = table::make("sma", &[("period", 5.0)]).unwrap().save();
    let mut other = table::make("sma", &[("period", 6.0)]).unwrap();
    assert!(other.restore(&saved).unwrap_err().to_string().contains("another feature schema"));
    assert!(other.restore(&saved[..saved.len() - 1]).is_err());
    assert!(table::make("ema", &[("period", 5.0)]).unwrap().restore(&saved).is_err());
}

/// The bars by column.
struct Table {
    prices: [Vec<f64>; 4],
    volume: Vec<f64>,
    turnover: Vec<f64>,
    session: Vec<i32>,
    second: Vec<f64>,
}

impl Table {
    fn of(candles: &[Candle]) -> Self {
        let column = |f: fn(&Candle) -> f64| -> Vec<f64> { candles.iter().map(f).collect() };
        Self {
            prices: [column(|c| c.open), column(|c| c.high), column(|c| c.low), column(|c| c.close)],
            volume: column(|c| c.volume),
            turnover: column(|c| c.turnover),
            session: candles.iter().map(|c| c.session).collect(),
            second: candles.iter().filter_map(|c| c.second).collect(),
        }
    }

    fn columns(&self, places: std::ops::Range<usize>) -> Columns<'_> {
        let places = || places.clone();
        Columns {
            open: &self.prices[0][places()],
            high: &self.prices[1][places()],
            low: &self.prices[2][places()],
            close: &self.prices[3][places()],
            volume: &self.volume[places()],
            turnover: &self.turnover[places()],
            session: &self.session[places()],
            second: &self.second[places()],
        }
    }
}

fn of_column(column: &Column, at: usize) -> Option<f64> {
    column.known[at].then_some(column.values[at])
}

#[test]
fn columns_one_by_one_are_the_updates() {
    let candles = Walk::new(5, 1.0, true).take(600);
    let table = Table::of(&candles);
    let mut out: Vec<Column> = Vec::new();
    for declaration in table::all() {
        let (mut whole, mut single) = (declaration.of(vec![]).unwrap(), declaration.of(vec![]).unwrap());
        whole.one_by_one(&table.columns(0..600), &mut out);
        assert_eq!(out.len(), declaration.outputs.len());
        for (i, candle) in candles.iter().enumerate() {
            let values = single.update(candle);
            for (column, value) in out.iter().zip(values) {
                let found = of_column(column, i);
                assert_eq!(found.map(f64::to_bits), value.map(f64::to_bits), "{} bar {i}", declaration.name);
            }
        }
        assert_eq!(whole.save(), single.save());
    }
}

/// By column in pieces that end anywhere, and on bar by bar: the answers are those of the updates to 1e-12.
fn compare_columns(built: &Built, candles: &[Candle], cuts: [usize; 2]) -> Result<(), TestCaseError> {
    let declaration = built.declaration();
    let (table, mut single, mut swept) = (Table::of(candles), built.clone(), built.clone());
    let wanted: Vec<_> = candles.iter().map(|candle| single.update(candle)).collect();
    // What special scales hold is what the plain definition says; asked only where it matters.
    let special = std::cell::LazyCell::new(|| naive(declaration.name, built.parameters(), candles).scale);
    let mut out: Vec<Column> = Vec::new();
    for (from, end) in [(0, cuts[0]), (cuts[0], cuts[1]), (cuts[1], candles.len())] {
        if end == candles.len() {
            out.resize_with(declaration.outputs.len(), Column::default);
            for column in &mut out {
                (column.values, column.known) = (vec![0.0; end - from], vec![false; end - from]);
            }
            for (at, candle) in candles.iter().enumerate().take(end).skip(from) {
                for (column, value) in out.iter_mut().zip(swept.update(candle)) {
                    column.known[at - from] = value.is_some();
                    column.values[at - from] = value.unwrap_or_default();
                }
            }
        } else {
            swept.batch(&table.columns(from..end), &mut out);
        }
        for at in from..end {
            for (place, (output, column)) in declaration.outputs.iter().zip(&out).enumerate() {
                let (found, wanted) = (of_column(column, at - from), wanted[at][place]);
                let label =
                    format!("{} {} bar {at}: {found:?} is not {wanted:?}", built.label(), output.name);
                prop_assert_eq!(found.is_some(), wanted.is_some(), "{}", &label);
                let Some((found, wanted)) = found.zip(wanted) else { continue };
                let error = (found - wanted).abs();
                if error > 1e-12 * wanted.abs() {
                    let natural = scale(output.unit, declaration.memory, built.parameters(), &candles[..=at]);
                    let special = special.as_ref().and_then(|scale| scale[at]).unwrap_or(0.0);
                    prop_assert!(error <= 1e-12 * natural.max(special), "{label} by {error}");
                }
            }
        }
    }
    Ok(())
}

/// Windows long enough for the other ways columns are swept: carried from bar to bar, and longer than a stretch.
fn longer(declaration: &'static Declaration) -> Vec<Built> {
    let is_window = declaration.parameters.first().is_some_and(|p| matches!(p.name, "period" | "bars"));
    let periods: &[f64] = match declaration.name {
        "keltner" | "stoch" | "stochf" | "stochrsi" | "variance_ratio" => &[],
        _ if is_window => &[3.0, 12.0, 30.0, 40.0, 200.0, 300.0],
        _ => &[],
    };
    periods.iter().map(|period| declaration.of(vec![*period]).expect("within bounds")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2, ..ProptestConfig::default() })]

    #[test]
    fn whole_columns_equal_bars_one_by_one(seed in any::<u64>(), cut in 0usize..600) {
        for (scale, spikes) in [(1.0, true), (1e-8, false), (1e7, false)] {
            let candles = Walk::new(seed, scale, spikes).take(900);
            for declaration in table::all() {
                for built in variants(declaration) {
                    compare_columns(&built, &candles, [cut, cut + 280])?;
                }
            }
        }
    }

    #[test]
    fn long_columns_equal_bars_one_by_one(seed in any::<u64>(), cut in 0usize..300) {
        let candles = Walk::new(seed, 1.0, true).take(1_200);
        for built in table::all().flat_map(longer) {
            compare_columns(&built, &candles, [cut, cut + 860])?;
        }
    }
}

#[test]
fn the_first_full_answer_comes_when_declared() {
    let candles: Vec<Candle> = Walk::new(77, 1.0, false).take(400);
    for declaration in table::all().filter(|d| !matches!(d.memory, Memory::Session)) {
        for mut built in variants(declaration) {
            let outputs = declaration.outputs.len();
            let first = candles.iter().position(|c| built.update(c)[..outputs].iter().all(Option::is_some));
            assert_eq!(first.map(|bar| bar + 1), Some(built.warm_up()), "{}", built.label());
        }
    }
}

/// A million bars with spikes and flats: afterwards an indicator says what a fresh one says that saw only the bars its
/// memory reaches.
#[test]
fn a_million_bars_leave_no_drift() {
    const BARS: usize = 1_000_000;
    const KEPT: usize = 16_000;
    let mut walk = Walk::new(2_026, 1.0, true);
    let mut built: Vec<Built> = table::all().map(|d| d.of(vec![]).unwrap()).collect();
    // Most are fed in blocks of one bar in ten to keep a debug build quick; the sums that could drift get all.
    let is_fed = |name: &str, bar: usize| {
        bar.is_multiple_of(10) || bar + KEPT >= BARS || matches!(name, "obv" | "ad" | "sma")
    };
    let (mut kept, mut obv) = (Vec::with_capacity(KEPT), 0i64);
    let mut last = f64::NEG_INFINITY;
    for bar in 0..BARS {
        let candle = walk.next();
        for one in &mut built {
            if is_fed(one.declaration().name, bar) {
                one.take(&candle);
            }
        }
        obv += candle.volume as i64 * (i64::from(candle.close > last) - i64::from(candle.close < last));
        last = candle.close;
        if bar + KEPT >= BARS {
            kept.push(candle);
        }
    }
    let end = walk.next();
    for one in built {
        let (declaration, parameters) = (one.declaration(), one.parameters().to_vec());
        let relative = match declaration.memory {
            Memory::Window(_) | Memory::Session => 1e-12,
            Memory::Fading(_) => 1e-9,
            Memory::Forever => continue,
        };
        let mut fresh = declaration.of(parameters.clone()).unwrap();
        kept.iter().for_each(|candle| fresh.take(candle));
        let outputs = declaration.outputs.iter().zip(one.forming(&end)).zip(fresh.forming(&end));
        for ((output, long), short) in outputs {
            assert_eq!(long.is_some(), short.is_some(), "{}", one.label());
            let Some((long, short)) = long.zip(short) else { continue };
            let allowed =
                relative * scale(output.unit, declaration.memory, &parameters, &kept).max(short.abs());
            assert!((long - short).abs() <= allowed, "{} {}: {long} or {short}", one.label(), output.name);
        }
    }
    let mut total = table::make("obv", &[]).unwrap();
    let mut walk = Walk::new(2_026, 1.0, true);
    (0..BARS - 1).for_each(|_| total.take(&walk.next()));
    assert_eq!(total.update(&walk.next())[0], Some(obv as f64), "to the share");
}
