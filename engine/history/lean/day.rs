//! Everything recorded of one symbol on one day, merged in order of time.

use super::names::{self, Kind};
use super::rows::{Fault, Fields, Midnight, PriceUnit, each_row};
use super::{Error, sale_rule};
use crate::{Stamped, prints::prints};
use market::quote::{Bar, Level, MarketEvent, OpenInterest, Quote, Timeframe, Trade};
use market::session::{previous_session, session};
use market::time::{HOUR, MINUTE, SECOND};
use market::{Date, Instrument, Symbol, Timestamp, product};
use std::path::{Path, PathBuf};

/// Which of the underlying's recordings are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EquityData {
    /// None.
    Nothing,
    /// Minute quotes and finished minute bars.
    Bars,
    /// Minute quotes, and trades made of the minute bars (up to four a bar with the same open, high, low, close
    /// and volume).
    Prints,
    /// Trades made of the second bars, and the quotes at their ends.
    Seconds,
    /// Every trade, and the best bid and ask of all exchanges as they changed.
    Ticks,
}

/// What is read of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct What {
    /// The underlying.
    pub equity: EquityData,
    /// Option minute quotes, trades (made of the bars) and open interest.
    pub options: bool,
}

/// Rows read, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Quotes of the underlying.
    pub quotes: u64,
    /// Trades or trade bars of the underlying.
    pub trades: u64,
    /// Option quote bars.
    pub option_quotes: u64,
    /// Option trade bars.
    pub option_trades: u64,
    /// Open-interest figures.
    pub open_interest: u64,
    /// Rows that said nothing usable: a price of zero, a quote marked suspicious.
    pub skipped: u64,
}

/// One symbol on one day.
#[derive(Clone, Debug)]
pub struct Day {
    /// The symbol; for index options the root, `SPXW`.
    pub symbol: Symbol,
    /// The New York date.
    pub date: Date,
    /// What was said, in order of the moment it became known.
    pub events: Vec<Stamped>,
    /// Rows read.
    pub rows: Rows,
    /// Files that were asked for and are not there.
    pub missing: Vec<PathBuf>,
}

impl Day {
    /// Reads what was recorded of `symbol` on `date` under the LEAN data folder `root`. A missing file is listed
    /// in [`Day::missing`]; when none is there, that is an error.
    pub fn load(root: &Path, symbol: Symbol, date: Date, what: What) -> Result<Self, Error> {
        let mut reader = Reader {
            day: Self { symbol, date, events: Vec::new(), rows: Rows::default(), missing: Vec::new() },
            midnight: midnight(&symbol, date),
            found: 0,
        };
        if what.options {
            reader.options(root)?;
        }
        match what.equity {
            EquityData::Nothing => {}
            EquityData::Bars => reader.bars(root, MINUTES, false)?,
            EquityData::Prints => reader.bars(root, MINUTES, true)?,
            EquityData::Seconds => reader.bars(root, SECONDS, true)?,
            EquityData::Ticks => reader.ticks(root)?,
        }
        let Reader { mut day, found, .. } = reader;
        if found == 0 {
            let what = format!("{symbol} on {date}");
            let expected = day.missing.into_iter().next().unwrap_or_else(|| root.into());
            return Err(Error::NothingThere { what, expected });
        }
        // Stable: of events known at the same moment, quotes come before the trades and bars read after them.
        day.events.sort_by_key(|event| event.at);
        Ok(day)
    }
}

/// Midnight in the file's zone. Taken from noon, so that it is right after a change of clocks as well.
fn midnight(symbol: &Symbol, date: Date) -> Midnight {
    let noon = date.at_new_york(12 * 3600);
    let chicago = if product::is_index(symbol) { HOUR } else { 0 };
    Midnight(noon - 12 * HOUR + chicago)
}

/// A resolution of bars: its folder and how long a bar is.
#[derive(Clone, Copy)]
struct Resolution {
    folder: &'static str,
    length_ns: i64,
}

const MINUTES: Resolution = Resolution { folder: "minute", length_ns: MINUTE };
const SECONDS: Resolution = Resolution { folder: "second", length_ns: SECOND };

struct Reader {
    day: Day,
    midnight: Midnight,
    found: u32,
}

impl Reader {
    /// True when the file is there; remembers it as missing otherwise.
    fn has(&mut self, file: &Path) -> bool {
        let there = file.is_file();
        if there {
            self.found += 1;
        } else {
            self.day.missing.push(file.into());
        }
        there
    }

    fn bars(&mut self, root: &Path, of: Resolution, as_prints: bool) -> Result<(), Error> {
        let (symbol, date, midnight) = (self.day.symbol, self.day.date, self.midnight);
        let stock = Instrument::Stock(symbol);
        let file = names::stock_file(root, &symbol, of.folder, date, Kind::Quote);
        // No quotes are made of an index.
        if !product::is_index(&symbol) && self.has(&file) {
            let events = &mut self.day.events;
            let read = each_row(
                &file,
                |_| Some(()),
                |(), row| {
                    events.push(quote_bar(stock, midnight, of.length_ns, row)?);
                    Ok(())
                },
            )?;
            self.day.rows.quotes += read;
        }
        let file = names::stock_file(root, &symbol, of.folder, date, Kind::Trade);
        if self.has(&file) {
            let unit = price_unit(&symbol);
            let Day { events, rows, .. } = &mut self.day;
            let read = each_row(
                &file,
                |_| Some(()),
                |(), row| {
                    match trade_bar(midnight, unit, row)? {
                        Some(bar) if as_prints => push_prints(events, stock, &bar, of.length_ns),
                        Some(bar) => events.push(Stamped {
                            at: bar.start + MINUTE,
                            event: MarketEvent::Bar {
                                symbol,
                                timeframe: Timeframe::Min1,
                                bar,
                                updated: false,
                            },
                        }),
                        None => rows.skipped += 1,
                    }
                    Ok(())
                },
            )?;
            self.day.rows.trades += read;
        }
        Ok(())
    }

    fn ticks(&mut self, root: &Path) -> Result<(), Error> {
        let (symbol, date, midnight) = (self.day.symbol, self.day.date, self.midnight);
        let stock = Instrument::Stock(symbol);
        let file = names::stock_file(root, &symbol, "tick", date, Kind::Quote);
        if self.has(&file) {
            let Day { events, rows, .. } = &mut self.day;
            let mut best = BestQuote::default();
            let mut say = |quote: Option<Quote>| {
                let event = |q: Quote| Stamped { at: q.at, event: MarketEvent::Quote(stock, q) };
                events.extend(quote.map(event));
            };
            let read = each_row(
                &file,
                |_| Some(()),
                |(), row| {
                    match TickQuote::read(midnight, row)? {
                        Some(tick) => say(best.take(tick)),
                        None => rows.skipped += 1,
                    }
                    Ok(())
                },
            )?;
            say(best.flush());
            self.day.rows.quotes += read;
        }
        let file = names::stock_file(root, &symbol, "tick", date, Kind::Trade);
        if self.has(&file) {
            let hours = session(date).map(|s| (s.open, s.close));
            let Day { events, rows, .. } = &mut self.day;
            let mut id = 0;
            let read = each_row(
                &file,
                |_| Some(()),
                |(), row| {
                    id += 1;
                    match tick_trade(midnight, hours, id, row)? {
                        Some(trade) => {
                            events.push(Stamped { at: trade.at, event: MarketEvent::Trade(stock, trade) });
                        }
                        None => rows.skipped += 1,
                    }
                    Ok(())
                },
            )?;
            self.day.rows.trades += read;
        }
        Ok(())
    }

    fn options(&mut self, root: &Path) -> Result<(), Error> {
        // Option files keep New York time even where the index keeps Chicago's.
        let midnight = Midnight(self.day.date.at_new_york(12 * 3600) - 12 * HOUR);
        let symbol = self.day.symbol;
        for kind in Kind::ALL {
            let file = names::option_file(root, &symbol, self.day.date, kind);
            if !self.has(&file) {
                continue;
            }
            let Day { events, rows, date, .. } = &mut self.day;
            let as_of = previous_session(*date).map_or(*date, |s| s.date);
            let mut skipped = 0;
            let read = each_row(
                &file,
                |member| names::contract(&symbol, member),
                |contract, row| {
                    let option = Instrument::Option(*contract);
                    match kind {
                        Kind::Quote => events.push(quote_bar(option, midnight, MINUTE, row)?),
                        Kind::Trade => match trade_bar(midnight, PriceUnit::TenThousandths, row)? {
                            Some(bar) => push_prints(events, option, &bar, MINUTE),
                            None => skipped += 1,
                        },
                        Kind::OpenInterest => {
                            let at = midnight.row_time(row)?;
                            let contracts = row.size("open interest")?;
                            let figure = OpenInterest { contract: *contract, contracts, as_of };
                            events.push(Stamped { at, event: MarketEvent::OpenInterest(figure) });
                        }
                    }
                    Ok(())
                },
            )?;
            rows.skipped += skipped;
            match kind {
                Kind::Quote => rows.option_quotes += read,
                Kind::Trade => rows.option_trades += read,
                Kind::OpenInterest => rows.open_interest += read,
            }
        }
        Ok(())
    }
}

fn price_unit(symbol: &Symbol) -> PriceUnit {
    if product::is_index(symbol) { PriceUnit::Points } else { PriceUnit::TenThousandths }
}

fn push_prints(events: &mut Vec<Stamped>, instrument: Instrument, bar: &Bar, length_ns: i64) {
    let trades = prints(bar, length_ns);
    events.extend(trades.into_iter().map(|t| Stamped { at: t.at, event: MarketEvent::Trade(instrument, t) }));
}

/// An interval's closing quote, stamped with the last nanosecond of the interval: it is known then, and the last
/// quote of a session still falls into the session.
fn quote_bar(
    instrument: Instrument,
    midnight: Midnight,
    length_ns: i64,
    row: &mut Fields<'_>,
) -> Result<Stamped, Fault> {
    let at = midnight.row_time(row)? + (length_ns - 1);
    let bid = row.closing_level("bid")?;
    let ask = row.closing_level("ask")?;
    Ok(Stamped { at, event: MarketEvent::Quote(instrument, Quote { bid, ask, at }) })
}

fn trade_bar(midnight: Midnight, unit: PriceUnit, row: &mut Fields<'_>) -> Result<Option<Bar>, Fault> {
    let start = midnight.row_time(row)?;
    row.bar(start, unit)
}

fn tick_trade(
    midnight: Midnight,
    hours: Option<(Timestamp, Timestamp)>,
    id: u64,
    row: &mut Fields<'_>,
) -> Result<Option<Trade>, Fault> {
    let at = midnight.row_time(row)?;
    let price = row.price("price", PriceUnit::TenThousandths)?;
    let size = row.size("size")?;
    row.next("exchange")?;
    let conditions = row.flags("sale condition")?;
    let suspicious = row.number("suspicious flag")? != 0;
    let extended = hours.is_none_or(|(open, close)| at < open || at >= close);
    let rule = sale_rule(conditions, suspicious, extended);
    Ok(price.map(|price| Trade { price, size, at, id, rule }))
}

/// A row of a quote file: what the best bid, or the best ask, has become. (The data's own README calls the
/// rows quotes of single exchanges; they are the consolidated best of both sides, the exchange being the one
/// that shows it: the last of each minute equals LEAN's quote bars without exception.)
#[derive(Clone, Copy)]
struct TickQuote {
    at: Timestamp,
    bid: Option<Level>,
    ask: Option<Level>,
}

impl TickQuote {
    /// `None` for a row marked suspicious.
    fn read(midnight: Midnight, row: &mut Fields<'_>) -> Result<Option<Self>, Fault> {
        let at = midnight.row_time(row)?;
        let mut level = |name| -> Result<Option<Level>, Fault> {
            let price = row.price(name, PriceUnit::TenThousandths)?;
            let size = row.size(name)?;
            Ok(price.map(|price| Level { price, size }))
        };
        let (bid, ask) = (level("bid")?, level("ask")?);
        row.next("exchange")?;
        row.flags("quote condition")?;
        let suspicious = row.number("suspicious flag")? != 0;
        Ok((!suspicious).then_some(Self { at, bid, ask }))
    }
}

/// Joins rows of one side into quotes of both. A change comes as a bid row and an ask row of the same
/// millisecond; half of it would look crossed, so a quote is said when its pair is complete.
#[derive(Default)]
struct BestQuote {
    bid: Option<Level>,
    ask: Option<Level>,
    at: Timestamp,
    bid_is_new: bool,
    ask_is_new: bool,
}

impl BestQuote {
    /// Takes a row; what was complete before it, if anything.
    fn take(&mut self, tick: TickQuote) -> Option<Quote> {
        let repeats = (tick.bid.is_some() && self.bid_is_new) || (tick.ask.is_some() && self.ask_is_new);
        let complete = if repeats || tick.at != self.at { self.flush() } else { None };
        self.at = tick.at;
        self.bid_is_new |= tick.bid.is_some();
        self.ask_is_new |= tick.ask.is_some();
        self.bid = tick.bid.or(self.bid);
        self.ask = tick.ask.or(self.ask);
        complete
    }

    fn flush(&mut self) -> Option<Quote> {
        let any = std::mem::take(&mut self.bid_is_new) | std::mem::take(&mut self.ask_is_new);
        any.then_some(Quote { bid: self.bid, ask: self.ask, at: self.at })
    }
}
