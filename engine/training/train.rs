//! The whole way of a timeframe, from examples to a bundle.

use crate::baselines::{Baseline, baselines};
use crate::bundle;
use crate::dataset::{History, replay};
use crate::explain::{permutation, reliability};
use crate::folds::{Fold, cut};
use crate::labels::{Example, examples};
use crate::learner::{Fitted, Learner, drawn, fit};
use crate::metrics::{self, Scores, base_rates};
use crate::network::CLASSES;
use crate::report::{FoldReport, Report, TestReport, TimeframeReport};
use crate::search::{Found, judged, search};
use crate::settings::Settings;
use crate::skill::{Judged, Skill, skill};
use forecast::calibration::Method;
use forecast::golden::GoldenFault;
use forecast::manifest::{CLASSES as CLASS_NAMES, FORMAT, ManifestFault, Window};
use forecast::{Calibration, Class, Manifest, Odds, Reference, Schema};
use indicators::features::Row;
use market::quote::Timeframe;
use market::{Date, Label};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// Trains a model a timeframe and writes their folders under `out_dir`.
///
/// # Errors
/// When the settings are wrong, there is no history, or a folder cannot be written.
pub fn train(histories: &[History], settings: &Settings, out_dir: &Path) -> Result<Report, Fault> {
    let faults = settings.faults();
    if !faults.is_empty() {
        return Err(Fault::Settings(faults));
    }
    let covered = coverage(histories).ok_or(Fault::NoHistory)?;
    for timeframe in &settings.timeframes {
        let folder = out_dir.join(name(settings, *timeframe).as_str()).join(settings.version.as_str());
        if folder.exists() {
            return Err(Fault::Exists(folder));
        }
    }
    let moments = replay(histories);
    let one = |timeframe: &Timeframe| {
        let horizon = settings.horizon_bars[timeframe.index()];
        let examples = examples(&moments[timeframe.index()], &settings.label, horizon);
        let (mut report, trained) = learn(*timeframe, &examples, settings);
        if report.is_proven() || !settings.only_skilled {
            report.folder = Some(write(&report, &trained, &examples, covered, settings, out_dir)?);
        }
        Ok(report)
    };
    Ok(Report { models: spread(&settings.timeframes, settings.threads, &one)? })
}

/// One result a timeframe, in their order, worked at by some threads: each takes the next that nobody has.
fn spread(
    timeframes: &[Timeframe],
    threads: usize,
    one: &(dyn Fn(&Timeframe) -> Result<TimeframeReport, Fault> + Sync),
) -> Result<Vec<TimeframeReport>, Fault> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mine = std::iter::from_fn(|| {
            let place = next.fetch_add(1, Ordering::Relaxed);
            timeframes.get(place).map(|timeframe| (place, timeframe))
        });
        mine.map(|(place, timeframe)| (place, one(timeframe))).collect::<Vec<_>>()
    };
    let mut done = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads.clamp(1, timeframes.len().max(1))).map(|_| scope.spawn(work)).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, _>| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        workers.into_iter().flat_map(join).collect::<Vec<(usize, Result<TimeframeReport, Fault>)>>()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What goes into a bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The model.
    pub fitted: Fitted,
    /// What its odds are bent by before anybody sees them.
    pub calibration: Option<Calibration>,
}

impl Trained {
    /// What is said of a row in the end.
    pub fn odds(&self, row: &Row) -> [f32; CLASSES] {
        calibrated(self.calibration.as_ref(), self.fitted.odds(row))
    }
}

fn calibrated(calibration: Option<&Calibration>, odds: [f32; CLASSES]) -> [f32; CLASSES] {
    calibration.map_or(odds, |curve| curve.apply(Odds::from_row(odds)).row())
}

/// Searches on the folds, calibrates on what was said out of fold, fits the model, and measures it on the newest
/// stretch, which nothing before has seen. `examples` are in order of time.
pub fn learn(timeframe: Timeframe, examples: &[Example], settings: &Settings) -> (TimeframeReport, Trained) {
    let horizon_bars = settings.horizon_bars[timeframe.index()];
    let horizon = horizon_bars as usize;
    let folds = cut(examples, &settings.cuts(horizon_bars));
    let found: Vec<Found> =
        settings.learners.iter().map(|learner| search(&folds.walk, *learner, settings)).collect();
    let tried = found.iter().flat_map(|found| found.tried.iter().cloned()).collect();
    let best = found.into_iter().min_by(|a, b| a.loss.total_cmp(&b.loss));
    let (params, said) =
        best.map_or((settings.start(Learner::Trees), vec![]), |best| (best.params, best.said));
    let together: Vec<Judged> = said.iter().flatten().copied().collect();
    let out_of_fold = skill(&together, horizon);
    let last = &folds.last;
    let trained = if out_of_fold.as_ref().is_some_and(Skill::is_proven) {
        let fitted = fit(&last.train, &last.stop, &params, settings.bounds, settings.seed);
        let calibration = calibration(&together).filter(|_| fitted.rounds > 0);
        Trained { fitted, calibration }
    } else {
        // What did not hold on the folds is not learnt.
        let fitted = Fitted::saying(base_rates(last.train.iter().copied()));
        Trained { fitted, calibration: None }
    };
    let report = TimeframeReport {
        timeframe,
        horizon_bars,
        folder: None,
        params,
        rows: rows(last),
        rounds: trained.fitted.rounds,
        base_rates: trained.fitted.base_rates,
        tried,
        folds: folds.walk.iter().zip(&said).map(|(fold, said)| of_fold(fold, said, horizon)).collect(),
        out_of_fold,
        calibration: calibration_name(trained.calibration.as_ref()),
        test: of_test(last, &trained, settings.seed, horizon),
    };
    (report, trained)
}

fn rows(fold: &Fold<'_>) -> [usize; 3] {
    [fold.train.len(), fold.stop.len(), fold.test.len()]
}

const fn calibration_name(calibration: Option<&Calibration>) -> &'static str {
    match calibration {
        None => "none",
        Some(Calibration::Platt { .. }) => "Platt",
        Some(Calibration::Isotonic { .. }) => "isotonic",
    }
}

/// Scores of what was said and of the base rates.
fn scores(said: &[Judged]) -> Option<(Scores, Scores)> {
    let own = metrics::score(said.iter().map(|j| (j.odds, j.class)))?;
    Some((own, metrics::score(said.iter().map(|j| (j.base, j.class)))?))
}

fn of_fold(fold: &Fold<'_>, said: &[Judged], horizon: usize) -> FoldReport {
    FoldReport {
        taught: fold.window(),
        tested: fold.tested(),
        rows: rows(fold),
        scores: scores(said),
        skill: skill(said, horizon),
    }
}

fn of_test(last: &Fold<'_>, trained: &Trained, seed: u64, horizon: usize) -> Option<TestReport> {
    let base = trained.fitted.base_rates;
    let raw = judged(&last.test, base, |e| trained.fitted.odds(&e.row));
    let bent = |odds| calibrated(trained.calibration.as_ref(), odds);
    let own: Vec<Judged> = raw.iter().map(|j| Judged { odds: bent(j.odds), ..*j }).collect();
    let naive = |baseline: &Baseline| {
        let said = judged(&last.test, base, |e| baseline.odds(&e.row));
        Some((baseline.name(), scores(&said)?.0, skill(&said, horizon)))
    };
    let pairs = |said: &[Judged]| said.iter().map(|j| (j.odds, j.class)).collect::<Vec<_>>();
    let (before, after) = (pairs(&raw), pairs(&own));
    let gained: f64 = trained.fitted.gains.iter().sum();
    Some(TestReport {
        tested: last.tested()?,
        scores: scores(&own)?.0,
        skill: skill(&own, horizon)?,
        baselines: baselines(&last.train).iter().map(naive).collect::<Option<_>>()?,
        reliability: std::array::from_fn(|class| [&before, &after].map(|pairs| reliability(pairs, class))),
        gains: (gained > 0.0).then(|| trained.fitted.gains.map(|gain| gain / gained)),
        permutation: permutation(&last.test, |row| trained.odds(row), seed),
    })
}

/// Enough to see the shape of a curve in half of them.
const ISOTONIC_MIN: usize = 2_000;
/// Less log loss than this is no reason to bend anything.
const CALIBRATION_GAIN_MIN: f64 = 1e-4;

/// What was said in the older half of the time and decided before the newer half began, and what was said in that.
fn halves(said: &[Judged]) -> (Vec<Judged>, &[Judged]) {
    let mut times: Vec<_> = said.iter().map(|j| j.at).collect();
    times.dedup();
    let Some(middle) = times.get(times.len() / 2) else { return (vec![], said) };
    let (older, newer) = said.split_at(said.partition_point(|j| j.at < *middle));
    (older.iter().filter(|j| j.until < *middle).copied().collect(), newer)
}

/// The curve that, fitted to the older half of what was said out of fold, made the newer half better by most; none when
/// neither did. Then it is fitted to all.
fn calibration(said: &[Judged]) -> Option<Calibration> {
    const CLASS: [Class; CLASSES] = [Class::Down, Class::Flat, Class::Up];
    let pairs = |said: &[Judged]| -> Vec<(Odds, Class)> {
        said.iter().map(|j| (Odds::from_row(j.odds), CLASS[j.class])).collect()
    };
    let (older, newer) = halves(said);
    let older = pairs(&older);
    let loss = |curve: Option<&Calibration>| {
        let bent = newer.iter().map(|j| (calibrated(curve, j.odds), j.class));
        metrics::score(bent).map(|scores| scores.log_loss)
    };
    let as_it_is = loss(None)?;
    let methods = [(Method::Platt, 0), (Method::Isotonic, ISOTONIC_MIN)];
    let tried = methods.into_iter().filter(|(_, least)| older.len() >= *least).filter_map(|(method, _)| {
        let curve = Calibration::fit(method, &older)?;
        Some((loss(Some(&curve))?, method))
    });
    let (_, method) =
        tried.filter(|(now, _)| *now < as_it_is - CALIBRATION_GAIN_MIN).min_by(|a, b| a.0.total_cmp(&b.0))?;
    Calibration::fit(method, &pairs(said))
}

fn write(
    report: &TimeframeReport,
    trained: &Trained,
    examples: &[Example],
    covered: Window,
    settings: &Settings,
    out_dir: &Path,
) -> Result<PathBuf, Fault> {
    let last = cut(examples, &settings.cuts(report.horizon_bars)).last;
    let taught = last.train.iter().chain(&last.stop).map(|e| (e.row.as_slice(), e.missing));
    let manifest = Manifest {
        format: FORMAT,
        name: name(settings, report.timeframe),
        version: settings.version,
        timeframe: report.timeframe,
        features: Schema::ours().features,
        schema: Schema::ours().digest,
        classes: CLASS_NAMES.map(String::from).to_vec(),
        horizon_bars: report.horizon_bars,
        trained: last.window().map_or(covered, |(from, to)| Window { from, to }),
        metrics: metrics(report),
        provenance: provenance(settings, report),
        scaling: trained.fitted.scaling().cloned(),
        label: Some(settings.label),
        calibration: trained.calibration.clone(),
        reference: Reference::fit(taught),
        input: None,
        sha256: String::new(),
    };
    bundle::write(out_dir, &trained.fitted, manifest, &golden_rows(&last, settings.seed))
}

fn name(settings: &Settings, timeframe: Timeframe) -> Label {
    Label::format(format_args!("{}-{timeframe}", settings.prefix))
}

fn metrics(report: &TimeframeReport) -> BTreeMap<String, f64> {
    let mut named: Vec<(String, f64)> = Vec::new();
    let mut add = |name: &str, value: f64| named.push((name.to_string(), value));
    for (name, rows) in ["rows_train", "rows_stop", "rows_test"].into_iter().zip(report.rows) {
        add(name, rows as f64);
    }
    add("rounds", f64::from(report.rounds));
    add(Manifest::BASE_RATES_ONLY, f64::from(u8::from(report.rounds == 0)));
    for (name, rate) in
        ["base_rate_down", "base_rate_flat", "base_rate_up"].into_iter().zip(report.base_rates)
    {
        add(name, rate);
    }
    if let (Some(test), Some((own, base))) = (&report.test, report.scores()) {
        add("accuracy", own.accuracy);
        add("log_loss", own.log_loss);
        add("brier", own.brier);
        add("accuracy_of_base_rates", base.accuracy);
        add("log_loss_of_base_rates", base.log_loss);
        add("brier_of_base_rates", base.brier);
        add("brier_skill", test.skill.value);
        if let Some((low, high)) = test.skill.interval {
            add("brier_skill_low", low);
            add("brier_skill_high", high);
        }
    }
    for (place, fold) in report.folds.iter().enumerate() {
        if let Some(skill) = fold.skill {
            add(&format!("brier_skill_of_fold_{}", place + 1), skill.value);
        }
    }
    // Six decimals are more than is known.
    named.into_iter().map(|(name, value)| (name, (value * 1e6).round() / 1e6)).collect()
}

fn provenance(settings: &Settings, report: &TimeframeReport) -> String {
    let [train, stop, test] = report.rows;
    let learner = if report.rounds > 0 {
        format!("{}, stopped after {} rounds", report.params, report.rounds)
    } else if train < settings.bounds.rows_min || stop == 0 {
        format!("too little history to learn from ({train} rows, {stop} to stop by): says the base rates")
    } else {
        "nothing learnt that held out of fold: says the base rates".to_string()
    };
    format!(
        "{}; wingspread train {}, seed {}; {learner}; calibration {}; {} parameters tried on {} walk-forward folds; \
         metrics from the newest {test} rows, which nothing was chosen by, purged and embargoed",
        settings.source.trim(),
        env!("CARGO_PKG_VERSION"),
        settings.seed,
        report.calibration,
        report.tried.len(),
        report.folds.len(),
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
fn golden_rows(split: &Fold<'_>, seed: u64) -> Vec<Row> {
    let source = if split.test.len() >= GOLDEN_ROWS { &split.test } else { &split.train };
    let step = (source.len() / GOLDEN_ROWS).max(1);
    let mut rows: Vec<Row> = source.iter().step_by(step).take(GOLDEN_ROWS).map(|e| e.row).collect();
    let mut chance = ChaCha8Rng::seed_from_u64(seed ^ CLASSES as u64);
    while rows.len() < GOLDEN_ROWS {
        rows.push(drawn(&mut chance));
    }
    rows
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::learner::tests::{BOUNDS, NETWORK, TREES};
    use forecast::LabelRule;
    use indicators::FEATURES;
    use market::quote::Bar;
    use market::time::MINUTE;
    use market::{Money, Price, Symbol, session};

    /// Settings for tests: small and quick.
    pub(crate) fn settings() -> Settings {
        Settings {
            prefix: Label::literal("test"),
            version: Label::literal("1.0.0"),
            seed: 7,
            timeframes: Timeframe::ALL.to_vec(),
            horizon_bars: [5, 3, 2, 2, 2, 1, 5, 2, 1, 1],
            label: LabelRule::Horizon { threshold_atr: 0.27 },
            learners: vec![Learner::Network],
            network: NETWORK,
            trees: TREES,
            trials: 1,
            folds: 2,
            test_share: 0.2,
            stop_share: 0.15,
            bounds: BOUNDS,
            only_skilled: false,
            threads: 2,
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
        let settings = Settings { learners: vec![Learner::Network, Learner::Trees], ..settings() };
        let report = train(&histories, &settings, one.path()).expect("trains");
        // On another number of threads.
        train(&histories, &Settings { threads: 1, ..settings }, two.path()).expect("trains again");
        assert_eq!(report.models.len(), Timeframe::COUNT);
        for model in &report.models {
            let folder = model.folder.as_deref().expect("written");
            let again = two.path().join(folder.strip_prefix(one.path()).expect("inside"));
            for file in ["model.onnx", "manifest.yaml", "golden.json"] {
                let read = |folder: &Path| std::fs::read(folder.join(file)).expect("written");
                assert!(read(folder) == read(&again), "{} {file}", model.timeframe);
            }
            check_bundle(folder, model.timeframe);
        }
        let minute = &report.models[0];
        let (own, base) = minute.scores().expect("enough minutes");
        assert!(own.log_loss < 0.8 * base.log_loss, "a swing can be learnt: {report}");
        let year = &report.models[9];
        assert_eq!((year.rounds, year.rows, year.scores()), (0, [0; 3], None), "{report}");
        assert!(minute.has_skill() && !year.has_skill(), "{report}");
    }

    /// Labels of different lengths of two symbols: what is fitted to had been decided when what it is held against began.
    #[test]
    fn a_calibration_is_tried_on_what_came_after() {
        let at = |second: i64| market::Timestamp::from_seconds(second);
        let said: Vec<Judged> = (0..200)
            .flat_map(|second| [1, 9].map(|long| (second, second + long)))
            .map(|(from, to)| Judged {
                at: at(from),
                until: at(to),
                odds: [0.3, 0.4, 0.3],
                base: [0.3, 0.4, 0.3],
                class: 1,
            })
            .collect();
        let (older, newer) = halves(&said);
        let known = older.iter().map(|j| j.until).max().expect("some");
        assert!(known < newer[0].at, "purged");
        assert!(newer.iter().all(|j| j.at >= newer[0].at) && newer.len() == 200);
        // Of the one symbol the last, of the other the last nine.
        assert_eq!(older.len(), 200 - 1 - 9);
        assert!(halves(&[]).0.is_empty());
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
        let bad = Settings { test_share: 0.0, trials: 0, source: " ".into(), ..settings() };
        let fault = train(&[], &bad, folder.path()).expect_err("three faults").to_string();
        assert_eq!(fault.lines().count(), 3, "{fault}");
        assert!(matches!(train(&[], &settings(), folder.path()), Err(Fault::NoHistory)));
        std::fs::create_dir_all(folder.path().join("test-1week/1.0.0")).expect("dir");
        let history = [swinging("AAA", 30, 0)];
        assert!(matches!(train(&history, &settings(), folder.path()), Err(Fault::Exists(_))));
        assert!(!folder.path().join("test-1min").exists(), "nothing is written when anything is in the way");
    }
}
