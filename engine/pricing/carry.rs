//! Spot, rate and yield that agree with the forwards of all expiries a set of legs has: what a leg that outlives the first
//! expiry is valued with on it.

use crate::european::Terms;

/// What money and dividends do to a spot until later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Carry {
    /// Dollars a share.
    pub spot: f64,
    /// Decimal a year.
    pub rate: f64,
    /// Decimal a year.
    pub dividend_yield: f64,
}

impl Carry {
    /// Over one expiry the spot as it is, with the yield that gives its forward. Over several, growth is what lies
    /// between the first and the last forward, and the spot what gives the first: a price told at four beside quotes of a
    /// quarter past would else be taken for a yield, and the later leg would be valued with it.
    pub fn over<'t>(first: &Terms, later: impl Iterator<Item = &'t Terms>) -> Self {
        let Terms { spot, rate, dividend_yield, years, .. } = *first;
        let last = later.filter(|t| t.years > years).reduce(|a, b| if b.years > a.years { b } else { a });
        let Some(last) = last else { return Self { spot, rate, dividend_yield } };
        let (near, far) = (first.forward(), last.forward());
        let growth = libm::log(far / near) / (last.years - years).max(1e-6);
        Self { spot: near * libm::exp(-growth * years), rate: last.rate, dividend_yield: last.rate - growth }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forwards_come_out_again() {
        // Told at 99 while the quotes are of 100: the first yield says so over a week.
        let first = Terms::on_forward(99.0, 100.1, 0.999, 0.02);
        let last = Terms::on_forward(99.0, 100.5, 0.995, 0.12);
        let carry = Carry::over(&first, [&last].into_iter());
        for terms in [first, last] {
            let again = Terms::new(carry.spot, terms.years, carry.rate, carry.dividend_yield);
            assert!((again.forward() / terms.forward() - 1.0).abs() < 1e-12, "{carry:?}");
        }
        assert!(carry.dividend_yield.abs() < 0.06 && first.dividend_yield.abs() > 0.3);
        let alone = Carry::over(&first, [].into_iter());
        assert_eq!((alone.spot, alone.dividend_yield), (99.0, first.dividend_yield));
    }
}
