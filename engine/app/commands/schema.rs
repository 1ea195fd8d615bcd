//! `wingspread schema`: the JSON Schema of the settings file.

use crate::settings;
use anyhow::Context;
use std::process::ExitCode;

/// Prints the schema.
///
/// # Errors
/// When it cannot be printed.
pub fn run() -> anyhow::Result<ExitCode> {
    let text =
        serde_json::to_string_pretty(&settings::schema()).context("the schema cannot be written as JSON")?;
    super::print(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}
