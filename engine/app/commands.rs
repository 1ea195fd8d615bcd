//! The commands besides running: one file each, all reading settings and journal, none of them trading.

pub mod chain;
pub mod check;
pub mod features;
pub mod journal;
pub mod latency;
pub mod models;
pub mod rerun;
pub mod schema;
pub mod scores;
pub mod structure;
pub mod tell;
pub mod train;
pub mod vet_model;
pub mod warmup;

use crate::{cli, run};
use anyhow::Context;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

/// The folder of journal and control socket: as typed, else from the settings. Typed, it works without settings.
fn folder(options: &cli::Run) -> anyhow::Result<PathBuf> {
    match &options.journal {
        Some(folder) => Ok(folder.clone()),
        None => Ok(run::settings(options)
            .context("the journal's folder is read from the settings (or name it with --journal)")?
            .journal_folder),
    }
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no error.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(e).context("cannot write to the standard output"),
        _ => Ok(()),
    }
}
