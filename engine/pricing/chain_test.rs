//! The chain: a quote touches its row only, a move of the spot every row, neither allocates, and early exercise is in
//! all marks as the full computation has it.

use crate::american::Exercise;
use crate::boundary::Method;
use crate::chain::terms::{Liquidity, ParityRoom};
use crate::chain::{Chain, Curve};
use crate::european::{Terms, greeks};
use crate::forward::Source;
use crate::implied::NoVolatility;
use crate::surface::Surface;
use market::quote::{Level, Quote};
use market::session::{session, year_fraction};
use market::time::{HOUR, SECOND};
use market::{Contract, Date, Price, Right, Symbol, Timestamp};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local!(static ALLOCATIONS: Cell<u64> = const { Cell::new(0) });

struct Counting;

#[allow(unsafe_code)]
// SAFETY: every call is handed on to the system's allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the system's.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

/// Tuesday; every second Tuesday from there on is an expiry.
const TODAY: Date = Date::literal(2026, 3, 3);
const SPOT: f64 = 560.0;
const TRUE_CURVE: Curve = Curve { rate: 0.05, dividend_yield: 0.02 };
const CONFIGURED: Curve = Curve { rate: 0.04, dividend_yield: 0.012 };
const FILTER: Liquidity = Liquidity {
    relative_spread_max: 0.3,
    size_min: 1,
    open_interest_min: 0,
    volume_min: 0,
    age_max_ns: HOUR,
};

fn eleven() -> Timestamp {
    TODAY.at_new_york(11 * 3600)
}

fn terms(expiry: Date, spot: f64, curve: Curve) -> Terms {
    let years = year_fraction(eleven(), session(expiry).expect("a session").close);
    Terms::new(spot, years, curve.rate, curve.dividend_yield)
}

fn vol(strike: f64, years: f64) -> f64 {
    let k = (strike / SPOT).ln() / years.sqrt();
    0.18 - 0.06 * k + 0.05 * k * k
}

/// So many expiries of 100 strikes, both rights.
fn contracts(root: Symbol, expiries: i32) -> Vec<Contract> {
    let one = |week: i32, i: u32, right| Contract {
        root,
        expiry: TODAY.plus(14 * week),
        strike_mils: (460 + 2 * i) * 1000,
        right,
    };
    let rights = |w: i32, i: u32| [Right::Call, Right::Put].map(|right| one(w, i, right));
    (1..=expiries).flat_map(|w| (0..100).flat_map(move |i| rights(w, i))).collect()
}

fn around(value: f64, half: f64, at: Timestamp) -> Quote {
    let level = |dollars: f64, size| {
        let price = Price::nearest(dollars).filter(|p| *p > Price::ZERO)?;
        Some(Level { price, size })
    };
    Quote { bid: level(value - half, 20), ask: level(value + half, 30), at }
}

fn european_quote(chain: &mut Chain, c: &Contract, curve: Curve, by: f64, at: Timestamp) -> bool {
    let (strike, terms) = (c.strike().dollars(), terms(c.expiry, SPOT, curve));
    let value = greeks(c.right, &terms, strike, vol(strike, terms.years) + by).price;
    chain.quote(at, c, &around(value, 0.02, at))
}

const SPXW: Symbol = Symbol::literal("SPXW");
const SPY: Symbol = Symbol::literal("SPY");

/// Ten expiries of a European root, all quoted.
fn european() -> Chain {
    let mut chain = Chain::with_curve(SPXW, CONFIGURED);
    chain.hear_spot(SPOT);
    for c in contracts(SPXW, 10) {
        european_quote(&mut chain, &c, CONFIGURED, 0.0, eleven());
    }
    chain
}

#[test]
fn a_quote_touches_its_row_only() {
    let mut chain = european();
    let before = chain.marks().clone();
    let c = chain.listed()[777].contract;
    let later = eleven() + 1;
    assert_eq!(allocations(|| assert!(european_quote(&mut chain, &c, CONFIGURED, 0.01, later))), 0);
    for row in (0..chain.len()).filter(|r| *r != 777) {
        assert!(before.row(row) == chain.marks().row(row) || before.price[row].is_nan());
    }
    let strike = c.strike().dollars();
    let known = vol(strike, terms(c.expiry, SPOT, CONFIGURED).years) + 0.01;
    assert!((chain.vol(&c).expect("quoted") - known).abs() < 1e-5);
    assert!(!european_quote(&mut chain, &c, CONFIGURED, 0.02, eleven()), "older than the one held");
    assert_eq!(chain.row_of(&c), Some(777));
    chain.quote(later, &c, &Quote { bid: None, ..around(5.0, 0.1, later) });
    assert_eq!(chain.greeks_of(777), Err(NoVolatility::OneSided));
    assert!(chain.vol(&c).is_none() && chain.delta(&c).is_none() && chain.marks().price[777].is_nan());
}

#[test]
fn a_move_marks_every_row_without_allocating() {
    let mut chain = european();
    assert_eq!(chain.len(), 2000);
    chain.hear_spot(563.0);
    assert_eq!(allocations(|| chain.remark(eleven())), 0);
    for (row, listed) in chain.listed().iter().enumerate() {
        let c = listed.contract;
        let Ok(found) = chain.greeks_of(row) else { continue };
        let moved = terms(c.expiry, 563.0, CONFIGURED);
        assert_eq!(found, greeks(c.right, &moved, c.strike().dollars(), chain.vol(&c).expect("marked")));
    }
}

#[test]
fn quotes_heard_before_the_spot_are_marked_with_it() {
    let mut chain = Chain::with_curve(SPXW, CONFIGURED);
    for c in contracts(SPXW, 1) {
        european_quote(&mut chain, &c, CONFIGURED, 0.0, eleven());
    }
    assert_eq!(chain.vol_of(0), Err(NoVolatility::NoMarket));
    chain.hear_spot(SPOT);
    chain.remark(eleven());
    assert!(chain.vol_of(0).is_ok() && chain.marks().delta[0] > 0.9);
}

/// The true value of an American contract.
fn full(c: &Contract, spot: f64, vol: f64) -> crate::american::AmericanGreeks {
    let terms = terms(c.expiry, spot, TRUE_CURVE);
    Exercise::solve(&Method::fast(), c.right, &terms, (0.8 * vol, 1.25 * vol), 5).greeks(
        &terms,
        c.strike().dollars(),
        vol,
    )
}

/// One pass of the work between quotes over all expiries.
fn come_by(chain: &mut Chain, now: Timestamp, room: &mut ParityRoom) {
    for expiry in 0..chain.expiry_terms().len() {
        chain.imply_terms(expiry, now, &FILTER, room);
        for right in [Right::Call, Right::Put] {
            chain.solve_boundaries(expiry, right);
        }
        chain.settle(expiry);
    }
}

/// Three expiries of an American root, quoted at true values under rates that are not the configured ones.
fn american() -> Chain {
    let mut chain = Chain::with_curve(SPY, CONFIGURED);
    chain.hear_spot(SPOT);
    for c in contracts(SPY, 8).iter().filter(|c| [1, 3, 8].contains(&(c.expiry.days_since(TODAY) / 14))) {
        let years = terms(c.expiry, SPOT, TRUE_CURVE).years;
        let value = full(c, SPOT, vol(c.strike().dollars(), years)).price;
        chain.quote(eleven(), c, &around(value, 0.02, eleven()));
    }
    let mut room = ParityRoom::default();
    (0..8).for_each(|_| come_by(&mut chain, eleven(), &mut room));
    chain
}

#[test]
fn parity_takes_early_exercise_out() {
    let chain = american();
    for e in chain.expiry_terms() {
        let known = terms(e.date, SPOT, TRUE_CURVE);
        let off = e.terms.forward() / known.forward() - 1.0;
        println!(
            "{}: forward off {off:e}, rate {}, {:?}, {} pairs",
            e.date, e.curve.rate, e.source, e.pairs_used
        );
        assert!(off.abs() < 5e-5, "{}: forward off by {off:e}", e.date);
        assert!((e.curve.rate - TRUE_CURVE.rate).abs() < 0.004, "{}: {:?}", e.date, e.curve);
        assert_eq!(e.source, Source::Parity);
    }
}

#[test]
fn american_marks_are_those_of_the_full_computation() {
    let mut chain = american();
    let all: Vec<Contract> = chain.listed().iter().map(|l| l.contract).collect();
    for spot in [SPOT, 560.7, 557.0, 565.0] {
        chain.hear_spot(spot);
        assert_eq!(allocations(|| chain.remark(eleven())), 0);
        let (mut worst, mut known) = ([0.0f64; 3], 0);
        for (row, c) in all.iter().enumerate().step_by(7) {
            let Ok(found) = chain.greeks_of(row) else { continue };
            let years = terms(c.expiry, SPOT, TRUE_CURVE).years;
            let strike = c.strike().dollars();
            let right = full(c, spot, vol(strike, years));
            // Rates are implied to a tenth of a per cent, quotes rounded: that is what is allowed here.
            let off =
                [(found.price - right.price) / strike, found.delta - right.delta, found.vega - right.vega];
            if found.gamma > 1e-4 {
                worst = std::array::from_fn(|i| worst[i].max(off[i].abs()));
                known += 1;
            }
        }
        println!("at {spot}: {known} rows, worst price/strike, delta, vega: {worst:?}");
        assert!(known > 60 && worst[0] < 2e-5 && worst[1] < 0.003, "{spot}: {worst:?}");
    }
}

#[test]
fn a_quote_by_expansion_finds_the_volatility_of_the_full_search() {
    let mut chain = american();
    chain.hear_spot(SPOT * 1.0009);
    let (mut worst, mut count) = (0.0f64, 0);
    let all: Vec<Contract> = chain.listed().iter().map(|l| l.contract).collect();
    for c in all.iter().step_by(5) {
        let Some(held) = chain.vol(c) else { continue };
        let e = chain.expiry_terms().iter().find(|e| e.date == c.expiry).expect("listed");
        let here = e.terms.at_spot(SPOT * 1.0009);
        let exercise = Exercise::solve(&Method::fast(), c.right, &here, (0.5 * held, 2.0 * held), 7);
        let g = exercise.greeks(&here, c.strike().dollars(), held * 1.004);
        if g.vega < 2.0 {
            continue;
        }
        let quote = around(g.price, 0.01, eleven() + 1);
        assert_eq!(allocations(|| assert!(chain.quote(eleven() + 1, c, &quote))), 0);
        let exact = exercise.implied(&here, c.strike().dollars(), quote.mid().expect("two").dollars(), None);
        let off = (chain.vol(c).expect("quoted") - exact.expect("time value")).abs();
        worst = worst.max(off * g.vega);
        count += 1;
    }
    println!("{count} quotes, largest difference of volatility, in dollars by vega: {worst:e}");
    assert!(count > 80 && worst < 2e-3, "a fifth of the smallest tick: {worst:e}");
}

#[test]
fn work_between_quotes_allocates_nothing() {
    let mut chain = american();
    let mut room = ParityRoom::default();
    // Half an hour later every quote still counts; half a day later every boundary is solved anew.
    assert_eq!(allocations(|| come_by(&mut chain, eleven() + HOUR / 2, &mut room)), 0);
    chain.remark(eleven() + 12 * HOUR);
    assert_eq!(allocations(|| come_by(&mut chain, eleven() + 24 * HOUR, &mut room)), 0);
}

#[test]
fn chain_forward_and_surface_meet() {
    let mut chain = Chain::with_curve(SPXW, CONFIGURED);
    chain.hear_spot(SPOT);
    for c in contracts(SPXW, 10) {
        european_quote(&mut chain, &c, TRUE_CURVE, 0.0, eleven());
    }
    come_by(&mut chain, eleven(), &mut ParityRoom::default());
    let mut points = Vec::new();
    let mut surface = Surface::new();
    for (i, expiry) in chain.expiry_terms().iter().enumerate() {
        assert_eq!(expiry.source, Source::Parity);
        let known = terms(expiry.date, SPOT, TRUE_CURVE);
        assert!((expiry.terms.forward() / known.forward() - 1.0).abs() < 1e-6);
        chain.smile_points(i, eleven(), &FILTER, &mut points);
        let fit = surface.refit(&expiry.terms, &points).expect("many points");
        assert!(fit.rms_vol < 0.003, "{fit:?}");
    }
    assert_eq!(surface.slices().len(), 10);
    assert!(surface.is_calendar_free(0.3));
}

#[test]
fn filters_ratios_and_gamma() {
    let mut chain = european();
    let liquid = |chain: &Chain, after, filter: &Liquidity| chain.is_liquid(40, eleven() + after, filter);
    assert!(liquid(&chain, HOUR, &FILTER));
    assert!(!liquid(&chain, HOUR + 1, &FILTER), "too old");
    assert!(!liquid(&chain, 0, &Liquidity { size_min: 21, ..FILTER }));
    assert!(!liquid(&chain, 0, &Liquidity { open_interest_min: 1, ..FILTER }), "not known");
    assert!(!liquid(&chain, 0, &Liquidity { relative_spread_max: 1e-4, ..FILTER }));
    assert!(!liquid(&chain, 0, &Liquidity { volume_min: 1, ..FILTER }));
    assert_eq!(chain.put_call_ratios().volume, None);
    // Rows 50 and 150 are call and put of one strike.
    let [call, put] = [50, 150].map(|row: usize| chain.listed()[row].contract);
    assert_eq!((call.strike_mils, call.right, put.right), (put.strike_mils, Right::Call, Right::Put));
    chain.traded(&call, 10);
    chain.traded(&put, 30);
    chain.open_interest(&call, 200);
    chain.open_interest(&put, 100);
    let ratios = chain.put_call_ratios();
    assert_eq!((ratios.volume, ratios.open_interest), (Some(3.0), Some(0.5)));
    let gamma = chain.gamma_by_strike(0);
    assert_eq!(gamma.len(), 100);
    let known = 100.0 * (200.0 * chain.marks().gamma[50] + 100.0 * chain.marks().gamma[150]);
    assert!((gamma[50].1 - known).abs() < 1e-9 && gamma[49].1 == 0.0);
    chain.drop_expired(TODAY);
    assert_eq!(chain.put_call_ratios().volume, None, "a new day");
}

fn contract(text: &str) -> Contract {
    text.parse().expect("OCC")
}

fn cents(bid: i64, ask: i64, at: Timestamp) -> Quote {
    let level = |cents| Some(Level { price: Price::from_cents(cents), size: 1 });
    Quote { bid: level(bid), ask: level(ask), at }
}

#[test]
fn lists_updates_and_forgets() {
    let mut chain = Chain::new(SPY);
    let t = Timestamp::from_seconds(1_773_671_400);
    let (far, near) = (contract("SPY260417P00560000"), contract("SPY260320C00570000"));
    assert!(chain.quote(t, &far, &cents(100, 110, t)));
    assert!(chain.quote(t, &near, &cents(0, 5, t)));
    assert!(!chain.quote(t, &contract("SPY1260417P00560000"), &cents(1, 2, t)), "adjusted");
    assert!(!chain.quote(t, &contract("QQQ260417P00560000"), &cents(1, 2, t)), "not ours");
    assert!(!chain.quote(t, &far, &cents(1, 2, t - 1)), "older than what is held");
    chain.open_interest(&far, 500);
    let row = chain.get(&far).expect("listed");
    assert_eq!((row.open_interest, row.quote), (Some(500), Some((cents(100, 110, t), t))));
    assert_eq!(chain.fresh(&near, t, 0).expect("fresh").bid, None, "a bid of zero is no bid");
    assert_eq!(chain.expiries().collect::<Vec<_>>(), vec![near.expiry, far.expiry]);
    assert_eq!(chain.strikes(far.expiry, Right::Put).len(), 1);
    assert_eq!(chain.strikes(far.expiry, Right::Call).len(), 0);
    chain.drop_expired(near.expiry.plus(1));
    assert_eq!((chain.len(), chain.get(&near)), (1, None));
    assert_eq!(chain.strikes(far.expiry, Right::Put)[0].contract, far);
    assert!(chain.get(&far).is_some() && chain.marks().len() == 1);
}

#[test]
fn age_and_a_lost_feed_make_stale() {
    let mut chain = Chain::new(SPY);
    let t = Timestamp::from_seconds(1_773_671_400);
    let c = contract("SPY260417P00560000");
    chain.quote(t, &c, &cents(100, 110, t));
    assert!(chain.fresh(&c, t + 5 * SECOND, 5 * SECOND).is_some());
    assert!(chain.fresh(&c, t + 5 * SECOND + 1, 5 * SECOND).is_none());
    chain.lose_quotes(t);
    assert!(chain.fresh(&c, t, SECOND).is_none());
    chain.quote(t + 1, &c, &cents(100, 110, t + 1));
    assert!(chain.fresh(&c, t + 1, SECOND).is_some());
}

proptest::proptest! {
    /// However contracts are listed, rows are in order and every expiry knows its own.
    #[test]
    fn every_row_belongs_to_its_expiry(order in proptest::collection::vec((0i32..6, 0u32..12, proptest::bool::ANY), 1..120), drop in 0i32..6) {
        let mut chain = Chain::new(SPY);
        chain.hear_spot(SPOT);
        for (week, i, call) in order {
            let right = if call { Right::Call } else { Right::Put };
            let c = Contract { root: SPY, expiry: TODAY.plus(14 * week), strike_mils: (540 + i) * 1000, right };
            chain.open_interest(&c, 1);
        }
        chain.drop_expired(TODAY.plus(14 * drop));
        let mut next = 0;
        for e in chain.expiry_terms() {
            proptest::prop_assert_eq!(e.rows().start, next);
            for right in [Right::Call, Right::Put] {
                let rows = chain.strikes(e.date, right);
                proptest::prop_assert_eq!(rows.len(), e.rows_of(right).len());
                proptest::prop_assert!(rows.iter().all(|l| l.contract.expiry == e.date && l.contract.right == right));
                proptest::prop_assert!(rows.windows(2).all(|p| p[0].contract.strike_mils < p[1].contract.strike_mils));
            }
            next = e.rows().end;
        }
        proptest::prop_assert_eq!(next, chain.len());
    }
}
