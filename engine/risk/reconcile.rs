//! The book against the broker: after the start, after every lost connection, and whenever a full set of
//! holdings is told. Until both agree no trading is allowed.
//!
//! The broker is asked while orders fill, so an honest answer may describe the book of a moment ago or one
//! whose fill we hear a moment later. Cash and holdings agree, each by itself, when the broker's figure
//! equals *any* book within the time of grace.

use market::order::Holding;
use market::{Money, Timestamp};
use portfolio::Book;
use portfolio::compare::Holdings;
use std::collections::VecDeque;

/// Most moments of the book remembered.
const MOMENTS_MAX: usize = 64;

/// How book and broker stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The broker has not told everything yet.
    Waiting,
    /// They differ; what is on its way may explain it until then.
    Grace {
        /// When grace ends.
        until: Timestamp,
    },
    /// They differ as expiry would have it: the venue's activities will tell.
    Settling,
    /// They differ: only the operator can settle it (or a late report that makes them agree).
    Differs,
    /// They agree.
    Agreed,
}

/// What the book was at one moment.
#[derive(Clone, Debug, PartialEq)]
struct Moment {
    cash: Money,
    holdings: Holdings,
    until: Timestamp,
}

/// The comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Reconcile {
    grace_ns: i64,
    standing: Standing,
    cash: Option<Money>,
    holdings: Option<Holdings>,
    arriving: Holdings,
    arrived: u32,
    cash_agreed: bool,
    holdings_agreed: bool,
    moments: VecDeque<Moment>,
}

impl Reconcile {
    /// Nothing heard yet.
    pub fn new(grace_ns: i64) -> Self {
        Self {
            grace_ns,
            standing: Standing::Waiting,
            cash: None,
            holdings: None,
            arriving: Holdings::new(),
            arrived: 0,
            cash_agreed: false,
            holdings_agreed: false,
            moments: VecDeque::new(),
        }
    }

    /// How they stand.
    pub fn standing(&self) -> Standing {
        self.standing
    }
    /// When grace ends.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.standing {
            Standing::Grace { until } => Some(until),
            Standing::Waiting | Standing::Settling | Standing::Differs | Standing::Agreed => None,
        }
    }
    /// What the broker told, once it has told everything.
    pub fn told(&self) -> Option<(Money, &Holdings)> {
        Some((self.cash?, self.holdings.as_ref()?))
    }

    /// The connection was lost: what the broker said before no longer counts.
    pub fn lost(&mut self) {
        self.standing = Standing::Waiting;
        (self.cash, self.holdings) = (None, None);
        (self.cash_agreed, self.holdings_agreed) = (false, false);
        self.arriving.clear();
        self.arrived = 0;
    }

    /// The broker's cash. Compared only while a comparison is under way: fees and interest are in the cash
    /// before their activities are told.
    pub fn hear_cash(&mut self, cash: Money) {
        self.cash = Some(cash);
        if self.standing != Standing::Agreed {
            self.cash_agreed = false;
        }
    }

    /// One of `of` holdings; the set is complete with the last one.
    pub fn hear_holding(&mut self, holding: Holding, index: u32, of: u32) {
        if index == 0 {
            self.arriving.clear();
            self.arrived = 0;
        }
        if holding.quantity != 0 {
            self.arriving.insert(holding.instrument, holding.quantity);
        }
        self.arrived += 1;
        if self.arrived == of {
            self.complete();
        }
    }

    /// The broker holds nothing for us.
    pub fn hear_none(&mut self) {
        self.arriving.clear();
        self.complete();
    }

    fn complete(&mut self) {
        self.holdings = Some(std::mem::take(&mut self.arriving));
        self.holdings_agreed = false;
        self.arrived = 0;
    }

    /// The book changed (or is as it is): remembered until grace has passed.
    pub fn remember(&mut self, book: &Book, now: Timestamp) {
        while self.moments.front().is_some_and(|m| m.until < now - self.grace_ns)
            || self.moments.len() >= MOMENTS_MAX
        {
            self.moments.pop_front();
        }
        if let Some(last) = self.moments.back_mut() {
            last.until = now;
        }
        let moment = Moment { cash: book.cash(), holdings: book.holdings(), until: Timestamp::MAX };
        self.moments.push_back(moment);
    }

    /// Compares; true when the standing changed.
    pub fn judge(&mut self, explained: bool, now: Timestamp) -> bool {
        let before = self.standing;
        if self.cash.is_none() || self.holdings.is_none() {
            return false;
        }
        let since = now - self.grace_ns;
        let recent = || self.moments.iter().filter(move |m| m.until >= since);
        let cash_agreed = self.cash_agreed || recent().any(|m| Some(m.cash) == self.cash);
        let holdings_agreed =
            self.holdings_agreed || recent().any(|m| Some(&m.holdings) == self.holdings.as_ref());
        (self.cash_agreed, self.holdings_agreed) = (cash_agreed, holdings_agreed);
        self.standing = match before {
            _ if cash_agreed && holdings_agreed => Standing::Agreed,
            _ if explained => Standing::Settling,
            Standing::Grace { until } if now < until => before,
            Standing::Grace { .. } | Standing::Differs => Standing::Differs,
            Standing::Waiting | Standing::Settling | Standing::Agreed => {
                Standing::Grace { until: now + self.grace_ns }
            }
        };
        self.standing != before
    }

    /// The operator took over what the broker says.
    pub fn settled(&mut self) {
        self.standing = Standing::Agreed;
        (self.cash_agreed, self.holdings_agreed) = (true, true);
    }
}
