//! The REST client: one place through which every call goes, with its time limit, its token, its typed errors.
//! Nothing is retried here: whoever asked decides, for a second POST may be a second order.
//!
//! `rest/trading.rs` and `rest/data.rs` hold the calls, `rest/perform.rs` turns a `Request` of ours into calls
//! and their answers into reports.

mod connect;
mod data;
pub mod error;
mod perform;
mod trading;

pub use error::RestError;
pub use perform::Performed;

use crate::bucket::TokenBucket;
use crate::keys::Keys;
use crate::rest::connect::TapConnector;
use crate::rest::error::{from_status, start_of};
use crate::tap::{Clock, Gauges};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use hyper::http::Extensions;
use hyper::{Method, Request};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use market::Timestamp;
use market::time::SECOND;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::time::Duration;

/// Largest answer taken, in bytes: a full page of contracts is a fifth of it.
const ANSWER_MAX: usize = 32 << 20;
/// Most pages of one question.
const PAGES_MAX: usize = 2_000;
/// Idle connections are given up before servers usually do it.
const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// Longest block after a 429, whatever its header says.
const BLOCK_MAX_NS: u64 = 60_000_000_000;

/// How the client behaves.
#[derive(Clone, Debug)]
pub struct RestSettings {
    /// Base address for trading, without version and trailing slash.
    pub trading_url: String,
    /// Base address for market data, likewise.
    pub data_url: String,
    /// Time limit of one call, waiting for a token included, in nanoseconds.
    pub call_limit_ns: u64,
    /// Time limit for opening a connection, in nanoseconds.
    pub connect_limit_ns: u64,
    /// Trading requests a minute (the broker allows 200); `None` for no limit.
    pub trading_per_minute: Option<u32>,
    /// Of those, kept for orders and cancels.
    pub trading_reserve: u32,
    /// Data requests a minute; `None` for no limit.
    pub data_per_minute: Option<u32>,
    /// Stock feed asked for: `sip`, `iex`; empty for the best the plan has.
    pub stock_feed: String,
    /// Option feed asked for: `opra`, `indicative`; empty for the best the plan has.
    pub option_feed: String,
}

/// The two clocks a client needs, handed in.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// Monotonic nanoseconds.
    pub monotonic_ns: Clock,
    /// The time of day, to understand when a rate limit resets.
    pub now: fn() -> Timestamp,
}

/// The client. Cheap calls share connections; it lives on one thread.
pub struct Rest {
    client: Client<HttpsConnector<TapConnector>, Full<Bytes>>,
    settings: RestSettings,
    headers: HeaderMap,
    clocks: Clocks,
    trading: RefCell<Option<TokenBucket>>,
    data: RefCell<Option<TokenBucket>>,
}

/// Keys that cannot go into a header, or an address that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRest {
    /// The key id or secret has a character no header takes.
    #[error("the {0} holds a character that cannot be sent: paste it again without blanks or line ends")]
    Key(&'static str),
    /// The address is not `http://host[:port]` or `https://...`.
    #[error("`{0}` is not the base address of a venue (http:// or https://, no trailing slash)")]
    Address(String),
}

/// Which API a call is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Api {
    Trading,
    Data,
}

/// One call.
struct Call<'a> {
    api: Api,
    method: Method,
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    body: Option<Vec<u8>>,
    /// Orders and cancels go first.
    urgent: bool,
}

impl<'a> Call<'a> {
    fn get(api: Api, path: &'a str, query: &'a [(&'a str, &'a str)]) -> Self {
        Self { api, method: Method::GET, path, query, body: None, urgent: false }
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// A raw answer, and when the request's last bytes were written.
struct Answer {
    body: Bytes,
    written_ns: Option<u64>,
}

/// A failure, and when the request's bytes were written, if they were.
struct Failure {
    error: RestError,
    written_ns: Option<u64>,
}

impl Rest {
    /// A client for one account.
    pub fn new(settings: RestSettings, keys: &Keys, clocks: Clocks) -> Result<Self, BadRest> {
        for url in [&settings.trading_url, &settings.data_url] {
            let parsed = url.parse::<hyper::Uri>().ok().filter(|u| u.host().is_some());
            let schemes = url.starts_with("http://") || url.starts_with("https://");
            if parsed.is_none() || !schemes || url.ends_with('/') {
                return Err(BadRest::Address(url.clone()));
            }
        }
        let mut headers = HeaderMap::new();
        for (name, value, what) in
            [("apca-api-key-id", keys.id(), "key id"), ("apca-api-secret-key", keys.secret(), "secret")]
        {
            let mut value = HeaderValue::from_str(value).map_err(|_| BadRest::Key(what))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        headers
            .insert(USER_AGENT, HeaderValue::from_static(concat!("wingspread/", env!("CARGO_PKG_VERSION"))));
        let now_ns = (clocks.monotonic_ns)();
        let bucket = |rate: Option<u32>, reserve| rate.map(|rate| TokenBucket::new(rate, reserve, now_ns));
        let connect_limit = Duration::from_nanos(settings.connect_limit_ns);
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(TapConnector::new(clocks.monotonic_ns, connect_limit));
        Ok(Self {
            // A request that met a connection just closed goes out again on a new one; that is no retry, for
            // hyper does so only when not a byte of it was written.
            client: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_LIMIT)
                .build(connector),
            trading: RefCell::new(bucket(settings.trading_per_minute, settings.trading_reserve)),
            data: RefCell::new(bucket(settings.data_per_minute, 0)),
            settings,
            headers,
            clocks,
        })
    }

    /// One call, read as JSON.
    async fn ask<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, RestError> {
        let name = call.name();
        let answer = self.send(call).await.map_err(|f| f.error)?;
        read(&name, &answer.body)
    }

    /// One call, within its time limit.
    async fn send(&self, call: Call<'_>) -> Result<Answer, Failure> {
        let limit = Duration::from_nanos(self.settings.call_limit_ns);
        let name = call.name();
        let mut request = self.request(&call).map_err(|error| Failure { error, written_ns: None })?;
        let captured = capture_connection(&mut request);
        let started_ns = (self.clocks.monotonic_ns)();
        let mut sent = false;
        let outcome = tokio::time::timeout(limit, async {
            self.wait_for_token(&call).await;
            sent = true;
            self.exchange(&name, call.api, request).await
        })
        .await;
        // A connection that was in use before still shows its last write.
        let written_ns = written(&captured).filter(|ns| *ns >= started_ns);
        match outcome {
            Ok(Ok(body)) => Ok(Answer { body, written_ns }),
            Ok(Err(error)) => Err(Failure { error, written_ns }),
            Err(_) if !sent => {
                let why = "the rate limit left no room in time".into();
                Err(Failure { error: RestError::NotSent { call: name, why }, written_ns: None })
            }
            Err(_) => {
                let error = RestError::TimedOut { call: name, limit_ms: limit.as_millis() as u64 };
                Err(Failure { error, written_ns })
            }
        }
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<Full<Bytes>>, RestError> {
        let base = match call.api {
            Api::Trading => &self.settings.trading_url,
            Api::Data => &self.settings.data_url,
        };
        let not_sent = |why: String| RestError::NotSent { call: call.name(), why };
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{base}{}{}", call.path, encode_query(call.query)))
            .body(Full::new(Bytes::from(call.body.clone().unwrap_or_default())))
            .map_err(|e| not_sent(e.to_string()))?;
        *request.headers_mut() = self.headers.clone();
        if call.body.is_some() {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(request)
    }

    async fn wait_for_token(&self, call: &Call<'_>) {
        loop {
            let now_ns = (self.clocks.monotonic_ns)();
            let wait_ns =
                match self.bucket(call.api).borrow_mut().as_mut().map(|b| b.take(now_ns, call.urgent)) {
                    None | Some(Ok(())) => return,
                    Some(Err(wait_ns)) => wait_ns,
                };
            tokio::time::sleep(Duration::from_nanos(wait_ns)).await;
        }
    }

    fn bucket(&self, api: Api) -> &RefCell<Option<TokenBucket>> {
        match api {
            Api::Trading => &self.trading,
            Api::Data => &self.data,
        }
    }

    async fn exchange(
        &self,
        name: &str,
        api: Api,
        request: Request<Full<Bytes>>,
    ) -> Result<Bytes, RestError> {
        let lost = |why: String| RestError::ConnectionLost { call: name.into(), why };
        let response = self.client.request(request).await.map_err(|e| {
            let why = chain(&e);
            if e.is_connect() { RestError::NotSent { call: name.into(), why } } else { lost(why) }
        })?;
        let (head, body) = response.into_parts();
        let body =
            Limited::new(body, ANSWER_MAX).collect().await.map_err(|e| lost(e.to_string()))?.to_bytes();
        let status = head.status.as_u16();
        if head.status.is_success() {
            return Ok(body);
        }
        let reset = reset_time(&head.headers);
        if status == 429 {
            self.block(api, reset);
        }
        Err(from_status(name.into(), status, &body, reset))
    }

    /// Nothing more goes out before the limit is free again; a second when the venue does not say.
    fn block(&self, api: Api, reset: Option<Timestamp>) {
        let wait_ns = reset.map_or(SECOND, |at| at.since((self.clocks.now)()));
        let wait_ns = u64::try_from(wait_ns).unwrap_or(0).min(BLOCK_MAX_NS);
        if let Some(bucket) = self.bucket(api).borrow_mut().as_mut() {
            bucket.block((self.clocks.monotonic_ns)() + wait_ns);
        }
    }
}

/// Reads a page after the other until the venue gives no token. `page` asks for one page by its token and
/// returns the next token.
async fn each_page<F>(name: &str, mut page: F) -> Result<(), RestError>
where
    F: AsyncFnMut(Option<&str>) -> Result<Option<String>, RestError>,
{
    let mut token: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let next = page(token.as_deref()).await?.filter(|t| !t.is_empty());
        match next {
            None => return Ok(()),
            Some(next) if token.as_ref() == Some(&next) => break,
            Some(next) => token = Some(next),
        }
    }
    Err(RestError::EndlessPages { call: name.into(), pages: PAGES_MAX })
}

fn read<T: DeserializeOwned>(name: &str, body: &[u8]) -> Result<T, RestError> {
    serde_json::from_slice(body).map_err(|e| RestError::Unreadable {
        call: name.into(),
        why: format!("{e}; it begins `{}`", start_of(body)),
    })
}

/// When bytes were last written to the connection the request went over.
fn written(captured: &CaptureConnection) -> Option<u64> {
    let mut extras = Extensions::new();
    captured.connection_metadata().as_ref()?.get_extras(&mut extras);
    extras.get::<Gauges>()?.written_ns()
}

/// The reset of the rate limit: Unix seconds in a header.
fn reset_time(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get("x-ratelimit-reset")?.to_str().ok()?;
    text.trim().parse().ok().map(Timestamp::from_seconds)
}

/// An error with its causes; hyper's own text alone says little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text.chars().take(200).collect()
}

fn encode_query(query: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (key, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(key);
        text.push('=');
        percent_encode(value, &mut text);
    }
    text
}

/// Everything but the unreserved characters of RFC 3986 goes out as `%XX`.
fn percent_encode(value: &str, text: &mut String) {
    use std::fmt::Write;
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests;
