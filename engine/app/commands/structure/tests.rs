//! The command against a written chain and against recorded ones (skipped where they are not).

use super::*;
use crate::settings;
use std::path::{Path, PathBuf};

fn shipped() -> Settings {
    settings::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config/wingspread.yaml")))
        .unwrap_or_else(|faults| panic!("{faults}"))
}

fn data(file: &str) -> Option<PathBuf> {
    let folder = std::env::var("WINGSPREAD_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").into());
    let path = Path::new(&folder).join(file);
    if !path.exists() {
        println!("skipped: no {} (set WINGSPREAD_DATA)", path.display());
        return None;
    }
    Some(path)
}

fn shown(name: &str, symbol: &str, file: &Path, args: cli::Structure) -> (String, Vec<look::Seen>) {
    let settings = shipped();
    let structure = named(name, &settings).expect("shipped");
    let when = source::When { day: args.day.as_deref(), at: args.at.as_deref() };
    let scene = source::recorded(file, symbol.parse().expect("a symbol"), &when, &settings)
        .unwrap_or_else(|e| panic!("{e:#}"));
    let seen = look::at(structure, &scene, &args);
    let text = words::page(structure, &scene, &seen, &args);
    (text, seen)
}

/// A chain of a fortnight of strikes by the formula, as a file.
pub fn written() -> (tempfile::TempDir, PathBuf) {
    use pricing::european::{Terms, greeks};
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("xyz.csv");
    let mut text = String::from("underlying,underlying_last,option,quotedate,bid,ask,openinterest\n");
    for (date, days) in [("260821", 36), ("260918", 64)] {
        for strike in 80..=120u32 {
            for (letter, right) in [("C", market::Right::Call), ("P", market::Right::Put)] {
                let terms = Terms::new(100.0, f64::from(days) / 365.0, 0.04, 0.012);
                let mid = greeks(right, &terms, f64::from(strike), 0.2).price;
                let (bid, ask) = ((mid - 0.02).max(0.0), mid + 0.02);
                text += &format!(
                    "XYZ,100,XYZ{date}{letter}{:08},2026-07-16,{bid:.2},{ask:.2},900\n",
                    strike * 1000
                );
            }
        }
    }
    std::fs::write(&file, text).expect("written");
    (folder, file)
}

#[test]
fn every_shipped_structure_is_shown() {
    let (_folder, file) = written();
    for structure in &shipped().structures {
        let args = cli::Structure { odds: Some([0.2, 0.5, 0.3]), ..cli::Structure::default() };
        let (text, seen) = shown(structure.name.as_str(), "XYZ", &file, args);
        assert!(seen.iter().any(|s| s.candidate.is_ok()), "{text}");
        for part in ["max profit", "max loss", "probability of profit", "by the forecast", "Greeks", "margin"]
        {
            assert!(text.contains(part), "{}: no {part}\n{text}", structure.name);
        }
        assert_eq!(text.contains("shown, not traded"), structure.tradeable().is_err(), "{text}");
    }
}

#[test]
fn figures_of_a_condor_fit_together() {
    let (_folder, file) = written();
    let (_, seen) = shown("iron_condor", "XYZ", &file, cli::Structure::default());
    let c = seen[0].candidate.as_ref().expect("found");
    assert_eq!(c.legs.len(), 4);
    assert!(c.outlook.mid < 0.0 && c.outlook.natural > c.outlook.mid, "a credit");
    // Five dollars wide on either side.
    assert_eq!(c.broker, pricing::legs::Bound::Limited(market::Money::from_dollars(500)));
    assert!((c.outlook.reg_t - 500.0).abs() < 1e-9);
    assert_eq!(
        c.worst,
        pricing::legs::Bound::Limited(market::Money::nearest(500.0 + c.outlook.mid).expect("in range"))
    );
    // The smile is flat, so the law is near the lognormal one and the set near fair.
    assert!((c.market.atm_vol - 0.2).abs() < 0.005, "{}", c.market.atm_vol);
    assert!(c.outlook.odds.expected.abs() < 10.0, "{:?}", c.outlook.odds);
    let touch = c.outlook.touch.expect("short strikes");
    assert!(touch > 1.0 - c.outlook.odds.profit, "{touch}");
}

#[test]
fn the_picture_shows_both_curves_and_the_breakevens() {
    let (_folder, file) = written();
    let settings = shipped();
    for name in ["iron_condor", "call_calendar", "long_straddle", "covered_call"] {
        let args = cli::Structure::default();
        let symbol = "XYZ".parse().expect("a symbol");
        let when = source::When { day: None, at: None };
        let scene = source::recorded(&file, symbol, &when, &settings).unwrap_or_else(|e| panic!("{e:#}"));
        let structure = named(name, &settings).expect("shipped");
        let seen = look::at(structure, &scene, &args);
        let first = seen[0].candidate.as_ref().expect("found");
        let svg = picture::draw(structure, &scene, first).expect("drawn");
        assert!(svg.starts_with("<svg") && svg.contains("now") && svg.contains("expiry"), "{name}");
        assert_eq!(svg.matches("<circle").count(), first.outlook.breakevens.len(), "{name}");
        assert!(svg.contains("spot 100.00") && !svg.contains("NaN"), "{name}");
    }
}

#[test]
fn mistakes_teach() {
    let settings = shipped();
    let said = |name: &str| named(name, &settings).expect_err("unknown").to_string();
    assert!(said("iron_condr").contains("did you mean `iron_condor`?"));
    assert!(said("zzz").contains("there are: bull_put_spread, "));
    let (_folder, file) = written();
    let fault = |file: &Path, symbol: &str, day: Option<&str>| {
        let symbol = symbol.parse().expect("a symbol");
        let when = source::When { day, at: None };
        source::recorded(file, symbol, &when, &settings).map(|_| ()).expect_err("a fault").to_string()
    };
    assert!(fault(&file, "SPY", None).contains("holds no options of SPY; it has XYZ"));
    assert!(fault(&file, "XYZ", Some("2026-01-01")).contains("its days are 2026-07-16 to 2026-07-16"));
    assert!(fault(&file, "XYZ", Some("soon")).contains("write YYYY-MM-DD"));
    assert!(fault(Path::new("x.zip"), "GOOG", None).contains("option/usa/minute"));
}

#[test]
fn the_list_says_what_is_traded() {
    let text = words::list(&shipped());
    let line = |name: &str| text.lines().find(|l| l.starts_with(name)).expect("listed").to_string();
    assert!(line("iron_condor").contains(" traded "), "{text}");
    assert!(
        line("butterfly").contains("can be traded") && line("jade_lizard").contains("shown only"),
        "{text}"
    );
}

#[test]
fn recorded_chains_of_spy_and_spx() {
    if let Some(file) = data("chains_eod/spy_2026/SPY_2026-07-22.csv.gz") {
        let (text, seen) = shown("iron_condor", "SPY", &file, cli::Structure::default());
        assert!(seen.iter().all(|s| s.candidate.is_ok()) && seen.len() == 3, "{text}");
        let c = seen[0].candidate.as_ref().expect("found");
        assert!(c.market.slice.is_some() && (0.05..0.4).contains(&c.market.atm_vol), "{text}");
        assert!((0.4..0.9).contains(&c.outlook.odds.profit), "{text}");
    }
    if let Some(file) = data("chains_eod/spx_2019/SPX_20190513.csv.gz") {
        let (text, seen) = shown("double_diagonal", "SPXW", &file, cli::Structure::default());
        assert!(seen.iter().any(|s| s.candidate.is_ok()), "{text}");
    }
}

#[test]
fn recorded_minutes_of_goog() {
    let Some(file) = data("lean/option/usa/minute/goog/20151224_quote_american.zip") else { return };
    let args = cli::Structure { at: Some("10:30".into()), any_spread: true, ..cli::Structure::default() };
    let (text, seen) = shown("bull_put_spread", "GOOG", &file, args);
    assert!(seen.iter().any(|s| s.candidate.is_ok()), "{text}");
    assert!(text.contains("2015-12-24 10:30 New York"), "{text}");
}
