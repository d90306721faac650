//! The OpenAPI 3.1 document, written from the table of routes.

use serde_json::{Map, Value, json};

use crate::access::Access;
use crate::calls::{Call, SESSIONS};
use crate::error::ErrorBody;
use crate::route::{Content, Operation, PREFIXES, Place, Route};
use crate::schema::Schemas;

/// Writes the document of `routes` and of the `calls` that the data plane
/// serves.
pub(crate) fn write(routes: &[Route], calls: &[Call]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    let mut add = |path: &str, method: &str, place: Place, operation: Value| {
        let item = paths.entry(path).or_insert_with(|| match place {
            Place::Api => json!({}),
            Place::Root => json!({"servers": [{"url": "/"}]}),
            Place::RootAndApi => json!({"servers": [{"url": "/"}, {"url": "/api"}]}),
        });
        if let Some(methods) = item.as_object_mut() {
            methods.insert(method.to_owned(), operation);
        }
    };
    for route in routes {
        let method = route.method.as_str().to_ascii_lowercase();
        let security = match route.access {
            Access::Public => None,
            Access::AnyKey => Some("key"),
            Access::Inference => Some("inferenceKey"),
            Access::Management => Some("managementKey"),
        };
        let content = (route.content)(&mut schemas);
        let id = operation_id(&method, route.path);
        let written = operation(&route.operation, content, &id, security);
        add(route.path, &method, route.place, written);
    }
    for call in calls {
        let content = (call.content)(&mut schemas);
        let id = operation_id("post", call.path);
        let written = operation(&call.operation, content, &id, Some("inferenceKey"));
        add(call.path, "post", Place::Api, written);
    }
    let error = schemas.reply::<ErrorBody>();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bourse",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!("Compatible with OpenRouter's API. Amounts of money are decimal \
                numbers with every digit written out, exact to a nano-dollar. Beside what is \
                described here, GET {} switches to WebSocket.", SESSIONS.join(", ")),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": PREFIXES.map(|url| json!({"url": url})),
        "paths": paths,
        "components": {
            "schemas": schemas.finish(),
            "responses": {"Error": {
                "description": "What went wrong; code is the HTTP status",
                "content": {"application/json": {"schema": error}},
            }},
            "securitySchemes": {
                "key": bearer("Any living key"),
                "inferenceKey": bearer("A key that begins with sk-bourse-v1-"),
                "managementKey": bearer("A key that begins with sk-bourse-mgmt-"),
            },
        },
    })
}

fn bearer(about: &str) -> Value {
    json!({"type": "http", "scheme": "bearer", "description": about})
}

/// A name for generated clients, such as `get_keys_by_hash`.
fn operation_id(method: &str, path: &str) -> String {
    let words = path
        .split(['/', '.', '-', ':'])
        .filter(|word| !word.is_empty())
        .map(|word| {
            word.strip_prefix('{')
                .and_then(|word| word.strip_suffix('}'))
                .map_or_else(|| snake(word), |name| format!("by_{name}"))
        });
    std::iter::once(method.to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join("_")
}

/// The same members as parts of a form, and a file.
fn form(schema: &Value, file: &str) -> Value {
    let bytes = json!({"type": "string", "contentMediaType": "application/octet-stream"});
    json!({
        "allOf": [schema, {
            "type": "object",
            "properties": {file: bytes},
            "required": [file],
        }],
    })
}

/// `generateContent` is `generate_content`.
fn snake(word: &str) -> String {
    let mut snake = String::with_capacity(word.len());
    for letter in word.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// `security` says which keys it takes, if any.
fn operation(said: &Operation, content: Content, id: &str, security: Option<&str>) -> Value {
    let Content {
        body,
        status,
        media,
        reply,
    } = content;
    let mut operation = json!({
        "operationId": id,
        "tags": [said.tag],
        "summary": said.summary,
        "responses": {
            status.to_string(): {
                "description": "Success",
                "content": {media: {"schema": reply}},
            },
            "default": {"$ref": "#/components/responses/Error"},
        },
        "security": security.map_or_else(|| json!([]), |scheme| json!([{ scheme: [] }])),
    });
    let mut add = |name: &str, value: Value| {
        if let Some(members) = operation.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
    };
    if !said.about.is_empty() {
        add("description", said.about.into());
    }
    if !said.parameters.is_empty() {
        add("parameters", Value::Array(said.parameters.clone()));
    }
    if let Some(schema) = body {
        let mut content = json!({"application/json": {"schema": schema}});
        if let (Some(file), Some(media)) = (said.file, content.as_object_mut()) {
            let form = form(&schema, file);
            media.insert("multipart/form-data".to_owned(), json!({ "schema": form }));
        }
        add("requestBody", json!({"required": true, "content": content}));
    }
    operation
}
