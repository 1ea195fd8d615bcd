//! Whether the market is open, remembered between two changes so that a tick need not ask the calendar.

use market::Timestamp;
use market::session::{self, Session};

/// The session trading now, and until when that holds.
#[derive(Clone, Copy, Debug)]
pub struct Hours {
    session: Option<Session>,
    until: Timestamp,
}

impl Hours {
    /// Nothing known: the first question asks the calendar.
    pub const UNKNOWN: Self = Self { session: None, until: Timestamp::MIN };

    /// Brings it up to `now`; true when the answer may have changed.
    #[inline]
    pub fn advance(&mut self, now: Timestamp) -> bool {
        if now < self.until {
            return false;
        }
        self.session = session::session_at(now);
        let open = || session::next_open(now).map_or(Timestamp::MAX, |s| s.open);
        self.until = self.session.map_or_else(open, |s| s.close);
        true
    }

    /// The session trading, as of the last advance.
    #[inline]
    pub const fn session(&self) -> Option<Session> {
        self.session
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::Date;

    #[test]
    fn follows_the_bells() {
        let day = Date::literal(2026, 3, 16);
        let mut hours = Hours::UNKNOWN;
        assert!(hours.advance(day.at_new_york(9 * 3600)));
        assert_eq!(hours.session(), None);
        assert!(!hours.advance(day.at_new_york(9 * 3600 + 1799)));
        assert!(hours.advance(day.at_new_york(9 * 3600 + 1800)));
        assert_eq!(hours.session().map(|s| s.date), Some(day));
        assert!(!hours.advance(day.at_new_york(16 * 3600 - 1)));
        assert!(hours.advance(day.at_new_york(16 * 3600)));
        assert_eq!(hours.session(), None);
    }
}
