//! What is wrong is refused with its place and a remedy, and what is sound goes on.

use super::office::{Office, Running, copy_folder, shipped_models};

const SECRET: &str = "a-secret-nobody-may-read";

#[test]
fn every_fault_of_the_settings_is_told_with_its_place() {
    let office = Office::open();
    office.set("venue", "speed", "6000");
    office.set("exit", "profit_target_pct", "fifty");
    office.set("feed", "backoff_max", "30 fortnights");
    let complained = office.run(&["--for", "5s"]).refused();
    let text = std::fs::read_to_string(office.path("wingspread.yaml")).expect("settings");
    assert!(complained.contains("3 faults"), "{complained}");
    for (key, value) in
        [("  speed", "6000"), ("profit_target_pct", "fifty"), ("backoff_max", "30 fortnights")]
    {
        let (line, column) = place_of(&text, key, value);
        let place = format!("{}:{line}:{column}:", office.path("wingspread.yaml").display());
        assert!(complained.contains(&place), "no `{place}` in\n{complained}");
    }
    assert_eq!(complained.matches("    -> ").count(), 3, "a remedy each: {complained}");
}

/// Line and column, from 1, of a value.
fn place_of(text: &str, key: &str, value: &str) -> (usize, usize) {
    let of_line = |(at, line): (usize, &str)| {
        let column = line.find(&format!("{key}: {value}"))? + key.len() + 3;
        Some((at + 1, column))
    };
    text.lines().enumerate().find_map(of_line).expect("the value stands in the settings")
}

#[test]
fn a_misspelt_setting_is_told_with_the_right_name() {
    let office = Office::open();
    let text = std::fs::read_to_string(office.path("wingspread.yaml")).expect("settings");
    let misspelt = text.replace("backoff_max", "backof_max");
    std::fs::write(office.path("misspelt.yaml"), misspelt).expect("settings written");
    let program = office.program_with("misspelt.yaml", &["--for", "5s"]);
    let complained = Running::start(program).wait().refused();
    assert!(complained.contains("misspelt.yaml:") && complained.contains("`backoff_max`"), "{complained}");
}

#[test]
fn a_models_folder_that_is_not_there_is_told() {
    let office = Office::open();
    office.set("models", "folder", "/nowhere/at/all");
    let complained = office.run(&["--for", "5s"]).refused();
    assert!(complained.contains("/nowhere/at/all") && complained.contains("models.folder"), "{complained}");
}

#[test]
fn paper_without_keys_names_the_variables_and_no_secret() {
    let office = Office::open();
    office.set("", "endpoint", "alpaca_paper");
    let mut program = office.program(&["paper", "--for", "5s"]);
    program.env("APCA_API_SECRET_KEY", SECRET);
    let done = Running::start(program).wait();
    assert!(!done.stdout.contains(SECRET) && !done.stderr.contains(SECRET));
    let complained = done.refused();
    for name in ["APCA_API_KEY_ID is not set", "APCA_API_SECRET_KEY"] {
        assert!(complained.contains(name), "no `{name}` in\n{complained}");
    }
}

#[test]
fn a_damaged_model_is_refused_and_the_rest_trades() {
    let office = Office::open();
    let models = office.path("models");
    copy_folder(&shipped_models(), &models);
    let model = models.join("sim-1min/2/model.onnx");
    let mut bytes = std::fs::read(&model).expect("a shipped model");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 3].iter_mut().for_each(|byte| *byte ^= 0xff);
    std::fs::write(&model, bytes).expect("damaged");
    office.set("models", "folder", &models.display().to_string());
    // Nobody is still copying it.
    let settings = std::fs::read_to_string(office.path("wingspread.yaml")).expect("settings");
    let settled = settings.replace("\nmodels:\n", "\nmodels:\n  settle: 0s\n");
    std::fs::write(office.path("wingspread.yaml"), settled).expect("settings written");

    let mut engine = office.engine();
    engine.until("the refusal", |e| {
        e.said().lines().any(|line| line.contains("refused") && line.contains("sim-1min")).then_some(())
    });
    engine.until("an order", |_| {
        let done = office.run(&["tell", "status"]);
        let status: serde_json::Value = serde_json::from_str(&done.stdout).ok()?;
        (status["counts"]["orders"].as_u64()? > 0).then_some(())
    });
    office.run(&["tell", "stop"]).well();
    let said = engine.wait().well();
    assert!(said.contains(&model.display().to_string()), "{said}");
    assert!(said.contains("sim-5min") && !said.contains("sim-1min 2"), "{said}");
}
