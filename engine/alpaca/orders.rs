//! Orders as the broker writes them: the body that makes one, the body that changes one, the order object with
//! its legs, and the ways to and from the words of `market::order`.
//!
//! Two traps live here. The net limit of a package is signed (positive pays, negative receives), while a
//! single order has an unsigned limit and a side; our own [`Pricing::Limit`] is signed in both cases. And the
//! parent of a package has empty text where a plain order has a symbol, a side and an asset.

use crate::decimal::Decimal;
pub use crate::updates::{LegExecution, TradeUpdate};
use crate::words::{AssetClass, Intent, OrderClass, OrderKind, OrderStatus, SideWord, TimeInForce};
use arrayvec::ArrayVec;
use market::order::{
    Effect, Execution, LEGS_MAX, Leg, LegFill, Legs, Outcome, Pricing, ReasonText, Report, Side, Ticket,
    fold_id,
};
use market::{Instrument, OrderId, Price, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

/// The asset id of the parent of a package.
pub const NIL_UUID: &str = "00000000-0000-0000-0000-000000000000";

/// Why an order, as written on the wire, cannot be told in our words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOrder {
    /// A field that must be there is missing or empty.
    #[error("order {id}: `{field}` is missing")]
    Missing {
        /// Client order id, or the venue's, or `?`.
        id: String,
        /// The field.
        field: &'static str,
    },
    /// A field holds something that cannot be meant.
    #[error("order {id}: `{field}` cannot be `{found}`")]
    Invalid {
        /// Client order id, or the venue's, or `?`.
        id: String,
        /// The field.
        field: &'static str,
        /// What was found, cut to 60 characters.
        found: String,
    },
}

/// Body of `POST /orders`. Absent fields are not written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NewOrder {
    /// Ticker, OCC symbol or asset id; absent for a package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Shares, contracts, or units of a package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qty: Option<Decimal>,
    /// Dollars instead of a quantity (shares only; we never send it).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notional: Option<Decimal>,
    /// Buy or sell; absent for a package.
    #[serde(skip_serializing_if = "SideWord::is_blank")]
    pub side: SideWord,
    /// Market, limit and so on.
    #[serde(rename = "type", skip_serializing_if = "OrderKind::is_blank")]
    pub kind: OrderKind,
    /// Day, always, when we send it.
    #[serde(skip_serializing_if = "TimeInForce::is_blank")]
    pub time_in_force: TimeInForce,
    /// Limit: unsigned for one instrument, signed for a package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_price: Option<Decimal>,
    /// Trigger of a stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_price: Option<Decimal>,
    /// Trailing distance in dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trail_price: Option<Decimal>,
    /// Trailing distance in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trail_percent: Option<Decimal>,
    /// Trade outside the session (shares only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_hours: Option<bool>,
    /// The client's id of the order, unique for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_order_id: Option<String>,
    /// `mleg` for a package.
    #[serde(skip_serializing_if = "OrderClass::is_blank")]
    pub order_class: OrderClass,
    /// Opens or closes (one instrument only).
    #[serde(skip_serializing_if = "Intent::is_blank")]
    pub position_intent: Intent,
    /// The legs of a package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legs: Option<Vec<NewLeg>>,
    /// Bracket child; refused for options.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take_profit: Option<serde_json::Value>,
    /// Bracket child; refused for options.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_loss: Option<serde_json::Value>,
}

/// A leg in the body of `POST /orders`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NewLeg {
    /// OCC symbol.
    pub symbol: String,
    /// Contracts in one unit of the package.
    pub ratio_qty: Decimal,
    /// Buy or sell.
    #[serde(skip_serializing_if = "SideWord::is_blank")]
    pub side: SideWord,
    /// Opens or closes.
    #[serde(skip_serializing_if = "Intent::is_blank")]
    pub position_intent: Intent,
}

impl NewOrder {
    /// The body for a ticket: a plain order for one leg of ratio 1, else a package.
    pub fn from_ticket(ticket: &Ticket) -> Self {
        let (kind, limit) = match ticket.pricing {
            Pricing::Limit(price) => (OrderKind::Limit, Some(price)),
            Pricing::Market => (OrderKind::Market, None),
        };
        let body = Self {
            qty: Some(Decimal::whole(i64::from(ticket.units))),
            kind,
            time_in_force: TimeInForce::Day,
            client_order_id: Some(ticket.id.to_string()),
            ..Self::default()
        };
        match ticket.legs.as_slice() {
            [leg] => Self {
                symbol: Some(leg.instrument.to_string()),
                qty: Some(Decimal::whole(i64::from(ticket.units) * i64::from(leg.ratio))),
                side: leg.side.into(),
                limit_price: limit.map(|p| Decimal::from(p * leg.side.sign())),
                position_intent: match leg.instrument {
                    Instrument::Option(_) => Intent::of(leg.side, leg.effect),
                    // The broker takes intents of shares too, but refuses some honest ones; it infers them.
                    Instrument::Stock(_) => Intent::Blank,
                },
                ..body
            },
            legs => Self {
                limit_price: limit.map(Decimal::from),
                order_class: OrderClass::MultiLeg,
                legs: Some(legs.iter().map(NewLeg::from_leg).collect()),
                ..body
            },
        }
    }

    /// The ticket a body means, for a server. `infer` says whether an instrument traded on a side opens or
    /// closes, where the body does not.
    pub fn to_ticket(
        &self,
        id: OrderId,
        infer: impl Fn(Instrument, Side) -> Effect,
    ) -> Result<Ticket, BadOrder> {
        let name = id.to_string();
        let qty = self.qty.ok_or_else(|| missing(&name, "qty"))?;
        let units = some_units(&name, "qty", qty)?;
        let legs = match &self.legs {
            Some(legs) if self.order_class == OrderClass::MultiLeg => read_legs(&name, legs, &infer)?,
            _ => ArrayVec::from_iter([self.read_single(&name, &infer)?]),
        };
        let package = self.order_class == OrderClass::MultiLeg;
        let pricing = match self.kind {
            OrderKind::Market => Pricing::Market,
            OrderKind::Limit => {
                let limit = self.limit_price.ok_or_else(|| missing(&name, "limit_price"))?;
                let price = limit.to_price().ok_or_else(|| invalid(&name, "limit_price", &limit))?;
                Pricing::Limit(if package { price } else { price * legs[0].side.sign() })
            }
            other => return Err(invalid(&name, "type", &other.as_str())),
        };
        Ok(Ticket { id, underlying: underlying_of(&legs[0].instrument), legs, units, pricing })
    }

    fn read_single(&self, name: &str, infer: &impl Fn(Instrument, Side) -> Effect) -> Result<Leg, BadOrder> {
        let symbol = self.symbol.as_deref().ok_or_else(|| missing(name, "symbol"))?;
        read_leg(name, symbol, Decimal::whole(1), self.side, self.position_intent, infer)
    }
}

impl NewLeg {
    fn from_leg(leg: &Leg) -> Self {
        Self {
            symbol: leg.instrument.to_string(),
            ratio_qty: Decimal::whole(i64::from(leg.ratio)),
            side: leg.side.into(),
            position_intent: Intent::of(leg.side, leg.effect),
        }
    }
}

/// The ticker an instrument belongs to: the contract's root, which for adjusted contracts and some indices is
/// not the underlying; those are never ordered.
fn underlying_of(instrument: &Instrument) -> Symbol {
    match instrument {
        Instrument::Stock(symbol) => *symbol,
        Instrument::Option(contract) => contract.root,
    }
}

fn read_legs(
    name: &str,
    legs: &[NewLeg],
    infer: &impl Fn(Instrument, Side) -> Effect,
) -> Result<Legs, BadOrder> {
    if legs.len() < 2 || legs.len() > LEGS_MAX {
        return Err(invalid(name, "legs", &format_args!("{} legs", legs.len())));
    }
    legs.iter().map(|l| read_leg(name, &l.symbol, l.ratio_qty, l.side, l.position_intent, infer)).collect()
}

fn read_leg(
    name: &str,
    symbol: &str,
    ratio: Decimal,
    side: SideWord,
    intent: Intent,
    infer: &impl Fn(Instrument, Side) -> Effect,
) -> Result<Leg, BadOrder> {
    let instrument = Instrument::parse(symbol).ok_or_else(|| invalid(name, "symbol", &symbol))?;
    let side = match (side.side(), intent.parts()) {
        (Some(side), None) => side,
        (None, Some((side, _))) => side,
        (Some(side), Some((meant, _))) if side == meant => side,
        (Some(_), Some(_)) => return Err(invalid(name, "position_intent", &intent.as_str())),
        (None, None) => return Err(missing(name, "side")),
    };
    let effect = intent.parts().map_or_else(|| infer(instrument, side), |(_, effect)| effect);
    let ratio = some_units(name, "ratio_qty", ratio)?;
    Ok(Leg { instrument, side, effect, ratio })
}

pub(crate) fn missing(id: &str, field: &'static str) -> BadOrder {
    BadOrder::Missing { id: id.to_string(), field }
}

pub(crate) fn invalid(id: &str, field: &'static str, found: &impl std::fmt::Display) -> BadOrder {
    BadOrder::Invalid { id: id.to_string(), field, found: found.to_string().chars().take(60).collect() }
}

/// Body of `PATCH /orders/{id}`. Absent fields are not written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplaceOrder {
    /// New quantity; must exceed what is filled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qty: Option<Decimal>,
    /// New limit: unsigned for one instrument, signed for a package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_price: Option<Decimal>,
    /// New trigger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_price: Option<Decimal>,
    /// New trailing distance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trail: Option<Decimal>,
    /// New time in force.
    #[serde(skip_serializing_if = "TimeInForce::is_blank")]
    pub time_in_force: TimeInForce,
    /// Client id of the order that takes the old one's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_order_id: Option<String>,
}

impl ReplaceOrder {
    /// The body that moves an order's limit. `single` is the side of a one-leg order, `None` for a package:
    /// a single order's limit goes out unsigned.
    pub fn with_limit(new_id: OrderId, limit: Price, single: Option<Side>) -> Self {
        Self {
            limit_price: Some(Decimal::from(single.map_or(limit, |side| limit * side.sign()))),
            client_order_id: Some(new_id.to_string()),
            ..Self::default()
        }
    }
}

/// The order object of REST answers and trade updates; legs are order objects one level deep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The venue's id (a UUID).
    pub id: String,
    /// The client's id.
    pub client_order_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    #[serde(default)]
    pub updated_at: Timestamp,
    /// When it was sent to the market.
    #[serde(default)]
    pub submitted_at: Timestamp,
    /// When it was completely filled.
    #[serde(default, deserialize_with = "time_or_none")]
    pub filled_at: Option<Timestamp>,
    /// When its time ran out.
    #[serde(default, deserialize_with = "time_or_none")]
    pub expired_at: Option<Timestamp>,
    /// When its time will run out.
    #[serde(default, deserialize_with = "time_or_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was canceled.
    #[serde(default, deserialize_with = "time_or_none")]
    pub canceled_at: Option<Timestamp>,
    /// When it was rejected.
    #[serde(default, deserialize_with = "time_or_none")]
    pub failed_at: Option<Timestamp>,
    /// When it was replaced.
    #[serde(default, deserialize_with = "time_or_none")]
    pub replaced_at: Option<Timestamp>,
    /// The venue's id of the order that took its place.
    #[serde(default)]
    pub replaced_by: Option<String>,
    /// The venue's id of the order whose place it took.
    #[serde(default)]
    pub replaces: Option<String>,
    /// Asset or contract id; `""` or the nil UUID for the parent of a package.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub asset_id: String,
    /// Ticker or OCC symbol; `""` for the parent of a package.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub symbol: String,
    /// Shares or option; blank for the parent of a package.
    #[serde(default)]
    pub asset_class: AssetClass,
    /// Dollars ordered, instead of a quantity.
    #[serde(default)]
    pub notional: Option<Decimal>,
    /// Quantity ordered.
    #[serde(default)]
    pub qty: Option<Decimal>,
    /// Quantity filled.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub filled_qty: Decimal,
    /// Average price of what was filled; signed net for a package.
    #[serde(default)]
    pub filled_avg_price: Option<Decimal>,
    /// Plain or package.
    #[serde(default)]
    pub order_class: OrderClass,
    /// Deprecated twin of `type`.
    #[serde(default)]
    pub order_type: OrderKind,
    /// Market, limit and so on; blank on legs.
    #[serde(default, rename = "type")]
    pub kind: OrderKind,
    /// Buy or sell. On the parent of a package it is noise: ignore it.
    #[serde(default)]
    pub side: SideWord,
    /// How long it lives.
    #[serde(default)]
    pub time_in_force: TimeInForce,
    /// Limit: unsigned for one instrument, signed for a package.
    #[serde(default)]
    pub limit_price: Option<Decimal>,
    /// Trigger of a stop.
    #[serde(default)]
    pub stop_price: Option<Decimal>,
    /// Where it stands.
    pub status: OrderStatus,
    /// Trades outside the session.
    #[serde(default)]
    pub extended_hours: bool,
    /// Trailing distance in percent.
    #[serde(default)]
    pub trail_percent: Option<Decimal>,
    /// Trailing distance in dollars.
    #[serde(default)]
    pub trail_price: Option<Decimal>,
    /// High-water mark of a trailing stop.
    #[serde(default)]
    pub hwm: Option<Decimal>,
    /// Opens or closes; blank for the parent of a package.
    #[serde(default)]
    pub position_intent: Intent,
    /// Contracts in one unit of the package; only on legs.
    #[serde(default)]
    pub ratio_qty: Option<Decimal>,
    /// Broker-side tag.
    #[serde(default)]
    pub subtag: Option<String>,
    /// Where the order came from.
    #[serde(default)]
    pub source: Option<String>,
    /// The legs of a package.
    #[serde(default)]
    pub legs: Option<Vec<Order>>,
}

impl Order {
    /// An order with only its identity, stamps and status; everything else is empty. For servers, which fill
    /// in the rest.
    pub fn bare(id: String, client_order_id: String, at: Timestamp, status: OrderStatus) -> Self {
        Self {
            id,
            client_order_id,
            created_at: at,
            updated_at: at,
            submitted_at: at,
            filled_at: None,
            expired_at: None,
            expires_at: None,
            canceled_at: None,
            failed_at: None,
            replaced_at: None,
            replaced_by: None,
            replaces: None,
            asset_id: String::new(),
            symbol: String::new(),
            asset_class: AssetClass::Blank,
            notional: None,
            qty: None,
            filled_qty: Decimal::ZERO,
            filled_avg_price: None,
            order_class: OrderClass::Blank,
            order_type: OrderKind::Blank,
            kind: OrderKind::Blank,
            side: SideWord::Blank,
            time_in_force: TimeInForce::Day,
            limit_price: None,
            stop_price: None,
            status,
            extended_hours: false,
            trail_percent: None,
            trail_price: None,
            hwm: None,
            position_intent: Intent::Blank,
            ratio_qty: None,
            subtag: None,
            source: None,
            legs: None,
        }
    }

    /// Our id of it; `None` when the order was not sent by this program (its id does not fit ours).
    pub fn our_id(&self) -> Option<OrderId> {
        self.client_order_id.parse().ok()
    }

    /// Units filled so far. An order of fractional shares, which we never send, reads as 0.
    pub fn filled_units(&self) -> u32 {
        whole_units("", "filled_qty", self.filled_qty).unwrap_or(0)
    }

    /// The legs with side and size as we say them: the package's, or the order itself as one leg. A leg's
    /// effect that the venue does not tell is taken as opening.
    pub fn our_legs(&self) -> Result<Legs, BadOrder> {
        let single = std::slice::from_ref(self);
        let orders = self.legs.as_deref().filter(|l| !l.is_empty()).unwrap_or(single);
        if orders.len() > LEGS_MAX {
            return Err(invalid(&self.client_order_id, "legs", &format_args!("{} legs", orders.len())));
        }
        let ratio = |leg: &Order| leg.ratio_qty.unwrap_or(Decimal::whole(1));
        orders
            .iter()
            .map(|l| {
                let name = &self.client_order_id;
                read_leg(name, &l.symbol, ratio(l), l.side, l.position_intent, &|_, _| Effect::Open)
            })
            .collect()
    }

    /// The ticket this order was made from, as far as the venue repeats it. `None` in `id` terms when the
    /// order is not ours.
    pub fn ticket(&self) -> Result<Ticket, BadOrder> {
        let id = self.our_id().ok_or_else(|| invalid(&self.id, "client_order_id", &self.client_order_id))?;
        let legs = self.our_legs()?;
        let qty = self.qty.ok_or_else(|| missing(&self.client_order_id, "qty"))?;
        let units = whole_units(&self.client_order_id, "qty", qty)?;
        let limit = self.limit_price.and_then(Decimal::to_price);
        let pricing = match limit {
            Some(price) if legs.len() == 1 => Pricing::Limit(price * legs[0].side.sign()),
            Some(price) => Pricing::Limit(price),
            None => Pricing::Market,
        };
        Ok(Ticket { id, underlying: underlying_of(&legs[0].instrument), legs, units, pricing })
    }

    /// What the answer to a submit or a replacement says: taken, working, or dead without a fill. Fills are
    /// left to the trading stream, which tells each of them with its own id; told here too they would count
    /// twice.
    pub fn answer(&self) -> Option<Report> {
        let outcome = match self.status {
            OrderStatus::Accepted | OrderStatus::PendingNew | OrderStatus::AcceptedForBidding => {
                Outcome::Accepted
            }
            status if !status.is_terminal() || self.filled_qty > Decimal::ZERO => Outcome::Working,
            OrderStatus::Canceled => Outcome::Canceled,
            OrderStatus::Expired => Outcome::Expired,
            OrderStatus::Rejected => Outcome::Rejected { code: 0, reason: ReasonText::EMPTY },
            _ => Outcome::Working,
        };
        Some(Report { id: self.our_id()?, outcome, at: self.updated_at })
    }

    /// Where the order stands, told as reports, for an answer to `LookUp` or a reconciliation: first what was
    /// filled beyond `known_units` (at the average price, in one execution), then the status when it says more
    /// than "filled". The stream may tell the same fills under their own ids: a repeat is known by its
    /// `units_so_far`. `successor` names our id of the order that replaced it.
    pub fn reports(
        &self,
        known_units: u32,
        successor: Option<OrderId>,
    ) -> Result<ArrayVec<Report, 2>, BadOrder> {
        let id = self.our_id().ok_or_else(|| invalid(&self.id, "client_order_id", &self.client_order_id))?;
        let at = self.updated_at;
        let mut said = ArrayVec::new();
        if self.filled_units() > known_units {
            let execution = self.filled_beyond(known_units)?;
            said.push(Report { id, outcome: Outcome::Filled(execution), at });
        }
        let outcome = match self.status {
            OrderStatus::Filled | OrderStatus::PartiallyFilled if !said.is_empty() => return Ok(said),
            OrderStatus::Canceled => Outcome::Canceled,
            OrderStatus::Expired | OrderStatus::DoneForDay => Outcome::Expired,
            OrderStatus::Rejected => Outcome::Rejected { code: 0, reason: ReasonText::EMPTY },
            OrderStatus::Replaced => Outcome::Replaced { by: successor.unwrap_or(OrderId::EMPTY) },
            OrderStatus::Accepted | OrderStatus::PendingNew | OrderStatus::AcceptedForBidding => {
                Outcome::Accepted
            }
            _ => Outcome::Working,
        };
        said.push(Report { id, outcome, at });
        Ok(said)
    }

    fn filled_beyond(&self, known_units: u32) -> Result<Execution, BadOrder> {
        let so_far = self.filled_units();
        let units = so_far.saturating_sub(known_units);
        let legs = self.our_legs()?;
        let single = std::slice::from_ref(self);
        let orders = self.legs.as_deref().filter(|l| !l.is_empty()).unwrap_or(single);
        let mut fills = ArrayVec::new();
        for (leg, order) in legs.iter().zip(orders) {
            let price = order
                .filled_avg_price
                .and_then(Decimal::to_price)
                .ok_or_else(|| missing(&self.client_order_id, "filled_avg_price"))?;
            let quantity = leg.signed_ratio() * i64::from(units);
            fills.push(LegFill { instrument: leg.instrument, quantity, price: price.abs() });
        }
        let id = fold_id(&format!("{}/{so_far}", self.id));
        Ok(Execution { id, units, units_so_far: so_far, legs: fills })
    }
}

pub(crate) fn whole_units(name: &str, field: &'static str, qty: Decimal) -> Result<u32, BadOrder> {
    qty.to_whole().and_then(|n| u32::try_from(n).ok()).ok_or_else(|| invalid(name, field, &qty))
}

/// As [`whole_units`], and at least one.
fn some_units(name: &str, field: &'static str, qty: Decimal) -> Result<u32, BadOrder> {
    whole_units(name, field, qty).ok().filter(|n| *n > 0).ok_or_else(|| invalid(name, field, &qty))
}

/// Reads a time, taking `null` and `""` for none.
pub(crate) fn time_or_none<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Timestamp>, D::Error> {
    match <Option<std::borrow::Cow<'de, str>>>::deserialize(d)?.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => Timestamp::parse_rfc3339(text.as_bytes())
            .map(Some)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not an RFC 3339 time"))),
    }
}

/// Reads a text, taking `null` for empty.
pub(crate) fn text_or_empty<'de, D: serde::Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    Ok(<Option<String>>::deserialize(d)?.unwrap_or_default())
}

/// Reads a decimal, taking `null` for zero.
pub(crate) fn decimal_or_zero<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Decimal, D::Error> {
    Ok(<Option<Decimal>>::deserialize(d)?.unwrap_or_default())
}
