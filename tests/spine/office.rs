//! A place to run the program in: a folder with settings and a journal, and the engine started in it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. A machine that works needs a small part of it.
const PATIENCE: Duration = Duration::from_secs(300);
/// Time between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(250);
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// One engine at a time: each keeps a machine of two cores busy, and the tests of a binary run side by side.
static TURN: Mutex<()> = Mutex::new(());

/// Settings that trade soon, as `section`, `key`, `value`.
const EAGER: [(&str, &str, &str); 5] = [
    ("entry", "confidence_min", "0.3"),
    ("entry", "agreement_min", "0.1"),
    ("entry", "after_open", "0s"),
    ("entry", "cooldown", "1m"),
    ("risk", "after_open", "0s"),
];

/// A folder with settings and a journal in it, and this test's turn.
pub struct Office {
    folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// What a finished program left.
#[derive(Debug)]
pub struct Done {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// What it printed, after checking that it went well.
    pub fn well(self) -> String {
        assert!(self.status.success(), "{self:#?}");
        self.stdout
    }

    /// What it complained of, after checking that it failed by its own exit, not by a panic or a signal.
    pub fn refused(self) -> String {
        assert_eq!(self.status.code(), Some(1), "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        self.stderr
    }
}

impl Office {
    /// Fresh settings from `config/`, eager to trade, with the shipped models.
    pub fn open() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let office = Self { folder: tempfile::tempdir().expect("a temporary folder"), _turn: turn };
        for entry in std::fs::read_dir(Path::new(ROOT).join("config")).expect("config/").flatten() {
            if entry.path().extension().is_some_and(|e| e == "yaml") {
                std::fs::copy(entry.path(), office.path(&entry.file_name().to_string_lossy()))
                    .expect("a copy");
            }
        }
        for (section, key, value) in EAGER {
            office.set(section, key, value);
        }
        office.set("models", "folder", &shipped_models().display().to_string());
        office
    }

    /// A file or folder in here.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sets a value of the settings file; an empty section is the top level.
    pub fn set(&self, section: &str, key: &str, value: &str) {
        let file = self.path("wingspread.yaml");
        let text = std::fs::read_to_string(&file).expect("settings");
        let (mut within, mut set) = (String::new(), 0);
        let indent = if section.is_empty() { "" } else { "  " };
        let mut line_of = |line: &str| {
            if line.starts_with(|c: char| c.is_ascii_lowercase()) {
                within = line.split(':').next().unwrap_or_default().to_string();
            }
            let here = section.is_empty() || within == section;
            if here && line.starts_with(&format!("{indent}{key}:")) {
                set += 1;
                return format!("{indent}{key}: {value}\n");
            }
            format!("{line}\n")
        };
        let changed: String = text.lines().map(&mut line_of).collect();
        assert_eq!(set, 1, "`{section}.{key}` stands once in config/wingspread.yaml");
        std::fs::write(file, changed).expect("settings written");
    }

    /// The program with these words, the settings and the journal of this office, and none of the broker's keys.
    pub fn program(&self, words: &[&str]) -> Command {
        self.program_with("wingspread.yaml", words)
    }

    /// The same with another settings file.
    pub fn program_with(&self, settings: &str, words: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_wingspread"));
        program.current_dir(ROOT).args(words);
        program.arg("--config").arg(self.path(settings)).arg("--journal").arg(self.path("journal"));
        for name in ["APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "WINGSPREAD_VENUE_SPEED"] {
            program.env_remove(name);
        }
        program
    }

    /// Runs the program to its end.
    pub fn run(&self, words: &[&str]) -> Done {
        Running::start(self.program(words)).wait()
    }

    /// Starts the engine; it runs until told otherwise.
    pub fn engine(&self) -> Running {
        Running::start(self.program(&["--speed", "60"]))
    }
}

/// The models that come with the program.
pub fn shipped_models() -> PathBuf {
    Path::new(ROOT).join("models")
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target);
        } else {
            std::fs::copy(source, target).expect("a copy");
        }
    }
}

/// A program that runs, and what it has printed so far. It is killed when a test ends early.
pub struct Running {
    child: Child,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts it.
    pub fn start(mut program: Command) -> Self {
        program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.spawn().expect("the program starts");
        let (stdout, stderr) = (Arc::default(), Arc::default());
        let readers = vec![
            collect(child.stdout.take().expect("piped"), Arc::clone(&stdout)),
            collect(child.stderr.take().expect("piped"), Arc::clone(&stderr)),
        ];
        Self { child, stdout, stderr, readers }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    pub fn said(&self) -> String {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn complained(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until `look` finds what it looks for, while the program runs.
    pub fn until<T>(&mut self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            let ended = self.child.try_wait().expect("its own child");
            let late = begun.elapsed() > PATIENCE;
            assert!(
                ended.is_none() && !late,
                "waiting for {what}: {ended:?}\n{}\n{}",
                self.said(),
                self.complained()
            );
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until it is up: its control socket answers.
    pub fn until_it_answers(&mut self, office: &Office) {
        self.until("an answer to `tell status`", |_| {
            office.run(&["tell", "status"]).status.success().then_some(())
        });
    }

    /// Kills it as a power cut would: no word to it, no time for it.
    pub fn kill_dead(mut self) {
        self.child.kill().expect("its own child");
        self.child.wait().expect("its own child");
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Done {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("its own child") {
                break status;
            }
            let late = begun.elapsed() > PATIENCE;
            assert!(!late, "it does not end\n{}\n{}", self.said(), self.complained());
            std::thread::sleep(Duration::from_millis(20));
        };
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader");
        }
        Done { status, stdout: self.said(), stderr: self.complained() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already when the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(from: impl Read + Send + 'static, into: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut text = into.lock().unwrap_or_else(PoisonError::into_inner);
            text.push_str(&line);
            text.push('\n');
        }
    })
}
