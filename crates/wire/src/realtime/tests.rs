use bourse_vocab::UsageReport;

use super::server::End;
use super::*;

fn asked(text: &str) -> Asked {
    read_asked(text).unwrap_or_else(|refused| panic!("{text}: {refused:?}"))
}

#[track_caller]
fn refused(text: &str, param: &str, says: &str) {
    let refused = read_asked(text).unwrap_err();
    assert_eq!(refused.param.as_deref(), Some(param), "{text}");
    assert!(refused.message.contains(says), "{}", refused.message);
}

#[test]
fn events_say_what_they_add_to_the_conversation() {
    let session = r#"{"type":"session.update","session":{"type":"realtime","instructions":"Hi","max_output_tokens":200,
        "audio":{"input":{"turn_detection":{"type":"server_vad"},"transcription":null},"output":{"voice":"marin"}},
        "tools":[{"type":"function","name":"f"}],"tool_choice":"auto","tracing":null}}"#;
    let bytes = session.len() as u64;
    let most = Some(Most::Tokens(200));
    assert_eq!(asked(session), Asked::Session { most, bytes });
    let sound = r#"{"type":"input_audio_buffer.append","audio":"AAAA"}"#;
    assert_eq!(asked(sound), Asked::Sound(6));
    let plain = r#"{"type":"response.create"}"#;
    let bytes = plain.len() as u64;
    assert_eq!(asked(plain), Asked::Answer { most: None, bytes });
    let long = r#"{"type":"response.create","response":{"max_output_tokens":"inf"}}"#;
    assert!(matches!(
        asked(long),
        Asked::Answer {
            most: Some(Most::All),
            ..
        }
    ));
    let item = r#"{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}}"#;
    assert_eq!(asked(item), Asked::Item(item.len() as u64));
    assert_eq!(asked(r#"{"type":"response.cancel"}"#), Asked::Other);
}

#[test]
fn what_could_cost_money_that_nobody_set_aside_is_refused() {
    let session = |members: &str| format!(r#"{{"type":"session.update","session":{{{members}}}}}"#);
    for (members, param, says) in [
        (r#""prompt":{"id":"p"}"#, "session.prompt", "instructions"),
        (r#""tracing":"auto""#, "session.tracing", "traces"),
        (r#""model":"m""#, "session.model", "connection"),
        (r#""type":"transcription""#, "session.type", "realtime"),
        (r#""new":1"#, "session.new", "not known"),
        (
            r#""audio":{"input":{"transcription":{"model":"whisper-1"}}}"#,
            "session.audio.input.transcription",
            "another model",
        ),
        (
            r#""audio":{"input":{"turn_detection":{"type":"server_vad","new":1}}}"#,
            "session.audio.input.turn_detection.new",
            "not known",
        ),
        (
            r#""audio":{"output":{"new":1}}"#,
            "session.audio.output.new",
            "not known",
        ),
        (
            r#""tools":[{"type":"mcp","server_url":"https://a.example"}]"#,
            "session.tools[0].type",
            "functions",
        ),
        (
            r#""tool_choice":{"type":"mcp","server_label":"a"}"#,
            "session.tool_choice.type",
            "functions",
        ),
        (
            r#""max_output_tokens":0"#,
            "session.max_output_tokens",
            "above zero",
        ),
    ] {
        refused(&session(members), param, says);
    }
    refused(r#"{"type":"session.new"}"#, "type", "session.new");
    refused(
        r#"{"type":"conversation.item.create","item":{"type":"message","content":[{"type":"input_image"}]}}"#,
        "item.content[0].type",
        "input_image",
    );
    refused(
        r#"{"type":"response.create","response":{"input":[{"type":"mcp_approval_response"}]}}"#,
        "response.input[0].type",
        "mcp",
    );
}

#[test]
fn an_event_that_can_be_read_in_two_ways_is_none() {
    for text in [
        r#"{"type":"response.cancel","type":"response.create"}"#,
        r#"{"type":"response.cancel","\u0074ype":"response.create"}"#,
        "[]",
        "{",
        r#"{"type":"response.cancel"} {}"#,
    ] {
        let refused = read_asked(text).unwrap_err();
        assert_eq!(refused.param, None, "{text}");
    }
    let twice = r#"{"type":"session.update","event_id":"e1","session":{"tools":[],"tools":[]}}"#;
    let refused = read_asked(twice).unwrap_err();
    assert_eq!(refused.event_id.as_deref(), Some("e1"));
}

#[test]
fn an_end_tells_each_kind_of_token() {
    let text = r#"{"type":"response.done","response":{"id":"resp_1","status":"incomplete",
        "status_details":{"type":"incomplete","reason":"max_output_tokens"},
        "usage":{"total_tokens":253,"input_tokens":132,"output_tokens":121,
        "input_token_details":{"text_tokens":119,"audio_tokens":13,"cached_tokens":64,
        "cached_tokens_details":{"text_tokens":60,"audio_tokens":4}},
        "output_token_details":{"text_tokens":30,"audio_tokens":91}}}}"#;
    let usage = UsageReport {
        prompt: Some(132),
        completion: Some(121),
        cache_read: Some(64),
        cache_read_audio: Some(4),
        prompt_audio: Some(13),
        completion_audio: Some(91),
        ..UsageReport::default()
    };
    let end = End {
        answer: "resp_1".to_owned(),
        status: "incomplete".to_owned(),
        reason: "max_output_tokens".to_owned(),
        usage,
    };
    assert_eq!(read_told(text), Told::Ended(Box::new(end)));
    assert_eq!(
        with_bill(r#"{"type":"response.done"}"#, "gen-1", "0.001"),
        r#"{"generation_id":"gen-1","cost":0.001,"type":"response.done"}"#
    );
}

#[test]
fn more_of_an_answer_is_counted_by_what_it_is() {
    let more = |text: u64, sound: u64| Told::More {
        answer: "r".to_owned(),
        text,
        sound,
    };
    let of = |kind: &str| format!(r#"{{"type":"{kind}","response_id":"r","delta":"AAAA"}}"#);
    assert_eq!(read_told(&of("response.output_audio.delta")), more(0, 4));
    for kind in [
        "response.output_text.delta",
        "response.output_audio_transcript.delta",
        "response.function_call_arguments.delta",
    ] {
        assert_eq!(read_told(&of(kind)), more(4, 0), "{kind}");
    }
    assert_eq!(read_told("nonsense"), Told::Other);
}
