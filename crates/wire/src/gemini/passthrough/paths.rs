//! What a place in the vocabulary is called in the client's request.
//!
//! A translation speaks of the messages that it was given, and those are not
//! the client's contents: the instruction is one of them, so is every result
//! of a tool, and a turn that was replayed in pieces is one. Clients are told
//! where to look in what they sent, by Google's names.

use bourse_vocab::chat::Loss;
use bytes::Bytes;

use super::Envelope;
use crate::json::{Kind, walk};
use crate::places::{indexed, renamed};

/// Members of the vocabulary, and what Google calls them.
const NAMES: [(&str, &str); 16] = [
    ("messages", "contents"),
    ("service_tier", "serviceTier"),
    ("max_tokens", "generationConfig.maxOutputTokens"),
    ("temperature", "generationConfig.temperature"),
    ("top_p", "generationConfig.topP"),
    ("top_k", "generationConfig.topK"),
    ("n", "generationConfig.candidateCount"),
    ("stop", "generationConfig.stopSequences"),
    ("seed", "generationConfig.seed"),
    ("presence_penalty", "generationConfig.presencePenalty"),
    ("frequency_penalty", "generationConfig.frequencyPenalty"),
    ("logprobs", "generationConfig.responseLogprobs"),
    ("top_logprobs", "generationConfig.logprobs"),
    ("modalities", "generationConfig.responseModalities"),
    ("tool_choice", "toolConfig.functionCallingConfig"),
    ("parallel_tool_calls", "toolConfig.functionCallingConfig"),
];

/// Where a message came from.
#[derive(Debug, PartialEq)]
struct Origin {
    /// The content, as the client knows it.
    content: String,
    /// Its parts that the message's are made of; none where that is not clear.
    parts: Vec<usize>,
}

impl Envelope {
    /// Has losses say where they are in the client's request.
    pub fn locate(&self, losses: &mut [Loss], segments: &[Bytes]) {
        let needs_contents = losses
            .iter()
            .any(|loss| loss.field.starts_with("messages["));
        let contents = needs_contents.then(|| self.raw("contents", segments));
        let origins = contents.flatten().map_or_else(Vec::new, |contents| {
            origins(&contents, self.has("systemInstruction"))
        });
        for loss in losses {
            let located = located(&loss.field, &origins);
            if let Some(located) = located.or_else(|| self.named(&loss.field)) {
                loss.field = located;
            }
        }
    }

    /// What the client calls a member of which Google has several.
    fn named(&self, field: &str) -> Option<String> {
        let said = |names: [&'static str; 3]| {
            let said = names.into_iter().find(|name| self.config.says(name));
            said.unwrap_or(names[0])
        };
        let format = said(["responseJsonSchema", "responseSchema", "responseMimeType"]);
        let format = format!("generationConfig.{format}");
        [
            ("response_format.json_schema.schema", &*format),
            ("response_format", &*format),
            ("reasoning", "generationConfig.thinkingConfig"),
        ]
        .into_iter()
        .find_map(|(ours, own)| renamed(field, ours, own))
        .map(|field| {
            field
                .replace("thinkingConfig.effort", "thinkingConfig.thinkingLevel")
                .replace("thinkingConfig.max_tokens", "thinkingConfig.thinkingBudget")
        })
    }
}

fn located(field: &str, origins: &[Origin]) -> Option<String> {
    let end = field.find(['.', '[']).unwrap_or(field.len());
    let (name, rest) = field.split_at_checked(end)?;
    if name != "messages" || rest.is_empty() {
        let (_, own) = NAMES.iter().find(|(known, _)| *known == name)?;
        return Some(format!("{own}{rest}"));
    }
    let (message, rest) = indexed(rest)?;
    let origin = origins.get(message)?;
    let content = &origin.content;
    let Some((part, rest)) = rest.strip_prefix(".content").and_then(indexed) else {
        return Some(content.clone());
    };
    Some(match origin.parts.get(part) {
        Some(part) => format!("{content}.parts[{part}]{rest}"),
        None => content.clone(),
    })
}

/// The contents that messages are made of, in the order of these.
fn origins(contents: &[u8], has_system: bool) -> Vec<Origin> {
    let mut origins = Vec::new();
    if has_system {
        origins.push(Origin {
            content: "systemInstruction".to_owned(),
            parts: Vec::new(),
        });
    }
    let mut goes_on = false;
    for (index, turn) in walk::elements(contents).enumerate() {
        let content = format!("contents[{index}]");
        let (results, others, is_plain) = sorted(turn.value);
        if is_of_model(turn.value) {
            if others.is_empty() {
                continue;
            }
            match origins.last_mut().filter(|_| goes_on) {
                // Which of its parts came of which content is not kept.
                Some(whole) => whole.parts.clear(),
                None => origins.push(Origin {
                    content,
                    parts: if is_plain { others } else { Vec::new() },
                }),
            }
            goes_on = true;
            continue;
        }
        for result in results {
            origins.push(Origin {
                content: format!("{content}.parts[{result}]"),
                parts: Vec::new(),
            });
            goes_on = false;
        }
        if !others.is_empty() {
            origins.push(Origin {
                content,
                parts: others,
            });
            goes_on = false;
        }
    }
    origins
}

fn is_of_model(content: &[u8]) -> bool {
    walk::members(content).any(|member| member.name == b"role" && member.value == b"\"model\"")
}

/// Where in a content the results of tools are, which become messages of their
/// own, and where everything else is; and whether each of that is one part of
/// the message: a signature is one too.
fn sorted(content: &[u8]) -> (Vec<usize>, Vec<usize>, bool) {
    let parts = walk::members(content).find(|member| member.name == b"parts");
    let (mut results, mut others, mut is_plain) = (Vec::new(), Vec::new(), true);
    let Some(parts) = parts else {
        return (results, others, is_plain);
    };
    if parts.kind == Kind::Object {
        others.push(0);
    }
    for (index, part) in walk::elements(parts.value).enumerate() {
        let has = |names: [&[u8]; 2]| {
            walk::members(part.value).any(|member| names.contains(&member.name))
        };
        let is_empty = walk::members(part.value)
            .any(|member| member.name == b"text" && member.value == b"\"\"");
        is_plain &= !has([b"thoughtSignature", b"thought_signature"]);
        if has([b"functionResponse", b"function_response"]) {
            results.push(index);
        } else if !is_empty {
            others.push(index);
        }
    }
    (results, others, is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENTS: &str = r#"[{"role":"user","parts":[{"text":""},{"text":"a"}]},
        {"role":"model","parts":[{"text":"b"},{"executableCode":{}}]},
        {"parts":[{"functionResponse":{}},{"text":"c"},{"function_response":{}}]},
        {"role":"model","parts":[{"text":"d"}]},{"role":"model","parts":[{"text":"e"}]},
        {"role":"model","parts":[]},{"role":"user","parts":{"text":"f"}},
        {"role":"model","parts":[{"text":"g","thoughtSignature":"QQ=="}]}]"#;

    #[test]
    fn a_place_is_called_as_the_client_knows_it() {
        let of = |field: &str, has_system: bool| {
            located(field, &origins(CONTENTS.as_bytes(), has_system))
        };
        for (field, expected) in [
            ("messages[0].content[0]", "contents[0].parts[1]"),
            (
                "messages[0].content[0].detail",
                "contents[0].parts[1].detail",
            ),
            ("messages[1].content[1]", "contents[1].parts[1]"),
            ("messages[1]", "contents[1]"),
            ("messages[2].content[0]", "contents[2].parts[0]"),
            ("messages[3]", "contents[2].parts[2]"),
            ("messages[4].content[0]", "contents[2].parts[1]"),
            ("messages[5].content[0]", "contents[3]"),
            ("messages[6].content[0]", "contents[6].parts[0]"),
            ("messages[7].content[1]", "contents[7]"),
            ("max_tokens", "generationConfig.maxOutputTokens"),
            ("messages", "contents"),
        ] {
            assert_eq!(of(field, false).as_deref(), Some(expected), "{field}");
        }
        assert_eq!(
            of("messages[0].content[0]", true).as_deref(),
            Some("systemInstruction")
        );
        assert_eq!(of("messages[1]", true).as_deref(), Some("contents[0]"));
        for field in ["messages[8]", "tools[0]", "safetySettings"] {
            assert_eq!(of(field, false), None, "{field}");
        }
    }

    /// The reader and the walk agree on which message is of which content.
    #[test]
    fn the_walk_finds_as_many_messages_as_the_reader_makes() {
        use crate::codec::Codec;
        let contents = CONTENTS
            .replace(
                r#""functionResponse":{}"#,
                r#""functionResponse":{"name":"f"}"#,
            )
            .replace(
                r#""function_response":{}"#,
                r#""function_response":{"name":"g"}"#,
            );
        let body = format!(
            r#"{{"systemInstruction":{{"parts":[{{"text":"S"}}]}},"contents":{contents}}}"#
        );
        let request = crate::gemini::Gemini.read_request(body.as_bytes()).unwrap();
        assert_eq!(
            origins(contents.as_bytes(), true).len(),
            request.messages.len()
        );
    }
}
