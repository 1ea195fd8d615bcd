//! The one ordered table of checks. Each looks at the whole case and says pass, shrink, refuse or skip, with
//! what it measured and what it allows; all are asked and recorded, even after a refusal.

use crate::cleared::{CHECKS_MAX, CheckResult, Decision, Verdict};
use crate::pending::{Pending, requirement};
use crate::reconcile::Standing;
use crate::settings::Limits;
use arrayvec::ArrayVec;
use market::feed::FeedState;
use market::order::{Account, Effect, Holding};
use market::session::{contract_close, session_at};
use market::{Instrument, Label, Money, Timestamp};
use portfolio::{Book, Proposal, Purpose, Trade};
use pricing::legs::{self, holding_of};

/// What the operator allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Everything.
    Trading,
    /// No new risk.
    Paused,
    /// No new risk, and every position is being closed.
    Flattening,
    /// Nothing.
    Killed,
    /// Nothing: the program is about to end. Forgotten at the next start.
    Stopping,
}

/// The last words heard of each connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// Stock data.
    pub stocks: Option<FeedState>,
    /// Option data.
    pub options: Option<FeedState>,
    /// Order reports.
    pub orders: Option<FeedState>,
    /// The journal's tables.
    pub journal: Option<FeedState>,
}

/// Everything a check may look at.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What is proposed.
    pub proposal: &'a Proposal,
    /// Units still allowed by the checks before.
    pub units: u32,
    /// When.
    pub now: Timestamp,
    /// The limits.
    pub limits: &'a Limits,
    /// The book.
    pub book: &'a Book,
    /// What was cleared and is not done.
    pub pending: &'a Pending,
    /// The account as last told.
    pub account: Option<&'a Account>,
    /// What option orders may use by now.
    pub buying_power: Money,
    /// How book and broker stand.
    pub standing: Standing,
    /// What the operator allows.
    pub operator: Operator,
    /// The connections.
    pub links: Links,
}

/// What a check says: the verdict, what it measured and what it allows (dollars; counts as whole dollars).
pub type Finding = (Verdict, Money, Money);

/// A row of the table.
struct Check {
    name: Label,
    run: fn(&Case<'_>) -> Finding,
}

const fn row(name: &str, run: fn(&Case<'_>) -> Finding) -> Check {
    Check { name: Label::literal(name), run }
}

/// The table, in the order of asking.
const TABLE: [Check; 15] = [
    row("well_formed", well_formed),
    row("account_may_trade", account_may_trade),
    row("reconciled", reconciled),
    row("operator", operator),
    row("feed_fresh", feed_fresh),
    row("session_open", session_open),
    row("expiring", expiring),
    row("defined_risk", defined_risk),
    row("own_cross", own_cross),
    row("max_loss_per_trade", max_loss_per_trade),
    row("portfolio_heat", portfolio_heat),
    row("buying_power", buying_power),
    row("daily_loss", daily_loss),
    row("trades_per_underlying", trades_per_underlying),
    row("open_trades", open_trades),
];
const _: () = assert!(TABLE.len() <= CHECKS_MAX, "a decision must have room for every check");

/// The names of the checks, in order.
pub fn names() -> impl Iterator<Item = Label> {
    TABLE.iter().map(|check| check.name)
}

/// Asks every check.
pub fn judge(mut case: Case<'_>) -> Decision {
    let mut checks = ArrayVec::new();
    let mut refused = false;
    for check in &TABLE {
        let (verdict, measured, limit) = (check.run)(&case);
        match verdict {
            Verdict::Pass | Verdict::Skip => {}
            Verdict::Shrink { units } => case.units = units,
            Verdict::Refuse => refused = true,
        }
        checks.push(CheckResult { check: check.name, verdict, measured, limit });
    }
    let units = if refused { 0 } else { case.units };
    Decision { proposal: case.proposal.id, units, checks }
}

impl Case<'_> {
    fn opens(&self) -> bool {
        matches!(self.proposal.purpose, Purpose::Open { .. })
    }
    /// The most all open trades and pending orders may lose.
    pub fn heat(&self) -> Money {
        let open = self.book.open_trades().map(|trade| at_risk(self, trade));
        let pending = self.pending.openings().map(crate::pending::Order::max_loss);
        open.chain(pending).fold(Money::ZERO, Money::saturating_add)
    }
}

/// What an open trade may lose: whole units as proposed; leftovers by a shock.
fn at_risk(case: &Case<'_>, trade: &Trade) -> Money {
    let whole = trade.max_loss.saturating_mul(i64::from(trade.units()));
    let shocked = |(instrument, quantity): (Instrument, i64)| {
        let (price, shares) = match instrument {
            Instrument::Stock(_) => (case.book.position(&instrument).map(|p| p.price()), quantity),
            // A long option can lose no more than it is worth; a short one moves like its shares.
            Instrument::Option(_) if quantity > 0 => (None, 0),
            Instrument::Option(contract) => (Some(contract.strike()), quantity * instrument.multiplier()),
        };
        price.map_or(Money::ZERO, |p| p.times(shares).abs().bps(case.limits.leftover_shock_bps))
    };
    trade.leftovers().into_iter().map(shocked).fold(whole, Money::saturating_add)
}

fn pass_if(passes: bool) -> Finding {
    (if passes { Verdict::Pass } else { Verdict::Refuse }, Money::ZERO, Money::ZERO)
}

const SKIP: Finding = (Verdict::Skip, Money::ZERO, Money::ZERO);

/// A proposal that makes sense: something to trade, not asked before, and a close of what is held and not
/// being closed already.
fn well_formed(case: &Case<'_>) -> Finding {
    let proposal = case.proposal;
    let known = case.pending.holds(&proposal.id) || case.book.trade(&proposal.id).is_some();
    let empty = proposal.units == 0 || proposal.legs.is_empty();
    if known || empty || proposal.legs.iter().any(|leg| leg.ratio == 0) {
        return pass_if(false);
    }
    let Purpose::Close { position, .. } = proposal.purpose else {
        let adjusted = |i: &Instrument| i.contract().is_some_and(|c| c.is_adjusted());
        let fit = |leg: &market::order::Leg| leg.effect == Effect::Open && !adjusted(&leg.instrument);
        return pass_if(proposal.legs.iter().all(fit));
    };
    let Some(trade) = case.book.trade(&position) else { return pass_if(false) };
    let covered = |leg: &market::order::Leg| {
        let left = trade.share.held(&leg.instrument) + case.pending.closing(&position, &leg.instrument);
        let taken = leg.signed_ratio() * i64::from(proposal.units);
        left.signum() * taken.signum() < 0 && left.abs() >= taken.abs()
    };
    pass_if(proposal.legs.iter().all(covered))
}

fn account_may_trade(case: &Case<'_>) -> Finding {
    pass_if(case.account.is_some_and(|account| account.may_trade))
}

fn reconciled(case: &Case<'_>) -> Finding {
    pass_if(case.standing == Standing::Agreed && !is_down(case.links.orders))
}

fn operator(case: &Case<'_>) -> Finding {
    pass_if(match case.operator {
        Operator::Trading => true,
        Operator::Paused | Operator::Flattening => !case.opens(),
        Operator::Killed | Operator::Stopping => false,
    })
}

fn is_down(state: Option<FeedState>) -> bool {
    matches!(state, Some(FeedState::Down | FeedState::Mute))
}

fn feed_fresh(case: &Case<'_>) -> Finding {
    if !case.opens() {
        return SKIP;
    }
    let fresh = case.now.since(case.proposal.at) <= case.limits.proposal_age_ns;
    let Links { stocks, options, journal, .. } = case.links;
    pass_if(fresh && ![stocks, options, journal].into_iter().any(is_down))
}

/// The session is open, and for entries neither just opened nor about to close.
fn session_open(case: &Case<'_>) -> Finding {
    let Some(session) = session_at(case.now) else { return pass_if(!case.opens() && late_options(case)) };
    let settled = case.now.since(session.open) >= case.limits.after_open_ns;
    let time_left = session.close.since(case.now) >= case.limits.before_close_ns;
    pass_if(!case.opens() || (settled && time_left))
}

/// Some ETF options trade fifteen minutes longer than shares: enough for an exit.
fn late_options(case: &Case<'_>) -> bool {
    let today = case.now.new_york().0;
    let opened = market::session::session(today).is_some_and(|s| case.now >= s.open);
    let trades = |i: &Instrument| {
        i.contract().and_then(|c| contract_close(&c, today)).is_some_and(|close| case.now < close)
    };
    opened && case.proposal.legs.iter().all(|leg| trades(&leg.instrument))
}

/// Contracts on their last day: no entries late, no orders at all when the broker takes none.
fn expiring(case: &Case<'_>) -> Finding {
    let limits = case.limits;
    let bar = if case.opens() {
        limits.expiring_entry_ns.max(limits.expiring_order_ns)
    } else {
        limits.expiring_order_ns
    };
    let in_time = |instrument: &Instrument| {
        let Some(contract) = instrument.contract() else { return true };
        let Some(last) = market::session::last_trading_session(&contract) else { return false };
        last.close.since(case.now) >= bar
    };
    pass_if(case.proposal.legs.iter().all(|leg| in_time(&leg.instrument)))
}

/// The worst case is finite, and not worse than the proposal admits.
fn defined_risk(case: &Case<'_>) -> Finding {
    if !case.opens() {
        return SKIP;
    }
    let proposal = case.proposal;
    let set: ArrayVec<Holding, { market::order::LEGS_MAX }> =
        proposal.legs.iter().map(|leg| holding_of(leg, 1)).collect();
    let cost = proposal.natural.times(crate::pending::multiplier(&proposal.legs));
    let margin = legs::margin(&set);
    let worst = legs::worst_loss(&set, cost);
    let honest = worst.money() <= proposal.max_loss && margin.money() <= proposal.margin;
    let finite = worst.limited().is_some() && margin.limited().is_some() && proposal.max_loss < Money::MAX;
    let verdict =
        if finite && honest && proposal.max_loss >= Money::ZERO { Verdict::Pass } else { Verdict::Refuse };
    (verdict, worst.money(), proposal.max_loss)
}

/// No leg against an own working order, and no opening leg against an own position: at the broker they would
/// be one position.
fn own_cross(case: &Case<'_>) -> Finding {
    let against = |leg: &market::order::Leg| {
        let held = case.book.held(&leg.instrument);
        let nets = case.opens() && held.signum() * leg.signed_ratio().signum() < 0;
        nets || case.pending.crosses(leg)
    };
    pass_if(!case.proposal.legs.iter().any(against))
}

/// Room for some units of a cost each: all of them, fewer, or none.
fn fit(case: &Case<'_>, used: Money, each: Money, limit: Money) -> Finding {
    let wished = used.saturating_add(each.saturating_mul(i64::from(case.units)));
    if wished <= limit || each <= Money::ZERO {
        return (Verdict::Pass, wished, limit);
    }
    let room = (limit - used).micros().max(0) / each.micros();
    let verdict = match u32::try_from(room) {
        Ok(0) | Err(_) => Verdict::Refuse,
        Ok(units) => Verdict::Shrink { units: units.min(case.units) },
    };
    (verdict, wished, limit)
}

fn max_loss_per_trade(case: &Case<'_>) -> Finding {
    if !case.opens() {
        return SKIP;
    }
    let limit = case.book.equity().bps(case.limits.max_loss_per_trade_bps);
    fit(case, Money::ZERO, case.proposal.max_loss, limit)
}

fn portfolio_heat(case: &Case<'_>) -> Finding {
    if !case.opens() {
        return SKIP;
    }
    let limit = case.book.equity().bps(case.limits.portfolio_heat_bps);
    fit(case, case.heat(), case.proposal.max_loss, limit)
}

fn buying_power(case: &Case<'_>) -> Finding {
    if !case.opens() {
        return SKIP;
    }
    fit(case, Money::ZERO, requirement(case.proposal, 1), case.buying_power)
}

/// The day's loss, realised or not, has not reached its limit.
fn daily_loss(case: &Case<'_>) -> Finding {
    if !case.opens() {
        return SKIP;
    }
    let limit = case.book.day_start().unwrap_or(Money::ZERO).bps(case.limits.daily_loss_bps);
    let loss = -case.book.day_profit();
    (if loss < limit { Verdict::Pass } else { Verdict::Refuse }, loss, limit)
}

fn count(case: &Case<'_>, number: usize, most: u32) -> Finding {
    if !case.opens() {
        return SKIP;
    }
    let number = i64::try_from(number).unwrap_or(i64::MAX / Money::PER_DOLLAR);
    let verdict = if number < i64::from(most) { Verdict::Pass } else { Verdict::Refuse };
    (verdict, Money::from_dollars(number), Money::from_dollars(i64::from(most)))
}

fn trades_per_underlying(case: &Case<'_>) -> Finding {
    let of = &case.proposal.underlying;
    let open = case.book.open_trades().filter(|trade| trade.underlying == *of).count();
    count(case, open + case.pending.unopened(Some(of)).count(), case.limits.trades_per_underlying)
}

fn open_trades(case: &Case<'_>) -> Finding {
    let open = case.book.open_trades().count();
    count(case, open + case.pending.unopened(None).count(), case.limits.open_trades)
}
