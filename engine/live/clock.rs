//! The only file that asks the time.
//!
//! Two clocks: a monotonic one for latencies, and the engine's, which every core is handed as `now`. Against a
//! real broker the engine's clock is the wall clock. Against a venue whose day runs faster (or jumps over the
//! night) it *follows*: it runs at the venue's speed, is pulled forward by the newest stamp a feed carried, and
//! waits when the feed falls behind, so that a paused or overloaded venue never makes quotes look stale.

use market::Timestamp;
use market::time::{MS, SECOND};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
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
    /// Engine nanoseconds at monotonic zero.
    base_ns: AtomicI64,
    /// Newest stamp a feed carried.
    newest_ns: AtomicI64,
    /// Newest time handed out.
    told_ns: AtomicI64,
    /// Engine seconds in a second of the monotonic clock.
    speed: f64,
    /// How far the clock may run ahead of the newest stamp; `None`: as far as it likes (wall clock).
    leash_ns: Option<i64>,
}

/// Engine time the clock may run ahead of a silent venue, in wall milliseconds.
const LEASH_WALL_MS: i64 = 2_000;

impl Clock {
    /// The wall clock.
    pub fn wall() -> Self {
        Self::new(wall(), 1.0, None)
    }

    /// A clock that starts at `start`, runs `speed` times as fast as the wall and follows the feed's stamps.
    pub fn following(start: Timestamp, speed: f64) -> Self {
        let leash = (LEASH_WALL_MS * MS) as f64 * speed;
        Self::new(start, speed, Some((leash as i64).max(SECOND)))
    }

    /// The wall clock moved by `shift_ns`: for a measuring market whose stamps are moved alike.
    pub fn shifted(shift_ns: i64) -> Self {
        Self::new(wall() + shift_ns, 1.0, None)
    }

    fn new(start: Timestamp, speed: f64, leash_ns: Option<i64>) -> Self {
        let elapsed = (monotonic_ns() as f64 * speed) as i64;
        Self(Arc::new(Inner {
            base_ns: AtomicI64::new(start.ns() - elapsed),
            newest_ns: AtomicI64::new(start.ns()),
            told_ns: AtomicI64::new(start.ns()),
            speed,
            leash_ns,
        }))
    }

    /// The engine's time.
    #[inline]
    pub fn now(&self) -> Timestamp {
        let inner = &*self.0;
        let mut ns = inner.base_ns.load(Relaxed) + (monotonic_ns() as f64 * inner.speed) as i64;
        if let Some(leash) = inner.leash_ns {
            ns = ns.min(inner.newest_ns.load(Relaxed) + leash);
        }
        let told = inner.told_ns.fetch_max(ns, Relaxed);
        Timestamp::from_ns(ns.max(told))
    }

    /// Tells the clock a stamp that a feed carried. Does nothing for the wall clock.
    #[inline]
    pub fn observe(&self, stamp: Timestamp) {
        let inner = &*self.0;
        if inner.leash_ns.is_none() || stamp.ns() <= inner.newest_ns.load(Relaxed) {
            return;
        }
        inner.newest_ns.store(stamp.ns(), Relaxed);
        let ahead = stamp.ns() - (inner.base_ns.load(Relaxed) + (monotonic_ns() as f64 * inner.speed) as i64);
        if ahead > 0 {
            inner.base_ns.fetch_add(ahead, Relaxed);
        }
    }

    /// True for the wall clock, whose distance to a venue's stamp is a latency.
    pub fn is_wall(&self) -> bool {
        self.0.leash_ns.is_none()
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
    fn follows_stamps_forward_and_waits_for_them() {
        let start = Timestamp::from_seconds(1_000_000);
        let clock = Clock::following(start, 60.0);
        assert!(clock.now() >= start);
        clock.observe(start + 3600 * SECOND);
        let jumped = clock.now();
        assert!(jumped >= start + 3600 * SECOND, "pulled forward");
        clock.observe(start);
        assert!(clock.now() >= jumped, "never backwards");
        assert!(clock.now() <= start + 3600 * SECOND + 60 * LEASH_WALL_MS * MS, "leashed");
    }
}
