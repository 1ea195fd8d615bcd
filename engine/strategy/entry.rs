//! When to open: what the forecast must be like, and which view it stands for.

use crate::structures::View;
use forecast::{Class, Forecast};

/// What a forecast must be like, and how often it may be acted on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Least probability of the favourite, 0-1.
    pub confidence_min: f32,
    /// Least share of the members' weight that agrees with the favourite, 0-1.
    pub agreement_min: f32,
    /// A flat forecast leans to a side when that side's odds exceed the other's by this, 0-1.
    pub lean_min: f32,
    /// Most open positions of the symbol.
    pub positions_max: usize,
    /// Units wished in each proposal; risk may grant fewer.
    pub units: u32,
    /// No entry for this long after the last one ended, filled or not, in nanoseconds.
    pub cooldown_ns: i64,
    /// A search that found nothing is not repeated for this long, in nanoseconds.
    pub search_every_ns: i64,
    /// No entry this soon after the opening bell, in nanoseconds.
    pub after_open_ns: i64,
    /// No entry this shortly before the closing bell, in nanoseconds.
    pub before_close_ns: i64,
}

/// The views a forecast stands for, the one to try first in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Views {
    /// Tried first.
    pub first: View,
    /// Tried when the first finds nothing.
    pub second: Option<View>,
}

/// The views a forecast stands for; `None` when it is too weak to act on.
///
/// Up is bullish, down is bearish. Flat is neutral; when it leans to a side, what profits from flat *and* from that
/// side goes first.
pub fn views(forecast: &Forecast, settings: &Settings) -> Option<Views> {
    let strong =
        forecast.confidence >= settings.confidence_min && forecast.agreement >= settings.agreement_min;
    if !strong {
        return None;
    }
    let lean = forecast.odds.up - forecast.odds.down;
    Some(match forecast.odds.favourite() {
        Class::Up => Views { first: View::Bullish, second: None },
        Class::Down => Views { first: View::Bearish, second: None },
        Class::Flat if lean >= settings.lean_min => {
            Views { first: View::Bullish, second: Some(View::Neutral) }
        }
        Class::Flat if -lean >= settings.lean_min => {
            Views { first: View::Bearish, second: Some(View::Neutral) }
        }
        Class::Flat => Views { first: View::Neutral, second: None },
    })
}

/// Why no position may be opened now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// The operator paused, flattened or killed, or the program is about to end.
    Operator,
    /// The exchanges are closed, or it is too near to a bell.
    Hours,
    /// The stock feed is down or mute.
    Feed,
    /// Trading in the underlying is halted.
    Halted,
    /// The underlying has no fresh two-sided quote.
    Spot,
    /// A proposal of this symbol waits for its end.
    Pending,
    /// The last entry ended, or the last search failed, too recently.
    Cooldown,
    /// The symbol holds as many positions as it may.
    Positions,
    /// The ensemble said nothing, or nothing strong enough.
    Forecast,
}

#[cfg(test)]
mod tests {
    use super::*;
    use forecast::Odds;

    #[test]
    fn views_follow_the_favourite_and_the_lean() {
        let settings = Settings {
            confidence_min: 0.4,
            agreement_min: 0.5,
            lean_min: 0.1,
            positions_max: 1,
            units: 1,
            cooldown_ns: 0,
            search_every_ns: 0,
            after_open_ns: 0,
            before_close_ns: 0,
        };
        let of = |down: f32, flat: f32, up: f32, agreement: f32| {
            let confidence = down.max(flat).max(up);
            views(&Forecast { odds: Odds { down, flat, up }, confidence, agreement, members: 1 }, &settings)
        };
        let only = |first| Some(Views { first, second: None });
        assert_eq!(of(0.2, 0.2, 0.6, 1.0), only(View::Bullish));
        assert_eq!(of(0.6, 0.2, 0.2, 1.0), only(View::Bearish));
        assert_eq!(of(0.25, 0.5, 0.25, 1.0), only(View::Neutral));
        assert_eq!(
            of(0.15, 0.5, 0.35, 1.0),
            Some(Views { first: View::Bullish, second: Some(View::Neutral) })
        );
        assert_eq!(
            of(0.35, 0.5, 0.15, 1.0),
            Some(Views { first: View::Bearish, second: Some(View::Neutral) })
        );
        assert_eq!(of(0.33, 0.34, 0.33, 1.0), None, "too unsure");
        assert_eq!(of(0.2, 0.2, 0.6, 0.4), None, "too divided");
    }
}
