//! The LMDB store: groups of records written in one transaction, forgetting of old market inputs, and reading.

use crate::record::{self, BadRecord, Decoder, Encoder, Head, RunEvent, RunNote, SCHEMA};
use crate::tables::{self, Tables};
use crate::{Fault, Kind, LetterKind, Record, Settings, environment, lock, pages};
use heed::{Env, PutFlags, RwTxn, WithoutTls};
use market::{Date, OrderId, Symbol};
use std::collections::{BTreeMap, VecDeque};
use std::ops::{Bound, RangeInclusive};
use std::path::{Path, PathBuf};

/// Records looked at in one transaction of forgetting.
const PRUNE_STEP: usize = 20_000;
/// Records fetched in one transaction of reading, so that no reader holds old pages for long.
const BATCH: usize = 512;

/// The writing side, on the journal thread.
pub struct Store {
    env: Env<WithoutTls>,
    tables: Tables,
    dir: PathBuf,
    map_bytes: usize,
    prune_above_percent: Option<u8>,
    last_seq: u64,
    pruned_to: u64,
    decoder: Decoder,
    sealed: Vec<u8>,
}

/// One transaction being filled.
pub struct Group<'s> {
    txn: RwTxn<'s>,
    tables: Tables,
    map_bytes: usize,
    decoder: &'s mut Decoder,
    sealed: &'s mut Vec<u8>,
    days: BTreeMap<u32, (u64, u64)>,
    last_seq: u64,
    count: usize,
}

impl Store {
    /// Opens or makes the tables in `dir`; the caller holds the journal's lock.
    pub fn open(dir: &Path, settings: &Settings) -> Result<Self, Fault> {
        let env = environment::open(dir, settings.map_bytes(), settings.durability)?;
        let map_bytes = env.info().map_size;
        let fault = tables::fault("open the tables", map_bytes);
        // A killed reader would keep old pages from being used again.
        env.clear_stale_readers().map_err(&fault)?;
        let tables = Tables::create(&env).map_err(&fault)?;
        let mut txn = env.write_txn().map_err(&fault)?;
        let found = tables.meta.get(&txn, tables::META_SCHEMA).map_err(&fault)?;
        check_schema(dir, found.unwrap_or(SCHEMA.into()))?;
        if found.is_none() {
            tables.meta.put(&mut txn, tables::META_SCHEMA, &SCHEMA.into()).map_err(&fault)?;
        }
        let last_seq = tables.meta.get(&txn, tables::META_SEQ).map_err(&fault)?.unwrap_or(0);
        let pruned_to = tables.meta.get(&txn, tables::META_PRUNED).map_err(&fault)?.unwrap_or(0);
        txn.commit().map_err(&fault)?;
        Ok(Self {
            env,
            tables,
            dir: dir.into(),
            map_bytes,
            prune_above_percent: settings.prune_above_percent,
            last_seq,
            pruned_to,
            decoder: Decoder::new(),
            sealed: Vec::with_capacity(record::HEADER + record::BODY_MAX),
        })
    }

    /// Number of the newest record stored.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Takes the next run's number and writes it down.
    pub fn next_run(&mut self) -> Result<u32, Fault> {
        let fault = tables::fault("number the run", self.map_bytes);
        let mut txn = self.env.write_txn().map_err(&fault)?;
        let run = self.tables.meta.get(&txn, tables::META_RUN).map_err(&fault)?.unwrap_or(0) + 1;
        self.tables.meta.put(&mut txn, tables::META_RUN, &run).map_err(&fault)?;
        txn.commit().map_err(&fault)?;
        Ok(run as u32)
    }

    /// The nonce of this journal, drawn when it is first asked for: it tells our orders from those of another
    /// journal on the same account. Never 0.
    pub fn nonce(&mut self) -> Result<u64, Fault> {
        let fault = tables::fault("draw the journal's nonce", self.map_bytes);
        let mut txn = self.env.write_txn().map_err(&fault)?;
        if let Some(nonce) = self.tables.meta.get(&txn, tables::META_NONCE).map_err(&fault)? {
            return Ok(nonce);
        }
        let nonce = drawn();
        self.tables.meta.put(&mut txn, tables::META_NONCE, &nonce).map_err(&fault)?;
        txn.commit().map_err(&fault)?;
        Ok(nonce)
    }

    /// The newest run, when it has not noted its end.
    pub fn unended_run(&self) -> Result<Option<u32>, Fault> {
        let reader = self.reader();
        let (run, ended) = (reader.last_run()?, reader.meta(tables::META_ENDED)?);
        Ok((run != ended).then_some(run as u32))
    }

    /// Stores a note on a run under the next number.
    pub fn append_note(&mut self, note: &RunNote) -> Result<(), Fault> {
        let fault = tables::fault("note the run", self.map_bytes);
        let mut encoder = Encoder::new();
        let length =
            encoder.run(note).map_err(|e| Fault::Table { what: "note the run", why: e.to_string() })?;
        let seq = self.last_seq + 1;
        self.append(|group| {
            if !matches!(note.event, RunEvent::Started) {
                let ended = u64::from(note.run);
                group.tables.meta.put(&mut group.txn, tables::META_ENDED, &ended).map_err(fault)?;
            }
            group.put(encoder.numbered(length, seq))
        })?;
        Ok(())
    }

    /// Stores what `fill` puts into the group, all or nothing, and tells how many records that were.
    pub fn append<F>(&mut self, fill: F) -> Result<usize, Fault>
    where
        F: FnOnce(&mut Group<'_>) -> Result<(), Fault>,
    {
        let fault = tables::fault("store a group of records", self.map_bytes);
        let mut group = Group {
            txn: self.env.write_txn().map_err(&fault)?,
            tables: self.tables,
            map_bytes: self.map_bytes,
            decoder: &mut self.decoder,
            sealed: &mut self.sealed,
            days: BTreeMap::new(),
            last_seq: self.last_seq,
            count: 0,
        };
        fill(&mut group)?;
        if group.count == 0 {
            return Ok(0);
        }
        let (count, last_seq) = (group.count, group.last_seq);
        group.commit().map_err(fault)?;
        self.last_seq = last_seq;
        Ok(count)
    }

    /// Brings everything committed to the disk.
    pub fn sync(&self) -> Result<(), Fault> {
        self.env.force_sync().map_err(tables::fault("sync the tables", self.map_bytes))
    }

    /// A reader on the same tables.
    pub fn reader(&self) -> Reader {
        Reader { env: self.env.clone(), tables: self.tables, dir: self.dir.clone() }
    }

    /// Bytes the tables use in the map.
    pub fn used_bytes(&self) -> Result<usize, Fault> {
        let fault = tables::fault("measure the tables", self.map_bytes);
        let txn = self.env.read_txn().map_err(&fault)?;
        let t = &self.tables;
        let stats = [
            t.events.stat(&txn),
            t.days.stat(&txn),
            t.seats.stat(&txn),
            t.orders.stat(&txn),
            t.forecasts.stat(&txn),
            t.meta.stat(&txn),
        ];
        let mut bytes = 0;
        for stat in stats {
            let stat = stat.map_err(&fault)?;
            let pages = stat.branch_pages + stat.leaf_pages + stat.overflow_pages;
            bytes += pages * stat.page_size as usize;
        }
        Ok(bytes)
    }

    /// True when more of the map is used than the setting allows.
    pub fn wants_pruning(&self) -> Result<bool, Fault> {
        let Some(percent) = self.prune_above_percent else { return Ok(false) };
        Ok(self.used_bytes()? > self.map_bytes / 100 * usize::from(percent))
    }

    /// True when a tenth of the map less is used than the setting allows, or there is nothing left to forget.
    pub fn is_pruned_enough(&self) -> Result<bool, Fault> {
        let Some(percent) = self.prune_above_percent else { return Ok(true) };
        let goal = self.map_bytes / 100 * usize::from(percent.saturating_sub(10));
        Ok(self.pruned_to >= self.last_seq || self.used_bytes()? <= goal)
    }

    /// Forgets the market inputs among the oldest records not yet looked at, at most 20,000 of these. Tells how
    /// many were forgotten; none when the setting forbids it.
    pub fn prune_step(&mut self) -> Result<u64, Fault> {
        if self.prune_above_percent.is_none() {
            return Ok(0);
        }
        let fault = tables::fault("forget old market inputs", self.map_bytes);
        // What a reader that was killed still holds (a trainer, a tool) could not be forgotten.
        self.env.clear_stale_readers().map_err(&fault)?;
        let mut txn = self.env.write_txn().map_err(&fault)?;
        let (mut doomed, mut pruned_to) = (Vec::new(), self.last_seq);
        let events = self.tables.events;
        for (seen, entry) in events.range(&txn, &(self.pruned_to..)).map_err(&fault)?.enumerate() {
            let (seq, bytes) = entry.map_err(&fault)?;
            if seen == PRUNE_STEP {
                pruned_to = seq;
                break;
            }
            if Head::read(bytes).is_ok_and(|h| h.kind == Kind::Heard && h.letter == LetterKind::Market) {
                doomed.push(seq);
            }
        }
        for seq in &doomed {
            events.delete(&mut txn, seq).map_err(&fault)?;
        }
        self.tables.meta.put(&mut txn, tables::META_PRUNED, &pruned_to).map_err(&fault)?;
        txn.commit().map_err(&fault)?;
        self.pruned_to = pruned_to;
        Ok(doomed.len() as u64)
    }
}

/// From 1 up to [`market::run_id::NONCES`], by the system's randomness.
fn drawn() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    1 + RandomState::new().hash_one(std::process::id()) % (u64::from(market::run_id::NONCES) - 1)
}

#[cfg(test)]
impl Store {
    /// Readers that died and are in the table still; none after this.
    pub fn stale_readers(&self) -> usize {
        self.env.clear_stale_readers().expect("the lock file reads")
    }

    /// Sets a number in `meta`, as another version might.
    pub fn set_meta(&mut self, key: &str, value: u64) -> heed::Result<()> {
        let mut txn = self.env.write_txn()?;
        self.tables.meta.put(&mut txn, key, &value)?;
        txn.commit()
    }

    /// Changes a byte in the middle of a record, as a failing disk might.
    pub fn damage(&mut self, seq: u64) -> heed::Result<()> {
        let mut txn = self.env.write_txn()?;
        let mut bytes = self.tables.events.get(&txn, &seq)?.expect("stored").to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        self.tables.events.put(&mut txn, &seq, &bytes)?;
        txn.commit()
    }
}

fn check_schema(dir: &Path, found: u64) -> Result<(), Fault> {
    if found == u64::from(SCHEMA) {
        return Ok(());
    }
    Err(Fault::Schema { dir: dir.into(), found, expected: SCHEMA.into() })
}

impl Group<'_> {
    /// Adds a record as a ring holds it, not yet sealed. A record stored before is overwritten by itself.
    pub fn put(&mut self, unsealed: &[u8]) -> Result<(), Fault> {
        let head = match Head::read(unsealed) {
            Ok(head) => head,
            Err(e) => return Err(Fault::Table { what: "store a record", why: e.to_string() }),
        };
        self.sealed.clear();
        self.sealed.extend_from_slice(unsealed);
        record::seal(self.sealed);
        let fault = tables::fault("store a record", self.map_bytes);
        // Numbers of one ring rise; those of several come interleaved, and a drained ring may repeat some.
        let flags = if head.seq > self.last_seq { PutFlags::APPEND } else { PutFlags::empty() };
        self.tables.events.put_with_flags(&mut self.txn, flags, &head.seq, self.sealed).map_err(&fault)?;
        self.index(&head).map_err(&fault)?;
        let day = self.days.entry(head.at.new_york().0.days() as u32).or_insert((head.seq, head.seq));
        *day = (day.0.min(head.seq), day.1.max(head.seq));
        self.last_seq = self.last_seq.max(head.seq);
        self.count += 1;
        Ok(())
    }

    /// Records put so far.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Number of the newest record, those of earlier groups included.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    fn index(&mut self, head: &Head) -> heed::Result<()> {
        let (t, txn) = (self.tables, &mut self.txn);
        if head.kind == Kind::Heard && tables::seat_is_indexed(head.seat) {
            t.seats.put(txn, &tables::seat_key(head.seat, head.seq), &())?;
        }
        if !tables::is_indexed(head.letter) {
            return Ok(());
        }
        // What does not decode is stored all the same, and reported by whoever reads it.
        let Ok(record) = self.decoder.decode(self.sealed) else { return Ok(()) };
        for order in tables::orders_of(&record).into_iter().flatten() {
            t.orders.put(txn, &tables::order_key(order, head.seq), &())?;
        }
        if let Some(symbol) = tables::forecast_of(&record) {
            t.forecasts.put(txn, &tables::forecast_key(symbol, head.seq), &())?;
        }
        Ok(())
    }

    fn commit(mut self) -> heed::Result<()> {
        let (t, txn) = (self.tables, &mut self.txn);
        for (day, (first, last)) in self.days {
            let known = t.days.get(txn, &day)?.and_then(range_from);
            let (first, last) = known.map_or((first, last), |k| (k.0.min(first), k.1.max(last)));
            t.days.put(txn, &day, &range_bytes(first, last))?;
        }
        t.meta.put(txn, tables::META_SEQ, &self.last_seq)?;
        self.txn.commit()
    }
}

fn range_bytes(first: u64, last: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&first.to_be_bytes());
    bytes[8..].copy_from_slice(&last.to_be_bytes());
    bytes
}

fn range_from(bytes: &[u8]) -> Option<(u64, u64)> {
    let (first, last) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*first), u64::from_be_bytes(last.try_into().ok()?)))
}

/// The reading side: any number, on any thread, in any process, beside a running engine.
#[derive(Clone)]
pub struct Reader {
    env: Env<WithoutTls>,
    tables: Tables,
    dir: PathBuf,
}

/// One stored record, or why it does not read.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its sequence number.
    pub seq: u64,
    /// The record.
    pub record: Result<Record, BadRecord>,
}

/// A filter on headers, so that what is not wanted is never decoded.
pub type Wanted = Box<dyn Fn(&Head) -> bool + Send>;

impl Reader {
    /// Opens the journal in `dir` for reading. When no engine runs on it, the file is checked first.
    pub fn open(dir: &Path) -> Result<Self, Fault> {
        let data = environment::data_file(dir);
        if !data.exists() {
            return Err(Fault::Missing { dir: dir.into() });
        }
        if lock::is_free_and_touched(dir, &data) {
            pages::check(&data).map_err(|why| Fault::Damaged { path: data.clone(), why })?;
        }
        let env = environment::open_to_read(dir)?;
        let fault = Fault::table("open the tables");
        let tables = Tables::open(&env).map_err(fault)?;
        let tables = tables.ok_or_else(|| Fault::Missing { dir: dir.into() })?;
        let reader = Self { env, tables, dir: dir.into() };
        check_schema(dir, reader.meta(tables::META_SCHEMA)?)?;
        Ok(reader)
    }

    /// Number of the newest record stored.
    pub fn last_seq(&self) -> Result<u64, Fault> {
        self.meta(tables::META_SEQ)
    }

    /// Number of the newest run.
    pub fn last_run(&self) -> Result<u64, Fault> {
        self.meta(tables::META_RUN)
    }

    /// Market inputs with numbers below this have been forgotten; 0 when none have.
    pub fn pruned_to(&self) -> Result<u64, Fault> {
        self.meta(tables::META_PRUNED)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Every New York date with records, with its first and last number.
    pub fn days(&self) -> Result<Vec<(Date, u64, u64)>, Fault> {
        let fault = tables::fault("read the days", 0);
        let txn = self.env.read_txn().map_err(&fault)?;
        let mut days = Vec::new();
        for entry in self.tables.days.iter(&txn).map_err(&fault)? {
            let (day, bytes) = entry.map_err(&fault)?;
            days.extend(range_from(bytes).map(|(first, last)| (Date::from_days(day as i32), first, last)));
        }
        Ok(days)
    }

    /// The record of that number.
    pub fn get(&self, seq: u64) -> Result<Option<Entry>, Fault> {
        let fault = tables::fault("read a record", 0);
        let txn = self.env.read_txn().map_err(&fault)?;
        let bytes = self.tables.events.get(&txn, &seq).map_err(&fault)?;
        Ok(bytes.map(|bytes| Entry { seq, record: Decoder::new().decode(bytes) }))
    }

    /// Records of these numbers, in order, of which `wanted` likes the header. Those whose header does not read
    /// are given too.
    pub fn scan(&self, numbers: RangeInclusive<u64>, wanted: Wanted) -> Scan {
        let (next, last) = numbers.into_inner();
        Scan {
            reader: self.clone(),
            next: Some(next),
            last,
            wanted,
            held: VecDeque::new(),
            decoder: Decoder::new(),
        }
    }

    /// Everything.
    pub fn all(&self) -> Scan {
        self.scan(0..=u64::MAX, Box::new(|_| true))
    }

    /// Numbers of the requests, reports and fills of an order, in order.
    pub fn order(&self, id: OrderId) -> Result<Vec<u64>, Fault> {
        self.index_from(self.tables.orders, &tables::order_key(id, 0), usize::MAX)
    }

    /// Numbers of a symbol's forecasts, in order.
    pub fn forecasts(&self, symbol: Symbol) -> Result<Vec<u64>, Fault> {
        self.index_from(self.tables.forecasts, &tables::forecast_key(symbol, 0), usize::MAX)
    }

    /// What was said of a symbol's forecasts, and told again to its seat, in the newest run that has any of it, in order.
    /// Each run begins by telling what is still open, so nothing older is needed to go on.
    pub fn forecasts_of_newest_run(&self, symbol: Symbol) -> Result<Vec<Record>, Fault> {
        let fault = tables::fault("read an index", 0);
        let txn = self.env.read_txn().map_err(&fault)?;
        let (first, last) = (tables::forecast_key(symbol, 0), tables::forecast_key(symbol, u64::MAX));
        let range = (Bound::Included(first.as_slice()), Bound::Included(last.as_slice()));
        let mut decoder = Decoder::new();
        let mut found: Vec<Record> = Vec::new();
        for entry in self.tables.forecasts.rev_range(&txn, &range).map_err(&fault)? {
            let Some(seq) = tables::seq_of(entry.map_err(&fault)?.0) else { continue };
            let Some(bytes) = self.tables.events.get(&txn, &seq).map_err(&fault)? else { continue };
            // One that does not read is one score less, no reason not to start.
            let Ok(record) = decoder.decode(bytes) else { continue };
            if found.last().is_some_and(|newer| newer.run != record.run) {
                break;
            }
            found.push(record);
        }
        found.reverse();
        Ok(found)
    }

    /// At most `count` numbers, from `from` on, of what a seat heard.
    pub(crate) fn heard(&self, seat: u8, from: u64, count: usize) -> Result<Vec<u64>, Fault> {
        self.index_from(self.tables.seats, &tables::seat_key(seat, from), count)
    }

    fn index_from(
        &self,
        table: heed::Database<'static, heed::types::Bytes, heed::types::Unit>,
        first: &[u8],
        count: usize,
    ) -> Result<Vec<u64>, Fault> {
        let fault = tables::fault("read an index", 0);
        let txn = self.env.read_txn().map_err(&fault)?;
        let mut last = first.to_vec();
        let split = last.len() - 8;
        last[split..].fill(u8::MAX);
        let range = (Bound::Included(first), Bound::Included(last.as_slice()));
        let mut numbers = Vec::new();
        for entry in table.range(&txn, &range).map_err(&fault)?.take(count) {
            numbers.extend(tables::seq_of(entry.map_err(&fault)?.0));
        }
        Ok(numbers)
    }

    fn meta(&self, key: &str) -> Result<u64, Fault> {
        let fault = tables::fault("read the journal's state", 0);
        let txn = self.env.read_txn().map_err(&fault)?;
        Ok(self.tables.meta.get(&txn, key).map_err(&fault)?.unwrap_or(0))
    }
}

/// Records in order, fetched in short transactions.
pub struct Scan {
    reader: Reader,
    next: Option<u64>,
    last: u64,
    wanted: Wanted,
    held: VecDeque<Entry>,
    decoder: Decoder,
}

impl Scan {
    /// Fetches until something is held or nothing is left.
    fn fetch(&mut self) -> Result<(), Fault> {
        let fault = tables::fault("read the records", 0);
        while let Some(from) = self.next.filter(|n| self.held.is_empty() && *n <= self.last) {
            let txn = self.reader.env.read_txn().map_err(&fault)?;
            let events = self.reader.tables.events;
            self.next = None;
            for (seen, entry) in events.range(&txn, &(from..=self.last)).map_err(&fault)?.enumerate() {
                let (seq, bytes) = entry.map_err(&fault)?;
                // A long stretch of unwanted records ends the transaction too.
                if self.held.len() == BATCH || seen == 64 * BATCH {
                    self.next = Some(seq);
                    break;
                }
                if Head::read(bytes).map_or(true, |head| (self.wanted)(&head)) {
                    self.held.push_back(Entry { seq, record: self.decoder.decode(bytes) });
                }
            }
        }
        Ok(())
    }
}

impl Iterator for Scan {
    type Item = Result<Entry, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.held.is_empty()
            && let Err(fault) = self.fetch()
        {
            self.next = None;
            return Some(Err(fault));
        }
        self.held.pop_front().map(Ok)
    }
}

/// Opens, checking the file first unless the last holder of the lock left it in order.
pub(crate) fn open_checked(dir: &Path, settings: &Settings, lock: &lock::Lock) -> Result<Store, Fault> {
    let data = environment::data_file(dir);
    if !lock.left_untouched(&data) {
        pages::check(&data).map_err(|why| Fault::Damaged { path: data.clone(), why })?;
    }
    Store::open(dir, settings)
}
