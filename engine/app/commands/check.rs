//! `wingspread check`: is everything ready to trade? One line a finding, with a remedy where something is wrong.

mod finding;
mod machine;
mod models;
mod online;
mod record;

use crate::settings::{self, Endpoint, Settings};
use crate::{cli, place, run};
use finding::{Finding, Verdict};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Checks and prints; fails when anything would keep the engine from trading.
///
/// # Errors
/// When the findings cannot be printed.
pub fn run(args: &cli::Check, options: &cli::Run) -> anyhow::Result<ExitCode> {
    let file = options.config.clone().unwrap_or_else(|| PathBuf::from(run::CONFIG));
    let mut found = Vec::new();
    let settings = settings_of(&file, options, &mut found);
    found.extend(machine::clock());
    found.extend(machine::open_files());
    if let Some(settings) = &settings {
        found.extend(keys(settings.endpoint, |name| std::env::var(name).ok()));
        found.extend(machine::memory(settings));
        found.extend(machine::processors(settings));
        found.extend(record::check(settings));
        found.extend(models::check(settings));
        if args.online {
            found.extend(online::check(settings));
        }
    }
    let lines: String = found.iter().map(|finding| format!("{finding}\n")).collect();
    let (faults, warnings) = (count(&found, Verdict::Fault), count(&found, Verdict::Warning));
    let skipped = if settings.is_none() { "; what depends on the settings was not looked at" } else { "" };
    super::print(&format!("{lines}\n{}{skipped}\n", conclusion(faults, warnings)))?;
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn count(found: &[Finding], verdict: Verdict) -> usize {
    found.iter().filter(|finding| finding.verdict == verdict).count()
}

fn conclusion(faults: usize, warnings: usize) -> String {
    let many = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match (faults, warnings) {
        (0, 0) => "ready".to_string(),
        (0, _) => format!("ready, with {}", many(warnings, "warning")),
        _ => format!("NOT ready: {}, {}", many(faults, "fault"), many(warnings, "warning")),
    }
}

/// The settings with what was typed over them, or every fault of theirs.
fn settings_of(file: &Path, options: &cli::Run, found: &mut Vec<Finding>) -> Option<Settings> {
    match settings::load(file) {
        Ok(mut settings) => {
            if let Some(folder) = &options.journal {
                settings.journal_folder.clone_from(folder);
            }
            let text = format!(
                "{}: {} symbols, ensemble {}, {} structures",
                file.display(),
                settings.symbols.len(),
                settings.strategy.ensemble.name,
                settings.strategy.structures.len()
            );
            found.push(Finding::ok("settings", text));
            Some(settings)
        }
        Err(faults) => {
            let place =
                |f: &settings::Fault| format!("{}:{}:{}: {}", f.file.display(), f.line, f.column, f.found);
            found.extend(faults.0.iter().map(|f| Finding::fault("settings", place(f), &f.remedy)));
            None
        }
    }
}

/// Present or not; their values are never shown.
fn keys(endpoint: Endpoint, read: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    if endpoint == Endpoint::Embedded {
        return vec![Finding::ok("keys", "not needed: the embedded market has its own")];
    }
    let one = |name: &&str| match read(name).filter(|value| !value.trim().is_empty()) {
        Some(value) if value.trim() != value => Finding::warning(
            "keys",
            format!("{name} has blanks around it"),
            "export it again without them: the broker compares every character",
        ),
        Some(_) => Finding::ok("keys", format!("{name} is set")),
        None => Finding::fault(
            "keys",
            format!("{name} is not set"),
            "export it with the key of your paper account, in the shell that starts wingspread",
        ),
    };
    [place::KEY_ID, place::SECRET].iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_asked_for_only_where_needed_and_never_shown() {
        assert_eq!(keys(Endpoint::Embedded, |_| None)[0].verdict, Verdict::Ok);
        let none = keys(Endpoint::AlpacaPaper, |_| Some("  ".into()));
        assert!(none.iter().all(|f| f.verdict == Verdict::Fault && f.remedy.is_some()));
        let set = keys(Endpoint::Custom, |_| Some("PKSECRET".into()));
        assert!(set.iter().all(|f| f.verdict == Verdict::Ok && !f.to_string().contains("PKSECRET")));
        let blank = keys(Endpoint::Custom, |_| Some("PKSECRET\n".into()));
        assert!(blank.iter().all(|f| f.verdict == Verdict::Warning && !f.to_string().contains("PKSECRET")));
    }

    #[test]
    fn every_fault_of_the_settings_is_a_line() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("w.yaml");
        std::fs::write(&file, "endpoint: nowhere\nsymbols: []\n").expect("writes");
        let mut found = Vec::new();
        assert!(settings_of(&file, &cli::Run::default(), &mut found).is_none());
        assert!(found.len() >= 2 && found.iter().all(|f| f.verdict == Verdict::Fault), "{found:?}");
        assert!(found.iter().all(|f| f.remedy.is_some()));
    }

    #[test]
    fn this_repository_is_checked_from_end_to_end() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        let mut settings =
            settings_of(&root.join(run::CONFIG), &cli::Run::default(), &mut found).expect("no faults");
        settings.models.folder = root.join("models");
        settings.journal_folder = tempfile::tempdir().expect("folder").path().join("journal");
        found.extend(models::check(&settings));
        found.extend(record::check(&settings));
        let text: String = found.iter().map(|finding| format!("{finding}\n")).collect();
        println!("{text}");
        assert!(found.iter().all(|f| f.what == "disk" || f.verdict == Verdict::Ok), "{text}");
        assert!(text.contains("10 in") && text.contains("all 10 timeframes"), "{text}");
        assert!(!settings.journal_folder.exists(), "looking makes nothing");
    }

    #[test]
    fn the_conclusion_counts() {
        assert_eq!(conclusion(0, 0), "ready");
        assert_eq!(conclusion(0, 1), "ready, with 1 warning");
        assert_eq!(conclusion(2, 0), "NOT ready: 2 faults, 0 warnings");
    }
}
