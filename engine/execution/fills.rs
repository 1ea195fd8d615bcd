//! Which units of an order are booked already. An execution covers a span of the order's units, from the
//! units filled before it to those filled with it. Repeats cover booked units again and are dropped; a
//! summary (as a look-up gives for executions that were missed) counts for the units it adds. What does not add up
//! is not booked: the venue has to be asked again.

use arrayvec::ArrayVec;
use market::Price;
use market::order::{Execution, LEGS_MAX, LegFill, Legs};

/// Units booked together.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    from: u32,
    to: u32,
    legs: ArrayVec<LegFill, LEGS_MAX>,
}

/// Why an execution was not booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// Its units are none, or more than were filled in all.
    #[error("its count of units does not add up")]
    Count,
    /// Its legs are not what so many units of the order trade, or at no price.
    #[error("its legs do not make its units")]
    Legs,
    /// It covers booked units in part.
    #[error("it covers units in part that are booked already")]
    Overlap,
    /// It trades what the order does not.
    #[error("it is of another order")]
    Stranger,
}

/// The spans booked so far, apart from each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fills {
    spans: Vec<Span>,
}

impl Fills {
    /// Books an execution of an order of these legs; answers the part of it that is new, `None` for a repeat.
    ///
    /// # Errors
    /// When it does not add up; nothing is booked then.
    pub fn book(&mut self, execution: &Execution, order: &Legs) -> Result<Option<Execution>, Unclear> {
        let to = execution.units_so_far;
        let from = to.checked_sub(execution.units).filter(|_| execution.units > 0).ok_or(Unclear::Count)?;
        if execution.legs.iter().any(|leg| order.iter().all(|o| o.instrument != leg.instrument)) {
            return Err(Unclear::Stranger);
        }
        if !makes(&execution.legs, order, execution.units) {
            return Err(Unclear::Legs);
        }
        let overlap = |s: &Span| s.to.min(to).saturating_sub(s.from.max(from));
        let booked: u32 = self.spans.iter().map(overlap).sum();
        if booked >= to - from {
            return Ok(None);
        }
        if self.spans.iter().any(|s| overlap(s) > 0 && (s.from < from || s.to > to)) {
            return Err(Unclear::Overlap);
        }
        let inside: Vec<Span> = self.spans.iter().filter(|s| overlap(s) > 0).cloned().collect();
        let units = to - from - booked;
        let legs: ArrayVec<_, LEGS_MAX> = execution.legs.iter().map(|leg| without(leg, &inside)).collect();
        if !makes(&legs, order, units) {
            return Err(Unclear::Legs);
        }
        self.spans.retain(|s| overlap(s) == 0);
        self.spans.push(Span { from, to, legs: execution.legs.clone() });
        Ok(Some(Execution { units, legs, ..execution.clone() }))
    }
}

/// True when the fills are what `units` units of the order trade, each leg once or in parts, at prices that are none
/// below zero.
fn makes(fills: &[LegFill], order: &Legs, units: u32) -> bool {
    let filled = |leg: &market::order::Leg| -> i64 {
        fills.iter().filter(|f| f.instrument == leg.instrument).map(|f| f.quantity).sum()
    };
    order.iter().all(|leg| filled(leg) == leg.signed_ratio() * i64::from(units))
        && fills.iter().all(|fill| fill.price >= Price::ZERO)
}

/// What is left of a summed-up leg when the booked spans are taken out: quantity exactly, price so that the
/// money adds up (to the nearest ten-thousandth, as the summary's own average is rounded).
fn without(leg: &LegFill, booked: &[Span]) -> LegFill {
    let of_leg = |l: &&LegFill| l.instrument == leg.instrument;
    let money = |l: &LegFill| i128::from(l.price.units()) * i128::from(l.quantity);
    let (mut quantity, mut left) = (leg.quantity, money(leg));
    for taken in booked.iter().flat_map(|span| span.legs.iter().filter(of_leg)) {
        quantity -= taken.quantity;
        left -= money(taken);
    }
    if booked.is_empty() || quantity == 0 {
        return LegFill { quantity, ..*leg };
    }
    let half = i128::from(quantity.abs() / 2) * left.signum();
    let price = (left + half) / i128::from(quantity);
    // What rounding alone can bring below zero is zero; an impossible price is left impossible, and not booked.
    let price = Price::from_units(i64::try_from(price).unwrap_or(i64::MIN));
    let price = if price > -Price::CENT { price.max(Price::ZERO) } else { price };
    LegFill { quantity, price, ..*leg }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::Instrument;

    fn order() -> Legs {
        let side = market::order::Side::Sell;
        let instrument = Instrument::parse("SPY260417P00560000").unwrap();
        let effect = market::order::Effect::Open;
        Legs::from_iter([market::order::Leg { instrument, side, effect, ratio: 1 }])
    }

    fn execution(id: u64, units: u32, units_so_far: u32, cents: i64) -> Execution {
        let leg = LegFill {
            instrument: Instrument::parse("SPY260417P00560000").unwrap(),
            quantity: -i64::from(units),
            price: Price::from_cents(cents),
        };
        Execution { id, units, units_so_far, legs: [leg].into_iter().collect() }
    }

    #[test]
    fn order_does_not_matter_and_repeats_are_dropped() {
        let mut fills = Fills::default();
        let (first, second) = (execution(1, 2, 2, 400), execution(2, 1, 3, 410));
        assert_eq!(fills.book(&second, &order()), Ok(Some(second.clone())));
        assert_eq!(fills.book(&first, &order()), Ok(Some(first.clone())));
        assert_eq!((fills.book(&first, &order()), fills.book(&second, &order())), (Ok(None), Ok(None)));
    }

    #[test]
    fn a_summary_counts_for_what_it_adds() {
        let mut fills = Fills::default();
        fills.book(&execution(1, 1, 1, 400), &order()).unwrap();
        // Three units at 4.10 on average, of which one at 4.00 is known: two at 4.15.
        let rest = fills.book(&execution(9, 3, 3, 410), &order()).unwrap().unwrap();
        assert_eq!((rest.units, rest.legs[0].quantity, rest.legs[0].price), (2, -2, Price::from_cents(415)));
        assert_eq!(fills.book(&execution(2, 1, 2, 420), &order()), Ok(None), "it was in the summary");
        assert_eq!(fills.book(&execution(3, 1, 4, 420), &order()).unwrap().unwrap().units, 1);
    }

    #[test]
    fn what_does_not_add_up_is_not_booked() {
        let mut fills = Fills::default();
        let untouched = fills.clone();
        assert_eq!(fills.book(&execution(1, 2, 0, 400), &order()), Err(Unclear::Count), "no count at all");
        assert_eq!(
            fills.book(&execution(1, 2, 1, 400), &order()),
            Err(Unclear::Count),
            "fewer than it filled"
        );
        assert_eq!(fills.book(&execution(1, 0, 1, 400), &order()), Err(Unclear::Count));
        let mut short = execution(1, 2, 2, 400);
        short.legs[0].quantity = -1;
        assert_eq!(fills.book(&short, &order()), Err(Unclear::Legs), "units and legs disagree");
        short.legs[0].quantity = 2;
        assert_eq!(fills.book(&short, &order()), Err(Unclear::Legs), "bought, not sold");
        short.legs.clear();
        assert_eq!(fills.book(&short, &order()), Err(Unclear::Legs));
        let mut other = execution(1, 2, 2, 400);
        other.legs[0].instrument = Instrument::parse("SPY260417P00550000").unwrap();
        assert_eq!(fills.book(&other, &order()), Err(Unclear::Stranger));
        assert_eq!(fills, untouched);
        fills.book(&execution(1, 2, 2, 400), &order()).unwrap();
        assert_eq!(fills.book(&execution(2, 2, 3, 400), &order()), Err(Unclear::Overlap));
        // The answer to the look-up that follows covers everything.
        assert_eq!(fills.book(&execution(3, 3, 3, 400), &order()).unwrap().unwrap().units, 1);
        // A summary cheaper than what is in it already.
        assert_eq!(fills.book(&execution(4, 4, 4, 10), &order()), Err(Unclear::Legs));
    }
}
