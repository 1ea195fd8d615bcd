//! What makes our order ids unique on an account: the journal they are on record in, and the number of the run. A
//! new journal counts its runs from 1 again, and two engines may share an account, so the number alone is not enough.

use crate::OrderId;
use std::fmt;

/// Nonces in use: five characters of base 36.
pub const NONCES: u32 = 36 * 36 * 36 * 36 * 36;

/// A run of one journal. Written `wk3f9z-12`: run 12 of the journal whose nonce is `k3f9z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId {
    nonce: u32,
    run: u32,
}

impl RunId {
    /// Run `run` of the journal with this nonce (taken modulo [`NONCES`]); 0 is a journal without one.
    pub const fn new(nonce: u64, run: u32) -> Self {
        Self { nonce: (nonce % NONCES as u64) as u32, run }
    }

    /// The number of the run.
    pub const fn run(self) -> u32 {
        self.run
    }

    /// True for ids of orders made with this journal, in any of its runs.
    pub fn owns(self, id: &OrderId) -> bool {
        let Some(rest) = id.as_str().strip_prefix('w') else { return false };
        if self.nonce == 0 {
            return rest.split('.').next().is_some_and(|run| run.parse::<u32>().is_ok());
        }
        let own = self.letters();
        rest.as_bytes().strip_prefix(&own).is_some_and(|rest| rest.first() == Some(&b'-'))
    }

    fn letters(self) -> [u8; 5] {
        let mut left = self.nonce;
        let mut letters = [b'0'; 5];
        for letter in letters.iter_mut().rev() {
            *letter = b"0123456789abcdefghijklmnopqrstuvwxyz"[(left % 36) as usize];
            left /= 36;
        }
        letters
    }
}

/// A run of a journal without a nonce.
impl From<u32> for RunId {
    fn from(run: u32) -> Self {
        Self::new(0, run)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nonce == 0 {
            return write!(f, "w{}", self.run);
        }
        let letters = self.letters();
        write!(f, "w{}-{}", std::str::from_utf8(&letters).unwrap_or("?"), self.run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(text: &str) -> OrderId {
        text.parse().unwrap()
    }

    #[test]
    fn journals_tell_their_orders_apart() {
        let ours = RunId::new(123_456, 12);
        assert_eq!(ours.to_string(), "w02n9c-12");
        assert!(ours.owns(&order("w02n9c-3.SPY.17.0")), "an earlier run of the same journal");
        for foreign in
            ["w02n9d-12.SPY.1.0", "w12.SPY.1.0", "w02n9c12.SPY.1.0", "61e69015-8549-4bfd-b9c3-01e75843f47d"]
        {
            assert!(!ours.owns(&order(foreign)), "{foreign}");
        }
        let old = RunId::from(3);
        assert_eq!(old.to_string(), "w3");
        assert!(old.owns(&order("w2.SPY.1.0")) && !old.owns(&order("w02n9c-2.SPY.1.0")));
        assert!(!old.owns(&order("by-hand")));
    }
}
