//! The tables of the LMDB file, their keys and what is indexed.
//!
//! | table | key | value |
//! |---|---|---|
//! | `events` | sequence number, 8 bytes big-endian | the sealed record |
//! | `days` | New York date as days since 1970, 4 bytes big-endian | first and last sequence number |
//! | `seats` | seat (1 risk, 2 execution, 6 shelf), sequence number | nothing: what the seat heard |
//! | `orders` | order id padded to 40, sequence number | nothing: requests, reports and fills of it |
//! | `forecasts` | symbol padded to 8, sequence number | nothing: forecasts, predictions, scores and drift of it |
//! | `meta` | `schema`, `last_run`, `ended_run`, `last_seq`, `pruned_to`, `nonce` | number |

use crate::{Body, Fault, Kind, LetterKind, Record};
use desk::{Address, Letter};
use heed::byteorder::BigEndian;
use heed::types::{Bytes, Str, U32, U64, Unit};
use heed::{CommitOrAbort, Database, Env, WithoutTls};
use market::order::{Outcome, Request};
use market::{OrderId, Symbol};

/// The `meta` key of the layout version.
pub const META_SCHEMA: &str = "schema";
/// The `meta` key of the newest run's number.
pub const META_RUN: &str = "last_run";
/// The `meta` key of the newest run whose end (or death) is noted.
pub const META_ENDED: &str = "ended_run";
/// The `meta` key of the newest record's number.
pub const META_SEQ: &str = "last_seq";
/// The `meta` key below which market inputs have been forgotten.
pub const META_PRUNED: &str = "pruned_to";
/// The `meta` key of the nonce that tells the orders of this journal from those of any other.
pub const META_NONCE: &str = "nonce";

/// Bytes of an order key.
pub const ORDER_KEY: usize = 48;
/// Bytes of a forecast key.
pub const FORECAST_KEY: usize = 16;
/// Bytes of a seat key.
pub const SEAT_KEY: usize = 9;

/// Handles of the tables.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the table above")]
pub struct Tables {
    pub events: Database<'static, U64<BigEndian>, Bytes>,
    pub days: Database<'static, U32<BigEndian>, Bytes>,
    pub seats: Database<'static, Bytes, Unit>,
    pub orders: Database<'static, Bytes, Unit>,
    pub forecasts: Database<'static, Bytes, Unit>,
    pub meta: Database<'static, Str, U64<BigEndian>>,
}

impl Tables {
    /// Opens the tables, making those that are missing.
    pub fn create(env: &Env<WithoutTls>) -> heed::Result<Self> {
        let made = env.create_databases_and_commit(env.write_txn()?, |open, txn| {
            let events = open.create_database(txn, Some("events"))?;
            let days = open.create_database(txn, Some("days"))?;
            let seats = open.create_database(txn, Some("seats"))?;
            let orders = open.create_database(txn, Some("orders"))?;
            let forecasts = open.create_database(txn, Some("forecasts"))?;
            let meta = open.create_database(txn, Some("meta"))?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit((
                events, days, seats, orders, forecasts, meta,
            )))
        })?;
        let (events, days, seats, orders, forecasts, meta) =
            made.commit().expect("the closure above always commits");
        Ok(Self { events, days, seats, orders, forecasts, meta })
    }

    /// Opens the tables for reading; `None` when one is missing.
    pub fn open(env: &Env<WithoutTls>) -> heed::Result<Option<Self>> {
        let found = env.open_databases_and_commit(env.read_txn()?, |open, txn| {
            let events = open.database_options().types().name("events").open(txn)?;
            let days = open.database_options().types().name("days").open(txn)?;
            let seats = open.database_options().types().name("seats").open(txn)?;
            let orders = open.database_options().types().name("orders").open(txn)?;
            let forecasts = open.database_options().types().name("forecasts").open(txn)?;
            let meta = open.database_options().types().name("meta").open(txn)?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit((
                events, days, seats, orders, forecasts, meta,
            )))
        })?;
        let all = found.commit().expect("the closure above always commits");
        let (Some(events), Some(days), Some(seats), Some(orders), Some(forecasts), Some(meta)) = all else {
            return Ok(None);
        };
        Ok(Some(Self { events, days, seats, orders, forecasts, meta }))
    }
}

/// A key of fixed text and a sequence number.
fn keyed<const N: usize>(prefix: &[u8], seq: u64) -> [u8; N] {
    let mut key = [0; N];
    key[..prefix.len()].copy_from_slice(prefix);
    key[N - 8..].copy_from_slice(&seq.to_be_bytes());
    key
}

/// Key of an order's record.
pub fn order_key(id: OrderId, seq: u64) -> [u8; ORDER_KEY] {
    keyed(id.as_bytes(), seq)
}

/// Key of a symbol's forecast.
pub fn forecast_key(symbol: Symbol, seq: u64) -> [u8; FORECAST_KEY] {
    keyed(symbol.as_bytes(), seq)
}

/// Key of what a seat heard, by the seat's stored number.
pub fn seat_key(seat: u8, seq: u64) -> [u8; SEAT_KEY] {
    keyed(&[seat], seq)
}

/// The sequence number at the end of any index key.
pub fn seq_of(key: &[u8]) -> Option<u64> {
    key.last_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// True when letters heard by the seat of this stored number are indexed for recovery.
pub const fn seat_is_indexed(seat: u8) -> bool {
    seat == crate::record::seat_code(Address::Risk)
        || seat == crate::record::seat_code(Address::Execution)
        || seat == crate::record::seat_code(Address::Shelf)
}

/// True when the record must be decoded to index it.
pub const fn is_indexed(kind: LetterKind) -> bool {
    matches!(
        kind,
        LetterKind::Request
            | LetterKind::Report
            | LetterKind::Fill
            | LetterKind::Forecast
            | LetterKind::Predicted
            | LetterKind::Scored
            | LetterKind::Combined
            | LetterKind::Drift
    )
}

/// The orders a record tells of: at most two.
pub fn orders_of(record: &Record) -> [Option<OrderId>; 2] {
    let Body::Letter(envelope) = &record.body else { return [None, None] };
    match (&envelope.letter, record.kind) {
        (Letter::Request(Request::Replace { id, new_id, .. }), Kind::Said) => [Some(*id), Some(*new_id)],
        (Letter::Request(request), Kind::Said) => [Some(request.id()), None],
        (Letter::Report(report), Kind::Heard) => match report.outcome {
            Outcome::Replaced { by } => [Some(report.id), Some(by)],
            _ => [Some(report.id), None],
        },
        (Letter::Fill(fill), Kind::Said) => [Some(fill.order), None],
        _ => [None, None],
    }
}

/// The symbol whose forecast, or what became of it, a record is: what its seat said, and what it was told again at a
/// start.
pub fn forecast_of(record: &Record) -> Option<Symbol> {
    match &record.envelope()?.letter {
        Letter::Forecast(note) => Some(note.symbol),
        Letter::Predicted(prediction) => Some(prediction.symbol),
        Letter::Scored(scored) => Some(scored.symbol),
        Letter::Combined(note) => Some(note.symbol),
        Letter::Drift(note) => Some(note.symbol),
        _ => None,
    }
}

/// Turns heed's words into the journal's.
pub(crate) fn fault(what: &'static str, map_bytes: usize) -> impl Fn(heed::Error) -> Fault {
    move |e| match e {
        heed::Error::Mdb(heed::MdbError::MapFull) => Fault::MapFull { map_size_mb: map_bytes >> 20 },
        other => Fault::table(what)(other),
    }
}
