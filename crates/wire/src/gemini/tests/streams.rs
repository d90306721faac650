//! Streams, read and written.

use bourse_vocab::chat::{
    Event, Finish, Media, Part, ReasoningDelta, ReasoningKind, Request, Role,
};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{FailureKind, Format, Usage};
use proptest::prelude::*;

use super::{STAMP, bill, message, write};
use crate::codec::Codec;
use crate::gemini::{Gemini, Manner};
use crate::laws::{self, Outcome};
use crate::openai_chat::OpenAiChat;

/// Frames as Google sends them, with its line endings.
fn stream(frames: &[Value]) -> Vec<u8> {
    frames
        .iter()
        .flat_map(|frame| format!("data: {frame}\r\n\r\n").into_bytes())
        .collect()
}

fn frames() -> Vec<Value> {
    let part = |part: Value| {
        json!({"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}],
            "usageMetadata": {"promptTokenCount": 10, "totalTokenCount": 10},
            "modelVersion": "gemini-3.8-flash", "responseId": "r1"})
    };
    vec![
        part(json!({"text": "Hm, ", "thought": true})),
        part(json!({"text": "Oslo.", "thought": true})),
        part(json!({"text": "Let me "})),
        part(json!({"text": "l\u{f6}\u{f6}k."})),
        part(
            json!({"functionCall": {"name": "weather", "args": {"city": "Oslo"}},
            "thoughtSignature": "U0lH"}),
        ),
        part(json!({"functionCall": {"name": "time", "args": {}}})),
        json!({"candidates": [{"content": {"parts": [{"text": "", "thoughtSignature": "Qg=="}]},
                "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5,
                "thoughtsTokenCount": 7, "totalTokenCount": 22},
            "modelVersion": "gemini-3.8-flash", "responseId": "r1"}),
    ]
}

fn write_stream(codec: &dyn Codec, outcome: &Outcome) -> Vec<Value> {
    let mut writer = codec.stream_writer(&STAMP);
    let mut out = Vec::new();
    for event in &outcome.events {
        if matches!(event, Event::Done) {
            writer.event(&Event::Settled(Usage::default(), bill()), &mut out);
        }
        writer.event(event, &mut out);
    }
    String::from_utf8(out)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| bourse_vocab::json::parse(data.as_bytes()).unwrap())
        .collect()
}

#[test]
fn a_stream_obeys_the_laws_and_ends_with_the_right_reason() {
    let bytes = stream(&frames());
    let outcome = laws::read_stream(&Gemini, [bytes.as_slice()]);
    laws::check(&outcome).unwrap();
    assert!(outcome.failure.is_none());
    assert!(matches!(
        outcome.events.iter().rev().take(2).collect::<Vec<_>>()[..],
        [
            Event::Done,
            Event::Finish {
                reason: Finish::ToolCalls,
                ..
            }
        ]
    ));
    let last = outcome.events.iter().rev().find_map(|event| match event {
        Event::Usage(report) => Some((report.prompt, report.completion, report.reasoning)),
        _ => None,
    });
    assert_eq!(last, Some((Some(10), Some(12), Some(7))));
    let chunks = write_stream(&OpenAiChat, &outcome);
    let details: Vec<&Value> = chunks
        .iter()
        .filter_map(|chunk| {
            chunk["choices"][0]["delta"]["reasoning_details"]
                .as_array()?
                .first()
        })
        .collect();
    assert_eq!(details.len(), 4);
    assert_eq!(
        (&details[0]["index"], &details[1]["index"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(
        (&details[2]["data"], &details[2]["id"], &details[2]["index"]),
        (&json!("U0lH"), &json!("call_r1_0"), &json!(1))
    );
    assert_eq!(
        (&details[3]["data"], details[3].get("id")),
        (&json!("Qg=="), None)
    );
}

#[test]
fn a_stream_written_for_a_google_client_brings_calls_whole_and_signed() {
    let bytes = stream(&frames());
    let outcome = laws::read_stream(&Gemini, [bytes.as_slice()]);
    let written = write_stream(&Gemini, &outcome);
    let again = laws::read_stream(&Gemini, [stream(&written).as_slice()]);
    laws::check(&again).unwrap();
    let parts: Vec<&Value> = written
        .iter()
        .filter_map(|frame| frame["candidates"][0]["content"]["parts"].as_array())
        .flatten()
        .collect();
    assert_eq!(
        parts,
        [
            &json!({"text": "Hm, ", "thought": true}),
            &json!({"text": "Oslo.", "thought": true}),
            &json!({"text": "Let me "}),
            &json!({"text": "l\u{f6}\u{f6}k."}),
            &json!({"text": "", "thoughtSignature": "Qg=="}),
            &json!({"functionCall": {"id": "call_r1_0", "name": "weather",
                "args": {"city": "Oslo"}}, "thoughtSignature": "U0lH"}),
            &json!({"functionCall": {"id": "call_r1_1", "name": "time", "args": {}}}),
        ]
    );
    let last = written.last().unwrap();
    assert_eq!(last["usageMetadata"]["totalTokenCount"], 0);
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(last["provider"], "Google");
    // SDKs take a response without content for a broken one.
    assert!(written.iter().all(|frame| {
        let parts = frame["candidates"][0]["content"]["parts"].as_array();
        parts.is_some_and(|parts| !parts.is_empty())
    }));
}

/// What a client of this format is told of a stream of another one.
fn told(events: &[Event], manner: Manner) -> String {
    let mut writer = crate::gemini::stream_writer(&STAMP, manner);
    let mut out = Vec::new();
    for event in events {
        writer.event(event, &mut out);
    }
    String::from_utf8(out).unwrap()
}

fn thought(index: u32, kind: ReasoningKind, scheme: &str) -> Event {
    Event::Reasoning {
        choice: 0,
        delta: ReasoningDelta {
            index,
            kind,
            id: None,
            scheme: Some(scheme.to_owned()),
        },
    }
}

fn text(text: &str) -> Event {
    Event::Text {
        choice: 0,
        text: text.to_owned(),
        logprobs: None,
    }
}

fn finish() -> Event {
    Event::Finish {
        choice: 0,
        reason: Finish::Stop,
        native: None,
    }
}

#[test]
fn a_stream_without_events_is_one_array_whatever_comes_of_it() {
    let array = Manner {
        is_array: true,
        ..Manner::default()
    };
    let settled = Event::Settled(Usage::default(), bill());
    let broke = Event::Error(Box::new(bourse_vocab::Failure::unavailable("it broke")));
    for (events, count) in [
        (
            vec![text("a"), text("b"), finish(), settled, Event::Done],
            3,
        ),
        (vec![text("a"), finish(), broke.clone()], 2),
        (vec![broke], 1),
    ] {
        let told = told(&events, array);
        let parsed = bourse_vocab::json::parse(told.as_bytes()).unwrap();
        let responses = parsed.as_array().unwrap();
        assert_eq!(responses.len(), count, "{told}");
        let last = responses.last().unwrap();
        assert_eq!(
            last.get("error").is_some(),
            last.get("usageMetadata").is_none(),
            "{told}"
        );
    }
}

/// The turn of an answer, replayed as a chat session of google-genai does: a
/// content for each response.
fn replayed(told: &str) -> Vec<Part> {
    let contents: Vec<Value> = told
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| bourse_vocab::json::parse(data.as_bytes()).unwrap())
        .map(|response| response["candidates"][0]["content"].clone())
        .collect();
    let mut all = vec![json!({"role": "user", "parts": [{"text": "q"}]})];
    all.extend(contents);
    let body = json!({ "contents": Value::Array(all) });
    let request = Gemini.read_request(body.to_string().as_bytes()).unwrap();
    assert_eq!(request.messages.len(), 2, "{told}");
    request.messages[1].parts.clone()
}

#[test]
fn what_another_vendor_thought_comes_back_to_it_whole_whether_it_was_shown_or_not() {
    let words = |text: &str, signature: Option<&str>| ReasoningKind::Text {
        text: text.to_owned(),
        signature: signature.map(str::to_owned),
    };
    let claude = "anthropic-claude-v1";
    let events = [
        thought(0, words("Hm, ", None), claude),
        thought(0, words("so.", None), claude),
        thought(0, words("", Some("c2ln")), claude),
        thought(1, ReasoningKind::Encrypted("aGlk".into()), claude),
        thought(1, ReasoningKind::Encrypted("ZGVu".into()), claude),
        text("Right"),
        text(" away."),
        finish(),
        Event::Settled(Usage::default(), bill()),
        Event::Done,
    ];
    for shows_thoughts in [true, false] {
        let manner = Manner {
            shows_thoughts,
            ..Manner::default()
        };
        let told = told(&events, manner);
        assert_eq!(told.contains("Hm, "), shows_thoughts, "{told}");
        let parts = replayed(&told);
        let reasoning: Vec<_> = parts
            .iter()
            .filter_map(|part| match part {
                Part::Reasoning(reasoning) => {
                    assert_eq!(reasoning.scheme.as_deref(), Some(claude));
                    Some(reasoning.kind.clone())
                }
                _ => None,
            })
            .collect();
        assert_eq!(
            reasoning,
            [
                words("Hm, so.", Some("c2ln")),
                ReasoningKind::Encrypted("aGlkZGVu".into())
            ],
            "{told}"
        );
        let said: Vec<_> = parts
            .iter()
            .filter(|part| matches!(part, Part::Text { .. }))
            .collect();
        assert_eq!(said, [&Part::text("Right away.")]);
    }
}

#[test]
fn what_was_thought_in_sealed_items_keeps_its_summary_and_its_id() {
    let scheme = "openai-responses-v1";
    let of_item = |kind| Event::Reasoning {
        choice: 0,
        delta: ReasoningDelta {
            index: 0,
            kind,
            id: Some("rs_1".into()),
            scheme: Some(scheme.into()),
        },
    };
    let events = [
        of_item(ReasoningKind::Summary("Looked.".into())),
        of_item(ReasoningKind::Encrypted("gAAA".into())),
        text("Yes."),
        finish(),
        Event::Settled(Usage::default(), bill()),
    ];
    let parts = replayed(&told(&events, Manner::default()));
    let reasoning: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Reasoning(reasoning) => Some((reasoning.id.as_deref(), &reasoning.kind)),
            _ => None,
        })
        .collect();
    assert_eq!(
        reasoning,
        [
            (Some("rs_1"), &ReasoningKind::Summary("Looked.".into())),
            (Some("rs_1"), &ReasoningKind::Encrypted("gAAA".into())),
        ]
    );
}

#[test]
fn a_reason_in_every_frame_does_not_end_the_stream() {
    let frame = |text: &str| json!({"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}]});
    let outcome = laws::read_stream(&Gemini, [stream(&[frame("a"), frame("b")]).as_slice()]);
    laws::check(&outcome).unwrap();
    let text: String = outcome
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Text { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!((text.as_str(), outcome.failure.is_none()), ("ab", true));
}

#[test]
fn streams_that_fail_say_so() {
    let error = json!({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}});
    let refused = json!({"promptFeedback": {"blockReason": "SAFETY"}});
    let text = frames().remove(2);
    for (frames, kind) in [
        (vec![error.clone()], FailureKind::Overloaded),
        (vec![text.clone(), json!([error])], FailureKind::Overloaded),
        (vec![refused], FailureKind::ContentPolicy),
        (vec![text], FailureKind::Unavailable),
        (vec![], FailureKind::Unavailable),
        (vec![json!("nope")], FailureKind::Unavailable),
    ] {
        let outcome = laws::read_stream(&Gemini, [stream(&frames).as_slice()]);
        laws::check(&outcome).unwrap();
        let failed = outcome.events.iter().find_map(|event| match event {
            Event::Error(failure) => Some(failure.kind),
            _ => None,
        });
        let given = outcome.failure.as_ref().map(|failure| failure.kind);
        assert_eq!(failed.or(given), Some(kind), "{frames:?}");
        assert!(
            !outcome
                .events
                .iter()
                .any(|event| matches!(event, Event::Done))
        );
    }
}

#[test]
fn pictures_and_speech_come_through_a_stream() {
    let part = |mime: &str| {
        json!({"candidates": [{"content": {"parts": [
            {"inlineData": {"mimeType": mime, "data": "AAAA"}}]}, "finishReason": "STOP"}]})
    };
    let bytes = stream(&[
        part("image/png"),
        part("audio/L16;rate=24000"),
        part("application/pdf"),
    ]);
    let outcome = laws::read_stream(&Gemini, [bytes.as_slice()]);
    laws::check(&outcome).unwrap();
    let image = Media::Base64 {
        mime: "image/png".into(),
        data: "AAAA".into(),
    };
    assert!(matches!(&outcome.events[1], Event::Image { media, .. } if *media == image));
    assert!(matches!(
        &outcome.events[2],
        Event::Other { name: "audio", value, .. }
            if *value == json!({"data": "AAAA", "format": "L16;rate=24000"})
    ));
    assert!(matches!(&outcome.events[3], Event::Finish { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_stream_means_the_same_however_it_is_cut(
        cuts in proptest::collection::vec(0..1500_usize, 0..8),
        flip in proptest::option::of((0..1500_usize, any::<u8>())),
    ) {
        let mut bytes = stream(&frames());
        // A damaged stream may fail, but must not panic or break a law.
        let damaged = flip.is_some();
        if let Some((at, byte)) = flip {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % bytes.len()).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&bytes[from..cut]);
            from = cut;
        }
        pieces.push(&bytes[from..]);
        let whole = laws::read_stream(&Gemini, [bytes.as_slice()]);
        let cut = laws::read_stream(&Gemini, pieces);
        prop_assert_eq!(whole.summary(), cut.summary());
        // Damage may open an answer with another number, which never ends.
        prop_assert!(laws::check(&cut).is_ok(), "{:?}", laws::check(&cut));
        prop_assert!(damaged || cut.failure.is_none());
    }

    #[test]
    fn no_text_is_changed_on_its_way_there_and_back(text in "\\PC{1,40}") {
        let request = Request::new(Format::OpenAiChat, "m", vec![message(Role::User, &text)]);
        let (body, _) = write(&request, "gemini-2.0-flash");
        let back = Gemini.read_request(body.to_string().as_bytes()).unwrap();
        prop_assert_eq!(back.messages, request.messages);
    }
}
