//! Structures over two expiries, from the settings file through risk and venue to the record; and what
//! `wingspread structure` shows of a running engine.

use super::office::Office;
use super::on_record;

#[test]
fn calendars_are_shown_traded_and_heard_again() {
    let office = Office::open();
    office.set("", "structures", "[call_calendar, call_diagonal, bear_call_spread]");
    let nobody = office.run(&["structure", "call_calendar", "SPY"]).refused();
    assert!(nobody.contains("no engine answers") && nobody.contains("--data FILE"), "{nobody}");
    let listed = office.run(&["structure"]).well();
    assert!(listed.lines().any(|l| l.starts_with("call_calendar") && l.contains(" traded ")), "{listed}");

    let mut engine = office.engine();
    engine.until("a fill on record", |_| (!on_record::fills(&office).is_empty()).then_some(()));
    let picture = office.path("calendar.svg");
    let svg = picture.to_string_lossy();
    let shown = engine.until("a calendar in the chain", |_| {
        let done = office.run(&["structure", "call_calendar", "SPY", "--svg", &svg]);
        done.status.success().then_some(done.stdout)
    });
    for part in ["(from the engine in ", "on the first expiry", "probability of profit", "by the forecast"] {
        assert!(shown.contains(part), "no `{part}` in\n{shown}");
    }
    let drawn = std::fs::read_to_string(&picture).expect("the picture");
    assert!(drawn.starts_with("<svg") && drawn.contains("at the first expiry"));
    let stranger = office.run(&["structure", "call_calendar", "XYZ"]).refused();
    assert!(stranger.contains("`XYZ` is not traded here; the engine has SPY"), "{stranger}");

    office.run(&["tell", "stop"]).well();
    engine.wait().well();
    let rerun = office.run(&["rerun", "--times", "1"]).well();
    assert!(rerun.contains("the same as on record, byte for byte"), "{rerun}");
}
