//! What the exchange keeps, in the broker's words.

use alpaca::Decimal;
use alpaca::account::{ActivityBody, ErrorBody, PositionBody};
use alpaca::orders::{LegExecution, Order, TradeUpdate};
use alpaca::words::{
    ActivityType, AssetClass, Intent, OrderClass, OrderKind, OrderStatus, PositionSide, SideWord,
    TimeInForce, UpdateEvent,
};
use exchange::{Activity, ActivityDetail, OrderEvent, OrderLeg, PositionView, Refusal, Uuid, asset_id};
use market::{Contract, Instrument};
use std::collections::BTreeMap;

fn class_of(instrument: &Instrument) -> AssetClass {
    match instrument {
        Instrument::Stock(_) => AssetClass::UsEquity,
        Instrument::Option(_) => AssetClass::UsOption,
    }
}

/// An order with its legs nested.
pub fn order(held: &exchange::Order) -> Order {
    let mut out = bare(held, held.id, held.client_order_id.clone());
    out.qty = Some(Decimal::whole(held.qty.into()));
    out.filled_qty = Decimal::whole(held.filled_qty.into());
    out.filled_avg_price = held.filled_avg_price().map(Decimal::from);
    out.kind = OrderKind::from_text(held.kind.as_str());
    out.order_type = out.kind;
    out.limit_price = held.limit_price.map(Decimal::from);
    match (held.is_mleg(), held.legs.first()) {
        (false, Some(leg)) => {
            out.order_class = OrderClass::Simple;
            name_instrument(&mut out, leg);
        }
        _ => {
            out.order_class = OrderClass::MultiLeg;
            out.legs = Some(held.legs.iter().map(|leg| nested(held, leg)).collect());
        }
    }
    out
}

fn bare(held: &exchange::Order, id: Uuid, client_order_id: String) -> Order {
    let status = OrderStatus::from_text(held.status.as_str());
    Order {
        updated_at: held.updated_at,
        submitted_at: held.submitted_at,
        filled_at: held.filled_at,
        expired_at: held.expired_at,
        expires_at: Some(held.expires_at),
        canceled_at: held.canceled_at,
        failed_at: held.failed_at,
        replaced_at: held.replaced_at,
        replaced_by: held.replaced_by.map(|id| id.to_string()),
        replaces: held.replaces.map(|id| id.to_string()),
        time_in_force: TimeInForce::from_text(held.time_in_force.as_str()),
        ..Order::bare(id.to_string(), client_order_id, held.created_at, status)
    }
}

fn name_instrument(out: &mut Order, leg: &OrderLeg) {
    let symbol = leg.instrument.to_string();
    out.asset_id = asset_id(&symbol).to_string();
    out.symbol = symbol;
    out.asset_class = class_of(&leg.instrument);
    out.side = SideWord::from(leg.side());
    out.position_intent = Intent::from_text(leg.intent.as_str());
}

fn nested(held: &exchange::Order, leg: &OrderLeg) -> Order {
    let mut out = bare(held, leg.id, leg.client_order_id.clone());
    name_instrument(&mut out, leg);
    // The links of a replaced package name the packages, not their legs.
    (out.replaced_by, out.replaces) = (None, None);
    out.order_class = OrderClass::MultiLeg;
    out.qty = Some(Decimal::whole(i64::from(held.qty) * i64::from(leg.ratio)));
    out.ratio_qty = Some(Decimal::whole(leg.ratio.into()));
    out.filled_qty = Decimal::whole(leg.filled.into());
    out.filled_avg_price = leg.filled_avg_price().map(Decimal::from);
    out
}

/// An order event as the trading stream tells it.
pub fn trade_update(event: &OrderEvent) -> TradeUpdate {
    let mut out = TradeUpdate {
        event: UpdateEvent::from_text(event.kind.as_str()),
        at: Some(event.at),
        event_id: Some(ulid(event)),
        execution_id: None,
        timestamp: event.at,
        price: None,
        qty: None,
        position_qty: None,
        order: order(&event.order),
        position_qtys: None,
        legs: None,
    };
    let Some(execution) = &event.execution else { return out };
    out.price = Some(execution.price.into());
    out.qty = Some(Decimal::whole(execution.units.into()));
    if event.order.is_mleg() {
        let positions = execution.legs.iter().map(|l| (l.instrument.to_string(), Decimal::whole(l.position)));
        out.position_qtys = Some(positions.collect::<BTreeMap<_, _>>());
        let executed = |leg: &exchange::LegExecution| LegExecution {
            execution_id: leg.execution_id.to_string(),
            order_id: leg.order_id.to_string(),
            symbol: leg.instrument.to_string(),
            qty: Decimal::whole(leg.quantity.abs()),
            price: leg.price.into(),
            timestamp: event.at,
        };
        out.legs = Some(execution.legs.iter().map(executed).collect());
    } else if let Some(leg) = execution.legs.first() {
        out.execution_id = Some(leg.execution_id.to_string());
        out.position_qty = Some(Decimal::whole(leg.position));
    }
    out
}

/// A ULID of an event: its milliseconds and its number, in Crockford's base 32.
fn ulid(event: &OrderEvent) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let value = ((event.at.ns().max(0) / 1_000_000) as u128) << 80 | u128::from(event.number);
    (0..26).rev().map(|i| char::from(DIGITS[(value >> (5 * i) & 31) as usize])).collect()
}

/// A position.
pub fn position(held: &PositionView) -> PositionBody {
    let symbol = held.instrument.to_string();
    let (exchange, marginable) = match held.instrument {
        Instrument::Stock(s) => (exchange::market_model::parameters::of(s).exchange.to_string(), true),
        Instrument::Option(_) => (String::new(), false),
    };
    let cost = held.cost_basis.dollars();
    let fraction = if cost == 0.0 { 0.0 } else { held.unrealized.dollars() / cost.abs() };
    let today = match (held.current_price, held.last_day_price) {
        (Some(now), Some(before)) if before.units() > 0 => now.dollars() / before.dollars() - 1.0,
        _ => 0.0,
    };
    let rounded = |x: f64| Decimal::nearest((x * 1e6).round() / 1e6);
    PositionBody {
        asset_id: asset_id(&symbol).to_string(),
        symbol,
        exchange,
        asset_class: class_of(&held.instrument),
        asset_marginable: Some(marginable),
        qty: Decimal::whole(held.quantity),
        side: if held.quantity < 0 { PositionSide::Short } else { PositionSide::Long },
        avg_entry_price: held.average_entry.into(),
        cost_basis: held.cost_basis.into(),
        market_value: Some(held.market_value.into()),
        current_price: held.current_price.map(Decimal::from),
        lastday_price: held.last_day_price.map(Decimal::from),
        change_today: rounded(today),
        unrealized_pl: Some(held.unrealized.into()),
        unrealized_plpc: rounded(fraction),
        unrealized_intraday_pl: Some(held.unrealized.into()),
        unrealized_intraday_plpc: rounded(fraction),
        qty_available: Some(Decimal::whole(held.available)),
    }
}

/// A row of the account's log.
pub fn activity(row: &Activity) -> ActivityBody {
    let mut out = ActivityBody {
        activity_type: ActivityType::from_text(row.kind().as_str()),
        id: row.id.clone(),
        group_id: row.group.map(|id| id.to_string()),
        ..ActivityBody::default()
    };
    if !row.is_trade() {
        out.date = Some(row.date);
        out.net_amount = Some(row.net_amount.into());
        out.status = Some("executed".into());
    }
    let describe = |out: &mut ActivityBody, contract: &Contract, quantity: i64, text: &str| {
        out.symbol = Some(contract.to_string());
        out.qty = Some(Decimal::whole(quantity));
        out.description = Some(text.into());
    };
    match &row.detail {
        ActivityDetail::Fill {
            order_id,
            instrument,
            quantity,
            price,
            cumulative,
            leaves,
            sell_short,
            ..
        } => {
            out.kind = Some(if *leaves == 0 { "fill" } else { "partial_fill" }.into());
            out.transaction_time = Some(row.at);
            out.symbol = Some(instrument.to_string());
            out.side = match (*quantity > 0, sell_short) {
                (true, _) => SideWord::Buy,
                (false, true) => SideWord::SellShort,
                (false, false) => SideWord::Sell,
            };
            out.qty = Some(Decimal::whole(quantity.abs()));
            out.price = Some((*price).into());
            out.cum_qty = Some(Decimal::whole((*cumulative).into()));
            out.leaves_qty = Some(Decimal::whole((*leaves).into()));
            out.order_id = Some(order_id.to_string());
            out.order_status = if *leaves == 0 { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        }
        ActivityDetail::OptionEnded { how, contract, quantity } => {
            let text = match how {
                exchange::ActivityType::OptionAssigned => "Option Assignment",
                exchange::ActivityType::OptionExercised => "Option Exercise",
                _ => "Option Expiry",
            };
            describe(&mut out, contract, *quantity, text);
        }
        ActivityDetail::Delivered { symbol, shares, price } => {
            out.symbol = Some(symbol.to_string());
            out.qty = Some(Decimal::whole(*shares));
            out.price = Some((*price).into());
            out.description = Some("Option Trade".into());
        }
        ActivityDetail::CashSettled { contract, quantity, price } => {
            describe(&mut out, contract, *quantity, "Option Cash Settlement");
            out.price = Some((*price).into());
        }
        ActivityDetail::Fee { kind } => {
            out.activity_sub_type = Some(kind.to_string());
            out.description = Some(format!("{kind} fee"));
        }
        ActivityDetail::Opening => out.description = Some("Opening balance".into()),
    }
    out
}

/// A refusal's body.
pub fn refusal(no: &Refusal) -> ErrorBody {
    let body = ErrorBody::new(no.code, no.message.clone());
    no.extra.iter().fold(body, |body, (key, value)| body.with(key, value.clone()))
}
