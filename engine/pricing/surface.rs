//! The volatility surface of one underlying: a smile an expiry, each free of butterfly arbitrage and none below the one
//! before, joined linearly in total variance at equal log-moneyness, which keeps the calendar free between
//! expiries too. It answers by strike, by delta and by time, and sums itself up as desks do.

use crate::elementary::normal;
use crate::european::{Terms, greeks};
use crate::ripple::Smile;
use crate::smile::{Fit, SmilePoint, Svi, fit};
use market::Right;

/// One expiry of the surface.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slice {
    /// Spot, rate, yield and time.
    pub terms: Terms,
    /// Total variance by log-moneyness.
    pub smile: Smile,
    /// How the last fit of its SVI went.
    pub fit: Fit,
}

/// What a desk asks of an expiry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Time to expiry.
    pub years: f64,
    /// Volatility at the forward.
    pub atm_vol: f64,
    /// 25-delta call volatility less 25-delta put volatility.
    pub risk_reversal_25: f64,
    /// Mean of both less the volatility at the forward.
    pub butterfly_25: f64,
    /// The straddle at the forward, dollars per share: what the market expects the move to be, on average.
    pub expected_move: f64,
}

impl Slice {
    /// Volatility a year at a strike.
    pub fn vol(&self, strike: f64) -> f64 {
        self.smile.vol(libm::log(strike / self.terms.forward()), self.terms.years)
    }

    /// The strike whose option has this delta's size (0 to 1) at its own volatility; `None` when none has.
    pub fn strike_of_delta(&self, right: Right, delta: f64) -> Option<f64> {
        let forward = self.terms.forward();
        let size = |k: f64| {
            let strike = forward * libm::exp(k);
            greeks(right, &self.terms, strike, self.smile.vol(k, self.terms.years)).delta.abs()
        };
        let reach = 8.0 * self.smile.variance(0.0).sqrt() + 0.1;
        // The size of delta falls with the strike for calls, rises for puts.
        let rising = right == Right::Put;
        let (mut low, mut high) = (-reach, reach);
        if (size(low) < delta) != rising || (size(high) < delta) == rising {
            return None;
        }
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            if (size(middle) < delta) == rising { low = middle } else { high = middle }
        }
        Some(forward * libm::exp(0.5 * (low + high)))
    }

    /// Its summary; `None` when no strike has a delta of a quarter.
    pub fn summary(&self) -> Option<Summary> {
        let forward = self.terms.forward();
        let atm_vol = self.vol(forward);
        let call = self.vol(self.strike_of_delta(Right::Call, 0.25)?);
        let put = self.vol(self.strike_of_delta(Right::Put, 0.25)?);
        let value = |right| greeks(right, &self.terms, forward, atm_vol).price;
        Some(Summary {
            years: self.terms.years,
            atm_vol,
            risk_reversal_25: call - put,
            butterfly_25: 0.5 * (call + put) - atm_vol,
            expected_move: value(Right::Call) + value(Right::Put),
        })
    }

    /// The probability, under the surface's own risk-neutral law, that the spot ends above `strike`: the price of a
    /// digital, its skew included. The law is a true distribution because the smile is free of butterflies.
    pub fn probability_above(&self, strike: f64) -> f64 {
        if strike <= 0.0 {
            return 1.0;
        }
        let k = libm::log(strike / self.terms.forward());
        let (w, slope, _) = self.smile.shape(k);
        let root = w.max(1e-18).sqrt();
        let d2 = -k / root - 0.5 * root;
        // -dC/dK of the undiscounted call: N(d2) less the density at d2 times the slope of the root of variance.
        (normal(d2) - crate::elementary::density(d2) * slope / (2.0 * root)).clamp(0.0, 1.0)
    }
}

/// Expiries to make room for at first.
const EXPIRIES_ROOM: usize = 64;

/// All expiries of one underlying, nearest first.
#[derive(Clone, Debug, Default)]
pub struct Surface {
    slices: Vec<Slice>,
}

impl Surface {
    /// An empty surface. Allocates its room once.
    pub fn new() -> Self {
        Self { slices: Vec::with_capacity(EXPIRIES_ROOM) }
    }

    /// The expiries, nearest first.
    pub fn slices(&self) -> &[Slice] {
        &self.slices
    }

    /// Fits or refits one expiry, warm from its last smile, over the smile of the expiry before. The expiries after
    /// it are refitted by the caller in rising order when [`Self::is_calendar_free`] says so. `None`, and nothing is
    /// changed, when the points are too few.
    pub fn refit(&mut self, terms: &Terms, points: &[SmilePoint]) -> Option<Fit> {
        // Within a minute it is the same expiry, a little nearer.
        let minute = 60.0 / crate::european::SECONDS_PER_YEAR;
        let place = self.slices.partition_point(|s| s.terms.years < terms.years - minute);
        let same = self.slices.get(place).filter(|s| (s.terms.years - terms.years).abs() <= minute).copied();
        let before = place.checked_sub(1).map(|i| self.slices[i].smile);
        let last = same.map(|s| s.fit.svi);
        let kept = same.filter(|s| s.fit.svi.still_fits(points, terms.years)).map(|s| s.fit);
        let alone = kept.or_else(|| fit(points, terms.years, last.as_ref(), None))?;
        let held = same.map(|s| s.smile);
        let rippled = Smile::rippled(alone.svi, points, terms.years, held.as_ref(), before.as_ref());
        let (found, smile) = match rippled {
            Some(smile) => (alone, smile),
            None => self.above(terms, points, place, last.as_ref())?,
        };
        let slice = Slice { terms: *terms, smile, fit: found };
        match same {
            Some(_) => self.slices[place] = slice,
            None => self.slices.insert(place, slice),
        }
        Some(found)
    }

    /// The fit whose SVI itself stays above the SVI before: where no spline alone makes the smile free.
    fn above(
        &self,
        terms: &Terms,
        points: &[SmilePoint],
        place: usize,
        last: Option<&Svi>,
    ) -> Option<(Fit, Smile)> {
        let before = place.checked_sub(1).map(|i| self.slices[i].smile);
        let found = fit(points, terms.years, last, before.map(|s| s.svi).as_ref())?;
        let smile = Smile::over(found.svi, points, terms.years, before.as_ref());
        let smile = smile.or_else(|| Some(before?.lifted(points, terms.years)))?;
        Some((found, smile))
    }

    /// Lets `years` pass for all expiries: those over are dropped, the others' smiles keep their volatility.
    pub fn pass(&mut self, years: f64) {
        for s in &mut self.slices {
            let left = s.terms.years - years;
            let share = (left / s.terms.years).max(0.0);
            s.smile.svi = s.smile.svi.times(share);
            s.fit.svi = s.fit.svi.times(share);
            s.smile.ripple = s.smile.ripple.times(share);
            s.terms = Terms::new(s.terms.spot, left.max(0.0), s.terms.rate, s.terms.dividend_yield);
        }
        self.slices.retain(|s| s.terms.years > 0.0);
    }

    /// True when no smile lies below an earlier one over the log-moneyness `-reach..reach`.
    pub fn is_calendar_free(&self, reach: f64) -> bool {
        let above =
            |k: f64| self.slices.windows(2).all(|p| p[1].smile.variance(k) >= p[0].smile.variance(k) - 1e-12);
        (0..=400).all(|i| above(reach * (f64::from(i) / 200.0 - 1.0)))
    }

    /// Total variance at log-moneyness `k` and any time: linear between expiries, flat in volatility outside them.
    /// `None` without expiries.
    pub fn variance(&self, k: f64, years: f64) -> Option<f64> {
        let after = self.slices.partition_point(|s| s.terms.years < years);
        let at = |i: usize| self.slices[i].smile.variance(k);
        if self.slices.is_empty() || years.is_nan() || years <= 0.0 {
            return None;
        }
        if after == 0 {
            return Some(at(0) * years / self.slices[0].terms.years);
        }
        let (before, t0) = (at(after - 1), self.slices[after - 1].terms.years);
        if after == self.slices.len() {
            return Some(before * years / t0);
        }
        let share = (years - t0) / (self.slices[after].terms.years - t0);
        Some(before + share * (at(after) - before))
    }

    /// Volatility a year at log-moneyness `k` and any time.
    pub fn vol(&self, k: f64, years: f64) -> Option<f64> {
        Some((self.variance(k, years)?.max(0.0) / years).sqrt())
    }

    /// The volatility at the forward by time: the term structure.
    pub fn term_structure(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.slices.iter().map(|s| (s.terms.years, s.smile.vol(0.0, s.terms.years)))
    }
}
