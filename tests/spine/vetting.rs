//! The first look at a model file: a process of its own, which says why, or is stopped.

use forecast::manifest::{CLASSES, FORMAT, Window, hex, sha256};
use forecast::{Golden, Manifest};
use live::vetting::{Bounds, Vetting};
use market::quote::Timeframe;
use market::{Date, Label};
use std::path::{Path, PathBuf};
use std::time::Duration;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/onnx");

fn vetting() -> Vetting {
    let bounds = Bounds {
        limits: onnx::Limits::TABULAR,
        time: Duration::from_secs(60),
        memory_bytes: 1 << 30,
        answer_ns_max: 1_000_000_000,
    };
    Vetting::new(Some(env!("CARGO_BIN_EXE_wingspread").into()), bounds)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(GOLDEN).join(name)).expect("a golden file")
}

/// A right bundle around a model of the reference set, whose golden rows are those of the good one.
fn bundle(root: &Path, model: &str) -> PathBuf {
    let folder = root.join("mlp/1");
    std::fs::create_dir_all(&folder).expect("a folder");
    let model = read(model);
    let manifest = Manifest {
        format: FORMAT,
        name: Label::literal("mlp"),
        version: Label::literal("1"),
        timeframe: Timeframe::Min1,
        features: (0..32).map(|i| format!("f{i}")).collect(),
        schema: hex(&sha256(b"test")),
        classes: CLASSES.map(String::from).to_vec(),
        horizon_bars: 5,
        trained: Window { from: Date::literal(2026, 1, 5), to: Date::literal(2026, 2, 5) },
        metrics: Default::default(),
        provenance: "reference set".into(),
        scaling: None,
        label: None,
        calibration: None,
        reference: None,
        input: Some("features".into()),
        sha256: hex(&sha256(&model)),
    };
    let files = [
        ("model.onnx", model),
        ("manifest.yaml", manifest.to_yaml().expect("right").into_bytes()),
        ("golden.json", read("good/mlp_32_64_32_3.golden.json")),
    ];
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).expect("written");
    }
    folder
}

fn reason(finding: onnx::Finding) -> String {
    match finding {
        onnx::Finding::Refused(refused) => refused.reason,
        onnx::Finding::Sound(sound) => panic!("{sound:?}"),
    }
}

/// Every bad file, and a word of what it is refused for; the room of ONNX holds the same against its own loader.
const BAD: &str = include_str!("../golden/onnx/refused.tsv");

#[test]
fn the_child_takes_a_good_model_and_refuses_every_bad_one_for_its_own_reason() {
    let root = tempfile::tempdir().expect("a folder");
    let vetting = vetting();
    let good = bundle(root.path(), "good/mlp_32_64_32_3.onnx");
    match vetting.drill(&good, "any-schema") {
        onnx::Finding::Sound(sound) => {
            assert_eq!(sound.executor, onnx::Executor::Dense, "{sound:?}");
            assert!(sound.answer_ns > 0 && sound.golden_rows > 10, "{sound:?}");
        }
        onnx::Finding::Refused(refused) => panic!("{refused:?}"),
    }
    let said = reason(vetting.look(&good));
    assert!(said.contains("train it again on this version's features"), "{said}");
    for (name, word) in BAD.lines().filter_map(|line| line.split_once('\t')) {
        let folder = bundle(root.path(), &format!("bad/{name}.onnx"));
        match name {
            "bit_flips" => {
                let (bad, good) = (read("bad/bit_flips.onnx"), read("good/mlp_32_64_32_3.onnx"));
                let manifest = std::fs::read_to_string(folder.join("manifest.yaml")).expect("a manifest");
                let original = manifest.replace(&hex(&sha256(&bad)), &hex(&sha256(&good)));
                std::fs::write(folder.join("manifest.yaml"), original).expect("written");
            }
            "constant_output" => {
                std::fs::write(folder.join("golden.json"), own_answers(name)).expect("written")
            }
            _ => {}
        }
        let said = reason(vetting.drill(&folder, "any-schema"));
        assert!(said.contains(word), "{name}: {said}");
    }
}

/// The golden rows with a bad model's own answers to them.
fn own_answers(name: &str) -> String {
    let model = read(&format!("bad/{name}.onnx"));
    let mut plan = onnx::compile(&model, 32, &onnx::Limits::TABULAR).expect("it computes").spawn();
    let mut golden = Golden::parse(&read("good/mlp_32_64_32_3.golden.json"), 32).expect("rows");
    for row in &mut golden.rows {
        plan.predict(&row.features, &mut row.odds).expect("odds");
    }
    golden.to_json(32).expect("right")
}

#[test]
fn what_hangs_is_ended_and_what_grows_is_stopped() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = bundle(root.path(), "good/mlp_32_64_32_3.onnx");
    let mut hasty = vetting();
    hasty.bounds.time = Duration::from_secs(1);
    for drill in ["hang", "spin"] {
        let said = reason(hasty.drill(&folder, drill));
        assert!(said.contains("longer than 1s") || said.contains("processor time"), "{drill}: {said}");
    }
    let mut narrow = vetting();
    narrow.bounds.memory_bytes = 512 << 20;
    let said = reason(narrow.drill(&folder, "memory"));
    assert!(said.contains("more memory than 512 MiB"), "{said}");
}

/// The files that hang or explode in any loader, given to one without the door before it.
#[test]
fn a_real_loader_that_hangs_or_explodes_takes_nobody_along() {
    let root = tempfile::tempdir().expect("a folder");
    let mut vetting = vetting();
    vetting.bounds.time = Duration::from_secs(2);
    let folder = bundle(root.path(), "bad/slow_constant_folding.onnx");
    let said = reason(vetting.drill(&folder, "loader"));
    // A fast machine may be through with it in time; nobody waits longer than that for it.
    let ends = ["longer than 2s", "processor time", "loaded without a door"];
    assert!(ends.iter().any(|end| said.contains(end)), "{said}");
    let folder = bundle(root.path(), "bad/memory_bomb.onnx");
    let said = reason(vetting.drill(&folder, "loader"));
    assert!(said.contains("more memory than 1024 MiB"), "{said}");
    let said = reason(vetting.look(&bundle(root.path(), "good/mlp_32_64_32_3.onnx")));
    assert!(said.contains("train it again"), "the next one is looked at: {said}");
}

/// Where the kernel has Landlock; what is left elsewhere are the loader's own refusals: links, and weights in other
/// files.
#[test]
fn files_outside_the_bundle_stay_closed() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = bundle(root.path(), "good/mlp_32_64_32_3.onnx");
    let said = reason(vetting().drill(&folder, "files"));
    if !wingspread::confine::can_close_files() {
        println!("skipped: this kernel has no Landlock, and closes no file to anybody");
        assert!(said.contains("a file outside was opened (Landlock: Not)"), "{said}");
        return;
    }
    assert!(said.contains("no file outside could be opened (PermissionDenied)"), "{said}");
}

/// The parent may have ended before the child asked to be ended with it.
#[test]
fn a_child_whose_parent_has_ended_opens_nothing() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = bundle(root.path(), "good/mlp_32_64_32_3.onnx");
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_wingspread"))
        .arg("vet-model")
        .arg(&folder)
        .args(["--memory-bytes", "1073741824", "--processor-seconds", "30", "--answer-ns-max", "1000000000"])
        .args(["--bytes-max", "1000000", "--nodes-max", "1000", "--parent", "1"])
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success() && said.contains("has ended"), "{said}");
    assert!(done.stdout.is_empty(), "{}", String::from_utf8_lossy(&done.stdout));
}
