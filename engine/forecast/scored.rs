//! A prediction beside what then happened: what every score, every weight by skill and every promotion is made of.

use crate::notes::ModelNote;
use crate::{Class, Odds};
use market::{Symbol, Timestamp};

/// Probabilities are cut here before their logarithm is taken.
const SMALLEST: f64 = 1e-15;

/// A prediction whose outcome is known.
#[derive(
    Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct Scored {
    /// Who made it; of an ensemble the name is the ensemble's and the version [`ENSEMBLE`](crate::notes::ENSEMBLE).
    pub model: ModelNote,
    /// Of which symbol.
    pub symbol: Symbol,
    /// When it was made.
    pub at: Timestamp,
    /// When its outcome was known.
    pub due: Timestamp,
    /// What it said.
    pub odds: Odds,
    /// What happened.
    pub outcome: Class,
}

impl Scored {
    /// True when the likeliest class was what happened.
    pub fn is_right(&self) -> bool {
        self.odds.favourite() == self.outcome
    }

    /// Squared errors summed over the three classes, 0 to 2.
    pub fn brier(&self) -> f64 {
        let outcome = self.outcome.index();
        let error = |(class, p): (usize, f32)| f64::from(p) - f64::from(u8::from(class == outcome));
        self.odds.row().into_iter().enumerate().map(error).map(|e| e * e).sum()
    }

    /// Minus the natural logarithm of the odds of what happened.
    pub fn log_loss(&self) -> f64 {
        -f64::from(self.odds.row()[self.outcome.index()]).clamp(SMALLEST, 1.0).ln()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::notes::tests::model;

    pub(crate) fn scored(odds: [f32; 3], outcome: Class) -> Scored {
        let at = Timestamp::from_seconds(0);
        let symbol = Symbol::literal("SPY");
        Scored { model: model("m"), symbol, at, due: at, odds: Odds::from_row(odds), outcome }
    }

    #[test]
    fn losses_are_the_textbook_ones() {
        let one = scored([0.2, 0.5, 0.3], Class::Flat);
        assert!(one.is_right());
        assert!((one.brier() - 0.38).abs() < 1e-6);
        assert!((one.log_loss() - 0.5f64.ln().abs()).abs() < 1e-9);
        let sure = scored([1.0, 0.0, 0.0], Class::Up);
        assert!(!sure.is_right() && sure.log_loss() < 35.0 && sure.brier() == 2.0);
    }
}
