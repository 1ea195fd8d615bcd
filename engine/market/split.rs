//! Splits of a share: what one share becomes, and from which session on. Prices before it are divided by the ratio
//! and volumes multiplied, so that history meets the present on one scale; money turned over stays as it was.

use crate::quote::Bar;
use crate::{Date, Price};

/// A split: `old` shares become `new` with the opening of `ex_date`. 7 for 1 divides prices by seven; 1 for 8 is a
/// reverse split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Split {
    /// The first session on the new scale.
    pub ex_date: Date,
    new: u32,
    old: u32,
}

impl Split {
    /// A split of `old` shares into `new`; `None` when either is 0.
    pub const fn new(ex_date: Date, new: u32, old: u32) -> Option<Self> {
        if new == 0 || old == 0 { None } else { Some(Self { ex_date, new, old }) }
    }

    /// New shares for one old one.
    pub fn ratio(&self) -> f64 {
        f64::from(self.new) / f64::from(self.old)
    }

    /// A price of before on the new scale, to the nearest ten-thousandth of a dollar (halves up).
    pub fn price(&self, before: Price) -> Price {
        let (new, old) = (i128::from(self.new), i128::from(self.old));
        let units = (i128::from(before.units()) * old * 2 + new).div_euclid(new * 2);
        Price::from_units(i64::try_from(units).unwrap_or(i64::MAX))
    }

    /// A number of shares of before on the new scale, to the nearest whole (halves up).
    pub fn shares(&self, before: u64) -> u64 {
        let (new, old) = (u128::from(self.new), u128::from(self.old));
        u64::try_from((u128::from(before) * new * 2 + old) / (old * 2)).unwrap_or(u64::MAX)
    }

    /// A bar of before on the new scale. What traded trades still: a volume does not become nothing.
    pub fn bar(&self, before: &Bar) -> Bar {
        Bar {
            open: self.price(before.open),
            high: self.price(before.high),
            low: self.price(before.low),
            close: self.price(before.close),
            volume: self.shares(before.volume).max(u64::from(before.volume > 0)),
            ..*before
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Money, Timestamp};

    #[test]
    fn apples_seven_for_one() {
        let split = Split::new(Date::literal(2014, 6, 9), 7, 1).expect("a ratio");
        assert_eq!(split.price(Price::from_cents(64_557)), Price::from_units(922_243));
        let turnover = Money::from_dollars(64_557);
        let price = Price::from_cents(64_557);
        let bar = Bar {
            start: Timestamp::from_seconds(0),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 100,
            trades: 3,
            turnover,
            repaired: false,
        };
        let after = split.bar(&bar);
        assert_eq!((after.volume, after.trades, after.turnover), (700, 3, turnover));
        assert!((split.ratio() - 7.0).abs() < 1e-15);
    }

    #[test]
    fn reverse_splits_keep_what_traded() {
        let split = Split::new(Date::literal(2020, 4, 29), 1, 8).expect("a ratio");
        assert_eq!(split.price(Price::from_cents(250)), Price::from_cents(2_000));
        assert_eq!((split.shares(4), split.shares(3), split.shares(800)), (1, 0, 100));
        assert_eq!(Split::new(Date::literal(2020, 4, 29), 0, 8), None);
        assert_eq!(Split::new(Date::literal(2020, 4, 29), 8, 0), None);
    }
}
