//! Every refusal, with status, code and wording.

use super::*;
use crate::{Configuration, ContractTerms, PositionPart, Replacement, StockTerms, Uuid};
use market::Symbol;

const CALL: &str = "SPY260417C00570000";

fn expect(desk: &mut Desk, order: &NewOrder, status: u16, code: u32, message: &str) -> Refusal {
    let orders = desk.exchange.orders.len();
    let refusal = desk.submit(order).expect_err(message);
    assert_eq!((refusal.http_status, refusal.code, refusal.message.as_str()), (status, code, message));
    assert_eq!(desk.exchange.orders.len(), orders, "no order was created");
    refusal
}

fn forbidden(desk: &mut Desk, order: &NewOrder, message: &str) -> Refusal {
    expect(desk, order, 403, 40_310_000, message)
}
fn parameter(desk: &mut Desk, order: NewOrder, message: &str) {
    expect(desk, &order, 422, 40_010_001, message);
}
fn unprocessable(desk: &mut Desk, order: NewOrder, message: &str) {
    expect(desk, &order, 422, 42_210_000, message);
}

fn text(word: &str) -> Option<String> {
    Some(word.to_owned())
}

#[test]
fn basic_parameters() {
    let desk = &mut Desk::monday();
    let good = || limit("SPY", "buy", 1, "500");
    parameter(desk, NewOrder { qty: text("0"), ..good() }, "qty must be > 0");
    parameter(desk, NewOrder { qty: text("-3"), ..good() }, "qty must be > 0");
    parameter(desk, NewOrder { qty: text("NaN"), ..good() }, "qty must be > 0");
    parameter(desk, NewOrder { qty: None, ..good() }, "qty or notional is required");
    parameter(desk, NewOrder { limit_price: None, ..good() }, "limit orders require a limit price");
    parameter(desk, NewOrder { side: text("hold"), ..good() }, "invalid side");
    parameter(desk, NewOrder { time_in_force: text("ioc"), ..good() }, "invalid time_in_force");
    parameter(desk, NewOrder { kind: text("trailing_stop"), ..good() }, "invalid order type");
    parameter(desk, NewOrder { limit_price: text("-1"), ..good() }, "limit price must be > 0");
    let long = text(&"x".repeat(129));
    let message = "client_order_id must be no more than 128 characters";
    parameter(desk, NewOrder { client_order_id: long, ..good() }, message);
    let taken = NewOrder { client_order_id: text("one"), ..good() };
    desk.place(&taken);
    desk.until(at(MONDAY.plus(3), 10, 0));
    parameter(desk, taken, "client_order_id must be unique");
    let sub_penny =
        |p| format!("invalid limit_price {p}. sub-penny increment does not fulfill minimum pricing criteria");
    unprocessable(desk, limit("SPY", "buy", 1, "290.123"), &sub_penny("290.123"));
    unprocessable(desk, limit("SPY", "buy", 1, "0.12345"), &sub_penny("0.12345"));
    unprocessable(desk, limit("SPY", "buy", 1, "ten"), "invalid limit price");
    unprocessable(desk, limit("XYZ", "buy", 1, "10"), "asset \"XYZ\" not found");
    unprocessable(desk, limit("", "buy", 1, "10"), "invalid symbol");
    let closed = StockTerms { tradable: false, shortable: false };
    desk.exchange.list_stock(Symbol::literal("OLD"), closed);
    unprocessable(desk, limit("OLD", "buy", 1, "10"), "asset \"OLD\" is not tradable");
    assert!(desk.submit(&NewOrder { qty: text("1.0"), ..limit("SPY", "buy", 1, "500.10") }).is_ok());
}

#[test]
fn option_parameters() {
    let desk = &mut Desk::monday();
    let good = || limit(CALL, "buy", 1, "6.20");
    unprocessable(desk, NewOrder { qty: text("1.5"), ..good() }, "qty must be integer for options trading");
    let notional = NewOrder { notional: text("100"), qty: None, ..good() };
    unprocessable(desk, notional, "notional orders are not supported for options trading");
    let message = "order_time_in_force provided not supported for options trading";
    unprocessable(desk, NewOrder { time_in_force: text("ioc"), ..good() }, message);
    unprocessable(desk, NewOrder { time_in_force: text("x"), ..good() }, "invalid option time_in_force");
    unprocessable(desk, NewOrder { kind: text("stop"), ..good() }, "invalid order type for options trading");
    let message = "extended hours is not supported for options trading";
    unprocessable(desk, NewOrder { extended_hours: true, ..good() }, message);
    let message = "complex orders not supported for options trading";
    unprocessable(desk, NewOrder { order_class: text("bracket"), ..good() }, message);
    unprocessable(desk, NewOrder { qty: text("10001"), ..good() }, "options order qty must be <= 10000");
    let contract = |symbol: &str, what: &str| format!("contract \"{symbol}\" {what}");
    let unknown = "SPY260417C00999000";
    unprocessable(desk, limit(unknown, "buy", 1, "6.20"), &contract(unknown, "not found"));
    for (symbol, what) in [("SPY260313C00570000", "is expired"), ("AAPL1260417C00100000", "is not tradable")]
    {
        let parsed = symbol.parse().expect("an option");
        desk.exchange.list_contract(parsed, ContractTerms::of(&parsed));
        unprocessable(desk, limit(symbol, "buy", 1, "6.20"), &contract(symbol, what));
    }
    desk.until(at(MONDAY, 17, 0));
    let message = "options market orders are only allowed during market hours";
    unprocessable(desk, at_market(CALL, "buy", 1), message);
}

#[test]
fn packages() {
    let desk = &mut Desk::monday();
    let message = "mleg orders must have at least 2 legs and at most 4 legs";
    unprocessable(desk, package(1, "1", &[(CALL, 1, "buy_to_open")]), message);
    unprocessable(desk, package(1, "1", &[(CALL, 1, "buy_to_open"); 5]), message);
    let legs = [(SHORT_PUT, 2, "sell_to_open"), (LONG_PUT, 4, "buy_to_open")];
    let message = "leg ratio quantities must be in their simplest form";
    unprocessable(desk, package(1, "1", &legs), message);
    let twice = [(LONG_PUT, 1, "buy_to_open"); 2];
    unprocessable(desk, package(1, "1", &twice), "leg symbols must be distinct");
    let mut silent = bull_put(1, "-1");
    silent.legs[1].position_intent = None;
    unprocessable(desk, silent, "leg.1 position intent is required");
    desk.quote("QQQ260417P00500000", 100, 110, 10);
    let mixed = [(SHORT_PUT, 1, "sell_to_open"), ("QQQ260417P00500000", 1, "buy_to_open")];
    unprocessable(desk, package(1, "-1", &mixed), "underlying asset mismatch: SPY != QQQ");
    let unknown = [(SHORT_PUT, 1, "sell_to_open"), ("SPY260417P00111000", 1, "buy_to_open")];
    unprocessable(desk, package(1, "-1", &unknown), "asset not found for SPY260417P00111000");
    let shares = [(CALL, 1, "sell_to_open"), ("SPY", 100, "buy_to_open")];
    let message = "equity legs are allowed only with a corresponding amount of call contracts";
    unprocessable(desk, package(1, "1", &shares), message);
    unprocessable(
        desk,
        NewOrder { limit_price: None, ..bull_put(1, "") },
        "limit price is required for limit orders",
    );
    let market = NewOrder { kind: text("market"), ..bull_put(1, "-1") };
    unprocessable(desk, market, "limit price is only valid for limit orders");
    unprocessable(
        desk,
        NewOrder { time_in_force: text("fok"), ..bull_put(1, "-1") },
        "invalid time in force",
    );
    unprocessable(desk, bull_put(1, "abc"), "invalid limit price");
    for symbol in ["SPXW260417C05600000", "SPXW260424C05600000"] {
        desk.quote(symbol, 6_600, 6_700, 10);
    }
    let calendar = [("SPXW260417C05600000", 1, "sell_to_open"), ("SPXW260424C05600000", 1, "buy_to_open")];
    let message = "European-style option legs in a multi-leg order must have the same expiration date";
    unprocessable(desk, package(1, "5", &calendar), message);
    let naked = [(CALL, 1, "sell_to_open"), ("SPY260417C00590000", 1, "sell_to_open")];
    let message = "account not eligible to trade uncovered option contracts";
    forbidden(desk, &package(1, "-5", &naked), message);
    let roll_of_one = [(SHORT_PUT, 1, "sell_to_open"), (CALL, 1, "buy_to_open")];
    forbidden(desk, &package(1, "-5", &roll_of_one), message);
    desk.exchange.settings.mleg_enabled = false;
    forbidden(desk, &bull_put(1, "-1"), "submit mleg order is disabled");
}

#[test]
fn intents_and_holdings() {
    let desk = &mut Desk::monday();
    let selling = NewOrder { position_intent: text("sell_to_close"), ..limit(CALL, "sell", 1, "6") };
    let message = "position intent mismatch, inferred: sell_to_open, specified: sell_to_close";
    unprocessable(desk, selling, message);
    let message = "position intent mismatch, inferred: buy_to_open, specified: buy_to_close";
    unprocessable(desk, bull_put_close(1, "1"), message);
    desk.place(&bull_put(4, "-1.10"));
    desk.settle_in();
    desk.quote_all();
    let message = "position intent mismatch, inferred: buy_to_close, specified: buy_to_open";
    let against = [(SHORT_PUT, 1, "buy_to_open"), ("SPY260417P00550000", 1, "sell_to_open")];
    unprocessable(desk, package(1, "1", &against), message);
    desk.place(&bull_put_close(3, "0.10"));
    let refusal = forbidden(
        desk,
        &bull_put_close(2, "0.10"),
        "insufficient qty available for order (requested: 2, available: 1)",
    );
    let extra = |key| refusal.extra.iter().find(|(k, _)| *k == key).map(|(_, v)| v.as_str());
    assert_eq!((extra("existing_qty"), extra("held_for_orders")), (Some("4"), Some("3")));
    let message = "insufficient qty available for order (requested: 6, available: 1)";
    forbidden(desk, &limit(LONG_PUT, "sell", 6, "2.90"), message);
    desk.place(&at_market("SPY", "buy", 10));
    desk.settle_in();
    let message = "insufficient qty available for order (requested: 15, available: 10)";
    forbidden(desk, &limit("SPY", "sell", 15, "560"), message);
}

#[test]
fn margin_and_cover() {
    let desk = &mut Desk::monday();
    let message = "insufficient underlying qty available for covered call (required: 100, available: 0)";
    forbidden(desk, &limit(CALL, "sell", 1, "6.20"), message);
    // Without the long leg a call spread would leave its short uncovered.
    let legs = [("SPY260417C00585000", 1, "sell_to_open"), ("SPY260417C00590000", 1, "buy_to_open")];
    desk.place(&package(1, "-0.80", &legs));
    desk.settle_in();
    let message = "account not eligible to trade uncovered option contracts";
    forbidden(desk, &limit("SPY260417C00590000", "sell", 1, "1.20"), message);
    let power = desk.free();
    let message = format!(
        "insufficient options buying power for cash-secured put (required: 110670.00, available: {power})"
    );
    forbidden(desk, &limit(SHORT_PUT, "sell", 2, "4.15"), &message);
    let message = format!("insufficient options buying power (required: 315000.00, available: {power})");
    forbidden(desk, &limit("SPY260417P00550000", "buy", 1_000, "3.15"), &message);
    let view = desk.exchange.account_view(desk.account).expect("open");
    let refusal = forbidden(desk, &limit("SPY", "buy", 400, "560"), "insufficient buying power");
    assert_eq!(refusal.extra[0], ("buying_power", view.buying_power.to_string()));
    assert_eq!(refusal.extra[1], ("cost_basis", "224000.00".to_owned()));
    desk.place(&at_market("SPY", "buy", 150));
    desk.settle_in();
    desk.place(&limit(CALL, "sell", 1, "6.20"));
    let message = "insufficient underlying qty available for covered call (required: 100, available: 50)";
    forbidden(desk, &limit(CALL, "sell", 1, "6.25"), message);
    desk.settle_in();
    let message = "insufficient qty available for order (requested: 100, available: 50)";
    forbidden(desk, &limit("SPY", "sell", 100, "560"), message);
}

#[test]
fn what_may_never_fill_covers_nothing() {
    let desk = &mut Desk::monday();
    desk.place(&limit("SPY260417C00590000", "buy", 1, "0.05"));
    desk.place(&limit("SPY", "buy", 100, "300"));
    let message = "insufficient underlying qty available for covered call (required: 100, available: 0)";
    forbidden(desk, &limit(CALL, "sell", 1, "6.20"), message);
    desk.place(&limit("SPY260417P00550000", "buy", 2, "0.05"));
    let power = desk.free();
    let message = format!(
        "insufficient options buying power for cash-secured put (required: 111170.00, available: {power})"
    );
    forbidden(desk, &limit(SHORT_PUT, "sell", 2, "4.15"), &message);
    // Shares behind a covered call that is still on order cannot be sold either.
    desk.place(&at_market("SPY", "buy", 100));
    desk.settle_in();
    desk.place(&limit(CALL, "sell", 1, "9.00"));
    let message = "insufficient qty available for order (requested: 100, available: 0)";
    forbidden(desk, &limit("SPY", "sell", 100, "560"), message);
}

/// The cost bases of section 7.2, as the account sees them.
#[test]
fn cost_bases_of_the_reference() {
    let call = |strike: u32| format!("SPY260417C{strike:05}000");
    let put = |strike: u32| format!("SPY260417P{strike:05}000");
    let mut cases: Vec<(NewOrder, i64)> = vec![(bull_put(2, "-1.15"), 770)];
    let legs = [(call(585), "sell_to_open"), (call(590), "buy_to_open")];
    let order = |price: &str, legs: &[(String, &str)]| {
        let legs: Vec<_> = legs.iter().map(|(symbol, intent)| (symbol.as_str(), 1, *intent)).collect();
        package(1, price, &legs)
    };
    cases.push((order("-0.90", &legs), 410));
    let condor = [
        (put(545), "buy_to_open"),
        (put(550), "sell_to_open"),
        (call(585), "sell_to_open"),
        (call(590), "buy_to_open"),
    ];
    cases.push((order("-1.80", &condor), 320));
    cases.push((order("2.40", &[(call(565), "buy_to_open"), (call(570), "sell_to_open")]), 240));
    cases.push((order("14.20", &[(call(565), "buy_to_open"), (put(560), "buy_to_open")]), 1_420));
    cases.push((limit(SHORT_PUT, "sell", 1, "4.15"), 56_000 - 415));
    for (order, dollars) in cases {
        let mut desk = Desk::monday();
        let before = desk.free();
        desk.place(&order);
        assert_eq!(before - desk.free(), Money::from_dollars(dollars), "{order:?}");
    }
}

#[test]
fn levels_and_blocks() {
    let desk = &mut Desk::monday();
    let mut owner = Configuration::default();
    let buy = limit(CALL, "buy", 1, "6.20");
    for (level, order, message) in [
        (0, &buy, "account not authorized to trade options"),
        (1, &buy, "account not eligible to trade long option contracts"),
        (2, &bull_put(1, "-1"), "account not eligible to trade spreads or uncovered contracts"),
    ] {
        owner.max_options_trading_level = Some(level);
        desk.exchange.configure(desk.account, owner).expect("known");
        forbidden(desk, order, message);
    }
    let owner = Configuration { suspend_trade: true, ..Configuration::default() };
    desk.exchange.configure(desk.account, owner).expect("known");
    forbidden(desk, &buy, "new orders are rejected by user request");
    let owner = Configuration { trading_blocked: true, no_shorting: true, ..Configuration::default() };
    desk.exchange.configure(desk.account, owner).expect("known");
    forbidden(desk, &buy, "account is blocked from trading");
    let owner = Configuration { no_shorting: true, ..Configuration::default() };
    desk.exchange.configure(desk.account, owner).expect("known");
    forbidden(desk, &limit("SPY", "sell", 10, "570"), "account is not allowed to short");
}

#[test]
fn orders_against_each_other() {
    let desk = &mut Desk::monday();
    let resting = desk.place(&limit("SPY", "buy", 10, "560"));
    let message = "potential wash trade detected. use complex orders";
    let refusal = forbidden(desk, &limit("SPY", "sell", 10, "555"), message);
    assert_eq!(refusal.extra[1], ("existing_order_id", resting.id.to_string()));
    let message = "cannot open a short sell while a long buy order is open";
    forbidden(desk, &limit("SPY", "sell", 10, "570"), message);
    desk.exchange.cancel(desk.now, desk.account, resting.id, &mut desk.said).expect("open");
    desk.settle_in();
    desk.place(&limit("SPY", "sell", 10, "570"));
    let message = "cannot open a long buy while a short sell order is open";
    forbidden(desk, &limit("SPY", "buy", 10, "560"), message);
}

#[test]
fn the_cap_of_the_last_day() {
    let friday = Date::literal(2026, 4, 17);
    let mut settings = plain();
    settings.expiry.contracts_today_max = Some(5);
    let desk = &mut Desk::open(settings, at(friday, 10, 0), 100_000);
    desk.quote_all();
    desk.place(&bull_put(2, "-1.10"));
    desk.settle_in();
    let message =
        "exceeded account limit for contracts expiring today (requested: 2, held+open: 4, limit: 5)";
    forbidden(desk, &bull_put(1, "-1.10"), message);
}

#[test]
fn finished_and_unknown_orders() {
    let desk = &mut Desk::monday();
    let filled = desk.place(&bull_put(1, "-1.10"));
    let simple = desk.place(&limit(CALL, "buy", 1, "6.40"));
    desk.settle_in();
    let cancel = |desk: &mut Desk, id| desk.exchange.cancel(desk.now, desk.account, id, &mut desk.said);
    let refusal = cancel(desk, filled.id).expect_err("filled");
    assert_eq!(
        (refusal.http_status, refusal.message.as_str()),
        (422, "leg order is already in filled state")
    );
    let refusal = cancel(desk, simple.id).expect_err("filled");
    assert_eq!(refusal.message, "order is already in \"filled\" state");
    let refusal = cancel(desk, Uuid::NIL).expect_err("unknown");
    assert_eq!((refusal.http_status, refusal.code), (404, 40_410_000));
    assert!(refusal.message.starts_with("order not found for 0000"));

    let replace = |desk: &mut Desk, id, price: &str| {
        let asked = Replacement { limit_price: text(price), ..Replacement::default() };
        desk.exchange.replace(desk.now, desk.account, id, &asked, &mut desk.said)
    };
    let refusal = replace(desk, filled.id, "-1").expect_err("filled");
    assert_eq!(refusal.message, "cannot replace order in filled status");
    let waiting = desk.place(&limit("SPY", "buy", 1, "500"));
    let refusal = replace(desk, waiting.id, "501").expect_err("pending");
    assert_eq!(refusal.message, "cannot replace order in pending_new status");
    desk.settle_in();
    assert_eq!(
        replace(desk, waiting.id, "500").expect_err("same").message,
        "order parameters are not changed"
    );
    replace(desk, waiting.id, "501").expect("working");
    assert_eq!(
        replace(desk, waiting.id, "502").expect_err("twice").message,
        "order chain not fully replaced"
    );
    desk.settle_in();
    assert_eq!(replace(desk, waiting.id, "502").expect_err("gone").message, "order already replaced");
}

#[test]
fn positions_and_exercise() {
    let desk = &mut Desk::monday();
    let spy = Instrument::parse("SPY").expect("a ticker");
    let (now, account) = (desk.now, desk.account);
    let closing = desk.exchange.close_position(now, account, spy, PositionPart::All, &mut desk.said);
    let refusal = closing.expect_err("flat");
    assert_eq!((refusal.http_status, refusal.message.as_str()), (404, "position does not exist"));
    desk.place(&bull_put(1, "-1.10"));
    desk.place(&limit(CALL, "buy", 1, "6.40"));
    desk.settle_in();
    let exercise = |desk: &mut Desk, symbol: &str| {
        let contract = symbol.parse().expect("an option");
        desk.exchange.exercise(desk.now, desk.account, contract, &mut desk.said).expect_err(symbol)
    };
    let refusal = exercise(desk, "SPY260417C00590000");
    assert_eq!(
        (refusal.http_status, refusal.message.as_str()),
        (404, "long position not found: SPY260417C00590000")
    );
    let refusal = exercise(desk, SHORT_PUT);
    assert_eq!((refusal.code, refusal.message.as_str()), (40_310_001, "cannot exercise short position"));
    assert!(exercise(desk, CALL).message.contains("out-of-the-money"));
    let contract = CALL.parse().expect("an option");
    let dne =
        desk.exchange.do_not_exercise(desk.now, account, contract, &mut desk.said).expect_err("not today");
    assert_eq!(dne.message, "dne requests are only accepted on the expiration day of the option contract");
    desk.quote("SPY", 54_000, 54_010, 100);
    let message = "insufficient underlying qty available for deliverable (required: 100, available: 0)";
    assert_eq!(exercise(desk, LONG_PUT).message, message);
    desk.quote("SPY", 58_000, 58_010, 100);
    desk.place(&limit(CALL, "sell", 1, "90.00"));
    assert_eq!(exercise(desk, CALL).message, "no available position for the specified contract");
    desk.until(at(MONDAY, 17, 0));
    let message = "exercise requests are not accepted after market close until midnight";
    assert_eq!(exercise(desk, CALL).message, message);
}
