//! The table of models: what the record knows, and what lies in the folder beside it.

use crate::settings::Settings;
use desk::ShelfSeat;
use forecast::shelf::Row;
use forecast::shelf::notes::Role;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

/// What a role is called.
pub(super) fn role(row: &Row) -> &'static str {
    match row.role {
        Role::Away if row.is_pinned => "away, pinned",
        Role::Away => "away, comes back",
        Role::Incumbent if row.is_pinned => "incumbent, pinned",
        Role::Incumbent => "incumbent",
        Role::Predecessor => "predecessor",
        Role::Shadow => "shadow",
        Role::Waiting => "waits for a place",
        Role::Idle => "idle",
    }
}

/// The table.
pub(super) fn text(settings: &Settings, shelf: &ShelfSeat) -> String {
    let rows = shelf.core().rows();
    let mut text = format!(
        "{:<8} {:<26} {:<18} {:<13} {:>8} {:>8} {:>9} {:>9}\n",
        "", "model", "role", "executor", "scored", "Brier", "log loss", "answer"
    );
    for row in &rows {
        let model = &row.bundle.model;
        let score = |mean: f64| if row.scored == 0 { "-".into() } else { format!("{mean:.4}") };
        let _ = writeln!(
            text,
            "{:<8} {:<26} {:<18} {:<13} {:>8} {:>8} {:>9} {:>6.1} us",
            model.timeframe.name(),
            format!("{}/{}", model.name, model.version),
            role(row),
            row.bundle.executor,
            row.scored,
            score(row.brier),
            score(row.log_loss),
            row.bundle.answer_ns as f64 / 1e3,
        );
        if row.role == Role::Shadow {
            let _ = writeln!(
                text,
                "{:<8} compared with the incumbent on {} moments; looks at {} and each as many more, {} in all",
                "", row.compared, settings.models.shelf.scored_min, settings.models.shelf.looks
            );
        }
    }
    let known: BTreeSet<PathBuf> = rows
        .iter()
        .map(|row| row.bundle.model)
        .map(|m| settings.models.folder.join(m.name.as_str()).join(m.version.as_str()))
        .collect();
    for place in live::models::bundles(&settings.models.folder).difference(&known) {
        let _ =
            writeln!(text, "{:<8} {} is in the folder; no engine has looked at it yet", "", place.display());
    }
    text
}
