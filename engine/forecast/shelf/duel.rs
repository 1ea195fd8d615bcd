//! Two models compared on the same moments, and one model compared with its own past.

use super::evidence::{self, BLOCKS_MIN, Blocks, Finding, Spread};
use super::notes::Figures;
use super::settings::Settings;

/// Losses of two models at the same moments: `own` of the one whose fate is decided, `other` of the one beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Duel {
    /// By how much the other's loss was above its own.
    gain: Blocks,
    own: Blocks,
    other: Blocks,
    looks: u32,
}

/// What a look at a duel found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Better, with evidence.
    Better(Figures),
    /// Worse, with evidence.
    Worse(Figures),
    /// Not better, and that was the last look.
    NotBetter(Figures),
}

impl Duel {
    /// A duel of forecasts that look `horizon` moments ahead.
    pub fn new(horizon: u32) -> Self {
        let blocks = Blocks::new(horizon);
        Self { gain: blocks, own: blocks, other: blocks, looks: 0 }
    }

    /// Takes both losses of a moment.
    pub fn push(&mut self, moment: i64, own: f64, other: f64) {
        self.gain.push(moment, other - own);
        self.own.push(moment, own);
        self.other.push(moment, other);
    }

    /// Pairs taken.
    pub const fn scored(&self) -> u32 {
        self.gain.taken()
    }

    /// The losses of the one whose fate is decided.
    pub const fn own(&self) -> &Spread {
        self.own.means()
    }

    /// The losses of the other.
    pub const fn other(&self) -> &Spread {
        self.other.means()
    }

    /// What it stands at.
    pub fn figures(&self, against: u64, p: f64) -> Figures {
        Figures {
            against,
            scored: self.scored(),
            blocks: self.gain.means().count(),
            loss: self.own.means().mean(),
            other: self.other.means().mean(),
            p,
        }
    }

    /// How well the one does against the other.
    pub fn finding(&self) -> Finding {
        evidence::above_zero(self.gain.means())
    }

    /// A look, when one is due. Looking again and again would find luck at last, so there are few looks, and they share
    /// the chance of being wrong.
    pub fn look(&mut self, settings: &Settings, against: u64) -> Option<Verdict> {
        let due = settings.scored_min.saturating_mul(self.looks + 1);
        if self.scored() < due || self.gain.means().count() < BLOCKS_MIN {
            return None;
        }
        self.looks += 1;
        let alpha = settings.alpha / f64::from(settings.looks.max(1));
        let found = self.finding();
        if found.p < alpha && found.mean >= settings.margin {
            return Some(Verdict::Better(self.figures(against, found.p)));
        }
        if 1.0 - found.p < alpha && -found.mean >= settings.margin {
            return Some(Verdict::Worse(self.figures(against, 1.0 - found.p)));
        }
        let is_last = self.looks >= settings.looks;
        is_last.then(|| Verdict::NotBetter(self.figures(against, found.p)))
    }
}

/// How an incumbent fares: its losses since it began to speak, in windows that do not overlap, held against its own
/// record and against its predecessor.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// Its losses when it was promoted, or in its first window.
    baseline: Option<Spread>,
    alone: Blocks,
    /// Beside the predecessor.
    beside: Duel,
    horizon: u32,
}

/// What the end of a window found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fall {
    /// The predecessor does better, with evidence.
    Behind(Figures),
    /// It is worse than its own record, with evidence. True when the predecessor has done better meanwhile.
    BelowItself(Figures, bool),
}

impl Watch {
    /// A watch over forecasts that look `horizon` moments ahead, of a model with this record.
    pub fn new(horizon: u32, baseline: Option<Spread>) -> Self {
        Self { baseline, alone: Blocks::new(horizon), beside: Duel::new(horizon), horizon }
    }

    /// Takes a loss of the incumbent.
    pub fn push(&mut self, moment: i64, loss: f64) {
        self.alone.push(moment, loss);
    }

    /// Takes the losses of incumbent and predecessor at the same moment.
    pub fn push_beside(&mut self, moment: i64, own: f64, predecessor: f64) {
        self.beside.push(moment, own, predecessor);
    }

    /// At the end of a window: what is wrong with the incumbent, if anything. Then a new window begins.
    pub fn look(&mut self, settings: &Settings, own: u64, predecessor: Option<u64>) -> Option<Fall> {
        let means = *self.alone.means();
        if self.alone.taken() < settings.window || means.count() < BLOCKS_MIN {
            return None;
        }
        self.alone = Blocks::new(self.horizon);
        // Pairs are complete a little later than single losses, and rarer: they are judged when they are enough.
        let beside = (predecessor.is_some() && self.beside.gain.means().count() >= BLOCKS_MIN)
            .then(|| std::mem::replace(&mut self.beside, Duel::new(self.horizon)));
        let compared = beside.as_ref().map(Duel::finding);
        if let (Some(predecessor), Some(beside), Some(found)) = (predecessor, &beside, &compared)
            && 1.0 - found.p < settings.fall_alpha
            && -found.mean >= settings.fall_margin
        {
            return Some(Fall::Behind(beside.figures(predecessor, 1.0 - found.p)));
        }
        let Some(baseline) = &self.baseline else {
            self.baseline = Some(means);
            return None;
        };
        let found = evidence::above(&means, baseline);
        let is_below = found.p < settings.fall_alpha && found.mean >= settings.fall_margin;
        is_below.then(|| {
            let figures = Figures {
                against: own,
                scored: settings.window,
                blocks: means.count(),
                loss: means.mean(),
                other: baseline.mean(),
                p: found.p,
            };
            Fall::BelowItself(figures, compared.is_some_and(|found| found.mean < 0.0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows of an incumbent that falls, beside a predecessor that does far better but answered only so often.
    fn fall_beside(answers: i64) -> Option<Fall> {
        let settings = Settings { window: 400, fall_margin: 0.0, ..Settings::SHIPPED };
        let mut watch = Watch::new(1, None);
        let mut window = |from: i64, loss: f64| {
            for moment in from..from + 400 {
                let loss = loss + 0.01 * (moment % 7) as f64;
                watch.push(moment, loss);
                if moment - from < answers {
                    watch.push_beside(moment, loss, 0.1);
                }
            }
            watch.look(&settings, 1, Some(2))
        };
        window(0, 0.1);
        window(400, 0.9)
    }

    #[test]
    fn a_predecessor_that_hardly_answered_takes_no_place() {
        for answers in [0, 5, 20] {
            assert!(matches!(fall_beside(answers), Some(Fall::BelowItself(_, false))), "{answers}");
        }
        assert!(matches!(fall_beside(400), Some(Fall::Behind(_))));
    }
}
