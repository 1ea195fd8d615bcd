//! The ten models of one symbol: who sits where, what each said last, and how each has done.

use forecast::council::Answers;
use forecast::drift::{FeatureDrift, PageHinkley};
use forecast::notes::{Drift, DriftNote, ModelNote};
use forecast::skill::Skill;
use forecast::{Odds, Papers, Plan, PlanFault, Prediction, Scored};
use indicators::Analysis;
use indicators::features::{Missing, Row};
use market::quote::{Bar, Timeframe};
use market::time::MINUTE;
use market::{Symbol, Timestamp};
use std::sync::Arc;

/// Failures in a row after which a model is not asked any more: it only costs time.
const FAULTS_MAX: u32 = 10;
/// A model that was asked nothing strange for this long begins a new episode with the next strange row.
const EPISODE_NS: i64 = MINUTE;

/// A model in its place.
struct Place {
    plan: Box<dyn Plan>,
    note: ModelNote,
    papers: Option<Arc<Papers>>,
    faults: u32,
    /// When it was asked last, and when its row was last unlike any it was taught.
    asked: Timestamp,
    outside_at: Timestamp,
    /// How often it was.
    outside: u64,
    skill: Box<Skill>,
    losses: PageHinkley,
    features: Option<FeatureDrift>,
}

/// Ten places and the last answers.
pub struct Panel {
    places: [Option<Place>; Timeframe::COUNT],
    odds: [Option<Odds>; Timeframe::COUNT],
    /// When each answered.
    at: [Timestamp; Timeframe::COUNT],
    /// How often each is asked at most, nanoseconds.
    every_ns: [i64; Timeframe::COUNT],
}

impl Default for Panel {
    fn default() -> Self {
        Self::new([0; Timeframe::COUNT])
    }
}

/// A model that failed, told when it first fails and when it is given up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failure {
    /// The model.
    pub note: ModelNote,
    /// What it did.
    pub fault: PlanFault,
    /// True when it is not asked any more.
    pub given_up: bool,
}

/// What is worth telling of asking.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Told {
    /// The last failure worth telling.
    pub failure: Option<Failure>,
    /// A model that fell silent because its row is unlike any it was taught, as such an episode begins.
    pub stranger: Option<ModelNote>,
}

impl Panel {
    /// Empty places, each to be asked at most every so many nanoseconds; 0: on every tick.
    pub fn new(every_ns: [i64; Timeframe::COUNT]) -> Self {
        Self {
            places: Default::default(),
            odds: [None; Timeframe::COUNT],
            at: [Timestamp::MIN; Timeframe::COUNT],
            every_ns,
        }
    }

    /// Puts a model in a place, or empties it. Its earlier answer and everything known of the model before are forgotten.
    pub fn install(&mut self, timeframe: Timeframe, plan: Option<Box<dyn Plan>>, note: ModelNote) {
        let index = timeframe.index();
        self.odds[index] = None;
        self.places[index] = plan.map(|plan| {
            let papers = plan.papers().cloned();
            let reference = papers.as_ref().and_then(|papers| papers.reference.as_ref());
            Place {
                features: reference.map(FeatureDrift::new),
                papers,
                plan,
                note,
                faults: 0,
                asked: Timestamp::MIN,
                outside_at: Timestamp::MIN,
                outside: 0,
                skill: Box::default(),
                losses: PageHinkley::default(),
            }
        });
    }

    /// Takes a model out of its place; its earlier answer is forgotten.
    pub fn take_out(&mut self, timeframe: Timeframe) -> Option<(ModelNote, Box<dyn Plan>)> {
        let index = timeframe.index();
        self.odds[index] = None;
        self.places[index].take().map(|place| (place.note, place.plan))
    }

    /// The model of a timeframe.
    pub fn note(&self, timeframe: Timeframe) -> Option<&ModelNote> {
        self.places[timeframe.index()].as_ref().map(|place| &place.note)
    }

    /// The papers of a timeframe's model.
    pub fn papers(&self, timeframe: Timeframe) -> Option<&Arc<Papers>> {
        self.places[timeframe.index()].as_ref()?.papers.as_ref()
    }

    /// How often the model of a timeframe was silent because its row was unlike any it was taught.
    pub fn outside(&self, timeframe: Timeframe) -> u64 {
        self.places[timeframe.index()].as_ref().map_or(0, |place| place.outside)
    }

    /// What each said last, `None` for the silent.
    pub const fn odds(&self) -> &[Option<Odds>; Timeframe::COUNT] {
        &self.odds
    }

    /// What each said last, and when.
    pub const fn answers(&self) -> Answers<'_> {
        Answers { odds: &self.odds, at: &self.at }
    }

    /// Asks every model about its timeframe's row. A model whose row lacks more than `missing_max` values or is unlike any
    /// it was taught, or that fails, is silent.
    pub fn ask(&mut self, now: Timestamp, analysis: &mut Analysis, missing_max: u32) -> Told {
        let mut told = Told::default();
        for timeframe in Timeframe::ALL {
            let index = timeframe.index();
            let Some(place) = &mut self.places[index] else { continue };
            if place.faults >= FAULTS_MAX {
                continue;
            }
            if self.every_ns[index] > 0 && now.since(place.asked) < self.every_ns[index] {
                continue;
            }
            place.asked = now;
            self.odds[index] = None;
            let row = *analysis.features(timeframe);
            let missing = analysis.missing_values(timeframe);
            if missing.of_market() > missing_max {
                continue;
            }
            if place.is_outside(&row, missing) {
                if place.note_outside(now) {
                    told.stranger = Some(place.note);
                }
                continue;
            }
            let mut answer = [0.0; 3];
            match place.plan.predict(&row, &mut answer) {
                Ok(()) => {
                    place.faults = 0;
                    self.odds[index] = Some(Odds::from_row(answer));
                    self.at[index] = now;
                }
                Err(fault) => told.failure = place.failed(fault).or(told.failure),
            }
        }
        told
    }

    /// What the model of a timeframe predicts as its bar closes: its last answer, since nothing entered the bar after
    /// that. `None` for the silent, and for a model that does not say how it is judged.
    pub fn prediction(
        &self,
        symbol: Symbol,
        timeframe: Timeframe,
        bar: &Bar,
        atr: f64,
        at: Timestamp,
    ) -> Option<Prediction> {
        let (place, odds) = (self.places[timeframe.index()].as_ref()?, self.odds[timeframe.index()]?);
        let papers = place.papers.as_ref()?;
        let (rule, horizon_bars, model) = (papers.label?, papers.horizon_bars, place.note);
        let close = bar.close.dollars();
        Some(Prediction { model, symbol, at, bar: bar.start, close, atr, odds, rule, horizon_bars })
    }

    /// Counts the row of a closed bar among those its model is asked about; what moved since training, at the end of each
    /// window.
    pub fn count_row(&mut self, analysis: &Analysis, timeframe: Timeframe) -> Option<(ModelNote, Drift)> {
        let place = self.places[timeframe.index()].as_mut()?;
        let reference = place.papers.as_ref()?.reference.as_ref()?;
        let (row, missing) = analysis.closed_features(timeframe);
        let drift = place.features.as_mut()?.take(reference, row, missing)?;
        Some((place.note, drift))
    }

    /// Learns how a prediction came out, when it was made by a model that still sits here; answers the drift that it shows.
    pub fn learn(&mut self, scored: &Scored) -> Option<DriftNote> {
        let place = self.places[scored.model.timeframe.index()].as_mut()?;
        if place.note != scored.model {
            return None;
        }
        place.skill.take(scored);
        let (drift, rows) = place.losses.take(scored.brier())?;
        Some(DriftNote { model: scored.model, symbol: scored.symbol, drift, rows, at: scored.due })
    }

    /// What each member's weight is multiplied by, by its skill; 1 where nobody sits.
    pub fn factors(&self) -> [f32; Timeframe::COUNT] {
        let factor = |place: &Option<Place>| place.as_ref().map_or(1.0, |place| place.skill.factor());
        std::array::from_fn(|at| factor(&self.places[at]))
    }
}

impl Place {
    #[inline]
    fn is_outside(&self, row: &Row, missing: Missing) -> bool {
        let hull = self.papers.as_ref().and_then(|papers| papers.hull.as_ref());
        hull.is_some_and(|hull| hull.is_outside(row, missing))
    }

    /// Counts a row unlike any it was taught; true when that begins an episode.
    fn note_outside(&mut self, now: Timestamp) -> bool {
        self.outside += 1;
        let begins = self.outside == 1 || now.since(self.outside_at) > EPISODE_NS;
        self.outside_at = now;
        begins
    }

    fn failed(&mut self, fault: PlanFault) -> Option<Failure> {
        self.faults += 1;
        let given_up = self.faults == FAULTS_MAX;
        (self.faults == 1 || given_up).then_some(Failure { note: self.note, fault, given_up })
    }
}
