//! What stands beside a chain: the price of its underlying, and when it was fetched.

use super::{EodChain, Error};
use market::quote::Quote;
use market::{Date, Price, Symbol, Timestamp};
use std::path::Path;

/// Completes a snapshot from `underlying.csv` or `meta_DATE.json` in the chain's folder, where they are.
pub(super) fn complete(chain: &Path, day: &mut EodChain) -> Result<(), Error> {
    let Some(folder) = chain.parent() else { return Ok(()) };
    let fault = |file: &Path, what: String| Error::Beside { file: file.into(), chain: chain.into(), what };
    let meta = folder.join(format!("meta_{}.json", day.date));
    if let Ok(text) = std::fs::read_to_string(&meta) {
        let (at, spot) = fetched(&text, &day.underlying).map_err(|what| fault(&meta, what))?;
        day.at = at;
        day.spot = Some(spot);
        for row in &mut day.rows {
            row.quote = Quote { at, ..row.quote };
        }
    }
    let table = folder.join("underlying.csv");
    if day.spot.is_none()
        && let Ok(text) = std::fs::read_to_string(&table)
    {
        let close = closing(&text, day.date, &day.underlying);
        let missing = || format!("has no close of {} on {}", day.underlying, day.date);
        day.spot = Some(close.ok_or_else(|| fault(&table, missing()))?);
    }
    Ok(())
}

/// When the quotes were fetched and the underlying's price then.
fn fetched(text: &str, underlying: &Symbol) -> Result<(Timestamp, Price), String> {
    let meta: serde_json::Value = serde_json::from_str(text).map_err(|e| format!("is not JSON: {e}"))?;
    let at = meta["utc"].as_str().and_then(|text| Timestamp::parse_rfc3339(text.as_bytes()));
    let spot = meta["tickers"][underlying.as_str()]["spot_live"].as_f64().and_then(Price::nearest);
    let at = at.ok_or("`utc` is not a time (RFC 3339)")?;
    let spot = spot.ok_or_else(|| format!("`tickers.{underlying}.spot_live` is not a price"))?;
    Ok((at, spot))
}

/// The official close in a table with the columns `session_date`, `ticker` and `close`.
fn closing(text: &str, date: Date, underlying: &Symbol) -> Option<Price> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().ok()?.clone();
    let place = |name: &str| header.iter().position(|column| column == name);
    let (day, ticker, close) = (place("session_date")?, place("ticker")?, place("close")?);
    let date = date.to_string();
    let row = reader.records().filter_map(Result::ok).find(|row| {
        row.get(day) == Some(&date)
            && row.get(ticker).is_some_and(|text| text.trim_start_matches('_') == underlying.as_str())
    })?;
    row.get(close)?.parse::<f64>().ok().and_then(Price::nearest).filter(|price| *price > Price::ZERO)
}
