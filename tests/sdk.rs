//! The broker's official SDK (alpaca-py, unmodified, from PyPI) against the embedded venue: streams, account,
//! contracts, chain, single and multi-leg orders, replace, cancel, trade updates, errors. What is checked is
//! written in `sdk/exercise.py`.

use exchange::market_model;
use market::Date;
use std::process::Command;
use venue::{Settings, Speed};

/// A Python with alpaca-py 0.44.0; CI makes one. Without it the test skips and says so.
const PYTHON: &str = "WINGSPREAD_PYTHON";

#[test]
fn the_official_sdk_cannot_tell_the_venue_from_the_broker() {
    let Some(python) = std::env::var_os(PYTHON) else {
        println!(
            "skipped: set {PYTHON} to a Python that has alpaca-py==0.44.0 (pip install alpaca-py==0.44.0)"
        );
        return;
    };
    let market = market_model::Settings {
        seed: 1,
        symbols: market_model::parameters::TABLE.iter().map(|p| p.symbol).collect(),
        first_session: Date::literal(2026, 11, 16),
        stock_quotes_per_second: 5.0,
        stock_trades_per_second: 1.0,
        option_checks_per_second: 0.5,
        option_quote_age_max_seconds: 30.0,
    };
    // Half a minute of the SDK's time is a quarter of an hour of the market's.
    let venue = venue::start(Settings::simulated(market, Speed::Times(30.0))).expect("the venue starts");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/exercise.py");
    let urls = [&venue.rest_url, &venue.stock_ws_url, &venue.option_ws_url, &venue.trading_ws_url];
    let done = Command::new(python).arg(script).args(urls).output().expect("the interpreter starts");
    let (said, complained) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && said.contains("all good"), "{said}\n{complained}");
    venue.stop();
}
