//! A trade: what one proposal opened, followed until nothing of it is left. It owns quantities of
//! instruments and the cash that came and went for them; assignment turns its options to shares, which stay
//! its own until they are sold, so its profit needs no convention: it is the cash once nothing is held.

use crate::notes::PositionNote;
use crate::proposal::ProposalId;
use crate::{ExitReason, Proposal};
use market::fees::Exact;
use market::order::Legs;
use market::{Instrument, Label, Money, Price, Symbol, Timestamp};
use std::collections::BTreeMap;

/// Instruments owned and the cash paid (negative) and received for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Signed contracts or shares by instrument; no entry is zero.
    pub holds: BTreeMap<Instrument, i64>,
    /// Signed cash so far, without fees.
    pub cash: Money,
}

impl Share {
    /// Adds a signed quantity and a signed amount of cash.
    pub fn add(&mut self, instrument: Instrument, quantity: i64, cash: Money) {
        self.cash += cash;
        let held = self.holds.entry(instrument).or_insert(0);
        *held += quantity;
        if *held == 0 {
            self.holds.remove(&instrument);
        }
    }
    /// Signed quantity held.
    pub fn held(&self, instrument: &Instrument) -> i64 {
        self.holds.get(instrument).copied().unwrap_or(0)
    }
    /// True when nothing is held.
    pub fn is_flat(&self) -> bool {
        self.holds.is_empty()
    }
}

/// A trade from its first fill until nothing of it is left.
#[derive(Clone, Debug, PartialEq)]
pub struct Trade {
    /// The proposal that opened it.
    pub id: ProposalId,
    /// The underlying.
    pub underlying: Symbol,
    /// The structure's name.
    pub structure: Label,
    /// The legs of one unit, as opened.
    pub legs: Legs,
    /// Units opened in all.
    pub opened_units: u32,
    /// Signed cash of the opening fills: negative when a debit was paid.
    pub entered: Money,
    /// What it owns now, and all its cash, the opening included.
    pub share: Share,
    /// The most one unit can gain.
    pub max_profit: Money,
    /// The most one unit can lose.
    pub max_loss: Money,
    /// What one unit's margin asks before credit.
    pub margin: Money,
    /// Fees by schedule, exact before rounding: an estimate, since the venue books them summed over a day.
    pub fees_estimated: Exact,
    /// When it was first opened.
    pub opened: Timestamp,
    /// Why it is being closed, or was last tried to.
    pub closing: Option<ExitReason>,
    /// When nothing of it was left.
    pub closed: Option<Timestamp>,
}

impl Trade {
    /// A trade of which nothing is filled yet.
    pub fn of(proposal: &Proposal, structure: Label, at: Timestamp) -> Self {
        Self {
            id: proposal.id,
            underlying: proposal.underlying,
            structure,
            legs: proposal.legs.clone(),
            opened_units: 0,
            entered: Money::ZERO,
            share: Share::default(),
            max_profit: proposal.max_profit,
            max_loss: proposal.max_loss,
            margin: proposal.margin,
            fees_estimated: Exact::ZERO,
            opened: at,
            closing: None,
            closed: None,
        }
    }

    /// Whole units still held: each needs every leg.
    pub fn units(&self) -> u32 {
        let whole = |leg: &market::order::Leg| {
            let ratio = leg.signed_ratio();
            if ratio == 0 { 0 } else { (self.share.held(&leg.instrument) / ratio).max(0) }
        };
        self.legs.iter().map(whole).min().unwrap_or(0).try_into().unwrap_or(u32::MAX)
    }

    /// What is held beyond whole units: shares after an assignment, a leg whose partner is gone.
    pub fn leftovers(&self) -> Vec<(Instrument, i64)> {
        let units = i64::from(self.units());
        let in_units = |instrument: &Instrument| -> i64 {
            let legs = self.legs.iter().filter(|leg| leg.instrument == *instrument);
            legs.map(|leg| leg.signed_ratio() * units).sum()
        };
        let rest = self.share.holds.iter().map(|(i, held)| (*i, held - in_units(i)));
        rest.filter(|(_, quantity)| *quantity != 0).collect()
    }

    /// True when nothing of it is left.
    pub fn is_flat(&self) -> bool {
        self.share.is_flat()
    }

    /// Average signed net paid per unit and share at the opening (negative: received), rounded to the
    /// nearest ten-thousandth: for display and exits; accounting uses `entered`.
    pub fn entry(&self) -> Price {
        let multiplier = self.legs.first().map_or(1, |leg| leg.instrument.multiplier());
        let per = i64::from(self.opened_units) * multiplier * 100;
        if per == 0 {
            return Price::ZERO;
        }
        let paid = -self.entered.micros();
        Price::from_units((paid + paid.signum() * per / 2) / per)
    }

    /// What the seat of the underlying is told.
    pub fn note(&self) -> PositionNote {
        PositionNote {
            id: self.id,
            underlying: self.underlying,
            structure: self.structure,
            legs: self.legs.clone(),
            units: self.units(),
            entry: self.entry(),
            max_profit: self.max_profit,
            max_loss: self.max_loss,
            opened: self.opened,
            closing: self.closing,
        }
    }
}
