//! What a structure can be wrong about before any chain is seen, and whether its legs can be traded as one order.

use super::{Days, Expiry, Holds, LegTemplate, Pick, Structure, View, Width};
use market::order::{LEGS_MAX, Side};
use market::{Label, Price, Right};

/// Why a structure cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("structure `{structure}`: {found}; {remedy}")]
pub struct StructureFault {
    /// The structure.
    pub structure: Label,
    /// The leg it is about, by its place from 0; `None` for the structure itself.
    pub leg: Option<usize>,
    /// What is wrong.
    pub found: String,
    /// What to do.
    pub remedy: &'static str,
}

/// Why a structure can be looked at but not traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Untradeable {
    /// A leg of shares.
    #[error(
        "its leg `{0}` is stock, and the broker's multi-leg orders take option legs only: it cannot be opened as one order"
    )]
    Stock(Label),
    /// A short leg that no long leg covers.
    #[error(
        "nothing covers its short leg `{0}` (a long {right} of as many contracts that cannot expire first): the broker \
         permits no naked shorts",
        right = if *.1 == Right::Call { "call" } else { "put" }
    )]
    Naked(Label, Right),
    /// The view no forecast stands for.
    #[error("its view is volatile, which no forecast stands for: it would never be opened")]
    NoForecast,
}

impl Structure {
    /// Checks everything that can be checked without a chain: every fault there is.
    pub fn faults(&self) -> Vec<StructureFault> {
        let mut found = Vec::new();
        let mut fault = |leg, what: String, remedy| {
            found.push(StructureFault { structure: self.name, leg, found: what, remedy });
        };
        if let Some((what, remedy)) = wrong_days(&self.days) {
            fault(None, what, remedy);
        }
        // Written so that NaN fails.
        if !(self.reward_min >= 0.0 && self.reward_min.is_finite()) {
            fault(None, format!("reward_min {}", self.reward_min), "write a ratio of 0 or more, such as 0.2");
        }
        if self.legs.is_empty() || self.legs.len() > LEGS_MAX {
            fault(None, format!("{} legs", self.legs.len()), "a structure has one to four legs");
        }
        let divisor = self.legs.iter().map(|l| l.ratio).fold(0, greatest_common_divisor);
        if divisor > 1 {
            fault(None, format!("the ratios share the divisor {divisor}"), "write the smallest whole ratios");
        }
        let options = || self.legs.iter().filter_map(expiry_of);
        if options().count() > 0 && !options().any(|expiry| expiry == Expiry::Shared) {
            let remedy = "leave out `days` of the leg whose expiry the structure's `days` are to choose";
            fault(None, "no leg has the expiry that its `days` choose".into(), remedy);
        }
        for (i, leg) in self.legs.iter().enumerate() {
            let before = &self.legs[..i];
            for (what, remedy) in leg_faults(leg, before) {
                fault(Some(i), format!("`{}` {what}", leg.name), remedy);
            }
        }
        found
    }

    /// Whether its legs can go to the broker as one order, and would.
    ///
    /// # Errors
    /// Why not.
    pub fn tradeable(&self) -> Result<(), Untradeable> {
        if let Some(stock) = self.legs.iter().find(|l| l.holds == Holds::Shares) {
            return Err(Untradeable::Stock(stock.name));
        }
        // One put, sold against cash, is a simple order of its own.
        let secured_put = matches!(
            self.legs.as_slice(),
            [LegTemplate { holds: Holds::Option { right: Right::Put, .. }, .. }]
        );
        if !secured_put
            && let Some(naked) = [Right::Call, Right::Put].into_iter().find_map(|right| self.naked(right))
        {
            return Err(naked);
        }
        if self.view == View::Volatile { Err(Untradeable::NoForecast) } else { Ok(()) }
    }

    /// A short leg of that right that long ones cannot cover: by Hall's theorem, some set of shorts outweighs all longs
    /// that cover one of them.
    fn naked(&self, right: Right) -> Option<Untradeable> {
        let of = |side: Side| {
            let fits = move |l: &LegTemplate| {
                l.side == side && matches!(l.holds, Holds::Option { right: r, .. } if r == right)
            };
            (0..self.legs.len()).filter(move |i| fits(&self.legs[*i]))
        };
        let shorts: Vec<usize> = of(Side::Sell).collect();
        let longs: Vec<usize> = of(Side::Buy).collect();
        let weight = |legs: &[usize]| legs.iter().map(|i| self.legs[*i].ratio).sum::<u32>();
        for set in 1u32..1 << shorts.len() {
            let chosen: Vec<usize> =
                shorts.iter().enumerate().filter(|(i, _)| set & (1 << i) != 0).map(|(_, leg)| *leg).collect();
            let cover = |long: &usize| chosen.iter().any(|short| self.never_before(*long, *short));
            let covering: Vec<usize> = longs.iter().copied().filter(cover).collect();
            if weight(&chosen) > weight(&covering) {
                let last = chosen.last().map(|i| self.legs[*i].name)?;
                return Some(Untradeable::Naked(last, right));
            }
        }
        None
    }

    /// True when one leg expires with another or later, whatever the chain lists.
    fn never_before(&self, leg: usize, other: usize) -> bool {
        let (from, extra) = self.root_of(leg);
        let (base, more) = self.root_of(other);
        if from == base && extra.min >= more.max {
            return true;
        }
        let (Some(days), Some(theirs)) = (self.days_of(leg), self.days_of(other)) else { return false };
        days.min >= theirs.max
    }

    /// The leg (or the shared expiry, `None`) that chooses this leg's expiry, and the days it lies after it.
    fn root_of(&self, mut leg: usize) -> (Option<usize>, Days) {
        let mut after = Days { min: 0, target: 0, max: 0 };
        for _ in 0..self.legs.len() {
            let next = match expiry_of(&self.legs[leg]) {
                Some(Expiry::Same(name)) => self.place(&name),
                Some(Expiry::After { leg: name, days }) => {
                    after.min += days.min;
                    after.max += days.max;
                    self.place(&name)
                }
                Some(Expiry::Shared) => return (None, after),
                Some(Expiry::Own(_)) | None => return (Some(leg), after),
            };
            let Some(next) = next else { break };
            leg = next;
        }
        (Some(leg), after)
    }
}

fn expiry_of(leg: &LegTemplate) -> Option<Expiry> {
    match leg.holds {
        Holds::Option { expiry, .. } => Some(expiry),
        Holds::Shares => None,
    }
}

type Wrong = (String, &'static str);

fn wrong_days(days: &Days) -> Option<Wrong> {
    let Days { min, target, max } = *days;
    let right = 0 <= min && min <= target && target <= max;
    (!right).then(|| (format!("days {min}, {target}, {max}"), "write 0 <= min <= target <= max"))
}

fn leg_faults(leg: &LegTemplate, before: &[LegTemplate]) -> Vec<Wrong> {
    let mut found = Vec::new();
    if leg.ratio == 0 {
        found.push(("has the ratio 0".into(), "write the contracts in one unit, 1 or more"));
    }
    if before.iter().any(|b| b.name == leg.name) {
        found.push(("is the name of two legs".into(), "give every leg its own name"));
    }
    if let Holds::Option { expiry, pick, .. } = leg.holds {
        found.extend(wrong_expiry(expiry, before));
        found.extend(wrong_pick(pick, before));
    }
    found
}

/// A leg before this one that is an option.
fn unknown(name: &Label, before: &[LegTemplate], verb: &str) -> Option<Wrong> {
    match before.iter().find(|b| b.name == *name) {
        None => Some((format!("{verb} `{name}`"), "name a leg that stands before it")),
        Some(leg) if leg.holds == Holds::Shares => {
            Some((format!("{verb} `{name}`, which is shares"), "name a leg that is an option"))
        }
        Some(_) => None,
    }
}

fn wrong_expiry(expiry: Expiry, before: &[LegTemplate]) -> Option<Wrong> {
    match expiry {
        Expiry::Shared => None,
        Expiry::Own(days) => wrong_days(&days).map(|(what, remedy)| (format!("has {what}"), remedy)),
        Expiry::Same(name) => unknown(&name, before, "has the expiry of"),
        Expiry::After { leg, days } => unknown(&leg, before, "expires after")
            .or_else(|| wrong_days(&days).map(|(what, remedy)| (format!("has {what}"), remedy))),
    }
}

fn wrong_pick(pick: Pick, before: &[LegTemplate]) -> Option<Wrong> {
    match pick {
        Pick::Delta { target, tolerance } => {
            let good = target > 0.0 && target < 1.0 && tolerance > 0.0 && tolerance < 1.0;
            let what = || format!("picks delta {target} +- {tolerance}");
            (!good).then(|| (what(), "both lie above 0 and below 1, without sign"))
        }
        Pick::Moneyness { percent, tolerance } => {
            let good = percent.abs() < 100.0 && tolerance > 0.0 && tolerance < 100.0;
            let what = || format!("picks {percent} +- {tolerance} percent out of the money");
            (!good).then(|| (what(), "write percents below 100 and a tolerance above 0"))
        }
        Pick::Moves { out, tolerance } => {
            let good = out.abs() <= 10.0 && tolerance > 0.0 && tolerance <= 10.0;
            let what = || format!("picks {out} +- {tolerance} expected moves");
            (!good).then(|| (what(), "write moves from -10 to 10 and a tolerance above 0"))
        }
        Pick::SameStrike(name) => unknown(&name, before, "has the strike of"),
        Pick::Width { from, by } => unknown(&from, before, "is measured from").or_else(|| wrong_width(by)),
    }
}

fn wrong_width(by: Width) -> Option<Wrong> {
    let remedy = "write a width that is not 0 and a tolerance of 0 or more";
    match by {
        Width::Dollars { dollars, tolerance } => (dollars == Price::ZERO || tolerance < Price::ZERO)
            .then(|| (format!("is {dollars} +- {tolerance} away"), remedy)),
        Width::Percent { percent, tolerance } => {
            let good = percent != 0.0 && percent.abs() < 100.0 && (0.0..100.0).contains(&tolerance);
            (!good).then(|| (format!("is {percent} +- {tolerance} percent away"), remedy))
        }
        Width::Strikes(n) => (n == 0).then(|| ("is 0 strikes away".into(), remedy)),
    }
}

const fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
