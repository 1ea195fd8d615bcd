//! The venue as a program of its own: a simulated market, a replay or a flood on a loopback port, for any
//! client that speaks the broker's protocol.

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use exchange::market_model;
use history::lean::{EquityData, What};
use market::{Date, Symbol};
use std::io::BufRead;
use std::path::PathBuf;
use std::time::Duration;
use venue::{Flood, Hold, Recording, Settings, SourceSettings, Speed};

/// An embedded market that speaks Alpaca's protocol on 127.0.0.1: keys SIMKEY / SIMSECRET, a paper account of
/// 100,000 dollars. Ends with Ctrl-C; Enter prints its counters.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8620)]
    port: u16,
    /// Virtual seconds a second, 1 to 600.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Run as fast as the clients read instead.
    #[arg(long)]
    as_fast_as_read: bool,
    /// Stand still until a stock session has subscribed.
    #[arg(long)]
    hold: bool,
    /// Keep account, time and market in this file: killed and started again, the venue goes on where it was.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    #[command(subcommand)]
    source: Option<Market>,
}

#[derive(Subcommand)]
enum Market {
    /// A simulated market (the default).
    Simulated {
        /// Seed of everything.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Underlyings, separated by commas.
        #[arg(long, default_value = "SPY,QQQ,IWM,DIA,TLT,GLD,GDX,XLF,AAPL")]
        symbols: String,
        /// The first session.
        #[arg(long, default_value = "2026-11-16")]
        first_session: Date,
        /// Mean stock quotes per virtual second and underlying.
        #[arg(long, default_value_t = 5.0)]
        quotes: f64,
        /// Mean stock trades per virtual second and underlying.
        #[arg(long, default_value_t = 1.0)]
        trades: f64,
    },
    /// Recorded LEAN minute data.
    Replay {
        /// The LEAN data folder (with `equity` and `option` in it).
        #[arg(long)]
        root: PathBuf,
        /// The symbol.
        #[arg(long)]
        symbol: String,
        /// Dates, separated by commas.
        #[arg(long)]
        dates: String,
        /// Replay trades and quotes tick by tick instead of minutes.
        #[arg(long)]
        ticks: bool,
        /// Leave the options out.
        #[arg(long)]
        no_options: bool,
    },
    /// Stock quotes at a steady rate on the wall clock.
    Flood {
        /// Quotes a second over all symbols.
        #[arg(long, default_value_t = 10_000)]
        rate: u64,
        /// Seconds from the first subscription.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Symbols, separated by commas.
        #[arg(long, default_value = "SPY,QQQ,IWM,DIA,TLT,GLD,GDX,XLF,AAPL")]
        symbols: String,
    },
}

fn symbols(text: &str) -> Result<Vec<Symbol>> {
    text.split(',').map(|s| s.trim().parse().with_context(|| format!("symbol `{s}`"))).collect()
}

fn source(market: Market) -> Result<SourceSettings> {
    Ok(match market {
        Market::Simulated { seed, symbols: names, first_session, quotes, trades } => {
            SourceSettings::Simulated(market_model::Settings {
                seed,
                symbols: symbols(&names)?,
                first_session,
                stock_quotes_per_second: quotes,
                stock_trades_per_second: trades,
                option_checks_per_second: 0.5,
                option_quote_age_max_seconds: 30.0,
            })
        }
        Market::Replay { root, symbol, dates, ticks, no_options } => {
            let symbol: Symbol = symbol.parse()?;
            let equity = if ticks { EquityData::Ticks } else { EquityData::Prints };
            let day = |text: &str| -> Result<_> {
                Ok((symbol, text.trim().parse::<Date>()?, What { equity, options: !no_options }))
            };
            let days = dates.split(',').map(day).collect::<Result<Vec<_>>>()?;
            SourceSettings::Recorded(Recording { root, days, seed: 1 })
        }
        Market::Flood { rate, seconds, symbols: names } => SourceSettings::Flood(Flood {
            shift_ns: 0,
            quotes_per_second: rate,
            symbols: symbols(&names)?,
            seconds,
            trade_every: 20,
            seed: 1,
            options: None,
        }),
    })
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if !(1.0..=600.0).contains(&arguments.speed) {
        bail!("--speed is {}, but must be between 1 and 600 (or use --as-fast-as-read)", arguments.speed);
    }
    let market = arguments.source.unwrap_or(Market::Simulated {
        seed: 1,
        symbols: "SPY,QQQ,IWM,DIA,TLT,GLD,GDX,XLF,AAPL".into(),
        first_session: Date::literal(2026, 11, 16),
        quotes: 5.0,
        trades: 1.0,
    });
    let speed = if arguments.as_fast_as_read {
        Speed::AsFastAsRead { frames_ahead_max: 64 }
    } else {
        Speed::Times(arguments.speed)
    };
    let settings = Settings {
        port: arguments.port,
        hold: Hold { stocks: arguments.hold, ..Hold::default() },
        state_file: arguments.state,
        ..Settings::with(source(market)?, speed)
    };
    let venue = venue::start(settings)?;
    println!("seed      {}", venue.seed);
    println!("rest      {}", venue.rest_url);
    println!("stocks    {}", venue.stock_ws_url);
    println!("options   {}", venue.option_ws_url);
    println!("orders    {}", venue.trading_ws_url);
    wait_for_the_end(&venue);
    venue.stop();
    Ok(())
}

/// Runs until it is killed (Ctrl-C); every line of standard input prints the counters.
fn wait_for_the_end(venue: &venue::Venue) {
    for _ in std::io::stdin().lock().lines().map_while(Result::ok) {
        if let Some(stats) = venue.stats() {
            println!("{stats:#?}");
        }
    }
    while venue.stats().is_some() {
        std::thread::sleep(Duration::from_secs(5));
    }
}
