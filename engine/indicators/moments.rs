//! Second moments of windows: variance, trend line, and two series against each other.
//!
//! Built like the windows of [`crate::window`], from tails and heads made afresh. All sums are of differences from
//! an anchor that lies in the window itself (the newest value of the old block, the first of the new), so that
//! a price of a billion moving by cents keeps its digits, and a value that left leaves no trace.

use crate::sweep::{DIRECT_MAX, SCRATCH, STRETCH, Scratch, ends_of_windows, lanes};
use crate::window::{checked, tails_of};

/// Mean and squared deviations of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Arithmetic mean.
    pub mean: f64,
    /// The newest value less the mean.
    pub away: f64,
    /// Sum of squared deviations from the mean, not negative; exactly 0 when all values are equal.
    pub squares: f64,
    /// Values in the window.
    pub count: f64,
    /// One over that.
    pub per_count: f64,
}

impl Spread {
    /// Variance with divisor n.
    #[inline(always)]
    pub fn variance(&self) -> f64 {
        self.squares * self.per_count
    }

    /// Standard deviation with divisor n.
    #[inline(always)]
    pub fn population(&self) -> f64 {
        self.variance().sqrt()
    }

    /// Variance with divisor n - 1; 0 for a single value.
    #[inline(always)]
    pub fn sample_variance(&self) -> f64 {
        self.squares / if self.count > 2.0 { self.count - 1.0 } else { 1.0 }
    }

    /// How many population deviations the newest value lies from the mean; `None` when nothing deviates.
    #[inline(always)]
    pub fn score(&self) -> Option<f64> {
        (self.squares > 0.0).then(|| self.away / self.population())
    }
}

/// The spreads of a stretch of windows, number by number: see [`Spread`]. Where only the squares are asked for, the
/// others are anything.
pub(crate) struct Spreads {
    pub(crate) mean: Scratch,
    pub(crate) away: Scratch,
    pub(crate) squares: Scratch,
}

impl Spreads {
    /// Room for them.
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self { mean: SCRATCH, away: SCRATCH, squares: SCRATCH }
    }
}

state! {
    /// Mean and deviation of the last `period` values.
    pub struct Moments {
        at: usize,
        is_warm: bool,
        /// Values in a whole window, and how many of it are the last block's, the newest not counted.
        period: f64,
        per_period: f64,
        tails: f64,
        anchor: f64,
        head_sum: f64,
        head_squares: f64,
        tail_anchor: f64,
        /// Sums of the last block's tails; before `at` the running block's values.
        tail_sums: Box<[f64]>,
        tail_squares: Box<[f64]>,
    }
}

impl Moments {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        let places = checked(period) + 1;
        Self {
            at: 0,
            is_warm: false,
            period: period as f64,
            per_period: 1.0 / period as f64,
            tails: (period - 1) as f64,
            anchor: 0.0,
            head_sum: 0.0,
            head_squares: 0.0,
            tail_anchor: 0.0,
            tail_sums: vec![0.0; places].into(),
            tail_squares: vec![0.0; places].into(),
        }
    }

    /// Values in a whole window.
    #[inline(always)]
    pub fn period(&self) -> usize {
        self.tail_sums.len() - 1
    }

    /// One over the values in a whole window.
    #[inline(always)]
    pub(crate) const fn per_count(&self) -> f64 {
        self.per_period
    }

    /// Mean and deviations if `x` were the next value; `None` while there are fewer than `period`.
    #[inline(always)]
    pub fn forming(&self, x: f64) -> Option<Spread> {
        if !(self.is_warm || self.at + 2 == self.tail_sums.len()) {
            return None;
        }
        let anchor = if self.at == 0 { x } else { self.anchor };
        let step = x - anchor;
        let shift = self.tail_anchor - anchor;
        let (count, tails) = (self.period, self.tails);
        let tail = self.tail_sums[self.at + 1];
        let moved = tails * shift;
        let sum = (self.head_sum + step) + (tail + moved);
        let squares = (self.head_squares + step * step)
            + (self.tail_squares[self.at + 1] + shift * (2.0 * tail + moved));
        let away = sum * self.per_period;
        let squares = squares - sum * away;
        Some(Spread {
            mean: anchor + away,
            away: step - away,
            squares: if squares > 0.0 { squares } else { 0.0 },
            count,
            per_count: self.per_period,
        })
    }

    /// Takes a finished value.
    #[inline(always)]
    pub fn take(&mut self, x: f64) {
        // A block's first value is its anchor; its step is 0.
        self.anchor = if self.at == 0 { x } else { self.anchor };
        let step = x - self.anchor;
        self.head_sum += step;
        self.head_squares += step * step;
        self.tail_sums[self.at] = x;
        self.at += 1;
        self.tails -= 1.0;
        self.end_block(end_of_moments);
    }

    /// Turns a block that is full into tails.
    #[inline(always)]
    fn end_block(&mut self, finish: impl Fn(&mut [f64], &mut [f64]) -> f64) {
        if self.at + 1 == self.tail_sums.len() {
            self.tail_anchor = finish(&mut self.tail_sums, &mut self.tail_squares);
            (self.at, self.is_warm, self.head_sum, self.head_squares) = (0, true, 0.0, 0.0);
            self.tails = self.period - 1.0;
        }
    }

    /// Takes a stretch; unless `WHOLE`, only the squares are right. False, and nothing is taken, until a block has
    /// passed.
    #[inline(always)]
    pub(crate) fn sweep<const WHOLE: bool>(&mut self, xs: &Scratch, spreads: &mut Spreads) -> bool {
        if !self.is_warm {
            return false;
        }
        let (period, at, mut from) = (self.period(), self.at, 0);
        let is_direct = period <= SQUARED_MAX;
        let carried = if is_direct { period } else { STRETCH };
        while from < carried {
            let end = (from + self.room()).min(carried);
            self.slide::<WHOLE>(from, &xs[from..end], spreads);
            self.end_block(square_tails);
            from = end;
        }
        if is_direct {
            for from in ends_of_windows::<16>(period) {
                self.direct::<16>(from, xs, spreads);
            }
            self.resume(at, xs);
        }
        true
    }

    /// Spreads of the windows that end at some places, each from its newest value.
    #[inline(always)]
    fn direct<const LANES: usize>(&self, from: usize, xs: &Scratch, spreads: &mut Spreads) {
        let newest = lanes::<LANES>(xs, from, 0);
        let (mut sums, mut squares) = ([0.0; LANES], [0.0; LANES]);
        for ago in 1..self.period() {
            let values = lanes::<LANES>(xs, from, ago);
            for lane in 0..LANES {
                let step = values[lane] - newest[lane];
                sums[lane] += step;
                squares[lane] += step * step;
            }
        }
        for lane in 0..LANES {
            let off = sums[lane] * self.per_period;
            spreads.mean[from + lane] = newest[lane] + off;
            spreads.away[from + lane] = -off;
            let all = squares[lane] - sums[lane] * off;
            spreads.squares[from + lane] = if all > 0.0 { all } else { 0.0 };
        }
    }

    /// The state after a stretch that began at place `at` of its block, out of the stretch alone.
    #[inline(always)]
    fn resume(&mut self, at: usize, xs: &Scratch) {
        let running = (at + STRETCH) % self.period();
        (self.at, self.head_sum, self.head_squares, self.tails) = (0, 0.0, 0.0, self.period - 1.0);
        xs[STRETCH - running - self.period()..].iter().for_each(|x| self.take(*x));
    }

    /// Values until the running block is full.
    #[inline(always)]
    const fn room(&self) -> usize {
        self.tail_sums.len() - 1 - self.at
    }

    /// Takes values that do not go beyond the running block; their spreads stand from place `from` on. Unless `WHOLE`,
    /// how far the mean is from the block's anchor stands for how far the value is from the mean.
    #[inline(always)]
    fn slide<const WHOLE: bool>(&mut self, from: usize, xs: &[f64], spreads: &mut Spreads) {
        let count = xs.len();
        if self.at == 0 {
            (self.anchor, self.head_sum, self.head_squares) = (xs[0], 0.0, 0.0);
        }
        let (anchor, shift) = (self.anchor, self.tail_anchor - self.anchor);
        let mean = &mut spreads.mean[from..][..count];
        let away = &mut spreads.away[from..][..count];
        let squares = &mut spreads.squares[from..][..count];
        let (mut head_sum, mut head_squares) = (self.head_sum, self.head_squares);
        for i in 0..count {
            let step = xs[i] - anchor;
            head_sum += step;
            head_squares += step * step;
            (away[i], squares[i]) = (head_sum, head_squares);
        }
        (self.head_sum, self.head_squares) = (head_sum, head_squares);
        let (tail_sums, tail_squares) =
            (&self.tail_sums[self.at + 1..][..count], &self.tail_squares[self.at + 1..][..count]);
        let (most, per_period) = (self.tails as i32, self.per_period);
        for i in 0..count {
            let moved = f64::from(most - i as i32) * shift;
            let sum = away[i] + (tail_sums[i] + moved);
            let all = squares[i] + (tail_squares[i] + shift * (2.0 * tail_sums[i] + moved));
            let off = sum * per_period;
            if WHOLE {
                mean[i] = anchor + off;
                away[i] = (xs[i] - anchor) - off;
            } else {
                away[i] = off;
            }
            let all = all - sum * off;
            squares[i] = if all > 0.0 { all } else { 0.0 };
        }
        self.tail_sums[self.at..][..count].copy_from_slice(xs);
        self.at += count;
        self.tails -= count as f64;
    }

    /// Takes a finished value; answers as [`Moments::forming`] would have.
    #[inline(always)]
    pub fn update(&mut self, x: f64) -> Option<Spread> {
        let value = self.forming(x);
        self.take(x);
        value
    }
}

/// Out of the way of the bars in between.
#[cold]
#[inline(never)]
fn end_of_moments(block: &mut [f64], tail_squares: &mut [f64]) -> f64 {
    square_tails(block, tail_squares)
}

/// Turns the values of a block into sums and squares of its tails, from the last value on; answers that value.
#[inline(always)]
fn square_tails(block: &mut [f64], tail_squares: &mut [f64]) -> f64 {
    let count = block.len() - 1;
    let anchor = block[count - 1];
    let (mut sum, mut squares) = (0.0, 0.0);
    let (rest, fours) = block[..count].as_rchunks_mut::<4>();
    let (rest_squares, fours_squares) = tail_squares[..count].as_rchunks_mut::<4>();
    for (four, four_squares) in fours.iter_mut().zip(fours_squares).rev() {
        // Written out: `map` of an array is a call for each of them.
        let [a, b, c, d] = *four;
        let (a, b, c, d) = (a - anchor, b - anchor, c - anchor, d - anchor);
        *four_squares = tails_of([a * a, b * b, c * c, d * d], squares, |a, b| a + b);
        *four = tails_of([a, b, c, d], sum, |a, b| a + b);
        (sum, squares) = (four[0], four_squares[0]);
    }
    for (tail, tail_squares) in rest.iter_mut().zip(rest_squares).rev() {
        let step = *tail - anchor;
        sum += step;
        squares += step * step;
        (*tail, *tail_squares) = (sum, squares);
    }
    anchor
}

/// The longest window whose squares are summed value by value, beside those of other bars.
const SQUARED_MAX: usize = 16;

/// A straight line through a window (least squares), bars counted from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Rise a bar.
    pub slope: f64,
    /// Share of the variance the line explains, 0 to 1; 0 when nothing varies.
    pub fit: f64,
}

state! {
    /// The line through the last `period` values.
    pub struct Trend {
        moments: Moments,
        /// Sum of the running block's differences times their place in it.
        head_moment: f64,
        /// The same of the last block's tails, places counted from the tail's first.
        tail_moments: Box<[f64]>,
        /// Sum of squared distances of the bars from their middle, and one over it.
        spread: f64,
        per_spread: f64,
    }
}

impl Trend {
    /// Over `period` values, at least 2.
    pub fn new(period: usize) -> Self {
        let n = checked(period) as f64;
        Self {
            moments: Moments::new(period),
            head_moment: 0.0,
            tail_moments: vec![0.0; period + 1].into(),
            spread: n * (n * n - 1.0) / 12.0,
            per_spread: 12.0 / (n * (n * n - 1.0)),
        }
    }

    /// The line if `x` were the next value.
    #[inline(always)]
    pub fn forming(&self, x: f64) -> Option<Line> {
        let spread = self.moments.forming(x)?;
        let m = &self.moments;
        let anchor = if m.at == 0 { x } else { m.anchor };
        let step = x - anchor;
        let tails = m.tails;
        // Places in the window: the tail's begin at 0, the head's after them.
        let head = (self.head_moment + m.at as f64 * step) + tails * (m.head_sum + step);
        let tail = self.tail_moments[m.at + 1] + (m.tail_anchor - anchor) * (tails * (tails - 1.0) * 0.5);
        // Not from the mean itself: that is rounded at the level of the price.
        let sum = (step - spread.away) * spread.count;
        let rise = (head + tail) - sum * ((spread.count - 1.0) * 0.5);
        let fit = if spread.squares > 0.0 { rise * rise / (self.spread * spread.squares) } else { 0.0 };
        Some(Line { slope: rise * self.per_spread, fit: if fit < 1.0 { fit } else { 1.0 } })
    }

    /// Takes a finished value.
    #[inline(always)]
    pub fn take(&mut self, x: f64) {
        let at = self.moments.at;
        if at > 0 {
            self.head_moment += at as f64 * (x - self.moments.anchor);
        }
        self.moments.take(x);
        if self.moments.at == 0 {
            moments_of_tails(&self.moments.tail_sums, &mut self.tail_moments);
            self.head_moment = 0.0;
        }
    }
}

/// The moments of tails from their sums: every step back moves all later values one place on.
#[cold]
#[inline(never)]
fn moments_of_tails(sums: &[f64], moments: &mut [f64]) {
    let mut moment = 0.0;
    for (sum, tail) in sums.iter().skip(1).zip(moments).rev() {
        moment += sum;
        *tail = moment;
    }
}

state! {
    /// The rise of that line alone: sums and moments without squares.
    pub struct Rise {
        at: usize,
        is_warm: bool,
        /// Values of a whole window that are the last block's, the newest not counted.
        tails: f64,
        anchor: f64,
        tail_anchor: f64,
        head_sum: f64,
        head_moment: f64,
        /// Sums of the last block's tails; before `at` the running block's values.
        tail_sums: Box<[f64]>,
        tail_moments: Box<[f64]>,
        /// Half the way from the first bar to the last, and one over the sum of squared distances from there.
        middle: f64,
        per_spread: f64,
    }
}

impl Rise {
    /// Over `period` values, at least 2.
    pub fn new(period: usize) -> Self {
        let n = checked(period) as f64;
        let none: Box<[f64]> = vec![0.0; period + 1].into();
        Self {
            at: 0,
            is_warm: false,
            tails: n - 1.0,
            anchor: 0.0,
            tail_anchor: 0.0,
            head_sum: 0.0,
            head_moment: 0.0,
            tail_sums: none.clone(),
            tail_moments: none,
            middle: (n - 1.0) * 0.5,
            per_spread: 12.0 / (n * (n * n - 1.0)),
        }
    }

    /// The rise a bar if `x` were the next value.
    #[inline(always)]
    pub fn forming(&self, x: f64) -> Option<f64> {
        if !(self.is_warm || self.at + 2 == self.tail_sums.len()) {
            return None;
        }
        let anchor = if self.at == 0 { x } else { self.anchor };
        let step = x - anchor;
        let head = (self.head_sum + step, self.head_moment + self.at as f64 * step);
        let tail = (self.tail_sums[self.at + 1], self.tail_moments[self.at + 1]);
        Some(self.joined(head, tail, self.tails, self.tail_anchor - anchor))
    }

    /// From sums and moments of head and tail; the tail has so many values, and they are from another anchor.
    #[inline(always)]
    fn joined(&self, head: (f64, f64), tail: (f64, f64), tails: f64, shift: f64) -> f64 {
        // Places in the window: the tail's begin at 0, the head's after them.
        let sum = head.0 + (tail.0 + tails * shift);
        let moment = (head.1 + tails * head.0) + (tail.1 + shift * (tails * (tails - 1.0) * 0.5));
        (moment - sum * self.middle) * self.per_spread
    }

    /// Takes a finished value.
    #[inline(always)]
    pub fn take(&mut self, x: f64) {
        self.anchor = if self.at == 0 { x } else { self.anchor };
        let step = x - self.anchor;
        self.head_sum += step;
        self.head_moment += self.at as f64 * step;
        self.tail_sums[self.at] = x;
        self.at += 1;
        self.tails -= 1.0;
        self.end_block();
    }

    /// Turns a block that is full into tails.
    #[inline(always)]
    fn end_block(&mut self) {
        if self.at + 1 == self.tail_sums.len() {
            self.tail_anchor = rise_tails(&mut self.tail_sums, &mut self.tail_moments);
            self.tails = self.at as f64 - 1.0;
            (self.at, self.is_warm, self.head_sum, self.head_moment) = (0, true, 0.0, 0.0);
        }
    }

    /// Takes a stretch. False, and nothing is taken, until a block has passed.
    #[inline(always)]
    pub(crate) fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        if !self.is_warm {
            return false;
        }
        let (period, at, mut from) = (self.tail_sums.len() - 1, self.at, 0);
        let is_direct = period <= DIRECT_MAX;
        let carried = if is_direct { period } else { STRETCH };
        while from < carried {
            let end = (from + period - self.at).min(carried);
            self.slide(&xs[from..end], &mut line[from..end]);
            self.end_block();
            from = end;
        }
        if is_direct {
            for from in ends_of_windows::<16>(period) {
                self.direct::<16>(from, xs, line);
            }
            let running = (at + STRETCH) % period;
            (self.at, self.head_sum, self.head_moment, self.tails) = (0, 0.0, 0.0, period as f64 - 1.0);
            xs[STRETCH - running - period..].iter().for_each(|x| self.take(*x));
        }
        true
    }

    /// Rises of the windows that end at some places, each from its newest value.
    #[inline(always)]
    fn direct<const LANES: usize>(&self, from: usize, xs: &Scratch, line: &mut Scratch) {
        let (newest, mut rises) = (lanes::<LANES>(xs, from, 0), [0.0; LANES]);
        let mut place = self.middle;
        for ago in 1..self.tail_sums.len() - 1 {
            let values = lanes::<LANES>(xs, from, ago);
            place -= 1.0;
            for lane in 0..LANES {
                rises[lane] += place * (values[lane] - newest[lane]);
            }
        }
        for lane in 0..LANES {
            line[from + lane] = rises[lane] * self.per_spread;
        }
    }

    /// Takes values that do not go beyond the running block.
    #[inline(always)]
    fn slide(&mut self, xs: &[f64], line: &mut [f64]) {
        let count = xs.len();
        if self.at == 0 {
            (self.anchor, self.head_sum, self.head_moment) = (xs[0], 0.0, 0.0);
        }
        let (anchor, shift) = (self.anchor, self.tail_anchor - self.anchor);
        let (tail_sums, tail_moments) =
            (&self.tail_sums[self.at + 1..][..count], &self.tail_moments[self.at + 1..][..count]);
        let (mut place, mut tails) = (self.at as f64, self.tails);
        let mut head = (self.head_sum, self.head_moment);
        for ((x, line), tail) in xs.iter().zip(&mut *line).zip(tail_sums.iter().zip(tail_moments)) {
            let step = x - anchor;
            head = (head.0 + step, head.1 + place * step);
            *line = self.joined(head, (*tail.0, *tail.1), tails, shift);
            place += 1.0;
            tails -= 1.0;
        }
        (self.head_sum, self.head_moment) = head;
        self.tail_sums[self.at..][..count].copy_from_slice(xs);
        self.at += count;
        self.tails = tails;
    }
}

/// Turns the values of a block into sums and moments of its tails, from the last value on; answers that value.
#[cold]
#[inline(never)]
fn rise_tails(block: &mut [f64], moments: &mut [f64]) -> f64 {
    let count = block.len() - 1;
    let anchor = block[count - 1];
    let (mut sum, mut moment) = (0.0, 0.0);
    for (tail, tail_moment) in block[..count].iter_mut().zip(&mut moments[..count]).rev() {
        // A step back moves all later values one place on.
        moment += sum;
        sum += *tail - anchor;
        (*tail, *tail_moment) = (sum, moment);
    }
    anchor
}

state! {
    /// Two series over the last `period` pairs.
    pub struct Pairs {
        first: Moments,
        second: Moments,
        head_products: f64,
        tail_products: Box<[f64]>,
        /// The running block's first values: tails need them when it ends.
        raw: Box<[f64]>,
        raw_second: Box<[f64]>,
    }
}

/// How two series move together in a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Together {
    /// The first series.
    pub first: Spread,
    /// The second series.
    pub second: Spread,
    /// Sum of the products of their deviations.
    pub products: f64,
}

impl Together {
    /// Pearson's correlation; `None` when one of them does not vary.
    #[inline(always)]
    pub fn correlation(&self) -> Option<f64> {
        let root = self.first.squares.sqrt() * self.second.squares.sqrt();
        (root > 0.0).then(|| (self.products / root).clamp(-1.0, 1.0))
    }

    /// Slope of the second on the first; `None` when the first does not vary.
    #[inline(always)]
    pub fn slope(&self) -> Option<f64> {
        (self.first.squares > 0.0).then(|| self.products / self.first.squares)
    }
}

impl Pairs {
    /// Over `period` pairs.
    pub fn new(period: usize) -> Self {
        Self {
            first: Moments::new(period),
            second: Moments::new(period),
            head_products: 0.0,
            tail_products: vec![0.0; period + 1].into(),
            raw: vec![0.0; period].into(),
            raw_second: vec![0.0; period].into(),
        }
    }

    /// Both spreads and their products if `x` and `y` were next.
    #[inline(always)]
    pub fn forming(&self, x: f64, y: f64) -> Option<Together> {
        let (first, second) = (self.first.forming(x)?, self.second.forming(y)?);
        let (a, b) = (&self.first, &self.second);
        let (anchor_a, anchor_b) = if a.at == 0 { (x, y) } else { (a.anchor, b.anchor) };
        let tails = a.tails;
        let head = self.head_products + (x - anchor_a) * (y - anchor_b);
        let (shift_a, shift_b) = (a.tail_anchor - anchor_a, b.tail_anchor - anchor_b);
        let (sum_a, sum_b) = (a.tail_sums[a.at + 1], b.tail_sums[a.at + 1]);
        let tail = self.tail_products[a.at + 1] + shift_a * (sum_b + tails * shift_b) + shift_b * sum_a;
        let (away_a, away_b) = ((x - anchor_a) - first.away, (y - anchor_b) - second.away);
        let products = (head + tail) - first.count * away_a * away_b;
        Some(Together { first, second, products })
    }

    /// Takes a finished pair.
    #[inline(always)]
    pub fn take(&mut self, x: f64, y: f64) {
        let at = self.first.at;
        if at > 0 {
            self.head_products += (x - self.first.anchor) * (y - self.second.anchor);
        }
        (self.raw[at], self.raw_second[at]) = (x, y);
        self.first.take(x);
        self.second.take(y);
        self.end_block();
    }

    /// Joins the products of a block that ended.
    #[inline(always)]
    fn end_block(&mut self) {
        if self.first.at == 0 {
            let anchors = (self.first.tail_anchor, self.second.tail_anchor);
            product_tails(anchors, (&self.raw, &self.raw_second), &mut self.tail_products);
            self.head_products = 0.0;
        }
    }

    /// Takes a stretch; `products` are the sums of the products of both series' deviations. False, and nothing is
    /// taken, until a block has passed.
    #[inline(always)]
    pub(crate) fn sweep(
        &mut self,
        (xs, ys): (&Scratch, &Scratch),
        (first, second): (&mut Spreads, &mut Spreads),
        products: &mut Scratch,
    ) -> bool {
        if !self.first.is_warm {
            return false;
        }
        let (period, start, mut from) = (self.first.period(), self.first.at, 0);
        let is_direct = period <= SQUARED_MAX;
        let carried = if is_direct { period } else { STRETCH };
        while from < carried {
            let end = (from + self.first.room()).min(carried);
            let (at, xs, ys) = (self.first.at, &xs[from..end], &ys[from..end]);
            let products = &mut products[from..end];
            self.slide(xs, ys, products);
            self.first.slide::<false>(from, xs, first);
            self.second.slide::<false>(from, ys, second);
            let count = self.first.period;
            for (i, product) in products.iter_mut().enumerate() {
                *product -= count * first.away[from + i] * second.away[from + i];
            }
            self.raw[at..][..xs.len()].copy_from_slice(xs);
            self.raw_second[at..][..ys.len()].copy_from_slice(ys);
            self.first.end_block(square_tails);
            self.second.end_block(square_tails);
            self.end_block();
            from = end;
        }
        if is_direct {
            for from in ends_of_windows::<8>(period) {
                direct::<8>((from, period), (xs, ys), (first, second), products);
            }
            let running = (start + STRETCH) % period;
            let last = STRETCH - running - period..;
            for moments in [&mut self.first, &mut self.second] {
                (moments.at, moments.head_sum, moments.head_squares) = (0, 0.0, 0.0);
                moments.tails = moments.period - 1.0;
            }
            self.head_products = 0.0;
            xs[last.clone()].iter().zip(&ys[last]).for_each(|(x, y)| self.take(*x, *y));
        }
        true
    }

    /// Products from the anchors on of values that do not go beyond the running block, before its series take them.
    #[inline(always)]
    fn slide(&mut self, xs: &[f64], ys: &[f64], products: &mut [f64]) {
        let (a, b, count) = (&self.first, &self.second, xs.len());
        let anchors = if a.at == 0 { (xs[0], ys[0]) } else { (a.anchor, b.anchor) };
        let mut head = self.head_products;
        for ((x, y), product) in xs.iter().zip(ys).zip(&mut *products) {
            head += (x - anchors.0) * (y - anchors.1);
            *product = head;
        }
        self.head_products = head;
        let shifts = (a.tail_anchor - anchors.0, b.tail_anchor - anchors.1);
        let (sums_a, sums_b) = (&a.tail_sums[a.at + 1..][..count], &b.tail_sums[a.at + 1..][..count]);
        let (tails, most) = (&self.tail_products[a.at + 1..][..count], a.tails as i32);
        for i in 0..count {
            let moved = f64::from(most - i as i32) * shifts.1;
            products[i] += tails[i] + shifts.0 * (sums_b[i] + moved) + shifts.1 * sums_a[i];
        }
    }
}

/// Squares and products of the windows of `period` pairs that end at some places, each from its newest pair.
#[inline(always)]
fn direct<const LANES: usize>(
    (from, period): (usize, usize),
    (xs, ys): (&Scratch, &Scratch),
    (first, second): (&mut Spreads, &mut Spreads),
    products: &mut Scratch,
) {
    let (newest_x, newest_y) = (lanes::<LANES>(xs, from, 0), lanes::<LANES>(ys, from, 0));
    let [mut sum_x, mut sum_y, mut square_x, mut square_y, mut product] = [[0.0; LANES]; 5];
    for ago in 1..period {
        let (x, y) = (lanes::<LANES>(xs, from, ago), lanes::<LANES>(ys, from, ago));
        for lane in 0..LANES {
            let (step_x, step_y) = (x[lane] - newest_x[lane], y[lane] - newest_y[lane]);
            sum_x[lane] += step_x;
            sum_y[lane] += step_y;
            square_x[lane] += step_x * step_x;
            square_y[lane] += step_y * step_y;
            product[lane] += step_x * step_y;
        }
    }
    let per_period = 1.0 / period as f64;
    for lane in 0..LANES {
        let at = from + lane;
        let (off_x, off_y) = (sum_x[lane] * per_period, sum_y[lane] * per_period);
        let (all_x, all_y) = (square_x[lane] - sum_x[lane] * off_x, square_y[lane] - sum_y[lane] * off_y);
        first.squares[at] = if all_x > 0.0 { all_x } else { 0.0 };
        second.squares[at] = if all_y > 0.0 { all_y } else { 0.0 };
        products[at] = product[lane] - sum_x[lane] * off_y;
    }
}

/// The products of a block's tails, from both anchors on.
#[cold]
#[inline(never)]
fn product_tails(anchors: (f64, f64), raw: (&[f64], &[f64]), tails: &mut [f64]) {
    let mut products = 0.0;
    for ((x, y), tail) in raw.0.iter().zip(raw.1).zip(tails).rev() {
        products += (x - anchors.0) * (y - anchors.1);
        *tail = products;
    }
}
