//! Sums and extremes of the last few values in constant time, without drift.
//!
//! A window slides over blocks of its own length. For the block that ended last the sums (or extremes) of all its
//! tails are kept, made afresh from the values when it ended; for the running block the sum of its head. Any window
//! is one tail and one head: every answer is a fresh sum over just the values in the window, whatever passed before,
//! and costs two additions. Turning a full block into tails costs one more addition a value (van Herk 1992 and
//! Gil & Werman 1993 for extremes).

use crate::indicator::Series;
use crate::sweep::{SCRATCH, STRETCH, Scratch, each};

/// Longest period any indicator may have, bars.
pub const LONGEST: usize = 1_000;

/// Panics when a period is 0 or above [`LONGEST`]: names and bounds are checked before ([`crate::table`]).
pub(crate) fn checked(period: usize) -> usize {
    assert!((1..=LONGEST).contains(&period), "period {period} is not 1 to {LONGEST}");
    period
}

state! {
    /// The values of the last `period` updates.
    pub struct Ring {
        next: usize,
        is_full: bool,
        held: Box<[f64]>,
    }
}

impl Ring {
    /// An empty ring of `period` places.
    pub fn new(period: usize) -> Self {
        Self { next: 0, is_full: false, held: vec![0.0; checked(period)].into() }
    }

    /// Takes a value in, and the oldest out when full.
    #[inline(always)]
    pub fn take(&mut self, x: f64) {
        self.held[self.next] = x;
        self.next += 1;
        if self.next == self.held.len() {
            (self.next, self.is_full) = (0, true);
        }
    }

    /// The value `period` updates ago; `None` until there were as many.
    #[inline(always)]
    pub fn oldest(&self) -> Option<f64> {
        self.is_full.then(|| self.held[self.next])
    }

    /// True when there were as many values as places.
    #[inline(always)]
    pub(crate) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// True when one more value makes a whole window.
    #[inline(always)]
    pub fn nearly_full(&self) -> bool {
        self.is_full || self.next + 1 == self.held.len()
    }

    /// Places.
    pub fn period(&self) -> usize {
        self.held.len()
    }

    /// Takes a stretch; `line` becomes what `join` makes of each value and the one `period` updates before it. False,
    /// and nothing is taken, until there were as many.
    #[inline(always)]
    pub(crate) fn sweep(&mut self, xs: &Scratch, line: &mut Scratch, join: impl Fn(f64, f64) -> f64) -> bool {
        if !self.is_full {
            return false;
        }
        let period = self.held.len();
        let (later, earlier) = self.held.split_at(self.next);
        for ((place, x), old) in line.iter_mut().zip(xs).zip(earlier.iter().chain(later)) {
            *place = join(*x, *old);
        }
        for ((place, x), old) in line.iter_mut().zip(xs).skip(period).zip(xs) {
            *place = join(*x, *old);
        }
        for x in &xs[STRETCH.saturating_sub(period)..] {
            self.held[self.next] = *x;
            self.next = if self.next + 1 == period { 0 } else { self.next + 1 };
        }
        true
    }

    /// The latest `period - 1` values (all while there are fewer), in two runs, in no order worth relying on.
    #[inline(always)]
    pub fn others(&self) -> (&[f64], &[f64]) {
        let end = if self.is_full { self.held.len() } else { self.next };
        let later = if self.is_full { self.next + 1 } else { end };
        (&self.held[..self.next], &self.held[later..end])
    }
}

state! {
    /// Sum of a window.
    pub struct Sum {
        at: usize,
        is_warm: bool,
        head: f64,
        /// Before `at` the running block's values, from it the last block's tail sums; one more place for none.
        tails: Box<[f64]>,
    }
}

impl Sum {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        Self { at: 0, is_warm: false, head: 0.0, tails: vec![0.0; checked(period) + 1].into() }
    }

    /// Values in a whole window.
    #[inline(always)]
    pub fn period(&self) -> usize {
        self.tails.len() - 1
    }

    /// True when a whole block has passed.
    #[inline(always)]
    pub(crate) const fn is_warm(&self) -> bool {
        self.is_warm
    }

    /// The sum with `x` as the next value, of as many as there are.
    #[inline(always)]
    pub fn with(&self, x: f64) -> f64 {
        self.tails[self.at + 1] + (self.head + x)
    }
}

/// Joins the tails of four values to what comes after them: the chain from four to four is one step long, so the
/// processor works on the next four meanwhile.
#[inline(always)]
pub(crate) fn tails_of([a, b, c, d]: [f64; 4], after: f64, join: impl Fn(f64, f64) -> f64) -> [f64; 4] {
    let two = join(c, d);
    [join(join(join(a, b), two), after), join(join(b, two), after), join(two, after), join(d, after)]
}

/// Turns the values of a block (all but its last place) into the joins of its tails.
#[inline(always)]
fn join_tails(block: &mut [f64], none: f64, join: impl Fn(f64, f64) -> f64 + Copy) {
    let Some((_, values)) = block.split_last_mut() else { return };
    let mut after = none;
    let (rest, fours) = values.as_rchunks_mut::<4>();
    for four in fours.iter_mut().rev() {
        *four = tails_of(*four, after, join);
        after = four[0];
    }
    for tail in rest.iter_mut().rev() {
        after = join(*tail, after);
        *tail = after;
    }
}

/// Takes a stretch into a block with its head: each answer joins a tail of the last block to the head that grew by a
/// value. A block that is full is turned into tails by `finish`.
#[inline(always)]
fn slide(
    block: &mut [f64],
    (mut at, mut head): (usize, f64),
    (xs, answers): (&[f64], &mut [f64]),
    none: f64,
    join: impl Fn(f64, f64) -> f64 + Copy,
    finish: impl Fn(&mut [f64]),
) -> (usize, f64) {
    let period = block.len() - 1;
    let mut from = 0;
    while from < xs.len() {
        let end = (from + period - at).min(xs.len());
        let (xs, answers) = (&xs[from..end], &mut answers[from..end]);
        let places = &mut block[at..=at + xs.len()];
        for (i, (x, answer)) in xs.iter().zip(answers).enumerate() {
            head = join(head, *x);
            *answer = join(places[i + 1], head);
            places[i] = *x;
        }
        at += end - from;
        if at == period {
            finish(block);
            (at, head) = (0, none);
        }
        from = end;
    }
    (at, head)
}

/// The longest window of which doubling is the faster way over a stretch.
const DOUBLED_MAX: usize = STRETCH / 2;

/// A block's state after a stretch, out of the stretch alone: the last whole block's tails and the running head.
#[inline(always)]
fn left_behind(
    block: &mut [f64],
    at: usize,
    xs: &Scratch,
    none: f64,
    join: impl Fn(f64, f64) -> f64,
    finish: impl Fn(&mut [f64]),
) -> (usize, f64) {
    let period = block.len() - 1;
    let at = (at + STRETCH) % period;
    let (_, running) = xs.split_at(STRETCH - at);
    block[..period].copy_from_slice(&xs[STRETCH - at - period..STRETCH - at]);
    finish(block);
    block[..at].copy_from_slice(running);
    (at, running.iter().fold(none, |head, x| join(head, *x)))
}

/// Joins of two values, four, eight and so on, doubled until a window of `period` is one of them, or made of some:
/// `tell` hears each with its length in values.
#[inline(always)]
fn doubled(
    xs: &Scratch,
    period: usize,
    join: impl Fn(f64, f64) -> f64 + Copy,
    mut tell: impl FnMut(usize, &Scratch),
) {
    tell(1, xs);
    let (mut rooms, mut length) = ([SCRATCH; 2], 1);
    let [now, next] = &mut rooms;
    let (mut now, mut next) = (now, next);
    while 2 * length <= period {
        let before = if length == 1 { xs } else { &*now };
        let pairs = before[length..].iter().zip(&before[..STRETCH - length]);
        for (place, (newer, older)) in next[length..].iter_mut().zip(pairs) {
            *place = join(*newer, *older);
        }
        std::mem::swap(&mut now, &mut next);
        length *= 2;
        tell(length, now);
    }
}

/// Sums of the windows that lie in the stretch, of doubled ones.
#[inline(always)]
fn double_sums(period: usize, xs: &Scratch, line: &mut Scratch) {
    let (sums, mut offset) = (&mut line[period..], 0);
    doubled(
        xs,
        period,
        |a, b| a + b,
        #[inline(always)]
        |length, joined| {
            if period & length == 0 {
                return;
            }
            let joined = &joined[period - offset..STRETCH - offset];
            if offset == 0 {
                sums.copy_from_slice(joined);
            } else {
                sums.iter_mut().zip(joined).for_each(|(sum, x)| *sum += x);
            }
            offset += length;
        },
    );
}

#[inline(always)]
fn sum_tails(block: &mut [f64]) {
    join_tails(block, 0.0, |a, b| a + b);
}

/// Out of the way of the bars in between.
#[cold]
#[inline(never)]
fn end_of_sum(block: &mut [f64]) {
    sum_tails(block);
}

impl Series for Sum {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        (self.is_warm || self.at + 2 == self.tails.len()).then(|| self.with(x))
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.head += x;
        self.tails[self.at] = x;
        self.at += 1;
        if self.at + 1 == self.tails.len() {
            end_of_sum(&mut self.tails);
            (self.at, self.is_warm, self.head) = (0, true, 0.0);
        }
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        if !self.is_warm {
            return false;
        }
        let (period, at, add) = (self.period(), self.at, |a: f64, b: f64| a + b);
        let first = if period <= DOUBLED_MAX { period } else { STRETCH };
        let part = (&xs[..first], &mut line[..first]);
        (self.at, self.head) = slide(&mut self.tails, (at, self.head), part, 0.0, add, sum_tails);
        if period > DOUBLED_MAX {
            return true;
        }
        double_sums(period, xs, line);
        (self.at, self.head) = left_behind(&mut self.tails, at, xs, 0.0, add, sum_tails);
        true
    }
}

state! {
    /// Largest value of a window.
    pub struct Highest {
        at: usize,
        is_warm: bool,
        head: f64,
        tails: Box<[f64]>,
    }
}

#[inline(always)]
pub(crate) fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

#[inline(always)]
pub(crate) fn smaller(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

impl Highest {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        let tails = vec![f64::NEG_INFINITY; checked(period) + 1].into();
        Self { at: 0, is_warm: false, head: f64::NEG_INFINITY, tails }
    }
}

#[inline(always)]
fn highest_tails(block: &mut [f64]) {
    join_tails(block, f64::NEG_INFINITY, larger);
}

#[cold]
#[inline(never)]
fn end_of_highest(block: &mut [f64]) {
    highest_tails(block);
}

impl Series for Highest {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        let is_whole = self.is_warm || self.at + 2 == self.tails.len();
        is_whole.then(|| larger(self.tails[self.at + 1], larger(self.head, x)))
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.head = larger(self.head, x);
        self.tails[self.at] = x;
        self.at += 1;
        if self.at + 1 == self.tails.len() {
            end_of_highest(&mut self.tails);
            (self.at, self.is_warm, self.head) = (0, true, f64::NEG_INFINITY);
        }
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        if !self.is_warm {
            return false;
        }
        let (period, at, none) = (self.tails.len() - 1, self.at, f64::NEG_INFINITY);
        let first = if period <= DOUBLED_MAX { period } else { STRETCH };
        let part = (&xs[..first], &mut line[..first]);
        (self.at, self.head) = slide(&mut self.tails, (at, self.head), part, none, larger, highest_tails);
        if period > DOUBLED_MAX {
            return true;
        }
        let highest = &mut line[period..];
        doubled(
            xs,
            period,
            larger,
            #[inline(always)]
            |length, joined| {
                if 2 * length > period {
                    // Two that overlap make the window.
                    let pairs = joined[period..].iter().zip(&joined[length..]);
                    highest
                        .iter_mut()
                        .zip(pairs)
                        .for_each(|(most, (newer, older))| *most = larger(*newer, *older));
                }
            },
        );
        (self.at, self.head) = left_behind(&mut self.tails, at, xs, none, larger, highest_tails);
        true
    }
}

state! {
    /// Smallest value of a window.
    pub struct Lowest {
        negated: Highest,
    }
}

impl Lowest {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        Self { negated: Highest::new(period) }
    }
}

impl Series for Lowest {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        self.negated.forming(-x).map(|x| -x)
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.negated.take(-x);
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        let is_swept = self.negated.sweep(&each(|i| -xs[i]), line);
        line.iter_mut().for_each(|x| *x = -*x);
        is_swept
    }
}

state! {
    /// How many values ago the largest of a window was; of equal ones the latest.
    pub struct HighestAgo {
        at: usize,
        is_warm: bool,
        head: f64,
        head_at: usize,
        tails: Box<[f64]>,
        tails_at: Box<[u32]>,
    }
}

impl HighestAgo {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        let places = checked(period) + 1;
        Self {
            at: 0,
            is_warm: false,
            head: f64::NEG_INFINITY,
            head_at: 0,
            tails: vec![f64::NEG_INFINITY; places].into(),
            tails_at: vec![0; places].into(),
        }
    }

    /// Values since the largest if `x` were the next: 0 when it is `x`; `None` until the window is whole.
    #[inline(always)]
    pub fn forming(&self, x: f64) -> Option<usize> {
        if !(self.is_warm || self.at + 2 == self.tails.len()) {
            return None;
        }
        let (tail, tail_at) = (self.tails[self.at + 1], self.tails_at[self.at + 1] as usize);
        Some(if x >= larger(tail, self.head) {
            0
        } else if self.head >= tail {
            self.at - self.head_at
        } else {
            self.at + self.tails.len() - 1 - tail_at
        })
    }

    /// Takes a finished value.
    #[inline(always)]
    pub fn take(&mut self, x: f64) {
        if x >= self.head {
            (self.head, self.head_at) = (x, self.at);
        }
        self.tails[self.at] = x;
        self.at += 1;
        if self.at + 1 == self.tails.len() {
            highest_places(&mut self.tails, &mut self.tails_at);
            (self.at, self.is_warm, self.head) = (0, true, f64::NEG_INFINITY);
        }
    }
}

/// Turns the values of a block into the highest of its tails and their places.
#[cold]
#[inline(never)]
fn highest_places(block: &mut [f64], places: &mut [u32]) {
    let (mut highest, mut place) = (f64::NEG_INFINITY, 0);
    for (at, (tail, tail_at)) in block.iter_mut().zip(places).enumerate().rev().skip(1) {
        if *tail > highest {
            (highest, place) = (*tail, at as u32);
        }
        (*tail, *tail_at) = (highest, place);
    }
}

state! {
    /// A total that never forgets, compensated (Neumaier 1974): a million additions cost no digit.
    pub struct Total {
        sum: f64,
        lost: f64,
    }
}

impl Total {
    /// Starts at `x`.
    pub const fn new(x: f64) -> Self {
        Self { sum: x, lost: 0.0 }
    }

    /// The total with `x` added.
    #[inline(always)]
    pub fn with(&self, x: f64) -> f64 {
        let (sum, lost) = self.added(x);
        sum + lost
    }

    /// Adds `x`.
    #[inline(always)]
    pub fn take(&mut self, x: f64) {
        (self.sum, self.lost) = self.added(x);
    }

    /// Adds a stretch; `line` becomes the totals. Sixteen at a time are added up by themselves: what rounding takes
    /// from so few is nothing beside the total.
    #[inline(always)]
    pub(crate) fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) {
        for (xs, totals) in xs.as_chunks::<16>().0.iter().zip(line.as_chunks_mut::<16>().0) {
            let mut part = 0.0;
            for (x, total) in xs.iter().zip(&mut *totals) {
                part += x;
                *total = part;
            }
            for total in totals {
                *total = self.sum + (*total + self.lost);
            }
            self.take(part);
        }
    }

    #[inline(always)]
    fn added(&self, x: f64) -> (f64, f64) {
        // Knuth's exact sum of two: what the addition rounds away is kept.
        let sum = self.sum + x;
        let part = sum - self.sum;
        let lost = (self.sum - (sum - part)) + (x - part);
        (sum, self.lost + lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Vec<f64> {
        let mut x = 9u64;
        let mut next = || {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((x >> 40) % 17) as f64
        };
        (0..200).map(|_| next()).collect()
    }

    #[test]
    fn windows_equal_the_plain_definition() {
        let values = values();
        for period in [1, 2, 3, 7, 20] {
            let (mut sum, mut high, mut low, mut ago, mut ring) = (
                Sum::new(period),
                Highest::new(period),
                Lowest::new(period),
                HighestAgo::new(period),
                Ring::new(period),
            );
            for (i, x) in values.iter().enumerate() {
                let window = (i + 1 >= period).then(|| &values[i + 1 - period..=i]);
                assert_eq!(sum.update(*x), window.map(|w| w.iter().sum()));
                assert_eq!(high.update(*x), window.map(|w| w.iter().copied().fold(f64::MIN, f64::max)));
                assert_eq!(low.update(*x), window.map(|w| w.iter().copied().fold(f64::MAX, f64::min)));
                let latest = |w: &[f64]| {
                    let highest = w.iter().copied().fold(f64::MIN, f64::max);
                    w.iter().rev().position(|x| *x == highest).unwrap()
                };
                assert_eq!(ago.forming(*x), window.map(latest));
                ago.take(*x);
                assert_eq!(ring.oldest(), (i >= period).then(|| values[i - period]));
                let (a, b) = ring.others();
                let mut others: Vec<f64> = [a, b].concat();
                let mut wanted = values[(i + 1).saturating_sub(period)..i].to_vec();
                others.sort_by(f64::total_cmp);
                wanted.sort_by(f64::total_cmp);
                assert_eq!(others, wanted);
                ring.take(*x);
            }
        }
    }

    #[test]
    fn a_total_keeps_what_plain_addition_loses() {
        let mut total = Total::new(1e16);
        (0..1_000).for_each(|_| total.take(1.0));
        total.take(-1e16);
        assert_eq!(total.with(0.0), 1_000.0);
    }
}
