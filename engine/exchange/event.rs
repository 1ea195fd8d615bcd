//! What the exchange tells as it happens. The server makes `trade_updates` of the order events; activities go
//! to whoever keeps books inside the process and never over the stream, as with the real broker.

use crate::account::AccountId;
use crate::activity::Activity;
use crate::identity::Uuid;
use crate::order::{Order, words};
use market::{Instrument, Price, Timestamp};
use std::fmt;

words! {
    /// What happened to an order.
    OrderEventKind {
        /// Taken outside hours.
        Accepted = "accepted",
        /// Routed.
        PendingNew = "pending_new",
        /// Working.
        New = "new",
        /// Part of it executed.
        PartialFill = "partial_fill",
        /// The rest of it executed.
        Fill = "fill",
        /// Cancel asked for.
        PendingCancel = "pending_cancel",
        /// Canceled.
        Canceled = "canceled",
        /// Its time ended.
        Expired = "expired",
        /// Replacement asked for.
        PendingReplace = "pending_replace",
        /// Replaced; sent for the old order, whose `replaced_by` names the new one.
        Replaced = "replaced",
        /// The replacement lost; the old order is what it was.
        ReplaceRejected = "order_replace_rejected",
        /// The cancel lost.
        CancelRejected = "order_cancel_rejected",
        /// Refused after it was taken.
        Rejected = "rejected",
    }
}

/// Something the exchange tells.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Event {
    /// An order changed.
    Order(Box<OrderEvent>),
    /// The account's books changed. Not for the stream: clients ask for activities.
    Activity(Box<Activity>),
    /// An injected fault that only a server can act out.
    Socket(SocketFault),
}

/// What a server should do to its sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SocketFault {
    /// Drop them all.
    Drop,
    /// Send nothing for so many nanoseconds, and keep them open.
    Mute {
        /// Nanoseconds.
        for_ns: i64,
    },
}

/// An order changed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OrderEvent {
    /// Counts events from 1; a duplicate carries the same number.
    pub number: u64,
    /// Whose.
    pub account: AccountId,
    /// What happened.
    pub kind: OrderEventKind,
    /// When.
    pub at: Timestamp,
    /// The order after it.
    pub order: Order,
    /// With fills: what was executed.
    pub execution: Option<Execution>,
    /// With `rejected` and the lost races: why.
    pub reason: Option<String>,
}

/// One execution of an order.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Execution {
    /// For a package the signed net per unit (positive paid), else dollars per share without sign.
    pub price: Price,
    /// Units executed.
    pub units: u32,
    /// What each leg got; one entry for a simple order.
    pub legs: Vec<LegExecution>,
}

/// What one leg got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LegExecution {
    /// Identity of this execution.
    pub execution_id: Uuid,
    /// The leg's order id (a simple order's own).
    pub order_id: Uuid,
    /// What was traded.
    pub instrument: Instrument,
    /// Signed contracts or shares: positive bought.
    pub quantity: i64,
    /// Dollars per share, without sign.
    pub price: Price,
    /// The account's signed position after it.
    pub position: i64,
}
