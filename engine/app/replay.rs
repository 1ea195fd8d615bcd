//! `wingspread replay`: recorded days through real sockets, engine and journal, as if they were live.

use crate::cli::{self, Resolution};
use crate::place;
use crate::report;
use crate::run::{Watch, finish, stop_signals};
use crate::settings::Settings;
use crate::wire::{self, Start};
use anyhow::{Context, bail, ensure};
use history::lean::{EquityData, What};
use market::quote::Bar;
use market::{Date, Symbol};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use venue::{Hold, Recording, SourceSettings, Speed};

/// The settings a replay takes when none are named.
const CONFIG: &str = "config/replay.yaml";
/// Frames the venue may be ahead of us when ticks are replayed as fast as they can be read.
const FRAMES_AHEAD: u32 = 512;
/// Wall time the closed market stays put between days, for activities and reconciliation.
const CLOSED_PAUSE: Duration = Duration::from_secs(3);
/// Wall time after the last event before the replay ends: settlement is asked for once more.
const LAST_WORDS: Duration = Duration::from_secs(6);

/// Runs the replay.
///
/// # Errors
/// When data, settings or the engine fail, with the place and the remedy.
pub fn run(replay: &cli::Replay) -> anyhow::Result<ExitCode> {
    let settings = settings(replay)?;
    let folder = folder(replay)?;
    let stop = stop_signals()?;
    let opened = wire::open_journal(&settings, &folder)?;
    let place = place::embedded(venue_settings(replay, &settings)?)?;
    println!("replay of {} from {} to {} at {}", replay.symbol, replay.from, replay.to, place.described);
    println!("journal in {}", folder.display());
    let trade = replay.resolution == Resolution::Minute;
    let start = Start { settings: &settings, folder: folder.clone(), opened, place, trade };
    let engine = wire::start(start, &mut |line| println!("{line}"))?;
    let watch = Watch { every: Duration::from_secs(10), run_for: None, after_the_data: Some(LAST_WORDS) };
    let engine = watch.over(engine, &stop);
    let code = finish(engine, &folder)?;
    let bars = minute_bars(&folder, &settings)?;
    println!("{} one-minute bars made from the trades heard", bars.len());
    if let Some(file) = &replay.bars {
        write_bars(file, &bars)?;
    }
    println!("{}", report::accounting(&folder, &settings)?);
    Ok(code)
}

fn settings(replay: &cli::Replay) -> anyhow::Result<Settings> {
    let file = replay.config.clone().unwrap_or_else(|| PathBuf::from(CONFIG));
    let mut settings = crate::settings::load(&file).map_err(|faults| anyhow::anyhow!("{faults}"))?;
    settings.symbols = vec![replay.symbol.parse().context("--symbol")?];
    if replay.resolution == Resolution::Tick {
        settings.strategy.inference = false;
    }
    Ok(settings)
}

/// A replay's journal holds one replay: recorded time starts anew each time.
fn folder(replay: &cli::Replay) -> anyhow::Result<PathBuf> {
    let folder = replay.journal.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("wingspread-replay-{}-{}", replay.symbol, std::process::id()))
    });
    let used = folder.join("data.mdb").exists();
    ensure!(!used, "{}: holds a journal already; name a fresh folder with --journal", folder.display());
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("{}: cannot make the folder", folder.display()))?;
    Ok(folder)
}

fn venue_settings(replay: &cli::Replay, settings: &Settings) -> anyhow::Result<venue::Settings> {
    let symbol: Symbol = replay.symbol.parse().context("--symbol")?;
    let (from, to): (Date, Date) =
        (replay.from.parse().context("--from")?, replay.to.parse().context("--to")?);
    let tick = replay.resolution == Resolution::Tick;
    let what = What { equity: if tick { EquityData::Ticks } else { EquityData::Prints }, options: !tick };
    let mut days = Vec::new();
    let mut day = market::session::session_or_next(from).map(|s| s.date);
    while let Some(date) = day.filter(|d| *d <= to) {
        days.push((symbol, date, what));
        day = market::session::next_session(date).map(|s| s.date);
    }
    let root = replay.data.join("lean");
    if days.is_empty() || !root.is_dir() {
        bail!(
            "{}: no LEAN data there for {symbol} from {from} to {to}; name the data folder with --data or \
             WINGSPREAD_DATA, and days with sessions",
            root.display()
        );
    }
    let speed = if tick {
        Speed::AsFastAsRead { frames_ahead_max: FRAMES_AHEAD }
    } else {
        ensure!((1.0..=600.0).contains(&replay.speed), "--speed {}: give 1 to 600", replay.speed);
        Speed::Times(replay.speed)
    };
    let simulated = place::simulated(settings, None);
    let mut exchange = place::exchange_settings(settings);
    // Minute quotes stand until the next change, which may be many minutes off.
    exchange.quote_age_max_ns = 30 * market::time::MINUTE;
    exchange.activities_next_day = false;
    Ok(venue::Settings {
        source: SourceSettings::Recorded(Recording { root, days, seed: settings.venue.seed }),
        speed,
        hold: Hold { stocks: true, options: !tick, orders: !tick },
        closed_pause: CLOSED_PAUSE,
        exchange,
        ..simulated
    })
}

/// The one-minute bars that the engine's own analysis made of the trades on record.
///
/// # Errors
/// When the record does not read.
pub fn minute_bars(folder: &Path, settings: &Settings) -> anyhow::Result<Vec<Bar>> {
    use desk::letter::{Address, Letter};
    use market::quote::{MarketEvent, Timeframe};
    let reader = journal::Reader::open(folder)?;
    let mut bars: Vec<Bar> = Vec::new();
    for symbol in &settings.symbols {
        let mut analysis = indicators::Analysis::new();
        let take = |analysis: &indicators::Analysis, closed: indicators::Closed, bars: &mut Vec<Bar>| {
            if closed.has(Timeframe::Min1) {
                bars.extend(analysis.last_closed(Timeframe::Min1));
            }
        };
        for entry in reader.all() {
            let Ok(journal::Record {
                kind: journal::Kind::Heard, body: journal::Body::Letter(envelope), ..
            }) = entry?.record
            else {
                continue;
            };
            if envelope.to != Address::Underlying(*symbol) {
                continue;
            }
            let closed = match envelope.letter {
                Letter::Market(MarketEvent::Trade(market::Instrument::Stock(_), trade)) => {
                    analysis.on_trade(envelope.at, &trade)
                }
                Letter::Wake => analysis.advance(envelope.at),
                _ => continue,
            };
            take(&analysis, closed, &mut bars);
        }
        let end = bars.last().map_or(market::Timestamp::MIN, |bar| bar.start + market::time::DAY);
        let closed = analysis.advance(end);
        take(&analysis, closed, &mut bars);
    }
    Ok(bars)
}

fn write_bars(file: &Path, bars: &[Bar]) -> anyhow::Result<()> {
    let mut text = String::from("start,open,high,low,close,volume,trades\n");
    for b in bars {
        text.push_str(&format!(
            "{},{},{},{},{},{},{}\n",
            b.start, b.open, b.high, b.low, b.close, b.volume, b.trades
        ));
    }
    std::fs::write(file, text).with_context(|| format!("{}: cannot be written", file.display()))
}
