//! Runs a journal's recorded input again: every letter that was heard is given, in order, to fresh seats, and what they
//! say is compared, byte for byte, with what was said then. A digest over everything said lets two reruns be
//! compared with each other.
//!
//! What a seat says follows what it heard, but between the two other seats may have heard and spoken: so what is
//! expected waits in one queue a seat, and each recorded saying is held against the head of its seat's queue.

use desk::{Address, Envelope};
use journal::record::{Encoder, TooLarge};
use journal::store::Entry;
use journal::{Body, Kind, Reader, Record, RunEvent, RunNote};
use market::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// The seats to be run again.
pub trait Seats {
    /// A run of the engine began: underlying seats start fresh, risk and execution go on with what they heard in
    /// earlier runs, as recovery gives it to them.
    fn begin(&mut self, run: &RunNote);

    /// The addressee hears the letter at `now`; what it says is pushed onto `out` in order, each letter with its
    /// sender and addressee, and `now` as its time.
    fn hear(&mut self, now: Timestamp, letter: &Envelope, out: &mut Vec<Envelope>);
}

/// Why a rerun ended early.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] journal::Fault),
    /// A record does not read, so the input has a gap.
    #[error("record {seq} does not read ({why}): a rerun needs the whole input; choose a range without it")]
    Gap {
        /// Its number.
        seq: u64,
        /// What is wrong.
        why: String,
    },
    /// The range begins before what the journal still has.
    #[error("market inputs below record {kept_from} were forgotten: choose a run that begins after it")]
    Forgotten {
        /// The first number from which the input is whole.
        kept_from: u64,
    },
    /// A letter larger than any record: a fault of the seat.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// The first place where the rerun and the record part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Number of the record: what was said, or, when the record has nothing, the last one read.
    pub seq: u64,
    /// The seat that spoke.
    pub seat: Address,
    /// What the record has; `None` when the seat says more than the record has.
    pub recorded: Option<String>,
    /// What the seat says now; `None` when it says nothing more.
    pub repeated: Option<String>,
}

/// What a rerun found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rerun {
    /// Runs of the engine that began in the range.
    pub runs: u64,
    /// Letters heard.
    pub heard: u64,
    /// Letters said now.
    pub said: u64,
    /// Letters said then, by seats that were run again.
    pub recorded: u64,
    /// Letters that are the same, byte for byte.
    pub same: u64,
    /// Letters that differ, are missing now, or were missing then.
    pub different: u64,
    /// Letters said now at the very end of a killed run, whose record the kill cut off. Not counted as different.
    pub cut_off: u64,
    /// Records that found no room when they were made (as far as runs noted their ends): input is missing.
    pub lost: u64,
    /// The first difference.
    pub first: Option<Difference>,
    /// SHA-256 over everything said now, in order.
    pub digest: [u8; 32],
}

impl Rerun {
    /// True when everything said is the same and the input was whole.
    pub fn is_same(&self) -> bool {
        self.different == 0 && self.lost == 0
    }
}

impl fmt::Display for Rerun {
    /// A few lines for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, heard, said, recorded, same, different, cut_off, lost, .. } = self;
        writeln!(f, "{heard} letters of {runs} runs heard again, {said} said ({recorded} on record)")?;
        writeln!(f, "{same} the same byte for byte, {different} different, {cut_off} cut off by a kill")?;
        if *lost > 0 {
            writeln!(f, "{lost} records found no room when they were made: the input is not whole")?;
        }
        if let Some(first) = &self.first {
            let none = || "nothing".to_string();
            writeln!(f, "first difference at {} by {:?}:", first.seq, first.seat)?;
            writeln!(f, "  then {}", first.recorded.clone().unwrap_or_else(none))?;
            writeln!(f, "  now  {}", first.repeated.clone().unwrap_or_else(none))?;
        }
        write!(f, "digest ")?;
        self.digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Runs a journal again from record `from` on: 0, or the number of a run's start.
pub fn rerun_from(reader: &Reader, from: u64, seats: &mut dyn Seats) -> Result<Rerun, Fault> {
    let kept_from = reader.pruned_to()?;
    if from < kept_from {
        return Err(Fault::Forgotten { kept_from });
    }
    rerun(reader.scan(from..=u64::MAX, Box::new(|_| true)), seats)
}

/// Runs records again, in order. A journal gives them with [`journal::Reader::all`] or `scan`.
pub fn rerun(
    records: impl IntoIterator<Item = Result<Entry, journal::Fault>>,
    seats: &mut dyn Seats,
) -> Result<Rerun, Fault> {
    let mut state = Comparison::new();
    for entry in records {
        let Entry { seq, record } = entry?;
        let record = record.map_err(|why| Fault::Gap { seq, why: why.to_string() })?;
        state.take(&record, seats)?;
    }
    Ok(state.finish())
}

struct Comparison {
    found: Rerun,
    /// What each seat said now and the record has not yet shown.
    waiting: BTreeMap<Address, VecDeque<Envelope>>,
    said: Vec<Envelope>,
    digest: Sha256,
    encoders: (Encoder, Encoder),
    last_seq: u64,
}

impl Comparison {
    fn new() -> Self {
        Self {
            found: Rerun::default(),
            waiting: BTreeMap::new(),
            said: Vec::with_capacity(64),
            digest: Sha256::new(),
            encoders: (Encoder::new(), Encoder::new()),
            last_seq: 0,
        }
    }

    fn take(&mut self, record: &Record, seats: &mut dyn Seats) -> Result<(), Fault> {
        self.last_seq = record.seq;
        match &record.body {
            Body::Run(note) => self.run(note, seats),
            Body::Letter(envelope) if record.kind == Kind::Heard => self.hear(envelope, seats)?,
            Body::Letter(envelope) => self.compare(record.seq, envelope)?,
        }
        Ok(())
    }

    fn run(&mut self, note: &RunNote, seats: &mut dyn Seats) {
        match note.event {
            RunEvent::Started => {
                self.run_is_over(false);
                self.found.runs += 1;
                seats.begin(note);
            }
            RunEvent::Ended { dropped, refused } => {
                self.found.lost += dropped + refused;
                self.run_is_over(false);
            }
            RunEvent::FoundDead { dropped, refused, .. } => {
                self.found.lost += dropped + refused;
                self.run_is_over(true);
            }
        }
    }

    fn hear(&mut self, envelope: &Envelope, seats: &mut dyn Seats) -> Result<(), Fault> {
        if !is_run_again(envelope.to) {
            return Ok(());
        }
        self.found.heard += 1;
        self.said.clear();
        seats.hear(envelope.at, envelope, &mut self.said);
        for said in self.said.drain(..) {
            self.found.said += 1;
            let length = self.encoders.0.letter(0, Kind::Said, &said)?;
            self.digest.update((length as u64).to_le_bytes());
            self.digest.update(self.encoders.0.numbered(length, 0));
            self.waiting.entry(said.from).or_default().push_back(said);
        }
        Ok(())
    }

    fn compare(&mut self, seq: u64, recorded: &Envelope) -> Result<(), Fault> {
        let seat = recorded.from;
        if !is_run_again(seat) {
            return Ok(());
        }
        self.found.recorded += 1;
        let Some(now) = self.waiting.get_mut(&seat).and_then(VecDeque::pop_front) else {
            self.differ(seq, seat, Some(recorded), None);
            return Ok(());
        };
        let (then_encoder, now_encoder) = (&mut self.encoders.0, &mut self.encoders.1);
        let lengths =
            (then_encoder.letter(0, Kind::Said, recorded)?, now_encoder.letter(0, Kind::Said, &now)?);
        if then_encoder.numbered(lengths.0, 0) == now_encoder.numbered(lengths.1, 0) {
            self.found.same += 1;
        } else {
            self.differ(seq, seat, Some(recorded), Some(&now));
        }
        Ok(())
    }

    fn differ(&mut self, seq: u64, seat: Address, then: Option<&Envelope>, now: Option<&Envelope>) {
        self.found.different += 1;
        let text = |envelope: &Envelope| format!("{envelope:?}");
        self.found.first.get_or_insert_with(|| Difference {
            seq,
            seat,
            recorded: then.map(text),
            repeated: now.map(text),
        });
    }

    /// What still waits was not on record: cut off when the run was killed, else a difference.
    fn run_is_over(&mut self, killed: bool) {
        for (seat, waiting) in std::mem::take(&mut self.waiting) {
            for said in waiting {
                if killed {
                    self.found.cut_off += 1;
                } else {
                    self.differ(self.last_seq, seat, None, Some(&said));
                }
            }
        }
    }

    fn finish(mut self) -> Rerun {
        self.run_is_over(false);
        self.found.digest = self.digest.finalize().into();
        self.found
    }
}

/// The venue, the operator and the record are outside: what they say is input.
fn is_run_again(seat: Address) -> bool {
    matches!(seat, Address::Underlying(_) | Address::Risk | Address::Execution | Address::Shelf)
}

#[cfg(test)]
mod tests {
    use super::*;
    use desk::Letter;
    use journal::{Durability, Journal, Pen, RunStart, Settings};
    use market::alert::{AlertNote, Severity};
    use market::{Label, Symbol, text::Text};
    use std::path::Path;

    const SPY: Address = Address::Underlying(Symbol::literal("SPY"));
    const QQQ: Address = Address::Underlying(Symbol::literal("QQQ"));

    /// Seats that answer every letter with as many letters as they have heard in this run, at most three, and
    /// go wrong at one of them when asked to.
    #[derive(Default)]
    struct Counting {
        heard: BTreeMap<Address, u64>,
        wrong_at: Option<u64>,
        total: u64,
    }

    impl Seats for Counting {
        fn begin(&mut self, _: &RunNote) {
            self.heard.retain(|seat, _| *seat == Address::Risk);
        }

        fn hear(&mut self, now: Timestamp, letter: &Envelope, out: &mut Vec<Envelope>) {
            let count = self.heard.entry(letter.to).or_default();
            *count += 1;
            self.total += 1;
            let off = u64::from(self.wrong_at == Some(self.total));
            for i in 0..(*count % 4) {
                let what = Label::literal("heard");
                let detail = Text::format(format_args!("{} {i}", *count + off));
                let note = AlertNote { severity: Severity::Info, what, detail, at: now };
                out.push(Envelope {
                    from: letter.to,
                    to: Address::Operator,
                    at: now,
                    letter: Letter::Alert(note),
                });
            }
        }
    }

    fn settings() -> Settings {
        Settings {
            ring_bytes: 1 << 20,
            ring_dir: None,
            pens: 1,
            group_records: 1000,
            group_ms: 1,
            map_size_mb: 32,
            durability: Durability::Process,
            prune_above_percent: None,
        }
    }

    fn wake(n: i64) -> Envelope {
        let to = [SPY, Address::Risk, QQQ][n as usize % 3];
        Envelope { from: to, to, at: Timestamp::from_ns(n), letter: Letter::Wake }
    }

    /// Records `count` letters and the answers, which come one letter later, as on another thread.
    fn live(pen: &mut Pen, seats: &mut Counting, count: i64, say: impl Fn(i64) -> bool) {
        let mut late = Vec::new();
        for n in 0..count {
            let envelope = wake(n);
            assert!(pen.heard(&envelope));
            let mut out = Vec::new();
            seats.hear(envelope.at, &envelope, &mut out);
            for said in late.drain(..) {
                assert!(pen.said(&said));
            }
            late = if say(n) { out } else { Vec::new() };
        }
        for said in late {
            assert!(pen.said(&said));
        }
    }

    fn run(dir: &Path, seats: &mut Counting, killed: bool, say: impl Fn(i64) -> bool) {
        let start = RunStart { version: Label::literal("t"), seeds: Vec::new(), at: Timestamp::from_ns(0) };
        let mut opened = Journal::open(dir, &settings(), &start).expect("opens");
        let note = RunNote {
            run: opened.recovered.run,
            event: RunEvent::Started,
            version: start.version,
            seeds: Vec::new(),
            at: start.at,
        };
        seats.begin(&note);
        live(&mut opened.pens[0], seats, 200, say);
        if !killed {
            opened.journal.close(Timestamp::from_ns(200)).expect("closes");
        }
    }

    fn again(dir: &Path, wrong_at: Option<u64>) -> Rerun {
        let reader = Reader::open(dir).expect("opens");
        rerun_from(&reader, 0, &mut Counting { wrong_at, ..Counting::default() }).expect("runs")
    }

    #[test]
    fn the_same_seats_say_the_same_over_several_runs_twice() {
        let dir = tempfile::tempdir().expect("temp");
        let mut seats = Counting::default();
        for _ in 0..3 {
            run(dir.path(), &mut seats, false, |_| true);
        }
        let (first, second) = (again(dir.path(), None), again(dir.path(), None));
        assert!(first.is_same(), "{first}");
        assert_eq!((first.runs, first.heard), (3, 600));
        assert!(first.same > 500 && first.same == first.recorded && first.same == first.said);
        assert_eq!(first, second);
    }

    #[test]
    fn a_different_word_is_shown_with_both_renderings() {
        let dir = tempfile::tempdir().expect("temp");
        run(dir.path(), &mut Counting::default(), false, |_| true);
        let good = again(dir.path(), None);
        let bad = again(dir.path(), Some(101));
        assert!(!bad.is_same() && bad.different >= 1 && bad.different <= 3, "{bad}");
        assert_ne!(good.digest, bad.digest);
        let first = bad.first.expect("a difference");
        let (then, now) = (first.recorded.expect("then"), first.repeated.expect("now"));
        assert!(then.contains("heard") && now.contains("heard") && then != now);
    }

    #[test]
    fn a_missing_word_is_a_difference_but_not_after_a_kill() {
        let dir = tempfile::tempdir().expect("temp");
        run(dir.path(), &mut Counting::default(), false, |n| n < 199);
        let short = again(dir.path(), None);
        assert!(short.different > 0 && short.cut_off == 0, "{short}");
        assert_eq!(short.first.expect("a difference").recorded, None);

        let dir = tempfile::tempdir().expect("temp");
        let mut seats = Counting::default();
        run(dir.path(), &mut seats, true, |n| n < 199);
        run(dir.path(), &mut seats, false, |_| true);
        let cut = again(dir.path(), None);
        assert!(cut.is_same() && cut.cut_off > 0 && cut.runs == 2, "{cut}");
    }
}
