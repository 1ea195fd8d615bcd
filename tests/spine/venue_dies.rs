//! The venue dies in the middle and comes back: the engine says so, sends nothing blindly, and goes on with the same
//! book when it is there again.

use super::office::{Office, Running};
use super::on_record;

const PORT_WORD: &str = "REST           http://127.0.0.1:";

#[test]
fn the_venue_is_killed_and_comes_back() {
    let office = Office::open();
    let (venue, port) = start_venue(&office, "0");
    point_at(&office, &port);
    let mut engine = Running::start(paper(&office));
    engine.until("a fill on record", |_| (!on_record::fills(&office).is_empty()).then_some(()));
    venue.kill_dead();
    engine.until("the loss told", |e| {
        let said = e.said();
        ["Stocks is Down", "Options is Down", "Orders is Down"].iter().all(|w| said.contains(w)).then_some(())
    });
    let agreed = |text: &str| text.matches("book_agrees").count();
    let before = agreed(&engine.said());

    let (venue, _) = start_venue(&office, &port);
    engine.until("book and venue agreeing again", |e| (agreed(&e.said()) > before).then_some(()));
    engine.until("the stock feed up again", |e| {
        let said = e.said();
        (said.rfind("Stocks is Up") > said.rfind("Stocks is Down")).then_some(())
    });
    let heard = quotes(&office);
    engine.until("quotes after it", |_| (quotes(&office) > heard).then_some(()));
    office.run(&["tell", "stop"]).well();
    let said = engine.wait().well();
    assert!(!said.contains("book_differs") && !said.contains("panicked"), "{said}");
    let twice: Vec<_> = on_record::submissions(&office).into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "submitted more than once: {twice:?}");
    drop(venue);
}

fn quotes(office: &Office) -> u64 {
    let done = office.run(&["tell", "status"]);
    let status: serde_json::Value = serde_json::from_str(&done.stdout).unwrap_or_default();
    status["counts"]["quotes"].as_u64().unwrap_or(0)
}

#[test]
fn a_venue_that_is_not_there_is_told_with_its_address() {
    let office = Office::open();
    point_at(&office, "1");
    let complained = Running::start(paper(&office)).wait().refused();
    assert!(
        complained.contains("http://127.0.0.1:1") && complained.contains("is it running"),
        "{complained}"
    );
}

#[test]
fn wrong_keys_are_told_as_such() {
    let office = Office::open();
    let (venue, port) = start_venue(&office, "0");
    point_at(&office, &port);
    let mut program = paper(&office);
    program.env("APCA_API_SECRET_KEY", "wrong");
    let complained = Running::start(program).wait().refused();
    assert!(complained.contains("keys"), "{complained}");
    drop(venue);
}

pub fn start_venue(office: &Office, port: &str) -> (Running, String) {
    let state = office.path("venue.state").display().to_string();
    let mut venue =
        Running::start(office.program(&["venue", "--port", port, "--speed", "60", "--state", &state]));
    let port = venue.until("the venue's address", |v| {
        let said = v.said();
        let address = said.lines().find_map(|line| line.strip_prefix(PORT_WORD))?;
        said.contains("Ctrl-C").then(|| address.to_string())
    });
    (venue, port)
}

/// Points the settings at a venue on this machine.
pub fn point_at(office: &Office, port: &str) {
    office.set("", "endpoint", "custom");
    let mut text = std::fs::read_to_string(office.path("wingspread.yaml")).expect("settings");
    text.push_str(&format!(
        "\nendpoints:\n  trading: http://127.0.0.1:{port}\n  data: http://127.0.0.1:{port}\n  \
         stock_stream: ws://127.0.0.1:{port}/v2/sip\n  option_stream: ws://127.0.0.1:{port}/v1beta1/opra\n  \
         order_stream: ws://127.0.0.1:{port}/stream\n"
    ));
    std::fs::write(office.path("wingspread.yaml"), text).expect("settings written");
}

pub fn paper(office: &Office) -> std::process::Command {
    let mut program = office.program(&["paper"]);
    program.env("APCA_API_KEY_ID", "SIMKEY").env("APCA_API_SECRET_KEY", "SIMSECRET");
    program.env("WINGSPREAD_VENUE_SPEED", "60");
    program
}
