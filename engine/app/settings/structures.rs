//! `structures.yaml`: leg templates, compiled into the strategy room's own types. The language is described in
//! docs/structures.md.

use super::fault::Report;
use super::record::{Page, Record, called};
use super::typed::Kind;
use super::yaml::{Node, Place, What};
use market::order::{LEGS_MAX, Side};
use market::{Label, Price, Right};
use std::path::Path;
use strategy::structures::{Days, Expiry, Holds, LegTemplate, Pick, Structure, View, Width};

pub(super) const VIEWS: &[&str] = &["bullish", "neutral", "bearish", "volatile"];
pub(super) const RIGHTS: &[&str] = &["call", "put", "stock"];
pub(super) const DELTA: Kind = Kind::Number { least: 0.001, most: 0.999, unit: "delta without sign" };
pub(super) const DOLLARS: Kind = Kind::Number { least: -10_000.0, most: 10_000.0, unit: "dollars of strike" };
pub(super) const TOLERANCE: Kind = Kind::Number { least: 0.0, most: 10_000.0, unit: "dollars of strike" };
pub(super) const PERCENT: Kind =
    Kind::Number { least: -99.0, most: 99.0, unit: "% of the underlying's price" };
pub(super) const PERCENT_OFF: Kind =
    Kind::Number { least: 0.0, most: 99.0, unit: "% of the underlying's price" };
pub(super) const MOVES: Kind = Kind::Number { least: -10.0, most: 10.0, unit: "expected moves" };
pub(super) const MOVES_OFF: Kind = Kind::Number { least: 0.01, most: 10.0, unit: "expected moves" };
pub(super) const STRIKES: Kind = Kind::Whole { least: -100, most: 100, unit: "listed strikes" };
pub(super) const DAYS: Kind = Kind::Whole { least: 0, most: 1_500, unit: "calendar days" };
pub(super) const RATIO: Kind = Kind::Whole { least: 1, most: 100, unit: "contracts a unit" };
pub(super) const REWARD: Kind = Kind::Number { least: 0.0, most: 100.0, unit: "gain over loss" };
/// Characters of a description.
pub(super) const DESCRIPTION_MAX: usize = 200;

/// Compiles the list; `None` when it cannot be used at all.
pub(super) fn compile(file: &Path, root: &Node, report: &mut Report) -> Option<Vec<Structure>> {
    let mut page = Page { file, report };
    let items = page.list(root, "structures")?;
    let mut structures: Vec<Structure> = Vec::new();
    for (i, node) in items.iter().enumerate() {
        let before = page.report.len();
        let called = called("structure", i, node);
        let Some((structure, places)) = structure(&mut page, node, called.clone()) else { continue };
        if structures.iter().any(|s| s.name == structure.name) {
            let found = format!("a second structure is called `{}`", structure.name);
            page.fault(node.at, found, "give it another name");
        }
        // What the room itself can check, unless something has been said already.
        if page.report.len() == before {
            for fault in structure.faults() {
                let place = fault.leg.and_then(|leg| places.get(leg));
                let of = fault.leg.map_or(String::new(), |leg| format!("leg {} ", leg + 1));
                page.fault(
                    *place.unwrap_or(&node.at),
                    format!("{called}: {of}{}", fault.found),
                    fault.remedy,
                );
            }
        }
        structures.push(structure);
    }
    Some(structures)
}

fn structure(page: &mut Page<'_>, node: &Node, called: String) -> Option<(Structure, Vec<Place>)> {
    let known = &["name", "description", "view", "days", "reward_min", "legs"];
    let record = page.record(node, called, known)?;
    let name = page.text(&record, "name", Kind::Name).and_then(|t| t.parse().ok());
    let description = description(page, &record);
    let view = page.text(&record, "view", Kind::Word(VIEWS)).map(|v| match &*v {
        "bullish" => View::Bullish,
        "bearish" => View::Bearish,
        "volatile" => View::Volatile,
        _ => View::Neutral,
    });
    let days = page.need(&record, "days", DAYS_REMEDY).and_then(|node| days(page, node, &record, &[]));
    let reward_min = page.number(&record, "reward_min", REWARD);
    let (legs, places) = legs(page, &record)?;
    let structure = Structure {
        name: name?,
        description: description?,
        view: view?,
        days: days?,
        reward_min: reward_min?,
        legs: legs?,
    };
    Some((structure, places))
}

fn description(page: &mut Page<'_>, record: &Record<'_>) -> Option<String> {
    let Some(node) = record.node("description") else { return Some(String::new()) };
    match &node.what {
        What::Scalar { text, .. } if text.chars().count() <= DESCRIPTION_MAX => Some(text.clone()),
        _ => {
            let found = format!("`description` of {} is not a short text", record.called);
            page.fault(node.at, found, format!("write one line of at most {DESCRIPTION_MAX} characters"));
            None
        }
    }
}

const DAYS_REMEDY: &str = "write {target: 35, tolerance: 10} or {min: 25, target: 38, max: 60}";

/// Days as `{min, target, max}` or `{target, tolerance}`; `more` keys are for the caller.
fn days(page: &mut Page<'_>, node: &Node, record: &Record<'_>, more: &[&'static str]) -> Option<Days> {
    let known = [&["min", "target", "max", "tolerance"], more].concat();
    let days = page.record(node, format!("`days` of {}", record.called), &known)?;
    if let Some(tolerance) = days.node("tolerance") {
        if let Some(at) = days.node("min").or(days.node("max")) {
            let found = format!("`days` of {} gives a tolerance and bounds", record.called);
            page.fault(at.at, found, DAYS_REMEDY);
            return None;
        }
        let (target, off) = (page.number(&days, "target", DAYS), page.number(&days, "tolerance", DAYS));
        let (target, off) = (target? as i32, off? as i32);
        if off > target {
            let found =
                format!("`tolerance` of `days` of {} is {off}, more than the target {target}", record.called);
            page.fault(tolerance.at, found, "keep it at or below the target");
            return None;
        }
        return Some(Days { min: target - off, target, max: target + off });
    }
    let mut number = |key| page.number(&days, key, DAYS).map(|n| n as i32);
    let (min, target, max) = (number("min"), number("target"), number("max"));
    Some(Days { min: min?, target: target?, max: max? })
}

type Legs = (Option<Vec<LegTemplate>>, Vec<Place>);

/// The legs, and where each stands.
fn legs(page: &mut Page<'_>, record: &Record<'_>) -> Option<Legs> {
    let node = page.need(record, "legs", "write a list of legs")?;
    let What::List(items) = &node.what else {
        let found = format!("`legs` of {} is {}", record.called, node.kind());
        page.fault(node.at, found, "write a list of legs");
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
    Some((read.into_iter().collect(), items.iter().map(|item| item.at).collect()))
}

fn leg(page: &mut Page<'_>, node: &Node, called: String) -> Option<LegTemplate> {
    let record = page.record(node, called, &["name", "side", "right", "ratio", "days", "pick"])?;
    let name = page.text(&record, "name", Kind::Name).and_then(|t| t.parse::<Label>().ok());
    let side = page.text(&record, "side", Kind::Word(&["buy", "sell"]));
    let right = page.text(&record, "right", Kind::Word(RIGHTS));
    let ratio = match record.node("ratio") {
        Some(_) => page.number(&record, "ratio", RATIO).map(|n| n as u32),
        None => Some(1),
    };
    let holds = match right.as_deref() {
        Some("stock") => shares(page, &record),
        other => {
            let (expiry, pick) = (expiry(page, &record), pick(page, &record));
            let right = if other == Some("call") { Right::Call } else { Right::Put };
            expiry.zip(pick).map(|(expiry, pick)| Holds::Option { right, expiry, pick })
        }
    };
    let side = if side? == "buy" { Side::Buy } else { Side::Sell };
    right?;
    Some(LegTemplate { name: name?, side, ratio: ratio?, holds: holds? })
}

/// Shares have no expiry and no strike.
fn shares(page: &mut Page<'_>, leg: &Record<'_>) -> Option<Holds> {
    let mut good = true;
    for key in ["days", "pick"] {
        if let Some(node) = leg.node(key) {
            page.fault(
                node.at,
                format!("{} is stock and has `{key}`", leg.called),
                format!("leave `{key}` out"),
            );
            good = false;
        }
    }
    good.then_some(Holds::Shares)
}

fn expiry(page: &mut Page<'_>, leg: &Record<'_>) -> Option<Expiry> {
    let Some(node) = leg.node("days") else { return Some(Expiry::Shared) };
    let given = |key: &str| match &node.what {
        What::Map(pairs) => pairs.iter().any(|(k, _)| k.name == key),
        _ => false,
    };
    let name = |page: &mut Page<'_>, record: &Record<'_>, key| {
        page.text(record, key, Kind::Name).and_then(|t| t.parse().ok())
    };
    let called = format!("`days` of {}", leg.called);
    if given("same") {
        let record = page.record(node, called, &["same"])?;
        return name(page, &record, "same").map(Expiry::Same);
    }
    let days = days(page, node, leg, &["after"])?;
    if !given("after") {
        return Some(Expiry::Own(days));
    }
    let record = page.record(node, called, &["min", "target", "max", "tolerance", "after"])?;
    name(page, &record, "after").map(|leg| Expiry::After { leg, days })
}

const WAYS: [&str; 5] = ["delta", "moneyness", "moves", "width", "same_strike"];
const PICK_REMEDY: &str = "write one of {delta: {target: 0.25, tolerance: 0.1}}, {moneyness: {percent: 5, tolerance: 1}}, \
    {moves: {out: 1, tolerance: 0.25}}, {width: {from: LEG, dollars: -5, tolerance: 1}}, {same_strike: LEG}";

fn pick(page: &mut Page<'_>, leg: &Record<'_>) -> Option<Pick> {
    let node = page.need(leg, "pick", PICK_REMEDY)?;
    let way = page.record(node, format!("`pick` of {}", leg.called), &WAYS)?;
    let mut given = WAYS.iter().filter_map(|key| way.node(key).map(|node| (*key, node)));
    let (Some((key, inner)), None) = (given.next(), given.next()) else {
        page.fault(node.at, format!("`pick` of {} needs one way", leg.called), PICK_REMEDY);
        return None;
    };
    let called = format!("`{key}` of {}", leg.called);
    match key {
        "delta" => {
            let [target, tolerance] = pair(page, inner, called, [("target", DELTA), ("tolerance", DELTA)])?;
            Some(Pick::Delta { target, tolerance })
        }
        "moneyness" => {
            let keys = [("percent", PERCENT), ("tolerance", PERCENT_OFF)];
            let [percent, tolerance] = pair(page, inner, called, keys)?;
            Some(Pick::Moneyness { percent, tolerance })
        }
        "moves" => {
            let [out, tolerance] = pair(page, inner, called, [("out", MOVES), ("tolerance", MOVES_OFF)])?;
            Some(Pick::Moves { out, tolerance })
        }
        "same_strike" => {
            let from = page.text(&way, "same_strike", Kind::Name)?;
            from.parse().ok().map(Pick::SameStrike)
        }
        _ => width(page, inner, called),
    }
}

/// Two numbers that must both be there.
fn pair(
    page: &mut Page<'_>,
    node: &Node,
    called: String,
    keys: [(&'static str, Kind); 2],
) -> Option<[f64; 2]> {
    let record = page.record(node, called, &keys.map(|(key, _)| key))?;
    let [first, second] = keys.map(|(key, kind)| page.number(&record, key, kind));
    Some([first?, second?])
}

const WIDTH_REMEDY: &str =
    "write from: LEG and one of dollars: -5 (tolerance: 1), percent: 2 (tolerance: 0.5), strikes: 3";

fn width(page: &mut Page<'_>, node: &Node, called: String) -> Option<Pick> {
    let width = page.record(node, called.clone(), &["from", "dollars", "percent", "strikes", "tolerance"])?;
    let from = page.text(&width, "from", Kind::Name).and_then(|t| t.parse().ok());
    let units = ["dollars", "percent", "strikes"];
    let mut given = units.iter().filter(|key| width.node(key).is_some());
    let (Some(unit), None) = (given.next(), given.next()) else {
        page.fault(node.at, format!("{called} needs one distance"), WIDTH_REMEDY);
        return None;
    };
    let by = match *unit {
        "dollars" => {
            let dollars = page.number(&width, "dollars", DOLLARS).and_then(Price::nearest);
            let tolerance = page.number(&width, "tolerance", TOLERANCE).and_then(Price::nearest);
            Some(Width::Dollars { dollars: dollars?, tolerance: tolerance? })
        }
        "percent" => {
            let percent = page.number(&width, "percent", PERCENT);
            let tolerance = page.number(&width, "tolerance", PERCENT_OFF);
            Some(Width::Percent { percent: percent?, tolerance: tolerance? })
        }
        _ => {
            if let Some(tolerance) = width.node("tolerance") {
                let found = format!("{called} counts strikes and has a tolerance");
                page.fault(tolerance.at, found, "leave `tolerance` out: so many strikes are exact");
            }
            page.number(&width, "strikes", STRIKES).map(|n| Width::Strikes(n as i32))
        }
    };
    Some(Pick::Width { from: from?, by: by? })
}
