//! `ensembles.yaml`: which models speak, with what weight, and how their odds are combined.

use super::fault::Report;
use super::record::{Page, Record, called};
use super::typed::Kind;
use super::yaml::Node;
use forecast::ensemble::{Ensemble, Rule};
use market::quote::Timeframe;
use std::path::Path;

const WEIGHT: Kind = Kind::Number { least: 0.0, most: 1_000.0, unit: "weight" };
const QUORUM: Kind = Kind::Number { least: 0.001, most: 1.0, unit: "share of the weight, above 0 to 1" };

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
            page.fault(node.at, fault.to_string(), "give weights of 0 or more, at least one of them above 0");
        }
        ensembles.push(ensemble);
    }
    Some(ensembles)
}

fn ensemble(page: &mut Page<'_>, node: &Node, called: String) -> Option<Ensemble> {
    let record = page.record(node, called, &["name", "rule", "quorum", "weights"])?;
    let name = page.text(&record, "name", Kind::Name).and_then(|t| t.parse().ok());
    let rule = page
        .text(&record, "rule", Kind::Word(&["weighted_mean", "mean_of_logits"]))
        .map(|rule| if rule == "weighted_mean" { Rule::WeightedMean } else { Rule::MeanOfLogits });
    let quorum = page.number(&record, "quorum", QUORUM);
    let weights = weights(page, &record);
    Some(Ensemble { name: name?, rule: rule?, quorum: quorum? as f32, weights: weights? })
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
