//! How much better forecasts are than saying the base rates, and how sure that is.
//!
//! The Brier skill score is one less the Brier score over that of the base rates. Forecasts of neighbouring bars, and of
//! symbols at the same moment, are not independent evidence, so its interval comes from resampling whole blocks of
//! time (block bootstrap; Kuensch 1989), each at least a horizon long.

use crate::metrics::brier;
use crate::network::CLASSES;
use market::Timestamp;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Blocks that time is cut into, when it is long enough.
const BLOCKS: usize = 60;
/// With fewer nothing is said about certainty.
const BLOCKS_MIN: usize = 8;
const DRAWS: usize = 2_000;
/// Outside of the interval on either side.
const TAIL: f64 = 0.025;
/// The same draws each time: the same forecasts have the same interval.
const SEED: u64 = 0x5eed;

/// A forecast, what the base rates said instead, and what happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Of which moment.
    pub at: Timestamp,
    /// When its class was decided.
    pub until: Timestamp,
    /// What was said.
    pub odds: [f32; CLASSES],
    /// The base rates that were known then.
    pub base: [f32; CLASSES],
    /// What happened: 0 down, 1 flat, 2 up.
    pub class: usize,
}

/// Brier skill over the base rates: 0 is as good, 1 is never wrong, below 0 is worse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skill {
    /// The score.
    pub value: f64,
    /// Its interval, 95 %; absent where there is too little time to say.
    pub interval: Option<(f64, f64)>,
}

impl Skill {
    /// True when even the low end of the interval is better than the base rates.
    pub fn is_proven(&self) -> bool {
        self.interval.is_some_and(|(low, _)| low > 0.0)
    }
}

/// The skill of forecasts in order of time, each of which looks `horizon_bars` ahead; `None` without any.
pub fn skill(forecasts: &[Judged], horizon_bars: usize) -> Option<Skill> {
    let blocks = blocks(forecasts, horizon_bars);
    let of = |blocks: &mut dyn Iterator<Item = &(f64, f64)>| {
        let (own, base) = blocks.fold((0.0, 0.0), |sum, block| (sum.0 + block.0, sum.1 + block.1));
        1.0 - own / base
    };
    let value = of(&mut blocks.iter());
    if !value.is_finite() {
        return None;
    }
    let interval = (blocks.len() >= BLOCKS_MIN).then(|| {
        let mut chance = ChaCha8Rng::seed_from_u64(SEED);
        let mut draws: Vec<f64> = (0..DRAWS)
            .map(|_| of(&mut (0..blocks.len()).map(|_| &blocks[chance.random_range(0..blocks.len())])))
            .collect();
        draws.sort_by(f64::total_cmp);
        let cut = (DRAWS as f64 * TAIL) as usize;
        (draws[cut], draws[DRAWS - 1 - cut])
    });
    Some(Skill { value, interval })
}

/// Sums of the Brier scores of the forecasts and of the base rates, a block of time each.
fn blocks(forecasts: &[Judged], horizon_bars: usize) -> Vec<(f64, f64)> {
    let mut times: Vec<Timestamp> = forecasts.iter().map(|f| f.at).collect();
    times.dedup();
    let long = (times.len().div_ceil(BLOCKS)).max(horizon_bars).max(1);
    // What is left over at the end goes to the last whole block.
    let count = (times.len() / long).max(usize::from(!times.is_empty()));
    let mut blocks = vec![(0.0, 0.0); count];
    let mut place = 0;
    for forecast in forecasts {
        while times[place] < forecast.at {
            place += 1;
        }
        let block = &mut blocks[(place / long).min(count - 1)];
        block.0 += brier(&forecast.odds, forecast.class);
        block.1 += brier(&forecast.base, forecast.class);
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecasts(count: usize, symbols: usize, say: impl Fn(usize, f64) -> [f32; 3]) -> Vec<Judged> {
        let mut chance = ChaCha8Rng::seed_from_u64(9);
        let third = 1.0 / 3.0;
        (0..count)
            .flat_map(|i| {
                let class = chance.random_range(0..3);
                let noise = chance.random_range(-0.1..0.1);
                let at = Timestamp::from_seconds(i as i64);
                let one = Judged { at, until: at + 1, odds: say(class, noise), base: [third; 3], class };
                std::iter::repeat_n(one, symbols)
            })
            .collect()
    }

    #[test]
    fn skill_is_the_textbook_one_and_knows_its_limits() {
        let sure = |class: usize, _: f64| std::array::from_fn(|c| f32::from(u8::from(c == class)));
        let perfect = skill(&forecasts(100, 1, sure), 1).expect("some");
        assert!((perfect.value - 1.0).abs() < 1e-9 && perfect.is_proven());
        let blind = |_: usize, noise: f64| [0.3 + noise as f32, 0.4, 0.3 - noise as f32];
        let none = skill(&forecasts(2_000, 1, blind), 1).expect("some");
        assert!(!none.is_proven() && none.value.abs() < 0.05, "{none:?}");
        let better = |class: usize, noise: f64| {
            let up = 0.05 * f32::from(class as u8) + noise as f32;
            [0.35 - up, 0.3, 0.35 + up]
        };
        let some = skill(&forecasts(6_000, 1, better), 1).expect("some");
        let (low, high) = some.interval.expect("long enough");
        assert!(low < some.value && some.value < high, "{some:?}");
        assert_eq!(skill(&[], 1), None);
        assert_eq!(skill(&forecasts(70, 1, sure), 10).expect("some").interval, None, "seven blocks");
        assert!(skill(&forecasts(80, 1, sure), 10).expect("some").interval.is_some());
    }

    #[test]
    fn copies_are_no_evidence() {
        let better = |class: usize, noise: f64| {
            let up = 0.02 * f32::from(class as u8) + noise as f32;
            [0.35 - up, 0.3, 0.35 + up]
        };
        let wide = |symbols| {
            let (low, high) =
                skill(&forecasts(600, symbols, better), 1).and_then(|s| s.interval).expect("some");
            high - low
        };
        assert!((wide(1) - wide(9)).abs() < 1e-9, "nine times the same symbol says no more");
    }
}
