//! Orders as clients ask for them: texts, exactly as they came over the wire (numbers turned into their
//! text). The exchange reads them itself, so that every wrong one is refused in one place and one wording.

/// `POST /orders`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NewOrder {
    /// Ticker or OCC symbol; not used by packages.
    pub symbol: Option<String>,
    /// Units.
    pub qty: Option<String>,
    /// Dollars instead of units; always refused, with the broker's reason.
    pub notional: Option<String>,
    /// `buy` or `sell`; not used by packages.
    pub side: Option<String>,
    /// `market` or `limit`.
    pub kind: Option<String>,
    /// `day` or `gtc`.
    pub time_in_force: Option<String>,
    /// Dollars per share; of packages signed, positive pays.
    pub limit_price: Option<String>,
    /// Refused with the kinds that need it.
    pub stop_price: Option<String>,
    /// Refused when true.
    pub extended_hours: bool,
    /// At most 128 characters, unique for ever.
    pub client_order_id: Option<String>,
    /// Absent, empty, `simple` or `mleg`.
    pub order_class: Option<String>,
    /// Optional for simple orders.
    pub position_intent: Option<String>,
    /// Legs of a package.
    pub legs: Vec<NewLeg>,
}

/// A leg of `POST /orders`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NewLeg {
    /// OCC symbol.
    pub symbol: Option<String>,
    /// Contracts in one unit; absent counts as 1.
    pub ratio_qty: Option<String>,
    /// `buy` or `sell`; may be left to the intent.
    pub side: Option<String>,
    /// Required.
    pub position_intent: Option<String>,
}

/// `PATCH /orders/{id}`: what is absent stays.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Replacement {
    /// Units in all, those filled already included.
    pub qty: Option<String>,
    /// The new limit.
    pub limit_price: Option<String>,
    /// Refused: no order here has a stop.
    pub stop_price: Option<String>,
    /// Refused: no order here trails.
    pub trail: Option<String>,
    /// `day` or `gtc`.
    pub time_in_force: Option<String>,
    /// The client id of the new order; made by the exchange when absent.
    pub client_order_id: Option<String>,
}
