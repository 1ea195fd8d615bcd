//! The journal as a whole, on real LMDB files in temporary folders. A kill is played by dropping everything without
//! closing, by copying the files at some moment, and once by a real SIGKILL to a child process.

use crate::export::{Exported, Filter, Format, export};
use crate::record::{Encoder, RunEvent};
use crate::samples::{self, AT, SPY};
use crate::store::Store;
use crate::summary::summarise;
use crate::*;
use desk::{Address, Envelope, Letter};
use market::order::{Activity, ActivityNote, Outcome};
use market::{Label, Money, OrderId};
use portfolio::ExitReason;
use portfolio::proposal::Purpose;
use proptest::prelude::*;
use std::cell::Cell;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

fn settings() -> Settings {
    Settings {
        ring_bytes: 1 << 20,
        ring_dir: None,
        pens: 1,
        group_records: 1000,
        group_ms: 1,
        map_size_mb: 64,
        durability: Durability::Process,
        prune_above_percent: None,
    }
}

fn start() -> RunStart {
    RunStart { version: Label::literal("0.1.0-test"), seeds: vec![(Label::literal("market"), 42)], at: AT }
}

fn open(dir: &Path, settings: &Settings) -> (Journal, Pen, Recovered) {
    let mut opened = Journal::open(dir, settings, &start()).expect("opens");
    (opened.journal, opened.pens.pop().expect("a pen"), opened.recovered)
}

fn temp() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Waits for what another thread brings about; a minute without it is a failure.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited a minute for: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn records(reader: &Reader) -> Vec<Record> {
    let all = reader.all().map(|entry| entry.expect("fetched").record.expect("whole"));
    let all: Vec<_> = all.collect();
    assert!(all.iter().enumerate().all(|(i, r)| r.seq == i as u64 + 1), "numbers have a gap");
    all
}

fn letters(reader: &Reader) -> Vec<Envelope> {
    records(reader).iter().filter_map(|r| r.envelope().cloned()).collect()
}

/// Copies the files as a dying process would leave them.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("listed") {
        let path = entry.expect("entry").path();
        std::fs::copy(&path, to.join(path.file_name().expect("named"))).expect("copied");
    }
}

#[test]
fn what_is_written_is_read_back_in_order_and_by_index() {
    let dir = temp();
    let all = samples::every_letter();
    {
        let (journal, mut pen, recovered) = open(dir.path(), &settings());
        assert_eq!((recovered.run, recovered.drained, recovered.last_seq), (1, 0, 0));
        for envelope in &all {
            assert!(pen.heard(envelope) && pen.said(envelope));
        }
        let counters = journal.close(AT + 5).expect("closes");
        assert_eq!((counters.recorded, counters.stored), (all.len() as u64 * 2, all.len() as u64 * 2));
    }
    let reader = Reader::open(dir.path()).expect("opens to read");
    let stored = records(&reader);
    let twice: Vec<_> = all.iter().flat_map(|e| [e.clone(), e.clone()]).collect();
    assert_eq!(letters(&reader), twice);
    assert!(matches!(&stored[0].body, Body::Run(n) if n.event == RunEvent::Started && n.seeds.len() == 2));
    let last = stored.last().expect("some");
    assert!(matches!(&last.body, Body::Run(n) if n.event == RunEvent::Ended { dropped: 0, refused: 0 }));
    assert_eq!(last.at, AT + 5);

    let kinds = |seqs: Vec<u64>| -> Vec<_> {
        seqs.iter().map(|n| (stored[*n as usize - 1].letter(), stored[*n as usize - 1].kind)).collect()
    };
    let order = reader.order(OrderId::literal("w3.SPY.17.1")).expect("read");
    assert_eq!(kinds(order), [(LetterKind::Request, Kind::Said), (LetterKind::Report, Kind::Heard)]);
    let prefix = reader.order(OrderId::literal("w3.SPY.17")).expect("read");
    assert!(prefix.is_empty(), "a prefix is another order");
    let told = kinds(reader.forecasts(SPY).expect("read"));
    let judged = [LetterKind::Predicted, LetterKind::Scored, LetterKind::Combined, LetterKind::Drift];
    let both = |letter| [(letter, Kind::Heard), (letter, Kind::Said)];
    assert!(told.iter().copied().eq([LetterKind::Forecast].into_iter().chain(judged).flat_map(both)));
    let newest = reader.forecasts_of_newest_run(SPY).expect("read");
    assert!(newest.iter().map(|record| (record.letter(), record.kind)).eq(told));
    assert!(reader.forecasts_of_newest_run(market::Symbol::literal("QQQ")).expect("read").is_empty());
    assert_eq!(reader.days().expect("read"), [(AT.new_york().0, 1, last.seq)]);
    assert_eq!((reader.last_run().expect("read"), reader.pruned_to().expect("read")), (1, 0));
}

/// Two journals on one account must never make the same order id; one journal makes the same again when it is rerun.
#[test]
fn a_journal_has_a_nonce_of_its_own_and_keeps_it() {
    let (one, other) = (temp(), temp());
    let start = |dir: &Path| {
        let (journal, _pen, recovered) = open(dir, &settings());
        journal.close(AT + 5).expect("closes");
        recovered.run_id()
    };
    let (first, second, elsewhere) = (start(one.path()), start(one.path()), start(other.path()));
    assert_ne!(first.to_string(), elsewhere.to_string(), "both are run 1");
    let order = OrderId::fold(format_args!("{first}.SPY.1.0"));
    assert!(second.owns(&order) && !elsewhere.owns(&order));
    let reader = Reader::open(one.path()).expect("opens to read");
    let begun: Vec<_> = records(&reader)
        .into_iter()
        .filter_map(|record| match record.body {
            Body::Run(note) if note.event == RunEvent::Started => Some(note.run_id()),
            _ => None,
        })
        .collect();
    assert_eq!(begun, [first, second], "a rerun reads them from the record");
}

#[test]
fn recovery_gives_each_seat_what_it_heard() {
    let dir = temp();
    let all = samples::every_letter();
    for run in 1..=3 {
        let (journal, mut pen, recovered) = open(dir.path(), &settings());
        assert_eq!(recovered.run, run);
        let heard =
            |seat| -> Vec<_> { recovered.letters(seat).map(|letter| letter.expect("whole").1).collect() };
        let expected = |seats: &[Address]| -> Vec<_> {
            let once = all.iter().filter(|e| seats.contains(&e.to)).cloned();
            let once: Vec<_> = once.collect();
            (1..run).flat_map(|_| once.clone()).collect()
        };
        for seat in [Address::Risk, Address::Execution, Address::Underlying(SPY), Address::Operator] {
            assert_eq!(heard(seat), expected(&[seat]));
        }
        let both = [Address::Risk, Address::Execution];
        let merged: Vec<_> = recovered.letters_of(&both).map(|l| l.expect("whole").1).collect();
        assert_eq!(merged, expected(&both));
        for envelope in &all {
            assert!(pen.heard(envelope) && pen.said(envelope));
        }
        assert_eq!(heard(Address::Risk), expected(&[Address::Risk]), "what this run hears is not recovery");
        journal.close(AT).expect("closes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Goal: no accepted letter is lost or changed by a death at any moment. Method: write random numbers of letters,
    /// at random moments copy all files (a kill) or drop everything, open the copy, compare.
    #[test]
    fn a_kill_at_any_moment_loses_nothing(
        bursts in proptest::collection::vec((0usize..400, any::<bool>()), 1..5),
        group in 1usize..300,
    ) {
        let dir = temp();
        let set = Settings { group_records: group, ..settings() };
        let (mut place, mut accepted) = (dir.path().join("0"), Vec::new());
        for (i, (count, by_copy)) in bursts.into_iter().enumerate() {
            let (journal, mut pen, recovered) = open(&place, &set);
            prop_assert_eq!(recovered.run as usize, i + 1);
            prop_assert!(recovered.torn.is_empty());
            for n in 0..count {
                let envelope = samples::quote(400 + n as i64, AT + n as i64);
                prop_assert!(pen.said(&envelope));
                accepted.push(envelope);
            }
            let next = dir.path().join(format!("{}", i + 1));
            if by_copy {
                // LMDB may be committing meanwhile: copy its file while it rests.
                until("the rings to drain", || pen.ring_percent() == 0 && journal.monitor().counters().stored == count as u64);
                copy(&place, &next);
            }
            drop((journal, pen, recovered));
            if !by_copy {
                copy(&place, &next);
            }
            place = next;
        }
        let (journal, pen, recovered) = open(&place, &set);
        prop_assert_eq!(letters(&recovered.reader), accepted);
        let dead = records(&recovered.reader).iter().filter(|r| matches!(&r.body, Body::Run(n) if matches!(n.event, RunEvent::FoundDead { .. }))).count();
        prop_assert_eq!(dead, recovered.run as usize - 1);
        drop((journal, pen));
    }
}

/// Not a test of its own: what the killed child does when the test below starts this program again.
#[test]
fn child_writes_until_killed() {
    let Ok(dir) = std::env::var("WINGSPREAD_JOURNAL_CHILD") else { return };
    let (_journal, mut pen, _) = open(Path::new(&dir), &settings());
    for n in 0.. {
        while !pen.said(&samples::quote(n, AT)) {
            std::thread::sleep(Duration::from_millis(1));
        }
        println!("\nacknowledged {n}");
    }
}

#[test]
fn a_real_kill_loses_nothing_acknowledged() {
    let dir = temp();
    let mut child = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "tests::child_writes_until_killed", "--nocapture"])
        .env("WINGSPREAD_JOURNAL_CHILD", dir.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("child starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut acknowledged = -1;
    while acknowledged < 5000 {
        let line = lines.next().expect("child lives").expect("text");
        if let Some(n) = line.strip_prefix("acknowledged ") {
            acknowledged = n.parse().expect("a number");
        }
    }
    let refused = Journal::open(dir.path(), &settings(), &start()).err().expect("in use");
    assert!(refused.to_string().contains(&format!("process {}", child.id())), "{refused}");
    child.kill().expect("killed");
    child.wait().expect("gone");
    for line in lines {
        if let Some(n) = line.expect("text").strip_prefix("acknowledged ") {
            acknowledged = n.parse().unwrap_or(acknowledged);
        }
    }
    let (_journal, _pen, recovered) = open(dir.path(), &settings());
    let stored = letters(&recovered.reader);
    assert!(stored.len() as i64 > acknowledged, "{} of {acknowledged}", stored.len());
    assert!(stored.iter().enumerate().all(|(n, e)| *e == samples::quote(n as i64, AT)));
}

#[test]
fn a_second_engine_is_refused_by_name() {
    let dir = temp();
    let (journal, _pen, recovered) = open(dir.path(), &settings());
    let refused = Journal::open(dir.path(), &settings(), &start()).err().expect("refused");
    assert!(matches!(&refused, Fault::InUse { pid, .. } if *pid == std::process::id().to_string()));
    assert!(refused.to_string().contains("stop that one first"), "{refused}");
    drop((journal, recovered));
    drop(open(dir.path(), &settings()));
}

#[test]
fn another_schema_is_refused_with_the_way_out() {
    let dir = temp();
    let (journal, pen, recovered) = open(dir.path(), &settings());
    journal.close(AT).expect("closes");
    drop((pen, recovered));
    Store::open(dir.path(), &settings()).expect("opens").set_meta(tables::META_SCHEMA, 99).expect("set");
    for refused in [
        Journal::open(dir.path(), &settings(), &start()).err().expect("refused"),
        Reader::open(dir.path()).err().expect("refused"),
    ] {
        assert!(matches!(refused, Fault::Schema { found: 99, .. }));
        assert!(refused.to_string().contains("export it with the program that wrote it"), "{refused}");
    }
}

#[test]
fn settings_out_of_bounds_are_named() {
    let wrong = Settings { pens: 0, ..settings() };
    let refused = Journal::open(temp().path(), &wrong, &start()).err().expect("refused").to_string();
    assert_eq!(refused, "journal.pens is 0: give 1 to 64");
    assert!(matches!(Reader::open(temp().path()), Err(Fault::Missing { .. })));
}

/// Goal: when the tables cannot grow, nothing acknowledged is lost, telemetry gives way before letters, the reason
/// is told with its remedy, and more room cures it.
#[test]
fn a_full_map_keeps_everything_in_the_ring() {
    let dir = temp();
    let small = Settings { map_size_mb: 1, ring_bytes: 1 << 18, ..settings() };
    let (journal, mut pen, recovered) = open(dir.path(), &small);
    let monitor = journal.monitor();
    let mut accepted = Vec::new();
    let mut write = |pen: &mut Pen, envelope: Envelope| {
        let taken = pen.said(&envelope);
        if taken {
            accepted.push(envelope);
        }
        taken
    };
    until("the map to fill", || {
        for n in 0..50 {
            write(&mut pen, samples::quote(n, AT));
        }
        matches!(monitor.health(), Health::Failing { .. })
    });
    assert!(pen.is_failing());
    let Health::Failing { why } = monitor.health() else { unreachable!("just seen") };
    assert!(why.contains("journal.map_size (now 1 MiB)"), "{why}");
    while write(&mut pen, samples::quote(1, AT)) {}
    assert!(pen.ring_percent() >= 70, "telemetry leaves a quarter: {}", pen.ring_percent());
    let letter = samples::said(Address::Execution, Address::Venue, Letter::Request(samples::request("a")));
    assert!(write(&mut pen, letter.clone()), "letters use the last quarter");
    while write(&mut pen, letter.clone()) {}
    let counters = monitor.counters();
    assert!(counters.dropped_telemetry >= 1 && counters.refused_letters == 1, "{counters:?}");
    let gave_up = journal.close(AT).expect_err("cannot store all");
    assert!(matches!(gave_up, Fault::Undrained { .. }), "{gave_up}");
    drop((pen, recovered));

    let stuck = Journal::open(dir.path(), &small, &start()).err().expect("still full");
    assert!(matches!(stuck, Fault::MapFull { map_size_mb: 1 }), "{stuck}");
    let (_journal, _pen, recovered) = open(dir.path(), &settings());
    assert_eq!(letters(&recovered.reader), accepted);
    assert!(recovered.drained > 0);
    let dead = records(&recovered.reader).into_iter().find_map(|r| match r.body {
        Body::Run(RunNote { event: RunEvent::FoundDead { dropped, refused, .. }, .. }) => {
            Some((dropped, refused))
        }
        _ => None,
    });
    assert_eq!(dead, Some((counters.dropped_telemetry, counters.refused_letters)));
}

/// A file system of its own with little room; `None`, said aloud, where mounting is not allowed.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(kilobytes: u32) -> Option<Self> {
        let dir = temp();
        let size = format!("size={kilobytes}k");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).output();
        if mount.is_ok_and(|done| done.status.success()) {
            return Some(Self(dir));
        }
        println!("skipped: a small file system cannot be mounted here (needs root)");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What cannot be unmounted goes away with the machine.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Goal: on a full disk nothing acknowledged is lost, the reason is told, and room on the disk cures it while running.
#[test]
fn a_full_disk_keeps_everything_in_the_ring_until_there_is_room() {
    let Some(disk) = SmallDisk::mount(2048) else { return };
    let dir = disk.0.path().join("journal");
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![7_u8; 900 << 10]).expect("room for the ballast");
    let (journal, mut pen, recovered) = open(&dir, &Settings { ring_bytes: 1 << 18, ..settings() });
    let monitor = journal.monitor();
    let mut accepted = Vec::new();
    until("the disk to fill", || {
        for n in 0..50 {
            let quote = samples::quote(n, AT);
            if pen.said(&quote) {
                accepted.push(quote);
            }
        }
        matches!(monitor.health(), Health::Failing { .. })
    });
    let Health::Failing { why } = monitor.health() else { unreachable!("just seen") };
    assert!(why.contains("check that the disk has room"), "{why}");
    let letter = samples::said(Address::Execution, Address::Venue, Letter::Request(samples::request("a")));
    assert!(pen.said(&letter), "the ring still takes letters");
    accepted.push(letter);

    std::fs::remove_file(&ballast).expect("room again");
    until("the journal to recover by itself", || monitor.health() == Health::Ok);
    journal.close(AT).expect("closes");
    assert_eq!(letters(&recovered.reader), accepted);
}

#[test]
fn a_journal_that_finds_no_room_says_so() {
    let Some(disk) = SmallDisk::mount(128) else { return };
    let fault = Journal::open(disk.0.path(), &settings(), &start()).err().expect("no room for the ring");
    let said = fault.to_string();
    let named = said.contains(&disk.0.path().display().to_string());
    assert!(named && (said.contains("No space left") || said.contains("os error 28")), "{said}");
}

#[test]
fn the_tables_pages_do_not_gather_in_memory() {
    let dir = temp();
    let (journal, mut pen, recovered) = open(dir.path(), &settings());
    for n in 0..60_000 {
        while !pen.heard(&samples::quote(n, AT)) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    until("all to be stored", || journal.monitor().counters().stored >= 60_000);
    let file = dir.path().join("data.mdb").canonicalize().expect("there");
    let written_kb = std::fs::metadata(&file).expect("there").len() / 1024;
    let resident_kb = resident_kb(&file);
    assert!(resident_kb < written_kb * 3 / 4, "{resident_kb} of {written_kb} kB are mapped in");
    journal.close(AT).expect("closes");
    assert_eq!(records(&recovered.reader).len(), 60_000 + 2, "what was handed back is still there");
}

/// How much of a file this process has mapped in.
fn resident_kb(file: &Path) -> u64 {
    let name = file.display().to_string();
    let mut of_file = false;
    let mut sum = 0;
    for line in std::fs::read_to_string("/proc/self/smaps").expect("Linux").lines() {
        if line.split(' ').next().is_some_and(|word| word.contains('-')) {
            of_file = line.ends_with(&name);
        } else if of_file && let Some(kb) = line.strip_prefix("Rss:") {
            sum += kb.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
        }
    }
    sum
}

#[test]
fn old_market_inputs_are_forgotten_and_nothing_else() {
    let dir = temp();
    let tight = Settings { map_size_mb: 4, prune_above_percent: Some(50), ..settings() };
    let (journal, mut pen, recovered) = open(dir.path(), &tight);
    let monitor = journal.monitor();
    let kept = samples::said(Address::Venue, Address::Risk, samples::fee(1, -4));
    let mut letters_written = 0;
    let mut n = 0;
    until("twice the map to be written and some forgotten", || {
        for _ in 0..500 {
            n += 1;
            while !pen.heard(&samples::quote(n, AT)) {
                std::thread::sleep(Duration::from_millis(1));
            }
            if n % 100 == 0 {
                assert!(pen.heard(&kept));
                letters_written += 1;
            }
        }
        n > 40_000 && monitor.counters().forgotten > 0
    });
    assert_eq!(monitor.health(), Health::Ok);
    journal.close(AT).expect("closes");
    let reader = recovered.reader.clone();
    let held = |kind| reader.scan(0..=u64::MAX, Box::new(move |h| h.letter == kind)).count();
    assert_eq!(held(LetterKind::Activity), letters_written);
    assert!((held(LetterKind::Market) as i64) < n, "some are gone");
    assert!(reader.pruned_to().expect("read") > 0);
    drop((pen, recovered, reader));
    let (_journal, _pen, recovered) = open(dir.path(), &tight);
    assert_eq!(recovered.letters(Address::Risk).filter(|l| l.is_ok()).count(), letters_written);
}

/// Not a test of its own: what the killed child does when the test below starts this program again.
#[test]
fn child_reads_until_killed() {
    let Ok(dir) = std::env::var("WINGSPREAD_JOURNAL_READER") else { return };
    let env = crate::environment::open_to_read(Path::new(&dir)).expect("opens");
    let _txn = env.read_txn().expect("reads");
    println!("\nreading");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_reader_keeps_nothing_from_being_forgotten() {
    let dir = temp();
    let tight = Settings { map_size_mb: 4, prune_above_percent: Some(50), ..settings() };
    let mut store = Store::open(dir.path(), &tight).expect("opens");
    let kill_one = || {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "tests::child_reads_until_killed", "--nocapture"])
            .env("WINGSPREAD_JOURNAL_READER", dir.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("child starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        while lines.next().expect("child lives").expect("text") != "reading" {}
        child.kill().expect("killed");
        child.wait().expect("ended");
    };
    kill_one();
    assert_eq!(store.stale_readers(), 1, "a kill leaves one behind");
    kill_one();
    store.prune_step().expect("looks");
    assert_eq!(store.stale_readers(), 0);
}

#[test]
fn power_tells_when_a_record_is_on_the_disk() {
    let dir = temp();
    let lasting = Settings { durability: Durability::Power, group_ms: 1000, ..settings() };
    let (journal, mut pen, _recovered) = open(dir.path(), &lasting);
    for n in 0..10 {
        assert!(pen.said(&samples::quote(n, AT)));
        pen.hasten();
        let seq = pen.last_seq();
        until("the record to be synced", || pen.synced_seq() >= seq);
    }
    journal.close(AT).expect("closes");
}

/// Goal: several pens share one order without gaps, and each pen's own order is kept.
#[test]
fn pens_on_two_threads_make_one_record() {
    const COUNT: i64 = 20_000;
    let dir = temp();
    let two = Settings { pens: 2, group_records: 512, ..settings() };
    let opened = Journal::open(dir.path(), &two, &start()).expect("opens");
    let threads = opened.pens.into_iter().enumerate().map(|(i, mut pen)| {
        std::thread::spawn(move || {
            for n in 0..COUNT {
                while !pen.said(&samples::quote(n, AT + i as i64)) {
                    std::thread::yield_now();
                }
            }
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().expect("ends");
    }
    opened.journal.close(AT).expect("closes");
    let all = letters(&opened.recovered.reader);
    for i in 0..2 {
        let own: Vec<_> = all.iter().filter(|e| e.at == AT + i).cloned().collect();
        let expected: Vec<_> = (0..COUNT).map(|n| samples::quote(n, AT + i)).collect();
        assert!(own == expected, "pen {i}: {} of {COUNT}", own.len());
    }
}

#[test]
fn a_torn_ring_gives_what_is_whole_and_is_kept_aside() {
    let dir = temp();
    // The tables are full, so that the ring still holds nearly all it can.
    let slow = Settings { map_size_mb: 1, ring_bytes: 1 << 16, ..settings() };
    let (journal, mut pen, recovered) = open(dir.path(), &slow);
    until("the map to fill", || {
        pen.said(&samples::quote(1, AT));
        pen.is_failing()
    });
    let letter = samples::said(Address::Execution, Address::Venue, Letter::Request(samples::request("a")));
    while pen.said(&letter) {}
    let accepted = journal.monitor().counters().recorded;
    drop((journal, pen, recovered));
    let ring = dir.path().join("pen-0.ring");
    let mut bytes = std::fs::read(&ring).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 2000].fill(0xAA);
    std::fs::write(&ring, bytes).expect("written");
    let (_journal, _pen, recovered) = open(dir.path(), &settings());
    assert_eq!(recovered.torn.len(), 1, "{:?}", recovered.torn);
    assert!(recovered.torn[0].kept.exists());
    let held = letters(&recovered.reader).len() as u64;
    assert!(held < accepted && held > 0, "{held} of {accepted}");
}

#[test]
fn a_foreign_file_in_a_ring_s_place_is_refused() {
    let dir = temp();
    drop(open(dir.path(), &settings()));
    std::fs::write(dir.path().join("pen-0.ring"), vec![7; 100_000]).expect("written");
    let refused = Journal::open(dir.path(), &settings(), &start()).err().expect("refused");
    assert!(refused.to_string().contains("move it aside"), "{refused}");
}

/// A closed journal with a day of letters, for the tests that damage copies of it.
pub(crate) fn sample_journal(dir: &Path) -> usize {
    let (journal, mut pen, _recovered) = open(dir, &settings());
    let all = samples::every_letter();
    for n in 0..300 {
        assert!(pen.heard(&samples::quote(n, AT)));
        assert!(pen.heard(&all[n as usize % all.len()]) && pen.said(&all[n as usize % all.len()]));
    }
    journal.close(AT).expect("closes");
    900
}

#[test]
fn a_damaged_record_is_named_and_skipped_but_stops_recovery() {
    let dir = temp();
    let count = sample_journal(dir.path());
    let mut store = Store::open(dir.path(), &settings()).expect("opens");
    let risk = store.reader().heard(1, 0, 3).expect("read")[2];
    store.damage(risk).expect("damaged");
    let reader = store.reader();
    let mut out = Vec::new();
    let done = export(&reader, &Filter::default(), Format::JsonLines, &mut out).expect("exports");
    assert_eq!(done.written as usize, count + 2 - 1);
    assert_eq!(done.damaged.len(), 1);
    assert_eq!(done.damaged[0].0, risk);
    assert!(done.damaged[0].1.contains("checksum"), "{}", done.damaged[0].1);
    drop((store, reader));
    let (_journal, _pen, recovered) = open(dir.path(), &settings());
    let last = recovered.letters(Address::Risk).last().expect("some");
    assert!(matches!(last, Err(Fault::Record { seq, .. }) if seq == risk));
}

/// Opens a damaged copy every way there is; only the absence of a crash and of invented records is asked.
fn survives(dir: &Path) -> Result<(), Fault> {
    let good = samples::every_letter();
    let reader = Reader::open(dir)?;
    for entry in reader.all() {
        if let Ok(record) = entry?.record
            && let Some(envelope) = record.envelope()
        {
            let quote = matches!(envelope.letter, Letter::Market(_));
            assert!(quote || good.contains(envelope), "invented: {envelope:?}");
        }
    }
    drop(reader);
    let mut opened = Journal::open(dir, &settings(), &start())?;
    for letter in opened.recovered.letters(Address::Risk) {
        letter?;
    }
    for n in 0..500 {
        opened.pens[0].said(&samples::quote(n, AT));
    }
    opened.journal.close(AT).map(drop)
}

/// More with `WINGSPREAD_DAMAGE_CASES=5000`, for an evening.
fn damage_cases() -> u32 {
    std::env::var("WINGSPREAD_DAMAGE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(150)
}

/// Goal: a damaged database file never ends the process and never invents a record. Method: overwrite random bytes,
/// pages and ends of a good file, and use it in every way. LMDB itself would crash on many of these.
#[test]
fn a_damaged_file_is_refused_or_read_with_gaps() {
    let dir = temp();
    let good = dir.path().join("good");
    sample_journal(&good);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(damage_cases()));
    let damage = (any::<prop::sample::Index>(), 0usize..4, any::<u64>(), 1usize..3000);
    let file = std::fs::read(good.join("data.mdb")).expect("read");
    let (fine, refused, case) = (Cell::new(0), Cell::new(0), Cell::new(0));
    runner
        .run(&damage, |(at, how, seed, length)| {
            let mut bytes = file.clone();
            let place = at.index(bytes.len());
            let end = (place + length).min(bytes.len());
            match how {
                0 => bytes.truncate(place),
                1 => bytes[place..end].fill(seed as u8),
                2 => bytes[place] ^= 1 << (seed % 8),
                _ => {
                    for (i, byte) in bytes[place..end].iter_mut().enumerate() {
                        *byte = (seed.rotate_left(i as u32 % 64) as u8).wrapping_mul(i as u8 | 1);
                    }
                }
            }
            case.set(case.get() + 1);
            let copy_dir = dir.path().join(format!("copy-{}", case.get()));
            copy(&good, &copy_dir);
            std::fs::write(copy_dir.join("data.mdb"), &bytes).expect("written");
            match survives(&copy_dir) {
                Ok(()) => fine.set(fine.get() + 1),
                Err(fault) => {
                    refused.set(refused.get() + 1);
                    let text = fault.to_string();
                    // Of a flipped version number only the number can be told.
                    let remedies = ["move it aside", "check that", "set journal.folder to a new folder"];
                    prop_assert!(remedies.iter().any(|remedy| text.contains(remedy)), "{}", text);
                }
            }
            std::fs::remove_dir_all(copy_dir).expect("removed");
            Ok(())
        })
        .expect("no case fails");
    assert!(fine.get() > 0 && refused.get() > 0, "both happen: {fine:?} {refused:?}");
}

fn exported(reader: &Reader, filter: &Filter, format: Format) -> (Exported, String) {
    let mut out = Vec::new();
    let done = export(reader, filter, format, &mut out).expect("exports");
    (done, String::from_utf8(out).expect("text"))
}

#[test]
fn exports_read_back_and_filters_filter() {
    let dir = temp();
    let count = sample_journal(dir.path());
    let reader = Reader::open(dir.path()).expect("opens");
    let (done, json) = exported(&reader, &Filter::default(), Format::JsonLines);
    assert_eq!(done.written as usize, count + 2);
    for line in json.lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(value["detail"].is_object() || value["detail"].is_string(), "{line}");
        assert_eq!(value["run"], 1);
    }
    let (_, table) = exported(&reader, &Filter::default(), Format::Csv);
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    assert_eq!(rows.headers().expect("header").len(), 10);
    assert_eq!(rows.records().filter(|row| row.is_ok()).count(), count + 2);
    let (_, list) = exported(&reader, &Filter::default(), Format::List);
    assert_eq!(list.lines().count(), count + 2);

    let only = |filter: Filter| exported(&reader, &filter, Format::List).0.written;
    let wanted = vec![LetterKind::Request, LetterKind::Report];
    let kinds = samples::every_letter();
    let expected =
        (0..300).filter(|n| wanted.contains(&LetterKind::of(&kinds[n % kinds.len()].letter))).count();
    let found = only(Filter { letters: wanted, kind: Some(Kind::Said), ..Filter::default() });
    assert_eq!(found as usize, expected);
    assert_eq!(only(Filter { from_seq: Some(10), to_seq: Some(19), ..Filter::default() }), 10);
    assert_eq!(only(Filter { from_seq: Some(19), to_seq: Some(10), ..Filter::default() }), 0);
    assert_eq!(only(Filter { day: Some(AT.new_york().0), ..Filter::default() }), count as u64 + 2);
    assert_eq!(only(Filter { day: Some(AT.new_york().0.plus(1)), ..Filter::default() }), 0);
    let spy = only(Filter { symbol: Some(SPY), ..Filter::default() });
    assert!(spy > 300 && spy < count as u64, "{spy}");
    assert_eq!(only(Filter { symbol: Some(market::Symbol::literal("QQQ")), ..Filter::default() }), 0);
}

/// A position opened, one proposal refused, the position closed in part by expiry, with every letter on record as often as the
/// desk records it.
fn write_a_day(pen: &mut Pen) {
    let own = Address::Underlying(SPY);
    let mut say = |from, to, letter: Letter| {
        let envelope = samples::said(from, to, letter);
        assert!(pen.said(&envelope) && pen.heard(&envelope));
    };
    let closing = Purpose::Close { position: Label::literal("p1"), reason: ExitReason::ProfitTarget };
    say(own, Address::Risk, Letter::Propose(samples::proposal("p1", samples::opening())));
    for to in [own, Address::Record] {
        say(Address::Risk, to, Letter::Decided(samples::decision("p1", 2)));
    }
    say(Address::Execution, Address::Venue, Letter::Request(samples::request("o1")));
    let fill = samples::fill("p1", "o1", 1, [(-2, 400), (2, 282)]);
    let done = Outcome::Filled(fill.execution.clone());
    for outcome in [Outcome::Accepted, done] {
        say(Address::Venue, Address::Execution, Letter::Report(samples::report("o1", outcome)));
    }
    say(Address::Execution, Address::Risk, Letter::Fill(fill));
    say(own, Address::Risk, Letter::Propose(samples::proposal("p2", samples::opening())));
    for to in [own, Address::Record] {
        say(Address::Risk, to, Letter::Decided(samples::decision("p2", 0)));
    }
    say(own, Address::Risk, Letter::Propose(samples::proposal("p3", closing)));
    say(Address::Execution, Address::Venue, Letter::Request(samples::request("o2")));
    let reported = Letter::Report(samples::report("o2", samples::rejected()));
    say(Address::Venue, Address::Execution, reported);
    say(Address::Execution, Address::Risk, Letter::Fill(samples::fill("p3", "o3", 2, [(2, 50), (-1, 10)])));
    say(Address::Venue, Address::Risk, samples::fee(1, -4));
    let expired = Activity::Expired { contract: samples::contract(555), quantity: -1 };
    let note = ActivityNote { id: 2, date: AT.utc_date(), activity: expired };
    say(Address::Venue, Address::Risk, Letter::Activity(note));
}

#[test]
fn the_summary_counts_each_fact_once() {
    let dir = temp();
    let (journal, mut pen, recovered) = open(dir.path(), &settings());
    write_a_day(&mut pen);
    journal.close(AT).expect("closes");
    let summary = summarise(&recovered.reader, &Filter::default()).expect("folds");
    assert_eq!((summary.proposals.len(), summary.orders.len(), summary.fills.len()), (3, 2, 2));
    assert_eq!(summary.refusals.len(), 1);
    assert_eq!(summary.refusals[0].check, Label::literal("portfolio_heat"));
    assert_eq!(summary.orders[0].state, "filled");
    assert_eq!(summary.orders[1].state, "rejected (no buying power)");
    // Sold 2 at 4.00, bought 2 at 2.82: +236; bought 2 back at 0.50, sold 1 at 0.10: -90; one expired.
    let position = &summary.positions[&Label::literal("p1")];
    assert_eq!((position.cash, position.closed), (Money::from_dollars(146), true));
    assert_eq!(position.structure, Label::literal("bull_put_spread"));
    assert_eq!(summary.fees, Money::from_cents(-4));
    assert_eq!(summary.total_cash(), Money::from_cents(14_596));
    let page = summary.to_string();
    assert!(page.contains("position p1 bull_put_spread closed: 146.00 USD"), "{page}");
    assert!(page.contains("refused by portfolio_heat: 1"), "{page}");
}

#[test]
fn a_reader_of_another_process_may_look_on() {
    let dir = temp();
    let copied: PathBuf = dir.path().join("copied");
    let live = dir.path().join("live");
    let (journal, mut pen, _recovered) = open(&live, &settings());
    let envelope = samples::quote(1, AT);
    assert!(pen.said(&envelope));
    let reader = journal.reader();
    until("the record to be stored", || reader.last_seq().is_ok_and(|n| n >= pen.last_seq()));
    assert_eq!(letters(&reader), [envelope]);
    journal.close(AT).expect("closes");
    copy(&live, &copied);
    assert_eq!(letters(&Reader::open(&copied).expect("opens")).len(), 1);
}

#[test]
fn the_encoder_refuses_nothing_that_a_letter_can_be() {
    let mut decision = samples::decision("p", 0);
    while !decision.checks.is_full() {
        decision.checks.push(decision.checks[0]);
    }
    let envelope = samples::said(Address::Risk, Address::Record, Letter::Decided(decision));
    let length = Encoder::new().letter(1, Kind::Said, &envelope).expect("fits");
    assert!(length < ring::PAYLOAD_MAX / 4, "{length}");
}

#[test]
fn a_pen_allocates_nothing() {
    let dir = temp();
    let (journal, mut pen, _recovered) = open(dir.path(), &Settings { ring_bytes: 1 << 24, ..settings() });
    let all = samples::every_letter();
    let before = ring::allocations::so_far();
    for _ in 0..200 {
        for envelope in &all {
            assert!(pen.heard(envelope) && pen.said(envelope));
        }
    }
    assert_eq!(ring::allocations::so_far(), before);
    journal.close(AT).expect("closes");
}
