//! Everything about the simulated exchange that can be set, with units. Nothing here has a silent default;
//! [`Settings::ordinary`] is the one named starting point.

use crate::faults::Faults;
use market::time::{HOUR, MINUTE, MS, SECOND};
use market::{Date, Price, Symbol};

/// How the exchange behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// At what price orders fill.
    pub fills: FillModel,
    /// Delays of the order path.
    pub delays: Delays,
    /// A quote older than this fills nothing, in nanoseconds.
    pub quote_age_max_ns: i64,
    /// What accounts must put up.
    pub margin: MarginRules,
    /// Expiration day.
    pub expiry: ExpiryRules,
    /// The fees charged; `None`: none at all, as in the broker's own paper mode.
    pub fees: Option<market::fees::Schedule>,
    /// True when activities of expiry, assignment, exercise and fees are shown from the next day on, as the
    /// broker's paper accounts do. Positions and cash change at once either way.
    pub activities_next_day: bool,
    /// Most contracts of one leg in one order.
    pub option_order_max: u32,
    /// False to refuse every multi-leg order as switched off.
    pub mleg_enabled: bool,
    /// Cash dividends known to the exchange; they only drive early assignment. Empty: none.
    pub dividends: Vec<Dividend>,
    /// What goes wrong, and how often.
    pub faults: Faults,
}

impl Settings {
    /// The honest exchange: half-spread fills, small delays, the given fees, no faults.
    pub fn ordinary(fees: Option<market::fees::Schedule>) -> Self {
        Self {
            fills: FillModel::ordinary(),
            delays: Delays {
                acknowledge_ns: 5 * MS,
                cancel_ns: 5 * MS,
                replace_ns: 5 * MS,
                resting_ns: 50 * MS,
            },
            quote_age_max_ns: 2 * MINUTE,
            margin: MarginRules {
                multiplier: 2,
                initial_bps: 5_000,
                maintenance_bps: 3_000,
                expiries: ExpiryMargin::Largest,
            },
            expiry: ExpiryRules {
                cutoff_ns: 45 * MINUTE,
                cutoff_late_close_ns: 30 * MINUTE,
                settle_after_ns: 30 * MINUTE,
                contracts_today_max: None,
                sell_unaffordable: true,
            },
            fees,
            activities_next_day: true,
            option_order_max: 10_000,
            mleg_enabled: true,
            dividends: Vec::new(),
            faults: Faults::NONE,
        }
    }

    /// What the broker's paper mode is documented to do: fills at the touch, no fees, sizes ignored, a tenth of
    /// the fills partial.
    pub fn broker_paper() -> Self {
        let faults = Faults { partial_fill_ppm: 100_000, ..Faults::NONE };
        Self { fills: FillModel::Touch, faults, ..Self::ordinary(None) }
    }
}

/// At what price an order fills. Net prices are signed: positive pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillModel {
    /// Mid plus `k` times the half-spread of the whole package, rounded against the trader to a cent:
    /// `k = near + (far - near) x wanted / displayed - relief x rested / relief_after`, kept within
    /// `[near, far]`. A market order pays `k` = 1.
    HalfSpread {
        /// The smallest `k`, in basis points of the half-spread.
        near_bps: i64,
        /// The largest `k`, in basis points.
        far_bps: i64,
        /// How much of `k` patience can save, in basis points.
        relief_bps: i64,
        /// Nanoseconds of resting after which all of it is saved.
        relief_after_ns: i64,
    },
    /// `k` = 1 always: every fill pays the far side.
    Stress,
    /// The broker's paper mode: at the far side, displayed size ignored.
    Touch,
}

impl FillModel {
    /// `k` from 0.40 to 0.75, of which 0.15 can be saved by half a minute of patience.
    pub const fn ordinary() -> Self {
        Self::HalfSpread { near_bps: 4_000, far_bps: 7_500, relief_bps: 1_500, relief_after_ns: 30 * SECOND }
    }
}

/// Delays of the order path, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delays {
    /// From acceptance to `new`.
    pub acknowledge_ns: i64,
    /// From a cancel request to `canceled`; a fill may win the race.
    pub cancel_ns: i64,
    /// From a replace request to `replaced`; a fill may win the race.
    pub replace_ns: i64,
    /// An order works at least this long before it can fill.
    pub resting_ns: i64,
}

/// What an account must put up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarginRules {
    /// 1 (cash) or 2 (Reg-T margin): shares bought per dollar.
    pub multiplier: u32,
    /// Initial margin of shares when `multiplier` is 2, in basis points of their value.
    pub initial_bps: i64,
    /// Maintenance margin of shares, in basis points of their value.
    pub maintenance_bps: i64,
    /// How the expiries of one underlying add up.
    pub expiries: ExpiryMargin,
}

/// How the option margins of an underlying's expiries combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryMargin {
    /// The largest one counts: the broker's documented rule, which understates the risk of calendars.
    Largest,
    /// All add up.
    Sum,
}

/// Expiration day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiryRules {
    /// Opening orders in contracts that trade their last day are refused from this long before the stock close,
    /// in nanoseconds (45 minutes: 15:15).
    pub cutoff_ns: i64,
    /// The same for roots that close late, the broad ETFs (30 minutes: 15:30).
    pub cutoff_late_close_ns: i64,
    /// Settlement runs this long after the stock close, against the official close; more than 15 minutes, so
    /// that late closers are done. In nanoseconds.
    pub settle_after_ns: i64,
    /// Most contracts that trade their last day an account may hold and have ordered; `None`: no limit.
    pub contracts_today_max: Option<u32>,
    /// True to sell, from the cut-off on, long contracts in the money whose exercise the account cannot pay.
    pub sell_unaffordable: bool,
}

/// A cash dividend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dividend {
    /// Who pays.
    pub symbol: Symbol,
    /// The first date on which shares trade without it.
    pub ex_date: Date,
    /// Dollars per share.
    pub amount: Price,
}

/// Days a good-till-canceled order lives, in nanoseconds.
pub(crate) const GTC_LIFE_DAYS: i32 = 90;
/// Of a New York day: when a good-till-canceled order is canceled on its last day, in seconds.
pub(crate) const GTC_END_SECONDS: i64 = 16 * (HOUR / SECOND) + 15 * (MINUTE / SECOND);
