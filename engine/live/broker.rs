//! The way to the venue for orders: requests go out over HTTP from the trading thread itself, since handing them to
//! another thread would cost more than writing them. What the answers mean comes back to execution as reports.

use crate::clock::monotonic_ns;
use crate::floor::{Deliver, Floor};
use crate::stages::Stage;
use actix::{Actor, AsyncContext, Context, Handler, WrapFuture};
use alpaca::ids::VenueIds;
use alpaca::keys::Keys;
use alpaca::rest::{BadRest, Clocks, Performed, Rest, RestSettings};
use desk::letter::{Address, Envelope, Letter};
use market::RunId;
use market::alert::Severity;
use market::order::Request;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// What the broker is made of.
#[derive(Clone)]
pub struct BrokerParts {
    /// Addresses and limits.
    pub rest: RestSettings,
    /// The keys.
    pub keys: Keys,
    /// Whose orders are ours.
    pub run: RunId,
    /// True to hold each new order until the journal's sync has reached it: it then survives a power cut.
    pub wait_for_sync: bool,
}

impl BrokerParts {
    /// A REST client of its own for the thread this is called on.
    ///
    /// # Errors
    /// When an address or a key cannot be used.
    pub fn client(&self) -> Result<Rest, BadRest> {
        client(self.rest.clone(), &self.keys)
    }
}

/// A REST client with this program's clocks, for the thread this is called on.
///
/// # Errors
/// When an address or a key cannot be used.
pub fn client(rest: RestSettings, keys: &Keys) -> Result<Rest, BadRest> {
    Rest::new(rest, keys, Clocks { monotonic_ns, now: crate::clock::wall })
}

/// How often the sync is looked for, and how long at most before the order is refused.
const SYNC_LOOK: Duration = Duration::from_micros(100);
const SYNC_LIMIT: Duration = Duration::from_secs(2);

/// The actor.
pub struct Broker {
    client: Rc<Rest>,
    wait_for_sync: bool,
    ids: Rc<RefCell<VenueIds>>,
    floor: Rc<Floor>,
    execution: actix::Recipient<Deliver>,
}

impl Broker {
    /// A broker that reports to `execution`.
    pub fn new(
        client: Rest,
        wait_for_sync: bool,
        floor: Rc<Floor>,
        execution: actix::Recipient<Deliver>,
        ids: Rc<RefCell<VenueIds>>,
    ) -> Self {
        Self { client: Rc::new(client), wait_for_sync, ids, floor, execution }
    }
}

impl Actor for Broker {
    type Context = Context<Self>;

    /// Opens the connection before the first order needs it.
    fn started(&mut self, context: &mut Self::Context) {
        let client = self.client.clone();
        let warm = async move {
            // What the venue answers does not matter here; whoever needs it asks and hears of troubles.
            let _ = client.clock().await;
        };
        context.spawn(warm.into_actor(self));
    }
}

impl Handler<Deliver> for Broker {
    type Result = ();
    fn handle(&mut self, message: Deliver, context: &mut Self::Context) {
        let Letter::Request(request) = message.envelope.letter else { return };
        // The request is the newest record of this thread, or older: waiting for the newest is enough.
        let sync_to = self.wait_for_sync.then(|| self.floor.pen().borrow().last_seq());
        let (client, ids, floor, execution) =
            (self.client.clone(), self.ids.clone(), self.floor.clone(), self.execution.clone());
        let origin_ns = message.origin_ns;
        let work = async move {
            if let (Some(seq), Request::Submit(_)) = (sync_to, &request) {
                synced(&floor, seq).await;
            }
            let performed = client.perform(&request, 0, &ids).await;
            tell(&floor, &execution, &request, performed, origin_ns);
        };
        context.spawn(work.into_actor(self));
    }
}

/// Waits until the journal's sync has reached a record.
async fn synced(floor: &Floor, seq: u64) {
    floor.pen().borrow().hasten();
    let reached = async {
        while floor.pen().borrow().synced_seq() < seq {
            tokio::time::sleep(SYNC_LOOK).await;
        }
    };
    if tokio::time::timeout(SYNC_LIMIT, reached).await.is_err() {
        floor.alert(
            Severity::Critical,
            "sync_is_slow",
            format_args!(
                "an order left before the disk had it: the journal's sync takes over {SYNC_LIMIT:?}"
            ),
        );
    }
}

/// Hands the reports to execution, stamps the latency of orders that a tick caused, and tells troubles.
fn tell(
    floor: &Floor,
    execution: &actix::Recipient<Deliver>,
    request: &Request,
    performed: Performed,
    origin_ns: u64,
) {
    if let (Request::Submit(_), Some(written_ns), true) = (request, performed.written_ns, origin_ns > 0) {
        floor.stages.borrow_mut().record(Stage::OrderWritten, written_ns.saturating_sub(origin_ns));
    }
    let failed = performed.error.is_some();
    if let Some(error) = &performed.error {
        floor.alert(Severity::Warning, "order_request_failed", format_args!("{}: {error}", request.id()));
    }
    let at = floor.clock.now();
    for mut report in performed.reports {
        if failed {
            // The venue said nothing with a stamp of its own.
            report.at = at;
        }
        let letter = Letter::Report(report);
        let envelope = Envelope { from: Address::Venue, to: Address::Execution, at, letter };
        execution.do_send(Deliver { envelope, origin_ns: 0 });
    }
}
