//! The smallest JSON value that a JSON schema accepts.

use serde_json::{Map, Value, json};

/// Deepest schema followed; a recursive one ends in `null` here.
const DEPTH_MAX: u32 = 24;

/// Builds a minimal instance of a schema: required properties only (all
/// of them when none is required), first enum value, shortest array.
#[must_use]
pub fn minimal(schema: &Value) -> Value {
    build(schema, schema, 0)
}

fn build(schema: &Value, root: &Value, depth: u32) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    if let Some(fixed) = schema.get("const") {
        return fixed.clone();
    }
    if let Some(first) = schema
        .get("enum")
        .and_then(Value::as_array)
        .and_then(|all| all.first())
    {
        return first.clone();
    }
    if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
        let target = path
            .strip_prefix('#')
            .and_then(|pointer| root.pointer(pointer));
        return target.map_or(Value::Null, |target| build(target, root, depth + 1));
    }
    for union in ["anyOf", "oneOf", "allOf"] {
        let first = schema
            .get(union)
            .and_then(Value::as_array)
            .and_then(|all| all.first());
        if let Some(first) = first {
            return build(first, root, depth + 1);
        }
    }
    match kind(schema) {
        // Gemini writes its types in capitals.
        "object" | "OBJECT" => object(schema, root, depth),
        "array" | "ARRAY" => {
            let least = schema
                .get("minItems")
                .and_then(Value::as_u64)
                .unwrap_or(0)
                .min(16);
            let item = schema.get("items").unwrap_or(&Value::Null);
            (0..least).map(|_| build(item, root, depth + 1)).collect()
        }
        "string" | "STRING" => {
            let least = schema
                .get("minLength")
                .and_then(Value::as_u64)
                .unwrap_or(0)
                .min(1024);
            Value::String(if least == 0 {
                "word".to_owned()
            } else {
                "w".repeat(usize::try_from(least).unwrap_or(1))
            })
        }
        "integer" | "INTEGER" => {
            json!(schema.get("minimum").and_then(Value::as_i64).unwrap_or(1))
        }
        "number" | "NUMBER" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" | "BOOLEAN" => Value::Bool(true),
        _ => Value::Null,
    }
}

fn kind(schema: &Value) -> &str {
    let named = match schema.get("type") {
        Some(Value::String(one)) => Some(one.as_str()),
        Some(Value::Array(many)) => many.iter().find_map(Value::as_str),
        _ => None,
    };
    named.unwrap_or(if schema.get("properties").is_some() {
        "object"
    } else {
        "null"
    })
}

fn object(schema: &Value, root: &Value, depth: u32) -> Value {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return json!({});
    };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let wanted = properties
        .iter()
        .filter(|(name, _)| required.is_empty() || required.contains(&name.as_str()))
        .map(|(name, of)| (name.clone(), build(of, root, depth + 1)))
        .collect::<Map<_, _>>();
    Value::Object(wanted)
}
