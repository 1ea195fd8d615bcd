//! The kinds of records a person can ask for, and which letters they are. Each fact is on record where it is said
//! and again where it is heard: a kind takes one of the two.

use super::Picky;
use anyhow::bail;
use desk::letter::Letter;
use forecast::shelf::notes::ShelfLetter;
use journal::{Kind, LetterKind, Record};

/// What a kind stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen {
    /// The word.
    pub(super) name: &'static str,
    /// Heard or said; all when absent.
    pub(super) kind: Option<Kind>,
    /// The letters; all when empty.
    pub(super) letters: &'static [LetterKind],
    /// What the header does not tell.
    picky: Option<Picky>,
}

impl Chosen {
    /// True for records of this kind.
    pub(super) fn likes(&self, record: &Record) -> bool {
        self.picky.is_none_or(|likes| likes(record))
    }

    /// True when letters alone do not tell.
    pub(super) fn is_picky(&self) -> bool {
        self.picky.is_some()
    }
}

const fn of(name: &'static str, kind: Kind, letters: &'static [LetterKind]) -> Chosen {
    Chosen { name, kind: Some(kind), letters, picky: None }
}

/// All kinds, in the order of the command line's help.
const KINDS: [Chosen; 20] = [
    of("predictions", Kind::Said, &[LetterKind::Forecast]),
    of("scores", Kind::Said, &[LetterKind::Scored]),
    of("ensembles", Kind::Said, &[LetterKind::Combined]),
    of("drift", Kind::Said, &[LetterKind::Drift]),
    of("proposals", Kind::Said, &[LetterKind::Propose]),
    of("decisions", Kind::Said, &[LetterKind::Decided]),
    Chosen { picky: Some(is_refusal), ..of("refusals", Kind::Said, &[LetterKind::Decided]) },
    of("orders", Kind::Said, &[LetterKind::Request]),
    of("reports", Kind::Heard, &[LetterKind::Report]),
    of("fills", Kind::Said, &[LetterKind::Fill]),
    of("positions", Kind::Said, &[LetterKind::Position]),
    of("activities", Kind::Heard, &[LetterKind::Activity]),
    of("marks", Kind::Said, &[LetterKind::Mark]),
    of("models", Kind::Heard, &[LetterKind::Model]),
    Chosen { picky: Some(is_step), ..of("shelf", Kind::Said, &[LetterKind::Shelf]) },
    of("feeds", Kind::Heard, &[LetterKind::Feed]),
    of("alerts", Kind::Said, &[LetterKind::Alert]),
    of("commands", Kind::Heard, &[LetterKind::Command]),
    of("market", Kind::Heard, &[LetterKind::Market]),
    Chosen { name: "all", kind: None, letters: &[], picky: None },
];

/// A step of a model's life, not what it makes the seats do.
fn is_step(record: &Record) -> bool {
    let letter = record.envelope().map(|envelope| &envelope.letter);
    matches!(letter, Some(Letter::Shelf(ShelfLetter::Step(_))))
}

/// The kind of that name.
pub(super) fn chosen(name: &str) -> anyhow::Result<Chosen> {
    match KINDS.iter().find(|kind| kind.name == name) {
        Some(kind) => Ok(*kind),
        None => {
            let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            bail!("--kind {name}: there is no such kind; choose one of {}", names.join(", "))
        }
    }
}

fn is_refusal(record: &Record) -> bool {
    matches!(record.envelope().map(|e| &e.letter), Some(Letter::Decided(decision)) if decision.units == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_those_of_the_help() {
        use clap::CommandFactory;
        let mut command = crate::cli::Cli::command();
        let journal = command.find_subcommand_mut("journal").expect("there");
        let list = journal.find_subcommand_mut("list").expect("there");
        let kind = list.get_arguments().find(|a| a.get_id() == "kind").expect("there");
        let help = kind.get_help().expect("has help").to_string();
        let named = help.trim_start_matches("Kind: ").trim_end_matches('.');
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(named.replace('\n', " "), names.join(", "));
    }

    #[test]
    fn an_unknown_kind_is_told_the_known_ones() {
        let said = chosen("fils").expect_err("unknown").to_string();
        assert!(said.contains("fils") && said.contains("fills") && said.contains("predictions"), "{said}");
        assert_eq!(chosen("orders").expect("known").letters, [LetterKind::Request]);
    }
}
