//! The Python path: rows exported by `wingspread features`, models trained on them by `tools/python/train.py`, and the
//! bundles it writes loaded by the engine's own door.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// A Python with the packages `tools/python/train.py` names; CI makes one. Without it the test skips and says so.
const PYTHON: &str = "WINGSPREAD_PYTHON";

/// Sessions of minutes whose price swings: where it stands in its swing says where it goes.
fn minutes(file: &Path) {
    let mut text = String::from("time,open,high,low,close,volume\n");
    let price = |n: f64| 100.0 + 5.0 * (n / 11.0).sin() + (n / 2.3).cos();
    let mut n = 0.0;
    for date in ["2025-03-03", "2025-03-04", "2025-03-05", "2025-03-06", "2025-03-07", "2025-03-10"] {
        for minute in 0..390 {
            let clock = 570 + minute;
            let (open, close) = (price(n), price(n + 1.0));
            let (high, low) = (open.max(close) + 0.2, open.min(close) - 0.2);
            writeln!(
                text,
                "{date} {:02}:{:02},{open:.2},{high:.2},{low:.2},{close:.2},{}",
                clock / 60,
                clock % 60,
                1_000 + minute * 31 % 500
            )
            .expect("a string takes all");
            n += 1.0;
        }
    }
    std::fs::write(file, text).expect("written");
}

fn export(folder: &Path) -> String {
    let (data, out) = (folder.join("swing.csv"), folder.join("swing.parquet"));
    minutes(&data);
    let done = Command::new(env!("CARGO_BIN_EXE_wingspread"))
        .args(["features", "--symbol", "SPY", "--data"])
        .arg(&data)
        .arg("--out")
        .arg(&out)
        .output()
        .expect("the program starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    out.display().to_string()
}

#[test]
fn bundles_made_in_python_are_taken() {
    let Some(python) = std::env::var_os(PYTHON) else {
        println!("skipped: set {PYTHON} to a Python with the packages tools/python/train.py names");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let data = export(folder.path());
    let models = folder.path().join("models");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/python/train.py");
    let mut taken = 0;
    for (learner, label) in
        [("lightgbm", "horizon"), ("sklearn", "barriers"), ("mlp", "horizon"), ("torch", "barriers")]
    {
        let done = Command::new(&python)
            .arg(script)
            .args(["--data", &data, "--timeframe", "1min", "--horizon", "5", "--version", "3"])
            .args(["--learner", learner, "--label", label, "--name", learner, "--out"])
            .arg(&models)
            .output()
            .expect("the interpreter starts");
        let said = String::from_utf8_lossy(&done.stdout);
        if done.status.code() == Some(3) {
            println!("skipped {learner}: {said}");
            continue;
        }
        assert!(done.status.success(), "{learner}: {said}\n{}", String::from_utf8_lossy(&done.stderr));
        println!("{said}");
        let loaded = onnx::load_dir(&models.join(learner).join("3")).expect(learner);
        let manifest = &loaded.manifest;
        assert!(manifest.metrics["brier_skill"] > 0.3, "a swing can be learnt: {said}");
        assert_eq!(manifest.label_rule(), manifest.label, "it is scored as it was taught");
        assert!(manifest.label.is_some() && manifest.reference.is_some());
        assert_eq!((manifest.trained.from, manifest.horizon_bars), (market::Date::literal(2025, 3, 3), 5));
        taken += 1;
    }
    assert!(taken >= 3, "{taken} learners");
}

/// What a few lines of Python beside the trainer print; `None`, and a word, where there is no Python for it.
fn said_by(program: &str) -> Option<String> {
    let Some(python) = std::env::var_os(PYTHON) else {
        println!("skipped: set {PYTHON} to a Python with the packages tools/python/train.py names");
        return None;
    };
    let done = Command::new(python)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/python"))
        .args(["-c", program])
        .output()
        .expect("the interpreter starts");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.code() == Some(3) {
        println!("skipped: {said}");
        return None;
    }
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(said)
}

/// The rule that Python labels by is the engine's, number by number.
#[test]
fn python_labels_as_the_engine_does() {
    let program = "import types, train, numpy as np\n\
        price = 100 + np.cumsum(np.sin(np.arange(300) * 1.7) + np.cos(np.arange(300) * 0.31))\n\
        o = np.concatenate([[100.0], price[:-1]]); hi = np.maximum(o, price) + 0.5; lo = np.minimum(o, price) - 0.5\n\
        one = types.SimpleNamespace(open=o, high=hi, low=lo, close=price, atr=np.full(300, 1.25))\n\
        for rule in ({'kind': 'horizon', 'threshold_atr': 0.5}, {'kind': 'triple_barrier', 'up_atr': 0.6, 'down_atr': 0.4}):\n\
        \x20   classes, ends = train.labels(one, rule, 6)\n\
        \x20   print(' '.join(f'{c}:{e}' for c, e in zip(classes, ends)))\n\
        print(' '.join(repr(float(x)) for q in (o, hi, lo, price) for x in q))\n";
    let Some(said) = said_by(program) else { return };
    let lines: Vec<&str> = said.lines().collect();
    let numbers: Vec<f64> = lines[2].split(' ').map(|x| x.parse().expect("a number")).collect();
    let bar = |at: usize| [0, 1, 2, 3].map(|column| numbers[column * 300 + at]);
    let rules = [
        forecast::LabelRule::Horizon { threshold_atr: 0.5 },
        forecast::LabelRule::TripleBarrier { up_atr: 0.6, down_atr: 0.4 },
    ];
    for (rule, told) in rules.iter().zip(&lines) {
        for (at, told) in told.split(' ').enumerate() {
            let mut course = forecast::label::Course::new(rule, 6, bar(at)[3], 1.25).expect("a range");
            let decided = (at + 1..300).find_map(|end| {
                let [open, high, low, close] = bar(end);
                Some((course.follow_prices(open, high, low, close)?, end))
            });
            let wanted = decided.map_or("-1:-1".into(), |(class, end)| format!("{}:{end}", class.index()));
            assert_eq!(told, wanted, "{rule:?} at {at}");
        }
    }
}

/// Dates by New York's clocks, summer and winter; weights of what is taught alone; and a network that heeds them.
#[test]
fn python_knows_summer_time_and_weighs_what_it_teaches() {
    let program = "import types, train, numpy as np\n\
        for ns in (1753156800, 1753156799, 1737520200, 1737521999, 1737522000):\n\
        \x20   print(train.date(ns * 10**9))\n\
        e = train.Examples.__new__(train.Examples)\n\
        chance = np.random.default_rng(3)\n\
        e.x = chance.normal(size=(3000, 4)).astype(np.float32)\n\
        e.y = np.where(e.x[:, 0] < 0, 0, 2); e.y[::50] = 1\n\
        e.weight = np.full(3000, 0.2); lies = chance.random(3000) < 0.5\n\
        e.y[lies] = 2 - e.y[lies]; e.weight[lies] = 1e-4\n\
        print(round(float(e.weights(np.arange(100)).mean()), 6))\n\
        model, words = train.mlp(e, np.arange(2500), np.arange(2500, 3000), 7)\n\
        odds = train.ask(model, np.array([[-1.5, 0, 0, 0], [1.5, 0, 0, 0]], dtype=np.float32))\n\
        print(odds[0, 0] > 0.8 and odds[1, 2] > 0.8, odds)\n";
    let Some(said) = said_by(program) else { return };
    let lines: Vec<&str> = said.lines().collect();
    // Midnight of a summer's day is 04:00 UTC, of a winter's day 05:00.
    assert_eq!(lines[..5], ["2025-07-22", "2025-07-21", "2025-01-21", "2025-01-21", "2025-01-22"], "{said}");
    assert_eq!(lines[5], "1.0", "{said}");
    assert!(lines[6].starts_with("True"), "{said}");
}
