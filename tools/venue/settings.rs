//! Everything that can be set about a venue, with units.

use exchange::market_model;
use market::{Date, Money, Symbol};
use std::path::PathBuf;
use std::time::Duration;

/// How the venue is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Keys that may trade and read data; all of them are of one account.
    pub keys: Vec<Credentials>,
    /// Where the market comes from.
    pub source: SourceSettings,
    /// How fast virtual time passes.
    pub speed: Speed,
    /// What must be there before virtual time starts to pass.
    pub hold: Hold,
    /// True to jump from the evening's settlement to the next open, false to live through the night.
    pub skip_closed: bool,
    /// Wall-clock time the closed market stays put before the jump, so that clients can reconcile.
    pub closed_pause: Duration,
    /// The exchange behind the server.
    pub exchange: exchange::Settings,
    /// Cash of the account at the start.
    pub cash: Money,
    /// Plan limits and bounds.
    pub limits: Limits,
    /// Where account, time and market are kept, so that they outlive the process (not a power cut: nothing is
    /// synced); `None`: each start is a new market. A second file, of the same name with `.bars` after it, keeps
    /// the minutes.
    pub state_file: Option<PathBuf>,
}

/// A key and its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// `APCA-API-KEY-ID`.
    pub key: String,
    /// `APCA-API-SECRET-KEY`.
    pub secret: String,
}

/// Where the market comes from.
#[derive(Clone, Debug)]
pub enum SourceSettings {
    /// Simulated from a seed.
    Simulated(market_model::Settings),
    /// Recorded files, replayed.
    Recorded(Recording),
    /// Stock quotes at a steady rate on the wall clock, whoever keeps up; for measuring.
    Flood(Flood),
}

/// Recordings to replay, in LEAN's layout.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The LEAN data folder (the one with `equity` and `option` in it).
    pub root: PathBuf,
    /// What to replay: symbol, date, and which of its files. Days may overlap; they are merged in order of time.
    pub days: Vec<(Symbol, Date, history::lean::What)>,
    /// Seed of the exchange's ids and faults.
    pub seed: u64,
}

/// A steady storm of stock quotes.
#[derive(Clone, Debug)]
pub struct Flood {
    /// Quotes a second over all symbols.
    pub quotes_per_second: u64,
    /// The symbols, in turn.
    pub symbols: Vec<Symbol>,
    /// How long, counted from the first subscription.
    pub seconds: u64,
    /// Every so many-th message is a trade; 0 for none.
    pub trade_every: u64,
    /// Seed of the little walk the prices take.
    pub seed: u64,
    /// Nanoseconds that every stamp is ahead of the wall clock: puts a flood at night into market hours. 0 for none.
    pub shift_ns: i64,
    /// Quotes of options beside those of the shares; `None` for none, and then no contract is listed.
    pub options: Option<OptionFlood>,
}

/// A steady storm of option quotes, over the contracts somebody subscribed to.
#[derive(Clone, Debug)]
pub struct OptionFlood {
    /// Quotes a second over all contracts.
    pub quotes_per_second: u64,
    /// The market that lists and prices the chains, of the flood's symbols and session.
    pub market: market_model::Settings,
}

/// How fast virtual time passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many virtual seconds a second, 1 to 600.
    Times(f64),
    /// As fast as the clients read: at most this many frames ahead of the slowest one's acknowledgement.
    AsFastAsRead {
        /// Frames sent and not yet known to be read.
        frames_ahead_max: u32,
    },
}

/// What must be there before virtual time starts to pass (and, as fast as read, for it to go on).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    /// A stock session with a subscription.
    pub stocks: bool,
    /// An option session that is authenticated.
    pub options: bool,
    /// A trading session that listens.
    pub orders: bool,
}

/// Plan limits and bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Trading requests a minute and key.
    pub trading_per_minute: u32,
    /// Data requests a minute and key.
    pub data_per_minute: u32,
    /// Stock symbols a session may subscribe.
    pub stock_symbols_max: usize,
    /// Option contracts a session may subscribe quotes of.
    pub option_quotes_max: usize,
    /// Frames waiting for a client before it counts as slow and is dropped with 407.
    pub frames_waiting_max: usize,
    /// Data messages in one frame.
    pub messages_a_frame_max: usize,
    /// How long a data session may stay without authentication.
    pub auth_timeout: Duration,
    /// How often an idle session is pinged.
    pub ping_every: Duration,
}

impl Limits {
    /// The broker's paid plan.
    pub const fn paid_plan() -> Self {
        Self {
            trading_per_minute: 200,
            data_per_minute: 10_000,
            stock_symbols_max: 10_000,
            option_quotes_max: 1_000,
            frames_waiting_max: 2_048,
            messages_a_frame_max: 256,
            auth_timeout: Duration::from_secs(10),
            ping_every: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// A source at one speed with the ordinary exchange (no fees until a schedule is put in), on a free port,
    /// with keys `SIMKEY` and `SIMSECRET`, 100,000 dollars and the limits of the paid plan.
    pub fn with(source: SourceSettings, speed: Speed) -> Self {
        Self {
            port: 0,
            keys: vec![Credentials { key: "SIMKEY".into(), secret: "SIMSECRET".into() }],
            source,
            speed,
            hold: Hold::default(),
            skip_closed: true,
            closed_pause: Duration::from_secs(1),
            exchange: exchange::Settings::ordinary(None),
            cash: Money::from_dollars(100_000),
            limits: Limits::paid_plan(),
            state_file: None,
        }
    }

    /// A simulated market; see [`Settings::with`].
    pub fn simulated(market: market_model::Settings, speed: Speed) -> Self {
        Self::with(SourceSettings::Simulated(market), speed)
    }
}
