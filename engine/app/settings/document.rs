//! `docs/configuration.md`, made from the table.

use super::table::{SECTIONS, Setting, TABLE};
use super::typed::{Kind, bytes, span};
use std::fmt::Write;

const HEAD: &str = "\
# Configuration

<!-- Made from the table of settings (engine/app/settings/table.rs) by its tests; edit that, then run
     `WINGSPREAD_BLESS=1 cargo test -p wingspread --lib settings`. -->

One file, `config/wingspread.yaml` (another one with `--config FILE`), and the three lists it names. Whatever is left
out has the default below. The whole is compiled before anything starts: every fault is shown at once, with file,
line, column and what to write instead. `wingspread check` does that, and looks at keys, clock, disk, models and endpoints besides. For an editor to complete and check
while you type, point it at `config/wingspread.schema.json` (the first line of the shipped file does).

Keys of the broker are read from the environment, `APCA_API_KEY_ID` and `APCA_API_SECRET_KEY`, and from nowhere
else; a key found in a file is a fault.

Times carry their unit (`250ms`, `30s`, `20m`, `6h`) and are times of the market, unless *wall clock* is said; sizes
too (`16MiB`). Percentages are plain numbers under keys that end in `_pct`, dollars under keys in `_usd`.
";

const TAIL: &str = "
## The lists

**Structures** (`structures.yaml`): leg templates and the view each expresses. Adding one needs no Rust: write it, and
name it under `structures`. The whole language with an example: [structures.md](structures.md).

**Ensembles** (`ensembles.yaml`): a name, a weight for each timeframe (one left out has no voice), the rule that
combines the odds (`weighted_mean`, `mean_of_logits`, `by_skill`, `majority`, `stacked`), the quorum (the share of the
weight that must have spoken) and what happens below it; optionally roles, budgets and staleness of single members, a
calibration, and the symbols or structures it is for. All of it with examples: [ensembles.md](ensembles.md).

**Fees** (`fees.yaml`): dated rates. A row holds from its date until the next row of the same fee that applies; a fee
that ceases is a row with rate 0. Rates are dollars with up to nine decimals, per contract or share (`unit`) or per
`dollar` that changes hands, and kept exactly. Amounts are summed per day and fee and then rounded up to the cent.
";

/// The text of `docs/configuration.md`.
pub fn document() -> String {
    let mut text = HEAD.to_string();
    for (section, about) in SECTIONS {
        let title = if section.is_empty() { "At the top" } else { section };
        let _ = write!(
            text,
            "\n## {title}\n\n{about}\n\n| key | what it may be | default | what it does |\n|---|---|---|---|\n"
        );
        for setting in TABLE.iter().filter(|s| s.split().0 == *section) {
            let default = setting.default.map_or("**required**".into(), |d| format!("`{d}`"));
            let _ = writeln!(
                text,
                "| `{}` | {} | {default} | {} |",
                setting.split().1,
                range(setting),
                setting.help
            );
        }
    }
    text.push_str(TAIL);
    text
}

fn range(setting: &Setting) -> String {
    let text = match setting.kind {
        Kind::Switch => "`true` or `false`".into(),
        Kind::Whole { least, most: i64::MAX, unit } => format!("{least} or more ({unit})"),
        Kind::Whole { least, most, unit } => format!("{least} to {most} ({unit})"),
        Kind::Number { least, most, unit } => format!("{least} to {most} ({unit})"),
        Kind::Span { least, most } => format!("{} to {}", span(least), span(most)),
        Kind::Bytes { least, most } => format!("{} to {}", bytes(least), bytes(most)),
        Kind::Dollars { least, most } => format!("{least} to {most} dollars"),
        Kind::Word(words) => words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", "),
        Kind::Name => "a name".into(),
        Kind::Names => "a list of names".into(),
        Kind::Symbols { most } => format!("1 to {most} tickers"),
        Kind::Date => "YYYY-MM-DD".into(),
        Kind::Clock => "\"HH:MM\", New York".into(),
        Kind::Path => "a path".into(),
        Kind::Url(starts) => format!("an address: {}", starts.join(", ")),
    };
    if setting.or_none { format!("{text}, or `none`") } else { text }
}
