//! What the server's tasks share: the way to the core, limits, and the faults that are acted out at the door.

use crate::core::{Ask, Core};
use crate::pace;
use crate::settings::{Credentials, Limits, Settings, Speed};
use crossbeam::channel::Sender;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shared by all tasks of one server.
pub struct Shared {
    asks: Sender<Ask>,
    /// Plan limits.
    pub limits: Limits,
    /// Keys that may do anything.
    pub keys: Vec<Credentials>,
    /// True when clients are asked to acknowledge what they read.
    pub as_fast_as_read: bool,
    /// Status to refuse every REST request with; 0 for none.
    pub refuse_with: AtomicU16,
    sessions: AtomicU64,
    windows: Mutex<BTreeMap<(String, bool), Window>>,
}

/// Requests of one key and surface in the current minute.
#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    used: u32,
}

/// What the limiter says about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Requests a minute.
    pub limit: u32,
    /// Left after this one.
    pub remaining: u32,
    /// Unix seconds of the next refill.
    pub reset_seconds: i64,
    /// False when this request is one too many.
    pub granted: bool,
}

/// The core has ended, or cannot take more questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoreBusy;

impl Shared {
    /// Shares the way to a core.
    pub fn new(asks: Sender<Ask>, settings: &Settings) -> Self {
        Self {
            asks,
            limits: settings.limits,
            keys: settings.keys.clone(),
            as_fast_as_read: matches!(settings.speed, Speed::AsFastAsRead { .. }),
            refuse_with: AtomicU16::new(0),
            sessions: AtomicU64::new(1),
            windows: Mutex::new(BTreeMap::new()),
        }
    }

    /// A number for a new socket.
    pub fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed)
    }

    /// Has the core do something; in order with everything told before. Blocks only when the core is thousands
    /// of questions behind, which a socket task must not be allowed to make worse.
    pub fn tell(&self, what: impl FnOnce(&mut Core) + Send + 'static) {
        let _ = self.asks.send(Box::new(what));
    }

    /// Wakes the core, if it is not busy anyway.
    pub fn nudge(&self) {
        let _ = self.asks.try_send(Box::new(|_| {}));
    }

    /// Asks the core and waits for the answer.
    pub async fn ask<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Core) -> T + Send + 'static,
    ) -> Result<T, CoreBusy> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let ask: Ask = Box::new(move |core| drop(answer.send(what(core))));
        self.asks.try_send(ask).map_err(|_| CoreBusy)?;
        answered.await.map_err(|_| CoreBusy)
    }

    /// Counts a request of a key against its minute.
    pub fn allow(&self, key: &str, trading: bool) -> Allowance {
        let limit = if trading { self.limits.trading_per_minute } else { self.limits.data_per_minute };
        let now = pace::instant();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry((key.to_string(), trading)).or_insert(Window { began: now, used: 0 });
        if now.duration_since(window.began) >= Duration::from_secs(60) {
            *window = Window { began: now, used: 0 };
        }
        window.used = window.used.saturating_add(1);
        let left = Duration::from_secs(60).saturating_sub(now.duration_since(window.began));
        Allowance {
            limit,
            remaining: limit.saturating_sub(window.used),
            reset_seconds: pace::wall_clock().ns() / 1_000_000_000 + left.as_secs() as i64 + 1,
            granted: window.used <= limit,
        }
    }

    /// True when these are the credentials of the account.
    pub fn knows(&self, key: &str, secret: &str) -> bool {
        self.keys.iter().any(|k| k.key == key && k.secret == secret)
    }
}
