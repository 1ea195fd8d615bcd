//! Words about a market-data session, in both encodings and both directions: what the server says of the
//! session (`success`, `error`, `subscription`) and what the client asks (`auth`, `subscribe`, `unsubscribe`).
//! They are rare, so they take the slow road through a JSON value.

use crate::keys::Keys;
use crate::msgpack;
use crate::wire::Encoding;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Error codes of the market-data streams.
pub mod code {
    /// Malformed message.
    pub const INVALID_SYNTAX: u16 = 400;
    /// Subscribed before logging in.
    pub const NOT_AUTHENTICATED: u16 = 401;
    /// Wrong credentials.
    pub const AUTH_FAILED: u16 = 402;
    /// Logged in twice.
    pub const ALREADY_AUTHENTICATED: u16 = 403;
    /// No log-in within ten seconds.
    pub const AUTH_TIMEOUT: u16 = 404;
    /// More symbols than the plan allows; the subscriptions stay as they were.
    pub const SYMBOL_LIMIT: u16 = 405;
    /// Another connection of this user holds the endpoint; the socket stays usable for another log-in.
    pub const CONNECTION_LIMIT: u16 = 406;
    /// The client reads too slowly.
    pub const SLOW_CLIENT: u16 = 407;
    /// The feed is not in the plan.
    pub const INSUFFICIENT_SUBSCRIPTION: u16 = 409;
    /// The feed has no such channel.
    pub const INVALID_CHANNEL: u16 = 410;
    /// The token lacks the right.
    pub const INSUFFICIENT_SCOPE: u16 = 411;
    /// Options are spoken in MessagePack only.
    pub const MSGPACK_ONLY: u16 = 412;
    /// `*` is not allowed for option quotes.
    pub const NO_STAR: u16 = 413;
    /// The venue's own fault.
    pub const INTERNAL: u16 = 500;

    /// The text the venue sends with a code.
    pub const fn message(code: u16) -> &'static str {
        match code {
            INVALID_SYNTAX => "invalid syntax",
            NOT_AUTHENTICATED => "not authenticated",
            AUTH_FAILED => "auth failed",
            ALREADY_AUTHENTICATED => "already authenticated",
            AUTH_TIMEOUT => "auth timeout",
            SYMBOL_LIMIT => "symbol limit exceeded",
            CONNECTION_LIMIT => "connection limit exceeded",
            SLOW_CLIENT => "slow client",
            408 => "v2 not enabled",
            INSUFFICIENT_SUBSCRIPTION => "insufficient subscription",
            INVALID_CHANNEL => "invalid subscribe action for this feed",
            INSUFFICIENT_SCOPE => "insufficient scope",
            MSGPACK_ONLY => "option messages are only available in MsgPack format",
            NO_STAR => "star subscription is not allowed for option quotes",
            _ => "internal error",
        }
    }
}

/// What the server says of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// `success`, `connected`.
    Connected,
    /// `success`, `authenticated`.
    Authenticated,
    /// `error`.
    Error {
        /// One of [`code`].
        code: u16,
        /// The venue's text.
        message: String,
    },
    /// `subscription`: the complete state after a change.
    Subscription(Box<Channels>),
}

/// Symbols by channel. Empty channels are left out of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Channels {
    /// Trades.
    #[serde(deserialize_with = "list_or_null", skip_serializing_if = "Vec::is_empty")]
    pub trades: Vec<String>,
    /// Quotes.
    #[serde(deserialize_with = "list_or_null", skip_serializing_if = "Vec::is_empty")]
    pub quotes: Vec<String>,
    /// Minute bars.
    #[serde(deserialize_with = "list_or_null", skip_serializing_if = "Vec::is_empty")]
    pub bars: Vec<String>,
    /// Minute bars sent again.
    #[serde(deserialize_with = "list_or_null", skip_serializing_if = "Vec::is_empty")]
    pub updated_bars: Vec<String>,
    /// Running day bars.
    #[serde(deserialize_with = "list_or_null", skip_serializing_if = "Vec::is_empty")]
    pub daily_bars: Vec<String>,
    /// Halts and resumptions.
    #[serde(deserialize_with = "list_or_null", skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<String>,
    /// Limit-up-limit-down bands.
    #[serde(deserialize_with = "list_or_null", skip_serializing_if = "Vec::is_empty")]
    pub lulds: Vec<String>,
    /// Imbalances.
    #[serde(deserialize_with = "list_or_null", skip_serializing_if = "Vec::is_empty")]
    pub imbalances: Vec<String>,
    /// Follows `trades`; only reported back.
    #[serde(deserialize_with = "list_or_null", skip_serializing_if = "Vec::is_empty")]
    pub corrections: Vec<String>,
    /// Follows `trades`; only reported back.
    #[serde(deserialize_with = "list_or_null", skip_serializing_if = "Vec::is_empty")]
    pub cancel_errors: Vec<String>,
}

fn list_or_null<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    Ok(<Option<Vec<String>>>::deserialize(d)?.unwrap_or_default())
}

/// What a client asks of a market-data stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Log in.
    Auth(Keys),
    /// Add to the session's subscriptions.
    Subscribe(Channels),
    /// Take away from them.
    Unsubscribe(Channels),
}

impl Control {
    /// A refusal with the venue's own text.
    pub fn error(code: u16) -> Self {
        Self::Error { code, message: code::message(code).into() }
    }

    /// The frame that says it: an array of one. `feed_channels` of a subscription are all written, empty ones
    /// too, as the venue does for stocks; options have trades and quotes only.
    pub fn encode(&self, encoding: Encoding, options: bool) -> Vec<u8> {
        let element = match self {
            Self::Connected => serde_json::json!({"T": "success", "msg": "connected"}),
            Self::Authenticated => serde_json::json!({"T": "success", "msg": "authenticated"}),
            Self::Error { code, message } => serde_json::json!({"T": "error", "code": code, "msg": message}),
            Self::Subscription(all) if options => {
                serde_json::json!({"T": "subscription", "trades": all.trades, "quotes": all.quotes})
            }
            Self::Subscription(all) => serde_json::json!({
                "T": "subscription", "trades": all.trades, "quotes": all.quotes, "bars": all.bars,
                "updatedBars": all.updated_bars, "dailyBars": all.daily_bars, "statuses": all.statuses,
                "lulds": all.lulds, "corrections": all.corrections, "cancelErrors": all.cancel_errors,
            }),
        };
        encode_value(&Value::Array(vec![element]), encoding)
    }

    /// The control message a JSON value holds; `None` when it is none.
    pub fn from_value(value: &Value) -> Option<Self> {
        match value.get("T")?.as_str()? {
            "success" => match value.get("msg")?.as_str()? {
                "connected" => Some(Self::Connected),
                "authenticated" => Some(Self::Authenticated),
                _ => None,
            },
            "error" => Some(Self::Error {
                code: u16::try_from(value.get("code")?.as_u64()?).ok()?,
                message: value.get("msg").and_then(Value::as_str).unwrap_or("").into(),
            }),
            "subscription" => {
                Channels::deserialize(value).ok().map(|channels| Self::Subscription(Box::new(channels)))
            }
            _ => None,
        }
    }
}

/// Why a client's message was not understood. Answer with [`code::INVALID_SYNTAX`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an action of this stream: {0}")]
pub struct BadAction(pub String);

impl Action {
    /// The message a client sends.
    pub fn encode(&self, encoding: Encoding) -> Vec<u8> {
        let value = match self {
            Self::Auth(keys) => {
                serde_json::json!({"action": "auth", "key": keys.id(), "secret": keys.secret()})
            }
            Self::Subscribe(channels) => with_action("subscribe", channels),
            Self::Unsubscribe(channels) => with_action("unsubscribe", channels),
        };
        encode_value(&value, encoding)
    }

    /// Reads a client's message.
    pub fn decode(message: &[u8], encoding: Encoding) -> Result<Self, BadAction> {
        let value = decode_value(message, encoding).ok_or_else(|| BadAction("not decodable".into()))?;
        let channels = || {
            Channels::deserialize(&value).map_err(|e| BadAction(e.to_string().chars().take(120).collect()))
        };
        match value.get("action").and_then(Value::as_str) {
            Some("auth") => Keys::from_value(&value, "key", "secret")
                .map(Self::Auth)
                .ok_or_else(|| BadAction("auth without `key` and `secret`".into())),
            Some("subscribe") => channels().map(Self::Subscribe),
            Some("unsubscribe") => channels().map(Self::Unsubscribe),
            Some(other) => Err(BadAction(other.chars().take(40).collect())),
            None => Err(BadAction("no `action`".into())),
        }
    }
}

fn with_action(action: &str, channels: &Channels) -> Value {
    // A struct of string lists always serialises to an object.
    let mut value = serde_json::to_value(channels).unwrap_or_default();
    value["action"] = action.into();
    value
}

fn encode_value(value: &Value, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Json => value.to_string().into_bytes(),
        Encoding::MsgPack => msgpack::from_value(value),
    }
}

fn decode_value(message: &[u8], encoding: Encoding) -> Option<Value> {
    match encoding {
        Encoding::Json => serde_json::from_slice(message).ok(),
        Encoding::MsgPack => msgpack::to_value(message),
    }
}

impl Channels {
    /// Every channel with its wire name.
    pub fn all(&self) -> [(&'static str, &Vec<String>); 10] {
        [
            ("trades", &self.trades),
            ("quotes", &self.quotes),
            ("bars", &self.bars),
            ("updatedBars", &self.updated_bars),
            ("dailyBars", &self.daily_bars),
            ("statuses", &self.statuses),
            ("lulds", &self.lulds),
            ("imbalances", &self.imbalances),
            ("corrections", &self.corrections),
            ("cancelErrors", &self.cancel_errors),
        ]
    }

    /// Every channel, to be changed.
    pub fn all_mut(&mut self) -> [&mut Vec<String>; 10] {
        [
            &mut self.trades,
            &mut self.quotes,
            &mut self.bars,
            &mut self.updated_bars,
            &mut self.daily_bars,
            &mut self.statuses,
            &mut self.lulds,
            &mut self.imbalances,
            &mut self.corrections,
            &mut self.cancel_errors,
        ]
    }

    /// True when no channel has a symbol.
    pub fn is_empty(&self) -> bool {
        self.all().iter().all(|(_, symbols)| symbols.is_empty())
    }

    /// Entries over all channels.
    pub fn len(&self) -> usize {
        self.all().iter().map(|(_, symbols)| symbols.len()).sum()
    }

    /// Adds what the other has; each channel stays free of repeats, and sorted.
    pub fn add(&mut self, other: &Self) {
        for (mine, (_, theirs)) in self.all_mut().into_iter().zip(other.all()) {
            mine.extend(theirs.iter().cloned());
            mine.sort_unstable();
            mine.dedup();
        }
    }

    /// Takes away what the other has.
    pub fn remove(&mut self, other: &Self) {
        for (mine, (_, theirs)) in self.all_mut().into_iter().zip(other.all()) {
            mine.retain(|symbol| !theirs.contains(symbol));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn test_vectors_byte_for_byte() {
        let pack = |c: Control| hex(&c.encode(Encoding::MsgPack, true));
        assert_eq!(pack(Control::Connected), "9182a154a773756363657373a36d7367a9636f6e6e6563746564");
        assert_eq!(
            pack(Control::Authenticated),
            "9182a154a773756363657373a36d7367ad61757468656e74696361746564"
        );
        assert_eq!(
            pack(Control::error(406)),
            "9183a154a56572726f72a4636f6465cd0196a36d7367b9636f6e6e656374696f6e206c696d6974206578636565646564"
        );
        let auth = Action::Auth(Keys::new("SIMKEY", "SIMSECRET"));
        let vector = "83a6616374696f6ea461757468a36b6579a653494d4b4559a6736563726574a953494d534543524554";
        assert_eq!(hex(&auth.encode(Encoding::MsgPack)), vector);
    }

    #[test]
    fn actions_and_controls_go_both_ways() {
        let channels = Channels {
            trades: vec!["SPY".into()],
            quotes: vec!["QQQ".into(), "SPY".into()],
            updated_bars: vec!["*".into()],
            ..Channels::default()
        };
        for encoding in [Encoding::Json, Encoding::MsgPack] {
            for action in [
                Action::Auth(Keys::new("id", "hidden")),
                Action::Subscribe(channels.clone()),
                Action::Unsubscribe(channels.clone()),
            ] {
                assert_eq!(Action::decode(&action.encode(encoding), encoding), Ok(action));
            }
        }
        for bad in ["", "[]", "{}", r#"{"action":"dance"}"#, r#"{"action":"subscribe","quotes":"SPY"}"#] {
            assert!(Action::decode(bad.as_bytes(), Encoding::Json).is_err(), "{bad}");
        }
    }

    #[test]
    fn documented_examples() {
        let ask = br#"{"action":"subscribe","trades":["SPY"],"quotes":["SPY","QQQ"],"bars":["*"],"statuses":["*"],"lulds":["SPY"]}"#;
        let Ok(Action::Subscribe(channels)) = Action::decode(ask, Encoding::Json) else {
            panic!("subscribe")
        };
        assert_eq!((channels.len(), channels.bars.as_slice()), (6, &["*".to_string()][..]));
        assert!(Action::decode(br#"{"action":"unsubscribe","quotes":["QQQ"]}"#, Encoding::Json).is_ok());
        let key = br#"{"action":"auth","key":"<key-id>","secret":"<secret>"}"#;
        assert!(matches!(Action::decode(key, Encoding::Json), Ok(Action::Auth(_))));
    }

    #[test]
    fn secrets_are_not_shown() {
        let text = format!("{:?}", Action::Auth(Keys::new("PKID12345", "very-secret")));
        assert!(!text.contains("very-secret"), "{text}");
    }
}
