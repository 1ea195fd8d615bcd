//! What volume says: on-balance volume, accumulation and distribution, money flow, and how a window's volume lies.

use crate::candle::Candle;
use crate::deviation::SAME;
use crate::glide::{Glide, TOGETHER, apart};
use crate::indicator::{Indicator, Series};
use crate::moments::Moments;
use crate::sweep::{SCRATCH, STRETCH, Scratch, Stretch, each, one_earlier};
use crate::window::{Ring, Sum, Total};

/// `volume` with the sign of the close's change; 0 when it did not change.
#[inline(always)]
fn signed(volume: f64, close: f64, last: f64) -> f64 {
    let up = if close > last { volume } else { 0.0 };
    up - if close < last { volume } else { 0.0 }
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
        signed(candle.volume, candle.close, self.last.unwrap_or(f64::NEG_INFINITY))
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

    #[inline(always)]
    fn sweep(&mut self, bars: &Stretch<'_>, [line]: &mut [Scratch; 1]) -> bool {
        let lasts = one_earlier(self.last.unwrap_or(f64::NEG_INFINITY), bars.close);
        let steps = each(|i| signed(bars.volume[i], bars.close[i], lasts[i]));
        self.total.sweep(&steps, line);
        self.last = Some(bars.close[STRETCH - 1]);
        true
    }
}

/// Marc Chaikin's money flow of a bar: volume by where the close lies in the range.
#[inline(always)]
fn flow(candle: &Candle) -> f64 {
    flow_of([candle.high, candle.low, candle.close, candle.volume])
}

#[inline(always)]
fn flow_of([high, low, close, volume]: [f64; 4]) -> f64 {
    let range = high - low;
    let flow = ((close - low) - (high - close)) / range * volume;
    if range > 0.0 { flow } else { 0.0 }
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

    #[inline(always)]
    fn sweep(&mut self, bars: &Stretch<'_>, [line]: &mut [Scratch; 1]) -> bool {
        let flows = each(|i| flow_of([bars.high[i], bars.low[i], bars.close[i], bars.volume[i]]));
        self.total.sweep(&flows, line);
        true
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
        let [fast, slow] = self.held;
        [fast + (ad - fast) * self.factors[0], slow + (ad - slow) * self.factors[1]]
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

    #[inline(always)]
    fn sweep(&mut self, bars: &Stretch<'_>, [line]: &mut [Scratch; 1]) -> bool {
        if self.is_new || self.waits > 0 {
            return false;
        }
        let mut totals = [SCRATCH];
        self.ad.sweep(bars, &mut totals);
        let [mut fast, mut slow] = [0, 1].map(|i| Glide::new(self.held[i], self.factors[i]));
        for (totals, line) in totals[0].as_chunks().0.iter().zip(line.as_chunks_mut::<TOGETHER>().0) {
            let (fast, slow) = (fast.take(*totals), slow.take(*totals));
            *line = apart(fast, slow);
        }
        self.held = [fast.held(), slow.held()];
        true
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
        Some(flows_of(candle.typical(), self.last?, candle.volume))
    }
}

/// What flowed up and down.
#[inline(always)]
fn flows_of(price: f64, last: f64, volume: f64) -> (f64, f64) {
    let (change, flow) = (price - last, price * volume);
    let least = SAME * (price.abs() + last.abs());
    // Not by branches: which way a price goes is a coin's toss to the processor.
    (if change > least { flow } else { 0.0 }, if change < -least { flow } else { 0.0 })
}

/// The share of what flowed up, in percent.
#[inline(always)]
fn share(up: f64, down: f64) -> f64 {
    let sum = up + down;
    if sum > 0.0 { 100.0 * (up / sum) } else { 0.0 }
}

impl Indicator for Mfi {
    type Output = f64;

    #[inline(always)]
    fn forming(&self, candle: &Candle) -> Option<f64> {
        let (up, down) = self.flows(candle)?;
        Some(share(self.up.forming(up)?, self.down.forming(down)?))
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some((up, down)) = self.flows(candle) {
            self.up.take(up);
            self.down.take(down);
        }
        self.last = Some(candle.typical());
    }

    #[inline(always)]
    fn sweep(&mut self, bars: &Stretch<'_>, [line]: &mut [Scratch; 1]) -> bool {
        let (Some(last), true) = (self.last, self.up.is_warm()) else { return false };
        let prices = bars.typical();
        let lasts = one_earlier(last, &prices);
        let ups = each(|i| flows_of(prices[i], lasts[i], bars.volume[i]).0);
        let downs = each(|i| flows_of(prices[i], lasts[i], bars.volume[i]).1);
        let (mut up, mut down) = (SCRATCH, SCRATCH);
        self.up.sweep(&ups, &mut up);
        self.down.sweep(&downs, &mut down);
        *line = each(|i| share(up[i], down[i]));
        self.last = Some(prices[STRETCH - 1]);
        true
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
        let signed = self.signed.forming(signed(candle.volume, candle.close, self.last?))?;
        let total = self.total.forming(candle.volume)?;
        (total > 0.0).then(|| signed / total)
    }

    #[inline(always)]
    fn take(&mut self, candle: &Candle) {
        if let Some(last) = self.last {
            self.signed.take(signed(candle.volume, candle.close, last));
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
