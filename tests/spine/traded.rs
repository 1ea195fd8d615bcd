//! From the first quote to the fill on record, and the record heard again.

use super::office::Office;
use super::on_record;

/// Runs of 25 seconds until there is a fill; one is enough but on a very slow machine.
const RUNS_MAX: usize = 6;

#[test]
fn trades_reach_the_journal() {
    let office = Office::open();
    for _ in 0..RUNS_MAX {
        let said = office.run(&["--for", "25s", "--speed", "600"]).well();
        for part in ["stopping in order", "What it did", "Latency", "records stored", " 0 dropped, 0 refused"]
        {
            assert!(said.contains(part), "no `{part}` in\n{said}");
        }
        if !on_record::fills(&office).is_empty() {
            break;
        }
    }
    let fills = office.run(&["journal", "export", "--kind", "fills", "--format", "csv"]).well();
    let mut rows = fills.lines();
    assert!(rows.next().is_some_and(|heading| heading.starts_with("seq,run,at,kind")), "{fills}");
    assert!(rows.next().is_some_and(|row| row.contains(",fill,")), "no fill in\n{fills}");

    let summary = office.run(&["journal", "summary"]).well();
    for part in ["0 of them killed", "submitted", "fills:", "positions:", "cash in all:"] {
        assert!(summary.contains(part), "no `{part}` in\n{summary}");
    }
    let rerun = office.run(&["rerun", "--times", "2"]).well();
    assert!(rerun.contains("the same as on record, byte for byte, 2 times"), "{rerun}");
}
