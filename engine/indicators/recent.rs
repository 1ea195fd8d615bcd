//! The ids of the latest trades, to drop what a feed repeats.

use market::{Timestamp, quote::Trade};
use serde::{Deserialize, Serialize};

/// How many trades back a repeat is noticed.
pub const RECENT_TRADES: usize = 64;

/// A ring of ids and times. Two trades are the same when both agree: ids alone repeat from day to day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecentTrades {
    #[serde(with = "whole")]
    ids: [u64; RECENT_TRADES],
    #[serde(with = "whole")]
    times: [Timestamp; RECENT_TRADES],
    next: usize,
}

impl RecentTrades {
    /// None yet.
    pub const fn new() -> Self {
        Self { ids: [0; RECENT_TRADES], times: [Timestamp::MIN; RECENT_TRADES], next: 0 }
    }

    /// Notes the trade; true when it was there already. Trades without an id are never repeats.
    #[inline]
    pub fn is_repeat(&mut self, trade: &Trade) -> bool {
        if trade.id == 0 {
            return false;
        }
        // No early exit: the compiler turns this into a few vector compares.
        let met = self.ids.iter().fold(false, |met, id| met | (*id == trade.id));
        if met && self.ids.iter().zip(&self.times).any(|(id, at)| *id == trade.id && *at == trade.at) {
            return true;
        }
        self.ids[self.next] = trade.id;
        self.times[self.next] = trade.at;
        self.next = (self.next + 1) % RECENT_TRADES;
        false
    }
}

impl Default for RecentTrades {
    fn default() -> Self {
        Self::new()
    }
}

/// A ring written as the list it is; one of another length is refused.
mod whole {
    use super::RECENT_TRADES;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        ring: &[T; RECENT_TRADES],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        ring.as_slice().serialize(to)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<[T; RECENT_TRADES], D::Error> {
        let list = Vec::<T>::deserialize(from)?;
        let length = list.len();
        list.try_into().map_err(|_| D::Error::invalid_length(length, &"a ring of 64 trades"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::{Price, quote::SaleRule};

    #[test]
    fn repeats_are_noticed_within_the_ring() {
        let mut recent = RecentTrades::new();
        let trade = |id: u64, second| Trade {
            price: Price::from_cents(100),
            size: 1,
            at: Timestamp::from_seconds(second),
            id,
            rule: SaleRule::Regular,
        };
        assert!(!recent.is_repeat(&trade(7, 1)));
        assert!(recent.is_repeat(&trade(7, 1)));
        assert!(!recent.is_repeat(&trade(7, 2)), "same id on another day");
        assert!(!recent.is_repeat(&trade(0, 1)) && !recent.is_repeat(&trade(0, 1)), "no id");
        for id in 100..100 + RECENT_TRADES as u64 {
            assert!(!recent.is_repeat(&trade(id, 3)));
        }
        assert!(!recent.is_repeat(&trade(7, 1)), "forgotten after a ring of others");
    }
}
