//! The program: command line, settings, checks and the wiring of rooms.

pub mod cli;
pub mod place;
pub mod report;
pub mod run;
pub mod seats;
pub mod settings;
pub mod wire;

use std::process::ExitCode;

/// Does what was typed.
///
/// # Errors
/// Whatever kept it from being done, for people to read.
pub fn dispatch(cli: cli::Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        None => run::plain(&cli.run),
        Some(cli::Command::Paper(run)) => run::paper(&run),
        Some(_) => anyhow::bail!("not wired yet"),
    }
}
