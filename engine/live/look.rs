//! A look at what one symbol's seat holds, for commands that show it (`wingspread structure`). The seat copies its chain
//! into a box that the asker brought; nothing is allocated on the trading thread, and nothing is changed.

use desk::seat::UnderlyingSeat;
use market::quote::Quote;
use market::{Contract, Date, Price, Symbol, Timestamp};

/// Asks a seat to fill the box and send it back.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct Look {
    /// The box to fill.
    pub spare: Box<Seen>,
    /// Where it goes.
    pub reply: crossbeam::channel::Sender<Box<Seen>>,
}

/// One listed contract.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Row {
    /// The contract.
    pub contract: Contract,
    /// Its newest quote and when it was heard; `None` when there is none, or none since the feed was lost.
    pub quote: Option<(Quote, Timestamp)>,
    /// Contracts open at the last session's end.
    pub open_interest: Option<u32>,
    /// Contracts traded today, as far as it was heard.
    pub volume: u32,
    /// The spot when it was quoted, dollars per share.
    pub quoted_spot: Option<f64>,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Seen {
    /// The symbol.
    pub symbol: Symbol,
    /// When.
    pub at: Timestamp,
    /// Price of the underlying: the middle of its quote, else its last price.
    pub spot: Option<Price>,
    /// What the ensemble said last: odds of down, flat and up.
    pub odds: Option<[f32; 3]>,
    /// Rate and dividend yield each expiry is marked with.
    pub curves: Vec<(Date, f64, f64)>,
    /// The chain, by expiry, right and strike; no more rows than there was room for.
    pub rows: Vec<Row>,
}

/// Room for the chain of a busy fund.
const ROOM: usize = 16_384;
const EXPIRIES_ROOM: usize = 256;

impl Seen {
    /// An empty box with room for a chain.
    pub fn empty(symbol: Symbol) -> Box<Self> {
        let (curves, rows) = (Vec::with_capacity(EXPIRIES_ROOM), Vec::with_capacity(ROOM));
        Box::new(Self { symbol, at: Timestamp::MIN, spot: None, odds: None, curves, rows })
    }

    /// Copies what a seat holds at `now`.
    pub fn fill(&mut self, seat: &UnderlyingSeat, now: Timestamp) {
        let core = seat.core();
        let chain = core.chain();
        self.at = now;
        self.spot = core.spot();
        self.odds = core.forecast().map(|said| [said.odds.down, said.odds.flat, said.odds.up]);
        self.curves.clear();
        let curves = chain.expiry_terms().iter().map(|e| (e.date, e.curve.rate, e.curve.dividend_yield));
        self.curves.extend(curves.take(EXPIRIES_ROOM));
        self.rows.clear();
        let room = self.rows.capacity();
        self.rows.extend(chain.listed().iter().take(room).enumerate().map(|(row, listed)| {
            let fresh = chain.fresh_of(listed, now, i64::MAX).is_some();
            Row {
                contract: listed.contract,
                quote: listed.quote.filter(|_| fresh),
                open_interest: listed.open_interest,
                volume: listed.volume,
                quoted_spot: chain.quoted_spot(row),
            }
        }));
    }
}
