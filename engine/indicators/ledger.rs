//! The latest trades of the session with their ids: what a cancel or a correction needs to take one back exactly.
//!
//! A minute whose trades are all still here is made again without the trade. Of an older trade nothing is known
//! any more: the venue's own corrected bar puts its minute right.

use crate::grid::Span;
use crate::part::Part;
use market::quote::Trade;
use market::{Price, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};

/// How many trades back one can be taken back. At 32 bytes each a symbol's ledger takes 32 KB.
pub const LEDGER_TRADES: usize = 1024;

const NOTHING: Trade =
    Trade { price: Price::ZERO, size: 0, at: Timestamp::MIN, id: 0, rule: market::quote::SaleRule::Ignored };

/// A ring of trades, newest over oldest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ledger {
    #[serde(deserialize_with = "whole")]
    trades: Vec<Trade>,
    next: usize,
    /// The latest stamp among those that fell out: minutes that begin after it are here as a whole.
    forgotten_until: Timestamp,
}

impl Ledger {
    /// Empty; allocates once.
    pub fn new() -> Self {
        Self { trades: vec![NOTHING; LEDGER_TRADES], next: 0, forgotten_until: Timestamp::MIN }
    }

    /// Becomes empty: another session begins.
    pub fn clear(&mut self) {
        self.trades.fill(NOTHING);
        self.next = 0;
        self.forgotten_until = Timestamp::MIN;
    }

    /// Notes a trade that entered a bar.
    #[inline]
    pub fn note(&mut self, trade: &Trade) {
        let place = &mut self.trades[self.next % LEDGER_TRADES];
        self.forgotten_until = self.forgotten_until.max(place.at);
        *place = *trade;
        self.next = (self.next + 1) % LEDGER_TRADES;
    }

    /// Takes the newest trade of that id out and answers it; `None` when it is not here.
    pub fn remove(&mut self, id: u64) -> Option<Trade> {
        let place = self.find(id)?;
        // The place stays taken: order among the others is what tells equal stamps apart.
        Some(std::mem::replace(&mut self.trades[place], NOTHING))
    }

    /// Puts another trade in the place of the newest of that id, and answers what was there.
    pub fn replace(&mut self, id: u64, by: &Trade) -> Option<Trade> {
        let place = self.find(id)?;
        Some(std::mem::replace(&mut self.trades[place], *by))
    }

    /// The newest trade of that id.
    pub fn get(&self, id: u64) -> Option<&Trade> {
        self.find(id).map(|place| &self.trades[place])
    }

    fn find(&self, id: u64) -> Option<usize> {
        if id == 0 {
            return None;
        }
        let (newer, older) = (0..self.next, self.next..LEDGER_TRADES);
        newer.rev().chain(older.rev()).find(|i| self.trades[*i].id == id)
    }

    /// True when every trade of the interval is here.
    pub fn covers(&self, span: &Span) -> bool {
        span.start > self.forgotten_until
    }

    /// The interval's trades put into `part`, in the order they were heard.
    pub fn fold(&self, span: &Span, part: Part) -> Part {
        let heard = self.trades[self.next..].iter().chain(&self.trades[..self.next]);
        heard.filter(|trade| span.holds(trade.at)).fold(part, |mut part, trade| {
            part.trade(trade);
            part
        })
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads the ring; one of another length is refused.
fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Trade>, D::Error> {
    let trades = Vec::<Trade>::deserialize(from)?;
    if trades.len() == LEDGER_TRADES {
        return Ok(trades);
    }
    Err(serde::de::Error::invalid_length(trades.len(), &"a ledger of 1024 trades"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::quote::SaleRule;

    fn trade(id: u64) -> Trade {
        let at = Timestamp::from_seconds(id as i64);
        Trade { price: Price::from_cents(100 + id as i64), size: 1, at, id, rule: SaleRule::Regular }
    }

    #[test]
    fn the_oldest_fall_out_and_take_their_minutes_with_them() {
        let mut ledger = Ledger::new();
        let count = LEDGER_TRADES as u64 + 10;
        (1..=count).for_each(|id| ledger.note(&trade(id)));
        assert_eq!(ledger.remove(10), None);
        assert_eq!(ledger.remove(11), Some(trade(11)));
        assert_eq!(ledger.remove(11), None, "only once");
        assert_eq!(ledger.remove(count), Some(trade(count)));
        assert_eq!(ledger.remove(0), None, "no id");
        let span = |from: i64, to: i64| Span {
            start: Timestamp::from_seconds(from),
            end: Timestamp::from_seconds(to),
        };
        assert!(!ledger.covers(&span(10, 20)) && ledger.covers(&span(11, 20)));
        let bar = ledger.fold(&span(11, 20), Part::EMPTY).bar(Timestamp::MIN).expect("trades");
        assert_eq!((bar.open, bar.close, bar.volume), (Price::from_cents(112), Price::from_cents(119), 8));
        ledger.clear();
        assert_eq!(ledger.remove(500), None);
    }
}
