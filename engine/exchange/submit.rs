//! Orders in: accepted or refused, queued outside hours, acknowledged a little later.

use crate::account::AccountId;
use crate::asked::NewOrder;
use crate::checks::{Admitted, Case};
use crate::draft::{self, Draft};
use crate::event::{Event, OrderEventKind};
use crate::exchange::{Exchange, Timer, Told};
use crate::order::{Order, OrderLeg, OrderStatus, TimeInForce};
use crate::refusal::Refusal;
use crate::settings::{GTC_END_SECONDS, GTC_LIFE_DAYS};
use market::{Money, Timestamp};

impl Exchange {
    /// Places an order. The answer is the order as accepted (`pending_new`, or `accepted` outside hours); what
    /// becomes of it comes out as events.
    ///
    /// # Errors
    /// The refusal in the broker's words. An injected 504 means that the order exists all the same.
    pub fn submit(
        &mut self,
        now: Timestamp,
        account: AccountId,
        asked: &NewOrder,
        out: &mut Vec<Event>,
    ) -> Result<Order, Refusal> {
        self.wake(now, out);
        let draft = draft::read(asked, self.settings.option_order_max)?;
        let books = self.accounts.get(account.0 as usize).ok_or_else(Refusal::no_account)?;
        if draft.client_order_id.as_ref().is_some_and(|id| self.knows_client_id(account, id)) {
            return Err(Refusal::bad_parameter("client_order_id must be unique"));
        }
        let admitted = self.admit(&Case { now, account: books, draft: &draft, except: None })?;
        let index = self.create(now, account, &draft, &admitted);
        self.route(now, index, admitted.window.open, out);
        if self.dice.strikes(self.settings.faults.timeout_after_accept_ppm) {
            return Err(Refusal::gateway_timeout());
        }
        Ok(self.orders[index].clone())
    }

    /// Makes the order and registers it; nothing is told yet.
    pub(crate) fn create(
        &mut self,
        now: Timestamp,
        account: AccountId,
        draft: &Draft,
        admitted: &Admitted,
    ) -> usize {
        let id = self.ids.next();
        let client_order_id = draft.client_order_id.clone();
        let client_order_id = client_order_id.unwrap_or_else(|| self.ids.next().to_string());
        let mut legs = Vec::with_capacity(draft.legs.len());
        for (leg, intent) in draft.legs.iter().zip(&admitted.intents) {
            let own = draft.is_mleg();
            let leg_id = if own { self.ids.next() } else { id };
            let leg_client_id = if own { self.ids.next().to_string() } else { client_order_id.clone() };
            legs.push(OrderLeg {
                id: leg_id,
                client_order_id: leg_client_id,
                instrument: leg.instrument,
                intent: *intent,
                ratio: leg.ratio,
                filled: 0,
                filled_sum: Money::ZERO,
            });
        }
        let expires_at = match draft.time_in_force {
            TimeInForce::Day => admitted.window.close,
            TimeInForce::Gtc => now.new_york().0.plus(GTC_LIFE_DAYS).at_new_york(GTC_END_SECONDS),
        };
        let index = self.enter(Order {
            id,
            client_order_id,
            account,
            created_at: now,
            updated_at: now,
            submitted_at: now,
            filled_at: None,
            expired_at: None,
            expires_at,
            canceled_at: None,
            failed_at: None,
            replaced_at: None,
            replaced_by: None,
            replaces: None,
            class: draft.class,
            kind: draft.kind,
            time_in_force: draft.time_in_force,
            qty: draft.units,
            filled_qty: 0,
            limit_price: draft.limit,
            status: OrderStatus::PendingNew,
            legs,
            filled_sum: Money::ZERO,
            reserve: admitted.reserve,
            eligible_at: Timestamp::MAX,
            working_since: Timestamp::MAX,
            rests: false,
            last_execution: None,
            successor: None,
        });
        self.set_timer(expires_at, Timer::Expire(index));
        index
    }

    /// Routes a new order, or queues it for the opening bell.
    fn route(&mut self, now: Timestamp, index: usize, open: Timestamp, out: &mut Vec<Event>) {
        if now < open {
            self.orders[index].status = OrderStatus::Accepted;
            self.set_timer(open, Timer::Open(index));
            self.tell(now, index, OrderEventKind::Accepted.into(), out);
        } else {
            self.tell(now, index, OrderEventKind::PendingNew.into(), out);
            self.set_timer(now + self.settings.delays.acknowledge_ns, Timer::Acknowledge(index));
        }
    }

    /// The opening bell for a queued order.
    pub(crate) fn open_queued(&mut self, at: Timestamp, index: usize, out: &mut Vec<Event>) {
        if self.orders[index].status != OrderStatus::Accepted {
            return;
        }
        let order = &mut self.orders[index];
        order.status = OrderStatus::PendingNew;
        (order.submitted_at, order.updated_at) = (at, at);
        self.route(at, index, at, out);
    }

    /// The execution venue answers.
    pub(crate) fn acknowledge(&mut self, at: Timestamp, index: usize, out: &mut Vec<Event>) {
        if self.orders[index].status != OrderStatus::PendingNew {
            return;
        }
        if self.dice.strikes(self.settings.faults.reject_after_accept_ppm) {
            self.finish(at, index, OrderStatus::Rejected);
            let told =
                Told::because(OrderEventKind::Rejected, "rejected by the execution venue (injected fault)");
            return self.tell(at, index, told, out);
        }
        self.start_working(at, index, out);
    }

    /// From now on the order can fill, after its resting time.
    pub(crate) fn start_working(&mut self, at: Timestamp, index: usize, out: &mut Vec<Event>) {
        let eligible_at = at + self.settings.delays.resting_ns;
        let order = &mut self.orders[index];
        order.status = OrderStatus::New;
        order.updated_at = at;
        order.working_since = at;
        order.eligible_at = eligible_at;
        for leg in &order.legs {
            self.working.entry(leg.instrument).or_default().push(index);
        }
        self.tell(at, index, OrderEventKind::New.into(), out);
        self.set_timer(eligible_at, Timer::Eligible(index));
    }

    /// The end of an order's time in force: day orders expire, good-till-canceled ones are canceled.
    pub(crate) fn expire_order(&mut self, at: Timestamp, index: usize, out: &mut Vec<Event>) {
        if self.orders[index].status.is_terminal() {
            return;
        }
        let (status, kind) = match self.orders[index].time_in_force {
            TimeInForce::Day => (OrderStatus::Expired, OrderEventKind::Expired),
            TimeInForce::Gtc => (OrderStatus::Canceled, OrderEventKind::Canceled),
        };
        self.finish(at, index, status);
        self.tell(at, index, kind.into(), out);
    }
}
