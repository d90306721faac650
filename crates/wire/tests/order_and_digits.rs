//! What a model or a client wrote keeps its order and its digits on the way
//! through the vocabulary: from every format into every format, in requests,
//! replies and streams.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bourse_vocab::chat::Event;
use bourse_vocab::{Bill, Format, Nanos, Usage};
use bourse_wire::laws;
use bourse_wire::{Codec, Dialect, Stamp, WriteTarget, codec};

/// Members out of the alphabet, and numbers that no float survives.
const ODD: &str = r#"{"zebra":123456789012345678901234567890,"apple":1e400,"mango":{"y":-0,"x":10.0},"bee":[1.10,2512292042121000001]}"#;

/// Properties out of the alphabet, with a limit that no float survives.
const SCHEMA: &str = r#"{"type":"object","properties":{"reasoning":{"type":"string"},"answer":{"type":"string"},"confidence":{"type":"number","maximum":123456789012345678901234567890}},"required":["reasoning"],"additionalProperties":false}"#;
const PROPERTIES: &str = r#"{"reasoning":{"type":"string"},"answer":{"type":"string"},"confidence":{"type":"number","maximum":123456789012345678901234567890}}"#;

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1",
    model: "acme/m",
    provider: "Acme",
    created: 1,
    metadata: None,
};

const BILL: Bill = Bill {
    total: Nanos(0),
    upstream_prompt: Nanos(0),
    upstream_completion: Nanos(0),
    estimated: false,
};

/// A request in `format` with the schema as a tool and as the answer's shape,
/// and with the odd object as a call's arguments.
fn request(format: Format) -> String {
    let escaped = ODD.replace('"', "\\\"");
    match format {
        Format::OpenAiChat => format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"q"}},
            {{"role":"assistant","content":null,"tool_calls":[{{"id":"call_1","type":"function","function":{{"name":"f","arguments":"{escaped}"}}}}]}},
            {{"role":"tool","tool_call_id":"call_1","content":"r"}}],
            "tools":[{{"type":"function","function":{{"name":"f","parameters":{SCHEMA}}}}}],
            "response_format":{{"type":"json_schema","json_schema":{{"name":"n","schema":{SCHEMA}}}}},
            "zz_unknown":{ODD},"aa_unknown":1.0,"temperature":0.70}}"#
        ),
        Format::OpenAiResponses => format!(
            r#"{{"model":"m","input":[{{"role":"user","content":"q"}},
            {{"type":"function_call","call_id":"call_1","name":"f","arguments":"{escaped}"}},
            {{"type":"function_call_output","call_id":"call_1","output":"r"}}],
            "tools":[{{"type":"function","name":"f","parameters":{SCHEMA}}}],
            "text":{{"format":{{"type":"json_schema","name":"n","schema":{SCHEMA}}}}},
            "prompt_cache_options":{{"zz":{ODD},"aa":1.0}},"temperature":0.70}}"#
        ),
        Format::Anthropic => format!(
            r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"q"}},
            {{"role":"assistant","content":[{{"type":"tool_use","id":"toolu_1","name":"f","input":{ODD}}}]}},
            {{"role":"user","content":[{{"type":"tool_result","tool_use_id":"toolu_1","content":"r"}}]}}],
            "tools":[{{"name":"f","input_schema":{SCHEMA}}}],
            "output_config":{{"format":{{"type":"json_schema","schema":{SCHEMA}}}}},
            "zz_unknown":{ODD},"aa_unknown":1.0,"temperature":0.70}}"#
        ),
        Format::Gemini => format!(
            r#"{{"contents":[{{"role":"user","parts":[{{"text":"q"}}]}},
            {{"role":"model","parts":[{{"functionCall":{{"id":"c1","name":"f","args":{ODD}}}}}]}},
            {{"role":"user","parts":[{{"functionResponse":{{"id":"c1","name":"f","response":{{"output":"r"}}}}}}]}}],
            "tools":[{{"functionDeclarations":[{{"name":"f","parametersJsonSchema":{SCHEMA}}}]}}],
            "generationConfig":{{"temperature":0.70,"responseMimeType":"application/json","responseJsonSchema":{SCHEMA}}},
            "zzUnknown":{ODD},"aaUnknown":1.0}}"#
        ),
        Format::Bedrock => format!(
            r#"{{"messages":[{{"role":"user","content":[{{"text":"q"}}]}},
            {{"role":"assistant","content":[{{"toolUse":{{"toolUseId":"c1","name":"f","input":{ODD}}}}}]}},
            {{"role":"user","content":[{{"toolResult":{{"toolUseId":"c1","content":[{{"text":"r"}}]}}}}]}}],
            "toolConfig":{{"tools":[{{"toolSpec":{{"name":"f","inputSchema":{{"json":{SCHEMA}}}}}}}]}},
            "outputConfig":{{"textFormat":{{"type":"json_schema","structure":{{"jsonSchema":{{"name":"n","schema":"{schema}"}}}}}}}},
            "inferenceConfig":{{"temperature":0.70}},"additionalModelRequestFields":{{"zz":{ODD},"aa":1.0}}}}"#,
            schema = SCHEMA.replace('"', "\\\"")
        ),
        Format::Ollama => format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"q"}},
            {{"role":"assistant","content":"","tool_calls":[{{"id":"c1","function":{{"name":"f","arguments":{ODD}}}}}]}},
            {{"role":"tool","tool_name":"f","tool_call_id":"c1","content":"r"}}],
            "tools":[{{"type":"function","function":{{"name":"f","parameters":{SCHEMA}}}}}],
            "format":{SCHEMA},"options":{{"temperature":0.70}},
            "zz_unknown":{ODD},"aa_unknown":1.0}}"#
        ),
        Format::Cohere => format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"q"}},
            {{"role":"assistant","tool_calls":[{{"id":"c1","type":"function","function":{{"name":"f","arguments":"{escaped}"}}}}]}},
            {{"role":"tool","tool_call_id":"c1","content":"r"}}],
            "tools":[{{"type":"function","function":{{"name":"f","parameters":{SCHEMA}}}}}],
            "response_format":{{"type":"json_object","json_schema":{SCHEMA}}},
            "zz_unknown":{ODD},"aa_unknown":1.0,"temperature":0.70}}"#,
            escaped = ODD.replace('"', "\\\"")
        ),
    }
}

/// The texts of a JSON document with what is escaped in it unescaped once, so
/// that arguments inside a text are found like arguments beside it.
fn plain(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec())
        .unwrap()
        .replace("\\\"", "\"")
}

fn check(text: &str, part: &str, what: &str) {
    assert!(text.contains(part), "{what} lost {part} in {text}");
}

#[test]
fn requests_keep_the_order_of_schemas_and_the_digits_of_arguments() {
    for from in Format::ALL {
        let request = codec(from).read_request(request(from).as_bytes()).unwrap();
        for to in Format::ALL {
            let target = WriteTarget {
                // Takes a schema and tools together.
                model: "gemini-3-flash-preview",
                max_output: None,
                limit: None,
                efforts: bourse_vocab::chat::Efforts::default(),
                tier: bourse_vocab::TierWish::None,
                dialect: &Dialect {
                    accepts: &["zz_unknown", "aa_unknown", "prompt_cache_options"],
                    ..Dialect::PLAIN
                },
            };
            let written = codec(to).write_request(&request, &target).unwrap();
            let text = plain(&written.body);
            let what = format!("a request from {from} to {to}");
            assert_eq!(text.matches(PROPERTIES).count(), 2, "{what}: {text}");
            check(&text, ODD, &what);
            check(&text, ":0.70", &what);
            if from == to {
                assert_eq!(text.matches(ODD).count(), 2, "{what}: {text}");
                let at = |name: &str| text.to_lowercase().find(name).expect(name);
                assert!(at("zz") < at("aa"), "{what}: {text}");
                check(&text, ":1.0", &what);
            }
        }
    }
}

/// A whole reply that calls a tool with the odd object.
fn reply(format: Format) -> String {
    match format {
        // Some vendors forget to print the arguments.
        Format::OpenAiChat => format!(
            r#"{{"id":"r","choices":[{{"index":0,"message":{{"role":"assistant","content":null,"tool_calls":[{{"id":"call_1","type":"function","function":{{"name":"f","arguments":{ODD}}}}}]}},"finish_reason":"tool_calls"}}]}}"#
        ),
        Format::OpenAiResponses => format!(
            r#"{{"id":"r","object":"response","status":"completed","output":[{{"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"{}"}}]}}"#,
            ODD.replace('"', "\\\"")
        ),
        Format::Anthropic => format!(
            r#"{{"id":"r","type":"message","role":"assistant","content":[{{"type":"tool_use","id":"toolu_1","name":"f","input":{ODD}}}],"stop_reason":"tool_use"}}"#
        ),
        Format::Gemini => format!(
            r#"{{"responseId":"r","candidates":[{{"index":0,"content":{{"role":"model","parts":[{{"functionCall":{{"name":"f","args":{ODD}}}}}]}},"finishReason":"STOP"}}]}}"#
        ),
        Format::Bedrock => format!(
            r#"{{"output":{{"message":{{"role":"assistant","content":[{{"toolUse":{{"toolUseId":"c1","name":"f","input":{ODD}}}}}]}}}},"stopReason":"tool_use"}}"#
        ),
        Format::Ollama => format!(
            r#"{{"model":"m","created_at":"2026-11-01T00:00:00Z","message":{{"role":"assistant","content":"","tool_calls":[{{"function":{{"name":"f","arguments":{ODD}}}}}]}},"done":true,"done_reason":"stop"}}"#
        ),
        Format::Cohere => format!(
            r#"{{"id":"r","finish_reason":"TOOL_CALL","message":{{"role":"assistant","tool_calls":[{{"id":"c1","type":"function","function":{{"name":"f","arguments":"{}"}}}}]}}}}"#,
            ODD.replace('"', "\\\"")
        ),
    }
}

#[test]
fn replies_keep_the_order_and_the_digits_of_arguments() {
    for from in Format::ALL {
        let reply = codec(from).read_reply(reply(from).as_bytes()).unwrap();
        for to in Format::ALL {
            let text = plain(&codec(to).write_reply(&reply, &STAMP));
            check(&text, ODD, &format!("a reply from {from} to {to}"));
        }
    }
}

/// A stream that calls a tool with the odd object, in one piece.
fn stream(format: Format) -> String {
    match format {
        Format::OpenAiChat => format!(
            "data: {{\"id\":\"r\",\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":0,\"id\":\"c\",\"function\":{{\"name\":\"f\",\"arguments\":{ODD}}}}}]}}}}]}}\n\n\
             data: {{\"id\":\"r\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"tool_calls\"}}]}}\n\ndata: [DONE]\n\n"
        ),
        Format::OpenAiResponses => {
            let escaped = ODD.replace('"', "\\\"");
            format!(
                "data: {{\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"\"}}}}\n\n\
                 data: {{\"type\":\"response.function_call_arguments.delta\",\"output_index\":0,\"delta\":\"{escaped}\"}}\n\n\
                 data: {{\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":{{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"\"}}}}\n\n\
                 data: {{\"type\":\"response.completed\",\"response\":{{\"status\":\"completed\"}}}}\n\n"
            )
        }
        Format::Anthropic => format!(
            "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"id\":\"r\"}}}}\n\n\
             event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{ODD}}}}}\n\n\
             event: content_block_stop\ndata: {{\"type\":\"content_block_stop\",\"index\":0}}\n\n\
             event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"tool_use\"}}}}\n\n\
             event: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
        ),
        Format::Gemini => format!("data: {}\n\n", reply(Format::Gemini)),
        Format::Bedrock => format!(
            "event: messageStart\ndata: {{\"role\":\"assistant\"}}\n\n\
             event: contentBlockStart\ndata: {{\"contentBlockIndex\":0,\"start\":{{\"toolUse\":{{\"toolUseId\":\"t\",\"name\":\"f\"}}}}}}\n\n\
             event: contentBlockDelta\ndata: {{\"contentBlockIndex\":0,\"delta\":{{\"toolUse\":{{\"input\":\"{}\"}}}}}}\n\n\
             event: contentBlockStop\ndata: {{\"contentBlockIndex\":0}}\n\n\
             event: messageStop\ndata: {{\"stopReason\":\"tool_use\"}}\n\n",
            ODD.replace('"', "\\\"")
        ),
        Format::Ollama => format!("{}\n", reply(Format::Ollama)),
        Format::Cohere => format!(
            "data: {{\"type\":\"message-start\",\"id\":\"r\"}}\n\n\
             data: {{\"type\":\"tool-call-start\",\"index\":0,\"delta\":{{\"message\":{{\"tool_calls\":{{\"id\":\"c\",\"type\":\"function\",\"function\":{{\"name\":\"f\",\"arguments\":\"{}\"}}}}}}}}}}\n\n\
             data: {{\"type\":\"tool-call-end\",\"index\":0}}\n\n\
             data: {{\"type\":\"message-end\",\"delta\":{{\"finish_reason\":\"TOOL_CALL\"}}}}\n\n",
            ODD.replace('"', "\\\"")
        ),
    }
}

fn written(to: &dyn Codec, events: &[Event]) -> Vec<u8> {
    let mut writer = to.stream_writer(&STAMP);
    let mut out = Vec::new();
    for event in events {
        if matches!(event, Event::Done) {
            // Where the data plane puts it. Google's format tells calls whole, and
            // with the usage.
            writer.event(&Event::Settled(Usage::default(), BILL), &mut out);
        }
        writer.event(event, &mut out);
    }
    out
}

#[test]
fn streams_keep_the_order_and_the_digits_of_arguments() {
    for from in Format::ALL {
        let bytes = laws::framed(from, stream(from).as_bytes());
        let outcome = laws::read_stream(codec(from), [&bytes[..]]);
        assert!(outcome.failure.is_none(), "{from}: {:?}", outcome.failure);
        for to in Format::ALL {
            let text = plain(&laws::readable(to, &written(codec(to), &outcome.events)));
            check(&text, ODD, &format!("a stream from {from} to {to}"));
        }
    }
}
