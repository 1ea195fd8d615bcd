//! The strikes of an expiry that may be traded, with their volatilities and deltas as the chain marks them: gathered once a
//! round for all structures that look. The memory is kept from round to round.

use super::{Aim, Settings, liquid_mid};
use crate::chain::Chain;
use market::{Contract, Date, Price, Right, Timestamp};

/// One strike that may be traded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strike {
    pub contract: Contract,
    pub bid: Price,
    pub ask: Price,
    /// NaN when its price has no volatility.
    pub vol: f64,
}

/// One right of one expiry, lowest strike first.
#[derive(Clone, Debug, Default)]
struct Side {
    strikes: Vec<Strike>,
    dollars: Vec<f64>,
    mids: Vec<f64>,
    /// Without sign; NaN where there is no volatility.
    deltas: Vec<f64>,
}

#[derive(Clone, Debug)]
struct Expiry {
    date: Date,
    calls: Side,
    puts: Side,
    /// The straddle at the money; taken when first asked for.
    expected_move: Option<Option<f64>>,
}

/// All expiries looked at in this round.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    /// The first `used` are of this round, the rest is memory.
    expiries: Vec<Expiry>,
    used: usize,
}

/// One expiry's table.
pub(super) struct Table<'a> {
    expiry: &'a mut Expiry,
}

impl Tables {
    /// A new round begins: nothing is known.
    pub(super) fn clear(&mut self) {
        self.used = 0;
    }

    /// The table of an expiry, made when it is first asked for.
    pub(super) fn of(&mut self, chain: &Chain, date: Date, now: Timestamp, settings: &Settings) -> Table<'_> {
        let place = self.expiries[..self.used].iter().position(|held| held.date == date);
        let place = place.unwrap_or_else(|| {
            if self.used == self.expiries.len() {
                let (calls, puts) = (Side::default(), Side::default());
                self.expiries.push(Expiry { date, calls, puts, expected_move: None });
            }
            let held = &mut self.expiries[self.used];
            (held.date, held.expected_move) = (date, None);
            held.calls.fill(chain, date, Right::Call, now, settings);
            held.puts.fill(chain, date, Right::Put, now, settings);
            self.used += 1;
            self.used - 1
        });
        Table { expiry: &mut self.expiries[place] }
    }
}

impl Side {
    fn fill(&mut self, chain: &Chain, expiry: Date, right: Right, now: Timestamp, settings: &Settings) {
        self.strikes.clear();
        self.dollars.clear();
        self.mids.clear();
        self.deltas.clear();
        for at in chain.rows_of(expiry, right) {
            let row = &chain.listed()[at];
            let Some(mid) = liquid_mid(chain, row, now, settings) else { continue };
            let Some((Some(bid), Some(ask))) = row.quote.map(|(quote, _)| (quote.bid, quote.ask)) else {
                continue;
            };
            let vol = chain.vol_of(at).unwrap_or(f64::NAN);
            self.strikes.push(Strike { contract: row.contract, bid: bid.price, ask: ask.price, vol });
            self.dollars.push(row.contract.strike().dollars());
            self.mids.push(mid.dollars());
            self.deltas.push(chain.marks().delta[at].abs());
        }
    }
}

impl Table<'_> {
    /// The strike with the nearest delta, without sign.
    pub(super) fn by_delta(&mut self, right: Right, target: f64, tolerance: f64) -> Option<Strike> {
        let side = self.side(right);
        let mut best: Option<(f64, usize)> = None;
        for (i, delta) in side.deltas.iter().enumerate() {
            let off = (delta - target).abs();
            // Written so that NaN fails.
            if off <= tolerance && best.is_none_or(|(least, _)| off < least) {
                best = Some((off, i));
            }
        }
        best.map(|(_, i)| side.strikes[i])
    }

    /// The nearest strike that fits an aim; the lower of two equally near.
    pub(super) fn by_strike(&mut self, right: Right, aim: &Aim) -> Option<Strike> {
        let side = self.side(right);
        // Strikes rise: those that can fit lie side by side.
        let from = side.strikes.partition_point(|s| s.contract.strike() < aim.strike - aim.tolerance);
        let near =
            side.strikes[from..].iter().take_while(|s| s.contract.strike() <= aim.strike + aim.tolerance);
        let fitting = near.filter_map(|s| aim.off(s.contract.strike()).map(|off| (off, s)));
        fitting.min_by_key(|(off, _)| *off).map(|(_, strike)| *strike)
    }

    /// The price of the straddle struck nearest to the spot of which both options may be traded: what the market expects
    /// the move to be, on average.
    pub(super) fn expected_move(&mut self, spot: f64) -> Option<f64> {
        let Expiry { calls, puts, expected_move, .. } = &mut *self.expiry;
        *expected_move.get_or_insert_with(|| {
            let mut best: Option<(f64, f64)> = None;
            let mut at = 0;
            for (i, strike) in calls.dollars.iter().enumerate() {
                while puts.dollars.get(at).is_some_and(|k| k < strike) {
                    at += 1;
                }
                let off = (strike - spot).abs();
                if puts.dollars.get(at) == Some(strike) && best.is_none_or(|(least, _)| off < least) {
                    best = Some((off, calls.mids[i] + puts.mids[at]));
                }
            }
            best.map(|(_, straddle)| straddle)
        })
    }

    fn side(&mut self, right: Right) -> &mut Side {
        match right {
            Right::Call => &mut self.expiry.calls,
            Right::Put => &mut self.expiry.puts,
        }
    }
}
