//! Laws on what is written for people: file heads, doc comments, names.

use super::{Fault, Source, hold, snippet};

/// Words that say nothing about what a thing is for.
const BANNED_WORDS: [&str; 9] =
    ["util", "utils", "helper", "helpers", "common", "misc", "manager", "stuff", "handlers"];

fn heads(source: &Source) -> Vec<Fault> {
    if source.text.starts_with("//!") {
        return vec![];
    }
    vec![Fault::new(source, 1, "open the file with `//!` and what it is for")]
}

fn docs(source: &Source) -> Vec<Fault> {
    let written: Vec<&str> = source.text.lines().map(str::trim).collect();
    let mut faults = Vec::new();
    // Fields follow their struct, and a private struct's fields are private whatever they say.
    let mut in_public = true;
    for (line, code) in source.shipped_lines() {
        let code = code.trim();
        if let Some(at) = code.find("struct ") {
            // A struct whose fields are told together says so, with its reason.
            let excused = written[..line - 1].iter().rev().take_while(|l| l.starts_with("#["));
            let excused = excused.into_iter().any(|l| l.contains("expect(missing_docs, reason"));
            in_public = code[..at].trim() == "pub" && !excused;
        }
        let Some((what, name)) = public_item(code) else { continue };
        if (what == Public::Item || in_public) && !has_doc(&written[..line - 1]) {
            faults.push(Fault::new(source, line, format!("`{name}` is public: say what it is above it")));
        }
    }
    faults
}

#[derive(PartialEq, Eq)]
enum Public {
    Item,
    Field,
}

/// What a line makes public, and its name. Re-exports and modules have their words elsewhere; what a macro names
/// by a variable is documented where the macro is used.
fn public_item(line: &str) -> Option<(Public, &str)> {
    let mut rest = line.strip_prefix("pub ")?;
    for word in ["const ", "async ", "unsafe "] {
        match rest.strip_prefix(word) {
            Some(inner) if inner.contains("fn ") => rest = inner,
            _ => {}
        }
    }
    let (word, name) = rest.split_once(' ')?;
    let end = |name: &str| name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    let items = ["fn", "struct", "enum", "trait", "const", "static", "type", "union"];
    if items.contains(&word) && !name.starts_with('$') {
        return Some((Public::Item, &name[..end(name)]));
    }
    // `pub name: Type`, a field.
    let field = word.strip_suffix(':')?;
    (end(field) == field.len()).then_some((Public::Field, field))
}

/// True when the lines end in a doc comment, attributes after it left aside.
fn has_doc(above: &[&str]) -> bool {
    let mut i = above.len();
    while i > 0 {
        i -= 1;
        let line = above[i];
        if line.starts_with("///") || line.starts_with("#[doc") {
            return true;
        }
        if line.starts_with("#[") {
            continue;
        }
        // Inside an attribute of several lines: on to its first.
        match above[..=i].iter().rposition(|l| l.starts_with("#[")) {
            Some(first) if line.ends_with(")]") && unclosed(&above[first..i]) => i = first,
            _ => return false,
        }
    }
    false
}

fn unclosed(lines: &[&str]) -> bool {
    let count = |c: char| lines.iter().map(|l| l.matches(c).count()).sum::<usize>();
    count('[') > count(']')
}

fn names(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    let file = source.path.rsplit('/').next().unwrap_or("").trim_end_matches(".rs").to_lowercase();
    if let Some(word) = file.split('_').find(|part| BANNED_WORDS.contains(part)) {
        faults.push(Fault::new(source, 0, format!("a file named after `{word}`: name the one idea in it")));
    }
    for (line, code) in (1..).zip(source.code.lines()) {
        for word in ["struct ", "enum ", "trait ", "type ", "mod "] {
            let Some((before, name)) = code.split_once(word) else { continue };
            if !before.trim_start_matches("pub").trim_matches(|c| "(crate) super".contains(c)).is_empty() {
                continue;
            }
            let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if let Some(bad) = words_of(&name).into_iter().find(|w| BANNED_WORDS.contains(&w.as_str())) {
                faults.push(Fault::new(source, line, format!("`{name}`: `{bad}` says nothing; what is it?")));
            }
        }
    }
    faults
}

/// The words of a name in either case style, lower-cased.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            words.push(String::new());
        }
        if c != '_' {
            words.last_mut().expect("never empty").extend(c.to_lowercase());
        }
    }
    words
}

#[test]
fn every_file_says_what_it_is_for() {
    hold("file heads", heads);
}

#[test]
fn a_file_without_a_head_is_found() {
    assert_eq!(heads(&snippet("engine/x/a.rs", "// not a head\nfn a() {}")).len(), 1);
    assert!(heads(&snippet("engine/x/a.rs", "//! For a.\nfn a() {}")).is_empty());
}

#[test]
fn every_public_item_has_a_doc_comment() {
    hold("doc comments", docs);
}

#[test]
fn an_undocumented_item_is_found() {
    let bad = "pub fn a() {}\npub const fn b() {}\npub struct C {\n    pub d: u8,\n}\n#[derive(\n    Clone,\n)]\npub enum E {}";
    let lines: Vec<usize> = docs(&snippet("engine/x/a.rs", bad)).iter().map(|f| f.line).collect();
    assert_eq!(lines, vec![1, 2, 3, 4, 9]);
    let good = "/// A.\n#[inline]\npub fn a() {}\npub mod b;\npub use c::d;\npub(crate) fn e() {}\nstruct G {\n    pub g: u8,\n}\n/// E.\n#[derive(\n    Clone,\n)]\npub enum E {}\n#[cfg(test)]\nmod t {\n    pub fn f() {}\n}";
    assert_eq!(docs(&snippet("engine/x/a.rs", good)), vec![]);
}

#[test]
fn names_say_something() {
    hold("banned names", names);
}

#[test]
fn an_empty_name_is_found() {
    let bad = |path, text| !names(&snippet(path, text)).is_empty();
    assert!(bad("engine/x/utils.rs", ""));
    assert!(bad("engine/x/order_helpers.rs", ""));
    assert!(bad("engine/x/a.rs", "pub struct OrderManager;"));
    assert!(bad("engine/x/a.rs", "pub(crate) mod misc;"));
    assert!(!bad("engine/x/a.rs", "struct Utility; // manager"));
}
