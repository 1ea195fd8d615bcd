//! The engine learns from its own record: a child is started after the close and told of on record, and what such a
//! child does with the record is a bundle the engine loads.

use super::office::{Office, copy_folder, shipped_models};
use super::on_record;

#[test]
fn after_the_close_a_child_learns_from_the_record() {
    let office = Office::open();
    let models = office.path("grown").display().to_string();
    for (key, value) in [("adaptive", "daily"), ("after_close", "1s"), ("learner", "trees"), ("trials", "1")]
    {
        office.set("training", key, value);
    }
    let mut engine = super::office::Running::start(office.program(&["--speed", "600"]));
    engine.until("the close", |e| e.said().contains("training_begun").then_some(()));
    let status = office.run(&["tell", "status"]).well();
    assert!(status.contains("\"quotes\""), "it goes on beside its child: {status}");
    office.run(&["tell", "stop"]).well();
    engine.wait().well();
    let alerts = on_record::alerts(&office, 1);
    assert!(alerts.contains(&"training_begun".to_string()), "{alerts:?}");
    assert!(office.path("journal/training.log").exists());

    // What that child does, at leisure: days alone, for they are few.
    let child =
        ["train", "--from", "journal", "--background", "--memory-max", "4294967296", "--learner", "trees"];
    let these =
        ["--timeframe", "1day", "--timeframe", "1week", "--version", "20261122.160500", "--out", &models];
    let said = office.run(&[&child[..], &these].concat()).well();
    assert!(said.contains("own-1day/20261122.160500"), "{said}");
    let folder = office.path("grown/own-1day/20261122.160500");
    let loaded = onnx::load_dir(&folder).expect("a sound bundle");
    assert!(loaded.manifest.provenance.contains("the engine's own record"), "{}", loaded.manifest.provenance);
    assert!(loaded.manifest.label.is_some() && loaded.manifest.reference.is_some());
    through_the_front_door(&office, &[&child[..], &["--timeframe", "1day"]].concat());
    let only = ["--only-skilled", "--version", "2", "--timeframe", "1month", "--out", &models];
    let said = office.run(&[&child[..], &only].concat()).well();
    assert!(said.contains("Nothing was written"), "ten years have few months: {said}");
}

/// A child's bundle in the folder of a running engine: looked at, on the shelf beside the incumbent, on record.
fn through_the_front_door(office: &Office, child: &[&str]) {
    let models = office.path("door");
    copy_folder(&shipped_models(), &models);
    let folder = models.display().to_string();
    office.set("training", "adaptive", "off");
    office.set("models", "folder", &format!("{folder}\n  check_every: 200ms"));
    let mut engine = super::office::Running::start(office.program(&["--speed", "60"]));
    engine.until("the shipped models", |e| e.said().contains("model   sim-1day").then_some(()));
    // Beside the engine that writes the record it learns from.
    office.run(&[child, &["--version", "20261123.160500", "--out", &folder]].concat()).well();
    let model = "own-1day/20261123.160500";
    let shadows = format!("{model} (1day) shadows the incumbent");
    engine.until("the child's model beside the incumbent", |_| {
        office.run(&["models", "history"]).well().contains(&shadows).then_some(())
    });
    let listed = office.run(&["models", "list"]).well();
    let line = listed.lines().find(|line| line.contains(model)).expect("on the shelf");
    assert!(line.contains("shadow") && line.contains("1day"), "{listed}");
    let shown = office.run(&["models", "show", model]).well();
    assert!(shown.contains("sound:") && shown.contains("the engine's own record"), "{shown}");
    office.run(&["tell", "stop"]).well();
    let said = engine.wait().well();
    assert!(said.contains(&shadows), "{said}");
    let steps = office.run(&["journal", "list", "--kind", "shelf"]).well();
    assert!(steps.contains(&shadows), "{steps}");
}

#[test]
fn recorded_days_are_learnt_from() {
    let Some(data) = data() else {
        println!("skipped: no recorded data; set WINGSPREAD_DATA");
        return;
    };
    let office = Office::open();
    let (out, report) =
        (office.path("own").display().to_string(), office.path("report.html").display().to_string());
    let days = data.join("lean/equity/usa/daily");
    let file = |name: &str| days.join(name).display().to_string();
    let (spy, aapl) = (file("spy.zip"), file("aapl.zip"));
    let from = ["train", "--data", &spy, "--data", &aapl, "--timeframe", "1day", "--label", "barriers"];
    let rest = ["--learner", "both", "--trials", "2", "--out", &out, "--report", &report];
    let said = office.run(&[&from[..], &rest].concat()).well();
    println!("{said}");
    let loaded = onnx::load_dir(&office.path("own/own-1day/1")).expect("a sound bundle");
    assert!(loaded.manifest.provenance.contains("AAPL SPY"), "{}", loaded.manifest.provenance);
    let page = std::fs::read_to_string(report).expect("written");
    assert!(page.contains("Walk-forward folds") && page.contains("last direction") && page.contains("<svg"));
}

fn data() -> Option<std::path::PathBuf> {
    let data = std::env::var_os("WINGSPREAD_DATA").map_or_else(
        || concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").into(),
        std::path::PathBuf::from,
    );
    data.join("lean/equity/usa/daily/spy.zip").exists().then_some(data)
}
