//! What a feed may say: quotes, trades, bars, open interest, trading status. Absence is `Option`: a side
//! without a bid is `None`, never a price of zero.

use crate::{Contract, Date, Instrument, Label, Money, Price, Symbol, Timestamp};

/// A price and how much of it is shown: shares, or contracts.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Level {
    /// Dollars per share.
    pub price: Price,
    /// Shares, or contracts.
    pub size: u32,
}

/// The best bid and ask of one instrument at one moment.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Quote {
    /// The best bid, if there is one.
    pub bid: Option<Level>,
    /// The best ask, if there is one.
    pub ask: Option<Level>,
    /// When the venue made it.
    pub at: Timestamp,
}

impl Quote {
    /// Halfway between bid and ask, rounded down to a ten-thousandth. `None` when a side is missing or the
    /// quote is crossed (bid above ask): such a quote names no price.
    #[inline]
    pub fn mid(&self) -> Option<Price> {
        let (bid, ask) = (self.bid?.price, self.ask?.price);
        (bid <= ask).then(|| Price::from_units((bid.units() + ask.units()).div_euclid(2)))
    }
    /// Ask less bid; `None` when a side is missing.
    pub fn spread(&self) -> Option<Price> {
        Some(self.ask?.price - self.bid?.price)
    }
    /// True when both sides are there and the bid is above the ask.
    pub fn is_crossed(&self) -> bool {
        matches!((self.bid, self.ask), (Some(b), Some(a)) if b.price > a.price)
    }
}

/// One execution reported by the tape.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Trade {
    /// Dollars per share.
    pub price: Price,
    /// Shares, or contracts.
    pub size: u32,
    /// When it happened.
    pub at: Timestamp,
    /// The tape's id, 0 when the feed gives none. Repeats are dropped by it.
    pub id: u64,
    /// What the sale conditions allow the trade to do.
    pub rule: SaleRule,
}

/// What a trade may change in a bar, by its sale conditions (consolidated tape plan rules).
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Default,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum SaleRule {
    /// Updates last, high, low and volume.
    #[default]
    Regular,
    /// Updates volume only (odd lots, average-price trades, derivatively priced and the like).
    VolumeOnly,
    /// Updates high, low and volume, but not last (out of sequence).
    NoLast,
    /// Updates nothing (a correction's original, a suspicious print).
    Ignored,
}

/// The ten timeframes.
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
pub enum Timeframe {
    /// One minute.
    #[serde(rename = "1min")]
    Min1,
    /// Five minutes.
    #[serde(rename = "5min")]
    Min5,
    /// Fifteen minutes.
    #[serde(rename = "15min")]
    Min15,
    /// Thirty minutes.
    #[serde(rename = "30min")]
    Min30,
    /// One hour, counted from the session's open.
    #[serde(rename = "1h")]
    Hour1,
    /// Four hours, counted from the session's open.
    #[serde(rename = "4h")]
    Hour4,
    /// One session.
    #[serde(rename = "1day")]
    Day1,
    /// The sessions of one week.
    #[serde(rename = "1week")]
    Week1,
    /// The sessions of one month.
    #[serde(rename = "1month")]
    Month1,
    /// The sessions of one year.
    #[serde(rename = "1year")]
    Year1,
}

impl Timeframe {
    /// How many there are.
    pub const COUNT: usize = 10;
    /// All, shortest first.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Min1,
        Self::Min5,
        Self::Min15,
        Self::Min30,
        Self::Hour1,
        Self::Hour4,
        Self::Day1,
        Self::Week1,
        Self::Month1,
        Self::Year1,
    ];
    /// The name used in configuration, manifests and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Min1 => "1min",
            Self::Min5 => "5min",
            Self::Min15 => "15min",
            Self::Min30 => "30min",
            Self::Hour1 => "1h",
            Self::Hour4 => "4h",
            Self::Day1 => "1day",
            Self::Week1 => "1week",
            Self::Month1 => "1month",
            Self::Year1 => "1year",
        }
    }
    /// The timeframe of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }
    /// Position in [`Timeframe::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
    /// Minutes of a bar within a session; `None` for a day and longer.
    pub const fn minutes(self) -> Option<i64> {
        match self {
            Self::Min1 => Some(1),
            Self::Min5 => Some(5),
            Self::Min15 => Some(15),
            Self::Min30 => Some(30),
            Self::Hour1 => Some(60),
            Self::Hour4 => Some(240),
            _ => None,
        }
    }
}

impl std::fmt::Display for Timeframe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Open, high, low, close and volume over one interval, stamped at its start.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Bar {
    /// Start of the interval.
    pub start: Timestamp,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Shares traded.
    pub volume: u64,
    /// Number of trades; 0 when made from quote mids or when the source does not say.
    pub trades: u32,
    /// Price times size summed over the trades: divided by `volume` it is the VWAP.
    pub turnover: Money,
    /// True when the bar changed after it had closed: a gap in the feed was filled from another source, or a trade
    /// came late or was taken back.
    pub repaired: bool,
}

/// Trading status of an instrument.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Status {
    /// True while trading is halted or paused.
    pub halted: bool,
    /// The venue's reason code, such as `LUDP`; empty when none was given.
    pub reason: Label,
    /// When it was announced.
    pub at: Timestamp,
}

/// What is known of a contract's open interest: the previous session's figure.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct OpenInterest {
    /// The contract.
    pub contract: Contract,
    /// Contracts open.
    pub contracts: u32,
    /// The session it is of.
    pub as_of: Date,
}

/// Everything a market-data feed may say.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum MarketEvent {
    /// A new best bid and ask.
    Quote(Instrument, Quote),
    /// An execution on the tape.
    Trade(Instrument, Trade),
    /// A trade that is taken back, by tape id, and when that was announced.
    Cancel(Symbol, u64, Timestamp),
    /// A finished bar made by the venue, or fetched from history. `updated` when it replaces one sent before.
    Bar {
        /// Of which symbol.
        symbol: Symbol,
        /// Of which length.
        timeframe: Timeframe,
        /// The bar.
        bar: Bar,
        /// True when it replaces one that was sent before.
        updated: bool,
    },
    /// A figure of open interest.
    OpenInterest(OpenInterest),
    /// A halt or its end.
    Status(Instrument, Status),
}

impl MarketEvent {
    /// When the event happened by the venue's own stamp; `None` for open interest, which is of a date.
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Quote(_, q) => Some(q.at),
            Self::Trade(_, t) => Some(t.at),
            Self::Cancel(_, _, at) => Some(*at),
            Self::Bar { bar, .. } => Some(bar.start),
            Self::OpenInterest(_) => None,
            Self::Status(_, s) => Some(s.at),
        }
    }
}
