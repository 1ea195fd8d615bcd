//! `wingspread rerun`: the journal's recorded input to fresh seats, and what they say held against the record.
//!
//! Symbols' seats start fresh with each run on record. Risk and execution are brought to where each run's start
//! brought them, by the recovery itself: they hear again what they had heard in the runs before.

use crate::settings::Settings;
use crate::{cli, run, seats};
use anyhow::{Context, ensure};
use backtest::rerun::{self, Rerun};
use desk::ShelfSeat;
use desk::letter::{Address, Envelope, Letter};
use desk::seat::{ExecutionSeat, Outbox, RiskSeat, Seat, UnderlyingSeat};
use forecast::notes::ModelNote;
use forecast::shelf::notes::ShelfLetter;
use journal::store::Entry;
use journal::{Body, Fault, Kind, Reader, Record, Recovered, RunEvent, RunNote};
use market::alert::{AlertNote, Severity};
use market::order::ReasonText;
use market::{Label, RunId, Symbol, Timestamp};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Reruns as often as asked and prints what was found.
///
/// # Errors
/// When the journal cannot be read or does not hold the input.
pub fn run(args: &cli::Rerun, options: &cli::Run) -> anyhow::Result<ExitCode> {
    ensure!(args.times >= 1, "--times {}: give at least 1", args.times);
    let settings = run::settings(options)?;
    let reader = Reader::open(&settings.journal_folder)
        .context("nothing to rerun; `wingspread` makes a journal, --journal names another folder")?;
    // A running engine goes on writing: every rerun ends at the same record.
    let last = reader.last_seq()?;
    let from = whole_from(&reader)?;
    let mut digests = BTreeSet::new();
    let mut is_same = true;
    for n in 1..=args.times {
        let done = once(&settings, &reader, from, last)?;
        digests.insert(done.found.digest);
        is_same &= done.is_same();
        if n == 1 {
            super::print(&done.text(&settings, from, last))?;
        } else {
            super::print(&format!("again, {n} of {}: digest {}\n", args.times, hex(&done.found.digest)))?;
        }
    }
    let verdict = verdict(is_same, digests.len(), args.times);
    super::print(&format!("{verdict}\n"))?;
    Ok(if is_same && digests.len() == 1 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn verdict(is_same: bool, digests: usize, times: u32) -> String {
    match (is_same, digests) {
        (_, 2..) => format!(
            "FAULT: {times} reruns said {digests} different things: a seat draws on something it did not hear"
        ),
        (true, _) if times > 1 => format!("the same as on record, byte for byte, {times} times"),
        (true, _) => "the same as on record, byte for byte".to_string(),
        (false, _) => {
            "DIFFERENT from the record: were settings, models and program the same then as now?".to_string()
        }
    }
}

/// The first record from which the input is whole: the start of a run, after anything forgotten.
fn whole_from(reader: &Reader) -> anyhow::Result<u64> {
    let pruned_to = reader.pruned_to()?;
    if pruned_to == 0 {
        return Ok(0);
    }
    let starts = reader.scan(pruned_to..=u64::MAX, Box::new(|head| head.kind == Kind::Run));
    for entry in starts {
        let entry = entry?;
        if let Ok(Record { body: Body::Run(note), .. }) = &entry.record
            && note.event == RunEvent::Started
        {
            return Ok(entry.seq);
        }
    }
    anyhow::bail!(
        "{}: market inputs below record {pruned_to} were forgotten (journal.prune_above_pct) and no run began since: \
         nothing here is whole enough to rerun; raise journal.map_size for the next one",
        reader.dir().display()
    )
}

/// One rerun and what to say about it.
struct Done {
    found: Rerun,
    /// Models the record names that the folder lacks.
    missing: BTreeSet<String>,
    /// Market words heard.
    market: u64,
    /// Versions of the program on record.
    versions: BTreeSet<Label>,
    /// The last run, when the record does not tell its end.
    unended: Option<u32>,
}

impl Done {
    fn is_same(&self) -> bool {
        self.found.is_same() && self.missing.is_empty() && self.found.heard > 0
    }

    fn text(&self, settings: &Settings, from: u64, last: u64) -> String {
        let mut text = format!("rerun of {}, records {from} to {last}\n", settings.journal_folder.display());
        for version in self.versions.iter().filter(|v| v.as_str() != env!("CARGO_PKG_VERSION")) {
            let _ =
                writeln!(text, "note: recorded by version {version}, this is {}", env!("CARGO_PKG_VERSION"));
        }
        if let Some(run) = self.unended {
            let _ = writeln!(
                text,
                "note: run {run} has no end on record (it runs, or was killed): compared as far as it goes"
            );
        }
        for missing in &self.missing {
            let _ = writeln!(text, "missing: {missing}");
        }
        if self.found.heard == 0 {
            let _ = writeln!(text, "nothing was heard: the record holds no run to rerun");
        } else if self.market == 0 {
            let _ = writeln!(
                text,
                "no market word is on record: with `journal.keep_inputs: false` a run cannot be rerun"
            );
        }
        let _ = writeln!(text, "{}", self.found);
        text
    }
}

fn once(settings: &Settings, reader: &Reader, from: u64, last: u64) -> anyhow::Result<Done> {
    let at = Cell::new(0);
    let mut seats = Fresh::new(settings, reader, &at);
    let mut noted = Noted::default();
    let records = Input { scan: reader.scan(from..=last, Box::new(|_| true)), at: &at, noted: &mut noted };
    let found = rerun::rerun(records, &mut seats)?;
    let Fresh { missing, market, failed, .. } = seats;
    if let Some(fault) = failed {
        return Err(fault).context("what risk and execution heard in earlier runs cannot be read back");
    }
    Ok(Done { found, missing, market, versions: noted.versions, unended: noted.running.map(|note| note.run) })
}

/// What the records tell besides letters.
#[derive(Default)]
struct Noted {
    versions: BTreeSet<Label>,
    /// The run whose end has not come by.
    running: Option<RunNote>,
}

/// Records on their way to the rerun. A run without an end gets one, so that what its last group cut off does not
/// count as a difference.
struct Input<'a> {
    scan: journal::store::Scan,
    at: &'a Cell<u64>,
    noted: &'a mut Noted,
}

impl Input<'_> {
    fn note(&mut self, note: &RunNote) {
        self.noted.versions.insert(note.version);
        self.noted.running = (note.event == RunEvent::Started).then(|| note.clone());
    }
}

impl Iterator for Input<'_> {
    type Item = Result<Entry, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.scan.next();
        match &next {
            Some(Ok(entry)) => {
                self.at.set(entry.seq);
                if let Ok(Record { body: Body::Run(note), .. }) = &entry.record {
                    self.note(note);
                }
            }
            Some(Err(_)) => {}
            None => return self.end_of_unended(),
        }
        next
    }
}

impl Input<'_> {
    fn end_of_unended(&mut self) -> Option<Result<Entry, Fault>> {
        let seq = self.at.get();
        // Only once: the number says that it was given.
        let running = self.noted.running.as_ref().filter(|_| seq != u64::MAX)?;
        self.at.set(u64::MAX);
        let event = RunEvent::FoundDead { drained: 0, dropped: 0, refused: 0 };
        let note = RunNote { event, ..running.clone() };
        let record = Record { seq, run: note.run, at: note.at, kind: Kind::Run, body: Body::Run(note) };
        Some(Ok(Entry { seq, record: Ok(record) }))
    }
}

/// Seats that have heard nothing but what a start gives them.
struct Fresh<'a> {
    settings: &'a Settings,
    reader: &'a Reader,
    /// Number of the record being taken.
    at: &'a Cell<u64>,
    run: RunId,
    symbols: BTreeMap<Symbol, UnderlyingSeat>,
    risk: RiskSeat,
    execution: ExecutionSeat,
    models: ShelfSeat,
    shelf: Shelf,
    out: Outbox,
    missing: BTreeSet<String>,
    market: u64,
    failed: Option<Fault>,
}

impl<'a> Fresh<'a> {
    fn new(settings: &'a Settings, reader: &'a Reader, at: &'a Cell<u64>) -> Self {
        Self {
            settings,
            reader,
            at,
            run: RunId::default(),
            symbols: BTreeMap::new(),
            risk: seats::risk(settings),
            execution: seats::execution(settings, RunId::default()),
            models: seats::shelf(settings),
            shelf: Shelf {
                folder: settings.models.folder.clone(),
                limits: settings.models.limits(),
                compiled: BTreeMap::new(),
            },
            out: Outbox::new(),
            missing: BTreeSet::new(),
            market: 0,
            failed: None,
        }
    }

    fn offer(&mut self, symbol: Symbol, note: &ModelNote) {
        match self.shelf.plan(note) {
            Ok(plan) => seat_of(&mut self.symbols, self.settings, symbol, self.run).offer(note, plan),
            Err(why) => {
                self.missing.insert(why);
            }
        }
    }

    /// As the engine does it: what was half said is thrown away, the operator learns the letter, and a symbol's
    /// seat is made anew.
    fn panicked(&mut self, letter: &Envelope) {
        self.out.clear();
        let at = letter.at;
        let detail = ReasonText::format(format_args!("{:?} at {at} hearing {:?}", letter.to, letter.letter));
        let what = Label::literal("seat_panicked");
        let alert = AlertNote { severity: Severity::Critical, what, detail, at };
        self.out.push((Address::Operator, Letter::Alert(alert)));
        if let Address::Underlying(symbol) = letter.to {
            let failed = seat_of(&mut self.symbols, self.settings, symbol, self.run);
            *failed = seats::underlying_after(&self.settings.strategy, symbol, self.run, failed);
        }
    }
}

fn seat_of<'s>(
    symbols: &'s mut BTreeMap<Symbol, UnderlyingSeat>,
    settings: &Settings,
    symbol: Symbol,
    run: RunId,
) -> &'s mut UnderlyingSeat {
    symbols.entry(symbol).or_insert_with(|| seats::underlying(&settings.strategy, symbol, run))
}

impl rerun::Seats for Fresh<'_> {
    fn begin(&mut self, note: &RunNote) {
        self.run = note.run_id();
        self.symbols.clear();
        let recovered = Recovered {
            run: note.run,
            nonce: 0,
            drained: 0,
            torn: Vec::new(),
            last_seq: self.at.get().saturating_sub(1),
            reader: self.reader.clone(),
        };
        let (risk, execution) = (seats::risk(self.settings), seats::execution(self.settings, self.run));
        match live::recover::restore(&recovered, risk, execution) {
            Ok(restored) => (self.risk, self.execution) = (restored.risk, restored.execution),
            Err(fault) => self.failed = self.failed.take().or(Some(fault)),
        }
        match live::recover::restore_shelf(&recovered, seats::shelf(self.settings)) {
            Ok(models) => self.models = models,
            Err(fault) => self.failed = self.failed.take().or(Some(fault)),
        }
    }

    fn hear(&mut self, now: Timestamp, letter: &Envelope, out: &mut Vec<Envelope>) {
        self.market += u64::from(matches!(letter.letter, Letter::Market(_)));
        if let (Address::Underlying(symbol), Letter::Model(note) | Letter::Shelf(ShelfLetter::Shadow(note))) =
            (letter.to, &letter.letter)
            && !note.name.is_empty()
        {
            self.offer(symbol, note);
        }
        let seat: &mut dyn Seat = match letter.to {
            Address::Underlying(symbol) => seat_of(&mut self.symbols, self.settings, symbol, self.run),
            Address::Risk => &mut self.risk,
            Address::Execution => &mut self.execution,
            Address::Shelf => &mut self.models,
            Address::Venue | Address::Record | Address::Operator => return,
        };
        let said = &mut self.out;
        let heard = catch_unwind(AssertUnwindSafe(|| seat.hear(now, &letter.letter, said)));
        if heard.is_err() {
            self.panicked(letter);
        }
        let from = letter.to;
        out.extend(self.out.drain(..).map(|(to, letter)| Envelope { from, to, at: now, letter }));
    }
}

/// The models folder, by what the record names.
struct Shelf {
    folder: PathBuf,
    limits: onnx::Limits,
    compiled: BTreeMap<(Label, Label, u64), onnx::Compiled>,
}

impl Shelf {
    /// A plan of the very model that was announced, or why not, for people.
    fn plan(&mut self, note: &ModelNote) -> Result<Box<dyn forecast::Plan>, String> {
        // Two versions may hold the same file with other papers.
        let key = (note.name, note.version, note.digest);
        if !self.compiled.contains_key(&key) {
            let compiled = load(&self.folder, &self.limits, note)?;
            self.compiled.insert(key, compiled);
        }
        self.compiled.get(&key).map(onnx::Compiled::spawn).ok_or_else(|| "no model".to_string())
    }
}

fn load(folder: &Path, limits: &onnx::Limits, note: &ModelNote) -> Result<onnx::Compiled, String> {
    let ModelNote { name, version, digest, .. } = note;
    let place = folder.join(name.as_str()).join(version.as_str());
    let loaded = onnx::load_dir_within(&place, limits)
        .map_err(|e| format!("model {name} {version} ({digest:016x}): {e}"))?;
    if loaded.digest != *digest {
        return Err(format!(
            "model {name} {version} was {digest:016x}, {} holds {:016x} now: put the one that was used back",
            place.display(),
            loaded.digest
        ));
    }
    Ok(loaded.compiled)
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
