//! How likely the holder of an option we are short is to exercise it early: exercise pays when what is left of the time
//! value is less than what waiting costs, the dividend a call holder misses or the interest a put holder misses.

use market::Right;

/// What the score is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AssignmentRisk {
    /// Time value left, dollars per share: the option's price less its intrinsic value, not below zero.
    pub extrinsic: f64,
    /// What the holder gains by exercising at the best moment before expiry instead of holding, dollars per share:
    /// the dividend less interest on the strike for calls, interest less dividends for puts.
    pub gain: f64,
    /// 0 (no reason) to 1 (certain): 0 out of the money, 1/2 where gain and time value are equal.
    pub score: f64,
}

/// Inputs of the score; all dollars per share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShortLeg {
    /// Call or put.
    pub right: Right,
    /// Of the underlying.
    pub spot: f64,
    /// Of the option.
    pub strike: f64,
    /// The option's market value: better the bid, at which its holder could sell instead.
    pub price: f64,
    /// Time to expiry.
    pub years: f64,
    /// Interest rate, a year.
    pub rate: f64,
    /// The next dividend before expiry: years until the ex-date and amount.
    pub dividend: Option<(f64, f64)>,
}

/// The score of a short leg.
pub fn assignment_risk(leg: &ShortLeg) -> AssignmentRisk {
    let sign = crate::european::sign_of(leg.right);
    let intrinsic = (sign * (leg.spot - leg.strike)).max(0.0);
    let extrinsic = (leg.price - intrinsic).max(0.0);
    let coming = leg.dividend.filter(|(years, _)| *years >= 0.0 && *years < leg.years);
    let interest = |years: f64| -leg.strike * libm::expm1(-leg.rate * years);
    let gain = match leg.right {
        // Just before the ex-date: the dividend, less interest on the strike from then on.
        Right::Call => coming.map_or(0.0, |(years, amount)| amount - interest(leg.years - years)),
        // Now: interest on the strike, less the dividend the short sale would owe.
        Right::Put => interest(leg.years) - coming.map_or(0.0, |(_, amount)| amount),
    }
    .max(0.0);
    let reason = intrinsic > 0.0 && gain > 0.0;
    let parity = intrinsic > 0.0 && leg.price <= intrinsic;
    let score = if reason {
        gain / (gain + extrinsic)
    } else if parity {
        // Nothing is lost by exercising; somebody may.
        0.5
    } else {
        0.0
    };
    AssignmentRisk { extrinsic, gain, score }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(right: Right, spot: f64, price: f64, dividend: Option<(f64, f64)>) -> ShortLeg {
        ShortLeg { right, spot, strike: 100.0, price, years: 0.1, rate: 0.04, dividend }
    }

    #[test]
    fn the_score_follows_dividend_and_carry() {
        let score = |l| assignment_risk(&l).score;
        assert_eq!(score(leg(Right::Call, 95.0, 1.0, Some((0.01, 0.8)))), 0.0, "out of the money");
        assert_eq!(score(leg(Right::Call, 110.0, 10.3, None)), 0.0, "no dividend, no reason");
        let before = score(leg(Right::Call, 110.0, 10.1, Some((0.01, 0.8))));
        assert!(before > 0.7, "{before}");
        assert!(score(leg(Right::Call, 110.0, 12.0, Some((0.01, 0.8)))) < 0.25);
        assert_eq!(score(leg(Right::Call, 110.0, 10.1, Some((0.2, 0.8)))), 0.0, "paid after expiry");
        let deep = assignment_risk(&leg(Right::Put, 70.0, 30.01, None));
        assert!((deep.gain - 0.399).abs() < 1e-3 && deep.score > 0.95, "{deep:?}");
        assert!(score(leg(Right::Put, 70.0, 29.9, Some((0.05, 2.0)))) == 0.5, "at parity somebody may");
    }
}
