//! IBM's ticks of 2013-10-07..09 through real sockets as fast as they can be read: our one-minute bars against LEAN's
//! minute bars of the same days.

use history::lean::{Day, EquityData, What};
use market::quote::{Bar, MarketEvent};
use market::{Date, Symbol, Timestamp};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

fn data() -> PathBuf {
    std::env::var_os("WINGSPREAD_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from)
}

fn vendors(root: &Path, symbol: Symbol) -> BTreeMap<Timestamp, Bar> {
    let what = What { equity: EquityData::Bars, options: false };
    let mut bars = BTreeMap::new();
    for day in 7..=9 {
        let date = Date::literal(2013, 10, day);
        let session = market::session::session(date).expect("a session");
        for stamped in Day::load(root, symbol, date, what).expect("LEAN bars of the day").events {
            if let MarketEvent::Bar { bar, .. } = stamped.event
                && (session.open..session.close).contains(&bar.start)
            {
                bars.insert(bar.start, bar);
            }
        }
    }
    bars
}

#[test]
fn minute_bars_from_ticks_against_the_vendors() {
    let data = data();
    let root = data.join("lean");
    if !root.join("equity/usa/tick/ibm").is_dir() {
        println!("skipped: no LEAN ticks in {} (set WINGSPREAD_DATA)", data.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bars.csv");
    let output = Command::new(env!("CARGO_BIN_EXE_wingspread"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "replay",
            "--resolution",
            "tick",
            "--symbol",
            "IBM",
            "--from",
            "2013-10-07",
            "--to",
            "2013-10-09",
        ])
        .arg("--data")
        .arg(&data)
        .arg("--journal")
        .arg(folder.path().join("journal"))
        .arg("--bars")
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("84,716 trades"), "every trade of the three days is heard:\n{said}");

    let theirs = vendors(&root, "IBM".parse().unwrap());
    let (mut found, mut same_volume, mut same_prices, mut inside) = (0, 0, 0, 0);
    for line in std::fs::read_to_string(&file).unwrap().lines().skip(1) {
        let part: Vec<&str> = line.split(',').collect();
        let start = Timestamp::parse_rfc3339(part[0].as_bytes()).unwrap();
        let Some(bar) = theirs.get(&start) else { continue };
        let price = |i: usize| -> market::Price { part[i].parse().unwrap() };
        found += 1;
        same_prices += u32::from([1, 2, 3, 4].map(price) == [bar.open, bar.high, bar.low, bar.close]);
        inside += u32::from(price(2) >= bar.high && price(3) <= bar.low);
        if part[5] == bar.volume.to_string() {
            same_volume += 1;
        } else {
            println!("{start}: volume {} against the vendor's {}", part[5], bar.volume);
        }
    }
    println!(
        "{found} bars, volume equal in {same_volume}, all prices in {same_prices}, range holds theirs in {inside}"
    );
    // The vendor leaves intermarket sweeps and trade-through-exempt prints out of its prices, and puts the closing
    // cross, printed after 16:00:00, into the last minute: docs/bars.md.
    assert_eq!(found, 1170, "no minute is missing");
    assert_eq!(same_volume, 1166, "all but three closing crosses and one late print");
    assert!(inside >= 1167 && same_prices >= 558, "{inside} {same_prices}");
}
