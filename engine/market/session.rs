//! The session calendar of the New York exchanges (XNYS) from 1998 on, by rule: holidays, early closes and the
//! closures nobody planned. Pure and allocation-free; equal to `tests/golden/calendar` day by day.
//!
//! Future years follow today's rules. A closure announced later is one line in [`CLOSURES`].

use crate::time::{DAY, HOUR, MINUTE, SECOND, Weekday};
use crate::{Contract, Date, Symbol, Timestamp, product};

/// One trading day of the stock exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Session {
    /// The New York date.
    pub date: Date,
    /// The opening bell, 09:30 New York.
    pub open: Timestamp,
    /// The closing bell: 16:00 New York, 13:00 on an early close. Trading is `open <= t < close`.
    pub close: Timestamp,
    /// True when the day closes at 13:00.
    pub early: bool,
}

impl Session {
    /// Minutes from the opening to the closing bell: 390, or 210.
    pub const fn minutes(&self) -> i64 {
        self.close.since(self.open) / MINUTE
    }
    /// True from the opening bell until just before the closing bell.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.open <= at && at < self.close
    }
}

/// The first date the calendar knows: the year Martin Luther King Day became a holiday of the exchange.
pub const FIRST: Date = Date::literal(1998, 1, 1);
/// The last date the calendar answers for; from 2031 on it only extrapolates today's rules.
pub const LAST: Date = Date::literal(2199, 12, 31);
/// Minutes of an ordinary session.
pub const MINUTES_A_SESSION: i64 = 390;
/// Sessions of a conventional year.
pub const SESSIONS_A_YEAR: i64 = 252;
/// Options that close late do so this much after the stock close, in nanoseconds.
pub const LATE_CLOSE_NS: i64 = 15 * MINUTE;

/// Days without a session that follow no rule.
pub const CLOSURES: [Date; 10] = [
    Date::literal(2001, 9, 11), // attacks on New York and Washington, to the 14th
    Date::literal(2001, 9, 12),
    Date::literal(2001, 9, 13),
    Date::literal(2001, 9, 14),
    Date::literal(2004, 6, 11),  // funeral of Ronald Reagan
    Date::literal(2007, 1, 2),   // funeral of Gerald Ford
    Date::literal(2012, 10, 29), // hurricane Sandy
    Date::literal(2012, 10, 30),
    Date::literal(2018, 12, 5), // funeral of George H. W. Bush
    Date::literal(2025, 1, 9),  // funeral of Jimmy Carter
];

/// Early closes that follow no rule.
pub const EARLY_CLOSES: [Date; 2] = [Date::literal(1999, 12, 31), Date::literal(2003, 12, 26)];

/// The session of a date; `None` on weekends, holidays and before [`FIRST`].
pub fn session(date: Date) -> Option<Session> {
    if date < FIRST || date > LAST || is_closed(date) {
        return None;
    }
    let early = closes_early(date);
    let close = if early { 13 * HOUR } else { 16 * HOUR };
    let open = 9 * HOUR + 30 * MINUTE;
    let open_at = date.at_new_york(open / SECOND);
    // No clock changes between the bells, so the close needs no second look at the daylight-saving law.
    Some(Session { date, open: open_at, close: open_at + (close - open), early })
}

/// The first session after the date; `None` only beyond [`LAST`].
pub fn next_session(date: Date) -> Option<Session> {
    let mut day = date.max(FIRST.plus(-1));
    while day < LAST {
        day = day.plus(1);
        if let Some(found) = session(day) {
            return Some(found);
        }
    }
    None
}

/// The last session before the date; `None` only before [`FIRST`].
pub fn previous_session(date: Date) -> Option<Session> {
    let mut day = date.min(LAST.plus(1));
    while day > FIRST {
        day = day.plus(-1);
        if let Some(found) = session(day) {
            return Some(found);
        }
    }
    None
}

/// The session of the date, or the next one when there is none.
pub fn session_or_next(date: Date) -> Option<Session> {
    session(date).or_else(|| next_session(date))
}

/// The session trading at that instant; `None` while the exchanges are closed.
pub fn session_at(at: Timestamp) -> Option<Session> {
    session(new_york_date(at)).filter(|s| s.holds(at))
}

/// True while the stock exchanges trade.
pub fn is_open(at: Timestamp) -> bool {
    session_at(at).is_some()
}

/// The first session whose opening bell is strictly later.
pub fn next_open(at: Timestamp) -> Option<Session> {
    let date = new_york_date(at);
    session(date).filter(|s| s.open > at).or_else(|| next_session(date))
}

/// The first session whose closing bell is strictly later: the one trading now, or the next.
pub fn next_close(at: Timestamp) -> Option<Session> {
    let date = new_york_date(at);
    session(date).filter(|s| s.close > at).or_else(|| next_session(date))
}

/// The last session whose closing bell is strictly earlier.
pub fn previous_close(at: Timestamp) -> Option<Session> {
    let date = new_york_date(at);
    session(date).filter(|s| s.close < at).or_else(|| previous_session(date))
}

/// Whole minutes left until the closing bell; `None` while closed.
pub fn minutes_to_close(at: Timestamp) -> Option<i64> {
    session_at(at).map(|s| s.close.since(at) / MINUTE)
}

/// The `n`-th session after the date, or before it when `n` is negative. `n` = 0 is the date's own session.
/// `None` when there is none (or it lies outside the calendar).
pub fn offset(date: Date, n: i32) -> Option<Session> {
    if n == 0 {
        return session(date);
    }
    let mut at = date;
    let mut found = None;
    for _ in 0..n.unsigned_abs() {
        let step = if n > 0 { next_session(at)? } else { previous_session(at)? };
        at = step.date;
        found = Some(step);
    }
    found
}

/// Sessions after `from` up to and including `to`; 0 when `to` is not later.
pub fn sessions_between(from: Date, to: Date) -> i32 {
    (from.max(FIRST.plus(-1)).days() + 1..=to.min(LAST).days())
        .filter(|day| !is_closed(Date::from_days(*day)))
        .count() as i32
}

/// Whole minutes of trading in `[from, to)`; 0 when `to` is not later.
pub fn trading_minutes(from: Timestamp, to: Timestamp) -> i64 {
    if to <= from {
        return 0;
    }
    let (first, last) = (new_york_date(from).max(FIRST), new_york_date(to).min(LAST));
    let traded: i64 = (first.days()..=last.days())
        .filter_map(|day| session(Date::from_days(day)))
        .map(|s| s.close.min(to).since(s.open.max(from)).max(0))
        .sum();
    traded / MINUTE
}

/// Years from `from` to `to`, Actual/365 on the clock: what option pricing takes. Negative when `to` is
/// earlier.
pub fn year_fraction(from: Timestamp, to: Timestamp) -> f64 {
    to.since(from) as f64 / (365 * DAY) as f64
}

/// Years from `from` to `to` counted in trading minutes of 252 x 390 a year.
pub fn trading_year_fraction(from: Timestamp, to: Timestamp) -> f64 {
    trading_minutes(from, to) as f64 / (SESSIONS_A_YEAR * MINUTES_A_SESSION) as f64
}

/// When options of that root stop trading on that date: with the stocks, or fifteen minutes later (16:15,
/// 13:15) for the roots of [`product::closes_late`]. `None` without a session.
pub fn options_close(root: &Symbol, date: Date) -> Option<Timestamp> {
    let close = session(date)?.close;
    Some(if product::closes_late(root) { close + LATE_CLOSE_NS } else { close })
}

/// When one contract stops trading on that date. On its last day that is the stock close even for roots that
/// close late: its worth is fixed there. `None` without a session or after its last day.
pub fn contract_close(contract: &Contract, date: Date) -> Option<Timestamp> {
    let last = last_trading_session(contract)?;
    if date > last.date {
        return None;
    }
    let settles_on_the_close = !product::is_am_settled(&contract.root);
    if date == last.date && settles_on_the_close {
        return Some(last.close);
    }
    options_close(&contract.root, date)
}

/// The last session a contract trades: its expiration date, the session before for AM-settled roots, and the
/// session before when the exchange is closed on that date.
pub fn last_trading_session(contract: &Contract) -> Option<Session> {
    let last = session(contract.expiry).filter(|_| !product::is_am_settled(&contract.root));
    last.or_else(|| previous_session(contract.expiry))
}

/// The standard monthly expiration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthlyExpiration {
    /// The third Friday of the month, a session or not.
    pub third_friday: Date,
    /// The last session of the contracts: the third Friday, or the session before when that is a holiday.
    pub last_session: Session,
    /// The expiration date as the symbol writes it: the Saturday after, until January 2015.
    pub expiry: Date,
}

/// The monthly expiration of year and month 1-12; `None` outside the calendar.
pub fn monthly_expiration(year: i32, month: u32) -> Option<MonthlyExpiration> {
    let third_friday = nth_weekday(year, month, Weekday::Friday, 3)?;
    let last_session = session(third_friday).or_else(|| previous_session(third_friday))?;
    // The OCC moved standard expirations from Saturday to Friday with the February 2015 contracts.
    let saturday = third_friday < Date::literal(2015, 2, 1);
    let expiry = if saturday { third_friday.plus(1) } else { last_session.date };
    Some(MonthlyExpiration { third_friday, last_session, expiry })
}

fn new_york_date(at: Timestamp) -> Date {
    at.new_york().0
}

fn nth_weekday(year: i32, month: u32, weekday: Weekday, n: i32) -> Option<Date> {
    let first = Date::from_ymd(year, month, 1)?;
    let ahead = (weekday as i32 - first.weekday() as i32).rem_euclid(7);
    Some(first.plus(ahead + 7 * (n - 1)))
}

fn is_closed(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
        || is_holiday(date)
        || CLOSURES.binary_search(&date).is_ok()
}

/// The holidays of NYSE Rule 7.2: a holiday on a Sunday is kept on Monday, one on a Saturday on Friday, except
/// New Year's Day, which is not moved back into the old year.
fn is_holiday(date: Date) -> bool {
    let (year, month, day) = date.ymd();
    let weekday = date.weekday();
    let monday = weekday == Weekday::Monday;
    match month {
        1 => day == 1 || (day == 2 && monday) || (monday && (15..=21).contains(&day)),
        2 => monday && (15..=21).contains(&day),
        3 | 4 => weekday == Weekday::Friday && date == easter(year).plus(-2),
        5 => monday && day >= 25,
        6 => year >= 2022 && observed(weekday, day, 19),
        7 => observed(weekday, day, 4),
        9 => monday && day <= 7,
        11 => weekday == Weekday::Thursday && (22..=28).contains(&day),
        12 => observed(weekday, day, 25),
        _ => false,
    }
}

/// True when a holiday of day `holiday` of the month is kept on `day`, a `weekday`.
fn observed(weekday: Weekday, day: u32, holiday: u32) -> bool {
    day == holiday
        || (weekday == Weekday::Friday && day + 1 == holiday)
        || (weekday == Weekday::Monday && day == holiday + 1)
}

/// The 13:00 closes: the day after Thanksgiving, Christmas Eve, and the eve of Independence Day (for a
/// Thursday the Fourth until 2012 the Friday after it instead).
fn closes_early(date: Date) -> bool {
    let (year, month, day) = date.ymd();
    let weekday = date.weekday();
    let by_rule = match (month, day) {
        (7, 3) => weekday != Weekday::Wednesday || year >= 2013,
        (7, 5) => weekday == Weekday::Friday && year < 2013,
        (11, 23..=29) => weekday == Weekday::Friday,
        (12, 24) => true,
        _ => false,
    };
    by_rule || EARLY_CLOSES.contains(&date)
}

/// Easter Sunday of the Gregorian calendar (anonymous algorithm, Meeus, *Astronomical Algorithms*, ch. 8).
fn easter(year: i32) -> Date {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (b - (b + 8) / 25 + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    Date::from_ymd(year, (n / 31) as u32, (n % 31 + 1) as u32).expect("the algorithm yields March or April")
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
