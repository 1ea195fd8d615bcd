//! The calendar against the golden files (exchange_calendars 4.13) and against itself.

use super::*;
use proptest::prelude::*;

/// Rows of a golden file without the header.
fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().skip(1).map(|line| line.split(',').collect())
}

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

fn instant(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text.as_bytes()).expect("an instant")
}

#[test]
fn sessions_equal_the_golden_calendar_day_by_day() {
    let mut day = Date::literal(2010, 1, 1);
    for row in rows(include_str!("../../tests/golden/calendar/sessions.csv")) {
        let expected = date(row[0]);
        while day < expected {
            assert_eq!(session(day), None, "{day} is no session");
            day = day.plus(1);
        }
        let found = session(expected).unwrap_or_else(|| panic!("{expected} is a session"));
        assert_eq!((found.open, found.close), (instant(row[1]), instant(row[2])), "{expected}");
        assert_eq!((found.early.to_string(), found.minutes().to_string()), (row[3].into(), row[4].into()));
        day = expected.plus(1);
    }
    assert_eq!(day, Date::literal(2028, 1, 1));
}

#[test]
fn closed_weekdays_equal_the_golden_list() {
    let golden: Vec<Date> = rows(include_str!("../../tests/golden/calendar/closed_weekdays.csv"))
        .map(|row| date(row[0]))
        .collect();
    let (first, last) = (Date::literal(2010, 1, 1).days(), Date::literal(2027, 12, 31).days());
    let ours: Vec<Date> = (first..=last)
        .map(Date::from_days)
        .filter(|d| d.weekday() < Weekday::Saturday && session(*d).is_none())
        .collect();
    assert_eq!(ours, golden);
}

/// 1998 to 2009 and 2028 to 2030, from the same library: weekdays closed and days that close early.
#[test]
fn the_years_around_the_golden_calendar_agree_too() {
    let mut listed = rows(include_str!("../../tests/golden/calendar/outside_2010_2027.csv")).peekable();
    for day in (FIRST.days()..=Date::literal(2030, 12, 31).days()).map(Date::from_days) {
        let (year, ..) = day.ymd();
        if (2010..=2027).contains(&year) || day.weekday() >= Weekday::Saturday {
            continue;
        }
        let expected = listed.next_if(|row| date(row[0]) == day).map_or("open", |row| row[1]);
        let found = session(day).map_or("closed", |s| if s.early { "early" } else { "open" });
        assert_eq!(found, expected, "{day}");
    }
    assert_eq!(listed.next(), None);
}

#[test]
fn timestamp_queries_equal_the_golden_answers() {
    for row in rows(include_str!("../../tests/golden/calendar/timestamp_queries.csv")) {
        let at = instant(row[0]);
        assert_eq!(is_open(at).to_string(), row[2], "{at}");
        let now = session_at(at).map_or(String::new(), |s| s.date.to_string());
        assert_eq!(now, row[3], "{at}");
        assert_eq!(next_open(at).map(|s| s.open), Some(instant(row[4])), "{at}");
        assert_eq!(next_close(at).map(|s| s.close), Some(instant(row[5])), "{at}");
        assert_eq!(previous_close(at).map(|s| s.close), Some(instant(row[6])), "{at}");
        assert_eq!(minutes_to_close(at).map_or(String::new(), |m| m.to_string()), row[7], "{at}");
    }
}

#[test]
fn interval_queries_equal_the_golden_answers() {
    for row in rows(include_str!("../../tests/golden/calendar/interval_queries.csv")) {
        let (from, to) = (instant(row[0]), instant(row[1]));
        assert_eq!(trading_minutes(from, to).to_string(), row[2], "{from} {to}");
        let (a, b) = (from.new_york().0, to.new_york().0);
        assert_eq!(sessions_between(a, b).to_string(), row[3], "{from} {to}");
        assert_eq!(b.days_since(a).to_string(), row[4], "{from} {to}");
        let golden: f64 = row[5].parse().expect("a number");
        assert!((year_fraction(from, to) - golden).abs() <= 1e-15 * golden.max(1.0), "{from} {to}");
        let golden: f64 = row[6].parse().expect("a number");
        assert_eq!(trading_year_fraction(from, to), golden, "{from} {to}");
    }
}

#[test]
fn session_offsets_equal_the_golden_answers() {
    for row in rows(include_str!("../../tests/golden/calendar/session_offsets.csv")) {
        let n: i32 = row[1].parse().expect("a number");
        assert_eq!(offset(date(row[0]), n).map(|s| s.date), Some(date(row[2])), "{row:?}");
    }
}

#[test]
fn monthly_expirations_equal_the_golden_answers() {
    for row in rows(include_str!("../../tests/golden/calendar/monthly_expirations.csv")) {
        let (year, month) = (row[0].parse().expect("a year"), row[1].parse().expect("a month"));
        let found = monthly_expiration(year, month).expect("inside the calendar");
        assert_eq!(found.third_friday, date(row[2]));
        assert_eq!(found.last_session.date, date(row[3]));
        assert_eq!((found.last_session.date != found.third_friday).to_string(), row[4]);
        assert_eq!(found.last_session.close, instant(row[5]));
        assert_eq!(found.last_session.early.to_string(), row[6]);
        let expiry = if row[7].is_empty() { row[3] } else { row[7] };
        assert_eq!(found.expiry, date(expiry), "{row:?}");
    }
    assert_eq!(monthly_expiration(2026, 13), None);
}

#[test]
fn options_of_the_late_list_close_a_quarter_of_an_hour_later() {
    let new_york = |d: Date, h: i64, m: i64| Some(d.at_new_york(h * 3600 + m * 60));
    let (plain, early) = (Date::literal(2026, 11, 25), Date::literal(2026, 11, 27));
    let (spy, aapl) = (Symbol::literal("SPY"), Symbol::literal("AAPL"));
    assert_eq!(options_close(&spy, plain), new_york(plain, 16, 15));
    assert_eq!(options_close(&spy, early), new_york(early, 13, 15));
    assert_eq!(options_close(&aapl, plain), new_york(plain, 16, 0));
    assert_eq!(options_close(&spy, Date::literal(2026, 11, 26)), None);
}

#[test]
fn a_contract_stops_with_the_stocks_on_its_last_day() {
    let contract = |text: &str| -> Contract { text.parse().expect("a symbol") };
    let (eve, day) = (Date::literal(2026, 11, 19), Date::literal(2026, 11, 20));
    let hour = |d: Date, h: i64, m: i64| Some(d.at_new_york(h * 3600 + m * 60));
    let spy = contract("SPY261120P00600000");
    assert_eq!(contract_close(&spy, eve), hour(eve, 16, 15));
    assert_eq!(contract_close(&spy, day), hour(day, 16, 0));
    assert_eq!(contract_close(&spy, Date::literal(2026, 11, 23)), None);
    let am = contract("SPX261120P06000000");
    assert_eq!(last_trading_session(&am).map(|s| s.date), Some(eve));
    assert_eq!(contract_close(&am, eve), hour(eve, 16, 15));
    assert_eq!(contract_close(&am, day), None);
    // A Saturday expiration of the old kind trades last on Friday.
    let old = contract("AAPL140118C00500000");
    assert_eq!(last_trading_session(&old).map(|s| s.date), Some(Date::literal(2014, 1, 17)));
}

#[test]
fn outside_the_calendar_there_is_no_session() {
    assert_eq!(session(Date::literal(1997, 12, 31)), None);
    assert_eq!(session(Date::from_days(i32::MAX)), None);
    assert_eq!(previous_session(Date::literal(1998, 1, 2)), None);
    assert_eq!(next_session(Date::from_days(i32::MIN)).map(|s| s.date), Some(Date::literal(1998, 1, 2)));
    assert_eq!(next_session(Date::from_days(i32::MAX)), None);
    assert_eq!(trading_minutes(Timestamp::from_ns(10), Timestamp::from_ns(5)), 0);
}

proptest! {
    #[test]
    fn next_and_previous_are_inverse(days in 10_300i32..22_000) {
        let date = Date::from_days(days);
        let next = next_session(date).expect("inside");
        prop_assert!(next.date > date);
        let back = previous_session(next.date).expect("inside");
        prop_assert!(back.date <= date);
        prop_assert_eq!(next_session(back.date), Some(next));
        prop_assert_eq!(sessions_between(back.date, next.date), 1);
        prop_assert_eq!(trading_minutes(back.close, next.close), next.minutes());
    }

    #[test]
    fn trading_minutes_add_up(a in 900_000i64..1_900_000, b in 0i64..50_000, c in 0i64..50_000) {
        let at = |minutes: i64| Timestamp::from_ns(minutes * 15 * MINUTE);
        let (from, middle, to) = (at(a), at(a + b), at(a + b + c));
        prop_assert_eq!(trading_minutes(from, to), trading_minutes(from, middle) + trading_minutes(middle, to));
    }
}
