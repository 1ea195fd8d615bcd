//! Which order of ours is which order of the venue's. We know orders by our client ids; the venue changes and
//! cancels them by its own, and gives every replacement a new one. Answers and events come in either order, so
//! both teach this table.

use crate::decimal::Decimal;
use crate::orders::{BadOrder, Order, TradeUpdate};
use crate::words::OrderClass;
use market::order::{Legs, Outcome, Report, Side, Ticket};
use market::{Instrument, OrderId, Price, RunId};
use std::collections::{BTreeMap, VecDeque};

/// Orders remembered; a day has far fewer. The oldest are forgotten first, and then looked up by client id.
pub const ORDERS_MAX: usize = 8192;

/// The two-way table of order ids.
#[derive(Debug, Default)]
pub struct VenueIds {
    /// Whose orders are ours; without it, whatever id fits is.
    run: Option<RunId>,
    ours: BTreeMap<OrderId, Known>,
    theirs: BTreeMap<String, OrderId>,
    oldest: VecDeque<OrderId>,
}

#[derive(Debug, Default, Clone)]
struct Known {
    venue_id: Option<String>,
    /// What we sent: the legs, and the units where no replacement can have changed them.
    sent: Option<(Legs, Option<u32>)>,
    /// Side of a one-leg order that only the venue told of.
    told_side: Option<Side>,
    /// The order that took its place, as the venue said.
    successor: Option<OrderId>,
    /// The order that is to take its place, as asked for.
    asked: Option<OrderId>,
}

impl Known {
    /// Side of a one-leg order, whose limits go out unsigned.
    fn single(&self) -> Option<Side> {
        match &self.sent {
            Some((legs, _)) => legs.first().filter(|_| legs.len() == 1).map(|leg| leg.side),
            None => self.told_side,
        }
    }
}

impl VenueIds {
    /// A table for the orders of one journal. Others on the same account are passed over.
    pub fn of(run: RunId) -> Self {
        Self { run: Some(run), ..Self::default() }
    }

    /// Remembers what is about to be sent.
    pub fn learn_ticket(&mut self, ticket: &Ticket) {
        self.entry(ticket.id).sent = Some((ticket.legs.clone(), Some(ticket.units)));
    }

    /// True for orders with an id of ours, and for whatever takes the place of one.
    pub fn is_ours(&self, order: &Order) -> bool {
        let Some(id) = order.our_id() else { return false };
        self.run.is_none_or(|run| run.owns(&id))
            || self.ours.contains_key(&id)
            || order.replaces.as_ref().is_some_and(|old| self.theirs.contains_key(old))
    }

    /// True when this engine sent an order of that id, or a replacement, since it started.
    pub fn was_sent(&self, id: OrderId) -> bool {
        self.ours.get(&id).is_some_and(|known| known.sent.is_some())
    }

    /// True when the order has an id we sent, but is not what we sent under it.
    pub fn is_stranger(&self, order: &Order) -> bool {
        let sent = order.our_id().and_then(|id| self.ours.get(&id)?.sent.as_ref());
        let Some((legs, units)) = sent else { return false };
        // What cannot be read is told as such elsewhere; a package may be answered without its legs.
        let Ok(told) = order.our_legs() else { return false };
        if sides(legs) != sides(&told) {
            return true;
        }
        let per_unit = if let [leg] = legs.as_slice() { i64::from(leg.ratio) } else { 1 };
        match (units, order.qty) {
            (Some(units), Some(qty)) => qty != Decimal::whole(i64::from(*units) * per_unit),
            _ => false,
        }
    }

    /// Remembers what the venue said. Orders that are not ours are passed over.
    pub fn learn_order(&mut self, order: &Order) {
        let Some(id) = order.our_id().filter(|_| self.is_ours(order)) else { return };
        // A package may be answered without legs, and the side of its parent is noise.
        let legless = order.legs.as_ref().is_none_or(Vec::is_empty);
        let is_single = legless && order.order_class != OrderClass::MultiLeg && !order.symbol.is_empty();
        let known = self.entry(id);
        known.venue_id = Some(order.id.clone());
        if is_single {
            known.told_side = order.side.side();
        }
        self.theirs.insert(order.id.clone(), id);
        if let Some(by) = order.replaces.as_ref().and_then(|old| self.theirs.get(old).copied()) {
            self.entry(by).successor = Some(id);
        }
    }

    /// Remembers that `id` is about to be replaced by `new_id`, which inherits what kind of order it is.
    pub fn expect_replacement(&mut self, id: OrderId, new_id: OrderId) {
        let old = self.entry(id);
        old.asked = Some(new_id);
        let (sent, told_side) = (old.sent.clone(), old.told_side);
        let new = self.entry(new_id);
        new.sent = new.sent.take().or(sent.map(|(legs, _)| (legs, None)));
        new.told_side = new.told_side.or(told_side);
    }

    /// The replacement was refused: whatever took the order's place, it was not this.
    pub fn withdraw_replacement(&mut self, id: OrderId, new_id: OrderId) {
        let old = self.entry(id);
        old.asked = old.asked.filter(|asked| *asked != new_id);
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
        self.ours.get(&id)?.single()
    }

    /// Our id of the order that took this one's place.
    pub fn successor(&self, order: &Order) -> Option<OrderId> {
        let told = order.replaced_by.as_deref().and_then(|by| self.our_id(by));
        told.or_else(|| {
            let known = self.ours.get(&order.our_id()?)?;
            known.successor.or(known.asked)
        })
    }

    /// A trade update in our words, after learning from it. `Ok(None)` for events that change nothing, and for
    /// orders that are not ours.
    pub fn report(&mut self, update: &TradeUpdate) -> Result<Option<Report>, BadOrder> {
        if !self.is_ours(&update.order) {
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

/// What is bought and sold, whatever the order of the legs.
fn sides(legs: &Legs) -> Vec<(Instrument, Side)> {
    let mut sides: Vec<_> = legs.iter().map(|leg| (leg.instrument, leg.side)).collect();
    sides.sort_unstable();
    sides
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

    fn spread(id: &str, units: u32) -> Ticket {
        let leg = |symbol, side| market::order::Leg {
            instrument: Instrument::parse(symbol).expect("OCC"),
            side,
            effect: market::order::Effect::Open,
            ratio: 1,
        };
        Ticket {
            id: id.parse().expect("short"),
            underlying: market::Symbol::literal("SPY"),
            legs: [leg("SPY260417P00560000", Side::Sell), leg("SPY260417P00555000", Side::Buy)]
                .into_iter()
                .collect(),
            units,
            pricing: market::order::Pricing::Limit(Price::from_cents(-120)),
        }
    }

    fn answer(ticket: &Ticket) -> Order {
        let mut order = order("v1", ticket.id.as_str(), OrderStatus::New);
        order.order_class = OrderClass::MultiLeg;
        order.qty = Some(Decimal::whole(i64::from(ticket.units)));
        let leg = |leg: &market::order::Leg| {
            let mut told = Order::bare("l".into(), "leg".into(), Timestamp::from_ns(1), OrderStatus::New);
            told.symbol = leg.instrument.to_string();
            told.side = leg.side.into();
            told
        };
        order.legs = Some(ticket.legs.iter().map(leg).collect());
        order
    }

    #[test]
    fn the_noise_side_of_a_package_never_turns_a_price() {
        let credit = Price::from_cents(-120);
        let mut ids = VenueIds::default();
        ids.learn_ticket(&spread("eng-1", 1));
        let mut bare = order("v1", "eng-1", OrderStatus::New);
        bare.side = crate::words::SideWord::Sell;
        ids.learn_order(&bare);
        assert_eq!(ids.wire_limit(id(1), credit), Decimal::from(credit), "we know what we sent");
        // After a restart only the venue's word is there: it says that it is a package.
        let mut ids = VenueIds::default();
        bare.order_class = OrderClass::MultiLeg;
        ids.learn_order(&bare);
        assert_eq!(ids.wire_limit(id(1), credit), Decimal::from(credit));
        ids.expect_replacement(id(1), id(2));
        assert_eq!(ids.single(id(2)), None);
    }

    #[test]
    fn another_order_under_our_id_is_a_stranger() {
        let ticket = spread("eng-1", 2);
        let mut ids = VenueIds::default();
        ids.learn_ticket(&ticket);
        assert!(!ids.is_stranger(&answer(&ticket)));
        let mut legless = answer(&ticket);
        legless.legs = None;
        assert!(!ids.is_stranger(&legless), "nothing to compare");
        assert!(ids.is_stranger(&answer(&spread("eng-1", 3))), "other units");
        let mut other = spread("eng-1", 2);
        other.legs.swap_remove(1);
        other.legs.push(market::order::Leg { side: Side::Buy, ..ticket.legs[0] });
        assert!(ids.is_stranger(&answer(&other)), "other legs");
        assert!(!ids.is_stranger(&answer(&spread("eng-2", 9))), "never sent: nothing to hold it against");
    }

    #[test]
    fn only_ids_of_our_journal_are_ours() {
        let mut ids = VenueIds::of(RunId::new(123_456, 12));
        for foreign in ["61e69015-8549-4bfd-b9c3-01e75843f47d", "w0aaaa-12.SPY.1.0", "by-hand"] {
            ids.learn_order(&order("v1", foreign, OrderStatus::New));
            assert_eq!(ids.our_id("v1"), None, "{foreign}");
        }
        ids.learn_order(&order("v2", "w02n9c-11.SPY.1.0", OrderStatus::New));
        assert!(ids.our_id("v2").is_some());
        // Somebody changed our order by hand: what took its place is ours to follow.
        let mut by_hand = order("v3", "by-hand", OrderStatus::New);
        by_hand.replaces = Some("v2".into());
        ids.learn_order(&by_hand);
        assert!(ids.our_id("v3").is_some());
    }

    #[test]
    fn a_refused_replacement_takes_no_place() {
        let mut ids = VenueIds::default();
        ids.expect_replacement(id(1), id(2));
        ids.withdraw_replacement(id(1), id(2));
        assert_eq!(ids.successor(&order("v1", "eng-1", OrderStatus::Replaced)), None);
        ids.expect_replacement(id(1), id(2));
        let mut new = order("v3", "eng-3", OrderStatus::New);
        new.replaces = Some("v1".into());
        ids.learn_order(&order("v1", "eng-1", OrderStatus::New));
        ids.learn_order(&new);
        ids.expect_replacement(id(1), id(4));
        let replaced = order("v1", "eng-1", OrderStatus::Replaced);
        assert_eq!(ids.successor(&replaced), Some(id(3)), "what the venue said counts, not what we asked");
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
