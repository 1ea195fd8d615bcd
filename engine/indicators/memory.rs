//! How long history's beginning shows in an indicator, measured: what [`crate::declaration::Memory`] declares, on a
//! series of one's own.

use crate::candle::Candle;
use crate::declaration::{Built, Declaration, MakeFault, OUTPUTS_MAX};

/// Two values closer than this, relative to themselves, are the same.
pub const SAME_RELATIVE: f64 = 1e-9;
/// How many later beginnings are tried.
const BEGINNINGS: usize = 6;

/// Bars until the values of an indicator no longer depend on where history began: the most over several beginnings
/// in the first half of `candles`. Two values are the same when they differ by less than [`SAME_RELATIVE`] of
/// themselves or, near zero, of the output's mean size. `None` when some value never came to agree within the
/// series: then it is too short, or the indicator never forgets.
///
/// # Errors
/// Parameters that are out of bounds.
pub fn forgets_after(
    declaration: &'static Declaration,
    parameters: &[f64],
    candles: &[Candle],
) -> Result<Option<usize>, MakeFault> {
    let make = || declaration.of(parameters.to_vec());
    let whole = answers(make()?, candles);
    let sizes = mean_sizes(&whole);
    let mut most = 0;
    for beginning in (1..=BEGINNINGS).map(|i| i * candles.len() / (2 * BEGINNINGS)) {
        let late = answers(make()?, &candles[beginning..]);
        let differs = |at: &usize| !is_same(&whole[beginning + at], &late[*at], &sizes);
        let last = (0..late.len()).rev().find(differs);
        let bars = last.map_or(0, |last| last + 1);
        if bars == late.len() {
            return Ok(None);
        }
        // The bar after the last that differed is the first to agree.
        most = most.max(bars + 1);
    }
    Ok(Some(most))
}

type Answers = [Option<f64>; OUTPUTS_MAX];

fn answers(mut built: Built, candles: &[Candle]) -> Vec<Answers> {
    candles.iter().map(|candle| built.update(candle)).collect()
}

fn mean_sizes(answers: &[Answers]) -> [f64; OUTPUTS_MAX] {
    std::array::from_fn(|output| {
        let known = answers.iter().filter_map(|answers| answers[output]);
        let (sum, count) = known.fold((0.0, 0.0), |(sum, count), x| (sum + x.abs(), count + 1.0));
        sum / f64::max(count, 1.0)
    })
}

fn is_same(a: &Answers, b: &Answers, sizes: &[f64; OUTPUTS_MAX]) -> bool {
    a.iter().zip(b).zip(sizes).all(|((a, b), size)| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= SAME_RELATIVE * a.abs().max(*size),
        (a, b) => a.is_none() && b.is_none(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::Memory;
    use crate::golden_test::candles;
    use crate::property_test::variants;
    use crate::table;

    #[test]
    fn what_is_declared_is_true_on_a_real_index_and_on_minutes() {
        for (series, session) in [("sp500_daily", None), ("synth_minute", Some(390))] {
            let mut bars = candles(series);
            for (candle, other) in bars.iter_mut().zip(candles("sp500_daily")) {
                candle.second = Some(other.close);
            }
            bars.truncate(5_000);
            for built in table::all().flat_map(variants) {
                let declaration = built.declaration();
                let declared = match declaration.memory {
                    Memory::Window(bars) | Memory::Fading(bars) => Some(bars(built.parameters())),
                    Memory::Session => match session {
                        Some(session) => Some(2 * session),
                        None => continue,
                    },
                    Memory::Forever => None,
                };
                let measured = forgets_after(declaration, built.parameters(), &bars).unwrap();
                match declared {
                    None => assert_eq!(measured, None, "{} never forgets", built.label()),
                    // Kaufman's slow average outlives half the series.
                    Some(declared) if declared * 2 > bars.len() => {}
                    Some(declared) => assert!(
                        measured.is_some_and(|measured| measured <= declared),
                        "{series} {}: {measured:?} bars, declared {declared}",
                        built.label()
                    ),
                }
            }
        }
    }

    #[test]
    fn a_window_forgets_on_the_bar_its_length_says() {
        let bars = candles("sp500_daily");
        let sma = table::find("sma").unwrap();
        assert_eq!(forgets_after(sma, &[20.0], &bars).unwrap(), Some(20));
        assert_eq!(forgets_after(sma, &[20.0], &bars[..25]).unwrap(), None, "too short to say");
        assert!(forgets_after(sma, &[0.0], &bars).is_err());
    }
}
