//! `wingspread schema`: the JSON Schemas of the settings file and of the structures.

use crate::cli::{Schema, SchemaOf};
use crate::settings;
use anyhow::Context;
use std::process::ExitCode;

/// Prints the schema asked for.
///
/// # Errors
/// When it cannot be printed.
pub fn run(asked: &Schema) -> anyhow::Result<ExitCode> {
    let schema = match asked.of {
        SchemaOf::Settings => settings::schema(),
        SchemaOf::Structures => settings::structures_schema(),
    };
    let text = serde_json::to_string_pretty(&schema).context("the schema cannot be written as JSON")?;
    super::print(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}
