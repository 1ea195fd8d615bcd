//! The nearest known word to one that is not known.

use std::cmp::Reverse;

/// The candidate with the fewest edits, when those are few for its length; of equals the one that begins alike.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase().replace('-', "_");
    let alike = |c: &str| lower.chars().zip(c.chars()).take_while(|(a, b)| a == b).count();
    candidates
        .into_iter()
        .map(|c| (edits(&lower, c), Reverse(alike(c)), c))
        .min()
        .filter(|(n, _, c)| *n <= (c.len() / 3).max(1))
        .map(|(_, _, c)| c)
}

/// Insertions, deletions and replacements between two words (Levenshtein), swapped neighbours counted as one.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut next = vec![i + 1];
        for j in 0..b.len() {
            let mut least = (row[j] + usize::from(a[i] != b[j])).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["speed", "seed", "symbols", "portfolio_heat_pct"];
        assert_eq!(nearest("sped", known), Some("speed"));
        assert_eq!(nearest("Symbol", known), Some("symbols"));
        assert_eq!(nearest("portfolio-heat-pct", known), Some("portfolio_heat_pct"));
        assert_eq!(nearest("sybmols", known), Some("symbols"));
        assert_eq!(nearest("volatility", known), None);
    }
}
