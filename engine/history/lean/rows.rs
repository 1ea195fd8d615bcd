//! Zips, members, lines and fields: one member in memory at a time, fields read in place.

use super::Error;
use market::quote::{Bar, Level};
use market::time::MS;
use market::{Money, Price, Timestamp};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use zip::ZipArchive;

/// What one row says is wrong with it.
pub(super) type Fault = String;

/// Reads every row of every member. `start` is called with a member's name and makes the state its rows are read
/// with (`None`: the name is no contract); `row` is called for each line. Returns the number of rows.
pub(super) fn each_row<S>(
    file: &Path,
    mut start: impl FnMut(&str) -> Option<S>,
    mut row: impl FnMut(&mut S, &mut Fields<'_>) -> Result<(), Fault>,
) -> Result<u64, Error> {
    let opened = File::open(file).map_err(|source| Error::Open { file: file.into(), source })?;
    let damaged = |member: &str, source| Error::Zip { file: file.into(), member: member.into(), source };
    let mut archive = ZipArchive::new(BufReader::new(opened)).map_err(|e| damaged("directory", e))?;
    let mut bytes = Vec::new();
    let mut count = 0;
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(|e| damaged(&format!("member {index}"), e))?;
        let name = member.name().map_err(|e| damaged(&format!("member {index}"), e))?.into_owned();
        bytes.clear();
        member.read_to_end(&mut bytes).map_err(|e| damaged(&name, e.into()))?;
        let mut state =
            start(&name).ok_or_else(|| Error::Member { file: file.into(), member: name.clone() })?;
        for (i, line) in lines(&bytes) {
            row(&mut state, &mut Fields { rest: Some(line) }).map_err(|what| Error::Row {
                file: file.into(),
                member: name.clone(),
                line: i,
                what,
            })?;
            count += 1;
        }
    }
    Ok(count)
}

/// Lines with their number from 1; blank ones are left out, and a carriage return at the end is cut.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let numbered = (1u32..).zip(bytes.split(|b| *b == b'\n'));
    numbered.map(|(i, line)| (i, line.trim_ascii_end())).filter(|(_, line)| !line.is_empty())
}

/// The fields of one row, taken from left to right.
pub(super) struct Fields<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    /// The next field, blank or not.
    pub(super) fn next(&mut self, name: &str) -> Result<&'a [u8], Fault> {
        let rest = self.rest.ok_or_else(|| format!("ends before {name}"))?;
        let (field, after) = match rest.iter().position(|b| *b == b',') {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        self.rest = after;
        Ok(field.trim_ascii())
    }

    /// A whole number.
    pub(super) fn number(&mut self, name: &str) -> Result<u64, Fault> {
        let field = self.next(name)?;
        whole(field).ok_or_else(|| bad(name, field, "a whole number"))
    }

    /// A whole number of at most 32 bits.
    pub(super) fn size(&mut self, name: &str) -> Result<u32, Fault> {
        let field = self.next(name)?;
        let size = whole(field).and_then(|n| u32::try_from(n).ok());
        size.ok_or_else(|| bad(name, field, "a whole number below 4,294,967,296"))
    }

    /// Flags written in hexadecimal; blank is none.
    pub(super) fn flags(&mut self, name: &str) -> Result<u32, Fault> {
        let field = self.next(name)?;
        if field.is_empty() {
            return Ok(0);
        }
        let text = std::str::from_utf8(field).ok().and_then(|t| u32::from_str_radix(t, 16).ok());
        text.ok_or_else(|| bad(name, field, "flags in hexadecimal"))
    }

    /// A price in ten-thousandths of a dollar; blank or zero is none.
    pub(super) fn price(&mut self, name: &str, unit: PriceUnit) -> Result<Option<Price>, Fault> {
        let field = self.next(name)?;
        if field.is_empty() {
            return Ok(None);
        }
        let units = unit.read(field).ok_or_else(|| bad(name, field, unit.meaning()))?;
        Ok((units > 0).then(|| Price::from_units(units)))
    }

    /// Open, high, low, close and volume; `None` when a price is zero, which is no price to trade at.
    pub(super) fn bar(&mut self, start: Timestamp, unit: PriceUnit) -> Result<Option<Bar>, Fault> {
        let mut price = |name| self.price(name, unit);
        let prices = (price("open")?, price("high")?, price("low")?, price("close")?);
        let volume = self.number("volume")?;
        let (Some(open), Some(high), Some(low), Some(close)) = prices else { return Ok(None) };
        if high < low.max(open).max(close) || low > open.min(close) {
            return Err(format!("open {open} or close {close} is not between low {low} and high {high}"));
        }
        // The source gives no volume-weighted price; the typical price stands in for it.
        let typical = (high.units() + low.units() + close.units()) / 3;
        let shares = i64::try_from(volume).unwrap_or(i64::MAX);
        let turnover = Money::from_micros(typical.saturating_mul(100).saturating_mul(shares));
        Ok(Some(Bar { start, open, high, low, close, volume, trades: 0, turnover, repaired: false }))
    }

    /// One side of a quote bar: the close and the last size are what stands at its end.
    pub(super) fn closing_level(&mut self, side: &str) -> Result<Option<Level>, Fault> {
        for _ in 0..3 {
            self.next(side)?;
        }
        let price = self.price(side, PriceUnit::TenThousandths)?;
        let size = self.size(side)?;
        Ok(price.map(|price| Level { price, size }))
    }
}

/// How a file writes prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PriceUnit {
    /// Integers of a ten-thousandth of a dollar.
    TenThousandths,
    /// Plain decimal points (`index/`).
    Points,
}

impl PriceUnit {
    fn read(self, field: &[u8]) -> Option<i64> {
        match self {
            Self::TenThousandths => whole(field).and_then(|n| i64::try_from(n).ok()),
            Self::Points => std::str::from_utf8(field).ok()?.parse::<Price>().ok().map(Price::units),
        }
    }
    const fn meaning(self) -> &'static str {
        match self {
            Self::TenThousandths => "a price in whole ten-thousandths of a dollar",
            Self::Points => "a price in points",
        }
    }
}

fn whole(field: &[u8]) -> Option<u64> {
    if field.is_empty() || field.len() > 18 {
        return None;
    }
    field.iter().try_fold(0u64, |n, b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))
}

fn bad(name: &str, field: &[u8], meaning: &str) -> Fault {
    let shown: String = String::from_utf8_lossy(field).chars().take(40).collect();
    format!("{name} is `{shown}`, not {meaning}")
}

/// Milliseconds since local midnight of the file's date, as an instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Midnight(pub(super) Timestamp);

impl Midnight {
    pub(super) fn row_time(self, fields: &mut Fields<'_>) -> Result<Timestamp, Fault> {
        let ms = fields.number("time")?;
        if ms >= 86_400_000 {
            return Err(format!("time is `{ms}`, not milliseconds of one day"));
        }
        Ok(self.0 + ms as i64 * MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(line: &str) -> Fields<'_> {
        Fields { rest: Some(line.as_bytes()) }
    }

    #[test]
    fn a_blank_or_zero_price_is_absent_and_anything_else_is_named() {
        let unit = PriceUnit::TenThousandths;
        assert_eq!(fields("").price("bid", unit), Ok(None));
        assert_eq!(fields("0").price("bid", unit), Ok(None));
        assert_eq!(fields("1529000").price("bid", unit), Ok(Some(Price::from_cents(15_290))));
        let fault = fields("-3").price("bid", unit).expect_err("negative");
        assert_eq!(fault, "bid is `-3`, not a price in whole ten-thousandths of a dollar");
        assert_eq!(fields("3764.61").price("open", PriceUnit::Points), Ok(Some(Price::from_cents(376_461))));
        let mut short = fields("1");
        assert_eq!(short.number("time"), Ok(1));
        assert_eq!(short.number("size"), Err("ends before size".into()));
        assert!(fields("4294967296").size("size").is_err());
        assert_eq!(fields("20000020").flags("condition"), Ok(0x2000_0020));
    }
}
