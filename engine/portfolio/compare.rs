//! The book against the broker's account: what differs, in words, and whether expiry explains it.

use crate::book::Book;
use market::{Date, Instrument, Money};
use std::collections::BTreeMap;
use std::fmt;

/// Holdings by instrument, as the broker lists them.
pub type Holdings = BTreeMap<Instrument, i64>;

/// One instrument on which book and broker disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The instrument.
    pub instrument: Instrument,
    /// Signed quantity by the book.
    pub book: i64,
    /// Signed quantity by the broker.
    pub broker: i64,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.instrument, self.book, self.broker)
    }
}

/// Every instrument held differently, in the order of instruments.
pub fn differences(book: &Holdings, broker: &Holdings) -> Vec<Difference> {
    let mut all: Vec<Instrument> = book.keys().chain(broker.keys()).copied().collect();
    all.sort_unstable();
    all.dedup();
    let quantity = |held: &Holdings, i: &Instrument| held.get(i).copied().unwrap_or(0);
    all.into_iter()
        .map(|i| Difference { instrument: i, book: quantity(book, &i), broker: quantity(broker, &i) })
        .filter(|d| d.book != d.broker)
        .collect()
}

/// True when expiry alone can explain the differences: contracts at or past their last day are gone at the
/// broker, and otherwise only shares of their underlyings differ. The venue's activities, which come hours
/// later, will tell.
pub fn explained_by_expiry(differences: &[Difference], today: Date) -> bool {
    let gone = |d: &Difference| d.instrument.contract().filter(|c| c.expiry <= today && d.broker == 0);
    let roots: Vec<_> = differences.iter().filter_map(gone).map(|c| c.root).collect();
    !roots.is_empty()
        && differences.iter().all(|d| match d.instrument {
            Instrument::Stock(symbol) => roots.contains(&symbol),
            Instrument::Option(_) => gone(d).is_some(),
        })
}

/// The first differences in one line: `cash:9870.00/9875.00 SPY:0/100`.
pub fn in_words(book: &Book, cash: Money, differences: &[Difference]) -> String {
    use fmt::Write;
    let mut text = String::new();
    if book.cash() != cash {
        let _ = write!(text, "cash:{}/{} ", book.cash(), cash);
    }
    for difference in differences {
        let _ = write!(text, "{difference} ");
    }
    text.truncate(text.trim_end().len());
    text
}
