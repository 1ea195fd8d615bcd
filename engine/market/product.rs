//! What the root of an option says about its terms: exercise style, settlement, how late it trades.
//! Facts of the listing exchanges, found by ticker; a root nobody lists here is an ordinary stock or ETF.

use crate::Symbol;

/// ETF and ETN options that trade fifteen minutes beyond the stock close (16:15, or 13:15 on an early close).
/// Source: the exchanges' late-close list as brokers publish it (tastytrade and IG support pages agree).
/// Sorted, so that it can be searched.
const LATE_CLOSE: [&str; 43] = [
    "DBA", "DBB", "DBC", "DBO", "DIA", "EEM", "EFA", "GAZ", "IWM", "IWN", "IWO", "IWV", "KBE", "KRE", "MDY",
    "MOO", "NDO", "OEF", "OIL", "QQQ", "SLX", "SPY", "SVXY", "UNG", "UUP", "UVIX", "UVXY", "VIIX", "VIXM",
    "VIXY", "VXX", "VXZ", "XHB", "XLB", "XLE", "XLF", "XLI", "XLK", "XLP", "XLU", "XLV", "XLY", "XME",
];

/// Roots of broad-index options: cash-settled, European (OEX alone is American), late close. Sorted.
const INDEX: [&str; 15] = [
    "DJX", "MRUT", "NDX", "NDXP", "OEX", "RUT", "RUTW", "RVX", "SPX", "SPXW", "VIX", "VIXW", "XEO", "XND",
    "XSP",
];

/// Index roots settled on the opening prices of expiration day: they trade last on the session before. Sorted.
const AM_SETTLED: [&str; 7] = ["DJX", "NDX", "RUT", "RVX", "SPX", "VIX", "VIXW"];

fn listed(list: &[&str], root: &Symbol) -> bool {
    list.binary_search(&root.as_str()).is_ok()
}

/// True for roots of index options: cash-settled, no shares change hands, and exempt from Section 31 and TAF.
pub fn is_index(root: &Symbol) -> bool {
    listed(&INDEX, root)
}

/// True for index roots that settle on the opening prices of expiration day.
pub fn is_am_settled(root: &Symbol) -> bool {
    listed(&AM_SETTLED, root)
}

/// True for roots whose options can be exercised before expiration: all stocks and ETFs, and OEX.
pub fn is_american(root: &Symbol) -> bool {
    root.as_str() == "OEX" || !is_index(root)
}

/// True for roots whose options trade fifteen minutes beyond the stock close on ordinary days.
pub fn closes_late(root: &Symbol) -> bool {
    listed(&LATE_CLOSE, root) || is_index(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_so_that_searching_finds() {
        assert!(LATE_CLOSE.is_sorted() && INDEX.is_sorted() && AM_SETTLED.is_sorted());
        assert!(AM_SETTLED.iter().all(|root| INDEX.contains(root)));
    }

    #[test]
    fn the_root_decides() {
        let root = |text| Symbol::literal(text);
        assert!(is_am_settled(&root("SPX")) && !is_am_settled(&root("SPXW")));
        assert!(is_index(&root("SPXW")) && !is_american(&root("SPXW")));
        assert!(is_american(&root("SPY")) && closes_late(&root("SPY")) && !is_index(&root("SPY")));
        assert!(!closes_late(&root("AAPL")) && !closes_late(&root("TLT")) && !closes_late(&root("GLD")));
    }
}
