//! Where the engine trades: the embedded market, started here, or a broker somewhere else. Either way what comes
//! out is addresses, keys and how fast time passes there.

use crate::settings::{Endpoint, Fills, Settings};
use alpaca::keys::Keys;
use anyhow::{Context, bail};
use std::path::PathBuf;
use std::time::Duration;
use venue::{Hold, Limits, SourceSettings, Speed};

/// A venue to trade at.
pub struct Place {
    /// REST for orders and account.
    pub trading_url: String,
    /// REST for market data.
    pub data_url: String,
    /// Stock stream.
    pub stock_ws_url: String,
    /// Option stream.
    pub option_ws_url: String,
    /// Trading stream.
    pub trading_ws_url: String,
    /// Its keys.
    pub keys: Keys,
    /// How time passes there.
    pub time: Time,
    /// The embedded market, which stops with this.
    pub venue: Option<venue::Venue>,
    /// One line for people.
    pub described: String,
}

/// How time passes at a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Time {
    /// As on the wall, moved by so many nanoseconds (0 at a broker).
    Wall {
        /// The move.
        shift_ns: i64,
    },
    /// So many market seconds a second, led by the stamps of the feed.
    Led {
        /// Market seconds in a wall second.
        speed: f64,
    },
}

/// Environment variables that hold the broker's keys.
pub const KEY_ID: &str = "APCA_API_KEY_ID";
/// The secret's variable.
pub const SECRET: &str = "APCA_API_SECRET_KEY";

/// The broker's keys from the environment.
///
/// # Errors
/// When one of them is missing, with the remedy.
pub fn keys_from_environment() -> anyhow::Result<Keys> {
    let take = |name: &str| {
        std::env::var(name).ok().filter(|v| !v.trim().is_empty()).with_context(|| {
            format!("{name} is not set: export {KEY_ID} and {SECRET} with the keys of your paper account")
        })
    };
    Ok(Keys::new(take(KEY_ID)?, take(SECRET)?))
}

/// Starts or finds the place the settings name.
///
/// # Errors
/// When keys are missing or the embedded market does not start.
pub fn open(settings: &Settings, state_file: Option<PathBuf>) -> anyhow::Result<Place> {
    match settings.endpoint {
        Endpoint::Embedded => embedded(simulated(settings, state_file)),
        Endpoint::AlpacaPaper | Endpoint::Custom => {
            let at = &settings.endpoints;
            Ok(Place {
                trading_url: at.trading.clone(),
                data_url: at.data.clone(),
                stock_ws_url: at.stock_stream.clone(),
                option_ws_url: at.option_stream.clone(),
                trading_ws_url: at.order_stream.clone(),
                keys: keys_from_environment()?,
                time: followed_speed(&at.trading)?
                    .map_or(Time::Wall { shift_ns: 0 }, |speed| Time::Led { speed }),
                venue: None,
                described: format!("paper account at {}", at.trading),
            })
        }
    }
}

/// A venue on this machine may run faster than life: its speed is told through the environment by whoever started
/// it. A broker's time is the wall clock's.
fn followed_speed(trading_url: &str) -> anyhow::Result<Option<f64>> {
    let local =
        ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|p| trading_url.starts_with(p));
    let Ok(text) = std::env::var("WINGSPREAD_VENUE_SPEED") else { return Ok(None) };
    match text.parse::<f64>() {
        Ok(speed) if local && speed > 0.0 => Ok(Some(speed)),
        _ => bail!(
            "WINGSPREAD_VENUE_SPEED is `{text}`: it takes the speed of a `wingspread venue` on this machine, such as \
             60, and goes with a loopback address only"
        ),
    }
}

/// Starts an embedded market.
///
/// # Errors
/// When it does not start, with its reason.
pub fn embedded(settings: venue::Settings) -> anyhow::Result<Place> {
    // As fast as read, time is what the stamps say and nothing else: it stands still between them.
    let (speed, pace) = match settings.speed {
        Speed::Times(times) => (times, format!("{times} times as fast as life")),
        Speed::AsFastAsRead { .. } => (0.0, "as fast as it is read".to_string()),
    };
    let time = match &settings.source {
        SourceSettings::Flood(flood) => Time::Wall { shift_ns: flood.shift_ns },
        _ => Time::Led { speed },
    };
    let keys = settings.keys.first().context("the embedded market has no keys")?;
    let keys = Keys::new(keys.key.clone(), keys.secret.clone());
    let venue = venue::start(settings)?;
    Ok(Place {
        trading_url: venue.rest_url.clone(),
        data_url: venue.rest_url.clone(),
        stock_ws_url: venue.stock_ws_url.clone(),
        option_ws_url: venue.option_ws_url.clone(),
        trading_ws_url: venue.trading_ws_url.clone(),
        keys,
        time,
        described: format!("embedded market at {} (seed {}, {pace})", venue.rest_url, venue.seed),
        venue: Some(venue),
    })
}

/// Settings of the simulated market.
pub fn simulated(settings: &Settings, state_file: Option<PathBuf>) -> venue::Settings {
    let market = exchange::market_model::Settings {
        seed: settings.venue.seed,
        symbols: settings.symbols.clone(),
        first_session: settings.venue.first_session,
        stock_quotes_per_second: settings.venue.stock_quotes_per_second,
        stock_trades_per_second: settings.venue.stock_trades_per_second,
        option_checks_per_second: settings.venue.option_checks_per_second,
        option_quote_age_max_seconds: settings.venue.option_quote_age_max_seconds,
    };
    venue::Settings {
        port: settings.venue.port,
        source: SourceSettings::Simulated(market.clone()),
        hold: Hold { stocks: true, options: true, orders: true },
        closed_pause: settings.venue.closed_pause,
        exchange: exchange_settings(settings),
        cash: settings.venue.cash,
        limits: own_limits(settings),
        state_file,
        ..venue::Settings::simulated(market, Speed::Times(settings.venue.speed))
    }
}

/// How orders fill, and what they cost.
pub fn exchange_settings(settings: &Settings) -> exchange::Settings {
    let fees = settings.risk.book.fees.clone();
    match settings.venue.fills {
        Fills::HalfSpread => exchange::Settings::ordinary(Some(fees)),
        Fills::BrokerPaper => exchange::Settings::broker_paper(),
        Fills::Stress => {
            let ordinary = exchange::Settings::ordinary(Some(fees));
            exchange::Settings { fills: exchange::settings::FillModel::Stress, ..ordinary }
        }
    }
}

/// The embedded market limits what the settings say a plan limits, and nothing else: time runs faster there.
pub fn own_limits(settings: &Settings) -> Limits {
    Limits {
        trading_per_minute: 1_000_000,
        data_per_minute: 1_000_000,
        stock_symbols_max: settings.feed.stock_symbols_max.max(settings.symbols.len()),
        option_quotes_max: settings.feed.option_quotes_max,
        ping_every: Duration::from_secs(10),
        ..Limits::paid_plan()
    }
}
