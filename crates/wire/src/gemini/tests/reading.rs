//! Requests in Google's format, read.

use bourse_vocab::FailureKind;
use bourse_vocab::chat::Part;
use bourse_vocab::json;

use super::again;
use crate::codec::Codec;
use crate::gemini::Gemini;

#[test]
fn googles_own_request_comes_back_as_it_was() {
    let body = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"},
                {"inlineData": {"mimeType": "audio/mp3", "data": "AAAA"}},
                {"fileData": {"mimeType": "video/mp4", "fileUri": "https://a.example/b.mp4"}}]},
            {"role": "model", "parts": [
                {"text": "Look.", "thoughtSignature": "QQ=="},
                {"executableCode": {"language": "PYTHON", "code": "1"}},
                {"functionCall": {"id": "x1", "name": "f", "args": {"a": [1]}},
                 "thoughtSignature": "Qg=="}]},
            {"role": "user", "parts": [{"functionResponse": {"id": "x1", "name": "f",
                "response": {"output": "3"}}}]}],
        "tools": [
            {"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]},
            {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"},
            "retrievalConfig": {"languageCode": "en"}},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
        "cachedContent": "cachedContents/1",
        "generationConfig": {"temperature": 0.5, "topP": 0.9, "topK": 40, "maxOutputTokens": 99,
            "stopSequences": ["END"], "candidateCount": 2, "seed": -7, "presencePenalty": 0.5,
            "frequencyPenalty": -0.5, "responseLogprobs": true, "logprobs": 3,
            "responseModalities": ["TEXT", "IMAGE"], "mediaResolution": "MEDIA_RESOLUTION_LOW",
            "thinkingConfig": {"includeThoughts": true, "thinkingLevel": "low"}},
    });
    let (back, losses) = again(&body, "gemini-3-flash-preview");
    assert_eq!(back, body);
    assert_eq!(losses, []);
}

#[test]
fn requests_in_snake_case_are_understood() {
    let (back, losses) = again(
        &json!({
            "system_instruction": {"parts": {"text": "S"}},
            "contents": {"parts": [{"inline_data": {"mime_type": "image/png", "data": "AAAA"}}]},
            "tools": [{"function_declarations": [{"name": "f",
                "parameters": {"type": "OBJECT", "properties": {"a_b": {"type": "STRING"}}}}]}],
            "tool_config": {"function_calling_config":
                {"mode": "ANY", "allowed_function_names": ["f"]}},
            "generation_config": {"max_output_tokens": 9, "response_mime_type": "application/json",
                "response_schema": {"type": "STRING"},
                "thinking_config": {"thinking_budget": 0}},
        }),
        "gemini-3-flash-preview",
    );
    assert_eq!(
        back,
        json!({
            "systemInstruction": {"parts": [{"text": "S"}]},
            "contents": [{"role": "user", "parts": [
                {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}],
            "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema":
                {"type": "object", "properties": {"a_b": {"type": "string"}}}}]}],
            "toolConfig": {"functionCallingConfig":
                {"mode": "ANY", "allowedFunctionNames": ["f"]}},
            "generationConfig": {"maxOutputTokens": 9, "responseMimeType": "application/json",
                "responseJsonSchema": {"type": "string"},
                "thinkingConfig": {"includeThoughts": false, "thinkingLevel": "minimal"}},
        })
    );
    assert_eq!(losses.len(), 1, "{losses:?}");
}

#[test]
fn results_without_ids_answer_the_calls_of_their_name_in_order() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [
            {"functionCall": {"name": "f", "args": {}}},
            {"functionCall": {"name": "g"}},
            {"functionCall": {"name": "f"}}]},
        {"role": "function", "parts": [
            {"functionResponse": {"name": "f", "response": {"n": 1}}},
            {"functionResponse": {"name": "f", "response": {"error": "no"}}},
            {"functionResponse": {"name": "g", "response": {"result": "3"}}}]}]});
    let request = Gemini.read_request(body.to_string().as_bytes()).unwrap();
    let answered: Vec<_> = request
        .messages
        .iter()
        .flat_map(|message| &message.parts)
        .filter_map(|part| match part {
            Part::ToolResult {
                call_id,
                parts,
                is_error,
                ..
            } => Some((call_id.as_str(), parts.clone(), *is_error)),
            _ => None,
        })
        .collect();
    assert_eq!(
        answered,
        [
            ("call_0_f", vec![Part::text("{\"n\":1}")], false),
            ("call_2_f", vec![Part::text("no")], true),
            ("call_1_g", vec![Part::text("3")], false),
        ]
    );
}

#[test]
fn bad_requests_are_refused_with_their_path() {
    for (body, path) in [
        (json!({}), "contents"),
        (json!({"contents": []}), "contents"),
        (
            json!({"contents": [{"role": "assistant", "parts": []}]}),
            "contents[0].role",
        ),
        (
            json!({"contents": [{"parts": [{"functionCall": {}}]}]}),
            "contents[0].parts[0].functionCall.name",
        ),
        (
            json!({"contents": [{"parts": [{"text": "a", "inlineData": {"mimeType": "image/png", "data": "QQ"}}]}]}),
            "contents[0].parts[0]: may be one of",
        ),
        (
            json!({"contents": [{"parts": [{"inlineData": {"mimeType": "a/b", "mime_type": "c/d", "data": ""}}]}]}),
            "contents[0].parts[0].inlineData.mimeType: is there twice",
        ),
        (
            json!({"contents": [{}], "generationConfig": {"topK": 1}, "generation_config": {"topK": 2}}),
            "generationConfig: is there twice",
        ),
        (
            json!({"contents": [{}], "generationConfig": {"temperature": 3}}),
            "generationConfig.temperature",
        ),
        (
            json!({"contents": [{}], "generationConfig": {"thinkingConfig": {"thinkingLevel": "x"}}}),
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
    ] {
        let failure = Gemini
            .read_request(body.to_string().as_bytes())
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::InvalidRequest);
        assert!(failure.message.starts_with(path), "{}", failure.message);
    }
    assert!(Gemini.read_request(b"nope").is_err());
}

#[test]
fn a_turn_that_was_replayed_in_pieces_is_one_message() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [{"text": "Hm", "thought": true}]},
        {"role": "model", "parts": [{"text": ".", "thought": true}]},
        {"role": "model", "parts": [{"text": "Hel"}]},
        {"role": "model", "parts": [{"text": "lo"}, {"text": "!"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
        {"role": "user", "parts": [{"text": "and"}]},
        {"role": "user", "parts": [{"text": "so"}]}]});
    let request = Gemini.read_request(body.to_string().as_bytes()).unwrap();
    let parts: Vec<_> = request.messages.iter().map(|m| m.parts.len()).collect();
    assert_eq!(parts, [1, 4, 1, 1]);
    // What one content says in two parts stays two.
    assert_eq!(request.messages[1].parts[1], Part::text("Hello"));
    assert_eq!(request.messages[1].parts[2], Part::text("!"));
}

#[test]
fn what_a_part_says_beside_its_content_is_not_lost_without_a_word() {
    let body = json!({"contents": [{"role": "user", "parts": [
        {"inlineData": {"mimeType": "image/png", "data": "QQ==", "displayName": "a"},
         "mediaResolution": {"level": "MEDIA_RESOLUTION_HIGH"}},
        {"fileData": {"fileUri": "https://a.example/b.png", "display_name": "b"}}]}]});
    let request = Gemini.read_request(body.to_string().as_bytes()).unwrap();
    let filed: Vec<&String> = request.extras.members.keys().collect();
    assert_eq!(
        filed,
        [
            "contents[0].parts[0].inlineData.displayName",
            "contents[0].parts[0].mediaResolution",
            "contents[0].parts[1].fileData.displayName"
        ]
    );
}
