//! One simulated session: the calendar's, and how busy each part of it is.

use market::time::{MINUTE, SECOND};
use market::{Date, Timestamp, session};

/// One session of the simulated market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Session {
    /// The New York date.
    pub date: Date,
    /// First tick.
    pub open: Timestamp,
    /// End of regular trading; the closing cross.
    pub close: Timestamp,
    /// End of trading in the options that close late, and of the quotes of their underlyings.
    pub options_close: Timestamp,
}

/// The session on that date, or the first after it; `None` beyond the calendar.
pub fn on_or_after(date: Date) -> Option<Session> {
    let s = session::session_or_next(date)?;
    Some(Session {
        date: s.date,
        open: s.open,
        close: s.close,
        options_close: s.close + session::LATE_CLOSE_NS,
    })
}

impl Session {
    /// Nanoseconds of regular trading.
    pub fn length_ns(&self) -> i64 {
        self.close.since(self.open)
    }
    /// Nanoseconds since the open, zero before it.
    pub fn since_open(&self, at: Timestamp) -> i64 {
        at.since(self.open).max(0)
    }
    /// The part of regular trading that has passed, 0 to 1.
    pub fn part_elapsed(&self, at: Timestamp) -> f64 {
        (self.since_open(at) as f64 / self.length_ns() as f64).clamp(0.0, 1.0)
    }
    /// Activity at an instant relative to the session's mean: a U with a taller left arm, little after hours.
    pub fn activity(&self, at: Timestamp) -> f64 {
        if at >= self.close { 0.15 } else { activity(self.part_elapsed(at)) }
    }
    /// The starts of the session's minutes.
    pub fn minutes(&self) -> impl Iterator<Item = Timestamp> + use<> {
        let (open, n) = (self.open, self.length_ns() / MINUTE);
        (0..n).map(move |m| open + m * 60 * SECOND)
    }
}

/// The U: `0.62 + 0.9 (2u-1)^2 + 0.16 (1-u)` over the part `u` of the session; its mean is 1.
pub fn activity(part: f64) -> f64 {
    0.62 + 0.9 * (2.0 * part - 1.0).powi(2) + 0.16 * (1.0 - part)
}
