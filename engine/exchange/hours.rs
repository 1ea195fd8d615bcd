//! When what trades: regular sessions, and fifteen minutes more for the options that have them.

use market::{Instrument, Timestamp, session};

/// From when to when something trades: `open <= t < close`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub open: Timestamp,
    pub close: Timestamp,
}

/// The window of one instrument in a session; `None` once a contract's last day is over.
fn window_of(instrument: &Instrument, day: &session::Session) -> Option<Window> {
    let close = match instrument {
        Instrument::Stock(_) => day.close,
        Instrument::Option(contract) => session::contract_close(contract, day.date)?,
    };
    Some(Window { open: day.open, close })
}

fn common(instruments: &[Instrument], day: &session::Session) -> Option<Window> {
    let mut close = Timestamp::MAX;
    for instrument in instruments {
        close = close.min(window_of(instrument, day)?.close);
    }
    Some(Window { open: day.open, close })
}

/// True while the instrument trades.
pub(crate) fn trades(instrument: &Instrument, now: Timestamp) -> bool {
    let today = session::session(now.new_york().0);
    today
        .and_then(|day| window_of(instrument, &day))
        .is_some_and(|window| window.open <= now && now < window.close)
}

/// The window in which all of them trade now or next; `None` when one of them never will again.
pub(crate) fn window(instruments: &[Instrument], now: Timestamp) -> Option<Window> {
    let day = session::session_or_next(now.new_york().0)?;
    let today = common(instruments, &day)?;
    if now < today.close {
        return Some(today);
    }
    common(instruments, &session::next_session(day.date)?)
}

/// True from `cutoff_ns` before the stock close on, when today is the contract's last day of trading.
pub(crate) fn past_cutoff(contract: &market::Contract, now: Timestamp, cutoff_ns: i64) -> bool {
    session::last_trading_session(contract)
        .is_some_and(|last| last.date == now.new_york().0 && now >= last.close - cutoff_ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::Date;

    #[test]
    fn late_closers_and_early_days() {
        let spy = Instrument::parse("SPY260417C00570000").expect("an option");
        let aapl = Instrument::parse("AAPL260417C00250000").expect("an option");
        let day = Date::literal(2026, 3, 16);
        let at = |hour: i64, minute: i64| day.at_new_york((hour * 60 + minute) * 60);
        assert!(trades(&spy, at(16, 10)) && !trades(&aapl, at(16, 10)) && !trades(&spy, at(16, 15)));
        assert_eq!(window(&[spy, aapl], at(10, 0)).map(|w| w.close), Some(at(16, 0)));
        let tuesday = day.plus(1).at_new_york(9 * 3600 + 1800);
        assert_eq!(window(&[spy, aapl], at(16, 0)).map(|w| w.open), Some(tuesday));
        let expired = Instrument::parse("SPY260313C00570000").expect("an option");
        assert_eq!(window(&[spy, expired], at(10, 0)), None);
        let christmas_eve = Date::literal(2015, 12, 24);
        let goog = Instrument::parse("GOOG151224C00750000").expect("an option");
        assert!(trades(&goog, christmas_eve.at_new_york(13 * 3600 - 1)));
        assert!(!trades(&goog, christmas_eve.at_new_york(13 * 3600)));
    }
}
