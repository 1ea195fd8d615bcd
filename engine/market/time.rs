//! Nanosecond UTC timestamps, calendar dates, and New York local time by the United States' daylight-saving
//! law. Time is always handed in: nothing here asks a clock.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

/// One microsecond in nanoseconds.
pub const US: i64 = 1_000;
/// One millisecond in nanoseconds.
pub const MS: i64 = 1_000_000;
/// One second in nanoseconds.
pub const SECOND: i64 = 1_000_000_000;
/// One minute in nanoseconds.
pub const MINUTE: i64 = 60 * SECOND;
/// One hour in nanoseconds.
pub const HOUR: i64 = 60 * MINUTE;
/// One calendar day of 24 hours in nanoseconds.
pub const DAY: i64 = 24 * HOUR;

/// An instant: nanoseconds since 1970-01-01T00:00:00 UTC.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest instant: "before everything".
    pub const MIN: Self = Self(i64::MIN);
    /// The latest instant: "never".
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds since the epoch.
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }
    /// From whole seconds since the epoch, saturating.
    pub const fn from_seconds(s: i64) -> Self {
        Self(s.saturating_mul(SECOND))
    }
    /// Nanoseconds since the epoch.
    pub const fn ns(self) -> i64 {
        self.0
    }
    /// Nanoseconds from `earlier` to `self`, negative when `earlier` is later; saturating.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
    /// The UTC date.
    pub const fn utc_date(self) -> Date {
        Date(self.0.div_euclid(DAY) as i32)
    }
    /// The New York date and the nanoseconds since its midnight (wall clock).
    pub fn new_york(self) -> (Date, i64) {
        let local = self.0 + i64::from(new_york_offset_seconds(self)) * SECOND;
        (Date(local.div_euclid(DAY) as i32), local.rem_euclid(DAY))
    }
    /// Reads RFC 3339 with up to nine fractional digits and `Z` or an offset; `None` when it is not that.
    pub fn parse_rfc3339(text: &[u8]) -> Option<Self> {
        parse_rfc3339(text)
    }
}

impl Add<i64> for Timestamp {
    type Output = Self;
    /// Moves by nanoseconds, saturating.
    fn add(self, ns: i64) -> Self {
        Self(self.0.saturating_add(ns))
    }
}

impl Sub<i64> for Timestamp {
    type Output = Self;
    /// Moves back by nanoseconds, saturating.
    fn sub(self, ns: i64) -> Self {
        Self(self.0.saturating_sub(ns))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with as many of nine fractional digits as are needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, of_day) = (self.utc_date(), self.0.rem_euclid(DAY));
        let (seconds, mut fraction) = (of_day / SECOND, of_day % SECOND);
        write!(f, "{date}T{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        if fraction != 0 {
            let mut width = 9;
            while fraction % 10 == 0 {
                fraction /= 10;
                width -= 1;
            }
            write!(f, ".{fraction:0width$}")?;
        }
        f.write_str("Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A calendar date: days since 1970-01-01 in the proleptic Gregorian calendar.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
)]
pub struct Date(i32);

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weekday {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

impl Date {
    /// From days since 1970-01-01.
    pub const fn from_days(days: i32) -> Self {
        Self(days)
    }
    /// Days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.0
    }
    /// From year, month 1-12 and day 1-31; `None` when there is no such day.
    pub const fn from_ymd(year: i32, month: u32, day: u32) -> Option<Self> {
        if month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        Some(Self(days_from_civil(year, month, day)))
    }
    /// A date known when the program is written; panics (in a `const`: does not compile) when there is
    /// no such day.
    pub const fn literal(year: i32, month: u32, day: u32) -> Self {
        match Self::from_ymd(year, month, day) {
            Some(date) => date,
            None => panic!("no such day"),
        }
    }
    /// Year, month 1-12, day 1-31. Algorithm: H. Hinnant, `civil_from_days`.
    pub const fn ymd(self) -> (i32, u32, u32) {
        let z = self.0 + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        (yoe + era * 400 + if month <= 2 { 1 } else { 0 }, month as u32, day as u32)
    }
    /// The day of the week.
    pub const fn weekday(self) -> Weekday {
        // 1970-01-01 was a Thursday.
        match (self.0 + 3).rem_euclid(7) {
            0 => Weekday::Monday,
            1 => Weekday::Tuesday,
            2 => Weekday::Wednesday,
            3 => Weekday::Thursday,
            4 => Weekday::Friday,
            5 => Weekday::Saturday,
            _ => Weekday::Sunday,
        }
    }
    /// The date `days` later (earlier when negative).
    pub const fn plus(self, days: i32) -> Self {
        Self(self.0 + days)
    }
    /// Days from `earlier` to `self`.
    pub const fn days_since(self, earlier: Self) -> i32 {
        self.0 - earlier.0
    }
    /// The instant at which New York clocks show `seconds` after midnight on this date. A local time that
    /// daylight saving skips or repeats takes the offset in force before the change; no session touches one.
    pub fn at_new_york(self, seconds: i64) -> Timestamp {
        let as_utc = i64::from(self.0) * DAY + seconds * SECOND;
        let guess = Timestamp(as_utc + 5 * HOUR);
        let offset = i64::from(new_york_offset_seconds(guess - HOUR));
        Timestamp(as_utc - offset * SECOND)
    }
    /// UTC midnight at the start of this date.
    pub const fn midnight_utc(self) -> Timestamp {
        Timestamp(self.0 as i64 * DAY)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (y, m, d) = self.ymd();
        write!(f, "{y:04}-{m:02}-{d:02}")
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a date of the form `YYYY-MM-DD`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a date (YYYY-MM-DD)")]
pub struct BadDate(pub String);

impl FromStr for Date {
    type Err = BadDate;
    fn from_str(text: &str) -> Result<Self, BadDate> {
        let b = text.as_bytes();
        let parsed = if b.len() == 10 && b[4] == b'-' && b[7] == b'-' {
            match (digits(&b[..4]), digits(&b[5..7]), digits(&b[8..])) {
                (Some(y), Some(m), Some(d)) => Self::from_ymd(y as i32, m as u32, d as u32),
                _ => None,
            }
        } else {
            None
        };
        parsed.ok_or_else(|| BadDate(text.chars().take(40).collect()))
    }
}

impl serde::Serialize for Date {
    /// Text where people read it, the bare number in a binary format.
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if !s.is_human_readable() {
            return serde::Serialize::serialize(&self.0, s);
        }
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Date {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if !d.is_human_readable() {
            return serde::Deserialize::deserialize(d).map(Self);
        }
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl serde::Serialize for Timestamp {
    /// Text where people read it, the bare number in a binary format.
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if !s.is_human_readable() {
            return serde::Serialize::serialize(&self.0, s);
        }
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if !d.is_human_readable() {
            return serde::Deserialize::deserialize(d).map(Self);
        }
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        Self::parse_rfc3339(text.as_bytes())
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not an RFC 3339 time")))
    }
}

const fn days_from_civil(year: i32, month: u32, day: u32) -> i32 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = (month as i32 + 9) % 12;
    let doy = (153 * mp + 2) / 5 + day as i32 - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

const fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Seconds that New York is ahead of UTC (negative): -4 h in daylight time, -5 h otherwise.
/// Law: Energy Policy Act of 2005 from 2007 on; from 1987 the first Sunday of April to the last of October;
/// before that (1967 on) the last Sundays of April and October. Holds for the years the calendar covers.
pub fn new_york_offset_seconds(at: Timestamp) -> i32 {
    let (year, _, _) = at.utc_date().ymd();
    let (start, end) = match year {
        2007.. => (nth_sunday(year, 3, 2), nth_sunday(year, 11, 1)),
        1987..=2006 => (nth_sunday(year, 4, 1), last_sunday(year, 10)),
        _ => (last_sunday(year, 4), last_sunday(year, 10)),
    };
    // 02:00 standard time is 07:00 UTC; 02:00 daylight time is 06:00 UTC.
    let starts = start.midnight_utc() + 7 * HOUR;
    let ends = end.midnight_utc() + 6 * HOUR;
    if at >= starts && at < ends { -4 * 3600 } else { -5 * 3600 }
}

fn nth_sunday(year: i32, month: u32, n: i32) -> Date {
    let first = Date(days_from_civil(year, month, 1));
    let to_sunday = 6 - first.weekday() as i32;
    first.plus(to_sunday + 7 * (n - 1))
}

fn last_sunday(year: i32, month: u32) -> Date {
    let last = Date(days_from_civil(year, month, days_in_month(year, month)));
    last.plus(-((last.weekday() as i32 + 1) % 7))
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
}

fn parse_rfc3339(b: &[u8]) -> Option<Timestamp> {
    if b.len() < 20 || b[4] != b'-' || b[7] != b'-' || b[13] != b':' || b[16] != b':' {
        return None;
    }
    if !matches!(b[10], b'T' | b't' | b' ') {
        return None;
    }
    let date = Date::from_ymd(digits(&b[..4])? as i32, digits(&b[5..7])? as u32, digits(&b[8..10])? as u32)?;
    let (hour, minute, second) = (digits(&b[11..13])?, digits(&b[14..16])?, digits(&b[17..19])?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = &b[19..];
    let mut fraction = 0i64;
    if rest[0] == b'.' {
        let count = rest[1..].iter().take_while(|c| c.is_ascii_digit()).count();
        if count == 0 {
            return None;
        }
        let kept = count.min(9);
        fraction = digits(&rest[1..=kept])? * 10i64.pow(9 - kept as u32);
        rest = &rest[1 + count..];
    }
    let offset_seconds = match rest {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), zone @ ..] if zone.len() == 5 && zone[2] == b':' => {
            let (h, m) = (digits(&zone[..2])?, digits(&zone[3..])?);
            if h > 23 || m > 59 {
                return None;
            }
            (h * 3600 + m * 60) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    let seconds = i64::from(date.days()) * 86_400 + hour * 3600 + minute * 60 + second - offset_seconds;
    Some(Timestamp(seconds.checked_mul(SECOND)?.checked_add(fraction)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_both_spellings_of_the_broker() {
        let z = Timestamp::parse_rfc3339(b"2026-03-16T14:30:00.123456789Z");
        let local = Timestamp::parse_rfc3339(b"2026-03-16T10:30:00.123456789-04:00");
        assert_eq!(z, local);
        assert_eq!(z.map(Timestamp::ns), Some(1_773_671_400_123_456_789));
        for bad in [
            "",
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-03-16T14:30:00",
            "2026-03-16T14:30:00.Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(ns in -2_000_000_000_000_000_000i64..4_000_000_000_000_000_000) {
            let t = Timestamp::from_ns(ns);
            prop_assert_eq!(Timestamp::parse_rfc3339(t.to_string().as_bytes()), Some(t));
        }

        /// The law written here against the IANA database (jiff carries a copy).
        #[test]
        fn new_york_agrees_with_the_zone_database(s in 0i64..2_200_000_000) {
            let zone = jiff::tz::TimeZone::get("America/New_York").expect("bundled");
            let theirs = jiff::Timestamp::from_second(s).expect("in range").to_zoned(zone.clone());
            // 1974-75 had year-round daylight time by emergency law; no session data reaches back there.
            prop_assume!(theirs.year() > 1976);
            let t = Timestamp::from_seconds(s);
            prop_assert_eq!(new_york_offset_seconds(t), theirs.offset().seconds());
            let (date, of_day) = t.new_york();
            prop_assert_eq!(date.to_string(), theirs.date().to_string());
            if !(HOUR..3 * HOUR).contains(&of_day) {
                prop_assert_eq!(date.at_new_york(of_day / SECOND), t);
            }
        }
    }
}
