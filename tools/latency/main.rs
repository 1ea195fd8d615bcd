//! Open-loop latency benchmark over real sockets. The venue sends stock quotes at a fixed rate whether or not anybody
//! keeps up; each carries the time it was *meant* to be sent, and the engine's clock is the same wall clock, so that
//! `since_stamp` has no coordinated omission: a stall counts against every quote it held up.
//!
//! `cargo run --release -p latency -- --rate 10000 --seconds 60`

mod dropping;
mod stalls;

use anyhow::Context;
use clap::Parser;
use live::stages::Stage;
use market::Date;
use std::path::{Path, PathBuf};
use std::time::Duration;
use venue::{Flood, OptionFlood, SourceSettings, Speed};
use wingspread::{place, report, run, settings, wire};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What can be typed.
#[derive(Parser)]
#[command(about = "Open-loop latency benchmark over real sockets")]
struct Cli {
    /// Quotes a second over all symbols.
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// How long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Ask no models.
    #[arg(long)]
    no_inference: bool,
    /// Option quotes a second beside those of the shares, over the contracts that are listened to; 0 for none.
    #[arg(long, default_value_t = 0)]
    option_quotes: u64,
    /// Contracts to listen to over all symbols, with `--option-quotes` (a data plan allows 1,000).
    #[arg(long, default_value_t = 4_320)]
    contracts: usize,
    /// Drop a new version of one of the models every so many milliseconds, and promote it.
    #[arg(long)]
    drop_every: Option<u64>,
    /// Every so many-th message is a trade.
    #[arg(long, default_value_t = 20)]
    trade_every: u64,
    /// Keep market words out of the journal.
    #[arg(long)]
    no_inputs: bool,
    /// Write .hgrm files here.
    #[arg(long)]
    export: Option<PathBuf>,
    /// Settings file.
    #[arg(long, default_value = run::CONFIG)]
    config: PathBuf,
}

/// The flood is put into this session: one without an early close, an hour after its open.
const SESSION: Date = Date::literal(2026, 3, 16);
/// Expiries of each symbol to listen to when options are quoted: all that the market lists.
const EXPIRIES: usize = 12;
/// How long the machine is watched before the run.
const WATCH: Duration = Duration::from_secs(3);

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let mut settings = settings::load(&cli.config).map_err(|faults| anyhow::anyhow!("{faults}"))?;
    settings.strategy.inference &= !cli.no_inference;
    settings.keep_inputs &= !cli.no_inputs;
    if cli.option_quotes > 0 {
        settings.feed.option_quotes_max = cli.contracts;
        settings.feed.expiries_max = EXPIRIES;
    }
    let folder = std::env::temp_dir().join(format!("wingspread-latency-{}", std::process::id()));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("{}: cannot make the folder", folder.display()))?;
    if cli.drop_every.is_some() {
        let own = folder.join("models");
        dropping::copy(&settings.models.folder, &own)?;
        settings.models.folder = own;
    }
    let stop = run::stop_signals()?;
    let opened = wire::open_journal(&settings, &folder)?;
    let place = place::embedded(venue_settings(&cli, &settings)?)?;
    for (core, stalls) in stalls::Stalls::of_all_cores(WATCH).iter().enumerate() {
        println!("machine, idle loop on core {core}: {stalls}");
    }
    println!("{}; {} quotes a second for {} s", place.described, cli.rate, cli.seconds);
    let start = wire::Start { settings: &settings, folder: folder.clone(), opened, place, trade: true };
    let engine = wire::start(start, &mut |line| println!("{line}"))?;
    let dropping = cli.drop_every.map(|every_ms| drop_models(&settings, &folder, every_ms)).transpose()?;
    let run_for = Some(Duration::from_secs(cli.seconds + 3));
    let watch = run::Watch { every: Duration::from_secs(10), run_for, after_the_data: None };
    let mut engine = watch.over(engine, &stop);
    if let Some(dropping) = dropping {
        let dropped = dropping.end()?;
        println!("dropped {} bundles while it ran, {} of them promoted", dropped.bundles, dropped.promoted);
    }
    let sent = engine.venue().and_then(|v| v.stats());
    let (room, counters) = engine.stop(Duration::from_millis(300))?;
    let heard = room.stages.counters;
    println!("\n{}", live::stages::table(&room.stages));
    println!(
        "sent {}; decoded {} quotes and {} trades; conflated {}; oldest quote acted on {:.1} ms; resident {} MB",
        sent.map_or(0, |s| s.market_events),
        heard.quotes_in,
        heard.trades_in,
        heard.quotes_conflated,
        heard.oldest_quote_ns as f64 / 1e6,
        resident_mb()
    );
    println!(
        "journal: {} stored, {} dropped",
        report::thousands(counters.stored),
        counters.dropped_telemetry
    );
    let since = room.stages.histogram(Stage::SinceStamp);
    println!(
        "from intended send time: p50 {:.1} us, p99 {:.1} us, p99.9 {:.1} us",
        since.value_at_quantile(0.5) as f64 / 1e3,
        since.value_at_quantile(0.99) as f64 / 1e3,
        since.value_at_quantile(0.999) as f64 / 1e3
    );
    if let Some(export) = &cli.export {
        let files = live::stages::export(&room.stages, export)?;
        println!("{} files in {}", files.len(), export.display());
    }
    drop(room);
    // A measurement's journal is of no use to anybody.
    let _ = std::fs::remove_dir_all(&folder);
    Ok(())
}

/// Starts to drop models into the folder of the settings.
fn drop_models(
    settings: &settings::Settings,
    journal: &Path,
    every_ms: u64,
) -> anyhow::Result<dropping::Dropping> {
    let program = wire::vetting_program().context("`wingspread` is not built beside this tool")?;
    let (models, journal) = (settings.models.folder.clone(), journal.to_owned());
    let places = dropping::Places { models, journal, program };
    dropping::Dropping::start(places, Duration::from_millis(every_ms))
}

fn venue_settings(cli: &Cli, settings: &settings::Settings) -> anyhow::Result<venue::Settings> {
    let session = market::session::session(SESSION).context("the session is in the calendar")?;
    let shift_ns = (session.open + market::time::HOUR).since(live::clock::wall());
    let flood = Flood {
        quotes_per_second: cli.rate,
        symbols: settings.symbols.clone(),
        seconds: cli.seconds,
        trade_every: cli.trade_every,
        seed: settings.venue.seed,
        shift_ns,
        options: options(cli, settings),
    };
    Ok(venue::Settings {
        source: SourceSettings::Flood(flood),
        speed: Speed::Times(1.0),
        ..place::simulated(settings, None)
    })
}

/// The option quotes: of the chains the simulated market lists on that session.
fn options(cli: &Cli, settings: &settings::Settings) -> Option<OptionFlood> {
    let SourceSettings::Simulated(mut market) = place::simulated(settings, None).source else { return None };
    market.first_session = SESSION;
    (cli.option_quotes > 0).then_some(OptionFlood { quotes_per_second: cli.option_quotes, market })
}

/// Resident memory of this process (venue and engine), in MB, as Linux tells it.
fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:"));
    let kb = line.and_then(|l| l.split_whitespace().nth(1)).and_then(|n| n.parse::<u64>().ok());
    kb.unwrap_or(0) / 1024
}
