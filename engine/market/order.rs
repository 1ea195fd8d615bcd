//! Words to and from a venue: what we ask for, what it reports, what it says of the account.
//! One signed net price for any number of legs: **positive pays, negative receives**.

use crate::{Contract, Date, Instrument, Label, Money, OrderId, Price, Symbol, Timestamp};
use arrayvec::ArrayVec;

/// Most legs one order can have.
pub const LEGS_MAX: usize = 4;

/// Buy or sell.
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
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Buy.
    Buy,
    /// Sell.
    Sell,
}

impl Side {
    /// +1 for buy, -1 for sell.
    pub const fn sign(self) -> i64 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }
    /// The other side.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

/// Whether a leg opens or closes a position.
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
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Opens or adds.
    Open,
    /// Reduces or closes.
    Close,
}

/// One leg of an order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct Leg {
    /// What is traded.
    pub instrument: Instrument,
    /// Buy or sell.
    pub side: Side,
    /// Opens or closes.
    pub effect: Effect,
    /// Contracts (or shares) of this leg in one unit of the order; the legs' ratios have no common divisor.
    pub ratio: u32,
}

impl Leg {
    /// Signed contracts (or shares) in one unit: positive when bought.
    pub const fn signed_ratio(&self) -> i64 {
        self.side.sign() * self.ratio as i64
    }
}

/// The legs of one order or position, 1 to [`LEGS_MAX`].
pub type Legs = ArrayVec<Leg, LEGS_MAX>;

/// How an order is priced.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub enum Pricing {
    /// At the net price or better. Signed: positive pays at most, negative receives at least. A single sell
    /// leg is signed too: selling at 4.15 is a limit of -4.15.
    Limit(Price),
    /// At whatever the market gives.
    Market,
}

/// An order as we send it. Time in force is `day`, always.
#[derive(
    Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct Ticket {
    /// Our id, unique for ever.
    pub id: OrderId,
    /// The underlying all legs belong to.
    pub underlying: Symbol,
    /// The legs.
    pub legs: Legs,
    /// Units ordered; a leg trades `units x ratio`.
    pub units: u32,
    /// Limit or market.
    pub pricing: Pricing,
}

/// What we may ask of a venue.
#[derive(
    Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub enum Request {
    /// Send a new order.
    Submit(Ticket),
    /// Change the limit of a working order; the venue makes a new order of it under `new_id`.
    Replace {
        /// The order to change.
        id: OrderId,
        /// The id of the order that takes its place.
        new_id: OrderId,
        /// Its limit, signed.
        limit: Price,
    },
    /// Cancel a working order.
    Cancel {
        /// The order to cancel.
        id: OrderId,
    },
    /// Ask what became of an order whose request had no clear answer.
    LookUp {
        /// The order asked for.
        id: OrderId,
    },
}

impl Request {
    /// The order the request is about.
    pub fn id(&self) -> OrderId {
        match self {
            Self::Submit(ticket) => ticket.id,
            Self::Replace { id, .. } | Self::Cancel { id } | Self::LookUp { id } => *id,
        }
    }
}

/// What one leg got in one execution.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct LegFill {
    /// What was traded.
    pub instrument: Instrument,
    /// Signed contracts or shares: positive bought.
    pub quantity: i64,
    /// Dollars per share, not signed.
    pub price: Price,
}

/// One execution of an order.
#[derive(
    Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct Execution {
    /// The venue's id of it, folded to 64 bits; repeats are dropped by it.
    pub id: u64,
    /// Units filled by this execution.
    pub units: u32,
    /// Units filled so far, this execution included.
    pub units_so_far: u32,
    /// What each leg got.
    pub legs: ArrayVec<LegFill, LEGS_MAX>,
}

/// Where an order stands, in the venue's words.
#[derive(
    Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub enum Outcome {
    /// Taken, perhaps not working yet.
    Accepted,
    /// Working.
    Working,
    /// Some or all of it executed.
    Filled(Execution),
    /// Canceled; what was filled before stays filled.
    Canceled,
    /// Expired at the end of its day.
    Expired,
    /// Refused; the order does not exist or is dead.
    Rejected {
        /// The venue's code, 0 when it gave none.
        code: u32,
        /// The venue's text, cut.
        reason: ReasonText,
    },
    /// Replaced by another order.
    Replaced {
        /// The order that took its place.
        by: OrderId,
    },
    /// The replacement was refused; the old order works on.
    ReplaceRejected {
        /// The venue's text, cut.
        reason: ReasonText,
    },
    /// The cancel was refused, usually since the order is finished already.
    CancelRejected {
        /// The venue's text, cut.
        reason: ReasonText,
    },
    /// Nothing of that id is known to the venue.
    NotFound,
    /// The request got no clear answer (time-out, 5xx, connection lost): ask before acting.
    Unknown,
}

/// A venue's explanation, cut to what a record keeps.
pub type ReasonText = crate::text::Text<96>;

/// What a venue tells about one order.
#[derive(
    Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct Report {
    /// Our order id.
    pub id: OrderId,
    /// What happened.
    pub outcome: Outcome,
    /// When, by the venue's stamp.
    pub at: Timestamp,
}

/// The account as the venue sees it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct Account {
    /// Settled and unsettled cash.
    pub cash: Money,
    /// Cash plus long less short market value.
    pub equity: Money,
    /// What option orders may use.
    pub options_buying_power: Money,
    /// False when the venue takes no orders from this account.
    pub may_trade: bool,
    /// When it was asked.
    pub at: Timestamp,
}

/// One position as the venue sees it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct Holding {
    /// What is held.
    pub instrument: Instrument,
    /// Signed contracts or shares.
    pub quantity: i64,
}

/// What happens to an account besides trading.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub enum Activity {
    /// An option expired worthless; `quantity` is the change that flattens it.
    Expired {
        /// The contract.
        contract: Contract,
        /// Signed change of the option position.
        quantity: i64,
    },
    /// A short option was assigned; `quantity` is the change that flattens it.
    Assigned {
        /// The contract.
        contract: Contract,
        /// Signed change of the option position.
        quantity: i64,
    },
    /// A long option was exercised; `quantity` is the change that flattens it.
    Exercised {
        /// The contract.
        contract: Contract,
        /// Signed change of the option position.
        quantity: i64,
    },
    /// Shares delivered or received by exercise or assignment, at the strike.
    Delivered {
        /// The underlying.
        symbol: Symbol,
        /// Signed shares.
        shares: i64,
        /// The strike.
        price: Price,
    },
    /// Cash settlement of an option.
    CashSettled {
        /// The contract.
        contract: Contract,
        /// Signed change of the option position.
        quantity: i64,
        /// Signed cash.
        amount: Money,
    },
    /// A fee, by the venue's sub-type (`ORF`, `OCC`, `TAF`, `REG`, `CAT`, `COM`). Negative: we pay.
    Fee {
        /// The sub-type.
        kind: Label,
        /// Signed cash.
        amount: Money,
    },
    /// Dividends, interest and transfers.
    Cash {
        /// The venue's type.
        kind: Label,
        /// Signed cash.
        amount: Money,
    },
}

/// An activity with its identity.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct ActivityNote {
    /// The venue's id of it, folded to 64 bits; repeats are dropped by it.
    pub id: u64,
    /// The date it is booked on.
    pub date: Date,
    /// What happened.
    pub activity: Activity,
}

/// Folds a venue's textual id to 64 bits (FNV-1a), for recognising repeats.
pub fn fold_id(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}
