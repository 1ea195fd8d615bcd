//! `wingspread venue`: only the embedded market, for an engine or an SDK of somebody's own.

use crate::{cli, place, run};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Runs the market until it is stopped.
///
/// # Errors
/// When it does not start.
pub fn serve(args: &cli::Venue, options: &cli::Run) -> anyhow::Result<ExitCode> {
    let mut settings = run::settings(options)?;
    anyhow::ensure!((1.0..=600.0).contains(&args.speed), "--speed {}: give 1 to 600", args.speed);
    settings.venue.speed = args.speed;
    settings.venue.port = args.port;
    settings.venue.seed = args.seed.unwrap_or(settings.venue.seed);
    let stop = run::stop_signals()?;
    let venue = venue::start(place::simulated(&settings, args.state.clone()))?;
    println!("embedded market, seed {}, {} times as fast as life", venue.seed, args.speed);
    println!("REST           {}", venue.rest_url);
    println!("stock stream   {}", venue.stock_ws_url);
    println!("option stream  {}", venue.option_ws_url);
    println!("order stream   {}", venue.trading_ws_url);
    println!("keys           SIMKEY / SIMSECRET");
    println!(
        "An engine follows it with: WINGSPREAD_VENUE_SPEED={} wingspread paper --config FILE",
        args.speed
    );
    println!("(`endpoint: custom` and these addresses under `endpoints`). Ctrl-C stops it.");
    let begun_ns = live::clock::monotonic_ns();
    let over = || {
        args.run_for
            .is_some_and(|limit| Duration::from_nanos(live::clock::monotonic_ns() - begun_ns) >= limit)
    };
    while !stop.load(Ordering::Relaxed) && !over() {
        std::thread::sleep(Duration::from_millis(50));
    }
    venue.stop();
    Ok(ExitCode::SUCCESS)
}
