//! MessagePack, read in place and written in the narrowest form. Timestamps are extension type -1 in its
//! three widths; any numeric form is taken for any numeric field.

use crate::control::Control;
use crate::wire::{Emit, FaultKind, Source};
use market::time::SECOND;
use market::{Price, Timestamp};
use rmp::{Marker, encode};
use serde_json::Value;

/// Extension type of timestamps.
const TIMESTAMP_TYPE: i8 = -1;
/// Nesting taken by the slow road; messages have three levels.
const DEPTH_MAX: usize = 16;

pub(crate) struct PackSource<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A number as it stands on the wire.
enum Number {
    Whole(i64),
    Large(u64),
    Real(f64),
}

impl<'a> PackSource<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    #[inline]
    fn take(&mut self, n: usize) -> Result<&'a [u8], FaultKind> {
        let end = self.at.checked_add(n).ok_or(FaultKind::Truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(FaultKind::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], FaultKind> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| FaultKind::Truncated)
    }

    #[inline]
    fn peek(&self) -> Result<Marker, FaultKind> {
        self.bytes.get(self.at).map(|b| Marker::from_u8(*b)).ok_or(FaultKind::Truncated)
    }

    /// Reads the marker; on anything but the expected type the source stays where it was.
    #[inline]
    fn marker(&mut self) -> Result<Marker, FaultKind> {
        let marker = self.peek()?;
        self.at += 1;
        Ok(marker)
    }

    fn length(&mut self, bytes: usize) -> Result<usize, FaultKind> {
        Ok(self.take(bytes)?.iter().fold(0usize, |n, b| n << 8 | usize::from(*b)))
    }

    #[inline]
    fn number(&mut self) -> Result<Number, FaultKind> {
        let start = self.at;
        Ok(match self.marker()? {
            Marker::FixPos(n) => Number::Whole(i64::from(n)),
            Marker::FixNeg(n) => Number::Whole(i64::from(n)),
            Marker::U8 => Number::Whole(i64::from(self.array::<1>()?[0])),
            Marker::U16 => Number::Whole(i64::from(u16::from_be_bytes(self.array()?))),
            Marker::U32 => Number::Whole(i64::from(u32::from_be_bytes(self.array()?))),
            Marker::U64 => Number::Large(u64::from_be_bytes(self.array()?)),
            Marker::I8 => Number::Whole(i64::from(i8::from_be_bytes(self.array()?))),
            Marker::I16 => Number::Whole(i64::from(i16::from_be_bytes(self.array()?))),
            Marker::I32 => Number::Whole(i64::from(i32::from_be_bytes(self.array()?))),
            Marker::I64 => Number::Whole(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Number::Real(f64::from(f32::from_be_bytes(self.array()?))),
            Marker::F64 => Number::Real(f64::from_be_bytes(self.array()?)),
            _ => {
                self.at = start;
                return Err(FaultKind::Expected("a number"));
            }
        })
    }

    /// The payload of an extension and its type.
    fn extension(&mut self) -> Result<(i8, &'a [u8]), FaultKind> {
        let length = match self.marker()? {
            Marker::FixExt1 => 1,
            Marker::FixExt2 => 2,
            Marker::FixExt4 => 4,
            Marker::FixExt8 => 8,
            Marker::FixExt16 => 16,
            Marker::Ext8 => self.length(1)?,
            Marker::Ext16 => self.length(2)?,
            Marker::Ext32 => self.length(4)?,
            _ => {
                self.at -= 1;
                return Err(FaultKind::Expected("a time"));
            }
        };
        let kind = self.array::<1>()?[0] as i8;
        Ok((kind, self.take(length)?))
    }
}

fn read_timestamp(payload: &[u8]) -> Option<Timestamp> {
    let (seconds, ns) = match payload.len() {
        4 => (i64::from(u32::from_be_bytes(payload.try_into().ok()?)), 0),
        8 => {
            let packed = u64::from_be_bytes(payload.try_into().ok()?);
            ((packed & ((1 << 34) - 1)) as i64, (packed >> 34) as i64)
        }
        12 => {
            let ns = u32::from_be_bytes(payload[..4].try_into().ok()?);
            (i64::from_be_bytes(payload[4..].try_into().ok()?), i64::from(ns))
        }
        _ => return None,
    };
    if ns >= SECOND {
        return None;
    }
    Some(Timestamp::from_ns(seconds.checked_mul(SECOND)?.checked_add(ns)?))
}

impl<'a> Source<'a> for PackSource<'a> {
    fn open_list(&mut self) -> Result<usize, FaultKind> {
        match self.marker()? {
            Marker::FixArray(n) => Ok(usize::from(n)),
            Marker::Array16 => self.length(2),
            Marker::Array32 => self.length(4),
            _ => {
                self.at -= 1;
                Err(FaultKind::Expected("a list"))
            }
        }
    }

    fn next_item(&mut self, counter: &mut usize) -> Result<bool, FaultKind> {
        let more = *counter > 0;
        *counter = counter.saturating_sub(1);
        Ok(more)
    }

    #[inline]
    fn open_map(&mut self) -> Result<usize, FaultKind> {
        match self.marker()? {
            Marker::FixMap(n) => Ok(usize::from(n)),
            Marker::Map16 => self.length(2),
            Marker::Map32 => self.length(4),
            _ => {
                self.at -= 1;
                Err(FaultKind::Expected("a map"))
            }
        }
    }

    #[inline]
    fn next_key(&mut self, counter: &mut usize) -> Result<Option<&'a [u8]>, FaultKind> {
        if *counter == 0 {
            return Ok(None);
        }
        *counter -= 1;
        self.text().map(Some)
    }

    #[inline]
    fn text(&mut self) -> Result<&'a [u8], FaultKind> {
        let length = match self.marker()? {
            Marker::FixStr(n) => usize::from(n),
            Marker::Str8 => self.length(1)?,
            Marker::Str16 => self.length(2)?,
            Marker::Str32 => self.length(4)?,
            _ => {
                self.at -= 1;
                return Err(FaultKind::Expected("a text"));
            }
        };
        self.take(length)
    }

    #[inline]
    fn price(&mut self) -> Result<Price, FaultKind> {
        let dollars = match self.number()? {
            Number::Real(n) => n,
            Number::Whole(n) => n as f64,
            Number::Large(n) => n as f64,
        };
        Price::nearest(dollars).ok_or(FaultKind::OutOfRange)
    }

    #[inline]
    fn integer(&mut self) -> Result<u64, FaultKind> {
        match self.number()? {
            Number::Whole(n) => u64::try_from(n).map_err(|_| FaultKind::OutOfRange),
            Number::Large(n) => Ok(n),
            // 2^53: beyond it floats skip whole numbers.
            Number::Real(n) if (0.0..9_007_199_254_740_992.0).contains(&n) => Ok(n as u64),
            Number::Real(_) => Err(FaultKind::OutOfRange),
        }
    }

    fn real(&mut self) -> Result<f64, FaultKind> {
        match self.number()? {
            Number::Whole(n) => Ok(n as f64),
            Number::Large(n) => Ok(n as f64),
            Number::Real(n) if n.is_finite() => Ok(n),
            Number::Real(_) => Err(FaultKind::OutOfRange),
        }
    }

    fn time(&mut self) -> Result<Timestamp, FaultKind> {
        let (kind, payload) = self.extension()?;
        if kind != TIMESTAMP_TYPE {
            return Err(FaultKind::BadTime);
        }
        read_timestamp(payload).ok_or(FaultKind::BadTime)
    }

    #[inline]
    fn null(&mut self) -> bool {
        let is_null = self.peek() == Ok(Marker::Null);
        self.at += usize::from(is_null);
        is_null
    }

    fn at_list(&mut self) -> bool {
        matches!(self.peek(), Ok(Marker::FixArray(_) | Marker::Array16 | Marker::Array32))
    }

    fn at_map(&mut self) -> bool {
        matches!(self.peek(), Ok(Marker::FixMap(_) | Marker::Map16 | Marker::Map32))
    }

    fn skip(&mut self) -> Result<(), FaultKind> {
        let mut left = 1u64;
        while left > 0 {
            left -= 1;
            let payload = match self.marker()? {
                Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => 0,
                Marker::U8 | Marker::I8 => 1,
                Marker::U16 | Marker::I16 | Marker::FixExt1 => 2,
                Marker::FixExt2 => 3,
                Marker::U32 | Marker::I32 | Marker::F32 => 4,
                Marker::FixExt4 => 5,
                Marker::U64 | Marker::I64 | Marker::F64 => 8,
                Marker::FixExt8 => 9,
                Marker::FixExt16 => 17,
                Marker::FixStr(n) => usize::from(n),
                Marker::Str8 | Marker::Bin8 => self.length(1)?,
                Marker::Str16 | Marker::Bin16 => self.length(2)?,
                Marker::Str32 | Marker::Bin32 => self.length(4)?,
                Marker::Ext8 => self.length(1)? + 1,
                Marker::Ext16 => self.length(2)? + 1,
                Marker::Ext32 => self.length(4)? + 1,
                container => {
                    left = left.saturating_add(self.entries(container)?);
                    0
                }
            };
            self.take(payload)?;
        }
        Ok(())
    }

    fn place(&self) -> usize {
        self.at
    }

    fn back_to(&mut self, place: usize) {
        self.at = place;
    }

    fn since(&self, place: usize) -> &'a [u8] {
        self.bytes.get(place..self.at).unwrap_or_default()
    }

    fn is_done(&mut self) -> bool {
        self.at >= self.bytes.len()
    }

    fn control(element: &[u8]) -> Option<Control> {
        Control::from_value(&to_value(element)?)
    }
}

impl PackSource<'_> {
    /// Values inside a container whose marker was just read.
    fn entries(&mut self, container: Marker) -> Result<u64, FaultKind> {
        Ok(match container {
            Marker::FixArray(n) => u64::from(n),
            Marker::Array16 => self.length(2)? as u64,
            Marker::Array32 => self.length(4)? as u64,
            Marker::FixMap(n) => 2 * u64::from(n),
            Marker::Map16 => 2 * self.length(2)? as u64,
            Marker::Map32 => 2 * self.length(4)? as u64,
            _ => return Err(FaultKind::Syntax),
        })
    }
}

/// One MessagePack value as a JSON value, for messages that are rare; extensions and binaries become null.
/// `None` when it is not exactly one value, or nested too deep.
pub fn to_value(bytes: &[u8]) -> Option<Value> {
    let mut source = PackSource::new(bytes);
    let value = read_value(&mut source, 0)?;
    source.is_done().then_some(value)
}

fn read_value(source: &mut PackSource<'_>, depth: usize) -> Option<Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    match source.peek().ok()? {
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
            let mut counter = source.open_list().ok()?;
            let mut items = Vec::new();
            while source.next_item(&mut counter).ok()? {
                items.push(read_value(source, depth + 1)?);
            }
            Some(Value::Array(items))
        }
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
            let mut counter = source.open_map().ok()?;
            let mut fields = serde_json::Map::new();
            while let Some(key) = source.next_key(&mut counter).ok()? {
                let key = std::str::from_utf8(key).ok()?.to_string();
                fields.insert(key, read_value(source, depth + 1)?);
            }
            Some(Value::Object(fields))
        }
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
            Some(Value::String(std::str::from_utf8(source.text().ok()?).ok()?.to_string()))
        }
        Marker::True | Marker::False => {
            let truth = source.peek().ok()? == Marker::True;
            source.skip().ok()?;
            Some(Value::Bool(truth))
        }
        _ => match source.number() {
            Ok(Number::Whole(n)) => Some(n.into()),
            Ok(Number::Large(n)) => Some(n.into()),
            Ok(Number::Real(n)) => Some(n.into()),
            Err(FaultKind::Expected(_)) => source.skip().ok().map(|()| Value::Null),
            Err(_) => None,
        },
    }
}

/// A JSON value as MessagePack, keys in the order of the map.
pub fn from_value(value: &Value) -> Vec<u8> {
    let mut out = PackOut::default();
    write_value(&mut out, value);
    out.bytes
}

fn write_value(out: &mut PackOut, value: &Value) {
    match value {
        Value::Null => out.bytes.push(0xc0),
        Value::Bool(truth) => out.bytes.push(if *truth { 0xc3 } else { 0xc2 }),
        Value::Number(n) => match (n.as_u64(), n.as_i64()) {
            (Some(n), _) => out.integer(n),
            (None, Some(n)) => {
                let _ = encode::write_sint(&mut out.bytes, n);
            }
            (None, None) => out.real(n.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => out.text(text),
        Value::Array(items) => {
            let _ = encode::write_array_len(&mut out.bytes, items.len() as u32);
            items.iter().for_each(|item| write_value(out, item));
        }
        Value::Object(fields) => {
            out.map(fields.len() as u32);
            for (key, field) in fields {
                out.key(key);
                write_value(out, field);
            }
        }
    }
}

/// Writes MessagePack to a growing buffer. Writing to a `Vec` cannot fail, so the results are dropped.
#[derive(Default)]
pub(crate) struct PackOut {
    pub(crate) bytes: Vec<u8>,
}

impl Emit for PackOut {
    fn map(&mut self, fields: u32) {
        let _ = encode::write_map_len(&mut self.bytes, fields);
    }
    fn end_map(&mut self) {}
    fn key(&mut self, key: &str) {
        self.text(key);
    }
    fn text(&mut self, text: &str) {
        let _ = encode::write_str(&mut self.bytes, text);
    }
    fn texts(&mut self, texts: &[&str]) {
        let _ = encode::write_array_len(&mut self.bytes, texts.len() as u32);
        texts.iter().for_each(|text| self.text(text));
    }
    fn price(&mut self, price: Price) {
        // A quotient of two exact integers is the double nearest to the decimal.
        self.real(price.dollars());
    }
    fn integer(&mut self, n: u64) {
        let _ = encode::write_uint(&mut self.bytes, n);
    }
    fn real(&mut self, n: f64) {
        let _ = encode::write_f64(&mut self.bytes, n);
    }
    fn time(&mut self, at: Timestamp) {
        let (seconds, ns) = (at.ns().div_euclid(SECOND), at.ns().rem_euclid(SECOND));
        match (u32::try_from(seconds), ns) {
            (Ok(seconds), 0) => {
                let _ = encode::write_ext_meta(&mut self.bytes, 4, TIMESTAMP_TYPE);
                self.bytes.extend_from_slice(&seconds.to_be_bytes());
            }
            _ if (0..1 << 34).contains(&seconds) => {
                let _ = encode::write_ext_meta(&mut self.bytes, 8, TIMESTAMP_TYPE);
                self.bytes.extend_from_slice(&((ns as u64) << 34 | seconds as u64).to_be_bytes());
            }
            _ => {
                let _ = encode::write_ext_meta(&mut self.bytes, 12, TIMESTAMP_TYPE);
                self.bytes.extend_from_slice(&(ns as u32).to_be_bytes());
                self.bytes.extend_from_slice(&seconds.to_be_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(at: Timestamp) -> Vec<u8> {
        let mut out = PackOut::default();
        out.time(at);
        out.bytes
    }

    #[test]
    fn timestamps_in_three_widths() {
        let whole = Timestamp::from_seconds(1_773_671_400);
        assert_eq!(packed(whole), [0xd6, 0xff, 0x69, 0xb8, 0x13, 0xe8]);
        assert_eq!(packed(whole + 123_456_789), [0xd7, 0xff, 0x1d, 0x6f, 0x34, 0x54, 0x69, 0xb8, 0x13, 0xe8]);
        let before = Timestamp::from_ns(-1);
        assert_eq!(packed(before).len(), 15);
        assert_eq!(PackSource::new(&packed(before)).time(), Ok(before));
        // Every width is read, the widest also for a time that needs none of it.
        let mut wide = vec![0xc7, 12, 0xff];
        wide.extend(123_456_789u32.to_be_bytes());
        wide.extend(1_773_671_400i64.to_be_bytes());
        assert_eq!(PackSource::new(&wide).time(), Ok(whole + 123_456_789));
        assert_eq!(PackSource::new(&[0xd6, 0x01, 0, 0, 0, 0]).time(), Err(FaultKind::BadTime));
    }

    #[test]
    fn any_numeric_form_for_any_field() {
        let four: [&[u8]; 6] = [
            &[4],
            &[0xcc, 4],
            &[0xd1, 0, 4],
            &[0xcf, 0, 0, 0, 0, 0, 0, 0, 4],
            &[0xca, 0x40, 0x80, 0, 0],
            &[0xcb, 0x40, 0x10, 0, 0, 0, 0, 0, 0],
        ];
        for form in four {
            assert_eq!(PackSource::new(form).integer(), Ok(4), "{form:x?}");
            assert_eq!(PackSource::new(form).price(), Ok(Price::from_cents(400)), "{form:x?}");
        }
        let nan = [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0];
        assert_eq!(PackSource::new(&nan).price(), Err(FaultKind::OutOfRange));
        assert_eq!(PackSource::new(&nan).integer(), Err(FaultKind::OutOfRange));
    }

    proptest! {
        #[test]
        fn timestamps_round_trip(ns in proptest::num::i64::ANY) {
            let at = Timestamp::from_ns(ns);
            let bytes = packed(at);
            // The first and last second of the range do not survive the detour over whole seconds.
            prop_assume!(ns > i64::MIN + SECOND && ns < i64::MAX - SECOND);
            prop_assert_eq!(PackSource::new(&bytes).time(), Ok(at));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            let _ = to_value(&bytes);
            let _ = PackSource::new(&bytes).skip();
        }
    }
}
