//! Sounds: what the phases are told of a request, which ways serve it, and how
//! an answer is told that is bytes and no JSON.

use bourse_vocab::speech;
use bourse_vocab::transcription::Shape;
use bourse_wire::multipart::{Boundary, Reader};

use super::super::speech::Speech;
use super::super::transcriptions::TRANSCRIPTIONS;
use super::super::translations::TRANSLATIONS;
use super::*;

const SPEECH: &str = r#"{"model":"m","input":"12345","voice":"a","speed":0.5}"#;

fn spoken(shape: speech::Shape) -> Way {
    way_to(Interface::speech(shape))
}

/// A form with a second of silence and these members.
fn heard(endpoint: &dyn TakesForms, members: &[(&str, &str)]) -> Result<Incoming, Failure> {
    let mut body = Vec::new();
    for (name, value) in members {
        let part =
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.bytes());
    }
    body.extend(
        b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n",
    );
    body.extend(b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0");
    body.extend([0xe8, 3, 0, 0, 0xd0, 7, 0, 0, 2, 0, 16, 0]);
    body.extend(b"data\xd0\x07\0\0");
    body.extend([0; 2_000]);
    body.extend(b"\r\n--b--");
    let header = "multipart/form-data; boundary=b";
    let boundary = Boundary::of_content_type(header).unwrap().unwrap();
    let mut reader = Reader::new(&boundary, endpoint.file_bytes_max());
    reader.push(&body).unwrap();
    let form = ScannedForm {
        form: reader.finish().unwrap(),
        segments: vec![body.into()],
    };
    let (head, ()) = http::Request::builder().body(()).unwrap().into_parts();
    let caller = Caller {
        identity: &Identity::of(StoreId([7; 16])),
        account: AccountId(1),
    };
    endpoint.read_form(&head, form, caller)
}

#[test]
fn what_may_be_used_at_most_is_known_before_anybody_is_asked() {
    let (head, ()) = http::Request::builder().body(()).unwrap().into_parts();
    let body = Scanned {
        outline: scan(SPEECH.as_bytes()).unwrap(),
        segments: vec![Bytes::from_static(SPEECH.as_bytes())],
    };
    let caller = Caller {
        identity: &Identity::of(StoreId([7; 16])),
        account: AccountId(1),
    };
    let ask = Speech.read(&head, body, caller).unwrap().ask;
    assert!(ask.stream, "it is passed on as it comes");
    assert_eq!(ask.units.characters, 5);
    // Eight tokens for a character, and half as fast takes twice as many.
    assert_eq!(ask.max_output, Some(80));
    assert_eq!(ask.needs.output, Modalities::of(&[Modality::Speech]));

    let ask = heard(&TRANSCRIPTIONS, &[("model", "m"), ("prompt", "names")]);
    let ask = ask.unwrap().ask;
    assert!(!ask.stream);
    // A second, and ten of them that some vendors bill.
    assert_eq!((ask.facts.token_ids, ask.units.audio_ms), (10, 10_000));
    assert_eq!(ask.needs.text_bytes, 5);
    assert_eq!(ask.needs.input, Modalities::of(&[Modality::Audio]));
    let sampled = [("model", "m"), ("known_speaker_references[]", "data:…")];
    let ask = heard(&TRANSCRIPTIONS, &sampled).unwrap().ask;
    assert_eq!(ask.units.audio_ms, 11_000, "the sample is heard as well");
}

#[test]
fn each_operation_has_its_own_ways_and_chat_is_none() {
    let (whisper, events) = (Shape::Whisper, speech::Shape::OpenAiEvents);
    let ways = [
        spoken(events),
        way_to(Interface::transcription(whisper)),
        way_to(Interface::spoken_translation(whisper)),
        way_to(Interface::chat(Format::OpenAiChat)),
    ];
    let ranks = |endpoint: &dyn Endpoint| ways.each_ref().map(|way| endpoint.rank(way));
    assert_eq!(ranks(&Speech), [Some(0), None, None, None]);
    assert_eq!(ranks(&TRANSCRIPTIONS), [None, Some(0), None, None]);
    assert_eq!(ranks(&TRANSLATIONS), [None, None, Some(0), None]);
    assert_eq!(ranks(&chat::Chat), [None, None, None, Some(0)]);
}

#[test]
fn a_form_is_sent_on_with_a_boundary_that_nobody_could_know() {
    let way = way_to(Interface::transcription(Shape::Whisper));
    let target = WriteTarget {
        model: "upstream",
        max_output: None,
        limit: None,
        efforts: way.efforts,
        tier: bourse_vocab::TierWish::default(),
        dialect: &way.dialect,
    };
    let types: Vec<_> = (0..2)
        .map(|_| {
            let request = heard(&TRANSCRIPTIONS, &[("model", "m")]).unwrap().request;
            let content_type = request.content_type(&way).unwrap();
            let body = request.write(&way, &target).unwrap().body.concat();
            let boundary = content_type.to_str().unwrap().split_once('=').unwrap().1;
            assert!(body.starts_with(format!("--{boundary}\r\n").as_bytes()));
            content_type
        })
        .collect();
    assert_ne!(types[0], types[1]);
}

#[test]
fn a_sound_is_told_as_it_comes_and_has_no_room_for_an_error() {
    let asked = request(&Speech, SPEECH, 64);
    let way = spoken(speech::Shape::OpenAi);
    assert!(asked.is_announced_by(&way, "audio/wav"));
    assert!(!asked.is_announced_by(&way, "application/json"));
    let mut feed = asked.feed(&way, &STAMP);
    feed.announced("audio/x-unusual");
    assert_eq!(feed.media_type().unwrap(), "audio/x-unusual");
    let mut out = Vec::new();
    for piece in [&b"\0\xff"[..], b"", b"\r\n\r\n"] {
        feed.feed(&Bytes::copy_from_slice(piece), &mut out).unwrap();
    }
    assert_eq!(out, b"\0\xff\r\n\r\n");
    feed.fail(&Failure::unavailable("it broke"), &mut out);
    assert_eq!(out.len(), 6);
    assert!(feed.breaks_off() && feed.has_content() && !feed.is_complete());
    assert_eq!(feed.report().usage.units.characters, Some(5));
    feed.end(&mut out).unwrap();
    assert!(feed.is_complete());
    // Nothing at all is no sound, and another target may have one.
    let mut empty = asked.feed(&way, &STAMP);
    assert!(empty.end(&mut out).is_err());
    assert!(
        asked
            .whole(&way, &STAMP, &Bytes::from_static(b"{}"))
            .is_err()
    );
}

#[test]
fn a_sound_in_events_is_the_same_at_every_cut() {
    let stream = "data: {\"type\":\"speech.audio.delta\",\"audio\":\"AAEC\"}\n\n\
        data: {\"type\":\"speech.audio.delta\",\"audio\":\"Aw==\"}\n\n\
        data: {\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":2,\"output_tokens\":9}}\n\n";
    let asked = request(&Speech, SPEECH, 64);
    let way = spoken(speech::Shape::OpenAiEvents);
    assert!(asked.is_announced_by(&way, "text/event-stream"));
    for cut in 1..stream.len() {
        let (first, second) = stream.as_bytes().split_at(cut);
        let mut feed = asked.feed(&way, &STAMP);
        let mut out = Vec::new();
        feed.feed(&Bytes::from_static(first), &mut out).unwrap();
        assert!(!feed.is_complete());
        let mut early = Vec::new();
        assert!(feed.end(&mut early).is_err() && early.is_empty());
        feed.feed(&Bytes::from_static(second), &mut out).unwrap();
        assert_eq!(out, [0, 1, 2, 3], "{cut}");
        assert!(feed.is_complete() && feed.breaks_off());
        assert_eq!(feed.report().usage.completion_audio, Some(9));
    }
}

#[test]
fn a_stream_that_is_no_chat_ends_in_an_error_that_its_clients_see() {
    let failure = Failure::unavailable("it broke");
    let told = TRANSCRIPTIONS.late_failure(&failure, &STAMP);
    let text = std::str::from_utf8(&told).unwrap();
    let data = text
        .strip_prefix("data: ")
        .unwrap()
        .strip_suffix("\n\n")
        .unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["error"]["message"], "it broke");
    let members = [("model", "m"), ("stream", "true")];
    let request = heard(&TRANSCRIPTIONS, &members).unwrap().request;
    let mut feed = request.feed(&way_to(Interface::transcription(Shape::Gpt)), &STAMP);
    let mut out = Vec::new();
    let delta = b"data: {\"type\":\"transcript.text.delta\",\"delta\":\"a\"}\n\n";
    feed.feed(&Bytes::from_static(delta), &mut out).unwrap();
    assert!(feed.end(&mut out).is_err(), "the last event is missing");
    feed.fail(&failure, &mut out);
    assert_eq!(out, [&delta[..], &told].concat());
    assert!(!feed.breaks_off());
}
