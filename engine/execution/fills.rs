//! Which units of an order are booked already. An execution covers a span of the order's units, from the
//! units filled before it to those filled with it. Repeats cover booked units again and are dropped; a
//! summary (as a look-up gives for executions that were missed) counts for the units it adds.

use arrayvec::ArrayVec;
use market::Price;
use market::order::{Execution, LEGS_MAX, LegFill};

/// Units booked together.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    from: u32,
    to: u32,
    legs: ArrayVec<LegFill, LEGS_MAX>,
}

/// The spans booked so far, apart from each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fills {
    spans: Vec<Span>,
}

impl Fills {
    /// Books an execution; answers the part of it that is new, `None` for a repeat.
    pub fn book(&mut self, execution: &Execution) -> Option<Execution> {
        let (from, to) = (execution.units_so_far.saturating_sub(execution.units), execution.units_so_far);
        let overlap = |s: &Span| s.to.min(to).saturating_sub(s.from.max(from));
        let booked: u32 = self.spans.iter().map(overlap).sum();
        if booked >= to - from {
            return None;
        }
        let inside: Vec<Span> = self.spans.iter().filter(|s| overlap(s) > 0).cloned().collect();
        self.spans.retain(|s| overlap(s) == 0);
        let (lowest, highest) = inside.iter().fold((from, to), |(l, h), s| (l.min(s.from), h.max(s.to)));
        self.spans.push(Span { from: lowest, to: highest, legs: execution.legs.clone() });
        let units = to - from - booked;
        let legs = execution.legs.iter().map(|leg| without(leg, &inside)).collect();
        Some(Execution { units, legs, ..execution.clone() })
    }
}

/// What is left of a summed-up leg when the booked spans are taken out: quantity exactly, price so that the
/// money adds up (to the nearest ten-thousandth, as the summary's own average is rounded).
fn without(leg: &LegFill, booked: &[Span]) -> LegFill {
    let of_leg = |span: &Span| span.legs.iter().find(|l| l.instrument == leg.instrument).copied();
    let money = |l: &LegFill| i128::from(l.price.units()) * i128::from(l.quantity);
    let (mut quantity, mut left) = (leg.quantity, money(leg));
    for taken in booked.iter().filter_map(of_leg) {
        quantity -= taken.quantity;
        left -= money(&taken);
    }
    if booked.is_empty() || quantity == 0 {
        return LegFill { quantity, ..*leg };
    }
    let half = i128::from(quantity.abs() / 2) * left.signum();
    let price = (left + half) / i128::from(quantity);
    LegFill { quantity, price: Price::from_units(price as i64), ..*leg }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::Instrument;

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
        assert_eq!(fills.book(&second), Some(second.clone()));
        assert_eq!(fills.book(&first), Some(first.clone()));
        assert_eq!((fills.book(&first), fills.book(&second)), (None, None));
    }

    #[test]
    fn a_summary_counts_for_what_it_adds() {
        let mut fills = Fills::default();
        fills.book(&execution(1, 1, 1, 400));
        // Three units at 4.10 on average, of which one at 4.00 is known: two at 4.15.
        let rest = fills.book(&execution(9, 3, 3, 410)).unwrap();
        assert_eq!((rest.units, rest.legs[0].quantity, rest.legs[0].price), (2, -2, Price::from_cents(415)));
        assert_eq!(fills.book(&execution(2, 1, 2, 420)), None, "it was in the summary");
        assert_eq!(fills.book(&execution(3, 1, 4, 420)).unwrap().units, 1);
    }
}
