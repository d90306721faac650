use bourse_vocab::transcription::Task;
use bourse_vocab::{Bill, Nanos, Next, Usage};

use super::asked::Asked;
use super::sound::FILE_BYTES_MAX;
use super::stream::{Stream, Told};
use super::*;
use crate::json::scan;
use crate::multipart::Reader;
use crate::sse::Frame;
use bourse_vocab::transcription::Form;

fn boundary() -> Boundary {
    Boundary::drawn(1)
}

fn form(fields: &[(&str, &str)], file: &[u8]) -> Result<Asked, Failure> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                .bytes(),
        );
    }
    body.extend(
        b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\voice.mp3\"\r\n",
    );
    body.extend(b"Content-Type: application/octet-stream\r\n\r\n");
    body.extend(file);
    body.extend(b"\r\n--b--");
    let header = "multipart/form-data; boundary=b";
    let boundary = Boundary::of_content_type(header).unwrap().unwrap();
    let mut reader = Reader::new(&boundary, FILE_BYTES_MAX);
    reader.push(&body).unwrap();
    Asked::of_form(
        Task::Transcribe,
        &reader.finish().unwrap(),
        vec![body.into()],
    )
}

fn inline(body: &str) -> Result<Asked, Failure> {
    let outline = scan(body.as_bytes()).unwrap();
    let segments = vec![Bytes::copy_from_slice(body.as_bytes())];
    Asked::of_json(Task::Transcribe, &outline, &segments)
}

/// The parts of a written form, as `name=value`; a file with its name and type.
fn written(shape: Shape, asked: &Asked) -> Vec<String> {
    let written = codec(shape).write(asked, "upstream", &boundary()).unwrap();
    assert_eq!(written.content_type, boundary().content_type());
    let body = written.body.concat();
    let mut reader = Reader::new(&boundary(), FILE_BYTES_MAX);
    reader.push(&body).unwrap();
    let form = reader.finish().unwrap();
    let losses = written.losses.iter().map(|loss| format!("-{}", loss.field));
    let parts = form.parts.iter().map(|part| {
        let value = String::from_utf8_lossy(&body[part.value.clone()]).into_owned();
        match &part.file_name {
            None => format!("{}={value}", part.name),
            Some(name) => {
                let media_type = part.media_type.as_deref().unwrap_or("?");
                format!("{}={name}:{media_type}:{value}", part.name)
            }
        }
    });
    parts.chain(losses).collect()
}

const MP3: &[u8] = b"ID3\x04\0\0\0\0\0\0sound";

#[test]
fn a_form_is_written_anew_for_each_vendor_with_the_same_sound() {
    let fields = [
        ("model", "acme/stt"),
        ("provider", "{}"),
        ("language", "de"),
        ("timestamp_granularities", "word"),
        ("include[]", "logprobs"),
        ("response_format", "json"),
        ("color", "red"),
    ];
    let asked = form(&fields, MP3).unwrap();
    let sound = format!("file=voice.mp3:audio/mpeg:{}", String::from_utf8_lossy(MP3));
    assert_eq!(
        written(Shape::Whisper, &asked),
        [
            "model=upstream",
            "language=de",
            "timestamp_granularities[]=word",
            "response_format=json",
            &sound,
            "-color",
            "-include[]",
        ]
    );
    // Only verbose JSON says there how long the sound is.
    assert!(written(Shape::Groq, &asked).contains(&"response_format=verbose_json".to_owned()));
    assert_eq!(
        written(Shape::Gpt, &asked),
        [
            "model=upstream",
            "language=de",
            "include[]=logprobs",
            "response_format=json",
            &sound,
            "-color",
            "-timestamp_granularities[]",
        ]
    );
}

#[test]
fn a_sound_in_base64_is_the_same_sound() {
    for data in ["SUQzBAAAAAAAAHNvdW5k", "SUQzBAAAAAAAAHNvdW5k\\u002f\\/8="] {
        let body = format!(
            r#"{{"input_audio":{{"format":"mp3","data":"{data}"}},"model":"m","stream":false,
                "timestamp_granularities":["word","segment"],"temperature":0.50,"prompt":null}}"#
        );
        let asked = inline(&body).unwrap();
        let parts = written(Shape::Whisper, &asked);
        assert_eq!(
            parts[..4],
            [
                "model=upstream",
                "timestamp_granularities[]=word",
                "timestamp_granularities[]=segment",
                "temperature=0.50",
            ]
        );
        assert!(
            parts[5].starts_with("file=audio.mp3:audio/mpeg:ID3"),
            "{}",
            parts[5]
        );
    }
    let broken = inline(r#"{"input_audio":{"data":"a*b=","format":"mp3"}}"#).unwrap();
    let failure = codec(Shape::Whisper)
        .write(&broken, "m", &boundary())
        .unwrap_err();
    assert_eq!(failure.message, "input_audio.data: is not base64");
}

#[test]
fn what_a_model_cannot_do_another_may() {
    let refused = |shape, fields: &[(&str, &str)]| {
        let asked = form(fields, MP3).unwrap();
        let failure = codec(shape).write(&asked, "m", &boundary()).unwrap_err();
        assert_eq!(failure.next, Next::TryAnother);
        failure.message.into_owned()
    };
    assert!(refused(Shape::Whisper, &[("stream", "true")]).starts_with("stream: "));
    for (shape, form) in [
        (Shape::Gpt, "srt"),
        (Shape::Gpt, "verbose_json"),
        (Shape::Groq, "diarized_json"),
    ] {
        let message = refused(shape, &[("response_format", form)]);
        assert!(message.starts_with("response_format: "), "{message}");
    }
    let mut asked = form(&[], MP3).unwrap();
    asked.task = Task::Translate;
    let failure = codec(Shape::Gpt)
        .write(&asked, "m", &boundary())
        .unwrap_err();
    assert!(
        failure.message.starts_with("model: "),
        "{}",
        failure.message
    );
}

#[test]
fn requests_that_are_none_name_the_member() {
    for (fields, member) in [
        (vec![("response_format", "html")], "response_format: "),
        (vec![("stream", "yes")], "stream: "),
        (
            vec![("stream", "true"), ("response_format", "srt")],
            "response_format: ",
        ),
        (vec![("diarize", "true")], "diarize: "),
        (vec![("Model", "m")], "Model: "),
        (vec![("models", "m")], "models: "),
        (vec![("language", "a"), ("language", "b")], "language: "),
    ] {
        let failure = form(&fields, MP3).unwrap_err();
        assert!(failure.message.starts_with(member), "{}", failure.message);
        assert_eq!(failure.status(), 400);
    }
    assert!(form(&[("diarize", "false")], MP3).is_ok());
    for (body, member) in [
        ("{}", "input_audio: "),
        (r#"{"input_audio":"x"}"#, "input_audio: "),
        (r#"{"input_audio":{"format":"mp3"}}"#, "input_audio.data: "),
        (
            r#"{"input_audio":{"data":"","format":"mp3"}}"#,
            "input_audio.data: ",
        ),
        (r#"{"input_audio":{"data":"AAAA"}}"#, "input_audio.format: "),
        (
            r#"{"input_audio":{"data":"AAAA","format":"pcm"}}"#,
            "input_audio.format: ",
        ),
        (
            r#"{"input_audio":{"data":"AAAA","format":"a/b"}}"#,
            "input_audio.format: ",
        ),
        (
            r#"{"input_audio":{"url":"https://a.example"}}"#,
            "input_audio.url: ",
        ),
        (
            r#"{"input_audio":{"data":"AAAA","format":"mp3"},"include":[1]}"#,
            "include: ",
        ),
    ] {
        let failure = inline(body).unwrap_err();
        assert!(failure.message.starts_with(member), "{}", failure.message);
    }
    let digits = "A".repeat((FILE_BYTES_MAX / 3 + 1) * 4);
    let large = format!(r#"{{"input_audio":{{"data":"{digits}","format":"mp3"}}}}"#);
    assert_eq!(inline(&large).unwrap_err().status(), 413);
}

fn bill(nanos: i64) -> Bill {
    Bill {
        total: Nanos(nanos),
        ..Bill::default()
    }
}

#[test]
fn usage_is_read_by_seconds_and_by_tokens() {
    let read = |shape, body: &'static str| codec(shape).read(&Bytes::from_static(body.as_bytes()));
    let seconds = read(
        Shape::Whisper,
        r#"{"text":"a","usage":{"type":"duration","seconds":9.2001}}"#,
    );
    let seconds = seconds.unwrap();
    assert_eq!(seconds.usage.units.audio_ms, Some(9_201));
    assert_eq!(seconds.members.len(), 1);
    let tokens = read(
        Shape::Gpt,
        r#"{"text":"a","usage":{"type":"tokens","input_tokens":83,"output_tokens":30,
            "input_token_details":{"audio_tokens":80}}}"#,
    );
    let usage = tokens.unwrap().usage;
    assert_eq!(
        (usage.prompt, usage.completion, usage.prompt_audio),
        (Some(83), Some(30), Some(80))
    );
    assert!(!usage.units.any());
    // Verbose JSON says how long the sound is, and Groq bills ten seconds.
    let verbose = r#"{"text":"a","duration":2.5,"x_groq":{"id":"1"}}"#;
    assert_eq!(
        read(Shape::Whisper, verbose).unwrap().usage.units.audio_ms,
        Some(2_500)
    );
    let groq = read(Shape::Groq, verbose).unwrap();
    assert_eq!(groq.usage.units.audio_ms, Some(10_000));
    assert!(!groq.members.contains_key("x_groq"));
    for broken in [
        "[]",
        "{",
        r#"{"texts":""}"#,
        r#"{"text":"a","error":{}}"#,
        r#"{"text":"a","segments":[{"start":1}]}"#,
    ] {
        assert_eq!(
            read(Shape::Whisper, broken).unwrap_err().status(),
            502,
            "{broken}"
        );
    }
    let nonsense = r#"{"text":"a","usage":{"type":"duration","seconds":-1}}"#;
    assert!(read(Shape::Whisper, nonsense).unwrap().usage.nonsense);
}

#[test]
fn a_transcript_is_told_in_the_form_that_was_asked_for() {
    let body = r#"{"text":"Hi. Bye.","language":"en","segments":[
        {"start":0,"end":1.5,"text":" Hi.\n\n"},{"start":3661.25,"end":3662,"text":"--> Bye."}]}"#;
    let reply = codec(Shape::Whisper)
        .read(&Bytes::from_static(body.as_bytes()))
        .unwrap();
    let mut usage = Usage::default();
    usage.units.audio_ms = 3_662_010;
    let told = |form| String::from_utf8(reply::whole(&reply, form, &usage, &bill(7))).unwrap();
    assert_eq!(
        told(Form::Json),
        r#"{"text":"Hi. Bye.","usage":{"type":"duration","seconds":3662.01,"cost":0.000000007}}"#
    );
    assert!(told(Form::VerboseJson).contains(r#""language":"en","segments":[{"start":0,"#));
    assert_eq!(told(Form::Text), "Hi. Bye.\n");
    assert_eq!(
        told(Form::Srt),
        "1\n00:00:00,000 --> 00:00:01,500\nHi.\n\n2\n01:01:01,250 --> 01:01:02,000\n--> Bye.\n\n"
    );
    assert_eq!(
        told(Form::Vtt),
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHi.\n\n01:01:01.250 --> 01:01:02.000\n-> Bye.\n\n"
    );
    assert!(reply::has(&reply, Form::Srt));
    let bare = codec(Shape::Whisper)
        .read(&Bytes::from_static(br#"{"text":"a"}"#))
        .unwrap();
    assert!(!reply::has(&bare, Form::Srt) && reply::has(&bare, Form::Text));
}

#[test]
fn a_stream_goes_on_as_it_came_and_its_last_event_waits_for_the_price() {
    let mut stream = Stream::default();
    let mut out = Vec::new();
    let mut frame = |data: &str, out: &mut Vec<u8>| {
        let frame = Frame {
            event: "",
            data: data.as_bytes(),
        };
        stream.frame(&frame, out).unwrap()
    };
    let delta = r#"{"type":"transcript.text.delta","delta":"Hé","logprobs":[1.50]}"#;
    assert_eq!(frame(delta, &mut out), Told::Text(3));
    assert_eq!(frame(r#"{"type":"later"}"#, &mut out), Told::Nothing);
    let done = r#"{"type":"transcript.text.done","text":"Hé",
        "usage":{"type":"tokens","input_tokens":5,"output_tokens":2}}"#;
    assert_eq!(frame(done, &mut out), Told::Done);
    assert_eq!(frame("[DONE]", &mut out), Told::Nothing);
    assert_eq!(
        String::from_utf8(out.clone()).unwrap(),
        format!("data: {delta}\n\ndata: {{\"type\":\"later\"}}\n\n")
    );
    assert_eq!(stream.usage.prompt, Some(5));
    let usage = Usage {
        prompt: 5,
        completion: 2,
        ..Usage::default()
    };
    out.clear();
    stream.finish(&usage, &bill(1), &mut out);
    let told = String::from_utf8(out).unwrap();
    assert!(told.starts_with(r#"data: {"type":"transcript.text.done","text":"Hé","usage":{"type":"tokens","input_tokens":5,"#), "{told}");
    assert!(told.ends_with("\"cost\":0.000000001}}\n\n"), "{told}");
    for broken in [
        "{",
        "1",
        r#"{"error":{"message":"no"}}"#,
        r#"{"type":"error"}"#,
    ] {
        let frame = Frame {
            event: "",
            data: broken.as_bytes(),
        };
        let failed = Stream::default().frame(&frame, &mut Vec::new());
        assert_eq!(failed.unwrap_err().status(), 502, "{broken}");
    }
}

#[test]
fn other_vendors_are_asked_in_their_own_words() {
    let fields = [
        ("model", "acme/stt"),
        ("language", "de"),
        ("prompt", "names"),
        ("response_format", "srt"),
    ];
    let asked = form(&fields, MP3).unwrap();
    let sound = format!("file=voice.mp3:audio/mpeg:{}", String::from_utf8_lossy(MP3));
    assert_eq!(
        written(Shape::Mistral, &asked),
        [
            "model=upstream",
            "language=de",
            "timestamp_granularities=segment",
            &sound,
            "-prompt",
        ]
    );
    assert_eq!(
        written(Shape::Xai, &asked),
        ["language=de", &sound, "-prompt"]
    );
    assert_eq!(
        written(Shape::ElevenLabs, &asked),
        [
            "model_id=upstream",
            "tag_audio_events=false",
            "timestamps_granularity=word",
            "language_code=de",
            &sound,
            "-prompt",
        ]
    );
    let deepgram = codec(Shape::Deepgram);
    let sent = deepgram.write(&asked, "upstream", &boundary()).unwrap();
    assert_eq!(sent.body.concat(), MP3);
    assert_eq!(sent.content_type, "audio/mpeg");
    assert_eq!(deepgram.tail(&asked).unwrap().unwrap(), "&language=de");
    let unsaid = form(&[("model", "m")], MP3).unwrap();
    let tail = deepgram.tail(&unsaid).unwrap().unwrap();
    assert_eq!(tail, "&detect_language=true");
    let odd = form(&[("model", "m"), ("language", "de&callback=x")], MP3).unwrap();
    let refused = deepgram.write(&odd, "m", &boundary()).unwrap_err();
    assert!(refused.message.starts_with("language: "));
    let shapes: Vec<_> = Shape::ALL.iter().map(|one| codec(*one).shape()).collect();
    assert_eq!(shapes, Shape::ALL);
}

#[test]
fn what_they_do_not_do_another_is_asked() {
    for shape in [
        Shape::Mistral,
        Shape::Xai,
        Shape::ElevenLabs,
        Shape::Deepgram,
    ] {
        for field in [("stream", "true"), ("response_format", "diarized_json")] {
            let asked = form(&[("model", "m"), field], MP3).unwrap();
            let refused = codec(shape).write(&asked, "m", &boundary()).unwrap_err();
            assert_eq!(refused.next, Next::TryAnother, "{shape:?} {field:?}");
        }
    }
}

#[test]
fn words_with_their_times_become_what_openais_clients_read() {
    let words = |name: &str| {
        format!(
            r#"[{{"{name}":"One","start":0.0,"end":0.5,"type":"word"}},{{"{name}":" ","start":0.5,"end":0.6,"type":"spacing"}},{{"{name}":"two.","start":0.6,"end":1.0,"type":"word"}},{{"{name}":"Three","start":3.25,"end":4.0,"type":"word"}}]"#
        )
    };
    for (shape, body) in [
        (
            Shape::Xai,
            format!(
                r#"{{"text":"One two. Three","language":"English","duration":4.5,"words":{}}}"#,
                words("text")
            ),
        ),
        (
            Shape::ElevenLabs,
            format!(
                r#"{{"language_code":"English","text":"One two. Three","audio_duration_secs":4.5,"words":{}}}"#,
                words("text")
            ),
        ),
        (
            Shape::Deepgram,
            format!(
                r#"{{"metadata":{{"duration":4.5}},"results":{{"channels":[{{"detected_language":"English","alternatives":[{{"transcript":"One two. Three","words":{}}}]}}]}}}}"#,
                words("word")
            ),
        ),
    ] {
        let read = codec(shape).read(&Bytes::from(body)).unwrap();
        assert_eq!(read.usage.units.audio_ms, Some(4_500), "{shape:?}");
        let told = |form| {
            let told = reply::whole(&read, form, &Usage::default(), &Bill::default());
            String::from_utf8(told).unwrap()
        };
        assert_eq!(
            told(Form::Srt),
            "1\n00:00:00,000 --> 00:00:01,000\nOne two.\n\n2\n00:00:03,250 --> 00:00:04,000\nThree\n\n",
            "{shape:?}"
        );
        let verbose = told(Form::VerboseJson);
        for part in [
            r#""language":"English""#,
            r#""duration":4.5"#,
            r#"{"id":1,"start":3.250,"end":4.000,"text":"Three"}"#,
            r#"{"word":"two.","start":0.6,"end":1.0}"#,
        ] {
            assert!(verbose.contains(part), "{shape:?} {part} {verbose}");
        }
    }
}

#[test]
fn transcripts_that_are_none_are_the_providers_failure() {
    for shape in [Shape::Xai, Shape::ElevenLabs, Shape::Deepgram] {
        for body in [
            "7",
            "{}",
            r#"{"error":"no"}"#,
            r#"{"text":7}"#,
            r#"{"text":"a","words":[{"text":"a"}]}"#,
            r#"{"text":"a","words":[{"text":"a","start":"x","end":1}]}"#,
            r#"{"results":{"channels":[]}}"#,
        ] {
            let failure = codec(shape).read(&Bytes::from_static(body.as_bytes()));
            assert_eq!(
                failure.unwrap_err().next,
                Next::TryAnother,
                "{shape:?} {body}"
            );
        }
    }
    let mistrals = r#"{"model":"m","text":"a","language":null,"usage":{"prompt_audio_seconds":7,"prompt_tokens":4,"total_tokens":9,"completion_tokens":5}}"#;
    let read = codec(Shape::Mistral).read(&Bytes::from_static(mistrals.as_bytes()));
    let usage = read.unwrap().usage;
    assert_eq!((usage.units.audio_ms, usage.prompt), (Some(7_000), None));
}
