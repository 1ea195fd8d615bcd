//! What can go wrong with a call, by what to do about it.

use crate::account::ErrorBody;
use market::Timestamp;
use market::order::{Outcome, ReasonText};

/// Why a call brought no answer, or a bad one. Messages never hold credentials.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RestError {
    /// Nothing was sent: no connection, or no room under the rate limit in time.
    #[error("{call}: nothing was sent: {why}")]
    NotSent {
        /// Method and path.
        call: String,
        /// Why.
        why: String,
    },
    /// The connection ended while the answer was awaited.
    #[error("{call}: the connection was lost: {why}")]
    ConnectionLost {
        /// Method and path.
        call: String,
        /// Why.
        why: String,
    },
    /// No answer in time.
    #[error("{call}: no answer within {limit_ms} ms")]
    TimedOut {
        /// Method and path.
        call: String,
        /// The limit in milliseconds.
        limit_ms: u64,
    },
    /// 401, or 403 without a code: the keys.
    #[error("{call}: HTTP {status} {message}: check the keys, and that they belong to this host")]
    Unauthorized {
        /// Method and path.
        call: String,
        /// HTTP status.
        status: u16,
        /// The venue's text.
        message: String,
    },
    /// 403 with a code: understood and refused (buying power, quantity held, level, wash trade).
    #[error("{call}: refused: {} ({})", .body.message, .body.code.unwrap_or(0))]
    Forbidden {
        /// Method and path.
        call: String,
        /// The venue's words.
        body: Box<ErrorBody>,
    },
    /// 404.
    #[error("{call}: not found: {}", .body.message)]
    NotFound {
        /// Method and path.
        call: String,
        /// The venue's words.
        body: Box<ErrorBody>,
    },
    /// 400 or 422: a field or a state is wrong.
    #[error("{call}: HTTP {status}: {} ({})", .body.message, .body.code.unwrap_or(0))]
    Invalid {
        /// Method and path.
        call: String,
        /// HTTP status.
        status: u16,
        /// The venue's words.
        body: Box<ErrorBody>,
    },
    /// 429.
    #[error("{call}: rate limit exceeded, free again at {}", .reset.map_or("an unknown time".to_string(), |t| t.to_string()))]
    RateLimited {
        /// Method and path.
        call: String,
        /// When the limit resets, when the venue says so.
        reset: Option<Timestamp>,
    },
    /// 5xx: the venue's fault.
    #[error("{call}: the venue failed with HTTP {status}: {message}")]
    Venue {
        /// Method and path.
        call: String,
        /// HTTP status.
        status: u16,
        /// The start of its answer.
        message: String,
    },
    /// Any other status.
    #[error("{call}: unexpected HTTP {status}: {message}")]
    Unexpected {
        /// Method and path.
        call: String,
        /// HTTP status.
        status: u16,
        /// The start of its answer.
        message: String,
    },
    /// A good status and an answer that is not what was asked for.
    #[error("{call}: the answer cannot be read: {why}")]
    Unreadable {
        /// Method and path.
        call: String,
        /// Where reading failed, and the start of the answer.
        why: String,
    },
    /// More pages than any answer has, or a page token that repeats.
    #[error("{call}: paging does not end after {pages} pages")]
    EndlessPages {
        /// Method and path.
        call: String,
        /// Pages read.
        pages: usize,
    },
}

/// The venue's code for a client order id that was used before.
const DUPLICATE_ID: u32 = 40_010_001;

impl RestError {
    /// True when the request may have been carried out all the same: ask before acting.
    pub fn outcome_is_unknown(&self) -> bool {
        match self {
            Self::ConnectionLost { .. }
            | Self::TimedOut { .. }
            | Self::Venue { .. }
            | Self::Unreadable { .. }
            | Self::EndlessPages { .. } => true,
            Self::Unexpected { status, .. } => *status < 400,
            _ => false,
        }
    }

    /// The code and text of a refusal.
    pub fn refusal(&self) -> (u32, ReasonText) {
        match self {
            Self::Forbidden { body, .. } | Self::NotFound { body, .. } | Self::Invalid { body, .. } => {
                (body.code.unwrap_or(0), body.reason())
            }
            Self::Unauthorized { status, message, .. } => {
                (u32::from(*status), ReasonText::format(format_args!("{message}")))
            }
            other => (0, ReasonText::format(format_args!("{other}"))),
        }
    }

    /// True when the venue has an order of this id already: an earlier attempt arrived after all. What became of
    /// it has to be asked.
    fn is_duplicate(&self) -> bool {
        let (code, reason) = self.refusal();
        code == DUPLICATE_ID && reason.as_str().contains("client_order_id must be unique")
    }

    /// True when a change was refused since the order's life is over (or went on under another id): the reports
    /// of that may have been missed, so it is asked for at once.
    pub fn says_it_is_over(&self) -> bool {
        let Self::Invalid { body, .. } = self else { return false };
        ["filled", "replaced", "canceled", "expired"].iter().any(|word| body.message.contains(word))
    }

    /// What it means for a new order.
    pub fn submit_outcome(&self) -> Outcome {
        let (code, reason) = self.refusal();
        if self.outcome_is_unknown() || self.is_duplicate() {
            return Outcome::Unknown;
        }
        Outcome::Rejected { code, reason }
    }

    /// What it means for a replacement.
    pub fn replace_outcome(&self) -> Outcome {
        match self {
            // The new order's id is taken: an earlier attempt at the same change arrived.
            _ if self.outcome_is_unknown() || self.is_duplicate() => Outcome::Unknown,
            Self::NotFound { .. } => Outcome::NotFound,
            _ => Outcome::ReplaceRejected { reason: self.refusal().1 },
        }
    }

    /// What it means for a cancel.
    pub fn cancel_outcome(&self) -> Outcome {
        match self {
            _ if self.outcome_is_unknown() => Outcome::Unknown,
            Self::NotFound { .. } => Outcome::NotFound,
            _ => Outcome::CancelRejected { reason: self.refusal().1 },
        }
    }

    /// What it means for a look-up.
    pub fn look_up_outcome(&self) -> Outcome {
        if let Self::NotFound { .. } = self { Outcome::NotFound } else { Outcome::Unknown }
    }
}

/// Sorts a bad status. `reset` is the time the rate limit is free again.
pub(crate) fn from_status(call: String, status: u16, body: &[u8], reset: Option<Timestamp>) -> RestError {
    let parsed = serde_json::from_slice::<ErrorBody>(body).ok();
    let message = parsed.as_ref().map_or_else(|| start_of(body), |b| b.message.clone());
    let body = || {
        Box::new(
            parsed.clone().unwrap_or_else(|| ErrorBody { message: message.clone(), ..ErrorBody::default() }),
        )
    };
    match status {
        401 => RestError::Unauthorized { call, status, message },
        403 if parsed.as_ref().is_none_or(|b| b.code.is_none()) => {
            RestError::Unauthorized { call, status, message }
        }
        403 => RestError::Forbidden { call, body: body() },
        404 => RestError::NotFound { call, body: body() },
        400 | 422 => RestError::Invalid { call, status, body: body() },
        429 => RestError::RateLimited { call, reset },
        500..=599 => RestError::Venue { call, status, message },
        _ => RestError::Unexpected { call, status, message },
    }
}

/// The first 160 characters of an answer that may be anything.
pub(crate) fn start_of(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(640)]);
    text.chars().filter(|c| !c.is_control()).take(160).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, body: &str) -> RestError {
        from_status("POST /v2/orders".into(), status, body.as_bytes(), None)
    }

    #[test]
    fn statuses_by_what_to_do() {
        let power = r#"{"code":40310000,"message":"insufficient options buying power (required: 38000, available: 7267.84)","options_buying_power":"7267.84","cost_basis":"38000"}"#;
        let Outcome::Rejected { code: 40_310_000, reason } = error(403, power).submit_outcome() else {
            panic!()
        };
        assert!(reason.as_str().starts_with("insufficient options buying power"));
        let RestError::Forbidden { body, .. } = error(403, power) else { panic!() };
        assert_eq!(body.extra["cost_basis"], "38000");
        assert!(matches!(
            error(403, r#"{"message":"forbidden."}"#),
            RestError::Unauthorized { status: 403, .. }
        ));
        assert!(matches!(error(401, r#"{"message":"unauthorized."}"#), RestError::Unauthorized { .. }));
        assert!(matches!(error(404, "<html>"), RestError::NotFound { .. }));
        assert_eq!(error(504, "<html>Gateway</html>").submit_outcome(), Outcome::Unknown);
        assert_eq!(error(504, "").cancel_outcome(), Outcome::Unknown);
        let twice = r#"{"code":40010001,"message":"client_order_id must be unique"}"#;
        assert_eq!(error(422, twice).submit_outcome(), Outcome::Unknown);
        let done = r#"{"code":42210000,"message":"order is already in \"filled\" state"}"#;
        assert!(matches!(error(422, done).cancel_outcome(), Outcome::CancelRejected { .. }));
        assert!(matches!(error(422, done).replace_outcome(), Outcome::ReplaceRejected { .. }));
        assert!(error(422, done).says_it_is_over() && !error(422, twice).says_it_is_over());
        assert_eq!(error(422, twice).replace_outcome(), Outcome::Unknown);
        let gone = r#"{"code":40410000,"message":"order not found for x"}"#;
        assert_eq!(error(404, gone).look_up_outcome(), Outcome::NotFound);
        assert!(matches!(error(429, ""), RestError::RateLimited { .. }));
        assert!(matches!(error(418, "tea"), RestError::Unexpected { .. }));
    }
}
