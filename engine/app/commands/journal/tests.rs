//! Choosing and writing records of a small journal.

use super::*;
use desk::letter::{Address, Envelope, Letter};
use journal::{Durability, Journal, RunStart};
use market::{Label, Symbol, Timestamp};
use risk::Decision;

fn settings() -> journal::Settings {
    journal::Settings {
        ring_bytes: 1 << 20,
        ring_dir: None,
        pens: 1,
        group_records: 1_000,
        group_ms: 1,
        map_size_mb: 32,
        durability: Durability::Process,
        prune_above_percent: None,
    }
}

/// A journal with ten decisions, every second a refusal, in turns to SPY and QQQ, among many wake-ups.
fn decided() -> (tempfile::TempDir, Reader) {
    let folder = tempfile::tempdir().expect("folder");
    let at = Timestamp::from_seconds(1_773_671_400);
    let start = RunStart { version: Label::literal("t"), seeds: Vec::new(), at };
    let opened = Journal::open(folder.path(), &settings(), &start).expect("opens");
    let (journal, mut pens) = (opened.journal, opened.pens);
    // The same process cannot open tables again while a reader of them lives.
    drop(opened.recovered);
    for n in 0..10u32 {
        let to = Address::Underlying(Symbol::literal(if n % 4 < 2 { "SPY" } else { "QQQ" }));
        let proposal = Label::format(format_args!("w1.X.{n}"));
        let letter = Letter::Decided(Decision { proposal, units: n % 2, checks: Default::default() });
        assert!(pens[0].said(&Envelope { from: Address::Risk, to, at, letter }));
        for _ in 0..50 {
            assert!(pens[0].heard(&Envelope { from: to, to, at, letter: Letter::Wake }));
        }
    }
    drop(pens);
    journal.close(at).expect("closes");
    let reader = Reader::open(folder.path()).expect("reads");
    (folder, reader)
}

fn select(kind: &str) -> Select {
    Select { kind: kind.into(), symbol: None, day: None, last: 100 }
}

fn count(reader: &Reader, select: &Select) -> usize {
    Wanted::new(select).expect("right").newest(reader).expect("reads").0.len()
}

#[test]
fn records_are_chosen_by_kind_symbol_day_and_number() {
    let (_folder, reader) = decided();
    assert_eq!(count(&reader, &select("decisions")), 10);
    assert_eq!(count(&reader, &select("refusals")), 5);
    assert_eq!(count(&reader, &select("fills")), 0);
    assert_eq!(count(&reader, &Select { last: 3, ..select("decisions") }), 3);
    assert_eq!(count(&reader, &Select { symbol: Some("spy".into()), ..select("refusals") }), 3);
    assert_eq!(count(&reader, &Select { day: Some("2026-03-16".into()), ..select("refusals") }), 5);
    assert_eq!(count(&reader, &Select { day: Some("2026-03-17".into()), ..select("refusals") }), 0);
    let newest = Wanted::new(&Select { last: 1, ..select("refusals") }).expect("right");
    let all = Wanted::new(&select("refusals")).expect("right").newest(&reader).expect("reads").0;
    assert_eq!(newest.newest(&reader).expect("reads").0.back(), all.back());
}

#[test]
fn what_cannot_be_chosen_is_said() {
    for (wrong, word) in [
        (select("nothing"), "predictions"),
        (Select { symbol: Some("TOO LONG A NAME".into()), ..select("all") }, "ticker"),
        (Select { day: Some("yesterday".into()), ..select("all") }, "2026-03-16"),
        (Select { last: 0, ..select("all") }, "at least 1"),
    ] {
        let said = format!("{:#}", Wanted::new(&wrong).err().expect("wrong"));
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn refusals_are_written_with_one_heading() {
    let (_folder, reader) = decided();
    for (kind, rows) in [("refusals", 5), ("decisions", 10), ("fills", 0)] {
        let wanted = Wanted::new(&select(kind)).expect("right");
        let (numbers, damaged) = wanted.newest(&reader).expect("reads");
        assert!(damaged.is_empty());
        let write = |format| {
            let mut out = Vec::new();
            write_rows(&reader, &wanted, &numbers, format, &mut out).expect("writes");
            String::from_utf8(out).expect("text")
        };
        let csv = write(export::Format::Csv);
        assert_eq!(csv.lines().count(), rows + 1, "{csv}");
        assert_eq!(csv.matches("seq,run,at").count(), 1);
        let json = write(export::Format::JsonLines);
        assert_eq!(json.lines().count(), rows);
        for line in json.lines() {
            let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(value["letter"], "decided");
        }
    }
}

#[test]
fn lines_and_totals_are_words() {
    let (folder, reader) = decided();
    let mut lines = Vec::new();
    let filter = Wanted::new(&select("refusals")).expect("right").filter;
    export::select(&reader, &filter, &mut Vec::new(), |record| {
        lines.push(words::line(record));
        Ok(())
    })
    .expect("reads");
    assert!(
        lines[0].contains("2026-03-16 10:30:00.000") && lines[0].contains("refused w1.X.0"),
        "{}",
        lines[0]
    );
    assert!(lines[1].contains("cleared w1.X.1 for 1 units") && lines[1].contains("(to SPY)"), "{}", lines[1]);
    let totals = totals::text(&reader).expect("adds up");
    assert!(totals.contains("1 runs, 0 of them killed") && totals.contains("fees: 0.00 USD"), "{totals}");
    drop(reader);
    let nowhere = cli::Run { journal: Some(folder.path().join("nowhere")), ..cli::Run::default() };
    let args = cli::Journal { action: JournalAction::Summary };
    let said = format!("{:#}", run(&args, &nowhere).expect_err("nothing there"));
    assert!(said.contains("nowhere") && said.contains("--journal"), "{said}");
}
