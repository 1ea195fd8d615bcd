//! Where the market comes from: simulated, recorded, or a flood for measuring. One face for the core.

pub mod flood;
mod flood_chain;
pub mod recorded;
pub mod simulated;

use crate::StartError;
use crate::settings::{Recording, SourceSettings};
use crate::state_file::StateError;
use exchange::market_model;
use flood::Flood;
use history::Stamped;
use market::quote::{Bar, Quote, Timeframe};
use market::{Contract, Date, Price, Symbol, Timestamp};
use recorded::Recorded;
use simulated::Simulated;
use std::path::Path;

/// What is known of a contract besides its quote.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ContractFacts {
    /// Contracts open at the end of a previous session.
    pub open_interest: Option<(u32, Date)>,
    /// Price at the previous close.
    pub previous_close: Option<Price>,
}

/// Why a source cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The market model refused its settings.
    #[error(transparent)]
    Model(#[from] exchange::market_model::BadSettings),
    /// A recording cannot be read.
    #[error("replay: {0}")]
    Recording(#[from] history::lean::Error),
    /// There is nothing to replay.
    #[error("replay: the recordings hold no events; check root, symbols and dates")]
    Empty,
    /// A flood without symbols or rate.
    #[error("flood: needs at least one symbol and a rate between 1 and 5,000,000 quotes per second")]
    BadFlood,
}

/// Where a source stood.
#[derive(serde::Serialize, serde::Deserialize)]
pub enum SourceState<'a> {
    /// The simulated market.
    Simulated(Box<market_model::State<'a>>),
    /// Which recordings, and how many of their events are behind.
    Recorded(String, usize),
}

/// A source of market events in virtual time.
pub enum Source {
    /// The simulated market.
    Simulated(Box<Simulated>),
    /// Recorded files.
    Recorded(Box<Recorded>),
    /// A flood on the wall clock.
    Flood(Box<Flood>),
}

/// What tells one replay from another.
fn name_of(recording: &Recording) -> String {
    let days = recording.days.iter().map(|(symbol, date, what)| format!("{symbol} {date} {what:?}"));
    format!("{} (seed {})", days.collect::<Vec<_>>().join(", "), recording.seed)
}

impl Source {
    /// Opens a source.
    pub fn open(settings: &SourceSettings) -> Result<Self, SourceError> {
        Ok(match settings {
            SourceSettings::Simulated(model) => Self::Simulated(Box::new(Simulated::new(model.clone())?)),
            SourceSettings::Recorded(recording) => Self::Recorded(Box::new(Recorded::open(recording)?)),
            SourceSettings::Flood(flood) => Self::Flood(Box::new(Flood::new(flood)?)),
        })
    }

    /// Where the source stands; `None` when it cannot be stored.
    pub fn state(&self) -> Option<SourceState<'_>> {
        match self {
            Self::Simulated(s) => Some(SourceState::Simulated(Box::new(s.model.state()))),
            Self::Recorded(r) => Some(SourceState::Recorded(r.name().to_owned(), r.position())),
            Self::Flood(_) => None,
        }
    }

    /// The source of these settings where `state`, read from `path`, left it.
    pub fn restore(
        settings: &SourceSettings,
        state: SourceState<'_>,
        path: &Path,
    ) -> Result<Self, StartError> {
        match (settings, state) {
            (SourceSettings::Simulated(model), SourceState::Simulated(state)) => {
                let restored = Simulated::restore(model.clone(), *state);
                let simulated = restored.map_err(|bad| match bad {
                    market_model::BadState::Settings(bad) => StartError::from(SourceError::from(bad)),
                    other => StateError::other(path, other).into(),
                })?;
                Ok(Self::Simulated(Box::new(simulated)))
            }
            (SourceSettings::Recorded(recording), SourceState::Recorded(name, count)) => {
                let given = name_of(recording);
                if name != given {
                    let text = format!("the stored replay is of {name}, the settings say {given}");
                    return Err(StateError::other(path, text).into());
                }
                let mut recorded = Recorded::open(recording)?;
                recorded.skip(count);
                Ok(Self::Recorded(Box::new(recorded)))
            }
            (SourceSettings::Flood(_), _) => Err(StateError::Flood.into()),
            (SourceSettings::Simulated(_), SourceState::Recorded(..)) => {
                Err(StateError::other(path, "a replay is stored, the settings say simulated").into())
            }
            (SourceSettings::Recorded(_), SourceState::Simulated(_)) => {
                Err(StateError::other(path, "a simulated market is stored, the settings say replay").into())
            }
        }
    }

    /// The seed of the exchange's ids.
    pub fn seed(&self) -> u64 {
        match self {
            Self::Simulated(s) => s.model.seed(),
            Self::Recorded(r) => r.seed,
            Self::Flood(f) => f.settings.seed,
        }
    }

    /// Virtual time before the first event.
    pub fn starts_at(&self) -> Timestamp {
        match self {
            Self::Simulated(s) => s.model.now(),
            Self::Recorded(r) => r.starts_at(),
            Self::Flood(f) => f.starts_at(),
        }
    }

    /// When the next event is due; `None` when there is no more.
    pub fn next_due(&self) -> Option<Timestamp> {
        match self {
            Self::Simulated(s) => s.model.next_due(),
            Self::Recorded(r) => r.next_due(),
            Self::Flood(f) => f.next_due(),
        }
    }

    /// Pushes what happens until `to`, at most about `most` events when the source can stop in between.
    pub fn advance(&mut self, to: Timestamp, most: usize, out: &mut Vec<Stamped>) {
        match self {
            Self::Simulated(s) => s.advance(to, out),
            Self::Recorded(r) => r.advance(to, most, out),
            Self::Flood(f) => f.advance(to, most, out),
        }
    }

    /// The underlyings.
    pub fn symbols(&self) -> Vec<Symbol> {
        match self {
            Self::Simulated(s) => s.model.symbols().to_vec(),
            Self::Recorded(r) => r.symbols(),
            Self::Flood(f) => f.settings.symbols.clone(),
        }
    }

    /// The contracts listed on an underlying that have not expired before `today`.
    pub fn contracts(&self, underlying: Symbol, today: Date) -> Vec<Contract> {
        match self {
            Self::Simulated(s) => s.model.contracts(underlying).filter(|c| c.expiry >= today).collect(),
            Self::Recorded(r) => r.contracts(underlying, today),
            Self::Flood(f) => f.market().map_or_else(Vec::new, |model| {
                model.contracts(underlying).filter(|c| c.expiry >= today).collect()
            }),
        }
    }

    /// True when the contract is listed.
    pub fn is_listed(&self, contract: &Contract) -> bool {
        match self {
            Self::Simulated(s) => s.model.option_quote(*contract).is_some(),
            Self::Recorded(r) => r.is_listed(contract),
            Self::Flood(f) => f.market().is_some_and(|model| model.option_quote(*contract).is_some()),
        }
    }

    /// Wants quotes of a contract from now on.
    pub fn watch(&mut self, contract: Contract) {
        match self {
            Self::Simulated(s) => {
                s.model.watch(contract);
            }
            Self::Flood(f) => f.watch(contract),
            Self::Recorded(_) => {}
        }
    }

    /// Takes one [`Source::watch`] back.
    pub fn unwatch(&mut self, contract: Contract) {
        match self {
            Self::Simulated(s) => s.model.unwatch(contract),
            Self::Flood(f) => f.unwatch(contract),
            Self::Recorded(_) => {}
        }
    }

    /// Takes all watching back: whoever asked is gone.
    pub fn unwatch_all(&mut self) {
        if let Self::Simulated(s) = self {
            s.model.unwatch_all();
        }
    }

    /// The quote of a contract now.
    pub fn option_quote(&self, contract: Contract) -> Option<Quote> {
        match self {
            Self::Simulated(s) => s.model.option_quote(contract),
            Self::Recorded(r) => r.option_quote(&contract),
            Self::Flood(f) => f.market().and_then(|model| model.option_quote(contract)),
        }
    }

    /// The quote of a share now.
    pub fn stock_quote(&self, symbol: Symbol) -> Option<Quote> {
        match self {
            Self::Simulated(s) => s.model.stock_quote(symbol),
            Self::Recorded(r) => r.stock_quote(symbol),
            Self::Flood(f) => f.stock_quote(symbol),
        }
    }

    /// What else is known of a contract.
    pub fn facts(&self, contract: Contract) -> ContractFacts {
        match self {
            Self::Simulated(s) => s.facts(contract),
            Self::Recorded(r) => r.facts(&contract),
            Self::Flood(_) => ContractFacts::default(),
        }
    }

    /// Bars of one minute or one day from before the first event.
    pub fn history(&self, symbol: Symbol, timeframe: Timeframe) -> Vec<Bar> {
        match self {
            Self::Simulated(s) => s.model.history(symbol, timeframe),
            Self::Recorded(r) => r.history(symbol, timeframe),
            Self::Flood(f) => f.market().map_or_else(Vec::new, |model| model.history(symbol, timeframe)),
        }
    }

    /// True when virtual time is the wall clock and must not be scaled.
    pub fn wall_shift_ns(&self) -> Option<i64> {
        match self {
            Self::Flood(flood) => Some(flood.settings.shift_ns),
            _ => None,
        }
    }

    /// Called when the clock starts to run.
    pub fn start(&mut self, now: Timestamp) {
        if let Self::Flood(f) = self {
            f.start(now);
        }
    }
}
