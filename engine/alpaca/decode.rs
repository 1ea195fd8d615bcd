//! Frames of the market-data streams, decoded into `market` events: written once, for stocks and options, for
//! JSON and MessagePack. Keys may come in any order, unknown keys and unknown messages are passed over, and one
//! bad element does not cost the rest of its frame.

use crate::conditions::{self, Codes};
use crate::json::JsonSource;
use crate::msgpack::PackSource;
use crate::wire::{DataFeed, Decoded, Encoding, FaultKind, Source, WireFault};
use market::quote::{Bar, Level, MarketEvent, Quote, Status, Timeframe, Trade};
use market::{Contract, Instrument, Label, Money, Price, Symbol};

type Read<T> = Result<T, FaultKind>;

/// Decodes one frame and hands what it holds to `sink`, in order, without allocating (but for control
/// messages). Returns how many market events there were. Elements that cannot be read are handed over as
/// [`Decoded::Fault`]; an error means that the rest of the frame was lost, and where.
pub fn decode(
    frame: &[u8],
    encoding: Encoding,
    feed: DataFeed,
    sink: &mut impl FnMut(Decoded),
) -> Result<usize, WireFault> {
    match encoding {
        Encoding::Json => decode_from(JsonSource::new(frame), feed, sink),
        Encoding::MsgPack => decode_from(PackSource::new(frame), feed, sink),
    }
}

/// [`decode`] for the stock stream.
pub fn decode_stocks(
    frame: &[u8],
    encoding: Encoding,
    sink: &mut impl FnMut(Decoded),
) -> Result<usize, WireFault> {
    decode(frame, encoding, DataFeed::Stocks, sink)
}

/// [`decode`] for the option stream, which is MessagePack always.
pub fn decode_options(frame: &[u8], sink: &mut impl FnMut(Decoded)) -> Result<usize, WireFault> {
    decode(frame, Encoding::MsgPack, DataFeed::Options, sink)
}

fn decode_from<'a, S: Source<'a>>(
    mut source: S,
    feed: DataFeed,
    sink: &mut impl FnMut(Decoded),
) -> Result<usize, WireFault> {
    let (mut events, mut element) = (0, 0);
    let lost = |kind, at, element| WireFault { kind, at, element };
    // A lone object is taken for an array of one: nothing is gained by refusing it.
    let mut counter = if source.at_map() {
        None
    } else {
        Some(source.open_list().map_err(|kind| lost(kind, source.place(), 0))?)
    };
    loop {
        match &mut counter {
            Some(counter) => {
                let more = source.next_item(counter).map_err(|kind| lost(kind, source.place(), element))?;
                if !more {
                    break;
                }
            }
            None if element > 0 => break,
            None => {}
        }
        events += decode_element(&mut source, feed, element, sink)?;
        element += 1;
    }
    if source.is_done() { Ok(events) } else { Err(lost(FaultKind::Trailing, source.place(), element)) }
}

/// Decodes one element; on a fault goes back to its start and passes over it as a whole.
fn decode_element<'a, S: Source<'a>>(
    source: &mut S,
    feed: DataFeed,
    element: usize,
    sink: &mut impl FnMut(Decoded),
) -> Result<usize, WireFault> {
    let start = source.place();
    match read_element(source, feed) {
        Ok(Some(found)) => {
            let events = usize::from(matches!(found, Decoded::Event(_)));
            sink(found);
            Ok(events)
        }
        Ok(None) => Ok(0),
        Err(kind) => {
            let fault = WireFault { kind, at: source.place(), element };
            source.back_to(start);
            source.skip().map_err(|kind| WireFault { kind, at: source.place(), element })?;
            debug_assert!(source.place() > start, "a skip that stands still would never end");
            sink(Decoded::Fault(fault));
            Ok(0)
        }
    }
}

fn read_element<'a, S: Source<'a>>(source: &mut S, feed: DataFeed) -> Read<Option<Decoded>> {
    let start = source.place();
    let mut counter = source.open_map()?;
    let inside = source.place();
    let mut fields = counter;
    // `T` comes first from every server we know; the search is for those we do not.
    let kind = loop {
        match source.next_key(&mut fields)? {
            Some(b"T") => break source.text()?,
            Some(_) => source.skip()?,
            None => return Err(FaultKind::Missing("T")),
        }
    };
    let first = source.since(inside).len() <= kind.len() + 8;
    if first {
        counter = fields;
    } else {
        source.back_to(inside);
    }
    let event = match (kind, feed) {
        (b"q", _) => read_quote(source, counter, feed)?,
        (b"t", _) => read_trade(source, counter, feed)?,
        (b"b", DataFeed::Stocks) => read_bar(source, counter, Timeframe::Min1, false)?,
        (b"u", DataFeed::Stocks) => read_bar(source, counter, Timeframe::Min1, true)?,
        (b"d", DataFeed::Stocks) => read_bar(source, counter, Timeframe::Day1, true)?,
        (b"x", DataFeed::Stocks) => read_cancel(source, counter, b"i")?,
        (b"c", DataFeed::Stocks) => read_cancel(source, counter, b"oi")?,
        (b"s", DataFeed::Stocks) => {
            return Ok(read_status(source, counter)?.map(Decoded::Event));
        }
        (b"success" | b"error" | b"subscription", _) => {
            source.back_to(start);
            source.skip()?;
            let control = S::control(source.since(start)).ok_or(FaultKind::BadControl)?;
            return Ok(Some(Decoded::Control(control)));
        }
        _ => {
            source.back_to(start);
            return source.skip().map(|()| None);
        }
    };
    Ok(Some(Decoded::Event(event)))
}

fn read_quote<'a, S: Source<'a>>(source: &mut S, mut counter: usize, feed: DataFeed) -> Read<MarketEvent> {
    let (mut instrument, mut at) = (None, None);
    let (mut bid, mut ask) = (Side::default(), Side::default());
    while let Some(key) = source.next_key(&mut counter)? {
        match key {
            b"S" => instrument = Some(read_instrument(source, feed)?),
            b"bp" => bid.read_price(source, "bp")?,
            b"bs" => bid.read_size(source)?,
            b"ap" => ask.read_price(source, "ap")?,
            b"as" => ask.read_size(source)?,
            b"t" => at = Some(source.time()?),
            _ => source.skip()?,
        }
    }
    if !bid.seen && !ask.seen {
        return Err(FaultKind::Missing("bp"));
    }
    let instrument = instrument.ok_or(FaultKind::Missing("S"))?;
    let at = at.ok_or(FaultKind::Missing("t"))?;
    Ok(MarketEvent::Quote(instrument, Quote { bid: bid.level(), ask: ask.level(), at }))
}

/// One side of a quote while it is read.
#[derive(Default)]
struct Side {
    price: Price,
    size: u32,
    seen: bool,
}

impl Side {
    #[inline]
    fn read_price<'a, S: Source<'a>>(&mut self, source: &mut S, key: &'static str) -> Read<()> {
        self.seen = true;
        if source.null() {
            return Ok(());
        }
        self.price = source.price()?;
        if self.price < Price::ZERO { Err(FaultKind::NotPositive(key)) } else { Ok(()) }
    }

    #[inline]
    fn read_size<'a, S: Source<'a>>(&mut self, source: &mut S) -> Read<()> {
        if !source.null() {
            self.size = read_size(source)?;
        }
        Ok(())
    }

    /// A price of zero is the feed's way to say that there is no quote on this side.
    fn level(&self) -> Option<Level> {
        (self.price > Price::ZERO).then_some(Level { price: self.price, size: self.size })
    }
}

fn read_trade<'a, S: Source<'a>>(source: &mut S, mut counter: usize, feed: DataFeed) -> Read<MarketEvent> {
    let (mut instrument, mut at, mut price) = (None, None, None);
    let (mut size, mut id, mut tape, mut codes) = (None, 0, b'B', Codes::new());
    while let Some(key) = source.next_key(&mut counter)? {
        match key {
            b"S" => instrument = Some(read_instrument(source, feed)?),
            b"i" => id = source.integer()?,
            b"p" => price = Some(source.price()?),
            b"s" => size = Some(read_size(source)?),
            b"c" => codes = read_codes(source)?,
            b"z" => tape = source.text()?.first().copied().unwrap_or(tape),
            b"t" => at = Some(source.time()?),
            _ => source.skip()?,
        }
    }
    let price = price.ok_or(FaultKind::Missing("p"))?;
    if price <= Price::ZERO {
        return Err(FaultKind::NotPositive("p"));
    }
    let rule = match feed {
        DataFeed::Stocks => conditions::stock_rule(&codes, tape),
        DataFeed::Options => conditions::option_rule(&codes),
    };
    let trade = Trade {
        price,
        size: size.ok_or(FaultKind::Missing("s"))?,
        at: at.ok_or(FaultKind::Missing("t"))?,
        id,
        rule,
    };
    Ok(MarketEvent::Trade(instrument.ok_or(FaultKind::Missing("S"))?, trade))
}

fn read_bar<'a, S: Source<'a>>(
    source: &mut S,
    mut counter: usize,
    timeframe: Timeframe,
    updated: bool,
) -> Read<MarketEvent> {
    let (mut symbol, mut start, mut volume) = (None, None, None);
    let (mut trades, mut average) = (0, None);
    let mut prices = [Price::ZERO; 4];
    while let Some(key) = source.next_key(&mut counter)? {
        match key {
            b"S" => symbol = Some(read_symbol(source)?),
            b"o" => prices[0] = source.price()?,
            b"h" => prices[1] = source.price()?,
            b"l" => prices[2] = source.price()?,
            b"c" => prices[3] = source.price()?,
            b"v" => volume = Some(source.integer()?),
            b"n" if !source.null() => trades = read_size(source)?,
            b"vw" if !source.null() => average = Some(source.real()?),
            b"n" | b"vw" => {}
            b"t" => start = Some(source.time()?),
            _ => source.skip()?,
        }
    }
    let [open, high, low, close] = prices;
    if prices.iter().any(|p| *p <= Price::ZERO) {
        return Err(FaultKind::NotPositive("o, h, l or c"));
    }
    let volume = volume.ok_or(FaultKind::Missing("v"))?;
    let bar = Bar {
        start: start.ok_or(FaultKind::Missing("t"))?,
        open,
        high,
        low,
        close,
        volume,
        trades,
        turnover: turnover(average, [high, low, close], volume),
        repaired: false,
    };
    Ok(MarketEvent::Bar { symbol: symbol.ok_or(FaultKind::Missing("S"))?, timeframe, bar, updated })
}

/// Volume-weighted price times volume; without one, the typical price stands in. Zero beyond the range of
/// money, which no real bar reaches.
pub(crate) fn turnover(average: Option<f64>, typical: [Price; 3], volume: u64) -> Money {
    let price = average.unwrap_or_else(|| typical.iter().map(|p| p.dollars()).sum::<f64>() / 3.0);
    Money::nearest(price * volume as f64).unwrap_or(Money::ZERO)
}

/// A cancel, or a correction's original: both take a trade back. The corrected figures of a correction are
/// not passed on as a trade, for its bar may be long finished; the bar is fetched again instead.
fn read_cancel<'a, S: Source<'a>>(source: &mut S, mut counter: usize, id_key: &[u8]) -> Read<MarketEvent> {
    let (mut symbol, mut id, mut at) = (None, None, None);
    while let Some(key) = source.next_key(&mut counter)? {
        match key {
            b"S" => symbol = Some(read_symbol(source)?),
            b"t" => at = Some(source.time()?),
            key if key == id_key => id = Some(source.integer()?),
            _ => source.skip()?,
        }
    }
    Ok(MarketEvent::Cancel(
        symbol.ok_or(FaultKind::Missing("S"))?,
        id.ok_or(FaultKind::Missing("i"))?,
        at.ok_or(FaultKind::Missing("t"))?,
    ))
}

/// Halts and resumptions; status messages that change neither are passed over.
fn read_status<'a, S: Source<'a>>(source: &mut S, mut counter: usize) -> Read<Option<MarketEvent>> {
    let (mut symbol, mut at, mut status): (_, _, &[u8]) = (None, None, b"");
    let mut reason = Label::EMPTY;
    while let Some(key) = source.next_key(&mut counter)? {
        match key {
            b"S" => symbol = Some(read_symbol(source)?),
            b"sc" => status = source.text()?,
            b"rc" if !source.null() => reason = Label::from_bytes(source.text()?).unwrap_or(Label::EMPTY),
            b"rc" => {}
            b"t" => at = Some(source.time()?),
            _ => source.skip()?,
        }
    }
    // Tapes A and B: 2 halt, 3 resume. Tapes C and O: H halt, P volatility pause, T trading resumption; Q,
    // quotation resumption, is still without trading.
    let halted = match status {
        b"2" | b"H" | b"P" => true,
        b"3" | b"T" => false,
        _ => return Ok(None),
    };
    let symbol = symbol.ok_or(FaultKind::Missing("S"))?;
    let at = at.ok_or(FaultKind::Missing("t"))?;
    Ok(Some(MarketEvent::Status(Instrument::Stock(symbol), Status { halted, reason, at })))
}

#[inline]
fn read_instrument<'a, S: Source<'a>>(source: &mut S, feed: DataFeed) -> Read<Instrument> {
    match feed {
        DataFeed::Stocks => read_symbol(source).map(Instrument::Stock),
        DataFeed::Options => {
            Contract::parse_occ(source.text()?).map(Instrument::Option).ok_or(FaultKind::BadSymbol)
        }
    }
}

#[inline]
fn read_symbol<'a, S: Source<'a>>(source: &mut S) -> Read<Symbol> {
    let text = source.text()?;
    // An escape would make another symbol of it; tickers need none.
    if text.contains(&b'\\') {
        return Err(FaultKind::BadSymbol);
    }
    Symbol::from_bytes(text).ok_or(FaultKind::BadSymbol)
}

#[inline]
fn read_size<'a, S: Source<'a>>(source: &mut S) -> Read<u32> {
    u32::try_from(source.integer()?).map_err(|_| FaultKind::OutOfRange)
}

/// Stocks have a list of conditions, options one text.
fn read_codes<'a, S: Source<'a>>(source: &mut S) -> Read<Codes> {
    let mut codes = Codes::new();
    if source.null() {
        return Ok(codes);
    }
    if !source.at_list() {
        codes.extend(source.text()?.first().copied());
        return Ok(codes);
    }
    let mut counter = source.open_list()?;
    while source.next_item(&mut counter)? {
        if let Some(code) = source.text()?.first() {
            let _ = codes.try_push(*code);
        }
    }
    Ok(codes)
}

#[cfg(test)]
mod tests;
