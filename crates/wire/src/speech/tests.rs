use bourse_vocab::speech::SoundFormat;
use bourse_vocab::{Bill, Nanos, Next, Usage};

use super::events::{Events, Told};
use super::*;
use crate::json::scan;
use crate::sse::Frame;

fn asked(body: &str) -> Result<Asked, Failure> {
    let outline = scan(body.as_bytes()).unwrap();
    Asked::read(outline, vec![Bytes::copy_from_slice(body.as_bytes())])
}

fn written(shape: Shape, body: &str) -> (String, Vec<String>) {
    let written = codec(shape)
        .write(&asked(body).unwrap(), "upstream")
        .unwrap();
    let losses = written.losses.into_iter().map(|loss| loss.field);
    let body = String::from_utf8(written.body.concat()).unwrap();
    (body, losses.collect())
}

#[test]
fn the_clients_bytes_go_on_but_for_what_a_vendor_does_not_know() {
    let body = r#"{"model":"acme/tts","input":"Gr\u00fc\u00dfe","voice":{"id":"v"},"speed":1.250,
        "instructions":"slowly","provider":{"sort":"price"},"user":"u","color":1}"#;
    let (sent, losses) = written(Shape::OpenAi, body);
    assert_eq!(
        sent,
        "{\"model\":\"upstream\",\"input\":\"Gr\\u00fc\\u00dfe\",\"voice\":{\"id\":\"v\"},\"speed\":1.250,\
         \"response_format\":\"mp3\"}"
    );
    assert_eq!(losses, ["color", "instructions"]);
    let (sent, losses) = written(Shape::OpenAiEvents, body);
    assert!(sent.contains("\"instructions\":\"slowly\""), "{sent}");
    assert!(sent.contains("\"stream_format\":\"sse\""), "{sent}");
    assert_eq!(losses, ["color"]);
    let read = asked(body).unwrap();
    assert_eq!((read.characters, read.text_bytes, read.speed), (5, 13, 125));
    assert_eq!(read.format, SoundFormat::Mp3);
}

#[test]
fn requests_that_are_none_name_the_member() {
    let long = format!("{{\"input\":\"{}\",\"voice\":\"a\"}}", "é".repeat(4_097));
    assert!(asked(&long.replacen('é', "", 1)).is_ok());
    for (body, member) in [
        (&*long, "input: "),
        ("{}", "input: "),
        (r#"{"input":"","voice":"a"}"#, "input: "),
        (r#"{"input":1,"voice":"a"}"#, "input: "),
        (r#"{"input":[],"voice":"a"}"#, "input: "),
        (r#"{"input":"a"}"#, "voice: "),
        (r#"{"input":"a","voice":1}"#, "voice: "),
        (r#"{"input":"a","voice":"a","speed":0.24}"#, "speed: "),
        (r#"{"input":"a","voice":"a","speed":4.001}"#, "speed: "),
        (r#"{"input":"a","voice":"a","speed":"1"}"#, "speed: "),
        (
            r#"{"input":"a","voice":"a","response_format":"ogg"}"#,
            "response_format: ",
        ),
        (
            r#"{"input":"a","voice":"a","stream_format":"ws"}"#,
            "stream_format: ",
        ),
        (r#"{"input":"a","voice":"a","Model":"x"}"#, "Model: "),
        (
            r#"{"input":"a","voice":"a","input_references":[{}]}"#,
            "input_references: ",
        ),
    ] {
        let failure = asked(body).unwrap_err();
        assert!(failure.message.starts_with(member), "{}", failure.message);
    }
    let events = asked(r#"{"input":"a","voice":"a","stream_format":"sse"}"#).unwrap();
    let failure = codec(Shape::OpenAi).write(&events, "m").unwrap_err();
    assert_eq!(failure.next, Next::TryAnother);
}

#[test]
fn events_are_told_as_themselves_or_as_the_sound_in_them() {
    let delta = r#"{"type":"speech.audio.delta","audio":"AAEC"}"#;
    let done = r#"{"type":"speech.audio.done","usage":{"input_tokens":4,"output_tokens":9}}"#;
    let usage = Usage {
        prompt: 4,
        completion: 9,
        ..Usage::default()
    };
    let bill = Bill {
        total: Nanos(3),
        ..Bill::default()
    };
    for (passes, expected) in [
        (false, "\0\u{1}\u{2}".to_owned()),
        (
            true,
            format!(
                "data: {delta}\n\ndata: {{\"type\":\"later\"}}\n\ndata: {{\"type\":\"speech.audio.done\",\
                 \"usage\":{{\"input_tokens\":4,\"output_tokens\":9,\"total_tokens\":13,\"cost\":0.000000003}}}}\n\n"
            ),
        ),
    ] {
        let mut events = Events::new(passes);
        let mut out = Vec::new();
        let told: Vec<_> = [delta, r#"{"type":"later"}"#, done, "[DONE]"]
            .into_iter()
            .map(|data| {
                let frame = Frame {
                    event: "",
                    data: data.as_bytes(),
                };
                events.frame(&frame, &mut out).unwrap()
            })
            .collect();
        assert_eq!(
            told,
            [Told::Sound(3), Told::Nothing, Told::Done, Told::Nothing]
        );
        assert_eq!(events.usage.completion_audio, Some(9));
        events.finish(&usage, &bill, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
    for broken in [
        "{",
        r#"{"error":{}}"#,
        r#"{"type":"error"}"#,
        r#"{"type":"speech.audio.delta","audio":"*"}"#,
        r#"{"type":"speech.audio.delta"}"#,
    ] {
        let frame = Frame {
            event: "",
            data: broken.as_bytes(),
        };
        let failed = Events::new(false).frame(&frame, &mut Vec::new());
        assert_eq!(failed.unwrap_err().status(), 502, "{broken}");
    }
}

#[test]
fn a_sound_is_known_by_its_media_type() {
    for (content_type, is) in [
        ("audio/mpeg", true),
        ("Audio/WAV; rate=1", true),
        ("application/octet-stream", true),
        ("application/json", false),
        ("text/event-stream", false),
        ("", false),
    ] {
        assert_eq!(is_sound(content_type), is, "{content_type}");
    }
}
