//! What is answered to a request: one table of routes over plain functions on the core. No HTTP machinery in
//! here; a call is a method, a path, a query and a body, an answer is a status and JSON.

mod account;
mod assets;
mod corporate;
mod hours;
mod option_data;
mod orders;
mod positions;
mod stock_data;
mod timeframe;

use crate::core::Core;
use crate::wire;
use alpaca::account::ErrorBody;
use exchange::Refusal;
use market::{Date, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The path with its leading slash, decoded.
    pub path: String,
    /// The query, decoded.
    pub query: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Call {
    /// A parameter that is there and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }
    /// A comma-separated parameter.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let split = self.text(name).map(|text| text.split(',').map(str::trim));
        split.into_iter().flatten().filter(|item| !item.is_empty()).collect()
    }
    /// A parameter of some type; `Err` when it is there and not of it.
    pub fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Reply> {
        match self.text(name) {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| Reply::bad(name, text)),
        }
    }
    /// `true`, `True` or `1`.
    pub fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text == "1" || text.eq_ignore_ascii_case("true"))
    }
    /// A time, or a date taken as New York midnight (its last moment when `end`).
    pub fn time(&self, name: &str, end: bool) -> Result<Option<Timestamp>, Reply> {
        let Some(text) = self.text(name) else { return Ok(None) };
        if let Ok(date) = text.parse::<Date>() {
            let of_day = if end { 86_399 } else { 0 };
            return Ok(Some(date.at_new_york(of_day)));
        }
        // Python writes times without a zone as it pleases; without one, UTC is meant.
        let zoned = Timestamp::parse_rfc3339(text.as_bytes())
            .or_else(|| Timestamp::parse_rfc3339(format!("{text}Z").as_bytes()));
        zoned.map(Some).ok_or_else(|| Reply::bad(name, text))
    }
    /// How many rows, and after how many: `limit` within `most`, and the page token.
    pub fn page(&self, default: usize, most: usize) -> Result<(usize, usize), Reply> {
        let limit = self.parsed::<usize>("limit")?.unwrap_or(default).clamp(1, most);
        Ok((self.parsed::<usize>("page_token")?.unwrap_or(0), limit))
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// JSON; none for an empty answer.
    pub body: Option<String>,
}

impl Reply {
    /// 200 with a body.
    pub fn json(body: &impl Serialize) -> Self {
        Self::with(200, body)
    }
    /// A status with a body.
    pub fn with(status: u16, body: &impl Serialize) -> Self {
        // Maps with text keys and plain structs: nothing here can fail to serialise.
        Self { status, body: serde_json::to_string(body).ok() }
    }
    /// A status without a body.
    pub const fn empty(status: u16) -> Self {
        Self { status, body: None }
    }
    /// `{code, message}`.
    pub fn error(status: u16, code: u32, message: &str) -> Self {
        Self::with(status, &ErrorBody::new(code, message))
    }
    /// `{message}` alone, as the gateway writes it.
    pub fn bare(status: u16, message: &str) -> Self {
        Self::with(status, &serde_json::json!({ "message": message }))
    }
    /// A parameter that cannot be.
    pub fn bad(name: &str, found: &str) -> Self {
        Self::error(400, 40_010_001, &format!("invalid {name}: {found}"))
    }
    /// Nothing of that name.
    pub fn not_found(message: &str) -> Self {
        Self::error(404, 40_410_000, message)
    }
}

impl From<Refusal> for Reply {
    fn from(no: Refusal) -> Self {
        Self::with(no.http_status, &wire::refusal(&no))
    }
}

/// True for the trading surface, whose limit is separate from the data's.
pub fn is_trading(path: &str) -> bool {
    path.starts_with("/v2/") && !path.starts_with("/v2/stocks/")
}

/// Answers a request.
pub fn answer(core: &mut Core, call: &Call) -> Reply {
    core.count_request();
    let path = call.path.trim_matches('/').to_string();
    let segments: Vec<&str> = path.split('/').collect();
    let answered = match segments.as_slice() {
        ["v2", "stocks", rest @ ..] => stock_data::answer(core, call, rest),
        ["v2", rest @ ..] => trading(core, call, rest),
        ["v1beta1", "options", rest @ ..] => option_data::answer(core, call, rest),
        ["v1", "corporate-actions"] => corporate::actions(core, call),
        _ => Err(Reply::not_found("endpoint not found")),
    };
    if core.is_unsaved() {
        core.keep();
    }
    if call.method != "GET" && core.is_unsaved() {
        // The outcome is open: what was done is not on record. The client has to look it up.
        return Reply::bare(503, "the venue cannot store its state; free disk space and look the order up");
    }
    answered.unwrap_or_else(|no| no)
}

fn trading(core: &mut Core, call: &Call, path: &[&str]) -> Result<Reply, Reply> {
    match (call.method.as_str(), path) {
        ("GET", ["account"]) => account::account(core),
        ("GET", ["account", "configurations"]) => Ok(Reply::json(&core.configuration)),
        ("PATCH", ["account", "configurations"]) => account::configure(core, call),
        ("GET", ["account", "activities"]) => account::activities(core, call, None),
        ("GET", ["account", "activities", kind]) => account::activities(core, call, Some(kind)),
        ("GET", ["account", "portfolio", "history"]) => account::portfolio_history(core, call),
        ("GET", ["clock"]) => hours::clock(core),
        ("GET", ["calendar"]) => hours::calendar(call),
        ("GET", ["assets"]) => assets::assets(core, call),
        ("GET", ["assets", name]) => assets::asset(core, name),
        ("GET", ["options", "contracts"]) => assets::contracts(core, call),
        ("GET", ["options", "contracts", name]) => assets::contract(core, name),
        ("POST", ["orders"]) => orders::create(core, call),
        ("GET", ["orders"]) => orders::list(core, call),
        ("DELETE", ["orders"]) => orders::cancel_all(core),
        ("GET", ["orders:by_client_order_id"]) => orders::by_client_id(core, call),
        ("GET", ["orders", id]) => orders::get(core, id),
        ("PATCH", ["orders", id]) => orders::replace(core, id, call),
        ("DELETE", ["orders", id]) => orders::cancel(core, id),
        ("GET", ["positions"]) => positions::list(core),
        ("DELETE", ["positions"]) => positions::close_all(core, call),
        ("GET", ["positions", name]) => positions::get(core, name),
        ("DELETE", ["positions", name]) => positions::close(core, name, call),
        ("POST", ["positions", name, "exercise"]) => positions::exercise(core, name),
        ("POST", ["positions", name, "do-not-exercise"]) => positions::do_not_exercise(core, name),
        _ => Err(Reply::not_found("endpoint not found")),
    }
}
