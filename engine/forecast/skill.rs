//! How well a model has done lately, as a factor of its weight: measured against the base rates of the very same
//! outcomes, so that an easy timeframe earns nothing. It is a function of the last [`WINDOW`] scored predictions and of
//! nothing else, and so comes back exactly when those are heard again.

use crate::Scored;

/// Scored predictions that count.
pub const WINDOW: usize = 128;
/// Predictions that draw the skill halfway to none: few prove little.
const DOUBT: f64 = 32.0;
/// What a nat of skill is worth as the logarithm of a factor: a twentieth, which is much, gives a factor of 1.6.
const SHARPNESS: f64 = 10.0;
/// No factor is beyond this or below its inverse.
const FACTOR_MAX: f64 = 8.0;

/// The last scored predictions of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Skill {
    /// Loss and outcome, a ring.
    held: [(f64, u8); WINDOW],
    taken: usize,
}

impl Default for Skill {
    fn default() -> Self {
        Self { held: [(0.0, 0); WINDOW], taken: 0 }
    }
}

impl Skill {
    /// Takes a scored prediction of the model.
    pub fn take(&mut self, scored: &Scored) {
        self.held[self.taken % WINDOW] = (scored.log_loss(), scored.outcome.index() as u8);
        self.taken += 1;
    }

    /// Nats a prediction by which it did better than the base rates of its outcomes; drawn toward 0 while there are few.
    pub fn nats(&self) -> f64 {
        let count = self.taken.min(WINDOW);
        if count == 0 {
            return 0.0;
        }
        // Oldest first, wherever the ring stands: the same predictions sum to the same last digit.
        let first = self.taken - count;
        let (mut loss, mut seen) = (0.0, [0u32; 3]);
        for at in first..self.taken {
            let (one, outcome) = self.held[at % WINDOW];
            loss += one;
            seen[usize::from(outcome)] += 1;
        }
        let n = count as f64;
        let shares = seen.map(|times| f64::from(times) / n);
        let entropy: f64 = shares.iter().filter(|p| **p > 0.0).map(|p| -p * libm::log(*p)).sum();
        (entropy - loss / n) * n / (n + DOUBT)
    }

    /// What its weight is multiplied by.
    pub fn factor(&self) -> f32 {
        libm::exp(SHARPNESS * self.nats()).clamp(1.0 / FACTOR_MAX, FACTOR_MAX) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Class;
    use crate::scored::tests::scored;
    use proptest::prelude::*;

    fn skill(each: impl Iterator<Item = ([f32; 3], Class)>) -> Skill {
        let mut skill = Skill::default();
        each.for_each(|(odds, outcome)| skill.take(&scored(odds, outcome)));
        skill
    }

    fn class(i: usize) -> Class {
        Class::ALL[i % 3]
    }

    #[test]
    fn knowing_nothing_is_no_skill_and_knowing_something_is() {
        assert_eq!(Skill::default().factor(), 1.0);
        let even = skill((0..120).map(|i| ([1.0 / 3.0; 3], class(i))));
        assert!((even.factor() - 1.0).abs() < 1e-3, "{}", even.factor());
        let knows = |i: usize| std::array::from_fn(|at| if at == i % 3 { 0.5 } else { 0.25 });
        let good = skill((0..120).map(|i| (knows(i), class(i))));
        let bad = skill((0..120).map(|i| (knows(i), class(i + 1))));
        assert!(good.factor() > 5.0 && bad.factor() < 0.2, "{} {}", good.factor(), bad.factor());
        let few = skill((0..6).map(|i| (knows(i), class(i))));
        assert!(few.factor() > 1.0 && few.factor() < 2.5, "{}", few.factor());
        // Always the same outcome and sure of it: the base rates knew that too.
        let easy = skill((0..120).map(|_| ([0.0, 1.0, 0.0], Class::Flat)));
        assert_eq!(easy.nats(), 0.0);
    }

    proptest! {
        #[test]
        fn the_last_ones_alone_decide(
            rows in proptest::collection::vec((0.01f32..1.0, 0.01f32..1.0, 0.01f32..1.0, 0usize..3), 129..400),
        ) {
            let each = |(a, b, c, outcome): &(f32, f32, f32, usize)| {
                let sum = a + b + c;
                ([a / sum, b / sum, c / sum], class(*outcome))
            };
            let whole = skill(rows.iter().map(each));
            let last = skill(rows[rows.len() - WINDOW..].iter().map(each));
            prop_assert_eq!(whole.nats().to_bits(), last.nats().to_bits());
        }
    }
}
