//! The one owner of market, exchange and virtual time, on a thread of its own. Everybody else sends it
//! questions (closures) and gets answers; sockets get frames through bounded queues.

use crate::StartError;
use crate::bars::Bars;
use crate::kept::{Keeper, Resumed};
use crate::pace::{self, Pace};
use crate::sessions::{Bounds, SessionId, Sessions, WatchChange};
use crate::settings::{Settings, Speed};
use crate::source::Source;
use crate::tape::Tape;
use crate::wire;
use alpaca::Keys;
use alpaca::trading::TradingMessage;
use crossbeam::channel::{Receiver, RecvTimeoutError, TryRecvError};
use exchange::{AccountId, ContractTerms, Event, Exchange, Opening, SocketFault};
use history::Stamped;
use market::quote::{Bar, MarketEvent, Timeframe};
use market::time::{DAY, MINUTE, SECOND};
use market::{Contract, Date, Instrument, Symbol, Timestamp, session};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Something the core is asked to do between two ticks.
pub type Ask = Box<dyn FnOnce(&mut Core) + Send>;

/// Longest time the core sleeps without looking around.
const NAP: Duration = Duration::from_millis(20);
/// How soon it looks again when clients have to catch up.
const CATCH_UP: Duration = Duration::from_micros(200);
/// Events taken from the source in one turn.
const EVENTS_A_TURN_MAX: usize = 2_000;
/// Virtual time that one turn may pass.
const TURN_MAX_NS: i64 = SECOND;
/// A gap in the closed market that is worth jumping over.
const JUMP_MIN_NS: i64 = MINUTE;

/// Counters of a running venue.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Virtual time.
    pub virtual_now: Timestamp,
    /// True while virtual time passes.
    pub running: bool,
    /// True once the source has nothing more.
    pub finished: bool,
    /// Market events that happened.
    pub market_events: u64,
    /// Data messages handed to sockets.
    pub messages_sent: u64,
    /// Order events that happened.
    pub order_events: u64,
    /// Requests answered over REST.
    pub requests: u64,
    /// Sockets dropped because their client did not keep up.
    pub slow_dropped: u64,
    /// Data sockets open now.
    pub data_sessions: usize,
    /// Trading sockets open now.
    pub trading_sessions: usize,
    /// Sessions opened by the market so far.
    pub days: u32,
    /// Times the state could not be stored: disk full, folder gone.
    pub saves_failed: u64,
}

/// Market, exchange, sockets and time.
pub struct Core {
    /// How it was set up.
    pub settings: Settings,
    /// Where the market comes from.
    pub source: Source,
    /// The exchange.
    pub exchange: Exchange,
    /// The one account.
    pub account: AccountId,
    /// The sockets.
    pub sessions: Sessions,
    /// Bars made so far.
    pub bars: Bars,
    /// Quotes and trades of late.
    pub tape: Tape,
    /// When the account was opened.
    pub opened_at: Timestamp,
    /// What the owner of the account set, as the broker words it.
    pub configuration: alpaca::account::AccountConfiguration,
    /// Equity at the end of each day so far.
    pub equity: Vec<(Timestamp, f64)>,
    /// Where the state is stored, when it is.
    pub(crate) keeper: Option<Keeper>,
    /// True while a restored market runs on to where it was; nothing is stored or told then.
    pub(crate) catching_up: bool,
    pub(crate) pace: Pace,
    pub(crate) stats: Stats,
    pub(crate) watched: BTreeSet<Contract>,
    pub(crate) listed_on: Option<Date>,
    pub(crate) bars_until: Timestamp,
    paused_for: Option<(Date, Instant)>,
    muted_until: Option<Timestamp>,
    stopping: bool,
    /// Events of the turn, and how many of them were heard.
    pub(crate) events: Vec<Stamped>,
    pub(crate) heard: usize,
    said: Vec<Event>,
    finished_bars: Vec<(Symbol, Bar)>,
}

impl Core {
    /// Opens the source and the account, or goes on where the state file left them.
    pub fn open(settings: Settings) -> Result<Self, StartError> {
        if let Some(Resumed { path, source, exchange, rest, told }) = Resumed::read(&settings)? {
            let mut core =
                Self::assemble(settings, source, exchange, (rest.account, rest.opened_at), rest.now);
            core.resume(rest, told, &path)?;
            return Ok(core);
        }
        let source = Source::open(&settings.source)?;
        let start = source.starts_at();
        let mut exchange = Exchange::new(settings.exchange.clone(), start, source.seed());
        let opening = Opening { cash: settings.cash, options_level: 3 };
        let account = exchange.open_account(start, opening, &mut Vec::new());
        let mut core = Self::assemble(settings, source, exchange, (account, start), start);
        core.list_day(start);
        core.note_equity(start);
        core.begin_keeping()?;
        Ok(core)
    }

    fn assemble(
        settings: Settings,
        source: Source,
        exchange: Exchange,
        (account, opened_at): (AccountId, Timestamp),
        now: Timestamp,
    ) -> Self {
        let keys = settings.keys.iter().map(|k| Keys::new(&k.key, &k.secret)).collect();
        let limits = &settings.limits;
        let bounds = Bounds {
            stock_symbols_max: limits.stock_symbols_max,
            option_quotes_max: limits.option_quotes_max,
            messages_a_frame_max: limits.messages_a_frame_max,
        };
        let mut bars = Bars::default();
        for symbol in source.symbols() {
            let (days, minutes) =
                (source.history(symbol, Timeframe::Day1), source.history(symbol, Timeframe::Min1));
            bars.begin(symbol, days, minutes);
        }
        Self {
            pace: Pace::new(settings.speed, now, source.wall_shift_ns()),
            sessions: Sessions::new(bounds, keys),
            settings,
            source,
            exchange,
            account,
            bars,
            tape: Tape::default(),
            opened_at,
            configuration: Default::default(),
            equity: Vec::new(),
            keeper: None,
            catching_up: false,
            stats: Stats::default(),
            watched: BTreeSet::new(),
            listed_on: None,
            bars_until: now,
            paused_for: None,
            muted_until: None,
            stopping: false,
            events: Vec::new(),
            heard: 0,
            said: Vec::new(),
            finished_bars: Vec::new(),
        }
    }

    /// Virtual time.
    pub fn now(&self) -> Timestamp {
        self.pace.now()
    }

    /// The New York date of virtual time.
    pub fn today(&self) -> Date {
        self.now().new_york().0
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        let (data_sessions, trading_sessions) = self.sessions.count();
        Stats {
            virtual_now: self.now(),
            running: self.pace.is_running(),
            messages_sent: self.sessions.messages_sent,
            slow_dropped: self.sessions.slow_dropped,
            data_sessions,
            trading_sessions,
            ..self.stats
        }
    }

    /// Counts an answered request.
    pub fn count_request(&mut self) {
        self.stats.requests += 1;
    }

    /// Ends [`Core::run`] at the next occasion.
    pub fn stop(&mut self) {
        self.keep();
        self.stopping = true;
    }

    /// Ends [`Core::run`] as a kill would: nothing more is stored.
    pub fn die(&mut self) {
        self.keeper = None;
        self.stopping = true;
    }

    /// Sends nothing for so long in virtual time, sockets staying open.
    pub fn mute_for(&mut self, ns: i64) {
        self.sessions.muted = true;
        self.muted_until = Some(self.now() + ns);
    }

    /// Works until it is stopped or nobody can ask any more.
    pub fn run(mut self, asks: &Receiver<Ask>) {
        if matches!(self.source, Source::Flood(_)) {
            pace::nap_exactly();
        }
        while !self.stopping {
            loop {
                match asks.try_recv() {
                    Ok(ask) => ask(&mut self),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            let nap = self.turn();
            self.keep_in_time();
            self.sessions.flush();
            if nap.is_zero() {
                continue;
            }
            match asks.recv_timeout(nap) {
                Ok(ask) => ask(&mut self),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        self.sessions.drop_all();
    }

    /// Lets happen what is due; returns how long nothing else will be.
    fn turn(&mut self) -> Duration {
        if self.is_held() {
            return NAP;
        }
        let as_fast = match self.settings.speed {
            Speed::AsFastAsRead { frames_ahead_max } => {
                if self.sessions.frames_ahead() > u64::from(frames_ahead_max) {
                    return CATCH_UP;
                }
                true
            }
            Speed::Times(_) => false,
        };
        let Some(due) = self.next_due() else { return self.finish() };
        if let Some(wait) = self.evening() {
            return wait;
        }
        let target = self.pace.target(Some(due));
        if due > target {
            if !as_fast {
                self.note_told(target);
                self.pace.reached(target);
            }
            return self.pace.wait_for(due).unwrap_or(NAP).min(NAP);
        }
        let reach = due.max(target.min(due + TURN_MAX_NS));
        self.advance(reach);
        Duration::ZERO
    }

    /// True while the clock waits for its listeners.
    fn is_held(&mut self) -> bool {
        let hold = self.settings.hold;
        let missing = (hold.stocks && !self.sessions.has_stock_subscriber())
            || (hold.options && !self.sessions.has_option_session())
            || (hold.orders && !self.sessions.has_listener());
        let as_fast = matches!(self.settings.speed, Speed::AsFastAsRead { .. });
        if missing && (as_fast || !self.pace.is_running()) {
            self.pace.stand_still();
            return true;
        }
        if !self.pace.is_running() {
            self.pace.run();
            self.source.start(self.pace.now());
        }
        false
    }

    fn next_due(&self) -> Option<Timestamp> {
        let source = self.source.next_due()?;
        let exchange = self.exchange.deadline().unwrap_or(Timestamp::MAX);
        Some(source.min(exchange).min(self.bars_until + MINUTE))
    }

    /// In the closed market: settles, pauses so that clients can look, and jumps to the next open. `None` when
    /// it is not evening.
    fn evening(&mut self) -> Option<Duration> {
        let now = self.now();
        let next = self.source.next_due()?;
        if !self.settings.skip_closed || session::is_open(now) || next.since(now) < JUMP_MIN_NS {
            return None;
        }
        let deadline = self.exchange.deadline().filter(|at| *at < next);
        if let Some(at) = deadline {
            self.jump(at);
            return Some(Duration::ZERO);
        }
        let date = session::previous_close(now).map_or(now.utc_date(), |s| s.date);
        let since = match self.paused_for {
            Some((paused, since)) if paused == date => since,
            _ => {
                self.paused_for = Some((date, pace::instant()));
                pace::instant()
            }
        };
        let left = self.settings.closed_pause.saturating_sub(since.elapsed());
        if !left.is_zero() && self.stats.days > 0 {
            return Some(left.min(NAP));
        }
        self.jump(next - SECOND);
        Some(Duration::ZERO)
    }

    fn jump(&mut self, to: Timestamp) {
        self.advance(to);
        self.pace.jump(to);
        self.keep();
    }

    /// The source is empty: settles the last day, shows the activities of it, and stands still.
    fn finish(&mut self) -> Duration {
        if !self.stats.finished && self.pace.is_running() && self.stats.market_events > 0 {
            let now = self.now();
            while let Some(at) = self.exchange.deadline().filter(|at| at.since(now) < DAY) {
                self.jump(at);
            }
            if let Some(next) =
                session::next_open(self.now()).filter(|_| self.source.wall_shift_ns().is_none())
            {
                self.jump(next.open - SECOND);
            }
            self.stats.finished = true;
        }
        NAP
    }

    /// Lets everything up to `to` happen, in order.
    pub(crate) fn advance(&mut self, to: Timestamp) {
        self.note_told(to);
        self.events.clear();
        self.heard = 0;
        self.source.advance(to, EVENTS_A_TURN_MAX, &mut self.events);
        let cut = self.events.len() >= EVENTS_A_TURN_MAX;
        let reached = match self.events.last() {
            Some(last) if cut && self.source.next_due().is_some_and(|next| next <= to) => last.at,
            _ => to,
        };
        self.deliver(reached);
    }

    /// Lets the turn's events be heard, and time pass to `reached`. What is stored on the way holds the events
    /// not heard yet.
    pub(crate) fn deliver(&mut self, reached: Timestamp) {
        while let Some(stamped) = self.events.get(self.heard).copied() {
            self.pass(stamped.at);
            self.heard += 1;
            self.hear(stamped.at, &stamped.event);
        }
        self.pass(reached);
        self.pace.reached(reached);
    }

    /// Time passes without an event: minutes end, the exchange's timers fire, a day begins.
    fn pass(&mut self, now: Timestamp) {
        if now >= self.bars_until + MINUTE {
            let mut done = std::mem::take(&mut self.finished_bars);
            self.bars.pass(now, &mut done);
            self.tell_bars(&mut done);
            self.finished_bars = done;
            self.bars_until = Timestamp::from_ns(now.ns().div_euclid(MINUTE) * MINUTE);
        }
        if self.listed_on != Some(now.new_york().0) && session::session(now.new_york().0).is_some() {
            self.list_day(now);
        }
        if self.muted_until.is_some_and(|until| now >= until) {
            self.muted_until = None;
            self.sessions.muted = false;
        }
        self.exchange.wake(now, &mut self.said);
        self.tell_orders();
    }

    fn hear(&mut self, now: Timestamp, event: &MarketEvent) {
        self.stats.market_events += 1;
        self.tape.hear(event);
        let mut done = std::mem::take(&mut self.finished_bars);
        match event {
            MarketEvent::Trade(Instrument::Stock(symbol), trade) => {
                self.bars.trade(*symbol, trade, &mut done)
            }
            MarketEvent::Bar { symbol, timeframe: Timeframe::Min1, bar, updated: false } => {
                self.bars.ready_made(*symbol, *bar);
                self.keep_minute(*symbol, bar);
            }
            _ => {}
        }
        self.tell_bars(&mut done);
        self.finished_bars = done;
        self.exchange.market(now, event, &mut self.said);
        self.tell_orders();
        self.sessions.offer(event);
    }

    fn tell_bars(&mut self, done: &mut Vec<(Symbol, Bar)>) {
        for (symbol, bar) in done.drain(..) {
            self.keep_minute(symbol, &bar);
            self.sessions.offer(&MarketEvent::Bar {
                symbol,
                timeframe: Timeframe::Min1,
                bar,
                updated: false,
            });
            if let Some(bar) = self.bars.today(symbol) {
                self.sessions.offer(&MarketEvent::Bar {
                    symbol,
                    timeframe: Timeframe::Day1,
                    bar,
                    updated: false,
                });
            }
        }
    }

    /// Passes on what the exchange said since the last time; stores it first.
    pub fn tell_orders(&mut self) {
        if self.said.is_empty() {
            return;
        }
        if self.said.iter().any(|event| !matches!(event, Event::Socket(_))) {
            self.mark_changed();
            self.keep();
        }
        for event in std::mem::take(&mut self.said) {
            match event {
                Event::Order(event) => {
                    self.stats.order_events += 1;
                    let update = wire::trade_update(&event);
                    self.sessions.tell_listeners(&TradingMessage::Update(Box::new(update)).encode());
                }
                Event::Activity(_) => {}
                Event::Socket(SocketFault::Drop) => self.sessions.drop_all(),
                Event::Socket(SocketFault::Mute { for_ns }) => self.mute_for(for_ns),
            }
        }
    }

    /// Calls the exchange with time and events in order, and passes on what it says.
    pub fn with_exchange<T>(
        &mut self,
        call: impl FnOnce(&mut Exchange, AccountId, Timestamp, &mut Vec<Event>) -> T,
    ) -> T {
        let now = self.now();
        self.mark_changed();
        let mut said = std::mem::take(&mut self.said);
        let answer = call(&mut self.exchange, self.account, now, &mut said);
        self.said = said;
        self.tell_orders();
        answer
    }

    /// Makes sure that the exchange knows the contract's quote from now on.
    pub fn follow(&mut self, contract: Contract) {
        if !self.source.is_listed(&contract) || !self.watched.insert(contract) {
            return;
        }
        self.source.watch(contract);
        if let Some(quote) = self.source.option_quote(contract) {
            let now = self.now();
            let event = MarketEvent::Quote(Instrument::Option(contract), quote);
            self.exchange.market(now, &event, &mut self.said);
            self.tell_orders();
        }
    }

    /// Follows the changed subscriptions of a session.
    pub fn rewatch(&mut self, change: &WatchChange) {
        for contract in &change.watch {
            self.source.watch(*contract);
        }
        for contract in &change.unwatch {
            self.source.unwatch(*contract);
        }
    }

    /// A socket is gone.
    pub fn session_closed(&mut self, id: SessionId) {
        let change = self.sessions.closed(id);
        self.rewatch(&change);
    }

    /// A day begins: its contracts are listed, what expired is forgotten.
    fn list_day(&mut self, now: Timestamp) {
        let today = now.new_york().0;
        let had_day = self.listed_on.is_some();
        self.listed_on = Some(today);
        for symbol in self.source.symbols() {
            for contract in self.source.contracts(symbol, today) {
                self.exchange.list_contract(contract, ContractTerms::of(&contract));
            }
            let quote = self.source.stock_quote(symbol);
            if let Some(quote) = quote.filter(|_| !had_day) {
                let event = MarketEvent::Quote(Instrument::Stock(symbol), quote);
                self.exchange.market(now, &event, &mut self.said);
            }
        }
        self.watched.retain(|contract| contract.expiry >= today);
        self.tape.forget_expired(today);
        if had_day {
            self.note_equity(now);
        }
        if session::session(today).is_some() {
            self.stats.days += 1;
        }
    }

    fn note_equity(&mut self, at: Timestamp) {
        if let Some(view) = self.exchange.account_view(self.account) {
            self.equity.push((at, view.equity.dollars()));
        }
    }
}
