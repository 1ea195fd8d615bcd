//! A file or folder of recorded data, whatever it is: opened, told what it is, and played event by event as the
//! engine would have heard it.
//!
//! * LEAN zips of a stock, known by their path (`equity/usa/minute/spy/20131007_trade.zip`): ticks as they were,
//!   minutes as finished bars (and as quotes where no trade made one), days as daily bars. Splits come from LEAN's
//!   factor file.
//! * Bars as text ([`crate::bar_text`]).
//! * A folder: all of those in it, by name.

use crate::{Stamped, bar_text, lean};
use market::quote::{Bar, MarketEvent, Timeframe};
use market::session::session;
use market::split::Split;
use market::time::MINUTE;
use market::{Date, Instrument, Symbol};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Why a recording cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file.
    #[error("{}: no such file or folder", path.display())]
    Missing {
        /// What was named.
        path: PathBuf,
    },
    /// The kind of file is not known.
    #[error(
        "{}: not a kind of file this reads; give a LEAN zip in its folders \
         (…/equity/usa/minute/spy/20131007_trade.zip, …/tick/…, …/daily/spy.zip) or bars as .csv or .csv.gz",
        path.display()
    )]
    Unknown {
        /// What was named.
        path: PathBuf,
    },
    /// A folder holds nothing that can be read.
    #[error("{}: no LEAN trade zips and no .csv in this folder", path.display())]
    Barren {
        /// The folder.
        path: PathBuf,
    },
    /// The symbol is not known.
    #[error("{}: the file does not say of which symbol it is; add --symbol", path.display())]
    NoSymbol {
        /// The file.
        path: PathBuf,
    },
    /// Files of several symbols.
    #[error("{}: is of {found}, not of {wanted}; one run is of one symbol", path.display())]
    OtherSymbol {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: Symbol,
        /// Whose the recording is.
        wanted: Symbol,
    },
    /// LEAN data that cannot be read.
    #[error(transparent)]
    Lean(#[from] lean::Error),
    /// Text that cannot be read.
    #[error(transparent)]
    Text(#[from] bar_text::Error),
}

/// One file, or the files of one day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// Daily bars; they come before all else, as when the engine starts.
    LeanDays {
        root: PathBuf,
        until: Option<Date>,
    },
    LeanDay {
        date: Date,
        root: PathBuf,
        is_ticks: bool,
    },
    Text(PathBuf),
}

/// Recorded data of one symbol.
#[derive(Clone, Debug)]
pub struct Recording {
    symbol: Symbol,
    splits: Vec<Split>,
    parts: Vec<Part>,
}

impl Recording {
    /// Looks what the paths are; reads nothing but factor files yet. `symbol` is needed where no path names it, and
    /// must agree where one does.
    pub fn open(paths: &[PathBuf], symbol: Option<Symbol>) -> Result<Self, Error> {
        let mut symbol = symbol;
        let mut parts = BTreeSet::new();
        let mut splits: Vec<Split> = Vec::new();
        for path in paths {
            for file in files(path)? {
                let Some(of) = lean::stock_file_of(&whole(&file)) else {
                    if !is_text(&file) {
                        return Err(Error::Unknown { path: file });
                    }
                    parts.insert(Part::Text(file));
                    continue;
                };
                let wanted = *symbol.get_or_insert(of.symbol);
                if wanted != of.symbol {
                    return Err(Error::OtherSymbol { path: file, found: of.symbol, wanted });
                }
                splits = lean::splits(&of.root, of.symbol)?;
                parts.insert(match (of.resolution.as_str(), of.date) {
                    ("daily", None) => Part::LeanDays { root: of.root, until: None },
                    ("minute", Some(date)) => Part::LeanDay { date, root: of.root, is_ticks: false },
                    ("tick", Some(date)) => Part::LeanDay { date, root: of.root, is_ticks: true },
                    _ => return Err(Error::Unknown { path: file }),
                });
            }
        }
        let first = || paths.first().cloned().unwrap_or_default();
        let symbol = symbol.ok_or_else(|| Error::NoSymbol { path: first() })?;
        Ok(Self { symbol, splits, parts: without_future(parts.into_iter().collect()) })
    }

    /// Whose it is.
    pub const fn symbol(&self) -> Symbol {
        self.symbol
    }

    /// The symbol's splits, as far as the source knows them.
    pub fn splits(&self) -> &[Split] {
        &self.splits
    }

    /// Every event in the order the engine would have heard it, a part (a file, a day) at a time.
    pub fn parts(&self) -> impl Iterator<Item = Result<Vec<Stamped>, Error>> {
        self.parts.iter().map(|part| self.load(part))
    }

    fn load(&self, part: &Part) -> Result<Vec<Stamped>, Error> {
        let symbol = self.symbol;
        Ok(match part {
            Part::LeanDays { root, until } => {
                let mut days = lean::equity_daily(root, symbol)?;
                days.retain(|bar| until.is_none_or(|until| bar.start.new_york().0 < until));
                bars(symbol, Timeframe::Day1, &days)
            }
            Part::LeanDay { date, root, is_ticks: true } => {
                lean_day(root, symbol, *date, lean::EquityData::Ticks)?
            }
            Part::LeanDay { date, root, is_ticks: false } => {
                only_needed_quotes(lean_day(root, symbol, *date, lean::EquityData::Bars)?)
            }
            Part::Text(file) => {
                let (timeframe, read) = bar_text::read(file)?;
                bars(symbol, timeframe, &read)
            }
        })
    }
}

/// Daily bars end where finer data begins: that day and those after it are made of what is finer.
fn without_future(mut parts: Vec<Part>) -> Vec<Part> {
    let first =
        parts.iter().find_map(|part| if let Part::LeanDay { date, .. } = part { Some(*date) } else { None });
    for part in &mut parts {
        if let Part::LeanDays { until, .. } = part {
            *until = first;
        }
    }
    parts
}

fn lean_day(
    root: &Path,
    symbol: Symbol,
    date: Date,
    equity: lean::EquityData,
) -> Result<Vec<Stamped>, Error> {
    Ok(lean::Day::load(root, symbol, date, lean::What { equity, options: false })?.events)
}

/// Finished bars as events, each known at its end.
fn bars(symbol: Symbol, timeframe: Timeframe, bars: &[Bar]) -> Vec<Stamped> {
    let known = |bar: &Bar| match timeframe {
        Timeframe::Min1 => bar.start + MINUTE,
        _ => session(bar.start.new_york().0).map_or(bar.start, |session| session.close),
    };
    let event = |bar: &Bar| MarketEvent::Bar { symbol, timeframe, bar: *bar, updated: false };
    bars.iter().map(|bar| Stamped { at: known(bar), event: event(bar) }).collect()
}

/// Leaves out the quotes of minutes that have a bar: the bar says all, and a finished bar is not mixed with ticks.
fn only_needed_quotes(events: Vec<Stamped>) -> Vec<Stamped> {
    let minute = |at: market::Timestamp| at.ns().div_euclid(MINUTE);
    let barred: BTreeSet<i64> = events
        .iter()
        .filter_map(
            |e| if let MarketEvent::Bar { bar, .. } = e.event { Some(minute(bar.start)) } else { None },
        )
        .collect();
    let is_needed = |e: &Stamped| match e.event {
        MarketEvent::Quote(Instrument::Stock(_), quote) => !barred.contains(&minute(quote.at)),
        _ => true,
    };
    events.into_iter().filter(is_needed).collect()
}

/// The files a path stands for.
fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if path.is_file() {
        return Ok(vec![path.into()]);
    }
    let Ok(listing) = path.read_dir() else { return Err(Error::Missing { path: path.into() }) };
    let is_readable = |file: &PathBuf| is_text(file) || lean::stock_file_of(&whole(file)).is_some();
    let mut files: Vec<PathBuf> = listing.flatten().map(|entry| entry.path()).filter(is_readable).collect();
    files.sort();
    if files.is_empty() { Err(Error::Barren { path: path.into() }) } else { Ok(files) }
}

fn is_text(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
    name.ends_with(".csv") || name.ends_with(".csv.gz")
}

/// The path from the root on, so that a file named from inside the layout is known too.
fn whole(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().expect("inside")).expect("a folder");
        std::fs::write(&file, text).expect("written");
        (folder, file)
    }

    fn fault(paths: &[PathBuf], symbol: Option<&str>) -> String {
        let symbol = symbol.map(|s| s.parse().expect("a symbol"));
        match Recording::open(paths, symbol) {
            Ok(recording) => recording.parts().find_map(Result::err).expect("a fault").to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_cannot_be_played_is_named_with_the_remedy() {
        let (folder, file) = written("notes.txt", "hello");
        assert!(fault(&[file], None).contains("notes.txt: not a kind of file this reads; give a LEAN zip"));
        assert!(
            fault(&[folder.path().into()], None).contains("no LEAN trade zips and no .csv in this folder")
        );
        assert!(fault(&[folder.path().join("gone.csv")], None).ends_with("gone.csv: no such file or folder"));
        let (_csv, file) = written("spy.csv", "time,open,high,low,close\n2024-02-20,1,2,1,2\n");
        assert!(fault(std::slice::from_ref(&file), None).contains("add --symbol"));
        let recording = Recording::open(&[file], Some(Symbol::literal("SPY"))).expect("playable");
        let events = recording.parts().next().expect("a part").expect("read");
        assert_eq!(events[0].at, session(Date::literal(2024, 2, 20)).expect("a session").close);
        let (_lean, file) = written("equity/usa/minute/spy/20131007_trade.zip", "no zip");
        assert!(fault(std::slice::from_ref(&file), None).contains("not readable as a zip"));
        assert!(fault(&[file], Some("QQQ")).contains("is of SPY, not of QQQ; one run is of one symbol"));
        let (_hour, file) = written("equity/usa/hour/spy.zip", "");
        assert!(fault(&[file], None).contains("not a kind of file this reads"));
    }
}
