//! The chain: a quote touches its row only, a move of the spot every row, and neither allocates.

use crate::chain::{Chain, Liquidity, RowQuote};
use crate::european::{Terms, greeks};
use crate::forward::{Configured, Source, imply};
use crate::implied::NoVolatility;
use crate::surface::Surface;
use market::{Contract, Date, Right, Symbol};
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

const TODAY: Date = Date::literal(2026, 3, 2);
const FILTER: Liquidity = Liquidity {
    relative_spread_max: 0.3,
    size_min: 1,
    open_interest_min: 0,
    volume_min: 0,
    age_max_ns: 1_000,
};

fn terms(date: Date) -> Terms {
    Terms::new(560.0, f64::from(date.days_since(TODAY)) / 365.0, 0.04, 0.012)
}

fn vol(strike: f64, years: f64) -> f64 {
    let k = (strike / 560.0f64).ln() / years.sqrt();
    0.18 - 0.06 * k + 0.05 * k * k
}

/// 10 expiries of 100 strikes, both rights, all quoted.
fn chain() -> Chain {
    let contract = |expiry, i: u32, right| Contract {
        root: Symbol::literal("SPY"),
        expiry,
        strike_mils: (460 + 2 * i) * 1000,
        right,
    };
    let mut contracts = Vec::new();
    for week in 1..=10 {
        for i in 0..100 {
            contracts.extend([Right::Call, Right::Put].map(|r| contract(TODAY.plus(14 * week), i, r)));
        }
    }
    let mut chain = Chain::new(contracts, terms);
    for row in 0..chain.len() {
        quote(&mut chain, row, 0.0, 10);
    }
    chain
}

fn quote(chain: &mut Chain, row: usize, by: f64, at_ns: i64) -> bool {
    let c = chain.contract(row);
    let (strike, terms) = (c.strike().dollars(), terms(c.expiry));
    let value = greeks(c.right, &terms, strike, vol(strike, terms.years) + by).price;
    let quote =
        RowQuote { bid: Some(value - 0.02), ask: Some(value + 0.02), bid_size: 20, ask_size: 30, at_ns };
    chain.update(row, quote)
}

#[test]
fn a_quote_touches_its_row_only() {
    let mut chain = chain();
    let before = chain.marks().clone();
    assert_eq!(allocations(|| assert!(quote(&mut chain, 777, 0.01, 20))), 0);
    for row in (0..chain.len()).filter(|r| *r != 777) {
        assert!(before.row(row) == chain.marks().row(row) || before.price[row].is_nan());
    }
    let c = chain.contract(777);
    let strike = c.strike().dollars();
    let known = vol(strike, terms(c.expiry).years) + 0.01;
    assert!((chain.vol(777).expect("quoted") - known).abs() < 1e-6);
    assert!(!quote(&mut chain, 777, 0.02, 19), "older than the one held");
    assert_eq!(chain.row_of(&c), Some(777));
    let one_sided = RowQuote { bid: None, ..*chain.quote(777) };
    chain.update(777, one_sided);
    assert_eq!(chain.greeks(777), Err(NoVolatility::OneSided));
    assert!(chain.vol(777).is_none() && chain.marks().price[777].is_nan());
}

#[test]
fn a_move_marks_every_row_without_allocating() {
    let mut chain = chain();
    assert_eq!(chain.len(), 2000);
    assert_eq!(allocations(|| chain.move_spot(563.0)), 0);
    for row in 0..chain.len() {
        let c = chain.contract(row);
        let Ok(found) = chain.greeks(row) else { continue };
        let moved = terms(c.expiry).at_spot(563.0);
        assert_eq!(found, greeks(c.right, &moved, c.strike().dollars(), chain.vol(row).expect("marked")));
    }
}

#[test]
fn chain_forward_and_surface_meet() {
    let chain = chain();
    let (mut pairs, mut points, mut scratch) = (Vec::new(), Vec::new(), Vec::new());
    let mut surface = Surface::new();
    for (i, expiry) in chain.expiries().iter().enumerate() {
        chain.pairs(i, 10, &FILTER, &mut pairs);
        let years = expiry.terms.years;
        let configured =
            Configured { spot: 560.0, years, rate: 0.03, dividend_yield: 0.0, dividends_present: 0.0 };
        let forward = imply(&pairs, &configured, &mut scratch);
        assert_eq!(forward.source, Source::Parity);
        assert!((forward.forward / expiry.terms.forward() - 1.0).abs() < 1e-9);
        chain.smile_points(i, 10, &FILTER, &mut points);
        let fit = surface.refit(&forward.terms(560.0, years), &points).expect("many points");
        assert!(fit.rms_vol < 0.003, "{fit:?}");
    }
    assert_eq!(surface.slices().len(), 10);
    assert!(surface.is_calendar_free(0.3));
}

#[test]
fn filters_ratios_and_gamma() {
    let mut chain = chain();
    assert!(chain.is_liquid(100, 10, &FILTER));
    assert!(!chain.is_liquid(100, 1011, &FILTER), "too old");
    assert!(!chain.is_liquid(100, 10, &Liquidity { size_min: 21, ..FILTER }));
    assert!(!chain.is_liquid(100, 10, &Liquidity { open_interest_min: 1, ..FILTER }), "not known");
    assert!(!chain.is_liquid(100, 10, &Liquidity { relative_spread_max: 1e-4, ..FILTER }));
    assert!(!chain.is_liquid(100, 10, &Liquidity { volume_min: 1, ..FILTER }));
    assert_eq!(chain.put_call_ratios().volume, None);
    // Row 100 is a call, 101 the put of the same strike.
    chain.set_activity(100, 10, Some(200));
    chain.set_activity(101, 30, Some(100));
    let ratios = chain.put_call_ratios();
    assert_eq!((ratios.volume, ratios.open_interest), (Some(3.0), Some(0.5)));
    let gamma = chain.gamma_by_strike(0);
    assert_eq!(gamma.len(), 100);
    let known = 100.0 * (200.0 * chain.marks().gamma[100] + 100.0 * chain.marks().gamma[101]);
    assert!((gamma[50].1 - known).abs() < 1e-9 && gamma[49].1 == 0.0);
}
