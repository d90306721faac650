use bourse_vocab::chat::{Event, Finish, Part};
use bourse_vocab::json;

use super::super::completions::*;
use super::*;

fn read_old(body: &Value) -> Result<Request, Failure> {
    let text = body.to_string().into_bytes();
    let outline = crate::json::scan(&text).unwrap();
    read_completion_request(&outline, &[text.into()])
}

#[test]
fn a_prompt_becomes_one_user_message() {
    for prompt in [json!("Once"), json!(["Once"])] {
        let body = json!({"model": "m", "prompt": prompt, "max_tokens": 5, "logprobs": 2, "echo": false, "best_of": 1});
        let request = read_old(&body).unwrap();
        assert_eq!(request.messages[0].parts, [Part::text("Once")]);
        assert_eq!(request.max_tokens, Some(5));
        assert_eq!(request.sampling.logprobs, Some(true));
        assert_eq!(request.sampling.top_logprobs, Some(2));
    }
}

#[test]
fn what_chat_cannot_do_is_refused_by_name() {
    for (more, field) in [
        (json!({}), "prompt"),
        (json!({"prompt": ["a", "b"]}), "prompt"),
        (json!({"prompt": [1, 2]}), "prompt"),
        (json!({"prompt": [1]}), "prompt"),
        (json!({"prompt": "a", "suffix": "b"}), "suffix"),
        (json!({"prompt": "a", "echo": true}), "echo"),
        (json!({"prompt": "a", "best_of": 3}), "best_of"),
        (json!({"prompt": "a", "logprobs": 9}), "logprobs"),
    ] {
        let failure = read_old(&more).unwrap_err();
        assert!(
            failure.message.starts_with(&format!("{field}: ")),
            "{}",
            failure.message
        );
    }
}

#[test]
fn a_reply_is_one_text() {
    let reply = OpenAiChat
        .read_reply(br#"{"id":"x","choices":[{"index":0,"message":{"content":"upon a time"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":3}}"#)
        .unwrap();
    let written: Value =
        bourse_vocab::json::parse(&write_completion_reply(&reply, &STAMP)).unwrap();
    assert_eq!(
        written,
        json!({"id": "gen-1-000000000000000", "object": "text_completion", "created": 7, "model": "acme/model",
            "provider": "Acme", "system_fingerprint": null,
            "choices": [{"text": "upon a time", "index": 0, "logprobs": null, "finish_reason": "stop", "native_finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}})
    );
}

#[test]
fn a_stream_is_bits_of_text() {
    let mut writer = completion_stream_writer(&STAMP);
    let mut out = Vec::new();
    for event in [
        Event::Text {
            choice: 0,
            text: "upon".into(),
            logprobs: None,
        },
        Event::ToolStart {
            choice: 0,
            index: 0,
            id: "a".into(),
            name: "f".into(),
        },
        Event::Finish {
            choice: 0,
            reason: Finish::Stop,
            native: None,
        },
        Event::Done,
    ] {
        writer.event(&event, &mut out);
    }
    let head = r#"data: {"id":"gen-1-000000000000000","object":"text_completion","created":7,"model":"acme/model","provider":"Acme","choices":[{"index":0,"text":"#;
    assert_eq!(
        String::from_utf8(out).unwrap(),
        format!(
            "{head}\"upon\",\"finish_reason\":null,\"native_finish_reason\":null,\"logprobs\":null}}]}}\n\n\
             {head}\"\",\"finish_reason\":\"stop\",\"native_finish_reason\":null,\"logprobs\":null}}]}}\n\n\
             data: [DONE]\n\n"
        )
    );
}

#[test]
fn scores_have_the_older_shape_and_places_in_the_whole_text() {
    let mut writer = completion_stream_writer(&STAMP);
    let mut out = Vec::new();
    for (text, score) in [("Hé", -1), ("llo", -2)] {
        let event = Event::Text {
            choice: 0,
            text: text.into(),
            logprobs: Some(json!({"content": [{"token": text, "logprob": score}]})),
        };
        writer.event(&event, &mut out);
    }
    let text = String::from_utf8(out).unwrap();
    for (number, expected) in [
        (
            0,
            json!({"tokens": ["Hé"], "token_logprobs": [-1], "top_logprobs": [null], "text_offset": [0]}),
        ),
        (
            1,
            json!({"tokens": ["llo"], "token_logprobs": [-2], "top_logprobs": [null], "text_offset": [2]}),
        ),
    ] {
        let chunk = text.split("\n\n").nth(number).unwrap();
        let chunk = bourse_vocab::json::parse(&chunk.as_bytes()[6..]).unwrap();
        assert_eq!(chunk["choices"][0]["logprobs"], expected);
    }
}
