//! Properties: a forming value is what the update would give and disturbs nothing, incremental equals batch, and
//! nothing that is not a number ever leaves.

use crate::candle::Candle;
use crate::deviation::Moments;
use crate::features::{self, BOUND};
use crate::golden_test::candles as golden_candles;
use crate::set::IndicatorSet;
use crate::stochastic::Stochastic;
use crate::table::{TABLE, periods, warm_up};
use crate::volume::SignedVolume;
use market::quote::Timeframe;
use proptest::prelude::*;

fn candle() -> impl Strategy<Value = Candle> {
    (1u32..2_000_000, 0u32..4_000, 0u32..4_000, 0.0..=1.0f64, 0u32..3).prop_map(
        |(low, up, down, place, volume)| {
            let low = f64::from(low) / 100.0;
            let (high, volume) = (low + f64::from(up) / 100.0, f64::from(volume * down));
            let close = low + (high - low) * place;
            Candle { open: low, high, low, close, volume, turnover: close * volume, session: 1 }
        },
    )
}

/// Walks of a few cents, constants and wild jumps.
fn series() -> impl Strategy<Value = Vec<Candle>> {
    let steady = (candle(), 1usize..120).prop_map(|(c, n)| vec![c; n]);
    let wild = proptest::collection::vec(candle(), 1..120);
    proptest::collection::vec(prop_oneof![steady, wild], 1..3).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn every_value_of_every_row_is_a_number(candles in series()) {
        for timeframe in [Timeframe::Min1, Timeframe::Month1, Timeframe::Year1] {
            let mut set = IndicatorSet::new(periods(timeframe));
            for candle in &candles {
                let (row, missing) = features::row(timeframe, &set, candle, 0.25);
                prop_assert!(row.iter().all(|x| x.is_finite() && f64::from(x.abs()) <= BOUND), "{row:?}");
                prop_assert!((missing as usize) < row.len());
                set.update(candle);
            }
        }
    }

    #[test]
    fn asking_changes_nothing(candles in series(), other in candle()) {
        let timeframe = Timeframe::Min5;
        let (mut asked, mut left_alone) = (IndicatorSet::new(periods(timeframe)), IndicatorSet::new(periods(timeframe)));
        for candle in &candles {
            features::row(timeframe, &asked, &other, 0.0);
            asked.update(candle);
            left_alone.update(candle);
        }
        prop_assert_eq!(features::row(timeframe, &asked, &other, 0.0), features::row(timeframe, &left_alone, &other, 0.0));
    }

    #[test]
    fn deviations_equal_those_of_the_whole_window(values in proptest::collection::vec(-1e6..1e6f64, 1..90), period in 1usize..30) {
        let mut moments = Moments::new(period);
        for end in 1..=values.len() {
            let forming = moments.forming(values[end - 1]);
            prop_assert_eq!(forming, moments.update(values[end - 1]));
            prop_assert_eq!(forming.is_some(), end >= period);
            let Some(spread) = forming else { continue };
            let window = &values[end - period..end];
            let mean = window.iter().sum::<f64>() / period as f64;
            let squares: f64 = window.iter().map(|x| (x - mean) * (x - mean)).sum();
            prop_assert!((spread.mean - mean).abs() <= 1e-9 * 1e6);
            prop_assert!((spread.squares - squares).abs() <= 1e-9 * squares + 1e-6, "{} {squares}", spread.squares);
        }
    }

    #[test]
    fn range_position_and_signed_volume_equal_batch(candles in series()) {
        let (mut stochastic, mut signed) = (Stochastic::new(14, 1, 1), SignedVolume::new(20));
        for end in 1..=candles.len() {
            let candle = &candles[end - 1];
            let lines = stochastic.update(candle);
            prop_assert_eq!(lines.is_some(), end >= 14);
            if let Some(lines) = lines {
                let window = &candles[end - 14..end];
                let high = window.iter().fold(f64::MIN, |h, c| h.max(c.high));
                let low = window.iter().fold(f64::MAX, |l, c| l.min(c.low));
                let wanted = if high > low { (candle.close - low) / (high - low) * 100.0 } else { 0.0 };
                prop_assert!((lines.k - wanted).abs() < 1e-9);
            }
            let share = signed.update(candle);
            if end > 20 {
                let pairs = candles[end - 21..end].windows(2);
                let (up, all) = pairs.fold((0.0, 0.0), |(up, all), w| {
                    let sign = f64::from(i8::from(w[1].close > w[0].close) - i8::from(w[1].close < w[0].close));
                    (up + sign * w[1].volume, all + w[1].volume)
                });
                prop_assert_eq!(share.is_some(), all > 0.0);
                let wanted = if all > 0.0 { up / all } else { 0.0 };
                prop_assert!((share.unwrap_or(0.0) - wanted).abs() < 1e-9);
            } else {
                prop_assert_eq!(share, None);
            }
        }
    }
}

#[test]
fn rows_are_whole_once_the_declared_warm_up_is_over() {
    let candles = golden_candles("sp500_daily");
    for timeframe in Timeframe::ALL {
        let mut set = IndicatorSet::new(periods(timeframe));
        let mut whole_from = None;
        for (bar, candle) in candles.iter().enumerate() {
            let (_, missing) = features::row(timeframe, &set, candle, 0.0);
            if missing == 0 {
                whole_from.get_or_insert(bar);
            }
            set.update(candle);
        }
        // The row of bar n needs n + 1 bars; slopes and the finished volume need one more.
        let whole_from = whole_from.expect("enough bars") + 1;
        assert!(
            whole_from <= warm_up(timeframe) + 1,
            "{timeframe}: {whole_from} > {} + 1",
            warm_up(timeframe)
        );
    }
    assert!(TABLE.iter().all(|i| !i.name.is_empty() && !i.source.is_empty()));
    assert_eq!(warm_up(Timeframe::Year1), 7);
}

#[test]
fn a_poisonous_bar_is_forgotten() {
    let mut candles = golden_candles("sp500_daily");
    candles.truncate(400);
    let fresh = candles.clone();
    let spike = &mut candles[100];
    (spike.high, spike.close, spike.volume) = (1e12, 1e12, 1e15);
    let row_after = |candles: &[Candle]| {
        let mut set = IndicatorSet::new(periods(Timeframe::Min1));
        candles.iter().for_each(|candle| set.update(candle));
        (set.sma.forming(1300.0), set.zscore.forming(&candles[0]), set.variance_slow.forming(&candles[0]))
    };
    assert_eq!(row_after(&candles), row_after(&fresh), "windows are summed afresh: bit for bit the same");
}
