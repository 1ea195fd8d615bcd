//! What a symbol's core says.

use forecast::notes::{CombinedNote, DriftNote, ForecastNote};
use forecast::{Prediction, Scored};
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
    /// A model's prediction as its bar closed, for the record.
    Predicted(Prediction),
    /// A prediction with what then happened, for the record.
    Scored(Scored),
    /// What an ensemble said as a bar closed, for the record.
    Combined(CombinedNote),
    /// A model's features or scores are no longer as they were.
    Drift(DriftNote),
}
