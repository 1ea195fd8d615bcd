//! The life of models in the running engine: a better one dropped in is promoted, a worse one is not, a poisoned one is
//! quarantined, one that turns bad is rolled back; all of it on record, and the same when the record is run again.

use super::office::{Office, Running, copy_folder, shipped_models};
use super::on_record;
use forecast::manifest::{CLASSES, FORMAT, Window, hex, sha256};
use forecast::{Golden, GoldenRow, LabelRule, Manifest, Schema};
use market::quote::Timeframe;
use market::{Date, Label};
use std::path::Path;
use training::protobuf::Message;

/// A small model of one minute: it answers with `early` and, from a time of the session on, with `late`.
struct Toy {
    version: &'static str,
    early: [f32; 3],
    late: [f32; 3],
    /// Where the session turns, -0.5 to 0.5.
    turn: f32,
    is_poisoned: bool,
}

/// How sharply it turns: within a minute or two.
const SHARPNESS: f32 = 2_000.0;
const NAME: &str = "toy";

impl Toy {
    fn always(version: &'static str, odds: [f32; 3]) -> Self {
        Self { version, early: odds, late: odds, turn: 0.0, is_poisoned: false }
    }

    /// Sigmoid of the clock, and of the first feature so that no two answers are quite alike; then softmax.
    fn onnx(&self) -> Vec<u8> {
        let features = Schema::ours().features;
        let clock = features.iter().position(|name| name == "session_clock").expect("a feature");
        let mut first = vec![0.0f32; features.len() * 2];
        first[2 * clock] = SHARPNESS;
        first[1] = if self.is_poisoned { f32::NAN } else { 0.5 };
        let logs = |odds: [f32; 3]| odds.map(f32::ln);
        let (early, late) = (logs(self.early), logs(self.late));
        let turned = [0, 1, 2].map(|class| late[class] - early[class]);
        let second = [turned, [0.02, 0.0, -0.02]].concat();
        let axis = Message::new().text(1, "axis").int(3, 1).int(20, 2);
        let graph = Message::new()
            .message(1, node("hidden", "Gemm", &["features", "w1", "b1"]))
            .message(1, node("active", "Sigmoid", &["hidden"]))
            .message(1, node("logits", "Gemm", &["active", "w2", "b2"]))
            .message(1, node("probs", "Softmax", &["logits"]).message(5, axis))
            .text(2, NAME)
            .message(5, tensor("w1", &[features.len(), 2], &first))
            .message(5, tensor("b1", &[2], &[-SHARPNESS * self.turn, 0.0]))
            .message(5, tensor("w2", &[2, 3], &second))
            .message(5, tensor("b2", &[3], &early))
            .message(11, value("features", features.len()))
            .message(12, value("probs", 3));
        let opset = Message::new().text(1, "").int(2, 17);
        Message::new().int(1, 8).message(7, graph).message(8, opset).finish()
    }

    /// Its bundle, dropped as a careful sender does: written under a hidden name, then renamed.
    fn drop_into(&self, models: &Path) {
        let (model, schema) = (self.onnx(), Schema::ours());
        let manifest = Manifest {
            format: FORMAT,
            name: Label::literal(NAME),
            version: self.version.parse().expect("a version"),
            timeframe: Timeframe::Min1,
            features: schema.features.clone(),
            schema: schema.digest,
            classes: CLASSES.map(String::from).to_vec(),
            horizon_bars: 1,
            trained: Window { from: Date::literal(2026, 1, 5), to: Date::literal(2026, 2, 5) },
            metrics: Default::default(),
            provenance: "made by a test".into(),
            scaling: None,
            label: Some(LabelRule::Horizon { threshold_atr: 0.3 }),
            calibration: None,
            reference: None,
            input: Some("features".into()),
            sha256: hex(&sha256(&model)),
        };
        let rows = (0..8).map(|n| forecast::probe::ordinary_row(schema.features.len(), n));
        // A poisoned model answers nothing; its papers are those of a sound one.
        let sound = Toy { is_poisoned: false, ..*self }.onnx();
        let mut plan =
            onnx::compile(&sound, schema.features.len(), &onnx::Limits::TABULAR).expect("a model").spawn();
        let answer = |features: Vec<f32>| {
            let mut odds = [0.0; 3];
            plan.predict(&features, &mut odds).expect("odds");
            GoldenRow { features, odds }
        };
        let golden = Golden { rows: rows.map(answer).collect() };
        let hidden = models.join(NAME).join(".coming");
        std::fs::create_dir_all(&hidden).expect("a folder");
        let files = [
            ("model.onnx", model),
            ("manifest.yaml", manifest.to_yaml().expect("right").into_bytes()),
            ("golden.json", golden.to_json(schema.features.len()).expect("right").into_bytes()),
        ];
        for (name, bytes) in files {
            std::fs::write(hidden.join(name), bytes).expect("written");
        }
        std::fs::rename(hidden, models.join(NAME).join(self.version)).expect("renamed");
    }
}

fn node(output: &str, operator: &str, inputs: &[&str]) -> Message {
    let named = inputs.iter().fold(Message::new(), |node, input| node.text(1, input));
    named.text(2, output).text(3, output).text(4, operator)
}

fn tensor(name: &str, shape: &[usize], values: &[f32]) -> Message {
    let raw: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let shaped = shape.iter().fold(Message::new(), |tensor, side| tensor.int(1, *side as i64));
    shaped.int(2, 1).text(8, name).bytes(9, &raw)
}

fn value(name: &str, columns: usize) -> Message {
    let rows = Message::new().text(2, "N");
    let columns = Message::new().int(1, columns as i64);
    let shape = Message::new().message(1, rows).message(1, columns);
    Message::new()
        .text(1, name)
        .message(2, Message::new().message(1, Message::new().int(1, 1).message(2, shape)))
}

/// Settings under which a verdict takes an hour of the market: two symbols, few predictions, little patience.
fn quick(office: &Office, models: &Path) {
    office.set("", "symbols", "[SPY, QQQ]");
    office.set(
        "models",
        "folder",
        &format!(
            "{}\n  check_every: 200ms\nshelf:\n  scored: 100\n  looks: 8\n  alpha: 0.1\n  window: 100\n  \
             fall_alpha: 0.05\n  fall_margin: 0.05",
            models.display()
        ),
    );
}

/// The engine at work on three of them: the better one promoted, the worse one given up, the poisoned one put away.
fn three_dropped_in(office: &Office, models: &Path, engine: &mut Running) {
    // Knows that it does not know.
    Toy::always("2", [0.34, 0.33, 0.33]).drop_into(models);
    Toy::always("3", [0.98, 0.01, 0.01]).drop_into(models);
    Toy { is_poisoned: true, ..Toy::always("4", [0.2, 0.3, 0.5]) }.drop_into(models);
    let note = models.join(".quarantine/toy/4-1/refused.txt");
    engine.until("the poisoned one away", |_| note.exists().then_some(()));
    engine.until("the better one promoted", |_| told(office, &["toy/2 (1min) is promoted"]));
    let ends = ["toy/3 (1min) is worse than the incumbent", "toy/3 (1min) is no better than the incumbent"];
    engine.until("the worse one given up", |_| told(office, &ends));
}

fn history(office: &Office) -> String {
    office.run(&["models", "history"]).well()
}

/// Whether one of these is on record.
fn told(office: &Office, any: &[&str]) -> Option<()> {
    let history = history(office);
    any.iter().any(|step| history.contains(step)).then_some(())
}

#[test]
fn models_are_promoted_given_up_put_away_and_rolled_back() {
    let office = Office::open();
    let models = office.path("models");
    copy_folder(&shipped_models(), &models);
    std::fs::remove_dir_all(models.join("sim-1min")).expect("removed");
    // Sure of a fall, and wrong two times of three.
    Toy::always("1", [0.8, 0.1, 0.1]).drop_into(&models);
    quick(&office, &models);
    let mut engine = Running::start(office.program(&["--speed", "600"]));
    engine.until("the first model", |e| e.said().contains("models: toy 1").then_some(()));
    three_dropped_in(&office, &models, &mut engine);

    // One that turns bad each day at half past eleven, and that the operator trusts at once.
    let turns = Toy { late: [0.01, 0.01, 0.98], turn: -0.18, ..Toy::always("5", [0.34, 0.33, 0.33]) };
    turns.drop_into(&models);
    engine.until("the fifth on the shelf", |_| told(&office, &["toy/5 (1min) shadows the incumbent"]));
    let said = office.run(&["models", "promote", "toy/5"]).well();
    assert!(said.contains("toy/5 (1min) is promoted by the operator"), "{said}");
    engine.until("it is rolled back", |_| told(&office, &["toy/5 (1min) is rolled back: loss"]));

    let listed = office.run(&["models", "list"]).well();
    let role =
        |model: &str| listed.lines().find(|line| line.contains(model)).map(str::to_string).expect("a line");
    assert!(role("toy/2").contains("incumbent"), "{listed}");
    assert!(role("toy/5").contains("idle") && role("toy/3").contains("idle"), "{listed}");
    let shown = office.run(&["models", "show", "toy/2"]).well();
    assert!(shown.contains("dense kernel") && shown.contains("golden rows repeated"), "{shown}");
    assert!(shown.contains("judged by Horizon"), "{shown}");
    the_operator_has_the_last_word(&office);

    office.run(&["tell", "stop"]).well();
    let said = engine.wait().well();
    assert!(said.contains("shelf   toy/2 (1min) is promoted: loss"), "{said}");
    let history = history(&office);
    println!("{history}");
    for step in [
        "toy/1 (1min) speaks at once",
        "toy/2 (1min) shadows the incumbent",
        "bundle toy/4 refused: model.onnx the weights `w1` hold NaN",
        "the operator asks: promote toy/5",
        "toy/2 (1min) speaks again",
    ] {
        assert!(history.contains(step), "{step}\n{history}");
    }
    let rerun = office.run(&["rerun", "--times", "1"]).well();
    assert!(rerun.contains(" 0 different"), "{rerun}");

    // The next start finds the shelf as it was left.
    let said = office.run(&["--for", "3s", "--speed", "60"]).well();
    assert!(said.lines().any(|line| line.starts_with("models: toy 2,")), "{said}");
    assert!(office.run(&["models", "list"]).well().contains("incumbent, pinned"));
}

/// An incumbent that is not there at a start, for whatever reason, has its place back when it is. And what the keeper
/// tells is on record.
#[test]
fn who_was_away_at_a_start_has_its_place_back() {
    let office = Office::open();
    let models = office.path("models");
    copy_folder(&shipped_models(), &models);
    std::fs::remove_dir_all(models.join("sim-1min")).expect("removed");
    Toy::always("2", [0.34, 0.33, 0.33]).drop_into(&models);
    quick(&office, &models);
    let said = office.run(&["--for", "2s", "--speed", "60"]).well();
    assert!(said.lines().any(|line| line.starts_with("models: toy 2,")), "{said}");

    let (place, away) = (models.join("toy/2"), models.join("toy/.away"));
    std::fs::rename(&place, &away).expect("renamed");
    Toy::always("1", [0.33, 0.34, 0.33]).drop_into(&models);
    let mut engine = Running::start(office.program(&["--speed", "60"]));
    engine.until("who stands in", |e| e.said().contains("models: toy 1,").then_some(()));
    assert!(office.run(&["models", "list"]).well().contains("away, comes back"));
    std::fs::rename(&away, &place).expect("renamed");
    let back = "toy/2 (1min) is back in the folder, and speaks again";
    engine.until("it is back", |_| told(&office, &[back]));
    Toy { is_poisoned: true, ..Toy::always("4", [0.2, 0.3, 0.5]) }.drop_into(&models);
    engine.until("the refusal", |e| e.said().contains("model_refused").then_some(()));
    office.run(&["tell", "stop"]).well();
    engine.wait().well();
    let alerts = on_record::alerts(&office, 2);
    assert!(alerts.contains(&"model_refused".to_string()), "{alerts:?}");
    let listed = office.run(&["models", "list"]).well();
    let role = |model: &str| listed.lines().find(|line| line.contains(model)).expect("a line").to_string();
    assert!(role("toy/2").contains("incumbent") && role("toy/1").contains("idle"), "{listed}");
    let rerun = office.run(&["rerun", "--times", "1"]).well();
    assert!(rerun.contains(" 0 different"), "{rerun}");
}

fn the_operator_has_the_last_word(office: &Office) {
    assert!(
        office
            .run(&["models", "promote", "toy/3"])
            .well()
            .contains("toy/3 (1min) is promoted by the operator")
    );
    assert!(office.run(&["models", "rollback", "1min"]).well().contains("is rolled back by the operator"));
    assert!(office.run(&["models", "pin", "1min"]).well().contains("toy/2 (1min) is pinned"));
    let no = office.run(&["models", "promote", "toy/9"]);
    assert!(!no.status.success() && no.stdout.contains("not on the shelf"), "{no:?}");
}
