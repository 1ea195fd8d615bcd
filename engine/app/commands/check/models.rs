//! The models folder: does each bundle load, and does the chosen ensemble have who should speak?

use super::finding::Finding;
use crate::settings::Settings;
use forecast::Ensemble;
use live::vetting::Vetting;
use market::quote::Timeframe;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// All of it.
pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let folder = &settings.models.folder;
    let mut found = Vec::new();
    let mut sound: BTreeMap<Timeframe, Vec<String>> = BTreeMap::new();
    let watch = crate::wire::watch(settings);
    for place in live::models::bundles(folder) {
        match watch.vet(&place) {
            Ok(bundle) if bundle.reads_members() => {}
            Ok(bundle) => {
                let name = format!("{} {}", bundle.note.name, bundle.note.version);
                sound.entry(bundle.note.timeframe).or_default().push(name);
            }
            // The text names the file and the remedy.
            Err(refused) => found.push(Finding::warning(
                "models",
                refused.reason,
                "until then the engine goes on without it",
            )),
        }
    }
    let vetting = watch.vetting();
    let first = live::models::bundles(folder).into_iter().next();
    found.extend(first.filter(|_| vetting.program.is_some()).map(|bundle| confinement(vetting, &bundle)));
    if !sound.is_empty() {
        let count: usize = sound.values().map(Vec::len).sum();
        found.push(Finding::ok(
            "models",
            format!("{count} in {} load and repeat their golden answers", folder.display()),
        ));
    }
    if settings.strategy.inference {
        found.push(members(&settings.strategy.ensemble, &sound.keys().copied().collect(), folder));
    } else {
        found.push(Finding::ok("ensemble", "not asked: models.inference is off"));
    }
    found
}

/// Whether the process that looks at bundles is kept from everything else: it is told to try.
fn confinement(vetting: &Vetting, bundle: &Path) -> Finding {
    let onnx::Finding::Refused(said) = vetting.drill(bundle, "files") else {
        return Finding::warning("first look", "a drill was taken for a model", "report it");
    };
    if said.reason.contains("no file outside could be opened") {
        return Finding::ok("first look", "a process of its own, shut out of every other file (Landlock)");
    }
    Finding::warning(
        "first look",
        "nothing but its own care keeps the process that looks at models from other files",
        "use a kernel with Landlock (Linux 5.13 on, `landlock` among its security modules), or bring only models you made",
    )
}

fn members(ensemble: &Ensemble, sound: &BTreeSet<Timeframe>, folder: &Path) -> Finding {
    let weight = |timeframe: &Timeframe| ensemble.weights[timeframe.index()];
    let wanted: Vec<Timeframe> = Timeframe::ALL.into_iter().filter(|t| weight(t) > 0.0).collect();
    let missing: Vec<&str> = wanted.iter().filter(|t| !sound.contains(t)).map(|t| t.name()).collect();
    let name = ensemble.name;
    if missing.is_empty() {
        return Finding::ok("ensemble", format!("{name}: all {} timeframes have a model", wanted.len()));
    }
    let total: f32 = wanted.iter().map(&weight).sum();
    let there: f32 = wanted.iter().filter(|t| sound.contains(t)).map(&weight).sum();
    let found = format!("{name}: no model in {} for {}", folder.display(), missing.join(", "));
    let remedy = "make them with `wingspread train`, or choose another ensemble";
    if there < ensemble.quorum * total {
        let found = format!(
            "{found}; the rest is below its quorum of {}, so nothing will be forecast",
            ensemble.quorum
        );
        return Finding::fault("ensemble", found, remedy);
    }
    Finding::warning("ensemble", found, remedy)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict::{Fault, Ok, Warning};
    use super::*;
    use forecast::ensemble::Rule;
    use market::Label;

    #[test]
    fn an_ensemble_below_its_quorum_is_a_fault() {
        let mut weights = [0.0; Timeframe::COUNT];
        weights[..3].copy_from_slice(&[2.0, 1.0, 1.0]);
        let ensemble = Ensemble::new(Label::literal("three"), weights, Rule::MeanOfLogits, 0.6);
        let all: BTreeSet<Timeframe> = Timeframe::ALL.into_iter().collect();
        let without = |gone: &[Timeframe]| all.iter().copied().filter(|t| !gone.contains(t)).collect();
        let verdict = |sound: &BTreeSet<Timeframe>| members(&ensemble, sound, Path::new("models")).verdict;
        assert_eq!(verdict(&all), Ok);
        assert_eq!(verdict(&without(&[Timeframe::Year1])), Ok, "not a member");
        assert_eq!(verdict(&without(&[Timeframe::Min5])), Warning);
        assert_eq!(verdict(&without(&[Timeframe::Min1])), Fault);
        let said = members(&ensemble, &BTreeSet::new(), Path::new("models")).to_string();
        assert!(said.contains("1min, 5min, 15min") && said.contains("wingspread train"), "{said}");
    }
}
