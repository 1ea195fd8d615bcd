//! The gate: every check at its bound, pending orders counted, reconciliation, flattening and clean-up.

use crate::checks::{self, Operator};
use crate::command::{Command, HaltNote};
use crate::reconcile::Standing;
use crate::settings::{Limits, Settings};
use crate::{Decision, Gate, Said, Verdict};
use market::feed::{FeedName, FeedNote, FeedState};
use market::fees::Schedule;
use market::order::{Account, Activity, ActivityNote, Effect, Execution, Holding, Leg, LegFill, Legs, Side};
use market::time::{HOUR, MINUTE, SECOND};
use market::{Date, Instrument, Label, Money, OrderId, Price, Symbol, Timestamp};
use portfolio::notes::{DoneNote, Ending, FillNote, MarkNote, PositionNote};
use portfolio::{ExitReason, Proposal, Purpose};
use proptest::prelude::*;

const SHORT: &str = "SPY260417P00560000";
const LONG: &str = "SPY260417P00555000";

/// Seconds after 11:00 in New York on Monday, 16 March 2026.
fn at(seconds: i64) -> Timestamp {
    Date::literal(2026, 3, 16).at_new_york(11 * 3600 + seconds)
}

fn limits() -> Limits {
    Limits {
        max_loss_per_trade_bps: 200,
        portfolio_heat_bps: 500,
        daily_loss_bps: 300,
        trades_per_underlying: 2,
        open_trades: 3,
        proposal_age_ns: 2 * SECOND,
        after_open_ns: 5 * MINUTE,
        before_close_ns: 15 * MINUTE,
        expiring_entry_ns: 2 * HOUR,
        expiring_order_ns: 30 * MINUTE,
        leftover_shock_bps: 2_000,
    }
}

fn settings(limits: Limits) -> Settings {
    let fees = Schedule { broker: "none".into(), rates: Vec::new() };
    Settings {
        book: portfolio::book::Settings { fees },
        limits,
        reconcile_grace_ns: 5 * SECOND,
        clean_up_delay_ns: 10 * SECOND,
        retry_ns: 30 * SECOND,
        closing_slack_bps: 500,
    }
}

fn account(dollars: i64) -> Account {
    let cash = Money::from_dollars(dollars);
    Account { cash, equity: cash, options_buying_power: cash, may_trade: true, at: at(0) }
}

/// A gate that may trade, with 100,000 dollars.
fn ready(limits: Limits) -> Gate {
    let mut gate = Gate::new(settings(limits));
    let mut out = Vec::new();
    gate.on_account(at(0), &account(100_000), &mut out);
    gate.on_no_holdings(at(0), &mut out);
    assert_eq!(gate.standing(), Standing::Agreed);
    gate
}

fn instrument(text: &str) -> Instrument {
    Instrument::parse(text).unwrap()
}

fn legs(pairs: &[(&str, Side)], effect: Effect) -> Legs {
    let leg =
        |(symbol, side): &(&str, Side)| Leg { instrument: instrument(symbol), side: *side, effect, ratio: 1 };
    pairs.iter().map(leg).collect()
}

/// A put spread 5 dollars wide for 1.00 at worst: 400 at risk, 400 required, a unit.
fn spread(id: &str, units: u32) -> Proposal {
    Proposal {
        id: id.parse().unwrap(),
        underlying: Symbol::literal("SPY"),
        purpose: Purpose::Open { structure: Label::literal("bull_put_spread") },
        legs: legs(&[(SHORT, Side::Sell), (LONG, Side::Buy)], Effect::Open),
        units,
        mid: Price::from_cents(-110),
        natural: Price::from_cents(-100),
        max_loss: Money::from_dollars(400),
        max_profit: Money::from_dollars(110),
        margin: Money::from_dollars(500),
        confidence: 0.6,
        spot: Price::from_cents(56_500),
        at: at(0),
    }
}

fn closing(id: &str, open: &Proposal, units: u32) -> Proposal {
    Proposal {
        id: id.parse().unwrap(),
        purpose: Purpose::Close { position: open.id, reason: ExitReason::StopLoss },
        legs: legs(&[(SHORT, Side::Buy), (LONG, Side::Sell)], Effect::Close),
        units,
        max_loss: Money::ZERO,
        margin: Money::ZERO,
        ..open.clone()
    }
}

fn fill(proposal: &Proposal, execution: u64, units: u32, cents: &[i64]) -> FillNote {
    let fills = proposal.legs.iter().zip(cents).map(|(leg, cents)| LegFill {
        instrument: leg.instrument,
        quantity: leg.signed_ratio() * i64::from(units),
        price: Price::from_cents(*cents),
    });
    FillNote {
        proposal: proposal.id,
        order: OrderId::format(format_args!("{}.0", proposal.id)),
        execution: Execution { id: execution, units, units_so_far: units, legs: fills.collect() },
        arrival_mid: proposal.mid,
        at: at(1),
    }
}

fn done(proposal: &Proposal, filled: u32) -> DoneNote {
    let ending = if filled == proposal.units { Ending::Filled } else { Ending::GaveUp };
    DoneNote {
        proposal: proposal.id,
        underlying: proposal.underlying,
        filled_units: filled,
        wanted_units: proposal.units,
        ending,
        at: at(2),
    }
}

fn propose(gate: &mut Gate, now: Timestamp, proposal: &Proposal) -> Decision {
    let mut out = Vec::new();
    gate.on_proposal(now, proposal, &mut out);
    let decision = out
        .iter()
        .find_map(|said| match said {
            Said::Decided { decision, .. } => Some(decision.clone()),
            _ => None,
        })
        .unwrap();
    let cleared = out.iter().find_map(|said| match said {
        Said::Cleared(cleared) => Some(cleared.proposal().units),
        _ => None,
    });
    assert_eq!(cleared.unwrap_or(0), decision.units, "cleared exactly when decided");
    let named: Vec<Label> = decision.checks.iter().map(|c| c.check).collect();
    assert_eq!(named, checks::names().collect::<Vec<_>>(), "every check is on record, in order");
    decision
}

fn verdict(decision: &Decision, check: &str) -> Verdict {
    decision.checks.iter().find(|c| c.check.as_str() == check).unwrap().verdict
}

/// The names of the checks that refused.
fn refused(decision: &Decision) -> Vec<&str> {
    let refusing = decision.checks.iter().filter(|c| c.verdict == Verdict::Refuse);
    refusing.map(|c| c.check.as_str()).collect()
}

fn open(gate: &mut Gate, id: &str, units: u32) -> Proposal {
    let proposal = spread(id, units);
    assert_eq!(propose(gate, at(1), &proposal).units, units);
    gate.on_fill(at(1), &fill(&proposal, 1, units, &[400, 300]), &mut Vec::new());
    gate.on_done(at(1), &done(&proposal, units), &mut Vec::new());
    proposal
}

#[test]
fn a_good_proposal_passes_every_check() {
    let decision = propose(&mut ready(limits()), at(1), &spread("w1.SPY.1", 5));
    assert_eq!(decision.units, 5);
    assert!(decision.checks.iter().all(|c| c.verdict == Verdict::Pass), "{decision:?}");
}

#[test]
fn a_trade_shrinks_to_what_it_may_lose() {
    // 2 % of 100,000 is 5 x 400.
    let mut gate = ready(limits());
    assert_eq!(propose(&mut gate, at(1), &spread("w1.SPY.1", 5)).units, 5);
    let decision = propose(&mut ready(limits()), at(1), &spread("w1.SPY.1", 6));
    assert_eq!(verdict(&decision, "max_loss_per_trade"), Verdict::Shrink { units: 5 });
    assert_eq!(decision.units, 5);
    let tight = Limits { max_loss_per_trade_bps: 39, ..limits() };
    let decision = propose(&mut ready(tight), at(1), &spread("w1.SPY.1", 1));
    assert_eq!(refused(&decision), ["max_loss_per_trade"], "and the later ones were asked all the same");
    assert_eq!(decision.units, 0);
}

#[test]
fn heat_counts_open_pending_and_partly_filled() {
    let mut gate = ready(Limits { trades_per_underlying: 9, open_trades: 9, ..limits() });
    // 5 % of 100,000 is 12 x 400, with 5 a trade.
    open(&mut gate, "w1.SPY.1", 5);
    let second = spread("w1.SPY.2", 5);
    assert_eq!(propose(&mut gate, at(1), &second).units, 5);
    gate.on_fill(at(1), &fill(&second, 2, 2, &[400, 300]), &mut Vec::new());
    let third = propose(&mut gate, at(1), &spread("w1.SPY.3", 5));
    let Verdict::Shrink { units } = verdict(&third, "portfolio_heat") else { panic!("{third:?}") };
    assert_eq!((units, third.units), (2, 2));
    assert_eq!(refused(&propose(&mut gate, at(1), &spread("w1.SPY.4", 1))), ["portfolio_heat"]);
    // Three units of the second never fill: their room comes back.
    gate.on_done(at(2), &done(&second, 2), &mut Vec::new());
    assert_eq!(propose(&mut gate, at(1), &spread("w1.SPY.5", 5)).units, 3);
}

#[test]
fn buying_power_is_margin_less_credit_and_less_pending() {
    let wide = Limits { max_loss_per_trade_bps: 10_000, portfolio_heat_bps: 10_000, ..limits() };
    let mut gate = ready(wide.clone());
    gate.on_account(
        at(0),
        &Account { options_buying_power: Money::from_dollars(2_000), ..account(100_000) },
        &mut Vec::new(),
    );
    let first = spread("w1.SPY.1", 3);
    assert_eq!(propose(&mut gate, at(5), &Proposal { at: at(5), ..first.clone() }).units, 3);
    let second = Proposal { at: at(5), ..spread("w1.SPY.2", 3) };
    assert_eq!(verdict(&propose(&mut gate, at(5), &second), "buying_power"), Verdict::Shrink { units: 2 });

    let mut gate = ready(wide);
    gate.on_account(
        at(0),
        &Account { options_buying_power: Money::from_dollars(2_000), ..account(100_000) },
        &mut Vec::new(),
    );
    propose(&mut gate, at(1), &first);
    gate.on_fill(at(1), &fill(&first, 1, 3, &[410, 300]), &mut Vec::new());
    // 2000 + 330 credit - 1500 margin leaves 830 for units of 400 each.
    let decision = propose(&mut gate, at(1), &spread("w1.SPY.3", 9));
    let row = decision.checks.iter().find(|c| c.check.as_str() == "buying_power").unwrap();
    assert_eq!((row.limit, row.verdict), (Money::from_dollars(830), Verdict::Shrink { units: 2 }));
}

#[test]
fn the_days_loss_stops_new_risk_at_its_limit_exactly() {
    for (short_cents, passes) in [(699, true), (700, false)] {
        let mut gate =
            ready(Limits { max_loss_per_trade_bps: 10_000, portfolio_heat_bps: 10_000, ..limits() });
        let held = open(&mut gate, "w1.SPY.1", 10);
        for (symbol, cents) in [(SHORT, short_cents), (LONG, 300)] {
            let mid = Price::from_cents(cents);
            gate.on_mark(at(2), &MarkNote { instrument: instrument(symbol), mid, at: at(2) });
        }
        // 10 x (7.00 - 4.00) x 100 is 3 % of 100,000.
        let decision = propose(&mut gate, at(2), &Proposal { units: 1, ..spread("w1.SPY.2", 1) });
        assert_eq!(verdict(&decision, "daily_loss") == Verdict::Pass, passes);
        // Done without a fill: until then the exit would trade against our own order.
        gate.on_done(at(2), &done(&spread("w1.SPY.2", 1), 0), &mut Vec::new());
        let exit = propose(&mut gate, at(2), &closing("w1.SPY.3", &held, 10));
        assert_eq!((exit.units, verdict(&exit, "daily_loss")), (10, Verdict::Skip), "exits go on");
    }
}

#[test]
fn counts_include_what_is_pending() {
    let mut gate = ready(limits());
    open(&mut gate, "w1.SPY.1", 1);
    assert_eq!(propose(&mut gate, at(1), &spread("w1.SPY.2", 1)).units, 1);
    assert_eq!(refused(&propose(&mut gate, at(1), &spread("w1.SPY.3", 1))), ["trades_per_underlying"]);
    let other = |id: &str, root: &str| {
        let strikes =
            [(SHORT, Side::Sell), (LONG, Side::Buy)].map(|(s, side)| (s.replace("SPY", root), side));
        let pairs: Vec<(&str, Side)> = strikes.iter().map(|(s, side)| (s.as_str(), *side)).collect();
        Proposal { underlying: root.parse().unwrap(), legs: legs(&pairs, Effect::Open), ..spread(id, 1) }
    };
    assert_eq!(propose(&mut gate, at(1), &other("w1.QQQ.1", "QQQ")).units, 1);
    assert_eq!(refused(&propose(&mut gate, at(1), &other("w1.IWM.1", "IWM"))), ["open_trades"]);
}

#[test]
fn worst_cases_must_be_finite_and_honest() {
    let naked =
        Proposal { legs: legs(&[("SPY260417C00570000", Side::Sell)], Effect::Open), ..spread("w1.SPY.1", 1) };
    assert_eq!(refused(&propose(&mut ready(limits()), at(1), &naked)), ["defined_risk"]);
    let flattering = Proposal { max_loss: Money::from_cents(39_999), ..spread("w1.SPY.1", 1) };
    assert_eq!(refused(&propose(&mut ready(limits()), at(1), &flattering)), ["defined_risk"]);
    let thin = Proposal { margin: Money::from_cents(49_999), ..spread("w1.SPY.1", 1) };
    assert_eq!(refused(&propose(&mut ready(limits()), at(1), &thin)), ["defined_risk"]);
}

#[test]
fn a_calendar_is_covered_one_way_round_only() {
    let calendar = |near: Side, dollars: i64, margin: i64| Proposal {
        legs: legs(&[("SPY260417C00570000", near), ("SPY260515C00570000", near.opposite())], Effect::Open),
        mid: Price::from_cents(290),
        natural: Price::from_cents(300),
        max_loss: Money::from_dollars(dollars),
        margin: Money::from_dollars(margin),
        ..spread("w1.SPY.1", 1)
    };
    let said = |proposal: &Proposal| -> Vec<String> {
        refused(&propose(&mut ready(limits()), at(1), proposal)).into_iter().map(String::from).collect()
    };
    assert!(said(&calendar(Side::Sell, 300, 0)).is_empty());
    assert_eq!(said(&calendar(Side::Sell, 299, 0)), ["defined_risk"], "it admits less than its debit");
    assert_eq!(said(&calendar(Side::Buy, 300, 0)), ["defined_risk"], "its long leg expires first");
    // A diagonal can lose what its strikes lie apart besides.
    let diagonal = |dollars: i64, margin: i64| Proposal {
        legs: legs(&[("SPY260417C00570000", Side::Sell), ("SPY260515C00573000", Side::Buy)], Effect::Open),
        ..calendar(Side::Sell, dollars, margin)
    };
    assert!(said(&diagonal(600, 300)).is_empty());
    assert_eq!(said(&diagonal(599, 300)), ["defined_risk"]);
    assert_eq!(said(&diagonal(600, 299)), ["defined_risk"], "margin counts them too");
}

#[test]
fn time_of_day_rules_at_their_bounds() {
    let day = Date::literal(2026, 3, 16);
    let entry = |seconds: i64, proposal: &Proposal| {
        let now = day.at_new_york(seconds);
        let decision = propose(&mut ready(limits()), now, &Proposal { at: now, ..proposal.clone() });
        refused(&decision).into_iter().map(String::from).collect::<Vec<_>>()
    };
    let far = spread("w1.SPY.1", 1);
    let (open, close) = (9 * 3600 + 30 * 60, 16 * 3600);
    assert_eq!(entry(open + 299, &far), ["session_open"]);
    assert!(entry(open + 300, &far).is_empty());
    assert!(entry(close - 900, &far).is_empty());
    assert_eq!(entry(close - 899, &far), ["session_open"]);
    assert_eq!(entry(close, &far), ["session_open"]);
    let near_legs = [("SPY260316P00560000", Side::Sell), ("SPY260316P00555000", Side::Buy)];
    let near = Proposal { legs: legs(&near_legs, Effect::Open), ..far };
    assert!(entry(14 * 3600, &near).is_empty());
    assert_eq!(entry(14 * 3600 + 1, &near), ["expiring"]);
}

#[test]
fn stale_proposals_and_lost_feeds() {
    let mut gate = ready(limits());
    let mut out = Vec::new();
    assert!(refused(&propose(&mut gate, at(2), &spread("w1.SPY.1", 1))).is_empty());
    let late = at(2) + 1;
    assert_eq!(refused(&propose(&mut gate, late, &spread("w1.SPY.2", 1))), ["feed_fresh"]);
    let mut say =
        |gate: &mut Gate, feed, state| gate.on_feed(at(2), &FeedNote { feed, state, at: at(2) }, &mut out);
    for feed in [FeedName::Stocks, FeedName::Options] {
        say(&mut gate, feed, FeedState::Mute);
        assert_eq!(refused(&propose(&mut gate, at(2), &spread("w1.SPY.3", 1))), ["feed_fresh"]);
        say(&mut gate, feed, FeedState::Up);
    }
    assert!(refused(&propose(&mut gate, at(2), &spread("w1.SPY.4", 1))).is_empty());
}

#[test]
fn senseless_proposals_are_refused() {
    let mut gate = ready(limits());
    let held = open(&mut gate, "w1.SPY.1", 2);
    let cases = [
        held.clone(),
        Proposal { units: 0, ..spread("w1.SPY.2", 1) },
        Proposal { legs: Legs::new(), ..spread("w1.SPY.2", 1) },
        closing("w1.SPY.2", &spread("w1.SPY.9", 1), 1),
        closing("w1.SPY.2", &held, 3),
        Proposal { legs: held.legs.clone(), ..closing("w1.SPY.2", &held, 1) },
    ];
    for case in &cases {
        assert_eq!(verdict(&propose(&mut gate, at(1), case), "well_formed"), Verdict::Refuse, "{case:?}");
    }
    assert_eq!(propose(&mut gate, at(1), &closing("w1.SPY.3", &held, 2)).units, 2);
    let again = propose(&mut gate, at(1), &closing("w1.SPY.4", &held, 2));
    assert_eq!(verdict(&again, "well_formed"), Verdict::Refuse, "it is being closed already");
}

#[test]
fn no_leg_against_our_own() {
    let mut gate = ready(limits());
    open(&mut gate, "w1.SPY.1", 1);
    // Buys the very put that is held short: at the broker one position.
    let against = legs(&[("SPY260417P00565000", Side::Sell), (SHORT, Side::Buy)], Effect::Open);
    let crossing = Proposal { legs: against, ..spread("w1.SPY.2", 1) };
    assert_eq!(refused(&propose(&mut gate, at(1), &crossing)), ["own_cross"]);
}

#[test]
fn operator_commands() {
    let mut gate = ready(limits());
    let mut out = Vec::new();
    let held = open(&mut gate, "w1.SPY.1", 1);
    gate.on_command(at(1), Command::Pause, &mut out);
    assert_eq!(refused(&propose(&mut gate, at(1), &spread("w1.SPY.2", 1))), ["operator"]);
    gate.on_command(at(1), Command::Kill, &mut out);
    assert!(out.contains(&Said::Halt(HaltNote::Everything)));
    assert_eq!(refused(&propose(&mut gate, at(1), &closing("w1.SPY.3", &held, 1))), ["operator"]);
    gate.on_command(at(1), Command::Resume, &mut out);
    assert_eq!(propose(&mut gate, at(1), &closing("w1.SPY.4", &held, 1)).units, 1);
}

#[test]
fn a_stop_ends_with_the_run_and_what_the_operator_said_does_not() {
    let agree = |gate: &mut Gate, out: &mut Vec<Said>| {
        let holdings = gate.book().holdings();
        let of = holdings.len() as u32;
        gate.on_account(at(2), &Account { cash: gate.book().cash(), ..account(100_000) }, out);
        for (index, (instrument, quantity)) in holdings.into_iter().enumerate() {
            gate.on_holding(at(2), Holding { instrument, quantity }, index as u32, of, out);
        }
    };
    let (mut gate, mut out) = (ready(limits()), Vec::new());
    let held = open(&mut gate, "w1.SPY.1", 1);
    gate.stopping(&mut out);
    assert_eq!(out, [Said::Halt(HaltNote::Opening)]);
    assert_eq!(refused(&propose(&mut gate, at(1), &spread("w1.SPY.2", 1))), ["operator"]);
    assert_eq!(refused(&propose(&mut gate, at(1), &closing("w1.SPY.3", &held, 1))), ["operator"]);
    gate.begin_run();
    assert_eq!((gate.operator(), gate.standing()), (Operator::Trading, Standing::Waiting));
    agree(&mut gate, &mut out);
    assert_eq!(propose(&mut gate, at(2), &spread("w2.SPY.1", 1)).units, 1, "the next run trades");
    gate.on_command(at(2), Command::Pause, &mut out);
    gate.stopping(&mut out);
    gate.begin_run();
    assert_eq!(gate.operator(), Operator::Paused, "until the operator says otherwise");
}

#[test]
fn without_a_journal_nothing_opens_and_exits_go_on() {
    let (mut gate, mut out) = (ready(limits()), Vec::new());
    let held = open(&mut gate, "w1.SPY.1", 1);
    let mut journal = |gate: &mut Gate, state| {
        gate.on_feed(at(1), &FeedNote { feed: FeedName::Journal, state, at: at(1) }, &mut out)
    };
    journal(&mut gate, FeedState::Down);
    assert_eq!(refused(&propose(&mut gate, at(1), &spread("w1.SPY.2", 1))), ["feed_fresh"]);
    assert_eq!(propose(&mut gate, at(1), &closing("w1.SPY.3", &held, 1)).units, 1);
    journal(&mut gate, FeedState::Up);
    let decision = propose(&mut gate, at(1), &spread("w1.SPY.4", 1));
    let checks = refused(&decision);
    assert!(!checks.contains(&"feed_fresh"), "{checks:?}");
}

#[test]
fn nothing_before_book_and_broker_agree() {
    let mut gate = Gate::new(settings(limits()));
    let mut out = Vec::new();
    assert_eq!(
        refused(&propose(&mut gate, at(0), &spread("w1.SPY.1", 1)))[..2],
        ["account_may_trade", "reconciled"]
    );
    gate.on_account(at(0), &account(100_000), &mut out);
    assert_eq!(refused(&propose(&mut gate, at(0), &spread("w1.SPY.1", 1))), ["reconciled"]);
    gate.on_no_holdings(at(0), &mut out);
    let held = open(&mut gate, "w1.SPY.1", 1);

    // The connection is lost; meanwhile the venue sells our long leg.
    let lost = FeedNote { feed: FeedName::Orders, state: FeedState::Down, at: at(2) };
    gate.on_feed(at(2), &lost, &mut out);
    gate.on_feed(at(3), &FeedNote { state: FeedState::Up, ..lost }, &mut out);
    assert_eq!(refused(&propose(&mut gate, at(1), &closing("w1.SPY.2", &held, 1))), ["reconciled"]);
    out.clear();
    gate.on_account(at(3), &account(100_390), &mut out);
    gate.on_holding(at(3), Holding { instrument: instrument(SHORT), quantity: -1 }, 0, 1, &mut out);
    let until = at(3) + 5 * SECOND;
    assert_eq!((gate.standing(), gate.deadline().unwrap()), (Standing::Grace { until }, until));
    assert!(out.is_empty(), "it may be on its way");
    gate.wake(until, &mut out);
    assert_eq!(gate.standing(), Standing::Differs);
    let Some(Said::Alert(alert)) = out.first() else { panic!("{out:?}") };
    assert_eq!((alert.what.as_str(), alert.severity), ("book_differs", market::alert::Severity::Critical));
    assert_eq!(alert.detail.as_str(), "cash:100100.00/100390.00 SPY260417P00555000:1/0");
    assert_eq!(refused(&propose(&mut gate, at(1), &spread("w1.SPY.3", 1))), ["reconciled"]);

    out.clear();
    gate.on_command(until, Command::Resume, &mut out);
    assert_eq!(gate.standing(), Standing::Agreed);
    assert_eq!(gate.book().cash(), Money::from_dollars(100_390));
    assert_eq!(gate.book().trade(&held.id).unwrap().leftovers(), [(instrument(SHORT), -1)]);
    assert!(out.iter().any(|said| matches!(said, Said::Alert(a) if a.what.as_str() == "book_settled")));
}

#[test]
fn a_fill_on_its_way_is_no_difference() {
    for told_first in [false, true] {
        let mut gate = ready(limits());
        let mut out = Vec::new();
        let order = spread("w1.SPY.1", 1);
        propose(&mut gate, at(1), &order);
        let lost = FeedNote { feed: FeedName::Orders, state: FeedState::Down, at: at(1) };
        gate.on_feed(at(1), &lost, &mut out);
        gate.on_feed(at(1), &FeedNote { state: FeedState::Up, ..lost }, &mut out);
        let note = fill(&order, 1, 1, &[400, 300]);
        // Cash was asked before the fill, holdings after it.
        gate.on_account(at(2), &account(100_000), &mut out);
        if !told_first {
            gate.on_fill(at(2), &note, &mut out);
        }
        gate.on_holding(at(2), Holding { instrument: instrument(SHORT), quantity: -1 }, 0, 2, &mut out);
        gate.on_holding(at(2), Holding { instrument: instrument(LONG), quantity: 1 }, 1, 2, &mut out);
        if told_first {
            assert_ne!(gate.standing(), Standing::Agreed);
            gate.on_fill(at(3), &note, &mut out);
        }
        assert_eq!(gate.standing(), Standing::Agreed);
        assert!(!out.iter().any(|said| matches!(said, Said::Alert(a) if a.what.as_str() == "book_differs")));
    }
}

#[test]
fn expiry_explains_itself_when_the_activities_come() {
    let mut gate = ready(limits());
    let mut out = Vec::new();
    let held = open(&mut gate, "w1.SPY.1", 1);
    let evening = Date::literal(2026, 4, 17).at_new_york(20 * 3600);
    let lost = FeedNote { feed: FeedName::Orders, state: FeedState::Down, at: evening };
    gate.on_feed(evening, &lost, &mut out);
    gate.on_feed(evening, &FeedNote { state: FeedState::Up, ..lost }, &mut out);
    gate.on_account(evening, &account(100_100), &mut out);
    gate.on_no_holdings(evening, &mut out);
    assert_eq!(gate.standing(), Standing::Settling);
    for (id, symbol, quantity) in [(1, SHORT, 1), (2, LONG, -1)] {
        let activity = Activity::Expired { contract: symbol.parse().unwrap(), quantity };
        let note = ActivityNote { id, date: Date::literal(2026, 4, 17), activity };
        gate.on_activity(evening + HOUR, &note, &mut out);
    }
    assert_eq!(gate.standing(), Standing::Agreed);
    assert!(gate.book().trade(&held.id).unwrap().closed.is_some());
}

fn assign(gate: &mut Gate, now: Timestamp, out: &mut Vec<Said>) {
    let contract = SHORT.parse().unwrap();
    let symbol = Symbol::literal("SPY");
    let notes = [
        Activity::Assigned { contract, quantity: 1 },
        Activity::Delivered { symbol, shares: 100, price: Price::from_cents(56_000) },
    ];
    for (id, activity) in (1..).zip(notes) {
        gate.on_activity(now, &ActivityNote { id, date: now.new_york().0, activity }, out);
    }
}

fn cleared(out: &[Said]) -> Vec<Proposal> {
    let of = |said: &Said| match said {
        Said::Cleared(cleared) => Some(cleared.proposal().clone()),
        _ => None,
    };
    out.iter().filter_map(of).collect()
}

#[test]
fn shares_of_an_assignment_are_sold_when_the_session_is_open() {
    let mut gate = ready(limits());
    let mut out = Vec::new();
    let held = open(&mut gate, "w1.SPY.1", 1);
    let night = Date::literal(2026, 3, 17).at_new_york(2 * 3600);
    assign(&mut gate, night, &mut out);
    let told: Vec<PositionNote> = out
        .iter()
        .filter_map(|said| match said {
            Said::Position(note) => Some(note.clone()),
            _ => None,
        })
        .collect();
    let stock = told.iter().find(|n| n.id.as_str() == "w1.SPY.1+stock").unwrap();
    assert_eq!((stock.units, stock.closing), (100, Some(ExitReason::CleanUp)));

    gate.wake(night + 10 * SECOND, &mut out);
    assert!(cleared(&out).is_empty(), "the market is closed");
    let morning = Date::literal(2026, 3, 17).at_new_york(9 * 3600 + 30 * 60) + 10 * SECOND;
    assert_eq!(gate.deadline(), Some(morning));
    gate.on_mark(
        morning,
        &MarkNote { instrument: instrument("SPY"), mid: Price::from_cents(55_800), at: morning },
    );
    out.clear();
    gate.wake(morning, &mut out);
    let [sell] = &cleared(&out)[..] else { panic!("{out:?}") };
    assert_eq!((sell.id.as_str(), sell.units), ("w1.SPY.1.x1", 100));
    assert_eq!(sell.purpose, Purpose::Close { position: held.id, reason: ExitReason::CleanUp });
    assert_eq!((sell.mid, sell.natural), (Price::from_cents(-55_800), Price::from_cents(-53_010)));

    gate.on_fill(morning, &fill(sell, 9, 100, &[55_700]), &mut out);
    gate.on_done(morning, &done(sell, 100), &mut out);
    // Then the long put that has lost its partner.
    gate.on_mark(
        morning,
        &MarkNote { instrument: instrument(LONG), mid: Price::from_cents(300), at: morning },
    );
    out.clear();
    gate.wake(morning + 30 * SECOND, &mut out);
    let [sell] = &cleared(&out)[..] else { panic!("{out:?}") };
    assert_eq!((sell.legs[0].instrument, sell.legs[0].side), (instrument(LONG), Side::Sell));
    gate.on_fill(morning, &fill(sell, 10, 1, &[295]), &mut out);
    let trade = gate.book().trade(&held.id).unwrap();
    assert!(trade.closed.is_some());
    assert_eq!(gate.book().profit(trade), Money::from_dollars(100 - 300 + 295));
}

#[test]
fn flatten_closes_everything_and_tries_again() {
    let mut gate = ready(limits());
    let mut out = Vec::new();
    let held = open(&mut gate, "w1.SPY.1", 2);
    gate.on_command(at(5), Command::Flatten, &mut out);
    assert!(out.contains(&Said::Halt(HaltNote::Opening)));
    gate.wake(at(5), &mut out);
    assert!(cleared(&out).is_empty(), "no marks, no price");
    for (symbol, cents) in [(SHORT, 300), (LONG, 220)] {
        gate.on_mark(
            at(6),
            &MarkNote { instrument: instrument(symbol), mid: Price::from_cents(cents), at: at(6) },
        );
    }
    gate.wake(at(35), &mut out);
    let [close] = &cleared(&out)[..] else { panic!("{out:?}") };
    assert_eq!((close.units, close.mid, close.natural), (2, Price::from_cents(80), Price::from_cents(106)));
    gate.on_done(at(40), &done(close, 0), &mut out);
    assert_eq!(gate.book().trade(&held.id).unwrap().closing, None, "the seat may try as well");
    out.clear();
    gate.wake(at(70), &mut out);
    let [again] = &cleared(&out)[..] else { panic!("{out:?}") };
    assert_ne!(again.id, close.id);
    gate.on_fill(at(71), &fill(again, 5, 2, &[300, 220]), &mut out);
    gate.on_done(at(71), &done(again, 2), &mut out);
    out.clear();
    gate.wake(at(101), &mut out);
    assert!(cleared(&out).is_empty());
    assert_eq!((gate.operator(), gate.deadline()), (Operator::Flattening, None));
}

proptest! {
    // No file of failures: it would land beside the rooms, where the workspace looks for crates.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is proposed, filled and given up: what is cleared never exceeds the limits.
    #[test]
    fn limits_hold(steps in prop::collection::vec((1u32..20, 0u32..20, any::<bool>()), 1..30)) {
        let mut gate = ready(Limits { trades_per_underlying: 6, open_trades: 6, ..limits() });
        for (n, (units, filled, finish)) in steps.into_iter().enumerate() {
            let proposal = spread(&format!("w1.SPY.{n}"), units);
            let cleared = propose(&mut gate, at(1), &proposal).units;
            prop_assert!(cleared <= units.min(5));
            let granted = Proposal { units: cleared, ..proposal };
            let filled = filled.min(cleared);
            if filled > 0 {
                gate.on_fill(at(1), &fill(&granted, n as u64, filled, &[400, 300]), &mut Vec::new());
            }
            if finish && cleared > 0 {
                gate.on_done(at(1), &done(&granted, filled), &mut Vec::new());
            }
            prop_assert!(gate.heat(at(1), &granted) <= Money::from_dollars(5_000));
            prop_assert!(gate.book().audit().is_ok());
        }
    }
}
