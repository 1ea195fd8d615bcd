//! Is the other end alive? A ping every few seconds; whatever arrives counts as an answer.

/// Pings sent and answers heard, by a monotonic clock in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heartbeat {
    every_ns: u64,
    limit_ns: u64,
    sent_ns: u64,
    /// When the oldest unanswered ping went out.
    waiting_since_ns: Option<u64>,
}

/// What the heartbeat wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Nothing,
    Ping,
    Dead,
}

impl Heartbeat {
    pub(crate) fn new(every_ns: u64, limit_ns: u64, now_ns: u64) -> Self {
        Self { every_ns, limit_ns, sent_ns: now_ns, waiting_since_ns: None }
    }

    pub(crate) fn heard(&mut self) {
        self.waiting_since_ns = None;
    }

    pub(crate) fn wake(&mut self, now_ns: u64) -> Beat {
        if self.waiting_since_ns.is_some_and(|since| now_ns >= since + self.limit_ns) {
            return Beat::Dead;
        }
        if now_ns < self.sent_ns + self.every_ns {
            return Beat::Nothing;
        }
        self.sent_ns = now_ns;
        self.waiting_since_ns.get_or_insert(now_ns);
        Beat::Ping
    }

    pub(crate) fn deadline_ns(&self) -> u64 {
        let ping = self.sent_ns + self.every_ns;
        self.waiting_since_ns.map_or(ping, |since| ping.min(since + self.limit_ns))
    }
}
