//! A symbol's letter box on the trading thread, where overload is met.
//!
//! Policy, in order:
//! 1. While no more than `quotes_max` quotes wait, everything is heard in the order it came.
//! 2. Beyond that quotes conflate: of each instrument only the newest stays, older ones are counted.
//! 3. Trades, bars and notices never drop. When `events_max` of them wait although quotes are conflated,
//!    the post is full and the feed stops reading its socket until the seat has caught up.

use market::Instrument;
use market::quote::MarketEvent;
use std::collections::VecDeque;

/// Bounds of one post.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Quotes that may wait before they conflate.
    pub quotes_max: usize,
    /// Events that may wait before the feed stops reading.
    pub events_max: usize,
}

/// An event with the moment its bytes were read and decoded.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// What was said.
    pub event: MarketEvent,
    /// Monotonic nanoseconds when the bytes were read.
    pub read_ns: u64,
    /// Monotonic nanoseconds when it was decoded.
    pub decoded_ns: u64,
}

/// One symbol's post.
pub struct Post {
    bounds: Bounds,
    waiting: VecDeque<Received>,
    quotes: usize,
    /// Quotes at which the next conflation happens: twice what the last one left, so that a long chain does not
    /// pay for one at every quote.
    conflate_at: usize,
    /// Instruments whose newest quote was met while conflating; kept to reuse its memory.
    met: Vec<Instrument>,
}

impl Post {
    /// An empty post.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            waiting: VecDeque::with_capacity(bounds.events_max + bounds.quotes_max + 1),
            quotes: 0,
            conflate_at: bounds.quotes_max,
            met: Vec::with_capacity(bounds.events_max),
        }
    }

    /// Takes an event; answers how many quotes were conflated to make room.
    pub fn push(&mut self, received: Received) -> u64 {
        let is_quote = matches!(received.event, MarketEvent::Quote(..));
        self.waiting.push_back(received);
        if !is_quote {
            return 0;
        }
        self.quotes += 1;
        if self.quotes > self.conflate_at { self.conflate() } else { 0 }
    }

    /// The next event in order.
    pub fn pop(&mut self) -> Option<Received> {
        let next = self.waiting.pop_front()?;
        if matches!(next.event, MarketEvent::Quote(..)) {
            self.quotes -= 1;
        }
        Some(next)
    }

    /// Events waiting.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// True when the feed must stop reading until the seat has caught up.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= self.bounds.events_max
    }

    /// Keeps the newest quote of each instrument, and everything else, in order.
    fn conflate(&mut self) -> u64 {
        self.met.clear();
        let before = self.waiting.len();
        let mut keep = self.waiting.len();
        // From the newest to the oldest, shifting what stays toward the back.
        for i in (0..self.waiting.len()).rev() {
            let item = self.waiting[i];
            if let MarketEvent::Quote(instrument, _) = item.event {
                if self.met.contains(&instrument) {
                    continue;
                }
                self.met.push(instrument);
            }
            keep -= 1;
            self.waiting[keep] = item;
        }
        self.waiting.drain(..keep);
        self.quotes = self.met.len();
        self.conflate_at = self.bounds.quotes_max.max(2 * self.quotes);
        (before - self.waiting.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::quote::{Level, Quote, SaleRule, Trade};
    use market::{Price, Symbol, Timestamp};

    fn quote(name: &str, n: i64) -> Received {
        let level = Level { price: Price::from_cents(n), size: 1 };
        let q = Quote { bid: Some(level), ask: Some(level), at: Timestamp::from_ns(n) };
        let symbol: Symbol = name.parse().unwrap();
        Received { event: MarketEvent::Quote(Instrument::Stock(symbol), q), read_ns: 0, decoded_ns: 0 }
    }

    fn trade(n: i64) -> Received {
        let t = Trade {
            price: Price::from_cents(n),
            size: 1,
            at: Timestamp::from_ns(n),
            id: n as u64,
            rule: SaleRule::Regular,
        };
        let symbol: Symbol = "SPY".parse().unwrap();
        Received { event: MarketEvent::Trade(Instrument::Stock(symbol), t), read_ns: 0, decoded_ns: 0 }
    }

    #[test]
    fn quotes_conflate_to_the_newest_and_trades_all_stay_in_order() {
        let mut post = Post::new(Bounds { quotes_max: 4, events_max: 100 });
        let mut conflated = 0;
        for n in 0..50 {
            conflated += post.push(quote("SPY", n));
            conflated += post.push(trade(n));
        }
        let mut quotes = Vec::new();
        let mut trades = Vec::new();
        while let Some(item) = post.pop() {
            match item.event {
                MarketEvent::Quote(_, q) => quotes.push(q.at.ns()),
                MarketEvent::Trade(_, t) => trades.push(t.at.ns()),
                _ => {}
            }
        }
        assert_eq!(trades, (0..50).collect::<Vec<_>>(), "every trade, in order");
        assert_eq!(quotes.last(), Some(&49), "the newest quote is there");
        assert_eq!(quotes.len() as u64 + conflated, 50, "every quote is heard or counted");
        assert!(quotes.len() <= 4);
    }

    #[test]
    fn instruments_do_not_push_each_other_out() {
        let mut post = Post::new(Bounds { quotes_max: 2, events_max: 100 });
        for n in 0..10 {
            post.push(quote("SPY", n));
            post.push(quote("QQQ", n));
        }
        assert!(post.len() <= 4, "twice what a conflation leaves");
        let newest: Vec<i64> =
            std::iter::from_fn(|| post.pop()).filter_map(|r| r.event.at()).map(Timestamp::ns).collect();
        assert_eq!(newest.iter().filter(|n| **n == 9).count(), 2);
    }

    #[test]
    fn says_when_it_is_full() {
        let mut post = Post::new(Bounds { quotes_max: 2, events_max: 3 });
        for n in 0..3 {
            assert!(!post.is_full());
            post.push(trade(n));
        }
        assert!(post.is_full());
    }
}
