//! Settings: YAML as typed in, compiled in one step into plain structs, or refused with every fault at once: file,
//! line, column, what is wrong, what to write instead.
//!
//! [`table`] declares every setting; parsing, defaults, the JSON Schema for editors ([`schema`]) and
//! `docs/configuration.md` ([`document`]) are made from it. Lists of things have files of their own: [`structures`],
//! [`ensembles`] and [`fees`], read with [`record`]. Keys of the broker come from the environment, never from a
//! file.

mod compiled;
mod document;
mod ensembles;
mod fault;
mod fees;
mod record;
mod schema;
mod spelling;
mod structures;
mod table;
mod typed;
mod values;
mod yaml;

pub use compiled::{Endpoint, Endpoints, EngineSettings, Feed, Fills, Models, Settings, Training, Venue};
pub use document::document;
pub use fault::{Fault, Faults};
pub use schema::{schema, structures_schema};
pub use spelling::nearest;

use fault::Report;
use std::path::{Path, PathBuf};

/// Reads and compiles the settings file and the files it names.
///
/// # Errors
/// Every fault found in any of the files.
pub fn load(file: &Path) -> Result<Settings, Faults> {
    compile(file, &|path: &Path| std::fs::read_to_string(path))
}

/// As [`load`], with files read by `read`.
///
/// # Errors
/// Every fault found in any of the files.
pub fn compile(file: &Path, read: &dyn Fn(&Path) -> std::io::Result<String>) -> Result<Settings, Faults> {
    let mut report = Report::default();
    let text = text_of(file, read, &mut report);
    let node = text.and_then(|text| yaml::parse(file, &text, &mut report));
    let Some(node) = node else { return Err(report.into_faults()) };
    let values = values::Values::read(file, &node, &mut report);
    let beside =
        |key: &'static str| -> PathBuf { file.parent().unwrap_or(Path::new("")).join(values.folder(key)) };
    let lists = compiled::Lists {
        structures: list(&beside("files.structures"), read, &mut report, structures::compile),
        ensembles: list(&beside("files.ensembles"), read, &mut report, ensembles::compile),
        fees: list(&beside("files.fees"), read, &mut report, fees::compile),
    };
    let settings = compiled::assemble(&values, lists, &mut report);
    match settings {
        Some(settings) if report.is_empty() => Ok(settings),
        _ => Err(report.into_faults()),
    }
}

/// Compiles a list from its own file; `None` when it has faults.
fn list<T>(
    path: &Path,
    read: &dyn Fn(&Path) -> std::io::Result<String>,
    report: &mut Report,
    compile: impl Fn(&Path, &yaml::Node, &mut Report) -> Option<T>,
) -> Option<T> {
    let before = report.len();
    let text = text_of(path, read, report)?;
    let node = yaml::parse(path, &text, report)?;
    compile(path, &node, report).filter(|_| report.len() == before)
}

fn text_of(
    path: &Path,
    read: &dyn Fn(&Path) -> std::io::Result<String>,
    report: &mut Report,
) -> Option<String> {
    match read(path) {
        Ok(text) => Some(text),
        Err(error) => {
            let found = format!("cannot be read: {error}");
            let remedy = "give the file, or name another one (`--config FILE`, or `files` in the settings)";
            report.add(path, yaml::Place::START, found, remedy);
            None
        }
    }
}

#[cfg(test)]
mod tests;
