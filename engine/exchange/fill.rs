//! Executions: whether a working order can trade against the quotes of this moment, at what price and how much
//! of it, and what that does to the books.

use crate::activity::ActivityDetail;
use crate::event::{Event, Execution, LegExecution, OrderEventKind};
use crate::exchange::{Exchange, Told};
use crate::hours;
use crate::matching::{self, QuotedLeg, QuotedLegs};
use crate::order::{Intent, Order, OrderKind, OrderLeg, OrderStatus};
use crate::settings::FillModel;
use market::fees::Fill;
use market::{Instrument, Money, Price, Timestamp};

/// Hundredths of a cent: the grid of shares below a dollar.
const FINE_TICK: Price = Price::from_units(1);

impl Exchange {
    /// Tries every working order with a leg in the instrument, oldest first.
    pub(crate) fn match_instrument(&mut self, now: Timestamp, instrument: &Instrument, out: &mut Vec<Event>) {
        let Some(waiting) = self.working.get(instrument) else { return };
        for index in waiting.clone() {
            self.try_fill(now, index, out);
        }
    }

    /// Fills what can be filled of one order now.
    pub(crate) fn try_fill(&mut self, now: Timestamp, index: usize, out: &mut Vec<Event>) {
        let order = &self.orders[index];
        if !order.status.is_working() || now < order.eligible_at {
            return;
        }
        let Some(legs) = self.quoted_legs(order, now) else { return };
        let best = self.best_price(order, &legs, now);
        let limit = order.signed_limit();
        if limit.is_some_and(|limit| limit < best) {
            self.orders[index].rests = true;
            return;
        }
        // Who rested in the book trades at his own price; who arrives marketable pays the model's.
        let at_limit = order.rests && self.settings.fills != FillModel::Touch;
        let net = limit.filter(|_| at_limit).unwrap_or(best);
        let Some(units) = self.fillable(index, &legs) else { return };
        let Some(prices) = matching::leg_prices(&legs, net) else { return };
        self.execute(now, index, units, net, &prices, out);
    }

    /// The legs with their quotes; `None` unless every leg trades now and has a two-sided, uncrossed, fresh
    /// quote, and neither it nor its underlying is halted.
    fn quoted_legs(&self, order: &Order, now: Timestamp) -> Option<QuotedLegs> {
        let mut legs = QuotedLegs::new();
        for leg in &order.legs {
            let underlying = Instrument::Stock(self.listing.underlying(&leg.instrument));
            if !hours::trades(&leg.instrument, now)
                || self.tape.is_halted(&leg.instrument)
                || self.tape.is_halted(&underlying)
            {
                return None;
            }
            let ticker = self.tape.ticker(&leg.instrument)?;
            let quote = ticker.quote?;
            let (bid, ask) = (quote.bid?, quote.ask?);
            let sound = bid.price <= ask.price && bid.price >= Price::ZERO && ask.price > Price::ZERO;
            if !sound || now.since(quote.at) > self.settings.quote_age_max_ns {
                return None;
            }
            let signed_ratio = leg.signed_ratio();
            let left = if signed_ratio > 0 { ticker.ask_left } else { ticker.bid_left };
            legs.push(QuotedLeg { signed_ratio, bid, ask, left });
        }
        Some(legs)
    }

    /// The best net price the fill model grants the order now.
    fn best_price(&self, order: &Order, legs: &[QuotedLeg], now: Timestamp) -> Price {
        let model = self.settings.fills;
        if order.kind == OrderKind::Market || matches!(model, FillModel::Touch | FillModel::Stress) {
            return matching::natural(legs);
        }
        let k = matching::k_bps(model, legs, order.remaining(), now.since(order.working_since));
        let cheap_share = matches!(order.legs[0].instrument, Instrument::Stock(_))
            && legs[0].bid.price < Price::from_cents(100);
        let tick = if cheap_share { FINE_TICK } else { Price::CENT };
        matching::model_price(legs, k, tick)
    }

    /// Units that can be filled: what is left of the order and of the displayed sizes, sometimes only a part.
    fn fillable(&mut self, index: usize, legs: &[QuotedLeg]) -> Option<u32> {
        let wanted = self.orders[index].remaining();
        let shown = match self.settings.fills {
            FillModel::Touch => wanted,
            FillModel::HalfSpread { .. } | FillModel::Stress => wanted.min(matching::units_left(legs)),
        };
        if shown > 1 && self.dice.strikes(self.settings.faults.partial_fill_ppm) {
            return Some(self.dice.up_to(shown - 1));
        }
        (shown > 0).then_some(shown)
    }

    /// Books an execution of `units` at the net price and tells of it.
    fn execute(
        &mut self,
        now: Timestamp,
        index: usize,
        units: u32,
        net: Price,
        prices: &[Price],
        out: &mut Vec<Event>,
    ) {
        let mut executed = Vec::with_capacity(prices.len());
        for (number, price) in prices.iter().enumerate() {
            executed.push(self.execute_leg(now, index, number, units, *price, out));
        }
        let order = &mut self.orders[index];
        order.filled_qty += units;
        order.filled_sum += net.times(i64::from(units));
        order.updated_at = now;
        let sign = order.side().map_or(1, market::order::Side::sign);
        let done = order.remaining() == 0;
        let execution = Execution { price: net * sign, units, legs: executed };
        order.last_execution = Some(execution.clone());
        let kind = if done {
            self.finish(now, index, OrderStatus::Filled);
            OrderEventKind::Fill
        } else {
            order.status = OrderStatus::PartiallyFilled;
            OrderEventKind::PartialFill
        };
        self.tell(now, index, Told::filled(kind, execution), out);
    }

    fn execute_leg(
        &mut self,
        now: Timestamp,
        index: usize,
        number: usize,
        units: u32,
        price: Price,
        out: &mut Vec<Event>,
    ) -> LegExecution {
        let order = &mut self.orders[index];
        let (account, parent_id, qty) = (order.account, order.id, order.qty);
        let leg = &mut order.legs[number];
        let contracts = leg.ratio * units;
        leg.filled += contracts;
        leg.filled_sum += price.times(i64::from(contracts));
        let leg = leg.clone();
        let quantity = leg.side().sign() * i64::from(contracts);
        self.tape.take(&leg.instrument, quantity > 0, contracts);
        let position = self.account_mut(account).trade(leg.instrument, quantity, price);
        let fee_fill = Fill::trade(&leg.instrument, leg.side(), leg.intent.effect(), quantity.abs(), price);
        self.accrue(now, account, &fee_fill);
        let execution_id = self.ids.next();
        let detail = fill_detail(&leg, parent_id, execution_id, quantity, price, qty * leg.ratio);
        let cash = -price.times(quantity * leg.instrument.multiplier());
        self.log(account, now, detail, cash, None, out);
        LegExecution { execution_id, order_id: leg.id, instrument: leg.instrument, quantity, price, position }
    }

    /// Adds the fees of an execution or a delivery to the account's day.
    pub(crate) fn accrue(&mut self, now: Timestamp, account: crate::account::AccountId, fill: &Fill) {
        let date = now.new_york().0;
        if let Some(schedule) = &self.settings.fees {
            let charges = schedule.charges(date, fill);
            self.account_mut(account).accrued.entry(date).or_default().add(&charges);
        }
    }

    /// Charges every day's fees up to `date`, each type rounded up to the cent.
    pub(crate) fn charge_fees(&mut self, at: Timestamp, date: market::Date, out: &mut Vec<Event>) {
        for id in self.accounts().collect::<Vec<_>>() {
            let later = self.account_mut(id).accrued.split_off(&date.plus(1));
            let due = std::mem::replace(&mut self.account_mut(id).accrued, later);
            for day in due.values() {
                for (kind, amount) in day.settle() {
                    self.account_mut(id).cash -= amount;
                    let kind = market::Label::literal(kind.code());
                    self.log(id, at, ActivityDetail::Fee { kind }, Money::ZERO - amount, None, out);
                }
            }
        }
    }
}

fn fill_detail(
    leg: &OrderLeg,
    parent_id: crate::Uuid,
    execution_id: crate::Uuid,
    quantity: i64,
    price: Price,
    ordered: u32,
) -> ActivityDetail {
    ActivityDetail::Fill {
        execution_id,
        order_id: leg.id,
        parent_id,
        instrument: leg.instrument,
        quantity,
        price,
        cumulative: leg.filled,
        leaves: ordered - leg.filled,
        sell_short: leg.intent == Intent::SellToOpen,
    }
}
