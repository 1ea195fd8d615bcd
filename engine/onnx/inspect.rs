//! The first look at a bundle, made where it can do no harm (a confined child process of the engine): everything a
//! load checks, and how long an answer takes. What was found travels back as one line of text, so nothing here holds
//! more than words and numbers.

use crate::bundle::{LoadFault, load_dir_for, read_golden, read_manifest, schema_for};
use crate::compile::Executor;
use crate::vet::Limits;
use forecast::Schema;
use std::path::Path;

/// What a look at a bundle found.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Finding {
    /// Every check passed.
    Sound(Sound),
    /// One did not.
    Refused(Refused),
}

/// A bundle that passed.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Sound {
    /// SHA-256 of `model.onnx`, hexadecimal: who loads it afterwards loads these bytes or none.
    pub sha256: String,
    /// What will run it.
    pub executor: Executor,
    /// Why that.
    pub why: String,
    /// The middle of the times one answer took, nanoseconds.
    pub answer_ns: u64,
    /// Golden rows it repeated.
    pub golden_rows: usize,
}

/// A bundle that did not.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Refused {
    /// File, finding and remedy, as a person reads them.
    pub reason: String,
    /// Whose fault it is, and so what becomes of it.
    pub because: Because,
}

/// Whose fault a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// The files': they will never be right as they are.
    Files,
    /// It may only be on its way still: looked at again before anything is done about it.
    Unfinished,
    /// The machine's or a setting's (too slow here, no process to look with): the files may be right elsewhere.
    Circumstance,
}

impl Refused {
    /// The reason and the remedy, which follows the last semicolon of the text.
    pub fn parts(&self) -> (&str, &str) {
        self.reason.rsplit_once("; ").unwrap_or((&self.reason, "bring another model"))
    }
}

impl From<LoadFault> for Refused {
    fn from(fault: LoadFault) -> Self {
        Self { reason: fault.to_string(), because: fault.because() }
    }
}

/// As [`inspect`], by the bundle's own feature schema: for trying files that were not made for this program.
pub fn inspect_foreign(
    folder: &Path,
    limits: &Limits,
    answer_ns_max: u64,
    clock_ns: &dyn Fn() -> u64,
) -> Finding {
    let schema = match read_manifest(folder) {
        Ok(manifest) => Schema { features: manifest.features, digest: manifest.schema },
        Err(fault) => return Finding::Refused(fault.into()),
    };
    found(look(folder, &schema, limits, answer_ns_max, clock_ns))
}

/// Looks at a bundle. `clock_ns` tells nanoseconds since any moment; an answer may take `answer_ns_max` of them.
pub fn inspect(folder: &Path, limits: &Limits, answer_ns_max: u64, clock_ns: &dyn Fn() -> u64) -> Finding {
    found(look(folder, &schema_for(folder), limits, answer_ns_max, clock_ns))
}

fn found(looked: Result<Sound, Refused>) -> Finding {
    match looked {
        Ok(sound) => Finding::Sound(sound),
        Err(refused) => Finding::Refused(refused),
    }
}

fn look(
    folder: &Path,
    schema: &Schema,
    limits: &Limits,
    answer_ns_max: u64,
    clock_ns: &dyn Fn() -> u64,
) -> Result<Sound, Refused> {
    let loaded = load_dir_for(folder, schema, limits)?;
    let golden = read_golden(folder, loaded.manifest.features.len())?;
    let rows: Vec<Vec<f32>> = golden.rows.into_iter().map(|row| row.features).collect();
    let compiled = &loaded.compiled;
    let file = folder.join("model.onnx");
    let timed = compiled.median_answer_ns(&rows, clock_ns);
    let answer_ns = timed.map_err(|fault| Refused::from(LoadFault::Model { file: file.clone(), fault }))?;
    if answer_ns > answer_ns_max {
        let reason = format!(
            "{}: an answer takes {answer_ns} ns, more than the {answer_ns_max} allowed; use a smaller model, or raise \
             `models.answer_max`",
            file.display()
        );
        return Err(Refused { reason, because: Because::Circumstance });
    }
    Ok(Sound {
        sha256: loaded.manifest.sha256,
        executor: compiled.executor(),
        why: compiled.reason().to_string(),
        answer_ns,
        golden_rows: rows.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_is_what_follows_the_last_semicolon() {
        let refused = Refused { reason: "a: b; c; do this".into(), because: Because::Files };
        assert_eq!(refused.parts(), ("a: b; c", "do this"));
    }

    #[test]
    fn shipped_models_pass_and_a_budget_nobody_meets_refuses_them() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/sim-1h/2");
        let ticks = std::cell::Cell::new(0);
        // Each look at this clock is 10 ns after the last.
        let clock = || {
            ticks.set(ticks.get() + 10);
            ticks.get()
        };
        let Finding::Sound(sound) = inspect(&folder, &Limits::TABULAR, 10, &clock) else { panic!("sound") };
        assert_eq!((sound.executor, sound.answer_ns, sound.golden_rows), (Executor::Dense, 10, 16));
        let Finding::Refused(refused) = inspect(&folder, &Limits::TABULAR, 9, &clock) else {
            panic!("too slow")
        };
        let (reason, remedy) = refused.parts();
        assert!(reason.contains("takes 10 ns") && remedy.contains("smaller model"), "{refused:?}");
    }
}
