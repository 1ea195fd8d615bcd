//! The trading stream: logging in, asking for streams, and what comes back. JSON always, in text or binary
//! frames alike.

use crate::keys::Keys;
use crate::orders::TradeUpdate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The stream of order updates.
pub const TRADE_UPDATES: &str = "trade_updates";

/// What a client asks of the trading stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TradingAction {
    /// Log in.
    Authenticate(Keys),
    /// Replace the set of streams.
    Listen(Vec<String>),
}

/// What the trading stream says.
#[derive(Clone, Debug, PartialEq)]
pub enum TradingMessage {
    /// The answer to a log-in, or to asking without one.
    Authorization {
        /// True when logged in.
        authorized: bool,
        /// What was asked: `authenticate` or `listen`.
        action: String,
    },
    /// The set of streams that are delivered from now on.
    Listening(Vec<String>),
    /// Something happened to an order.
    Update(Box<TradeUpdate>),
    /// The venue's own fault; it closes the socket next.
    Fault(String),
    /// A stream this program does not know.
    Other(String),
}

/// Why a message of the trading stream was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a message of the trading stream: {0}")]
pub struct BadTradingMessage(pub String);

fn bad(why: impl std::fmt::Display) -> BadTradingMessage {
    BadTradingMessage(why.to_string().chars().take(200).collect())
}

impl TradingAction {
    /// The text a client sends (the spelling of the official SDK).
    pub fn encode(&self) -> String {
        match self {
            Self::Authenticate(keys) => json!({
                "action": "authenticate",
                "data": {"key_id": keys.id(), "secret_key": keys.secret()},
            }),
            Self::Listen(streams) => json!({"action": "listen", "data": {"streams": streams}}),
        }
        .to_string()
    }

    /// Reads a client's message, in both spellings of the log-in.
    pub fn decode(message: &[u8]) -> Result<Self, BadTradingMessage> {
        let value: Value = serde_json::from_slice(message).map_err(bad)?;
        let data = value.get("data").unwrap_or(&Value::Null);
        match value.get("action").and_then(Value::as_str) {
            Some("authenticate" | "auth") => Keys::from_value(data, "key_id", "secret_key")
                .or_else(|| Keys::from_value(&value, "key", "secret"))
                .map(Self::Authenticate)
                .ok_or_else(|| bad("log-in without key and secret")),
            Some("listen") => <Vec<String>>::deserialize(data.get("streams").unwrap_or(&Value::Null))
                .map(Self::Listen)
                .map_err(bad),
            other => Err(bad(format_args!("action {other:?}"))),
        }
    }
}

impl TradingMessage {
    /// The text a server sends.
    pub fn encode(&self) -> String {
        #[derive(Serialize)]
        struct Out<'a> {
            stream: &'a str,
            data: &'a TradeUpdate,
        }
        match self {
            Self::Authorization { authorized, action } => {
                let status = if *authorized { "authorized" } else { "unauthorized" };
                json!({"stream": "authorization", "data": {"status": status, "action": action}}).to_string()
            }
            Self::Listening(streams) => {
                json!({"stream": "listening", "data": {"streams": streams}}).to_string()
            }
            // An order is made of texts and decimals: nothing in it can fail to serialise.
            Self::Update(update) => {
                serde_json::to_string(&Out { stream: TRADE_UPDATES, data: update }).unwrap_or_default()
            }
            Self::Fault(message) => {
                json!({"action": "error", "data": {"error_message": message}}).to_string()
            }
            Self::Other(stream) => json!({"stream": stream, "data": {}}).to_string(),
        }
    }

    /// Reads what a server sent, in a text or a binary frame.
    pub fn decode(message: &[u8]) -> Result<Self, BadTradingMessage> {
        let mut value: Value = serde_json::from_slice(message).map_err(bad)?;
        let data = value.get_mut("data").map(Value::take).unwrap_or_default();
        let text = |key: &str| data.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
        let head = |key: &str| value.get(key).and_then(Value::as_str);
        match (head("stream"), head("action")) {
            (Some("authorization"), _) => {
                Ok(Self::Authorization { authorized: text("status") == "authorized", action: text("action") })
            }
            (Some("listening"), _) => {
                let streams = data.get("streams").cloned().unwrap_or_default();
                Ok(Self::Listening(serde_json::from_value(streams).map_err(bad)?))
            }
            (Some(TRADE_UPDATES), _) => serde_json::from_value(data).map(Self::Update).map_err(bad),
            (None, Some("error")) => Ok(Self::Fault(text("error_message"))),
            (Some(other), _) => Ok(Self::Other(other.chars().take(40).collect())),
            (None, _) => Err(bad("no `stream`")),
        }
    }
}
