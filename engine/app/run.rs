//! A run from start to summary: starts the engine, prints what happens, stops when asked and says what it did.

use crate::cli;
use crate::place;
use crate::report;
use crate::settings::{Endpoint, Settings};
use crate::wire::{self, Engine, Start};
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The settings file a run takes when none is named.
pub const CONFIG: &str = "config/wingspread.yaml";
/// How long working orders may take to be taken back at an orderly stop.
const GRACE: Duration = Duration::from_millis(1_500);
/// File of the embedded market's state in the run's folder.
pub const VENUE_STATE: &str = "venue.state";

/// Loads settings, with what the command line says put over them.
///
/// # Errors
/// Every fault of the file.
pub fn settings(run: &cli::Run) -> anyhow::Result<Settings> {
    let file = run.config.clone().unwrap_or_else(|| PathBuf::from(CONFIG));
    let mut settings = crate::settings::load(&file).map_err(|faults| anyhow::anyhow!("{faults}"))?;
    if let Some(speed) = run.speed {
        anyhow::ensure!((1.0..=600.0).contains(&speed), "--speed {speed}: give 1 to 600");
        settings.venue.speed = speed;
    }
    if let Some(seed) = run.seed {
        settings.venue.seed = seed;
    }
    if let Some(folder) = &run.journal {
        settings.journal_folder.clone_from(folder);
    }
    Ok(settings)
}

/// The plain run: the embedded market and the engine, on paper.
///
/// # Errors
/// Whatever keeps it from starting or stopping in order.
pub fn plain(run: &cli::Run) -> anyhow::Result<ExitCode> {
    let mut settings = settings(run)?;
    settings.endpoint = Endpoint::Embedded;
    go(&settings, run)
}

/// `wingspread paper`: where the settings say.
///
/// # Errors
/// Whatever keeps it from starting or stopping in order.
pub fn paper(run: &cli::Run) -> anyhow::Result<ExitCode> {
    let settings = settings(run)?;
    anyhow::ensure!(
        settings.endpoint != Endpoint::Embedded,
        "`endpoint` is `embedded`: write `endpoint: alpaca_paper` (or `custom` with `endpoints`) in the settings file; \
         `wingspread` without a command runs the embedded market"
    );
    go(&settings, run)
}

fn go(settings: &Settings, run: &cli::Run) -> anyhow::Result<ExitCode> {
    let folder = settings.journal_folder.clone();
    std::fs::create_dir_all(&folder).with_context(|| {
        format!("{}: cannot make the folder; name another with --journal", folder.display())
    })?;
    let stop = stop_signals()?;
    let opened = wire::open_journal(settings, &folder)?;
    let place = place::open(settings, Some(folder.join(VENUE_STATE)))?;
    println!("wingspread {}: {}", env!("CARGO_PKG_VERSION"), place.described);
    println!("journal and control socket in {}; Ctrl-C stops in order", folder.display());
    let engine =
        wire::start(Start { settings, folder: folder.clone(), opened, place, trade: true }, &mut |line| {
            println!("{line}")
        })?;
    println!(
        "run {}: {} symbols, ensemble {}, {} structures, started in {:.2} s",
        engine.run,
        settings.symbols.len(),
        settings.strategy.ensemble.name,
        settings.strategy.structures.len(),
        engine.started_in.as_secs_f64()
    );
    let asked = run.status_every.map(|seconds| Duration::from_secs(seconds.max(1)));
    let every = asked.unwrap_or(settings.engine.status_every);
    let watch = Watch { every, run_for: run.run_for, after_the_data: None };
    let engine = watch.over(engine, &stop);
    finish(engine, &folder)
}

/// Looks at a running engine until it should stop.
pub struct Watch {
    /// Time between status lines.
    pub every: Duration,
    /// Stop after this long.
    pub run_for: Option<Duration>,
    /// Stop this long after the embedded market has said its last word.
    pub after_the_data: Option<Duration>,
}

impl Watch {
    /// Prints notable events as they happen and status lines in between; answers when told to stop.
    pub fn over(&self, mut engine: Engine, stop: &AtomicBool) -> Engine {
        let begun = live::clock::monotonic_ns();
        let elapsed = || Duration::from_nanos(live::clock::monotonic_ns() - begun);
        let (mut seen, mut next_status, mut next_look) = (0, self.every, Duration::ZERO);
        let mut limit = self.run_for;
        loop {
            engine.room.round();
            engine.look_after_training();
            let (lines, now_seen) = report::notable_lines(&engine.room.view, seen);
            lines.iter().for_each(|line| println!("{line}"));
            seen = now_seen;
            if elapsed() >= next_status {
                next_status = elapsed() + self.every;
                engine.room.gather();
                println!("{}", report::status_line(&engine.room.view, &engine.room.stages, engine.now()));
            }
            let asked = stop.load(Ordering::Relaxed) || engine.stop.load(Ordering::Relaxed);
            if let (Some(last_words), true) = (self.after_the_data, elapsed() >= next_look) {
                next_look = elapsed() + Duration::from_millis(500);
                if engine.venue().and_then(|v| v.stats()).is_none_or(|stats| stats.finished) {
                    limit = limit.or(Some(elapsed() + last_words));
                }
            }
            if asked || limit.is_some_and(|limit| elapsed() >= limit) {
                return engine;
            }
        }
    }
}

/// Stops in order and prints what was done.
///
/// # Errors
/// When the journal does not close.
pub fn finish(engine: Engine, folder: &Path) -> anyhow::Result<ExitCode> {
    println!("stopping in order");
    let opening = engine.opening;
    let (room, counters) = engine.stop(GRACE)?;
    if !room.view.working.is_empty() {
        println!("{} orders still work at the venue; the next start looks them up", room.view.working.len());
    }
    println!("\n{}", report::summary(&room.view, &room.stages, opening));
    println!(
        "Journal in {}: {} records stored in {} groups, {} dropped, {} refused",
        folder.display(),
        report::thousands(counters.stored),
        report::thousands(counters.groups),
        counters.dropped_telemetry,
        counters.refused_letters
    );
    Ok(ExitCode::SUCCESS)
}

/// True once Ctrl-C (or a termination) was asked for. A second Ctrl-C ends at once; the journal's ring survives it.
///
/// # Errors
/// When the system gives no signal handler.
pub fn stop_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                use tokio::signal::unix::{SignalKind, signal};
                let (Ok(mut interrupt), Ok(mut terminate)) =
                    (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
                else {
                    return;
                };
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    if flag.swap(true, Ordering::Relaxed) {
                        std::process::exit(130);
                    }
                }
            });
        })
        .context("the signal thread does not start")?;
    Ok(stop)
}
