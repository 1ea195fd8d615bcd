//! How long to wait before the next attempt: doubling steps, each drawn from its upper half, from a seeded
//! generator, so that a fleet of clients does not come back in step and a test does.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Waiting times that double from a first step up to a bound.
#[derive(Clone, Debug)]
pub struct Backoff {
    first_ns: u64,
    max_ns: u64,
    failures: u32,
    rng: ChaCha8Rng,
}

impl Backoff {
    /// Steps from `first_ns` to `max_ns`, jitter drawn from `seed`.
    pub fn new(first_ns: u64, max_ns: u64, seed: u64) -> Self {
        Self {
            first_ns: first_ns.max(1),
            max_ns: max_ns.max(1),
            failures: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// The wait after one more failure, in nanoseconds.
    pub fn next_wait_ns(&mut self) -> u64 {
        let doubled = self.first_ns.checked_shl(self.failures.min(63)).unwrap_or(u64::MAX);
        // A shift that loses bits came out smaller than what was shifted.
        let step = if self.failures > 40 || doubled < self.first_ns {
            self.max_ns
        } else {
            doubled.min(self.max_ns)
        };
        self.failures = self.failures.saturating_add(1);
        self.rng.random_range(step / 2..=step)
    }

    /// Starts over: real data arrived.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last reset.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_within_its_upper_half_up_to_the_bound() {
        let second = 1_000_000_000u64;
        let mut backoff = Backoff::new(second, 30 * second, 7);
        let steps = [1, 2, 4, 8, 16, 30, 30, 30];
        for step in steps {
            let wait = backoff.next_wait_ns();
            assert!(wait >= step * second / 2 && wait <= step * second, "{step}: {wait}");
        }
        for _ in 0..200 {
            assert!(backoff.next_wait_ns() <= 30 * second);
        }
        backoff.reset();
        assert!(backoff.next_wait_ns() <= second);
        let (mut a, mut b) = (Backoff::new(second, second, 1), Backoff::new(second, second, 1));
        assert_eq!(a.next_wait_ns(), b.next_wait_ns());
    }
}
