//! Exponential averages of many values at once. An average waits for the one before it, nine processor cycles a value;
//! here it is followed as its distance from the last value, four values at a time: what the steps between the values
//! add to the distance does not wait for it, and from four to four it takes one multiplication and one subtraction.
//! On a flat stretch the steps are 0 and the average comes to the value and stays there, exactly.

use crate::sweep::Scratch;

/// Values taken together.
pub(crate) const TOGETHER: usize = 4;
/// Values, or averages, taken together.
pub(crate) type Four = [f64; TOGETHER];

/// Differences.
#[inline(always)]
pub(crate) fn apart([a, b, c, d]: Four, [e, f, g, h]: Four) -> Four {
    [a - e, b - f, c - g, d - h]
}

/// An exponential average past its seed, on its way over a stretch, as its distance from the last value.
#[derive(Clone, Copy)]
pub(crate) struct Glide {
    last: f64,
    distance: f64,
    factor: f64,
    /// What is kept of a distance after one, two, three and four values.
    kept: Four,
}

impl Glide {
    /// From the average so far.
    #[inline(always)]
    pub(crate) const fn new(held: f64, factor: f64) -> Self {
        let kept = 1.0 - factor;
        let squared = kept * kept;
        Self { last: held, distance: 0.0, factor, kept: [kept, squared, squared * kept, squared * squared] }
    }

    /// The average so far.
    #[inline(always)]
    pub(crate) const fn held(&self) -> f64 {
        self.last + self.distance
    }

    /// Takes four values; the averages after each of them.
    #[inline(always)]
    pub(crate) const fn take(&mut self, [a, b, c, d]: Four) -> Four {
        let [k, k2, k3, k4] = self.kept;
        // What the steps from value to value add to the distance.
        let left = k * (a - self.last);
        let left2 = k * (left + (b - a));
        let left3 = k * (left2 + (c - b));
        let left4 = k * (left3 + (d - c));
        let from = self.distance;
        (self.last, self.distance) = (d, k4 * from - left4);
        [a + (k * from - left), b + (k2 * from - left2), c + (k3 * from - left3), d + self.distance]
    }

    /// Takes a stretch.
    #[inline(always)]
    pub(crate) fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) {
        for (xs, line) in xs.as_chunks().0.iter().zip(line.as_chunks_mut().0) {
            *line = self.take(*xs);
        }
    }
}

/// The same where each value has its own part of the distance that is kept: the averages after four values, which are
/// so many steps apart, from the distance before them.
#[inline(always)]
pub(crate) const fn glide_by(distance: &mut f64, xs: Four, steps: Four, kept: Four) -> Four {
    let [a, b, c, d] = xs;
    let [k, k2, k3, k4] = kept;
    let left = k * steps[0];
    let left2 = k2 * (left + steps[1]);
    let left3 = k3 * (left2 + steps[2]);
    let left4 = k4 * (left3 + steps[3]);
    let (two, last) = (k * k2, k3 * k4);
    let from = *distance;
    *distance = two * last * from - left4;
    [a + (k * from - left), b + (two * from - left2), c + (two * k3 * from - left3), d + *distance]
}

/// A stretch's averages of amounts that are not negative and of which less than `nothing` is nothing, if they were
/// made without regard to that: made again where one of them, or the average before them, came near it.
#[inline(always)]
pub(crate) fn drop_below(nothing: f64, before: Glide, after: &mut Glide, xs: &Scratch, line: &mut Scratch) {
    let bound = nothing * 1e10;
    if line.iter().fold(before.held() >= bound, |above, average| above & (*average >= bound)) {
        return;
    }
    *after = before;
    drop_one_by_one(nothing, after, xs, line);
}

#[cold]
#[inline(never)]
fn drop_one_by_one(nothing: f64, glide: &mut Glide, xs: &Scratch, line: &mut Scratch) {
    let mut held = glide.held();
    for (x, line) in xs.iter().zip(line) {
        *line = held + (x - held) * glide.factor;
        held = if line.abs() < nothing { 0.0 } else { *line };
    }
    (glide.last, glide.distance) = (held, 0.0);
}
