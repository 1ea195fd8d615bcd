//! Sale conditions as AlgoSeek flags, and what they allow a trade to do.

use market::quote::SaleRule;

// Bits of a sale condition (AlgoSeek's trade flags, as LEAN stores them in hexadecimal).
const CASH: u32 = 1 << 1;
const NEXT_DAY: u32 = 1 << 2;
const SELLER: u32 = 1 << 3;
const DERIVATIVELY_PRICED: u32 = 1 << 9;
const FORM_T: u32 = 1 << 10;
const SOLD: u32 = 1 << 11;
const EXTENDED_HOURS: u32 = 1 << 13;
const OUT_OF_SEQUENCE: u32 = 1 << 14;
const STOCK_OPTION: u32 = 1 << 18;
const AVERAGE_PRICE: u32 = 1 << 20;
const PRICE_VARIATION: u32 = 1 << 22;
const OFFICIAL_CLOSE: u32 = 1 << 24;
const PRIOR_REFERENCE_PRICE: u32 = 1 << 25;
const OFFICIAL_OPEN: u32 = 1 << 26;
const ODD_LOT: u32 = 1 << 31;

/// What a trade with these sale conditions may change in a bar, by the consolidated tape plans' table of last,
/// high, low and volume. `extended` is true outside the regular session, where the extended-hours marks
/// (which every trade then carries) say nothing: bars of those hours are made of such trades.
///
/// LEAN's own minute bars also leave intermarket sweeps and trade-through-exempt trades out of their prices
/// (not of their volume); the tape plans do not, and neither do we. It is the main difference between bars
/// formed of the ticks and LEAN's bars of the same day.
pub fn sale_rule(conditions: u32, suspicious: bool, extended: bool) -> SaleRule {
    let any = |bits: u32| conditions & bits != 0;
    if suspicious || any(OFFICIAL_OPEN | OFFICIAL_CLOSE) {
        // An exchange's official price repeats a trade that was reported before: its shares would count twice.
        return SaleRule::Ignored;
    }
    let volume_only = CASH | NEXT_DAY | SELLER | STOCK_OPTION | AVERAGE_PRICE | PRICE_VARIATION | ODD_LOT;
    if any(volume_only) || (!extended && any(FORM_T | EXTENDED_HOURS)) {
        return SaleRule::VolumeOnly;
    }
    if any(DERIVATIVELY_PRICED | OUT_OF_SEQUENCE | PRIOR_REFERENCE_PRICE | SOLD) {
        return SaleRule::NoLast;
    }
    SaleRule::Regular
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_met_in_the_ibm_ticks() {
        let rule = |hex, extended| sale_rule(hex, false, extended);
        // Regular, sweep, trade-through exempt sweep, opening and closing prints.
        for hex in [0x1, 0x20, 0x2000_0020, 0x2000_0001, 0x40, 0x80] {
            assert_eq!(rule(hex, false), SaleRule::Regular, "{hex:x}");
        }
        assert_eq!(rule(0x2000_0200, false), SaleRule::NoLast, "derivatively priced");
        assert_eq!(rule(0x4800, false), SaleRule::NoLast, "sold out of sequence");
        assert_eq!(rule(0x2010_0200, false), SaleRule::VolumeOnly, "average price");
        assert_eq!(rule(0x2004_0200, false), SaleRule::VolumeOnly, "stock-option");
        assert_eq!(rule(0x400_0000, false), SaleRule::Ignored, "official open");
        assert_eq!(rule(0x100_0000, false), SaleRule::Ignored, "official close");
        assert_eq!(rule(0x2000, true), SaleRule::Regular, "extended hours, outside the session");
        assert_eq!(rule(0x2000, false), SaleRule::VolumeOnly, "extended hours, inside the session");
        assert_eq!(sale_rule(0x1, true, false), SaleRule::Ignored, "suspicious");
    }
}
