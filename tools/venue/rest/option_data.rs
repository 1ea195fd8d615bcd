//! Option data over REST: snapshots and chains with Greeks, latest quotes and trades, bars, code maps.

use super::assets::ContractFilter;
use super::stock_data::paged;
use super::timeframe::Step;
use super::{Call, Reply};
use crate::core::Core;
use crate::greeks;
use alpaca::data::{BarRow, QuoteRow, Snapshot, SnapshotPage, TradeRow};
use exchange::market_model::gather;
use market::quote::{Bar, Timeframe, Trade};
use market::{Contract, Instrument, Symbol, Timestamp};
use serde_json::json;

/// Contracts in one request.
const CONTRACTS_MAX: usize = 100;

/// `/v1beta1/options/…`
pub fn answer(core: &mut Core, call: &Call, path: &[&str]) -> Result<Reply, Reply> {
    if call.method != "GET" {
        return Err(Reply::not_found("endpoint not found"));
    }
    match path {
        ["snapshots"] => {
            let asked = contracts(call)?;
            snapshots(core, call, asked)
        }
        ["snapshots", underlying] => chain(core, call, underlying),
        ["quotes", "latest"] => {
            let quotes = contracts(call)?.into_iter().filter_map(|c| {
                let quote = core.source.option_quote(c)?;
                Some((c.to_string(), QuoteRow::from_quote(&quote, true)))
            });
            Ok(Reply::json(&json!({ "quotes": quotes.collect::<std::collections::BTreeMap<_, _>>() })))
        }
        ["trades", "latest"] => {
            let trades = contracts(call)?.into_iter().filter_map(|c| {
                let trade = core.tape.last_trade(&Instrument::Option(c))?;
                Some((c.to_string(), TradeRow::from_trade(&trade, true)))
            });
            Ok(Reply::json(&json!({ "trades": trades.collect::<std::collections::BTreeMap<_, _>>() })))
        }
        ["trades"] => {
            let range = (call.time("start", false)?, call.time("end", true)?);
            let rows = contracts(call)?.into_iter().map(|c| {
                let rows = trades(core, c, range).into_iter().map(|t| (t.at, TradeRow::from_trade(&t, true)));
                (c, rows.collect::<Vec<_>>())
            });
            paged(call, "trades", rows.collect())
        }
        ["bars"] => bars(core, call),
        ["meta", "exchanges"] => Ok(Reply::json(&json!({
            "A": "AMEX - NYSE American", "C": "CBOE", "N": "NYSE Arca", "W": "C2", "X": "PHLX",
        }))),
        ["meta", "conditions", "quote" | "trade"] => Ok(Reply::json(&json!({
            "A": "Regular", "D": "Late, out of sequence", "I": "Automatic execution", "f": "Multi-leg",
        }))),
        _ => Err(Reply::not_found("endpoint not found")),
    }
}

fn contracts(call: &Call) -> Result<Vec<Contract>, Reply> {
    let names = call.list("symbols");
    if names.is_empty() {
        return Err(Reply::bare(400, "symbols parameter is required"));
    }
    if names.len() > CONTRACTS_MAX {
        return Err(Reply::bare(400, "too many symbols: at most 100 contracts"));
    }
    let read = |name: &str| {
        Contract::parse_occ(name.as_bytes())
            .ok_or_else(|| Reply::bare(400, &format!("invalid symbol: {name}")))
    };
    let mut found = names.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    found.sort();
    Ok(found)
}

fn chain(core: &Core, call: &Call, underlying: &str) -> Result<Reply, Reply> {
    let symbol = Symbol::from_bytes(underlying.as_bytes())
        .ok_or_else(|| Reply::bare(400, &format!("invalid symbol: {underlying}")))?;
    let filter = ContractFilter::read(call)?;
    let listed = core.source.contracts(symbol, core.today());
    snapshots(core, call, listed.into_iter().filter(|c| filter.takes(c)).collect())
}

fn snapshots(core: &Core, call: &Call, asked: Vec<Contract>) -> Result<Reply, Reply> {
    let (offset, limit) = call.page(100, 1_000)?;
    let page = asked.iter().skip(offset).take(limit);
    let found = page.filter(|c| core.source.is_listed(c)).map(|c| (c.to_string(), snapshot(core, *c)));
    let snapshots = found.collect();
    let end = offset + limit;
    let next_page_token = (end < asked.len()).then(|| end.to_string());
    Ok(Reply::json(&SnapshotPage { snapshots, next_page_token }))
}

fn snapshot(core: &Core, contract: Contract) -> Snapshot {
    let quote = core.source.option_quote(contract);
    let spot = core.source.stock_quote(contract.root).and_then(|q| q.mid());
    let known = quote
        .and_then(|q| q.mid())
        .zip(spot)
        .and_then(|(mid, spot)| greeks::of(&contract, mid.dollars(), spot.dollars(), core.now()));
    let instrument = Instrument::Option(contract);
    Snapshot {
        latest_quote: quote.map(|q| QuoteRow::from_quote(&q, true)),
        latest_trade: core.tape.last_trade(&instrument).map(|t| TradeRow::from_trade(&t, true)),
        implied_volatility: known.map(|(vol, _)| vol),
        greeks: known.map(|(_, greeks)| greeks),
        ..Snapshot::default()
    }
}

fn trades(core: &Core, contract: Contract, range: (Option<Timestamp>, Option<Timestamp>)) -> Vec<Trade> {
    let rows = core.tape.rows(&Instrument::Option(contract)).into_iter().flat_map(|rows| &rows.trades);
    let (start, end) = range;
    rows.filter(|t| start.is_none_or(|s| t.at >= s) && end.is_none_or(|e| t.at <= e)).copied().collect()
}

/// Bars made of the option trades that were streamed.
fn bars(core: &Core, call: &Call) -> Result<Reply, Reply> {
    let text = call.text("timeframe").unwrap_or("1Min");
    let step = Step::parse(text).ok_or_else(|| Reply::bare(400, &format!("invalid timeframe: {text}")))?;
    let range = (call.time("start", false)?, call.time("end", true)?);
    let made = |contract: Contract| {
        let minutes = minutes_of(&trades(core, contract, range));
        let base = gather(&minutes, step.base());
        let bars = step.make(base);
        (contract, bars.iter().map(|b| (b.start, BarRow::from_bar(b))).collect::<Vec<_>>())
    };
    paged(call, "bars", contracts(call)?.into_iter().map(made).collect())
}

fn minutes_of(trades: &[Trade]) -> Vec<Bar> {
    let each = trades.iter().map(|t| Bar {
        start: Timestamp::from_ns(t.at.ns().div_euclid(market::time::MINUTE) * market::time::MINUTE),
        open: t.price,
        high: t.price,
        low: t.price,
        close: t.price,
        volume: t.size.into(),
        trades: 1,
        turnover: t.price.times(t.size.into()),
        repaired: false,
    });
    gather(&each.collect::<Vec<_>>(), Timeframe::Min1)
}
