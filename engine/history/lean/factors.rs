//! Factor files: which splits a stock had.

use super::Error;
use super::names::{self, parse_compact};
use market::Symbol;
use market::session::next_session;
use market::split::Split;
use std::path::Path;

/// Most shares one may become, or be made of, in a split we can name.
const SHARES_MAX: u32 = 100;

/// The splits of a stock, oldest first; none when LEAN keeps no factor file of it.
///
/// Each row has the last date a factor is for, so a split is where the split factor changes from one row to the
/// next, and takes effect with the session after the earlier row's date.
pub fn splits(root: &Path, symbol: Symbol) -> Result<Vec<Split>, Error> {
    let file = names::factor_file(root, &symbol);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::Open { file, source }),
    };
    let mut splits = Vec::new();
    let mut before: Option<(market::Date, f64)> = None;
    for (line, row) in (1u32..).zip(text.lines()).filter(|(_, row)| !row.trim().is_empty()) {
        let mut fields = row.split(',');
        let date = fields.next().and_then(|field| parse_compact(field.trim()));
        let factor = fields.nth(1).and_then(|field| field.trim().parse::<f64>().ok());
        let fault = |what: String| Error::Row { file: file.clone(), member: "factors".into(), line, what };
        let (Some(date), Some(factor)) = (date, factor.filter(|factor| *factor > 0.0)) else {
            return Err(fault(format!("`{row}` is not date, price factor, split factor, price")));
        };
        if let Some((last, earlier)) = before
            && (factor / earlier - 1.0).abs() > 1e-4
            && let Some(ex) = next_session(last)
        {
            let found = ratio(factor / earlier).and_then(|(new, old)| Split::new(ex.date, new, old));
            splits
                .push(found.ok_or_else(|| fault(format!("{factor} over {earlier} is no ratio of a split")))?);
        }
        before = Some((date, factor));
    }
    Ok(splits)
}

/// The simplest fraction: factors are written with six to eight digits. A small stock dividend (Google's of 2015 was
/// 0.27 %) is told in millionths; `None` when not even that can be.
fn ratio(value: f64) -> Option<(u32, u32)> {
    let simple = (1..=SHARES_MAX).find_map(|old| {
        let new = (value * f64::from(old)).round();
        let is_near = (new / f64::from(old) / value - 1.0).abs() < 1e-5;
        (is_near && (1.0..=f64::from(SHARES_MAX)).contains(&new)).then_some((new as u32, old))
    });
    let millionths = (value * 1e6).round();
    simple.or_else(|| (1.0..4e9).contains(&millionths).then_some((millionths as u32, 1_000_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_the_simplest_that_fit() {
        assert_eq!(ratio(1.0 / 0.142_857_143), Some((7, 1)));
        assert_eq!(ratio(0.125), Some((1, 8)));
        assert_eq!(ratio(1.5), Some((3, 2)));
        assert_eq!(ratio(1.0 / 0.997_307), Some((1_002_700, 1_000_000)), "a stock dividend");
        assert_eq!((ratio(0.0), ratio(1e9)), (None, None));
    }
}
