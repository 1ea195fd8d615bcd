//! A market-data session as a state machine without I/O: it is told what happened and when, and says what to
//! do. All its times are nanoseconds of one monotonic clock, handed in; venue stamps only serve to name gaps.
//!
//! ```text
//! waiting -> connecting -> greeting -> authenticating -> subscribing -> live
//!    ^___________________________ any failure, after a pause ____________|
//! ```

use crate::backoff::Backoff;
use crate::control::{Action, Channels, Control, code};
use crate::heartbeat::{Beat, Heartbeat};
use crate::keys::Keys;
use crate::wire::{DataFeed, Encoding};
use market::Timestamp;
use market::feed::FeedState;
use std::collections::{BTreeSet, VecDeque};

/// How a session behaves. All times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct SessionSettings {
    /// Longest wait for a connection, TLS and upgrade included.
    pub connect_limit_ns: u64,
    /// Longest wait for each answer of log-in and subscription.
    pub answer_limit_ns: u64,
    /// Time between pings (the broker's own SDKs: 10 s).
    pub ping_every_ns: u64,
    /// Longest silence after a ping before the connection counts as dead.
    pub pong_limit_ns: u64,
    /// Longest time without data, while data is expected, before the feed counts as mute.
    pub mute_ns: u64,
    /// First pause before connecting again.
    pub backoff_first_ns: u64,
    /// Longest pause before connecting again.
    pub backoff_max_ns: u64,
    /// How often a log-in is repeated on one socket while another connection holds the endpoint (the venue
    /// needs seconds to notice that our last one died).
    pub login_repeats_max: u32,
    /// Most symbols in one subscription message.
    pub subscribe_chunk: usize,
    /// What the plan allows.
    pub limits: PlanLimits,
    /// Seed of the jitter.
    pub seed: u64,
}

/// What the data plan allows on one connection; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanLimits {
    /// Distinct stock symbols (Basic: 30).
    pub stock_symbols: Option<usize>,
    /// Option contracts with quotes (Basic: 200; Algo Trader Plus: 1,000).
    pub option_quotes: Option<usize>,
}

/// Pause before a log-in is repeated on the same socket, and how it grows.
const LOGIN_PAUSE_STEP_NS: u64 = 500_000_000;
const LOGIN_PAUSE_MAX_NS: u64 = 5_000_000_000;

/// A wish the plan or the feed does not allow. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWish {
    /// Too many symbols.
    #[error(
        "{asked} {what} were asked for and the data plan allows {limit}: choose fewer symbols or expiries, \
         or raise the limit in the settings when the plan allows more"
    )]
    OverLimit {
        /// `stock symbols` or `option quotes`.
        what: &'static str,
        /// How many were asked for.
        asked: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The option stream has trades and quotes only.
    #[error("the option stream has no channel `{0}`: it has trades and quotes only")]
    NoSuchChannel(&'static str),
    /// `*` for option quotes.
    #[error("option quotes cannot be subscribed with `*`: name the contracts")]
    NoStar,
}

/// Why a session gave up for good. Trying again would not help; a person has to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GiveUp {
    /// 402.
    #[error(
        "the venue refused the keys ({0}): check the key id and secret, and that they belong to this host"
    )]
    AuthFailed(String),
    /// 409.
    #[error("the data plan does not include this feed ({0}): choose another feed in the settings")]
    NotInPlan(String),
    /// 411.
    #[error("the token lacks the right to market data ({0}): use keys, or a token with that scope")]
    NoScope(String),
    /// 408 or 412: the program and the endpoint do not fit.
    #[error("the endpoint does not speak this protocol ({0}): check the stream's address")]
    WrongEndpoint(String),
    /// 401 or 403 on the upgrade itself.
    #[error("the venue refused the connection (HTTP {0}): check keys and address")]
    Refused(u16),
}

/// Something worth telling that does not end the session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Complaint {
    /// The venue refused something and said why.
    #[error("the venue says {code}: {message}")]
    Venue {
        /// One of [`code`].
        code: u16,
        /// Its text.
        message: String,
    },
    /// A step took too long.
    #[error("no answer from the venue while {0}: connecting again")]
    TimedOut(&'static str),
    /// The other end answers no pings.
    #[error("no answer to pings: connecting again")]
    Dead,
    /// No data for too long.
    #[error("connected but mute: connecting again")]
    Mute,
    /// The connection failed or ended.
    #[error("connection lost ({0}): connecting again")]
    Lost(String),
}

/// What a session wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Todo {
    /// Open the connection; answer with `connected` or `lost`.
    Connect,
    /// Send a message.
    Send(Vec<u8>),
    /// Send a ping.
    Ping,
    /// Drop the connection; no answer is awaited.
    Drop,
    /// Tell what became of the feed; the gap names the newest stamp before and the first one after it.
    Tell(FeedState, Option<(Timestamp, Timestamp)>),
    /// Tell a trouble.
    Complain(Complaint),
    /// The session is over.
    GiveUp(GiveUp),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting {
        until_ns: u64,
    },
    Connecting {
        since_ns: u64,
    },
    Greeting {
        since_ns: u64,
    },
    Authenticating {
        since_ns: u64,
    },
    /// Another connection holds the endpoint: log in again then.
    LoginPause {
        until_ns: u64,
    },
    Subscribing {
        since_ns: u64,
        acks_missing: usize,
    },
    Live,
    Over,
}

/// The market-data session.
pub struct Session {
    settings: SessionSettings,
    feed: DataFeed,
    encoding: Encoding,
    keys: Keys,
    wanted: Channels,
    phase: Phase,
    todo: VecDeque<Todo>,
    backoff: Backoff,
    heartbeat: Heartbeat,
    login_repeats: u32,
    /// Last data, or since when data is due, whichever is later.
    data_due_since_ns: u64,
    /// Newest venue stamp heard.
    newest: Option<Timestamp>,
    /// Newest stamp before the connection was lost, until the first one after it.
    gap_from: Option<Timestamp>,
    told: Option<FeedState>,
}

impl Session {
    /// A session that connects at its first `wake`.
    pub fn new(
        settings: SessionSettings,
        feed: DataFeed,
        encoding: Encoding,
        keys: Keys,
        wanted: Channels,
    ) -> Result<Self, BadWish> {
        check_wish(&wanted, feed, settings.limits)?;
        Ok(Self {
            settings,
            feed,
            encoding,
            keys,
            wanted,
            phase: Phase::Waiting { until_ns: 0 },
            todo: VecDeque::new(),
            backoff: Backoff::new(settings.backoff_first_ns, settings.backoff_max_ns, settings.seed),
            heartbeat: Heartbeat::new(settings.ping_every_ns, settings.pong_limit_ns, 0),
            login_repeats: 0,
            data_due_since_ns: 0,
            newest: None,
            gap_from: None,
            told: None,
        })
    }

    /// This session follows one that gave up, whose newest stamp was this: what was missed since is a gap.
    #[must_use]
    pub fn after(mut self, newest: Option<Timestamp>) -> Self {
        (self.newest, self.gap_from) = (newest, newest);
        self
    }

    /// The next thing to do; call until none is left, after every other call.
    pub fn poll(&mut self) -> Option<Todo> {
        self.todo.pop_front()
    }

    /// Which stream this is.
    pub fn feed(&self) -> DataFeed {
        self.feed
    }

    /// How its frames are encoded.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// What it is to be subscribed to.
    pub fn wanted(&self) -> &Channels {
        &self.wanted
    }

    /// True when logged in and subscribed.
    pub fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// True when given up or stopped.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// When to `wake` at the latest, in monotonic nanoseconds; `None` when over.
    pub fn deadline_ns(&self) -> Option<u64> {
        let s = &self.settings;
        let step = match self.phase {
            Phase::Over => return None,
            Phase::Waiting { until_ns } => return Some(until_ns),
            Phase::Connecting { since_ns } => return Some(since_ns + s.connect_limit_ns),
            Phase::Greeting { since_ns }
            | Phase::Authenticating { since_ns }
            | Phase::Subscribing { since_ns, .. } => since_ns + s.answer_limit_ns,
            Phase::LoginPause { until_ns } => until_ns,
            Phase::Live => self.data_due_since_ns + s.mute_ns,
        };
        Some(step.min(self.heartbeat.deadline_ns()))
    }

    /// Time passed. `data_expected` is true while the market is open for what is subscribed.
    pub fn wake(&mut self, now_ns: u64, data_expected: bool) {
        if !data_expected {
            self.data_due_since_ns = now_ns;
        }
        let limit = self.settings.answer_limit_ns;
        let late = |since: u64, limit: u64| now_ns >= since + limit;
        match self.phase {
            Phase::Over => return,
            Phase::Waiting { until_ns } => {
                if now_ns >= until_ns {
                    self.phase = Phase::Connecting { since_ns: now_ns };
                    self.todo.push_back(Todo::Connect);
                }
                return;
            }
            Phase::Connecting { since_ns } => {
                if late(since_ns, self.settings.connect_limit_ns) {
                    self.fail(now_ns, Complaint::TimedOut("connecting"));
                }
                return;
            }
            Phase::Greeting { since_ns } if late(since_ns, limit) => {
                return self.fail(now_ns, Complaint::TimedOut("waiting for its greeting"));
            }
            Phase::Authenticating { since_ns } if late(since_ns, limit) => {
                return self.fail(now_ns, Complaint::TimedOut("logging in"));
            }
            Phase::Subscribing { since_ns, .. } if late(since_ns, limit) => {
                return self.fail(now_ns, Complaint::TimedOut("subscribing"));
            }
            Phase::LoginPause { until_ns } if now_ns >= until_ns => self.log_in(now_ns),
            Phase::Live if late(self.data_due_since_ns, self.settings.mute_ns) => {
                self.tell(FeedState::Mute, None);
                return self.fail(now_ns, Complaint::Mute);
            }
            _ => {}
        }
        match self.heartbeat.wake(now_ns) {
            Beat::Nothing => {}
            Beat::Ping => self.todo.push_back(Todo::Ping),
            Beat::Dead => self.fail(now_ns, Complaint::Dead),
        }
    }

    /// The connection is open.
    pub fn connected(&mut self, now_ns: u64) {
        self.phase = Phase::Greeting { since_ns: now_ns };
        self.login_repeats = 0;
        self.heartbeat = Heartbeat::new(self.settings.ping_every_ns, self.settings.pong_limit_ns, now_ns);
    }

    /// The connection could not be opened, or ended.
    pub fn lost(&mut self, now_ns: u64, why: impl Into<String>) {
        if !matches!(self.phase, Phase::Over | Phase::Waiting { .. }) {
            self.fail(now_ns, Complaint::Lost(why.into()));
        }
    }

    /// The upgrade was answered with an HTTP error: keys are refused for good, anything else is tried again.
    pub fn refused(&mut self, now_ns: u64, status: u16) {
        if matches!(status, 401 | 403) {
            self.give_up(GiveUp::Refused(status));
        } else {
            self.lost(now_ns, format!("HTTP {status}"));
        }
    }

    /// Something, a pong or a frame, arrived: the other end is alive.
    pub fn heard(&mut self) {
        self.heartbeat.heard();
    }

    /// Market data arrived; `stamps` are the first and the newest venue stamp of quotes and trades in one
    /// batch of frames (none when it had only bars and the like).
    pub fn data(&mut self, now_ns: u64, stamps: Option<(Timestamp, Timestamp)>) {
        self.heartbeat.heard();
        self.backoff.reset();
        self.data_due_since_ns = now_ns;
        let Some((first, newest)) = stamps else { return };
        self.newest = Some(self.newest.map_or(newest, |n| n.max(newest)));
        // Data may race ahead of the subscription's acknowledgement; the gap is told once the feed is up.
        if self.phase == Phase::Live
            && let Some(from) = self.gap_from.take()
        {
            self.tell(FeedState::Up, Some((from, first)));
        }
    }

    /// A word about the session arrived.
    pub fn control(&mut self, now_ns: u64, control: Control) {
        self.heartbeat.heard();
        match control {
            Control::Connected => {
                if matches!(self.phase, Phase::Greeting { .. }) {
                    self.log_in(now_ns);
                }
            }
            Control::Authenticated => {
                if !matches!(self.phase, Phase::Live | Phase::Subscribing { .. } | Phase::Over) {
                    self.subscribe_all(now_ns);
                }
            }
            Control::Subscription(_) => self.acknowledged(now_ns),
            Control::Error { code, message } => self.refusal(now_ns, code, message),
        }
    }

    fn refusal(&mut self, now_ns: u64, code: u16, message: String) {
        match code {
            code::AUTH_FAILED => self.give_up(GiveUp::AuthFailed(message)),
            code::INSUFFICIENT_SUBSCRIPTION => self.give_up(GiveUp::NotInPlan(message)),
            code::INSUFFICIENT_SCOPE => self.give_up(GiveUp::NoScope(message)),
            408 | code::MSGPACK_ONLY => self.give_up(GiveUp::WrongEndpoint(message)),
            code::ALREADY_AUTHENTICATED => self.control(now_ns, Control::Authenticated),
            code::CONNECTION_LIMIT => self.repeat_login(now_ns, code, message),
            code::SYMBOL_LIMIT | code::INVALID_CHANNEL | code::NO_STAR | code::INVALID_SYNTAX => {
                self.todo.push_back(Todo::Complain(Complaint::Venue { code, message }));
                self.acknowledged(now_ns);
            }
            _ => self.fail(now_ns, Complaint::Venue { code, message }),
        }
    }

    /// Another connection holds the endpoint; mostly it is our own last one, not yet buried.
    fn repeat_login(&mut self, now_ns: u64, code: u16, message: String) {
        self.login_repeats += 1;
        if self.login_repeats > self.settings.login_repeats_max {
            return self.fail(now_ns, Complaint::Venue { code, message });
        }
        self.todo.push_back(Todo::Complain(Complaint::Venue { code, message }));
        let pause_ns = (LOGIN_PAUSE_STEP_NS * u64::from(self.login_repeats)).min(LOGIN_PAUSE_MAX_NS);
        self.phase = Phase::LoginPause { until_ns: now_ns + pause_ns };
    }

    fn log_in(&mut self, now_ns: u64) {
        self.phase = Phase::Authenticating { since_ns: now_ns };
        self.todo.push_back(Todo::Send(Action::Auth(self.keys.clone()).encode(self.encoding)));
    }

    fn subscribe_all(&mut self, now_ns: u64) {
        let chunks = chunks(&self.wanted, self.settings.subscribe_chunk);
        let acks_missing = chunks.len();
        for chunk in chunks {
            self.todo.push_back(Todo::Send(Action::Subscribe(chunk).encode(self.encoding)));
        }
        self.phase = Phase::Subscribing { since_ns: now_ns, acks_missing };
        if acks_missing == 0 {
            self.go_live(now_ns);
        }
    }

    fn acknowledged(&mut self, now_ns: u64) {
        if let Phase::Subscribing { acks_missing, .. } = self.phase {
            if acks_missing > 1 {
                self.phase = Phase::Subscribing { since_ns: now_ns, acks_missing: acks_missing - 1 };
            } else {
                self.go_live(now_ns);
            }
        }
    }

    fn go_live(&mut self, now_ns: u64) {
        self.phase = Phase::Live;
        self.data_due_since_ns = now_ns;
        self.tell(FeedState::Up, None);
    }

    /// Changes what is subscribed, now when live, else at the next log-in.
    pub fn want(&mut self, wanted: Channels) -> Result<(), BadWish> {
        check_wish(&wanted, self.feed, self.settings.limits)?;
        let (mut gone, mut new) = (self.wanted.clone(), wanted.clone());
        gone.remove(&wanted);
        new.remove(&self.wanted);
        self.wanted = wanted;
        if matches!(self.phase, Phase::Live | Phase::Subscribing { .. }) {
            // First away, then more, or the limit would be passed for a moment.
            for chunk in chunks(&gone, self.settings.subscribe_chunk) {
                self.todo.push_back(Todo::Send(Action::Unsubscribe(chunk).encode(self.encoding)));
            }
            for chunk in chunks(&new, self.settings.subscribe_chunk) {
                self.todo.push_back(Todo::Send(Action::Subscribe(chunk).encode(self.encoding)));
            }
        }
        Ok(())
    }

    /// Ends the session.
    pub fn stop(&mut self) {
        if self.phase != Phase::Over {
            self.phase = Phase::Over;
            self.todo.push_back(Todo::Drop);
            self.tell(FeedState::Down, None);
        }
    }

    fn give_up(&mut self, why: GiveUp) {
        self.stop();
        self.todo.push_back(Todo::GiveUp(why));
    }

    fn fail(&mut self, now_ns: u64, complaint: Complaint) {
        let until_ns = now_ns + self.backoff.next_wait_ns();
        self.phase = Phase::Waiting { until_ns };
        if self.gap_from.is_none() {
            self.gap_from = self.newest;
        }
        self.todo.push_back(Todo::Drop);
        self.todo.push_back(Todo::Complain(complaint));
        self.tell(FeedState::Down, None);
    }

    fn tell(&mut self, state: FeedState, gap: Option<(Timestamp, Timestamp)>) {
        if self.told != Some(state) || gap.is_some() {
            self.told = Some(state);
            self.todo.push_back(Todo::Tell(state, gap));
        }
    }
}

/// Splits a subscription into messages of at most `most` symbols.
fn chunks(channels: &Channels, most: usize) -> Vec<Channels> {
    let most = most.max(1);
    let mut done = Vec::new();
    let mut chunk = Channels::default();
    let mut held = 0;
    for (place, (_, symbols)) in channels.all().into_iter().enumerate() {
        for symbol in symbols {
            chunk.all_mut()[place].push(symbol.clone());
            held += 1;
            if held == most {
                done.push(std::mem::take(&mut chunk));
                held = 0;
            }
        }
    }
    if held > 0 {
        done.push(chunk);
    }
    done
}

fn check_wish(wanted: &Channels, feed: DataFeed, limits: PlanLimits) -> Result<(), BadWish> {
    let within = |what, asked: usize, limit: Option<usize>| match limit {
        Some(limit) if asked > limit => Err(BadWish::OverLimit { what, asked, limit }),
        _ => Ok(()),
    };
    match feed {
        DataFeed::Stocks => {
            let symbols: BTreeSet<&str> = wanted
                .all()
                .iter()
                .flat_map(|(_, s)| s.iter().map(String::as_str))
                .filter(|s| *s != "*")
                .collect();
            within("stock symbols", symbols.len(), limits.stock_symbols)
        }
        DataFeed::Options => {
            let other =
                wanted.all().into_iter().find(|(n, s)| !matches!(*n, "trades" | "quotes") && !s.is_empty());
            if let Some((name, _)) = other {
                return Err(BadWish::NoSuchChannel(name));
            }
            if wanted.quotes.iter().any(|s| s == "*") {
                return Err(BadWish::NoStar);
            }
            within("option quotes", wanted.quotes.len(), limits.option_quotes)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
