//! `wingspread models`: the folder, the record and the running engine's shelf, for people.

mod list;
mod show;

use crate::cli::{self, ModelsAction};
use crate::settings::Settings;
use crate::{run, seats};
use anyhow::Context;
use desk::ShelfSeat;
use desk::letter::Letter;
use forecast::shelf::notes::ShelfLetter;
use journal::{Kind, LetterKind, Reader, Recovered};
use std::fmt::Write;
use std::process::ExitCode;

/// Lists, shows, or tells the engine.
///
/// # Errors
/// When settings or journal cannot be read, or no engine listens, with the remedy.
pub fn run(args: &cli::Models, options: &cli::Run) -> anyhow::Result<ExitCode> {
    let told = match &args.action {
        ModelsAction::List => {
            let settings = run::settings(options)?;
            super::print(&list::text(&settings, &shelf_on_record(&settings)?))?;
            return Ok(ExitCode::SUCCESS);
        }
        ModelsAction::Show { model } => {
            let settings = run::settings(options)?;
            super::print(&show::text(&settings, &shelf_on_record(&settings)?, model)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        ModelsAction::History => {
            super::print(&history(&super::folder(options)?)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        ModelsAction::Promote { model } => format!("promote {model}"),
        ModelsAction::Rollback { timeframe } => format!("rollback {timeframe}"),
        ModelsAction::Pin { timeframe } => format!("pin {timeframe}"),
        ModelsAction::Unpin { timeframe } => format!("unpin {timeframe}"),
    };
    let answer = live::control::ask(&super::folder(options)?, &format!("models {told}"))?;
    super::print(&answer)?;
    Ok(super::tell::verdict(&answer))
}

/// The shelf as the record tells it; empty where no engine ever ran. A running engine goes on writing meanwhile.
fn shelf_on_record(settings: &Settings) -> anyhow::Result<ShelfSeat> {
    let shelf = seats::shelf(settings);
    let Ok(reader) = Reader::open(&settings.journal_folder) else { return Ok(shelf) };
    let last_seq = reader.last_seq()?;
    let record = Recovered { run: 0, nonce: 0, drained: 0, torn: Vec::new(), last_seq, reader };
    live::recover::restore_shelf(&record, shelf).context("what the shelf heard cannot be read back")
}

/// Every step on record, and every refusal.
fn history(folder: &std::path::Path) -> anyhow::Result<String> {
    let reader = Reader::open(folder).with_context(|| {
        format!(
            "{}: nothing to read; `wingspread` makes a journal, --journal names another",
            folder.display()
        )
    })?;
    let mut text = String::new();
    for entry in reader.scan(0..=u64::MAX, Box::new(|head| head.letter == LetterKind::Shelf)) {
        let Ok(record) = entry?.record else { continue };
        let Some(envelope) = record.envelope() else { continue };
        let told = match (&envelope.letter, record.kind) {
            (Letter::Shelf(letter @ ShelfLetter::Step(_)), Kind::Said) => letter,
            (Letter::Shelf(letter @ (ShelfLetter::Refused(_) | ShelfLetter::Asked(_))), Kind::Heard) => {
                letter
            }
            _ => continue,
        };
        let _ = writeln!(text, "{}  run {}  {}", record.at, record.run, words(told));
    }
    if text.is_empty() {
        text.push_str("no model has come, gone or moved on record\n");
    }
    Ok(text)
}

/// A letter of the shelf in words.
pub fn words(letter: &ShelfLetter) -> String {
    match letter {
        ShelfLetter::Brought(bundle) => {
            let model = &bundle.model;
            format!(
                "bundle {}/{} for {} is there, {}",
                model.name, model.version, model.timeframe, bundle.executor
            )
        }
        ShelfLetter::Taken(model) => format!("bundle {}/{} is gone", model.name, model.version),
        ShelfLetter::Refused(note) => {
            format!("bundle {}/{} refused: {}", note.name, note.version, note.reason)
        }
        ShelfLetter::Open => "every bundle was told".into(),
        ShelfLetter::TellAgain => "a seat was made anew: tell it again".into(),
        ShelfLetter::Asked(command) => format!("the operator asks: {command}"),
        ShelfLetter::Shadow(model) => {
            format!("shadow {}/{} for {}", model.name, model.version, model.timeframe)
        }
        ShelfLetter::Dismiss(model) => {
            format!("dismiss {}/{} of {}", model.name, model.version, model.timeframe)
        }
        ShelfLetter::Step(note) => note.to_string(),
    }
}
