//! A TCP stream with two gauges on it: how often bytes were read, and when bytes were last written. The first
//! lets the stream driver stamp each read batch once, the second tells when an order's bytes really left.

use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A monotonic clock in nanoseconds.
pub type Clock = fn() -> u64;

/// The gauges of one connection. Shared with whoever reads them, which may be another task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauges(Arc<Readings>);

#[derive(Debug, Default)]
struct Readings {
    reads: AtomicU64,
    written_ns: AtomicU64,
}

impl Gauges {
    /// Reads that brought bytes.
    pub(crate) fn reads(&self) -> u64 {
        self.0.reads.load(Ordering::Relaxed)
    }
    /// When bytes were last written; `None` before the first.
    pub(crate) fn written_ns(&self) -> Option<u64> {
        Some(self.0.written_ns.load(Ordering::Relaxed)).filter(|ns| *ns > 0)
    }
}

/// The stream.
pub(crate) struct Tap {
    tcp: TcpStream,
    gauges: Gauges,
    clock: Option<Clock>,
}

impl Tap {
    /// A stream whose reads are counted.
    pub(crate) fn counting_reads(tcp: TcpStream) -> Self {
        Self { tcp, gauges: Gauges::default(), clock: None }
    }
    /// A stream whose writes are stamped.
    pub(crate) fn stamping_writes(tcp: TcpStream, clock: Clock) -> Self {
        Self { tcp, gauges: Gauges::default(), clock: Some(clock) }
    }
    pub(crate) fn gauges(&self) -> Gauges {
        self.gauges.clone()
    }

    fn note_write(&self, outcome: &Poll<io::Result<usize>>) {
        if let (Poll::Ready(Ok(1..)), Some(clock)) = (outcome, self.clock) {
            self.gauges.0.written_ns.store(clock().max(1), Ordering::Relaxed);
        }
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.tcp).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.gauges.0.reads.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.note_write(&outcome);
        outcome
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.tcp).poll_write_vectored(cx, bytes);
        self.note_write(&outcome);
        outcome
    }
    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// The same for the HTTP client, which speaks its own I/O traits; the gauges travel with the connection.
pub(crate) struct HttpTap(pub(crate) TokioIo<Tap>);

impl Connection for HttpTap {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.0.inner().gauges())
    }
}

impl hyper::rt::Read for HttpTap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl hyper::rt::Write for HttpTap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bytes)
    }
    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
