//! Cancel and replace. Both are requests: they take their time, and a fill may come first.

use crate::account::AccountId;
use crate::asked::Replacement;
use crate::checks::Case;
use crate::draft::{self, Draft, DraftLeg};
use crate::event::{Event, OrderEventKind};
use crate::exchange::{Exchange, Timer, Told};
use crate::identity::Uuid;
use crate::order::{Order, OrderKind, OrderStatus, Successor, TimeInForce};
use crate::refusal::Refusal;
use market::{Money, Timestamp};

impl Exchange {
    /// Asks to cancel an order (a leg's id names its parent: packages go whole). Done only when `canceled` is
    /// told; a queued order is canceled at once.
    ///
    /// # Errors
    /// 404 when there is no such order, 422 when it is finished or being canceled already.
    pub fn cancel(
        &mut self,
        now: Timestamp,
        account: AccountId,
        id: Uuid,
        out: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        self.wake(now, out);
        let index = self.find(account, id).ok_or_else(|| Refusal::order_not_found(id))?;
        let order = &self.orders[index];
        let status = order.status;
        if order.is_mleg() && !self.settings.mleg_enabled {
            return Err(Refusal::forbidden("cancel mleg order is disabled"));
        }
        if status.is_terminal() || status == OrderStatus::PendingCancel {
            let text = if order.is_mleg() {
                format!("leg order is already in {status} state")
            } else {
                format!("order is already in \"{status}\" state")
            };
            return Err(Refusal::unprocessable(text));
        }
        if status == OrderStatus::Accepted {
            self.finish(now, index, OrderStatus::Canceled);
            self.tell(now, index, OrderEventKind::Canceled.into(), out);
            return Ok(());
        }
        if status.is_working() {
            self.orders[index].status = OrderStatus::PendingCancel;
            self.orders[index].updated_at = now;
            self.tell(now, index, OrderEventKind::PendingCancel.into(), out);
        }
        self.set_timer(now + self.settings.delays.cancel_ns, Timer::Cancel(index));
        Ok(())
    }

    /// Asks to cancel every open order, oldest first; one answer each.
    pub fn cancel_all(
        &mut self,
        now: Timestamp,
        account: AccountId,
        out: &mut Vec<Event>,
    ) -> Vec<(Uuid, Result<(), Refusal>)> {
        self.wake(now, out);
        let Some(books) = self.accounts.get(account.0 as usize) else { return Vec::new() };
        let open: Vec<Uuid> = books.open.iter().map(|index| self.orders[*index].id).collect();
        open.into_iter().map(|id| (id, self.cancel(now, account, id, out))).collect()
    }

    /// Cancels every open order at once, without the delay of a request: for closing everything.
    pub(crate) fn cancel_at_once(&mut self, now: Timestamp, account: AccountId, out: &mut Vec<Event>) {
        let open: Vec<usize> = self.account(account).open.iter().copied().collect();
        for index in open {
            self.finish(now, index, OrderStatus::Canceled);
            self.tell(now, index, OrderEventKind::Canceled.into(), out);
        }
    }

    /// A cancel request arrives.
    pub(crate) fn finish_cancel(&mut self, at: Timestamp, index: usize, out: &mut Vec<Event>) {
        if self.orders[index].status == OrderStatus::Canceled {
            return;
        }
        if self.orders[index].status.is_terminal() {
            return self.tell(
                at,
                index,
                Told::because(OrderEventKind::CancelRejected, "order is finished"),
                out,
            );
        }
        self.finish(at, index, OrderStatus::Canceled);
        self.tell(at, index, OrderEventKind::Canceled.into(), out);
    }

    /// Asks to replace an order by one with another limit, quantity or time in force. The answer is the new
    /// order; whether it won is told by `replaced`, or by `order_replace_rejected` and `rejected`. The quantity
    /// counts what is filled already: the new order trades the rest.
    ///
    /// # Errors
    /// 404 when there is no such order, 422 when it cannot be replaced, and every refusal of a new order.
    pub fn replace(
        &mut self,
        now: Timestamp,
        account: AccountId,
        id: Uuid,
        asked: &Replacement,
        out: &mut Vec<Event>,
    ) -> Result<Order, Refusal> {
        self.wake(now, out);
        let index = self.find(account, id).ok_or_else(|| Refusal::order_not_found(id))?;
        self.replaceable(index)?;
        let draft = self.redraft(index, asked)?;
        if draft.client_order_id.as_ref().is_some_and(|id| self.knows_client_id(account, id)) {
            return Err(Refusal::bad_parameter("client_order_id must be unique"));
        }
        let case = Case { now, account: self.account(account), draft: &draft, except: Some(index) };
        let mut admitted = self.admit(&case)?;
        // While both exist the larger of the two is reserved: the old one's share stays with the old one.
        let reserve = admitted.reserve;
        admitted.reserve = (reserve - self.orders[index].reserved()).max(Money::ZERO);
        let new = self.create(now, account, &draft, &admitted);
        self.orders[new].replaces = Some(id);
        let old = &mut self.orders[index];
        old.successor = Some(Successor { index: new, filled_when_asked: old.filled_qty, reserve });
        (old.updated_at, old.status) = (now, OrderStatus::PendingReplace);
        self.tell(now, index, OrderEventKind::PendingReplace.into(), out);
        self.set_timer(now + self.settings.delays.replace_ns, Timer::Replace(index));
        Ok(self.orders[new].clone())
    }

    fn replaceable(&self, index: usize) -> Result<(), Refusal> {
        let order = &self.orders[index];
        let status = order.status;
        let text = match status {
            _ if order.successor.is_some() => "order chain not fully replaced".to_owned(),
            OrderStatus::New | OrderStatus::PartiallyFilled => return Ok(()),
            OrderStatus::Replaced => "order already replaced".to_owned(),
            _ => format!("cannot replace order in {status} status"),
        };
        Err(Refusal::unprocessable(text))
    }

    /// The order as it would be after the replacement, for the checks of a new order.
    fn redraft(&self, index: usize, asked: &Replacement) -> Result<Draft, Refusal> {
        let order = &self.orders[index];
        let option = order.legs.iter().any(|leg| leg.instrument.contract().is_some());
        if asked.stop_price.is_some() || asked.trail.is_some() {
            return Err(Refusal::bad_parameter(format!("{} orders require no stop price", order.kind)));
        }
        let total = match asked.qty.as_deref() {
            Some(text) => draft::quantity(text, option)?,
            None => order.qty,
        };
        if total <= order.filled_qty {
            return Err(Refusal::unprocessable("qty must be > filled_qty"));
        }
        let limit = match asked.limit_price.as_deref() {
            Some(_) if order.kind == OrderKind::Market => {
                return Err(Refusal::unprocessable("limit price is only valid for limit orders"));
            }
            Some(text) => Some(draft::price(text, option)?),
            None => order.limit_price,
        };
        let time_in_force = match asked.time_in_force.as_deref() {
            None => order.time_in_force,
            Some(word) => {
                TimeInForce::from_word(word).ok_or_else(|| Refusal::bad_parameter("invalid time_in_force"))?
            }
        };
        let same = (total, limit, time_in_force) == (order.qty, order.limit_price, order.time_in_force);
        if same && asked.client_order_id.is_none() {
            return Err(Refusal::unprocessable("order parameters are not changed"));
        }
        let legs = order.legs.iter().map(|leg| DraftLeg {
            instrument: leg.instrument,
            side: leg.side(),
            intent: None,
            ratio: leg.ratio,
        });
        Ok(Draft {
            class: order.class,
            kind: order.kind,
            time_in_force,
            units: total - order.filled_qty,
            limit,
            client_order_id: asked.client_order_id.clone().filter(|id| !id.is_empty()),
            legs: legs.collect(),
        })
    }

    /// A replace request arrives: the new order takes over what is left, or loses to a fill.
    pub(crate) fn finish_replace(&mut self, at: Timestamp, index: usize, out: &mut Vec<Event>) {
        let Some(successor) = self.orders[index].successor.take() else { return };
        let new = successor.index;
        let taken = self.orders[index].filled_qty - successor.filled_when_asked;
        if !self.orders[new].status.is_terminal()
            && !self.orders[index].status.is_terminal()
            && taken < self.orders[new].qty
        {
            return self.hand_over(at, index, &successor, taken, out);
        }
        let status = self.orders[index].status;
        if !status.is_terminal() {
            let filled = self.orders[index].filled_qty > 0;
            self.orders[index].status = if filled { OrderStatus::PartiallyFilled } else { OrderStatus::New };
        }
        if self.orders[new].status.is_terminal() {
            return;
        }
        self.finish(at, new, OrderStatus::Rejected);
        let reason = format!("order is already in \"{status}\" state");
        self.tell(at, index, Told::because(OrderEventKind::ReplaceRejected, &reason), out);
        self.tell(at, new, Told::because(OrderEventKind::Rejected, &reason), out);
    }

    fn hand_over(&mut self, at: Timestamp, index: usize, to: &Successor, taken: u32, out: &mut Vec<Event>) {
        let new = &mut self.orders[to.index];
        let (asked, left) = (i128::from(new.qty), i128::from(new.qty - taken));
        new.qty -= taken;
        new.reserve = Money::from_micros((i128::from(to.reserve.micros()) * left / asked.max(1)) as i64);
        let id = new.id;
        self.orders[index].replaced_by = Some(id);
        self.finish(at, index, OrderStatus::Replaced);
        self.tell(at, index, OrderEventKind::Replaced.into(), out);
        self.start_working(at, to.index, out);
    }
}
