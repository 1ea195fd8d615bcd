//! As much of the protobuf wire format as writing an ONNX file takes.

/// A message being written.
#[derive(Clone, Debug, Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// An empty message.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// An integer field.
    pub fn int(mut self, field: u32, value: i64) -> Self {
        self.key(field, 0);
        // Negative numbers take ten bytes, as the format wants.
        self.varint(value as u64);
        self
    }

    /// A field of bytes.
    pub fn bytes(mut self, field: u32, value: &[u8]) -> Self {
        self.key(field, 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    /// A text field.
    pub fn text(self, field: u32, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    /// A field that is itself a message.
    pub fn message(self, field: u32, value: Self) -> Self {
        self.bytes(field, &value.0)
    }

    /// A repeated field of messages.
    pub fn messages(self, field: u32, values: impl IntoIterator<Item = Self>) -> Self {
        values.into_iter().fold(self, |message, value| message.message(field, value))
    }

    /// What goes into the file.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    fn key(&mut self, field: u32, wire: u32) {
        self.varint(u64::from(field << 3 | wire));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_format() {
        // From the protobuf documentation: field 1 = 150 is 08 96 01, field 2 = "testing" is 12 07 ...
        assert_eq!(Message::new().int(1, 150).finish(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::new().text(2, "testing").finish(), b"\x12\x07testing");
        assert_eq!(Message::new().int(1, -1).finish().len(), 11);
        let inner = Message::new().int(1, 150);
        assert_eq!(Message::new().message(3, inner).finish(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
    }
}
