//! When a gap is repaired. Its last minute is not over when the feed comes back: what the venue has of it then is part
//! of a bar, and would overwrite trades already heard. So that minute is asked for once more when it is finished.

use crate::feed::Gap;
use market::Timestamp;
use market::time::{MINUTE, SECOND};

/// Time after a minute's end until a venue surely has its bar, by the market's time.
pub const SETTLED_NS: i64 = 15 * SECOND;
/// Repairs that may wait; a feed that comes and goes more often has bigger troubles.
const LATER_MAX: usize = 32;

/// Repairs to be made later.
#[derive(Debug, Default)]
pub struct Repairs {
    later: Vec<(Timestamp, Gap)>,
}

impl Repairs {
    /// A gap is being repaired `now`: plans its last minute for later, when it is too early for that.
    pub fn plan(&mut self, gap: Gap, now: Timestamp) {
        let last = minute_of(gap.to);
        let due = last + MINUTE + SETTLED_NS;
        if now < due {
            self.again(Gap { from: last, to: last, ..gap }, due);
        }
    }

    /// Plans a repair for `due`; the same minutes of the same feed once.
    pub fn again(&mut self, gap: Gap, due: Timestamp) {
        if self.later.len() < LATER_MAX && self.later.iter().all(|(_, planned)| *planned != gap) {
            self.later.push((due, gap));
        }
    }

    /// Takes what is due.
    pub fn due(&mut self, now: Timestamp) -> Vec<Gap> {
        let (due, later) = self.later.drain(..).partition(|(at, _)| *at <= now);
        self.later = later;
        let due: Vec<(Timestamp, Gap)> = due;
        due.into_iter().map(|(_, gap)| gap).collect()
    }
}

/// True for a minute bar that is finished.
pub fn is_finished(start: Timestamp, now: Timestamp) -> bool {
    start + MINUTE <= now
}

/// The start of the minute a moment is in.
pub fn minute_of(at: Timestamp) -> Timestamp {
    Timestamp::from_ns(at.ns().div_euclid(MINUTE) * MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::feed::FeedName;

    #[test]
    fn the_minute_a_gap_ends_in_is_repaired_when_it_is_over() {
        let at = |s: i64| Timestamp::from_seconds(1_773_671_400 + s);
        let gap = Gap { feed: FeedName::Stocks, from: at(5), to: at(150) };
        let mut repairs = Repairs::default();
        assert!(!is_finished(at(120), at(150)), "only part of it is there");
        repairs.plan(gap, at(150));
        repairs.plan(gap, at(151));
        assert!(repairs.due(at(181)).is_empty());
        let last = Gap { from: at(120), to: at(120), ..gap };
        assert_eq!(repairs.due(at(195)), [last], "once");
        assert!(is_finished(at(120), at(195)) && repairs.due(at(500)).is_empty());
        repairs.plan(gap, at(900));
        assert!(repairs.due(at(999)).is_empty(), "long over: nothing is left to do");
    }
}
