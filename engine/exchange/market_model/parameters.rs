//! What is known of each underlying: level, volatility, what it moves with, how liquid it is. Round
//! figures of the kind seen in 2026, not estimates.

use market::Symbol;

/// Common forces: equities, technology against the rest, interest rates, gold.
pub const FACTORS: usize = 4;

/// One underlying's character.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// The ticker.
    pub symbol: Symbol,
    /// Its name in a list of assets.
    pub name: &'static str,
    /// Where it is listed, in the broker's spelling.
    pub exchange: &'static str,
    /// Dollars at the close before the first session.
    pub level: f64,
    /// Long-run annual volatility.
    pub vol: f64,
    /// Annual drift.
    pub drift: f64,
    /// Annual dividend yield.
    pub dividend_yield: f64,
    /// Correlation of returns with each common force; what is left is its own.
    pub loadings: [f64; FACTORS],
    /// Share of the common (log) volatility that it takes part in.
    pub vol_beta: f64,
    /// Slope of the smile per standard deviation of moneyness: negative means puts dearer.
    pub skew: f64,
    /// Curvature of the smile per squared standard deviation.
    pub curve: f64,
    /// Median quoted spread of the shares in basis points (one tick at least).
    pub spread_bps: f64,
    /// Typical displayed shares.
    pub size: f64,
    /// Shares a day.
    pub daily_volume: f64,
    /// How much wider its option spreads are than those of the most liquid class.
    pub option_width: f64,
    /// Contracts open at the money in a monthly expiry, roughly.
    pub open_interest: f64,
    /// Option tick is a cent at any price.
    pub penny: bool,
}

const fn fund(symbol: &str, name: &'static str, level: f64, vol: f64) -> Parameters {
    Parameters {
        symbol: Symbol::literal(symbol),
        name,
        exchange: "ARCA",
        level,
        vol,
        drift: 0.06,
        dividend_yield: 0.012,
        loadings: [0.9, 0.0, 0.0, 0.0],
        vol_beta: 1.0,
        skew: -0.07,
        curve: 0.012,
        spread_bps: 0.2,
        size: 800.0,
        daily_volume: 20e6,
        option_width: 1.5,
        open_interest: 8_000.0,
        penny: false,
    }
}

/// The underlyings of the default desk.
pub const TABLE: [Parameters; 9] = [
    Parameters {
        loadings: [0.985, 0.05, 0.0, 0.0],
        daily_volume: 60e6,
        option_width: 0.6,
        open_interest: 30_000.0,
        penny: true,
        ..fund("SPY", "SPDR S&P 500 ETF Trust", 566.30, 0.16)
    },
    Parameters {
        loadings: [0.90, 0.38, 0.0, 0.0],
        exchange: "NASDAQ",
        dividend_yield: 0.006,
        daily_volume: 40e6,
        option_width: 0.8,
        open_interest: 18_000.0,
        penny: true,
        ..fund("QQQ", "Invesco QQQ Trust", 484.10, 0.21)
    },
    Parameters {
        loadings: [0.84, -0.20, 0.05, 0.0],
        daily_volume: 30e6,
        option_width: 0.9,
        open_interest: 15_000.0,
        penny: true,
        ..fund("IWM", "iShares Russell 2000 ETF", 221.40, 0.22)
    },
    Parameters {
        loadings: [0.93, -0.22, 0.0, 0.0],
        spread_bps: 0.5,
        size: 400.0,
        daily_volume: 4e6,
        option_width: 3.0,
        open_interest: 1_500.0,
        ..fund("DIA", "SPDR Dow Jones Industrial Average ETF", 422.70, 0.15)
    },
    Parameters {
        loadings: [-0.20, 0.0, 0.95, 0.0],
        exchange: "NASDAQ",
        drift: 0.02,
        dividend_yield: 0.04,
        vol_beta: 0.4,
        skew: -0.015,
        daily_volume: 35e6,
        size: 3_000.0,
        option_width: 1.2,
        ..fund("TLT", "iShares 20+ Year Treasury Bond ETF", 92.60, 0.14)
    },
    Parameters {
        loadings: [0.05, 0.0, 0.25, 0.90],
        drift: 0.04,
        dividend_yield: 0.0,
        vol_beta: 0.4,
        skew: 0.01,
        daily_volume: 9e6,
        option_width: 1.5,
        ..fund("GLD", "SPDR Gold Shares", 246.80, 0.15)
    },
    Parameters {
        loadings: [0.25, 0.0, 0.15, 0.75],
        drift: 0.05,
        vol_beta: 0.5,
        skew: -0.02,
        spread_bps: 2.0,
        size: 2_500.0,
        daily_volume: 22e6,
        option_width: 1.6,
        ..fund("GDX", "VanEck Gold Miners ETF", 39.80, 0.34)
    },
    Parameters {
        loadings: [0.85, -0.15, -0.20, 0.0],
        spread_bps: 2.0,
        size: 6_000.0,
        daily_volume: 38e6,
        option_width: 1.0,
        ..fund("XLF", "Financial Select Sector SPDR Fund", 48.90, 0.19)
    },
    Parameters {
        loadings: [0.62, 0.38, 0.0, 0.0],
        exchange: "NASDAQ",
        dividend_yield: 0.004,
        drift: 0.09,
        vol_beta: 0.8,
        skew: -0.045,
        curve: 0.016,
        spread_bps: 0.5,
        size: 500.0,
        daily_volume: 50e6,
        option_width: 0.9,
        open_interest: 12_000.0,
        ..fund("AAPL", "Apple Inc. Common Stock", 228.20, 0.27)
    },
];

/// A stored market names its underlyings; their characters are looked up again.
impl serde::Serialize for Parameters {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.symbol.serialize(s)
    }
}

impl<'de> serde::Deserialize<'de> for Parameters {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Symbol::deserialize(d).map(of)
    }
}

/// The parameters of a symbol; an unknown one gets those of a liquid share at 100 dollars.
pub fn of(symbol: Symbol) -> Parameters {
    TABLE.into_iter().find(|p| p.symbol == symbol).unwrap_or(Parameters {
        symbol,
        exchange: "NYSE",
        loadings: [0.6, 0.0, 0.0, 0.0],
        vol_beta: 0.8,
        skew: -0.045,
        spread_bps: 1.0,
        daily_volume: 8e6,
        option_width: 2.0,
        open_interest: 3_000.0,
        ..fund("OTHER", "Common Stock", 100.0, 0.30)
    })
}

impl Parameters {
    /// The part of the variance that is nobody else's, as a loading.
    pub fn own_loading(&self) -> f64 {
        (1.0 - self.loadings.iter().map(|l| l * l).sum::<f64>()).max(0.0).sqrt()
    }
}
