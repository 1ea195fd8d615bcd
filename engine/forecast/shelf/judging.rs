//! Who is better: predictions of the same moments are paired, and looks taken when they are due.

use super::duel::{Fall, Verdict};
use super::notes::{Role, Step};
use super::{Entry, Id, Said, Shelf, id_of, note};
use crate::{LabelRule, Scored};
use market::Timestamp;
use market::quote::Timeframe;
use market::time::{DAY, MINUTE};

/// Moments a timeframe waits for the other prediction of a pair.
const PAIRS_MAX: usize = 1024;
/// Relative difference of label distances that is rounding, not another rule.
const SAME_RULE: f64 = 0.01;

impl Shelf {
    /// A prediction that was scored: paired with the others of its moment, and counted.
    pub(super) fn take(&mut self, timeframe: Timeframe, scored: &Scored) {
        let (id, loss) = (id_of(&scored.model), self.settings.measure.loss(scored));
        self.pair(timeframe, scored, loss);
        let place = &mut self.places[timeframe.index()];
        let is_incumbent = place.incumbent == Some(id);
        if is_incumbent && let Some(watch) = &mut place.watch {
            watch.push(moment(timeframe, scored.at), loss);
        }
        let is_shadow = |e: &&mut Entry| e.note.model.timeframe == timeframe && e.role == Role::Shadow;
        for entry in self.entries.values_mut().filter(is_shadow) {
            if let Some(trial) = &mut entry.trial {
                trial.own += u32::from(id_of(&entry.note.model) == id);
                trial.beside += u32::from(is_incumbent);
            }
        }
    }

    /// Holds a loss beside those of the same moment.
    fn pair(&mut self, timeframe: Timeframe, scored: &Scored, loss: f64) {
        let (id, at) = (id_of(&scored.model), moment(timeframe, scored.at));
        let is_rival = |e: &Entry| matches!(e.role, Role::Shadow | Role::Predecessor);
        if !self.entries.values().any(|e| e.note.model.timeframe == timeframe && is_rival(e)) {
            return;
        }
        let place = &mut self.places[timeframe.index()];
        let there = place.pairs.entry((scored.at, scored.symbol)).or_default();
        let met: Vec<(Id, f64)> = there.clone();
        there.push((id, loss));
        if place.pairs.len() > PAIRS_MAX {
            place.pairs.pop_first();
        }
        for (other, other_loss) in met {
            self.meet(timeframe, at, (id, loss), (other, other_loss));
            self.meet(timeframe, at, (other, other_loss), (id, loss));
        }
    }

    /// Two losses of one moment: counted where the first belongs to a shadow and the second to the incumbent, or the
    /// first to the incumbent and the second to its predecessor, and both are judged by one rule.
    fn meet(&mut self, timeframe: Timeframe, at: i64, one: (Id, f64), other: (Id, f64)) {
        if !self.are_comparable(one.0, other.0) {
            return;
        }
        let place = &mut self.places[timeframe.index()];
        if place.incumbent == Some(one.0) && place.predecessor == Some(other.0) {
            if let Some(watch) = &mut place.watch {
                watch.push_beside(at, one.1, other.1);
            }
        } else if place.incumbent == Some(other.0)
            && let Some(trial) = self.entries.get_mut(&one.0).and_then(|e| e.trial.as_mut())
        {
            trial.duel.push(at, one.1, other.1);
        }
    }

    fn are_comparable(&self, one: Id, other: Id) -> bool {
        let (Some(one), Some(other)) = (self.entries.get(&one), self.entries.get(&other)) else {
            return false;
        };
        let same = match (one.note.rule, other.note.rule) {
            (Some(a), Some(b)) => is_same_rule(&a, &b),
            _ => false,
        };
        same && one.horizon() == other.horizon()
    }

    /// Looks that are due: at each shadow, and at the incumbent.
    pub(super) fn judge(&mut self, now: Timestamp, timeframe: Timeframe, out: &mut Vec<Said>) {
        let place = self.place(timeframe);
        let Some(incumbent) = place.incumbent.filter(|_| place.pinned.is_none()) else { return };
        for shadow in self.of(timeframe, |e| e.role == Role::Shadow) {
            let (settings, is_comparable) = (self.settings, self.are_comparable(shadow, incumbent));
            let Some(entry) = self.entries.get_mut(&shadow) else { continue };
            let (own, Some(trial)) = (entry.figures(), &mut entry.trial) else { continue };
            let (step, figures) = match trial.duel.look(&settings, incumbent.2) {
                Some(Verdict::Better(figures)) => {
                    return self.promote(now, shadow, Step::Promoted, figures, out);
                }
                Some(Verdict::NotBetter(figures)) => (Step::NotBetter, figures),
                Some(Verdict::Worse(figures)) => (Step::Worse, figures),
                None => match trial.is_in_vain(&settings, is_comparable) {
                    Some(step) => (step, own),
                    None => continue,
                },
            };
            self.retire(now, shadow, step, figures, out);
            self.settle(now, timeframe, out);
        }
        self.watch(now, timeframe, incumbent, out);
    }

    fn watch(&mut self, now: Timestamp, timeframe: Timeframe, incumbent: Id, out: &mut Vec<Said>) {
        let (settings, predecessor) = (self.settings, self.predecessor(timeframe));
        let place = &mut self.places[timeframe.index()];
        let Some(watch) = &mut place.watch else { return };
        let scored_before = place.has_fallen;
        match watch.look(&settings, incumbent.2, predecessor.map(|p| p.2)) {
            Some(Fall::Behind(figures) | Fall::BelowItself(figures, true)) => {
                self.roll_back(now, timeframe, Step::RolledBack, figures, out);
            }
            Some(Fall::BelowItself(figures, false)) => {
                place.has_fallen = true;
                if !scored_before && let Some(entry) = self.entries.get(&incumbent) {
                    note(now, entry.note.model, Step::Fell, figures, out);
                }
            }
            None => {}
        }
    }
}

/// Which bar of its timeframe a forecast was made at: the symbols' closes come some moments apart.
fn moment(timeframe: Timeframe, at: Timestamp) -> i64 {
    let span_ns = timeframe.minutes().map_or(DAY, |minutes| minutes * MINUTE);
    at.ns().div_euclid(span_ns)
}

fn is_same_rule(a: &LabelRule, b: &LabelRule) -> bool {
    let near = |x: f64, y: f64| (x - y).abs() <= SAME_RULE * x.abs().max(y.abs());
    match (*a, *b) {
        (LabelRule::Horizon { threshold_atr: x }, LabelRule::Horizon { threshold_atr: y }) => near(x, y),
        (
            LabelRule::TripleBarrier { up_atr, down_atr },
            LabelRule::TripleBarrier { up_atr: up, down_atr: down },
        ) => near(up_atr, up) && near(down_atr, down),
        _ => false,
    }
}
