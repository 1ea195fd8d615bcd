//! Virtual time: how it follows the wall clock. The only file of the venue that asks the time.

use crate::settings::Speed;
use market::Timestamp;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The wall clock as a timestamp.
pub fn wall_clock() -> Timestamp {
    // A clock before 1970 or after 2262 reads as the epoch: nothing sensible could be done with it.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ns(i64::try_from(since.as_nanos()).unwrap_or(0))
}

/// An instant of the monotonic clock, for timeouts.
pub fn instant() -> Instant {
    Instant::now()
}

/// Lets the calling thread's naps end when they are due. Linux lets them end up to 50 us later to save wake-ups, which
/// makes bursts of three out of 20,000 quotes a second. Elsewhere, and where it is refused, naps stay as they are.
pub fn nap_exactly() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

/// The relation of virtual time to the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    speed: Speed,
    /// The wall clock itself, moved by so many nanoseconds.
    wall_shift_ns: Option<i64>,
    from: Option<(Instant, Timestamp)>,
    now: Timestamp,
}

impl Pace {
    /// Time stands still at `start` until [`Pace::run`]. With `wall_shift_ns` it is the wall clock moved by
    /// that, whatever the speed.
    pub fn new(speed: Speed, start: Timestamp, wall_shift_ns: Option<i64>) -> Self {
        Self { speed, wall_shift_ns, from: None, now: start }
    }
    /// Virtual time as last reached.
    pub fn now(&self) -> Timestamp {
        self.wall_shift_ns.map_or(self.now, |shift| wall_clock() + shift)
    }
    /// True while time passes.
    pub fn is_running(&self) -> bool {
        self.from.is_some()
    }
    /// Lets time pass.
    pub fn run(&mut self) {
        self.from.get_or_insert((Instant::now(), self.now));
    }
    /// Stops time where it is.
    pub fn stand_still(&mut self) {
        self.from = None;
    }
    /// Puts virtual time somewhere else; it goes on from there.
    pub fn jump(&mut self, to: Timestamp) {
        self.now = self.now.max(to);
        if self.from.is_some() {
            self.from = Some((Instant::now(), self.now));
        }
    }
    /// Remembers how far virtual time has got.
    pub fn reached(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
    }
    /// How far virtual time may go now. `due` is the next thing that would happen: as fast as read, time goes
    /// straight there.
    pub fn target(&self, due: Option<Timestamp>) -> Timestamp {
        if let Some(shift) = self.wall_shift_ns {
            return wall_clock() + shift;
        }
        match (self.speed, self.from) {
            (_, None) => self.now,
            (Speed::Times(times), Some((wall, from))) => {
                from + (wall.elapsed().as_nanos() as f64 * times.clamp(1.0, 600.0)) as i64
            }
            (Speed::AsFastAsRead { .. }, Some(_)) => due.unwrap_or(self.now),
        }
    }
    /// Wall-clock time until `due`; `None` while time stands still.
    pub fn wait_for(&self, due: Timestamp) -> Option<Duration> {
        if let Some(shift) = self.wall_shift_ns {
            return Some(Duration::from_nanos(due.since(wall_clock() + shift).max(0) as u64));
        }
        let (wall, from) = self.from?;
        match self.speed {
            Speed::AsFastAsRead { .. } => Some(Duration::ZERO),
            Speed::Times(times) => {
                let at =
                    Duration::from_nanos((due.since(from).max(0) as f64 / times.clamp(1.0, 600.0)) as u64);
                Some(at.saturating_sub(wall.elapsed()))
            }
        }
    }
}
