//! The embedded market: a server that speaks the broker's protocol on loopback, over the simulated exchange.
//! Clients written for the broker (ours, and the official SDK) cannot tell it from the paper venue.
//!
//! [`start`] opens a [`Source`](source::Source) (simulated, recorded or a flood), gives it and the exchange to
//! one thread, the [`core`], and serves REST and three kinds of websocket beside it. Virtual time may run at 1
//! to 600 times the wall clock, or as fast as the clients read.

mod bars;
mod core;
mod door;
mod greeks;
mod kept;
mod pace;
mod rest;
mod sessions;
pub mod settings;
mod shared;
mod socket;
pub mod source;
mod state_file;
mod tape;
mod wire;

#[cfg(test)]
mod trials;

pub use crate::core::Stats;
pub use crate::state_file::StateError;
pub use settings::{
    Credentials, Flood, Hold, Limits, OptionFlood, Recording, Settings, SourceSettings, Speed,
};

use crate::core::{Ask, Core};
use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use crossbeam::channel::{Sender, bounded};
use shared::Shared;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

/// Questions that may wait for the core.
const ASKS_MAX: usize = 4_096;

/// Why a venue does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The source refused its settings.
    #[error(transparent)]
    Source(#[from] source::SourceError),
    /// What was stored cannot be taken up.
    #[error(transparent)]
    State(#[from] StateError),
    /// The address is taken, or threads are not to be had.
    #[error("venue: cannot listen on 127.0.0.1:{port}: {error}; choose another `port`, or 0 for a free one")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        error: std::io::Error,
    },
    /// A thread ended before it was ready.
    #[error("venue: the {0} thread did not start")]
    Thread(&'static str),
}

/// A running venue. Dropping it stops it.
pub struct Venue {
    /// Base of the trading and data REST, without a slash at the end.
    pub rest_url: String,
    /// Whole URL of the stock stream.
    pub stock_ws_url: String,
    /// Whole URL of the option stream.
    pub option_ws_url: String,
    /// Whole URL of the trading stream.
    pub trading_ws_url: String,
    /// The seed that everything follows from.
    pub seed: u64,
    /// Where it listens.
    pub address: SocketAddr,
    asks: Sender<Ask>,
    shared: web::Data<Shared>,
    server: ServerHandle,
    threads: Vec<JoinHandle<()>>,
}

/// Starts a venue on its own threads; it listens when this returns.
pub fn start(settings: Settings) -> Result<Venue, StartError> {
    let port = settings.port;
    let failed = |error| StartError::Listen { port, error };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let core = Core::open(settings.clone())?;
    let seed = core.source.seed();
    let (asks, asked) = bounded::<Ask>(ASKS_MAX);
    let shared = web::Data::new(Shared::new(asks.clone(), &settings));
    let core_thread = std::thread::Builder::new()
        .name("venue-core".into())
        .spawn(move || core.run(&asked))
        .map_err(failed)?;
    let (ready, is_ready) = bounded(1);
    let for_server = shared.clone();
    let serve = move || serve(listener, for_server, &ready);
    let server_thread = std::thread::Builder::new().name("venue-http".into()).spawn(serve).map_err(failed)?;
    let server = match is_ready.recv_timeout(Duration::from_secs(10)) {
        Ok(Ok(server)) => server,
        Ok(Err(error)) => return Err(failed(error)),
        Err(_) => return Err(StartError::Thread("http")),
    };
    Ok(Venue {
        rest_url: format!("http://{address}"),
        stock_ws_url: format!("ws://{address}/v2/sip"),
        option_ws_url: format!("ws://{address}/v1beta1/opra"),
        trading_ws_url: format!("ws://{address}/stream"),
        seed,
        address,
        asks,
        shared,
        server,
        threads: vec![core_thread, server_thread],
    })
}

fn serve(listener: TcpListener, shared: web::Data<Shared>, ready: &Sender<std::io::Result<ServerHandle>>) {
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || App::new().app_data(shared.clone()).configure(door::routes))
            .workers(1)
            .disable_signals()
            .tcp_nodelay(true)
            .shutdown_timeout(1)
            .listen(listener);
        match server {
            Ok(server) => {
                let server = server.run();
                let _ = ready.send(Ok(server.handle()));
                // A server that fails later has nobody left to tell; its sockets are gone, which clients see.
                let _ = server.await;
            }
            Err(error) => drop(ready.send(Err(error))),
        }
    });
}

impl Venue {
    /// Counters, asked from the running core; `None` when it has ended.
    pub fn stats(&self) -> Option<Stats> {
        self.ask(|core| core.stats())
    }

    /// Drops every socket without a close frame; the venue goes on.
    pub fn drop_sockets(&self) {
        self.tell(|core| core.sessions.drop_all());
    }

    /// Sends nothing more on any socket (pings are still answered) until [`Venue::unmute`].
    pub fn mute(&self) {
        self.tell(|core| core.sessions.muted = true);
    }

    /// Ends a mute.
    pub fn unmute(&self) {
        self.tell(|core| core.sessions.muted = false);
    }

    /// Refuses every REST request with this status until told `None`.
    pub fn refuse(&self, status: Option<u16>) {
        self.shared.refuse_with.store(status.unwrap_or(0), Ordering::Relaxed);
    }

    /// Dies in the middle, as if killed: sockets break without a word, nothing listens any more, nothing more is
    /// stored.
    pub fn die(&mut self) {
        self.end(Core::die);
    }

    /// Stops in order: the state is stored, sockets are closed, threads end.
    pub fn stop(mut self) {
        self.end(Core::stop);
    }

    fn end(&mut self, how: fn(&mut Core)) {
        self.tell(move |core| {
            how(core);
            core.sessions.drop_all();
        });
        // The future of a stop without grace need not be awaited for the stop to happen.
        drop(self.server.stop(false));
        self.join();
    }

    fn tell(&self, what: impl FnOnce(&mut Core) + Send + 'static) {
        let _ = self.asks.send(Box::new(what));
    }

    fn ask<T: Send + 'static>(&self, what: impl FnOnce(&mut Core) -> T + Send + 'static) -> Option<T> {
        let (answer, answered) = bounded(1);
        self.asks.send(Box::new(move |core| drop(answer.send(what(core))))).ok()?;
        answered.recv_timeout(Duration::from_secs(5)).ok()
    }

    fn join(&mut self) {
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.end(Core::stop);
        }
    }
}
