//! Training while the engine runs: after a session's close, or when models drift, a child process of the lowest priority
//! learns from the record and leaves what is worth it in the models folder, by the same door as anybody's. The
//! main thread looks in between its rounds and waits for nothing; what happens is told as alerts on record.

use crate::settings::{Settings, Training};
use live::control::Tell;
use market::alert::Severity;
use market::session::session;
use market::time::SECOND;
use market::{Date, Timestamp};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What the child says goes here, in the journal's folder; each training writes it anew.
const LOG: &str = "training.log";
/// As much of the log's end is read for an alert.
const LOG_END: u64 = 2_000;

/// What is decided without knowing how a child is started.
#[derive(Clone, Debug)]
struct Plan {
    settings: Training,
    /// The last session trained after.
    trained: Option<Date>,
    /// When the last training began.
    begun: Option<Timestamp>,
    /// Drift told of when the last training began.
    drifts: u64,
}

impl Plan {
    /// Why training should begin now, if it should.
    fn due(&mut self, now: Timestamp, drifts: u64) -> Option<String> {
        let (today, _) = now.new_york();
        let close = session(today).map(|session| session.close);
        let after = self.settings.after_close.as_nanos() as i64;
        let is_closed = close.is_some_and(|close| now >= close + after);
        if self.settings.daily && is_closed && self.trained != Some(today) {
            self.begin(now, drifts);
            return Some(format!("the session of {today} is over"));
        }
        let rested = self.begun.is_none_or(|begun| now.since(begun) >= self.settings.rest.as_nanos() as i64);
        if self.settings.on_drift && drifts > self.drifts && rested {
            let count = drifts - self.drifts;
            self.begin(now, drifts);
            return Some(format!("{count} times drift was told"));
        }
        None
    }

    fn begin(&mut self, now: Timestamp, drifts: u64) {
        let (today, _) = now.new_york();
        let is_closed = session(today).is_some_and(|session| now >= session.close);
        // A training after the close has seen the whole session, whatever it began for.
        self.trained = if is_closed { Some(today) } else { self.trained };
        self.begun = Some(now);
        self.drifts = drifts;
    }
}

/// A child at work.
struct Running {
    child: Child,
    begun_ns: u64,
}

/// The trainer beside a running engine.
pub struct Adaptive {
    plan: Plan,
    /// The program that trains: this one, or the one beside a tool.
    program: Option<PathBuf>,
    /// What it is told; the version comes after.
    arguments: Vec<String>,
    log: PathBuf,
    running: Option<Running>,
}

impl Adaptive {
    /// As the settings say, over the journal in `folder`.
    pub fn new(settings: &Settings, folder: &Path) -> Self {
        let program = crate::wire::vetting_program();
        Self::of(settings.training.clone(), program, arguments(settings, folder), folder)
    }

    fn of(settings: Training, program: Option<PathBuf>, arguments: Vec<String>, folder: &Path) -> Self {
        let plan = Plan { settings, trained: None, begun: None, drifts: 0 };
        Self { plan, program, arguments, log: folder.join(LOG), running: None }
    }

    /// Looks after the child, or begins a training that is due. Never waits. `drifts` is how often drift was told in this
    /// run. Answers what the operator should know.
    pub fn look(&mut self, now: Timestamp, drifts: u64) -> Option<Tell> {
        if self.running.is_some() {
            return self.look_after();
        }
        let why = self.plan.due(now, drifts)?;
        let version = version(now);
        match self.spawn(&version) {
            Ok(running) => {
                self.running = Some(running);
                Some(tell(Severity::Info, "training_begun", format!("version {version}: {why}")))
            }
            Err(e) => Some(tell(Severity::Warning, "training_failed", format!("does not start: {e}"))),
        }
    }

    fn spawn(&self, version: &str) -> std::io::Result<Running> {
        let log = File::create(&self.log)?;
        let missing = || std::io::Error::other("no `wingspread` program beside this one");
        // Without the environment: it holds the broker's keys, and training needs nothing of it.
        let child = Command::new(self.program.as_ref().ok_or_else(missing)?)
            .env_clear()
            .envs([live::vetting::SMALL_RESERVE])
            .args(&self.arguments)
            .args(["--version", version, "--parent", &std::process::id().to_string()])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Running { child, begun_ns: live::clock::monotonic_ns() })
    }

    fn look_after(&mut self) -> Option<Tell> {
        let running = self.running.as_mut()?;
        let passed = Duration::from_nanos(live::clock::monotonic_ns() - running.begun_ns);
        let ended = match running.child.try_wait() {
            Ok(None) if passed < self.plan.settings.time_max => return None,
            Ok(None) => {
                self.end();
                let limit = self.plan.settings.time_max.as_secs();
                let text = format!("killed after {limit} s (training.time_max)");
                return Some(tell(Severity::Warning, "training_failed", text));
            }
            ended => ended,
        };
        self.end();
        let last = last_line(&self.log).unwrap_or_else(|| "said nothing".into());
        Some(match ended {
            Ok(Some(status)) if status.success() => {
                tell(Severity::Info, "training_done", format!("{} s: {last}", passed.as_secs()))
            }
            Ok(status) => {
                let how = status.map_or(String::new(), |status| status.to_string());
                tell(Severity::Warning, "training_failed", format!("{how}: {last}"))
            }
            Err(e) => tell(Severity::Warning, "training_failed", format!("lost sight of it: {e}")),
        })
    }

    /// Ends the child, if there is one.
    fn end(&mut self) {
        if let Some(mut running) = self.running.take() {
            // It may have ended by itself a moment ago.
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

impl Drop for Adaptive {
    /// Nobody trains for an engine that has ended.
    fn drop(&mut self) {
        self.end();
    }
}

/// What the child is told.
fn arguments(settings: &Settings, folder: &Path) -> Vec<String> {
    let training = &settings.training;
    let path = |path: &Path| path.display().to_string();
    let mut words: Vec<String> =
        ["train", "--from", "journal", "--background", "--only-skilled"].map(String::from).to_vec();
    words.extend(["--journal".into(), path(folder), "--out".into(), path(&settings.models.folder)]);
    words.extend(["--report".into(), path(&folder.join("training.html"))]);
    words.extend([
        "--learner".into(),
        training.learner.clone(),
        "--trials".into(),
        training.trials.to_string(),
    ]);
    words.extend(["--memory-max".into(), training.memory_max_bytes.to_string()]);
    words
}

/// Later is higher, part by part, as versions are compared: `20261122.160500`.
fn version(now: Timestamp) -> String {
    let (date, of_day) = now.new_york();
    let s = of_day / SECOND;
    let date: String = date.to_string().chars().filter(char::is_ascii_digit).collect();
    format!("{date}.{:02}{:02}{:02}", s / 3600, s / 60 % 60, s % 60)
}

fn tell(severity: Severity, what: &'static str, detail: String) -> Tell {
    Tell { severity, what, detail }
}

/// The last line of a file that says anything.
fn last_line(log: &Path) -> Option<String> {
    let mut file = File::open(log).ok()?;
    let from = file.metadata().ok()?.len().saturating_sub(LOG_END);
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut end = Vec::new();
    file.read_to_end(&mut end).ok()?;
    String::from_utf8_lossy(&end)
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::time::{HOUR, MINUTE};

    fn settings() -> Training {
        Training {
            daily: true,
            on_drift: true,
            after_close: Duration::from_secs(600),
            rest: Duration::from_secs(6 * 3600),
            time_max: Duration::from_secs(60),
            memory_max_bytes: 1 << 30,
            learner: "both".into(),
            trials: 2,
        }
    }

    fn plan(settings: Training) -> Plan {
        Plan { settings, trained: None, begun: None, drifts: 0 }
    }

    #[test]
    fn once_after_every_close_and_on_drift_but_not_always() {
        let day = |day| session(Date::literal(2026, 3, day)).expect("a session");
        let mut plan = plan(settings());
        assert_eq!(plan.due(day(2).open + HOUR, 0), None);
        assert_eq!(plan.due(day(2).close + 9 * MINUTE, 0), None);
        assert!(plan.due(day(2).close + 10 * MINUTE, 0).expect("over").contains("2026-03-02"));
        assert_eq!(plan.due(day(2).close + 11 * MINUTE, 0), None);
        // Drift: not again within six hours, whatever is told.
        assert_eq!(plan.due(day(2).close + HOUR, 3), None);
        assert!(plan.due(day(3).open + HOUR, 3).expect("rested").starts_with("3 times"));
        assert!(plan.due(day(3).open + 7 * HOUR, 3).expect("the close").contains("2026-03-03"));
        // Nothing on a Saturday.
        assert_eq!(plan.due(day(6).close + 20 * HOUR, 3), None);
        let mut off = super::tests::plan(Training { daily: false, on_drift: false, ..settings() });
        assert_eq!(off.due(day(2).close + HOUR, 9), None);
    }

    #[test]
    fn what_the_child_is_told_is_what_the_program_takes() {
        use clap::Parser;
        let settings =
            crate::settings::load(Path::new("config/wingspread.yaml")).expect("the shipped settings");
        let told = arguments(&settings, Path::new("run/journal"));
        let words = std::iter::once("wingspread".into())
            .chain(told)
            .chain(["--version", "1", "--parent", "7"].map(String::from));
        let cli = crate::cli::Cli::try_parse_from(words).expect("every option is known");
        let Some(crate::cli::Command::Train(train)) = cli.command else { panic!("{cli:?}") };
        assert!(train.background && train.only_skilled);
        assert_eq!(train.memory_max, Some(settings.training.memory_max_bytes as u64));
        assert_eq!(cli.run.journal.as_deref(), Some(Path::new("run/journal")));
    }

    #[test]
    fn later_versions_are_higher() {
        let at = Date::literal(2026, 11, 22).at_new_york(0);
        assert_eq!(version(at + 16 * HOUR + 5 * MINUTE), "20261122.160500");
        assert_eq!(version(at + 9 * HOUR), "20261122.090000");
    }

    /// A shell in the program's place.
    fn shell(script: &str, time_max: Duration) -> (tempfile::TempDir, Adaptive) {
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = vec!["-c".into(), script.into()];
        let settings = Training { time_max, ..settings() };
        let adaptive = Adaptive::of(settings, Some("/bin/sh".into()), arguments, folder.path());
        (folder, adaptive)
    }

    fn told(adaptive: &mut Adaptive) -> [Tell; 2] {
        let now = session(Date::literal(2026, 3, 2)).expect("a session").close + HOUR;
        let begun = adaptive.look(now, 0).expect("it is due");
        loop {
            if let Some(ended) = adaptive.look(now, 0) {
                assert!(adaptive.look(now, 0).is_none(), "once");
                return [begun, ended];
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn a_child_that_ends_well_is_told_with_its_last_word() {
        let (_folder, mut adaptive) = shell("echo first; echo \"Written to $0 $1\"", Duration::from_secs(60));
        let [begun, ended] = told(&mut adaptive);
        assert_eq!((begun.what, ended.what), ("training_begun", "training_done"));
        assert!(begun.detail.starts_with("version 20260302.170000"), "{}", begun.detail);
        assert!(ended.detail.ends_with("Written to --version 20260302.170000"), "{}", ended.detail);
    }

    #[test]
    fn a_child_that_fails_or_hangs_is_told_and_gone() {
        let (_folder, mut adaptive) = shell("echo no bars >&2; exit 1", Duration::from_secs(60));
        let [_, ended] = told(&mut adaptive);
        assert_eq!((ended.what, ended.severity), ("training_failed", Severity::Warning));
        assert!(ended.detail.contains("no bars"), "{}", ended.detail);
        let (folder, mut adaptive) = shell("echo $$ > pid; exec sleep 1000", Duration::from_millis(500));
        let script = format!("echo $$ > {}/pid; exec sleep 1000", folder.path().display());
        adaptive.arguments[1] = script;
        let [_, ended] = told(&mut adaptive);
        assert!(ended.detail.contains("training.time_max"), "{}", ended.detail);
        let pid = std::fs::read_to_string(folder.path().join("pid")).expect("it began");
        assert!(!Path::new("/proc").join(pid.trim()).exists(), "{pid} lives on");
        let (_folder, mut adaptive) = shell("true", Duration::from_secs(60));
        adaptive.program = Some("/nowhere/at/all".into());
        let now = session(Date::literal(2026, 3, 2)).expect("a session").close + HOUR;
        assert_eq!(adaptive.look(now, 0).expect("told").what, "training_failed");
    }
}
