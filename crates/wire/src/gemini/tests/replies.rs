//! Whole replies, and what is none.

use bourse_vocab::chat::{Finish, Part};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{FailureKind, Usage};

use super::{STAMP, bill};
use crate::codec::Codec;
use crate::gemini::Gemini;
use crate::openai_chat::OpenAiChat;

fn reply() -> Value {
    json!({
        "candidates": [{
            "index": 0, "finishReason": "STOP",
            "content": {"role": "model", "parts": [
                {"text": "Hm, ", "thought": true}, {"text": "Oslo.", "thought": true},
                {"text": "Let me "}, {"text": "look."},
                {"functionCall": {"name": "weather", "args": {"city": "Oslo"}},
                 "thoughtSignature": "U0lH"},
                {"functionCall": {"id": "x9", "name": "time"}},
                {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]},
        }],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5,
            "thoughtsTokenCount": 7, "totalTokenCount": 22},
        "modelVersion": "gemini-3.8-flash", "responseId": "r1",
    })
}

#[test]
fn a_reply_keeps_thoughts_calls_and_signatures_apart() {
    let reply = Gemini.read_reply(reply().to_string().as_bytes()).unwrap();
    let choice = &reply.choices[0];
    assert_eq!(choice.finish, Some(Finish::ToolCalls));
    assert_eq!(choice.native_finish.as_deref(), Some("STOP"));
    let calls: Vec<_> = choice
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall { id, arguments, .. } => Some((id.as_str(), arguments.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(calls, [("call_r1_0", "{\"city\":\"Oslo\"}"), ("x9", "{}")]);
    let chat: Value = bourse_vocab::json::parse(&OpenAiChat.write_reply(&reply, &STAMP)).unwrap();
    let message = &chat["choices"][0]["message"];
    assert_eq!(message["reasoning"], "Hm, Oslo.");
    assert_eq!(message["content"], "Let me look.");
    assert_eq!(
        message["reasoning_details"][1],
        json!({"type": "reasoning.encrypted", "data": "U0lH", "id": "call_r1_0",
            "format": "google-gemini-v1", "index": 1})
    );
}

#[test]
fn a_reply_written_for_a_google_client_says_the_same() {
    let mut whole = Gemini.read_reply(reply().to_string().as_bytes()).unwrap();
    whole.settled = Some((
        Usage {
            prompt: 10,
            completion: 12,
            reasoning: 7,
            ..Usage::default()
        },
        bill(),
    ));
    let body: Value = bourse_vocab::json::parse(&Gemini.write_reply(&whole, &STAMP)).unwrap();
    let dollars = |text: &str| bourse_vocab::json::parse(text.as_bytes()).unwrap();
    assert_eq!(
        body,
        json!({
            "candidates": [{
                "index": 0, "finishReason": "STOP",
                "content": {"role": "model", "parts": [
                    {"text": "Hm, Oslo.", "thought": true}, {"text": "Let me look."},
                    {"functionCall": {"id": "call_r1_0", "name": "weather", "args": {"city": "Oslo"}},
                     "thoughtSignature": "U0lH"},
                    {"functionCall": {"id": "x9", "name": "time", "args": {}}},
                    {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]},
            }],
            "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5,
                "thoughtsTokenCount": 7, "totalTokenCount": 22, "cost": dollars("0.000000003"),
                "cost_details": {"upstream_inference_cost": dollars("0.000000003"),
                    "upstream_inference_prompt_cost": dollars("0.000000001"),
                    "upstream_inference_completions_cost": dollars("0.000000002")}},
            "modelVersion": "google/gemini-3.8-flash", "responseId": "gen-1", "provider": "Google",
        })
    );
}

#[test]
fn replies_without_an_answer_are_failures() {
    for (body, kind) in [
        (
            json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}),
            FailureKind::ContentPolicy,
        ),
        (
            json!({"candidates": [], "usageMetadata": {}}),
            FailureKind::Unavailable,
        ),
        (
            json!({"error": {"code": 503, "status": "UNAVAILABLE", "message": "busy"}}),
            FailureKind::Overloaded,
        ),
        (json!([]), FailureKind::Unavailable),
        (
            json!({"candidates": [{"index": -1}]}),
            FailureKind::Unavailable,
        ),
    ] {
        let failure = Gemini.read_reply(body.to_string().as_bytes()).unwrap_err();
        assert_eq!(failure.kind, kind, "{body}");
    }
}

#[test]
fn only_a_good_end_is_called_one() {
    for (native, finish) in [
        ("STOP", Finish::Stop),
        ("MAX_TOKENS", Finish::Length),
        ("SAFETY", Finish::ContentFilter),
        ("IMAGE_SAFETY", Finish::ContentFilter),
        ("MALFORMED_FUNCTION_CALL", Finish::Error),
        ("SOMETHING_NEW", Finish::Error),
    ] {
        let body = json!({"candidates": [{"finishReason": native}]});
        let reply = Gemini.read_reply(body.to_string().as_bytes()).unwrap();
        assert_eq!(reply.choices[0].finish, Some(finish), "{native}");
        assert_eq!(reply.choices[0].parts, []);
    }
}

#[test]
fn a_reply_with_more_answers_than_a_client_may_ask_for_is_none() {
    let reply = |answers: usize| {
        let candidate = json!({"index": 0, "content": {"parts": [{"text": "a"}]}});
        let body = json!({"candidates": Value::Array(vec![candidate; answers])});
        Gemini.read_reply(body.to_string().as_bytes())
    };
    assert_eq!(reply(128).unwrap().choices.len(), 128);
    assert_eq!(reply(129).unwrap_err().kind, FailureKind::Unavailable);
}
