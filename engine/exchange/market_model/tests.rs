//! The simulated market behaves: the same seed gives the same story whoever listens, history joins the live
//! path, chains are sane, and returns have the correlations and seasonality they should.

use super::*;
use market::time::{HOUR, MINUTE};

fn settings(seed: u64) -> Settings {
    Settings {
        seed,
        symbols: parameters::TABLE.iter().map(|p| p.symbol).collect(),
        first_session: Date::literal(2026, 11, 16),
        stock_quotes_per_second: 0.2,
        stock_trades_per_second: 0.2,
        option_checks_per_second: 0.2,
        option_quote_age_max_seconds: 30.0,
    }
}

fn model(seed: u64) -> MarketModel {
    MarketModel::new(settings(seed)).expect("good settings")
}

const SPY: Symbol = Symbol::literal("SPY");
const TLT: Symbol = Symbol::literal("TLT");
const QQQ: Symbol = Symbol::literal("QQQ");

#[test]
fn one_seed_one_story_whoever_listens() {
    let (mut alone, mut watched) = (model(7), model(7));
    let contracts: Vec<_> = watched.contracts(SPY).take(30).collect();
    for contract in &contracts {
        assert!(watched.watch(*contract));
    }
    let until = alone.session().open + 20 * MINUTE;
    let (mut a, mut b) = (Vec::new(), Vec::new());
    alone.advance(until, &mut a);
    watched.advance(until, &mut b);
    let stock = |e: &MarketEvent| {
        matches!(e, MarketEvent::Quote(Instrument::Stock(_), _) | MarketEvent::Trade(Instrument::Stock(_), _))
    };
    assert!(b.len() > a.len(), "option quotes were streamed");
    b.retain(stock);
    assert_eq!(a, b);
    assert!(a.is_sorted_by_key(|e| e.at()), "in order of time");
    let other: Vec<_> = std::iter::from_fn(|| model(8).next_event()).take(1).collect();
    assert_ne!(a[..1], other[..]);
}

#[test]
fn history_joins_the_live_path() {
    let mut model = model(3);
    let days = model.history(SPY, Timeframe::Day1);
    let minutes = model.history(SPY, Timeframe::Min1);
    assert_eq!(days.len(), past::DAILY_SESSIONS);
    assert_eq!(minutes.len(), past::MINUTE_SESSIONS * 390);
    assert_eq!(days.last().map(|b| b.close), minutes.last().map(|b| b.close));
    assert_eq!(days.last().map(|b| b.close), Price::nearest(566.30));
    for bar in days.iter().chain(&minutes) {
        assert!(bar.low <= bar.open.min(bar.close) && bar.high >= bar.open.max(bar.close), "{bar:?}");
        assert!(bar.volume > 0);
    }
    let open = model.session().open;
    model.advance(open + SECOND, &mut Vec::new());
    let spot = model.spot(SPY).expect("listed");
    assert!((spot / 566.30 - 1.0).abs() < 0.06, "the night moved it to {spot}");
    let weeks = model.history(SPY, Timeframe::Week1);
    assert!((500..=540).contains(&weeks.len()));
}

#[test]
fn chains_are_whole_and_sane() {
    let mut model = model(11);
    let open = model.session().open;
    model.advance(open + HOUR, &mut Vec::new());
    for symbol in model.symbols().to_vec() {
        let spot = model.spot(symbol).expect("listed");
        let mut per_expiry: BTreeMap<Date, usize> = BTreeMap::new();
        for contract in model.contracts(symbol) {
            *per_expiry.entry(contract.expiry).or_default() += 1;
        }
        assert!(per_expiry.len() >= 6, "{symbol}: {per_expiry:?}");
        assert!(per_expiry.values().all(|n| *n >= 80), "{symbol}: {per_expiry:?}");
        let mut last: Option<(Contract, f64)> = None;
        for contract in model.contracts(symbol) {
            let quote = model.option_quote(contract).expect("listed");
            let ask = quote.ask.expect("always offered").price;
            assert!(quote.bid.is_none_or(|bid| bid.price < ask), "{contract} {quote:?}");
            let spot = Price::nearest(spot).expect("finite");
            assert!(ask + Price::CENT >= contract.intrinsic(spot), "{contract} {quote:?} spot {spot}");
            let (Some(mid), facts) = (quote.mid(), model.facts(contract).expect("listed")) else { continue };
            let tolerance = 0.02 + 0.03 * mid.dollars();
            if let Some((before, value)) = last
                && before.expiry == contract.expiry
                && before.right == contract.right
            {
                let dearer = contract.right == market::Right::Put;
                let gain = if dearer { mid.dollars() - value } else { value - mid.dollars() };
                assert!(gain > -tolerance, "{before} {value} then {contract} {mid}");
            }
            last = Some((contract, mid.dollars()));
            assert!(facts.volume as f64 <= 3.0 * facts.open_interest as f64 + 1.0);
        }
    }
}

#[test]
fn puts_are_dearer_than_calls_and_implied_vol_has_a_term() {
    let p = parameters::of(SPY);
    let state = smile::State { spot: 566.3, log_vol: 0.5, since_open_ns: HOUR };
    let month = 30.0 / 365.0;
    let (down, flat, up) = (
        smile::implied(&p, &state, 540.0, month),
        smile::implied(&p, &state, 568.0, month),
        smile::implied(&p, &state, 592.0, month),
    );
    assert!(down > flat && flat > up, "{down} {flat} {up}");
    let year = smile::implied(&p, &state, 580.0, 1.0);
    assert!(year < flat, "stress fades with the horizon: {flat} then {year}");
}

#[test]
fn days_roll_and_expired_contracts_go() {
    let mut model = model(5);
    let friday = Date::literal(2026, 11, 20);
    let expiring = model.contracts(SPY).find(|c| c.expiry == friday).expect("weekly");
    assert!(model.watch(expiring));
    let mut out = Vec::new();
    for _ in 0..6 {
        let close = model.session().options_close;
        model.advance(close, &mut out);
        let next = model.next_due().expect("another session");
        assert!(next > close + 12 * HOUR);
        model.advance(next, &mut out);
    }
    assert!(model.session().date > friday);
    assert_eq!(model.option_quote(expiring), None);
    assert!(model.official_close(SPY).is_some());
    assert!(model.contracts(SPY).all(|c| c.expiry >= model.session().date));
    let last_said = out.iter().rev().find_map(|e| match e {
        MarketEvent::Quote(Instrument::Option(c), q) if *c == expiring => Some(q.at),
        _ => None,
    });
    let close = market::session::session(friday).expect("a session").close;
    assert!(last_said.is_some_and(|at| at < close), "{last_said:?}");
}

fn returns(bars: &[Bar]) -> Vec<f64> {
    bars.windows(2).map(|w| (w[1].close.dollars() / w[0].close.dollars()).ln()).collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let cov: f64 = a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum();
    let var = |x: &[f64], m: f64| x.iter().map(|v| (v - m).powi(2)).sum::<f64>();
    cov / (var(a, ma) * var(b, mb)).sqrt()
}

#[test]
fn returns_move_together_as_told() {
    let model = model(21);
    let of = |symbol| returns(&model.history(symbol, Timeframe::Day1));
    let (spy, qqq, tlt) = (of(SPY), of(QQQ), of(TLT));
    assert!(correlation(&spy, &qqq) > 0.8);
    assert!(correlation(&spy, &tlt).abs() < 0.4);
    let vol = (spy.iter().map(|r| r * r).sum::<f64>() / spy.len() as f64 * 252.0).sqrt();
    assert!((0.10..0.28).contains(&vol), "annual volatility {vol}");
    let squares: Vec<f64> = spy.iter().map(|r| r.abs()).collect();
    assert!(correlation(&squares[1..], &squares[..squares.len() - 1]) > 0.08, "volatility clusters");
}

#[test]
fn the_session_is_busy_at_both_ends() {
    let minutes = model(4).history(SPY, Timeframe::Min1);
    let mean_range = |from: usize, to: usize| -> f64 {
        let part = minutes.chunks(390).flat_map(|day| &day[from..to]);
        part.map(|b| b.high.dollars() / b.low.dollars() - 1.0).sum::<f64>() / (to - from) as f64
    };
    let (open, noon, close) = (mean_range(0, 30), mean_range(180, 210), mean_range(360, 390));
    assert!(open > 1.15 * noon && close > 1.15 * noon, "{open} {noon} {close}");
}

#[test]
fn unknown_symbols_get_defaults_and_bad_settings_are_refused() {
    let known = settings(1);
    let odd = MarketModel::new(Settings { symbols: vec![Symbol::literal("ZZZ")], ..known.clone() });
    assert!(odd.is_ok_and(|m| m.contracts(Symbol::literal("ZZZ")).count() > 480));
    let none = MarketModel::new(Settings { symbols: vec![], ..known.clone() });
    assert_eq!(none.err(), Some(BadSettings::NoSymbols));
    let nan = MarketModel::new(Settings { option_checks_per_second: f64::NAN, ..known });
    assert!(matches!(nan.err(), Some(BadSettings::BadRate("option_checks_per_second", _))));
}

fn stored(model: &MarketModel, settings: Settings) -> Result<MarketModel, BadState> {
    let bytes = postcard::to_stdvec(&model.state()).expect("writable");
    MarketModel::restore(settings, postcard::from_bytes(&bytes).expect("readable"))
}

#[test]
fn a_stored_market_goes_on_as_if_nothing_had_happened() {
    let mut kept = model(9);
    let contracts: Vec<_> = kept.contracts(SPY).take(20).collect();
    for contract in &contracts {
        assert!(kept.watch(*contract));
    }
    // In the middle of a session, in the evening, and once more the next day.
    let first = kept.session();
    let mut evening = first.options_close + HOUR;
    for moment in [first.open + 37 * MINUTE + 123, evening, evening + 20 * HOUR] {
        kept.advance(moment, &mut Vec::new());
        let mut restored = stored(&kept, settings(9)).expect("the same market");
        assert_eq!(restored.spot(QQQ), kept.spot(QQQ));
        assert_eq!(restored.facts(contracts[3]), kept.facts(contracts[3]));
        assert_eq!(restored.history(TLT, Timeframe::Day1), kept.history(TLT, Timeframe::Day1));
        evening = moment + 22 * HOUR;
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let mut other = stored(&kept, settings(9)).expect("the same market");
        other.advance(evening, &mut a);
        restored.advance(evening, &mut b);
        assert!(a.len() > 1_000 && a == b);
        let mut c = Vec::new();
        kept.advance(moment + MINUTE, &mut c);
        assert!(a.starts_with(&c));
    }
}

#[test]
fn another_market_is_told_apart_from_the_stored_one() {
    let kept = model(9);
    let said = |settings| stored(&kept, settings).expect_err("another market").to_string();
    assert_eq!(said(settings(10)), "the stored market has seed 9, the settings say 10");
    let one = said(Settings { symbols: vec![SPY], ..settings(9) });
    assert!(one.contains("symbols SPY QQQ") && one.ends_with("the settings say SPY"), "{one}");
    assert!(
        stored(&kept, Settings { stock_quotes_per_second: 3.0, ..settings(9) }).is_ok(),
        "rates may differ"
    );
}
