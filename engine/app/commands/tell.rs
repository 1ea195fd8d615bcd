//! `wingspread tell`: a word to the running engine, over its control socket.

use crate::cli;
use std::process::ExitCode;

/// Tells it and prints what it answers.
///
/// # Errors
/// When no engine listens, with the remedy.
pub fn run(args: &cli::Tell, options: &cli::Run) -> anyhow::Result<ExitCode> {
    let answer = live::control::ask(&super::folder(options)?, &args.what)?;
    super::print(&answer)?;
    Ok(verdict(&answer))
}

/// The engine answers in words; those it could not act on begin with `error:`.
pub(super) fn verdict(answer: &str) -> ExitCode {
    if answer.is_empty() || answer.starts_with("error:") { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_failure() {
        let same = |a: ExitCode, b: ExitCode| format!("{a:?}") == format!("{b:?}");
        assert!(same(verdict("paused: no new risk, exits go on\n"), ExitCode::SUCCESS));
        assert!(same(verdict("error: `x` is not known here\n"), ExitCode::FAILURE));
        assert!(same(verdict(""), ExitCode::FAILURE), "it hung up");
    }

    #[test]
    fn where_no_engine_runs_the_remedy_is_said() {
        let folder = tempfile::tempdir().expect("folder");
        let options = cli::Run { journal: Some(folder.path().into()), ..cli::Run::default() };
        let said = run(&cli::Tell { what: "status".into() }, &options).expect_err("nobody").to_string();
        assert!(said.contains("no engine answers") && said.contains("--journal"), "{said}");
    }
}
