//! The probability that a lognormal spot touches a price, or one of two, before a time: the reflection principle, and its
//! images between two barriers.

use crate::elementary::normal;
use crate::european::Terms;

/// Probability that a lognormal spot touches `barrier` before `years` have passed (the reflection principle).
pub fn probability_of_touch(terms: &Terms, barrier: f64, vol: f64) -> f64 {
    let h = libm::log(barrier / terms.spot);
    let deviation = vol * terms.root;
    if h == 0.0 {
        return 1.0;
    }
    if deviation.is_nan() || deviation <= 0.0 {
        let reached = libm::log(terms.forward() / terms.spot);
        return f64::from(u8::from(reached / h >= 1.0));
    }
    let drift = (terms.rate - terms.dividend_yield - 0.5 * vol * vol) * terms.years;
    let side = h.signum();
    let direct = normal(side * (drift - h) / deviation);
    let power = libm::exp((2.0 * drift * h / (deviation * deviation)).min(700.0));
    (direct + power * normal(-side * (h + drift) / deviation)).clamp(0.0, 1.0)
}

/// Images on either side that count: further ones carry less than a double's digits once the barriers are a hundredth of a
/// deviation apart.
const IMAGES: i32 = 400;

/// Probability that a lognormal spot touches one of two prices, `below` and `above` it, before `years` have passed: one
/// less the probability of staying between them. The spot outside of the two has touched already.
pub fn probability_of_either(terms: &Terms, below: f64, above: f64, vol: f64) -> f64 {
    let (low, high) = (libm::log(below / terms.spot), libm::log(above / terms.spot));
    let deviation = vol * terms.root;
    if low >= 0.0 || high <= 0.0 {
        return 1.0;
    }
    if deviation.is_nan() || deviation <= 0.0 {
        let one = |barrier| probability_of_touch(terms, barrier, vol);
        return one(below).max(one(above));
    }
    let variance = deviation * deviation;
    let drift = (terms.rate - terms.dividend_yield - 0.5 * vol * vol) * terms.years;
    let width = high - low;
    // An image at `at`: its share of the paths that end between the barriers, tilted by the drift.
    let image = |at: f64| {
        let inside = normal((high - at - drift) / deviation) - normal((low - at - drift) / deviation);
        if inside > 0.0 { libm::exp((drift * at / variance).min(700.0)) * inside } else { 0.0 }
    };
    let term = |n: i32| image(2.0 * f64::from(n) * width) - image(2.0 * high - 2.0 * f64::from(n) * width);
    let reach = (8.0 * deviation / width) as i32 + 2;
    let stays: f64 = (-reach.min(IMAGES)..=reach.min(IMAGES)).map(term).sum();
    (1.0 - stays).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        Terms::new(100.0, 0.25, 0.04, 0.01)
    }

    #[test]
    fn a_barrier_far_away_does_not_count() {
        for barrier in [80.0, 95.0, 99.5] {
            let one = probability_of_touch(&terms(), barrier, 0.2);
            assert!((probability_of_either(&terms(), barrier, 1e6, 0.2) - one).abs() < 1e-12, "{barrier}");
        }
        for barrier in [100.5, 104.0, 130.0] {
            let one = probability_of_touch(&terms(), barrier, 0.2);
            assert!((probability_of_either(&terms(), 1e-3, barrier, 0.2) - one).abs() < 1e-12, "{barrier}");
        }
    }

    #[test]
    fn two_barriers_lie_between_the_larger_and_the_sum() {
        for (low, high) in [(95.0, 105.0), (90.0, 112.0), (99.0, 101.0), (80.0, 101.0)] {
            let [a, b] = [low, high].map(|k| probability_of_touch(&terms(), k, 0.2));
            let either = probability_of_either(&terms(), low, high, 0.2);
            assert!(either >= a.max(b) - 1e-12 && either <= (a + b).min(1.0) + 1e-12, "{a} {b} {either}");
        }
        assert_eq!(probability_of_either(&terms(), 100.0, 120.0, 0.2), 1.0);
        assert_eq!(probability_of_either(&terms(), 90.0, 110.0, 0.0), 0.0, "nothing moves");
    }

    /// A walk on a lattice whose nodes are the barriers, absorbed there: it comes near as its steps get small.
    #[test]
    fn a_walk_on_a_lattice_agrees() {
        let (t, vol) = (terms(), 0.2);
        let (below, above) = (95.0f64, 108.0f64);
        let width = (above / below).ln();
        let cells = 240usize;
        let h = width / cells as f64;
        let drift = t.rate - t.dividend_yield - 0.5 * vol * vol;
        // Three ways a step: mean and variance as they are, a third of the time on the spot.
        let dt = h * h / (1.5 * vol * vol);
        let steps = (t.years / dt).round() as usize;
        let dt = t.years / steps as f64;
        let spread = vol * vol * dt / (h * h);
        let (up, down) = (0.5 * (spread + drift * dt / h), 0.5 * (spread - drift * dt / h));
        let start = -(below / t.spot).ln() / h;
        let mut mass = vec![0.0; cells + 1];
        let (i, share) = (start.floor() as usize, start.fract());
        (mass[i], mass[i + 1]) = (1.0 - share, share);
        for _ in 0..steps {
            let mut next = vec![0.0; cells + 1];
            for k in 1..cells {
                next[k + 1] += mass[k] * up;
                next[k - 1] += mass[k] * down;
                next[k] += mass[k] * (1.0 - up - down);
            }
            (next[0], next[cells]) = (0.0, 0.0);
            mass = next;
        }
        let touched = 1.0 - mass.iter().sum::<f64>();
        let found = probability_of_either(&t, below, above, vol);
        assert!((found - touched).abs() < 2e-4, "{found} {touched}");
    }
}
