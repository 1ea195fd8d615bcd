//! The laws of the house, held against every source file and every manifest. Each law comes with a snippet that
//! breaks it: a law that cannot fail holds nothing.
//!
//! A law is a function from a [`source::Source`] (or the list of packages) to what breaks it. The tests at the
//! end of each file run it over the repository; the message says where and what to do instead.

mod calls;
mod length;
mod packages;
mod prose;
mod source;

use source::Source;

/// What breaks a law, and where.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    path: String,
    /// From 1; 0 when the file as a whole is meant.
    line: usize,
    what: String,
}

impl Fault {
    fn new(source: &Source, line: usize, what: impl Into<String>) -> Self {
        Self { path: source.path.clone(), line, what: what.into() }
    }
}

/// Runs a law over the repository and fails with all that breaks it.
fn hold(law: &str, check: impl Fn(&Source) -> Vec<Fault>) {
    let faults: Vec<Fault> = Source::all().iter().flat_map(check).collect();
    fail_with(law, &faults);
}

fn fail_with(law: &str, faults: &[Fault]) {
    let listed: Vec<String> = faults.iter().map(|f| format!("  {}:{}: {}", f.path, f.line, f.what)).collect();
    assert!(faults.is_empty(), "{law}: {} broken\n{}", faults.len(), listed.join("\n"));
}

/// A snippet as if it lay in a file of that name.
fn snippet(path: &str, text: &str) -> Source {
    Source::new(path.into(), text.into(), false)
}
