//! Random days: whatever is ordered, cash is the sum of the log, profit is what moved, nothing fills at mid or
//! beyond its limit, nothing is ever short uncovered, and one seed tells one story.

use super::*;
use crate::{Faults, Replacement, Uuid};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Act {
    Quote { strike: usize, mid: i64, half: i64, size: u32 },
    Spot { cents: i64 },
    Spread { short: usize, long: usize, units: u32, edge: i64 },
    Single { strike: usize, buys: bool, units: u32, cents: i64 },
    Shares { buys: bool, units: u32, cents: i64 },
    Replace { which: usize, cents: i64 },
    Cancel { which: usize },
    CloseAll,
    Pass { minutes: i64 },
}

const FRIDAY: Date = Date::literal(2026, 4, 17);
const STRIKES: [&str; 6] = [
    "SPY260417P00555000",
    "SPY260417P00560000",
    "SPY260417P00565000",
    "SPY260417C00565000",
    "SPY260417C00570000",
    "SPY260417C00575000",
];

fn act() -> impl Strategy<Value = Act> {
    let strike = 0..STRIKES.len();
    prop_oneof![
        6 => (strike.clone(), 2i64..1500, 0i64..15, 0u32..20)
            .prop_map(|(strike, mid, half, size)| Act::Quote { strike, mid, half, size }),
        2 => (54_000i64..59_000).prop_map(|cents| Act::Spot { cents }),
        4 => (strike.clone(), strike.clone(), 1u32..8, -200i64..200)
            .prop_map(|(short, long, units, edge)| Act::Spread { short, long, units, edge }),
        2 => (strike, any::<bool>(), 1u32..5, 1i64..1600)
            .prop_map(|(strike, buys, units, cents)| Act::Single { strike, buys, units, cents }),
        1 => (any::<bool>(), 1u32..150, 54_000i64..59_000)
            .prop_map(|(buys, units, cents)| Act::Shares { buys, units, cents }),
        2 => (0usize..6, -300i64..300).prop_map(|(which, cents)| Act::Replace { which, cents }),
        1 => (0usize..6).prop_map(|which| Act::Cancel { which }),
        1 => Just(Act::CloseAll),
        3 => (0i64..25).prop_map(|minutes| Act::Pass { minutes }),
    ]
}

fn dollars(cents: i64) -> String {
    Price::from_cents(cents).to_string()
}

impl Desk {
    fn open_id(&self, which: usize) -> Option<Uuid> {
        let open = &self.exchange.account(self.account).open;
        open.iter().nth(which % open.len().max(1)).map(|index| self.exchange.orders[*index].id)
    }

    fn play(&mut self, act: &Act) {
        let (now, account) = (self.now, self.account);
        match act {
            Act::Quote { strike, mid, half, size } => {
                self.quote(STRIKES[*strike], (mid - half).max(1), mid + half + 1, *size);
            }
            Act::Spot { cents } => self.quote("SPY", cents - 1, cents + 1, 400),
            Act::Spread { short, long, units, edge } => {
                let sign = |i: usize| self.held(STRIKES[i]).signum();
                let sell = if sign(*short) > 0 { "sell_to_close" } else { "sell_to_open" };
                let buy = if sign(*long) < 0 { "buy_to_close" } else { "buy_to_open" };
                let legs = [(STRIKES[*short], 1, sell), (STRIKES[*long], 1, buy)];
                let _ = self.submit(&package(*units, &dollars(*edge), &legs));
            }
            Act::Single { strike, buys, units, cents } => {
                let side = if *buys { "buy" } else { "sell" };
                let _ = self.submit(&limit(STRIKES[*strike], side, *units, &dollars(*cents)));
            }
            Act::Shares { buys, units, cents } => {
                let _ =
                    self.submit(&limit("SPY", if *buys { "buy" } else { "sell" }, *units, &dollars(*cents)));
            }
            Act::Replace { which, cents } => {
                if let Some(id) = self.open_id(*which) {
                    let asked = Replacement { limit_price: Some(dollars(*cents)), ..Replacement::default() };
                    let _ = self.exchange.replace(now, account, id, &asked, &mut self.said);
                }
            }
            Act::Cancel { which } => {
                if let Some(id) = self.open_id(*which) {
                    let _ = self.exchange.cancel(now, account, id, &mut self.said);
                }
            }
            Act::CloseAll => {
                let _ = self.exchange.close_all_positions(now, account, true, &mut self.said);
            }
            Act::Pass { minutes } => self.pass(minutes * MINUTE + 20 * MS),
        }
    }
}

/// Plays a day to its settlement and beyond.
fn day(acts: &[Act], seed: u64) -> Desk {
    let faults = Faults { partial_fill_ppm: 300_000, reject_after_accept_ppm: 50_000, ..Faults::NONE };
    let settings = Settings { fees: Some(schedule()), faults, ..plain() };
    let mut desk = Desk::open(settings, at(FRIDAY, 9, 31), 150_000);
    desk.exchange.dice = crate::faults::Dice::new(seed);
    desk.quote("SPY", 56_630, 56_640, 500);
    for (i, symbol) in STRIKES.iter().enumerate() {
        desk.quote(symbol, 200 + 40 * i as i64, 206 + 40 * i as i64, 10);
    }
    for act in acts {
        desk.play(act);
        desk.check_books();
        check_cover(&desk);
    }
    desk.until(at(FRIDAY.plus(3), 9, 0));
    desk
}

/// Short calls stay covered. (Short puts may not: their loss is bounded, and margin pays for it.)
fn check_cover(desk: &Desk) {
    let account = desk.exchange.account(desk.account);
    let found = desk.exchange.demanded(account, market::Symbol::literal("SPY"));
    assert_eq!(found.uncovered, 0, "a short call is uncovered");
}

fn check_fills(desk: &Desk) {
    for event in desk.order_events().filter(|event| event.execution.is_some()) {
        let execution = event.execution.as_ref().expect("filtered");
        let order = &event.order;
        let sign = order.side().map_or(1, market::order::Side::sign);
        if let Some(limit) = order.signed_limit() {
            assert!(execution.price * sign <= limit, "worse than the limit");
        }
        let units = i64::from(execution.units);
        let net: Price = execution.legs.iter().map(|leg| leg.price * (leg.quantity / units)).sum();
        assert_eq!(net, execution.price * sign, "legs do not add up");
        assert!(order.filled_qty <= order.qty);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn books_balance_through_expiry(acts in prop::collection::vec(act(), 1..80), seed: u64) {
        let desk = day(&acts, seed);
        desk.check_books();
        check_fills(&desk);
        let account = desk.exchange.account(desk.account);
        prop_assert!(account.positions.keys().all(|i| i.contract().is_none()), "options outlived their expiry");
        prop_assert!(account.accrued.is_empty(), "fees were left uncharged");
        prop_assert!(account.open.iter().all(|i| !desk.exchange.orders[*i].status.is_terminal()));
        prop_assert!(desk.exchange.working.values().all(Vec::is_empty), "a finished order still works");
        let view = desk.exchange.account_view(desk.account).expect("open");
        prop_assert_eq!(view.equity, view.cash + view.long_market_value + view.short_market_value);
    }

    #[test]
    fn one_seed_tells_one_story(acts in prop::collection::vec(act(), 1..40), seed: u64) {
        prop_assert!(day(&acts, seed).said == day(&acts, seed).said);
    }
}

/// A desk whose exchange went through storage.
fn stored(desk: &Desk) -> Desk {
    let bytes = postcard::to_stdvec(&desk.exchange.state()).expect("writable");
    let state = postcard::from_bytes(&bytes).expect("readable");
    let exchange = crate::Exchange::restore(desk.exchange.settings().clone(), state).expect("sound");
    let again = postcard::to_stdvec(&exchange.state()).expect("writable");
    assert!(bytes == again, "what is read is what was written");
    Desk { exchange, account: desk.account, now: desk.now, said: Vec::new() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// An exchange stored in the middle of a day is the same afterwards, and says the same to the same inputs.
    #[test]
    fn storage_changes_nothing(
        before in prop::collection::vec(act(), 1..50),
        after in prop::collection::vec(act(), 1..50),
        seed: u64,
    ) {
        let faults = Faults {
            partial_fill_ppm: 300_000,
            late_event_ppm: 200_000,
            late_by_ns: MINUTE,
            duplicate_event_ppm: 50_000,
            ..Faults::NONE
        };
        let settings = Settings { fees: Some(schedule()), faults, ..plain() };
        let mut kept = Desk::open(settings, at(FRIDAY, 9, 31), 150_000);
        kept.exchange.dice = crate::faults::Dice::new(seed);
        kept.quote("SPY", 56_630, 56_640, 500);
        for act in &before {
            kept.play(act);
        }
        let mut restored = stored(&kept);
        kept.said.clear();
        for act in &after {
            kept.play(act);
            restored.play(act);
        }
        for desk in [&mut kept, &mut restored] {
            desk.until(at(FRIDAY.plus(3), 9, 0));
            desk.check_books();
        }
        prop_assert!(kept.said == restored.said);
        let books = |desk: &Desk| postcard::to_stdvec(&desk.exchange.state()).expect("writable");
        prop_assert!(books(&kept) == books(&restored));
        for order in &kept.exchange.orders {
            prop_assert_eq!(restored.exchange.order_by_client_id(kept.account, &order.client_order_id), Some(order));
            prop_assert_eq!(restored.exchange.order(kept.account, order.id), Some(order));
        }
    }
}
