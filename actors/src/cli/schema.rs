//! The JSON Schema of `btcbot.toml`, draft 2020-12: what an editor needs to complete and check the file.
//!
//! It is made from the table of keys. Rules over several keys are not in it; `config check` knows them.

use config::kind::Kind;
use config::manual::{self, Page};
use serde_json::{Map, Value, json};

/// Where the schema is named.
const ID: &str = "https://btcbot.invalid/btcbot.schema.json";
/// A decimal amount, as prices and sizes are written.
const DECIMAL: &str = r"^[0-9]+(\.[0-9]+)?$";
/// The spellings of levels that an editor offers; the reader takes any case.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
/// A pair, in either spelling.
const PAIR: &str = "^[A-Za-z0-9]+_?[A-Za-z0-9]+$";

/// Returns the schema.
pub fn schema() -> Value {
    let mut root = table();
    for page in manual::pages() {
        insert(&mut root, page.key.path, key(&page));
    }
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["$id"] = json!(ID);
    root["title"] = json!("btcbot.toml");
    root["description"] = json!("Settings of btcbot. A key that is missing has its default.");
    root
}

fn table() -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": {}})
}

fn insert(into: &mut Value, path: &str, value: Value) {
    match path.split_once('.') {
        None => into["properties"][path] = value,
        Some((section, rest)) => {
            let properties = &mut into["properties"];
            if properties[section].is_null() {
                properties[section] = table();
            }
            insert(&mut properties[section], rest, value);
        }
    }
}

fn key(page: &Page) -> Value {
    let mut members = shape(page.key.kind);
    let about = format!(
        "{} Environment: {}. Reload: {}.",
        page.about,
        page.key.env,
        page.reload()
    );
    members.insert("description".to_owned(), json!(about));
    // Numbers, flags, texts and lists are written alike in both.
    if let Ok(default) = serde_json::from_str::<Value>(&page.default) {
        members.insert("default".to_owned(), default);
    }
    Value::Object(members)
}

fn shape(kind: Kind) -> Map<String, Value> {
    let shape = match kind {
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Int { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Kind::Positive => {
            json!({"type": "string", "pattern": DECIMAL, "not": {"pattern": r"^0+(\.0+)?$"}})
        }
        Kind::NotNegative => json!({"type": "string", "pattern": DECIMAL}),
        Kind::Choice(words) => json!({"type": "string", "enum": words}),
        Kind::Exporter => json!({"type": "string", "enum": ["none", "prometheus", "otlp"]}),
        Kind::Level => json!({"type": "string", "enum": LEVELS}),
        Kind::Phrase | Kind::Moment | Kind::OptionalPath | Kind::OptionalUrl => {
            json!({"type": "string"})
        }
        Kind::Dir => json!({"type": "string", "minLength": 1}),
        Kind::Url(_) | Kind::Address => json!({"type": "string", "minLength": 1}),
        Kind::Scopes => json!({"type": "array", "items": {"type": "string", "minLength": 1}}),
        Kind::Symbols => {
            json!({"type": "array", "items": {"type": "string", "pattern": PAIR}, "minItems": 1, "maxItems": 10, "uniqueItems": true})
        }
        Kind::Strategies => json!({"type": "array", "items": {"type": "string"}, "minItems": 1}),
        Kind::Hosts => json!({"type": "array", "items": {"type": "string"}, "maxItems": 8}),
    };
    match shape {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_type_range_default_and_description() {
        let schema = schema();
        let at = |path: &str| {
            let found = path
                .split('.')
                .fold(&schema, |at, part| &at["properties"][part]);
            found.clone()
        };
        for page in manual::pages() {
            let key = at(page.key.path);
            assert!(key["type"].is_string(), "{}", page.key.path);
            assert!(
                key["description"]
                    .as_str()
                    .is_some_and(|text| text.contains(page.key.env))
            );
            let written: Result<Value, _> = serde_json::from_str(&page.default);
            assert_eq!(
                key["default"],
                written.expect("defaults read as JSON"),
                "{}",
                page.key.path
            );
        }
        let port = at("ops.port");
        assert_eq!(
            (&port["minimum"], &port["maximum"]),
            (&json!(0), &json!(65_535))
        );
        assert_eq!(at("safety")["additionalProperties"], json!(false));
    }
}
