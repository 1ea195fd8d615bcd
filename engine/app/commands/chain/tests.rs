//! The command on a chain of known volatilities, on recorded ones where they are, and on wrong questions.

use super::*;
use crate::settings;
use std::path::Path;

fn shown(file: &Path, args: &cli::Chain) -> anyhow::Result<(String, Option<String>)> {
    let settings = settings::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config/wingspread.yaml")))
        .unwrap_or_else(|faults| panic!("{faults}"));
    let scene = source::recorded(file, args.symbol.parse().expect("a symbol"), &args.into(), &settings)?;
    let chosen = chosen(&scene, args)?;
    Ok((words::page(&scene, &chosen, args), picture::draw(&scene, &chosen).ok()))
}

fn asked(symbol: &str) -> cli::Chain {
    cli::Chain { symbol: symbol.into(), width: 8, ..cli::Chain::default() }
}

#[test]
fn a_chain_of_one_volatility_is_shown_with_it() {
    let (_folder, file) = crate::commands::structure::tests::written();
    let (text, svg) = shown(&file, &asked("XYZ")).expect("read");
    for part in ["164 contracts", "2 expiries", "2026-08-21, 36 days", "parity of", "16 of 41 strikes"] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    // The file's prices are European, which a chain marked as American reads as a little less volatility, and they are
    // rounded to cents, a twelfth of a point each.
    let (_, after) = text.split_once("at the money ").expect("summed up");
    let atm: f64 = after[..5].parse().expect("per cent");
    assert!((atm - 20.0).abs() < 0.2, "{text}");
    // Strike 100 of the near expiry: volatility 20, deltas a little above and below a half.
    let line = text.lines().find(|l| l.contains("  100 ")).expect("a line of the strike at the money");
    let numbers: Vec<f64> = line.split_whitespace().filter_map(|w| w.parse().ok()).collect();
    assert!((numbers[2] - 20.0).abs() < 0.3 && (0.5..0.6).contains(&numbers[3]), "{line}");
    let svg = svg.expect("smiles");
    assert!(svg.starts_with("<svg") && svg.matches("polyline").count() >= 3);
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let (_folder, file) = crate::commands::structure::tests::written();
    let wrong = cli::Chain { expiry: vec!["2026-08-22".into()], ..asked("XYZ") };
    let said = format!("{:#}", shown(&file, &wrong).expect_err("no such expiry"));
    assert!(said.contains("2026-08-21, 2026-09-18"), "{said}");
    let wrong = cli::Chain { expiry: vec!["soon".into()], ..asked("XYZ") };
    let said = format!("{:#}", shown(&file, &wrong).expect_err("no date"));
    assert!(said.contains("YYYY-MM-DD"), "{said}");
    let said = format!("{:#}", shown(&file, &asked("ABC")).expect_err("no such root"));
    assert!(said.contains("it has XYZ"), "{said}");
}

#[test]
fn recorded_chains_are_shown() {
    let folder = std::env::var("WINGSPREAD_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").into());
    for (symbol, file) in [
        ("SPY", "chains_eod/spy_2026/SPY_2026-08-14.csv.gz"),
        ("SPXW", "chains_eod/spx_2019/SPX_20190513.csv.gz"),
        ("GOOG", "lean/option/usa/minute/goog/20151224_quote_american.zip"),
    ] {
        let file = Path::new(&folder).join(file);
        if !file.exists() {
            println!("skipped: no {} (set WINGSPREAD_DATA)", file.display());
            continue;
        }
        let args = cli::Chain { at: Some("12:30".into()), ..asked(symbol) };
        let (text, svg) = shown(&file, &args).unwrap_or_else(|e| panic!("{e:#}"));
        assert!(text.contains("at the money") && text.contains("parity of"), "{text}");
        assert!(!text.contains("NaN") && svg.is_some(), "{text}");
        assert!(symbol != "SPY" || text.contains("gamma of what is open"), "{text}");
    }
}

/// To the last minutes of an expiry day: what has a volatility has sane Greeks, and nothing is NaN.
#[test]
fn the_last_minutes_of_an_expiry_day_are_sane() {
    let folder = std::env::var("WINGSPREAD_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").into());
    let file = Path::new(&folder).join("lean/option/usa/minute/goog/20151224_quote_american.zip");
    if !file.exists() {
        println!("skipped: no {} (set WINGSPREAD_DATA)", file.display());
        return;
    }
    let settings = settings::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config/wingspread.yaml")))
        .unwrap_or_else(|faults| panic!("{faults}"));
    // That day closes at one.
    for at in ["12:30", "12:58", "12:59"] {
        let args = cli::Chain { at: Some(at.into()), ..asked("GOOG") };
        let scene = source::recorded(&file, "GOOG".parse().expect("a symbol"), &(&args).into(), &settings)
            .unwrap_or_else(|e| panic!("{e:#}"));
        let chain = &scene.chain;
        let mut marked = 0;
        for row in 0..chain.len() {
            let Ok(g) = chain.greeks_of(row) else { continue };
            let what = format!("{} at {at}: {:?} {g:?}", chain.listed()[row].contract, chain.vol_of(row));
            assert!(g.delta.abs() <= 1.0 + 1e-9 && g.gamma >= -1e-9 && g.vega >= -1e-6, "{what}");
            assert!(
                g.price >= 0.0 && g.theta.is_finite() && chain.vol_of(row).is_ok_and(|v| v > 0.0),
                "{what}"
            );
            marked += 1;
        }
        assert!(marked > 100, "{at}: {marked} rows marked");
        assert!(scene.surface.slices().iter().all(|s| s.vol(s.terms.forward()).is_finite()));
    }
}
