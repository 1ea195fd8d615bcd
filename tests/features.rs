//! `wingspread features` and `warmup` from outside: what is in the file, and what is left when something is wrong.

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Row, RowAccessor};
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Output};

/// Columns by place: time, bar_start, symbol, timeframe, closed, open, high, low, close, volume, trades, repaired.
const TIME: usize = 0;
const START: usize = 1;
const SYMBOL: usize = 2;
const TIMEFRAME: usize = 3;
const CLOSED: usize = 4;
const CLOSE: usize = 8;
const VOLUME: usize = 9;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wingspread")).args(arguments).output().expect("the program starts")
}

/// Runs and expects success; standard output.
fn done(arguments: &[&str]) -> String {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Runs and expects refusal; standard error.
fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Two sessions of minutes around a change of clocks, as text.
fn minutes(file: &Path) {
    let mut text = String::from("time,open,high,low,close,volume\n");
    for date in ["2025-03-07", "2025-03-10"] {
        for minute in 0..390 {
            let (clock, price) = (570 + minute, 100.0 + f64::from(minute * 37 % 101) / 10.0);
            let (hour, minute) = (clock / 60, clock % 60);
            let (high, low) = (price + 0.2, price - 0.1);
            writeln!(text, "{date} {hour:02}:{minute:02},{price},{high},{low},{price},{}", 100 + minute)
                .expect("a string takes all");
        }
    }
    std::fs::write(file, text).expect("written");
}

fn rows(file: &Path) -> (Vec<String>, Vec<Row>) {
    let reader = SerializedFileReader::new(std::fs::File::open(file).expect("there")).expect("Parquet");
    let schema = reader.metadata().file_metadata().schema_descr();
    let names = schema.columns().iter().map(|column| column.name().to_string()).collect();
    let rows = reader.get_row_iter(None).expect("rows").collect::<Result<_, _>>();
    (names, rows.expect("readable"))
}

#[test]
fn one_row_a_closed_bar_with_every_feature_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, out) = (folder.path().join("spy.csv"), folder.path().join("spy.parquet"));
    minutes(&data);
    let (data, file) = (data.display().to_string(), out.display().to_string());
    let said = done(&["features", "--data", &data, "--symbol", "spy", "--out", &file]);
    assert!(said.contains("780 events of SPY") && said.contains("0 left out as late"), "{said}");
    let (names, rows) = rows(&out);
    assert_eq!(names[12..names.len() - 2], indicators::features::NAMES);
    assert_eq!(
        (names[0].as_str(), &names[names.len() - 2..]),
        ("time", &["missing".into(), "atr".into()][..])
    );
    let count = |timeframe: &str| {
        rows.iter().filter(|row| row.get_string(TIMEFRAME).is_ok_and(|name| name == timeframe)).count()
    };
    let counts = ["1min", "5min", "15min", "30min", "1h", "4h", "1day", "1week"].map(count);
    assert_eq!(counts, [780, 156, 52, 26, 14, 4, 2, 1]);
    let mut last = i64::MIN;
    for row in &rows {
        let (time, start) = (row.get_long(TIME), row.get_long(START));
        let (time, start) = (time.expect("a time"), start.expect("a time"));
        assert!(time > start && time >= last, "no row knows the future");
        last = time;
        assert_eq!(row.get_string(SYMBOL).expect("text"), "SPY");
        assert!(row.get_bool(CLOSED).expect("a flag") && row.get_double(CLOSE).expect("a price") >= 100.0);
        let nulls = (12..names.len() - 2).filter(|column| row.get_float(*column).is_err()).count();
        let missing = row.get_int(names.len() - 2).expect("a count");
        assert_eq!(missing as usize, nulls, "what is missing is null");
    }
    let volume: i64 = rows
        .iter()
        .filter(|row| row.get_string(TIMEFRAME).is_ok_and(|name| name == "1day"))
        .map(|row| row.get_long(VOLUME).expect("a count"))
        .sum();
    assert_eq!(volume, 2 * (0..390).map(|minute| 100 + (570 + minute) % 60).sum::<i64>());
}

#[test]
fn what_is_wrong_is_named_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let out = path("out.parquet");
    minutes(&folder.path().join("spy.csv"));
    std::fs::write(folder.path().join("odd.csv"), "a,b\n1,2\n").expect("written");
    std::fs::write(
        folder.path().join("torn.csv"),
        "time,open,high,low,close\n2025-03-07 09:30,1,2,1,2\nsoon,1,2,1,2\n",
    )
    .expect("written");
    std::fs::write(folder.path().join("night.csv"), "time,open,high,low,close\n2025-03-07 02:30,1,2,1,2\n")
        .expect("written");
    for (data, extra, expected) in [
        ("gone.csv", &["--symbol", "SPY"][..], "no such file or folder"),
        ("spy.csv", &[], "add --symbol"),
        ("odd.csv", &["--symbol", "SPY"], "no column `open` in its header"),
        ("torn.csv", &["--symbol", "SPY"], "line 3: time is `soon`"),
        ("night.csv", &["--symbol", "SPY"], "outside the exchange's sessions"),
        ("spy.csv", &["--symbol", "SPY", "--timeframe", "2h"], "write one of 1min, 5min"),
    ] {
        let data = path(data);
        let arguments = [&["features", "--data", &data, "--out", &out][..], extra].concat();
        let said = refused(&arguments);
        assert!(said.contains(expected), "{data}: {said}");
        assert!(!Path::new(&out).exists(), "{data}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 4, "no part is left");
    let few = refused(&["warmup", "--data", &path("spy.csv"), "--symbol", "SPY", "--timeframe", "1day"]);
    assert!(few.contains("2 closed bars of 1day, fewer than 100"), "{few}");
    let measured = done(&["warmup", "--data", &path("spy.csv"), "--symbol", "SPY"]);
    let sma = measured.lines().find(|line| line.starts_with("sma ")).expect("a line");
    assert!(sma.ends_with("20        20"), "{sma}");
}
