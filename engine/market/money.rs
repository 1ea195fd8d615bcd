//! Fixed-point money. A [`Price`] is per share or per unit, in ten-thousandths of a dollar; [`Money`] is an
//! amount, in millionths. Both are integers, so accounting is exact; rounding happens only in the methods
//! that say so in their names.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};
use std::str::FromStr;

/// Dollars per share (or per unit of a multi-leg order) in steps of 0.0001. Signed: a multi-leg net price
/// is positive when we pay and negative when we receive.
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
pub struct Price(i64);

/// An amount of dollars in steps of 0.000001. Positive is ours.
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
pub struct Money(i64);

/// The text is not a decimal number in range, or has more decimals than the type keeps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an amount in dollars with at most {1} decimals")]
pub struct BadAmount(pub String, pub u32);

impl Price {
    /// Zero dollars.
    pub const ZERO: Self = Self(0);
    /// Units in a dollar.
    pub const PER_DOLLAR: i64 = 10_000;
    /// One cent.
    pub const CENT: Self = Self(100);

    /// From ten-thousandths of a dollar.
    pub const fn from_units(units: i64) -> Self {
        Self(units)
    }
    /// Ten-thousandths of a dollar.
    pub const fn units(self) -> i64 {
        self.0
    }
    /// From whole cents.
    pub const fn from_cents(cents: i64) -> Self {
        Self(cents * 100)
    }
    /// The nearest price to a number of dollars (half away from zero); `None` when it is NaN, infinite or
    /// beyond +-100 million dollars.
    #[inline]
    pub fn nearest(dollars: f64) -> Option<Self> {
        if dollars.abs() <= 1e8 { Some(Self((dollars * 1e4).round() as i64)) } else { None }
    }
    /// The largest price taken from outside, either way: 100 million dollars. Beyond it no product with a quantity
    /// could be trusted to fit.
    pub const LARGEST: Self = Self(100_000_000 * Self::PER_DOLLAR);
    /// Dollars, for analytics only.
    #[inline]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / 1e4
    }
    /// This price times shares (or contracts x multiplier): exact.
    pub const fn times(self, quantity: i64) -> Money {
        Money(self.0 * 100 * quantity)
    }
    /// Rounded down (toward minus infinity) to a multiple of `tick`: the passive side for a buyer, whether
    /// the net is a debit or a credit.
    pub const fn floor_to(self, tick: Self) -> Self {
        Self(self.0.div_euclid(tick.0) * tick.0)
    }
    /// Rounded up to a multiple of `tick`: the passive side for a seller.
    pub const fn ceil_to(self, tick: Self) -> Self {
        Self(-(-self.0).div_euclid(tick.0) * tick.0)
    }
    /// The size without the sign.
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }
}

impl Money {
    /// Zero dollars.
    pub const ZERO: Self = Self(0);
    /// Units in a dollar.
    pub const PER_DOLLAR: i64 = 1_000_000;
    /// Units in a cent.
    pub const PER_CENT: i64 = 10_000;
    /// The largest amount: "unlimited", as the loss of a naked short.
    pub const MAX: Self = Self(i64::MAX);

    /// From millionths of a dollar.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }
    /// Millionths of a dollar.
    pub const fn micros(self) -> i64 {
        self.0
    }
    /// From whole cents.
    pub const fn from_cents(cents: i64) -> Self {
        Self(cents * Self::PER_CENT)
    }
    /// From whole dollars.
    pub const fn from_dollars(dollars: i64) -> Self {
        Self(dollars * Self::PER_DOLLAR)
    }
    /// The nearest amount to a number of dollars; `None` when it is NaN, infinite or beyond +-1e12.
    pub fn nearest(dollars: f64) -> Option<Self> {
        if dollars.abs() <= 1e12 { Some(Self((dollars * 1e6).round() as i64)) } else { None }
    }
    /// Dollars, for analytics and display only.
    pub fn dollars(self) -> f64 {
        self.0 as f64 / 1e6
    }
    /// Rounded up (toward plus infinity) to the cent: how a broker charges fees.
    pub const fn ceil_to_cent(self) -> Self {
        Self(-(-self.0).div_euclid(Self::PER_CENT) * Self::PER_CENT)
    }
    /// Rounded to the nearest cent, half away from zero.
    pub const fn round_to_cent(self) -> Self {
        let half = Self::PER_CENT / 2;
        let up = (self.0.abs() + half) / Self::PER_CENT * Self::PER_CENT;
        Self(if self.0 < 0 { -up } else { up })
    }
    /// This amount times a fraction in basis points (1/10,000), toward zero.
    pub const fn bps(self, bps: i64) -> Self {
        Self((self.0 as i128 * bps as i128 / 10_000) as i64)
    }
    /// The size without the sign.
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }
    /// Sum that stays at the bound instead of overflowing, so that "unlimited" stays unlimited.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
    /// Product that stays at the bound instead of overflowing.
    pub const fn saturating_mul(self, n: i64) -> Self {
        Self(self.0.saturating_mul(n))
    }
}

macro_rules! arithmetic {
    ($t:ty) => {
        impl Add for $t {
            type Output = Self;
            fn add(self, o: Self) -> Self {
                Self(self.0 + o.0)
            }
        }
        impl Sub for $t {
            type Output = Self;
            fn sub(self, o: Self) -> Self {
                Self(self.0 - o.0)
            }
        }
        impl Neg for $t {
            type Output = Self;
            fn neg(self) -> Self {
                Self(-self.0)
            }
        }
        impl Mul<i64> for $t {
            type Output = Self;
            fn mul(self, n: i64) -> Self {
                Self(self.0 * n)
            }
        }
        impl AddAssign for $t {
            fn add_assign(&mut self, o: Self) {
                self.0 += o.0;
            }
        }
        impl SubAssign for $t {
            fn sub_assign(&mut self, o: Self) {
                self.0 -= o.0;
            }
        }
        impl Sum for $t {
            fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
                items.fold(Self(0), |a, b| a + b)
            }
        }
        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl serde::Serialize for $t {
            /// Text where people read it, the bare number in a binary format.
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.collect_str(self) } else { s.serialize_i64(self.0) }
            }
        }
        impl<'de> serde::Deserialize<'de> for $t {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if !d.is_human_readable() {
                    return serde::Deserialize::deserialize(d).map(Self);
                }
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
arithmetic!(Price);
arithmetic!(Money);

fn write_decimal(f: &mut fmt::Formatter<'_>, units: i64, decimals: usize) -> fmt::Result {
    let scale = 10u64.pow(decimals as u32);
    let size = units.unsigned_abs();
    let mut text = format!("{:0decimals$}", size % scale);
    while text.len() > 2 && text.ends_with('0') {
        text.pop();
    }
    f.pad_integral(units >= 0, "", &format!("{}.{text}", size / scale))
}

impl fmt::Display for Price {
    /// Plain decimal with two to four decimals: `-1.15`, `12.3456`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0, 4)
    }
}

impl fmt::Display for Money {
    /// Plain decimal with two to six decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0, 6)
    }
}

fn parse_decimal(text: &str, decimals: u32) -> Option<i64> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals as usize {
        return None;
    }
    let mut units = 0i64;
    for c in whole.bytes().chain(fraction.bytes()) {
        if !c.is_ascii_digit() {
            return None;
        }
        units = units.checked_mul(10)?.checked_add(i64::from(c - b'0'))?;
    }
    units = units.checked_mul(10i64.pow(decimals - fraction.len() as u32))?;
    Some(if negative { -units } else { units })
}

impl FromStr for Price {
    type Err = BadAmount;
    /// Reads a plain decimal, exactly.
    fn from_str(text: &str) -> Result<Self, BadAmount> {
        parse_decimal(text, 4).map(Self).ok_or_else(|| BadAmount(text.chars().take(40).collect(), 4))
    }
}

impl FromStr for Money {
    type Err = BadAmount;
    /// Reads a plain decimal, exactly.
    fn from_str(text: &str) -> Result<Self, BadAmount> {
        parse_decimal(text, 6).map(Self).ok_or_else(|| BadAmount(text.chars().take(40).collect(), 6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rounding_says_what_it_does() {
        let tick = Price::from_cents(5);
        assert_eq!(Price::from_units(-11_520).floor_to(tick), Price::from_cents(-120));
        assert_eq!(Price::from_units(-11_520).ceil_to(tick), Price::from_cents(-115));
        assert_eq!(Money::from_micros(100_001).ceil_to_cent(), Money::from_cents(11));
        assert_eq!(Money::from_micros(-15_000).round_to_cent(), Money::from_cents(-2));
        assert_eq!(Price::from_cents(-115).times(200), Money::from_dollars(-230));
        assert_eq!(Price::nearest(f64::NAN), None);
        assert_eq!(Price::nearest(4.15), Some(Price::from_cents(415)));
    }

    proptest! {
        #[test]
        fn text_round_trips(units in -1_000_000_000_000i64..1_000_000_000_000) {
            prop_assert_eq!(Price(units).to_string().parse(), Ok(Price(units)));
            prop_assert_eq!(Money(units).to_string().parse(), Ok(Money(units)));
        }
    }
}
