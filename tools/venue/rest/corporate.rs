//! Corporate actions: the cash dividends the exchange was told of.

use super::{Call, Reply};
use crate::core::Core;
use exchange::asset_id;
use market::Date;
use serde_json::json;

/// `GET /v1/corporate-actions`
pub fn actions(core: &mut Core, call: &Call) -> Result<Reply, Reply> {
    let symbols = call.list("symbols");
    let (start, end) = (call.parsed::<Date>("start")?, call.parsed::<Date>("end")?);
    let types = call.list("types");
    let wanted = types.is_empty() || types.iter().any(|t| t.starts_with("cash_dividend"));
    let dividends = core.settings.exchange.dividends.iter().filter(|d| {
        wanted
            && (symbols.is_empty() || symbols.contains(&d.symbol.as_str()))
            && start.is_none_or(|s| d.ex_date >= s)
            && end.is_none_or(|e| d.ex_date <= e)
    });
    let rows: Vec<_> = dividends
        .map(|d| {
            json!({
                "id": asset_id(&format!("{}{}", d.symbol, d.ex_date)), "symbol": d.symbol.as_str(),
                "cusip": "000000000", "rate": d.amount.dollars(), "special": false, "foreign": false,
                "process_date": d.ex_date, "ex_date": d.ex_date, "record_date": d.ex_date,
                "payable_date": d.ex_date.plus(30),
            })
        })
        .collect();
    let mut by_type = serde_json::Map::new();
    if !rows.is_empty() {
        by_type.insert("cash_dividends".into(), rows.into());
    }
    Ok(Reply::json(&json!({ "corporate_actions": by_type, "next_page_token": null })))
}
