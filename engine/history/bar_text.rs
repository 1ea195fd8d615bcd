//! Bars written as text: CSV with a header, one bar a line, plain or gzipped.
//!
//! Columns are found by name (upper or lower case, any order): `time` (or `timestamp`, `datetime`, `date`, `ts`,
//! `start`; `date` and `time` together are one), `open`, `high`, `low`, `close`, and where there are any `volume`, `trades` (`transactions`) and `vwap`;
//! others are passed over. A time is RFC 3339 or `YYYY-MM-DD HH:MM[:SS]` with or without an offset; without one it is
//! New York's. A date alone makes a daily bar. Bars are stamped at their start and stand in order of time.

use flate2::read::GzDecoder;
use market::quote::{Bar, Timeframe};
use market::time::{DAY, MINUTE};
use market::{Date, Money, Price, Timestamp};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Why bars were not read. Messages name the file and the line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened.
    #[error("{}: cannot be opened: {source}", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no CSV.
    #[error("{}: not readable as CSV: {source}", file.display())]
    Csv {
        /// The file.
        file: PathBuf,
        /// Why.
        source: csv::Error,
    },
    /// A column is not there.
    #[error(
        "{}: no column `{column}` in its header ({header}); name the columns time, open, high, low, close, volume",
        file.display()
    )]
    NoColumn {
        /// The file.
        file: PathBuf,
        /// What was looked for.
        column: &'static str,
        /// What is there.
        header: String,
    },
    /// A line is no bar.
    #[error("{}, line {line}: {what}", file.display())]
    Row {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The bars are neither of a minute nor of a day.
    #[error(
        "{}: its bars are {minutes} minutes apart; give one-minute or daily bars, the longer ones are made of them",
        file.display()
    )]
    Spacing {
        /// The file.
        file: PathBuf,
        /// The smallest distance between two bars.
        minutes: i64,
    },
    /// There is not one bar.
    #[error("{}: holds no bars", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
}

/// Reads the bars of a file and of which timeframe they are: [`Timeframe::Min1`] or [`Timeframe::Day1`].
pub fn read(file: &Path) -> Result<(Timeframe, Vec<Bar>), Error> {
    read_from(file, opened(file)?)
}

/// Reads the bars of a file whatever their length.
pub fn read_any(file: &Path) -> Result<Vec<Bar>, Error> {
    lines(file, opened(file)?).map(|(bars, _)| bars)
}

fn opened(file: &Path) -> Result<Box<dyn Read>, Error> {
    let opened = File::open(file).map_err(|source| Error::Open { file: file.into(), source })?;
    let is_gzip = file.extension().is_some_and(|extension| extension == "gz");
    Ok(if is_gzip { Box::new(GzDecoder::new(opened)) } else { Box::new(opened) })
}

fn read_from(file: &Path, text: impl Read) -> Result<(Timeframe, Vec<Bar>), Error> {
    let (bars, are_dates) = lines(file, text)?;
    timeframe(file, &bars, are_dates).map(|timeframe| (timeframe, bars))
}

/// Every bar, and whether all are stamped with a date alone.
fn lines(file: &Path, text: impl Read) -> Result<(Vec<Bar>, bool), Error> {
    let unreadable = |source| Error::Csv { file: file.into(), source };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
    let header: Vec<String> = reader.headers().map_err(unreadable)?.iter().map(str::to_lowercase).collect();
    let columns = Columns::find(file, &header)?;
    let mut bars: Vec<Bar> = Vec::new();
    let mut are_dates = true;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(unreadable)? {
        let line = record.position().map_or(0, csv::Position::line);
        let fault = |what: String| Error::Row { file: file.into(), line, what };
        let (bar, is_date) = columns.bar(&record).map_err(fault)?;
        are_dates &= is_date;
        if let Some(last) = bars.last().filter(|last| last.start >= bar.start) {
            let what = if last.start == bar.start {
                "repeats the bar before it"
            } else {
                "is earlier than the bar before it"
            };
            return Err(fault(format!(
                "{} {what}; sort the file by time, each bar once",
                record.get(columns.time).unwrap_or_default()
            )));
        }
        bars.push(bar);
    }
    Ok((bars, are_dates))
}

fn timeframe(file: &Path, bars: &[Bar], are_dates: bool) -> Result<Timeframe, Error> {
    if bars.is_empty() {
        return Err(Error::Empty { file: file.into() });
    }
    let gaps = bars.windows(2).map(|pair| pair[1].start.since(pair[0].start));
    match gaps.min() {
        _ if are_dates => Ok(Timeframe::Day1),
        // An hour less where clocks go forward.
        Some(gap) if gap >= DAY - 60 * MINUTE => Ok(Timeframe::Day1),
        Some(gap) if gap != MINUTE && bars.len() > 2 => {
            Err(Error::Spacing { file: file.into(), minutes: gap / MINUTE })
        }
        _ => Ok(Timeframe::Min1),
    }
}

/// Where the columns are.
struct Columns {
    time: usize,
    /// The date, when the time is a clock alone.
    date: Option<usize>,
    prices: [usize; 4],
    volume: Option<usize>,
    trades: Option<usize>,
    average: Option<usize>,
}

const PRICES: [&str; 4] = ["open", "high", "low", "close"];

impl Columns {
    fn find(file: &Path, header: &[String]) -> Result<Self, Error> {
        let place = |names: &[&str]| header.iter().position(|column| names.contains(&column.as_str()));
        let must = |column: &'static str, names: &[&str]| {
            let missing = || Error::NoColumn { file: file.into(), column, header: header.join(", ") };
            place(names).ok_or_else(missing)
        };
        let mut prices = [0; 4];
        for (place, name) in prices.iter_mut().zip(PRICES) {
            *place = must(name, &[name])?;
        }
        let date = place(&["date"]).filter(|_| place(&["time"]).is_some());
        Ok(Self {
            time: match date {
                Some(_) => must("time", &["time"])?,
                None => must("time", &["time", "timestamp", "datetime", "date", "ts", "start"])?,
            },
            date,
            prices,
            volume: place(&["volume", "v"]),
            trades: place(&["trades", "transactions", "n"]),
            average: place(&["vwap", "vw"]),
        })
    }

    fn bar(&self, record: &csv::StringRecord) -> Result<(Bar, bool), String> {
        let field = |place: usize| record.get(place).unwrap_or_default();
        let joined = self.date.map(|date| format!("{} {}", field(date), field(self.time)));
        let text = joined.as_deref().unwrap_or(field(self.time));
        let (start, is_date) = time(text)
            .ok_or_else(|| format!("time is `{text}`, not YYYY-MM-DD HH:MM:SS, RFC 3339 or a date"))?;
        let mut prices = [Price::ZERO; 4];
        for ((price, place), name) in prices.iter_mut().zip(self.prices).zip(PRICES) {
            let text = field(place);
            let dollars = text.parse::<f64>().ok().and_then(Price::nearest).filter(|p| *p > Price::ZERO);
            *price = dollars.ok_or_else(|| format!("{name} is `{text}`, not a price above zero"))?;
        }
        let [open, high, low, close] = prices;
        if high < low.max(open).max(close) || low > open.min(close) {
            return Err(format!("open {open} or close {close} is not between low {low} and high {high}"));
        }
        let number = |place: Option<usize>, name: &str| {
            let text = place.map_or("0", field);
            let number = text.parse::<f64>().ok().filter(|n| *n >= 0.0 && n.is_finite());
            number.ok_or_else(|| format!("{name} is `{text}`, not a number of 0 or more"))
        };
        let volume = number(self.volume, "volume")?.round();
        let trades = number(self.trades, "trades")?.round() as u32;
        let typical = (high.dollars() + low.dollars() + close.dollars()) / 3.0;
        let average = self.average.and_then(|place| field(place).parse::<f64>().ok()).unwrap_or(typical);
        let turnover = Money::nearest(average * volume).unwrap_or(Money::ZERO);
        let bar =
            Bar { start, open, high, low, close, volume: volume as u64, trades, turnover, repaired: false };
        Ok((bar, is_date))
    }
}

/// The instant a text names, and whether it is a date alone.
fn time(text: &str) -> Option<(Timestamp, bool)> {
    let date: Date = text.get(..10)?.parse().ok()?;
    let rest = text.get(10..)?.trim_start_matches(['T', ' ']);
    if rest.is_empty() {
        return Some((date.at_new_york(0), true));
    }
    // Seconds may be left out; an offset follows the clock.
    let offset_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, offset) = rest.split_at(offset_at);
    let clock = if clock.len() == 5 { format!("{clock}:00") } else { clock.to_string() };
    let as_utc = Timestamp::parse_rfc3339(format!("{date}T{clock}Z").as_bytes())?;
    if offset.is_empty() {
        let since_midnight = as_utc.since(date.midnight_utc());
        return Some((date.at_new_york(0) + local(date, since_midnight), false));
    }
    let whole = format!("{date}T{clock}{offset}");
    Timestamp::parse_rfc3339(whole.as_bytes()).map(|at| (at, false))
}

/// Nanoseconds since New York's midnight of a wall-clock time, which a change of clocks makes more or fewer.
fn local(date: Date, clock_ns: i64) -> i64 {
    let seconds = clock_ns.div_euclid(1_000_000_000);
    date.at_new_york(seconds).since(date.at_new_york(0)) + clock_ns.rem_euclid(1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<(Timeframe, Vec<Bar>), String> {
        read_from(Path::new("bars.csv"), text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_spellings_of_times_that_files_have() {
        let ns = |text: &str| time(text).map(|(at, is_date)| (at.ns() / 1_000_000_000, is_date));
        let noon = 1_708_448_400; // 2024-02-20 12:00 New York
        for text in
            ["2024-02-20 12:00:00-05:00", "2024-02-20T17:00:00Z", "2024-02-20 12:00", "2024-02-20T12:00:00"]
        {
            assert_eq!(ns(text), Some((noon, false)), "{text}");
        }
        assert_eq!(ns("2024-02-20"), Some((noon - 12 * 3600, true)));
        // Clocks went forward at two in the morning.
        assert_eq!(ns("2024-03-10 09:30"), ns("2024-03-10T13:30:00Z"));
        for text in ["", "2024", "20.02.2024 12:00", "2024-02-20 noon", "2024-02-30", "2024-02-20 12"] {
            assert_eq!(ns(text), None, "{text}");
        }
    }

    #[test]
    fn bars_are_found_by_the_names_of_their_columns() {
        let text = "Datetime,Close,High,Low,Open,Volume,other\n\
            2024-02-20 09:30:00-05:00,2,3,1,1.5,100,x\n2024-02-20 09:31:00-05:00,2.5,3,2,2,50.0,y\n";
        let (timeframe, bars) = of(text).expect("bars");
        assert_eq!((timeframe, bars.len()), (Timeframe::Min1, 2));
        assert_eq!(
            (bars[0].open, bars[0].close, bars[0].volume),
            (Price::from_cents(150), Price::from_cents(200), 100)
        );
        assert_eq!(bars[0].turnover, Money::from_dollars(200));
        let (_, bars) = of("date,time,open,high,low,close\n2024-02-20,09:30,1,2,1,2\n").expect("bars");
        assert_eq!(Some((bars[0].start, false)), time("2024-02-20 09:30"));
        let (timeframe, bars) =
            of("date,open,high,low,close\n2024-02-20,1,2,1,2\n2024-02-21,1,2,1,2\n").expect("bars");
        assert_eq!((timeframe, bars[1].volume), (Timeframe::Day1, 0));
    }

    #[test]
    fn faults_name_the_line_and_the_remedy() {
        let head = "time,open,high,low,close,volume\n";
        let fault = |rows: &str| of(&format!("{head}{rows}")).expect_err("a fault");
        let row = "2024-02-20 09:30,1,2,1,2,5\n";
        assert_eq!(
            of("a,b\n1,2\n").expect_err("no columns"),
            "bars.csv: no column `open` in its header (a, b); name the columns time, open, high, low, close, volume"
        );
        assert_eq!(fault(""), "bars.csv: holds no bars");
        assert_eq!(
            fault(&format!("{row}2024-02-20 09:31,1,x,1,2,5\n")),
            "bars.csv, line 3: high is `x`, not a price above zero"
        );
        assert_eq!(
            fault(&format!("{row}soon,1,2,1,2,5\n")),
            "bars.csv, line 3: time is `soon`, not YYYY-MM-DD HH:MM:SS, RFC 3339 or a date"
        );
        assert!(fault(&format!("{row}{row}")).contains("repeats the bar before it; sort"));
        assert!(
            fault(&format!("{row}2024-02-20 09:29,1,2,1,2,5\n"))
                .contains("is earlier than the bar before it")
        );
        assert!(fault("2024-02-20 09:30,1,2,1.5,2,5\n").contains("open 1.00 or close 2.00 is not between"));
        assert!(
            fault(&format!("{row}2024-02-20 09:35,1,2,1,2,5\n2024-02-20 09:40,1,2,1,2,5\n"))
                .contains("5 minutes apart")
        );
        assert!(fault("2024-02-20 09:30,1,2,1,2,-5\n").contains("volume is `-5`"));
        assert!(fault("2024-02-20 09:30,1,2,1\n").contains("not readable as CSV"));
    }
}
