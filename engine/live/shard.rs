//! Symbol seats on threads of their own, for when one is not enough. The trading thread carries words to a shard
//! through a ring; the shard pops them, and only when it had gone to sleep does the sender pay for waking it. What
//! seats there say (rarely anything) comes back as ordinary messages. While a ring is full, words stay in the
//! symbol's post on the trading thread, where quotes conflate and trades wait.

use crate::post::{Post, Received};
use crate::seat_actor::Doorbell;
use actix::{Actor, Context, Handler};
use market::Symbol;
use rtrb::{Consumer, Producer, RingBuffer};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// Words a shard's ring holds.
const RING_WORDS: usize = 8_192;
/// Times an idle shard looks again, yielding in between, before it sleeps.
const LOOKS_BEFORE_SLEEP: u32 = 200;

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
    sender: Rc<RefCell<ShardSender>>,
}

impl Carrier {
    /// A carrier for one symbol; those of one shard share its sender.
    pub fn new(symbol: Symbol, post: Rc<RefCell<Post>>, sender: Rc<RefCell<ShardSender>>) -> Self {
        Self { symbol, post, sender }
    }
}

impl Actor for Carrier {
    type Context = Context<Self>;
}

impl Handler<Doorbell> for Carrier {
    type Result = ();
    fn handle(&mut self, _: Doorbell, context: &mut Self::Context) {
        let mut post = self.post.borrow_mut();
        if self.sender.borrow_mut().carry(self.symbol, &mut post) {
            post.rung = false;
        } else {
            // The ring is full: come again shortly; meanwhile quotes conflate in the post.
            use actix::AsyncContext;
            context.notify_later(Doorbell, std::time::Duration::from_millis(1));
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
    pub bell: actix::Recipient<Doorbell>,
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
                let mut post = door.post.borrow_mut();
                conflated(post.push(word));
                if !post.rung {
                    post.rung = true;
                    door.bell.do_send(Doorbell);
                }
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
            let _ = tokio::time::timeout(std::time::Duration::from_millis(50), wait).await;
        }
        receiver.sleep.sleeping.store(false, Ordering::Release);
    }
}
