//! What the models and ensembles of one symbol say, and what becomes of it: asked on every tick, put on record as bars
//! close, and followed until the market has answered.

use crate::panel::{Panel, Told};
use crate::said::Said;
use crate::shadows::Shadows;
use forecast::ensemble::Rule;
use forecast::notes::{CombinedNote, DriftNote, ENSEMBLE, ForecastNote, ModelNote};
use forecast::papers::Reads;
use forecast::{Council, Ensemble, Forecast, Outcomes, Papers, Plan, Prediction, Scored};
use indicators::{Analysis, Closed};
use market::quote::{Bar, Timeframe};
use market::{Label, Symbol, Timestamp};

/// Predictions of one symbol that may wait for their outcome: ten models, their shadows and a few ensembles, each some
/// dozens of bars ahead.
const WAITING_MAX: usize = 2_048;

/// Scores of earlier runs that may come before their models do: all that ten models learn from, thrice.
const EARLY_MAX: usize = 3 * Timeframe::COUNT * forecast::skill::WINDOW;

/// An ensemble in session, and what it said last.
struct Voice {
    council: Council,
    said: Option<Forecast>,
}

/// The models, the ensembles, and the predictions that wait for their outcome.
pub struct Forecasts {
    symbol: Symbol,
    panel: Panel,
    /// The symbol's own ensemble first, then those of single structures.
    voices: Vec<Voice>,
    outcomes: Outcomes,
    shadows: Shadows,
    /// Scores of an earlier run for places nobody sits in yet: at a start they come by another way than the models.
    early: Vec<Scored>,
}

impl Forecasts {
    /// Of a symbol whose forecast `main` makes; each of the others makes that of its structures.
    pub fn new(symbol: Symbol, main: &Ensemble, others: &[Ensemble]) -> Self {
        let every_ns = std::array::from_fn(|at| {
            let asked = std::iter::once(main).chain(others).filter(|e| e.weights[at] > 0.0);
            asked.map(|ensemble| ensemble.members[at].every_ns).min().unwrap_or(0)
        });
        let voice = |ensemble: &Ensemble| Voice { council: Council::new(ensemble.clone()), said: None };
        Self {
            symbol,
            panel: Panel::new(every_ns),
            voices: std::iter::once(main).chain(others).map(voice).collect(),
            outcomes: Outcomes::new(WAITING_MAX),
            shadows: Shadows::default(),
            early: Vec::new(),
        }
    }

    /// The models and what each said last.
    pub const fn panel(&self) -> &Panel {
        &self.panel
    }

    /// What the symbol's own ensemble said last.
    pub fn main(&self) -> Option<&Forecast> {
        self.voices.first()?.said.as_ref()
    }

    /// What the ensembles of single structures said last, in the order they were given.
    pub fn others(&self) -> impl Iterator<Item = Option<&Forecast>> {
        self.voices.iter().skip(1).map(|voice| voice.said.as_ref())
    }

    /// Predictions that wait for their outcome.
    pub const fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }

    /// Puts a model in its place: in its timeframe's, or in that of the ensemble whose rule it is.
    pub fn install(&mut self, timeframe: Timeframe, plan: Option<Box<dyn Plan>>, note: ModelNote) {
        let reads = plan.as_ref().and_then(|plan| plan.papers()).map(|papers| papers.reads);
        match (plan, reads) {
            (Some(plan), Some(Reads::Members)) => {
                if let Some(voice) = self.voices.iter_mut().find(|voice| voice.council.wants_stack(&note)) {
                    voice.council.seat_stack(plan, note);
                }
            }
            (plan, _) => {
                self.panel.install(timeframe, plan, note);
                self.learn_early(timeframe);
                self.weigh();
            }
        }
    }

    /// Takes the model of a timeframe out of its place.
    pub fn take_out(&mut self, timeframe: Timeframe) -> Option<(ModelNote, Box<dyn Plan>)> {
        let taken = self.panel.take_out(timeframe);
        self.weigh();
        taken
    }

    /// The models that are asked beside the incumbents.
    pub const fn shadows(&self) -> &Shadows {
        &self.shadows
    }

    /// Adds to them and takes from them.
    pub const fn shadows_mut(&mut self) -> &mut Shadows {
        &mut self.shadows
    }

    /// After everything that matters at a tick: asks the shadows whose bar closed.
    pub fn ask_shadows(&mut self, out: &mut Vec<Said>) {
        let outcomes = &mut self.outcomes;
        self.shadows.ask(|prediction| {
            outcomes.predict(prediction);
            out.push(Said::Predicted(prediction));
        });
    }

    /// Asks the models, then the ensembles.
    pub fn ask(&mut self, now: Timestamp, analysis: &mut Analysis, missing_max: u32) -> Told {
        let told = self.panel.ask(now, analysis, missing_max);
        for voice in &mut self.voices {
            voice.said = voice.council.combine(now, self.panel.answers());
        }
        told
    }

    /// Bars closed: judges the predictions they decide, then puts on record what is predicted now. The last answers
    /// before a bar closed are the answers to the closed bar: nothing entered it since.
    pub fn bars_closed(&mut self, now: Timestamp, analysis: &Analysis, closed: Closed, out: &mut Vec<Said>) {
        if closed.is_empty() {
            return;
        }
        for timeframe in closed.timeframes() {
            let Some(bar) = analysis.last_closed(timeframe).copied() else { continue };
            self.judge(now, timeframe, &bar, out);
            self.tell_own(now, timeframe, &bar, out);
            let atr = analysis.atr(timeframe).unwrap_or(0.0);
            if let Some(prediction) = self.panel.prediction(self.symbol, timeframe, &bar, atr, now) {
                self.shadows.bar_closed(&prediction, analysis.asked(timeframe));
                self.predict(prediction, out);
            }
            self.predict_together(now, timeframe, &bar, atr, out);
            if let Some((model, drift)) = self.panel.count_row(analysis, timeframe) {
                let (symbol, rows) = (self.symbol, forecast::drift::WINDOW_ROWS);
                out.push(Said::Drift(DriftNote { model, symbol, drift, rows, at: now }));
            }
        }
        self.tell_together(now, out);
    }

    /// Bars of the past closed while history was taken in: they decide what was predicted before this run.
    pub fn past_closed(&mut self, now: Timestamp, analysis: &Analysis, closed: Closed, out: &mut Vec<Said>) {
        for timeframe in closed.timeframes() {
            let Some(bar) = analysis.last_closed(timeframe).copied() else { continue };
            let before = out.len();
            self.judge(now, timeframe, &bar, out);
            for said in &out[before..] {
                if let Said::Scored(scored) = said {
                    self.hold(scored);
                }
            }
        }
    }

    /// A prediction of an earlier run whose outcome is still to come.
    pub fn wait_again(&mut self, prediction: &Prediction) {
        if prediction.symbol == self.symbol {
            self.outcomes.predict(*prediction);
        }
    }

    /// A scored prediction of an earlier run: what its model had learnt of itself by then.
    pub fn learn_again(&mut self, scored: &Scored) {
        if scored.symbol != self.symbol {
            return;
        }
        self.hold(scored);
        let _ = self.panel.learn(scored);
        self.weigh();
    }

    /// Keeps a score for a model that is not in its place yet.
    fn hold(&mut self, scored: &Scored) {
        let is_empty = self.panel.note(scored.model.timeframe).is_none();
        if is_empty && scored.model.version != ENSEMBLE && self.early.len() < EARLY_MAX {
            self.early.push(*scored);
        }
    }

    /// Whoever took an empty place learns what was said of it before; what was said of others is nobody's.
    fn learn_early(&mut self, timeframe: Timeframe) {
        if self.panel.note(timeframe).is_none() {
            return;
        }
        let panel = &mut self.panel;
        self.early.retain(|scored| {
            let is_its = scored.model.timeframe == timeframe;
            if is_its {
                let _ = panel.learn(scored);
            }
            !is_its
        });
    }

    /// What stands behind a decision made now, for the record.
    pub fn tell_together(&self, now: Timestamp, out: &mut Vec<Said>) {
        let spoke = |members: u16, timeframe: Timeframe| members >> timeframe.index() & 1 == 1;
        for Voice { council, said } in &self.voices {
            let Some(forecast) = said else { continue };
            let digest = |timeframe: Timeframe| match self.panel.note(timeframe) {
                Some(note) if spoke(forecast.members, timeframe) => note.digest,
                _ => 0,
            };
            let timeframe = council.ensemble().horizon();
            out.push(Said::Combined(CombinedNote {
                symbol: self.symbol,
                ensemble: council.ensemble().name,
                forecast: *forecast,
                standing: council.standing(),
                timeframe,
                horizon_bars: self.horizon_papers(council).map_or(0, |papers| papers.horizon_bars),
                models: Timeframe::ALL.map(digest),
                at: now,
            }));
        }
    }

    fn weigh(&mut self) {
        if self.voices.iter().any(|voice| voice.council.ensemble().rule == Rule::BySkill) {
            let factors = self.panel.factors();
            self.voices.iter_mut().for_each(|voice| voice.council.weigh(&factors));
        }
    }

    fn judge(&mut self, now: Timestamp, timeframe: Timeframe, bar: &Bar, out: &mut Vec<Said>) {
        let (outcomes, panel) = (&mut self.outcomes, &mut self.panel);
        let before = out.len();
        outcomes.closed(&self.symbol, timeframe, bar, now, |scored| {
            out.push(Said::Scored(scored));
            out.extend(panel.learn(&scored).map(Said::Drift));
        });
        if out.len() > before {
            self.weigh();
        }
    }

    fn tell_own(&self, now: Timestamp, timeframe: Timeframe, bar: &Bar, out: &mut Vec<Said>) {
        let (Some(odds), Some(forecast)) = (self.panel.odds()[timeframe.index()], self.main()) else {
            return;
        };
        let (symbol, forecast, spot) = (self.symbol, *forecast, bar.close);
        out.push(Said::Forecast(ForecastNote { symbol, timeframe, odds, forecast, spot, at: now }));
    }

    fn predict(&mut self, prediction: Prediction, out: &mut Vec<Said>) {
        self.outcomes.predict(prediction);
        out.push(Said::Predicted(prediction));
    }

    /// The forecasts of the ensembles whose horizon is counted in bars of this timeframe.
    fn predict_together(
        &mut self,
        now: Timestamp,
        timeframe: Timeframe,
        bar: &Bar,
        atr: f64,
        out: &mut Vec<Said>,
    ) {
        for at in 0..self.voices.len() {
            let Voice { council, said: Some(forecast) } = &self.voices[at] else { continue };
            if council.ensemble().horizon() != timeframe {
                continue;
            }
            let Some(papers) = self.horizon_papers(council) else { continue };
            let Some(rule) = papers.label else { continue };
            let (name, version): (Label, Label) = (council.ensemble().name, ENSEMBLE);
            let prediction = Prediction {
                model: ModelNote { timeframe, name, version, digest: 0 },
                symbol: self.symbol,
                at: now,
                bar: bar.start,
                close: bar.close.dollars(),
                atr,
                odds: forecast.odds,
                rule,
                horizon_bars: papers.horizon_bars,
            };
            self.predict(prediction, out);
        }
    }

    /// What says how far an ensemble looks: the papers of the model that is its rule, or of its heaviest member.
    fn horizon_papers<'a>(&'a self, council: &'a Council) -> Option<&'a Papers> {
        let own = council.stack().and_then(|(_, papers)| papers);
        own.or_else(|| self.panel.papers(council.ensemble().horizon())).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forecast::ensemble::Below;
    use forecast::notes::Drift;
    use forecast::{Class, Documented, LabelRule, PlanFault, Reference};
    use indicators::features::{Missing, Row};
    use market::Price;
    use market::quote::{SaleRule, Trade};
    use market::time::{MINUTE, SECOND};
    use std::sync::Arc;

    /// Says the same whatever it is asked.
    struct Parrot;

    impl Plan for Parrot {
        fn predict(&mut self, _: &[f32], out: &mut [f32; 3]) -> Result<(), PlanFault> {
            *out = [0.1, 0.2, 0.7];
            Ok(())
        }
    }

    const HORIZON: u32 = 3;

    fn spy() -> Symbol {
        Symbol::literal("SPY")
    }

    fn note(timeframe: Timeframe) -> ModelNote {
        let (name, version) = (Label::literal("parrot"), Label::literal("1"));
        ModelNote { timeframe, name, version, digest: 7 }
    }

    fn parrot(reference: Option<Reference>) -> Box<dyn Plan> {
        let papers = Papers {
            reads: Reads::Row,
            label: Some(LabelRule::Horizon { threshold_atr: 0.3 }),
            horizon_bars: HORIZON,
            calibration: None,
            hull: reference.as_ref().map(Reference::hull),
            reference,
        };
        Box::new(Documented::new(Box::new(Parrot), Arc::new(papers)))
    }

    /// A morning of trades, one in five seconds.
    struct Morning {
        analysis: Analysis,
        forecasts: Forecasts,
        now: Timestamp,
        tick: i64,
        out: Vec<Said>,
        told: Told,
    }

    impl Morning {
        fn new(ensemble: &Ensemble, reference: Option<&Reference>) -> Self {
            let mut forecasts = Forecasts::new(spy(), ensemble, &[]);
            for timeframe in Timeframe::ALL {
                forecasts.install(timeframe, Some(parrot(reference.cloned())), note(timeframe));
            }
            let day = market::Date::literal(2025, 6, 16);
            let now = market::session::offset(day, 0).expect("a session").open + SECOND;
            let (analysis, out, told) = (Analysis::new(), Vec::with_capacity(256), Told::default());
            Self { analysis, forecasts, now, tick: 0, out, told }
        }

        fn trade(&mut self) {
            let swing = (self.tick as f64 / 90.0).sin() * 2.0 + (self.tick as f64 / 7.0).cos() * 0.1;
            let price = Price::nearest(500.0 + swing).expect("in range");
            let trade = Trade { price, size: 100, at: self.now, id: 0, rule: SaleRule::Regular };
            let closed = self.analysis.on_trade(self.now, &trade);
            self.forecasts.bars_closed(self.now, &self.analysis, closed, &mut self.out);
            let told = self.forecasts.ask(self.now, &mut self.analysis, u32::MAX);
            self.told = Told { failure: told.failure, stranger: told.stranger.or(self.told.stranger) };
            (self.now, self.tick) = (self.now + 5 * SECOND, self.tick + 1);
        }

        fn minutes(&mut self, count: i64) {
            (0..12 * count).for_each(|_| self.trade());
        }

        fn scored(&self) -> Vec<Scored> {
            let of = |said: &Said| match said {
                Said::Scored(scored) => Some(*scored),
                _ => None,
            };
            self.out.iter().filter_map(of).collect()
        }

        fn predicted(&self) -> Vec<Prediction> {
            let of = |said: &Said| match said {
                Said::Predicted(prediction) => Some(*prediction),
                _ => None,
            };
            self.out.iter().filter_map(of).collect()
        }
    }

    fn scalp() -> Ensemble {
        Ensemble::shipped("scalp").expect("listed")
    }

    fn minute(symbol: &Scored) -> bool {
        symbol.model.timeframe == Timeframe::Min1
    }

    #[test]
    fn every_prediction_with_a_range_is_scored_when_its_horizon_ends() {
        let mut morning = Morning::new(&scalp(), None);
        morning.minutes(60);
        let scored: Vec<Scored> = morning.scored().into_iter().filter(minute).collect();
        let by = |name: &str| scored.iter().filter(|s| s.model.name.as_str() == name).count();
        let predicted = |name: &str| {
            let minutes = |p: &&Prediction| p.model.timeframe == Timeframe::Min1 && p.atr > 0.0;
            morning.predicted().iter().filter(minutes).filter(|p| p.model.name.as_str() == name).count()
        };
        assert!(by("parrot") > 35, "{}", by("parrot"));
        assert_eq!(by("parrot"), predicted("parrot") - HORIZON as usize, "all but those that wait");
        assert_eq!(by("scalp"), by("parrot"), "the ensemble is scored beside its members");
        for one in &scored {
            assert_eq!(one.due.since(one.at), i64::from(HORIZON) * MINUTE, "{one:?}");
        }
        let ups = scored.iter().filter(|s| s.outcome == Class::Up).count();
        assert!(ups > 5 && ups < scored.len() - 5, "a swing goes both ways: {ups}");
    }

    #[test]
    fn a_restart_waits_on_and_weighs_as_before() {
        let ensemble = Ensemble { rule: Rule::BySkill, ..scalp() };
        let mut morning = Morning::new(&ensemble, None);
        morning.minutes(60);
        let mut again = Forecasts::new(spy(), &ensemble, &[]);
        for timeframe in Timeframe::ALL {
            again.install(timeframe, Some(parrot(None)), note(timeframe));
        }
        let (scored, predicted) = (morning.scored(), morning.predicted());
        scored.iter().for_each(|one| again.learn_again(one));
        // By whichever way they come first: the scores, or the models.
        let mut late = Forecasts::new(spy(), &ensemble, &[]);
        scored.iter().for_each(|one| late.learn_again(one));
        for timeframe in Timeframe::ALL {
            late.install(timeframe, Some(parrot(None)), note(timeframe));
        }
        assert_eq!(late.panel().factors(), again.panel().factors());
        assert_eq!(late.voices[0].council.weights(), again.voices[0].council.weights());
        assert!(late.early.is_empty());
        let is_open =
            |p: &&Prediction| !scored.iter().any(|s| (s.model, s.at, s.symbol) == (p.model, p.at, p.symbol));
        predicted.iter().filter(is_open).for_each(|p| again.wait_again(p));
        assert_eq!(again.outcomes().waiting(), morning.forecasts.outcomes().waiting());
        assert!(again.outcomes().waiting() >= HORIZON as usize);
        assert_eq!(again.panel().factors(), morning.forecasts.panel().factors());
        assert_ne!(again.panel().factors()[0], 1.0, "something was learnt");
        assert_eq!(again.voices[0].council.weights(), morning.forecasts.voices[0].council.weights());
        // Both go on alike.
        morning.out.clear();
        let mut second = Morning { forecasts: again, out: Vec::new(), ..morning };
        second.minutes(10);
        assert!(second.scored().len() > 10);
    }

    #[test]
    fn a_row_unlike_any_it_was_taught_silences_a_model_and_is_told_once_an_episode() {
        // It was taught rows of nothing but zeros, give or take.
        let rows: Vec<Row> = (0..50i8).map(|i| [f32::from(i % 3 - 1) * 1e-3; indicators::FEATURES]).collect();
        let known = rows.iter().map(|row| (row.as_slice(), Missing::NONE));
        let reference = Reference::fit(known).expect("rows");
        let ensemble = Ensemble { below: Below::Nothing, ..scalp() };
        let mut morning = Morning::new(&ensemble, Some(&reference));
        morning.minutes(5);
        assert!(morning.told.stranger.is_some());
        assert_eq!(morning.forecasts.main(), None);
        assert!(morning.forecasts.panel().outside(Timeframe::Min1) > 30);
        morning.told = Told::default();
        morning.minutes(5);
        assert_eq!(morning.told.stranger, None, "the same episode");
        assert!(morning.predicted().is_empty());
    }

    #[test]
    fn rows_spread_otherwise_than_in_training_are_told() {
        let rows: Vec<Row> = (0..200u8).map(|i| [f32::from(i) / 20.0 - 5.0; indicators::FEATURES]).collect();
        let known = rows.iter().map(|row| (row.as_slice(), Missing::NONE));
        let reference = Reference::fit(known).expect("rows");
        let mut morning = Morning::new(&scalp(), Some(&reference));
        // A session has 390 minutes; the next one begins the day after.
        for _ in 0..2 {
            morning.minutes(389);
            morning.now = morning.now + 24 * 3600 * SECOND - 389 * MINUTE;
        }
        let drifts: Vec<&Said> = morning.out.iter().filter(|s| matches!(s, Said::Drift(_))).collect();
        let [Said::Drift(note)] = drifts.as_slice() else { panic!("{drifts:?}") };
        assert_eq!((note.rows, note.model.timeframe), (500, Timeframe::Min1));
        assert!(matches!(note.drift, Drift::Features { moved, .. } if moved > 5), "{note:?}");
    }

    #[test]
    fn a_slow_model_is_asked_now_and_then() {
        let mut ensemble = scalp();
        ensemble.members[0].every_ns = 20 * SECOND;
        ensemble.members[0].stale_ns = Some(30 * SECOND);
        let mut morning = Morning::new(&ensemble, None);
        let mut times = Vec::new();
        for _ in 0..12 {
            morning.trade();
            times.push(morning.forecasts.panel().answers().at[0]);
        }
        times.dedup();
        assert_eq!(times.len(), 3, "{times:?}");
        assert_eq!(morning.forecasts.main().map(|f| f.members), Some(0b1111), "its answers last");
    }
}
