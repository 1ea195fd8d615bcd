//! What training is told.

use crate::folds::Cuts;
use crate::learner::{Bounds, Learner, Params};
use crate::{boosting, descent};
use forecast::LabelRule;
use market::Label;
use market::quote::Timeframe;

/// Everything that decides what is trained. There is no default: whoever calls knows better.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Models are called `PREFIX-TIMEFRAME`, such as `sim-5min`; at most 16 characters.
    pub prefix: Label,
    /// Their version, the folder under the name.
    pub version: Label,
    /// The seed of weights, shuffling and search.
    pub seed: u64,
    /// The timeframes to train a model for.
    pub timeframes: Vec<Timeframe>,
    /// How many bars ahead each timeframe's model looks, in the order of `Timeframe::ALL`; at least 1.
    pub horizon_bars: [u32; Timeframe::COUNT],
    /// How classes are decided.
    pub label: LabelRule,
    /// Who may learn; of several the one that did best on the folds is taken.
    pub learners: Vec<Learner>,
    /// Where the search of a network starts.
    pub network: descent::Params,
    /// Where the search of trees starts.
    pub trees: boosting::Params,
    /// Parameters tried by each learner: the ones given, and drawn ones.
    pub trials: usize,
    /// Walk-forward folds the search is judged by.
    pub folds: usize,
    /// Share of the time that is kept for the last test, 0 to 1; the newest.
    pub test_share: f64,
    /// Share of each training stretch that decides when to stop, 0 to 1; its newest.
    pub stop_share: f64,
    /// How much a learner is shown.
    pub bounds: Bounds,
    /// True when models without proven skill are reported and not written.
    pub only_skilled: bool,
    /// Timeframes worked at at the same time; the result is the same.
    pub threads: usize,
    /// Where the histories come from, in words, for the manifest: `simulated market, seed 7: not the market`.
    pub source: String,
}

impl Settings {
    /// Where the search of a learner starts.
    pub const fn start(&self, learner: Learner) -> Params {
        match learner {
            Learner::Trees => Params::Trees(self.trees),
            Learner::Network => Params::Network(self.network),
        }
    }

    /// How time is cut for forecasts that look so many bars ahead.
    pub const fn cuts(&self, horizon_bars: u32) -> Cuts {
        let Self { folds, test_share, stop_share, .. } = *self;
        Cuts { folds, test_share, stop_share, embargo_bars: horizon_bars as usize }
    }

    /// What is wrong with the settings, if anything: one sentence with the remedy each.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |is_right: bool, what: &str| {
            if !is_right {
                faults.push(what.to_string());
            }
        };
        check(!self.prefix.is_empty(), "training.prefix is empty; give the models a name such as `sim`");
        check(self.prefix.as_bytes().len() <= 16, "training.prefix is longer than 16 characters; shorten it");
        check(!self.version.is_empty(), "training.version is empty; give one such as `1.0.0`");
        check(!self.timeframes.is_empty(), "training.timeframes is empty; name at least one");
        check(
            self.horizon_bars.iter().all(|h| *h > 0),
            "training.horizon_bars holds a 0; look at least 1 bar ahead",
        );
        check(self.label.fault().is_none(), "training.label needs distances above 0; try 0.27");
        check(!self.learners.is_empty(), "training.learners is empty; name trees, network or both");
        check((1..=64).contains(&self.trials), "training.trials must be 1 to 64");
        check((1..=16).contains(&self.folds), "training.folds must be 1 to 16; try 4");
        let (test, stop) = (self.test_share, self.stop_share);
        check(
            test > 0.0 && stop > 0.0 && test <= 0.6 && stop <= 0.6,
            "training.test_share and training.stop_share must be above 0 and at most 0.6",
        );
        check(!self.source.trim().is_empty(), "training.source is empty; say where the history comes from");
        check_network(&self.network, &mut check);
        check_trees(&self.trees, &mut check);
        faults
    }
}

fn check_network(network: &descent::Params, check: &mut impl FnMut(bool, &str)) {
    check((1..=1024).contains(&network.hidden), "training.network.hidden must be 1 to 1024; try 32");
    check(network.batch_rows > 0, "training.network.batch_rows must be at least 1; try 64");
    check(
        network.learning_rate > 0.0 && network.learning_rate < 1.0,
        "training.network.learning_rate must be between 0 and 1",
    );
    check((0.0..1.0).contains(&network.weight_decay), "training.network.weight_decay must be 0 to below 1");
}

fn check_trees(trees: &boosting::Params, check: &mut impl FnMut(bool, &str)) {
    check((1..=12).contains(&trees.depth), "training.trees.depth must be 1 to 12; try 4");
    check(
        trees.learning_rate > 0.0 && trees.learning_rate <= 1.0,
        "training.trees.learning_rate must be above 0 and at most 1",
    );
    check(
        trees.columns > 0.0 && trees.columns <= 1.0,
        "training.trees.columns must be above 0 and at most 1",
    );
    check(
        trees.leaf_weight_min >= 0.0 && trees.l2 >= 0.0,
        "training.trees.leaf_weight_min and training.trees.l2 must not be below 0",
    );
}
