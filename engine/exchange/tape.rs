//! What the exchange knows of the market: the newest quote of everything and how much of it is still there,
//! halts, and the prices that decide at settlement.

use market::quote::{Bar, Quote, SaleRule, Trade};
use market::time::MINUTE;
use market::{Date, Instrument, Price, Timestamp, session};
use std::collections::BTreeMap;

/// One instrument.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Ticker {
    pub quote: Option<Quote>,
    /// Contracts or shares of the shown bid nobody has taken yet.
    pub bid_left: u32,
    /// The same of the ask.
    pub ask_left: u32,
    pub halted: bool,
    /// The last price of any kind.
    last: Option<Price>,
    /// Day of the session prices below.
    day: Option<Date>,
    first: Option<Price>,
    last_trade: Option<Price>,
    last_mid: Option<Price>,
}

impl Ticker {
    fn quoted(&mut self, quote: Quote) {
        self.bid_left = quote.bid.map_or(0, |level| level.size);
        self.ask_left = quote.ask.map_or(0, |level| level.size);
        self.quote = Some(quote);
        if let Some(mid) = quote.mid() {
            self.last = Some(mid);
            if self.in_session(quote.at) {
                self.first.get_or_insert(mid);
                self.last_mid = Some(mid);
            }
        }
    }

    fn traded(&mut self, price: Price, at: Timestamp) {
        self.last = Some(price);
        if self.in_session(at) {
            self.first.get_or_insert(price);
            self.last_trade = Some(price);
        }
    }

    /// Turns to a new day when needed; false outside the session. The closing bell itself still belongs to it:
    /// the closing trade is stamped with it.
    fn in_session(&mut self, at: Timestamp) -> bool {
        let (date, _) = at.new_york();
        if self.day != Some(date) {
            if session::session(date).is_none_or(|s| at < s.open) {
                return false;
            }
            (self.day, self.first, self.last_trade, self.last_mid) = (Some(date), None, None, None);
        }
        session::session(date).is_some_and(|s| at >= s.open && at <= s.close)
    }
}

/// All instruments.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Tape {
    tickers: BTreeMap<Instrument, Ticker>,
}

impl Tape {
    pub(crate) fn ticker(&self, instrument: &Instrument) -> Option<&Ticker> {
        self.tickers.get(instrument)
    }

    pub(crate) fn quote(&mut self, instrument: Instrument, quote: Quote) {
        self.tickers.entry(instrument).or_default().quoted(quote);
    }

    pub(crate) fn trade(&mut self, instrument: Instrument, trade: Trade) {
        if trade.rule == SaleRule::Regular && trade.price > Price::ZERO {
            self.tickers.entry(instrument).or_default().traded(trade.price, trade.at);
        }
    }

    /// A finished bar stands for the trade at its end: minute histories carry nothing else.
    pub(crate) fn bar(&mut self, instrument: Instrument, minutes: i64, bar: &Bar) {
        let at = bar.start + minutes * MINUTE;
        self.tickers.entry(instrument).or_default().traded(bar.close, at);
    }

    pub(crate) fn halt(&mut self, instrument: Instrument, halted: bool) {
        self.tickers.entry(instrument).or_default().halted = halted;
    }

    pub(crate) fn is_halted(&self, instrument: &Instrument) -> bool {
        self.ticker(instrument).is_some_and(|t| t.halted)
    }

    /// Takes from what is shown at one side.
    pub(crate) fn take(&mut self, instrument: &Instrument, bought: bool, quantity: u32) {
        if let Some(ticker) = self.tickers.get_mut(instrument) {
            let left = if bought { &mut ticker.ask_left } else { &mut ticker.bid_left };
            *left = left.saturating_sub(quantity);
        }
    }

    /// The last trade or mid, whichever came later.
    pub(crate) fn last(&self, instrument: &Instrument) -> Option<Price> {
        self.ticker(instrument)?.last
    }

    /// The official close of a day: the last regular trade of its session, else its last mid; without either
    /// (nothing was heard that day) the last price known at all.
    pub(crate) fn official_close(&self, instrument: &Instrument, date: Date) -> Option<Price> {
        let ticker = self.ticker(instrument)?;
        if ticker.day == Some(date) {
            return ticker.last_trade.or(ticker.last_mid).or(ticker.last);
        }
        ticker.last
    }

    /// The first price of a day's session, for settlement in the morning; the last price known without one.
    pub(crate) fn official_open(&self, instrument: &Instrument, date: Date) -> Option<Price> {
        let ticker = self.ticker(instrument)?;
        if ticker.day == Some(date) { ticker.first.or(ticker.last) } else { ticker.last }
    }
}
