//! The JSON Schema of `structures.yaml`, made from the bounds its reader uses.

use super::of_kind;
use crate::settings::structures::{
    DAYS, DELTA, DESCRIPTION_MAX, DOLLARS, MOVES, MOVES_OFF, PERCENT, PERCENT_OFF, RATIO, REWARD, RIGHTS,
    STRIKES, TOLERANCE, VIEWS,
};
use crate::settings::typed::Kind;
use market::order::LEGS_MAX;
use serde_json::{Map, Value, json};

/// The schema (draft 2020-12) of the list of structures.
pub fn structures_schema() -> Value {
    let structure = object(
        "A named set of leg templates.",
        &["name", "view", "days", "reward_min", "legs"],
        [
            ("name", about(Kind::Name, "What it is called here, in wingspread.yaml and on record.")),
            (
                "description",
                json!({
                    "type": "string", "maxLength": DESCRIPTION_MAX,
                    "description": "What it is and when it gains, in a line.",
                }),
            ),
            (
                "view",
                about(Kind::Word(VIEWS), "What it expects of the price; `volatile` is shown, never traded."),
            ),
            ("days", days("Calendar days to the expiry its legs share.", &[])),
            ("reward_min", about(REWARD, "Least gain at mid over loss at the far side.")),
            (
                "legs",
                json!({
                    "type": "array", "minItems": 1, "maxItems": LEGS_MAX, "items": leg(),
                    "description": "The legs, in the order they are picked.",
                }),
            ),
        ],
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Wingspread structures",
        "description": "Leg templates; docs/structures.md describes the language.",
        "type": "object",
        "additionalProperties": false,
        "required": ["structures"],
        "properties": { "structures": { "type": "array", "items": structure } },
    })
}

fn leg() -> Value {
    let own = json!({ "anyOf": [
        days("Its own expiry, so many days from today, or after another leg's.", &["after"]),
        object("The expiry of a leg before it.", &["same"], [("same", name("That leg."))]),
    ]});
    let mut leg = object(
        "One leg.",
        &["name", "side", "right"],
        [
            ("name", name("Its name within the structure.")),
            ("side", about(Kind::Word(&["buy", "sell"]), "Bought or sold.")),
            (
                "right",
                about(Kind::Word(RIGHTS), "Call, put, or stock: a hundred shares, without days and pick."),
            ),
            ("ratio", about(RATIO, "Contracts in one unit; hundreds of shares.")),
            ("days", own),
            ("pick", pick()),
        ],
    );
    if let Value::Object(leg) = &mut leg {
        let is_stock = json!({ "properties": { "right": { "const": "stock" } } });
        leg.insert("if".into(), is_stock);
        leg.insert("then".into(), json!({ "properties": { "days": false, "pick": false } }));
        leg.insert("else".into(), json!({ "required": ["pick"] }));
    }
    leg
}

fn days(description: &str, more: &[&'static str]) -> Value {
    let after =
        || more.iter().map(|key| (*key, name("Days are counted from the expiry of this leg before it.")));
    let number = |text| about(DAYS, text);
    let bounds = [("min", number("Fewest.")), ("target", number("Tried first.")), ("max", number("Most."))];
    let around = [("target", number("Tried first.")), ("tolerance", number("How many more or fewer."))];
    json!({ "description": description, "anyOf": [
        object("Bounds.", &["min", "target", "max"], bounds.into_iter().chain(after())),
        object("A target.", &["target", "tolerance"], around.into_iter().chain(after())),
    ]})
}

fn pick() -> Value {
    let from = || ("from", name("A leg that stands before it."));
    let pair = |text, keys: [(&'static str, Kind); 2]| {
        object(text, &keys.map(|(key, _)| key), keys.map(|(key, kind)| (key, of_kind(kind))))
    };
    let off = |key: &'static str, kind, tolerance| {
        let keys = [from(), (key, of_kind(kind)), ("tolerance", of_kind(tolerance))];
        object("Signed: below zero is below.", &["from", key, "tolerance"], keys)
    };
    let width = json!({ "anyOf": [
        off("dollars", DOLLARS, TOLERANCE),
        off("percent", PERCENT, PERCENT_OFF),
        object("So many listed strikes.", &["from", "strikes"], [from(), ("strikes", of_kind(STRIKES))]),
    ]});
    let ways = [
        ("delta", pair("The nearest delta, without sign.", [("target", DELTA), ("tolerance", DELTA)])),
        ("moneyness", pair("Percent out of the money.", [("percent", PERCENT), ("tolerance", PERCENT_OFF)])),
        ("moves", pair("Expected moves out of the money.", [("out", MOVES), ("tolerance", MOVES_OFF)])),
        ("width", width),
        ("same_strike", name("A leg that stands before it.")),
    ];
    let mut pick = object("How its strike is found: one of these.", &[], ways);
    if let Value::Object(pick) = &mut pick {
        pick.insert("minProperties".into(), 1.into());
        pick.insert("maxProperties".into(), 1.into());
    }
    pick
}

fn object<'a>(
    description: &str,
    required: &[&str],
    properties: impl IntoIterator<Item = (&'a str, Value)>,
) -> Value {
    let properties: Map<String, Value> = properties.into_iter().map(|(key, v)| (key.into(), v)).collect();
    json!({
        "type": "object", "description": description, "additionalProperties": false,
        "required": required, "properties": properties,
    })
}

fn name(description: &str) -> Value {
    about(Kind::Name, description)
}

fn about(kind: Kind, description: &str) -> Value {
    let mut schema = of_kind(kind);
    if let Value::Object(object) = &mut schema {
        object.insert("description".into(), description.into());
    }
    schema
}
