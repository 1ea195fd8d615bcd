//! The exchange spoken to in the house's own words ([`market::order`]): for shells that sit next to it and need
//! no wire in between.

use crate::account::AccountId;
use crate::activity::{Activity, ActivityDetail, ActivityType};
use crate::asked::{NewLeg, NewOrder, Replacement};
use crate::event::{Event, OrderEvent, OrderEventKind};
use crate::exchange::Exchange;
use crate::order::{Intent, Order};
use crate::refusal::Refusal;
use arrayvec::ArrayVec;
use market::order as words;
use market::order::{Outcome, Pricing, ReasonText, Report, Request, Ticket};
use market::{OrderId, Timestamp};

impl NewOrder {
    /// The order a ticket asks for.
    pub fn from_ticket(ticket: &Ticket) -> Self {
        let mleg = ticket.legs.len() > 1;
        let mut order = Self {
            qty: Some(ticket.units.to_string()),
            kind: Some("market".to_owned()),
            time_in_force: Some("day".to_owned()),
            client_order_id: Some(ticket.id.to_string()),
            ..Self::default()
        };
        if let Pricing::Limit(limit) = ticket.pricing {
            order.kind = Some("limit".to_owned());
            order.limit_price = Some(if mleg { limit } else { limit.abs() }.to_string());
        }
        if mleg {
            order.order_class = Some("mleg".to_owned());
            order.legs = ticket.legs.iter().map(NewLeg::from_leg).collect();
        } else if let Some(leg) = ticket.legs.first() {
            order.symbol = Some(leg.instrument.to_string());
            let side = if leg.side == words::Side::Buy { "buy" } else { "sell" };
            order.side = Some(side.to_owned());
            order.position_intent = Some(Intent::of(leg.side, leg.effect).to_string());
        }
        order
    }
}

impl NewLeg {
    fn from_leg(leg: &words::Leg) -> Self {
        Self {
            symbol: Some(leg.instrument.to_string()),
            ratio_qty: Some(leg.ratio.to_string()),
            side: None,
            position_intent: Some(Intent::of(leg.side, leg.effect).to_string()),
        }
    }
}

impl Exchange {
    /// Does what a request asks. The answer is a report when there is something to say at once: a refusal, an
    /// order looked up. Everything else comes out as events, of which [`Exchange::report`] makes reports.
    pub fn request(
        &mut self,
        now: Timestamp,
        account: AccountId,
        request: &Request,
        out: &mut Vec<Event>,
    ) -> Option<Report> {
        let id = request.id();
        let outcome = match request {
            Request::Submit(ticket) => {
                let order = NewOrder::from_ticket(ticket);
                self.submit(now, account, &order, out).err().map(|refusal| rejected(&refusal))?
            }
            Request::Replace { new_id, limit, .. } => self
                .ask_replace(now, account, id, *new_id, *limit, out)
                .err()
                .map(|refusal| Outcome::ReplaceRejected { reason: reason(&refusal.message) })?,
            Request::Cancel { .. } => {
                let found = self.order_by_client_id(account, id.as_str()).map(|order| order.id);
                let asked = found
                    .ok_or_else(|| Refusal::order_not_found(id))
                    .and_then(|found| self.cancel(now, account, found, out));
                asked.err().map(|refusal| Outcome::CancelRejected { reason: reason(&refusal.message) })?
            }
            Request::LookUp { .. } => {
                self.wake(now, out);
                let found = self.order_by_client_id(account, id.as_str());
                found.map_or(Outcome::NotFound, |order| self.standing(order))
            }
        };
        Some(Report { id, outcome, at: now })
    }

    fn ask_replace(
        &mut self,
        now: Timestamp,
        account: AccountId,
        id: OrderId,
        new_id: OrderId,
        limit: market::Price,
        out: &mut Vec<Event>,
    ) -> Result<Order, Refusal> {
        let order = self.order_by_client_id(account, id.as_str());
        let order = order.ok_or_else(|| Refusal::order_not_found(id))?;
        let limit = if order.is_mleg() { limit } else { limit.abs() };
        let asked = Replacement {
            limit_price: Some(limit.to_string()),
            client_order_id: Some(new_id.to_string()),
            ..Replacement::default()
        };
        self.replace(now, account, order.id, &asked, out)
    }

    /// Where an order stands. Of a filled order the last execution is told again; its id shows a repeat.
    fn standing(&self, order: &Order) -> Outcome {
        use crate::order::OrderStatus as S;
        match order.status {
            S::Accepted | S::PendingNew => Outcome::Accepted,
            S::Canceled => Outcome::Canceled,
            S::Expired => Outcome::Expired,
            S::Replaced => Outcome::Replaced { by: self.successor_id(order) },
            S::Rejected => Outcome::Rejected { code: 0, reason: ReasonText::EMPTY },
            S::New | S::PartiallyFilled | S::PendingCancel | S::PendingReplace | S::Filled => {
                let last = order.last_execution.as_ref().and_then(|last| execution(last, order.filled_qty));
                last.map_or(Outcome::Working, Outcome::Filled)
            }
        }
    }

    fn successor_id(&self, order: &Order) -> OrderId {
        let next = order.replaced_by.and_then(|id| self.order(order.account, id));
        next.map_or(OrderId::EMPTY, client_id)
    }

    /// The report an order event makes; `None` for the steps in between that our words do not name.
    pub fn report(&self, event: &OrderEvent) -> Option<Report> {
        use OrderEventKind as K;
        let text = || event.reason.as_deref().map_or(ReasonText::EMPTY, reason);
        let outcome = match event.kind {
            K::Accepted | K::PendingNew => Outcome::Accepted,
            K::New => Outcome::Working,
            K::PartialFill | K::Fill => {
                Outcome::Filled(execution(event.execution.as_ref()?, event.order.filled_qty)?)
            }
            K::Canceled => Outcome::Canceled,
            K::Expired => Outcome::Expired,
            K::Replaced => Outcome::Replaced { by: self.successor_id(&event.order) },
            K::Rejected => Outcome::Rejected { code: 0, reason: text() },
            K::ReplaceRejected => Outcome::ReplaceRejected { reason: text() },
            K::CancelRejected => Outcome::CancelRejected { reason: text() },
            K::PendingCancel | K::PendingReplace => return None,
        };
        Some(Report { id: client_id(&event.order), outcome, at: event.at })
    }
}

impl Activity {
    /// The note the house keeps of it; `None` for executions (orders tell those) and the opening balance.
    pub fn note(&self) -> Option<words::ActivityNote> {
        use words::Activity as A;
        let activity = match self.detail {
            ActivityDetail::Fill { .. } | ActivityDetail::Opening => return None,
            ActivityDetail::OptionEnded { how: ActivityType::OptionAssigned, contract, quantity } => {
                A::Assigned { contract, quantity }
            }
            ActivityDetail::OptionEnded { how: ActivityType::OptionExercised, contract, quantity } => {
                A::Exercised { contract, quantity }
            }
            ActivityDetail::OptionEnded { contract, quantity, .. } => A::Expired { contract, quantity },
            ActivityDetail::Delivered { symbol, shares, price } => A::Delivered { symbol, shares, price },
            ActivityDetail::CashSettled { contract, quantity, .. } => {
                A::CashSettled { contract, quantity: -quantity, amount: self.net_amount }
            }
            ActivityDetail::Fee { kind } => A::Fee { kind, amount: self.net_amount },
        };
        Some(words::ActivityNote { id: words::fold_id(&self.id), date: self.date, activity })
    }
}

fn client_id(order: &Order) -> OrderId {
    OrderId::format(format_args!("{}", order.client_order_id))
}

fn reason(text: &str) -> ReasonText {
    ReasonText::format(format_args!("{text}"))
}

fn rejected(refusal: &Refusal) -> Outcome {
    if refusal.http_status >= 500 {
        return Outcome::Unknown;
    }
    Outcome::Rejected { code: refusal.code, reason: reason(&refusal.message) }
}

fn execution(executed: &crate::event::Execution, units_so_far: u32) -> Option<words::Execution> {
    let first = executed.legs.first()?;
    let legs: ArrayVec<words::LegFill, { words::LEGS_MAX }> = executed
        .legs
        .iter()
        .map(|leg| words::LegFill { instrument: leg.instrument, quantity: leg.quantity, price: leg.price })
        .collect();
    Some(words::Execution {
        id: words::fold_id(&first.execution_id.to_string()),
        units: executed.units,
        units_so_far,
        legs,
    })
}
