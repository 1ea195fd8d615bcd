//! The last few values of a series. Sums over a window are taken afresh when a bar closes, over all of it but the
//! oldest value: so the forming value costs one addition, and nothing drifts or stays poisoned by one huge value.

/// Longest period any indicator may have.
pub const LONGEST: usize = 64;

/// A ring of the last `period` values.
#[derive(Clone, Debug)]
pub struct Window {
    period: usize,
    next: usize,
    filled: usize,
    held: [f64; LONGEST],
}

impl Window {
    /// An empty window. Panics when `period` is 0 or above [`LONGEST`]: periods are written in the program.
    pub fn new(period: usize) -> Self {
        assert!((1..=LONGEST).contains(&period), "period {period} is not 1 to {LONGEST}");
        Self { period, next: 0, filled: 0, held: [0.0; LONGEST] }
    }

    /// Takes a value in, and the oldest out when full.
    pub fn push(&mut self, x: f64) {
        self.held[self.next] = x;
        self.next = if self.next + 1 == self.period { 0 } else { self.next + 1 };
        self.filled = (self.filled + 1).min(self.period);
    }

    /// The period.
    pub const fn period(&self) -> usize {
        self.period
    }

    /// Values held.
    pub const fn len(&self) -> usize {
        self.filled
    }

    /// True before the first value.
    pub const fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// True when one more value makes a whole window.
    pub const fn nearly_full(&self) -> bool {
        self.filled + 1 >= self.period
    }

    /// The value `period` pushes ago; `None` until the window is full.
    pub fn oldest(&self) -> Option<f64> {
        (self.filled == self.period).then(|| self.held[self.next])
    }

    /// The latest `period - 1` values (fewer while filling), oldest first: what a forming value is joined to.
    pub fn tail(&self) -> impl Iterator<Item = f64> + '_ {
        let count = self.filled.min(self.period - 1);
        (0..count).map(move |i| self.held[(self.next + self.period - count + i) % self.period])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_all_but_the_oldest() {
        let mut window = Window::new(3);
        assert_eq!(window.tail().count(), 0);
        for (x, tail) in
            [(1.0, vec![1.0]), (2.0, vec![1.0, 2.0]), (3.0, vec![2.0, 3.0]), (4.0, vec![3.0, 4.0])]
        {
            window.push(x);
            assert_eq!(window.tail().collect::<Vec<_>>(), tail);
        }
        assert_eq!(window.oldest(), Some(2.0));
        let mut one = Window::new(1);
        one.push(5.0);
        assert_eq!((one.tail().count(), one.oldest()), (0, Some(5.0)));
    }
}
