//! Second moments of windows: variance, trend line, and two series against each other.
//!
//! Built like the windows of [`crate::window`], from tails and heads made afresh. All sums are of differences from
//! an anchor that lies in the window itself (the newest value of the old block, the first of the new), so that
//! a price of a billion moving by cents keeps its digits, and a value that left leaves no trace.

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
        if self.at == 0 {
            (self.anchor, self.head_sum, self.head_squares) = (x, 0.0, 0.0);
        } else {
            let step = x - self.anchor;
            self.head_sum += step;
            self.head_squares += step * step;
        }
        self.tail_sums[self.at] = x;
        self.at += 1;
        self.tails -= 1.0;
        if self.at + 1 == self.tail_sums.len() {
            self.tail_anchor = square_tails(&mut self.tail_sums, &mut self.tail_squares);
            (self.at, self.is_warm, self.head_sum, self.head_squares) = (0, true, 0.0, 0.0);
            self.tails = self.period - 1.0;
        }
    }

    /// Takes a finished value; answers as [`Moments::forming`] would have.
    #[inline(always)]
    pub fn update(&mut self, x: f64) -> Option<Spread> {
        let value = self.forming(x);
        self.take(x);
        value
    }
}

/// Turns the values of a block into sums and squares of its tails, from the last value on; answers that value.
#[cold]
#[inline(never)]
fn square_tails(block: &mut [f64], tail_squares: &mut [f64]) -> f64 {
    let count = block.len() - 1;
    let anchor = block[count - 1];
    let (mut sum, mut squares) = (0.0, 0.0);
    let (rest, fours) = block[..count].as_rchunks_mut::<4>();
    let (rest_squares, fours_squares) = tail_squares[..count].as_rchunks_mut::<4>();
    for (four, four_squares) in fours.iter_mut().zip(fours_squares).rev() {
        let steps = four.map(|x| x - anchor);
        *four_squares = tails_of(steps.map(|step| step * step), squares, |a, b| a + b);
        *four = tails_of(steps, sum, |a, b| a + b);
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
        if self.first.at == 0 {
            let anchors = (self.first.tail_anchor, self.second.tail_anchor);
            product_tails(anchors, (&self.raw, &self.raw_second), &mut self.tail_products);
            self.head_products = 0.0;
        }
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
