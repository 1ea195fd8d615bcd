//! Bounded search of a learner's parameters over walk-forward folds by successive halving (Jamieson and Talwalkar
//! 2016): all candidates are taught and tested on the first fold, the better half on the next, which has more to teach
//! with, and so on. What is left at the end has spoken on every fold about moments it never saw.

use crate::folds::Fold;
use crate::labels::Example;
use crate::learner::{Learner, Params, fit};
use crate::metrics;
use crate::network::CLASSES;
use crate::settings::Settings;
use crate::skill::Judged;
use crate::{boosting, descent};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A candidate and how it did.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// Its parameters.
    pub params: Params,
    /// Log loss on each fold it was tested on; fewer than there are folds when it was dropped.
    pub losses: Vec<f64>,
}

impl Tried {
    fn mean(&self) -> f64 {
        self.losses.iter().sum::<f64>() / self.losses.len().max(1) as f64
    }
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The best parameters.
    pub params: Params,
    /// Their mean log loss over the folds.
    pub loss: f64,
    /// What they said out of fold, in order of time, a fold each.
    pub said: Vec<Vec<Judged>>,
    /// All candidates, the best first.
    pub tried: Vec<Tried>,
}

/// Searches a learner's parameters; the same folds, settings and seed find the same.
pub fn search(folds: &[Fold<'_>], learner: Learner, settings: &Settings) -> Found {
    let mut chance = ChaCha8Rng::seed_from_u64(settings.seed ^ 0x5ea6_c4ed);
    let start = settings.start(learner);
    let drawn = (1..settings.trials).map(|_| draw(&start, &mut chance)).collect::<Vec<_>>();
    let mut running: Vec<(Tried, Vec<Vec<Judged>>)> =
        [start].into_iter().chain(drawn).map(|params| (Tried { params, losses: vec![] }, vec![])).collect();
    let mut dropped = Vec::new();
    for (place, fold) in folds.iter().enumerate() {
        for (tried, said) in &mut running {
            let judged = judge(fold, &tried.params, settings, place);
            let pairs = judged.iter().map(|j| (j.odds, j.class));
            // A fold nobody can be tested on says nothing about anybody.
            tried.losses.extend(metrics::score(pairs).map(|scores| scores.log_loss));
            said.push(judged);
        }
        running.sort_by(|a, b| a.0.mean().total_cmp(&b.0.mean()));
        let kept = running.len().div_ceil(2);
        dropped.splice(0..0, running.drain(kept..).map(|(tried, _)| tried));
    }
    let (best, said) = running.remove(0);
    let (params, loss) = (best.params, best.mean());
    let tried =
        [best].into_iter().chain(running.into_iter().map(|(tried, _)| tried)).chain(dropped).collect();
    Found { params, loss, said, tried }
}

/// Teaches on a fold's past and asks about its test.
fn judge(fold: &Fold<'_>, params: &Params, settings: &Settings, place: usize) -> Vec<Judged> {
    let seed = settings.seed.wrapping_add(place as u64);
    let fitted = fit(&fold.train, &fold.stop, params, settings.bounds, seed);
    judged(&fold.test, fitted.base_rates, |example| fitted.odds(&example.row))
}

/// What is said of examples, beside the base rates.
pub fn judged(
    of: &[&Example],
    base_rates: [f64; CLASSES],
    say: impl Fn(&Example) -> [f32; CLASSES],
) -> Vec<Judged> {
    let base = base_rates.map(|rate| rate as f32);
    of.iter().map(|e| Judged { at: e.at, until: e.until, odds: say(e), base, class: e.class }).collect()
}

/// Parameters around those given; what bounds the time stays.
fn draw(around: &Params, chance: &mut ChaCha8Rng) -> Params {
    // Evenly in the logarithm: these matter by their factor.
    let mut times = |from: f64, to: f64| {
        let x: f64 = chance.random_range(from.ln()..to.ln());
        let rounded = x.exp();
        let digits = 10f64.powf(2.0 - rounded.log10().ceil());
        (rounded * digits).round() / digits
    };
    match around {
        Params::Trees(p) => Params::Trees(boosting::Params {
            learning_rate: times(0.03, 0.3),
            leaf_weight_min: times(3.0, 150.0),
            l2: times(0.3, 20.0),
            depth: times(2.0, 7.0).round() as usize,
            columns: times(0.3, 1.0),
            ..*p
        }),
        Params::Network(p) => Params::Network(descent::Params {
            learning_rate: times(2e-4, 8e-3),
            weight_decay: times(1e-4, 2e-1),
            hidden: times(4.0, 64.0).round() as usize,
            ..*p
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folds::{Cuts, cut};
    use crate::learner::tests::example;
    use crate::train::tests::settings;

    #[test]
    fn the_best_is_kept_and_the_rest_is_dropped_early() {
        let mut chance = ChaCha8Rng::seed_from_u64(6);
        let rule = |row: &indicators::features::Row| if row[3] * row[4] < 0.0 { 0 } else { 2 };
        let examples: Vec<Example> = (0..4_000).map(|i| example(i, &mut chance, rule)).collect();
        let cuts = Cuts { folds: 3, test_share: 0.2, stop_share: 0.2, embargo_bars: 1 };
        let folds = cut(&examples, &cuts);
        let settings = Settings { trials: 5, ..settings() };
        let found = search(&folds.walk, Learner::Trees, &settings);
        let spoke: Vec<usize> = found.tried.iter().map(|t| t.losses.len()).collect();
        assert_eq!(spoke, [3, 3, 2, 1, 1]);
        assert_eq!(found.params, found.tried[0].params);
        assert!(found.loss <= found.tried[1].mean() && found.loss < 0.6, "{}", found.loss);
        let asked: Vec<usize> = found.said.iter().map(Vec::len).collect();
        assert_eq!(asked, folds.walk.iter().map(|f| f.test.len()).collect::<Vec<_>>());
        assert_eq!(search(&folds.walk, Learner::Trees, &settings), found, "the same again");
    }

    #[test]
    fn a_shifted_future_changes_no_past_prediction() {
        let mut chance = ChaCha8Rng::seed_from_u64(8);
        let rule = |row: &indicators::features::Row| if row[3] < 0.0 { 0 } else { 2 };
        let examples: Vec<Example> = (0..3_000).map(|i| example(i, &mut chance, rule)).collect();
        let cuts = Cuts { folds: 3, test_share: 0.2, stop_share: 0.2, embargo_bars: 1 };
        let folds = cut(&examples, &cuts);
        // From the last fold's test on, everything is different.
        let from = folds.walk[2].test[0].at;
        let shift = |e: &Example| match e.until < from {
            true => *e,
            false => Example { row: e.row.map(|x| 5.0 - x), class: 2 - e.class, weight: 3.0, ..*e },
        };
        let other: Vec<Example> = examples.iter().map(shift).collect();
        let others = cut(&other, &cuts);
        for learner in [Learner::Trees, Learner::Network] {
            let settings = Settings { trials: 1, ..settings() };
            let (now, then) =
                (search(&folds.walk, learner, &settings), search(&others.walk, learner, &settings));
            assert_eq!(now.said[..2], then.said[..2], "{learner}");
            assert_ne!(now.said[2], then.said[2], "{learner}");
        }
    }
}
