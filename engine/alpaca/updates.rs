//! Trade updates: what the trading stream tells about an order, and what it means in our words.

use crate::decimal::Decimal;
use crate::orders::{BadOrder, Order, invalid, missing, time_or_none, whole_units};
use crate::words::UpdateEvent;
use arrayvec::ArrayVec;
use market::order::{Execution, LEGS_MAX, LegFill, Outcome, ReasonText, Report, Side, fold_id};
use market::{Instrument, OrderId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One message of the trading stream under `"stream":"trade_updates"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TradeUpdate {
    /// What happened.
    pub event: UpdateEvent,
    /// When the message was sent.
    #[serde(default, deserialize_with = "time_or_none", skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// A ULID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// A UUID; absent for a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<String>,
    /// When it happened.
    pub timestamp: Timestamp,
    /// Price of this execution (not the average); signed net for a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Decimal>,
    /// Quantity of this execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qty: Option<Decimal>,
    /// Signed position after it; absent for a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_qty: Option<Decimal>,
    /// The order as of the event.
    pub order: Order,
    /// Signed positions by symbol after it; only for a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_qtys: Option<BTreeMap<String, Decimal>>,
    /// One execution a leg; only for a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legs: Option<Vec<LegExecution>>,
}

/// What one leg of a package got, in a trade update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegExecution {
    /// A UUID.
    pub execution_id: String,
    /// The venue's id of the leg's order.
    pub order_id: String,
    /// OCC symbol.
    pub symbol: String,
    /// Contracts, unsigned.
    pub qty: Decimal,
    /// Dollars per share, unsigned.
    pub price: Decimal,
    /// When it happened.
    pub timestamp: Timestamp,
}

impl TradeUpdate {
    /// The update in our words. `Ok(None)` for events that change nothing we follow (`held`, `calculated`,
    /// words we do not know). `successor` is our id of the order that replaced this one, when known.
    pub fn report(&self, successor: Option<OrderId>) -> Result<Option<Report>, BadOrder> {
        let order = &self.order;
        let id =
            order.our_id().ok_or_else(|| invalid(&order.id, "client_order_id", &order.client_order_id))?;
        let outcome = match self.event {
            UpdateEvent::Accepted | UpdateEvent::PendingNew => Outcome::Accepted,
            UpdateEvent::New => Outcome::Working,
            UpdateEvent::Fill | UpdateEvent::PartialFill => Outcome::Filled(self.execution()?),
            UpdateEvent::Canceled => Outcome::Canceled,
            UpdateEvent::Expired | UpdateEvent::DoneForDay => Outcome::Expired,
            UpdateEvent::Rejected => Outcome::Rejected { code: 0, reason: ReasonText::EMPTY },
            UpdateEvent::Replaced => Outcome::Replaced { by: successor.unwrap_or(OrderId::EMPTY) },
            UpdateEvent::ReplaceRejected => Outcome::ReplaceRejected { reason: ReasonText::EMPTY },
            UpdateEvent::CancelRejected => Outcome::CancelRejected { reason: ReasonText::EMPTY },
            _ => return Ok(None),
        };
        Ok(Some(Report { id, outcome, at: self.timestamp }))
    }

    fn execution(&self) -> Result<Execution, BadOrder> {
        let name = &self.order.client_order_id;
        let qty = self.qty.ok_or_else(|| missing(name, "qty"))?;
        let units = whole_units(name, "qty", qty)?;
        let mut legs = ArrayVec::new();
        let id = match &self.legs {
            Some(parts) if !parts.is_empty() => {
                if parts.len() > LEGS_MAX {
                    return Err(invalid(name, "legs", &format_args!("{} legs", parts.len())));
                }
                for part in parts {
                    legs.push(self.leg_fill(part)?);
                }
                fold_id(&parts.iter().map(|p| p.execution_id.as_str()).collect::<String>())
            }
            _ => {
                legs.push(self.single_fill(qty)?);
                match (&self.execution_id, &self.event_id) {
                    (Some(id), _) | (None, Some(id)) => fold_id(id),
                    (None, None) => fold_id(&format!("{}/{}", self.order.id, self.order.filled_qty)),
                }
            }
        };
        Ok(Execution { id, units, units_so_far: self.order.filled_units(), legs })
    }

    fn leg_fill(&self, part: &LegExecution) -> Result<LegFill, BadOrder> {
        let name = &self.order.client_order_id;
        let orders = self.order.legs.as_deref().unwrap_or_default();
        let side = orders
            .iter()
            .find(|o| o.id == part.order_id || o.symbol == part.symbol)
            .and_then(|o| o.side.side().or(o.position_intent.parts().map(|p| p.0)))
            .ok_or_else(|| missing(name, "legs.side"))?;
        fill(name, &part.symbol, side, part.qty, part.price)
    }

    fn single_fill(&self, qty: Decimal) -> Result<LegFill, BadOrder> {
        let name = &self.order.client_order_id;
        let price = self.price.ok_or_else(|| missing(name, "price"))?;
        let side = self.order.side.side().ok_or_else(|| missing(name, "side"))?;
        fill(name, &self.order.symbol, side, qty, price)
    }
}

fn fill(name: &str, symbol: &str, side: Side, qty: Decimal, price: Decimal) -> Result<LegFill, BadOrder> {
    let instrument = Instrument::parse(symbol).ok_or_else(|| invalid(name, "symbol", &symbol))?;
    let quantity = i64::from(whole_units(name, "qty", qty)?) * side.sign();
    let price = price.to_price().ok_or_else(|| invalid(name, "price", &price))?;
    Ok(LegFill { instrument, quantity, price })
}
