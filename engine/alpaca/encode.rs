//! Frames of the market-data streams as a server writes them: one batch of events, in either encoding, with
//! the keys in the documented order (`T` first).

use crate::conditions::{option_condition, stock_conditions};
use crate::json::JsonOut;
use crate::msgpack::PackOut;
use crate::wire::{DataFeed, Emit, Encoding};
use market::quote::{Bar, MarketEvent, Quote, Status, Timeframe, Trade};
use market::{Instrument, Symbol};

/// What the wire carries and our words do not: exchanges, the quote condition, the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dressing {
    /// Exchange of the bid.
    pub bid_exchange: &'static str,
    /// Exchange of the ask.
    pub ask_exchange: &'static str,
    /// Exchange of a trade.
    pub trade_exchange: &'static str,
    /// Quote condition.
    pub quote_condition: &'static str,
    /// Tape; stocks only.
    pub tape: &'static str,
}

impl Dressing {
    /// For stocks: everything on one exchange, regular, tape B.
    pub const STOCKS: Self =
        Self { bid_exchange: "P", ask_exchange: "P", trade_exchange: "P", quote_condition: "R", tape: "B" };
    /// For options.
    pub const OPTIONS: Self =
        Self { bid_exchange: "C", ask_exchange: "C", trade_exchange: "C", quote_condition: "A", tape: "" };
}

/// A batch of events on its way to become one frame. The buffer is kept between frames.
pub struct FrameWriter {
    out: Out,
    feed: DataFeed,
    dressing: Dressing,
    count: u32,
}

enum Out {
    Json(JsonOut),
    MsgPack(PackOut),
}

/// Room for the longest array header, filled in when the count is known.
const HEADER: usize = 5;

impl FrameWriter {
    /// An empty batch for that stream, with the usual dressing.
    pub fn new(encoding: Encoding, feed: DataFeed) -> Self {
        let dressing = match feed {
            DataFeed::Stocks => Dressing::STOCKS,
            DataFeed::Options => Dressing::OPTIONS,
        };
        let out = match encoding {
            Encoding::Json => Out::Json(JsonOut::default()),
            Encoding::MsgPack => Out::MsgPack(PackOut::default()),
        };
        let mut writer = Self { out, feed, dressing, count: 0 };
        writer.clear();
        writer
    }

    /// The same with another dressing.
    pub fn dressed(mut self, dressing: Dressing) -> Self {
        self.dressing = dressing;
        self
    }

    /// Starts over with an empty batch.
    pub fn clear(&mut self) {
        self.count = 0;
        match &mut self.out {
            Out::Json(out) => {
                out.bytes.clear();
                out.bytes.push(b'[');
            }
            Out::MsgPack(out) => {
                out.bytes.clear();
                out.bytes.extend_from_slice(&[0; HEADER]);
            }
        }
    }

    /// Adds an event; false when this stream has no message for it (open interest; stocks on the option
    /// stream; anything but quotes and trades of options).
    pub fn push(&mut self, event: &MarketEvent) -> bool {
        let (feed, dressing) = (self.feed, self.dressing);
        let written = match &mut self.out {
            Out::Json(out) => {
                let before = out.bytes.len();
                if self.count > 0 {
                    out.bytes.push(b',');
                }
                let written = write_event(out, event, feed, &dressing);
                if !written {
                    out.bytes.truncate(before);
                }
                written
            }
            Out::MsgPack(out) => write_event(out, event, feed, &dressing),
        };
        self.count += u32::from(written);
        written
    }

    /// Events in the batch.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of the batch so far.
    pub fn len(&self) -> usize {
        match &self.out {
            Out::Json(out) => out.bytes.len(),
            Out::MsgPack(out) => out.bytes.len(),
        }
    }

    /// True when nothing was added.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The finished frame. Call [`FrameWriter::clear`] before adding to the next one.
    pub fn frame(&mut self) -> &[u8] {
        let count = self.count;
        match &mut self.out {
            Out::Json(out) => {
                if out.bytes.last() != Some(&b']') {
                    out.bytes.push(b']');
                }
                &out.bytes
            }
            Out::MsgPack(out) => {
                let start = match count {
                    0..=15 => HEADER - 1,
                    16..=65_535 => HEADER - 3,
                    _ => 0,
                };
                match count {
                    0..=15 => out.bytes[start] = 0x90 | count as u8,
                    16..=65_535 => {
                        out.bytes[start] = 0xdc;
                        out.bytes[start + 1..HEADER].copy_from_slice(&(count as u16).to_be_bytes());
                    }
                    _ => {
                        out.bytes[0] = 0xdd;
                        out.bytes[1..HEADER].copy_from_slice(&count.to_be_bytes());
                    }
                }
                &out.bytes[start..]
            }
        }
    }
}

fn write_event(out: &mut impl Emit, event: &MarketEvent, feed: DataFeed, dress: &Dressing) -> bool {
    match (event, feed) {
        (MarketEvent::Quote(Instrument::Stock(s), quote), DataFeed::Stocks) => {
            write_stock_quote(out, *s, quote, dress);
        }
        (MarketEvent::Trade(Instrument::Stock(s), trade), DataFeed::Stocks) => {
            write_stock_trade(out, *s, trade, dress);
        }
        (MarketEvent::Quote(Instrument::Option(c), quote), DataFeed::Options) => {
            write_option_quote(out, &c.occ(), quote, dress);
        }
        (MarketEvent::Trade(Instrument::Option(c), trade), DataFeed::Options) => {
            write_option_trade(out, &c.occ(), trade, dress);
        }
        (MarketEvent::Bar { symbol, timeframe, bar, updated }, DataFeed::Stocks) => {
            let kind = match (timeframe, updated) {
                (Timeframe::Min1, false) => "b",
                (Timeframe::Min1, true) => "u",
                (Timeframe::Day1, _) => "d",
                _ => return false,
            };
            write_bar(out, kind, *symbol, bar);
        }
        (MarketEvent::Status(Instrument::Stock(s), status), DataFeed::Stocks) => {
            write_status(out, *s, status, dress);
        }
        (MarketEvent::Cancel(s, id, at), DataFeed::Stocks) => {
            start(out, 8, "x", s.as_str());
            field(out, "i", |o| o.integer(*id));
            field(out, "x", |o| o.text(dress.trade_exchange));
            field(out, "p", |o| o.integer(0));
            field(out, "s", |o| o.integer(0));
            field(out, "a", |o| o.text("C"));
            field(out, "z", |o| o.text(dress.tape));
            field(out, "t", |o| o.time(*at));
            out.end_map();
        }
        _ => return false,
    }
    true
}

/// `fields` counts everything but `T`.
fn start(out: &mut impl Emit, fields: u32, kind: &str, symbol: &str) {
    out.map(fields + 1);
    out.key("T");
    out.text(kind);
    out.key("S");
    out.text(symbol);
}

fn field<E: Emit>(out: &mut E, key: &str, value: impl FnOnce(&mut E)) {
    out.key(key);
    value(out);
}

/// The four figures of a quote; a missing side goes out as zeros.
fn write_sides<E: Emit>(out: &mut E, quote: &Quote, dress: &Dressing) {
    let sides = [
        ("bx", "bp", "bs", quote.bid, dress.bid_exchange),
        ("ax", "ap", "as", quote.ask, dress.ask_exchange),
    ];
    for (exchange_key, price_key, size_key, level, exchange) in sides {
        field(out, exchange_key, |o| o.text(exchange));
        field(out, price_key, |o| match level {
            Some(level) => o.price(level.price),
            None => o.integer(0),
        });
        field(out, size_key, |o| o.integer(level.map_or(0, |l| u64::from(l.size))));
    }
}

fn write_stock_quote<E: Emit>(out: &mut E, symbol: Symbol, quote: &Quote, dress: &Dressing) {
    start(out, 10, "q", symbol.as_str());
    write_sides(out, quote, dress);
    field(out, "c", |o| o.texts(&[dress.quote_condition]));
    field(out, "z", |o| o.text(dress.tape));
    field(out, "t", |o| o.time(quote.at));
    out.end_map();
}

fn write_option_quote<E: Emit>(out: &mut E, symbol: &str, quote: &Quote, dress: &Dressing) {
    start(out, 9, "q", symbol);
    field(out, "t", |o| o.time(quote.at));
    write_sides(out, quote, dress);
    field(out, "c", |o| o.text(dress.quote_condition));
    out.end_map();
}

fn write_stock_trade<E: Emit>(out: &mut E, symbol: Symbol, trade: &Trade, dress: &Dressing) {
    start(out, 8, "t", symbol.as_str());
    field(out, "i", |o| o.integer(trade.id));
    field(out, "x", |o| o.text(dress.trade_exchange));
    field(out, "p", |o| o.price(trade.price));
    field(out, "s", |o| o.integer(u64::from(trade.size)));
    field(out, "c", |o| o.texts(stock_conditions(trade.rule)));
    field(out, "z", |o| o.text(dress.tape));
    field(out, "t", |o| o.time(trade.at));
    out.end_map();
}

fn write_option_trade<E: Emit>(out: &mut E, symbol: &str, trade: &Trade, dress: &Dressing) {
    start(out, 6, "t", symbol);
    field(out, "t", |o| o.time(trade.at));
    field(out, "p", |o| o.price(trade.price));
    field(out, "s", |o| o.integer(u64::from(trade.size)));
    field(out, "x", |o| o.text(dress.trade_exchange));
    field(out, "c", |o| o.text(option_condition(trade.rule)));
    out.end_map();
}

fn write_bar<E: Emit>(out: &mut E, kind: &str, symbol: Symbol, bar: &Bar) {
    start(out, 9, kind, symbol.as_str());
    for (key, price) in [("o", bar.open), ("h", bar.high), ("l", bar.low), ("c", bar.close)] {
        field(out, key, |o| o.price(price));
    }
    field(out, "v", |o| o.integer(bar.volume));
    field(out, "n", |o| o.integer(u64::from(bar.trades)));
    field(out, "vw", |o| o.real(average_price(bar)));
    field(out, "t", |o| o.time(bar.start));
    out.end_map();
}

/// Volume-weighted average price in dollars; the close when nothing was traded.
pub fn average_price(bar: &Bar) -> f64 {
    if bar.volume == 0 { bar.close.dollars() } else { bar.turnover.dollars() / bar.volume as f64 }
}

fn write_status<E: Emit>(out: &mut E, symbol: Symbol, status: &Status, dress: &Dressing) {
    let (code, message) = if status.halted { ("2", "Trading Halt") } else { ("3", "Resume") };
    start(out, 7, "s", symbol.as_str());
    field(out, "sc", |o| o.text(code));
    field(out, "sm", |o| o.text(message));
    field(out, "rc", |o| o.text(status.reason.as_str()));
    field(out, "rm", |o| o.text(""));
    field(out, "z", |o| o.text(dress.tape));
    field(out, "t", |o| o.time(status.at));
    out.end_map();
}
