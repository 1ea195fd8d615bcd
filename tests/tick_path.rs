//! From a frame's bytes to the decision nothing is allocated: decoding, the post, the record, bars, indicators, feature
//! rows, ten models on our kernels, the ensemble, entry and exit. The websocket library and the actors' scheduling lie
//! outside: they are other people's code.
#![allow(unsafe_code)]

use alpaca::decode::decode_stocks;
use alpaca::wire::{Decoded, Encoding};
use desk::letter::{Address, Envelope, Letter};
use desk::seat::{Outbox, Seat, UnderlyingSeat};
use live::bell::Bell;
use live::clock::Clock;
use live::feed::{Door, MarketHands};
use live::floor::Floor;
use live::post::{Bounds, Post};
use market::feed::FeedName;
use market::time::SECOND;
use market::{Date, Label, Symbol, Timestamp};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: hands every call on to the system's allocator unchanged; counting touches a thread-local `Cell` that needs no
// allocation and no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
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

const SPY: Symbol = Symbol::literal("SPY");

#[test]
fn bytes_to_decision_allocate_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let settings =
        wingspread::settings::load(&root.join("config/wingspread.yaml")).expect("shipped settings");
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = wingspread::wire::open_journal(&settings, folder.path()).expect("a journal");
    let pen = journal.pens.pop().expect("a pen");
    let start = Date::literal(2026, 3, 16).at_new_york(11 * 3600);
    let views = Arc::new(crossbeam::queue::ArrayQueue::new(64));
    let floor = Rc::new(Floor::new(Clock::following(start, 0.0), pen, true, views));
    let mut seat = wingspread::seats::underlying(&settings.strategy, SPY, journal.recovered.run_id());
    let models = install_shipped_models(&root.join("models"), &mut seat, start);
    assert_eq!(models, 10, "one a timeframe");

    let post = Rc::new(RefCell::new(Post::new(Bounds { quotes_max: 64, events_max: 1024 })));
    let door = Door { symbol: SPY, post: post.clone(), bell: Bell::default() };
    let (gaps, _gaps) = tokio::sync::mpsc::unbounded_channel();
    let mut hands = MarketHands::new(FeedName::Stocks, floor.clone(), Rc::new(vec![door]), vec![], gaps);
    let mut out = Outbox::with_capacity(64);
    let frames: Vec<Vec<u8>> = (0..3_000).map(|n| frame(start + n * SECOND / 20, n)).collect();
    let mut hear = |frame: &[u8]| {
        decode_stocks(frame, Encoding::Json, &mut |found| {
            if let Decoded::Event(event) = found {
                hands.event(1, event);
            }
        })
        .expect("a right frame");
        hands.flush();
        while let Some(word) = post.borrow_mut().pop() {
            let at = word.event.at().unwrap_or(start);
            let letter = Letter::Market(word.event);
            let envelope = Envelope { from: Address::Venue, to: Address::Underlying(SPY), at, letter };
            floor.hear(&mut seat, &envelope, word.read_ns, &mut out);
            out.clear();
        }
    };
    // The first frames open the session and its bars.
    frames[..200].iter().for_each(|frame| hear(frame));
    let before = COUNT.with(Cell::get);
    frames[200..].iter().for_each(|frame| hear(frame));
    let made = COUNT.with(Cell::get) - before;
    assert_eq!(made, 0, "allocations in 2,800 frames, across two minutes' closes");
    assert!(seat.core().forecast().is_some(), "the models were asked");
    assert_eq!(floor.stages.borrow().counters.quotes_in, 3_000);
}

/// Every shipped model, announced as the engine does; answers how many.
fn install_shipped_models(models: &Path, seat: &mut UnderlyingSeat, at: Timestamp) -> usize {
    let (mut count, mut out) = (0, Outbox::new());
    for name in std::fs::read_dir(models).expect("models/").flatten().filter(|e| e.path().is_dir()) {
        let version = std::fs::read_dir(name.path()).expect("a model").flatten().next().expect("a version");
        let loaded = onnx::load_dir(&version.path()).expect("a sound model");
        let manifest = &loaded.manifest;
        let (timeframe, name, version) = (manifest.timeframe, manifest.name, manifest.version);
        let note = forecast::notes::ModelNote { timeframe, name, version, digest: loaded.digest };
        seat.offer(&note, loaded.compiled.spawn());
        seat.hear(at, &Letter::Model(note), &mut out);
        count += 1;
    }
    count
}

/// A stock quote as the broker words it, walking a little.
fn frame(at: Timestamp, n: i64) -> Vec<u8> {
    let cents = 56_000 + (n * 7) % 23;
    let (bid, ask) = (cents as f64 / 100.0, (cents + 1) as f64 / 100.0);
    let stamp = Label::format(format_args!("{}", at.ns() % SECOND));
    let seconds = at.ns() / SECOND;
    let clock = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!(
        r#"[{{"T":"q","S":"SPY","bx":"V","bp":{bid},"bs":3,"ax":"V","ap":{ask},"as":2,"c":["R"],"t":"2026-03-16T{hour:02}:{minute:02}:{second:02}.{:0>9}Z","z":"B"}}]"#,
        stamp.as_str()
    )
    .into_bytes()
}
