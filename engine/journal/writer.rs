//! The journal at work: pens for the trading threads, and the thread that moves records from the rings into the
//! tables in groups. Nothing here ever waits for the disk on a trading thread.

use crate::environment;
use crate::lock::Lock;
use crate::record::{Encoder, LetterKind, RunEvent, RunNote};
use crate::resident::Resident;
use crate::ring::{self, Consumer, Producer};
use crate::store::{self, Reader, Store};
use crate::{Fault, Kind, Recovered, Settings};
use crate::{rebuild::TornRing, settings::Durability};
use desk::Envelope;
use market::{Label, Timestamp};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Telemetry may fill this many quarters of a ring; the last is kept for letters.
const TELEMETRY_QUARTERS: usize = 3;
/// First and longest rest after a failure, milliseconds.
const RETRY_MS: (u64, u64) = (10, 1000);
/// Failures in a row after which closing gives up.
const CLOSE_TRIES: u32 = 5;

/// What is written down about a run that begins.
#[derive(Clone, Debug, PartialEq)]
pub struct RunStart {
    /// Version of the program.
    pub version: Label,
    /// The seeds it draws from, by name.
    pub seeds: Vec<(Label, u64)>,
    /// Now.
    pub at: Timestamp,
}

/// How the journal thread fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It keeps up.
    Ok,
    /// A ring is more than half full: the disk is slower than the desk.
    Behind,
    /// It cannot write; everything stays in the rings and it tries again.
    Failing {
        /// The reason, with its remedy.
        why: String,
    },
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// Records taken by the pens.
    pub recorded: u64,
    /// Telemetry records that found no room.
    pub dropped_telemetry: u64,
    /// Letters that found no room.
    pub refused_letters: u64,
    /// Records in the tables, of this run.
    pub stored: u64,
    /// Groups committed.
    pub groups: u64,
    /// Old market inputs forgotten.
    pub forgotten: u64,
    /// The fullest ring after the last group, in percent.
    pub ring_percent: u64,
}

#[derive(Default)]
struct PenGauges {
    recorded: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
    synced_seq: AtomicU64,
}

struct Shared {
    next_seq: AtomicU64,
    /// 0 work, 1 drain and end, 2 end at once.
    stop: AtomicU8,
    closed_at: AtomicI64,
    failing: AtomicBool,
    behind: AtomicBool,
    why: Mutex<String>,
    stored: AtomicU64,
    groups: AtomicU64,
    forgotten: AtomicU64,
    ring_percent: AtomicU64,
    pens: Vec<PenGauges>,
}

/// The writing hand of one trading thread.
pub struct Pen {
    ring: Producer,
    encoder: Encoder,
    run: u32,
    telemetry_limit: usize,
    last_seq: u64,
    index: usize,
    recorded: u64,
    shared: Arc<Shared>,
    thread: thread::Thread,
}

impl Pen {
    /// Puts on record that the letter's addressee hears it. False when the ring has no room.
    #[inline]
    pub fn heard(&mut self, envelope: &Envelope) -> bool {
        self.write(Kind::Heard, envelope)
    }

    /// Puts on record that the letter's sender says it. False when the ring has no room: then a request must not
    /// leave, and no new risk may be taken.
    #[inline]
    pub fn said(&mut self, envelope: &Envelope) -> bool {
        self.write(Kind::Said, envelope)
    }

    /// Number of the record this pen wrote last; 0 before the first.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Records of this pen up to this number are on the disk, not merely out of the process. With durability
    /// `power` this is what a request waits for; with `process` it trails by a group.
    pub fn synced_seq(&self) -> u64 {
        self.gauges().synced_seq.load(Ordering::Acquire)
    }

    /// Wakes the journal thread instead of leaving it to its rest. Costs a system call: only for a request that
    /// waits for the disk.
    pub fn hasten(&self) {
        self.thread.unpark();
    }

    /// True while the tables cannot be written: records gather in the ring.
    pub fn is_failing(&self) -> bool {
        self.shared.failing.load(Ordering::Relaxed)
    }

    /// Share of the ring in use, in percent.
    pub fn ring_percent(&self) -> u64 {
        (self.ring.occupied() * 100 / self.ring.capacity()) as u64
    }

    #[inline]
    fn write(&mut self, kind: Kind, envelope: &Envelope) -> bool {
        let telemetry = LetterKind::of(&envelope.letter).is_telemetry();
        let Ok(length) = self.encoder.letter(self.run, kind, envelope) else { return self.refuse(telemetry) };
        let limit = if telemetry { self.telemetry_limit } else { usize::MAX };
        if !self.ring.has_room(length, limit) {
            return self.refuse(telemetry);
        }
        // The number is taken only when there is room, so numbers have no gaps.
        let seq = self.shared.next_seq.fetch_add(1, Ordering::Relaxed);
        if !self.ring.push(self.encoder.numbered(length, seq)) {
            return self.refuse(telemetry);
        }
        self.last_seq = seq;
        self.recorded += 1;
        self.gauges().recorded.store(self.recorded, Ordering::Relaxed);
        true
    }

    #[cold]
    fn refuse(&mut self, telemetry: bool) -> bool {
        let gauges = &self.shared.pens[self.index];
        if telemetry {
            self.ring.count_dropped();
            gauges.dropped.fetch_add(1, Ordering::Relaxed);
        } else {
            self.ring.count_refused();
            gauges.refused.fetch_add(1, Ordering::Relaxed);
        }
        false
    }

    fn gauges(&self) -> &PenGauges {
        &self.shared.pens[self.index]
    }
}

/// For looking on from any thread.
#[derive(Clone)]
pub struct Monitor {
    shared: Arc<Shared>,
}

impl Monitor {
    /// How the journal thread fares.
    pub fn health(&self) -> Health {
        if self.shared.failing.load(Ordering::Acquire) {
            let why = self.shared.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Health::Failing { why }
        } else if self.shared.behind.load(Ordering::Acquire) {
            Health::Behind
        } else {
            Health::Ok
        }
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        let s = &self.shared;
        let sum = |field: fn(&PenGauges) -> &AtomicU64| {
            s.pens.iter().map(|pen| field(pen).load(Ordering::Relaxed)).sum()
        };
        Counters {
            recorded: sum(|pen| &pen.recorded),
            dropped_telemetry: sum(|pen| &pen.dropped),
            refused_letters: sum(|pen| &pen.refused),
            stored: s.stored.load(Ordering::Relaxed),
            groups: s.groups.load(Ordering::Relaxed),
            forgotten: s.forgotten.load(Ordering::Relaxed),
            ring_percent: s.ring_percent.load(Ordering::Relaxed),
        }
    }
}

/// An open journal. Dropped without [`Journal::close`], it stops as a killed process would: what is in the rings
/// is drained by the next start.
pub struct Journal {
    thread: Option<JoinHandle<Result<(), Fault>>>,
    shared: Arc<Shared>,
    reader: Reader,
    lock: Lock,
}

/// What opening gives.
pub struct Opened {
    /// The journal, to be closed in the end.
    pub journal: Journal,
    /// One pen a trading thread, as many as the setting says.
    pub pens: Vec<Pen>,
    /// What was found.
    pub recovered: Recovered,
}

impl Journal {
    /// Takes the lock, checks the tables, drains the rings of a killed run, numbers the run, notes its start, makes
    /// fresh rings and starts the journal thread.
    pub fn open(dir: &Path, settings: &Settings, start: &RunStart) -> Result<Opened, Fault> {
        settings.check()?;
        let ring_dir = settings.ring_dir.as_deref().unwrap_or(dir);
        for folder in [dir, ring_dir] {
            std::fs::create_dir_all(folder).map_err(|source| Fault::Io {
                what: "make the folder",
                path: folder.into(),
                source,
            })?;
        }
        let lock = Lock::take(dir)?;
        let mut store = store::open_checked(dir, settings, &lock)?;
        let found = drain_dead_rings(dir, ring_dir, settings, &mut store)?;
        note_the_dead(&mut store, &found, start)?;
        let last_seq = store.last_seq();
        let run = store.next_run()?;
        let nonce = store.nonce()?;
        let mut seeds = start.seeds.clone();
        seeds.push((crate::record::NONCE, nonce));
        let note = RunNote { run, event: RunEvent::Started, version: start.version, seeds, at: start.at };
        store.append_note(&note)?;
        let reader = store.reader();
        let (journal, pens) = begin(store, lock, settings, ring_dir, note)?;
        let recovered = Recovered { run, nonce, drained: found.drained, torn: found.torn, last_seq, reader };
        Ok(Opened { journal, pens, recovered })
    }

    /// For looking on.
    pub fn monitor(&self) -> Monitor {
        Monitor { shared: Arc::clone(&self.shared) }
    }

    /// For reading beside the writing. What is still in the rings is not seen.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Drains the rings, notes the run's end, syncs and stops the thread. The pens should have fallen silent; what
    /// one writes later stays in its ring for the next start.
    pub fn close(mut self, at: Timestamp) -> Result<Counters, Fault> {
        self.shared.closed_at.store(at.ns(), Ordering::Relaxed);
        self.stop(1)?;
        self.lock.note_closed(&crate::environment::data_file(self.reader.dir()));
        Ok(self.monitor().counters())
    }

    fn stop(&mut self, how: u8) -> Result<(), Fault> {
        self.shared.stop.store(how, Ordering::Release);
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.thread().unpark();
        thread.join().unwrap_or(Err(Fault::ThreadGone))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Whoever wanted to hear about faults has called `close`.
        let _ = self.stop(2);
    }
}

fn begin(
    store: Store,
    lock: Lock,
    settings: &Settings,
    ring_dir: &Path,
    note: RunNote,
) -> Result<(Journal, Vec<Pen>), Fault> {
    let shared = Arc::new(Shared {
        next_seq: AtomicU64::new(store.last_seq() + 1),
        stop: AtomicU8::new(0),
        closed_at: AtomicI64::new(note.at.ns()),
        failing: AtomicBool::new(false),
        behind: AtomicBool::new(false),
        why: Mutex::new(String::new()),
        stored: AtomicU64::new(0),
        groups: AtomicU64::new(0),
        forgotten: AtomicU64::new(0),
        ring_percent: AtomicU64::new(0),
        pens: (0..settings.pens).map(|_| PenGauges::default()).collect(),
    });
    let (mut producers, mut rings) = (Vec::new(), Vec::new());
    for index in 0..settings.pens {
        let path = ring_path(ring_dir, index);
        let (producer, consumer) = ring::create(&path, settings.ring_bytes, note.run.into())?;
        producers.push(producer);
        rings.push(Tap { ring: consumer, read_seq: 0, before_seq: 0 });
    }
    let (run, reader) = (note.run, store.reader());
    let keeper = Keeper {
        store,
        rings,
        shared: Arc::clone(&shared),
        note,
        rest: Duration::from_millis(settings.group_ms),
        group_records: settings.group_records,
        durability: settings.durability,
        pruning: false,
        resident: Resident::of(&environment::data_file(reader.dir())),
    };
    let thread = thread::Builder::new()
        .name("journal".into())
        .spawn(move || keeper.work())
        .map_err(|source| Fault::Io { what: "start the thread of", path: reader.dir().into(), source })?;
    let handle = thread.thread().clone();
    let pen = |(index, ring): (usize, Producer)| Pen {
        telemetry_limit: ring.capacity() / 4 * TELEMETRY_QUARTERS,
        ring,
        encoder: Encoder::new(),
        run,
        last_seq: 0,
        index,
        recorded: 0,
        shared: Arc::clone(&shared),
        thread: handle.clone(),
    };
    let pens = producers.into_iter().enumerate().map(pen).collect();
    Ok((Journal { thread: Some(thread), shared, reader, lock }, pens))
}

fn ring_path(dir: &Path, index: usize) -> PathBuf {
    dir.join(format!("pen-{index}.ring"))
}

/// What the rings of earlier runs held.
#[derive(Default)]
struct Found {
    drained: u64,
    dropped: u64,
    refused: u64,
    torn: Vec<TornRing>,
}

/// Drains every ring file, in the journal's folder and in the one set for rings, and takes it away.
fn drain_dead_rings(
    dir: &Path,
    ring_dir: &Path,
    settings: &Settings,
    store: &mut Store,
) -> Result<Found, Fault> {
    let mut paths = ring_files(dir)?;
    if ring_dir != dir {
        paths.extend(ring_files(ring_dir)?);
    }
    let mut found = Found::default();
    for path in paths {
        let (mut ring, run) = ring::reopen(&path)?;
        let torn = drain_ring(&mut ring, settings.group_records, store, &mut found.drained)?;
        let (dropped, refused) = ring.losses();
        found.dropped += dropped;
        found.refused += refused;
        store.sync()?;
        let io = |what| {
            let path = path.clone();
            move |source| Fault::Io { what, path, source }
        };
        if let Some(torn) = torn {
            let kept = path.with_extension(format!("torn-{run}"));
            std::fs::rename(&path, &kept).map_err(io("move aside the torn ring"))?;
            found.torn.push(TornRing { kept, bytes: torn.bytes, why: torn.why });
        } else {
            std::fs::remove_file(&path).map_err(io("remove the drained ring"))?;
        }
    }
    Ok(found)
}

fn ring_files(dir: &Path) -> Result<Vec<PathBuf>, Fault> {
    let io = |source| Fault::Io { what: "list", path: dir.into(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|e| e == "ring") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn drain_ring(
    ring: &mut Consumer,
    group_records: usize,
    store: &mut Store,
    drained: &mut u64,
) -> Result<Option<ring::Torn>, Fault> {
    loop {
        let mut torn = None;
        let count = store.append(|group| {
            while group.count() < group_records {
                match ring.read_next() {
                    Ok(Some(bytes)) => group.put(bytes)?,
                    Ok(None) => break,
                    Err(end) => {
                        torn = Some(end);
                        break;
                    }
                }
            }
            Ok(())
        });
        match count {
            Ok(count) => {
                ring.release();
                *drained += count as u64;
                if count == 0 || torn.is_some() {
                    return Ok(torn);
                }
            }
            Err(fault) => {
                ring.rewind();
                let full = matches!(fault, Fault::MapFull { .. });
                if !full || store.prune_step()? == 0 {
                    return Err(fault);
                }
            }
        }
    }
}

/// Notes that the run before was killed, when it did not note its own end.
fn note_the_dead(store: &mut Store, found: &Found, start: &RunStart) -> Result<(), Fault> {
    let Some(run) = store.unended_run()? else { return Ok(()) };
    let last = store.reader().get(store.last_seq())?;
    let at = last.and_then(|entry| entry.record.ok()).map_or(start.at, |record| record.at);
    let Found { drained, dropped, refused, .. } = *found;
    let event = RunEvent::FoundDead { drained, dropped, refused };
    store.append_note(&RunNote { run, event, version: start.version, seeds: Vec::new(), at })
}

/// A ring with what has been read from it.
struct Tap {
    ring: Consumer,
    /// Number of the newest record read.
    read_seq: u64,
    /// The same, one group ago.
    before_seq: u64,
}

/// The journal thread.
struct Keeper {
    store: Store,
    rings: Vec<Tap>,
    shared: Arc<Shared>,
    note: RunNote,
    rest: Duration,
    group_records: usize,
    durability: Durability,
    pruning: bool,
    resident: Resident,
}

impl Keeper {
    fn work(mut self) -> Result<(), Fault> {
        let mut failures = 0;
        loop {
            let stop = self.shared.stop.load(Ordering::Acquire);
            if stop == 2 {
                return Ok(());
            }
            match self.group() {
                Ok(0) if stop == 1 => return self.end(),
                Ok(count) => {
                    failures = 0;
                    self.shared.failing.store(false, Ordering::Release);
                    self.resident.note_stored(count);
                    // Less than a full group: caught up. The rest bounds a group's age; nobody wakes us for more.
                    if stop == 0 && count < self.group_records {
                        thread::park_timeout(self.rest);
                    }
                }
                Err(fault) => {
                    failures += 1;
                    self.fail(&fault);
                    if stop == 1 && failures >= CLOSE_TRIES {
                        return Err(Fault::Undrained { why: fault.to_string() });
                    }
                    let rest = RETRY_MS.0.saturating_mul(1 << failures.min(10)).min(RETRY_MS.1);
                    thread::park_timeout(Duration::from_millis(rest));
                }
            }
        }
    }

    /// Stores one group and frees its room in the rings; on a failure nothing is freed.
    fn group(&mut self) -> Result<usize, Fault> {
        self.forget_some()?;
        let share = (self.group_records / self.rings.len()).max(1);
        let rings = &mut self.rings;
        let stored = self.store.append(|group| {
            for tap in rings.iter_mut() {
                let most = group.count() + share;
                while group.count() < most {
                    match tap.ring.read_next() {
                        Ok(None) => break,
                        Ok(Some(bytes)) => {
                            group.put(bytes)?;
                            tap.read_seq = seq_of(bytes);
                        }
                        Err(torn) => {
                            let path = tap.ring.path().to_path_buf();
                            return Err(Fault::RingDamaged { path, why: torn.why });
                        }
                    }
                }
            }
            Ok(())
        });
        match stored {
            Ok(count) => {
                self.publish(count);
                Ok(count)
            }
            Err(fault) => {
                for tap in &mut self.rings {
                    tap.ring.rewind();
                }
                Err(fault)
            }
        }
    }

    fn publish(&mut self, count: usize) {
        let mut fullest = 0;
        for (tap, pen) in self.rings.iter_mut().zip(&self.shared.pens) {
            tap.ring.release();
            fullest = fullest.max(tap.ring.occupied() * 100 / tap.ring.capacity());
            // Without a sync of the header page a commit is sure to be on the disk once the next one is.
            let synced = if self.durability == Durability::Power { tap.read_seq } else { tap.before_seq };
            if count > 0 {
                tap.before_seq = tap.read_seq;
                pen.synced_seq.store(synced, Ordering::Release);
            }
        }
        let s = &self.shared;
        s.ring_percent.store(fullest as u64, Ordering::Relaxed);
        s.behind.store(fullest > 50, Ordering::Release);
        if count > 0 {
            s.stored.fetch_add(count as u64, Ordering::Relaxed);
            s.groups.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One bounded step of forgetting between groups, so that the rings never wait long.
    fn forget_some(&mut self) -> Result<(), Fault> {
        if !self.pruning && !self.store.wants_pruning()? {
            return Ok(());
        }
        let forgotten = self.store.prune_step()?;
        self.shared.forgotten.fetch_add(forgotten, Ordering::Relaxed);
        self.pruning = !self.store.is_pruned_enough()?;
        Ok(())
    }

    fn fail(&mut self, fault: &Fault) {
        *self.shared.why.lock().unwrap_or_else(PoisonError::into_inner) = fault.to_string();
        self.shared.failing.store(true, Ordering::Release);
    }

    fn end(mut self) -> Result<(), Fault> {
        let (mut dropped, mut refused) = (0, 0);
        for tap in &self.rings {
            let losses = tap.ring.losses();
            dropped += losses.0;
            refused += losses.1;
        }
        let at = Timestamp::from_ns(self.shared.closed_at.load(Ordering::Relaxed));
        let note =
            RunNote { event: RunEvent::Ended { dropped, refused }, at, seeds: Vec::new(), ..self.note };
        self.store.append_note(&note)?;
        self.store.sync()
    }
}

/// The number in a record's header.
fn seq_of(record: &[u8]) -> u64 {
    record.get(8..16).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}
