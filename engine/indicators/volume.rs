//! What volume says: on-balance volume, accumulation and distribution, money flow, and how a window's volume lies.

use crate::candle::Candle;
use crate::deviation::SAME;
use crate::indicator::{Indicator, Series};
use crate::moments::Moments;
use crate::window::{Ring, Sum, Total};

#[inline(always)]
fn sign(close: f64, last: f64) -> f64 {
    f64::from(i8::from(close > last) - i8::from(close < last))
}

state! {
    /// On-balance volume (Joseph Granville), shares: added when the close rises, taken away when it falls; starts at
    /// the first bar's.
    pub struct Obv {
        last: Option<f64>,
        total: Total,
    }
}

impl Obv {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { last: None, total: Total::new(0.0) }
    }

    #[inline(always)]
    fn step(&self, candle: &Candle) -> f64 {
        sign(candle.close, self.last.unwrap_or(f64::NEG_INFINITY)) * candle.volume
    }
}

impl Default for Obv {
    fn default() -> Self {
        Self::new()
    }
}

impl Indicator for Obv {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        Some(self.total.with(self.step(candle)))
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.total.take(self.step(candle));
        self.last = Some(candle.close);
    }
}

/// Marc Chaikin's money flow of a bar: volume by where the close lies in the range.
#[inline(always)]
fn flow(candle: &Candle) -> f64 {
    let range = candle.high - candle.low;
    if range > 0.0 {
        ((candle.close - candle.low) - (candle.high - candle.close)) / range * candle.volume
    } else {
        0.0
    }
}

state! {
    /// Accumulation and distribution (Chaikin), shares since the first bar.
    pub struct Ad {
        total: Total,
    }
}

impl Ad {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { total: Total::new(0.0) }
    }
}

impl Default for Ad {
    fn default() -> Self {
        Self::new()
    }
}

impl Indicator for Ad {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        Some(self.total.with(flow(candle)))
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.total.take(flow(candle));
    }
}

state! {
    /// Chaikin's oscillator: fast less slow exponential average of accumulation and distribution; both start at its
    /// first value.
    pub struct AdOsc {
        waits: usize,
        is_new: bool,
        ad: Ad,
        factors: [f64; 2],
        held: [f64; 2],
    }
}

impl AdOsc {
    /// With the periods of both averages.
    pub fn new(fast: usize, slow: usize) -> Self {
        let factors = [fast, slow].map(|period| 2.0 / (period as f64 + 1.0));
        Self { waits: fast.max(slow) - 1, is_new: true, ad: Ad::new(), factors, held: [0.0; 2] }
    }

    #[inline(always)]
    fn joined(&self, ad: f64) -> [f64; 2] {
        if self.is_new {
            return [ad, ad];
        }
        std::array::from_fn(|i| self.held[i] + (ad - self.held[i]) * self.factors[i])
    }
}

impl Indicator for AdOsc {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        let ad = self.ad.forming(candle)?;
        let [fast, slow] = self.joined(ad);
        (self.waits == 0).then_some(fast - slow)
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some(ad) = self.ad.update(candle) {
            self.held = self.joined(ad);
        }
        self.is_new = false;
        self.waits = self.waits.saturating_sub(1);
    }
}

state! {
    /// Money flow index (Quong & Soudack), 0 to 100: share of the typical price times volume that rose; 0 when
    /// nothing flowed. Typical prices equal on a decimal grid do not flow.
    pub struct Mfi {
        last: Option<f64>,
        up: Sum,
        down: Sum,
    }
}

impl Mfi {
    /// Over `period` changes.
    pub fn new(period: usize) -> Self {
        Self { last: None, up: Sum::new(period), down: Sum::new(period) }
    }

    #[inline(always)]
    fn flows(&self, candle: &Candle) -> Option<(f64, f64)> {
        let (price, last) = (candle.typical(), self.last?);
        let change = price - last;
        let flow =
            if change.abs() <= SAME * (price.abs() + last.abs()) { 0.0 } else { price * candle.volume };
        Some(if change > 0.0 { (flow, 0.0) } else { (0.0, flow) })
    }
}

impl Indicator for Mfi {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        let (up, down) = self.flows(candle)?;
        let (up, down) = (self.up.forming(up)?, self.down.forming(down)?);
        let sum = up + down;
        Some(if sum > 0.0 { 100.0 * (up / sum) } else { 0.0 })
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some((up, down)) = self.flows(candle) {
            self.up.take(up);
            self.down.take(down);
        }
        self.last = Some(candle.typical());
    }
}

state! {
    /// The slope of on-balance volume without its unit: signed volume over total volume of `period` bars, -1 to 1;
    /// unknown when nothing traded.
    pub struct SignedVolume {
        last: Option<f64>,
        signed: Sum,
        total: Sum,
    }
}

impl SignedVolume {
    /// Over `period` bars.
    pub fn new(period: usize) -> Self {
        Self { last: None, signed: Sum::new(period), total: Sum::new(period) }
    }
}

impl Indicator for SignedVolume {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        let signed = self.signed.forming(sign(candle.close, self.last?) * candle.volume)?;
        let total = self.total.forming(candle.volume)?;
        (total > 0.0).then(|| signed / total)
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some(last) = self.last {
            self.signed.take(sign(candle.close, last) * candle.volume);
            self.total.take(candle.volume);
        }
        self.last = Some(candle.close);
    }
}

state! {
    /// How many population deviations a bar's volume lies from its mean; unknown when volume does not vary.
    pub struct VolumeScore {
        moments: Moments,
    }
}

impl VolumeScore {
    /// Over `period` bars.
    pub fn new(period: usize) -> Self {
        Self { moments: Moments::new(period) }
    }
}

impl Indicator for VolumeScore {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        self.moments.forming(candle.volume)?.score()
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.moments.take(candle.volume);
    }
}

state! {
    /// Volume profile ratio: what of the window's volume traded at typical prices below the close less what traded
    /// above, over all of it, -1 to 1; unknown when nothing traded. Walks its window: no running sum knows a
    /// distribution.
    pub struct ProfileRatio {
        prices: Ring,
        volumes: Ring,
    }
}

impl ProfileRatio {
    /// Over `period` bars.
    pub fn new(period: usize) -> Self {
        Self { prices: Ring::new(period), volumes: Ring::new(period) }
    }
}

/// Volume below `close` less volume above, and all volume, in two lanes.
#[inline(always)]
fn balance(prices: &[f64], volumes: &[f64], close: f64) -> (f64, f64) {
    let side = |price: f64| if price < close { 1.0 } else { 0.0 } - if price > close { 1.0 } else { 0.0 };
    let (mut signed, mut all) = ([0.0; 4], [0.0; 4]);
    let ((fours, rest), (volume_fours, volume_rest)) = (prices.as_chunks::<4>(), volumes.as_chunks::<4>());
    for (prices, volumes) in fours.iter().zip(volume_fours) {
        for lane in 0..4 {
            signed[lane] += side(prices[lane]) * volumes[lane];
            all[lane] += volumes[lane];
        }
    }
    for (lane, (price, volume)) in rest.iter().zip(volume_rest).enumerate() {
        signed[lane] += side(*price) * volume;
        all[lane] += volume;
    }
    (signed.iter().sum(), all.iter().sum())
}

impl Indicator for ProfileRatio {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        if !self.prices.nearly_full() {
            return None;
        }
        let (price, close) = (candle.typical(), candle.close);
        let (prices, volumes) = (self.prices.others(), self.volumes.others());
        let first = balance(prices.0, volumes.0, close);
        let second = balance(prices.1, volumes.1, close);
        let newest = balance(&[price], &[candle.volume], close);
        let all = first.1 + second.1 + newest.1;
        (all > 0.0).then(|| (first.0 + second.0 + newest.0) / all)
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        self.prices.take(candle.typical());
        self.volumes.take(candle.volume);
    }
}
