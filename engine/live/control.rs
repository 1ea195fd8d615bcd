//! The control room: one thread that folds letters into the view, gathers the histograms of the trading threads and
//! answers `wingspread tell` and `wingspread latency` on a Unix socket in the run's folder. Only the user who
//! started the engine can open that socket, so it needs no token. It comes by on its own time and never makes the
//! trading thread wait.

use crate::clock::monotonic_ns;
use crate::floor::Deliver;
use crate::look::{Look, Seen};
use crate::stages::{self, Stages};
use crossbeam::queue::ArrayQueue;
use desk::letter::{Address, Envelope, Letter};
use desk::view::View;
use forecast::shelf::notes::{ShelfCommand, ShelfLetter};
use journal::Health;
use market::Label;
use market::Symbol;
use market::alert::{AlertNote, Severity};
use market::feed::{FeedName, FeedNote, FeedState};
use market::order::ReasonText;
use risk::command::Command;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the room looks at its queues.
const ROUND: Duration = Duration::from_millis(20);
/// How long a client of the socket may take to say its line.
const LINE_WAIT: Duration = Duration::from_millis(500);
/// How long the shelf may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// How long a trading thread may take to hand over its histograms.
const STAGES_WAIT: Duration = Duration::from_secs(2);

/// Name of the socket in the run's folder.
pub const SOCKET: &str = "control.sock";

/// Asks a thread's floor for its histograms: the empty set is left in their place.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct TakeStages {
    /// The empty set.
    pub spare: Box<Stages>,
    /// Where the full one goes.
    pub reply: crossbeam::channel::Sender<Box<Stages>>,
}

/// Something the operator should know that no seat says: on record, then to the views.
#[derive(Clone, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub struct Tell {
    /// How bad.
    pub severity: market::alert::Severity,
    /// A name that stays the same: `training_done`.
    pub what: &'static str,
    /// Details; cut when they are long.
    pub detail: String,
}

/// What the control room is connected to.
pub struct Lines {
    /// Letters for the view.
    pub letters: Arc<ArrayQueue<Envelope>>,
    /// Every trading thread's floor.
    pub floors: Vec<actix::Recipient<TakeStages>>,
    /// Where alerts go on record.
    pub alerts: actix::Recipient<Tell>,
    /// Where a look at a symbol's seat is asked for.
    pub looks: Vec<(Symbol, actix::Recipient<Look>)>,
    /// The shelf of models.
    pub shelf: actix::Recipient<Deliver>,
    /// Every seat a command goes to.
    pub command_to: Vec<(Address, actix::Recipient<Deliver>)>,
    /// The engine's clock.
    pub clock: crate::clock::Clock,
    /// Set by anyone: the engine should stop in order.
    pub stop: Arc<AtomicBool>,
    /// How the journal fares.
    pub journal: journal::writer::Monitor,
}

/// What the room knows, for status lines and summaries.
pub struct Room {
    /// The read model.
    pub view: View,
    /// Histograms and counters of all threads since the start.
    pub stages: Box<Stages>,
    lines: Lines,
    #[expect(
        clippy::vec_box,
        reason = "a box is swapped with a trading thread's: two pointers, not 200 KiB"
    )]
    spares: Vec<Box<Stages>>,
    listener: Option<UnixListener>,
    socket: PathBuf,
    journal_failing: bool,
}

impl Room {
    /// Opens the room and its socket in `folder`. A socket that cannot be opened is told, not fatal: trading does
    /// not depend on it.
    pub fn open(folder: &Path, lines: Lines) -> (Self, Option<String>) {
        let socket = folder.join(SOCKET);
        // A socket file left by a dead process; the journal's lock proves that no living one owns this folder.
        let _ = std::fs::remove_file(&socket);
        let (listener, trouble) = match listen(&socket) {
            Ok(listener) => (Some(listener), None),
            Err(e) => (
                None,
                Some(format!(
                    "{}: cannot open the control socket ({e}); `wingspread tell` and `latency` will not work. \
                     Use a shorter or writable --journal folder",
                    socket.display()
                )),
            ),
        };
        let spares = lines.floors.iter().map(|_| Stages::empty()).collect();
        let (view, stages) = (View::default(), Stages::empty());
        (Self { view, stages, lines, spares, listener, socket, journal_failing: false }, trouble)
    }

    /// One round: letters into the view, the journal's health told, one request answered.
    pub fn round(&mut self) {
        self.look_at_the_journal();
        while let Some(envelope) = self.lines.letters.pop() {
            self.view.fold(&envelope);
        }
        if let Some(listener) = &self.listener
            && let Ok((stream, _)) = listener.accept()
        {
            let mut answer_to = &stream;
            let text = match read_line(&stream) {
                Ok(line) => self.answer(line.trim()),
                Err(e) => format!("error: {e}\n"),
            };
            // The asker may be gone already; that is its own affair.
            let _ = answer_to.write_all(text.as_bytes());
        }
        std::thread::sleep(ROUND);
    }

    /// Gathers the histograms of all threads into `self.stages`.
    pub fn gather(&mut self) {
        let (reply, answers) = crossbeam::channel::bounded(self.lines.floors.len().max(1));
        let mut asked = 0;
        for floor in &self.lines.floors {
            let spare = self.spares.pop().unwrap_or_else(Stages::empty);
            if floor.try_send(TakeStages { spare, reply: reply.clone() }).is_ok() {
                asked += 1;
            }
        }
        for _ in 0..asked {
            let Ok(mut full) = answers.recv_timeout(STAGES_WAIT) else { break };
            self.stages.add(&full);
            full.clear();
            self.spares.push(full);
        }
        self.view.counts.quotes = self.stages.counters.quotes_in;
        self.view.counts.trades = self.stages.counters.trades_in;
    }

    /// Tells the operator something, on record.
    pub fn tell(&self, tell: Tell) {
        self.lines.alerts.do_send(tell);
    }

    /// Sends a command to every seat.
    pub fn command(&self, command: Command) {
        self.tell_seats(&Letter::Command(command));
    }

    /// Tells every seat that the run is about to end: nothing new begins, and risk takes back what opens. Unlike a
    /// command it is forgotten at the next start.
    pub fn tell_stopping(&self) {
        self.tell_seats(&Letter::Stopping);
    }

    /// Orders that open a position and have not ended.
    pub fn opening(&self) -> usize {
        self.view.working.values().filter(|opens| **opens).count()
    }

    fn tell_seats(&self, letter: &Letter) {
        let at = self.lines.clock.now();
        for (to, seat) in &self.lines.command_to {
            let envelope = Envelope { from: Address::Operator, to: *to, at, letter: letter.clone() };
            seat.do_send(Deliver { envelope, origin_ns: 0 });
        }
    }

    /// A journal that cannot write stops entries, through risk, and is told of; one that can again lets them go on.
    fn look_at_the_journal(&mut self) {
        let failing = match self.lines.journal.health() {
            Health::Failing { why } => Some(why),
            Health::Ok | Health::Behind => None,
        };
        if failing.is_some() == self.journal_failing {
            return;
        }
        self.journal_failing = failing.is_some();
        let at = self.lines.clock.now();
        let state = if self.journal_failing { FeedState::Down } else { FeedState::Up };
        let note = FeedNote { feed: FeedName::Journal, state, at };
        if let Some((to, risk)) = self.lines.command_to.iter().find(|(to, _)| *to == Address::Risk) {
            let envelope = Envelope { from: Address::Record, to: *to, at, letter: Letter::Feed(note) };
            risk.do_send(Deliver { envelope, origin_ns: 0 });
        }
        let (severity, what, why) = match failing {
            Some(why) => (Severity::Critical, "journal_failing", why),
            None => (Severity::Info, "journal_writes_again", "what waited in the ring is stored".into()),
        };
        let detail = ReasonText::format(format_args!("{why}"));
        let alert = AlertNote { severity, what: Label::literal(what), detail, at };
        let letter = Letter::Alert(alert);
        self.view.fold(&Envelope { from: Address::Record, to: Address::Operator, at, letter });
    }

    fn answer(&mut self, line: &str) -> String {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "latency" => {
                self.gather();
                stages::table(&self.stages)
            }
            "export" => {
                self.gather();
                match stages::export(&self.stages, Path::new(rest)) {
                    Ok(files) => format!("{} files written to {rest}\n", files.len()),
                    Err(e) => format!("error: {rest}: {e}\n"),
                }
            }
            "status" => {
                self.gather();
                self.status()
            }
            "look" => self.look(rest.trim()),
            "pause" => self.commanded(Command::Pause, "paused: no new risk, exits go on"),
            "resume" => self.commanded(Command::Resume, "resumed"),
            "flatten" => {
                self.commanded(Command::Flatten, "flattening: opening orders canceled, positions closed")
            }
            "kill" => self.commanded(Command::Kill, "killed: every order canceled, nothing more is sent"),
            "models" => self.ask_shelf(rest),
            "stop" => {
                self.lines.stop.store(true, Ordering::Relaxed);
                "stopping in order\n".to_string()
            }
            other => format!(
                "error: `{other}` is not known here: latency, export, status, look, pause, resume, flatten, kill, stop, models\n"
            ),
        }
    }

    /// What a symbol's seat holds, as JSON: for commands that show chains and structures.
    fn look(&self, symbol: &str) -> String {
        let seat = self.lines.looks.iter().find(|(known, _)| known.as_str().eq_ignore_ascii_case(symbol));
        let Some((symbol, seat)) = seat else {
            let known: Vec<&str> = self.lines.looks.iter().map(|(known, _)| known.as_str()).collect();
            return format!("error: `{symbol}` is not traded here; the engine has {}\n", known.join(", "));
        };
        let (reply, answer) = crossbeam::channel::bounded(1);
        if seat.try_send(Look { spare: Seen::empty(*symbol), reply }).is_err() {
            return format!("error: the seat of {symbol} takes no question now; ask again\n");
        }
        let seen = answer.recv_timeout(STAGES_WAIT).map_err(|e| e.to_string());
        match seen.and_then(|seen| serde_json::to_string(&*seen).map_err(|e| e.to_string())) {
            Ok(text) => text + "\n",
            Err(why) => format!("error: the seat of {symbol} did not answer: {why}\n"),
        }
    }

    /// Hands a wish to the shelf and waits for its answer, which comes by like any other letter.
    fn ask_shelf(&mut self, words: &str) -> String {
        let command = match ShelfCommand::parse(words) {
            Ok(command) => command,
            Err(why) => return format!("error: {why}\n"),
        };
        let at = self.lines.clock.now();
        let letter = Letter::Shelf(ShelfLetter::Asked(command));
        let envelope = Envelope { from: Address::Operator, to: Address::Shelf, at, letter };
        self.lines.shelf.do_send(Deliver { envelope, origin_ns: 0 });
        let begun_ns = monotonic_ns();
        while u128::from(monotonic_ns() - begun_ns) < ANSWER_WAIT.as_nanos() {
            while let Some(envelope) = self.lines.letters.pop() {
                self.view.fold(&envelope);
                if let Letter::Shelf(ShelfLetter::Step(note)) = envelope.letter
                    && note.step.is_answer()
                {
                    let error = if note.step.is_refusal() { "error: " } else { "" };
                    return format!("{error}{note}\n");
                }
            }
            std::thread::sleep(ROUND);
        }
        format!(
            "error: `{command}` was handed over, and no answer came; `wingspread models history` shows what became of it\n"
        )
    }

    fn commanded(&self, command: Command, done: &str) -> String {
        self.command(command);
        format!("{done}\n")
    }

    /// The state as JSON, one object.
    fn status(&self) -> String {
        let positions: Vec<_> = self.view.positions.values().collect();
        let value = serde_json::json!({
            "now": self.view.now,
            "counts": self.view.counts,
            "counters": self.stages.counters,
            "refusals": self.view.refusals.iter().map(|(k, n)| (k.to_string(), *n)).collect::<std::collections::BTreeMap<_, _>>(),
            "positions": positions,
            "orders_working": self.view.working.len(),
            "account": self.view.account,
            "fees_usd": self.view.fees,
        });
        format!("{value}\n")
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn listen(socket: &Path) -> std::io::Result<UnixListener> {
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn read_line(stream: &UnixStream) -> std::io::Result<String> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(LINE_WAIT))?;
    stream.set_write_timeout(Some(LINE_WAIT))?;
    let mut line = String::new();
    BufReader::new(std::io::Read::take(stream, 4096)).read_line(&mut line)?;
    Ok(line)
}

/// Asks the engine that runs in `folder`; answers its text.
///
/// # Errors
/// When no engine listens there, with the remedy.
pub fn ask(folder: &Path, line: &str) -> std::io::Result<String> {
    let socket = folder.join(SOCKET);
    let mut stream = UnixStream::connect(&socket).map_err(|e| {
        std::io::Error::new(
            e.kind(),
            format!(
                "no engine answers at {} ({e}). Start one with `wingspread`, or name its folder with --journal",
                socket.display()
            ),
        )
    })?;
    stream.write_all(line.as_bytes())?;
    stream.write_all(b"\n")?;
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer)?;
    Ok(answer)
}
