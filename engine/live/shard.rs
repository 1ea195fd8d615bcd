//! Symbol seats on threads of their own, for when one is not enough. The trading thread carries words to a shard
//! through a ring; the shard pops them, and only when it had gone to sleep does the sender pay for waking it. What
//! seats there say (rarely anything) comes back as ordinary messages. While a ring is full, words stay in the
//! symbol's post on the trading thread, where quotes conflate and trades wait.

use crate::bell::{Bell, Ring};
use crate::post::{Post, Received};
use actix::{Actor, AsyncContext, Context, StreamHandler};
use market::Symbol;
use rtrb::{Consumer, Producer, RingBuffer};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// The trading thread's end.
pub struct ShardSender {
    ring: Producer<(Symbol, Received)>,
    sleep: Arc<Sleep>,
}

/// The shard's end.
pub struct ShardReceiver {
    ring: Consumer<(Symbol, Received)>,
    sleep: Arc<Sleep>,
}

/// A ring between the trading thread and a shard.
pub fn ring() -> (ShardSender, ShardReceiver) {
    let (producer, consumer) = RingBuffer::new(RING_WORDS);
    let sleep = Arc::new(Sleep::default());
    (ShardSender { ring: producer, sleep: sleep.clone() }, ShardReceiver { ring: consumer, sleep })
}

impl ShardSender {
    /// Moves words from `post` into the ring until one of them is empty or full; answers true when the post is
    /// empty.
    fn carry(&mut self, symbol: Symbol, post: &mut Post) -> bool {
        let mut carried = false;
        while self.ring.slots() > 0 {
            let Some(word) = post.pop() else { break };
            // A slot was free and only this thread fills slots.
            let _ = self.ring.push((symbol, word));
            carried = true;
        }
        if carried && self.sleep.sleeping.swap(false, Ordering::AcqRel) {
            self.sleep.bell.notify_one();
        }
        post.is_empty()
    }
}

/// Stands in for a symbol's seat on the trading thread: answers its doorbell by carrying its mail to the shard.
pub struct Carrier {
    symbol: Symbol,
    post: Rc<RefCell<Post>>,
    bell: Bell,
    sender: Rc<RefCell<ShardSender>>,
}

impl Carrier {
    /// A carrier for one symbol; those of one shard share its sender.
    pub fn new(symbol: Symbol, post: Rc<RefCell<Post>>, sender: Rc<RefCell<ShardSender>>) -> Self {
        Self { symbol, post, bell: Bell::default(), sender }
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
        if !self.sender.borrow_mut().carry(self.symbol, &mut self.post.borrow_mut()) {
            // The ring is full: come again shortly; meanwhile quotes conflate in the post.
            context.run_later(AGAIN, |carrier, _| carrier.bell.ring());
        }
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
}

/// The shard's loop: pops words, puts them in posts, rings bells, lets the seats work, and sleeps when nothing comes.
/// Ends when the trading thread's end is gone.
pub async fn receive(mut receiver: ShardReceiver, doors: Vec<ShardDoor>, conflated: impl Fn(u64)) {
    let mut idle = 0;
    loop {
        let mut got = false;
        // No more than the posts take without conflating what the ring still bounds.
        while doors.iter().all(|d| !d.post.borrow().is_full()) {
            let Ok((symbol, word)) = receiver.ring.pop() else { break };
            got = true;
            if let Some(door) = doors.iter().find(|d| d.symbol == symbol) {
                conflated(door.post.borrow_mut().push(word));
                door.bell.ring();
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
        // A word may have come between the last look and going to sleep.
        if receiver.ring.is_empty() && !receiver.ring.is_abandoned() {
            let wait = receiver.sleep.bell.notified();
            let _ = tokio::time::timeout(SLEEP_MAX, wait).await;
        }
        receiver.sleep.sleeping.store(false, Ordering::Release);
    }
}
