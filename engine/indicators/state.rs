//! State that can be copied without allocating, and written down and read back exactly.

/// Declares a struct whose `clone_from` copies field by field into the memory that is there, and which can be
/// serialised: what every indicator's state is.
macro_rules! state {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$field_meta:meta])* $field_vis:vis $field:ident : $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        $vis struct $name { $($(#[$field_meta])* $field_vis $field: $ty),* }

        impl Clone for $name {
            fn clone(&self) -> Self {
                Self { $($field: self.$field.clone()),* }
            }

            fn clone_from(&mut self, other: &Self) {
                $(self.$field.clone_from(&other.$field);)*
            }
        }
    };
}

/// Why bytes are not a saved state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateFault {
    /// Not written by `save`.
    #[error("these bytes are no saved {0} (their first bytes say otherwise): seed from history instead")]
    Foreign(&'static str),
    /// Written by a program with another layout.
    #[error(
        "the saved {what} has layout {found}, this program reads {wanted}: seed from history instead (`seed`), \
         or restore with the program that saved it"
    )]
    Version {
        /// What was saved.
        what: &'static str,
        /// Layout in the bytes.
        found: u32,
        /// Layout of this program.
        wanted: u32,
    },
    /// Written with other indicators, periods or features.
    #[error("the saved {0} belongs to another feature schema: seed from history instead")]
    Schema(&'static str),
    /// Shorter or longer than when written.
    #[error("the saved {what} has {found} bytes of {wanted}: the file was cut or grew, restore another copy")]
    Length {
        /// What was saved.
        what: &'static str,
        /// Bytes there.
        found: usize,
        /// Bytes announced.
        wanted: usize,
    },
    /// Changed since it was written.
    #[error("the saved {0} does not match its checksum: restore another copy, or seed from history")]
    Checksum(&'static str),
    /// The checksum holds, but the fields do not fit.
    #[error("the saved {0} cannot be decoded though its checksum holds: it was saved by a changed program")]
    Undecodable(&'static str),
}

/// 64 bits of a text or a state (FNV-1a): changes whenever a byte does.
pub fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

const MAGIC: [u8; 4] = *b"WSST";
const HEADER: usize = 4 + 4 + 8 + 8 + 8;

/// An envelope round a serialised state: what it is of, layout, schema, length and checksum.
pub(crate) fn seal<T: serde::Serialize>(version: u32, schema: u64, state: &T) -> Vec<u8> {
    // Serialising plain structs into memory has no way to fail.
    let body = postcard::to_allocvec(state).unwrap_or_default();
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(&schema.to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&digest(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// Opens what [`seal`] closed.
///
/// # Errors
/// Names what is wrong with the envelope: foreign, another layout or schema, cut, changed.
pub(crate) fn open<T: serde::de::DeserializeOwned>(
    what: &'static str,
    version: u32,
    schema: u64,
    bytes: &[u8],
) -> Result<T, StateFault> {
    if !bytes.starts_with(&MAGIC) {
        return Err(StateFault::Foreign(what));
    }
    let (header, body) = bytes.split_at_checked(HEADER).ok_or(StateFault::Length {
        what,
        found: bytes.len(),
        wanted: HEADER,
    })?;
    let word = |at: usize| header[at..at + 8].iter().rev().fold(0u64, |word, b| word << 8 | u64::from(*b));
    let found = header[4..8].iter().rev().fold(0u32, |word, b| word << 8 | u32::from(*b));
    if found != version {
        return Err(StateFault::Version { what, found, wanted: version });
    }
    if word(8) != schema {
        return Err(StateFault::Schema(what));
    }
    if word(16) != body.len() as u64 {
        return Err(StateFault::Length { what, found: body.len(), wanted: word(16) as usize });
    }
    if word(24) != digest(body) {
        return Err(StateFault::Checksum(what));
    }
    match postcard::take_from_bytes(body) {
        Ok((state, [])) => Ok(state),
        _ => Err(StateFault::Undecodable(what)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_opens() {
        let values = vec![1.5f64, -0.0, 1e-320, f64::NEG_INFINITY];
        let bytes = seal(3, 7, &values);
        let read = |bytes: &[u8]| open::<Vec<f64>>("list", 3, 7, bytes);
        let back = read(&bytes).unwrap();
        assert!(back.iter().zip(&values).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert_eq!(read(b"hello"), Err(StateFault::Foreign("list")));
        assert_eq!(read(&bytes[..9]), Err(StateFault::Length { what: "list", found: 9, wanted: HEADER }));
        let cut = &bytes[..bytes.len() - 1];
        assert!(matches!(read(cut), Err(StateFault::Length { what: "list", .. })));
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(read(&changed), Err(StateFault::Checksum("list")));
        let version = open::<Vec<f64>>("list", 4, 7, &bytes);
        assert_eq!(version, Err(StateFault::Version { what: "list", found: 3, wanted: 4 }));
        assert_eq!(open::<Vec<f64>>("list", 3, 8, &bytes), Err(StateFault::Schema("list")));
        assert_eq!(open::<(f64, f64)>("list", 3, 7, &bytes), Err(StateFault::Undecodable("list")));
    }
}
