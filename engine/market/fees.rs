//! Dated fee schedules: what a broker charges for a fill, by fee type, in exact integers. Rates are data (from
//! `config/fees.yaml`), never constants: regulators change them several times a year.
//!
//! Two steps, as brokers do it: [`Schedule::charges`] gives the exact amount of every fee of one fill;
//! [`Day`] sums them over a day by fee type, and rounds each sum up to the cent.

use crate::{Date, Instrument, Money, Price, order::Effect, order::Side, product};
use arrayvec::ArrayVec;
use std::ops::{Add, AddAssign};

/// The types a broker accounts for separately.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum FeeKind {
    /// The broker's own commission.
    Commission,
    /// Options regulatory fee of the exchanges.
    Orf,
    /// Clearing fee of the Options Clearing Corporation.
    Occ,
    /// FINRA's trading activity fee.
    Taf,
    /// The SEC's Section 31 fee.
    Section31,
    /// Consolidated audit trail.
    Cat,
    /// Exchange fees passed through (index options).
    Exchange,
}

impl FeeKind {
    /// How many there are.
    pub const COUNT: usize = 7;
    /// All, in the order of [`FeeKind::index`].
    pub const ALL: [Self; Self::COUNT] =
        [Self::Commission, Self::Orf, Self::Occ, Self::Taf, Self::Section31, Self::Cat, Self::Exchange];
    /// The venue's sub-type in account activities.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Commission => "COM",
            Self::Orf => "ORF",
            Self::Occ => "OCC",
            Self::Taf => "TAF",
            Self::Section31 => "REG",
            Self::Cat => "CAT",
            Self::Exchange => "EXC",
        }
    }
    /// Position in [`FeeKind::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What a rate applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Shares bought or sold in the market.
    Stock,
    /// Shares delivered by exercise or assignment.
    Delivery,
    /// Options on stocks and ETFs.
    Option,
    /// Broad-index options.
    IndexOption,
}

/// What a rate applies to, all of it.
pub type Classes = ArrayVec<Class, 4>;

/// What a rate is multiplied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Contracts, or shares.
    Unit,
    /// Dollars that change hands: price x quantity x multiplier.
    Dollar,
}

/// One row of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Which fee.
    pub kind: FeeKind,
    /// What it applies to.
    pub on: Classes,
    /// The side that pays; both when absent.
    #[serde(default)]
    pub side: Option<Side>,
    /// Only opening or only closing trades; both when absent.
    #[serde(default)]
    pub effect: Option<Effect>,
    /// First trade date it applies. A row ends where the next one of the same kind, class, side and effect
    /// begins; a fee that ceases is a row with rate 0.
    pub from: Date,
    /// Unit or dollar.
    pub basis: Basis,
    /// Billionths of a dollar per unit, or per dollar.
    pub nanos: i64,
    /// The most it can be for one fill, in billionths of a dollar.
    #[serde(default)]
    pub cap_nanos: Option<i64>,
}

/// A broker's fees over time.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The broker's name.
    pub broker: String,
    /// The rows, in any order.
    pub rates: Vec<Rate>,
}

/// One execution, as far as fees care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// What kind of thing changed hands.
    pub class: Class,
    /// Bought or sold.
    pub side: Side,
    /// Opened or closed.
    pub effect: Effect,
    /// Contracts, or shares; positive.
    pub quantity: i64,
    /// Dollars that changed hands, without sign.
    pub value: Money,
}

impl Fill {
    /// A trade in the market of `quantity` contracts (or shares) at `price` a share.
    pub fn trade(instrument: &Instrument, side: Side, effect: Effect, quantity: i64, price: Price) -> Self {
        let class = match instrument {
            Instrument::Stock(_) => Class::Stock,
            Instrument::Option(c) if product::is_index(&c.root) => Class::IndexOption,
            Instrument::Option(_) => Class::Option,
        };
        let value = price.times(quantity * instrument.multiplier()).abs();
        Self { class, side, effect, quantity, value }
    }

    /// Shares delivered at the strike by exercise or assignment.
    pub fn delivery(side: Side, effect: Effect, shares: i64, strike: Price) -> Self {
        Self { class: Class::Delivery, side, effect, quantity: shares, value: strike.times(shares).abs() }
    }
}

/// An exact amount of fees, in quadrillionths (1e-15) of a dollar: a rate in billionths times money in
/// millionths leaves no remainder.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Exact(i128);

impl Exact {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Quadrillionths in a dollar.
    pub const PER_DOLLAR: i128 = 1_000_000_000_000_000;
    const PER_CENT: i128 = Self::PER_DOLLAR / 100;

    /// From quadrillionths of a dollar.
    pub const fn from_units(units: i128) -> Self {
        Self(units)
    }
    /// Quadrillionths of a dollar.
    pub const fn units(self) -> i128 {
        self.0
    }
    /// Rounded up to the cent: what is charged.
    pub const fn ceil_to_cent(self) -> Money {
        Money::from_cents(-(-self.0).div_euclid(Self::PER_CENT) as i64)
    }
    /// Dollars, for display and estimates.
    pub fn dollars(self) -> f64 {
        self.0 as f64 / Self::PER_DOLLAR as f64
    }
}

impl Add for Exact {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Exact {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

/// What one fill costs in one type of fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Which fee.
    pub kind: FeeKind,
    /// How much, exactly; positive, we pay.
    pub amount: Exact,
}

/// The charges of one fill, at most one of a kind, in the order of [`FeeKind::ALL`].
pub type Charges = ArrayVec<Charge, { FeeKind::COUNT }>;

impl Schedule {
    /// What a fill on that trade date costs, by fee type, exactly and without rounding. Types that cost
    /// nothing are left out.
    pub fn charges(&self, date: Date, fill: &Fill) -> Charges {
        FeeKind::ALL
            .into_iter()
            .filter_map(|kind| {
                let amount = self.rate(date, kind, fill)?.amount(fill);
                (amount != Exact::ZERO).then_some(Charge { kind, amount })
            })
            .collect()
    }

    /// All fees of a fill together, for estimates before the day is summed.
    pub fn estimate(&self, date: Date, fill: &Fill) -> Money {
        let total = self.charges(date, fill).iter().fold(Exact::ZERO, |sum, c| sum + c.amount);
        total.ceil_to_cent()
    }

    /// The row in force: of those that apply to the fill, the one that began last.
    fn rate(&self, date: Date, kind: FeeKind, fill: &Fill) -> Option<&Rate> {
        let applies = |r: &&Rate| r.kind == kind && r.from <= date && r.applies_to(fill);
        self.rates.iter().filter(applies).max_by_key(|r| r.from)
    }

    /// What is wrong with the schedule, all of it, as (row, fault); empty when it can be used.
    pub fn faults(&self) -> Vec<(usize, String)> {
        let mut faults = Vec::new();
        for (i, rate) in self.rates.iter().enumerate() {
            if rate.on.is_empty() {
                faults.push((i, "applies to nothing: list what it is charged `on`".into()));
            }
            if rate.nanos < 0 || rate.cap_nanos.is_some_and(|cap| cap < 0) {
                faults.push((i, "is negative: rates and caps are 0 or more".into()));
            }
            let twin = self.rates[..i].iter().position(|other| other.collides_with(rate));
            if let Some(twin) = twin {
                let text = format!("says the same as row {} from the same date: remove one", twin + 1);
                faults.push((i, text));
            }
        }
        faults
    }
}

impl Rate {
    fn applies_to(&self, fill: &Fill) -> bool {
        self.on.contains(&fill.class)
            && self.side.is_none_or(|side| side == fill.side)
            && self.effect.is_none_or(|effect| effect == fill.effect)
    }

    fn collides_with(&self, other: &Self) -> bool {
        let overlap = |a: Option<u8>, b: Option<u8>| a.is_none() || b.is_none() || a == b;
        self.kind == other.kind
            && self.from == other.from
            && self.on.iter().any(|class| other.on.contains(class))
            && overlap(self.side.map(|s| s as u8), other.side.map(|s| s as u8))
            && overlap(self.effect.map(|e| e as u8), other.effect.map(|e| e as u8))
    }

    fn amount(&self, fill: &Fill) -> Exact {
        // A millionth of a dollar times a billionth is a quadrillionth; a unit counts as a million of them.
        let base = match self.basis {
            Basis::Unit => i128::from(fill.quantity) * 1_000_000,
            Basis::Dollar => i128::from(fill.value.micros()),
        };
        let cap = self.cap_nanos.map_or(i128::MAX, |cap| i128::from(cap) * 1_000_000);
        Exact((base * i128::from(self.nanos)).min(cap))
    }
}

/// The fees of one trade date, summed by type.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Default,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Day {
    sums: [Exact; FeeKind::COUNT],
}

impl Day {
    /// Adds the charges of a fill.
    pub fn add(&mut self, charges: &[Charge]) {
        for charge in charges {
            self.sums[charge.kind.index()] += charge.amount;
        }
    }

    /// The exact sum of one type.
    pub fn sum(&self, kind: FeeKind) -> Exact {
        self.sums[kind.index()]
    }

    /// What is charged: each type's sum rounded up to the cent, types without a sum left out.
    pub fn settle(&self) -> impl Iterator<Item = (FeeKind, Money)> + '_ {
        FeeKind::ALL
            .into_iter()
            .map(|kind| (kind, self.sum(kind).ceil_to_cent()))
            .filter(|(_, amount)| *amount != Money::ZERO)
    }

    /// All types together, each rounded up.
    pub fn total(&self) -> Money {
        self.settle().map(|(_, amount)| amount).sum()
    }
}

#[cfg(test)]
#[path = "fees_tests.rs"]
mod tests;
