//! The account's log: every change of cash or positions, once, with an identity. Cash is the sum of it.

use crate::account::AccountId;
use crate::identity::Uuid;
use crate::order::words;
use market::{Contract, Date, Instrument, Label, Money, Price, Symbol, Timestamp};
use std::fmt;

words! {
    /// The broker's activity types.
    ActivityType {
        /// An execution.
        Fill = "FILL",
        /// An option expired worthless.
        OptionExpired = "OPEXP",
        /// A short option was assigned.
        OptionAssigned = "OPASN",
        /// A long option was exercised.
        OptionExercised = "OPEXC",
        /// Shares delivered or received at the strike.
        OptionTrade = "OPTRD",
        /// Cash settlement.
        OptionCash = "OPCSH",
        /// A fee.
        Fee = "FEE",
        /// Cash journaled in: the opening balance.
        CashJournal = "JNLC",
    }
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Activity {
    /// `yyyymmddhhmmssmmm::uuid`, as the broker writes it. Sorts by time.
    pub id: String,
    /// Whose.
    pub account: AccountId,
    /// When it took effect.
    pub at: Timestamp,
    /// The New York date it is booked on.
    pub date: Date,
    /// From when clients are shown it.
    pub visible_from: Timestamp,
    /// What happened.
    pub detail: ActivityDetail,
    /// What it did to the cash; exact.
    pub net_amount: Money,
    /// Ties an exercise or assignment to its delivery.
    pub group: Option<Uuid>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ActivityDetail {
    /// An execution of one leg.
    Fill {
        /// Identity of the execution.
        execution_id: Uuid,
        /// The leg's order id.
        order_id: Uuid,
        /// The parent's order id (the same for simple orders).
        parent_id: Uuid,
        /// What was traded.
        instrument: Instrument,
        /// Signed contracts or shares: positive bought.
        quantity: i64,
        /// Dollars per share, without sign.
        price: Price,
        /// Filled of the leg so far.
        cumulative: u32,
        /// Left of the leg.
        leaves: u32,
        /// True when a sale opened a short position.
        sell_short: bool,
    },
    /// An option position ended.
    OptionEnded {
        /// `OPEXP`, `OPASN` or `OPEXC`.
        how: ActivityType,
        /// The contract.
        contract: Contract,
        /// The change that flattened it: negative for a long, positive for a short.
        quantity: i64,
    },
    /// Shares moved at the strike.
    Delivered {
        /// The underlying.
        symbol: Symbol,
        /// Signed shares.
        shares: i64,
        /// The strike.
        price: Price,
    },
    /// An option position was settled in cash.
    CashSettled {
        /// The contract.
        contract: Contract,
        /// Signed contracts that were held.
        quantity: i64,
        /// Index points paid per unit.
        price: Price,
    },
    /// A fee of one day.
    Fee {
        /// `ORF`, `OCC`, `TAF`, `REG`, `CAT`, `COM`.
        kind: Label,
    },
    /// The opening balance.
    Opening,
}

impl Activity {
    /// The broker's type of it.
    pub const fn kind(&self) -> ActivityType {
        match self.detail {
            ActivityDetail::Fill { .. } => ActivityType::Fill,
            ActivityDetail::OptionEnded { how, .. } => how,
            ActivityDetail::Delivered { .. } => ActivityType::OptionTrade,
            ActivityDetail::CashSettled { .. } => ActivityType::OptionCash,
            ActivityDetail::Fee { .. } => ActivityType::Fee,
            ActivityDetail::Opening => ActivityType::CashJournal,
        }
    }

    /// True for executions, false for everything else.
    pub const fn is_trade(&self) -> bool {
        matches!(self.detail, ActivityDetail::Fill { .. })
    }
}

/// Which activities are asked for. Newest first, unless `ascending`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ActivityFilter {
    /// Only these types; empty: all.
    pub kinds: Vec<ActivityType>,
    /// Only of this date.
    pub date: Option<Date>,
    /// Only later than this.
    pub after: Option<Timestamp>,
    /// Only earlier than this.
    pub until: Option<Timestamp>,
    /// Only of this order (a leg's or the parent's id).
    pub order_id: Option<Uuid>,
    /// Continue after the entry of this id.
    pub page_token: Option<String>,
    /// Oldest first.
    pub ascending: bool,
    /// Most entries; 0 counts as 100.
    pub page_size: usize,
}

impl ActivityFilter {
    pub(crate) fn takes(&self, activity: &Activity, now: Timestamp) -> bool {
        activity.visible_from <= now
            && (self.kinds.is_empty() || self.kinds.contains(&activity.kind()))
            && self.date.is_none_or(|date| activity.date == date)
            && self.after.is_none_or(|after| activity.at > after)
            && self.until.is_none_or(|until| activity.at < until)
            && self.order_id.is_none_or(|id| match activity.detail {
                ActivityDetail::Fill { order_id, parent_id, .. } => order_id == id || parent_id == id,
                _ => false,
            })
    }
}

/// The broker's activity id: the New York wall clock to the millisecond, and an identity.
pub(crate) fn activity_id(at: Timestamp, identity: Uuid) -> String {
    let (date, of_day) = at.new_york();
    let (y, m, d) = date.ymd();
    let ms = of_day / market::time::MS;
    let (h, min, s, milli) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
    format!("{y:04}{m:02}{d:02}{h:02}{min:02}{s:02}{milli:03}::{identity}")
}
