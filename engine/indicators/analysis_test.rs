//! The whole analysis: saved and restored in the middle of a bar, no look into the future, small enough.

use crate::analysis::Analysis;
use crate::features::{ChainSigns, FEATURES, MARKET_FEATURES, Made, fill};
use crate::property_test::Walk;
use crate::set::IndicatorSet;
use crate::state::StateFault;
use crate::table::{self, periods};
use market::quote::{Level, Quote, SaleRule, Timeframe, Trade};
use market::time::{MINUTE, SECOND};
use market::{Date, Price, Timestamp, session};
use proptest::prelude::*;

/// Trades and quotes of several sessions, a few seconds to minutes apart.
fn ticks(seed: u64, count: usize) -> Vec<(Timestamp, i64, u32, bool)> {
    let mut state = seed | 1;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut day = session::session(Date::literal(2025, 6, 16)).expect("a session");
    let (mut at, mut cents) = (day.open, 50_000i64);
    (0..count)
        .map(|_| {
            at = at + (random(90) as i64) * SECOND;
            if at >= day.close {
                day = session::offset(day.date, 1).expect("in the calendar");
                at = day.open + SECOND;
            }
            cents += random(41) as i64 - 20;
            (at, cents, random(300) as u32 + 1, random(3) == 0)
        })
        .collect()
}

fn feed(analysis: &mut Analysis, (at, cents, size, is_quote): (Timestamp, i64, u32, bool), id: u64) {
    let level = |by: i64| Some(Level { price: Price::from_cents(cents + by), size: 3 });
    if is_quote {
        analysis.on_quote(at, &Quote { bid: level(-1), ask: level(1), at });
    } else {
        let trade = Trade { price: Price::from_cents(cents), size, at, id, rule: SaleRule::Regular };
        analysis.on_trade(at, &trade);
    }
}

fn rows(analysis: &mut Analysis) -> Vec<u32> {
    Timeframe::ALL.iter().flat_map(|timeframe| analysis.features(*timeframe).map(f32::to_bits)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn saved_and_restored_anywhere_it_goes_on_exactly(seed in any::<u64>(), cut in 0usize..1_500) {
        let ticks = ticks(seed, 1_600);
        let mut one = Analysis::new();
        for (id, tick) in ticks[..cut].iter().enumerate() {
            feed(&mut one, *tick, id as u64 + 1);
        }
        one.on_chain(ChainSigns { iv_rank: Some(0.3), ..ChainSigns::default() });
        let bytes = one.save();
        let mut other = Analysis::restore(&bytes).expect("just saved");
        prop_assert_eq!(&other.save(), &bytes);
        for (id, tick) in ticks[cut..].iter().enumerate() {
            let id = (cut + id) as u64 + 1;
            feed(&mut one, *tick, id);
            feed(&mut other, *tick, id);
            if id.is_multiple_of(16) || id == 1_600 {
                prop_assert_eq!(rows(&mut one), rows(&mut other));
                prop_assert_eq!(one.missing(Timeframe::Min1), other.missing(Timeframe::Min1));
                for timeframe in Timeframe::ALL {
                    prop_assert_eq!(one.bar(timeframe), other.bar(timeframe));
                    prop_assert_eq!(one.last_closed(timeframe), other.last_closed(timeframe));
                }
            }
        }
        prop_assert_eq!(one.deadline(), other.deadline());
        prop_assert_eq!(one.save(), other.save());
    }

    /// A row made of the bars up to a cut is the row of that bar, whatever comes later: what the whole series gives at
    /// random cuts is what a series that ends there gives, for every indicator and every feature.
    #[test]
    fn the_future_changes_no_past_row(seed in any::<u64>(), cuts in proptest::collection::vec(1usize..400, 4)) {
        let candles = Walk::new(seed, 1.0, true).take(400);
        let made = |candles: &[crate::candle::Candle], timeframe| -> Vec<Made> {
            let mut set = IndicatorSet::new(periods(timeframe));
            let row = |candle| {
                let made = fill(timeframe, &set, candle, 0.0, &ChainSigns::default());
                set.update(candle);
                made
            };
            candles.iter().map(row).collect()
        };
        for timeframe in [Timeframe::Min1, Timeframe::Day1, Timeframe::Month1, Timeframe::Year1] {
            let whole = made(&candles, timeframe);
            for cut in &cuts {
                // The future of the cut series is another one altogether.
                let mut other = candles[..*cut].to_vec();
                other.extend(Walk::new(!seed, 3.0, false).take(20));
                prop_assert_eq!(&made(&candles[..*cut], timeframe)[..], &whole[..*cut]);
                prop_assert_eq!(&made(&other, timeframe)[..*cut], &whole[..*cut]);
            }
        }
        for declaration in table::all() {
            let answers = |candles: &[crate::candle::Candle]| {
                let mut built = declaration.of(vec![]).expect("defaults");
                candles.iter().map(|candle| built.update(candle)).collect::<Vec<_>>()
            };
            let whole = answers(&candles);
            for cut in &cuts[..2] {
                prop_assert_eq!(&answers(&candles[..*cut])[..], &whole[..*cut], "{}", declaration.name);
            }
        }
    }
}

#[test]
fn bytes_that_are_no_saved_analysis_are_refused_by_name() {
    let saved = Analysis::new().save();
    let fault = |bytes: &[u8]| Analysis::restore(bytes).map(|_| ()).unwrap_err();
    assert_eq!(fault(b"nothing of the kind"), StateFault::Foreign("analysis"));
    assert!(matches!(fault(&saved[..saved.len() / 2]), StateFault::Length { .. }));
    let mut old = saved.clone();
    old[4] = 0;
    assert!(fault(&old).to_string().contains("has layout 0, this program reads 1"), "{}", fault(&old));
    let mut other_schema = saved.clone();
    other_schema[9] ^= 1;
    assert_eq!(fault(&other_schema), StateFault::Schema("analysis"));
    let mut changed = saved;
    let last = changed.len() - 1;
    changed[last] ^= 1;
    assert_eq!(fault(&changed), StateFault::Checksum("analysis"));
}

/// What is held is what is saved, near enough: fields are written at full width but for small integers. The session's
/// minutes are counted at their full length.
#[test]
fn a_symbol_stays_under_256_kilobytes() {
    let mut analysis = Analysis::new();
    for (id, tick) in ticks(3, 3_000).into_iter().enumerate() {
        feed(&mut analysis, tick, id as u64 + 1);
    }
    let sets: usize = Timeframe::ALL
        .iter()
        .map(|t| postcard::to_allocvec(&IndicatorSet::new(periods(*t))).expect("plain data").len())
        .sum();
    // The board and its copy of the morning, and everything else inline or in the session's minutes.
    let own = std::mem::size_of::<Analysis>() + 2 * Timeframe::COUNT * std::mem::size_of::<IndicatorSet>();
    let total = analysis.save().len() + own;
    println!("indicator windows {sets} bytes, in all at most {total} bytes");
    assert!(total < 256 * 1024, "{total} bytes");
}

#[test]
fn the_chain_is_in_every_row_until_it_says_something_else() {
    let mut analysis = Analysis::new();
    for (id, tick) in ticks(3, 300).into_iter().enumerate() {
        feed(&mut analysis, tick, id as u64 + 1);
    }
    analysis.features(Timeframe::Min5);
    let before = analysis.missing_values(Timeframe::Min5);
    assert_eq!(before.count() - before.of_market(), (FEATURES - MARKET_FEATURES) as u32);
    analysis.on_chain(ChainSigns { put_call_volume: Some(1.5), ..ChainSigns::default() });
    assert!((analysis.features(Timeframe::Min5)[33] - 1.5f32.ln()).abs() < 1e-6);
    assert_eq!(analysis.missing(Timeframe::Min5), before.of_market());
    let at = session::session(Date::literal(2025, 6, 16)).unwrap().open + 30 * 24 * 60 * MINUTE;
    analysis.advance(at);
    assert!((analysis.features(Timeframe::Min5)[33] - 1.5f32.ln()).abs() < 1e-6, "in closed rows too");
}
