//! `wingspread train`: models from simulated history, from recorded data or from the engine's own record, and an
//! honest account of what they are worth.

mod page;
mod recorded;
mod simulated;

use crate::settings::Settings;
use crate::{cli, run};
use anyhow::{Context, bail, ensure};
use forecast::LabelRule;
use market::quote::Timeframe;
use market::{Label, Symbol};
use std::path::Path;
use std::process::ExitCode;
use training::learner::{Bounds, Learner};
use training::{History, boosting, descent};

/// A move beyond this is up or down, for labels by the horizon: in average true ranges times the root of the bars.
const THRESHOLD_ATR: f64 = 0.27;
/// How far away barriers stand, in the same measure: touched by about a third of the labels each.
const BARRIERS_ATR: f64 = 0.45;

/// Where the bars come from, in words for people and for manifests.
struct Source {
    histories: Vec<History>,
    /// What the manifests say.
    words: String,
    /// What skill in this data says of the real market.
    caveat: &'static str,
}

/// Trains and writes the bundles.
///
/// # Errors
/// Settings with faults, data that cannot be read, a version that is there already, a folder that cannot be written.
pub fn run(args: &cli::Train, options: &cli::Run) -> anyhow::Result<ExitCode> {
    yield_to_others(args)?;
    // Looked at before anything is read, so that nobody waits for a refusal.
    let told = training_settings(args, "not read yet")?;
    refuse_existing(&args.out, &told)?;
    let source = source(args, options)?;
    let told = training_settings(args, &source.words)?;
    let bars: usize = source.histories.iter().map(|h| h.days.len() + h.minutes.len()).sum();
    println!(
        "Training on {} histories, {bars} bars: {} models, {} parameters each on {} folds.",
        source.histories.len(),
        told.timeframes.len(),
        told.trials * told.learners.len(),
        told.folds
    );
    let report = training::train(&source.histories, &told, &args.out)?;
    println!("\n{report}\n{}", explain(&report, source.caveat));
    if let Some(file) = &args.report {
        let page = page::page(&report, &source.words).context("the report's pictures")?;
        std::fs::write(file, page).with_context(|| format!("{}: cannot be written", file.display()))?;
        println!("Report: {}", file.display());
    }
    println!("{}", written(&report, &args.out));
    Ok(ExitCode::SUCCESS)
}

/// What the child of a running engine is started with: it takes what others leave, no more memory than it may, and does
/// not outlive its parent.
fn yield_to_others(args: &cli::Train) -> anyhow::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    if let Some(most) = args.memory_max {
        // Memory of its own: the mapped journal is only read and counts for nobody.
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(Resource::Data, limit).context("--memory-max cannot be set")?;
    }
    if args.background {
        crate::confine::die_with(args.parent).context("--background")?;
        // A priority higher than wished for is no harm.
        let _ = rustix::process::nice(19);
    }
    Ok(())
}

fn source(args: &cli::Train, options: &cli::Run) -> anyhow::Result<Source> {
    let from =
        args.from.unwrap_or(if args.data.is_empty() { cli::From::Simulated } else { cli::From::Files });
    ensure!(
        from == cli::From::Journal || args.split.is_empty(),
        "--split is for --from journal: recorded data brings its own, and simulated markets have none"
    );
    let needs_data = from == cli::From::Files;
    ensure!(
        needs_data != args.data.is_empty(),
        "--data names the files of --from files, and of nothing else"
    );
    match from {
        cli::From::Simulated => {
            let settings = run::settings(options)?;
            println!(
                "Simulating {} markets of {} symbols: ten years of days and {} sessions of minutes each.",
                simulated::WORLDS,
                settings.symbols.len(),
                args.sessions
            );
            let histories = simulated::histories(&settings, args.seed, args.sessions)?;
            let caveat = "This is skill in a simulated market. It says nothing about the real one: do not trade real money \
                          with it.";
            Ok(Source { histories, words: simulated_words(args, &settings), caveat })
        }
        cli::From::Files => {
            let symbol = args.symbol.as_deref().map(super::features::parse_symbol).transpose()?;
            let histories = recorded::files(&args.data, symbol)?;
            let words = format!("recorded data: {}", recorded::words(&histories));
            Ok(Source { histories, words, caveat: CAVEAT })
        }
        cli::From::Journal => {
            let folder = super::folder(options)?;
            let histories = recorded::journal(&folder, &args.split)?;
            recorded::leaps(&histories).iter().for_each(|leap| println!("{leap}"));
            let words = format!("the engine's own record: {}", recorded::words(&histories));
            Ok(Source { histories, words, caveat: CAVEAT })
        }
    }
}

/// What skill on a test of the past is not.
const CAVEAT: &str =
    "This is skill on the newest part of the past. Costs are not in it, and the next months may differ.";

fn simulated_words(args: &cli::Train, settings: &Settings) -> String {
    let names: Vec<&str> = settings.symbols.iter().map(Symbol::as_str).collect();
    format!(
        "simulated market, not the real one: {} markets derived from seed {}, {}, {} sessions of minutes each",
        simulated::WORLDS,
        args.seed,
        names.join(" "),
        args.sessions
    )
}

fn training_settings(args: &cli::Train, source: &str) -> anyhow::Result<training::Settings> {
    let is_simulated = args.from.is_none_or(|from| from == cli::From::Simulated) && args.data.is_empty();
    let prefix = args.prefix.as_deref().unwrap_or(if is_simulated { "sim" } else { "own" });
    let timeframes = if args.timeframe.is_empty() { Timeframe::ALL.to_vec() } else { args.timeframe.clone() };
    let (up_atr, down_atr) = (BARRIERS_ATR, BARRIERS_ATR);
    let told = training::Settings {
        prefix: folder_name("--prefix", prefix)?,
        version: folder_name("--version", &args.version)?,
        seed: args.seed,
        timeframes,
        horizon_bars: [15, 6, 4, 4, 3, 2, 5, 2, 1, 1],
        label: match args.label {
            cli::LabelKind::Horizon => LabelRule::Horizon { threshold_atr: THRESHOLD_ATR },
            cli::LabelKind::Barriers => LabelRule::TripleBarrier { up_atr, down_atr },
        },
        learners: match args.learner {
            None if is_simulated => vec![Learner::Network],
            Some(cli::LearnerKind::Network) => vec![Learner::Network],
            Some(cli::LearnerKind::Trees) => vec![Learner::Trees],
            None | Some(cli::LearnerKind::Both) => vec![Learner::Network, Learner::Trees],
        },
        network: NETWORK,
        trees: TREES,
        trials: args.trials,
        folds: args.folds,
        test_share: 0.2,
        stop_share: 0.15,
        bounds: Bounds { rows_min: 400, rows_max: args.rows_max },
        only_skilled: args.only_skilled,
        // What works in the background leaves the other processors alone.
        threads: if args.background {
            1
        } else {
            std::thread::available_parallelism().map_or(1, |n| n.get())
        },
        source: source.to_string(),
    };
    let faults = told.faults();
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(told)
}

/// Where the search of a network starts.
const NETWORK: descent::Params = descent::Params {
    hidden: 32,
    learning_rate: 5e-4,
    weight_decay: 1e-2,
    epochs_max: 30,
    patience_epochs: 5,
    batch_rows: 128,
};

/// Where the search of trees starts.
const TREES: boosting::Params = boosting::Params {
    rounds_max: 300,
    patience_rounds: 20,
    learning_rate: 0.1,
    depth: 4,
    leaf_weight_min: 20.0,
    l2: 2.0,
    columns: 0.7,
};

/// What becomes part of a folder's name must not lead elsewhere.
fn folder_name(option: &str, text: &str) -> anyhow::Result<Label> {
    ensure!(
        !text.starts_with('.') && !text.contains(['/', '\\']),
        "{option} `{text}` becomes a folder's name: give a plain one such as 2 or 1.1"
    );
    text.parse().with_context(|| format!("{option} `{text}`: give a short one such as 2 or 1.1"))
}

fn refuse_existing(out: &Path, training: &training::Settings) -> anyhow::Result<()> {
    for timeframe in &training.timeframes {
        let folder = out.join(format!("{}-{timeframe}", training.prefix)).join(training.version.as_str());
        if folder.exists() {
            bail!(
                "{} is there already and versions never change: give another --version, or another folder with --out",
                folder.display()
            );
        }
    }
    Ok(())
}

/// What the table means, in words.
fn explain(report: &training::Report, caveat: &str) -> String {
    let (good, bad): (Vec<_>, Vec<_>) = report.models.iter().partition(|model| model.has_skill());
    let names = |models: &[&training::TimeframeReport]| {
        let names: Vec<String> = models.iter().map(|m| m.timeframe.to_string()).collect();
        if names.is_empty() { "none".to_string() } else { names.join(", ") }
    };
    format!(
        "\"of base\" is what saying the base rates alone scores on the same test rows, the newest, which nothing was \
         chosen by.\nBetter than base rates, on the folds and on the test, beyond doubt: {}.\nNot proven, or base rates \
         only: {}.\n{caveat}",
        names(&good),
        names(&bad)
    )
}

fn written(report: &training::Report, out: &Path) -> String {
    let names: Vec<String> = report
        .models
        .iter()
        .filter_map(|model| Some(model.folder.as_deref()?.strip_prefix(out).ok()?.display().to_string()))
        .collect();
    if names.is_empty() {
        return "Nothing was written: no model has proven its skill out of fold.".into();
    }
    format!("Written to {}: {}", out.display(), names.join(", "))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use clap::Parser;

    /// The settings of a command line.
    pub(crate) fn told(typed: &[&str]) -> training::Settings {
        training_settings(&args(typed), "a test").expect("right")
    }

    fn args(typed: &[&str]) -> cli::Train {
        let line = ["wingspread", "train"].iter().chain(typed);
        match cli::Cli::parse_from(line).command {
            Some(cli::Command::Train(args)) => args,
            _ => unreachable!("`train` was typed"),
        }
    }

    #[test]
    fn an_existing_version_is_refused_before_anything_is_read() {
        let folder = tempfile::tempdir().expect("folder");
        let out = folder.path().to_str().expect("a plain path");
        let args = self::args(&["--out", out]);
        let told = training_settings(&args, "a test").expect("right");
        refuse_existing(&args.out, &told).expect("nothing there");
        std::fs::create_dir_all(folder.path().join("sim-4h/1")).expect("folder");
        let said = refuse_existing(&args.out, &told).expect_err("there").to_string();
        assert!(said.contains("sim-4h"), "{said}");
        let args = self::args(&["--out", out, "--timeframe", "5min"]);
        refuse_existing(&args.out, &training_settings(&args, "a test").expect("right"))
            .expect("not asked for");
    }

    #[test]
    fn what_is_typed_is_what_is_trained() {
        let told = training_settings(&args(&[]), "a test").expect("right");
        assert_eq!((told.prefix.as_str(), told.trials, told.timeframes.len()), ("sim", 1, 10));
        assert_eq!(told.learners, [Learner::Network]);
        let typed = ["--data", "x.csv", "--learner", "both", "--label", "barriers", "--timeframe", "1h"];
        let told = training_settings(&args(&typed), "a test").expect("right");
        assert_eq!((told.prefix.as_str(), told.timeframes), ("own", vec![Timeframe::Hour1]));
        assert_eq!(told.learners.len(), 2);
        assert!(matches!(told.label, LabelRule::TripleBarrier { .. }));
        for wrong in [["--version", "../1"], ["--version", "a/b"], ["--version", ""], ["--trials", "0"]] {
            assert!(training_settings(&args(&wrong), "a test").is_err(), "{wrong:?}");
        }
        let own = training_settings(&args(&["--from", "journal"]), "a test").expect("right");
        assert_eq!(own.learners.len(), 2, "who learns better is not known before");
        let options = cli::Run::default();
        let split = source(&args(&["--split", "AAPL=2020-08-31:4/1"]), &options).err().expect("no journal");
        assert!(split.to_string().contains("--from journal"), "{split}");
        assert!(source(&args(&["--from", "files"]), &options).is_err(), "no files");
        assert!(source(&args(&["--from", "journal", "--data", "x"]), &options).is_err(), "both");
    }
}
