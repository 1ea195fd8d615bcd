//! Option contracts and their OCC symbols, read from the right and written back.

use crate::{Date, Price, Symbol};
use std::fmt;
use std::str::FromStr;

/// Call or put.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// The right to buy.
    Call,
    /// The right to sell.
    Put,
}

/// A listed option, identified as the OCC does: root, expiry, right, strike.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct Contract {
    /// The root as listed: usually the underlying's ticker, but `SPXW` or, adjusted, `AAPL1`.
    pub root: Symbol,
    /// The expiration date.
    pub expiry: Date,
    /// The strike in thousandths of a dollar, as in the symbol.
    pub strike_mils: u32,
    /// Call or put.
    pub right: Right,
}

/// Shares (or index dollars) a standard contract stands for.
pub const MULTIPLIER: i64 = 100;

impl Contract {
    /// The strike as a price.
    pub const fn strike(&self) -> Price {
        Price::from_units(self.strike_mils as i64 * 10)
    }

    /// True when the root ends in a digit (`AAPL1`): the deliverable is not 100 shares. Such contracts are
    /// read and shown but never opened.
    pub fn is_adjusted(&self) -> bool {
        self.root.as_bytes().last().is_some_and(u8::is_ascii_digit)
    }

    /// What the right is worth per share when exercised at `spot`.
    pub fn intrinsic(&self, spot: Price) -> Price {
        let value = match self.right {
            Right::Call => spot - self.strike(),
            Right::Put => self.strike() - spot,
        };
        value.max(Price::ZERO)
    }

    /// Reads an OCC symbol, padded to 21 bytes or not, from the right: eight digits of strike in
    /// thousandths, `C` or `P`, `yymmdd`, and what is left is the root (1 to 6 of `A-Z 0-9 .`).
    /// `None` when it is anything else.
    #[inline]
    pub fn parse_occ(text: &[u8]) -> Option<Self> {
        let split = text.len().checked_sub(15)?;
        let (root, tail) = text.split_at(split);
        let root = trim_padding(root);
        if root.is_empty() || root.len() > 6 || !root.iter().all(is_root_byte) {
            return None;
        }
        let (year, month, day) = (number(&tail[..2])?, number(&tail[2..4])?, number(&tail[4..6])?);
        let right = match tail[6] {
            b'C' => Right::Call,
            b'P' => Right::Put,
            _ => return None,
        };
        Some(Self {
            root: Symbol::from_bytes(root)?,
            expiry: Date::from_ymd(2000 + year as i32, month, day)?,
            strike_mils: number(&tail[7..])?,
            right,
        })
    }

    /// The unpadded OCC symbol: 16 to 21 bytes in a fixed buffer, without allocating.
    pub fn occ(&self) -> arrayvec::ArrayString<24> {
        use fmt::Write;
        let mut text = arrayvec::ArrayString::new();
        // Root (6) + 15 always fits 24, so the write cannot fail.
        let _ = write!(text, "{self}");
        text
    }

    /// The 21-byte OSI form with the root padded to six.
    pub fn occ_padded(&self) -> String {
        let short = self.occ();
        let root = self.root.as_str();
        format!("{root:<6}{}", &short[root.len()..])
    }
}

fn is_root_byte(b: &u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'.'
}

fn trim_padding(mut root: &[u8]) -> &[u8] {
    while let [front @ .., b' '] = root {
        root = front;
    }
    root
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))
}

impl fmt::Display for Contract {
    /// The unpadded OCC symbol.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (y, m, d) = self.expiry.ymd();
        let right = if self.right == Right::Call { 'C' } else { 'P' };
        write!(f, "{}{:02}{m:02}{d:02}{right}{:08}", self.root, y.rem_euclid(100), self.strike_mils)
    }
}

impl fmt::Debug for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not an OCC option symbol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an OCC option symbol (root, yymmdd, C or P, strike in thousandths on eight digits)")]
pub struct BadContract(pub String);

impl FromStr for Contract {
    type Err = BadContract;
    fn from_str(text: &str) -> Result<Self, BadContract> {
        Self::parse_occ(text.as_bytes()).ok_or_else(|| BadContract(text.chars().take(40).collect()))
    }
}

impl serde::Serialize for Contract {
    /// The OCC symbol where people read it, its fields in a binary format.
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            return s.collect_str(self);
        }
        (self.root, self.expiry, self.strike_mils, self.right).serialize(s)
    }
}

impl<'de> serde::Deserialize<'de> for Contract {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if !d.is_human_readable() {
            let (root, expiry, strike_mils, right) = serde::Deserialize::deserialize(d)?;
            return Ok(Self { root, expiry, strike_mils, right });
        }
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Anything a position can be in.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub enum Instrument {
    /// Shares.
    Stock(Symbol),
    /// An option contract.
    Option(Contract),
}

impl Instrument {
    /// Reads a symbol as the broker writes it: an OCC symbol when it is one, else a ticker.
    pub fn parse(text: &str) -> Option<Self> {
        match Contract::parse_occ(text.as_bytes()) {
            Some(contract) => Some(Self::Option(contract)),
            None => Symbol::from_bytes(text.as_bytes()).map(Self::Stock),
        }
    }
    /// Dollars of notional per dollar of price: 100 for an option, 1 for a share.
    pub const fn multiplier(&self) -> i64 {
        match self {
            Self::Stock(_) => 1,
            Self::Option(_) => MULTIPLIER,
        }
    }
    /// The contract, when it is one.
    pub const fn contract(&self) -> Option<Contract> {
        match self {
            Self::Option(contract) => Some(*contract),
            Self::Stock(_) => None,
        }
    }
}

impl fmt::Display for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stock(symbol) => symbol.fmt(f),
            Self::Option(contract) => contract.fmt(f),
        }
    }
}

impl fmt::Debug for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Instrument {
    /// The symbol where people read it; in a binary format share and contract are told apart.
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            return s.collect_str(self);
        }
        match self {
            Self::Stock(symbol) => Ok::<Symbol, Contract>(*symbol),
            Self::Option(contract) => Err(*contract),
        }
        .serialize(s)
    }
}

impl<'de> serde::Deserialize<'de> for Instrument {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if !d.is_human_readable() {
            let told = <Result<Symbol, Contract>>::deserialize(d)?;
            return Ok(told.map_or_else(Self::Option, Self::Stock));
        }
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a symbol")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_from_the_right() {
        let spy: Contract = "SPY260417P00560000".parse().expect("valid");
        assert_eq!(
            (spy.root.as_str(), spy.strike(), spy.right),
            ("SPY", Price::from_cents(56_000), Right::Put)
        );
        assert!(!spy.is_adjusted());
        let adjusted: Contract = "AAPL1 250117C00100500".parse().expect("padded");
        assert!(adjusted.is_adjusted());
        assert_eq!(adjusted.occ_padded(), "AAPL1 250117C00100500");
        for bad in [
            "",
            "SPY",
            "SPY260230C00100000",
            "SPY260417X00560000",
            "TOOLONG260417C00560000",
            "spy260417C00560000",
        ] {
            assert!(bad.parse::<Contract>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn both_ways(root in "[A-Z]{1,5}[A-Z0-9]?", days in 10_957i32..40_000, strike in 1u32..99_999_999, call: bool) {
            let c = Contract {
                root: root.parse().expect("short"),
                expiry: Date::from_days(days),
                strike_mils: strike,
                right: if call { Right::Call } else { Right::Put },
            };
            prop_assert_eq!(c.to_string().parse(), Ok(c));
            prop_assert_eq!(c.occ_padded().parse(), Ok(c));
        }
    }
}
