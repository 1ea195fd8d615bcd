//! The ratchet on function length: none over 70 lines, but for a list that may only shrink.

use super::source::item_end;
use super::{Fault, Source, fail_with, snippet};
use std::collections::BTreeMap;

/// The longest a function may be, in lines from `fn` to its closing brace.
const LINES_MAX: usize = 70;

/// Functions that are longer, as `path::name`, with their length. Nothing is added here; when one gets shorter
/// its number goes down with it, and when it fits, its line goes.
const LONGER: [(&str, usize); 0] = [];

/// A function: its name, first line and length.
struct Function {
    name: String,
    line: usize,
    lines: usize,
}

fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let starts = code[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !starts || name.is_empty() {
            continue;
        }
        let body = &code[at..item_end(code.as_bytes(), at)];
        let line = code[..at].matches('\n').count() + 1;
        found.push(Function { name, line, lines: body.matches('\n').count() + 1 });
    }
    found
}

fn too_long(source: &Source, longer: &BTreeMap<&str, usize>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for function in functions(&source.code) {
        let key = format!("{}::{}", source.path, function.name);
        let n = function.lines;
        let what = match longer.get(key.as_str()) {
            None if n > LINES_MAX => {
                format!("`{}` has {n} lines, more than {LINES_MAX}: split it", function.name)
            }
            Some(listed) if n > *listed => format!("`{}` grew from {listed} to {n} lines", function.name),
            Some(_) if n <= LINES_MAX => format!("`{}` fits now: take it off the list", function.name),
            Some(listed) if n < *listed => format!("`{}` has {n} lines now: lower its number", function.name),
            _ => continue,
        };
        faults.push(Fault::new(source, function.line, what));
    }
    faults
}

#[test]
fn no_function_is_too_long() {
    let longer = BTreeMap::from(LONGER);
    let sources = Source::all();
    let mut faults: Vec<Fault> = sources.iter().flat_map(|s| too_long(s, &longer)).collect();
    for key in longer.keys() {
        let (path, name) = key.rsplit_once("::").expect("path::name");
        let there =
            sources.iter().any(|s| s.path == path && functions(&s.code).iter().any(|f| f.name == name));
        if !there {
            let what = format!("`{name}` is gone: take it off the list");
            faults.push(Fault { path: path.into(), line: 0, what });
        }
    }
    fail_with("function length", &faults);
}

#[test]
fn long_functions_and_stale_entries_are_found() {
    let of =
        |n: usize| snippet("engine/x/a.rs", &format!("fn a() {{\n{}}}\nfn b() {{}}\n", "x();\n".repeat(n)));
    let listed = |n| BTreeMap::from([("engine/x/a.rs::a", n)]);
    let nothing = BTreeMap::new();
    assert!(too_long(&of(68), &nothing).is_empty(), "70 lines fit");
    assert_eq!(too_long(&of(69), &nothing).len(), 1, "71 do not");
    assert!(too_long(&of(98), &listed(100)).is_empty(), "listed with its length");
    assert_eq!(too_long(&of(99), &listed(100)).len(), 1, "it grew");
    assert_eq!(too_long(&of(90), &listed(100)).len(), 1, "it shrank: the number follows");
    assert_eq!(too_long(&of(10), &listed(100)).len(), 1, "it fits: the entry goes");
}
