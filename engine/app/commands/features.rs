//! `wingspread features`: what the engine would have seen of recorded data, as a table.

use crate::cli;
use anyhow::Context;
use history::columns::{Kind, Table, Value};
use history::recording::Recording;
use indicators::bars::Counts;
use indicators::features::{NAMES, schema_digest};
use indicators::walk::{Rows, Seen, Walk};
use market::quote::Timeframe;
use market::time::MINUTE;
use market::{Symbol, Timestamp};
use std::process::ExitCode;

/// Notes in the file: the digest of the feature schema, and the name of the first feature's column; `missing` and `atr`
/// (average true range in dollars: labels are measured in it) come after the last.
const SCHEMA_NOTE: &str = "wingspread.schema";
const FIRST_NOTE: &str = "wingspread.first_feature";
/// The columns before the features.
const BAR: [(&str, Kind); 12] = [
    ("time", Kind::Time),
    ("bar_start", Kind::Time),
    ("symbol", Kind::Text),
    ("timeframe", Kind::Text),
    ("closed", Kind::Flag),
    ("open", Kind::Number),
    ("high", Kind::Number),
    ("low", Kind::Number),
    ("close", Kind::Number),
    ("volume", Kind::Count),
    ("trades", Kind::Small),
    ("repaired", Kind::Flag),
];
/// Longer than the wait after the last event for late trades and for the clock to close its minute.
const AFTER_LAST_NS: i64 = MINUTE;

/// Reads, walks and writes.
///
/// # Errors
/// Whatever is wrong with the data or the file to write; nothing is left under its name then.
pub fn run(args: &cli::Features) -> anyhow::Result<ExitCode> {
    let symbol = args.symbol.as_deref().map(parse_symbol).transpose()?;
    let recording = Recording::open(&args.data, symbol)?;
    let timeframes = if args.timeframe.is_empty() { Timeframe::ALL.to_vec() } else { args.timeframe.clone() };
    let columns: Vec<(&str, Kind)> = BAR
        .into_iter()
        .chain(NAMES.map(|name| (name, Kind::Maybe)))
        .chain([("missing", Kind::Small), ("atr", Kind::Maybe)])
        .collect();
    // What a trainer writes into its manifests, so that the engine knows what its model reads.
    let notes = [(SCHEMA_NOTE, &*forecast::Schema::ours().digest), (FIRST_NOTE, NAMES[0])];
    let mut table = Table::create(&args.out, &columns, &notes)?;
    let rows = Rows { timeframes, every_tick: args.every_tick };
    let (events, counts) = walk(&recording, rows, &mut table)?;
    if table.rows() == 0 {
        anyhow::bail!(
            "{events} events of {} closed no bar of the timeframes asked for, so {} was not written: the data may lie \
             outside the exchange's sessions (a time without an offset is New York's), or end before a bar did",
            recording.symbol(),
            args.out.display()
        );
    }
    let written = table.finish()?;
    super::print(&said(args, &recording, events, written, &counts))?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a symbol in upper or lower case.
pub(super) fn parse_symbol(text: &str) -> anyhow::Result<Symbol> {
    let upper = text.to_ascii_uppercase();
    upper.parse().ok().with_context(|| format!("`{text}` is no symbol: write SPY or BRK.B"))
}

/// Plays the recording; answers how many events it has and what became of them.
fn walk(recording: &Recording, rows: Rows, table: &mut Table) -> anyhow::Result<(u64, Counts)> {
    let symbol = recording.symbol();
    let mut walk = Walk::new(symbol, recording.splits().to_vec(), rows);
    let (mut events, mut last) = (0, Timestamp::MIN);
    let mut failed = None;
    let mut tell = |seen: &Seen<'_>| {
        if failed.is_none() {
            failed = table.push(values(&symbol, seen)).err();
        }
    };
    for part in recording.parts() {
        for stamped in part? {
            if stamped.at < last {
                anyhow::bail!(
                    "the data goes back from {last} to {}: give files that follow each other, daily ones first",
                    stamped.at
                );
            }
            last = stamped.at;
            events += 1;
            walk.hear(stamped.at, &stamped.event, &mut tell);
        }
    }
    if events > 0 {
        walk.finish(last + AFTER_LAST_NS, &mut tell);
    }
    match failed {
        Some(error) => Err(error.into()),
        None => Ok((events, *walk.analysis().counts())),
    }
}

/// A row of the table.
fn values<'a>(symbol: &'a Symbol, seen: &'a Seen<'a>) -> impl Iterator<Item = Value<'a>> {
    let bar = &seen.bar;
    let head = [
        Value::Time(seen.at),
        Value::Time(bar.start),
        Value::Text(symbol.as_str()),
        Value::Text(seen.timeframe.name()),
        Value::Flag(seen.is_closed),
        Value::Number(bar.open.dollars()),
        Value::Number(bar.high.dollars()),
        Value::Number(bar.low.dollars()),
        Value::Number(bar.close.dollars()),
        Value::Count(bar.volume),
        Value::Small(bar.trades),
        Value::Flag(bar.repaired),
    ];
    let features = seen.row.iter().enumerate();
    let features = features.map(|(at, value)| Value::Maybe((!seen.missing.has(at)).then_some(*value)));
    let atr = Value::Maybe(seen.atr.map(|atr| atr as f32));
    head.into_iter().chain(features).chain([Value::Small(seen.missing.count()), atr])
}

/// What was done, for people.
fn said(args: &cli::Features, recording: &Recording, events: u64, rows: u64, counts: &Counts) -> String {
    let splits: Vec<String> =
        recording.splits().iter().map(|split| format!("{} ({:.4})", split.ex_date, split.ratio())).collect();
    let splits = if splits.is_empty() { "none known".into() } else { splits.join(", ") };
    format!(
        "{}: {rows} rows of {} features, schema {:016x}\n\
         {} events of {}: {} trades in bars ({} of them late), {} left out as late, {} outside the session, {} that may \
         change nothing, {} repeated, {} nonsense\nsplits: {splits}\n",
        args.out.display(),
        NAMES.len(),
        schema_digest(),
        events,
        recording.symbol(),
        counts.trades,
        counts.entered_late,
        counts.late,
        counts.outside,
        counts.ignored,
        counts.repeated,
        counts.nonsense,
    )
}
