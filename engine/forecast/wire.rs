//! The protobuf wire format as far as reading an ONNX file takes: fields of a message, borrowed from its bytes.
//! Nothing is allocated, nothing recurses, and any bytes whatever end in fields or in a [`Damage`].

/// Bytes that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a field at byte {0} of a message is cut off or of no known kind")]
pub struct Damage(pub usize);

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Held<'a> {
    /// An integer of any size, a boolean or an enumeration.
    Varint(u64),
    /// Four bytes: a float.
    Fixed32(u32),
    /// Eight bytes: a double.
    Fixed64(u64),
    /// A text, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
}

impl<'a> Held<'a> {
    /// The integer, when it is one.
    pub fn int(self) -> Option<i64> {
        match self {
            // Negative numbers are stored as their 64-bit pattern.
            Self::Varint(n) => Some(n as i64),
            _ => None,
        }
    }
    /// The bytes, when it is some.
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
    /// The text, when it is one in UTF-8.
    pub fn text(self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}

/// The fields of a message in the order they were written: number and value.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// Of a message's bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte holds one bit.
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u32, Held<'a>)> {
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|n| (1..1 << 29).contains(n))?;
        let held = match key & 7 {
            0 => Held::Varint(self.varint()?),
            1 => Held::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Held::Bytes(self.take(length)?)
            }
            5 => Held::Fixed32(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            // Groups went out of use long before ONNX.
            _ => return None,
        };
        Some((number, held))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Held<'a>), Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let start = self.at;
        match self.field() {
            Some(field) => Some(Ok(field)),
            None => {
                // Nothing after the damage can be trusted.
                self.at = self.bytes.len();
                Some(Err(Damage(start)))
            }
        }
    }
}

/// Adds one value of a repeated number field, or all of a packed one. `size` is that of a fixed-size number.
///
/// # Errors
/// When the packed numbers are cut off, or the field holds something else.
pub fn extend<T>(
    list: &mut Vec<T>,
    held: Held<'_>,
    size: usize,
    of: impl Fn(u64) -> T,
) -> Result<(), Damage> {
    match (held, size) {
        (Held::Varint(n), 0) => list.push(of(n)),
        (Held::Fixed32(n), 4) => list.push(of(u64::from(n))),
        (Held::Fixed64(n), 8) => list.push(of(n)),
        (Held::Bytes(bytes), 0) => {
            let mut packed = Fields::new(bytes);
            while packed.at < bytes.len() {
                list.push(of(packed.varint().ok_or(Damage(packed.at))?));
            }
        }
        (Held::Bytes(bytes), 4 | 8) if bytes.len().is_multiple_of(size) => {
            let little = |b: &[u8]| b.iter().rev().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
            list.extend(bytes.chunks_exact(size).map(|b| of(little(b))));
        }
        _ => return Err(Damage(0)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_those_of_the_format() {
        // From the protobuf documentation: field 1 = 150 is 08 96 01, field 2 = "testing" is 12 07 ...
        let bytes = b"\x08\x96\x01\x12\x07testing\x1d\x00\x00\x80\x3f";
        let read: Result<Vec<_>, _> = Fields::new(bytes).collect();
        let wanted =
            vec![(1, Held::Varint(150)), (2, Held::Bytes(b"testing")), (3, Held::Fixed32(1.0f32.to_bits()))];
        assert_eq!(read, Ok(wanted));
        assert_eq!(Held::Varint(u64::MAX).int(), Some(-1));
    }

    #[test]
    fn damage_is_told_and_ends_the_message() {
        for bytes in [
            &b"\x08"[..],
            b"\x12\x08testing",
            b"\x0b",
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x00\x01",
        ] {
            let read: Vec<_> = Fields::new(bytes).collect();
            assert!(matches!(read.as_slice(), [Err(Damage(0))]), "{bytes:?}: {read:?}");
        }
    }

    #[test]
    fn packed_and_single_numbers_are_one_list() {
        let mut list: Vec<i64> = Vec::new();
        extend(&mut list, Held::Varint(7), 0, |n| n as i64).expect("an integer");
        extend(&mut list, Held::Bytes(b"\x01\x96\x01"), 0, |n| n as i64).expect("two of them");
        assert_eq!(list, [7, 1, 150]);
        assert!(extend(&mut list, Held::Bytes(b"\x96"), 0, |n| n as i64).is_err());
        assert!(extend(&mut list, Held::Bytes(&[0; 5]), 4, |n| n as i64).is_err());
        assert!(extend(&mut list, Held::Fixed32(1), 0, |n| n as i64).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let count = Fields::new(&bytes).count();
            prop_assert!(count <= bytes.len());
        }
    }
}
