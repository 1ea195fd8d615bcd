//! Where bars begin and end. Intraday bars are counted from the session's open and cut at its close; a day is a
//! session; weeks, months and years run from the open of their first session to the close of their last.

use market::quote::Timeframe;
use market::session::{self, Session};
use market::time::MINUTE;
use market::{Date, Timestamp};
use serde::{Deserialize, Serialize};

/// A stretch of time: `start <= t < end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Its first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

impl Span {
    /// No time at all, before everything.
    pub const NEVER: Self = Self { start: Timestamp::MIN, end: Timestamp::MIN };

    /// True when the instant lies inside.
    #[inline]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }
}

/// One session with the longer intervals it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// The session.
    pub session: Session,
    week: Span,
    month: Span,
    year: Span,
}

impl Day {
    /// The day of a date; `None` when it has no session or lies outside the calendar.
    pub fn of(date: Date) -> Option<Self> {
        let session = session::session(date)?;
        let (year, month, _) = date.ymd();
        let monday = date.plus(-(date.weekday() as i32));
        let next_month = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        Some(Self {
            session,
            week: between(monday, monday.plus(7))?,
            month: between(Date::from_ymd(year, month, 1)?, Date::from_ymd(next_month.0, next_month.1, 1)?)?,
            year: between(Date::from_ymd(year, 1, 1)?, Date::from_ymd(year + 1, 1, 1)?)?,
        })
    }

    /// The interval of a timeframe that holds `at`, an instant of this session.
    pub fn span(&self, timeframe: Timeframe, at: Timestamp) -> Span {
        let Session { open, close, .. } = self.session;
        match timeframe {
            Timeframe::Day1 => Span { start: open, end: close },
            Timeframe::Week1 => self.week,
            Timeframe::Month1 => self.month,
            Timeframe::Year1 => self.year,
            intraday => {
                let length = intraday.minutes().map_or(MINUTE, |minutes| minutes * MINUTE);
                let start = open + at.since(open).div_euclid(length) * length;
                Span { start, end: (start + length).min(close) }
            }
        }
    }

    /// Where an instant lies in the session: -0.5 at the open, 0.5 at the close.
    pub fn clock(&self, at: Timestamp) -> f64 {
        let Session { open, close, .. } = self.session;
        at.since(open) as f64 / close.since(open) as f64 - 0.5
    }
}

/// From the open of the first session on or after `from` to the close of the last before `until`.
fn between(from: Date, until: Date) -> Option<Span> {
    Some(Span { start: session::session_or_next(from)?.open, end: session::previous_session(until)?.close })
}

/// The date of the session a bar's stamp names: UTC midnight stands for that UTC date (no session begins or runs
/// then), any other instant for its New York date.
pub fn session_date(start: Timestamp) -> Date {
    if start == start.utc_date().midnight_utc() { start.utc_date() } else { start.new_york().0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intraday_bars_are_counted_from_the_open_and_cut_at_the_close() {
        let day = Day::of(Date::literal(2015, 12, 24)).expect("Christmas Eve, closes 13:00");
        let open = day.session.open;
        let at = open + 205 * MINUTE;
        assert_eq!(day.span(Timeframe::Hour1, at).start, open + 180 * MINUTE);
        assert_eq!(day.span(Timeframe::Hour1, at).end, day.session.close);
        assert_eq!(day.span(Timeframe::Hour4, at), Span { start: open, end: day.session.close });
        assert_eq!(day.clock(open), -0.5);
    }

    #[test]
    fn weeks_months_and_years_run_from_session_to_session() {
        // Monday 2019-12-30 .. Friday 2020-01-03, New Year's Day closed.
        let day = Day::of(Date::literal(2020, 1, 2)).expect("a Thursday");
        let at = day.session.open;
        let date = |t: Timestamp| t.new_york().0.to_string();
        let week = day.span(Timeframe::Week1, at);
        assert_eq!((date(week.start), date(week.end)), ("2019-12-30".into(), "2020-01-03".into()));
        let month = day.span(Timeframe::Month1, at);
        assert_eq!((date(month.start), date(month.end)), ("2020-01-02".into(), "2020-01-31".into()));
        let year = day.span(Timeframe::Year1, at);
        assert_eq!((date(year.start), date(year.end)), ("2020-01-02".into(), "2020-12-31".into()));
    }

    #[test]
    fn both_spellings_of_a_daily_bar_name_the_same_session() {
        let date = Date::literal(2024, 7, 3);
        for start in [date.midnight_utc(), date.at_new_york(0), date.at_new_york(9 * 3600 + 1800)] {
            assert_eq!(session_date(start), date);
        }
    }
}
