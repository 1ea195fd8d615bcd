//! The HTTP side: who may come in, how often, and what goes back. What is answered is decided in `rest`.

use crate::rest::{self, Call, Reply};
use crate::shared::{Allowance, Shared};
use crate::socket;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, web};
use alpaca::wire::DataFeed;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// Largest request body taken.
const BODY_MAX: usize = 1 << 20;

/// The routes: three kinds of socket, and everything else.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .app_data(web::PayloadConfig::new(BODY_MAX))
        .route("/stream", web::get().to(socket::open_trading))
        .route("/v2/{feed}", web::get().guard(actix_web::guard::Header("upgrade", "websocket")).to(stocks))
        .route(
            "/v1beta1/{feed}",
            web::get().guard(actix_web::guard::Header("upgrade", "websocket")).to(options),
        )
        .default_service(web::to(answer));
}

async fn stocks(
    shared: web::Data<Shared>,
    request: HttpRequest,
    body: web::Payload,
) -> actix_web::Result<HttpResponse> {
    socket::open_data(shared, request, body, DataFeed::Stocks).await
}

async fn options(
    shared: web::Data<Shared>,
    request: HttpRequest,
    body: web::Payload,
) -> actix_web::Result<HttpResponse> {
    socket::open_data(shared, request, body, DataFeed::Options).await
}

async fn answer(
    shared: web::Data<Shared>,
    request: HttpRequest,
    query: web::Query<BTreeMap<String, String>>,
    body: web::Bytes,
) -> HttpResponse {
    let Some(key) = key_of(request.headers(), &shared) else {
        return send(Reply::bare(401, "unauthorized."), None);
    };
    let refuse = shared.refuse_with.load(Ordering::Relaxed);
    if refuse != 0 {
        return send(Reply::bare(refuse, "refused on purpose"), None);
    }
    let allowance = shared.allow(&key, rest::is_trading(request.path()));
    if !allowance.granted {
        return send(Reply::error(429, 42_910_000, "rate limit exceeded."), Some(allowance));
    }
    let call = Call {
        method: request.method().as_str().to_string(),
        path: request.path().to_string(),
        query: query.into_inner(),
        body: body.to_vec(),
    };
    let reply = shared.ask(move |core| rest::answer(core, &call)).await;
    send(reply.unwrap_or_else(|_| Reply::bare(503, "service unavailable")), Some(allowance))
}

/// The key id of valid credentials, in any of the three spellings.
fn key_of(headers: &HeaderMap, shared: &Shared) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let (Some(key), Some(secret)) = (text("apca-api-key-id"), text("apca-api-secret-key")) {
        return shared.knows(key, secret).then(|| key.to_string());
    }
    let authorization = text("authorization")?;
    if let Some(token) = authorization.strip_prefix("Bearer ") {
        return shared.knows("oauth", token).then(|| "oauth".to_string());
    }
    let decoded = base64(authorization.strip_prefix("Basic ")?)?;
    let (key, secret) = decoded.split_once(':')?;
    shared.knows(key, secret).then(|| key.to_string())
}

/// Decodes base64 (RFC 4648) to text.
fn base64(text: &str) -> Option<String> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut bits, mut held) = (Vec::new(), 0u32, 0u32);
    for byte in text.trim_end_matches('=').bytes() {
        held = held << 6 | DIGITS.iter().position(|d| *d == byte)? as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    String::from_utf8(out).ok()
}

fn send(reply: Reply, allowance: Option<Allowance>) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if let Some(allowance) = allowance {
        response.insert_header(("X-RateLimit-Limit", allowance.limit.to_string()));
        response.insert_header(("X-RateLimit-Remaining", allowance.remaining.to_string()));
        response.insert_header(("X-RateLimit-Reset", allowance.reset_seconds.to_string()));
    }
    match reply.body {
        Some(body) => response.content_type("application/json").body(body),
        None => response.finish(),
    }
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn basic_credentials() {
        assert_eq!(base64("U0lNS0VZOlNJTVNFQ1JFVA==").as_deref(), Some("SIMKEY:SIMSECRET"));
        assert_eq!(base64("!!"), None);
    }
}
