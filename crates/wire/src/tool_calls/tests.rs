use std::path::Path;

use bourse_vocab::Format;

use super::*;
use crate::codec::Stamp;
use crate::openai_chat::passthrough::{StreamRelay, splice_reply};
use crate::sse::Decoder;
use crate::{codec, json};

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1",
    model: "acme/m",
    provider: "Acme",
    created: 1,
    metadata: None,
};

/// One tool of each sort, in the words of chat completions.
const CHAT: &str = r##"[
    {"type":"function","function":{"name":"look_up","description":"x","parameters":{
        "type":"object","additionalProperties":false,"required":["city"],"properties":{
            "city":{"type":"string"},"days":{"type":"integer"},
            "unit":{"enum":["c","f",1]},"tags":{"type":"array","items":{"type":"string"}},
            "kind":{"const":"x"},"any":{"anyOf":[{"type":"string"}]},"ref":{"$ref":"#/x","type":"null"},
            "more":{"type":["object","null"],"properties":{"deep":{"type":"boolean"}},"required":["deep"]},
            "never":false,"odd":{"type":"date","minimum":7}}}}},
    {"type":"function","function":{"name":"bare"}},
    {"type":"custom","custom":{"name":"patch"}}]"##;

fn verdict(tools: &str, name: &str, arguments: &str) -> Verdict {
    let mut made = Made::default();
    made.begin(0, 0, name);
    made.go_on(0, 0, arguments);
    let tally = judge(&made, Some(tools.as_bytes()));
    assert_eq!(tally.calls(), 1);
    Verdict::ALL
        .into_iter()
        .find(|verdict| tally.of(*verdict) == 1)
        .unwrap()
}

#[test]
fn a_call_is_judged_by_name_syntax_and_schema() {
    use Verdict::{Fits, InvalidJson, SchemaMismatch, UnknownName};
    for (name, arguments, expected) in [
        ("look_up", r#"{"city":"Bonn"}"#, Fits),
        ("look_up", " {\"city\": \"Bo\\u006en\"}\n", Fits),
        ("look_up", r#"{"city":"Bonn""#, InvalidJson),
        ("look_up", r#"{"city":"Bonn"} extra"#, InvalidJson),
        ("look_up", r"{'city':'Bonn'}", InvalidJson),
        ("lookup", r#"{"city":"Bonn"}"#, UnknownName),
        ("lookup", "{", UnknownName),
        // Nothing stands for an object without members.
        ("look_up", "", SchemaMismatch),
        ("bare", "", Fits),
        ("bare", "7", Fits),
        ("bare", "seven", InvalidJson),
        ("patch", "*** Begin", Fits),
        ("look_up", "[]", SchemaMismatch),
        ("look_up", r#""Bonn""#, SchemaMismatch),
        ("look_up", r#"{"city":7}"#, SchemaMismatch),
        ("look_up", r#"{"city":"a","town":"b"}"#, SchemaMismatch),
        ("look_up", r#"{"c\u0069ty":"a"}"#, Fits),
        ("look_up", r#"{"city":7,"city":"a"}"#, Fits),
        ("look_up", r#"{"city":"a","city":7}"#, SchemaMismatch),
        ("look_up", r#"{"city":"a","days":7}"#, Fits),
        ("look_up", r#"{"city":"a","days":7.0}"#, Fits),
        ("look_up", r#"{"city":"a","days":7.5}"#, SchemaMismatch),
        ("look_up", r#"{"city":"a","days":"7"}"#, SchemaMismatch),
        ("look_up", r#"{"city":"a","unit":"f"}"#, Fits),
        ("look_up", r#"{"city":"a","unit":1.0}"#, Fits),
        ("look_up", r#"{"city":"a","unit":"k"}"#, SchemaMismatch),
        ("look_up", r#"{"city":"a","tags":["x","y"]}"#, Fits),
        ("look_up", r#"{"city":"a","tags":["x",1]}"#, SchemaMismatch),
        ("look_up", r#"{"city":"a","kind":"x"}"#, Fits),
        ("look_up", r#"{"city":"a","kind":"y"}"#, SchemaMismatch),
        // What is not among the keywords is met.
        ("look_up", r#"{"city":"a","any":7}"#, Fits),
        ("look_up", r#"{"city":"a","ref":7}"#, Fits),
        ("look_up", r#"{"city":"a","odd":1}"#, Fits),
        ("look_up", r#"{"city":"a","more":null}"#, Fits),
        ("look_up", r#"{"city":"a","more":{"deep":true}}"#, Fits),
        ("look_up", r#"{"city":"a","more":{}}"#, SchemaMismatch),
        (
            "look_up",
            r#"{"city":"a","more":{"deep":1}}"#,
            SchemaMismatch,
        ),
        ("look_up", r#"{"city":"a","never":null}"#, SchemaMismatch),
    ] {
        assert_eq!(
            verdict(CHAT, name, arguments),
            expected,
            "{name} {arguments}"
        );
    }
}

#[test]
fn googles_words_of_schemas_are_understood_where_google_has_them() {
    use Verdict::{Fits, SchemaMismatch};
    let schema = r#"{"type":"OBJECT","required":["city"],"properties":{
        "city":{"type":"STRING","enum":["Bonn","Rome"]},"days":{"type":"INTEGER","nullable":true},
        "size":{"type":"INTEGER","enum":["1","2"]},"any":{"type":"TYPE_UNSPECIFIED"},
        "tags":{"type":"ARRAY","items":{"type":"STRING","nullable":true}},"low":{"type":"boolean"}}}"#;
    let declared =
        format!(r#"[{{"functionDeclarations":[{{"name":"f","parameters":{schema}}}]}}]"#);
    for (arguments, expected) in [
        (r#"{"city":"Bonn"}"#, Fits),
        (r#"{"city":"Paris"}"#, SchemaMismatch),
        (r#"{"city":null}"#, SchemaMismatch),
        (r#"{"city":"Bonn","days":null}"#, Fits),
        (r#"{"city":"Bonn","days":"1"}"#, SchemaMismatch),
        (r#"{"city":"Bonn","size":2}"#, Fits),
        (r#"{"city":"Bonn","any":[]}"#, Fits),
        (r#"{"city":"Bonn","tags":["a",null]}"#, Fits),
        (r#"{"city":"Bonn","tags":[1]}"#, SchemaMismatch),
        (r#"{"city":"Bonn","low":1}"#, SchemaMismatch),
        ("{}", SchemaMismatch),
        ("[]", SchemaMismatch),
    ] {
        assert_eq!(verdict(&declared, "f", arguments), expected, "{arguments}");
    }
    // Elsewhere these words are none, and nobody is blamed for them.
    let function = r#"{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}}}"#;
    let elsewhere = format!(r#"[{{"function":{{"name":"f","parameters":{function}}}}}]"#);
    assert_eq!(verdict(&elsewhere, "f", r#"{"a":1}"#), Fits);
    let small = r#"{"properties":{"a":{"type":"string","nullable":true}}}"#;
    let elsewhere = format!(r#"[{{"function":{{"name":"f","parameters":{small}}}}}]"#);
    assert_eq!(verdict(&elsewhere, "f", r#"{"a":null}"#), SchemaMismatch);
}

#[test]
fn the_tools_of_every_format_are_found() {
    let schema = r#"{"type":"object","required":["x"]}"#;
    for tools in [
        format!(r#"[{{"type":"function","function":{{"name":"t","parameters":{schema}}}}}]"#),
        format!(r#"[{{"type":"function","name":"t","parameters":{schema}}}]"#),
        format!(r#"[{{"name":"t","input_schema":{schema}}}]"#),
        format!(r#"[{{"type":"custom","name":"t","input_schema":{schema}}}]"#),
    ] {
        assert_eq!(verdict(&tools, "t", r#"{"x":1}"#), Verdict::Fits, "{tools}");
        assert_eq!(verdict(&tools, "t", "{}"), Verdict::SchemaMismatch);
        assert_eq!(verdict(&tools, "u", "{}"), Verdict::UnknownName);
    }
    for declared in ["functionDeclarations", "function_declarations"] {
        for parameters in ["parametersJsonSchema", "parameters_json_schema"] {
            let tools = format!(r#"[{{"{declared}":[{{"name":"t","{parameters}":{schema}}}]}}]"#);
            assert_eq!(verdict(&tools, "t", r#"{"x":1}"#), Verdict::Fits, "{tools}");
            assert_eq!(verdict(&tools, "t", "{}"), Verdict::SchemaMismatch);
            assert_eq!(verdict(&tools, "u", "{}"), Verdict::UnknownName);
        }
    }
    // What has no name may be called anything.
    let tools = r#"[{"type":"computer_use"},{"name":"t"}]"#;
    assert_eq!(verdict(tools, "click", "{}"), Verdict::Unjudged);
    assert_eq!(verdict(tools, "t", "{}"), Verdict::Fits);
    let tools = r#"[{"functionDeclarations":[{},{"name":"t"}]},{"googleSearch":{}}]"#;
    assert_eq!(verdict(tools, "click", "{}"), Verdict::Unjudged);
    assert_eq!(verdict(tools, "t", "{}"), Verdict::Fits);
    let tools = r#"[{"type":"namespace","name":"n","tools":[{"type":"function","name":"t"}]}]"#;
    assert_eq!(verdict(tools, "t", "{}"), Verdict::Unjudged);
}

#[test]
fn a_schema_that_says_nothing_is_met() {
    for schema in [
        "{}",
        "true",
        "null",
        "7",
        "[]",
        r#"{"type":7,"required":{},"properties":[],"items":[{"type":"string"}],"enum":{}}"#,
        r#"{"additionalProperties":false,"patternProperties":{"^x":{}}}"#,
    ] {
        let tools = format!(r#"[{{"name":"t","input_schema":{schema}}}]"#);
        for arguments in [r#"{"x":[1,{"y":null}]}"#, "[1]"] {
            assert_eq!(verdict(&tools, "t", arguments), Verdict::Fits, "{schema}");
        }
    }
}

#[test]
fn what_is_too_large_is_not_judged_and_never_judged_wrong() {
    let broken = format!("{{\"city\":\"{}", "x".repeat(65 << 10));
    assert_eq!(verdict(CHAT, "look_up", &broken), Verdict::Unjudged);
    let filler = " ".repeat(OFFERED_BYTES_MAX);
    assert_eq!(verdict(&format!("[{filler}]"), "t", "{"), Verdict::Unjudged);
    let deep = format!("{}{}", "{\"a\":".repeat(200), "1") + &"}".repeat(200);
    let mut schema = r#"{"type":"string"}"#.to_owned();
    for _ in 0..100 {
        schema = format!(r#"{{"properties":{{"a":{schema}}}}}"#);
    }
    let tools = format!(r#"[{{"name":"t","input_schema":{schema}}}]"#);
    assert_eq!(verdict(&tools, "t", &deep), Verdict::Unjudged);
    // Each of many members is looked for among many.
    let names = |value: &str| {
        let names: Vec<_> = (0..4_000).map(|n| format!("\"{n}\":{value}")).collect();
        names.join(",")
    };
    let tools = format!(
        r#"[{{"name":"t","input_schema":{{"properties":{{{}}}}}}}]"#,
        names("{}")
    );
    let arguments = format!("{{{}}}", names("1"));
    assert_eq!(verdict(&tools, "t", &arguments), Verdict::Unjudged);
}

#[test]
fn a_call_that_was_too_long_leaves_room_for_the_others() {
    let mut made = Made::default();
    for (place, name) in [(0, "bare"), (1, "look_up"), (2, "bare")] {
        made.begin(0, place, name);
    }
    for _ in 0..80 {
        made.go_on_written(0, 0, &[b' '; 1 << 10]);
    }
    made.go_on(0, 1, r#"{"city":"#);
    made.go_on_written(0, 2, b"{\\\"x\\\"");
    made.go_on(0, 1, r#""Bonn"}"#);
    made.go_on_written(0, 2, b":1}");
    let tally = judge(&made, Some(CHAT.as_bytes()));
    assert_eq!((tally.calls(), tally.bad()), (3, 0));
    assert_eq!(tally.of(Verdict::Unjudged), 1);
    assert_eq!(tally.of(Verdict::Fits), 2);
    assert!(tally.is_judged());
}

#[test]
fn an_answer_with_more_calls_than_are_kept_counts_them_all() {
    let mut made = Made::default();
    assert!(made.is_empty());
    for place in 0..200 {
        made.begin(0, place, "bare");
    }
    let tally = judge(&made, Some(CHAT.as_bytes()));
    assert_eq!((tally.calls(), tally.of(Verdict::Fits)), (200, 128));
    let unseen = judge(&made, None);
    assert_eq!((unseen.bad(), unseen.is_judged()), (0, false));
}

/// What was kept: names and arguments, in order.
fn kept(made: Option<Box<Made>>) -> Vec<(String, String)> {
    let made = made.unwrap_or_default();
    let text = |call: made::Call<'_>| String::from_utf8(call.arguments().unwrap()).unwrap();
    made.calls()
        .map(|call| (call.name.to_owned(), text(call)))
        .collect()
}

/// The calls of a stream as bytes pass, in pieces of some size.
fn passed(stream: &[u8], size: usize) -> Vec<(String, String)> {
    let mut relay = StreamRelay::new(&STAMP, false);
    let mut out = Vec::new();
    for piece in stream.chunks(size) {
        if relay.feed(piece, &mut out).is_err() {
            break;
        }
    }
    let kept = kept(relay.take_calls());
    assert!(relay.take_calls().is_none(), "they are given once");
    kept
}

/// The same of what is read event by event.
fn read(format: Format, stream: &[u8]) -> Vec<(String, String)> {
    let mut reader = codec(format).stream_reader();
    let (mut events, mut made) = (Vec::new(), Box::new(Made::default()));
    let mut decoder = Decoder::with_limit(1 << 20);
    let _ = decoder.feed(stream, |frame| reader.frame(&frame, &mut events));
    for event in &events {
        made.note(event);
    }
    kept(Some(made))
}

fn fixture(case: &str, file: &str) -> Option<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/chat");
    std::fs::read(folder.join(case).join(file)).ok()
}

/// Every case, by name.
fn cases() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/chat");
    let cases = std::fs::read_dir(folder).unwrap();
    let names = cases.map(|case| case.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn the_same_calls_are_kept_where_bytes_pass_and_where_they_are_read() {
    let mut seen = 0;
    for case in cases() {
        if let Some(stream) = fixture(&case, "openai-chat.stream.txt") {
            let read = read(Format::OpenAiChat, &stream);
            for size in [1, 7, 1 << 20] {
                assert_eq!(passed(&stream, size), read, "{case}");
            }
            seen += read.len();
        }
        if let Some(reply) = fixture(&case, "openai-chat.reply.json") {
            let (Ok(parts), Ok(read)) = (
                splice_reply(&reply, &STAMP, false),
                codec(Format::OpenAiChat).read_reply(&reply),
            ) else {
                continue;
            };
            assert_eq!(kept(parts.calls), kept(Made::of_reply(&read)), "{case}");
        }
    }
    assert!(seen >= 8, "{seen} calls in streams");
}

/// Arguments that come letter by letter pass by comparing and copying.
#[test]
fn every_piece_of_arguments_is_kept_whichever_way_it_takes() {
    let chunk = |index: u64, call: &str| {
        format!(
            "data: {{\"id\":\"x\",\"choices\":[{{\"index\":{index},\"delta\":{{\"tool_calls\":[{call}]}},\"finish_reason\":null}}]}}\n\n"
        )
    };
    let begin = |index, place: u64, name: &str| {
        let call = format!(
            r#"{{"index":{place},"id":"c{index}{place}","type":"function","function":{{"name":"{name}","arguments":""}}}}"#
        );
        chunk(index, &call)
    };
    let texts = [
        r#"{"a":"é\"\\ \u0000 😀","b":[1,2]}"#,
        r#"{"city":"Åarhus"}"#,
        "{\n\t}",
    ];
    let mut stream = String::new();
    for (index, place, name) in [(0, 0, "one"), (0, 1, "two"), (1, 0, "three")] {
        stream += &begin(index, place, name);
    }
    let mut letters: Vec<_> = texts.iter().map(|text| text.chars()).collect();
    loop {
        let mut is_over = true;
        for ((index, place), letters) in [(0, 0), (0, 1), (1, 0)].into_iter().zip(&mut letters) {
            for letter in letters.take(3) {
                is_over = false;
                let mut quoted = Vec::new();
                json::text::write_string(&letter.to_string(), &mut quoted);
                let quoted = String::from_utf8(quoted).unwrap();
                let call = format!(r#"{{"index":{place},"function":{{"arguments":{quoted}}}}}"#);
                stream += &chunk(index, &call);
            }
        }
        if is_over {
            break;
        }
    }
    let kept = passed(stream.as_bytes(), 4_096);
    let names = ["one", "two", "three"];
    let expected = names.iter().zip(texts);
    assert_eq!(
        kept,
        expected
            .map(|(name, text)| ((*name).to_owned(), text.to_owned()))
            .collect::<Vec<_>>()
    );
    assert_eq!(read(Format::OpenAiChat, stream.as_bytes()), kept);
}

/// Requests and streams of each format, and what is wrong with the calls.
#[test]
fn the_answers_in_every_format_fit_the_tools_of_their_requests() {
    for case in ["tools", "parallel-tools"] {
        for format in [
            Format::OpenAiChat,
            Format::OpenAiResponses,
            Format::Anthropic,
        ] {
            let request = fixture(case, &format!("{format}.request.json")).unwrap();
            let outline = json::scan(&request).unwrap();
            let tools = outline.get("tools").unwrap().value.clone();
            let Some(stream) = fixture(case, &format!("{format}.stream.txt")) else {
                continue;
            };
            let mut made = Made::default();
            for (place, (name, arguments)) in (0..).zip(read(format, &stream)) {
                made.begin(0, place, &name);
                made.go_on(0, place, &arguments);
            }
            let tally = judge(&made, Some(&request[tools]));
            assert!(tally.calls() > 0, "{case} {format}");
            assert_eq!(tally.of(Verdict::Fits), tally.calls(), "{case} {format}");
        }
    }
}
