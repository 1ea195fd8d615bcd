//! Positions over REST: look, close, exercise.

use super::assets::find_contract;
use super::{Call, Reply};
use crate::core::Core;
use crate::wire;
use alpaca::Decimal;
use alpaca::account::BulkCloseItem;
use exchange::{PositionPart, asset_id};
use market::{Contract, Instrument};

/// The held instrument of that symbol or asset id.
fn find(core: &Core, name: &str) -> Option<Instrument> {
    let held = core.exchange.positions(core.account);
    held.into_iter().map(|p| p.instrument).find(|instrument| {
        let symbol = instrument.to_string();
        symbol == name || asset_id(&symbol).to_string() == name
    })
}

fn held(core: &Core, name: &str) -> Result<Instrument, Reply> {
    find(core, name).ok_or_else(|| Reply::not_found("position does not exist"))
}

/// `GET /positions`
pub fn list(core: &mut Core) -> Result<Reply, Reply> {
    let positions = core.exchange.positions(core.account);
    Ok(Reply::json(&positions.iter().map(wire::position).collect::<Vec<_>>()))
}

/// `GET /positions/{symbol or id}`
pub fn get(core: &mut Core, name: &str) -> Result<Reply, Reply> {
    let instrument = held(core, name)?;
    let position = core.exchange.position(core.account, instrument);
    position
        .map(|p| Reply::json(&wire::position(&p)))
        .ok_or_else(|| Reply::not_found("position does not exist"))
}

/// `DELETE /positions/{symbol or id}`
pub fn close(core: &mut Core, name: &str, call: &Call) -> Result<Reply, Reply> {
    let instrument = held(core, name)?;
    let whole = |d: Decimal| d.to_whole().and_then(|n| u32::try_from(n).ok());
    let part = match (call.parsed::<Decimal>("qty")?, call.parsed::<Decimal>("percentage")?) {
        (Some(qty), _) => {
            PositionPart::Quantity(whole(qty).ok_or_else(|| Reply::bad("qty", &qty.to_string()))?)
        }
        (None, Some(percent)) => {
            let bps = Decimal::from_billionths(percent.billionths() * 100);
            PositionPart::BasisPoints(
                whole(bps).ok_or_else(|| Reply::bad("percentage", &percent.to_string()))?,
            )
        }
        (None, None) => PositionPart::All,
    };
    let order =
        core.with_exchange(|ex, account, now, out| ex.close_position(now, account, instrument, part, out))?;
    Ok(Reply::json(&wire::order(&order)))
}

/// `DELETE /positions`
pub fn close_all(core: &mut Core, call: &Call) -> Result<Reply, Reply> {
    let cancel = call.flag("cancel_orders");
    let results =
        core.with_exchange(|ex, account, now, out| ex.close_all_positions(now, account, cancel, out));
    let items: Vec<BulkCloseItem> = results
        .into_iter()
        .map(|(instrument, result)| {
            let (status, body) = match result {
                Ok(order) => (200, serde_json::to_value(wire::order(&order))),
                Err(no) => (no.http_status, serde_json::to_value(wire::refusal(&no))),
            };
            BulkCloseItem { symbol: instrument.to_string(), status, body: body.unwrap_or_default() }
        })
        .collect();
    Ok(Reply::with(207, &items))
}

fn contract_of(core: &Core, name: &str) -> Result<Contract, Reply> {
    match find(core, name) {
        Some(Instrument::Option(contract)) => Ok(contract),
        Some(Instrument::Stock(_)) => Err(Reply::error(422, 42_210_000, "invalid symbol")),
        None if find_contract(core, name).is_some() => {
            Err(Reply::not_found(&format!("long position not found: {name}")))
        }
        None => Err(Reply::error(422, 42_210_000, "invalid symbol")),
    }
}

/// `POST /positions/{symbol or id}/exercise`
pub fn exercise(core: &mut Core, name: &str) -> Result<Reply, Reply> {
    let contract = contract_of(core, name)?;
    core.with_exchange(|ex, account, now, out| ex.exercise(now, account, contract, out))?;
    Ok(Reply::empty(200))
}

/// `POST /positions/{symbol or id}/do-not-exercise`
pub fn do_not_exercise(core: &mut Core, name: &str) -> Result<Reply, Reply> {
    let contract = contract_of(core, name)?;
    core.with_exchange(|ex, account, now, out| ex.do_not_exercise(now, account, contract, out))?;
    Ok(Reply::empty(200))
}
