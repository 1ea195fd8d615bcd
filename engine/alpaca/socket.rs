//! The thin driver between a session and a real websocket: it carries out what the session wants, decodes what
//! arrives and hands it on. It runs on a current-thread runtime and decides nothing.
//!
//! Overload: a reader that keeps up takes small bites and tells the handler to `flush` after each; one that is behind
//! takes everything the socket has (at most [`FRAMES_PER_BATCH`] frames) before that, so that the handler can conflate
//! what it was handed. `appetite.rs` decides which.

mod appetite;

use crate::control::Channels;
use crate::control::Control;
use crate::decode::decode;
use crate::order_session::OrderSession;
use crate::orders::TradeUpdate;
use crate::session::BadWish;
use crate::session::{Complaint, GiveUp, Session, Todo};
use crate::tap::{Gauges, Tap};
use crate::trading::{BadTradingMessage, TradingMessage};
use crate::wire::{Decoded, Encoding, MSGPACK_CONTENT_TYPE, WireFault};
use appetite::Appetite;
use futures_util::{FutureExt, SinkExt, StreamExt};
use market::Timestamp;
use market::feed::FeedState;
use market::quote::MarketEvent;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::CONTENT_TYPE;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

/// Most frames handed on before `flush`.
pub const FRAMES_PER_BATCH: usize = 4096;
/// Largest message taken, in bytes; a larger one closes the connection, which is then opened again.
pub const MESSAGE_MAX: usize = 1 << 20;
/// Bytes asked of the socket at a time, some fifteen quotes. The websocket library fills as much with zeros before each
/// read, also before the one that finds nothing: its default of 128 KiB costs more than the quotes themselves.
const READ_BYTES: usize = 2 << 10;
/// How often a session's timers are looked at.
const TICK: Duration = Duration::from_millis(50);
/// How soon a handler that could take nothing more is asked again.
const WAIT_LOOK: Duration = Duration::from_millis(1);
/// Longest wait for the socket to take a message of ours.
const SEND_LIMIT: Duration = Duration::from_secs(5);
/// Longest wait for a polite good-bye.
const CLOSE_LIMIT: Duration = Duration::from_millis(200);

/// What the live shell does with a market feed.
pub trait FeedHandler {
    /// Monotonic time, for session timers and for stamping what was read.
    fn monotonic_ns(&self) -> u64;
    /// True while the market is open for what is subscribed: only then can a feed be mute.
    fn data_expected(&self) -> bool;
    /// One event. `received_ns` is when the bytes were read, taken once for all events of a read.
    fn event(&mut self, received_ns: u64, event: MarketEvent);
    /// What was taken of the socket was handed over: act on it.
    fn flush(&mut self);
    /// True while nothing more can be taken: the socket is then left unread until it can.
    fn must_wait(&self) -> bool {
        false
    }
    /// What became of the feed. `Up` comes twice after an interruption: once when subscribed again, and once
    /// with the gap (newest stamp before, first stamp after) when the first data arrived.
    fn state(&mut self, state: FeedState, gap: Option<(Timestamp, Timestamp)>);
    /// A frame, or a part of one, could not be read.
    fn fault(&mut self, fault: &WireFault);
    /// Something else worth a line to a person.
    fn complaint(&mut self, complaint: &Complaint);
}

/// What the live shell does with the trading stream.
pub trait OrderHandler {
    /// Monotonic time.
    fn monotonic_ns(&self) -> u64;
    /// Something happened to an order.
    fn update(&mut self, received_ns: u64, update: TradeUpdate);
    /// Everything the socket had was handed over.
    fn flush(&mut self);
    /// What became of the stream. After every `Up`: ask for the orders, nothing is replayed.
    fn state(&mut self, state: FeedState);
    /// A message could not be read.
    fn fault(&mut self, fault: &BadTradingMessage);
    /// Something else worth a line to a person.
    fn complaint(&mut self, complaint: &Complaint);
}

/// What can be asked of a running feed. Dropping the sender stops it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // Sent a few times a day: a plain value is worth more than its size.
pub enum FeedCommand {
    /// Be subscribed to exactly this from now on.
    Want(Channels),
    /// Say good-bye and end.
    Stop,
}

/// Runs a market feed until it is stopped or gives up. `url` is the whole address, path included.
pub async fn run_market_feed<H: FeedHandler>(
    url: &str,
    session: Session,
    handler: &mut H,
    commands: &mut Receiver<FeedCommand>,
) -> Result<(), GiveUp> {
    let encoding = session.encoding();
    let link = MarketLink { session, handler, stamps: None, any_data: false, controls: Vec::new() };
    drive(link, url, encoding, commands).await
}

/// Runs the trading stream until it is stopped or gives up. `url` is the whole address, path included.
pub async fn run_order_feed<H: OrderHandler>(
    url: &str,
    session: OrderSession,
    handler: &mut H,
    commands: &mut Receiver<FeedCommand>,
) -> Result<(), GiveUp> {
    drive(OrderLink { session, handler }, url, Encoding::Json, commands).await
}

/// A session and its handler, seen from the driver.
trait Link {
    fn now_ns(&self) -> u64;
    fn poll(&mut self) -> Option<Todo>;
    fn wake(&mut self);
    fn connected(&mut self);
    fn lost(&mut self, why: Loss);
    fn heard(&mut self);
    fn frame(&mut self, received_ns: u64, bytes: &[u8]);
    fn drained(&mut self);
    fn must_wait(&self) -> bool {
        false
    }
    fn tell(&mut self, state: FeedState, gap: Option<(Timestamp, Timestamp)>);
    fn complain(&mut self, complaint: &Complaint);
    fn command(&mut self, command: Option<FeedCommand>);
    fn is_over(&self) -> bool;
}

/// How a connection failed.
enum Loss {
    Http(u16),
    Other(String),
}

struct MarketLink<'h, H> {
    session: Session,
    handler: &'h mut H,
    /// First and newest stamp of the batch.
    stamps: Option<(Timestamp, Timestamp)>,
    any_data: bool,
    controls: Vec<Control>,
}

impl<H: FeedHandler> Link for MarketLink<'_, H> {
    fn now_ns(&self) -> u64 {
        self.handler.monotonic_ns()
    }
    fn poll(&mut self) -> Option<Todo> {
        self.session.poll()
    }
    fn wake(&mut self) {
        let expected = self.handler.data_expected();
        self.session.wake(self.handler.monotonic_ns(), expected);
    }
    fn connected(&mut self) {
        self.session.connected(self.handler.monotonic_ns());
    }
    fn lost(&mut self, why: Loss) {
        let now_ns = self.handler.monotonic_ns();
        match why {
            Loss::Http(status) => self.session.refused(now_ns, status),
            Loss::Other(why) => self.session.lost(now_ns, why),
        }
    }
    fn heard(&mut self) {
        self.session.heard();
    }

    fn frame(&mut self, received_ns: u64, bytes: &[u8]) {
        let Self { session, handler, stamps, any_data, controls } = self;
        let outcome = decode(bytes, session.encoding(), session.feed(), &mut |found| match found {
            Decoded::Event(event) => {
                *any_data = true;
                if let MarketEvent::Quote(..) | MarketEvent::Trade(..) = event
                    && let Some(at) = event.at()
                {
                    *stamps = Some(stamps.map_or((at, at), |(first, newest)| (first, newest.max(at))));
                }
                handler.event(received_ns, event);
            }
            Decoded::Control(control) => controls.push(control),
            Decoded::Fault(fault) => handler.fault(&fault),
        });
        if let Err(fault) = outcome {
            handler.fault(&fault);
        }
        for control in controls.drain(..) {
            session.control(received_ns, control);
        }
    }

    fn drained(&mut self) {
        if self.any_data {
            self.session.data(self.handler.monotonic_ns(), self.stamps.take());
            self.any_data = false;
        }
        // Frames without a word for us are a sign of life all the same.
        self.session.heard();
        self.handler.flush();
    }
    fn must_wait(&self) -> bool {
        self.handler.must_wait()
    }
    fn tell(&mut self, state: FeedState, gap: Option<(Timestamp, Timestamp)>) {
        self.handler.state(state, gap);
    }
    fn complain(&mut self, complaint: &Complaint) {
        self.handler.complaint(complaint);
    }
    fn command(&mut self, command: Option<FeedCommand>) {
        match command {
            Some(FeedCommand::Want(channels)) => {
                if let Err(wish) = self.session.want(channels) {
                    self.handler.complaint(&refused_wish(&wish));
                }
            }
            Some(FeedCommand::Stop) | None => self.session.stop(),
        }
    }
    fn is_over(&self) -> bool {
        self.session.is_over()
    }
}

/// A wish that came at run time and was not granted; at the start it is an error of `Session::new`.
fn refused_wish(wish: &BadWish) -> Complaint {
    Complaint::Venue { code: crate::control::code::SYMBOL_LIMIT, message: wish.to_string() }
}

struct OrderLink<'h, H> {
    session: OrderSession,
    handler: &'h mut H,
}

impl<H: OrderHandler> Link for OrderLink<'_, H> {
    fn now_ns(&self) -> u64 {
        self.handler.monotonic_ns()
    }
    fn poll(&mut self) -> Option<Todo> {
        self.session.poll()
    }
    fn wake(&mut self) {
        self.session.wake(self.handler.monotonic_ns());
    }
    fn connected(&mut self) {
        self.session.connected(self.handler.monotonic_ns());
    }
    fn lost(&mut self, why: Loss) {
        let now_ns = self.handler.monotonic_ns();
        match why {
            Loss::Http(status) => self.session.refused(now_ns, status),
            Loss::Other(why) => self.session.lost(now_ns, why),
        }
    }
    fn heard(&mut self) {
        self.session.heard();
    }
    fn frame(&mut self, received_ns: u64, bytes: &[u8]) {
        match TradingMessage::decode(bytes) {
            Ok(TradingMessage::Update(update)) => {
                self.session.heard();
                self.handler.update(received_ns, *update);
            }
            Ok(message) => self.session.message(received_ns, &message),
            Err(fault) => self.handler.fault(&fault),
        }
    }
    fn drained(&mut self) {
        self.handler.flush();
    }
    fn tell(&mut self, state: FeedState, _gap: Option<(Timestamp, Timestamp)>) {
        self.handler.state(state);
    }
    fn complain(&mut self, complaint: &Complaint) {
        self.handler.complaint(complaint);
    }
    fn command(&mut self, command: Option<FeedCommand>) {
        // There is nothing to subscribe here.
        if !matches!(command, Some(FeedCommand::Want(_))) {
            self.session.stop();
        }
    }
    fn is_over(&self) -> bool {
        self.session.is_over()
    }
}

struct Socket {
    stream: WebSocketStream<MaybeTlsStream<Tap>>,
    gauges: Gauges,
}

async fn drive<L: Link>(
    mut link: L,
    url: &str,
    encoding: Encoding,
    commands: &mut Receiver<FeedCommand>,
) -> Result<(), GiveUp> {
    let mut socket: Option<Socket> = None;
    let mut appetite = Appetite::default();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        while let Some(todo) = link.poll() {
            match todo {
                Todo::Connect => socket = connect(&mut link, url, encoding, commands, &mut ticks).await,
                Todo::Send(bytes) => send(&mut link, &mut socket, message(bytes, encoding)).await,
                Todo::Ping => send(&mut link, &mut socket, Message::Ping(Default::default())).await,
                Todo::Drop => good_bye(socket.take()).await,
                Todo::Tell(state, gap) => link.tell(state, gap),
                Todo::Complain(complaint) => link.complain(&complaint),
                Todo::GiveUp(why) => return Err(why),
            }
        }
        if link.is_over() {
            return Ok(());
        }
        tokio::select! {
            biased;
            command = commands.recv() => link.command(command),
            _ = ticks.tick() => link.wake(),
            () = tokio::time::sleep(WAIT_LOOK), if link.must_wait() => {}
            first = next_message(&mut socket), if !link.must_wait() => {
                if let Some(end) = take_batch(&mut link, &mut socket, &mut appetite, first) {
                    socket = None;
                    link.lost(end);
                }
                tokio::task::yield_now().await;
            }
        }
    }
}

fn message(bytes: Vec<u8>, encoding: Encoding) -> Message {
    match (encoding, String::from_utf8(bytes)) {
        (Encoding::Json, Ok(text)) => Message::text(text),
        (_, Ok(text)) => Message::binary(text.into_bytes()),
        (_, Err(binary)) => Message::binary(binary.into_bytes()),
    }
}

type Next = Option<Result<Message, SocketError>>;

async fn next_message(socket: &mut Option<Socket>) -> Next {
    match socket {
        Some(socket) => socket.stream.next().await,
        None => std::future::pending().await,
    }
}

/// Hands on what the socket has, as far as the appetite goes. Returns how the connection ended, if it did.
fn take_batch<L: Link>(
    link: &mut L,
    socket: &mut Option<Socket>,
    appetite: &mut Appetite,
    first: Next,
) -> Option<Loss> {
    let Socket { stream, gauges } = socket.as_mut()?;
    let (mut received_ns, mut reads) = (link.now_ns(), gauges.reads());
    let frames_max = appetite.frames(FRAMES_PER_BATCH);
    let mut next = first;
    let (mut end, mut is_dry) = (None, false);
    for taken in 1.. {
        match next {
            Some(Ok(Message::Text(text))) => link.frame(received_ns, text.as_bytes()),
            Some(Ok(Message::Binary(bytes))) => link.frame(received_ns, &bytes),
            Some(Ok(Message::Close(frame))) => {
                let why =
                    frame.map_or_else(|| "closed".into(), |f| format!("closed: {} {}", f.code, f.reason));
                end = Some(Loss::Other(why));
                break;
            }
            // Pings are answered by the protocol layer; either proves that someone is there.
            Some(Ok(_)) => link.heard(),
            Some(Err(error)) => {
                end = Some(Loss::Other(error.to_string()));
                break;
            }
            None => {
                end = Some(Loss::Other("ended".into()));
                break;
            }
        }
        if taken >= frames_max {
            break;
        }
        match stream.next().now_or_never() {
            Some(more) => next = more,
            None => {
                is_dry = true;
                break;
            }
        }
        if gauges.reads() != reads {
            reads = gauges.reads();
            received_ns = link.now_ns();
        }
    }
    appetite.took(is_dry, received_ns);
    link.drained();
    end
}

async fn send<L: Link>(link: &mut L, socket: &mut Option<Socket>, message: Message) {
    let Some(open) = socket else { return };
    let failed = match timeout(SEND_LIMIT, open.stream.send(message)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the venue takes no bytes".into(),
    };
    *socket = None;
    link.lost(Loss::Other(failed));
}

/// A close frame, so that the venue frees the slot at once instead of when it notices.
async fn good_bye(socket: Option<Socket>) {
    if let Some(mut socket) = socket {
        let _ = timeout(CLOSE_LIMIT, socket.stream.close(None)).await;
    }
}

/// Opens the connection while commands and timers go on; `None` when that failed or was no longer wanted.
async fn connect<L: Link>(
    link: &mut L,
    url: &str,
    encoding: Encoding,
    commands: &mut Receiver<FeedCommand>,
    ticks: &mut Interval,
) -> Option<Socket> {
    let opening = open(url, encoding);
    tokio::pin!(opening);
    loop {
        tokio::select! {
            biased;
            outcome = &mut opening => return match outcome {
                Ok(socket) => {
                    link.connected();
                    Some(socket)
                }
                Err(loss) => {
                    link.lost(loss);
                    None
                }
            },
            command = commands.recv() => link.command(command),
            _ = ticks.tick() => link.wake(),
        }
        // Only a limit that was reached or a stop can want something now, and both want no connection.
        let mut wanted = true;
        while let Some(todo) = link.poll() {
            wanted = false;
            match todo {
                Todo::Tell(state, gap) => link.tell(state, gap),
                Todo::Complain(complaint) => link.complain(&complaint),
                _ => {}
            }
        }
        if !wanted {
            return None;
        }
    }
}

async fn open(url: &str, encoding: Encoding) -> Result<Socket, Loss> {
    let other = |e: SocketError| match e {
        SocketError::Http(answer) => Loss::Http(answer.status().as_u16()),
        e => Loss::Other(e.to_string()),
    };
    let mut request = url.into_client_request().map_err(other)?;
    if encoding == Encoding::MsgPack {
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MSGPACK_CONTENT_TYPE));
    }
    let host = request.uri().host().unwrap_or_default().trim_matches(['[', ']']).to_string();
    let secure = request.uri().scheme_str() == Some("wss");
    let port = request.uri().port_u16().unwrap_or(if secure { 443 } else { 80 });
    let tcp = TcpStream::connect((host.as_str(), port)).await.map_err(|e| Loss::Other(e.to_string()))?;
    // An order or a ping must not wait for company.
    tcp.set_nodelay(true).map_err(|e| Loss::Other(e.to_string()))?;
    let tap = Tap::counting_reads(tcp);
    let gauges = tap.gauges();
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX))
        .read_buffer_size(READ_BYTES);
    let (stream, _) = client_async_tls_with_config(request, tap, Some(config), None).await.map_err(other)?;
    Ok(Socket { stream, gauges })
}

#[cfg(test)]
pub(crate) mod tests;
