//! Orders over REST.

use super::{Call, Reply};
use crate::core::Core;
use crate::wire;
use alpaca::Decimal;
use alpaca::account::BulkCancelItem;
use exchange::{NewLeg, NewOrder, OrderFilter, OrderScope, Replacement, Uuid};
use market::Contract;
use market::order::Side;
use serde_json::Value;

/// A field as text, whether it came as text or as a number; null is absent.
fn text(body: &Value, name: &str) -> Option<String> {
    match body.get(name)? {
        Value::String(text) => Some(text.clone()),
        // `1.0` means 1; a number that is none keeps its spelling and is refused by the exchange.
        Value::Number(n) => Some(n.to_string().parse::<Decimal>().map_or(n.to_string(), |d| d.to_string())),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

fn parse(call: &Call) -> Result<Value, Reply> {
    let malformed = |_| Reply::error(400, 40_010_000, "request body format is invalid");
    serde_json::from_slice(&call.body).map_err(malformed)
}

fn id_of(text: &str) -> Result<Uuid, Reply> {
    text.parse().map_err(|_| Reply::error(422, 40_010_001, &format!("order_id is invalid: {text}")))
}

/// `POST /orders`
pub fn create(core: &mut Core, call: &Call) -> Result<Reply, Reply> {
    let body = parse(call)?;
    for advanced in ["take_profit", "stop_loss"] {
        if body.get(advanced).is_some_and(|v| !v.is_null()) {
            return Err(Reply::error(422, 42_210_000, "complex orders not supported for options trading"));
        }
    }
    let leg = |leg: &Value| NewLeg {
        symbol: text(leg, "symbol"),
        ratio_qty: text(leg, "ratio_qty"),
        side: text(leg, "side"),
        position_intent: text(leg, "position_intent"),
    };
    let order = NewOrder {
        symbol: text(&body, "symbol"),
        qty: text(&body, "qty"),
        notional: text(&body, "notional"),
        side: text(&body, "side"),
        kind: text(&body, "type"),
        time_in_force: text(&body, "time_in_force"),
        limit_price: text(&body, "limit_price"),
        stop_price: text(&body, "stop_price"),
        extended_hours: body.get("extended_hours").and_then(Value::as_bool).unwrap_or(false),
        client_order_id: text(&body, "client_order_id"),
        order_class: text(&body, "order_class"),
        position_intent: text(&body, "position_intent"),
        legs: body.get("legs").and_then(Value::as_array).into_iter().flatten().map(leg).collect(),
    };
    for symbol in order.legs.iter().filter_map(|l| l.symbol.as_deref()).chain(order.symbol.as_deref()) {
        if let Some(contract) = Contract::parse_occ(symbol.as_bytes()) {
            core.follow(contract);
        }
    }
    let placed = core.with_exchange(|ex, account, now, out| ex.submit(now, account, &order, out))?;
    Ok(Reply::json(&wire::order(&placed)))
}

/// `GET /orders`
pub fn list(core: &mut Core, call: &Call) -> Result<Reply, Reply> {
    let scope = match call.text("status") {
        None | Some("open") => OrderScope::Open,
        Some("closed") => OrderScope::Closed,
        Some("all") => OrderScope::All,
        Some(other) => return Err(Reply::bad("status", other)),
    };
    let side = match call.text("side") {
        None => None,
        Some("buy") => Some(Side::Buy),
        Some("sell") => Some(Side::Sell),
        Some(other) => return Err(Reply::bad("side", other)),
    };
    let id = |name| call.text(name).map(id_of).transpose();
    let filter = OrderFilter {
        scope,
        after: call.time("after", false)?,
        until: call.time("until", true)?,
        ascending: call.text("direction") == Some("asc"),
        symbols: call.list("symbols").into_iter().map(Into::into).collect(),
        side,
        before_order_id: id("before_order_id")?,
        after_order_id: id("after_order_id")?,
        options: call.text("asset_class").map(|class| class == "us_option"),
        limit: call.parsed::<usize>("limit")?.unwrap_or(50).min(500),
    };
    let orders = core.exchange.orders(core.account, &filter);
    Ok(Reply::json(&orders.into_iter().map(wire::order).collect::<Vec<_>>()))
}

/// `GET /orders/{id}`
pub fn get(core: &mut Core, id: &str) -> Result<Reply, Reply> {
    let order = core.exchange.order(core.account, id_of(id)?);
    let order = order.ok_or_else(|| Reply::not_found(&format!("order not found for {id}")))?;
    Ok(Reply::json(&wire::order(order)))
}

/// `GET /orders:by_client_order_id`
pub fn by_client_id(core: &mut Core, call: &Call) -> Result<Reply, Reply> {
    let id = call.text("client_order_id").unwrap_or_default();
    let order = core.exchange.order_by_client_id(core.account, id);
    let order = order.ok_or_else(|| Reply::not_found(&format!("order not found for {id}")))?;
    Ok(Reply::json(&wire::order(order)))
}

/// `PATCH /orders/{id}`
pub fn replace(core: &mut Core, id: &str, call: &Call) -> Result<Reply, Reply> {
    let (id, body) = (id_of(id)?, parse(call)?);
    let wanted = Replacement {
        qty: text(&body, "qty"),
        limit_price: text(&body, "limit_price"),
        stop_price: text(&body, "stop_price"),
        trail: text(&body, "trail"),
        time_in_force: text(&body, "time_in_force"),
        client_order_id: text(&body, "client_order_id"),
    };
    let order = core.with_exchange(|ex, account, now, out| ex.replace(now, account, id, &wanted, out))?;
    Ok(Reply::json(&wire::order(&order)))
}

/// `DELETE /orders/{id}`
pub fn cancel(core: &mut Core, id: &str) -> Result<Reply, Reply> {
    let id = id_of(id)?;
    core.with_exchange(|ex, account, now, out| ex.cancel(now, account, id, out))?;
    Ok(Reply::empty(204))
}

/// `DELETE /orders`
pub fn cancel_all(core: &mut Core) -> Result<Reply, Reply> {
    let results = core.with_exchange(|ex, account, now, out| ex.cancel_all(now, account, out));
    let items: Vec<BulkCancelItem> = results
        .into_iter()
        .map(|(id, result)| match result {
            Ok(()) => BulkCancelItem { id: id.to_string(), status: 200, body: None },
            Err(no) => {
                BulkCancelItem { id: id.to_string(), status: no.http_status, body: Some(wire::refusal(&no)) }
            }
        })
        .collect();
    Ok(Reply::with(207, &items))
}
