//! Models are files: trained by the program, dropped into the folder of a running engine, picked up or refused.

use super::office::{Office, copy_folder, shipped_models};
use std::path::Path;

#[test]
fn a_model_dropped_into_the_folder_is_picked_up_and_a_bad_one_is_refused() {
    let office = Office::open();
    let models = office.path("models");
    copy_folder(&shipped_models(), &models);
    office.set("models", "folder", &format!("{}\n  settle: 1s", models.display()));
    let mut engine = office.engine();
    engine.until("the shipped models", |e| e.said().contains("model   sim-1min 2 for 1min").then_some(()));

    drop_in(&models, "sim-1min", "2", "3", |_| {});
    engine.until("the dropped model beside the old one", |e| {
        e.said().contains("shelf   sim-1min/3 (1min) shadows the incumbent").then_some(())
    });
    let said = office.run(&["models", "promote", "sim-1min/3"]).well();
    assert!(said.contains("is promoted by the operator"), "{said}");
    engine.until("the dropped model in the seats", |e| {
        e.said().contains("model   sim-1min 3 for 1min").then_some(())
    });

    drop_in(&models, "sim-5min", "2", "3", |model| {
        let middle = model.len() / 2;
        model[middle] ^= 0xff;
    });
    let told = engine.until("the damaged one refused", |e| {
        let said = e.said();
        said.lines().find(|line| line.contains("model_refused")).map(str::to_string)
    });
    assert!(told.contains("sim-5min/3"), "{told}");

    let note = std::fs::read_to_string(models.join(".quarantine/sim-5min/3-1/refused.txt")).expect("a note");
    assert!(note.contains("SHA-256") && note.contains("copy both again"), "{note}");

    let before = quotes(&office);
    engine.until("the engine to go on", |_| (quotes(&office) > before).then_some(()));
    office.run(&["tell", "stop"]).well();
    let said = engine.wait().well();
    assert!(!said.contains("sim-5min 3 for"), "{said}");
    let rerun = office.run(&["rerun", "--times", "1"]).well();
    assert!(rerun.contains(" 0 different"), "with the change of models in it: {rerun}");
}

#[test]
fn what_train_writes_is_what_an_engine_loads() {
    let office = Office::open();
    let models = office.path("trained");
    let folder = models.display().to_string();
    let said = office.run(&["train", "--out", &folder, "--sessions", "12", "--version", "7"]).well();
    assert!(said.contains("sim-1min"), "{said}");
    office.set("models", "folder", &folder);
    let said = office.run(&["--for", "3s", "--speed", "600"]).well();
    let loaded = said.lines().find(|line| line.starts_with("models: ")).expect("the models are told");
    assert_eq!(loaded.matches(" 7").count(), 10, "{loaded}");
    let again = office.run(&["train", "--out", &folder, "--sessions", "12", "--version", "7"]).refused();
    assert!(again.contains("7") && again.contains("--version"), "an existing version stays: {again}");
}

/// Puts a copy of a version into the folder under a new number, as a careful sender does: written under a hidden
/// name, then renamed.
fn drop_in(models: &Path, name: &str, from: &str, to: &str, spoil: impl Fn(&mut Vec<u8>)) {
    let (hidden, place) = (models.join(name).join(".coming"), models.join(name).join(to));
    copy_folder(&models.join(name).join(from), &hidden);
    let manifest = hidden.join("manifest.yaml");
    let text = std::fs::read_to_string(&manifest).expect("a manifest");
    let renumbered = text.replace(&format!("version: \"{from}\""), &format!("version: \"{to}\""));
    assert_ne!(text, renumbered, "the manifest says its version");
    std::fs::write(manifest, renumbered).expect("written");
    let model = hidden.join("model.onnx");
    let mut bytes = std::fs::read(&model).expect("a model");
    spoil(&mut bytes);
    std::fs::write(model, bytes).expect("written");
    std::fs::rename(hidden, place).expect("renamed");
}

fn quotes(office: &Office) -> u64 {
    let answer = office.run(&["tell", "status"]).well();
    let status: serde_json::Value = serde_json::from_str(&answer).expect("`status` answers JSON");
    status["counts"]["quotes"].as_u64().expect("a count")
}
