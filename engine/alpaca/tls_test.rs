//! TLS on real sockets: a server whose certificate nobody vouches for is refused by the streams and by REST, before a
//! byte of the keys left.

use crate::control::Channels;
use crate::keys::Keys;
use crate::rest::{Clocks, Rest, RestSettings};
use crate::session::{Complaint, Session};
use crate::socket::tests::{MS, monotonic_ns, settings as limits};
use crate::socket::{FeedCommand, FeedHandler, run_market_feed};
use crate::wire::{DataFeed, Encoding, WireFault};
use market::Timestamp;
use market::feed::FeedState;
use market::quote::MarketEvent;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const CERTIFICATE: &[u8] = include_bytes!("../../tests/golden/tls/stranger.pem");
const KEY: &[u8] = include_bytes!("../../tests/golden/tls/stranger.key");

/// A server that offers the stranger's certificate; counts the bytes that came through to it after a handshake.
async fn stranger() -> (u16, Arc<AtomicUsize>) {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(CERTIFICATE).expect("a certificate")],
            PrivateKeyDer::from_pem_slice(KEY).expect("a key"),
        )
        .expect("they belong together");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let through = Arc::new(AtomicUsize::new(0));
    let shared = through.clone();
    tokio::task::spawn_local(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            // A client that refuses the certificate ends the handshake.
            let Ok(mut stream) = acceptor.accept(tcp).await else { continue };
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = stream.read(&mut bytes).await {
                shared.fetch_add(n, SeqCst);
            }
        }
    });
    (port, through)
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

/// Stops the feed after the first lost connection.
struct Heard {
    complaints: Vec<String>,
    commands: Option<mpsc::Sender<FeedCommand>>,
}

impl FeedHandler for Heard {
    fn monotonic_ns(&self) -> u64 {
        monotonic_ns()
    }
    fn data_expected(&self) -> bool {
        true
    }
    fn event(&mut self, _: u64, event: MarketEvent) {
        panic!("nothing can have been said: {event:?}");
    }
    fn flush(&mut self) {}
    fn state(&mut self, state: FeedState, _: Option<(Timestamp, Timestamp)>) {
        assert_ne!(state, FeedState::Up);
    }
    fn fault(&mut self, fault: &WireFault) {
        panic!("nothing can have been said: {fault}");
    }
    fn complaint(&mut self, complaint: &Complaint) {
        self.complaints.push(complaint.to_string());
        self.commands = None;
    }
}

#[test]
fn a_stream_refuses_a_certificate_nobody_vouches_for() {
    run(async {
        let (port, through) = stranger().await;
        let wanted = Channels { quotes: vec!["SPY".into()], ..Channels::default() };
        let keys = Keys::new("id", "secret");
        let session =
            Session::new(limits(), DataFeed::Stocks, Encoding::Json, keys, wanted).expect("within the plan");
        let (sender, mut commands) = mpsc::channel(1);
        let mut heard = Heard { complaints: vec![], commands: Some(sender) };
        let url = format!("wss://localhost:{port}/v2/sip");
        assert_eq!(run_market_feed(&url, session, &mut heard, &mut commands).await, Ok(()));
        assert!(heard.complaints[0].contains("certificate"), "{:?}", heard.complaints);
        assert_eq!(through.load(SeqCst), 0, "not a byte of ours reached it");
    });
}

#[test]
fn rest_refuses_a_certificate_nobody_vouches_for() {
    run(async {
        let (port, through) = stranger().await;
        let base = format!("https://localhost:{port}");
        let settings = RestSettings {
            trading_url: base.clone(),
            data_url: base,
            trading_per_minute: None,
            data_per_minute: None,
            trading_reserve: 0,
            connect_limit_ns: 2_000 * MS,
            call_limit_ns: 5_000 * MS,
            stock_feed: String::new(),
            option_feed: String::new(),
        };
        let clocks = Clocks { monotonic_ns, now: || Timestamp::from_seconds(0) };
        let rest = Rest::new(settings, &Keys::new("id", "secret"), clocks).expect("a client");
        let refused = rest.account().await.expect_err("nobody vouches for it").to_string();
        assert!(refused.contains("certificate"), "{refused}");
        assert_eq!(through.load(SeqCst), 0, "not a byte of ours reached it");
    });
}
