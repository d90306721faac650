//! Words for describing a route and its JSON, in OpenAPI 3.1.
// Schemas are built on the spot and handed over; `json!` only borrows them.
#![allow(clippy::needless_pass_by_value)]

use serde_json::{Value, json};

/// What a route does, as `/openapi.json` tells it.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    summary: &'static str,
    about: &'static str,
    tag: &'static str,
    parameters: Vec<Value>,
    body: Option<Value>,
    status: u16,
    media: &'static str,
    answer: Value,
}

impl Operation {
    /// An operation that answers 200 with `answer`.
    pub(crate) fn new(tag: &'static str, summary: &'static str, answer: Value) -> Self {
        Self {
            summary,
            about: "",
            tag,
            parameters: Vec::new(),
            body: None,
            status: 200,
            media: "application/json",
            answer,
        }
    }

    /// Says more.
    pub(crate) const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// Another status in case of success.
    pub(crate) const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Another kind of content.
    pub(crate) const fn media(mut self, media: &'static str) -> Self {
        self.media = media;
        self
    }

    /// A segment of the path.
    pub(crate) fn segment(self, name: &str, about: &str) -> Self {
        self.parameter("path", name, about, true, text())
    }

    /// An optional argument of the query.
    pub(crate) fn query(self, name: &str, about: &str, schema: Value) -> Self {
        self.parameter("query", name, about, false, schema)
    }

    /// A required argument of the query.
    pub(crate) fn required(self, name: &str, about: &str, schema: Value) -> Self {
        self.parameter("query", name, about, true, schema)
    }

    fn parameter(
        mut self,
        place: &str,
        name: &str,
        about: &str,
        required: bool,
        schema: Value,
    ) -> Self {
        self.parameters.push(json!({
            "name": name,
            "in": place,
            "required": required,
            "description": about,
            "schema": schema,
        }));
        self
    }

    /// What is sent.
    pub(crate) fn body(mut self, schema: Value) -> Self {
        self.body = Some(schema);
        self
    }

    /// Writes the operation; `security` says which keys it takes, if any.
    pub(crate) fn write(&self, id: &str, security: Option<&str>) -> Value {
        let content = json!({ self.media: {"schema": self.answer} });
        let mut operation = json!({
            "operationId": id,
            "tags": [self.tag],
            "summary": self.summary,
            "responses": {
                self.status.to_string(): {"description": "Success", "content": content},
                "default": {"$ref": "#/components/responses/Error"},
            },
            "security": security.map_or_else(|| json!([]), |scheme| json!([{ scheme: [] }])),
        });
        let mut add = |name: &str, value: Value| {
            if let Some(members) = operation.as_object_mut() {
                members.insert(name.to_owned(), value);
            }
        };
        if !self.about.is_empty() {
            add("description", self.about.into());
        }
        if !self.parameters.is_empty() {
            add("parameters", Value::Array(self.parameters.clone()));
        }
        if let Some(schema) = &self.body {
            let content = json!({"application/json": {"schema": schema}});
            add("requestBody", json!({"required": true, "content": content}));
        }
        operation
    }
}

/// A string.
pub(crate) fn text() -> Value {
    json!({"type": "string"})
}

/// A string, described.
pub(crate) fn text_about(about: &str) -> Value {
    json!({"type": "string", "description": about})
}

/// One of these strings.
pub(crate) fn one_of(names: &[&str]) -> Value {
    json!({"type": "string", "enum": names})
}

/// A whole number.
pub(crate) fn integer() -> Value {
    json!({"type": "integer"})
}

/// An amount of US dollars: a number with every digit written out, down to
/// a nano-dollar.
pub(crate) fn dollars() -> Value {
    json!({"type": "number", "description": "US dollars, exact to a nano-dollar"})
}

/// Any number.
pub(crate) fn number() -> Value {
    json!({"type": "number"})
}

/// Yes or no.
pub(crate) fn boolean() -> Value {
    json!({"type": "boolean"})
}

/// Always null.
pub(crate) fn null() -> Value {
    json!({"type": "null"})
}

/// `schema`, or null.
pub(crate) fn nullable(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

/// A list.
pub(crate) fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

/// A schema of this document.
pub(crate) fn named(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// An object whose members are all present.
pub(crate) fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let members: serde_json::Map<String, Value> = members
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    let required: Vec<&String> = members.keys().collect();
    json!({"type": "object", "required": required, "properties": members})
}

/// An object whose members may all be absent.
pub(crate) fn partial<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let members: serde_json::Map<String, Value> = members
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    json!({"type": "object", "properties": members})
}

/// `{"data": …}`, the usual envelope.
pub(crate) fn data(schema: Value) -> Value {
    object([("data", schema)])
}
