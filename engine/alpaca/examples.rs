//! Every documented example of the broker's reference, decoded, and the ways between its orders and ours.

use crate::account::{
    AccountBody, ActivityBody, Asset, CalendarDay, ClockBody, ContractPage, ErrorBody, PortfolioHistory,
    PositionBody,
};
use crate::data::{BarPage, SnapshotPage};
use crate::orders::{NewOrder, Order, ReplaceOrder};
use crate::trading::{TradingAction, TradingMessage};
use crate::words::{Intent, OrderClass, OrderKind, OrderStatus, SideWord};
use crate::{Decimal, Keys};
use arrayvec::ArrayVec;
use market::order::{Activity, Effect, Leg, Outcome, Pricing, Side, Ticket};
use market::{Contract, Date, Instrument, Money, OrderId, Price, Symbol, Timestamp};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn option(text: &str) -> Instrument {
    Instrument::parse(text).expect("a symbol")
}

fn leg(symbol: &str, side: Side, effect: Effect) -> Leg {
    Leg { instrument: option(symbol), side, effect, ratio: 1 }
}

fn ticket(id: &str, legs: &[Leg], units: u32, limit_cents: i64) -> Ticket {
    Ticket {
        id: id.parse().expect("short"),
        underlying: Symbol::literal("SPY"),
        legs: legs.iter().copied().collect(),
        units,
        pricing: Pricing::Limit(Price::from_cents(limit_cents)),
    }
}

/// Same JSON, whatever the order of keys.
fn same(left: &impl serde::Serialize, right: &str) {
    assert_eq!(serde_json::to_value(left).expect("writes"), read::<Value>(right));
}

const BULL_PUT: &str = r#"{"order_class":"mleg","qty":"2","type":"limit","limit_price":"-1.15","time_in_force":"day","client_order_id":"eng-000018",
 "legs":[{"symbol":"SPY260417P00560000","ratio_qty":"1","side":"sell","position_intent":"sell_to_open"},
         {"symbol":"SPY260417P00555000","ratio_qty":"1","side":"buy","position_intent":"buy_to_open"}]}"#;
const CONDOR: &str = r#"{"order_class":"mleg","qty":"1","type":"limit","limit_price":"-1.8","time_in_force":"day","client_order_id":"eng-000019",
 "legs":[{"symbol":"SPY260417P00545000","ratio_qty":"1","side":"buy","position_intent":"buy_to_open"},
         {"symbol":"SPY260417P00550000","ratio_qty":"1","side":"sell","position_intent":"sell_to_open"},
         {"symbol":"SPY260417C00585000","ratio_qty":"1","side":"sell","position_intent":"sell_to_open"},
         {"symbol":"SPY260417C00590000","ratio_qty":"1","side":"buy","position_intent":"buy_to_open"}]}"#;
const CLOSE: &str = r#"{"order_class":"mleg","qty":"2","type":"limit","limit_price":"0.4","time_in_force":"day","client_order_id":"eng-000020",
 "legs":[{"symbol":"SPY260417P00560000","ratio_qty":"1","side":"buy","position_intent":"buy_to_close"},
         {"symbol":"SPY260417P00555000","ratio_qty":"1","side":"sell","position_intent":"sell_to_close"}]}"#;
const LONG_CALL: &str = r#"{"symbol":"SPY260417C00570000","qty":"1","side":"buy","type":"limit","limit_price":"6.35","time_in_force":"day","client_order_id":"eng-000021","position_intent":"buy_to_open"}"#;
const SHARES: &str = r#"{"symbol":"SPY","qty":"10","side":"buy","type":"limit","limit_price":"566.4","time_in_force":"day","client_order_id":"eng-000017"}"#;

#[test]
fn tickets_go_out_as_documented() {
    use Effect::{Close, Open};
    use Side::{Buy, Sell};
    let bull = ticket(
        "eng-000018",
        &[leg("SPY260417P00560000", Sell, Open), leg("SPY260417P00555000", Buy, Open)],
        2,
        -115,
    );
    same(&NewOrder::from_ticket(&bull), BULL_PUT);
    let condor = ticket(
        "eng-000019",
        &[
            leg("SPY260417P00545000", Buy, Open),
            leg("SPY260417P00550000", Sell, Open),
            leg("SPY260417C00585000", Sell, Open),
            leg("SPY260417C00590000", Buy, Open),
        ],
        1,
        -180,
    );
    same(&NewOrder::from_ticket(&condor), CONDOR);
    let close = ticket(
        "eng-000020",
        &[leg("SPY260417P00560000", Buy, Close), leg("SPY260417P00555000", Sell, Close)],
        2,
        40,
    );
    same(&NewOrder::from_ticket(&close), CLOSE);
    same(
        &NewOrder::from_ticket(&ticket("eng-000021", &[leg("SPY260417C00570000", Buy, Open)], 1, 635)),
        LONG_CALL,
    );
    same(&NewOrder::from_ticket(&ticket("eng-000017", &[leg("SPY", Buy, Open)], 10, 56_640)), SHARES);
}

#[test]
fn a_single_sale_is_unsigned_on_the_wire() {
    let sale = ticket("eng-1", &[leg("SPY260417P00560000", Side::Sell, Effect::Close)], 3, -415);
    let body = NewOrder::from_ticket(&sale);
    assert_eq!(body.limit_price, Some(Price::from_cents(415).into()));
    assert_eq!((body.side, body.position_intent), (SideWord::Sell, Intent::SellToClose));
    assert_eq!(body.to_ticket(sale.id, |_, _| Effect::Open), Ok(sale.clone()));
    let replace =
        ReplaceOrder::with_limit("eng-2".parse().expect("short"), Price::from_cents(-410), Some(Side::Sell));
    same(&replace, r#"{"limit_price":"4.1","client_order_id":"eng-2"}"#);
    let package = ReplaceOrder::with_limit("eng-2".parse().expect("short"), Price::from_cents(-110), None);
    same(&package, r#"{"limit_price":"-1.1","client_order_id":"eng-2"}"#);
}

#[test]
fn bodies_of_the_official_sdk_are_understood() {
    let text = r#"{"qty":1.0,"type":"limit","time_in_force":"day","order_class":"mleg","client_order_id":"x",
        "legs":[{"symbol":"SPY260417P00560000","ratio_qty":1.0,"side":"sell","position_intent":"sell_to_open"},
                {"symbol":"SPY260417P00555000","ratio_qty":1.0,"side":"buy","position_intent":"buy_to_open"}],"limit_price":-0.55}"#;
    let body: NewOrder = read(text);
    let ticket = body.to_ticket(OrderId::literal("x"), |_, _| Effect::Open).expect("an order");
    assert_eq!((ticket.units, ticket.pricing), (1, Pricing::Limit(Price::from_cents(-55))));
    // Plain shares without an intent: the server infers it.
    let sale: NewOrder =
        read(r#"{"symbol":"SPY","qty":5,"side":"sell","type":"market","time_in_force":"day"}"#);
    let ticket =
        sale.to_ticket(
            OrderId::literal("y"),
            |_, side| {
                if side == Side::Sell { Effect::Close } else { Effect::Open }
            },
        );
    let ticket = ticket.expect("an order");
    assert_eq!((ticket.legs[0].effect, ticket.pricing), (Effect::Close, Pricing::Market));
    for bad in [
        r#"{"symbol":"SPY","side":"buy","type":"market"}"#,
        r#"{"symbol":"SPY","qty":0,"side":"buy","type":"market"}"#,
        r#"{"symbol":"SPY","qty":1.5,"side":"buy","type":"market"}"#,
        r#"{"symbol":"SPY","qty":1,"type":"market"}"#,
        r#"{"qty":1,"side":"buy","type":"market"}"#,
        r#"{"symbol":"SPY","qty":1,"side":"buy","type":"limit"}"#,
        r#"{"symbol":"SPY","qty":1,"side":"buy","type":"trailing_stop"}"#,
        r#"{"symbol":"SPY","qty":1,"side":"buy","type":"market","position_intent":"sell_to_open"}"#,
        r#"{"qty":1,"type":"market","order_class":"mleg","legs":[{"symbol":"SPY","ratio_qty":1,"side":"buy"}]}"#,
    ] {
        let body: NewOrder = read(bad);
        assert!(body.to_ticket(OrderId::literal("z"), |_, _| Effect::Open).is_err(), "{bad}");
    }
}

const EQUITY_FILL: &str = r#"{"stream":"trade_updates","data":{
  "event":"fill","at":"2026-03-16T14:30:05.101Z","event_id":"01KKV4Q9S7E3V6J8W1R2T3Y4ZA",
  "execution_id":"62215250-5603-45d6-a2b5-f855b95ec0e6","timestamp":"2026-03-16T14:30:05.098765432Z",
  "price":"566.33","qty":"10","position_qty":"10",
  "order":{"id":"bbc6c4d4-bf98-4b39-bc5b-26d6a9871b25","client_order_id":"eng-000017","created_at":"2026-03-16T14:30:05Z","status":"filled","symbol":"SPY","asset_class":"us_equity",
           "qty":"10","filled_qty":"10","filled_avg_price":"566.33","order_class":"","type":"limit","order_type":"limit","side":"buy",
           "time_in_force":"day","limit_price":"566.40","legs":null}}}"#;

const PACKAGE_FILL: &str = r#"{"stream":"trade_updates","data":{
  "event":"fill","at":"2026-03-16T14:31:02.618Z","event_id":"01KKV4S2M1C9D4N7F0B5G6H8JK","timestamp":"2026-03-16T14:31:02.613204881Z",
  "price":"-1.2","qty":"2",
  "order":{"id":"998cc373-c77c-4430-98a6-39952c0913e2","client_order_id":"eng-000018","created_at":"2026-03-16T14:31:02Z","status":"filled","order_class":"mleg",
    "symbol":"","asset_class":"","asset_id":"00000000-0000-0000-0000-000000000000","side":"buy","position_intent":"",
    "qty":"2","filled_qty":"2","filled_avg_price":"-1.2","type":"limit","order_type":"limit","limit_price":"-1.15","time_in_force":"day",
    "legs":[
      {"id":"035b1db8-33bb-4940-8a24-ff615f1770e9","client_order_id":"a","created_at":"2026-03-16T14:31:02Z","order_class":"mleg","symbol":"SPY260417P00560000","asset_class":"us_option","side":"sell",
       "position_intent":"sell_to_open","ratio_qty":"1","qty":"2","filled_qty":"2","filled_avg_price":"4.15","status":"filled","type":"","order_type":"","limit_price":null,"legs":null},
      {"id":"1319c098-94d2-43f0-803f-388c4d1a29a8","client_order_id":"b","created_at":"2026-03-16T14:31:02Z","order_class":"mleg","symbol":"SPY260417P00555000","asset_class":"us_option","side":"buy",
       "position_intent":"buy_to_open","ratio_qty":"1","qty":"2","filled_qty":"2","filled_avg_price":"2.95","status":"filled","type":"","order_type":"","limit_price":null,"legs":null}]},
  "position_qtys":{"SPY260417P00560000":"-2","SPY260417P00555000":"2"},
  "legs":[
    {"execution_id":"ea9eeb15-c44e-4732-9229-5851f4189781","order_id":"035b1db8-33bb-4940-8a24-ff615f1770e9","symbol":"SPY260417P00560000","qty":"2","price":"4.15","timestamp":"2026-03-16T14:31:02.613198014Z"},
    {"execution_id":"540e3b8e-9e9c-4133-8c87-50358f7abeb1","order_id":"1319c098-94d2-43f0-803f-388c4d1a29a8","symbol":"SPY260417P00555000","qty":"2","price":"2.95","timestamp":"2026-03-16T14:31:02.613204881Z"}]}}"#;

fn update(text: &str) -> crate::orders::TradeUpdate {
    let Ok(TradingMessage::Update(update)) = TradingMessage::decode(text.as_bytes()) else {
        panic!("{text}")
    };
    *update
}

#[test]
fn fills_in_our_words() {
    let equity = update(EQUITY_FILL);
    let report = equity.report(None).expect("readable").expect("a report");
    let Outcome::Filled(execution) = report.outcome else { panic!("a fill") };
    assert_eq!((execution.units, execution.units_so_far, execution.legs.len()), (10, 10, 1));
    assert_eq!((execution.legs[0].quantity, execution.legs[0].price), (10, Price::from_cents(56_633)));
    assert_eq!(report.at, Timestamp::parse_rfc3339(b"2026-03-16T14:30:05.098765432Z").expect("a time"));

    let package = update(PACKAGE_FILL);
    let report = package.report(None).expect("readable").expect("a report");
    assert_eq!(report.id.as_str(), "eng-000018");
    let Outcome::Filled(first) = report.outcome else { panic!("a fill") };
    let figures: Vec<_> = first.legs.iter().map(|l| (l.quantity, l.price)).collect();
    assert_eq!(figures, [(-2, Price::from_cents(415)), (2, Price::from_cents(295))]);
    // Delivered twice, it is the same execution.
    let Some(Outcome::Filled(again)) = package.report(None).expect("readable").map(|r| r.outcome) else {
        panic!()
    };
    assert_eq!(first.id, again.id);
}

#[test]
fn every_event_has_a_meaning_or_none() {
    let told = |event: &str| {
        let text = EQUITY_FILL.replace(r#""event":"fill""#, &format!(r#""event":"{event}""#));
        update(&text).report(Some(OrderId::literal("next"))).expect("readable").map(|r| r.outcome)
    };
    assert_eq!(told("accepted"), Some(Outcome::Accepted));
    assert_eq!(told("pending_new"), Some(Outcome::Accepted));
    assert_eq!(told("new"), Some(Outcome::Working));
    assert!(matches!(told("partial_fill"), Some(Outcome::Filled(_))));
    assert_eq!(told("canceled"), Some(Outcome::Canceled));
    assert_eq!(told("expired"), Some(Outcome::Expired));
    assert_eq!(told("replaced"), Some(Outcome::Replaced { by: OrderId::literal("next") }));
    assert!(matches!(told("rejected"), Some(Outcome::Rejected { .. })));
    assert!(matches!(told("order_replace_rejected"), Some(Outcome::ReplaceRejected { .. })));
    assert!(matches!(told("order_cancel_rejected"), Some(Outcome::CancelRejected { .. })));
    for silent in ["pending_cancel", "pending_replace", "held", "restated", "trade_bust", "a_new_word"] {
        assert_eq!(told(silent), None, "{silent}");
    }
}

#[test]
fn updates_that_cannot_be_told_are_errors_not_panics() {
    for (from, to) in [
        (r#""qty":"2","price":"4.15""#, r#""qty":"2.5","price":"4.15""#),
        (r#""symbol":"SPY260417P00560000","qty":"2","price""#, r#""symbol":"","qty":"2","price""#),
        (r#""price":"-1.2","qty":"2","#, ""),
    ] {
        let text = PACKAGE_FILL.replace(from, to);
        assert_ne!(text, PACKAGE_FILL, "{from}");
        assert!(update(&text).report(None).is_err(), "{from}");
    }
}

#[test]
fn the_trading_stream_speaks_both_spellings() {
    let keys = Keys::new("id", "hidden");
    let sdk = TradingAction::Authenticate(keys.clone());
    assert_eq!(TradingAction::decode(sdk.encode().as_bytes()), Ok(sdk.clone()));
    assert_eq!(TradingAction::decode(br#"{"action":"auth","key":"id","secret":"hidden"}"#), Ok(sdk));
    let listen = r#"{"action":"listen","data":{"streams":["trade_updates"]}}"#;
    assert_eq!(
        TradingAction::decode(listen.as_bytes()),
        Ok(TradingAction::Listen(vec!["trade_updates".into()]))
    );
    let said = |text: &str| TradingMessage::decode(text.as_bytes()).expect(text);
    let authorized =
        said(r#"{"stream":"authorization","data":{"status":"authorized","action":"authenticate"}}"#);
    assert_eq!(authorized, TradingMessage::Authorization { authorized: true, action: "authenticate".into() });
    assert_eq!(
        said(r#"{"stream":"listening","data":{"streams":["trade_updates"]}}"#),
        TradingMessage::Listening(vec!["trade_updates".into()])
    );
    assert_eq!(
        said(r#"{"action":"error","data":{"error_message":"internal server error"}}"#),
        TradingMessage::Fault("internal server error".into())
    );
    for message in [
        authorized,
        TradingMessage::Listening(vec![]),
        TradingMessage::Fault("x".into()),
        TradingMessage::Update(Box::new(update(PACKAGE_FILL))),
    ] {
        assert_eq!(TradingMessage::decode(message.encode().as_bytes()), Ok(message));
    }
    for bad in ["", "[]", "{}", "<html>", r#"{"stream":"trade_updates","data":{"event":"fill"}}"#] {
        assert!(TradingMessage::decode(bad.as_bytes()).is_err(), "{bad}");
    }
}

const ORDER: &str = r#"{"id":"998cc373-c77c-4430-98a6-39952c0913e2","client_order_id":"eng-000018",
 "created_at":"2026-03-16T14:31:02.61Z","updated_at":"2026-03-16T14:31:02.62Z","submitted_at":"2026-03-16T14:31:02.615Z",
 "filled_at":null,"expired_at":null,"expires_at":"2026-03-16T20:00:00Z","canceled_at":null,"failed_at":null,
 "replaced_at":null,"replaced_by":null,"replaces":null,
 "asset_id":"","symbol":"","asset_class":"","notional":null,"qty":"2","filled_qty":"0","filled_avg_price":null,
 "order_class":"mleg","order_type":"limit","type":"limit","side":"","time_in_force":"day","limit_price":"-1.15","stop_price":null,
 "status":"pending_new","extended_hours":false,"trail_percent":null,"trail_price":null,"hwm":null,"position_intent":"","ratio_qty":null,
 "subtag":null,"source":null,
 "legs":[{"id":"035b1db8","client_order_id":"53cbae38","symbol":"SPY260417P00560000","asset_class":"us_option","asset_id":"e33dedff",
          "qty":"2","ratio_qty":"1","filled_qty":"0","filled_avg_price":null,"order_class":"mleg","order_type":"","type":"","side":"sell",
          "position_intent":"sell_to_open","time_in_force":"day","limit_price":null,"stop_price":null,"status":"pending_new","extended_hours":false,
          "legs":null,"created_at":"2026-03-16T14:31:02.61Z","updated_at":"2026-03-16T14:31:02.61Z","submitted_at":"2026-03-16T14:31:02.61Z"},
         {"id":"1319c098","client_order_id":"63cbae38","symbol":"SPY260417P00555000","asset_class":"us_option","side":"buy",
          "position_intent":"buy_to_open","ratio_qty":"1","status":"pending_new","created_at":"2026-03-16T14:31:02.61Z"}]}"#;

#[test]
fn the_order_object_both_ways() {
    let order: Order = read(ORDER);
    assert_eq!(
        (order.order_class, order.kind, order.side),
        (OrderClass::MultiLeg, OrderKind::Limit, SideWord::Blank)
    );
    // Written again, each of its keys has the value it had.
    let written = serde_json::to_value(&order).expect("writes");
    for (key, value) in read::<Value>(ORDER).as_object().expect("an object") {
        if key != "legs" {
            assert_eq!(&written[key], value, "{key}");
        }
    }
    // Every leg carries what the SDK demands of an order.
    for leg in written["legs"].as_array().expect("legs") {
        for key in [
            "id",
            "client_order_id",
            "created_at",
            "updated_at",
            "submitted_at",
            "time_in_force",
            "status",
            "extended_hours",
        ] {
            assert!(!leg[key].is_null(), "{key}");
        }
        assert!(leg["replaced_by"].is_null() && leg["filled_avg_price"].is_null());
    }
    let ticket = order.ticket().expect("a ticket");
    same(&NewOrder::from_ticket(&ticket), BULL_PUT);
    let reports = order.reports(0, None).expect("readable");
    assert_eq!(reports.iter().map(|r| r.outcome.clone()).collect::<Vec<_>>(), [Outcome::Accepted]);
}

#[test]
fn a_look_up_tells_fills_that_were_missed() {
    let mut order = update(PACKAGE_FILL).order;
    let outcomes = |order: &Order, known| {
        order.reports(known, None).expect("readable").into_iter().map(|r| r.outcome).collect::<Vec<_>>()
    };
    let told = outcomes(&order, 1);
    let [Outcome::Filled(execution)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((execution.units, execution.units_so_far), (1, 2));
    assert_eq!(execution.legs[0].quantity, -1);
    assert_eq!(outcomes(&order, 2), [Outcome::Working]);
    order.status = OrderStatus::Canceled;
    assert!(matches!(outcomes(&order, 0).as_slice(), [Outcome::Filled(_), Outcome::Canceled]));
    assert_eq!(outcomes(&order, 2), [Outcome::Canceled]);
    // The answer to a submit leaves fills to the stream.
    order.status = OrderStatus::Filled;
    assert_eq!(order.answer().map(|r| r.outcome), Some(Outcome::Working));
}

#[test]
fn account_clock_and_calendar() {
    let text = r#"{"id":"77a41f83-d5a6-47e6-ba01-f5d1dea49a5d","account_number":"PA3SIM000001","status":"ACTIVE","crypto_status":"INACTIVE","currency":"USD",
 "cash":"100000","portfolio_value":"100000","equity":"100000","last_equity":"100000","balance_asof":"2026-03-13",
 "buying_power":"200000","regt_buying_power":"200000","non_marginable_buying_power":"100000","options_buying_power":"100000",
 "long_market_value":"0","short_market_value":"0","initial_margin":"0","maintenance_margin":"0","last_maintenance_margin":"0","sma":"0",
 "multiplier":"2","shorting_enabled":true,"accrued_fees":"0","pending_reg_taf_fees":"0","pending_transfer_in":"0","pending_transfer_out":"0",
 "intraday_adjustments":"0","options_approved_level":3,"options_trading_level":3,
 "trading_blocked":false,"transfers_blocked":false,"account_blocked":false,"trade_suspended_by_user":false,"created_at":"2025-01-02T15:00:00Z"}"#;
    let mut account: AccountBody = read(text);
    same(&account, text);
    let words = account.account(Timestamp::from_ns(1)).expect("in range");
    assert!(words.may_trade && words.cash == Money::from_dollars(100_000));
    account.trade_suspended_by_user = true;
    assert!(!account.account(Timestamp::from_ns(1)).expect("in range").may_trade);
    let clock: ClockBody = read(
        r#"{"timestamp":"2026-03-16T10:30:00.123-04:00","is_open":true,"next_open":"2026-03-17T09:30:00-04:00","next_close":"2026-03-16T16:00:00-04:00"}"#,
    );
    assert!(clock.is_open && clock.next_close < clock.next_open);
    let days: Vec<CalendarDay> = read(
        r#"[{"date":"2026-11-27","open":"09:30","close":"13:00","session_open":"0400","session_close":"2000","settlement_date":"2026-11-30"}]"#,
    );
    assert_eq!((days[0].date, days[0].close.as_str()), (Date::literal(2026, 11, 27), "13:00"));
}

#[test]
fn assets_contracts_and_positions() {
    let asset: Asset = read(
        r#"{"id":"96eedbe5-3efe-483b-a4d8-441ff435184a","class":"us_equity","exchange":"ARCA","symbol":"SPY","name":"SPDR S&P 500 ETF Trust","status":"active",
 "tradable":true,"marginable":true,"shortable":true,"easy_to_borrow":true,"borrow_status":"easy_to_borrow","fractionable":true,
 "maintenance_margin_requirement":30,"margin_requirement_long":"30","margin_requirement_short":"30","attributes":["has_options","options_late_close","fractional_eh_enabled"]}"#,
    );
    assert!(asset.attributes.iter().any(|a| a == "options_late_close"));
    let page: ContractPage = read(
        r#"{"option_contracts":[
  {"id":"66ce21d6-a0ce-45b8-ab99-48f28c877cc2","symbol":"SPY260417P00560000","name":"SPY Apr 17 2026 560 Put","status":"active","tradable":true,
   "expiration_date":"2026-04-17","root_symbol":"SPY","underlying_symbol":"SPY","underlying_asset_id":"96eedbe5-3efe-483b-a4d8-441ff435184a",
   "type":"put","style":"american","strike_price":"560","multiplier":"100","size":"100",
   "open_interest":"18234","open_interest_date":"2026-03-13","close_price":"4.31","close_price_date":"2026-03-13","ppind":true}],
 "next_page_token":"MTAw"}"#,
    );
    let contract = &page.option_contracts[0];
    assert!(contract.is_standard());
    let interest = contract.open_interest().expect("known");
    assert_eq!((interest.contracts, interest.as_of), (18_234, Date::literal(2026, 3, 13)));
    let written = serde_json::to_value(contract).expect("writes");
    assert_eq!((&written["size"], &written["open_interest"]), (&Value::from("100"), &Value::from("18234")));
    let position: PositionBody = read(
        r#"{"asset_id":"66ce21d6-a0ce-45b8-ab99-48f28c877cc2","symbol":"SPY260417P00560000","exchange":"","asset_class":"us_option","asset_marginable":true,
 "qty":"-2","side":"short","avg_entry_price":"4.15","cost_basis":"-830","market_value":"-790","current_price":"3.95","lastday_price":"4.31","change_today":"-0.0835",
 "unrealized_pl":"40","unrealized_plpc":"0.0482","unrealized_intraday_pl":"40","unrealized_intraday_plpc":"0.0482","qty_available":"-2"}"#,
    );
    assert_eq!(position.holding().expect("whole").quantity, -2);
}

#[test]
fn activities_in_our_words() {
    let note = |text: &str| read::<ActivityBody>(text).note().expect("readable");
    assert_eq!(
        note(
            r#"{"activity_type":"FILL","id":"20260316143105098::a066015a-d2fa-4a22-a7e9-2fd2efb4410d","type":"fill","transaction_time":"2026-03-16T14:31:02.613198Z",
 "symbol":"SPY260417P00560000","side":"sell_short","qty":"2","price":"4.15","cum_qty":"2","leaves_qty":"0","order_id":"035b1db8","order_status":"filled"}"#
        ),
        None
    );
    let contract = |text: &str| Contract::parse_occ(text.as_bytes()).expect("valid");
    let told = |text: &str| note(text).expect("a note").activity;
    assert_eq!(
        told(
            r#"{"activity_type":"OPEXP","id":"20260417000000000::932c629c","date":"2026-04-17","net_amount":"0","description":"Option Expiry","symbol":"SPY260417C00585000","qty":"1","status":"executed"}"#
        ),
        Activity::Expired { contract: contract("SPY260417C00585000"), quantity: 1 }
    );
    assert_eq!(
        told(
            r#"{"activity_type":"OPASN","id":"20260417000000000::a106b309","date":"2026-04-17","net_amount":"0","description":"Option Assignment","symbol":"SPY260417P00560000","qty":"2","status":"executed","group_id":"g"}"#
        ),
        Activity::Assigned { contract: contract("SPY260417P00560000"), quantity: 2 }
    );
    assert_eq!(
        told(
            r#"{"activity_type":"OPTRD","id":"20260417000000000::2aee8741","date":"2026-04-17","net_amount":"-112000","description":"Option Trade","symbol":"SPY","qty":"200","price":"560","status":"executed","group_id":"g"}"#
        ),
        Activity::Delivered { symbol: Symbol::literal("SPY"), shares: 200, price: Price::from_cents(56_000) }
    );
    assert_eq!(
        told(
            r#"{"activity_type":"OPEXC","id":"20260417000000000::0de3cd0c","date":"2026-04-17","net_amount":"0","description":"Option Exercise","symbol":"SPY260417P00555000","qty":"-2","status":"executed","group_id":"g"}"#
        ),
        Activity::Exercised { contract: contract("SPY260417P00555000"), quantity: -2 }
    );
    let Activity::Fee { kind, amount } = told(
        r#"{"activity_type":"FEE","id":"1","date":"2026-03-17","net_amount":"-0.05","activity_sub_type":"ORF"}"#,
    ) else {
        panic!()
    };
    assert_eq!((kind.as_str(), amount), ("ORF", Money::from_cents(-5)));
    let Activity::Cash { kind, amount } =
        told(r#"{"activity_type":"DIVNRA","id":"2","date":"2026-03-17","net_amount":"3.1"}"#)
    else {
        panic!()
    };
    assert_eq!((kind.as_str(), amount), ("DIVNRA", Money::from_cents(310)));
    assert!(
        read::<ActivityBody>(r#"{"activity_type":"OPEXP","id":"3","date":"2026-03-17"}"#).note().is_err()
    );
}

#[test]
fn history_errors_bars_and_snapshots() {
    let text = r#"{"timestamp":[1773671400,1773671700],"equity":[100000.0,100040.0],"profit_loss":[0.0,40.0],"profit_loss_pct":[0.0,0.0004],
 "base_value":100000.0,"base_value_asof":"2026-03-13","timeframe":"5Min","cashflow":{}}"#;
    same(&read::<PortfolioHistory>(text), text);
    let text = r#"{"code":40310000,"message":"insufficient options buying power (required: 38000, available: 7267.84)","options_buying_power":"7267.84","cost_basis":"38000"}"#;
    let error: ErrorBody = read(text);
    assert_eq!(error.code, Some(40_310_000));
    same(&error, text);
    same(
        &ErrorBody::new(40_310_000, error.message.clone())
            .with("options_buying_power", "7267.84")
            .with("cost_basis", "38000"),
        text,
    );
    assert_eq!(read::<ErrorBody>(r#"{"message":"unauthorized."}"#).code, None);
    let bars: BarPage = read(
        r#"{"bars":{"SPY":[{"t":"2026-03-13T04:00:00Z","o":561.2,"h":567.9,"l":560.8,"c":566.1,"v":61234567,"n":512345,"vw":564.83}]},"next_page_token":null}"#,
    );
    let bar = bars.bars["SPY"][0].bar().expect("a bar");
    assert!(bar.repaired && bar.volume == 61_234_567 && bar.open == Price::from_cents(56_120));
    assert!(read::<BarPage>(r#"{"bars":null,"next_page_token":null}"#).bars.is_empty());
    let page: SnapshotPage = read(
        r#"{"snapshots":{"SPY260417P00560000":{
   "latestQuote":{"t":"2026-03-16T14:30:00.123456789Z","bx":"C","bp":4.15,"bs":53,"ax":"W","ap":4.2,"as":38,"c":"A"},
   "latestTrade":{"t":"2026-03-16T14:29:58.4Z","x":"N","p":4.18,"s":2,"c":"I"},
   "impliedVolatility":0.1843,
   "greeks":{"delta":-0.3712,"gamma":0.0141,"theta":-0.1533,"vega":0.6021,"rho":-0.1934}}},
 "next_page_token":null}"#,
    );
    let snapshot = &page.snapshots["SPY260417P00560000"];
    let quote = snapshot.latest_quote.as_ref().and_then(|q| q.quote()).expect("a quote");
    assert_eq!(quote.mid(), Some(Price::from_units(41_750)));
    let trade = snapshot.latest_trade.as_ref().and_then(|t| t.trade(&option("SPY260417P00560000")));
    assert_eq!(trade.map(|t| t.size), Some(2));
    assert_eq!((snapshot.implied_volatility, snapshot.minute_bar.is_none()), (Some(0.1843), true));
    assert_eq!(read::<SnapshotPage>(r#"{"snapshots":{"X":{}}}"#).snapshots.len(), 1);
}

prop_compose! {
    fn any_leg()(days in 20_500i32..22_000, strike in 1u32..2_000_000, call: bool, buy: bool, open: bool, ratio in 1u32..4) -> Leg {
        Leg {
            instrument: Instrument::Option(Contract {
                root: Symbol::literal("SPY"),
                expiry: Date::from_days(days),
                strike_mils: strike,
                right: if call { market::Right::Call } else { market::Right::Put },
            }),
            side: if buy { Side::Buy } else { Side::Sell },
            effect: if open { Effect::Open } else { Effect::Close },
            ratio,
        }
    }
}

proptest! {
    #[test]
    fn any_ticket_survives_the_wire(
        legs in proptest::collection::vec(any_leg(), 1..=4), units in 1u32..500, cents in -50_000i64..50_000, limit: bool,
    ) {
        let mut legs: ArrayVec<Leg, 4> = legs.into_iter().collect();
        if legs.len() == 1 {
            legs[0].ratio = 1;
        }
        let pricing = if limit { Pricing::Limit(Price::from_cents(cents)) } else { Pricing::Market };
        let id = OrderId::literal("w-1");
        let sent = Ticket { id, underlying: Symbol::literal("SPY"), legs, units, pricing };
        let text = serde_json::to_string(&NewOrder::from_ticket(&sent)).expect("writes");
        let body: NewOrder = read(&text);
        prop_assert_eq!(body.to_ticket(id, |_, _| Effect::Open), Ok(sent));
    }

    #[test]
    fn mutated_messages_never_panic(place in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
        for text in [PACKAGE_FILL, EQUITY_FILL] {
            let mut bytes = text.as_bytes().to_vec();
            let at = place.index(bytes.len());
            bytes[at] = byte;
            if let Ok(TradingMessage::Update(update)) = TradingMessage::decode(&bytes) {
                let _ = update.report(None);
                let _ = update.order.reports(0, None);
            }
            bytes.truncate(cut.index(bytes.len()));
            prop_assert!(TradingMessage::decode(&bytes).is_err());
        }
    }

    #[test]
    fn decimals_of_any_writer(n in -1_000_000i64..1_000_000) {
        let price = Price::from_units(n);
        let as_number: Decimal = read(&format!("{}", price.dollars()));
        let as_text: Decimal = read(&format!("\"{price}\""));
        prop_assert_eq!(as_number.to_price(), Some(price));
        prop_assert_eq!(as_text.to_price(), Some(price));
    }
}
