//! `fees.yaml`: the broker's dated fees. Rates are written in dollars with up to nine decimals and kept exactly, as
//! billionths.

use super::fault::Report;
use super::record::{Page, Record, called};
use super::typed::{Kind, Value, shown};
use super::yaml::{Node, What};
use market::fees::{Basis, Class, Classes, FeeKind, Rate, Schedule};
use market::order::{Effect, Side};
use std::path::Path;

const KINDS: &[&str] = &["commission", "orf", "occ", "taf", "section31", "cat", "exchange"];
const CLASSES: &[&str] = &["stock", "delivery", "option", "index_option"];
const ROW: &[&str] = &["kind", "on", "side", "effect", "from", "per", "rate_usd", "cap_usd"];

/// Compiles the schedule; `None` when it cannot be used.
pub(super) fn compile(file: &Path, root: &Node, report: &mut Report) -> Option<Schedule> {
    let mut page = Page { file, report };
    let record = page.record(root, "the file".into(), &["broker", "rates"])?;
    let broker = page.text(&record, "broker", Kind::Name);
    let node = page.need(&record, "rates", "write a list of dated rates")?;
    let What::List(items) = &node.what else {
        page.fault(node.at, format!("`rates` is {}", node.kind()), "write a list of dated rates");
        return None;
    };
    let rows: Vec<Option<Rate>> =
        items.iter().enumerate().map(|(i, node)| rate(&mut page, node, called("rate", i, node))).collect();
    // Rows that could not be read have been reported; the others are held against each other.
    let places: Vec<_> =
        items.iter().zip(&rows).filter(|(_, row)| row.is_some()).map(|(n, _)| n.at).collect();
    let schedule = Schedule { broker: broker?, rates: rows.into_iter().flatten().collect() };
    for (row, fault) in schedule.faults() {
        page.fault(
            places[row],
            format!("rate {} {fault}", row + 1),
            "every row stands for itself from its date on",
        );
    }
    Some(schedule)
}

fn rate(page: &mut Page<'_>, node: &Node, called: String) -> Option<Rate> {
    let record = page.record(node, called, ROW)?;
    let kind = page.text(&record, "kind", Kind::Word(KINDS)).and_then(|k| fee_kind(&k));
    let on = classes(page, &record);
    let side = optional_word(page, &record, "side", &["buy", "sell"]);
    let effect = optional_word(page, &record, "effect", &["open", "close"]);
    let from = match page.value(&record, "from", Kind::Date) {
        Some(Value::Date(date)) => Some(date),
        _ => None,
    };
    let per = page.text(&record, "per", Kind::Word(&["unit", "dollar"]));
    let nanos = nanos(page, &record, "rate_usd");
    let cap_nanos = match record.node("cap_usd") {
        Some(_) => nanos_of(page, &record, "cap_usd").map(Some),
        None => Some(None),
    };
    Some(Rate {
        kind: kind?,
        on: on?,
        side: side?.map(|s| if s == "buy" { Side::Buy } else { Side::Sell }),
        effect: effect?.map(|e| if e == "open" { Effect::Open } else { Effect::Close }),
        from: from?,
        basis: if per? == "unit" { Basis::Unit } else { Basis::Dollar },
        nanos: nanos?,
        cap_nanos: cap_nanos?,
    })
}

fn fee_kind(word: &str) -> Option<FeeKind> {
    KINDS.iter().zip(FeeKind::ALL).find(|(name, _)| **name == word).map(|(_, kind)| kind)
}

fn optional_word(
    page: &mut Page<'_>,
    record: &Record<'_>,
    key: &'static str,
    words: &'static [&'static str],
) -> Option<Option<String>> {
    let value = page.optional(record, key, Kind::Word(words))?;
    Some(value.and_then(|v| if let Value::Text(text) = v { Some(text) } else { None }))
}

fn classes(page: &mut Page<'_>, record: &Record<'_>) -> Option<Classes> {
    let node = page.need(record, "on", "write what it is charged on, such as [option]")?;
    let names = match super::typed::read(node, Kind::Names) {
        Ok(Value::Names(names)) => names,
        _ => Vec::new(),
    };
    let all = [Class::Stock, Class::Delivery, Class::Option, Class::IndexOption];
    let class = |name: &str| CLASSES.iter().zip(all).find(|(n, _)| **n == name).map(|(_, c)| c);
    let read: Option<Classes> = names.iter().map(|n| class(n.as_str())).collect();
    if names.is_empty() || read.is_none() {
        let found = format!("`on` of {} is not a list of known things", record.called);
        page.fault(node.at, found, format!("write a list of: {}", CLASSES.join(", ")));
        return None;
    }
    read
}

fn nanos(page: &mut Page<'_>, record: &Record<'_>, key: &'static str) -> Option<i64> {
    page.need(record, key, "write dollars, such as 0.025")?;
    nanos_of(page, record, key)
}

/// Dollars with up to nine decimals as billionths, exactly.
fn nanos_of(page: &mut Page<'_>, record: &Record<'_>, key: &'static str) -> Option<i64> {
    let node = record.node(key)?;
    let text = match &node.what {
        What::Scalar { text, .. } => text.as_str(),
        _ => "",
    };
    let read = billionths(text);
    if read.is_none() {
        let found = format!("`{key}` of {} is `{}`, not such an amount", record.called, shown(text));
        page.fault(
            node.at,
            found,
            "write dollars from 0 to 1000000 with at most nine decimals, such as 0.0000206",
        );
    }
    read
}

fn billionths(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 7 || fraction.len() > 9 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let units = format!("{whole}{fraction:0<9}").parse::<i64>().ok()?;
    (units <= 1_000_000_000_000_000).then_some(units)
}

#[test]
fn dollars_become_billionths_exactly() {
    assert_eq!(billionths("0.0000206"), Some(20_600));
    assert_eq!(billionths("55"), Some(55_000_000_000));
    assert_eq!(billionths("0.000000001"), Some(1));
    for bad in ["", ".5", "-1", "1e-6", "0.0000000001", "2000000", "0,5"] {
        assert_eq!(billionths(bad), None, "{bad}");
    }
}

#[test]
fn kinds_stand_in_the_order_of_their_words() {
    for (word, kind) in KINDS.iter().zip(FeeKind::ALL) {
        assert_eq!(serde_json::to_value(kind).expect("a word"), *word);
    }
}
