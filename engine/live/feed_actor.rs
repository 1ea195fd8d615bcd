//! The feed actors: one a connection, each running the broker client's driver until it is stopped. A driver that
//! gives up (the keys were refused, the plan lacks the feed) is told of and started again, ever more slowly: such an
//! answer may be the venue's passing trouble, and a desk without order reports can close nothing.

use crate::clock::monotonic_ns;
use crate::feed::{MarketHands, OrderHands};
use crate::floor::Floor;
use crate::trading::Switch;
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, WrapFuture};
use alpaca::control::Channels;
use alpaca::keys::Keys;
use alpaca::order_session::OrderSession;
use alpaca::orders::TradeUpdate;
use alpaca::session::{Complaint, GiveUp, PlanLimits, Session, SessionSettings};
use alpaca::socket::{FeedCommand, FeedHandler, OrderHandler, run_market_feed, run_order_feed};
use alpaca::trading::BadTradingMessage;
use alpaca::wire::{DataFeed, Encoding, WireFault};
use market::alert::Severity;
use market::feed::{FeedName, FeedState};
use market::quote::MarketEvent;
use market::{Contract, Symbol, Timestamp};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Where a feed connects, and how it behaves there.
#[derive(Clone)]
pub struct Line {
    /// The whole address, path included.
    pub url: String,
    /// Session timers and plan limits.
    pub session: SessionSettings,
}

/// The feeds of the trading thread. A feed that is `None` is not connected.
pub struct FeedParts {
    /// The keys.
    pub keys: Keys,
    /// Stock quotes, trades and statuses.
    pub stocks: Option<Line>,
    /// How the stock feed is encoded.
    pub stock_encoding: Encoding,
    /// The symbols.
    pub symbols: Vec<Symbol>,
    /// False to listen to trades only.
    pub stock_quotes: bool,
    /// Option quotes and trades.
    pub options: Option<Line>,
    /// The contracts listened to at first.
    pub contracts: Vec<Contract>,
    /// Order reports.
    pub orders: Option<Line>,
}

/// Tells a feed actor what to do.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Tell(pub FeedCommand);

/// One connection.
pub struct FeedActor {
    name: FeedName,
    run: Option<Run>,
    commands: tokio::sync::mpsc::Sender<FeedCommand>,
    /// What a market feed is to listen to, for its next session.
    wanted: Rc<RefCell<Channels>>,
    floor: Rc<Floor>,
    done: Option<tokio::sync::oneshot::Sender<()>>,
}

/// The driver, ready to run.
type Run = std::pin::Pin<Box<dyn Future<Output = ()>>>;

impl Actor for FeedActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let Some(run) = self.run.take() else { return };
        let done = self.done.take();
        let work = async move {
            run.await;
            if let Some(done) = done {
                // Nobody waits when the thread is ending anyway.
                let _ = done.send(());
            }
        };
        context.spawn(work.into_actor(self).map_stop());
    }
}

/// Stops the actor when its driver is done.
trait MapStop {
    fn map_stop(self) -> std::pin::Pin<Box<dyn actix::ActorFuture<FeedActor, Output = ()>>>;
}

impl<F: actix::ActorFuture<FeedActor, Output = ()> + 'static> MapStop for F {
    fn map_stop(self) -> std::pin::Pin<Box<dyn actix::ActorFuture<FeedActor, Output = ()>>> {
        use actix::ActorFutureExt;
        Box::pin(self.map(|(), _, context| context.stop()))
    }
}

impl Handler<Tell> for FeedActor {
    type Result = ();
    fn handle(&mut self, Tell(command): Tell, _: &mut Self::Context) {
        if let FeedCommand::Want(channels) = &command {
            self.wanted.borrow_mut().clone_from(channels);
        }
        if self.commands.try_send(command).is_err() {
            let name = self.name;
            self.floor.alert(Severity::Warning, "feed_busy", format_args!("{name:?} takes no commands now"));
        }
    }
}

/// Commands that may wait for a feed.
const COMMANDS_MAX: usize = 16;
/// How long sockets may take to say good-bye.
const GOODBYE: Duration = Duration::from_millis(500);
/// The first pause after a session gave up; each further one is twice as long, to the longest.
const PAUSE_FIRST: Duration = Duration::from_secs(15);
const PAUSE_LONGEST: Duration = Duration::from_secs(600);

/// The pause after so many sessions in a row gave up.
fn pause(gave_up: u32) -> Duration {
    PAUSE_FIRST.saturating_mul(1 << gave_up.saturating_sub(1).min(10)).min(PAUSE_LONGEST)
}

/// Counts sessions that gave up, tells of each and waits; false when the feed is to stop meanwhile.
async fn try_again(
    name: FeedName,
    why: &GiveUp,
    floor: &Floor,
    (gave_up, begun_ns): (&mut u32, u64),
    commands: &mut tokio::sync::mpsc::Receiver<FeedCommand>,
) -> bool {
    let stood = Duration::from_nanos(monotonic_ns().saturating_sub(begun_ns));
    *gave_up = if stood > PAUSE_LONGEST { 1 } else { *gave_up + 1 };
    let pause = pause(*gave_up);
    let what = format_args!("{name:?}: {why}; again in {} s", pause.as_secs());
    floor.alert(Severity::Critical, "feed_gave_up", what);
    wait(pause, commands).await
}

/// Waits; false when told to stop. What to listen to is remembered elsewhere.
async fn wait(pause: Duration, commands: &mut tokio::sync::mpsc::Receiver<FeedCommand>) -> bool {
    let stopped = async { while let Some(FeedCommand::Want(_)) = commands.recv().await {} };
    tokio::time::timeout(pause, stopped).await.is_err()
}

/// Waits for [`Switch::Connect`], starts the feed actors, passes subscription changes on, and on [`Switch::End`] closes
/// the sockets.
pub async fn serve(
    parts: FeedParts,
    hands: impl Fn(FeedName) -> MarketHands,
    order_hands: OrderHands,
    floor: &Rc<Floor>,
    orders: &mut tokio::sync::mpsc::UnboundedReceiver<Switch>,
) {
    let mut contracts = parts.contracts.clone();
    loop {
        match orders.recv().await {
            Some(Switch::Connect) => break,
            Some(Switch::Options(new)) => contracts = new,
            Some(Switch::End) | None => return,
        }
    }
    let mut running = Vec::new();
    let mut options = None;
    if let Some(line) = &parts.stocks {
        let wanted = stock_channels(&parts.symbols, parts.stock_quotes);
        let run = market_run(
            line,
            DataFeed::Stocks,
            parts.stock_encoding,
            &parts.keys,
            wanted,
            hands(FeedName::Stocks),
            floor,
        );
        running.extend(start(FeedName::Stocks, run, floor));
    }
    if let Some(line) = &parts.options {
        let wanted = option_channels(&contracts);
        let run = market_run(
            line,
            DataFeed::Options,
            Encoding::MsgPack,
            &parts.keys,
            wanted,
            hands(FeedName::Options),
            floor,
        );
        let started = start(FeedName::Options, run, floor);
        options = started.as_ref().map(|s| s.actor.clone());
        running.extend(started);
    }
    if let Some(line) = &parts.orders {
        let run = order_run(line.clone(), parts.keys.clone(), order_hands, floor.clone());
        running.extend(start(FeedName::Orders, Ok((run, Rc::default())), floor));
    }
    loop {
        match orders.recv().await {
            Some(Switch::Options(new)) => {
                if let Some(options) = &options {
                    options.do_send(Tell(FeedCommand::Want(option_channels(&new))));
                }
            }
            Some(Switch::Connect) => {}
            Some(Switch::End) | None => break,
        }
    }
    for feed in &running {
        feed.actor.do_send(Tell(FeedCommand::Stop));
    }
    for feed in running {
        let _ = tokio::time::timeout(GOODBYE, feed.done).await;
    }
}

struct Running {
    actor: actix::Addr<FeedActor>,
    done: tokio::sync::oneshot::Receiver<()>,
}

fn start(
    name: FeedName,
    run: Result<(impl FnOnce(tokio::sync::mpsc::Receiver<FeedCommand>) -> Run, Wanted), String>,
    floor: &Rc<Floor>,
) -> Option<Running> {
    let (commands, receiver) = tokio::sync::mpsc::channel(COMMANDS_MAX);
    let (run, wanted) = match run {
        Ok((run, wanted)) => (run(receiver), wanted),
        Err(why) => {
            floor.alert(Severity::Critical, "feed_not_started", format_args!("{name:?}: {why}"));
            return None;
        }
    };
    let (done_sender, done) = tokio::sync::oneshot::channel();
    let actor =
        FeedActor { name, run: Some(run), commands, wanted, floor: floor.clone(), done: Some(done_sender) }
            .start();
    Some(Running { actor, done })
}

/// What a market feed is to listen to, shared between its actor and its sessions.
type Wanted = Rc<RefCell<Channels>>;

fn order_run(
    line: Line,
    keys: Keys,
    mut hands: OrderHands,
    floor: Rc<Floor>,
) -> impl FnOnce(tokio::sync::mpsc::Receiver<FeedCommand>) -> Run {
    move |mut commands| {
        Box::pin(async move {
            let mut gave_up = 0;
            loop {
                let begun_ns = monotonic_ns();
                let session = OrderSession::new(line.session, keys.clone());
                let Err(why) = run_order_feed(&line.url, session, &mut hands, &mut commands).await else {
                    return;
                };
                if !try_again(FeedName::Orders, &why, &floor, (&mut gave_up, begun_ns), &mut commands).await {
                    return;
                }
            }
        })
    }
}

fn market_run(
    line: &Line,
    feed: DataFeed,
    encoding: Encoding,
    keys: &Keys,
    wanted: Channels,
    mut hands: MarketHands,
    floor: &Rc<Floor>,
) -> Result<(impl FnOnce(tokio::sync::mpsc::Receiver<FeedCommand>) -> Run + use<>, Wanted), String> {
    let (line, keys, floor) = (line.clone(), keys.clone(), floor.clone());
    let session = move |wanted: &Channels| {
        Session::new(line.session, feed, encoding, keys.clone(), wanted.clone())
            .map(|session| (session, line.url.clone()))
            .map_err(|wish| wish.to_string())
    };
    let mut next = session(&wanted)?;
    let wanted: Wanted = Rc::new(RefCell::new(wanted));
    let latest = wanted.clone();
    let run = move |mut commands: tokio::sync::mpsc::Receiver<FeedCommand>| -> Run {
        Box::pin(async move {
            let (name, mut gave_up) = (hands.feed(), 0);
            loop {
                let begun_ns = monotonic_ns();
                let (session_now, url) = next;
                let Err(why) = run_market_feed(&url, session_now, &mut hands, &mut commands).await else {
                    return;
                };
                if !try_again(name, &why, &floor, (&mut gave_up, begun_ns), &mut commands).await {
                    return;
                }
                let wanted_now = latest.borrow().clone();
                next = match session(&wanted_now) {
                    Ok((session, url)) => (session.after(hands.newest()), url),
                    Err(why) => {
                        return floor.alert(
                            Severity::Critical,
                            "feed_not_started",
                            format_args!("{name:?}: {why}"),
                        );
                    }
                };
            }
        })
    };
    Ok((run, wanted))
}

fn stock_channels(symbols: &[Symbol], quotes: bool) -> Channels {
    let names: Vec<String> = symbols.iter().map(Symbol::to_string).collect();
    let quotes = if quotes { names.clone() } else { Vec::new() };
    Channels { trades: names.clone(), quotes, statuses: names, ..Channels::default() }
}

fn option_channels(contracts: &[Contract]) -> Channels {
    let names: Vec<String> = contracts.iter().map(Contract::to_string).collect();
    Channels { trades: names.clone(), quotes: names, ..Channels::default() }
}

/// Plan limits of the venue of our own, which has none.
pub const NO_LIMITS: PlanLimits = PlanLimits { stock_symbols: None, option_quotes: None };

impl FeedHandler for MarketHands {
    fn monotonic_ns(&self) -> u64 {
        monotonic_ns()
    }
    fn data_expected(&self) -> bool {
        market::session::is_open(self.floor().clock.now())
    }
    fn event(&mut self, received_ns: u64, event: MarketEvent) {
        MarketHands::event(self, received_ns, event);
    }
    fn flush(&mut self) {
        MarketHands::flush(self);
    }
    fn must_wait(&self) -> bool {
        MarketHands::must_wait(self)
    }
    fn state(&mut self, state: FeedState, gap: Option<(Timestamp, Timestamp)>) {
        MarketHands::state(self, state, gap);
    }
    fn fault(&mut self, fault: &WireFault) {
        MarketHands::fault(self, fault);
    }
    fn complaint(&mut self, complaint: &Complaint) {
        let feed = self.feed();
        self.floor().alert(Severity::Warning, "feed_trouble", format_args!("{feed:?}: {complaint}"));
    }
}

impl OrderHandler for OrderHands {
    fn monotonic_ns(&self) -> u64 {
        monotonic_ns()
    }
    fn update(&mut self, received_ns: u64, update: TradeUpdate) {
        OrderHands::update(self, received_ns, &update);
    }
    fn flush(&mut self) {}
    fn state(&mut self, state: FeedState) {
        OrderHands::state(self, state);
    }
    fn fault(&mut self, fault: &BadTradingMessage) {
        self.floor().alert(Severity::Warning, "order_message_unreadable", format_args!("{fault}"));
        // It may have told a fill.
        self.missed_some();
    }
    fn complaint(&mut self, complaint: &Complaint) {
        self.floor().alert(Severity::Warning, "feed_trouble", format_args!("Orders: {complaint}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_gave_up_is_tried_again_ever_more_slowly() {
        let pauses: Vec<u64> = (1..=8).map(|n| pause(n).as_secs()).collect();
        assert_eq!(pauses, [15, 30, 60, 120, 240, 480, 600, 600]);
        assert_eq!(pause(u32::MAX), PAUSE_LONGEST);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("small");
        runtime.block_on(async {
            let (sender, mut commands) = tokio::sync::mpsc::channel(4);
            sender.send(FeedCommand::Want(Channels::default())).await.expect("room");
            assert!(wait(Duration::from_millis(5), &mut commands).await, "a new wish does not end the pause");
            sender.send(FeedCommand::Stop).await.expect("room");
            assert!(!wait(Duration::from_secs(60), &mut commands).await, "stopping does");
            drop(sender);
            assert!(!wait(Duration::from_secs(60), &mut commands).await);
        });
    }
}
