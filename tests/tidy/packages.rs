//! The dependency law: which room may use which, and which room alone may use a heavy library.

use super::{Fault, fail_with, source};
use cargo_metadata::{CargoOpt, DependencyKind, MetadataCommand};
use std::collections::BTreeMap;

/// A room and the rooms it may use. The root package may use all.
const MAY_USE: [(&str, &[&str]); 22] = [
    ("market", &[]),
    ("indicators", &["market"]),
    ("pricing", &["market"]),
    ("forecast", &["indicators", "market"]),
    ("onnx", &["forecast"]),
    ("portfolio", &["pricing", "market"]),
    ("strategy", &["forecast", "indicators", "portfolio", "pricing", "market"]),
    ("risk", &["portfolio", "pricing", "market"]),
    ("execution", &["risk", "portfolio", "market"]),
    ("exchange", &["pricing", "market"]),
    ("desk", &["strategy", "risk", "execution", "portfolio", "forecast", "indicators", "market"]),
    ("alpaca", &["market"]),
    ("history", &["market"]),
    ("journal", &["desk", "risk", "portfolio", "market"]),
    ("training", &["forecast", "indicators", "market"]),
    ("backtest", &["desk", "exchange", "journal", "market"]),
    (
        "live",
        &[
            "desk",
            "journal",
            "alpaca",
            "exchange",
            "onnx",
            "strategy",
            "risk",
            "execution",
            "portfolio",
            "forecast",
            "indicators",
            "market",
        ],
    ),
    ("dashboard", &["desk", "market"]),
    ("telegram", &["desk", "market"]),
    ("venue", &["exchange", "alpaca", "history", "pricing", "market"]),
    ("latency", &["wingspread", "venue", "live", "market"]),
    ("wingspread", &["*"]),
];

/// Libraries that only these packages may use.
const ONLY: [(&str, &[&str]); 10] = [
    ("landlock", &["wingspread"]),
    ("tract-onnx", &["onnx"]),
    ("heed", &["journal"]),
    ("memmap2", &["journal"]),
    ("actix", &["live"]),
    ("tokio", &["alpaca", "live", "venue", "latency", "wingspread"]),
    ("hyper", &["alpaca", "live", "latency", "wingspread"]),
    ("zip", &["history"]),
    ("actix-web", &["venue", "dashboard", "wingspread"]),
    ("clap", &["venue", "latency", "wingspread"]),
];

/// Shells and tools: nothing a core needs, not even for its tests.
const SHELLS: [&str; 7] = ["live", "backtest", "venue", "latency", "dashboard", "telegram", "wingspread"];

/// A package and what its manifest asks for.
struct Package {
    name: String,
    /// Dependencies, true for those of tests only.
    uses: Vec<(String, bool)>,
    /// Integration test binaries.
    test_binaries: Vec<String>,
}

fn packages() -> Vec<Package> {
    let manifest = source::root().join("Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .features(CargoOpt::AllFeatures)
        .no_deps()
        .other_options(["--offline".into()])
        .exec()
        .expect("cargo reads our manifests");
    let of = |p: cargo_metadata::Package| {
        let uses = p.dependencies.into_iter().map(|d| (d.name, d.kind == DependencyKind::Development));
        let tests = p.targets.iter().filter(|t| t.is_test()).map(|t| t.name.clone()).collect();
        Package { name: p.name.to_string(), uses: uses.collect(), test_binaries: tests }
    };
    metadata.packages.into_iter().map(of).collect()
}

fn law_of_rooms(packages: &[Package]) -> Vec<String> {
    let law: BTreeMap<&str, &[&str]> = MAY_USE.into_iter().collect();
    let mut faults = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        let Some(allowed) = law.get(name) else {
            faults.push(format!("`{name}` has no line in MAY_USE: say which rooms it may use"));
            continue;
        };
        for (used, for_tests) in &package.uses {
            let is_room = law.contains_key(used.as_str());
            if !is_room || allowed.contains(&"*") || allowed.contains(&used.as_str()) {
                continue;
            }
            // Tests may look at other cores, as long as that drags no shell in.
            if *for_tests && !SHELLS.contains(&used.as_str()) {
                continue;
            }
            faults.push(format!("`{name}` may not use `{used}` (architecture: {allowed:?})"));
        }
    }
    faults
}

fn law_of_libraries(packages: &[Package]) -> Vec<String> {
    let mut faults = Vec::new();
    for package in packages {
        for (library, users) in ONLY {
            let uses = package.uses.iter().any(|(used, for_tests)| used == library && !for_tests);
            if uses && !users.contains(&package.name.as_str()) {
                faults.push(format!("`{}` may not use `{library}`: only {users:?}", package.name));
            }
        }
    }
    faults
}

fn hold_packages(law: &str, faults: Vec<String>) {
    let place = |what| Fault { path: "Cargo.toml".into(), line: 0, what };
    fail_with(law, &faults.into_iter().map(place).collect::<Vec<_>>());
}

#[test]
fn rooms_use_only_the_rooms_they_may() {
    hold_packages("dependency law", law_of_rooms(&packages()));
}

#[test]
fn heavy_libraries_stay_in_their_rooms() {
    hold_packages("libraries", law_of_libraries(&packages()));
}

#[test]
fn the_law_itself_has_no_circle_and_no_core_reaches_a_shell() {
    let law: BTreeMap<&str, &[&str]> = MAY_USE.into_iter().collect();
    fn depth<'a>(room: &'a str, law: &BTreeMap<&'a str, &'a [&'a str]>, left: usize) -> usize {
        assert!(left > 0, "a circle through `{room}`");
        let below = law.get(room).into_iter().flat_map(|rooms| rooms.iter()).filter(|r| **r != "*");
        1 + below.map(|r| depth(r, law, left - 1)).max().unwrap_or(0)
    }
    for room in law.keys() {
        assert!(depth(room, &law, law.len()) <= law.len());
    }
    for (room, allowed) in MAY_USE {
        let reached = allowed.iter().find(|r| SHELLS.contains(r));
        assert!(SHELLS.contains(&room) || reached.is_none(), "`{room}` reaches the shell {reached:?}");
    }
}

#[test]
fn a_forbidden_dependency_is_found() {
    let package = |name: &str, used: &str, for_tests| {
        vec![Package { name: name.into(), uses: vec![(used.into(), for_tests)], test_binaries: vec![] }]
    };
    assert_eq!(law_of_rooms(&package("risk", "strategy", false)).len(), 1);
    assert_eq!(law_of_rooms(&package("alpaca", "desk", false)).len(), 1);
    assert_eq!(law_of_rooms(&package("desk", "live", true)).len(), 1, "not even for tests");
    assert_eq!(law_of_rooms(&package("unheard_of", "market", false)).len(), 1);
    assert!(law_of_rooms(&package("risk", "portfolio", false)).is_empty());
    assert!(law_of_rooms(&package("journal", "forecast", true)).is_empty());
    assert_eq!(law_of_libraries(&package("desk", "tokio", false)).len(), 1);
    assert_eq!(law_of_libraries(&package("strategy", "tract-onnx", false)).len(), 1);
}

/// Rooms keep their tests inside: every further integration binary costs a link on each change. (A folder
/// `tests/` makes one a file, unless the manifest says `autotests = false`.)
fn law_of_test_binaries(packages: &[Package]) -> Vec<String> {
    let all = packages.iter().flat_map(|p| p.test_binaries.iter().map(move |b| format!("{}::{b}", p.name)));
    all.filter(|name| name != "wingspread::wingspread")
        .map(|name| {
            format!("`{name}` is a second integration binary: move its tests into the room or tests/main.rs")
        })
        .collect()
}

#[test]
fn there_is_one_integration_binary() {
    hold_packages("integration binaries", law_of_test_binaries(&packages()));
    let second = Package { name: "desk".into(), uses: vec![], test_binaries: vec!["replay".into()] };
    assert_eq!(law_of_test_binaries(&[second]).len(), 1);
}
