//! One model in full: its papers, what the first look says of it now, and what the record knows.

use super::list;
use crate::settings::Settings;
use anyhow::ensure;
use desk::ShelfSeat;
use forecast::Manifest;
use std::fmt::Write;
use std::path::Path;

/// All versions of a name, or the one that is named.
pub(super) fn text(settings: &Settings, shelf: &ShelfSeat, model: &str) -> anyhow::Result<String> {
    let (name, version) = model.split_once('/').map_or((model, None), |(n, v)| (n, Some(v)));
    let folder = &settings.models.folder;
    let is_asked = |place: &&std::path::PathBuf| {
        let part =
            |path: Option<&Path>| path.and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned());
        part(place.parent()).as_deref() == Some(name)
            && version.is_none_or(|version| part(Some(place)).as_deref() == Some(version))
    };
    let places = live::models::bundles(folder);
    let asked: Vec<_> = places.iter().filter(is_asked).collect();
    ensure!(
        !asked.is_empty(),
        "{model}: no such model in {}; `wingspread models list` names what is there",
        folder.display()
    );
    let mut text = String::new();
    for place in asked {
        one(settings, shelf, place, &mut text);
    }
    Ok(text)
}

fn one(settings: &Settings, shelf: &ShelfSeat, place: &Path, text: &mut String) {
    let _ = writeln!(text, "{}", place.display());
    let live::models::Bundle { note, manifest, sound, .. } = match crate::wire::watch(settings).vet(place) {
        Ok(bundle) => bundle,
        Err(refused) => {
            let (reason, remedy) = refused.parts();
            let _ = writeln!(text, "  refused: {reason}\n  remedy: {remedy}");
            return;
        }
    };
    let _ = writeln!(text, "  sound: {} golden rows repeated, checksum {}", sound.golden_rows, sound.sha256);
    let _ = writeln!(text, "  executor: {} ({})", sound.executor, sound.why);
    let _ = writeln!(text, "  an answer takes {:.1} us", sound.answer_ns as f64 / 1e3);
    papers(&manifest, text);
    let rows = shelf.core().rows();
    match rows.iter().find(|row| row.bundle.model == note) {
        None => text.push_str("  on record: nothing yet\n"),
        Some(row) => {
            let _ = writeln!(text, "  on record: {}, {} predictions scored", list::role(row), row.scored);
            if row.scored > 0 {
                let _ = writeln!(text, "  Brier {:.4}, log loss {:.4}", row.brier, row.log_loss);
            }
        }
    }
}

fn papers(manifest: &Manifest, text: &mut String) {
    let _ = writeln!(
        text,
        "  for {}, {} bars ahead, {} features, trained {} to {}",
        manifest.timeframe,
        manifest.horizon_bars,
        manifest.features.len(),
        manifest.trained.from,
        manifest.trained.to
    );
    match manifest.label_rule() {
        Some(rule) => {
            let _ = writeln!(text, "  judged by {rule:?}");
        }
        None => text.push_str("  says no label rule: it is not scored, and never promoted by itself\n"),
    }
    let metrics: Vec<String> =
        manifest.metrics.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let _ = writeln!(text, "  metrics: {}", metrics.join(", "));
    let _ = writeln!(text, "  provenance: {}", manifest.provenance.trim());
}
