//! Cancel, replace, close, exercise, hours, faults, and the house's own words.

use super::*;
use crate::{Faults, OrderFilter, OrderScope, OrderStatus, PositionPart, Replacement};
use OrderEventKind::*;

fn to_limit(price: &str) -> Replacement {
    Replacement { limit_price: Some(price.into()), ..Replacement::default() }
}

impl Desk {
    fn replace(&mut self, order: &Order, asked: &Replacement) -> Result<Order, Refusal> {
        self.exchange.replace(self.now, self.account, order.id, asked, &mut self.said)
    }
    fn cancel(&mut self, order: &Order) -> Result<(), Refusal> {
        self.exchange.cancel(self.now, self.account, order.id, &mut self.said)
    }
}

#[test]
fn a_walk_of_replacements_keeps_its_chain_and_fills_once() {
    let mut desk = Desk::monday();
    let free = desk.free();
    let first = desk.place(&bull_put(2, "-1.25"));
    desk.settle_in();
    assert_eq!(
        free - desk.free(),
        Money::from_dollars(750),
        "1,000 of margin less 250 of credit is reserved"
    );
    let second = desk.replace(&first, &to_limit("-1.20")).expect("taken");
    assert_eq!((second.replaces, second.qty), (Some(first.id), 2));
    assert_eq!(free - desk.free(), Money::from_dollars(760), "the larger of the two");
    assert!(desk.replace(&first, &to_limit("-1.19")).is_err());
    desk.settle_in();
    assert_eq!(desk.seen(&first).replaced_by, Some(second.id));
    assert_eq!(desk.told(&first), [PendingNew, New, PendingReplace, Replaced]);
    let third = desk.replace(&second, &to_limit("-1.15")).expect("taken");
    desk.settle_in();
    assert_eq!(desk.seen(&third).filled_avg_price(), Some(Money::from_cents(-115)));
    assert_eq!(desk.told(&third), [New, Fill]);
    assert_eq!((desk.held(SHORT_PUT), desk.held(LONG_PUT)), (-2, 2));
    assert_eq!(free - desk.free(), Money::from_dollars(770), "margin of the position, credit received");
    desk.check_books();
}

#[test]
fn replacing_a_partly_filled_order_trades_only_the_rest() {
    let mut desk = Desk::monday();
    let order = desk.place(&bull_put(15, "-1.10"));
    desk.settle_in();
    assert_eq!(desk.seen(&order).filled_qty, 10);
    let refused = Replacement { qty: Some("10".into()), ..Replacement::default() };
    assert_eq!(desk.replace(&order, &refused).expect_err("too small").message, "qty must be > filled_qty");
    let new = desk.replace(&order, &to_limit("-1.05")).expect("taken");
    desk.settle_in();
    desk.quote(SHORT_PUT, 410, 420, 10);
    desk.quote(LONG_PUT, 290, 300, 10);
    let seen = desk.seen(&new);
    assert_eq!((seen.qty, seen.filled_qty, seen.status), (5, 5, OrderStatus::Filled));
    assert_eq!(desk.held(SHORT_PUT), -15);
}

#[test]
fn a_fill_can_win_against_cancel_and_replace() {
    let mut desk = Desk::monday();
    let order = desk.place(&bull_put(1, "-1.40"));
    desk.settle_in();
    desk.cancel(&order).expect("asked");
    assert!(desk.cancel(&order).is_err(), "asked twice");
    desk.quote(SHORT_PUT, 450, 460, 10);
    desk.settle_in();
    assert_eq!(desk.told(&order), [PendingNew, New, PendingCancel, Fill, CancelRejected]);
    desk.quote(SHORT_PUT, 410, 420, 10);
    let order = desk.place(&bull_put(1, "-1.40"));
    desk.settle_in();
    let new = desk.replace(&order, &to_limit("-1.39")).expect("asked");
    desk.quote(SHORT_PUT, 450, 460, 10);
    desk.settle_in();
    assert_eq!(desk.told(&order), [PendingNew, New, PendingReplace, Fill, ReplaceRejected]);
    assert_eq!((desk.told(&new), desk.seen(&new).status), (vec![Rejected], OrderStatus::Rejected));
    assert_eq!(desk.held(SHORT_PUT), -2);
}

#[test]
fn canceling_a_replacement_on_its_way_leaves_the_old_order_working() {
    let mut desk = Desk::monday();
    let order = desk.place(&bull_put(1, "-1.40"));
    desk.settle_in();
    let free = desk.free();
    let new = desk.replace(&order, &to_limit("-1.30")).expect("asked");
    desk.cancel(&new).expect("asked");
    desk.settle_in();
    desk.settle_in();
    let states = (desk.seen(&order).status, desk.seen(&new).status);
    assert!(
        states == (OrderStatus::New, OrderStatus::Canceled)
            || states == (OrderStatus::Replaced, OrderStatus::Canceled),
        "{states:?}"
    );
    assert!(desk.free() >= free);
}

#[test]
fn canceling_frees_what_was_reserved() {
    let mut desk = Desk::monday();
    let free = desk.free();
    let order = desk.place(&bull_put(4, "-1.40"));
    desk.place(&limit("SPY", "buy", 10, "500"));
    desk.settle_in();
    assert!(desk.free() < free);
    let answers = desk.exchange.cancel_all(desk.now, desk.account, &mut desk.said);
    assert!(answers.len() == 2 && answers.iter().all(|(_, answer)| answer.is_ok()));
    desk.settle_in();
    assert_eq!(desk.free(), free);
    assert_eq!(desk.told(&order), [PendingNew, New, PendingCancel, Canceled]);
    let closed = OrderFilter { scope: OrderScope::Closed, ..OrderFilter::default() };
    assert_eq!(desk.exchange.orders(desk.account, &closed).len(), 2);
    assert!(desk.exchange.orders(desk.account, &OrderFilter::default()).is_empty());
}

#[test]
fn outside_hours_orders_queue_and_day_orders_expire() {
    let mut desk = Desk::monday();
    desk.until(at(MONDAY, 18, 0));
    let order = desk.place(&bull_put(1, "-1.10"));
    assert_eq!(order.status, OrderStatus::Accepted);
    let tuesday = MONDAY.plus(1);
    assert_eq!(order.expires_at, at(tuesday, 16, 15));
    desk.until(at(tuesday, 9, 30));
    desk.quote_all();
    desk.settle_in();
    assert_eq!(desk.told(&order), [Accepted, PendingNew, New, Fill]);
    let unfilled = desk.place(&bull_put(1, "-4.00"));
    let gtc = NewOrder { time_in_force: Some("gtc".into()), ..limit("SPY", "buy", 1, "400") };
    let gtc = desk.place(&gtc);
    desk.until(at(tuesday, 16, 14));
    assert_eq!(desk.seen(&unfilled).status, OrderStatus::New, "SPY options trade until 16:15");
    desk.until(at(tuesday, 16, 15));
    assert_eq!(desk.told(&unfilled), [PendingNew, New, Expired]);
    assert_eq!(desk.seen(&gtc).status, OrderStatus::New);
    desk.until(at(tuesday.plus(91), 9, 0));
    assert_eq!(desk.seen(&gtc).status, OrderStatus::Canceled);
    desk.check_books();
}

#[test]
fn positions_close_shorts_first() {
    let mut desk = Desk::monday();
    desk.place(&bull_put(2, "-1.10"));
    desk.place(&at_market("SPY", "buy", 100));
    desk.settle_in();
    let put = Instrument::parse(LONG_PUT).expect("an option");
    let (now, account) = (desk.now, desk.account);
    let first = desk.exchange.close_all_positions(now, account, true, &mut desk.said);
    assert_eq!(first[0].0, Instrument::parse(SHORT_PUT).expect("an option"));
    assert!(first[0].1.is_ok());
    desk.settle_in();
    desk.quote_all();
    assert_eq!(desk.held(SHORT_PUT), 0);
    if desk.held(LONG_PUT) != 0 {
        let closed = desk.exchange.close_position(
            desk.now,
            account,
            put,
            PositionPart::BasisPoints(10_000),
            &mut desk.said,
        );
        closed.expect("nothing is short any more");
    }
    desk.settle_in();
    desk.quote_all();
    assert!(desk.exchange.positions(account).is_empty());
    desk.check_books();
}

#[test]
fn exercise_on_request_moves_shares_at_the_strike() {
    let mut desk = Desk::monday();
    let call = "SPY260417C00565000";
    desk.place(&limit(call, "buy", 1, "8.70"));
    desk.settle_in();
    let contract = call.parse().expect("an option");
    let paid = Money::from_dollars(100_000) - desk.cash();
    desk.exchange.exercise(desk.now, desk.account, contract, &mut desk.said).expect("in the money");
    assert_eq!((desk.held(call), desk.held("SPY")), (0, 100));
    assert_eq!(desk.cash(), Money::from_dollars(100_000 - 56_500) - paid);
    desk.check_books();
}

#[test]
fn faults_lie_about_orders_but_never_about_books() {
    let certain = 1_000_000;
    let faults = Faults { timeout_after_accept_ppm: certain, duplicate_event_ppm: certain, ..Faults::NONE };
    let mut desk = Desk::open(Settings { faults, ..plain() }, at(MONDAY, 10, 0), 100_000);
    desk.quote_all();
    let order = NewOrder { client_order_id: Some("mine".into()), ..bull_put(1, "-1.10") };
    assert_eq!(desk.submit(&order).expect_err("told so").http_status, 504);
    desk.settle_in();
    let found = desk.exchange.order_by_client_id(desk.account, "mine").expect("it exists").clone();
    assert_eq!(desk.told(&found), [PendingNew, PendingNew, New, New, Fill, Fill]);
    assert_eq!(desk.held(SHORT_PUT), -1);

    let faults = Faults {
        reject_after_accept_ppm: certain,
        late_event_ppm: certain,
        late_by_ns: 50 * MS,
        ..Faults::NONE
    };
    let mut desk = Desk::open(Settings { faults, ..plain() }, at(MONDAY, 10, 0), 100_000);
    desk.quote_all();
    let order = desk.place(&bull_put(1, "-1.10"));
    desk.settle_in();
    assert_eq!((desk.told(&order).len(), desk.seen(&order).status), (0, OrderStatus::Rejected));
    desk.pass(100 * MS);
    assert_eq!(desk.told(&order), [PendingNew, Rejected]);
    assert_eq!(desk.free(), Money::from_dollars(100_000));
}

#[test]
fn the_house_speaks_in_tickets_and_hears_reports() {
    use market::order::{Effect, Leg, Outcome, Pricing, Request, Side, Ticket};
    let mut desk = Desk::monday();
    let leg = |symbol: &str, side| Leg {
        instrument: Instrument::parse(symbol).expect("an option"),
        side,
        effect: Effect::Open,
        ratio: 1,
    };
    let ticket = Ticket {
        id: market::OrderId::literal("t-1"),
        underlying: market::Symbol::literal("SPY"),
        legs: [leg(SHORT_PUT, Side::Sell), leg(LONG_PUT, Side::Buy)].into_iter().collect(),
        units: 2,
        pricing: Pricing::Limit(Price::from_cents(-125)),
    };
    let (account, id) = (desk.account, ticket.id);
    let new_id = market::OrderId::literal("t-2");
    let submit = Request::Submit(ticket);
    assert_eq!(desk.exchange.request(desk.now, account, &submit, &mut desk.said), None);
    desk.settle_in();
    let replace = Request::Replace { id, new_id, limit: Price::from_cents(-110) };
    assert_eq!(desk.exchange.request(desk.now, account, &replace, &mut desk.said), None);
    desk.settle_in();
    let reports: Vec<_> = desk.order_events().filter_map(|event| desk.exchange.report(event)).collect();
    assert!(reports.iter().any(|r| r.id == id && r.outcome == Outcome::Replaced { by: new_id }));
    let filled = reports.iter().find_map(|r| match &r.outcome {
        Outcome::Filled(execution) => Some((r.id, execution.clone())),
        _ => None,
    });
    let (filled_id, execution) = filled.expect("filled");
    assert_eq!((filled_id, execution.units, execution.legs.len()), (new_id, 2, 2));
    let again = desk.exchange.request(desk.now, account, &Request::LookUp { id: new_id }, &mut desk.said);
    assert_eq!(again.map(|r| r.outcome), Some(Outcome::Filled(execution)));
    let unknown = Request::Cancel { id: market::OrderId::literal("t-9") };
    let answer = desk.exchange.request(desk.now, account, &unknown, &mut desk.said);
    assert!(matches!(answer.map(|r| r.outcome), Some(Outcome::CancelRejected { .. })));
}
