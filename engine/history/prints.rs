//! Trades made of a bar: at most four prints that give back the same open, high, low, close and volume.

use arrayvec::ArrayVec;
use market::Timestamp;
use market::quote::{Bar, SaleRule, Trade};

/// The prints of a bar of `length_ns`, in order of time: open, the two extremes (the one nearer to the open
/// first, as for a rising bar low before high), close. Prices that repeat the print before are left out unless
/// they are the close; the volume that is left goes to the close. None for a bar without volume.
pub fn prints(bar: &Bar, length_ns: i64) -> ArrayVec<Trade, 4> {
    let rising = bar.close >= bar.open;
    let extremes = if rising { [bar.low, bar.high] } else { [bar.high, bar.low] };
    let mut prices = ArrayVec::<_, 4>::from([bar.open, extremes[0], extremes[1], bar.close]);
    dedupe(&mut prices);
    // Every print needs a share of its own. A bar with fewer shares than prices was not made of trades alone;
    // its close is what is kept.
    while prices.len() as u64 > bar.volume {
        prices.remove(0);
    }
    let count = prices.len() as i64;
    let each = bar.volume / (count.max(1) as u64);
    let last_moment = bar.start + (length_ns - 1);
    (0..count)
        .map(|i| {
            let is_close = i + 1 == count;
            let size = if is_close { bar.volume - each * (count as u64 - 1) } else { each };
            let at: Timestamp = if is_close { last_moment } else { bar.start + i * (length_ns / 4) };
            let size = u32::try_from(size).unwrap_or(u32::MAX);
            Trade { price: prices[i as usize], size, at, id: 0, rule: SaleRule::Regular }
        })
        .collect()
}

fn dedupe<T: PartialEq, const N: usize>(items: &mut ArrayVec<T, N>) {
    let mut i = 1;
    while i < items.len() {
        if items[i] == items[i - 1] {
            items.remove(i);
        } else {
            i += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::time::MINUTE;
    use market::{Money, Price};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn prints_form_the_same_bar(
            prices in proptest::array::uniform4(1i64..1_000), volume in 4u64..4_000_000_000,
        ) {
            let price = Price::from_cents;
            let bar = Bar {
                start: Timestamp::from_seconds(1_700_000_040),
                open: price(prices[0]),
                high: price(*prices.iter().max().expect("four")),
                low: price(*prices.iter().min().expect("four")),
                close: price(prices[1]),
                volume, trades: 0, turnover: Money::ZERO, repaired: false,
            };
            let made = prints(&bar, MINUTE);
            prop_assert_eq!(made[0].price, bar.open);
            prop_assert_eq!(made[made.len() - 1].price, bar.close);
            prop_assert_eq!(made.iter().map(|t| t.price).max(), Some(bar.high));
            prop_assert_eq!(made.iter().map(|t| t.price).min(), Some(bar.low));
            prop_assert_eq!(made.iter().map(|t| u64::from(t.size)).sum::<u64>(), volume);
            prop_assert!(made.iter().all(|t| t.size > 0 && t.at >= bar.start && t.at < bar.start + MINUTE));
            prop_assert!(made.is_sorted_by_key(|t| t.at));
        }
    }

    #[test]
    fn a_bar_without_volume_has_no_prints_and_one_share_is_the_close() {
        let price = Price::from_cents;
        let mut bar = Bar {
            start: Timestamp::from_seconds(0),
            open: price(1),
            high: price(3),
            low: price(1),
            close: price(2),
            volume: 0,
            trades: 0,
            turnover: Money::ZERO,
            repaired: false,
        };
        assert!(prints(&bar, MINUTE).is_empty());
        bar.volume = 1;
        let made = prints(&bar, MINUTE);
        assert_eq!((made.len(), made[0].price), (1, price(2)));
    }
}
