//! Killed in the middle of trading and started again: nothing is lost, nothing is sent twice, the venue agrees.

use super::office::Office;
use super::on_record;

#[test]
fn killed_and_started_again() {
    let office = Office::open();
    let mut engine = office.engine();
    engine.until("a fill on record", |_| (!on_record::fills(&office).is_empty()).then_some(()));
    engine.kill_dead();
    let (filled, sent) = (on_record::fills(&office), on_record::submissions(&office));
    assert!(!filled.is_empty() && !sent.is_empty());

    let mut engine = office.engine();
    engine.until("the venue's word on the book", |_| {
        let told = on_record::alerts(&office, 2);
        told.iter().any(|code| code.starts_with("book_")).then_some(())
    });
    office.run(&["tell", "stop"]).well();
    let said = engine.wait().well();
    assert!(said.contains("recovered: ") && said.contains("run 2:"), "{said}");

    let told = on_record::alerts(&office, 2);
    assert!(told.iter().any(|code| code == "book_agrees"), "{told:?}");
    assert!(!told.iter().any(|code| code == "book_differs"), "{told:?}\n{said}");
    let now_sent = on_record::submissions(&office);
    let twice: Vec<_> = now_sent.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "submitted more than once: {twice:?}");
    assert!(sent.keys().all(|id| now_sent.contains_key(id)), "an order is gone from the record");
    assert!(on_record::fills(&office).is_superset(&filled), "a fill is gone from the record");

    let summary = office.run(&["journal", "summary"]).well();
    assert!(summary.contains("2 runs, 1 of them killed"), "{summary}");
    let rerun = office.run(&["rerun", "--times", "1"]).well();
    assert!(rerun.contains(" 0 different"), "{rerun}");
}

/// What a run cleared after an orderly stop of the one before is still its own at the start after that: recovery
/// hears each run as it was, the end of a run with it.
#[test]
fn a_third_start_knows_what_the_second_opened() {
    let office = Office::open();
    // The first run ends before it trades much, so that the second has something to open.
    office.set("entry", "confidence_min", "1");
    office.run(&["--for", "3s", "--speed", "60"]).well();
    assert!(on_record::submissions(&office).is_empty(), "nothing is confident enough");
    office.set("entry", "confidence_min", "0.3");
    let mut engine = office.engine();
    engine.until("positions", |_| (!positions(&office).is_empty()).then_some(()));
    office.run(&["tell", "pause"]).well();
    engine.until("no order working", |_| (status(&office)["orders_working"] == 0).then_some(()));
    let held = positions(&office);
    office.run(&["tell", "stop"]).well();
    engine.wait().well();

    let mut engine = office.engine();
    engine.until("the positions told to their seats", |_| (positions(&office) == held).then_some(()));
    engine.until("the venue's word on the book", |_| {
        let told = on_record::alerts(&office, 3);
        told.iter().any(|code| code.starts_with("book_")).then_some(())
    });
    assert_eq!(positions(&office), held);
    office.run(&["tell", "stop"]).well();
    let said = engine.wait().well();
    assert!(said.contains("still paused by the operator"), "{said}");
    assert!(!said.contains("stray_fill") && !said.contains("book_differs"), "{said}");
}

fn status(office: &Office) -> serde_json::Value {
    let done = office.run(&["tell", "status"]);
    serde_json::from_str(&done.stdout).unwrap_or_default()
}

/// Ids and units of what is held.
fn positions(office: &Office) -> std::collections::BTreeSet<String> {
    let status = status(office);
    let held = status["positions"].as_array().into_iter().flatten();
    held.map(|p| format!("{} x{}", p["id"], p["units"])).collect()
}

#[test]
fn a_stop_and_a_start_go_on_where_it_stopped() {
    let office = Office::open();
    office.run(&["--for", "8s", "--speed", "600"]).well();
    let said = office.run(&["--for", "15s", "--speed", "600"]).well();
    assert!(
        said.contains("run 2:") && said.contains("recovered: ") && said.contains("What it did"),
        "{said}"
    );
    assert!(!on_record::alerts(&office, 2).iter().any(|code| code == "book_differs"), "{said}");
    assert!(!said.contains("by operator:"), "a stop is no word of the operator's: run 2 may trade\n{said}");
    let summary = office.run(&["journal", "summary"]).well();
    assert!(summary.contains("2 runs, 0 of them killed"), "{summary}");
}
