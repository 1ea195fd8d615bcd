//! Laws on what code may call: the clock is asked in one place, cores do no I/O, and nothing that must be
//! repeatable walks a hash map.

use super::{Fault, Source, hold, snippet};
use std::collections::BTreeSet;

/// Rooms that decide: the same input gives the same output, wherever and whenever.
const CORES: [&str; 10] = [
    "market",
    "indicators",
    "pricing",
    "forecast",
    "portfolio",
    "strategy",
    "risk",
    "execution",
    "exchange",
    "desk",
];

/// The only file of the engine that asks what time it is.
const CLOCK: &str = "engine/live/clock.rs";

const CLOCK_CALLS: [&str; 6] =
    ["SystemTime::now", "Instant::now", "Utc::now", "Local::now", "Zoned::now", "Timestamp::now"];

/// What a core may not contain, and what to do instead.
const CORE_CALLS: [(&str, &str); 16] = [
    ("std::fs", "the shell reads files and hands in what is in them"),
    ("File::open", "the shell reads files and hands in what is in them"),
    ("std::net", "the shell owns sockets"),
    ("std::io", "the shell does I/O"),
    ("std::env", "the app compiles settings and hands them in"),
    ("std::process", "the shell owns the process"),
    ("std::thread", "the shell owns threads"),
    ("thread_local!", "state belongs to the core's struct"),
    ("tokio::", "cores never wait"),
    (".await", "cores never wait"),
    ("async fn", "cores never wait"),
    ("println!", "say it as an effect; the shell prints"),
    ("print!", "say it as an effect; the shell prints"),
    ("rand::rng(", "take a seeded generator handed in"),
    ("thread_rng(", "take a seeded generator handed in"),
    ("from_os_rng(", "take a seed handed in"),
];

/// What is banned everywhere.
const CALLS_NOWHERE: [(&str, &str); 4] = [
    ("todo!(", "finish it"),
    ("unimplemented!(", "finish it"),
    ("dbg!(", "remove it"),
    ("mem::transmute", "nothing here needs it"),
];

/// Shipped files that may hold `unsafe`, each use with a SAFETY comment beside it. (Tests may count allocations.)
const UNSAFE_FILES: [&str; 4] = [
    "engine/journal/ring.rs",
    "engine/journal/pages.rs",
    "engine/journal/environment.rs",
    "engine/journal/resident.rs",
];

/// True when `call` stands in `line` and is not the tail of a longer name.
fn calls(line: &str, call: &str) -> bool {
    line.match_indices(call).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let starts_name = call.starts_with(|c: char| c.is_alphanumeric());
        !starts_name || before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
    })
}

fn clock(source: &Source) -> Vec<Fault> {
    if source.path == CLOCK || !source.path.starts_with("engine/") {
        return vec![];
    }
    let asks = |(line, code): (usize, &str)| {
        let call = CLOCK_CALLS.iter().find(|call| calls(code, call))?;
        Some(Fault::new(source, line, format!("`{call}`: take the time as an argument; {CLOCK} asks for it")))
    };
    source.shipped_lines().filter_map(asks).collect()
}

fn core_calls(source: &Source) -> Vec<Fault> {
    if !CORES.contains(&source.room()) {
        return vec![];
    }
    banned(source, &CORE_CALLS)
}

fn calls_nowhere(source: &Source) -> Vec<Fault> {
    banned(source, &CALLS_NOWHERE)
}

fn banned(source: &Source, list: &[(&str, &str)]) -> Vec<Fault> {
    let found = |(line, code): (usize, &str)| {
        let (call, instead) = list.iter().find(|(call, _)| calls(code, call))?;
        Some(Fault::new(source, line, format!("`{call}`: {instead}")))
    };
    source.shipped_lines().filter_map(found).collect()
}

/// Walking a hash map gives another order in every process. Names bound to one in the file are followed: a field,
/// an argument or a variable.
fn hash_walks(source: &Source) -> Vec<Fault> {
    if !CORES.contains(&source.room()) && source.room() != "journal" {
        return vec![];
    }
    let maps: BTreeSet<&str> = source.shipped.lines().flat_map(hash_names).collect();
    let walks = |(line, code): (usize, &str)| {
        let map = maps.iter().find(|map| walks(code, map))?;
        let what =
            format!("walks the hash map `{map}`: its order differs from run to run; use BTreeMap or Vec");
        Some(Fault::new(source, line, what))
    };
    source.shipped_lines().filter_map(walks).collect()
}

/// Names a line binds to a hash map or set.
fn hash_names(line: &str) -> Vec<&str> {
    let types = ["HashMap", "HashSet"];
    let mut names = Vec::new();
    for (at, _) in types.iter().flat_map(|t| line.match_indices(t)) {
        let before = line[..at].trim_end();
        let before = before.rsplit_once("std::collections::").map_or(before, |(b, _)| b).trim_end();
        let before = before.trim_end_matches(['&', '<']).trim_end_matches("mut ").trim_end_matches("&");
        let Some(before) = before.trim_end().strip_suffix([':', '=']) else { continue };
        let name = before.trim_end().rsplit(|c: char| !c.is_alphanumeric() && c != '_').next();
        names.extend(name.filter(|n| !n.is_empty()));
    }
    names
}

fn walks(line: &str, map: &str) -> bool {
    const WALKS: [&str; 11] = [
        ".iter()",
        ".iter_mut()",
        ".keys()",
        ".values()",
        ".values_mut()",
        ".drain(",
        ".retain(",
        ".into_iter()",
        ".into_keys()",
        ".into_values()",
        ".extract_if(",
    ];
    let called = WALKS.iter().any(|walk| calls(line, &format!("{map}{walk}")));
    let looped = line.split_once(" in ").is_some_and(|(before, over)| {
        let over = over.trim_start_matches(['&', ' ']).trim_start_matches("mut ").trim_start_matches("self.");
        before.trim_start().starts_with("for ") && over.trim_end_matches(['{', ' ']) == map
    });
    called || looped
}

fn unsafe_code(source: &Source) -> Vec<Fault> {
    let allowed = UNSAFE_FILES.contains(&source.path.as_str());
    let lines: Vec<&str> = source.text.lines().collect();
    let mut faults = Vec::new();
    for (line, code) in source.shipped_lines() {
        let opens = ["unsafe {", "unsafe impl", "unsafe fn"].iter().any(|word| calls(code, word));
        if !opens {
            continue;
        }
        let reasoned = lines[line.saturating_sub(6)..line].iter().any(|l| l.contains("SAFETY"));
        if !allowed {
            let what = format!("`unsafe` outside {}", UNSAFE_FILES.join(", "));
            faults.push(Fault::new(source, line, what));
        } else if !reasoned {
            faults.push(Fault::new(source, line, "say above it, after `SAFETY:`, why it is sound"));
        }
    }
    faults
}

#[test]
fn one_file_asks_the_time() {
    hold("clock", clock);
}

#[test]
fn a_call_of_the_clock_is_found() {
    let found = |path, text| clock(&snippet(path, text)).len();
    assert_eq!(found("engine/alpaca/socket.rs", "let now = std::time::Instant::now();"), 1);
    assert_eq!(found("engine/app/main.rs", "SystemTime::now()"), 1);
    assert_eq!(found(CLOCK, "SystemTime::now()"), 0);
    assert_eq!(found("tools/latency/lib.rs", "Instant::now()"), 0);
    assert_eq!(
        found("engine/desk/a.rs", "// Instant::now()\n#[cfg(test)]\nmod t { fn a() { Instant::now(); } }"),
        0
    );
}

#[test]
fn cores_do_no_io() {
    hold("calls of cores", core_calls);
}

#[test]
fn io_in_a_core_is_found() {
    let found = |text: &str| core_calls(&snippet("engine/risk/a.rs", text)).len();
    for (call, _) in CORE_CALLS {
        assert_eq!(found(&format!("fn a() {{ {call} }}")), 1, "{call}");
    }
    assert_eq!(found("let a = \"println!\"; // std::fs\nfn sprint() { blueprint!() }"), 0);
    assert!(core_calls(&snippet("engine/journal/a.rs", "std::fs::read(p)")).is_empty());
}

#[test]
fn nothing_unfinished_is_left() {
    hold("banned calls", calls_nowhere);
    assert_eq!(calls_nowhere(&snippet("tools/venue/a.rs", "fn a() { todo!() }")).len(), 1);
}

#[test]
fn no_core_walks_a_hash_map() {
    hold("hash map walks", hash_walks);
}

#[test]
fn a_walk_over_a_hash_map_is_found() {
    let found = |text: &str| hash_walks(&snippet("engine/desk/a.rs", text)).len();
    assert_eq!(found("struct A { seats: HashMap<u8, u8> }\nfn a(a: &A) { a.seats.values().sum() }"), 1);
    assert_eq!(found("let mut seen = HashSet::new();\nfor x in &seen {"), 1);
    assert_eq!(found("fn a(by_id: &std::collections::HashMap<u8, u8>) {\nfor (k, v) in by_id {\n}"), 1);
    assert_eq!(
        found("struct A { seats: HashMap<u8, u8>, rows: Vec<u8> }\na.seats.get(&1); a.rows.iter()"),
        0
    );
    assert_eq!(found("let other_seats = vec![]; let seats = HashMap::new(); other_seats.iter()"), 0);
}

#[test]
fn unsafe_is_rare_and_reasoned() {
    hold("unsafe", unsafe_code);
}

#[test]
fn unsafe_without_reason_or_elsewhere_is_found() {
    let found = |path, text| unsafe_code(&snippet(path, text)).len();
    assert_eq!(found("engine/desk/a.rs", "// SAFETY: no\nunsafe { a() }"), 1);
    assert_eq!(found(UNSAFE_FILES[0], "unsafe { a() }"), 1);
    assert_eq!(found(UNSAFE_FILES[0], "// SAFETY: mapped above\nunsafe { a() }"), 0);
    assert_eq!(found("engine/desk/a.rs", "#![deny(unsafe_code)]"), 0);
}
