//! Shows that a tick allocates nothing once the analysis stands, closings and new sessions included.
#![allow(unsafe_code)]

use crate::analysis::Analysis;
use market::quote::{Level, Quote, SaleRule, Timeframe, Trade};
use market::time::{MS, SECOND};
use market::{Date, Price};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract; the counter is a
// plain thread-local without a destructor, so touching it allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` came from `System` with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn ticks_allocate_nothing() {
    let mut analysis = Analysis::new();
    let mut checksum = 0.0;
    let before = ALLOCATIONS.with(Cell::get);
    for day in [2, 3, 6] {
        // A tick every 700 ms from before the open until after the close.
        let first = Date::literal(2025, 1, day).at_new_york(9 * 3600 + 28 * 60);
        for i in 0..34_000i64 {
            let at = first + i * 700 * MS;
            let price = Price::from_cents(50_000 + (i * 37 % 211) - (i * 11 % 97));
            let level = |cents: i64| Some(Level { price: price + Price::from_cents(cents), size: 3 });
            let trade = Trade { price, size: 10, at, id: i as u64 + 1, rule: SaleRule::Regular };
            let closed = if i % 3 == 0 {
                analysis.on_trade(at, &trade)
            } else {
                analysis.on_quote(at, &Quote { bid: level(-1), ask: level(1), at })
            };
            checksum += f64::from(closed.0);
            for timeframe in Timeframe::ALL {
                checksum += f64::from(analysis.features(timeframe)[8]);
            }
        }
        analysis.advance(first + 24 * 3600 * SECOND);
    }
    let made = ALLOCATIONS.with(Cell::get) - before;
    assert_eq!(made, 0, "allocations in 102,000 ticks (checksum {checksum})");
    assert!(analysis.counts().trades > 30_000 && analysis.bars_taken(Timeframe::Day1) == 3);
}
