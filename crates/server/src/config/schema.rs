//! The configuration as a JSON Schema (draft 2020-12), generated from the types
//! that it is read into. Editors read it, and so does [`super::shape`]: what is
//! known of a key is written once.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::RawConfig;

/// What `$id` says: a name, under which nothing need be fetched.
const ID: &str = "urn:bourse:configuration";

static SCHEMA: LazyLock<Value> = LazyLock::new(generate);

/// The schema of the whole file.
#[must_use]
pub fn schema() -> &'static Value {
    &SCHEMA
}

fn generate() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<RawConfig>().to_value();
    // TOML has no null, and a default of ours is what the code does without a
    // key, not a value that could be written.
    simplify(&mut schema);
    if let Value::Object(members) = &mut schema {
        members.insert("$id".to_owned(), json!(ID));
        members.insert("title".to_owned(), json!("bourse.toml"));
    }
    schema
}

fn simplify(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::Object(members) => {
            // Names of keys are no keywords.
            for (name, member) in members.iter_mut() {
                match member {
                    Value::Object(named) if name == "properties" || name == "$defs" => {
                        named.values_mut().for_each(simplify);
                    }
                    _ => simplify(member),
                }
            }
            members.remove("default");
            bound(members);
            without_null(members);
            as_list_of_words(members);
        }
        _ => {}
    }
}

/// A width of Rust's is a bound to everybody else.
fn bound(members: &mut Map<String, Value>) {
    if let Some(format) = members.remove("format") {
        if format == "uint32" {
            members.entry("maximum").or_insert(json!(u32::MAX));
        }
        if format == "double" {
            members.entry("type").or_insert(json!("number"));
        }
    }
}

fn without_null(members: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            members.insert("type".to_owned(), one);
        }
    }
    let Some(Value::Array(any)) = members.get_mut("anyOf") else {
        return;
    };
    any.retain(|one| *one != json!({ "type": "null" }));
    if let [Value::Object(one)] = any.as_slice() {
        let one = one.clone();
        members.remove("anyOf");
        for (name, value) in one {
            members.entry(name).or_insert(value);
        }
    }
}

/// Words that are explained one by one are also a plain list of words.
fn as_list_of_words(members: &mut Map<String, Value>) {
    let Some(Value::Array(each)) = members.get("oneOf") else {
        return;
    };
    let words: Option<Vec<Value>> = each.iter().map(|one| one.get("const").cloned()).collect();
    if let Some(words) = words {
        members.remove("oneOf");
        members.insert("type".to_owned(), json!("string"));
        members.insert("enum".to_owned(), Value::Array(words));
    }
}

/// The schema behind a `$ref`, if there is one.
pub(super) fn followed(schema: &Value) -> &Value {
    let target = schema.get("$ref").and_then(Value::as_str);
    let path = target.and_then(|target| target.strip_prefix('#'));
    path.and_then(|path| SCHEMA.pointer(path)).unwrap_or(schema)
}

/// What the schema says of a member of a table.
pub(super) fn member<'s>(schema: &'s Value, name: &str) -> Option<&'s Value> {
    let known = schema.get("properties").and_then(|all| all.get(name));
    known.or_else(|| {
        schema
            .get("additionalProperties")
            .filter(|all| all.is_object())
    })
}

/// Names of the members that a table has.
pub(super) fn names(schema: &Value) -> impl Iterator<Item = &str> {
    let all = schema.get("properties").and_then(Value::as_object);
    all.into_iter().flat_map(Map::keys).map(String::as_str)
}

/// The ways in which a value may be written.
pub(super) fn ways(schema: &Value) -> Vec<&Value> {
    match schema.get("anyOf").and_then(Value::as_array) {
        Some(any) => any.iter().flat_map(|one| ways(followed(one))).collect(),
        None => vec![schema],
    }
}
