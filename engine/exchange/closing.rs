//! Positions out: closing by market order, exercise on request, and the wish not to exercise.

use crate::account::{Account, AccountId};
use crate::activity::{ActivityDetail, ActivityType};
use crate::asked::NewOrder;
use crate::event::Event;
use crate::exchange::Exchange;
use crate::margin::requirement;
use crate::order::Order;
use crate::refusal::Refusal;
use market::fees::Fill;
use market::order::{Effect, Side};
use market::{Contract, Instrument, Money, Right, Timestamp, session};

/// How much of a position to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionPart {
    /// All that no other order holds.
    All,
    /// So many contracts or shares.
    Quantity(u32),
    /// So many hundredths of a percent of it, rounded down to whole contracts or shares.
    BasisPoints(u32),
}

impl Exchange {
    /// Closes a position by a market order.
    ///
    /// # Errors
    /// 404 without a position, and every refusal of a new order.
    pub fn close_position(
        &mut self,
        now: Timestamp,
        account: AccountId,
        instrument: Instrument,
        part: PositionPart,
        out: &mut Vec<Event>,
    ) -> Result<Order, Refusal> {
        self.wake(now, out);
        let position = self.position(account, instrument);
        let position = position.ok_or_else(|| Refusal::not_found("position does not exist"))?;
        let quantity = match part {
            PositionPart::All if position.available != 0 => position.available.abs(),
            // All of it is held by other orders: ask for all, so that the refusal says so.
            PositionPart::All => position.quantity.abs(),
            PositionPart::Quantity(quantity) => i64::from(quantity),
            PositionPart::BasisPoints(bps) => position.quantity.abs() * i64::from(bps.min(10_000)) / 10_000,
        };
        let side = if position.quantity > 0 { "sell" } else { "buy" };
        let order = NewOrder {
            symbol: Some(instrument.to_string()),
            qty: Some(quantity.to_string()),
            side: Some(side.to_owned()),
            kind: Some("market".to_owned()),
            time_in_force: Some("day".to_owned()),
            ..NewOrder::default()
        };
        self.submit(now, account, &order, out)
    }

    /// Closes every position, short options first so that nothing is left uncovered on the way; with
    /// `cancel_orders` all open orders are canceled before, at once.
    pub fn close_all_positions(
        &mut self,
        now: Timestamp,
        account: AccountId,
        cancel_orders: bool,
        out: &mut Vec<Event>,
    ) -> Vec<(Instrument, Result<Order, Refusal>)> {
        self.wake(now, out);
        if self.accounts.get(account.0 as usize).is_none() {
            return Vec::new();
        }
        if cancel_orders {
            self.cancel_at_once(now, account, out);
        }
        let mut held: Vec<(bool, Instrument)> = self
            .positions(account)
            .iter()
            .map(|p| (p.quantity > 0 || matches!(p.instrument, Instrument::Stock(_)), p.instrument))
            .collect();
        held.sort();
        let instruments = held.into_iter().map(|(_, instrument)| instrument);
        instruments
            .map(|instrument| {
                (instrument, self.close_position(now, account, instrument, PositionPart::All, out))
            })
            .collect()
    }

    /// Exercises all of a long position that no order holds, at once.
    ///
    /// # Errors
    /// In the broker's words: no or a short position, European style, out of the money, not standard, after the
    /// close, not enough cash or shares, or a short left uncovered.
    pub fn exercise(
        &mut self,
        now: Timestamp,
        account: AccountId,
        contract: Contract,
        out: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        self.wake(now, out);
        let quantity = self.exercisable(now, account, contract)?;
        self.deliver(now, account, contract, quantity, out);
        Ok(())
    }

    fn exercisable(&self, now: Timestamp, account: AccountId, contract: Contract) -> Result<i64, Refusal> {
        let option = Instrument::Option(contract);
        let books = self.accounts.get(account.0 as usize).ok_or_else(Refusal::no_account)?;
        let position = long_position(books, contract)?;
        let quantity = position - self.held(books, &option, None);
        if quantity <= 0 {
            return Err(Refusal::forbidden("no available position for the specified contract"));
        }
        let (date, _) = now.new_york();
        if session::session(date).is_some_and(|today| now >= today.close) {
            return Err(Refusal::forbidden(
                "exercise requests are not accepted after market close until midnight",
            ));
        }
        let terms = self.listing.terms(&contract);
        if contract.is_adjusted() {
            return Err(Refusal::forbidden("non-standard contracts are exercised by support only"));
        }
        if !terms.american && contract.expiry != date {
            return Err(Refusal::forbidden("early exercise is not allowed for European-style options"));
        }
        let spot = self.tape.last(&Instrument::Stock(terms.underlying));
        if spot.is_none_or(|spot| contract.intrinsic(spot) == market::Price::ZERO) {
            return Err(Refusal::forbidden("out-of-the-money contracts are exercised by support only"));
        }
        self.can_deliver(books, contract, quantity)?;
        Ok(quantity)
    }

    fn can_deliver(&self, books: &Account, contract: Contract, quantity: i64) -> Result<(), Refusal> {
        let underlying = self.listing.underlying(&Instrument::Option(contract));
        let shares = quantity * market::contract::MULTIPLIER;
        let cost = contract.strike().times(shares);
        let excess = self.excess(books, None);
        if contract.right == Right::Put {
            let free = self.covering_shares(books, underlying, None);
            if free < shares {
                return Err(Refusal::forbidden(format!(
                    "insufficient underlying qty available for deliverable (required: {shares}, available: {free})"
                )));
            }
        } else if self.initial_margin(cost) > excess {
            let power = self.stock_buying_power(excess).max(Money::ZERO);
            return Err(Refusal::forbidden(format!(
                "insufficient regt buying power for exercise (required: {cost}, available: {power})"
            )));
        }
        let rule = self.settings.margin.expiries;
        let mut set = self.worst_set(books, underlying, None);
        let held = self.covering_shares(books, underlying, None);
        let before = requirement(&set, held, rule).uncovered;
        set.push((contract, -quantity));
        let moved = if contract.right == Right::Call { shares } else { -shares };
        if requirement(&set, held + moved, rule).uncovered > before {
            return Err(Refusal::uncovered());
        }
        Ok(())
    }

    /// Asks that a long position is not exercised at expiry although it is in the money.
    ///
    /// # Errors
    /// 404 without a long position; 403 for a short one, on any other day, and after the close.
    pub fn do_not_exercise(
        &mut self,
        now: Timestamp,
        account: AccountId,
        contract: Contract,
        out: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        self.wake(now, out);
        let books = self.accounts.get(account.0 as usize).ok_or_else(Refusal::no_account)?;
        long_position(books, contract)?;
        let last = session::last_trading_session(&contract);
        let Some(last) = last.filter(|last| last.date == now.new_york().0) else {
            return Err(Refusal::forbidden(
                "dne requests are only accepted on the expiration day of the option contract",
            ));
        };
        if now >= last.close {
            return Err(Refusal::forbidden(format!("dne requests are not accepted after {}", last.close)));
        }
        self.account_mut(account).do_not_exercise.insert(contract);
        Ok(())
    }

    /// Exercises (a positive quantity, long) or assigns (negative, short) contracts by delivery of shares at the
    /// strike, and books the fees of it.
    pub(crate) fn deliver(
        &mut self,
        at: Timestamp,
        account: AccountId,
        contract: Contract,
        quantity: i64,
        out: &mut Vec<Event>,
    ) {
        let how = if quantity > 0 { ActivityType::OptionExercised } else { ActivityType::OptionAssigned };
        let symbol = self.listing.underlying(&Instrument::Option(contract));
        let direction = if contract.right == Right::Call { 1 } else { -1 };
        let shares = direction * quantity * market::contract::MULTIPLIER;
        let (strike, stock) = (contract.strike(), Instrument::Stock(symbol));
        let before = self.account(account).quantity(&stock);
        let books = self.account_mut(account);
        books.trade(Instrument::Option(contract), -quantity, market::Price::ZERO);
        books.trade(stock, shares, strike);
        let group = Some(self.ids.next());
        let ended = ActivityDetail::OptionEnded { how, contract, quantity: -quantity };
        self.log(account, at, ended, Money::ZERO, group, out);
        let delivered = ActivityDetail::Delivered { symbol, shares, price: strike };
        self.log(account, at, delivered, -strike.times(shares), group, out);
        let side = if shares > 0 { Side::Buy } else { Side::Sell };
        let effect = if before * shares < 0 { Effect::Close } else { Effect::Open };
        self.accrue(at, account, &Fill::delivery(side, effect, shares.abs(), strike));
    }
}

fn long_position(books: &Account, contract: Contract) -> Result<i64, Refusal> {
    match books.quantity(&Instrument::Option(contract)) {
        0 => Err(Refusal::not_found(format!("long position not found: {contract}"))),
        short if short < 0 => Err(Refusal::new(403, 40_310_001, "cannot exercise short position")),
        long => Ok(long),
    }
}
