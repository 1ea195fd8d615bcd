//! Typed reading of one value: what a setting may be, and what to say when it is not.

use super::spelling::nearest;
use super::yaml::{Node, What};
use market::time::{HOUR, MINUTE, MS, SECOND, US};
use market::{Date, Label, Money, Symbol};

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// `true` or `false`.
    Switch,
    /// A whole number of something, both bounds included.
    Whole { least: i64, most: i64, unit: &'static str },
    /// A number of something, both bounds included.
    Number { least: f64, most: f64, unit: &'static str },
    /// A length of time with its unit; bounds in nanoseconds, included.
    Span { least: i64, most: i64 },
    /// An amount of memory or disk with its unit; bounds in bytes, included.
    Bytes { least: i64, most: i64 },
    /// Dollars; bounds included.
    Dollars { least: i64, most: i64 },
    /// One of a few words.
    Word(&'static [&'static str]),
    /// A name of up to 24 characters.
    Name,
    /// Names, at least one, none twice.
    Names,
    /// Tickers, at least one, at most so many, none twice.
    Symbols { most: usize },
    /// `YYYY-MM-DD`.
    Date,
    /// `HH:MM`, New York.
    Clock,
    /// A file or folder.
    Path,
    /// An address with one of these beginnings.
    Url(&'static [&'static str]),
}

/// A value read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Switch(bool),
    /// Whole numbers, nanoseconds, bytes, seconds of the day.
    Whole(i64),
    Number(f64),
    Dollars(Money),
    Text(String),
    Names(Vec<Label>),
    Symbols(Vec<Symbol>),
    Date(Date),
    /// `none`, where that is allowed.
    Nothing,
}

/// What is wrong, and what to write.
pub(super) type Refusal = (String, String);

/// Reads a node as a value of that kind.
pub(super) fn read(node: &Node, kind: Kind) -> Result<Value, Refusal> {
    match (kind, &node.what) {
        (Kind::Symbols { .. } | Kind::Names, What::List(items)) => list(items, kind),
        (Kind::Symbols { .. } | Kind::Names, What::Scalar { text, .. }) if !text.is_empty() => {
            Err((format!("is `{}`, not a list", shown(text)), describe(kind)))
        }
        (_, What::Scalar { text, .. }) if !text.is_empty() => scalar(text, kind),
        _ => Err((format!("is {}", node.kind()), describe(kind))),
    }
}

/// What to write for a setting of that kind.
pub(super) fn describe(kind: Kind) -> String {
    match kind {
        Kind::Switch => "write true or false".into(),
        Kind::Whole { least, most, unit } => format!("write a whole number from {least} to {most} ({unit})"),
        Kind::Number { least, most, unit } => format!("write a number from {least} to {most} ({unit})"),
        Kind::Span { least, most } => {
            format!("write a time from {} to {}, with its unit: ms, s, m or h", span(least), span(most))
        }
        Kind::Bytes { least, most } => {
            format!("write a size from {} to {}, with its unit: KiB, MiB or GiB", bytes(least), bytes(most))
        }
        Kind::Dollars { least, most } => format!("write dollars from {least} to {most}"),
        Kind::Word(words) => format!("write one of: {}", words.join(", ")),
        Kind::Name => "write a name of 1 to 24 letters, digits and underscores".into(),
        Kind::Names => "write a list of names, such as [bull_put_spread, iron_condor]".into(),
        Kind::Symbols { most } => format!("write a list of 1 to {most} tickers, such as [SPY, QQQ]"),
        Kind::Date => "write a date as YYYY-MM-DD".into(),
        Kind::Clock => "write a time of day in New York as \"HH:MM\"".into(),
        Kind::Path => "write a path".into(),
        Kind::Url(starts) => format!("write an address that begins with {}", starts.join(" or ")),
    }
}

fn scalar(text: &str, kind: Kind) -> Result<Value, Refusal> {
    let refuse = |what: &str| Err((format!("is `{}`, {what}", shown(text)), describe(kind)));
    match kind {
        Kind::Switch => match text {
            "true" => Ok(Value::Switch(true)),
            "false" => Ok(Value::Switch(false)),
            _ => refuse("neither true nor false"),
        },
        Kind::Whole { least, most, .. } => match text.replace('_', "").parse::<i64>() {
            Ok(n) if (least..=most).contains(&n) => Ok(Value::Whole(n)),
            Ok(_) => refuse("out of range"),
            Err(_) => refuse("not a whole number"),
        },
        Kind::Number { least, most, .. } => match text.replace('_', "").parse::<f64>() {
            Ok(n) if n >= least && n <= most => Ok(Value::Number(n)),
            Ok(n) if n.is_finite() => refuse("out of range"),
            _ => refuse("not a number"),
        },
        Kind::Span { least, most } => measured(text, kind, SPANS, least, most, "not a time with a unit"),
        Kind::Bytes { least, most } => measured(text, kind, SIZES, least, most, "not a size with a unit"),
        Kind::Dollars { least, most } => match text.replace('_', "").parse::<Money>() {
            Ok(m) if m >= Money::from_dollars(least) && m <= Money::from_dollars(most) => {
                Ok(Value::Dollars(m))
            }
            Ok(_) => refuse("out of range"),
            Err(_) => refuse("not an amount in dollars"),
        },
        Kind::Word(words) if words.contains(&text) => Ok(Value::Text(text.into())),
        Kind::Word(words) => match nearest(text, words.iter().copied()) {
            Some(word) => {
                Err((format!("is `{}`", shown(text)), format!("did you mean `{word}`? {}", describe(kind))))
            }
            None => refuse("not a word known here"),
        },
        Kind::Name => match text.parse::<Label>() {
            Ok(_) => Ok(Value::Text(text.into())),
            Err(_) => refuse("not a name"),
        },
        Kind::Date => match text.parse::<Date>() {
            Ok(date) => Ok(Value::Date(date)),
            Err(_) => refuse("not a date"),
        },
        Kind::Clock => clock(text).map(Value::Whole).map_or_else(|| refuse("not a time of day"), Ok),
        Kind::Path => Ok(Value::Text(text.into())),
        Kind::Url(starts) => {
            let known = starts.iter().any(|start| text.len() > start.len() && text.starts_with(start));
            if known {
                Ok(Value::Text(text.trim_end_matches('/').into()))
            } else {
                refuse("not such an address")
            }
        }
        Kind::Names | Kind::Symbols { .. } => refuse("not a list"),
    }
}

fn list(items: &[Node], kind: Kind) -> Result<Value, Refusal> {
    let mut texts: Vec<&str> = Vec::new();
    for item in items {
        match &item.what {
            What::Scalar { text, .. } if texts.contains(&text.as_str()) => {
                return Err((format!("names `{}` twice", shown(text)), "name each once".into()));
            }
            What::Scalar { text, .. } => texts.push(text),
            _ => return Err((format!("holds {}", item.kind()), describe(kind))),
        }
    }
    if texts.is_empty() {
        return Err(("is an empty list".into(), describe(kind)));
    }
    match kind {
        Kind::Symbols { most } if texts.len() > most => {
            Err((format!("names {} symbols, more than {most}", texts.len()), describe(kind)))
        }
        Kind::Symbols { .. } => {
            let bad = texts.iter().find(|t| ticker(t).is_none());
            match bad {
                Some(bad) => Err((format!("names `{}`, which is no ticker", shown(bad)), describe(kind))),
                None => Ok(Value::Symbols(texts.into_iter().filter_map(ticker).collect())),
            }
        }
        _ => match texts.iter().find(|t| t.parse::<Label>().is_err()) {
            Some(bad) => Err((format!("holds `{}`, which is no name", shown(bad)), describe(kind))),
            None => Ok(Value::Names(texts.into_iter().filter_map(|t| t.parse().ok()).collect())),
        },
    }
}

fn ticker(text: &str) -> Option<Symbol> {
    let good = text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'.');
    if good { text.parse().ok() } else { None }
}

/// Units of time, the longest first, in nanoseconds.
const SPANS: &[(&str, i64)] = &[("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", MS), ("us", US)];
/// Units of size, the largest first, in bytes.
const SIZES: &[(&str, i64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

fn measured(
    text: &str,
    kind: Kind,
    units: &[(&str, i64)],
    least: i64,
    most: i64,
    not_one: &str,
) -> Result<Value, Refusal> {
    let refuse = |what: &str| Err((format!("is `{}`, {what}", shown(text)), describe(kind)));
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = (text[..split].trim(), &text[split..]);
    let factor = units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let (Ok(number), Some(factor)) = (number.parse::<f64>(), factor) else { return refuse(not_one) };
    let value = number * factor as f64;
    if value >= least as f64 && value <= most as f64 {
        Ok(Value::Whole(value.round() as i64))
    } else {
        refuse("out of range")
    }
}

/// `HH:MM` in seconds after midnight.
fn clock(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let number =
        |t: &str, below: i64| t.parse::<i64>().ok().filter(|n| t.len() == 2 && (0..below).contains(n));
    Some(number(hours, 24)? * 3600 + number(minutes, 60)? * 60)
}

/// A length of time in its largest whole unit.
pub(super) fn span(ns: i64) -> String {
    in_units(ns, SPANS)
}

/// A size in its largest whole unit.
pub(super) fn bytes(n: i64) -> String {
    in_units(n, SIZES)
}

fn in_units(n: i64, units: &[(&str, i64)]) -> String {
    let fits = units.iter().find(|(_, factor)| n != 0 && n % factor == 0);
    let (unit, factor) = fits.or(units.last()).copied().unwrap_or(("", 1));
    format!("{}{unit}", n / factor)
}

/// A value as it may be shown in a message: short, and never something that looks like a key.
pub(super) fn shown(text: &str) -> String {
    if super::values::looks_like_a_key(text) {
        return "(hidden)".into();
    }
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::super::yaml::Place;
    use super::*;

    fn of(text: &str, kind: Kind) -> Result<Value, Refusal> {
        read(&Node { at: Place::START, what: What::Scalar { text: text.into(), plain: true } }, kind)
    }

    #[test]
    fn values_are_read_by_kind_and_not_by_look() {
        let span = Kind::Span { least: MS, most: HOUR };
        assert_eq!(of("250ms", span), Ok(Value::Whole(250 * MS)));
        assert_eq!(of("1.5 m", span), Ok(Value::Whole(90 * SECOND)));
        assert_eq!(of("no", Kind::Name), Ok(Value::Text("no".into())));
        let size = Kind::Bytes { least: 1 << 10, most: 1 << 40 };
        assert_eq!(of("16 MiB", size), Ok(Value::Whole(16 << 20)));
        assert_eq!(of("15:30", Kind::Clock), Ok(Value::Whole(55_800)));
        let usd = Kind::Dollars { least: 0, most: 1_000_000 };
        assert_eq!(of("100_000", usd), Ok(Value::Dollars(Money::from_dollars(100_000))));
    }

    #[test]
    fn refusals_say_what_to_write() {
        let span = Kind::Span { least: MS, most: HOUR };
        let (found, remedy) = of("90", span).expect_err("no unit");
        assert_eq!(found, "is `90`, not a time with a unit");
        assert_eq!(remedy, "write a time from 1ms to 1h, with its unit: ms, s, m or h");
        let number = Kind::Number { least: 0.1, most: 100.0, unit: "% of equity" };
        for bad in ["NaN", "inf", "many", "1,5"] {
            assert!(of(bad, number).expect_err(bad).0.ends_with("not a number"), "{bad}");
        }
        assert!(of("101", number).expect_err("beyond").0.ends_with("out of range"));
        assert!(of("yes", Kind::Switch).expect_err("yes").1.contains("true or false"));
        let word = of("proces", Kind::Word(&["process", "power"])).expect_err("misspelt");
        assert!(word.1.starts_with("did you mean `process`?"), "{word:?}");
    }
}
