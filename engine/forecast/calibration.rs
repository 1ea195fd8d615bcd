//! Calibration: odds bent until they mean what they say. Platt's is a line in the logit of each class, isotonic a
//! rising staircase with straight ramps between the steps; both a class at a time, brought back to a sum of one.
//!
//! Platt, "Probabilistic outputs for support vector machines" (1999), fitted as Lin, Lin and Weng (2007) say;
//! Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates" (2002).

use crate::{Class, Odds};

/// Odds are cut here before their logit is taken.
const SMALLEST: f64 = 1e-6;
/// Most knots of an isotonic curve: more than this only repeat the noise of the rows it was fitted to.
pub const KNOTS_MAX: usize = 64;
/// Fewest examples a calibration is fitted to.
pub const EXAMPLES_MIN: usize = 50;
/// Newton's method stops here at the latest; it needs about five steps.
const STEPS_MAX: u32 = 50;

/// A curve of one class, in the order of the classes.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Calibration {
    /// `1 / (1 + exp(-(slope * logit(p) + offset)))`.
    Platt {
        /// Slopes of down, flat and up.
        slope: [f64; 3],
        /// Offsets of down, flat and up.
        offset: [f64; 3],
    },
    /// Straight lines between knots, level outside of them.
    Isotonic {
        /// The knots of down, flat and up: odds as they were and as they ought to be, both rising.
        knots: [Vec<[f64; 2]>; 3],
    },
}

/// Which curve is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// [`Calibration::Platt`]: two numbers a class, for few examples.
    Platt,
    /// [`Calibration::Isotonic`]: any rising curve, for a thousand examples or more.
    Isotonic,
}

impl Calibration {
    /// Fits a curve to what was said and what then happened; `None` for fewer than [`EXAMPLES_MIN`] examples.
    pub fn fit(method: Method, examples: &[(Odds, Class)]) -> Option<Self> {
        if examples.len() < EXAMPLES_MIN {
            return None;
        }
        let of = |class: usize| -> Vec<(f64, bool)> {
            examples.iter().map(|(odds, was)| (f64::from(odds.row()[class]), was.index() == class)).collect()
        };
        Some(match method {
            Method::Platt => {
                let lines: [(f64, f64); 3] = std::array::from_fn(|class| platt(&of(class)));
                Self::Platt { slope: lines.map(|line| line.0), offset: lines.map(|line| line.1) }
            }
            Method::Isotonic => Self::Isotonic { knots: std::array::from_fn(|class| isotonic(of(class))) },
        })
    }

    /// The odds as they ought to be. Odds that all curves send to nothing are left as they are.
    pub fn apply(&self, odds: Odds) -> Odds {
        let row = odds.row();
        let bent: [f64; 3] = std::array::from_fn(|class| self.bend(class, f64::from(row[class])));
        let sum: f64 = bent.iter().sum();
        if sum.is_nan() || sum <= SMALLEST {
            return odds;
        }
        Odds::from_row(bent.map(|p| (p / sum) as f32))
    }

    fn bend(&self, class: usize, p: f64) -> f64 {
        match self {
            Self::Platt { slope, offset } => sigmoid(slope[class] * logit(p) + offset[class]),
            Self::Isotonic { knots } => between(&knots[class], p),
        }
    }

    /// What is wrong with the numbers, if anything.
    pub fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Platt { slope, offset } => {
                let is_right = slope.iter().chain(offset).all(|x| x.is_finite());
                (!is_right).then_some("a slope or an offset is not finite")
            }
            Self::Isotonic { knots } => knots.iter().find_map(|curve| curve_fault(curve)),
        }
    }
}

fn curve_fault(curve: &[[f64; 2]]) -> Option<&'static str> {
    if curve.is_empty() || curve.len() > KNOTS_MAX {
        return Some("a curve has no knot or more than 64");
    }
    if !curve.iter().flatten().all(|x| (0.0..=1.0).contains(x)) {
        return Some("a knot lies outside 0 to 1");
    }
    let rises = curve.windows(2).all(|two| two[0][0] < two[1][0] && two[0][1] <= two[1][1]);
    (!rises).then_some("the knots of a curve do not rise")
}

fn logit(p: f64) -> f64 {
    let p = p.clamp(SMALLEST, 1.0 - SMALLEST);
    libm::log(p / (1.0 - p))
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// Slope and offset by Newton's method with halved steps. The targets are drawn a little toward the middle, as if
/// one more example of each kind had been seen, so that a perfect split has a finite slope.
fn platt(examples: &[(f64, bool)]) -> (f64, f64) {
    let hits = examples.iter().filter(|(_, was)| *was).count() as f64;
    let misses = examples.len() as f64 - hits;
    let (high, low) = ((hits + 1.0) / (hits + 2.0), 1.0 / (misses + 2.0));
    let points: Vec<(f64, f64)> =
        examples.iter().map(|(p, was)| (logit(*p), if *was { high } else { low })).collect();
    let loss = |(a, b): (f64, f64)| -> f64 { points.iter().map(|(x, t)| cross_entropy(a * x + b, *t)).sum() };
    let mut line = (0.0, logit((hits + 1.0) / (hits + misses + 2.0)));
    let mut now = loss(line);
    for _ in 0..STEPS_MAX {
        let step = newton_step(&points, line);
        let Some((next, better)) = halved(line, step, now, &loss) else { break };
        let gained = now - better;
        (line, now) = (next, better);
        if gained < 1e-12 * (1.0 + now) {
            break;
        }
    }
    line
}

/// `-t ln s(z) - (1 - t) ln(1 - s(z))`, without losing digits far out.
fn cross_entropy(z: f64, target: f64) -> f64 {
    z.max(0.0) - z * target + libm::log1p(libm::exp(-z.abs()))
}

fn newton_step(points: &[(f64, f64)], (a, b): (f64, f64)) -> (f64, f64) {
    /// Keeps the matrix from being singular when all points are one.
    const RIDGE: f64 = 1e-9;
    let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, RIDGE, 0.0, RIDGE);
    for (x, target) in points {
        let p = sigmoid(a * x + b);
        let (error, weight) = (p - target, p * (1.0 - p));
        ga += error * x;
        gb += error;
        haa += weight * x * x;
        hab += weight * x;
        hbb += weight;
    }
    let determinant = haa * hbb - hab * hab;
    ((hab * gb - hbb * ga) / determinant, (hab * ga - haa * gb) / determinant)
}

/// The first of the step, its half, its quarter and so on that lowers the loss.
fn halved(
    from: (f64, f64),
    step: (f64, f64),
    now: f64,
    loss: &impl Fn((f64, f64)) -> f64,
) -> Option<((f64, f64), f64)> {
    let mut part = 1.0;
    for _ in 0..30 {
        let next = (from.0 + part * step.0, from.1 + part * step.1);
        let better = loss(next);
        if better < now {
            return Some((next, better));
        }
        part *= 0.5;
    }
    None
}

/// Examples of about the same odds, taken together.
#[derive(Clone, Copy)]
struct Block {
    odds: f64,
    hits: f64,
    count: f64,
}

impl Block {
    fn with(self, other: Self) -> Self {
        let count = self.count + other.count;
        let odds = (self.odds * self.count + other.odds * other.count) / count;
        Self { odds, hits: self.hits + other.hits, count }
    }
    fn share(&self) -> f64 {
        self.hits / self.count
    }
}

/// Pools adjacent violators: neighbours that fall are taken together until all rise. Examples are first put into at
/// most [`KNOTS_MAX`] groups of the same size, equal odds always into one.
fn isotonic(mut examples: Vec<(f64, bool)>) -> Vec<[f64; 2]> {
    examples.sort_by(|a, b| a.0.total_cmp(&b.0));
    let size = examples.len().div_ceil(KNOTS_MAX) as f64;
    let mut rising: Vec<Block> = Vec::new();
    let mut group: Option<(Block, f64)> = None;
    for (odds, was) in examples {
        let one = Block { odds, hits: f64::from(u8::from(was)), count: 1.0 };
        group = Some(match group {
            Some((block, last)) if block.count < size || last == odds => (block.with(one), odds),
            Some((block, _)) => {
                pool(&mut rising, block);
                (one, odds)
            }
            None => (one, odds),
        });
    }
    if let Some((block, _)) = group {
        pool(&mut rising, block);
    }
    rising.iter().map(|block| [block.odds.clamp(0.0, 1.0), block.share()]).collect()
}

fn pool(rising: &mut Vec<Block>, mut block: Block) {
    while let Some(before) = rising.last().copied().filter(|before| before.share() >= block.share()) {
        rising.pop();
        block = before.with(block);
    }
    rising.push(block);
}

fn between(curve: &[[f64; 2]], p: f64) -> f64 {
    let after = curve.partition_point(|knot| knot[0] <= p);
    match (after.checked_sub(1).and_then(|before| curve.get(before)), curve.get(after)) {
        (None, None) => p,
        (None, Some(only)) | (Some(only), None) => only[1],
        (Some(low), Some(high)) => low[1] + (high[1] - low[1]) * (p - low[0]) / (high[0] - low[0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Numbers between 0 and 1, the same for the same seed (splitmix64).
    pub(crate) struct Dice(pub u64);

    impl Dice {
        pub(crate) fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    fn class(at: f64, odds: [f64; 3]) -> Class {
        if at < odds[0] {
            Class::Down
        } else if at < odds[0] + odds[1] {
            Class::Flat
        } else {
            Class::Up
        }
    }

    fn sharpened(row: [f64; 3], power: f64) -> Odds {
        let sharp = row.map(|p| p.powf(power));
        let sum: f64 = sharp.iter().sum();
        Odds::from_row(sharp.map(|p| (p / sum) as f32))
    }

    /// A forecaster that knows the odds but overstates them.
    fn overconfident(count: usize, seed: u64) -> Vec<(Odds, Class)> {
        let mut dice = Dice(seed);
        (0..count)
            .map(|_| {
                let raw: [f64; 3] = std::array::from_fn(|_| 0.1 + dice.next());
                let sum: f64 = raw.iter().sum();
                let odds = raw.map(|x| x / sum);
                (sharpened(odds, 3.0), class(dice.next(), odds))
            })
            .collect()
    }

    fn log_loss(examples: &[(Odds, Class)], of: impl Fn(Odds) -> Odds) -> f64 {
        let one = |(odds, was): &(Odds, Class)| -f64::from(of(*odds).row()[was.index()]).max(1e-15).ln();
        examples.iter().map(one).sum::<f64>() / examples.len() as f64
    }

    #[test]
    fn overstated_odds_are_brought_back() {
        let (known, fresh) = (overconfident(4_000, 1), overconfident(4_000, 2));
        let before = log_loss(&fresh, |odds| odds);
        let best = log_loss(&fresh, |odds| sharpened(odds.row().map(f64::from), 1.0 / 3.0));
        for method in [Method::Platt, Method::Isotonic] {
            let fitted = Calibration::fit(method, &known).expect("enough");
            assert_eq!(fitted.fault(), None);
            let after = log_loss(&fresh, |odds| fitted.apply(odds));
            assert!(after < best + 0.1 * (before - best), "{method:?}: {before} to {after}, best {best}");
        }
        assert_eq!(Calibration::fit(Method::Platt, &known[..EXAMPLES_MIN - 1]), None);
    }

    #[test]
    fn a_perfect_split_stays_finite() {
        let examples: Vec<_> = (0..100)
            .map(|i| {
                if i % 2 == 0 {
                    (Odds::from_row([0.9, 0.05, 0.05]), Class::Down)
                } else {
                    (Odds::from_row([0.05, 0.05, 0.9]), Class::Up)
                }
            })
            .collect();
        for method in [Method::Platt, Method::Isotonic] {
            let fitted = Calibration::fit(method, &examples).expect("enough");
            assert_eq!(fitted.fault(), None, "{fitted:?}");
            let odds = fitted.apply(examples[0].0);
            assert!(odds.down > 0.9 && odds.flat < 0.1, "{odds:?}");
        }
    }

    #[test]
    fn pooling_is_the_textbook_one() {
        // 1 0 1 0 0 1 at rising odds: shares 1 0 1 0 0 become one block of 2/5, then 1.
        let hits = [true, false, true, false, false, true];
        let examples: Vec<_> = hits.iter().enumerate().map(|(i, was)| (i as f64 / 10.0, *was)).collect();
        let knots = isotonic(examples);
        assert_eq!(knots.len(), 2);
        assert!((knots[0][0] - 0.2).abs() < 1e-12 && (knots[0][1] - 0.4).abs() < 1e-12);
        assert_eq!(knots[1], [0.5, 1.0]);
        assert_eq!(between(&knots, 0.0), knots[0][1]);
        assert!((between(&knots, 0.35) - 0.7).abs() < 1e-12);
        assert_eq!(between(&knots, 0.9), 1.0);
    }

    #[test]
    fn wrong_numbers_are_told() {
        let flat = || vec![[0.5, 0.3]];
        let wrong = |curve: Vec<[f64; 2]>| Calibration::Isotonic { knots: [flat(), curve, flat()] }.fault();
        assert_eq!(wrong(flat()), None);
        for curve in [vec![], vec![[0.2, 1.1]], vec![[0.2, 0.5], [0.4, 0.4]], vec![[0.2, 0.5], [0.2, 0.6]]] {
            assert!(wrong(curve.clone()).is_some(), "{curve:?}");
        }
        assert!(Calibration::Platt { slope: [1.0; 3], offset: [0.0, f64::NAN, 0.0] }.fault().is_some());
        let nothing = Calibration::Isotonic { knots: std::array::from_fn(|_| vec![[0.5, 0.0]]) };
        let odds = Odds::from_row([0.2, 0.3, 0.5]);
        assert_eq!(nothing.apply(odds), odds);
    }

    proptest! {
        #[test]
        fn odds_stay_odds_and_order_is_kept_in_each_class(
            seed in any::<u64>(), count in EXAMPLES_MIN..400, noise in 0.0f64..1.0,
        ) {
            let mut dice = Dice(seed);
            let examples: Vec<_> = overconfident(count, seed)
                .into_iter()
                .map(|(odds, was)| (odds, if dice.next() < noise { Class::Flat } else { was }))
                .collect();
            for method in [Method::Platt, Method::Isotonic] {
                let fitted = Calibration::fit(method, &examples).expect("enough");
                prop_assert_eq!(fitted.fault(), None);
                for (odds, _) in &examples {
                    prop_assert_eq!(crate::plan::check_odds(&fitted.apply(*odds).row()), Ok(()));
                }
                if method == Method::Isotonic {
                    for class in 0..3 {
                        let bent: Vec<f64> = (0..=100).map(|i| fitted.bend(class, f64::from(i) / 100.0)).collect();
                        prop_assert!(bent.windows(2).all(|two| two[0] <= two[1] + 1e-12));
                    }
                }
            }
        }
    }
}
