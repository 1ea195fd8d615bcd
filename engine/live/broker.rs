//! The way to the venue for orders: requests go out over HTTP from the trading thread itself, since handing them to
//! another thread would cost more than writing them. What the answers mean comes back to execution as reports.

use crate::clock::monotonic_ns;
use crate::flights::Flights;
use crate::floor::{Deliver, Floor};
use crate::stages::Stage;
use actix::{Actor, AsyncContext, Context, Handler, WrapFuture};
use alpaca::ids::VenueIds;
use alpaca::keys::Keys;
use alpaca::rest::{BadRest, Clocks, Performed, Rest, RestSettings};
use desk::letter::{Address, Envelope, Letter};
use market::alert::Severity;
use market::order::{Outcome, ReasonText, Report, Request};
use market::time::DAY;
use market::{OrderId, RunId, Timestamp};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;

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
/// From so many look-ups on that are due together, all orders of the last day are asked for at once.
const TOGETHER: usize = 4;
/// The longest wait for news before the look-ups are gone through again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The actor.
pub struct Broker {
    desk: Rc<Counter>,
    wait_for_sync: bool,
}

/// What every request of the broker needs.
struct Counter {
    client: Rest,
    ids: Rc<RefCell<VenueIds>>,
    floor: Rc<Floor>,
    execution: actix::Recipient<Deliver>,
    flights: RefCell<Flights>,
    /// Rung when a look-up was asked for or an answer came.
    news: Notify,
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
        let (flights, news) = (RefCell::default(), Notify::new());
        Self { desk: Rc::new(Counter { client, ids, floor, execution, flights, news }), wait_for_sync }
    }
}

impl Actor for Broker {
    type Context = Context<Self>;

    /// Opens the connection before the first order needs it, and begins to look orders up.
    fn started(&mut self, context: &mut Self::Context) {
        let desk = self.desk.clone();
        let warm = async move {
            // What the venue answers does not matter here; whoever needs it asks and hears of troubles.
            let _ = desk.client.clock().await;
        };
        context.spawn(warm.into_actor(self));
        context.spawn(self.desk.clone().look_up().into_actor(self));
    }
}

impl Handler<Deliver> for Broker {
    type Result = ();
    fn handle(&mut self, message: Deliver, context: &mut Self::Context) {
        let Letter::Request(request) = message.envelope.letter else { return };
        let desk = self.desk.clone();
        if let Request::LookUp { id } = request {
            desk.flights.borrow_mut().ask(id);
            return desk.news.notify_one();
        }
        desk.flights.borrow_mut().begin(&request);
        // The request is the newest record of this thread, or older: waiting for the newest is enough.
        let sync_to = self.wait_for_sync.then(|| desk.floor.pen().borrow().last_seq());
        let work = desk.carry_out(request, sync_to, message.origin_ns);
        context.spawn(work.into_actor(self));
    }
}

impl Counter {
    /// One request, and what its answers mean.
    async fn carry_out(self: Rc<Self>, request: Request, sync_to: Option<u64>, origin_ns: u64) {
        if let (Some(seq), Request::Submit(ticket)) = (sync_to, &request)
            && !self.synced(seq).await
        {
            let what = format_args!("{}: the journal's sync takes over {SYNC_LIMIT:?}", ticket.id);
            self.floor.alert(Severity::Critical, "sync_is_slow", what);
            self.report(not_synced(ticket.id, self.floor.clock.now()));
            return self.landed(&request, true);
        }
        let performed = self.client.perform(&request, 0, &self.ids).await;
        let is_clear = performed.reports.iter().all(|r| r.outcome != Outcome::Unknown);
        self.tell(&request, performed, origin_ns);
        self.landed(&request, is_clear);
    }

    fn landed(&self, request: &Request, is_clear: bool) {
        self.flights.borrow_mut().end(request, is_clear, monotonic_ns());
        self.news.notify_one();
    }

    /// Looks orders up for ever, one question at a time: many that are due together (as when the connection comes
    /// back) are one question. Submits and cancels never wait for it.
    async fn look_up(self: Rc<Self>) {
        loop {
            let ready = self.flights.borrow_mut().take_ready(monotonic_ns());
            if ready.is_empty() {
                let next_ns = self.flights.borrow().next_ns();
                let wait = next_ns.map_or(LOOK_AGAIN, |at| {
                    Duration::from_nanos(at.saturating_sub(monotonic_ns()).max(1_000_000)).min(LOOK_AGAIN)
                });
                // Either way it is gone through again.
                let _ = tokio::time::timeout(wait, self.news.notified()).await;
                continue;
            }
            let rest = if ready.len() >= TOGETHER { self.look_up_together(ready).await } else { ready };
            for id in rest {
                let request = Request::LookUp { id };
                let performed = self.client.perform(&request, 0, &self.ids).await;
                self.looked_up(id, performed);
            }
        }
    }

    /// Answers look-ups from the list of the last day's orders; gives back those that are not in it.
    async fn look_up_together(&self, mut wanted: Vec<OrderId>) -> Vec<OrderId> {
        let since = self.floor.clock.now() - DAY;
        let orders = match self.client.orders_after(since).await {
            Ok(orders) => orders,
            Err(error) => {
                let what = format_args!("all orders of a day: {error}");
                self.floor.alert(Severity::Warning, "order_request_failed", what);
                return wanted;
            }
        };
        // All are learnt first, so that a replaced one finds the name of its successor.
        for order in &orders {
            let mut ids = self.ids.borrow_mut();
            if !ids.is_stranger(order) {
                ids.learn_order(order);
            }
        }
        for order in &orders {
            let Some(place) = wanted.iter().position(|id| id.as_str() == order.client_order_id) else {
                continue;
            };
            let id = wanted.swap_remove(place);
            self.looked_up(id, self.client.tell_of(order, id, 0, &self.ids));
        }
        wanted
    }

    fn looked_up(&self, id: OrderId, performed: Performed) {
        let settled = |r: &Report| !matches!(r.outcome, Outcome::NotFound | Outcome::Unknown);
        if !performed.reports.iter().all(settled) {
            self.flights.borrow_mut().settle(id, monotonic_ns());
        }
        self.tell(&Request::LookUp { id }, performed, 0);
    }

    /// Waits until the journal's sync has reached a record; false when it takes too long.
    async fn synced(&self, seq: u64) -> bool {
        self.floor.pen().borrow().hasten();
        within(SYNC_LIMIT, || self.floor.pen().borrow().synced_seq() >= seq).await
    }

    /// Hands the reports to execution, stamps the latency of orders that a tick caused, and tells troubles.
    fn tell(&self, request: &Request, performed: Performed, origin_ns: u64) {
        let floor = &self.floor;
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
            self.report(report);
        }
    }

    fn report(&self, report: Report) {
        let at = self.floor.clock.now();
        let letter = Letter::Report(report);
        let envelope = Envelope { from: Address::Venue, to: Address::Execution, at, letter };
        self.execution.do_send(Deliver { envelope, origin_ns: 0 });
    }
}

/// Looks often whether something is so; false when it is not in time.
async fn within(limit: Duration, is_so: impl Fn() -> bool) -> bool {
    let so = async {
        while !is_so() {
            tokio::time::sleep(SYNC_LOOK).await;
        }
    };
    tokio::time::timeout(limit, so).await.is_ok()
}

/// Nothing was sent: an order that would not survive a power cut does not leave.
fn not_synced(id: OrderId, at: Timestamp) -> Report {
    let reason = ReasonText::format(format_args!("not sent: the journal's sync is too slow"));
    Report { id, outcome: Outcome::Rejected { code: 0, reason }, at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_disk_does_not_have_in_time_is_refused() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("small");
        let (reached, missed) = runtime.block_on(async {
            let limit = Duration::from_millis(5);
            (within(limit, || true).await, within(limit, || false).await)
        });
        assert!(reached && !missed);
        let report = not_synced(OrderId::literal("w1.SPY.1.0"), Timestamp::from_ns(1));
        assert!(
            matches!(report.outcome, Outcome::Rejected { .. }),
            "execution ends it, nothing is looked up"
        );
    }
}
