//! An account's books: cash, positions with their exact cost, fees not charged yet, and the log.

use crate::activity::Activity;
use market::fees::Day;
use market::{Contract, Date, Instrument, Money, Price, Symbol, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Number of an account at this exchange, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub struct AccountId(pub(crate) u32);

impl fmt::Display for AccountId {
    /// The account number as clients see it: `PA3SIM000001`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PA3SIM{:06}", self.0 + 1)
    }
}

/// What a new account starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Opening balance.
    pub cash: Money,
    /// Options level 0 to 3.
    pub options_level: u8,
}

/// What the owner of an account can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Configuration {
    /// True: no new orders, by the owner's wish.
    pub suspend_trade: bool,
    /// True: no short sales of shares.
    pub no_shorting: bool,
    /// The owner's own limit below the approved options level.
    pub max_options_trading_level: Option<u8>,
    /// True: blocked by the broker.
    pub trading_blocked: bool,
}

/// An account as clients see it. Market values use the last trade or mid; a position without any price counts
/// at cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Whose.
    pub id: AccountId,
    /// Settled and unsettled cash.
    pub cash: Money,
    /// Cash plus long plus short market value.
    pub equity: Money,
    /// Equity after the previous settlement.
    pub last_equity: Money,
    /// Value of long positions.
    pub long_market_value: Money,
    /// Value of short positions, zero or negative.
    pub short_market_value: Money,
    /// What shares may be bought for.
    pub buying_power: Money,
    /// What option orders may use; never shown negative.
    pub options_buying_power: Money,
    /// Reg-T requirement of shares plus option margin.
    pub initial_margin: Money,
    /// Maintenance requirement of shares plus option margin.
    pub maintenance_margin: Money,
    /// Fees of today, not charged yet.
    pub accrued_fees: Money,
    /// Profit of everything closed so far, fees not deducted.
    pub realized: Money,
    /// 1 or 2.
    pub multiplier: u32,
    /// Options level the broker granted.
    pub options_approved_level: u8,
    /// The lower of that and the owner's limit.
    pub options_trading_level: u8,
    /// What the owner set.
    pub configuration: Configuration,
    /// When it was opened.
    pub created_at: Timestamp,
}

/// A position as clients see it. Dollar amounts include the multiplier and are negative for shorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionView {
    /// What is held.
    pub instrument: Instrument,
    /// Signed contracts or shares.
    pub quantity: i64,
    /// Signed, of what no open order holds.
    pub available: i64,
    /// What it cost: exact.
    pub cost_basis: Money,
    /// Cost per share without sign, rounded to a millionth.
    pub average_entry: Money,
    /// Last trade or mid; `None` when nothing was ever heard.
    pub current_price: Option<Price>,
    /// Price at the previous settlement.
    pub last_day_price: Option<Price>,
    /// At the current price; at cost when there is none.
    pub market_value: Money,
    /// Market value less cost.
    pub unrealized: Money,
}

/// What is held of one instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Position {
    /// Signed.
    pub quantity: i64,
    /// Signed cost: what was paid for a long, minus what was received for a short.
    pub cost: Money,
}

impl Position {
    /// Books a trade of `quantity` at `price` and returns the profit it realised. Cost leaves in proportion to
    /// the quantity closed; the remainder of the division stays in the position, so nothing is lost.
    pub(crate) fn trade(&mut self, quantity: i64, price: Price, multiplier: i64) -> Money {
        let closing = if self.quantity.signum() * quantity.signum() < 0 {
            quantity.abs().min(self.quantity.abs()) * quantity.signum()
        } else {
            0
        };
        let opening = quantity - closing;
        let mut realized = Money::ZERO;
        if closing != 0 {
            let part = i128::from(self.cost.micros()) * i128::from(closing.abs());
            let removed = Money::from_micros((part / i128::from(self.quantity.abs())) as i64);
            realized = -price.times(closing * multiplier) - removed;
            self.cost -= removed;
        }
        self.cost += price.times(opening * multiplier);
        self.quantity += quantity;
        realized
    }
}

/// An account.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Account {
    pub id: AccountId,
    pub created_at: Timestamp,
    pub cash: Money,
    pub realized: Money,
    pub last_equity: Money,
    pub options_level: u8,
    pub configuration: Configuration,
    pub positions: BTreeMap<Instrument, Position>,
    pub last_day_prices: BTreeMap<Instrument, Price>,
    /// Indexes of orders that are not finished.
    pub open: BTreeSet<usize>,
    /// Indexes of all orders, oldest first.
    pub orders: Vec<usize>,
    pub activities: Vec<Activity>,
    /// Fees of each day not charged yet.
    pub accrued: BTreeMap<Date, Day>,
    /// Contracts not to be exercised at expiry.
    pub do_not_exercise: BTreeSet<Contract>,
}

impl Account {
    pub(crate) fn quantity(&self, instrument: &Instrument) -> i64 {
        self.positions.get(instrument).map_or(0, |p| p.quantity)
    }

    pub(crate) fn shares(&self, symbol: Symbol) -> i64 {
        self.quantity(&Instrument::Stock(symbol))
    }

    /// The lower of what the broker grants and the owner allows.
    pub(crate) fn trading_level(&self) -> u8 {
        self.configuration
            .max_options_trading_level
            .map_or(self.options_level, |own| own.min(self.options_level))
    }

    /// Moves cash and position by one trade; returns the position after it.
    pub(crate) fn trade(&mut self, instrument: Instrument, quantity: i64, price: Price) -> i64 {
        let multiplier = instrument.multiplier();
        let position = self.positions.entry(instrument).or_default();
        self.realized += position.trade(quantity, price, multiplier);
        let left = position.quantity;
        if left == 0 {
            self.positions.remove(&instrument);
        }
        self.cash -= price.times(quantity * multiplier);
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is traded, cost carried plus profit realised is minus the cash spent: nothing is rounded away.
        #[test]
        fn cost_and_profit_are_the_cash_that_moved(
            trades in prop::collection::vec((-7i64..8, 1i64..90_000), 1..60),
        ) {
            let mut position = Position::default();
            let (mut cash, mut realized) = (Money::ZERO, Money::ZERO);
            for (quantity, units) in trades {
                let price = Price::from_units(units);
                realized += position.trade(quantity, price, 100);
                cash -= price.times(quantity * 100);
                prop_assert_eq!(position.cost + cash, realized);
                if position.quantity == 0 {
                    prop_assert_eq!(position.cost, Money::ZERO);
                }
            }
        }
    }
}
