//! Contracts end: worthless, both legs in the money, between the strikes, on an early close, in cash, ahead of
//! a dividend.

use super::*;
use crate::settings::Dividend;
use crate::{ActivityDetail, ActivityFilter, ActivityType, ContractTerms};
use market::Symbol;
use market::quote::{SaleRule, Trade};

const FRIDAY: Date = Date::literal(2026, 4, 17);

impl Desk {
    /// The last trade of the day, just before the bell.
    fn close_at(&mut self, symbol: &str, cents: i64, close: Timestamp) {
        self.until(close - MINUTE);
        self.print(symbol, cents);
    }

    fn print(&mut self, symbol: &str, cents: i64) {
        let stock = Instrument::parse(symbol).expect("a ticker");
        let price = Price::from_cents(cents);
        let trade = Trade { price, size: 100, at: self.now, id: 0, rule: SaleRule::Regular };
        self.exchange.market(self.now, &MarketEvent::Trade(stock, trade), &mut self.said);
    }

    fn kinds(&self) -> Vec<ActivityType> {
        let filter = ActivityFilter { ascending: true, ..ActivityFilter::default() };
        let later = self.now + 2 * market::time::DAY;
        let found = self.exchange.activities(self.account, later, &filter);
        let kinds = found.iter().map(|a| a.kind());
        kinds.filter(|kind| !matches!(kind, ActivityType::Fill | ActivityType::CashJournal)).collect()
    }
}

/// Two bull put spreads 560/555 sold on Friday morning; how much was received.
fn spread_on_friday() -> (Desk, Money) {
    let mut desk = Desk::open(plain(), at(FRIDAY, 10, 0), 100_000);
    desk.quote_all();
    desk.place(&bull_put(2, "-1.10"));
    desk.settle_in();
    assert_eq!(desk.held(SHORT_PUT), -2);
    let credit = desk.cash() - Money::from_dollars(100_000);
    (desk, credit)
}

#[test]
fn worthless_above_both_strikes() {
    let (mut desk, credit) = spread_on_friday();
    desk.close_at("SPY", 56_100, at(FRIDAY, 16, 0));
    desk.until(at(FRIDAY, 18, 0));
    assert_eq!(desk.cash(), Money::from_dollars(100_000) + credit);
    assert!(desk.exchange.positions(desk.account).is_empty());
    assert_eq!(desk.kinds(), [ActivityType::OptionExpired, ActivityType::OptionExpired]);
    let seen = |now| desk.exchange.activities(desk.account, now, &ActivityFilter::default()).len();
    assert_eq!((seen(desk.now), seen(at(FRIDAY.plus(1), 0, 0))), (3, 5), "shown from the next day on");
    assert_eq!(desk.free(), Money::from_dollars(100_000) + credit);
    desk.check_books();
}

#[test]
fn both_in_the_money_cost_the_width() {
    let (mut desk, credit) = spread_on_friday();
    desk.close_at("SPY", 55_000, at(FRIDAY, 16, 0));
    desk.until(at(FRIDAY, 18, 0));
    assert_eq!(desk.cash(), Money::from_dollars(100_000 - 1_000) + credit);
    assert!(desk.exchange.positions(desk.account).is_empty(), "shares in and out");
    use ActivityType::*;
    assert_eq!(desk.kinds().len(), 4);
    assert!([OptionAssigned, OptionExercised, OptionTrade].iter().all(|kind| desk.kinds().contains(kind)));
    desk.check_books();
}

#[test]
fn between_the_strikes_the_account_wakes_up_with_shares() {
    let (mut desk, credit) = spread_on_friday();
    desk.close_at("SPY", 55_800, at(FRIDAY, 16, 0));
    desk.until(at(FRIDAY, 18, 0));
    assert_eq!(desk.held("SPY"), 200);
    assert_eq!(desk.cash(), Money::from_dollars(100_000 - 112_000) + credit);
    let view = desk.exchange.account_view(desk.account).expect("open");
    assert_eq!(
        view.equity,
        Money::from_dollars(100_000 - 400) + credit,
        "200 shares bought 2 above the close"
    );
    assert_eq!(view.maintenance_margin, Money::from_dollars(33_480));
    assert!(desk.kinds().contains(&ActivityType::OptionExpired));
    let delivered = desk.said.iter().find_map(|event| match event {
        Event::Activity(a) => match a.detail {
            ActivityDetail::Delivered { shares, price, .. } => Some((shares, price, a.net_amount, a.group)),
            _ => None,
        },
        _ => None,
    });
    let (shares, price, amount, group) = delivered.expect("delivered");
    assert_eq!((shares, price, amount), (200, Price::from_cents(56_000), Money::from_dollars(-112_000)));
    assert!(group.is_some());
    desk.check_books();
}

#[test]
fn a_cent_in_the_money_decides_and_the_official_close_is_the_bell() {
    for (close_cents, shares) in [(56_000, 0), (55_999, 200)] {
        let (mut desk, _) = spread_on_friday();
        desk.close_at("SPY", close_cents, at(FRIDAY, 16, 0));
        desk.until(at(FRIDAY, 16, 5));
        desk.print("SPY", 54_000);
        desk.quote("SPY", 53_990, 54_010, 100);
        desk.until(at(FRIDAY, 18, 0));
        assert_eq!(desk.held("SPY"), shares, "after the bell nothing changes moneyness");
        desk.check_books();
    }
}

#[test]
fn a_wish_not_to_exercise_is_kept() {
    let mut desk = Desk::open(plain(), at(FRIDAY, 10, 0), 100_000);
    desk.quote_all();
    let call = "SPY260417C00565000";
    desk.place(&limit(call, "buy", 1, "8.70"));
    desk.settle_in();
    let contract = call.parse().expect("an option");
    desk.exchange
        .do_not_exercise(desk.now, desk.account, contract, &mut desk.said)
        .expect("today is the day");
    desk.close_at("SPY", 57_000, at(FRIDAY, 16, 0));
    desk.until(at(FRIDAY, 18, 0));
    assert_eq!((desk.held(call), desk.held("SPY")), (0, 0));
    assert_eq!(desk.kinds(), [ActivityType::OptionExpired]);
}

#[test]
fn christmas_eve_ends_at_one() {
    let eve = Date::literal(2015, 12, 24);
    let (short, long) = ("GOOG151224P00750000", "GOOG151224P00745000");
    let mut desk = Desk::open(plain(), at(eve, 10, 0), 100_000);
    let quotes = |desk: &mut Desk| {
        desk.quote("GOOG", 74_890, 74_910, 100);
        desk.quote(short, 300, 310, 10);
        desk.quote(long, 100, 110, 10);
    };
    quotes(&mut desk);
    let spread = |qty| package(qty, "-1.90", &[(short, 1, "sell_to_open"), (long, 1, "buy_to_open")]);
    desk.place(&spread(1));
    desk.settle_in();
    assert_eq!(desk.held(short), -1);
    let credit = desk.cash() - Money::from_dollars(100_000);
    desk.until(at(eve, 12, 15));
    quotes(&mut desk);
    let late = desk.submit(&spread(1)).expect_err("45 minutes before the close");
    assert!(late.message.contains("expires soon"), "{late}");
    let waiting = desk.place(&package(1, "-5.00", &[(short, 1, "buy_to_close"), (long, 1, "sell_to_close")]));
    desk.close_at("GOOG", 74_840, at(eve, 13, 0));
    desk.until(at(eve, 13, 0));
    assert_eq!(desk.told(&waiting).last(), Some(&OrderEventKind::Expired));
    desk.print("GOOG", 74_840);
    desk.until(at(eve, 13, 20));
    desk.print("GOOG", 76_000);
    desk.until(at(eve, 13, 31));
    assert_eq!((desk.held(short), desk.held(long), desk.held("GOOG")), (0, 0, 100));
    assert_eq!(desk.cash(), Money::from_dollars(100_000 - 75_000) + credit);
    // The next session is Monday the 28th.
    desk.until(at(Date::literal(2015, 12, 28), 9, 29));
    let order = desk.place(&at_market("GOOG", "sell", 100));
    assert_eq!(order.expires_at, at(Date::literal(2015, 12, 28), 16, 0));
    desk.check_books();
}

#[test]
fn after_the_cutoff_only_closing_orders_are_taken() {
    let (mut desk, _) = spread_on_friday();
    desk.until(at(FRIDAY, 15, 29));
    desk.quote_all();
    assert!(desk.submit(&bull_put(1, "-1.50")).is_ok(), "SPY closes late: until 15:30");
    desk.until(at(FRIDAY, 15, 30));
    desk.quote_all();
    let refused = desk.submit(&bull_put(1, "-1.50")).expect_err("too late");
    assert_eq!((refused.http_status, refused.code), (422, 42_210_000));
    assert!(refused.message.ends_with("expires soon, unable to open new positions"));
    let closing = desk.place(&bull_put_close(2, "1.30"));
    desk.settle_in();
    assert_eq!(desk.seen(&closing).filled_qty, 2);
    desk.until(at(FRIDAY, 16, 1));
    assert!(desk.submit(&bull_put(1, "-1.50")).expect_err("over").message.ends_with("is expired"));
}

#[test]
fn an_unaffordable_long_call_is_sold_before_the_close_and_a_spread_is_not_torn() {
    let call = "SPY260417C00565000";
    let mut desk = Desk::open(plain(), at(FRIDAY, 10, 0), 5_000);
    desk.quote_all();
    desk.place(&limit(call, "buy", 1, "8.70"));
    desk.settle_in();
    desk.until(at(FRIDAY, 15, 40));
    desk.print("SPY", 57_000);
    desk.quote(call, 495, 505, 10);
    desk.until(at(FRIDAY, 15, 44));
    desk.quote(call, 495, 505, 10);
    desk.until(at(FRIDAY, 15, 46));
    assert_eq!(desk.held(call), 0, "28,250 of margin are not there");

    let mut desk = Desk::open(plain(), at(FRIDAY, 10, 0), 5_000);
    desk.quote_all();
    let legs = [(call, 1, "buy_to_open"), ("SPY260417C00570000", 1, "sell_to_open")];
    desk.place(&package(1, "2.50", &legs));
    desk.settle_in();
    desk.until(at(FRIDAY, 15, 44));
    desk.quote_all();
    desk.print("SPY", 58_000);
    desk.until(at(FRIDAY, 15, 50));
    assert_eq!(desk.held(call), 1, "both legs in the money pay for each other");
    desk.close_at("SPY", 58_000, at(FRIDAY, 16, 0));
    desk.until(at(FRIDAY, 17, 0));
    assert!(desk.exchange.positions(desk.account).is_empty());
    desk.check_books();
}

#[test]
fn index_options_settle_in_cash() {
    let call = "SPXW260417C05600000";
    let mut desk = Desk::open(plain(), at(FRIDAY, 10, 0), 100_000);
    desk.exchange.list_contract(
        call.parse().expect("an option"),
        ContractTerms::of(&call.parse().expect("an option")),
    );
    desk.quote("SPX", 566_200, 566_300, 1);
    desk.quote(call, 6_600, 6_700, 10);
    desk.place(&limit(call, "buy", 1, "67.00"));
    desk.settle_in();
    let paid = Money::from_dollars(100_000) - desk.cash();
    desk.close_at("SPX", 565_050, at(FRIDAY, 16, 0));
    desk.until(at(FRIDAY, 17, 0));
    assert_eq!(desk.cash(), Money::from_dollars(100_000 + 5_050) - paid);
    assert_eq!(desk.kinds(), [ActivityType::OptionCash]);
    desk.check_books();
}

#[test]
fn a_short_call_is_assigned_the_evening_before_the_dividend() {
    let mut settings = plain();
    let dividend =
        Dividend { symbol: Symbol::literal("SPY"), ex_date: MONDAY.plus(1), amount: Price::from_cents(176) };
    settings.dividends = vec![dividend];
    let mut desk = Desk::open(settings, at(MONDAY, 10, 0), 100_000);
    let (deep, far) = ("SPY260417C00500000", "SPY260417C00505000");
    desk.quote("SPY", 56_630, 56_640, 500);
    desk.quote(deep, 6_690, 6_710, 10);
    desk.quote(far, 6_230, 6_250, 10);
    desk.place(&package(1, "-4.00", &[(deep, 1, "sell_to_open"), (far, 1, "buy_to_open")]));
    desk.settle_in();
    assert_eq!(desk.held(deep), -1);
    desk.until(at(MONDAY, 17, 0));
    assert_eq!((desk.held(deep), desk.held(far), desk.held("SPY")), (0, 1, -100));
    desk.check_books();
}

#[test]
fn saturday_expiries_of_old_end_on_the_friday_before() {
    let friday = Date::literal(2014, 6, 20);
    let put = "AAPL140621P00095000";
    let mut desk = Desk::open(plain(), at(friday, 10, 0), 100_000);
    desk.quote("AAPL", 9_100, 9_101, 500);
    desk.quote(put, 395, 405, 10);
    desk.place(&at_market("AAPL", "buy", 100));
    desk.place(&limit(put, "buy", 1, "4.05"));
    desk.settle_in();
    desk.until(at(friday, 17, 0));
    assert_eq!((desk.held(put), desk.held("AAPL")), (0, 0), "exercised against the shares");
    desk.check_books();
}
