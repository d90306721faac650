//! Two roads lead from a chat client to a vendor of the same format: bytes
//! that are spliced, and the vocabulary. What arrives must not depend on the
//! road, for any dialect that is defined here, and neither may what comes
//! back. Every fixture is sent down both.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod canonical;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bourse_vocab::chat::{Event, Loss};
use bourse_vocab::json::{self, Value};
use bourse_vocab::{
    Bill, Failure, FailureKind, Format, Nanos, ServiceTier, TierWish, Usage, UsageReport,
};
use bourse_wire::json::scan;
use bourse_wire::openai_chat::passthrough::{
    Envelope, StreamRelay, needs_rewrite, splice_reply, splice_request,
};
use bourse_wire::sse::Decoder;
use bourse_wire::{Dialect, Stamp, WriteTarget, codec};
use bytes::Bytes;

use canonical::{canonical_request, items, order};

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1",
    model: "acme/m",
    provider: "Acme",
    created: 7,
    metadata: None,
};

const BILL: Bill = Bill {
    total: Nanos(3),
    upstream_prompt: Nanos(1),
    upstream_completion: Nanos(2),
    estimated: false,
};

/// The dialects of every provider that speaks the format, each once.
fn dialects() -> Vec<(&'static str, &'static Dialect)> {
    let mut found: Vec<(&str, &Dialect)> = vec![("operators-own", &Dialect::PLAIN)];
    for provider in bourse_providers::all() {
        let interfaces = provider.interfaces("");
        if interfaces.iter().all(|i| i.format != Format::OpenAiChat) {
            continue;
        }
        for dialect in provider.dialects(Format::OpenAiChat) {
            if found.iter().all(|(_, other)| *other != dialect) {
                found.push((provider.slug(), dialect));
            }
        }
    }
    assert!(found.len() > 10);
    found
}

/// Files of this name in the cases of `fixtures/chat`, by case.
fn fixtures(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/chat");
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let case = entry.file_name().into_string().unwrap();
            std::fs::read(entry.path().join(name))
                .ok()
                .map(|bytes| (case, bytes))
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no {name}");
    files
}

/// Cases that differ, to be reported together.
#[derive(Default)]
struct Differences {
    compared: usize,
    found: Vec<String>,
}

impl Differences {
    fn compare<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, bytes: &T, words: &T) {
        self.compared += 1;
        if bytes != words {
            self.found
                .push(format!("{what}\n  bytes: {bytes:?}\n  words: {words:?}"));
        }
    }
}

impl Drop for Differences {
    fn drop(&mut self) {
        assert!(self.compared > 20, "compared {} only", self.compared);
        assert!(
            self.found.is_empty() || std::thread::panicking(),
            "{} of {} differ:\n{}",
            self.found.len(),
            self.compared,
            self.found.join("\n")
        );
    }
}

// --- requests

fn fields(losses: &[Loss]) -> BTreeSet<&str> {
    losses.iter().map(|loss| loss.field.as_str()).collect()
}

/// Sends one request down both roads to every dialect that takes bytes.
fn compare_request(case: &str, body: &[u8], differences: &mut Differences) {
    let segments = [Bytes::copy_from_slice(body)];
    let bytes = scan(body)
        .map_err(Failure::from)
        .and_then(|outline| Envelope::read(outline, &segments));
    let words = codec(Format::OpenAiChat).read_request(body);
    let (envelope, request) = match (bytes, words) {
        (Ok(envelope), Ok(request)) => (envelope, request),
        // What is wrong inside a message only the vocabulary sees.
        (_, Err(failure)) => {
            return assert_eq!(failure.kind, FailureKind::InvalidRequest, "{case}");
        }
        (Err(failure), Ok(_)) => {
            let what = format!("{case}: refused");
            return differences.compare(&what, &failure.message.as_ref(), &"");
        }
    };
    for (slug, dialect) in dialects() {
        if needs_rewrite(dialect, envelope.features()) {
            continue;
        }
        // With the limit that the gateway sets, and without.
        for (limit, tier) in [
            (None, TierWish::None),
            (Some(777), TierWish::Tier(ServiceTier::Priority)),
            (None, TierWish::Standard),
        ] {
            let target = WriteTarget {
                model: "up",
                max_output: Some(8_000),
                limit,
                efforts: bourse_vocab::chat::Efforts::default(),
                tier,
                dialect,
            };
            let (pieces, losses) = splice_request(&envelope, &segments, &target);
            let spliced = pieces.concat();
            let written = codec(Format::OpenAiChat)
                .write_request(&request, &target)
                .unwrap();
            let what = format!("{case} to {slug}, limit {limit:?}, {tier:?}");
            let bytes = canonical_request(&spliced).expect(case);
            let words = canonical_request(&written.body).expect(case);
            differences.compare(&what, &bytes, &words);
            differences.compare(&format!("{what}: order"), &order(&bytes), &order(&words));
            differences.compare(
                &format!("{what}: losses"),
                &fields(&losses),
                &fields(&written.losses),
            );
        }
    }
}

/// Whoever still sends the form before `tools` reads answers in it, and only a
/// vendor that knows it can give them: bytes are passed on, and the vocabulary,
/// where it must be, makes tools of it.
const OLDER_FORM: &str = "legacy-functions";

#[test]
fn every_request_arrives_the_same_on_both_roads() {
    let mut differences = Differences::default();
    for (case, body) in fixtures("openai-chat.request.json") {
        if case == OLDER_FORM {
            continue;
        }
        compare_request(&case, &body, &mut differences);
    }
}

/// Members that dialects have opinions about, one or a few at a time.
const MEMBERS: &[&str] = &[
    r#""temperature":0.70,"top_p":1,"top_k":4,"min_p":0.10,"top_a":0,"seed":-7"#,
    r#""temperature":null,"seed":7.0,"max_tokens":256.0,"n":2.0,"top_logprobs":2,"logprobs":true"#,
    r#""frequency_penalty":1,"presence_penalty":-1.5,"repetition_penalty":1.10,"logit_bias":{"50256":-100}"#,
    r#""stop":"x""#,
    r#""stop":["x","y"],"stream":true,"stream_options":{"include_usage":false}"#,
    r#""stop":[],"max_tokens":5,"max_completion_tokens":9"#,
    r#""max_completion_tokens":9,"verbosity":"low","user":"","store":false"#,
    r#""tools":[],"tool_choice":"auto","parallel_tool_calls":true"#,
    r#""tool_choice":"none","parallel_tool_calls":false"#,
    r#""tool_choice":"required""#,
    r#""tools":[{"type":"function","function":{"name":"f","strict":null,"parameters":{"b":1,"a":[1e400]}}}],"tool_choice":"any""#,
    r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false"#,
    r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","name":"f","x":null}"#,
    r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"name":"f"}"#,
    r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}}"#,
    r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"\u0061ny""#,
    r#""stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false,"chunk_bytes":null}"#,
    r#""reasoning":{"effort":"low","colour":"red","context":"auto"}"#,
    r#""tools":[{"type":"function","function":{"name":"f","parameters":{}},"x_hint":[2,1]},{"type":"web_search","z":1,"a":2}]"#,
    r#""tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}]"#,
    r#""response_format":{"type":"text"}"#,
    r#""response_format":{"type":"json_object"},"modalities":["text"]"#,
    r#""response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"z":-0,"a":10.0}}},"modalities":["text","audio"],"audio":{"voice":"x"}"#,
    r#""response_format":{"type":"grammar","grammar":"g"}"#,
    r#""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{},"[":1,"a.b":{"c":2},"x]":3}}"#,
    r#""reasoning":{"effort":"high"}"#,
    r#""reasoning":{"effort":"low","enabled":false}"#,
    r#""reasoning":{"effort":"none"},"max_tokens":1000"#,
    r#""reasoning":{"enabled":true}"#,
    r#""reasoning":{"enabled":false}"#,
    r#""reasoning":{"max_tokens":0}"#,
    r#""reasoning":{"max_tokens":1}"#,
    r#""reasoning":{"max_tokens":400},"max_tokens":1000"#,
    r#""reasoning":{"max_tokens":20000}"#,
    r#""reasoning":{"max_tokens":400,"enabled":false}"#,
    r#""reasoning":{"exclude":true}"#,
    r#""reasoning":{"effort":"xhigh","exclude":true,"summary":"auto","context":"all_turns"}"#,
    r#""reasoning":{"mode":"pro","context":"auto"}"#,
    r#""reasoning":{"mode":"standard","summary":"detailed"}"#,
    r#""reasoning":{}"#,
    r#""reasoning_effort":"minimal""#,
    r#""reasoning_effort":"max","include_reasoning":false"#,
    r#""include_reasoning":true"#,
    r#""reasoning":{"effort":"low"},"thinking":{"type":"disabled"}"#,
    r#""reasoning":{"effort":"low"},"chat_template_kwargs":{"x":1}"#,
    r#""reasoning":{"effort":"low"},"chat_template_kwargs":{"x":1,"enable_thinking":false}"#,
    r#""reasoning":{"effort":"low"},"enable_thinking":false,"thinking_budget":5"#,
    r#""prompt_cache_key":"k","prompt_cache_options":{"mode":"explicit"},"service_tier":"flex""#,
    r#""cache_control":{"type":"ephemeral"},"safety_identifier":"s""#,
    r#""cache_control":{"type":"ephemeral","ttl":"1h"}"#,
    r#""provider":{"sort":"price"},"usage":{"include":true},"transforms":[],"plugins":[],"route":"fallback","session_id":"s","trace":{},"metadata":{},"models":["a"],"debug":{},"preset":"p""#,
    r#""x_private":1,"x_search_filter":{},"deferred_tools":true,"stop_server_tools_when":[],"max_tool_calls":2"#,
    r#""zz_vendor":{"b":1,"a":123456789012345678901234567890},"aa_vendor":[1.0]"#,
    r#""web_search_options":{},"prediction":{"type":"content","content":"x"},"structured_outputs":true,"image_config":{}"#,
];

/// Messages that dialects have opinions about.
const MESSAGES: &[&str] = &[
    r#"[{"role":"system","content":"s"},{"role":"user","content":"q"}]"#,
    r#"[{"role":"developer","content":"s"},{"role":"user","name":"ada","content":"q"}]"#,
    r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]"#,
    r#"[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]"#,
    r#"[{"role":"user","content":[{"type":"text","text":"a","prompt_cache_breakpoint":{"mode":"explicit"}}]}]"#,
    r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/jpg;base64,AAAA","detail":"low"}}]}]"#,
    r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:IMAGE/PNG;BASE64,AAAA"}}]}]"#,
    r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}]}]"#,
    r#"[{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AAAA"}},{"type":"file","file":{"file_id":"f"}}]}]"#,
    r#"[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},{"type":"video_url","video_url":{"url":"https://x.example/v.mp4"}}]}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":"a","refusal":null,"annotations":[],"reasoning":null,"tool_calls":[]},{"role":"user","content":"r"}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":null,"refusal":"no"},{"role":"user","content":"r"}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":"a","reasoning":"hm"},{"role":"user","content":"r"}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":"a","reasoning_content":"hm"},{"role":"user","content":"r"}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":"a","reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"S","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"D","id":"i","format":"openai-responses-v1","index":1}]},{"role":"user","content":"r"}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":"a","reasoning_details":[{"type":"reasoning.text","text":"hm"},{"type":"reasoning.summary","summary":"h","format":"unknown","index":7,"x_hint":{"b":1,"a":2}}]},{"role":"user","content":"r"}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":"a","reasoning":"","reasoning_details":[{"type":"reasoning.text","text":"","signature":null,"format":0,"id":7},{"type":"reasoning.encrypted"},{"type":"reasoning.other","index":3}]},{"role":"user","content":"r"}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":"a","reasoning":"another text","reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"S","index":0}]},{"role":"user","content":"r"}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"b\":1,\"a\":2}"}}]},{"role":"tool","tool_call_id":"call_1","content":"r"}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":"","tool_calls":[{"id":"D681PevKs","type":"function","function":{"name":"f","arguments":"{}"},"index":0}]},{"role":"tool","tool_call_id":"D681PevKs","content":[{"type":"text","text":"r"}]}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"id":"","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"","type":"function","function":{"name":"g","arguments":""}}]},{"role":"tool","tool_call_id":"","content":"r"},{"role":"tool","tool_call_id":"","content":"s"}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"id":"D681PevKs","type":"function","function":{"name":"f","arguments":{"a":1}}}]},{"role":"tool","tool_call_id":"D681PevKs","name":"f","content":[{"type":"text","text":"r"},{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}]}]"#,
    r#"[{"role":"user","content":"q","vendor_hint":{"b":1,"a":2}}]"#,
    r#"[{"role":"user","content":[{"type":"text","text":"q","x_hint":{"b":1.0,"a":[2]}}]}]"#,
    r#"[{"role":"user","content":[{"type":"text","text":"q"},{"type":"image_url","image_url":{"url":"https://x.example/a.png","detail":"low","x_scale":0.50},"x_region":[1,2]}]}]"#,
    r#"[{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AAAA","x_pages":"1-2"},"citations":{"enabled":true}}]}]"#,
    r#"[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav","x_rate":8000},"x":1},{"type":"video_url","video_url":{"url":"https://x.example/v.mp4","fps":2},"min_pixels":4}]}]"#,
    r#"[{"role":"system","content":[{"type":"text","text":"s","x":1}]},{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b","x":2}]}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","reasoning":"hm","content":[{"type":"text","text":"a"},{"type":"text","text":"b","x_cite":{"z":1,"a":2}}]},{"role":"user","content":"r"}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":"a","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"image_url","image_url":{"url":"data:image/png;base64,BBBB","x":1},"y":2}]},{"role":"user","content":"r"}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"id":"D681PevKs","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"D681PevKs","content":[{"type":"text","text":"r"},{"type":"text","text":"s","x":[1]}]}]"#,
    r#"[{"role":"user","id":"m1","model":"x","content":"q"}]"#,
    r#"[{"type":"message","role":"user","content":[{"type":"text","text":"q"}]},{"role":"assistant","type":"message","content":"a"},{"type":"file","role":"user","content":"r"}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":"a","annotations":[{"type":"url_citation","url_citation":{"url":"https://x.example","title":"t","start_index":0,"end_index":1}}]},{"role":"user","content":"r"}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":"a","annotations":[{"type":"file","file":{"hash":"h","name":"a.pdf","content":[{"type":"text","text":"t"}]}}]},{"role":"user","content":"r"}]"#,
    r#"[{"role":"user","content":"q"},{"role":"assistant","content":"a"},{"role":"system","content":"","configuration_update":{"reasoning":{"effort":"low"}}},{"role":"user","content":"r"}]"#,
];

#[test]
fn every_member_and_message_arrives_the_same_on_both_roads() {
    let mut differences = Differences::default();
    for member in MEMBERS {
        let body =
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"q"}}],{member}}}"#);
        compare_request(member, body.as_bytes(), &mut differences);
    }
    for messages in MESSAGES {
        let body = format!(r#"{{"model":"m","messages":{messages}}}"#);
        compare_request(messages, body.as_bytes(), &mut differences);
    }
}

// --- replies

/// The usage of a report, as the ledger would tell it.
fn settled(report: Option<UsageReport>) -> Usage {
    report.unwrap_or_default().resolve(&Usage::default()).0
}

/// What the vocabulary knows of a reply, without what says nothing. Members
/// that it does not know are copied by one road and dropped by the other.
fn canonical_reply(reply: &[u8]) -> Value {
    let mut reply = json::parse(reply).unwrap();
    let keep = |value: &mut Value, names: &[&str]| {
        if let Value::Object(members) = value {
            members.retain(|name, value| {
                let says_nothing =
                    value.is_null() || value.as_array().is_some_and(|items| items.is_empty());
                names.contains(&name.as_str()) && !says_nothing
            });
        }
    };
    keep(
        &mut reply,
        &[
            "id",
            "object",
            "created",
            "model",
            "provider",
            "service_tier",
            "system_fingerprint",
            "choices",
            "usage",
            "openrouter_metadata",
        ],
    );
    for choice in items(reply.get_mut("choices")) {
        keep(
            choice,
            &[
                "index",
                "message",
                "finish_reason",
                "native_finish_reason",
                "logprobs",
            ],
        );
        let Some(message) = choice.get_mut("message") else {
            continue;
        };
        keep(
            message,
            &[
                "role",
                "content",
                "refusal",
                "reasoning",
                "reasoning_details",
                "tool_calls",
                "images",
                "annotations",
                "audio",
            ],
        );
        // An empty text says nothing either.
        if message["content"] == ""
            && let Value::Object(message) = message
        {
            message.remove("content");
        }
        for list in ["tool_calls", "images"] {
            for item in items(message.get_mut(list)) {
                if let Value::Object(item) = item {
                    item.remove("index");
                }
            }
        }
    }
    reply
}

#[test]
fn every_reply_comes_back_the_same_on_both_roads() {
    let mut differences = Differences::default();
    let cases = fixtures("openai-chat.reply.json").into_iter();
    let own = REPLIES
        .iter()
        .map(|message| ((*message).to_owned(), whole(message)));
    for (case, body) in cases.chain(own) {
        let spliced = splice_reply(&body, &STAMP, false);
        let read = codec(Format::OpenAiChat).read_reply(&body);
        let (parts, mut reply) = match (spliced, read) {
            (Ok(parts), Ok(reply)) => (parts, reply),
            (Err(bytes), Err(words)) => {
                differences.compare(&case, &bytes.kind, &words.kind);
                continue;
            }
            (bytes, words) => {
                differences.compare(&case, &bytes.is_ok(), &words.is_ok());
                continue;
            }
        };
        let usage = settled(parts.usage);
        differences.compare(&format!("{case}: usage"), &usage, &settled(reply.usage));
        reply.settled = Some((usage, BILL));
        differences.compare(
            &case,
            &canonical_reply(&parts.render(&usage, &BILL)),
            &canonical_reply(&codec(Format::OpenAiChat).write_reply(&reply, &STAMP)),
        );
    }
}

/// Messages and ways to end of whole replies, as vendors send them.
const REPLIES: &[&str] = &[
    r#""message":{"role":"assistant","content":"hi"},"finish_reason":"eos""#,
    r#""message":{"content":"hi","refusal":null,"annotations":[]},"finish_reason":"stop""#,
    r#""message":{"role":"assistant","content":[{"type":"text","text":"Hi "},{"type":"text","text":"there"}]},"finish_reason":"stop""#,
    r#""message":{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"Hi"}]},"finish_reason":"stop""#,
    r#""message":{"role":"assistant","content":[]},"finish_reason":"stop""#,
    r#""message":{"role":"assistant","content":null,"reasoning_content":"hm"},"finish_reason":"length""#,
    r#""message":{"role":"assistant","content":"a","reasoning":"hm","reasoning_content":"hm"},"finish_reason":"stop""#,
    r#""message":{"role":"assistant","content":"a","reasoning":"","reasoning_content":"hm"},"finish_reason":"stop""#,
    r#""message":{"role":"assistant","content":"a","reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"S","format":"anthropic-claude-v1","index":0}]},"finish_reason":"stop""#,
    r#""message":{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop""#,
    r#""message":{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\""}}]},"finish_reason":"length""#,
    r#""message":{"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":{"b":1.0,"a":2}}}]},"finish_reason":"tool_calls""#,
    r#""message":{"role":"assistant","content":null,"tool_calls":[{"type":"function","function":{"name":"f","arguments":"{}"}},{"id":"","function":{"name":"g","arguments":null}}]},"finish_reason":"tool_calls""#,
    r#""message":{"role":"assistant","content":null,"tool_calls":[{"id":"x","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"x","type":"function","function":{"name":"g","arguments":"{}"}},{"id":"x","type":"function","function":{"name":"h","arguments":"{}"}}]},"finish_reason":"tool_calls""#,
    r#""message":{"role":"assistant","content":"a","tool_calls":[]},"finish_reason":"stop""#,
    r#""message":{"role":"assistant","content":"a"},"finish_reason":null"#,
    r#""message":{"role":"assistant","content":"a"},"finish_reason":"something_new","native_finish_reason":"SOMETHING""#,
    r#""message":{"role":"assistant","content":"a","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},"finish_reason":"stop""#,
];

fn whole(choice: &str) -> Vec<u8> {
    format!(
        r#"{{"id":"r1","object":"chat.completion","created":1,"model":"up","choices":[{{"index":0,{choice}}}],"usage":{{"prompt_tokens":10.0,"completion_tokens":30,"total_tokens":40,"reasoning_tokens":20,"cached_tokens":4}}}}"#
    )
    .into_bytes()
}

// --- streams

/// What a client makes of a stream, put together as OpenAI's SDKs do it.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    choices: BTreeMap<u64, Choice>,
    done: bool,
    failure: Option<FailureKind>,
    usage: Usage,
}

#[derive(Debug, Default, PartialEq)]
struct Choice {
    content: String,
    refusal: String,
    reasoning: String,
    pieces: BTreeMap<u64, BTreeMap<String, String>>,
    calls: BTreeMap<u64, [String; 3]>,
    images: Vec<Value>,
    others: Vec<Value>,
    finishes: Vec<(String, String)>,
}

impl Heard {
    fn read(stream: &[u8]) -> Self {
        let mut heard = Self::default();
        for line in String::from_utf8(stream.to_vec()).unwrap().lines() {
            let Some(data) = line.strip_prefix("data: ") else {
                continue;
            };
            if data == "[DONE]" {
                heard.done = true;
                continue;
            }
            let chunk = json::parse(data.as_bytes()).unwrap();
            assert_eq!(chunk["object"], "chat.completion.chunk", "{data}");
            for item in chunk["choices"].as_array().expect(data) {
                let index = item["index"].as_u64().expect(data);
                heard.choices.entry(index).or_default().read(item);
            }
        }
        // A choice that said nothing and did not end is none.
        heard
            .choices
            .retain(|_, choice| *choice != Choice::default());
        heard
    }
}

fn append(to: &mut String, value: &Value) {
    to.push_str(value.as_str().unwrap_or_default());
}

impl Choice {
    fn read(&mut self, item: &Value) {
        let delta = &item["delta"];
        if !delta["content"].is_null() && !delta["content"].is_string() {
            self.others.push(delta["content"].clone());
        }
        append(&mut self.content, &delta["content"]);
        append(&mut self.refusal, &delta["refusal"]);
        append(&mut self.reasoning, &delta["reasoning"]);
        for detail in delta["reasoning_details"].as_array().into_iter().flatten() {
            let piece = self
                .pieces
                .entry(detail["index"].as_u64().unwrap_or(0))
                .or_default();
            for (name, value) in detail.as_object().unwrap() {
                let Some(text) = value.as_str() else { continue };
                let slot = piece.entry(name.clone()).or_default();
                match name.as_str() {
                    "text" | "summary" | "data" => slot.push_str(text),
                    _ => text.clone_into(slot),
                }
            }
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            // Without a number a client cannot tell what it belongs to.
            let index = call["index"].as_u64().unwrap_or(u64::MAX);
            let slot = self.calls.entry(index).or_default();
            if let Some(id) = call["id"].as_str().filter(|id| !id.is_empty()) {
                id.clone_into(&mut slot[0]);
            }
            append(&mut slot[1], &call["function"]["name"]);
            append(&mut slot[2], &call["function"]["arguments"]);
        }
        for image in delta["images"].as_array().into_iter().flatten() {
            self.images.push(image["image_url"]["url"].clone());
        }
        for name in ["audio", "annotations"] {
            if delta[name].is_object() || delta[name].as_array().is_some_and(|a| !a.is_empty()) {
                self.others.push(delta[name].clone());
            }
        }
        if let Some(reason) = item["finish_reason"].as_str() {
            let native = item["native_finish_reason"].as_str().unwrap_or_default();
            self.finishes.push((reason.to_owned(), native.to_owned()));
        }
    }
}

fn by_bytes<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Heard {
    let mut relay = StreamRelay::new(&STAMP, false);
    let mut out = Vec::new();
    let mut fed = pieces
        .into_iter()
        .try_for_each(|piece| relay.feed(piece, &mut out));
    if fed.is_ok() {
        fed = relay.end(&mut out);
    }
    let usage = settled(relay.usage().copied());
    if fed.is_ok() {
        relay.settle(&usage, &BILL, &mut out);
    }
    Heard {
        failure: fed.err().map(|failure| failure.kind),
        usage,
        ..Heard::read(&out)
    }
}

fn by_words<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Heard {
    let codec = codec(Format::OpenAiChat);
    let mut reader = codec.stream_reader();
    let mut writer = codec.stream_writer(&STAMP);
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    let mut failure = pieces
        .into_iter()
        .try_for_each(|piece| decoder.feed(piece, |frame| reader.frame(&frame, &mut events)))
        .and_then(|()| reader.end(&mut events))
        .err();
    let mut out = Vec::new();
    let mut report = UsageReport::default();
    for event in &events {
        match event {
            Event::Usage(later) => report.merge(later),
            Event::Error(error) => failure = Some((**error).clone()),
            Event::Done => writer.event(&Event::Settled(settled(Some(report)), BILL), &mut out),
            _ => {}
        }
        if !matches!(event, Event::Error(_)) {
            writer.event(event, &mut out);
        }
    }
    Heard {
        failure: failure.map(|failure| failure.kind),
        usage: settled(Some(report)),
        ..Heard::read(&out)
    }
}

/// Streams of vendors, as the insides of the choices of their chunks.
const STREAMS: &[&[&str]] = &[
    &[
        r#""delta":{"content":"x","reasoning":"a"}"#,
        r#""delta":{"content":"y","reasoning":"b"}"#,
        r#""delta":{"content":"z","reasoning":"c"}"#,
        r#""delta":{},"finish_reason":"stop""#,
    ],
    &[
        r#""delta":{"role":"assistant","content":""}"#,
        r#""delta":{"content":"Hi"}"#,
        r#""delta":{},"finish_reason":"stop""#,
    ],
    &[
        r#""delta":{"content":"Hel"},"finish_reason":"stop""#,
        r#""delta":{"content":"lo"},"finish_reason":"stop""#,
    ],
    &[
        r#""delta":{"role":"","content":"Hi"},"finish_reason":"""#,
        r#""delta":null,"finish_reason":"eos""#,
    ],
    &[
        r#""delta":{"reasoning_content":"a"}"#,
        r#""delta":{"reasoning_content":"b"}"#,
        r#""delta":{"content":"x"}"#,
        r#""delta":{"reasoning_content":"c"}"#,
        r#""delta":{"content":"y"},"finish_reason":"length""#,
    ],
    &[
        r#""delta":{"reasoning":"a","reasoning_content":"a"}"#,
        r#""delta":{"content":"Hi"}"#,
        r#""delta":{},"finish_reason":"stop""#,
    ],
    &[
        r#""delta":{"reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","index":0}]}"#,
        r#""delta":{"reasoning_details":[{"type":"reasoning.text","signature":"S","format":"anthropic-claude-v1","index":0}]}"#,
        r#""delta":{"content":"Hi"}"#,
        r#""delta":{},"finish_reason":"stop""#,
    ],
    &[
        r#""delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hmm"}]}]}"#,
        r#""delta":{"content":[{"type":"text","text":"Hi"}]}"#,
        r#""delta":{"content":" there"},"finish_reason":"stop""#,
    ],
    &[
        r#""delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]}"#,
        r#""delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}"#,
        r#""delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#,
        r#""delta":{},"finish_reason":"stop""#,
    ],
    &[
        r#""delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":"{\"a\":1}"}}]}"#,
        r#""delta":{"tool_calls":[{"index":0,"id":"c2","function":{"name":"f","arguments":"{\"a\":"}}]}"#,
        r#""delta":{"tool_calls":[{"index":0,"function":{"arguments":"2}"}}]}"#,
        r#""delta":{"tool_calls":[{"index":0,"id":"c3","function":{"name":"g","arguments":"{}"}}]}"#,
        r#""delta":{},"finish_reason":"tool_calls""#,
    ],
    &[
        r#""delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":"{}"}},{"index":0,"id":"c2","function":{"name":"g","arguments":"{}"}}]},"finish_reason":"tool_calls""#,
    ],
    &[
        r#""delta":{"tool_calls":[{"id":"c1","function":{"name":"f","arguments":"{"}}]}"#,
        r#""delta":{"tool_calls":[{"function":{"arguments":"}"}}]}"#,
        r#""delta":{"tool_calls":[{"id":"c2","function":{"name":"g","arguments":{"b":1,"a":2.0}}}]}"#,
        r#""delta":{},"finish_reason":"stop""#,
    ],
    &[
        r#""delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}]}"#,
        r#""delta":{"tool_calls":[{"index":1,"function":{"name":"g","arguments":"{}"}}]}"#,
        r#""delta":{},"finish_reason":"tool_calls""#,
    ],
    &[
        r#""delta":{"tool_calls":[{"index":1,"id":"c1","function":{"name":"f","arguments":"{}"}}]}"#,
        r#""delta":{"tool_calls":[{"index":2,"id":"c1","function":{"name":"g","arguments":"{}"}}]}"#,
        r#""delta":{},"finish_reason":"tool_calls""#,
    ],
    &[
        r#""delta":{"refusal":"no"}"#,
        r#""delta":{"refusal":"!"},"finish_reason":"content_filter","native_finish_reason":"SAFETY""#,
    ],
];

fn stream(bits: &[&str]) -> Vec<u8> {
    let mut text = String::new();
    for (number, bit) in bits.iter().enumerate() {
        text.push_str(&format!(
            "data: {{\"id\":\"r1\",\"object\":\"chat.completion.chunk\",\"created\":{number}.5,\"model\":\"up\",\"choices\":[{{\"index\":0,{bit}}}]}}\n\n"
        ));
    }
    text.push_str("data: {\"choices\":null,\"usage\":{\"prompt_tokens\":3.0,\"completion_tokens\":2,\"total_tokens\":9,\"completion_tokens_details\":{\"reasoning_tokens\":4}}}\n\ndata: [DONE]\n\n");
    text.into_bytes()
}

#[test]
fn every_stream_comes_back_the_same_on_both_roads_however_it_is_cut() {
    let mut differences = Differences::default();
    let cases = fixtures("openai-chat.stream.txt").into_iter();
    let own = STREAMS.iter().map(|bits| (bits.join(" / "), stream(bits)));
    for (case, bytes) in cases.chain(own) {
        for cut in [usize::MAX, 64, 7, 1] {
            let pieces = || bytes.chunks(cut.min(bytes.len().max(1)));
            differences.compare(
                &format!("{case}, cut every {cut}"),
                &by_bytes(pieces()),
                &by_words(pieces()),
            );
        }
    }
}
