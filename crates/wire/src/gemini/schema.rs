//! JSON Schema, and Google's older subset of OpenAPI 3.0.
//!
//! Both `responseJsonSchema` and `parametersJsonSchema` take JSON Schema as
//! it is ("Structured outputs" and `FunctionDeclaration`, ai.google.dev,
//! October 2026), so nothing has to be cut out; but an answer follows only
//! the keywords that the document lists, and the others are ignored without
//! a word. The older `Schema` objects are only read, from clients.

use std::collections::BTreeSet;

use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};

/// Schemas nest no deeper than this here: the JSON parser stops at 128.
const DEPTH_MAX: usize = 128;

/// Keywords that shape an answer ("JSON schema support", October 2026), and
/// annotations, which shape nothing anywhere.
const HEEDED: &[&str] = &[
    "$id",
    "$defs",
    "$ref",
    "$anchor",
    "type",
    "format",
    "title",
    "description",
    "enum",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "anyOf",
    "oneOf",
    "properties",
    "additionalProperties",
    "required",
    "propertyOrdering",
    "$schema",
    "$comment",
    "default",
    "example",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
];

/// Keywords whose value maps names to schemas.
const MAPS: &[&str] = &["properties", "$defs", "definitions", "patternProperties"];
/// Keywords whose value is a schema or a list of schemas.
const NESTED: &[&str] = &[
    "items",
    "prefixItems",
    "anyOf",
    "oneOf",
    "allOf",
    "additionalProperties",
    "not",
];

/// The keywords in `schema` that Gemini ignores.
pub fn ignored(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(schema, 0, &mut |members| {
        for keyword in members.keys() {
            if !HEEDED.contains(&keyword.as_str()) {
                found.insert(keyword.clone());
            }
        }
    });
    found
}

fn walk(schema: &Value, depth: usize, see: &mut impl FnMut(&Map)) {
    if depth > DEPTH_MAX {
        return;
    }
    match schema {
        Value::Array(items) => {
            for item in items {
                walk(item, depth + 1, see);
            }
        }
        Value::Object(members) => {
            see(members);
            for (keyword, value) in members {
                if MAPS.contains(&keyword.as_str()) {
                    for nested in value.as_object().into_iter().flat_map(Map::values) {
                        walk(nested, depth + 1, see);
                    }
                } else if NESTED.contains(&keyword.as_str()) {
                    walk(value, depth + 1, see);
                }
            }
        }
        _ => {}
    }
}

/// The schema without `$schema`, which says nothing to a model.
pub fn plain(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Value::Object(members) = &mut schema {
        members.remove("$schema");
    }
    schema
}

/// JSON Schema for one of Google's `Schema` objects: types are upper case
/// there, whole numbers may be texts, and `nullable` stands beside the type.
pub fn from_openapi(schema: Value) -> Value {
    convert(schema, 0)
}

fn convert(schema: Value, depth: usize) -> Value {
    let Value::Object(members) = schema else {
        return schema;
    };
    if depth > DEPTH_MAX {
        return Value::Object(members);
    }
    let mut converted = Map::new();
    let mut nullable = false;
    for (keyword, value) in members {
        let keyword = super::request::camel(&keyword);
        let value = match (keyword.as_str(), value) {
            ("nullable", Value::Bool(flag)) => {
                nullable = flag;
                continue;
            }
            ("type", Value::String(name)) => Value::String(name.to_ascii_lowercase()),
            ("properties", Value::Object(properties)) => properties
                .into_iter()
                .map(|(name, value)| (name, convert(value, depth + 1)))
                .collect::<Map>()
                .into(),
            ("items", value) => convert(value, depth + 1),
            ("anyOf", Value::Array(items)) => items
                .into_iter()
                .map(|item| convert(item, depth + 1))
                .collect(),
            // `int64` in Google's JSON is a text.
            (
                "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties"
                | "maxProperties",
                Value::String(number),
            ) => number
                .parse::<u64>()
                .map_or(Value::String(number), Value::from),
            (_, value) => value,
        };
        converted.insert(keyword, value);
    }
    if nullable && let Some(Value::String(name)) = converted.get("type") {
        let both = json!([name, "null"]);
        converted.insert("type".to_owned(), both);
    }
    Value::Object(converted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_that_gemini_ignores_are_found_at_any_depth() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "pattern": {"type": "string", "pattern": "^a"},
                "list": {"type": "array", "uniqueItems": true, "items": {"not": {"const": 1}}},
            },
            "additionalProperties": false,
        });
        let found: Vec<String> = ignored(&schema).into_iter().collect();
        assert_eq!(found, ["const", "not", "pattern", "uniqueItems"]);
        assert!(plain(&schema).get("$schema").is_none());
    }

    #[test]
    fn googles_own_schemas_become_json_schema() {
        let schema = json!({
            "type": "OBJECT",
            "properties": {
                "type": {"type": "STRING", "nullable": true, "max_length": "9"},
                "list": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "1"},
            },
            "propertyOrdering": ["list", "type"],
        });
        assert_eq!(
            from_openapi(schema),
            json!({
                "type": "object",
                "properties": {
                    "type": {"type": ["string", "null"], "maxLength": 9},
                    "list": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
                },
                "propertyOrdering": ["list", "type"],
            })
        );
    }
}
