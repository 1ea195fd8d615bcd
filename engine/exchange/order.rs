//! Orders as the exchange keeps and shows them: words, states, legs, and what was filled.

use crate::account::AccountId;
use crate::identity::Uuid;
use market::order::{Effect, Side};
use market::{Instrument, Money, Price, Timestamp};
use std::fmt;

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$note:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$note])* $variant),+ }
        impl $name {
            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
            /// The word of that spelling.
            pub fn from_word(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.serialize_str(self.as_str()) } else { s.serialize_u8(*self as u8) }
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                const ALL: &[$name] = &[$($name::$variant),+];
                let told = if d.is_human_readable() {
                    Self::from_word(&<std::borrow::Cow<'de, str>>::deserialize(d)?)
                } else {
                    ALL.get(usize::from(u8::deserialize(d)?)).copied()
                };
                told.ok_or_else(|| serde::de::Error::custom(concat!("no such ", stringify!($name))))
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Where an order stands.
    OrderStatus {
        /// Taken outside hours: waits for the next session.
        Accepted = "accepted",
        /// Routed, not acknowledged.
        PendingNew = "pending_new",
        /// Working.
        New = "new",
        /// Working, partly executed.
        PartiallyFilled = "partially_filled",
        /// A cancel was asked for; it still works.
        PendingCancel = "pending_cancel",
        /// A replacement was asked for; it still works.
        PendingReplace = "pending_replace",
        /// Executed.
        Filled = "filled",
        /// Canceled; what was filled stays.
        Canceled = "canceled",
        /// Its time in force ended.
        Expired = "expired",
        /// Another order took its place.
        Replaced = "replaced",
        /// Refused after it had been taken.
        Rejected = "rejected",
    }
}

impl OrderStatus {
    /// True when nothing more will come of it.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Filled | Self::Canceled | Self::Expired | Self::Replaced | Self::Rejected)
    }
    /// True when it can execute.
    pub const fn is_working(self) -> bool {
        matches!(self, Self::New | Self::PartiallyFilled | Self::PendingCancel | Self::PendingReplace)
    }
}

words! {
    /// How an order is priced.
    OrderKind {
        /// At what the market gives.
        Market = "market",
        /// At the limit or better.
        Limit = "limit",
    }
}
words! {
    /// How long an order lives.
    TimeInForce {
        /// To the end of its session.
        Day = "day",
        /// Ninety days.
        Gtc = "gtc",
    }
}
words! {
    /// One instrument or a package.
    OrderClass {
        /// One instrument.
        Simple = "simple",
        /// Two to four option legs that fill together.
        Mleg = "mleg",
    }
}
words! {
    /// What a trade does to the position.
    Intent {
        /// Buy, opening.
        BuyToOpen = "buy_to_open",
        /// Buy, closing a short.
        BuyToClose = "buy_to_close",
        /// Sell, opening a short.
        SellToOpen = "sell_to_open",
        /// Sell, closing a long.
        SellToClose = "sell_to_close",
    }
}

impl Intent {
    /// Of a side and an effect.
    pub const fn of(side: Side, effect: Effect) -> Self {
        match (side, effect) {
            (Side::Buy, Effect::Open) => Self::BuyToOpen,
            (Side::Buy, Effect::Close) => Self::BuyToClose,
            (Side::Sell, Effect::Open) => Self::SellToOpen,
            (Side::Sell, Effect::Close) => Self::SellToClose,
        }
    }
    /// Buy or sell.
    pub const fn side(self) -> Side {
        match self {
            Self::BuyToOpen | Self::BuyToClose => Side::Buy,
            Self::SellToOpen | Self::SellToClose => Side::Sell,
        }
    }
    /// Opens or closes.
    pub const fn effect(self) -> Effect {
        match self {
            Self::BuyToOpen | Self::SellToOpen => Effect::Open,
            Self::BuyToClose | Self::SellToClose => Effect::Close,
        }
    }
    /// True when it opens.
    pub const fn opens(self) -> bool {
        matches!(self.effect(), Effect::Open)
    }
}

/// One leg of an order. A simple order has exactly one, with ratio 1 and the order's own id.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OrderLeg {
    /// The leg's own order id.
    pub id: Uuid,
    /// The leg's own client order id, made by the exchange (a simple order's: the order's).
    pub client_order_id: String,
    /// What is traded.
    pub instrument: Instrument,
    /// Buy or sell, to open or to close; inferred when the client did not say.
    pub intent: Intent,
    /// Contracts or shares in one unit.
    pub ratio: u32,
    /// Contracts or shares filled.
    pub filled: u32,
    /// Price times quantity summed over the fills, per share and without sign: divided by `filled` it is the
    /// average price.
    pub(crate) filled_sum: Money,
}

impl OrderLeg {
    /// Buy or sell.
    pub const fn side(&self) -> Side {
        self.intent.side()
    }
    /// Signed contracts or shares in one unit: positive bought.
    pub const fn signed_ratio(&self) -> i64 {
        self.side().sign() * self.ratio as i64
    }
    /// Average price per share without sign, rounded to a millionth of a dollar; `None` before the first fill.
    pub fn filled_avg_price(&self) -> Option<Money> {
        (self.filled > 0).then(|| average(self.filled_sum, self.filled))
    }
}

/// An order as of now.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Order {
    /// The exchange's id.
    pub id: Uuid,
    /// The client's id, unique in the account for ever; made by the exchange when the client gave none.
    pub client_order_id: String,
    /// Whose it is.
    pub account: AccountId,
    /// When it was taken.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was routed.
    pub submitted_at: Timestamp,
    /// When it was filled completely.
    pub filled_at: Option<Timestamp>,
    /// When it expired.
    pub expired_at: Option<Timestamp>,
    /// When it is going to expire.
    pub expires_at: Timestamp,
    /// When it was canceled.
    pub canceled_at: Option<Timestamp>,
    /// When it was rejected.
    pub failed_at: Option<Timestamp>,
    /// When it was replaced.
    pub replaced_at: Option<Timestamp>,
    /// The order that took its place, once it has.
    pub replaced_by: Option<Uuid>,
    /// The order whose place it takes.
    pub replaces: Option<Uuid>,
    /// One instrument or a package.
    pub class: OrderClass,
    /// Market or limit.
    pub kind: OrderKind,
    /// How long it lives.
    pub time_in_force: TimeInForce,
    /// Units ordered: shares, contracts, or packages.
    pub qty: u32,
    /// Units filled.
    pub filled_qty: u32,
    /// The limit as the client wrote it: for a package signed (positive pays), else without sign.
    pub limit_price: Option<Price>,
    /// Where it stands.
    pub status: OrderStatus,
    /// The legs; one for a simple order.
    pub legs: Vec<OrderLeg>,
    /// Signed net price times units, summed over the fills.
    pub(crate) filled_sum: Money,
    /// What it reserves of the buying power while nothing is filled.
    pub(crate) reserve: Money,
    /// From when it can fill.
    pub(crate) eligible_at: Timestamp,
    /// When it began to work.
    pub(crate) working_since: Timestamp,
    /// True once a good quote left it unfilled: from then on it rests and fills at its own limit.
    pub(crate) rests: bool,
    /// Its newest execution.
    pub(crate) last_execution: Option<crate::event::Execution>,
    /// The order that is about to take its place.
    pub(crate) successor: Option<Successor>,
}

/// A replacement on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Successor {
    /// Index of the new order.
    pub index: usize,
    /// Units of the old order that were filled when it was asked for.
    pub filled_when_asked: u32,
    /// What the new order reserves once it stands alone.
    pub reserve: Money,
}

impl Order {
    /// Units not filled yet.
    pub const fn remaining(&self) -> u32 {
        self.qty - self.filled_qty
    }
    /// True for a package.
    pub const fn is_mleg(&self) -> bool {
        matches!(self.class, OrderClass::Mleg)
    }
    /// The side of a simple order; `None` for a package.
    pub fn side(&self) -> Option<Side> {
        if self.is_mleg() { None } else { self.legs.first().map(OrderLeg::side) }
    }
    /// The limit as a signed net price: positive pays at most, negative receives at least.
    pub fn signed_limit(&self) -> Option<Price> {
        let sign = self.side().map_or(1, Side::sign);
        self.limit_price.map(|limit| limit * sign)
    }
    /// Average price, rounded to a millionth of a dollar: for a package the signed net per unit, else without
    /// sign. `None` before the first fill.
    pub fn filled_avg_price(&self) -> Option<Money> {
        let sign = self.side().map_or(1, Side::sign);
        (self.filled_qty > 0).then(|| average(self.filled_sum, self.filled_qty).saturating_mul(sign))
    }
    /// What the unfilled part reserves.
    pub(crate) fn reserved(&self) -> Money {
        let part = i128::from(self.reserve.micros()) * i128::from(self.remaining());
        Money::from_micros((part / i128::from(self.qty.max(1))) as i64)
    }
    /// Contracts or shares of a leg not filled yet, signed.
    pub(crate) fn remaining_of(&self, leg: &OrderLeg) -> i64 {
        leg.signed_ratio() * i64::from(self.remaining())
    }
}

fn average(sum: Money, quantity: u32) -> Money {
    let (sum, n) = (i128::from(sum.micros()), i128::from(quantity));
    let half = if sum < 0 { -n / 2 } else { n / 2 };
    Money::from_micros(((sum + half) / n) as i64)
}
