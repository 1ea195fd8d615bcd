//! The program: command line, settings, checks and the wiring of rooms.

pub mod adaptive;
pub mod cli;
pub mod commands;
pub mod confine;
pub mod place;
pub mod replay;
pub mod report;
pub mod run;
pub mod seats;
pub mod settings;
pub mod venue_alone;
pub mod wire;

use cli::Command;
use std::process::ExitCode;

/// Does what was typed.
///
/// # Errors
/// Whatever kept it from being done, for people to read.
pub fn dispatch(cli: cli::Cli) -> anyhow::Result<ExitCode> {
    let run = &cli.run;
    match &cli.command {
        None => run::plain(run),
        Some(Command::Paper(paper)) => run::paper(paper),
        Some(Command::Replay(args)) => replay::run(args),
        Some(Command::Train(args)) => commands::train::run(args, run),
        Some(Command::Features(args)) => commands::features::run(args),
        Some(Command::Warmup(args)) => commands::warmup::run(args),
        Some(Command::Journal(args)) => commands::journal::run(args, run),
        Some(Command::Scores(args)) => commands::scores::run(args, run),
        Some(Command::Latency(args)) => commands::latency::run(args, run),
        Some(Command::Rerun(args)) => commands::rerun::run(args, run),
        Some(Command::Tell(args)) => commands::tell::run(args, run),
        Some(Command::Chain(args)) => commands::chain::run(args, run),
        Some(Command::Structure(args)) => commands::structure::run(args, run),
        Some(Command::Schema(asked)) => commands::schema::run(asked),
        Some(Command::Models(args)) => commands::models::run(args, run),
        Some(Command::VetModel(args)) => commands::vet_model::run(args),
        Some(Command::Check(args)) => commands::check::run(args, run),
        Some(Command::Venue(args)) => venue_alone::serve(args, run),
    }
}
