//! A venue that survives being killed: what of the core is stored, when, and how a core goes on from it.
//!
//! Whatever is told of an order or an account is stored before it is told, so no client ever knows more than
//! the file. Between snapshots only the market moves, and it is a function of what is stored: a restored core
//! lets it run on to the last moment a client may have heard of, and speaks from there.
//!
//! Not stored: sockets and subscriptions (clients come back and ask again), the tape of single quotes and
//! trades, counters.

use crate::StartError;
use crate::core::Core;
use crate::pace::{self, Pace};
use crate::settings::Settings;
use crate::source::{Source, SourceState};
use crate::state_file::{Extent, StateError, StateFile};
use exchange::{AccountId, Exchange};
use market::quote::{Bar, MarketEvent};
use market::{Contract, Date, Symbol, Timestamp};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest wall-clock time between two snapshots while the market moves: what a restored market runs through
/// before it speaks.
const MARKET_EVERY: Duration = Duration::from_secs(2);

/// All that is stored but the minutes.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept<'a> {
    source: SourceState<'a>,
    exchange: exchange::State<'a>,
    rest: Rest,
}

/// What is stored besides source and exchange.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Rest {
    /// The one account.
    pub account: AccountId,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Virtual time.
    pub now: Timestamp,
    /// As JSON, the form it has on the wire.
    configuration: String,
    equity: Vec<(Timestamp, f64)>,
    followed: BTreeSet<Contract>,
    listed_on: Option<Date>,
    bars_until: Timestamp,
    days: u32,
    finished: bool,
    market_events: u64,
    /// Events the source has given out and the exchange has not heard yet.
    pending: Vec<(Timestamp, MarketEvent)>,
    forming: Vec<(Symbol, Bar, bool)>,
    minutes: Extent,
}

/// The state file of a running core.
pub struct Keeper {
    file: StateFile,
    saved: Instant,
    saved_now: Timestamp,
    /// True when something is not in the file that a client may be told.
    pub dirty: bool,
}

impl Keeper {
    fn new(file: StateFile) -> Self {
        Self { file, saved: pace::instant(), saved_now: Timestamp::MIN, dirty: true }
    }
}

/// What a stored core begins with.
pub struct Resumed {
    /// Where it is stored.
    pub path: PathBuf,
    /// The market where it stood.
    pub source: Source,
    /// The exchange as it was.
    pub exchange: Exchange,
    /// The rest.
    pub rest: Rest,
    /// Up to when clients may have heard of the market.
    pub told: Timestamp,
}

impl Resumed {
    /// Reads the state file, when there is one to be read.
    pub fn read(settings: &Settings) -> Result<Option<Self>, StartError> {
        let Some(path) = settings.state_file.clone() else { return Ok(None) };
        let Some(stored) = StateFile::read(&path)? else { return Ok(None) };
        let kept: Kept<'static> =
            postcard::from_bytes(&stored.snapshot).map_err(|error| StateError::damaged(&path, error))?;
        let source = Source::restore(&settings.source, kept.source, &path)?;
        let exchange = Exchange::restore(settings.exchange.clone(), kept.exchange)
            .map_err(|bad| StateError::damaged(&path, bad))?;
        Ok(Some(Self { path, source, exchange, rest: kept.rest, told: stored.told }))
    }
}

impl Core {
    /// Starts to keep a state that is new.
    pub fn begin_keeping(&mut self) -> Result<(), StateError> {
        let Some(path) = self.settings.state_file.clone() else { return Ok(()) };
        if matches!(self.source, Source::Flood(_)) {
            return Err(StateError::Flood);
        }
        let (file, _) = StateFile::open(&path, Extent::default())?;
        self.keeper = Some(Keeper::new(file));
        self.first_keep(&path)
    }

    /// Goes on where the state was stored: minutes, events not heard yet, and the market up to the last moment
    /// a client may have heard of.
    pub fn resume(&mut self, rest: Rest, told: Timestamp, path: &Path) -> Result<(), StateError> {
        let (file, minutes) = StateFile::open(path, rest.minutes)?;
        let mut left = minutes.as_slice();
        while !left.is_empty() {
            let ((symbol, bar), after) = postcard::take_from_bytes::<(Symbol, Bar)>(left)
                .map_err(|error| StateError::damaged(path, error))?;
            self.bars.ready_made(symbol, bar);
            left = after;
        }
        self.bars.resume(&rest.forming);
        self.configuration =
            serde_json::from_str(&rest.configuration).map_err(|error| StateError::damaged(path, error))?;
        self.equity = rest.equity;
        self.listed_on = rest.listed_on;
        self.bars_until = rest.bars_until;
        self.stats.days = rest.days;
        self.stats.finished = rest.finished;
        self.stats.market_events = rest.market_events;
        self.watched = rest.followed;
        self.pace = Pace::new(self.settings.speed, rest.now, None);
        // Minutes that end on the way belong to the file as well.
        self.keeper = Some(Keeper { dirty: false, ..Keeper::new(file) });
        self.catching_up = true;
        let pending = rest.pending.into_iter().map(|(at, event)| history::Stamped { at, event });
        self.events = pending.collect();
        self.heard = 0;
        let reached = self.events.last().map_or(rest.now, |last| last.at.max(rest.now));
        self.deliver(reached);
        while self.now() < told {
            self.advance(told);
        }
        self.catching_up = false;
        self.source.unwatch_all();
        for contract in &self.watched {
            self.source.watch(*contract);
        }
        self.first_keep(path)
    }

    /// The first snapshot of a run tells whether the place can be written at all.
    fn first_keep(&mut self, path: &Path) -> Result<(), StateError> {
        self.write_state().map_err(|error| StateError::Io { path: path.to_owned(), error })
    }

    /// Stores everything now. A failure is counted and told to whoever asked for a change.
    pub fn keep(&mut self) {
        if self.catching_up || self.keeper.is_none() {
            return;
        }
        if self.write_state().is_err() {
            self.stats.saves_failed += 1;
        }
    }

    /// Stores when it is time for it.
    pub fn keep_in_time(&mut self) {
        let now = self.now();
        let due = self.keeper.as_ref().is_some_and(|keeper| {
            keeper.dirty || (keeper.saved_now != now && keeper.saved.elapsed() >= MARKET_EVERY)
        });
        if due {
            self.keep();
        }
    }

    /// Notes that clients may hear of the market up to `told`.
    pub fn note_told(&mut self, told: Timestamp) {
        if let Some(keeper) = self.keeper.as_mut().filter(|_| !self.catching_up)
            && keeper.file.tell(told).is_err()
        {
            self.stats.saves_failed += 1;
        }
    }

    /// Remembers a finished minute.
    pub fn keep_minute(&mut self, symbol: Symbol, bar: &Bar) {
        if let Some(keeper) = &mut self.keeper {
            keeper.file.append(&(symbol, bar));
        }
    }

    /// Says that something changed that a client may be told.
    pub fn mark_changed(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            keeper.dirty = true;
        }
    }

    /// True while what a client asked for is not in the file.
    pub fn is_unsaved(&self) -> bool {
        self.keeper.as_ref().is_some_and(|keeper| keeper.dirty)
    }

    fn write_state(&mut self) -> std::io::Result<()> {
        let Some(mut keeper) = self.keeper.take() else { return Ok(()) };
        let written = self.write_into(&mut keeper);
        self.keeper = Some(keeper);
        written
    }

    fn write_into(&self, keeper: &mut Keeper) -> std::io::Result<()> {
        let Some(source) = self.source.state() else { return Ok(()) };
        keeper.saved = pace::instant();
        let minutes = keeper.file.append_waiting()?;
        let rest = Rest {
            account: self.account,
            opened_at: self.opened_at,
            now: self.now(),
            configuration: serde_json::to_string(&self.configuration)?,
            equity: self.equity.clone(),
            followed: self.watched.clone(),
            listed_on: self.listed_on,
            bars_until: self.bars_until,
            days: self.stats.days,
            finished: self.stats.finished,
            market_events: self.stats.market_events,
            pending: self.events[self.heard..].iter().map(|stamped| (stamped.at, stamped.event)).collect(),
            forming: self.bars.forming(),
            minutes,
        };
        let kept = Kept { source, exchange: self.exchange.state(), rest };
        keeper.file.save(&kept, self.now())?;
        (keeper.dirty, keeper.saved_now) = (false, self.now());
        Ok(())
    }
}
