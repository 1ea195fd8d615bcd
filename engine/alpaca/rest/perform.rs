//! One request of ours, carried out: the calls it takes, and what their answers mean.

use super::{Rest, RestError};
use crate::ids::VenueIds;
use crate::orders::{NewOrder, Order, ReplaceOrder};
use crate::rest::trading::Sent;
use arrayvec::ArrayVec;
use market::order::{Outcome, ReasonText, Report, Request, Ticket};
use market::{OrderId, Price, Timestamp};
use std::cell::RefCell;

/// What became of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Performed {
    /// What the answers say, in the order to be told.
    pub reports: ArrayVec<Report, 3>,
    /// When the request's bytes were written (monotonic nanoseconds); `None` when none were.
    pub written_ns: Option<u64>,
    /// What went wrong, for a line to a person.
    pub error: Option<RestError>,
}

impl Performed {
    fn said(id: OrderId, outcome: Outcome, at: Timestamp) -> Self {
        let reports = ArrayVec::from_iter([Report { id, outcome, at }]);
        Self { reports, written_ns: None, error: None }
    }

    fn failed(id: OrderId, outcome: Outcome, at: Timestamp, error: RestError) -> Self {
        Self { error: Some(error), ..Self::said(id, outcome, at) }
    }
}

impl Rest {
    /// Carries out a request and tells what the answers mean. `known_units` is how many units of the order
    /// are known to be filled (what a look-up finds beyond them is told as an execution). The trading stream
    /// tells the rest; both may say the same.
    pub async fn perform(&self, request: &Request, known_units: u32, ids: &RefCell<VenueIds>) -> Performed {
        match request {
            Request::Submit(ticket) => self.perform_submit(ticket, ids).await,
            Request::Replace { id, new_id, limit } => self.perform_replace(*id, *new_id, *limit, ids).await,
            Request::Cancel { id } => self.perform_cancel(*id, ids).await,
            Request::LookUp { id } => self.perform_look_up(*id, known_units, ids).await,
        }
    }

    fn now(&self) -> Timestamp {
        (self.clocks.now)()
    }

    async fn perform_submit(&self, ticket: &Ticket, ids: &RefCell<VenueIds>) -> Performed {
        ids.borrow_mut().learn_ticket(ticket);
        let Sent { reply, written_ns } = self.submit(&NewOrder::from_ticket(ticket)).await;
        let performed = match reply {
            Ok(order) => self.answered(&order, ticket.id, ids),
            Err(error) => Performed::failed(ticket.id, error.submit_outcome(), self.now(), error),
        };
        Performed { written_ns, ..performed }
    }

    async fn perform_replace(
        &self,
        id: OrderId,
        new_id: OrderId,
        limit: Price,
        ids: &RefCell<VenueIds>,
    ) -> Performed {
        let venue_id = match self.find(id, ids).await {
            Ok(venue_id) => venue_id,
            Err(error) => return Performed::failed(id, error.replace_outcome(), self.now(), error),
        };
        ids.borrow_mut().expect_replacement(id, new_id);
        let single = ids.borrow().single(id);
        let Sent { reply, written_ns } =
            self.replace(&venue_id, &ReplaceOrder::with_limit(new_id, limit, single)).await;
        let performed = match reply {
            // The request was taken, which is not to say that it won: the new order is told as accepted, and
            // the stream says what became of the old one.
            Ok(order) => self.answered(&order, new_id, ids),
            Err(error) => {
                if !error.outcome_is_unknown() {
                    ids.borrow_mut().withdraw_replacement(id, new_id);
                }
                self.refused(id, error.replace_outcome(), error, ids).await
            }
        };
        Performed { written_ns, ..performed }
    }

    /// A change was refused. When that is because the order is over, what became of it is told at once: the
    /// stream may have lost it.
    async fn refused(
        &self,
        id: OrderId,
        outcome: Outcome,
        error: RestError,
        ids: &RefCell<VenueIds>,
    ) -> Performed {
        let is_over = error.says_it_is_over();
        let mut performed = Performed::failed(id, outcome, self.now(), error);
        if is_over {
            let found = self.perform_look_up(id, 0, ids).await;
            // A look-up that failed says nothing; execution asks by itself in time.
            performed.reports.extend(found.reports.into_iter().filter(|_| found.error.is_none()));
        }
        performed
    }

    /// A cancel that was taken says nothing yet: it is done when the trading stream says so.
    async fn perform_cancel(&self, id: OrderId, ids: &RefCell<VenueIds>) -> Performed {
        let venue_id = match self.find(id, ids).await {
            Ok(venue_id) => venue_id,
            Err(error) => return Performed::failed(id, error.cancel_outcome(), self.now(), error),
        };
        let Sent { reply, written_ns } = self.cancel(&venue_id).await;
        match reply {
            Ok(()) => Performed { reports: ArrayVec::new(), written_ns, error: None },
            Err(error) => {
                let failed = self.refused(id, error.cancel_outcome(), error, ids).await;
                Performed { written_ns, ..failed }
            }
        }
    }

    async fn perform_look_up(&self, id: OrderId, known_units: u32, ids: &RefCell<VenueIds>) -> Performed {
        match self.order_by_client_id(id.as_str(), false).await {
            Ok(order) => self.tell_of(&order, id, known_units, ids),
            Err(error) => Performed::failed(id, error.look_up_outcome(), self.now(), error),
        }
    }

    /// The venue's id of an order, asked for when it is not known (after a restart, or when the answer to the
    /// submit was lost).
    async fn find(&self, id: OrderId, ids: &RefCell<VenueIds>) -> Result<String, RestError> {
        let known = ids.borrow().venue_id(id).map(str::to_string);
        if let Some(known) = known {
            return Ok(known);
        }
        let order = self.order_by_client_id(id.as_str(), true).await?;
        if ids.borrow().is_stranger(&order) {
            return Err(stranger(id));
        }
        ids.borrow_mut().learn_order(&order);
        Ok(order.id)
    }

    fn answered(&self, order: &Order, id: OrderId, ids: &RefCell<VenueIds>) -> Performed {
        ids.borrow_mut().learn_order(order);
        match order.answer().filter(|report| report.id == id) {
            Some(report) => Performed::said(id, report.outcome, report.at),
            None => {
                let why = format!("it names order `{}`", order.client_order_id);
                self.unreadable(id, why)
            }
        }
    }

    /// What an order that was asked for means for ours of that id. One that is not what we sent proves that ours
    /// never arrived: the venue would have refused it.
    pub fn tell_of(
        &self,
        order: &Order,
        id: OrderId,
        known_units: u32,
        ids: &RefCell<VenueIds>,
    ) -> Performed {
        if ids.borrow().is_stranger(order) {
            let reason = ReasonText::format(format_args!("another order has this id: not ours"));
            let outcome = Outcome::Rejected { code: 0, reason };
            return Performed::failed(id, outcome, self.now(), stranger(id));
        }
        ids.borrow_mut().learn_order(order);
        self.told_by(order, id, known_units, ids)
    }

    fn told_by(&self, order: &Order, id: OrderId, known_units: u32, ids: &RefCell<VenueIds>) -> Performed {
        let successor = ids.borrow().successor(order);
        match order.reports(known_units, successor) {
            Ok(reports) => {
                Performed { reports: reports.into_iter().collect(), written_ns: None, error: None }
            }
            Err(bad) => self.unreadable(id, bad.to_string()),
        }
    }

    /// An answer with a good status that tells nothing we can follow: ask again.
    fn unreadable(&self, id: OrderId, why: String) -> Performed {
        let error = RestError::Unreadable { call: format!("order {id}"), why };
        Performed::failed(id, Outcome::Unknown, self.now(), error)
    }
}

/// The venue has an order under our id that is not what we sent.
fn stranger(id: OrderId) -> RestError {
    let why = "it has other legs or units than we sent: does another engine trade on this account?".into();
    RestError::Unreadable { call: format!("order {id}"), why }
}
