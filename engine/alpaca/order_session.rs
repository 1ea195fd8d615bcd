//! The trading stream's session as a state machine without I/O: connect, log in, listen, stay alive. The
//! stream neither replays nor numbers its messages: whoever listens must ask for the orders after every `Up`.

use crate::backoff::Backoff;
use crate::heartbeat::{Beat, Heartbeat};
use crate::keys::Keys;
use crate::session::{Complaint, GiveUp, SessionSettings, Todo};
use crate::trading::{TRADE_UPDATES, TradingAction, TradingMessage};
use market::feed::FeedState;
use std::collections::VecDeque;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting { until_ns: u64 },
    Connecting { since_ns: u64 },
    Authenticating { since_ns: u64 },
    Asking { since_ns: u64 },
    Live { since_ns: u64 },
    Over,
}

/// A connection that stood this long was a good one: the next pause starts small again. (Order updates may
/// be hours apart, so they cannot decide that, as data does on the market feeds.)
const GOOD_AFTER_NS: u64 = 30_000_000_000;

/// The trading stream's session. Times are nanoseconds of a monotonic clock.
pub struct OrderSession {
    settings: SessionSettings,
    keys: Keys,
    phase: Phase,
    todo: VecDeque<Todo>,
    backoff: Backoff,
    heartbeat: Heartbeat,
    told: Option<FeedState>,
}

impl OrderSession {
    /// A session that connects at its first `wake`. Of the settings, those about data do not apply.
    pub fn new(settings: SessionSettings, keys: Keys) -> Self {
        Self {
            settings,
            keys,
            phase: Phase::Waiting { until_ns: 0 },
            todo: VecDeque::new(),
            backoff: Backoff::new(settings.backoff_first_ns, settings.backoff_max_ns, settings.seed),
            heartbeat: Heartbeat::new(settings.ping_every_ns, settings.pong_limit_ns, 0),
            told: None,
        }
    }

    /// The next thing to do; call until none is left, after every other call.
    pub fn poll(&mut self) -> Option<Todo> {
        self.todo.pop_front()
    }

    /// True when logged in and listening.
    pub fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live { .. })
    }

    /// True when given up or stopped.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// When to `wake` at the latest; `None` when over.
    pub fn deadline_ns(&self) -> Option<u64> {
        let answer = self.settings.answer_limit_ns;
        Some(match self.phase {
            Phase::Over => return None,
            Phase::Waiting { until_ns } => until_ns,
            Phase::Connecting { since_ns } => since_ns + self.settings.connect_limit_ns,
            Phase::Authenticating { since_ns } | Phase::Asking { since_ns } => {
                (since_ns + answer).min(self.heartbeat.deadline_ns())
            }
            Phase::Live { .. } => self.heartbeat.deadline_ns(),
        })
    }

    /// Time passed.
    pub fn wake(&mut self, now_ns: u64) {
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
            Phase::Authenticating { since_ns } if late(since_ns, self.settings.answer_limit_ns) => {
                return self.fail(now_ns, Complaint::TimedOut("logging in"));
            }
            Phase::Asking { since_ns } if late(since_ns, self.settings.answer_limit_ns) => {
                return self.fail(now_ns, Complaint::TimedOut("asking for order updates"));
            }
            _ => {}
        }
        match self.heartbeat.wake(now_ns) {
            Beat::Nothing => {}
            Beat::Ping => self.todo.push_back(Todo::Ping),
            Beat::Dead => self.fail(now_ns, Complaint::Dead),
        }
    }

    /// The connection is open: the client speaks first here.
    pub fn connected(&mut self, now_ns: u64) {
        self.phase = Phase::Authenticating { since_ns: now_ns };
        self.heartbeat = Heartbeat::new(self.settings.ping_every_ns, self.settings.pong_limit_ns, now_ns);
        self.send(&TradingAction::Authenticate(self.keys.clone()));
    }

    /// The connection could not be opened, or ended.
    pub fn lost(&mut self, now_ns: u64, why: impl Into<String>) {
        if !matches!(self.phase, Phase::Over | Phase::Waiting { .. }) {
            self.fail(now_ns, Complaint::Lost(why.into()));
        }
    }

    /// The upgrade was answered with an HTTP error (429 when there were too many handshakes).
    pub fn refused(&mut self, now_ns: u64, status: u16) {
        if matches!(status, 401 | 403) {
            self.give_up(GiveUp::Refused(status));
        } else {
            self.lost(now_ns, format!("HTTP {status}"));
        }
    }

    /// Something arrived: the other end is alive.
    pub fn heard(&mut self) {
        self.heartbeat.heard();
    }

    /// A message arrived. Updates are not for the session, and are ignored here.
    pub fn message(&mut self, now_ns: u64, message: &TradingMessage) {
        self.heartbeat.heard();
        match (message, self.phase) {
            (TradingMessage::Authorization { authorized: true, .. }, Phase::Authenticating { .. }) => {
                self.phase = Phase::Asking { since_ns: now_ns };
                self.send(&TradingAction::Listen(vec![TRADE_UPDATES.into()]));
            }
            (TradingMessage::Authorization { authorized: false, .. }, _) => {
                self.give_up(GiveUp::AuthFailed("unauthorized".into()));
            }
            (TradingMessage::Listening(streams), Phase::Asking { .. }) => {
                if streams.iter().any(|s| s == TRADE_UPDATES) {
                    self.phase = Phase::Live { since_ns: now_ns };
                    self.tell(FeedState::Up);
                } else {
                    self.fail(now_ns, Complaint::Venue { code: 0, message: "no trade_updates here".into() });
                }
            }
            (TradingMessage::Fault(why), _) => {
                self.fail(now_ns, Complaint::Venue { code: 500, message: why.clone() });
            }
            _ => {}
        }
    }

    /// Ends the session.
    pub fn stop(&mut self) {
        if self.phase != Phase::Over {
            self.phase = Phase::Over;
            self.todo.push_back(Todo::Drop);
            self.tell(FeedState::Down);
        }
    }

    fn send(&mut self, action: &TradingAction) {
        self.todo.push_back(Todo::Send(action.encode().into_bytes()));
    }

    fn give_up(&mut self, why: GiveUp) {
        self.stop();
        self.todo.push_back(Todo::GiveUp(why));
    }

    fn fail(&mut self, now_ns: u64, complaint: Complaint) {
        if let Phase::Live { since_ns } = self.phase
            && now_ns >= since_ns + GOOD_AFTER_NS
        {
            self.backoff.reset();
        }
        self.phase = Phase::Waiting { until_ns: now_ns + self.backoff.next_wait_ns() };
        self.todo.push_back(Todo::Drop);
        self.todo.push_back(Todo::Complain(complaint));
        self.tell(FeedState::Down);
    }

    fn tell(&mut self, state: FeedState) {
        if self.told != Some(state) {
            self.told = Some(state);
            self.todo.push_back(Todo::Tell(state, None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::{SECOND, settings};

    fn session() -> OrderSession {
        OrderSession::new(settings(), Keys::new("id", "secret"))
    }

    fn todo(session: &mut OrderSession) -> Vec<Todo> {
        std::iter::from_fn(|| session.poll()).collect()
    }

    fn authorized(authorized: bool) -> TradingMessage {
        TradingMessage::Authorization { authorized, action: "authenticate".into() }
    }

    fn listening() -> TradingMessage {
        TradingMessage::Listening(vec![TRADE_UPDATES.into()])
    }

    fn bring_up(s: &mut OrderSession, now: u64) -> Vec<Todo> {
        s.wake(now);
        s.connected(now);
        s.message(now, &authorized(true));
        s.message(now, &listening());
        assert!(s.is_live());
        todo(s)
    }

    #[test]
    fn logs_in_listens_and_comes_back() {
        let mut s = session();
        let done = bring_up(&mut s, 0);
        let spoken: Vec<_> = done
            .iter()
            .filter_map(|t| if let Todo::Send(b) = t { TradingAction::decode(b).ok() } else { None })
            .collect();
        assert_eq!(
            spoken,
            [
                TradingAction::Authenticate(Keys::new("id", "secret")),
                TradingAction::Listen(vec![TRADE_UPDATES.into()])
            ]
        );
        assert_eq!(done.last(), Some(&Todo::Tell(FeedState::Up, None)));
        s.message(SECOND, &TradingMessage::Fault("internal server error".into()));
        assert!(todo(&mut s).contains(&Todo::Tell(FeedState::Down, None)));
        let again = s.deadline_ns().expect("waiting");
        assert!(again > SECOND && again <= 2 * SECOND);
        bring_up(&mut s, again);
    }

    #[test]
    fn wrong_keys_end_it_and_storms_back_off() {
        let mut s = session();
        s.wake(0);
        s.connected(0);
        s.message(0, &authorized(false));
        assert!(matches!(todo(&mut s).last(), Some(Todo::GiveUp(GiveUp::AuthFailed(_)))));
        let mut s = session();
        let mut now = 0;
        for _ in 0..6 {
            s.wake(now);
            s.refused(now, 429);
            now = s.deadline_ns().expect("waiting");
        }
        assert!(now >= 15 * SECOND);
        // A connection that stood for a while makes the next pause short again.
        bring_up(&mut s, now);
        s.lost(now + 40 * SECOND, "reset");
        assert!(s.deadline_ns().expect("waiting") <= now + 41 * SECOND);
    }

    #[test]
    fn pings_and_limits() {
        let mut s = session();
        bring_up(&mut s, 0);
        s.wake(10 * SECOND);
        assert_eq!(todo(&mut s), [Todo::Ping]);
        s.wake(15 * SECOND);
        assert!(todo(&mut s).contains(&Todo::Complain(Complaint::Dead)));
        let mut s = session();
        s.wake(0);
        s.connected(0);
        s.wake(10 * SECOND);
        assert!(todo(&mut s).contains(&Todo::Complain(Complaint::TimedOut("logging in"))));
    }
}
