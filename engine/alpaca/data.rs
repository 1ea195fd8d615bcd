//! Bodies of the market-data REST: bars, quotes, trades, option snapshots, and their paging. Prices are JSON
//! numbers here.

use crate::conditions::{self, Codes};
use crate::decode::turnover;
use market::quote::{Bar, Level, Quote, Trade};
use market::{Instrument, Price, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A bar: `t o h l c v n vw`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BarRow {
    /// Start of the interval.
    pub t: Timestamp,
    /// Open, dollars.
    pub o: f64,
    /// High, dollars.
    pub h: f64,
    /// Low, dollars.
    pub l: f64,
    /// Close, dollars.
    pub c: f64,
    /// Shares or contracts.
    pub v: f64,
    /// Trades.
    #[serde(default)]
    pub n: Option<u64>,
    /// Volume-weighted average price, dollars.
    #[serde(default)]
    pub vw: Option<f64>,
}

/// A quote: `t bx bp bs ax ap as c`, and `z` for stocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuoteRow {
    /// When.
    pub t: Timestamp,
    /// Exchange of the bid.
    #[serde(default)]
    pub bx: Option<String>,
    /// Bid, dollars; zero is none.
    #[serde(default)]
    pub bp: f64,
    /// Bid size.
    #[serde(default)]
    pub bs: f64,
    /// Exchange of the ask.
    #[serde(default)]
    pub ax: Option<String>,
    /// Ask, dollars; zero is none.
    #[serde(default)]
    pub ap: f64,
    /// Ask size.
    #[serde(default, rename = "as")]
    pub asz: f64,
    /// Conditions.
    #[serde(default)]
    pub c: Conditions,
    /// Tape, stocks only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub z: Option<String>,
}

/// A trade: `t x p s c`, and `i z u` for stocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TradeRow {
    /// When.
    pub t: Timestamp,
    /// Exchange.
    #[serde(default)]
    pub x: Option<String>,
    /// Price, dollars.
    pub p: f64,
    /// Size.
    pub s: f64,
    /// Conditions.
    #[serde(default)]
    pub c: Conditions,
    /// Tape id, stocks only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub i: Option<u64>,
    /// Tape, stocks only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub z: Option<String>,
    /// `canceled`, `incorrect` or `corrected`, when it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub u: Option<String>,
}

/// Conditions: a list for stocks, one text for options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Conditions {
    /// Options.
    One(String),
    /// Stocks.
    Many(Vec<String>),
    /// Null.
    None,
}

impl Default for Conditions {
    /// None.
    fn default() -> Self {
        Self::None
    }
}

impl Conditions {
    fn codes(&self) -> Codes {
        let texts = match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts.as_slice(),
            Self::None => &[],
        };
        texts.iter().filter_map(|t| t.bytes().next()).take(Codes::new().capacity()).collect()
    }
}

impl BarRow {
    /// The bar in our words, marked as repaired, for it comes from another source than the live feed. `None`
    /// when a price is not a price.
    pub fn bar(&self) -> Option<Bar> {
        let price = |dollars| Price::nearest(dollars).filter(|p| *p > Price::ZERO);
        let (open, high, low, close) = (price(self.o)?, price(self.h)?, price(self.l)?, price(self.c)?);
        let volume = whole(self.v)?;
        Some(Bar {
            start: self.t,
            open,
            high,
            low,
            close,
            volume,
            trades: u32::try_from(self.n.unwrap_or(0)).ok()?,
            turnover: turnover(self.vw.filter(|vw| vw.is_finite()), [high, low, close], volume),
            repaired: true,
        })
    }

    /// The row of a bar, for a server.
    pub fn from_bar(bar: &Bar) -> Self {
        Self {
            t: bar.start,
            o: bar.open.dollars(),
            h: bar.high.dollars(),
            l: bar.low.dollars(),
            c: bar.close.dollars(),
            v: bar.volume as f64,
            n: Some(u64::from(bar.trades)),
            vw: Some(crate::encode::average_price(bar)),
        }
    }
}

/// A whole, non-negative number out of a JSON number, a fraction cut off.
fn whole(n: f64) -> Option<u64> {
    (0.0..9_007_199_254_740_992.0).contains(&n).then_some(n as u64)
}

fn level(dollars: f64, size: f64) -> Result<Option<Level>, ()> {
    let price = Price::nearest(dollars).filter(|p| *p >= Price::ZERO).ok_or(())?;
    let size = whole(size).and_then(|n| u32::try_from(n).ok()).ok_or(())?;
    Ok((price > Price::ZERO).then_some(Level { price, size }))
}

impl QuoteRow {
    /// The quote in our words; `None` when a figure is negative or out of range.
    pub fn quote(&self) -> Option<Quote> {
        let (bid, ask) = (level(self.bp, self.bs).ok()?, level(self.ap, self.asz).ok()?);
        Some(Quote { bid, ask, at: self.t })
    }

    /// The row of a quote, for a server. `option` decides the form of the conditions.
    pub fn from_quote(quote: &Quote, option: bool) -> Self {
        let figures = |l: Option<Level>| l.map_or((0.0, 0.0), |l| (l.price.dollars(), f64::from(l.size)));
        let ((bp, bs), (ap, asz)) = (figures(quote.bid), figures(quote.ask));
        let exchange = Some(if option { "C" } else { "P" }.to_string());
        Self {
            t: quote.at,
            bx: exchange.clone(),
            bp,
            bs,
            ax: exchange,
            ap,
            asz,
            c: if option { Conditions::One("A".into()) } else { Conditions::Many(vec!["R".into()]) },
            z: (!option).then(|| "B".into()),
        }
    }
}

impl TradeRow {
    /// The trade in our words; `None` when a figure is out of range.
    pub fn trade(&self, instrument: &Instrument) -> Option<Trade> {
        let tape = self.z.as_deref().and_then(|z| z.bytes().next()).unwrap_or(b'B');
        let rule = match (instrument, self.u.as_deref()) {
            (_, Some("canceled" | "incorrect")) => market::quote::SaleRule::Ignored,
            (Instrument::Stock(_), _) => conditions::stock_rule(&self.c.codes(), tape),
            (Instrument::Option(_), _) => conditions::option_rule(&self.c.codes()),
        };
        Some(Trade {
            price: Price::nearest(self.p).filter(|p| *p > Price::ZERO)?,
            size: u32::try_from(whole(self.s)?).ok()?,
            at: self.t,
            id: self.i.unwrap_or(0),
            rule,
        })
    }

    /// The row of a trade, for a server.
    pub fn from_trade(trade: &Trade, option: bool) -> Self {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Self {
            t: trade.at,
            x: Some(if option { "C" } else { "P" }.into()),
            p: trade.price.dollars(),
            s: f64::from(trade.size),
            c: if option {
                Conditions::One(conditions::option_condition(trade.rule).into())
            } else {
                Conditions::Many(texts(conditions::stock_conditions(trade.rule)))
            },
            i: (!option).then_some(trade.id),
            z: (!option).then(|| "B".into()),
            u: None,
        }
    }
}

/// `/v2/stocks/bars` and `/v1beta1/options/bars`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BarPage {
    /// Rows by symbol.
    #[serde(default, deserialize_with = "map_or_null")]
    pub bars: BTreeMap<String, Vec<BarRow>>,
    /// Token of the next page.
    #[serde(default)]
    pub next_page_token: Option<String>,
}

/// `/v2/stocks/quotes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QuotePage {
    /// Rows by symbol.
    #[serde(default, deserialize_with = "map_or_null")]
    pub quotes: BTreeMap<String, Vec<QuoteRow>>,
    /// Token of the next page.
    #[serde(default)]
    pub next_page_token: Option<String>,
}

/// `/v2/stocks/trades` and `/v1beta1/options/trades`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TradePage {
    /// Rows by symbol.
    #[serde(default, deserialize_with = "map_or_null")]
    pub trades: BTreeMap<String, Vec<TradeRow>>,
    /// Token of the next page.
    #[serde(default)]
    pub next_page_token: Option<String>,
}

/// `.../quotes/latest`: one row a symbol.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatestQuotes {
    /// Row by symbol.
    #[serde(default, deserialize_with = "map_or_null")]
    pub quotes: BTreeMap<String, QuoteRow>,
}

/// `.../trades/latest`: one row a symbol.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatestTrades {
    /// Row by symbol.
    #[serde(default, deserialize_with = "map_or_null")]
    pub trades: BTreeMap<String, TradeRow>,
}

/// `.../bars/latest`: one row a symbol.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatestBars {
    /// Row by symbol.
    #[serde(default, deserialize_with = "map_or_null")]
    pub bars: BTreeMap<String, BarRow>,
}

/// Greeks as the venue computes them. When they are there, all five are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GreeksRow {
    /// Change of price per dollar of the underlying.
    pub delta: f64,
    /// Change of delta per dollar of the underlying.
    pub gamma: f64,
    /// Change of price per calendar day.
    pub theta: f64,
    /// Change of price per volatility point.
    pub vega: f64,
    /// Change of price per point of interest.
    pub rho: f64,
}

/// Snapshot of one instrument; any member may be missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Snapshot {
    /// Latest trade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_trade: Option<TradeRow>,
    /// Latest quote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_quote: Option<QuoteRow>,
    /// Bar of the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minute_bar: Option<BarRow>,
    /// Bar of the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_bar: Option<BarRow>,
    /// Bar of the day before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_daily_bar: Option<BarRow>,
    /// Implied volatility as a fraction a year; options only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implied_volatility: Option<f64>,
    /// Greeks; options only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greeks: Option<GreeksRow>,
}

/// `/v1beta1/options/snapshots` and `/v1beta1/options/snapshots/{underlying}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SnapshotPage {
    /// Snapshot by OCC symbol.
    #[serde(default, deserialize_with = "map_or_null")]
    pub snapshots: BTreeMap<String, Snapshot>,
    /// Token of the next page.
    #[serde(default)]
    pub next_page_token: Option<String>,
}

/// The venue answers null where it has nothing.
fn map_or_null<'de, D, T>(d: D) -> Result<BTreeMap<String, T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(<Option<BTreeMap<String, T>>>::deserialize(d)?.unwrap_or_default())
}
