//! JSON Schema (OpenAPI 3.1 speaks it as it is) from the types that are
//! sent and received, so that the document cannot say other than the code.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

/// Collects the named schemas that a document refers to.
pub(crate) struct Schemas {
    /// A member that is always written is required, null or not.
    replies: SchemaGenerator,
    /// A member that may be left out is not.
    requests: SchemaGenerator,
}

impl Schemas {
    pub(crate) fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
            })
        };
        Self {
            replies: settings().for_serialize().into_generator(),
            requests: settings().for_deserialize().into_generator(),
        }
    }

    /// The schema of something that is written.
    pub(crate) fn reply<T: JsonSchema>(&mut self) -> Value {
        tidy(self.replies.subschema_for::<T>().to_value())
    }

    /// The schema of something that is read.
    pub(crate) fn request<T: JsonSchema>(&mut self) -> Value {
        tidy(self.requests.subschema_for::<T>().to_value())
    }

    /// Every named schema that was referred to.
    pub(crate) fn finish(mut self) -> Map<String, Value> {
        let replies = self.replies.take_definitions(true);
        let requests = self.requests.take_definitions(true);
        let all = replies.into_iter().chain(requests);
        all.map(|(name, schema)| (name, tidy(schema))).collect()
    }
}

/// The schema of an argument, written out in place.
pub(crate) fn inline<T: JsonSchema>() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    tidy(T::json_schema(&mut generator).to_value())
}

/// Says "or null" in the one way that every generator of clients knows, and
/// leaves out Rust's names of number formats, which none knows.
fn tidy(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(members) => {
            // A member of that name has a schema, and no text.
            if members.get("format").is_some_and(Value::is_string) {
                members.remove("format");
            }
            for (_, member) in members.iter_mut() {
                *member = tidy(member.take());
            }
            absent_or_not_null(members);
            if let Some(one) = nullable_type(members) {
                let about = ["description", "nullable"].map(|key| members.remove_entry(key));
                members.insert("type".to_owned(), one);
                if let Some(Value::Array(names)) = members.get_mut("enum") {
                    names.retain(|name| !name.is_null());
                }
                let mut either = json!({"anyOf": [schema.take(), {"type": "null"}]});
                if let Some(members) = either.as_object_mut() {
                    members.extend(about.into_iter().flatten());
                }
                return either;
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = tidy(item.take());
            }
        }
        _ => {}
    }
    schema
}

/// The type that `["type", "null"]` allows beside null.
fn nullable_type(members: &Map<String, Value>) -> Option<Value> {
    match members.get("type")?.as_array()?.as_slice() {
        [one, null] if null == "null" => Some(one.clone()),
        _ => None,
    }
}

/// Rust has one `Option` for two things. A member that may be absent is
/// absent rather than null, unless it says `nullable`.
fn absent_or_not_null(members: &mut Map<String, Value>) {
    let required = members.get("required").cloned().unwrap_or_default();
    let is_required = |name: &str| {
        let names = required.as_array().into_iter().flatten();
        names.into_iter().any(|required| required == name)
    };
    let Some(Value::Object(properties)) = members.get_mut("properties") else {
        return;
    };
    for (name, property) in properties {
        let Some(said) = property.as_object_mut() else {
            continue;
        };
        if said.remove("nullable").is_some() || is_required(name) {
            continue;
        }
        let Some(Value::Array(either)) = said.get_mut("anyOf") else {
            continue;
        };
        either.retain(|schema| schema.get("type").is_none_or(|kind| kind != "null"));
        if let [Value::Object(only)] = either.as_mut_slice() {
            let only = std::mem::take(only);
            said.remove("anyOf");
            // What is said about the member goes before what is said of its
            // type.
            for (key, value) in only {
                said.entry(key).or_insert(value);
            }
        }
    }
}

/// Stands for [`bourse_vocab::Nanos`]: a number with every digit written
/// out.
pub(crate) struct Dollars;

impl JsonSchema for Dollars {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Dollars".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number", "description": "US dollars, exact to a nano-dollar"})
    }
}

/// Stands for [`bourse_policy::Period`].
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum Interval {
    Daily,
    Weekly,
    Monthly,
}

/// Stands for a member that is always null.
pub(crate) struct Null;

impl JsonSchema for Null {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Null".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "null"})
    }
}
