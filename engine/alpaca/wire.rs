//! What both encodings of the market-data streams share: what a decoded frame holds, what can be wrong with
//! it, and the two small traits (read a value, write a value) that let every message be written down once.

use crate::control::Control;
use market::quote::MarketEvent;
use market::{Price, Timestamp};

/// How messages are encoded. The `Content-Type` of the upgrade request decides, for both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Text frames of JSON.
    Json,
    /// Binary frames of MessagePack; the only one options have.
    MsgPack,
}

/// The value of `Content-Type` that asks for MessagePack.
pub const MSGPACK_CONTENT_TYPE: &str = "application/msgpack";

impl Encoding {
    /// The encoding an upgrade request asks for by its `Content-Type`.
    pub fn from_content_type(content_type: Option<&str>) -> Self {
        match content_type {
            Some(text) if text.trim().eq_ignore_ascii_case(MSGPACK_CONTENT_TYPE) => Self::MsgPack,
            _ => Self::Json,
        }
    }
}

/// Which market-data stream a frame belongs to: the same letters mean slightly different things on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFeed {
    /// Shares.
    Stocks,
    /// Option contracts.
    Options,
}

/// One thing found in a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// Market data.
    Event(MarketEvent),
    /// A word about the session itself.
    Control(Control),
    /// An element that could not be read; the rest of the frame goes on.
    Fault(WireFault),
}

/// What is wrong with a frame, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("element {element}, byte {at}: {kind}")]
pub struct WireFault {
    /// What is wrong.
    pub kind: FaultKind,
    /// Offset in the frame, in bytes.
    pub at: usize,
    /// Which element of the frame, from 0.
    pub element: usize,
}

/// What can be wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// The frame ends in the middle of a value.
    #[error("the frame ends in the middle of a value")]
    Truncated,
    /// The bytes are not of the encoding.
    #[error("not valid in this encoding")]
    Syntax,
    /// A value of another type was expected.
    #[error("expected {0}")]
    Expected(&'static str),
    /// NaN or infinite, or beyond any price or size.
    #[error("a number out of range (or not a number)")]
    OutOfRange,
    /// A price or size below zero, or a trade at zero.
    #[error("`{0}` must not be zero or negative here")]
    NotPositive(&'static str),
    /// Not a time.
    #[error("not a time")]
    BadTime,
    /// Not a ticker, or not an OCC symbol where one is due.
    #[error("not a symbol of this feed")]
    BadSymbol,
    /// A field that must be there is missing.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A control message that makes no sense.
    #[error("not a control message")]
    BadControl,
    /// Nested deeper than any message is.
    #[error("nested too deep")]
    TooDeep,
    /// Something follows the message.
    #[error("something follows the message")]
    Trailing,
}

/// Reads values one after the other out of a frame. The counter handed around by lists and maps belongs to
/// the source: how many are left in MessagePack, whether one was read in JSON.
pub(crate) trait Source<'a> {
    /// Enters a list.
    fn open_list(&mut self) -> Result<usize, FaultKind>;
    /// Moves to the next item; false at the list's end.
    fn next_item(&mut self, counter: &mut usize) -> Result<bool, FaultKind>;
    /// Enters a map.
    fn open_map(&mut self) -> Result<usize, FaultKind>;
    /// Reads the next key; none at the map's end.
    fn next_key(&mut self, counter: &mut usize) -> Result<Option<&'a [u8]>, FaultKind>;
    /// Reads a text; escapes, if any, stay as they are.
    fn text(&mut self) -> Result<&'a [u8], FaultKind>;
    /// Reads a number as a price, rounded to the nearest ten-thousandth.
    fn price(&mut self) -> Result<Price, FaultKind>;
    /// Reads a number of any form as a whole number; a fraction is cut off.
    fn integer(&mut self) -> Result<u64, FaultKind>;
    /// Reads a number as a finite float.
    fn real(&mut self) -> Result<f64, FaultKind>;
    /// Reads a time.
    fn time(&mut self) -> Result<Timestamp, FaultKind>;
    /// Takes a null when there is one.
    fn null(&mut self) -> bool;
    /// True when a list comes next.
    fn at_list(&mut self) -> bool;
    /// True when a map comes next.
    fn at_map(&mut self) -> bool;
    /// Passes over one value of any type.
    fn skip(&mut self) -> Result<(), FaultKind>;
    /// Where the source stands.
    fn place(&self) -> usize;
    /// Goes back to a place it stood at.
    fn back_to(&mut self, place: usize);
    /// The bytes from a place to here.
    fn since(&self, place: usize) -> &'a [u8];
    /// True when nothing but blanks follows.
    fn is_done(&mut self) -> bool;
    /// A control message out of the bytes of one element.
    fn control(element: &[u8]) -> Option<Control>;
}

/// Writes values one after the other. `end_map` closes what `map` opened; keys and values alternate between.
pub(crate) trait Emit {
    /// Starts a map of that many fields.
    fn map(&mut self, fields: u32);
    /// Ends it.
    fn end_map(&mut self);
    /// Writes a key.
    fn key(&mut self, key: &str);
    /// Writes a text.
    fn text(&mut self, text: &str);
    /// Writes a list of texts.
    fn texts(&mut self, texts: &[&str]);
    /// Writes a price as a number.
    fn price(&mut self, price: Price);
    /// Writes a whole number.
    fn integer(&mut self, n: u64);
    /// Writes a float.
    fn real(&mut self, n: f64);
    /// Writes a time.
    fn time(&mut self, at: Timestamp);
}
