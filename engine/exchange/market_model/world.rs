//! The path: common forces, stochastic volatility and jumps, stepped for all underlyings at once. One step
//! function serves days (history), minutes (recent history) and seconds (live), so they join without a seam.
//!
//! Per step of `years` trading time: log volatility follows an Ornstein-Uhlenbeck process correlated with
//! equities (-0.7); the log return is drift and trend, `vol x sqrt(years)` times a mix of common and own
//! normals, and rarely a jump. A session has 75 % of a day's variance, spread over it in a U; the night 25 %.

use super::calendar::Session;
use super::chance::Chance;
use super::parameters::{self, FACTORS, Parameters};
use super::trend::Trend;
use market::time::SECOND;
use market::{Symbol, Timestamp};

/// Trading years in one session and its night.
pub const DAY_YEARS: f64 = 1.0 / 252.0;
/// Share of a day's variance that falls into the session.
pub const SESSION_SHARE: f64 = 0.75;

/// Speed at which log volatility returns to its mean, per trading year (half-life about six weeks).
pub const VOL_REVERSION: f64 = 6.0;
const COMMON_VOL_SPREAD: f64 = 0.33;
const OWN_VOL_SPREAD: f64 = 0.15;
const LEVERAGE: f64 = -0.7;
const COMMON_JUMPS_PER_YEAR: f64 = 4.0;
const OWN_JUMPS_PER_YEAR: f64 = 8.0;

/// An Ornstein-Uhlenbeck log volatility with the given stationary spread.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct LogVol {
    value: f64,
    spread: f64,
}

impl LogVol {
    fn step(&mut self, years: f64, normal: f64) {
        let keep = (-VOL_REVERSION * years).exp();
        self.value = self.value * keep + self.spread * (1.0 - keep * keep).sqrt() * normal;
    }
}

/// What moves everything in one step.
struct Shock {
    forces: [f64; FACTORS],
    jump: f64,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Forces {
    chance: Chance,
    log_vol: LogVol,
}

impl Forces {
    fn step(&mut self, years: f64) -> Shock {
        let mut forces = [0.0; FACTORS];
        for force in &mut forces {
            *force = self.chance.normal();
        }
        let own = self.chance.normal();
        self.log_vol.step(years, LEVERAGE * forces[0] + (1.0 - LEVERAGE * LEVERAGE).sqrt() * own);
        let mut jump = 0.0;
        if self.chance.unit() < COMMON_JUMPS_PER_YEAR * years {
            jump = -0.008 + 0.014 * self.chance.normal();
            self.log_vol.value += 0.12 * (jump.abs() / 0.014);
        }
        Shock { forces, jump }
    }
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Path {
    parameters: Parameters,
    chance: Chance,
    own_vol: LogVol,
    fast: Trend,
    slow: Trend,
    /// Log prices at the start and end of the current grid step.
    before: f64,
    after: f64,
}

impl Path {
    fn log_vol(&self, common: &LogVol) -> f64 {
        self.parameters.vol_beta * common.value + self.own_vol.value
    }

    /// Standard deviation of log returns per square root of a trading year, now. Centred so that the
    /// long-run variance is the parameter's.
    fn vol(&self, common: &LogVol) -> f64 {
        let p = &self.parameters;
        let spread2 = (p.vol_beta * common.spread).powi(2) + self.own_vol.spread.powi(2);
        p.vol * (self.log_vol(common) - spread2).exp()
    }

    fn step(&mut self, years: f64, shock: &Shock, common: &LogVol) {
        let p = self.parameters;
        let vol = self.vol(common);
        let mut normal = p.own_loading() * self.chance.normal();
        for (loading, force) in p.loadings.iter().zip(shock.forces) {
            normal += loading * force;
        }
        let vol_normal = self.chance.normal();
        self.own_vol.step(years, vol_normal);
        let mut jump = shock.jump * p.loadings[0] * p.vol / 0.16;
        if self.chance.unit() < OWN_JUMPS_PER_YEAR * years {
            jump += 1.2 * p.vol * DAY_YEARS.sqrt() * self.chance.normal();
        }
        let trend = self.fast.expect(years, &mut self.chance) + self.slow.expect(years, &mut self.chance);
        let r = (p.drift - 0.5 * vol * vol) * years + vol * years.sqrt() * normal + jump + trend;
        self.fast.moved(years, r);
        self.slow.moved(years, r);
        self.before = self.after;
        self.after += r;
    }
}

/// All underlyings and what moves them.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct World {
    common: Forces,
    paths: Vec<Path>,
    /// End of the current grid step.
    grid: Timestamp,
    grid_ns: i64,
}

impl World {
    /// All underlyings at their levels.
    pub fn new(seed: u64, symbols: &[Symbol]) -> Self {
        let path = |symbol: &Symbol| {
            let parameters = parameters::of(*symbol);
            let level = parameters.level.ln();
            Path {
                parameters,
                chance: Chance::stream(seed, symbol.as_str(), "path"),
                own_vol: LogVol { value: 0.0, spread: OWN_VOL_SPREAD },
                fast: Trend::intraday(),
                slow: Trend::daily(),
                before: level,
                after: level,
            }
        };
        Self {
            common: Forces {
                chance: Chance::stream(seed, "all", "common"),
                log_vol: LogVol { value: 0.0, spread: COMMON_VOL_SPREAD },
            },
            paths: symbols.iter().map(path).collect(),
            grid: Timestamp::MIN,
            grid_ns: SECOND,
        }
    }

    /// How many underlyings.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// One underlying's character.
    pub fn parameters(&self, i: usize) -> &Parameters {
        &self.paths[i].parameters
    }

    /// Moves all by `years` of trading time.
    pub fn step(&mut self, years: f64) {
        let shock = self.common.step(years);
        for path in &mut self.paths {
            path.step(years, &shock, &self.common.log_vol);
        }
    }

    /// The log price at the end of the last step.
    pub fn log_price(&self, i: usize) -> f64 {
        self.paths[i].after
    }

    /// Shifts an underlying's whole path so that it stands at its level now; returns the shift in logs.
    pub fn settle_at_level(&mut self, i: usize) -> f64 {
        let path = &mut self.paths[i];
        let shift = path.parameters.level.ln() - path.after;
        path.after += shift;
        path.before = path.after;
        shift
    }

    /// The standard deviation of one step of `years`, for the range within it.
    pub fn step_deviation(&self, i: usize, years: f64) -> f64 {
        self.paths[i].vol(&self.common.log_vol) * years.sqrt()
    }

    /// The night passes; the grid starts at the open.
    pub fn open(&mut self, session: &Session) {
        self.step((1.0 - SESSION_SHARE) * DAY_YEARS);
        for path in &mut self.paths {
            path.before = path.after;
        }
        self.grid = session.open;
    }

    /// Steps the one-second grid until it covers `at`.
    pub fn reach(&mut self, at: Timestamp, session: &Session) {
        while self.grid < at {
            let share = session.activity(self.grid) * self.grid_ns as f64 / session.length_ns() as f64;
            self.step(SESSION_SHARE * DAY_YEARS * share);
            self.grid = self.grid + self.grid_ns;
        }
    }

    /// The middle at `at`, in dollars, between the ends of the grid step that covers it.
    pub fn mid(&self, i: usize, at: Timestamp) -> f64 {
        let path = &self.paths[i];
        let left = (self.grid.since(at) as f64 / self.grid_ns as f64).clamp(0.0, 1.0);
        (path.after + (path.before - path.after) * left).exp()
    }

    /// Log volatility over its long-run level.
    pub fn log_vol(&self, i: usize) -> f64 {
        self.paths[i].log_vol(&self.common.log_vol)
    }

    /// Volatility over its long-run level: widens spreads.
    pub fn stress(&self, i: usize) -> f64 {
        self.log_vol(i).exp()
    }

    /// Where the fast trend leans, in standard deviations of half an hour, for the side of trades.
    pub fn lean(&self, i: usize) -> f64 {
        let half_hour = SESSION_SHARE * DAY_YEARS / 13.0;
        self.paths[i].fast.lean() / self.step_deviation(i, half_hour)
    }
}
