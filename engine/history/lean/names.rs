//! Where LEAN keeps what, and what a member's name says.

use market::{Contract, Date, Right, Symbol, product};
use std::path::{Path, PathBuf};

/// Kinds of option files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Quote,
    Trade,
    OpenInterest,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::OpenInterest, Self::Quote, Self::Trade];
    const fn name(self) -> &'static str {
        match self {
            Self::Quote => "quote",
            Self::Trade => "trade",
            Self::OpenInterest => "openinterest",
        }
    }
}

/// `YYYYMMDD`, as LEAN writes dates in names.
pub(super) fn compact(date: Date) -> String {
    let (y, m, d) = date.ymd();
    format!("{y:04}{m:02}{d:02}")
}

/// Reads `YYYYMMDD`.
pub(super) fn parse_compact(text: &str) -> Option<Date> {
    if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text[range].parse::<u32>().ok();
    Date::from_ymd(number(0..4)? as i32, number(4..6)?, number(6..8)?)
}

fn lower(symbol: &Symbol) -> String {
    symbol.as_str().to_ascii_lowercase()
}

/// `equity/usa/minute/spy/20131007_trade.zip`; for an index symbol `index/usa/…`.
pub(super) fn stock_file(root: &Path, symbol: &Symbol, resolution: &str, date: Date, kind: Kind) -> PathBuf {
    let class = if product::is_index(symbol) { "index" } else { "equity" };
    let file = format!("{}_{}.zip", compact(date), kind.name());
    root.join(class).join("usa").join(resolution).join(lower(symbol)).join(file)
}

/// `option/usa/minute/goog/20151224_quote_american.zip`, `indexoption/usa/minute/spxw/…_european.zip`.
pub(super) fn option_file(root: &Path, symbol: &Symbol, date: Date, kind: Kind) -> PathBuf {
    let file = format!("{}_{}_{}.zip", compact(date), kind.name(), style(symbol));
    root.join(option_class(symbol)).join("usa").join("minute").join(lower(symbol)).join(file)
}

/// `option/usa/daily/aapl_2014_quote_american.zip`.
pub(super) fn option_daily_file(root: &Path, symbol: &Symbol, year: i32, kind: Kind) -> PathBuf {
    let file = format!("{}_{year}_{}_{}.zip", lower(symbol), kind.name(), style(symbol));
    root.join(option_class(symbol)).join("usa").join("daily").join(file)
}

/// `equity/usa/daily/spy.zip`.
pub(super) fn equity_daily_file(root: &Path, symbol: &Symbol) -> PathBuf {
    let class = if product::is_index(symbol) { "index" } else { "equity" };
    root.join(class).join("usa").join("daily").join(format!("{}.zip", lower(symbol)))
}

/// `equity/usa/hour/spy.zip`.
pub(super) fn equity_hourly_file(root: &Path, symbol: &Symbol) -> PathBuf {
    let class = if product::is_index(symbol) { "index" } else { "equity" };
    root.join(class).join("usa").join("hour").join(format!("{}.zip", lower(symbol)))
}

/// `equity/usa/factor_files/aapl.csv`.
pub(super) fn factor_file(root: &Path, symbol: &Symbol) -> PathBuf {
    root.join("equity/usa/factor_files").join(format!("{}.csv", lower(symbol)))
}

/// What a stock's file of the layout is of, told from its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockFile {
    /// The data root: what `equity` or `index` lies in.
    pub root: PathBuf,
    /// `minute`, `second`, `tick`, `hour` or `daily`.
    pub resolution: String,
    /// The symbol.
    pub symbol: Symbol,
    /// Its day; `None` for hour and daily files, which hold all days.
    pub date: Option<Date>,
    /// True for quotes.
    pub is_quotes: bool,
}

/// Reads `ROOT/equity/usa/minute/spy/20131007_trade.zip` and `ROOT/equity/usa/daily/spy.zip` from the right; `None`
/// when the path is not of the layout.
pub fn stock_file_of(path: &Path) -> Option<StockFile> {
    let parts: Vec<&str> = path.iter().map(|part| part.to_str()).collect::<Option<_>>()?;
    let stem = parts.last()?.strip_suffix(".zip")?;
    let depth = if matches!(*parts.get(parts.len().checked_sub(2)?)?, "daily" | "hour") { 4 } else { 5 };
    let tail = parts.get(parts.len().checked_sub(depth)?..)?;
    let (class, resolution) = (*tail.first()?, *tail.get(2)?);
    if !matches!(class, "equity" | "index") || tail.get(1) != Some(&"usa") {
        return None;
    }
    let root = parts[..parts.len() - depth].iter().collect();
    let of = |symbol: &str, date, is_quotes| {
        let symbol = symbol.to_ascii_uppercase().parse().ok()?;
        Some(StockFile { root, resolution: resolution.into(), symbol, date, is_quotes })
    };
    if depth == 4 {
        return of(stem, None, false);
    }
    let (date, kind) = stem.split_once('_')?;
    let is_quotes = match kind {
        "trade" => false,
        "quote" => true,
        _ => return None,
    };
    of(tail[3], Some(parse_compact(date)?), is_quotes)
}

fn option_class(symbol: &Symbol) -> &'static str {
    if product::is_index(symbol) { "indexoption" } else { "option" }
}

fn style(symbol: &Symbol) -> &'static str {
    if product::is_american(symbol) { "american" } else { "european" }
}

/// The contract a member is of, read from the right of its name:
/// `20151224_goog_minute_quote_american_call_10000000_20151231.csv`, with or without date and resolution.
pub(super) fn contract(root: &Symbol, member: &str) -> Option<Contract> {
    let mut parts = member.strip_suffix(".csv")?.rsplit('_');
    let expiry = parse_compact(parts.next()?)?;
    let strike: u64 = parts.next()?.parse().ok()?;
    let right = match parts.next()? {
        "call" => Right::Call,
        "put" => Right::Put,
        _ => return None,
    };
    if !strike.is_multiple_of(10) {
        return None;
    }
    Some(Contract { root: *root, expiry, strike_mils: u32::try_from(strike / 10).ok()?, right })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_from_the_right() {
        let goog = Symbol::literal("GOOG");
        let long = contract(&goog, "20151224_goog_minute_quote_american_call_10000000_20151231.csv");
        assert_eq!(long.map(|c| c.to_string()), Some("GOOG151231C01000000".into()));
        let short = contract(&goog, "goog_quote_american_put_7475000_20160115.csv");
        assert_eq!(short.map(|c| c.to_string()), Some("GOOG160115P00747500".into()));
        for bad in
            ["", "x.csv", "goog_call_12_20151331.csv", "goog_call_15_20151231.csv", "goog_up_10_20151231.csv"]
        {
            assert_eq!(contract(&goog, bad), None, "{bad}");
        }
    }

    #[test]
    fn stock_files_are_known_by_their_path() {
        let of = |path: &str| stock_file_of(Path::new(path));
        let file = of("/data/lean/equity/usa/minute/spy/20131007_trade.zip").expect("of the layout");
        assert_eq!((file.root.as_path(), file.resolution.as_str()), (Path::new("/data/lean"), "minute"));
        assert_eq!((file.symbol.as_str(), file.is_quotes), ("SPY", false));
        assert_eq!(file.date, Some(Date::literal(2013, 10, 7)));
        let file = of("equity/usa/daily/aapl.zip").expect("of the layout");
        assert_eq!((file.symbol.as_str(), file.date, file.resolution.as_str()), ("AAPL", None, "daily"));
        assert!(of("lean/index/usa/tick/spx/20210104_quote.zip").expect("of the layout").is_quotes);
        for other in [
            "spy.zip",
            "20131007_trade.zip",
            "equity/usa/minute/spy/20131307_trade.zip",
            "equity/usa/minute/spy/20131007_openinterest.zip",
            "option/usa/minute/spy/20131007_trade.zip",
            "a.csv",
            "",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn index_products_lie_in_their_own_folders() {
        let root = Path::new("r");
        let date = Date::literal(2021, 1, 6);
        let file = option_file(root, &Symbol::literal("SPXW"), date, Kind::Quote);
        assert_eq!(file, Path::new("r/indexoption/usa/minute/spxw/20210106_quote_european.zip"));
        let file = stock_file(root, &Symbol::literal("SPX"), "minute", date, Kind::Trade);
        assert_eq!(file, Path::new("r/index/usa/minute/spx/20210106_trade.zip"));
    }
}
