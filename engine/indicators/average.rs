//! Moving averages: simple, exponential (single, double, triple), weighted, Hull's and Kaufman's.

use crate::glide::{Glide, TOGETHER, glide_by};
use crate::indicator::Series;
use crate::sweep::{DIRECT_MAX, SCRATCH, STRETCH, Scratch, each, ends_of_windows, lanes, one_earlier};
use crate::window::{Ring, Sum, checked};

state! {
    /// Simple moving average: the mean of the last `period` values.
    pub struct Sma {
        per_count: f64,
        sum: Sum,
    }
}

impl Sma {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        Self { per_count: 1.0 / period as f64, sum: Sum::new(period) }
    }
}

impl Series for Sma {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        self.sum.forming(x).map(|sum| sum * self.per_count)
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.sum.take(x);
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        let is_swept = self.sum.sweep(xs, line);
        line.iter_mut().for_each(|x| *x *= self.per_count);
        is_swept
    }
}

state! {
    /// Exponential moving average with factor 2 / (period + 1), seeded with the mean of its first `period` values.
    pub struct Ema {
        /// Values still missing from the seed.
        waits: usize,
        factor: f64,
        period: f64,
        /// The average, or while seeding the sum so far.
        held: f64,
    }
}

impl Ema {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        Self::with_factor(period, 2.0 / (checked(period) as f64 + 1.0))
    }

    /// With another factor, seeded alike.
    pub fn with_factor(period: usize, factor: f64) -> Self {
        Self { waits: period, factor, period: checked(period) as f64, held: 0.0 }
    }

    /// An average of amounts that has come this near to nothing is nothing. A seed's sum is left alone.
    #[inline(always)]
    pub fn drop_below(&mut self, nothing: f64) {
        if self.waits == 0 && self.held.abs() < nothing {
            self.held = 0.0;
        }
    }

    /// The average of the finished values.
    #[inline(always)]
    pub fn value(&self) -> Option<f64> {
        (self.waits == 0).then_some(self.held)
    }

    /// Sets out over a stretch; `None` while seeding.
    #[inline(always)]
    pub(crate) fn glide(&self) -> Option<Glide> {
        (self.waits == 0).then(|| Glide::new(self.held, self.factor))
    }

    /// Arrives at a stretch's end.
    #[inline(always)]
    pub(crate) const fn land(&mut self, glide: &Glide) {
        self.held = glide.held();
    }
}

impl Series for Ema {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        match self.waits {
            0 => Some(self.held + (x - self.held) * self.factor),
            1 => Some((self.held + x) / self.period),
            _ => None,
        }
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        if self.waits == 0 {
            self.held += (x - self.held) * self.factor;
        } else {
            self.held = self.forming(x).unwrap_or(self.held + x);
            self.waits -= 1;
        }
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        let Some(mut glide) = self.glide() else { return false };
        glide.sweep(xs, line);
        self.land(&glide);
        true
    }
}

state! {
    /// Exponential averages of each other, `N` deep: what DEMA, TEMA and TRIX are made of.
    pub struct EmaChain {
        links: [Ema; 3],
    }
}

impl EmaChain {
    /// Over `period` values each.
    pub fn new(period: usize) -> Self {
        Self { links: [Ema::new(period), Ema::new(period), Ema::new(period)] }
    }

    /// The first `N` links' answers if `x` were next, as far as they know one.
    #[inline(always)]
    pub fn forming<const N: usize>(&self, x: f64) -> [Option<f64>; N] {
        let mut answers = [None; N];
        let mut input = Some(x);
        for (answer, link) in answers.iter_mut().zip(&self.links) {
            *answer = input.and_then(|x| link.forming(x));
            input = *answer;
        }
        answers
    }

    /// Takes a finished value into the first `N` links.
    #[inline(always)]
    pub fn take<const N: usize>(&mut self, x: f64) {
        let mut input = x;
        for link in &mut self.links[..N] {
            let answer = link.forming(input);
            link.take(input);
            match answer {
                Some(answer) => input = answer,
                None => break,
            }
        }
    }

    /// Takes a stretch into the first `N` links, whose answers `join` makes one of. False, and nothing is taken,
    /// while one of them is seeding.
    #[inline(always)]
    fn sweep<const N: usize>(
        &mut self,
        xs: &Scratch,
        line: &mut Scratch,
        join: impl Fn([f64; N]) -> f64,
    ) -> bool {
        if self.links[..N].iter().any(|link| link.waits > 0) {
            return false;
        }
        let mut glides = [Glide::new(0.0, 0.0); N];
        for (glide, link) in glides.iter_mut().zip(&self.links) {
            *glide = Glide::new(link.held, link.factor);
        }
        for (xs, line) in xs.as_chunks().0.iter().zip(line.as_chunks_mut::<TOGETHER>().0) {
            let mut input = *xs;
            let mut answers = [[0.0; N]; TOGETHER];
            for (link, glide) in glides.iter_mut().enumerate() {
                input = glide.take(input);
                for (answers, answer) in answers.iter_mut().zip(input) {
                    answers[link] = answer;
                }
            }
            for (place, answers) in line.iter_mut().zip(answers) {
                *place = join(answers);
            }
        }
        self.links.iter_mut().zip(&glides).for_each(|(link, glide)| link.land(glide));
        true
    }
}

state! {
    /// Mulloy's double exponential average: twice the average less the average of the average.
    pub struct Dema {
        chain: EmaChain,
    }
}

impl Dema {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        Self { chain: EmaChain::new(period) }
    }
}

impl Series for Dema {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        let [one, two] = self.chain.forming::<2>(x);
        Some(2.0 * one? - two?)
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.chain.take::<2>(x);
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        self.chain.sweep(xs, line, |[one, two]| 2.0 * one - two)
    }
}

state! {
    /// Mulloy's triple exponential average.
    pub struct Tema {
        chain: EmaChain,
    }
}

impl Tema {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        Self { chain: EmaChain::new(period) }
    }
}

impl Series for Tema {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        let [one, two, three] = self.chain.forming::<3>(x);
        Some(3.0 * one? - 3.0 * two? + three?)
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.chain.take::<3>(x);
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        self.chain.sweep(xs, line, |[one, two, three]| 3.0 * one - 3.0 * two + three)
    }
}

state! {
    /// Change of the triple exponential average in percent (Hutson).
    pub struct Trix {
        chain: EmaChain,
        last: Option<f64>,
    }
}

impl Trix {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        Self { chain: EmaChain::new(period), last: None }
    }
}

impl Series for Trix {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        let last = self.last?;
        let [_, _, three] = self.chain.forming::<3>(x);
        Some(if last == 0.0 { 0.0 } else { (three? / last - 1.0) * 100.0 })
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.chain.take::<3>(x);
        self.last = self.chain.links[2].value();
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        let (Some(last), mut triples) = (self.last, SCRATCH) else { return false };
        if !self.chain.sweep(xs, &mut triples, |[_, _, three]| three) {
            return false;
        }
        let lasts = one_earlier(last, &triples);
        *line = each(|i| if lasts[i] == 0.0 { 0.0 } else { (triples[i] / lasts[i] - 1.0) * 100.0 });
        self.last = Some(triples[STRETCH - 1]);
        true
    }
}

state! {
    /// Weighted moving average: the newest value counts `period` times, the oldest once.
    pub struct Wma {
        at: usize,
        is_warm: bool,
        head: f64,
        head_moment: f64,
        per_weights: f64,
        /// Values of a window that are the last block's, the newest not counted.
        tails_left: f64,
        place: f64,
        /// Sums of the last block's tails; before `at` the running block's values.
        tails: Box<[f64]>,
        /// The same with the tail's first value counted once, the next twice and so on.
        tail_moments: Box<[f64]>,
    }
}

impl Wma {
    /// Over `period` values.
    pub fn new(period: usize) -> Self {
        let n = checked(period) as f64;
        let none: Box<[f64]> = vec![0.0; period + 1].into();
        Self {
            at: 0,
            is_warm: false,
            head: 0.0,
            head_moment: 0.0,
            per_weights: 2.0 / (n * (n + 1.0)),
            tails_left: n - 1.0,
            place: 1.0,
            tails: none.clone(),
            tail_moments: none,
        }
    }
}

/// Turns the values of a block into the sums and moments of its tails.
#[cold]
#[inline(never)]
fn weigh_tails(block: &mut [f64], moments: &mut [f64]) {
    let (mut sum, mut moment) = (0.0, 0.0);
    for (tail, tail_moment) in block.iter_mut().zip(moments).rev().skip(1) {
        sum += *tail;
        moment += sum;
        (*tail, *tail_moment) = (sum, moment);
    }
}

impl Series for Wma {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        if !(self.is_warm || self.at + 2 == self.tails.len()) {
            return None;
        }
        let head = (self.head_moment + self.place * x) + self.tails_left * (self.head + x);
        Some((self.tail_moments[self.at + 1] + head) * self.per_weights)
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        self.head += x;
        self.head_moment += self.place * x;
        self.place += 1.0;
        self.tails_left -= 1.0;
        self.tails[self.at] = x;
        self.at += 1;
        self.end_block();
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        if !self.is_warm {
            return false;
        }
        let (period, at, mut from) = (self.tails.len() - 1, self.at, 0);
        let is_direct = period <= DIRECT_MAX;
        let carried = if is_direct { period } else { STRETCH };
        while from < carried {
            let end = (from + period - self.at).min(carried);
            self.slide(&xs[from..end], &mut line[from..end]);
            from = end;
        }
        if is_direct {
            for from in ends_of_windows::<32>(period) {
                self.direct::<32>(from, xs, line);
            }
            let running = (at + STRETCH) % period;
            (self.at, self.head, self.head_moment) = (0, 0.0, 0.0);
            (self.tails_left, self.place) = (period as f64 - 1.0, 1.0);
            xs[STRETCH - running - period..].iter().for_each(|x| self.take(*x));
        }
        true
    }
}

impl Wma {
    /// Averages of the windows that end at some places.
    #[inline(always)]
    fn direct<const LANES: usize>(&self, from: usize, xs: &Scratch, line: &mut Scratch) {
        let (period, mut sums) = (self.tails.len() - 1, [0.0; LANES]);
        let mut weight = period as f64;
        for ago in 0..period {
            let values = lanes::<LANES>(xs, from, ago);
            for lane in 0..LANES {
                sums[lane] += weight * values[lane];
            }
            weight -= 1.0;
        }
        for lane in 0..LANES {
            line[from + lane] = sums[lane] * self.per_weights;
        }
    }

    /// Takes values that do not go beyond the running block.
    #[inline(always)]
    fn slide(&mut self, xs: &[f64], line: &mut [f64]) {
        let count = xs.len();
        let (values, line) = (&mut self.tails[self.at..][..count], &mut line[..count]);
        let tail_moments = &self.tail_moments[self.at + 1..][..count];
        let (mut head, mut moment, mut place, mut left) =
            (self.head, self.head_moment, self.place, self.tails_left);
        let per_weights = self.per_weights;
        for i in 0..count {
            head += xs[i];
            moment += place * xs[i];
            line[i] = (tail_moments[i] + (moment + left * head)) * per_weights;
            values[i] = xs[i];
            place += 1.0;
            left -= 1.0;
        }
        (self.head, self.head_moment, self.place, self.tails_left) = (head, moment, place, left);
        self.at += count;
        self.end_block();
    }

    /// Turns a block that is full into tails.
    #[inline(always)]
    fn end_block(&mut self) {
        if self.at + 1 == self.tails.len() {
            weigh_tails(&mut self.tails, &mut self.tail_moments);
            (self.tails_left, self.place) = (self.place - 2.0, 1.0);
            (self.at, self.is_warm, self.head, self.head_moment) = (0, true, 0.0, 0.0);
        }
    }
}

state! {
    /// Alan Hull's average: the weighted average of twice a short less a long weighted average.
    pub struct Hull {
        short: Wma,
        long: Wma,
        last: Wma,
    }
}

impl Hull {
    /// Over `period` values, at least 2: halves and roots are rounded down.
    pub fn new(period: usize) -> Self {
        Self { short: Wma::new(period / 2), long: Wma::new(period), last: Wma::new(period.isqrt()) }
    }

    #[inline(always)]
    fn raw(&self, x: f64) -> Option<f64> {
        Some(2.0 * self.short.forming(x)? - self.long.forming(x)?)
    }
}

impl Series for Hull {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        self.last.forming(self.raw(x)?)
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        if let Some(raw) = self.raw(x) {
            self.last.take(raw);
        }
        self.short.take(x);
        self.long.take(x);
    }
}

state! {
    /// Perry Kaufman's adaptive average: fast (2) where the price goes straight, slow (30) where it wavers.
    pub struct Kama {
        last: Option<f64>,
        held: f64,
        ring: Ring,
        path: Sum,
    }
}

/// Factor of Kaufman's slow average.
const SLOW: f64 = 2.0 / 31.0;
/// Factor of his fast average.
const FAST: f64 = 2.0 / 3.0;

/// How much of the way to a new value the average goes, by the length of the path and how far it led.
#[inline(always)]
fn speed(path: f64, way: f64) -> f64 {
    let efficiency = if path <= way || path == 0.0 { 1.0 } else { (way / path).abs() };
    let root = efficiency * (FAST - SLOW) + SLOW;
    root * root
}

impl Kama {
    /// Over `period` changes.
    pub fn new(period: usize) -> Self {
        Self { last: None, held: 0.0, ring: Ring::new(period), path: Sum::new(period) }
    }
}

impl Series for Kama {
    #[inline(always)]
    fn forming(&self, x: f64) -> Option<f64> {
        let (old, last) = (self.ring.oldest()?, self.last?);
        let (path, way) = (self.path.forming((x - last).abs())?, x - old);
        Some(self.held + (x - self.held) * speed(path, way))
    }

    #[inline(always)]
    fn take(&mut self, x: f64) {
        // Until its first answer the average is the last value.
        self.held = self.forming(x).unwrap_or(x);
        if let Some(last) = self.last {
            self.path.take((x - last).abs());
        }
        self.last = Some(x);
        self.ring.take(x);
    }

    #[inline(always)]
    fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) -> bool {
        let (Some(last), true) = (self.last, self.path.is_warm() && self.ring.is_full()) else {
            return false;
        };
        let (mut ways, mut paths) = (SCRATCH, SCRATCH);
        let lasts = one_earlier(last, xs);
        self.path.sweep(&each(|i| (xs[i] - lasts[i]).abs()), &mut paths);
        self.ring.sweep(xs, &mut ways, |x, old| x - old);
        let kept = each(|i| 1.0 - speed(paths[i], ways[i]));
        let steps = each(|i| xs[i] - lasts[i]);
        let mut distance = self.held - last;
        let made_of = xs.as_chunks().0.iter().zip(steps.as_chunks().0).zip(kept.as_chunks().0);
        for (((xs, steps), kept), line) in made_of.zip(line.as_chunks_mut().0) {
            *line = glide_by(&mut distance, *xs, *steps, *kept);
        }
        self.held = line[STRETCH - 1];
        self.last = Some(xs[STRETCH - 1]);
        true
    }
}
