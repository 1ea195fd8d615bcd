//! When to close: profit target, loss limit, days to expiry, and flat in time on the last day; priced at what
//! closing the legs would cost now.

use crate::chain::Chain;
use market::contract::MULTIPLIER;
use market::order::{Effect, Leg, Legs};
use market::session::{Session, last_trading_session, session};
use market::time::HOUR;
use market::{Contract, Date, Instrument, Money, Price, Right, Symbol, Timestamp};
use portfolio::ExitReason;
use portfolio::notes::PositionNote;

/// When a position is closed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Share of the position's maximum profit at which it is taken, above 0 to 1.
    pub profit_target: f64,
    /// Loss at which it is closed, in multiples of the net premium it was opened at: 2 closes a spread sold at 1.00
    /// once closing it costs 3.00.
    pub stop_multiple: f64,
    /// Closed once fewer days to its first expiry are left than this; 0 leaves only the last day's rule.
    pub days_min: i32,
    /// On its last day it is closed from this time on, in seconds after New York midnight (54,000 is 15:00), or an
    /// hour before an earlier close. From 17:00 on it is held through its expiry.
    pub last_day_from_s: i64,
    /// Oldest quote, in nanoseconds, on which profit and loss are judged.
    pub age_max_ns: i64,
    /// How long to wait before a refused or unfilled exit is proposed again, in nanoseconds.
    pub retry_ns: i64,
}

/// What closing one unit costs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosingPrice {
    /// Signed net per share with every leg at mid (positive pays).
    pub mid: Price,
    /// Signed net per share at the far side of every leg.
    pub natural: Price,
    /// True when no leg's quote is older than allowed.
    pub fresh: bool,
}

/// From 17:00 on nothing trades any more: a last-day rule that late holds positions through their expiry. Seconds after
/// New York midnight.
pub const HOLDS_THROUGH_FROM_S: i64 = 17 * 3600;

/// The legs that close a position.
pub fn closing_legs(opened: &Legs) -> Legs {
    opened.iter().map(|leg| Leg { side: leg.side.opposite(), effect: Effect::Close, ..*leg }).collect()
}

/// Prices the closing legs. A missing bid is a worthless option: nothing is got for it. `None` when a leg that
/// must be bought back is offered by nobody, was never quoted, or is crossed.
pub fn closing_price(
    closing: &Legs,
    chain: &Chain,
    spot: Option<Price>,
    now: Timestamp,
    age_max_ns: i64,
) -> Option<ClosingPrice> {
    let (mut doubled_mid, mut natural, mut fresh) = (0i64, Price::ZERO, true);
    for leg in closing {
        let (bid, ask) = match leg.instrument {
            Instrument::Option(contract) => {
                let (quote, _) = chain.get(&contract)?.quote?;
                fresh &= chain.fresh(&contract, now, age_max_ns).is_some();
                let bid = quote.bid.map_or(Price::ZERO, |b| b.price);
                // Who sells a long leg needs no ask; it only makes the mid.
                let ask = match (quote.ask, leg.signed_ratio() < 0) {
                    (Some(ask), _) => ask.price,
                    (None, true) => bid,
                    (None, false) => return None,
                };
                (bid, ask)
            }
            Instrument::Stock(_) => (spot?, spot?),
        };
        if bid > ask {
            return None;
        }
        let ratio = leg.signed_ratio();
        doubled_mid += ratio * (bid.units() + ask.units());
        natural += if ratio > 0 { ask } else { bid } * ratio;
    }
    Some(ClosingPrice { mid: Price::from_units(doubled_mid.div_euclid(2)), natural, fresh })
}

/// Why the position should be closed now; `None` to keep it. `last_day` is its [`first_last_day`].
pub fn reason(
    position: &PositionNote,
    last_day: Option<Date>,
    price: Option<&ClosingPrice>,
    now: Timestamp,
    today: Date,
    settings: &Settings,
) -> Option<ExitReason> {
    // What ceased to trade before today settles by itself: nobody can close it.
    if let Some(last) = last_day.filter(|last| *last >= today) {
        let is_late = last <= today && now >= last_day_from(today, settings);
        if last.days_since(today) < settings.days_min || is_late {
            return Some(ExitReason::DaysToExpiry);
        }
    }
    by_price(position, price.filter(|p| p.fresh)?, settings)
}

fn by_price(position: &PositionNote, price: &ClosingPrice, settings: &Settings) -> Option<ExitReason> {
    // Both are signed alike: what was paid to open plus what is paid to close is what is lost.
    let gained = -(position.entry + price.mid).times(MULTIPLIER).dollars();
    let target = if position.max_profit < Money::MAX {
        settings.profit_target * position.max_profit.dollars()
    } else {
        f64::INFINITY
    };
    let stop = settings.stop_multiple * position.entry.abs().times(MULTIPLIER).dollars();
    if gained >= target {
        Some(ExitReason::ProfitTarget)
    } else if -gained >= stop {
        Some(ExitReason::StopLoss)
    } else {
        None
    }
}

/// The nearest last day of the position's legs.
pub fn first_last_day(position: &PositionNote) -> Option<Date> {
    let contracts = position.legs.iter().filter_map(|leg| leg.instrument.contract());
    contracts.map(|c| last_day(&c.root, c.expiry)).min()
}

/// The last day the contracts of an expiry trade: the expiry, or the session before where they settle at the open or there is
/// no session on it.
pub fn last_day(root: &Symbol, expiry: Date) -> Date {
    let any = Contract { root: *root, expiry, strike_mils: 0, right: Right::Call };
    last_trading_session(&any).map_or(expiry, |session| session.date)
}

/// From when on nothing that expires `today` is held.
pub fn last_day_from(today: Date, settings: &Settings) -> Timestamp {
    if settings.last_day_from_s >= HOLDS_THROUGH_FROM_S {
        return Timestamp::MAX;
    }
    let rule = today.at_new_york(settings.last_day_from_s);
    session(today).map_or(rule, |Session { close, .. }| rule.min(close - HOUR))
}
