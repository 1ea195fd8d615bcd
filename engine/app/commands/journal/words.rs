//! A record as a line of words.

use desk::letter::{Address, Letter};
use forecast::notes::Drift;
use journal::export::address_name;
use journal::{Body, Kind, Record, RunEvent, RunNote};
use market::order::{Activity, Legs, Outcome, Pricing, Request};
use market::quote::{Level, MarketEvent};
use market::time::{MS, SECOND};
use market::{Price, Timestamp};
use portfolio::proposal::{Proposal, Purpose};
use risk::{Decision, Verdict};

/// Above the lines.
pub(super) const HEADING: &str = "    number  New York time            who        heard/said  what";

/// One record.
pub(super) fn line(record: &Record) -> String {
    let (who, how) = match (record.seat(), record.kind) {
        (seat, Kind::Heard) => (address_name(seat), "heard"),
        (seat, Kind::Said) => (address_name(seat), "said"),
        (_, Kind::Run) => ("engine".to_string(), "run"),
    };
    let what = match &record.body {
        Body::Run(note) => of_run(note),
        Body::Letter(envelope) => {
            let way = match (record.kind, envelope.to) {
                (Kind::Said, Address::Record | Address::Operator) | (Kind::Heard, _) | (Kind::Run, _) => {
                    String::new()
                }
                (Kind::Said, to) => format!(" (to {})", address_name(to)),
            };
            format!("{}{way}", of_letter(&envelope.letter))
        }
    };
    format!("{:>10}  {:<23}  {who:<9}  {how:<10}  {what}", record.seq, new_york(record.at))
}

/// `2026-03-16 09:31:02.118`.
pub(super) fn new_york(at: Timestamp) -> String {
    let (date, of_day) = at.new_york();
    let s = of_day / SECOND;
    format!("{date} {:02}:{:02}:{:02}.{:03}", s / 3600, s / 60 % 60, s % 60, of_day % SECOND / MS)
}

fn of_run(note: &RunNote) -> String {
    let run = note.run;
    match note.event {
        RunEvent::Started => {
            let seeds: Vec<String> = note.seeds.iter().map(|(name, seed)| format!("{name} {seed}")).collect();
            format!("run {run} began, version {}, seeds: {}", note.version, seeds.join(", "))
        }
        RunEvent::Ended { dropped, refused } => {
            format!("run {run} ended in order; {dropped} dropped, {refused} refused")
        }
        RunEvent::FoundDead { drained, dropped, refused } => {
            format!(
                "run {run} was found dead; {drained} drained from its rings, {dropped} dropped, {refused} refused"
            )
        }
    }
}

fn of_model(letter: &Letter) -> String {
    let odds =
        |odds: &forecast::Odds| format!("down {:.2} flat {:.2} up {:.2}", odds.down, odds.flat, odds.up);
    match letter {
        Letter::Predicted(p) => format!(
            "{} {} predicts {} at {:.2}, {} bars of {} ahead",
            p.model.name,
            p.model.version,
            odds(&p.odds),
            p.close,
            p.horizon_bars,
            p.model.timeframe
        ),
        Letter::Scored(s) => format!(
            "{} {} of {} said {} at {}: it went {:?}, Brier {:.3}",
            s.model.name,
            s.model.version,
            s.model.timeframe,
            odds(&s.odds),
            s.at,
            s.outcome,
            s.brier()
        ),
        Letter::Combined(note) => format!(
            "ensemble {}: {}, agreement {:.2}, {} of {} members, {:?}",
            note.ensemble,
            odds(&note.forecast.odds),
            note.forecast.agreement,
            note.forecast.members.count_ones(),
            note.models.len(),
            note.standing
        ),
        Letter::Drift(note) => match note.drift {
            Drift::Features { feature, psi, ks, moved } => format!(
                "drift of {} {}: {feature} moved most (PSI {psi:.2}, KS {ks:.2}), {moved} features in {} rows",
                note.model.name, note.model.version, note.rows
            ),
            Drift::Loss { before, since } => format!(
                "drift of {} {}: Brier {before:.3} before, {since:.3} over the last {} predictions",
                note.model.name, note.model.version, note.rows
            ),
        },
        _ => String::new(),
    }
}

fn of_letter(letter: &Letter) -> String {
    match letter {
        Letter::Market(event) => of_market(event),
        Letter::Feed(note) => format!("feed {:?} is {:?}", note.feed, note.state).to_lowercase(),
        Letter::Model(note) => {
            format!("model {} {} for {}, {:016x}", note.name, note.version, note.timeframe, note.digest)
        }
        Letter::Forecast(note) => format!(
            "forecast at the close of {}: down {:.2} flat {:.2} up {:.2} (own model {:.2} {:.2} {:.2}), agreement {:.2}, spot {}",
            note.timeframe,
            note.forecast.odds.down,
            note.forecast.odds.flat,
            note.forecast.odds.up,
            note.odds.down,
            note.odds.flat,
            note.odds.up,
            note.forecast.agreement,
            note.spot
        ),
        Letter::Shelf(letter) => crate::commands::models::words(letter),
        Letter::Predicted(_) | Letter::Scored(_) | Letter::Combined(_) | Letter::Drift(_) => of_model(letter),
        Letter::Propose(proposal) => format!("propose {}", of_proposal(proposal)),
        Letter::Decided(decision) => of_decision(decision),
        Letter::Cleared(cleared) => format!("cleared {}", of_proposal(cleared.proposal())),
        Letter::Request(request) => of_request(request),
        Letter::Report(report) => format!("report on {}: {}", report.id, of_outcome(&report.outcome)),
        Letter::Fill(note) => format!(
            "fill of {}: {} units, {}; mid on arrival {}",
            note.order,
            note.execution.units,
            of_fills(&note.execution),
            note.arrival_mid
        ),
        Letter::Done(note) => format!(
            "done with {}: {:?}, {} of {} units",
            note.proposal, note.ending, note.filled_units, note.wanted_units
        ),
        Letter::Position(note) => format!(
            "position {} {} x{} at {}: {}",
            note.id,
            note.structure,
            note.units,
            note.entry,
            of_legs(&note.legs)
        ),
        other => of_account(other),
    }
}

fn of_account(letter: &Letter) -> String {
    match letter {
        Letter::Activity(note) => format!("booked on {}: {}", note.date, of_activity(&note.activity)),
        Letter::Account(account) => format!(
            "account: cash {}, equity {}, options buying power {}{}",
            account.cash,
            account.equity,
            account.options_buying_power,
            if account.may_trade { "" } else { ", MAY NOT TRADE" }
        ),
        Letter::Holding { holding, index, of } => {
            format!("holds {:+} {} ({} of {of})", holding.quantity, holding.instrument, index + 1)
        }
        Letter::NoHoldings => "holds nothing".to_string(),
        Letter::Halt(note) => format!("halt: {note:?}"),
        Letter::Resume => "ask what became of every order".to_string(),
        Letter::Mark(note) => format!("mark {} {}", note.instrument, note.mid),
        Letter::Command(command) => format!("command {command:?}"),
        Letter::Alert(note) => format!("{:?} {}: {}", note.severity, note.what, note.detail),
        Letter::Wake => "its deadline came".to_string(),
        Letter::Stopping => "the run is about to end: nothing new begins".to_string(),
        other => format!("{other:?}"),
    }
}

fn of_market(event: &MarketEvent) -> String {
    let level =
        |level: Option<Level>| level.map_or("none".to_string(), |l| format!("{} x{}", l.price, l.size));
    match event {
        MarketEvent::Quote(of, quote) => format!("quote {of} {} / {}", level(quote.bid), level(quote.ask)),
        MarketEvent::Trade(of, trade) => {
            format!("trade {of} {} x{} {:?}", trade.price, trade.size, trade.rule)
        }
        MarketEvent::Cancel(symbol, id, _) => format!("trade {id} of {symbol} taken back"),
        MarketEvent::Bar { symbol, timeframe, bar, .. } => format!(
            "bar {symbol} {timeframe} from {}: {} {} {} {} volume {}",
            new_york(bar.start),
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume
        ),
        MarketEvent::OpenInterest(note) => {
            format!("open interest {} {} as of {}", note.contract, note.contracts, note.as_of)
        }
        MarketEvent::Status(of, status) => {
            format!("{of} {} {}", if status.halted { "halted" } else { "trades again" }, status.reason)
        }
    }
}

fn of_proposal(p: &Proposal) -> String {
    let purpose = match p.purpose {
        Purpose::Open { structure } => format!("open {structure}"),
        Purpose::Close { position, reason } => format!("close {position} for {reason:?}"),
    };
    let Proposal { id, underlying, units, mid, natural, max_loss, confidence, .. } = p;
    format!(
        "{id} {underlying} {purpose} x{units}: {}; mid {mid}, far side {natural}, loses at most {max_loss} a unit, confidence {confidence:.2}",
        of_legs(&p.legs)
    )
}

fn of_decision(decision: &Decision) -> String {
    let refusing: Vec<String> = decision
        .checks
        .iter()
        .filter(|row| row.verdict == Verdict::Refuse)
        .map(|row| format!("{} ({} against {})", row.check, row.measured, row.limit))
        .collect();
    if decision.units == 0 {
        return format!("refused {} by {}", decision.proposal, refusing.join(", "));
    }
    format!("cleared {} for {} units, {} checks", decision.proposal, decision.units, decision.checks.len())
}

fn of_request(request: &Request) -> String {
    match request {
        Request::Submit(ticket) => format!(
            "submit {} {} x{} {}: {}",
            ticket.id,
            ticket.underlying,
            ticket.units,
            of_pricing(ticket.pricing),
            of_legs(&ticket.legs)
        ),
        Request::Replace { id, new_id, limit } => format!("replace {id} by {new_id} at {limit}"),
        Request::Cancel { id } => format!("cancel {id}"),
        Request::LookUp { id } => format!("look up {id}"),
    }
}

fn of_pricing(pricing: Pricing) -> String {
    match pricing {
        Pricing::Limit(limit) if limit < Price::ZERO => format!("receiving {} or more", limit.abs()),
        Pricing::Limit(limit) => format!("paying {limit} or less"),
        Pricing::Market => "at the market".to_string(),
    }
}

fn of_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted => "accepted".to_string(),
        Outcome::Working => "working".to_string(),
        Outcome::Filled(e) => {
            format!("filled {} units ({} so far), {}", e.units, e.units_so_far, of_fills(e))
        }
        Outcome::Canceled => "canceled".to_string(),
        Outcome::Expired => "expired".to_string(),
        Outcome::Rejected { code, reason } => format!("rejected ({code}): {reason}"),
        Outcome::Replaced { by } => format!("replaced by {by}"),
        Outcome::ReplaceRejected { reason } => format!("not replaced: {reason}"),
        Outcome::CancelRejected { reason } => format!("not canceled: {reason}"),
        Outcome::NotFound => "unknown to the venue".to_string(),
        Outcome::Unknown => "no clear answer".to_string(),
    }
}

fn of_activity(activity: &Activity) -> String {
    match activity {
        Activity::Expired { contract, quantity } => format!("expired {quantity:+} {contract}"),
        Activity::Assigned { contract, quantity } => format!("assigned {quantity:+} {contract}"),
        Activity::Exercised { contract, quantity } => format!("exercised {quantity:+} {contract}"),
        Activity::Delivered { symbol, shares, price } => format!("delivered {shares:+} {symbol} at {price}"),
        Activity::CashSettled { contract, quantity, amount } => {
            format!("settled {quantity:+} {contract} for {amount} in cash")
        }
        Activity::Fee { kind, amount } => format!("fee {kind} {amount}"),
        Activity::Cash { kind, amount } => format!("cash {kind} {amount}"),
    }
}

fn of_legs(legs: &Legs) -> String {
    let legs: Vec<String> =
        legs.iter().map(|leg| format!("{:+} {}", leg.signed_ratio(), leg.instrument)).collect();
    legs.join(", ")
}

fn of_fills(execution: &market::order::Execution) -> String {
    let leg =
        |leg: &market::order::LegFill| format!("{:+} {} at {}", leg.quantity, leg.instrument, leg.price);
    execution.legs.iter().map(leg).collect::<Vec<_>>().join(", ")
}
