//! Histories of markets that nobody trades in: the simulated exchange's, with seeds of their own, never the one that is
//! traded. Past bars are as the venue serves them; then sessions are lived tick by tick and made into bars by the
//! engine's own `indicators`. All markets share their dates, so one cut in time cuts them all.

use crate::settings::Settings;
use anyhow::{Context, ensure};
use exchange::market_model::{self, MarketModel, gather};
use indicators::Analysis;
use market::quote::{Bar, MarketEvent, Timeframe};
use market::session::Session;
use market::time::MINUTE;
use market::{Instrument, Symbol, session};
use training::History;

/// Simulated markets: enough that the longest timeframes have rows, few enough for a coffee.
pub const WORLDS: usize = 8;
/// Sessions of minutes that a simulated market is born with.
const BORN_WITH: u32 = 20;
/// Most sessions: half a gigabyte of rows for nine symbols.
const SESSIONS_MAX: u32 = 250;
/// Seeds that tests and examples use start low; trained markets stay above.
const SEEDS_FROM: u64 = 1_000_000;

/// Simulates [`WORLDS`] markets derived from a seed, each with that many sessions of minutes.
///
/// # Errors
/// Sessions beyond what the calendar or the memory hold.
pub fn histories(settings: &Settings, seed: u64, sessions: u32) -> anyhow::Result<Vec<History>> {
    ensure!(
        (1..=SESSIONS_MAX).contains(&sessions),
        "--sessions {sessions}: give 1 to {SESSIONS_MAX}; below 30 the four-hour model has too little to learn from"
    );
    let lived = sessions.saturating_sub(BORN_WITH);
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
    simulate(&market, &world_seeds(seed, WORLDS, settings.venue.seed), first, sessions)
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
}
