//! Daily files: one zip a symbol for stocks, one a symbol, year and kind for options.

use super::names::{self, Kind};
use super::rows::{Fault, Fields, PriceUnit, each_row};
use super::{Error, names::parse_compact};
use market::quote::{Bar, Quote};
use market::session::session;
use market::time::HOUR;
use market::{Contract, Date, Symbol, Timestamp, product};
use std::path::Path;

/// What is recorded of one contract on one day; sides and figures that were not recorded are `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptionDay {
    /// The contract.
    pub contract: Contract,
    /// The New York date.
    pub date: Date,
    /// The closing quote.
    pub quote: Option<Quote>,
    /// The day's trades as a bar.
    pub bar: Option<Bar>,
    /// Open interest as LEAN dates it.
    pub open_interest: Option<u32>,
}

/// Unadjusted daily bars of a stock, oldest first, each stamped with its session's opening bell (or New York
/// midnight for a date without a session).
pub fn equity_daily(root: &Path, symbol: Symbol) -> Result<Vec<Bar>, Error> {
    let file = names::equity_daily_file(root, &symbol);
    if !file.is_file() {
        return Err(Error::NothingThere { what: symbol.to_string(), expected: file });
    }
    let unit = if product::is_index(&symbol) { PriceUnit::Points } else { PriceUnit::TenThousandths };
    let mut bars = Vec::new();
    each_row(
        &file,
        |_| Some(()),
        |(), row| {
            let date = row_date(row)?;
            bars.extend(day_bar(date, unit, row)?);
            Ok(())
        },
    )?;
    bars.sort_by_key(|bar| bar.start);
    Ok(bars)
}

/// Unadjusted hourly bars of a stock, oldest first. LEAN counts hours by the clock: the first of a session begins at
/// 09:00 and holds its first half hour.
pub fn equity_hourly(root: &Path, symbol: Symbol) -> Result<Vec<Bar>, Error> {
    let file = names::equity_hourly_file(root, &symbol);
    if !file.is_file() {
        return Err(Error::NothingThere { what: symbol.to_string(), expected: file });
    }
    let is_index = product::is_index(&symbol);
    let unit = if is_index { PriceUnit::Points } else { PriceUnit::TenThousandths };
    let chicago = if is_index { HOUR } else { 0 };
    let mut bars = Vec::new();
    each_row(
        &file,
        |_| Some(()),
        |(), row| {
            let start = row_hour(row)? + chicago;
            bars.extend(row.bar(start, unit)?);
            Ok(())
        },
    )?;
    bars.sort_by_key(|bar| bar.start);
    Ok(bars)
}

/// `YYYYMMDD HH:MM`.
fn row_hour(row: &mut Fields<'_>) -> Result<Timestamp, Fault> {
    let field = row.next("date and time")?;
    let text = std::str::from_utf8(field).unwrap_or("?");
    let read = || {
        let (date, clock) = text.split_once(' ')?;
        let (hour, minute) = clock.split_once(':')?;
        let (hour, minute) = (hour.parse::<i64>().ok()?, minute.parse::<i64>().ok()?);
        let is_time = (0..24).contains(&hour) && (0..60).contains(&minute);
        is_time.then_some(parse_compact(date)?.at_new_york(hour * 3600 + minute * 60))
    };
    read().ok_or_else(|| format!("date and time is `{text}`, not YYYYMMDD HH:MM"))
}

/// All contracts of a root over one year, by contract and date.
pub fn option_daily(root: &Path, symbol: Symbol, year: i32) -> Result<Vec<OptionDay>, Error> {
    let mut days = Vec::new();
    let mut found = false;
    for kind in Kind::ALL {
        let file = names::option_daily_file(root, &symbol, year, kind);
        if !file.is_file() {
            continue;
        }
        found = true;
        each_row(
            &file,
            |member| names::contract(&symbol, member),
            |contract, row| {
                days.push(option_row(*contract, kind, row)?);
                Ok(())
            },
        )?;
    }
    if !found {
        let expected = names::option_daily_file(root, &symbol, year, Kind::Quote);
        return Err(Error::NothingThere { what: format!("{symbol} options in {year}"), expected });
    }
    days.sort_by_key(|day| (day.contract, day.date));
    Ok(merge(days))
}

/// Joins the kinds of one contract and date, which lie beside each other.
fn merge(days: Vec<OptionDay>) -> Vec<OptionDay> {
    let mut merged: Vec<OptionDay> = Vec::with_capacity(days.len());
    for day in days {
        match merged.last_mut() {
            Some(last) if (last.contract, last.date) == (day.contract, day.date) => {
                last.quote = last.quote.or(day.quote);
                last.bar = last.bar.or(day.bar);
                last.open_interest = last.open_interest.or(day.open_interest);
            }
            _ => merged.push(day),
        }
    }
    merged
}

fn option_row(contract: Contract, kind: Kind, row: &mut Fields<'_>) -> Result<OptionDay, Fault> {
    let date = row_date(row)?;
    let mut day = OptionDay { contract, date, quote: None, bar: None, open_interest: None };
    match kind {
        Kind::Quote => {
            let close = session(date).map_or_else(|| date.at_new_york(16 * 3600), |s| s.close);
            let (bid, ask) = (row.closing_level("bid")?, row.closing_level("ask")?);
            day.quote = Some(Quote { bid, ask, at: close });
        }
        Kind::Trade => day.bar = day_bar(date, PriceUnit::TenThousandths, row)?,
        Kind::OpenInterest => day.open_interest = Some(row.size("open interest")?),
    }
    Ok(day)
}

/// `YYYYMMDD 00:00`.
fn row_date(row: &mut Fields<'_>) -> Result<Date, Fault> {
    let field = row.next("date")?;
    let text = std::str::from_utf8(field).unwrap_or("?");
    let date = text.get(..8).and_then(parse_compact);
    date.ok_or_else(|| format!("date is `{text}`, not YYYYMMDD HH:MM"))
}

/// A day's bar; none when a price is zero.
fn day_bar(date: Date, unit: PriceUnit, row: &mut Fields<'_>) -> Result<Option<Bar>, Fault> {
    row.bar(session(date).map_or_else(|| date.at_new_york(0), |s| s.open), unit)
}
