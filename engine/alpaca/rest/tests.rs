//! The REST client against a small HTTP server on a real socket.

use super::*;
use crate::ids::VenueIds;
use arrayvec::ArrayVec;
use market::order::{Effect, Leg, Outcome, Pricing, Report, Request as Ask, Side, Ticket};
use market::{Date, Instrument, OrderId, Price, Symbol};
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn monotonic_ns() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64 + 1
}

const NOW: Timestamp = Timestamp::from_seconds(1_773_671_400);

/// What a request looked like.
#[derive(Clone, Debug)]
struct Seen {
    line: String,
    head: String,
    body: String,
}

/// What the server does with a request.
enum Reply {
    Status(u16, String),
    With(u16, &'static str, String),
    /// Closes the connection without a word.
    HangUp,
    /// Never answers.
    Silence,
}

fn ok(body: &str) -> Reply {
    Reply::Status(200, body.into())
}

type Script = Rc<dyn Fn(usize, &Seen) -> Reply>;

async fn serve(listener: TcpListener, script: Script, seen: Rc<RefCell<Vec<Seen>>>) {
    while let Ok((tcp, _)) = listener.accept().await {
        tokio::task::spawn_local(converse(tcp, script.clone(), seen.clone()));
    }
}

async fn converse(mut tcp: TcpStream, script: Script, seen: Rc<RefCell<Vec<Seen>>>) {
    while let Some(request) = read_request(&mut tcp).await {
        let number = seen.borrow().len();
        seen.borrow_mut().push(request.clone());
        let (status, header, body) = match script(number, &request) {
            Reply::Status(status, body) => (status, "", body),
            Reply::With(status, header, body) => (status, header, body),
            Reply::HangUp => return,
            Reply::Silence => std::future::pending().await,
        };
        let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{header}\r\n{body}", body.len());
        if tcp.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read_request(tcp: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end + 4;
        }
        if tcp.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length: usize = head
        .lines()
        .find_map(|l| l.strip_prefix("content-length: "))
        .map_or(0, |n| n.trim().parse().expect("a number"));
    while bytes.len() < end + length {
        if tcp.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let line = String::from_utf8_lossy(&bytes).lines().next()?.replace(" HTTP/1.1", "");
    Some(Seen { line, head, body: String::from_utf8_lossy(&bytes[end..]).into() })
}

fn settings(url: &str) -> RestSettings {
    RestSettings {
        trading_url: url.into(),
        data_url: url.into(),
        call_limit_ns: 10_000_000_000,
        connect_limit_ns: 5_000_000_000,
        trading_per_minute: None,
        trading_reserve: 0,
        data_per_minute: None,
        stock_feed: "sip".into(),
        option_feed: String::new(),
    }
}

fn clocks() -> Clocks {
    Clocks { monotonic_ns, now: || NOW }
}

/// Runs a test against a scripted server.
fn with_server<F>(
    script: impl Fn(usize, &Seen) -> Reply + 'static,
    test: impl FnOnce(Rest, Rc<RefCell<Vec<Seen>>>) -> F,
) where
    F: Future<Output = ()>,
{
    with_settings(script, |_| {}, test);
}

fn with_settings<F>(
    script: impl Fn(usize, &Seen) -> Reply + 'static,
    change: impl FnOnce(&mut RestSettings),
    test: impl FnOnce(Rest, Rc<RefCell<Vec<Seen>>>) -> F,
) where
    F: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let seen = Rc::new(RefCell::new(Vec::new()));
        tokio::task::spawn_local(serve(listener, Rc::new(script), seen.clone()));
        let mut settings = settings(&url);
        change(&mut settings);
        let rest = Rest::new(settings, &Keys::new("KEYID", "SECRET"), clocks()).expect("valid");
        tokio::time::timeout(Duration::from_secs(20), test(rest, seen)).await.expect("in time");
    });
}

fn order_json(venue: &str, ours: &str, status: &str) -> String {
    format!(
        r#"{{"id":"{venue}","client_order_id":"{ours}","created_at":"2026-03-16T14:30:00Z","updated_at":"2026-03-16T14:30:00Z","submitted_at":"2026-03-16T14:30:00Z","status":"{status}","symbol":"SPY260417P00560000","side":"sell","position_intent":"sell_to_close","qty":"1","filled_qty":"0","time_in_force":"day"}}"#
    )
}

fn id(text: &str) -> OrderId {
    text.parse().expect("short")
}

fn ticket(ours: &str) -> Ticket {
    let instrument = Instrument::parse("SPY260417P00560000").expect("valid");
    Ticket {
        id: id(ours),
        underlying: Symbol::literal("SPY"),
        legs: ArrayVec::from_iter([Leg { instrument, side: Side::Sell, effect: Effect::Close, ratio: 1 }]),
        units: 1,
        pricing: Pricing::Limit(Price::from_cents(-415)),
    }
}

#[test]
fn keys_go_out_in_headers_and_are_never_shown() {
    let account = r#"{"id":"a","account_number":"n","status":"ACTIVE","cash":"5","equity":5.5}"#;
    with_server(
        move |_, _| ok(account),
        async |rest, seen| {
            let account = rest.account().await.expect("an account");
            assert_eq!(account.equity.to_string(), "5.5");
            let seen = seen.borrow();
            assert_eq!(seen[0].line, "GET /v2/account");
            assert!(seen[0].head.contains("apca-api-key-id: keyid\r\n"), "{}", seen[0].head);
            assert!(seen[0].head.contains("apca-api-secret-key: secret\r\n"));
            assert!(!format!("{:?}", rest.headers).contains("SECRET"));
        },
    );
    let wrong = |url: &str, secret: &str| {
        Rest::new(settings(url), &Keys::new("k", secret), clocks()).err().map(|e| e.to_string())
    };
    for bad in ["localhost:80", "http://host/", "ftp://host", ""] {
        assert!(wrong(bad, "s").is_some(), "{bad}");
    }
    let message = wrong("http://host", "very-secret\n").expect("refused");
    assert!(message.contains("secret") && !message.contains("very-secret"), "{message}");
}

#[test]
fn statuses_become_typed_errors() {
    let script = |n: usize, _: &Seen| match n {
        0 => Reply::Status(401, r#"{"message":"unauthorized."}"#.into()),
        1 => Reply::Status(403, r#"{"code":40310000,"message":"insufficient options buying power"}"#.into()),
        2 => Reply::Status(404, r#"{"code":40410000,"message":"order not found"}"#.into()),
        3 => Reply::Status(422, r#"{"code":42210000,"message":"invalid symbol"}"#.into()),
        4 => Reply::With(429, "x-ratelimit-reset: 1773671401\r\n", String::new()),
        5 => Reply::Status(503, "<html>Service Unavailable</html>".into()),
        6 => ok("<html>Hello</html>"),
        7 => ok("{}"),
        _ => Reply::HangUp,
    };
    with_server(script, async |rest, _| {
        let mut errors = Vec::new();
        for _ in 0..9 {
            errors.push(rest.account().await.expect_err("an error"));
        }
        assert!(matches!(errors[0], RestError::Unauthorized { status: 401, .. }));
        assert!(matches!(&errors[1], RestError::Forbidden { body, .. } if body.code == Some(40_310_000)));
        assert!(matches!(errors[2], RestError::NotFound { .. }));
        assert!(matches!(errors[3], RestError::Invalid { status: 422, .. }));
        assert!(matches!(errors[4], RestError::RateLimited { reset: Some(at), .. } if at == NOW + SECOND));
        assert!(matches!(errors[5], RestError::Venue { status: 503, .. }));
        assert!(matches!(&errors[6], RestError::Unreadable { why, .. } if why.contains("<html>Hello")));
        assert!(matches!(errors[7], RestError::Unreadable { .. }));
        assert!(matches!(errors[8], RestError::ConnectionLost { .. }), "{:?}", errors[8]);
        assert!(
            errors
                .iter()
                .all(|e| e.to_string().contains("GET /v2/account") && !e.to_string().contains("SECRET"))
        );
    });
}

#[test]
fn silence_is_not_awaited_for_ever() {
    with_settings(
        |_, _| Reply::Silence,
        short,
        async |rest, seen| {
            let ids = RefCell::new(VenueIds::default());
            let error = rest.account().await.expect_err("an error");
            assert!(matches!(error, RestError::TimedOut { limit_ms: 300, .. }), "{error:?}");
            let done = rest.perform(&Ask::Submit(ticket("eng-1")), 0, &ids).await;
            assert_eq!(done.reports[0].outcome, Outcome::Unknown);
            let posts = seen.borrow().iter().filter(|s| s.line.starts_with("POST")).count();
            assert!(posts <= 1);
        },
    );
}

fn short(settings: &mut RestSettings) {
    settings.call_limit_ns = 300_000_000;
}

#[test]
fn nobody_there_means_nothing_was_sent() {
    with_settings(
        |_, _| Reply::HangUp,
        // Port 1 on loopback: nobody listens there.
        |settings| settings.trading_url = "http://127.0.0.1:1".into(),
        async |rest, _| {
            let error = rest.account().await.expect_err("an error");
            assert!(matches!(error, RestError::NotSent { .. }), "{error:?}");
            assert!(matches!(error.submit_outcome(), Outcome::Rejected { .. }));
        },
    );
}

#[test]
fn pages_are_followed_to_the_end_and_no_further() {
    let contract = |n: usize| {
        format!(
            r#"{{"id":"{n}","symbol":"SPY260417P0056{n}000","status":"active","tradable":true,"expiration_date":"2026-04-17","underlying_symbol":"SPY","type":"put","strike_price":"560"}}"#
        )
    };
    let script = move |n: usize, _: &Seen| {
        let token = if n < 2 { format!("\"t{n}\"") } else { "null".into() };
        ok(&format!(r#"{{"option_contracts":[{}],"next_page_token":{token}}}"#, contract(n)))
    };
    let (first, last) = (Date::literal(2026, 3, 16), Date::literal(2026, 5, 1));
    with_server(script, async move |rest, seen| {
        let found = rest.contracts(&["SPY", "QQQ"], first, last).await.expect("contracts");
        assert_eq!(found.len(), 3);
        let lines: Vec<String> = seen.borrow().iter().map(|s| s.line.clone()).collect();
        let base = "GET /v2/options/contracts?underlying_symbols=SPY%2CQQQ&status=active&expiration_date_gte=2026-03-16&expiration_date_lte=2026-05-01&limit=10000";
        assert_eq!(
            lines,
            [base.to_string(), format!("{base}&page_token=t0"), format!("{base}&page_token=t1")]
        );
    });
    let forever = |_: usize, _: &Seen| ok(r#"{"option_contracts":[],"next_page_token":"again"}"#);
    with_server(forever, async move |rest, seen| {
        let error = rest.contracts(&["SPY"], first, last).await.expect_err("endless");
        assert!(matches!(error, RestError::EndlessPages { .. }));
        assert_eq!(seen.borrow().len(), 2);
    });
}

#[test]
fn market_data_calls() {
    let script = |_: usize, seen: &Seen| match seen.line.split(['?', ' ']).nth(1) {
        Some("/v2/stocks/bars") if !seen.line.contains("page_token") => ok(
            r#"{"bars":{"SPY":[{"t":"2026-03-16T14:30:00Z","o":1,"h":2,"l":1,"c":2,"v":10,"n":1,"vw":1.5}]},"next_page_token":"x"}"#,
        ),
        Some("/v2/stocks/bars") => ok(
            r#"{"bars":{"SPY":[{"t":"2026-03-16T14:31:00Z","o":1,"h":2,"l":1,"c":2,"v":10,"n":1,"vw":null}],"QQQ":[]},"next_page_token":null}"#,
        ),
        Some("/v2/stocks/quotes/latest") => {
            ok(r#"{"quotes":{"SPY":{"t":"2026-03-16T14:30:00Z","bp":1.5,"bs":1,"ap":0,"as":0}}}"#)
        }
        Some("/v1beta1/options/quotes/latest") => ok(r#"{"quotes":{}}"#),
        Some(path) if path.starts_with("/v1beta1/options/snapshots") => {
            ok(r#"{"snapshots":{"SPY260417P00560000":{}},"next_page_token":null}"#)
        }
        _ => Reply::Status(404, String::new()),
    };
    with_server(script, async |rest, seen| {
        let timeframe = market::quote::Timeframe::Min1;
        let bars = rest.stock_bars(&["SPY", "QQQ"], timeframe, NOW, NOW + SECOND).await.expect("bars");
        assert_eq!((bars["SPY"].len(), bars["QQQ"].len()), (2, 0));
        assert!(bars["SPY"].iter().all(|b| b.bar().is_some_and(|b| b.repaired)));
        assert!(
            seen.borrow()[0].line.contains("start=2026-03-16T14%3A30%3A00Z"),
            "{}",
            seen.borrow()[0].line
        );
        let quotes = rest.latest_stock_quotes(&["SPY"]).await.expect("quotes");
        assert!(quotes["SPY"].quote().is_some_and(|q| q.bid.is_some() && q.ask.is_none()));
        let many: Vec<String> = (0..250).map(|n| format!("SPY260417P{n:08}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let before = seen.borrow().len();
        assert!(rest.latest_option_quotes(&many).await.expect("quotes").is_empty());
        assert_eq!(seen.borrow().len() - before, 3);
        let chain = rest.option_chain("SPY", Date::literal(2026, 3, 16), Date::literal(2026, 4, 17)).await;
        assert_eq!(chain.expect("a chain").len(), 1);
    });
}

#[test]
fn an_order_goes_out_once_and_its_bytes_are_stamped() {
    let script = |_: usize, _: &Seen| ok(&order_json("v1", "eng-1", "pending_new"));
    with_server(script, async |rest, seen| {
        let ids = RefCell::new(VenueIds::default());
        for round in 0..2 {
            let before = monotonic_ns();
            let done = rest.perform(&Ask::Submit(ticket("eng-1")), 0, &ids).await;
            let written = done.written_ns.expect("stamped");
            assert!(written >= before && written <= monotonic_ns(), "{round}");
            assert_eq!(done.reports[0].outcome, Outcome::Accepted);
        }
        assert_eq!(ids.borrow().venue_id(id("eng-1")), Some("v1"));
        let seen = seen.borrow();
        let body: serde_json::Value = serde_json::from_str(&seen[0].body).expect("JSON");
        assert_eq!((&body["limit_price"], &body["side"]), (&"4.15".into(), &"sell".into()));
        assert!(seen[0].head.contains("content-type: application/json"));
    });
}

#[test]
fn a_post_without_a_clear_answer_is_unknown_and_not_repeated() {
    for (script, what) in [
        ((|_: usize, _: &Seen| Reply::Status(504, String::new())) as fn(usize, &Seen) -> Reply, "504"),
        (|_, _| Reply::HangUp, "hang-up"),
        (|_, _| ok("not json"), "not JSON"),
    ] {
        with_server(script, async move |rest, seen| {
            let ids = RefCell::new(VenueIds::default());
            let done = rest.perform(&Ask::Submit(ticket("eng-1")), 0, &ids).await;
            assert_eq!(done.reports[0].outcome, Outcome::Unknown, "{what}: {done:?}");
            assert!(done.error.is_some());
            assert_eq!(seen.borrow().len(), 1, "{what}");
        });
    }
    with_server(
        |_, _| Reply::Status(403, r#"{"code":40310000,"message":"insufficient buying power"}"#.into()),
        async |rest, _| {
            let ids = RefCell::new(VenueIds::default());
            let done = rest.perform(&Ask::Submit(ticket("eng-1")), 0, &ids).await;
            assert!(matches!(done.reports[0].outcome, Outcome::Rejected { code: 40_310_000, .. }));
        },
    );
}

#[test]
fn replace_cancel_and_look_up_by_our_ids() {
    let script = |_: usize, seen: &Seen| match seen.line.as_str() {
        "GET /v2/orders:by_client_order_id?client_order_id=eng-1&nested=true" => {
            ok(&order_json("v1", "eng-1", "new"))
        }
        "PATCH /v2/orders/v1" => ok(&order_json("v2", "eng-2", "accepted")),
        "DELETE /v2/orders/v2" => Reply::Status(204, String::new()),
        _ => Reply::Status(404, r#"{"code":40410000,"message":"order not found"}"#.into()),
    };
    with_server(script, async |rest, seen| {
        let ids = RefCell::new(VenueIds::default());
        // Nothing is known of eng-1 (a restart): it is looked up first.
        let limit = Price::from_cents(-410);
        let done = rest.perform(&Ask::Replace { id: id("eng-1"), new_id: id("eng-2"), limit }, 0, &ids).await;
        assert_eq!((done.reports[0].id, &done.reports[0].outcome), (id("eng-2"), &Outcome::Accepted));
        let patch: serde_json::Value = serde_json::from_str(&seen.borrow()[1].body).expect("JSON");
        assert_eq!(patch, serde_json::json!({"limit_price": "4.1", "client_order_id": "eng-2"}));
        let done = rest.perform(&Ask::Cancel { id: id("eng-2") }, 0, &ids).await;
        assert!(done.reports.is_empty() && done.error.is_none() && done.written_ns.is_some());
        let done = rest.perform(&Ask::LookUp { id: id("eng-1") }, 0, &ids).await;
        assert_eq!(done.reports[0].outcome, Outcome::Working);
        let done = rest.perform(&Ask::LookUp { id: id("eng-9") }, 0, &ids).await;
        assert_eq!(done.reports[0].outcome, Outcome::NotFound);
        let done = rest.perform(&Ask::Cancel { id: id("eng-9") }, 0, &ids).await;
        assert_eq!(done.reports[0].outcome, Outcome::NotFound);
    });
}

/// The stream lost the fill: the refusal of a change says it, and what became of the order is told with it.
#[test]
fn a_change_refused_since_the_order_is_over_brings_its_end() {
    let script = |_: usize, seen: &Seen| {
        if seen.line.starts_with("GET /v2/orders:by_client_order_id") {
            return ok(&order_json("v1", "eng-1", "canceled"));
        }
        Reply::Status(422, r#"{"code":42210000,"message":"order is already in \"canceled\" state"}"#.into())
    };
    with_server(script, async |rest, seen| {
        let ids = RefCell::new(VenueIds::default());
        let limit = Price::from_cents(-410);
        let done = rest.perform(&Ask::Replace { id: id("eng-1"), new_id: id("eng-2"), limit }, 0, &ids).await;
        let outcomes: Vec<&Outcome> = done.reports.iter().map(|r| &r.outcome).collect();
        assert!(matches!(outcomes[..], [Outcome::ReplaceRejected { .. }, Outcome::Canceled]), "{outcomes:?}");
        let done = rest.perform(&Ask::Cancel { id: id("eng-1") }, 0, &ids).await;
        let outcomes: Vec<&Outcome> = done.reports.iter().map(|r| &r.outcome).collect();
        assert!(matches!(outcomes[..], [Outcome::CancelRejected { .. }, Outcome::Canceled]), "{outcomes:?}");
        assert_eq!(seen.borrow().len(), 5, "find, PATCH and look-up; DELETE and look-up");
    });
}

/// A journal was lost and its ids came again: the venue has another order under ours. Its fills are not ours.
#[test]
fn an_old_order_under_our_id_is_not_taken_for_ours() {
    let script = |_: usize, seen: &Seen| {
        if seen.line.starts_with("POST") {
            let body = r#"{"code":40010001,"message":"client_order_id must be unique"}"#;
            return Reply::Status(422, body.into());
        }
        let old = order_json("v1", "eng-1", "filled").replace("P00560000", "P00500000");
        ok(&old.replace(r#""filled_qty":"0""#, r#""filled_qty":"1","filled_avg_price":"4.15""#))
    };
    with_server(script, async |rest, _| {
        let ids = RefCell::new(VenueIds::default());
        let done = rest.perform(&Ask::Submit(ticket("eng-1")), 0, &ids).await;
        assert_eq!(done.reports[0].outcome, Outcome::Unknown);
        let done = rest.perform(&Ask::LookUp { id: id("eng-1") }, 0, &ids).await;
        assert!(matches!(done.reports[..], [Report { outcome: Outcome::Rejected { .. }, .. }]), "{done:?}");
        assert!(done.error.is_some() && ids.borrow().venue_id(id("eng-1")).is_none());
        // Nor is it changed or canceled.
        let done = rest.perform(&Ask::Cancel { id: id("eng-1") }, 0, &ids).await;
        assert_eq!(done.reports[0].outcome, Outcome::Unknown);
    });
}

#[test]
fn look_ups_leave_the_last_of_the_limit_to_orders() {
    with_settings(
        |_, _| ok(&order_json("v1", "eng-1", "new")),
        |settings| {
            settings.trading_per_minute = Some(3);
            settings.trading_reserve = 2;
            settings.call_limit_ns = 1_500_000_000;
        },
        async |rest, _| {
            let ids = RefCell::new(VenueIds::default());
            let look_up = Ask::LookUp { id: id("eng-1") };
            assert!(rest.perform(&look_up, 0, &ids).await.error.is_none());
            let held_back = rest.perform(&look_up, 0, &ids).await;
            assert!(matches!(held_back.error, Some(RestError::NotSent { .. })), "{held_back:?}");
            assert!(rest.perform(&Ask::Submit(ticket("eng-1")), 0, &ids).await.error.is_none());
        },
    );
}

#[test]
fn the_rate_limit_holds_calls_back_and_says_so() {
    with_settings(
        |_, _| ok(&order_json("v1", "eng-1", "new")),
        |settings| {
            settings.trading_per_minute = Some(3);
            settings.trading_reserve = 2;
            settings.call_limit_ns = 1_500_000_000;
        },
        async |rest, seen| {
            assert!(rest.open_orders().await.is_err(), "not a list, but it was sent");
            let error = rest.open_orders().await.expect_err("no token");
            assert!(matches!(error, RestError::NotSent { .. }), "{error:?}");
            // What is urgent still goes.
            let ids = RefCell::new(VenueIds::default());
            let done = rest.perform(&Ask::Submit(ticket("eng-1")), 0, &ids).await;
            assert_eq!(done.reports[0].outcome, Outcome::Working);
            assert_eq!(seen.borrow().len(), 2);
        },
    );
}

#[test]
fn orders_and_activities_are_paged_without_repeats() {
    let script = |n: usize, seen: &Seen| {
        let rows: Vec<String> = if seen.line.starts_with("GET /v2/orders?") {
            let count = if n == 0 { 500 } else { 3 };
            // The second page begins with the last order of the first.
            let start = if n == 0 { 0 } else { 499 };
            (start..start + count).map(|i| order_json(&format!("v{i}"), &format!("eng-{i}"), "new")).collect()
        } else {
            let start = if seen.line.contains("page_token") { 100 } else { 0 };
            let count = if start == 0 { 100 } else { 7 };
            (start..start + count)
                .map(|i| {
                    format!(
                        r#"{{"activity_type":"FEE","id":"{i}","date":"2026-03-17","net_amount":"-0.01"}}"#
                    )
                })
                .collect()
        };
        ok(&format!("[{}]", rows.join(",")))
    };
    with_server(script, async |rest, seen| {
        assert_eq!(rest.orders_after(NOW).await.expect("orders").len(), 502);
        assert!(seen.borrow()[1].line.contains("after=2026-03-16T14%3A29%3A59.999999999Z"));
        assert_eq!(rest.activities_after("FEE", NOW).await.expect("activities").len(), 107);
        assert!(seen.borrow()[3].line.ends_with("page_token=99"));
    });
}
