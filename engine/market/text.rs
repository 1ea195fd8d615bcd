//! Short texts kept inline: symbols, order ids, names. They are `Copy`, compare as bytes, and need no
//! table to be read back from a journal, which is why nothing here is interned.

use std::fmt;
use std::str::FromStr;

/// A text of at most `N` ASCII bytes, padded with zero bytes.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct Text<const N: usize>([u8; N]);

/// A ticker or an option root, as the broker spells it: `SPY`, `BRK.B`.
pub type Symbol = Text<8>;
/// A name from configuration: a structure, a model, a check.
pub type Label = Text<24>;
/// A client order id: ours, unique for ever, at most 40 bytes.
pub type OrderId = Text<40>;

/// Why a text was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a name of 1 to {longest} visible ASCII characters")]
pub struct BadText {
    /// What was given, shortened to 60 characters.
    pub found: String,
    /// The longest text the type holds, in bytes.
    pub longest: usize,
}

impl<const N: usize> Text<N> {
    /// The empty text: "no name".
    pub const EMPTY: Self = Self([0; N]);

    /// Takes 1 to `N` visible ASCII bytes; `None` for anything else.
    #[inline]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() || bytes.len() > N || !bytes.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut held = [0; N];
        held[..bytes.len()].copy_from_slice(bytes);
        Some(Self(held))
    }

    /// A text known when the program is written. Fails to compile in a `const`, panics elsewhere, when
    /// it does not fit: use `parse` for anything that came from outside.
    pub const fn literal(text: &str) -> Self {
        let bytes = text.as_bytes();
        assert!(bytes.len() <= N, "literal longer than its type");
        let mut held = [0; N];
        let mut i = 0;
        while i < bytes.len() {
            assert!(bytes[i].is_ascii_graphic(), "literal with a blank or non-ASCII byte");
            held[i] = bytes[i];
            i += 1;
        }
        Self(held)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Only ASCII ever gets in, so the fallback is never taken, even for bytes read from a file.
        std::str::from_utf8(self.as_bytes()).unwrap_or("?")
    }

    /// The bytes without padding.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(N);
        &self.0[..end]
    }

    /// True for [`Text::EMPTY`].
    pub fn is_empty(&self) -> bool {
        self.0[0] == 0
    }

    /// Writes `arguments` into a text, cut at `N` bytes, without allocating.
    pub fn format(arguments: fmt::Arguments<'_>) -> Self {
        struct Cut<const N: usize> {
            held: [u8; N],
            used: usize,
        }
        impl<const N: usize> fmt::Write for Cut<N> {
            fn write_str(&mut self, s: &str) -> fmt::Result {
                for b in s.bytes().take(N - self.used) {
                    self.held[self.used] = if b.is_ascii_graphic() || b == b' ' { b } else { b'_' };
                    self.used += 1;
                }
                Ok(())
            }
        }
        let mut cut = Cut::<N> { held: [0; N], used: 0 };
        let _ = fmt::write(&mut cut, arguments);
        Self(cut.held)
    }

    /// Writes `arguments` into an id: what does not fit is not cut but folded, so that two long ids that differ
    /// anywhere stay apart. A folded id ends in `~` and seven characters drawn from the whole text.
    pub fn fold(arguments: fmt::Arguments<'_>) -> Self {
        struct Measure {
            bytes: usize,
            hash: u64,
        }
        impl fmt::Write for Measure {
            fn write_str(&mut self, s: &str) -> fmt::Result {
                self.bytes += s.len();
                // FNV-1a, as venue ids are folded.
                self.hash =
                    s.bytes().fold(self.hash, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
                Ok(())
            }
        }
        let mut whole = Measure { bytes: 0, hash: 0xcbf2_9ce4_8422_2325 };
        let _ = fmt::write(&mut whole, arguments);
        let mut text = Self::format(arguments);
        if whole.bytes > N && N > FOLDED {
            let tail = &mut text.0[N - FOLDED..];
            tail[0] = b'~';
            for letter in &mut tail[1..] {
                *letter = b"0123456789abcdefghijklmnopqrstuvwxyz"[(whole.hash % 36) as usize];
                whole.hash /= 36;
            }
        }
        text
    }
}

/// Bytes at the end of an id that stand for what did not fit.
const FOLDED: usize = 8;

impl<const N: usize> FromStr for Text<N> {
    type Err = BadText;
    fn from_str(text: &str) -> Result<Self, BadText> {
        Self::from_bytes(text.as_bytes())
            .ok_or_else(|| BadText { found: text.chars().take(60).collect(), longest: N })
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> serde::Serialize for Text<N> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de, const N: usize> serde::Deserialize<'de> for Text<N> {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        // A binary format brings back what was written, an empty text too; a person's empty text is a mistake.
        let by_hand = d.is_human_readable();
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        if text.is_empty() && !by_hand {
            return Ok(Self::EMPTY);
        }
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_fits_and_refuses_the_rest() {
        assert_eq!("BRK.B".parse::<Symbol>().map(|s| s.to_string()), Ok("BRK.B".to_string()));
        assert!("".parse::<Symbol>().is_err());
        assert!("TOOLONGNAME".parse::<Symbol>().is_err());
        assert!("A B".parse::<Symbol>().is_err());
        assert_eq!(Symbol::format(format_args!("{}-{}", "ABCDEF", 12345)).as_str(), "ABCDEF-1");
    }

    #[test]
    fn long_ids_are_folded_not_cut() {
        let trade = Label::literal("wk3f9z-1234.GOOGL.12345");
        let closing = |n: u32| Label::fold(format_args!("{trade}.x{n}"));
        let all: std::collections::BTreeSet<Label> = (1..=5_000).map(closing).collect();
        assert_eq!(all.len(), 5_000, "cut at 24 bytes they would all be one");
        assert!(closing(10).as_str().starts_with("wk3f9z-1234.GOOG~"));
        assert_eq!(closing(10).as_bytes().len(), 24);
        assert_eq!(Label::fold(format_args!("{}.x{}", "w1.SPY.1", 10)).as_str(), "w1.SPY.1.x10");
    }
}
