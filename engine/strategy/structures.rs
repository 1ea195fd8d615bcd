//! Structures are data: which options (and shares), bought or sold, how they are picked from a chain, and what view of
//! the market they express. Written in YAML, one mapping a structure (docs/structures.md); adding one needs no Rust.

mod check;

pub use check::{StructureFault, Untradeable};

use market::order::Side;
use market::{Label, Price, Right};

/// A named set of leg templates.
#[derive(Clone, Debug, PartialEq)]
pub struct Structure {
    /// Its name: `bull_put_spread`.
    pub name: Label,
    /// What it is and when it pays, in a line for people; may be empty.
    pub description: String,
    /// The view it expresses.
    pub view: View,
    /// How far away the expiry is that its legs share, unless a leg says otherwise.
    pub days: Days,
    /// Least ratio of what it can gain (at mid) to what it can lose (at the far side), such as 0.2.
    pub reward_min: f64,
    /// The legs, in the order they are picked.
    pub legs: Vec<LegTemplate>,
}

/// What a structure expects of the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// It does not fall.
    Bullish,
    /// It stays.
    Neutral,
    /// It does not rise.
    Bearish,
    /// It moves far, either way. No forecast stands for this view.
    Volatile,
}

/// Calendar days to expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// Fewest.
    pub min: i32,
    /// The expiry nearest to this is tried first.
    pub target: i32,
    /// Most.
    pub max: i32,
}

/// One leg to be.
#[derive(Clone, Debug, PartialEq)]
pub struct LegTemplate {
    /// Its name within the structure.
    pub name: Label,
    /// Bought or sold.
    pub side: Side,
    /// Contracts in one unit; for shares, hundreds of them.
    pub ratio: u32,
    /// What it holds.
    pub holds: Holds,
}

/// What a leg holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Holds {
    /// Shares of the underlying, a hundred a unit of ratio: as many as a contract stands for.
    Shares,
    /// An option.
    Option {
        /// Call or put.
        right: Right,
        /// Which expiry.
        expiry: Expiry,
        /// Which strike.
        pick: Pick,
    },
}

/// Which expiry a leg has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The one the structure's `days` choose.
    Shared,
    /// Its own, so many days from today.
    Own(Days),
    /// Its own, so many days after the expiry of a leg picked before.
    After {
        /// The leg it follows.
        leg: Label,
        /// Days between the two.
        days: Days,
    },
    /// That of a leg picked before.
    Same(Label),
}

/// How a strike is found. All but `Delta` aim at a strike and take the nearest that may be traded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pick {
    /// The strike whose delta is nearest to `target`, both without sign, no further off than `tolerance`.
    Delta {
        /// Above 0, below 1.
        target: f64,
        /// Above 0.
        tolerance: f64,
    },
    /// So far out of the money, in percent of the underlying's price; negative lies in the money, 0 at it.
    Moneyness {
        /// Percent.
        percent: f64,
        /// How far the listed strike may be off, in percent of the underlying's price.
        tolerance: f64,
    },
    /// So many expected moves (the price of the straddle at the money of the same expiry) out of the money.
    Moves {
        /// Moves; negative lies in the money.
        out: f64,
        /// How far the listed strike may be off, in moves.
        tolerance: f64,
    },
    /// Beside another leg's strike, always on the side the sign says.
    Width {
        /// A leg picked before.
        from: Label,
        /// How far.
        by: Width,
    },
    /// The very strike of a leg picked before.
    SameStrike(Label),
}

/// A signed distance of strikes: above zero is up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Width {
    /// Dollars, no further off than `tolerance` dollars.
    Dollars {
        /// Signed distance.
        dollars: Price,
        /// How far the listed strike may be off.
        tolerance: Price,
    },
    /// Percent of the underlying's price, no further off than `tolerance` percent.
    Percent {
        /// Signed distance.
        percent: f64,
        /// How far the listed strike may be off.
        tolerance: f64,
    },
    /// So many listed strikes.
    Strikes(i32),
}

impl Structure {
    /// The place of a leg by its name.
    pub fn place(&self, leg: &Label) -> Option<usize> {
        self.legs.iter().position(|l| l.name == *leg)
    }

    /// The range of days to expiry that a leg may have; `None` for shares, and for legs that refer to each other.
    pub fn days_of(&self, leg: usize) -> Option<Days> {
        self.days_from(leg, self.legs.len())
    }

    fn days_from(&self, leg: usize, depth: usize) -> Option<Days> {
        let Holds::Option { expiry, .. } = self.legs.get(leg)?.holds else { return None };
        let before = |name: &Label| self.days_from(self.place(name)?, depth.checked_sub(1)?);
        match expiry {
            Expiry::Shared => Some(self.days),
            Expiry::Own(days) => Some(days),
            Expiry::Same(name) => before(&name),
            Expiry::After { leg, days } => {
                let from = before(&leg)?;
                Some(Days {
                    min: from.min + days.min,
                    target: from.target + days.target,
                    max: from.max + days.max,
                })
            }
        }
    }

    /// The days to expiry of all its options together: the fewest and the most any may have. Exits go by the nearest.
    pub fn span(&self) -> Days {
        let all = (0..self.legs.len()).filter_map(|leg| self.days_of(leg));
        all.fold(self.days, |span, days| Days {
            min: span.min.min(days.min),
            target: span.target,
            max: span.max.max(days.max),
        })
    }

    /// True when not all of its options need expire on one day.
    pub fn has_many_expiries(&self) -> bool {
        let own = |l: &LegTemplate| {
            matches!(l.holds, Holds::Option { expiry: Expiry::Own(_) | Expiry::After { .. }, .. })
        };
        self.legs.iter().any(own)
    }
}

#[cfg(test)]
pub(crate) mod tests;
