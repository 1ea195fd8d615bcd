//! Lists of records (structures, ensembles, fees): each a mapping with known keys, read with the same care as the
//! settings.

use super::fault::Report;
use super::spelling::nearest;
use super::typed::{self, Kind, Value};
use super::yaml::{Node, Place, What};
use std::path::Path;

/// A file being read.
pub(super) struct Page<'a> {
    pub(super) file: &'a Path,
    pub(super) report: &'a mut Report,
}

/// One mapping: its known keys, the nodes given for them, and its name for messages.
pub(super) struct Record<'n> {
    /// What it is called in messages: `structure 2 (iron_condor)`.
    pub(super) called: String,
    pub(super) at: Place,
    given: Vec<(&'static str, &'n Node)>,
}

impl Page<'_> {
    pub(super) fn fault(&mut self, at: Place, found: impl Into<String>, remedy: impl Into<String>) {
        self.report.add(self.file, at, found, remedy);
    }

    /// The list under `key` in the root, or the root itself when it is a list.
    pub(super) fn list<'n>(&mut self, root: &'n Node, key: &str) -> Option<&'n [Node]> {
        let node = match &root.what {
            What::Map(pairs) => {
                for (other, _) in pairs.iter().filter(|(k, _)| k.name != key) {
                    let found = format!("`{}` is not known here", other.name);
                    self.fault(other.at, found, format!("the file holds one list: `{key}:`"));
                }
                pairs.iter().find(|(k, _)| k.name == key).map(|(_, node)| node)
            }
            _ => Some(root),
        };
        match node.map(|n| (&n.what, n)) {
            Some((What::List(items), _)) => Some(items),
            Some((_, node)) => {
                self.fault(
                    node.at,
                    format!("`{key}` is {}", node.kind()),
                    format!("write `{key}:` and a list of items below it, each beginning with `-`"),
                );
                None
            }
            None => {
                self.fault(
                    root.at,
                    format!("there is no `{key}`"),
                    format!("write `{key}:` and a list below it"),
                );
                None
            }
        }
    }

    /// Reads a mapping with these keys; unknown and repeated ones are reported.
    pub(super) fn record<'n>(
        &mut self,
        node: &'n Node,
        called: String,
        known: &[&'static str],
    ) -> Option<Record<'n>> {
        let What::Map(pairs) = &node.what else {
            let remedy = format!("write a mapping with the keys {}", known.join(", "));
            self.fault(node.at, format!("{called} is {}", node.kind()), remedy);
            return None;
        };
        let mut given: Vec<(&'static str, &Node)> = Vec::new();
        for (key, value) in pairs {
            match known.iter().find(|k| **k == key.name) {
                Some(known) if given.iter().any(|(k, _)| k == known) => {
                    self.fault(key.at, format!("{called} gives `{known}` a second time"), "keep one of them");
                }
                Some(known) => given.push((known, value)),
                None => {
                    let remedy = match nearest(&key.name, known.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("remove it; known here: {}", known.join(", ")),
                    };
                    self.fault(key.at, format!("{called} has no `{}`", key.name), remedy);
                }
            }
        }
        Some(Record { called, at: node.at, given })
    }

    /// The node of a key that must be there.
    pub(super) fn need<'n>(
        &mut self,
        record: &Record<'n>,
        key: &'static str,
        remedy: &str,
    ) -> Option<&'n Node> {
        let found = record.node(key);
        if found.is_none() {
            self.fault(record.at, format!("{} lacks `{key}`", record.called), remedy);
        }
        found
    }

    /// A value that must be there.
    pub(super) fn value(&mut self, record: &Record<'_>, key: &'static str, kind: Kind) -> Option<Value> {
        let node = self.need(record, key, &typed::describe(kind))?;
        self.read(record, key, node, kind)
    }

    /// A value that may be left out: `Some(None)` when it is, `None` when it is wrong.
    pub(super) fn optional(
        &mut self,
        record: &Record<'_>,
        key: &'static str,
        kind: Kind,
    ) -> Option<Option<Value>> {
        match record.node(key) {
            Some(node) => self.read(record, key, node, kind).map(Some),
            None => Some(None),
        }
    }

    fn read(&mut self, record: &Record<'_>, key: &'static str, node: &Node, kind: Kind) -> Option<Value> {
        match typed::read(node, kind) {
            Ok(value) => Some(value),
            Err((found, remedy)) => {
                self.fault(node.at, format!("`{key}` of {} {found}", record.called), remedy);
                None
            }
        }
    }

    pub(super) fn text(&mut self, record: &Record<'_>, key: &'static str, kind: Kind) -> Option<String> {
        match self.value(record, key, kind)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn number(&mut self, record: &Record<'_>, key: &'static str, kind: Kind) -> Option<f64> {
        match self.value(record, key, kind)? {
            Value::Number(n) => Some(n),
            Value::Whole(n) => Some(n as f64),
            _ => None,
        }
    }
}

impl<'n> Record<'n> {
    pub(super) fn node(&self, key: &str) -> Option<&'n Node> {
        self.given.iter().find(|(k, _)| *k == key).map(|(_, node)| *node)
    }
}

/// `structure 2 (iron_condor)`: the position of an item, and its name when it has one.
pub(super) fn called(what: &str, index: usize, node: &Node) -> String {
    let name = match &node.what {
        What::Map(pairs) => pairs.iter().find(|(k, _)| k.name == "name").map(|(_, v)| v),
        _ => None,
    };
    match name.map(|n| &n.what) {
        Some(What::Scalar { text, .. }) if !text.is_empty() => {
            format!("{what} {} ({})", index + 1, typed::shown(text))
        }
        _ => format!("{what} {}", index + 1),
    }
}
