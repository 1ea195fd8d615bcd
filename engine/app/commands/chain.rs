//! `wingspread chain`: every contract of a chain with its quote, volatility and Greeks, and what the chain says as a whole;
//! from the running engine or from recorded data, as a table and as a picture.

mod picture;
mod words;

use super::structure::source::{self, Scene};
use crate::{cli, run};
use anyhow::{Context, bail};
use market::{Date, Right};
use pricing::chain::Expiry;
use pricing::surface::Slice;
use std::process::ExitCode;

/// Prints a chain.
///
/// # Errors
/// What is not known, not there or cannot be read, with the remedy.
pub fn run(args: &cli::Chain, options: &cli::Run) -> anyhow::Result<ExitCode> {
    let settings = run::settings(options)?;
    let symbol = super::features::parse_symbol(&args.symbol)?;
    let scene = match &args.data {
        Some(file) => source::recorded(file, symbol, &args.into(), &settings)?,
        None => source::live(symbol, options, &settings)?,
    };
    let chosen = chosen(&scene, args)?;
    super::print(&words::page(&scene, &chosen, args))?;
    if let Some(file) = &args.svg {
        let svg = picture::draw(&scene, &chosen).map_err(anyhow::Error::msg);
        let svg = svg.context("the picture cannot be drawn")?;
        std::fs::write(file, svg)
            .with_context(|| format!("{}: cannot be written; name another file", file.display()))?;
        super::print(&format!("picture: {}\n", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The expiries asked for, by their places in the chain.
fn chosen(scene: &Scene, args: &cli::Chain) -> anyhow::Result<Vec<usize>> {
    let expiries = scene.chain.expiry_terms();
    if expiries.is_empty() {
        bail!("{}: no option of {} is known", scene.from, scene.symbol);
    }
    let list = || expiries.iter().map(|e| e.date.to_string()).collect::<Vec<_>>().join(", ");
    let place = |text: &String| {
        let date: Date = text.parse().map_err(|_| {
            anyhow::anyhow!("`{text}` is no date: write --expiry YYYY-MM-DD; there are {}", list())
        })?;
        let found = expiries.iter().position(|e| e.date == date);
        found.with_context(|| format!("{} has no expiry {date}; there are {}", scene.symbol, list()))
    };
    if args.expiry.is_empty() {
        return Ok((0..expiries.len()).collect());
    }
    args.expiry.iter().map(place).collect()
}

/// The fitted smile of an expiry.
fn slice_of<'s>(scene: &'s Scene, expiry: &Expiry) -> Option<&'s Slice> {
    let minute = 1.0 / (365.0 * 24.0 * 60.0);
    scene.surface.slices().iter().find(|s| (s.terms.years - expiry.terms.years).abs() < minute)
}

/// Rows of call and put of each strike of an expiry.
fn pairs(scene: &Scene, expiry: &Expiry) -> Vec<(u32, [Option<usize>; 2])> {
    let mut found: Vec<(u32, [Option<usize>; 2])> = Vec::new();
    for right in [Right::Call, Right::Put] {
        for row in expiry.rows_of(right) {
            let strike = scene.chain.listed()[row].contract.strike_mils;
            let at = found.binary_search_by_key(&strike, |(held, _)| *held).unwrap_or_else(|at| {
                found.insert(at, (strike, [None; 2]));
                at
            });
            found[at].1[right as usize] = Some(row);
        }
    }
    found
}

#[cfg(test)]
mod tests;
