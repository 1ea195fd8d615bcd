//! Properties of feature rows: nothing that is not a number ever leaves, asking changes nothing, warm-up holds.

use crate::candle::Candle;
use crate::features::{self, BOUND, MARKET_FEATURES};
use crate::golden_test::candles as golden_candles;
use crate::indicator::Series;
use crate::set::IndicatorSet;
use crate::table::{periods, warm_up};
use market::quote::Timeframe;
use proptest::prelude::*;

fn candle() -> impl Strategy<Value = Candle> {
    (1u32..2_000_000, 0u32..4_000, 0u32..4_000, 0.0..=1.0f64, 0u32..3).prop_map(
        |(low, up, down, place, volume)| {
            let low = f64::from(low) / 100.0;
            let (high, volume) = (low + f64::from(up) / 100.0, f64::from(volume * down));
            let close = low + (high - low) * place;
            Candle { open: low, high, low, close, volume, turnover: close * volume, session: 1, second: None }
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
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_value_of_every_row_is_a_number(candles in series()) {
        for timeframe in [Timeframe::Min1, Timeframe::Month1, Timeframe::Year1] {
            let mut set = IndicatorSet::new(periods(timeframe));
            for candle in &candles {
                let (row, missing) = features::row(timeframe, &set, candle, 0.25);
                prop_assert!(row.iter().all(|x| x.is_finite() && f64::from(x.abs()) <= BOUND), "{row:?}");
                prop_assert!((missing as usize) < MARKET_FEATURES);
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
        prop_assert_eq!(&asked, &left_alone);
        let mut copy = IndicatorSet::new(periods(timeframe));
        copy.clone_from(&asked);
        prop_assert_eq!(copy, asked);
    }
}

#[test]
fn rows_are_whole_once_the_declared_warm_up_is_over() {
    let candles = golden_candles("sp500_daily");
    for timeframe in [Timeframe::Day1, Timeframe::Month1, Timeframe::Year1] {
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
        let r = set.variance_slow.forming_return(0.01);
        (set.sma.forming(1300.0), set.zscore.forming(1290.0), r, set.trend.forming(1300.0))
    };
    assert_eq!(row_after(&candles), row_after(&fresh), "windows are summed afresh: bit for bit the same");
}
