//! Stock quotes, and option quotes beside them, at steady rates on the wall clock. Each carries the time it was meant
//! to be sent, so that a late one is measured from there: nothing waits for the client, and no delay is forgotten.

use super::SourceError;
use super::flood_chain::FloodChain;
use crate::settings;
use exchange::market_model::MarketModel;
use history::Stamped;
use market::quote::{Level, MarketEvent, Quote, SaleRule, Trade};
use market::{Contract, Instrument, Price, Symbol, Timestamp};

/// How far a share's bid may walk from where it began: the chains stay priced around there.
const WALK_MAX: Price = Price::from_cents(10);

/// The flood.
pub struct Flood {
    /// What was asked for.
    pub settings: settings::Flood,
    chain: Option<FloodChain>,
    started: Option<Timestamp>,
    sent: u64,
    first: Vec<Price>,
    last: Vec<Option<Quote>>,
    luck: u64,
}

impl Flood {
    /// Checks the settings; nothing flows before [`Flood::start`].
    pub fn new(settings: &settings::Flood) -> Result<Self, SourceError> {
        if settings.symbols.is_empty() || !(1..=5_000_000).contains(&settings.quotes_per_second) {
            return Err(SourceError::BadFlood);
        }
        let chain = settings.options.as_ref().map(FloodChain::new).transpose()?;
        let of_chain = |symbol| chain.as_ref().and_then(|chain| chain.stock_bid(symbol));
        let first = settings.symbols.iter().map(|s| of_chain(*s).unwrap_or_else(|| first_bid(*s))).collect();
        let last = vec![None; settings.symbols.len()];
        let settings = settings.clone();
        let luck = settings.seed | 1;
        Ok(Self { settings, chain, started: None, sent: 0, first, last, luck })
    }

    /// The flood has no time of its own: it begins when it is started.
    pub fn starts_at(&self) -> Timestamp {
        crate::pace::wall_clock() + self.settings.shift_ns
    }

    /// The first quote is due now.
    pub fn start(&mut self, now: Timestamp) {
        self.started.get_or_insert(now);
        if let Some(chain) = &mut self.chain {
            chain.end_at(now + self.settings.seconds as i64 * market::time::SECOND);
        }
    }

    /// The market whose options are quoted, when there are any.
    pub fn market(&self) -> Option<&MarketModel> {
        self.chain.as_ref().map(FloodChain::model)
    }

    /// Quotes the contract from now on.
    pub fn watch(&mut self, contract: Contract) {
        if let Some(chain) = &mut self.chain {
            chain.watch(contract);
        }
    }

    /// Takes one [`Flood::watch`] back.
    pub fn unwatch(&mut self, contract: Contract) {
        if let Some(chain) = &mut self.chain {
            chain.unwatch(contract);
        }
    }

    /// When the next quote is meant to be sent.
    pub fn next_due(&self) -> Option<Timestamp> {
        let options = self.chain.as_ref().and_then(FloodChain::next_due);
        self.next_of_stocks().into_iter().chain(options).min()
    }

    fn next_of_stocks(&self) -> Option<Timestamp> {
        let total = self.settings.seconds.saturating_mul(self.settings.quotes_per_second);
        let started = self.started?;
        (self.sent < total).then(|| started + self.offset_ns(self.sent))
    }

    fn offset_ns(&self, n: u64) -> i64 {
        (u128::from(n) * 1_000_000_000 / u128::from(self.settings.quotes_per_second)) as i64
    }

    /// Pushes what is due, at most `most`.
    pub fn advance(&mut self, to: Timestamp, most: usize, out: &mut Vec<Stamped>) {
        if let (Some(chain), Some(_)) = (&mut self.chain, self.started) {
            chain.begin(to);
        }
        for _ in 0..most {
            let options = self.chain.as_ref().and_then(FloodChain::next_due).unwrap_or(Timestamp::MAX);
            let stocks = self.next_of_stocks().unwrap_or(Timestamp::MAX);
            if stocks.min(options) > to {
                return;
            }
            if options < stocks {
                let luck = self.next_luck();
                out.extend(self.chain.as_mut().and_then(|chain| chain.quote(options, luck)));
            } else {
                out.push(Stamped { at: stocks, event: self.make(stocks) });
                self.sent += 1;
            }
        }
    }

    /// xorshift64: cheap, and good enough for a walk of prices.
    fn next_luck(&mut self) -> u64 {
        self.luck ^= self.luck << 13;
        self.luck ^= self.luck >> 7;
        self.luck ^= self.luck << 17;
        self.luck
    }

    fn make(&mut self, at: Timestamp) -> MarketEvent {
        let luck = self.next_luck();
        let i = (self.sent % self.settings.symbols.len() as u64) as usize;
        let symbol = self.settings.symbols[i];
        let first = self.first[i];
        let bid = self.last[i].and_then(|q| q.bid).map_or(first, |l| l.price);
        let every = self.settings.trade_every;
        if every > 0 && self.sent % every == every - 1 {
            let trade = Trade { price: bid, size: 100, at, id: self.sent + 1, rule: SaleRule::Regular };
            return MarketEvent::Trade(Instrument::Stock(symbol), trade);
        }
        let step = Price::from_cents((luck % 3) as i64 - 1);
        let bid = (bid + step).clamp(first - WALK_MAX, first + WALK_MAX).max(Price::CENT);
        let size = 100 + (luck >> 8) as u32 % 900;
        let level = |price| Some(Level { price, size });
        let quote = Quote { bid: level(bid), ask: level(bid + Price::CENT), at };
        self.last[i] = Some(quote);
        MarketEvent::Quote(Instrument::Stock(symbol), quote)
    }

    /// The last quote of a share; before the first one that of the market the chains are of.
    pub fn stock_quote(&self, symbol: Symbol) -> Option<Quote> {
        let i = self.settings.symbols.iter().position(|s| *s == symbol)?;
        self.last[i].or_else(|| self.market()?.stock_quote(symbol))
    }
}

fn first_bid(symbol: Symbol) -> Price {
    let level = exchange::market_model::parameters::of(symbol).level;
    Price::nearest(level).unwrap_or(Price::from_cents(10_000)).floor_to(Price::CENT)
}
