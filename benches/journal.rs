//! What the journal costs: the push on the trading thread, and how many records a second go from there into the
//! tables while that thread never waits. Beside them, in the same run and on the same disk, what one would do
//! without it: one LMDB commit a record, and one `write` a record.
//!
//! `cargo bench -p journal` prints a table; `-- QUICK` runs a tenth of it.

use desk::{Address, Envelope, Letter};
use journal::record::{Encoder, RunEvent};
use journal::{Durability, Journal, Kind, Opened, Pen, RunNote, RunStart, Settings};
use market::quote::{Level, MarketEvent, Quote};
use market::{Contract, Date, Instrument, Label, Price, Right, Symbol, Timestamp};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

fn main() {
    // `cargo test --benches` passes no `--bench`: then one short pass shows that it works.
    let quick = std::env::args().any(|a| a == "QUICK") || !std::env::args().any(|a| a == "--bench");
    let records = if quick { 100_000 } else { 2_000_000 };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let length = Encoder::new().letter(1, Kind::Heard, &quote(1)).expect("fits");
    println!("an option quote is stored in {length} bytes");
    push_cost(&dir.path().join("push"), records.min(400_000));
    for durability in [Durability::Process, Durability::Power] {
        let journal = dir.path().join(format!("sustained-{durability:?}"));
        sustained(&journal, durability, records);
        reopening(&journal, durability);
    }
    each_commit(&dir.path().join("each"), records / 40);
    plain_write(&dir.path().join("plain"), records / 4);
}

fn quote(n: i64) -> Envelope {
    let symbol = Symbol::literal("SPY");
    let expiry = Date::from_ymd(2026, 4, 17).expect("a date");
    let contract = Contract { root: symbol, expiry, strike_mils: 560_000, right: Right::Put };
    let at = Timestamp::from_seconds(1_773_671_400) + n;
    let level = |cents| Some(Level { price: Price::from_cents(cents), size: 10 });
    let quote = Quote { bid: level(400 + n % 50), ask: level(402 + n % 50), at };
    let letter = Letter::Market(MarketEvent::Quote(Instrument::Option(contract), quote));
    Envelope { from: Address::Venue, to: Address::Underlying(symbol), at, letter }
}

fn open(dir: &Path, durability: Durability) -> (Journal, Pen) {
    let settings = Settings {
        ring_bytes: 64 << 20,
        ring_dir: None,
        pens: 1,
        group_records: 8192,
        group_ms: 2,
        map_size_mb: 4096,
        durability,
        prune_above_percent: None,
    };
    let start = RunStart { version: Label::literal("bench"), seeds: Vec::new(), at: Timestamp::from_ns(0) };
    let Opened { journal, mut pens, .. } = Journal::open(dir, &settings, &start).expect("opens");
    (journal, pens.pop().expect("a pen"))
}

/// One push a time on a paced thread, as ticks come: percentiles of the call alone.
fn push_cost(dir: &Path, records: i64) {
    let (journal, mut pen) = open(dir, Durability::Process);
    let envelopes: Vec<_> = (0..64).map(quote).collect();
    let mut took = Vec::with_capacity(records as usize);
    let begun = Instant::now();
    for n in 0..records {
        // 20,000 records a second.
        while begun.elapsed() < Duration::from_micros(50 * n as u64) {
            std::hint::spin_loop();
        }
        let before = Instant::now();
        assert!(pen.heard(&envelopes[n as usize % 64]), "the ring never fills here");
        took.push(before.elapsed().as_nanos() as u64);
    }
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!(
        "push at 20,000/s, with the clock's own 20-30 ns: p50 {} ns, p99 {} ns, p99.9 {} ns, longest {} us",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0) / 1000
    );
    let batch = 1000;
    let mut best = u128::MAX;
    for _ in 0..100 {
        let before = Instant::now();
        for n in 0..batch {
            pen.heard(&envelopes[n % 64]);
        }
        best = best.min(before.elapsed().as_nanos() / batch as u128);
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("push in bursts of {batch}: {best} ns");
    journal.close(Timestamp::from_ns(1)).expect("closes");
}

/// Pushes at 200,000 a second and then as fast as the tables take them; a refused push is counted, never waited for
/// in the first part.
fn sustained(dir: &Path, durability: Durability, records: i64) {
    let (journal, mut pen) = open(dir, durability);
    let (monitor, mut refused, mut fullest, mut sent) = (journal.monitor(), 0, 0, 0);
    let begun = Instant::now();
    while sent < records {
        let due = (begun.elapsed().as_nanos() as i64 / 5_000).min(records);
        while sent < due {
            refused += i64::from(!pen.heard(&quote(sent)));
            sent += 1;
        }
        fullest = fullest.max(pen.ring_percent());
    }
    let pushed = begun.elapsed();
    while monitor.counters().stored < (records - refused) as u64 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let all = begun.elapsed();
    let rate = (records - refused) as f64 / all.as_secs_f64();
    println!(
        "{durability:?}: {records} at 200,000/s: pushed in {:.2} s, refused {refused}, fullest ring {fullest} %, in \
         the tables at {rate:.0}/s, groups of {:.0}",
        pushed.as_secs_f64(),
        monitor.counters().stored as f64 / monitor.counters().groups as f64
    );
    let begun = Instant::now();
    for n in 0..records {
        while !pen.heard(&quote(n)) {
            std::thread::yield_now();
        }
    }
    let counters = journal.close(Timestamp::from_ns(1)).expect("closes");
    let rate = records as f64 / begun.elapsed().as_secs_f64();
    println!("{durability:?}: as fast as the tables take them: {rate:.0}/s ({} in all)", counters.stored);
}

/// How long a start waits for the journal: after an orderly close, and after a kill, when the file is read through.
fn reopening(dir: &Path, durability: Durability) {
    let megabytes = std::fs::metadata(dir.join("data.mdb")).expect("a file").len() >> 20;
    for how in ["an orderly close", "a kill"] {
        let begun = Instant::now();
        let (journal, _pen) = open(dir, durability);
        let took = begun.elapsed().as_millis();
        println!("opening {megabytes} MB after {how}: {took} ms");
        drop(journal);
    }
}

/// Baseline: one LMDB commit a record, through the same store.
fn each_commit(dir: &Path, records: i64) {
    std::fs::create_dir_all(dir).expect("a folder");
    let settings = Settings {
        ring_bytes: 64 << 10,
        ring_dir: None,
        pens: 1,
        group_records: 1,
        group_ms: 1,
        map_size_mb: 1024,
        durability: Durability::Process,
        prune_above_percent: None,
    };
    let mut store = journal::store::Store::open(dir, &settings).expect("opens");
    let note = RunNote {
        run: 1,
        event: RunEvent::Started,
        version: Label::literal("bench"),
        seeds: Vec::new(),
        at: Timestamp::from_ns(0),
    };
    let begun = Instant::now();
    let records = records.min(5_000);
    for _ in 0..records {
        store.append_note(&note).expect("stored");
    }
    println!("baseline, one commit a record: {:.0}/s", records as f64 / begun.elapsed().as_secs_f64());
}

/// Baseline: one `write` system call a record, never synced.
fn plain_write(path: &Path, records: i64) {
    let mut file = std::fs::File::create(path).expect("a file");
    let mut encoder = Encoder::new();
    let begun = Instant::now();
    for n in 0..records {
        let length = encoder.letter(1, Kind::Heard, &quote(n)).expect("fits");
        file.write_all(encoder.numbered(length, n as u64)).expect("written");
    }
    let each = begun.elapsed().as_nanos() as f64 / records as f64;
    println!("baseline, one write() a record: {each:.0} ns, {:.0}/s", 1e9 / each);
}
