//! The first look at a bundle, made by a child of this process: the program runs itself again with limits on time,
//! memory and files, because some model files hang or blow up inside any loader. The child says one line; whatever
//! else becomes of it (killed, crashed, silent) is a refusal too.

use crate::clock::monotonic_ns;
use onnx::{Because, Finding, Refused};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The command the child is started with.
pub const COMMAND: &str = "vet-model";
/// Has a child's allocator reserve little (KiB) at a time: it takes a GiB of addresses at once otherwise, which a bound on
/// memory counts.
pub const SMALL_RESERVE: (&str, &str) = ("MIMALLOC_ARENA_RESERVE", "32768");
/// How often a child is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(4);
/// Most bytes taken of what a child says.
const SAID_MAX: u64 = 64 * 1024;

/// What a look may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How much of a model is taken.
    pub limits: onnx::Limits,
    /// Longest look, on the wall clock; the processor's time is bounded alike.
    pub time: Duration,
    /// Most memory the child may map, bytes.
    pub memory_bytes: u64,
    /// Longest answer of a model, nanoseconds.
    pub answer_ns_max: u64,
}

/// Whoever looks at bundles.
#[derive(Clone, Debug)]
pub struct Vetting {
    /// The program that knows [`COMMAND`]; `None` looks in this process, without limits on time and memory.
    pub program: Option<PathBuf>,
    /// What a look may cost.
    pub bounds: Bounds,
    /// Set by whoever wants no more looks: a child at work is ended.
    pub ended: Arc<AtomicBool>,
}

impl Vetting {
    /// Whoever looks by `program`.
    pub fn new(program: Option<PathBuf>, bounds: Bounds) -> Self {
        Self { program, bounds, ended: Arc::default() }
    }

    /// True once no more looks are wanted: what a look says then says nothing about the bundle.
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Looks at a bundle. Takes milliseconds, and never longer than the time allowed: not on a thread that trades.
    pub fn look(&self, folder: &Path) -> Finding {
        match &self.program {
            None => {
                onnx::inspect::inspect(folder, &self.bounds.limits, self.bounds.answer_ns_max, &monotonic_ns)
            }
            Some(program) => self.ask(program, folder, None),
        }
    }

    /// Has the child misbehave in a known way, to see that its bounds hold.
    pub fn drill(&self, folder: &Path, drill: &str) -> Finding {
        match &self.program {
            Some(program) => self.ask(program, folder, Some(drill)),
            None => {
                let found = "there is no child process to try";
                refused(folder, found, "run the program itself", Because::Circumstance)
            }
        }
    }

    fn ask(&self, program: &Path, folder: &Path, drill: Option<&str>) -> Finding {
        if self.is_ended() {
            return refused(folder, "nobody looks any more", "start again", Because::Circumstance);
        }
        let child = match self.command(program, folder, drill).spawn() {
            Ok(child) => child,
            Err(e) => {
                let found = format!("no process to look at it ({e})");
                return refused(folder, &found, "start again, or touch its files", Because::Circumstance);
            }
        };
        self.hear(child, folder)
    }

    /// Without the environment: it holds the broker's keys.
    fn command(&self, program: &Path, folder: &Path, drill: Option<&str>) -> Command {
        let Bounds { limits, time, memory_bytes, answer_ns_max } = &self.bounds;
        let mut command = Command::new(program);
        // In a group of its own: Ctrl-C at a terminal is for the engine, which ends it.
        command.env_clear().current_dir("/").process_group(0).arg(COMMAND);
        command.envs([SMALL_RESERVE]);
        // The child stands elsewhere, and a link that leads to the folder ends here.
        command.arg(std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf()));
        // Half the time on the wall: what computes for ever meets this bound first, which is the file's own doing.
        let seconds = (time.as_secs() / 2).max(1);
        let numbers = [
            ("--processor-seconds", seconds),
            ("--memory-bytes", *memory_bytes),
            ("--answer-ns-max", *answer_ns_max),
            ("--bytes-max", limits.bytes_max as u64),
            ("--nodes-max", limits.nodes_max as u64),
            ("--parent", u64::from(std::process::id())),
        ];
        for (name, number) in numbers {
            command.arg(name).arg(number.to_string());
        }
        if let Some(drill) = drill {
            command.arg("--drill").arg(drill);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn hear(&self, mut child: Child, folder: &Path) -> Finding {
        let status = match self.wait(&mut child) {
            Ok(Some(status)) => status,
            Ok(None) => {
                let found = format!("looking at it took longer than {:?} and was ended", self.bounds.time);
                // On the wall clock it may have been the machine; what computes for ever meets the other bound.
                let remedy = "use a smaller model, or raise `models.vet_time`";
                return refused(folder, &found, remedy, Because::Circumstance);
            }
            Err(e) => {
                let found = format!("the look at it cannot be followed ({e})");
                return refused(folder, &found, "start again, or touch its files", Because::Circumstance);
            }
        };
        let said = child.stdout.take().map(taken).unwrap_or_default();
        if status.success()
            && let Some(finding) = said.lines().last().and_then(|line| serde_json::from_str(line).ok())
        {
            return finding;
        }
        let complaint = child.stderr.take().map(taken).unwrap_or_default();
        let (found, remedy, because) = self.ending(status, &complaint);
        refused(folder, &found, remedy, because)
    }

    /// How it ended; `None` when it had to be killed.
    fn wait(&self, child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
        let begun_ns = monotonic_ns();
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(Some(status)),
                Ok(None) => {}
                Err(e) => {
                    // Nobody follows it any more.
                    let _ = child.kill();
                    return Err(e);
                }
            }
            if self.is_ended() || u128::from(monotonic_ns() - begun_ns) >= self.bounds.time.as_nanos() {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// What became of a child that did not answer.
    fn ending(&self, status: ExitStatus, complaint: &str) -> (String, &'static str, Because) {
        use std::os::unix::process::ExitStatusExt;
        const SIGXCPU: i32 = 24;
        /// SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV: what a loader that breaks ends by.
        const CRASHES: [i32; 5] = [4, 6, 7, 8, 11];
        const PANICKED: i32 = 101;
        let mebibytes = self.bounds.memory_bytes >> 20;
        let starved = ["memory allocation of", "failed to allocate", "out of memory"];
        if starved.iter().any(|words| complaint.contains(words)) {
            return (
                format!("looking at it takes more memory than {mebibytes} MiB"),
                "use a model that unfolds to less, or raise `models.vet_memory`",
                Because::Circumstance,
            );
        }
        if status.signal() == Some(SIGXCPU) {
            let found = format!("looking at it took more than {:?} of processor time", self.bounds.time);
            return (found, "use a smaller model without loops", Because::Files);
        }
        let last = complaint.lines().last().unwrap_or("it said nothing");
        let last: String = last.chars().filter(|c| *c != ';').take(200).collect();
        // Ended from outside, or not able to confine itself: that says nothing about the file.
        let has_crashed = status.signal().is_some_and(|signal| CRASHES.contains(&signal));
        if !has_crashed && status.code() != Some(PANICKED) {
            let found = format!("the process that looks at it gave no answer ({status}: {last})");
            return (found, "see `wingspread check`", Because::Circumstance);
        }
        let found = format!("it crashed the loader ({status}: {last})");
        (found, "export it again with another exporter", Because::Files)
    }
}

fn refused(folder: &Path, found: &str, remedy: &str, because: Because) -> Finding {
    Finding::Refused(Refused { reason: format!("{}: {found}; {remedy}", folder.display()), because })
}

/// What came out of a pipe, cut where it grows too long.
fn taken(pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // What could be read before a fault is all there is to know.
    let _ = pipe.take(SAID_MAX).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vetting(program: &str) -> Vetting {
        let time = Duration::from_millis(300);
        let limits = onnx::Limits::TABULAR;
        let bounds = Bounds { limits, time, memory_bytes: 1 << 30, answer_ns_max: 1_000_000 };
        Vetting::new(Some(program.into()), bounds)
    }

    fn reason(finding: Finding) -> String {
        match finding {
            Finding::Refused(refused) => refused.reason,
            Finding::Sound(sound) => panic!("{sound:?}"),
        }
    }

    #[test]
    fn a_child_that_says_nothing_useful_is_a_refusal() {
        let said = reason(vetting("/bin/true").look(Path::new("/tmp")));
        assert!(said.contains("gave no answer") && said.contains("exit status: 0"), "{said}");
        let said = reason(vetting("/nowhere/at/all").look(Path::new("/tmp")));
        assert!(said.contains("no process"), "{said}");
    }

    #[test]
    fn a_child_that_does_not_end_is_killed() {
        let sleeper = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/sleeper.sh");
        let said = reason(vetting(sleeper).look(Path::new("/tmp")));
        assert!(said.contains("longer than 300ms"), "{said}");
    }

    /// The look could take an hour; the test would too.
    #[test]
    fn a_child_at_work_ends_when_no_look_is_wanted_any_more() {
        let sleeper = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/sleeper.sh");
        let mut vetting = vetting(sleeper);
        vetting.bounds.time = Duration::from_secs(3600);
        let ended = vetting.ended.clone();
        let look = std::thread::spawn(move || vetting.look(Path::new("/tmp")));
        ended.store(true, Ordering::Relaxed);
        reason(look.join().expect("an answer"));
    }
}
