//! A doorbell within one thread. Ringing it costs a flag and a wake-up of a task on the same thread: no message, no
//! allocation, so that it may be rung at every tick. Rings do not add up: whoever answers empties the post.

use futures_util::Stream;
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Words wait in the post.
pub struct Ring;

/// The button.
#[derive(Clone, Default)]
pub struct Bell(Rc<Wire>);

#[derive(Default)]
struct Wire {
    rung: Cell<bool>,
    listener: RefCell<Option<Waker>>,
}

impl Bell {
    /// Rings, unless an earlier ring has not been answered yet.
    #[inline]
    pub fn ring(&self) {
        if self.0.rung.replace(true) {
            return;
        }
        if let Some(listener) = &*self.0.listener.borrow() {
            listener.wake_by_ref();
        }
    }

    /// The rings of this bell, for the one actor that answers it.
    pub fn rings(&self) -> Rings {
        Rings { bell: self.clone(), answered: false }
    }
}

/// A stream of rings. It gives one at a time and then lets the thread's other tasks have their turn.
pub struct Rings {
    bell: Bell,
    answered: bool,
}

impl Stream for Rings {
    type Item = Ring;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Ring>> {
        let answered = std::mem::take(&mut self.answered);
        if !answered && self.bell.0.rung.replace(false) {
            self.answered = true;
            return Poll::Ready(Some(Ring));
        }
        let mut listener = self.bell.0.listener.borrow_mut();
        if !listener.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
            *listener = Some(context.waker().clone());
        }
        if self.bell.0.rung.get() {
            // Rung again while it was answered: after the others.
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::StreamExt;

    #[test]
    fn many_rings_are_one_and_a_ring_while_answering_is_not_lost() {
        let bell = Bell::default();
        let mut rings = bell.rings();
        assert!(rings.next().now_or_never().is_none(), "silent at first");
        bell.ring();
        bell.ring();
        assert!(rings.next().now_or_never().is_some());
        bell.ring();
        assert!(rings.next().now_or_never().is_none(), "others have their turn first");
        assert!(rings.next().now_or_never().is_some());
        assert!(rings.next().now_or_never().is_none());
        assert!(rings.next().now_or_never().is_none(), "each ring is answered once");
    }
}
