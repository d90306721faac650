//! What a place in the vocabulary is called in a chat request: calls, thoughts
//! and pictures of an answer are parts there, and members of a message here.

use bourse_vocab::chat::Loss;
use bourse_vocab::json::Value;
use bytes::Bytes;

use crate::json::{Outline, parse_scanned};
use crate::places::{Names, Origin, is_in_messages, locate as locate_by, renamed};

/// Has losses say where they are in the client's request.
pub fn locate(losses: &mut [Loss], outline: &Outline, segments: &[Bytes]) {
    if losses.is_empty() {
        return;
    }
    let body = losses
        .iter()
        .any(is_in_messages)
        .then(|| parse_scanned(outline, segments));
    let origins = match body {
        Some(Ok(body)) => origins(body.get("messages")),
        _ => Vec::new(),
    };
    let has = |name: &str| outline.get(name).is_some();
    locate_by(
        losses,
        &origins,
        &Names {
            messages: "messages",
            member: &|field| member(field, has),
            inside: &inside,
        },
    );
}

fn member(field: &str, has: impl Fn(&str) -> bool) -> Option<String> {
    let first = |names: [&'static str; 2]| names.into_iter().find(|name| has(name));
    if field.starts_with("reasoning") && !has("reasoning") {
        return first(["reasoning_effort", "include_reasoning"]).map(str::to_owned);
    }
    if let Some(tool) = field
        .strip_prefix("tools[")
        .and_then(|rest| rest.strip_suffix("].strict"))
    {
        return Some(format!("tools[{tool}].function.strict"));
    }
    match field {
        "max_tokens" if !has(field) => {
            has("max_completion_tokens").then(|| "max_completion_tokens".to_owned())
        }
        "tools" if !has(field) => has("functions").then(|| "functions".to_owned()),
        // Of text completions, whose number of alternatives it is.
        "top_logprobs" if !has(field) => Some("logprobs".to_owned()),
        "messages" if !has(field) => Some("prompt".to_owned()),
        _ => renamed(field, "messages", "messages"),
    }
}

/// What stands inside a part, which other formats have beside its data.
fn inside(path: &str, rest: &str) -> String {
    match rest {
        ".detail" => format!("{path}.image_url.detail"),
        ".arguments" => format!("{path}.function.arguments"),
        rest => format!("{path}{rest}"),
    }
}

fn origins(messages: Option<&Value>) -> Vec<Origin> {
    let messages = messages.and_then(Value::as_array);
    messages
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(index, message)| origin(message, &format!("messages[{index}]")))
        .collect()
}

fn origin(message: &Value, path: &str) -> Origin {
    let mut origin = Origin::at(path.to_owned());
    let content = format!("{path}.content");
    let items = message.get("content").and_then(Value::as_array);
    if let Some("tool" | "function") = message.get("role").and_then(Value::as_str) {
        origin.inside = Some((content, items.is_some()));
        return origin;
    }
    let is_text = |name: &str| {
        let text = message.get(name).and_then(Value::as_str);
        text.is_some_and(|text| !text.is_empty())
    };
    let list = |name: &str| {
        let items = message.get(name).and_then(Value::as_array);
        let count = items.map_or(0, |items| items.len());
        let places = (0..count).map(|number| format!("{path}.{name}[{number}]"));
        places.collect::<Vec<_>>()
    };
    // In the order in which the reader puts them (`request/read_message.rs`).
    origin.parts = list("reasoning_details");
    if origin.parts.is_empty() {
        let name = ["reasoning", "reasoning_content"];
        let name = name.into_iter().find(|name| is_text(name));
        origin
            .parts
            .extend(name.map(|name| format!("{path}.{name}")));
    }
    origin.parts.extend(list("content"));
    if message.get("content").is_some_and(Value::is_string) {
        origin.parts.push(content);
    }
    if message.get("refusal").is_some_and(Value::is_string) {
        origin.parts.push(format!("{path}.refusal"));
    }
    origin.parts.extend(list("images"));
    origin.parts.extend(list("tool_calls"));
    origin
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::scan;

    #[test]
    fn a_place_is_called_as_the_client_knows_it() {
        let body = br#"{"max_completion_tokens":5,"reasoning_effort":"low","messages":[
            {"role":"user","content":"q"},
            {"role":"assistant","content":"a","reasoning":"hm","refusal":"no","tool_calls":[{},{}]},
            {"role":"tool","content":[{"type":"text"},{"type":"image_url"}]},
            {"role":"assistant","reasoning_details":[{},{}],"content":[{"type":"image_url"}]},
            {"role":"tool","content":"r"}]}"#;
        let outline = scan(body).unwrap();
        let segments = [Bytes::from_static(body)];
        for (field, expected) in [
            ("messages[0].content[0]", "messages[0].content"),
            (
                "messages[1].content[0].signature",
                "messages[1].reasoning.signature",
            ),
            ("messages[1].content[1]", "messages[1].content"),
            ("messages[1].content[2]", "messages[1].refusal"),
            (
                "messages[1].content[4].arguments",
                "messages[1].tool_calls[1].function.arguments",
            ),
            ("messages[1].name", "messages[1].name"),
            (
                "messages[2].content[0].content[1].detail",
                "messages[2].content[1].image_url.detail",
            ),
            (
                "messages[2].content[0].cache_control",
                "messages[2].cache_control",
            ),
            ("messages[3].content[1]", "messages[3].reasoning_details[1]"),
            (
                "messages[3].content[2].detail",
                "messages[3].content[0].image_url.detail",
            ),
            ("messages[4].content[0].content[0]", "messages[4].content"),
            ("max_tokens", "max_completion_tokens"),
            ("reasoning.max_tokens", "reasoning_effort"),
            ("tools[2].strict", "tools[2].function.strict"),
            ("seed", "seed"),
        ] {
            let mut losses = [Loss::new(field, "")];
            locate(&mut losses, &outline, &segments);
            assert_eq!(losses[0].field, expected, "{field}");
        }
    }
}
