//! What a trade's sale conditions allow it to do to a bar.
//!
//! Stocks: the consolidated-processing tables of the tape plans, CTA (tapes A and B, "CTS Multicast Output
//! Specification") and UTP (tape C, "UTDF"). Each condition answers three questions (may it change high and
//! low? last? volume?), which come down to four rules; the strictest condition of a trade wins.
//!
//! | rule | stock conditions |
//! | --- | --- |
//! | regular | `@` and blank regular, `A` acquisition, `B` bunched (tape C), `D` distribution, `E` automatic execution, `F` intermarket sweep, `K` rule 127/155, `L` sold last, `O` opening, `S` split, `X` cross, `Y` yellow flag, `1` stopped, `5` reopening, `6` closing |
//! | high, low and volume, not last | `G` bunched sold, `P` prior reference price, `Z` sold out of sequence, `4` derivatively priced |
//! | volume only | `B` average price (tapes A, B), `C` cash, `H` price variation, `I` odd lot, `N` next day, `R` seller, `T` and `U` extended hours, `V` contingent, `W` average price, `7` qualified contingent |
//! | nothing | `M` official close, `Q` official open, `9` corrected close: they repeat what other prints said |
//!
//! Conditions we do not know count as regular, for the tape adds qualifiers that change nothing.
//!
//! Options (OPRA message types, one a trade): `A`, `C`, `E`, `G` take an earlier report back: nothing; `B` and
//! `D` are late or out of sequence: not last; `f` to `u` are legs of packages, priced as a package: volume
//! only, as is `v`, extended hours. All others are regular.

use arrayvec::ArrayVec;
use market::quote::SaleRule;

/// Condition codes of one trade, first bytes only; more than eight are not looked at.
pub(crate) type Codes = ArrayVec<u8, 8>;

/// The rule for a stock trade. `tape` is `A`, `B`, `C` or `O`.
pub(crate) fn stock_rule(codes: &Codes, tape: u8) -> SaleRule {
    codes.iter().map(|code| stock_code(*code, tape)).max_by_key(severity).unwrap_or_default()
}

/// The rule for an option trade.
pub(crate) fn option_rule(codes: &Codes) -> SaleRule {
    codes.iter().map(|code| option_code(*code)).max_by_key(severity).unwrap_or_default()
}

fn severity(rule: &SaleRule) -> u8 {
    match rule {
        SaleRule::Regular => 0,
        SaleRule::NoLast => 1,
        SaleRule::VolumeOnly => 2,
        SaleRule::Ignored => 3,
    }
}

fn stock_code(code: u8, tape: u8) -> SaleRule {
    match code {
        b'B' if matches!(tape, b'A' | b'B') => SaleRule::VolumeOnly,
        b'C' | b'H' | b'I' | b'N' | b'R' | b'T' | b'U' | b'V' | b'W' | b'7' => SaleRule::VolumeOnly,
        b'G' | b'P' | b'Z' | b'4' => SaleRule::NoLast,
        b'M' | b'Q' | b'9' => SaleRule::Ignored,
        _ => SaleRule::Regular,
    }
}

fn option_code(code: u8) -> SaleRule {
    match code {
        b'A' | b'C' | b'E' | b'G' => SaleRule::Ignored,
        b'B' | b'D' => SaleRule::NoLast,
        b'f'..=b'v' => SaleRule::VolumeOnly,
        _ => SaleRule::Regular,
    }
}

/// Conditions a server writes for a stock trade of that rule.
pub(crate) const fn stock_conditions(rule: SaleRule) -> &'static [&'static str] {
    match rule {
        SaleRule::Regular => &["@"],
        SaleRule::VolumeOnly => &["@", "I"],
        SaleRule::NoLast => &["@", "Z"],
        SaleRule::Ignored => &["@", "M"],
    }
}

/// The condition a server writes for an option trade of that rule.
pub(crate) const fn option_condition(rule: SaleRule) -> &'static str {
    match rule {
        SaleRule::Regular => "I",
        SaleRule::VolumeOnly => "f",
        SaleRule::NoLast => "D",
        SaleRule::Ignored => "A",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Codes {
        text.bytes().collect()
    }

    #[test]
    fn the_strictest_condition_wins() {
        assert_eq!(stock_rule(&codes("@"), b'C'), SaleRule::Regular);
        assert_eq!(stock_rule(&codes("@FI"), b'C'), SaleRule::VolumeOnly);
        assert_eq!(stock_rule(&codes("@4I"), b'C'), SaleRule::VolumeOnly);
        assert_eq!(stock_rule(&codes("@4"), b'C'), SaleRule::NoLast);
        assert_eq!(stock_rule(&codes("M"), b'A'), SaleRule::Ignored);
        assert_eq!(stock_rule(&codes(""), b'A'), SaleRule::Regular);
        // The same letter on two tapes.
        assert_eq!(stock_rule(&codes("B"), b'B'), SaleRule::VolumeOnly);
        assert_eq!(stock_rule(&codes("B"), b'C'), SaleRule::Regular);
    }

    #[test]
    fn what_a_server_writes_is_read_back() {
        for rule in [SaleRule::Regular, SaleRule::VolumeOnly, SaleRule::NoLast, SaleRule::Ignored] {
            let stock: Codes = stock_conditions(rule).iter().map(|c| c.as_bytes()[0]).collect();
            assert_eq!(stock_rule(&stock, b'B'), rule);
            assert_eq!(option_rule(&codes(option_condition(rule))), rule);
        }
    }
}
