//! What an account is worth, what it may still use, and what its open orders hold.

use crate::account::{Account, AccountView, Position, PositionView};
use crate::exchange::Exchange;
use crate::margin::{Held, Requirement, requirement};
use market::{Instrument, Money, Price, Right, Symbol};
use std::collections::BTreeMap;

impl Exchange {
    /// Contracts or shares of a position that open closing orders hold, without sign. `except`: an order that is
    /// about to be replaced.
    pub(crate) fn held(&self, account: &Account, instrument: &Instrument, except: Option<usize>) -> i64 {
        let open = account.open.iter().filter(|index| Some(**index) != except);
        open.map(|index| &self.orders[*index])
            .flat_map(|order| order.legs.iter().map(move |leg| (order, leg)))
            .filter(|(order, leg)| {
                !leg.intent.opens() && leg.instrument == *instrument && !self.is_shadow(order)
            })
            .map(|(order, leg)| order.remaining_of(leg).abs())
            .sum()
    }

    /// True for an order that waits to take another's place: the other one still holds and reserves for both.
    fn is_shadow(&self, order: &crate::order::Order) -> bool {
        let replaced = order.replaces.and_then(|id| self.find(order.account, id));
        replaced.is_some_and(|old| !self.orders[old].status.is_terminal())
    }

    /// The option positions on an underlying and what could still become of open orders, at their worst: those
    /// that sell something, whole (packages fill together). What only buys may never fill and covers nothing; what
    /// only closes frees nothing.
    pub(crate) fn worst_set(
        &self,
        account: &Account,
        underlying: Symbol,
        except: Option<usize>,
    ) -> Vec<Held> {
        let mut set = self.option_positions(account, underlying);
        for index in account.open.iter().filter(|index| Some(**index) != except) {
            let order = &self.orders[*index];
            let legs: Vec<Held> = order
                .legs
                .iter()
                .filter(|leg| self.listing.underlying(&leg.instrument) == underlying)
                .filter_map(|leg| Some((leg.instrument.contract()?, order.remaining_of(leg))))
                .collect();
            let calls: i64 = legs.iter().filter(|(c, _)| c.right == Right::Call).map(|(_, n)| n).sum();
            let sells = legs.iter().any(|(_, quantity)| *quantity < 0);
            let only_closes = order.is_mleg() && order.legs.iter().all(|leg| !leg.intent.opens());
            if sells && calls <= 0 && !only_closes && !self.is_shadow(order) {
                set.extend(legs);
            }
        }
        set
    }

    /// The option positions on an underlying.
    pub(crate) fn option_positions(&self, account: &Account, underlying: Symbol) -> Vec<Held> {
        let options = account.positions.iter().filter_map(|(i, p)| Some((i.contract()?, p.quantity)));
        options.filter(|(contract, _)| self.listing.terms(contract).underlying == underlying).collect()
    }

    /// Shares free to stand behind short calls: those no open sale holds.
    pub(crate) fn covering_shares(
        &self,
        account: &Account,
        underlying: Symbol,
        except: Option<usize>,
    ) -> i64 {
        let held = self.held(account, &Instrument::Stock(underlying), except);
        (account.shares(underlying) - held).max(0)
    }

    /// What the option positions on an underlying demand today, open orders not counted.
    pub(crate) fn demanded(&self, account: &Account, underlying: Symbol) -> Requirement {
        let set = self.option_positions(account, underlying);
        requirement(&set, account.shares(underlying), self.settings.margin.expiries)
    }

    /// Shares that stand behind short calls, held or on order.
    pub(crate) fn shares_behind_calls(
        &self,
        account: &Account,
        symbol: Symbol,
        except: Option<usize>,
    ) -> i64 {
        let set = self.worst_set(account, symbol, except);
        requirement(&set, account.shares(symbol), self.settings.margin.expiries).shares_used
    }

    fn option_margin(&self, account: &Account) -> Money {
        let mut underlyings: BTreeMap<Symbol, ()> = BTreeMap::new();
        for contract in account.positions.keys().filter_map(Instrument::contract) {
            underlyings.insert(self.listing.terms(&contract).underlying, ());
        }
        let margins = underlyings.keys().map(|underlying| self.demanded(account, *underlying).margin);
        margins.fold(Money::ZERO, Money::saturating_add)
    }

    /// Initial margin of shares worth `value`.
    pub(crate) fn initial_margin(&self, value: Money) -> Money {
        let rules = self.settings.margin;
        if rules.multiplier < 2 { value.abs() } else { value.abs().bps(rules.initial_bps) }
    }

    /// What may still be committed: cash and shares, less the initial margin of shares, the option margin, and
    /// what open orders reserve. Option values never count. Negative when the account is short of margin.
    pub(crate) fn excess(&self, account: &Account, except: Option<usize>) -> Money {
        let mut excess = account.cash - self.option_margin(account);
        for (instrument, position) in &account.positions {
            if let Instrument::Stock(_) = instrument {
                let value = self.value(instrument, position);
                excess += value - self.initial_margin(value);
            }
        }
        for index in account.open.iter().filter(|index| Some(**index) != except) {
            excess -= self.orders[*index].reserved();
        }
        excess
    }

    fn value(&self, instrument: &Instrument, position: &Position) -> Money {
        let price = self.tape.last(instrument);
        price.map_or(position.cost, |price| price.times(position.quantity * instrument.multiplier()))
    }

    /// Cash plus the value of everything held.
    pub(crate) fn equity(&self, account: &Account) -> Money {
        account.cash + account.positions.iter().map(|(i, p)| self.value(i, p)).sum()
    }

    pub(crate) fn view(&self, account: &Account) -> AccountView {
        let mut view = AccountView {
            id: account.id,
            cash: account.cash,
            equity: self.equity(account),
            last_equity: account.last_equity,
            long_market_value: Money::ZERO,
            short_market_value: Money::ZERO,
            buying_power: Money::ZERO,
            options_buying_power: self.excess(account, None).max(Money::ZERO),
            initial_margin: self.option_margin(account),
            maintenance_margin: self.option_margin(account),
            accrued_fees: account.accrued.values().map(market::fees::Day::total).sum(),
            realized: account.realized,
            multiplier: self.settings.margin.multiplier,
            options_approved_level: account.options_level,
            options_trading_level: account.trading_level(),
            configuration: account.configuration,
            created_at: account.created_at,
        };
        view.buying_power = self.stock_buying_power(view.options_buying_power);
        for (instrument, position) in &account.positions {
            let value = self.value(instrument, position);
            let total = if position.quantity > 0 {
                &mut view.long_market_value
            } else {
                &mut view.short_market_value
            };
            *total += value;
            if let Instrument::Stock(_) = instrument {
                view.initial_margin += self.initial_margin(value);
                view.maintenance_margin += value.abs().bps(self.settings.margin.maintenance_bps);
            }
        }
        view
    }

    /// What shares can be bought for with so much excess.
    pub(crate) fn stock_buying_power(&self, excess: Money) -> Money {
        let rules = self.settings.margin;
        if rules.multiplier < 2 {
            return excess;
        }
        Money::from_micros(
            (i128::from(excess.micros()) * 10_000 / i128::from(rules.initial_bps.max(1))) as i64,
        )
    }

    pub(crate) fn position_view(&self, account: &Account, instrument: &Instrument) -> Option<PositionView> {
        let position = account.positions.get(instrument)?;
        let sign = position.quantity.signum();
        let mut free = position.quantity.abs() - self.held(account, instrument, None);
        if let Instrument::Stock(symbol) = instrument {
            free -= self.shares_behind_calls(account, *symbol, None);
        }
        let units = position.quantity.abs().saturating_mul(instrument.multiplier()).max(1);
        let value = self.value(instrument, position);
        Some(PositionView {
            instrument: *instrument,
            quantity: position.quantity,
            available: free.max(0) * sign,
            cost_basis: position.cost,
            average_entry: Money::from_micros(position.cost.micros().abs() / units),
            current_price: self.tape.last(instrument),
            last_day_price: account.last_day_prices.get(instrument).copied(),
            market_value: value,
            unrealized: value - position.cost,
        })
    }

    /// The price an order could be expected to pay per share right now: the far side, else the last price.
    pub(crate) fn expected_price(&self, instrument: &Instrument, buys: bool) -> Option<Price> {
        let ticker = self.tape.ticker(instrument)?;
        let side = ticker.quote.and_then(|quote| if buys { quote.ask } else { quote.bid });
        side.map(|level| level.price).or_else(|| self.tape.last(instrument))
    }
}
