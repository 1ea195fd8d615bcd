//! A finding: what was looked at, what was found, and what to do about it.

use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// The engine trades, but less well or less safely than it could.
    Warning,
    /// The engine would not start, or not trade.
    Fault,
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// How bad.
    pub(super) verdict: Verdict,
    /// What was looked at.
    pub(super) what: &'static str,
    /// What was found.
    pub(super) found: String,
    /// What to do; only where something is wrong.
    pub(super) remedy: Option<String>,
}

impl Finding {
    /// As it should be.
    pub(super) fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, what, found: found.into(), remedy: None }
    }

    /// Less well than it could be.
    pub(super) fn warning(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, what, found: found.into(), remedy: Some(remedy.into()) }
    }

    /// Not ready.
    pub(super) fn fault(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fault, what, found: found.into(), remedy: Some(remedy.into()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Fault => "FAULT",
        };
        write!(f, "{verdict:<8} {:<13} {}", self.what, self.found)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n{:<22} -> {remedy}", ""),
            None => Ok(()),
        }
    }
}

/// Bytes for people: `1.5 GiB`.
pub(super) fn bytes(n: u64) -> String {
    let (gib, mib) = (n as f64 / (1u64 << 30) as f64, n as f64 / (1u64 << 20) as f64);
    if gib >= 1.0 { format!("{gib:.1} GiB") } else { format!("{mib:.0} MiB") }
}
