//! The hand-over from a trading thread to the journal thread: a ring of framed records in a memory-mapped
//! file, one writer, one reader. Writing is a copy and one atomic store, no system call; the bytes live in the
//! page cache, so they survive the death of the process, and the next start reads what is left.
//!
//! The file is a header page and a data area. `head` and `tail` count bytes for ever; their remainder by the
//! capacity is the place. A frame is 16 bytes of header (length, checksum, and its position in that count, which
//! is its sequence number) and its payload, padded to 16. A frame never wraps: a skip frame fills the end of the
//! area. A frame counts once `head` has passed it; whoever reads checks length, position and checksum of each, so
//! that a frame whose pages did not all reach the disk (power cut, copied file) ends the reading instead of
//! being believed, and one left over from an earlier lap is never taken for a new one.
//!
//! One of the room's four files with `unsafe`; `tests/tidy` lists them.
#![allow(unsafe_code)]

use crate::Fault;
use memmap2::{Advice, MmapOptions, MmapRaw};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// First bytes of a ring file; the last is the layout's version.
const MAGIC: u64 = u64::from_le_bytes(*b"WSRING\x00\x01");
/// Bytes of the header, one page.
const HEADER: usize = 4096;
/// Bytes of a frame's own header.
const FRAME: usize = 16;
/// The length field of the frame that fills the end of the area.
const SKIP: u32 = u32::MAX;
/// The smallest data area, bytes.
pub const CAPACITY_MIN: usize = 64 * 1024;
/// The largest payload, bytes. Every letter is far smaller.
pub const PAYLOAD_MAX: usize = 8 * 1024;

// Places of the header's fields, in bytes. The counters stand on cache lines of their own.
const AT_MAGIC: usize = 0;
const AT_CAPACITY: usize = 8;
const AT_RUN: usize = 16;
const AT_CHECK: usize = 24;
const AT_HEAD: usize = 64;
const AT_TAIL: usize = 128;
const AT_DROPPED: usize = 256;
const AT_REFUSED: usize = 264;

/// The mapped file. Offsets into the data area are checked here, so callers need no `unsafe`.
struct Map {
    raw: MmapRaw,
    capacity: usize,
    path: PathBuf,
}

impl Map {
    fn counter(&self, at: usize) -> &AtomicU64 {
        debug_assert!(at + 8 <= HEADER && at.is_multiple_of(8));
        // SAFETY: the mapping is at least HEADER bytes (checked when it was made), page-aligned, lives as long as
        // `self`, and these eight bytes are only ever accessed as this atomic. Other processes are kept away by
        // the journal's lock file.
        unsafe { AtomicU64::from_ptr(self.raw.as_mut_ptr().add(at).cast::<u64>()) }
    }

    fn place(&self, position: u64) -> usize {
        // Capacity is a power of two, at most usize.
        (position & (self.capacity as u64 - 1)) as usize
    }

    /// Copies bytes into the data area. Called only by the writer, only for bytes between `head` and
    /// `tail + capacity`, which the reader does not look at.
    fn write(&self, place: usize, bytes: &[u8]) {
        assert!(place + bytes.len() <= self.capacity, "a frame never leaves the data area");
        // SAFETY: in bounds by the assertion; the one writer owns this part until it stores `head` (release), and
        // the reader reads only below `head` (acquire), so no access overlaps this one.
        unsafe {
            let to = self.raw.as_mut_ptr().add(HEADER + place);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
    }

    /// Bytes of the data area. Called only by the reader, for bytes between `tail` and `head`.
    fn read(&self, place: usize, length: usize) -> &[u8] {
        assert!(place + length <= self.capacity, "a frame never leaves the data area");
        // SAFETY: in bounds by the assertion. The bytes lie below `head`, which was loaded with acquire after the
        // writer's release, and at or above `tail`, which only the reader moves: the slice borrows the reader,
        // and moving `tail` needs it mutably, so the writer cannot reuse the bytes while the slice lives.
        unsafe { std::slice::from_raw_parts(self.raw.as_ptr().add(HEADER + place), length) }
    }
}

fn header_check(capacity: u64, run: u64) -> u64 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&MAGIC.to_le_bytes());
    hash.update(&capacity.to_le_bytes());
    hash.update(&run.to_le_bytes());
    u64::from(hash.finalize()) | 1 << 32
}

fn frame_check(position: u64, length: u32, payload: &[u8]) -> u32 {
    let mut seed = [0; 12];
    seed[..8].copy_from_slice(&position.to_le_bytes());
    seed[8..].copy_from_slice(&length.to_le_bytes());
    let mut hash = crc32fast::Hasher::new();
    hash.update(&seed);
    hash.update(payload);
    hash.finalize()
}

const fn framed(payload: usize) -> usize {
    FRAME + payload.next_multiple_of(FRAME)
}

/// The writing end. One a trading thread.
pub struct Producer {
    map: Arc<Map>,
    head: u64,
    tail_seen: u64,
    dropped: u64,
    refused: u64,
}

/// The reading end, on the journal thread.
pub struct Consumer {
    map: Arc<Map>,
    /// Where the next frame is read; between `tail` and `head`.
    cursor: u64,
    /// `tail`, as this end last stored it.
    released: u64,
}

/// A frame that does not check: reading ends before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Bytes from there to the end of what the ring claims to hold.
    pub bytes: u64,
    /// The frame's position, counted in bytes from the ring's making.
    pub position: u64,
    /// What is wrong.
    pub why: &'static str,
}

/// Makes a fresh ring file of `capacity` bytes (rounded up to a power of two) for a run, and its two ends. An
/// older file at `path` is replaced in one step: drain it first.
pub fn create(path: &Path, capacity: usize, run: u64) -> Result<(Producer, Consumer), Fault> {
    let capacity = capacity.max(CAPACITY_MIN).next_power_of_two();
    let fresh = path.with_extension("new");
    write_file(&fresh, capacity, run).map_err(|source| Fault::Io {
        what: "make the ring file",
        path: fresh.clone(),
        source,
    })?;
    std::fs::rename(&fresh, path).map_err(|source| Fault::Io {
        what: "put the ring file in its place",
        path: path.into(),
        source,
    })?;
    let map = Arc::new(open(path)?.0);
    // Takes the page faults of the first lap now. Kernels before 5.14 cannot: then the first lap has them.
    let _ = map.raw.advise(Advice::PopulateWrite);
    let producer = Producer { map: Arc::clone(&map), head: 0, tail_seen: 0, dropped: 0, refused: 0 };
    Ok((producer, Consumer { map, cursor: 0, released: 0 }))
}

/// Opens the ring of a dead run for draining. Gives the run number too.
pub fn reopen(path: &Path) -> Result<(Consumer, u64), Fault> {
    let (map, run) = open(path)?;
    let tail = map.counter(AT_TAIL).load(Ordering::Acquire);
    let head = map.counter(AT_HEAD).load(Ordering::Acquire);
    if head < tail || head - tail > map.capacity as u64 || !tail.is_multiple_of(FRAME as u64) {
        return Err(Fault::RingDamaged { path: path.into(), why: "its counters contradict each other" });
    }
    Ok((Consumer { map: Arc::new(map), cursor: tail, released: tail }, run))
}

/// Every byte is written, not seeked over: a hole in the file would kill the process (SIGBUS) when the disk
/// is full at the moment the page is first touched.
fn write_file(path: &Path, capacity: usize, run: u64) -> std::io::Result<()> {
    let mut header = vec![0u8; HEADER];
    for (at, value) in [
        (AT_MAGIC, MAGIC),
        (AT_CAPACITY, capacity as u64),
        (AT_RUN, run),
        (AT_CHECK, header_check(capacity as u64, run)),
    ] {
        header[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    let mut file = File::create(path)?;
    file.write_all(&header)?;
    let block = vec![0u8; CAPACITY_MIN];
    for _ in 0..capacity / block.len() {
        file.write_all(&block)?;
    }
    file.flush()
}

fn open(path: &Path) -> Result<(Map, u64), Fault> {
    let io = |what| move |source| Fault::Io { what, path: path.into(), source };
    let damaged = |why| Fault::RingDamaged { path: path.into(), why };
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(io("open the ring file"))?;
    let length = file.metadata().map_err(io("measure the ring file"))?.len() as usize;
    if length < HEADER + CAPACITY_MIN {
        return Err(damaged("it is shorter than the smallest ring"));
    }
    let raw = MmapOptions::new().len(length).map_raw(&file).map_err(io("map the ring file"))?;
    let map = Map { raw, capacity: length - HEADER, path: path.into() };
    let field = |at| u64::from_le(map.counter(at).load(Ordering::Acquire));
    let (magic, capacity, run) = (field(AT_MAGIC), field(AT_CAPACITY), field(AT_RUN));
    if magic != MAGIC {
        return Err(damaged("its first bytes are not those of a ring of this version"));
    }
    if field(AT_CHECK) != header_check(capacity, run) {
        return Err(damaged("its header does not check"));
    }
    if capacity != map.capacity as u64 || !map.capacity.is_power_of_two() {
        return Err(damaged("its length is not the one its header names"));
    }
    Ok((map, run))
}

impl Producer {
    /// Bytes of the data area.
    pub fn capacity(&self) -> usize {
        self.map.capacity
    }

    /// Bytes not yet released by the reader.
    pub fn occupied(&self) -> usize {
        (self.head - self.map.counter(AT_TAIL).load(Ordering::Acquire)) as usize
    }

    /// True when a payload of `length` bytes fits and leaves the ring at or under `limit` bytes. The answer holds
    /// until the next push, since only this end adds.
    #[inline]
    pub fn has_room(&mut self, length: usize, limit: usize) -> bool {
        let need = self.need(length) as u64;
        let limit = limit.min(self.map.capacity) as u64;
        if length > PAYLOAD_MAX {
            return false;
        }
        if self.head - self.tail_seen + need <= limit {
            return true;
        }
        self.tail_seen = self.map.counter(AT_TAIL).load(Ordering::Acquire);
        self.head - self.tail_seen + need <= limit
    }

    /// Copies a payload in and makes it count. False, and nothing changed, when it does not fit.
    #[inline]
    pub fn push(&mut self, payload: &[u8]) -> bool {
        if !self.has_room(payload.len(), self.map.capacity) {
            return false;
        }
        let left = self.map.capacity - self.map.place(self.head);
        if framed(payload.len()) > left {
            self.frame(SKIP, &[]);
            self.head += left as u64;
        }
        self.frame(payload.len() as u32, payload);
        self.head += framed(payload.len()) as u64;
        self.map.counter(AT_HEAD).store(self.head, Ordering::Release);
        true
    }

    /// Counts a telemetry record that found no room; the count survives the process.
    pub fn count_dropped(&mut self) {
        self.dropped += 1;
        self.map.counter(AT_DROPPED).store(self.dropped, Ordering::Relaxed);
    }

    /// Counts a letter that found no room; the count survives the process.
    pub fn count_refused(&mut self) {
        self.refused += 1;
        self.map.counter(AT_REFUSED).store(self.refused, Ordering::Relaxed);
    }

    fn frame(&self, length: u32, payload: &[u8]) {
        let place = self.map.place(self.head);
        let mut header = [0; FRAME];
        header[..4].copy_from_slice(&length.to_le_bytes());
        header[4..8].copy_from_slice(&frame_check(self.head, length, payload).to_le_bytes());
        header[8..].copy_from_slice(&self.head.to_le_bytes());
        self.map.write(place, &header);
        self.map.write(place + FRAME, payload);
    }

    fn need(&self, length: usize) -> usize {
        let left = self.map.capacity - self.map.place(self.head);
        let frame = framed(length);
        if frame > left { left + frame } else { frame }
    }
}

impl Consumer {
    /// The next payload, or `None` when everything written so far has been read. Does not free its room yet.
    pub fn read_next(&mut self) -> Result<Option<&[u8]>, Torn> {
        let head = self.map.counter(AT_HEAD).load(Ordering::Acquire);
        loop {
            if self.cursor >= head {
                return Ok(None);
            }
            let place = self.map.place(self.cursor);
            let left = (self.map.capacity - place).min((head - self.cursor) as usize);
            match self.check(place, left) {
                Err(why) => return Err(Torn { bytes: head - self.cursor, position: self.cursor, why }),
                Ok(SKIP) => self.cursor += (self.map.capacity - place) as u64,
                Ok(length) => {
                    self.cursor += framed(length as usize) as u64;
                    return Ok(Some(self.map.read(place + FRAME, length as usize)));
                }
            }
        }
    }

    /// Frees the room of everything read so far: to be called when it is safe elsewhere.
    pub fn release(&mut self) {
        self.map.counter(AT_TAIL).store(self.cursor, Ordering::Release);
        self.released = self.cursor;
    }

    /// Goes back to the last release: what was read since will be read again.
    pub fn rewind(&mut self) {
        self.cursor = self.released;
    }

    /// Bytes written and not released.
    pub fn occupied(&self) -> usize {
        (self.map.counter(AT_HEAD).load(Ordering::Acquire) - self.released) as usize
    }

    /// Bytes of the data area.
    pub fn capacity(&self) -> usize {
        self.map.capacity
    }

    /// Telemetry records dropped and letters refused by the writing end since the ring was made.
    pub fn losses(&self) -> (u64, u64) {
        let read = |at| self.map.counter(at).load(Ordering::Relaxed);
        (read(AT_DROPPED), read(AT_REFUSED))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.map.path
    }

    /// Length of the frame at `place`, with `left` bytes to the end of the area or of what was written.
    fn check(&self, place: usize, left: usize) -> Result<u32, &'static str> {
        if left < FRAME {
            return Err("a frame's header is cut off");
        }
        let header = self.map.read(place, FRAME);
        let word =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (length, check) = (word(0), word(4));
        let position = u64::from(word(8)) | u64::from(word(12)) << 32;
        if position != self.cursor {
            return Err("a frame names another position than its own");
        }
        let payload = match length {
            SKIP => &[][..],
            n if n as usize <= PAYLOAD_MAX && framed(n as usize) <= left => {
                self.map.read(place + FRAME, n as usize)
            }
            _ => return Err("a frame's length is impossible"),
        };
        if frame_check(position, length, payload) != check {
            return Err("a frame's checksum does not match");
        }
        Ok(length)
    }
}

/// Counts what a thread allocates, for the tests that promise it allocates nothing. It stands here because it
/// needs `unsafe`.
#[cfg(test)]
pub(crate) mod allocations {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

    thread_local! {
        static COUNT: Cell<u64> = const { Cell::new(0) };
    }

    struct Counting;

    // SAFETY: everything is handed to the system's allocator unchanged; counting touches a plain cell only.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let _ = COUNT.try_with(|count| count.set(count.get() + 1));
            // SAFETY: the caller's promise, passed on.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
            // SAFETY: the caller's promise, passed on.
            unsafe { System.dealloc(at, layout) }
        }
    }

    #[global_allocator]
    static COUNTING: Counting = Counting;

    /// Allocations of this thread so far.
    pub(crate) fn so_far() -> u64 {
        COUNT.with(Cell::get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    fn payload(number: u64, length: usize) -> Vec<u8> {
        (0..length).map(|i| (number.wrapping_mul(31) as usize + i * 7) as u8).collect()
    }

    fn numbered(number: u64) -> Vec<u8> {
        let mut bytes = number.to_le_bytes().to_vec();
        bytes.extend(payload(number, (number % 331) as usize));
        bytes
    }

    fn drain(consumer: &mut Consumer) -> (Vec<Vec<u8>>, Option<Torn>) {
        let mut all = Vec::new();
        loop {
            match consumer.read_next() {
                Ok(Some(bytes)) => all.push(bytes.to_vec()),
                Ok(None) => return (all, None),
                Err(torn) => return (all, Some(torn)),
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(usize),
        Read(usize),
        Release,
        Rewind,
        /// The process dies here, and the next one opens a copy of the file.
        Kill,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            12 => (0usize..4000).prop_map(Step::Push),
            4 => (1usize..20).prop_map(Step::Read),
            3 => Just(Step::Release),
            1 => Just(Step::Rewind),
            1 => Just(Step::Kill),
        ];
        proptest::collection::vec(step, 1..200)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Goal: the ring is a queue, whatever the sizes, the wraps and the moment of death. Method: a plain
        /// queue beside it; at every kill the file is copied and must hold exactly what was not released.
        #[test]
        fn is_a_queue_and_survives_a_kill_at_any_step(steps in steps()) {
            let dir = tempfile::tempdir().expect("temp");
            let path = dir.path().join("ring");
            let (mut producer, mut consumer) = create(&path, CAPACITY_MIN, 7).expect("made");
            let (mut unread, mut read) = (VecDeque::new(), VecDeque::new());
            let mut number = 0;
            for step in steps {
                match step {
                    Step::Push(length) => {
                        let bytes = payload(number, length);
                        if producer.push(&bytes) {
                            unread.push_back(bytes);
                            number += 1;
                        } else {
                            prop_assert!(producer.occupied() + 2 * framed(length) > CAPACITY_MIN);
                        }
                    }
                    Step::Read(count) => {
                        for _ in 0..count {
                            let got = consumer.read_next().expect("whole").map(<[u8]>::to_vec);
                            let expected: Option<Vec<u8>> = unread.pop_front();
                            prop_assert_eq!(&got, &expected);
                            read.extend(expected);
                        }
                    }
                    Step::Release => {
                        consumer.release();
                        read.clear();
                    }
                    Step::Rewind => {
                        consumer.rewind();
                        while let Some(bytes) = read.pop_back() {
                            unread.push_front(bytes);
                        }
                    }
                    Step::Kill => {
                        let copy = dir.path().join("copy");
                        std::fs::copy(&path, &copy).expect("copied");
                        let (mut left, run) = reopen(&copy).expect("opens");
                        let (held, torn) = drain(&mut left);
                        prop_assert_eq!((run, torn), (7, None));
                        prop_assert!(held.iter().eq(read.iter().chain(&unread)));
                    }
                }
            }
        }

        /// Goal: a damaged byte anywhere ends the reading at or before its frame, and never invents a record.
        #[test]
        fn damage_at_any_byte_gives_a_true_prefix(
            lengths in proptest::collection::vec(0usize..600, 1..60),
            at in any::<prop::sample::Index>(),
            flip in 1u8..=255,
            zero_rest: bool,
        ) {
            let dir = tempfile::tempdir().expect("temp");
            let path = dir.path().join("ring");
            let (mut producer, _consumer) = create(&path, CAPACITY_MIN, 1).expect("made");
            let pushed: Vec<_> = lengths.iter().enumerate().map(|(i, n)| payload(i as u64, *n)).collect();
            for bytes in &pushed {
                prop_assert!(producer.push(bytes));
            }
            let written = producer.occupied();
            let mut file = std::fs::read(&path).expect("read");
            let place = HEADER + at.index(written);
            if zero_rest {
                file[place..HEADER + written].fill(0);
            } else {
                file[place] ^= flip;
            }
            let copy = dir.path().join("copy");
            std::fs::write(&copy, &file).expect("written");
            let (held, torn) = drain(&mut reopen(&copy).expect("opens").0);
            // A frame starts at the sum of those before it: all whole frames before the damage must be there.
            let ends = lengths.iter().scan(HEADER, |end, n| { *end += framed(*n); Some(*end) });
            let whole = ends.take_while(|end| *end <= place).count();
            prop_assert!(held.len() >= whole, "{} of {whole}", held.len());
            prop_assert!(held.iter().eq(pushed.iter().take(held.len())), "a record was invented");
            // Only damage to padding (or zeroing what is zero) can go unnoticed.
            prop_assert!(torn.is_some() || held.len() == pushed.len());
        }

        /// Goal: a damaged header is refused by name, or the counters it leaves still give a true prefix.
        #[test]
        fn damage_to_the_header_is_refused(at in 0usize..32, flip in 1u8..=255) {
            let dir = tempfile::tempdir().expect("temp");
            let path = dir.path().join("ring");
            drop(create(&path, CAPACITY_MIN, 1).expect("made"));
            let mut file = std::fs::read(&path).expect("read");
            file[at] ^= flip;
            std::fs::write(&path, &file).expect("written");
            let refused = matches!(reopen(&path), Err(Fault::RingDamaged { .. }));
            prop_assert!(refused);
        }
    }

    #[test]
    fn a_short_or_foreign_file_is_refused() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("ring");
        for bytes in [Vec::new(), vec![0; 100], vec![0; 200_000]] {
            std::fs::write(&path, bytes).expect("written");
            assert!(matches!(reopen(&path), Err(Fault::RingDamaged { .. })));
        }
    }

    #[test]
    fn a_full_ring_says_so_and_goes_on_after_release() {
        let dir = tempfile::tempdir().expect("temp");
        let (mut producer, mut consumer) = create(&dir.path().join("ring"), CAPACITY_MIN, 1).expect("made");
        let mut pushed = 0;
        while producer.push(&payload(pushed, 200)) {
            pushed += 1;
        }
        assert_eq!(pushed as usize, CAPACITY_MIN / framed(200));
        assert!(!producer.has_room(PAYLOAD_MAX + 1, usize::MAX));
        assert!(consumer.read_next().expect("whole").is_some());
        assert!(!producer.push(&payload(pushed, 200)), "reading alone frees nothing");
        consumer.release();
        assert!(producer.push(&payload(pushed, 200)));
        producer.count_dropped();
        producer.count_refused();
        producer.count_refused();
        assert_eq!(consumer.losses(), (1, 2));
    }

    /// Goal: two threads never disagree. Method: one pushes numbered payloads of changing sizes as fast as it can,
    /// the other reads and releases at odd moments, copies of the file taken meanwhile never invent a record.
    #[test]
    fn two_threads_hammer() {
        const COUNT: u64 = 200_000;
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("ring");
        let (mut producer, mut consumer) = create(&path, CAPACITY_MIN, 1).expect("made");
        let writer = std::thread::spawn(move || {
            let mut number = 0;
            while number < COUNT {
                if producer.push(&numbered(number)) {
                    number += 1;
                } else {
                    std::thread::yield_now();
                }
            }
        });
        let mut expected = 0;
        while expected < COUNT {
            match consumer.read_next().expect("never torn") {
                Some(bytes) => {
                    assert_eq!(bytes, numbered(expected));
                    expected += 1;
                    if expected.is_multiple_of(97) {
                        consumer.release();
                    }
                }
                None => {
                    consumer.release();
                    std::thread::yield_now();
                }
            }
            if expected.is_multiple_of(50_021) {
                copy_is_true(&path, &dir.path().join("copy"));
            }
        }
        writer.join().expect("writer ends");
    }

    /// A copy taken while both ends work is not one moment: whatever it still yields must be true.
    fn copy_is_true(path: &Path, copy: &Path) {
        std::fs::copy(path, copy).expect("copied");
        let Ok((mut left, _)) = reopen(copy) else { return };
        let (held, _) = drain(&mut left);
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes[..8].try_into().expect("eight"));
        for bytes in &held {
            assert_eq!(*bytes, numbered(number(bytes)));
        }
        assert!(held.is_sorted_by(|a, b| number(a) + 1 == number(b)));
    }
}
