//! What a person reads while the engine runs and when it stops.

use desk::view::View;
use live::stages::{Stage, Stages};
use market::alert::Severity;
use market::order::Account;
use market::{Money, Timestamp};
use std::fmt::Write;

/// One line: the market's time, what was heard, what is open, equity, the decision's latency.
pub fn status_line(view: &View, stages: &Stages, now: Timestamp) -> String {
    let (date, of_day) = now.new_york();
    let seconds = of_day / market::time::SECOND;
    let tick = stages.histogram(Stage::Tick);
    let mut line = format!(
        "{date} {:02}:{:02}:{:02} NY  ticks {}  conflated {}  proposals {}  refused {}  orders {}  fills {}  open {}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        thousands(stages.counters.quotes_in + stages.counters.trades_in),
        stages.counters.quotes_conflated,
        view.counts.proposals,
        view.counts.refused,
        view.counts.orders,
        view.counts.fills,
        view.positions.len(),
    );
    if let Some(account) = view.account {
        let _ = write!(line, "  equity ${}", dollars(account.equity));
    }
    if let Some(brier) = view.brier() {
        let _ = write!(line, "  scored {} (Brier {brier:.3})", thousands(view.counts.scored));
    }
    if !tick.is_empty() {
        let us = |q| tick.value_at_quantile(q) as f64 / 1e3;
        let _ = write!(line, "  tick p50 {:.0} us p99 {:.0} us", us(0.5), us(0.99));
    }
    line
}

/// The events worth showing since `seen`, one a line; answers the new count.
pub fn notable_lines(view: &View, seen: u64) -> (Vec<String>, u64) {
    let (fresh, seen) = view.notable_since(seen);
    let lines = fresh
        .map(|event| {
            let mark = match event.severity {
                Severity::Info => " ",
                Severity::Warning => "!",
                Severity::Critical => "!!",
            };
            let (_, of_day) = event.at.new_york();
            let s = of_day / market::time::SECOND;
            format!("  {:02}:{:02}:{:02} {mark:<2} {}", s / 3600, s / 60 % 60, s % 60, event.text)
        })
        .collect();
    (lines, seen)
}

/// The summary printed at the end.
pub fn summary(view: &View, stages: &Stages, opening: Option<Account>) -> String {
    let counts = &view.counts;
    let mut text = String::new();
    let _ = writeln!(text, "What it did");
    let _ = writeln!(
        text,
        "  heard      {} quotes, {} trades; {} conflated, {} frames faulty",
        thousands(stages.counters.quotes_in),
        thousands(stages.counters.trades_in),
        stages.counters.quotes_conflated,
        stages.counters.wire_faults
    );
    let _ = writeln!(
        text,
        "  decided    {} forecasts on record, {} proposals, {} exits, {} refused",
        thousands(counts.forecasts),
        counts.proposals,
        counts.exits,
        counts.refused
    );
    for (check, n) in &view.refusals {
        let _ = writeln!(text, "             {n:>6} refused by {check}");
    }
    let _ = writeln!(
        text,
        "  traded     {} orders, {} replacements, {} fills, {} refused by the venue, {} settled at expiry",
        counts.orders, counts.replaced, counts.fills, counts.rejected, counts.settled
    );
    for position in view.positions.values() {
        let _ = writeln!(
            text,
            "  holds      {} {} x{} at {} ({} legs)",
            position.id,
            position.structure,
            position.units,
            position.entry,
            position.legs.len()
        );
    }
    if let Some(account) = view.account {
        let _ = writeln!(
            text,
            "  account    cash ${}, equity ${}, fees paid ${}",
            dollars(account.cash),
            dollars(account.equity),
            dollars(view.fees)
        );
        if let Some(opening) = opening {
            let _ =
                writeln!(text, "  result     ${} since this start", dollars(account.equity - opening.equity));
        }
    }
    let _ = write!(text, "\nLatency\n{}", live::stages::table(stages));
    text
}

/// The book made again from the record, audited, and its cash and holdings against what the venue told last.
///
/// # Errors
/// When the record does not read.
pub fn accounting(folder: &std::path::Path, settings: &crate::settings::Settings) -> anyhow::Result<String> {
    use desk::{Address, Letter, Seat};
    let reader = journal::Reader::open(folder)?;
    let mut risk = crate::seats::risk(settings);
    let mut out = desk::Outbox::new();
    let mut last: Option<Account> = None;
    for entry in reader.all() {
        let journal::store::Entry { record: Ok(record), .. } = entry? else { continue };
        let (journal::Kind::Heard, journal::Body::Letter(envelope)) = (record.kind, record.body) else {
            continue;
        };
        if envelope.to != Address::Risk {
            continue;
        }
        if let Letter::Account(account) = &envelope.letter {
            last = Some(*account);
        }
        risk.hear(envelope.at, &envelope.letter, &mut out);
        out.clear();
    }
    let book = risk.core().book();
    let (Some(opening), Some(account)) = (book.opening(), last) else {
        return Ok("the venue told no account".into());
    };
    let audit = match book.audit() {
        Ok(()) => "positions, lots and flows agree".to_string(),
        Err(imbalance) => format!("the book does not balance: {imbalance}"),
    };
    let off = book.cash() - account.cash;
    let verdict = if off == Money::ZERO { "balanced to the cent".into() } else { format!("OFF BY ${off}") };
    Ok(format!(
        "Accounting: opening cash ${opening}; cash by our book ${}, by the venue ${}: {verdict}. Realised P&L ${}, fees \
         ${}, {} positions open; {audit}.",
        book.cash(),
        account.cash,
        book.realised(),
        book.flows().fees,
        book.positions().count()
    ))
}

/// Dollars and cents with thousands set apart.
pub fn dollars(amount: Money) -> String {
    let cents = amount.round_to_cent().micros() / Money::PER_CENT;
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", thousands(cents.unsigned_abs() / 100), cents.unsigned_abs() % 100)
}

/// `1234567` as `1,234,567`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_readable() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(dollars(Money::from_cents(-123_456_789)), "-1,234,567.89");
        assert_eq!(dollars(Money::from_cents(5)), "0.05");
    }
}
