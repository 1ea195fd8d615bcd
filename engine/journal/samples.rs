//! One letter of each kind, for tests of this room.

use crate::record::{RunEvent, RunNote};
use desk::{Address, Envelope, Letter};
use forecast::notes::{CombinedNote, Drift, DriftNote, ForecastNote, ModelNote, Standing};
use forecast::shelf::notes::{Figures, ShelfLetter, ShelfNote, Step};
use forecast::{Class, Forecast, LabelRule, Odds, Prediction, Scored};
use market::alert::{AlertNote, Severity};
use market::feed::{FeedName, FeedNote, FeedState};
use market::order::{
    Account, Activity, ActivityNote, Effect, Execution, Holding, Leg, LegFill, Legs, Outcome, Pricing,
    Report, Request, Side, Ticket,
};
use market::quote::{Level, MarketEvent, Quote, Timeframe};
use market::{Contract, Date, Instrument, Label, Money, OrderId, Price, Symbol, Timestamp};
use portfolio::notes::{DoneNote, Ending, FillNote, MarkNote, PositionNote};
use portfolio::proposal::{Proposal, Purpose};
use risk::Decision;
use risk::cleared::{CheckResult, Verdict};
use risk::command::{Command, HaltNote};

pub const SPY: Symbol = Symbol::literal("SPY");
pub const AT: Timestamp = Timestamp::from_seconds(1_773_671_400);

pub fn contract(strike: u32) -> Contract {
    let expiry = Date::from_ymd(2026, 4, 17).expect("a date");
    Contract { root: SPY, expiry, strike_mils: strike * 1000, right: market::Right::Put }
}

pub fn quote(cents: i64, at: Timestamp) -> Envelope {
    let level = |cents| Some(Level { price: Price::from_cents(cents), size: 10 });
    let quote = Quote { bid: level(cents), ask: level(cents + 2), at };
    let letter = Letter::Market(MarketEvent::Quote(Instrument::Option(contract(560)), quote));
    Envelope { from: Address::Venue, to: Address::Underlying(SPY), at, letter }
}

pub fn legs() -> Legs {
    let leg = |strike, side| Leg {
        instrument: Instrument::Option(contract(strike)),
        side,
        effect: Effect::Open,
        ratio: 1,
    };
    [leg(560, Side::Sell), leg(555, Side::Buy)].into_iter().collect()
}

pub fn proposal(id: &str, purpose: Purpose) -> Proposal {
    Proposal {
        id: Label::literal(id),
        underlying: SPY,
        purpose,
        legs: legs(),
        units: 2,
        mid: Price::from_cents(-120),
        natural: Price::from_cents(-110),
        max_loss: Money::from_dollars(390),
        max_profit: Money::from_dollars(120),
        margin: Money::from_dollars(500),
        confidence: 0.6,
        spot: Price::from_cents(57_000),
        at: AT,
    }
}

pub fn opening() -> Purpose {
    Purpose::Open { structure: Label::literal("bull_put_spread") }
}

pub fn decision(id: &str, units: u32) -> Decision {
    let check = |name, verdict, dollars| CheckResult {
        check: Label::literal(name),
        verdict,
        measured: Money::from_dollars(dollars),
        limit: Money::from_dollars(500),
    };
    let last = if units == 0 { Verdict::Refuse } else { Verdict::Shrink { units } };
    let checks = [check("max_loss_per_trade", Verdict::Pass, 390), check("portfolio_heat", last, 780)];
    Decision { proposal: Label::literal(id), units, checks: checks.into_iter().collect() }
}

pub fn fill(proposal: &str, order: &str, id: u64, prices: [(i64, i64); 2]) -> FillNote {
    let leg = |strike, (quantity, cents)| LegFill {
        instrument: Instrument::Option(contract(strike)),
        quantity,
        price: Price::from_cents(cents),
    };
    let legs = [leg(560, prices[0]), leg(555, prices[1])].into_iter().collect();
    FillNote {
        proposal: Label::literal(proposal),
        order: OrderId::literal(order),
        execution: Execution { id, units: 2, units_so_far: 2, legs },
        arrival_mid: Price::from_cents(-120),
        at: AT,
    }
}

pub fn request(order: &str) -> Request {
    Request::Submit(Ticket {
        id: OrderId::literal(order),
        underlying: SPY,
        legs: legs(),
        units: 2,
        pricing: Pricing::Limit(Price::from_cents(-118)),
    })
}

pub fn report(order: &str, outcome: Outcome) -> Report {
    Report { id: OrderId::literal(order), outcome, at: AT }
}

pub fn rejected() -> Outcome {
    Outcome::Rejected {
        code: 40_310_000,
        reason: market::text::Text::format(format_args!("no buying power")),
    }
}

pub fn said(from: Address, to: Address, letter: Letter) -> Envelope {
    Envelope { from, to, at: AT, letter }
}

pub fn fee(id: u64, cents: i64) -> Letter {
    let date = AT.utc_date();
    let activity = Activity::Fee { kind: Label::literal("ORF"), amount: Money::from_cents(cents) };
    Letter::Activity(ActivityNote { id, date, activity })
}

pub fn run_note() -> RunNote {
    RunNote {
        run: 3,
        event: RunEvent::Started,
        version: Label::literal("0.1.0"),
        seeds: vec![(Label::literal("market"), 42), (Label::literal("venue"), 7)],
        at: AT,
    }
}

/// One of each, in the order of `LetterKind`.
pub fn every_letter() -> Vec<Envelope> {
    let own = Address::Underlying(SPY);
    let odds = Odds { down: 0.2, flat: 0.3, up: 0.5 };
    let forecast = Forecast { odds, confidence: 0.5, agreement: 0.8, members: 0b11_1111_1111 };
    let feed = FeedNote { feed: FeedName::Options, state: FeedState::Up, at: AT };
    let model = ModelNote {
        timeframe: Timeframe::Hour4,
        name: Label::literal("dense"),
        version: Label::literal("1.0.0"),
        digest: 99,
    };
    let told = ForecastNote {
        symbol: SPY,
        timeframe: Timeframe::Min5,
        odds,
        forecast,
        spot: Price::from_cents(57_000),
        at: AT,
    };
    let (predicted, scored, combined, drift) = judged(model, forecast);
    vec![
        quote(415, AT),
        said(Address::Venue, own, Letter::Feed(feed)),
        said(Address::Operator, own, Letter::Model(model)),
        said(own, Address::Record, Letter::Forecast(told)),
        said(own, Address::Risk, Letter::Propose(proposal("w3.SPY.17", opening()))),
        said(Address::Risk, own, Letter::Decided(decision("w3.SPY.17", 1))),
        said(Address::Risk, Address::Execution, cleared(proposal("w3.SPY.17", opening()))),
        said(Address::Execution, Address::Venue, Letter::Request(request("w3.SPY.17.1"))),
        said(Address::Venue, Address::Execution, Letter::Report(report("w3.SPY.17.1", rejected()))),
        said(Address::Execution, Address::Risk, Letter::Fill(fill("p", "o", 5, [(-2, 400), (2, 280)]))),
        said(Address::Execution, Address::Risk, Letter::Done(done("w3.SPY.17"))),
        said(Address::Risk, own, Letter::Position(position("w3.SPY.17", 2))),
        said(Address::Venue, Address::Risk, fee(77, -4)),
        said(Address::Venue, Address::Risk, Letter::Account(account())),
        said(Address::Venue, Address::Risk, holding()),
        said(Address::Venue, Address::Risk, Letter::NoHoldings),
        said(own, Address::Risk, Letter::Mark(mark())),
        said(Address::Operator, Address::Risk, Letter::Command(Command::Flatten)),
        said(Address::Risk, Address::Operator, alert()),
        said(own, own, Letter::Wake),
        said(Address::Risk, Address::Execution, Letter::Halt(HaltNote::Everything)),
        said(Address::Operator, Address::Execution, Letter::Resume),
        said(Address::Operator, Address::Risk, Letter::Stopping),
        said(own, Address::Record, Letter::Predicted(predicted)),
        said(own, Address::Record, Letter::Scored(scored)),
        said(own, Address::Record, Letter::Combined(combined)),
        said(own, Address::Record, Letter::Drift(drift)),
        said(Address::Shelf, Address::Record, Letter::Shelf(step(model))),
    ]
}

fn step(model: ModelNote) -> ShelfLetter {
    let figures = Figures { against: 98, scored: 2_000, blocks: 33, loss: 0.61, other: 0.66, p: 1e-4 };
    ShelfLetter::Step(ShelfNote { model, step: Step::Promoted, figures, at: AT })
}

/// What becomes of a model's forecasts.
fn judged(model: ModelNote, forecast: Forecast) -> (Prediction, Scored, CombinedNote, DriftNote) {
    let odds = forecast.odds;
    let rule = LabelRule::TripleBarrier { up_atr: 0.5, down_atr: 0.25 };
    let (bar, at) = (AT, AT + 60_000_000_000);
    let predicted =
        Prediction { model, symbol: SPY, at, bar, close: 570.01, atr: 1.25, odds, rule, horizon_bars: 6 };
    let scored = Scored { model, symbol: SPY, at, due: at + 1, odds, outcome: Class::Up };
    let combined = CombinedNote {
        symbol: SPY,
        ensemble: Label::literal("full"),
        forecast,
        standing: Standing::Held,
        timeframe: model.timeframe,
        horizon_bars: 6,
        models: [7; Timeframe::COUNT],
        at,
    };
    let drift = Drift::Features { feature: Label::literal("rsi"), psi: 0.3, ks: 0.25, moved: 2 };
    (predicted, scored, combined, DriftNote { model, symbol: SPY, drift, rows: 200, at })
}

/// A permit as only a journal can hand one out here: its maker belongs to risk, its stored form is the proposal's.
fn cleared(proposal: Proposal) -> Letter {
    let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(&proposal).expect("encodes");
    Letter::Cleared(rkyv::from_bytes::<risk::Cleared, rkyv::rancor::Error>(&bytes).expect("same layout"))
}

fn done(proposal: &str) -> DoneNote {
    DoneNote {
        proposal: Label::literal(proposal),
        underlying: SPY,
        filled_units: 2,
        wanted_units: 2,
        ending: Ending::Filled,
        at: AT,
    }
}

pub fn position(id: &str, units: u32) -> PositionNote {
    PositionNote {
        id: Label::literal(id),
        underlying: SPY,
        structure: Label::literal("bull_put_spread"),
        legs: legs(),
        units,
        entry: Price::from_cents(-118),
        max_profit: Money::from_dollars(118),
        max_loss: Money::from_dollars(382),
        opened: AT,
        closing: None,
    }
}

fn account() -> Account {
    Account {
        cash: Money::from_dollars(100_000),
        equity: Money::from_dollars(100_120),
        options_buying_power: Money::from_dollars(99_000),
        may_trade: true,
        at: AT,
    }
}

fn holding() -> Letter {
    let holding = Holding { instrument: Instrument::Stock(SPY), quantity: -100 };
    Letter::Holding { holding, index: 0, of: 3 }
}

fn mark() -> MarkNote {
    MarkNote { instrument: Instrument::Option(contract(560)), mid: Price::from_cents(401), at: AT }
}

fn alert() -> Letter {
    Letter::Alert(AlertNote {
        severity: Severity::Warning,
        what: Label::literal("book_differs"),
        detail: market::text::Text::format(format_args!("SPY 2 ours, 1 theirs")),
        at: AT,
    })
}
