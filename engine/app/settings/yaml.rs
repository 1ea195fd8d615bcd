//! YAML text to nodes that know their place. Scalars stay as typed: what `no` or `1e3` means is decided by the
//! setting that reads it, not by YAML. Anchors, tags and a second document are refused: settings are read by
//! people.

use super::fault::Report;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
use std::path::Path;

/// Deepest nesting read; the deepest setting needs five.
const DEPTH_MAX: usize = 16;

/// A position in a file, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    fn of(marker: &Marker) -> Self {
        Self { line: marker.line().max(1), column: marker.col() + 1 }
    }
}

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) what: What,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A single value as typed. `plain` without quotes.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// Keys and values in the order written; keys may repeat.
    Map(Vec<(Key, Node)>),
}

/// A key and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) at: Place,
    pub(super) name: String,
}

impl Node {
    /// What kind of thing it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match &self.what {
            What::Scalar { text, plain: true } if text.is_empty() => "nothing",
            What::Scalar { .. } => "a single value",
            What::List(_) => "a list",
            What::Map(_) => "a mapping",
        }
    }
}

/// Reads a text; `None` when it is not YAML that can be used, which is then in the report.
pub(super) fn parse(file: &Path, text: &str, report: &mut Report) -> Option<Node> {
    let mut builder = Builder { file, report, open: Vec::new(), root: None, documents: 0 };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => builder.take(event, Place::of(&span.start))?,
            Err(error) => {
                let found = format!("is not YAML: {}", error.info());
                let remedy = "check indentation, colons, quotes and brackets at and above this line";
                builder.report.add(file, Place::of(error.marker()), found, remedy);
                return None;
            }
        }
    }
    if builder.root.is_none() {
        builder.report.add(file, Place::START, "is empty", "write `key: value` lines");
    }
    builder.root
}

/// A collection that is not closed yet.
enum Open {
    List(Place, Vec<Node>),
    Map(Place, Vec<(Key, Node)>, Option<Key>),
}

struct Builder<'a> {
    file: &'a Path,
    report: &'a mut Report,
    open: Vec<Open>,
    root: Option<Node>,
    documents: u32,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, at: Place) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_if(anchor != 0 || tag.is_some(), at, "an anchor or a tag")?;
                let plain = style == ScalarStyle::Plain;
                // YAML spells nothing as `~`, `null` or a blank; all are nothing here.
                let blank = plain && matches!(&*text, "~" | "null" | "Null" | "NULL");
                let text = if blank { String::new() } else { text.into_owned() };
                self.put(Node { at, what: What::Scalar { text, plain } })
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_if(anchor != 0 || tag.is_some(), at, "an anchor or a tag")?;
                self.push(Open::List(at, Vec::new()), at)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_if(anchor != 0 || tag.is_some(), at, "an anchor or a tag")?;
                self.push(Open::Map(at, Vec::new(), None), at)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let node = match self.open.pop()? {
                    Open::List(at, items) => Node { at, what: What::List(items) },
                    Open::Map(at, pairs, _) => Node { at, what: What::Map(pairs) },
                };
                self.put(node)
            }
            Event::Alias(_) => self.refuse_if(true, at, "an alias"),
            Event::DocumentStart(_) => {
                self.documents += 1;
                self.refuse_if(self.documents > 1, at, "a second document")
            }
            Event::DocumentEnd | Event::StreamStart | Event::StreamEnd | Event::Nothing => Some(()),
        }
    }

    fn refuse_if(&mut self, refused: bool, at: Place, what: &str) -> Option<()> {
        if refused {
            let found = format!("{what} is not read here");
            self.report.add(self.file, at, found, "write the value out where it is used");
            return None;
        }
        Some(())
    }

    fn push(&mut self, open: Open, at: Place) -> Option<()> {
        if self.open.len() >= DEPTH_MAX {
            let found = format!("is nested deeper than {DEPTH_MAX} levels");
            self.report.add(self.file, at, found, "no setting lies that deep; check the indentation");
            return None;
        }
        self.open.push(open);
        Some(())
    }

    /// Puts a finished node where it belongs: as key, value, item or root.
    fn put(&mut self, node: Node) -> Option<()> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, pairs, key)) => match key.take() {
                Some(key) => pairs.push((key, node)),
                None => match node.what {
                    What::Scalar { text, .. } => *key = Some(Key { at: node.at, name: text }),
                    _ => return self.refuse_if(true, node.at, "a list or mapping as a key"),
                },
            },
        }
        Some(())
    }
}
