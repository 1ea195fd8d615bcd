//! The book over whole lives: opening, closing, expiry, assignment in both orders, and random storms.

use crate::book::{Book, Booked, Settings};
use crate::notes::{FillNote, MarkNote};
use crate::{ExitReason, Proposal, Purpose};
use market::fees::Schedule;
use market::order::{Account, Activity, ActivityNote, Effect, Execution, Leg, LegFill, Legs, Side};
use market::{Date, Instrument, Label, Money, OrderId, Price, Symbol, Timestamp};
use proptest::prelude::*;

const SHORT: &str = "SPY260417P00560000";
const LONG: &str = "SPY260417P00555000";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_773_671_400 + seconds)
}

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

fn instrument(text: &str) -> Instrument {
    Instrument::parse(text).unwrap()
}

fn put_spread(id: &str, units: u32) -> Proposal {
    let leg =
        |symbol: &str, side| Leg { instrument: instrument(symbol), side, effect: Effect::Open, ratio: 1 };
    Proposal {
        id: label(id),
        underlying: Symbol::literal("SPY"),
        purpose: Purpose::Open { structure: label("bull_put_spread") },
        legs: Legs::from_iter([leg(SHORT, Side::Sell), leg(LONG, Side::Buy)]),
        units,
        mid: Price::from_cents(-120),
        natural: Price::from_cents(-110),
        max_loss: Money::from_dollars(390),
        max_profit: Money::from_dollars(120),
        margin: Money::from_dollars(500),
        confidence: 0.6,
        spot: Price::from_cents(56_500),
        at: at(0),
    }
}

fn close_of(id: &str, open: &Proposal, reason: ExitReason) -> Proposal {
    let mut legs = open.legs.clone();
    for leg in &mut legs {
        leg.side = leg.side.opposite();
        leg.effect = Effect::Close;
    }
    let purpose = Purpose::Close { position: open.id, reason };
    Proposal { id: label(id), purpose, legs, ..open.clone() }
}

fn fill(proposal: &Proposal, execution: u64, units: u32, prices: &[i64]) -> FillNote {
    let legs = proposal.legs.iter().zip(prices).map(|(leg, cents)| LegFill {
        instrument: leg.instrument,
        quantity: leg.signed_ratio() * i64::from(units),
        price: Price::from_cents(*cents),
    });
    FillNote {
        proposal: proposal.id,
        order: OrderId::format(format_args!("{}.0", proposal.id)),
        execution: Execution { id: execution, units, units_so_far: units, legs: legs.collect() },
        arrival_mid: proposal.mid,
        at: at(1),
    }
}

fn activity(id: u64, activity: Activity) -> ActivityNote {
    ActivityNote { id, date: Date::literal(2026, 4, 17), activity }
}

fn opened() -> Book {
    let fees = Schedule { broker: "none".into(), rates: Vec::new() };
    let mut book = Book::new(Settings { fees });
    let cash = Money::from_dollars(100_000);
    let account = Account { cash, equity: cash, options_buying_power: cash, may_trade: true, at: at(0) };
    book.roll(at(0));
    assert!(book.apply_account(&account));
    assert!(!book.apply_account(&account), "only the first account opens the book");
    book
}

/// A fresh journal on an account that has traded before: its expiries and fees are none of ours.
#[test]
fn what_happened_before_the_book_was_opened_is_not_booked() {
    let contract = instrument(SHORT).contract().unwrap();
    let expired = Activity::Expired { contract, quantity: 3 };
    let fee = Activity::Fee { kind: label("ORF"), amount: Money::from_dollars(-1) };
    let fees = Schedule { broker: "none".into(), rates: Vec::new() };
    let mut book = Book::new(Settings { fees });
    assert_eq!(book.activities_since(), None);
    let date = at(0).new_york().0;
    for (id, activity) in [(1, expired), (2, fee)] {
        assert_eq!(book.apply_activity(&ActivityNote { id, date, activity }, at(0)), Booked::Repeat);
    }
    let cash = Money::from_dollars(100_000);
    book.apply_account(&Account {
        cash,
        equity: cash,
        options_buying_power: cash,
        may_trade: true,
        at: at(0),
    });
    // Told again, and one from before that was not told in time.
    for (id, activity) in [(1, expired), (2, fee), (3, expired)] {
        let note = ActivityNote { id, date: date.plus(-1), activity };
        assert_eq!(book.apply_activity(&note, at(1)), Booked::Repeat);
    }
    assert_eq!((book.holdings().len(), book.cash()), (0, cash));
    let note = ActivityNote { id: 4, date: date.plus(9), activity: fee };
    assert!(matches!(book.apply_activity(&note, at(2)), Booked::Trades(_)));
    assert_eq!(book.cash(), Money::from_dollars(99_999));
    assert_eq!(book.activities_since(), Some(date.plus(9)), "a long stop begins here");
    check(&book);
}

/// Profit by trade, fees, income and adjustments are the change of equity.
fn check(book: &Book) {
    book.audit().unwrap();
    let flows = book.flows();
    let explained = book.profit_of_trades() + flows.fees + flows.income + flows.transfers + flows.adjustments;
    assert_eq!(book.equity() - book.opening().unwrap(), explained, "\n{}", book.render());
    assert_eq!(book.cash(), book.opening().unwrap() + flows.total());
}

fn with_spread() -> (Book, Proposal) {
    let mut book = opened();
    let open = put_spread("w1.SPY.1", 2);
    book.apply_cleared(&open);
    assert_eq!(book.apply_fill(&fill(&open, 7, 2, &[415, 295])), Booked::Trades(vec![open.id]));
    (book, open)
}

#[test]
fn a_spread_opens_is_marked_and_closes() {
    let (mut book, open) = with_spread();
    assert_eq!(book.apply_fill(&fill(&open, 7, 2, &[415, 295])), Booked::Repeat);
    assert_eq!(book.cash(), Money::from_dollars(100_240));
    assert_eq!(book.equity(), Money::from_dollars(100_000), "unmarked: worth what was paid");
    let note = book.trade(&open.id).unwrap().note();
    assert_eq!((note.units, note.entry), (2, Price::from_cents(-120)));

    for (symbol, cents) in [(SHORT, 300), (LONG, 220), ("SPY", 56_000)] {
        book.apply_mark(&MarkNote {
            instrument: instrument(symbol),
            mid: Price::from_cents(cents),
            at: at(2),
        });
    }
    assert_eq!(book.day_profit(), Money::from_dollars(80));
    assert_eq!(book.unrealised(), Money::from_dollars(80));
    check(&book);

    let close = close_of("w1.SPY.2", &open, ExitReason::ProfitTarget);
    book.apply_cleared(&close);
    assert_eq!(book.trade(&open.id).unwrap().note().closing, Some(ExitReason::ProfitTarget));
    book.apply_fill(&fill(&close, 8, 1, &[290, 220]));
    assert_eq!(book.trade(&open.id).unwrap().units(), 1);
    assert!(book.trade(&open.id).unwrap().leftovers().is_empty());
    check(&book);
    book.apply_fill(&fill(&close, 9, 1, &[310, 220]));
    let trade = book.trade(&open.id).unwrap();
    assert!(trade.closed.is_some() && trade.is_flat());
    assert_eq!(book.profit(trade), Money::from_dollars(240 - 70 - 90));
    assert_eq!((book.realised(), book.unrealised()), (Money::from_dollars(80), Money::ZERO));
    assert_eq!(book.open_trades().count(), 0);
    check(&book);
}

#[test]
fn worthless_expiry_keeps_the_credit() {
    let (mut book, open) = with_spread();
    for (id, symbol, quantity) in [(1, SHORT, 2), (2, LONG, -2)] {
        let contract = symbol.parse().unwrap();
        let note = activity(id, Activity::Expired { contract, quantity });
        assert_eq!(book.apply_activity(&note, at(9)), Booked::Trades(vec![open.id]));
        assert_eq!(book.apply_activity(&note, at(9)), Booked::Repeat);
    }
    let trade = book.trade(&open.id).unwrap();
    assert!(trade.closed.is_some());
    assert_eq!(book.profit(trade), Money::from_dollars(240));
    check(&book);
}

fn assignment() -> [ActivityNote; 2] {
    [
        activity(1, Activity::Assigned { contract: SHORT.parse().unwrap(), quantity: 2 }),
        activity(
            2,
            Activity::Delivered {
                symbol: Symbol::literal("SPY"),
                shares: 200,
                price: Price::from_cents(56_000),
            },
        ),
    ]
}

/// The short leg is assigned, the long one expires, the shares are sold: one trade, one profit.
#[test]
fn assignment_follows_the_trade_to_the_last_share() {
    for reversed in [false, true] {
        let (mut book, open) = with_spread();
        let mut notes = assignment();
        if reversed {
            notes.reverse();
        }
        for note in &notes {
            book.apply_activity(note, at(9));
            check(&book);
        }
        book.apply_activity(
            &activity(3, Activity::Expired { contract: LONG.parse().unwrap(), quantity: -2 }),
            at(9),
        );
        let trade = book.trade(&open.id).unwrap();
        assert!(trade.closed.is_none());
        assert_eq!((trade.units(), trade.leftovers()), (0, vec![(instrument("SPY"), 200)]));
        assert!(book.nobody().is_flat(), "whatever came first, the shares are the trade's");
        check(&book);

        let legs = Legs::from_iter([Leg {
            instrument: instrument("SPY"),
            side: Side::Sell,
            effect: Effect::Close,
            ratio: 1,
        }]);
        let purpose = Purpose::Close { position: open.id, reason: ExitReason::CleanUp };
        let sell = Proposal { id: label("w1.SPY.1.x1"), purpose, legs, units: 200, ..open.clone() };
        book.apply_cleared(&sell);
        book.apply_fill(&fill(&sell, 11, 200, &[55_700]));
        let trade = book.trade(&open.id).unwrap();
        assert!(trade.closed.is_some());
        assert_eq!(book.profit(trade), Money::from_dollars(240 - 600));
        assert_eq!(book.cash(), Money::from_dollars(100_000 + 240 - 600));
        check(&book);
    }
}

/// Both legs in the money: assigned and exercised, cash equals the width, nothing is left.
#[test]
fn both_legs_in_the_money_cost_the_width() {
    let exercise = [
        activity(4, Activity::Exercised { contract: LONG.parse().unwrap(), quantity: -2 }),
        activity(
            5,
            Activity::Delivered {
                symbol: Symbol::literal("SPY"),
                shares: -200,
                price: Price::from_cents(55_500),
            },
        ),
    ];
    let all: Vec<ActivityNote> = assignment().into_iter().chain(exercise).collect();
    for order in [[0, 1, 2, 3], [1, 3, 0, 2], [3, 1, 2, 0], [2, 0, 3, 1], [0, 2, 1, 3]] {
        let (mut book, open) = with_spread();
        for index in order {
            book.apply_activity(&all[index], at(9));
            check(&book);
        }
        let trade = book.trade(&open.id).unwrap();
        assert!(trade.closed.is_some() && trade.is_flat(), "{order:?}\n{}", book.render());
        assert_eq!(book.profit(trade), Money::from_dollars(240 - 1000));
        assert!(book.nobody().is_flat() && book.nobody().cash == Money::ZERO);
    }
}

#[test]
fn cash_settlement_is_shared_to_the_last_micro() {
    let mut book = opened();
    for (n, units) in [(1, 1), (2, 2)] {
        let open = put_spread(&format!("w1.SPY.{n}"), units);
        book.apply_cleared(&open);
        book.apply_fill(&fill(&open, n, units, &[415, 295]));
    }
    let contract = SHORT.parse().unwrap();
    let amount = Money::from_micros(-100_000_001);
    book.apply_activity(&activity(1, Activity::CashSettled { contract, quantity: 3, amount }), at(9));
    check(&book);
    assert_eq!(book.cash(), Money::from_dollars(100_360) + amount);
}

#[test]
fn fees_income_and_transfers() {
    let mut book = opened();
    let cents = |c| Money::from_cents(c);
    book.apply_activity(&activity(1, Activity::Fee { kind: label("ORF"), amount: cents(-5) }), at(3));
    book.apply_activity(&activity(2, Activity::Cash { kind: label("INT"), amount: cents(2) }), at(3));
    book.apply_activity(&activity(3, Activity::Cash { kind: label("CSD"), amount: cents(900) }), at(3));
    assert_eq!(book.day_profit(), cents(-3), "a deposit is no profit");
    check(&book);
    book.roll(at(86_400));
    assert_eq!(book.day_profit(), Money::ZERO);
}

#[test]
fn a_fill_of_an_unknown_order_is_booked_but_owned_by_nobody() {
    let mut book = opened();
    let open = put_spread("w9.SPY.1", 1);
    assert_eq!(book.apply_fill(&fill(&open, 1, 1, &[415, 295])), Booked::Stray(Vec::new()));
    assert_eq!(book.held(&instrument(SHORT)), -1);
    check(&book);
}

#[test]
fn adjusting_takes_over_what_the_broker_holds() {
    let (mut book, open) = with_spread();
    // The venue bought one short put back on its own.
    let holdings = [(instrument(SHORT), -1), (instrument(LONG), 2)].into();
    let cash = Money::from_dollars(99_900);
    assert_eq!(book.adjust_to(cash, &holdings, at(5)), vec![open.id]);
    assert_eq!((book.cash(), book.holdings()), (cash, holdings));
    let trade = book.trade(&open.id).unwrap();
    assert_eq!((trade.units(), trade.leftovers()), (1, vec![(instrument(LONG), 1)]));
    check(&book);
}

#[test]
fn the_books_text_says_everything() {
    let (book, _) = with_spread();
    let text = book.render();
    let expected = "\
opening 100000.00
flows trading 240.00 fees 0.00 income 0.00 transfers 0.00 adjustments 0.00
cash 100240.00 equity 100000.00
realised 0.00 unrealised 0.00
day start 100000.00 high water 100000.00
position SPY260417P00555000 2 cost 590.00 value 590.00 lots 2@2.95
position SPY260417P00560000 -2 cost -830.00 value -830.00 lots -2@4.15
trade w1.SPY.1 bull_put_spread open units 2/2 entry -1.20 cash 240.00 holds SPY260417P00555000:2 SPY260417P00560000:-2 profit 0.00
";
    assert_eq!(text, expected);
}

/// One random event in the life of a book.
#[derive(Clone, Debug)]
enum Event {
    Open { units: u32, short: i64, long: i64 },
    Close { which: usize, units: u32, short: i64, long: i64 },
    Mark { which: usize, cents: i64 },
    Expire { which: usize },
    Assign { delivery_first: bool },
    Sell { cents: i64 },
    Fee { cents: i64 },
    Repeat,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (1u32..5, 1i64..900, 1i64..900).prop_map(|(units, short, long)| Event::Open { units, short, long }),
        (0usize..4, 1u32..5, 1i64..900, 1i64..900).prop_map(|(which, units, short, long)| Event::Close {
            which,
            units,
            short,
            long
        }),
        (0usize..3, 1i64..900).prop_map(|(which, cents)| Event::Mark { which, cents }),
        (0usize..2).prop_map(|which| Event::Expire { which }),
        any::<bool>().prop_map(|delivery_first| Event::Assign { delivery_first }),
        (50_000i64..60_000).prop_map(|cents| Event::Sell { cents }),
        (-50i64..0).prop_map(|cents| Event::Fee { cents }),
        Just(Event::Repeat),
    ]
}

/// Plays events and keeps what was told to the book, so that it can be told again.
struct Player {
    book: Book,
    count: u64,
    opens: Vec<Proposal>,
    heard: Vec<Heard>,
}

#[derive(Clone, Debug)]
enum Heard {
    Cleared(Proposal),
    Fill(FillNote),
    Activity(ActivityNote),
    Mark(MarkNote),
}

impl Player {
    fn tell(&mut self, heard: Heard) {
        tell(&mut self.book, &heard);
        self.heard.push(heard);
    }

    fn activity(&mut self, what: Activity) {
        self.count += 1;
        self.tell(Heard::Activity(activity(self.count, what)));
    }

    fn fill(&mut self, proposal: Proposal, units: u32, prices: &[i64]) {
        self.count += 1;
        let note = fill(&proposal, self.count, units, prices);
        self.tell(Heard::Cleared(proposal));
        self.tell(Heard::Fill(note));
    }

    fn play(&mut self, event: Event) {
        let spy = instrument("SPY");
        match event {
            Event::Open { units, short, long } => {
                let open = put_spread(&format!("w1.SPY.{}", self.count), units);
                self.opens.push(open.clone());
                self.fill(open, units, &[short, long]);
            }
            Event::Close { which, units, short, long } => {
                let Some(open) = self.opens.get(which).cloned() else { return };
                let held = self.book.trade(&open.id).map_or(0, |t| t.units());
                if held > 0 {
                    let id = format!("w1.SPY.{}c", self.count);
                    let close = close_of(&id, &open, ExitReason::StopLoss);
                    self.fill(close, units.min(held), &[short, long]);
                }
            }
            Event::Mark { which, cents } => {
                let instrument = instrument([SHORT, LONG, "SPY"][which]);
                let at = at(self.heard.len() as i64);
                self.tell(Heard::Mark(MarkNote { instrument, mid: Price::from_cents(cents), at }));
            }
            Event::Expire { which } => {
                let symbol = [SHORT, LONG][which];
                let quantity = -self.book.held(&instrument(symbol));
                if quantity != 0 {
                    self.activity(Activity::Expired { contract: symbol.parse().unwrap(), quantity });
                }
            }
            Event::Assign { delivery_first } => self.assign(delivery_first),
            Event::Sell { cents } => {
                let rest = self
                    .book
                    .open_trades()
                    .find(|t| t.share.held(&spy) > 0)
                    .map(|t| (t.id, t.share.held(&spy)));
                if let Some((position, shares)) = rest {
                    let purpose = Purpose::Close { position, reason: ExitReason::CleanUp };
                    let leg = Leg { instrument: spy, side: Side::Sell, effect: Effect::Close, ratio: 1 };
                    let id = label(&format!("x{}", self.count));
                    let base = put_spread("w1.SPY.x", 1);
                    let sell = Proposal { id, purpose, legs: Legs::from_iter([leg]), ..base };
                    self.fill(sell, shares as u32, &[cents]);
                }
            }
            Event::Fee { cents } => {
                self.activity(Activity::Fee { kind: label("ORF"), amount: Money::from_cents(cents) });
            }
            Event::Repeat => {
                if let Some(last) = self.heard.iter().rev().find(|h| !matches!(h, Heard::Cleared(_))).cloned()
                {
                    let before = self.book.clone();
                    tell(&mut self.book, &last);
                    assert_eq!(before.render(), self.book.render(), "a repeat changes nothing");
                }
            }
        }
    }

    fn assign(&mut self, delivery_first: bool) {
        let quantity = -self.book.held(&instrument(SHORT));
        if quantity <= 0 {
            return;
        }
        let contract: market::Contract = SHORT.parse().unwrap();
        let assigned = Activity::Assigned { contract, quantity };
        let symbol = Symbol::literal("SPY");
        let delivered = Activity::Delivered { symbol, shares: quantity * 100, price: contract.strike() };
        let pair = if delivery_first { [delivered, assigned] } else { [assigned, delivered] };
        pair.into_iter().for_each(|a| self.activity(a));
        assert_eq!(self.book.nobody().held(&instrument("SPY")), 0, "shares find their trades");
    }
}

fn tell(book: &mut Book, heard: &Heard) {
    match heard {
        Heard::Cleared(proposal) => book.apply_cleared(proposal),
        Heard::Fill(note) => {
            book.apply_fill(note);
        }
        Heard::Activity(note) => {
            book.apply_activity(note, at(50));
        }
        Heard::Mark(note) => book.apply_mark(note),
    }
}

proptest! {
    // No file of failures: it would land beside the rooms, where the workspace looks for crates.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens, money is conserved, and a book rebuilt from what was heard is the same book.
    #[test]
    fn money_is_conserved_and_rebuilding_repeats(events in prop::collection::vec(event(), 0..60)) {
        let mut player = Player { book: opened(), count: 0, opens: Vec::new(), heard: Vec::new() };
        for event in events {
            player.play(event);
            check(&player.book);
        }
        let mut rebuilt = opened();
        player.heard.iter().for_each(|heard| tell(&mut rebuilt, heard));
        prop_assert_eq!(rebuilt.render(), player.book.render());
        prop_assert!(rebuilt == player.book);
    }
}
