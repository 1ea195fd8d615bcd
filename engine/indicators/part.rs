//! A part of a bar: what trades and quotes of some stretch of time amount to. Parts of adjoining stretches merge,
//! which is how a minute reaches nine longer bars without nine times the work.

use market::quote::{Bar, SaleRule, Trade};
use market::{Money, Price, Timestamp};
use serde::{Deserialize, Serialize};

/// First, highest, lowest and last price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Prices {
    open: Price,
    high: Price,
    low: Price,
    close: Price,
}

impl Prices {
    const fn one(price: Price) -> Self {
        Self { open: price, high: price, low: price, close: price }
    }

    fn then(self, later: Self) -> Self {
        Self {
            open: self.open,
            high: self.high.max(later.high),
            low: self.low.min(later.low),
            close: later.close,
        }
    }

    fn reaching(self, reach: Option<(Price, Price)>) -> Self {
        match reach {
            Some((low, high)) => Self { high: self.high.max(high), low: self.low.min(low), ..self },
            None => self,
        }
    }
}

/// The prices trades set, and when the first and the last of them happened: the order trades are heard in does
/// not matter, only that of their stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Traded {
    prices: Prices,
    first_at: Timestamp,
    last_at: Timestamp,
}

impl Traded {
    const fn one(price: Price, at: Timestamp) -> Self {
        Self { prices: Prices::one(price), first_at: at, last_at: at }
    }

    /// Takes one more trade in; of two with the same stamp the one heard later is the later.
    #[inline]
    fn take(&mut self, price: Price, at: Timestamp) {
        self.prices.high = self.prices.high.max(price);
        self.prices.low = self.prices.low.min(price);
        if at >= self.last_at {
            (self.prices.close, self.last_at) = (price, at);
        }
        if at < self.first_at {
            (self.prices.open, self.first_at) = (price, at);
        }
    }

    fn then(self, later: Self) -> Self {
        Self { prices: self.prices.then(later.prices), first_at: self.first_at, last_at: later.last_at }
    }
}

/// What is known of a stretch of time. Prices of trades and of quotes are kept apart: as long as one trade set a
/// price, quotes do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    traded: Option<Traded>,
    quoted: Option<Prices>,
    /// Lowest and highest of trades that may not set the last price.
    reach: Option<(Price, Price)>,
    volume: u64,
    trades: u32,
    /// Millionths of a dollar; wider than [`Money`], which a year of a large ETF would overflow.
    turnover_micros: i128,
    repaired: bool,
}

impl Part {
    /// Nothing happened.
    pub const EMPTY: Self = Self {
        traded: None,
        quoted: None,
        reach: None,
        volume: 0,
        trades: 0,
        turnover_micros: 0,
        repaired: false,
    };

    /// A finished bar as a part. A bar without volume counts as made from quotes.
    pub fn from_bar(bar: &Bar) -> Self {
        let prices = Prices { open: bar.open, high: bar.high, low: bar.low, close: bar.close };
        let is_traded = bar.volume > 0;
        Self {
            // Trades heard after it come after it, whatever their stamps.
            traded: is_traded.then_some(Traded { prices, first_at: Timestamp::MIN, last_at: Timestamp::MIN }),
            quoted: (!is_traded).then_some(prices),
            reach: None,
            volume: bar.volume,
            trades: bar.trades,
            turnover_micros: i128::from(turnover_of(bar).micros()),
            repaired: bar.repaired,
        }
    }

    /// True when nothing happened.
    pub const fn is_empty(&self) -> bool {
        self.traded.is_none() && self.quoted.is_none() && self.trades == 0 && self.volume == 0
    }

    /// True when a trade has set a price.
    pub const fn is_traded(&self) -> bool {
        self.traded.is_some()
    }

    /// The same, marked as changed after it had closed.
    pub const fn marked_repaired(self) -> Self {
        Self { repaired: true, ..self }
    }

    /// The same without any trade: what its quotes alone amount to.
    pub const fn without_trades(&self) -> Self {
        Self { quoted: self.quoted, repaired: self.repaired, ..Self::EMPTY }
    }

    /// Takes a trade in, as far as its sale conditions allow. Trades may come in any order: opening and closing
    /// prices are those of the earliest and latest stamp.
    #[inline]
    pub fn trade(&mut self, trade: &Trade) {
        match trade.rule {
            SaleRule::Regular => match &mut self.traded {
                Some(traded) => traded.take(trade.price, trade.at),
                None => self.traded = Some(Traded::one(trade.price, trade.at)),
            },
            SaleRule::NoLast => self.reach = wider(self.reach, Some((trade.price, trade.price))),
            SaleRule::VolumeOnly => {}
            SaleRule::Ignored => return,
        }
        self.volume += u64::from(trade.size);
        self.trades = self.trades.saturating_add(1);
        self.turnover_micros += i128::from(trade.price.units()) * 100 * i128::from(trade.size);
    }

    /// Takes a trade out again where that can be told from the part alone; true when the part is now what it would
    /// be without the trade. False when the trade may have set one of the prices that are left standing: then
    /// volume and turnover are right and prices in doubt.
    pub fn take_back(&mut self, trade: &Trade) -> bool {
        if trade.rule == SaleRule::Ignored {
            return true;
        }
        let is_sure = match (trade.rule, self.traded, self.reach) {
            (SaleRule::Regular, Some(traded), _) => {
                let is_inside = traded.prices.low < trade.price && trade.price < traded.prices.high;
                is_inside && traded.first_at < trade.at && trade.at < traded.last_at
            }
            (SaleRule::NoLast, _, Some((low, high))) => low < trade.price && trade.price < high,
            (rule, ..) => rule == SaleRule::VolumeOnly,
        };
        self.volume = self.volume.saturating_sub(u64::from(trade.size));
        self.trades = self.trades.saturating_sub(1);
        self.turnover_micros -= i128::from(trade.price.units()) * 100 * i128::from(trade.size);
        is_sure
    }

    /// Takes the middle of a quote in.
    pub fn mid(&mut self, mid: Price) {
        let price = Prices::one(mid);
        self.quoted = Some(self.quoted.map_or(price, |prices| prices.then(price)));
    }

    /// This part followed by a later one.
    pub fn then(&self, later: &Self) -> Self {
        Self {
            traded: match (self.traded, later.traded) {
                (Some(first), Some(later)) => Some(first.then(later)),
                (first, later) => first.or(later),
            },
            quoted: match (self.quoted, later.quoted) {
                (Some(first), Some(later)) => Some(first.then(later)),
                (first, later) => first.or(later),
            },
            reach: wider(self.reach, later.reach),
            volume: self.volume + later.volume,
            trades: self.trades.saturating_add(later.trades),
            turnover_micros: self.turnover_micros + later.turnover_micros,
            repaired: self.repaired || later.repaired,
        }
    }

    /// The bar, stamped `start`: from trades, or from quote mids when no trade set a price; `None` when neither did.
    pub fn bar(&self, start: Timestamp) -> Option<Bar> {
        let prices = match self.traded {
            Some(traded) => traded.prices.reaching(self.reach),
            None => self.quoted?,
        };
        let micros = self.turnover_micros.clamp(0, i128::from(i64::MAX));
        Some(Bar {
            start,
            open: prices.open,
            high: prices.high,
            low: prices.low,
            close: prices.close,
            volume: self.volume,
            trades: self.trades,
            turnover: Money::from_micros(i64::try_from(micros).unwrap_or(i64::MAX)),
            repaired: self.repaired,
        })
    }
}

/// A bar's turnover; typical price times volume where the source does not say.
fn turnover_of(bar: &Bar) -> Money {
    if bar.turnover > Money::ZERO {
        return bar.turnover;
    }
    let typical =
        (i128::from(bar.high.units()) + i128::from(bar.low.units()) + i128::from(bar.close.units())) / 3;
    let micros = typical * 100 * i128::from(bar.volume);
    Money::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

fn wider(a: Option<(Price, Price)>, b: Option<(Price, Price)>) -> Option<(Price, Price)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}
