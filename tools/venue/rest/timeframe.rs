//! The broker's timeframes: `[1-59]Min`, `[1-23]Hour`, `1Day`, `1Week`, `[1,2,3,4,6,12]Month`, made of minutes
//! or days. Unlike ours, hours start at the full hour of the New York clock.

use exchange::market_model::gather;
use market::quote::{Bar, Timeframe};
use market::time::{DAY, MINUTE};

/// A timeframe the broker serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many minutes.
    Minutes(i64),
    /// A session.
    Day,
    /// A week.
    Week,
    /// So many months, counted from January.
    Months(u32),
}

impl Step {
    /// Reads the broker's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let n: u32 = text[..digits].parse().ok()?;
        match (n, &text[digits..]) {
            (1..=59, "Min" | "T") => Some(Self::Minutes(n.into())),
            (1..=23, "Hour" | "H") => Some(Self::Minutes(i64::from(n) * 60)),
            (1, "Day" | "D") => Some(Self::Day),
            (1, "Week" | "W") => Some(Self::Week),
            (1 | 2 | 3 | 4 | 6 | 12, "Month" | "M") => Some(Self::Months(n)),
            _ => None,
        }
    }

    /// Our timeframe whose bars this one is made of.
    pub fn base(self) -> Timeframe {
        match self {
            Self::Minutes(_) => Timeframe::Min1,
            Self::Day => Timeframe::Day1,
            Self::Week => Timeframe::Week1,
            Self::Months(_) => Timeframe::Month1,
        }
    }

    /// Makes the bars of bars of [`Step::base`].
    pub fn make(self, base: Vec<Bar>) -> Vec<Bar> {
        match self {
            Self::Minutes(1) | Self::Day | Self::Week | Self::Months(1) => base,
            Self::Minutes(n) => join(&base, |bar| {
                let (date, of_day) = bar.start.new_york();
                i64::from(date.days()) * DAY + of_day / (n * MINUTE) * (n * MINUTE)
            }),
            Self::Months(n) => join(&base, |bar| {
                let (year, month, _) = bar.start.new_york().0.ymd();
                i64::from(year) * 12 + i64::from((month - 1) / n)
            }),
        }
    }
}

fn join(base: &[Bar], key: impl Fn(&Bar) -> i64) -> Vec<Bar> {
    let groups = base.chunk_by(|a, b| key(a) == key(b));
    // A year of bars of one group is one bar, whatever the group was.
    groups
        .filter_map(|group| {
            let mut whole = gather(group, Timeframe::Year1);
            whole.truncate(1);
            whole.pop()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brokers_spelling() {
        assert_eq!(Step::parse("1Min"), Some(Step::Minutes(1)));
        assert_eq!(Step::parse("5T"), Some(Step::Minutes(5)));
        assert_eq!(Step::parse("4Hour"), Some(Step::Minutes(240)));
        assert_eq!(Step::parse("1Day"), Some(Step::Day));
        assert_eq!(Step::parse("12Month"), Some(Step::Months(12)));
        for bad in ["", "Min", "60Min", "2Day", "5Month", "1Year", "-1Min"] {
            assert_eq!(Step::parse(bad), None, "{bad}");
        }
    }
}
