//! A token bucket that keeps the last tokens for what is urgent: orders and cancels first.

/// Requests allowed by and by. Time is handed in, in nanoseconds of a monotonic clock.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    /// Tokens in millionths, so that slow refills are exact.
    tokens_micros: u64,
    capacity: u64,
    per_minute: u64,
    reserve: u64,
    refilled_ns: u64,
    blocked_until_ns: u64,
}

const MICROS: u64 = 1_000_000;
const MINUTE_NS: u64 = 60_000_000_000;

impl TokenBucket {
    /// A full bucket of `per_minute` tokens, refilled at that rate, of which the last `reserve` are for urgent
    /// requests only.
    pub fn new(per_minute: u32, reserve: u32, now_ns: u64) -> Self {
        let per_minute = u64::from(per_minute.max(1));
        Self {
            tokens_micros: per_minute * MICROS,
            capacity: per_minute,
            per_minute,
            reserve: u64::from(reserve).min(per_minute - 1),
            refilled_ns: now_ns,
            blocked_until_ns: 0,
        }
    }

    /// Takes a token, or says how many nanoseconds to wait before asking again.
    pub fn take(&mut self, now_ns: u64, urgent: bool) -> Result<(), u64> {
        self.refill(now_ns);
        if now_ns < self.blocked_until_ns {
            return Err(self.blocked_until_ns - now_ns);
        }
        let floor = if urgent { 0 } else { self.reserve * MICROS };
        let needed = floor + MICROS;
        if self.tokens_micros >= needed {
            self.tokens_micros -= MICROS;
            return Ok(());
        }
        let missing = needed - self.tokens_micros;
        Err((missing * (MINUTE_NS / MICROS)).div_ceil(self.per_minute).max(1))
    }

    /// The venue said 429: nothing goes out before then.
    pub fn block(&mut self, until_ns: u64) {
        self.blocked_until_ns = self.blocked_until_ns.max(until_ns);
    }

    fn refill(&mut self, now_ns: u64) {
        let elapsed_ns = now_ns.saturating_sub(self.refilled_ns);
        if elapsed_ns >= MINUTE_NS {
            self.tokens_micros = self.capacity * MICROS;
            self.refilled_ns = now_ns;
            return;
        }
        let gained = elapsed_ns * self.per_minute / (MINUTE_NS / MICROS);
        self.tokens_micros = (self.tokens_micros + gained).min(self.capacity * MICROS);
        // Only the time that became tokens is used up; the rest counts for the next refill.
        self.refilled_ns += (gained * (MINUTE_NS / MICROS)).div_ceil(self.per_minute);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgent_requests_get_the_last_tokens() {
        let mut bucket = TokenBucket::new(10, 3, 0);
        for _ in 0..7 {
            assert_eq!(bucket.take(0, false), Ok(()));
        }
        assert!(bucket.take(0, false).is_err());
        for _ in 0..3 {
            assert_eq!(bucket.take(0, true), Ok(()));
        }
        let wait = bucket.take(0, true).expect_err("empty");
        assert_eq!(wait, 6_000_000_000);
        assert!(bucket.take(wait - 1, true).is_err());
        assert_eq!(bucket.take(wait, true), Ok(()));
    }

    #[test]
    fn never_more_than_the_rate_over_any_minute_after_the_first() {
        let mut bucket = TokenBucket::new(180, 0, 0);
        let mut granted = 0;
        for ms in 0..120_000u64 {
            granted += u32::from(bucket.take(ms * 1_000_000, true).is_ok());
        }
        assert!((538..=541).contains(&granted), "{granted}");
    }

    #[test]
    fn a_429_blocks_everything_until_its_reset() {
        let mut bucket = TokenBucket::new(180, 10, 0);
        bucket.block(5_000);
        assert_eq!(bucket.take(1_000, true), Err(4_000));
        assert_eq!(bucket.take(5_000, true), Ok(()));
    }
}
