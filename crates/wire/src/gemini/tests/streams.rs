//! Streams, read and written.

use bourse_vocab::chat::{Event, Finish, Media, Request, Role};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{FailureKind, Format, Usage};
use proptest::prelude::*;

use super::{STAMP, bill, message, write};
use crate::codec::Codec;
use crate::gemini::Gemini;
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
    assert_eq!(
        written[written.len() - 2]["candidates"][0]["finishReason"],
        "STOP"
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
