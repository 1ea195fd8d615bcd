//! What was said lately: the newest quotes and trades of each instrument, for the data REST.

use market::quote::{MarketEvent, Quote, Trade};
use market::{Date, Instrument};
use std::collections::{BTreeMap, VecDeque};

/// Quotes and trades kept of each share, newest last.
const STOCK_ROWS_MAX: usize = 20_000;
/// Quotes (one) and trades kept of each contract.
const OPTION_TRADES_MAX: usize = 500;

/// What is remembered of one instrument.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Quotes, oldest first.
    pub quotes: VecDeque<Quote>,
    /// Trades, oldest first.
    pub trades: VecDeque<Trade>,
}

/// What is remembered of all.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    of: BTreeMap<Instrument, Rows>,
}

impl Tape {
    /// Remembers an event.
    pub fn hear(&mut self, event: &MarketEvent) {
        match event {
            MarketEvent::Quote(instrument, quote) => {
                let most = if matches!(instrument, Instrument::Stock(_)) { STOCK_ROWS_MAX } else { 1 };
                push(&mut self.of.entry(*instrument).or_default().quotes, *quote, most);
            }
            MarketEvent::Trade(instrument, trade) => {
                let stock = matches!(instrument, Instrument::Stock(_));
                let most = if stock { STOCK_ROWS_MAX } else { OPTION_TRADES_MAX };
                push(&mut self.of.entry(*instrument).or_default().trades, *trade, most);
            }
            _ => {}
        }
    }

    /// Forgets contracts that expired before `today`.
    pub fn forget_expired(&mut self, today: Date) {
        self.of.retain(|instrument, _| instrument.contract().is_none_or(|c| c.expiry >= today));
    }

    /// What is remembered of an instrument.
    pub fn rows(&self, instrument: &Instrument) -> Option<&Rows> {
        self.of.get(instrument)
    }

    /// The last trade of an instrument.
    pub fn last_trade(&self, instrument: &Instrument) -> Option<Trade> {
        self.of.get(instrument)?.trades.back().copied()
    }

    /// The last quote of an instrument that was streamed.
    pub fn last_quote(&self, instrument: &Instrument) -> Option<Quote> {
        self.of.get(instrument)?.quotes.back().copied()
    }
}

fn push<T>(rows: &mut VecDeque<T>, row: T, most: usize) {
    if rows.len() == most {
        rows.pop_front();
    }
    rows.push_back(row);
}
