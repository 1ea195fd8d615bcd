//! The only file that asks the time.
//!
//! Two clocks: a monotonic one for latencies, and the engine's, which every core is handed as `now`. Against a
//! real broker the engine's clock is the wall clock. Against a venue whose day runs faster (or jumps over the
//! night, or is replayed as fast as it can be read) it is *led*: it stands at the newest stamp a feed carried, and
//! only when the feeds have been silent for a while does it go on by itself, at the venue's speed and on a leash.

use market::Timestamp;
use market::time::{DAY, MINUTE, MS};
use std::sync::atomic::{
    AtomicI64, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since the process first asked: for latencies, never for decisions.
#[inline]
pub fn monotonic_ns() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// The computer's own idea of the time in UTC.
pub fn wall() -> Timestamp {
    let ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    Timestamp::from_ns(i64::try_from(ns).unwrap_or(i64::MAX))
}

/// The engine's clock, shared by all threads. It never runs backwards.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Engine nanoseconds at monotonic zero, for the wall clock. It is looked at again now and then: the monotonic
    /// clock stands still while a computer sleeps, and both drift.
    base_ns: AtomicI64,
    /// How far the engine's time is from the wall clock's.
    shift_ns: i64,
    /// Newest stamp a feed carried.
    newest_ns: AtomicI64,
    /// When that was, in monotonic nanoseconds.
    newest_at_ns: AtomicU64,
    /// Newest time handed out.
    told_ns: AtomicI64,
    /// Engine seconds in a second of the monotonic clock.
    speed: f64,
    /// True when stamps lead.
    led: bool,
}

/// Silence after which a led clock goes on by itself, in wall nanoseconds.
const SILENCE_NS: u64 = 50 * MS as u64;
/// The longest step a stamp may make a led clock take: longer than any closure of the exchanges. One wild stamp must
/// not end the day for everybody.
const STEP_MAX_NS: i64 = 10 * DAY;
/// How far ahead of the wall clock a stamp may be: the venue's clock may run a little ahead of ours.
const AHEAD_MAX_NS: i64 = MINUTE;
/// How far it then goes at most, in wall nanoseconds: a venue that stands still must not make quotes look stale.
const LEASH_NS: u64 = 2_000 * MS as u64;

impl Clock {
    /// The wall clock.
    pub fn wall() -> Self {
        Self::shifted(0)
    }

    /// A clock that starts at `start` and is led by the feeds' stamps, `speed` times as fast as the wall.
    pub fn following(start: Timestamp, speed: f64) -> Self {
        Self::new(start, 0, speed, true)
    }

    /// The wall clock moved by `shift_ns`: for a measuring market whose stamps are moved alike.
    pub fn shifted(shift_ns: i64) -> Self {
        Self::new(wall() + shift_ns, shift_ns, 1.0, false)
    }

    fn new(start: Timestamp, shift_ns: i64, speed: f64, led: bool) -> Self {
        let now_ns = monotonic_ns();
        Self(Arc::new(Inner {
            base_ns: AtomicI64::new(start.ns() - now_ns as i64),
            shift_ns,
            newest_ns: AtomicI64::new(start.ns()),
            newest_at_ns: AtomicU64::new(now_ns),
            told_ns: AtomicI64::new(start.ns()),
            speed,
            led,
        }))
    }

    /// The engine's time.
    #[inline]
    pub fn now(&self) -> Timestamp {
        let inner = &*self.0;
        let mono_ns = monotonic_ns();
        let ns = if inner.led {
            // The stamp first: whoever sees it sees when it came, or a later time.
            let newest_ns = inner.newest_ns.load(Acquire);
            let silent_ns = mono_ns.saturating_sub(inner.newest_at_ns.load(Relaxed));
            let alone_ns = silent_ns.saturating_sub(SILENCE_NS).min(LEASH_NS);
            newest_ns + (alone_ns as f64 * inner.speed) as i64
        } else {
            inner.base_ns.load(Relaxed) + mono_ns as i64
        };
        let told = inner.told_ns.fetch_max(ns, Relaxed);
        Timestamp::from_ns(ns.max(told))
    }

    /// When a word stamped `stamp` is heard by a seat that last heard something at `last`. By the wall clock that is
    /// now. A led clock stands at the newest stamp *read*, which is ahead of words that wait in a post: they are heard
    /// at their own stamp.
    #[inline]
    pub fn heard_at(&self, stamp: Option<Timestamp>, last: Timestamp) -> Timestamp {
        match stamp {
            Some(stamp) if self.0.led => stamp.max(last),
            _ => self.now().max(last),
        }
    }

    /// Tells the clock a stamp that a feed carried; false when it lies so far ahead that nobody should believe it:
    /// then what carried it is left out.
    #[inline]
    pub fn observe(&self, stamp: Timestamp) -> bool {
        let inner = &*self.0;
        if !inner.led {
            let base_ns = inner.base_ns.load(Relaxed);
            // Stamps are behind: the clock itself is asked only for one that is not behind what was told last.
            return stamp.ns() <= inner.told_ns.load(Relaxed)
                || stamp.ns() <= base_ns + monotonic_ns() as i64 + AHEAD_MAX_NS;
        }
        let newest_ns = inner.newest_ns.load(Relaxed);
        if stamp.ns() > newest_ns {
            if stamp.ns() - newest_ns > STEP_MAX_NS {
                return false;
            }
            inner.newest_at_ns.store(monotonic_ns(), Relaxed);
            inner.newest_ns.fetch_max(stamp.ns(), Release);
        }
        true
    }

    /// Looks at the wall clock again. It was set forward, or the computer slept: so does the engine's time. It was set
    /// back: the engine's time goes on, since it never runs backwards.
    pub fn look_at_the_wall(&self) {
        let inner = &*self.0;
        if !inner.led {
            let fresh_ns = wall().ns() + inner.shift_ns - monotonic_ns() as i64;
            inner.base_ns.fetch_max(fresh_ns, Relaxed);
        }
    }

    /// True for the wall clock, whose distance to a venue's stamp is a latency.
    pub fn is_wall(&self) -> bool {
        !self.0.led
    }

    /// Engine seconds in a wall second.
    pub fn speed(&self) -> f64 {
        self.0.speed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_led_by_stamps_and_never_runs_backwards() {
        use market::time::SECOND;
        let start = Timestamp::from_seconds(1_000_000);
        let clock = Clock::following(start, 60.0);
        assert!(clock.now() >= start);
        clock.observe(start + 3600 * SECOND);
        let jumped = clock.now();
        assert!(jumped >= start + 3600 * SECOND, "pulled forward");
        clock.observe(start);
        assert!(clock.now() >= jumped, "never backwards");
        assert!(clock.now() <= start + 3600 * SECOND + 60 * LEASH_NS as i64, "leashed");
        let waiting = start + 10 * SECOND;
        assert_eq!(
            clock.heard_at(Some(waiting), start),
            waiting,
            "a word that waited is heard at its own time"
        );
        assert_eq!(clock.heard_at(Some(start), waiting), waiting, "a seat's time never runs backwards");
    }

    #[test]
    fn nobody_believes_a_stamp_from_the_far_future() {
        let start = Timestamp::from_seconds(1_000_000);
        let led = Clock::following(start, 1.0);
        assert!(led.observe(start + 4 * DAY), "over a long weekend");
        assert!(!led.observe(start + 3_650 * DAY));
        assert!(led.now() < start + 5 * DAY);
        let own = Clock::wall();
        assert!(own.observe(wall()) && own.observe(wall() + MINUTE / 2));
        assert!(!own.observe(wall() + 5 * MINUTE));
        own.look_at_the_wall();
        assert!(own.now().since(wall()).abs() < MINUTE);
    }
}
