//! The trainer on data whose truth is known: what is planted is found, nearly as well as it can be, and where nothing
//! is planted nothing is claimed.

use crate::labels::Example;
use crate::learner::tests::{NETWORK, TREES};
use crate::learner::{Bounds, Learner};
use crate::metrics::{brier, softmax};
use crate::network::CLASSES;
use crate::report::TimeframeReport;
use crate::search::judged;
use crate::settings::Settings;
use crate::skill::skill;
use crate::train::{Trained, learn, tests::settings};
use crate::{boosting, descent};
use forecast::shelf;
use forecast::shelf::duel::{Duel, Verdict};
use indicators::features::{Missing, Row};
use market::quote::Timeframe;
use market::{Date, Timestamp};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The true odds of a row.
type Truth = fn(&Row) -> [f64; CLASSES];

/// Two lines and a product of columns: what networks are made for.
fn smooth(row: &Row) -> [f64; CLASSES] {
    let x = |at: usize| f64::from(row[at]);
    let up = 0.9 * x(3) + 0.6 * x(20) + 0.7 * x(8) * x(14);
    softmax([-up, 0.4, up])
}

/// Steps, one of them the other way round where another column is high: what trees are made for.
fn stepped(row: &Row) -> [f64; CLASSES] {
    let above = |at: usize, than: f32| f64::from(u8::from(row[at] > than));
    let up = 1.1 * (above(3, 0.2) - 0.4) * (1.0 - 2.0 * above(14, 0.5)) + 0.8 * (above(20, -0.5) - 0.75);
    softmax([-up, 0.4, up])
}

/// A line, a product and a step.
fn mixed(row: &Row) -> [f64; CLASSES] {
    let x = |at: usize| f64::from(row[at]);
    let up = 0.8 * x(3) + 0.6 * x(8) * x(20) + 0.9 * (f64::from(u8::from(row[14] > 0.2)) - 0.4);
    softmax([-up, 0.4, up])
}

/// Moments whose class is drawn by the true odds of their rows. Rows are drawn evenly between -1 and 1.
fn examples(count: usize, truth: Truth, seed: u64) -> Vec<Example> {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|i| {
            let row: Row = std::array::from_fn(|_| chance.random_range(-1.0..1.0f32));
            let odds = truth(&row);
            let luck: f64 = chance.random_range(0.0..1.0);
            let class = if luck < odds[0] { 0 } else { 1 + usize::from(luck >= odds[0] + odds[1]) };
            let at = Timestamp::from_seconds(60 * i as i64);
            let until = Timestamp::from_seconds(60 * (i as i64 + 1));
            let date = Date::from_days((i / 390) as i32);
            Example { at, date, until, row, missing: Missing::NONE, class, weight: 1.0 }
        })
        .collect()
}

fn told(learners: &[Learner]) -> Settings {
    let trees =
        boosting::Params { rounds_max: 400, learning_rate: 0.08, depth: 3, leaf_weight_min: 40.0, ..TREES };
    let network = descent::Params { epochs_max: 40, ..NETWORK };
    let horizon_bars = [1; Timeframe::COUNT];
    let bounds = Bounds { rows_min: 300, rows_max: 50_000 };
    Settings { learners: learners.to_vec(), horizon_bars, trees, network, bounds, ..settings() }
}

/// The skill of the truth itself on the last test of a report.
fn best_possible(examples: &[Example], report: &TimeframeReport, truth: Truth) -> f64 {
    let test = &examples[examples.len() - report.rows[2]..];
    let test: Vec<&Example> = test.iter().collect();
    let said = judged(&test, report.base_rates, |e| truth(&e.row).map(|p| p as f32));
    skill(&said, 1).expect("some").value
}

/// True when the shelf's rule, as shipped, prefers the model to one that says the base rates, on moments neither saw.
fn is_promoted(trained: &Trained, fresh: &[Example], base_rates: [f64; CLASSES]) -> bool {
    let incumbent = base_rates.map(|p| p as f32);
    let mut duel = Duel::new(1);
    let mut looks = fresh.iter().enumerate().filter_map(|(moment, e)| {
        duel.push(moment as i64, brier(&trained.odds(&e.row), e.class), brier(&incumbent, e.class));
        duel.look(&shelf::settings::Settings::SHIPPED, 0)
    });
    matches!(looks.next(), Some(Verdict::Better(_)))
}

/// Whatever is planted, the trainer is told the same: both learners race, and the one that did better on the folds is
/// taken. It comes within a tenth of what can be reached.
fn finds(truth: Truth) {
    let examples = examples(60_000, truth, 11);
    let settings = Settings { trials: 4, ..told(&[Learner::Trees, Learner::Network]) };
    let (report, trained) = learn(Timeframe::Min1, &examples, &settings);
    let best = best_possible(&examples, &report, truth);
    let found = report.test.as_ref().expect("tested").skill;
    println!("{}: {found} of {best:.4}, calibration {}", report.params, report.calibration);
    assert!((0.05..0.3).contains(&best), "planted {best}");
    assert!(report.has_skill(), "{found} of {best:.4}");
    assert!(found.value > 0.9 * best, "{found} of {best:.4}");
    assert!(is_promoted(&trained, &self::examples(10_000, truth, 12), report.base_rates));
}

#[test]
fn a_smooth_signal_is_found_within_a_tenth_of_the_best_possible() {
    finds(smooth);
}

#[test]
fn a_stepped_signal_is_found_within_a_tenth_of_the_best_possible() {
    finds(stepped);
}

/// Neither learner was made for it.
#[test]
fn a_mixed_signal_is_found_within_a_tenth_of_the_best_possible() {
    finds(mixed);
}

#[test]
fn on_pure_noise_no_skill_is_claimed_and_the_shelf_promotes_nothing() {
    let nothing: Truth = |_| [0.3, 0.4, 0.3];
    let mut claimed = Vec::new();
    for seed in 0..20 {
        let examples = examples(3_000, nothing, 1_000 + seed);
        let settings = Settings { seed, trials: 3, ..told(&[Learner::Trees, Learner::Network]) };
        let (report, trained) = learn(Timeframe::Min1, &examples, &settings);
        if report.is_proven() {
            claimed.push((seed, report.out_of_fold));
        }
        let fresh = self::examples(10_000, nothing, 2_000 + seed);
        assert!(!is_promoted(&trained, &fresh, [0.3, 0.4, 0.3]), "seed {seed}");
    }
    assert!(claimed.is_empty(), "{claimed:?}");
}
