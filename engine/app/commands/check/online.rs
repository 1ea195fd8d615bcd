//! The endpoint itself: does it answer, what time is it there, may the account trade?

use super::finding::Finding;
use super::machine::against_venue;
use crate::place::{self, Place};
use crate::report::dollars;
use crate::settings::Settings;
use alpaca::rest::RestSettings;
use live::inquiry::{Inquiry, Unanswered};
use market::Timestamp;
use market::order::Account;

/// Asks once; nothing is ordered.
pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    match ask(settings) {
        Ok(found) => found,
        Err(e) => {
            vec![Finding::fault("endpoint", format!("{e:#}"), "check keys and `endpoint` in the settings")]
        }
    }
}

fn ask(settings: &Settings) -> anyhow::Result<Vec<Finding>> {
    // The embedded market is started for the question and ends with it.
    let place = place::open(settings, None)?;
    let inquiry = Inquiry::new(live::broker::client(rest(settings, &place), &place.keys)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async {
        let before = live::clock::wall();
        let time = inquiry.time().await;
        let after = live::clock::wall();
        let account = inquiry.account(after).await;
        vec![clock(&place, before, time, after), may_trade(&place, account)]
    }))
}

fn rest(settings: &Settings, place: &Place) -> RestSettings {
    let limit_ns = settings.execution.request_timeout_ns.unsigned_abs().clamp(1_000_000_000, 10_000_000_000);
    RestSettings {
        trading_url: place.trading_url.clone(),
        data_url: place.data_url.clone(),
        call_limit_ns: limit_ns,
        connect_limit_ns: 5_000_000_000,
        trading_per_minute: None,
        trading_reserve: 0,
        data_per_minute: None,
        stock_feed: String::new(),
        option_feed: String::new(),
    }
}

fn clock(place: &Place, before: Timestamp, time: Result<Timestamp, Unanswered>, after: Timestamp) -> Finding {
    match time {
        // A simulated market has a time of its own, and the engine follows it.
        Ok(time) if matches!(place.time, crate::place::Time::Led { .. }) => {
            Finding::ok("endpoint", format!("{} answers; it is {time} there", place.described))
        }
        Ok(time) => against_venue(before, time, after),
        Err(e) => unanswered(place, &e),
    }
}

fn may_trade(place: &Place, account: Result<Account, Unanswered>) -> Finding {
    match account {
        Ok(account) => tell_account(&account),
        Err(e) => unanswered(place, &e),
    }
}

fn tell_account(account: &Account) -> Finding {
    let found = format!("cash ${}, equity ${}", dollars(account.cash), dollars(account.equity));
    if account.may_trade {
        return Finding::ok("account", found);
    }
    Finding::fault(
        "account",
        format!("{found}, but it takes no orders"),
        "unblock it at the broker, and let it trade options",
    )
}

fn unanswered(place: &Place, why: &Unanswered) -> Finding {
    Finding::fault(
        "endpoint",
        format!("{}: {why}", place.trading_url),
        "is the address right, the network up, and do the keys belong to this endpoint (paper keys for paper)?",
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;
    use market::Money;

    #[test]
    fn a_blocked_account_is_a_fault() {
        let cash = Money::from_cents(12_345);
        let account = |may_trade| Account {
            cash,
            equity: cash,
            options_buying_power: cash,
            may_trade,
            at: Timestamp::MIN,
        };
        assert_eq!(tell_account(&account(true)).verdict, Verdict::Ok);
        assert_eq!(tell_account(&account(false)).verdict, Verdict::Fault);
    }

    #[test]
    fn the_embedded_market_answers() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(crate::run::CONFIG);
        let mut settings = crate::settings::load(&file).expect("no faults");
        settings.symbols.truncate(1);
        let found = check(&settings);
        let text: String = found.iter().map(|finding| format!("{finding}\n")).collect();
        assert!(found.len() == 2 && found.iter().all(|f| f.verdict == Verdict::Ok), "{text}");
        assert!(text.contains("answers") && text.contains("cash $"), "{text}");
    }
}
