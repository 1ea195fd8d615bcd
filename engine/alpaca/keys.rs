//! The credentials, which can be sent but not printed.

use std::fmt;

/// Key id and secret of one account. `Debug` shows the last characters of the id and nothing of the secret;
/// there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    id: String,
    secret: String,
}

impl Keys {
    /// From both halves.
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { id: id.into(), secret: secret.into() }
    }

    /// The key id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The secret: for the wire, and for a server that compares it. Never for a message to a person.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    pub(crate) fn from_value(value: &serde_json::Value, id: &str, secret: &str) -> Option<Self> {
        Some(Self::new(value.get(id)?.as_str()?, value.get(secret)?.as_str()?))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.id.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
        write!(f, "Keys(..{shown})")
    }
}
