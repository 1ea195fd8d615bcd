//! One instrument's position: lots first in, first out, each at its own price, so that cost and realised
//! profit are exact.

use market::{Instrument, Money, Price, Timestamp};
use std::collections::VecDeque;

/// Shares or contracts bought (or sold short) together at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    /// Signed contracts or shares; never zero.
    pub quantity: i64,
    /// Dollars per share.
    pub price: Price,
}

/// The last price a position was marked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Mid per share.
    pub mid: Price,
    /// When.
    pub at: Timestamp,
}

/// What is held in one instrument. All its lots have the same sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    instrument: Instrument,
    quantity: i64,
    lots: VecDeque<Lot>,
    mark: Option<Mark>,
}

impl Position {
    /// Nothing held yet.
    pub fn flat(instrument: Instrument) -> Self {
        Self { instrument, quantity: 0, lots: VecDeque::new(), mark: None }
    }
    /// What is held.
    pub fn instrument(&self) -> Instrument {
        self.instrument
    }
    /// Signed contracts or shares.
    pub fn quantity(&self) -> i64 {
        self.quantity
    }
    /// The lots, oldest first.
    pub fn lots(&self) -> impl Iterator<Item = &Lot> {
        self.lots.iter()
    }
    /// The last mark, once there was one.
    pub fn mark(&self) -> Option<Mark> {
        self.mark
    }

    /// What was paid for what is held: positive for a long, negative (received) for a short.
    pub fn cost(&self) -> Money {
        self.lots.iter().map(|lot| self.worth(lot.price, lot.quantity)).sum()
    }

    /// The price it is valued at: the mark, or the newest lot's while there is none.
    pub fn price(&self) -> Price {
        let newest = || self.lots.back().map_or(Price::ZERO, |lot| lot.price);
        self.mark.map_or_else(newest, |mark| mark.mid)
    }

    /// What the position is worth at [`Position::price`].
    pub fn value(&self) -> Money {
        self.worth(self.price(), self.quantity)
    }

    /// Books `quantity` at `price`: closes the oldest lots of the other sign first, opens with the rest.
    /// Answers the profit realised.
    pub fn trade(&mut self, quantity: i64, price: Price) -> Money {
        let mut left = quantity;
        let mut realised = Money::ZERO;
        while left != 0
            && let Some(lot) = self.lots.front_mut()
            && lot.quantity.signum() != left.signum()
        {
            let taken = lot.quantity.abs().min(left.abs()) * lot.quantity.signum();
            realised += (price - lot.price).times(taken * self.instrument.multiplier());
            lot.quantity -= taken;
            left += taken;
            if lot.quantity == 0 {
                self.lots.pop_front();
            }
        }
        if left != 0 {
            self.lots.push_back(Lot { quantity: left, price });
        }
        self.quantity += quantity;
        realised
    }

    /// Takes a mark unless an equally new or newer one is held. Answers the change of value.
    pub fn mark_to(&mut self, mark: Mark) -> Money {
        if self.mark.is_some_and(|held| held.at >= mark.at) {
            return Money::ZERO;
        }
        let before = self.value();
        self.mark = Some(mark);
        self.value() - before
    }

    fn worth(&self, price: Price, quantity: i64) -> Money {
        price.times(quantity * self.instrument.multiplier())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stock() -> Instrument {
        Instrument::parse("SPY").unwrap()
    }

    #[test]
    fn oldest_lots_go_first_and_a_position_may_turn() {
        let mut p = Position::flat(stock());
        assert_eq!(p.trade(100, Price::from_cents(1000)), Money::ZERO);
        assert_eq!(p.trade(100, Price::from_cents(1200)), Money::ZERO);
        assert_eq!(p.trade(-150, Price::from_cents(1300)), Money::from_dollars(300 + 50));
        assert_eq!((p.quantity(), p.cost()), (50, Money::from_dollars(600)));
        assert_eq!(p.trade(-80, Price::from_cents(1100)), Money::from_dollars(-50));
        assert_eq!((p.quantity(), p.cost()), (-30, Money::from_dollars(-330)));
    }

    #[test]
    fn an_older_mark_changes_nothing() {
        let mut p = Position::flat(stock());
        p.trade(10, Price::from_cents(1000));
        let at = Timestamp::from_seconds(9);
        assert_eq!(p.mark_to(Mark { mid: Price::from_cents(1100), at }), Money::from_dollars(10));
        assert_eq!(p.mark_to(Mark { mid: Price::from_cents(900), at: at - 1 }), Money::ZERO);
        assert_eq!(p.value(), Money::from_dollars(110));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Realised profit plus cost is what was paid, whatever the order of trades.
        #[test]
        fn nothing_is_lost(trades in prop::collection::vec((-50i64..50, 1i64..100_000), 0..40)) {
            let mut p = Position::flat(Instrument::parse("SPY260417P00560000").unwrap());
            let (mut paid, mut realised) = (Money::ZERO, Money::ZERO);
            for (quantity, units) in trades {
                let price = Price::from_units(units);
                paid += price.times(quantity * 100);
                realised += p.trade(quantity, price);
                prop_assert_eq!(p.cost() - realised, paid);
                prop_assert_eq!(p.lots().map(|l| l.quantity).sum::<i64>(), p.quantity());
                prop_assert!(p.lots().all(|l| l.quantity.signum() == p.quantity().signum()));
            }
        }
    }
}
