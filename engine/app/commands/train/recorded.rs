//! Histories of what really happened: recorded data of other programs, or what the engine itself put on record. Both are
//! played through the walk that `features` uses; the bars that close on the way are kept.

use anyhow::{Context, ensure};
use history::recording::Recording;
use indicators::grid::session_date;
use indicators::splits::adjusted;
use indicators::walk::{Rows, Seen, Walk};
use journal::record::LetterKind;
use journal::store::Entry;
use journal::{Body, Kind, Reader, RunEvent};
use market::quote::{Bar, MarketEvent, Timeframe};
use market::split::Split;
use market::time::MINUTE;
use market::{Date, Symbol, Timestamp};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use training::History;

/// Closed bars of one symbol, by their start; days by their date.
#[derive(Default)]
struct Bars {
    days: BTreeMap<Date, Bar>,
    minutes: BTreeMap<Timestamp, Bar>,
    splits: Vec<Split>,
}

impl Bars {
    fn keep(&mut self, seen: &Seen<'_>) {
        if seen.timeframe == Timeframe::Day1 {
            let date = session_date(seen.bar.start);
            // Days start at midnight, as history's do.
            self.days.insert(date, Bar { start: date.at_new_york(0), ..seen.bar });
        } else {
            self.minutes.insert(seen.bar.start, seen.bar);
        }
    }

    /// All on the scale of the newest bar.
    fn history(self, symbol: Symbol) -> History {
        let newest = self.minutes.keys().next_back().map(|start| session_date(*start));
        let newest = newest.max(self.days.keys().next_back().copied());
        let scaled = |bar: Bar| {
            let date = session_date(bar.start);
            newest.map_or(bar, |newest| adjusted(&bar, date, newest, &self.splits))
        };
        History {
            symbol,
            days: self.days.into_values().map(scaled).collect(),
            minutes: self.minutes.into_values().map(scaled).collect(),
        }
    }
}

fn walk(symbol: Symbol, splits: &[Split]) -> Walk {
    let rows = Rows { timeframes: vec![Timeframe::Min1, Timeframe::Day1], every_tick: false };
    Walk::new(symbol, splits.to_vec(), rows)
}

fn histories(bars: BTreeMap<Symbol, Bars>) -> Vec<History> {
    let made = bars.into_iter().map(|(symbol, bars)| bars.history(symbol));
    made.filter(|history| !(history.days.is_empty() && history.minutes.is_empty())).collect()
}

/// What files and folders hold, a history a symbol. Each path is of one symbol; several may be of the same.
///
/// # Errors
/// What is wrong with the data.
pub fn files(paths: &[PathBuf], symbol: Option<Symbol>) -> anyhow::Result<Vec<History>> {
    let mut bars: BTreeMap<Symbol, Bars> = BTreeMap::new();
    for path in paths {
        let recording = Recording::open(std::slice::from_ref(path), symbol)?;
        let kept = bars.entry(recording.symbol()).or_default();
        // Only some kinds of file know of splits.
        if !recording.splits().is_empty() {
            kept.splits = recording.splits().to_vec();
        }
        let mut walk = walk(recording.symbol(), recording.splits());
        let mut last = Timestamp::MIN;
        for part in recording.parts() {
            for stamped in part? {
                ensure!(
                    stamped.at >= last,
                    "{}: the data goes back from {last} to {}; give such files one by one",
                    path.display(),
                    stamped.at
                );
                last = stamped.at;
                walk.hear(stamped.at, &stamped.event, &mut |seen| kept.keep(seen));
            }
        }
        if last > Timestamp::MIN {
            // Longer than the wait for late trades, so that the last minute closes.
            walk.finish(last + MINUTE, &mut |seen| kept.keep(seen));
        }
    }
    let made = histories(bars);
    ensure!(
        !made.is_empty(),
        "the data closes no bar of a minute or a day: it may lie outside the exchange's sessions"
    );
    Ok(made)
}

/// What the seats heard, a history a symbol. A run's seats start with history from the broker, so bars of several runs
/// overlap; the newest word on a bar counts.
///
/// # Errors
/// When the journal cannot be read or holds no market words.
pub fn journal(folder: &Path, splits: &[(Symbol, Split)]) -> anyhow::Result<Vec<History>> {
    let splits_of = |symbol: Symbol| -> Vec<Split> {
        splits.iter().filter(|(of, _)| *of == symbol).map(|(_, split)| *split).collect()
    };
    let reader =
        Reader::open(folder).context("`wingspread` makes a journal; --journal names another folder")?;
    let mut bars: BTreeMap<Symbol, Bars> = BTreeMap::new();
    let mut walks: BTreeMap<Symbol, Walk> = BTreeMap::new();
    let mut last = Timestamp::MIN;
    let wanted = |kind: Kind, letter: LetterKind| match kind {
        Kind::Heard => letter == LetterKind::Market,
        Kind::Run => true,
        Kind::Said => false,
    };
    // A running engine goes on writing: what comes after this moment is left for the next time.
    for entry in reader.scan(0..=reader.last_seq()?, Box::new(move |head| wanted(head.kind, head.letter))) {
        let Entry { record: Ok(record), .. } = entry? else { continue };
        match record.body {
            Body::Run(note) if note.event == RunEvent::Started => finish(&mut walks, last, &mut bars),
            Body::Letter(envelope) => {
                if let desk::Letter::Market(event) = &envelope.letter
                    && let Some(symbol) = stock(event)
                {
                    let kept = bars.entry(symbol).or_default();
                    let walk = walks.entry(symbol).or_insert_with(|| walk(symbol, &splits_of(symbol)));
                    walk.hear(record.at, event, &mut |seen| kept.keep(seen));
                    last = record.at;
                }
            }
            Body::Run(_) => {}
        }
    }
    finish(&mut walks, last, &mut bars);
    bars.iter_mut().for_each(|(symbol, kept)| kept.splits = splits_of(*symbol));
    let made = histories(bars);
    ensure!(
        !made.is_empty(),
        "{}: no bars on record; `journal.keep_inputs` must be on, and a session must have been heard",
        folder.display()
    );
    Ok(made)
}

/// What looks like a split that nobody told of: the broker's bars are raw, and no letter tells of one.
pub fn leaps(histories: &[History]) -> Vec<String> {
    let of = |history: &History| -> Vec<String> {
        let symbol = history.symbol;
        let pairs = history.days.windows(2);
        let leap = |pair: &[Bar]| {
            let ratio = pair[0].close.dollars() / pair[1].open.dollars();
            let (new, old) = if ratio >= 1.0 { (ratio.round(), 1.0) } else { (1.0, (1.0 / ratio).round()) };
            let is_near = (ratio * old / new - 1.0).abs() < LEAP_NEAR;
            let date = session_date(pair[1].start);
            (is_near && new != old).then(|| {
                format!(
                    "{symbol}: {date} opens at {} after a close of {}; if that was a split, say \
                     --split {symbol}={date}:{new}/{old}",
                    pair[1].open, pair[0].close
                )
            })
        };
        pairs.filter_map(leap).collect()
    };
    histories.iter().flat_map(of).collect()
}

/// How near a whole ratio an opening must be to look like a split.
const LEAP_NEAR: f64 = 0.12;

/// Ends the walks of a run whose last word came at `last`: its last minute closes, and the day when that was its end.
fn finish(walks: &mut BTreeMap<Symbol, Walk>, last: Timestamp, bars: &mut BTreeMap<Symbol, Bars>) {
    for (symbol, mut walk) in std::mem::take(walks) {
        let kept = bars.entry(symbol).or_default();
        // Longer than the wait for late trades, so that the last minute closes.
        walk.finish(last + MINUTE, &mut |seen| kept.keep(seen));
    }
}

/// The stock an event is of.
fn stock(event: &MarketEvent) -> Option<Symbol> {
    match event {
        MarketEvent::Quote(market::Instrument::Stock(symbol), _)
        | MarketEvent::Trade(market::Instrument::Stock(symbol), _)
        | MarketEvent::Cancel(symbol, ..)
        | MarketEvent::Bar { symbol, .. } => Some(*symbol),
        _ => None,
    }
}

/// What histories hold, for a manifest: symbols, numbers of bars, first and last date.
pub fn words(histories: &[History]) -> String {
    let bars = || histories.iter().flat_map(|h| h.days.iter().chain(&h.minutes));
    let dates = || bars().map(|bar| session_date(bar.start));
    let names: Vec<&str> = histories.iter().take(20).map(|h| h.symbol.as_str()).collect();
    let more = if histories.len() > names.len() { " and more" } else { "" };
    let (days, minutes) =
        histories.iter().fold((0, 0), |sum, h| (sum.0 + h.days.len(), sum.1 + h.minutes.len()));
    let span =
        dates().min().zip(dates().max()).map_or(String::new(), |(from, to)| format!(", {from} to {to}"));
    format!("{}{more}, {days} days and {minutes} minutes{span}", names.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::{Money, Price};

    fn day(date: Date, open: i64, close: i64) -> Bar {
        let price = Price::from_cents;
        Bar {
            start: date.at_new_york(0),
            open: price(open),
            high: price(open.max(close)),
            low: price(open.min(close)),
            close: price(close),
            volume: 100,
            trades: 1,
            turnover: Money::ZERO,
            repaired: false,
        }
    }

    #[test]
    fn what_looks_like_a_split_is_told_and_told_of_it_is_none() {
        let (before, after) = (Date::literal(2020, 8, 28), Date::literal(2020, 8, 31));
        let symbol = Symbol::literal("AAPL");
        let days = [day(before, 50_405, 49_923), day(after, 12_758, 12_904)];
        let history = |splits: Vec<Split>| {
            let days = days.iter().map(|bar| (session_date(bar.start), *bar)).collect();
            Bars { days, minutes: BTreeMap::new(), splits }.history(symbol)
        };
        let said = leaps(&[history(vec![])]);
        assert_eq!(said.len(), 1);
        assert!(said[0].ends_with("say --split AAPL=2020-08-31:4/1"), "{said:?}");
        let told = history(vec![Split::new(after, 4, 1).expect("a ratio")]);
        assert!(leaps(std::slice::from_ref(&told)).is_empty());
        assert_eq!(told.days[0].close, Price::from_units(1_248_075));
        // A bad night is none.
        let fallen = History { days: vec![day(before, 100, 100), day(after, 70, 71)], ..told };
        assert!(leaps(&[fallen]).is_empty());
    }
}
