//! Fitted surfaces: they follow the quotes, and a dense grid finds no arbitrage on them.

use crate::european::{Terms, greeks};
use crate::smile::{SmilePoint, Svi, fit};
use crate::surface::Surface;
use market::Right;
use proptest::prelude::*;

fn points(svi: &Svi, years: f64, n: usize, noise: f64) -> Vec<SmilePoint> {
    let deviation = svi.variance(0.0).sqrt();
    let point = |i: usize| {
        let k = deviation * (5.0 * i as f64 / (n - 1) as f64 - 3.0);
        let jitter = noise * (((i * 7919 + 13) % 101) as f64 / 50.0 - 1.0);
        SmilePoint { k, vol: svi.vol(k, years) + jitter, half_spread: 0.003, weight: 1.0 }
    };
    (0..n).map(point).collect()
}

const SKEWED: Svi = Svi { a: 0.0004, b: 0.02, rho: -0.6, m: 0.01, sigma: 0.06 };

/// No butterfly: call prices of a slice fall and are convex in strike; no calendar: at equal moneyness the
/// undiscounted price over forward rises with time.
fn free_of_arbitrage(surface: &Surface) {
    for slice in surface.slices() {
        let forward = slice.terms.forward();
        let deviation = slice.smile.variance(0.0).sqrt();
        let call = |k: f64| greeks(Right::Call, &slice.terms, k, slice.vol(k)).price;
        let step = 0.02 * deviation * forward;
        let mut strike = forward * (-4.5 * deviation).exp();
        while strike < forward * (4.5 * deviation).exp() {
            let (a, b, c) = (call(strike - step), call(strike), call(strike + step));
            assert!(a >= b - 1e-9 * forward && b >= c - 1e-9 * forward, "vertical at {strike}");
            assert!(a - 2.0 * b + c >= -1e-10 * forward, "butterfly at {strike}: {:e}", a - 2.0 * b + c);
            strike += step;
        }
    }
    assert!(surface.is_calendar_free(0.2));
}

#[test]
fn a_true_smile_is_found_again() {
    let years = 0.1;
    let given = points(&SKEWED, years, 60, 0.0);
    let found = fit(&given, years, None, None).expect("enough points");
    assert!(!found.repaired && found.rms_vol < 2e-4, "{found:?}");
    let moved: Vec<SmilePoint> = given.iter().map(|p| SmilePoint { vol: p.vol + 0.004, ..*p }).collect();
    let warm = fit(&moved, years, Some(&found.svi), None).expect("enough points");
    assert!(warm.rms_vol < 4e-4, "{warm:?}");
    assert!(fit(&given[..4], years, None, None).is_none());
}

#[test]
fn quotes_that_hold_arbitrage_give_a_surface_that_does_not() {
    let mut surface = Surface::new();
    let near = points(&SKEWED, 0.1, 40, 0.01);
    surface.refit(&Terms::new(100.0, 0.1, 0.03, 0.0), &near).expect("points");
    // The later expiry is quoted below the earlier one.
    let cheap: Vec<SmilePoint> = near.iter().map(|p| SmilePoint { vol: 0.6 * p.vol, ..*p }).collect();
    surface.refit(&Terms::new(100.0, 0.2, 0.03, 0.0), &cheap).expect("points");
    // A tent that no density can have.
    let tent: Vec<SmilePoint> =
        near.iter().map(|p| SmilePoint { vol: 0.25 + 3.0 * p.k.abs(), half_spread: 0.001, ..*p }).collect();
    surface.refit(&Terms::new(100.0, 0.3, 0.03, 0.0), &tent).expect("points");
    assert_eq!(surface.slices().len(), 3);
    free_of_arbitrage(&surface);
}

#[test]
fn the_surface_answers_by_delta_strike_and_time() {
    let mut surface = Surface::new();
    for (years, scale) in [(0.1, 1.0), (0.25, 2.4), (0.5, 4.5)] {
        let svi = Svi { a: SKEWED.a * scale, b: SKEWED.b * scale, ..SKEWED };
        surface
            .refit(&Terms::new(100.0, years, 0.03, 0.01), &points(&svi, years, 50, 0.0005))
            .expect("points");
    }
    let first = surface.slices()[0];
    let strike = first.strike_of_delta(Right::Put, 0.25).expect("there is one");
    let delta = greeks(Right::Put, &first.terms, strike, first.vol(strike)).delta;
    assert!((delta + 0.25).abs() < 1e-9 && strike < 100.0);
    let summary = first.summary().expect("quarter deltas");
    assert!(summary.risk_reversal_25 < 0.0, "puts are dearer: {summary:?}");
    let rule = 0.8 * summary.atm_vol * 0.1f64.sqrt() * first.terms.forward();
    assert!((summary.expected_move / rule - 1.0).abs() < 0.02, "{summary:?}");
    assert_eq!(surface.term_structure().count(), 3);
    let mut before = 0.0;
    for i in 1..80 {
        let w = surface.variance(-0.05, 0.01 * f64::from(i)).expect("expiries");
        assert!(w > before, "total variance rises with time");
        before = w;
    }
    let (mut last, mut strike) = (1.0, 50.0);
    while strike < 150.0 {
        let above = first.probability_above(strike);
        assert!(above <= last + 1e-9);
        (last, strike) = (above, strike + 0.5);
    }
    assert!(first.probability_above(50.0) > 0.999 && last < 0.001);
    let vol = surface.slices()[1].smile.vol(0.0, 0.25);
    surface.pass(0.12);
    assert_eq!(surface.slices().len(), 2, "the first expiry is over");
    assert!((surface.slices()[0].smile.vol(0.0, 0.13) - vol).abs() < 1e-12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn no_quotes_lead_to_arbitrage(
        vols in proptest::collection::vec(proptest::collection::vec(0.05f64..0.9, 12), 3),
    ) {
        let mut surface = Surface::new();
        // The second round follows the smiles of the first one, a per cent away.
        for round in 0..2 {
            for (i, row) in vols.iter().enumerate() {
                let years = 0.1 * (i + 1) as f64;
                let vol = |j: usize, v: f64| v * (1.0 + 0.01 * f64::from(round) * ((j % 3) as f64 - 1.0));
                let point = |(j, v): (usize, &f64)| {
                    SmilePoint { k: 0.04 * (j as f64 - 6.0), vol: vol(j, *v), half_spread: 0.004, weight: 1.0 }
                };
                let points: Vec<SmilePoint> = row.iter().enumerate().map(point).collect();
                surface.refit(&Terms::new(100.0, years, 0.03, 0.0), &points);
                let at = surface.slices().partition_point(|s| s.terms.years <= years + 1e-9) - 1;
                let before = at.checked_sub(1).map(|i| surface.slices()[i].smile);
                prop_assert!(surface.slices()[at].smile.is_free(before.as_ref()), "{} {:?}", round, surface.slices()[at]);
            }
        }
    }
}
