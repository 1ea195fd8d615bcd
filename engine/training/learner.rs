//! Fitting the network: cross-entropy, Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter
//! 2019), shuffled from a seed, stopped early. It starts by saying the base rates and answers with the weights that
//! did best on the validation rows: where nothing can be learnt, the base rates are what is left.

use crate::labels::Example;
use crate::metrics::{self, base_rates};
use crate::network::{CLASSES, Network};
use crate::settings::Settings;
use indicators::FEATURES;
use indicators::features::Row;
use indicators::scaling::Scaling;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Adam's memory of gradients, and of their squares, and what keeps it from dividing by zero.
const BETA: (f32, f32, f32) = (0.9, 0.999, 1e-8);

impl Fitted {
    /// What the model says of a row as the engine makes it; `layer` is room for the hidden layer.
    pub fn odds(&self, row: &Row, layer: &mut [f32]) -> [f32; CLASSES] {
        self.network.odds(&self.scaling.apply(row), layer)
    }
}

/// A fitted model.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The network, for scaled rows.
    pub network: Network,
    /// The scaling, fitted to the training rows alone.
    pub scaling: Scaling,
    /// What the training rows' base rates are.
    pub base_rates: [f64; CLASSES],
    /// Passes after which the best weights stood; 0 when the base rates were not beaten (or not challenged).
    pub epochs: u32,
}

/// A scaled row with its class.
struct Lesson {
    row: Row,
    class: usize,
}

/// Fits a network. With fewer than `rows_min` training rows, or none to validate with, it says the base rates.
pub fn fit(train: &[&Example], validation: &[&Example], settings: &Settings) -> Fitted {
    let mut chance = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut train: Vec<&Example> = train.to_vec();
    if train.len() > settings.rows_max {
        // By lot: every n-th would take the same symbols each time.
        train.shuffle(&mut chance);
        train.truncate(settings.rows_max);
    }
    let rates = base_rates(train.iter().map(|example| example.class));
    let draw = || chance.random_range(-1.0..1.0f32);
    let start = Network::saying(rates, FEATURES, settings.hidden, draw);
    let scaling = Scaling::fit(train.iter().map(|example| (&example.row, example.missing)));
    let mut fitted = Fitted { network: start.clone(), scaling, base_rates: rates, epochs: 0 };
    if train.len() >= settings.rows_min && !validation.is_empty() {
        let scaling = &fitted.scaling;
        let lesson = |example: &&Example| Lesson { row: scaling.apply(&example.row), class: example.class };
        let mut lessons: Vec<Lesson> = train.iter().map(lesson).collect();
        let exam: Vec<Lesson> = validation.iter().map(lesson).collect();
        (fitted.network, fitted.epochs) = descend(start, &mut lessons, &exam, settings, &mut chance);
    }
    fitted
}

fn descend(
    start: Network,
    lessons: &mut [Lesson],
    exam: &[Lesson],
    settings: &Settings,
    chance: &mut ChaCha8Rng,
) -> (Network, u32) {
    let mut layer = vec![0.0; start.hidden];
    let mut loss = |network: &Network| {
        let pairs = exam.iter().map(|lesson| (network.odds(&lesson.row, &mut layer), lesson.class));
        metrics::score(pairs).map_or(f64::INFINITY, |scores| scores.log_loss)
    };
    let (mut best_loss, mut best_epoch, mut best) = (loss(&start), 0, start.clone());
    let mut adam = Adam::new(start, settings);
    for epoch in 1..=settings.epochs_max {
        lessons.shuffle(chance);
        lessons.chunks(settings.batch_rows).for_each(|batch| adam.step(batch));
        let now = loss(&adam.network);
        // A part in a hundred thousand is noise, not learning.
        if now < best_loss - 1e-5 {
            (best_loss, best_epoch) = (now, epoch);
            best.clone_from(&adam.network);
        } else if epoch - best_epoch >= settings.patience_epochs {
            break;
        }
    }
    (best, best_epoch)
}

struct Adam {
    network: Network,
    gradient: Network,
    mean: Network,
    square: Network,
    steps: i32,
    rate: f32,
    decay: f32,
    layer: Vec<f32>,
}

impl Adam {
    fn new(network: Network, settings: &Settings) -> Self {
        let zeros = network.zeros();
        Self {
            gradient: zeros.clone(),
            mean: zeros.clone(),
            square: zeros,
            steps: 0,
            rate: settings.learning_rate as f32,
            decay: settings.weight_decay as f32,
            layer: vec![0.0; network.hidden],
            network,
        }
    }

    fn step(&mut self, batch: &[Lesson]) {
        self.gradient.layers_mut().into_iter().for_each(|layer| layer.fill(0.0));
        for lesson in batch {
            self.teach(lesson, 1.0 / batch.len() as f32);
        }
        self.steps += 1;
        let (b1, b2, tiny) = BETA;
        let (c1, c2) = (1.0 - b1.powi(self.steps), 1.0 - b2.powi(self.steps));
        let gradients = self.gradient.layers_mut();
        let (means, squares) = (self.mean.layers_mut(), self.square.layers_mut());
        let layers = self.network.layers_mut().into_iter().zip(gradients).zip(means).zip(squares);
        for (index, (((weights, gradient), mean), square)) in layers.enumerate() {
            // Biases (the second of each pair) do not decay.
            let decay = if index % 2 == 0 { self.rate * self.decay } else { 0.0 };
            for (((w, g), m), s) in weights.iter_mut().zip(gradient).zip(mean).zip(square) {
                *m = b1 * *m + (1.0 - b1) * *g;
                *s = b2 * *s + (1.0 - b2) * *g * *g;
                *w -= self.rate * (*m / c1) / ((*s / c2).sqrt() + tiny) + decay * *w;
            }
        }
    }

    /// Adds the gradient of one lesson's cross-entropy.
    fn teach(&mut self, lesson: &Lesson, weight: f32) {
        let (network, gradient) = (&self.network, &mut self.gradient);
        let mut error = network.odds(&lesson.row, &mut self.layer);
        error[lesson.class] -= 1.0;
        error.iter_mut().for_each(|e| *e *= weight);
        gradient.second_bias.iter_mut().zip(error).for_each(|(g, e)| *g += e);
        let outward = self.layer.iter_mut().zip(network.second.chunks_exact(CLASSES));
        for ((h, weights), gradients) in outward.zip(gradient.second.chunks_exact_mut(CLASSES)) {
            gradients.iter_mut().zip(error).for_each(|(g, e)| *g += e * *h);
            let back: f32 = weights.iter().zip(error).map(|(w, e)| w * e).sum();
            *h = if *h > 0.0 { back } else { 0.0 };
        }
        // From here on the layer holds the errors of its neurons.
        gradient.first_bias.iter_mut().zip(&self.layer).for_each(|(g, e)| *g += e);
        for (x, gradients) in lesson.row.iter().zip(gradient.first.chunks_exact_mut(network.hidden)) {
            gradients.iter_mut().zip(&self.layer).for_each(|(g, e)| *g += x * e);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::tests::settings;
    use indicators::features::Missing;
    use market::{Date, Timestamp};

    fn example(i: i64, chance: &mut ChaCha8Rng, class: impl Fn(&Row) -> usize) -> Example {
        let row: Row = std::array::from_fn(|_| chance.random_range(-2.0..2.0f32));
        Example {
            at: Timestamp::from_seconds(i),
            date: Date::from_days(0),
            until: Timestamp::from_seconds(i + 1),
            class: class(&row),
            row,
            missing: Missing::NONE,
        }
    }

    fn log_loss(fitted: &Fitted, examples: &[Example]) -> f64 {
        let mut layer = vec![0.0; fitted.network.hidden];
        let pairs = examples.iter().map(|e| (fitted.odds(&e.row, &mut layer), e.class));
        metrics::score(pairs).expect("some").log_loss
    }

    #[test]
    fn learns_what_can_be_learnt_and_nothing_else() {
        let mut chance = ChaCha8Rng::seed_from_u64(1);
        // Not linear: the product of two columns decides.
        let rule = |row: &Row| match row[0] * row[3] {
            x if x < -0.5 => 0,
            x if x > 0.5 => 2,
            _ => 1,
        };
        let examples: Vec<Example> = (0..6_000).map(|i| example(i, &mut chance, rule)).collect();
        let noise: Vec<Example> =
            examples.iter().map(|e| Example { class: e.at.ns() as usize / 7 % 3, ..*e }).collect();
        let settings = Settings { epochs_max: 25, ..settings() };
        for (examples, can_learn) in [(&examples, true), (&noise, false)] {
            let (train, rest) = examples.split_at(4_000);
            let (validation, test) = rest.split_at(1_000);
            let fitted =
                fit(&train.iter().collect::<Vec<_>>(), &validation.iter().collect::<Vec<_>>(), &settings);
            let loss = log_loss(&fitted, test);
            if can_learn {
                assert!(loss < 0.6, "log loss {loss}");
            } else {
                assert!((loss - 3f64.ln()).abs() < 0.01, "log loss {loss} of pure noise");
            }
        }
    }

    #[test]
    fn gradients_are_the_slopes_of_the_loss() {
        let mut chance = ChaCha8Rng::seed_from_u64(2);
        let settings = Settings { hidden: 5, ..settings() };
        let mut network = Network::saying([0.3, 0.3, 0.4], FEATURES, 5, || chance.random_range(-1.0..1.0));
        network.second.iter_mut().for_each(|w| *w = chance.random_range(-1.0..1.0));
        let row: Row = std::array::from_fn(|_| chance.random_range(-1.0..1.0f32));
        let lesson = Lesson { row, class: 2 };
        let mut adam = Adam::new(network.clone(), &settings);
        adam.teach(&lesson, 1.0);
        let mut layer = vec![0.0; 5];
        let mut loss = |network: &Network| -f64::from(network.odds(&row, &mut layer)[2]).ln();
        for which in 0..4 {
            for i in 0..adam.gradient.layers_mut()[which].len() {
                let mut shifted = |by: f32| {
                    let mut network = network.clone();
                    network.layers_mut()[which][i] += by;
                    loss(&network)
                };
                let slope = (shifted(1e-2) - shifted(-1e-2)) / 2e-2;
                let found = f64::from(adam.gradient.layers_mut()[which][i]);
                assert!((slope - found).abs() < 2e-3, "layer {which} weight {i}: {found} is not {slope}");
            }
        }
    }
}
