//! What the gate is told: limits and waits. Every limit is data; nothing here has a default.

/// Everything the gate needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What the book needs.
    pub book: portfolio::book::Settings,
    /// The limits of the table of checks.
    pub limits: Limits,
    /// How long book and broker may differ, nanoseconds, before it is called a difference: fills that are on
    /// their way while the broker is asked.
    pub reconcile_grace_ns: i64,
    /// Wait before leftovers of a trade are cleared away, nanoseconds: the other half of an assignment may be
    /// on its way.
    pub clean_up_delay_ns: i64,
    /// Wait before the gate tries again to close what it could not, nanoseconds.
    pub retry_ns: i64,
    /// How far beyond the mark the gate's own closing orders may go, basis points of each leg's mark, and at
    /// least two cents a leg.
    pub closing_slack_bps: i64,
}

/// The limits of the table of checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most one trade may lose, basis points of equity.
    pub max_loss_per_trade_bps: i64,
    /// Most all open and pending trades together may lose, basis points of equity.
    pub portfolio_heat_bps: i64,
    /// Loss of the day at which no new risk is taken, basis points of the equity at its start.
    pub daily_loss_bps: i64,
    /// Most open and pending trades of one underlying.
    pub trades_per_underlying: u32,
    /// Most open and pending trades.
    pub open_trades: u32,
    /// Oldest proposal taken, nanoseconds since it was made.
    pub proposal_age_ns: i64,
    /// No entries this soon after the open, nanoseconds.
    pub after_open_ns: i64,
    /// No entries this shortly before the close, nanoseconds.
    pub before_close_ns: i64,
    /// No entries in a contract this shortly before its last close, nanoseconds.
    pub expiring_entry_ns: i64,
    /// No orders at all in a contract this shortly before its last close, nanoseconds: the broker refuses them
    /// (45 minutes; 30 for broad ETFs).
    pub expiring_order_ns: i64,
    /// Move of the underlying that leftovers of a broken trade are held against, basis points.
    pub leftover_shock_bps: i64,
}
