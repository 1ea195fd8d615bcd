//! A look at what one symbol's seat holds, for commands that show it (`wingspread structure`). The seat copies its chain
//! into a box that the asker brought; nothing is allocated on the trading thread, and nothing is changed.

use desk::seat::UnderlyingSeat;
use market::quote::Quote;
use market::{Contract, Price, Right, Symbol, Timestamp};

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
    /// The chain, by expiry, right and strike; no more rows than there was room for.
    pub rows: Vec<Row>,
}

/// Room for the chain of a busy fund.
const ROOM: usize = 16_384;

impl Seen {
    /// An empty box with room for a chain.
    pub fn empty(symbol: Symbol) -> Box<Self> {
        let rows = Vec::with_capacity(ROOM);
        Box::new(Self { symbol, at: Timestamp::MIN, spot: None, odds: None, rows })
    }

    /// Copies what a seat holds at `now`.
    pub fn fill(&mut self, seat: &UnderlyingSeat, now: Timestamp) {
        let core = seat.core();
        let chain = core.chain();
        self.at = now;
        self.spot = core.spot();
        self.odds = core.forecast().map(|said| [said.odds.down, said.odds.flat, said.odds.up]);
        self.rows.clear();
        for expiry in chain.expiries() {
            for listed in [Right::Call, Right::Put].into_iter().flat_map(|right| chain.strikes(expiry, right))
            {
                if self.rows.len() == self.rows.capacity() {
                    return;
                }
                let fresh = chain.fresh_of(listed, now, i64::MAX).is_some();
                self.rows.push(Row {
                    contract: listed.contract,
                    quote: listed.quote.filter(|_| fresh),
                    open_interest: listed.open_interest,
                });
            }
        }
    }
}
