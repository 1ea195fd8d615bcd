//! Whether an account may place an order: the listing, the hours, what it holds, its options level, its margin.
//! Each check is small and refuses in the broker's words; the order in which they are asked is written once, in
//! [`Exchange::admit`].

use crate::account::Account;
use crate::draft::{Draft, DraftLeg};
use crate::exchange::Exchange;
use crate::hours::{self, Window};
use crate::margin::{Held, covered_within, requirement};
use crate::order::{Intent, Order, OrderKind};
use crate::refusal::Refusal;
use arrayvec::ArrayVec;
use market::order::{Effect, LEGS_MAX, Side};
use market::{Contract, Instrument, Money, Price, Right, Symbol, Timestamp, session};

/// What is known of an order that may be placed.
#[derive(Clone, Debug)]
pub(crate) struct Admitted {
    /// Of each leg, inferred or confirmed.
    pub intents: ArrayVec<Intent, LEGS_MAX>,
    /// What it reserves.
    pub reserve: Money,
    /// When it trades.
    pub window: Window,
}

/// An order under examination.
pub(crate) struct Case<'a> {
    pub now: Timestamp,
    pub account: &'a Account,
    pub draft: &'a Draft,
    /// The order it would replace.
    pub except: Option<usize>,
}

impl Case<'_> {
    /// Contracts or shares of a leg.
    fn quantity(&self, leg: &DraftLeg) -> i64 {
        i64::from(self.draft.units) * i64::from(leg.ratio)
    }
}

type Intents = ArrayVec<Intent, LEGS_MAX>;

impl Exchange {
    /// All checks, in order.
    pub(crate) fn admit(&self, case: &Case<'_>) -> Result<Admitted, Refusal> {
        may_trade(case.account)?;
        self.mleg_switched_on(case)?;
        self.listed(case)?;
        self.one_underlying(case)?;
        let window = self.opening_hours(case)?;
        let intents = intents(case)?;
        level(case, &intents)?;
        self.last_day(case, &intents)?;
        self.enough_held(case, &intents)?;
        self.no_wash_trade(case, &intents)?;
        let reserve = match case.draft.legs[0].instrument {
            Instrument::Stock(symbol) => self.stock_margin(case, symbol, intents[0])?,
            Instrument::Option(_) => self.option_margin_of(case, &intents)?,
        };
        Ok(Admitted { intents, reserve, window })
    }

    fn mleg_switched_on(&self, case: &Case<'_>) -> Result<(), Refusal> {
        if case.draft.is_mleg() && !self.settings.mleg_enabled {
            let verb = if case.except.is_some() { "replace" } else { "submit" };
            return Err(Refusal::forbidden(format!("{verb} mleg order is disabled")));
        }
        Ok(())
    }

    fn listed(&self, case: &Case<'_>) -> Result<(), Refusal> {
        for leg in &case.draft.legs {
            match leg.instrument {
                Instrument::Stock(symbol) => match self.listing.stocks.get(&symbol) {
                    None => return Err(Refusal::unprocessable(format!("asset \"{symbol}\" not found"))),
                    Some(terms) if !terms.tradable => {
                        return Err(Refusal::unprocessable(format!("asset \"{symbol}\" is not tradable")));
                    }
                    Some(_) => {}
                },
                Instrument::Option(contract) => self.contract_listed(case, leg.instrument, &contract)?,
            }
        }
        Ok(())
    }

    fn contract_listed(&self, case: &Case<'_>, what: Instrument, contract: &Contract) -> Result<(), Refusal> {
        let Some(terms) = self.listing.contracts.get(contract) else {
            return Err(if case.draft.is_mleg() {
                Refusal::unprocessable(format!("asset not found for {what}"))
            } else {
                Refusal::contract(what, "not found")
            });
        };
        let last = session::last_trading_session(contract);
        if last.is_none_or(|last| case.now >= last.close && hours::window(&[what], case.now).is_none()) {
            return Err(Refusal::contract(what, "is expired"));
        }
        if !terms.tradable {
            return Err(Refusal::contract(what, "is not tradable"));
        }
        Ok(())
    }

    fn one_underlying(&self, case: &Case<'_>) -> Result<(), Refusal> {
        let legs = &case.draft.legs;
        let first = self.listing.underlying(&legs[0].instrument);
        for leg in &legs[1..] {
            let other = self.listing.underlying(&leg.instrument);
            if other != first {
                return Err(Refusal::unprocessable(format!("underlying asset mismatch: {first} != {other}")));
            }
        }
        let contracts = legs.iter().filter_map(|leg| leg.instrument.contract());
        let mut european = contracts.filter(|contract| !self.listing.terms(contract).american);
        let expiry = european.next().map(|contract| contract.expiry);
        if european.any(|contract| Some(contract.expiry) != expiry) {
            return Err(Refusal::unprocessable(
                "European-style option legs in a multi-leg order must have the same expiration date",
            ));
        }
        Ok(())
    }

    fn opening_hours(&self, case: &Case<'_>) -> Result<Window, Refusal> {
        let instruments: ArrayVec<Instrument, LEGS_MAX> =
            case.draft.legs.iter().map(|leg| leg.instrument).collect();
        let window = hours::window(&instruments, case.now)
            .ok_or_else(|| Refusal::contract(instruments[0], "is expired"))?;
        let option = instruments[0].contract().is_some();
        if option && case.draft.kind == OrderKind::Market && case.now < window.open {
            return Err(Refusal::unprocessable("options market orders are only allowed during market hours"));
        }
        Ok(window)
    }

    /// Opening orders in contracts that trade their last day end before the day does.
    fn last_day(&self, case: &Case<'_>, intents: &Intents) -> Result<(), Refusal> {
        let rules = &self.settings.expiry;
        let opening = case.draft.legs.iter().zip(intents).filter(|(_, intent)| intent.opens());
        for (leg, contract) in opening.filter_map(|(leg, _)| Some((leg, leg.instrument.contract()?))) {
            let late = market::product::closes_late(&contract.root);
            let cutoff_ns = if late { rules.cutoff_late_close_ns } else { rules.cutoff_ns };
            if hours::past_cutoff(&contract, case.now, cutoff_ns) {
                return Err(Refusal::contract(leg.instrument, "expires soon, unable to open new positions"));
            }
        }
        self.last_day_limit(case, intents)
    }

    fn last_day_limit(&self, case: &Case<'_>, intents: &Intents) -> Result<(), Refusal> {
        let Some(limit) = self.settings.expiry.contracts_today_max else { return Ok(()) };
        let today = case.now.new_york().0;
        let ends = |i: &Instrument| {
            i.contract()
                .and_then(|c| session::last_trading_session(&c))
                .is_some_and(|last| last.date == today)
        };
        let opening = case.draft.legs.iter().zip(intents).filter(|(_, intent)| intent.opens());
        let requested: i64 =
            opening.filter(|(leg, _)| ends(&leg.instrument)).map(|(leg, _)| case.quantity(leg)).sum();
        let positions = case.account.positions.iter().filter(|(i, _)| ends(i));
        let mut known: i64 = positions.map(|(_, p)| p.quantity.abs()).sum();
        for order in self.open_orders(case) {
            let legs = order.legs.iter().filter(|leg| leg.intent.opens() && ends(&leg.instrument));
            known += legs.map(|leg| order.remaining_of(leg).abs()).sum::<i64>();
        }
        if requested > 0 && requested + known > i64::from(limit) {
            return Err(Refusal::forbidden(format!(
                "exceeded account limit for contracts expiring today (requested: {requested}, held+open: {known}, limit: {limit})"
            )));
        }
        Ok(())
    }

    fn open_orders<'a>(&'a self, case: &Case<'a>) -> impl Iterator<Item = &'a Order> {
        let except = case.except;
        case.account
            .open
            .iter()
            .filter(move |index| Some(**index) != except)
            .map(|index| &self.orders[*index])
    }

    /// A closing leg needs that much of its position, less what other closing orders hold.
    fn enough_held(&self, case: &Case<'_>, intents: &Intents) -> Result<(), Refusal> {
        for (leg, intent) in case.draft.legs.iter().zip(intents) {
            if intent.opens() {
                continue;
            }
            let existing = case.account.quantity(&leg.instrument).abs();
            let mut available = existing - self.held(case.account, &leg.instrument, case.except);
            if let (Instrument::Stock(symbol), Side::Sell) = (leg.instrument, leg.side) {
                available -= self.shares_behind_calls(case.account, symbol, case.except);
            }
            let requested = case.quantity(leg);
            if requested > available {
                return Err(Refusal::held(requested, existing, available.max(0), leg.instrument));
            }
        }
        Ok(())
    }

    /// Two simple orders of one account in one instrument must not meet each other.
    fn no_wash_trade(&self, case: &Case<'_>, intents: &Intents) -> Result<(), Refusal> {
        if case.draft.is_mleg() {
            return Ok(());
        }
        let leg = &case.draft.legs[0];
        let opposite = self.open_orders(case).filter(|order| {
            order.side() == Some(leg.side.opposite()) && order.legs[0].instrument == leg.instrument
        });
        for order in opposite {
            let limits = case.draft.signed_limit().zip(order.signed_limit());
            // Signed limits of a buy and a sell cross when together they pay something or nothing.
            if limits.is_none_or(|(ours, theirs)| ours + theirs >= Price::ZERO) {
                return Err(Refusal::wash_trade(order.id));
            }
            if intents[0].opens() && order.legs[0].intent.opens() {
                return Err(Refusal::forbidden(match leg.side {
                    Side::Buy => "cannot open a long buy while a short sell order is open",
                    Side::Sell => "cannot open a short sell while a long buy order is open",
                }));
            }
        }
        Ok(())
    }

    fn stock_margin(&self, case: &Case<'_>, symbol: Symbol, intent: Intent) -> Result<Money, Refusal> {
        if !intent.opens() {
            return Ok(Money::ZERO);
        }
        let leg = &case.draft.legs[0];
        if intent.side() == Side::Sell {
            self.may_short(case, symbol)?;
        }
        let price = self.charged_price(case, leg).ok_or_else(|| no_quote(leg.instrument))?;
        let cost = price.times(case.quantity(leg));
        let margin = self.initial_margin(cost);
        let excess = self.excess(case.account, case.except);
        if margin > excess {
            let power = self.stock_buying_power(excess).max(Money::ZERO);
            return Err(Refusal::buying_power(power, cost));
        }
        Ok(margin)
    }

    fn may_short(&self, case: &Case<'_>, symbol: Symbol) -> Result<(), Refusal> {
        if case.account.configuration.no_shorting {
            return Err(Refusal::forbidden("account is not allowed to short"));
        }
        if self.listing.stocks.get(&symbol).is_some_and(|terms| !terms.shortable) {
            return Err(Refusal::unprocessable(format!("asset \"{symbol}\" cannot be sold short")));
        }
        Ok(())
    }

    /// What shares are charged at: a short sale at the higher of its limit and 103% of the ask.
    fn charged_price(&self, case: &Case<'_>, leg: &DraftLeg) -> Option<Price> {
        let expected = self.expected_price(&leg.instrument, true);
        match leg.side {
            Side::Buy => case.draft.limit.or(expected),
            Side::Sell => {
                let raised = expected.map(|ask| Price::from_units(ask.units() * 103 / 100));
                raised.max(case.draft.limit)
            }
        }
    }

    fn option_margin_of(&self, case: &Case<'_>, intents: &Intents) -> Result<Money, Refusal> {
        let draft = case.draft;
        let opens = intents.iter().any(|intent| intent.opens());
        if draft.is_mleg() {
            let opening = draft.legs.iter().zip(intents).filter(|(_, intent)| intent.opens());
            let opening: Vec<Held> = opening
                .filter_map(|(leg, _)| Some((leg.instrument.contract()?, leg.signed_ratio())))
                .collect();
            if !covered_within(&opening) {
                return Err(Refusal::uncovered());
            }
        }
        let added = self.margin_added(case, intents)?;
        let units = i64::from(draft.units);
        let premium = self.expected_net(draft)?.times(units * market::contract::MULTIPLIER);
        let charged = if opens { added.max(Money::ZERO) } else { added };
        self.affordable(case, intents, premium + charged)?;
        Ok((premium + added.max(Money::ZERO)).max(Money::ZERO))
    }

    /// The margin the order adds to the positions as they are, or to them and what open orders may make of them,
    /// whichever is more: nobody knows which of them will fill.
    fn margin_added(&self, case: &Case<'_>, intents: &Intents) -> Result<Money, Refusal> {
        let (account, draft, rule) = (case.account, case.draft, self.settings.margin.expiries);
        let underlying = self.listing.underlying(&draft.legs[0].instrument);
        let shares = self.covering_shares(account, underlying, case.except);
        let units = i64::from(draft.units);
        let legs = draft.legs.iter();
        let own: Vec<Held> =
            legs.filter_map(|leg| Some((leg.instrument.contract()?, leg.signed_ratio() * units))).collect();
        let sets =
            [self.option_positions(account, underlying), self.worst_set(account, underlying, case.except)];
        let mut most: Option<Money> = None;
        for mut set in sets {
            let before = requirement(&set, shares, rule);
            set.extend(&own);
            let after = requirement(&set, shares, rule);
            if after.uncovered > before.uncovered {
                return Err(uncovered(case, intents, underlying, shares - before.shares_used));
            }
            most = most.max(Some(after.margin - before.margin));
        }
        Ok(most.unwrap_or(Money::ZERO))
    }

    fn affordable(&self, case: &Case<'_>, intents: &Intents, cost: Money) -> Result<(), Refusal> {
        let excess = self.excess(case.account, case.except);
        if cost <= Money::ZERO || cost <= excess {
            return Ok(());
        }
        let contract = case.draft.legs[0].instrument.contract();
        let secured_put = !case.draft.is_mleg()
            && intents[0] == Intent::SellToOpen
            && contract.is_some_and(|c| c.right == Right::Put);
        Err(Refusal::options_buying_power(cost, excess, secured_put))
    }

    /// The net price per unit the order is charged at: its limit, or the far side for a market order.
    fn expected_net(&self, draft: &Draft) -> Result<Price, Refusal> {
        if let Some(limit) = draft.signed_limit() {
            return Ok(limit);
        }
        let mut net = Price::ZERO;
        for leg in &draft.legs {
            let price = self.expected_price(&leg.instrument, leg.side == Side::Buy);
            net += price.ok_or_else(|| no_quote(leg.instrument))? * leg.signed_ratio();
        }
        Ok(net)
    }
}

fn may_trade(account: &Account) -> Result<(), Refusal> {
    if account.configuration.trading_blocked {
        return Err(Refusal::forbidden("account is blocked from trading"));
    }
    if account.configuration.suspend_trade {
        return Err(Refusal::forbidden("new orders are rejected by user request"));
    }
    Ok(())
}

fn no_quote(instrument: Instrument) -> Refusal {
    Refusal::unprocessable(format!("no price is known for {instrument}: send a limit order"))
}

/// What each leg does, from what is held; a stated intent must agree.
fn intents(case: &Case<'_>) -> Result<Intents, Refusal> {
    let mut found = Intents::new();
    for leg in &case.draft.legs {
        let held = case.account.quantity(&leg.instrument);
        let closes = held * leg.side.sign() < 0;
        let inferred = Intent::of(leg.side, if closes { Effect::Close } else { Effect::Open });
        if let Some(specified) = leg.intent.filter(|specified| *specified != inferred) {
            return Err(Refusal::unprocessable(format!(
                "position intent mismatch, inferred: {inferred}, specified: {specified}"
            )));
        }
        found.push(inferred);
    }
    Ok(found)
}

/// Options levels: 1 covered calls and cash-secured puts, 2 long options, 3 packages. Closing is always allowed.
fn level(case: &Case<'_>, intents: &Intents) -> Result<(), Refusal> {
    let level = case.account.trading_level();
    let option = case.draft.legs[0].instrument.contract().is_some();
    if !option || !intents.iter().any(|intent| intent.opens()) {
        return Ok(());
    }
    if level == 0 {
        return Err(Refusal::forbidden("account not authorized to trade options"));
    }
    if case.draft.is_mleg() && level < 3 {
        return Err(Refusal::forbidden("account not eligible to trade spreads or uncovered contracts"));
    }
    if intents[0] == Intent::BuyToOpen && level < 2 {
        return Err(Refusal::forbidden("account not eligible to trade long option contracts"));
    }
    Ok(())
}

fn uncovered(case: &Case<'_>, intents: &Intents, underlying: Symbol, available: i64) -> Refusal {
    if !case.draft.is_mleg() && intents[0] == Intent::SellToOpen {
        let required = case.quantity(&case.draft.legs[0]) * 100;
        return Refusal::covered_call(required, available, underlying);
    }
    Refusal::uncovered()
}
