//! The reader against the chains of five vendors (skipped with a message where they are not) and against damaged text.

use super::*;

fn folder() -> Option<PathBuf> {
    let data = std::env::var("WINGSPREAD_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").into());
    let folder = Path::new(&data).join("chains_eod");
    if !folder.is_dir() {
        println!("skipped: no chains at {} (set WINGSPREAD_DATA)", folder.display());
        return None;
    }
    Some(folder)
}

fn one(file: &str) -> Option<EodChain> {
    let mut days = read(&folder()?.join(file)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(days.len(), 1, "{file}");
    days.pop()
}

fn new_york(day: &EodChain) -> (String, i64) {
    let (date, ns) = day.at.new_york();
    (date.to_string(), ns / market::time::MINUTE)
}

#[test]
fn a_day_of_spx_has_both_roots() {
    let Some(day) = one("spx_2019/SPX_20190425.csv.gz") else { return };
    assert_eq!((day.underlying.as_str(), day.date), ("SPX", Date::literal(2019, 4, 25)));
    assert_eq!(day.spot, Price::nearest(2919.04));
    assert_eq!(new_york(&day), ("2019-04-25".into(), 16 * 60 + 15));
    let roots: Vec<_> = day.roots().iter().map(|root| root.to_string()).collect();
    assert_eq!(roots, ["SPX", "SPXW"]);
    assert!((13_000..15_000).contains(&day.rows.len()), "{}", day.rows.len());
    assert!(day.rows.iter().all(|row| !row.quote.is_crossed()));
    let first =
        day.rows.iter().find(|row| row.contract.to_string() == "SPXW190426C00800000").expect("listed");
    assert_eq!(first.quote.bid.map(|level| level.price), Price::nearest(2109.9));
    assert_eq!((first.vendor.vol, first.vendor.gamma), (Some(7.9432), None));
    assert_eq!(first.open_interest, Some(2));
}

#[test]
fn one_file_holds_forty_days() {
    let Some(folder) = folder() else { return };
    let days = read(&folder.join("spxw_2018_jan_feb/SPXW_2018.csv.gz")).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(days.len(), 40);
    assert_eq!(days.iter().map(|day| day.rows.len()).sum::<usize>(), 14_438);
    assert_eq!((days[0].underlying.as_str(), new_york(&days[0]).1), ("SPX", 16 * 60));
    let spike = days.iter().find(|day| day.date == Date::literal(2018, 2, 5)).expect("a day");
    let holes = spike.rows.iter().filter(|row| row.quote.bid.is_none() && row.quote.ask.is_none()).count();
    assert!(holes >= 15, "zero bids and asks are no quotes: {holes}");
}

#[test]
fn the_underlying_stands_beside_the_chain() {
    let Some(day) = one("spy_2026/SPY_2026-07-22.csv.gz") else { return };
    assert_eq!((day.spot, new_york(&day).1), (Price::nearest(747.41), 16 * 60 + 15));
    let row = day.rows.iter().find(|row| row.contract.to_string() == "SPY260722C00500000").expect("listed");
    assert_eq!(row.quote.bid.map(|level| level.size), Some(6));
    assert_eq!(
        (row.vendor.vol, row.vendor.delta, row.open_interest, row.volume),
        (None, Some(1.0), Some(3), 74)
    );
    // The shelf of Yahoo: fetched the day after, at 12:13.
    let Some(day) = one("qqq_iwm_2026_nextday/QQQ_2026-08-12.csv.gz") else { return };
    assert_eq!((day.date, new_york(&day)), (Date::literal(2026, 8, 12), ("2026-08-13".into(), 12 * 60 + 13)));
    assert_eq!((day.spot, day.rows[0].quote.at), (Price::nearest(730.959_899_902_343_8), day.at));
}

#[test]
fn other_vendors_are_read_too() {
    let Some(iwm) = one("single_day/IWM_2019-10-15_nbbo.csv.gz") else { return };
    assert_eq!((iwm.underlying.as_str(), iwm.rows.len(), iwm.spot), ("IWM", 2_976, Price::nearest(151.65)));
    let Some(vix) = one("single_day/VIX_2016-06-01_cboe.csv.gz") else { return };
    assert_eq!((vix.underlying.as_str(), vix.rows.len(), vix.spot), ("VIX", 882, Price::nearest(14.65)));
    let folder = folder().expect("there, as above");
    let days =
        read(&folder.join("spy_2021_liquid20/SPY_options_2021.csv.gz")).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((days.len(), days[0].rows.len()), (252, 20));
    let no_bids = read(&folder.join("multi_2026_last/AAPL_2026.csv.gz")).expect_err("no bids").to_string();
    assert!(
        no_bids.contains("no column for the contract") || no_bids.contains("cannot be traded"),
        "{no_bids}"
    );
}

#[test]
fn a_snapshot_is_told_as_events() {
    let text = "underlying,underlying_last,optionroot,quotedate,bid,ask,openinterest\n\
        XYZ,101.5,XYZ190621C00100000,04/25/2019,2.5,2.7,12\nXYZ,101.5,XYZ190621P00100000,04/25/2019,0,0.05,\n";
    let days = read_from(Path::new("a/x.csv"), text.as_bytes()).expect("a chain");
    let told: Vec<MarketEvent> = days[0].events().map(|stamped| stamped.event).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(
        matches!(told[0], MarketEvent::Quote(Instrument::Stock(_), q) if q.mid() == Price::nearest(101.5))
    );
    assert!(matches!(told[1], MarketEvent::OpenInterest(o) if o.contracts == 12));
    assert!(
        matches!(told[3], MarketEvent::Quote(Instrument::Option(_), q) if q.bid.is_none() && q.ask.is_some())
    );
}

#[test]
fn faults_name_line_and_remedy() {
    let fault = |text: &str| read_from(Path::new("x.csv"), text.as_bytes()).expect_err("faulty").to_string();
    let head = "option,quotedate,bid,ask\n";
    assert!(
        fault("option,bid,ask\n")
            .starts_with("x.csv: no column for the date in its header (option, bid, ask); ")
    );
    assert!(fault("option,quotedate,last\n").contains("without bid and ask cannot be traded"));
    assert!(fault("quotedate,bid,ask\n").contains("OCC symbol"));
    assert_eq!(fault(head), "x.csv: holds no contracts");
    assert!(
        fault(&format!("{head}XYZ190621X00100000,2019-04-25,1,2\n"))
            .starts_with("x.csv, line 2: `XYZ190621X")
    );
    assert!(fault(&format!("{head}XYZ190621C00100000,soon,1,2\n")).contains("date is `soon`"));
    assert!(
        fault(&format!("{head}XYZ190621C00100000,2019-04-25,one,2\n")).contains("bid is `one`, not a price")
    );
    assert!(
        fault(&format!("{head}XYZ190621C00100000,2019-04-25,1,-2\n")).contains("ask is `-2`, not a price")
    );
}
