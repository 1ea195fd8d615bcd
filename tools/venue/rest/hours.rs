//! Clock and calendar, in virtual time.

use super::{Call, Reply};
use crate::core::Core;
use alpaca::account::{CalendarDay, ClockBody};
use market::{Date, session};

/// Days one calendar answer covers at most.
const CALENDAR_DAYS_MAX: i32 = 366 * 60;

/// `GET /clock`
pub fn clock(core: &mut Core) -> Result<Reply, Reply> {
    let now = core.now();
    let next = |s: Option<session::Session>| s.ok_or_else(|| Reply::not_found("no further session"));
    Ok(Reply::json(&ClockBody {
        timestamp: now,
        is_open: session::is_open(now),
        next_open: next(session::next_open(now))?.open,
        next_close: next(session::next_close(now))?.close,
    }))
}

/// `GET /calendar`
pub fn calendar(call: &Call) -> Result<Reply, Reply> {
    let start = call.parsed::<Date>("start")?.unwrap_or(Date::literal(1998, 1, 1));
    let end = call.parsed::<Date>("end")?.unwrap_or(Date::literal(2029, 12, 31));
    let last = end.min(start.plus(CALENDAR_DAYS_MAX));
    let sessions = (start.days()..=last.days()).filter_map(|day| session::session(Date::from_days(day)));
    let days: Vec<CalendarDay> = sessions
        .map(|s| CalendarDay {
            date: s.date,
            open: "09:30".into(),
            close: if s.early { "13:00" } else { "16:00" }.into(),
            session_open: "0400".into(),
            session_close: if s.early { "1700" } else { "2000" }.into(),
            settlement_date: session::next_session(s.date).map(|next| next.date),
        })
        .collect();
    Ok(Reply::json(&days))
}
