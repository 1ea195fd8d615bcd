//! `wingspread warmup`: after how many bars each indicator no longer depends on where history began, measured on data
//! of one's own beside what its declaration says.

use crate::cli;
use history::recording::Recording;
use indicators::candle::Candle;
use indicators::declaration::{Declaration, Memory};
use indicators::grid::session_date;
use indicators::memory::forgets_after;
use indicators::table;
use indicators::walk::{Rows, Seen, Walk};
use market::Timestamp;
use market::quote::Timeframe;
use market::time::MINUTE;
use std::process::ExitCode;

/// Fewer bars than this say nothing about any indicator.
const BARS_MIN: usize = 100;

/// Makes the bars, measures every indicator, prints a table.
///
/// # Errors
/// What is wrong with the data, or too few bars.
pub fn run(args: &cli::Warmup) -> anyhow::Result<ExitCode> {
    let symbol = args.symbol.as_deref().map(super::features::parse_symbol).transpose()?;
    let recording = Recording::open(&args.data, symbol)?;
    let candles = candles(&recording, args.timeframe)?;
    if candles.len() < BARS_MIN {
        anyhow::bail!(
            "{} has {} closed bars of {}, fewer than {BARS_MIN}: give more --data or a shorter --timeframe",
            recording.symbol(),
            candles.len(),
            args.timeframe
        );
    }
    let mut text = format!(
        "{} bars of {} of {}: bars after which a value is the same wherever history began\n\n{:<18} {:>8} {:>9} {:>9}\n",
        candles.len(),
        args.timeframe,
        recording.symbol(),
        "indicator",
        "warm-up",
        "declared",
        "measured"
    );
    for declaration in table::all() {
        text.push_str(&line(declaration, &candles)?);
    }
    text.push_str("\nmeasured `-`: not within these bars, or never (it counts from the first bar)\n");
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn line(declaration: &'static Declaration, candles: &[Candle]) -> anyhow::Result<String> {
    let parameters = declaration.defaults();
    let declared = match declaration.memory {
        Memory::Window(bars) => bars(&parameters).to_string(),
        Memory::Fading(bars) => format!("~{}", bars(&parameters)),
        Memory::Session => "session".into(),
        Memory::Forever => "never".into(),
    };
    let measured = forgets_after(declaration, &parameters, candles)?;
    let measured = measured.map_or("-".into(), |bars| bars.to_string());
    let warm_up = (declaration.warm_up)(&parameters);
    Ok(format!("{:<18} {warm_up:>8} {declared:>9} {measured:>9}\n", declaration.name))
}

/// The bars of one timeframe that closed, as the engine would have made them.
fn candles(recording: &Recording, timeframe: Timeframe) -> anyhow::Result<Vec<Candle>> {
    let rows = Rows { timeframes: vec![timeframe], every_tick: false };
    let mut walk = Walk::new(recording.symbol(), recording.splits().to_vec(), rows);
    let mut candles = Vec::new();
    let mut tell = |seen: &Seen<'_>| {
        candles.push(Candle::from_bar(&seen.bar, session_date(seen.bar.start).days()));
    };
    let mut last = Timestamp::MIN;
    for part in recording.parts() {
        for stamped in part? {
            last = last.max(stamped.at);
            walk.hear(stamped.at, &stamped.event, &mut tell);
        }
    }
    if last > Timestamp::MIN {
        walk.finish(last + MINUTE, &mut tell);
    }
    Ok(candles)
}
