//! `ensembles.yaml`: which models speak, with what weight, and how their odds are combined.

use super::fault::Report;
use super::record::{Page, Record, called};
use super::typed::{self, Kind, Value};
use super::yaml::{Node, What};
use forecast::Calibration;
use forecast::ensemble::{Below, Ensemble, Member, Role, Rule};
use market::Label;
use market::quote::Timeframe;
use market::time::{HOUR, MS, SECOND, US};
use std::path::Path;

const WEIGHT: Kind = Kind::Number { least: 0.0, most: 1_000.0, unit: "weight" };
const QUORUM: Kind = Kind::Number { least: 0.001, most: 1.0, unit: "share of the weight, above 0 to 1" };
const HOLD: Kind = Kind::Span { least: SECOND, most: 24 * HOUR };
const BUDGET: Kind = Kind::Span { least: US, most: SECOND };
const EVERY: Kind = Kind::Span { least: MS, most: 24 * HOUR };
const STALE: Kind = Kind::Span { least: MS, most: 7 * 24 * HOUR };
const SYMBOLS: Kind = Kind::Symbols { most: 1_000 };
const CURVE: Kind = Kind::Number { least: -1e6, most: 1e6, unit: "number of a curve" };

/// The keys of `weights`: the names of the timeframes.
const TIMEFRAMES: [&str; Timeframe::COUNT] =
    ["1min", "5min", "15min", "30min", "1h", "4h", "1day", "1week", "1month", "1year"];

/// Compiles the list; `None` when it cannot be used at all.
pub(super) fn compile(file: &Path, root: &Node, report: &mut Report) -> Option<Vec<Ensemble>> {
    let mut page = Page { file, report };
    let items = page.list(root, "ensembles")?;
    let mut ensembles: Vec<Ensemble> = Vec::new();
    for (i, node) in items.iter().enumerate() {
        let before = page.report.len();
        let Some(ensemble) = ensemble(&mut page, node, called("ensemble", i, node)) else { continue };
        if ensembles.iter().any(|e| e.name == ensemble.name) {
            page.fault(
                node.at,
                format!("a second ensemble is called `{}`", ensemble.name),
                "give it another name",
            );
        }
        if let (Err(fault), true) = (ensemble.check(), page.report.len() == before) {
            page.fault(node.at, fault.to_string(), "docs/ensembles.md shows each with an example");
        }
        ensembles.push(ensemble);
    }
    Some(ensembles)
}

const KEYS: [&str; 11] = [
    "name",
    "rule",
    "quorum",
    "below",
    "hold_for",
    "weights",
    "members",
    "calibration",
    "stack",
    "symbols",
    "structures",
];
const RULES: [(&str, Rule); 5] = [
    ("weighted_mean", Rule::WeightedMean),
    ("mean_of_logits", Rule::MeanOfLogits),
    ("by_skill", Rule::BySkill),
    ("majority", Rule::Majority),
    ("stacked", Rule::Stacked),
];

fn ensemble(page: &mut Page<'_>, node: &Node, called: String) -> Option<Ensemble> {
    let record = page.record(node, called, &KEYS)?;
    let name = page.text(&record, "name", Kind::Name).and_then(|t| t.parse().ok());
    let words = const { &[RULES[0].0, RULES[1].0, RULES[2].0, RULES[3].0, RULES[4].0] };
    let rule = page.text(&record, "rule", Kind::Word(words));
    let rule = rule.and_then(|word| RULES.into_iter().find(|(name, _)| *name == word)).map(|(_, rule)| rule);
    let quorum = page.number(&record, "quorum", QUORUM);
    let below = below(page, &record);
    let weights = weights(page, &record);
    let members = members(page, &record);
    let calibration = calibration(page, &record);
    let stack = optional(page, &record, "stack", Kind::Name, |value| match value {
        Value::Text(text) => text.parse::<Label>().ok(),
        _ => None,
    });
    let symbols = optional(page, &record, "symbols", SYMBOLS, |value| match value {
        Value::Symbols(symbols) => Some(symbols),
        _ => None,
    });
    let structures = optional(page, &record, "structures", Kind::Names, |value| match value {
        Value::Names(names) => Some(names),
        _ => None,
    });
    Some(Ensemble {
        name: name?,
        rule: rule?,
        quorum: quorum? as f32,
        below: below?,
        weights: weights?,
        members: members?,
        calibration: calibration?,
        stack: stack?,
        symbols: symbols?.unwrap_or_default(),
        structures: structures?.unwrap_or_default(),
    })
}

/// A value that may be left out, taken out of its kind; `None` when it is wrong.
fn optional<T>(
    page: &mut Page<'_>,
    record: &Record<'_>,
    key: &'static str,
    kind: Kind,
    take: impl Fn(Value) -> Option<T>,
) -> Option<Option<T>> {
    Some(page.optional(record, key, kind)?.and_then(take))
}

fn span(page: &mut Page<'_>, record: &Record<'_>, key: &'static str, kind: Kind) -> Option<Option<i64>> {
    optional(page, record, key, kind, |value| match value {
        Value::Whole(ns) => Some(ns),
        _ => None,
    })
}

/// What happens below the quorum: nothing is said, unless the file says otherwise.
fn below(page: &mut Page<'_>, record: &Record<'_>) -> Option<Below> {
    let words = Kind::Word(&["no_forecast", "hold", "degrade"]);
    let word = optional(page, record, "below", words, |value| match value {
        Value::Text(word) => Some(word),
        _ => None,
    })?;
    let hold_for = span(page, record, "hold_for", HOLD)?;
    match (word.as_deref(), hold_for) {
        (Some("hold"), Some(ns)) => Some(Below::Hold(ns)),
        (Some("hold"), None) => {
            let found = format!("{} holds its last forecast for no time", record.called);
            page.fault(record.at, found, "write `hold_for`, such as 1m");
            None
        }
        (_, Some(_)) => {
            let found = format!("{} has `hold_for` but does not hold", record.called);
            page.fault(record.at, found, "write `below: hold`, or remove it");
            None
        }
        (Some("degrade"), None) => Some(Below::Degrade),
        (_, None) => Some(Below::Nothing),
    }
}

/// What is asked of single members; one left out is a voice that is asked on every tick.
fn members(page: &mut Page<'_>, record: &Record<'_>) -> Option<[Member; Timeframe::COUNT]> {
    let mut members = [Member::VOICE; Timeframe::COUNT];
    let Some(node) = record.node("members") else { return Some(members) };
    let given = page.record(node, format!("`members` of {}", record.called), &TIMEFRAMES)?;
    let mut sound = true;
    for (slot, key) in members.iter_mut().zip(TIMEFRAMES) {
        if let Some(node) = given.node(key) {
            match member(page, node, format!("`{key}` of {}", given.called)) {
                Some(member) => *slot = member,
                None => sound = false,
            }
        }
    }
    sound.then_some(members)
}

fn member(page: &mut Page<'_>, node: &Node, called: String) -> Option<Member> {
    let record = page.record(node, called, &["role", "budget", "every", "stale_after"])?;
    let role =
        optional(
            page,
            &record,
            "role",
            Kind::Word(&["voice", "required", "observer"]),
            |value| match value {
                Value::Text(word) if word == "required" => Some(Role::Required),
                Value::Text(word) if word == "observer" => Some(Role::Observer),
                _ => Some(Role::Voice),
            },
        );
    let budget_ns = span(page, &record, "budget", BUDGET);
    let every_ns = span(page, &record, "every", EVERY);
    let stale_ns = span(page, &record, "stale_after", STALE);
    Some(Member {
        role: role?.unwrap_or(Role::Voice),
        budget_ns: budget_ns?,
        every_ns: every_ns?.unwrap_or(0),
        stale_ns: stale_ns?,
    })
}

/// The combined odds' own calibration, as manifests write it.
fn calibration(page: &mut Page<'_>, record: &Record<'_>) -> Option<Option<Calibration>> {
    let Some(node) = record.node("calibration") else { return Some(None) };
    let called = format!("`calibration` of {}", record.called);
    let curve = page.record(node, called, &["kind", "slope", "offset", "knots"])?;
    match &*page.text(&curve, "kind", Kind::Word(&["platt", "isotonic"]))? {
        "platt" => {
            let (slope, offset) = (three(page, &curve, "slope"), three(page, &curve, "offset"));
            Some(Some(Calibration::Platt { slope: slope?, offset: offset? }))
        }
        _ => {
            let node = page.need(&curve, "knots", "write a list of [odds, calibrated] for each class")?;
            let classes: Option<Vec<Vec<[f64; 2]>>> =
                items(page, node)?.iter().map(|class| knots(page, class)).collect();
            let count = classes.as_ref().map_or(0, Vec::len);
            let Ok(knots) = classes?.try_into() else {
                page.fault(node.at, format!("there are {count} curves"), "give one each for down, flat, up");
                return None;
            };
            Some(Some(Calibration::Isotonic { knots }))
        }
    }
}

fn items<'n>(page: &mut Page<'_>, node: &'n Node) -> Option<&'n [Node]> {
    let What::List(items) = &node.what else {
        page.fault(node.at, format!("there is {}", node.kind()), "write a list of numbers");
        return None;
    };
    Some(items)
}

fn numbers(page: &mut Page<'_>, node: &Node) -> Option<Vec<f64>> {
    let read = |page: &mut Page<'_>, item: &Node| match typed::read(item, CURVE) {
        Ok(Value::Number(number)) => Some(number),
        Ok(_) => None,
        Err((found, remedy)) => {
            page.fault(item.at, format!("a number of the calibration {found}"), remedy);
            None
        }
    };
    items(page, node)?.iter().map(|item| read(page, item)).collect()
}

fn three(page: &mut Page<'_>, curve: &Record<'_>, key: &'static str) -> Option<[f64; 3]> {
    let remedy = "write three numbers, for down, flat and up";
    let node = page.need(curve, key, remedy)?;
    let read = numbers(page, node)?;
    let found = format!("`{key}` of {} has {} numbers", curve.called, read.len());
    let three = read.try_into().ok();
    if three.is_none() {
        page.fault(node.at, found, remedy);
    }
    three
}

fn knots(page: &mut Page<'_>, class: &Node) -> Option<Vec<[f64; 2]>> {
    let pair = |page: &mut Page<'_>, node: &Node| {
        let pair = numbers(page, node)?.try_into().ok();
        if pair.is_none() {
            page.fault(node.at, "a knot is not two numbers", "write [odds, calibrated]");
        }
        pair
    };
    items(page, class)?.iter().map(|node| pair(page, node)).collect()
}

/// Weights by timeframe; one left out is 0.
fn weights(page: &mut Page<'_>, record: &Record<'_>) -> Option<[f32; Timeframe::COUNT]> {
    let node = page.need(
        record,
        "weights",
        "write {1min: 1, 5min: 2} and so on; a timeframe left out has no voice",
    )?;
    let given = page.record(node, format!("`weights` of {}", record.called), &TIMEFRAMES)?;
    let mut weights = [0.0; Timeframe::COUNT];
    let mut sound = true;
    for (slot, key) in weights.iter_mut().zip(TIMEFRAMES) {
        if given.node(key).is_some() {
            match page.number(&given, key, WEIGHT) {
                Some(weight) => *slot = weight as f32,
                None => sound = false,
            }
        }
    }
    sound.then_some(weights)
}

#[test]
fn the_keys_are_the_timeframes() {
    assert_eq!(TIMEFRAMES, Timeframe::ALL.map(Timeframe::name));
}
