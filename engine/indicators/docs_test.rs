//! `docs/indicators.md` is made from the table and from what was measured.

use crate::declaration::{Declaration, Memory, Parameter, Unit};
use crate::features;
use crate::table;
use std::fmt::Write as _;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/");

const HEAD: &str = "# Indicators

<!-- Made from `engine/indicators/table.rs` and the measured figures: do not edit.
     `WINGSPREAD_BLESS=1 cargo test -p indicators --lib docs` writes it. -->

Every indicator takes finished bars one at a time, in constant time and memory, and says for a forming bar what it would
say if the bar closed now. A value that cannot be known is missing, never a NaN. They are made by name and parameters
(`indicators::table::make`), which are checked against the bounds below.

*Warm-up*: finished bars until the first full answer. *Forgets*: bars until the value no longer depends on where history
began (exactly for windows, to 1e-9 of itself for recursions); both at the default parameters, the second measured by
`indicators::memory::forgets_after`. *ns*: a finished bar, taken one by one as live, out of columns in cache. *TA-Lib*:
our time over TA-Lib's C loop for a million bars, both by their thread's own clock and the fastest of several runs; a
batch sweeps columns (`engine/indicators/sweep.rs`) where that is faster, and equals the bars one by one to 1e-12.
*Golden*: worst error against the reference vectors, as a share of their tolerance (1 would just pass). Figures come from
`docs/indicators-measured.csv` (written by `cargo bench -p indicators --bench indicators`) and `docs/indicators-golden.csv`.

| name | parameters | outputs | warm-up | forgets | source; deliberate differences | ns | TA-Lib | golden |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
";

fn read(name: &str) -> String {
    std::fs::read_to_string(format!("{DOCS}{name}")).unwrap_or_default()
}

/// The cell of a measured file, or a dash.
fn measured(text: &str, name: &str, column: usize) -> String {
    let line = text.lines().find(|line| line.split(',').next() == Some(name));
    let cell = line.and_then(|line| line.split(',').nth(column)).filter(|cell| !cell.is_empty());
    cell.unwrap_or("-").to_string()
}

fn parameter(p: &Parameter) -> String {
    if p.choices.is_empty() {
        format!("{} {} ({} to {})", p.name, p.default, p.least, p.most)
    } else {
        let names: Vec<String> =
            p.choices.iter().enumerate().map(|(i, name)| format!("{i} {name}")).collect();
        format!("{} {} ({})", p.name, p.default, names.join(", "))
    }
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Dollars => "$",
        Unit::DollarsSquared => "$²",
        Unit::Percent => "%",
        Unit::Ratio => "1",
        Unit::Shares => "shares",
    }
}

fn line(d: &Declaration, timings: &str, golden: &str) -> String {
    let parameters: Vec<String> = d.parameters.iter().map(parameter).collect();
    let outputs: Vec<String> = d.outputs.iter().map(|o| format!("{} ({})", o.name, unit(o.unit))).collect();
    let defaults = d.defaults();
    let forgets = match d.memory {
        Memory::Window(bars) => bars(&defaults).to_string(),
        Memory::Fading(bars) => format!("~{}", bars(&defaults)),
        Memory::Session => "session".to_string(),
        Memory::Forever => "never".to_string(),
    };
    let differences = if d.differences.is_empty() { String::new() } else { format!("; {}", d.differences) };
    format!(
        "| `{}` {} | {} | {} | {} | {forgets} | {}{differences} | {} | {} | {} |\n",
        d.name,
        d.title,
        parameters.join("; "),
        outputs.join(", "),
        (d.warm_up)(&defaults),
        d.source,
        measured(timings, d.name, 1),
        measured(timings, d.name, 4),
        measured(golden, d.name, 2),
    )
}

fn document() -> String {
    let (timings, golden) = (read("indicators-measured.csv"), read("indicators-golden.csv"));
    let mut text = HEAD.to_string();
    for declaration in table::all() {
        text.push_str(&line(declaration, &timings, &golden));
    }
    let _ = write!(
        text,
        "\n## Feature rows\n\nSchema `{}` version {}: {} values a timeframe, {} from bars and the rest from the option \
         chain, read between ticks (`iv_rank` stays missing: no year of volatility is kept). A missing value stands at 0, which is neutral, and is marked in a mask. \
         Values are cut at ±{}; the schema's digest over names, order, parameters of all timeframes and transforms is \
         `{:#018x}`.\n\n| value | indicators | transform |\n| --- | --- | --- |\n",
        features::SCHEMA_NAME,
        features::SCHEMA_VERSION,
        features::FEATURES,
        features::MARKET_FEATURES,
        features::BOUND,
        features::schema_digest(),
    );
    for feature in features::TABLE {
        let _ =
            writeln!(text, "| `{}` | {} | {} |", feature.name, feature.from.join(", "), feature.transform);
    }
    text
}

#[test]
fn the_page_is_what_the_table_says() {
    let (path, text) = (format!("{DOCS}indicators.md"), document());
    if std::env::var_os("WINGSPREAD_BLESS").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    assert!(
        read("indicators.md") == text,
        "docs/indicators.md is not what the table says: WINGSPREAD_BLESS=1 cargo test -p indicators --lib docs"
    );
}
