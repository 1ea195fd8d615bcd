//! `wingspread latency`: the running engine's histograms, as a table and as .hgrm files.

use super::tell::verdict;
use crate::cli;
use anyhow::Context;
use std::process::ExitCode;

/// Prints the table; with `--export` writes the files first.
///
/// # Errors
/// When no engine listens, or the folder cannot be made.
pub fn run(args: &cli::Latency, options: &cli::Run) -> anyhow::Result<ExitCode> {
    let engine = super::folder(options)?;
    let mut written = None;
    if let Some(folder) = &args.export {
        let cannot = || format!("{}: cannot make the folder; name another with --export", folder.display());
        std::fs::create_dir_all(folder).with_context(cannot)?;
        // The engine was started elsewhere: it needs the whole path.
        let whole = folder.canonicalize().with_context(cannot)?;
        anyhow::ensure!(
            !whole.to_string_lossy().contains('\n'),
            "{}: a folder with a line break in its name cannot be told to the engine; name another",
            folder.display()
        );
        written = Some(live::control::ask(&engine, &format!("export {}", whole.display()))?);
    }
    let table = live::control::ask(&engine, "latency")?;
    super::print(&table)?;
    if let Some(answer) = written {
        super::print(&answer)?;
        return Ok(verdict(&answer));
    }
    Ok(verdict(&table))
}
