//! How orders fill: between mid and the far side, in whole proportionate units, never against a bad quote.

use super::*;
use crate::settings::FillModel;
use crate::{Faults, OrderStatus};
use market::quote::Status;

#[test]
fn a_package_fills_between_mid_and_far_and_its_legs_add_up() {
    let mut desk = Desk::monday();
    // Mid -1.20, half-spread 0.10; two of ten shown: k = 0.40 + 0.35 x 0.2 = 0.47, so -1.153, rounded up: -1.15.
    let order = desk.place(&bull_put(2, "-1.10"));
    desk.settle_in();
    let seen = desk.seen(&order);
    assert_eq!((seen.status, seen.filled_qty), (OrderStatus::Filled, 2));
    assert_eq!(seen.filled_avg_price(), Some(Money::from_cents(-115)));
    let event = desk.order_events().find(|e| e.kind == OrderEventKind::Fill).expect("filled").clone();
    let execution = event.execution.expect("executed");
    assert_eq!(execution.price, Price::from_cents(-115));
    assert_eq!(execution.legs.iter().map(|leg| leg.quantity).collect::<Vec<_>>(), [-2, 2]);
    assert_eq!(execution.legs[1].price - execution.legs[0].price, Price::from_cents(-115));
    assert_eq!(desk.cash(), Money::from_dollars(100_230));
    assert_eq!((desk.held(SHORT_PUT), desk.held(LONG_PUT)), (-2, 2));
    use OrderEventKind::*;
    assert_eq!(desk.told(&order), [PendingNew, New, Fill]);
    desk.check_books();
}

#[test]
fn a_resting_order_waits_and_then_fills_at_its_own_limit() {
    let mut desk = Desk::monday();
    let order = desk.place(&bull_put(1, "-1.30"));
    desk.settle_in();
    assert_eq!(desk.seen(&order).status, OrderStatus::New);
    // The short put rises: mid -1.50 now, far better than the limit; who rested gets the limit, no more.
    desk.quote(SHORT_PUT, 440, 450, 10);
    let seen = desk.seen(&order);
    assert_eq!(seen.filled_avg_price(), Some(Money::from_cents(-130)));
    desk.check_books();
}

#[test]
fn exactly_mid_never_fills_and_patience_helps_a_little() {
    let mut desk = Desk::monday();
    let order = desk.place(&bull_put(10, "-1.14"));
    for _ in 0..120 {
        desk.pass(1_000 * MS);
        desk.quote(SHORT_PUT, 410, 420, 10);
        desk.quote(LONG_PUT, 290, 300, 10);
    }
    // k falls from 0.75 to 0.60: -1.14 is granted after some seconds, at the limit.
    assert_eq!(desk.seen(&order).filled_avg_price(), Some(Money::from_cents(-114)));
    let at_mid = desk.place(&bull_put(1, "-1.20"));
    for _ in 0..600 {
        desk.pass(1_000 * MS);
        desk.quote(SHORT_PUT, 410, 420, 10);
        desk.quote(LONG_PUT, 290, 300, 10);
    }
    assert_eq!(desk.seen(&at_mid).filled_qty, 0);
}

#[test]
fn stress_and_touch_pay_the_far_side() {
    for fills in [FillModel::Stress, FillModel::Touch] {
        let mut desk = Desk::open(Settings { fills, ..plain() }, at(MONDAY, 10, 0), 100_000);
        desk.quote_all();
        let near = desk.place(&bull_put(1, "-1.11"));
        let far = desk.place(&bull_put(1, "-1.10"));
        desk.settle_in();
        assert_eq!(desk.seen(&near).filled_qty, 0);
        assert_eq!(desk.seen(&far).filled_avg_price(), Some(Money::from_cents(-110)));
        // Touch ignores what is shown, everything else does not.
        let large = desk.place(&bull_put(30, "-1.10"));
        desk.settle_in();
        let filled = desk.seen(&large).filled_qty;
        assert_eq!(filled, if fills == FillModel::Touch { 30 } else { 9 });
    }
}

#[test]
fn partial_fills_are_whole_units_of_every_leg() {
    let mut desk = Desk::monday();
    let legs = [("SPY260417C00585000", 2, "sell_to_open"), ("SPY260417C00565000", 3, "buy_to_open")];
    let order = desk.place(&package(8, "25.00", &legs));
    desk.settle_in();
    // Ten of each shown: three units need nine of the threes.
    let seen = desk.seen(&order);
    assert_eq!((seen.status, seen.filled_qty), (OrderStatus::PartiallyFilled, 3));
    assert_eq!((seen.legs[0].filled, seen.legs[1].filled), (6, 9));
    assert_eq!((desk.held("SPY260417C00585000"), desk.held("SPY260417C00565000")), (-6, 9));
    // The same quote fills no more; a new one of one leg alone neither, for the other one is used up.
    desk.quote("SPY260417C00585000", 210, 216, 10);
    assert_eq!(desk.seen(&order).filled_qty, 3);
    desk.quote("SPY260417C00565000", 860, 870, 10);
    assert_eq!(desk.seen(&order).filled_qty, 6);
    let sum: Money = desk
        .order_events()
        .filter_map(|event| event.execution.as_ref())
        .map(|e| e.price.times(i64::from(e.units) * 100))
        .sum();
    assert_eq!(desk.cash(), Money::from_dollars(100_000) - sum);
    desk.check_books();
}

#[test]
fn injected_partial_fills_stay_proportionate() {
    let faults = Faults { partial_fill_ppm: 1_000_000, ..Faults::NONE };
    let mut desk = Desk::open(Settings { faults, ..plain() }, at(MONDAY, 10, 0), 100_000);
    desk.quote_all();
    let order = desk.place(&bull_put(9, "-1.10"));
    for _ in 0..40 {
        desk.settle_in();
        desk.quote(SHORT_PUT, 410, 420, 10);
        let seen = desk.seen(&order);
        assert!(seen.legs.iter().all(|leg| leg.filled == seen.filled_qty));
        desk.quote(LONG_PUT, 290, 300, 10);
    }
    assert_eq!(desk.seen(&order).status, OrderStatus::Filled);
    assert!(desk.told(&order).contains(&OrderEventKind::PartialFill));
    desk.check_books();
}

#[test]
fn bad_quotes_fill_nothing() {
    let good = |desk: &mut Desk| desk.quote(LONG_PUT, 290, 300, 10);
    let level = |cents, size| Some(Level { price: Price::from_cents(cents), size });
    type Spoil = fn(&mut Desk);
    let spoil: [(&str, Spoil); 4] = [
        ("crossed", |desk| desk.quote(SHORT_PUT, 430, 420, 10)),
        ("halted", |desk| {
            let status = Status { halted: true, reason: market::Label::EMPTY, at: desk.now };
            let halt = MarketEvent::Status(Instrument::parse("SPY").expect("a ticker"), status);
            desk.exchange.market(desk.now, &halt, &mut desk.said);
        }),
        ("stale", |desk| desk.pass(LONG_WHILE)),
        ("empty", |desk| desk.quote(SHORT_PUT, 410, 420, 0)),
    ];
    for (name, spoil) in spoil {
        let mut desk = Desk::monday();
        spoil(&mut desk);
        let order = desk.place(&bull_put(1, "-0.10"));
        desk.settle_in();
        good(&mut desk);
        assert_eq!(desk.seen(&order).filled_qty, 0, "{name}");
    }
    for (bid, ask) in [(None, level(420, 10)), (level(410, 10), None)] {
        let mut desk = Desk::monday();
        desk.quote_sides(SHORT_PUT, bid, ask);
        let order = desk.place(&bull_put(1, "-0.10"));
        desk.settle_in();
        good(&mut desk);
        assert_eq!(desk.seen(&order).filled_qty, 0, "one-sided");
        desk.quote(SHORT_PUT, 410, 420, 10);
        assert_eq!(desk.seen(&order).filled_qty, 1, "good again");
    }
}

#[test]
fn nothing_fills_before_its_resting_time() {
    let mut settings = plain();
    settings.delays.resting_ns = 200 * MS;
    let mut desk = Desk::open(settings, at(MONDAY, 10, 0), 100_000);
    desk.quote_all();
    let order = desk.place(&at_market("SPY", "buy", 10));
    desk.pass(150 * MS);
    desk.quote("SPY", 56_630, 56_640, 500);
    assert_eq!(desk.seen(&order).status, OrderStatus::New);
    desk.pass(60 * MS);
    let seen = desk.seen(&order);
    assert_eq!(seen.filled_avg_price(), Some(Money::from_cents(56_640)), "a market order pays the far side");
    desk.check_books();
}

#[test]
fn fees_are_summed_over_the_day_and_rounded_up_by_type() {
    let settings = Settings { fees: Some(schedule()), ..plain() };
    let mut desk = Desk::open(settings, at(MONDAY, 10, 0), 100_000);
    desk.quote_all();
    for _ in 0..3 {
        desk.place(&bull_put(1, "-1.10"));
        desk.settle_in();
        desk.quote_all();
    }
    let credit = desk.cash() - Money::from_dollars(100_000);
    assert_eq!(desk.exchange.account_view(desk.account).map(|v| v.accrued_fees), Some(Money::from_cents(33)));
    desk.until(at(MONDAY, 17, 0));
    // Six contracts: ORF 15 cents, OCC 15 cents; Section 31 on about 1,240 dollars sold: 2.6 cents, charged 3.
    assert_eq!(desk.cash(), Money::from_dollars(100_000) + credit - Money::from_cents(33));
    let filter = crate::ActivityFilter { kinds: vec![crate::ActivityType::Fee], ..Default::default() };
    assert!(
        desk.exchange.activities(desk.account, desk.now, &filter).is_empty(),
        "shown from the next day on"
    );
    desk.until(at(MONDAY.plus(1), 8, 0));
    assert_eq!(desk.exchange.activities(desk.account, desk.now, &filter).len(), 3);
    desk.check_books();
}
