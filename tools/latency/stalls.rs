//! What the machine itself loses: a loop that does nothing but look at the clock sees every moment in which it did
//! not run. No tail below that can be measured here, whatever the program does, so it stands beside the figures.

use std::time::{Duration, Instant};

/// A pause between two looks at the clock that is not the loop's own.
const STALL: Duration = Duration::from_micros(10);

/// What one core lost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stalls {
    /// Time watched.
    pub watched: Duration,
    /// Time lost in stalls.
    pub lost: Duration,
    /// Stalls longer than 30 us.
    pub over_30_us: u32,
    /// Stalls longer than a millisecond.
    pub over_1_ms: u32,
    /// The longest.
    pub longest: Duration,
}

impl Stalls {
    /// Watches this core for so long.
    fn watch(time: Duration) -> Self {
        let begun = Instant::now();
        let mut stalls = Self::default();
        let mut last = begun;
        while last.duration_since(begun) < time {
            let now = Instant::now();
            let gap = now.duration_since(last);
            if gap > STALL {
                stalls.lost += gap;
                stalls.over_30_us += u32::from(gap > Duration::from_micros(30));
                stalls.over_1_ms += u32::from(gap > Duration::from_millis(1));
                stalls.longest = stalls.longest.max(gap);
            }
            last = now;
        }
        stalls.watched = last.duration_since(begun);
        stalls
    }

    /// Watches every core at the same time.
    pub fn of_all_cores(time: Duration) -> Vec<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..cores).map(|_| std::thread::spawn(move || Self::watch(time))).collect();
        // A watcher does nothing that could panic; one that did has nothing to tell.
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    }
}

impl std::fmt::Display for Stalls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let share = self.lost.as_secs_f64() / self.watched.as_secs_f64().max(1e-9) * 100.0;
        let longest_ms = self.longest.as_secs_f64() * 1e3;
        let seconds = self.watched.as_secs_f64();
        write!(
            f,
            "{share:.2}% of {seconds:.0} s lost, {} stalls over 30 us, {} over 1 ms, longest {longest_ms:.1} ms",
            self.over_30_us, self.over_1_ms
        )
    }
}
