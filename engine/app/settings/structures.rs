//! `structures.yaml`: leg templates, compiled into the strategy room's own types.

use super::fault::Report;
use super::record::{Page, Record, called};
use super::typed::Kind;
use super::yaml::{Node, What};
use market::order::{LEGS_MAX, Side};
use market::{Label, Price, Right};
use std::path::Path;
use strategy::structures::{Days, LegTemplate, Pick, Structure, View};

const DELTA: Kind = Kind::Number { least: 0.001, most: 0.999, unit: "delta without sign" };
const DOLLARS: Kind = Kind::Number { least: -10_000.0, most: 10_000.0, unit: "dollars of strike" };
const TOLERANCE: Kind = Kind::Number { least: 0.0, most: 10_000.0, unit: "dollars of strike" };
const DAYS: Kind = Kind::Number { least: 0.0, most: 1_500.0, unit: "calendar days" };
const RATIO: Kind = Kind::Number { least: 1.0, most: 100.0, unit: "contracts a unit" };
const REWARD: Kind = Kind::Number { least: 0.0, most: 100.0, unit: "gain over loss" };

/// Compiles the list; `None` when it cannot be used at all.
pub(super) fn compile(file: &Path, root: &Node, report: &mut Report) -> Option<Vec<Structure>> {
    let mut page = Page { file, report };
    let items = page.list(root, "structures")?;
    let mut structures: Vec<Structure> = Vec::new();
    for (i, node) in items.iter().enumerate() {
        let before = page.report.len();
        let Some(structure) = structure(&mut page, node, called("structure", i, node)) else { continue };
        if structures.iter().any(|s| s.name == structure.name) {
            page.fault(
                node.at,
                format!("a second structure is called `{}`", structure.name),
                "give it another name",
            );
        }
        // What the room itself can check, unless something has been said already.
        if let (Err(fault), true) = (structure.check(), page.report.len() == before) {
            page.fault(node.at, format!("structure `{}`: {}", fault.structure, fault.found), fault.remedy);
        }
        structures.push(structure);
    }
    Some(structures)
}

fn structure(page: &mut Page<'_>, node: &Node, called: String) -> Option<Structure> {
    let record = page.record(node, called, &["name", "view", "days", "reward_min", "legs"])?;
    let name = page.text(&record, "name", Kind::Name).and_then(|t| t.parse().ok());
    let view =
        page.text(&record, "view", Kind::Word(&["bullish", "neutral", "bearish"])).map(|v| match &*v {
            "bullish" => View::Bullish,
            "bearish" => View::Bearish,
            _ => View::Neutral,
        });
    let days = days(page, &record);
    let reward_min = page.number(&record, "reward_min", REWARD);
    let legs = legs(page, &record);
    Some(Structure { name: name?, view: view?, days: days?, reward_min: reward_min?, legs: legs? })
}

fn days(page: &mut Page<'_>, record: &Record<'_>) -> Option<Days> {
    let node = page.need(record, "days", "write {min: 20, target: 32, max: 50}")?;
    let days = page.record(node, format!("`days` of {}", record.called), &["min", "target", "max"])?;
    let mut number = |key| page.number(&days, key, DAYS).map(|n| n as i32);
    let (min, target, max) = (number("min"), number("target"), number("max"));
    Some(Days { min: min?, target: target?, max: max? })
}

fn legs(page: &mut Page<'_>, record: &Record<'_>) -> Option<Vec<LegTemplate>> {
    let node = page.need(record, "legs", "write a list of legs")?;
    let What::List(items) = &node.what else {
        page.fault(
            node.at,
            format!("`legs` of {} is {}", record.called, node.kind()),
            "write a list of legs",
        );
        return None;
    };
    if items.is_empty() || items.len() > LEGS_MAX {
        let found = format!("{} has {} legs", record.called, items.len());
        page.fault(node.at, found, format!("a structure has 1 to {LEGS_MAX} legs"));
    }
    let read: Vec<Option<LegTemplate>> = items
        .iter()
        .enumerate()
        .map(|(i, node)| leg(page, node, format!("{} of {}", called("leg", i, node), record.called)))
        .collect();
    read.into_iter().collect()
}

fn leg(page: &mut Page<'_>, node: &Node, called: String) -> Option<LegTemplate> {
    let record = page.record(node, called, &["name", "side", "right", "ratio", "pick"])?;
    let name = page.text(&record, "name", Kind::Name).and_then(|t| t.parse::<Label>().ok());
    let side = page.text(&record, "side", Kind::Word(&["buy", "sell"]));
    let right = page.text(&record, "right", Kind::Word(&["call", "put"]));
    let ratio = match record.node("ratio") {
        Some(_) => page.number(&record, "ratio", RATIO).map(|n| n as u32),
        None => Some(1),
    };
    let pick = pick(page, &record);
    Some(LegTemplate {
        name: name?,
        side: if side? == "buy" { Side::Buy } else { Side::Sell },
        right: if right? == "call" { Right::Call } else { Right::Put },
        ratio: ratio?,
        pick: pick?,
    })
}

fn pick(page: &mut Page<'_>, leg: &Record<'_>) -> Option<Pick> {
    let remedy =
        "write {delta: {target: 0.25, tolerance: 0.1}} or {width: {from: LEG, dollars: -5, tolerance: 1}}";
    let node = page.need(leg, "pick", remedy)?;
    let called = format!("`pick` of {}", leg.called);
    let way = page.record(node, called, &["delta", "width"])?;
    match (way.node("delta"), way.node("width")) {
        (Some(node), None) => {
            let delta = page.record(node, format!("`delta` of {}", leg.called), &["target", "tolerance"])?;
            let target = page.number(&delta, "target", DELTA);
            let tolerance = page.number(&delta, "tolerance", DELTA);
            Some(Pick::Delta { target: target?, tolerance: tolerance? })
        }
        (None, Some(node)) => {
            let called = format!("`width` of {}", leg.called);
            let width = page.record(node, called, &["from", "dollars", "tolerance"])?;
            let from = page.text(&width, "from", Kind::Name).and_then(|t| t.parse().ok());
            let dollars = page.number(&width, "dollars", DOLLARS).and_then(Price::nearest);
            let tolerance = page.number(&width, "tolerance", TOLERANCE).and_then(Price::nearest);
            Some(Pick::Width { from: from?, dollars: dollars?, tolerance: tolerance? })
        }
        _ => {
            page.fault(node.at, format!("`pick` of {} needs one way", leg.called), remedy);
            None
        }
    }
}
