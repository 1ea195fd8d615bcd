//! Models fresh from their exporters (scikit-learn, LightGBM, XGBoost, PyTorch's patterns at operator sets 13 to 21,
//! trees of every mode) against onnxruntime. `tools/python/reference_models.py` makes models and answers.

use crate::kernel::{Instructions, Kernel, Program};
use crate::naive;
use crate::read::read;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// A Python with the packages the script names; CI makes one. Without it the test skips and says so.
const PYTHON: &str = "WINGSPREAD_PYTHON";

/// Rows of floats written as their bit patterns.
fn rows(json: &serde_json::Value) -> Vec<Vec<f32>> {
    let number = |bits: &serde_json::Value| f32::from_bits(bits.as_u64().expect("a bit pattern") as u32);
    let row = |row: &serde_json::Value| row.as_array().expect("a row").iter().map(number).collect();
    json.as_array().expect("rows").iter().map(row).collect()
}

/// Distance, relative where numbers are large (regressors answer in units of their own); none between two NaN.
fn off(found: f32, wanted: f64) -> f64 {
    let found = f64::from(found);
    if found.is_nan() && wanted.is_nan() || found == wanted {
        return 0.0;
    }
    let off = (found - wanted).abs() / wanted.abs().max(1.0);
    if off.is_nan() { f64::INFINITY } else { off }
}

/// The worst distance of a model's kernel from onnxruntime, and of its definition.
fn compare(path: &Path) -> (f64, f64) {
    let name = path.display();
    let graph = read(&std::fs::read(path).expect("a model")).unwrap_or_else(|e| panic!("{name}: {e}"));
    let json = std::fs::read(path.with_extension("json")).expect("its answers");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let inputs = rows(&json["rows"]);
    let outputs = json["outputs"].as_object().expect("outputs by name");
    assert!(!outputs.is_empty() && inputs.len() >= 40, "{name}");
    let mut worst = (0.0f64, 0.0f64);
    for (output, answers) in outputs {
        let place = graph.outputs.iter().position(|(n, _)| n == output).expect("the output is read");
        let answers = rows(answers);
        for instructions in [Instructions::Widest, Instructions::Avx2, Instructions::Portable] {
            let mut kernel = Kernel::new(Arc::new(Program::compile(&graph, instructions).expect("it fits")));
            for (row, wanted) in inputs.iter().zip(&answers) {
                kernel.run(&[row]).expect("a row that fits");
                assert_eq!(kernel.output(place).len(), wanted.len(), "{name}");
                for (found, wanted) in kernel.output(place).iter().zip(wanted) {
                    worst.0 = worst.0.max(off(*found, f64::from(*wanted)));
                }
            }
        }
        for (row, wanted) in inputs.iter().zip(&answers) {
            let values = naive::evaluate(&graph, &[row]).expect("a row that fits");
            for (wanted, defined) in wanted.iter().zip(&values[graph.outputs[place].1]) {
                worst.1 = worst.1.max(off(*wanted, *defined));
            }
        }
    }
    worst
}

#[test]
fn exported_models_answer_as_onnxruntime_says() {
    let Some(python) = std::env::var_os(PYTHON) else {
        println!(
            "skipped: set {PYTHON} to a Python with the packages tools/python/reference_models.py names"
        );
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/python/reference_models.py");
    let done = Command::new(python).arg(script).arg(folder.path()).output().expect("the interpreter starts");
    let (said, complained) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    if done.status.code() == Some(3) {
        println!("skipped: {said}");
        return;
    }
    assert!(done.status.success() && said.contains("all good"), "{said}\n{complained}");
    let mut count = 0;
    let mut faults = Vec::new();
    for entry in std::fs::read_dir(folder.path()).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|e| e == "onnx") {
            let (kernel, definition) = compare(&path);
            count += 1;
            if kernel > 1e-5 || definition > 1e-5 {
                faults
                    .push(format!("{}: kernel off by {kernel}, definition by {definition}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{count} models:\n{}", faults.join("\n"));
    assert!(count >= 75, "{count}");
    println!("{count} models agree");
}
