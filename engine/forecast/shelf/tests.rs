//! The shelf against simulated models whose quality is known.

use super::evidence::BLOCKS_MIN;
use super::notes::{BundleNote, Role, ShelfCommand, ShelfNote, Step};
use super::settings::Settings;
use super::{Said, Shelf};
use crate::notes::ModelNote;
use crate::{Class, LabelRule, Odds, Scored};
use market::quote::Timeframe;
use market::{Label, Symbol, Timestamp};

const SYMBOLS: [&str; 3] = ["SPY", "QQQ", "GLD"];
const HORIZON: u32 = 5;
const RULE: Option<LabelRule> = Some(LabelRule::Horizon { threshold_atr: 0.3 });

fn settings() -> Settings {
    Settings { scored_min: 1_500, window: 1_500, ..Settings::SHIPPED }
}

fn model(name: &str, version: &str, digest: u64) -> ModelNote {
    let (name, version) = (name.parse().expect("a name"), version.parse().expect("a version"));
    ModelNote { timeframe: Timeframe::Min1, name, version, digest }
}

fn bundle(model: ModelNote) -> BundleNote {
    let at = Timestamp::from_seconds(0);
    BundleNote {
        model,
        horizon_bars: HORIZON,
        rule: RULE,
        executor: Label::literal("dense"),
        answer_ns: 200,
        at,
    }
}

/// A market whose next class is drawn with odds that only a perfect model knows. Classes of neighbouring moments overlap:
/// each is drawn again only every few moments.
struct Market {
    state: u64,
    minute: i64,
    truth: [[f64; 3]; SYMBOLS.len()],
    outcome: [Class; SYMBOLS.len()],
}

/// How a model answers, given what is true.
type Answer = fn(truth: [f64; 3], noise: f64) -> [f64; 3];

/// Knows a good part of the truth.
fn skilled(truth: [f64; 3], noise: f64) -> [f64; 3] {
    truth.map(|p| 0.7 * p + 0.1 + 0.01 * noise)
}
/// Knows the base rates, give or take.
fn plain(_: [f64; 3], noise: f64) -> [f64; 3] {
    [0.33 + 0.03 * noise, 0.34, 0.33 - 0.03 * noise]
}
/// As good as `plain`, by other errors.
fn alike(_: [f64; 3], noise: f64) -> [f64; 3] {
    [0.33 - 0.03 * noise, 0.34 + 0.03 * noise, 0.33]
}
/// Sure of the wrong thing.
fn poor(truth: [f64; 3], _: f64) -> [f64; 3] {
    [0.05 + 0.9 * truth[2], 0.05, 0.9 - 0.9 * truth[2]]
}

impl Market {
    fn new(seed: u64) -> Self {
        Self { state: seed, minute: 0, truth: [[1.0 / 3.0; 3]; 3], outcome: [Class::Flat; 3] }
    }

    fn draw(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A minute passes; answers every model's scored predictions.
    fn minute(&mut self, models: &[(ModelNote, Answer)]) -> Vec<Scored> {
        self.minute += 1;
        let mut told = Vec::new();
        for (s, name) in SYMBOLS.iter().enumerate() {
            if (self.minute + s as i64).rem_euclid(i64::from(HORIZON)) == 0 {
                let lean = self.draw() - 0.5;
                self.truth[s] = [1.0 / 3.0 + 0.4 * lean, 1.0 / 3.0, 1.0 / 3.0 - 0.4 * lean];
                let drawn = self.draw();
                self.outcome[s] = match drawn {
                    d if d < self.truth[s][0] => Class::Down,
                    d if d < self.truth[s][0] + self.truth[s][1] => Class::Flat,
                    _ => Class::Up,
                };
            }
            for (model, answer) in models {
                let noise = 2.0 * self.draw() - 1.0;
                let odds = answer(self.truth[s], noise).map(|p| p as f32);
                let at = Timestamp::from_seconds(60 * self.minute + s as i64);
                told.push(Scored {
                    model: *model,
                    symbol: name.parse::<Symbol>().expect("a symbol"),
                    at,
                    due: at,
                    odds: Odds::from_row(odds),
                    outcome: self.outcome[s],
                });
            }
        }
        told
    }
}

/// A shelf and all it said, as a seat would hear it.
struct Desk {
    shelf: Shelf,
    heard: Vec<Heard>,
    notes: Vec<ShelfNote>,
    seats: Vec<(ModelNote, Role)>,
    now: Timestamp,
}

#[derive(Clone)]
enum Heard {
    Run,
    Bundle(BundleNote),
    Open,
    Gone(ModelNote),
    Scored(Scored),
    Command(ShelfCommand),
}

impl Desk {
    fn new() -> Self {
        let shelf = Shelf::new(settings());
        let now = Timestamp::from_seconds(0);
        Self { shelf, heard: Vec::new(), notes: Vec::new(), seats: Vec::new(), now }
    }

    fn with(models: &[ModelNote]) -> Self {
        let mut desk = Self::new();
        models.iter().for_each(|m| desk.hear(Heard::Bundle(bundle(*m))));
        desk.hear(Heard::Open);
        desk
    }

    fn hear(&mut self, heard: Heard) {
        let mut out = Vec::new();
        let now = self.now;
        match &heard {
            Heard::Run => self.shelf.begin_run(),
            Heard::Bundle(bundle) => self.shelf.on_bundle(now, bundle, &mut out),
            Heard::Open => self.shelf.open(now, &mut out),
            Heard::Gone(model) => self.shelf.on_gone(now, model, &mut out),
            Heard::Scored(scored) => {
                self.now = scored.due;
                self.shelf.on_scored(scored.due, scored, &mut out);
            }
            Heard::Command(command) => self.shelf.on_command(now, command, &mut out),
        }
        self.heard.push(heard);
        for said in out {
            match said {
                Said::Seat(model, role) => self.seats.push((model, role)),
                Said::Note(note) => self.notes.push(note),
            }
        }
    }

    fn steps(&self) -> Vec<(&str, &str, Step)> {
        self.notes.iter().map(|n| (n.model.name.as_str(), n.model.version.as_str(), n.step)).collect()
    }

    fn role(&self, digest: u64) -> Role {
        let rows = self.shelf.rows();
        rows.iter().find(|row| row.bundle.model.digest == digest).expect("on the shelf").role
    }

    /// So many minutes pass.
    fn run(&mut self, market: &mut Market, models: &[(ModelNote, Answer)], minutes: usize) {
        for _ in 0..minutes {
            for scored in market.minute(models) {
                self.hear(Heard::Scored(scored));
            }
        }
    }
}

#[test]
fn on_an_empty_shelf_the_newest_speaks_at_once() {
    let desk = Desk::with(&[model("a", "1.9", 1), model("a", "1.10", 2), model("a", "1.2", 3)]);
    assert_eq!(desk.steps(), [("a", "1.10", Step::Seated)]);
    assert_eq!(desk.seats, [(model("a", "1.10", 2), Role::Incumbent)]);
    assert_eq!((desk.role(1), desk.role(3)), (Role::Idle, Role::Idle));
}

#[test]
fn a_better_model_is_promoted_and_its_figures_say_why() {
    for seed in 0..6 {
        let (old, new) = (model("a", "1", 1), model("a", "2", 2));
        let mut desk = Desk::with(&[old]);
        desk.hear(Heard::Bundle(bundle(new)));
        assert_eq!(desk.role(2), Role::Shadow);
        desk.run(&mut Market::new(seed), &[(old, plain), (new, skilled)], 2_100);
        let promoted = desk.notes.iter().find(|n| n.step == Step::Promoted).expect("promoted");
        assert_eq!((promoted.model.digest, promoted.figures.against), (2, 1));
        let figures = promoted.figures;
        assert!(figures.loss < figures.other - 0.002 && figures.p < 0.0025, "{figures:?}");
        assert!(figures.scored >= 1_500 && figures.blocks >= BLOCKS_MIN, "{figures:?}");
        assert_eq!((desk.role(2), desk.role(1)), (Role::Incumbent, Role::Predecessor), "seed {seed}");
        assert_eq!(desk.seats.last(), Some(&(old, Role::Predecessor)));
    }
}

#[test]
fn a_worse_model_is_given_up_and_the_incumbent_goes_on() {
    let (old, new) = (model("a", "1", 1), model("b", "1", 2));
    let mut desk = Desk::with(&[old]);
    desk.hear(Heard::Bundle(bundle(new)));
    desk.run(&mut Market::new(3), &[(old, plain), (new, poor)], 700);
    assert_eq!(desk.steps().last(), Some(&("b", "1", Step::Worse)));
    assert_eq!((desk.role(1), desk.role(2)), (Role::Incumbent, Role::Idle));
    assert_eq!(desk.seats.last(), Some(&(new, Role::Idle)), "it is not asked any more");
}

/// Over 40 seeds, shadows that are as good as the incumbent: by chance one in a hundred may pass. And no incumbent falls:
/// each is watched over four windows beside its predecessor's like.
#[test]
fn noise_is_not_promoted() {
    let (mut promoted, mut fallen) = (0, 0);
    for seed in 0..40 {
        let (old, new) = (model("a", "1", 1), model("a", "2", 2));
        let mut desk = Desk::with(&[old]);
        desk.hear(Heard::Bundle(bundle(new)));
        desk.run(&mut Market::new(1_000 + seed), &[(old, plain), (new, alike)], 2_100);
        let count = |step| desk.notes.iter().filter(|n| n.step == step).count();
        promoted += count(Step::Promoted);
        fallen += count(Step::Fell) + count(Step::RolledBack);
        let ends = count(Step::NotBetter) + count(Step::Worse) + count(Step::Promoted);
        assert_eq!(ends, 1, "seed {seed}: {:?}", desk.notes);
    }
    assert_eq!((promoted, fallen), (0, 0));
}

#[test]
fn a_model_that_turns_bad_makes_way_for_its_predecessor() {
    let (old, new) = (model("a", "1", 1), model("a", "2", 2));
    let mut desk = Desk::with(&[old]);
    desk.hear(Heard::Bundle(bundle(new)));
    let mut market = Market::new(9);
    desk.run(&mut market, &[(old, plain), (new, skilled)], 2_100);
    assert_eq!(desk.role(2), Role::Incumbent);
    let before = desk.notes.len();
    desk.run(&mut market, &[(old, plain), (new, poor)], 1_100);
    let steps: Vec<_> = desk.notes[before..].iter().map(|n| (n.model.digest, n.step)).collect();
    assert_eq!(steps, [(1, Step::Restored), (2, Step::RolledBack)]);
    let figures = desk.notes.last().expect("a note").figures;
    assert!(figures.loss > figures.other + 0.01 && figures.p < 0.005, "{figures:?}");
    assert_eq!((desk.role(1), desk.role(2)), (Role::Incumbent, Role::Idle));
}

/// Without a predecessor a fall is told, once, and nobody is moved.
#[test]
fn a_fall_without_anybody_to_follow_is_told() {
    let old = model("a", "1", 1);
    let mut desk = Desk::with(&[old]);
    let mut market = Market::new(4);
    desk.run(&mut market, &[(old, plain)], 1_000);
    desk.run(&mut market, &[(old, poor)], 2_500);
    assert_eq!(desk.steps(), [("a", "1", Step::Seated), ("a", "1", Step::Fell)]);
    assert_eq!(desk.role(1), Role::Incumbent);
}

/// Judged otherwise it is scored, never compared, and makes way after as many predictions as a trial takes.
#[test]
fn another_label_is_no_rival() {
    let (old, new, next) = (model("a", "1", 1), model("a", "2", 2), model("a", "3", 3));
    let mut desk = Desk::with(&[old]);
    for rule in [RULE, Some(LabelRule::Horizon { threshold_atr: 0.5 })] {
        desk.hear(Heard::Bundle(BundleNote { horizon_bars: 7, rule, ..bundle(new) }));
    }
    desk.hear(Heard::Bundle(BundleNote { horizon_bars: 7, ..bundle(model("b", "1", 4)) }));
    desk.hear(Heard::Bundle(bundle(next)));
    assert_eq!(desk.role(3), Role::Waiting);
    let mut market = Market::new(5);
    desk.run(&mut market, &[(old, plain), (new, skilled)], 1_990);
    assert_eq!((desk.role(2), desk.role(3)), (Role::Shadow, Role::Waiting));
    let rows = desk.shelf.rows();
    let row = rows.iter().find(|row| row.bundle.model.digest == 2).expect("a row");
    assert!(row.scored == 5_970 && row.compared == 0 && row.brier > 0.5, "{row:?}");
    desk.notes.clear();
    desk.run(&mut market, &[(old, plain), (new, skilled)], 20);
    assert_eq!(
        desk.steps()[..2],
        [("a", "2", Step::NotComparable), ("a", "3", Step::Shadowed)],
        "its place is another's"
    );
    assert_eq!(desk.notes[0].figures.scored, 5_999, "the incumbent's six thousandth comes first");
    assert!(
        desk.notes[0].to_string().contains("another label rule or horizon, or none"),
        "{}",
        desk.notes[0]
    );
    assert_eq!(desk.role(4), Role::Idle, "one that never answered alike");
}

#[test]
fn who_says_no_rule_is_never_tried() {
    let (old, new) = (model("a", "1", 1), model("a", "2", 2));
    let mut desk = Desk::with(&[old]);
    desk.hear(Heard::Bundle(BundleNote { rule: None, ..bundle(new) }));
    assert_eq!(desk.steps().last(), Some(&("a", "2", Step::NotComparable)));
    assert_eq!(desk.role(2), Role::Idle);
}

/// A model that fails, or knows no row it is asked about.
#[test]
fn a_shadow_that_hardly_answers_makes_way() {
    let (old, new, next) = (model("a", "1", 1), model("a", "2", 2), model("a", "3", 3));
    let mut desk = Desk::with(&[old]);
    [new, next].iter().for_each(|model| desk.hear(Heard::Bundle(bundle(*model))));
    let mut market = Market::new(5);
    desk.run(&mut market, &[(old, plain), (next, alike)], 3_990);
    assert_eq!(desk.role(2), Role::Shadow);
    desk.run(&mut market, &[(old, plain)], 20);
    assert_eq!(desk.steps().last(), Some(&("a", "2", Step::Silent)));
    assert_eq!(desk.role(2), Role::Idle);
}

#[test]
fn the_operator_promotes_pins_and_rolls_back() {
    let (old, new) = (model("a", "1", 1), model("a", "2", 2));
    let mut desk = Desk::with(&[old, new]);
    let promote = |version: &str| ShelfCommand::Promote {
        name: Label::literal("a"),
        version: version.parse().expect("a version"),
    };
    desk.hear(Heard::Command(promote("1")));
    assert_eq!((desk.role(1), desk.role(2)), (Role::Incumbent, Role::Predecessor));
    desk.hear(Heard::Command(promote("1")));
    desk.hear(Heard::Command(promote("7")));
    desk.hear(Heard::Command(ShelfCommand::Pin(Timeframe::Min1)));
    desk.run(&mut Market::new(6), &[(old, poor), (new, skilled)], 2_100);
    assert_eq!(desk.role(1), Role::Incumbent, "pinned");
    desk.hear(Heard::Command(ShelfCommand::Unpin(Timeframe::Min1)));
    desk.hear(Heard::Command(ShelfCommand::Rollback(Timeframe::Min1)));
    assert_eq!((desk.role(1), desk.role(2)), (Role::Idle, Role::Incumbent));
    desk.hear(Heard::Command(ShelfCommand::Rollback(Timeframe::Min1)));
    let steps: Vec<Step> = desk.notes.iter().map(|n| n.step).collect();
    assert_eq!(
        steps,
        [
            Step::Seated,
            Step::PromotedByHand,
            Step::Already,
            Step::Unknown,
            Step::Pinned,
            Step::Unpinned,
            Step::Restored,
            Step::RolledBackByHand,
            Step::NoPredecessor,
        ]
    );
}

#[test]
fn shadows_wait_for_a_place() {
    let names = ["b", "c", "d"];
    let mut desk = Desk::with(&[model("a", "1", 1)]);
    let shadows: Vec<ModelNote> = names.iter().zip(2..).map(|(n, d)| model(n, "1", d)).collect();
    shadows.iter().for_each(|m| desk.hear(Heard::Bundle(bundle(*m))));
    assert_eq!([2, 3, 4].map(|d| desk.role(d)), [Role::Shadow, Role::Shadow, Role::Waiting]);
    desk.hear(Heard::Gone(shadows[0]));
    assert_eq!([2, 3, 4].map(|d| desk.role(d)), [Role::Waiting, Role::Shadow, Role::Shadow], "in its turn");
}

#[test]
fn an_incumbent_that_is_taken_away_is_followed() {
    let (old, new) = (model("a", "1", 1), model("a", "2", 2));
    let mut desk = Desk::with(&[old, new]);
    desk.hear(Heard::Gone(new));
    assert_eq!(desk.role(1), Role::Incumbent, "whoever is there");
    desk.hear(Heard::Gone(old));
    assert_eq!(desk.seats.last(), Some(&(old, Role::Idle)), "nobody speaks");
}

/// What a shelf decided and where it stands follows from what it heard: a fresh one that hears the same says the same,
/// and a run that begins anew seats the same models without telling it as news.
#[test]
fn a_record_brings_the_shelf_back() {
    let (old, new, next) = (model("a", "1", 1), model("a", "2", 2), model("a", "3", 3));
    let mut desk = Desk::with(&[old]);
    desk.hear(Heard::Bundle(bundle(new)));
    let mut market = Market::new(11);
    desk.run(&mut market, &[(old, plain), (new, skilled)], 1_500);
    desk.hear(Heard::Bundle(bundle(next)));
    desk.run(&mut market, &[(old, plain), (new, skilled), (next, alike)], 300);

    let mut again = Desk::new();
    desk.heard.clone().into_iter().for_each(|heard| again.hear(heard));
    assert_eq!((&again.notes, &again.seats), (&desk.notes, &desk.seats));
    assert_eq!(again.shelf.rows(), desk.shelf.rows());

    let (notes, rows) = (again.notes.len(), again.shelf.rows());
    again.seats.clear();
    again.hear(Heard::Run);
    for m in [old, new, next] {
        again.hear(Heard::Bundle(bundle(m)));
    }
    again.hear(Heard::Open);
    assert_eq!(again.notes.len(), notes, "nothing new");
    assert_eq!(again.shelf.rows(), rows);
    assert_eq!(again.seats, [(new, Role::Incumbent), (old, Role::Predecessor), (next, Role::Shadow)]);

    // A start that finds the incumbent's bundle gone.
    again.hear(Heard::Run);
    again.hear(Heard::Bundle(bundle(old)));
    again.hear(Heard::Open);
    assert_eq!((again.role(1), again.role(2)), (Role::Incumbent, Role::Away));
}

/// Two models with a history, the second promoted over the first.
fn settled() -> (Desk, Market, [ModelNote; 2]) {
    let (old, new) = (model("a", "1", 1), model("a", "2", 2));
    let mut desk = Desk::with(&[old]);
    desk.hear(Heard::Bundle(bundle(new)));
    let mut market = Market::new(11);
    desk.run(&mut market, &[(old, plain), (new, skilled)], 2_100);
    assert_eq!((desk.role(2), desk.role(1)), (Role::Incumbent, Role::Predecessor));
    (desk, market, [old, new])
}

fn pinned(desk: &Desk) -> Vec<u64> {
    desk.shelf.rows().iter().filter(|row| row.is_pinned).map(|row| row.bundle.model.digest).collect()
}

/// A start at which the incumbent was refused by a circumstance, however often: it speaks as soon as it is brought.
#[test]
fn an_incumbent_that_was_away_has_its_place_and_its_pin_back() {
    let (mut desk, _, [old, new]) = settled();
    let before = desk.shelf.rows();
    desk.hear(Heard::Command(ShelfCommand::Pin(Timeframe::Min1)));
    for _ in 0..2 {
        desk.hear(Heard::Run);
        desk.hear(Heard::Bundle(bundle(old)));
        desk.hear(Heard::Open);
        assert_eq!((desk.role(1), desk.role(2)), (Role::Incumbent, Role::Away));
        assert_eq!(pinned(&desk), [2], "whom the operator meant");
        assert_eq!(desk.seats.last(), Some(&(old, Role::Incumbent)));
    }
    desk.notes.clear();
    desk.hear(Heard::Bundle(bundle(new)));
    assert_eq!(desk.steps(), [("a", "2", Step::Returned)]);
    assert_eq!(desk.seats[desk.seats.len() - 2..], [(new, Role::Incumbent), (old, Role::Predecessor)]);
    assert_eq!(pinned(&desk), [2]);
    desk.hear(Heard::Command(ShelfCommand::Unpin(Timeframe::Min1)));
    assert_eq!(desk.shelf.rows(), before, "as if nothing had been");
}

/// What was known of it before still tells whether it falls.
#[test]
fn one_that_was_away_is_held_against_its_own_record() {
    let (mut desk, mut market, [old, new]) = settled();
    desk.hear(Heard::Gone(new));
    desk.run(&mut market, &[(old, plain)], 20);
    desk.hear(Heard::Bundle(bundle(new)));
    desk.notes.clear();
    desk.run(&mut market, &[(old, plain), (new, poor)], 1_100);
    let steps: Vec<_> = desk.notes.iter().map(|n| (n.model.digest, n.step)).collect();
    assert_eq!(steps, [(1, Step::Restored), (2, Step::RolledBack)]);
}

#[test]
fn who_was_promoted_or_pinned_meanwhile_stays() {
    for pin in [false, true] {
        let (mut desk, _, [old, new]) = settled();
        let next = model("b", "1", 3);
        desk.hear(Heard::Gone(new));
        desk.hear(Heard::Bundle(bundle(next)));
        desk.hear(Heard::Command(if pin {
            ShelfCommand::Pin(Timeframe::Min1)
        } else {
            ShelfCommand::Promote { name: next.name, version: next.version }
        }));
        let speaks = if pin { old } else { next };
        desk.hear(Heard::Bundle(bundle(new)));
        assert_eq!((desk.role(speaks.digest), desk.role(2)), (Role::Incumbent, Role::Shadow), "{pin}");
    }
}

/// A newcomer that stands in is a candidate like any other when the incumbent is back, and one of its own name that is
/// older is not.
#[test]
fn who_stood_in_steps_back() {
    for (version, then) in [("0.9", Role::Idle), ("3", Role::Shadow)] {
        let (own, other) = (model("a", "2", 2), model("a", version, 3));
        let mut desk = Desk::with(&[own]);
        desk.hear(Heard::Run);
        desk.hear(Heard::Bundle(bundle(other)));
        desk.hear(Heard::Open);
        assert_eq!((desk.role(2), desk.role(3)), (Role::Away, Role::Incumbent));
        desk.hear(Heard::Bundle(bundle(own)));
        assert_eq!((desk.role(2), desk.role(3)), (Role::Incumbent, then));
    }
}

#[test]
fn a_predecessor_and_a_shadow_that_were_away_are_what_they_were() {
    let (mut desk, mut market, [old, new]) = settled();
    let next = model("a", "3", 3);
    desk.hear(Heard::Bundle(bundle(next)));
    desk.run(&mut market, &[(old, plain), (new, skilled), (next, alike)], 60);
    let before = desk.shelf.rows();
    desk.hear(Heard::Run);
    desk.hear(Heard::Bundle(bundle(new)));
    desk.hear(Heard::Open);
    desk.hear(Heard::Command(ShelfCommand::Rollback(Timeframe::Min1)));
    assert_eq!(desk.notes.last().map(|note| note.step), Some(Step::NoPredecessor), "it is not there");
    [old, next].iter().for_each(|model| desk.hear(Heard::Bundle(bundle(*model))));
    assert_eq!(desk.shelf.rows(), before);
    assert!(before.iter().any(|row| row.compared > 100));
}

#[test]
fn nobody_is_pinned_where_nobody_speaks() {
    let mut desk = Desk::with(&[]);
    desk.hear(Heard::Command(ShelfCommand::Pin(Timeframe::Min5)));
    assert_eq!(desk.notes.last().map(|note| note.step), Some(Step::Nobody));
}

/// Both were away for a while, one after the other: each is again what it was.
#[test]
fn a_predecessor_that_stood_in_and_left_is_one_again() {
    let (mut desk, _, [old, new]) = settled();
    for heard in [Heard::Gone(new), Heard::Gone(old), Heard::Bundle(bundle(new)), Heard::Bundle(bundle(old))]
    {
        desk.hear(heard);
    }
    assert_eq!((desk.role(2), desk.role(1)), (Role::Incumbent, Role::Predecessor));
}

/// A run that died between the two words: the next one tries the newcomer all the same.
#[test]
fn a_newcomer_of_a_run_that_never_opened_is_tried_in_the_next() {
    let (old, new) = (model("a", "1", 1), model("a", "2", 2));
    let mut desk = Desk::with(&[old]);
    desk.hear(Heard::Run);
    [old, new].iter().for_each(|model| desk.hear(Heard::Bundle(bundle(*model))));
    desk.hear(Heard::Run);
    [old, new].iter().for_each(|model| desk.hear(Heard::Bundle(bundle(*model))));
    desk.hear(Heard::Open);
    assert_eq!((desk.role(1), desk.role(2)), (Role::Incumbent, Role::Shadow));
}
