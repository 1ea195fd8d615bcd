//! Source files as the laws read them: with comments and literals blanked, and tests told from the rest.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Folders that hold our sources.
const FOLDERS: [&str; 4] = ["engine", "tools", "tests", "benches"];

/// One file.
pub struct Source {
    /// Relative to the repository, with slashes.
    pub path: String,
    /// As written.
    pub text: String,
    /// The same lines with comments and the insides of literals blanked.
    pub code: String,
    /// `code` with everything under `#[cfg(test)]` blanked as well; empty for files of tests.
    pub shipped: String,
}

impl Source {
    /// Reads a text. `is_test` when the whole file is only compiled for tests.
    pub fn new(path: String, text: String, is_test: bool) -> Self {
        let code = blank_comments_and_literals(&text);
        let shipped = if is_test { String::new() } else { blank_tests(&code) };
        Self { path, text, code, shipped }
    }

    /// Every Rust file of the repository.
    pub fn all() -> Vec<Self> {
        let root = root();
        let mut paths = Vec::new();
        for folder in FOLDERS {
            collect(&root.join(folder), &mut paths);
        }
        paths.sort();
        let read = |path: &PathBuf| std::fs::read_to_string(path).expect("our sources are UTF-8");
        let texts: Vec<(PathBuf, String)> = paths.iter().map(|p| (p.clone(), read(p))).collect();
        let tests: BTreeSet<PathBuf> =
            texts.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
        texts
            .into_iter()
            .map(|(path, text)| {
                let relative = path.strip_prefix(&root).expect("found below it").to_path_buf();
                let name = relative.to_string_lossy().replace('\\', "/");
                let outside = name.starts_with("tests/") || name.starts_with("benches/");
                let is_test = outside || path.ancestors().any(|p| tests.contains(&p.with_extension("rs")));
                Self::new(name, text, is_test)
            })
            .collect()
    }

    /// The room: `engine/ROOM/…`; empty for anything else.
    pub fn room(&self) -> &str {
        self.path.strip_prefix("engine/").and_then(|rest| rest.split('/').next()).unwrap_or("")
    }

    /// Lines of the shipped code, numbered from 1.
    pub fn shipped_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.shipped.lines())
    }
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with(['.', '_']);
        if path.is_dir() && !hidden && !path.ends_with("target") && !path.ends_with("python") {
            collect(&path, paths);
        } else if path.extension().is_some_and(|e| e == "rs") {
            paths.push(path);
        }
    }
}

/// Files a source declares as modules under `#[cfg(test)]`, each as `…/NAME.rs` (which stands for the folder
/// `…/NAME` as well).
fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let folder = path.parent().expect("a file lies in a folder");
    let is_front = path.file_name().is_some_and(|n| n == "lib.rs" || n == "mod.rs" || n == "main.rs");
    let children = if is_front { folder.to_path_buf() } else { path.with_extension("") };
    let mut found = Vec::new();
    for (at, _) in text.match_indices("#[cfg(test)]") {
        let mut named = None;
        for line in text[at..].lines().skip(1).map(str::trim) {
            if let Some(file) = line.strip_prefix("#[path = \"").and_then(|l| l.strip_suffix("\"]")) {
                named = Some(folder.join(file));
            } else if line.starts_with("#[") {
                continue;
            } else {
                let module = line.trim_start_matches("pub(crate) ").strip_prefix("mod ");
                let file = module.and_then(|m| m.strip_suffix(';'));
                found.extend(file.map(|name| named.unwrap_or_else(|| children.join(format!("{name}.rs")))));
                break;
            }
        }
    }
    found
}

/// Blanks comments and the insides of string and character literals; lines stay where they are.
pub fn blank_comments_and_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let end = match bytes[i] {
            b'/' if bytes.get(i + 1) == Some(&b'/') => line_end(bytes, i),
            b'/' if bytes.get(i + 1) == Some(&b'*') => block_comment_end(bytes, i),
            b'r' | b'b' | b'c' if !follows_name(&out) => raw_string_end(bytes, i).unwrap_or(i),
            b'"' => string_end(bytes, i),
            b'\'' => char_end(bytes, i).unwrap_or(i),
            _ => i,
        };
        if end == i {
            out.push(bytes[i]);
            i += 1;
            continue;
        }
        out.extend(bytes[i..end].iter().map(|b| if *b == b'\n' { b'\n' } else { b' ' }));
        i = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn follows_name(out: &[u8]) -> bool {
    out.last().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| from + n)
}

fn block_comment_end(bytes: &[u8], from: usize) -> usize {
    let (mut depth, mut i) = (0, from);
    while i + 1 < bytes.len() {
        match &bytes[i..i + 2] {
            b"/*" => (depth, i) = (depth + 1, i + 2),
            b"*/" => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut i = from + 1;
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 2,
            b'"' => return i + 1,
            _ => i += 1,
        }
    }
    bytes.len()
}

/// The end of `r"…"`, `r#"…"#`, `br"…"`; `None` when no raw string begins here.
fn raw_string_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut i = from + usize::from(bytes[from] != b'r');
    if bytes.get(i) != Some(&b'r') {
        return None;
    }
    i += 1;
    let hashes = bytes[i..].iter().take_while(|b| **b == b'#').count();
    i += hashes;
    if bytes.get(i) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(hashes + 1, b'#');
    let rest = &bytes[i + 1..];
    let found = rest.windows(close.len()).position(|w| w == close)?;
    Some(i + 1 + found + close.len())
}

/// The end of a character literal; `None` for a lifetime.
fn char_end(bytes: &[u8], from: usize) -> Option<usize> {
    if bytes.get(from + 1) == Some(&b'\\') {
        let close = bytes[from + 3..].iter().position(|b| *b == b'\'')?;
        return Some(from + 3 + close + 1);
    }
    // One character of one to four bytes.
    (2..=5).map(|n| from + n).find(|end| bytes.get(*end) == Some(&b'\'')).and_then(|end| {
        let inside = std::str::from_utf8(&bytes[from + 1..end]).ok()?;
        (inside.chars().count() == 1).then_some(end + 1)
    })
}

/// Blanks the item after each `#[cfg(test)]`.
fn blank_tests(code: &str) -> String {
    let mut bytes = code.as_bytes().to_vec();
    for (at, marker) in code.match_indices("#[cfg(test)]") {
        let end = item_end(code.as_bytes(), at + marker.len());
        for b in &mut bytes[at..end] {
            if *b != b'\n' {
                *b = b' ';
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The end of the item that begins there: its closing brace, or the semicolon of one without a body.
pub fn item_end(code: &[u8], from: usize) -> usize {
    let (mut braces, mut brackets) = (0, 0);
    for (i, b) in code.iter().enumerate().skip(from) {
        match b {
            b'{' => braces += 1,
            b'}' => {
                braces -= 1;
                if braces == 0 {
                    return i + 1;
                }
            }
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b';' if braces == 0 && brackets == 0 => return i + 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn comments_and_literals_are_blanked_and_lines_stay() {
    let text = "let a = \"x // y\"; // now()\nlet b = 'a'; let c: &'static str = r#\"no\"w\"#; /* a /* b */\n */ d()\n'\\'' x";
    let code = blank_comments_and_literals(text);
    assert_eq!(code.lines().count(), text.lines().count());
    for gone in ["now", "//", "'a'", "no\"w", "a /*"] {
        assert!(!code.contains(gone), "{gone} in {code}");
    }
    for kept in ["let a", "let b", "&'static str", "d()", "x"] {
        assert!(code.contains(kept), "{kept} in {code}");
    }
}

#[test]
fn code_under_cfg_test_is_not_shipped() {
    let text = "fn a() {}\n#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests;\nfn b() {}\n#[cfg(test)]\nmod t { fn c() { {} } }\nfn d() {}";
    let source = Source::new("engine/x/lib.rs".into(), text.into(), false);
    assert!(["fn a", "fn b", "fn d"].iter().all(|kept| source.shipped.contains(kept)), "{}", source.shipped);
    assert!(!source.shipped.contains("fn c"), "{}", source.shipped);
    let found = test_modules(Path::new("/r/engine/x/y.rs"), text);
    assert_eq!(found, vec![PathBuf::from("/r/engine/x/x.rs")]);
}

#[test]
fn the_repository_is_found() {
    let all = Source::all();
    let of = |path: &str| all.iter().find(|s| s.path == path).unwrap_or_else(|| panic!("{path} not found"));
    assert_eq!(of("engine/market/session.rs").room(), "market");
    assert!(of("engine/market/session_tests.rs").shipped.is_empty(), "declared under cfg(test)");
    assert!(of("tests/tidy.rs").shipped.is_empty());
    assert!(!of("engine/market/time.rs").shipped.contains("proptest"));
}
