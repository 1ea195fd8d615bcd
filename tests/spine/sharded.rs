//! Symbol seats on threads of their own: the same engine, the same record.

use super::office::Office;
use super::on_record;

#[test]
fn shards_trade_and_their_record_runs_again() {
    let office = Office::open();
    let text = std::fs::read_to_string(office.path("wingspread.yaml")).expect("settings");
    assert!(text.contains("  shards: 0"));
    office.set("engine", "shards", "2");
    let mut engine = office.engine();
    engine.until("a fill on record", |_| (!on_record::fills(&office).is_empty()).then_some(()));
    office.run(&["tell", "stop"]).well();
    let said = engine.wait().well();
    assert!(!said.contains("shard_not_started"), "{said}");
    assert!(!on_record::alerts(&office, 1).iter().any(|code| code == "book_differs"), "{said}");
    let rerun = office.run(&["rerun", "--times", "2"]).well();
    assert!(rerun.contains(" 0 different"), "{rerun}");
    // And a start on another number of threads goes on with the same book.
    office.set("engine", "shards", "0");
    let said = office.run(&["--for", "6s", "--speed", "60"]).well();
    assert!(said.contains("recovered: ") && !said.contains("book_differs"), "{said}");
}
