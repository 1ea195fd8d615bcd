//! What the symbols' seats had learnt of their models when the last run ended: predictions whose outcome is still to
//! come, and the newest scores of each model. Told again at a start, on record, so that the next start finds all of it
//! in this run.

use desk::letter::Letter;
use forecast::notes::{ENSEMBLE, ModelNote};
use forecast::{Prediction, Scored, skill};
use journal::{Fault, Kind, Reader};
use market::{Symbol, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// One prediction, told apart from all others: who made it, and when. Names keep the order the same every time.
type Key = ([u8; 24], [u8; 24], u64, Timestamp);

fn key(model: &ModelNote, at: Timestamp) -> Key {
    let bytes = |label: &market::Label| {
        let mut held = [0; 24];
        label.as_bytes().iter().zip(&mut held).for_each(|(from, to)| *to = *from);
        held
    };
    (bytes(&model.name), bytes(&model.version), model.digest, at)
}

/// The letters that bring a symbol's seat back to where it was: scores first, oldest first, then open predictions.
///
/// # Errors
/// When the journal cannot be read.
pub fn letters(reader: &Reader, symbol: Symbol) -> Result<Vec<Letter>, Fault> {
    let mut open: BTreeMap<(Timestamp, Key), Prediction> = BTreeMap::new();
    let mut scores: BTreeMap<Key, VecDeque<Scored>> = BTreeMap::new();
    for record in reader.forecasts_of_newest_run(symbol)? {
        match record.envelope().map(|envelope| &envelope.letter) {
            Some(Letter::Predicted(prediction)) => {
                open.insert((prediction.at, key(&prediction.model, prediction.at)), *prediction);
            }
            Some(Letter::Scored(scored)) => {
                if record.kind == Kind::Said {
                    open.remove(&(scored.at, key(&scored.model, scored.at)));
                }
                if scored.model.version != ENSEMBLE {
                    let kept = scores.entry(key(&scored.model, Timestamp::MIN)).or_default();
                    kept.push_back(*scored);
                    if kept.len() > skill::WINDOW {
                        kept.pop_front();
                    }
                }
            }
            _ => {}
        }
    }
    // Whoever was scored last comes first: a seat that waits for its models keeps only so many.
    let mut scores: Vec<VecDeque<Scored>> = scores.into_values().collect();
    scores.sort_by_key(|kept| std::cmp::Reverse(kept.back().map(|scored| scored.due)));
    let scores = scores.into_iter().flatten().map(Letter::Scored);
    Ok(scores.chain(open.into_values().map(Letter::Predicted)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use desk::letter::{Address, Envelope};
    use forecast::{Class, LabelRule, Odds};
    use journal::{Journal, RunStart};
    use market::Label;
    use market::quote::Timeframe;

    const SPY: Symbol = Symbol::literal("SPY");

    fn prediction(name: &str, second: i64) -> Prediction {
        let at = Timestamp::from_seconds(second);
        let (name, version) = (Label::literal(name), Label::literal("1"));
        Prediction {
            model: ModelNote { timeframe: Timeframe::Min1, name, version, digest: 5 },
            symbol: SPY,
            at,
            bar: at,
            close: 500.0,
            atr: 1.0,
            odds: Odds::EVEN,
            rule: LabelRule::Horizon { threshold_atr: 0.3 },
            horizon_bars: 2,
        }
    }

    fn scored(prediction: &Prediction) -> Scored {
        let Prediction { model, symbol, at, odds, .. } = *prediction;
        Scored { model, symbol, at, due: at + 1, odds, outcome: Class::Flat }
    }

    /// A run that hears what it was told and says the rest.
    fn run(dir: &std::path::Path, told: &[Letter], said: &[Letter]) -> Vec<Letter> {
        let settings = journal::Settings {
            ring_bytes: 1 << 20,
            ring_dir: None,
            pens: 1,
            group_records: 1000,
            group_ms: 1,
            map_size_mb: 64,
            durability: journal::Durability::Process,
            prune_above_percent: None,
        };
        let start =
            RunStart { version: Label::literal("test"), seeds: Vec::new(), at: Timestamp::from_seconds(1) };
        let mut opened = Journal::open(dir, &settings, &start).expect("opens");
        let back = letters(&opened.recovered.reader, SPY).expect("reads");
        let own = Address::Underlying(SPY);
        let at = Timestamp::from_seconds(2);
        let pen = opened.pens.first_mut().expect("a pen");
        for letter in told {
            assert!(pen.heard(&Envelope { from: Address::Record, to: own, at, letter: letter.clone() }));
        }
        for letter in said {
            assert!(pen.said(&Envelope { from: own, to: Address::Record, at, letter: letter.clone() }));
        }
        opened.journal.close(at).expect("closes");
        back
    }

    #[test]
    fn open_predictions_and_newest_scores_come_back_run_after_run() {
        let dir = tempfile::tempdir().expect("dir");
        let made: Vec<Prediction> = (0..200).map(|second| prediction("m", second)).collect();
        let early: Vec<Letter> = made[..150].iter().map(|p| Letter::Predicted(*p)).collect();
        let judged: Vec<Letter> = made[..148].iter().map(|p| Letter::Scored(scored(p))).collect();
        let first = run(dir.path(), &[], &[early, judged].concat());
        assert!(first.is_empty(), "a new journal");
        // The second run is told what is open and says how one of it came out.
        let second = run(dir.path(), &[], &[]);
        let open = |letters: &[Letter]| -> Vec<Timestamp> {
            let of = |letter: &Letter| match letter {
                Letter::Predicted(p) => Some(p.at),
                _ => None,
            };
            letters.iter().filter_map(of).collect()
        };
        assert_eq!(open(&second), [made[148].at, made[149].at]);
        assert_eq!(second.len(), skill::WINDOW + 2);
        let third = run(dir.path(), &second, &[Letter::Scored(scored(&made[148]))]);
        assert_eq!(third, second, "a run without forecasts changes nothing");
        let fourth = run(dir.path(), &[], &[]);
        assert_eq!(open(&fourth), [made[149].at]);
        assert_eq!(fourth.len(), skill::WINDOW + 1);
        assert_eq!(fourth[skill::WINDOW - 1], Letter::Scored(scored(&made[148])), "the newest last");
    }
}
