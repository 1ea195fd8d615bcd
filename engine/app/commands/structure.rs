//! `wingspread structure`: what a structure would pick, and all that can be said of it; or the list of structures.

mod look;
mod picture;
pub(super) mod source;
pub(super) mod words;

use crate::settings::{Settings, nearest};
use crate::{cli, run};
use anyhow::{Context, bail};
use std::process::ExitCode;
use strategy::Structure;

/// Lists the structures, or shows candidates of one.
///
/// # Errors
/// What is not known, not there or cannot be read, with the remedy.
pub fn run(args: &cli::Structure, options: &cli::Run) -> anyhow::Result<ExitCode> {
    let settings = run::settings(options)?;
    let Some(name) = &args.name else {
        super::print(&words::list(&settings))?;
        return Ok(ExitCode::SUCCESS);
    };
    let structure = named(name, &settings)?;
    let Some(symbol) = &args.symbol else {
        bail!("`{name}` of which symbol? Write `wingspread structure {name} SPY`");
    };
    let symbol = super::features::parse_symbol(symbol)?;
    let scene = match &args.data {
        Some(file) => source::recorded(file, symbol, &args.into(), &settings)?,
        None => source::live(symbol, options, &settings)?,
    };
    let seen = look::at(structure, &scene, args);
    super::print(&words::page(structure, &scene, &seen, args))?;
    let Some(first) = seen.iter().find_map(|s| s.candidate.as_ref().ok()) else {
        return Ok(ExitCode::FAILURE);
    };
    if let Some(file) = &args.svg {
        let svg = picture::draw(structure, &scene, first).map_err(anyhow::Error::msg);
        let svg = svg.context("the picture cannot be drawn")?;
        std::fs::write(file, svg)
            .with_context(|| format!("{}: cannot be written; name another file", file.display()))?;
        super::print(&format!("picture: {}\n", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The structure of that name.
fn named<'s>(name: &str, settings: &'s Settings) -> anyhow::Result<&'s Structure> {
    let known = || settings.structures.iter().map(|s| s.name.as_str());
    if let Some(found) = settings.structures.iter().find(|s| s.name.as_str() == name) {
        return Ok(found);
    }
    match nearest(name, known()) {
        Some(near) => {
            bail!("no structure is called `{name}`: did you mean `{near}`? `wingspread structure` lists all")
        }
        None => {
            let all: Vec<&str> = known().collect();
            bail!("no structure is called `{name}`; there are: {}", all.join(", "))
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
