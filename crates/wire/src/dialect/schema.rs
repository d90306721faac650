//! What strict readers want of a tool's schema.

use std::borrow::Cow;

use bourse_vocab::json;
use bourse_vocab::json::Value;

/// The schema of a tool's arguments, with its type said: `{}`, a schema
/// without a `type` and no schema at all stand for an object to OpenAI, and
/// are errors to Anthropic ("input_schema.type: Field required", Kilo-Org/kilocode
/// issue 12238, 2026) and Google.
#[must_use]
pub fn of_arguments(parameters: Option<&Value>) -> Cow<'_, Value> {
    match parameters {
        Some(schema @ Value::Object(members))
            if members.get("type").is_some_and(is_said)
                && !members.get("properties").is_some_and(Value::is_null) =>
        {
            Cow::Borrowed(schema)
        }
        Some(Value::Object(members)) => {
            let mut typed = json::Map::new();
            let said = members.get("type").filter(|kind| is_said(kind));
            let kind = said.cloned().unwrap_or_else(|| Value::from("object"));
            typed.insert("type".to_owned(), kind);
            let others = members.iter().filter(|(name, value)| {
                *name != "type" && !(*name == "properties" && value.is_null())
            });
            typed.extend(others.map(|(name, value)| (name.clone(), value.clone())));
            // Without properties some readers take the object for a closed
            // one, others for a mistake.
            if !typed.contains_key("properties") && is_bare(members) {
                typed.insert("properties".to_owned(), json!({}));
            }
            Cow::Owned(Value::Object(typed))
        }
        _ => Cow::Owned(json!({"type": "object", "properties": {}})),
    }
}

/// Whether a type says something.
fn is_said(kind: &Value) -> bool {
    !kind.is_null() && *kind != ""
}

/// Whether a schema says nothing about its arguments by other means.
fn is_bare(members: &json::Map) -> bool {
    !["$ref", "anyOf", "oneOf", "allOf"]
        .iter()
        .any(|name| members.contains_key(name))
}

/// Closes every object of a schema that does not say whether it is open.
/// Anthropic refuses open ones (structured outputs, JSON Schema limitations,
/// 2026), and so does Bedrock. Returns whether it changed anything. The depth is bounded by the
/// parser that read the schema.
#[must_use]
pub fn close_objects(schema: &mut Value) -> bool {
    match schema {
        Value::Object(members) => {
            let mut changed = false;
            let is_object = members.get("type").and_then(Value::as_str) == Some("object");
            if is_object && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".to_owned(), Value::Bool(false));
                changed = true;
            }
            for (_, value) in members.iter_mut() {
                changed |= close_objects(value);
            }
            changed
        }
        Value::Array(items) => {
            let mut changed = false;
            for item in items {
                changed |= close_objects(item);
            }
            changed
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_always_says_that_it_is_of_an_object() {
        for (given, expected) in [
            (None, r#"{"type":"object","properties":{}}"#),
            (Some("{}"), r#"{"type":"object","properties":{}}"#),
            (Some("true"), r#"{"type":"object","properties":{}}"#),
            (
                Some(r#"{"type":"object","properties":null}"#),
                r#"{"type":"object","properties":{}}"#,
            ),
            (
                Some(r#"{"type":null,"properties":{"b":{},"a":{}}}"#),
                r#"{"type":"object","properties":{"b":{},"a":{}}}"#,
            ),
            (
                Some(r##"{"$ref":"#/$defs/x","$defs":{"x":{}}}"##),
                r##"{"type":"object","$ref":"#/$defs/x","$defs":{"x":{}}}"##,
            ),
            (
                Some(r#"{"properties":{},"type":["object","null"]}"#),
                r#"{"properties":{},"type":["object","null"]}"#,
            ),
        ] {
            let given = given.map(|text| json::parse(text.as_bytes()).unwrap());
            assert_eq!(of_arguments(given.as_ref()).to_string(), expected);
        }
    }
}
