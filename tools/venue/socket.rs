//! The socket tasks: they carry frames between one client and the core, and decide nothing but timeouts.

use crate::sessions::{Line, Outgoing, SessionId};
use crate::shared::Shared;
use actix_web::rt;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, Session};
use alpaca::Keys;
use alpaca::control::{Action, Control, code};
use alpaca::trading::{TradingAction, TradingMessage};
use alpaca::wire::{DataFeed, Encoding};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

/// Largest message a client may send.
const CLIENT_MESSAGE_MAX: usize = 1 << 20;
/// A client is asked for a sign of having read after so many frames, as fast as read.
const ACKNOWLEDGE_EVERY: u64 = 4;

/// What kind of socket a task serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data(Encoding),
    Trading,
}

/// A socket task's own state.
struct Pipe {
    id: SessionId,
    kind: Kind,
    shared: web::Data<Shared>,
    session: Session,
    read: Arc<AtomicU64>,
    cut: Arc<Notify>,
    sent: u64,
    logged_in_by: Option<Instant>,
}

/// Upgrades a request to a market-data socket.
pub async fn open_data(
    shared: web::Data<Shared>,
    request: HttpRequest,
    body: web::Payload,
    feed: DataFeed,
) -> actix_web::Result<HttpResponse> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let encoding = Encoding::from_content_type(header("content-type"));
    let keys = header("apca-api-key-id")
        .zip(header("apca-api-secret-key"))
        .map(|(id, secret)| Keys::new(id, secret));
    let (response, mut session, stream) = actix_ws::handle(&request, body)?;
    if feed == DataFeed::Options && encoding == Encoding::Json {
        let refusal = Control::error(code::MSGPACK_ONLY).encode(Encoding::Json, true);
        rt::spawn(async move {
            let _ = session.text(String::from_utf8_lossy(&refusal).into_owned()).await;
            let _ = session.close(Some(CloseReason::from(CloseCode::Policy))).await;
        });
        return Ok(response);
    }
    let (pipe, out) = pipe(shared, session, Kind::Data(encoding), keys.is_none());
    let (id, line) = (pipe.id, Line::new(out.0, pipe.read.clone(), pipe.cut.clone()));
    pipe.shared.tell(move |core| {
        core.sessions.open_data(id, feed, encoding, line);
        if let Some(keys) = keys {
            core.sessions.log_in(id, &keys);
        }
    });
    let stream = stream.max_frame_size(CLIENT_MESSAGE_MAX).aggregate_continuations();
    rt::spawn(pipe.carry(stream.max_continuation_size(CLIENT_MESSAGE_MAX), out.1));
    Ok(response)
}

/// Upgrades a request to the trading socket.
pub async fn open_trading(
    shared: web::Data<Shared>,
    request: HttpRequest,
    body: web::Payload,
) -> actix_web::Result<HttpResponse> {
    let (response, session, stream) = actix_ws::handle(&request, body)?;
    let (pipe, out) = pipe(shared, session, Kind::Trading, false);
    let (id, line) = (pipe.id, Line::new(out.0, pipe.read.clone(), pipe.cut.clone()));
    pipe.shared.tell(move |core| core.sessions.open_trading(id, line));
    let stream = stream.max_frame_size(CLIENT_MESSAGE_MAX).aggregate_continuations();
    rt::spawn(pipe.carry(stream.max_continuation_size(CLIENT_MESSAGE_MAX), out.1));
    Ok(response)
}

type Queue = (tokio::sync::mpsc::Sender<Outgoing>, Receiver<Outgoing>);

fn pipe(shared: web::Data<Shared>, session: Session, kind: Kind, must_log_in: bool) -> (Pipe, Queue) {
    let out = channel(shared.limits.frames_waiting_max);
    let logged_in_by = must_log_in.then(|| Instant::now() + shared.limits.auth_timeout);
    let id = shared.next_session();
    let read = Arc::new(AtomicU64::new(0));
    let cut = Arc::new(Notify::new());
    (Pipe { id, kind, shared, session, read, cut, sent: 0, logged_in_by }, out)
}

impl Pipe {
    /// Carries frames both ways until either side ends.
    async fn carry(mut self, mut from_client: AggregatedMessageStream, mut from_core: Receiver<Outgoing>) {
        let every = self.shared.limits.ping_every;
        let mut pings = interval_at(Instant::now() + every, every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (log_in_by, cut) = (self.logged_in_by, self.cut.clone());
        loop {
            let deadline = self.logged_in_by.unwrap_or_else(|| Instant::now() + 24 * 60 * every);
            let goes_on = tokio::select! {
                word = from_core.recv() => match word {
                    Some(word) => self.send(word, from_core.is_empty()).await,
                    None => false,
                },
                message = from_client.recv() => match message {
                    Some(Ok(message)) => self.hear(message).await,
                    Some(Err(_)) | None => false,
                },
                () = cut.notified() => false,
                _ = pings.tick() => self.session.ping(b"").await.is_ok(),
                () = sleep_until(deadline), if log_in_by.is_some() && self.logged_in_by.is_some() => {
                    self.logged_in_by = None;
                    let id = self.id;
                    self.shared.tell(move |core| core.sessions.auth_timeout(id));
                    true
                }
            };
            if !goes_on {
                break;
            }
        }
        let id = self.id;
        self.shared.tell(move |core| core.session_closed(id));
    }

    /// Sends what the core gave; false when the socket is at its end.
    async fn send(&mut self, word: Outgoing, queue_empty: bool) -> bool {
        let frame = match word {
            Outgoing::Frame(frame) => frame,
            Outgoing::Close => {
                let _ = self.session.clone().close(Some(CloseReason::from(CloseCode::Normal))).await;
                return false;
            }
        };
        let sent = match self.kind {
            // The codec writes ASCII; lossy costs nothing then.
            Kind::Data(Encoding::Json) => match String::from_utf8(frame) {
                Ok(text) => self.session.text(text).await,
                Err(_) => Ok(()),
            },
            Kind::Data(Encoding::MsgPack) | Kind::Trading => self.session.binary(frame).await,
        };
        self.sent += 1;
        if self.shared.as_fast_as_read && (queue_empty || self.sent.is_multiple_of(ACKNOWLEDGE_EVERY)) {
            let _ = self.session.ping(&self.sent.to_be_bytes()).await;
        }
        sent.is_ok()
    }

    /// Passes on what the client said; false when it left.
    async fn hear(&mut self, message: AggregatedMessage) -> bool {
        match message {
            AggregatedMessage::Ping(bytes) => self.session.pong(&bytes).await.is_ok(),
            AggregatedMessage::Pong(bytes) => {
                if let Ok(number) = <[u8; 8]>::try_from(bytes.as_ref()) {
                    self.read.fetch_max(u64::from_be_bytes(number), Ordering::Release);
                    self.shared.nudge();
                }
                true
            }
            AggregatedMessage::Close(reason) => {
                let _ = self.session.clone().close(reason).await;
                false
            }
            AggregatedMessage::Text(text) => self.understand(text.as_bytes(), Encoding::Json),
            AggregatedMessage::Binary(bytes) => {
                let encoding = match self.kind {
                    Kind::Data(encoding) => encoding,
                    Kind::Trading => Encoding::Json,
                };
                self.understand(&bytes, encoding)
            }
        }
    }

    fn understand(&mut self, message: &[u8], encoding: Encoding) -> bool {
        let id = self.id;
        if self.kind == Kind::Trading {
            return self.understand_trading(message);
        }
        match Action::decode(message, encoding) {
            Ok(action) => {
                if matches!(action, Action::Auth(_)) {
                    self.logged_in_by = None;
                }
                self.shared.tell(move |core| {
                    let change = core.sessions.act(id, action);
                    core.rewatch(&change);
                });
            }
            Err(_) => self.shared.tell(move |core| core.sessions.nonsense(id)),
        }
        true
    }

    fn understand_trading(&mut self, message: &[u8]) -> bool {
        let id = self.id;
        match TradingAction::decode(message) {
            Ok(TradingAction::Authenticate(keys)) => self.shared.tell(move |core| {
                let authorized = core.sessions.trading_log_in(id, &keys);
                let answer = TradingMessage::Authorization { authorized, action: "authenticate".into() };
                core.sessions.tell_trading(id, answer.encode());
            }),
            Ok(TradingAction::Listen(streams)) => self.shared.tell(move |core| {
                let answer = match core.sessions.listen(id, &streams) {
                    Some(streams) => TradingMessage::Listening(streams),
                    None => TradingMessage::Authorization { authorized: false, action: "listen".into() },
                };
                core.sessions.tell_trading(id, answer.encode());
            }),
            Err(fault) => self.shared.tell(move |core| {
                core.sessions.tell_trading(id, TradingMessage::Fault(fault.to_string()).encode());
            }),
        }
        true
    }
}
