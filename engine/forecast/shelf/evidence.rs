//! Is one model better than another, or only luckier? Losses of the same moments are compared in pairs. Neighbouring
//! forecasts look at overlapping futures, and symbols move together, so single differences are no independent
//! witnesses: their means over blocks several horizons long are (the method of batch means: Law and Kelton,
//! "Simulation Modeling and Analysis"; of loss differences: Diebold and Mariano, 1995). The means are tested with
//! Student's t.

/// Horizons in a block. Neighbouring blocks share only the futures at their border: an eighth of a block, and less
/// than a twentieth of its variance.
const HORIZONS: u32 = 4;
/// Fewest moments in a block.
const MOMENTS_MIN: u32 = 8;
/// Fewest blocks a test is made of.
pub const BLOCKS_MIN: u32 = 8;

/// Mean and spread of a series, one number at a time (Welford, 1962).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    count: u32,
    mean: f64,
    squares: f64,
}

impl Spread {
    /// Takes a number.
    pub fn push(&mut self, x: f64) {
        self.count += 1;
        let from_mean = x - self.mean;
        self.mean += from_mean / f64::from(self.count);
        self.squares += from_mean * (x - self.mean);
    }

    /// How many.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Their mean.
    pub const fn mean(&self) -> f64 {
        self.mean
    }

    /// Variance of the mean; infinite below two numbers.
    fn variance_of_mean(&self) -> f64 {
        match self.count {
            0 | 1 => f64::INFINITY,
            n => self.squares / f64::from(n - 1) / f64::from(n),
        }
    }
}

/// Numbers in the order of their moments, gathered into blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blocks {
    /// Moments in a block.
    length: u32,
    /// Moments in the block that is being filled, the newest of them, and what was taken in it.
    moments: u32,
    newest: i64,
    sum: f64,
    summed: u32,
    means: Spread,
    taken: u32,
}

impl Blocks {
    /// Blocks for forecasts that look this many moments ahead.
    pub fn new(horizon: u32) -> Self {
        let length = HORIZONS.saturating_mul(horizon).max(MOMENTS_MIN);
        Self { length, moments: 0, newest: i64::MIN, sum: 0.0, summed: 0, means: Spread::default(), taken: 0 }
    }

    /// Takes a number of a moment; several symbols have the same. What comes late counts for the block of now.
    pub fn push(&mut self, moment: i64, x: f64) {
        if moment > self.newest {
            if self.moments == self.length {
                self.means.push(self.sum / f64::from(self.summed));
                (self.moments, self.sum, self.summed) = (0, 0.0, 0);
            }
            (self.newest, self.moments) = (moment, self.moments + 1);
        }
        self.sum += x;
        self.summed += 1;
        self.taken += 1;
    }

    /// Means of the full blocks.
    pub const fn means(&self) -> &Spread {
        &self.means
    }

    /// Numbers taken.
    pub const fn taken(&self) -> u32 {
        self.taken
    }
}

/// What a test found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// The mean of what was measured.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
    /// How often as much would be found above zero if there were nothing, 0 to 1.
    pub p: f64,
}

/// One-sided: is the mean above zero?
pub fn above_zero(means: &Spread) -> Finding {
    let (mean, variance) = (means.mean(), means.variance_of_mean());
    let freedom = f64::from(means.count().max(2) - 1);
    Finding { mean, error: variance.sqrt(), p: tail(mean, variance, freedom) }
}

/// One-sided: is `now` above `before`? With unequal variances (Welch, 1947).
pub fn above(now: &Spread, before: &Spread) -> Finding {
    let (a, b) = (now.variance_of_mean(), before.variance_of_mean());
    let mean = now.mean() - before.mean();
    let variance = a + b;
    let part = |v: f64, n: u32| v * v / f64::from(n.max(2) - 1);
    let freedom = if variance > 0.0 && variance.is_finite() {
        variance * variance / (part(a, now.count()) + part(b, before.count()))
    } else {
        1.0
    };
    Finding { mean, error: variance.sqrt(), p: tail(mean, variance, freedom) }
}

/// Without any spread the mean speaks for itself; without enough numbers nothing does.
fn tail(mean: f64, variance: f64, freedom: f64) -> f64 {
    if !variance.is_finite() {
        return 1.0;
    }
    if variance <= 0.0 {
        return if mean > 0.0 { 0.0 } else { 1.0 };
    }
    student_tail(mean / variance.sqrt(), freedom)
}

/// The chance that Student's t with `freedom` degrees exceeds `t`.
pub fn student_tail(t: f64, freedom: f64) -> f64 {
    let half = 0.5 * incomplete_beta(freedom / (freedom + t * t), 0.5 * freedom, 0.5);
    if t >= 0.0 { half } else { 1.0 - half }
}

/// The regularised incomplete beta function, by Lentz's continued fraction (Press et al., "Numerical Recipes", 6.4).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let front =
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * libm::log(x) + b * libm::log1p(-x);
    let front = libm::exp(front);
    if x < (a + 1.0) / (a + b + 2.0) {
        front * continued_fraction(x, a, b) / a
    } else {
        1.0 - front * continued_fraction(1.0 - x, b, a) / b
    }
}

fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..300 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            step = c * d;
            h *= step;
        }
        if (step - 1.0).abs() < 1e-14 {
            break;
        }
    }
    h
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_the_tables() {
        // Quantiles of Student's t at 0.95, 0.99 and 0.995, from any table.
        for (t, freedom, p) in [
            (6.313_75, 1.0, 0.05),
            (2.998, 7.0, 0.01),
            (2.228_14, 10.0, 0.025),
            (2.750, 30.0, 0.005),
            (1.658_95, 109.0, 0.05),
            (0.0, 5.0, 0.5),
        ] {
            assert!(
                (student_tail(t, freedom) - p).abs() < 2e-5,
                "{t} {freedom}: {}",
                student_tail(t, freedom)
            );
            assert!((student_tail(-t, freedom) - (1.0 - p)).abs() < 2e-5);
        }
        assert!(student_tail(40.0, 7.0) < 1e-8);
    }

    #[test]
    fn too_little_is_no_evidence_and_certainty_is() {
        let mut spread = Spread::default();
        assert_eq!(above_zero(&spread).p, 1.0);
        spread.push(5.0);
        assert_eq!(above_zero(&spread).p, 1.0, "one number has no spread");
        spread.push(5.0);
        assert_eq!(above_zero(&spread).p, 0.0);
        spread.push(4.0);
        let found = above_zero(&spread);
        assert!((found.mean - 14.0 / 3.0).abs() < 1e-12 && found.p < 0.01, "{found:?}");
    }

    #[test]
    fn a_block_closes_when_its_moments_are_full() {
        let mut blocks = Blocks::new(1);
        for moment in 0..8 {
            blocks.push(moment, 1.0);
            blocks.push(moment, 3.0);
        }
        assert_eq!((blocks.means().count(), blocks.taken()), (0, 16));
        blocks.push(8, 7.0);
        assert_eq!((blocks.means().count(), blocks.means().mean()), (1, 2.0));
        blocks.push(3, 9.0);
        assert_eq!(blocks.means().count(), 1, "late, and in the block of now");
        assert_eq!(Blocks::new(30).length, 120);
    }

    #[test]
    fn two_series_are_told_apart() {
        let series = |mean: f64| {
            let mut spread = Spread::default();
            (0..10).for_each(|i| spread.push(mean + f64::from(i % 3)));
            spread
        };
        assert!(above(&series(2.0), &series(0.0)).p < 1e-3);
        assert!(above(&series(0.0), &series(0.0)).p > 0.4);
        assert!(above(&series(0.0), &series(2.0)).p > 0.99);
    }

    /// Overlapping futures of several symbols that move together, and nothing to find: a test at 2 % finds something in
    /// about 2 % of the cases. One that took each difference for a witness would in 30 %.
    #[test]
    fn overlapping_horizons_make_no_evidence() {
        let horizon = 10;
        let mut found = 0;
        let cases = 600;
        for seed in 0..cases {
            let mut noise = Noise(seed + 1);
            let mut steps: Vec<[f64; 4]> = Vec::new();
            let mut blocks = Blocks::new(horizon as u32);
            for moment in 0..900usize {
                let common = noise.next();
                steps.push([0; 4].map(|_| common + noise.next()));
                if let Some(window) = moment.checked_sub(horizon).map(|from| &steps[from..]) {
                    for symbol in 0..4 {
                        blocks.push(moment as i64, window.iter().map(|step| step[symbol]).sum());
                    }
                }
            }
            found += u32::from(above_zero(blocks.means()).p < 0.02);
        }
        assert!((3..=24).contains(&found), "{found} of {cases} at 2 %");
    }

    /// Even numbers between -1 and 1 (splitmix64).
    pub(crate) struct Noise(pub u64);

    impl Noise {
        pub(crate) fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        }
    }
}
