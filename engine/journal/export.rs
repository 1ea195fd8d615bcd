//! Listing and exporting for people and other programs: a filter, and rows as CSV or JSON lines. A damaged record
//! is counted, named and skipped.

use crate::Fault;
use crate::record::{Body, Head, Kind, LetterKind, Record};
use crate::store::Reader;
use crate::tables;
use desk::{Address, Envelope, Letter};
use market::quote::MarketEvent;
use market::{Date, Instrument, Symbol};
use std::io::Write;

/// What to show. An empty filter shows everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only heard, only said, only runs.
    pub kind: Option<Kind>,
    /// Only these letters; all when empty.
    pub letters: Vec<LetterKind>,
    /// Only what concerns this underlying.
    pub symbol: Option<Symbol>,
    /// Only this New York date.
    pub day: Option<Date>,
    /// First number.
    pub from_seq: Option<u64>,
    /// Last number.
    pub to_seq: Option<u64>,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One line a record, for a terminal.
    List,
    /// A header line, then `seq,run,at,kind,from,to,letter,symbol,id,detail` with `detail` in JSON.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// What an export did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Records written.
    pub written: u64,
    /// Records that do not read: number and reason.
    pub damaged: Vec<(u64, String)>,
}

/// Writes what the filter lets through.
pub fn export(
    reader: &Reader,
    filter: &Filter,
    format: Format,
    out: &mut dyn Write,
) -> Result<Exported, Fault> {
    let mut done = Exported::default();
    let to_output = |source| Fault::Io { what: "write to", path: "the output".into(), source };
    if format == Format::Csv {
        out.write_all(b"seq,run,at,kind,from,to,letter,symbol,id,detail\n").map_err(to_output)?;
    }
    select(reader, filter, &mut done.damaged, |record| {
        done.written += 1;
        write_row(record, format, out).map_err(to_output)
    })?;
    out.flush().map_err(to_output)?;
    Ok(done)
}

/// Hands every record the filter lets through to `each`, and names the damaged ones.
pub fn select(
    reader: &Reader,
    filter: &Filter,
    damaged: &mut Vec<(u64, String)>,
    mut each: impl FnMut(&Record) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let (mut first, mut last) = (filter.from_seq.unwrap_or(0), filter.to_seq.unwrap_or(u64::MAX));
    if let Some(wanted) = filter.day {
        let days = reader.days()?;
        let Some((_, from, to)) = days.into_iter().find(|(day, ..)| *day == wanted) else { return Ok(()) };
        (first, last) = (first.max(from), last.min(to));
    }
    if first > last {
        return Ok(());
    }
    let plain = filter.clone();
    for entry in reader.scan(first..=last, Box::new(move |head| plain.likes_head(head))) {
        let entry = entry?;
        match entry.record {
            Ok(record) if filter.likes(&record) => each(&record)?,
            Ok(_) => {}
            Err(why) => damaged.push((entry.seq, why.to_string())),
        }
    }
    Ok(())
}

impl Filter {
    fn likes_head(&self, head: &Head) -> bool {
        self.kind.is_none_or(|kind| kind == head.kind)
            && (self.letters.is_empty() || self.letters.contains(&head.letter))
            && self.day.is_none_or(|day| head.at.new_york().0 == day)
    }

    fn likes(&self, record: &Record) -> bool {
        self.symbol.is_none_or(|symbol| record.envelope().and_then(symbol_of) == Some(symbol))
    }
}

/// The underlying a letter concerns, when it concerns one.
pub fn symbol_of(envelope: &Envelope) -> Option<Symbol> {
    if let Address::Underlying(symbol) = envelope.from {
        return Some(symbol);
    }
    if let Address::Underlying(symbol) = envelope.to {
        return Some(symbol);
    }
    match &envelope.letter {
        Letter::Market(event) => match event {
            MarketEvent::Quote(i, _) | MarketEvent::Trade(i, _) | MarketEvent::Status(i, _) => Some(root(*i)),
            MarketEvent::Cancel(symbol, ..) | MarketEvent::Bar { symbol, .. } => Some(*symbol),
            MarketEvent::OpenInterest(note) => Some(note.contract.root),
        },
        Letter::Propose(proposal) => Some(proposal.underlying),
        Letter::Cleared(cleared) => Some(cleared.proposal().underlying),
        Letter::Request(market::order::Request::Submit(ticket)) => Some(ticket.underlying),
        Letter::Fill(fill) => fill.execution.legs.first().map(|leg| root(leg.instrument)),
        Letter::Done(done) => Some(done.underlying),
        Letter::Position(position) => Some(position.underlying),
        Letter::Holding { holding, .. } => Some(root(holding.instrument)),
        Letter::Mark(mark) => Some(root(mark.instrument)),
        _ => None,
    }
}

fn root(instrument: Instrument) -> Symbol {
    match instrument {
        Instrument::Stock(symbol) => symbol,
        Instrument::Option(contract) => contract.root,
    }
}

/// The order or proposal a record tells of; empty when neither.
fn id_of(record: &Record) -> String {
    if let Some(order) = tables::orders_of(record)[0] {
        return order.to_string();
    }
    match record.envelope().map(|e| &e.letter) {
        Some(Letter::Propose(proposal)) => proposal.id.to_string(),
        Some(Letter::Decided(decision)) => decision.proposal.to_string(),
        Some(Letter::Cleared(cleared)) => cleared.proposal().id.to_string(),
        Some(Letter::Done(done)) => done.proposal.to_string(),
        Some(Letter::Position(position)) => position.id.to_string(),
        Some(Letter::Request(request)) => request.id().to_string(),
        Some(Letter::Report(report)) => report.id.to_string(),
        Some(Letter::Fill(fill)) => fill.order.to_string(),
        _ => String::new(),
    }
}

/// A short name of an address: `SPY`, `risk`.
pub fn address_name(address: Address) -> String {
    match address {
        Address::Underlying(symbol) => symbol.to_string(),
        Address::Risk => "risk".into(),
        Address::Execution => "execution".into(),
        Address::Venue => "venue".into(),
        Address::Record => "record".into(),
        Address::Operator => "operator".into(),
        Address::Shelf => "shelf".into(),
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Heard => "heard",
        Kind::Said => "said",
        Kind::Run => "run",
    }
}

fn detail(record: &Record) -> std::io::Result<String> {
    let text = match &record.body {
        Body::Letter(envelope) => serde_json::to_string(&envelope.letter),
        Body::Run(note) => serde_json::to_string(note),
    };
    text.map_err(std::io::Error::from)
}

fn write_row(record: &Record, format: Format, out: &mut dyn Write) -> std::io::Result<()> {
    let (from, to, symbol) = match record.envelope() {
        Some(e) => (address_name(e.from), address_name(e.to), symbol_of(e)),
        None => ("engine".into(), "record".into(), None),
    };
    let symbol = symbol.map(|s| s.to_string()).unwrap_or_default();
    let (seq, run, at, kind, letter) =
        (record.seq, record.run, record.at, kind_name(record.kind), record.letter().name());
    let (id, detail) = (id_of(record), detail(record)?);
    match format {
        Format::List => {
            writeln!(out, "{seq:>10} {at} {kind:<5} {from} -> {to} {letter} {id} {}", cut(&detail, 160))
        }
        Format::Csv => {
            let mut row = csv::WriterBuilder::new().has_headers(false).from_writer(out);
            let (seq, run, at) = (seq.to_string(), run.to_string(), at.to_string());
            let fields: [&str; 10] = [&seq, &run, &at, kind, &from, &to, letter, &symbol, &id, &detail];
            row.write_record(fields).map_err(std::io::Error::from)?;
            row.flush()
        }
        Format::JsonLines => {
            let text = |t: &str| serde_json::to_string(t).map_err(std::io::Error::from);
            writeln!(
                out,
                r#"{{"seq":{seq},"run":{run},"at":"{at}","kind":"{kind}","from":{},"to":{},"letter":"{letter}","symbol":{},"id":{},"detail":{detail}}}"#,
                text(&from)?,
                text(&to)?,
                text(&symbol)?,
                text(&id)?,
            )
        }
    }
}

fn cut(text: &str, most: usize) -> &str {
    match text.char_indices().nth(most) {
        Some((at, _)) => &text[..at],
        None => text,
    }
}
