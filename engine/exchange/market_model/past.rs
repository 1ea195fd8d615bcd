//! History before the first session: ten years of daily bars and twenty sessions of minutes, made by the
//! same steps as the live path and shifted so that the last close is the level the live path starts from.

use super::calendar::{Session, activity, on_or_after};
use super::chance::Chance;
use super::world::{DAY_YEARS, SESSION_SHARE, World};
use market::quote::{Bar, Timeframe};
use market::{Date, Money, Price, Timestamp, session};

/// Sessions with daily bars.
pub const DAILY_SESSIONS: usize = 2_520;
/// Sessions (the last of the daily ones) with minute bars.
pub const MINUTE_SESSIONS: usize = 20;

/// The bars of one underlying.
#[derive(Clone, Debug, Default)]
struct Bars {
    days: Vec<Bar>,
    minutes: Vec<Bar>,
}

/// The bars of all underlyings before the first session.
#[derive(Clone, Debug)]
pub struct Past {
    of: Vec<Bars>,
}

/// A bar in log prices, before the path is shifted to its level.
#[derive(Clone, Copy, Debug)]
struct Rough {
    start: Timestamp,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
}

impl Past {
    /// Steps the world through the past up to the eve of `first`, then settles it at its levels.
    pub fn make(world: &mut World, first: Date) -> Self {
        let sessions = sessions_before(first, DAILY_SESSIONS);
        let recent = sessions.len().saturating_sub(MINUTE_SESSIONS);
        let mut rough: Vec<(Vec<Rough>, Vec<Rough>)> = vec![Default::default(); world.len()];
        let mut chance = Chance::stream(0, "ranges", "past");
        for (n, session) in sessions.iter().enumerate() {
            world.step((1.0 - SESSION_SHARE) * DAY_YEARS);
            if n < recent {
                let bars = step_bars(world, SESSION_SHARE * DAY_YEARS, session.open, 1.0, &mut chance);
                rough.iter_mut().zip(bars).for_each(|((days, _), bar)| days.push(bar));
                continue;
            }
            for start in session.minutes() {
                let share = activity(session.part_elapsed(start)) / 390.0;
                let bars = step_bars(world, SESSION_SHARE * DAY_YEARS * share, start, share, &mut chance);
                rough.iter_mut().zip(bars).for_each(|((_, minutes), bar)| minutes.push(bar));
            }
        }
        let of = rough.into_iter().enumerate().map(|(i, made)| finish(world, i, made)).collect();
        Self { of }
    }

    /// Bars of any timeframe.
    pub fn bars(&self, i: usize, timeframe: Timeframe) -> Vec<Bar> {
        let base = if timeframe.minutes().is_some() { &self.of[i].minutes } else { &self.of[i].days };
        gather(base, timeframe)
    }

    /// The last close of history.
    pub fn last_close(&self, i: usize) -> Option<Price> {
        self.of[i].days.last().map(|bar| bar.close)
    }
}

fn sessions_before(first: Date, count: usize) -> Vec<Session> {
    let mut found = Vec::with_capacity(count);
    let mut date = first;
    while found.len() < count {
        let Some(previous) = session::previous_session(date) else { break };
        date = previous.date;
        found.extend(on_or_after(date));
    }
    found.reverse();
    found
}

/// One step of everything as a bar each. The extremes are those of a Brownian bridge between open and close:
/// `max = (o + c + sqrt((c - o)^2 - 2 s^2 ln U)) / 2`, and the minimum mirrored.
fn step_bars(world: &mut World, years: f64, start: Timestamp, share: f64, chance: &mut Chance) -> Vec<Rough> {
    let before: Vec<(f64, f64)> =
        (0..world.len()).map(|i| (world.log_price(i), world.step_deviation(i, years))).collect();
    world.step(years);
    let bar = |(i, (open, deviation)): (usize, (f64, f64))| {
        let close = world.log_price(i);
        let mut reach = || {
            let draw = -2.0 * deviation * deviation * (1.0 - chance.unit()).ln();
            ((close - open).powi(2) + draw).sqrt()
        };
        let (high, low) = (0.5 * (open + close + reach()), 0.5 * (open + close - reach()));
        let moved = ((close - open).abs() / deviation.max(1e-9)).min(4.0);
        let busy = chance.lognormal(0.75 + 0.3 * moved, 0.35) * world.stress(i);
        let volume = world.parameters(i).daily_volume * share * busy;
        Rough { start, open, high, low, close, volume }
    };
    before.into_iter().enumerate().map(bar).collect()
}

fn finish(world: &mut World, i: usize, (days, minutes): (Vec<Rough>, Vec<Rough>)) -> Bars {
    let shift = world.settle_at_level(i);
    let minutes: Vec<Bar> = minutes.iter().map(|rough| smooth(rough, shift)).collect();
    let mut days: Vec<Bar> = days.iter().map(|rough| smooth(rough, shift)).collect();
    days.extend(gather(&minutes, Timeframe::Day1));
    for day in &mut days {
        day.start = day.start.new_york().0.at_new_york(0);
    }
    Bars { days, minutes }
}

fn smooth(rough: &Rough, shift: f64) -> Bar {
    let cents = |log: f64| {
        let dollars = (log + shift).exp().clamp(0.01, 1e6);
        Price::nearest((dollars * 100.0).round() / 100.0).unwrap_or(Price::CENT)
    };
    let volume = rough.volume.clamp(1.0, 1e12) as u64;
    let (high, low, close) = (cents(rough.high), cents(rough.low), cents(rough.close));
    let average = Price::from_units((high.units() + low.units() + close.units()) / 3);
    Bar {
        start: rough.start,
        open: cents(rough.open),
        high,
        low,
        close,
        volume,
        trades: (rough.volume / 130.0).clamp(1.0, 4e9) as u32,
        turnover: average.times(volume as i64),
        repaired: false,
    }
}

/// Makes bars of a longer timeframe from minutes (up to four hours, or a day) or days (a day and longer). Bars
/// within a session count from its open; days and longer start at New York midnight of their first session
/// when made from days.
pub fn gather(base: &[Bar], timeframe: Timeframe) -> Vec<Bar> {
    let mut out: Vec<Bar> = Vec::new();
    let mut last_key = None;
    for bar in base {
        let key = group(bar.start, timeframe);
        match out.last_mut().filter(|_| last_key == Some(key)) {
            Some(open) => join(open, bar),
            None => out.push(*bar),
        }
        last_key = Some(key);
    }
    out
}

fn group(start: Timestamp, timeframe: Timeframe) -> (i32, i64) {
    let (date, of_day) = start.new_york();
    let (year, month, _) = date.ymd();
    match timeframe {
        Timeframe::Day1 => (date.days(), 0),
        Timeframe::Week1 => (date.days() - date.weekday() as i32, 0),
        Timeframe::Month1 => (year, i64::from(month)),
        Timeframe::Year1 => (year, 0),
        within => {
            let minutes = within.minutes().unwrap_or(1) * market::time::MINUTE;
            let open = 9 * market::time::HOUR + 30 * market::time::MINUTE;
            (date.days(), (of_day - open).div_euclid(minutes))
        }
    }
}

fn join(open: &mut Bar, next: &Bar) {
    open.high = open.high.max(next.high);
    open.low = open.low.min(next.low);
    open.close = next.close;
    open.volume += next.volume;
    open.trades = open.trades.saturating_add(next.trades);
    open.turnover = Money::from_micros(open.turnover.micros().saturating_add(next.turnover.micros()));
    open.repaired |= next.repaired;
}
