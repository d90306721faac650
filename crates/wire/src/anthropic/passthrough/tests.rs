//! What is passed on, byte for byte but for what differs, and what is refused.

use bourse_vocab::chat::Efforts;
use bourse_vocab::{Bill, Failure, Nanos, ServiceTier, TierWish, Usage};
use bytes::Bytes;

use super::*;
use crate::codec::{Stamp, WriteTarget};
use crate::dialect::{Dialect, TierWords};
use crate::json::scan;
use crate::sse::Decoder;

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1",
    model: "acme/model",
    provider: "Acme",
    created: 1,
    metadata: Some("{\"attempt\":1}"),
};

fn envelope(body: &str) -> Result<(Envelope, Vec<Bytes>), Failure> {
    let segments: Vec<Bytes> = body
        .as_bytes()
        .chunks(7)
        .map(Bytes::copy_from_slice)
        .collect();
    let envelope = Envelope::read(scan(body.as_bytes()).unwrap(), &segments)?;
    Ok((envelope, segments))
}

/// A request with these members beside the usual ones.
fn with(members: &str) -> String {
    format!(
        r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"a"}}],{members}}}"#
    )
}

fn refusal(body: &str) -> String {
    match envelope(body) {
        Ok(_) => format!("not refused: {body}"),
        Err(failure) => failure.message.into_owned(),
    }
}

fn spliced(body: &str, target: &WriteTarget<'_>, user: Option<&str>) -> (String, Vec<String>) {
    let (mut envelope, segments) = envelope(body).unwrap();
    envelope.told_user = user.map(str::to_owned);
    let (pieces, losses) = splice_request(&envelope, &segments, target);
    let lost = losses.into_iter().map(|loss| loss.field).collect();
    (String::from_utf8(pieces.concat()).unwrap(), lost)
}

fn target(dialect: &Dialect) -> WriteTarget<'_> {
    WriteTarget {
        model: "vendor",
        max_output: Some(500),
        limit: None,
        efforts: Efforts::default(),
        tier: TierWish::None,
        dialect,
    }
}

const OWN: Dialect = Dialect {
    tiers: TierWords::ANTHROPIC,
    ..Dialect::PLAIN
};

#[test]
fn a_request_passes_but_for_what_is_the_gateways_and_what_is_on_no_list() {
    let body = r#"{ "model": "acme/m", "max_tokens": 1000, "provider": {"only": ["acme"]},
 "system": [{"type":"text","text":"long","cache_control":{"type":"ephemeral","ttl":"1h"}}],
 "messages": [{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":"c2ln"},
 {"type":"from_tomorrow","value":[1.50, 1e400]}]}],
 "session_id": "s", "fallbacks": [{"model":"other"}], "trace": {"a":1}, "user": "u",
 "metadata": {"user_id": "alice"}, "service_tier": "auto", "speed": "standard", "container": null,
 "tomorrow": {"z": 1}, "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}, "top_k": 5 }"#;
    let (out, lost) = spliced(body, &target(&OWN), Some("user-1"));
    let expected = r#"{ "model": "vendor", "max_tokens": 1000,
 "system": [{"type":"text","text":"long","cache_control":{"type":"ephemeral","ttl":"1h"}}],
 "messages": [{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":"c2ln"},
 {"type":"from_tomorrow","value":[1.50, 1e400]}]}],
 "metadata": {"user_id":"user-1"}, "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}, "top_k": 5 }"#;
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(plain(&out), plain(expected));
    assert_eq!(lost, ["tomorrow"]);
}

/// Claude on Vertex AI (platform.claude.com, Claude on Vertex AI, 2026).
#[test]
fn a_model_that_stands_in_the_address_does_not_stand_in_the_body() {
    const ELSEWHERE: Dialect = Dialect {
        instead_of_model: Some(("anthropic_version", "vertex-2023-10-16")),
        ..OWN
    };
    let (out, _) = spliced(&with(r#""top_k":1"#), &target(&ELSEWHERE), None);
    let out: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(out.get("model"), None);
    assert_eq!(out["anthropic_version"], "vertex-2023-10-16");
    assert_eq!((&out["top_k"], &out["max_tokens"]), (&1.into(), &9.into()));
}

#[test]
fn a_tier_is_told_in_the_targets_words_and_a_limit_is_always_told() {
    let priority = WriteTarget {
        tier: TierWish::Standard,
        ..target(&OWN)
    };
    let (out, _) = spliced(&with(r#""service_tier":"auto""#), &priority, None);
    assert!(
        out.contains(r#""service_tier": "standard_only""#)
            || out.contains(r#""service_tier":"standard_only""#),
        "{out}"
    );
    let unsold = WriteTarget {
        tier: TierWish::Tier(ServiceTier::Priority),
        ..target(&OWN)
    };
    let (out, _) = spliced(&with(r#""service_tier":"priority""#), &unsold, None);
    assert!(!out.contains("service_tier"), "{out}");

    let unlimited = r#"{"model":"m","messages":[{"role":"user","content":"a"}]}"#;
    for (limit, max_output, expected) in [
        (Some(30), Some(500), 30),
        (None, Some(500), 500),
        (None, None, 4096),
    ] {
        let target = WriteTarget {
            limit,
            max_output,
            ..target(&OWN)
        };
        let (out, _) = spliced(unlimited, &target, None);
        assert!(out.contains(&format!("\"max_tokens\":{expected}")), "{out}");
        // What the caller asked for is never changed.
        let (out, _) = spliced(&with(r#""top_k":1"#), &target, None);
        assert!(out.contains("\"max_tokens\":9"), "{out}");
    }
}

#[test]
fn what_costs_money_unseen_is_refused_with_the_members_path() {
    for (members, path) in [
        (r#""speed":"fast""#, "speed: "),
        (r#""inference_geo":"us""#, "inference_geo: "),
        (r#""container":"c_1""#, "container: "),
        (r#""container":{"skills":[]}"#, "container: "),
        (
            r#""mcp_servers":[{"url":"https://x.example"}]"#,
            "mcp_servers: ",
        ),
        (r#""thread":{"id":"t"}"#, "thread: "),
        (r#""deferred_tools":{"version":1}"#, "deferred_tools: "),
        (r#""compaction":{"type":"enabled"}"#, "compaction: "),
        (
            r#""billing_policy":{"type":"billing_policy","bill_to":"user_profile"}"#,
            "billing_policy: ",
        ),
        (r#""safeguards":[{"type":"a"}]"#, "safeguards: "),
        (r#""best_of":2"#, "best_of: "),
        (r#""api_base":"https://x.example""#, "api_base: "),
        (
            r#""tools":[{"name":"a","input_schema":{}},{"type":"web_search_20250305","name":"web_search"}]"#,
            "tools.1.type: ",
        ),
        (
            r#""tools":[{"type":"code_execution_20260120","name":"c"}]"#,
            "tools.0.type: ",
        ),
        (
            r#""tools":[{"type":"advisor_20260301","name":"advisor","model":"dear"}]"#,
            "tools.0.type: ",
        ),
        (r#""tools":[{"type":"mcp_toolset"}]"#, "tools.0.type: "),
        (
            r#""tools":[{"type":"tool_search_tool_regex_20251119","name":"t"}]"#,
            "tools.0.type: ",
        ),
        (
            r#""tools":[{"type":"openrouter:web_search"}]"#,
            "tools.0.type: ",
        ),
        (
            r#""tools":[{"type":"custom","Type":"web_search_20250305","name":"w"}]"#,
            "tools.0.type: ",
        ),
        (
            r#""tools":[{"t\u0079pe":"web_search_20250305","name":"w"}]"#,
            "tools.0.type: ",
        ),
        (
            r#""tools":[{"type":["web_search_20250305"],"name":"w"}]"#,
            "tools.0.type: ",
        ),
        (r#""tools":["web_search"]"#, "tools.0: "),
        (
            r#""context_management":{"edits":[{"type":"clear_thinking_20251015"},{"type":"compact_20260112"}]}"#,
            "context_management.edits.1.type: ",
        ),
        (
            r#""context_management":{"edits":[{"type":"clear_thinking_20251015","TYPE":"compact_20260112"}]}"#,
            "context_management.edits.0.type: ",
        ),
        (
            r#""context_management":{"Edits":[{"type":"compact_20260112"}]}"#,
            "context_management: ",
        ),
    ] {
        let refused = refusal(&with(members));
        assert!(refused.starts_with(path), "{members}: {refused}");
    }
    for members in [
        r#""speed":"standard""#,
        r#""inference_geo":"global""#,
        r#""container":null,"mcp_servers":[],"thread":null"#,
        r#""tools":[{"name":"a","input_schema":{"type":"object"}},{"type":"custom","name":"b"},{"type":"bash_20250124","name":"bash"},{"type":"text_editor_20250728","name":"e"},{"type":"memory_20250818","name":"m"},{"type":"computer_20251124","name":"c"},{"type":null,"name":"d"}]"#,
        r#""context_management":{"edits":[{"type":"clear_tool_uses_20250919","keep":{"type":"tool_uses","value":3}}]}"#,
        r#""unknown_to_us":{"a":1}"#,
    ] {
        assert!(envelope(&with(members)).is_ok(), "{members}");
    }
}

#[test]
fn a_member_that_a_lenient_parser_takes_for_another_is_refused() {
    for name in [
        "Max_Tokens",
        "maxTokens",
        "service-tier",
        "Speed",
        "mcpServers",
        "MODEL",
        "Best_Of",
    ] {
        let refused = refusal(&with(&format!("\"{name}\":1")));
        assert!(
            refused.contains("spelled almost like `"),
            "{name}: {refused}"
        );
    }
}

#[test]
fn a_member_of_another_sort_is_refused_by_its_path() {
    for (body, path) in [
        (r#"{"model":"m","max_tokens":9}"#.to_owned(), "messages: "),
        (r#"{"model":"m","messages":[]}"#.to_owned(), "messages: "),
        (r#"{"model":"m","messages":"a"}"#.to_owned(), "messages: "),
        (with(r#""system":7"#), "system: "),
        (with(r#""stream":"yes""#), "stream: "),
        (with(r#""temperature":"warm""#), "temperature: "),
        (with(r#""temperature":3"#), "temperature: "),
        (with(r#""top_p":-1"#), "top_p: "),
        (with(r#""top_k":1.5"#), "top_k: "),
        (with(r#""stop_sequences":"END""#), "stop_sequences: "),
        (with(r#""stop_sequences":[1]"#), "stop_sequences: "),
        (with(r#""tools":{}"#), "tools: "),
        (with(r#""tool_choice":"auto""#), "tool_choice: "),
        (
            with(r#""tool_choice":{"type":"some"}"#),
            "tool_choice.type: ",
        ),
        (
            with(r#""tool_choice":{"type":"tool"}"#),
            "tool_choice.name: ",
        ),
        (
            with(r#""thinking":{"type":"enabled"}"#),
            "thinking.budget_tokens: ",
        ),
        (with(r#""thinking":{"type":"hard"}"#), "thinking.type: "),
        (with(r#""metadata":"alice""#), "metadata: "),
        (with(r#""metadata":{"user_id":7}"#), "metadata.user_id: "),
        (with(r#""models":"m""#), "models: "),
        (
            with(r#""fallbacks":[{"model":"a","max_tokens":1}]"#),
            "fallbacks: ",
        ),
        (
            with(r#""fallbacks":[{"model":"a"}],"models":["b"]"#),
            "fallbacks: ",
        ),
        (with(r#""provider":"acme""#), "provider: "),
        (
            r#"{"model":"m","max_tokens":0,"messages":[1]}"#.to_owned(),
            "max_tokens: ",
        ),
        (
            r#"{"model":"m","max_tokens":-1,"messages":[1]}"#.to_owned(),
            "max_tokens: ",
        ),
        (r#"{"model":7,"messages":[1]}"#.to_owned(), "model: "),
    ] {
        let refused = refusal(&body);
        assert!(refused.starts_with(path), "{body}: {refused}");
    }
}

#[test]
fn what_the_call_must_know_is_read() {
    let (read, segments) = envelope(&with(
        r#""stream":true,"thinking":{"type":"enabled","budget_tokens":2000},"fallbacks":[{"model":"a"},{"model":"b"}],
        "metadata":{"user_id":"alice","team":"blue"},"output_config":{"format":{"type":"json_schema","schema":{}}},
        "tools":[{"name":"a","cache_control":{"type":"ephemeral"}}],"session_id":null"#,
    ))
    .unwrap();
    assert_eq!(read.model.as_deref(), Some("m"));
    assert_eq!(read.models, ["a", "b"]);
    assert!(read.stream && read.asks_for_schema(&segments) && !read.has("session_id"));
    assert_eq!(read.max_tokens, Some(9));
    assert_eq!(read.reasoning.as_ref().unwrap().max_tokens, Some(2000));
    assert_eq!(read.user.as_deref(), Some("alice"));
    assert!(read.other_metadata(&segments).is_some());
    assert_eq!((read.facts.tools, read.facts.cache_marks), (1, 1));
}

#[test]
fn a_conversation_is_told_by_how_it_begins() {
    let opener = |system: &str, messages: &str| {
        let (read, segments) = envelope(&format!(
            r#"{{"model":"m","system":{system},"messages":[{messages}]}}"#
        ))
        .unwrap();
        read.opener(&segments).unwrap()
    };
    let first = r#"{"role":"user","content":"Hello"}"#;
    let later = r#"{"role":"assistant","content":"Hi"}"#;
    let begun = opener("\"You help.\"", first);
    assert_eq!(opener("\"You help.\"", &format!("{first},{later}")), begun);
    let marked = r#"[{"type":"text","text":"You help.","cache_control":{"type":"ephemeral"}}]"#;
    assert_eq!(opener(marked, first), begun);
    assert_ne!(opener("\"You hurt.\"", first), begun);
    assert_ne!(opener("\"You help.\"", later), begun);
}

fn bill() -> Bill {
    Bill {
        total: Nanos(1_500),
        ..Bill::default()
    }
}

#[test]
fn a_whole_reply_carries_its_call_and_its_price_and_keeps_the_rest() {
    let body = r#"{"id":"msg_1", "type":"message","model":"claude","content":[{"type":"text","text":"4","tomorrow":1.50}],
 "usage":{"input_tokens":7,"iterations":[{"x":1.0}],"output_tokens":3},"container":null}"#;
    let edits = splice_reply(&Bytes::from(body), &STAMP).unwrap();
    let out = String::from_utf8(edits.render(&Usage::default(), &bill())).unwrap();
    let out = out.split_whitespace().collect::<String>();
    assert!(out.starts_with(r#"{"id":"gen-1","type":"message","model":"acme/model","content":[{"type":"text","text":"4","tomorrow":1.50}],"usage":{"input_tokens":7,"iterations":[{"x":1.0}],"output_tokens":3,"cost":0.0000015,"cost_details":{"#), "{out}");
    assert!(
        out.ends_with(r#""container":null,"provider":"Acme","openrouter_metadata":{"attempt":1}}"#),
        "{out}"
    );

    let silent = splice_reply(&Bytes::from(r#"{"content":[]}"#), &STAMP).unwrap();
    let usage = Usage {
        prompt: 5,
        ..Usage::default()
    };
    let out = String::from_utf8(silent.render(&usage, &bill())).unwrap();
    assert!(
        out.contains(r#""input_tokens":5"#) && out.contains(r#""cost":0.0000015"#),
        "{out}"
    );
    for broken in ["", "[]", "{", r#"{"id":1,"id":2}"#] {
        assert!(
            splice_reply(&Bytes::from(broken), &STAMP).is_err(),
            "{broken}"
        );
    }
}

/// What a client sees of a stream.
#[test]
fn a_type_that_no_event_has_is_not_told_as_its_name() {
    let long = "x".repeat(1_000);
    let data = format!("{{\"type\":\"{long}\"}}");
    assert_eq!(
        passed(&format!("data: {data}\n\n"), false),
        format!("data: {data}\n\n")
    );
    let named = format!("event: other\ndata: {data}\n\n");
    assert_eq!(passed(&named, false), named);
}

fn passed(stream: &str, is_settled: bool) -> String {
    let mut edits = StreamEdits::new(&STAMP);
    let mut decoder = Decoder::new();
    let mut out = Vec::new();
    decoder
        .feed(&Bytes::copy_from_slice(stream.as_bytes()), |frame| {
            edits.frame(&frame, &mut out);
            Ok::<(), Failure>(())
        })
        .unwrap();
    if is_settled {
        edits.settle(&Usage::default(), &bill(), &mut out);
    }
    String::from_utf8(out).unwrap()
}

const STREAM: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","model":"claude","content":[],"tomorrow":1.50,"usage":{"input_tokens":7}}}

event: ping
data: {"type": "ping"}

data: {"type":"content_block_start","index":0,"content_block":{"type":"later","a":1.0}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3,"tomorrow":2.50},"later":[]}

event: message_stop
data: {"type":"message_stop"}

"#;

#[test]
fn a_stream_says_at_its_beginning_whose_it_is_and_at_its_end_what_it_cost() {
    let out = passed(STREAM, true);
    let head = r#"event: message_start
data: {"type":"message_start","message":{"id":"gen-1","model":"acme/model","content":[],"tomorrow":1.50,"usage":{"input_tokens":7},"provider":"Acme"}}

event: ping
data: {"type": "ping"}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"later","a":1.0}}

"#;
    assert!(out.starts_with(head), "{out}");
    let end = r#"event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3,"tomorrow":2.50,"cost":0.0000015,"cost_details":{"upstream_inference_cost":0,"upstream_inference_prompt_cost":0,"upstream_inference_completions_cost":0}},"later":[],"openrouter_metadata":{"attempt":1}}

event: message_stop
data: {"type":"message_stop"}

"#;
    assert!(out.ends_with(end), "{out}");
    let unsettled = passed(STREAM, false);
    assert!(!unsettled.contains("message_delta") && !unsettled.contains("message_stop"));
}

#[test]
fn what_was_held_back_and_is_not_the_last_goes_on_as_it_was() {
    let delta = r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":1}}"#;
    let block = r#"{"type":"content_block_stop","index":0}"#;
    let stream = format!("data: {delta}\n\ndata: {block}\n\ndata: {delta}\n\ndata: {delta}\n\n");
    let out = passed(&stream, false);
    let told = format!("event: message_delta\ndata: {delta}\n\n");
    assert_eq!(
        out,
        format!("{told}event: content_block_stop\ndata: {block}\n\n{told}")
    );
}

/// The files of one name in every case of the fixtures, with their cases.
fn fixtures(name: &str) -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/chat");
    let cases = std::fs::read_dir(folder).unwrap();
    let found = cases.filter_map(|case| {
        let case = case.unwrap().path();
        let text = std::fs::read_to_string(case.join(name)).ok()?;
        Some((case.file_name()?.to_str()?.to_owned(), text))
    });
    found.collect()
}

#[test]
fn the_conversation_of_every_case_passes_byte_for_byte_or_the_request_is_refused() {
    let mut refused = Vec::new();
    let mut passed = 0;
    for (case, body) in fixtures("anthropic.request.json") {
        let Ok((envelope, segments)) = envelope(&body) else {
            refused.push(case);
            continue;
        };
        passed += 1;
        let (pieces, _) = splice_request(&envelope, &segments, &target(&OWN));
        let out = pieces.concat();
        let sent = scan(&out).unwrap();
        let asked = scan(body.as_bytes()).unwrap();
        for name in ["messages", "system", "tools", "tool_choice", "thinking"] {
            let value = |outline: &crate::json::Outline, text: &[u8]| {
                let member = outline.get(name)?;
                Some(text[member.value.clone()].to_vec())
            };
            assert_eq!(
                value(&sent, &out),
                value(&asked, body.as_bytes()),
                "{case}: {name}"
            );
        }
    }
    refused.sort();
    // The latter offers a search.
    assert_eq!(refused, ["message-threads", "tools"]);
    assert!(passed > 10, "{passed}");
}

#[test]
fn every_event_of_every_case_passes_but_for_what_the_call_adds() {
    let mut events = 0;
    for (case, stream) in fixtures("anthropic.stream.txt") {
        let read = |stream: &str| {
            let mut all = Vec::new();
            let mut decoder = Decoder::new();
            decoder
                .feed(&Bytes::copy_from_slice(stream.as_bytes()), |frame| {
                    let event = serde_json::from_slice::<serde_json::Value>(frame.data);
                    all.extend(event);
                    Ok::<(), Failure>(())
                })
                .unwrap();
            all
        };
        // What cannot be read never comes here.
        let before: Vec<_> = read(&stream)
            .into_iter()
            .filter(|event| event["type"] != "error")
            .collect();
        let stream: String = before
            .iter()
            .map(|event| format!("data: {event}\n\n"))
            .collect();
        let mut after = read(&passed(&stream, true));
        for event in &mut after {
            for path in ["/message", "/usage", ""] {
                if let Some(serde_json::Value::Object(of)) = event.pointer_mut(path) {
                    for added in ["provider", "cost", "cost_details", "openrouter_metadata"] {
                        of.remove(added);
                    }
                }
            }
        }
        let plain = |events: &[serde_json::Value]| -> Vec<serde_json::Value> {
            let events = events
                .iter()
                .filter(|event| event["type"] != "message_stop")
                .cloned();
            let same = events.map(|mut event| {
                if let Some(serde_json::Value::Object(message)) = event.get_mut("message") {
                    message.remove("id");
                    message.remove("model");
                }
                event
            });
            same.collect()
        };
        assert_eq!(plain(&after), plain(&before), "{case}");
        events += before.len();
    }
    assert!(events > 80, "{events}");
}

#[test]
fn thoughts_of_others_are_seen_in_the_conversation() {
    let asked = |signature: &str| {
        format!(
            r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"q"}},
            {{"role":"assistant","content":[{{"type":"thinking","thinking":"hm","signature":"{signature}"}}]}}]}}"#
        )
    };
    for (signature, is_foreign) in [
        ("EqQB", false),
        ("bourse:unknown:0:", true),
        ("bourse:openai-responses-v1:0:gAAA", true),
    ] {
        let (envelope, _) = envelope(&asked(signature)).unwrap();
        assert_eq!(envelope.has_foreign_thoughts, is_foreign, "{signature}");
    }
}
