//! Which orders a client asks for.

use crate::identity::Uuid;
use crate::listing::Listing;
use crate::order::Order;
use market::order::Side;
use market::{Instrument, Timestamp};

/// Open, closed, or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OrderScope {
    /// Not finished.
    #[default]
    Open,
    /// Finished.
    Closed,
    /// Both.
    All,
}

/// A question for orders; newest first unless `ascending`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct OrderFilter {
    /// Open, closed, or all.
    pub scope: OrderScope,
    /// Submitted later than this.
    pub after: Option<Timestamp>,
    /// Submitted earlier than this.
    pub until: Option<Timestamp>,
    /// Oldest first.
    pub ascending: bool,
    /// Only with a leg of these symbols (of options also: their underlying); empty: all.
    pub symbols: Vec<String>,
    /// Only simple orders of this side.
    pub side: Option<Side>,
    /// Only entries before this order in time.
    pub before_order_id: Option<Uuid>,
    /// Only entries after this order in time.
    pub after_order_id: Option<Uuid>,
    /// True: only option orders; false: only shares.
    pub options: Option<bool>,
    /// Most orders; 0 counts as 50.
    pub limit: usize,
}

impl OrderFilter {
    pub(crate) fn pick<'a>(
        &self,
        oldest_first: impl Iterator<Item = &'a Order>,
        listing: &Listing,
    ) -> Vec<&'a Order> {
        let all: Vec<&Order> = oldest_first.collect();
        let place = |id: Option<Uuid>| id.and_then(|id| all.iter().position(|order| order.id == id));
        let (before, after) = (place(self.before_order_id), place(self.after_order_id));
        let inside = |i: &usize| before.is_none_or(|b| *i < b) && after.is_none_or(|a| *i > a);
        let taken = all.iter().enumerate().filter(|(i, order)| inside(i) && self.takes(order, listing));
        let mut found: Vec<&Order> = taken.map(|(_, order)| *order).collect();
        if !self.ascending {
            found.reverse();
        }
        found.truncate(if self.limit == 0 { 50 } else { self.limit });
        found
    }

    fn takes(&self, order: &Order, listing: &Listing) -> bool {
        let in_scope = match self.scope {
            OrderScope::Open => !order.status.is_terminal(),
            OrderScope::Closed => order.status.is_terminal(),
            OrderScope::All => true,
        };
        in_scope
            && self.after.is_none_or(|after| order.submitted_at > after)
            && self.until.is_none_or(|until| order.submitted_at < until)
            && self.side.is_none_or(|side| order.side() == Some(side))
            && self.options.is_none_or(|options| is_option(order) == options)
            && (self.symbols.is_empty() || self.symbols.iter().any(|symbol| concerns(order, symbol, listing)))
    }
}

fn is_option(order: &Order) -> bool {
    order.legs.iter().any(|leg| matches!(leg.instrument, Instrument::Option(_)))
}

fn concerns(order: &Order, symbol: &str, listing: &Listing) -> bool {
    order.legs.iter().any(|leg| {
        leg.instrument.to_string() == symbol || listing.underlying(&leg.instrument).as_str() == symbol
    })
}
