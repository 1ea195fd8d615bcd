//! The broker's decimals: strings on the way out, strings or numbers on the way in, exact to nine decimals.

use market::{Money, Price};
use std::fmt;
use std::str::FromStr;

/// A decimal number in steps of 1e-9. Serialised as a string with no more digits than it needs (`"-1.15"`,
/// `"100000"`), read from a string or a JSON number; decimals beyond the ninth are rounded half away from
/// zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(i128);

const SCALE: i128 = 1_000_000_000;
const DECIMALS: usize = 9;
/// Largest size taken from outside: 1e18 units before the point, far from overflow in any sum.
const LARGEST: i128 = SCALE * 1_000_000_000_000_000_000;

/// The text is not a decimal number the broker could have meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a decimal number")]
pub struct BadDecimal(pub String);

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// A whole number.
    pub const fn whole(n: i64) -> Self {
        Self(n as i128 * SCALE)
    }
    /// From billionths.
    pub const fn from_billionths(n: i128) -> Self {
        Self(n)
    }
    /// In billionths.
    pub const fn billionths(self) -> i128 {
        self.0
    }
    /// The nearest decimal to a float; `None` when it is NaN, infinite or beyond 1e18.
    pub fn nearest(value: f64) -> Option<Self> {
        if value.abs() <= 1e18 { Some(Self((value * 1e9).round() as i128)) } else { None }
    }
    /// The whole number it is; `None` when it has a fraction or does not fit.
    pub fn to_whole(self) -> Option<i64> {
        if self.0 % SCALE == 0 { i64::try_from(self.0 / SCALE).ok() } else { None }
    }
    /// The nearest price (half away from zero); `None` beyond +-[`Price::LARGEST`].
    pub fn to_price(self) -> Option<Price> {
        let price = self.in_steps_of(SCALE / i128::from(Price::PER_DOLLAR)).map(Price::from_units);
        price.filter(|price| price.abs() <= Price::LARGEST)
    }
    /// The nearest amount of money (half away from zero); `None` beyond its range.
    pub fn to_money(self) -> Option<Money> {
        self.in_steps_of(SCALE / i128::from(Money::PER_DOLLAR)).map(Money::from_micros)
    }
    /// As a float, for analytics and for the few JSON numbers of the protocol.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / SCALE as f64
    }
    /// True when below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    fn in_steps_of(self, step: i128) -> Option<i64> {
        let half = if self.0 < 0 { -step / 2 } else { step / 2 };
        i64::try_from((self.0 + half) / step).ok()
    }
}

impl From<Price> for Decimal {
    fn from(price: Price) -> Self {
        Self(i128::from(price.units()) * (SCALE / i128::from(Price::PER_DOLLAR)))
    }
}

impl From<Money> for Decimal {
    fn from(money: Money) -> Self {
        Self(i128::from(money.micros()) * (SCALE / i128::from(Money::PER_DOLLAR)))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.unsigned_abs();
        let (whole, fraction) = (size / SCALE as u128, size % SCALE as u128);
        let sign = if self.0 < 0 { "-" } else { "" };
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{fraction:0DECIMALS$}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Decimal {
    type Err = BadDecimal;
    fn from_str(text: &str) -> Result<Self, BadDecimal> {
        let bad = || BadDecimal(text.chars().take(40).collect());
        if text.bytes().any(|b| matches!(b, b'e' | b'E')) {
            return text.parse::<f64>().ok().and_then(Self::nearest).ok_or_else(bad);
        }
        parse_plain(text.as_bytes()).map(Self).ok_or_else(bad)
    }
}

fn parse_plain(text: &[u8]) -> Option<i128> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (mut units, mut seen, mut decimals, mut point, mut round_up) = (0i128, false, 0usize, false, false);
    for b in digits {
        match b {
            b'.' if !point => point = true,
            b'0'..=b'9' => {
                seen = true;
                if point && decimals == DECIMALS {
                    continue;
                }
                if point {
                    decimals += 1;
                }
                units = units * 10 + i128::from(b - b'0');
                if units > LARGEST {
                    return None;
                }
            }
            _ => return None,
        }
    }
    if let Some(at) = digits.iter().position(|b| *b == b'.') {
        round_up = digits.get(at + 1 + DECIMALS).is_some_and(|b| *b >= b'5');
    }
    if !seen {
        return None;
    }
    units = units * 10i128.pow((DECIMALS - decimals) as u32) + i128::from(round_up);
    (units <= LARGEST).then_some(if negative { -units } else { units })
}

impl serde::Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Decimal {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(StringOrNumber)
    }
}

struct StringOrNumber;

impl serde::de::Visitor<'_> for StringOrNumber {
    type Value = Decimal;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal as a string or a number")
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Decimal, E> {
        text.trim().parse().map_err(E::custom)
    }
    fn visit_f64<E: serde::de::Error>(self, n: f64) -> Result<Decimal, E> {
        Decimal::nearest(n).ok_or_else(|| E::custom(BadDecimal(n.to_string())))
    }
    fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<Decimal, E> {
        Ok(Decimal::whole(n))
    }
    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<Decimal, E> {
        i64::try_from(n).map(Decimal::whole).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_price_is_beyond_a_hundred_million() {
        let price = |text: &str| text.parse::<Decimal>().expect("a number").to_price();
        assert_eq!(price("100000000"), Some(Price::LARGEST));
        assert_eq!(price("-100000000"), Some(-Price::LARGEST));
        assert_eq!((price("100000000.0001"), price("-900000000000000")), (None, None));
    }

    #[test]
    fn strings_and_numbers_read_alike() {
        let read = |t: &str| serde_json::from_str::<Decimal>(t).expect(t);
        assert_eq!(read("\"-1.15\""), Price::from_cents(-115).into());
        assert_eq!(read("-1.15"), read("\"-1.150\""));
        assert_eq!(read("1.0"), Decimal::whole(1));
        assert_eq!(read("3"), Decimal::whole(3));
        assert_eq!(read("\"1e-05\"").billionths(), 10_000);
        assert_eq!(serde_json::to_string(&read("100000.50")).expect("writes"), "\"100000.5\"");
        assert_eq!(read("\"4.15333333333333\"").to_price(), Some(Price::from_units(41_533)));
        for bad in
            ["\"\"", "\"-\"", "\"1.2.3\"", "\"NaN\"", "\"nan\"", "\"1e400\"", "null", "true", "\"0x1\""]
        {
            assert!(serde_json::from_str::<Decimal>(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(n in -10i128.pow(24)..10i128.pow(24)) {
            let d = Decimal::from_billionths(n);
            prop_assert_eq!(d.to_string().parse(), Ok(d));
        }

        #[test]
        fn prices_and_money_are_exact(units in -10i64.pow(12)..10i64.pow(12)) {
            prop_assert_eq!(Decimal::from(Price::from_units(units)).to_price(), Some(Price::from_units(units)));
            prop_assert_eq!(Decimal::from(Money::from_micros(units)).to_money(), Some(Money::from_micros(units)));
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,60}") {
            let _ = text.parse::<Decimal>();
        }
    }
}
