//! Identities: UUIDs made from a seed and a counter, so that one seed gives the same ids every time.

use std::fmt;
use std::str::FromStr;

/// A version-4-looking UUID. It is no random number: the same seed and position give the same id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// All zero: "none", as the broker writes it for the asset of a multi-leg parent.
    pub const NIL: Self = Self([0; 16]);

    /// Made from two words; version and variant bits are set.
    pub(crate) fn from_words(high: u64, low: u64) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..].copy_from_slice(&low.to_be_bytes());
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// Reads the hyphenated form; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let mut digits = text.bytes().filter(|b| *b != b'-');
        if text.len() != 36 || text.bytes().filter(|b| *b == b'-').count() != 4 {
            return None;
        }
        for byte in &mut bytes {
            let high = (digits.next()? as char).to_digit(16)?;
            let low = (digits.next()? as char).to_digit(16)?;
            *byte = (high * 16 + low) as u8;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a hyphenated UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a UUID (8-4-4-4-12 hexadecimal digits)")]
pub struct BadUuid(pub String);

impl FromStr for Uuid {
    type Err = BadUuid;
    fn from_str(text: &str) -> Result<Self, BadUuid> {
        Self::parse(text).ok_or_else(|| BadUuid(text.chars().take(40).collect()))
    }
}

impl serde::Serialize for Uuid {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { serde::Serialize::serialize(&self.0, s) }
    }
}

impl<'de> serde::Deserialize<'de> for Uuid {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if !d.is_human_readable() {
            return <[u8; 16]>::deserialize(d).map(Self);
        }
        <std::borrow::Cow<'de, str>>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The asset id of a symbol, stock or option: always the same for the same text, whatever the seed.
pub fn asset_id(symbol: &str) -> Uuid {
    let folded = market::order::fold_id(symbol);
    Uuid::from_words(mixed(folded), mixed(folded ^ 0xa55e_7000_0000_0001))
}

/// Gives out ids, each once.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct IdMaker {
    seed: u64,
    given: u64,
}

impl IdMaker {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, given: 0 }
    }

    pub(crate) fn next(&mut self) -> Uuid {
        self.given += 1;
        // `mixed` is a bijection, so two counters never share the high word before the version bits are set.
        let high = mixed(self.seed.wrapping_add(self.given.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let low = mixed(high ^ self.given);
        Uuid::from_words(high, low)
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_repeat_with_the_seed_and_never_within_it() {
        let (mut one, mut two, mut other) = (IdMaker::new(7), IdMaker::new(7), IdMaker::new(8));
        let first: Vec<_> = (0..1000).map(|_| one.next()).collect();
        assert!(first.iter().all(|id| *id == two.next() && *id != other.next()));
        let distinct: std::collections::BTreeSet<_> = first.iter().collect();
        assert_eq!(distinct.len(), 1000);
        let text = first[0].to_string();
        assert_eq!((text.len(), &text[14..15]), (36, "4"));
        assert_eq!(Uuid::parse(&text), Some(first[0]));
        assert_eq!(Uuid::parse("not-an-id"), None);
    }
}
