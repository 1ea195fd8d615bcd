//! `wingspread train`: ten models from simulated history, and an honest table of what they are worth.
//!
//! The bars come from markets of the simulated exchange with seeds of their own, never the one that is traded: past
//! bars as the venue serves them, then sessions lived tick by tick and made into bars by the engine's own
//! `indicators`. All markets share their dates, so one cut in time cuts them all.

use crate::{cli, run};
use anyhow::{Context, bail, ensure};
use exchange::market_model::{self, MarketModel, gather};
use forecast::LabelRule;
use indicators::Analysis;
use market::quote::{Bar, MarketEvent, Timeframe};
use market::session::Session;
use market::time::MINUTE;
use market::{Instrument, Label, Symbol, session};
use std::path::Path;
use std::process::ExitCode;
use training::learner::{Bounds, Learner};
use training::{History, boosting, descent};

/// Simulated markets: enough that the longest timeframes have rows, few enough for a coffee.
const WORLDS: usize = 8;
/// Sessions of minutes that a simulated market is born with.
const BORN_WITH: u32 = 20;
/// Most sessions: half a gigabyte of rows for nine symbols.
const SESSIONS_MAX: u32 = 250;
/// Models are called `sim-1min` to `sim-1year`: their name says where they come from.
const PREFIX: &str = "sim";
/// Seeds that tests and examples use start low; trained markets stay above.
const SEEDS_FROM: u64 = 1_000_000;

/// Trains and writes the bundles.
///
/// # Errors
/// Settings with faults, a version that is there already, a folder that cannot be written.
pub fn run(args: &cli::Train, options: &cli::Run) -> anyhow::Result<ExitCode> {
    let settings = run::settings(options)?;
    ensure!(
        (1..=SESSIONS_MAX).contains(&args.sessions),
        "--sessions {}: give 1 to {SESSIONS_MAX}; below 30 the four-hour model has too little to learn from",
        args.sessions
    );
    let training = training_settings(args, &settings.symbols)?;
    refuse_existing(&args.out, &training)?;
    let lived = args.sessions.saturating_sub(BORN_WITH);
    let first = first_session(settings.venue.first_session, lived)?;
    let market = market_model::Settings {
        seed: 0,
        symbols: settings.symbols.clone(),
        first_session: first.date,
        stock_quotes_per_second: settings.venue.stock_quotes_per_second,
        stock_trades_per_second: settings.venue.stock_trades_per_second,
        option_checks_per_second: settings.venue.option_checks_per_second,
        option_quote_age_max_seconds: settings.venue.option_quote_age_max_seconds,
    };
    let seeds = world_seeds(args.seed, WORLDS, settings.venue.seed);
    println!(
        "Simulating {WORLDS} markets of {} symbols: ten years of days and {} sessions of minutes each.",
        settings.symbols.len(),
        args.sessions
    );
    let histories = simulate(&market, &seeds, first, args.sessions)?;
    println!("Training ten models on {} histories; this takes a few minutes.", histories.len());
    let report = training::train(&histories, &training, &args.out)?;
    println!("\n{report}\n{}", explain(&report));
    println!(
        "Written to {}: version {} of {PREFIX}-1min to {PREFIX}-1year.",
        args.out.display(),
        args.version
    );
    Ok(ExitCode::SUCCESS)
}

fn training_settings(args: &cli::Train, symbols: &[Symbol]) -> anyhow::Result<training::Settings> {
    let names: Vec<&str> = symbols.iter().map(Symbol::as_str).collect();
    let version: Label = args
        .version
        .parse()
        .with_context(|| format!("--version `{}`: give a short one such as 2 or 1.1", args.version))?;
    ensure!(
        !args.version.starts_with('.') && !args.version.contains(['/', '\\']),
        "--version `{}` becomes a folder's name: give a plain one such as 2 or 1.1",
        args.version
    );
    Ok(training::Settings {
        prefix: Label::literal(PREFIX),
        version,
        seed: args.seed,
        timeframes: Timeframe::ALL.to_vec(),
        horizon_bars: [15, 6, 4, 4, 3, 2, 5, 2, 1, 1],
        label: LabelRule::Horizon { threshold_atr: 0.27 },
        learners: vec![Learner::Network],
        network: descent::Params {
            hidden: 32,
            learning_rate: 5e-4,
            weight_decay: 1e-2,
            epochs_max: 30,
            patience_epochs: 5,
            batch_rows: 128,
        },
        trees: boosting::Params {
            rounds_max: 300,
            patience_rounds: 20,
            learning_rate: 0.1,
            depth: 4,
            leaf_weight_min: 20.0,
            l2: 2.0,
            columns: 0.7,
        },
        trials: 1,
        folds: 3,
        test_share: 0.2,
        stop_share: 0.15,
        bounds: Bounds { rows_min: 400, rows_max: 200_000 },
        only_skilled: false,
        source: format!(
            "simulated market, not the real one: {WORLDS} markets derived from seed {}, {}, {} sessions of minutes each",
            args.seed,
            names.join(" "),
            args.sessions
        ),
    })
}

/// Looked at before the simulation, so that nobody waits for a refusal.
fn refuse_existing(out: &Path, training: &training::Settings) -> anyhow::Result<()> {
    for timeframe in Timeframe::ALL {
        let folder = out.join(format!("{}-{timeframe}", training.prefix)).join(training.version.as_str());
        if folder.exists() {
            bail!(
                "{} is there already and versions never change: give another --version, or another folder with --out",
                folder.display()
            );
        }
    }
    Ok(())
}

/// The simulated past ends before the first day that is traded.
fn first_session(traded_from: market::Date, lived: u32) -> anyhow::Result<Session> {
    session::offset(traded_from, -(lived as i32 + 1)).with_context(|| {
        format!("no session in the calendar {lived} sessions before {traded_from}: fewer --sessions")
    })
}

/// Seeds of markets that nobody trades in (splitmix64, Steele, Lea and Flood 2014).
fn world_seeds(seed: u64, count: usize, traded: u64) -> Vec<u64> {
    let mix = |n: u64| {
        let z = seed.wrapping_add((n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    (0u64..).map(mix).filter(|s| *s >= SEEDS_FROM && *s != traded).take(count).collect()
}

/// The histories of all markets, on as many threads as there are processors.
fn simulate(
    market: &market_model::Settings,
    seeds: &[u64],
    first: Session,
    sessions: u32,
) -> anyhow::Result<Vec<History>> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(seeds.len()).max(1);
    let share = seeds.len().div_ceil(threads);
    let one = |seed: &u64| world(&market_model::Settings { seed: *seed, ..market.clone() }, first, sessions);
    let some = |seeds: &[u64]| seeds.iter().map(one).collect::<anyhow::Result<Vec<_>>>();
    let made = std::thread::scope(|scope| {
        let workers: Vec<_> = seeds.chunks(share).map(|part| scope.spawn(move || some(part))).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, _>| match worker.join() {
            Ok(made) => made,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        workers.into_iter().map(join).collect::<anyhow::Result<Vec<_>>>()
    })?;
    Ok(made.into_iter().flatten().flatten().collect())
}

/// One market: its past, then its sessions lived.
fn world(settings: &market_model::Settings, first: Session, sessions: u32) -> anyhow::Result<Vec<History>> {
    let mut model = MarketModel::new(settings.clone())?;
    let mut histories: Vec<History> =
        settings.symbols.iter().map(|symbol| past(&model, *symbol, sessions)).collect();
    for n in 0..sessions.saturating_sub(BORN_WITH) {
        let session = session::offset(first.date, n as i32).context("the calendar ends: fewer --sessions")?;
        for (history, minutes) in histories.iter_mut().zip(live(&mut model, &session)) {
            history.days.extend(gather(&minutes, Timeframe::Day1).into_iter().map(at_midnight));
            history.minutes.extend(minutes);
        }
    }
    Ok(histories)
}

fn past(model: &MarketModel, symbol: Symbol, sessions: u32) -> History {
    let mut minutes = model.history(symbol, Timeframe::Min1);
    let date = |bar: &Bar| bar.start.new_york().0;
    let newest = minutes.last().map(date);
    let from = newest.and_then(|newest| session::offset(newest, 1 - sessions.min(BORN_WITH) as i32));
    minutes.retain(|bar| from.is_none_or(|from| date(bar) >= from.date));
    History { symbol, days: model.history(symbol, Timeframe::Day1), minutes }
}

/// Daily bars start at midnight, as history's do.
fn at_midnight(bar: Bar) -> Bar {
    Bar { start: bar.start.new_york().0.at_new_york(0), ..bar }
}

/// Lives a session; answers each symbol's minutes as the engine would have made them.
fn live(model: &mut MarketModel, session: &Session) -> Vec<Vec<Bar>> {
    let mut makers: Vec<Minutes> = model.symbols().iter().map(|symbol| Minutes::new(*symbol)).collect();
    let mut events = Vec::new();
    let mut now = session.open;
    // Two minutes more, for the bars that close late.
    while now <= session.close + 2 * MINUTE {
        model.advance(now, &mut events);
        for event in events.drain(..) {
            let (MarketEvent::Quote(instrument, _) | MarketEvent::Trade(instrument, _)) = &event else {
                continue;
            };
            if let Instrument::Stock(symbol) = instrument
                && let Some(maker) = makers.iter_mut().find(|maker| maker.symbol == *symbol)
            {
                maker.hear(&event);
            }
        }
        makers.iter_mut().for_each(|maker| maker.pass(now));
        now = now + MINUTE;
    }
    makers.into_iter().map(|maker| maker.made).collect()
}

/// Ticks to minute bars, by the engine's own analysis.
struct Minutes {
    symbol: Symbol,
    analysis: Analysis,
    made: Vec<Bar>,
}

impl Minutes {
    fn new(symbol: Symbol) -> Self {
        Self { symbol, analysis: Analysis::new(), made: Vec::with_capacity(390) }
    }

    fn hear(&mut self, event: &MarketEvent) {
        let closed = match event {
            MarketEvent::Quote(_, quote) => {
                self.pass(quote.at);
                self.analysis.on_quote(quote.at, quote)
            }
            MarketEvent::Trade(_, trade) => {
                self.pass(trade.at);
                self.analysis.on_trade(trade.at, trade)
            }
            _ => return,
        };
        self.keep(closed);
    }

    fn pass(&mut self, now: market::Timestamp) {
        while let Some(due) = self.analysis.deadline().filter(|due| *due <= now) {
            let closed = self.analysis.advance(due);
            self.keep(closed);
            if self.analysis.deadline() == Some(due) {
                return;
            }
        }
    }

    fn keep(&mut self, closed: indicators::Closed) {
        if closed.has(Timeframe::Min1)
            && let Some(bar) = self.analysis.last_closed(Timeframe::Min1)
            && self.made.last().is_none_or(|last| last.start < bar.start)
        {
            self.made.push(*bar);
        }
    }
}

/// What the table means, in words.
fn explain(report: &training::Report) -> String {
    let (good, bad): (Vec<_>, Vec<_>) = report.models.iter().partition(|model| model.has_skill());
    let names = |models: &[&training::TimeframeReport]| {
        let names: Vec<String> = models.iter().map(|m| m.timeframe.to_string()).collect();
        if names.is_empty() { "none".to_string() } else { names.join(", ") }
    };
    format!(
        "\"of base\" is what saying the base rates alone scores on the same test rows, the newest, which nothing was chosen \
         by.\nBetter than base rates, on the folds and on the test, beyond doubt: {}.\nNot proven, or base rates only: {}.\n\
         This is skill in a simulated market. It says nothing about the real one: do not trade real money with it.",
        names(&good),
        names(&bad)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ_and_are_never_the_traded_one() {
        let seeds = world_seeds(20_261_122, 24, 20_261_122);
        let mut distinct = seeds.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 24);
        assert!(seeds.iter().all(|s| *s >= SEEDS_FROM && *s != 20_261_122));
        let without_third = world_seeds(20_261_122, 3, seeds[2]);
        assert_eq!(without_third, [seeds[0], seeds[1], seeds[3]]);
    }

    #[test]
    fn a_lived_session_gives_every_minute_of_every_symbol() {
        let first = session::session_or_next(market::Date::literal(2026, 3, 2)).expect("in the calendar");
        let settings = market_model::Settings {
            seed: 5_000_000,
            symbols: vec![Symbol::literal("SPY"), Symbol::literal("TLT")],
            first_session: first.date,
            stock_quotes_per_second: 1.0,
            stock_trades_per_second: 0.5,
            option_checks_per_second: 1.0,
            option_quote_age_max_seconds: 10.0,
        };
        let histories = world(&settings, first, BORN_WITH + 1).expect("makes");
        for history in histories {
            assert_eq!(history.minutes.len(), 21 * 390, "{}", history.symbol);
            assert!(history.minutes.windows(2).all(|w| w[0].start < w[1].start));
            assert!(history.days.windows(2).all(|w| w[0].start < w[1].start));
            assert_eq!(history.days.last().map(|d| d.start), Some(first.date.at_new_york(0)));
        }
        let short = world(&settings, first, 3).expect("makes");
        assert_eq!(short[0].minutes.len(), 3 * 390);
    }

    #[test]
    fn an_existing_version_is_refused_before_anything_is_made() {
        let folder = tempfile::tempdir().expect("folder");
        let args = cli::Train { out: folder.path().into(), seed: 1, version: "1".into(), sessions: 60 };
        let training = training_settings(&args, &[Symbol::literal("SPY")]).expect("right");
        refuse_existing(&args.out, &training).expect("nothing there");
        std::fs::create_dir_all(folder.path().join("sim-4h/1")).expect("folder");
        let said = refuse_existing(&args.out, &training).expect_err("there").to_string();
        assert!(said.contains("sim-4h"), "{said}");
        for version in ["../1", "a/b", ""] {
            let args =
                cli::Train { out: folder.path().into(), seed: 1, version: version.into(), sessions: 60 };
            let made = training_settings(&args, &[]);
            assert!(made.is_err() || !made.expect("parsed").faults().is_empty(), "{version}");
        }
    }
}
