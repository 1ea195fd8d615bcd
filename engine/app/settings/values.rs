//! The settings file against the table: every key known, every value of its kind, everything required there.

use super::fault::Report;
use super::spelling::nearest;
use super::table::{SECTIONS, Setting, TABLE, find};
use super::typed::{self, Value};
use super::yaml::{self, Key, Node, Place, What};
use market::{Date, Label, Money, Price, Symbol};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
#[cfg(test)]
use std::{cell::RefCell, collections::BTreeSet};

/// What to do about a key in a file.
const KEY_REMEDY: &str = "remove it, set APCA_API_KEY_ID and APCA_API_SECRET_KEY in the environment, and have the key \
                          replaced: what stood in a file may have been copied";

/// Every setting's value, typed or by default, and where it stands.
pub(super) struct Values {
    file: PathBuf,
    values: BTreeMap<&'static str, (Value, Place)>,
    /// Keys asked for, to find settings nobody reads.
    #[cfg(test)]
    asked: RefCell<BTreeSet<&'static str>>,
}

impl Values {
    /// Reads the file's root. Whatever is wrong goes into the report; such a setting has its default here, so that
    /// checks of the others can go on.
    pub(super) fn read(file: &Path, root: &Node, report: &mut Report) -> Self {
        let mut given: BTreeMap<&'static str, (Value, Place)> = BTreeMap::new();
        let mut reader = Reader { file, report, given: &mut given, seen: BTreeMap::new() };
        reader.root(root);
        let mut missing = Vec::new();
        for setting in TABLE {
            if !reader.seen.contains_key(setting.key) && setting.default.is_none() {
                missing.push(setting);
            }
        }
        for setting in missing {
            let found = format!("`{}` is missing", setting.key);
            report.add(
                file,
                Place::START,
                found,
                format!("{}: {}", setting.key, typed::describe(setting.kind)),
            );
        }
        for setting in TABLE {
            given.entry(setting.key).or_insert_with(|| (default_of(setting), Place::START));
        }
        Self {
            file: file.into(),
            values: given,
            #[cfg(test)]
            asked: RefCell::default(),
        }
    }

    /// Reports a setting that cannot be used together with others.
    pub(super) fn fault(
        &self,
        report: &mut Report,
        key: &'static str,
        found: String,
        remedy: impl Into<String>,
    ) {
        report.add(&self.file, self.get(key).1, found, remedy);
    }

    fn get(&self, key: &'static str) -> &(Value, Place) {
        #[cfg(test)]
        self.asked.borrow_mut().insert(key);
        self.values.get(key).expect("every key asked for is in the table")
    }

    /// Settings of the table nobody asked for.
    #[cfg(test)]
    pub(super) fn unread(&self) -> Vec<&'static str> {
        let asked = self.asked.borrow();
        TABLE.iter().map(|s| s.key).filter(|key| !asked.contains(key)).collect()
    }

    pub(super) fn switch(&self, key: &'static str) -> bool {
        matches!(self.get(key).0, Value::Switch(true))
    }

    /// Whole numbers; nanoseconds of a span, bytes of a size, seconds of a time of day.
    pub(super) fn whole(&self, key: &'static str) -> i64 {
        self.whole_or_none(key).expect("a number: only settings that may be `none` lack one")
    }

    pub(super) fn whole_or_none(&self, key: &'static str) -> Option<i64> {
        match self.get(key).0 {
            Value::Whole(n) => Some(n),
            _ => None,
        }
    }

    pub(super) fn count(&self, key: &'static str) -> usize {
        usize::try_from(self.whole(key)).expect("bounds keep it above 0")
    }

    pub(super) fn count32(&self, key: &'static str) -> u32 {
        u32::try_from(self.whole(key)).expect("bounds keep it in 32 bits")
    }

    pub(super) fn number(&self, key: &'static str) -> f64 {
        match self.get(key).0 {
            Value::Number(n) => n,
            _ => 0.0,
        }
    }

    /// A percentage as basis points.
    pub(super) fn bps(&self, key: &'static str) -> i64 {
        (self.number(key) * 100.0).round() as i64
    }

    /// Dollars a share.
    pub(super) fn price(&self, key: &'static str) -> Price {
        Price::nearest(self.number(key)).expect("bounds keep it small")
    }

    pub(super) fn dollars(&self, key: &'static str) -> Money {
        match self.get(key).0 {
            Value::Dollars(m) => m,
            _ => Money::ZERO,
        }
    }

    pub(super) fn text(&self, key: &'static str) -> &str {
        match &self.get(key).0 {
            Value::Text(text) => text,
            _ => "",
        }
    }

    pub(super) fn folder(&self, key: &'static str) -> PathBuf {
        self.text(key).into()
    }

    pub(super) fn folder_or_none(&self, key: &'static str) -> Option<PathBuf> {
        match &self.get(key).0 {
            Value::Text(text) => Some(text.into()),
            _ => None,
        }
    }

    pub(super) fn date(&self, key: &'static str) -> Date {
        match self.get(key).0 {
            Value::Date(date) => date,
            _ => Date::from_days(0),
        }
    }

    pub(super) fn symbols(&self, key: &'static str) -> Vec<Symbol> {
        match &self.get(key).0 {
            Value::Symbols(symbols) => symbols.clone(),
            _ => Vec::new(),
        }
    }

    pub(super) fn names(&self, key: &'static str) -> Vec<Label> {
        match &self.get(key).0 {
            Value::Names(names) => names.clone(),
            _ => Vec::new(),
        }
    }
}

/// The default as a value; a required setting that is missing stands in as nothing.
fn default_of(setting: &Setting) -> Value {
    let Some(text) = setting.default else { return Value::Nothing };
    let mut report = Report::default();
    let node = yaml::parse(Path::new("default"), text, &mut report).expect("defaults are YAML");
    value_of(&node, setting).expect("defaults are of their kind")
}

fn value_of(node: &Node, setting: &Setting) -> Result<Value, typed::Refusal> {
    let nothing = matches!(&node.what, What::Scalar { text, plain: true } if text == "none");
    if setting.or_none && nothing {
        return Ok(Value::Nothing);
    }
    typed::read(node, setting.kind).map_err(|(found, remedy)| {
        let or = if setting.or_none { ", or none" } else { "" };
        (found, format!("{remedy}{or}"))
    })
}

struct Reader<'a> {
    file: &'a Path,
    report: &'a mut Report,
    given: &'a mut BTreeMap<&'static str, (Value, Place)>,
    /// Keys met, read or refused.
    seen: BTreeMap<String, Place>,
}

impl Reader<'_> {
    fn root(&mut self, root: &Node) {
        let What::Map(pairs) = &root.what else {
            let found = format!("the file holds {}", root.kind());
            self.report.add(
                self.file,
                root.at,
                found,
                "write `key: value` lines, such as `endpoint: embedded`",
            );
            return;
        };
        for (key, node) in pairs {
            let is_section = SECTIONS.iter().any(|(name, _)| !name.is_empty() && *name == key.name);
            if is_section {
                self.section(key, node);
            } else {
                self.value("", key, node);
            }
        }
    }

    fn section(&mut self, section: &Key, node: &Node) {
        if self.repeats(&section.name, section.at) {
            return;
        }
        match &node.what {
            What::Map(pairs) => pairs.iter().for_each(|(key, node)| self.value(&section.name, key, node)),
            // `risk:` with nothing under it: all defaults.
            What::Scalar { text, plain: true } if text.is_empty() => {}
            _ => {
                let found = format!("`{}` is {}", section.name, node.kind());
                let remedy = format!("`{}` is a section: write its settings indented below it", section.name);
                self.report.add(self.file, node.at, found, remedy);
            }
        }
    }

    fn value(&mut self, section: &str, key: &Key, node: &Node) {
        let path = if section.is_empty() { key.name.clone() } else { format!("{section}.{}", key.name) };
        if self.repeats(&path, key.at) {
            return;
        }
        let Some(setting) = find(&path) else {
            // A whole misspelt section may hold keys of the broker: they must not go unnoticed.
            if !self.report_keys(key, node) {
                self.unknown(section, key);
            }
            return;
        };
        match value_of(node, setting) {
            Ok(value) => {
                self.given.insert(setting.key, (value, node.at));
            }
            Err((found, remedy)) => self.report.add(self.file, node.at, format!("`{path}` {found}"), remedy),
        }
    }

    fn repeats(&mut self, path: &str, at: Place) -> bool {
        let Some(first) = self.seen.insert(path.to_string(), at) else { return false };
        self.seen.insert(path.to_string(), first);
        let found = format!("`{path}` is given a second time; the first is on line {}", first.line);
        self.report.add(self.file, at, found, "keep one of them");
        true
    }

    /// Reports keys and secrets of the broker anywhere in an unknown entry; true when there are some.
    fn report_keys(&mut self, key: &Key, node: &Node) -> bool {
        let before = self.report.len();
        self.look_for_keys(Some(key), node);
        self.report.len() > before
    }

    fn look_for_keys(&mut self, key: Option<&Key>, node: &Node) {
        let named = key.is_some_and(|k| names_a_secret(&k.name));
        match &node.what {
            What::Scalar { text, .. } if named || looks_like_a_key(text) => {
                let name = key.map_or("this", |k| &k.name);
                let found =
                    format!("`{name}` looks like a key of the broker; keys are never read from a file");
                self.report.add(self.file, key.map_or(node.at, |k| k.at), found, KEY_REMEDY);
            }
            What::Scalar { .. } => {}
            What::List(items) => items.iter().for_each(|item| self.look_for_keys(key, item)),
            What::Map(pairs) => pairs.iter().for_each(|(key, node)| self.look_for_keys(Some(key), node)),
        }
    }

    fn unknown(&mut self, section: &str, key: &Key) {
        let here = TABLE.iter().map(Setting::split).filter(|(s, _)| *s == section).map(|(_, name)| name);
        let sections = SECTIONS.iter().map(|(s, _)| *s).filter(|s| section.is_empty() && !s.is_empty());
        let known: Vec<&str> = here.chain(sections).collect();
        let place = if section.is_empty() { "at the top".into() } else { format!("in `{section}`") };
        let found = format!("`{}` is no setting {place}", key.name);
        let elsewhere = TABLE.iter().find(|s| s.split().1 == key.name);
        let remedy = match elsewhere.map(Setting::split) {
            Some(("", _)) => "it belongs at the top, without indentation".into(),
            Some((section, _)) => format!("it belongs in `{section}`"),
            None => match nearest(&key.name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("remove it; known {place}: {}", known.join(", ")),
            },
        };
        self.report.add(self.file, key.at, found, remedy);
    }
}

fn names_a_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["apca", "api_key", "apikey", "secret", "password", "token", "key_id"]
        .iter()
        .any(|word| name.contains(word))
}

/// True for what looks like a key id of the broker (`PK…`, `AK…`, `CK…`) or one of its 40-letter secrets.
pub(super) fn looks_like_a_key(text: &str) -> bool {
    let upper = text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let id =
        upper && (16..=26).contains(&text.len()) && ["PK", "AK", "CK"].iter().any(|p| text.starts_with(p));
    let mixed = text.bytes().any(|b| b.is_ascii_digit()) && text.bytes().any(|b| b.is_ascii_alphabetic());
    let secret = (40..=44).contains(&text.len()) && mixed && text.bytes().all(|b| b.is_ascii_alphanumeric());
    id || secret
}
