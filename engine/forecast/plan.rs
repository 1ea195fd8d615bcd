//! The one face of every executor of models: features in, three odds out, on the thread that asks.

use crate::{Odds, Papers};
use std::sync::Arc;

/// How far the three odds may be from summing to one.
pub const SUM_TOLERANCE: f32 = 1e-4;

/// A model made ready to run: one owner, no sharing, buffers reused from run to run.
pub trait Plan: Send {
    /// Computes the odds of down, flat and up for one row of features.
    ///
    /// # Errors
    /// When the row does not fit or the answer is no odds; `out` is then meaningless.
    fn predict(&mut self, features: &[f32], out: &mut [f32; 3]) -> Result<(), PlanFault>;

    /// What its manifest says that is needed while it runs; `None` for a plan without one.
    fn papers(&self) -> Option<&Arc<Papers>> {
        None
    }
}

/// Why a plan gave no odds. Cheap to make: it happens on the tick path.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PlanFault {
    /// The row is not as wide as the model's input.
    #[error("the row has {found} features, the model reads {wanted}")]
    Width {
        /// Features given.
        found: usize,
        /// Features wanted.
        wanted: usize,
    },
    /// An odd is NaN, infinite, negative or above one.
    #[error("the answer {0:?} holds a number that is no probability")]
    NotOdds([f32; 3]),
    /// The odds do not sum to one.
    #[error("the answer {0:?} does not sum to one")]
    Sum([f32; 3]),
    /// The executor itself failed; loading with golden rows should have shown it.
    #[error("the model's run failed; load the model again to see the reason")]
    Run,
}

/// Checks that three numbers are odds: each 0 to 1, summing to one within [`SUM_TOLERANCE`].
///
/// # Errors
/// What they are instead.
pub fn check_odds(odds: &[f32; 3]) -> Result<(), PlanFault> {
    // Written so that NaN fails.
    if !odds.iter().all(|p| (0.0..=1.0 + SUM_TOLERANCE).contains(p)) {
        return Err(PlanFault::NotOdds(*odds));
    }
    let sum: f32 = odds.iter().sum();
    if (sum - 1.0).abs() <= SUM_TOLERANCE { Ok(()) } else { Err(PlanFault::Sum(*odds)) }
}

impl Odds {
    /// From a plan's answer.
    pub const fn from_row(row: [f32; 3]) -> Self {
        Self { down: row[0], flat: row[1], up: row[2] }
    }
    /// In the order of the classes: down, flat, up.
    pub const fn row(&self) -> [f32; 3] {
        [self.down, self.flat, self.up]
    }
    /// The likeliest class; on a tie the calmer one (flat, then down), so that doubt never makes a direction.
    pub fn favourite(&self) -> Class {
        if self.flat >= self.down && self.flat >= self.up {
            Class::Flat
        } else if self.down >= self.up {
            Class::Down
        } else {
            Class::Up
        }
    }
}

/// One of the three things a price can do.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Falls by more than the label's threshold.
    Down,
    /// Stays inside.
    Flat,
    /// Rises by more.
    Up,
}

impl Class {
    /// All, in the order of a model's output columns.
    pub const ALL: [Self; 3] = [Self::Down, Self::Flat, Self::Up];

    /// Its place in that order.
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odds_are_odds() {
        assert_eq!(check_odds(&[0.2, 0.3, 0.5]), Ok(()));
        for bad in [[f32::NAN, 0.5, 0.5], [-0.1, 0.6, 0.5], [0.2, 0.2, 0.2], [f32::INFINITY, 0.0, 0.0]] {
            assert!(check_odds(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn doubt_is_flat() {
        assert_eq!(Odds::from_row([0.4, 0.4, 0.2]).favourite(), Class::Flat);
        assert_eq!(Odds::from_row([0.3, 0.3, 0.4]).favourite(), Class::Up);
        assert_eq!(Odds::from_row([0.5, 0.2, 0.3]).favourite(), Class::Down);
    }
}
