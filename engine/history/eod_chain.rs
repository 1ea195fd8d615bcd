//! End-of-day option chains as text: CSV with a header, one contract a line, plain or gzipped, as Cboe, Yahoo and the
//! vendors of historical chains write them. Columns are found by name (upper or lower case, any order); their spellings
//! stand in [`Columns::find`]. A file may hold many days: each becomes a snapshot of its own.
//!
//! The price of the underlying is a column, or stands beside the file: in `underlying.csv` (`session_date`, `ticker`,
//! `close`) or, for chains fetched during the next session, in `meta_DATE.json` (`utc`, `tickers.X.spot_live`), which
//! then also says when the quotes were taken. Bids and asks of zero are no bid and no ask.

mod beside;

use crate::Stamped;
use flate2::read::GzDecoder;
use market::quote::{Level, MarketEvent, OpenInterest, Quote};
use market::session::options_close;
use market::{Contract, Date, Instrument, Price, Right, Symbol, Timestamp};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Why a chain was not read. Messages name the file and the line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened.
    #[error("{}: cannot be opened: {source}", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no CSV.
    #[error("{}: not readable as CSV: {source}", file.display())]
    Csv {
        /// The file.
        file: PathBuf,
        /// Why.
        source: csv::Error,
    },
    /// A column is not there.
    #[error("{}: no column for the {column} in its header ({header}); {remedy}", file.display())]
    NoColumn {
        /// The file.
        file: PathBuf,
        /// What was looked for.
        column: &'static str,
        /// What is there.
        header: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A line is no contract's.
    #[error("{}, line {line}: {what}", file.display())]
    Row {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A file beside the chain cannot be used.
    #[error("{}: {what}; it belongs to {}", file.display(), chain.display())]
    Beside {
        /// The file beside it.
        file: PathBuf,
        /// The chain.
        chain: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// There is not one contract.
    #[error("{}: holds no contracts", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
}

/// What the vendor computed, as it stands in the file. Absent where a column is empty or zero: vendors write 0 for
/// "could not be computed".
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Vendor {
    /// Implied volatility, decimal a year.
    pub vol: Option<f64>,
    /// Delta, signed.
    pub delta: Option<f64>,
    /// Gamma per dollar.
    pub gamma: Option<f64>,
    /// Theta in the vendor's unit (a year in files of 2018, a day in files of 2021 and 2026).
    pub theta: Option<f64>,
    /// Vega in the vendor's unit (per 1.00 of volatility in files of 2018, per point in files of 2021 and 2026).
    pub vega: Option<f64>,
}

/// One contract's line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// The contract.
    pub contract: Contract,
    /// Bid and ask; sizes are 1 where the file gives none.
    pub quote: Quote,
    /// Price of the last trade, whenever that was.
    pub last: Option<Price>,
    /// Contracts traded in the session.
    pub volume: u64,
    /// Contracts open, where the file says.
    pub open_interest: Option<u32>,
    /// What the vendor computed.
    pub vendor: Vendor,
}

/// All contracts of one underlying at the end of one session.
#[derive(Clone, Debug, PartialEq)]
pub struct EodChain {
    /// The underlying: `SPX` for roots SPX and SPXW.
    pub underlying: Symbol,
    /// The session the file dates it to.
    pub date: Date,
    /// When the quotes were taken, as far as is known.
    pub at: Timestamp,
    /// Price of the underlying then, where it is known.
    pub spot: Option<Price>,
    /// The contracts, by root, expiry, strike and right; each once.
    pub rows: Vec<Row>,
}

impl EodChain {
    /// The snapshot as the engine would hear it: the underlying as a quote without a spread, then each contract's open
    /// interest and quote. Contracts without bid and ask are told too: they are listed.
    pub fn events(&self) -> impl Iterator<Item = Stamped> {
        let at = self.at;
        let spot = self.spot.map(|price| {
            let level = Some(Level { price, size: 100 });
            MarketEvent::Quote(Instrument::Stock(self.underlying), Quote { bid: level, ask: level, at })
        });
        let of_row = move |row: &Row| {
            let (contract, date) = (row.contract, self.date);
            let open = row.open_interest.map(|contracts| {
                MarketEvent::OpenInterest(OpenInterest { contract, contracts, as_of: date })
            });
            open.into_iter().chain([MarketEvent::Quote(Instrument::Option(contract), row.quote)])
        };
        spot.into_iter().chain(self.rows.iter().flat_map(of_row)).map(move |event| Stamped { at, event })
    }

    /// The roots of its contracts (SPX and SPXW under SPX), each once.
    pub fn roots(&self) -> Vec<Symbol> {
        let mut roots: Vec<Symbol> = self.rows.iter().map(|row| row.contract.root).collect();
        roots.dedup();
        roots
    }
}

/// Reads every snapshot of a file, by date and underlying.
///
/// # Errors
/// The first thing that cannot be read, with its place.
pub fn read(file: &Path) -> Result<Vec<EodChain>, Error> {
    let opened = File::open(file).map_err(|source| Error::Open { file: file.into(), source })?;
    let is_gzip = file.extension().is_some_and(|extension| extension == "gz");
    if is_gzip { read_from(file, GzDecoder::new(opened)) } else { read_from(file, opened) }
}

fn read_from(file: &Path, text: impl Read) -> Result<Vec<EodChain>, Error> {
    let unreadable = |source| Error::Csv { file: file.into(), source };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
    let header: Vec<String> = reader
        .headers()
        .map_err(unreadable)?
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').to_lowercase())
        .collect();
    let columns = Columns::find(file, &header)?;
    let mut days: BTreeMap<(Date, Symbol), EodChain> = BTreeMap::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(unreadable)? {
        let line = record.position().map_or(0, csv::Position::line);
        let fault = |what: String| Error::Row { file: file.into(), line, what };
        let (date, underlying, row) = columns.row(&record).map_err(fault)?;
        let day = days.entry((date, underlying)).or_insert_with(|| EodChain {
            underlying,
            date,
            at: row.quote.at,
            spot: columns.price(&record, columns.spot),
            rows: Vec::new(),
        });
        day.rows.push(row);
    }
    if days.is_empty() {
        return Err(Error::Empty { file: file.into() });
    }
    let mut days: Vec<EodChain> = days.into_values().collect();
    for day in &mut days {
        let key = |row: &Row| {
            (row.contract.root, row.contract.expiry, row.contract.strike_mils, row.contract.right)
        };
        day.rows.sort_by_key(key);
        // A vendor that repeats a line means the newer one no better than the older.
        day.rows.dedup_by_key(|row| row.contract);
        beside::complete(file, day)?;
    }
    Ok(days)
}

/// Where what stands.
struct Columns {
    date: usize,
    underlying: Option<usize>,
    occ: Option<usize>,
    /// Root, expiry, right and strike, where no column holds the whole symbol.
    parts: Option<[usize; 4]>,
    spot: Option<usize>,
    prices: [usize; 2],
    sizes: [Option<usize>; 2],
    last: Option<usize>,
    volume: Option<usize>,
    open_interest: Option<usize>,
    /// Volatility, delta, gamma, theta, vega.
    vendor: [Option<usize>; 5],
    /// Quotes of this vendor are of the stock close, not of the later close of some options.
    at_stock_close: bool,
}

impl Columns {
    fn find(file: &Path, header: &[String]) -> Result<Self, Error> {
        let place =
            |names: &[&str]| names.iter().find_map(|name| header.iter().position(|column| column == name));
        let must = |column, names: &[&str], remedy| {
            let missing = || Error::NoColumn { file: file.into(), column, header: header.join(", "), remedy };
            place(names).ok_or_else(missing)
        };
        let occ = place(&["option", "optionroot", "contractsymbol", "option_symbol", "occ", "symbol_occ"]);
        let parts = match occ {
            Some(_) => None,
            None => {
                let hint = "name a column `option` with the OCC symbol, or root, expiration, type and strike";
                Some([
                    must("contract", &["root", "ticker", "symbol", "underlying"], hint)?,
                    must("expiry", &["expiration", "expiry", "option_expiration"], hint)?,
                    must("right", &["option_type", "type", "right", "call_put"], hint)?,
                    must("strike", &["strike"], hint)?,
                ])
            }
        };
        let quoted = "a chain without bid and ask cannot be traded; give a file that has both";
        Ok(Self {
            date: must(
                "date",
                &["session_date", "quotedate", "quote_date", "session", "date"],
                "name it `quotedate`, YYYY-MM-DD or MM/DD/YYYY",
            )?,
            underlying: place(&["ticker", "underlying", "underlying_symbol", "symbol"]),
            occ,
            parts,
            spot: place(&[
                "underlying_last",
                "stock_price_for_iv",
                "underlying_bid_eod",
                "spot",
                "underlying_price",
            ]),
            prices: [must("bid", &["bid", "bid_eod"], quoted)?, must("ask", &["ask", "ask_eod"], quoted)?],
            sizes: [place(&["bid_size", "bid_size_eod"]), place(&["ask_size", "ask_size_eod"])],
            last: place(&["last_trade_price", "last", "lastprice", "close"]),
            volume: place(&["volume", "trade_volume"]),
            open_interest: place(&["open_interest", "openinterest"]),
            vendor: [
                place(&["iv", "impliedvol", "impliedvolatility"]),
                place(&["delta"]),
                place(&["gamma"]),
                place(&["theta"]),
                place(&["vega"]),
            ],
            at_stock_close: place(&["optionalias"]).is_some(),
        })
    }

    fn row(&self, record: &csv::StringRecord) -> Result<(Date, Symbol, Row), String> {
        let field = |place: usize| record.get(place).unwrap_or_default();
        let contract = self.contract(record)?;
        let text = field(self.date);
        let date = date(text).ok_or_else(|| format!("date is `{text}`, not YYYY-MM-DD or MM/DD/YYYY"))?;
        let named = self.underlying.map(field).map(|text| text.trim_start_matches(['^', '_']));
        // A file that calls the underlying SPXW means the index behind that root.
        let underlying = match named.and_then(|text| text.parse::<Symbol>().ok()).unwrap_or(contract.root) {
            symbol if symbol.as_str() == "SPXW" => Symbol::literal("SPX"),
            symbol => symbol,
        };
        let at = self.taken_at(&contract.root, date);
        let [bid, ask] = [0, 1].map(|i| self.level(record, i));
        let number = |place: Option<usize>| place.and_then(|place| field(place).parse::<f64>().ok());
        let known = |place: Option<usize>| number(place).filter(|x| x.is_finite() && *x != 0.0);
        let [vol, delta, gamma, theta, vega] = self.vendor.map(known);
        let row = Row {
            contract,
            quote: Quote { bid: bid?, ask: ask?, at },
            last: self.price(record, self.last),
            volume: number(self.volume).map_or(0, |n| n.max(0.0) as u64),
            open_interest: number(self.open_interest).filter(|n| *n >= 0.0).map(|n| n as u32),
            vendor: Vendor { vol: vol.filter(|v| *v > 0.0), delta, gamma, theta, vega },
        };
        Ok((date, underlying, row))
    }

    /// The later close of the options where the vendor waits for it, else the stock close; four in the afternoon of a
    /// date without a session.
    fn taken_at(&self, root: &Symbol, date: Date) -> Timestamp {
        let of_stocks = || market::session::session(date).map(|session| session.close);
        let close = if self.at_stock_close { of_stocks() } else { options_close(root, date) };
        close.unwrap_or_else(|| date.at_new_york(16 * 3600))
    }

    fn contract(&self, record: &csv::StringRecord) -> Result<Contract, String> {
        let field = |place: usize| record.get(place).unwrap_or_default();
        if let Some(place) = self.occ {
            return field(place).parse::<Contract>().map_err(|e| e.to_string());
        }
        let Some([root, expiry, right, strike]) = self.parts.map(|places| places.map(field)) else {
            return Err("names no contract".into());
        };
        let made = || {
            let right = match right.as_bytes().first()? {
                b'C' | b'c' => Right::Call,
                b'P' | b'p' => Right::Put,
                _ => return None,
            };
            let mils = (strike.parse::<f64>().ok()? * 1000.0).round();
            let strike_mils = if (1.0..1e9).contains(&mils) { mils as u32 } else { return None };
            Some(Contract { root: root.parse().ok()?, expiry: date(expiry)?, strike_mils, right })
        };
        made().ok_or_else(|| format!("`{root}`, `{expiry}`, `{right}`, `{strike}` name no contract"))
    }

    fn level(&self, record: &csv::StringRecord, side: usize) -> Result<Option<Level>, String> {
        let text = record.get(self.prices[side]).unwrap_or_default();
        if text.is_empty() {
            return Ok(None);
        }
        let name = ["bid", "ask"][side];
        let price = text.parse::<f64>().ok().filter(|p| *p >= 0.0).and_then(Price::nearest);
        let price = price.ok_or_else(|| format!("{name} is `{text}`, not a price"))?;
        let size = self.sizes[side].and_then(|place| record.get(place)?.parse::<f64>().ok());
        Ok((price > Price::ZERO).then(|| Level { price, size: size.map_or(1, |n| n.max(0.0) as u32) }))
    }

    /// A price above zero, where there is one.
    fn price(&self, record: &csv::StringRecord, place: Option<usize>) -> Option<Price> {
        let dollars = record.get(place?)?.parse::<f64>().ok()?;
        Price::nearest(dollars).filter(|price| *price > Price::ZERO)
    }
}

/// `2026-07-22` (with or without a time behind it) or `04/25/2019`.
fn date(text: &str) -> Option<Date> {
    if let Some(date) = text.get(..10).and_then(|text| text.parse().ok()) {
        return Some(date);
    }
    let mut parts = text.split('/').map(|part| part.parse::<u32>().ok());
    let (month, day, year) = (parts.next()??, parts.next()??, parts.next()??);
    Date::from_ymd(year as i32, month, day)
}

#[cfg(test)]
mod tests;
