//! Account, configuration, activities, and what equity has been.

use super::{Call, Reply};
use crate::core::Core;
use crate::wire;
use alpaca::Decimal;
use alpaca::account::{AccountBody, AccountConfiguration, PortfolioHistory};
use exchange::{ActivityFilter, ActivityType, Uuid, asset_id};

/// `GET /account`
pub fn account(core: &mut Core) -> Result<Reply, Reply> {
    let view =
        core.exchange.account_view(core.account).ok_or_else(|| Reply::not_found("account not found"))?;
    let number = view.id.to_string();
    let before = market::session::previous_session(core.today()).map(|s| s.date.to_string());
    let blocked = view.configuration.trading_blocked;
    let body = AccountBody {
        portfolio_value: view.equity.into(),
        equity: view.equity.into(),
        last_equity: view.last_equity.into(),
        balance_asof: before,
        buying_power: view.buying_power.into(),
        regt_buying_power: view.buying_power.into(),
        non_marginable_buying_power: view.options_buying_power.into(),
        options_buying_power: view.options_buying_power.into(),
        long_market_value: view.long_market_value.into(),
        short_market_value: view.short_market_value.into(),
        initial_margin: view.initial_margin.into(),
        maintenance_margin: view.maintenance_margin.into(),
        last_maintenance_margin: view.maintenance_margin.into(),
        multiplier: Decimal::whole(view.multiplier.into()),
        shorting_enabled: !view.configuration.no_shorting,
        accrued_fees: view.accrued_fees.into(),
        options_approved_level: Some(view.options_approved_level),
        options_trading_level: Some(view.options_trading_level),
        trading_blocked: blocked,
        trade_suspended_by_user: view.configuration.suspend_trade,
        ..AccountBody::bare(asset_id(&number).to_string(), number, view.cash.into(), view.created_at)
    };
    Ok(Reply::json(&body))
}

/// `PATCH /account/configurations`: what is sent replaces what was.
pub fn configure(core: &mut Core, call: &Call) -> Result<Reply, Reply> {
    let bad = |why: String| Reply::error(422, 40_010_001, &why);
    let patch: serde_json::Value = serde_json::from_slice(&call.body).map_err(|e| bad(e.to_string()))?;
    let mut merged = serde_json::to_value(&core.configuration).map_err(|e| bad(e.to_string()))?;
    for (key, value) in patch.as_object().into_iter().flatten() {
        let clears = key == "max_options_trading_level";
        if clears || !value.is_null() {
            merged[key] = value.clone();
        }
    }
    let wanted: AccountConfiguration = serde_json::from_value(merged).map_err(|e| bad(e.to_string()))?;
    let view =
        core.exchange.account_view(core.account).ok_or_else(|| Reply::not_found("account not found"))?;
    let configuration = exchange::Configuration {
        suspend_trade: wanted.suspend_trade,
        no_shorting: wanted.no_shorting,
        max_options_trading_level: wanted.max_options_trading_level,
        ..view.configuration
    };
    core.mark_changed();
    core.exchange.configure(core.account, configuration)?;
    core.configuration = wanted;
    Ok(Reply::json(&core.configuration))
}

/// `GET /account/activities` and `/account/activities/{type}`
pub fn activities(core: &mut Core, call: &Call, kind: Option<&str>) -> Result<Reply, Reply> {
    let mut names = call.list("activity_types");
    names.extend(kind);
    let mut kinds = Vec::new();
    let mut unknown = false;
    for name in &names {
        match ActivityType::from_word(name) {
            Some(kind) => kinds.push(kind),
            // Types the broker has and this venue never books (dividends, interest) match nothing.
            None => unknown = true,
        }
    }
    if unknown && kinds.is_empty() {
        return Ok(Reply::json(&Vec::<String>::new()));
    }
    let order_id = match call.text("order_id") {
        Some(text) => Some(text.parse::<Uuid>().map_err(|_| Reply::bad("order_id", text))?),
        None => None,
    };
    let filter = ActivityFilter {
        kinds,
        date: call.parsed("date")?,
        after: call.time("after", false)?,
        until: call.time("until", true)?,
        order_id,
        page_token: call.text("page_token").map(Into::into),
        ascending: call.text("direction") == Some("asc"),
        page_size: call.parsed::<usize>("page_size")?.unwrap_or(100).min(100),
    };
    let category = call.text("category");
    let rows = core.exchange.activities(core.account, core.now(), &filter);
    let wanted = rows.into_iter().filter(|row| match category {
        Some("trade_activity") => row.is_trade(),
        Some("non_trade_activity") => !row.is_trade(),
        _ => true,
    });
    Ok(Reply::json(&wanted.map(wire::activity).collect::<Vec<_>>()))
}

/// `GET /account/portfolio/history`: the start, each day's beginning, and now.
pub fn portfolio_history(core: &mut Core, call: &Call) -> Result<Reply, Reply> {
    let mut points = core.equity.clone();
    if let Some(view) = core.exchange.account_view(core.account) {
        points.push((core.now(), view.equity.dollars()));
    }
    let (start, end) = (call.time("start", false)?, call.time("end", true)?);
    points.retain(|(at, _)| start.is_none_or(|s| *at >= s) && end.is_none_or(|e| *at <= e));
    let base = points.first().map_or(core.settings.cash.dollars(), |(_, equity)| *equity);
    let gain = |equity: f64| equity - base;
    let body = PortfolioHistory {
        timestamp: points.iter().map(|(at, _)| at.ns() / 1_000_000_000).collect(),
        equity: points.iter().map(|(_, e)| Some(*e)).collect(),
        profit_loss: points.iter().map(|(_, e)| Some(gain(*e))).collect(),
        profit_loss_pct: points.iter().map(|(_, e)| Some(gain(*e) / base)).collect(),
        base_value: base,
        base_value_asof: Some(core.opened_at.new_york().0.to_string()),
        timeframe: call.text("timeframe").unwrap_or("1D").into(),
        cashflow: Default::default(),
    };
    Ok(Reply::json(&body))
}
