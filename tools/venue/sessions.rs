//! The connected sockets: who is logged in, who wants what, and the way out to each. The core owns this; the
//! socket tasks only carry frames.

use alpaca::Keys;
use alpaca::control::{Action, Channels, Control, code};
use alpaca::encode::FrameWriter;
use alpaca::wire::{DataFeed, Encoding};
use market::quote::{MarketEvent, Timeframe};
use market::{Contract, Instrument, Symbol};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;

/// Number of a session, never used twice.
pub type SessionId = u64;

/// What the core gives a socket task to do.
#[derive(Debug)]
pub enum Outgoing {
    /// Send this frame; text or binary as the session's encoding says.
    Frame(Vec<u8>),
    /// Send a close frame and end.
    Close,
}

/// The way out to one socket.
#[derive(Debug)]
pub struct Line {
    /// Frames waiting for the socket; bounded.
    pub out: Sender<Outgoing>,
    /// Frames the client is known to have read (it answered the ping that followed them).
    pub read: Arc<AtomicU64>,
    /// Told once to end without a word, as a broken line would, whatever still waits.
    pub cut: Arc<Notify>,
    sent: u64,
    slow: bool,
}

impl Line {
    /// A line into a socket task.
    pub fn new(out: Sender<Outgoing>, read: Arc<AtomicU64>, cut: Arc<Notify>) -> Self {
        Self { out, read, cut, sent: 0, slow: false }
    }

    /// Hands over a frame; a full queue makes the line slow for good.
    fn send(&mut self, frame: Vec<u8>) {
        match self.out.try_send(Outgoing::Frame(frame)) {
            Ok(()) => self.sent += 1,
            Err(_) => self.slow = true,
        }
    }

    /// Frames handed over and not known to be read.
    fn ahead(&self) -> u64 {
        self.sent.saturating_sub(self.read.load(Ordering::Acquire))
    }
}

/// What of a channel is wanted.
#[derive(Clone, Debug)]
struct Wanted<T> {
    star: bool,
    of: BTreeSet<T>,
}

impl<T> Default for Wanted<T> {
    fn default() -> Self {
        Self { star: false, of: BTreeSet::new() }
    }
}

impl<T: Ord> Wanted<T> {
    fn has(&self, item: &T) -> bool {
        self.star || self.of.contains(item)
    }
    fn read(names: &[String], parse: impl Fn(&str) -> Option<T>) -> Option<Self> {
        let mut wanted = Self::default();
        for name in names {
            if name == "*" {
                wanted.star = true;
            } else {
                wanted.of.insert(parse(name)?);
            }
        }
        Some(wanted)
    }
}

/// A data session's subscriptions, ready to be matched.
#[derive(Clone, Debug, Default)]
struct Interest {
    channels: Channels,
    trades: Wanted<Symbol>,
    quotes: Wanted<Symbol>,
    bars: Wanted<Symbol>,
    updated_bars: Wanted<Symbol>,
    daily_bars: Wanted<Symbol>,
    statuses: Wanted<Symbol>,
    option_trades: Wanted<Contract>,
    option_quotes: Wanted<Contract>,
}

impl Interest {
    /// Reads channels; `Err` is the stream's error code.
    fn read(mut channels: Channels, feed: DataFeed) -> Result<Self, u16> {
        channels.corrections = Vec::new();
        channels.cancel_errors = Vec::new();
        let mut made = Self::default();
        if feed == DataFeed::Options {
            if channels.quotes.iter().any(|name| name == "*") {
                return Err(code::NO_STAR);
            }
            let contract = |name: &str| Contract::parse_occ(name.as_bytes());
            made.option_trades = Wanted::read(&channels.trades, contract).ok_or(code::INVALID_SYNTAX)?;
            made.option_quotes = Wanted::read(&channels.quotes, contract).ok_or(code::INVALID_SYNTAX)?;
        } else {
            let read = |names: &[String]| Wanted::read(names, ticker).ok_or(code::INVALID_SYNTAX);
            made.trades = read(&channels.trades)?;
            made.quotes = read(&channels.quotes)?;
            made.bars = read(&channels.bars)?;
            made.updated_bars = read(&channels.updated_bars)?;
            made.daily_bars = read(&channels.daily_bars)?;
            made.statuses = read(&channels.statuses)?;
            read(&channels.lulds)?;
            channels.corrections.clone_from(&channels.trades);
            channels.cancel_errors.clone_from(&channels.trades);
        }
        made.channels = channels;
        Ok(made)
    }

    fn wants(&self, event: &MarketEvent) -> bool {
        match event {
            MarketEvent::Quote(Instrument::Stock(s), _) => self.quotes.has(s),
            MarketEvent::Trade(Instrument::Stock(s), _) => self.trades.has(s),
            MarketEvent::Cancel(s, ..) => self.trades.has(s),
            MarketEvent::Quote(Instrument::Option(c), _) => self.option_quotes.has(c),
            MarketEvent::Trade(Instrument::Option(c), _) => self.option_trades.has(c),
            MarketEvent::Bar { symbol, timeframe: Timeframe::Min1, updated: false, .. } => {
                self.bars.has(symbol)
            }
            MarketEvent::Bar { symbol, timeframe: Timeframe::Min1, .. } => self.updated_bars.has(symbol),
            MarketEvent::Bar { symbol, .. } => self.daily_bars.has(symbol),
            MarketEvent::Status(Instrument::Stock(s), _) => self.statuses.has(s),
            MarketEvent::Status(..) | MarketEvent::OpenInterest(_) => false,
        }
    }

    fn stock_symbols(&self) -> usize {
        let mut all: BTreeSet<&Symbol> = BTreeSet::new();
        for wanted in [&self.trades, &self.quotes, &self.bars, &self.daily_bars, &self.updated_bars] {
            all.extend(&wanted.of);
        }
        all.len()
    }
}

fn ticker(name: &str) -> Option<Symbol> {
    let clean = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'/');
    (name.len() <= 8 && name.bytes().all(clean)).then(|| Symbol::from_bytes(name.as_bytes())).flatten()
}

/// One data socket.
struct DataSession {
    feed: DataFeed,
    encoding: Encoding,
    key: Option<String>,
    line: Line,
    interest: Interest,
    writer: FrameWriter,
}

/// One trading socket.
struct TradingSession {
    key: Option<String>,
    line: Line,
    listens: bool,
}

/// Contracts whose watching has to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchChange {
    /// To be watched once more.
    pub watch: Vec<Contract>,
    /// To be watched once less.
    pub unwatch: Vec<Contract>,
}

/// Bounds that matter to sessions.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Stock symbols a session may subscribe.
    pub stock_symbols_max: usize,
    /// Option contracts a session may subscribe quotes of.
    pub option_quotes_max: usize,
    /// Messages in one frame.
    pub messages_a_frame_max: usize,
}

/// All sockets.
pub struct Sessions {
    bounds: Bounds,
    keys: Vec<Keys>,
    data: BTreeMap<SessionId, DataSession>,
    trading: BTreeMap<SessionId, TradingSession>,
    /// Sockets dropped because their client did not keep up.
    pub slow_dropped: u64,
    /// Data messages handed to sockets.
    pub messages_sent: u64,
    /// True while nothing is sent, sockets open all the same.
    pub muted: bool,
}

impl Sessions {
    /// No sockets yet.
    pub fn new(bounds: Bounds, keys: Vec<Keys>) -> Self {
        let (data, trading) = (BTreeMap::new(), BTreeMap::new());
        Self { bounds, keys, data, trading, slow_dropped: 0, messages_sent: 0, muted: false }
    }

    /// A data socket was opened; it is told so.
    pub fn open_data(&mut self, id: SessionId, feed: DataFeed, encoding: Encoding, line: Line) {
        let writer = FrameWriter::new(encoding, feed);
        let session = DataSession { feed, encoding, key: None, line, interest: Interest::default(), writer };
        self.data.insert(id, session);
        self.tell(id, &Control::Connected);
    }

    /// A trading socket was opened; it is told nothing.
    pub fn open_trading(&mut self, id: SessionId, line: Line) {
        self.trading.insert(id, TradingSession { key: None, line, listens: false });
    }

    /// A socket is gone; its slot is free at once.
    pub fn closed(&mut self, id: SessionId) -> WatchChange {
        self.trading.remove(&id);
        let unwatch = self.data.remove(&id).map_or_else(Vec::new, |session| contracts(&session.interest));
        WatchChange { watch: Vec::new(), unwatch }
    }

    /// A data client said something undecodable.
    pub fn nonsense(&mut self, id: SessionId) {
        self.tell(id, &Control::error(code::INVALID_SYNTAX));
    }

    /// A data client said something.
    pub fn act(&mut self, id: SessionId, action: Action) -> WatchChange {
        match action {
            Action::Auth(keys) => self.log_in(id, &keys),
            Action::Subscribe(more) => return self.subscribe(id, &more, true),
            Action::Unsubscribe(less) => return self.subscribe(id, &less, false),
        }
        WatchChange::default()
    }

    /// Logs a data session in; the answer goes out on its line.
    pub fn log_in(&mut self, id: SessionId, keys: &Keys) {
        let Some(session) = self.data.get(&id) else { return };
        let feed = session.feed;
        let taken = self.data.values().any(|s| s.feed == feed && s.key.as_deref() == Some(keys.id()));
        let answer = if session.key.is_some() {
            Control::error(code::ALREADY_AUTHENTICATED)
        } else if !self.keys.contains(keys) {
            Control::error(code::AUTH_FAILED)
        } else if taken {
            Control::error(code::CONNECTION_LIMIT)
        } else {
            if let Some(session) = self.data.get_mut(&id) {
                session.key = Some(keys.id().to_string());
            }
            Control::Authenticated
        };
        self.tell(id, &answer);
    }

    /// True when the data session is logged in.
    pub fn is_logged_in(&self, id: SessionId) -> bool {
        self.data.get(&id).is_some_and(|s| s.key.is_some())
    }

    /// Tells a data session that it took too long to log in, and closes it.
    pub fn auth_timeout(&mut self, id: SessionId) {
        if self.data.contains_key(&id) && !self.is_logged_in(id) {
            self.tell(id, &Control::error(code::AUTH_TIMEOUT));
            if let Some(session) = self.data.get(&id) {
                let _ = session.line.out.try_send(Outgoing::Close);
            }
        }
    }

    fn subscribe(&mut self, id: SessionId, change: &Channels, add: bool) -> WatchChange {
        let Some(session) = self.data.get(&id) else { return WatchChange::default() };
        match self.changed(session, change, add) {
            Err(code) => {
                self.tell(id, &Control::error(code));
                WatchChange::default()
            }
            Ok(interest) => {
                let (before, after) = (contracts(&session.interest), contracts(&interest));
                let ack = Control::Subscription(Box::new(interest.channels.clone()));
                if let Some(session) = self.data.get_mut(&id) {
                    session.interest = interest;
                }
                self.tell(id, &ack);
                let fresh =
                    |a: &[Contract], b: &[Contract]| a.iter().filter(|c| !b.contains(c)).copied().collect();
                WatchChange { watch: fresh(&after, &before), unwatch: fresh(&before, &after) }
            }
        }
    }

    fn changed(&self, session: &DataSession, change: &Channels, add: bool) -> Result<Interest, u16> {
        if session.key.is_none() {
            return Err(code::NOT_AUTHENTICATED);
        }
        let foreign = change.all().into_iter().any(|(name, symbols)| {
            !symbols.is_empty() && session.feed == DataFeed::Options && !matches!(name, "trades" | "quotes")
        });
        if foreign {
            return Err(code::INVALID_CHANNEL);
        }
        let mut channels = session.interest.channels.clone();
        if add {
            channels.add(change);
        } else {
            channels.remove(change);
        }
        let interest = Interest::read(channels, session.feed)?;
        let too_many = interest.stock_symbols() > self.bounds.stock_symbols_max
            || interest.option_quotes.of.len() > self.bounds.option_quotes_max;
        if too_many { Err(code::SYMBOL_LIMIT) } else { Ok(interest) }
    }

    /// Sends one control message to a data session, after what is batched for it.
    fn tell(&mut self, id: SessionId, word: &Control) {
        let Some(session) = self.data.get_mut(&id) else { return };
        session.flush();
        let frame = word.encode(session.encoding, session.feed == DataFeed::Options);
        session.line.send(frame);
    }

    /// Batches an event for every session that wants it.
    pub fn offer(&mut self, event: &MarketEvent) {
        if self.muted {
            return;
        }
        for session in self.data.values_mut() {
            if session.interest.wants(event) && session.writer.push(event) {
                self.messages_sent += 1;
                if session.writer.count() as usize >= self.bounds.messages_a_frame_max {
                    session.flush();
                }
            }
        }
    }

    /// Sends what is batched, and drops the slow.
    pub fn flush(&mut self) {
        for session in self.data.values_mut() {
            session.flush();
        }
        let slow: Vec<SessionId> = self.data.iter().filter(|(_, s)| s.line.slow).map(|(id, _)| *id).collect();
        for id in slow {
            self.drop_slow(id);
        }
        for session in self.trading.values_mut().filter(|s| s.line.slow) {
            // The trading stream has no word for it: an update was lost, so the line is cut.
            self.slow_dropped += 1;
            session.line.slow = false;
            session.listens = false;
            session.line.cut.notify_one();
        }
    }

    /// The client does not read: 407 and the end, as soon as its queue has room for it.
    fn drop_slow(&mut self, id: SessionId) {
        let Some(session) = self.data.get_mut(&id) else { return };
        self.slow_dropped += 1;
        session.interest = Interest::default();
        session.line.slow = false;
        let frame = Control::error(code::SLOW_CLIENT).encode(session.encoding, true);
        let out = session.line.out.clone();
        // A thread of its own would be too much: the runtime of the socket task waits for room.
        std::mem::drop(std::thread::Builder::new().name("venue-407".into()).spawn(move || {
            let _ = out.blocking_send(Outgoing::Frame(frame));
            let _ = out.blocking_send(Outgoing::Close);
        }));
    }

    /// A trading client logs in; true when the keys are right.
    pub fn trading_log_in(&mut self, id: SessionId, keys: &Keys) -> bool {
        let good = self.keys.contains(keys);
        if let Some(session) = self.trading.get_mut(&id).filter(|_| good) {
            session.key = Some(keys.id().to_string());
        }
        good
    }

    /// A trading client chooses its streams; `None` when it is not logged in.
    pub fn listen(&mut self, id: SessionId, streams: &[String]) -> Option<Vec<String>> {
        let session = self.trading.get_mut(&id).filter(|s| s.key.is_some())?;
        session.listens = streams.iter().any(|s| s == alpaca::trading::TRADE_UPDATES);
        Some(if session.listens { vec![alpaca::trading::TRADE_UPDATES.to_string()] } else { Vec::new() })
    }

    /// Sends a text to one trading session.
    pub fn tell_trading(&mut self, id: SessionId, text: String) {
        if let Some(session) = self.trading.get_mut(&id) {
            session.line.send(text.into_bytes());
        }
    }

    /// Sends a text to every trading session that listens.
    pub fn tell_listeners(&mut self, text: &str) {
        if self.muted {
            return;
        }
        for session in self.trading.values_mut().filter(|s| s.listens) {
            session.line.send(text.as_bytes().to_vec());
        }
    }

    /// Ends every socket without a word.
    pub fn drop_all(&mut self) {
        let lines = self.data.values().map(|s| &s.line).chain(self.trading.values().map(|s| &s.line));
        lines.for_each(|line| line.cut.notify_one());
    }

    /// Sockets open: data and trading.
    pub fn count(&self) -> (usize, usize) {
        (self.data.len(), self.trading.len())
    }

    /// The most frames any data client with subscriptions has not read yet.
    pub fn frames_ahead(&self) -> u64 {
        let busy = self.data.values().filter(|s| !s.interest.channels.is_empty());
        busy.map(|s| s.line.ahead()).max().unwrap_or(0)
    }

    /// True when a stock session has a subscription.
    pub fn has_stock_subscriber(&self) -> bool {
        self.data.values().any(|s| s.feed == DataFeed::Stocks && !s.interest.channels.is_empty())
    }

    /// True when an option session is logged in.
    pub fn has_option_session(&self) -> bool {
        self.data.values().any(|s| s.feed == DataFeed::Options && s.key.is_some())
    }

    /// True when a trading session listens.
    pub fn has_listener(&self) -> bool {
        self.trading.values().any(|s| s.listens)
    }
}

impl DataSession {
    fn flush(&mut self) {
        if !self.writer.is_empty() {
            let frame = self.writer.frame().to_vec();
            self.writer.clear();
            self.line.send(frame);
        }
    }
}

fn contracts(interest: &Interest) -> Vec<Contract> {
    interest.option_quotes.of.union(&interest.option_trades.of).copied().collect()
}
