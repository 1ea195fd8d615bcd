//! Opens TCP connections for the HTTP client and puts the gauges on them.

use crate::tap::{Clock, HttpTap, Tap};
use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_service::Service;

type ConnectError = Box<dyn std::error::Error + Send + Sync>;

/// The plain connector with stamped writes; TLS, where there is any, goes on top of it.
#[derive(Clone)]
pub(crate) struct TapConnector {
    http: HttpConnector,
    clock: Clock,
}

impl TapConnector {
    pub(crate) fn new(clock: Clock, connect_limit: std::time::Duration) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(connect_limit));
        Self { http, clock }
    }
}

impl Service<Uri> for TapConnector {
    type Response = HttpTap;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpTap, ConnectError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        self.http.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (opening, clock) = (self.http.call(to), self.clock);
        Box::pin(async move {
            let tcp = opening.await?.into_inner();
            Ok(HttpTap(TokioIo::new(Tap::stamping_writes(tcp, clock))))
        })
    }
}
