//! What is seen of an underlying's path: quotes a tick or a few wide around it, and trades at bid or ask.

use super::Settings;
use super::calendar::activity;
use super::chance::Chance;
use super::parameters::Parameters;
use market::quote::{Level, Quote, SaleRule, Trade};
use market::{Price, Timestamp};

/// Seconds of a full session: what daily volume is spread over.
const SESSION_SECONDS: f64 = 23_400.0;
/// Share of the day's volume that crosses at the close.
const CROSS_SHARE: f64 = 0.06;

/// The tape of one underlying.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct StockTicks {
    chance: Chance,
    quotes_per_second: f64,
    trades_per_second: f64,
    spread_bps: f64,
    size: f64,
    daily_volume: f64,
    /// Distance of the quotes' middle from the path, in half-spreads; mean-reverting.
    offset: f64,
    last: Option<Quote>,
    official_close: Option<Price>,
    trade_id: u64,
}

impl StockTicks {
    /// The tape before its first tick.
    pub fn new(settings: &Settings, p: &Parameters) -> Self {
        Self {
            chance: Chance::stream(settings.seed, p.symbol.as_str(), "ticks"),
            quotes_per_second: settings.stock_quotes_per_second,
            trades_per_second: settings.stock_trades_per_second,
            spread_bps: p.spread_bps,
            size: p.size,
            daily_volume: p.daily_volume,
            offset: 0.0,
            last: None,
            official_close: None,
            trade_id: 0,
        }
    }

    /// Goes on where another run stood, at the rates of this one.
    pub fn resume(&mut self, from: Self) {
        let Self { chance, offset, last, official_close, trade_id, .. } = from;
        *self = Self { chance, offset, last, official_close, trade_id, ..self.clone() };
    }

    /// A new day: trade ids start again, yesterday's quote is gone.
    pub fn open_day(&mut self) {
        self.trade_id = 0;
        self.last = None;
    }

    /// The last quote of today.
    pub fn last(&self) -> Option<Quote> {
        self.last
    }

    /// The official close of the last finished session.
    pub fn official_close(&self) -> Option<Price> {
        self.official_close
    }

    /// A quote one tick wide around `mid`, for those who ask before the first tick.
    pub fn opening(&self, mid: f64, at: Timestamp) -> Option<Quote> {
        let bid = Price::nearest(mid)?.floor_to(Price::CENT);
        let level = |price| Some(Level { price, size: 100 });
        Some(Quote { bid: level(bid), ask: level(bid + Price::CENT), at })
    }

    /// Nanoseconds to the next quote.
    pub fn quote_gap_ns(&mut self, part: f64) -> i64 {
        self.gap_ns(self.quotes_per_second, part)
    }

    /// Nanoseconds to the next trade.
    pub fn trade_gap_ns(&mut self, part: f64) -> i64 {
        self.gap_ns(self.trades_per_second, part)
    }

    fn gap_ns(&mut self, per_second: f64, part: f64) -> i64 {
        let seconds = self.chance.exponential() / (per_second * activity(part));
        ((seconds * 1e9) as i64).max(1_000)
    }

    /// The next quote around `mid`. `stress` is volatility over its normal level; spreads are wider under it
    /// and in the first five minutes.
    pub fn quote(&mut self, mid: f64, stress: f64, since_open_ns: i64, at: Timestamp) -> Quote {
        let minutes = since_open_ns as f64 / 60e9;
        let wide = stress.sqrt() * (1.0 + 1.5 * (-minutes / 2.0).exp());
        let fair_ticks = (self.spread_bps * mid / 1e4 * wide / 0.01).max(1.0);
        let extra = if self.chance.unit() < 0.18 { 1.0 } else { 0.0 };
        let width = fair_ticks.round() + extra;
        self.offset = 0.7 * self.offset + 0.3 * self.chance.normal();
        let middle = mid / 0.01 + 0.5 * width * self.offset.clamp(-0.9, 0.9);
        let bid_cents = (middle - 0.5 * width).round().max(1.0);
        let size =
            |chance: &mut Chance, mean: f64| ((chance.lognormal(mean, 0.8) / 100.0).ceil() * 100.0) as u32;
        let (bid_size, ask_size) = (size(&mut self.chance, self.size), size(&mut self.chance, self.size));
        let cents = |n: f64| Price::from_cents(n as i64);
        let quote = Quote {
            bid: Some(Level { price: cents(bid_cents), size: bid_size }),
            ask: Some(Level { price: cents(bid_cents + width), size: ask_size }),
            at,
        };
        self.last = Some(quote);
        quote
    }

    /// A trade at the bid, the ask or (one in eight) the middle; buyers are likelier when the trend leans up.
    pub fn trade(&mut self, lean: f64, at: Timestamp) -> Option<Trade> {
        let quote = self.last?;
        let (bid, ask) = (quote.bid?.price, quote.ask?.price);
        let draw = self.chance.unit();
        let buyer = self.chance.unit() < (0.5 + 0.3 * lean).clamp(0.3, 0.7);
        let price = if draw < 0.125 {
            quote.mid()?
        } else if buyer {
            ask
        } else {
            bid
        };
        let mean = self.daily_volume * (1.0 - CROSS_SHARE) / (self.trades_per_second * SESSION_SECONDS);
        let odd = self.chance.unit() < 0.35;
        let drawn = self.chance.lognormal(mean, 1.0).max(1.0);
        let size = if odd { drawn.min(99.0) } else { (drawn / 100.0).ceil() * 100.0 } as u32;
        let rule = if size < 100 { SaleRule::VolumeOnly } else { SaleRule::Regular };
        self.trade_id += 1;
        Some(Trade { price, size: size.max(1), at, id: self.trade_id, rule })
    }

    /// The closing cross: its price is the official close.
    pub fn closing_cross(&mut self, mid: f64, at: Timestamp) -> Trade {
        let price = Price::nearest(mid).unwrap_or(Price::CENT).floor_to(Price::CENT).max(Price::CENT);
        self.official_close = Some(price);
        self.trade_id += 1;
        let size = self.chance.lognormal(self.daily_volume * CROSS_SHARE, 0.3).min(4e9) as u32;
        Trade { price, size, at, id: self.trade_id, rule: SaleRule::Regular }
    }
}
