//! The end of contracts and of the day: what cannot be paid for is sold before the close, contracts end against
//! the official close, shorts may be assigned ahead of a dividend, and fees are charged.

use crate::account::AccountId;
use crate::activity::{ActivityDetail, ActivityType};
use crate::closing::PositionPart;
use crate::event::Event;
use crate::exchange::Exchange;
use market::{Contract, Date, Instrument, Money, Price, Right, Symbol, Timestamp, product, session};
use std::collections::BTreeSet;

/// A contract that far in the money is exercised without asking.
const EXERCISE_BY_EXCEPTION: Price = Price::CENT;

impl Exchange {
    /// Settles a session: contracts, early assignments, fees, and the marks of the day; then plans the next.
    pub(crate) fn settle_day(&mut self, at: Timestamp, date: Date, out: &mut Vec<Event>) {
        let next = session::next_session(date);
        for account in self.accounts().collect::<Vec<_>>() {
            for (contract, quantity) in self.ending(account, date) {
                self.end_contract(at, date, account, contract, quantity, out);
            }
            if let Some(next) = next {
                self.assign_before_dividends(at, account, next.date, out);
            }
        }
        self.charge_fees(at, date, out);
        self.mark_day();
        if let Some(next) = next {
            self.plan_day(next);
        }
    }

    /// Option positions whose settlement is due on the date.
    fn ending(&self, account: AccountId, date: Date) -> Vec<(Contract, i64)> {
        let options =
            self.account(account).positions.iter().filter_map(|(i, p)| Some((i.contract()?, p.quantity)));
        options.filter(|(contract, _)| settles_on(contract).is_some_and(|day| day <= date)).collect()
    }

    fn end_contract(
        &mut self,
        at: Timestamp,
        date: Date,
        account: AccountId,
        contract: Contract,
        quantity: i64,
        out: &mut Vec<Event>,
    ) {
        let terms = self.listing.terms(&contract);
        let underlying = Instrument::Stock(terms.underlying);
        let price = if product::is_am_settled(&contract.root) {
            self.tape.official_open(&underlying, date)
        } else {
            self.tape.official_close(&underlying, date)
        };
        // An underlying nobody ever heard a price of leaves its contracts worthless.
        let worth = price.map_or(Price::ZERO, |price| contract.intrinsic(price));
        let spared = self.account_mut(account).do_not_exercise.remove(&contract) && quantity > 0;
        if worth < EXERCISE_BY_EXCEPTION || spared {
            self.account_mut(account).trade(Instrument::Option(contract), -quantity, Price::ZERO);
            let how = ActivityType::OptionExpired;
            let ended = ActivityDetail::OptionEnded { how, contract, quantity: -quantity };
            self.log(account, at, ended, Money::ZERO, None, out);
        } else if terms.cash_settled {
            self.account_mut(account).trade(Instrument::Option(contract), -quantity, worth);
            let amount = worth.times(quantity * market::contract::MULTIPLIER);
            let settled = ActivityDetail::CashSettled { contract, quantity, price: worth };
            self.log(account, at, settled, amount, None, out);
        } else {
            self.deliver(at, account, contract, quantity, out);
        }
    }

    /// Short calls in the money are assigned on the evening before the shares go without a dividend that is
    /// worth more than what time value is left: their owners would otherwise miss it.
    fn assign_before_dividends(
        &mut self,
        at: Timestamp,
        account: AccountId,
        next: Date,
        out: &mut Vec<Event>,
    ) {
        let due: Vec<(Symbol, Price)> = self
            .settings
            .dividends
            .iter()
            .filter(|dividend| dividend.ex_date == next)
            .map(|dividend| (dividend.symbol, dividend.amount))
            .collect();
        for (symbol, amount) in due {
            for (contract, quantity) in self.worth_assigning(account, symbol, amount) {
                self.deliver(at, account, contract, quantity, out);
            }
        }
    }

    fn worth_assigning(&self, account: AccountId, symbol: Symbol, dividend: Price) -> Vec<(Contract, i64)> {
        let Some(spot) = self.tape.last(&Instrument::Stock(symbol)) else { return Vec::new() };
        let positions = self.account(account).positions.iter();
        let short = positions.filter_map(|(i, p)| Some((i.contract()?, p.quantity))).filter(|(_, n)| *n < 0);
        short
            .filter(|(contract, _)| {
                let terms = self.listing.terms(contract);
                let intrinsic = contract.intrinsic(spot);
                let price = self.tape.last(&Instrument::Option(*contract)).unwrap_or(intrinsic);
                contract.right == Right::Call
                    && terms.underlying == symbol
                    && terms.american
                    && intrinsic > Price::ZERO
                    && price - intrinsic < dividend
            })
            .collect()
    }

    /// Keeps what tomorrow compares with: equity and prices after settlement.
    fn mark_day(&mut self) {
        for number in 0..self.accounts.len() {
            let account = &self.accounts[number];
            let equity = self.equity(account);
            let prices = account.positions.keys().filter_map(|i| Some((*i, self.tape.last(i)?))).collect();
            let account = &mut self.accounts[number];
            account.last_equity = equity;
            account.last_day_prices = prices;
        }
    }

    /// Before the close of their last day, long contracts in the money are sold when the account could not pay
    /// for the shares. Leg by leg, as the broker does; a sale that would leave a short uncovered is refused by
    /// the ordinary checks and left alone.
    pub(crate) fn sell_unaffordable(&mut self, at: Timestamp, date: Date, late: bool, out: &mut Vec<Event>) {
        for account in self.accounts().collect::<Vec<_>>() {
            for underlying in self.underlyings_ending(account, date, late) {
                if self.can_afford_expiry(account, underlying, date) {
                    continue;
                }
                for (contract, quantity) in self.ending_on(account, underlying, date) {
                    if quantity > 0 && self.in_the_money(&contract) {
                        let option = Instrument::Option(contract);
                        let _refused = self.close_position(at, account, option, PositionPart::All, out);
                    }
                }
            }
        }
    }

    fn underlyings_ending(&self, account: AccountId, date: Date, late: bool) -> BTreeSet<Symbol> {
        let contracts = self.account(account).positions.keys().filter_map(Instrument::contract);
        contracts
            .filter(|contract| {
                session::last_trading_session(contract).is_some_and(|last| last.date == date)
                    && product::closes_late(&contract.root) == late
            })
            .map(|contract| self.listing.terms(&contract))
            .filter(|terms| !terms.cash_settled)
            .map(|terms| terms.underlying)
            .collect()
    }

    fn ending_on(&self, account: AccountId, underlying: Symbol, date: Date) -> Vec<(Contract, i64)> {
        let ending = self.ending(account, date).into_iter();
        ending.filter(|(contract, _)| self.listing.terms(contract).underlying == underlying).collect()
    }

    fn in_the_money(&self, contract: &Contract) -> bool {
        let underlying = Instrument::Stock(self.listing.terms(contract).underlying);
        self.tape.last(&underlying).is_some_and(|spot| contract.intrinsic(spot) >= EXERCISE_BY_EXCEPTION)
    }

    /// True when exercise and assignment of everything in the money leaves the account with its margin met.
    fn can_afford_expiry(&self, account: AccountId, underlying: Symbol, date: Date) -> bool {
        let mut books = self.account(account).clone();
        for (contract, quantity) in self.ending_on(account, underlying, date) {
            books.trade(Instrument::Option(contract), -quantity, Price::ZERO);
            if self.in_the_money(&contract) {
                let direction = if contract.right == Right::Call { 1 } else { -1 };
                let shares = direction * quantity * market::contract::MULTIPLIER;
                books.trade(Instrument::Stock(underlying), shares, contract.strike());
            }
        }
        self.excess(&books, None) >= Money::ZERO
    }
}

/// The session whose prices settle a contract.
fn settles_on(contract: &Contract) -> Option<Date> {
    if product::is_am_settled(&contract.root) {
        return session::session_or_next(contract.expiry).map(|day| day.date);
    }
    session::last_trading_session(contract).map(|last| last.date)
}
