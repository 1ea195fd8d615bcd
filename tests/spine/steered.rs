//! The running engine is told and asked over its control socket, and one folder has one engine.

use super::office::Office;
use super::on_record;
use serde_json::Value;

#[test]
fn second_engine_is_refused() {
    let office = Office::open();
    let mut engine = office.engine();
    engine.until_it_answers(&office);
    let complained = office.run(&["--for", "5s", "--speed", "600"]).refused();
    let process = format!("process {}", engine.pid());
    assert!(complained.contains("in use by") && complained.contains(&process), "{complained}");
    // The one that runs did not notice.
    office.run(&["tell", "status"]).well();
    office.run(&["tell", "stop"]).well();
    engine.wait().well();
}

#[test]
fn control_socket() {
    let office = Office::open();
    let nobody = office.run(&["tell", "status"]).refused();
    assert!(nobody.contains("no engine answers") && nobody.contains("--journal"), "{nobody}");

    let mut engine = office.engine();
    engine.until_it_answers(&office);
    let status = engine.until("quotes and forecasts", |_| {
        let answer = office.run(&["tell", "status"]).well();
        let status: Value = serde_json::from_str(&answer).expect("`status` answers JSON");
        let count = |name: &str| status["counts"][name].as_u64().expect("a count");
        (count("quotes") > 0 && count("forecasts") > 0).then_some(status)
    });
    assert!(status["account"]["equity"].is_string() && status["positions"].is_array(), "{status}");

    let table = office.run(&["latency"]).well();
    for stage in ["p99.9", "\ntick ", "\ninference "] {
        assert!(table.contains(stage), "no `{stage}` in\n{table}");
    }
    let paused = office.run(&["tell", "pause"]).well();
    assert!(paused.starts_with("paused"), "{paused}");
    engine.until("the pause on record", |_| commanded(&office, "now Paused"));
    office.run(&["tell", "resume"]).well();
    engine.until("the resumption on record", |_| commanded(&office, "now Trading"));

    office.run(&["tell", "stop"]).well();
    let said = engine.wait().well();
    assert!(said.contains("stopping in order") && said.contains("What it did"), "{said}");
    assert!(!office.path("journal").join("control.sock").exists(), "the socket goes with the engine");
}

fn commanded(office: &Office, words: &str) -> Option<()> {
    on_record::records(office, "alerts").iter().any(|r| r.to_string().contains(words)).then_some(())
}
