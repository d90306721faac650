//! What a place in the vocabulary is called in a request of Responses: the
//! instructions are a message there, and what the model did in a row is one,
//! of however many items it was made.

use bourse_vocab::chat::Loss;
use bourse_vocab::json::Value;
use bytes::Bytes;

use super::reply;
use crate::json::{Outline, parse_scanned};
use crate::places::{Names, Origin, is_in_messages, locate as locate_by, renamed};

/// Members of the vocabulary, and what they are called here.
const NAMES: [(&str, &str); 4] = [
    ("max_tokens", "max_output_tokens"),
    ("response_format.json_schema", "text.format"),
    ("response_format", "text.format"),
    ("verbosity", "text.verbosity"),
];

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
        Some(Ok(body)) => origins(&body),
        _ => Vec::new(),
    };
    let has = |name: &str| outline.get(name).is_some();
    locate_by(
        losses,
        &origins,
        &Names {
            messages: "input",
            member: &|field| member(field, has),
            inside: &inside,
        },
    );
}

fn member(field: &str, has: impl Fn(&str) -> bool) -> Option<String> {
    let asked = ["top_logprobs", "include"];
    match field {
        "logprobs" | "top_logprobs" => asked.into_iter().find(|name| has(name)).map(str::to_owned),
        _ if field.starts_with("reasoning") && !has("reasoning") => {
            Some("reasoning_effort".to_owned())
        }
        _ => NAMES
            .iter()
            .find_map(|(ours, own)| renamed(field, ours, own)),
    }
}

fn inside(path: &str, rest: &str) -> String {
    match rest {
        ".cache_control" => format!("{path}.prompt_cache_breakpoint"),
        ".cache_control.ttl" => format!("{path}.prompt_cache_breakpoint.ttl"),
        rest => format!("{path}{rest}"),
    }
}

fn origins(body: &Value) -> Vec<Origin> {
    let mut origins = Vec::new();
    if body.get("instructions").is_some_and(Value::is_string) {
        origins.push(Origin::at("instructions".to_owned()));
    }
    let input = body.get("input");
    if input.is_some_and(Value::is_string) {
        origins.push(Origin {
            path: "input".to_owned(),
            parts: vec!["input".to_owned()],
            inside: None,
        });
    }
    let mut goes_on = false;
    let items = input.and_then(Value::as_array);
    for (index, item) in items.into_iter().flatten().enumerate() {
        let path = format!("input[{index}]");
        let (parts, inside, is_model) = made_of(item, &path);
        match origins.last_mut() {
            Some(turn) if is_model && goes_on => turn.parts.extend(parts),
            _ => origins.push(Origin {
                path,
                parts,
                inside,
            }),
        }
        goes_on = is_model;
    }
    origins
}

/// The parts that an item is made into, where those of a tool's result stand,
/// and whether the model did it.
fn made_of(item: &Value, path: &str) -> (Vec<String>, Option<(String, bool)>, bool) {
    let places = |name: &str| match item.get(name) {
        Some(Value::Array(items)) => (0..items.len())
            .map(|number| format!("{path}.{name}[{number}]"))
            .collect(),
        Some(_) => vec![format!("{path}.{name}")],
        None => Vec::new(),
    };
    match item.get("type").and_then(Value::as_str) {
        None | Some("message") => {
            let role = item.get("role").and_then(Value::as_str);
            (places("content"), None, role == Some("assistant"))
        }
        Some("function_call_output" | "custom_tool_call_output") => {
            let is_list = item.get("output").is_some_and(Value::is_array);
            (Vec::new(), Some((format!("{path}.output"), is_list)), false)
        }
        Some("reasoning") => {
            let pieces = reply::thought(item).pieces().len();
            (vec![path.to_owned(); pieces], None, true)
        }
        Some(_) => (vec![path.to_owned()], None, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::scan;

    #[test]
    fn a_place_is_called_as_the_client_knows_it() {
        let body = br#"{"instructions":"i","include":[],"input":[
            {"role":"user","content":"q"},
            {"type":"reasoning","summary":[{"type":"summary_text","text":"s"}],"encrypted_content":"e"},
            {"type":"message","role":"assistant","content":[{"type":"output_text"},{"type":"refusal"}]},
            {"type":"function_call","name":"f"},
            {"type":"function_call_output","output":[{"type":"input_text"},{"type":"input_image"}]},
            {"role":"assistant","content":"b"}]}"#;
        let outline = scan(body).unwrap();
        let segments = [Bytes::from_static(body)];
        for (field, expected) in [
            ("messages[0].content[0]", "instructions"),
            ("messages[1].content[0]", "input[0].content"),
            ("messages[1].name", "input[0].name"),
            ("messages[2].content[1]", "input[1]"),
            ("messages[2].content[3]", "input[2].content[1]"),
            ("messages[2].content[4].arguments", "input[3].arguments"),
            (
                "messages[3].content[0].content[1].detail",
                "input[4].output[1].detail",
            ),
            ("messages[3].content[0].is_error", "input[4].is_error"),
            (
                "messages[4].content[0].cache_control",
                "input[5].content.prompt_cache_breakpoint",
            ),
            ("messages", "input"),
            (
                "response_format.json_schema.schema.x",
                "text.format.schema.x",
            ),
            ("response_format", "text.format"),
            ("logprobs", "include"),
            ("seed", "seed"),
        ] {
            let mut losses = [Loss::new(field, "")];
            locate(&mut losses, &outline, &segments);
            assert_eq!(losses[0].field, expected, "{field}");
        }
    }

    /// The reader and the walk agree on what a conversation is made of.
    #[test]
    fn the_walk_finds_what_the_reader_makes() {
        use crate::codec::Codec;
        let body = br#"{"model":"m","instructions":"i","input":[
            {"role":"user","content":"q"},
            {"type":"reasoning","summary":[{"type":"summary_text","text":"s"},{"type":"summary_text","text":"t"}],"encrypted_content":"e"},
            {"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"r"}]},
            {"type":"function_call","name":"f","call_id":"c","arguments":"{}"},
            {"type":"local_shell_call","id":"x"},
            {"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"t"}]},
            {"role":"assistant","content":"b"}]}"#;
        let parsed = bourse_vocab::json::parse(body).unwrap();
        let origins = origins(&parsed);
        let request = crate::openai_responses::OpenAiResponses
            .read_request(body)
            .unwrap();
        assert_eq!(origins.len(), request.messages.len());
        for (origin, message) in origins.iter().zip(&request.messages) {
            if origin.inside.is_none() && origin.path != "instructions" {
                assert_eq!(origin.parts.len(), message.parts.len(), "{origin:?}");
            }
        }
    }
}
