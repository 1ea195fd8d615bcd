//! The drivers against a small server on a real socket.

use super::*;
use crate::control::{Action, code};
use crate::encode::FrameWriter;
use crate::keys::Keys;
use crate::order_session::OrderSession;
use crate::session::{PlanLimits, SessionSettings};
use crate::trading::TradingAction;
use crate::wire::DataFeed;
use market::quote::{Level, Quote, Trade};
use market::{Instrument, Price, Symbol};
use std::sync::OnceLock;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

type Server = WebSocketStream<TcpStream>;

pub(crate) const MS: u64 = 1_000_000;

pub(crate) fn monotonic_ns() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// Limits that no test reaches.
pub(crate) fn settings() -> SessionSettings {
    SessionSettings {
        connect_limit_ns: 10_000 * MS,
        answer_limit_ns: 10_000 * MS,
        ping_every_ns: 10_000 * MS,
        pong_limit_ns: 10_000 * MS,
        mute_ns: 60_000 * MS,
        backoff_first_ns: 20 * MS,
        backoff_max_ns: 50 * MS,
        login_repeats_max: 3,
        subscribe_chunk: 100,
        limits: PlanLimits { stock_symbols: None, option_quotes: None },
        seed: 1,
    }
}

/// What a handler was told, in order.
#[derive(Default)]
struct Heard {
    events: Vec<MarketEvent>,
    updates: Vec<TradeUpdate>,
    states: Vec<(FeedState, Option<(Timestamp, Timestamp)>)>,
    faults: Vec<String>,
    complaints: Vec<Complaint>,
    flushes: usize,
    largest_batch: usize,
    since_flush: usize,
    last_ns: u64,
    stop_after: usize,
    commands: Option<mpsc::Sender<FeedCommand>>,
}

impl Heard {
    fn new(stop_after: usize) -> (Self, mpsc::Receiver<FeedCommand>) {
        let (sender, receiver) = mpsc::channel(8);
        (Self { stop_after, commands: Some(sender), ..Self::default() }, receiver)
    }
    fn flushed(&mut self) {
        self.flushes += 1;
        self.largest_batch = self.largest_batch.max(self.since_flush);
        self.since_flush = 0;
        if self.events.len() + self.updates.len() >= self.stop_after {
            self.commands = None;
        }
    }
}

impl FeedHandler for Heard {
    fn monotonic_ns(&self) -> u64 {
        monotonic_ns()
    }
    fn data_expected(&self) -> bool {
        true
    }
    fn event(&mut self, received_ns: u64, event: MarketEvent) {
        assert!(received_ns >= self.last_ns && received_ns <= monotonic_ns());
        self.last_ns = received_ns;
        self.since_flush += 1;
        self.events.push(event);
    }
    fn flush(&mut self) {
        self.flushed();
    }
    fn state(&mut self, state: FeedState, gap: Option<(Timestamp, Timestamp)>) {
        self.states.push((state, gap));
    }
    fn fault(&mut self, fault: &WireFault) {
        self.faults.push(fault.to_string());
    }
    fn complaint(&mut self, complaint: &Complaint) {
        self.complaints.push(complaint.clone());
    }
}

impl OrderHandler for Heard {
    fn monotonic_ns(&self) -> u64 {
        monotonic_ns()
    }
    fn update(&mut self, _received_ns: u64, update: TradeUpdate) {
        self.updates.push(update);
    }
    fn flush(&mut self) {
        self.flushed();
    }
    fn state(&mut self, state: FeedState) {
        self.states.push((state, None));
    }
    fn fault(&mut self, fault: &BadTradingMessage) {
        self.faults.push(fault.to_string());
    }
    fn complaint(&mut self, complaint: &Complaint) {
        self.complaints.push(complaint.clone());
    }
}

fn quote(n: i64) -> MarketEvent {
    let level = Some(Level { price: Price::from_cents(56_000 + n % 100), size: 1 });
    let at = Timestamp::from_ns(1_773_671_400_000_000_000 + n);
    MarketEvent::Quote(Instrument::Stock(Symbol::literal("SPY")), Quote { bid: level, ask: level, at })
}

fn frame(encoding: Encoding, numbers: std::ops::Range<i64>) -> Message {
    let mut writer = FrameWriter::new(encoding, DataFeed::Stocks);
    numbers.for_each(|n| assert!(writer.push(&quote(n))));
    message(writer.frame().to_vec(), encoding)
}

async fn accept(listener: &TcpListener, wants_msgpack: bool) -> Server {
    let (tcp, _) = listener.accept().await.expect("a client");
    #[allow(clippy::result_large_err)] // the signature is tungstenite's
    let check = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        assert_eq!(Encoding::from_content_type(kind) == Encoding::MsgPack, wants_msgpack);
        Ok(response)
    };
    accept_hdr_async(tcp, check).await.expect("an upgrade")
}

async fn action(server: &mut Server, encoding: Encoding) -> Action {
    let message = server.next().await.expect("a message").expect("no error");
    Action::decode(&message.into_data(), encoding).expect("an action")
}

async fn say(server: &mut Server, control: Control, encoding: Encoding) {
    let said = message(control.encode(encoding, false), encoding);
    server.send(said).await.expect("sent");
}

async fn log_in(server: &mut Server, encoding: Encoding) -> Channels {
    say(server, Control::Connected, encoding).await;
    assert_eq!(action(server, encoding).await, Action::Auth(Keys::new("id", "secret")));
    say(server, Control::Authenticated, encoding).await;
    let Action::Subscribe(channels) = action(server, encoding).await else { panic!("subscribe") };
    say(server, Control::Subscription(Box::new(channels.clone())), encoding).await;
    channels
}

fn session(encoding: Encoding) -> Session {
    let wanted = Channels { quotes: vec!["SPY".into()], ..Channels::default() };
    Session::new(settings(), DataFeed::Stocks, encoding, Keys::new("id", "secret"), wanted).expect("allowed")
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}/v2/sip", listener.local_addr().expect("bound"));
    (listener, url)
}

fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async { timeout(Duration::from_secs(20), future).await.expect("in time") })
}

#[test]
fn logs_in_and_hands_on_everything_in_both_encodings() {
    for encoding in [Encoding::Json, Encoding::MsgPack] {
        run(async {
            let (listener, url) = listen().await;
            let server = async {
                let mut server = accept(&listener, encoding == Encoding::MsgPack).await;
                assert_eq!(log_in(&mut server, encoding).await.quotes, ["SPY"]);
                for start in 0..200 {
                    server.feed(frame(encoding, start * 10..start * 10 + 10)).await.expect("sent");
                }
                server.flush().await.expect("sent");
                while let Some(Ok(_)) = server.next().await {}
            };
            let (mut heard, mut commands) = Heard::new(2000);
            let client = run_market_feed(&url, session(encoding), &mut heard, &mut commands);
            let (_, outcome) = tokio::join!(server, client);
            assert_eq!(outcome, Ok(()));
            assert_eq!(heard.events, (0..2000).map(quote).collect::<Vec<_>>());
            assert_eq!(heard.states, [(FeedState::Up, None), (FeedState::Down, None)]);
            // Drained before it is flushed: far fewer flushes than frames.
            assert!(
                heard.largest_batch > 10 && heard.flushes < 150,
                "{} {}",
                heard.largest_batch,
                heard.flushes
            );
            assert!(heard.faults.is_empty() && heard.complaints.is_empty());
        });
    }
}

#[test]
fn comes_back_after_a_loss_and_names_the_gap() {
    run(async {
        let (listener, url) = listen().await;
        let encoding = Encoding::MsgPack;
        let server = async {
            let mut first = accept(&listener, true).await;
            log_in(&mut first, encoding).await;
            first.send(frame(encoding, 0..5)).await.expect("sent");
            // Dies without a good-bye.
            tokio::time::sleep(Duration::from_millis(20)).await;
            drop(first);
            let mut second = accept(&listener, true).await;
            say(&mut second, Control::Connected, encoding).await;
            action(&mut second, encoding).await;
            // The venue has not noticed yet that our first connection died.
            say(&mut second, Control::error(code::CONNECTION_LIMIT), encoding).await;
            assert!(matches!(action(&mut second, encoding).await, Action::Auth(_)));
            say(&mut second, Control::Authenticated, encoding).await;
            assert!(matches!(action(&mut second, encoding).await, Action::Subscribe(_)));
            say(&mut second, Control::Subscription(Box::default()), encoding).await;
            second.send(frame(encoding, 100..103)).await.expect("sent");
            while let Some(Ok(_)) = second.next().await {}
        };
        let (mut heard, mut commands) = Heard::new(8);
        let (_, outcome) =
            tokio::join!(server, run_market_feed(&url, session(encoding), &mut heard, &mut commands));
        assert_eq!(outcome, Ok(()));
        let stamp = |n| quote(n).at().expect("stamped");
        assert_eq!(
            heard.states,
            [
                (FeedState::Up, None),
                (FeedState::Down, None),
                (FeedState::Up, None),
                (FeedState::Up, Some((stamp(4), stamp(100)))),
                (FeedState::Down, None)
            ]
        );
    });
}

#[test]
fn subscriptions_change_while_it_runs() {
    run(async {
        let (listener, url) = listen().await;
        let (mut heard, mut commands) = Heard::new(1);
        let sender = heard.commands.clone().expect("open");
        let server = async move {
            let mut server = accept(&listener, false).await;
            log_in(&mut server, Encoding::Json).await;
            let wanted = Channels { quotes: vec!["QQQ".into()], ..Channels::default() };
            sender.send(FeedCommand::Want(wanted)).await.expect("open");
            assert!(
                matches!(action(&mut server, Encoding::Json).await, Action::Unsubscribe(c) if c.quotes == ["SPY"])
            );
            assert!(
                matches!(action(&mut server, Encoding::Json).await, Action::Subscribe(c) if c.quotes == ["QQQ"])
            );
            sender.send(FeedCommand::Stop).await.expect("open");
            // A polite good-bye frees the slot at once.
            assert!(matches!(server.next().await, Some(Ok(Message::Close(_)))));
        };
        let client = run_market_feed(&url, session(Encoding::Json), &mut heard, &mut commands);
        assert_eq!(tokio::join!(server, client).1, Ok(()));
    });
}

#[test]
fn bad_frames_are_reported_and_oversized_ones_cost_the_connection() {
    run(async {
        let (listener, url) = listen().await;
        let server = async {
            let mut first = accept(&listener, false).await;
            log_in(&mut first, Encoding::Json).await;
            first
                .send(Message::text(
                    "[{\"T\":\"q\",\"S\":\"SPY\",\"bp\":-1,\"ap\":1,\"t\":\"2026-03-16T14:30:00Z\"}]",
                ))
                .await
                .expect("sent");
            first.send(Message::text("[{\"T\":\"q\"")).await.expect("sent");
            first.send(Message::text("x".repeat(MESSAGE_MAX + 1))).await.expect("sent");
            while let Some(Ok(_)) = first.next().await {}
            let mut second = accept(&listener, false).await;
            log_in(&mut second, Encoding::Json).await;
            second.send(frame(Encoding::Json, 0..1)).await.expect("sent");
            while let Some(Ok(_)) = second.next().await {}
        };
        let (mut heard, mut commands) = Heard::new(1);
        let client = run_market_feed(&url, session(Encoding::Json), &mut heard, &mut commands);
        assert_eq!(tokio::join!(server, client).1, Ok(()));
        assert_eq!(heard.faults.len(), 2, "{:?}", heard.faults);
        assert!(
            heard.complaints.iter().any(|c| c.to_string().contains("too long")),
            "{:?}",
            heard.complaints
        );
    });
}

#[test]
fn gives_up_on_wrong_keys_and_keeps_trying_without_a_server() {
    run(async {
        let (listener, url) = listen().await;
        let server = async {
            let mut server = accept(&listener, false).await;
            say(&mut server, Control::Connected, Encoding::Json).await;
            action(&mut server, Encoding::Json).await;
            say(&mut server, Control::error(code::AUTH_FAILED), Encoding::Json).await;
            while let Some(Ok(_)) = server.next().await {}
        };
        let (mut heard, mut commands) = Heard::new(1);
        let client = run_market_feed(&url, session(Encoding::Json), &mut heard, &mut commands);
        let outcome = tokio::join!(server, client).1;
        assert_eq!(outcome, Err(GiveUp::AuthFailed("auth failed".into())));
        drop(listener);
        // Nobody listens there now: it goes on trying until it is told to stop.
        let (mut heard, mut commands) = Heard::new(1);
        let sender = heard.commands.clone().expect("open");
        let stop = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            sender.send(FeedCommand::Stop).await.expect("open");
        };
        let client = run_market_feed(&url, session(Encoding::Json), &mut heard, &mut commands);
        assert_eq!(tokio::join!(stop, client).1, Ok(()));
        assert!(heard.complaints.len() >= 2, "{:?}", heard.complaints);
    });
}

#[test]
fn a_secure_address_meets_a_server_without_tls() {
    run(async {
        let (listener, url) = listen().await;
        let server = async {
            let (tcp, _) = listener.accept().await.expect("a client");
            drop(tcp);
        };
        let (mut heard, mut commands) = Heard::new(1);
        let sender = heard.commands.clone().expect("open");
        let stop = async {
            server.await;
            tokio::time::sleep(Duration::from_millis(10)).await;
            sender.send(FeedCommand::Stop).await.expect("open");
        };
        let secure = url.replace("ws://", "wss://");
        let client = run_market_feed(&secure, session(Encoding::Json), &mut heard, &mut commands);
        assert_eq!(tokio::join!(stop, client).1, Ok(()));
        assert!(!heard.complaints.is_empty());
    });
}

#[test]
fn order_updates_in_text_and_binary_frames() {
    run(async {
        let (listener, url) = listen().await;
        let update = |event: &str| {
            let text = format!(
                r#"{{"event":"{event}","timestamp":"2026-03-16T14:30:05Z","order":{{"id":"v","client_order_id":"eng-1","created_at":"2026-03-16T14:30:05Z","status":"new"}}}}"#
            );
            TradingMessage::Update(serde_json::from_str(&text).expect("an update")).encode()
        };
        let server = async {
            let mut server = accept(&listener, false).await;
            let message = server.next().await.expect("a message").expect("no error");
            let keys = TradingAction::decode(&message.into_data()).expect("an action");
            assert_eq!(keys, TradingAction::Authenticate(Keys::new("id", "secret")));
            let authorized =
                TradingMessage::Authorization { authorized: true, action: "authenticate".into() };
            server.send(Message::binary(authorized.encode())).await.expect("sent");
            let message = server.next().await.expect("a message").expect("no error");
            let Ok(TradingAction::Listen(streams)) = TradingAction::decode(&message.into_data()) else {
                panic!()
            };
            server.send(Message::binary(TradingMessage::Listening(streams).encode())).await.expect("sent");
            server.send(Message::binary(update("new"))).await.expect("sent");
            server.send(Message::text("{\"stream\":\"trade_updates\",\"data\":{}}")).await.expect("sent");
            server.send(Message::text(update("canceled"))).await.expect("sent");
            while let Some(Ok(_)) = server.next().await {}
        };
        let (mut heard, mut commands) = Heard::new(2);
        let session = OrderSession::new(settings(), Keys::new("id", "secret"));
        let client = run_order_feed(&url, session, &mut heard, &mut commands);
        assert_eq!(tokio::join!(server, client).1, Ok(()));
        assert_eq!(heard.updates.len(), 2);
        assert_eq!((heard.faults.len(), heard.states[0].0), (1, FeedState::Up));
    });
}

#[test]
fn trades_are_never_lost_at_the_budget() {
    run(async {
        let (listener, url) = listen().await;
        let count = FRAMES_PER_BATCH * 2 + 17;
        let server = async {
            let mut server = accept(&listener, true).await;
            log_in(&mut server, Encoding::MsgPack).await;
            for n in 0..count {
                let mut writer = FrameWriter::new(Encoding::MsgPack, DataFeed::Stocks);
                let trade = Trade {
                    price: Price::from_cents(100),
                    size: 1,
                    at: Timestamp::from_ns(n as i64),
                    id: n as u64,
                    rule: Default::default(),
                };
                writer.push(&MarketEvent::Trade(Instrument::Stock(Symbol::literal("SPY")), trade));
                server.feed(Message::binary(writer.frame().to_vec())).await.expect("sent");
            }
            server.flush().await.expect("sent");
            while let Some(Ok(_)) = server.next().await {}
        };
        let (mut heard, mut commands) = Heard::new(count);
        let client = run_market_feed(&url, session(Encoding::MsgPack), &mut heard, &mut commands);
        assert_eq!(tokio::join!(server, client).1, Ok(()));
        let ids: Vec<u64> = heard
            .events
            .iter()
            .filter_map(|e| if let MarketEvent::Trade(_, t) = e { Some(t.id) } else { None })
            .collect();
        assert_eq!(ids, (0..count as u64).collect::<Vec<_>>());
        assert!(heard.largest_batch <= FRAMES_PER_BATCH);
    });
}
