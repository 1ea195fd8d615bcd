//! What a symbol's core says.

use forecast::notes::ForecastNote;
use market::alert::AlertNote;
use portfolio::Proposal;
use portfolio::notes::MarkNote;

/// One thing said.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A wish to change the book, for risk.
    Propose(Proposal),
    /// A forecast as a bar closed, for the record.
    Forecast(ForecastNote),
    /// What an instrument is worth, for the book.
    Mark(MarkNote),
    /// Something a person should know.
    Alert(AlertNote),
}
