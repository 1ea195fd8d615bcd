//! A scripted day with a synthetic chain: entries, exits by each reason, everything that must keep it from
//! entering, and the same words twice.

use crate::entry;
use crate::exit;
use crate::marking;
use crate::search_test::{DAY, EXPIRY, SPOT, SPY, contracts, eleven, model_quote, settings as search};
use crate::structures::tests::{calendar, shipped};
use crate::{Blocked, Said, Settings, Underlying};
use forecast::ensemble::Rule;
use forecast::notes::ModelNote;
use forecast::{Ensemble, Plan, PlanFault};
use market::command::Command;
use market::feed::{FeedName, FeedNote, FeedState};
use market::quote::{Level, MarketEvent, OpenInterest, Quote, SaleRule, Status, Timeframe, Trade};
use market::time::{MINUTE, SECOND};
use market::{Contract, Date, Instrument, Label, Price, Symbol, Timestamp};
use portfolio::notes::{DoneNote, Ending, PositionNote};
use portfolio::{ExitReason, Proposal, Purpose};
use pricing::chain::terms::Liquidity;

const UP: [f32; 3] = [0.1, 0.2, 0.7];
const FLAT: [f32; 3] = [0.2, 0.6, 0.2];

/// Says the same whatever it is asked.
struct Parrot(Result<[f32; 3], PlanFault>);

impl Plan for Parrot {
    fn predict(&mut self, _features: &[f32], out: &mut [f32; 3]) -> Result<(), PlanFault> {
        *out = self.0?;
        Ok(())
    }
}

fn parrot(timeframe: Timeframe) -> ModelNote {
    let (name, version) = (Label::literal("parrot"), Label::literal("1"));
    ModelNote { timeframe, name, version, digest: 7 }
}

fn settings() -> Settings {
    Settings {
        structures: shipped(),
        ensemble: Ensemble::shipped("full").expect("listed"),
        particular: Vec::new(),
        entry: entry::Settings {
            confidence_min: 0.5,
            agreement_min: 0.6,
            lean_min: 0.1,
            positions_max: 1,
            units: 2,
            cooldown_ns: 5 * MINUTE,
            search_every_ns: SECOND,
            after_open_ns: 10 * MINUTE,
            before_close_ns: 15 * MINUTE,
        },
        exit: exit::Settings {
            profit_target: 0.5,
            stop_multiple: 2.0,
            days_min: 7,
            last_day_from_s: 15 * 3600,
            age_max_ns: 60 * SECOND,
            retry_ns: 30 * SECOND,
        },
        search: search(),
        marking: marking(),
        spot_age_max_ns: 5 * SECOND,
        mark_every_ns: 10 * SECOND,
        missing_max: u32::MAX,
        inference: true,
    }
}

fn marking() -> marking::Settings {
    marking::Settings {
        remark_every_ns: 100_000_000,
        refit_every_ns: 10 * SECOND,
        liquidity: Liquidity {
            relative_spread_max: 0.5,
            size_min: 1,
            open_interest_min: 0,
            volume_min: 0,
            age_max_ns: MINUTE,
        },
    }
}

/// One core, its market and its clock.
pub struct Script {
    pub settings: Settings,
    pub now: Timestamp,
    pub out: Vec<Said>,
    core: Option<Underlying>,
}

impl Script {
    pub fn new() -> Self {
        Self { settings: settings(), now: eleven(), out: Vec::with_capacity(64), core: None }
    }

    fn core(&mut self) -> &mut Underlying {
        self.core.as_mut().expect("started")
    }

    /// A started core whose chain is listed and quoted.
    pub fn start(&mut self) {
        self.core = Some(Underlying::new(SPY, 3, self.settings.clone()));
        self.quote_chain(SPOT);
        for contract in contracts(EXPIRY) {
            let told = OpenInterest { contract, contracts: 500, as_of: DAY.plus(-3) };
            self.hear(&MarketEvent::OpenInterest(told));
        }
    }

    fn started(odds: [f32; 3]) -> Self {
        let mut script = Self::new();
        script.start();
        script.install(Ok(odds));
        script
    }

    fn install(&mut self, answer: Result<[f32; 3], PlanFault>) {
        let now = self.now;
        for timeframe in Timeframe::ALL {
            self.core().install(now, timeframe, Some(Box::new(Parrot(answer))), parrot(timeframe));
        }
    }

    fn hear(&mut self, event: &MarketEvent) {
        let (now, core) = (self.now, self.core.as_mut().expect("started"));
        core.on_market(now, event, &mut self.out);
    }

    pub fn option_quote(&mut self, contract: &Contract, quote: Quote) {
        self.hear(&MarketEvent::Quote(Instrument::Option(*contract), quote));
    }

    fn quote_chain(&mut self, spot: f64) {
        for contract in contracts(EXPIRY) {
            let quote = model_quote(&contract, spot, self.now);
            self.option_quote(&contract, quote);
        }
    }

    pub fn stock_quote(&mut self, mid: f64) {
        let cents = (mid * 100.0).round() as i64;
        self.stock_levels(cents - 1, cents + 1);
    }

    fn stock_levels(&mut self, bid: i64, ask: i64) {
        let level = |cents| Some(Level { price: Price::from_cents(cents), size: 300 });
        let quote = Quote { bid: level(bid), ask: level(ask), at: self.now };
        self.hear(&MarketEvent::Quote(Instrument::Stock(SPY), quote));
    }

    pub fn stock_trade(&mut self, price: f64) {
        let price = Price::from_cents((price * 100.0).round() as i64);
        let trade = Trade { price, size: 100, at: self.now, id: 0, rule: SaleRule::Regular };
        self.hear(&MarketEvent::Trade(Instrument::Stock(SPY), trade));
    }

    pub fn wake(&mut self) {
        let (now, core) = (self.now, self.core.as_mut().expect("started"));
        core.wake(now, &mut self.out);
    }

    fn feed(&mut self, feed: FeedName, state: FeedState) {
        let (now, core) = (self.now, self.core.as_mut().expect("started"));
        core.on_feed(now, &FeedNote { feed, state, at: now }, &mut self.out);
    }

    fn command(&mut self, command: Command) {
        let (now, core) = (self.now, self.core.as_mut().expect("started"));
        core.on_command(now, command, &mut self.out);
    }

    fn decided(&mut self, proposal: Label, units: u32) {
        let (now, core) = (self.now, self.core.as_mut().expect("started"));
        core.on_decided(now, proposal, units, &mut self.out);
    }

    fn done(&mut self, proposal: &Proposal, ending: Ending) {
        let filled = if ending == Ending::Filled { proposal.units } else { 0 };
        let note = DoneNote {
            proposal: proposal.id,
            underlying: SPY,
            filled_units: filled,
            wanted_units: proposal.units,
            ending,
            at: self.now,
        };
        let (now, core) = (self.now, self.core.as_mut().expect("started"));
        core.on_done(now, &note, &mut self.out);
    }

    fn position(&mut self, note: &PositionNote) {
        let (now, core) = (self.now, self.core.as_mut().expect("started"));
        core.on_position(now, note, &mut self.out);
    }

    /// Lets time pass and takes the proposals said since.
    fn proposals(&mut self) -> Vec<Proposal> {
        let said = std::mem::take(&mut self.out);
        said.into_iter()
            .filter_map(|s| match s {
                Said::Propose(p) => Some(p),
                _ => None,
            })
            .collect()
    }

    fn one_proposal(&mut self) -> Proposal {
        let mut all = self.proposals();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    fn alerts(&self) -> Vec<String> {
        let of = |s: &Said| match s {
            Said::Alert(a) => Some(format!("{}: {}", a.what, a.detail)),
            _ => None,
        };
        self.out.iter().filter_map(of).collect()
    }

    fn blocked(&self) -> Option<Blocked> {
        self.core.as_ref().and_then(|core| core.blocked(self.now))
    }

    fn later(&mut self, ns: i64) {
        self.now = self.now + ns;
    }

    /// What a bull put spread sold at 1.20 looks like when it is held.
    pub fn hold_bull_put(&mut self) -> PositionNote {
        let leg = |strike: u32, side| market::order::Leg {
            instrument: Instrument::Option(Contract {
                root: SPY,
                expiry: EXPIRY,
                strike_mils: strike * 1000,
                right: market::Right::Put,
            }),
            side,
            effect: market::order::Effect::Open,
            ratio: 1,
        };
        let note = PositionNote {
            id: Label::literal("w1.SPY.9"),
            underlying: SPY,
            structure: Label::literal("bull_put_spread"),
            legs: [leg(545, market::order::Side::Sell), leg(540, market::order::Side::Buy)]
                .into_iter()
                .collect(),
            units: 2,
            entry: Price::from_cents(-120),
            max_profit: market::Money::from_dollars(120),
            max_loss: market::Money::from_dollars(380),
            opened: self.now,
            closing: None,
        };
        self.position(&note);
        note
    }

    /// Quotes the held spread so that closing it costs about `cents` at mid.
    fn quote_spread(&mut self, note: &PositionNote, cents: i64) {
        let at = self.now;
        let level = |cents: i64| Some(Level { price: Price::from_cents(cents), size: 10 });
        let [short, long] = [0, 1].map(|i| note.legs[i].instrument.contract().expect("an option"));
        let base = 300;
        self.option_quote(&long, Quote { bid: level(base - 2), ask: level(base + 2), at });
        self.option_quote(&short, Quote { bid: level(base + cents - 3), ask: level(base + cents + 3), at });
    }
}

#[test]
fn an_up_forecast_opens_a_bull_put() {
    let mut s = Script::started(UP);
    s.stock_quote(SPOT);
    let p = s.one_proposal();
    assert_eq!(p.id.as_str(), "w3.SPY.1");
    assert_eq!(p.purpose, Purpose::Open { structure: Label::literal("bull_put_spread") });
    assert_eq!((p.units, p.legs.len(), p.spot), (2, 2, Price::from_cents(56_000)));
    assert!((p.confidence - 0.7).abs() < 1e-5);
    assert!(p.mid < Price::ZERO && p.max_loss.dollars() > 300.0 && p.margin.dollars() == 500.0);
    // Pending until it is refused or done.
    s.later(SECOND);
    s.stock_quote(SPOT);
    assert!(s.proposals().is_empty());
    assert_eq!(s.blocked(), Some(Blocked::Pending));
}

#[test]
fn a_flat_forecast_opens_a_condor_and_leaning_up_a_bull_put() {
    let mut s = Script::started(FLAT);
    s.stock_quote(SPOT);
    assert_eq!(s.one_proposal().purpose, Purpose::Open { structure: Label::literal("iron_condor") });
    let mut s = Script::started([0.1, 0.6, 0.3]);
    s.stock_quote(SPOT);
    assert_eq!(s.one_proposal().purpose, Purpose::Open { structure: Label::literal("bull_put_spread") });
    // No structure is bearish.
    let mut s = Script::started([0.7, 0.2, 0.1]);
    s.stock_quote(SPOT);
    assert!(s.proposals().is_empty());
    assert!(s.core().shortfall().is_some());
}

#[test]
fn refusal_and_giving_up_cool_down() {
    let mut s = Script::started(UP);
    s.stock_quote(SPOT);
    let first = s.one_proposal();
    s.decided(first.id, 0);
    s.later(SECOND);
    s.stock_quote(SPOT);
    assert!(s.proposals().is_empty());
    s.later(5 * MINUTE);
    s.quote_chain(SPOT);
    s.stock_quote(SPOT);
    let second = s.one_proposal();
    assert_eq!(second.id.as_str(), "w3.SPY.2");
    s.decided(second.id, 2);
    s.later(10 * MINUTE);
    s.quote_chain(SPOT);
    s.stock_quote(SPOT);
    assert!(s.proposals().is_empty(), "cleared is still pending");
    s.done(&second, Ending::GaveUp);
    s.later(5 * MINUTE);
    s.quote_chain(SPOT);
    s.stock_quote(SPOT);
    assert_eq!(s.one_proposal().id.as_str(), "w3.SPY.3");
}

#[test]
fn nothing_is_opened_when_it_must_not_be() {
    type Spoil = fn(&mut Script);
    let spoils: [(Blocked, Spoil); 10] = [
        (Blocked::Feed, |s| s.feed(FeedName::Stocks, FeedState::Down)),
        (Blocked::Feed, |s| s.feed(FeedName::Stocks, FeedState::Mute)),
        (Blocked::Halted, |s| {
            let status = Status { halted: true, reason: Label::literal("LUDP"), at: s.now };
            s.hear(&MarketEvent::Status(Instrument::Stock(SPY), status));
        }),
        (Blocked::Spot, |s| s.later(6 * SECOND)),
        (Blocked::Spot, |s| s.stock_levels(56_010, 55_990)),
        (Blocked::Operator, |s| s.command(Command::Pause)),
        (Blocked::Operator, |s| s.command(Command::Kill)),
        (Blocked::Hours, |s| {
            s.now = DAY.at_new_york(15 * 3600 + 46 * 60);
            s.wake();
        }),
        (Blocked::Positions, |s| {
            s.hold_bull_put();
        }),
        (Blocked::Forecast, |s| {
            s.install(Ok([0.3, 0.4, 0.3]));
            s.stock_quote(SPOT);
        }),
    ];
    for (wanted, spoil) in spoils {
        let mut s = Script::started(UP);
        // A first tick in a core that may not enter yet, so that only the spoil can stop it.
        let until = s.now + SECOND;
        s.core().no_entry_for_test(until);
        s.stock_quote(SPOT);
        s.later(SECOND);
        assert_eq!(s.blocked(), None);
        spoil(&mut s);
        assert_eq!(s.blocked(), Some(wanted));
        s.stock_trade(SPOT);
        let opened = s.proposals().into_iter().filter(|p| matches!(p.purpose, Purpose::Open { .. })).count();
        // A trade shows that the stock feed lives; then only the missing quote stops it.
        assert_eq!(opened, 0, "{wanted:?}");
    }
}

#[test]
fn stale_or_crossed_options_open_nothing() {
    let mut s = Script::started(UP);
    s.later(31 * SECOND);
    s.stock_quote(SPOT);
    assert!(s.proposals().is_empty(), "stale chain");
    s.feed(FeedName::Options, FeedState::Down);
    s.later(2 * SECOND);
    for contract in contracts(EXPIRY) {
        let mut quote = model_quote(&contract, SPOT, s.now);
        std::mem::swap(&mut quote.bid, &mut quote.ask);
        s.option_quote(&contract, quote);
    }
    s.stock_quote(SPOT);
    assert!(s.proposals().is_empty(), "crossed chain");
    s.later(2 * SECOND);
    s.quote_chain(SPOT);
    s.stock_quote(SPOT);
    assert_eq!(s.one_proposal().legs.len(), 2, "good again");
}

#[test]
fn exits_by_profit_stop_and_days() {
    let closes = |p: &Proposal, why| {
        assert_eq!(p.purpose, Purpose::Close { position: Label::literal("w1.SPY.9"), reason: why });
        assert_eq!(p.units, 2);
        assert!(p.legs.iter().all(|l| l.effect == market::order::Effect::Close));
        assert_eq!(p.legs[0].side, market::order::Side::Buy);
        assert!(p.natural > p.mid);
    };
    for (cents, wanted) in [
        (100, None),
        (61, None),
        (60, Some(ExitReason::ProfitTarget)),
        (359, None),
        (360, Some(ExitReason::StopLoss)),
    ] {
        let mut s = Script::new();
        s.start();
        let note = s.hold_bull_put();
        s.proposals();
        s.quote_spread(&note, cents);
        match (wanted, s.proposals().as_slice()) {
            (None, []) => {}
            (Some(why), [p]) => closes(p, why),
            (wanted, said) => panic!("{cents}: {wanted:?} {said:?}"),
        }
    }
    let mut s = Script::new();
    s.start();
    let note = s.hold_bull_put();
    s.now = EXPIRY.plus(-6).at_new_york(0);
    while market::session::session_at(s.now).is_none() {
        s.later(MINUTE);
    }
    s.proposals();
    s.quote_spread(&note, 100);
    closes(&s.one_proposal(), ExitReason::DaysToExpiry);
}

#[test]
fn a_calendar_is_opened_and_ends_by_its_nearest_leg() {
    let far = EXPIRY.plus(28);
    let mut s = Script::new();
    s.settings.structures = vec![calendar(market::Right::Call)];
    s.start();
    for contract in contracts(far) {
        let quote = model_quote(&contract, SPOT, s.now);
        s.option_quote(&contract, quote);
        s.hear(&MarketEvent::OpenInterest(OpenInterest { contract, contracts: 500, as_of: DAY.plus(-3) }));
    }
    s.install(Ok(FLAT));
    s.stock_quote(SPOT);
    let p = s.one_proposal();
    assert_eq!(p.purpose, Purpose::Open { structure: Label::literal("calendar") });
    let expiries: Vec<Date> =
        p.legs.iter().filter_map(|l| l.instrument.contract()).map(|c| c.expiry).collect();
    assert_eq!(expiries, [EXPIRY, far]);
    assert_eq!(p.max_loss, p.natural.times(100), "the debit");
    assert!(p.max_profit > market::Money::ZERO && p.max_profit < market::Money::MAX);
    s.decided(p.id, 2);
    s.position(&PositionNote {
        id: p.id,
        underlying: SPY,
        structure: Label::literal("calendar"),
        legs: p.legs.clone(),
        units: 2,
        entry: p.mid,
        max_profit: p.max_profit,
        max_loss: p.max_loss,
        opened: s.now,
        closing: None,
    });
    s.done(&p, Ending::Filled);
    // Six days before the near leg expires the far one still has a month.
    s.now = EXPIRY.plus(-6).at_new_york(0);
    while market::session::session_at(s.now).is_none() {
        s.later(MINUTE);
    }
    s.proposals();
    for leg in &p.legs {
        let contract = leg.instrument.contract().expect("an option");
        let quote = model_quote(&contract, SPOT, s.now);
        s.option_quote(&contract, quote);
    }
    let close = s.one_proposal();
    assert_eq!(close.purpose, Purpose::Close { position: p.id, reason: ExitReason::DaysToExpiry });
    assert_eq!(close.legs.len(), 2, "both legs at once: the far one is not left alone");
}

#[test]
fn the_last_day_ends_at_three_even_without_a_tick() {
    let mut s = Script::new();
    s.settings.exit.days_min = 0;
    s.start();
    s.now = EXPIRY.at_new_york(14 * 3600);
    let note = s.hold_bull_put();
    s.quote_spread(&note, 100);
    s.wake();
    assert!(s.proposals().is_empty());
    let three = EXPIRY.at_new_york(15 * 3600);
    // Follow the deadlines as a shell does: they come to an end and lead to the exit.
    let mut found = Vec::new();
    for _ in 0..2_000 {
        let at = s.core().deadline().expect("a position is held");
        s.now = s.now.max(at);
        if s.now > three {
            break;
        }
        s.wake();
        found.extend(s.proposals().into_iter().map(|p| (p, s.now)));
    }
    let [(p, when)] = &found[..] else { panic!("{found:?}") };
    assert_eq!(*when, three);
    assert!(matches!(p.purpose, Purpose::Close { reason: ExitReason::DaysToExpiry, .. }));
}

#[test]
fn an_exit_that_fails_is_tried_again() {
    let mut s = Script::new();
    s.start();
    let note = s.hold_bull_put();
    s.proposals();
    s.quote_spread(&note, 50);
    let first = s.one_proposal();
    s.later(SECOND);
    s.quote_spread(&note, 50);
    assert!(s.proposals().is_empty(), "one at a time");
    s.decided(first.id, 2);
    s.done(&first, Ending::GaveUp);
    s.later(29 * SECOND);
    s.quote_spread(&note, 50);
    assert!(s.proposals().is_empty(), "too early");
    s.later(SECOND);
    s.wake();
    let second = s.one_proposal();
    s.done(&second, Ending::Filled);
    s.position(&PositionNote { units: 0, ..note });
    assert_eq!(s.core().positions().len(), 0);
    s.later(MINUTE);
    s.wake();
    assert!(s.proposals().is_empty());
}

#[test]
fn exits_go_on_while_entries_are_stopped() {
    let mut s = Script::started(UP);
    let note = s.hold_bull_put();
    s.command(Command::Pause);
    s.feed(FeedName::Stocks, FeedState::Down);
    s.proposals();
    s.quote_spread(&note, 50);
    assert!(matches!(s.one_proposal().purpose, Purpose::Close { .. }));

    let mut s = Script::started(UP);
    let note = s.hold_bull_put();
    s.command(Command::Kill);
    s.proposals();
    s.quote_spread(&note, 50);
    assert!(s.proposals().is_empty(), "killed says nothing more");
}

#[test]
fn what_risk_closes_itself_is_left_alone() {
    let mut s = Script::new();
    s.start();
    let mut note = s.hold_bull_put();
    note.closing = Some(ExitReason::Operator);
    s.position(&note);
    s.proposals();
    s.quote_spread(&note, 50);
    assert!(s.proposals().is_empty());
    note.closing = None;
    s.position(&note);
    s.quote_spread(&note, 50);
    assert_eq!(s.proposals().len(), 1);
}

#[test]
fn a_leg_without_price_is_told_and_closed_as_soon_as_it_has_one() {
    let mut s = Script::new();
    s.start();
    let note = s.hold_bull_put();
    s.now = EXPIRY.at_new_york(15 * 3600 + 60);
    let short = note.legs[0].instrument.contract().expect("an option");
    s.out.clear();
    s.option_quote(&short, Quote { bid: None, ask: None, at: s.now });
    assert!(s.alerts().iter().any(|a| a.contains("exit_unpriced")), "{:?}", s.out);
    assert!(s.proposals().is_empty());
    s.later(SECOND);
    s.stock_quote(SPOT);
    assert!(s.alerts().is_empty(), "told already");
    s.proposals();
    s.quote_spread(&note, 400);
    assert_eq!(s.one_proposal().natural, Price::from_cents(405));
}

#[test]
fn models_that_fail_are_told_once_and_given_up() {
    let mut s = Script::started(UP);
    s.install(Err(PlanFault::Run));
    for _ in 0..30 {
        s.later(SECOND);
        s.stock_quote(SPOT);
    }
    let alerts = s.alerts();
    assert_eq!(alerts.len(), 2, "{alerts:?}");
    assert!(alerts[0].starts_with("model_failed") && alerts[1].starts_with("model_given_up"));
    assert!(s.proposals().is_empty());
    assert_eq!(s.core().forecast(), None);
}

#[test]
fn a_model_is_silent_while_its_row_lacks_values() {
    let mut s = Script::new();
    s.settings.missing_max = 3;
    s.start();
    s.install(Ok(UP));
    s.stock_quote(SPOT);
    assert!(s.proposals().is_empty(), "nothing is warm after one quote");
    assert_eq!(s.blocked(), Some(Blocked::Forecast));
}

#[test]
fn forecasts_are_told_as_bars_close_and_marks_in_time() {
    let mut s = Script::started(UP);
    s.core().no_entry_for_test(Timestamp::MAX);
    let (mut notes, mut marks, mut together) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..600 {
        s.stock_trade(SPOT + f64::from(i % 3) / 100.0);
        s.later(SECOND);
        for said in s.out.drain(..) {
            match said {
                Said::Forecast(n) => notes.push(n),
                Said::Mark(m) => marks.push(m),
                Said::Combined(note) => together.push(note),
                // A parrot without papers does not say how it is judged.
                _ => panic!("{said:?}"),
            }
        }
        if i == 0 {
            s.stock_quote(SPOT);
        }
    }
    let minutes = notes.iter().filter(|n| n.timeframe == Timeframe::Min1).count();
    let fives = notes.iter().filter(|n| n.timeframe == Timeframe::Min5).count();
    assert_eq!((minutes, fives), (9, 1), "{notes:?}");
    assert!(notes.iter().all(|n| (n.odds.up - 0.7).abs() < 1e-6 && n.symbol == SPY));
    assert_eq!(marks.len(), 59, "one in ten seconds from the first quote on");
    assert_eq!(together.len(), 9, "one as bars close, however many do");
    let (last, full) = (together.last().expect("nine"), Label::literal("full"));
    assert_eq!((last.ensemble, last.forecast.members, last.models), (full, 0x3ff, [7; 10]));
}

#[test]
fn structures_follow_their_own_ensemble() {
    // The year alone says up, all others say flat.
    let mut s = Script::new();
    let lone = Ensemble::new(
        Label::literal("lone"),
        std::array::from_fn(|at| f32::from(u8::from(at == 9))),
        Rule::WeightedMean,
        1.0,
    );
    let bull = Label::literal("bull_put_spread");
    s.settings.particular = vec![Ensemble { structures: vec![bull], ..lone }];
    s.start();
    s.install(Ok(FLAT));
    let (now, note) = (s.now, parrot(Timeframe::Year1));
    s.core().install(now, Timeframe::Year1, Some(Box::new(Parrot(Ok(UP)))), note);
    s.stock_quote(SPOT);
    let together = s.out.iter().filter(|said| matches!(said, Said::Combined(_))).count();
    assert_eq!(together, 2, "what stood behind the proposal is told with it");
    let proposal = s.one_proposal();
    let Purpose::Open { structure } = proposal.purpose else { panic!("{proposal:?}") };
    assert_ne!(structure, bull, "the symbol's ensemble first, and for what follows no other");
    assert!(proposal.confidence < 0.6);
    // Without a view of its own the symbol's ensemble opens nothing, the lone one its structure.
    s.settings.entry.confidence_min = 0.65;
    s.start();
    s.install(Ok(FLAT));
    let (now, note) = (s.now, parrot(Timeframe::Year1));
    s.core().install(now, Timeframe::Year1, Some(Box::new(Parrot(Ok(UP)))), note);
    s.out.clear();
    s.stock_quote(SPOT);
    let proposal = s.one_proposal();
    assert!(matches!(proposal.purpose, Purpose::Open { structure } if structure == bull), "{proposal:?}");
    assert!((proposal.confidence - 0.7).abs() < 1e-6, "as sure as its own ensemble");
    // The same ensemble for another symbol's structures, and for this symbol as a whole.
    let lone = s.settings.particular.remove(0);
    for (symbols, structures, others) in
        [(vec!["QQQ"], vec![bull], 0), (vec!["SPY"], vec![bull], 1), (vec!["SPY"], vec![], 0)]
    {
        let symbols = symbols.into_iter().map(Symbol::literal).collect();
        let is_own = structures.is_empty();
        s.settings.particular = vec![Ensemble { symbols, structures, ..lone.clone() }];
        s.start();
        s.install(Ok(FLAT));
        s.stock_quote(SPOT);
        let core = s.core();
        assert_eq!(core.forecasts().others().count(), others);
        assert_eq!(core.forecast().map(|f| f.members), Some(if is_own { 1 << 9 } else { 0x3ff }));
    }
}

#[test]
fn foreign_words_change_nothing() {
    let mut s = Script::started(UP);
    let qqq = Symbol::literal("QQQ");
    let level = |cents| Some(Level { price: Price::from_cents(cents), size: 1 });
    let quote = Quote { bid: level(40_000), ask: level(40_002), at: s.now };
    s.hear(&MarketEvent::Quote(Instrument::Stock(qqq), quote));
    s.done(&Proposal { id: Label::literal("w9.X.1"), ..an_entry() }, Ending::Filled);
    assert!(s.out.is_empty());
    assert_eq!(s.core().analysis().spot(), None);
}

fn an_entry() -> Proposal {
    let mut s = Script::started(UP);
    s.stock_quote(SPOT);
    s.one_proposal()
}

/// A random-looking but fixed day: twice the same words.
#[test]
fn the_same_day_twice_says_the_same() {
    let run = || {
        let mut s = Script::started(UP);
        s.settings.entry.cooldown_ns = MINUTE;
        let mut all = Vec::new();
        let mut state = 7u64;
        for i in 0..4_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            s.later(1 + (state >> 33) as i64 % SECOND);
            let spot = SPOT + ((state >> 20) % 400) as f64 / 100.0 - 2.0;
            match state >> 60 {
                0..=5 => s.stock_quote(spot),
                6..=9 => s.stock_trade(spot),
                10 => s.wake(),
                11 if i % 3 == 0 => s.quote_chain(spot),
                _ => {
                    let strike = 500 + (state >> 40) as u32 % 121;
                    let right = if state & 64 == 0 { market::Right::Call } else { market::Right::Put };
                    let c = Contract { root: SPY, expiry: EXPIRY, strike_mils: strike * 1000, right };
                    let quote = model_quote(&c, spot, s.now);
                    s.option_quote(&c, quote);
                }
            }
            let said = std::mem::take(&mut s.out);
            for p in said.iter().filter_map(|x| if let Said::Propose(p) = x { Some(p) } else { None }) {
                s.decided(p.id, p.units);
                s.done(p, if i % 2 == 0 { Ending::GaveUp } else { Ending::Rejected });
            }
            all.extend(said);
        }
        all
    };
    let (one, two) = (run(), run());
    assert!(one.iter().filter(|s| matches!(s, Said::Propose(_))).count() > 3);
    assert_eq!(format!("{one:?}"), format!("{two:?}"));
}

#[test]
fn an_early_close_brings_the_last_hour_forward() {
    let early = Date::literal(2026, 11, 27);
    assert_eq!(exit::last_day_from(early, &settings().exit), early.at_new_york(12 * 3600));
    assert_eq!(exit::last_day_from(EXPIRY, &settings().exit), EXPIRY.at_new_york(15 * 3600));
}

#[test]
fn what_settles_at_the_open_is_closed_the_session_before() {
    let thursday = EXPIRY.plus(-1);
    let reason = |root: Symbol, day: Date, hour: i64| {
        let mut script = Script::new();
        script.start();
        let mut note = script.hold_bull_put();
        for leg in &mut note.legs {
            let Instrument::Option(contract) = &mut leg.instrument else { panic!("an option") };
            contract.root = root;
        }
        let mut exits = settings().exit;
        exits.days_min = 0;
        let last = exit::first_last_day(&note);
        exit::reason(&note, last, None, day.at_new_york(hour * 3600), day, &exits)
    };
    let [weekly, monthly] = [Symbol::literal("SPXW"), Symbol::literal("SPX")];
    assert_eq!(reason(monthly, thursday, 14), None);
    assert_eq!(reason(monthly, thursday, 15), Some(ExitReason::DaysToExpiry));
    assert_eq!(reason(monthly, EXPIRY, 10), None, "it trades no more");
    assert_eq!(reason(weekly, thursday, 15), None);
    assert_eq!(reason(weekly, EXPIRY, 15), Some(ExitReason::DaysToExpiry));
}
