//! What the next start gets from the journal: the letters that risk and execution heard, in order, so that fresh
//! cores come to the same state.

use crate::record::{Kind, seat_code};
use crate::store::{Reader, Scan};
use crate::tables;
use crate::{Body, Fault, Record};
use desk::{Address, Envelope};
use market::Timestamp;
use std::collections::VecDeque;
use std::path::PathBuf;

/// Numbers fetched at once from an index.
const BATCH: usize = 1024;

/// What a start found.
pub struct Recovered {
    /// The number of the run that begins.
    pub run: u32,
    /// The journal's nonce.
    pub nonce: u64,
    /// Records that a killed run had left in its rings; they are in the tables now.
    pub drained: u64,
    /// Rings whose end did not check; each file is kept aside under the name given.
    pub torn: Vec<TornRing>,
    /// Number of the newest record of earlier runs; 0 in a new journal.
    pub last_seq: u64,
    /// For reading anything else.
    pub reader: Reader,
}

/// A ring whose end did not check: what came before is in the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornRing {
    /// Where the file was put.
    pub kept: PathBuf,
    /// Bytes that could not be read.
    pub bytes: u64,
    /// What is wrong with the first of them.
    pub why: &'static str,
}

impl Recovered {
    /// What the order ids of the run that begins start with.
    pub fn run_id(&self) -> market::RunId {
        market::RunId::new(self.nonce, self.run)
    }

    /// Letters one seat heard in earlier runs, in order. Reads only these for risk and execution, the
    /// whole table for an underlying.
    pub fn letters(&self, seat: Address) -> Letters {
        self.letters_of(&[seat])
    }

    /// Letters several seats heard in earlier runs, in their common order.
    pub fn letters_of(&self, seats: &[Address]) -> Letters {
        let sources = seats.iter().map(|seat| Source::new(&self.reader, *seat, self.last_seq)).collect();
        Letters { sources, failed: false, run: 0 }
    }
}

/// Letters in the order they were heard. A record that does not read ends it: a book must not be rebuilt with a gap.
pub struct Letters {
    sources: Vec<Source>,
    failed: bool,
    run: u32,
}

impl Letters {
    /// The run in which the letter given last was heard; 0 before the first.
    pub fn run(&self) -> u32 {
        self.run
    }

    fn step(&mut self) -> Result<Option<(Timestamp, Envelope)>, Fault> {
        let mut first: Option<(u64, usize)> = None;
        for (i, source) in self.sources.iter_mut().enumerate() {
            if let Some(seq) = source.peek()?
                && first.is_none_or(|(least, _)| seq < least)
            {
                first = Some((seq, i));
            }
        }
        let Some((_, i)) = first else { return Ok(None) };
        let record = self.sources[i].take();
        self.run = record.run;
        match record.body {
            Body::Letter(envelope) => Ok(Some((envelope.at, envelope))),
            Body::Run(_) => unreachable!("a source yields heard letters only"),
        }
    }
}

impl Iterator for Letters {
    type Item = Result<(Timestamp, Envelope), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}

/// What one seat heard.
struct Source {
    way: Way,
    until: u64,
    ready: Option<Record>,
}

enum Way {
    /// Through the index.
    Index { reader: Reader, seat: u8, from: u64, numbers: VecDeque<u64> },
    /// Through everything.
    Scan { scan: Box<Scan>, seat: Address },
}

impl Source {
    fn new(reader: &Reader, seat: Address, until: u64) -> Self {
        let code = seat_code(seat);
        let way = if tables::seat_is_indexed(code) {
            Way::Index { reader: reader.clone(), seat: code, from: 0, numbers: VecDeque::new() }
        } else {
            let wanted = move |head: &crate::record::Head| head.kind == Kind::Heard && head.seat == code;
            Way::Scan { scan: Box::new(reader.scan(0..=until, Box::new(wanted))), seat }
        };
        Self { way, until, ready: None }
    }

    fn peek(&mut self) -> Result<Option<u64>, Fault> {
        if self.ready.is_none() {
            self.ready = self.way.next(self.until)?;
        }
        Ok(self.ready.as_ref().map(|record| record.seq))
    }

    fn take(&mut self) -> Record {
        self.ready.take().expect("peeked just before")
    }
}

impl Way {
    fn next(&mut self, until: u64) -> Result<Option<Record>, Fault> {
        match self {
            Self::Index { reader, seat, from, numbers } => {
                if numbers.is_empty() {
                    numbers.extend(reader.heard(*seat, *from, BATCH)?);
                }
                let Some(seq) = numbers.pop_front().filter(|seq| *seq <= until) else { return Ok(None) };
                *from = seq + 1;
                let entry = reader.get(seq)?;
                let entry = entry.ok_or(Fault::Record { seq, why: "missing".into() })?;
                entry.record.map(Some).map_err(|e| Fault::Record { seq, why: e.to_string() })
            }
            Self::Scan { scan, seat } => {
                for entry in scan {
                    let entry = entry?;
                    let record =
                        entry.record.map_err(|e| Fault::Record { seq: entry.seq, why: e.to_string() })?;
                    if record.seat() == *seat {
                        return Ok(Some(record));
                    }
                }
                Ok(None)
            }
        }
    }
}
