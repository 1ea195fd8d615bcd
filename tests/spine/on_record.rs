//! What the journal of an office holds, asked for as a user would ask.

use super::office::Office;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Every record of a kind, oldest first. Works beside a running engine, and before there is a journal.
pub fn records(office: &Office, kind: &str) -> Vec<Value> {
    let words = ["journal", "export", "--kind", kind, "--format", "jsonl", "--last", "1000000"];
    let done = office.run(&words);
    if !done.status.success() {
        assert!(done.stderr.contains("nothing to read"), "{done:#?}");
        return vec![];
    }
    done.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect()
}

/// Fills by order and units filled so far, each said once. Not by execution number: the stream and a look-up give
/// the same fill different ones.
pub fn fills(office: &Office) -> BTreeSet<(String, u64)> {
    let mut seen = BTreeSet::new();
    for record in records(office, "fills") {
        let order = find(&record, "order").and_then(Value::as_str).expect("a fill has an order").to_string();
        let so_far = find(&record, "units_so_far").and_then(Value::as_u64).expect("a fill has units");
        assert!(seen.insert((order, so_far)), "a fill said twice: {record}");
    }
    seen
}

/// How often each order id was submitted.
pub fn submissions(office: &Office) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for record in records(office, "orders") {
        if let Some(order) = find(&record, "Submit") {
            let id = order["id"].as_str().expect("an order has an id").to_string();
            *times.entry(id).or_default() += 1;
        }
    }
    times
}

/// What the alerts of a run are about, as often as they came.
pub fn alerts(office: &Office, run: u64) -> Vec<String> {
    let of_run = |r: &Value| r["run"].as_u64() == Some(run);
    let what =
        |r: Value| r["detail"]["Alert"]["what"].as_str().expect("an alert is about something").to_string();
    records(office, "alerts").into_iter().filter(of_run).map(what).collect()
}

/// The first value under `key`, however deep it lies.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => fields.get(key).or_else(|| fields.values().find_map(|v| find(v, key))),
        Value::Array(items) => items.iter().find_map(|v| find(v, key)),
        _ => None,
    }
}
