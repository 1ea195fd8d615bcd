//! Teaching the network: weighted cross-entropy, Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter
//! 2019), shuffled from a seed, stopped early. It starts by saying the base rates and answers with the weights that
//! did best on the validation rows: where nothing can be learnt, the base rates are what is left.

use crate::labels::Example;
use crate::metrics;
use crate::network::{CLASSES, Network};
use indicators::FEATURES;
use indicators::features::Row;
use indicators::scaling::Scaling;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Adam's memory of gradients, and of their squares, and what keeps it from dividing by zero.
const BETA: (f32, f32, f32) = (0.9, 0.999, 1e-8);

/// How a network is made and taught.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    /// Neurons of the hidden layer.
    pub hidden: usize,
    /// Adam's step size.
    pub learning_rate: f64,
    /// Decoupled weight decay a step, as a part of the learning rate.
    pub weight_decay: f64,
    /// Most passes over the training rows.
    pub epochs_max: u32,
    /// Passes without improvement on the stopping rows after which training ends.
    pub patience_epochs: u32,
    /// Rows a step.
    pub batch_rows: usize,
}

/// A scaled row with its class.
struct Lesson {
    row: Row,
    class: usize,
    weight: f32,
}

/// Teaches a network that starts by saying the base rates; answers with the weights that did best on the stopping
/// rows and the passes after which they stood.
pub fn teach(
    train: &[&Example],
    stop: &[&Example],
    base_rates: [f64; CLASSES],
    scaling: &Scaling,
    params: &Params,
    chance: &mut ChaCha8Rng,
) -> (Network, u32) {
    let draw = || chance.random_range(-1.0..1.0f32);
    let start = Network::saying(base_rates, FEATURES, params.hidden, draw);
    let lesson = |e: &&Example| Lesson { row: scaling.apply(&e.row), class: e.class, weight: e.weight };
    let mut lessons: Vec<Lesson> = train.iter().map(lesson).collect();
    let exam: Vec<Lesson> = stop.iter().map(lesson).collect();
    descend(start, &mut lessons, &exam, params, chance)
}

fn descend(
    start: Network,
    lessons: &mut [Lesson],
    exam: &[Lesson],
    params: &Params,
    chance: &mut ChaCha8Rng,
) -> (Network, u32) {
    let mut layer = vec![0.0; start.hidden];
    let mut loss = |network: &Network| {
        let pairs = exam.iter().map(|lesson| (network.odds(&lesson.row, &mut layer), lesson.class));
        metrics::score(pairs).map_or(f64::INFINITY, |scores| scores.log_loss)
    };
    let (mut best_loss, mut best_epoch, mut best) = (loss(&start), 0, start.clone());
    let mut adam = Adam::new(start, params);
    for epoch in 1..=params.epochs_max {
        lessons.shuffle(chance);
        lessons.chunks(params.batch_rows).for_each(|batch| adam.step(batch));
        let now = loss(&adam.network);
        // A part in a hundred thousand is noise, not learning.
        if now < best_loss - 1e-5 {
            (best_loss, best_epoch) = (now, epoch);
            best.clone_from(&adam.network);
        } else if epoch - best_epoch >= params.patience_epochs {
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
    fn new(network: Network, params: &Params) -> Self {
        let zeros = network.zeros();
        Self {
            gradient: zeros.clone(),
            mean: zeros.clone(),
            square: zeros,
            steps: 0,
            rate: params.learning_rate as f32,
            decay: params.weight_decay as f32,
            layer: vec![0.0; network.hidden],
            network,
        }
    }

    fn step(&mut self, batch: &[Lesson]) {
        self.gradient.layers_mut().into_iter().for_each(|layer| layer.fill(0.0));
        for lesson in batch {
            self.teach(lesson, lesson.weight / batch.len() as f32);
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
    use rand::SeedableRng;

    #[test]
    fn gradients_are_the_slopes_of_the_loss() {
        let mut chance = ChaCha8Rng::seed_from_u64(2);
        let params = Params {
            hidden: 5,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            epochs_max: 1,
            patience_epochs: 1,
            batch_rows: 1,
        };
        let mut network = Network::saying([0.3, 0.3, 0.4], FEATURES, 5, || chance.random_range(-1.0..1.0));
        network.second.iter_mut().for_each(|w| *w = chance.random_range(-1.0..1.0));
        let row: Row = std::array::from_fn(|_| chance.random_range(-1.0..1.0f32));
        let lesson = Lesson { row, class: 2, weight: 1.0 };
        let mut adam = Adam::new(network.clone(), &params);
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
