//! Counts allocations: a tick must make none once the contracts are listed.
#![allow(unsafe_code)]

use crate::scripted_day::Script;
use crate::search_test::{EXPIRY, contracts, model_quote};
use market::time::MS;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: hands every call on to the system's allocator unchanged; counting touches a thread-local `Cell`
// that needs no allocation and no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|c| c.set(c.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_tick_allocates_nothing() {
    let mut script = Script::new();
    script.settings.inference = false;
    script.start();
    script.hold_bull_put();
    let options: Vec<_> = contracts(EXPIRY).collect();
    // The first ticks open the session and its bars.
    for i in 0..100 {
        script.stock_quote(560.0 + f64::from(i % 7) / 100.0);
    }
    let before = COUNT.with(Cell::get);
    for i in 0..5_000usize {
        script.now = script.now + 50 * MS;
        script.stock_quote(560.0 + (i % 11) as f64 / 100.0);
        script.stock_trade(560.0 + (i % 5) as f64 / 100.0);
        let contract = &options[i % options.len()];
        let quote = model_quote(contract, 560.0, script.now);
        script.option_quote(contract, quote);
        script.wake();
        script.out.clear();
    }
    let made = COUNT.with(Cell::get) - before;
    assert_eq!(made, 0, "allocations in 15,000 ticks");
}

#[test]
fn a_search_allocates_nothing_once_its_tables_have_grown() {
    use crate::search::Finder;
    use crate::search_test::{SPOT, chain_of, eleven, settings};
    use crate::structures::tests::{calendar, shipped};
    let chain = chain_of(&[EXPIRY, EXPIRY.plus(28)], SPOT, eleven());
    let spot = market::Price::nearest(SPOT).expect("in range");
    let mut structures = shipped();
    structures.push(calendar(market::Right::Call));
    let (mut finder, settings) = (Finder::new(), settings());
    let mut search = || {
        let mut round = finder.begin(&chain, crate::search_test::SPY, spot, eleven(), 1, &settings);
        structures.iter().filter(|s| round.candidate(s).is_ok()).count()
    };
    assert_eq!(search(), 3);
    let before = COUNT.with(Cell::get);
    for _ in 0..100 {
        search();
    }
    assert_eq!(COUNT.with(Cell::get) - before, 0, "allocations in 100 searches");
}
