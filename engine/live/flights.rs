//! Requests under way, and the look-ups that wait for them. A look-up that overtakes its own order's POST would hear
//! "not found" of an order that is about to exist, so it waits until the answer is there. When the answer was unclear,
//! or a look-up found nothing, the next one waits a little longer by the wall clock: how fast the market's time runs
//! does not change how long a venue needs.

use market::OrderId;
use market::order::Request;
use std::collections::{BTreeMap, VecDeque};

/// How long a look-up keeps away from an id whose last answer settled nothing, in wall nanoseconds.
pub const SETTLE_NS: u64 = 500_000_000;

/// What is under way, and what waits. Times are nanoseconds of a monotonic clock.
#[derive(Debug, Default)]
pub struct Flights {
    /// Submits and replacements whose answer is awaited.
    flying: BTreeMap<OrderId, u32>,
    /// No look-up of these before then.
    not_before: BTreeMap<OrderId, u64>,
    /// To be looked up, oldest first, each once.
    waiting: VecDeque<OrderId>,
}

impl Flights {
    /// A request leaves.
    pub fn begin(&mut self, request: &Request) {
        for id in makes(request).into_iter().flatten() {
            *self.flying.entry(id).or_insert(0) += 1;
        }
    }

    /// Its answer is there, or will not come.
    pub fn end(&mut self, request: &Request, is_clear: bool, now_ns: u64) {
        for id in makes(request).into_iter().flatten() {
            if let Some(count) = self.flying.get_mut(&id) {
                *count -= 1;
                if *count == 0 {
                    self.flying.remove(&id);
                }
            }
            if !is_clear {
                self.settle(id, now_ns);
            }
        }
    }

    /// The last answer about an order settled nothing: it is left alone for a moment.
    pub fn settle(&mut self, id: OrderId, now_ns: u64) {
        self.not_before.retain(|_, at| *at > now_ns);
        self.not_before.insert(id, now_ns + SETTLE_NS);
    }

    /// An order is to be looked up. One that waits already is asked for once.
    pub fn ask(&mut self, id: OrderId) {
        if !self.waiting.contains(&id) {
            self.waiting.push_back(id);
        }
    }

    /// Takes everything that can be looked up now.
    pub fn take_ready(&mut self, now_ns: u64) -> Vec<OrderId> {
        let (flying, not_before) = (&self.flying, &self.not_before);
        let is_ready =
            |id: &OrderId| !flying.contains_key(id) && not_before.get(id).is_none_or(|at| *at <= now_ns);
        let (ready, waiting) = self.waiting.iter().partition::<Vec<OrderId>, _>(|id| is_ready(id));
        self.waiting = waiting.into();
        ready
    }

    /// When something that waits only for time can be looked up.
    pub fn next_ns(&self) -> Option<u64> {
        let waits = self.waiting.iter().filter(|id| !self.flying.contains_key(id));
        waits.map(|id| self.not_before.get(id).copied().unwrap_or(0)).min()
    }
}

/// Ids whose order a request may bring about or end.
fn makes(request: &Request) -> [Option<OrderId>; 2] {
    match request {
        Request::Submit(ticket) => [Some(ticket.id), None],
        Request::Replace { id, new_id, .. } => [Some(*id), Some(*new_id)],
        Request::Cancel { .. } | Request::LookUp { .. } => [None, None],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::Price;

    fn id(text: &str) -> OrderId {
        text.parse().expect("short")
    }

    fn replace() -> Request {
        Request::Replace { id: id("a.0"), new_id: id("a.1"), limit: Price::CENT }
    }

    #[test]
    fn a_look_up_waits_for_its_own_order() {
        let mut flights = Flights::default();
        flights.begin(&replace());
        flights.ask(id("a.1"));
        flights.ask(id("b.0"));
        assert_eq!(flights.take_ready(0), [id("b.0")], "the other is not kept waiting");
        // However fast the market's time runs, nothing is asked before the answer is there.
        assert!(flights.take_ready(60 * SETTLE_NS).is_empty());
        assert_eq!(flights.next_ns(), None);
        flights.end(&replace(), true, 5);
        assert_eq!(flights.take_ready(5), [id("a.1")]);
        assert!(flights.take_ready(5).is_empty());
    }

    #[test]
    fn what_settled_nothing_is_left_alone_for_a_moment() {
        let mut flights = Flights::default();
        flights.begin(&replace());
        flights.end(&replace(), false, 100);
        flights.ask(id("a.1"));
        flights.ask(id("a.1"));
        assert!(flights.take_ready(100).is_empty());
        assert_eq!(flights.next_ns(), Some(100 + SETTLE_NS));
        assert_eq!(flights.take_ready(100 + SETTLE_NS), [id("a.1")], "once");
        flights.settle(id("a.1"), 200 + SETTLE_NS);
        flights.ask(id("a.1"));
        assert!(flights.take_ready(201 + SETTLE_NS).is_empty(), "found nothing: not at once again");
    }

    #[test]
    fn two_requests_about_one_order_are_both_awaited() {
        let mut flights = Flights::default();
        flights.begin(&replace());
        flights.begin(&replace());
        flights.ask(id("a.0"));
        flights.end(&replace(), true, 1);
        assert!(flights.take_ready(1).is_empty());
        flights.end(&replace(), true, 2);
        assert_eq!(flights.take_ready(2), [id("a.0")]);
    }
}
