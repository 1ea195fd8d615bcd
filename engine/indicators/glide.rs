//! Exponential averages of many values at once. An average waits for the one before it, nine processor cycles a value;
//! four values are therefore taken together: each answer is the average before them and what their distances from it
//! add, weighed by how long ago they were. On a flat stretch the distances are 0 and the average stays what it is,
//! exactly.

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

/// An exponential average past its seed, on its way over a stretch.
#[derive(Clone, Copy)]
pub(crate) struct Glide {
    held: f64,
    /// What a distance adds now, and one, two and three values later.
    weights: Four,
}

impl Glide {
    /// From the average so far.
    #[inline(always)]
    pub(crate) const fn new(held: f64, factor: f64) -> Self {
        let kept = 1.0 - factor;
        let squared = kept * kept;
        Self { held, weights: [factor, factor * kept, factor * squared, factor * (squared * kept)] }
    }

    /// The average so far.
    #[inline(always)]
    pub(crate) const fn held(&self) -> f64 {
        self.held
    }

    /// Takes four values; the averages after each of them.
    #[inline(always)]
    pub(crate) const fn take(&mut self, [a, b, c, d]: Four) -> Four {
        let held = self.held;
        let (a, b, c, d) = (a - held, b - held, c - held, d - held);
        let [w, w1, w2, w3] = self.weights;
        self.held = held + ((w3 * a + w2 * b) + (w1 * c + w * d));
        [held + w * a, held + (w1 * a + w * b), held + ((w2 * a + w1 * b) + w * c), self.held]
    }

    /// Takes a stretch.
    #[inline(always)]
    pub(crate) fn sweep(&mut self, xs: &Scratch, line: &mut Scratch) {
        for (xs, line) in xs.as_chunks().0.iter().zip(line.as_chunks_mut().0) {
            *line = self.take(*xs);
        }
    }
}

/// A stretch's averages of amounts that are not negative and of which less than `nothing` is nothing, if they were
/// made without regard to that: made again where one of them, or the average before them, came near it.
#[inline(always)]
pub(crate) fn drop_below(nothing: f64, before: Glide, after: &mut Glide, xs: &Scratch, line: &mut Scratch) {
    let bound = nothing * 1e10;
    if line.iter().fold(before.held >= bound, |above, average| above & (*average >= bound)) {
        return;
    }
    *after = before;
    drop_one_by_one(nothing, after, xs, line);
}

#[cold]
#[inline(never)]
fn drop_one_by_one(nothing: f64, glide: &mut Glide, xs: &Scratch, line: &mut Scratch) {
    for (x, line) in xs.iter().zip(line) {
        *line = glide.held + (x - glide.held) * glide.weights[0];
        glide.held = if line.abs() < nothing { 0.0 } else { *line };
    }
}
