//! What is stored: a letter heard or said, or a run's beginning or end, as 32 bytes of header and the rkyv
//! encoding of the letter. Version 2 of the layout, little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 0..2 | schema version |
//! | 2 | kind: 0 heard, 1 said, 2 run |
//! | 3 | which letter ([`LetterKind`]) |
//! | 4..6 | length of the body before trimming |
//! | 6 | whose seat: 0 underlying, 1 risk, 2 execution, 3 venue, 4 record, 5 operator, 6 shelf |
//! | 7 | zero |
//! | 8..16 | sequence number |
//! | 16..24 | time, nanoseconds |
//! | 24..28 | run |
//! | 28..32 | CRC-32 of bytes 0..28 and the body, put in when the record leaves the ring |
//!
//! An archived enum takes the room of its largest variant, so a quote would end in 150 zero bytes: trailing zeros
//! are cut off when writing and put back when reading.

use desk::{Address, Envelope, Letter};
use market::{Label, Timestamp};
use rkyv::api::low;
use rkyv::rancor;
use rkyv::ser::allocator::SubAllocator;
use rkyv::ser::writer::Buffer;
use std::mem::MaybeUninit;

/// The version of the stored layout, this file's and that of every type inside a letter.
pub const SCHEMA: u16 = 2;
/// Bytes before the body.
pub const HEADER: usize = 32;
/// The largest body, bytes.
pub const BODY_MAX: usize = 4096;
/// Room for the encoder's notes on nested lists, bytes.
const SCRATCH: usize = 4096;

/// Heard, said, or about the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A seat heard the letter: the input that a replay feeds again.
    Heard,
    /// A seat said the letter: the output that a replay must repeat.
    Said,
    /// A run began, ended, or was found dead.
    Run,
}

/// Which letter it is, for filters that need not decode. The numbers are stored: never change one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[expect(missing_docs, reason = "each is the letter of the same name")]
pub enum LetterKind {
    Market = 0,
    Feed = 1,
    Model = 2,
    Forecast = 3,
    Propose = 4,
    Decided = 5,
    Cleared = 6,
    Request = 7,
    Report = 8,
    Fill = 9,
    Done = 10,
    Position = 11,
    Activity = 12,
    Account = 13,
    Holding = 14,
    NoHoldings = 15,
    Mark = 16,
    Command = 17,
    Alert = 18,
    Wake = 19,
    Run = 20,
    Halt = 21,
    Resume = 22,
    Stopping = 23,
    Predicted = 24,
    Scored = 25,
    Combined = 26,
    Drift = 27,
    Shelf = 28,
}

impl LetterKind {
    /// All, by number.
    pub const ALL: [Self; 29] = [
        Self::Market,
        Self::Feed,
        Self::Model,
        Self::Forecast,
        Self::Propose,
        Self::Decided,
        Self::Cleared,
        Self::Request,
        Self::Report,
        Self::Fill,
        Self::Done,
        Self::Position,
        Self::Activity,
        Self::Account,
        Self::Holding,
        Self::NoHoldings,
        Self::Mark,
        Self::Command,
        Self::Alert,
        Self::Wake,
        Self::Run,
        Self::Halt,
        Self::Resume,
        Self::Stopping,
        Self::Predicted,
        Self::Scored,
        Self::Combined,
        Self::Drift,
        Self::Shelf,
    ];

    /// The kind of a letter.
    #[inline]
    pub fn of(letter: &Letter) -> Self {
        match letter {
            Letter::Market(_) => Self::Market,
            Letter::Feed(_) => Self::Feed,
            Letter::Model(_) => Self::Model,
            Letter::Forecast(_) => Self::Forecast,
            Letter::Propose(_) => Self::Propose,
            Letter::Decided(_) => Self::Decided,
            Letter::Cleared(_) => Self::Cleared,
            Letter::Request(_) => Self::Request,
            Letter::Report(_) => Self::Report,
            Letter::Fill(_) => Self::Fill,
            Letter::Done(_) => Self::Done,
            Letter::Position(_) => Self::Position,
            Letter::Activity(_) => Self::Activity,
            Letter::Account(_) => Self::Account,
            Letter::Holding { .. } => Self::Holding,
            Letter::NoHoldings => Self::NoHoldings,
            Letter::Mark(_) => Self::Mark,
            Letter::Command(_) => Self::Command,
            Letter::Alert(_) => Self::Alert,
            Letter::Wake => Self::Wake,
            Letter::Stopping => Self::Stopping,
            Letter::Halt(_) => Self::Halt,
            Letter::Resume => Self::Resume,
            Letter::Predicted(_) => Self::Predicted,
            Letter::Scored(_) => Self::Scored,
            Letter::Combined(_) => Self::Combined,
            Letter::Drift(_) => Self::Drift,
            Letter::Shelf(_) => Self::Shelf,
        }
    }

    /// The name used in filters and exports: `market`, `no_holdings`.
    pub const fn name(self) -> &'static str {
        const NAMES: [&str; 29] = [
            "market",
            "feed",
            "model",
            "forecast",
            "propose",
            "decided",
            "cleared",
            "request",
            "report",
            "fill",
            "done",
            "position",
            "activity",
            "account",
            "holding",
            "no_holdings",
            "mark",
            "command",
            "alert",
            "wake",
            "run",
            "halt",
            "resume",
            "stopping",
            "predicted",
            "scored",
            "combined",
            "drift",
            "shelf",
        ];
        NAMES[self as usize]
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// True for what may be dropped (and counted) when the ring is full. Everything else is a letter that the book
    /// or an order depends on: without room for it, no new entry may be made.
    #[inline]
    pub const fn is_telemetry(self) -> bool {
        matches!(
            self,
            Self::Market
                | Self::Forecast
                | Self::Mark
                | Self::Predicted
                | Self::Scored
                | Self::Combined
                | Self::Drift
        )
    }
}

/// What is told of a run.
#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize)]
pub struct RunNote {
    /// The run, counted from 1 in this journal.
    pub run: u32,
    /// What happened to it.
    pub event: RunEvent,
    /// Version of the program.
    pub version: Label,
    /// The seeds it drew from, by name.
    pub seeds: Vec<(Label, u64)>,
    /// When. For a run found dead: the time of its last record.
    pub at: Timestamp,
}

/// The seed of a run that is its journal's nonce.
pub const NONCE: Label = Label::literal("journal");

impl RunNote {
    /// What its order ids begin with. Runs on record from before there were nonces have none.
    pub fn run_id(&self) -> market::RunId {
        let nonce = self.seeds.iter().find(|(name, _)| *name == NONCE).map_or(0, |(_, nonce)| *nonce);
        market::RunId::new(nonce, self.run)
    }
}

/// What can happen to a run.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum RunEvent {
    /// It began: seats start fresh and recover.
    Started,
    /// It ended in good order.
    Ended {
        /// Telemetry records that found no room in a ring.
        dropped: u64,
        /// Letters that found no room in a ring.
        refused: u64,
    },
    /// The next start found its ring undrained: it was killed.
    FoundDead {
        /// Records drained from its rings.
        drained: u64,
        /// Telemetry records that found no room in a ring.
        dropped: u64,
        /// Letters that found no room in a ring.
        refused: u64,
    },
}

/// What a record holds.
#[expect(clippy::large_enum_variant, reason = "nearly all are letters; a box each would cost an allocation")]
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A letter, heard or said.
    Letter(Envelope),
    /// A note on a run.
    Run(RunNote),
}

/// One record, decoded.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Record {
    /// Its sequence number: the order of everything in this journal, runs included, from 1.
    pub seq: u64,
    /// The run it belongs to.
    pub run: u32,
    /// When: the letter's own time.
    pub at: Timestamp,
    /// Heard, said, or about the run.
    pub kind: Kind,
    /// What it holds.
    pub body: Body,
}

impl Record {
    /// The seat it belongs to: who heard, or who said. Notes on runs belong to the record.
    pub fn seat(&self) -> Address {
        match (&self.body, self.kind) {
            (Body::Letter(envelope), Kind::Heard) => envelope.to,
            (Body::Letter(envelope), _) => envelope.from,
            (Body::Run(_), _) => Address::Record,
        }
    }

    /// Which letter it holds.
    pub fn letter(&self) -> LetterKind {
        match &self.body {
            Body::Letter(envelope) => LetterKind::of(&envelope.letter),
            Body::Run(_) => LetterKind::Run,
        }
    }

    /// The letter with its way, when it is one.
    pub fn envelope(&self) -> Option<&Envelope> {
        match &self.body {
            Body::Letter(envelope) => Some(envelope),
            Body::Run(_) => None,
        }
    }
}

/// The stored number of a seat.
pub const fn seat_code(seat: Address) -> u8 {
    match seat {
        Address::Underlying(_) => 0,
        Address::Risk => 1,
        Address::Execution => 2,
        Address::Venue => 3,
        Address::Record => 4,
        Address::Operator => 5,
        Address::Shelf => 6,
    }
}

/// Why stored bytes are not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// Fewer bytes than a header, or a body of another length than it says.
    #[error("{0} bytes are not a whole record")]
    Length(usize),
    /// Another layout.
    #[error("its layout is version {0}, this program reads version {SCHEMA}")]
    Schema(u16),
    /// Damaged on the disk.
    #[error("its checksum does not match: it was damaged after it was written")]
    Checksum,
    /// The checksum matches, the content is impossible.
    #[error("its content is impossible: {0}")]
    Content(String),
}

/// The header of a stored record, read without decoding the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Heard, said, or about the run.
    pub kind: Kind,
    /// Which letter.
    pub letter: LetterKind,
    /// Length of the body before trimming, bytes.
    pub full: usize,
    /// The stored number of the seat.
    pub seat: u8,
    /// Sequence number.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The run.
    pub run: u32,
}

impl Head {
    /// Reads the header. The checksum is not looked at: [`Decoder::decode`] and [`verify`] do that.
    pub fn read(bytes: &[u8]) -> Result<Self, BadRecord> {
        let Some((head, body)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(BadRecord::Length(bytes.len()));
        };
        let schema = u16::from_le_bytes([head[0], head[1]]);
        if schema != SCHEMA {
            return Err(BadRecord::Schema(schema));
        }
        let full = usize::from(u16::from_le_bytes([head[4], head[5]]));
        if body.len() > full || full > BODY_MAX {
            return Err(BadRecord::Length(bytes.len()));
        }
        let kind = match head[2] {
            0 => Kind::Heard,
            1 => Kind::Said,
            2 => Kind::Run,
            other => return Err(BadRecord::Content(format!("kind {other}"))),
        };
        let letter = LetterKind::ALL.get(usize::from(head[3]));
        let letter = *letter.ok_or_else(|| BadRecord::Content(format!("letter {}", head[3])))?;
        let word = |at: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&head[at..at + 8]);
            u64::from_le_bytes(eight)
        };
        Ok(Self {
            kind,
            letter,
            full,
            seat: head[6],
            seq: word(8),
            at: Timestamp::from_ns(word(16) as i64),
            run: word(24) as u32,
        })
    }

    fn write(&self, head: &mut [u8; HEADER]) {
        head[..2].copy_from_slice(&SCHEMA.to_le_bytes());
        head[2] = self.kind as u8;
        head[3] = self.letter as u8;
        head[4..6].copy_from_slice(&(self.full as u16).to_le_bytes());
        head[6] = self.seat;
        head[7] = 0;
        head[8..16].copy_from_slice(&self.seq.to_le_bytes());
        head[16..24].copy_from_slice(&self.at.ns().to_le_bytes());
        head[24..28].copy_from_slice(&self.run.to_le_bytes());
        head[28..].fill(0);
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&bytes[..HEADER - 4]);
    hash.update(&bytes[HEADER..]);
    hash.finalize()
}

/// Puts the checksum into a whole record.
pub fn seal(bytes: &mut [u8]) {
    let sum = checksum(bytes);
    bytes[HEADER - 4..HEADER].copy_from_slice(&sum.to_le_bytes());
}

/// True when a sealed record's checksum matches.
pub fn verify(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER && checksum(bytes).to_le_bytes() == bytes[HEADER - 4..HEADER]
}

/// The letter does not fit a record: a promise of our own that a test holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a letter of more than {BODY_MAX} bytes cannot be recorded")]
pub struct TooLarge;

#[repr(C, align(16))]
struct Aligned<const N: usize>([u8; N]);

/// Encodes into one buffer, used again and again: nothing is allocated.
pub struct Encoder {
    buffer: Box<Aligned<{ HEADER + BODY_MAX }>>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// An encoder with its buffer.
    pub fn new() -> Self {
        Self { buffer: Box::new(Aligned([0; HEADER + BODY_MAX])) }
    }

    /// A letter heard or said, without sequence number: [`Encoder::numbered`] puts it in.
    #[inline]
    pub fn letter(&mut self, run: u32, kind: Kind, envelope: &Envelope) -> Result<usize, TooLarge> {
        let full = write_archived(envelope, &mut self.buffer.0[HEADER..])?;
        let seat = if kind == Kind::Heard { envelope.to } else { envelope.from };
        let letter = LetterKind::of(&envelope.letter);
        let head = Head { kind, letter, full, seat: seat_code(seat), seq: 0, at: envelope.at, run };
        Ok(self.finish(&head))
    }

    /// A note on a run, without sequence number.
    pub fn run(&mut self, note: &RunNote) -> Result<usize, TooLarge> {
        let full = write_archived(note, &mut self.buffer.0[HEADER..])?;
        let seat = seat_code(Address::Record);
        let head =
            Head { kind: Kind::Run, letter: LetterKind::Run, full, seat, seq: 0, at: note.at, run: note.run };
        Ok(self.finish(&head))
    }

    /// The first `length` bytes of what was encoded last, under a sequence number.
    #[inline]
    pub fn numbered(&mut self, length: usize, seq: u64) -> &mut [u8] {
        self.buffer.0[8..16].copy_from_slice(&seq.to_le_bytes());
        &mut self.buffer.0[..length]
    }

    fn finish(&mut self, head: &Head) -> usize {
        let (bytes, body) = self.buffer.0.split_at_mut(HEADER);
        let mut first = [0; HEADER];
        head.write(&mut first);
        bytes.copy_from_slice(&first);
        HEADER + trimmed(&body[..head.full])
    }
}

/// Length without trailing zeros, in whole words of eight.
fn trimmed(body: &[u8]) -> usize {
    let mut words = body.chunks_exact(8);
    let tail = words.remainder();
    if tail.iter().any(|b| *b != 0) {
        return body.len();
    }
    let kept = words.rposition(|word| word != [0; 8]).map_or(0, |last| last + 1);
    kept * 8
}

type Archiver<'a> = low::LowSerializer<Buffer<'a>, SubAllocator<'a>, rancor::Failure>;

fn write_archived(
    value: &impl for<'a> rkyv::Serialize<Archiver<'a>>,
    to: &mut [u8],
) -> Result<usize, TooLarge> {
    let mut scratch = [MaybeUninit::<u8>::uninit(); SCRATCH];
    let done = low::to_bytes_in_with_alloc(value, Buffer::from(to), SubAllocator::new(&mut scratch));
    done.map(|buffer| buffer.len()).map_err(|_: rancor::Failure| TooLarge)
}

/// Decodes through one aligned buffer: neither LMDB nor a ring promises the alignment rkyv needs, and the trimmed
/// zeros have to be put back anyway.
pub struct Decoder {
    buffer: Box<Aligned<BODY_MAX>>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder with its buffer.
    pub fn new() -> Self {
        Self { buffer: Box::new(Aligned([0; BODY_MAX])) }
    }

    /// Reads a sealed record, checking everything.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Record, BadRecord> {
        let head = Head::read(bytes)?;
        if !verify(bytes) {
            return Err(BadRecord::Checksum);
        }
        let body = &bytes[HEADER..];
        self.buffer.0[..body.len()].copy_from_slice(body);
        self.buffer.0[body.len()..head.full].fill(0);
        let full = &self.buffer.0[..head.full];
        let content = |e: rancor::Error| BadRecord::Content(e.to_string());
        let body = match head.kind {
            Kind::Run => Body::Run(low::from_bytes::<RunNote, _>(full).map_err(content)?),
            _ => Body::Letter(low::from_bytes::<Envelope, _>(full).map_err(content)?),
        };
        let record = Record { seq: head.seq, run: head.run, at: head.at, kind: head.kind, body };
        if record.letter() != head.letter || seat_code(record.seat()) != head.seat {
            return Err(BadRecord::Content("header and letter contradict each other".into()));
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use proptest::prelude::*;

    fn encoded(encoder: &mut Encoder, kind: Kind, envelope: &Envelope, seq: u64) -> Vec<u8> {
        let length = encoder.letter(3, kind, envelope).expect("fits");
        let bytes = encoder.numbered(length, seq);
        seal(bytes);
        bytes.to_vec()
    }

    #[test]
    fn every_letter_comes_back() {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        let mut seen = Vec::new();
        for (i, envelope) in samples::every_letter().into_iter().enumerate() {
            let kind = if i % 2 == 0 { Kind::Heard } else { Kind::Said };
            let bytes = encoded(&mut encoder, kind, &envelope, i as u64);
            let record = decoder.decode(&bytes).expect("decodes");
            assert_eq!((record.seq, record.run, record.kind), (i as u64, 3, kind));
            seen.push(record.letter());
            assert_eq!(record.body, Body::Letter(envelope));
        }
        seen.dedup();
        assert_eq!(seen.len(), LetterKind::ALL.len() - 1, "a letter has no sample");
        for kind in LetterKind::ALL {
            assert_eq!(LetterKind::from_name(kind.name()), Some(kind));
        }
    }

    #[test]
    fn a_run_note_comes_back() {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        let note = samples::run_note();
        let length = encoder.run(&note).expect("fits");
        let bytes = encoder.numbered(length, 9);
        seal(bytes);
        assert_eq!(decoder.decode(bytes).map(|r| r.body), Ok(Body::Run(note)));
    }

    /// Goal: nobody changes the stored layout by accident. When this fails on purpose, raise [`SCHEMA`].
    #[test]
    fn layout_is_pinned() {
        let mut encoder = Encoder::new();
        let all: Vec<_> =
            samples::every_letter().iter().map(|e| encoded(&mut encoder, Kind::Said, e, 1)).collect();
        let lengths: Vec<_> = all.iter().map(Vec::len).collect();
        let digest = crc32fast::hash(&all.concat());
        assert_eq!((lengths.as_slice(), digest), (PINNED_LENGTHS, PINNED_DIGEST));
        let quote: String = all[0].iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(quote, PINNED_QUOTE);
    }

    /// In the order of [`samples::every_letter`], header included.
    const PINNED_LENGTHS: &[usize] = &[
        160, 88, 136, 136, 272, 200, 272, 224, 224, 256, 128, 240, 128, 112, 112, 72, 112, 72, 208, 72, 72,
        72, 72, 224, 176, 224, 216, 200,
    ];
    const PINNED_DIGEST: u32 = 2_773_371_172;
    const PINNED_QUOTE: &str = concat!(
        "02000100c80003000100000000000000001045b1bd589d18030000006d7c419d",
        "030000000000000000005350590000000000000000000000001045b1bd589d18",
        "00000000000000000000000001000000535059000000000050500000808b0800",
        "010000000000000001000000000000001ca20000000000000a00000000000000",
        "0100000000000000e4a20000000000000a00000000000000001045b1bd589d18",
    );

    #[test]
    fn another_schema_is_named() {
        let mut bytes = encoded(&mut Encoder::new(), Kind::Said, &samples::every_letter()[0], 1);
        bytes[0] = 1;
        assert_eq!(Decoder::new().decode(&bytes), Err(BadRecord::Schema(1)));
    }

    proptest! {
        /// Goal: no damage is believed and none panics. One changed byte never decodes; garbage never panics, even
        /// when its checksum is made to match.
        #[test]
        fn damage_is_found(
            which in any::<prop::sample::Index>(),
            at in any::<prop::sample::Index>(),
            flip in 1u8..=255,
            cut in any::<prop::sample::Index>(),
        ) {
            let letters = samples::every_letter();
            let good = encoded(&mut Encoder::new(), Kind::Heard, which.get(&letters), 1);
            let mut bytes = good.clone();
            let place = at.index(bytes.len());
            bytes[place] ^= flip;
            prop_assert!(Decoder::new().decode(&bytes).is_err());
            prop_assert!(Decoder::new().decode(&good[..cut.index(good.len())]).is_err());
            // Lists longer than their type holds would panic inside rkyv's ArrayVec, so their lengths, which only
            // a forger with a valid checksum could change, are left alone here.
            if place < HEADER {
                seal(&mut bytes);
                let _ = Decoder::new().decode(&bytes);
            }
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(Decoder::new().decode(&bytes).is_err());
        }

        #[test]
        fn trimming_keeps_words(body in proptest::collection::vec(0u8..2, 0..64), zeros in 0usize..40) {
            let mut padded = body.clone();
            padded.resize(body.len() + zeros, 0);
            let kept = trimmed(&padded);
            prop_assert!(padded[kept..].iter().all(|b| *b == 0));
            prop_assert!(kept == 0 || kept == padded.len() || padded[kept - 8..kept] != [0; 8]);
        }
    }
}
