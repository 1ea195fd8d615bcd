//! `wingspread journal`: what is on record, for people and for other programs. It reads beside a running engine and
//! never makes it wait.

mod kinds;
mod totals;
mod words;

use crate::cli::{self, JournalAction, Select};
use anyhow::{Context, ensure};
use journal::export::{self, Filter};
use journal::{Fault, Reader, Record};
use kinds::Chosen;
use std::collections::VecDeque;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

/// Records looked through at first when the newest are asked for; more each time that was too few.
const WINDOW: u64 = 4_096;

/// Lists, exports or sums up.
///
/// # Errors
/// No journal, an unknown kind, a file that cannot be written.
pub fn run(args: &cli::Journal, options: &cli::Run) -> anyhow::Result<ExitCode> {
    let folder = super::folder(options)?;
    let reader = Reader::open(&folder).with_context(|| {
        format!(
            "{}: nothing to read; `wingspread` makes a journal, --journal names another folder",
            folder.display()
        )
    })?;
    match &args.action {
        JournalAction::List(select) => list(&reader, select)?,
        JournalAction::Export { select, format, out } => export_to(&reader, select, *format, out.as_deref())?,
        JournalAction::Summary => super::print(&totals::text(&reader)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What was asked for, ready to be looked for.
struct Wanted {
    chosen: Chosen,
    filter: Filter,
    last: usize,
}

impl Wanted {
    fn new(select: &Select) -> anyhow::Result<Self> {
        ensure!(select.last >= 1, "--last {}: give at least 1", select.last);
        let chosen = kinds::chosen(&select.kind)?;
        let symbol = match &select.symbol {
            Some(text) => Some(
                text.to_uppercase()
                    .parse()
                    .with_context(|| format!("--symbol {text}: give a ticker such as SPY"))?,
            ),
            None => None,
        };
        let day = match &select.day {
            Some(text) => {
                Some(text.parse().ok().with_context(|| format!("--day {text}: give a date as 2026-03-16"))?)
            }
            None => None,
        };
        let filter =
            Filter { kind: chosen.kind, letters: chosen.letters.to_vec(), symbol, day, ..Filter::default() };
        Ok(Self { chosen, filter, last: select.last })
    }

    /// Numbers of the newest records wanted, oldest first, and what was damaged among those looked at.
    fn newest(&self, reader: &Reader) -> Result<(VecDeque<u64>, Damaged), Fault> {
        let last_seq = reader.last_seq()?;
        let mut window = WINDOW.max(2 * self.last as u64);
        loop {
            let from = last_seq.saturating_sub(window);
            let (mut numbers, mut damaged) = (VecDeque::new(), Vec::new());
            let filter = Filter { from_seq: Some(from), to_seq: Some(last_seq), ..self.filter.clone() };
            export::select(reader, &filter, &mut damaged, |record| {
                if self.chosen.likes(record) {
                    if numbers.len() == self.last {
                        numbers.pop_front();
                    }
                    numbers.push_back(record.seq);
                }
                Ok(())
            })?;
            if numbers.len() == self.last || from == 0 {
                return Ok((numbers, damaged));
            }
            window = window.saturating_mul(8);
        }
    }

    /// The wanted records again, from the first of `numbers` to the last.
    fn again(&self, numbers: &VecDeque<u64>) -> Option<Filter> {
        let (from_seq, to_seq) = (numbers.front().copied(), numbers.back().copied());
        from_seq.map(|_| Filter { from_seq, to_seq, ..self.filter.clone() })
    }
}

fn list(reader: &Reader, select: &Select) -> anyhow::Result<()> {
    let wanted = Wanted::new(select)?;
    let (numbers, damaged) = wanted.newest(reader)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut damaged_again = Vec::new();
    let listed = match wanted.again(&numbers) {
        None => writeln!(out, "nothing of that kind is on record").map_err(to_output),
        Some(filter) => writeln!(out, "{}", words::HEADING).map_err(to_output).and_then(|()| {
            export::select(reader, &filter, &mut damaged_again, |record| {
                if !wanted.chosen.likes(record) {
                    return Ok(());
                }
                writeln!(out, "{}", words::line(record)).map_err(to_output)
            })
        }),
    };
    enough(listed.and_then(|()| out.flush().map_err(to_output)))?;
    tell_damaged(&damaged);
    Ok(())
}

fn export_to(
    reader: &Reader,
    select: &Select,
    format: cli::Format,
    file: Option<&Path>,
) -> anyhow::Result<()> {
    let wanted = Wanted::new(select)?;
    let format = match format {
        cli::Format::Csv => export::Format::Csv,
        cli::Format::Jsonl => export::Format::JsonLines,
    };
    let (numbers, damaged) = wanted.newest(reader)?;
    match file {
        None => {
            let mut out = BufWriter::new(std::io::stdout().lock());
            enough(write_rows(reader, &wanted, &numbers, format, &mut out))?;
        }
        Some(path) => {
            let cannot = || format!("{}: cannot be written; name another file with --out", path.display());
            let mut out = BufWriter::new(std::fs::File::create(path).with_context(cannot)?);
            write_rows(reader, &wanted, &numbers, format, &mut out).with_context(cannot)?;
            println!("{} records written to {}", numbers.len(), path.display());
        }
    }
    tell_damaged(&damaged);
    Ok(())
}

/// The heading, then the records: in one go, or each by itself when the filter alone cannot tell them.
fn write_rows(
    reader: &Reader,
    wanted: &Wanted,
    numbers: &VecDeque<u64>,
    format: export::Format,
    out: &mut dyn Write,
) -> Result<(), Fault> {
    let nothing = Filter { from_seq: Some(1), to_seq: Some(0), ..Filter::default() };
    if !wanted.chosen.is_picky() {
        let filter = wanted.again(numbers).unwrap_or(nothing);
        return export::export(reader, &filter, format, out).map(|_| ());
    }
    let mut heading = Vec::new();
    export::export(reader, &nothing, format, &mut heading)?;
    out.write_all(&heading).map_err(to_output)?;
    for seq in numbers {
        let filter = Filter { from_seq: Some(*seq), to_seq: Some(*seq), ..Filter::default() };
        let mut row = Vec::new();
        export::export(reader, &filter, format, &mut row)?;
        out.write_all(row.strip_prefix(heading.as_slice()).unwrap_or(&row)).map_err(to_output)?;
    }
    out.flush().map_err(to_output)
}

fn to_output(source: std::io::Error) -> Fault {
    Fault::Io { what: "write to", path: "the output".into(), source }
}

/// A reader that has seen enough (`| head`) is no fault.
fn enough(written: Result<(), Fault>) -> Result<(), Fault> {
    match written {
        Err(Fault::Io { source, .. }) if source.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn tell_damaged(damaged: &Damaged) {
    if let Some((seq, why)) = damaged.first() {
        eprintln!("{} damaged records left out, the first is {seq}: {why}", damaged.len());
    }
}

/// Records that do not read: number and reason.
type Damaged = Vec<(u64, String)>;

/// Likes a record beyond what its header tells.
type Picky = fn(&Record) -> bool;

#[cfg(test)]
mod tests;
