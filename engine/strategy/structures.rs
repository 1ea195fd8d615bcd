//! Structures are data: which options, bought or sold, how they are picked from a chain, and what view of the
//! market they express. Written in YAML, one mapping a structure; adding one needs no Rust.

use market::order::{LEGS_MAX, Side};
use market::{Label, Price, Right};

/// A named set of leg templates.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Structure {
    /// Its name: `bull_put_spread`.
    pub name: Label,
    /// The view it expresses.
    pub view: View,
    /// How far away its expiry may be.
    pub days: Days,
    /// Least ratio of what it can gain (at mid) to what it can lose (at the far side), such as 0.2.
    pub reward_min: f64,
    /// The legs, in the order they are picked.
    pub legs: Vec<LegTemplate>,
}

/// What a structure expects of the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// It does not fall.
    Bullish,
    /// It stays.
    Neutral,
    /// It does not rise.
    Bearish,
}

/// Calendar days to expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Days {
    /// Fewest.
    pub min: i32,
    /// The expiry nearest to this is tried first.
    pub target: i32,
    /// Most.
    pub max: i32,
}

/// One leg to be.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegTemplate {
    /// Its name within the structure.
    pub name: Label,
    /// Bought or sold.
    pub side: Side,
    /// Call or put.
    pub right: Right,
    /// Contracts in one unit.
    #[serde(default = "one")]
    pub ratio: u32,
    /// How its strike is found.
    pub pick: Pick,
}

const fn one() -> u32 {
    1
}

/// How a strike is found.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Pick {
    /// The strike whose delta is nearest to `target`, both without sign, no further off than `tolerance`.
    Delta {
        /// Above 0, below 1.
        target: f64,
        /// Above 0.
        tolerance: f64,
    },
    /// The listed strike nearest to another leg's plus `dollars` (negative is below), no further off than
    /// `tolerance`, and always on that side.
    Width {
        /// A leg picked before.
        from: Label,
        /// Signed distance of the strikes in dollars.
        dollars: Price,
        /// How far the listed strike may be off, in dollars.
        tolerance: Price,
    },
}

/// Why a structure cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("structure `{structure}`: {found}; {remedy}")]
pub struct StructureFault {
    /// The structure.
    pub structure: Label,
    /// What is wrong.
    pub found: String,
    /// What to do.
    pub remedy: &'static str,
}

impl Structure {
    /// Checks everything that can be checked without a chain.
    ///
    /// # Errors
    /// The first thing that cannot be right.
    pub fn check(&self) -> Result<(), StructureFault> {
        let fault = |found: String, remedy| Err(StructureFault { structure: self.name, found, remedy });
        let Days { min, target, max } = self.days;
        if !(0 <= min && min <= target && target <= max) {
            return fault(format!("days {min}, {target}, {max}"), "write 0 <= min <= target <= max");
        }
        // Written so that NaN fails.
        if !(self.reward_min >= 0.0 && self.reward_min.is_finite()) {
            return fault(
                format!("reward_min {}", self.reward_min),
                "write a ratio of 0 or more, such as 0.2",
            );
        }
        if self.legs.is_empty() || self.legs.len() > LEGS_MAX {
            return fault(format!("{} legs", self.legs.len()), "a structure has one to four legs");
        }
        let divisor = self.legs.iter().map(|l| l.ratio).fold(0, greatest_common_divisor);
        if divisor != 1 {
            return fault(
                format!("the ratios share the divisor {divisor}"),
                "write the smallest whole ratios",
            );
        }
        for (i, leg) in self.legs.iter().enumerate() {
            self.check_leg(i, leg)?;
        }
        Ok(())
    }

    fn check_leg(&self, index: usize, leg: &LegTemplate) -> Result<(), StructureFault> {
        let fault = |found: String, remedy| Err(StructureFault { structure: self.name, found, remedy });
        let before = &self.legs[..index];
        if before.iter().any(|b| b.name == leg.name) {
            return fault(format!("two legs are called `{}`", leg.name), "give every leg its own name");
        }
        match leg.pick {
            Pick::Delta { target, tolerance } => {
                if !(target > 0.0 && target < 1.0 && tolerance > 0.0 && tolerance < 1.0) {
                    let found = format!("`{}` picks delta {target} +- {tolerance}", leg.name);
                    return fault(found, "both lie above 0 and below 1, without sign");
                }
            }
            Pick::Width { from, dollars, tolerance } => {
                if !before.iter().any(|b| b.name == from) {
                    let found = format!("`{}` is measured from `{from}`", leg.name);
                    return fault(found, "name a leg that stands before it");
                }
                if dollars == Price::ZERO || tolerance < Price::ZERO {
                    let found = format!("`{}` is {dollars} +- {tolerance} away", leg.name);
                    return fault(found, "write a width that is not 0 and a tolerance of 0 or more");
                }
            }
        }
        Ok(())
    }
}

const fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub const SHIPPED: &str = "
- name: bull_put_spread
  view: bullish
  days: {min: 20, target: 32, max: 50}
  reward_min: 0.15
  legs:
    - {name: short, side: sell, right: put, pick: {delta: {target: 0.25, tolerance: 0.1}}}
    - {name: long, side: buy, right: put, pick: {width: {from: short, dollars: -5.00, tolerance: 1}}}
- name: iron_condor
  view: neutral
  days: {min: 20, target: 32, max: 50}
  reward_min: 0.2
  legs:
    - {name: short_put, side: sell, right: put, pick: {delta: {target: 0.2, tolerance: 0.1}}}
    - {name: long_put, side: buy, right: put, pick: {width: {from: short_put, dollars: -5, tolerance: 1}}}
    - {name: short_call, side: sell, right: call, pick: {delta: {target: 0.2, tolerance: 0.1}}}
    - {name: long_call, side: buy, right: call, ratio: 1, pick: {width: {from: short_call, dollars: 5, tolerance: 1}}}
";

    pub fn shipped() -> Vec<Structure> {
        serde_saphyr::from_str(SHIPPED).expect("structures in YAML")
    }

    #[test]
    fn structures_are_yaml() {
        let all = shipped();
        assert_eq!(all.iter().map(|s| s.check()).collect::<Vec<_>>(), vec![Ok(()), Ok(())]);
        let wing = &all[0].legs[1];
        assert_eq!(
            wing.pick,
            Pick::Width {
                from: Label::literal("short"),
                dollars: Price::from_cents(-500),
                tolerance: Price::from_cents(100)
            }
        );
    }

    #[test]
    fn faults_name_structure_and_remedy() {
        type Spoil = fn(&mut Structure);
        let spoils: [Spoil; 7] = [
            |s| s.days.target = 3,
            |s| s.reward_min = f64::NAN,
            |s| s.legs.clear(),
            |s| s.legs.iter_mut().for_each(|l| l.ratio = 2),
            |s| s.legs[1].name = Label::literal("short"),
            |s| s.legs[0].pick = Pick::Delta { target: -0.2, tolerance: 0.1 },
            |s| s.legs.swap(0, 1),
        ];
        for spoil in spoils {
            let mut s = shipped().remove(0);
            spoil(&mut s);
            let said = s.check().expect_err("spoiled").to_string();
            assert!(said.contains("bull_put_spread") && said.contains(';'), "{said}");
        }
    }
}
