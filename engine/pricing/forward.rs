//! The forward price and discount factor of an expiry as put-call parity implies them: call less put is
//! `discount * (forward - strike)`, a line over strikes. The line is fitted robustly, because single quotes are stale or
//! wrong: Theil and Sen's weighted median of slopes first, then least squares re-weighted by Tukey's biweight.
//! American options break parity by their exercise premiums: hand in strikes near the money only, or European prices.

use crate::european::Terms;

/// Both quotes of one strike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Dollars per share.
    pub strike: f64,
    /// Mid of the call less mid of the put.
    pub difference: f64,
    /// Half the sum of both spreads: how far `difference` may be off. Not zero.
    pub uncertainty: f64,
}

/// Forward and discount of one expiry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forward {
    /// Dollars per share.
    pub forward: f64,
    /// Present value of a dollar at expiry.
    pub discount: f64,
    /// Where it comes from.
    pub source: Source,
    /// Strikes that agreed; 0 for the fallback.
    pub pairs_used: usize,
}

/// Where a forward comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Forward and discount both from parity.
    Parity,
    /// The forward from parity; the discount, which the strikes did not determine, from the configured curve.
    ParityForward,
    /// Spot, configured curve and dividends.
    Configured,
}

/// What is configured, used where quotes do not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Configured {
    /// Dollars per share.
    pub spot: f64,
    /// Time to expiry.
    pub years: f64,
    /// Interest rate, a year.
    pub rate: f64,
    /// Continuous yield, a year.
    pub dividend_yield: f64,
    /// Present value of the cash dividends before expiry, dollars per share.
    pub dividends_present: f64,
}

impl Configured {
    fn discount(&self) -> f64 {
        libm::exp(-self.rate * self.years)
    }

    fn forward(&self) -> f64 {
        (self.spot - self.dividends_present) * libm::exp((self.rate - self.dividend_yield) * self.years)
    }
}

impl Forward {
    /// Terms for pricing on this forward.
    pub fn terms(&self, spot: f64, years: f64) -> Terms {
        Terms::on_forward(spot, self.forward, self.discount, years)
    }
}

/// Fewest pairs for a forward, and for a discount besides.
const PAIRS_MIN: usize = 3;
const PAIRS_MIN_DISCOUNT: usize = 6;
/// Most pairs of strikes whose slopes are compared: the nearest strikes to the spot.
const PAIRS_MAX: usize = 40;
/// The largest annual rate believed, and how far the discount may be off at most (one deviation) to be believed.
const RATE_MAX: f64 = 0.20;
const RATE_ERROR_MAX: f64 = 0.01;
/// How far a forward may lie from the configured one, as a share, before the quotes are not believed.
const DRIFT_MAX: f64 = 0.10;
/// Tukey's constant, in robust deviations.
const BIWEIGHT: f64 = 4.685;
const ROUNDS: u32 = 12;

/// The forward and discount of an expiry. `pairs` are those of liquid strikes in any order; what is no number is left
/// out. `scratch` is room for the medians, reused between calls.
pub fn imply(pairs: &[Pair], configured: &Configured, scratch: &mut Vec<(f64, f64)>) -> Forward {
    let fallback = Forward {
        forward: configured.forward(),
        discount: configured.discount(),
        source: Source::Configured,
        pairs_used: 0,
    };
    let near = nearest(pairs, configured.spot);
    let used = near.as_slice();
    if used.len() < PAIRS_MIN {
        return fallback;
    }
    let discount = if used.len() >= PAIRS_MIN_DISCOUNT { fit(used, scratch) } else { None };
    let believed = discount.filter(|line| line.believable(configured.years));
    let (forward, discount, source, pairs_used) = match believed {
        Some(line) => (line.forward(), -line.slope, Source::Parity, line.used),
        None => {
            let (forward, agreed) = level(used, fallback.discount, scratch);
            (forward, fallback.discount, Source::ParityForward, agreed)
        }
    };
    let near = (forward / fallback.forward - 1.0).abs() <= DRIFT_MAX;
    if near { Forward { forward, discount, source, pairs_used } } else { fallback }
}

/// The usable pairs nearest to the spot.
fn nearest(pairs: &[Pair], spot: f64) -> arrayvec::ArrayVec<Pair, PAIRS_MAX> {
    let mut found = arrayvec::ArrayVec::<Pair, PAIRS_MAX>::new();
    let usable = |p: &&Pair| p.strike > 0.0 && p.difference.is_finite() && p.uncertainty > 0.0;
    let away = |p: &Pair| (p.strike - spot).abs();
    for pair in pairs.iter().filter(usable) {
        let place = found.partition_point(|held| away(held) <= away(pair));
        if place == PAIRS_MAX {
            continue;
        }
        if found.is_full() {
            found.pop();
        }
        found.insert(place, *pair);
    }
    found
}

struct Line {
    slope: f64,
    intercept: f64,
    slope_error: f64,
    used: usize,
}

impl Line {
    fn forward(&self) -> f64 {
        -self.intercept / self.slope
    }

    /// A discount between those of the rates believed, known to a per cent of rate.
    fn believable(&self, years: f64) -> bool {
        let discount = -self.slope;
        let rate = -libm::log(discount.max(1e-9)) / years.max(1e-9);
        self.used >= PAIRS_MIN_DISCOUNT
            && (-0.05..=RATE_MAX).contains(&rate)
            && self.slope_error <= RATE_ERROR_MAX * years.max(1e-9)
    }
}

/// Weighted median; the values are sorted.
fn median(values: &mut [(f64, f64)]) -> Option<f64> {
    // Unstable: the stable sort allocates, and equal values are one value here.
    values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let half = 0.5 * values.iter().map(|v| v.1).sum::<f64>();
    let mut sum = 0.0;
    values.iter().find_map(|v| {
        sum += v.1;
        (sum >= half).then_some(v.0)
    })
}

/// Theil and Sen, then re-weighted least squares.
fn fit(pairs: &[Pair], scratch: &mut Vec<(f64, f64)>) -> Option<Line> {
    scratch.clear();
    for (i, a) in pairs.iter().enumerate() {
        for b in &pairs[i + 1..] {
            let width = b.strike - a.strike;
            if width != 0.0 {
                let noise = a.uncertainty + b.uncertainty;
                scratch.push(((b.difference - a.difference) / width, width.abs() / noise));
            }
        }
    }
    let mut slope = median(scratch)?;
    scratch.clear();
    scratch.extend(pairs.iter().map(|p| (p.difference - slope * p.strike, 1.0 / p.uncertainty)));
    let mut intercept = median(scratch)?;
    let mut line = None;
    for _ in 0..ROUNDS {
        let found = reweighted(pairs, slope, intercept, scratch)?;
        let moved = (found.slope - slope).abs();
        (slope, intercept) = (found.slope, found.intercept);
        line = Some(found);
        if moved < 1e-12 {
            break;
        }
    }
    line
}

/// The robust deviation of residuals: their median size, floored by a tenth of the median uncertainty.
fn deviation(pairs: &[Pair], off: impl Fn(&Pair) -> f64, scratch: &mut Vec<(f64, f64)>) -> Option<f64> {
    scratch.clear();
    scratch.extend(pairs.iter().map(|p| (off(p).abs(), 1.0)));
    let spread = 1.4826 * median(scratch)?;
    scratch.clear();
    scratch.extend(pairs.iter().map(|p| (p.uncertainty, 1.0)));
    Some(spread.max(0.1 * median(scratch)?))
}

fn biweight(off: f64, deviation: f64) -> f64 {
    let u = off / (BIWEIGHT * deviation);
    if u.abs() >= 1.0 { 0.0 } else { (1.0 - u * u) * (1.0 - u * u) }
}

fn reweighted(pairs: &[Pair], slope: f64, intercept: f64, scratch: &mut Vec<(f64, f64)>) -> Option<Line> {
    let off = |p: &Pair| p.difference - intercept - slope * p.strike;
    let spread = deviation(pairs, off, scratch)?;
    let weight = |p: &Pair| biweight(off(p), spread) / (p.uncertainty * p.uncertainty);
    let (mut sw, mut sx, mut sy) = (0.0, 0.0, 0.0);
    for p in pairs {
        let w = weight(p);
        sw += w;
        sx += w * p.strike;
        sy += w * p.difference;
    }
    let (mx, my) = (sx / sw, sy / sw);
    let (mut sxx, mut sxy, mut used) = (0.0, 0.0, 0);
    for p in pairs {
        let w = weight(p);
        used += usize::from(w > 0.0);
        sxx += w * (p.strike - mx) * (p.strike - mx);
        sxy += w * (p.strike - mx) * (p.difference - my);
    }
    if sxx.is_nan() || sxx <= 0.0 {
        return None;
    }
    let slope = sxy / sxx;
    // Residuals of a good market are far inside its spreads: their own size tells the error.
    let typical = sw / used.max(1) as f64;
    let slope_error = spread * (typical / sxx).sqrt();
    Some(Line { slope, intercept: my - slope * mx, slope_error, used })
}

/// The forward at a known discount: the weighted median of what each strike says, and how many agree with it.
fn level(pairs: &[Pair], discount: f64, scratch: &mut Vec<(f64, f64)>) -> (f64, usize) {
    scratch.clear();
    scratch.extend(pairs.iter().map(|p| (p.strike + p.difference / discount, 1.0 / p.uncertainty)));
    let middle = median(scratch).unwrap_or(f64::NAN);
    let off = |p: &Pair| p.strike + p.difference / discount - middle;
    let spread = deviation(pairs, off, scratch).unwrap_or(f64::NAN);
    let (mut sum, mut weights, mut agreed) = (0.0, 0.0, 0);
    for p in pairs {
        let w = biweight(off(p), spread) / (p.uncertainty * p.uncertainty);
        agreed += usize::from(w > 0.0);
        sum += w * off(p);
        weights += w;
    }
    (middle + sum / weights, agreed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::european::greeks;
    use market::Right;
    use proptest::prelude::*;

    const MARKET: Configured =
        Configured { spot: 560.0, years: 0.25, rate: 0.04, dividend_yield: 0.012, dividends_present: 0.0 };

    fn pairs(n: usize, rate: f64, dividend_yield: f64) -> Vec<Pair> {
        let terms = Terms::new(MARKET.spot, MARKET.years, rate, dividend_yield);
        let value = |right, k| greeks(right, &terms, k, 0.2).price;
        let pair = |i: usize| {
            let strike = 500.0 + 120.0 * i as f64 / n as f64;
            let jitter = 0.01 * (((i * 7919) % 13) as f64 / 13.0 - 0.5);
            let difference = value(Right::Call, strike) - value(Right::Put, strike) + jitter;
            Pair { strike, difference, uncertainty: 0.03 }
        };
        (0..n).map(pair).collect()
    }

    #[test]
    fn finds_forward_and_rate_among_bad_quotes() {
        let mut given = pairs(30, 0.051, 0.02);
        for i in [2, 9, 17, 23, 28] {
            given[i].difference += 5.0;
        }
        given[4].difference = f64::NAN;
        let found = imply(&given, &MARKET, &mut Vec::new());
        let known = Terms::new(560.0, 0.25, 0.051, 0.02);
        assert_eq!(found.source, Source::Parity);
        assert!((found.forward - known.forward()).abs() < 0.01, "{found:?} {}", known.forward());
        assert!((found.discount - known.discount).abs() < 2e-4, "{found:?}");
        assert_eq!(found.pairs_used, 24);
        let terms = found.terms(560.0, 0.25);
        assert!((terms.rate - 0.051).abs() < 1e-3 && (terms.forward() - found.forward).abs() < 1e-9);
    }

    #[test]
    fn falls_back_step_by_step() {
        let few = imply(&pairs(4, 0.05, 0.02), &MARKET, &mut Vec::new());
        assert_eq!((few.source, few.discount), (Source::ParityForward, MARKET.discount()));
        let none = imply(&pairs(2, 0.05, 0.02), &MARKET, &mut Vec::new());
        assert_eq!((none.source, none.forward), (Source::Configured, MARKET.forward()));
        let mut nonsense = pairs(20, 0.05, 0.02);
        nonsense.iter_mut().for_each(|p| p.difference += 300.0);
        assert_eq!(imply(&nonsense, &MARKET, &mut Vec::new()).source, Source::Configured);
    }

    proptest! {
        #[test]
        fn a_third_of_nonsense_does_no_harm(bad in proptest::collection::vec((0usize..36, -40.0f64..40.0), 0..12)) {
            let mut given = pairs(36, 0.045, 0.01);
            for (i, by) in bad {
                given[i].difference += by;
            }
            let found = imply(&given, &MARKET, &mut Vec::new());
            let known = Terms::new(560.0, 0.25, 0.045, 0.01).forward();
            prop_assert!((found.forward - known).abs() < 0.1, "{:?} {}", found, known);
        }
    }
}
