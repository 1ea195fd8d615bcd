//! The JSON Schema of the settings file, made from the table, for editors to complete and check by.

mod structures;

pub use structures::structures_schema;

use super::table::{SECTIONS, Setting, TABLE};
use super::typed::{Kind, bytes, span};
use serde_json::{Map, Value, json};

/// The schema (draft 2020-12).
pub fn schema() -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (section, about) in SECTIONS {
        let settings = TABLE.iter().filter(|s| s.split().0 == *section);
        if section.is_empty() {
            for setting in settings {
                properties.insert(setting.key.into(), property(setting));
                if setting.default.is_none() {
                    required.push(setting.key);
                }
            }
        } else {
            let inner: Map<String, Value> = settings.map(|s| (s.split().1.into(), property(s))).collect();
            let object = json!({
                "type": "object", "description": about, "additionalProperties": false, "properties": inner,
            });
            properties.insert((*section).into(), object);
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Wingspread settings",
        "description": "Keys of the broker are read from APCA_API_KEY_ID and APCA_API_SECRET_KEY, never from here.",
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

fn property(setting: &Setting) -> Value {
    let mut schema = of_kind(setting.kind);
    if setting.or_none {
        schema = json!({ "anyOf": [schema, { "const": "none" }] });
    }
    if let Value::Object(object) = &mut schema {
        object.insert("description".into(), describe(setting).into());
        if let Some(default) = setting.default {
            object.insert("default".into(), default_value(setting.kind, default));
        }
    }
    schema
}

fn describe(setting: &Setting) -> String {
    match setting.kind {
        Kind::Whole { unit, .. } | Kind::Number { unit, .. } => format!("{} ({unit})", setting.help),
        Kind::Span { least, most } => format!("{} (from {} to {})", setting.help, span(least), span(most)),
        Kind::Bytes { least, most } => format!("{} (from {} to {})", setting.help, bytes(least), bytes(most)),
        _ => setting.help.into(),
    }
}

fn of_kind(kind: Kind) -> Value {
    match kind {
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Whole { least, most, .. } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Number { least, most, .. } => json!({ "type": "number", "minimum": least, "maximum": most }),
        Kind::Dollars { least, most } => json!({ "type": "number", "minimum": least, "maximum": most }),
        Kind::Span { .. } => json!({ "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?(h|m|s|ms|us)$" }),
        Kind::Bytes { .. } => json!({ "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?(GiB|MiB|KiB)$" }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Name => json!({ "type": "string", "minLength": 1, "maxLength": 24 }),
        Kind::Names => json!({
            "type": "array", "minItems": 1, "uniqueItems": true,
            "items": { "type": "string", "minLength": 1, "maxLength": 24 },
        }),
        Kind::Symbols { most } => json!({
            "type": "array", "minItems": 1, "maxItems": most, "uniqueItems": true,
            "items": { "type": "string", "pattern": r"^[A-Z][A-Z0-9.]{0,7}$" },
        }),
        Kind::Date => json!({ "type": "string", "format": "date" }),
        Kind::Clock => json!({ "type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$" }),
        Kind::Path => json!({ "type": "string", "minLength": 1 }),
        Kind::Url(starts) => {
            let starts: Vec<String> = starts.iter().map(|s| s.replace('.', r"\.")).collect();
            json!({ "type": "string", "pattern": format!("^({})", starts.join("|")) })
        }
    }
}

fn default_value(kind: Kind, text: &str) -> Value {
    match kind {
        Kind::Switch | Kind::Whole { .. } | Kind::Number { .. } | Kind::Dollars { .. } => {
            serde_json::from_str(text).unwrap_or_else(|_| text.into())
        }
        Kind::Names | Kind::Symbols { .. } => {
            text.trim_matches(['[', ']']).split(',').map(str::trim).collect::<Vec<_>>().into()
        }
        _ => text.into(),
    }
}
