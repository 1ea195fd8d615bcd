//! Who is built with what. A start is one straight line: journal (which recovers), venue, what the venue knows, seats
//! brought back, trading thread, office, control room, and only then the feeds.

use crate::adaptive::Adaptive;
use crate::place::{Place, Time};
use crate::seats;
use crate::settings::Settings;
use alpaca::rest::RestSettings;
use alpaca::session::{PlanLimits, SessionSettings};
use alpaca::wire::Encoding;
use anyhow::{Context, bail};
use crossbeam::queue::ArrayQueue;
use desk::letter::{Address, Envelope, Letter};
use desk::{Outbox, Seat, ShelfSeat};
use forecast::shelf::notes::{Role, ShelfLetter};
use journal::{Journal, Opened, RunStart};
use live::broker::BrokerParts;
use live::clock::Clock;
use live::control::{Lines, Room};
use live::feed_actor::{FeedParts, Line};
use live::floor::Deliver;
use live::inquiry::Inquiry;
use live::keeper::{self, Keeper};
use live::models::Watch;
use live::office::{self, HistoryWish, Known, Office};
use live::post::Bounds;
use live::recover::Restored;
use live::trading::{Parts, Switch, SymbolParts, Trading};
use live::universe::{self, Choice, Wish};
use live::vetting::Vetting;
use market::feed::{FeedName, FeedNote, FeedState};
use market::{Contract, Label, Price, RunId, Symbol, Timestamp};
use risk::checks::Operator;
use risk::command::Command;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use strategy::Structure;

/// Letters that may wait for the control room: some seconds of a busy desk.
const VIEW_LETTERS: usize = 16_384;
/// Time every seat has to hear that the run ends.
const GRACE_MIN: Duration = Duration::from_millis(60);
/// Calendar days of history asked for before the feeds start.
const HISTORY: HistoryWish = HistoryWish { minute_days: 12, daily_days: 3_660 };

/// Requests a minute of the trading API for orders, and how many of them look-ups leave to submits and cancels.
const ORDERS_PER_MINUTE: u32 = 80;
const ORDERS_RESERVE: u32 = 50;
/// Requests a minute of the trading API for everything else.
const QUESTIONS_PER_MINUTE: u32 = 20;
/// What the broker allows an account in a minute.
const BROKER_PER_MINUTE: u32 = 200;
// A full bucket that is emptied while it refills gives twice its rate in one minute.
const _: () = assert!(2 * (ORDERS_PER_MINUTE + QUESTIONS_PER_MINUTE) <= BROKER_PER_MINUTE);
const _: () = assert!(ORDERS_RESERVE < ORDERS_PER_MINUTE);

/// What a run is started with.
pub struct Start<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// Folder of journal and control socket.
    pub folder: PathBuf,
    /// The journal, opened before anything else: its lock keeps a second engine away from venue and account.
    pub opened: Opened,
    /// Where to trade.
    pub place: Place,
    /// False runs the feeds without option chains and orders (bars only).
    pub trade: bool,
}

/// A running engine.
pub struct Engine {
    /// Views, histograms and the control socket; look in often.
    pub room: Room,
    /// The number of this run.
    pub run: u32,
    /// The account when it started.
    pub opening: Option<market::order::Account>,
    /// Set when the engine should stop: by the control socket, or by a fault it cannot work with.
    pub stop: Arc<AtomicBool>,
    /// How long from start until the feeds were told to connect.
    pub started_in: Duration,
    clock: Clock,
    trading: Trading,
    journal: Journal,
    crew: Crew,
    asks: tokio::sync::mpsc::UnboundedSender<office::Ask>,
    place: Place,
    tutor: Adaptive,
}

/// The threads that work beside the trading thread and end with their lines.
struct Crew {
    office: std::thread::JoinHandle<()>,
    keeper: std::thread::JoinHandle<()>,
    /// Ends the keeper's look at a model.
    no_more_looks: Arc<AtomicBool>,
}

/// Starts the engine; it trades when this returns.
///
/// # Errors
/// Whatever keeps it from starting, with the place and the remedy.
pub fn start(start: Start<'_>, say: &mut dyn FnMut(String)) -> anyhow::Result<Engine> {
    let begun_ns = live::clock::monotonic_ns();
    let Start { settings, folder, opened, place, trade } = start;
    let inquiry = inquiry(settings, &place)?;
    let greeting = ask(office::greet(&inquiry)).with_context(|| not_answering(&place))?;
    let Opened { journal, pens, recovered } = opened;
    let (restored, shelf) = bring_back(settings, &recovered)
        .with_context(|| format!("{}: the record of earlier runs cannot be read back", folder.display()))?;
    tell_recovery(&recovered, &restored, say);
    let clock = match place.time {
        Time::Led { speed } => Clock::following(greeting.now.max(restored.newest), speed),
        Time::Wall { shift_ns } => Clock::shifted(shift_ns),
    };
    let wish = wish(settings);
    let known = ask(office::know(&inquiry, greeting.now, &settings.symbols, &wish, HISTORY))
        .context("history and contracts cannot be fetched")?;
    let chosen = if trade { choose(&known, &restored, greeting.now, &wish) } else { Vec::new() };

    let letters = Arc::new(ArrayQueue::new(VIEW_LETTERS));
    let stop = Arc::new(AtomicBool::new(false));
    let (gaps, gaps_told) = tokio::sync::mpsc::unbounded_channel();
    let (asks, asked) = tokio::sync::mpsc::unbounded_channel();
    let run = recovered.run_id();
    let past = Past::of(&restored, run, greeting.now);
    let operator = restored.risk.core().operator();
    let working: Vec<_> = working(&restored).collect();
    let Restored { risk, execution, undelivered, positions, .. } = restored;
    let trading = Trading::start(Parts {
        clock: clock.clone(),
        pens,
        keep_inputs: settings.keep_inputs,
        letters: letters.clone(),
        symbols: symbol_parts(settings, run, &asks),
        risk,
        execution,
        shelf: shelf.clone(),
        bounds: Bounds { quotes_max: settings.engine.quotes_max, events_max: settings.engine.events_max },
        shards: settings.engine.shards,
        feeds: feeds(settings, &place, &chosen, trade),
        broker: trade.then(|| broker_parts(settings, &place, run)),
        gaps,
        fatal: fatal(stop.clone()),
    })
    .context("the trading thread does not start")?;

    let keeper = install_models(settings, &trading, shelf, &clock, say)?;
    tell_learnt(&recovered, &trading, &clock).context("the scores of earlier runs cannot be read")?;
    introduce(&trading, &known, &chosen, &clock);
    deliver_first(&trading, undelivered, positions, &clock);
    remind(&trading, operator, &clock);
    let no_more_looks = keeper.ended();
    let (to_keeper, keeper) = open_keeper(settings, keeper)?;
    let office = open_office(
        settings, &place, &trading, gaps_told, asked, &letters, to_keeper, known, chosen, &clock, past,
    )?;
    let (mut room, trouble) =
        Room::open(&folder, lines(&trading, &letters, &clock, &stop, journal.monitor()));
    room.view.working.extend(working);
    trouble.into_iter().for_each(&mut *say);
    if trade {
        // Compare with the broker before anything else happens.
        let _ = asks.send(office::Ask::Reconcile);
    }
    let _ = trading.switch.send(Switch::Connect);
    let started_in = Duration::from_nanos(live::clock::monotonic_ns() - begun_ns);
    let (opening, run) = (Some(greeting.account), run.run());
    let (crew, tutor) = (Crew { office, keeper, no_more_looks }, Adaptive::new(settings, &folder));
    Ok(Engine { room, run, opening, stop, started_in, clock, trading, journal, crew, asks, place, tutor })
}

/// Orders of earlier runs that may still work, and whether they open a position.
fn working(restored: &Restored) -> impl Iterator<Item = (portfolio::proposal::ProposalId, bool)> {
    let live = restored.execution.core().orders().filter(|order| !order.is_done());
    live.map(|order| {
        let proposal = order.proposal();
        (proposal.id, matches!(proposal.purpose, portfolio::Purpose::Open { .. }))
    })
}

fn not_answering(place: &Place) -> String {
    format!("{} does not answer: is it running, is the address right, are the keys right?", place.trading_url)
}

/// Risk, execution and the shelf as they were when the last run ended or died.
fn bring_back(
    settings: &Settings,
    recovered: &journal::Recovered,
) -> Result<(Restored, ShelfSeat), journal::Fault> {
    let (risk, execution) = (seats::risk(settings), seats::execution(settings, recovered.run_id()));
    let restored = live::recover::restore(recovered, risk, execution)?;
    Ok((restored, live::recover::restore_shelf(recovered, seats::shelf(settings))?))
}

impl Engine {
    /// The engine's time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Looks after the training beside it; never waits.
    pub fn look_after_training(&mut self) {
        if let Some(tell) = self.tutor.look(self.clock.now(), self.room.view.counts.drifts) {
            self.room.tell(tell);
        }
    }

    /// The embedded market, when there is one.
    pub fn venue(&mut self) -> Option<&mut venue::Venue> {
        self.place.venue.as_mut()
    }

    /// Stops in order: no new risk, orders that open taken back, sockets closed, journal drained. Closing orders live
    /// on at the venue until the day ends and are looked up at the next start. Answers the journal's counters.
    ///
    /// # Errors
    /// When the journal cannot be closed; what it had taken stays in its ring for the next start.
    pub fn stop(mut self, grace: Duration) -> anyhow::Result<(Room, journal::Counters)> {
        self.room.tell_stopping();
        self.crew.no_more_looks.store(true, Ordering::Relaxed);
        let begun = live::clock::monotonic_ns();
        let passed = || Duration::from_nanos(live::clock::monotonic_ns() - begun);
        // The seats hear it at once; what they then take back takes the venue a while.
        while passed() < GRACE_MIN.min(grace) || (self.room.opening() > 0 && passed() < grace) {
            self.room.round();
        }
        self.room.gather();
        let Self { room, trading, journal, crew, asks, place, clock, tutor, .. } = self;
        // Its child ends with it.
        drop(tutor);
        trading.end();
        drop(asks);
        // The office ends when its lines do; a panic there has told its reason.
        let _ = crew.office.join();
        // The keeper's line ends with the office.
        let _ = crew.keeper.join();
        let counters = journal.close(clock.now()).context("the journal does not close")?;
        drop(place);
        Ok((room, counters))
    }
}

/// Runs a few questions to their end on this thread.
fn ask<T>(questions: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    // Building a current-thread runtime fails only when the system has no file descriptors left.
    runtime.expect("a runtime needs a few file descriptors").block_on(questions)
}

/// What a REST client is for. The broker counts all requests of an account together, so the two clients of a running
/// engine share what it allows.
#[derive(Clone, Copy)]
enum For {
    /// Orders, and looking up what became of them.
    Orders,
    /// The office's questions.
    Questions,
}

fn rest_settings(settings: &Settings, place: &Place, what: For) -> RestSettings {
    let embedded = place.venue.is_some();
    let (trading, reserve) = match what {
        For::Orders => (ORDERS_PER_MINUTE, ORDERS_RESERVE),
        For::Questions => (QUESTIONS_PER_MINUTE, 0),
    };
    RestSettings {
        trading_url: place.trading_url.clone(),
        data_url: place.data_url.clone(),
        call_limit_ns: settings
            .execution
            .request_timeout_ns
            .unsigned_abs()
            .clamp(1_000_000_000, 10_000_000_000),
        connect_limit_ns: 5_000_000_000,
        trading_per_minute: (!embedded).then_some(trading),
        trading_reserve: reserve,
        data_per_minute: (!embedded).then_some(180),
        stock_feed: feed_of(&place.stock_ws_url),
        option_feed: feed_of(&place.option_ws_url),
    }
}

/// The feed is the last part of a stream's address, and REST must be asked for the same one.
fn feed_of(url: &str) -> String {
    url.rsplit('/').next().unwrap_or_default().to_string()
}

fn broker_parts(settings: &Settings, place: &Place, run: RunId) -> BrokerParts {
    BrokerParts {
        rest: rest_settings(settings, place, For::Orders),
        run,
        keys: place.keys.clone(),
        wait_for_sync: settings.journal.durability == journal::Durability::Power,
    }
}

fn inquiry(settings: &Settings, place: &Place) -> anyhow::Result<Inquiry> {
    // Before anything is traded the share of the orders is free.
    Ok(Inquiry::new(live::broker::client(rest_settings(settings, place, For::Orders), &place.keys)?))
}

/// Opens the journal of a folder: takes its lock, and drains what a dead run left.
///
/// # Errors
/// When another engine holds it, or it cannot be read.
pub fn open_journal(settings: &Settings, folder: &Path) -> anyhow::Result<Opened> {
    let seeds = vec![(Label::literal("venue"), settings.venue.seed)];
    let version = Label::literal(env!("CARGO_PKG_VERSION"));
    Ok(Journal::open(folder, &settings.journal, &RunStart { version, seeds, at: live::clock::wall() })?)
}

fn tell_recovery(recovered: &journal::Recovered, restored: &Restored, say: &mut dyn FnMut(String)) {
    match restored.risk.core().operator() {
        Operator::Trading | Operator::Stopping => {}
        Operator::Paused => say("still paused by the operator: `wingspread tell resume` takes new risk again".into()),
        Operator::Flattening => say(
            "still flattening, as the operator said: every position is closed; `wingspread tell resume` trades again"
                .into(),
        ),
        Operator::Killed => {
            say("still killed by the operator: nothing is sent until `wingspread tell resume`".into());
        }
    }
    for torn in &recovered.torn {
        say(format!(
            "journal: the end of a ring could not be read ({}, {} bytes); it is kept as {}",
            torn.why,
            torn.bytes,
            torn.kept.display()
        ));
    }
    if restored.heard > 0 {
        say(format!(
            "recovered: {} letters heard again ({} came from the ring of a run that died), {} positions, {} letters \
             to deliver",
            restored.heard,
            recovered.drained,
            restored.positions.len(),
            restored.undelivered.len()
        ));
    }
}

/// What to listen to follows from what the structures ask for.
fn wish(settings: &Settings) -> Wish {
    let structures = &settings.strategy.structures;
    let min = structures.iter().map(|s| s.span().min).min().unwrap_or(0);
    let max = structures.iter().map(|s| s.span().max).max().unwrap_or(60);
    let target = structures.first().map_or(30, |s| s.days.target);
    let of_legs = |s: &Structure| (0..s.legs.len()).filter_map(|leg| s.days_of(leg)).map(|d| d.target).max();
    let later = structures.iter().filter(|s| s.has_many_expiries()).filter_map(of_legs).max();
    Wish {
        dte_min: min,
        dte_max: max,
        dte_target: target,
        dte_later: later,
        expiries_max: settings.feed.expiries_max,
        contracts_max: settings.feed.option_quotes_max / settings.symbols.len().max(1),
    }
}

fn choose(
    known: &BTreeMap<Symbol, Known>,
    restored: &Restored,
    now: Timestamp,
    wish: &Wish,
) -> Vec<Contract> {
    let (today, _) = now.new_york();
    let held: Vec<Contract> = restored
        .positions
        .iter()
        .flat_map(|p| p.legs.iter().filter_map(|leg| leg.instrument.contract()))
        .collect();
    let worked = restored.execution.core().orders().filter(|order| !order.is_done());
    let worked = worked.flat_map(|order| &order.proposal().legs).filter_map(|leg| leg.instrument.contract());
    let kept: Vec<Contract> = held.into_iter().chain(worked).collect();
    let listed: Vec<(Symbol, Option<Price>, Vec<Contract>)> = known
        .iter()
        .map(|(symbol, known)| (*symbol, known.spot, known.listed.iter().map(|(c, _)| *c).collect()))
        .collect();
    let choices = listed.iter().map(|(symbol, spot, listed)| Choice { symbol: *symbol, spot: *spot, listed });
    universe::choose_all(choices, today, &kept, &[], wish)
}

fn symbol_parts(
    settings: &Settings,
    run: RunId,
    asks: &tokio::sync::mpsc::UnboundedSender<office::Ask>,
) -> Vec<SymbolParts> {
    let parts = |symbol: &Symbol| {
        let (symbol, strategy, asks) = (*symbol, settings.strategy.clone(), asks.clone());
        SymbolParts {
            symbol,
            seat: seats::underlying(&strategy, symbol, run),
            rebuild: Box::new(move |failed| {
                // The office is gone only while the engine stops.
                let _ = asks.send(office::Ask::Introduce(symbol));
                seats::underlying_after(&strategy, symbol, run, failed)
            }),
        }
    };
    settings.symbols.iter().map(parts).collect()
}

fn feeds(settings: &Settings, place: &Place, chosen: &[Contract], trade: bool) -> FeedParts {
    let line = |url: &str, seed: u64| Line { url: url.to_string(), session: session(settings, place, seed) };
    FeedParts {
        keys: place.keys.clone(),
        stocks: Some(line(&place.stock_ws_url, 1)),
        stock_encoding: Encoding::Json,
        symbols: settings.symbols.clone(),
        stock_quotes: trade,
        options: trade.then(|| line(&place.option_ws_url, 2)),
        contracts: chosen.to_vec(),
        orders: trade.then(|| line(&place.trading_ws_url, 3)),
    }
}

fn session(settings: &Settings, place: &Place, seed: u64) -> SessionSettings {
    let ns = |d: Duration| d.as_nanos() as u64;
    let limit = |n: usize| if place.venue.is_some() { None } else { Some(n) };
    SessionSettings {
        connect_limit_ns: 10_000_000_000,
        answer_limit_ns: 10_000_000_000,
        ping_every_ns: 10_000_000_000,
        pong_limit_ns: 15_000_000_000,
        mute_ns: ns(settings.feed.mute_after),
        backoff_first_ns: ns(settings.feed.backoff_first),
        backoff_max_ns: ns(settings.feed.backoff_max),
        login_repeats_max: 15,
        subscribe_chunk: 500,
        limits: PlanLimits {
            stock_symbols: limit(settings.feed.stock_symbols_max),
            option_quotes: limit(settings.feed.option_quotes_max),
        },
        // Jitter only has to differ between clients.
        seed: seed ^ u64::from(std::process::id()),
    }
}

fn fatal(stop: Arc<AtomicBool>) -> Arc<dyn Fn(&str) + Send + Sync> {
    Arc::new(move |why| {
        if !stop.swap(true, Ordering::Relaxed) {
            eprintln!("{why}: stopping; the next start recovers book and orders");
        }
    })
}

/// The watch over the models folder, with everything a bundle must keep to.
pub fn watch(settings: &Settings) -> Watch {
    let vetting = Vetting::new(vetting_program(), settings.models.bounds());
    Watch::new(settings.models.folder.clone(), vetting, settings.models.settle)
        .within_budgets_of(&settings.ensembles_in_use())
}

/// What does not stand between a model file and this computer.
fn tell_confinement(watch: &Watch, say: &mut dyn FnMut(String)) {
    if watch.vetting().program.is_none() {
        say("models are looked at in this process: no `wingspread` program beside this one to do it apart"
            .into());
    } else if !crate::confine::can_close_files() {
        say("models are looked at by a process that is not confined to their files: this kernel has no Landlock; \
             bring only models you made"
            .into());
    }
}

/// The program that looks at models in a process of its own: this one, or the one beside a tool.
pub fn vetting_program() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let name = own.file_name()?.to_string_lossy().into_owned();
    // The link finds the running program even after an upgrade replaced its file.
    let running = PathBuf::from("/proc/self/exe");
    if name.split(' ').next() == Some("wingspread") {
        return Some(if running.exists() { running } else { own });
    }
    Some(own.with_file_name("wingspread")).filter(|beside| beside.is_file())
}

/// The models of the folder, in every seat before the first tick. `shelf` is the shelf as it was brought back: it says
/// who speaks, as the one on the trading thread does when it hears the same.
fn install_models(
    settings: &Settings,
    trading: &Trading,
    mut shelf: ShelfSeat,
    clock: &Clock,
    say: &mut dyn FnMut(String),
) -> anyhow::Result<Keeper> {
    let has_place = |role| !matches!(role, Role::Waiting | Role::Idle);
    let with_place = |row: &forecast::shelf::Row| has_place(row.role).then_some(row.bundle.model);
    let watch = watch(settings).those_first(shelf.core().rows().iter().filter_map(with_place));
    tell_confinement(&watch, say);
    let (addresses, clock) = (trading.addresses.clone(), clock.clone());
    let mut keeper = Keeper::new(keeper::Parts { watch, addresses, clock: clock.clone() });
    let (looked, now) = (keeper.open(), clock.now());
    for refusal in looked.refused {
        say(format!("model refused: {refusal}"));
    }
    for refused in looked.unfinished {
        say(format!("model not whole: {}", refused.reason));
    }
    let mut out = Outbox::new();
    let told = keeper.bundles().filter(|b| !b.reads_members()).map(|b| ShelfLetter::Brought(b.told(now)));
    for letter in told.chain([ShelfLetter::Open]).collect::<Vec<_>>() {
        shelf.hear(now, &Letter::Shelf(letter), &mut out);
    }
    let rows = shelf.core().rows();
    let speaking: Vec<String> = rows
        .iter()
        .filter(|row| row.role == Role::Incumbent)
        .map(|row| format!("{} {}", row.bundle.model.name, row.bundle.model.version))
        .collect();
    if speaking.is_empty() && settings.strategy.inference {
        bail!(
            "{}: no usable model; `wingspread train` makes a set, or set `models.folder`",
            settings.models.folder.display()
        );
    }
    say(format!("models: {}", speaking.join(", ")));
    Ok(keeper)
}

/// The keeper at work, and the line to it.
fn open_keeper(
    settings: &Settings,
    keeper: Keeper,
) -> anyhow::Result<(crossbeam::channel::Sender<keeper::Word>, std::thread::JoinHandle<()>)> {
    let (line, words) = crossbeam::channel::bounded(keeper::WORDS_MAX);
    let every = settings.models.check_every;
    let work = move || keeper.work(&words, every);
    let thread = std::thread::Builder::new().name("models".into()).spawn(work);
    Ok((line, thread.context("the models thread does not start")?))
}

/// Every symbol's seat learns what it knew of its models, before it hears the bars that followed.
fn tell_learnt(
    recovered: &journal::Recovered,
    trading: &Trading,
    clock: &Clock,
) -> Result<(), journal::Fault> {
    let at = clock.now();
    for (symbol, seat) in &trading.addresses.symbols {
        for letter in live::learnt::letters(&recovered.reader, *symbol)? {
            let envelope = Envelope { from: Address::Record, to: Address::Underlying(*symbol), at, letter };
            seat.do_send(Deliver { envelope, origin_ns: 0 });
        }
    }
    Ok(())
}

/// Every symbol's seat learns its past.
fn introduce(trading: &Trading, known: &BTreeMap<Symbol, Known>, chosen: &[Contract], clock: &Clock) {
    let at = clock.now();
    for (symbol, seat) in &trading.addresses.symbols {
        let Some(known) = known.get(symbol) else { continue };
        for envelope in office::introduce(*symbol, known, chosen, at) {
            seat.do_send(Deliver { envelope, origin_ns: 0 });
        }
    }
}

/// Letters a dead run left undelivered, what the symbols hold, and the question what became of every order.
fn deliver_first(
    trading: &Trading,
    undelivered: Vec<Envelope>,
    positions: Vec<portfolio::notes::PositionNote>,
    clock: &Clock,
) {
    let at = clock.now();
    let addresses = &trading.addresses;
    // Nobody listened to reports while no engine ran: book and broker have to be compared before anything is opened.
    let unheard = FeedNote { feed: FeedName::Orders, state: FeedState::Down, at };
    let envelope = Envelope { from: Address::Venue, to: Address::Risk, at, letter: Letter::Feed(unheard) };
    addresses.risk.do_send(Deliver { envelope, origin_ns: 0 });
    for mut envelope in undelivered {
        envelope.at = at;
        let seat = if envelope.to == Address::Risk { &addresses.risk } else { &addresses.execution };
        seat.do_send(Deliver { envelope, origin_ns: 0 });
    }
    for note in positions {
        let Some((symbol, seat)) = addresses.symbols.iter().find(|(s, _)| *s == note.underlying) else {
            continue;
        };
        let to = Address::Underlying(*symbol);
        let envelope = Envelope { from: Address::Risk, to, at, letter: Letter::Position(note) };
        seat.do_send(Deliver { envelope, origin_ns: 0 });
    }
    let envelope = Envelope { from: Address::Operator, to: Address::Execution, at, letter: Letter::Resume };
    addresses.execution.do_send(Deliver { envelope, origin_ns: 0 });
}

/// What the operator said in an earlier run still holds; risk knows it from the record, the symbols' seats do not.
fn remind(trading: &Trading, operator: Operator, clock: &Clock) {
    let command = match operator {
        Operator::Trading | Operator::Stopping => return,
        Operator::Paused | Operator::Flattening => Command::Pause,
        Operator::Killed => Command::Kill,
    };
    let at = clock.now();
    for (symbol, seat) in &trading.addresses.symbols {
        let (to, letter) = (Address::Underlying(*symbol), Letter::Command(command));
        let envelope = Envelope { from: Address::Operator, to, at, letter };
        seat.do_send(Deliver { envelope, origin_ns: 0 });
    }
}

fn lines(
    trading: &Trading,
    letters: &Arc<ArrayQueue<Envelope>>,
    clock: &Clock,
    stop: &Arc<AtomicBool>,
    journal: journal::writer::Monitor,
) -> Lines {
    let addresses = &trading.addresses;
    let mut command_to = vec![(Address::Risk, addresses.risk.clone())];
    command_to.extend(addresses.symbols.iter().map(|(s, seat)| (Address::Underlying(*s), seat.clone())));
    Lines {
        letters: letters.clone(),
        floors: addresses.floors.clone(),
        alerts: addresses.alerts.clone(),
        looks: addresses.looks.clone(),
        shelf: addresses.shelf.clone(),
        command_to,
        clock: clock.clone(),
        stop: stop.clone(),
        journal,
    }
}

/// What the office must know of earlier runs.
#[derive(Clone, Copy)]
struct Past {
    run: RunId,
    activities_since: market::Date,
}

impl Past {
    fn of(restored: &Restored, run: RunId, now: Timestamp) -> Self {
        let activities_since = restored.risk.core().book().activities_since();
        Self { run, activities_since: activities_since.unwrap_or_else(|| now.new_york().0) }
    }
}

#[expect(clippy::too_many_arguments, reason = "each is a line to somewhere; a struct would only rename them")]
fn open_office(
    settings: &Settings,
    place: &Place,
    trading: &Trading,
    gaps: tokio::sync::mpsc::UnboundedReceiver<live::feed::Gap>,
    asks: tokio::sync::mpsc::UnboundedReceiver<office::Ask>,
    letters: &Arc<ArrayQueue<Envelope>>,
    keeper: crossbeam::channel::Sender<keeper::Word>,
    known: BTreeMap<Symbol, Known>,
    chosen: Vec<Contract>,
    clock: &Clock,
    past: Past,
) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let (rest, keys) = (rest_settings(settings, place, For::Questions), place.keys.clone());
    let addresses = trading.addresses.clone();
    let switch = trading.switch.clone();
    let reconcile_every = settings.engine.reconcile_every;
    let (letters, clock, wish) = (letters.clone(), clock.clone(), wish(settings));
    let listed =
        known.into_iter().map(|(s, k)| (s, k.listed.into_iter().map(|(c, _)| c).collect())).collect();
    let work = move || {
        ask(async move {
            // The same parts made a client before; they do so again.
            let Ok(rest) = live::broker::client(rest, &keys) else { return };
            let parts = office::Parts {
                rest: Inquiry::new(rest),
                clock,
                addresses,
                switch,
                gaps,
                asks,
                letters,
                keeper,
                reconcile_every,
                run: past.run,
                activities_since: past.activities_since,
                wish,
                listed,
                history: HISTORY,
            };
            Office::new(parts, chosen).work().await;
        });
    };
    std::thread::Builder::new().name("office".into()).spawn(work).context("the office thread does not start")
}
