//! `wingspread scores`: how good the models' and ensembles' forecasts were, from the scored predictions on record, and
//! what drifted. It reads beside a running engine.

use crate::cli::{self, By, ScoresFormat};
use anyhow::{Context, ensure};
use desk::letter::Letter;
use forecast::Scored;
use forecast::measures::{Measures, Tally};
use forecast::notes::{Drift, DriftNote};
use journal::export::{Filter, select};
use journal::{Kind, LetterKind, Reader};
use market::time::HOUR;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;

/// Drifts shown below the table, the newest.
const DRIFTS_SHOWN: usize = 10;

/// Reads, scores and prints.
///
/// # Errors
/// No journal, or a filter that cannot be read.
pub fn run(args: &cli::Scores, options: &cli::Run) -> anyhow::Result<ExitCode> {
    let folder = super::folder(options)?;
    let reader = Reader::open(&folder)
        .with_context(|| format!("{}: nothing to score; `wingspread` makes a journal", folder.display()))?;
    let found = gather(&reader, args)?;
    let text = match args.format {
        ScoresFormat::Text => found.text(args),
        ScoresFormat::Csv => found.csv(args),
        ScoresFormat::Json => found.json(args)?,
    };
    super::print(&text)?;
    for (seq, why) in found.damaged {
        eprintln!("record {seq} does not read ({why}): left out");
    }
    Ok(ExitCode::SUCCESS)
}

/// What is on record.
struct Found {
    /// Scores by the columns asked for, in order.
    groups: BTreeMap<Vec<String>, Tally>,
    drifts: Vec<DriftNote>,
    damaged: Vec<(u64, String)>,
}

fn gather(reader: &Reader, args: &cli::Scores) -> anyhow::Result<Found> {
    ensure!(!args.by.is_empty(), "--by: name at least one of model, symbol, timeframe, hour");
    let parsed = |text: &String| text.to_uppercase().parse();
    let symbol =
        args.symbol.as_ref().map(parsed).transpose().context("--symbol: give a ticker such as SPY")?;
    let day = args.day.as_ref().map(|text| text.parse()).transpose().ok();
    let day = day.context("--day: give a date as 2026-03-16")?;
    let letters = vec![LetterKind::Scored, LetterKind::Drift];
    let filter = Filter { kind: Some(Kind::Said), letters, symbol, day, ..Filter::default() };
    let mut found = Found { groups: BTreeMap::new(), drifts: Vec::new(), damaged: Vec::new() };
    let is_asked = |name: &str| args.model.as_deref().is_none_or(|model| model == name);
    let (groups, drifts) = (&mut found.groups, &mut found.drifts);
    select(reader, &filter, &mut found.damaged, |record| {
        match record.envelope().map(|envelope| &envelope.letter) {
            Some(Letter::Scored(scored)) if is_asked(scored.model.name.as_str()) => {
                let key = args.by.iter().map(|by| column(*by, scored)).collect();
                groups.entry(key).or_default().take(scored);
            }
            Some(Letter::Drift(note)) if is_asked(note.model.name.as_str()) => drifts.push(*note),
            _ => {}
        }
        Ok(())
    })?;
    Ok(found)
}

/// The value of a column, so that they sort as people read them.
fn column(by: By, scored: &Scored) -> String {
    match by {
        By::Model => format!("{} {}", scored.model.name, scored.model.version),
        By::Symbol => scored.symbol.to_string(),
        By::Timeframe => scored.model.timeframe.to_string(),
        By::Hour => format!("{:02}:00", scored.at.new_york().1 / HOUR),
    }
}

impl Found {
    fn rows(&self) -> impl Iterator<Item = (&Vec<String>, Measures)> {
        self.groups.iter().filter_map(|(key, tally)| Some((key, tally.measures()?)))
    }

    fn text(&self, args: &cli::Scores) -> String {
        let widths: Vec<usize> = (0..args.by.len())
            .map(|at| self.groups.keys().map(|key| key[at].len()).max().unwrap_or(0).max(9))
            .collect();
        let mut text = String::new();
        for (by, width) in args.by.iter().zip(&widths) {
            let _ = write!(text, "{:<width$}  ", by.name());
        }
        let _ = writeln!(
            text,
            "{:>8}{:>10}{:>9}{:>10}{:>10}{:>8}{:>8}",
            "scored", "accuracy", "Brier", "log loss", "of base", "AUC", "ECE"
        );
        for (key, m) in self.rows() {
            for (value, width) in key.iter().zip(&widths) {
                let _ = write!(text, "{value:<width$}  ");
            }
            let area = m.auc.map_or("-".into(), |auc| format!("{auc:.3}"));
            let _ = writeln!(
                text,
                "{:>8}{:>10.3}{:>9.4}{:>10.4}{:>10.4}{area:>8}{:>8.3}",
                m.count, m.accuracy, m.brier, m.log_loss, m.log_loss_of_base, m.calibration_error
            );
        }
        if self.groups.is_empty() {
            text.push_str("no prediction's horizon has ended yet, or its model's manifest has no `label`\n");
        }
        let newest = self.drifts.len().saturating_sub(DRIFTS_SHOWN);
        for note in &self.drifts[newest..] {
            let _ = writeln!(text, "drift {}", drift(note));
        }
        text
    }

    fn csv(&self, args: &cli::Scores) -> String {
        let mut text = String::new();
        for by in &args.by {
            let _ = write!(text, "{},", by.name());
        }
        text.push_str("scored,accuracy,brier,log_loss,log_loss_of_base,auc,calibration_error\n");
        for (key, m) in self.rows() {
            for value in key {
                let _ = write!(text, "{value},");
            }
            let area = m.auc.map_or(String::new(), |auc| auc.to_string());
            let _ = writeln!(
                text,
                "{},{},{},{},{},{area},{}",
                m.count, m.accuracy, m.brier, m.log_loss, m.log_loss_of_base, m.calibration_error
            );
        }
        text
    }

    fn json(&self, args: &cli::Scores) -> anyhow::Result<String> {
        let group = |key: &Vec<String>, tally: &Tally| {
            let of: BTreeMap<&str, &String> = args.by.iter().map(|by| by.name()).zip(key).collect();
            serde_json::json!({
                "of": of,
                "scores": tally.measures(),
                "calibration": tally.reliability().bins(),
            })
        };
        let groups: Vec<_> = self.groups.iter().map(|(key, tally)| group(key, tally)).collect();
        let all = serde_json::json!({ "groups": groups, "drifts": self.drifts });
        Ok(serde_json::to_string_pretty(&all)? + "\n")
    }
}

fn drift(note: &DriftNote) -> String {
    let (date, of_day) = note.at.new_york();
    let when = format!("{date} {:02}:{:02}", of_day / HOUR, of_day % HOUR / market::time::MINUTE);
    let who = format!("{when} {} {} on {}", note.model.name, note.model.version, note.symbol);
    match note.drift {
        Drift::Features { feature, psi, ks, moved } => {
            format!(
                "{who}: {moved} features moved in {} rows, most `{feature}` (PSI {psi:.2}, KS {ks:.2})",
                note.rows
            )
        }
        Drift::Loss { before, since } => {
            format!("{who}: Brier rose from {before:.3} to {since:.3} over {} predictions", note.rows)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use desk::letter::{Address, Envelope};
    use forecast::notes::ModelNote;
    use forecast::{Class, Odds};
    use journal::{Journal, RunStart};
    use market::quote::Timeframe;
    use market::{Label, Symbol, Timestamp};

    fn args(by: &[By], format: ScoresFormat) -> cli::Scores {
        cli::Scores { by: by.to_vec(), symbol: None, model: None, day: None, format }
    }

    fn scored(symbol: &str, hour: i64, outcome: Class) -> Scored {
        let (name, version) = (Label::literal("m"), Label::literal("1"));
        // 13:30 UTC is 09:30 in New York in June.
        let at = Timestamp::parse_rfc3339(b"2025-06-18T13:30:00Z").expect("a time") + hour * HOUR;
        Scored {
            model: ModelNote { timeframe: Timeframe::Min5, name, version, digest: 1 },
            symbol: Symbol::literal(symbol),
            at,
            due: at + HOUR,
            odds: Odds { down: 0.2, flat: 0.3, up: 0.5 },
            outcome,
        }
    }

    fn folder(letters: &[Letter]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("dir");
        let settings = journal::Settings {
            ring_bytes: 1 << 20,
            ring_dir: None,
            pens: 1,
            group_records: 1000,
            group_ms: 1,
            map_size_mb: 64,
            durability: journal::Durability::Process,
            prune_above_percent: None,
        };
        let at = Timestamp::from_seconds(1);
        let start = RunStart { version: Label::literal("test"), seeds: Vec::new(), at };
        let mut opened = Journal::open(dir.path(), &settings, &start).expect("opens");
        for letter in letters {
            let own = Address::Underlying(Symbol::literal("SPY"));
            let envelope = Envelope { from: own, to: Address::Record, at, letter: letter.clone() };
            let pen = &mut opened.pens[0];
            assert!(pen.said(&envelope) && pen.heard(&Envelope { from: own, to: own, ..envelope }));
        }
        opened.journal.close(at).expect("closes");
        dir
    }

    #[test]
    fn scores_are_gathered_by_what_is_asked_and_once() {
        let mut letters: Vec<Letter> = (0..8)
            .map(|i| {
                Letter::Scored(scored(if i < 6 { "SPY" } else { "QQQ" }, i % 2, Class::ALL[i as usize % 3]))
            })
            .collect();
        let model = scored("SPY", 0, Class::Up).model;
        let drift = Drift::Loss { before: 0.5, since: 0.9 };
        let at = Timestamp::from_seconds(5);
        let symbol = Symbol::literal("SPY");
        letters.push(Letter::Drift(DriftNote { model, symbol, drift, rows: 40, at }));
        let dir = folder(&letters);
        let reader = Reader::open(dir.path()).expect("opens");
        let found = |by: &[By]| gather(&reader, &args(by, ScoresFormat::Text)).expect("gathers");
        let counts = |by: &[By]| -> Vec<(String, u64)> {
            found(by).rows().map(|(key, m)| (key.join("/"), m.count)).collect()
        };
        assert_eq!(counts(&[By::Model]), [("m 1".into(), 8)], "what was heard again is not counted again");
        assert_eq!(counts(&[By::Hour]), [("09:00".into(), 4), ("10:00".into(), 4)]);
        let both = counts(&[By::Timeframe, By::Symbol]);
        assert_eq!(both, [("5min/QQQ".into(), 2), ("5min/SPY".into(), 6)]);
        let by_model = args(&[By::Model], ScoresFormat::Text);
        let text = found(&[By::Model]).text(&by_model);
        assert!(text.contains("0.250") && text.contains("from 0.500 to 0.900 over 40"), "{text}");
        let csv = found(&[By::Model]).csv(&by_model);
        assert!(csv.starts_with("model,scored,accuracy") && csv.contains("\nm 1,8,0.25,"), "{csv}");
        let json = found(&[By::Model]).json(&by_model).expect("writes");
        let read: serde_json::Value = serde_json::from_str(&json).expect("json");
        assert_eq!(read["groups"][0]["scores"]["count"], 8);
        assert_eq!(read["groups"][0]["calibration"].as_array().map(Vec::len), Some(10));
        assert_eq!(read["drifts"][0]["drift"]["what"], "loss");
    }
}
