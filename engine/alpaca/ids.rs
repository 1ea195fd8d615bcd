//! Which order of ours is which order of the venue's. We know orders by our client ids; the venue changes and
//! cancels them by its own, and gives every replacement a new one. Answers and events come in either order, so
//! both teach this table.

use crate::decimal::Decimal;
use crate::orders::{BadOrder, Order, TradeUpdate};
use market::order::{Outcome, Report, Side, Ticket};
use market::{OrderId, Price};
use std::collections::{BTreeMap, VecDeque};

/// Orders remembered; a day has far fewer. The oldest are forgotten first, and then looked up by client id.
pub const ORDERS_MAX: usize = 8192;

/// The two-way table of order ids.
#[derive(Debug, Default)]
pub struct VenueIds {
    ours: BTreeMap<OrderId, Known>,
    theirs: BTreeMap<String, OrderId>,
    oldest: VecDeque<OrderId>,
}

#[derive(Debug, Default, Clone)]
struct Known {
    venue_id: Option<String>,
    /// Side of a one-leg order, whose limits go out unsigned.
    single: Option<Side>,
    /// The order that takes its place, as asked for.
    successor: Option<OrderId>,
}

impl VenueIds {
    /// Remembers what is about to be sent.
    pub fn learn_ticket(&mut self, ticket: &Ticket) {
        let single = match ticket.legs.as_slice() {
            [leg] => Some(leg.side),
            _ => None,
        };
        self.entry(ticket.id).single = single;
    }

    /// Remembers what the venue said. Orders that are not ours are passed over.
    pub fn learn_order(&mut self, order: &Order) {
        let Some(id) = order.our_id() else { return };
        let is_single = order.legs.as_ref().is_none_or(Vec::is_empty);
        let known = self.entry(id);
        known.venue_id = Some(order.id.clone());
        if is_single && known.single.is_none() {
            known.single = order.side.side();
        }
        self.theirs.insert(order.id.clone(), id);
        if let Some(by) = order.replaces.as_ref().and_then(|old| self.theirs.get(old).copied()) {
            self.entry(by).successor = Some(id);
        }
    }

    /// Remembers that `id` is about to be replaced by `new_id`, which inherits what kind of order it is.
    pub fn expect_replacement(&mut self, id: OrderId, new_id: OrderId) {
        let old = self.entry(id);
        old.successor = Some(new_id);
        let single = old.single;
        self.entry(new_id).single = single;
    }

    /// The venue's id of our order, when it is known.
    pub fn venue_id(&self, id: OrderId) -> Option<&str> {
        self.ours.get(&id)?.venue_id.as_deref()
    }

    /// Our id of the venue's order, when it is known.
    pub fn our_id(&self, venue_id: &str) -> Option<OrderId> {
        self.theirs.get(venue_id).copied()
    }

    /// The side of a one-leg order.
    pub fn single(&self, id: OrderId) -> Option<Side> {
        self.ours.get(&id)?.single
    }

    /// Our id of the order that took this one's place.
    pub fn successor(&self, order: &Order) -> Option<OrderId> {
        let told = order.replaced_by.as_deref().and_then(|by| self.our_id(by));
        told.or_else(|| self.ours.get(&order.our_id()?)?.successor)
    }

    /// A trade update in our words, after learning from it. `Ok(None)` for events that change nothing, and for
    /// orders that are not ours.
    pub fn report(&mut self, update: &TradeUpdate) -> Result<Option<Report>, BadOrder> {
        if update.order.our_id().is_none() {
            return Ok(None);
        }
        self.learn_order(&update.order);
        update.report(self.successor(&update.order))
    }

    /// The limit of a replacement as it goes out.
    pub fn wire_limit(&self, id: OrderId, limit: Price) -> Decimal {
        Decimal::from(self.single(id).map_or(limit, |side| limit * side.sign()))
    }

    fn entry(&mut self, id: OrderId) -> &mut Known {
        if !self.ours.contains_key(&id) {
            self.oldest.push_back(id);
            if self.oldest.len() > ORDERS_MAX
                && let Some(old) = self.oldest.pop_front()
                && let Some(Known { venue_id: Some(venue_id), .. }) = self.ours.remove(&old)
            {
                self.theirs.remove(&venue_id);
            }
        }
        self.ours.entry(id).or_default()
    }
}

/// True for a report that ends an order.
pub fn is_final(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Canceled
            | Outcome::Expired
            | Outcome::Rejected { .. }
            | Outcome::Replaced { .. }
            | Outcome::NotFound
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{OrderStatus, UpdateEvent};
    use market::Timestamp;

    fn id(n: usize) -> OrderId {
        format!("eng-{n}").parse().expect("short")
    }

    fn order(venue: &str, ours: &str, status: OrderStatus) -> Order {
        Order::bare(venue.into(), ours.into(), Timestamp::from_ns(1), status)
    }

    #[test]
    fn the_replacement_is_named_whichever_comes_first() {
        let mut ids = VenueIds::default();
        ids.learn_order(&order("v1", "eng-1", OrderStatus::New));
        // The event beats the answer to the PATCH: `v2` is not known yet, but we know what we asked for.
        ids.expect_replacement(id(1), id(2));
        let mut old = order("v1", "eng-1", OrderStatus::Replaced);
        old.replaced_by = Some("v2".into());
        let update = TradeUpdate {
            event: UpdateEvent::Replaced,
            at: None,
            event_id: None,
            execution_id: None,
            timestamp: Timestamp::from_ns(5),
            price: None,
            qty: None,
            position_qty: None,
            order: old,
            position_qtys: None,
            legs: None,
        };
        let report = ids.report(&update).expect("readable").expect("ours");
        assert_eq!(report.outcome, Outcome::Replaced { by: id(2) });
        // A replacement made elsewhere is known by its `replaces`.
        let mut other = order("v9", "other-9", OrderStatus::New);
        other.replaces = Some("v2".into());
        ids.learn_order(&order("v2", "eng-2", OrderStatus::New));
        ids.learn_order(&other);
        assert_eq!(ids.venue_id(id(2)), Some("v2"));
        let seen = ids.successor(&order("v2", "eng-2", OrderStatus::Replaced));
        assert_eq!(seen.map(|s| s.to_string()), Some("other-9".into()));
    }

    #[test]
    fn bounded() {
        let mut ids = VenueIds::default();
        for n in 0..ORDERS_MAX + 10 {
            ids.learn_order(&order(&format!("v{n}"), &format!("eng-{n}"), OrderStatus::New));
        }
        assert_eq!((ids.venue_id(id(9)), ids.our_id("v9")), (None, None));
        assert_eq!(ids.venue_id(id(10)), Some("v10"));
        assert_eq!(ids.theirs.len(), ORDERS_MAX);
    }
}
