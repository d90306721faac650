use bourse_vocab::speech::SoundFormat;
use bourse_vocab::{Bill, Nanos, Next, Usage};

use super::events::{Events, Source, Told};
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
        let mut events = Events::new(Source::OpenAi, &wants(passes, "mp3"));
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
        let failed =
            Events::new(Source::OpenAi, &wants(false, "mp3")).frame(&frame, &mut Vec::new());
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

/// A request of a client that wants events, or the sound itself, in a format.
fn wants(events: bool, format: &str) -> Asked {
    let kind = if events { "sse" } else { "audio" };
    asked(&format!(
        r#"{{"input":"a","voice":"b","stream_format":"{kind}","response_format":"{format}"}}"#
    ))
    .unwrap()
}

#[test]
fn other_vendors_are_asked_in_their_own_words() {
    let body = r#"{"model":"acme/tts","input":"Gr\u00fc\u00dfe","voice":{"id":"Rachel7"},"speed":1.1,
        "response_format":"pcm","instructions":"slowly"}"#;
    let (sent, losses) = written(Shape::ElevenLabs, body);
    assert_eq!(
        sent,
        r#"{"text":"Grüße","model_id":"upstream","voice_settings":{"speed":1.10}}"#
    );
    assert_eq!(losses, ["instructions"]);
    let tail = codec(Shape::ElevenLabs)
        .tail(&asked(body).unwrap())
        .unwrap();
    assert_eq!(tail.unwrap(), "/Rachel7/stream?output_format=pcm_24000");
    let (sent, losses) = written(Shape::Mistral, body);
    assert_eq!(
        sent,
        r#"{"model":"upstream","input":"Grüße","voice_id":"Rachel7","response_format":"pcm","stream":true}"#
    );
    assert_eq!(losses, ["instructions", "speed"]);
    let (sent, _) = written(Shape::Gemini, body);
    assert_eq!(
        sent,
        r#"{"contents":[{"role":"user","parts":[{"text":"Grüße"}]}],"generationConfig":{"responseModalities":["AUDIO"],"speechConfig":{"voiceConfig":{"prebuiltVoiceConfig":{"voiceName":"Rachel7"}}}}}"#
    );
    let shapes: Vec<_> = Shape::ALL.iter().map(|one| codec(*one).shape()).collect();
    assert_eq!(shapes, Shape::ALL);
}

#[test]
fn what_one_vendor_cannot_read_another_is_asked() {
    for (shape, member) in [
        (Shape::ElevenLabs, r#""voice":"../../v2/keys""#),
        (Shape::ElevenLabs, r#""voice":"a?b=c""#),
        (Shape::ElevenLabs, r#""voice":"""#),
        (Shape::ElevenLabs, r#""voice":"a","speed":2"#),
        (Shape::ElevenLabs, r#""voice":"a","response_format":"wav""#),
        (Shape::ElevenLabs, r#""voice":"a","stream_format":"sse""#),
        (Shape::Mistral, r#""voice":"a","response_format":"aac""#),
        (Shape::Gemini, r#""voice":"a""#),
    ] {
        let body = format!(r#"{{"model":"m","input":"a",{member}}}"#);
        let refused = codec(shape).write(&asked(&body).unwrap(), "m").unwrap_err();
        assert_eq!(refused.next, Next::TryAnother, "{shape:?} {member}");
    }
}

fn played(source: Source, asked: &Asked, events: &[&str]) -> Result<(Vec<u8>, Events), Failure> {
    let mut reader = Events::new(source, asked);
    let mut out = Vec::new();
    for data in events {
        let frame = Frame {
            event: "",
            data: data.as_bytes(),
        };
        reader.frame(&frame, &mut out)?;
    }
    Ok((out, reader))
}

#[test]
fn mistrals_and_googles_events_are_told_as_openais() {
    let mistrals = [
        r#"{"type":"speech.audio.delta","audio_data":"AQID"}"#,
        r#"{"type":"speech.audio.done","usage":{"prompt_tokens":3,"completion_tokens":7}}"#,
    ];
    let (out, reader) = played(Source::Mistral, &wants(false, "pcm"), &mistrals).unwrap();
    assert_eq!(out, [1, 2, 3]);
    assert_eq!(
        (reader.usage.prompt, reader.usage.completion),
        (Some(3), Some(7))
    );
    let (out, _) = played(Source::Mistral, &wants(true, "pcm"), &mistrals).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "data: {\"type\":\"speech.audio.delta\",\"audio\":\"AQID\"}\n\n"
    );
    let googles = [
        r#"{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"audio/L16;codec=pcm;rate=24000","data":"AQI="}}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"inlineData":{"data":"AwQ="}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":9,"totalTokenCount":14}}"#,
    ];
    let (out, reader) = played(Source::Gemini, &wants(false, "pcm"), &googles).unwrap();
    assert_eq!(out, [1, 2, 3, 4]);
    assert_eq!(reader.usage.completion_audio, Some(9));
    let (out, _) = played(Source::Gemini, &wants(false, "wav"), &googles).unwrap();
    assert!(out.starts_with(b"RIFF") && out.ends_with(&[1, 2, 3, 4]));
    assert_eq!(out.len(), 48);
    for broken in [
        r#"{"candidates":[{"finishReason":"MAX_TOKENS"}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"inlineData":{"data":"?"}}]}}]}"#,
        r#"{"error":{"code":500}}"#,
    ] {
        assert!(
            played(Source::Gemini, &wants(false, "pcm"), &[broken]).is_err(),
            "{broken}"
        );
    }
}
