//! Stock data over REST: bars, quotes, trades, their latest, and snapshots.

use super::timeframe::Step;
use super::{Call, Reply};
use crate::core::Core;
use alpaca::data::{BarRow, QuoteRow, Snapshot, TradeRow};
use market::{Instrument, Symbol, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// `/v2/stocks/…`
pub fn answer(core: &mut Core, call: &Call, path: &[&str]) -> Result<Reply, Reply> {
    if call.method != "GET" {
        return Err(Reply::not_found("endpoint not found"));
    }
    match path {
        ["bars"] => series(call, "bars", |s, range| bars(core, call, s, range)),
        ["quotes"] => series(call, "quotes", |s, range| Ok(quotes(core, s, range))),
        ["trades"] => series(call, "trades", |s, range| Ok(trades(core, s, range))),
        [kind @ ("bars" | "quotes" | "trades"), "latest"] => latest(core, call, kind),
        ["snapshots"] => {
            let each = symbols(call)?.into_iter().map(|s| (s.to_string(), snapshot(core, s)));
            Ok(Reply::json(&each.collect::<std::collections::BTreeMap<_, _>>()))
        }
        [name, "snapshot"] => {
            let symbol = parse(name)?;
            let mut body = serde_json::to_value(snapshot(core, symbol)).unwrap_or_default();
            body["symbol"] = (*name).into();
            Ok(Reply::json(&body))
        }
        [name, kind @ ("bars" | "quotes" | "trades"), "latest"] => {
            let symbol = parse(name)?;
            let row = latest_row(core, symbol, kind)
                .ok_or_else(|| Reply::not_found(&format!("no {kind} found for {name}")))?;
            Ok(Reply::json(&json!({ "symbol": name, kind.trim_end_matches('s'): row })))
        }
        _ => Err(Reply::not_found("endpoint not found")),
    }
}

fn parse(name: &str) -> Result<Symbol, Reply> {
    Symbol::from_bytes(name.as_bytes()).ok_or_else(|| Reply::bare(400, &format!("invalid symbol: {name}")))
}

fn symbols(call: &Call) -> Result<Vec<Symbol>, Reply> {
    let names = call.list("symbols");
    if names.is_empty() {
        return Err(Reply::bare(400, "symbols parameter is required"));
    }
    names.into_iter().map(parse).collect()
}

/// From when to when; both included.
type Range = (Option<Timestamp>, Option<Timestamp>);

fn within((start, end): Range, at: Timestamp) -> bool {
    start.is_none_or(|s| at >= s) && end.is_none_or(|e| at <= e)
}

/// A row and its time.
pub(super) type Row<T> = (Timestamp, T);

/// Where a page begins: a symbol, a time, and how many rows of that time were on the page before. Rows that
/// arrive between two pages move nothing.
struct Place<'a> {
    name: &'a str,
    ns: i64,
    seen: usize,
}

impl<'a> Place<'a> {
    fn read(token: &'a str) -> Option<Self> {
        let mut parts = token.split('|');
        let (name, ns, seen) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { name, ns, seen })
    }

    /// Rows of this symbol that earlier pages held.
    fn skip<T>(&self, name: &str, rows: &[Row<T>], descending: bool) -> usize {
        match name.cmp(self.name) {
            std::cmp::Ordering::Less => rows.len(),
            std::cmp::Ordering::Greater => 0,
            std::cmp::Ordering::Equal => {
                let before = |at: &Timestamp| if descending { at.ns() > self.ns } else { at.ns() < self.ns };
                rows.iter().take_while(|(at, _)| before(at)).count() + self.seen
            }
        }
    }
}

/// Rows of several symbols, sorted by symbol then time, cut into pages. `limit` counts rows over all symbols.
pub(super) fn paged<K: ToString, T: Serialize>(
    call: &Call,
    key: &str,
    rows: Vec<(K, Vec<Row<T>>)>,
) -> Result<Reply, Reply> {
    let limit = call.parsed::<usize>("limit")?.unwrap_or(1_000).clamp(1, 10_000);
    let token = call.text("page_token");
    let from = token.map(|t| Place::read(t).ok_or_else(|| Reply::bad("page_token", t))).transpose()?;
    let descending = call.text("sort") == Some("desc");
    let (mut left, mut page, mut next) = (limit, Map::new(), None);
    for (name, mut rows) in rows {
        let name = name.to_string();
        if descending {
            rows.reverse();
        }
        let skip = from.as_ref().map_or(0, |place| place.skip(&name, &rows, descending)).min(rows.len());
        let here = rows.len().min(skip + left);
        if next.is_none() && here < rows.len() {
            let at = rows[here].0;
            let seen = rows[..here].iter().rev().take_while(|(other, _)| *other == at).count();
            next = Some(format!("{name}|{}|{seen}", at.ns()));
        }
        left -= here - skip;
        if here > skip {
            let values =
                rows[skip..here].iter().map(|(_, row)| serde_json::to_value(row).unwrap_or_default());
            page.insert(name, values.collect());
        }
    }
    Ok(Reply::json(&json!({ key: page, "next_page_token": next })))
}

fn series<T: Serialize>(
    call: &Call,
    key: &str,
    rows: impl Fn(Symbol, Range) -> Result<Vec<Row<T>>, Reply>,
) -> Result<Reply, Reply> {
    let range = (call.time("start", false)?, call.time("end", true)?);
    let mut names = symbols(call)?;
    names.sort();
    names.dedup();
    let all = names.into_iter().map(|s| Ok((s, rows(s, range)?))).collect::<Result<Vec<_>, Reply>>()?;
    paged(call, key, all)
}

fn bars(core: &Core, call: &Call, symbol: Symbol, range: Range) -> Result<Vec<Row<BarRow>>, Reply> {
    let text = call.text("timeframe").unwrap_or("1Min");
    let step = Step::parse(text).ok_or_else(|| Reply::bare(400, &format!("invalid timeframe: {text}")))?;
    let bars = step.make(core.bars.of(symbol, step.base()));
    Ok(bars.iter().filter(|b| within(range, b.start)).map(|b| (b.start, BarRow::from_bar(b))).collect())
}

fn quotes(core: &Core, symbol: Symbol, range: Range) -> Vec<Row<QuoteRow>> {
    let rows = core.tape.rows(&Instrument::Stock(symbol)).into_iter().flat_map(|rows| &rows.quotes);
    rows.filter(|q| within(range, q.at)).map(|q| (q.at, QuoteRow::from_quote(q, false))).collect()
}

fn trades(core: &Core, symbol: Symbol, range: Range) -> Vec<Row<TradeRow>> {
    let rows = core.tape.rows(&Instrument::Stock(symbol)).into_iter().flat_map(|rows| &rows.trades);
    rows.filter(|t| within(range, t.at)).map(|t| (t.at, TradeRow::from_trade(t, false))).collect()
}

fn latest_row(core: &Core, symbol: Symbol, kind: &str) -> Option<Value> {
    let all = snapshot(core, symbol);
    let row = match kind {
        "bars" => serde_json::to_value(all.minute_bar?),
        "quotes" => serde_json::to_value(all.latest_quote?),
        _ => serde_json::to_value(all.latest_trade?),
    };
    row.ok()
}

fn latest(core: &Core, call: &Call, kind: &str) -> Result<Reply, Reply> {
    let mut found = Map::new();
    for symbol in symbols(call)? {
        if let Some(row) = latest_row(core, symbol, kind) {
            found.insert(symbol.to_string(), row);
        }
    }
    Ok(Reply::json(&json!({ kind: found })))
}

fn snapshot(core: &Core, symbol: Symbol) -> Snapshot {
    let share = Instrument::Stock(symbol);
    let quote = core.tape.last_quote(&share).or_else(|| core.source.stock_quote(symbol));
    Snapshot {
        latest_trade: core.tape.last_trade(&share).map(|t| TradeRow::from_trade(&t, false)),
        latest_quote: quote.map(|q| QuoteRow::from_quote(&q, false)),
        minute_bar: core.bars.last_minute(symbol).map(|b| BarRow::from_bar(&b)),
        daily_bar: core.bars.today(symbol).map(|b| BarRow::from_bar(&b)),
        prev_daily_bar: core.bars.previous_day(symbol).map(|b| BarRow::from_bar(&b)),
        ..Snapshot::default()
    }
}
