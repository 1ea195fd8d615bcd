//! The trading thread: builds floor, seats, feeds and broker on one arbiter (and, when asked, symbol seats on shards),
//! hands out the addresses, and stops in order.

use crate::bell::Bell;
use crate::broker::{Broker, BrokerParts};
use crate::clock::Clock;
use crate::control::{TakeStages, Tell};
use crate::feed::{Door, Gap, MarketHands, OrderHands};
use crate::feed_actor::{self, FeedParts};
use crate::floor::{Deliver, Floor};
use crate::floor_actor::FloorActor;
use crate::look::Look;
use crate::post::{Bounds, Post};
use crate::seat_actor::{Install, Rebuild, SeatActor, Tick};
use crate::shard::{self, Carrier, ShardDoor, ShardReceiver};
use actix::Actor;
use alpaca::ids::VenueIds;
use crossbeam::queue::ArrayQueue;
use desk::ShelfSeat;
use desk::letter::{Address, Envelope};
use desk::seat::{ExecutionSeat, RiskSeat, Seat, UnderlyingSeat};
use journal::Pen;
use market::Symbol;
use market::alert::Severity;
use market::feed::FeedName;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// One symbol's seat, and how to make it again after a panic.
pub struct SymbolParts {
    /// The symbol.
    pub symbol: Symbol,
    /// Its seat.
    pub seat: UnderlyingSeat,
    /// Makes the seat anew, to go on where the given one failed, and asks the office to give it its past, its models
    /// and its positions again.
    pub rebuild: Box<dyn Fn(&UnderlyingSeat) -> UnderlyingSeat + Send>,
}

/// Everything the trading thread is built from.
pub struct Parts {
    /// The engine's clock.
    pub clock: Clock,
    /// The journal's pens: one for this thread, one for each shard.
    pub pens: Vec<Pen>,
    /// Whether market words go on record.
    pub keep_inputs: bool,
    /// Where copies of letters go for the views.
    pub letters: Arc<ArrayQueue<Envelope>>,
    /// The symbols.
    pub symbols: Vec<SymbolParts>,
    /// The book.
    pub risk: RiskSeat,
    /// The orders.
    pub execution: ExecutionSeat,
    /// The models.
    pub shelf: ShelfSeat,
    /// Bounds of each symbol's post.
    pub bounds: Bounds,
    /// Threads for symbol seats; 0 keeps them on the trading thread.
    pub shards: usize,
    /// The feeds.
    pub feeds: FeedParts,
    /// The way to the venue for orders; `None` when nothing is traded (bars only).
    pub broker: Option<BrokerParts>,
    /// Where gaps go for repair.
    pub gaps: tokio::sync::mpsc::UnboundedSender<Gap>,
    /// Called when a seat that cannot be made anew panicked.
    pub fatal: Arc<dyn Fn(&str) + Send + Sync>,
}

/// Addresses of what the trading thread carries.
#[derive(Clone)]
pub struct Addresses {
    /// Risk.
    pub risk: actix::Recipient<Deliver>,
    /// Execution.
    pub execution: actix::Recipient<Deliver>,
    /// The shelf of models.
    pub shelf: actix::Recipient<Deliver>,
    /// The symbols.
    pub symbols: Vec<(Symbol, actix::Recipient<Deliver>)>,
    /// Where models go.
    pub installs: Vec<actix::Recipient<Install>>,
    /// Where a look at a symbol's seat is asked for.
    pub looks: Vec<(Symbol, actix::Recipient<Look>)>,
    /// Every thread's floor.
    pub floors: Vec<actix::Recipient<TakeStages>>,
    /// Where alerts that no seat says go on record.
    pub alerts: actix::Recipient<Tell>,
}

/// The running trading thread.
pub struct Trading {
    /// Who is where.
    pub addresses: Addresses,
    /// Starts feeds and broker, or stops them.
    pub switch: tokio::sync::mpsc::UnboundedSender<Switch>,
    thread: std::thread::JoinHandle<()>,
}

/// What the trading thread is told from outside.
pub enum Switch {
    /// Connect the feeds.
    Connect,
    /// Listen to these option contracts from now on.
    Options(Vec<market::Contract>),
    /// Close the sockets and end.
    End,
}

impl Trading {
    /// Starts the thread; the feeds wait for [`Switch::Connect`].
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(parts: Parts) -> std::io::Result<Self> {
        let (switch, orders) = tokio::sync::mpsc::unbounded_channel();
        let (report, ready) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("trading".into()).spawn(move || {
            actix_rt::System::new().block_on(run(parts, orders, report));
        })?;
        let addresses =
            ready.recv().map_err(|_| std::io::Error::other("the trading thread ended while starting"))?;
        Ok(Self { addresses, switch, thread })
    }

    /// Ends the thread and waits for it.
    pub fn end(self) {
        let _ = self.switch.send(Switch::End);
        // A panicked thread has told its reason already.
        let _ = self.thread.join();
    }
}

async fn run(
    parts: Parts,
    mut orders: tokio::sync::mpsc::UnboundedReceiver<Switch>,
    report: std::sync::mpsc::Sender<Addresses>,
) {
    let mut pens = parts.pens.into_iter();
    let Some(pen) = pens.next() else { return };
    let floor = Rc::new(Floor::new(parts.clock.clone(), pen, parts.keep_inputs, parts.letters.clone()));
    let fatal = parts.fatal.clone();
    let fatal: Rc<dyn Fn(&str)> = Rc::new(move |what| fatal(what));
    let risk = seat_owner(parts.risk, &floor, None, &fatal);
    let execution = seat_owner(parts.execution, &floor, None, &fatal);
    // What it knew before the letter it failed at is still right: a model less is moved.
    let shelf = seat_owner(parts.shelf, &floor, Some(Box::new(ShelfSeat::clone)), &fatal);
    let mut ticks: Vec<actix::Recipient<Tick>> =
        vec![risk.clone().recipient(), execution.clone().recipient()];

    let shared = Shared {
        clock: parts.clock,
        keep_inputs: parts.keep_inputs,
        letters: parts.letters,
        bounds: parts.bounds,
        fatal: parts.fatal,
        risk: risk.clone().recipient(),
        execution: execution.clone().recipient(),
        shelf: shelf.clone().recipient(),
    };
    let mut seated = if parts.shards == 0 {
        seat_here(&floor, parts.symbols, &shared)
    } else {
        seat_on_shards(&floor, parts.symbols, parts.shards, pens, &shared).await
    };
    ticks.append(&mut seated.ticks);

    let keeper = FloorActor::new(floor.clone(), ticks).start();
    seated.floors.push(keeper.clone().recipient());
    let ids = parts.broker.as_ref().map_or_else(VenueIds::default, |b| VenueIds::of(b.run));
    let ids = Rc::new(RefCell::new(ids));
    let broker =
        parts.broker.and_then(|b| open_broker(b, &floor, execution.clone().recipient(), ids.clone()));
    if let Some(broker) = &broker {
        floor.seat_at(Address::Venue, broker.clone().recipient());
    }
    let Seated { symbols, installs, looks, floors, .. } = seated;
    let (risk, execution, shelf) = (risk.recipient(), execution.recipient(), shelf.recipient());
    let alerts = keeper.recipient();
    let addresses = Addresses { risk, execution, shelf, symbols, installs, looks, floors, alerts };
    // Every actor starts before this thread may be told to end: one that had not would be started while the runtime goes
    // away, and would ask it for a timer.
    tokio::task::yield_now().await;
    if report.send(addresses).is_err() {
        return;
    }
    let doors = Rc::new(seated.doors);
    let everyone = everyone(&doors);
    let hands = |feed: FeedName| {
        MarketHands::new(feed, floor.clone(), doors.clone(), everyone.clone(), parts.gaps.clone())
    };
    let order_hands = OrderHands::new(floor.clone(), everyone.clone(), parts.gaps.clone(), ids);
    feed_actor::serve(parts.feeds, hands, order_hands, &floor, &mut orders).await;
    for arbiter in seated.arbiters {
        arbiter.stop();
    }
    actix_rt::System::current().stop();
}

/// Seats an owner that hears letters and no market words.
fn seat_owner<S: Seat + Unpin + 'static>(
    seat: S,
    floor: &Rc<Floor>,
    rebuild: Option<Rebuild<S>>,
    fatal: &Rc<dyn Fn(&str)>,
) -> actix::Addr<SeatActor<S>> {
    let address = seat.address();
    let post = Rc::new(RefCell::new(Post::new(Bounds { quotes_max: 1, events_max: 1 })));
    let actor = SeatActor::new(seat, floor.clone(), post, rebuild, fatal.clone()).start();
    floor.seat_at(address, actor.clone().recipient());
    actor
}

/// Every seat that has to know what becomes of a feed.
fn everyone(doors: &[Door]) -> Vec<Address> {
    let symbols = doors.iter().map(|door| Address::Underlying(door.symbol));
    [Address::Risk, Address::Execution].into_iter().chain(symbols).collect()
}

/// The broker, or an alert why there is none.
fn open_broker(
    parts: BrokerParts,
    floor: &Rc<Floor>,
    execution: actix::Recipient<Deliver>,
    ids: Rc<RefCell<VenueIds>>,
) -> Option<actix::Addr<Broker>> {
    match parts.client() {
        Ok(client) => Some(Broker::new(client, parts.wait_for_sync, floor.clone(), execution, ids).start()),
        Err(bad) => {
            floor.alert(Severity::Critical, "no_way_to_the_venue", format_args!("{bad}"));
            None
        }
    }
}

/// What every seat's making needs.
struct Shared {
    clock: Clock,
    keep_inputs: bool,
    letters: Arc<ArrayQueue<Envelope>>,
    bounds: Bounds,
    fatal: Arc<dyn Fn(&str) + Send + Sync>,
    risk: actix::Recipient<Deliver>,
    execution: actix::Recipient<Deliver>,
    shelf: actix::Recipient<Deliver>,
}

/// Seats in place, with every way to them.
#[derive(Default)]
struct Seated {
    doors: Vec<Door>,
    symbols: Vec<(Symbol, actix::Recipient<Deliver>)>,
    installs: Vec<actix::Recipient<Install>>,
    looks: Vec<(Symbol, actix::Recipient<Look>)>,
    ticks: Vec<actix::Recipient<Tick>>,
    floors: Vec<actix::Recipient<TakeStages>>,
    arbiters: Vec<actix_rt::Arbiter>,
}

/// A symbol's seat on this thread, its post and its bell.
struct SeatedHere {
    actor: actix::Addr<SeatActor<UnderlyingSeat>>,
    post: Rc<RefCell<Post>>,
    bell: Bell,
}

/// Puts one symbol's seat on the floor of the thread this is called on.
fn seat(parts: SymbolParts, floor: &Rc<Floor>, shared: &Shared) -> SeatedHere {
    let post = Rc::new(RefCell::new(Post::new(shared.bounds)));
    let fatal = shared.fatal.clone();
    let fatal: Rc<dyn Fn(&str)> = Rc::new(move |what| fatal(what));
    let actor = SeatActor::new(parts.seat, floor.clone(), post.clone(), Some(parts.rebuild), fatal);
    let bell = actor.bell();
    let actor = actor.start();
    floor.seat_at(Address::Underlying(parts.symbol), actor.clone().recipient());
    SeatedHere { actor, post, bell }
}

fn seat_here(floor: &Rc<Floor>, symbols: Vec<SymbolParts>, shared: &Shared) -> Seated {
    let mut seated = Seated::default();
    for parts in symbols {
        let symbol = parts.symbol;
        let SeatedHere { actor, post, bell } = seat(parts, floor, shared);
        seated.doors.push(Door { symbol, post, bell });
        seated.symbols.push((symbol, actor.clone().recipient()));
        seated.installs.push(actor.clone().recipient());
        seated.looks.push((symbol, actor.clone().recipient()));
        seated.ticks.push(actor.recipient());
    }
    seated
}

/// Spreads the symbols over `shards` threads in turn.
async fn seat_on_shards(
    floor: &Rc<Floor>,
    symbols: Vec<SymbolParts>,
    shards: usize,
    mut pens: impl Iterator<Item = Pen>,
    shared: &Shared,
) -> Seated {
    let mut seated = Seated::default();
    let mut groups: Vec<Vec<SymbolParts>> = (0..shards).map(|_| Vec::new()).collect();
    for (i, parts) in symbols.into_iter().enumerate() {
        groups[i % shards].push(parts);
    }
    for group in groups.into_iter().filter(|g| !g.is_empty()) {
        let Some(pen) = pens.next() else {
            tell_unseated(floor, &group.iter().map(|p| p.symbol).collect::<Vec<_>>());
            continue;
        };
        let (sender, receiver) = shard::ring();
        let sender = Rc::new(RefCell::new(sender));
        let arbiter = actix_rt::Arbiter::new();
        let (report, ready) = tokio::sync::oneshot::channel();
        let names: Vec<Symbol> = group.iter().map(|p| p.symbol).collect();
        let theirs = Shared {
            clock: shared.clock.clone(),
            keep_inputs: shared.keep_inputs,
            letters: shared.letters.clone(),
            bounds: shared.bounds,
            fatal: shared.fatal.clone(),
            risk: shared.risk.clone(),
            execution: shared.execution.clone(),
            shelf: shared.shelf.clone(),
        };
        arbiter.spawn_fn(move || start_shard(group, pen, theirs, receiver, report));
        let Ok(ways) = ready.await else {
            tell_unseated(floor, &names);
            continue;
        };
        for (symbol, way) in names.into_iter().zip(ways.seats) {
            let post = Rc::new(RefCell::new(Post::new(shared.bounds)));
            let carrier = Carrier::new(symbol, post.clone(), sender.clone());
            let bell = carrier.bell();
            let carrier = carrier.start();
            floor.seat_at(Address::Underlying(symbol), carrier.recipient());
            seated.doors.push(Door { symbol, post, bell });
            seated.symbols.push((symbol, way.deliver));
            seated.installs.push(way.install);
            seated.looks.push((symbol, way.look));
        }
        seated.floors.push(ways.floor);
        seated.arbiters.push(arbiter);
    }
    seated
}

/// A shard did not start: its symbols are not traded, which somebody has to know.
fn tell_unseated(floor: &Floor, symbols: &[Symbol]) {
    let text = format_args!("no thread for {symbols:?}: they are not traded in this run");
    floor.alert(Severity::Critical, "shard_not_started", text);
}

/// The ways to the seats of one shard, from any thread.
struct ShardWays {
    seats: Vec<SeatWays>,
    floor: actix::Recipient<TakeStages>,
}

struct SeatWays {
    deliver: actix::Recipient<Deliver>,
    install: actix::Recipient<Install>,
    look: actix::Recipient<Look>,
}

/// Runs on the shard's thread.
fn start_shard(
    group: Vec<SymbolParts>,
    pen: Pen,
    shared: Shared,
    receiver: ShardReceiver,
    report: tokio::sync::oneshot::Sender<ShardWays>,
) {
    let floor = Rc::new(Floor::new(shared.clock.clone(), pen, shared.keep_inputs, shared.letters.clone()));
    floor.seat_at(Address::Risk, shared.risk.clone());
    floor.seat_at(Address::Execution, shared.execution.clone());
    floor.seat_at(Address::Shelf, shared.shelf.clone());
    let (mut doors, mut seats, mut ticks) = (Vec::new(), Vec::new(), Vec::new());
    for parts in group {
        let symbol = parts.symbol;
        let SeatedHere { actor, post, bell } = seat(parts, &floor, &shared);
        doors.push(ShardDoor { symbol, post, bell, seat: actor.clone().recipient() });
        let (deliver, install) = (actor.clone().recipient(), actor.clone().recipient());
        seats.push(SeatWays { deliver, install, look: actor.clone().recipient() });
        ticks.push(actor.recipient());
    }
    let keeper = FloorActor::new(floor.clone(), ticks).start();
    let conflated = move |n| floor.stages.borrow_mut().counters.quotes_conflated += n;
    actix_rt::spawn(shard::receive(receiver, doors, conflated));
    let _ = report.send(ShardWays { seats, floor: keeper.recipient() });
}
