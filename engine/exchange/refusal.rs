//! Every way the exchange says no, with the broker's HTTP status, code and wording. A refusal means that no
//! order was created, with one exception: the injected 504, which lies.

use market::{Instrument, Money};

/// A request that was turned down. The body on the wire is `{code, message}` plus the extra keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{http_status} {code}: {message}")]
pub struct Refusal {
    /// The HTTP status the broker answers with.
    pub http_status: u16,
    /// The broker's code; 0 when there is none.
    pub code: u32,
    /// The broker's wording.
    pub message: String,
    /// Further keys of the body, in the broker's spelling.
    pub extra: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(crate) fn new(http_status: u16, code: u32, message: impl Into<String>) -> Self {
        Self { http_status, code, message: message.into(), extra: Vec::new() }
    }
    /// 403 40310000: understood, but this account may not.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, 40_310_000, message)
    }
    /// 422 40010001: a basic parameter is wrong.
    pub(crate) fn bad_parameter(message: impl Into<String>) -> Self {
        Self::new(422, 40_010_001, message)
    }
    /// 422 42210000: well-formed, but not possible.
    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(422, 42_210_000, message)
    }
    /// 404 40410000.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, 40_410_000, message)
    }
    fn with(mut self, key: &'static str, value: impl ToString) -> Self {
        self.extra.push((key, value.to_string()));
        self
    }

    /// The lie: the order exists, the client is told that nobody knows.
    pub(crate) fn gateway_timeout() -> Self {
        Self::new(504, 50_410_000, "gateway timeout")
    }
    pub(crate) fn no_account() -> Self {
        Self::not_found("account not found")
    }
    pub(crate) fn order_not_found(id: impl ToString) -> Self {
        Self::not_found(format!("order not found for {}", id.to_string()))
    }
    pub(crate) fn buying_power(available: Money, cost: Money) -> Self {
        Self::forbidden("insufficient buying power").with("buying_power", available).with("cost_basis", cost)
    }
    pub(crate) fn options_buying_power(required: Money, available: Money, secured_put: bool) -> Self {
        let what = if secured_put { " for cash-secured put" } else { "" };
        let available = available.max(Money::ZERO);
        Self::forbidden(format!(
            "insufficient options buying power{what} (required: {required}, available: {available})"
        ))
    }
    pub(crate) fn covered_call(required: i64, available: i64, underlying: market::Symbol) -> Self {
        Self::forbidden(format!(
            "insufficient underlying qty available for covered call (required: {required}, available: {available})"
        ))
        .with("required_qty", required)
        .with("available_qty", available)
        .with("underlying_asset_id", crate::identity::asset_id(underlying.as_str()))
    }
    pub(crate) fn held(requested: i64, existing: i64, available: i64, instrument: Instrument) -> Self {
        Self::forbidden(format!(
            "insufficient qty available for order (requested: {requested}, available: {available})"
        ))
        .with("existing_qty", existing)
        .with("held_for_orders", existing - available)
        .with("available", available)
        .with("symbol", instrument)
    }
    pub(crate) fn uncovered() -> Self {
        Self::forbidden("account not eligible to trade uncovered option contracts")
    }
    pub(crate) fn wash_trade(existing: crate::Uuid) -> Self {
        Self::forbidden("potential wash trade detected. use complex orders")
            .with("reject_reason", "opposite side market/limit order exists")
            .with("existing_order_id", existing)
    }
    pub(crate) fn contract(symbol: Instrument, what: &str) -> Self {
        Self::unprocessable(format!("contract \"{symbol}\" {what}"))
    }
    pub(crate) fn sub_penny(text: &str) -> Self {
        Self::unprocessable(format!(
            "invalid limit_price {text}. sub-penny increment does not fulfill minimum pricing criteria"
        ))
    }
}
