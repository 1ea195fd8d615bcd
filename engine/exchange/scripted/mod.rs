//! Tests of the whole exchange: a small desk to act from, and scripted days by subject.

mod endings;
mod fills;
mod flows;
mod requests;
mod turned_down;

use crate::{
    AccountId, Event, Exchange, NewLeg, NewOrder, Opening, Order, OrderEvent, OrderEventKind, Refusal,
    Settings,
};
use market::fees::{Basis, Class, FeeKind, Rate, Schedule};
use market::quote::{Level, MarketEvent, Quote};
use market::time::{MINUTE, MS};
use market::{Date, Instrument, Money, Price, Timestamp};

/// A Monday.
pub(crate) const MONDAY: Date = Date::literal(2026, 3, 16);

pub(crate) fn at(date: Date, hour: i64, minute: i64) -> Timestamp {
    date.at_new_york((hour * 60 + minute) * 60)
}

/// ORF and OCC of 2.5 cents a contract each, and Section 31 on sales: enough to see rounding.
pub(crate) fn schedule() -> Schedule {
    let row = |kind, on: &[Class], side, basis, nanos| Rate {
        kind,
        on: on.iter().copied().collect(),
        side,
        effect: None,
        from: Date::literal(2013, 1, 1),
        basis,
        nanos,
        cap_nanos: None,
    };
    let sell = Some(market::order::Side::Sell);
    let sold = [Class::Stock, Class::Delivery, Class::Option];
    Schedule {
        broker: "test".into(),
        rates: vec![
            row(FeeKind::Orf, &[Class::Option], None, Basis::Unit, 25_000_000),
            row(FeeKind::Occ, &[Class::Option], None, Basis::Unit, 25_000_000),
            row(FeeKind::Section31, &sold, sell, Basis::Dollar, 20_600),
        ],
    }
}

/// Settings without fees, whose orders work at once.
pub(crate) fn plain() -> Settings {
    let mut settings = Settings::ordinary(None);
    settings.delays =
        crate::settings::Delays { acknowledge_ns: MS, cancel_ns: MS, replace_ns: MS, resting_ns: MS };
    settings
}

/// An exchange with one account, a clock, and everything it said.
pub(crate) struct Desk {
    pub exchange: Exchange,
    pub account: AccountId,
    pub now: Timestamp,
    pub said: Vec<Event>,
}

impl Desk {
    pub(crate) fn open(settings: Settings, now: Timestamp, dollars: i64) -> Self {
        let mut exchange = Exchange::new(settings, now, 7);
        let mut said = Vec::new();
        let opening = Opening { cash: Money::from_dollars(dollars), options_level: 3 };
        let account = exchange.open_account(now, opening, &mut said);
        Self { exchange, account, now, said }
    }

    /// Plain settings, Monday 10:00, 100,000 dollars, SPY quoted at 566.30/566.40 with the contracts of the
    /// reference's examples around it.
    pub(crate) fn monday() -> Self {
        let mut desk = Self::open(plain(), at(MONDAY, 10, 0), 100_000);
        desk.quote_all();
        desk
    }

    pub(crate) fn quote_all(&mut self) {
        self.quote("SPY", 56_630, 56_640, 500);
        for (symbol, bid, ask) in [
            ("SPY260417P00545000", 190, 196),
            ("SPY260417P00550000", 260, 266),
            ("SPY260417P00555000", 290, 300),
            ("SPY260417P00560000", 410, 420),
            ("SPY260417C00565000", 860, 870),
            ("SPY260417C00570000", 620, 630),
            ("SPY260417C00585000", 210, 216),
            ("SPY260417C00590000", 120, 126),
        ] {
            self.quote(symbol, bid, ask, 10);
        }
    }

    pub(crate) fn quote(&mut self, symbol: &str, bid_cents: i64, ask_cents: i64, size: u32) {
        let level = |cents| Some(Level { price: Price::from_cents(cents), size });
        self.quote_sides(symbol, level(bid_cents), level(ask_cents));
    }

    pub(crate) fn quote_sides(&mut self, symbol: &str, bid: Option<Level>, ask: Option<Level>) {
        let instrument = Instrument::parse(symbol).expect("a symbol");
        let quote = Quote { bid, ask, at: self.now };
        self.exchange.market(self.now, &MarketEvent::Quote(instrument, quote), &mut self.said);
    }

    pub(crate) fn pass(&mut self, ns: i64) {
        self.until(self.now + ns);
    }

    pub(crate) fn until(&mut self, then: Timestamp) {
        self.now = then;
        self.exchange.wake(then, &mut self.said);
    }

    /// Lets acknowledgement and resting time pass, with a quote of the same contents.
    pub(crate) fn settle_in(&mut self) {
        self.pass(10 * MS);
    }

    pub(crate) fn submit(&mut self, order: &NewOrder) -> Result<Order, Refusal> {
        self.exchange.submit(self.now, self.account, order, &mut self.said)
    }

    /// Submits an order that must be taken.
    pub(crate) fn place(&mut self, order: &NewOrder) -> Order {
        self.submit(order).expect("taken")
    }

    /// The order as of now.
    pub(crate) fn seen(&self, order: &Order) -> Order {
        self.exchange.order(self.account, order.id).expect("known").clone()
    }

    pub(crate) fn cash(&self) -> Money {
        self.exchange.account_view(self.account).expect("open").cash
    }

    pub(crate) fn free(&self) -> Money {
        self.exchange.account_view(self.account).expect("open").options_buying_power
    }

    pub(crate) fn held(&self, symbol: &str) -> i64 {
        let instrument = Instrument::parse(symbol).expect("a symbol");
        self.exchange.position(self.account, instrument).map_or(0, |p| p.quantity)
    }

    pub(crate) fn order_events(&self) -> impl Iterator<Item = &OrderEvent> {
        self.said.iter().filter_map(|event| match event {
            Event::Order(event) => Some(&**event),
            _ => None,
        })
    }

    /// The kinds of what was told of an order, in order.
    pub(crate) fn told(&self, order: &Order) -> Vec<OrderEventKind> {
        self.order_events().filter(|event| event.order.id == order.id).map(|event| event.kind).collect()
    }

    /// Cash must be the sum of the log, and the log must explain every position.
    pub(crate) fn check_books(&self) {
        let account = self.exchange.account(self.account);
        let logged: Money = account.activities.iter().map(|activity| activity.net_amount).sum();
        assert_eq!(account.cash, logged, "cash is not the sum of the log");
        let cost: Money = account.positions.values().map(|position| position.cost).sum();
        let fees: Money = account
            .activities
            .iter()
            .filter(|a| matches!(a.kind(), crate::ActivityType::Fee | crate::ActivityType::CashJournal))
            .map(|a| a.net_amount)
            .sum();
        assert_eq!(account.cash + cost, fees + account.realized, "profit is not what moved");
    }
}

pub(crate) fn limit(symbol: &str, side: &str, qty: u32, price: &str) -> NewOrder {
    NewOrder {
        symbol: Some(symbol.into()),
        qty: Some(qty.to_string()),
        side: Some(side.into()),
        kind: Some("limit".into()),
        time_in_force: Some("day".into()),
        limit_price: Some(price.into()),
        ..NewOrder::default()
    }
}

pub(crate) fn at_market(symbol: &str, side: &str, qty: u32) -> NewOrder {
    NewOrder { kind: Some("market".into()), limit_price: None, ..limit(symbol, side, qty, "") }
}

/// A package of `(symbol, ratio, intent)`.
pub(crate) fn package(qty: u32, price: &str, legs: &[(&str, u32, &str)]) -> NewOrder {
    NewOrder {
        qty: Some(qty.to_string()),
        kind: Some("limit".into()),
        time_in_force: Some("day".into()),
        limit_price: Some(price.into()),
        order_class: Some("mleg".into()),
        legs: legs
            .iter()
            .map(|(symbol, ratio, intent)| NewLeg {
                symbol: Some((*symbol).into()),
                ratio_qty: Some(ratio.to_string()),
                side: Some(intent.split('_').next().expect("a side").into()),
                position_intent: Some((*intent).into()),
            })
            .collect(),
        ..NewOrder::default()
    }
}

pub(crate) const SHORT_PUT: &str = "SPY260417P00560000";
pub(crate) const LONG_PUT: &str = "SPY260417P00555000";

/// The bull put spread of the reference: 560/555.
pub(crate) fn bull_put(qty: u32, price: &str) -> NewOrder {
    package(qty, price, &[(SHORT_PUT, 1, "sell_to_open"), (LONG_PUT, 1, "buy_to_open")])
}

/// Its closing order.
pub(crate) fn bull_put_close(qty: u32, price: &str) -> NewOrder {
    package(qty, price, &[(SHORT_PUT, 1, "buy_to_close"), (LONG_PUT, 1, "sell_to_close")])
}

/// Ten minutes, for quotes to grow old.
pub(crate) const LONG_WHILE: i64 = 10 * MINUTE;
