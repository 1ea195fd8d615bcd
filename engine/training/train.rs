//! The whole way, for all ten timeframes.

use crate::bundle;
use crate::dataset::{History, Moments, replay};
use crate::folds::{Split, split};
use crate::labels::{Example, Rule, examples};
use crate::learner::{Fitted, fit};
use crate::metrics::{self, Scores};
use crate::network::CLASSES;
use crate::settings::Settings;
use forecast::golden::GoldenFault;
use forecast::manifest::{CLASSES as CLASS_NAMES, FORMAT, ManifestFault, Window};
use forecast::{LabelRule, Manifest, Schema};
use indicators::FEATURES;
use indicators::features::Row;
use market::quote::Timeframe;
use market::{Date, Label};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Rows of input and answer shipped with each model.
pub const GOLDEN_ROWS: usize = 16;

/// Why nothing was trained.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Settings that cannot be right.
    #[error("{}", .0.join("\n"))]
    Settings(Vec<String>),
    /// No bars at all.
    #[error("the histories hold no bars; give at least one symbol with daily and minute bars")]
    NoHistory,
    /// A model of this name and version is there already.
    #[error("{0} is there already and versions never change; raise training.version or move the folder away")]
    Exists(PathBuf),
    /// The folder cannot be written.
    #[error("{folder} cannot be written: {cause}; check the disk and the rights of the models folder")]
    Write {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The manifest would not be read back.
    #[error("manifest.yaml {0}")]
    Manifest(ManifestFault),
    /// The golden rows would not be read back.
    #[error("golden.json {0}")]
    Golden(GoldenFault),
}

/// What was trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// One a timeframe, shortest first.
    pub models: Vec<TimeframeReport>,
}

/// What became of one timeframe.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeframeReport {
    /// The timeframe.
    pub timeframe: Timeframe,
    /// Where its model is.
    pub folder: PathBuf,
    /// Examples trained on, validated with, tested on.
    pub rows: [usize; 3],
    /// Passes after which the best weights stood; 0: it says the base rates.
    pub epochs: u32,
    /// Scores on the test rows, and of the base rates there; absent when there were none.
    pub scores: Option<(Scores, Scores)>,
}

impl fmt::Display for Report {
    /// A table a person can read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<8}{:>8}{:>8}{:>8}{:>7}{:>10}{:>10}{:>10}{:>10}{:>8}",
            "", "train", "valid", "test", "epochs", "log loss", "of base", "accuracy", "of base", "Brier"
        )?;
        for model in &self.models {
            let [train, validation, test] = model.rows;
            write!(f, "{:<8}{train:>8}{validation:>8}{test:>8}{:>7}", model.timeframe, model.epochs)?;
            match &model.scores {
                Some((own, base)) => writeln!(
                    f,
                    "{:>10.4}{:>10.4}{:>10.4}{:>10.4}{:>8.4}",
                    own.log_loss, base.log_loss, own.accuracy, base.accuracy, own.brier
                )?,
                None => writeln!(f, "  not enough history to measure: says its base rates")?,
            }
        }
        Ok(())
    }
}

/// Trains the ten models and writes their folders under `out_dir`.
///
/// # Errors
/// When the settings are wrong, there is no history, or a folder cannot be written.
pub fn train(histories: &[History], settings: &Settings, out_dir: &Path) -> Result<Report, Fault> {
    let faults = settings.faults();
    if !faults.is_empty() {
        return Err(Fault::Settings(faults));
    }
    let covered = coverage(histories).ok_or(Fault::NoHistory)?;
    for timeframe in Timeframe::ALL {
        let folder = out_dir.join(name(settings, timeframe).as_str()).join(settings.version.as_str());
        if folder.exists() {
            return Err(Fault::Exists(folder));
        }
    }
    let moments = replay(histories);
    let one =
        |timeframe: Timeframe| train_one(timeframe, &moments[timeframe.index()], covered, settings, out_dir);
    Ok(Report { models: Timeframe::ALL.into_iter().map(one).collect::<Result<_, _>>()? })
}

fn train_one(
    timeframe: Timeframe,
    moments: &Moments,
    covered: Window,
    settings: &Settings,
    out_dir: &Path,
) -> Result<TimeframeReport, Fault> {
    let rule = Rule::new(settings.horizon_bars[timeframe.index()], settings.threshold_atr);
    let examples = examples(moments, &rule);
    let split = split(&examples, settings.validation_share, settings.test_share, rule.horizon);
    let fitted = fit(&split.train, &split.validation, settings);
    let scores = scores(&fitted, &split.test);
    let rows = [split.train.len(), split.validation.len(), split.test.len()];
    let manifest = Manifest {
        format: FORMAT,
        name: name(settings, timeframe),
        version: settings.version,
        timeframe,
        features: Schema::ours().features,
        schema: Schema::ours().digest,
        classes: CLASS_NAMES.map(String::from).to_vec(),
        horizon_bars: settings.horizon_bars[timeframe.index()],
        trained: split.window().map_or(covered, |(from, to)| Window { from, to }),
        metrics: metrics(&rule, &fitted, rows, scores.as_ref()),
        provenance: provenance(settings, &fitted, rows),
        scaling: Some(fitted.scaling.clone()),
        label: Some(LabelRule::Horizon { threshold_atr: settings.threshold_atr }),
        calibration: None,
        reference: None,
        input: None,
        sha256: String::new(),
    };
    let folder = bundle::write(out_dir, &fitted, manifest, &golden_rows(&split, settings.seed))?;
    Ok(TimeframeReport { timeframe, folder, rows, epochs: fitted.epochs, scores })
}

fn name(settings: &Settings, timeframe: Timeframe) -> Label {
    Label::format(format_args!("{}-{timeframe}", settings.prefix))
}

/// Scores of the model and of its base rates on rows neither was fitted to.
fn scores(fitted: &Fitted, test: &[&Example]) -> Option<(Scores, Scores)> {
    let mut layer = vec![0.0; fitted.network.hidden];
    let own = metrics::score(test.iter().map(|e| (fitted.odds(&e.row, &mut layer), e.class)))?;
    let rates = fitted.base_rates.map(|rate| rate as f32);
    Some((own, metrics::score(test.iter().map(|e| (rates, e.class)))?))
}

fn metrics(
    rule: &Rule,
    fitted: &Fitted,
    rows: [usize; 3],
    scores: Option<&(Scores, Scores)>,
) -> BTreeMap<String, f64> {
    let mut named = vec![
        ("threshold_atr", rule.threshold),
        ("rows_train", rows[0] as f64),
        ("rows_validation", rows[1] as f64),
        ("rows_test", rows[2] as f64),
        ("epochs", f64::from(fitted.epochs)),
        (Manifest::BASE_RATES_ONLY, f64::from(u8::from(fitted.epochs == 0))),
    ];
    named.extend(["base_rate_down", "base_rate_flat", "base_rate_up"].into_iter().zip(fitted.base_rates));
    if let Some((own, base)) = scores {
        named.extend([
            ("accuracy", own.accuracy),
            ("log_loss", own.log_loss),
            ("brier", own.brier),
            ("accuracy_of_base_rates", base.accuracy),
            ("log_loss_of_base_rates", base.log_loss),
            ("brier_of_base_rates", base.brier),
        ]);
    }
    // Six decimals are more than is known.
    named.into_iter().map(|(name, value)| (name.to_string(), (value * 1e6).round() / 1e6)).collect()
}

fn provenance(settings: &Settings, fitted: &Fitted, [train, validation, test]: [usize; 3]) -> String {
    let learner = if fitted.epochs > 0 {
        format!("one hidden layer of {}, Adam, early stop after {} passes", settings.hidden, fitted.epochs)
    } else if train < settings.rows_min || validation == 0 {
        format!(
            "too little history to learn from ({train} rows, {validation} to validate): says the base rates"
        )
    } else {
        "nothing learnt that held on the validation rows: says the base rates".to_string()
    };
    format!(
        "{}; wingspread train {}, seed {}; {learner}; metrics from the newest {test} rows, after {train} for \
         training and {validation} for stopping, purged and embargoed",
        settings.source.trim(),
        env!("CARGO_PKG_VERSION"),
        settings.seed,
    )
}

/// First and last date of any bar.
fn coverage(histories: &[History]) -> Option<Window> {
    let bars = || histories.iter().flat_map(|h| h.days.iter().chain(&h.minutes));
    let dates = || bars().map(|bar| indicators::grid::session_date(bar.start));
    let (from, to): (Date, Date) = (dates().min()?, dates().max()?);
    Some(Window { from, to })
}

/// Rows spread over the newest examples; drawn where there are too few.
fn golden_rows(split: &Split<'_>, seed: u64) -> Vec<Row> {
    let source = if split.test.len() >= GOLDEN_ROWS { &split.test } else { &split.train };
    let step = (source.len() / GOLDEN_ROWS).max(1);
    let mut rows: Vec<Row> = source.iter().step_by(step).take(GOLDEN_ROWS).map(|e| e.row).collect();
    let mut chance = ChaCha8Rng::seed_from_u64(seed ^ CLASSES as u64);
    while rows.len() < GOLDEN_ROWS {
        rows.push(std::array::from_fn::<f32, FEATURES, _>(|_| chance.random_range(-1.5..1.5)));
    }
    rows
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use market::quote::Bar;
    use market::time::MINUTE;
    use market::{Money, Price, Symbol, session};

    /// Settings for tests: small and quick.
    pub(crate) fn settings() -> Settings {
        Settings {
            prefix: Label::literal("test"),
            version: Label::literal("1.0.0"),
            seed: 7,
            horizon_bars: [5, 3, 2, 2, 2, 1, 5, 2, 1, 1],
            threshold_atr: 0.27,
            hidden: 16,
            epochs_max: 4,
            patience_epochs: 4,
            batch_rows: 64,
            learning_rate: 3e-3,
            weight_decay: 1e-2,
            test_share: 0.2,
            validation_share: 0.15,
            rows_min: 300,
            rows_max: 50_000,
            source: "made up for a test: not the market".into(),
        }
    }

    /// A price that swings: where it stands in its swing says where it goes.
    fn swinging(symbol: &str, sessions: i32, minute_sessions: i32) -> History {
        let today = Date::literal(2025, 6, 18);
        let price = |n: f64| {
            let swing = 5.0 * (n / 11.0).sin() + (n / 2.3).cos();
            Price::nearest(100.0 + swing).expect("in range")
        };
        let bar = |start, n: i32| {
            let n = f64::from(n);
            let (open, close) = (price(n), price(n + 1.0));
            Bar {
                start,
                open,
                close,
                high: open.max(close) + Price::from_cents(20),
                low: open.min(close) - Price::from_cents(20),
                volume: 1_000 + (n * 31.0) as u64 % 500,
                trades: 9,
                turnover: Money::ZERO,
                repaired: false,
            }
        };
        let session = |n| session::offset(today, n).expect("in the calendar");
        History {
            symbol: symbol.parse::<Symbol>().expect("a symbol"),
            days: (0..sessions).map(|n| bar(session(n - sessions).date.at_new_york(0), n)).collect(),
            minutes: (0..minute_sessions * 390)
                .map(|n| bar(session(n / 390 - minute_sessions).open + i64::from(n % 390) * MINUTE, n))
                .collect(),
        }
    }

    #[test]
    fn ten_bundles_are_written_the_same_twice() {
        let histories = [swinging("AAA", 500, 4), swinging("BBB", 300, 3)];
        let (one, two) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
        let report = train(&histories, &settings(), one.path()).expect("trains");
        train(&histories, &settings(), two.path()).expect("trains again");
        assert_eq!(report.models.len(), Timeframe::COUNT);
        for model in &report.models {
            let again = two.path().join(model.folder.strip_prefix(one.path()).expect("inside"));
            for file in ["model.onnx", "manifest.yaml", "golden.json"] {
                let read = |folder: &Path| std::fs::read(folder.join(file)).expect("written");
                assert!(read(&model.folder) == read(&again), "{} {file}", model.timeframe);
            }
            check_bundle(&model.folder, model.timeframe);
        }
        let minute = &report.models[0];
        let (own, base) = minute.scores.expect("enough minutes");
        assert!(own.log_loss < 0.8 * base.log_loss, "a swing can be learnt: {report}");
        let year = &report.models[9];
        assert_eq!((year.epochs, year.rows, year.scores), (0, [0; 3], None), "{report}");
    }

    fn check_bundle(folder: &Path, timeframe: Timeframe) {
        let text = |file: &str| std::fs::read_to_string(folder.join(file)).expect("written");
        let manifest = Manifest::parse(&text("manifest.yaml")).expect("reads back");
        assert_eq!(manifest.timeframe, timeframe);
        assert_eq!(manifest.name.as_str(), format!("test-{timeframe}"));
        assert_eq!(manifest.schema, Schema::ours().digest);
        assert!(manifest.provenance.contains("not the market"));
        let model = std::fs::read(folder.join("model.onnx")).expect("written");
        assert_eq!(manifest.sha256, forecast::manifest::hex(&forecast::manifest::sha256(&model)));
        let golden = forecast::Golden::parse(text("golden.json").as_bytes(), FEATURES).expect("reads back");
        assert_eq!(golden.rows.len(), GOLDEN_ROWS);
    }

    #[test]
    fn wrong_settings_empty_history_and_taken_folders_are_refused() {
        let folder = tempfile::tempdir().expect("dir");
        let bad = Settings { test_share: 0.0, hidden: 0, source: " ".into(), ..settings() };
        let fault = train(&[], &bad, folder.path()).expect_err("three faults").to_string();
        assert_eq!(fault.lines().count(), 3, "{fault}");
        assert!(matches!(train(&[], &settings(), folder.path()), Err(Fault::NoHistory)));
        std::fs::create_dir_all(folder.path().join("test-1week/1.0.0")).expect("dir");
        let history = [swinging("AAA", 30, 0)];
        assert!(matches!(train(&history, &settings(), folder.path()), Err(Fault::Exists(_))));
        assert!(!folder.path().join("test-1min").exists(), "nothing is written when anything is in the way");
    }
}
