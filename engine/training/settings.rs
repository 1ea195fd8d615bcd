//! What training is told.

use market::Label;
use market::quote::Timeframe;

/// Everything that decides what is trained. There is no default: whoever calls knows better.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Models are called `PREFIX-TIMEFRAME`, such as `sim-5min`; at most 16 characters.
    pub prefix: Label,
    /// Their version, the folder under the name.
    pub version: Label,
    /// The seed of weights and shuffling.
    pub seed: u64,
    /// How many bars ahead each timeframe's model looks, in the order of `Timeframe::ALL`; at least 1.
    pub horizon_bars: [u32; Timeframe::COUNT],
    /// A move counts as up or down beyond this many average true ranges times the root of the horizon.
    pub threshold_atr: f64,
    /// Neurons of the hidden layer.
    pub hidden: usize,
    /// Most passes over the training rows.
    pub epochs_max: u32,
    /// Passes without improvement on the validation rows after which training stops.
    pub patience_epochs: u32,
    /// Rows a step.
    pub batch_rows: usize,
    /// Adam's step size.
    pub learning_rate: f64,
    /// Decoupled weight decay a step, as a part of the learning rate.
    pub weight_decay: f64,
    /// Share of the time that is kept for the test, 0 to 1; the newest.
    pub test_share: f64,
    /// Share of the time that is kept for validation, 0 to 1; just before the test.
    pub validation_share: f64,
    /// With fewer training rows than this the model says the base rates and nothing else.
    pub rows_min: usize,
    /// Most training rows a timeframe; beyond it as many are drawn by lot.
    pub rows_max: usize,
    /// Where the histories come from, in words, for the manifest: `simulated market, seed 7: not the market`.
    pub source: String,
}

impl Settings {
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
        check(
            self.horizon_bars.iter().all(|h| *h > 0),
            "training.horizon_bars holds a 0; look at least 1 bar ahead",
        );
        check(self.threshold_atr > 0.0, "training.threshold_atr must be above 0; try 0.25");
        check((1..=1024).contains(&self.hidden), "training.hidden must be 1 to 1024; try 32");
        check(self.batch_rows > 0, "training.batch_rows must be at least 1; try 64");
        check(
            self.learning_rate > 0.0 && self.learning_rate < 1.0,
            "training.learning_rate must be between 0 and 1",
        );
        check((0.0..1.0).contains(&self.weight_decay), "training.weight_decay must be 0 to below 1");
        let (test, validation) = (self.test_share, self.validation_share);
        check(
            test > 0.0 && validation > 0.0 && test + validation <= 0.8,
            "training.test_share and training.validation_share must be above 0 and leave a fifth to train on",
        );
        check(!self.source.trim().is_empty(), "training.source is empty; say where the history comes from");
        faults
    }
}
