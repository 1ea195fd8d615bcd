//! Which events were booked already: a bounded memory of ids, the oldest forgotten first.

use std::collections::{BTreeSet, VecDeque};

/// Ids remembered: a venue repeats itself within seconds, or a day after a reconnect; this is far more.
pub const SEEN_MAX: usize = 16_384;

/// Ids already booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen<T> {
    order: VecDeque<T>,
    known: BTreeSet<T>,
}

impl<T: Copy + Ord> Seen<T> {
    /// Knows nothing yet.
    pub const fn new() -> Self {
        Self { order: VecDeque::new(), known: BTreeSet::new() }
    }

    /// True the first time an id is shown.
    pub fn is_new(&mut self, id: T) -> bool {
        if !self.known.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > SEEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

impl<T: Copy + Ord> Default for Seen<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_a_bounded_number() {
        let mut seen = Seen::new();
        assert!((0..=SEEN_MAX).all(|id| seen.is_new(id)));
        assert!(!seen.is_new(SEEN_MAX));
        assert!(seen.is_new(0), "the oldest was forgotten");
        assert_eq!(seen.order.len(), SEEN_MAX);
    }
}
