//! The two learners behind one face, and what comes out of either: a model that answers a row with odds.

use crate::labels::Example;
use crate::metrics::base_rates;
use crate::network::{CLASSES, Network};
use crate::{boosting, descent};
use forecast::forest::Forest;
use indicators::FEATURES;
use indicators::features::Row;
use indicators::scaling::Scaling;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fmt;

/// Who learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learner {
    /// Gradient-boosted trees.
    Trees,
    /// A dense network of one hidden layer.
    Network,
}

impl fmt::Display for Learner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trees => "trees",
            Self::Network => "network",
        })
    }
}

/// How a learner learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Params {
    /// Of trees.
    Trees(boosting::Params),
    /// Of a network.
    Network(descent::Params),
}

impl Params {
    /// Whose they are.
    pub const fn learner(&self) -> Learner {
        match self {
            Self::Trees(_) => Learner::Trees,
            Self::Network(_) => Learner::Network,
        }
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trees(p) => write!(
                f,
                "trees of depth {}, step {}, leaves of {:.0} at least, L2 {:.1}, {:.0}% of columns",
                p.depth,
                p.learning_rate,
                p.leaf_weight_min,
                p.l2,
                100.0 * p.columns
            ),
            Self::Network(p) => write!(
                f,
                "network of {} neurons, step {}, decay {}",
                p.hidden, p.learning_rate, p.weight_decay
            ),
        }
    }
}

/// How much a learner is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// With fewer training rows than this the model says the base rates and nothing else.
    pub rows_min: usize,
    /// Most training rows; beyond it as many are drawn by lot.
    pub rows_max: usize,
}

/// What a model is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A network for scaled rows.
    Network(Network, Box<Scaling>),
    /// A forest for rows as they are, softmax not yet taken.
    Trees(Forest),
}

/// A fitted model.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// What answers.
    pub body: Body,
    /// What the training rows' base rates are.
    pub base_rates: [f64; CLASSES],
    /// Passes or rounds that did best; 0 when the base rates were not beaten (or not challenged), then it says them.
    pub rounds: u32,
    /// What splits on each feature gained; zeros for a network.
    pub gains: [f64; FEATURES],
}

impl Fitted {
    /// The model that says these odds whatever it is shown.
    pub fn saying(base_rates: [f64; CLASSES]) -> Self {
        let network = Network::saying(base_rates, FEATURES, 1, || 0.0);
        let body = Body::Network(network, Box::new(Scaling::NONE));
        Self { body, base_rates, rounds: 0, gains: [0.0; FEATURES] }
    }

    /// What the model says of a row as the engine makes it.
    pub fn odds(&self, row: &Row) -> [f32; CLASSES] {
        match &self.body {
            Body::Network(network, scaling) => {
                network.odds(&scaling.apply(row), &mut vec![0.0; network.hidden])
            }
            Body::Trees(forest) => boosting::odds(forest, row),
        }
    }

    /// Brings rows to size before the model is asked; trees take them as they are.
    pub fn scaling(&self) -> Option<&Scaling> {
        match &self.body {
            Body::Network(_, scaling) => Some(scaling),
            Body::Trees(_) => None,
        }
    }
}

/// Fits a model: the same examples, parameters and seed give the same one.
pub fn fit(train: &[&Example], stop: &[&Example], params: &Params, bounds: Bounds, seed: u64) -> Fitted {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut train: Vec<&Example> = train.to_vec();
    if train.len() > bounds.rows_max {
        // By lot: every n-th would take the same symbols each time.
        train.shuffle(&mut chance);
        train.truncate(bounds.rows_max);
        train.sort_by_key(|example| example.at);
    }
    let weighed = weighed(&train);
    let train: Vec<&Example> = weighed.iter().collect();
    let rates = base_rates(train.iter().copied());
    if train.len() < bounds.rows_min.max(1) || stop.is_empty() {
        return Fitted::saying(rates);
    }
    match params {
        Params::Network(params) => {
            let scaling = Scaling::fit(train.iter().map(|example| (&example.row, example.missing)));
            let (network, rounds) = descent::teach(&train, stop, rates, &scaling, params, &mut chance);
            let body = Body::Network(network, Box::new(scaling));
            Fitted { body, base_rates: rates, rounds, gains: [0.0; FEATURES] }
        }
        Params::Trees(params) => {
            let boosted = boosting::boost(&train, stop, rates, params, &mut chance);
            if boosted.rounds == 0 {
                // A forest without trees is no model.
                return Fitted::saying(rates);
            }
            let (rounds, gains) = (boosted.rounds, boosted.gains);
            Fitted { body: Body::Trees(boosted.forest), base_rates: rates, rounds, gains }
        }
    }
}

/// The same examples with weights of one on average: what learners bound by weight then means the same everywhere, and
/// nothing of how later labels overlap is known.
fn weighed(train: &[&Example]) -> Vec<Example> {
    let sum: f64 = train.iter().map(|example| f64::from(example.weight)).sum();
    let mean = (sum / train.len().max(1) as f64) as f32;
    let scale = if mean > 0.0 { 1.0 / mean } else { 1.0 };
    train.iter().map(|example| Example { weight: scale * example.weight, ..**example }).collect()
}

/// A row that no market made: every value anywhere in the usual range.
pub fn drawn(chance: &mut ChaCha8Rng) -> Row {
    std::array::from_fn(|_| chance.random_range(-1.5..1.5))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::metrics;
    use indicators::features::Missing;
    use market::{Date, Timestamp};

    pub(crate) const TREES: boosting::Params = boosting::Params {
        rounds_max: 120,
        patience_rounds: 10,
        learning_rate: 0.15,
        depth: 4,
        leaf_weight_min: 8.0,
        l2: 1.0,
        columns: 0.7,
    };
    pub(crate) const NETWORK: descent::Params = descent::Params {
        hidden: 16,
        learning_rate: 3e-3,
        weight_decay: 1e-2,
        epochs_max: 25,
        patience_epochs: 4,
        batch_rows: 64,
    };
    pub(crate) const BOUNDS: Bounds = Bounds { rows_min: 300, rows_max: 50_000 };

    pub(crate) fn example(i: i64, chance: &mut ChaCha8Rng, class: impl Fn(&Row) -> usize) -> Example {
        let row: Row = std::array::from_fn(|_| chance.random_range(-2.0..2.0f32));
        Example {
            at: Timestamp::from_seconds(i),
            date: Date::from_days((i / 100) as i32),
            until: Timestamp::from_seconds(i + 1),
            class: class(&row),
            row,
            missing: Missing::NONE,
            weight: 1.0,
        }
    }

    fn log_loss(fitted: &Fitted, examples: &[Example]) -> f64 {
        let pairs = examples.iter().map(|e| (fitted.odds(&e.row), e.class));
        metrics::score(pairs).expect("some").log_loss
    }

    #[test]
    fn both_learn_what_can_be_learnt_and_nothing_else() {
        let mut chance = ChaCha8Rng::seed_from_u64(1);
        // Not linear: the product of two columns decides.
        let rule = |row: &Row| match row[0] * row[3] {
            x if x < -0.5 => 0,
            x if x > 0.5 => 2,
            _ => 1,
        };
        let examples: Vec<Example> = (0..6_000).map(|i| example(i, &mut chance, rule)).collect();
        let noise: Vec<Example> =
            examples.iter().map(|e| Example { class: chance.random_range(0..3), ..*e }).collect();
        for params in [Params::Network(NETWORK), Params::Trees(TREES)] {
            for (examples, can_learn) in [(&examples, true), (&noise, false)] {
                let (train, rest) = examples.split_at(4_000);
                let (stop, test) = rest.split_at(1_000);
                let (train, stop): (Vec<_>, Vec<_>) = (train.iter().collect(), stop.iter().collect());
                let fitted = fit(&train, &stop, &params, BOUNDS, 7);
                let loss = log_loss(&fitted, test);
                if can_learn {
                    assert!(loss < 0.6, "log loss {loss} of {params}");
                } else {
                    assert!((loss - 3f64.ln()).abs() < 0.01, "log loss {loss} of pure noise by {params}");
                }
                assert_eq!(fit(&train, &stop, &params, BOUNDS, 7), fitted, "the same again");
            }
        }
    }

    #[test]
    fn only_the_ratio_of_weights_counts() {
        let mut chance = ChaCha8Rng::seed_from_u64(2);
        let rule = |row: &Row| if row[0] < 0.0 { 0 } else { 2 };
        let mut examples: Vec<Example> = (0..1_500).map(|i| example(i, &mut chance, rule)).collect();
        examples.iter_mut().for_each(|e| e.weight = if e.row[1] < 0.0 { 0.5 } else { 1.5 });
        let lighter: Vec<Example> =
            examples.iter().map(|e| Example { weight: e.weight / 8.0, ..*e }).collect();
        for params in [Params::Network(NETWORK), Params::Trees(TREES)] {
            let of = |examples: &[Example]| {
                let all: Vec<&Example> = examples.iter().collect();
                fit(&all[..1_000], &all[1_000..], &params, BOUNDS, 7)
            };
            assert_eq!(of(&lighter), of(&examples), "{params}");
        }
    }

    #[test]
    fn weights_count_and_too_little_is_not_learnt_from() {
        let mut chance = ChaCha8Rng::seed_from_u64(5);
        // The sign of a column decides; of those where it misleads the weight is nothing.
        let mut examples: Vec<Example> =
            (0..3_000).map(|i| example(i, &mut chance, |row| if row[2] < 0.0 { 0 } else { 2 })).collect();
        for (place, example) in examples.iter_mut().enumerate() {
            if place % 2 == 0 {
                (example.class, example.weight) = (2 - example.class, 1e-3);
            }
        }
        let (train, rest) = examples.split_at(2_000);
        let train: Vec<&Example> = train.iter().collect();
        let honest: Vec<&Example> = rest.iter().filter(|e| e.weight == 1.0).collect();
        for params in [Params::Network(NETWORK), Params::Trees(TREES)] {
            let fitted = fit(&train, &honest, &params, BOUNDS, 7);
            let mut row = [0.0; FEATURES];
            row[2] = -1.0;
            assert!(fitted.odds(&row)[0] > 0.9, "{:?} by {params}", fitted.odds(&row));
            let few = fit(&train[..BOUNDS.rows_min - 1], &honest, &params, BOUNDS, 7);
            assert_eq!(few.rounds, 0);
            assert_eq!(few.odds(&row), few.odds(&[1.0; FEATURES]));
        }
    }
}
