//! Where the chain comes from: the running engine, end-of-day chains, or LEAN's minutes. Wherever it comes from, it is
//! marked by the code that marks it live.

use crate::cli;
use crate::settings::Settings;
use anyhow::{Context, bail};
use history::eod_chain;
use history::lean::{Day, EquityData, What};
use live::look::Seen;
use market::quote::{Level, MarketEvent, Quote, Timeframe};
use market::time::MINUTE;
use market::{Contract, Date, Instrument, Price, Symbol, Timestamp, product};
use pricing::chain::Curve;
use pricing::chain::terms::Liquidity;
use pricing::surface::Surface;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use strategy::marking::{self, Marking};
use strategy::{Chain, search};

/// A chain at a moment, with what it is looked at with.
pub struct Scene {
    /// The symbol of the options.
    pub symbol: Symbol,
    /// The contracts with their quotes.
    pub chain: Chain,
    /// Its volatility surface.
    pub surface: Surface,
    /// Price of the underlying.
    pub spot: Price,
    /// When.
    pub now: Timestamp,
    /// A forecast's odds of down, flat and up.
    pub odds: Option<[f64; 3]>,
    /// What may be traded, and the rates used where quotes do not say.
    pub search: search::Settings,
    /// Days below which nothing is opened.
    pub days_floor: i32,
    /// Where all this is from, for people.
    pub from: String,
}

/// What the running engine holds.
///
/// # Errors
/// When no engine runs, or it does not have the symbol.
pub fn live(symbol: Symbol, options: &cli::Run, settings: &Settings) -> anyhow::Result<Scene> {
    let folder = super::super::folder(options)?;
    let answer = live::control::ask(&folder, &format!("look {symbol}"))
        .context("without --data FILE the chain is the running engine's")?;
    if let Some(why) = answer.strip_prefix("error: ") {
        bail!("{}", why.trim());
    }
    let seen: Seen = serde_json::from_str(&answer)
        .context("the engine's answer is not understood: is it of this version?")?;
    let Some(spot) = seen.spot else {
        bail!("the engine has heard no price of {symbol} yet; ask again in a moment")
    };
    let mut chain = empty(symbol, settings);
    for row in &seen.rows {
        if let Some((quote, heard)) = row.quote {
            chain.hear_spot(row.quoted_spot.unwrap_or(f64::NAN));
            chain.quote(heard, &row.contract, &quote);
        }
        chain.traded(&row.contract, row.volume);
        if let Some(contracts) = row.open_interest {
            chain.open_interest(&row.contract, contracts);
        }
    }
    // The engine's own rates first: parity goes on from them.
    chain.hear_spot(spot.dollars());
    chain.remark(seen.at);
    let expiries: Vec<Date> = chain.expiries().collect();
    for (date, rate, dividend_yield) in &seen.curves {
        if let Ok(at) = expiries.binary_search(date) {
            chain.set_curve(at, Curve { rate: *rate, dividend_yield: *dividend_yield });
        }
    }
    let surface = looked_over(&mut chain, spot, seen.at, settings.strategy.marking);
    Ok(Scene {
        symbol,
        chain,
        surface,
        spot,
        now: seen.at,
        odds: seen.odds.map(|odds| odds.map(f64::from)),
        search: settings.strategy.search,
        days_floor: settings.strategy.exit.days_min,
        from: format!("the engine in {}", folder.display()),
    })
}

/// What a file holds.
///
/// # Errors
/// What is wrong with it, with its place.
pub fn recorded(file: &Path, symbol: Symbol, when: &When<'_>, settings: &Settings) -> anyhow::Result<Scene> {
    let is_zip = file.extension().is_some_and(|extension| extension == "zip");
    let empty = empty(symbol, settings);
    let (mut chain, spot, now) =
        if is_zip { minutes(file, empty, when)? } else { closing(file, empty, when)? };
    let marking = marking::Settings {
        // Minutes are written when a quote changes: an old one still stands.
        liquidity: Liquidity { age_max_ns: i64::MAX, ..settings.strategy.marking.liquidity },
        ..settings.strategy.marking
    };
    let surface = looked_over(&mut chain, spot, now, marking);
    let search::Settings { open_interest_min, .. } = settings.strategy.search;
    let told = chain.expiries().any(|e| {
        [market::Right::Call, market::Right::Put]
            .into_iter()
            .any(|right| chain.strikes(e, right).iter().any(|row| row.open_interest.is_some()))
    });
    let search = search::Settings {
        age_max_ns: i64::MAX / 2,
        open_interest_min: if told { open_interest_min } else { 0 },
        ..settings.strategy.search
    };
    Ok(Scene {
        symbol,
        chain,
        surface,
        spot,
        now,
        odds: None,
        search,
        days_floor: 0,
        from: file.display().to_string(),
    })
}

type Loaded = (Chain, Price, Timestamp);

/// Which of a file's moments is looked at.
pub struct When<'a> {
    /// The day, `YYYY-MM-DD`; the last without it.
    pub day: Option<&'a str>,
    /// The time of that day, `HH:MM`, where the file holds more than its end.
    pub at: Option<&'a str>,
}

impl<'a> From<&'a cli::Structure> for When<'a> {
    fn from(args: &'a cli::Structure) -> Self {
        Self { day: args.day.as_deref(), at: args.at.as_deref() }
    }
}

impl<'a> From<&'a cli::Chain> for When<'a> {
    fn from(args: &'a cli::Chain) -> Self {
        Self { day: args.day.as_deref(), at: args.at.as_deref() }
    }
}

fn empty(symbol: Symbol, settings: &Settings) -> Chain {
    let search::Settings { rate, dividend_yield, .. } = settings.strategy.search;
    Chain::with_curve(symbol, Curve { rate, dividend_yield })
}

fn looked_over(chain: &mut Chain, spot: Price, now: Timestamp, settings: marking::Settings) -> Surface {
    let mut marking = Marking::new(settings);
    chain.hear_spot(spot.dollars());
    marking.look_over(chain, now);
    marking.surface().clone()
}

fn closing(file: &Path, mut chain: Chain, when: &When<'_>) -> anyhow::Result<Loaded> {
    let symbol = chain.symbol();
    let days = eod_chain::read(file)?;
    let wanted: Option<Date> = match when.day {
        Some(text) => {
            Some(text.parse().map_err(|_| anyhow::anyhow!("`{text}` is no date: write YYYY-MM-DD"))?)
        }
        None => None,
    };
    let ours = |day: &&eod_chain::EodChain| day.roots().contains(&symbol);
    let held: Vec<_> = days.iter().filter(ours).collect();
    let (Some(first), Some(last)) = (held.first(), held.last()) else {
        let mut roots: Vec<String> =
            days.iter().flat_map(|day| day.roots()).map(|root| root.to_string()).collect();
        roots.sort();
        roots.dedup();
        bail!("{}: holds no options of {symbol}; it has {}", file.display(), roots.join(", "));
    };
    let day = match wanted {
        None => last,
        Some(date) => held.iter().find(|day| day.date == date).with_context(|| {
            format!("{}: has no {date}; its days are {} to {}", file.display(), first.date, last.date)
        })?,
    };
    let Some(spot) = day.spot else {
        bail!("{}: the price of {} is neither in it nor beside it", file.display(), day.underlying);
    };
    chain.hear_spot(spot.dollars());
    for row in day.rows.iter().filter(|row| row.contract.root == symbol) {
        chain.quote(day.at, &row.contract, &row.quote);
        if let Some(contracts) = row.open_interest {
            chain.open_interest(&row.contract, contracts);
        }
        chain.traded(&row.contract, u32::try_from(row.volume).unwrap_or(u32::MAX));
    }
    Ok((chain, spot, day.at))
}

/// `ROOT/option/usa/minute/goog/20151224_quote_american.zip`: the root and the date.
fn of_layout(file: &Path) -> Option<(PathBuf, Date)> {
    let whole = file.canonicalize().ok()?;
    let date: Date = {
        let name = whole.file_stem()?.to_str()?.get(..8)?;
        let (year, month, day) = (name.get(..4)?, name.get(4..6)?, name.get(6..8)?);
        format!("{year}-{month}-{day}").parse().ok()?
    };
    let class = whole.ancestors().nth(4)?;
    let is_options = matches!(class.file_name()?.to_str()?, "option" | "indexoption");
    is_options.then(|| class.parent().map(|root| (root.to_path_buf(), date)))?
}

fn minutes(file: &Path, mut chain: Chain, when: &When<'_>) -> anyhow::Result<Loaded> {
    let symbol = chain.symbol();
    let Some((root, date)) = of_layout(file) else {
        bail!(
            "{}: not one of LEAN's option minutes in its folders \
             (…/option/usa/minute/goog/20151224_quote_american.zip), or not there",
            file.display()
        );
    };
    let until = date.at_new_york(clock(when.at.unwrap_or("15:30"))?);
    let what = What { equity: EquityData::Bars, options: true };
    let mut events = Day::load(&root, symbol, date, what)?.events;
    if product::is_index(&symbol)
        && let Ok(index) = symbol.as_str().trim_end_matches('W').parse::<Symbol>()
        && index != symbol
        && let Ok(day) = Day::load(&root, index, date, What { options: false, ..what })
    {
        // Weekly roots have an index of another name behind them.
        events.extend(day.events);
        events.sort_by_key(|event| event.at);
    }
    let mut spot: Option<Price> = None;
    let mut sides = Sides::default();
    for stamped in events.iter().take_while(|event| event.at <= until) {
        match stamped.event {
            MarketEvent::Quote(Instrument::Option(contract), quote) => {
                chain.quote(stamped.at, &contract, &sides.completed(contract, quote));
            }
            MarketEvent::Trade(Instrument::Option(contract), trade) => chain.traded(&contract, trade.size),
            MarketEvent::OpenInterest(open) => chain.open_interest(&open.contract, open.contracts),
            MarketEvent::Quote(Instrument::Stock(_), quote) => spot = quote.mid().or(spot),
            MarketEvent::Bar { timeframe: Timeframe::Min1, bar, .. } => spot = Some(bar.close),
            _ => {}
        }
        if let Some(spot) = spot {
            chain.hear_spot(spot.dollars());
        }
    }
    let Some(spot) = spot else {
        bail!("{}: no price of the underlying is recorded before {until}; give a later --at", file.display());
    };
    Ok((chain, spot, until))
}

/// The newest level of either side of every contract, and when it was told.
#[derive(Default)]
struct Sides(BTreeMap<Contract, [Option<(Level, Timestamp)>; 2]>);

/// LEAN leaves a side out of a minute in which it did not change, as well as when it is gone: for this long it still stands.
const SIDE_STANDS_NS: i64 = 10 * MINUTE;

impl Sides {
    /// The quote with a side that was left out as it stood.
    fn completed(&mut self, contract: Contract, quote: Quote) -> Quote {
        let held = self.0.entry(contract).or_default();
        for (side, told) in held.iter_mut().zip([quote.bid, quote.ask]) {
            if let Some(level) = told {
                *side = Some((level, quote.at));
            }
        }
        let [bid, ask] = held.map(|side| {
            side.filter(|(_, told)| quote.at.since(*told) <= SIDE_STANDS_NS).map(|(level, _)| level)
        });
        Quote { bid, ask, ..quote }
    }
}

/// `HH:MM` in seconds after midnight.
fn clock(text: &str) -> anyhow::Result<i64> {
    let read = || {
        let (hours, minutes) = text.split_once(':')?;
        let (hours, minutes) = (hours.parse::<i64>().ok()?, minutes.parse::<i64>().ok()?);
        ((0..24).contains(&hours) && (0..60).contains(&minutes)).then_some(hours * 3600 + minutes * 60)
    };
    read().with_context(|| format!("`{text}` is no time of day: write HH:MM"))
}
