//! REST: keys, limits, refusals, paging.

use super::client::{request, request_as};
use super::settings;
use crate::{Limits, Settings, Speed, start};
use serde_json::json;

#[test]
fn keys_limits_and_unknown_paths() {
    let limits = Limits { trading_per_minute: 6, ..Limits::paid_plan() };
    let venue = start(Settings { limits, ..settings(Speed::Times(1.0)) }).expect("starts");
    let at = venue.address;
    let nobody = request_as(at, "GET", "/v2/account", None, None);
    assert_eq!((nobody.status, nobody.body), (401, json!({"message": "unauthorized."})));
    assert_eq!(request_as(at, "GET", "/v2/account", None, Some(("SIMKEY", "x"))).status, 401);
    let account = request(at, "GET", "/v2/account", None);
    assert_eq!((account.status, &account.body["cash"]), (200, &json!("100000")));
    assert!(account.head.contains("x-ratelimit-limit: 6"), "{}", account.head);
    assert!(account.head.contains("x-ratelimit-remaining: 5"), "{}", account.head);
    assert!(account.head.contains("x-ratelimit-reset: "), "{}", account.head);
    assert_eq!(request(at, "GET", "/v2/nothing", None).status, 404);
    assert_eq!(request(at, "POST", "/v2/orders", Some(&json!("x"))).status, 422);
    let unlisted = request(at, "GET", "/v2/orders:by_client_order_id?client_order_id=no", None);
    assert_eq!((unlisted.status, &unlisted.body["code"]), (404, &json!(40_410_000)));
    venue.refuse(Some(503));
    assert_eq!(request(at, "GET", "/v2/clock", None).status, 503);
    venue.refuse(None);
    assert_eq!(request(at, "GET", "/v2/clock", None).status, 200);
    assert_eq!(request(at, "GET", "/v2/clock", None).status, 200);
    let over = request(at, "GET", "/v2/clock", None);
    assert_eq!((over.status, &over.body["code"]), (429, &json!(42_910_000)));
    assert_eq!(
        request(at, "GET", "/v2/stocks/snapshots?symbols=SPY", None).status,
        200,
        "a limit of its own"
    );
    venue.stop();
}

#[test]
fn pages_join_without_a_seam() {
    let venue = start(settings(Speed::Times(600.0))).expect("starts");
    let at = venue.address;
    let (mut bars, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!(
            "/v2/stocks/bars?symbols=SPY%2CAAPL&timeframe=1Min&start=2026-11-17&end=2026-11-19&limit=700{token}"
        );
        let page = request(at, "GET", &path, None).body;
        for (symbol, rows) in page["bars"].as_object().expect("an object") {
            for row in rows.as_array().expect("rows") {
                bars.push((symbol.clone(), row["t"].as_str().expect("a time").to_string()));
            }
        }
        match page["next_page_token"].as_str() {
            Some(next) => token = format!("&page_token={next}"),
            None => break,
        }
    }
    assert_eq!(bars.len(), 2 * 3 * 390);
    assert!(bars.is_sorted() && bars.windows(2).all(|w| w[0] != w[1]));
    let chain = request(at, "GET", "/v1beta1/options/snapshots/SPY?limit=7&type=put", None).body;
    assert_eq!(chain["snapshots"].as_object().map(|all| all.len()), Some(7));
    assert!(chain["next_page_token"].is_string());
    for bad in ["/v2/stocks/bars?symbols=SPY&timeframe=7Years", "/v2/stocks/bars?timeframe=1Day"] {
        assert_eq!(request(at, "GET", bad, None).status, 400, "{bad}");
    }
    venue.stop();
}
