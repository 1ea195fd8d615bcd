//! Feature rows from history, made by the very analysis that runs live: bars are replayed as closed bars, and the
//! row of a bar is what a model would have been shown at its close.

use indicators::features::{FEATURES, Missing, Row};
use indicators::grid::session_date;
use indicators::{Analysis, Closed};
use market::quote::{Bar, Timeframe};
use market::{Date, Symbol, Timestamp};

/// One symbol's past: what `Analysis::seed` takes.
#[derive(Clone, Debug)]
pub struct History {
    /// Whose.
    pub symbol: Symbol,
    /// Daily bars, oldest first: they make the rows of 1day to 1year.
    pub days: Vec<Bar>,
    /// Minute bars, oldest first: they make the rows of 1min to 4h.
    pub minutes: Vec<Bar>,
}

/// The close of one bar of one symbol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Start of the bar.
    pub at: Timestamp,
    /// Its session.
    pub date: Date,
    /// The bar.
    pub bar: Bar,
    /// Average true range, dollars; absent while warming up.
    pub atr: Option<f64>,
    /// The feature row.
    pub row: Row,
    /// Which of its values could not be known.
    pub missing: Missing,
}

/// The closes of every symbol in one timeframe; one list a symbol, oldest first.
pub type Moments = Vec<Vec<Moment>>;

/// Replays the histories: the moments of each timeframe, in the order of `Timeframe::ALL`.
pub fn replay(histories: &[History]) -> [Moments; Timeframe::COUNT] {
    let mut made: [Moments; Timeframe::COUNT] = std::array::from_fn(|_| vec![Vec::new(); histories.len()]);
    for (symbol, history) in histories.iter().enumerate() {
        // Two analyses, so that days which minutes cover too are taken from their daily bars alone.
        for (timeframe, bars) in [(Timeframe::Day1, &history.days), (Timeframe::Min1, &history.minutes)] {
            let mut analysis = Analysis::new();
            for bar in bars {
                let closed = analysis.seed(timeframe, bar);
                keep(&mut analysis, closed, timeframe, &mut |t, moment| made[t.index()][symbol].push(moment));
            }
        }
    }
    made
}

fn keep(analysis: &mut Analysis, closed: Closed, fed: Timeframe, keep: &mut dyn FnMut(Timeframe, Moment)) {
    let is_ours = |t: &Timeframe| t.minutes().is_some() == fed.minutes().is_some();
    for timeframe in closed.timeframes().filter(is_ours) {
        let Some(bar) = analysis.last_closed(timeframe).copied() else { continue };
        let row = *analysis.features(timeframe);
        keep(
            timeframe,
            Moment {
                at: bar.start,
                date: session_date(bar.start),
                bar,
                atr: analysis.atr(timeframe).filter(|atr| *atr > 0.0),
                row,
                missing: analysis.missing_values(timeframe),
            },
        );
    }
}

/// A row of more unknown than known values teaches nothing.
pub const MISSING_MAX: u32 = FEATURES as u32 / 2;
