//! Recorded days through sockets, engine and journal, to the settlement at expiry.

use super::office::{Office, Running, shipped_models};
use super::on_record;
use std::path::PathBuf;

/// The data folder, when this machine has one.
fn data() -> Option<PathBuf> {
    std::env::var_os("WINGSPREAD_DATA").map(PathBuf::from).filter(|folder| folder.join("lean").is_dir())
}

#[test]
fn goog_days_replayed() {
    let Some(data) = data() else {
        println!("skipped: set WINGSPREAD_DATA to a folder with `lean/` in it");
        return;
    };
    let office = Office::open();
    let text = std::fs::read_to_string(office.path("replay.yaml")).expect("settings");
    let models = format!("\nmodels:\n  folder: {}\n", shipped_models().display());
    std::fs::write(office.path("replay.yaml"), text + &models).expect("settings written");
    let words = ["replay", "--from", "2015-12-23", "--to", "2015-12-24", "--speed", "600"];
    let mut program = office.program_with("replay.yaml", &words);
    program.arg("--data").arg(data);
    let said = Running::start(program).wait().well();
    assert!(said.contains("balanced to the cent"), "{said}");
    assert!(said.contains("positions, lots and flows agree"), "{said}");
    assert!(!on_record::fills(&office).is_empty(), "no fills\n{said}");
    let summary = office.run(&["journal", "summary"]).well();
    let settled: u64 = (summary.lines())
        .find_map(|line| line.strip_prefix("settlements: ")?.split(' ').next()?.parse().ok())
        .expect("the summary counts settlements");
    println!("{settled} settlements\n{summary}");
    assert!(
        settled > 0 || !said.contains(" holds "),
        "what was held to expiry was not settled\n{said}\n{summary}"
    );
}
