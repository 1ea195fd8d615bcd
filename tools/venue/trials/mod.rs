//! The venue tried over real sockets, as a client sees it.

mod client;
mod floods;
mod kept;
mod market_days;
mod replays;
mod requests;
mod session_rules;

use crate::{Hold, Limits, Settings, Speed};
use exchange::market_model;
use market::{Date, Symbol};

fn symbols(names: &[&str]) -> Vec<Symbol> {
    names.iter().map(|name| name.parse().expect("a ticker")).collect()
}

/// A small simulated market.
fn market(first_session: Date, quotes_per_second: f64) -> market_model::Settings {
    market_model::Settings {
        seed: 5,
        symbols: symbols(&["SPY", "AAPL"]),
        first_session,
        stock_quotes_per_second: quotes_per_second,
        stock_trades_per_second: quotes_per_second / 2.0,
        option_checks_per_second: quotes_per_second,
        option_quote_age_max_seconds: 60.0,
    }
}

/// That market at a speed.
fn settings(speed: Speed) -> Settings {
    Settings::simulated(market(Date::literal(2026, 11, 20), 2.0), speed)
}

/// Settings that stand still until a stock session subscribes.
fn held(first_session: Date, quotes_per_second: f64) -> Settings {
    let speed = Speed::AsFastAsRead { frames_ahead_max: 32 };
    let hold = Hold { stocks: true, ..Hold::default() };
    let limits = Limits { trading_per_minute: 10_000, ..Limits::paid_plan() };
    let closed_pause = std::time::Duration::ZERO;
    let base = Settings::simulated(market(first_session, quotes_per_second), speed);
    Settings { hold, limits, closed_pause, ..base }
}
