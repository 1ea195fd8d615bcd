//! Symbol seats on threads of their own, for when one is not enough. The trading thread carries words to a shard
//! through a ring; the shard pops them, and only when it had gone to sleep does the sender pay for waking it. Letters of
//! the trading thread's seats and feeds go the same way, behind the words that came before them; those of the office and
//! of the control room go straight to the seat. What the seats there say (rarely anything) comes back as ordinary
//! messages. While a ring is full, words stay in the
//! symbol's post on the trading thread, where quotes conflate and trades wait.

use crate::bell::{Bell, Ring};
use crate::floor::Deliver;
use crate::post::{Post, Received};
use actix::{Actor, AsyncContext, Context, Handler, StreamHandler};
use market::Symbol;
use rtrb::{Consumer, Producer, RingBuffer};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::Duration;
use tokio::sync::Notify;

/// Words a shard's ring holds.
const RING_WORDS: usize = 8_192;
/// Times an idle shard looks again, yielding in between, before it sleeps.
const LOOKS_BEFORE_SLEEP: u32 = 200;

/// How soon a carrier that found its ring full comes again.
const AGAIN: Duration = Duration::from_millis(1);
/// Longest sleep of a shard, should a bell be missed.
const SLEEP_MAX: Duration = Duration::from_millis(50);

/// Whether a shard sleeps, and the bell that wakes it.
#[derive(Default)]
struct Sleep {
    sleeping: AtomicBool,
    bell: Notify,
}

/// What travels through the ring.
#[expect(clippy::large_enum_variant, reason = "letters are few, and a box would allocate for each")]
enum Parcel {
    Word(Symbol, Received),
    Letter(Symbol, Deliver),
}

/// The trading thread's end.
pub struct ShardSender {
    ring: Producer<Parcel>,
    sleep: Arc<Sleep>,
}

/// The shard's end.
pub struct ShardReceiver {
    ring: Consumer<Parcel>,
    sleep: Arc<Sleep>,
}

/// A ring between the trading thread and a shard.
pub fn ring() -> (ShardSender, ShardReceiver) {
    let (producer, consumer) = RingBuffer::new(RING_WORDS);
    let sleep = Arc::new(Sleep::default());
    (ShardSender { ring: producer, sleep: sleep.clone() }, ShardReceiver { ring: consumer, sleep })
}

impl ShardSender {
    /// Moves words from `post`, then letters, into the ring until both are empty or the ring is full; answers true when
    /// nothing is left.
    fn carry(&mut self, symbol: Symbol, post: &mut Post, letters: &mut VecDeque<Deliver>) -> bool {
        let mut carried = false;
        while self.ring.slots() > 0 {
            let word = post.pop().map(|word| Parcel::Word(symbol, word));
            let next = word.or_else(|| letters.pop_front().map(|letter| Parcel::Letter(symbol, letter)));
            let Some(parcel) = next else { break };
            // A slot was free and only this thread fills slots.
            let _ = self.ring.push(parcel);
            carried = true;
        }
        // Either this thread sees the shard asleep, or the shard sees the parcel before it sleeps.
        fence(Ordering::SeqCst);
        if carried && self.sleep.sleeping.swap(false, Ordering::AcqRel) {
            self.sleep.bell.notify_one();
        }
        post.is_empty() && letters.is_empty()
    }
}

/// Stands in for a symbol's seat on the trading thread: answers its doorbell by carrying its mail to the shard.
pub struct Carrier {
    symbol: Symbol,
    post: Rc<RefCell<Post>>,
    /// Letters that wait for room in the ring.
    letters: VecDeque<Deliver>,
    bell: Bell,
    /// True while it has planned to come again.
    planned: bool,
    sender: Rc<RefCell<ShardSender>>,
}

impl Carrier {
    /// A carrier for one symbol; those of one shard share its sender.
    pub fn new(symbol: Symbol, post: Rc<RefCell<Post>>, sender: Rc<RefCell<ShardSender>>) -> Self {
        Self { symbol, post, letters: VecDeque::new(), bell: Bell::default(), planned: false, sender }
    }

    /// Rung when words wait in the symbol's post.
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }
}

impl Actor for Carrier {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        Self::add_stream(self.bell.rings(), context);
    }
}

impl StreamHandler<Ring> for Carrier {
    fn handle(&mut self, _: Ring, context: &mut Self::Context) {
        let mut sender = self.sender.borrow_mut();
        let carried = sender.carry(self.symbol, &mut self.post.borrow_mut(), &mut self.letters);
        if !carried && !self.planned {
            // The ring is full: come again shortly; meanwhile quotes conflate in the post.
            self.planned = true;
            context.run_later(AGAIN, |carrier, _| {
                carrier.planned = false;
                carrier.bell.ring();
            });
        }
    }
}

impl Handler<Deliver> for Carrier {
    type Result = ();
    fn handle(&mut self, letter: Deliver, _: &mut Self::Context) {
        self.letters.push_back(letter);
        self.bell.ring();
    }
}

/// A symbol's post and bell on the shard's own thread.
pub struct ShardDoor {
    /// The symbol.
    pub symbol: Symbol,
    /// Its post on the shard.
    pub post: Rc<RefCell<Post>>,
    /// Its seat's bell.
    pub bell: Bell,
    /// Its seat, for letters.
    pub seat: actix::Recipient<Deliver>,
}

/// The shard's loop: pops words, puts them in posts, rings bells, lets the seats work, and sleeps when nothing comes.
/// Ends when the trading thread's end is gone.
pub async fn receive(mut receiver: ShardReceiver, doors: Vec<ShardDoor>, conflated: impl Fn(u64)) {
    let mut idle = 0;
    loop {
        let mut got = false;
        // No more than the posts take without conflating what the ring still bounds.
        while doors.iter().all(|d| !d.post.borrow().is_full()) {
            let Ok(parcel) = receiver.ring.pop() else { break };
            got = true;
            let (Parcel::Word(symbol, _) | Parcel::Letter(symbol, _)) = &parcel;
            let Some(door) = doors.iter().find(|door| door.symbol == *symbol) else { continue };
            match parcel {
                Parcel::Word(_, word) => {
                    conflated(door.post.borrow_mut().push(word));
                    door.bell.ring();
                }
                Parcel::Letter(_, letter) => door.seat.do_send(letter),
            }
        }
        if got {
            idle = 0;
            tokio::task::yield_now().await;
            continue;
        }
        if receiver.ring.is_abandoned() {
            return;
        }
        idle += 1;
        if idle < LOOKS_BEFORE_SLEEP {
            tokio::task::yield_now().await;
            continue;
        }
        idle = 0;
        receiver.sleep.sleeping.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        // A word may have come between the last look and going to sleep.
        if receiver.ring.is_empty() && !receiver.ring.is_abandoned() {
            let wait = receiver.sleep.bell.notified();
            let _ = tokio::time::timeout(SLEEP_MAX, wait).await;
        }
        receiver.sleep.sleeping.store(false, Ordering::Release);
    }
}
