//! Directional movement (Wilder 1978): +DI, -DI and ADX, started as TA-Lib does.

use crate::candle::Candle;
use crate::true_range::true_range;
use crate::wilder::{Wilder, WilderSum};

/// Directional indicators, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Direction {
    /// +DI: upward movement as a share of the range.
    pub plus: f64,
    /// -DI: downward movement as a share of the range.
    pub minus: f64,
    /// ADX: average of how one-sided the two are; absent until bar `2 * period - 1`.
    pub adx: Option<f64>,
}

/// Movement over `period` bars; the DIs are first answered with bar `period`.
#[derive(Clone, Debug)]
pub struct Adx {
    last: Option<(f64, f64, f64)>,
    plus: WilderSum,
    minus: WilderSum,
    range: WilderSum,
    average: Wilder,
}

impl Adx {
    /// Over `period` bars.
    pub fn new(period: usize) -> Self {
        let sum = WilderSum::new(period);
        Self { last: None, plus: sum.clone(), minus: sum.clone(), range: sum, average: Wilder::new(period) }
    }

    /// The indicators if `candle` were the next bar.
    #[inline]
    pub fn forming(&self, candle: &Candle) -> Option<Direction> {
        let (plus, minus, range) = self.movement(candle)?;
        let (plus, minus) = self.indicators(plus, minus, range)?;
        Some(Direction { plus, minus, adx: self.adx(plus, minus) })
    }

    /// Takes a finished bar; answers as [`Adx::forming`] would have.
    pub fn update(&mut self, candle: &Candle) -> Option<Direction> {
        let value = self.forming(candle);
        if let Some((plus, minus, range)) = self.movement(candle) {
            self.plus.update(plus);
            self.minus.update(minus);
            self.range.update(range);
        }
        if let Some(direction) = value {
            self.settle(direction.plus, direction.minus);
        }
        self.last = Some((candle.high, candle.low, candle.close));
        value
    }

    /// Directional movement and true range of the bar.
    fn movement(&self, candle: &Candle) -> Option<(f64, f64, f64)> {
        let (high, low, close) = self.last?;
        let (up, down) = (candle.high - high, low - candle.low);
        let plus = if up > 0.0 && up > down { up } else { 0.0 };
        let minus = if down > 0.0 && down > up { down } else { 0.0 };
        Some((plus, minus, true_range(candle, close)))
    }

    fn indicators(&self, plus: f64, minus: f64, range: f64) -> Option<(f64, f64)> {
        let range = self.range.forming(range)?;
        let (plus, minus) = (self.plus.forming(plus)?, self.minus.forming(minus)?);
        Some(if range > 0.0 { (100.0 * plus / range, 100.0 * minus / range) } else { (0.0, 0.0) })
    }

    fn adx(&self, plus: f64, minus: f64) -> Option<f64> {
        match one_sidedness(plus, minus) {
            Some(dx) => self.average.forming(dx),
            // Nothing moved: it counts as zero while seeding and changes nothing afterwards (TA-Lib).
            None => self.average.value().or_else(|| self.average.forming(0.0)),
        }
    }

    fn settle(&mut self, plus: f64, minus: f64) {
        match one_sidedness(plus, minus) {
            Some(dx) => _ = self.average.update(dx),
            None if self.average.value().is_none() => _ = self.average.update(0.0),
            None => {}
        }
    }
}

fn one_sidedness(plus: f64, minus: f64) -> Option<f64> {
    let sum = plus + minus;
    (sum > 0.0).then(|| 100.0 * (plus - minus).abs() / sum)
}
