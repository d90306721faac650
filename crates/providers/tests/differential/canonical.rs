//! Requests in the one of several spellings that the format calls equal, so
//! that two roads can be compared. The fuzzer compares by the same.

use bourse_vocab::json::{self, Map, Value};

/// A request in the one of several spellings that the format calls equal:
/// `null` is absent, a lone text part is a text, one stop text is a list of
/// one. Inside schemas nothing is equal to anything else. Nothing, if it is no
/// object.
pub fn canonical_request(body: &[u8]) -> Option<Value> {
    let mut body = json::parse(body).ok()?;
    let Value::Object(members) = &mut body else {
        return None;
    };
    for name in ["temperature", "top_p", "seed", "stop", "n", "user", "tools"] {
        drop_null(members, name);
    }
    members.retain(|_, value| !value.is_null());
    // What is the default says nothing.
    if members.get("stream") == Some(&Value::Bool(false)) {
        members.remove("stream");
    }
    if let Some(Value::Object(format)) = members.get_mut("response_format") {
        format.retain(|_, value| !value.is_null());
        if let Some(Value::Object(schema)) = format.get_mut("json_schema") {
            schema.retain(|_, value| !value.is_null());
        }
    }
    if let Some(stop @ Value::String(_)) = members.get_mut("stop") {
        *stop = Value::Array(vec![stop.clone()]);
    }
    for message in items(members.get_mut("messages")) {
        canonical_message(message);
    }
    for tool in items(members.get_mut("tools")) {
        let Value::Object(tool) = tool else { continue };
        tool.retain(|_, value| !value.is_null());
        if let Some(Value::Object(function)) = tool.get_mut("function") {
            function.retain(|_, value| !value.is_null());
        }
    }
    Some(body)
}

fn drop_null(members: &mut Map, name: &str) {
    if members.get(name).is_some_and(Value::is_null) {
        members.remove(name);
    }
}

/// The elements of an array, if it is one.
pub fn items(value: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    value.and_then(Value::as_array_mut).into_iter().flatten()
}

fn canonical_message(message: &mut Value) {
    let Value::Object(message) = message else {
        return;
    };
    message.retain(|name, value| !value.is_null() || name == "content");
    // Only calls may stand without content.
    if message.contains_key("tool_calls") {
        drop_null(message, "content");
    }
    // The number of a call is for streams, and strict vendors never get it.
    for call in items(message.get_mut("tool_calls")) {
        if let Value::Object(call) = call {
            call.remove("index");
        }
    }
    // One plain piece of reasoning says no more than its text.
    let text = message.get("reasoning").cloned();
    let is_plain = match message.get("reasoning_details").and_then(Value::as_array) {
        Some(details) => match details.as_slice() {
            [piece] => Some(&piece["text"]) == text.as_ref() && piece["signature"].is_null(),
            _ => false,
        },
        None => false,
    };
    if is_plain {
        message.remove("reasoning_details");
    }
    // The text of thoughts in pieces says no more than they do.
    if let Some(details) = message.get("reasoning_details").cloned() {
        let said = message.get("reasoning").and_then(Value::as_str);
        if said.is_some_and(|said| said.is_empty() || said == joined(&details)) {
            message.remove("reasoning");
        }
    }
    for piece in items(message.get_mut("reasoning_details")) {
        if let Value::Object(piece) = piece {
            piece.retain(|_, value| !value.is_null());
        }
    }
    // SDKs replay empty lists of what an answer did not have.
    message.retain(|_, value| value.as_array().is_none_or(|items| !items.is_empty()));
    let Some(content) = message.get_mut("content") else {
        return;
    };
    for part in items(Some(content)) {
        if let Value::Object(part) = part {
            part.retain(|_, value| !value.is_null());
        }
    }
    let lone = match content.as_array().map(Vec::as_slice) {
        Some([part])
            if part["type"] == "text" && part.as_object().is_some_and(|p| p.len() == 2) =>
        {
            part.get("text").cloned()
        }
        _ => None,
    };
    if let Some(text) = lone {
        *content = text;
    }
}

/// What people can read in pieces of reasoning.
fn joined(details: &Value) -> String {
    let pieces = details.as_array().into_iter().flatten();
    let text = |piece: &Value| match piece.get("type").and_then(Value::as_str) {
        Some("reasoning.text") => piece.get("text").and_then(Value::as_str).map(str::to_owned),
        Some("reasoning.summary") => piece
            .get("summary")
            .and_then(Value::as_str)
            .map(str::to_owned),
        _ => None,
    };
    pieces.filter_map(text).collect()
}

/// Everything whose order counts, as text: schemas, unknown members.
pub fn order(body: &Value) -> Vec<String> {
    let mut texts = vec![body["response_format"]["json_schema"]["schema"].to_string()];
    for tool in body["tools"].as_array().into_iter().flatten() {
        texts.push(tool["function"]["parameters"].to_string());
    }
    texts
}
