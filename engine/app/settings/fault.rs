//! What is wrong with settings, all of it, with a remedy each.

use super::yaml::Place;
use std::fmt;
use std::path::{Path, PathBuf};

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub found: String,
    /// What to write instead.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, found, remedy } = self;
        write!(f, "{}:{line}:{column}: {found}\n    -> {remedy}", file.display())
    }
}

/// Every fault of a compilation, in order of file and line; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0.len();
        writeln!(f, "the settings have {n} fault{}:", if n == 1 { "" } else { "s" })?;
        for fault in &self.0 {
            writeln!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// Collects faults while compiling goes on.
#[derive(Default)]
pub(super) struct Report {
    faults: Vec<Fault>,
}

impl Report {
    pub(super) fn add(
        &mut self,
        file: &Path,
        at: Place,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let Place { line, column } = at;
        let (found, remedy) = (found.into(), remedy.into());
        self.faults.push(Fault { file: file.into(), line, column, found, remedy });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// How many there are so far.
    pub(super) fn len(&self) -> usize {
        self.faults.len()
    }

    pub(super) fn into_faults(mut self) -> Faults {
        self.faults.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        self.faults.dedup();
        Faults(self.faults)
    }
}
