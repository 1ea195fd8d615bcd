//! Why cash changed: one running total a reason. Their sum and the opening cash are the cash.

use market::{Label, Money};

/// Signed totals since the book was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    /// Fills, deliveries and cash settlements, without fees.
    pub trading: Money,
    /// Fees the venue booked.
    pub fees: Money,
    /// Dividends, interest and other income.
    pub income: Money,
    /// Money paid in or taken out: no gain or loss.
    pub transfers: Money,
    /// What an operator settled against the broker's account.
    pub adjustments: Money,
}

impl Flows {
    /// All of them.
    pub fn total(&self) -> Money {
        self.trading + self.fees + self.income + self.transfers + self.adjustments
    }
}

/// The broker's types of deposits, withdrawals and journals between accounts.
const TRANSFERS: [Label; 5] = [
    Label::literal("CSD"),
    Label::literal("CSW"),
    Label::literal("JNLC"),
    Label::literal("JNLS"),
    Label::literal("TRANS"),
];

/// True for cash that was paid in or out: it is neither earned nor lost.
pub fn is_transfer(kind: &Label) -> bool {
    TRANSFERS.contains(kind)
}
