//! Stock quotes at a steady rate on the wall clock. Each carries the time it was meant to be sent, so that a
//! late one is measured from there: nothing waits for the client, and no delay is forgotten.

use super::SourceError;
use crate::settings;
use history::Stamped;
use market::quote::{Level, MarketEvent, Quote, SaleRule, Trade};
use market::{Instrument, Price, Symbol, Timestamp};

/// The flood.
pub struct Flood {
    /// What was asked for.
    pub settings: settings::Flood,
    started: Option<Timestamp>,
    sent: u64,
    last: Vec<Option<Quote>>,
    luck: u64,
}

impl Flood {
    /// Checks the settings; nothing flows before [`Flood::start`].
    pub fn new(settings: &settings::Flood) -> Result<Self, SourceError> {
        if settings.symbols.is_empty() || !(1..=5_000_000).contains(&settings.quotes_per_second) {
            return Err(SourceError::BadFlood);
        }
        let last = vec![None; settings.symbols.len()];
        Ok(Self { settings: settings.clone(), started: None, sent: 0, last, luck: settings.seed | 1 })
    }

    /// The flood has no time of its own: it begins when it is started.
    pub fn starts_at(&self) -> Timestamp {
        crate::pace::wall_clock() + self.settings.shift_ns
    }

    /// The first quote is due now.
    pub fn start(&mut self, now: Timestamp) {
        self.started.get_or_insert(now);
    }

    /// When the next quote is meant to be sent.
    pub fn next_due(&self) -> Option<Timestamp> {
        let total = self.settings.seconds.saturating_mul(self.settings.quotes_per_second);
        let started = self.started?;
        (self.sent < total).then(|| started + self.offset_ns(self.sent))
    }

    fn offset_ns(&self, n: u64) -> i64 {
        (u128::from(n) * 1_000_000_000 / u128::from(self.settings.quotes_per_second)) as i64
    }

    /// Pushes what is due, at most `most`.
    pub fn advance(&mut self, to: Timestamp, most: usize, out: &mut Vec<Stamped>) {
        for _ in 0..most {
            let Some(at) = self.next_due().filter(|at| *at <= to) else { return };
            out.push(Stamped { at, event: self.make(at) });
            self.sent += 1;
        }
    }

    fn make(&mut self, at: Timestamp) -> MarketEvent {
        // xorshift64: cheap, and good enough for a walk of prices.
        self.luck ^= self.luck << 13;
        self.luck ^= self.luck >> 7;
        self.luck ^= self.luck << 17;
        let i = (self.sent % self.settings.symbols.len() as u64) as usize;
        let symbol = self.settings.symbols[i];
        let bid = self.last[i].and_then(|q| q.bid).map_or_else(|| first_bid(symbol), |l| l.price);
        let every = self.settings.trade_every;
        if every > 0 && self.sent % every == every - 1 {
            let trade = Trade { price: bid, size: 100, at, id: self.sent + 1, rule: SaleRule::Regular };
            return MarketEvent::Trade(Instrument::Stock(symbol), trade);
        }
        let step = Price::from_cents((self.luck % 3) as i64 - 1);
        let bid = (bid + step).max(Price::from_cents(100));
        let size = 100 + (self.luck >> 8) as u32 % 900;
        let level = |price| Some(Level { price, size });
        let quote = Quote { bid: level(bid), ask: level(bid + Price::CENT), at };
        self.last[i] = Some(quote);
        MarketEvent::Quote(Instrument::Stock(symbol), quote)
    }

    /// The last quote of a share.
    pub fn stock_quote(&self, symbol: Symbol) -> Option<Quote> {
        let i = self.settings.symbols.iter().position(|s| *s == symbol)?;
        self.last[i]
    }
}

fn first_bid(symbol: Symbol) -> Price {
    let level = exchange::market_model::parameters::of(symbol).level;
    Price::nearest(level).unwrap_or(Price::from_cents(10_000)).floor_to(Price::CENT)
}
