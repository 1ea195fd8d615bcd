//! Where today's volatility stands among its own past: rank, percentile and cone. With less history than asked for the
//! answer says so instead of giving a number that looks like one.

/// Trading days of a year: the history a rank is taken over.
pub const DAYS_PER_YEAR: usize = 252;

/// A figure that needs history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing {
    /// From 0 to 1.
    Known(f64),
    /// Not enough history yet.
    NotYet {
        /// Days there are.
        have: usize,
        /// Days it takes.
        need: usize,
    },
}

fn last_year(history: &[f64]) -> Result<&[f64], Standing> {
    let have = history.len();
    let from = have.checked_sub(DAYS_PER_YEAR).ok_or(Standing::NotYet { have, need: DAYS_PER_YEAR })?;
    Ok(&history[from..])
}

/// IV rank: today's volatility between the lowest (0) and the highest (1) of the last 252 daily ones, held there. One
/// half when they are all the same. `history` is oldest first and free of NaN.
pub fn iv_rank(history: &[f64], today: f64) -> Standing {
    let year = match last_year(history) {
        Ok(year) => year,
        Err(why) => return why,
    };
    let (low, high) = year.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
    Standing::Known(if high > low { ((today - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 })
}

/// IV percentile: the share of the last 252 days whose volatility was below today's.
pub fn iv_percentile(history: &[f64], today: f64) -> Standing {
    match last_year(history) {
        Ok(year) => {
            let below = year.iter().filter(|v| **v < today).count();
            Standing::Known(below as f64 / year.len() as f64)
        }
        Err(why) => why,
    }
}

/// One line of the cone: realised volatility over windows of one length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConeLine {
    /// Days of a window.
    pub days: usize,
    /// Lowest, first quartile, median, third quartile and highest, a year.
    pub quantiles: [f64; 5],
    /// Of the newest window.
    pub now: f64,
}

/// The volatility cone (G. Burghardt and M. Lane 1990): for each length of window how realised volatility was spread over
/// all windows of the history of daily closes, oldest first. A length without two windows is left out.
pub fn volatility_cone(closes: &[f64], lengths: &[usize]) -> Vec<ConeLine> {
    let returns: Vec<f64> = closes.windows(2).map(|p| libm::log(p[1] / p[0])).collect();
    let line = |days: &usize| {
        if *days < 2 || returns.len() < days + 1 {
            return None;
        }
        let all: Vec<f64> = returns.windows(*days).map(realised).collect();
        let now = *all.last()?;
        let mut sorted = all;
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * (sorted.len() - 1) as f64;
            let (i, part) = (place as usize, place.fract());
            let next = sorted[(i + 1).min(sorted.len() - 1)];
            sorted[i] + part * (next - sorted[i])
        };
        Some(ConeLine { days: *days, quantiles: [0.0, 0.25, 0.5, 0.75, 1.0].map(at), now })
    };
    lengths.iter().filter_map(line).collect()
}

/// Sample deviation of daily returns, a year.
fn realised(returns: &[f64]) -> f64 {
    let n = returns.len() as f64;
    let mean = returns.iter().sum::<f64>() / n;
    let squares: f64 = returns.iter().map(|r| (r - mean) * (r - mean)).sum();
    (squares / (n - 1.0) * DAYS_PER_YEAR as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standing_needs_a_year() {
        let short = vec![0.2; 251];
        let not_yet = Standing::NotYet { have: 251, need: 252 };
        assert_eq!((iv_rank(&short, 0.2), iv_percentile(&short, 0.2)), (not_yet, not_yet));
        // An old extreme, outside the year, does not count.
        let mut history = vec![0.9];
        history.extend((0..252).map(|i| 0.125 * f64::from(i % 4 + 1)));
        assert_eq!(iv_rank(&history, 0.3125), Standing::Known(0.5));
        assert_eq!(iv_percentile(&history, 0.3125), Standing::Known(0.5));
        assert_eq!(iv_rank(&history, 0.6), Standing::Known(1.0));
        assert_eq!(iv_rank(&[0.2; 252], 0.2), Standing::Known(0.5));
    }

    #[test]
    fn the_cone_narrows_with_length() {
        let mut close = 100.0;
        let closes: Vec<f64> = (0..500u32)
            .map(|i| {
                close *= 1.0 + 0.01 * (f64::from(i.wrapping_mul(2_654_435_761) >> 16) / 32768.0 - 1.0);
                close
            })
            .collect();
        let cone = volatility_cone(&closes, &[10, 60, 120, 900]);
        assert_eq!(cone.iter().map(|l| l.days).collect::<Vec<_>>(), [10, 60, 120]);
        let width = |l: &ConeLine| l.quantiles[4] - l.quantiles[0];
        assert!(width(&cone[0]) > width(&cone[1]) && width(&cone[1]) > width(&cone[2]));
        assert!(cone.iter().all(|l| l.quantiles.is_sorted() && l.now > 0.0));
    }
}
